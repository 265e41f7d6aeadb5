package outbox

import (
	"cmp"
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/thungan/thungan/store"
)

const (
	// claimBatch is how many items one claim takes at most.
	claimBatch = 512
	// wakeGap is the least time from one claim that was signalled to the next,
	// so that a stream of signals makes for large claims and not for many.
	wakeGap = 20 * time.Millisecond
	// patience is how long a statement of ours may take.
	patience = 10 * time.Second
)

// Runner works through the outbox. Several nodes may run one each.
type Runner struct {
	cfg    Config
	limits Limits

	// These belong to the goroutine of Run.
	lanes lanes
	known map[string]*store.Item // what is here, waiting or running, by id
	// A claim is made beside everything else, one at a time.
	claiming bool
	again    bool             // one more is wanted after it
	ended    map[string]int64 // attempts at items that were settled during it, by id

	claims   chan claimed
	giving   sync.WaitGroup  // releases under way
	results  chan finished   // attempts that have ended, to be recorded
	recorded chan []finished // attempts that are off our hands
}

// claimed is what a claim has brought.
type claimed struct {
	items []store.Item
	at    time.Time
}

// finished is an attempt that has ended.
type finished struct {
	item   store.Item
	result Result
	at     time.Time     // when it began
	took   time.Duration // on the machine's clock
}

// New makes a Runner.
func New(cfg Config) *Runner {
	if cfg.Observe == nil {
		cfg.Observe = func(store.Item, Result) {}
	}
	l := cfg.Limits.orDefaults()
	// Both channels hold all that can be under way, so nobody waits to send.
	return &Runner{
		cfg: cfg, limits: l, known: map[string]*store.Item{}, lanes: newLanes(l), ended: map[string]int64{}, claims: make(chan claimed, 1),
		results: make(chan finished, l.Running), recorded: make(chan []finished, l.Running),
	}
}

// Run works until ctx ends, then lets running attempts finish, records them and
// gives the rest back. It returns when all that is done. A Runner runs once.
func (r *Runner) Run(ctx context.Context) {
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	recording, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	var recorder sync.WaitGroup
	recorder.Go(func() { r.record(recording) })

	r.work(ctx, attempts)
	if r.claiming {
		r.take(<-r.claims) // to be given back
	}
	r.drain(cut, abandon)
	close(r.results)
	recorder.Wait()
	r.release(r.lanes.rest())
	r.giving.Wait()
}

// work claims and starts attempts until ctx ends. When nothing happens, it
// costs one look into the database every Poll.
func (r *Runner) work(ctx, attempts context.Context) {
	poll := r.cfg.Clock.After(0)
	wake := r.cfg.Wake
	var rested, back <-chan time.Time // back: items that were sent away are due again
	for {
		select {
		case <-ctx.Done():
			return
		case batch := <-r.recorded:
			r.settle(batch)
			r.dispatch(attempts)
		case <-wake:
			r.claim()
			wake, rested = nil, time.After(wakeGap)
		case <-rested:
			wake, rested = r.cfg.Wake, nil
		case <-poll:
			r.claim()
			poll = r.cfg.Clock.After(r.limits.Poll)
		case <-back:
			back = nil
			r.claim()
		case c := <-r.claims:
			if soonest := r.take(c); soonest < r.limits.Poll && back == nil {
				back = r.cfg.Clock.After(soonest)
			}
			r.dispatch(attempts)
			if len(c.items) == claimBatch || r.again {
				r.claim()
			}
		}
	}
}

// settle forgets attempts that are off our hands.
func (r *Runner) settle(batch []finished) {
	now := time.Now()
	for _, f := range batch {
		if r.claiming {
			r.ended[f.item.ID] = f.item.Attempts
		}
		// It may be here again already, claimed for the next attempt.
		if had := r.known[f.item.ID]; had != nil && had.Attempts == f.item.Attempts {
			delete(r.known, f.item.ID)
		}
		n := bad
		switch {
		case f.result.Done:
			n = good
		case f.result.Ours:
			n = nothing
		}
		// Better the receiver's own time: ours is longer when this machine is slow.
		r.lanes.left(&f.item, n, cmp.Or(f.result.Attempt.Duration, f.took), now)
	}
}

// claim starts to lease due items, or notes that it is to be done once more
// when the one under way has ended.
func (r *Runner) claim() {
	r.again = r.claiming
	if r.claiming {
		return
	}
	r.claiming = true
	go func() {
		// The end of the program does not cut it short: what is claimed has to be
		// known, to be given back.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c := claimed{at: r.cfg.Clock.Now()}
		var err error
		if c.items, err = r.cfg.Store.ClaimItems(ctx, r.cfg.Node, c.at, c.at.Add(r.limits.Lease), claimBatch); err != nil {
			r.cfg.Log.Error("outbox: cannot claim work", "error", err.Error())
		}
		r.claims <- c
	}()
}

