package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// day lets every shop live a day of about so many sales.
func (w *world) day(sales int) {
	end := w.now().Add(24 * time.Hour)
	for _, s := range w.shops {
		for range sales {
			w.after(w.minutes(0, 24*60-40), func() { w.sell(s) })
		}
		if w.chance(w.weather * 2) {
			w.after(w.minutes(0, 12*60), func() { s.down = true })
			w.after(w.minutes(12*60, 23*60), func() { s.down = false })
		}
	}
	w.every(2*time.Minute, end, w.work)
	w.every(5*time.Minute, end, w.expire)
	w.every(time.Hour, end, w.catchUp)
	w.every(3*time.Hour, end, w.operate)
	if w.chance(w.weather * 4) {
		w.after(w.minutes(0, 24*60), w.die)
	}
	w.live(end)
}

// sell opens a payment and decides what its payer will do.
func (w *world) sell(s *shop) {
	o := core.Opening{
		Merchant: s.party.Merchant, Dialect: coretest.Name, Reference: fmt.Sprintf("S%06d", w.opened), Amount: money.VND(1000 * (10 + w.dice.Int64N(490))),
		Methods: []payment.Method{payment.BankTransfer, payment.DomesticCard},
	}
	w.opened++
	var p, answer payment.Payment
	done, answered, err := w.insist("opening "+o.Reference, func() (err error) {
		answer, err = w.core.Open(w.ctx(), o)
		return err
	}, func() bool {
		found, err := w.core.Find(w.ctx(), o.Merchant.ID, o.Dialect, o.Reference)
		if payment.CodeOf(err) == payment.CodePaymentNotFound {
			return false
		}
		w.must(err)
		if p.ID != "" && found.ID != p.ID {
			w.t.Fatalf("seed %d: %s was payment %s, now it is %s", w.seed, o.Reference, p.ID, found.ID)
		}
		p = found
		return true
	})
	switch {
	case answered && err == nil && answer.ID != p.ID:
		w.t.Fatalf("seed %d: %s is payment %s, the answer was %s", w.seed, o.Reference, p.ID, answer.ID)
	case answered && err != nil && !(done && payment.CodeOf(err) == payment.CodeDuplicateReference):
		w.must(err)
	case !done:
		return // the shop has given up
	}
	if p.Amount != o.Amount || p.MerchantID != o.Merchant.ID {
		w.t.Fatalf("seed %d: %s was opened with %d, and has %d", w.seed, o.Reference, o.Amount, p.Amount)
	}
	err = w.ask(func() error { _, err := w.core.Open(w.ctx(), o); return err })
	if payment.CodeOf(err) != payment.CodeDuplicateReference {
		w.unanswered("the same reference again", errors.Join(err, map[bool]error{true: errors.New("it was opened twice")}[err == nil]))
	}
	x := &sale{shop: s, p: p, reference: o.Reference, refunds: map[string]*payment.Refund{}, expected: expected{amount: o.Amount, state: payment.Open, due: p.DueAt}}
	w.sales = append(w.sales, x)
	w.byID[p.ID] = x
	if !answered {
		w.agree(x)
		return // the shop does not know that it has it
	}
	half := x.amount / 2
	switch w.dice.IntN(12) {
	case 0, 1, 2, 3:
		w.pay(x, x.amount, w.minutes(1, 20))
	case 4:
		w.pay(x, half, w.minutes(1, 20))
		w.pay(x, x.amount-half, w.minutes(1, 35))
	case 5:
		w.pay(x, x.amount+1000, w.minutes(1, 20))
	case 6: // twice, or too late
		w.pay(x, x.amount, w.minutes(1, 50))
		w.pay(x, x.amount, w.minutes(1, 50))
	case 7:
		w.pay(x, half, w.minutes(1, 25))
		w.after(w.minutes(1, 29), func() { w.cancel(x) })
	case 8: // walks away
	default:
		w.after(w.minutes(0, 10), func() { w.byCard(x) })
	}
	if w.chance(0.3) {
		w.after(w.minutes(30, 10*60), func() { w.refund(x) })
	}
	w.agree(x)
}

