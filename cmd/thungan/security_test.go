package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/store/storetest"
)

// production is the handler that serve serves, and its gateway.
func production(t *testing.T, log *slog.Logger) (http.Handler, *gateway) {
	t.Helper()
	return started(t, options{clock: clock.System(), log: log, publicURL: "https://pay.example.vn", pull: time.Minute})
}

// started is a gateway of options over a database and keys of its own, with its
// handler.
func started(t *testing.T, o options) (http.Handler, *gateway) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := vault.Generate(file); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.keys, err = vault.Load(file); err != nil {
		t.Fatal(err)
	}
	o.store = storetest.Open(t, storetest.URL(t, "sqlite"))
	g, err := newGateway(o)
	if err != nil {
		t.Fatal(err)
	}
	return o.harden(g.handler), g
}

func ask(h http.Handler, method, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("{}"))
	r.TLS = &tls.ConnectionState{}
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Whatever is asked for, and however it ends, the answer has the headers that
// keep a browser from doing harm with it, sets no cookie, and lets no other
// origin read it.
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	h, _ := production(t, slog.New(slog.NewTextHandler(io.Discard, nil)))
	paths := []string{
		"/", "/nothing", "/v2/payment-page-checkout", "/v1/refund", "/v2/nothing", "/merchant/MC/payment/1?key=x", "/merchant/MC/payment/1/cancel", "/merchant/",
		"/assets/checkout.js", "/assets/nothing", "/bank-feeds/none", "/acquirers/none/notify", "/admin/v1/payments", "/admin/v1/openapi.yaml", "/admin/v1//x",
		"/healthz", "/readyz", "/metrics", "/debug/pprof/", "/sandbox/bank-transfers",
	}
	for _, path := range paths {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			w := ask(h, method, path, http.Header{"Origin": {"https://evil.example"}})
			name := method + " " + path
			head := w.Header()
			if !strings.Contains(head.Get("Strict-Transport-Security"), "max-age=31536000") || !strings.Contains(head.Get("Strict-Transport-Security"), "includeSubDomains") {
				t.Errorf("%s: HSTS %q", name, head.Get("Strict-Transport-Security"))
			}
			csp := head.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
				if !strings.Contains(csp, want) && !strings.HasPrefix(path, "/assets/") {
					t.Errorf("%s: no %s in CSP %q", name, want, csp)
				}
			}
			if csp == "" || strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "script-src 'unsafe") {
				t.Errorf("%s: CSP %q", name, csp)
			}
			if head.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: may be sniffed", name)
			}
			if p := head.Get("Referrer-Policy"); p != "no-referrer" && p != "same-origin" {
				t.Errorf("%s: Referrer-Policy %q", name, p)
			}
			if head.Get("Set-Cookie") != "" || head.Get("Access-Control-Allow-Origin") != "" || head.Get("Server") != "" {
				t.Errorf("%s: %v", name, head)
			}
			if kind := head.Get("Content-Type"); w.Body.Len() > 0 && (kind == "" || strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset=utf-8")) {
				t.Errorf("%s: a body of type %q", name, kind)
			}
			if method == "TRACE" && w.Code < 300 {
				t.Errorf("%s: answered with %d", name, w.Code)
			}
		}
	}
	for _, path := range []string{"/debug/pprof/", "/sandbox/bank-transfers", "/sandbox/clock", "/"} {
		if w := ask(h, "GET", path, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s is served in production: %d", path, w.Code)
		}
	}
}

// The gateway's figures are for whoever has a token, wherever the request comes
// from; wrong tokens are slowed down and logged with the address.
func TestMetricsNeedAToken(t *testing.T) {
	var log bytes.Buffer
	h, g := production(t, slog.New(httpx.NewMaskHandler(slog.NewJSONHandler(&log, nil))))
	token, err := g.core.AddAdminToken(t.Context(), core.Actor{Name: "test"}, "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "GET", "/metrics", http.Header{"Authorization": {"Bearer " + token}}); w.Code != 200 || !strings.Contains(w.Body.String(), "thungan_") {
		t.Errorf("with a token: %d", w.Code)
	}
	last := 0
	for range 25 {
		w := ask(h, "GET", "/metrics", http.Header{"Authorization": {"Bearer guess"}})
		if last = w.Code; w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("after 25 guesses: %d", last)
	}
	if text := log.String(); !strings.Contains(text, `"client":"192.0.2.1"`) || strings.Contains(text, token) || strings.Contains(text, "guess") {
		t.Errorf("the log: %s", text)
	}
}

// A failed authentication leaves a line with the client's address, on every
// surface, and never what was sent; nor can a client write lines of its own.
func TestFailedAuthenticationIsLogged(t *testing.T) {
	var log bytes.Buffer
	h, _ := production(t, slog.New(httpx.NewMaskHandler(slog.NewTextHandler(&log, nil))))
	for path, header := range map[string]http.Header{
		"/v2/retrieve-payment": {"Api-Key": {"geheim"}, "Secret-Key": {"geheim"}},
		"/admin/v1/payments":   {"Authorization": {"Bearer geheim"}},
	} {
		log.Reset()
		header["X-Request-Id"] = []string{"fake\nlevel=ERROR msg=forged"}
		method := "POST"
		if strings.HasPrefix(path, "/admin") {
			method = "GET"
		}
		if w := ask(h, method, path, header); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, w.Code)
		}
		text := log.String()
		if !strings.Contains(text, "client=192.0.2.1") || !strings.Contains(text, "status=401") {
			t.Errorf("%s: %s", path, text)
		}
		if strings.Contains(text, "geheim") || strings.Contains(text, "forged") || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %q", path, text)
		}
	}
}
