package clock

import (
	"sync"
	"time"
)

// Manual is a clock for tests: it moves only when told to. It is safe for
// concurrent use.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	waiters map[*manualWaiter]struct{}
}

type manualWaiter struct {
	due time.Time
	ch  chan time.Time
}

// NewManual is a clock that shows t until Advance is called.
func NewManual(t time.Time) *Manual {
	return &Manual{now: cut(t), waiters: map[*manualWaiter]struct{}{}}
}

// Fixed is a clock that always shows t.
func Fixed(t time.Time) Clock { return NewManual(t) }

// Now is the moment the clock shows, in UTC and whole microseconds.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cut(m.now)
}

// Advance moves the clock forward by d and wakes everyone whose moment has
// come. It panics when d is negative, which is a fault in the test.
func (m *Manual) Advance(d time.Duration) {
	if d < 0 {
		panic(ErrBackward)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	for w := range m.waiters {
		if !w.due.After(m.now) {
			delete(m.waiters, w)
			w.ch <- cut(m.now)
		}
	}
}

// Waiting is the number of waiters whose moment has not come yet.
func (m *Manual) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiters)
}

// After sends the time once, when the clock has moved by d.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	ch, _ := m.timer(d)
	return ch
}

func (m *Manual) timer(d time.Duration) (<-chan time.Time, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &manualWaiter{due: m.now.Add(d), ch: make(chan time.Time, 1)}
	if d <= 0 {
		w.ch <- cut(m.now)
		return w.ch, func() {}
	}
	m.waiters[w] = struct{}{}
	return w.ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.waiters, w)
	}
}
