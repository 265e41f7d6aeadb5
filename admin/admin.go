// Package admin is the operators' API, /admin/v1: JSON over HTTP with bearer
// tokens. Whatever the command line and the console do can be done here. Its
// document is api/admin.yaml, which the API serves itself.
//
// A handler reads its input, makes one call to core and renders the result. It
// decides nothing about money.
package admin

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// Prefix is where the API lives; New's handler expects whole paths.
const Prefix = "/admin/v1"

// Limits on wrong tokens from one client address (one /64 network for IPv6).
const (
	wrongTokensPerMinute = 30
	wrongTokensAtOnce    = 20
	throttledAddresses   = 10_000
)

// Config is what the API needs.
type Config struct {
	Core  *core.Core
	Clock clock.Clock
	Log   *slog.Logger
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// CheckFeed says what is wrong with a bank feed's settings before they are
	// kept: bankfeed.CheckFeed. Without it any settings are taken.
	CheckFeed func(kind, secret, api string) error
	// Acquirers are those that merchants can be connected to; nil for none.
	Acquirers Acquirers
}

// API answers requests below Prefix.
type API struct {
	core     *core.Core
	clock    clock.Clock
	log      *slog.Logger
	proxies  []netip.Prefix
	throttle *auth.Throttle
	mux      *http.ServeMux

	checkFeed func(kind, secret, api string) error
	acquirers Acquirers
}

// New makes the API. Wrap it in httpx.RequestID and httpx.Log; a panic is
// answered here.
func New(c Config) http.Handler {
	a := &API{
		core:     c.Core,
		clock:    c.Clock,
		log:      c.Log,
		proxies:  c.TrustedProxies,
		throttle: auth.NewThrottle(c.Clock, wrongTokensPerMinute, wrongTokensAtOnce, throttledAddresses),
		mux:      http.NewServeMux(),

		checkFeed: c.CheckFeed,
		acquirers: c.Acquirers,
	}
	if a.acquirers == nil {
		a.acquirers = noAcquirers{}
	}
	if a.checkFeed == nil {
		a.checkFeed = func(string, string, string) error { return nil }
	}
	byPath := map[string][]route{}
	for _, r := range a.routes() {
		byPath[r.path] = append(byPath[r.path], r)
	}
	for p, routes := range byPath {
		a.mux.Handle(Prefix+p, a.dispatch(Prefix+p, routes))
	}
	a.mux.Handle("/", a.handle(route{run: func(*call) (any, error) { return nil, noSuchPath() }}))
	return httpx.Recover(c.Log, func(w http.ResponseWriter, r *http.Request) {
		a.refuse(w, r, payment.Fail(payment.CodeInternal, ""))
	})(a)
}

// ServeHTTP sees to it that odd paths get our answer, not ServeMux's redirect.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	httpx.NoteRoute(r.Context(), Prefix) // unless dispatch knows better
	if path.Clean(r.URL.Path) != r.URL.Path {
		a.refuse(w, r, noSuchPath())
		return
	}
	a.mux.ServeHTTP(w, r)
}

// call is one request on its way through a handler.
type call struct {
	w  http.ResponseWriter
	r  *http.Request
	by core.Actor
}

func (c *call) ctx() context.Context { return c.r.Context() }

// dispatch picks the route of a path by the method.
func (a *API) dispatch(pattern string, routes []route) http.Handler {
	handlers := map[string]http.Handler{}
	for _, r := range routes {
		handlers[r.method] = a.handle(r)
		if r.method == http.MethodGet {
			handlers[http.MethodHead] = handlers[http.MethodGet]
		}
	}
	var methods []string
	for m := range handlers {
		methods = append(methods, m)
	}
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	wrong := a.handle(route{run: func(c *call) (any, error) {
		c.w.Header().Set("Allow", allow)
		return nil, &failure{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "this path takes " + allow}
	}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpx.NoteRoute(r.Context(), pattern)
		if h, ok := handlers[r.Method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		wrong.ServeHTTP(w, r)
	})
}

// handle authenticates, runs a route's handler and answers.
func (a *API) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		if !rt.public {
			by, err := a.authenticate(w, r)
			if err != nil {
				a.refuse(w, r, err)
				return
			}
			c.by = by
			httpx.Note(r.Context(), "operator", by.Name)
		}
		body, err := rt.run(c)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		a.answer(w, r, rt.status, body)
	})
}

// authenticate says who calls. A missing token is answered like a wrong one.
func (a *API) authenticate(w http.ResponseWriter, r *http.Request) (core.Actor, error) {
	addr := httpx.ClientAddr(r, a.proxies)
	key := auth.AddrKey(addr)
	if ok, wait := a.throttle.Check(key); !ok {
		httpx.Note(r.Context(), "client", key)
		w.Header().Set("Retry-After", seconds(wait))
		return core.Actor{}, &failure{
			status: http.StatusTooManyRequests, code: "too_many_requests",
			message: "too many wrong tokens from this address; wait " + seconds(wait) + " s",
		}
	}
	name, err := a.core.CheckAdminToken(r.Context(), bearer(r))
	if payment.CodeOf(err) == payment.CodeUnauthorized {
		a.throttle.Fail(key)
		httpx.Note(r.Context(), "client", key)
		w.Header().Set("WWW-Authenticate", `Bearer realm="thungan admin"`)
		return core.Actor{}, payment.Fail(payment.CodeUnauthorized, "a valid token is needed: Authorization: Bearer <admin token>")
	}
	if err != nil {
		return core.Actor{}, err
	}
	return core.Actor{Name: name, Address: addressText(addr)}, nil
}

// addressText is "" for a connection without an IP address (a unix socket).
func addressText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// maxToken bounds what is hashed for a stranger.
const maxToken = 200

// bearer is the request's token, "" when it has none that could be right.
func bearer(r *http.Request) string {
	token := httpx.Bearer(r)
	if len(token) > maxToken {
		return ""
	}
	return token
}

// seconds writes a wait as Retry-After wants it, rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}
