package payment_test

import (
	"testing"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"pgregory.net/rapid"
)

var allActs = []payment.Act{
	payment.ActChoose, payment.ActPart, payment.ActPay, payment.ActExcess, payment.ActLate,
	payment.ActProcess, payment.ActRetry, payment.ActDeny, payment.ActCancel, payment.ActExpire, payment.ActVoid,
	payment.ActRefund, payment.ActRefunded, payment.ActRefundDenied,
}

// Whatever is done to a payment in whatever order, it only moves along arrows,
// each accepted act is one version and one event that shows the row after it,
// time never runs backwards, and approved means that the amount was there.
func TestStateMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		p := payment.Payment{ID: "p", Amount: 1000, State: payment.Open, Version: 1, CreatedAt: start, UpdatedAt: start}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			before := p
			step := payment.Step{
				Act:     rapid.SampledFrom(allActs).Draw(t, "act"),
				At:      start.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "at")) * time.Minute),
				Receive: money.VND(rapid.Int64Range(-500, 1500).Draw(t, "receive")),
				Refund:  money.VND(rapid.Int64Range(-100, 1200).Draw(t, "refund")),
			}
			next, ev, err := p.Apply(step)
			if err != nil {
				if next.Version != p.Version || next.State != p.State || next.Received != p.Received {
					t.Fatalf("a refused act changed the payment: %v", err)
				}
				continue
			}
			to, legal := payment.Next(before.State, step.Act)
			if !legal || next.State != to || ev.From != before.State || ev.To != to {
				t.Fatalf("%s --%s--> %s is not in the table", before.State, step.Act, next.State)
			}
			if next.Version != before.Version+1 || ev.Version != next.Version || ev.At.Before(before.UpdatedAt) {
				t.Fatalf("version or time went wrong: %+v", ev)
			}
			if to == payment.Approved && before.State != payment.Approved && (next.Received < next.Amount || next.CompletedAt.IsZero()) {
				t.Fatalf("approved with %d of %d", next.Received, next.Amount)
			}
			if next.Refunded < 0 || next.Refunding < 0 || (step.Act == payment.ActRefund && next.Refunded+next.Refunding > min(next.Received, next.Amount)) {
				t.Fatalf("%d refunded and %d being refunded of %d received for %d", next.Refunded, next.Refunding, next.Received, next.Amount)
			}
			if back := before.At(ev); back.State != next.State || back.Received != next.Received || back.Version != next.Version || !back.CompletedAt.Equal(next.CompletedAt) {
				t.Fatalf("the event does not show the row after it: %+v, %+v", back, next)
			}
			p = next
		}
	})
}

// The table has no two arrows for one act in one state, and knows every state.
func TestArrowsAreAFunction(t *testing.T) {
	seen := map[payment.Arrow]bool{}
	known := map[payment.State]bool{}
	for _, s := range payment.States {
		known[s] = true
	}
	for _, a := range payment.Arrows {
		key := payment.Arrow{From: a.From, Act: a.Act}
		if seen[key] {
			t.Errorf("two arrows for %v", key)
		}
		seen[key] = true
		if !known[a.From] || !known[a.To] {
			t.Errorf("%v names an unknown state", a)
		}
	}
}

func TestMemo(t *testing.T) {
	for _, c := range []struct {
		t    payment.Transfer
		want string
	}{
		{payment.Transfer{}, ""},
		{payment.Transfer{Code: payment.MemoMatch("TG123")}, "TG123"},
		{payment.Transfer{Code: payment.MemoMatch("TG123"), Prefix: "SEVQR"}, "SEVQR TG123"},
		{payment.Transfer{Code: payment.VirtualMatch("PKVA01"), Prefix: "PKVA"}, "PKVA01"},
	} {
		if got := c.t.Memo(); got != c.want {
			t.Errorf("Memo(%+v) = %q, want %q", c.t, got, c.want)
		}
	}
}
