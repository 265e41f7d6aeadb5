package core

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// offerFor is how long a payment for an order is open. After that another one
// follows, when somebody asks.
const offerFor = 24 * time.Hour

// Paying is a partner's wish to have an order paid.
type Paying struct {
	Merchant  payment.Merchant
	ID        int64   // of the booking or the order
	Type      int64   // of the way to pay
	Number    int64   // of the way to pay; 0 is the first of the type
	Usual     string  // the way that the type means when none is set for it, "" for none
	Services  []int64 // what to charge; none leaves the order as it is
	StationID int64   // where; 0 leaves it as it is
}

// Offer offers an order for payment, or finds the offer that is open: there is
// one at a time, whoever asks how often, and a way to pay that is chosen later
// is another way to pay the same. It refuses, in this order: booking.NotFound,
// Foreign; NotPayable when it is canceled; AlreadyPaid; WrongMethod;
// UnknownStation, NoService; NotPayable when there is nothing to pay, or when
// what is to be paid would change though a part of it has come.
func (c *Core) Offer(ctx context.Context, p Paying) (Sold, error) {
	if err := p.Merchant.Usable(); err != nil {
		return Sold{}, err
	}
	methods, err := c.Methods(ctx, p.Merchant.ID)
	if err != nil {
		return Sold{}, err
	}
	ways, err := c.waysOf(ctx, p.Merchant.ID, methods)
	if err != nil {
		return Sold{}, err
	}
	var s Sold
	err = c.update(ctx, "offer", func(w *work) (err error) {
		s, err = w.offer(ctx, p, methods, ways)
		return err
	})
	return s, err
}

// ways are how the money may come in, as far as the merchant can take it now.
type ways struct {
	methods []payment.Method
	account payment.ReceivingAccount // for transfers, ID "" when there are none
}

// waysOf lists the ways of the methods, whose order is kept.
func (c *Core) waysOf(ctx context.Context, merchantID string, methods []booking.Method) (ways, error) {
	var wanted []payment.Method
	for _, m := range methods {
		if m.Enabled {
			wanted = append(wanted, m.By)
		}
	}
	taken, account, err := c.enabled(ctx, merchantID, wanted)
	if payment.CodeOf(err) == payment.CodeMethodNotSupported {
		return ways{}, nil
	}
	return ways{taken, account}, err
}

// openOffer opens an order's payment in the transaction that has the order
// locked: between the two nobody may cancel the order or put something else on
// it.
func (w *work) openOffer(ctx context.Context, m payment.Merchant, o booking.Order, by ways) (*payment.Payment, error) {
	opening := Opening{
		Merchant: m, Dialect: w.core.booker(), Reference: o.Reference(), Amount: o.Total, Description: o.Name, DueAt: w.now.Add(offerFor),
	}
	if err := checkOpening(opening); err != nil {
		return nil, err
	}
	p, err := w.core.newPayment(opening, by.methods)
	if err != nil {
		return nil, err
	}
	p, err = w.openPayment(ctx, p, m.DailyLimit, by.account)
	return &p, err
}

// offer finds an order's open payment, or opens one.
func (w *work) offer(ctx context.Context, p Paying, methods []booking.Method, by ways) (Sold, error) {
	s, live, err := w.payable(ctx, func() (Sold, error) { return resolve(ctx, w.Tx, p.Merchant.ID, p.ID) })
	if err != nil {
		return s, err
	}
	before := s.Order
	s.Payment = nil
	if s.Method, err = pick(methods, p); err != nil {
		return s, err
	}
	if !slices.Contains(by.methods, s.Method.By) && (live == nil || !slices.Contains(live.Methods, s.Method.By)) {
		return s, booking.Refuse(booking.WrongMethod)
	}
	s.Order.Method, s.Order.MethodType = s.Method.Name, s.Method.Type
	if err := w.rewrite(ctx, &s, p); err != nil {
		return s, err
	}
	if s.Order.Total <= 0 {
		return s, booking.Refuse(booking.NotPayable)
	}
	changed := live != nil && live.Amount != s.Order.Total
	switch {
	case live == nil: // another one is opened
	case live.State == payment.Processing && !changed, live.State == payment.Open && !changed && slices.Contains(live.Methods, s.Method.By):
		s.Payment = live
	case live.State == payment.Processing || live.Received > 0:
		if !changed {
			return s, booking.Refuse(booking.WrongMethod)
		}
		return s, booking.Refuse(booking.NotPayable)
	default:
		if _, err := w.close(ctx, *live, payment.ActCancel, ActorMerchant, "another offer follows"); err != nil {
			return s, err
		}
		s.Order.Offers++
	}
	if err := w.saveOrder(ctx, before, &s.Order); err != nil || s.Payment != nil {
		return s, err
	}
	s.Payment, err = w.openOffer(ctx, p.Merchant, s.Order, by)
	return s, err
}

