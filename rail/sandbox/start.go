package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/web"
)

const (
	defaultAmount = money.VND(50_000) // of a demo payment
	overBy        = money.VND(10_000) // what "pay over" pays too much
	demoSpan      = 31 * time.Minute  // more than a payment's default time
	maxForm       = 4 << 10           // bytes
)

// How a demo payment can be paid.
const (
	payExact = "exact" // all that is due
	payShort = "short" // half of it
	payOver  = "over"  // more than that
	payAgain = "again" // the whole amount, though it is paid
	payLate  = "late"  // the whole amount, though the offer has ended
)

// start answers GET /: the page for whoever has just started `thungan dev`.
func (h *Handler) start(w http.ResponseWriter, r *http.Request) {
	h.page(w, r, http.StatusOK, web.Language(r, ""), r.URL.Query().Get("payment"), "", "")
}

// page shows the start page with what the visitor has typed, "" for nothing,
// and what is wrong with it.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, status int, lang, paymentID, amount, problem string) {
	q := r.URL.Query()
	v, err := h.startView(r.Context(), lang, paymentID, again(lang, paymentID, q.Get("turn")), q.Get("hold") == "1")
	if err == nil {
		v.Amount, v.Problem = amount, problem
		if amount == "" {
			v.Amount = grouped(lang, defaultAmount)
		}
		err = h.set.Page(w, status, lang, "start", v)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// live answers GET /sandbox/demo/live: the part of the page that changes.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	lang := web.Language(r, "")
	v, err := h.liveView(r.Context(), lang, r.URL.Query().Get("payment"))
	var part []byte
	if err == nil {
		part, err = h.set.Fragment(lang, "live", v)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.set.Protect(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(part) // an error is the reader's connection
}

// here is the address of the page for a payment, "" for none.
func here(lang, paymentID, fragment string) string {
	q := url.Values{"lang": {lang}}
	if paymentID != "" {
		q.Set("payment", paymentID)
	}
	return "/?" + q.Encode() + fragment
}

// again is where a page that loads itself again goes. The address changes with
// each turn: browsers that are sent to a fragment of the address they are at
// only scroll there.
func again(lang, paymentID, turn string) string {
	next := "1"
	if turn == next {
		next = "2"
	}
	return here(lang, paymentID, "") + "&turn=" + next + "#step-4"
}

// readForm reads a form; it answers itself when that fails.
func (h *Handler) readForm(w http.ResponseWriter, r *http.Request) (lang, paymentID string, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "the form cannot be read"})
		return "", "", false
	}
	lang = r.PostForm.Get("lang")
	if lang != web.English {
		lang = web.Vietnamese
	}
	return lang, r.PostForm.Get("payment"), true
}

// demoCreate opens a demo payment as the demo shop's server would: by the real
// API.
func (h *Handler) demoCreate(w http.ResponseWriter, r *http.Request) {
	lang, _, ok := h.readForm(w, r)
	if !ok {
		return
	}
	typed := strings.TrimSpace(r.PostForm.Get("amount"))
	// People write 50.000 or 50,000 and mean fifty thousand: the đồng has no
	// fraction.
	amount, message := checkAmount(strings.NewReplacer(".", "", ",", "", " ", "", "\u00a0", "").Replace(typed))
	if message != "" {
		h.page(w, r, http.StatusBadRequest, lang, "", strings.ToValidUTF8(typed, "\ufffd"), web.Text(lang, "sandbox.create.amount.bad"))
		return
	}
	ctx, cancel := detached()
	defer cancel()
	id, err := h.create(ctx, lang, amount, r.PostForm.Get("method"))
	var refused *failure
	switch {
	case errors.As(err, &refused):
		h.page(w, r, http.StatusBadGateway, lang, "", typed, web.Text(lang, "sandbox.create.refused", refused.message))
	case err != nil:
		h.fail(w, r, err)
	default:
		h.seeOther(w, r, here(lang, id, "#step-2"))
	}
}

