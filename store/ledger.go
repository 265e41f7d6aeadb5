package store

import (
	"context"
	"fmt"

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
	lines := map[string]int64{}
	for i, p := range e.Postings() {
		lines[fmt.Sprintf("%02d%s", i+1, p.Account)] = int64(p.Amount)
	}
	if len(lines) > 99 {
		return fmt.Errorf("store: an entry of %d postings", len(lines))
	}
	postings, err := object(lines)
	if err != nil {
		return err
	}
	return tx.q.InsertPostings(ctx, db.InsertPostingsParams{EntryID: e.ID, Postings: postings})
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
	entries := make(map[string]int64, len(ids))
	for _, id := range ids {
		entries[id] = 0
	}
	list, err := object(entries)
	if err != nil {
		return 0, err
	}
	sums, err := tx.q.SumPostings(ctx, list)
	if err != nil {
		return 0, err
	}
	for _, s := range sums {
		if err := tx.q.AddBalance(ctx, db.AddBalanceParams(s)); err != nil {
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
