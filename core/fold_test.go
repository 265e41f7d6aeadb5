package core_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// Folding changes no balance, takes each entry once, and what comes after it
// is counted as before.
func TestFold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		env := coretest.New(t, s)
		for range 3 {
			env.Pay(env.Open(env.Memo, 50_000), 50_000)
		}
		before := env.Balances()
		for want := 3; want >= 0; want -= 3 {
			if n, err := env.Core.Fold(t.Context()); err != nil || n != want {
				t.Fatalf("folded %d entries, %v; want %d", n, err, want)
			}
			if diff := cmp.Diff(before, env.Balances()); diff != "" {
				t.Errorf("folding changed balances (-before +after):\n%s", diff)
			}
		}
		env.Pay(env.Open(env.Memo, 50_000), 50_000)
		after := env.Balances()
		for account, sum := range before {
			if sum != 0 && after[account] != sum/3*4 {
				t.Errorf("%s: %d after one more payment, was %d", account, after[account], sum)
			}
		}
	})
}
