package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/store/internal/db"
)

// ItemState is where a piece of durable work stands.
type ItemState string

// The item states.
const (
	ItemPending ItemState = "pending" // waits for its due time, or is being worked on
	ItemDone    ItemState = "done"
	ItemFailed  ItemState = "failed" // given up; a person may replay it
)

// Item is one piece of work that must happen after the transaction which wrote
// it, at least once. Finished items stay as the record of what was done.
type Item struct {
	ID         string // UUIDv7
	Kind       string // what kind of work: "notice"
	PaymentID  string
	Version    int64 // the event of the payment that caused it
	MerchantID string
	Dialect    string
	Target     string // for a notice: the URL
	Lane       string // work of one lane can only delay that lane: the URL's host
	State      ItemState
	Attempts   int64 // in all
	Tries      int64 // since it was made or last replayed
	DueAt      time.Time
	LeaseUntil time.Time
	Lease      string // the worker that has it, "" for nobody
	CreatedAt  time.Time
	FinishedAt time.Time
	LastStatus int64
	LastError  string
}

// Subject is what the item's order is kept for: its payment, or itself when it
// concerns none.
func (i Item) Subject() string { return cmp.Or(i.PaymentID, i.ID) }

// Attempt is one try at an item.
type Attempt struct {
	Number    int64
	At        time.Time
	Duration  time.Duration
	RequestID string
	Status    int64  // of the HTTP answer, 0 when there was none
	Error     string // why there was no good answer
	Answer    string // the first KiB of it
}

func itemRow(r db.OutboxItem) Item {
	return Item{
		ID: r.ID, Kind: r.Kind, PaymentID: r.PaymentID, Version: r.Version, MerchantID: r.MerchantID, Dialect: r.Dialect, Target: r.Target, Lane: r.Lane,
		State: ItemState(r.State), Attempts: r.Attempts, Tries: r.Tries, DueAt: moment(r.DueAt), LeaseUntil: moment(r.LeaseUntil), Lease: r.Lease,
		CreatedAt: moment(r.CreatedAt), FinishedAt: moment(r.FinishedAt), LastStatus: r.LastStatus, LastError: r.LastError,
	}
}

func itemRows(rows []db.OutboxItem, err error) ([]Item, error) {
	if err != nil {
		return nil, err
	}
	items := make([]Item, len(rows))
	for i, row := range rows {
		items[i] = itemRow(row)
	}
	return items, nil
}

// AddItem enqueues work in the caller's transaction.
func (tx *Tx) AddItem(ctx context.Context, i Item) error {
	return tx.q.InsertItem(ctx, db.InsertItemParams{
		ID: i.ID, Kind: i.Kind, PaymentID: i.PaymentID, Version: i.Version, MerchantID: i.MerchantID, Dialect: i.Dialect, Target: i.Target, Lane: i.Lane,
		State: string(i.State), DueAt: millis(i.DueAt), CreatedAt: millis(i.CreatedAt), FinishedAt: millis(i.FinishedAt), LastError: i.LastError,
	})
}

// ClaimItems leases up to limit due items to a worker, the longest due first. An item whose lease has
// run out is claimed again: its worker is taken for dead.
func (s *Store) ClaimItems(ctx context.Context, lease string, now, until time.Time, limit int) ([]Item, error) {
	var items []Item
	shared := context.WithoutCancel(ctx)
	err := s.Group(ctx, func(tx *Tx) (err error) {
		items, err = itemRows(tx.q.ClaimItems(shared, db.ClaimItemsParams{Lease: lease, LeaseUntil: millis(until), Now: millis(now), Page: int32(limit)}))
		return err
	})
	if err != nil {
		return nil, err // the writer of a caller who has gone may still be at items
	}
	// RETURNING promises no order.
	slices.SortFunc(items, func(a, b Item) int { return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.ID, b.ID)) })
	return items, nil
}

// Release gives leased items back untried, due again at their DueAt.
func (s *Store) Release(ctx context.Context, lease string, items []Item) error {
	due := make(map[string]int64, len(items))
	for _, i := range items {
		due[i.ID] = millis(i.DueAt)
	}
	times, err := object(due)
	if err != nil {
		return err
	}
	shared := context.WithoutCancel(ctx)
	return s.Group(ctx, func(tx *Tx) error {
		return tx.q.ReleaseItems(shared, db.ReleaseItemsParams{DueTimes: times, Lease: lease})
	})
}

// FreeLeases frees the items of every worker. Only a node that is alone may call
// it, before its own worker starts: whoever had them is dead.
func (s *Store) FreeLeases(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.q.FreeLeases(ctx) })
}

