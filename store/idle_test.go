package store

import (
	"testing"

	"github.com/thungan/thungan/internal/pgtest"
)

// A frozen node must not keep its locks: test/crash stops one, this shows that the server was told.
func TestPostgresEndsIdleTransactions(t *testing.T) {
	s, err := Open(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(t.Context(), func(tx *Tx) error {
		var limit string
		if err := tx.conn.QueryRowContext(t.Context(), "SHOW idle_in_transaction_session_timeout").Scan(&limit); err != nil {
			return err
		}
		if limit != "5s" {
			t.Errorf("a transaction may be idle for %s", limit)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
