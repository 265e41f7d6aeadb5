package httpx

import (
	"io"
	"sync"
)

// batchMost is how much may wait to be written; beyond it writers wait.
const batchMost = 1 << 20

// Batch is where many goroutines log to. What comes while a write is under way
// waits in memory and is the next write, so that a line under load does not cost
// a system call, and nobody waits for a slow disk. There is no timer: a line
// that is alone is written at once. A process that is killed may lose the lines
// of its last moment; one that ends has to call Flush.
type Batch struct {
	out io.Writer

	mu      sync.Mutex
	done    sync.Cond // a write has ended
	waiting []byte
	spare   []byte // the memory of the write before
	writing bool
}

// NewBatch writes to out. Faults of out are not told: there is nowhere to log
// them.
func NewBatch(out io.Writer) *Batch {
	b := &Batch{out: out}
	b.done.L = &b.mu
	return b
}

// Write takes a copy of p to be written soon. It never fails.
func (b *Batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > batchMost {
		b.done.Wait()
	}
	b.waiting = append(b.waiting, p...)
	if !b.writing {
		b.writing = true
		go b.drain()
	}
	return len(p), nil
}

// drain writes until nothing waits.
func (b *Batch) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 {
		batch := b.waiting
		b.waiting = b.spare[:0]
		b.mu.Unlock()
		_, _ = b.out.Write(batch)
		b.mu.Lock()
		b.spare = batch
		b.done.Broadcast()
	}
	b.writing = false
	b.done.Broadcast()
}

// Flush waits until all that was written before has gone out.
func (b *Batch) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.writing {
		b.done.Wait()
	}
}
