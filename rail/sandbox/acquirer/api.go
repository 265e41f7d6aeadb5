package acquirer

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

const (
	maxBody = 64 << 10 // bytes of a call

	// Characters.
	maxReference   = 64
	maxName        = 255
	maxDescription = 255

	maxAmount = money.VND(9_999_999_999_999)
)

// problem is why a call is refused.
type problem struct{ status int }

var problems = map[string]problem{
	problemForm:      {http.StatusBadRequest},
	problemSignature: {http.StatusUnauthorized},
	problemOrder:     {http.StatusNotFound},
	problemRefund:    {http.StatusNotFound},
	problemDuplicate: {http.StatusConflict},
	problemRefused:   {http.StatusUnprocessableEntity},
	problemNotPaid:   {http.StatusConflict},
	problemTooMuch:   {http.StatusConflict},
}

// read reads a call into message, and answers itself when it cannot.
func (a *Acquirer) read(w http.ResponseWriter, r *http.Request, name string, message any) bool {
	httpx.NoteRoute(r.Context(), "sandbox: "+r.Pattern)
	body, err := httpx.ReadBody(w, r, maxBody)
	if err == nil {
		err = unseal(func(merchant string) string { return a.merchants[merchant] }, name, body, message)
	}
	switch {
	case errors.Is(err, errSignature):
		a.refuse(w, "", problemSignature, "the signature is wrong, or the merchant is unknown")
	case err != nil:
		a.refuse(w, "", problemForm, "the body has to be an envelope of payload and signature")
	}
	return err == nil
}

// answer sends a signed answer; without a merchant it cannot be signed.
func (a *Acquirer) answer(w http.ResponseWriter, status int, to word) {
	body, err := seal(a.merchants[to.Merchant], nameAnswer, to)
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error is the reader's connection
}

func (a *Acquirer) refuse(w http.ResponseWriter, merchant, what, text string) {
	a.answer(w, problems[what].status, word{Merchant: merchant, Problem: what, Text: text})
}

func (a *Acquirer) fault(w http.ResponseWriter, r *http.Request, err error) {
	a.log.ErrorContext(r.Context(), "sandbox acquirer", "error", err.Error())
	w.WriteHeader(http.StatusInternalServerError)
}

// createOrder takes an order. The same one again is the same order.
func (a *Acquirer) createOrder(w http.ResponseWriter, r *http.Request) {
	var m orderMessage
	if !a.read(w, r, nameOrder, &m) {
		return
	}
	if text := checkOrder(m); text != "" {
		a.refuse(w, m.Merchant, problemForm, text)
		return
	}
	if m.Amount%1000 == amountRefused {
		a.refuse(w, m.Merchant, problemRefused, "an amount that ends in 201 is refused")
		return
	}
	if old, ok := a.book.look(byReference(m.Merchant, m.Reference), a.clock.Now()); ok {
		if old.Amount != m.Amount || old.Method != m.Method {
			a.refuse(w, m.Merchant, problemDuplicate, "there is another order of this reference")
			return
		}
		a.answer(w, http.StatusOK, a.created(old))
		return
	}
	o := order{
		ID: "SBX" + rand.Text()[:10], Token: rand.Text(), Merchant: m.Merchant, Name: m.Name, Reference: m.Reference, Amount: m.Amount, Method: m.Method,
		Description: m.Description, Language: m.Language, ReturnURL: m.ReturnURL, NotifyURL: m.NotifyURL,
		CreatedAt: a.clock.Now(), ExpiresAt: clock.FromMillis(m.ExpiresAt), Result: Waiting,
	}
	if err := a.book.add(o); err != nil {
		a.fault(w, r, err)
		return
	}
	if m.Amount%1000 == amountLost {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	a.answer(w, http.StatusOK, a.created(o))
}

func (a *Acquirer) created(o order) word {
	w := a.word(o)
	w.PayURL = a.base + "/pay/" + o.Token
	if o.Method == payment.MoMo || o.Method == payment.ZaloPay || o.Method == payment.VNPayQR {
		w.QR = w.PayURL
	}
	return w
}

func checkOrder(m orderMessage) string {
	link := func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	}
	switch {
	case m.Reference == "" || len(m.Reference) > maxReference:
		return "reference has to have 1 to 64 characters"
	case m.Amount <= 0 || m.Amount > maxAmount || m.Currency != "VND":
		return "amount has to be above zero, of at most 13 digits, in VND"
	case !slices.Contains(Connector{}.Methods(), m.Method):
		return "method is none of ours"
	case !link(m.ReturnURL) || !link(m.NotifyURL):
		return "return_url and notify_url have to be http or https addresses"
	case m.ExpiresAt <= 0:
		return "expires_at is missing"
	case utf8.RuneCountInString(m.Description) > maxDescription || utf8.RuneCountInString(m.Name) > maxName:
		return "description or merchant_name has more than 255 characters"
	}
	return ""
}

