package core

import (
	"context"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Receipt is money that came for a payment which is known, on another way than
// a bank account: cash that was collected, a sale at a terminal.
type Receipt struct {
	PaymentID  string
	Channel    payment.Channel
	Method     payment.Method
	Source     string // who tells of it
	ExternalID string // the source's id of it: told twice, it counts once
	AccountID  string // the terminal, "" for cash
	Amount     money.VND
	Actor      string
	OccurredAt time.Time // zero is now
}

// Receive takes money in for a payment. What comes late or once too often is
// held as unapplied, as with a bank transfer. The same receipt again changes
// nothing and comes back as Replayed.
func (c *Core) Receive(ctx context.Context, r Receipt) (Taken, error) {
	stop := c.timed("receive")
	w := &work{core: c, now: c.Now()}
	taken, err := w.receive(ctx, r, func(ctx context.Context) (payment.Payment, error) { return w.LockPayment(ctx, r.PaymentID) }, nil)
	stop(err)
	if err != nil {
		return Taken{}, c.failed("receive", err)
	}
	c.after(w)
	return taken, nil
}

// receive stores a receipt as a credit and places it, in one shared
// transaction. Lock loads the payment in it; also, if there is one, writes
// what else belongs to it.
func (w *work) receive(ctx context.Context, r Receipt, lock func(context.Context) (payment.Payment, error), also func(context.Context, payment.Credit) error) (Taken, error) {
	credit := tidy(payment.Credit{
		ID: w.core.ids.New(), Channel: r.Channel, Method: r.Method, Source: r.Source, ExternalID: r.ExternalID, AccountID: r.AccountID, Amount: r.Amount,
		Direction: payment.In, OccurredAt: r.OccurredAt, ReceivedAt: w.now, Outcome: payment.OutcomeUnknown,
	})
	if err := checkCredit(credit); err != nil {
		return Taken{}, err
	}
	if r.Amount <= 0 {
		return Taken{}, payment.Fail(payment.CodeInvalidAmount, "the amount has to be positive")
	}
	shared := context.WithoutCancel(ctx) // the transaction is not ours alone
	taken, err := w.core.store.SettleCredits(ctx, "", w.now, []store.Settling{{Credit: credit}}, func(tx *store.Tx, credit payment.Credit) (payment.Credit, payment.Payment, error) {
		w.Tx = tx
		p, err := lock(shared)
		if err != nil {
			return credit, p, err
		}
		credit.PaymentID, credit.MerchantID = p.ID, p.MerchantID
		credit.Explanation.By = string(r.Channel)
		if also != nil {
			if err := also(shared, credit); err != nil {
				return credit, p, err
			}
		}
		return w.place(shared, credit, p, r.Actor)
	})
	if err != nil {
		return Taken{}, err
	}
	return taken[0], nil
}
