package pos

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// Prefix is where the handler has to be mounted.
const Prefix = "/pos/v1/"

const (
	maxBody  = 16 << 10 // bytes of a request
	maxDepth = 8

	// MaxWait is the longest that a device may wait for a sale in one request.
	MaxWait = 25 * time.Second

	listed = 50 // sales that a list shows at most

	// Wrong keys that one address may send: a burst, then so many a minute.
	wrongPerMinute, wrongAtOnce, wrongAddresses = 30, 20, 10_000
)

// Config is what the handler is made of.
type Config struct {
	Core           *core.Core
	Clock          clock.Clock
	Log            *slog.Logger
	TrustedProxies []netip.Prefix // whose X-Forwarded-For names the device
}

type handler struct {
	Config
	wrong *auth.Throttle
	mux   *http.ServeMux
}

// New serves the API below Prefix.
func New(c Config) http.Handler {
	h := &handler{Config: c, wrong: auth.NewThrottle(c.Clock, wrongPerMinute, wrongAtOnce, wrongAddresses), mux: http.NewServeMux()}
	h.route("terminal", methods{"GET": h.terminal})
	h.route("sales/next", methods{"POST": h.next})
	h.route("sales", methods{"GET": h.sales})
	h.route("sales/{sale_id}", methods{"GET": h.sale})
	h.route("sales/{sale_id}/report", methods{"POST": h.report})
	h.route("sales/{sale_id}/void", methods{"POST": h.void})
	h.route("batches/{number}/settle", methods{"POST": h.settle})
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpx.NoteRoute(r.Context(), "pos: unknown path")
		h.refuse(w, r, payment.Fail(payment.CodeNotFound, "there is nothing at this path"))
	})
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// call is one operation of an authenticated device. A nil answer is 204.
type call func(w http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error)

type methods map[string]call

func (h *handler) route(path string, m methods) {
	h.mux.HandleFunc(Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		httpx.NoteRoute(r.Context(), "pos: "+path)
		run, ok := m[r.Method]
		if !ok {
			var allowed []string
			for name := range m {
				allowed = append(allowed, name)
			}
			slices.Sort(allowed)
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			h.send(w, http.StatusMethodNotAllowed, errorBody{errorText{"method_not_allowed", "this path takes " + strings.Join(allowed, " and ")}, nil})
			return
		}
		h.answer(w, r, run)
	})
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, run call) {
	from := auth.AddrKey(httpx.ClientAddr(r, h.TrustedProxies))
	if ok, wait := h.wrong.Check(from); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		h.send(w, http.StatusTooManyRequests, errorBody{errorText{"too_many_requests", "too many wrong keys; try again later"}, nil})
		return
	}
	t, err := h.Core.AuthenticateTerminal(r.Context(), httpx.Bearer(r))
	if err != nil {
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			h.wrong.Fail(from)
			httpx.Note(r.Context(), "client", from)
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		h.refuse(w, r, err)
		return
	}
	body, err := run(w, r, t)
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case body == nil:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	default:
		h.send(w, http.StatusOK, body)
	}
}

func (h *handler) terminal(_ http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	m, err := h.Core.Merchant(r.Context(), t.MerchantID)
	if err != nil {
		return nil, err
	}
	b, err := h.Core.OpenBatch(r.Context(), t)
	if err != nil {
		return nil, err
	}
	methods := make([]string, len(t.Methods))
	for i, m := range t.Methods {
		methods[i] = string(m)
	}
	return terminalView{
		TerminalID: t.PublicID, Name: t.Name, Merchant: m.Name, State: string(t.State), Methods: methods,
		Limits: limits{t.MaxAmount, t.DailyLimit, t.MonthlyLimit, t.BatchLimit}, Batch: batchOf(b),
	}, nil
}

// next waits for a sale as long as the device wants to, and hands it out.
func (h *handler) next(w http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	in, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	wait, err := in.number("wait_seconds", int(MaxWait/time.Second))
	if err != nil {
		return nil, err
	}
	if wait == 0 {
		sold, ok, err := h.Core.NextSale(r.Context(), t.ID)
		return handedOut(sold, ok, err)
	}
	// A server without such limits, as in tests, has none to lift.
	if err := httpx.LongLived(w); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(wait)*time.Second)
	defer cancel()
	go func() {
		select {
		case <-httpx.Draining(r.Context()):
			cancel()
		case <-ctx.Done():
		}
	}()
	sold, ok, err := h.Core.AwaitSale(ctx, t.ID)
	return handedOut(sold, ok, err)
}

