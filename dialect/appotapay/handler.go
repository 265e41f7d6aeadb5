package appotapay

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

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// Prefix is where the handler has to be mounted.
const Prefix = "/api/v2/partner/"

// The paths below Prefix (source 1 and 2).
const (
	pathCreate = "orders/payment/create"
	pathList   = "orders/transactions"
	pathDetail = "orders/transaction/" // and the partner's reference
)

// maxBody bounds a request's body. The largest sensible one has 1 KiB.
const maxBody = 64 << 10

// Failed authentications that one client address may make: a burst, then so
// many a minute.
const (
	failureBurst     = 100
	failurePerMinute = 60
	failureAddresses = 10_000
)

// Config is what the handler is made of.
type Config struct {
	Core           *core.Core
	Clock          clock.Clock
	Log            *slog.Logger
	TrustedProxies []netip.Prefix // whose X-Forwarded-For names the client
	Throttle       *auth.Throttle // of failed authentications; nil for one of its own
}

type handler struct {
	core     *core.Core
	clock    clock.Clock
	log      *slog.Logger
	proxies  []netip.Prefix
	failures *auth.Throttle
}

// New serves create, detail and list below Prefix, and answers every other path
// there in the protocol's own form.
func New(c Config) http.Handler {
	h := &handler{core: c.Core, clock: c.Clock, log: c.Log, proxies: c.TrustedProxies, failures: c.Throttle}
	if h.failures == nil {
		h.failures = auth.NewThrottle(c.Clock, failurePerMinute, failureBurst, failureAddresses)
	}
	return h
}

// call is one operation: it makes one call to core, and returns the answer or
// why there is none.
type call func(w http.ResponseWriter, r *http.Request, who caller) (any, error)

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.recovered(w, r)
	run, name, method := h.operation(r)
	httpx.NoteRoute(r.Context(), "appotapay: "+name)
	switch {
	case run == nil:
		h.explain(w, r, http.StatusNotFound, invalid{codeUnknown, message{"không có API nào ở đường dẫn này", "there is no operation at this path"}})
	case r.Method != method:
		w.Header().Set("Allow", method)
		h.explain(w, r, http.StatusMethodNotAllowed, invalid{codeUnknown, message{"API này chỉ nhận " + method, "the operation takes only " + method}})
	default:
		h.answer(w, r, run)
	}
}

// operation finds what a path stands for; nil for nothing.
func (h *handler) operation(r *http.Request) (run call, name, method string) {
	path, below := strings.CutPrefix(r.URL.EscapedPath(), Prefix)
	reference, detail := strings.CutPrefix(path, pathDetail)
	switch {
	case !below:
	case path == pathCreate:
		return h.create, "create", http.MethodPost
	case path == pathList:
		return h.list, "list", http.MethodGet
	case detail && reference != "" && !strings.Contains(reference, "/"):
		return h.detail, "detail", http.MethodGet
	}
	return nil, "unknown path", ""
}

// recovered answers a panic, unless it means to break the connection.
func (h *handler) recovered(w http.ResponseWriter, r *http.Request) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause)
	default:
		h.log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		h.refuse(w, r, http.StatusInternalServerError, codeInternal)
	}
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, run call) {
	from := auth.AddrKey(httpx.ClientAddr(r, h.proxies))
	if ok, wait := h.failures.Check(from); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		h.refuse(w, r, http.StatusTooManyRequests, codeBusy)
		return
	}
	who, err := h.authenticate(r.Context(), r)
	if err != nil {
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			h.failures.Fail(from)
			httpx.Note(r.Context(), "client", from)
		}
		h.fail(w, r, err)
		return
	}
	body, err := run(w, r, who)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.send(w, http.StatusOK, body)
}

