package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// Done is a finished request.
type Done struct {
	Method   string
	Route    string // the pattern that matched, "" when none did
	Status   int    // as sent; 499 when the handler gave up without an answer
	Duration time.Duration
	Bytes    int64 // of the answer's body
}

// statusAborted stands for an exchange the handler broke off (nginx's number
// for it; there is no standard one).
const statusAborted = 499

// Log writes one line per request: method, route, status, duration_ms, bytes,
// request_id, and what the handler added with Note. Paths, query strings and
// bodies are never written: they may hold keys. observe, unless nil, is told of
// each request, for metrics.
func Log(logger *slog.Logger, observe func(Done)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now() // a span on the machine's clock
			entry := exchangeOf(r.Context())
			if entry == nil {
				entry = &exchange{Context: r.Context()}
				r = r.WithContext(entry)
			}
			entry.logged, entry.attrs = true, entry.room[:0]
			rec := &recorder{ResponseWriter: w}
			finished := false
			defer func() {
				done := Done{
					Method:   method(r.Method),
					Route:    entry.routeOr(r.Pattern),
					Status:   rec.result(finished),
					Duration: time.Since(start),
					Bytes:    rec.bytes,
				}
				write(logger, done, entry)
				if observe != nil {
					observe(done)
				}
			}()
			next.ServeHTTP(rec, r)
			finished = true
		})
	}
}

func write(logger *slog.Logger, d Done, e *exchange) {
	level := slog.LevelInfo
	if d.Status >= 500 {
		level = slog.LevelError
	}
	attrs := [8]slog.Attr{
		slog.String("method", d.Method),
		slog.String("route", d.Route),
		slog.Int("status", d.Status),
		slog.Float64("duration_ms", float64(d.Duration.Microseconds())/1000),
		slog.Int64("bytes", d.Bytes),
		slog.String("request_id", e.requestID),
	}
	logger.LogAttrs(e, level, "request", append(attrs[:6], e.taken()...)...)
}

// method keeps a client from inventing words in the log and the metrics.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}

// Note adds a field, such as payment_id, to the request's log line. Without Log
// around the handler it does nothing.
func Note(ctx context.Context, key, value string) {
	if e := exchangeOf(ctx); e != nil && e.logged {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.attrs = append(e.attrs, slog.String(key, value))
	}
}

// NoteRoute names the route for the log and the metrics. It is for handlers
// behind http.StripPrefix or a second mux, whose pattern Log cannot see.
func NoteRoute(ctx context.Context, pattern string) {
	if e := exchangeOf(ctx); e != nil && e.logged {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.route = pattern
	}
}

func (e *exchange) routeOr(pattern string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.route != "" {
		return e.route
	}
	return pattern
}

func (e *exchange) taken() []slog.Attr {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attrs
}

// Recover answers a panic with onPanic and logs it with its stack. When the
// answer had begun already, it breaks the connection instead, so that nobody
// takes half an answer for a whole one. http.ErrAbortHandler passes through.
func Recover(logger *slog.Logger, onPanic http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec, ok := w.(*recorder) // Log's, when it is around
			if !ok {
				rec = &recorder{ResponseWriter: w}
			}
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				if cause == http.ErrAbortHandler {
					panic(cause)
				}
				logger.LogAttrs(r.Context(), slog.LevelError, "panic",
					slog.String("cause", fmt.Sprint(cause)),
					slog.String("request_id", RequestIDFrom(r.Context())),
					slog.String("stack", string(debug.Stack())))
				if rec.status != 0 {
					panic(http.ErrAbortHandler)
				}
				onPanic(rec, r)
			}()
			next.ServeHTTP(rec, r)
		})
	}
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the answer begins
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	// A 1xx is no answer yet, except for a change of protocol.
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Flush is for callers that ask for an http.Flusher.
func (r *recorder) Flush() { _ = r.FlushError() }

func (r *recorder) FlushError() error {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) result(finished bool) int {
	switch {
	case !finished:
		return statusAborted
	case r.status == 0:
		return http.StatusOK // net/http sends it when the handler wrote nothing
	}
	return r.status
}
