package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/store"
)

func TestRetriesUntilDone(t *testing.T) {
	each(t, manual, func(b *bench) {
		began := make(chan store.Item)
		script := make(chan outbox.Result)
		b.start("a", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			began <- i
			return <-script
		})
		item := b.add(store.Item{Lane: "shop.example.test", PaymentID: "p", Version: 2, MerchantID: "m", Dialect: "d", Target: "https://shop.example.test/ipn"})[0]
		start := b.clock.Now()
		var want []store.Attempt
		for n, r := range []outbox.Result{
			{Retry: 5 * time.Second, Attempt: store.Attempt{RequestID: "r1", Duration: 1500 * time.Millisecond, Status: 500, Error: "the answer is no acknowledgement", Answer: "ngoài giờ"}},
			{Retry: 5 * time.Minute, Attempt: store.Attempt{RequestID: "r2", Error: "connection refused"}},
			{Done: true, Attempt: store.Attempt{RequestID: "r3", Status: 200, Answer: "ok"}},
		} {
			got := await(b, "attempt", began)
			if got.Attempts != int64(n) || got.Tries != int64(n) || got.PaymentID != "p" || got.Version != 2 || got.Target != item.Target {
				b.Errorf("attempt %d is of %+v", n+1, got)
			}
			r.Attempt.Number, r.Attempt.At = int64(n+1), b.clock.Now()
			want = append(want, r.Attempt)
			script <- r
			b.until("the attempt is recorded", func() bool { return len(b.attempts(item.ID)) == n+1 })
			now := b.item(item.ID)
			if now.Attempts != int64(n+1) || now.Lease != "" || !now.LeaseUntil.IsZero() || now.LastStatus != r.Attempt.Status || now.LastError != r.Attempt.Error {
				b.Errorf("after attempt %d: %+v", n+1, now)
			}
			if r.Done {
				break
			}
			late := now.DueAt.Sub(b.clock.Now())
			if now.State != store.ItemPending || late < r.Retry || late > r.Retry+r.Retry/10+time.Millisecond {
				b.Errorf("after attempt %d: %s, due in %v", n+1, now.State, late)
			}
			b.clock.(*clock.Manual).Advance(late)
		}
		if diff := cmp.Diff(want, b.attempts(item.ID)); diff != "" {
			b.Error(diff)
		}
		if now := b.item(item.ID); now.State != store.ItemDone || !now.FinishedAt.Equal(b.clock.Now()) || now.FinishedAt.Equal(start) {
			b.Errorf("at the end: %+v", now)
		}
	})
}

func TestGivesUpAndReplays(t *testing.T) {
	each(t, manual, func(b *bench) {
		var tries tally
		b.start("a", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			return outbox.Result{GiveUp: tries.add(i.ID) < 3, Done: tries.of(i.ID) == 3, Attempt: store.Attempt{Status: 410}}
		})
		item := b.add(store.Item{Lane: "a"})[0]
		for n := 1; n <= 3; n++ {
			b.until("finished", func() bool { return b.item(item.ID).State != store.ItemPending })
			now := b.item(item.ID)
			if want := []store.ItemState{store.ItemFailed, store.ItemFailed, store.ItemDone}[n-1]; now.State != want || now.Attempts != int64(n) || now.Tries != 1 || now.FinishedAt.IsZero() {
				b.Errorf("round %d: %+v", n, now)
			}
			if n < 3 {
				if err := b.store.Update(b.Context(), func(tx *store.Tx) error { return tx.ReplayItem(b.Context(), item.ID, b.clock.Now()) }); err != nil {
					b.Fatal(err)
				}
				b.signal()
			}
		}
		if all := b.attempts(item.ID); len(all) != 3 || all[2].Number != 3 {
			b.Errorf("recorded: %+v", all)
		}
	})
}

// A replay of an item whose attempt is under way does not start another beside
// it.
func TestReplayDuringAnAttempt(t *testing.T) {
	each(t, clock.System, func(b *bench) {
		var tries tally
		began, finish := make(chan bool), make(chan bool)
		b.start("a", outbox.Limits{Poll: 10 * time.Millisecond}, func(_ context.Context, i store.Item) outbox.Result {
			tries.add(i.ID)
			began <- true
			<-finish
			return outbox.Result{Done: true}
		})
		item := b.add(store.Item{Lane: "a"})[0]
		await(b, "attempt", began)
		if err := b.store.Update(b.Context(), func(tx *store.Tx) error { return tx.ReplayItem(b.Context(), item.ID, b.clock.Now()) }); err != nil {
			b.Fatal(err)
		}
		b.until("claimed again", func() bool { return b.item(item.ID).Lease != "" })
		close(finish)
		b.until("done", func() bool { return b.item(item.ID).State == store.ItemDone })
		tries.wantOnce(b, []store.Item{item})
	})
}

func TestOrderOfOnePayment(t *testing.T) {
	each(t, clock.System, func(b *bench) {
		var mu sync.Mutex
		var order []int64
		var busy, most int
		first, others := make(chan bool), make(chan bool, 10)
		b.start("a", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			if i.PaymentID != "p" {
				others <- true
				return outbox.Result{Done: true}
			}
			mu.Lock()
			order = append(order, i.Version)
			busy++
			most = max(most, busy)
			mu.Unlock()
			if i.Version == 2 {
				<-first
			}
			mu.Lock()
			busy--
			mu.Unlock()
			return outbox.Result{Done: true}
		})
		var items []store.Item
		for version := range int64(6) {
			items = append(items, store.Item{Lane: "a", PaymentID: "p", Version: version + 2})
		}
		b.add(append(items, many("a", 10)...)...)
		for range 10 { // though version 2 hangs
			await(b, "attempt for another payment", others)
		}
		close(first)
		b.until("all done", func() bool { return b.pending() == 0 })
		if !slices.Equal(order, []int64{2, 3, 4, 5, 6, 7}) || most != 1 {
			b.Errorf("order %v, %d at once", order, most)
		}
	})
}

