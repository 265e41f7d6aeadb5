package main

import (
	"context"
	"encoding/json"
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
	Quiet  bool   `json:"quiet"` // the machine was idle before it began
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
	report *report
}

// begin waits for a quiet moment and says whether it came.
func (b *bench) begin(ctx context.Context, what string) (bool, error) {
	quiet, err := awaitQuiet(ctx, b.flags.quietFor)
	b.flags.say("round %d: %s", b.round, what)
	return quiet, err
}

// tag is new at each call.
func (b *bench) tag() string {
	b.runs++
	return fmt.Sprintf("run%d", b.runs)
}

// measure runs the generator against a node and adds the cell to the report.
func (b *bench) measure(ctx context.Context, kind string, n *node, connections int, args ...string) (cell, error) {
	quiet, err := b.begin(ctx, fmt.Sprintf("%s %s, %d connections", n.engine, kind, connections))
	if err != nil {
		return cell{}, err
	}
	c := cell{Kind: kind, Engine: n.engine, Round: b.round, Quiet: quiet}
	before, err := n.used(ctx)
	if err != nil {
		return c, err
	}
	args = append(args, "-c", strconv.Itoa(connections), "-d", b.flags.cell.String(), "-warmup", b.flags.warmUp.String())
	if c.Result, err = b.generate(ctx, n, args...); err != nil {
		return c, err
	}
	after, err := n.used(ctx)
	if err != nil {
		return c, err
	}
	if c.All > 0 {
		c.CPU = (after.cpu - before.cpu) / time.Duration(c.All)
		c.Bytes = float64(after.bytes-before.bytes) / float64(c.All)
	}
	return c, nil
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
	c, err := b.measure(ctx, kind, n, connections, "-mode", "create", "-tag", b.tag(), fmt.Sprintf("-hot=%t", kind != cellSpread))
	b.report.add(c)
	return err
}

// path measures creates, credits and notifications, and waits for the last of
// these.
func (b *bench) path(ctx context.Context, kind string, n *node, r *receiver, connections int) error {
	if _, err := r.ask(ctx, "/reset"); err != nil {
		return err
	}
	c, err := b.measure(ctx, kind, n, connections, "-mode", "path", "-tag", b.tag(), fmt.Sprintf("-hot=%t", kind == cellPath))
	if err != nil {
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
	b.report.add(c)
	return nil
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
	quiet, err := b.begin(ctx, "notifications without a record")
	if err != nil {
		return err
	}
	if _, err := r.ask(ctx, "/reset"); err != nil {
		return err
	}
	var to []string
	for _, a := range r.addresses {
		to = append(to, "http://"+a+"/ipn")
	}
	c := cell{Kind: cellSend, Round: b.round, Quiet: quiet}
	if c.Result, err = result(exec.CommandContext(ctx, b.tools.send, "-to", strings.Join(to, ","), "-n", strconv.FormatInt(b.flags.notices, 10))); err != nil {
		return err
	}
	seen, err := r.ask(ctx, "/count")
	c.PerSecond = seen.PerSecond()
	b.report.add(c)
	return err
}

// pgbenchCell measures pgbench.
func (b *bench) pgbenchCell(ctx context.Context, p *pgbench) error {
	quiet, err := b.begin(ctx, "pgbench -N -c 16")
	if err != nil {
		return err
	}
	seconds := max(1, int(b.flags.cell.Round(time.Second)/time.Second))
	tps, err := p.run(ctx, seconds)
	b.report.add(cell{Kind: cellPgbench, Round: b.round, Quiet: quiet, Result: load.Result{Connections: 16, PerSecond: tps, Seconds: float64(seconds)}})
	return err
}
