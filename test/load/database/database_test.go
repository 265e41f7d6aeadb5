package database

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	load "github.com/thungan/thungan/test/load"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// engines runs a test on both, with a migrated database.
func engines(t *testing.T, test func(t *testing.T, s *store.Store, d *DB)) {
	run := func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		d, err := Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		test(t, s, d)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "a b.db")) })
	t.Run("postgres", func(t *testing.T) { run(t, pgtest.URL(t)) })
}

// What is filled in reads as the gateway's own rows do.
func TestFill(t *testing.T) {
	since := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	engines(t, func(t *testing.T, s *store.Store, d *DB) {
		p := Payments{Tag: "old", Merchant: load.Merchant{ID: "m", AccountID: ""}, From: 0, To: 40, Since: since, Every: 500 * time.Millisecond}
		if err := d.Fill(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.From, p.To = 40, 100
		if err := d.Fill(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		last := ""
		for n := range int64(100) {
			var found payment.Payment
			err := s.View(t.Context(), func(tx *store.Tx) (err error) {
				found, err = tx.PaymentByReference(t.Context(), "m", "paykit", load.Reference("old", n))
				return err
			})
			if err != nil {
				t.Fatalf("payment %d: %v", n, err)
			}
			made := since.Add(time.Duration(n) * p.Every)
			if at, err := id.Time(found.ID); err != nil || !at.Equal(made) || found.ID <= last {
				t.Errorf("payment %d: id %s after %s: %v", n, found.ID, last, err)
			}
			if found.State != payment.Approved || found.Received != load.Amount || found.Amount != load.Amount || !found.CreatedAt.Equal(made) || found.CompletedAt.IsZero() {
				t.Errorf("payment %d: %+v", n, found)
			}
			last = found.ID
		}
		if err := d.Settle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Two series do not get in each other's way, and their notices are due.
func TestFillNotices(t *testing.T) {
	targets := []string{"http://127.0.0.1:81/ipn", "http://127.0.0.1:82/ipn"}
	engines(t, func(t *testing.T, s *store.Store, d *DB) {
		now := time.Now()
		for series := range int64(2) {
			p := Payments{Tag: load.Reference("t", series)[:1] + string(rune('a'+series)), Merchant: load.Merchant{ID: "m"}, To: 10, Since: now.Add(-time.Hour), Every: time.Millisecond, Target: targets, Series: series}
			if err := d.FillNotices(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := d.Notices(t.Context(), "pending"); err != nil || n != 20 {
			t.Errorf("%d notices are pending: %v", n, err)
		}
		items, err := s.ClaimItems(t.Context(), "lease", now, now.Add(time.Minute), 100)
		if err != nil || len(items) != 20 {
			t.Fatalf("%d items are due: %v", len(items), err)
		}
		lanes := map[string]int{}
		for _, item := range items {
			lanes[item.Lane]++
			err := s.View(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Event(t.Context(), item.PaymentID, item.Version)
				return err
			})
			if err != nil {
				t.Errorf("%+v: %v", item, err)
			}
		}
		if lanes["127.0.0.1:81"] != 10 || lanes["127.0.0.1:82"] != 10 {
			t.Error(lanes)
		}
	})
}

func TestFillRefusesBadTexts(t *testing.T) {
	engines(t, func(t *testing.T, _ *store.Store, d *DB) {
		if err := d.Fill(t.Context(), Payments{Tag: "it's", To: 1}); err == nil {
			t.Error("a tag with a quote is taken")
		}
		if err := d.FillNotices(t.Context(), Payments{Tag: "t", To: 1, Target: []string{"http://127.0.0.1:81/'"}}); err == nil {
			t.Error("an address with a quote is taken")
		}
	})
}

func TestPostgresKnowsItself(t *testing.T) {
	s := pgtest.NewServer(t, true)
	d, err := Open(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if pid, folder, err := d.Server(t.Context()); err != nil || pid < 2 || folder == "" {
		t.Errorf("%d %q %v", pid, folder, err)
	}
	before, err := d.Written(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Create(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	if after, err := d.Written(t.Context()); err != nil || after <= before {
		t.Errorf("log: %d, then %d: %v", before, after, err)
	}
	if v, err := d.Version(t.Context()); err != nil || len(v) < len("PostgreSQL 15") {
		t.Errorf("%q %v", v, err)
	}
}