func TestWakeAndPoll(t *testing.T) {
	each(t, clock.System, func(b *bench) {
		stop := b.start("woken", outbox.Limits{Poll: time.Hour}, done)
		for range 5 { // two signals follow each other faster than claims do
			b.add(store.Item{Lane: "a"})
			b.add(store.Item{Lane: "a"})
			b.until("done after a signal", func() bool { return b.pending() == 0 })
		}
		stop()
		b.wake = nil
		b.start("polling", outbox.Limits{Poll: 20 * time.Millisecond}, done)
		for range 3 {
			b.add(store.Item{Lane: "a"})
			b.until("done without a signal", func() bool { return b.pending() == 0 })
		}
	})
}

func TestUnknownKindAndPanic(t *testing.T) {
	each(t, manual, func(b *bench) {
		b.start("a", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			if i.Target == "panic" {
				panic("the handler's own fault")
			}
			return outbox.Result{Done: true}
		})
		items := b.add(store.Item{Lane: "a", Kind: "other"}, store.Item{Lane: "a", Target: "panic"}, store.Item{Lane: "a"})
		b.until("all attempted", func() bool {
			return !slices.ContainsFunc(items, func(i store.Item) bool { return len(b.attempts(i.ID)) == 0 })
		})
		for n, want := range []string{"this program does not know work of kind other", "internal error", ""} {
			i := b.item(items[n].ID)
			if i.LastError != want || (i.State == store.ItemDone) != (want == "") {
				b.Errorf("item %d: %s, %q", n, i.State, i.LastError)
			}
			if wait := i.DueAt.Sub(noon); want != "" && (wait < time.Hour || wait > 67*time.Minute) {
				b.Errorf("item %d is due in %v", n, wait)
			}
		}
	})
}

func TestFaultEnds(t *testing.T) {
	for _, tc := range []struct {
		tries int64
		ends  bool
	}{{0, false}, {70, false}, {71, true}, {1000, true}} {
		r := outbox.Fault(store.Item{Tries: tc.tries}, store.Attempt{RequestID: "r"}, "why")
		if want := (outbox.Result{Attempt: store.Attempt{RequestID: "r", Error: "why"}, Ours: true, Retry: time.Hour, GiveUp: tc.ends}); r != want {
			t.Errorf("after %d tries: %+v", tc.tries, r)
		}
	}
}

// Work of one receiver beyond what memory has room for goes back to the
// database, and no other receiver notices.
func TestOverfullLane(t *testing.T) {
	each(t, func() clock.Clock { return clock.NewSandbox(0) }, func(b *bench) {
		const all = 150
		hang := make(chan bool)
		b.start("a", outbox.Limits{Running: 20, Waiting: 50, Lease: time.Hour}, func(_ context.Context, i store.Item) outbox.Result {
			if i.Lane == "hangs" {
				<-hang
			}
			return outbox.Result{Done: true}
		})
		hanging := b.add(many("hangs", all)...)
		b.until("some are held, and what has no room is given back", func() bool {
			var held, away int
			for _, i := range hanging {
				switch now := b.item(i.ID); {
				case now.Lease != "":
					held++
				case now.DueAt.After(i.DueAt):
					away++
				}
			}
			return held > 0 && held <= 70 && held+away == all
		})
		b.add(many("works", 30)...)
		b.until("the other lane's work is done", func() bool { return b.pending() == all })
		close(hang)
		b.until("all is done", func() bool {
			advance(b, 10*time.Second)
			return b.pending() == 0
		})
	})
}

// The clock of the sandbox jumps past leases and due times while attempts are
// under way and being recorded: none is doubled, none is left lying.
func TestSandboxClockJumps(t *testing.T) {
	const rounds, items = 12, 20
	each(t, func() clock.Clock { return clock.NewSandbox(0) }, func(b *bench) {
		pause := time.NewTicker(50 * time.Millisecond)
		defer pause.Stop()
		var mu sync.Mutex
		var wrong []string
		busy := map[string]bool{}
		b.start("a", outbox.Limits{Poll: 5 * time.Millisecond}, func(_ context.Context, i store.Item) outbox.Result {
			mu.Lock()
			if busy[i.ID] {
				wrong = append(wrong, fmt.Sprintf("%s: two attempts at once", i.ID))
			}
			busy[i.ID] = true
			mu.Unlock()
			if rand.IntN(5) == 0 { // while others are under way or being recorded
				advance(b, 2*time.Minute)
			}
			mu.Lock()
			busy[i.ID] = false
			mu.Unlock()
			return outbox.Result{Done: i.Attempts+1 >= rounds, Retry: time.Minute}
		})
		all := b.add(many("a", items)...)
		b.until("all rounds are over", func() bool {
			<-pause.C
			advance(b, 2*time.Minute)
			return b.pending() == 0
		})
		for _, i := range all {
			if n := b.item(i.ID).Attempts; n != rounds || len(b.attempts(i.ID)) != rounds {
				b.Errorf("%d attempts, %d recorded", n, len(b.attempts(i.ID)))
			}
		}
		if len(wrong) > 0 {
			b.Error(wrong)
		}
	})
}

// advance moves the sandbox's clock.
func advance(b *bench, by time.Duration) {
	if err := b.clock.(*clock.Sandbox).Advance(by); err != nil {
		b.Error(err)
	}
}
