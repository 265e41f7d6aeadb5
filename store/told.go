package store

import (
	"context"
	"encoding/json"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// EventKey names one event of a payment.
type EventKey struct {
	PaymentID string
	Version   int64
}

// Happening is an event with its payment as it is now.
type Happening struct {
	Payment payment.Payment
	Event   payment.Event
}

// object is what json_each is given: names with numbers.
func object(of map[string]int64) (string, error) {
	text, err := json.Marshal(of)
	return string(text), err
}

// Happenings loads many events with their payments by two statements. What is
// not there is missing from the answer.
func (tx *Tx) Happenings(ctx context.Context, keys []EventKey) (map[EventKey]Happening, error) {
	asked := make(map[string]int64, len(keys))
	for _, k := range keys {
		asked[k.PaymentID] = 0
	}
	ids, err := object(asked)
	if err != nil {
		return nil, err
	}
	rows, err := tx.q.PaymentsByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	payments := make(map[string]payment.Payment, len(rows))
	for _, row := range rows {
		payments[row.Payment.ID] = paymentRow(db.PaymentRow(row))
	}
	events, err := tx.q.EventsOfPayments(ctx, ids)
	if err != nil {
		return nil, err
	}
	wanted := make(map[EventKey]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	found := make(map[EventKey]Happening, len(keys))
	for _, row := range events {
		key := EventKey{row.PaymentID, row.Version}
		if p, ok := payments[row.PaymentID]; ok && wanted[key] {
			found[key] = Happening{Payment: p, Event: eventRow(row)}
		}
	}
	return found, nil
}
