package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thungan/thungan/payment"
)

const (
	groupMost  = 512  // requests that one commit takes at most
	queueMost  = 4096 // requests that wait for one; more are told to come back
	groupTries = 5    // of a group that lost to another transaction
)

var (
	errBusy   = payment.Error{Code: payment.CodeBusy, Text: "too many requests at once; nothing was done, try again"}
	errClosed = payment.Error{Code: payment.CodeBusy, Text: "the gateway is shutting down; nothing was done, try again"}
)

// committer commits what many callers want written as one durable transaction.
// A writer takes whoever waits when its last commit has ended; there is no
// timer. Each caller has its own verdict and is answered after the commit. When
// a group fails, its requests are run alone, so that one that cannot be written
// does not hurt its neighbours.
type committer struct {
	store   *Store
	queue   chan *request
	writers sync.WaitGroup

	mu     sync.RWMutex // held for reading while a request is queued
	closed bool
}

// request is what one caller wants written: new payments, which an engine may
// insert many at a time, or anything else.
type request struct {
	ctx   context.Context
	opens []Opening
	write func(tx *Tx) error // may run more than once

	verdicts []error    // of opens, good when the commit was
	done     chan error // receives once: nil after the commit
	stage    atomic.Int32
}

// The stages of a request. Either its caller leaves it while it is waiting, or a
// writer takes it up: then what becomes of it is no longer the caller's to say.
const (
	stageWaiting int32 = iota
	stageLeft
	stageTaken
)

// leave gives up a request that no writer has taken up, and says whether it is
// given up: nothing of it will be done.
func (r *request) leave() bool {
	return r.stage.CompareAndSwap(stageWaiting, stageLeft) || r.stage.Load() == stageLeft
}

func newCommitter(s *Store, writers int) *committer {
	c := &committer{store: s, queue: make(chan *request, queueMost)}
	for range writers {
		c.writers.Go(c.run)
	}
	return c
}

// do queues a request and waits for its commit. A caller that goes away before
// its request is taken up has done nothing; for one that goes away later it is
// Uncertain.
func (c *committer) do(r *request) error {
	r.done = make(chan error, 1)
	if err := c.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-r.ctx.Done():
	}
	if r.leave() {
		return r.ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	default:
		return uncertain(r.ctx.Err())
	}
}

func (c *committer) enqueue(r *request) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return &errClosed
	}
	select {
	case c.queue <- r:
		return nil
	default:
		return &errBusy
	}
}

// refuse turns new requests away. Those that wait are committed, then the
// writers end.
func (c *committer) refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.queue)
	}
}

// run is one writer.
func (c *committer) run() {
	group := make([]*request, 0, groupMost)
	for first := range c.queue {
		group = append(group[:0], first)
	more:
		for len(group) < groupMost {
			select {
			case r, ok := <-c.queue:
				if !ok {
					break more
				}
				group = append(group, r)
			default:
				break more
			}
		}
		c.commit(present(group))
	}
}

// present takes requests up, but for those of callers who have gone.
func present(group []*request) []*request {
	here := group[:0]
	for _, r := range group {
		if r.ctx.Err() != nil && r.leave() {
			continue
		}
		if r.stage.CompareAndSwap(stageWaiting, stageTaken) {
			here = append(here, r)
		}
	}
	return here
}

// commit writes a group, and if that fails each of its requests alone.
func (c *committer) commit(group []*request) {
	if len(group) == 0 {
		return
	}
	err := c.try(group)
	alone := err != nil && len(group) > 1 && !isLost(err)
	for _, r := range group {
		if alone {
			err = c.try([]*request{r})
			alone = !isLost(err) // else the others would only wait for a database that is away
		}
		r.done <- err
	}
}

// try writes a group in one transaction, again when it lost to another.
func (c *committer) try(group []*request) (err error) {
	for n := range groupTries {
		// A little later than at once, else the two may meet again.
		time.Sleep(rand.N(time.Duration(n)*5*time.Millisecond + 1))
		if err = c.once(group); err == nil || !c.store.engine.again(err) {
			return err
		}
	}
	return err
}

func (c *committer) once(group []*request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: a write panicked: %v", p)
		}
	}()
	start := time.Now()
	// Not a caller's context: one that goes away must not end its neighbours.
	err = c.store.once(context.Background(), func(tx *Tx) error {
		if err := tx.openAll(context.Background(), group); err != nil {
			return err
		}
		for _, r := range group {
			if r.write == nil {
				continue
			}
			if err := r.write(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && c.store.observe != nil {
		c.store.observe(len(group), time.Since(start))
	}
	return err
}

// Observe is told of the size and duration of each shared commit, for metrics.
// Call it before the store is used.
func (s *Store) Observe(fn func(requests int, took time.Duration)) { s.observe = fn }

// Group is Update with a commit that many callers share. Refusals by fn should
// be rare: each makes its neighbours run again. Fn must not use the caller's
// context, which may end while the others still need the transaction.
func (s *Store) Group(ctx context.Context, fn func(tx *Tx) error) error {
	return s.translate(s.writes.do(&request{ctx: ctx, write: fn}))
}

// openAll inserts the new payments of a group. Those that keep to a limit go
// one by one, since each looks at what the one before has used, and in the order
// of their limits: two groups with the same ones wait for each other, not around
// in a circle.
func (tx *Tx) openAll(ctx context.Context, group []*request) error {
	type single struct {
		opening *Opening
		verdict *error
	}
	var plain []*payment.Payment
	var singles []single
	for _, r := range group {
		for i := range r.opens {
			o := &r.opens[i]
			if tx.eng.insertMany != nil && o.DailyLimit == 0 {
				plain = append(plain, &o.Payment)
				continue
			}
			singles = append(singles, single{o, &r.verdicts[i]})
		}
	}
	slices.SortStableFunc(singles, func(a, b single) int {
		p, q := &a.opening.Payment, &b.opening.Payment
		return cmp.Or(strings.Compare(p.MerchantID, q.MerchantID), strings.Compare(p.LimitDay, q.LimitDay))
	})
	for _, one := range singles {
		var err error
		if *one.verdict, err = tx.open(ctx, *one.opening); err != nil {
			return err
		}
	}
	if len(plain) == 0 {
		return nil
	}
	inserted, err := tx.eng.insertMany(ctx, tx.conn, plain)
	if err != nil {
		return err
	}
	for _, r := range group {
		for i, o := range r.opens {
			if o.DailyLimit != 0 {
				continue
			}
			r.verdicts[i] = nil
			if inserted[o.Payment.ID] {
				delete(inserted, o.Payment.ID) // the same opening again is a duplicate
				continue
			}
			if r.verdicts[i], err = tx.taken(ctx, o.Payment); err != nil {
				return err
			}
		}
	}
	return nil
}
