// Package crash does to the whole program what machines, networks, banks and people do to it, and judges what is left:
// nothing that was answered is gone, no payment is there twice, the ledger sums to zero, every change was told to the
// merchant. Two judges look at it: the one in judge_test.go compares what was sent and answered with what the gateway
// shows, and `thungan check` looks through the database.
//
// With all other tests each fault runs in short form. For more of one:
//
//	go test ./test/crash -run 'TestKill$/sqlite' -crash.rounds 100 -crash.seed 7 -timeout 1h
//
// `make torture` (test/crash/torture) runs all of them at the counts of docs/reliability.md.
package crash

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/thungan/thungan/internal/pgtest"
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
	flag.Parse()
	if program = *built; program == "" {
		program = filepath.Join(folder, "thungan")
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	// Most of these tests wait most of the time: for a server that starts, a lease that ends.
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	if lasting.server != nil {
		if err := lasting.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

func build() error {
	out, err := exec.Command("go", "build", "-o", program, "github.com/thungan/thungan/cmd/thungan").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// lasting is one PostgreSQL server, which keeps what it committed, for the tests that do nothing to it.
var lasting struct {
	sync.Mutex
	server *pgtest.Server
}

// durable gives a test a database of its own on that server.
func durable(t *testing.T) string {
	t.Helper()
	lasting.Lock()
	defer lasting.Unlock()
	if lasting.server == nil {
		server, err := pgtest.Launch(true)
		if err != nil {
			t.Fatal(err)
		}
		lasting.server = server
	}
	u, err := url.Parse(lasting.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	name := "d_" + strings.ToLower(rand.Text())
	query(t, u.String(), "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	u.Path = "/" + name
	return u.String()
}

// query runs a statement on a connection of its own and gives the first value that it returns, if any.
func query(t *testing.T, database, statement string) (value any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, statement)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if values, err := rows.Values(); err == nil && len(values) > 0 && value == nil {
			value = values[0]
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

// engines runs a test on both databases.
func engines(t *testing.T, test func(t *testing.T, database string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "thungan.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, durable(t))
	})
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
		trial := newTrial(t, 4)
		s := newSite(t, database)
		n := s.start()
		l := newLoad(s, trial.random, false, n)
		var worst time.Duration
		for range trial.rounds {
			l.pause(shortest + time.Duration(trial.random.Int64N(int64(longest-shortest))))
			n.kill()
			start := time.Now()
			n = s.start()
			worst = max(worst, time.Since(start))
			l.aim(n)
		}
		l.busy()
		h := l.finish()
		trial.most("ms until it served again", worst.Milliseconds())
		now := s.verdict(trial, n, h)
		h.mustBeUseful(t)
		judgeIsAwake(t, s, now, h)
	})
}

// TestKillOneOfTwo kills one of two nodes on one PostgreSQL: the other takes over what it was doing.
func TestKillOneOfTwo(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		trial := newTrial(t, 1)
		s := newSite(t, durable(t))
		one, two := s.start(), s.start()
		l := newLoad(s, trial.random, false, one, two)
		for range trial.rounds {
			l.aim(one, two)
			l.pause(longest)
			one.kill()
			l.aim(two)
			l.busy()
			// The dead node stays dead until the next round: its notices are the other's now.
			if trial.left() {
				one, two = two, s.start()
			}
		}
		h := l.finish()
		s.verdict(trial, two, h)
		h.mustBeUseful(t)
	})
}

// TestShutdown ends the program in order in the middle of the load: every request is answered, or was refused before
// it did anything.
func TestShutdown(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		trial := newTrial(t, 1)
		s := newSite(t, database)
		h := &history{}
		n := s.start()
		for round := range trial.rounds {
			l := newLoad(s, trial.random, true, n)
			page := l.watchPage(n) // a payer's open page must not hold up the end
			l.busy()
			n.terminate(30 * time.Second)
			page.Close()
			one := l.finish()
			if one.refused == 0 {
				t.Errorf("round %d: no request met the closed door: the load ended before the program did", round)
			}
			h.add(one)
			n = s.start()
		}
		s.verdict(trial, n, h)
		h.mustBeUseful(t)
		n.terminate(30 * time.Second)
	})
}