// pay makes a transfer at the bank. Its notifier tells of it soon, late, twice
// or never.
func (w *world) pay(x *sale, amount money.VND, in time.Duration) {
	w.after(in, func() {
		a := x.shop.party.Account
		t := &transfer{sale: x, credit: payment.Credit{
			ExternalID: fmt.Sprintf("B%07d", len(w.transfer)), Reference: fmt.Sprintf("FT%07d", len(w.transfer)), BIN: a.BIN, Account: a.Number, Amount: amount,
			Currency: "VND", Direction: payment.In, Memo: "CK " + x.p.Transfer.Memo() + " cam on", OccurredAt: w.now(),
		}}
		if a.Recognise == payment.ByVirtualAccount {
			t.credit.VirtualAccount = x.p.Transfer.Number
		}
		if w.chance(0.03) { // the payer writes what he likes, to the account itself
			t.sale, t.credit.Memo, t.credit.VirtualAccount = nil, "tien hang", ""
		}
		w.transfer = append(w.transfer, t)
		if w.chance(w.weather) {
			return // found when the statement is asked for
		}
		for range 1 + w.dice.IntN(2) {
			w.after(time.Duration(w.dice.Int64N(int64(3*time.Minute))), func() { w.push(t, patience) })
		}
		if w.chance(0.1) {
			w.after(w.minutes(60, 7*24*60), func() { w.tell(t) })
		}
	})
}

// push tells of a transfer, again when that was not taken in.
func (w *world) push(t *transfer, tries int) {
	if !w.tell(t) && tries > 1 {
		w.after(w.minutes(1, 15), func() { w.push(t, tries-1) })
	}
}

// tell brings transfers to the gateway, and says whether they were taken in.
func (w *world) tell(all ...*transfer) bool {
	credits := make([]payment.Credit, len(all))
	for i, t := range all {
		credits[i] = t.credit
		if t.sale != nil {
			w.agree(t.sale)
		}
	}
	var taken []core.Taken
	err := w.ask(func() (err error) {
		taken, err = w.core.TakeCredits(w.ctx(), w.feed, "", credits)
		return err
	})
	for i, t := range all {
		var outcome payment.Outcome
		switch {
		case err == nil && len(taken) != len(all):
			w.t.Fatalf("seed %d: transfers were answered with success and without a verdict", w.seed)
		case err == nil && taken[i].Replayed != t.taken:
			w.t.Fatalf("seed %d: transfer %s is told again: %v, the gateway says %v", w.seed, t.credit.ExternalID, t.taken, taken[i].Replayed)
		case t.taken:
			continue
		case err == nil:
			outcome = taken[i].Credit.Outcome
		default:
			w.unanswered("transfers", err)
			if outcome = w.has(t); outcome == "" {
				continue
			}
			if _, known := failed(err); known {
				w.t.Fatalf("seed %d: transfer %s was taken in, and the gateway said that it was not: %v", w.seed, t.credit.ExternalID, err)
			}
		}
		if t.taken = true; t.sale != nil {
			t.sale.money(w.now(), t.credit.Amount)
		} else if outcome != payment.OutcomeUnknown {
			w.t.Fatalf("seed %d: a transfer without a code became %s", w.seed, outcome)
		}
	}
	for _, t := range all {
		if t.taken != all[0].taken && err != nil {
			w.t.Fatalf("seed %d: of transfers that were told together, %s was taken in and %s was not", w.seed, all[0].credit.ExternalID, t.credit.ExternalID)
		}
		if t.sale != nil {
			w.agree(t.sale)
		}
	}
	return err == nil
}

// has looks for a transfer among those that the gateway has taken in last, and
// says what became of it there; "" when it is not there.
func (w *world) has(t *transfer) payment.Outcome {
	last, err := w.core.Credits(w.ctx(), core.CreditSearch{Source: w.feed.Name, Limit: 200})
	w.must(err)
	for _, c := range last {
		if c.ExternalID == t.credit.ExternalID {
			return c.Outcome
		}
	}
	return ""
}

// catchUp asks for the bank's statement.
func (w *world) catchUp() {
	var missed []*transfer
	for _, t := range w.transfer {
		if !t.taken {
			missed = append(missed, t)
		}
	}
	for len(missed) > 0 {
		n := min(len(missed), 50)
		if !w.tell(missed[:n]...) {
			return // in an hour
		}
		missed = missed[n:]
	}
}

