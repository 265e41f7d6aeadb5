package admin

import (
	"context"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

type creditView struct {
	CreditID           string          `json:"credit_id"`
	Channel            string          `json:"channel"`
	Method             string          `json:"method"`
	Source             string          `json:"source"`
	ExternalID         string          `json:"external_id"`
	BIN                string          `json:"bin"`
	Account            string          `json:"account"`
	VirtualAccount     string          `json:"virtual_account"`
	Amount             money.VND       `json:"amount"`
	Currency           string          `json:"currency"`
	Direction          string          `json:"direction"`
	Memo               string          `json:"memo"`
	Reference          string          `json:"reference"`
	OrderCode          string          `json:"order_code"`
	OccurredAt         stamp           `json:"occurred_at"`
	ReceivedAt         stamp           `json:"received_at"`
	Outcome            string          `json:"outcome"`
	PaymentID          string          `json:"payment_id"`
	MerchantID         string          `json:"merchant_id"`
	ReceivingAccountID string          `json:"receiving_account_id"`
	DuplicateOf        string          `json:"duplicate_of"`
	AmountApplied      money.VND       `json:"amount_applied"`
	AmountUnapplied    money.VND       `json:"amount_unapplied"`
	AmountReturned     money.VND       `json:"amount_returned"`
	Explanation        explanationView `json:"explanation"`
}

type explanationView struct {
	By     string   `json:"by"`
	Code   string   `json:"code"`
	Seen   []string `json:"seen"`
	Reason string   `json:"reason"`
}

func showCredit(k payment.Credit) creditView {
	return creditView{
		CreditID: k.ID, Channel: string(k.Channel), Method: string(k.Method), Source: k.Source, ExternalID: k.ExternalID, BIN: k.BIN, Account: k.Account, VirtualAccount: k.VirtualAccount,
		Amount: k.Amount, Currency: k.Currency, Direction: string(k.Direction), Memo: k.Memo, Reference: k.Reference, OrderCode: k.OrderCode,
		OccurredAt: stamp(k.OccurredAt), ReceivedAt: stamp(k.ReceivedAt), Outcome: string(k.Outcome), PaymentID: k.PaymentID, MerchantID: k.MerchantID,
		ReceivingAccountID: k.AccountID, DuplicateOf: k.DuplicateOf,
		AmountApplied: k.Applied, AmountUnapplied: k.Unapplied, AmountReturned: k.Returned,
		Explanation: explanationView{
			By: k.Explanation.By, Code: k.Explanation.Code, Seen: append([]string{}, k.Explanation.Seen...), Reason: k.Explanation.Reason,
		},
	}
}

// outcomes are the words that ?outcome takes.
var outcomes = []string{
	string(payment.OutcomeExact), string(payment.OutcomeShort), string(payment.OutcomeOver), string(payment.OutcomeLate),
	string(payment.OutcomeDuplicate), string(payment.OutcomeUnknown), string(payment.OutcomeRepeated),
	string(payment.OutcomeDirection), string(payment.OutcomeCurrency),
}

func (a *API) credits(c *call) (any, error) {
	return a.searchCredits(c, func(q *query) core.CreditSearch {
		return core.CreditSearch{
			MerchantID: q.uuid("merchant_id"), Source: q.text("source"), Outcome: payment.Outcome(q.choice("outcome", outcomes...)),
		}
	})
}

// unapplied lists the money that waits for a person.
func (a *API) unapplied(c *call) (any, error) {
	return a.searchCredits(c, func(q *query) core.CreditSearch {
		return core.CreditSearch{MerchantID: q.uuid("merchant_id"), Unapplied: true}
	})
}

func (a *API) searchCredits(c *call, filters func(*query) core.CreditSearch) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page, s := q.page(), filters(q)
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]payment.Credit, error) {
		s.Before, s.Limit = cursor, limit
		return a.core.Credits(c.ctx(), s)
	}
	return readPage(page, read, creditID, showCredit)
}

func creditID(k payment.Credit) string { return k.ID }

func (a *API) creditsOfPayment(c *call) (any, error) {
	read := func(ctx context.Context, paymentID string) ([]payment.Credit, error) {
		return a.core.Credits(ctx, core.CreditSearch{PaymentID: paymentID})
	}
	return listOf(a, c, (*query).page, read, creditID, showCredit)
}

func (a *API) credit(c *call) (any, error) {
	id, err := c.pathID("credit_id")
	if err != nil {
		return nil, err
	}
	return shown(showCredit)(a.core.Credit(c.ctx(), id))
}

type appliedView struct {
	Payment paymentDetail `json:"payment"`
	Credit  creditView    `json:"credit"`
}

func (a *API) apply(c *call) (any, error) {
	id, err := c.pathID("credit_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("payment_id", "reason")
	paymentID, reason := o.uuid("payment_id"), o.words("reason", maxReason)
	if err := o.err(); err != nil {
		return nil, err
	}
	p, k, err := a.core.Apply(c.ctx(), c.by, id, *paymentID, *reason)
	if err != nil {
		return nil, err
	}
	d, err := a.showPaymentDetail(c.ctx(), p)
	if err != nil {
		return nil, err
	}
	return appliedView{Payment: d, Credit: showCredit(k)}, nil
}

// giveBack records that money went back to its payer; the bank sends it, not we.
func (a *API) giveBack(c *call) (any, error) {
	id, err := c.pathID("credit_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("reason")
	amount, reason := o.amount("amount"), o.words("reason", maxReason)
	if amount != nil && *amount == 0 {
		o.complain("amount", "has to be 1 or more; leave it out for all that is unapplied")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showCredit)(a.core.Return(c.ctx(), c.by, id, or(amount, 0), *reason))
}
