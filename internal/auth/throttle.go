package auth

import (
	"container/list"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

// Throttle is a token bucket per key: a client's address (AddrKey), an API key.
// It is safe for concurrent use.
//
// For failed authentications ask Check before looking at the secret and call
// Fail when it was wrong, so that a good client is never slowed down. For a
// limit on all calls use Allow.
type Throttle struct {
	clock     clock.Clock
	perMinute float64
	burst     float64
	maxKeys   int

	mu      sync.Mutex
	buckets map[string]*list.Element
	recent  *list.List // of *bucket, the most recently used first
}

type bucket struct {
	key    string
	tokens float64
	at     time.Time // when tokens was right
}

// NewThrottle allows burst calls at once and perMinute calls a minute for each
// key. It remembers at most maxKeys keys and forgets the one not used for the
// longest time first. Numbers below 1 count as 1.
func NewThrottle(c clock.Clock, perMinute, burst, maxKeys int) *Throttle {
	return &Throttle{
		clock:     c,
		perMinute: float64(max(perMinute, 1)),
		burst:     float64(max(burst, 1)),
		maxKeys:   max(maxKeys, 1),
		buckets:   map[string]*list.Element{},
		recent:    list.New(),
	}
}

// Allow takes one token. When there is none it takes nothing and says how long
// to wait for the next one.
func (t *Throttle) Allow(key string) (ok bool, retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(key)
	if wait := t.wait(b.tokens); wait > 0 {
		return false, wait
	}
	b.tokens--
	return true, 0
}

// Check reports what Allow would, and takes nothing.
func (t *Throttle) Check(key string) (ok bool, retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, known := t.buckets[key]
	if !known {
		return true, 0
	}
	wait := t.wait(t.filled(e.Value.(*bucket)))
	return wait == 0, wait
}

// Fail takes one token, also when there is none left: guesses that ran side by
// side past Check are paid for later. The debt is at most one burst.
func (t *Throttle) Fail(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(key)
	b.tokens = max(b.tokens-1, -t.burst)
}

// bucket finds or makes the bucket of key, filled up to now.
func (t *Throttle) bucket(key string) *bucket {
	if e, known := t.buckets[key]; known {
		t.recent.MoveToFront(e)
		b := e.Value.(*bucket)
		b.tokens, b.at = t.filled(b), t.clock.Now()
		return b
	}
	if t.recent.Len() >= t.maxKeys {
		oldest := t.recent.Back()
		delete(t.buckets, t.recent.Remove(oldest).(*bucket).key)
	}
	b := &bucket{key: key, tokens: t.burst, at: t.clock.Now()}
	t.buckets[key] = t.recent.PushFront(b)
	return b
}

func (t *Throttle) filled(b *bucket) float64 {
	// A clock that steps back adds nothing.
	passed := max(t.clock.Now().Sub(b.at), 0)
	return min(b.tokens+passed.Minutes()*t.perMinute, t.burst)
}

// wait is how long until there is a whole token, rounded up to the clock's
// step of a microsecond: who waits the time told must get in.
func (t *Throttle) wait(tokens float64) time.Duration {
	const slack = 1e-6 // rounding of tokens
	if tokens >= 1-slack {
		return 0
	}
	micros := (1 - tokens) / t.perMinute * float64(time.Minute/time.Microsecond)
	return time.Duration(math.Ceil(micros-1e-3)) * time.Microsecond
}

// AddrKey is the throttle key of a client's address: the address for IPv4, its
// /64 network for IPv6, since one client has all of it.
func AddrKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a.String()
	}
	network, _ := a.Prefix(64) // 64 bits are never too many
	return network.String()
}
