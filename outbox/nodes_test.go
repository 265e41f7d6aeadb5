package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestTwoNodesShareTheWork(t *testing.T) {
	each(t, clock.System, func(b *bench) {
		var first, second, both tally
		count := func(own *tally) handler {
			return func(_ context.Context, i store.Item) outbox.Result {
				own.add(i.ID)
				both.add(i.ID)
				<-time.After(time.Millisecond)
				return outbox.Result{Done: true}
			}
		}
		l := outbox.Limits{Poll: 5 * time.Millisecond}
		b.start("a", l, count(&first))
		b.start("b", l, count(&second))
		var items []store.Item
		for n := range 60 {
			items = append(items, b.add(many([]string{"x", "y", "z"}[n%3], 20)...)...)
		}
		b.until("all is done", func() bool { return b.pending() == 0 })
		both.wantOnce(b, items)
		b.Logf("the nodes had %d and %d", first.total(), second.total()) // how they share it is up to who claims first
		for _, i := range items {
			if all := b.attempts(i.ID); len(all) != 1 {
				b.Fatalf("recorded: %+v", all)
			}
		}
	})
}

// asleep is a node that hangs in its first attempt, and claims nothing else,
// until woken.
func (b *bench) asleep(name string) (began chan store.Item, wake chan bool) {
	began, wake = make(chan store.Item, 9), make(chan bool)
	b.start(name, outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
		began <- i
		if i.Attempts == 0 {
			<-wake
		}
		return outbox.Result{Done: true, Attempt: store.Attempt{RequestID: name}}
	})
	return began, wake
}

// A node that slept past its lease, while another did its work, records
// nothing.
func TestPausedNodeDoesNotRecord(t *testing.T) {
	each(t, manual, func(b *bench) {
		began, wake := b.asleep("sleeper")
		item := b.add(store.Item{Lane: "a"})[0]
		await(b, "the sleeper's attempt", began)

		other := newBench(b.T, b.store, clock.NewManual(noon.Add(time.Hour)))
		stop := other.start("other", outbox.Limits{}, func(context.Context, store.Item) outbox.Result {
			return outbox.Result{Done: true, Attempt: store.Attempt{RequestID: "other"}}
		})
		b.until("the other node has done it", func() bool { return b.item(item.ID).State == store.ItemDone })
		stop()
		wake <- true
		second := b.add(store.Item{Lane: "b"})[0]
		await(b, "the next attempt", began)
		wake <- true
		b.until("the sleeper has recorded that one", func() bool { return b.item(second.ID).State == store.ItemDone })
		if all := b.attempts(item.ID); len(all) != 1 || all[0].RequestID != "other" {
			b.Errorf("recorded: %+v", all)
		}
	})
}

// The same, and the item has come back to the sleeper for its next attempt
// before the first one has ended: neither is recorded as the other.
func TestPausedNodeGetsTheItemBack(t *testing.T) {
	each(t, manual, func(b *bench) {
		began, wake := b.asleep("sleeper")
		item := b.add(store.Item{Lane: "a"})[0]
		await(b, "the sleeper's attempt", began)

		other := newBench(b.T, b.store, clock.NewManual(noon.Add(time.Hour)))
		stop := other.start("other", outbox.Limits{}, func(context.Context, store.Item) outbox.Result {
			return outbox.Result{Retry: time.Minute, Attempt: store.Attempt{RequestID: "other"}}
		})
		b.until("the other node has tried it", func() bool { return b.item(item.ID).Attempts == 1 })
		stop()
		b.clock.(*clock.Manual).Advance(2 * time.Hour)
		b.until("the sleeper has it again", func() bool { return b.item(item.ID).Lease == "sleeper" })
		wake <- true
		if again := await(b, "the next attempt", began); again.Attempts != 1 {
			b.Errorf("the next attempt is of %+v", again)
		}
		b.until("done", func() bool { return b.item(item.ID).State == store.ItemDone })
		all := b.attempts(item.ID)
		if len(all) != 2 || all[0].RequestID != "other" || all[1].RequestID != "sleeper" {
			b.Errorf("recorded: %+v", all)
		}
	})
}

// A node was killed: what it had is taken over when its leases have run out,
// not before.
func TestKilledNode(t *testing.T) {
	each(t, manual, func(b *bench) {
		items := b.add(many("a", 30)...)
		claimed, err := b.store.ClaimItems(b.Context(), "killed", noon, noon.Add(40*time.Second), 20)
		if err != nil || len(claimed) != 20 {
			b.Fatal(len(claimed), err)
		}
		var tries tally
		b.start("heir", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			tries.add(i.ID)
			return outbox.Result{Done: true}
		})
		b.until("what was free is done", func() bool { return b.pending() == 20 })
		b.clock.(*clock.Manual).Advance(39 * time.Second)
		b.add(store.Item{ID: "marker", Lane: "b"})
		b.until("the heir has looked again", func() bool { return tries.total() == 11 })
		b.clock.(*clock.Manual).Advance(2 * time.Second)
		b.until("all is done", func() bool { return b.pending() == 0 })
		for _, i := range items {
			if tries.of(i.ID) != 1 {
				b.Errorf("%d attempts", tries.of(i.ID))
			}
		}
	})
}

