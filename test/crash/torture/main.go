// Command torture runs the faults of test/crash at the counts of docs/reliability.md, in batches, several at a time. It
// keeps what it has done in a state file, so it can be stopped (it ends the batches that run first) and started again, and
// writes a summary.
//
//	go run ./test/crash/torture -scale 0.02
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	scale  = flag.Float64("scale", 1, "share of the full counts to run")
	only   = flag.String("only", "", "regular expression of the tests to run, such as 'Kill|FailOver/postgres'")
	state  = flag.String("state", "bin/torture.json", "where what was done is kept; a run goes on from there")
	fresh  = flag.Bool("fresh", false, "forget what was done")
	out    = flag.String("out", "bin/torture.md", "where the summary is written")
	doc    = flag.String("doc", "", "a page whose part between the markers of figures is renewed, such as docs/reliability.md")
	jobs   = flag.Int("jobs", 2*runtime.NumCPU(), "batches at the same time; most of them wait most of the time")
	rate   = flag.Float64("rate", 500, "orders a second of the load, shared by the batches that run at the same time; 0 is as many as each can")
	seed   = flag.Uint64("seed", 0, "seed of the batches' seeds; 0 takes one from the clock")
	alone  = flag.Bool("alone", false, "nothing else runs on this machine: how steady the throughput is is judged too")
	report = flag.Bool("report", false, "run nothing, only write the summary")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // the second signal ends this program at once
		fmt.Fprintln(os.Stderr, "torture: ending after these batches")
	}()
	failed, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

// record is what was done of one fault on one engine.
type record struct {
	Done    int              `json:"done"`
	Runs    int              `json:"runs"`
	Millis  int64            `json:"millis"`
	CPU     int64            `json:"cpu_millis"` // of the test and all that it started
	Sums    map[string]int64 `json:"sums"`
	Most    map[string]int64 `json:"most"`
	Seeds   []uint64         `json:"seeds"`
	Failed  []failure        `json:"failed"`
	Skipped string           `json:"skipped,omitempty"`
}

// failure is a batch that failed.
type failure struct {
	Seed   uint64 `json:"seed"`
	Rounds int    `json:"rounds"`
	Log    string `json:"log"`
	First  string `json:"first"` // what it said
}

// progress is the state file.
type progress struct {
	Scale   float64            `json:"scale"`
	Machine string             `json:"machine"`
	Sources []string           `json:"sources"` // commits that were tested
	Jobs    int                `json:"jobs"`
	Rate    float64            `json:"rate"`
	Millis  int64              `json:"millis"` // that runs took, one after the other
	Records map[string]*record `json:"records"`
}

func run(ctx context.Context) (failed bool, err error) {
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return false, err
	}
	p, err := load()
	if err != nil {
		return false, err
	}
	if *report {
		return false, p.summarise()
	}
	if *jobs < 1 || *rate < 0 {
		return false, errors.New("-jobs is at least 1, -rate at least 0")
	}
	p.Machine, p.Scale, p.Jobs, p.Rate = machine(), *scale, *jobs, *rate
	binary, err := build(ctx)
	if err != nil {
		return false, err
	}
	if at := commit(ctx); !slices.Contains(p.Sources, at) {
		p.Sources = append(p.Sources, at)
	}
	random := *seed
	if random == 0 {
		random = uint64(time.Now().UnixNano())
	}
	queue := &queue{progress: p, wanted: wanted, seeds: rand.New(rand.NewPCG(random, 0)), running: map[string]int{}}
	start, before := time.Now(), p.Millis
	var work sync.WaitGroup
	for range *jobs {
		work.Go(func() {
			for b := queue.next(ctx); b != nil; b = queue.next(ctx) {
				got, err := b.run(binary)
				queue.done(b, got, err, func(r *record) error {
					p.Millis = before + time.Since(start).Milliseconds()
					fmt.Printf("%s  %-28s %d of %d, %d failed; %s\n", time.Since(start).Round(time.Second), b.name(), r.Done, b.count(*scale), len(r.Failed), line(r))
					return errors.Join(p.save(), p.summarise())
				})
			}
		})
	}
	work.Wait()
	for _, r := range p.Records {
		failed = failed || len(r.Failed) > 0
	}
	return failed, errors.Join(queue.broken, p.summarise())
}

// mostFailures of one fault are enough to look into.
const mostFailures = 5

func (p *progress) of(name string) *record {
	r := p.Records[name]
	if r == nil {
		r = &record{Sums: map[string]int64{}, Most: map[string]int64{}}
		p.Records[name] = r
	}
	return r
}

func load() (*progress, error) {
	p := &progress{Records: map[string]*record{}}
	if *fresh {
		return p, nil
	}
	text, err := os.ReadFile(*state)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s: %w", *state, err)
	}
	return p, nil
}

// save writes the state whole or not at all.
func (p *progress) save() error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(*state), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(*state+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(*state+".new", *state)
}

// build makes the test binary and the program.
func build(ctx context.Context) (string, error) {
	path, err := filepath.Abs("bin/crash.test")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", path, "./test/crash").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	out, err = exec.CommandContext(ctx, "go", "build", "-o", programOf(path), "./cmd/thungan").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// commit is what the sources are called.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "an unknown commit"
	}
	return string(bytes.TrimSpace(out))
}

