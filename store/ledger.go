package store

import (
	"context"
	"maps"
	"slices"

	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/store/internal/db"
)

// AddEntry appends a ledger entry with its postings.
func (tx *Tx) AddEntry(ctx context.Context, e ledger.Entry) error {
	err := tx.q.InsertEntry(ctx, db.InsertEntryParams{
		ID: e.ID, Kind: string(e.Kind), PaymentID: e.PaymentID, CreditID: e.CreditID, Actor: e.Actor, Reason: e.Reason, At: millis(e.At),
	})
	if err != nil {
		return err
	}
	for i, p := range e.Postings() {
		err := tx.q.InsertPosting(ctx, db.InsertPostingParams{EntryID: e.ID, Line: int64(i + 1), Account: string(p.Account), Amount: int64(p.Amount)})
		if err != nil {
			return err
		}
	}
	return nil
}

// TrialBalance sums every account at one instant.
func (tx *Tx) TrialBalance(ctx context.Context) ([]ledger.Balance, error) {
	rows, err := tx.q.TrialBalance(ctx)
	if err != nil {
		return nil, err
	}
	balances := make([]ledger.Balance, len(rows))
	for i, r := range rows {
		balances[i] = ledger.Balance{Account: ledger.Account(r.Account), Debit: money.VND(r.Debit), Credit: money.VND(r.Credit), Balance: money.VND(r.Debit - r.Credit)}
	}
	return balances, nil
}

// Fold adds up to limit entries of the tail to the folded balances, and says how
// many. Several nodes may do it at once.
func (tx *Tx) Fold(ctx context.Context, limit int) (int, error) {
	ids, err := tx.q.TakeTail(ctx, int32(limit))
	if err != nil {
		return 0, err
	}
	type sums struct{ debit, credit int64 }
	folded := map[string]sums{}
	for _, id := range ids {
		postings, err := tx.q.Postings(ctx, id)
		if err != nil {
			return 0, err
		}
		for _, p := range postings {
			s := folded[p.Account]
			if p.Amount > 0 {
				s.debit += p.Amount
			} else {
				s.credit -= p.Amount
			}
			folded[p.Account] = s
		}
	}
	for _, account := range slices.Sorted(maps.Keys(folded)) { // all in one order, so that nodes do not lock each other out
		s := folded[account]
		if err := tx.q.AddBalance(ctx, db.AddBalanceParams{Account: account, Debit: s.debit, Credit: s.credit}); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// Journal lists the entries of one payment, oldest first.
func (tx *Tx) Journal(ctx context.Context, paymentID string) ([]ledger.Entry, error) {
	rows, err := tx.q.Journal(ctx, paymentID)
	if err != nil {
		return nil, err
	}
	var entries []ledger.Entry
	for start := 0; start < len(rows); {
		head := rows[start]
		var postings []ledger.Posting
		end := start
		for ; end < len(rows) && rows[end].ID == head.ID; end++ {
			postings = append(postings, ledger.Posting{Account: ledger.Account(rows[end].Account), Amount: money.VND(rows[end].Amount)})
		}
		e, err := ledger.New(ledger.Entry{
			ID: head.ID, Kind: ledger.Kind(head.Kind), PaymentID: head.PaymentID, CreditID: head.CreditID,
			Actor: head.Actor, Reason: head.Reason, At: moment(head.At),
		}, postings...)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
		start = end
	}
	return entries, nil
}
