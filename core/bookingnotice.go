package core

import (
	"context"
	"encoding/json"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// ToldBooking is what an item of kind KindBooking tells.
type ToldBooking struct {
	Changed  dialect.BookingChange
	Profile  payment.Profile
	PublicID string
	Secret   string
	Key      string
}

// ToldBooking loads what an item tells.
func (c *Core) ToldBooking(ctx context.Context, item store.Item) (ToldBooking, error) {
	var t ToldBooking
	body, err := view(ctx, c, "told", func(tx *store.Tx) (string, error) {
		_, body, err := tx.BookingEvent(ctx, item.ID)
		return body, err
	})
	if err != nil {
		return t, err
	}
	var ch bookingChange
	if err := json.Unmarshal([]byte(body), &ch); err != nil {
		return t, &payment.Error{Code: payment.CodeInternal, Cause: err}
	}
	t.Changed = dialect.BookingChange{Booking: ch.Booking, Order: ch.Order, Payment: ch.Payment}
	if t.Profile, err = c.Profile(ctx, item.MerchantID, item.Dialect); err != nil {
		return t, err
	}
	t.PublicID = t.Profile.PublicID
	if t.Secret, err = c.openNotifySecret(ctx, t.Profile); err != nil {
		return t, err
	}
	t.Key, err = c.newestKey(ctx, t.Profile)
	return t, err
}

// orderOf loads what a payment of a Booker is for, nil for nothing.
func (c *Core) orderOf(ctx context.Context, p payment.Payment) (*booking.Order, error) {
	if p.Dialect != c.booker() {
		return nil, nil
	}
	o, err := view(ctx, c, "told", func(tx *store.Tx) (booking.Order, error) {
		return tx.OrderByCode(ctx, p.MerchantID, booking.CodeOf(p.Reference))
	})
	if payment.CodeOf(err) == payment.CodeNotFound {
		return nil, nil
	}
	return &o, err
}
