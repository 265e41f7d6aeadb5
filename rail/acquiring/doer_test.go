package acquiring_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/rail/acquiring"
)

// Whether a request may have reached the acquirer is told truly: that decides
// whether another one may be asked.
func TestDoer(t *testing.T) {
	var asked string
	acquirer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + r.Header.Get("X-Key") + " " + string(body)
		switch r.URL.Path {
		case "/hangs-up":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		case "/long":
			_, _ = w.Write(make([]byte, 1<<20+1))
		case "/most":
			_, _ = w.Write(make([]byte, 1<<20))
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("an answer"))
		}
	}))
	defer acquirer.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	closed.Close()

	port := func(address string) uint16 {
		return must[net.Addr](t)(net.ResolveTCPAddr("tcp", strings.TrimPrefix(address, "http://"))).(*net.TCPAddr).AddrPort().Port()
	}
	d := acquiring.NewDoer(guard.Options{AllowLoopback: true, AllowPorts: []uint16{port(acquirer.URL), port(nobody)}})
	do := func(ctx context.Context, d acquiring.Doer, address string) (int, []byte, bool, error) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, "POST", address, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Key", "key")
		return d.Do(req)
	}
	if status, body, sent, err := do(t.Context(), d, acquirer.URL+"/pay?token=s3cret"); status != http.StatusTeapot || string(body) != "an answer" || !sent || err != nil {
		t.Errorf("an answer: %d %q %v %v", status, body, sent, err)
	}
	if asked != "POST /pay key body" {
		t.Errorf("the acquirer was asked %q", asked)
	}
	if _, body, sent, err := do(t.Context(), d, acquirer.URL+"/most"); len(body) != 1<<20 || !sent || err != nil {
		t.Errorf("a mebibyte: %d bytes, %v %v", len(body), sent, err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		doer    acquiring.Doer
		address string
		sent    bool
	}{
		"hangs up":         {t.Context(), d, acquirer.URL + "/hangs-up?token=s3cret", true},
		"a longer one":     {t.Context(), d, acquirer.URL + "/long?token=s3cret", true},
		"nobody there":     {t.Context(), d, nobody + "/?token=s3cret", false},
		"no such host":     {t.Context(), d, "http://acquirer.invalid/?token=s3cret", false},
		"called off":       {canceled, d, acquirer.URL + "/pay?token=s3cret", false},
		"loopback refused": {t.Context(), acquiring.NewDoer(guard.Options{}), acquirer.URL + "/pay?token=s3cret", false},
	} {
		_, body, sent, err := do(c.ctx, c.doer, c.address)
		if err == nil || sent != c.sent || body != nil {
			t.Errorf("%s: sent %v, want %v; %q, %v", name, sent, c.sent, body, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error has a secret: %v", name, err)
		}
	}
}