func (h *handler) create(w http.ResponseWriter, r *http.Request, who caller) (any, error) {
	ctx := r.Context()
	requestID := single(r, headerRequestID)
	if !uuid4(requestID) {
		return nil, bad(headerRequestID, "phải là UUIDv4", "has to be a UUIDv4")
	}
	httpx.Note(ctx, "partner_request_id", requestID)
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		return nil, err
	case err != nil:
		return nil, bad("body", "không đến đủ", "did not arrive whole")
	}
	if !bodySigned(who.secret, single(r, headerSignature), body) {
		return nil, errSignature
	}
	req, err := decodeCreate(body)
	if err != nil {
		return nil, err
	}
	sold, err := h.core.OpenSale(ctx, core.Selling{
		Opening: core.Opening{
			Merchant: who.merchant, Dialect: Name, Reference: req.reference, Amount: req.amount,
			Methods: []payment.Method{req.method}, Description: req.orderInfo, Language: language(r),
		},
		Terminal: req.terminal, Phone: req.phone,
	})
	if err != nil {
		return nil, err
	}
	httpx.Note(ctx, "payment_id", sold.Payment.ID)
	answer := createResponse{Transaction: transactionOf(sold, language(r))}
	if req.method == payment.BankTransfer {
		qr, err := qrText(sold.Payment, who.merchant.Name, sold.Terminal)
		if err != nil {
			return nil, err
		}
		answer.PaymentInfo = &paymentInfo{QRContent: qr, QRType: qrType}
	}
	return answer, nil
}

func (h *handler) detail(_ http.ResponseWriter, r *http.Request, who caller) (any, error) {
	reference := strings.TrimPrefix(r.URL.EscapedPath(), Prefix+pathDetail)
	if !referenceForm.MatchString(reference) {
		return nil, payment.Fail(payment.CodePaymentNotFound, "")
	}
	sold, err := h.core.FindSale(r.Context(), who.merchant.ID, Name, reference)
	if err != nil {
		return nil, err
	}
	httpx.Note(r.Context(), "payment_id", sold.Payment.ID)
	return detailOf(sold, language(r)), nil
}

func (h *handler) list(_ http.ResponseWriter, r *http.Request, who caller) (any, error) {
	req, err := decodeList(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	sold, rows, err := h.core.Sales(r.Context(), core.SaleSearch{
		MerchantID: who.merchant.ID, Dialect: Name, Method: req.method, Page: req.page - 1, Limit: req.limit,
	})
	if err != nil {
		return nil, err
	}
	limit := int64(req.limit)
	answer := listResponse{
		Transactions: []detail{},
		Pagination:   pagination{Limit: req.limit, Page: req.page, Total: (rows + limit - 1) / limit, TotalItems: rows},
	}
	for _, s := range sold {
		d := detailOf(s, language(r))
		d.PartnerRefID = s.Payment.Reference
		answer.Transactions = append(answer.Transactions, d)
	}
	return answer, nil
}

// language is the one of error_message (A8).
func language(r *http.Request) string {
	if strings.EqualFold(single(r, headerLang), english) {
		return english
	}
	return vietnamese
}

var errSignature = errors.New("appotapay: the signature is wrong")

// fail answers a call that failed with err.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var form invalid
	switch {
	case errors.As(err, &form):
		h.explain(w, r, http.StatusBadRequest, form)
		return
	case errors.Is(err, errSignature):
		h.refuse(w, r, http.StatusBadRequest, codeSignature)
		return
	case errors.Is(err, httpx.ErrTooLarge):
		most := strconv.Itoa(maxBody)
		h.explain(w, r, http.StatusRequestEntityTooLarge, invalid{codeInvalid, message{"body lớn hơn " + most + " byte", "the body is larger than " + most + " bytes"}})
		return
	}
	refused := refusalOf(payment.CodeOf(err))
	switch refused.status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusInternalServerError:
		level := slog.LevelError
		if errors.Is(err, context.Canceled) {
			level = slog.LevelInfo // the client has gone; nobody is at fault
		}
		h.log.Log(r.Context(), level, "request failed", "request_id", httpx.RequestIDFrom(r.Context()), "error", err.Error())
	}
	h.refuse(w, r, refused.status, refused.code)
}

// explain refuses with a code, and says what is wrong.
func (h *handler) explain(w http.ResponseWriter, r *http.Request, status int, why invalid) {
	h.send(w, status, errorBody{why.code, why.text(language(r))})
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	h.send(w, status, errorBody{code, messages[code].in(language(r))})
}

func (h *handler) send(w http.ResponseWriter, status int, answer any) {
	body, err := httpx.EncodeJSON(answer)
	httpx.SendJSON(w, h.log, status, body, err)
}
