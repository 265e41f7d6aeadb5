package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// NewServer is a server with bounded times and sizes: 5 s for the headers, 30 s
// for the whole request, 60 s for the answer, 2 minutes for an idle connection,
// 16 KiB of headers. A handler that streams calls LongLived first.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 * 1024,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// LongLived lifts the server's time limits from one exchange, for event
// streams. Without it the read limit would end the request's context.
func LongLived(w http.ResponseWriter) error {
	c := http.NewResponseController(w)
	return errors.Join(c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}))
}

// Draining is closed when the server stops taking requests. Event streams end
// then; otherwise they would hold up the shutdown until its deadline. Outside
// of Serve it is nil and never closes.
func Draining(ctx context.Context) <-chan struct{} {
	ch, _ := ctx.Value(drainingKey).(chan struct{})
	return ch
}

// Serve answers requests on ln until ctx ends, then stops taking new ones and
// waits up to drain for those under way. What is left then is cut off, and the
// error is context.DeadlineExceeded. It closes ln, and sets srv.BaseContext.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener, drain time.Duration) error {
	draining := make(chan struct{})
	// Not ctx itself: its end must not break requests under way.
	base := context.WithValue(context.WithoutCancel(ctx), drainingKey, draining)
	srv.BaseContext = func(net.Listener) context.Context { return base }

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("httpx: serve: %w", err)
	case <-ctx.Done():
	}
	close(draining)
	limited, cancel := context.WithTimeout(base, drain)
	defer cancel()
	err := srv.Shutdown(limited)
	if err != nil {
		err = errors.Join(fmt.Errorf("httpx: drain: %w", err), srv.Close())
	}
	<-served
	return err
}

// SecurityHeaders sets the headers of an HTML page. csp is its whole
// Content-Security-Policy. The page is not stored, tells nobody its address
// (which may hold a payer's key), and may be framed only by whom csp's
// frame-ancestors names.
func SecurityHeaders(h http.Header, csp string) {
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	// X-Frame-Options knows only all or nothing; where some may frame the
	// page, browsers go by the policy.
	if !strings.Contains(csp, "frame-ancestors ") || strings.Contains(csp, "frame-ancestors 'none'") {
		h.Set("X-Frame-Options", "DENY")
	}
}

// The headers of answers that are no pages.
var (
	nothing = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	noSniff = []string{"nosniff"}
	noRefer = []string{"no-referrer"}
)

// DefaultHeaders are for every answer that does not set its own: what is taken
// for a page though it is none shows and runs nothing, in nobody's frame.
func DefaultHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Content-Security-Policy"], h["X-Content-Type-Options"], h["Referrer-Policy"] = nothing, noSniff, noRefer
		next.ServeHTTP(w, r)
	})
}

// hsts is for a year and for hosts below ours too (ASVS 3.4.1).
var hsts = []string{"max-age=31536000; includeSubDomains"}

// HSTS tells browsers to come back by TLS only. It is sent only over TLS (RFC
// 6797, 7.2): our own, or that of a trusted proxy that says so by
// X-Forwarded-Proto.
func HSTS(next http.Handler, trusted []netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil || (r.Header.Get("X-Forwarded-Proto") == "https" && isTrusted(parseHop(r.RemoteAddr), trusted)) {
			w.Header()["Strict-Transport-Security"] = hsts
		}
		next.ServeHTTP(w, r)
	})
}
