package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
)

// offerFor is how long a payment for an order is open. After that another one
// follows, when somebody asks.
const offerFor = 24 * time.Hour

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
		if _, err := w.close(ctx, *live, payment.ActCancel, "merchant", "another offer follows"); err != nil {
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
			if _, err := w.Station(ctx, station); err != nil {
				return err
			}
			s.Booking.StationID, s.Booking.UpdatedAt = station, w.now
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

// PageKey is the unguessable part of a payment's addresses.
func (c *Core) PageKey(p payment.Payment) string { return c.keyOf(p.ID) }

// PublicURL is where payers reach the gateway, without a trailing slash.
func (c *Core) PublicURL() string { return c.publicURL }

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
		Amount: in.Amount, Actor: "partner",
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
