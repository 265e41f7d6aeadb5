package core

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// DefaultRefundWait is how long Refund waits for the acquirer's word.
const DefaultRefundWait = 3 * time.Second

// Refunding is a request to give money of a payment back, by a merchant that
// the dialect has authenticated.
type Refunding struct {
	Merchant  payment.Merchant
	Platform  payment.Merchant // who acts for the merchant; ID "" for nobody
	Dialect   string
	Payment   string // the merchant's reference of the payment
	Reference string // the merchant's id for the refund
	Amount    money.VND
	Reason    string
	// PayOut lets money that came by bank transfer, at a terminal or in cash be
	// refunded too: a person pays it out and says so.
	PayOut bool
}

// Refund gives money of a payment back. It refuses, in this order: account
// states, CodePaymentNotFound, CodeDuplicateReference, CodeMethodNotSupported,
// CodeInvalidState, CodeInvalidAmount. Otherwise the refund is written down,
// its money leaves the sales, and the acquirer is asked; if it answers within
// a few seconds, the refund comes back closed, else under way.
func (c *Core) Refund(ctx context.Context, r Refunding) (payment.Payment, payment.Refund, error) {
	if r.Platform.ID != "" {
		if err := r.Platform.Usable(); err != nil {
			return payment.Payment{}, payment.Refund{}, c.failed("refund", err)
		}
	}
	if err := r.Merchant.Usable(); err != nil {
		return payment.Payment{}, payment.Refund{}, c.failed("refund", err)
	}
	p, err := c.Find(ctx, r.Merchant.ID, r.Dialect, r.Payment)
	if err != nil {
		return payment.Payment{}, payment.Refund{}, err
	}
	var refund payment.Refund
	err = c.update(ctx, "refund", func(w *work) (err error) {
		p, refund, err = w.refund(ctx, p.ID, payment.Refund{Reference: r.Reference, Amount: r.Amount, Actor: ActorMerchant, Reason: r.Reason}, r.PayOut)
		return err
	})
	if err != nil {
		return payment.Payment{}, payment.Refund{}, err
	}
	p, refund = c.awaitRefund(ctx, p, refund)
	return p, refund, nil
}

// RefundByOperator is Refund by a person, who may also refund what has to be
// paid out by hand. An empty reference is made up.
func (c *Core) RefundByOperator(ctx context.Context, by Actor, paymentID, reference string, amount money.VND, reason string) (payment.Payment, payment.Refund, error) {
	if err := checkReason(reason); err != nil {
		return payment.Payment{}, payment.Refund{}, err
	}
	var p payment.Payment
	var refund payment.Refund
	err := c.update(ctx, "refund", func(w *work) (err error) {
		ask := payment.Refund{Reference: reference, Amount: amount, Actor: by.Name, Reason: reason}
		if ask.Reference == "" {
			ask.Reference = "R-" + strings.ReplaceAll(w.core.ids.New(), "-", "")
		}
		if p, refund, err = w.refund(ctx, paymentID, ask, true); err != nil {
			return err
		}
		return w.audit(ctx, by, "payment.refund", paymentID, nil, refundAudit(refund))
	})
	if err != nil {
		return payment.Payment{}, payment.Refund{}, err
	}
	p, refund = c.awaitRefund(ctx, p, refund)
	return p, refund, nil
}

func refundAudit(r payment.Refund) any {
	return map[string]any{"refund_id": r.ID, "reference": r.Reference, "amount": r.Amount, "state": r.State, "manual": r.Manual, "reason": r.Reason}
}

