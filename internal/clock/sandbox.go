package clock

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// MaxOffset is how far ahead of real time a Sandbox may stand: ten years of
// 365 days.
const MaxOffset = 10 * 365 * 24 * time.Hour

// Errors of Advance.
var (
	ErrBackward = errors.New("clock: time only moves forward")
	ErrTooFar   = fmt.Errorf("clock: at most %d days ahead of real time", int(MaxOffset.Hours()/24))
)

// Sandbox is real time plus an offset that a developer can raise, to see a
// payment expire without waiting for it. It is safe for concurrent use.
type Sandbox struct {
	mu      sync.Mutex
	offset  time.Duration
	waiters map[*sandboxWaiter]struct{}
}

type sandboxWaiter struct {
	due   time.Time // on the sandbox's clock, with the monotonic reading
	ch    chan time.Time
	timer *time.Timer
}

// NewSandbox starts a sandbox clock that stands offset away from real time,
// which is usually the stored Offset of an earlier run.
func NewSandbox(offset time.Duration) *Sandbox {
	return &Sandbox{offset: offset, waiters: map[*sandboxWaiter]struct{}{}}
}

// Now is real time plus the offset, in UTC and whole microseconds.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cut(s.now())
}

// Offset is the distance from real time.
func (s *Sandbox) Offset() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

// Advance moves time forward by d and wakes everyone whose moment has come. It
// returns ErrBackward unless d is above zero, and ErrTooFar, without moving,
// when the offset would pass MaxOffset.
func (s *Sandbox) Advance(d time.Duration) error {
	if d <= 0 {
		return ErrBackward
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d > MaxOffset || s.offset > MaxOffset-d {
		return ErrTooFar
	}
	s.offset += d
	now := s.now()
	for w := range s.waiters {
		if left := w.due.Sub(now); left > 0 {
			// A callback of the old timer may already be running. That is
			// fine: it can only mean the moment has come anyway.
			w.timer.Reset(left)
			continue
		}
		w.timer.Stop()
		s.fire(w)
	}
	return nil
}

// After sends the time once, when d has passed or was skipped by Advance.
func (s *Sandbox) After(d time.Duration) <-chan time.Time {
	ch, _ := s.timer(d)
	return ch
}

func (s *Sandbox) timer(d time.Duration) (<-chan time.Time, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &sandboxWaiter{due: s.now().Add(d), ch: make(chan time.Time, 1)}
	s.waiters[w] = struct{}{}
	if d <= 0 {
		s.fire(w)
		return w.ch, func() {}
	}
	w.timer = time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fire(w)
	})
	return w.ch, func() { s.drop(w) }
}

func (s *Sandbox) drop(w *sandboxWaiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.timer.Stop()
	delete(s.waiters, w)
}

// fire sends at most once per waiter; the caller holds the lock.
func (s *Sandbox) fire(w *sandboxWaiter) {
	if _, waiting := s.waiters[w]; !waiting {
		return
	}
	delete(s.waiters, w)
	w.ch <- cut(s.now())
}

func (s *Sandbox) now() time.Time { return time.Now().Add(s.offset) }
