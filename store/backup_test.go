package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func mustBeSound(t *testing.T, s *store.Store) {
	t.Helper()
	r, err := auditor.Audit(t.Context(), s, auditor.Options{Now: coretest.Start})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Errorf("%s: %s", f.Check, f.Text)
	}
}

// pays opens and pays n payments, some in part.
func pays(e *coretest.Env, n int) error {
	for i := range n {
		p, err := e.Core.Open(context.Background(), e.Opening(e.Memo, 1000))
		if err != nil {
			return err
		}
		if _, err := e.Core.TakeCredits(context.Background(), e.Feed, "", []payment.Credit{e.Credit(p, money.VND(400+i%2*600))}); err != nil {
			return err
		}
	}
	return nil
}

// A backup that is taken while others write is sound, and is of one instant.
func TestBackupUnderLoad(t *testing.T) {
	s := storetest.Open(t, storetest.URL(t, "sqlite"))
	e := coretest.New(t, s)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := pays(e, 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 3 {
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := s.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		copied, err := store.Open(t.Context(), "sqlite:"+path)
		if err != nil {
			t.Fatal(err)
		}
		if err := copied.Intact(t.Context()); err != nil {
			t.Error(err)
		}
		mustBeSound(t, copied)
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Backup(t.Context(), path); i == 0 && err == nil {
			t.Error("a backup wrote over another file")
		}
	}
	stop()
	writers.Wait()
}

// A gateway moves from SQLite to PostgreSQL and back, and is the same.
func TestCopyThereAndBack(t *testing.T) {
	first := storetest.Open(t, storetest.URL(t, "sqlite"))
	e := coretest.New(t, first)
	if err := pays(e, 1200); err != nil { // more than one batch
		t.Fatal(err)
	}
	e.Advance(time.Hour)
	e.ExpireDue()
	middle := storetest.Open(t, storetest.URL(t, "postgres"))
	last := storetest.Open(t, storetest.URL(t, "sqlite"))
	var told []store.Copied
	if err := store.Copy(t.Context(), first, middle, func(c store.Copied) { told = append(told, c) }); err != nil {
		t.Fatal(err)
	}
	mustBeSound(t, middle)
	if err := store.Copy(t.Context(), middle, last, nil); err != nil {
		t.Fatal(err)
	}
	mustBeSound(t, last)
	all := func(s *store.Store) (list []string) {
		t.Helper()
		err := s.Snapshot(t.Context(), func(q store.Query) error {
			rows, err := q(t.Context(), `SELECT p.id || p.state || CAST(p.received AS TEXT) || CAST(p.version AS TEXT) || a.holder FROM payments p JOIN receiving_accounts a ON a.id = p.account_id ORDER BY p.id`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return err
				}
				list = append(list, line)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	want := all(first)
	if len(want) != 1200 {
		t.Fatalf("%d payments", len(want))
	}
	for _, s := range []*store.Store{middle, last} {
		if diff := cmp.Diff(want, all(s)); diff != "" {
			t.Error(diff)
		}
	}
	if len(told) < 10 {
		t.Errorf("told of %v", told)
	}
	// The copy goes on as the original would.
	moved := core.New(core.Config{Store: last, Clock: e.Clock, IDs: e.IDs, Vault: e.Vault, PublicURL: coretest.PublicURL})
	if _, sum, err := moved.TrialBalance(t.Context()); err != nil || sum != 0 {
		t.Errorf("the trial balance of the copy: %d, %v", sum, err)
	}
	if err := store.Copy(t.Context(), first, last, nil); err == nil || !strings.Contains(err.Error(), "has rows") {
		t.Errorf("copied over another gateway: %v", err)
	}
}
