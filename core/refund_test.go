package core_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"pgregory.net/rapid"
)

type ledgerEntry = ledger.Entry

func (a acquirer) refund(p payment.Payment, reference string, amount money.VND) (payment.Payment, payment.Refund, error) {
	return a.Core.Refund(a.t.Context(), core.Refunding{
		Merchant: a.Memo.Merchant, Dialect: p.Dialect, Payment: p.Reference, Reference: reference, Amount: amount,
	})
}

func (a acquirer) resolveRefund(r payment.Refund, outcome payment.RefundState) payment.Refund {
	a.t.Helper()
	r, err := a.Core.ResolveRefund(a.t.Context(), r.ID, core.RefundWord{Outcome: outcome, ExternalID: "rx", Code: "00", Text: "words"})
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}

// A refund's money leaves the sales when it is asked for, and goes back to the
// acquirer or to the sales when it ends.
func TestRefundsMoney(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.pay(90_000)
		sales, refunding, bank := "merchant:"+p.MerchantID+":sales", "merchant:"+p.MerchantID+":refunding", "acquirer:"+a.conn.ID
		want := func(what string, s, r, b money.VND) {
			t.Helper()
			if got := e.Balances(); got[sales] != -s || got[refunding] != -r || got[bank] != b {
				t.Errorf("%s: %v", what, got)
			}
		}
		p, first, err := a.refund(p, "RF-1", 40_000)
		if err != nil || first.State != payment.RefundProcessing || p.Refunding != 40_000 || p.Refunded != 0 || p.Received != 90_000 {
			t.Fatalf("asked for: %+v, %+v, %v", p, first, err)
		}
		want("under way", 50_000, 40_000, 90_000)
		_, _, err = a.refund(p, "RF-1", 1)
		wantCode(t, "the same reference", err, payment.CodeDuplicateReference)
		_, _, err = a.refund(p, "RF-2", 50_001)
		wantCode(t, "too much", err, payment.CodeInvalidAmount)
		_, second, err := a.refund(p, "RF-2", 50_000)
		if err != nil {
			t.Fatal(err)
		}
		want("both under way", 0, 90_000, 90_000)

		if done := a.resolveRefund(first, payment.RefundApproved); done.State != payment.RefundApproved || done.CompletedAt.IsZero() || done.ExternalID != "rx" {
			t.Errorf("approved: %+v", done)
		}
		want("one paid", 0, 50_000, 50_000)
		a.resolveRefund(first, payment.RefundApproved) // told again
		a.resolveRefund(second, payment.RefundDenied)
		want("the other denied", 50_000, 0, 50_000)
		if now := e.Reload(p); now.Refunded != 40_000 || now.Refunding != 0 || now.State != payment.Approved || now.Refundable() != 50_000 {
			t.Errorf("at the end: %+v", now)
		}
		_, _, err = a.refund(p, "RF-2", 1)
		wantCode(t, "a denied one's reference", err, payment.CodeDuplicateReference)
		_, err = e.Core.ResolveRefund(t.Context(), first.ID, core.RefundWord{Outcome: payment.RefundDenied})
		wantCode(t, "denied after approved", err, payment.CodeConflict)
		if list := must[[]payment.Refund](t)(e.Core.RefundsForPerson(t.Context(), p.MerchantID, "", 0)); len(list) != 1 || list[0].ID != first.ID {
			t.Errorf("a person's list has %+v", list)
		}
		checkPayment(t, e, p.ID)
	})
}

// What cannot be refunded, in the order of the checks.
func TestRefundRefusals(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		open, byBank := a.open(1000), e.Open(e.Memo, 1000)
		a.send(open)
		e.Pay(byBank, 1000)
		for _, c := range []struct {
			name    string
			payment payment.Payment
			amount  money.VND
			want    payment.Code
		}{
			{"no such payment", payment.Payment{Dialect: open.Dialect, Reference: "nobody"}, 1, payment.CodePaymentNotFound},
			{"not paid", open, 1, payment.CodeInvalidState},
			{"by bank transfer", byBank, 1, payment.CodeMethodNotSupported},
			{"nothing", a.pay(1000), 0, payment.CodeInvalidAmount},
			{"less than nothing", a.pay(1000), -1, payment.CodeInvalidAmount},
			{"more than was paid", a.pay(1000), 1001, payment.CodeInvalidAmount},
		} {
			_, _, err := a.refund(c.payment, "RF", c.amount)
			wantCode(t, c.name, err, c.want)
		}
		p := a.pay(1000)
		locked := payment.MerchantLocked
		a.Memo.Merchant = must[payment.Merchant](t)(e.Core.ChangeMerchant(t.Context(), coretest.Operator, p.MerchantID, core.MerchantChange{State: &locked}))
		_, _, err := a.refund(p, "RF", 1)
		wantCode(t, "a locked merchant", err, payment.CodeMerchantLocked)
	})
}

