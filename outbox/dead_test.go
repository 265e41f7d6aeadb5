package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/store"
)

// promised is how soon a notice has its first attempt while others' receivers
// are dead.
const promised = 5 * time.Second

// town is a hundred receivers, of which ten are well.
type town struct {
	sync.Mutex
	well  bool // all are, for now
	worst time.Duration
	done  map[string]int // first attempts by lane
	clock clock.Clock
	since time.Time // when the node came up, for what is older
}

// attempt treats an item as its receiver does. What hangs, hangs as long as a
// real attempt would.
func (w *town) attempt(ctx context.Context, i store.Item) outbox.Result {
	ill := w.arrives(i)
	hang := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	switch kind, _, _ := strings.Cut(i.Lane, "."); {
	case !ill || kind == "well":
		hang(3 * time.Millisecond)
		return outbox.Result{Done: true}
	case kind == "slow":
		hang(8 * time.Second)
		return outbox.Result{Done: true}
	case kind == "hangs":
		hang(10 * time.Second)
	case kind == "fails":
		hang(time.Millisecond)
	}
	return outbox.Result{Retry: 5 * time.Second}
}

func (w *town) arrives(i store.Item) (ill bool) {
	w.Lock()
	defer w.Unlock()
	if i.Attempts == 0 {
		w.done[i.Lane]++
		if strings.HasPrefix(i.Lane, "well") {
			waits := i.CreatedAt
			if waits.Before(w.since) {
				waits = w.since
			}
			w.worst = max(w.worst, w.clock.Now().Sub(waits))
		}
	}
	return !w.well
}

// healthy is how many first attempts the well receivers have had.
func (w *town) healthy() (n int) {
	w.Lock()
	defer w.Unlock()
	for lane, done := range w.done {
		if strings.HasPrefix(lane, "well") {
			n += done
		}
	}
	return n
}

// reset forgets what has happened; from now on all are well, or not.
func (w *town) reset(well bool) {
	w.Lock()
	defer w.Unlock()
	w.well, w.worst, w.done = well, 0, map[string]int{}
}

// flood enqueues n notices for each receiver of the town, mixed.
func (b *bench) flood(n int) {
	var items []store.Item
	for _, kind := range []string{"well", "hangs", "refuses", "fails", "slow"} {
		receivers := map[string]int{"well": 10, "hangs": 50, "refuses": 10, "fails": 10, "slow": 20}[kind]
		for r := range receivers {
			items = append(items, many(fmt.Sprintf("%s.%d.example.test", kind, r), n)...)
		}
	}
	rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	for len(items) > 0 {
		part := min(len(items), 500)
		b.add(items[:part]...)
		items = items[part:]
	}
}

// open starts a node for the town.
func (w *town) open(b *bench) {
	// A quarter of the usual size, as is the load, so that a busy machine can
	// keep the promise too.
	b.start("a", outbox.Limits{Running: 512, Waiting: 4096, Drain: time.Millisecond}, w.attempt)
}

// keepsPromise waits for n first attempts at healthy receivers and fails unless
// all of them came in time.
func (w *town) keepsPromise(b *bench, n int) {
	b.Helper()
	b.until("all healthy have been told", func() bool { return w.healthy() == n })
	w.Lock()
	defer w.Unlock()
	b.Logf("the last first attempt came after %v", w.worst)
	if w.worst > promised {
		b.Errorf("the last first attempt came after %v", w.worst)
	}
}

// No notice waits behind another: with nine receivers in ten dead or slow, all
// first attempts at the others begin within five seconds.
func TestDeadReceivers(t *testing.T) {
	notices := 60 // for each of a hundred
	if testing.Short() {
		notices = 5 // the race detector makes SQLite, which is Go too, ten times slower
	}
	for name, run := range map[string]func(b *bench, w *town){
		"nobody is known, then the ill are": func(b *bench, w *town) {
			w.open(b)
			for range 2 {
				w.reset(false)
				b.flood(notices)
				w.keepsPromise(b, 10*notices)
			}
		},
		"all were well, nine in ten die at once": func(b *bench, w *town) {
			w.reset(true)
			w.open(b)
			b.flood(20)
			b.until("all are told", func() bool { return b.pending() == 0 })
			w.reset(false)
			b.flood(notices)
			w.keepsPromise(b, 10*notices)
		},
		"the gateway comes back and finds the work of an hour": func(b *bench, w *town) {
			b.flood(notices)
			w.reset(false)
			w.since = b.clock.Now()
			w.open(b)
			for range 20 { // and new work comes in
				<-time.After(100 * time.Millisecond)
				b.add(many("well.0.example.test", 10)...)
			}
			w.keepsPromise(b, 10*notices+200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, clock.System, func(b *bench) { run(b, &town{clock: b.clock}) })
		})
	}
}
