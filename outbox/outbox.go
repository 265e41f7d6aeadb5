// Package outbox does durable work: what a transaction has written to be done
// afterwards, at least once. Items are leased, tried, tried again later, and at
// last given up; every try is recorded. Nothing waits in memory that is not in
// the database, so a killed node loses nothing: its leases run out and another
// takes over.
//
// No item waits behind a failing one. Items are spread over lanes (for a
// notice, the receiver's host); a lane that fails or is slow gets few workers,
// and at least a quarter of all is kept for lanes that work.
package outbox

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/store"
)

// Handler does one kind of work.
type Handler interface {
	// Attempt does item's work once. When ctx ends it stops as soon as it can.
	Attempt(ctx context.Context, item store.Item) Result
}

// Result is how an attempt went.
type Result struct {
	Attempt store.Attempt
	Done    bool          // the work is done
	GiveUp  bool          // it will never succeed
	Retry   time.Duration // otherwise: when to try again
}

// Limits of a runner. The zero value of a field takes the default.
type Limits struct {
	Running int           // attempts at once; 2048
	Waiting int           // claimed items in memory; 8192
	PerLane int           // attempts at once of a lane that works; 64
	Poll    time.Duration // between looks for work that nobody signalled; 500 ms
	Lease   time.Duration // how long a claimed item is ours; 2 min
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
	or(&l.Waiting, 8192)
	or(&l.PerLane, 64)
	orTime(&l.Poll, 500*time.Millisecond)
	orTime(&l.Lease, 2*time.Minute)
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

// Runner works through the outbox. Several nodes may run one each.
type Runner struct {
	cfg    Config
	limits Limits

	lanes    lanes
	known    map[string]bool // items that are here, waiting or running
	results  chan finished
	recorded chan []store.Item
}

// finished is an attempt that has ended and is to be recorded.
type finished struct {
	item   store.Item
	result Result
	at     time.Time
}

// New makes a Runner.
func New(cfg Config) *Runner {
	if cfg.Observe == nil {
		cfg.Observe = func(store.Item, Result) {}
	}
	l := cfg.Limits.orDefaults()
	return &Runner{
		cfg: cfg, limits: l, known: map[string]bool{}, lanes: newLanes(l),
		results: make(chan finished, l.Running), recorded: make(chan []store.Item, l.Running),
	}
}

// claimBatch is how many items one claim takes at most.
const claimBatch = 256

// Run works until ctx ends, then lets running attempts finish, records them and
// gives the rest back. It returns when all that is done.
func (r *Runner) Run(ctx context.Context) {
	attempts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var recorder sync.WaitGroup
	recorder.Go(r.record)

	for ctx.Err() == nil {
		more := r.claim(ctx)
		r.dispatch(attempts)
		if more {
			r.collect()
			continue
		}
		r.wait(ctx)
	}
	r.drain(stop)
	close(r.results)
	recorder.Wait()
	r.giveBack()
}

// wait returns when something may be to do.
func (r *Runner) wait(ctx context.Context) {
	poll, cancel := context.WithCancel(ctx)
	defer cancel()
	ticked := make(chan struct{})
	go func() {
		defer close(ticked)
		_ = clock.Sleep(poll, r.cfg.Clock, r.limits.Poll)
	}()
	select {
	case <-ctx.Done():
	case <-r.cfg.Wake:
	case <-ticked:
	case items := <-r.recorded:
		r.settled(items)
	}
	r.collect()
}

// collect takes in what has been recorded meanwhile.
func (r *Runner) collect() {
	for {
		select {
		case items := <-r.recorded:
			r.settled(items)
		default:
			return
		}
	}
}

func (r *Runner) settled(items []store.Item) {
	for _, i := range items {
		delete(r.known, i.ID)
		r.lanes.left(i, i.State == store.ItemDone)
	}
}

// claim leases due items and puts them into their lanes. It says whether there
// may be more.
func (r *Runner) claim(ctx context.Context) (more bool) {
	room := min(r.limits.Waiting-r.lanes.waiting, claimBatch)
	if room <= 0 {
		return false
	}
	now := r.cfg.Clock.Now()
	items, err := r.cfg.Store.ClaimItems(ctx, r.cfg.Node, now, now.Add(r.limits.Lease), room)
	if err != nil {
		if ctx.Err() == nil {
			r.cfg.Log.Error("outbox: cannot claim work", "error", err.Error())
		}
		return false
	}
	var parked []store.Item
	for _, i := range items {
		if r.known[i.ID] {
			continue // claimed a second time after the clock was moved
		}
		if !r.lanes.join(i) {
			// The lane is behind; come back when it may have caught up.
			i.DueAt = now.Add(parkFor/2 + rand.N(parkFor))
			parked = append(parked, i)
			continue
		}
		r.known[i.ID] = true
	}
	if len(parked) > 0 {
		if err := r.cfg.Store.Release(ctx, r.cfg.Node, parked); err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("outbox: cannot give work back", "error", err.Error())
		}
	}
	return len(items) == room
}

