package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	load "github.com/thungan/thungan/test/load"
	"github.com/thungan/thungan/test/load/database"
)

func TestParseStat(t *testing.T) {
	p, err := parseStat("42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 20 30 20 0 1 0 99 0")
	if err != nil || p.parent != 7 || p.own != 2*time.Second || p.ended != 500*time.Millisecond {
		t.Errorf("%+v %v", p, err)
	}
	for _, line := range []string{"", "42 (a) S 7", "42 a S 7 42 42 0 -1 4194560 1 2 3 4 150 50 20 30", "42 (a) S x 42 42 0 -1 4194560 1 2 3 4 150 50 20 30"} {
		if p, err := parseStat(line); err == nil {
			t.Errorf("%q: %+v", line, p)
		}
	}
	if own, err := readProcess(os.Getpid()); err != nil || own.parent != os.Getppid() {
		t.Errorf("this process: %+v %v", own, err)
	}
}

func TestParseShares(t *testing.T) {
	s, err := parseShares("cpu  10 1 20 300 40 5 6 7 8 9\ncpu0 1 2 3\n")
	if err != nil || s.idle != 340 || s.all != 389 {
		t.Errorf("%+v %v", s, err)
	}
	for _, text := range []string{"", "cpu0 1 2 3 4 5", "cpu 1 2 3", "cpu 1 2 3 x 5 6"} {
		if s, err := parseShares(text); err == nil {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

func TestParseTPS(t *testing.T) {
	report := "transaction type: <builtin: simple update>\ntps = 1.5 (including connections establishing)\ntps = 4321.987654 (excluding connections establishing)\n"
	if tps, err := parseTPS(report); err != nil || tps != 4321.987654 {
		t.Errorf("%v %v", tps, err)
	}
	if tps, err := parseTPS("pgbench: error: tps = 1"); err == nil {
		t.Error(tps)
	}
}

func TestMachineTexts(t *testing.T) {
	if got := kernelVersion("6.1.0-somebody-at-somewhere\n"); got != "Linux 6.1.0" {
		t.Error(got)
	}
	if got := cpuModel("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n"); got != "A CPU @ 2 GHz" {
		t.Error(got)
	}
	if got := cpuModel(""); got != "unknown" {
		t.Error(got)
	}
}

func TestNumber(t *testing.T) {
	for _, test := range []struct {
		v    float64
		unit string
		want string
	}{
		{0, "", "0.00"}, {0.456, "ms", "0.46 ms"}, {12.34, "", "12.3"}, {345.6, "", "346"}, {1234.5, "", "1,235"}, {16204333, "", "16,204,333"}, {-1234, "", "-1,234"},
	} {
		if got := number(test.v, test.unit); got != test.want {
			t.Errorf("%v: %q, want %q", test.v, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	table := table{head: []string{"", "a second"}}
	table.row("Đồng", "16,204")
	table.row("short")
	want := `
|       | a second |
|-------|---------:|
| Đồng  |   16,204 |
| short |          |
`
	if got := table.String(); got != want[1:] {
		t.Errorf("got\n%swant\n%s", got, want[1:])
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		v    []float64
		want float64
		ok   bool
	}{{nil, 0, false}, {[]float64{3}, 3, true}, {[]float64{3, 1}, 2, true}, {[]float64{9, 1, 2}, 2, true}} {
		if got, ok := median(test.v); got != test.want || ok != test.ok {
			t.Errorf("%v: %v %v", test.v, got, ok)
		}
	}
}

// sample is a report of two rounds on SQLite.
func sample() *report {
	r := &report{Rounds: 2, CellSeconds: 5, BigRows: 5_000_000, Machine: machine{CPU: "A CPU", Cores: 2, MemoryMiB: 2048, Kernel: "Linux 6.1", Filesystem: "ext4", Go: "go1", PostgreSQL: "PostgreSQL 15", SQLite: "SQLite 3"}}
	for round, rates := range [][3]float64{{10_000, 20_000, 4000}, {6000, 20_000, 1000}} {
		add := func(kind, engine string, connections int, rate float64) {
			r.add(cell{Kind: kind, Engine: engine, Round: round + 1, Quiet: round == 0, CPU: 200 * time.Microsecond, Bytes: 4096,
				Result: load.Result{Connections: connections, PerSecond: rate, P50: 10, P99: 41}})
		}
		add(cellCreate, database.SQLite, 256, rates[0])
		add(cellCeiling, "", 256, rates[1])
		add(cellPgbench, "", 16, rates[2])
	}
	return r
}

func TestRatioIsOfEachRound(t *testing.T) {
	r := sample()
	if got, ok := r.ratio(which{cellCreate, database.SQLite, 256}, which{cellCeiling, "", 256}); !ok || got != 0.4 {
		t.Errorf("÷ ceiling: %v %v", got, ok)
	}
	if got, ok := r.ratio(which{cellCreate, database.SQLite, 256}, which{kind: cellPgbench}); !ok || got != 4.25 {
		t.Errorf("÷ pgbench: %v %v", got, ok)
	}
	if _, ok := r.ratio(which{cellCreate, database.Postgres, 256}, which{kind: cellPgbench}); ok {
		t.Error("a ratio of what was not measured")
	}
}

func TestJudge(t *testing.T) {
	found := map[string]string{}
	for _, a := range sample().judge() {
		found[a.Engine+": "+a.Text] = a.want() + ", " + a.got() + ", " + a.verdict()
	}
	for aim, want := range map[string]string{
		"sqlite: creates ÷ HTTP ceiling, 256 connections":                    "≥ 0.45, 0.40, **missed**",
		"sqlite: creates, 256 connections ÷ pgbench":                         "≥ 3.50, 4.25, ok",
		"sqlite: p99 of creates, 256 connections":                            "≤ 40.0 ms, 41.0 ms, **missed**",
		"sqlite: CPU per create, server and database, 256 connections":       "≤ 0.25 ms, 0.20 ms, ok",
		"sqlite: written per create, 256 connections":                        "≤ 8.00 KiB, 4.00 KiB, ok",
		"postgres: written per create, 256 connections":                      "≤ 2.00 KiB, –, not measured",
		"postgres: start to ready with a million payments":                   "≤ 2.00 s, –, not measured",
		"postgres: creates beside 5,000,000 payments ÷ in an empty database": "≥ 0.90, –, not measured",
		"sqlite: notifications with record ÷ without":                        "≥ 0.50, –, not measured",
		"sqlite: one hot merchant ÷ a thousand, whole money path":            "≥ 0.80, –, not measured",
		"sqlite: creates ÷ HTTP ceiling, 64 connections":                     "≥ 0.30, –, not measured",
		"postgres: one hot merchant ÷ a thousand, creates":                   "≥ 0.80, –, not measured",
		"postgres: CPU per create, server and database, 256 connections":     "≤ 0.25 ms, –, not measured",
	} {
		if found[aim] != want {
			t.Errorf("%s: %q, want %q", aim, found[aim], want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	r := sample()
	r.Cells[0].Errors = map[string]int64{"timeout": 3, "connection closed": 1}
	text := strings.Join(strings.Fields(r.markdown()), " ")
	for _, want := range []string{
		"A CPU, 2 cores, 2,048 MiB", "3 of 6 cells had to share the machine with others",
		"| SQLite | 256 | 8,000 (6,000–10,000) |", "* round 1, sqlite create, 256 connections: connection closed 1, timeout 3 (of 4)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestReplaced(t *testing.T) {
	page := "# Speed\n\nWhy.\n\n" + beginMark + "old\n" + endMark + "\nMore.\n"
	if got, want := replaced(page, "new\n"), "# Speed\n\nWhy.\n\n"+beginMark+"new\n"+endMark+"\nMore.\n"; got != want {
		t.Errorf("%q", got)
	}
	fresh := replaced("", "new\n")
	if replaced(fresh, "newer\n") != strings.Replace(fresh, "new", "newer", 1) {
		t.Errorf("%q cannot be written again", fresh)
	}
}

func TestWrite(t *testing.T) {
	r := sample()
	folder := t.TempDir()
	if err := r.write(filepath.Join(folder, "a.md"), filepath.Join(folder, "a.json")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.md": "## Aims", "a.json": `"aim": "creates ÷ HTTP ceiling, 256 connections"`} {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q in it", name, err, want)
		}
	}
}

func TestAffordable(t *testing.T) {
	for _, test := range []struct {
		wanted, rows int64
		took, limit  time.Duration
		want         int64
	}{
		{4_000_000, 1_000_000, 20 * time.Second, 4 * time.Minute, 4_000_000},
		{4_000_000, 1_000_000, 80 * time.Second, 4 * time.Minute, 2_000_000},
		{4_000_000, 1_000_000, time.Hour, 4 * time.Minute, 0},
		{0, 1_000_000, time.Hour, 4 * time.Minute, 0},
	} {
		if got := affordable(test.wanted, test.rows, test.took, test.limit); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func TestOthersDuring(t *testing.T) {
	fault := errors.New("no")
	if _, err := othersDuring(func() error { return fault }); err != fault {
		t.Error(err)
	}
	if others, err := othersDuring(func() error { return nil }); err != nil || others < 0 || others > 1 {
		t.Errorf("%v %v", others, err)
	}
	if used, err := cpuOfTree(os.Getpid()); err != nil || used < 0 {
		t.Errorf("%v %v", used, err)
	}
}

// A cell that fails is tried once more; one that fails twice ends nothing.
func TestMeasureSurvives(t *testing.T) {
	b := &bench{round: 1, report: &report{Rounds: 1}, flags: flags{quietFor: -1}}
	tries := 0
	if err := b.measure(t.Context(), "once", cell{Kind: cellCreate}, func(c *cell) error {
		if tries++; tries == 1 {
			return errors.New("a passing fault")
		}
		c.PerSecond = 7
		return nil
	}); err != nil || tries != 2 || len(b.report.Cells) != 1 || b.report.Cells[0].PerSecond != 7 {
		t.Errorf("%v, %d tries: %+v", err, tries, b.report)
	}
	if err := b.measure(t.Context(), "never", cell{Kind: cellPage}, func(*cell) error { return errors.New("a lasting fault") }); err != nil {
		t.Error(err)
	}
	if len(b.report.Cells) != 1 || len(b.report.Failed) != 1 || !strings.Contains(b.report.markdown(), "not measured: round 1, never: a lasting fault") {
		t.Errorf("%+v", b.report)
	}
	b.flags.only = regexp.MustCompile("^page")
	if err := b.measure(t.Context(), "create", cell{}, func(*cell) error { t.Error("measured"); return nil }); err != nil {
		t.Error(err)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-cell", "1ms"}, {"x"}, {"-rows", "0"}, {"-rows", "10000000"}} {
		if f, err := parseFlags(args); err == nil {
			t.Errorf("%v: %+v", args, f)
		}
	}
	f, err := parseFlags([]string{"-short"})
	if err != nil || f.rounds != 1 || f.cell != 2*time.Second {
		t.Errorf("%+v %v", f, err)
	}
}
