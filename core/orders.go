package core

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// How long orders may be paid, by the way that the customer chose. A customer
// at the payment page who does nothing is waited for four hours (Tiki, IPN
// page); the others are our choice.
const (
	OnlineDue     = 4 * time.Hour
	TransferDue   = 30 * 24 * time.Hour
	OnDeliveryDue = 365 * 24 * time.Hour
)

// PlacedOrder is an order with its payment; the payment's ID is "" while paying
// has not begun.
type PlacedOrder struct {
	Order   order.Order
	Payment payment.Payment
}

// Stage is where it stands.
func (p PlacedOrder) Stage() order.Stage { return p.Order.Stage(p.Payment) }

// Placing is a request for a new order, by a merchant that the dialect has
// authenticated.
type Placing struct {
	Merchant    payment.Merchant
	Dialect     string
	CustomerID  string
	Reference   string // the merchant's own; need not be unique
	Extra       string
	Customer    order.Customer
	Lines       []order.Line // one or more
	ShippingFee money.VND
	// FromCatalog says that the lines name SKUs of the seller who is linked to
	// the app: names, prices and pictures that they lack are the product's.
	FromCatalog bool
	Exactly     string // the order's id; "" makes one up. For seeding
}

// PlaceAppOrder keeps a new order as a draft. It refuses, in this order:
// CodeMerchantLocked or Closed, order.ErrSeller, and with FromCatalog
// order.ErrDuplicateItem, ErrProduct, ErrForeign, then order.ErrLimit, and
// CodeInvalidAmount for a total of nothing.
func (c *Core) PlaceAppOrder(ctx context.Context, n Placing) (PlacedOrder, error) {
	var placed PlacedOrder
	err := c.update(ctx, "place_order", func(w *work) (err error) {
		placed.Order, err = w.placeAppOrder(ctx, n)
		return err
	})
	return placed, err
}

