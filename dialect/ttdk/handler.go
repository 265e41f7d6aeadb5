package ttdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// maxBody bounds a request's body (source 4).
const maxBody = 1 << 20

// Failed authentications that one client address may make: a burst, then so
// many a minute.
const (
	failureBurst     = 100
	failurePerMinute = 60
	failureAddresses = 10_000
)

// The default quota of an API key, in calls.
const (
	DefaultPerMinute = 6000
	DefaultBurst     = 6000
)

// Starter sends payers to acquirers and wallets: rail/card's Desk.
type Starter interface {
	Start(ctx context.Context, paymentID string, m payment.Method, payerIP string) (payment.Handoff, error)
}

// Config is what the handler is made of.
type Config struct {
	Core           *core.Core
	Clock          clock.Clock
	Log            *slog.Logger
	Starter        Starter        // nil sends payers of wallets to the hosted page
	TrustedProxies []netip.Prefix // whose X-Forwarded-For names the client
	Throttle       *auth.Throttle // of failed authentications; nil for one of its own
	// LegacyAuth answers a bad key as the version of 2024 did: 505 (T3).
	LegacyAuth bool
	// Mirror adds paymentQR and orderId to createPayment's answer (T16).
	Mirror bool
	// PerMinute and Burst are the quota of a key whose partner has none of its
	// own; PerMinute 0 is the default, -1 none (T5).
	PerMinute int64
	Burst     int64
}

type handler struct {
	Config
	core *core.Core
	ops  map[string]operation // by path, lower case
}

// module decides on the form of errors.
type module int

const (
	modulePayment module = iota // Order Payment
	modulePartner               // API Partner, and what has no page
	moduleBatch                 // Order
	moduleSingle                // Order Payment Confirm
)

// operation is one endpoint: it reads its input, makes one call to core, and
// returns the answer's data or why there is none.
type operation struct {
	module module
	schema []field // nil: any body is taken
	run    func(ctx context.Context, c call) (any, error)
}

// call is a request that has passed the checks.
type call struct {
	caller
	in values
	ip string // of the caller
}

// New serves the Partner API below /PartnerAPI/, and its twins outside. It
// answers every path that Owns says is its own.
func New(c Config) http.Handler {
	h := &handler{Config: c, core: c.Core}
	if h.Throttle == nil {
		h.Throttle = auth.NewThrottle(c.Clock, failurePerMinute, failureBurst, failureAddresses)
	}
	if h.PerMinute == 0 {
		h.PerMinute, h.Burst = DefaultPerMinute, DefaultBurst
	}
	h.ops = h.operations()
	return h
}

// The subtrees, lower case.
const (
	prefix      = "/partnerapi/"
	twinMethods = "/paymentqr/user/"
	twinOrders  = "/order/user/"
)

// Owns says whether a path is below one of the protocol's subtrees, in any
// letter case.
func Owns(path string) bool {
	path = strings.ToLower(path) + "/"
	return strings.HasPrefix(path, prefix) || strings.HasPrefix(path, twinMethods) || strings.HasPrefix(path, twinOrders)
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*") // T2
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		httpx.NoteRoute(r.Context(), "ttdk: preflight")
		w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
		w.Header().Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, If-None-Match, apiKey, clientId")
		w.Header().Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusOK)
		return
	}
	if h.image(w, r) {
		return
	}
	path := strings.TrimSuffix(strings.ToLower(r.URL.Path), "/")
	op, known := h.ops[path]
	if !known || r.Method != http.MethodPost {
		httpx.NoteRoute(r.Context(), "ttdk: unknown path")
		h.send(w, http.StatusNotFound, notFound)
		return
	}
	httpx.NoteRoute(r.Context(), "ttdk: "+path)
	defer h.recovered(w, r, op)
	h.serve(w, r, op)
}

// notFound is what the framework says of paths that it does not know.
var notFound = failure{StatusCode: http.StatusNotFound, Error: "Not Found", Message: "Not Found"}

// recovered answers a panic, unless it means to break the connection.
func (h *handler) recovered(w http.ResponseWriter, r *http.Request, op operation) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause)
	default:
		h.Log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		h.fail(w, r, op, payment.Fail(payment.CodeInternal, "panic"))
	}
}

