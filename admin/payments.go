package admin

import (
	"context"
	"strconv"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// paymentView is a payment as lists show it.
type paymentView struct {
	PaymentID       string    `json:"payment_id"`
	MerchantID      string    `json:"merchant_id"`
	PlatformID      string    `json:"platform_id"`
	Dialect         string    `json:"dialect"`
	Reference       string    `json:"reference"`
	Version         int64     `json:"version"`
	State           string    `json:"state"`
	Method          string    `json:"method"`
	Methods         []string  `json:"methods"`
	Amount          money.VND `json:"amount"`
	AmountReceived  money.VND `json:"amount_received"`
	AmountDue       money.VND `json:"amount_due"`
	AmountExcess    money.VND `json:"amount_excess"`
	AmountRefunded  money.VND `json:"amount_refunded"`
	AmountRefunding money.VND `json:"amount_refunding"`
	Description     string    `json:"description"`
	Language        string    `json:"language"`
	SuccessURL      string    `json:"success_url"`
	CancelURL       string    `json:"cancel_url"`
	IPNURL          string    `json:"ipn_url"`
	CreatedAt       stamp     `json:"created_at"`
	DueAt           stamp     `json:"due_at"`
	UpdatedAt       stamp     `json:"updated_at"`
	CompletedAt     stamp     `json:"completed_at"`
}

func showPayment(p payment.Payment) paymentView {
	return paymentView{
		PaymentID: p.ID, MerchantID: p.MerchantID, PlatformID: p.PlatformID, Dialect: p.Dialect, Reference: p.Reference, Version: p.Version,
		State: string(p.State), Method: string(p.Method), Methods: methodNames(p.Methods),
		Amount: p.Amount, AmountReceived: p.Received, AmountDue: p.Due(), AmountExcess: p.Excess(), AmountRefunded: p.Refunded, AmountRefunding: p.Refunding,
		Description: p.Description, Language: p.Language, SuccessURL: p.SuccessURL, CancelURL: p.CancelURL, IPNURL: p.NotifyTo,
		CreatedAt: stamp(p.CreatedAt), DueAt: stamp(p.DueAt), UpdatedAt: stamp(p.UpdatedAt), CompletedAt: stamp(p.CompletedAt),
	}
}

// paymentDetail is one payment with what its payer sees, and what became of it
// at acquirers.
type paymentDetail struct {
	paymentView
	CheckoutURL string           `json:"checkout_url"`
	Transfer    *transferView    `json:"transfer"` // null where no bank transfer is taken
	Attempts    []payAttemptView `json:"attempts"`
	Refunds     []refundView     `json:"refunds"`
}

type transferView struct {
	ReceivingAccountID string `json:"receiving_account_id"`
	BIN                string `json:"bin"`
	Number             string `json:"number"`
	Holder             string `json:"holder"`
	Memo               string `json:"memo"`
	VietQR             string `json:"vietqr"` // "" once the offer has ended
}

func (a *API) showPaymentDetail(ctx context.Context, p payment.Payment) (paymentDetail, error) {
	d := paymentDetail{paymentView: showPayment(p), Attempts: []payAttemptView{}, Refunds: []refundView{}}
	profile, err := a.core.Profile(ctx, p.MerchantID, p.Dialect)
	if err != nil && !missing(err) {
		return paymentDetail{}, err
	}
	if err == nil {
		d.CheckoutURL = a.core.PageURL(profile.PublicID, p)
	}
	if t := p.Transfer; t.Code != "" {
		d.Transfer = &transferView{ReceivingAccountID: t.AccountID, BIN: t.BIN, Number: t.Number, Holder: t.Holder, Memo: t.Memo()}
		if !p.State.Closed() {
			d.Transfer.VietQR = core.VietQR(p)
		}
	}
	attempts, err := a.core.PaymentAttempts(ctx, p.ID)
	if err != nil {
		return paymentDetail{}, err
	}
	for _, t := range attempts {
		d.Attempts = append(d.Attempts, showPayAttempt(t))
	}
	refunds, err := a.core.Refunds(ctx, p.ID)
	if err != nil {
		return paymentDetail{}, err
	}
	for _, r := range refunds {
		d.Refunds = append(d.Refunds, showRefund(r))
	}
	return d, nil
}

// stateNames are the states as words, for filters.
func stateNames() []string {
	names := make([]string, len(payment.States))
	for i, s := range payment.States {
		names[i] = string(s)
	}
	return names
}

func (a *API) payments(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	s := core.Search{
		MerchantID: q.uuid("merchant_id"), Dialect: q.text("dialect"), Reference: q.text("reference"),
		State: payment.State(q.choice("state", stateNames()...)), From: q.moment("from"), To: q.moment("to"),
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]payment.Payment, error) {
		s.Before, s.Limit = cursor, limit
		return a.core.Search(c.ctx(), s)
	}
	return readPage(page, read, func(p payment.Payment) string { return p.ID }, showPayment)
}

