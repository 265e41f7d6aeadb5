package httpx

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// logged runs one request through the whole chain and gives the log lines.
func logged(t *testing.T, r *http.Request, routes http.Handler) (*httptest.ResponseRecorder, []map[string]any, []Done) {
	t.Helper()
	var out bytes.Buffer
	var done []Done
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	onPanic := func(w http.ResponseWriter, r *http.Request) { http.Error(w, "sorry", http.StatusInternalServerError) }
	h := RequestID(func() string { return "made-by-us" })(
		Log(logger, func(d Done) { done = append(done, d) })(Recover(logger, onPanic)(routes)))
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
				t.Errorf("panic got through: %v", cause)
			}
		}()
		h.ServeHTTP(w, r)
	}()
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, m)
	}
	return w, lines, done
}

func TestLog(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pay/{id}", func(w http.ResponseWriter, r *http.Request) {
		Note(r.Context(), "payment_id", "p1")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "hello")
	})
	r := httptest.NewRequest("POST", "/pay/secret-key?token=secret", strings.NewReader("secret body"))
	_, lines, done := logged(t, r, mux)
	if len(lines) != 1 || len(done) != 1 {
		t.Fatalf("%v %v", lines, done)
	}
	for key, want := range map[string]any{
		"msg": "request", "level": "INFO", "method": "POST", "route": "POST /pay/{id}", "status": 201.0,
		"bytes": 5.0, "request_id": "made-by-us", "payment_id": "p1",
	} {
		if lines[0][key] != want {
			t.Errorf("%s: %v, want %v", key, lines[0][key], want)
		}
	}
	if ms, ok := lines[0]["duration_ms"].(float64); !ok || ms < 0 {
		t.Errorf("duration %v", lines[0]["duration_ms"])
	}
	if text, _ := json.Marshal(lines); strings.Contains(string(text), "secret") {
		t.Errorf("a secret in the log: %s", text)
	}
	if d := done[0]; d.Method != "POST" || d.Route != "POST /pay/{id}" || d.Status != 201 || d.Bytes != 5 {
		t.Errorf("%+v", d)
	}
}

func TestLogRoutesAndStatuses(t *testing.T) {
	inner := http.NewServeMux()
	inner.HandleFunc("/in", func(w http.ResponseWriter, r *http.Request) { NoteRoute(r.Context(), "/dialect"+r.Pattern) })
	mux := http.NewServeMux()
	mux.Handle("/dialect/", http.StripPrefix("/dialect", inner))
	mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("/flush", func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() })
	for _, tc := range []struct {
		method, path, route, wantMethod string
		status                          int
	}{
		{"GET", "/dialect/in", "/dialect/in", "GET", 200},
		{"GET", "/silent", "/silent", "GET", 200},
		{"GET", "/early", "/early", "GET", 202},
		{"GET", "/flush", "/flush", "GET", 200},
		{"GET", "/missing", "", "GET", 404},
		{"INVENTED", "/silent", "/silent", "other", 200},
	} {
		_, _, done := logged(t, httptest.NewRequest(tc.method, tc.path, nil), mux)
		if len(done) != 1 || done[0].Route != tc.route || done[0].Status != tc.status || done[0].Method != tc.wantMethod {
			t.Errorf("%s: %+v", tc.path, done)
		}
	}
}

func TestNoteWithoutLog(t *testing.T) {
	Note(t.Context(), "a", "b")
	NoteRoute(t.Context(), "/")
}

func TestRecover(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	w, lines, done := logged(t, r, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "sorry") || len(lines) != 2 {
		t.Fatalf("%d %q %v", w.Code, w.Body, lines)
	}
	if lines[0]["cause"] != "broken" || !strings.Contains(lines[0]["stack"].(string), "TestRecover") ||
		lines[0]["request_id"] != "made-by-us" {
		t.Errorf("%v", lines[0])
	}
	if lines[1]["level"] != "ERROR" || done[0].Status != 500 {
		t.Errorf("%v", lines[1])
	}
}

func TestRecoverAfterTheAnswerBegan(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	w, lines, done := logged(t, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		panic("broken")
	}))
	if w.Body.String() != "half" || len(lines) != 2 || done[0].Status != statusAborted {
		t.Errorf("%q %v %+v", w.Body, lines, done)
	}
	_, lines, _ = logged(t, r, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if len(lines) != 1 {
		t.Errorf("an intended abort was logged as a panic: %v", lines)
	}
}
