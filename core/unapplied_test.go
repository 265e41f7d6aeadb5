package core_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// apply applies a credit as the tester.
func apply(t tb, e *coretest.Env, c payment.Credit, p payment.Payment) (payment.Payment, payment.Credit, error) {
	t.Helper()
	return e.Core.Apply(t.Context(), coretest.Operator, c.ID, p.ID, "the payer sent the receipt")
}

// Expiry releases what was partly paid; late money and the released parts can
// be applied by a person, and together they approve the payment, audited.
func TestApplyLateMoney(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		p := e.Open(e.Memo, 1000)
		part := e.Pay(p, 300).Credit
		e.Advance(core.DefaultDue)
		e.ExpireDue()
		late := e.Pay(p, 800).Credit
		unapplied := string(ledger.Unapplied(e.Memo.Merchant.ID))
		if b := e.Balances(); b[unapplied] != -1100 {
			t.Errorf("unapplied %d, want 1100", -b[unapplied])
		}
		p, part, err := apply(t, e, part, p)
		if err != nil || p.State != payment.Expired || p.Received != 300 || part.Outcome != payment.OutcomeShort || part.Applied != 300 {
			t.Fatalf("the first part: %+v, %+v, %v", p, part, err)
		}
		p, late, err = apply(t, e, late, p)
		if err != nil || p.State != payment.Approved || p.Received != 1100 || late.Outcome != payment.OutcomeOver || late.Applied != 700 || late.Unapplied != 100 {
			t.Fatalf("the rest: %+v, %+v, %v", p, late, err)
		}
		if late.Explanation.By != "operator" || !p.CompletedAt.Equal(e.Clock.Now()) {
			t.Errorf("explained by %q, completed at %v", late.Explanation.By, p.CompletedAt)
		}
		late = must[payment.Credit](t)(e.Core.Return(ctx, coretest.Operator, late.ID, 40, "sent back by hand"))
		late = must[payment.Credit](t)(e.Core.Return(ctx, coretest.Operator, late.ID, 0, "and the rest"))
		if late.Returned != 100 || late.Unapplied != 0 {
			t.Errorf("returned: %+v", late)
		}
		if p = e.Reload(p); p.Received != 1000 || p.Excess() != 0 {
			t.Errorf("received %d after the return", p.Received)
		}
		want := map[string]money.VND{
			string(ledger.Bank(e.Memo.Account.ID)): 1000, string(ledger.Sales(e.Memo.Merchant.ID)): -1000,
			string(ledger.Partial(e.Memo.Merchant.ID)): 0, string(ledger.Excess(e.Memo.Merchant.ID)): 0, unapplied: 0,
		}
		if diff := cmp.Diff(want, e.Balances()); diff != "" {
			t.Error(diff)
		}
		checkPayment(t, e, p.ID)

		var acts []string
		for _, a := range must[[]store.AuditRecord](t)(e.Core.AuditLog(ctx, "", 4)) {
			acts = append(acts, a.Act+" "+a.Subject)
		}
		if diff := cmp.Diff([]string{"credit.return " + late.ID, "credit.return " + late.ID, "credit.apply " + late.ID, "credit.apply " + part.ID}, acts); diff != "" {
			t.Error(diff)
		}
		var kinds []ledger.Kind
		for _, entry := range must[[]ledger.Entry](t)(e.Core.Journal(ctx, p.ID)) {
			kinds = append(kinds, entry.Kind)
		}
		wantKinds := []ledger.Kind{
			ledger.KindCredit, ledger.KindRelease, ledger.KindCredit, ledger.KindApply, ledger.KindApply, ledger.KindReturned, ledger.KindReturned,
		}
		if diff := cmp.Diff(wantKinds, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// Money that nobody could place can be applied to an open payment too, also to
// one whose due time has passed before the expiry worker came.
func TestApplyUnknownMoney(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		open, overdue := e.Open(e.Virtual, 1000), e.Open(e.Memo, 1000)
		first := e.Take(e.Stray(1000))[0].Credit
		p, c, err := apply(t, e, first, open)
		if err != nil || p.State != payment.Approved || c.Outcome != payment.OutcomeExact || c.MerchantID != e.Virtual.Merchant.ID || c.PaymentID != open.ID {
			t.Errorf("open: %+v, %+v, %v", p, c, err)
		}
		e.Pay(overdue, 400)
		e.Advance(core.DefaultDue)
		second := e.Take(e.Stray(600))[0].Credit
		p, _, err = apply(t, e, second, overdue)
		if err != nil || p.State != payment.Expired || p.Received != 600 {
			t.Errorf("overdue: %+v, %v", p, err)
		}
		for _, p := range []payment.Payment{open, overdue} {
			checkPayment(t, e, p.ID)
		}
		e.Balances()
	})
}