// byCard sends the payer to the acquirer.
func (w *world) byCard(x *sale) {
	w.agree(x)
	open := x.state == payment.Open
	err := w.ask(func() error {
		_, err := w.cards.Start(w.ctx(), x.p.ID, payment.DomesticCard, "192.0.2.7")
		return err
	})
	w.agree(x)
	if err != nil {
		if code := payment.CodeOf(err); code != payment.CodeInvalidState && code != payment.CodeConflict {
			w.unanswered("start", err)
		}
		if (open || x.state == payment.Processing) && w.chance(0.5) {
			w.after(w.minutes(2, 10), func() { w.byCard(x) }) // the payer tries again
		}
		return
	}
	attempts, err := w.core.PaymentAttempts(w.ctx(), x.p.ID)
	w.must(err)
	if len(attempts) == 0 {
		w.t.Fatalf("seed %d: sending the payer of %s was answered with success and not written down", w.seed, x.reference)
	}
	last := attempts[len(attempts)-1]
	o := w.acquirer.orders[last.Reference]
	if o == nil {
		w.t.Fatalf("seed %d: the payer of %s is sent to an acquirer that has no order %s", w.seed, x.reference, last.Reference)
	}
	switch w.dice.IntN(10) {
	case 0: // walks away from the acquirer's page
	case 1, 2: // declined, and tries again
		w.after(w.minutes(0, 5), func() {
			if o.charged {
				return
			}
			o.declined = true
			w.notice(x, word{Reference: last.Reference, Outcome: card.Failed})
			w.after(w.minutes(0, 3), func() { w.byCard(x) })
		})
	case 3: // goes back, pays by transfer, and perhaps on the other tab too
		w.after(w.minutes(0, 5), func() {
			w.leave(x, last.ID)
			w.pay(x, x.amount, w.minutes(0, 10))
			if w.chance(0.3) {
				w.after(w.minutes(0, 10), func() { w.charge(x, o) })
			}
		})
	default:
		w.after(w.minutes(0, 15), func() { w.charge(x, o) })
	}
}

// charge takes the payer's money at the acquirer, who tells of it, or not.
func (w *world) charge(x *sale, o *order) {
	if o.charged || o.declined || w.now().After(o.attempt.ExpiresAt) {
		return
	}
	o.charged = true
	w.after(time.Duration(w.dice.Int64N(int64(10*time.Minute))), func() {
		w.notice(x, word{Reference: o.attempt.Reference, Outcome: card.Done, Amount: o.attempt.Amount})
	})
}

// leave has the payer choose another way to pay.
func (w *world) leave(x *sale, attempt string) {
	w.agree(x)
	left := func() bool {
		a, err := w.core.Attempt(w.ctx(), attempt)
		w.must(err)
		return a.Left
	}
	if left() {
		return
	}
	done, answered, err := w.insist("leaving "+x.reference, func() error { return w.cards.Leave(w.ctx(), x.p.ID) }, left)
	if answered && err != nil && payment.CodeOf(err) != payment.CodeInvalidState {
		w.must(err)
	}
	if done {
		x.left(w.now())
	}
	w.agree(x)
}

func (w *world) cancel(x *sale) {
	w.agree(x)
	if x.state == payment.Canceled {
		return
	}
	done, answered, err := w.insist("canceling "+x.reference, func() error {
		_, err := w.core.Cancel(w.ctx(), x.p.ID, "payer", "")
		return err
	}, func() bool {
		p, err := w.core.Payment(w.ctx(), x.p.ID)
		w.must(err)
		return p.State == payment.Canceled
	})
	if answered && err != nil && payment.CodeOf(err) != payment.CodeInvalidState {
		w.must(err)
	}
	if answered && (x.state == payment.Open) != done || done && x.state != payment.Open {
		w.t.Fatalf("seed %d: cancel of a payment that is %s: %v", w.seed, x.state, err)
	}
	if done {
		x.end(payment.Canceled)
	}
	w.agree(x)
}

