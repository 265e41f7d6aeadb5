package payment

import (
	"time"

	"github.com/thungan/thungan/money"
)

// RefundState is where a refund stands.
type RefundState string

// The refund states.
const (
	RefundProcessing RefundState = "processing"
	RefundApproved   RefundState = "approved"
	RefundDenied     RefundState = "denied"
)

// Refund is money given back of an approved payment.
type Refund struct {
	ID          string // UUIDv7
	PaymentID   string
	Reference   string // the merchant's id for it; unique per payment
	Amount      money.VND
	State       RefundState
	CreatedAt   time.Time
	CompletedAt time.Time // zero unless approved
}

// Feed is a source of bank credits: one notifier's account of ours. Secret and
// API are sealed.
type Feed struct {
	Name       string // the {source} of /bank-feeds/{source}
	Kind       string // which notifier: "sepay", "casso", "payos", "generic" ...
	MerchantID string // whose accounts it may speak of; "" for everybody's
	Secret     string // what its webhooks are verified with
	API        string // credentials of its transactions API, JSON; "" for none
	Enabled    bool
	SeenUntil  time.Time // every credit up to then has been asked for
	Cursor     string
	PulledAt   time.Time
	PullError  string
	CreatedAt  time.Time
}

// SecretContext and APIContext bind the sealed values to their feed.
func (f Feed) SecretContext() string { return "feed/" + f.Name + "/secret" }
func (f Feed) APIContext() string    { return "feed/" + f.Name + "/api" }