// Money that a person applied to a closed payment without paying it whole is
// not stuck: it can be returned.
func TestReturnWhatWasApplied(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		p := e.Open(e.Memo, 1000)
		must[payment.Payment](t)(e.Core.Cancel(ctx, p.ID, "payer", ""))
		late := e.Pay(p, 300).Credit
		if _, _, err := apply(t, e, late, p); err != nil {
			t.Fatal(err)
		}
		_, err := e.Core.Return(ctx, coretest.Operator, late.ID, 301, "too much")
		wantCode(t, "more than there is", err, payment.CodeInvalidAmount)
		checkPayment(t, e, p.ID)
		late = must[payment.Credit](t)(e.Core.Return(ctx, coretest.Operator, late.ID, 100, "the rest never came"))
		if late.Applied != 0 || late.Unapplied != 200 || late.Returned != 100 {
			t.Errorf("returned: %+v", late)
		}
		if p = e.Reload(p); p.Received != 0 || p.State != payment.Canceled {
			t.Errorf("the payment: %+v", p)
		}
		checkPayment(t, e, p.ID)
		want := map[string]money.VND{
			string(ledger.Bank(e.Memo.Account.ID)): 200, string(ledger.Partial(e.Memo.Merchant.ID)): 0, string(ledger.Unapplied(e.Memo.Merchant.ID)): -200,
		}
		if diff := cmp.Diff(want, e.Balances()); diff != "" {
			t.Error(diff)
		}
	})
}

// What a person may not do with money, and that a refusal changes nothing.
func TestApplyAndReturnRefusals(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		paid, part, over, open, other := e.Open(e.Memo, 1000), e.Open(e.Memo, 1000), e.Open(e.Memo, 1000), e.Open(e.Memo, 1000), e.Open(e.Virtual, 1000)
		exact, short, much := e.Pay(paid, 1000).Credit, e.Pay(part, 10).Credit, e.Pay(over, 1010).Credit
		double := e.Pay(paid, 500).Credit
		out := e.Stray(5)
		out.Direction = payment.Out
		outgoing := e.Take(out)[0].Credit
		before := e.Balances()
		for name, c := range map[string]struct {
			credit, payment string
			reason          string
			want            payment.Code
		}{
			"no reason":            {double.ID, open.ID, " ", payment.CodeInvalidRequest},
			"unknown credit":       {"nobody", open.ID, "x", payment.CodeNotFound},
			"unknown payment":      {double.ID, "nobody", "x", payment.CodePaymentNotFound},
			"NUL":                  {double.ID, "\x00", "x", payment.CodePaymentNotFound},
			"applied already":      {exact.ID, open.ID, "x", payment.CodeInvalidState},
			"a part of an open":    {short.ID, open.ID, "x", payment.CodeInvalidState},
			"excess":               {much.ID, open.ID, "x", payment.CodeInvalidState},
			"to a paid payment":    {double.ID, paid.ID, "x", payment.CodeInvalidState},
			"to another merchant":  {double.ID, other.ID, "x", payment.CodeInvalidRequest},
			"money that went out":  {outgoing.ID, open.ID, "x", payment.CodeInvalidState},
			"reason with a NUL":    {double.ID, open.ID, "\x00", payment.CodeInvalidRequest},
			"reason without UTF-8": {double.ID, open.ID, "\xff", payment.CodeInvalidRequest},
		} {
			_, _, err := e.Core.Apply(ctx, coretest.Operator, c.credit, c.payment, c.reason)
			wantCode(t, "apply: "+name, err, c.want)
		}
		for name, c := range map[string]struct {
			credit string
			amount money.VND
			reason string
			want   payment.Code
		}{
			"no reason":         {double.ID, 1, "", payment.CodeInvalidRequest},
			"unknown":           {"nobody", 1, "x", payment.CodeNotFound},
			"less than nothing": {double.ID, -1, "x", payment.CodeInvalidAmount},
			"too much":          {double.ID, 501, "x", payment.CodeInvalidAmount},
			"far too much":      {double.ID, money.Max, "x", payment.CodeInvalidAmount},
			"applied":           {exact.ID, 0, "x", payment.CodeInvalidState},
			"a part of an open": {short.ID, 0, "x", payment.CodeInvalidState},
			"too much excess":   {much.ID, 11, "x", payment.CodeInvalidAmount},
			"went out":          {outgoing.ID, 0, "x", payment.CodeInvalidState},
		} {
			_, err := e.Core.Return(ctx, coretest.Operator, c.credit, c.amount, c.reason)
			wantCode(t, "return: "+name, err, c.want)
		}
		if diff := cmp.Diff(before, e.Balances()); diff != "" {
			t.Errorf("refusals moved money:\n%s", diff)
		}
		for _, p := range []payment.Payment{paid, part, over, open, other} {
			checkPayment(t, e, p.ID)
		}
	})
}

