package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketsAreNarrowAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64Range(0, longest).Draw(t, "ns")
		b := bucket(ns)
		if b < 0 || b >= buckets {
			t.Fatalf("%d ns is in bucket %d of %d", ns, b, buckets)
		}
		if off := math.Abs(float64(middle(b)) - float64(ns)); off > 0.01*float64(ns) {
			t.Errorf("%d ns is told as %d", ns, middle(b))
		}
		if ns > 0 && bucket(ns-1) > b {
			t.Errorf("%d ns is in a later bucket than %d", ns-1, ns)
		}
	})
}

// A quantile is the value that sorting gives, within a percent.
func TestQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Minute)), 1, 500).Draw(t, "times")
		var halves [2]Histogram
		for i, ns := range times {
			halves[i%2].Record(time.Duration(ns))
		}
		var h Histogram
		h.Add(&halves[0])
		h.Add(&halves[1])
		slices.Sort(times)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			rank := max(1, int(math.Ceil(q*float64(len(times)))))
			want := float64(times[rank-1])
			if got := float64(h.Quantile(q)); math.Abs(got-want) > 0.01*want {
				t.Errorf("quantile %v of %d: %v, want %v", q, len(times), got, want)
			}
		}
		if h.Max() != time.Duration(times[len(times)-1]) || h.Count() != int64(len(times)) {
			t.Errorf("max %v, count %d of %v", h.Max(), h.Count(), times)
		}
	})
}

func TestHistogramOfNothingAndOfTheImpossible(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Count() != 0 {
		t.Error("an empty histogram knows times")
	}
	h.Record(-time.Second)
	h.Record(1000 * time.Hour)
	if h.Quantile(0) != 0 || h.Max() != longest {
		t.Errorf("least %v, most %v", h.Quantile(0), h.Max())
	}
}