func (w *world) expire() {
	if err := w.idle(func() error { _, err := w.core.ExpireDue(w.ctx()); return err }); err != nil {
		w.unanswered("expiry", err) // the next look does it
	}
}

func (w *world) refund(x *sale) {
	amount := money.VND(1000 * (1 + w.dice.Int64N(int64(x.amount/1000))))
	w.agree(x)
	possible := amount <= x.refundable()
	w.refunds++
	reference := fmt.Sprintf("R%06d", w.refunds)
	var r payment.Refund
	done, answered, err := w.insist("refund "+reference, func() error {
		_, _, err := w.core.RefundByOperator(w.ctx(), coretest.Operator, x.p.ID, reference, amount, "goods came back")
		return err
	}, func() bool {
		found, err := w.core.FindRefund(w.ctx(), x.p.ID, reference)
		if payment.CodeOf(err) == payment.CodeRefundNotFound {
			return false
		}
		w.must(err)
		r = found
		return true
	})
	switch {
	case done && (!possible || r.Amount != amount):
		w.t.Fatalf("seed %d: refund of %d, asked for with %d of %d: %v", w.seed, r.Amount, amount, x.refundable(), err)
	case answered && done && err != nil && payment.CodeOf(err) != payment.CodeDuplicateReference, answered && !done && possible:
		w.t.Fatalf("seed %d: refund %d of %d: %v", w.seed, amount, x.refundable(), err)
	case done:
		x.refunds[r.ID] = &r
		x.refunding += amount
	}
	w.agree(x)
}

// operate is a person who looks at the lists.
func (w *world) operate() {
	unapplied, err := w.core.Credits(w.ctx(), core.CreditSearch{Unapplied: true, Limit: 200})
	w.must(err)
	for _, c := range unapplied {
		if !w.chance(0.5) {
			continue
		}
		if x := w.byID[c.PaymentID]; x != nil {
			w.agree(x)
		}
		done, answered, err := w.insist("return of "+c.ExternalID, func() error {
			_, err := w.core.Return(w.ctx(), coretest.Operator, c.ID, 0, "sent back")
			return err
		}, func() bool {
			now, err := w.core.Credit(w.ctx(), c.ID)
			w.must(err)
			return now.Unapplied == 0
		})
		if answered && err != nil && !(done && payment.CodeOf(err) == payment.CodeInvalidState) {
			w.must(err)
		}
		if !done {
			continue
		}
		x := w.byID[c.PaymentID]
		if c.Outcome == payment.OutcomeOver {
			x.received -= c.Unapplied
		} else if x != nil {
			x.unapplied -= c.Unapplied
		}
		s := w.shopOf(c)
		if c.Channel == payment.ChannelAcquirer {
			s.back += c.Unapplied
		} else {
			s.paid += c.Unapplied
		}
		if x != nil {
			w.agree(x)
		}
	}
	refunds, err := w.core.RefundsForPerson(w.ctx(), "", "", 200)
	w.must(err)
	for _, r := range refunds {
		x := w.byID[r.PaymentID]
		paid, decided := w.judged[r.ID]
		if !decided {
			paid = !w.chance(0.1)
			if !r.Manual { // the acquirer's portal knows
				a, err := w.core.Attempt(w.ctx(), r.AttemptID)
				w.must(err)
				real := w.acquirer.orders[a.Reference].refunds[r.ID]
				paid = real != nil && real.done
			} else if paid {
				x.shop.paid += r.Amount
			}
			w.judged[r.ID] = paid
		}
		done, answered, err := w.insist("judging refund "+r.Reference, func() error {
			_, err := w.core.JudgeRefund(w.ctx(), coretest.Operator, r.ID, paid, "as the bank says")
			return err
		}, func() bool {
			now, err := w.core.RefundByID(w.ctx(), r.ID)
			w.must(err)
			return now.State != payment.RefundProcessing
		})
		if answered && err != nil && !(done && payment.CodeOf(err) == payment.CodeInvalidState) {
			w.must(err)
		}
		w.agree(x)
	}
	reviews, err := w.core.AttemptsForReview(w.ctx(), "", "", 200)
	w.must(err)
	for _, a := range reviews {
		o := w.acquirer.orders[a.Reference]
		err := w.ask(func() error {
			_, err := w.core.JudgeAttempt(w.ctx(), coretest.Operator, a.ID, o != nil && o.charged, "as the portal says")
			return err
		})
		if err != nil {
			w.unanswered("judging an attempt", err) // it stays on the list
		}
		w.agree(w.byID[a.PaymentID])
	}
}

