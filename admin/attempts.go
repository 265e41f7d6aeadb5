package admin

import (
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// payAttemptView is a try to pay by an acquirer. Where the payer was sent is not
// shown: whoever has that address can pay, or see what the payer does.
type payAttemptView struct {
	AttemptID   string    `json:"attempt_id"`
	PaymentID   string    `json:"payment_id"`
	MerchantID  string    `json:"merchant_id"`
	Number      int64     `json:"number"`
	ConnectorID string    `json:"connector_id"`
	Kind        string    `json:"kind"`
	Method      string    `json:"method"`
	Reference   string    `json:"reference"`
	ExternalID  string    `json:"external_id"`
	Amount      money.VND `json:"amount"`
	State       string    `json:"state"`
	Left        bool      `json:"left"`
	Review      bool      `json:"review"`
	Code        string    `json:"code"`
	Text        string    `json:"text"`
	CreatedAt   stamp     `json:"created_at"`
	UpdatedAt   stamp     `json:"updated_at"`
	ExpiresAt   stamp     `json:"expires_at"`
	ClosedAt    stamp     `json:"closed_at"`
}

func showPayAttempt(t payment.Attempt) payAttemptView {
	return payAttemptView{
		AttemptID: t.ID, PaymentID: t.PaymentID, MerchantID: t.MerchantID, Number: t.Number, ConnectorID: t.ConnectorID, Kind: t.Kind, Method: string(t.Method),
		Reference: t.Reference, ExternalID: t.ExternalID, Amount: t.Amount, State: string(t.State), Left: t.Left, Review: t.Review, Code: t.Code, Text: t.Text,
		CreatedAt: stamp(t.CreatedAt), UpdatedAt: stamp(t.UpdatedAt), ExpiresAt: stamp(t.ExpiresAt), ClosedAt: stamp(t.ClosedAt),
	}
}

// attempts lists the tries to pay that a person has to look at.
func (a *API) attempts(c *call) (any, error) {
	return waiting(c, "review", a.core.AttemptsForReview, func(t payment.Attempt) string { return t.ID }, showPayAttempt)
}

// waiting is a list of what waits for a person. It has to be asked for by name:
// a list of everything there is not.
func waiting[R, T any](c *call, name string, read readWaiting[R], key func(R) string, show func(R) T) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page, merchantID := q.page(), q.uuid("merchant_id")
	if q.choice(name, "true") == "" && len(q.faults[name]) == 0 {
		q.faults.add(name, "is required and has to be true")
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	return readPage(page, func(cursor string, limit int) ([]R, error) { return read(c.ctx(), merchantID, cursor, limit) }, key, show)
}

func (a *API) attempt(c *call) (any, error) {
	id, err := c.pathID("attempt_id")
	if err != nil {
		return nil, err
	}
	return shown(showPayAttempt)(a.core.Attempt(c.ctx(), id))
}

// settledView is an attempt with its payment.
type settledView struct {
	Payment paymentDetail  `json:"payment"`
	Attempt payAttemptView `json:"attempt"`
}

func (a *API) showSettled(c *call, attemptID string) (settledView, error) {
	t, err := a.core.Attempt(c.ctx(), attemptID)
	if err != nil {
		return settledView{}, err
	}
	p, err := a.core.Payment(c.ctx(), t.PaymentID)
	if err != nil {
		return settledView{}, err
	}
	d, err := a.showPaymentDetail(c.ctx(), p)
	return settledView{Payment: d, Attempt: showPayAttempt(t)}, err
}

func (a *API) recheckAttempt(c *call) (any, error) {
	id, err := c.pathID("attempt_id")
	if err != nil {
		return nil, err
	}
	if err := c.noBody(); err != nil {
		return nil, err
	}
	h, err := a.acquirers.Recheck(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	s, err := a.showSettled(c, id)
	return struct {
		hearingView
		settledView
	}{showHearing(h), s}, err
}

func (a *API) judgeAttempt(c *call) (any, error) {
	return a.judge(c, "attempt_id", func(id string, paid bool, reason string) (any, error) {
		if _, err := a.core.JudgeAttempt(c.ctx(), c.by, id, paid, reason); err != nil {
			return nil, err
		}
		return a.showSettled(c, id)
	})
}

// judge reads a person's word on what became of an attempt or refund.
func (a *API) judge(c *call, name string, act func(id string, paid bool, reason string) (any, error)) (any, error) {
	id, err := c.pathID(name)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("paid", "reason")
	paid, reason := o.flag("paid"), o.words("reason", maxReason)
	if err := o.err(); err != nil {
		return nil, err
	}
	return act(id, *paid, *reason)
}
