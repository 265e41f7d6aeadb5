package tiki

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
)

// maxBody bounds a request's body: a hundred items with metadata.
const maxBody = 512 << 10

// Failed authentications that one client address may make: a burst, then so
// many a minute.
const (
	failureBurst     = 100
	failurePerMinute = 60
	failureAddresses = 10_000
)

// Environment is one of the two that an app lives in.
type Environment struct {
	Dialect string
	Prefix  string    // of its paths
	Ends    core.Ends // of its online payments (T25)
}

// The environments.
var (
	Production   = Environment{Dialect: Name, Prefix: "/tiniapp-open-api"}
	Sandbox      = Environment{Dialect: SandboxName, Prefix: "/tiniapp-sandbox-open-api", Ends: core.Tested}
	environments = []Environment{Production, Sandbox}
)

// Paths are where the handler has to be mounted.
var Paths = []string{
	Production.Prefix, Production.Prefix + "/", Sandbox.Prefix, Sandbox.Prefix + "/", GraphQLPath, ScriptPath, TypesPath,
}

// Config is what the handler is made of.
type Config struct {
	Core           *core.Core
	Clock          clock.Clock
	RealTime       clock.Clock // that timestamps may go by too; nil for none
	Log            *slog.Logger
	MaxAge         time.Duration  // of a signature; 0 is DefaultMaxAge
	TrustedProxies []netip.Prefix // whose X-Forwarded-For names the client
	Throttle       *auth.Throttle // of failed authentications; nil for one of its own
}

type handler struct {
	core     *core.Core
	clocks   []clock.Clock // that timestamps may go by
	log      *slog.Logger
	maxAge   time.Duration
	proxies  []netip.Prefix
	failures *auth.Throttle
	calls    map[string]map[string]call // by path, by method
}

// request is one call of an app's back end.
type request struct {
	*http.Request
	env  Environment
	who  caller
	body []byte
}

// call is one operation: it reads the request, makes one call to core, and
// returns the data or why there is none.
type call func(ctx context.Context, r request) (any, error)

// New serves both environments (Production.Prefix, Sandbox.Prefix), the calls of
// the apps' container (GraphQLPath) and its script (ScriptPath, TypesPath). It
// answers every path below in the protocol's own form.
func New(c Config) http.Handler {
	h := &handler{core: c.Core, clocks: []clock.Clock{c.Clock}, log: c.Log, maxAge: c.MaxAge, proxies: c.TrustedProxies, failures: c.Throttle}
	if c.RealTime != nil {
		h.clocks = append(h.clocks, c.RealTime)
	}
	if h.maxAge <= 0 {
		h.maxAge = DefaultMaxAge
	}
	if h.failures == nil {
		h.failures = auth.NewThrottle(c.Clock, failurePerMinute, failureBurst, failureAddresses)
	}
	h.calls = map[string]map[string]call{
		"/oauth/auth/token":         {http.MethodPost: h.exchange},
		"/oauth/auth/token/refresh": {http.MethodPost: h.refresh},
		"/oauth/me":                 {http.MethodPost: h.me},
		"/order":                    {http.MethodPost: h.create, http.MethodGet: h.get},
		"/order/multi-sku":          {http.MethodPost: h.createBySKU},
		"/order/list":               {http.MethodGet: h.list},
		"/order/complete":           {http.MethodPost: h.complete},
		"/order/cancel":             {http.MethodPost: h.cancel},
		"/product_create":           {http.MethodPost: h.addProduct},
	}
	mux := http.NewServeMux()
	mux.HandleFunc(GraphQLPath, h.graphQL)
	mux.HandleFunc(ScriptPath, script("my.js"))
	mux.HandleFunc(TypesPath, script("my.d.ts"))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, "unknown path", errUnknownPath) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer h.recovered(w, r)
		// ServeMux would answer odd paths with a redirect.
		for _, env := range environments {
			if r.URL.Path == env.Prefix || strings.HasPrefix(r.URL.Path, env.Prefix+"/") {
				h.serve(w, r, env)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

var errUnknownPath = refusal{status: http.StatusNotFound, message: "there is no such call"}

// recovered answers a panic, unless it means to break the connection.
func (h *handler) recovered(w http.ResponseWriter, r *http.Request) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause)
	default:
		h.log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		h.fail(w, r, "panic", payment.Fail(payment.CodeInternal, "panic"))
	}
}

