// Package payment holds the gateway's nouns and rules: payments and their
// state table, merchants and their keys, bank credits, errors. It is pure: it
// knows no HTTP, no SQL and no clock.
package payment

import (
	"time"

	"github.com/thungan/thungan/money"
)

// State is where a payment stands. The legal moves are in Arrows.
type State string

// The states.
const (
	Open       State = "open"       // offered to the payer
	Processing State = "processing" // the payer has acted, the outcome is outstanding
	Approved   State = "approved"   // paid in full
	Denied     State = "denied"     // refused by the acquirer
	Canceled   State = "canceled"   // given up by the payer, the merchant or an operator
	Expired    State = "expired"    // not paid by its due time
	Voided     State = "voided"     // taken back whole before settlement
)

// Closed says whether the offer to the payer has ended.
func (s State) Closed() bool { return s != Open && s != Processing }

// Method is a way to pay.
type Method string

// The methods.
const (
	BankTransfer      Method = "bank_transfer"
	DomesticCard      Method = "domestic_card"
	InternationalCard Method = "international_card"
	CardPresent       Method = "card_present" // a card at a terminal
	MoMo              Method = "momo"         // the MoMo wallet
	ZaloPay           Method = "zalopay"      // the ZaloPay wallet
	VNPayQR           Method = "vnpay_qr"     // a VNPAYQR code, paid from a banking app
	COD               Method = "cod"          // cash on delivery
	AtPartner         Method = "at_partner"   // to a partner, in whatever way
)

// Payment is one amount that a payer is asked for, by one merchant, under that
// merchant's own reference. Times are UTC with millisecond precision.
type Payment struct {
	ID         string // UUIDv7
	MerchantID string
	PlatformID string // the platform that acted for the merchant, or ""
	Dialect    string // the wire protocol that it came by
	Reference  string // the merchant's id for it; unique per merchant and dialect
	Version    int64  // 1 when opened, then one more with each change

	Amount    money.VND // what is asked for
	Received  money.VND // credits and captures, less what was returned
	Refunded  money.VND
	Refunding money.VND

	State    State
	Method   Method   // "" until the payer has chosen
	Methods  []Method // what the payer may choose from
	Transfer Transfer // set when BankTransfer is among Methods

	Description string
	Language    string // of the hosted page: "vi" or "en"
	SuccessURL  string
	CancelURL   string
	NotifyURL   string // this payment's own; "" means the merchant's
	NotifyTo    string // the effective address, filled by the store when it loads a row
	LimitDay    string // the Vietnamese day whose limit it counts for, "" for none

	CreatedAt   time.Time
	DueAt       time.Time
	UpdatedAt   time.Time
	CompletedAt time.Time // zero unless approved
}

// Counts says whether the payment uses up its merchant's limit of the day.
func (p Payment) Counts() bool {
	return p.LimitDay != "" && (!p.State.Closed() || p.State == Approved)
}

// Due is what is still to be paid, never negative.
func (p Payment) Due() money.VND { return max(p.Amount-p.Received, 0) }

// Refundable is what can still be refunded, never negative. What was received
// above the amount is no part of it: it is owed back in any case.
func (p Payment) Refundable() money.VND {
	if p.State != Approved {
		return 0
	}
	return max(min(p.Received, p.Amount)-p.Refunded-p.Refunding, 0)
}

// Excess is what was received above the amount; it is owed back to the payer.
func (p Payment) Excess() money.VND { return max(p.Received-p.Amount, 0) }

// Transfer says where a bank transfer for a payment goes and how it will be
// recognised there.
type Transfer struct {
	AccountID string // the merchant's receiving account
	BIN       string // six digits, State Bank of Vietnam
	Number    string // the account to pay into: the virtual one where there is one
	Holder    string
	Prefix    string // text before the memo code that the bank or its notifier demands
	Code      string // MemoCode(...) or VirtualAccount(...); unique over the gateway
}

// Codes are kept in one column; the first letter says which kind it is.
const (
	memoMark    = "M:"
	virtualMark = "V:"
)

// MemoMatch and VirtualMatch are the texts under which a payment is found from
// a bank credit: by the code in its memo, by the account that it was sent to.
func MemoMatch(code string) string       { return memoMark + code }
func VirtualMatch(account string) string { return virtualMark + account }

// Memo is the text that the payer's transfer has to carry, "" for none.
func (t Transfer) Memo() string {
	switch {
	case t.Code == "":
		return ""
	case t.Code[:2] == virtualMark:
		return t.Code[2:]
	case t.Prefix != "":
		return t.Prefix + " " + t.Code[2:]
	}
	return t.Code[2:]
}

// Event is one change of a payment, with the changing fields as they were
// after it, so that a notice can show the very state that caused it. Opening
// is version 1 and has no event: the row itself is its record.
type Event struct {
	PaymentID string
	Version   int64
	Act       Act
	From, To  State
	At        time.Time
	Actor     string // "bank", "acquirer", "payer", "system", "merchant", or an operator's name
	Reason    string
	CreditID  string // the credit that caused it, or ""
	RefundID  string // the refund that caused it, or ""

	Method      Method
	Received    money.VND
	Refunded    money.VND
	Refunding   money.VND
	CompletedAt time.Time
}

// At returns the payment as it was right after ev.
func (p Payment) At(ev Event) Payment {
	p.Version, p.State, p.Method = ev.Version, ev.To, ev.Method
	p.Received, p.Refunded, p.Refunding = ev.Received, ev.Refunded, ev.Refunding
	p.CompletedAt, p.UpdatedAt = ev.CompletedAt, ev.At
	return p
}
