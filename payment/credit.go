package payment

import (
	"time"

	"github.com/thungan/thungan/money"
)

// Direction is which way money moved on the merchant's account.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Outcome is what became of a bank credit.
type Outcome string

// The outcomes. Only exact, short and over move money to a payment; late,
// duplicate and unknown stand as unapplied until a person decides; the rest
// are no money of ours and only recorded.
const (
	OutcomeExact     Outcome = "exact"           // it paid what was due
	OutcomeShort     Outcome = "short"           // less than is due; the payment stays open, partly paid
	OutcomeOver      Outcome = "over"            // more than was due; the excess is owed back
	OutcomeLate      Outcome = "late"            // after the offer had ended
	OutcomeDuplicate Outcome = "duplicate"       // the payment was paid already
	OutcomeUnknown   Outcome = "unknown"         // no payment could be told from it
	OutcomeRepeated  Outcome = "repeated"        // the same transfer, told by another notice
	OutcomeDirection Outcome = "wrong_direction" // money out
	OutcomeCurrency  Outcome = "other_currency"  // not đồng
)

// Holds says whether money of this outcome stands as unapplied.
func (o Outcome) Holds() bool {
	return o == OutcomeLate || o == OutcomeDuplicate || o == OutcomeUnknown
}

// Channel is the way on which money came in.
type Channel string

// The channels.
const (
	ChannelBank     Channel = "bank"     // a transfer into a bank account of the merchant's
	ChannelAcquirer Channel = "acquirer" // captured by an acquirer, who owes it to the merchant
	ChannelTerminal Channel = "terminal" // approved at a card terminal; its acquirer owes it to the merchant
	ChannelCash     Channel = "cash"     // collected in notes
	ChannelPartner  Channel = "partner"  // collected by a partner, who said so
)

// Credit is money that came in as somebody told it: a movement on a bank
// account, an acquirer's capture, a terminal's approval, cash. With it is kept
// what became of it.
type Credit struct {
	ID         string // UUIDv7
	Channel    Channel
	Method     Method // how the payer paid it
	Source     string // the feed, or who else told of it
	ExternalID string // the source's id of it; with Source the first guard against doubles

	BIN            string // of the bank that received it, "" when the notifier names none
	Account        string // the merchant's account, "" when not told
	VirtualAccount string // the virtual account that it was sent to, or ""
	Amount         money.VND
	Currency       string // "VND", or what the notifier says
	Direction      Direction
	Memo           string // the transfer's text as it came, up to 1000 characters
	Reference      string // the bank's reference; part of the second guard against doubles
	OrderCode      string // an id of ours that the notifier carries beside the memo, or ""
	OccurredAt     time.Time
	ReceivedAt     time.Time

	Outcome     Outcome
	PaymentID   string // the payment that it was matched to, also when it came late
	MerchantID  string // whose money it is, "" while nobody knows
	AccountID   string // the receiving account, "" when unknown; by channel also the connector or the terminal
	DuplicateOf string // for OutcomeRepeated: the credit that was first
	Applied     money.VND
	Unapplied   money.VND // what waits for a person: unapplied money or an excess
	Returned    money.VND
	Explanation Explanation
}

// Explanation says why a credit matched or did not: what was seen in it, and
// what was rejected.
type Explanation struct {
	By     string   `json:"by,omitempty"`     // "virtual_account", "memo", "operator"
	Code   string   `json:"code,omitempty"`   // the code that decided
	Seen   []string `json:"seen,omitempty"`   // every candidate, with what spoke against it
	Reason string   `json:"reason,omitempty"` // the outcome in words
}
