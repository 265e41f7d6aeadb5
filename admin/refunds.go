package admin

import (
	"context"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

type refundView struct {
	RefundID    string    `json:"refund_id"`
	PaymentID   string    `json:"payment_id"`
	Reference   string    `json:"reference"`
	Amount      money.VND `json:"amount"`
	State       string    `json:"state"`
	Manual      bool      `json:"manual"`
	Review      bool      `json:"review"`
	Actor       string    `json:"actor"`
	Reason      string    `json:"reason"`
	CreditID    string    `json:"credit_id"`
	AttemptID   string    `json:"attempt_id"`
	ConnectorID string    `json:"connector_id"`
	ExternalID  string    `json:"external_id"`
	Code        string    `json:"code"`
	Text        string    `json:"text"`
	Failure     string    `json:"failure"`
	CreatedAt   stamp     `json:"created_at"`
	UpdatedAt   stamp     `json:"updated_at"`
	CompletedAt stamp     `json:"completed_at"`
}

func showRefund(r payment.Refund) refundView {
	return refundView{
		RefundID: r.ID, PaymentID: r.PaymentID, Reference: r.Reference, Amount: r.Amount, State: string(r.State), Manual: r.Manual, Review: r.Review,
		Actor: r.Actor, Reason: r.Reason, CreditID: r.CreditID, AttemptID: r.AttemptID, ConnectorID: r.ConnectorID, ExternalID: r.ExternalID,
		Code: r.Code, Text: r.Text, Failure: string(r.Failure),
		CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt), CompletedAt: stamp(r.CompletedAt),
	}
}

func refundID(r payment.Refund) string { return r.ID }

func (a *API) refundsOfPayment(c *call) (any, error) {
	return listOf(a, c, (*query).page, a.core.Refunds, refundID, showRefund)
}

// refunds lists the refunds that a person has to make or to look at.
func (a *API) refunds(c *call) (any, error) {
	return waiting(c, "waiting", a.core.RefundsForPerson, refundID, showRefund)
}

// readWaiting reads a page of what waits for a person.
type readWaiting[R any] = func(ctx context.Context, merchantID, before string, limit int) ([]R, error)

func (a *API) refund(c *call) (any, error) {
	id, err := c.pathID("refund_id")
	if err != nil {
		return nil, err
	}
	return shown(showRefund)(a.core.RefundByID(c.ctx(), id))
}

// refundedView is a refund with its payment.
type refundedView struct {
	Payment paymentDetail `json:"payment"`
	Refund  refundView    `json:"refund"`
}

func (a *API) showRefunded(c *call, refundID string) (refundedView, error) {
	r, err := a.core.RefundByID(c.ctx(), refundID)
	if err != nil {
		return refundedView{}, err
	}
	p, err := a.core.Payment(c.ctx(), r.PaymentID)
	if err != nil {
		return refundedView{}, err
	}
	d, err := a.showPaymentDetail(c.ctx(), p)
	return refundedView{Payment: d, Refund: showRefund(r)}, err
}

func (a *API) addRefund(c *call) (any, error) {
	id, err := c.pathID("payment_id")
	if err != nil {
		return nil, err
	}
	httpx.Note(c.ctx(), "payment_id", id)
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("amount", "reason")
	amount, reason, reference := o.amount("amount"), o.words("reason", maxReason), o.words("reference", maxName)
	if amount != nil && *amount == 0 {
		o.complain("amount", "has to be 1 or more")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	_, r, err := a.core.RefundByOperator(c.ctx(), c.by, id, or(reference, ""), *amount, *reason)
	if err != nil {
		return nil, err
	}
	return a.showRefunded(c, r.ID)
}

func (a *API) recheckRefund(c *call) (any, error) {
	id, err := c.pathID("refund_id")
	if err != nil {
		return nil, err
	}
	if err := c.noBody(); err != nil {
		return nil, err
	}
	h, err := a.acquirers.RecheckRefund(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	r, err := a.showRefunded(c, id)
	return struct {
		hearingView
		refundedView
	}{showHearing(h), r}, err
}

func (a *API) judgeRefund(c *call) (any, error) {
	return a.judge(c, "refund_id", func(id string, paid bool, reason string) (any, error) {
		if _, err := a.core.JudgeRefund(c.ctx(), c.by, id, paid, reason); err != nil {
			return nil, err
		}
		return a.showRefunded(c, id)
	})
}