// refund writes a refund down and leaves the call to the outbox.
func (w *work) refund(ctx context.Context, paymentID string, r payment.Refund, payOut bool) (payment.Payment, payment.Refund, error) {
	if err := checkText("refund reference", r.Reference, 1, maxName); err != nil {
		return payment.Payment{}, r, err
	}
	if err := checkNote("reason", r.Reason); err != nil {
		return payment.Payment{}, r, err
	}
	p, err := w.LockPayment(ctx, paymentID)
	if err != nil {
		return p, r, err
	}
	earlier, err := w.Refunds(ctx, p.ID)
	if err != nil {
		return p, r, err
	}
	if slices.ContainsFunc(earlier, func(e payment.Refund) bool { return e.Reference == r.Reference }) {
		return p, r, payment.Fail(payment.CodeDuplicateReference, "this payment has a refund of that reference")
	}
	switch {
	case !payOut && byHand(p.Method):
		return p, r, payment.Fail(payment.CodeMethodNotSupported, "payments by this method cannot be refunded here")
	case p.State != payment.Approved:
		return p, r, payment.Fail(payment.CodeInvalidState, "only an approved payment can be refunded; this one is "+string(p.State))
	case r.Amount <= 0 || r.Amount > p.Refundable():
		return p, r, payment.Fail(payment.CodeInvalidAmount, "of this payment "+p.Refundable().String()+" đồng can be refunded")
	}
	credits, err := w.CreditsOfPayment(ctx, p.ID)
	if err != nil {
		return p, r, err
	}
	source, byAcquirer := refundSource(credits, earlier, r.Amount)
	if !byAcquirer && !payOut {
		return p, r, payment.Fail(payment.CodeInvalidAmount, "no single capture of this payment covers the amount; refund it in parts")
	}
	r.ID, r.PaymentID, r.State, r.CreatedAt, r.UpdatedAt = w.core.ids.New(), p.ID, payment.RefundProcessing, w.now, w.now
	r.CreditID, r.Manual = source.ID, !byAcquirer
	if byAcquirer {
		a, err := w.PaymentAttemptByReference(ctx, source.AccountID, source.ExternalID)
		if err != nil {
			return p, r, err
		}
		r.ConnectorID, r.AttemptID = source.AccountID, a.ID
		if err := w.enqueue(ctx, KindRefund, p, r.ID, KindRefund+":"+a.Kind, w.now); err != nil {
			return p, r, err
		}
	}
	err = w.post(ctx, p, ledger.Entry{Kind: ledger.KindRefund, Actor: r.Actor, Reason: r.Reason},
		ledger.Debit(ledger.Sales(p.MerchantID), r.Amount), ledger.Credit(ledger.Refunding(p.MerchantID), r.Amount))
	if err != nil {
		return p, r, err
	}
	if p, err = w.apply(ctx, p, payment.Step{Act: payment.ActRefund, Actor: r.Actor, Reason: r.Reason, RefundID: r.ID, Refund: r.Amount}); err != nil {
		return p, r, err
	}
	if err := w.AddRefund(ctx, r); err != nil {
		return p, r, err
	}
	if r.Manual {
		r, err = w.refundStaysOpen(ctx, p, r)
	}
	return p, r, err
}

// byHand says whether money of a method is given back by people only.
func byHand(m payment.Method) bool {
	return m == payment.BankTransfer || m == payment.CardPresent || m == payment.COD || m == payment.AtPartner
}

// refundSource is the credit that a refund is taken from: a capture with enough
// of it left, else the first credit, which a person pays back.
func refundSource(credits []payment.Credit, earlier []payment.Refund, amount money.VND) (source payment.Credit, byAcquirer bool) {
	for _, c := range credits {
		left := c.Applied
		for _, r := range earlier {
			if r.CreditID == c.ID && r.State != payment.RefundDenied {
				left -= r.Amount
			}
		}
		if c.Channel == payment.ChannelAcquirer && left >= amount {
			return c, true
		}
		if source.ID == "" && c.Applied > 0 {
			source = c
		}
	}
	return source, false
}

// refundStaysOpen tells the merchant, once, of a refund that did not end at
// once.
func (w *work) refundStaysOpen(ctx context.Context, p payment.Payment, r payment.Refund) (payment.Refund, error) {
	if r.Told {
		return r, nil
	}
	r.Told = true
	events, err := w.Events(ctx, p.ID)
	if err != nil {
		return r, err
	}
	for _, ev := range events {
		if ev.RefundID == r.ID && ev.Act == payment.ActRefund {
			if err := w.owe(ctx, p, ev); err != nil {
				return r, err
			}
		}
	}
	return r, w.SaveRefund(ctx, r)
}

// awaitRefund waits a little for the end of a refund that is written down.
func (c *Core) awaitRefund(ctx context.Context, p payment.Payment, r payment.Refund) (payment.Payment, payment.Refund) {
	if r.Manual {
		return p, r
	}
	signal, leave := c.watchers.join(p.ID)
	defer leave()
	patience := time.NewTimer(c.patience)
	defer patience.Stop()
	look := time.NewTicker(100 * time.Millisecond) // another node may have the work
	defer look.Stop()
	for {
		// It is written down, so a look that fails is no refusal.
		now, err := c.FindRefund(ctx, p.ID, r.Reference)
		if err != nil {
			return p, r
		}
		if now.State != payment.RefundProcessing || now.Told || now.Manual {
			after, err := c.Payment(ctx, p.ID)
			if err != nil {
				return p, r
			}
			return after, now
		}
		select {
		case <-signal:
		case <-look.C:
		case <-patience.C:
			return p, r
		case <-ctx.Done():
			return p, r // whoever asks learns of it
		}
	}
}

