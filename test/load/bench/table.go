package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/test/load/database"
)

// table is a Markdown table whose columns are padded, so that it can be read as
// it stands. All columns but the first are aligned to the right.
type table struct {
	head []string
	rows [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c), 3)
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, width := range widths {
			c := ""
			if i < len(row) {
				c = row[i]
			}
			pad := strings.Repeat(" ", width-utf8.RuneCountInString(c))
			if i == 0 {
				b.WriteString("| " + c + pad + " ")
			} else {
				b.WriteString("| " + pad + c + " ")
			}
		}
		b.WriteString("|\n")
	}
	line(t.head)
	for i, width := range widths {
		if i == 0 {
			b.WriteString("|" + strings.Repeat("-", width+2))
		} else {
			b.WriteString("|" + strings.Repeat("-", width+1) + ":")
		}
	}
	b.WriteString("|\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// number writes a figure with as many digits as mean something.
func number(v float64, unit string) string {
	text := ""
	switch size := math.Abs(v); {
	case size >= 1000:
		text = grouped(int64(math.Round(v)))
	case size >= 100:
		text = strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		text = strconv.FormatFloat(v, 'f', 1, 64)
	default:
		text = strconv.FormatFloat(v, 'f', 2, 64)
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// grouped puts commas into a whole number.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// figure is a median, or a dash.
func figure(v float64, ok bool) string {
	if !ok {
		return "–"
	}
	return number(v, "")
}

// spanned is a median with the least and the most of the rounds.
func (r *report) spanned(w which, of func(cell) float64) string {
	v := r.values(w, of)
	m, ok := median(v)
	if len(v) < 2 {
		return figure(m, ok)
	}
	return fmt.Sprintf("%s (%s–%s)", number(m, ""), number(slices.Min(v), ""), number(slices.Max(v), ""))
}

// markdown is the report for people.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString(r.preface())
	section := func(title, text string) {
		fmt.Fprintf(&b, "\n## %s\n\n%s", title, text)
	}
	section("Aims", r.aimTable())
	section("Durable creates", r.createTable())
	section("The other loads", r.otherTable())
	section("Program", r.factTable())
	if faults := r.faults(); faults != "" {
		section("Errors", faults)
	}
	return b.String()
}

func (r *report) preface() string {
	m := r.Machine
	kind := fmt.Sprintf("%d rounds of %g s a cell", r.Rounds, r.CellSeconds)
	if r.Short {
		kind = "a short run, which shows that everything works and not how fast"
	}
	experiment := ""
	if m.Experiment != "" {
		experiment = " (GOEXPERIMENT=" + m.Experiment + ")"
	}
	return fmt.Sprintf(`%s, %d cores, %s MiB of memory; %s, %s; %s%s, %s, %s.
The load generator, the databases and the receiver of notifications ran on the
same machine. This was %s; %d of %d cells had to share the machine with others.
Figures are medians of the rounds, with the least and the most in brackets, and
ratios are medians of each round's ratio. Absolute figures are this machine's;
read the ratios.
`, m.CPU, m.Cores, grouped(m.MemoryMiB), m.Kernel, m.Filesystem, m.Go, experiment, m.PostgreSQL, m.SQLite, kind, r.noisy(), len(r.Cells))
}

func (r *report) aimTable() string {
	t := table{head: []string{"Aim", "Engine", "Want", "Got", ""}}
	for _, a := range r.judge() {
		t.row(a.Text, a.Engine, a.want(), a.got(), a.verdict())
	}
	return t.String()
}

func (r *report) createTable() string {
	t := table{head: []string{"", "Connections", "a second", "p50 ms", "p99 ms", "CPU ms", "KiB written", "÷ ceiling", "÷ pgbench"}}
	lines := func(title string, w which) {
		for _, c := range connections {
			w.connections = c
			if _, ok := r.middle(w, rate); !ok {
				continue
			}
			kib := func(c cell) float64 { return c.Bytes / 1024 }
			row := []string{title, strconv.Itoa(c), r.spanned(w, rate), figure(r.middle(w, p50)), figure(r.middle(w, p99)), figure(r.middle(w, cpu))}
			if w.kind == cellCreate {
				row = append(row, figure(r.middle(w, kib)), figure(r.ratio(w, which{cellCeiling, "", c})), figure(r.ratio(w, which{kind: cellPgbench})))
			}
			t.row(row...)
		}
	}
	lines("SQLite", which{kind: cellCreate, engine: database.SQLite})
	lines("PostgreSQL", which{kind: cellCreate, engine: database.Postgres})
	lines("HTTP ceiling", which{kind: cellCeiling})
	t.row("pgbench -N -c 16", "16", r.spanned(which{kind: cellPgbench}, rate))
	return t.String() + `
CPU is of the server and its database, for one create. Written is what SQLite's
process sent to the disk without its log file, and PostgreSQL's write-ahead log.
The ceiling is the same handler without the store, pgbench a simple update on
the same PostgreSQL.
`
}

func (r *report) otherTable() string {
	t := table{head: []string{"", "SQLite a second", "p99 ms", "CPU ms", "PostgreSQL a second", "p99 ms", "CPU ms"}}
	for _, l := range []struct {
		title string
		kind  string
		of    func(cell) float64
		calls int
	}{
		{"Creates of a thousand merchants", cellSpread, rate, callers},
		{"Money path, one merchant: settled", cellPath, rate, callers},
		{"… and its notices received", cellPath, through, callers},
		{"Money path, a thousand merchants: settled", cellPathWide, rate, callers},
		{"… and its notices received", cellPathWide, through, callers},
		{"Look-ups", cellLookup, rate, callers},
		{"Page views", cellPage, rate, callers},
		{"Notifications, recorded", cellDeliver, rate, 0},
		{"Creates in an empty database, 256 connections", cellEmpty, rate, besideCallers},
		{"Creates beside " + r.rowsOfBoth() + " payments, 256 connections", cellBig, rate, besideCallers},
	} {
		row := []string{l.title}
		for _, e := range []string{database.SQLite, database.Postgres} {
			w := which{l.kind, e, l.calls}
			slow, ok := r.middle(w, p99)
			busy, _ := r.middle(w, cpu)
			row = append(row, r.spanned(w, l.of), figure(slow, ok && slow > 0), figure(busy, busy > 0))
		}
		t.row(row...)
	}
	t.row("Notifications without a record", r.spanned(which{kind: cellSend}, rate))
	return t.String() + fmt.Sprintf(`
%d connections where nothing is said. The money path is one payment's create and
the bank's message that it was paid; its p99 is of both together. Its notices go
to %d receivers in another process, as those of the line below, which are sent
from a full outbox. CPU is of the server and its database, for one unit.
`, callers, receivers)
}

func (r *report) factTable() string {
	t := table{head: []string{"", "SQLite", "PostgreSQL"}}
	line := func(title string, of func(*facts) string) {
		t.row(title, of(r.facts(database.SQLite)), of(r.facts(database.Postgres)))
	}
	ms := func(d time.Duration) string {
		return figure(float64(d)/float64(time.Millisecond), d > 0)
	}
	mib := func(n int64) string { return figure(float64(n)/(1<<20), n > 0) }
	line("Start to ready, empty, ms", func(f *facts) string { return ms(f.ReadyEmpty) })
	line("Start to ready, a million payments, ms", func(f *facts) string { return ms(f.ReadyMillion) })
	line("Start to ready, "+r.rowsOfBoth()+" payments, ms", func(f *facts) string { return ms(f.ReadyBig) })
	line("Memory at rest, MiB", func(f *facts) string { return mib(f.AtRest) })
	line("Memory at most, MiB", func(f *facts) string { return mib(f.UnderLoad) })
	return t.String() + fmt.Sprintf("\nThe program file has %s MiB.\n", number(float64(r.BinaryBytes)/(1<<20), ""))
}

// rowsOfBoth is rows of both engines, which differ when one ran out of time.
func (r *report) rowsOfBoth() string {
	a, b := r.rows(database.SQLite), r.rows(database.Postgres)
	if a == b {
		return a
	}
	return a + " and " + b
}

// faults lists the cells that saw errors.
func (r *report) faults() string {
	var b strings.Builder
	for _, cell := range r.Failed {
		b.WriteString("* not measured: " + cell + "\n")
	}
	for _, c := range r.Cells {
		if c.Failures() > 0 {
			fmt.Fprintf(&b, "* round %d, %s %s, %d connections: %s (of %d)\n", c.Round, c.Engine, c.Kind, c.Connections, problems(c.Result), c.All+c.Failures())
		}
	}
	return b.String()
}