// Ten people at once return or apply the same money: it moves once.
func TestUnappliedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		for range 10 {
			p, q := e.Open(e.Memo, 1000), e.Open(e.Memo, 1000)
			must[payment.Payment](t)(e.Core.Cancel(ctx, p.ID, "payer", ""))
			late := e.Pay(p, 1000).Credit
			var mu sync.Mutex
			done := 0
			atOnce(10, func(i int) {
				var err error
				switch i % 3 {
				case 0:
					_, err = e.Core.Return(ctx, coretest.Operator, late.ID, 0, "back")
				case 1:
					_, _, err = apply(t, e, late, p)
				default:
					_, _, err = apply(t, e, late, q)
				}
				mu.Lock()
				defer mu.Unlock()
				switch payment.CodeOf(err) {
				case "":
					done++
				case payment.CodeInvalidState, payment.CodeConflict:
				default:
					t.Error(err)
				}
			})
			if done != 1 {
				t.Errorf("%d of 10 moved the money", done)
			}
			for _, one := range []payment.Payment{p, q} {
				checkPayment(t, e, one.ID)
			}
		}
		e.Balances()
	})
}

// RunExpiry expires within a moment of the due time, also what fell due before
// it was started, and ends with its context.
func TestRunExpiry(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		stale := e.Open(e.Memo, 1000)
		e.Advance(core.DefaultDue)
		fresh := e.Open(e.Virtual, 1000)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			e.Core.RunExpiry(ctx)
		}()
		until(t, func() bool { return e.Reload(stale).State == payment.Expired })
		if e.Reload(fresh).State != payment.Open {
			t.Error("expired early")
		}
		e.Advance(core.DefaultDue)
		until(t, func() bool { return e.Reload(fresh).State == payment.Expired })
		stop()
		<-ended
		for _, p := range []payment.Payment{stale, fresh} {
			checkPayment(t, e, p.ID)
		}
	})
}

// until waits for something that another goroutine does.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatal("waited in vain")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// More than one batch falls due at once, and three nodes expire it together:
// each payment expires once.
func TestExpireManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		batch := make([]store.Opening, 450)
		for i := range batch {
			p := payment.Payment{
				ID: e.IDs.New(), MerchantID: e.Memo.Merchant.ID, Dialect: coretest.Name, Reference: e.IDs.New(), Version: 1, Amount: 1000, State: payment.Open,
				CreatedAt: coretest.Start, UpdatedAt: coretest.Start, DueAt: coretest.Start.Add(time.Minute),
			}
			batch[i] = store.Opening{Payment: p}
		}
		if _, err := e.Store.OpenPayments(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		e.Advance(time.Minute)
		var mu sync.Mutex
		total := 0
		atOnce(3, func(int) {
			n, err := e.Core.ExpireDue(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
		if total += e.ExpireDue(); total != len(batch) {
			t.Errorf("%d expiries of %d payments", total, len(batch))
		}
		for _, o := range batch[:20] {
			checkPayment(t, e, o.Payment.ID)
		}
	})
}

// A clock that is set back makes no history run backwards and undoes nothing.
func TestClockSetBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := &dial{now: coretest.Start.Add(123456 * time.Microsecond)}
		e := coretest.New(t, s, coretest.WithClock(d))
		late, part, paid := e.Open(e.Memo, 1000), e.Open(e.Memo, 1000), e.Open(e.Virtual, 1000)
		d.turn(time.Minute)
		e.Pay(part, 300)
		e.Pay(paid, 200)
		d.turn(-2 * time.Hour)
		e.Pay(part, 300)
		if got := e.Pay(paid, 900); got.Payment.State != payment.Approved || got.Payment.CompletedAt.Before(paid.CreatedAt) {
			t.Errorf("paid an hour ago: %+v", got.Payment)
		}
		e.Open(e.Virtual, 5)
		d.turn(3 * time.Hour)
		if n := e.ExpireDue(); n != 3 {
			t.Errorf("%d expired, want 3", n)
		}
		d.turn(-24 * time.Hour)
		if got := e.Pay(late, 1000); got.Credit.Outcome != payment.OutcomeLate {
			t.Errorf("what has expired stays so: %+v", got.Credit)
		}
		for _, p := range []payment.Payment{late, part, paid} {
			checkPayment(t, e, p.ID)
		}
		e.Balances()
	})
}