// parkFor is about how long an item of an overfull lane stays away.
const parkFor = 20 * time.Second

// dispatch starts as many attempts as the limits allow.
func (r *Runner) dispatch(ctx context.Context) {
	now := r.cfg.Clock.Now()
	for {
		item, ok := r.lanes.next()
		if !ok {
			return
		}
		// A lease that ends soon could be somebody else's before we are done.
		if item.LeaseUntil.Sub(now) < r.limits.Lease/4 {
			delete(r.known, item.ID)
			r.lanes.left(item, false)
			continue
		}
		go func() {
			at := r.cfg.Clock.Now()
			r.results <- finished{item: item, result: r.attempt(ctx, item), at: at}
		}()
	}
}

func (r *Runner) attempt(ctx context.Context, item store.Item) (result Result) {
	handler, ok := r.cfg.Handlers[item.Kind]
	if !ok {
		return Result{Attempt: store.Attempt{Error: "this program does not know work of kind " + item.Kind}, Retry: time.Hour}
	}
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("outbox: attempt panicked", "kind", item.Kind, "item", item.ID, "panic", p)
			result = Result{Attempt: store.Attempt{Error: "internal error"}, Retry: time.Hour}
		}
	}()
	return handler.Attempt(ctx, item)
}

// drain waits for running attempts, up to the limit, then cuts them off.
func (r *Runner) drain(stop context.CancelFunc) {
	limit := time.NewTimer(r.limits.Drain)
	defer limit.Stop()
	for r.lanes.running > 0 {
		select {
		case items := <-r.recorded:
			r.settled(items)
		case <-limit.C:
			stop()
		}
	}
}

// giveBack returns what was claimed but not tried.
func (r *Runner) giveBack() {
	items := r.lanes.rest()
	if len(items) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.cfg.Store.Release(ctx, r.cfg.Node, items); err != nil {
		r.cfg.Log.Error("outbox: cannot give work back; it is free when its lease ends", "error", err.Error())
	}
}

// recordBatch is how many attempts one transaction records at most.
const recordBatch = 256

// record writes attempts down as they end, all that are waiting in one
// transaction.
func (r *Runner) record() {
	for first := range r.results {
		batch := []finished{first}
	more:
		for len(batch) < recordBatch {
			select {
			case f, ok := <-r.results:
				if !ok {
					break more
				}
				batch = append(batch, f)
			default:
				break more
			}
		}
		r.recorded <- r.write(batch)
	}
}

// write records a batch, trying again while the database is away. What cannot
// be recorded before its lease ends will be tried again: at least once.
func (r *Runner) write(batch []finished) []store.Item {
	records := make([]store.Finished, len(batch))
	items := make([]store.Item, len(batch))
	for i, f := range batch {
		records[i] = outcome(f, r.cfg.Clock.Now())
		items[i] = records[i].Item
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.limits.Lease/2)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		held, err := r.cfg.Store.FinishAttempts(ctx, r.cfg.Node, records)
		if err == nil {
			for i, f := range batch {
				if held[i] {
					r.cfg.Observe(items[i], f.result)
				}
			}
			return items
		}
		r.cfg.Log.Error("outbox: cannot record attempts", "count", len(batch), "error", err.Error())
		select {
		case <-ctx.Done():
			return items
		case <-time.After(wait):
		}
	}
}

// outcome is an item after an attempt.
func outcome(f finished, now time.Time) store.Finished {
	i, a := f.item, f.result.Attempt
	a.At = f.at
	i.LastStatus, i.LastError = a.Status, a.Error
	switch {
	case f.result.Done:
		i.State, i.FinishedAt = store.ItemDone, now
	case f.result.GiveUp:
		i.State, i.FinishedAt = store.ItemFailed, now
	default:
		// A little disorder keeps receivers that came back from being overrun.
		i.DueAt = now.Add(f.result.Retry + rand.N(f.result.Retry/10+1))
	}
	return store.Finished{Item: i, Attempt: a}
}
