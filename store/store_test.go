package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	start = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	ids   = id.NewSource(rand.Reader, clock.Fixed(start))
)

// atOnce runs fn n times at once and waits for all.
func atOnce(n int, fn func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			fn(i)
		})
	}
	close(begin)
	wg.Wait()
}

// eachURL runs a test on an empty database of either engine.
func eachURL(t *testing.T, test func(t *testing.T, url string)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, storetest.URL(t, engine)) })
	}
}

// raw opens a database for statements that the store does not have.
func raw(t *testing.T, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func wantCode(t *testing.T, what string, err error, want payment.Code) {
	t.Helper()
	if got := payment.CodeOf(err); got != want {
		t.Errorf("%s: %q (%v), want %q", what, got, err, want)
	}
}

func TestMigrate(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		s := open(t, url)
		if done, err := s.Migrated(t.Context()); done || err != nil {
			t.Errorf("empty: migrated %v, %v", done, err)
		}
		// Nodes that start at once: each step is applied by one of them.
		var mu sync.Mutex
		applied := 0
		atOnce(4, func(i int) {
			node, err := store.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			defer node.Close()
			steps, err := node.Migrate(t.Context())
			if err != nil || len(steps) == 0 {
				t.Errorf("node %d: %d steps, %v", i, len(steps), err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, step := range steps {
				if step.Applied {
					applied++
				}
			}
		})
		steps, err := s.Migrate(t.Context())
		if err != nil || applied != len(steps) {
			t.Errorf("%d of %d steps were applied, %v", applied, len(steps), err)
		}
		for _, step := range steps {
			if step.Applied {
				t.Errorf("%s was applied again", step.Name)
			}
		}
		if done, err := s.Migrated(t.Context()); !done || err != nil {
			t.Errorf("migrated %v, %v", done, err)
		}
	})
}

// A database that is not ours to change is left alone.
func TestMigrateRefuses(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		db := raw(t, url)
		exec := func(statement string) {
			t.Helper()
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		exec(`INSERT INTO schema_migrations (name, sum) VALUES ('9999_future', 'x')`)
		if _, err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "9999_future") || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("a newer schema: %v", err)
		}
		if done, err := s.Migrated(t.Context()); done || err != nil {
			t.Errorf("a newer schema: migrated %v, %v", done, err)
		}
		exec(`DELETE FROM schema_migrations WHERE name = '9999_future'`)
		exec(`UPDATE schema_migrations SET sum = 'edited' WHERE name = '0001_money_path'`)
		if _, err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "0001_money_path was changed") {
			t.Errorf("an edited step: %v", err)
		}
		exec(`DELETE FROM schema_migrations`)
		if _, err := s.Migrate(t.Context()); err == nil {
			t.Error("tables of the same names were taken for ours")
		}
		if done, _ := s.Migrated(t.Context()); done {
			t.Error("a refused migration counts as done")
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"":                                   "sqlite:PATH",
		"mysql://root:hunter2@host":          "mysql",
		"sqlite:":                            "names no file",
		"sqlite::memory:":                    "memory",
		"sqlite:/dev/null/x/y.db":            "",
		"postgres://u:hunter2@127.0.0.1:1/x": "",
		"postgres://u@127.0.0.1:1/x?pool_max_conns=none": "pool_max_conns",
	} {
		s, err := store.Open(t.Context(), url)
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", url)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// An error gets its code on either engine; one that has a code keeps it; a
// failed transaction leaves nothing.
func TestErrors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		m := payment.Merchant{ID: ids.New(), Kind: payment.KindMerchant, Name: "M", State: payment.MerchantActive, CreatedAt: start, UpdatedAt: start, Version: 1}
		add := func(ctx context.Context) error {
			return s.Update(ctx, func(tx *store.Tx) error { return tx.AddMerchant(ctx, m) })
		}
		wantCode(t, "first", add(ctx), "")
		wantCode(t, "again", add(ctx), payment.CodeConflict)
		wantCode(t, "nobody's", s.Update(ctx, func(tx *store.Tx) error {
			return tx.AddReceivingAccount(ctx, payment.ReceivingAccount{ID: ids.New(), MerchantID: ids.New(), CreatedAt: start})
		}), payment.CodeInternal)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		wantCode(t, "ended", add(ended), payment.CodeBusy)
		wantCode(t, "own", s.Update(ctx, func(*store.Tx) error { return payment.Fail(payment.CodeTotalLimit, "x") }), payment.CodeTotalLimit)
		wantCode(t, "foreign", s.Update(ctx, func(*store.Tx) error { return errors.New("odd") }), payment.CodeInternal)
		wantCode(t, "no row", s.View(ctx, func(tx *store.Tx) error { _, err := tx.Merchant(ctx, "nobody"); return err }), payment.CodeNotFound)
		failed := s.Update(ctx, func(tx *store.Tx) error {
			other := m
			other.ID = ids.New()
			if err := tx.AddMerchant(ctx, other); err != nil {
				return err
			}
			return payment.Fail(payment.CodeInvalidState, "changed my mind")
		})
		wantCode(t, "given up", failed, payment.CodeInvalidState)
		// Given up by its context in the middle: the connection is usable after.
		for range 20 {
			ctx, cancel := context.WithCancel(ctx)
			wantCode(t, "ended in the middle", s.Update(ctx, func(tx *store.Tx) error {
				other := m
				other.ID = ids.New()
				if err := tx.AddMerchant(ctx, other); err != nil {
					return err
				}
				cancel()
				return tx.AddMerchant(ctx, other)
			}), payment.CodeBusy)
		}
		err := s.View(ctx, func(tx *store.Tx) error {
			all, err := tx.Merchants(ctx, "", 10)
			if len(all) != 1 {
				t.Errorf("%d merchants are left", len(all))
			}
			return err
		})
		wantCode(t, "list", err, "")
		err = s.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(ctx, "a", "\x00\xff") })
		if code := payment.CodeOf(err); code != "" && code != payment.CodeInvalidRequest {
			t.Errorf("no text: %v", err)
		}
		if err := s.Ping(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A database that has gone away is busy, not our fault.
func TestDatabaseGone(t *testing.T) {
	server := pgtest.NewServer(t, false)
	s, err := store.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		wantCode(t, "update", s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutSetting(t.Context(), "a", "b") }), payment.CodeBusy)
		wantCode(t, "view", s.View(t.Context(), func(tx *store.Tx) error { _, err := tx.Setting(t.Context(), "a"); return err }), payment.CodeBusy)
	}
}

