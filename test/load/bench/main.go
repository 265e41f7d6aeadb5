// Command bench measures the gateway on this machine and judges it by the aims
// that the project has set itself. It builds the program, runs it on SQLite and
// on a PostgreSQL of its own, loads it with the generator in test/load/gen, and
// takes its references in the same minutes: the same handler without the store,
// and pgbench. The rounds repeat everything in turn, so that whatever else
// happens on the machine hits all of it.
//
//	go run ./test/load/bench -short
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

type flags struct {
	short, big bool
	out, json  string
	profiles   string         // a folder for CPU profiles
	only       *regexp.Regexp // nil for everything
	waits      time.Duration  // in all, for quiet moments and for cells that were disturbed
	verbose    bool

	// What -short makes smaller.
	rounds      int
	cell        time.Duration // of measurement
	warmUp      time.Duration
	quietFor    time.Duration // how long to wait for a quiet moment
	merchants   int
	notices     int64
	bigRows     int64
	fillFor     time.Duration // how long the rows of one engine may take to be made
	readyRows   int64
	connections []int
	callers     int
}

// connections are the numbers of callers of the aims.
var connections = []int{1, 16, 64, 256}

// callers is how many callers the cells have that are not about their number.
const callers = 64

func parseFlags(args []string) (flags, error) {
	f := flags{
		rounds: 3, cell: 5 * time.Second, warmUp: time.Second, quietFor: 30 * time.Second, merchants: 1000, notices: 30_000,
		bigRows: 5_000_000, fillFor: 4 * time.Minute, readyRows: 1_000_000, connections: connections, callers: callers, verbose: true,
	}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.BoolVar(&f.short, "short", false, "one round of short cells, about three minutes: shows that it works, not how fast")
	set.BoolVar(&f.big, "big", false, "also measure beside five million payments, or as many as can be made in four minutes, and a start with a million: ten minutes more at most")
	set.StringVar(&f.out, "out", "", "write the figures as Markdown to `FILE`; in a file that has the two marks, only what is between them changes")
	set.StringVar(&f.json, "json", "", "write everything that was measured as JSON to `FILE`")
	set.Int64Var(&f.bigRows, "rows", f.bigRows, "how many payments -big is about; fewer are for trying it out")
	set.IntVar(&f.rounds, "rounds", f.rounds, "how often to measure everything, 1 to 20")
	set.StringVar(&f.profiles, "profiles", "", "write a CPU profile of the server under each load to this `FOLDER`; figures are a little worse for it")
	set.Func("only", "measure only what this `REGEXP` matches, such as 'sqlite create, 256|pgbench'; each measurement says its name when it begins", func(text string) (err error) {
		f.only, err = regexp.Compile(text)
		return err
	})
	set.DurationVar(&f.waits, "waits", 4*time.Minute, "how long to wait for quiet moments, in all; then it measures on a busy machine, and says so")
	set.DurationVar(&f.cell, "cell", f.cell, "how long each measurement takes, 1s to 10m")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.short {
		f.rounds, f.cell, f.warmUp, f.quietFor, f.notices = 1, 2*time.Second, 300*time.Millisecond, 2*time.Second, 5000
	}
	switch {
	case set.NArg() > 0:
		return f, fmt.Errorf("%q is no flag", set.Arg(0))
	case f.rounds < 1 || f.rounds > 20:
		return f, fmt.Errorf("-rounds %d is not 1 to 20", f.rounds)
	case f.bigRows < 1 || f.bigRows > 9_999_999:
		return f, fmt.Errorf("-rows %d is not 1 to 9999999", f.bigRows)
	case f.cell < time.Second || f.cell > 10*time.Minute:
		return f, fmt.Errorf("-cell %s is not 1s to 10m", f.cell)
	}
	return f, nil
}

// say tells how far it is.
func (f flags) say(format string, args ...any) {
	if f.verbose {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f, err := parseFlags(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err == nil {
		err = run(ctx, f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) (err error) {
	folder, err := os.MkdirTemp("", "thungan-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &bench{flags: f, folder: folder, report: &report{BigRows: f.bigRows, Rounds: f.rounds, CellSeconds: f.cell.Seconds(), Short: f.short, Machine: describe()}}
	if b.report.Machine.Filesystem, err = filesystem(folder); err != nil {
		return err
	}
	if f.profiles != "" {
		if err := os.MkdirAll(f.profiles, 0o755); err != nil {
			return err
		}
	}
	f.say("building")
	if b.tools, err = build(ctx, folder); err != nil {
		return err
	}
	b.tools.profile = f.profiles != ""
	if err := b.all(ctx); err != nil {
		return err
	}
	fmt.Print(b.report.markdown())
	return b.report.write(f.out, f.json)
}