// RefundWord is what an acquirer, or a person, says of a refund.
type RefundWord struct {
	// Outcome is RefundApproved, RefundDenied or RefundProcessing (it is under
	// way).
	Outcome    payment.RefundState
	ExternalID string
	Code       string
	Text       string
	Failure    payment.Code // why it was denied, as far as there is a code for it
	Actor      string       // "" is the acquirer
}

// ResolveRefund takes in what became of a refund. The same word again changes
// nothing; CodeConflict when it contradicts an earlier one, which then waits
// for a person.
func (c *Core) ResolveRefund(ctx context.Context, id string, word RefundWord) (payment.Refund, error) {
	word.ExternalID, word.Code, word.Text = pan.HideInName(word.ExternalID), pan.Hide(word.Code), pan.Hide(word.Text)
	if word.Actor == "" {
		word.Actor = ActorAcquirer
	}
	var conflict error
	r, err := c.onRefund(ctx, "resolve_refund", id, func(w *work, r *payment.Refund, p payment.Payment) (err error) {
		conflict = nil
		if r.State != payment.RefundProcessing {
			if word.Outcome != payment.RefundProcessing && word.Outcome != r.State {
				r.Review, r.Text = true, "the acquirer had said "+string(r.State)+", then "+string(word.Outcome)+" ("+word.Code+")"
				conflict = payment.Fail(payment.CodeConflict, r.Text)
			}
			return nil
		}
		r.Code, r.Text, r.Failure = word.Code, word.Text, word.Failure
		if word.ExternalID != "" {
			r.ExternalID = word.ExternalID
		}
		if word.Outcome == payment.RefundProcessing {
			*r, err = w.refundStaysOpen(ctx, p, *r)
			return err
		}
		return w.closeRefund(ctx, p, r, word)
	})
	if err == nil {
		err = conflict
	}
	return r, err
}

// onRefund runs a verb on a refund whose payment is locked, and saves it.
func (c *Core) onRefund(ctx context.Context, verb, id string, fn func(w *work, r *payment.Refund, p payment.Payment) error) (payment.Refund, error) {
	var r payment.Refund
	err := c.update(ctx, verb, func(w *work) error {
		known, err := w.Tx.Refund(ctx, id)
		if err != nil {
			return err
		}
		p, err := w.LockPayment(ctx, known.PaymentID)
		if err != nil {
			return err
		}
		if r, err = w.Tx.Refund(ctx, id); err != nil {
			return err
		}
		if err := fn(w, &r, p); err != nil {
			return err
		}
		if w.now.After(r.UpdatedAt) {
			r.UpdatedAt = w.now
		}
		r.ExternalID, r.Code, r.Text = cut(pan.HideInName(r.ExternalID), maxCreditText), cut(pan.Hide(r.Code), maxCreditText), cut(pan.Hide(r.Text), maxReason)
		return w.SaveRefund(ctx, r)
	})
	return r, err
}

// closeRefund ends a refund: its money has gone back, or is the merchant's
// again.
func (w *work) closeRefund(ctx context.Context, p payment.Payment, r *payment.Refund, word RefundWord) error {
	act, kind, to := payment.ActRefundDenied, ledger.KindRefused, ledger.Sales(p.MerchantID)
	r.State, r.Review = word.Outcome, false
	if word.Outcome == payment.RefundApproved {
		credit, err := w.Credit(ctx, r.CreditID)
		if err != nil {
			return err
		}
		act, kind, to = payment.ActRefunded, ledger.KindRefunded, holdingOf(credit)
	}
	err := w.post(ctx, p, ledger.Entry{Kind: kind, CreditID: r.CreditID, Actor: word.Actor, Reason: word.Text},
		ledger.Debit(ledger.Refunding(p.MerchantID), r.Amount), ledger.Credit(to, r.Amount))
	if err != nil {
		return err
	}
	p, err = w.apply(ctx, p, payment.Step{Act: act, Actor: word.Actor, Reason: word.Text, RefundID: r.ID, CreditID: r.CreditID, Refund: r.Amount})
	if word.Outcome == payment.RefundApproved {
		r.CompletedAt = p.UpdatedAt
	}
	return err
}

// AskRefund records, before the call, that the acquirer is about to be asked
// for a refund. Again says that it was recorded before: whether the acquirer
// was asked then is not known.
func (c *Core) AskRefund(ctx context.Context, id string) (r payment.Refund, again bool, err error) {
	r, err = c.onRefund(ctx, "ask_refund", id, func(_ *work, r *payment.Refund, _ payment.Payment) error {
		again = r.Asked
		r.Asked = true
		return nil
	})
	return r, again, err
}

