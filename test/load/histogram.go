package load

import (
	"math"
	"math/bits"
	"time"
)

// Buckets are log-linear: 64 to each power of two, so that a quantile is at most
// 0.8 % off.
const (
	linear    = 64
	linearLog = 6
	longest   = 1 << 40 // ns, 18 minutes; longer counts as that
	buckets   = (41-linearLog)*linear + linear
)

// Histogram counts times. Its zero value is empty. It is for one goroutine;
// join those of several with Add.
type Histogram struct {
	counts [buckets]uint64
	n      uint64
	max    time.Duration
}

func bucket(ns int64) int {
	if ns < 2*linear {
		return int(ns)
	}
	shift := bits.Len64(uint64(ns)) - linearLog - 1
	return shift*linear + int(ns>>shift)
}

// middle is the value that stands for all of a bucket.
func middle(b int) time.Duration {
	if b < 2*linear {
		return time.Duration(b)
	}
	shift := b/linear - 1
	low := int64(b-shift*linear) << shift
	return time.Duration(low + int64(1)<<shift/2)
}

// Record counts one time; a negative one is 0.
func (h *Histogram) Record(d time.Duration) {
	d = min(max(d, 0), longest)
	h.counts[bucket(int64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// Add counts what other has counted.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// Count is how many times were recorded.
func (h *Histogram) Count() int64 { return int64(h.n) }

// Max is the longest, exactly; 0 when there is none.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the time that a share q of all, 0 to 1, does not exceed, by the
// nearest rank; 0 when there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(max(1, math.Ceil(q*float64(h.n))))
	var seen uint64
	for b, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(middle(b), h.max)
		}
	}
	return h.max
}
