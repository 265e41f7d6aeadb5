package core

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// heldIn is the account where a credit's unapplied money stands.
func heldIn(c payment.Credit) ledger.Account {
	if c.Outcome == payment.OutcomeOver {
		return ledger.Excess(c.MerchantID)
	}
	return ledger.Unapplied(c.MerchantID)
}

// maxReason bounds, in characters, what a person gives as a reason.
const maxReason = 1000

// checkReason wants some words.
func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return payment.Fail(payment.CodeInvalidRequest, "say why: the reason is missing")
	}
	return checkNote("reason", reason)
}

// checkNote wants a text that both databases can keep, or nothing.
func checkNote(field, s string) error {
	switch {
	case !storable(s):
		return invalid(field, "has characters that are no text")
	case utf8.RuneCountInString(s) > maxReason:
		return invalid(field, fmt.Sprintf("has more than %d characters", maxReason))
	}
	return noCard(field, s)
}

// Apply lets a person apply all unapplied money of a credit to a payment that
// is not paid, also to one that has closed: late money that covers the amount
// approves it. Money of one merchant is not applied to another's payment.
func (c *Core) Apply(ctx context.Context, by Actor, creditID, paymentID, reason string) (payment.Payment, payment.Credit, error) {
	if err := checkReason(reason); err != nil {
		return payment.Payment{}, payment.Credit{}, err
	}
	var p payment.Payment
	var credit payment.Credit
	err := c.update(ctx, "apply", func(w *work) (err error) {
		if p, err = w.LockPayment(ctx, paymentID); err != nil {
			return err
		}
		if credit, err = w.LockCredit(ctx, creditID); err != nil {
			return err
		}
		if err := applicable(credit, p); err != nil {
			return err
		}
		if p.State == payment.Open && !w.now.Before(p.DueAt) {
			if p, err = w.close(ctx, p, payment.ActExpire, ActorSystem, ""); err != nil {
				return err
			}
		}
		before := credit
		from, amount := heldIn(credit), credit.Unapplied
		credit.PaymentID, credit.MerchantID, credit.Explanation.By = p.ID, p.MerchantID, "operator"
		if credit, p, err = w.credit(ctx, credit, p, from, amount, ledger.KindApply, by.Name, reason); err != nil {
			return err
		}
		if err := w.SaveCredit(ctx, credit); err != nil {
			return err
		}
		return w.audit(ctx, by, "credit.apply", credit.ID, creditAudit(before), creditAudit(credit))
	})
	return p, credit, err
}

func applicable(c payment.Credit, p payment.Payment) error {
	switch {
	case c.Unapplied == 0:
		return payment.Fail(payment.CodeInvalidState, "the credit has no unapplied money")
	case c.Outcome == payment.OutcomeOver:
		return payment.Fail(payment.CodeInvalidState, "the excess of a paid payment can only be returned")
	case c.MerchantID != "" && c.MerchantID != p.MerchantID:
		return payment.Fail(payment.CodeInvalidRequest, "the money is another merchant's")
	case p.State == payment.Approved || p.State == payment.Voided:
		return payment.Fail(payment.CodeInvalidState, "the payment was paid already")
	}
	return nil
}

