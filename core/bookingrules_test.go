package core_test

import (
	"fmt"
	"testing"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
)

// A station that is chosen with the payment is checked as one that is chosen
// with the booking.
func TestStationChosenLate(t *testing.T) {
	booked(t, func(b street) {
		for i := range 3 {
			if _, _, err := b.Core.Book(b.T.Context(), b.reserving(fmt.Sprintf("30A%05d", i))); err != nil {
				b.T.Fatal(err)
			}
		}
		r := b.reserving("30A99999")
		r.StationID, r.Services = 0, nil
		k, _, err := b.Core.Book(b.T.Context(), r)
		if err != nil {
			b.T.Fatal(err)
		}
		p := b.paying()
		p.ID, p.StationID, p.Services = k.ID, 57, []int64{101}
		if _, err := b.Core.Offer(b.T.Context(), p); reasonOf(err) != booking.SlotFull {
			b.T.Errorf("a fourth vehicle for three places: %v", err)
		}
		r.Plate, r.Time = "30A88888", "9h-11h"
		if k, _, err = b.Core.Book(b.T.Context(), r); err != nil {
			b.T.Fatal(err)
		}
		p.ID = k.ID
		if _, err := b.Core.Offer(b.T.Context(), p); err != nil {
			b.T.Errorf("a time with room: %v", err)
		}
	})
}

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
