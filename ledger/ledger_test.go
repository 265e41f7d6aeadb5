package ledger_test

import (
	"errors"
	"testing"

	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"pgregory.net/rapid"
)

// An entry exists only if its postings sum to zero, whatever the postings are.
func TestEntryBalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Int64Range(-1_000_000, 1_000_000), 0, 6).Draw(t, "amounts")
		if rapid.Bool().Draw(t, "close") {
			var sum int64
			for _, a := range amounts {
				sum += a
			}
			amounts = append(amounts, -sum)
		}
		var postings []ledger.Posting
		var sum int64
		lines := 0
		for _, a := range amounts {
			postings = append(postings, ledger.Posting{Account: "a", Amount: money.VND(a)})
			sum += a
			if a != 0 {
				lines++
			}
		}
		e, err := ledger.New(ledger.Entry{}, postings...)
		if ok := sum == 0 && lines >= 2; ok != (err == nil) {
			t.Fatalf("postings %v: %v", amounts, err)
		}
		if err == nil && len(e.Postings()) != lines {
			t.Fatalf("kept %d of %d lines", len(e.Postings()), lines)
		}
	})
}

func TestEntryRefusals(t *testing.T) {
	if _, err := ledger.New(ledger.Entry{}, ledger.Debit("a", money.Max), ledger.Debit("b", 1)); !errors.Is(err, money.ErrRange) {
		t.Errorf("overflow: %v", err)
	}
	if _, err := ledger.New(ledger.Entry{}, ledger.Debit("", 1), ledger.Credit("b", 1)); err == nil {
		t.Error("a posting without an account was accepted")
	}
}

// Nobody can change an entry through what it hands out.
func TestPostingsAreACopy(t *testing.T) {
	e, err := ledger.New(ledger.Entry{}, ledger.Debit("a", 5), ledger.Credit("b", 5))
	if err != nil {
		t.Fatal(err)
	}
	e.Postings()[0].Amount = 99
	if e.Postings()[0].Amount != 5 {
		t.Error("the entry changed")
	}
}
