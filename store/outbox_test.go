package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// enqueue adds n due items and returns their ids, the longest due first.
func enqueue(t *testing.T, s *store.Store, n int) []string {
	t.Helper()
	added := make([]string, n)
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		for i := range added {
			added[i] = ids.New()
			item := store.Item{
				ID: added[i], Kind: "notice", PaymentID: "p", Version: int64(i + 1), MerchantID: "m", Dialect: "test", Target: "https://x.test", Lane: "x.test",
				State: store.ItemPending, DueAt: start.Add(time.Duration(i-n) * time.Second), CreatedAt: start,
			}
			if err := tx.AddItem(t.Context(), item); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func claim(t *testing.T, s *store.Store, lease string, now time.Time, limit int) []store.Item {
	t.Helper()
	items, err := s.ClaimItems(t.Context(), lease, now, now.Add(time.Minute), limit)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// Workers that claim at once get each item once, never more than they asked for,
// the longest due first.
func TestClaimAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		added := enqueue(t, s, 100)
		var mu sync.Mutex
		seen := map[string]int{}
		atOnce(8, func(worker int) {
			for {
				items, err := s.ClaimItems(t.Context(), fmt.Sprint(worker), start, start.Add(time.Minute), 7)
				if err != nil {
					t.Error(err)
					return
				}
				if len(items) > 7 || !slices.IsSortedFunc(items, func(a, b store.Item) int { return a.DueAt.Compare(b.DueAt) }) {
					t.Errorf("claimed %d items", len(items))
				}
				mu.Lock()
				for _, i := range items {
					if seen[i.ID]++; i.Lease != fmt.Sprint(worker) {
						t.Errorf("leased to %q", i.Lease)
					}
				}
				mu.Unlock()
				if len(items) == 0 {
					return
				}
			}
		})
		if len(seen) != len(added) {
			t.Errorf("%d of %d items were claimed", len(seen), len(added))
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
	})
}

func TestLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		added := enqueue(t, s, 2)
		if early := claim(t, s, "early", start.Add(-time.Hour), 10); len(early) != 0 {
			t.Errorf("claimed before they were due: %v", early)
		}
		first := claim(t, s, "one", start, 1)
		if len(first) != 1 || first[0].ID != added[0] {
			t.Fatalf("claimed %+v", first)
		}
		if rest := claim(t, s, "two", start.Add(time.Minute-time.Millisecond), 10); len(rest) != 1 || rest[0].ID != added[1] {
			t.Errorf("claimed %+v", rest)
		}
		// The first worker is taken for dead when its lease has run out.
		now := start.Add(time.Minute)
		again := claim(t, s, "three", now, 10)
		if len(again) != 1 || again[0].ID != added[0] {
			t.Fatalf("after the lease: %+v", again)
		}
		done := func(i store.Item) store.Finished {
			i.State, i.FinishedAt, i.LastStatus = store.ItemDone, now, 200
			return store.Finished{Item: i, Attempt: store.Attempt{At: now, Duration: 12 * time.Millisecond, RequestID: "r", Status: 200, Answer: "ok"}}
		}
		held, err := s.FinishAttempts(ctx, "one", []store.Finished{done(first[0])})
		if err != nil || held[0] {
			t.Errorf("the loser has recorded: %v, %v", held, err)
		}
		stranger := first[0]
		stranger.ID = "nobody"
		held, err = s.FinishAttempts(ctx, "three", []store.Finished{done(stranger), done(again[0]), done(again[0])})
		if err != nil || fmt.Sprint(held) != "[false true false]" {
			t.Errorf("recorded: %v, %v", held, err)
		}
		check := func(wantState store.ItemState, attempts, tries int64, lease string) store.Item {
			t.Helper()
			var item store.Item
			err := s.View(ctx, func(tx *store.Tx) (err error) {
				if item, err = tx.Item(ctx, added[0]); err != nil {
					return err
				}
				records, err := tx.Attempts(ctx, added[0])
				if int64(len(records)) != attempts {
					t.Errorf("%d attempts are recorded, want %d", len(records), attempts)
				}
				for i, r := range records {
					if r.Number != int64(i+1) || r.Duration != 12*time.Millisecond || r.Answer != "ok" {
						t.Errorf("attempt %+v", r)
					}
				}
				return err
			})
			if err != nil || item.State != wantState || item.Attempts != attempts || item.Tries != tries || item.Lease != lease {
				t.Errorf("item %+v, %v", item, err)
			}
			return item
		}
		check(store.ItemDone, 1, 1, "")
		if pending, oldest, err := s.Backlog(ctx); err != nil || pending != 1 || !oldest.Equal(start) {
			t.Errorf("backlog %d since %v, %v", pending, oldest, err)
		}

		replay := func(id string) error {
			return s.Update(ctx, func(tx *store.Tx) error { return tx.ReplayItem(ctx, id, now) })
		}
		wantCode(t, "replay nothing", replay("nobody"), payment.CodeNotFound)
		if err := replay(added[0]); err != nil {
			t.Fatal(err)
		}
		if item := check(store.ItemPending, 1, 0, ""); !item.FinishedAt.IsZero() || !item.DueAt.Equal(now) {
			t.Errorf("replayed: %+v", item)
		}
		// A replay takes a running attempt's lease away; the attempt is not recorded.
		running := claim(t, s, "four", now, 1)
		if len(running) != 1 {
			t.Fatalf("claimed %+v", running)
		}
		if err := replay(running[0].ID); err != nil {
			t.Fatal(err)
		}
		if held, err = s.FinishAttempts(ctx, "four", []store.Finished{done(running[0])}); err != nil || held[0] {
			t.Errorf("recorded without a lease: %v, %v", held, err)
		}

		taken := claim(t, s, "five", now, 10)
		if len(taken) != 1 {
			t.Fatalf("claimed %+v", taken)
		}
		taken[0].DueAt = now.Add(time.Hour)
		if err := s.Release(ctx, "nobody", taken); err != nil {
			t.Fatal(err)
		}
		if free := claim(t, s, "six", now, 10); len(free) != 0 {
			t.Errorf("a stranger has released %v", free)
		}
		if err := s.Release(ctx, "five", taken); err != nil {
			t.Fatal(err)
		}
		released := func(i store.Item) bool { return i.ID == taken[0].ID }
		if early := claim(t, s, "six", now.Add(time.Hour-time.Millisecond), 10); slices.ContainsFunc(early, released) {
			t.Errorf("released items were due early: %v", early)
		}
		if due := claim(t, s, "six", now.Add(time.Hour), 10); len(due) != 1 || !released(due[0]) {
			t.Errorf("when the released one is due: %v", due)
		}
	})
}

func TestSearchItems(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		added := enqueue(t, s, 5)
		slices.Reverse(added)
		err := s.View(t.Context(), func(tx *store.Tx) error {
			for cursor, want := range map[string][]string{"": added[:3], added[2]: added[3:], added[4]: nil} {
				items, err := tx.SearchItems(t.Context(), "m", store.ItemPending, cursor, 3)
				if err != nil {
					return err
				}
				var got []string
				for _, i := range items {
					got = append(got, i.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("after %q: %v, want %v", cursor, got, want)
				}
			}
			none, err := tx.SearchItems(t.Context(), "other", "", "", 3)
			if len(none) != 0 {
				t.Errorf("another merchant's: %v", none)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
