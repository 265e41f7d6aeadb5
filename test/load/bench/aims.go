package main

import (
	"fmt"

	"github.com/thungan/thungan/test/load/database"
)

// aim is one that the project has set itself, and what became of it.
type aim struct {
	Text   string  `json:"aim"`
	Engine string  `json:"engine"`
	Want   float64 `json:"want"`
	AtMost bool    `json:"at_most"` // else at least
	Unit   string  `json:"unit"`
	Got    float64 `json:"got"`
	Tried  bool    `json:"measured"`
	OK     bool    `json:"ok"`
}

// verdict is ok, missed, or not measured.
func (a aim) verdict() string {
	switch {
	case !a.Tried:
		return "not measured"
	case a.OK:
		return "ok"
	}
	return "**missed**"
}

func (a aim) want() string {
	sign := "≥"
	if a.AtMost {
		sign = "≤"
	}
	return fmt.Sprintf("%s %s", sign, number(a.Want, a.Unit))
}

func (a aim) got() string {
	if !a.Tried {
		return "–"
	}
	return number(a.Got, a.Unit)
}

// judge holds the figures against the aims.
func (r *report) judge() []aim {
	var all []aim
	add := func(atMost bool, engine, text string, want float64, unit string, got float64, tried bool) {
		ok := tried && (atMost && got <= want || !atMost && got >= want)
		all = append(all, aim{Text: text, Engine: engine, Want: want, AtMost: atMost, Unit: unit, Got: got, Tried: tried, OK: ok})
	}
	least := func(engine, text string, want float64, got float64, tried bool) {
		add(false, engine, text, want, "", got, tried)
	}
	most := func(engine, text string, want float64, unit string, got float64, tried bool) {
		add(true, engine, text, want, unit, got, tried)
	}
	for _, e := range []string{database.SQLite, database.Postgres} {
		for _, a := range []struct {
			connections      int
			ceiling, pgbench float64
		}{{256, 0.45, 3.5}, {64, 0.3, 2.2}} {
			creates := which{cellCreate, e, a.connections}
			got, ok := r.ratio(creates, which{cellCeiling, "", a.connections})
			least(e, fmt.Sprintf("creates ÷ HTTP ceiling, %d connections", a.connections), a.ceiling, got, ok)
			got, ok = r.ratio(creates, which{kind: cellPgbench})
			least(e, fmt.Sprintf("creates, %d connections ÷ pgbench", a.connections), a.pgbench, got, ok)
		}
		for _, a := range []struct {
			connections int
			p99         float64
		}{{256, 40}, {64, 20}, {16, 10}} {
			got, ok := r.middle(which{cellCreate, e, a.connections}, p99)
			most(e, fmt.Sprintf("p99 of creates, %d connections", a.connections), a.p99, "ms", got, ok)
		}
		at256 := which{cellCreate, e, 256}
		got, ok := r.middle(at256, cpu)
		most(e, "CPU per create, server and database, 256 connections", 0.25, "ms", got, ok)
		limit := 8.0
		if e == database.Postgres {
			limit = 2
		}
		got, ok = r.middle(at256, size)
		most(e, "written per create, 256 connections", limit, "KiB", got/1024, ok)
		got, ok = r.ratio(which{cellCreate, e, callers}, which{cellSpread, e, callers})
		least(e, "one hot merchant ÷ a thousand, creates", 0.8, got, ok)
		got, ok = r.ratio(which{cellPath, e, callers}, which{cellPathWide, e, callers})
		least(e, "one hot merchant ÷ a thousand, whole money path", 0.8, got, ok)
		got, ok = r.ratio(which{kind: cellDeliver, engine: e}, which{kind: cellSend})
		least(e, "notifications with record ÷ without", 0.5, got, ok)
		got, ok = r.ratio(which{cellBig, e, 256}, which{cellEmpty, e, 256})
		least(e, "creates beside "+r.rows(e)+" payments ÷ in an empty database", 0.9, got, ok)
		million := r.facts(e).ReadyMillion
		most(e, "start to ready with a million payments", 2, "s", million.Seconds(), million > 0)
	}
	return all
}
