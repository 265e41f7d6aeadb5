package id_test

import (
	"crypto/rand"
	"errors"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
)

// A ULID of an id has the id's time in its first ten characters, and sorts as
// the id does.
func TestULID(t *testing.T) {
	// The same 128 bits, worked out apart from this code.
	if got, err := id.ULID("019bf38e-f67a-7184-8342-1295041af7b4"); err != nil || got != "01KFSRXXKTE6286GGJJM21NXXM" {
		t.Errorf("%s, %v", got, err)
	}
	now := clock.NewManual(time.Date(2026, 1, 26, 9, 24, 53, 203_000_000, time.UTC))
	s := id.NewSource(rand.Reader, now)
	var all []string
	for range 100 {
		text, err := id.ULID(s.New())
		if err != nil || len(text) != id.ULIDLen || strings.Trim(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
			t.Fatalf("%q, %v", text, err)
		}
		// 2026-01-26T09:24:53.203Z, worked out by hand from a public ULID of that time.
		if !strings.HasPrefix(text, "01KFWSXKTK") {
			t.Errorf("%s does not begin with its time", text)
		}
		all = append(all, text)
	}
	if !sort.StringsAreSorted(all) {
		t.Error("ULIDs do not sort as their ids")
	}
	if _, err := id.ULID("nothing"); !errors.Is(err, id.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// The time of a snowflake is the id's, and no two of one source are the same.
func TestSnowflake(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 7, 20, 2, 34, 59, 201_000_000, time.UTC))
	s := id.NewSource(rand.Reader, now)
	seen := map[int64]bool{}
	for range 1000 {
		n, err := id.Snowflake(s.New())
		if err != nil || n <= 0 || seen[n] {
			t.Fatalf("%d, %v", n, err)
		}
		seen[n] = true
		// The time of a published order id, 676979536619700224.
		if n>>22 != 676979536619700224>>22 {
			t.Fatalf("%d has another time", n)
		}
	}
	if _, err := id.Snowflake(""); !errors.Is(err, id.ErrInvalid) {
		t.Errorf("%v", err)
	}
	old := id.NewSource(rand.Reader, clock.NewManual(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)))
	if n, err := id.Snowflake(old.New()); err != nil || n < 0 || n >= 1<<22 {
		t.Errorf("%d, %v", n, err)
	}
}
