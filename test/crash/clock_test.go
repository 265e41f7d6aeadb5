package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
)

// jumpy is the machine's clock with an offset that jumps, forward and back, under everybody who reads it.
type jumpy struct{ offset atomic.Int64 }

func (j *jumpy) Now() time.Time {
	return time.Now().UTC().Truncate(time.Microsecond).Add(time.Duration(j.offset.Load()))
}

// After waits as long as people do: what an operator does to the clock makes no wait longer.
func (j *jumpy) After(d time.Duration) <-chan time.Time { return time.After(d) }

func (j *jumpy) jump(by time.Duration) { j.offset.Add(int64(by)) }

// beforeMidnight is a jump to a moment before the next midnight in Vietnam.
func (j *jumpy) beforeMidnight(left time.Duration) time.Duration {
	now := j.Now().In(clock.Vietnam)
	midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, clock.Vietnam)
	return midnight.Sub(now) - left
}

// TestClockJumps moves the clock of a gateway that works: an hour forward and back, a day forward, over midnight.
// Payments expire that were not due a moment ago, and stay so; no time of one payment runs backwards; each day's use of
// the merchant's limit still is the sum of its payments.
func TestClockJumps(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 12)
		s := newSite(t, database)
		now := &jumpy{}
		s.clock = now.Now
		g := s.startInside(fitting{clock: now, pull: time.Second})
		limit := money.VND(1_000_000_000_000_000)
		if _, err := g.core.ChangeMerchant(t.Context(), core.Actor{Name: "operator"}, s.merchantID, core.MerchantChange{DailyLimit: &limit}); err != nil {
			t.Fatal(err)
		}
		l := quiet(s, g.node)
		for round := range r.rounds {
			by := []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, now.beforeMidnight(time.Duration(r.random.Int64N(int64(150 * time.Millisecond))))}[r.random.IntN(4)]
			now.jump(by)
			var group sync.WaitGroup
			for i := range 4 {
				own := rand.New(rand.NewPCG(r.random.Uint64(), 0))
				group.Go(func() { l.story(fmt.Sprintf("%d-%d", round, i), own) })
			}
			group.Wait()
			// Somebody pays what expired by a jump.
			if n := len(l.history.orders); n > 0 {
				if o := l.history.orders[r.random.IntN(n)]; o.memo != "" {
					c := &credit{id: fmt.Sprintf("%s-late-%d", o.reference, round), amount: o.amount, at: s.clock().Truncate(time.Millisecond)}
					o.credits = append(o.credits, c)
					l.tell(c, o.memo)
				}
			}
		}
		now.jump(48 * time.Hour) // past every due time, and every wait that a jump back has made longer
		s.expireAll(g)
		h := l.finish()
		s.books(r, g.node, h)
	})
}

// expireAll waits until no payment is open.
func (s *site) expireAll(g *inside) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		if _, err := g.core.ExpireDue(ctx); err != nil {
			s.t.Fatal(err)
		}
		var open struct{ Items []shownPayment }
		if err := s.get(ctx, g.node, "/payments?state=open&limit=1", &open); err != nil {
			s.t.Fatal(err)
		}
		if len(open.Items) == 0 {
			return
		}
	}
}

// books judges what holds however the clock went: every answered order and credit is there once, nothing else is, the
// ledger has the money, and everything was told; the auditor judges the rest.
func (s *site) books(r *trial, n *node, h *history) {
	s.t.Helper()
	s.quiesce(n)
	s.audit()
	for _, fault := range h.faults[:min(len(h.faults), 20)] {
		s.t.Error(fault)
	}
	payments, err := all[shownPayment](s.t.Context(), s, n, "/payments")
	if err != nil {
		s.t.Fatal(err)
	}
	credits, err := all[shownCredit](s.t.Context(), s, n, "/bank-credits")
	if err != nil {
		s.t.Fatal(err)
	}
	orders, told := map[string]int64{}, map[string]int64{}
	for _, o := range h.orders {
		if o.answered {
			orders[o.reference] = o.amount
		}
		for _, c := range o.credits {
			if c.answered {
				told[c.id] = c.amount
			}
		}
	}
	r.add("payments", int64(len(payments)))
	r.add("credits", int64(len(credits)))
	states := map[string]int{}
	for _, p := range payments {
		states[p.State]++
		if amount, there := orders[p.Reference]; !there || p.Amount != amount {
			s.t.Errorf("payment %s of %d is there once more than was answered", p.Reference, p.Amount)
		}
		delete(orders, p.Reference)
		if p.State == "approved" != (p.Received >= p.Amount) {
			s.t.Errorf("%s is %s with %d of %d", p.Reference, p.State, p.Received, p.Amount)
		}
	}
	for state, n := range states {
		r.add(state, int64(n))
	}
	var sum int64
	for _, c := range credits {
		sum += c.Amount
		if amount, there := told[c.ExternalID]; !there || c.Amount != amount {
			s.t.Errorf("credit %s of %d is there once more than was answered", c.ExternalID, c.Amount)
		}
		delete(told, c.ExternalID)
	}
	if len(orders) > 0 || len(told) > 0 {
		s.t.Errorf("lost: %v, %v", orders, told)
	}
	s.bankHas(n, sum)
}

// bankHas judges the trial balance: it sums to zero, and so much is at the bank.
func (s *site) bankHas(n *node, want int64) {
	s.t.Helper()
	var balance trialBalance
	if err := s.get(s.t.Context(), n, "/ledger/trial-balance", &balance); err != nil {
		s.t.Fatal(err)
	}
	var sum, bank int64
	for _, a := range balance.Accounts {
		sum += a.Debit - a.Credit
		if len(a.Account) > 5 && a.Account[:5] == "bank:" {
			bank += a.Debit - a.Credit
		}
	}
	if balance.Sum != 0 || sum != 0 || bank != want {
		s.t.Errorf("the ledger sums to %d (says %d) and has %d of %d at the bank", sum, balance.Sum, bank, want)
	}
}
