package httpx

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// start serves h until the test ends it with stop, which gives Serve's error.
func start(t *testing.T, h http.Handler, drain time.Duration) (url string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, NewServer(h, quiet), ln, drain) }()
	return "http://" + ln.Addr().String(), cancel, ended
}

func result(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Serve did not return")
		return nil
	}
}

func TestServeDrains(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	url, stop, done := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		if r.Context().Err() != nil {
			t.Error("the request's context ended with the server's")
		}
		io.WriteString(w, "finished")
	}), 10*time.Second)
	got := make(chan string, 1)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			got <- err.Error()
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		got <- string(body)
	}()
	<-entered
	stop()
	close(leave)
	if err := result(t, done); err != nil {
		t.Error(err)
	}
	if text := <-got; text != "finished" {
		t.Errorf("%q", text)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("still takes requests")
	}
}

func TestServeCutsOffAfterTheDeadline(t *testing.T) {
	entered := make(chan struct{})
	url, stop, done := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), 20*time.Millisecond)
	failed := make(chan error, 1)
	go func() {
		_, err := http.Get(url)
		failed <- err
	}()
	<-entered
	stop()
	if err := result(t, done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if <-failed == nil {
		t.Error("the request was answered")
	}
}

func TestStreamsEndWhenDraining(t *testing.T) {
	url, stop, done := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := LongLived(w); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "data: 1\n")
		w.(http.Flusher).Flush()
		<-Draining(r.Context())
		io.WriteString(w, "data: bye\n")
	}), 10*time.Second)
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Scan()
	stop()
	lines.Scan()
	if lines.Text() != "data: bye" {
		t.Errorf("%q", lines.Text())
	}
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestLongLivedLiftsTheLimits(t *testing.T) {
	s := httptest.NewUnstartedServer(Log(quiet, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := LongLived(w); err != nil {
			t.Error(err)
		}
		timer := time.NewTimer(150 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
			t.Error("the read limit ended the stream")
		case <-timer.C:
			io.WriteString(w, "late")
		}
	})))
	s.Config.ReadTimeout = 50 * time.Millisecond
	s.Config.WriteTimeout = 50 * time.Millisecond
	s.Start()
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "late" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Serve(t.Context(), NewServer(http.NotFoundHandler(), quiet), ln, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestNewServerRefusesHugeHeaders(t *testing.T) {
	url, _, _ := start(t, http.NotFoundHandler(), time.Second)
	req, _ := http.NewRequest("GET", url, nil)
	req.Header.Set("X-Big", strings.Repeat("x", 40_000))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, tc := range []struct{ csp, frame string }{
		{"default-src 'none'; frame-ancestors 'none'", "DENY"},
		{"default-src 'none'", "DENY"},
		{"default-src 'none'; frame-ancestors https://shop.example.vn", ""},
	} {
		h := http.Header{}
		SecurityHeaders(h, tc.csp)
		if h.Get("Content-Security-Policy") != tc.csp || h.Get("X-Frame-Options") != tc.frame ||
			h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", tc.csp, h)
		}
	}
}

func TestHSTS(t *testing.T) {
	h := HSTS(http.NotFoundHandler(), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	const want = "max-age=31536000; includeSubDomains"
	for name, tc := range map[string]struct {
		tls         bool
		peer, proto string
		want        string
	}{
		"TLS":                  {tls: true, peer: "203.0.113.9:1", want: want},
		"plain":                {peer: "192.0.2.1:1"},
		"behind a proxy":       {peer: "192.0.2.1:1", proto: "https", want: want},
		"plain behind a proxy": {peer: "192.0.2.1:1", proto: "http"},
		"somebody's invention": {peer: "203.0.113.9:1", proto: "https"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		if tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if tc.proto != "" {
			r.Header.Set("X-Forwarded-Proto", tc.proto)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security"); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