// payable locks a booking, its order and its payment, in this order, and checks
// that the order can still be paid. A payment that closed unpaid is left behind:
// live is nil then, and the order's next one has another reference.
func (w *work) payable(ctx context.Context, find func() (Sold, error)) (s Sold, live *payment.Payment, err error) {
	if s, err = find(); err != nil {
		return s, nil, err
	}
	if s.Booking != nil {
		b, err := w.LockBooking(ctx, s.Booking.ID)
		if err != nil {
			return s, nil, err
		}
		s.Booking = &b
	}
	if s.Order, err = w.LockOrder(ctx, s.Order.ID); err != nil {
		return s, nil, err
	}
	p, has, err := w.LockPaymentOfOrder(ctx, w.core.booker(), s.Order.ID)
	if err != nil {
		return s, nil, err
	}
	if has {
		s.Payment = &p
	}
	switch {
	case has && p.State == payment.Approved:
		return s, nil, booking.Refuse(booking.AlreadyPaid)
	case !s.Order.CanceledAt.IsZero(), s.Booking != nil && !s.Booking.Status.Open():
		return s, nil, booking.Refuse(booking.NotPayable)
	case !has:
		return s, nil, nil
	}
	if p.State == payment.Open && !w.now.Before(p.DueAt) {
		if p, err = w.close(ctx, p, payment.ActExpire, ActorSystem, ""); err != nil {
			return s, nil, err
		}
	}
	if p.State.Closed() {
		s.Order.Offers++
		return s, nil, nil
	}
	return s, &p, nil
}

// saveOrder writes an order that has changed.
func (w *work) saveOrder(ctx context.Context, before booking.Order, o *booking.Order) error {
	was, err := w.Order(ctx, before.ID)
	if err != nil {
		return err
	}
	if was.Offers == o.Offers && was.Method == o.Method && was.MethodType == o.MethodType && was.Bill == o.Bill && slices.Equal(was.Lines, o.Lines) {
		return nil
	}
	o.Version, o.UpdatedAt = was.Version+1, w.now
	return w.SaveOrder(ctx, *o)
}

// pick finds the way to pay that a partner means.
func pick(methods []booking.Method, p Paying) (booking.Method, error) {
	for _, m := range methods {
		if m.Type == p.Type && (p.Number == 0 || p.Number == m.Number) && m.Enabled {
			return m, nil
		}
	}
	if slices.ContainsFunc(methods, func(m booking.Method) bool { return m.Type == p.Type }) {
		return booking.Method{}, booking.Refuse(booking.WrongMethod)
	}
	for _, m := range methods {
		if m.Name == p.Usual && (p.Number == 0 || p.Number == m.Number) && m.Enabled {
			return m, nil
		}
	}
	return booking.Method{}, booking.Refuse(booking.WrongMethod)
}

// rewrite puts other services on an order. Services that it has already keep
// the prices that they were ordered at.
func (w *work) rewrite(ctx context.Context, s *Sold, p Paying) error {
	station := p.StationID
	if s.Booking != nil {
		switch {
		case station == 0:
			station = s.Booking.StationID
		case s.Booking.StationID == 0:
			s.Booking.StationID, s.Booking.UpdatedAt = station, w.now
			if _, err := w.admitted(ctx, *s.Booking); err != nil {
				return err
			}
			s.Booking.Version++
			if err := w.SaveBooking(ctx, *s.Booking); err != nil {
				return err
			}
		case s.Booking.StationID != station:
			return booking.Refuse(booking.UnknownStation)
		}
	} else if station != 0 {
		if _, err := w.Station(ctx, station); err != nil {
			return err
		}
	}
	if len(p.Services) == 0 || slices.EqualFunc(s.Order.Lines, p.Services, func(l booking.Line, id int64) bool { return l.ServiceID == id && l.Quantity == 1 }) {
		return nil
	}
	items := make([]Item, len(p.Services))
	for i, id := range p.Services {
		items[i].ServiceID = id
	}
	lines, err := linesOf(ctx, w.Tx, items, station)
	if err != nil {
		return err
	}
	promotion, err := promotionAt(ctx, w.Tx, s.Order.Promotion, w.now)
	if err != nil {
		promotion, s.Order.Promotion = booking.Promotion{}, "" // it has ended
	}
	s.Order.Lines = lines
	s.Order.Bill, err = bill(lines, promotion)
	return err
}

// OrderTransfer is how an order's payment is paid by bank transfer: the EMVCo
// text of its QR code, and the text that a transfer has to carry. Both are ""
// when nothing is due, or it takes no transfers. The text is the order's, so it
// is the same for every payment of the order; before it comes what the account
// wants there.
func OrderTransfer(o booking.Order, p payment.Payment) (qr, memo string) {
	t := p.Transfer
	if t.AccountID == "" || p.Due() <= 0 || p.State.Closed() {
		return "", ""
	}
	memo = o.Memo()
	if _, byMemo := strings.CutPrefix(t.Code, payment.MemoMatch("")); byMemo && t.Prefix != "" {
		memo = t.Prefix + " " + memo
	}
	text, err := vietqr.Encode(vietqr.Payload{BIN: t.BIN, Account: t.Number, Amount: int64(p.Due()), Memo: memo, Dynamic: true})
	if err != nil {
		return "", "" // no code is better than a wrong one
	}
	return text, memo
}
