package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every fault of the table is a test of the package, and every test of the package is in the table.
func TestTableAndTestsAgree(t *testing.T) {
	files, err := filepath.Glob("../*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	tests := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
	}
	page, err := os.ReadFile("../../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if !tests[f.test] {
			t.Errorf("there is no %s", f.test)
		}
		delete(tests, f.test)
		if !strings.Contains(string(page), "`"+f.test+"`") {
			t.Errorf("docs/reliability.md does not tell of %s", f.test)
		}
	}
	for name := range tests {
		t.Errorf("%s is not in the table", name)
	}
}

func TestCount(t *testing.T) {
	f := fault{full: 1000, least: 5}
	for scale, want := range map[float64]int{1: 1000, 2: 1000, 0.02: 20, 0.0001: 5, 0.0011: 5, 0.0205: 21} {
		if got := f.count(scale); got != want {
			t.Errorf("%v of %d is %d, want %d", scale, f.full, got, want)
		}
	}
}

// The summary goes between the markers, and says what failed.
func TestSummary(t *testing.T) {
	folder := t.TempDir()
	*out, *doc = filepath.Join(folder, "torture.md"), filepath.Join(folder, "page.md")
	if err := os.WriteFile(*doc, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := &progress{Machine: "a machine", Sources: []string{"abc"}, Scale: 1, Jobs: 3, Rate: 500, Records: map[string]*record{}}
	r := p.of("TestKill/sqlite")
	r.Done, r.Runs, r.Seeds, r.Sums["credits"], r.Most["ms"] = 1500, 2, []uint64{7}, 12345, 9
	bad := p.of("TestKill/postgres")
	bad.Runs, bad.Failed = 1, []failure{{Seed: 8, Rounds: 25, First: "L1-S0-1 was answered and is gone"}}
	p.of("TestDiskFull/sqlite").Skipped = reason("    a_test.go:5: 10 rounds, -crash.seed 4\n    b_test.go:9: mounting needs root\n")
	if err := p.summarise(); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(*doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + beginMark + "a machine; sources abc. The last run was at 100 % of the full counts, with 3 batches at a time and a load of 500 orders a second together", "| 1,500 | 1,000 |", "credits 12,345, at most 9 ms. Seeds 7.", "**1 batches failed**",
		"failed with seed 8 and 25 rounds: L1-S0-1 was answered and is gone", "not run: mounting needs root", endMark + "after\n"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not have %q:\n%s", want, page)
		}
	}
	if strings.Contains(string(page), "old") {
		t.Error("the old figures are still there")
	}
}

// Batches are given one of each fault in turn, never more rounds than are left, also while others run; what failed too
// often, was skipped or is not wanted is left out.
func TestQueue(t *testing.T) {
	*scale = 1
	p := &progress{Records: map[string]*record{}}
	p.of("TestKill/sqlite").Done = 960
	p.of("TestKill/postgres").Skipped = "no PostgreSQL"
	p.of("TestShutdown/sqlite").Failed = make([]failure, mostFailures)
	q := &queue{progress: p, wanted: regexp.MustCompile("Kill/|Shutdown"), seeds: rand.New(rand.NewPCG(1, 2)), running: map[string]int{}}
	var got []string
	for b := q.next(t.Context()); b != nil; b = q.next(t.Context()) {
		got = append(got, fmt.Sprint(b.name(), " ", b.rounds))
	}
	want := append([]string{"TestKill/sqlite 25", "TestShutdown/postgres 10", "TestKill/sqlite 15"}, slices.Repeat([]string{"TestShutdown/postgres 10"}, 9)...)
	if !slices.Equal(got, want) {
		t.Errorf("given were %q, want %q", got, want)
	}
	told := 0
	q.done(&batch{fault: faults[0], engine: "sqlite", rounds: 25}, outcome{tally: []byte(`{"Sums":{"payments":3}}`)}, nil, func(r *record) error {
		told = r.Done
		return nil
	})
	if told != 985 || q.running["TestKill/sqlite"] != 15 {
		t.Errorf("%d are done, %d are running", told, q.running["TestKill/sqlite"])
	}
	q.done(&batch{fault: faults[0], engine: "sqlite", rounds: 15}, outcome{}, errors.New("the disk is full"), func(*record) error { return nil })
	if q.broken == nil || q.next(t.Context()) != nil {
		t.Error("what breaks the run does not end it")
	}
}