// Two transactions that lock two rows in opposite order both come through on
// PostgreSQL: the one that is sent back is run again.
func TestDeadlockIsRetried(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		put := func(tx *store.Tx, name string, value int) error { return tx.PutSetting(ctx, name, fmt.Sprint(value)) }
		names := []string{"a", "b"}
		for _, name := range names {
			if err := s.Update(ctx, func(tx *store.Tx) error { return put(tx, name, 0) }); err != nil {
				t.Fatal(err)
			}
		}
		// Both hold their first row before either asks for its second; on
		// SQLite, which has one writer, nobody waits for the other.
		var first sync.WaitGroup
		first.Add(2)
		runs := make([]int, 2)
		atOnce(2, func(i int) {
			err := s.Update(ctx, func(tx *store.Tx) error {
				runs[i]++
				if err := put(tx, names[i], i); err != nil {
					return err
				}
				if s.Engine() == "postgres" && runs[i] == 1 {
					first.Done()
					first.Wait()
				}
				return put(tx, names[1-i], i)
			})
			if err != nil {
				t.Error(err)
			}
		})
		if s.Engine() == "postgres" && runs[0]+runs[1] < 3 {
			t.Errorf("ran %v times: there was no deadlock", runs)
		}
		err := s.View(ctx, func(tx *store.Tx) error {
			a, err := tx.Setting(ctx, "a")
			b, err2 := tx.Setting(ctx, "b")
			if a != b {
				t.Errorf("half of each was written: a is %s, b is %s", a, b)
			}
			return errors.Join(err, err2)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A journal reads back as it was written; the trial balance sums both sides.
func TestLedger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		entry, err := ledger.New(ledger.Entry{ID: ids.New(), Kind: ledger.KindCredit, PaymentID: "p", CreditID: "c", Actor: "bank", Reason: "vì sao", At: start},
			ledger.Debit("x", 30), ledger.Debit("y", 12), ledger.Credit("z", 42))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.AddEntry(ctx, entry) }); err != nil {
			t.Fatal(err)
		}
		err = s.View(ctx, func(tx *store.Tx) error {
			journal, err := tx.Journal(ctx, "p")
			if err != nil {
				return err
			}
			if len(journal) != 1 || fmt.Sprint(journal[0]) != fmt.Sprint(entry) {
				t.Errorf("read %v, wrote %v", journal, entry)
			}
			balances, err := tx.TrialBalance(ctx)
			want := []ledger.Balance{{Account: "x", Debit: 30, Balance: 30}, {Account: "y", Debit: 12, Balance: 12}, {Account: "z", Credit: 42, Balance: -42}}
			if fmt.Sprint(balances) != fmt.Sprint(want) {
				t.Errorf("balances %v, want %v", balances, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func newPayment(reference, code string, amount money.VND) payment.Payment {
	return payment.Payment{
		ID: ids.New(), MerchantID: "m", Dialect: "test", Reference: reference, Version: 1, Amount: amount, State: payment.Open,
		Methods: []payment.Method{payment.BankTransfer}, Transfer: payment.Transfer{AccountID: "a", Code: code},
		LimitDay: "2026-03-04", CreatedAt: start, UpdatedAt: start, DueAt: start.Add(time.Hour),
	}
}

// Each opening of a batch has its own verdict, and none touches its neighbours.
func TestOpenPayments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		batch := []struct {
			opening store.Opening
			want    payment.Code
		}{
			{store.Opening{Payment: newPayment("one", "M:1", 40), DailyLimit: 100}, ""},
			{store.Opening{Payment: newPayment("one", "M:2", 40), DailyLimit: 100}, payment.CodeDuplicateReference},
			{store.Opening{Payment: newPayment("two", "M:1", 40), DailyLimit: 100}, "taken"},
			{store.Opening{Payment: newPayment("three", "M:3", 61), DailyLimit: 100}, payment.CodeTotalLimit},
			{store.Opening{Payment: newPayment("four", "M:4", 60), DailyLimit: 100}, ""},
			{store.Opening{Payment: newPayment("five", "M:5", 1), DailyLimit: 100}, payment.CodeTotalLimit},
			{store.Opening{Payment: newPayment("six", "M:6", money.Max), DailyLimit: 100}, payment.CodeTotalLimit},
			{store.Opening{Payment: newPayment("seven", "", 1)}, ""},
			{store.Opening{Payment: newPayment("eight", "", 1)}, ""},
		}
		check := func(round string, want func(i int) payment.Code) {
			t.Helper()
			var openings []store.Opening
			for _, b := range batch {
				b.opening.Payment.ID = ids.New()
				openings = append(openings, b.opening)
			}
			verdicts, err := s.OpenPayments(ctx, openings)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range verdicts {
				if errors.Is(v, store.ErrCodeTaken) != (want(i) == "taken") || (want(i) != "taken" && payment.CodeOf(v) != want(i)) {
					t.Errorf("%s, %d: %v, want %q", round, i, v, want(i))
				}
			}
		}
		check("first", func(i int) payment.Code { return batch[i].want })
		check("again", func(i int) payment.Code {
			if i < 7 {
				return payment.CodeTotalLimit // the limit is looked at first, and it is used up
			}
			return payment.CodeDuplicateReference
		})
		if verdicts, err := s.OpenPayments(ctx, nil); err != nil || len(verdicts) != 0 {
			t.Errorf("nothing: %v, %v", verdicts, err)
		}
	})
}

// Money that comes while an order gets its next payment finds the one or the
// other, never none.
func TestPaymentOfOrderThatChanges(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		ctx := t.Context()
		o := booking.Order{ID: 99, MerchantID: "m", Code: "99", Version: 1, Offers: 1, CreatedAt: start, UpdatedAt: start}
		open := func(tx *store.Tx, code string) payment.Payment {
			p := newPayment(o.Reference(), payment.MemoMatch(code), 1)
			if verdict, err := tx.OpenPayment(ctx, store.Opening{Payment: p}); verdict != nil || err != nil {
				t.Error(verdict, err)
			}
			return p
		}
		err := s.Update(ctx, func(tx *store.Tx) error {
			open(tx, "A")
			return tx.AddOrder(ctx, o)
		})
		wantCode(t, "add", err, "")
		o.Offers, o.Version = 2, 2
		var next, got payment.Payment
		var ok bool
		var finder sync.WaitGroup
		err = s.Update(ctx, func(tx *store.Tx) error {
			if _, err := tx.LockOrder(ctx, o.ID); err != nil {
				return err
			}
			finder.Go(func() {
				wantCode(t, "find", s.Update(ctx, func(tx *store.Tx) (err error) {
					got, ok, err = tx.LockPaymentOfOrder(ctx, "test", o.ID)
					return err
				}), "")
			})
			if s.Engine() == "postgres" {
				awaitLock(t, url)
			}
			next = open(tx, "B")
			return tx.SaveOrder(ctx, o)
		})
		wantCode(t, "next offer", err, "")
		finder.Wait()
		if !ok || got.ID != next.ID && s.Engine() == "postgres" {
			t.Errorf("found %v %s, want %s", ok, got.Reference, next.Reference)
		}
	})
}

// awaitLock waits until somebody waits for a lock.
func awaitLock(t *testing.T, url string) {
	t.Helper()
	db := raw(t, url)
	for waiting := 0; waiting == 0; {
		err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
}