func (h *Handler) seeOther(w http.ResponseWriter, r *http.Request, address string) {
	h.set.Protect(w.Header())
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// create calls payment-page-checkout and returns our id of the payment. A
// *failure has the gateway's answer.
func (h *Handler) create(ctx context.Context, lang string, amount money.VND, by string) (string, error) {
	digits, err := h.random(4)
	if err != nil {
		return "", err
	}
	reference := "DEMO-" + h.Clock.Now().In(clock.Vietnam).Format("060102-150405") + "-" + digits
	p := h.Info.Paykit
	body, err := checkoutBody(h.Info.BaseURL, reference, amount, lang, by)
	if err != nil {
		return "", err
	}
	got, err := call(ctx, h.Gateway, p.BaseURL+"/payment-page-checkout", h.keysOf(p.MID), body)
	if err != nil {
		return "", err
	}
	var says struct {
		Result string `json:"result"`
	}
	if json.Unmarshal(got.Body, &says) != nil || says.Result != "SUCCESS" {
		return "", &failure{status: http.StatusBadGateway, code: payment.CodeInvalidRequest, message: string(got.JSON())}
	}
	opened, err := h.Core.Find(ctx, p.MerchantID, paykit, reference)
	return opened.ID, err
}

// checkout is the body of payment-page-checkout, as much of it as a shop needs.
type checkout struct {
	Method  string   `json:"payment_method,omitempty"`
	Methods []string `json:"available_payment_methods,omitempty"`
	Payment struct {
		ID          string `json:"id"`
		Amount      string `json:"amount"`
		Currency    string `json:"currency"`
		Description string `json:"description"`
		SuccessURL  string `json:"success_url"`
		CancelURL   string `json:"cancel_url"`
		IPNURL      string `json:"ipn_url"`
		Language    string `json:"display_language"`
	} `json:"payment"`
}

// What a demo payment can be asked to be paid by, beside a bank transfer.
const (
	byCard = "card"
	byAny  = "any"
)

// checkoutBody is a request of the demo shop's server. The IPN address is one
// of ours, so that the page can show what arrives there.
func checkoutBody(base, reference string, amount money.VND, lang, by string) ([]byte, error) {
	c := checkout{Method: "BANK_TRANSFER"}
	switch by {
	case byCard:
		c = checkout{Methods: []string{"DOMESTIC_CARD", "INTERNATIONAL_CARD"}}
	case byAny:
		c = checkout{Methods: []string{"BANK_TRANSFER", "DOMESTIC_CARD", "INTERNATIONAL_CARD"}}
	}
	p := &c.Payment
	p.ID, p.Amount, p.Currency, p.Description, p.Language = reference, amount.String(), "VND", "Trà sữa trân châu", lang
	p.SuccessURL, p.CancelURL, p.IPNURL = base+returnPath, base+returnPath, base+inboxPath+inboxMerchant
	return json.Marshal(c)
}

// grouped writes an amount as readers of the language type it: 50.000.
func grouped(lang string, v money.VND) string {
	return strings.TrimSuffix(web.Dong(lang, v), "\u00a0₫")
}

// demoPay pays a payment in one of the ways, by its QR code.
func (h *Handler) demoPay(w http.ResponseWriter, r *http.Request) {
	lang, id, ok := h.readForm(w, r)
	if !ok {
		return
	}
	ctx, cancel := detached()
	defer cancel()
	p, err := h.Core.Payment(ctx, id)
	if payment.CodeOf(err) == payment.CodePaymentNotFound {
		h.page(w, r, http.StatusNotFound, lang, "", "", web.Text(lang, "sandbox.pay.gone"))
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	how := r.PostForm.Get("how")
	for _, way := range ways(p) {
		if way.How == how {
			h.scanned(ctx, w, r, lang, p, way)
			return
		}
	}
	// The payment has changed since the form was shown: the page shows how.
	h.seeOther(w, r, here(lang, p.ID, "#step-3"))
}

// scanned transfers what a way says to where the payment's QR code says.
func (h *Handler) scanned(ctx context.Context, w http.ResponseWriter, r *http.Request, lang string, p payment.Payment, way way) {
	code, _, err := vietqr.DecodeVerified(core.OfferedVietQR(p))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	m, err := h.transfer(ctx, transfer{BIN: code.BIN, Account: code.Account, Memo: code.Memo, Amount: way.Amount, At: h.Clock.Now()})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if last := m.Deliveries[len(m.Deliveries)-1]; last.Status/100 != 2 {
		h.page(w, r, http.StatusBadGateway, lang, p.ID, "", web.Text(lang, "sandbox.pay.refused", string(last.Body)))
		return
	}
	h.seeOther(w, r, here(lang, p.ID, "#step-4"))
}

// way is a way to pay a payment as it is now.
type way struct {
	How    string
	Amount money.VND
}

func ways(p payment.Payment) []way {
	switch {
	case p.Transfer.AccountID == "":
		return nil
	case p.State == payment.Approved || p.State == payment.Voided:
		return []way{{payAgain, p.Amount}}
	case p.State.Closed():
		return []way{{payLate, p.Amount}}
	}
	all := []way{{payExact, p.Due()}}
	if p.Due() > 1 {
		all = append(all, way{payShort, p.Due() / 2})
	}
	return append(all, way{payOver, p.Due() + overBy})
}

// cardWay is a way to pay a demo payment by a test card.
type cardWay struct {
	How  string // of its text
	Date string // on the card: it chooses the outcome
}

// demoCard is what the start page's buttons pay with: Paykit's published
// domestic card.
const demoCard = "9704000000000018"

func cardWays(p payment.Payment) []cardWay {
	if p.State.Closed() || !slices.Contains(p.Methods, payment.DomesticCard) {
		return nil
	}
	return []cardWay{{"approved", "03/07"}, {"declined", "05/39"}, {"unknown", "05/37"}}
}

// demoPayByCard pays a payment by a test card, through the pages.
func (h *Handler) demoPayByCard(w http.ResponseWriter, r *http.Request) {
	lang, id, ok := h.readForm(w, r)
	if !ok {
		return
	}
	ctx, cancel := detached()
	defer cancel()
	p, err := h.Core.Payment(ctx, id)
	if payment.CodeOf(err) == payment.CodePaymentNotFound {
		h.page(w, r, http.StatusNotFound, lang, "", "", web.Text(lang, "sandbox.pay.gone"))
		return
	}
	var address string
	if err == nil {
		address, err = h.Core.PageOf(ctx, p.ID)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	for _, way := range cardWays(p) {
		if way.How != r.PostForm.Get("how") {
			continue
		}
		c, _ := acquirer.FindCard(demoCard)
		_, err = h.walk(ctx, cardPayment{CheckoutURL: address, Method: c.Method, Card: c, Holder: c.Holder, Date: way.Date, OTP: c.OTP, Action: actPay})
		var refused *failure
		if errors.As(err, &refused) {
			h.page(w, r, http.StatusBadGateway, lang, p.ID, "", web.Text(lang, "sandbox.card.refused", refused.message))
			return
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
	}
	h.seeOther(w, r, here(lang, p.ID, "#step-4"))
}

// demoClock moves time past the default due time.
func (h *Handler) demoClock(w http.ResponseWriter, r *http.Request) {
	lang, id, ok := h.readForm(w, r)
	if !ok {
		return
	}
	if err := h.advance(demoSpan); err != nil {
		h.fail(w, r, err)
		return
	}
	h.seeOther(w, r, here(lang, id, "#clock"))
}

// returned answers GET /sandbox/return, the demo shop's page for payers who
// come back.
func (h *Handler) returned(w http.ResponseWriter, r *http.Request) {
	lang := web.Language(r, "")
	v := returnView{
		Head: web.Head{Title: web.Text(lang, "sandbox.return.title")}, Parameters: parameters(r), Start: here(lang, "", ""),
		Vietnamese: withLanguage(r, web.Vietnamese), English: withLanguage(r, web.English),
	}
	q := r.URL.Query()
	if p, ok, err := h.lookUp(r.Context(), q.Get("mid"), q.Get("payment_id")); err != nil {
		h.fail(w, r, err)
		return
	} else if ok {
		v.State, v.Start = p.State, here(lang, p.ID, "#step-4")
	}
	if err := h.set.Page(w, http.StatusOK, lang, "return", v); err != nil {
		h.fail(w, r, err)
	}
}

// returnView is what the shop's page shows.
type returnView struct {
	Head                web.Head
	Parameters          []parameter
	State               payment.State // as the gateway knows it, "" for no such payment
	Start               string
	Vietnamese, English string
}

type parameter struct{ Name, Value string }

// parameters lists the query in the order in which it came, but for the page's
// own language.
func parameters(r *http.Request) []parameter {
	var all []parameter
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		n, nameErr := url.QueryUnescape(name)
		v, valueErr := url.QueryUnescape(value)
		if n == "" || n == "lang" || nameErr != nil || valueErr != nil {
			continue
		}
		all = append(all, parameter{strings.ToValidUTF8(n, "\ufffd"), strings.ToValidUTF8(v, "\ufffd")})
	}
	return all
}

func withLanguage(r *http.Request, lang string) string {
	q := r.URL.Query()
	q.Set("lang", lang)
	return r.URL.Path + "?" + q.Encode()
}

// lookUp finds a Paykit payment by the names on the wire.
func (h *Handler) lookUp(ctx context.Context, mid, reference string) (payment.Payment, bool, error) {
	if mid == "" || reference == "" || !plain(mid) || !plain(reference) {
		return payment.Payment{}, false, nil
	}
	profile, err := h.Core.ProfileByPublicID(ctx, paykit, mid)
	var p payment.Payment
	if err == nil {
		p, err = h.Core.Find(ctx, profile.MerchantID, paykit, reference)
	}
	switch payment.CodeOf(err) {
	case "":
		httpx.Note(ctx, "payment_id", p.ID)
		return p, true, nil
	case payment.CodeNotFound, payment.CodePaymentNotFound:
		return payment.Payment{}, false, nil
	}
	return payment.Payment{}, false, err
}
