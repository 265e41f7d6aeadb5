package payment

import (
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/money"
)

// TerminalState says whether a terminal may take sales.
type TerminalState string

// The terminal states.
const (
	TerminalActive TerminalState = "active"
	TerminalLocked TerminalState = "locked"
)

// Terminal is a device at which a merchant's customers pay: by card, or by a QR
// code that it shows.
type Terminal struct {
	ID         string // UUIDv7
	MerchantID string
	PublicID   string // what wires call it, such as TID-01JQ3Q9PCK0AB8; 1 to 20 characters, unique over the gateway
	Name       string // for people: where it stands
	City       string // of the merchant, as a QR code has it; up to 15 characters of ASCII
	Label      string // what a QR code calls it: Q and seven digits
	State      TerminalState
	Methods    []Method // CardPresent, BankTransfer (a QR code), or both

	MaxAmount    money.VND // of one sale; 0 is no limit
	DailyLimit   money.VND // of the sales of one Vietnamese calendar day (+07:00) that are open or paid
	MonthlyLimit money.VND // of one calendar month, likewise
	BatchLimit   money.VND // of the card sales that are not settled yet

	SaleID    string    // the newest card sale; its payment's state says whether the terminal is free
	Batch     int64     // the number of the batch that is open, from 1
	SeenAt    time.Time // when the device last asked for work, to the minute; zero for never
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64
}

// Takes says whether the terminal may take a method.
func (t Terminal) Takes(m Method) bool { return slices.Contains(t.Methods, m) }

// Usable returns why the terminal cannot take sales now, or nil.
func (t Terminal) Usable() error {
	if t.State != TerminalActive {
		return Fail(CodeTerminalUnusable, "the terminal is "+string(t.State))
	}
	return nil
}

// TerminalKey is what a device authenticates with, kept as a hash.
type TerminalKey struct {
	ID         string
	TerminalID string
	Hash       string
	Hint       string // the last four characters, for people
	CreatedAt  time.Time
	RevokedAt  time.Time // zero while it is good
}

// Sale is a payment at a terminal: what the device and its batch add to the
// payment. Amount and state are the payment's.
type Sale struct {
	PaymentID  string
	TerminalID string
	MerchantID string
	Dialect    string
	Method     Method // CardPresent or BankTransfer
	Phone      string // the customer's, as the merchant gave it

	Reason     Decline // why it was not paid, "" unless the device said so
	Reference  string  // the device's own id of the approval
	Approval   string  // the issuer's approval code
	Scheme     Scheme  // of the card, "" when not told
	Card       string  // its last four digits, or ""
	Batch      int64   // the terminal's batch that it is in, 0 for none
	FetchedAt  time.Time
	ReportedAt time.Time
	SettledAt  time.Time // zero while it is not settled
}

// Settled is when the money of p, the sale's payment, was settled; zero for not
// yet. A bank transfer is settled when it arrives.
func (s Sale) Settled(p Payment) time.Time {
	switch {
	case p.State != Approved:
		return time.Time{}
	case s.Method == BankTransfer:
		return p.CompletedAt
	}
	return s.SettledAt
}

// Decline is why a device did not take a card.
type Decline string

// The reasons of a decline.
const (
	DeclineIssuer      Decline = "declined" // the issuer said no
	DeclineFunds       Decline = "insufficient_funds"
	DeclineCardType    Decline = "card_type"       // not a kind that is taken here
	DeclineCardData    Decline = "card_data"       // number, PIN or data wrong
	DeclineRestricted  Decline = "card_restricted" // the card may not do this
	DeclineExpiredCard Decline = "card_expired"
	DeclineUnreadable  Decline = "card_unprocessable" // the card cannot be processed
	DeclineLimit       Decline = "limit"              // above a limit of card or terminal
	DeclineBank        Decline = "bank_error"         // the bank's system failed
	DeclineNetwork     Decline = "network"            // the bank could not be reached
	DeclineSuspicious  Decline = "suspicious"         // looks like fraud
	DeclineFailed      Decline = "failed"             // anything else
)

// Declines lists every reason, for the total tables of the dialects.
var Declines = []Decline{
	DeclineIssuer, DeclineFunds, DeclineCardType, DeclineCardData, DeclineRestricted, DeclineExpiredCard, DeclineUnreadable,
	DeclineLimit, DeclineBank, DeclineNetwork, DeclineSuspicious, DeclineFailed,
}

// Scheme is whose a card is.
type Scheme string

// The card schemes.
const (
	SchemeNAPAS      Scheme = "napas"
	SchemeVisa       Scheme = "visa"
	SchemeMastercard Scheme = "mastercard"
	SchemeJCB        Scheme = "jcb"
	SchemeAmex       Scheme = "amex"
	SchemeUnionPay   Scheme = "unionpay"
)

// Schemes lists every card scheme.
var Schemes = []Scheme{SchemeNAPAS, SchemeVisa, SchemeMastercard, SchemeJCB, SchemeAmex, SchemeUnionPay}

// Domestic says whether the card is Vietnam's own.
func (s Scheme) Domestic() bool { return s == SchemeNAPAS }

// Sold is a sale with its payment.
type Sold struct {
	Payment  Payment
	Sale     Sale
	Terminal Terminal // of a sale that is being opened or handed out; ID "" else
}

// Batch is the card sales of a terminal between two settlements.
type Batch struct {
	TerminalID string
	Number     int64
	Sales      int64     // approved ones
	Amount     money.VND // their sum
	SettledAt  time.Time // zero while it is open
}

// ReasonOf reads the reason of a decline out of an event's text, which begins
// with the word.
func ReasonOf(ev Event) Decline {
	word, _, _ := strings.Cut(ev.Reason, ":")
	if d := Decline(word); slices.Contains(Declines, d) {
		return d
	}
	return DeclineFailed
}