// take puts claimed items into their lanes, and says when the first of those
// that it had to send away is due again.
func (r *Runner) take(c claimed) (soonest time.Duration) {
	r.claiming = false
	defer clear(r.ended)
	soonest = maxPark
	var parked []store.Item
	for i := range c.items {
		item := &c.items[i]
		if attempts, ok := r.ended[item.ID]; ok && attempts == item.Attempts {
			continue // its lease had run out; meanwhile the attempt was recorded
		}
		if had := r.known[item.ID]; had != nil && had.Attempts == item.Attempts {
			had.LeaseUntil = item.LeaseUntil // it had run out, or somebody replays the item
			continue
		}
		if wait, ok := r.lanes.join(item, time.Now()); !ok {
			soonest = min(soonest, wait)
			item.DueAt = c.at.Add(wait)
			parked = append(parked, *item)
			continue
		}
		r.known[item.ID] = item
	}
	r.release(parked)
	return soonest
}

// release gives items back untried, beside everything else.
func (r *Runner) release(items []store.Item) {
	if len(items) == 0 {
		return
	}
	r.giving.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.cfg.Store.Release(ctx, r.cfg.Node, items); err != nil {
			r.cfg.Log.Error("outbox: cannot give work back; it is free when its lease ends", "count", len(items), "error", err.Error())
		}
	})
}

// dispatch starts as many attempts as the limits allow.
func (r *Runner) dispatch(ctx context.Context) {
	now := r.cfg.Clock.Now()
	var stale []store.Item
	ready := map[string][]store.Item{} // by kind
	for {
		item := r.lanes.next(time.Now())
		if item == nil {
			break
		}
		// A lease that ends soon could be somebody else's before we are done.
		if item.LeaseUntil.Sub(now) < r.limits.Lease/2 {
			delete(r.known, item.ID)
			r.lanes.left(item, nothing, 0, time.Now())
			stale = append(stale, *item)
			continue
		}
		ready[item.Kind] = append(ready[item.Kind], *item)
	}
	for kind, items := range ready {
		r.start(ctx, kind, items)
	}
	r.release(stale)
}

// start starts attempts at items of one kind.
func (r *Runner) start(ctx context.Context, kind string, items []store.Item) {
	loader, ok := r.cfg.Handlers[kind].(Loader)
	if !ok || len(items) == 1 {
		for _, item := range items {
			go r.try(ctx, item, nil)
		}
		return
	}
	go func() {
		loaded := r.load(ctx, loader, items)
		for i, item := range items {
			go r.try(ctx, item, loaded[i])
		}
	}()
}

// load loads what items need, nothing when that fails.
func (r *Runner) load(ctx context.Context, loader Loader, items []store.Item) (loaded []any) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("outbox: loading panicked", "kind", items[0].Kind, "panic", p, "stack", string(debug.Stack()))
			loaded = make([]any, len(items))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return loader.Load(ctx, items)
}

func (r *Runner) try(ctx context.Context, item store.Item, loaded any) {
	f := finished{item: item, at: r.cfg.Clock.Now()}
	begun := time.Now()
	f.result = r.attempt(ctx, item, loaded)
	f.took = time.Since(begun)
	r.results <- f
}

func (r *Runner) attempt(ctx context.Context, item store.Item, loaded any) (result Result) {
	handler, ok := r.cfg.Handlers[item.Kind]
	if !ok {
		return Fault(item, store.Attempt{}, "this program does not know work of kind "+item.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("outbox: attempt panicked", "kind", item.Kind, "item", item.ID, "panic", p, "stack", string(debug.Stack()))
			result = Fault(item, store.Attempt{}, "internal error")
		}
	}()
	if loader, ok := handler.(Loader); ok && loaded != nil {
		return loader.AttemptLoaded(ctx, item, loaded)
	}
	return handler.Attempt(ctx, item)
}

// drainGrace is how long attempts that were cut off may take to end, and their
// recording.
const drainGrace = 5 * time.Second

// drain waits for running attempts. After the limit it cuts them off, and a
// little later it no longer waits for the database either.
func (r *Runner) drain(cut, abandon context.CancelFunc) {
	defer time.AfterFunc(r.limits.Drain, cut).Stop()
	defer time.AfterFunc(r.limits.Drain+drainGrace, abandon).Stop()
	for r.lanes.running.all() > 0 {
		r.settle(<-r.recorded)
	}
}