func handedOut(sold payment.Sold, ok bool, err error) (any, error) {
	if err != nil || !ok {
		return nil, err
	}
	return saleOf(sold), nil
}

func (h *handler) sales(_ http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	sold, err := h.Core.TerminalSales(r.Context(), t.ID, "", listed)
	list := salesView{Sales: []saleView{}}
	for _, s := range sold {
		list.Sales = append(list.Sales, saleOf(s))
	}
	return list, err
}

// of finds the sale of a path, which has to be the device's.
func (h *handler) of(r *http.Request, t payment.Terminal) (payment.Sold, error) {
	none := payment.Fail(payment.CodePaymentNotFound, "the terminal has no such sale")
	paymentID, err := id.Parse(r.PathValue("sale_id"))
	if err != nil {
		return payment.Sold{}, none
	}
	sold, err := h.Core.Sale(r.Context(), paymentID)
	if payment.CodeOf(err) == payment.CodePaymentNotFound || err == nil && sold.Sale.TerminalID != t.ID {
		return payment.Sold{}, none
	}
	httpx.Note(r.Context(), "payment_id", paymentID)
	return sold, err
}

func (h *handler) sale(_ http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	sold, err := h.of(r, t)
	return saleOf(sold), err
}

func (h *handler) report(w http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	known, err := h.of(r, t)
	if err != nil {
		return nil, err
	}
	in, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	report := core.SaleReport{TerminalID: t.ID, PaymentID: known.Payment.ID}
	var outcome, reason, scheme string
	for _, field := range []struct {
		name string
		to   *string
	}{
		{"outcome", &outcome}, {"reason", &reason}, {"reference", &report.Reference}, {"approval_code", &report.Approval},
		{"scheme", &scheme}, {"card_last4", &report.Card},
	} {
		if *field.to, err = in.text(field.name); err != nil {
			return nil, err
		}
	}
	if report.OccurredAt, err = in.moment("at"); err != nil {
		return nil, err
	}
	report.Outcome, report.Reason, report.Scheme = core.SaleOutcome(outcome), payment.Decline(reason), payment.Scheme(scheme)
	sold, err := h.Core.ReportSale(r.Context(), report)
	if err != nil {
		return nil, err
	}
	if report.Outcome == core.SaleApproved && (sold.Payment.State != payment.Approved && sold.Payment.State != payment.Voided || sold.Sale.Reference != report.Reference) {
		return nil, notTaken{saleOf(sold)}
	}
	return saleOf(sold), nil
}

// notTaken is the answer to an approval that settled nothing: it came after the
// sale had ended, or is a second one. It is recorded for a person all the same.
type notTaken struct{ sale saleView }

func (notTaken) Error() string {
	return "the sale had ended or was paid already; the approval is recorded, reverse it at your host"
}

func (h *handler) void(w http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	known, err := h.of(r, t)
	if err != nil {
		return nil, err
	}
	in, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	reason, err := in.text("reason")
	if err != nil {
		return nil, err
	}
	sold, err := h.Core.Void(r.Context(), known.Payment.ID, core.ActorTerminal, reason)
	return saleOf(sold), err
}

func (h *handler) settle(_ http.ResponseWriter, r *http.Request, t payment.Terminal) (any, error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil || number < 1 {
		return nil, payment.Fail(payment.CodeNotFound, "a batch has a number from 1 on")
	}
	b, err := h.Core.SettleBatch(r.Context(), t.ID, number)
	return batchOf(b), err
}

