// Package rail says what a way of receiving money must provide to the rest of
// the gateway. The ways themselves are in the folders below; core knows none
// of them.
//
// So far there is one kind of way: a bank feed, that is somebody who watches
// the merchant's bank account and tells of each movement on it. A feed tells
// by webhook (Notifier), and some can also be asked (Puller).
package rail

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/thungan/thungan/payment"
)

// ErrUnreadable is for Notifier.Answer: the message is authentic and kept, but
// it, or a part of it, makes no sense. Sending it again would change nothing.
var ErrUnreadable = errors.New("the message cannot be read")

// Notifier understands the webhooks of one provider. It keeps no state and is
// safe for concurrent use.
type Notifier interface {
	// Kind is the provider's name in payment.Feed.Kind, such as "sepay".
	Kind() string

	// CheckSecret says what is wrong with a feed's secret before it is kept.
	CheckSecret(secret string) error

	// Verify returns nil only when msg comes from whoever knows secret, and
	// is not older (or newer) than the provider's signature allows. Every
	// error has payment.CodeUnauthorized and a text that is for our log, not
	// for the sender.
	Verify(msg Message, secret string, now time.Time) error

	// Parse reads the movements that a message tells of. The same body always
	// gives the same credits. It sets the fields of payment.Credit that the
	// sender knows, never ID, Source, ReceivedAt or an outcome. An error means
	// that nothing in the message can be read; a row that cannot is in
	// Parsed.Refused.
	Parse(body []byte) (Parsed, error)

	// Answer is what the provider wants to hear. err is nil when the message
	// was taken in, ErrUnreadable, or an error with a payment.Code. Only nil
	// and, where the provider would else send it over and over, ErrUnreadable
	// get a 2xx.
	Answer(err error) Answer
}

// Message is one HTTP request of a provider.
type Message struct {
	Header http.Header
	Body   []byte // the very bytes that came
}

// Answer is the HTTP answer to a Message.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// Parsed is what a message, or a page of a provider's list, tells of.
type Parsed struct {
	Credits []payment.Credit
	Refused []Refused
}

// Refused is one movement that could not be read.
type Refused struct {
	Row    []byte // as JSON
	Reason string
}

// Puller asks a provider for the movements on an account. It keeps no state.
type Puller interface {
	// CheckAPI says what is wrong with a feed's API credentials (JSON) before
	// they are kept.
	CheckAPI(api string) error

	// Pull makes one request and returns one page. External ids are those of
	// the webhooks wherever the provider has one id for both. A cursor that
	// the Puller does not understand counts as "".
	Pull(ctx context.Context, get Get, q Query) (Pulled, error)
}

// Query is what a Puller is asked for: the movements that happened, or were
// first seen, from Since on.
type Query struct {
	API    string    // the provider's credentials, JSON
	Since  time.Time // the oldest moment of interest
	Until  time.Time // when the first page was asked for
	Cursor string    // Pulled.Cursor of the page before, "" for the first page
}

// Pulled is one page.
type Pulled struct {
	Parsed
	Cursor string // for the next page; "" when there is none
	More   bool   // there is a next page
}

// Get makes an HTTP GET request and returns the whole body of the answer,
// whatever its status. Its errors hold neither the URL's query nor a header.
type Get func(ctx context.Context, url string, header http.Header) (status int, body []byte, err error)
