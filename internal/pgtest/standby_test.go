package pgtest

import "testing"

// What the primary answered is on the replica when that takes over, and the old primary can follow it.
func TestStandbyHasWhatWasCommitted(t *testing.T) {
	primary := NewServer(t, true)
	standby := NewStandby(t, primary)
	for round, name := range []string{"first", "second"} {
		conn := connect(t, EitherURL(primary, standby))
		if round == 0 {
			execAll(t, conn, "CREATE TABLE payment (id TEXT)")
		}
		execAll(t, conn, "INSERT INTO payment VALUES ('"+name+"')")
		if err := primary.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := standby.Promote(); err != nil {
			t.Fatal(err)
		}
		if got := queryText(t, connect(t, EitherURL(primary, standby)), "SELECT count(*)::text FROM payment"); got != []string{"1", "2"}[round] {
			t.Errorf("after the %s fail-over %s rows are there", name, got)
		}
		if err := primary.Follow(standby); err != nil {
			t.Fatal(err)
		}
		primary, standby = standby, primary
	}
}
