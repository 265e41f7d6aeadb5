package payment

import (
	"time"

	"github.com/thungan/thungan/money"
)

// AttemptState is where an attempt stands.
type AttemptState string

// The attempt states. Done and failed are final by the acquirer's word, but a
// failed one can still turn out to be done: then its money is taken in like any
// other that comes late.
const (
	AttemptCreating AttemptState = "creating" // the acquirer is being asked for a page; the payer has been sent nowhere
	AttemptSent     AttemptState = "sent"     // the payer has been sent to the acquirer
	AttemptUnknown  AttemptState = "unknown"  // nobody could tell what became of it; it is asked about
	AttemptDone     AttemptState = "done"     // paid
	AttemptFailed   AttemptState = "failed"   // not paid
)

// Final says whether the acquirer has said what became of it.
func (s AttemptState) Final() bool { return s == AttemptDone || s == AttemptFailed }

// Attempt is one try to pay a payment through an acquirer.
type Attempt struct {
	ID          string // UUIDv7
	PaymentID   string
	MerchantID  string
	Number      int64 // 1, 2, ... of the payment
	ConnectorID string
	Kind        string // of the connector, such as "vnpay"
	Method      Method
	Reference   string // what the acquirer knows it by; made by the connector, unique per connector
	ExternalID  string // the acquirer's own id of the transaction, "" while unknown
	Amount      money.VND
	State       AttemptState
	Handoff     Handoff // where the payer was sent
	// Left says that the payer has come back to choose another way to pay. The
	// acquirer is asked about it all the same.
	Left   bool
	Review bool   // a person has to look at it
	Code   string // the acquirer's last code
	Text   string // what it means, in words for an operator

	CreatedAt time.Time
	UpdatedAt time.Time
	ExpiresAt time.Time // until when the acquirer takes the payer's money
	ClosedAt  time.Time // zero while it is not final
}

// Live says whether the payer may be about to pay by it.
func (a Attempt) Live() bool { return !a.State.Final() && !a.Left }

// Handoff is how a browser is sent to an acquirer: a redirect by GET, or a form
// that posts Fields.
type Handoff struct {
	URL    string            `json:"url,omitempty"`
	Fields map[string]string `json:"fields,omitempty"` // nil for a redirect
	QR     string            `json:"qr,omitempty"`     // a text for a QR code that the acquirer's app reads, if there is one
	App    string            `json:"app,omitempty"`    // a deep link into the acquirer's app, if there is one
	// Script is the address of a script of the acquirer's that has to run on
	// the page that sends the payer on (MPGS Hosted Checkout), Session what it
	// is given.
	Script  string `json:"script,omitempty"`
	Session string `json:"session,omitempty"`
}

// Connector is a merchant's contract with an acquirer.
type Connector struct {
	ID         string // UUIDv7
	MerchantID string
	Kind       string   // which acquirer: "vnpay", "momo", "zalopay", "onepay", "mpgs", "sandbox"
	Name       string   // for people
	Methods    []Method // what it is used for
	Config     string   // credentials and addresses, JSON, sealed
	Priority   int64    // the lowest is tried first
	Enabled    bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// ConfigContext binds the sealed configuration to its connector.
func (c Connector) ConfigContext() string { return "connector/" + c.ID }

// Sent says whether the payer was ever given a way to the acquirer.
func (a Attempt) Sent() bool { return a.Handoff.URL != "" || a.Handoff.Script != "" }
