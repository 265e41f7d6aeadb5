package store

import (
	"context"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

func feedRow(r db.BankFeed) payment.Feed {
	return payment.Feed{
		Name: r.Name, Kind: r.Kind, MerchantID: r.MerchantID, Secret: r.Secret, API: r.Api, Enabled: r.Enabled, SeenUntil: moment(r.SeenUntil),
		Cursor: r.PullCursor, PulledAt: moment(r.PulledAt), PullError: r.PullError, CreatedAt: moment(r.CreatedAt),
	}
}

// AddFeed inserts a feed; CodeConflict when the name is taken.
func (tx *Tx) AddFeed(ctx context.Context, f payment.Feed) error {
	return tx.q.InsertFeed(ctx, db.InsertFeedParams{
		Name: f.Name, Kind: f.Kind, MerchantID: f.MerchantID, Secret: f.Secret, Api: f.API, Enabled: f.Enabled, SeenUntil: millis(f.SeenUntil),
		PullCursor: f.Cursor, PulledAt: millis(f.PulledAt), PullError: f.PullError, CreatedAt: millis(f.CreatedAt),
	})
}

// SaveFeed writes a feed's secrets and whether it is enabled.
func (tx *Tx) SaveFeed(ctx context.Context, f payment.Feed) error {
	_, err := tx.q.UpdateFeed(ctx, db.UpdateFeedParams{Name: f.Name, Secret: f.Secret, Api: f.API, Enabled: f.Enabled})
	return err
}

// Feed loads one feed.
func (tx *Tx) Feed(ctx context.Context, name string) (payment.Feed, error) {
	row, err := tx.q.Feed(ctx, name)
	if err != nil {
		return payment.Feed{}, missing(err, payment.CodeNotFound, "no such bank feed")
	}
	return feedRow(row), nil
}

// LockFeed loads a feed and keeps others from changing it.
func (tx *Tx) LockFeed(ctx context.Context, name string) (payment.Feed, error) {
	row, err := tx.q.FeedForUpdate(ctx, name)
	if err != nil {
		return payment.Feed{}, missing(err, payment.CodeNotFound, "no such bank feed")
	}
	return feedRow(row), nil
}

// Feeds lists all feeds by name.
func (tx *Tx) Feeds(ctx context.Context) ([]payment.Feed, error) {
	rows, err := tx.q.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	feeds := make([]payment.Feed, len(rows))
	for i, row := range rows {
		feeds[i] = feedRow(row)
	}
	return feeds, nil
}

// RecordPull writes how far a feed's transactions API has been read.
func (tx *Tx) RecordPull(ctx context.Context, f payment.Feed) error {
	return tx.q.RecordPull(ctx, db.RecordPullParams{
		Name: f.Name, SeenUntil: millis(f.SeenUntil), PullCursor: f.Cursor, PulledAt: millis(f.PulledAt), PullError: f.PullError,
	})
}

// Message is a notifier's request as it came, kept before it is read.
type Message struct {
	ID         string
	Feed       string
	Body       []byte
	ReceivedAt time.Time
}

// AddMessage keeps a raw message.
func (tx *Tx) AddMessage(ctx context.Context, m Message) error {
	return tx.q.InsertMessage(ctx, db.InsertMessageParams{ID: m.ID, Feed: m.Feed, Body: string(m.Body), ReceivedAt: millis(m.ReceivedAt)})
}

// FailMessage marks a message as one that cannot be read.
func (tx *Tx) FailMessage(ctx context.Context, id, why string, now time.Time) error {
	return tx.q.FinishMessage(ctx, db.FinishMessageParams{ID: id, ProcessedAt: millis(now), Failure: why})
}

// WaitingMessages lists messages that were kept but not processed, oldest first.
func (tx *Tx) WaitingMessages(ctx context.Context, until time.Time, limit int) ([]Message, error) {
	rows, err := tx.q.WaitingMessages(ctx, db.WaitingMessagesParams{Until: millis(until), Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	waiting := make([]Message, len(rows))
	for i, r := range rows {
		waiting[i] = Message{ID: r.ID, Feed: r.Feed, Body: []byte(r.Body), ReceivedAt: moment(r.ReceivedAt)}
	}
	return waiting, nil
}
