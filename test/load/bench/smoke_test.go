package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thungan/thungan/test/load/database"
)

// TestSmoke runs every kind of cell once, for a moment, on SQLite: the programs
// still understand each other, and the figures are figures.
func TestSmoke(t *testing.T) {
	ctx, folder := t.Context(), t.TempDir()
	b := &bench{folder: folder, report: &report{Rounds: 1}, round: 1, flags: flags{cell: 150 * time.Millisecond, warmUp: 20 * time.Millisecond, quietFor: -1, merchants: 3, notices: 200, callers: 4}}
	var err error
	if b.tools, err = build(ctx, folder); err != nil {
		t.Fatal(err)
	}
	r, err := startReceiver(b.tools)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, r.close)
	ceiling, err := b.ceilingServer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, ceiling.close)
	n, err := b.installation(ctx, database.SQLite, "main", nil, r)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, n.close)
	if err := b.atRest(ctx, []*node{n}); err != nil {
		t.Fatal(err)
	}
	if err := n.populate(ctx, b.flags.merchants); err != nil {
		t.Fatal(err)
	}
	if err := b.ceiling(ctx, ceiling, 2); err != nil {
		t.Fatal(err)
	}
	if err := b.creates(ctx, cellCreate, n, 2); err != nil {
		t.Fatal(err)
	}
	if err := b.sendOnly(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := b.rest(ctx, n, r); err != nil {
		t.Fatal(err)
	}
	if err := b.fill(ctx, n, 0, 100); err != nil {
		t.Fatal(err)
	}
	if err := b.underLoad([]*node{n}); err != nil {
		t.Fatal(err)
	}
	checkCells(t, b.report)
	if f := b.report.facts(database.SQLite); f.ReadyEmpty <= 0 || f.AtRest <= 0 || f.UnderLoad <= 0 || b.report.BinaryBytes <= 0 {
		t.Errorf("%+v, %d bytes", f, b.report.BinaryBytes)
	}
	if t.Failed() {
		if text, err := os.ReadFile(filepath.Join(n.folder, "log")); err == nil {
			t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-4000):])
		}
	}
}

func checkCells(t *testing.T, r *report) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range r.Cells {
		seen[c.Kind] = true
		// On a busy machine no call may fit between the warm-up and the end.
		if c.All <= 0 || c.Done > 0 && c.PerSecond <= 0 || c.Failures() > 0 {
			t.Errorf("%s: %+v", c.Kind, c)
		}
		if c.Kind == cellPath && c.Through <= 0 {
			t.Errorf("no notices came: %+v", c)
		}
	}
	for _, kind := range []string{cellCeiling, cellCreate, cellSpread, cellPath, cellPathWide, cellDeliver, cellSend, cellLookup, cellPage} {
		if !seen[kind] {
			t.Errorf("no cell %s", kind)
		}
	}
}

func closing(t *testing.T, end func() error) {
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
