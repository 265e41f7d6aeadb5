package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	load "github.com/thungan/thungan/test/load"
)

// Kinds of cells.
const (
	cellCeiling  = "ceiling"  // creates without the store
	cellPgbench  = "pgbench"  // pgbench -N -c 16
	cellCreate   = "create"   // one merchant's creates
	cellSpread   = "spread"   // creates of a thousand merchants
	cellPath     = "path"     // create, credit, settle, notice: one merchant
	cellPathWide = "path1000" // the same of a thousand merchants
	cellLookup   = "lookup"
	cellPage     = "page"
	cellDeliver  = "deliver" // notifications out of the outbox, recorded
	cellSend     = "send"    // the same without a database
	cellEmpty    = "empty"   // creates in an empty database
	cellBig      = "big"     // creates beside five million payments
)

// cell is one measurement.
type cell struct {
	Kind   string `json:"kind"`
	Engine string `json:"engine,omitempty"`
	Round  int    `json:"round"`
	Quiet  bool   `json:"quiet"` // the machine was idle before it began, and did little else meanwhile
	// Others is which part of the machine's CPU others used meanwhile.
	Others float64 `json:"others"`
	load.Result
	// CPU and Bytes are for one unit: of the server and its database, and
	// towards the disk (SQLite) or of write-ahead log (PostgreSQL).
	CPU   time.Duration `json:"cpu_ns"`
	Bytes float64       `json:"bytes"`
	// Through is units a second until the last notification was received.
	Through float64 `json:"through_per_second,omitempty"`
}

// bench is one run of the benchmark.
type bench struct {
	flags  flags
	tools  tools
	folder string
	round  int
	runs   int // gives each run of the generator a tag of its own
	waited time.Duration
	report *report
}

// noise is which part of the machine's CPU others may use during a cell.
const noise = 0.15

// measure measures one cell by fn, which fills in what it found, and adds it to
// the report. It waits for a quiet moment first, as long as there is patience
// left. What others disturbed, and what failed, is tried once more; a cell that
// fails twice is told in the report and does not end the run.
func (b *bench) measure(ctx context.Context, title string, c cell, fn func(c *cell) error) error {
	if b.flags.only != nil && !b.flags.only.MatchString(title) {
		return nil
	}
	best, fault := cell{Others: 2}, error(nil)
	for try := range 2 {
		if try > 0 && b.waited >= b.flags.waits && fault == nil {
			break
		}
		one := c
		quiet, err := b.awaitQuiet(ctx)
		if err != nil {
			return err
		}
		b.flags.say("round %d: %s", b.round, title)
		others, err := othersDuring(func() error { return fn(&one) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault = err; err != nil {
			b.flags.say("  failed: %v", err)
			continue
		}
		one.Round, one.Others, one.Quiet = b.round, others, quiet && others <= noise
		if one.Others < best.Others {
			best = one
		}
		if one.Quiet || b.flags.quietFor < 0 {
			break
		}
		b.flags.say("  others used %.0f %% of the machine", 100*others)
	}
	if best.Kind == "" {
		b.report.Failed = append(b.report.Failed, fmt.Sprintf("round %d, %s: %v", b.round, title, fault))
		return nil
	}
	b.report.add(best)
	return nil
}

// awaitQuiet waits for a quiet moment, at most for quietFor and in all cells
// together at most for waits.
func (b *bench) awaitQuiet(ctx context.Context) (bool, error) {
	if b.flags.quietFor < 0 {
		return false, nil
	}
	begin := time.Now()
	quiet, err := awaitQuiet(ctx, max(0, min(b.flags.quietFor, b.flags.waits-b.waited)))
	b.waited += max(0, time.Since(begin)-2*time.Second) // to look costs a second, and is no waiting
	return quiet, err
}

// tag is new at each call.
func (b *bench) tag() string {
	b.runs++
	return fmt.Sprintf("run%d", b.runs)
}

// title names a cell of the generator.
func title(engine, kind string, connections int) string {
	return fmt.Sprintf("%s %s, %d connections", engine, kind, connections)
}

// load loads a node with the generator and notes what that took.
func (b *bench) load(ctx context.Context, c *cell, n *node, connections int, args ...string) error {
	before, err := n.used(ctx)
	if err != nil {
		return err
	}
	profiled := b.profile(ctx, n, title(n.engine, c.Kind, connections), b.flags.cell)
	args = append(args, "-c", strconv.Itoa(connections), "-d", b.flags.cell.String(), "-warmup", b.flags.warmUp.String())
	c.Result, err = b.generate(ctx, n, args...)
	if err = errors.Join(err, <-profiled); err != nil {
		return err
	}
	after, err := n.used(ctx)
	if err != nil {
		return err
	}
	if c.All > 0 {
		c.CPU = (after.cpu - before.cpu) / time.Duration(c.All)
		c.Bytes = float64(after.bytes-before.bytes) / float64(c.All)
	}
	return nil
}

// profile takes a CPU profile of a node for so long, when it is asked for.
func (b *bench) profile(ctx context.Context, n *node, name string, span time.Duration) <-chan error {
	done := make(chan error, 1)
	if b.flags.profiles == "" || n.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		seconds := max(1, int(span/time.Second))
		text, err := fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", n.profiles, seconds))
		if err == nil {
			name = strings.NewReplacer(" ", "-", ",", "").Replace(name)
			err = os.WriteFile(filepath.Join(b.flags.profiles, fmt.Sprintf("%s-%d.pprof", name, b.round)), text, 0o644)
		}
		done <- err
	}()
	return done
}

// generate runs the generator.
func (b *bench) generate(ctx context.Context, n *node, args ...string) (load.Result, error) {
	text, err := json.Marshal(n.site)
	if err != nil {
		return load.Result{}, err
	}
	file := filepath.Join(n.folder, "site.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return load.Result{}, err
	}
	return result(exec.CommandContext(ctx, b.tools.gen, append(args, "-site", file)...))
}

// result runs a program that prints one.
func result(cmd *exec.Cmd) (load.Result, error) {
	var r load.Result
	out, err := output(cmd)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
	}
	return r, nil
}

