package outbox_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var noon = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// bench is a database with runners on it.
type bench struct {
	*testing.T
	store *store.Store
	clock clock.Clock
	ids   *id.Source
	wake  chan struct{}
	log   *journal
}

// journal keeps what is logged.
type journal struct {
	sync.Mutex
	lines []byte
}

func (j *journal) Write(line []byte) (int, error) {
	j.Lock()
	defer j.Unlock()
	j.lines = append(j.lines, line...)
	return len(line), nil
}

func (j *journal) text() string {
	j.Lock()
	defer j.Unlock()
	return string(j.lines)
}

// each runs a test on either engine, and looks for goroutines that stay.
func each(t *testing.T, c func() clock.Clock, test func(b *bench)) {
	noLeaks(t)
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(newBench(t, s, c())) })
}

func noLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func newBench(t *testing.T, s *store.Store, c clock.Clock) *bench {
	return &bench{T: t, store: s, clock: c, ids: id.NewSource(rand.Reader, c), wake: make(chan struct{}, 1), log: &journal{}}
}

func manual() clock.Clock { return clock.NewManual(noon) }

// add enqueues items that are due now, in one transaction, and signals them.
func (b *bench) add(items ...store.Item) []store.Item {
	b.Helper()
	now := b.clock.Now()
	for n := range items {
		i := &items[n]
		i.ID, i.State, i.DueAt, i.CreatedAt = b.ids.New(), store.ItemPending, now, now
		if i.Kind == "" {
			i.Kind = "test"
		}
		if i.PaymentID == "" {
			i.PaymentID = i.ID
		}
	}
	err := b.store.Update(b.Context(), func(tx *store.Tx) error {
		for _, i := range items {
			if err := tx.AddItem(b.Context(), i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.signal()
	return items
}

func (b *bench) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// many are n items of one lane.
func many(lane string, n int) []store.Item {
	items := make([]store.Item, n)
	for i := range items {
		items[i].Lane = lane
	}
	return items
}

// handler is a func as a Handler.
type handler func(ctx context.Context, i store.Item) outbox.Result

func (h handler) Attempt(ctx context.Context, i store.Item) outbox.Result { return h(ctx, i) }

func done(context.Context, store.Item) outbox.Result { return outbox.Result{Done: true} }

// start runs a node until stop is called, which returns when it has ended. The
// end of the test stops it too.
func (b *bench) start(node string, l outbox.Limits, h handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	runner := outbox.New(outbox.Config{
		Store: b.store, Clock: b.clock, Node: node, Handlers: map[string]outbox.Handler{"test": h}, Wake: b.wake, Limits: l,
		Log: slog.New(slog.NewTextHandler(b.log, nil)),
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runner.Run(ctx)
	}()
	stop = func() {
		b.Helper()
		cancel()
		await(b, "the end of "+node, ended)
	}
	b.Cleanup(stop)
	return stop
}

// limit is how long a test waits for what has to happen.
const limit = 30 * time.Second

// await waits for a message.
func await[T any](b *bench, what string, from <-chan T) (v T) {
	b.Helper()
	select {
	case v = <-from:
	case <-time.After(limit):
		b.Fatalf("%s has not come", what)
	}
	return v
}

// until waits for something to become true.
func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(limit); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			b.Fatalf("not so after %v: %s", limit, what)
		}
	}
}

func (b *bench) item(id string) store.Item {
	b.Helper()
	var item store.Item
	err := b.store.View(b.Context(), func(tx *store.Tx) (err error) {
		item, err = tx.Item(b.Context(), id)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return item
}

func (b *bench) attempts(id string) []store.Attempt {
	b.Helper()
	var all []store.Attempt
	err := b.store.View(b.Context(), func(tx *store.Tx) (err error) {
		all, err = tx.Attempts(b.Context(), id)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// pending is how many items are not finished.
func (b *bench) pending() int64 {
	b.Helper()
	n, _, err := b.store.Backlog(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// tally counts attempts by item.
type tally struct {
	sync.Mutex
	by map[string]int
}

func (y *tally) add(id string) int {
	y.Lock()
	defer y.Unlock()
	if y.by == nil {
		y.by = map[string]int{}
	}
	y.by[id]++
	return y.by[id]
}

func (y *tally) of(id string) int {
	y.Lock()
	defer y.Unlock()
	return y.by[id]
}

func (y *tally) total() (n int) {
	y.Lock()
	defer y.Unlock()
	for _, count := range y.by {
		n += count
	}
	return n
}

// wantOnce fails unless every item was attempted once.
func (y *tally) wantOnce(b *bench, items []store.Item) {
	b.Helper()
	for _, i := range items {
		if n := y.of(i.ID); n != 1 {
			b.Errorf("item %s was attempted %d times", i.ID, n)
		}
	}
	if y.total() != len(items) {
		b.Errorf("%d attempts at %d items", y.total(), len(items))
	}
}