// At the end running attempts are finished, those that wait are given back, and
// the next node has the rest at once.
func TestDrain(t *testing.T) {
	each(t, clock.System, func(b *bench) {
		var tries tally
		began, finish := make(chan bool, 1000), make(chan bool)
		stop := b.start("first", outbox.Limits{Running: 16, Waiting: 400}, func(_ context.Context, i store.Item) outbox.Result {
			tries.add(i.ID)
			began <- true
			<-finish
			return outbox.Result{Done: true}
		})
		items := append(b.add(many("x", 40)...), b.add(many("y", 40)...)...)
		for range 4 {
			await(b, "attempt", began)
		}
		ended := make(chan bool)
		go func() {
			stop()
			close(ended)
		}()
		select {
		case <-ended:
			b.Fatal("Run has returned while attempts were under way")
		case <-time.After(50 * time.Millisecond):
		}
		close(finish)
		await(b, "the end", ended)
		running := tries.total()
		if running < 4 || running > 16 || b.pending() != int64(80-running) {
			b.Errorf("%d attempts, %d items pending", running, b.pending())
		}
		for _, i := range items {
			if now := b.item(i.ID); now.Lease != "" || !now.LeaseUntil.IsZero() {
				b.Errorf("still leased: %+v", now)
			}
		}
		b.start("second", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			tries.add(i.ID)
			return outbox.Result{Done: true}
		})
		b.until("all is done", func() bool { return b.pending() == 0 })
		tries.wantOnce(b, items)
	})
}

func TestDrainCutsOff(t *testing.T) {
	each(t, clock.System, func(b *bench) {
		began := make(chan bool)
		stop := b.start("a", outbox.Limits{Drain: 20 * time.Millisecond}, func(ctx context.Context, i store.Item) outbox.Result {
			began <- true
			<-ctx.Done()
			return outbox.Result{Ours: true, Retry: time.Second, Attempt: store.Attempt{Error: "given up by the gateway"}}
		})
		item := b.add(store.Item{Lane: "a"})[0]
		await(b, "attempt", began)
		stop()
		if now := b.item(item.ID); now.Attempts != 1 || now.LastError != "given up by the gateway" || now.Lease != "" {
			b.Errorf("%+v", now)
		}
	})
}

// An attempt that the database refuses to record takes no neighbour with it and
// does not go round without its schedule.
func TestUnrecordableAttempt(t *testing.T) {
	each(t, manual, func(b *bench) {
		var items []store.Item
		hold := make(chan bool)
		b.start("a", outbox.Limits{}, func(_ context.Context, i store.Item) outbox.Result {
			<-hold // so that they end together
			answer := "fine"
			if i.Target == "bad" {
				answer = "not \x00 text"
			}
			return outbox.Result{Done: i.Target != "bad", Retry: time.Minute, Attempt: store.Attempt{Answer: answer}}
		})
		for n := range 10 {
			i := store.Item{Lane: string(rune('a' + n))}
			if n == 5 {
				i.Target = "bad"
			}
			items = append(items, i)
		}
		items = b.add(items...)
		close(hold)
		b.until("all are recorded", func() bool {
			for _, i := range items {
				if len(b.attempts(i.ID)) != 1 {
					return false
				}
			}
			return true
		})
		for n, i := range items {
			now := b.item(i.ID)
			if want := n != 5; now.Attempts != 1 || (now.State == store.ItemDone) != want {
				b.Errorf("item %d: %+v", n, now)
			}
			if wait := now.DueAt.Sub(noon); n == 5 && wait < time.Minute {
				b.Errorf("the bad one is due in %v", wait)
			}
		}
	})
}

// The database goes away while attempts are under way: they are recorded when
// it is back, and none is made twice.
func TestDatabaseAway(t *testing.T) {
	noLeaks(t)
	for name, stop := range map[string]func(*pgtest.Server) error{
		"restarted": func(s *pgtest.Server) error { return s.Stop(pgtest.Fast) },
		"killed":    (*pgtest.Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			server := pgtest.NewServer(t, true)
			b := newBench(t, storetest.Open(t, server.URL()), clock.System())
			var tries tally
			began, finish := make(chan bool, 100), make(chan bool)
			b.start("a", outbox.Limits{Poll: 20 * time.Millisecond}, func(_ context.Context, i store.Item) outbox.Result {
				if tries.add(i.ID) > 1 {
					return outbox.Result{Done: true}
				}
				began <- true
				<-finish
				return outbox.Result{Done: true, Attempt: store.Attempt{Status: 200}}
			})
			items := b.add(append(many("x", 4), many("y", 4)...)...)
			for range items {
				await(b, "attempt", began)
			}
			if err := stop(server); err != nil {
				t.Fatal(err)
			}
			close(finish)
			b.until("it has tried to record", func() bool { return strings.Contains(b.log.text(), "cannot record attempts") })
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			b.until("all are recorded", func() bool { return b.pending() == 0 })
			tries.wantOnce(b, items)
			b.add(store.Item{Lane: "x"})
			b.until("work goes on", func() bool { return b.pending() == 0 })
		})
	}
}