// Finished is an attempt with what becomes of its item.
type Finished struct {
	Item    Item // with the new State, DueAt, FinishedAt, LastStatus, LastError
	Attempt Attempt
}

// FinishAttempts records attempts in one transaction. One whose worker has lost
// its lease meanwhile is not recorded: held is false for it.
func (s *Store) FinishAttempts(ctx context.Context, lease string, batch []Finished) (held []bool, err error) {
	held = make([]bool, len(batch))
	shared := context.WithoutCancel(ctx)
	err = s.Group(ctx, func(tx *Tx) error {
		if tx.eng.finishMany != nil {
			first := distinct(batch)
			done, err := tx.eng.finishMany(shared, tx.conn, lease, first)
			for n, f := range batch {
				held[n] = done[f.Item.ID]
				delete(done, f.Item.ID)
			}
			return err
		}
		for n, f := range batch {
			var err error
			if held[n], err = tx.finish(shared, lease, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err // the writer of a caller who has gone may still be at held
	}
	return held, nil
}

// distinct keeps the first attempt at each item: after it the item is no longer
// held.
func distinct(batch []Finished) []Finished {
	seen := make(map[string]bool, len(batch))
	first := make([]Finished, 0, len(batch))
	for _, f := range batch {
		if !seen[f.Item.ID] {
			seen[f.Item.ID] = true
			first = append(first, f)
		}
	}
	return first
}

func (tx *Tx) finish(ctx context.Context, lease string, f Finished) (held bool, err error) {
	rows, err := tx.q.FinishAttempt(ctx, db.FinishAttemptParams{
		ID: f.Item.ID, Lease: lease, State: string(f.Item.State), DueAt: millis(f.Item.DueAt), FinishedAt: millis(f.Item.FinishedAt),
		LastStatus: f.Item.LastStatus, LastError: f.Item.LastError, Attempts: f.Item.Attempts,
	})
	if err != nil || rows == 0 {
		return false, err
	}
	a := f.Attempt
	return true, tx.q.InsertAttempt(ctx, db.InsertAttemptParams{
		ItemID: f.Item.ID, Number: f.Item.Attempts + 1, At: millis(a.At), Duration: a.Duration.Milliseconds(), RequestID: a.RequestID,
		Status: a.Status, Error: a.Error, Answer: a.Answer,
	})
}

// ReplayItem makes an item due again with a fresh schedule.
func (tx *Tx) ReplayItem(ctx context.Context, id string, now time.Time) error {
	n, err := tx.q.ReplayItem(ctx, db.ReplayItemParams{ID: id, DueAt: millis(now)})
	if err == nil && n == 0 {
		return &missingItem
	}
	return err
}

// Item loads one item.
func (tx *Tx) Item(ctx context.Context, id string) (Item, error) {
	row, err := tx.q.Item(ctx, id)
	if err != nil {
		return Item{}, missing(err, missingItem.Code, missingItem.Text)
	}
	return itemRow(row), nil
}

// ItemsOfPayment lists the work that a payment has caused, oldest first.
func (tx *Tx) ItemsOfPayment(ctx context.Context, paymentID string) ([]Item, error) {
	return itemRows(tx.q.ItemsOfPayment(ctx, paymentID))
}

// SearchItems lists items, newest first.
func (tx *Tx) SearchItems(ctx context.Context, merchantID string, state ItemState, cursor string, limit int) ([]Item, error) {
	return itemRows(tx.q.SearchItems(ctx, db.SearchItemsParams{BeforeID: before(cursor), MerchantID: merchantID, State: string(state), Page: int32(limit)}))
}

// Attempts lists the tries at an item, oldest first.
func (tx *Tx) Attempts(ctx context.Context, itemID string) ([]Attempt, error) {
	rows, err := tx.q.Attempts(ctx, itemID)
	if err != nil {
		return nil, err
	}
	attempts := make([]Attempt, len(rows))
	for i, r := range rows {
		attempts[i] = Attempt{
			Number: r.Number, At: moment(r.At), Duration: time.Duration(r.Duration) * time.Millisecond, RequestID: r.RequestID,
			Status: r.Status, Error: r.Error, Answer: r.Answer,
		}
	}
	return attempts, nil
}

// Backlog says how much work waits, and since when the oldest of it.
func (s *Store) Backlog(ctx context.Context) (pending int64, oldest time.Time, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		row, err := tx.q.OutboxBacklog(ctx)
		pending, oldest = row.Pending, moment(row.Oldest)
		return err
	})
	return pending, oldest, err
}
