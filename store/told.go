package store

import (
	"context"
	"strings"

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

// idLength is how long the ids of rows are.
const idLength = 36

// Happenings loads many events with their payments by two statements. What is
// not there is missing from the answer.
func (tx *Tx) Happenings(ctx context.Context, keys []EventKey) (map[EventKey]Happening, error) {
	var ids strings.Builder
	many := int64(0)
	asked := make(map[string]bool, len(keys))
	for _, k := range keys {
		if len(k.PaymentID) == idLength && !asked[k.PaymentID] {
			asked[k.PaymentID] = true
			ids.WriteString(k.PaymentID)
			many++
		}
	}
	if many == 0 {
		return nil, nil
	}
	rows, err := tx.q.PaymentsByIDs(ctx, db.PaymentsByIDsParams{Ids: ids.String(), Many: many})
	if err != nil {
		return nil, err
	}
	payments := make(map[string]payment.Payment, len(rows))
	for _, row := range rows {
		payments[row.Payment.ID] = paymentRow(db.PaymentRow(row))
	}
	events, err := tx.q.EventsOfPayments(ctx, db.EventsOfPaymentsParams{Ids: ids.String(), Many: many})
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
