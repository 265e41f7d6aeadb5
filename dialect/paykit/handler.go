package paykit

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// maxBody bounds a request's body. The largest sensible one has 8 KiB.
const maxBody = 64 << 10

// Failed authentications that one client address may make: a burst, then so
// many a minute.
const (
	failureBurst     = 100
	failurePerMinute = 60
	failureAddresses = 10_000
)

// The four operations (source 1 and 2).
const (
	opCheckout        = "payment-page-checkout"
	opRefund          = "refund"
	opRetrievePayment = "retrieve-payment"
	opRetrieveRefund  = "retrieve-refund"
)

// Config is what the handler is made of.
type Config struct {
	Core           *core.Core
	Clock          clock.Clock
	Log            *slog.Logger
	ErrorStatus    ErrorStatus
	TrustedProxies []netip.Prefix // whose X-Forwarded-For names the client
	Throttle       *auth.Throttle // of failed authentications; nil for one of its own
	Random         io.Reader      // for support codes; nil for crypto/rand
}

type handler struct {
	core     *core.Core
	clock    clock.Clock
	log      *slog.Logger
	statuses ErrorStatus
	proxies  []netip.Prefix
	failures *auth.Throttle
	random   io.Reader
	calls    map[string]call
}

// call is one operation: it reads the body, makes one call to core, and
// returns the answer or why there is none.
type call func(ctx context.Context, who caller, body []byte) (any, error)

// New serves the four operations under /v2/ and /v1/ (P1). It answers every
// path below in the protocol's own form.
func New(c Config) http.Handler {
	h := &handler{
		core: c.Core, clock: c.Clock, log: c.Log, statuses: c.ErrorStatus,
		proxies: c.TrustedProxies, failures: c.Throttle, random: c.Random,
	}
	if h.failures == nil {
		h.failures = auth.NewThrottle(c.Clock, failurePerMinute, failureBurst, failureAddresses)
	}
	if h.random == nil {
		h.random = rand.Reader
	}
	h.calls = map[string]call{
		opCheckout:        h.checkout,
		opRefund:          h.refund,
		opRetrievePayment: h.retrievePayment,
		opRetrieveRefund:  h.retrieveRefund,
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := operation(r.URL.Path)
	run, known := h.calls[op]
	if !known {
		httpx.NoteRoute(r.Context(), "paykit: unknown path")
		h.reject(w, http.StatusNotFound, "There is no such operation.")
		return
	}
	httpx.NoteRoute(r.Context(), "paykit: "+op)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.reject(w, http.StatusMethodNotAllowed, "The operation takes only POST.")
		return
	}
	defer h.recovered(w, r, op)
	h.answer(w, r, op, run)
}

// recovered answers a panic, unless it means to break the connection.
func (h *handler) recovered(w http.ResponseWriter, r *http.Request, op string) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause)
	default:
		h.log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		h.fail(w, r, op, payment.Fail(payment.CodeInternal, "panic"))
	}
}

// operation is what comes after /v2/ or /v1/, "" for any other path.
func operation(path string) string {
	op, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		op, ok = strings.CutPrefix(path, "/v1/")
	}
	if !ok {
		return ""
	}
	return op
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, op string, run call) {
	from := auth.AddrKey(httpx.ClientAddr(r, h.proxies))
	if ok, wait := h.failures.Check(from); !ok {
		httpx.Note(r.Context(), "client", from)
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		h.reject(w, h.statuses.of(causeRequestRejected, http.StatusTooManyRequests), "Too many requests with credentials that are not valid. Try again later.")
		return
	}
	who, err := h.authenticate(r)
	if err != nil {
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			h.failures.Fail(from)
			httpx.Note(r.Context(), "client", from)
		}
		h.fail(w, r, op, err)
		return
	}
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		h.reject(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", maxBody))
		return
	case err != nil:
		h.fail(w, r, op, badBody("the body did not arrive whole."))
		return
	}
	answer, err := run(r.Context(), who, body)
	if err != nil {
		h.fail(w, r, op, err)
		return
	}
	h.send(w, http.StatusOK, answer)
}

func (h *handler) checkout(ctx context.Context, who caller, body []byte) (any, error) {
	req, err := decodeCheckout(body, who.isPlatform())
	if err != nil {
		return nil, err
	}
	if who.isPlatform() {
		f, err := h.core.Profile(ctx, who.platform.ID, Name)
		if err != nil {
			return nil, err
		}
		req.successURL, req.cancelURL = f.SuccessURL, f.CancelURL
	}
	p, err := h.core.Open(ctx, core.Opening{
		Merchant: who.merchant, Platform: who.platform, Dialect: Name, Reference: req.id,
		Amount: req.amount, Methods: req.methods, Description: req.description, Language: req.language,
		DueAt: req.dueAt, SuccessURL: req.successURL, CancelURL: req.cancelURL, NotifyURL: req.ipnURL,
	})
	if err != nil {
		return nil, err
	}
	httpx.Note(ctx, "payment_id", p.ID)
	return checkoutResponse{
		envelope: h.success(), CheckoutURL: h.core.PageURL(who.mid, p),
		Payment: paymentOf(p), BankTransfer: h.bankTransfer(p),
	}, nil
}

