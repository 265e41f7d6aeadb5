// Package order holds what is being paid for when a protocol has orders: lines,
// customer, total, and the facts that only the merchant knows (handed over,
// completed, canceled). It is pure.
//
// An order does not keep what its payment knows. Where it stands is computed
// from its own facts and the payment's state, see Stage.
package order

import (
	"errors"
	"fmt"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// Way is how the customer said to pay.
type Way string

// The ways.
const (
	Online     Way = "online"        // on the payment page
	OnDelivery Way = "cod"           // cash to whoever delivers
	ByTransfer Way = "bank_transfer" // a transfer that the merchant verifies
)

// Order is what one customer wants of one merchant. Times are UTC with
// millisecond precision; zero is never.
type Order struct {
	ID         string // 17 to 19 decimal digits; unique over the gateway
	MerchantID string
	Dialect    string
	CustomerID string // the platform's id of the customer, decimal
	Reference  string // the merchant's own id for it; need not be unique
	Extra      string // the merchant's, echoed
	Version    int64  // 1 when placed, then one more with each change

	Customer    Customer
	Lines       []Line
	ShippingFee money.VND
	Total       money.VND // lines and shipping fee

	// The numbers under which the platform books it. They are made with the
	// order and told from when paying has begun.
	ReceiptID   string // 10 digits
	ReceiptCode string // 9 digits, unique over the gateway; for reconciliation

	Way       Way    // "" until paying has begun
	PaymentID string // "" until then

	CreatedAt    time.Time
	UpdatedAt    time.Time
	StartedAt    time.Time // when paying began
	HandedOverAt time.Time // to the carrier
	CompletedAt  time.Time
	CanceledAt   time.Time // by the merchant; a payment that fails cancels without it
	Comment      string    // of whoever completed or canceled it
	PushPage     string    // the mini app page that a push about that opens, or ""
}

// Customer is what the merchant wants shown of the customer; all optional.
type Customer struct {
	Name   string `json:"name,omitempty"`
	Phone  string `json:"phone,omitempty"`
	Email  string `json:"email,omitempty"`
	Street string `json:"street,omitempty"`
}

// Line is one article.
type Line struct {
	Name     string    `json:"name"`
	SKU      string    `json:"sku,omitempty"`
	Quantity int64     `json:"quantity"`
	Price    money.VND `json:"price"` // of one
	ImageURL string    `json:"image_url,omitempty"`
	Extra    string    `json:"extra,omitempty"`
	Sections []Section `json:"sections,omitempty"`
}

// Section is a titled group of facts about a line, for the customer.
type Section struct {
	Header string  `json:"header"`
	Fields []Field `json:"fields,omitempty"`
}

// Field is one fact: a text, pictures, or a link. At most one of the three is
// set.
type Field struct {
	Name   string   `json:"name"`
	Text   string   `json:"text,omitempty"`
	Images []string `json:"images,omitempty"`
	Button string   `json:"button,omitempty"` // of the link
	Link   string   `json:"link,omitempty"`
}

// Sum is what the lines and the fee come to. It fails when that is more than
// money can count.
func Sum(lines []Line, fee money.VND) (money.VND, error) {
	total := fee
	for _, l := range lines {
		if l.Price > 0 && l.Quantity > int64(maxVND/l.Price) {
			return 0, fmt.Errorf("order: %d times %d is out of range", l.Quantity, l.Price)
		}
		var err error
		if total, err = money.Add(total, l.Price*money.VND(l.Quantity)); err != nil {
			return 0, err
		}
	}
	return total, nil
}

const maxVND = money.VND(1<<63 - 1)

// Why an order is refused, as the cause of an error with CodeInvalidRequest.
var (
	ErrLimit         = errors.New("order: above the app's limit")
	ErrSeller        = errors.New("order: no valid seller account")
	ErrDuplicateItem = errors.New("order: an SKU in more than one line")
	ErrProduct       = errors.New("order: product missing, out of stock or not on sale")
	ErrForeign       = errors.New("order: product of another seller")
)

// Refusals lists them all, for the total tables of the dialects.
var Refusals = []error{ErrLimit, ErrSeller, ErrDuplicateItem, ErrProduct, ErrForeign}

// Refuse is a refusal with a text for whoever placed the order.
func Refuse(why error, text string) error {
	return &payment.Error{Code: payment.CodeInvalidRequest, Text: text, Cause: why}
}

// Stage is where an order stands.
type Stage string

// The stages.
const (
	Draft     Stage = "draft"                    // placed; nobody pays yet
	Paying    Stage = "waiting_for_payment"      // the customer is at the payment page
	Verifying Stage = "waiting_for_verification" // the money is said to be on its way; somebody has to confirm it
	Paid      Stage = "paid"                     // online, in full
	InHand    Stage = "processing"               // the merchant works on it
	OnItsWay  Stage = "on_delivery"              // with the carrier
	Completed Stage = "completed"                // delivered; final
	Canceled  Stage = "canceled"                 // final
)

// Stages lists every stage, for the total tables of the dialects.
var Stages = []Stage{Draft, Paying, Verifying, Paid, InHand, OnItsWay, Completed, Canceled}

// Stage computes where o stands. p is its payment, with an empty ID while there
// is none.
func (o Order) Stage(p payment.Payment) Stage {
	switch {
	case !o.CanceledAt.IsZero():
		return Canceled
	case !o.CompletedAt.IsZero():
		return Completed
	case o.Way == "" || p.ID == "":
		return Draft
	}
	switch p.State {
	case payment.Denied, payment.Canceled, payment.Expired, payment.Voided:
		return Canceled
	case payment.Approved:
		return o.delivery(map[Way]Stage{Online: Paid, OnDelivery: InHand, ByTransfer: InHand}[o.Way])
	}
	switch {
	case o.Way == OnDelivery:
		return o.delivery(InHand)
	case o.Way == ByTransfer || p.State == payment.Processing:
		return Verifying
	}
	return Paying
}

func (o Order) delivery(before Stage) Stage {
	if !o.HandedOverAt.IsZero() {
		return OnItsWay
	}
	return before
}

// At is the order as it was at a moment, as far as its facts go: what happened
// later is taken away.
func (o Order) At(t time.Time) Order {
	for _, fact := range []*time.Time{&o.HandedOverAt, &o.CompletedAt, &o.CanceledAt} {
		if fact.After(t) {
			*fact = time.Time{}
		}
	}
	return o
}

// Start records that the customer begins to pay, in a way. An order is paid
// once: CodeInvalidState when paying has begun before, or the order has ended.
func (o Order) Start(way Way, paymentID string, at time.Time) (Order, error) {
	if stage := o.Stage(payment.Payment{}); stage != Draft {
		return o, illegal(stage, "paid")
	}
	if o.Way != "" {
		return o, payment.Fail(payment.CodeInvalidState, "the order has been used to pay before")
	}
	o.Way, o.PaymentID, o.StartedAt = way, paymentID, at
	return o.changed(at), nil
}

// PayOnDelivery records that a customer who was to pay online pays cash on
// delivery instead.
func (o Order) PayOnDelivery(at time.Time) (Order, error) {
	if o.Way != Online || !o.CanceledAt.IsZero() || !o.CompletedAt.IsZero() {
		return o, payment.Fail(payment.CodeInvalidState, "the order is not being paid online")
	}
	o.Way = OnDelivery
	return o.changed(at), nil
}

// HandOver records that the carrier has the goods.
func (o Order) HandOver(p payment.Payment, at time.Time) (Order, error) {
	switch stage := o.Stage(p); stage {
	case Paid, InHand:
		o.HandedOverAt = at
		return o.changed(at), nil
	default:
		return o, illegal(stage, "handed over")
	}
}

// Complete records that the merchant has delivered. It is final.
func (o Order) Complete(p payment.Payment, comment, page string, at time.Time) (Order, error) {
	switch stage := o.Stage(p); stage {
	case Paid, InHand, OnItsWay:
		o.CompletedAt, o.Comment, o.PushPage = at, comment, page
		return o.changed(at), nil
	default:
		return o, illegal(stage, "completed")
	}
}

// Cancel records that the merchant gives the order up. It is final. A customer
// who is in the middle of paying online is not interrupted: what the acquirer
// says has to be waited for.
func (o Order) Cancel(p payment.Payment, comment, page string, at time.Time) (Order, error) {
	stage := o.Stage(p)
	if stage == Completed || stage == Canceled || stage == Verifying && o.Way == Online {
		return o, illegal(stage, "canceled")
	}
	o.CanceledAt, o.Comment, o.PushPage = at, comment, page
	return o.changed(at), nil
}

func (o Order) changed(at time.Time) Order {
	o.Version++
	if at.After(o.UpdatedAt) {
		o.UpdatedAt = at
	}
	return o
}

func illegal(stage Stage, act string) error {
	return payment.Fail(payment.CodeInvalidState, fmt.Sprintf("an order that is %s cannot be %s", stage, act))
}