// statuses has a row for the codes that core answers a device with; all others
// are faults of ours.
var statuses = map[payment.Code]int{
	payment.CodeUnauthorized:     http.StatusUnauthorized,
	payment.CodeNotFound:         http.StatusNotFound,
	payment.CodePaymentNotFound:  http.StatusNotFound,
	payment.CodeInvalidState:     http.StatusConflict,
	payment.CodeTerminalUnusable: http.StatusConflict,
	payment.CodeInvalidAmount:    http.StatusConflict,
	payment.CodeInvalidRequest:   http.StatusUnprocessableEntity,
	payment.CodeConflict:         http.StatusServiceUnavailable,
	payment.CodeBusy:             http.StatusServiceUnavailable,
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var untaken notTaken
	if errors.As(err, &untaken) {
		h.send(w, http.StatusConflict, errorBody{errorText{"not_taken", untaken.Error()}, &untaken.sale})
		return
	}
	var form badRequest
	if errors.As(err, &form) {
		h.send(w, form.status, errorBody{errorText{string(payment.CodeInvalidRequest), form.why}, nil})
		return
	}
	code := payment.CodeOf(err)
	status, known := statuses[code]
	if !known {
		h.Log.ErrorContext(r.Context(), "pos: request failed", "request_id", httpx.RequestIDFrom(r.Context()), "error", err.Error())
		h.send(w, http.StatusInternalServerError, errorBody{errorText{string(payment.CodeInternal), "the gateway failed"}, nil})
		return
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	text := string(code)
	if e, ok := errors.AsType[*payment.Error](err); ok && e.Text != "" {
		text = e.Text
	}
	h.send(w, status, errorBody{errorText{string(code), text}, nil})
}

func (h *handler) send(w http.ResponseWriter, status int, answer any) {
	body, err := httpx.EncodeJSON(answer)
	httpx.SendJSON(w, h.Log, status, body, err)
}

type errorBody struct {
	Error errorText `json:"error"`
	Sale  *saleView `json:"sale,omitempty"` // for not_taken
}

type errorText struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type terminalView struct {
	TerminalID string    `json:"terminal_id"`
	Name       string    `json:"name"`
	Merchant   string    `json:"merchant"`
	State      string    `json:"state"`
	Methods    []string  `json:"methods"`
	Limits     limits    `json:"limits"` // đồng; 0 is none
	Batch      batchView `json:"batch"`  // the open one
}

type limits struct {
	Sale  money.VND `json:"sale"`
	Day   money.VND `json:"day"`
	Month money.VND `json:"month"`
	Batch money.VND `json:"batch"`
}

type batchView struct {
	Number    int64     `json:"number"`
	Sales     int64     `json:"sales"`
	Amount    money.VND `json:"amount"`
	SettledAt *stamp    `json:"settled_at"` // null while it is open
}

func batchOf(b payment.Batch) batchView {
	return batchView{Number: b.Number, Sales: b.Sales, Amount: b.Amount, SettledAt: stampOf(b.SettledAt)}
}

type salesView struct {
	Sales []saleView `json:"sales"`
}

type saleView struct {
	SaleID    string    `json:"sale_id"`
	Reference string    `json:"reference"` // the merchant's
	Info      string    `json:"order_info"`
	Amount    money.VND `json:"amount"`
	Currency  string    `json:"currency"`
	Method    string    `json:"method"` // card_present or bank_transfer
	State     string    `json:"state"`
	Batch     int64     `json:"batch"` // 0 for none
	Approval  string    `json:"approval_code"`
	Device    string    `json:"device_reference"`
	Scheme    string    `json:"scheme"`
	CardLast4 string    `json:"card_last4"`
	Reason    string    `json:"reason"` // of a decline
	CreatedAt *stamp    `json:"created_at"`
	ExpiresAt *stamp    `json:"expires_at"`
	PaidAt    *stamp    `json:"paid_at"`
	SettledAt *stamp    `json:"settled_at"`
}

func saleOf(s payment.Sold) saleView {
	return saleView{
		SaleID: s.Payment.ID, Reference: s.Payment.Reference, Info: s.Payment.Description, Amount: s.Payment.Amount, Currency: "VND",
		Method: string(s.Sale.Method), State: string(s.Payment.State), Batch: s.Sale.Batch, Approval: s.Sale.Approval, Device: s.Sale.Reference,
		Scheme: string(s.Sale.Scheme), CardLast4: s.Sale.Card, Reason: string(s.Sale.Reason),
		CreatedAt: stampOf(s.Payment.CreatedAt), ExpiresAt: stampOf(s.Payment.DueAt), PaidAt: stampOf(s.Payment.CompletedAt),
		SettledAt: stampOf(s.Sale.Settled(s.Payment)),
	}
}

// stamp is a time as RFC 3339 in UTC with milliseconds.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

func stampOf(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}