func (h *handler) retrievePayment(ctx context.Context, who caller, body []byte) (any, error) {
	id, err := decodeRetrievePayment(body)
	if err != nil {
		return nil, err
	}
	p, err := h.core.Find(ctx, who.merchant.ID, Name, id)
	if err != nil {
		return nil, err
	}
	httpx.Note(ctx, "payment_id", p.ID)
	refunds, err := h.core.Refunds(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	answer := retrievePaymentResponse{
		envelope: h.success(), Payment: paymentOf(p), Refunds: []refundObject{}, BankTransfer: h.bankTransfer(p),
	}
	for _, r := range refunds {
		answer.Refunds = append(answer.Refunds, refundOf(p, r))
	}
	return answer, nil
}

func (h *handler) refund(ctx context.Context, who caller, body []byte) (any, error) {
	req, err := decodeRefund(body)
	if err != nil {
		return nil, err
	}
	p, r, err := h.core.Refund(ctx, core.Refunding{
		Merchant: who.merchant, Platform: who.platform, Dialect: Name,
		Payment: req.paymentID, Reference: req.refundID, Amount: req.amount,
	})
	if err != nil {
		return nil, err
	}
	httpx.Note(ctx, "payment_id", p.ID)
	o := refundOutcomes[r.State]
	answer := refundResponse{envelope: h.success(), Payment: paymentOf(p), Refund: refundOf(p, r)}
	answer.Result, answer.GatewayCode = o.answer, o.gatewayCode
	if r.State == payment.RefundDenied && r.Failure != "" {
		answer.GatewayCode = cmp.Or(refusalOf(opRefund, r.Failure).gatewayCode, o.gatewayCode)
	}
	return answer, nil
}

func (h *handler) retrieveRefund(ctx context.Context, who caller, body []byte) (any, error) {
	req, err := decodeRetrieveRefund(body)
	if err != nil {
		return nil, err
	}
	p, err := h.core.Find(ctx, who.merchant.ID, Name, req.paymentID)
	if err != nil {
		return nil, err
	}
	httpx.Note(ctx, "payment_id", p.ID)
	r, err := h.core.FindRefund(ctx, p.ID, req.refundID)
	if err != nil {
		return nil, err
	}
	return refundResponse{envelope: h.success(), Payment: paymentOf(p), Refund: refundOf(p, r)}, nil
}

// bankTransfer goes with a payment by bank transfer: the code for what is
// still due, or, once nothing is, the code as it was offered (P20).
func (h *handler) bankTransfer(p payment.Payment) *bankTransferObject {
	if methodOf(p) != methodBankTransfer {
		return nil
	}
	o := &bankTransferObject{VietQRData: core.VietQR(p), Status: accountInactive}
	if o.VietQRData == "" {
		o.VietQRData = core.OfferedVietQR(p)
	}
	if !p.State.Closed() && h.clock.Now().Before(p.DueAt) {
		o.Status = accountActive
	}
	return o
}

func (h *handler) now() datetime { return datetime(h.clock.Now()) }

func (h *handler) success() envelope {
	return envelope{ResponseAt: h.now(), Result: resultSuccess, GatewayCode: codeApproved}
}

// fail answers a call of op that failed with err.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, op string, err error) {
	answer := envelope{ResponseAt: h.now(), Result: resultError}
	var invalid fieldErrors
	if errors.As(err, &invalid) {
		answer.Error = &errorObject{Cause: causeInvalidRequest, Field: invalid}
		h.send(w, h.statuses.of(causeInvalidRequest, causeStatus[causeInvalidRequest]), answer)
		return
	}
	refused := refusalOf(op, payment.CodeOf(err))
	if refused.gatewayCode != "" {
		answer.Result, answer.GatewayCode = resultFailure, refused.gatewayCode
		h.send(w, http.StatusOK, answer)
		return
	}
	answer.Error = &errorObject{Cause: refused.cause}
	switch refused.cause {
	case causeInvalidRequest:
		answer.Error.Field = fieldOf(op, err)
	case causeRequestRejected:
		answer.Error.Explanation = safeText(err)
	case causeServerBusy:
		w.Header().Set("Retry-After", "1")
		answer.Error.Explanation = "The server is busy. Nothing was done; try again."
	default:
		answer.Error.SupportCode = h.supportCode()
		level := slog.LevelError
		if errors.Is(err, context.Canceled) {
			level = slog.LevelInfo // the client has gone; nobody is at fault
		}
		h.log.Log(r.Context(), level, "request failed", "operation", op,
			"support_code", answer.Error.SupportCode, "request_id", httpx.RequestIDFrom(r.Context()), "error", err.Error())
	}
	h.send(w, h.statuses.of(refused.cause, causeStatus[refused.cause]), answer)
}

// safeText is the text of an error that may be shown to the caller.
func safeText(err error) string {
	if e, ok := errors.AsType[*payment.Error](err); ok && e.Text != "" {
		return e.Text
	}
	return "The request was rejected."
}

// supportCode is 128 random bits, by which an operator finds the log line.
func (h *handler) supportCode() string {
	b := make([]byte, 16)
	if _, err := io.ReadFull(h.random, b); err != nil {
		// It names a log line and protects nothing, so the time will do.
		return fmt.Sprintf("%032x", h.clock.Now().UnixMicro())
	}
	return hex.EncodeToString(b)
}

// reject answers what is no call of an operation, or comes too often.
func (h *handler) reject(w http.ResponseWriter, status int, why string) {
	h.send(w, status, envelope{
		ResponseAt: h.now(), Result: resultError,
		Error: &errorObject{Cause: causeRequestRejected, Explanation: why},
	})
}

func (h *handler) send(w http.ResponseWriter, status int, answer any) {
	body, err := encode(answer)
	httpx.SendJSON(w, h.log, status, body, err)
}
