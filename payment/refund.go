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
	ID        string // UUIDv7
	PaymentID string
	Reference string // the merchant's id for it; unique per payment
	Amount    money.VND
	State     RefundState

	CreditID    string // the capture that it is taken from, "" for a pay-out
	AttemptID   string // whose capture that was
	ConnectorID string // who gives the money back
	Manual      bool   // a person gives it back: by bank transfer, or in the acquirer's portal
	Actor       string // who asked for it: "merchant", or an operator's name
	Reason      string

	ExternalID string // the acquirer's id of it
	Code       string // the acquirer's last code
	Text       string // what it means, in words for an operator
	Failure    Code   // why it was denied: CodeInsufficient, or "" for any other reason
	Review     bool   // nobody could tell what became of it; a person has to look
	Asked      bool   // the acquirer was, or was about to be, asked for it
	Told       bool   // the merchant is told that it is under way; otherwise only of its end

	CreatedAt   time.Time
	UpdatedAt   time.Time
	CompletedAt time.Time // zero unless approved
}

// At returns the refund as it was right after ev, an event of its own.
func (r Refund) At(ev Event) Refund {
	switch ev.Act {
	case ActRefund:
		r.State, r.CompletedAt = RefundProcessing, time.Time{}
	case ActRefunded:
		r.State = RefundApproved
	case ActRefundDenied:
		r.State, r.CompletedAt = RefundDenied, time.Time{}
	}
	return r
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
