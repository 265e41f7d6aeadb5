package dialecttest

import (
	"testing"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/store"
)

// sound has the auditor judge what tests have left in a database. Nobody sends
// notices there, so nothing is called overdue.
func sound(t *testing.T, db *store.Store) {
	t.Helper()
	report, err := auditor.Audit(t.Context(), db, auditor.Options{})
	check(t, err)
	for _, f := range report.Findings {
		t.Errorf("the auditor: %s: %s", f.Check, f.Text)
	}
}
