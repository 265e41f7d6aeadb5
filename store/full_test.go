package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"github.com/thungan/thungan/test/diskfault"
)

// TestFullDiskIsCertain fills the disk at the n-th write of a commit, n = 1, 2, 3 ..., whole or torn: nothing was done,
// and the answer says so. It is so afterwards, and for whoever finds the files as they lie there. Of a sync that failed
// nobody knows, and that is said too.
func TestFullDiskIsCertain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thungan.db")
	d := diskfault.New(t, path)
	s := storetest.Open(t, "sqlite:"+path)
	write := map[string]func(id string) error{
		"open": func(id string) error {
			verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: opened(id)}})
			if err == nil {
				err = verdicts[0]
			}
			return err
		},
		"update": func(id string) error {
			return s.Update(t.Context(), func(tx *store.Tx) error { return tx.AddMerchant(t.Context(), merchant(id)) })
		},
		"group": func(id string) error {
			return s.Group(t.Context(), func(tx *store.Tx) error { return tx.AddMerchant(context.Background(), merchant(id)) })
		},
	}
	for name, do := range write {
		for ops, want := range map[diskfault.Op]payment.Code{diskfault.Write: payment.CodeBusy, diskfault.Sync: payment.CodeInternal} {
			n := 1
			for ; ; n++ {
				id := name + "-" + string(want) + strconv.Itoa(n)
				d.Arm(diskfault.Fault{Ops: ops, N: n, Torn: n%2 == 0, Code: sqlite3.SQLITE_FULL})
				err := do(id)
				if d.Heal() == 0 {
					if err != nil {
						t.Errorf("%s: %v on a sound disk", id, err)
					}
					break
				}
				if n > 1000 {
					t.Fatal("it never ends")
				}
				if payment.CodeOf(err) != want {
					t.Errorf("%s: %v, want %s", id, err, want)
				}
				if want != payment.CodeBusy {
					continue
				}
				if there(t, s, id) {
					t.Errorf("%s is there", id)
				}
				if there(t, storetest.Open(t, "sqlite:"+leftBehind(t, path)), id) {
					t.Errorf("%s is there after a crash", id)
				}
				if err := do(id + "-again"); err != nil {
					t.Errorf("%s again: %v", id, err)
				}
			}
			if n == 1 {
				t.Errorf("%s: nothing failed", name)
			}
		}
	}
}

func opened(id string) payment.Payment {
	now := time.UnixMilli(1_770_000_000_000)
	return payment.Payment{
		ID: id, MerchantID: "m", Dialect: "paykit", Reference: id, Version: 1, Amount: 1000, State: payment.Open, Methods: []payment.Method{payment.BankTransfer},
		Transfer: payment.Transfer{Code: "CODE" + id}, CreatedAt: now, DueAt: now.Add(time.Hour), UpdatedAt: now,
	}
}

func merchant(id string) payment.Merchant {
	return payment.Merchant{ID: id, Kind: payment.KindMerchant, Name: id, State: payment.MerchantActive, CreatedAt: time.UnixMilli(1_770_000_000_000)}
}

func there(t *testing.T, s *store.Store, id string) bool {
	t.Helper()
	found := 0
	err := s.Snapshot(t.Context(), func(q store.Query) error {
		rows, err := q(t.Context(), "SELECT id FROM payments WHERE id = $1 UNION ALL SELECT id FROM merchants WHERE id = $1", id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			found++
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return found > 0
}

// leftBehind copies the files of a database as a crash would leave them.
func leftBehind(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "left.db")
	for _, ending := range []string{"", "-wal"} {
		text, err := os.ReadFile(path + ending)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+ending, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
