package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// called is the answer to a call in process.
type called struct {
	Status int
	Body   []byte
}

// JSON is the body as JSON: itself, or as a text when it is none.
func (c called) JSON() json.RawMessage {
	if json.Valid(c.Body) {
		return json.RawMessage(bytes.TrimSpace(c.Body))
	}
	text, _ := json.Marshal(string(c.Body)) // a text can always be encoded
	return text
}

// call sends a POST to a handler of this process, as somebody outside would.
func call(ctx context.Context, to http.Handler, address string, header http.Header, body []byte) (called, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return called{}, err
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "127.0.0.1:0"
	r.RequestURI = r.URL.RequestURI()
	w := &recorder{header: http.Header{}}
	to.ServeHTTP(w, r)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return called{w.status, w.body.Bytes()}, nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
