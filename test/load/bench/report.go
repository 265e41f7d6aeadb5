package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	load "github.com/thungan/thungan/test/load"
)

// report is everything that was measured.
type report struct {
	Machine     machine  `json:"machine"`
	Short       bool     `json:"short"`
	Rounds      int      `json:"rounds"`
	CellSeconds float64  `json:"cell_seconds"`
	BinaryBytes int64    `json:"binary_bytes"`
	BigRows     int64    `json:"big_rows"`         // of the cells beside many payments
	Failed      []string `json:"failed,omitempty"` // cells that could not be measured
	Facts       []facts  `json:"engines"`
	Cells       []cell   `json:"cells"`
	Aims        []aim    `json:"aims"`
}

// facts are what is known of the program on one engine besides its speed.
// Memory is in bytes. What was not measured is 0.
type facts struct {
	Engine       string        `json:"engine"`
	ReadyEmpty   time.Duration `json:"ready_empty_ns"`
	ReadyMillion time.Duration `json:"ready_million_ns"`
	ReadyBig     time.Duration `json:"ready_big_ns"`
	BigRows      int64         `json:"big_rows"` // that the time was enough for
	AtRest       int64         `json:"memory_at_rest"`
	UnderLoad    int64         `json:"memory_most"`
}

func (r *report) add(c cell) { r.Cells = append(r.Cells, c) }

// facts of an engine; they are made when there are none.
func (r *report) facts(engine string) *facts {
	for i := range r.Facts {
		if r.Facts[i].Engine == engine {
			return &r.Facts[i]
		}
	}
	r.Facts = append(r.Facts, facts{Engine: engine})
	return &r.Facts[len(r.Facts)-1]
}

// rows is how many payments an engine's cells beside many had.
func (r *report) rows(engine string) string {
	return grouped(cmp.Or(r.facts(engine).BigRows, r.BigRows))
}

// which selects cells; connections 0 is any number.
type which struct {
	kind, engine string
	connections  int
}

func (w which) is(c cell) bool {
	return c.Kind == w.kind && c.Engine == w.engine && (w.connections == 0 || c.Connections == w.connections)
}

// values are one figure of the cells, in order of rounds.
func (r *report) values(w which, of func(cell) float64) []float64 {
	var v []float64
	for _, c := range r.Cells {
		if w.is(c) {
			v = append(v, of(c))
		}
	}
	return v
}

// inRound are one figure of a round's cells.
func (r *report) inRound(w which, round int, of func(cell) float64) []float64 {
	var v []float64
	for _, c := range r.Cells {
		if w.is(c) && c.Round == round {
			v = append(v, of(c))
		}
	}
	return v
}

// middle is the median of a figure; ok is false when there is none.
func (r *report) middle(w which, of func(cell) float64) (float64, bool) {
	return median(r.values(w, of))
}

func median(v []float64) (float64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v) / 2
	if len(v)%2 == 1 {
		return v[n], true
	}
	return (v[n-1] + v[n]) / 2, true
}

func rate(c cell) float64    { return c.PerSecond }
func p50(c cell) float64     { return c.P50 }
func p99(c cell) float64     { return c.P99 }
func through(c cell) float64 { return c.Through }
func size(c cell) float64    { return c.Bytes }
func cpu(c cell) float64     { return float64(c.CPU) / float64(time.Millisecond) }

// ratio is the median of the rounds' ratios of two rates: what disturbs a round
// disturbs both.
func (r *report) ratio(over, under which) (float64, bool) {
	var v []float64
	for round := 1; round <= r.Rounds; round++ {
		a, there := median(r.inRound(over, round, rate))
		if b, ok := median(r.inRound(under, round, rate)); ok && there && b > 0 {
			v = append(v, a/b)
		}
	}
	return median(v)
}

// problems are the errors of a result in words, "" for none.
func problems(r load.Result) string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		all = append(all, fmt.Sprintf("%s %d", kind, r.Errors[kind]))
	}
	return strings.Join(all, ", ")
}

// noisy is how many cells had to share the machine.
func (r *report) noisy() (n int) {
	for _, c := range r.Cells {
		if !c.Quiet {
			n++
		}
	}
	return n
}

// The marks between which a page's figures stand.
const (
	beginMark = "<!-- figures: begin -->\n"
	endMark   = "<!-- figures: end -->\n"
)

// write puts the report into files; "" is none.
func (r *report) write(markdown, asJSON string) error {
	var err error
	if markdown != "" {
		err = r.writeMarkdown(markdown)
	}
	if asJSON == "" {
		return err
	}
	r.Aims = r.judge()
	text, fault := json.MarshalIndent(r, "", "  ")
	if fault == nil {
		fault = os.WriteFile(asJSON, append(text, '\n'), 0o644)
	}
	return errors.Join(err, fault)
}

func (r *report) writeMarkdown(path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(replaced(string(old), r.markdown())), 0o644)
}

// replaced puts figures between a page's marks. A page without marks becomes the
// figures alone.
func replaced(page, figures string) string {
	before, rest, begun := strings.Cut(page, beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		before, after = "# Performance\n\n", ""
	}
	return before + beginMark + figures + endMark + after
}
