package core_test

import (
	"testing"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
)

// Numbers of bookings and of orders never meet, also not when people choose
// them.
func TestNumbersOfBookingsAndOrders(t *testing.T) {
	booked(t, func(b street) {
		add := func(number, bookingID int64) error {
			_, err := b.Core.AddOrder(b.T.Context(), coretest.Operator, core.NewOrder{MerchantID: b.Memo.Merchant.ID, Number: number, Name: "x", Booking: &booking.Booking{ID: bookingID, Plate: "29A00001"}})
			return err
		}
		if err := add(18, 19); payment.CodeOf(err) != payment.CodeDuplicateReference {
			b.T.Errorf("an order with a booking's number: %v", err)
		}
		if err := add(20, 99); payment.CodeOf(err) != payment.CodeConflict {
			b.T.Errorf("a booking with an order's number: %v", err)
		}
		if err := add(20, 19); err != nil {
			b.T.Errorf("numbers that nobody has: %v", err)
		}
	})
}
