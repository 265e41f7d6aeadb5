package core

import (
	"context"
	"errors"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Collected is a partner's word that it has collected an order's money, or has
// tried to.
type Collected struct {
	Merchant  payment.Merchant
	RequestID string // the partner's; told twice, it counts once
	Order     string // its code or number
	Amount    money.VND
	Status    string // in the wire's words, to be shown again
	Paid      bool   // the money is there
}

// collectTries bounds how often a partner's word is taken anew because somebody
// has ended the offer that its money was for.
const collectTries = 8

// Collect takes a partner's word. It refuses, in this order: booking.NotFound,
// AlreadyPaid, NotPayable, WrongAmount, RequestReused; the order comes with the
// refusal. What is not Paid is only remembered.
func (c *Core) Collect(ctx context.Context, in Collected) (Sold, error) {
	if err := in.Merchant.Usable(); err != nil {
		return Sold{}, err
	}
	for field, text := range map[string]string{"request_id": in.RequestID, "status": in.Status} {
		if err := checkText(field, text, 1, maxName); err != nil {
			return Sold{}, err
		}
	}
	by, err := c.waysFor(ctx, in.Merchant.ID)
	if err != nil {
		return Sold{}, err
	}
	for range collectTries {
		s, err := c.collect(ctx, in, by)
		if err != nil || !in.Paid {
			return s, err
		}
		taken, err := c.settleCollected(ctx, in, s.Order, *s.Payment)
		if errors.Is(err, errOfferEnded) {
			continue
		}
		if err == nil {
			s.Payment = &taken.Payment
		}
		if err == nil && taken.Replayed {
			err = booking.Refuse(booking.AlreadyPaid)
		}
		return s, err
	}
	return Sold{}, payment.Fail(payment.CodeBusy, "others are changing the order all the time")
}

// waysFor lists how an order's money may come in besides the partner's word,
// which is the only way when there is no other.
func (c *Core) waysFor(ctx context.Context, merchantID string) (ways, error) {
	methods, err := c.Methods(ctx, merchantID)
	if err != nil {
		return ways{}, err
	}
	by, err := c.waysOf(ctx, merchantID, methods)
	if err == nil && len(by.methods) == 0 {
		by.methods = []payment.Method{payment.AtPartner}
	}
	return by, err
}

// collect finds the payment that collected money is for, or opens one; what is
// not Paid it remembers.
func (c *Core) collect(ctx context.Context, in Collected, by ways) (s Sold, err error) {
	err = c.update(ctx, "collect", func(w *work) error {
		var live *payment.Payment
		s, live, err = w.payable(ctx, func() (Sold, error) {
			o, err := orderByCode(ctx, w.Tx, in.Merchant.ID, in.Order)
			return withBooking(ctx, w.Tx, o, err)
		})
		if err != nil {
			return err
		}
		if in.Amount != s.Order.Total {
			return booking.Refuse(booking.WrongAmount)
		}
		if err := w.saveOrder(ctx, s.Order, &s.Order); err != nil {
			return err
		}
		if !in.Paid {
			return w.PutRequest(ctx, booking.Request{MerchantID: in.Merchant.ID, ID: in.RequestID, OrderID: s.Order.ID, Amount: int64(in.Amount), Status: in.Status, At: w.now})
		}
		// Looked at now, so that a refusal does not disturb the shared
		// transaction that takes the money in; kept there, with the money.
		known, err := w.Request(ctx, in.Merchant.ID, in.RequestID)
		switch {
		case err == nil && (known.OrderID != s.Order.ID || known.Amount != int64(in.Amount)):
			return booking.Refuse(booking.RequestReused)
		case err != nil && payment.CodeOf(err) != payment.CodeNotFound:
			return err
		}
		if s.Payment = live; live == nil {
			s.Payment, err = w.openOffer(ctx, in.Merchant, s.Order, by)
			return err
		}
		return nil
	})
	return s, err
}

// errOfferEnded says that a payment can take no money any more; the order's next
// one may.
var errOfferEnded = payment.Fail(payment.CodeConflict, "the offer ended meanwhile")

// settleCollected gives what a partner has collected to a payment.
func (c *Core) settleCollected(ctx context.Context, in Collected, o booking.Order, p payment.Payment) (Taken, error) {
	stop := c.timed("receive")
	w := &work{core: c, now: c.Now()}
	receipt := Receipt{
		PaymentID: p.ID, Channel: payment.ChannelPartner, Method: payment.AtPartner, Source: "partner:" + in.Merchant.ID, ExternalID: in.RequestID,
		Amount: in.Amount, Actor: ActorPartner,
	}
	lock := func(ctx context.Context) (payment.Payment, error) {
		locked, err := w.LockPayment(ctx, p.ID)
		switch {
		case err != nil:
		case locked.State == payment.Approved:
			err = booking.Refuse(booking.AlreadyPaid)
		case locked.State.Closed(), locked.State == payment.Open && !w.now.Before(locked.DueAt):
			err = errOfferEnded
		}
		return locked, err
	}
	remember := func(ctx context.Context, credit payment.Credit) error {
		return w.PutRequest(ctx, booking.Request{MerchantID: in.Merchant.ID, ID: in.RequestID, OrderID: o.ID, Amount: int64(in.Amount), Status: in.Status, At: w.now})
	}
	taken, err := w.receive(ctx, receipt, lock, remember)
	stop(err)
	if err != nil {
		return Taken{}, c.failed("receive", err)
	}
	c.after(w)
	return taken, nil
}

// Transaction is a partner's confirmation with the order that it was for.
type Transaction struct {
	Sold
	Request booking.Request // ID "" when none was named
}

// FindTransaction finds an order and, if id is not "", a confirmation of it:
// booking.NotFound.
func (c *Core) FindTransaction(ctx context.Context, merchantID, code, id string) (Transaction, error) {
	return view(ctx, c, "find_transaction", func(tx *store.Tx) (Transaction, error) {
		o, err := orderByCode(ctx, tx, merchantID, code)
		s, err := c.withPayment(ctx, tx, Sold{Order: o}, err)
		if err != nil || id == "" {
			return Transaction{Sold: s}, err
		}
		r, err := tx.Request(ctx, merchantID, id)
		if err == nil && r.OrderID != o.ID {
			err = booking.Refuse(booking.NotFound)
		}
		return Transaction{Sold: s, Request: r}, err
	})
}