// RefundNotAsked records that the acquirer has not got the request after all.
func (c *Core) RefundNotAsked(ctx context.Context, id, text string) (payment.Refund, error) {
	return c.onRefund(ctx, "refund_not_asked", id, func(w *work, r *payment.Refund, p payment.Payment) (err error) {
		if r.State != payment.RefundProcessing {
			return nil
		}
		r.Asked, r.Text = false, text
		*r, err = w.refundStaysOpen(ctx, p, *r)
		return err
	})
}

// RefundByHand leaves a refund to a person: its acquirer takes none by
// program.
func (c *Core) RefundByHand(ctx context.Context, id, text string) (payment.Refund, error) {
	return c.onRefund(ctx, "refund_by_hand", id, func(w *work, r *payment.Refund, p payment.Payment) (err error) {
		if r.State != payment.RefundProcessing {
			return nil
		}
		r.Manual, r.Text = true, text
		*r, err = w.refundStaysOpen(ctx, p, *r)
		return err
	})
}

// RefundUncertain records that nobody knows what became of a refund. When
// review is set nobody is asked any more but a person.
func (c *Core) RefundUncertain(ctx context.Context, id, text string, review bool) (payment.Refund, error) {
	return c.onRefund(ctx, "refund_uncertain", id, func(w *work, r *payment.Refund, p payment.Payment) (err error) {
		if r.State != payment.RefundProcessing {
			return nil
		}
		r.Text, r.Review = text, r.Review || review
		*r, err = w.refundStaysOpen(ctx, p, *r)
		return err
	})
}

// JudgeRefund lets a person say what became of a refund: one that is made by
// hand, or one that nobody could find out about.
func (c *Core) JudgeRefund(ctx context.Context, by Actor, id string, paid bool, reason string) (payment.Refund, error) {
	if err := checkReason(reason); err != nil {
		return payment.Refund{}, err
	}
	return c.onRefund(ctx, "judge_refund", id, func(w *work, r *payment.Refund, p payment.Payment) error {
		before := refundAudit(*r)
		switch {
		case r.State != payment.RefundProcessing && r.Review:
			r.Review = false // looked at; what is booked stays
			return w.audit(ctx, by, "refund.judge", id, before, refundAudit(*r))
		case r.State != payment.RefundProcessing:
			return payment.Fail(payment.CodeInvalidState, "the refund is "+string(r.State))
		case !r.Manual && !r.Review:
			return payment.Fail(payment.CodeInvalidState, "the acquirer is still being asked")
		}
		word := RefundWord{Outcome: payment.RefundDenied, Text: reason, Actor: by.Name}
		if paid {
			word.Outcome = payment.RefundApproved
		}
		r.Text = reason
		if err := w.closeRefund(ctx, p, r, word); err != nil {
			return err
		}
		return w.audit(ctx, by, "refund.judge", id, before, refundAudit(*r))
	})
}

// Refunds lists a payment's refunds, oldest first.
func (c *Core) Refunds(ctx context.Context, paymentID string) ([]payment.Refund, error) {
	return view(ctx, c, "refunds", func(tx *store.Tx) ([]payment.Refund, error) { return tx.Refunds(ctx, paymentID) })
}

// FindRefund returns one refund by the merchant's id for it, or
// CodeRefundNotFound.
func (c *Core) FindRefund(ctx context.Context, paymentID, reference string) (payment.Refund, error) {
	return view(ctx, c, "find_refund", func(tx *store.Tx) (payment.Refund, error) { return tx.RefundByReference(ctx, paymentID, reference) })
}

// RefundByID returns a refund by our own id, or CodeRefundNotFound.
func (c *Core) RefundByID(ctx context.Context, id string) (payment.Refund, error) {
	return view(ctx, c, "find_refund", func(tx *store.Tx) (payment.Refund, error) { return tx.Refund(ctx, id) })
}

// RefundsForPerson lists the refunds that a person has to make or to look at,
// newest first.
func (c *Core) RefundsForPerson(ctx context.Context, merchantID, before string, limit int) ([]payment.Refund, error) {
	return view(ctx, c, "refunds", func(tx *store.Tx) ([]payment.Refund, error) {
		return tx.RefundsForPerson(ctx, merchantID, before, page(limit))
	})
}

// RefundedBefore is what was refunded of the same capture before a refund, or
// may still be.
func (c *Core) RefundedBefore(ctx context.Context, r payment.Refund) (money.VND, error) {
	all, err := c.Refunds(ctx, r.PaymentID)
	var sum money.VND
	for _, e := range all {
		if e.ID == r.ID {
			break
		}
		if e.CreditID == r.CreditID && e.State != payment.RefundDenied {
			sum += e.Amount
		}
	}
	return sum, err
}