// noCards refuses an order with a card number in one of its texts.
func (n Placing) noCards() error {
	c := n.Customer
	texts := [][2]string{{"customer_id", n.CustomerID}, {"reference", n.Reference}, {"extra", n.Extra}, {"customer", c.Name}, {"customer", c.Phone}, {"customer", c.Email}, {"customer", c.Street}}
	for _, l := range n.Lines {
		texts = append(texts, [2]string{"items", l.Name}, [2]string{"items", l.SKU}, [2]string{"items", l.ImageURL}, [2]string{"items", l.Extra})
		for _, s := range l.Sections {
			texts = append(texts, [2]string{"items", s.Header})
			for _, f := range s.Fields {
				texts = append(texts, [2]string{"items", f.Name}, [2]string{"items", f.Text}, [2]string{"items", f.Button}, [2]string{"items", f.Link})
				for _, image := range f.Images {
					texts = append(texts, [2]string{"items", image})
				}
			}
		}
	}
	for _, t := range texts {
		if err := noCard(t[0], t[1]); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) placeAppOrder(ctx context.Context, n Placing) (order.Order, error) {
	if err := n.noCards(); err != nil {
		return order.Order{}, err
	}
	if err := n.Merchant.Usable(); err != nil {
		return order.Order{}, err
	}
	app, err := w.App(ctx, n.Merchant.ID)
	if err != nil {
		return order.Order{}, err
	}
	lines, err := w.lines(ctx, app, n)
	if err != nil {
		return order.Order{}, err
	}
	total, err := order.Sum(lines, n.ShippingFee)
	switch {
	case err != nil || total > MaxAmount || total > app.OrderLimit:
		return order.Order{}, order.Refuse(order.ErrLimit, "an order of this app may come to "+app.OrderLimit.String()+" đồng at most")
	case total <= 0:
		return order.Order{}, payment.Fail(payment.CodeInvalidAmount, "the order comes to nothing")
	}
	o := order.Order{
		MerchantID: n.Merchant.ID, Dialect: n.Dialect, CustomerID: n.CustomerID, Reference: n.Reference, Extra: n.Extra, Version: 1,
		Customer: n.Customer, Lines: lines, ShippingFee: n.ShippingFee, Total: total, CreatedAt: w.now, UpdatedAt: w.now,
	}
	for range codeTries {
		o.ID = n.Exactly
		if o.ID == "" {
			o.ID = order.Number(w.now, w.core.ids.Low24())
		}
		o.ReceiptID, o.ReceiptCode = "1"+w.core.ids.Digits(9), "3"+w.core.ids.Digits(8)
		if ok, err := w.AddAppOrder(ctx, o); ok || err != nil {
			return o, err
		}
	}
	if n.Exactly != "" {
		return o, payment.Fail(payment.CodeConflict, "there is an order of that id")
	}
	return o, payment.Fail(payment.CodeBusy, "no free order number was found")
}

// linkedSeller is the seller that an app sells for.
func linkedSeller(ctx context.Context, tx *store.Tx, app catalog.App) (catalog.Seller, error) {
	s, err := tx.Seller(ctx, app.SellerID)
	if payment.CodeOf(err) == payment.CodeNotFound || err == nil && !s.Active {
		return s, order.Refuse(order.ErrSeller, "no active seller is linked to the app")
	}
	return s, err
}

// lines checks the lines against the catalog.
func (w *work) lines(ctx context.Context, app catalog.App, n Placing) ([]order.Line, error) {
	if app.SellerID != "" || n.FromCatalog {
		if _, err := linkedSeller(ctx, w.Tx, app); err != nil {
			return nil, err
		}
	}
	if !n.FromCatalog {
		return n.Lines, nil
	}
	lines, seen := make([]order.Line, len(n.Lines)), map[string]bool{}
	for _, l := range n.Lines {
		if seen[l.SKU] {
			return nil, order.Refuse(order.ErrDuplicateItem, "an SKU stands in more than one item: "+l.SKU)
		}
		seen[l.SKU] = true
	}
	for i, l := range n.Lines {
		p, err := w.Product(ctx, l.SKU)
		switch {
		case payment.CodeOf(err) == payment.CodeNotFound:
			return nil, order.Refuse(order.ErrProduct, "no such product: "+l.SKU)
		case err != nil:
			return nil, err
		case p.SellerID != app.SellerID:
			return nil, order.Refuse(order.ErrForeign, "the product is another seller's: "+l.SKU)
		case !p.Has(l.Quantity):
			return nil, order.Refuse(order.ErrProduct, "the product is not on sale or out of stock: "+l.SKU)
		}
		l.Price = p.Price
		if l.Name == "" {
			l.Name = p.Name
		}
		if l.ImageURL == "" {
			l.ImageURL = p.ImageURL
		}
		lines[i] = l
	}
	return lines, nil
}

// AppOrder returns a merchant's order; CodeNotFound for one of somebody else's.
func (c *Core) AppOrder(ctx context.Context, merchantID, dialect, id string) (PlacedOrder, error) {
	p, err := c.AnyAppOrder(ctx, id)
	if err == nil && (p.Order.MerchantID != merchantID || p.Order.Dialect != dialect) {
		return PlacedOrder{}, errNoOrder
	}
	return p, err
}

var errNoOrder = payment.Fail(payment.CodeNotFound, "no such order")

// AppOrders returns those of a merchant's orders that exist, in the order of ids.
func (c *Core) AppOrders(ctx context.Context, merchantID, dialect string, ids []string) ([]PlacedOrder, error) {
	return view(ctx, c, "orders", func(tx *store.Tx) ([]PlacedOrder, error) {
		found := []PlacedOrder{}
		for _, id := range ids {
			p, err := orderWithPayment(ctx, tx, id)
			switch {
			case payment.CodeOf(err) == payment.CodeNotFound:
			case err != nil:
				return nil, err
			case p.Order.MerchantID == merchantID && p.Order.Dialect == dialect:
				found = append(found, p)
			}
		}
		return found, nil
	})
}

// AnyAppOrder returns an order of any merchant.
func (c *Core) AnyAppOrder(ctx context.Context, id string) (PlacedOrder, error) {
	return view(ctx, c, "order", func(tx *store.Tx) (PlacedOrder, error) { return orderWithPayment(ctx, tx, id) })
}

func orderWithPayment(ctx context.Context, tx *store.Tx, id string) (p PlacedOrder, err error) {
	if p.Order, err = tx.AppOrder(ctx, id); err == nil && p.Order.PaymentID != "" {
		p.Payment, err = tx.Payment(ctx, p.Order.PaymentID)
	}
	return p, err
}

// AppOrderOfPayment returns the order that a payment pays, CodeNotFound when it
// pays none.
func (c *Core) AppOrderOfPayment(ctx context.Context, paymentID string) (order.Order, error) {
	return view(ctx, c, "order", func(tx *store.Tx) (order.Order, error) { return tx.AppOrderOfPayment(ctx, paymentID) })
}

// AppOrderSearch selects orders; empty fields select all.
type AppOrderSearch struct {
	MerchantID, Dialect, CustomerID, Reference string
	Before                                     string // the last id of the page before
	Limit                                      int    // 1 to 200; 0 is 50
}

// SearchAppOrders lists orders with their payments, newest first.
func (c *Core) SearchAppOrders(ctx context.Context, s AppOrderSearch) ([]PlacedOrder, error) {
	return view(ctx, c, "search_orders", func(tx *store.Tx) ([]PlacedOrder, error) {
		found, err := tx.SearchAppOrders(ctx, store.AppOrderSearch{
			MerchantID: s.MerchantID, Dialect: s.Dialect, CustomerID: s.CustomerID, Reference: s.Reference, BeforeID: s.Before, Limit: page(s.Limit),
		})
		placed := make([]PlacedOrder, len(found))
		for i := 0; i < len(found) && err == nil; i++ {
			placed[i].Order = found[i]
			if found[i].PaymentID != "" {
				placed[i].Payment, err = tx.Payment(ctx, found[i].PaymentID)
			}
		}
		return placed, err
	})
}

// PayingApp is a customer's wish to pay an order.
type PayingApp struct {
	OrderID    string
	CustomerID string // who asks; nobody else's order is found
	App        string // the app's identifier; "" is any
	Way        order.Way
	Methods    []payment.Method // for order.Online: what to offer, as far as the merchant can take it
	ReturnURL  string           // where the payment page sends the customer afterwards, "" for nowhere
	Language   string           // of the page
	// Dialects are those whose orders may be paid so. With the value Tested an
	// online payment ends at once, as the app's TestResult says, with money that
	// nobody has: for sandbox environments.
	Dialects map[string]Ends
}

// Ends is how an online payment ends.
type Ends bool

// The two ways: by the customer's paying, or by the app's TestResult.
const (
	Paid   Ends = false
	Tested Ends = true
)

// StartPaying opens the payment of a draft order. An order is paid once:
// CodeInvalidState when that was begun before.
func (c *Core) StartPaying(ctx context.Context, n PayingApp) (PlacedOrder, error) {
	found, err := c.AnyAppOrder(ctx, n.OrderID)
	if err != nil {
		return PlacedOrder{}, err
	}
	o := found.Order
	ends, ok := n.Dialects[o.Dialect]
	if !ok || o.CustomerID != n.CustomerID {
		return PlacedOrder{}, errNoOrder
	}
	tested := n.Way == order.Online && ends == Tested
	f, err := c.Profile(ctx, o.MerchantID, o.Dialect)
	if err != nil {
		return PlacedOrder{}, err
	}
	if n.App != "" && n.App != f.PublicID {
		return PlacedOrder{}, errNoOrder
	}
	m, err := c.Merchant(ctx, o.MerchantID)
	if err != nil {
		return PlacedOrder{}, err
	}
	app, err := c.App(ctx, o.MerchantID)
	if err != nil {
		return PlacedOrder{}, err
	}
	opening := Opening{
		Merchant: m, Dialect: o.Dialect, Reference: o.ID, Amount: o.Total, Description: described(o), Language: n.Language,
		SuccessURL: n.ReturnURL, CancelURL: n.ReturnURL, Methods: n.Methods, DueAt: c.Now().Add(OnlineDue),
	}
	switch {
	case n.Way == order.OnDelivery:
		opening.Methods, opening.DueAt = []payment.Method{payment.COD}, c.Now().Add(OnDeliveryDue)
	case n.Way == order.ByTransfer:
		opening.Methods, opening.DueAt = []payment.Method{payment.BankTransfer}, c.Now().Add(TransferDue)
	case tested:
		opening.Methods = []payment.Method{payment.COD} // needs no contract with anybody; replaced below
	case app.OfferCOD:
		opening.Methods = append(opening.Methods[:len(opening.Methods):len(opening.Methods)], payment.COD)
	}
	p, account, err := c.build(ctx, opening)
	if err != nil {
		return PlacedOrder{}, c.failed("start_paying", err)
	}
	if tested {
		p.Methods, p.Method = []payment.Method{payment.DomesticCard}, payment.DomesticCard
	}
	var placed PlacedOrder
	err = c.update(ctx, "start_paying", func(w *work) error {
		placed, err = w.startPaying(ctx, n, p, account, m.DailyLimit)
		return err
	})
	if err == nil && tested {
		placed.Payment, err = c.endTest(ctx, placed.Payment, app.TestResult)
	}
	return placed, err
}

// testSource is who tells of money that nobody has.
const testSource = "test"

// endTest ends an online payment of a sandbox environment. Should it be
// interrupted, the payment runs out like one that the customer has left.
func (c *Core) endTest(ctx context.Context, p payment.Payment, result catalog.TestResult) (payment.Payment, error) {
	if result == catalog.TestFailure {
		return c.Cancel(ctx, p.ID, ActorPayer, "the app's test result is failure")
	}
	taken, err := c.Receive(ctx, Receipt{
		PaymentID: p.ID, Channel: payment.ChannelCash, Method: p.Method, Source: testSource, ExternalID: p.ID, Amount: p.Amount, Actor: "test",
	})
	return taken.Payment, err
}

// described is the text that the payment shows of what it pays.
func described(o order.Order) string {
	var names []string
	for _, l := range o.Lines {
		name := l.Name
		if l.Quantity > 1 {
			name = strconv.FormatInt(l.Quantity, 10) + " × " + name
		}
		names = append(names, name)
	}
	text := []rune(strings.Join(names, ", "))
	if len(text) > maxName {
		text = append(text[:maxName-1], '…')
	}
	return string(text)
}

func (w *work) startPaying(ctx context.Context, n PayingApp, p payment.Payment, account payment.ReceivingAccount, limit money.VND) (placed PlacedOrder, err error) {
	o, err := w.LockAppOrder(ctx, n.OrderID)
	if err != nil {
		return placed, err
	}
	if o, err = o.Start(n.Way, p.ID, w.now); err != nil {
		return placed, err
	}
	if p, err = w.openPayment(ctx, p, limit, account); err != nil {
		return placed, err
	}
	if err := w.SaveAppOrder(ctx, o); err != nil {
		return placed, err
	}
	if n.Way == order.OnDelivery {
		p, err = w.apply(ctx, p, payment.Step{Act: payment.ActProcess, Actor: ActorPayer, Reason: "cash on delivery"})
	}
	return PlacedOrder{Order: o, Payment: p}, err
}

// openPayment inserts a payment in this transaction and returns it as it will be
// loaded: with the address that its notices go to.
func (w *work) openPayment(ctx context.Context, p payment.Payment, limit money.VND, account payment.ReceivingAccount) (payment.Payment, error) {
	p, err := w.core.underFreeCode(p, account, func(p payment.Payment) error {
		verdict, err := w.OpenPayment(ctx, store.Opening{Payment: p, DailyLimit: limit})
		return errors.Join(err, verdict)
	})
	if err != nil {
		return p, err
	}
	return w.LockPayment(ctx, p.ID)
}

// Ending is a merchant's word that an order is done or given up.
type Ending struct {
	MerchantID, Dialect string // whose order it is
	OrderID             string
	Comment             string
	PushPage            string // the mini app page that a push opens, "" for none
	Tested              Ends   // with Tested, refunds of test money end at once
}

// CompleteAppOrder records that the merchant has delivered. CodeInvalidState when
// the order does not allow it.
func (c *Core) CompleteAppOrder(ctx context.Context, e Ending) (PlacedOrder, error) {
	return c.changeOrder(ctx, "complete_order", e, func(w *work, o order.Order, p payment.Payment) (order.Order, payment.Payment, error) {
		o, err := o.Complete(p, e.Comment, e.PushPage, w.now)
		return o, p, err
	})
}

// CancelAppOrder ends an order by the merchant's word. The offer of a payment that
// is open ends with it, and what was paid is refunded whole: by the acquirer
// where there is one, else by a person. CodeInvalidState when the order does
// not allow it.
func (c *Core) CancelAppOrder(ctx context.Context, e Ending) (PlacedOrder, error) {
	var refund payment.Refund
	placed, err := c.changeOrder(ctx, "cancel_order", e, func(w *work, o order.Order, p payment.Payment) (order.Order, payment.Payment, error) {
		var err error
		o, p, refund, err = w.cancelAppOrder(ctx, o, p, ActorMerchant, e.Comment, e.PushPage)
		return o, p, err
	})
	if err == nil && e.Tested == Tested && refund.Manual {
		_, err = c.JudgeRefund(ctx, Actor{Name: "test"}, refund.ID, true, "test money")
	}
	return placed, err
}

// CancelAppOrderByOperator is CancelAppOrder as an administrative act.
func (c *Core) CancelAppOrderByOperator(ctx context.Context, by Actor, id, comment string) (PlacedOrder, error) {
	return c.orderAct(ctx, by, "order.cancel", id, func(w *work, o order.Order, p payment.Payment) (order.Order, payment.Payment, error) {
		o, p, _, err := w.cancelAppOrder(ctx, o, p, by.Name, comment, "")
		return o, p, err
	})
}

// cancelReference is the reference of the refund that a canceled order causes.
const cancelReference = "order-canceled"

func (w *work) cancelAppOrder(ctx context.Context, o order.Order, p payment.Payment, actor, comment, page string) (order.Order, payment.Payment, payment.Refund, error) {
	var refund payment.Refund
	o, err := o.Cancel(p, comment, page, w.now)
	if err != nil || p.ID == "" {
		return o, p, refund, err
	}
	if p.State == payment.Processing { // cash that nobody has collected
		if p, err = w.apply(ctx, p, payment.Step{Act: payment.ActRetry, Actor: actor, Reason: comment}); err != nil {
			return o, p, refund, err
		}
	}
	switch {
	case p.State == payment.Open:
		p, err = w.close(ctx, p, payment.ActCancel, actor, comment)
	case p.State == payment.Approved && p.Refundable() > 0:
		p, refund, err = w.refund(ctx, p.ID, payment.Refund{Reference: cancelReference, Amount: p.Refundable(), Actor: actor, Reason: comment}, true)
	}
	return o, p, refund, err
}

// MoneyReceived records, as an administrative act, that cash was collected or a
// transfer has come for an order whose money the gateway does not see. Amount 0
// is all that is due. Reference tells one receipt from another of the same
// order, "" for the only one: the same again changes nothing, and CodeConflict
// says that the reference is another receipt's.
func (c *Core) MoneyReceived(ctx context.Context, by Actor, id string, amount money.VND, reference string) (PlacedOrder, error) {
	placed, err := c.AnyAppOrder(ctx, id)
	if err != nil {
		return placed, err
	}
	if err := checkText("reference", reference, 0, maxName); err != nil {
		return placed, err
	}
	r := Receipt{PaymentID: placed.Payment.ID, Source: "order", ExternalID: strings.TrimSuffix(id+"/"+reference, "/"), Amount: amount, Actor: by.Name}
	switch placed.Order.Way {
	case order.OnDelivery:
		r.Channel, r.Method = payment.ChannelCash, payment.COD
	case order.ByTransfer:
		r.Channel, r.Method, r.AccountID = payment.ChannelBank, payment.BankTransfer, placed.Payment.Transfer.AccountID
	default:
		return placed, payment.Fail(payment.CodeInvalidState, "the order is not paid in cash or by a transfer that the merchant verifies")
	}
	if r.Amount == 0 {
		if r.Amount = placed.Payment.Due(); r.Amount == 0 {
			r.Amount = placed.Payment.Amount // told again
		}
	}
	stop := c.timed("order_money_received")
	w := &work{core: c, now: c.Now()}
	taken, err := w.receive(ctx, r, func(ctx context.Context) (payment.Payment, error) { return w.LockPayment(ctx, r.PaymentID) },
		func(ctx context.Context, credit payment.Credit) error {
			return w.audit(ctx, by, "order.money_received", id, nil, map[string]any{"amount": credit.Amount, "credit_id": credit.ID, "reference": reference})
		})
	if err == nil && taken.Replayed && (amount != 0 && amount != taken.Credit.Amount || amount == 0 && taken.Payment.Due() > 0) {
		err = payment.Fail(payment.CodeConflict, "a receipt of "+taken.Credit.Amount.String()+" đồng was recorded under this reference; give the other one a reference of its own")
	}
	stop(err)
	if err != nil {
		return placed, c.failed("order_money_received", err)
	}
	c.after(w)
	placed.Payment = taken.Payment
	return placed, nil
}

// changeOrder changes one order, and its payment with it.
func (c *Core) changeOrder(ctx context.Context, verb string, e Ending, change func(*work, order.Order, payment.Payment) (order.Order, payment.Payment, error)) (PlacedOrder, error) {
	var placed PlacedOrder
	err := c.update(ctx, verb, func(w *work) (err error) {
		placed, err = w.changeOrder(ctx, e, change)
		return err
	})
	return placed, err
}

func (w *work) changeOrder(ctx context.Context, e Ending, change func(*work, order.Order, payment.Payment) (order.Order, payment.Payment, error)) (PlacedOrder, error) {
	for _, t := range [][2]string{{"comment", e.Comment}, {"push_page", e.PushPage}} {
		if err := noCard(t[0], t[1]); err != nil {
			return PlacedOrder{}, err
		}
	}
	o, err := w.LockAppOrder(ctx, e.OrderID)
	if err == nil && e.MerchantID != "" && (o.MerchantID != e.MerchantID || o.Dialect != e.Dialect) {
		err = errNoOrder
	}
	if err != nil {
		return PlacedOrder{}, err
	}
	var p payment.Payment
	if o.PaymentID != "" {
		if p, err = w.LockPayment(ctx, o.PaymentID); err != nil {
			return PlacedOrder{}, err
		}
	}
	version := o.Version
	if o, p, err = change(w, o, p); err != nil {
		return PlacedOrder{}, err
	}
	if o.Version != version {
		err = w.SaveAppOrder(ctx, o)
	}
	return PlacedOrder{Order: o, Payment: p}, err
}

// HandOverAppOrder records, as an administrative act, that the carrier has the
// goods of an order.
func (c *Core) HandOverAppOrder(ctx context.Context, by Actor, id string) (PlacedOrder, error) {
	return c.orderAct(ctx, by, "order.hand_over", id, func(w *work, o order.Order, p payment.Payment) (order.Order, payment.Payment, error) {
		o, err := o.HandOver(p, w.now)
		return o, p, err
	})
}

// CompleteAppOrderByOperator is CompleteAppOrder as an administrative act.
func (c *Core) CompleteAppOrderByOperator(ctx context.Context, by Actor, id, comment string) (PlacedOrder, error) {
	return c.orderAct(ctx, by, "order.complete", id, func(w *work, o order.Order, p payment.Payment) (order.Order, payment.Payment, error) {
		o, err := o.Complete(p, comment, "", w.now)
		return o, p, err
	})
}

// orderAct changes one order as an administrative act.
func (c *Core) orderAct(ctx context.Context, by Actor, act, id string, change func(*work, order.Order, payment.Payment) (order.Order, payment.Payment, error)) (PlacedOrder, error) {
	var placed PlacedOrder
	err := c.update(ctx, strings.ReplaceAll(act, ".", "_"), func(w *work) error {
		var err error
		var before order.Stage
		placed, err = w.changeOrder(ctx, Ending{OrderID: id}, func(w *work, o order.Order, p payment.Payment) (order.Order, payment.Payment, error) {
			before = o.Stage(p)
			return change(w, o, p)
		})
		if err != nil {
			return err
		}
		return w.audit(ctx, by, act, id, map[string]any{"stage": before}, map[string]any{"stage": placed.Stage()})
	})
	return placed, err
}

// owesOrder asks a dialect that has orders whether the event of an order's
// payment is told.
func (w *work) owesOrder(ctx context.Context, d dialect.Dialect, p payment.Payment, ev payment.Event) (bool, error) {
	ordering, ok := d.(dialect.Ordering)
	if !ok {
		return true, nil
	}
	o, err := w.AppOrderOfPayment(ctx, p.ID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		return true, nil
	}
	return err == nil && ordering.OwesOrder(o, ev), err
}

// orderTold is the order that a notice tells of, with its facts as they were at
// the event; nil when the payment pays for none.
func (c *Core) orderTold(ctx context.Context, p payment.Payment, ev payment.Event) (*order.Order, error) {
	if _, ok := c.dialects[p.Dialect].(dialect.Ordering); !ok {
		return nil, nil
	}
	o, err := c.AppOrderOfPayment(ctx, p.ID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		return nil, nil
	}
	o = o.At(ev.At)
	return &o, err
}

// onDelivery is the payer's choice, on the payment page, to pay cash on
// delivery: the merchant sets to work, and the offer does not run out.
func (w *work) onDelivery(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	p, err := w.apply(ctx, p, payment.Step{Act: payment.ActProcess, Actor: ActorPayer, Reason: "cash on delivery", Method: payment.COD})
	if err != nil {
		return p, err
	}
	o, err := w.AppOrderOfPayment(ctx, p.ID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if o, err = o.PayOnDelivery(w.now); err != nil {
		return p, err
	}
	return p, w.SaveAppOrder(ctx, o)
}
