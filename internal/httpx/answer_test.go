package httpx

import (
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSendJSON(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := httptest.NewRecorder()
	body, err := EncodeJSON(map[string]string{"a": "<b>&\u2028đ"})
	SendJSON(w, log, http.StatusTeapot, body, err)
	if got := w.Body.String(); w.Code != http.StatusTeapot || got != `{"a":"<b>&\u2028đ"}` || w.Header().Get("Content-Length") != "20" {
		t.Errorf("%d %s %v", w.Code, got, w.Header())
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	w = httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	SendJSON(w, log, http.StatusOK, []byte("{}"), nil)
	if h := w.Header(); h.Get("Content-Type") != "application/json; charset=utf-8" || h.Get("Cache-Control") != "no-cache" {
		t.Errorf("what was set before became %v", h)
	}

	w = httptest.NewRecorder()
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler || w.Body.Len() > 0 {
			t.Errorf("what cannot be encoded ends with %v and %q", cause, w.Body)
		}
	}()
	body, err = EncodeJSON(math.NaN())
	SendJSON(w, log, http.StatusOK, body, err)
}
