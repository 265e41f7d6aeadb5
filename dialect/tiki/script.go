package tiki

import (
	"bytes"
	"embed"
	"net/http"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/httpx"
)

// Where the JS API for mini apps is served, and its TypeScript declarations.
const (
	ScriptPath = "/tini/my.js"
	TypesPath  = "/tini/my.d.ts"
)

//go:embed my.js my.d.ts
var scripts embed.FS

// script serves one embedded file.
func script(name string) http.HandlerFunc {
	text, err := scripts.ReadFile(name)
	if err != nil {
		panic(err) // a fault of the build
	}
	kind := "text/javascript; charset=utf-8"
	if strings.HasSuffix(name, ".ts") {
		kind = "text/plain; charset=utf-8"
	}
	return func(w http.ResponseWriter, r *http.Request) {
		httpx.NoteRoute(r.Context(), "tiki: "+name)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin") // mini apps live elsewhere
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	}
}