// serve checks a request in the order of the original: the body's form, then who
// sends it. Order Payment Confirm documents the reverse.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, op operation) {
	in, bad := h.read(w, r, op)
	if bad != nil && op.module != moduleSingle {
		h.fail(w, r, op, bad)
		return
	}
	addr := httpx.ClientAddr(r, h.TrustedProxies)
	from := auth.AddrKey(addr)
	if ok, wait := h.Throttle.Check(from); !ok {
		h.over(w, op, wait.Seconds())
		return
	}
	who, err := h.authenticate(r, op.module == moduleBatch || op.module == moduleSingle)
	if err != nil {
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			h.Throttle.Fail(from)
			httpx.Note(r.Context(), "client", from)
		}
		h.fail(w, r, op, err)
		return
	}
	ok, wait, err := h.core.TakeQuota(r.Context(), who.key, h.PerMinute, h.Burst)
	switch {
	case err != nil:
		h.fail(w, r, op, err)
		return
	case !ok:
		h.over(w, op, wait.Seconds())
		return
	case bad != nil:
		h.fail(w, r, op, bad)
		return
	}
	ip := ""
	if addr.IsValid() {
		ip = addr.String()
	}
	data, err := op.run(r.Context(), call{caller: who, in: in, ip: ip})
	if err != nil {
		h.fail(w, r, op, err)
		return
	}
	if op.module == moduleSingle {
		h.send(w, http.StatusOK, data)
		return
	}
	h.send(w, http.StatusOK, envelope{StatusCode: http.StatusOK, Message: "Success", Data: data})
}

// The errors of a request that cannot be read.
var errTooLarge = errors.New("ttdk: the body is too large")

func (h *handler) read(w http.ResponseWriter, r *http.Request, op operation) (values, error) {
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, errNotJSON
	}
	parsed, err := readBody(r.Header, body)
	if err != nil {
		return nil, err
	}
	if op.schema == nil {
		return values{}, nil
	}
	return validate(parsed, op.schema)
}

// over answers who has used up the quota, or guesses keys.
func (h *handler) over(w http.ResponseWriter, op operation, seconds float64) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(seconds))))
	if op.module == moduleSingle {
		h.send(w, http.StatusTooManyRequests, coded{Code: code99, Message: "Vuot qua so luong yeu cau cho phep"})
		return
	}
	word := errQuota
	if op.module == modulePayment {
		word = errKeyQuota
	}
	h.send(w, http.StatusTooManyRequests, failure{StatusCode: http.StatusTooManyRequests, Error: word, Message: "The quota of the API key is used up"})
}

// fail answers a call that failed with err.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, op operation, err error) {
	var bad *invalid
	var no *booking.Refusal
	var wrong *itemError
	switch {
	case errors.Is(err, errTooLarge):
		const status = http.StatusRequestEntityTooLarge
		h.send(w, status, failure{StatusCode: status, Error: "Request Entity Too Large", Message: "Payload content length greater than maximum allowed: " + strconv.Itoa(maxBody)})
		return
	case errors.Is(err, errMediaType):
		const status = http.StatusUnsupportedMediaType
		h.send(w, status, failure{StatusCode: status, Error: "Unsupported Media Type", Message: "Unsupported Media Type"})
		return
	case errors.As(err, &bad):
		h.failInvalid(w, op, bad)
		return
	case errors.As(err, &wrong):
		h.failCoded(w, r, op, wrong)
		return
	case errors.As(err, &no):
		h.failWord(w, r, op, refusals[no.Reason], err)
		return
	}
	switch outcomes[payment.CodeOf(err)] {
	case stranger:
		h.failStranger(w, r, op)
	case malformed:
		h.failInvalid(w, op, misread(err))
	case refused, settled:
		h.failWord(w, r, op, refusals[booking.NotPayable], err)
	case unpayable:
		h.failWord(w, r, op, refusals[booking.WrongMethod], err)
	case vanished:
		h.failWord(w, r, op, refusals[booking.NotFound], err)
	default:
		level := slog.LevelError
		if errors.Is(err, context.Canceled) {
			level = slog.LevelInfo // the client has gone; nobody is at fault
		}
		h.Log.Log(r.Context(), level, "request failed", "path", r.URL.Path, "request_id", httpx.RequestIDFrom(r.Context()), "error", err.Error())
		h.failWord(w, r, op, refusal{word: errUnknown, code: code99, batch: errUnknown}, err)
	}
}

