package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
)

// EncodeJSON writes JSON as the gateway sends it: compact, < > & as they are, no
// line end.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("httpx: encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// The headers of SendJSON. net/http does not change them.
var (
	contentJSON = []string{"application/json"}
	noStore     = []string{"no-store"}
)

// SendJSON answers with a JSON text as an encoder gives it. Content-Type and
// Cache-Control are application/json and no-store unless they are set already.
// An error of the encoder, which is a fault of ours, breaks the connection: the
// caller must not take half an answer for a whole one.
func SendJSON(w http.ResponseWriter, log *slog.Logger, status int, body []byte, err error) {
	if err != nil {
		log.Error("encode", "error", err.Error())
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	if h["Content-Type"] == nil {
		h["Content-Type"] = contentJSON
	}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = noStore
	}
	h["X-Content-Type-Options"] = noSniff
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if it fails
}