// serve answers a request to an environment.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, env Environment) {
	path := strings.TrimPrefix(r.URL.Path, env.Prefix)
	path = strings.TrimPrefix(path, "/api/v1") // T6
	methods, known := h.calls[path]
	if !known {
		httpx.NoteRoute(r.Context(), env.Dialect+": unknown path")
		h.fail(w, r, "unknown path", errUnknownPath)
		return
	}
	op := env.Dialect + ": " + path
	httpx.NoteRoute(r.Context(), op)
	run, ok := methods[r.Method]
	if !ok {
		allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		w.Header().Set("Allow", allowed)
		h.fail(w, r, op, refusal{status: http.StatusMethodNotAllowed, message: "the call takes " + allowed})
		return
	}
	h.answer(w, r, env, op, run)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, env Environment, op string, run call) {
	from := auth.AddrKey(httpx.ClientAddr(r, h.proxies))
	if ok, wait := h.failures.Check(from); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		h.fail(w, r, op, refusal{status: http.StatusTooManyRequests, message: "too many requests with wrong signatures; try again later"})
		return
	}
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		h.fail(w, r, op, refusal{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the body is larger than %d bytes", maxBody)})
		return
	case err != nil:
		h.fail(w, r, op, invalid{"body": "did not arrive whole"})
		return
	}
	who, err := h.authenticate(r, env, body)
	if err != nil {
		if isSignature(err) {
			h.failures.Fail(from)
			httpx.Note(r.Context(), "client", from)
		}
		h.fail(w, r, op, err)
		return
	}
	data, err := run(r.Context(), request{Request: r, env: env, who: who, body: body})
	if err != nil {
		h.fail(w, r, op, err)
		return
	}
	h.send(w, http.StatusOK, envelope{Data: data})
}

func (h *handler) exchange(ctx context.Context, r request) (any, error) {
	code, err := decodeText(r.body, "code")
	if err != nil {
		return nil, err
	}
	s, err := h.core.ExchangeCode(ctx, r.who.app, code)
	if err != nil {
		return nil, unauthorized(err, reasonCode, "invalid auth code")
	}
	data := tokens(s)
	data.Customer = &customerObject{ID: s.Customer.ID, Name: s.Customer.Name}
	return data, nil
}

func (h *handler) refresh(ctx context.Context, r request) (any, error) {
	token, err := decodeText(r.body, "refresh_token")
	if err != nil {
		return nil, err
	}
	s, err := h.core.RefreshTokens(ctx, r.who.app, token)
	if err != nil {
		return nil, unauthorized(err, reasonToken, "invalid refresh token")
	}
	return tokens(s), nil
}

func tokens(s core.SignedIn) tokenData {
	return tokenData{
		AccessToken: s.Access, ExpiresIn: int64(signin.AccessLife / time.Second), RefreshToken: s.Refresh, Scopes: listed(s.Scopes), TokenType: "bearer",
	}
}

// listed makes an empty list [] and not null.
func listed(list []string) []string { return append([]string{}, list...) }

func (h *handler) me(ctx context.Context, r request) (any, error) {
	token, err := decodeText(r.body, "access_token")
	if err != nil {
		return nil, err
	}
	s, err := h.core.WhoIs(ctx, r.who.app, token)
	if err != nil {
		return nil, unauthorized(err, reasonToken, "invalid access token")
	}
	return meData{CustomerID: s.Customer.ID, CustomerName: s.Customer.Name, Scopes: listed(s.Scopes)}, nil
}

func (h *handler) create(ctx context.Context, r request) (any, error) { return h.place(ctx, r, false) }

func (h *handler) createBySKU(ctx context.Context, r request) (any, error) {
	return h.place(ctx, r, true)
}