// paymentOfPath loads the payment that the path names.
func (a *API) paymentOfPath(c *call) (payment.Payment, error) {
	id, err := c.pathID("payment_id")
	if err != nil {
		return payment.Payment{}, err
	}
	httpx.Note(c.ctx(), "payment_id", id)
	return a.core.Payment(c.ctx(), id)
}

func (a *API) payment(c *call) (any, error) {
	p, err := a.paymentOfPath(c)
	if err != nil {
		return nil, err
	}
	return a.showPaymentDetail(c.ctx(), p)
}

func (a *API) cancel(c *call) (any, error) {
	id, err := c.pathID("payment_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("reason")
	reason := o.words("reason", maxReason)
	if err := o.err(); err != nil {
		return nil, err
	}
	p, err := a.core.CancelByOperator(c.ctx(), c.by, id, *reason)
	if err != nil {
		return nil, err
	}
	return a.showPaymentDetail(c.ctx(), p)
}

type eventView struct {
	Version         int64     `json:"version"`
	Act             string    `json:"act"`
	From            string    `json:"from"`
	To              string    `json:"to"`
	At              stamp     `json:"at"`
	Actor           string    `json:"actor"`
	Reason          string    `json:"reason"`
	CreditID        string    `json:"credit_id"`
	RefundID        string    `json:"refund_id"`
	Method          string    `json:"method"`
	AmountReceived  money.VND `json:"amount_received"`
	AmountRefunded  money.VND `json:"amount_refunded"`
	AmountRefunding money.VND `json:"amount_refunding"`
}

func showEvent(ev payment.Event) eventView {
	return eventView{
		Version: ev.Version, Act: string(ev.Act), From: string(ev.From), To: string(ev.To), At: stamp(ev.At),
		Actor: ev.Actor, Reason: ev.Reason, CreditID: ev.CreditID, RefundID: ev.RefundID, Method: string(ev.Method),
		AmountReceived: ev.Received, AmountRefunded: ev.Refunded, AmountRefunding: ev.Refunding,
	}
}

func (a *API) events(c *call) (any, error) {
	return listOf(a, c, (*query).pageByName, a.core.Events,
		func(ev payment.Event) string { return strconv.FormatInt(ev.Version, 10) }, showEvent)
}

// listOf is a list of what belongs to the payment that the path names.
func listOf[R, T any](a *API, c *call, paged func(*query) paging, read func(context.Context, string) ([]R, error), key func(R) string, show func(R) T) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := paged(q)
	if err := q.err(); err != nil {
		return nil, err
	}
	p, err := a.paymentOfPath(c)
	if err != nil {
		return nil, err
	}
	rows, err := read(c.ctx(), p.ID)
	if err != nil {
		return nil, err
	}
	return cutPage(rows, page, key, show)
}

type entryView struct {
	EntryID   string        `json:"entry_id"`
	Kind      string        `json:"kind"`
	PaymentID string        `json:"payment_id"`
	CreditID  string        `json:"credit_id"`
	Actor     string        `json:"actor"`
	Reason    string        `json:"reason"`
	At        stamp         `json:"at"`
	Postings  []postingView `json:"postings"`
}

type postingView struct {
	Account string    `json:"account"`
	Debit   money.VND `json:"debit"`
	Credit  money.VND `json:"credit"`
}

func showEntry(e ledger.Entry) entryView {
	v := entryView{
		EntryID: e.ID, Kind: string(e.Kind), PaymentID: e.PaymentID, CreditID: e.CreditID, Actor: e.Actor, Reason: e.Reason, At: stamp(e.At),
		Postings: []postingView{},
	}
	for _, p := range e.Postings() {
		v.Postings = append(v.Postings, postingView{Account: string(p.Account), Debit: max(p.Amount, 0), Credit: max(-p.Amount, 0)})
	}
	return v
}

func (a *API) journal(c *call) (any, error) {
	return listOf(a, c, (*query).page, a.core.Journal, func(e ledger.Entry) string { return e.ID }, showEntry)
}

type trialBalanceView struct {
	Accounts []ledger.Balance `json:"accounts"`
	Sum      money.VND        `json:"sum"`
}

// trialBalance is whole or nothing: a page of it would prove nothing.
func (a *API) trialBalance(c *call) (any, error) {
	balances, sum, err := a.core.TrialBalance(c.ctx())
	if err != nil {
		return nil, err
	}
	return trialBalanceView{Accounts: append([]ledger.Balance{}, balances...), Sum: sum}, nil
}
