package core_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// acquirer is a merchant's connector with what a test does through it.
type acquirer struct {
	*coretest.Env
	t    *testing.T
	conn payment.Connector
}

func newAcquirer(t *testing.T, e *coretest.Env) acquirer {
	t.Helper()
	conn, err := e.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{
		MerchantID: e.Memo.Merchant.ID, Kind: "test", Methods: []payment.Method{payment.DomesticCard, payment.InternationalCard}, Config: []byte(`{"secret":"s3cret"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return acquirer{e, t, conn}
}

func (a acquirer) open(amount money.VND) payment.Payment {
	a.t.Helper()
	return a.Open(a.Memo, amount, func(o *core.Opening) {
		o.Methods = []payment.Method{payment.DomesticCard, payment.InternationalCard, payment.BankTransfer}
	})
}

func (a acquirer) start(p payment.Payment, m payment.Method) (payment.Attempt, bool, error) {
	return a.Core.StartAttempt(a.t.Context(), core.Starting{
		PaymentID: p.ID, Method: m, Connector: a.conn, Reference: func(a payment.Attempt) string { return "ref-" + a.ID },
	})
}

// send starts an attempt and sends the payer away.
func (a acquirer) send(p payment.Payment) payment.Attempt {
	a.t.Helper()
	at, fresh, err := a.start(p, payment.DomesticCard)
	if err != nil || !fresh {
		a.t.Fatalf("start: fresh %v, %v", fresh, err)
	}
	if at, err = a.Core.AttemptCreated(a.t.Context(), at.ID, payment.Handoff{URL: "https://acquirer.example.test/" + at.ID}, ""); err != nil {
		a.t.Fatal(err)
	}
	return at
}

func (a acquirer) word(at payment.Attempt, outcome payment.AttemptState) core.Word {
	w := core.Word{ConnectorID: at.ConnectorID, Reference: at.Reference, ExternalID: "x-" + at.ID, Outcome: outcome, Code: "c", Text: "words"}
	if outcome == payment.AttemptDone {
		w.Amount, w.Currency = at.Amount, "VND"
	}
	return w
}

func (a acquirer) resolve(at payment.Attempt, outcome payment.AttemptState) core.Resolved {
	a.t.Helper()
	r, err := a.Core.Resolve(a.t.Context(), a.word(at, outcome))
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}

// pay pays a payment by card.
func (a acquirer) pay(amount money.VND) payment.Payment {
	a.t.Helper()
	p := a.open(amount)
	return a.resolve(a.send(p), payment.AttemptDone).Payment
}

// A capture approves the payment, stands on the acquirer's account, and is
// known by the attempt.
func TestCapture(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(90_000)
		at := a.send(p)
		if now := e.Reload(p); now.State != payment.Processing || now.Method != payment.DomesticCard {
			t.Errorf("the payer is away, and the payment %+v", now)
		}
		r := a.resolve(at, payment.AttemptDone)
		if r.Told || r.Payment.State != payment.Approved || r.Payment.Received != 90_000 || r.Attempt.State != payment.AttemptDone || r.Attempt.ExternalID != "x-"+at.ID {
			t.Errorf("resolved: %+v", r)
		}
		if again := a.resolve(at, payment.AttemptDone); !again.Told || again.Payment.Version != r.Payment.Version {
			t.Errorf("told again: %+v", again)
		}
		b := e.Balances()
		if b["acquirer:"+a.conn.ID] != 90_000 || b["merchant:"+p.MerchantID+":sales"] != -90_000 {
			t.Errorf("balances %v", b)
		}
		checkPayment(t, e, p.ID)
	})
}

// Many notices and queries race for one payment with two tabs open; it is
// settled exactly once.
func TestResolveAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		for range rounds(10) {
			p := a.open(1000)
			var fresh, started atomic.Int64
			atOnce(8, func(int) {
				_, is, err := a.start(p, payment.DomesticCard)
				switch {
				case err == nil && is:
					started.Add(1)
				case err != nil && payment.CodeOf(err) != payment.CodeConflict:
					t.Error(err)
				}
			})
			if started.Load() != 1 {
				t.Fatalf("%d attempts were started at once", started.Load())
			}
			attempts := must[[]payment.Attempt](t)(e.Core.PaymentAttempts(t.Context(), p.ID))
			at := must[payment.Attempt](t)(e.Core.AttemptCreated(t.Context(), attempts[0].ID, payment.Handoff{URL: "https://a.example.test"}, ""))
			atOnce(20, func(i int) {
				if i%5 == 4 { // an old answer to a query comes late
					if _, err := e.Core.Resolve(context.Background(), a.word(at, payment.AttemptSent)); err != nil {
						t.Error(err)
					}
					return
				}
				r, err := e.Core.Resolve(context.Background(), a.word(at, payment.AttemptDone))
				if err != nil {
					t.Error(err)
				} else if !r.Told {
					fresh.Add(1)
				}
			})
			now := e.Reload(p)
			if fresh.Load() != 1 || now.State != payment.Approved || now.Received != 1000 {
				t.Errorf("settled %d times: %+v", fresh.Load(), now)
			}
			credits := must[[]payment.Credit](t)(e.Core.Credits(t.Context(), core.CreditSearch{PaymentID: p.ID}))
			journal := must[[]ledgerEntry](t)(e.Core.Journal(t.Context(), p.ID))
			if len(credits) != 1 || len(journal) != 1 {
				t.Errorf("%d credits, %d entries", len(credits), len(journal))
			}
			checkPayment(t, e, p.ID)
		}
		e.Balances()
	})
}

// A declined card may be tried again, three times in all; then the payment is
// denied.
func TestDeclined(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(1000)
		for i, want := range []payment.State{payment.Open, payment.Open, payment.Denied} {
			r := a.resolve(a.send(p), payment.AttemptFailed)
			if r.Payment.State != want {
				t.Fatalf("after %d declines: %s", i+1, r.Payment.State)
			}
		}
		_, _, err := a.start(p, payment.DomesticCard)
		wantCode(t, "a fourth try", err, payment.CodeInvalidState)
		checkPayment(t, e, p.ID)
	})
}

// An acquirer that takes no order does not use up a try.
func TestNotCreated(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(1000)
		for range 5 {
			at, _, err := a.start(p, payment.DomesticCard)
			if err != nil {
				t.Fatal(err)
			}
			must[payment.Attempt](t)(e.Core.AttemptNotCreated(t.Context(), at.ID, "", "no answer"))
		}
		if now := e.Reload(p); now.State != payment.Open {
			t.Errorf("the payment is %s", now.State)
		}
		a.resolve(a.send(p), payment.AttemptDone)
	})
}

// While an outcome is unknown nobody else is asked, and nothing expires.
func TestUncertain(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(1000)
		at, _, err := a.start(p, payment.DomesticCard)
		if err != nil {
			t.Fatal(err)
		}
		must[payment.Attempt](t)(e.Core.AttemptUncertain(t.Context(), at.ID, "timeout"))
		_, _, err = a.start(p, payment.DomesticCard)
		wantCode(t, "a second call", err, payment.CodeInvalidState)
		_, err = e.Core.LeaveAttempt(t.Context(), p.ID)
		wantCode(t, "leaving", err, payment.CodeInvalidState)
		e.Advance(time.Hour)
		if n := e.ExpireDue(); n != 0 {
			t.Errorf("%d expired", n)
		}
		must[payment.Attempt](t)(e.Core.AbandonAttempt(t.Context(), at.ID, "nobody knows"))
		list := must[[]payment.Attempt](t)(e.Core.AttemptsForReview(t.Context(), p.MerchantID, "", 0))
		if len(list) != 1 || list[0].ID != at.ID {
			t.Fatalf("a person's list has %+v", list)
		}
		_, err = e.Core.JudgeAttempt(t.Context(), coretest.Operator, at.ID, true, " ")
		wantCode(t, "without a reason", err, payment.CodeInvalidRequest)
		r, err := e.Core.JudgeAttempt(t.Context(), coretest.Operator, at.ID, true, "the acquirer's portal shows it paid")
		if err != nil || r.Payment.State != payment.Approved || r.Attempt.Review {
			t.Errorf("judged: %+v, %v", r, err)
		}
		checkPayment(t, e, p.ID)
	})
}

// A payer who goes back may pay in another way; should both be paid, the second
// waits for a person.
func TestLeave(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(1000)
		at := a.send(p)
		_, _, err := a.start(p, payment.InternationalCard)
		wantCode(t, "another method without leaving", err, payment.CodeInvalidState)
		if same, fresh, err := a.start(p, payment.DomesticCard); err != nil || fresh || same.ID != at.ID {
			t.Errorf("a second tab: %+v, %v, %v", same, fresh, err)
		}
		if p, err = e.Core.LeaveAttempt(t.Context(), p.ID); err != nil || p.State != payment.Open {
			t.Fatalf("left: %+v, %v", p, err)
		}
		if taken := e.Pay(p, 1000); taken.Payment.State != payment.Approved || taken.Payment.Method != payment.BankTransfer {
			t.Errorf("paid by transfer: %+v", taken.Payment)
		}
		r := a.resolve(at, payment.AttemptDone)
		if r.Payment.State != payment.Approved || r.Payment.Received != 1000 {
			t.Errorf("paid twice: %+v", r.Payment)
		}
		b := e.Balances()
		if b["merchant:"+p.MerchantID+":unapplied"] != -1000 || b["acquirer:"+a.conn.ID] != 1000 {
			t.Errorf("balances %v", b)
		}
		credits := must[[]payment.Credit](t)(e.Core.Credits(t.Context(), core.CreditSearch{PaymentID: p.ID}))
		i := slices.IndexFunc(credits, func(c payment.Credit) bool { return c.Channel == payment.ChannelAcquirer })
		if i < 0 || credits[i].Outcome != payment.OutcomeDuplicate {
			t.Fatalf("credits %+v", credits)
		}
		must[payment.Credit](t)(e.Core.Return(t.Context(), coretest.Operator, credits[i].ID, 0, "refunded in the portal"))
		if b := e.Balances(); b["acquirer:"+a.conn.ID] != 0 {
			t.Errorf("after returning it: %v", b)
		}
		checkPayment(t, e, p.ID)
	})
}

// An attempt that nobody is creating any more does not keep the payer from
// another one, and should it be paid after all, the money is taken in.
func TestLostWhileCreating(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(1000)
		lost, _, err := a.start(p, payment.DomesticCard)
		if err != nil {
			t.Fatal(err)
		}
		e.Advance(59 * time.Second)
		a.resolve(lost, payment.AttemptSent)
		_, _, err = a.start(p, payment.DomesticCard)
		wantCode(t, "somebody may be creating it", err, payment.CodeConflict)
		e.Advance(time.Second)
		a.resolve(lost, payment.AttemptSent)
		next := a.send(p)
		_, err = e.Core.AttemptCreated(t.Context(), lost.ID, payment.Handoff{URL: "https://acquirer.example.test/lost"}, "")
		wantCode(t, "created after all", err, payment.CodeInvalidState)
		if now := e.Reload(p); now.State != payment.Processing {
			t.Errorf("the payment is %s", now.State)
		}
		a.resolve(lost, payment.AttemptDone)
		a.resolve(next, payment.AttemptDone)
		b := e.Balances()
		if now := e.Reload(p); now.State != payment.Approved || now.Received != 1000 || b["acquirer:"+a.conn.ID] != 2000 || b["merchant:"+p.MerchantID+":unapplied"] != -1000 {
			t.Errorf("%+v, %v", now, b)
		}
		checkPayment(t, e, p.ID)
	})
}

// What somebody has found out about waits for a person no longer, and what is
// paid cannot be judged unpaid.
func TestFoundOut(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		for _, outcome := range []payment.AttemptState{payment.AttemptDone, payment.AttemptFailed} {
			at := a.send(a.open(1000))
			must[payment.Attempt](t)(e.Core.AbandonAttempt(t.Context(), at.ID, "nobody knows"))
			if r := a.resolve(at, outcome); r.Attempt.State != outcome || must[payment.Attempt](t)(e.Core.Attempt(t.Context(), at.ID)).Review {
				t.Errorf("found out: %+v", r.Attempt)
			}
			_, err := e.Core.JudgeAttempt(t.Context(), coretest.Operator, at.ID, false, "a slip of the hand")
			switch now := must[payment.Attempt](t)(e.Core.Attempt(t.Context(), at.ID)); {
			case outcome == payment.AttemptFailed && err != nil:
				t.Error(err)
			case outcome == payment.AttemptDone && (payment.CodeOf(err) != payment.CodeInvalidState || now.Review || now.Text != "words"):
				t.Errorf("judged unpaid: %v, %+v", err, now)
			}
		}
		if list := must[[]payment.Attempt](t)(e.Core.AttemptsForReview(t.Context(), "", "", 0)); len(list) != 0 {
			t.Errorf("a person's list has %+v", list)
		}
	})
}

// What a person has judged paid keeps the acquirer's id when the acquirer tells
// it later: without it nothing can be refunded.
func TestIDAfterJudgement(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		at := a.send(a.open(1000))
		must[core.Resolved](t)(e.Core.JudgeAttempt(t.Context(), coretest.Operator, at.ID, true, "seen in the portal"))
		for range 2 {
			if r := a.resolve(at, payment.AttemptDone); r.Attempt.ExternalID != "x-"+at.ID || !r.Told {
				t.Errorf("%+v", r)
			}
		}
		if now := must[payment.Attempt](t)(e.Core.Attempt(t.Context(), at.ID)); now.ExternalID != "x-"+at.ID || now.Review {
			t.Errorf("%+v", now)
		}
	})
}

// What an acquirer reports is compared with our own row.
func TestContradictions(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		at := a.send(a.open(1000))
		for name, change := range map[string]func(*core.Word){
			"amount":   func(w *core.Word) { w.Amount = 10 },
			"currency": func(w *core.Word) { w.Currency = "USD" },
		} {
			w := a.word(at, payment.AttemptDone)
			change(&w)
			_, err := e.Core.Resolve(t.Context(), w)
			wantCode(t, name, err, payment.CodeInvalidAmount)
		}
		w := a.word(at, payment.AttemptDone)
		w.Reference = "ref-of-nobody"
		_, err := e.Core.Resolve(t.Context(), w)
		wantCode(t, "unknown reference", err, payment.CodePaymentNotFound)
		w = a.word(at, payment.AttemptDone)
		w.ConnectorID = "another"
		_, err = e.Core.Resolve(t.Context(), w)
		wantCode(t, "another connector", err, payment.CodePaymentNotFound)

		a.resolve(at, payment.AttemptDone)
		_, err = e.Core.Resolve(t.Context(), a.word(at, payment.AttemptFailed))
		wantCode(t, "failed after done", err, payment.CodeConflict)
		w = a.word(at, payment.AttemptDone)
		w.ExternalID = "another transaction"
		_, err = e.Core.Resolve(t.Context(), w)
		wantCode(t, "charged twice", err, payment.CodeConflict)
		if list := must[[]payment.Attempt](t)(e.Core.AttemptsForReview(t.Context(), "", "", 0)); len(list) != 1 || list[0].State != payment.AttemptDone {
			t.Errorf("a person's list has %+v", list)
		}

		// Failed, and paid after all: the money is taken in.
		p := a.open(2000)
		at = a.send(p)
		a.resolve(at, payment.AttemptFailed)
		if r := a.resolve(at, payment.AttemptDone); r.Payment.State != payment.Approved {
			t.Errorf("paid after all: %+v", r)
		}
		checkPayment(t, e, p.ID)
	})
}

// A capture that comes after the payment has ended waits for a person.
func TestLateCapture(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		p := a.open(1000)
		at := a.send(p)
		must[payment.Payment](t)(e.Core.LeaveAttempt(t.Context(), p.ID))
		e.Advance(time.Hour)
		e.ExpireDue()
		r := a.resolve(at, payment.AttemptDone)
		if r.Payment.State != payment.Expired || r.Attempt.State != payment.AttemptDone {
			t.Fatalf("late: %+v", r)
		}
		credits := must[[]payment.Credit](t)(e.Core.Credits(t.Context(), core.CreditSearch{PaymentID: p.ID}))
		if len(credits) != 1 || credits[0].Outcome != payment.OutcomeLate {
			t.Fatalf("credits %+v", credits)
		}
		applied, _, err := e.Core.Apply(t.Context(), coretest.Operator, credits[0].ID, p.ID, "the shop takes it")
		if err != nil || applied.State != payment.Approved || applied.Method != payment.DomesticCard {
			t.Errorf("applied: %+v, %v", applied, err)
		}
		checkPayment(t, e, p.ID)
	})
}

// A connector's secrets are sealed, and what an operator does with it is in the
// audit log without them.
func TestConnectors(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		a := newAcquirer(t, e)
		if config := must[[]byte](t)(e.Core.ConnectorConfig(a.conn)); string(config) != `{"secret":"s3cret"}` {
			t.Errorf("config %s", config)
		}
		off, first := false, int64(-1)
		second := must[payment.Connector](t)(e.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{
			MerchantID: e.Memo.Merchant.ID, Kind: "other", Methods: []payment.Method{payment.DomesticCard}, Config: []byte(`{}`), Priority: 5,
		}))
		for _, c := range []struct {
			change core.ConnectorChange
			want   []string
		}{
			{core.ConnectorChange{}, []string{a.conn.ID, second.ID}},
			{core.ConnectorChange{Priority: &first}, []string{second.ID, a.conn.ID}},
			{core.ConnectorChange{Enabled: &off}, []string{a.conn.ID}},
		} {
			must[payment.Connector](t)(e.Core.ChangeConnector(t.Context(), coretest.Operator, second.ID, c.change))
			var got []string
			for _, conn := range must[[]payment.Connector](t)(e.Core.ConnectorsFor(t.Context(), e.Memo.Merchant.ID, payment.DomesticCard)) {
				got = append(got, conn.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.change, got, c.want)
			}
		}
		for name, n := range map[string]core.NewConnector{
			"no methods":    {MerchantID: e.Memo.Merchant.ID, Kind: "x", Config: []byte(`{}`)},
			"bank transfer": {MerchantID: e.Memo.Merchant.ID, Kind: "x", Config: []byte(`{}`), Methods: []payment.Method{payment.BankTransfer}},
			"no config":     {MerchantID: e.Memo.Merchant.ID, Kind: "x", Methods: []payment.Method{payment.MoMo}},
			"not UTF-8":     {MerchantID: e.Memo.Merchant.ID, Kind: "x", Methods: []payment.Method{payment.MoMo}, Config: []byte("{\"a\":\"\xff\"}")},
		} {
			_, err := e.Core.AddConnector(t.Context(), coretest.Operator, n)
			wantCode(t, name, err, payment.CodeInvalidRequest)
		}
		_, err := e.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{MerchantID: "nobody", Kind: "x", Methods: []payment.Method{payment.MoMo}, Config: []byte(`{}`)})
		wantCode(t, "no such merchant", err, payment.CodeNotFound)
	})
}
