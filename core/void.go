package core

import (
	"context"

	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Void takes a card sale back whole before its batch is settled: the money is
// the payer's again. The actor is "terminal" or somebody's name. A payment that
// is voided already stays as it is; CodeInvalidState for one that is not paid,
// not a card sale, refunded in part, or settled.
func (c *Core) Void(ctx context.Context, paymentID, actor, reason string) (payment.Sold, error) {
	return c.void(ctx, paymentID, actor, reason, nil)
}

// VoidByOperator is Void as an administrative act.
func (c *Core) VoidByOperator(ctx context.Context, by Actor, paymentID, reason string) (payment.Sold, error) {
	return c.void(ctx, paymentID, by.Name, reason, &by)
}

func (c *Core) void(ctx context.Context, paymentID, actor, reason string, by *Actor) (payment.Sold, error) {
	if err := checkNote("reason", reason); err != nil {
		return payment.Sold{}, err
	}
	known, err := view(ctx, c, "void", func(tx *store.Tx) (payment.Sale, error) {
		if _, err := tx.Payment(ctx, paymentID); err != nil {
			return payment.Sale{}, err
		}
		s, ok, err := tx.Sale(ctx, paymentID)
		if err == nil && (!ok || s.Method != payment.CardPresent) {
			err = payment.Fail(payment.CodeInvalidState, "only card sales at a terminal are voided; refund it instead")
		}
		return s, err
	})
	if err != nil {
		return payment.Sold{}, err
	}
	var sold payment.Sold
	err = c.update(ctx, "void", func(w *work) (err error) {
		if sold, err = w.lockSale(ctx, known.TerminalID, paymentID); err != nil || sold.Payment.State == payment.Voided {
			return err
		}
		if err := voidable(sold); err != nil {
			return err
		}
		if sold.Payment, err = w.reverse(ctx, sold.Payment, actor, reason); err != nil || by == nil {
			return err
		}
		return w.audit(ctx, *by, "payment.void", paymentID, nil, map[string]any{"state": sold.Payment.State, "reason": reason})
	})
	return sold, err
}

func voidable(s payment.Sold) error {
	switch {
	case s.Payment.State != payment.Approved:
		return payment.Fail(payment.CodeInvalidState, "a sale that is "+string(s.Payment.State)+" cannot be voided")
	case !s.Sale.SettledAt.IsZero():
		return payment.Fail(payment.CodeInvalidState, "the sale is settled; refund it instead")
	case s.Payment.Refunded > 0 || s.Payment.Refunding > 0:
		return payment.Fail(payment.CodeInvalidState, "money of the sale was refunded already")
	}
	return nil
}

// reverse gives the money that paid a payment back to where it came from.
func (w *work) reverse(ctx context.Context, p payment.Payment, actor, reason string) (payment.Payment, error) {
	credits, err := w.LockAppliedCredits(ctx, p.ID)
	if err != nil {
		return p, err
	}
	entry := ledger.Entry{Kind: ledger.KindVoid, Actor: actor, Reason: reason}
	postings := []ledger.Posting{ledger.Debit(ledger.Sales(p.MerchantID), p.Amount)}
	sum := p.Amount
	for _, c := range credits {
		if c.Channel != payment.ChannelTerminal {
			return p, payment.Fail(payment.CodeInvalidState, "the sale was not paid at the terminal alone; refund it instead")
		}
		postings = append(postings, ledger.Credit(holdingOf(c), c.Applied))
		sum -= c.Applied
		entry.CreditID = c.ID
		c.Returned, c.Applied = c.Returned+c.Applied, 0
		c.Explanation.Reason = "the sale was voided"
		if err := w.SaveCredit(ctx, c); err != nil {
			return p, err
		}
	}
	if sum != 0 {
		return p, payment.Fail(payment.CodeInvalidState, "the sale was not paid at the terminal alone; refund it instead")
	}
	if len(credits) > 1 {
		entry.CreditID = ""
	}
	if err := w.post(ctx, p, entry, postings...); err != nil {
		return p, err
	}
	return w.apply(ctx, p, payment.Step{Act: payment.ActVoid, Actor: actor, Reason: reason, CreditID: entry.CreditID, Receive: -p.Amount})
}