func (h *handler) place(ctx context.Context, r request, bySKU bool) (any, error) {
	p, err := decodeOrder(r.body, bySKU)
	if err != nil {
		return nil, err
	}
	p.Merchant, p.Dialect = r.who.merchant, r.env.Dialect
	return h.one(ctx)(h.core.PlaceAppOrder(ctx, p))
}

// one shows one order.
func (h *handler) one(ctx context.Context) func(core.PlacedOrder, error) (any, error) {
	return func(p core.PlacedOrder, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		if p.Payment.ID != "" {
			httpx.Note(ctx, "payment_id", p.Payment.ID)
		}
		return orderData{orderOf(p)}, nil
	}
}

func (h *handler) get(ctx context.Context, r request) (any, error) {
	id, err := parameter(r.Request, "order_id")
	if err != nil {
		return nil, err
	}
	return h.one(ctx)(h.core.AppOrder(ctx, r.who.merchant.ID, r.env.Dialect, id))
}

func (h *handler) list(ctx context.Context, r request) (any, error) {
	ids, err := decodeIDs(r.Request)
	if err != nil {
		return nil, err
	}
	found, err := h.core.AppOrders(ctx, r.who.merchant.ID, r.env.Dialect, ids)
	if err != nil {
		return nil, err
	}
	data := ordersData{Orders: make([]orderObject, len(found))}
	for i, p := range found {
		data.Orders[i] = orderOf(p)
	}
	return data, nil
}

func (h *handler) complete(ctx context.Context, r request) (any, error) {
	return h.end(ctx, r, h.core.CompleteAppOrder)
}

func (h *handler) cancel(ctx context.Context, r request) (any, error) {
	return h.end(ctx, r, h.core.CancelAppOrder)
}

func (h *handler) end(ctx context.Context, r request, verb func(context.Context, core.Ending) (core.PlacedOrder, error)) (any, error) {
	e, err := decodeEnding(r.body)
	if err != nil {
		return nil, err
	}
	e.MerchantID, e.Dialect, e.Tested = r.who.merchant.ID, r.env.Dialect, r.env.Ends
	return h.one(ctx)(verb(ctx, e))
}

func (h *handler) addProduct(ctx context.Context, r request) (any, error) {
	p, err := decodeProduct(r.body)
	if err != nil {
		return nil, err
	}
	p, err = h.core.AddProductOf(ctx, r.who.merchant, p)
	if err != nil {
		return nil, err
	}
	return productData{productObject{SKU: p.SKU, Name: p.Name, Price: p.Price, ImageURL: p.ImageURL, OnSale: p.OnSale, Stock: p.Stock}}, nil
}

// fail answers a call of op that failed with err.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, op string, err error) {
	e := errorObject{Metadata: map[string]string{"service_code": serviceCode}}
	if id := httpx.RequestIDFrom(r.Context()); id != "" {
		e.Metadata["request_id"] = strings.ReplaceAll(id, "-", "")
	}
	var bad invalid
	if errors.As(err, &bad) {
		e.Code, e.Message = http.StatusBadRequest, msgInvalid
		maps.Copy(e.Metadata, bad)
	} else {
		refused := refusalOf(err)
		e.Code, e.Message, e.Reason = refused.status, refused.message, refused.reason
		var coded *payment.Error
		if refused.message == msgInvalid && errors.As(err, &coded) && coded.Text != "" {
			e.Metadata["detail"] = coded.Text
		}
	}
	if e.Code >= http.StatusInternalServerError {
		if e.Code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		level := slog.LevelError
		if errors.Is(err, context.Canceled) {
			level = slog.LevelInfo // the client has gone; nobody is at fault
		}
		h.log.Log(r.Context(), level, "request failed", "operation", op, "request_id", httpx.RequestIDFrom(r.Context()), "error", err.Error())
	}
	h.send(w, e.Code, envelope{Error: &e})
}

func (h *handler) send(w http.ResponseWriter, status int, answer any) {
	body, err := httpx.EncodeJSON(answer)
	httpx.SendJSON(w, h.log, status, body, err)
}
