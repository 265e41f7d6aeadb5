package core

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
)

// freshFor is how long who is who may be remembered. What an operator changes
// on this node holds at once, on the others within this time.
const freshFor = time.Second

// directory remembers who merchants are, so that a payment costs no look-ups.
// Only what was found is remembered.
type directory struct {
	generation atomic.Uint64
	keys       memory[auth.Digest, known] // by what was sent
	signers    memory[string, signer]
	profiles   memory[profileKey, payment.Profile]
	partners   memory[string, booking.Partner]
	accounts   memory[string, []payment.ReceivingAccount] // by merchant; "" has all with virtual accounts
	numbers    memory[string, []payment.ReceivingAccount] // by number
	feeds      memory[string, payment.Feed]
	connectors memory[string, []payment.Connector] // by merchant
}

// profileKey names a profile.
type profileKey struct{ merchantID, dialect string }

// known is a key pair with its merchant.
type known struct {
	key      payment.Key
	merchant payment.Merchant
}

// forget makes everything be looked up anew.
func (d *directory) forget() { d.generation.Add(1) }

// memory keeps values by name for a short while.
type memory[K comparable, V any] struct {
	mu     sync.RWMutex
	values map[K]remembered[V]
}

type remembered[V any] struct {
	value      V
	generation uint64
	until      time.Time
}

// remembers bounds a memory; when it is full it starts again.
const remembers = 10_000

// get returns a remembered value or loads it. The generation is read before the
// load: what is forgotten meanwhile is not remembered.
func (m *memory[K, V]) get(d *directory, name K, load func() (V, error)) (V, error) {
	generation, now := d.generation.Load(), time.Now()
	m.mu.RLock()
	r, ok := m.values[name]
	m.mu.RUnlock()
	if ok && r.generation == generation && now.Before(r.until) {
		return r.value, nil
	}
	value, err := load()
	if err != nil {
		return value, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil || len(m.values) >= remembers {
		m.values = map[K]remembered[V]{}
	}
	m.values[name] = remembered[V]{value, generation, now.Add(freshFor)}
	return value, nil
}