func (a *Acquirer) queryOrder(w http.ResponseWriter, r *http.Request) {
	var m refundMessage
	if !a.read(w, r, nameOrderQuery, &m) {
		return
	}
	o, ok := a.book.look(byReference(m.Merchant, m.Reference), a.clock.Now())
	if !ok {
		a.refuse(w, m.Merchant, problemOrder, "no order has this reference")
		return
	}
	a.answer(w, http.StatusOK, a.word(o))
}

func planRefund(amount money.VND) RefundPlan {
	if p, ok := RefundAmounts[int64(amount%1000)]; ok {
		return p
	}
	return RefundPlan{Outcome: card.Done, Code: "00", Text: "refunded"}
}

// Refusals of a refund.
var (
	errNotPaid   = errors.New("the order is not paid")
	errTooMuch   = errors.New("more than what is left of the order")
	errDuplicate = errors.New("there is another refund of this id")
)

func (a *Acquirer) createRefund(w http.ResponseWriter, r *http.Request) {
	var m refundMessage
	if !a.read(w, r, nameRefund, &m) {
		return
	}
	if m.RefundID == "" || len(m.RefundID) > maxReference || m.Amount <= 0 {
		a.refuse(w, m.Merchant, problemForm, "refund_id or amount is missing")
		return
	}
	now := a.clock.Now()
	o, err := a.book.change(byReference(m.Merchant, m.Reference), func(o *order) error {
		o.settle(now)
		if old := o.refund(m.RefundID); old != nil {
			if old.Amount != m.Amount {
				return errDuplicate
			}
			return nil
		}
		left, err := money.Add(o.Amount, -o.refunded())
		switch {
		case err != nil:
			return err
		case o.Result != Approved:
			return errNotPaid
		case m.Amount > left:
			return errTooMuch
		}
		plan := a.refundPlan(m.Amount)
		made := refund{ID: m.RefundID, Amount: m.Amount, Actor: m.Actor, Outcome: plan.Outcome, Later: plan.Later, Code: plan.Code, Text: plan.Text}
		if plan.Outcome == card.Done {
			made.At = now
		}
		if plan.Later != "" {
			made.SettleAt = now.Add(settleAfter)
		}
		if plan.Told {
			made.Telling.At = made.SettleAt
		}
		o.Refunds = append(o.Refunds, made)
		return nil
	})
	switch {
	case errors.Is(err, errNoOrder):
		a.refuse(w, m.Merchant, problemOrder, "no order has this reference")
	case errors.Is(err, errNotPaid):
		a.refuse(w, m.Merchant, problemNotPaid, err.Error())
	case errors.Is(err, errTooMuch):
		a.refuse(w, m.Merchant, problemTooMuch, err.Error())
	case errors.Is(err, errDuplicate):
		a.refuse(w, m.Merchant, problemDuplicate, err.Error())
	case err != nil:
		a.fault(w, r, err)
	default:
		a.stir()
		a.answer(w, http.StatusOK, a.refundWord(o, *o.refund(m.RefundID)))
	}
}

func (a *Acquirer) queryRefund(w http.ResponseWriter, r *http.Request) {
	var m refundMessage
	if !a.read(w, r, nameRefundQuery, &m) {
		return
	}
	o, ok := a.book.look(byReference(m.Merchant, m.Reference), a.clock.Now())
	if !ok {
		a.refuse(w, m.Merchant, problemOrder, "no order has this reference")
		return
	}
	found := o.refund(m.RefundID)
	if found == nil {
		a.refuse(w, m.Merchant, problemRefund, "no refund has this id")
		return
	}
	a.answer(w, http.StatusOK, a.refundWord(o, *found))
}