// Return lets a person record that unapplied money, or an excess, went back to
// its payer. An amount of 0 is all of it.
func (c *Core) Return(ctx context.Context, by Actor, creditID string, amount money.VND, reason string) (payment.Credit, error) {
	if err := checkReason(reason); err != nil {
		return payment.Credit{}, err
	}
	if amount < 0 {
		return payment.Credit{}, payment.Fail(payment.CodeInvalidAmount, "the amount has to be positive")
	}
	known, err := c.Credit(ctx, creditID)
	if err != nil {
		return payment.Credit{}, err
	}
	var credit payment.Credit
	err = c.update(ctx, "return", func(w *work) (err error) {
		// Payments are locked before credits, as everywhere.
		var p payment.Payment
		if known.PaymentID != "" {
			if p, err = w.LockPayment(ctx, known.PaymentID); err != nil {
				return err
			}
		}
		if credit, err = w.LockCredit(ctx, creditID); err != nil {
			return err
		}
		if credit.PaymentID != known.PaymentID {
			return payment.Fail(payment.CodeConflict, "the credit was changed by somebody else")
		}
		before := credit
		if credit, p, err = w.unapply(ctx, by, credit, p, reason); err != nil {
			return err
		}
		sum := amount
		if sum == 0 {
			sum = credit.Unapplied
		}
		switch {
		case credit.Unapplied == 0:
			return payment.Fail(payment.CodeInvalidState, "the credit has no unapplied money")
		case sum > credit.Unapplied:
			return payment.Fail(payment.CodeInvalidAmount, "only "+credit.Unapplied.String()+" đồng of the credit are unapplied")
		}
		err = w.post(ctx, p, ledger.Entry{Kind: ledger.KindReturned, CreditID: credit.ID, Actor: by.Name, Reason: reason},
			ledger.Debit(heldIn(credit), sum), ledger.Credit(holdingOf(credit), sum))
		if err != nil {
			return err
		}
		credit.Unapplied -= sum
		credit.Returned += sum
		if credit.Outcome == payment.OutcomeOver {
			_, err = w.apply(ctx, p, payment.Step{Act: payment.ActExcess, Actor: by.Name, Reason: reason, CreditID: credit.ID, Receive: -sum})
			if err != nil {
				return err
			}
		}
		if err := w.SaveCredit(ctx, credit); err != nil {
			return err
		}
		return w.audit(ctx, by, "credit.return", credit.ID, creditAudit(before), creditAudit(credit))
	})
	return credit, err
}

// unapply takes back money that a person has applied to a closed payment
// without paying it whole: nothing else would ever end that.
func (w *work) unapply(ctx context.Context, by Actor, c payment.Credit, p payment.Payment, reason string) (payment.Credit, payment.Payment, error) {
	paid := p.State == payment.Approved || p.State == payment.Voided
	if c.Applied == 0 || paid || !p.State.Closed() {
		return c, p, nil
	}
	applied := c.Applied
	err := w.post(ctx, p, ledger.Entry{Kind: ledger.KindRelease, CreditID: c.ID, Actor: by.Name, Reason: reason},
		ledger.Debit(ledger.Partial(p.MerchantID), applied), ledger.Credit(ledger.Unapplied(p.MerchantID), applied))
	if err != nil {
		return c, p, err
	}
	c.Unapplied, c.Applied = c.Unapplied+applied, 0
	p, err = w.apply(ctx, p, payment.Step{Act: payment.ActPart, Actor: by.Name, Reason: reason, CreditID: c.ID, Receive: -applied})
	return c, p, err
}

func creditAudit(c payment.Credit) any {
	return map[string]any{"outcome": c.Outcome, "payment_id": c.PaymentID, "applied": c.Applied, "unapplied": c.Unapplied, "returned": c.Returned}
}

// Credit returns one bank credit, or CodeNotFound.
func (c *Core) Credit(ctx context.Context, id string) (payment.Credit, error) {
	return view(ctx, c, "credit", func(tx *store.Tx) (payment.Credit, error) { return tx.Credit(ctx, id) })
}

// CreditSearch selects bank credits; empty fields select all.
type CreditSearch struct {
	MerchantID string
	Source     string
	Outcome    payment.Outcome
	PaymentID  string // alone: all credits of one payment, oldest first
	Unapplied  bool   // only those with money that waits for a person
	Before     string // the last id of the page before
	Limit      int    // 1 to 200; 0 is 50
}

// Credits lists bank credits, newest first.
func (c *Core) Credits(ctx context.Context, s CreditSearch) ([]payment.Credit, error) {
	return view(ctx, c, "credits", func(tx *store.Tx) ([]payment.Credit, error) {
		switch {
		case s.PaymentID != "":
			return tx.CreditsOfPayment(ctx, s.PaymentID)
		case s.Unapplied:
			return tx.UnappliedCredits(ctx, s.MerchantID, s.Before, page(s.Limit))
		}
		return tx.SearchCredits(ctx, store.CreditSearch{MerchantID: s.MerchantID, Source: s.Source, Outcome: s.Outcome, Before: s.Before, Limit: page(s.Limit)})
	})
}
