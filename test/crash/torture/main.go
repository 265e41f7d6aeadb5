// Command torture runs the faults of test/crash at the counts of docs/reliability.md, batch by batch. It keeps what it
// has done in a state file, so it can be stopped (it ends the batch that runs first) and started again, and writes a
// summary.
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
	"strconv"
	"strings"
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
	seed   = flag.Uint64("seed", 0, "seed of the batches' seeds; 0 takes one from the clock")
	report = flag.Bool("report", false, "run nothing, only write the summary")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // the second signal ends this program at once
		fmt.Fprintln(os.Stderr, "torture: ending after this batch")
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
	p.Machine, p.Scale = machine(), *scale
	if *report {
		return false, p.summarise()
	}
	binary, err := build(ctx)
	if err != nil {
		return false, err
	}
	random := *seed
	if random == 0 {
		random = uint64(time.Now().UnixNano())
	}
	seeds := rand.New(rand.NewPCG(random, 0))
	start := time.Now()
	// One batch of each in turn: a run that is stopped has done something of everything.
	for ctx.Err() == nil {
		ran := false
		for _, f := range faults {
			for _, engine := range f.engines {
				name := f.test + "/" + engine
				r := p.of(name)
				left := f.count(*scale) - r.Done
				if left <= 0 || len(r.Failed) >= mostFailures || r.Skipped != "" || !wanted.MatchString(name) || ctx.Err() != nil {
					continue
				}
				ran = true
				if err := p.batch(binary, f, engine, min(left, f.batch), seeds.Uint64()>>1); err != nil {
					return failed, err
				}
				fmt.Printf("%s  %-28s %d of %d, %d failed; %s\n", time.Since(start).Round(time.Second), name, r.Done, f.count(*scale), len(r.Failed), line(r))
				if err := errors.Join(p.save(), p.summarise()); err != nil {
					return failed, err
				}
			}
		}
		if !ran {
			break
		}
	}
	for _, r := range p.Records {
		failed = failed || len(r.Failed) > 0
	}
	return failed, p.summarise()
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

// programOf is where the program under test is: all batches have the same, whatever becomes of the sources meanwhile.
func programOf(binary string) string { return strings.TrimSuffix(binary, ".test") + "-thungan" }

// batch runs so many rounds in a process of their own.
func (p *progress) batch(binary string, f fault, engine string, rounds int, seed uint64) error {
	r := p.of(f.test + "/" + engine)
	tally, err := os.CreateTemp("", "torture-")
	if err != nil {
		return err
	}
	defer os.Remove(tally.Name())
	if err := tally.Close(); err != nil {
		return err
	}
	limit := 10*time.Minute + time.Duration(rounds)*f.each
	cmd := exec.Command(binary, "-test.run", "^"+f.test+"$/^"+engine+"$", "-test.v", "-test.timeout", limit.String(),
		"-crash.rounds", strconv.Itoa(rounds), "-crash.seed", strconv.FormatUint(seed, 10), "-crash.tally", tally.Name(), "-crash.program", programOf(binary))
	cmd.Dir = "test/crash"
	// Out of reach of the terminal's Ctrl-C: a test that is cut off leaves processes and a mounted disk behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	start := time.Now()
	failed := cmd.Run()
	r.Millis += time.Since(start).Milliseconds()
	r.Runs++
	if failed != nil {
		return r.fails(f.test+"-"+engine, failure{Seed: seed, Rounds: rounds}, log.Bytes(), failed)
	}
	text, err := os.ReadFile(tally.Name())
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		r.Skipped = reason(log.String())
		return nil
	}
	var count struct {
		Sums, Most map[string]int64
	}
	if err := json.Unmarshal(text, &count); err != nil {
		return err
	}
	r.Done += rounds
	r.Seeds = append(r.Seeds, seed)
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
