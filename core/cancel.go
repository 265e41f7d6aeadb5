package core

import (
	"context"

	"github.com/thungan/thungan/payment"
)

// Cancel ends the offer of an open payment. The actor is ActorPayer, ActorMerchant
// or somebody's name. CodeInvalidState when it is open no more.
func (c *Core) Cancel(ctx context.Context, id, actor, reason string) (payment.Payment, error) {
	var p payment.Payment
	err := c.update(ctx, "cancel", func(w *work) (err error) {
		p, err = w.cancel(ctx, id, actor, reason)
		return err
	})
	return p, err
}

// CancelByOperator is Cancel as an administrative act.
func (c *Core) CancelByOperator(ctx context.Context, by Actor, id, reason string) (payment.Payment, error) {
	var p payment.Payment
	err := c.update(ctx, "cancel", func(w *work) (err error) {
		if p, err = w.cancel(ctx, id, by.Name, reason); err != nil {
			return err
		}
		return w.audit(ctx, by, "payment.cancel", id, nil, map[string]any{"state": p.State, "reason": reason})
	})
	return p, err
}

func (w *work) cancel(ctx context.Context, id, actor, reason string) (payment.Payment, error) {
	if err := checkNote("reason", reason); err != nil {
		return payment.Payment{}, err
	}
	p, err := w.LockPayment(ctx, id)
	if err != nil {
		return p, err
	}
	return w.close(ctx, p, payment.ActCancel, actor, reason)
}

// Choose is the payer's choice of a method on the page. Choosing the same again
// changes nothing.
func (c *Core) Choose(ctx context.Context, id string, m payment.Method) (payment.Payment, error) {
	var p payment.Payment
	err := c.update(ctx, "choose", func(w *work) (err error) {
		if p, err = w.LockPayment(ctx, id); err != nil || p.Method == m {
			return err
		}
		for _, offered := range p.Methods {
			if offered == m && m == payment.COD {
				p, err = w.onDelivery(ctx, p)
				return err
			}
			if offered == m {
				p, err = w.apply(ctx, p, payment.Step{Act: payment.ActChoose, Actor: ActorPayer, Method: m})
				return err
			}
		}
		return payment.Fail(payment.CodeMethodNotSupported, "the payment cannot be paid in this way")
	})
	return p, err
}
