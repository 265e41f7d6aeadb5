package core

import (
	"context"

	"github.com/thungan/thungan/payment"
)

// Process records that the payer has acted and the outcome is outstanding. A
// payment that is processing already stays as it is.
func (c *Core) Process(ctx context.Context, id string, m payment.Method, actor string) (payment.Payment, error) {
	var p payment.Payment
	err := c.update(ctx, "process", func(w *work) (err error) {
		if p, err = w.LockPayment(ctx, id); err != nil || p.State == payment.Processing {
			return err
		}
		p, err = w.apply(ctx, p, payment.Step{Act: payment.ActProcess, Actor: actor, Method: m})
		return err
	})
	return p, err
}

// Deny ends a payment that was refused. What had been paid in part waits for a
// person.
func (c *Core) Deny(ctx context.Context, id, actor, reason string) (payment.Payment, error) {
	if err := checkNote("reason", reason); err != nil {
		return payment.Payment{}, err
	}
	var p payment.Payment
	err := c.update(ctx, "deny", func(w *work) (err error) {
		if p, err = w.LockPayment(ctx, id); err != nil {
			return err
		}
		p, err = w.close(ctx, p, payment.ActDeny, actor, reason)
		return err
	})
	return p, err
}
