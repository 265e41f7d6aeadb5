// Package httpx holds the parts every HTTP surface of the gateway shares: the
// server with its limits, request ids, logging, recovery, bodies, the client's
// address, security headers, and the masking of card numbers.
//
// The order of the middleware is RequestID, Log, Recover, routes.
package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/thungan/thungan/internal/pan"
)

// RequestIDHeader carries the request id in both directions.
const RequestIDHeader = "X-Request-Id"

type contextKey int

const (
	exchangeKey contextKey = iota
	drainingKey
)

// RequestID gives every request an id: the caller's, if it is 8 to 64 letters,
// digits, dots, dashes or underscores, else one from newID. The id is in the
// context (RequestIDFrom) and in the response header.
func RequestID(newID func() string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(RequestIDHeader)
			if !validRequestID(id) {
				id = newID()
			}
			w.Header().Set(RequestIDHeader, id)
			next.ServeHTTP(w, r.WithContext(&exchange{Context: r.Context(), requestID: id}))
		})
	}
}

// RequestIDFrom is the id RequestID gave, or "".
func RequestIDFrom(ctx context.Context) string {
	if e := exchangeOf(ctx); e != nil {
		return e.requestID
	}
	return ""
}

// exchange is what the middleware knows of a request. It is the request's
// context, since each change of that copies the request.
type exchange struct {
	context.Context
	requestID string

	// What the log will say of it, once Log is around the handler.
	logged bool
	mu     sync.Mutex
	route  string
	attrs  []slog.Attr
	room   [2]slog.Attr // for the first of attrs
}

// Value gives the exchange itself under exchangeKey.
func (e *exchange) Value(key any) any {
	if key == exchangeKey {
		return e
	}
	return e.Context.Value(key)
}

// exchangeOf is nil outside of the middleware.
func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey).(*exchange)
	return e
}

func validRequestID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return !pan.Stands(id)
}

// ClientAddr is the address of the client. X-Forwarded-For counts only when the
// peer is a trusted proxy; then it is the rightmost entry that is not a trusted
// proxy itself, because everything left of it is the client's own invention. An
// entry that is no address ends the search at the last good one. The result is
// invalid when the connection has no IP address (a unix socket).
func ClientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := parseHop(r.RemoteAddr)
	if len(trusted) == 0 {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !isTrusted(addr, trusted) {
			break
		}
		next := parseHop(strings.TrimSpace(hop))
		if !next.IsValid() {
			break
		}
		addr = next
	}
	return addr
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// parseHop reads an address with or without a port.
func parseHop(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Bearer is the token of a request's Authorization header, "" unless there is
// one such header and its scheme is Bearer, in any letter case (RFC 6750).
func Bearer(r *http.Request) string {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// ErrTooLarge means a request's body is longer than allowed.
var ErrTooLarge = errors.New("httpx: request body is too large")

// ReadBody reads the whole body of at most limit bytes. It returns ErrTooLarge
// for a longer one, and then the connection is closed after the answer; any
// other error means the client did not send all of it.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > 0 && r.ContentLength <= limit {
		body := make([]byte, r.ContentLength) // net/http gives no more than was announced
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, fmt.Errorf("httpx: read request body: %w", err)
		}
		return body, nil
	}
	var body bytes.Buffer
	_, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("httpx: read request body: %w", err)
	}
	return body.Bytes(), nil
}
