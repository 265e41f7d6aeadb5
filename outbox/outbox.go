// Package outbox does durable work: what a transaction has written to be done
// afterwards, at least once. Items are leased, tried, tried again later, and at
// last given up; every try is recorded. Nothing waits in memory that is not in
// the database, so a killed node loses nothing: its leases run out and another
// takes over.
//
// No item waits behind another receiver's. Items are spread over lanes (for a
// notice, the receiver's host). A lane that fails or is slow gets few workers,
// no lane gets more than an eighth of those that are free, and a quarter of
// all is kept for lanes that work. What a lane is too far behind with goes
// back to the database for up to a minute.
//
// Items of one payment are tried one at a time and first in their order, as
// far as one node knows of them and their receiver keeps up.
package outbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/store"
)

// Handler does one kind of work.
type Handler interface {
	// Attempt does item's work once. It has to end within a quarter of the
	// lease, and soon when ctx ends.
	Attempt(ctx context.Context, item store.Item) Result
}

// Loader is the ability of a Handler to load what several attempts need at
// once, which is much cheaper than for each alone.
type Loader interface {
	Handler
	// Load returns for each item what AttemptLoaded is to have, nil for what
	// could not be loaded: then Attempt is called instead.
	Load(ctx context.Context, items []store.Item) []any
	AttemptLoaded(ctx context.Context, item store.Item, loaded any) Result
}

// Result is how an attempt went.
type Result struct {
	Attempt store.Attempt // the runner fills Number and At; Duration is the receiver's part
	Done    bool          // the work is done
	GiveUp  bool          // it will never succeed
	Retry   time.Duration // otherwise: when to try again
	Ours    bool          // the failure is our own and shows nothing of the receiver
}

// Faults of our own are tried again so often, in which a new version of this
// program may mend them: three days.
const (
	faultRetry = time.Hour
	faultTries = 72
)

// Fault is the result of an attempt that a fault of our own has kept from
// being made.
func Fault(item store.Item, a store.Attempt, text string) Result {
	a.Error = text
	return Result{Attempt: a, Ours: true, Retry: faultRetry, GiveUp: item.Tries+1 >= faultTries}
}

// Limits of a runner. The zero value of a field takes the default.
type Limits struct {
	Running int           // attempts at once; 2048
	Waiting int           // claimed items in memory; 16384
	PerLane int           // attempts at once of one lane; 64
	Poll    time.Duration // between looks for work that nobody signalled; 500 ms
	Lease   time.Duration // how long a claimed item is ours; 40 s
	Drain   time.Duration // how long running attempts may take at the end; 15 s
}

func (l Limits) orDefaults() Limits {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&l.Running, 2048)
	or(&l.Waiting, 16384)
	or(&l.PerLane, 64)
	orTime(&l.Poll, 500*time.Millisecond)
	orTime(&l.Lease, 40*time.Second)
	orTime(&l.Drain, 15*time.Second)
	return l
}

// Config is what a Runner is made of.
type Config struct {
	Store    *store.Store
	Clock    clock.Clock
	Node     string // unique to this run of this process
	Handlers map[string]Handler
	Wake     <-chan struct{} // signals new work; may be nil
	Limits   Limits
	Log      *slog.Logger
	// Observe is told of every recorded attempt, for metrics; may be nil.
	Observe func(item store.Item, r Result)
}
