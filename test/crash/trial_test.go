package crash

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	rounds = flag.Int("crash.rounds", 0, "how often each test does what it does; 0 is its short form")
	seed   = flag.Uint64("crash.seed", 0, "seed of orders and moments; 0 takes one from the clock")
	rate   = flag.Float64("crash.rate", 0, "orders a second of the load, each paid as its payer likes; 0 is as many as it can")
	built  = flag.String("crash.program", "", "the program under test; \"\" builds it from the sources as they are")
	alone  = flag.Bool("crash.alone", false, "nothing else runs on this machine: how steady the throughput is is judged too")
	tell   = flag.String("crash.tally", "", "file to which each trial that passed adds a line of JSON")
)

// trial is one run of a test: how often it does what it does, from which seed, and what it counted.
type trial struct {
	*testing.T
	rounds int // at most so often
	full   bool
	seed   uint64
	random *rand.Rand
	begun  int // by left

	mu     sync.Mutex
	counts map[string]int64
}

// count is what a trial adds to the file of -crash.tally. Those in Most are no sums.
type count struct {
	Test   string           `json:"test"`
	Seed   uint64           `json:"seed"`
	Rounds int              `json:"rounds"`
	Millis int64            `json:"millis"`
	Sums   map[string]int64 `json:"sums"`
	Most   map[string]int64 `json:"most"`
}

// newTrial begins a trial of so many rounds in short form.
func newTrial(t *testing.T, short int) *trial {
	r := &trial{T: t, rounds: short, seed: *seed, counts: map[string]int64{}}
	if *rounds > 0 {
		r.rounds, r.full = *rounds, true
	}
	if r.seed == 0 {
		r.seed = uint64(time.Now().UnixNano())
	}
	r.random = rand.New(rand.NewPCG(r.seed, 0))
	t.Logf("%d rounds, -crash.seed %d", r.rounds, r.seed)
	start := time.Now()
	t.Cleanup(func() { r.end(time.Since(start)) })
	return r
}

// left says, at the end of each round, whether another follows.
func (r *trial) left() bool {
	r.begun++
	return r.begun < r.rounds
}

// add counts.
func (r *trial) add(what string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what] += n
}

// most keeps the largest value of something.
func (r *trial) most(what string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts["most "+what] = max(r.counts["most "+what], n)
}

var tallying sync.Mutex

func (r *trial) end(took time.Duration) {
	r.Logf("%v", r.counts)
	if *tell == "" || r.Failed() || r.Skipped() {
		return
	}
	c := count{Test: r.Name(), Seed: r.seed, Rounds: r.rounds, Millis: took.Milliseconds(), Sums: map[string]int64{}, Most: map[string]int64{}}
	for what, n := range r.counts {
		if name, ok := cutMost(what); ok {
			c.Most[name] = n
		} else {
			c.Sums[what] = n
		}
	}
	line, err := json.Marshal(c)
	if err != nil {
		r.Error(err)
		return
	}
	tallying.Lock()
	defer tallying.Unlock()
	f, err := os.OpenFile(*tell, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		r.Error(err)
		return
	}
	if err := f.Close(); err != nil {
		r.Error(err)
	}
}

func cutMost(what string) (string, bool) {
	const prefix = "most "
	if len(what) > len(prefix) && what[:len(prefix)] == prefix {
		return what[len(prefix):], true
	}
	return what, false
}

// loads numbers the loads of this process, so that no two use the same references.
var loads atomic.Int64
