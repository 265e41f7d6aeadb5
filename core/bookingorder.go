package core

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Sold is an order with what belongs to it.
type Sold struct {
	Order   booking.Order
	Booking *booking.Booking // nil for an order without one
	Payment *payment.Payment // the current one, nil while it has none
	Method  booking.Method   // of Offer: the one that was chosen
}

// NewOrder describes an order that an operator adds: one without a booking, or
// one of another system.
type NewOrder struct {
	MerchantID string
	Number     int64  // 0 is the next one; others are below 100000, where no booking's is
	Code       string // "" is the number
	Name       string
	Kind       int64 // 0 is 9, an external order
	Lines      []booking.Line
	Promotion  string // its code
	Phone      string
	Payer      string
	Booking    *booking.Booking // made with it, its plate is not held; ID 0 is the next number
}

// firstNumber is where the numbers of bookings and orders begin that the gateway
// gives out itself.
const firstNumber = 100_001

// AddOrder adds an order. CodeDuplicateReference when its number or code is
// taken.
func (c *Core) AddOrder(ctx context.Context, by Actor, n NewOrder) (booking.Order, error) {
	o := booking.Order{
		ID: n.Number, MerchantID: n.MerchantID, Code: n.Code, Version: 1, Name: n.Name, Kind: n.Kind, Lines: n.Lines, Phone: n.Phone, Payer: n.Payer, Offers: 1,
	}
	if o.Kind == 0 {
		o.Kind = 9
	}
	switch {
	case n.Number < 0 || n.Number >= firstNumber:
		return o, invalid("number", fmt.Sprintf("is 1 to %d, or 0 for the next one", firstNumber-1))
	case n.Booking != nil && (n.Booking.ID < 0 || n.Booking.ID >= firstNumber || (n.Booking.ID == n.Number && n.Number != 0)):
		return o, invalid("booking", fmt.Sprintf("has a number of 1 to %d that is not the order's", firstNumber-1))
	case n.Code != "" && !booking.IsCode(n.Code):
		return o, invalid("code", "is 1 to 64 letters, digits, dots, dashes and underscores")
	}
	for _, text := range []struct {
		field, text string
		least, most int
	}{{"name", n.Name, 1, maxName}, {"phone", n.Phone, 0, maxPhone}, {"payer", n.Payer, 0, maxName}} {
		if err := checkText(text.field, text.text, text.least, text.most); err != nil {
			return o, err
		}
	}
	for _, l := range n.Lines {
		if err := checkText("lines", l.Name, 1, maxName); err != nil {
			return o, err
		}
	}
	err := c.update(ctx, "add_order", func(w *work) error {
		if _, err := w.Profile(ctx, n.MerchantID, c.booker()); err != nil {
			return err
		}
		if err := w.unnumbered(ctx, n); err != nil {
			return err
		}
		o.CreatedAt, o.UpdatedAt = w.now, w.now
		p, err := promotionAt(ctx, w.Tx, n.Promotion, w.now)
		if err != nil {
			return err
		}
		o.Promotion = p.Code
		if o.Bill, err = bill(o.Lines, p); err != nil {
			return err
		}
		if n.Number == 0 {
			if o.ID, err = w.NextNumber(ctx, firstNumber); err != nil {
				return err
			}
		}
		if n.Code == "" {
			o.Code = fmt.Sprint(o.ID)
		}
		if n.Booking != nil {
			b := *n.Booking
			if b.ID == 0 {
				if b.ID, err = w.NextNumber(ctx, firstNumber); err != nil {
					return err
				}
			}
			b.MerchantID, b.OrderID, b.Version, b.CreatedAt, b.UpdatedAt = n.MerchantID, o.ID, 1, w.now, w.now
			if b.Status == "" {
				b.Status = booking.New
			}
			if b.Hash == "" {
				b.Hash = strings.ToLower(c.ids.Key())
			}
			o.BookingID = b.ID
			if err := w.AddBooking(ctx, b, w.now); err != nil {
				return err
			}
		}
		if err := w.AddOrder(ctx, o); err != nil {
			return err
		}
		return w.audit(ctx, by, "order.add", fmt.Sprint(o.ID), nil, map[string]any{"merchant_id": o.MerchantID, "code": o.Code, "total": o.Total})
	})
	return o, err
}

// unnumbered checks that no number of a new order is a booking's, and none of its
// booking an order's: partners name either by its number alone.
func (w *work) unnumbered(ctx context.Context, n NewOrder) error {
	if n.Number != 0 {
		switch _, err := w.Booking(ctx, n.Number); {
		case err == nil:
			return payment.Fail(payment.CodeDuplicateReference, "there is a booking of that number")
		case payment.CodeOf(err) != payment.CodeNotFound:
			return err
		}
	}
	if n.Booking == nil || n.Booking.ID == 0 {
		return nil
	}
	switch _, err := w.Order(ctx, n.Booking.ID); {
	case err == nil:
		return payment.Fail(payment.CodeConflict, "there is an order of the booking's number")
	case payment.CodeOf(err) != payment.CodeNotFound:
		return err
	}
	return nil
}

