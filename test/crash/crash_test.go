// Package crash kills the whole program under load and judges what is left: nothing that was answered is gone, no
// payment is there twice, the ledger sums to zero, every change was told to the merchant.
//
// The rounds are few, so that they run with all other tests. For more of them:
//
//	go test ./test/crash -run Kill -crash.rounds 100 -timeout 1h
package crash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/pgtest"
)

var (
	rounds = flag.Int("crash.rounds", 4, "how often each kill test kills the program")
	seed   = flag.Uint64("crash.seed", 0, "seed of orders and moments; 0 takes one from the clock")
)

// program is the binary under test.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "thungan-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "thungan")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/thungan/thungan/cmd/thungan").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// engines runs a test on both databases.
func engines(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "thungan.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.NewServer(t, true).URL()) })
}

func newRandom(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-crash.seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

const (
	shoppers  = 8
	shortest  = 100 * time.Millisecond // between a start and the kill
	longest   = 900 * time.Millisecond
	quiesceIn = 60 * time.Second
)

// TestKill kills the only node again and again, and starts it at once.
func TestKill(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		random := newRandom(t)
		s := newSite(t, database)
		n := s.start()
		l := newLoad(s, random, false, n)
		for range *rounds {
			l.pause(shortest + time.Duration(random.Int64N(int64(longest-shortest))))
			n.kill()
			n = s.start()
			l.aim(n)
		}
		l.pause(shortest)
		h := l.finish()
		s.quiesce(n)
		now := s.collect(n, h)
		if faults := judge(s, now, h); len(faults) > 0 {
			s.report(faults)
		}
		t.Logf("%d payments, %d credits, %d notices", len(now.payments), len(now.credits), len(h.notices))
		h.mustBeUseful(t)
		judgeIsAwake(t, s, now, h)
	})
}

// TestKillOneOfTwo kills one of two nodes on one PostgreSQL: the other takes over what it was doing.
func TestKillOneOfTwo(t *testing.T) {
	random := newRandom(t)
	s := newSite(t, pgtest.NewServer(t, true).URL())
	one, two := s.start(), s.start()
	l := newLoad(s, random, false, one, two)
	l.pause(longest)
	one.kill()
	l.aim(two)
	l.pause(longest)
	h := l.finish()
	// The dead node stays dead: its notices are the other's now.
	s.quiesce(two)
	now := s.collect(two, h)
	if faults := judge(s, now, h); len(faults) > 0 {
		s.report(faults)
	}
	t.Logf("%d payments, %d credits, %d notices", len(now.payments), len(now.credits), len(h.notices))
	h.mustBeUseful(t)
}

// TestShutdown ends the program in order in the middle of the load: every request is answered, or was refused before
// it did anything.
func TestShutdown(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		random := newRandom(t)
		s := newSite(t, database)
		n := s.start()
		l := newLoad(s, random, true, n)
		page := l.watchPage(n) // a payer's open page must not hold up the end
		defer page.Close()
		l.pause(longest)
		n.terminate(30 * time.Second)
		h := l.finish()

		n = s.start()
		s.quiesce(n)
		now := s.collect(n, h)
		if faults := judge(s, now, h); len(faults) > 0 {
			s.report(faults)
		}
		t.Logf("%d payments, %d credits, %d notices, %d requests refused", len(now.payments), len(now.credits), len(h.notices), h.refused)
		h.mustBeUseful(t)
		if h.refused == 0 {
			t.Error("no request met the closed door: the load ended before the program did")
		}
		n.terminate(30 * time.Second)
	})
}
