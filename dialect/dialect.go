// Package dialect says what a wire protocol must provide to the rest of the
// gateway. The protocols themselves are in the folders below; core knows only
// this contract.
//
// The other half of a dialect, its HTTP handlers, needs no contract: it is an
// http.Handler that decodes, authenticates, makes one call to core and
// encodes.
package dialect

import (
	"errors"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
)

// Dialect is what core and notify need to know of a wire protocol.
type Dialect interface {
	// Name is the dialect's name in rows, URLs of the admin API and logs.
	Name() string

	// Owes says whether the protocol tells the merchant of ev.
	Owes(ev payment.Event) bool

	// Notice forms and signs the request that tells of one event. It is called
	// anew for every attempt.
	Notice(n Notice) (Request, error)

	// Accepted says whether an answer means that the merchant has taken the
	// notice. Body is the start of the answer, up to 16 KiB.
	Accepted(status int, body []byte) bool

	// Retry returns how long to wait after the tries-th failed attempt (1 is
	// the first), or false when the schedule has ended.
	Retry(tries int) (time.Duration, bool)

	// Return is where the payer's browser goes when p has closed, "" for
	// nowhere. Nothing may be concluded from a payer arriving there.
	Return(p payment.Payment, f payment.Profile) string
}

// Signing is what a dialect can be besides: one whose callers prove who they
// are by signing with the secret of their key pair instead of sending it. Their
// secrets are kept sealed, and core.SigningKey opens them.
type Signing interface {
	// SignsNotices says whether our notices to a merchant are signed with the
	// same secret: that of its newest key pair. Else they have one of their own.
	SignsNotices() bool
}

// Named is a Signing dialect whose notices name the key pair that they are
// signed with. The keys of its callers are kept, sealed, for that.
type Named interface {
	Signing
	NamesKeys() bool
}

// Ordering is a dialect whose payments pay for orders.
type Ordering interface {
	// OwesOrder decides, for the payment of an order, what Owes decides for
	// others. It is asked only where Owes says yes.
	OwesOrder(o order.Order, ev payment.Event) bool
}

// Stopping is a dialect in which some answers that do not accept a notice end
// its delivery all the same.
type Stopping interface {
	Stops(status int) bool
}

// ErrNoSecret is the error of a notice that has to be signed for a receiver who
// has no secret: what is signed with none, anybody can sign.
var ErrNoSecret = errors.New("dialect: the receiver has no secret to sign with")

// Notice is one event to be told, with the payment as the event left it.
type Notice struct {
	Payment   payment.Payment
	Event     payment.Event
	Refund    payment.Refund  // as the event left it; ID "" when the event is of none
	Sale      payment.Sale    // of a card sale at a terminal; PaymentID "" else
	Profile   payment.Profile // of the merchant, or of the platform that acted for it
	PublicID  string          // of the merchant itself, in this dialect
	Secret    string          // Profile.NotifySecret, opened, or see Signing; "" when none is set
	Key       string          // the newest API key of whoever is told, of a Booker or where it is Named; "" in other dialects
	Order     *booking.Order  // of a Booker: what the payment is for, as it is now; nil when it is for nothing
	Purchase  *order.Order    // of an Ordering: what the payment pays for, with its facts as they were at the event; nil when it pays for none
	URL       string
	RequestID string // unique per attempt
	At        time.Time
}

// Booker is what a dialect can be besides: one whose payments are for orders of
// package booking. Its references are the orders', and its notices are signed
// over the API key, which is kept sealed for that. There is one at most.
type Booker interface {
	// BookingNotice forms and signs the request that tells of a change which
	// is no event of a payment.
	BookingNotice(n BookingNotice) (Request, error)
}

// BookingNotice is a change of a booking or of an order, as the change left it.
type BookingNotice struct {
	Changed   BookingChange
	Profile   payment.Profile
	PublicID  string
	Secret    string
	Key       string
	URL       string
	RequestID string // unique per attempt
	At        time.Time
}

// BookingChange is a booking or an order that changed; the other one is nil.
type BookingChange struct {
	Booking *booking.Booking
	Order   *booking.Order
	Payment *payment.Payment // the order's current one, nil when it has none
}

// Request is an HTTP POST to form.
type Request struct {
	Headers map[string]string
	Body    []byte
}
