package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/thungan/thungan/auditor"
)

type checkCommand struct {
	databaseFlags
	Lang string `help:"Language of what is found: en or vi." enum:"en,vi" default:"en" env:"-"`
	JSON bool   `help:"Print the report as JSON." env:"-"`
	Most int    `help:"How many findings of one rule are listed." default:"20" env:"-"`
}

func (checkCommand) Help() string {
	return `Judges a database, also one that is being served: whether the ledger balances,
whether all money that came in has its place, whether payments moved only as they
may, and whether merchants are told. It reads only, at one instant. The exit status
is 0 when all is well and 1 when something is wrong.`
}

// errUnsound ends the program with a status that scripts can see.
var errUnsound = errors.New("the database is not sound; see above")

func (c checkCommand) Run(ctx context.Context) error {
	flags, err := c.resolve()
	if err != nil {
		return err
	}
	s, err := flags.openExisting(ctx)
	if err != nil {
		return err
	}
	if ok, err := s.Migrated(ctx); err != nil || !ok {
		return errors.Join(errors.New("the database is not of this program's version: bring it up to date with 'thungan migrate'"), err, s.Close())
	}
	report, err := auditor.Audit(ctx, s, auditor.Options{Lang: c.Lang, Now: time.Now(), Most: c.Most, Tells: progress()})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(report)
	} else {
		printReport(report, c.Lang)
	}
	if err == nil && !report.Sound() {
		err = errUnsound
	}
	return err
}

// progress shows on a terminal which rule is looked at: on a large database one
// takes a while.
func progress() func(check string, done, all int) {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(check string, done, all int) { fmt.Fprintf(os.Stderr, "\r%3d %%  %-24s\r", done*100/all, check) }
}

func printReport(r auditor.Report, lang string) {
	for _, f := range r.Findings {
		fmt.Printf("%-20s %s\n", f.Check, f.Text)
	}
	for check, n := range r.More {
		fmt.Printf("%-20s +%d\n", check, n)
	}
	if r.AuditLog.Number > 0 {
		fmt.Printf("audit_log            %d %s\n", r.AuditLog.Number, r.AuditLog.Hash)
	}
	switch {
	case !r.Sound():
	case lang == "vi":
		fmt.Printf("Đã kiểm tra %d quy tắc, không có gì sai.\n", r.Checks)
	default:
		fmt.Printf("%d rules checked, nothing is wrong.\n", r.Checks)
	}
}