// failInvalid answers a body that does not keep to the rules.
func (h *handler) failInvalid(w http.ResponseWriter, op operation, bad *invalid) {
	const status = http.StatusBadRequest
	if op.module == moduleSingle {
		_, field, _ := strings.Cut("."+bad.path, ".")
		if field == "" {
			field = "body"
		}
		h.send(w, codedAnswers[code02].status, coded{Code: code02, Message: codedAnswers[code02].message + field})
		return
	}
	f := failure{StatusCode: status, Error: "Bad Request", Message: bad.message}
	if op.module == modulePayment {
		f.Error = errInvalid // T7
	}
	if bad.member {
		f.Validation = &validation{Source: "payload", Keys: []string{bad.path}}
	}
	h.send(w, status, f)
}

// failStranger answers a bad key, by the module (T3).
func (h *handler) failStranger(w http.ResponseWriter, r *http.Request, op operation) {
	status, f := http.StatusUnauthorized, failure{Error: errUnauthorized, Message: "The API key is missing or not valid"}
	switch {
	case op.module == moduleSingle:
		status = codedAnswers[code01].status
		if !strings.HasSuffix(strings.TrimSuffix(strings.ToLower(r.URL.Path), "/"), pathConfirm) {
			status = http.StatusUnauthorized
		}
		h.send(w, status, coded{Code: code01, Message: codedAnswers[code01].message})
		return
	case h.LegacyAuth:
		status = http.StatusHTTPVersionNotSupported
		f = failure{Error: "Unauthorized", Message: "An internal server unauthorized"}
	case op.module != modulePayment:
		status, f.Error = http.StatusTooManyRequests, errQuota
	}
	f.StatusCode = status
	h.send(w, status, f)
}

// failWord answers a business error: 500, as the original does.
func (h *handler) failWord(w http.ResponseWriter, r *http.Request, op operation, no refusal, err error) {
	if op.module == moduleSingle {
		h.failCoded(w, r, op, &itemError{refusal: no})
		return
	}
	f := failure{StatusCode: http.StatusInternalServerError, Error: no.word, Message: "An internal server error occurred"}
	if op.module == moduleBatch {
		f.Error, f.ErrorCode = no.batch, no.code
	}
	if payment.CodeOf(err) == payment.CodeBusy {
		w.Header().Set("Retry-After", "1")
	}
	h.send(w, f.StatusCode, f)
}

// itemError is why an order could not be confirmed or queried.
type itemError struct {
	refusal
	data any // of module Order Payment Confirm
	what string
}

func (e *itemError) Error() string { return e.batch }

func (h *handler) failCoded(w http.ResponseWriter, r *http.Request, op operation, e *itemError) {
	if op.module == moduleBatch {
		h.failWord(w, r, op, e.refusal, nil)
		return
	}
	a := codedAnswers[e.code]
	h.send(w, a.status, coded{Code: e.code, Message: a.message + e.what, Data: e.data})
}

// safeText is the text of an error that may be shown to the caller.
// members are those whose texts core judges, by the names that it knows them by.
var members = map[string]string{"phone": "phone", "name": "fullnameSchedule", "email": "email", "time": "time", "note": "scheduleNote", "request_id": "requestId"}

// misread tells of a member that core will not take as the validator would.
func misread(err error) *invalid {
	e, ok := errors.AsType[*payment.Error](err)
	if !ok || members[e.Field] == "" {
		return &invalid{message: safeText(err)}
	}
	name := members[e.Field]
	return &invalid{message: within("", name, complaint(name, strings.TrimPrefix(e.Text, e.Field+" "))).text, member: true, path: name}
}

func safeText(err error) string {
	if e, ok := errors.AsType[*payment.Error](err); ok && e.Text != "" {
		return e.Text
	}
	return "The request is not valid"
}

// Headers of every answer, as the framework has them.
var (
	contentJSON = []string{"application/json; charset=utf-8"}
	noCache     = []string{"no-cache"}
)

func (h *handler) send(w http.ResponseWriter, status int, answer any) {
	w.Header()["Content-Type"], w.Header()["Cache-Control"] = contentJSON, noCache
	body, err := httpx.EncodeJSON(answer)
	httpx.SendJSON(w, h.Log, status, body, err)
}
