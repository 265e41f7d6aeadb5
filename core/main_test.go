package core_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// each runs a test on either engine, with a gateway of its own.
func each(t *testing.T, test func(t *testing.T, e *coretest.Env)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, coretest.New(t, s)) })
}

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Context() context.Context
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// wantCode fails unless err has a code; "" is no error.
func wantCode(t tb, what string, err error, want payment.Code) {
	t.Helper()
	if got := payment.CodeOf(err); got != want {
		t.Errorf("%s: %q (%v), want %q", what, got, err, want)
	}
}

// must fails the test on an error.
func must[T any](t tb) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// atOnce runs fn n times at once and waits for all.
func atOnce(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// dial is a clock that tests may also set back.
type dial struct {
	mu  sync.Mutex
	now time.Time
}

func (d *dial) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *dial) turn(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func (d *dial) After(time.Duration) <-chan time.Time { return nil }

// checkPayment verifies what holds for every payment at every time: a gapless
// history along the arrows that ends in the row, no time that runs backwards,
// money that agrees with its credits and its ledger entries, and one notice for
// each change of state.
func checkPayment(t tb, e *coretest.Env, id string) {
	t.Helper()
	ctx := t.Context()
	p := must[payment.Payment](t)(e.Core.Payment(ctx, id))
	events := must[[]payment.Event](t)(e.Core.Events(ctx, id))
	for i, ev := range events {
		if ev.Version != int64(i+1) {
			t.Errorf("%s: event %d has version %d", p.Reference, i+1, ev.Version)
		}
		if i == 0 {
			continue
		}
		before := events[i-1]
		if to, ok := payment.Next(ev.From, ev.Act); !ok || to != ev.To || ev.From != before.To {
			t.Errorf("%s: %s --%s--> %s after %s is no arrow", p.Reference, ev.From, ev.Act, ev.To, before.To)
		}
		if ev.At.Before(before.At) {
			t.Errorf("%s: event %d runs backwards in time", p.Reference, ev.Version)
		}
	}
	last := events[len(events)-1]
	if last.Version != p.Version || last.To != p.State || (p.Version > 1 && last.Received != p.Received) || !last.At.Equal(p.UpdatedAt) {
		t.Errorf("%s: the last event is %+v, the row %+v", p.Reference, last, p)
	}
	var applied, excess money.VND
	for _, c := range must[[]payment.Credit](t)(e.Core.Credits(ctx, core.CreditSearch{PaymentID: id})) {
		applied += c.Applied
		if c.Outcome == payment.OutcomeOver {
			excess += c.Unapplied
		}
		booked := c.Amount
		if c.Outcome == payment.OutcomeRepeated {
			booked = 0
		}
		if c.Applied+c.Unapplied+c.Returned != booked {
			t.Errorf("%s: credit %s of %d is %d applied, %d unapplied, %d returned", p.Reference, c.ID, c.Amount, c.Applied, c.Unapplied, c.Returned)
		}
	}
	if p.Received != applied+excess {
		t.Errorf("%s: %d received, its credits say %d applied and %d too much", p.Reference, p.Received, applied, excess)
	}
	if p.State == payment.Approved && (p.Received < p.Amount || p.CompletedAt.IsZero()) {
		t.Errorf("%s: approved with %d of %d at %v", p.Reference, p.Received, p.Amount, p.CompletedAt)
	}
	entries, err := e.Core.Journal(ctx, id)
	if err != nil {
		t.Error(err)
	}
	for i, entry := range entries {
		if i > 0 && entry.At.Before(entries[i-1].At) {
			t.Errorf("%s: ledger entry %d runs backwards in time", p.Reference, i)
		}
	}
	checkNotices(t, e, p, events[1:])
}

func checkNotices(t tb, e *coretest.Env, p payment.Payment, events []payment.Event) {
	t.Helper()
	notices := must[[]store.Item](t)(e.Core.Notices(t.Context(), core.NoticeSearch{PaymentID: p.ID}))
	told := map[string]bool{} // refunds that stayed open
	for _, r := range must[[]payment.Refund](t)(e.Core.Refunds(t.Context(), p.ID)) {
		told[r.ID] = r.Told
	}
	var owed []payment.Event
	for _, ev := range events {
		if ev.From != ev.To || (ev.RefundID != "" && (ev.Act != payment.ActRefund || told[ev.RefundID])) {
			owed = append(owed, ev)
		}
	}
	if len(notices) != len(owed) {
		t.Errorf("%s: %d notices for %d changes of state", p.Reference, len(notices), len(owed))
		return
	}
	// A refund's asking may be told after a later change of another refund.
	slices.SortFunc(notices, func(a, b store.Item) int { return cmp.Compare(a.Version, b.Version) })
	for i, n := range notices {
		told := must[core.Told](t)(e.Core.Told(t.Context(), n.PaymentID, n.Version))
		if n.Version != owed[i].Version || told.Payment.State != owed[i].To || told.Payment.Received != owed[i].Received {
			t.Errorf("%s: notice %d tells version %d, %s, want %d, %s", p.Reference, i, n.Version, told.Payment.State, owed[i].Version, owed[i].To)
		}
	}
}