// CancelOrder cancels an order, and its booking if it has one.
func (c *Core) CancelOrder(ctx context.Context, by Actor, id int64, reason string) (booking.Order, error) {
	var o booking.Order
	err := c.update(ctx, "cancel_order", func(w *work) (err error) {
		if err := checkNote("reason", reason); err != nil {
			return err
		}
		if o, err = w.LockOrder(ctx, id); err != nil {
			return err
		}
		switch {
		case !o.CanceledAt.IsZero():
			return payment.Fail(payment.CodeInvalidState, "the order was canceled before")
		case o.BookingID != 0:
			return payment.Fail(payment.CodeInvalidState, "the order is a booking's: cancel that")
		}
		if err := w.cancelOrder(ctx, o, by.Name, reason); err != nil {
			return err
		}
		o, err = w.Order(ctx, id)
		if err != nil {
			return err
		}
		return w.audit(ctx, by, "order.cancel", fmt.Sprint(id), nil, map[string]string{"reason": reason})
	})
	return o, err
}

// resolve finds the order that a number means to a partner: a booking's, or
// else an order's. Numbers of the two never meet.
func resolve(ctx context.Context, tx *store.Tx, merchantID string, id int64) (Sold, error) {
	b, err := tx.Booking(ctx, id)
	switch {
	case err == nil && b.MerchantID != merchantID:
		return Sold{}, booking.Refuse(booking.Foreign)
	case err == nil:
		o, err := tx.Order(ctx, b.OrderID)
		return Sold{Order: o, Booking: &b}, err
	case payment.CodeOf(err) != payment.CodeNotFound:
		return Sold{}, err
	}
	o, err := tx.Order(ctx, id)
	if err == nil && o.MerchantID != merchantID {
		err = booking.Refuse(booking.Foreign)
	}
	return withBooking(ctx, tx, o, err)
}

func withBooking(ctx context.Context, tx *store.Tx, o booking.Order, err error) (Sold, error) {
	if err != nil || o.BookingID == 0 {
		return Sold{Order: o}, err
	}
	b, err := tx.Booking(ctx, o.BookingID)
	return Sold{Order: o, Booking: &b}, err
}

// FindSold finds a partner's booking or order by its number: booking.NotFound,
// Foreign.
func (c *Core) FindSold(ctx context.Context, merchantID string, id int64) (Sold, error) {
	return view(ctx, c, "find_order", func(tx *store.Tx) (Sold, error) {
		s, err := resolve(ctx, tx, merchantID, id)
		return c.withPayment(ctx, tx, s, err)
	})
}

// FindOrderByCode finds a partner's order by its code, or by its number in
// digits: booking.NotFound, also for another partner's.
func (c *Core) FindOrderByCode(ctx context.Context, merchantID, code string) (Sold, error) {
	return view(ctx, c, "find_order", func(tx *store.Tx) (Sold, error) {
		o, err := orderByCode(ctx, tx, merchantID, code)
		s, err := withBooking(ctx, tx, o, err)
		return c.withPayment(ctx, tx, s, err)
	})
}

// Order finds any order with what belongs to it, for operators.
func (c *Core) Order(ctx context.Context, id int64) (Sold, error) {
	return view(ctx, c, "find_order", func(tx *store.Tx) (Sold, error) {
		o, err := tx.Order(ctx, id)
		s, err := withBooking(ctx, tx, o, err)
		return c.withPayment(ctx, tx, s, err)
	})
}

func orderByCode(ctx context.Context, tx *store.Tx, merchantID, code string) (booking.Order, error) {
	o, err := tx.OrderByCode(ctx, merchantID, code)
	n, number := strconv.ParseInt(code, 10, 64)
	if payment.CodeOf(err) != payment.CodeNotFound || number != nil || fmt.Sprint(n) != code {
		return o, err
	}
	o, err = tx.Order(ctx, n)
	if err == nil && o.MerchantID != merchantID {
		err = booking.Refuse(booking.NotFound)
	}
	return o, err
}

func (c *Core) withPayment(ctx context.Context, tx *store.Tx, s Sold, err error) (Sold, error) {
	if err != nil {
		return Sold{}, err
	}
	p, err := tx.PaymentByReference(ctx, s.Order.MerchantID, c.booker(), s.Order.Reference())
	switch payment.CodeOf(err) {
	case "":
		s.Payment = &p
	case payment.CodePaymentNotFound:
	default:
		return Sold{}, err
	}
	return s, nil
}

// QuoteOrder is what a partner's order costs, with another promotion than its
// own if one is given.
func (c *Core) QuoteOrder(ctx context.Context, merchantID string, id int64, promotion string) (Sold, booking.Bill, error) {
	var b booking.Bill
	s, err := view(ctx, c, "quote", func(tx *store.Tx) (Sold, error) {
		s, err := resolve(ctx, tx, merchantID, id)
		if s, err = c.withPayment(ctx, tx, s, err); err != nil {
			return s, err
		}
		b = s.Order.Bill
		if promotion == "" {
			return s, nil
		}
		p, err := promotionAt(ctx, tx, promotion, c.Now())
		if err != nil {
			return s, err
		}
		b, err = bill(s.Order.Lines, p)
		return s, err
	})
	return s, b, err
}

// OrderOfPage finds an order by its current payment's key, as a payer's browser
// knows it. A wrong key is answered like an order that does not exist.
func (c *Core) OrderOfPage(ctx context.Context, id int64, key string) (Sold, error) {
	return view(ctx, c, "find_page", func(tx *store.Tx) (Sold, error) {
		o, err := tx.Order(ctx, id)
		s, err := c.withPayment(ctx, tx, Sold{Order: o}, err)
		if err != nil {
			return Sold{}, err
		}
		if s.Payment == nil || !auth.SameString(key, c.keyOf(s.Payment.ID)) {
			return Sold{}, booking.Refuse(booking.NotFound)
		}
		return s, nil
	})
}