// Money that came by bank transfer is paid out by a person, who says so.
func TestPayOut(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		p := e.Open(e.Memo, 1000)
		p = e.Pay(p, 1200).Payment // the excess of 200 is no part of it
		_, _, err := e.Core.RefundByOperator(t.Context(), coretest.Operator, p.ID, "", 1001, "goods came back")
		wantCode(t, "the excess", err, payment.CodeInvalidAmount)
		p, r, err := e.Core.RefundByOperator(t.Context(), coretest.Operator, p.ID, "", 1000, "goods came back")
		if err != nil || !r.Manual || r.State != payment.RefundProcessing || p.Refunding != 1000 {
			t.Fatalf("asked for: %+v, %+v, %v", p, r, err)
		}
		list := must[[]payment.Refund](t)(e.Core.RefundsForPerson(t.Context(), p.MerchantID, "", 0))
		if len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("a person's list has %+v", list)
		}
		if r, err = e.Core.JudgeRefund(t.Context(), coretest.Operator, r.ID, true, "FT123 of today"); err != nil || r.State != payment.RefundApproved {
			t.Fatalf("paid out: %+v, %v", r, err)
		}
		_, err = e.Core.JudgeRefund(t.Context(), coretest.Operator, r.ID, false, "no")
		wantCode(t, "judged again", err, payment.CodeInvalidState)
		if b := e.Balances(); b["bank:"+e.Memo.Account.ID] != 200 || b["merchant:"+p.MerchantID+":refunding"] != 0 || b["merchant:"+p.MerchantID+":sales"] != 0 {
			t.Errorf("balances %v", b)
		}
		checkPayment(t, e, p.ID)
	})
}

// Refunds that are asked for at once never exceed what was paid.
func TestRefundsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		for round := range rounds(5) {
			p := a.pay(1000)
			var granted atomic.Int64
			atOnce(12, func(i int) {
				// Every reference is used twice.
				_, r, err := a.refund(p, fmt.Sprintf("RF-%d-%d", round, i/2), 300)
				switch code := payment.CodeOf(err); {
				case err == nil:
					granted.Add(1)
					if i%3 == 0 {
						a.resolveRefund(r, payment.RefundApproved)
					}
				case code != payment.CodeInvalidAmount && code != payment.CodeDuplicateReference:
					t.Error(err)
				}
			})
			now := e.Reload(p)
			if granted.Load() != 3 || now.Refunded+now.Refunding != 900 {
				t.Errorf("%d refunds of 300 were granted: %+v", granted.Load(), now)
			}
			checkPayment(t, e, p.ID)
		}
		e.Balances()
	})
}

// Whatever happens to refunds in whatever order, what is refunded and being
// refunded is the sum of the refunds, and never more than was paid.
func TestRefundProperty(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		checksOn(t, e.Store.Engine(), func() {
			rapid.Check(t, func(rt *rapid.T) {
				p := a.pay(100)
				var refunds []payment.Refund
				for i := range rapid.IntRange(1, 8).Draw(rt, "steps") {
					if len(refunds) == 0 || rapid.Bool().Draw(rt, "ask") {
						amount := money.VND(rapid.Int64Range(0, 60).Draw(rt, "amount"))
						left := e.Reload(p).Refundable()
						_, r, err := a.refund(p, fmt.Sprint("RF-", i), amount)
						if want := amount > 0 && amount <= left; (err == nil) != want {
							rt.Fatalf("refund %d of %d: %v", amount, left, err)
						}
						if err == nil {
							refunds = append(refunds, r)
						}
						continue
					}
					r := rapid.SampledFrom(refunds).Draw(rt, "refund")
					word := rapid.SampledFrom([]payment.RefundState{payment.RefundApproved, payment.RefundDenied, payment.RefundProcessing}).Draw(rt, "word")
					_, err := e.Core.ResolveRefund(t.Context(), r.ID, core.RefundWord{Outcome: word})
					if err != nil && payment.CodeOf(err) != payment.CodeConflict {
						rt.Fatal(err)
					}
				}
				var refunded, refunding money.VND
				for _, r := range must[[]payment.Refund](rt)(e.Core.Refunds(t.Context(), p.ID)) {
					switch r.State {
					case payment.RefundApproved:
						refunded += r.Amount
					case payment.RefundProcessing:
						refunding += r.Amount
					}
				}
				if now := e.Reload(p); now.Refunded != refunded || now.Refunding != refunding || refunded+refunding > now.Received {
					rt.Fatalf("%+v, refunds sum to %d and %d", now, refunded, refunding)
				}
			})
		})
		e.Balances()
	})
}

// The merchant is told of a refund that stays open, and of its end; of one that
// ends at once, of its end only.
func TestRefundIsTold(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.pay(1000)
		told := func(r payment.Refund) (acts []payment.Act) {
			t.Helper()
			for _, item := range must[[]store.Item](t)(e.Core.Notices(t.Context(), core.NoticeSearch{PaymentID: p.ID})) {
				got, err := e.Core.Told(t.Context(), p.ID, item.Version)
				if err != nil {
					t.Fatal(err)
				}
				if got.Refund.ID == r.ID && r.ID != "" {
					acts = append(acts, got.Event.Act)
					if got.Event.Act == payment.ActRefund && got.Refund.State != payment.RefundProcessing {
						t.Errorf("the notice of the asking shows %s", got.Refund.State)
					}
				}
			}
			return acts
		}
		_, quick, err := a.refund(p, "quick", 100)
		if err != nil {
			t.Fatal(err)
		}
		a.resolveRefund(quick, payment.RefundApproved)
		if got := told(quick); !slices.Equal(got, []payment.Act{payment.ActRefunded}) {
			t.Errorf("of one that ended at once is told %v", got)
		}
		_, slow, err := a.refund(p, "slow", 100)
		if err != nil {
			t.Fatal(err)
		}
		a.resolveRefund(slow, payment.RefundProcessing)
		a.resolveRefund(slow, payment.RefundProcessing)
		a.resolveRefund(slow, payment.RefundDenied)
		if got := told(slow); !slices.Equal(got, []payment.Act{payment.ActRefund, payment.ActRefundDenied}) {
			t.Errorf("of one that stayed open is told %v", got)
		}
	})
}
