package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// AssetPath is where Assets has to be mounted.
const AssetPath = "/assets/"

type asset struct {
	name string // with the hash, such as checkout.1f2e3d4c5b6a.js
	body []byte
}

// assets is every file of assets/, by its name in the tree.
var assets = sync.OnceValue(func() map[string]asset {
	files, err := embedded.ReadDir("assets")
	if err != nil {
		panic(err) // a fault of the build; the package's tests read the same files
	}
	all := map[string]asset{}
	for _, f := range files {
		body, err := embedded.ReadFile("assets/" + f.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(f.Name())
		hashed := strings.TrimSuffix(f.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		all[f.Name()] = asset{name: hashed, body: body}
	}
	return all
})

// Asset is the address of a file of assets/. It has the content's hash in it
// and so may be kept for ever. A name that is not there is an error.
func Asset(name string) (string, error) {
	a, ok := assets()[name]
	if !ok {
		return "", fmt.Errorf("web: no asset %q", name)
	}
	return AssetPath + a.name, nil
}

// Assets serves the files of assets/ under AssetPath, each by the address that
// Asset gives. Every other address is 404.
func Assets() http.Handler {
	byName := map[string]asset{}
	for _, a := range assets() {
		byName[a.name] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := byName[strings.TrimPrefix(r.URL.Path, AssetPath)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", contentType(a.name))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		// A drawing that is opened by itself is a document.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
}

// contentType does not ask the machine's table, which may lack a type.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}