func (w *world) shopOf(c payment.Credit) *shop {
	for _, s := range w.shops {
		if s.party.Merchant.ID == c.MerchantID {
			return s
		}
	}
	w.t.Fatalf("seed %d: a credit of nobody: %+v", w.seed, c)
	return nil
}

// agree fails unless a payment is what it has to be.
func (w *world) agree(x *sale) {
	w.t.Helper()
	w.learn(x)
	x.pass(w.now())
	p, err := w.core.Payment(w.ctx(), x.p.ID)
	w.must(err)
	if p.State == payment.Open && !w.now().Before(p.DueAt) {
		p.State, p.Received = payment.Expired, 0 // as soon as somebody looks
	}
	if p.State != x.state || p.Received != x.received || p.Refunded != x.refunded || p.Refunding != x.refunding {
		events, _ := w.core.Events(w.ctx(), x.p.ID)
		var story strings.Builder
		for _, ev := range events {
			fmt.Fprintf(&story, "\n  %s %s %s -> %s, %d received (%s)", ev.At.Format(time.TimeOnly), ev.Act, ev.From, ev.To, ev.Received, ev.Reason)
		}
		w.t.Fatalf("seed %d, %s: %s is %s with %d received, %d + %d refunded; it has to be %s with %d, %d + %d%s", w.seed, w.now().Format(time.DateTime), x.reference,
			p.State, p.Received, p.Refunded, p.Refunding, x.state, x.received, x.refunded, x.refunding, story.String())
	}
}

// learn takes in, from the gateway's own log, when it heard of the truth; that
// what it heard is the truth is checked here.
func (w *world) learn(x *sale) {
	attempts, err := w.core.PaymentAttempts(w.ctx(), x.p.ID)
	w.must(err)
	for _, a := range attempts {
		if x.seen == nil {
			x.seen = map[string]payment.AttemptState{}
		}
		before := x.seen[a.ID]
		if before == a.State {
			continue
		}
		x.seen[a.ID] = a.State
		o := w.acquirer.orders[a.Reference]
		switch a.State {
		case payment.AttemptSent, payment.AttemptUnknown:
			if !a.Left && (before == "" || before == payment.AttemptCreating) {
				x.sent()
			}
		case payment.AttemptDone:
			if o == nil || !o.charged {
				w.t.Fatalf("seed %d: %s was taken as paid, and is not", w.seed, a.Reference)
			}
			x.money(a.ClosedAt, a.Amount)
		case payment.AttemptFailed:
			if o != nil && o.charged {
				w.t.Fatalf("seed %d: %s was taken as not paid, and is", w.seed, a.Reference)
			}
			if a.Sent() || before == payment.AttemptUnknown {
				x.failed(a, maxTries)
			}
		}
	}
	refunds, err := w.core.Refunds(w.ctx(), x.p.ID)
	w.must(err)
	for _, r := range refunds {
		known := x.refunds[r.ID]
		if known == nil || known.State == r.State {
			continue
		}
		known.State = r.State
		x.refunding -= r.Amount
		if r.State == payment.RefundApproved {
			x.refunded += r.Amount
		}
		if r.Manual {
			continue
		}
		a, err := w.core.Attempt(w.ctx(), r.AttemptID)
		w.must(err)
		real := w.acquirer.orders[a.Reference].refunds[r.ID]
		if done := real != nil && real.done; done != (r.State == payment.RefundApproved) {
			w.t.Fatalf("seed %d: refund %s is %s, the acquirer has %+v", w.seed, r.ID, r.State, real)
		}
	}
}

// failed is the end of a try that came to nothing.
func (x *sale) failed(a payment.Attempt, most int) {
	switch {
	case !a.Sent(): // nobody was sent there, so it is no try of the payer's
		x.left(a.ClosedAt)
	case a.Left:
		x.tries++
	default:
		x.declined(a.ClosedAt, most)
	}
}