// programOf is where the program under test is: all batches have the same, whatever becomes of the sources meanwhile.
func programOf(binary string) string { return strings.TrimSuffix(binary, ".test") + "-thungan" }

// batch is so many rounds of a fault, in a process of their own.
type batch struct {
	fault
	engine string
	rounds int
	seed   uint64
}

func (b *batch) name() string { return b.test + "/" + b.engine }

// outcome is what came of a batch.
type outcome struct {
	log       []byte
	failed    error
	tally     []byte
	wall, cpu time.Duration
}

// queue gives batches to those who run them: one of each fault in turn, so that a run that is stopped has done something
// of everything.
type queue struct {
	mu       sync.Mutex
	progress *progress
	wanted   *regexp.Regexp
	seeds    *rand.Rand
	turn     int
	running  map[string]int // rounds that were begun, by name
	broken   error          // what ends the run
}

// next is nil when nothing is left.
func (q *queue) next(ctx context.Context) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []batch
	for _, f := range faults {
		for _, engine := range f.engines {
			all = append(all, batch{fault: f, engine: engine})
		}
	}
	for range all {
		b := all[q.turn%len(all)]
		q.turn++
		r := q.progress.of(b.name())
		left := b.count(*scale) - r.Done - q.running[b.name()]
		if ctx.Err() != nil || q.broken != nil || left <= 0 || len(r.Failed) >= mostFailures || r.Skipped != "" || !q.wanted.MatchString(b.name()) {
			continue
		}
		b.rounds, b.seed = min(left, b.fault.batch), q.seeds.Uint64()>>1
		q.running[b.name()] += b.rounds
		return &b
	}
	return nil
}

// done notes what came of a batch, and tells.
func (q *queue) done(b *batch, got outcome, err error, tell func(*record) error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running[b.name()] -= b.rounds
	r := q.progress.of(b.name())
	if err == nil {
		err = r.note(b, got)
	}
	q.broken = errors.Join(q.broken, err, tell(r))
}

// run runs the batch to its end.
func (b *batch) run(binary string) (got outcome, err error) {
	tally, err := os.CreateTemp("", "torture-")
	if err != nil {
		return got, err
	}
	defer os.Remove(tally.Name())
	if err := tally.Close(); err != nil {
		return got, err
	}
	limit := 10*time.Minute + time.Duration(b.rounds)*b.each
	cmd := exec.Command(binary, "-test.run", "^"+b.test+"$/^"+b.engine+"$", "-test.v", "-test.timeout", limit.String(),
		"-crash.rounds", strconv.Itoa(b.rounds), "-crash.seed", strconv.FormatUint(b.seed, 10), "-crash.tally", tally.Name(), "-crash.program", programOf(binary),
		"-crash.rate", strconv.FormatFloat(*rate/float64(*jobs), 'g', -1, 64), "-crash.alone="+strconv.FormatBool(*alone))
	cmd.Dir = "test/crash"
	// Out of reach of the terminal's Ctrl-C: a test that is cut off leaves processes and a mounted disk behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	start := time.Now()
	got.failed = cmd.Run()
	got.wall, got.log = time.Since(start), log.Bytes()
	if state := cmd.ProcessState; state != nil {
		got.cpu = state.UserTime() + state.SystemTime()
	}
	got.tally, err = os.ReadFile(tally.Name())
	return got, err
}

// note adds what came of a batch.
func (r *record) note(b *batch, got outcome) error {
	r.Millis += got.wall.Milliseconds()
	r.CPU += got.cpu.Milliseconds()
	r.Runs++
	if got.failed != nil {
		return r.fails(b.test+"-"+b.engine, failure{Seed: b.seed, Rounds: b.rounds}, got.log, got.failed)
	}
	if len(bytes.TrimSpace(got.tally)) == 0 {
		r.Skipped = reason(string(got.log))
		return nil
	}
	var count struct {
		Sums, Most map[string]int64
	}
	if err := json.Unmarshal(got.tally, &count); err != nil {
		return err
	}
	r.Done += b.rounds
	r.Seeds = append(r.Seeds, b.seed)
	for what, n := range count.Sums {
		r.Sums[what] += n
	}
	for what, n := range count.Most {
		r.Most[what] = max(r.Most[what], n)
	}
	return nil
}

// fails keeps the log of a batch that failed.
func (r *record) fails(name string, f failure, log []byte, cause error) error {
	f.Log = filepath.Join(filepath.Dir(*state), "torture", fmt.Sprintf("%s-%d.log", name, f.Seed))
	f.First = cause.Error()
	complaint := regexp.MustCompile(`(?m)^ +\w+_test\.go:\d+: (.*)$`)
	for _, found := range complaint.FindAllStringSubmatch(string(log), -1) {
		if !strings.Contains(found[1], "-crash.seed") {
			f.First = found[1]
			break
		}
	}
	r.Failed = append(r.Failed, f)
	if err := os.MkdirAll(filepath.Dir(f.Log), 0o755); err != nil {
		return err
	}
	return os.WriteFile(f.Log, log, 0o644)
}

// reason is why a test was skipped.
func reason(log string) string {
	for lines := bufio.NewScanner(strings.NewReader(log)); lines.Scan(); {
		if _, why, ok := strings.Cut(lines.Text(), "_test.go:"); ok && !strings.Contains(why, "-crash.seed") {
			_, why, _ = strings.Cut(why, ": ")
			return why
		}
	}
	return "it was skipped"
}
