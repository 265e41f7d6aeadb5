// Package card says what an acquirer's connector must provide, and drives the
// connectors: it sends payers to acquirers, takes in the acquirers' notices,
// asks about what nobody told, and has refunds made. The connectors themselves
// are in the folders below; wallets (MoMo, ZaloPay) are reached in the same way
// as cards.
//
// A connector talks; it decides nothing. Each word of an acquirer becomes a
// Report, and core compares it with its own row before anything moves.
package card

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// ErrUncertain is for Create and Refund: the request may have reached the
// acquirer, but no answer came that can be understood.
var ErrUncertain = errors.New("card: whether the acquirer has the order is not known")

// Connector speaks to one kind of acquirer. It keeps no state and is safe for
// concurrent use.
type Connector interface {
	// Kind is its name in payment.Connector.Kind, such as "vnpay".
	Kind() string

	// Methods lists what it can be used for.
	Methods() []payment.Method

	// CheckConfig says what is wrong with a configuration (a JSON object)
	// before it is kept. Unknown members are refused: a mistyped one would be
	// missed in the night.
	CheckConfig(config []byte) error

	// Reference is what the acquirer is to know an attempt by. It depends on
	// the attempt's ID and CreatedAt alone, and differs for different IDs.
	Reference(a payment.Attempt) string

	// Create asks for a way to send the payer to the acquirer; some make it
	// without asking. ErrUncertain (wrapped) means that the acquirer may have
	// the order; every other error, that it has not and another connector may
	// be tried.
	Create(ctx context.Context, d Dealing, o Order) (Created, error)

	// VerifyReturn reads what the payer's browser brought back. It is for
	// display only; nothing is settled by it. An error has
	// payment.CodeUnauthorized when the signature is wrong.
	VerifyReturn(d Dealing, r Message) (Report, error)

	// VerifyNotify reads a notice. An error has payment.CodeUnauthorized when
	// the signature is wrong, payment.CodeInvalidRequest when it cannot be read.
	VerifyNotify(d Dealing, r Message) (Report, error)

	// Acknowledge is the exact answer to a notice. err is nil when the notice
	// was taken in (told says that it was here before), else what VerifyNotify
	// or core said: payment.CodeUnauthorized, CodePaymentNotFound (no such
	// attempt), CodeInvalidAmount (amount or currency differ), CodeConflict
	// (it contradicts what was said before), or a fault of ours, after which
	// the acquirer is to try again.
	Acknowledge(told bool, err error) Answer

	// Query asks what became of an attempt. A Report with Pending or Unknown
	// is no error. An error means that nothing was learned.
	Query(ctx context.Context, d Dealing, a payment.Attempt) (Report, error)
}

// Refunder is a Connector that can give money back by itself. For one that
// cannot, a refund waits until a person has made it in the acquirer's portal.
type Refunder interface {
	// Refund asks for a refund. ErrUncertain (wrapped), like the outcome
	// Unknown, means that it may have been made; every other error, that it
	// was not. It may be called again for the same refund after either of the
	// two only if Repeatable says so.
	Refund(ctx context.Context, d Dealing, r Refund) (Report, error)

	// QueryRefund asks what became of a refund. An error means that nothing
	// was learned; a refund that the acquirer has never heard of is Unknown.
	QueryRefund(ctx context.Context, d Dealing, r Refund) (Report, error)

	// Repeatable says whether the acquirer takes the same refund twice for one.
	Repeatable() bool
}

// Dealing is what a call of a connector needs to know besides its subject.
type Dealing struct {
	Config    []byte // the connector's configuration, opened
	HTTP      Doer   // the guarded client; answers are bounded in time and size
	Now       time.Time
	ReturnURL string // where the payer's browser comes back to
	NotifyURL string // where notices go
}

// Doer makes an HTTP request and returns the answer with its whole body. Its
// errors hold no secrets. Sent says whether the request may have reached the
// acquirer; when it did not, nothing can have happened there.
type Doer interface {
	Do(req *http.Request) (status int, body []byte, sent bool, err error)
}

// Order is what the payer is to pay.
type Order struct {
	Attempt     payment.Attempt
	Description string // the merchant's words; connectors strip what their acquirer refuses
	Language    string // "vi" or "en"
	PayerIP     string
	Merchant    string // the merchant's name
}

// Created is an order that the acquirer has.
type Created struct {
	Handoff    payment.Handoff
	ExternalID string // when the acquirer tells one already
}

// Refund is money to give back.
type Refund struct {
	Refund  payment.Refund
	Attempt payment.Attempt // the capture that it is taken from
	Before  money.VND       // what was refunded of the attempt before
	Actor   string          // who asked for it, for acquirers that want to know
	// ExternalID is the acquirer's id of the refund, from an earlier Report,
	// "" while unknown.
	ExternalID string
}

// Outcome is what an acquirer says of an attempt or refund.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"    // the money moved
	Failed  Outcome = "failed"  // it did not and will not
	Pending Outcome = "pending" // under way; ask again
	Unknown Outcome = "unknown" // the acquirer cannot tell, or says something unheard of
)

// Report is an acquirer's word.
type Report struct {
	Outcome    Outcome
	OfRefund   bool   // it is of a refund, not of an attempt
	Reference  string // Attempt.Reference, or Refund.Refund.ID
	ExternalID string
	Amount     money.VND // đồng, as the acquirer says; 0 when it does not say
	Currency   string    // "VND"; "" when it does not say
	Merchant   string    // the acquirer's name of the merchant, "" when it does not say; the connector has compared it with its configuration
	Code       string    // the acquirer's code
	Text       string    // what it means, for an operator
	// Reason is why it failed, in our own words, or "": payment.CodeInsufficient
	// for a refund that the merchant's balance does not cover.
	Reason payment.Code
	At     time.Time // when the money moved, zero when not told
}

// Message is one HTTP request from an acquirer or a payer's browser.
type Message struct {
	Method string
	Query  string // as it came
	Header http.Header
	Body   []byte
}

// Values reads the query, or the form of a POST, keeping the raw text in mind:
// use Query where a signature is over the raw bytes.
func (m Message) Values() (url.Values, error) {
	if m.Method == http.MethodPost {
		return url.ParseQuery(string(m.Body))
	}
	return url.ParseQuery(m.Query)
}

// Answer is the HTTP answer to a notice.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}