// creates measures creates: of one merchant, or of all in turn.
func (b *bench) creates(ctx context.Context, kind string, n *node, connections int) error {
	return b.measure(ctx, title(n.engine, kind, connections), cell{Kind: kind, Engine: n.engine}, func(c *cell) error {
		return b.load(ctx, c, n, connections, "-mode", "create", "-tag", b.tag(), fmt.Sprintf("-hot=%t", kind != cellSpread))
	})
}

// path measures creates, credits and notifications, and waits for the last of
// these.
func (b *bench) path(ctx context.Context, kind string, n *node, r *receiver, connections int) error {
	return b.measure(ctx, title(n.engine, kind, connections), cell{Kind: kind, Engine: n.engine}, func(c *cell) error {
		if _, err := r.ask(ctx, "/reset"); err != nil {
			return err
		}
		if err := b.load(ctx, c, n, connections, "-mode", "path", "-tag", b.tag(), fmt.Sprintf("-hot=%t", kind == cellPath)); err != nil {
			return err
		}
		seen, err := awaitDeliveries(ctx, r, c.All)
		if err != nil {
			return err
		}
		if span := float64(seen.LastNS-c.StartedNS) / float64(time.Second); span > 0 {
			c.Through = float64(seen.Count) / span
		}
		c.Fail("notice not received", c.All-seen.Count)
		return nil
	})
}

// patience is how long deliveries may make no progress. The outbox lets what a
// receiver is too slow for rest for up to a minute.
const patience = 70 * time.Second

// awaitDeliveries waits until so many have come, or no more do.
func awaitDeliveries(ctx context.Context, r *receiver, count int64) (load.Deliveries, error) {
	var last load.Deliveries
	for news := time.Now(); ; {
		d, err := r.ask(ctx, "/count")
		if err != nil || d.Count >= count || time.Since(news) > patience {
			return d, err
		}
		if d.Count > last.Count {
			news = time.Now()
		}
		last = d
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return d, err
		}
	}
}

// sendOnly measures the sender without a database.
func (b *bench) sendOnly(ctx context.Context, r *receiver) error {
	return b.measure(ctx, "notifications without a record", cell{Kind: cellSend}, func(c *cell) (err error) {
		if _, err := r.ask(ctx, "/reset"); err != nil {
			return err
		}
		var to []string
		for _, a := range r.addresses {
			to = append(to, "http://"+a+"/ipn")
		}
		if c.Result, err = result(exec.CommandContext(ctx, b.tools.send, "-to", strings.Join(to, ","), "-n", strconv.FormatInt(b.flags.notices, 10))); err != nil {
			return err
		}
		seen, err := r.ask(ctx, "/count")
		c.PerSecond = seen.PerSecond()
		return err
	})
}

// pgbenchCell measures pgbench.
func (b *bench) pgbenchCell(ctx context.Context, p *pgbench) error {
	return b.measure(ctx, "pgbench -N -c 16", cell{Kind: cellPgbench}, func(c *cell) error {
		seconds := max(1, int(b.flags.cell.Round(time.Second)/time.Second))
		tps, err := p.run(ctx, seconds)
		c.Result = load.Result{Connections: 16, PerSecond: tps, Seconds: float64(seconds)}
		return err
	})
}
