package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	beginMark = "<!-- figures: begin -->\n"
	endMark   = "<!-- figures: end -->\n"
)

// machine says in one line where the figures come from.
func machine() string {
	model := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// summarise writes the summary, and renews the page that was asked for.
func (p *progress) summarise() error {
	text := p.summary()
	if err := os.WriteFile(*out, text, 0o644); err != nil || *doc == "" {
		return err
	}
	page, err := os.ReadFile(*doc)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(page, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !ok || !closed {
		return errors.New(*doc + " has no markers of figures")
	}
	return os.WriteFile(*doc, slices.Concat(before, []byte(beginMark), text, []byte(endMark), after), 0o644)
}

func (p *progress) summary() []byte {
	var b bytes.Buffer
	var cpu time.Duration
	failed := 0
	for _, r := range p.Records {
		cpu += time.Duration(r.CPU) * time.Millisecond
		failed += len(r.Failed)
	}
	took := time.Duration(p.Millis) * time.Millisecond
	fmt.Fprintf(&b, "%s; sources %s. The last run was at %.4g %% of the full counts, with %d batches at a time and a load of %s together; it took %s, and %s of CPU time; %d of its batches failed.\n\n",
		p.Machine, strings.Join(p.Sources, ", "), p.Scale*100, p.Jobs, pace(p.Rate), took.Round(time.Second), cpu.Round(time.Second), failed)
	b.WriteString("| Fault | Engine | Done | Of | | Result |\n|---|---|---:|---:|---|---|\n")
	for _, f := range faults {
		for _, engine := range f.engines {
			r := p.of(f.test + "/" + engine)
			fmt.Fprintf(&b, "| %s (`%s`) | %s | %s | %s | %s | %s |\n", f.what, f.test, name(engine), grouped(r.Done), grouped(f.full), f.unit, r.result())
		}
	}
	b.WriteString("\nWhat the batches counted, and the seeds of those that passed (the first twenty):\n\n")
	for _, f := range faults {
		for _, engine := range f.engines {
			r := p.of(f.test + "/" + engine)
			if r.Runs == 0 {
				continue
			}
			var seeds []string
			for _, s := range r.Seeds[:min(len(r.Seeds), 20)] {
				seeds = append(seeds, fmt.Sprint(s))
			}
			fmt.Fprintf(&b, "- `%s/%s`: %s. Seeds %s.\n", f.test, engine, line(r), strings.Join(seeds, ", "))
			for _, x := range r.Failed {
				fmt.Fprintf(&b, "  - failed with seed %d and %d rounds: %s\n", x.Seed, x.Rounds, x.First)
			}
		}
	}
	return b.Bytes()
}

func pace(rate float64) string {
	if rate == 0 {
		return "as many orders as they could"
	}
	return grouped(int(rate)) + " orders a second"
}

func name(engine string) string {
	if engine == "sqlite" {
		return "SQLite"
	}
	return "PostgreSQL"
}

func (r *record) result() string {
	switch {
	case r.Skipped != "":
		return "not run: " + r.Skipped
	case len(r.Failed) > 0:
		return fmt.Sprintf("**%d batches failed**", len(r.Failed))
	case r.Done == 0:
		return "not run"
	}
	return "ok"
}

// line is what was counted.
func line(r *record) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(r.Sums)) {
		if r.Sums[what] != 0 {
			parts = append(parts, what+" "+grouped(int(r.Sums[what])))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(r.Most)) {
		parts = append(parts, "at most "+grouped(int(r.Most[what]))+" "+what)
	}
	return strings.Join(parts, ", ")
}

// grouped writes a number with a comma between thousands.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
