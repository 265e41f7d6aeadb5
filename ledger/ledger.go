// Package ledger is double-entry bookkeeping: every movement of money is an
// Entry whose postings sum to zero. Debits are positive, credits negative.
//
// The ledger records facts about money that lies in the merchant's own bank
// accounts; the gateway holds none itself.
package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/thungan/thungan/money"
)

// Account names one account, such as "bank:<receiving account>". Build it with
// the functions below; the text is what trial balances and exports show.
type Account string

// Bank is money that a bank says has reached one of the merchant's accounts.
func Bank(receivingAccountID string) Account { return Account("bank:" + receivingAccountID) }

// BankUnknown is money that a notifier reported for an account that no
// merchant has registered.
func BankUnknown(source string) Account { return Account("bank:unknown:" + source) }

// Acquirer is money that an acquirer has captured and owes to the merchant.
func Acquirer(connectorID string) Account { return Account("acquirer:" + connectorID) }

// Terminal is money of card sales that a terminal has approved.
func Terminal(terminalID string) Account { return Account("terminal:" + terminalID) }

// Cash is money that was collected in notes.
func Cash(merchantID string) Account { return Account("cash:" + merchantID) }

// Partner is money that a partner has collected and said so.
func Partner(merchantID string) Account { return Account("partner:" + merchantID) }

// Refunding is money of approved payments that is on its way back.
func Refunding(merchantID string) Account { return Account("merchant:" + merchantID + ":refunding") }

// Sales is what the merchant has earned: the amounts of approved payments.
func Sales(merchantID string) Account { return Account("merchant:" + merchantID + ":sales") }

// Partial is money received towards payments that are not yet paid in full.
func Partial(merchantID string) Account { return Account("merchant:" + merchantID + ":partial") }

// Excess is money received above a payment's amount; it is owed back.
func Excess(merchantID string) Account { return Account("merchant:" + merchantID + ":excess") }

// Unapplied is money that settled nothing and waits for a person. The merchant
// is empty while nobody knows whose it is.
func Unapplied(merchantID string) Account {
	if merchantID == "" {
		return "gateway:unapplied"
	}
	return Account("merchant:" + merchantID + ":unapplied")
}

// Posting is one line of an entry, in đồng: debit positive, credit negative.
type Posting struct {
	Account Account
	Amount  money.VND
}

// Debit and Credit make postings of a positive amount.
func Debit(a Account, v money.VND) Posting  { return Posting{a, v} }
func Credit(a Account, v money.VND) Posting { return Posting{a, -v} }

// Kind says why an entry was made.
type Kind string

// The kinds of entry.
const (
	KindCredit   Kind = "credit"   // money came in
	KindRelease  Kind = "release"  // a partly paid payment closed unpaid
	KindApply    Kind = "apply"    // a person applied unapplied money to a payment
	KindReturned Kind = "returned" // a person recorded that money went back to its payer
	KindRefund   Kind = "refund"   // a refund was asked for
	KindRefunded Kind = "refunded" // its money went back
	KindRefused  Kind = "refused"  // it did not, and is the merchant's again
	KindVoid     Kind = "void"     // a sale was taken back whole before settlement
)

// Entry is one balanced movement. It can only be made by New, so an Entry that
// does not sum to zero does not exist.
type Entry struct {
	ID        string
	Kind      Kind
	PaymentID string // "" when no payment is concerned
	CreditID  string // the bank credit, "" when several or none
	Actor     string // who: "bank", "system", or an operator's name
	Reason    string // why, in a person's words; may be ""
	At        time.Time
	postings  []Posting
}

// Errors of New.
var (
	ErrUnbalanced = errors.New("ledger: postings do not sum to zero")
	ErrEmpty      = errors.New("ledger: an entry needs at least two postings")
)

// New builds an entry from e's descriptive fields and the postings. Postings of
// zero are left out, so that callers need not branch on parts that may be
// nothing.
func New(e Entry, postings ...Posting) (Entry, error) {
	e.postings = make([]Posting, 0, len(postings))
	var sum money.VND
	for _, p := range postings {
		if p.Amount == 0 {
			continue
		}
		if p.Account == "" {
			return Entry{}, fmt.Errorf("ledger: posting of %d without an account", p.Amount)
		}
		var err error
		if sum, err = money.Add(sum, p.Amount); err != nil {
			return Entry{}, err
		}
		e.postings = append(e.postings, p)
	}
	if len(e.postings) < 2 {
		return Entry{}, ErrEmpty
	}
	if sum != 0 {
		return Entry{}, fmt.Errorf("%w: off by %d", ErrUnbalanced, sum)
	}
	return e, nil
}

// Postings returns a copy of the entry's lines.
func (e Entry) Postings() []Posting { return append([]Posting(nil), e.postings...) }

// Balance is one account's total.
type Balance struct {
	Account Account   `json:"account"`
	Debit   money.VND `json:"debit"`   // sum of the positive postings
	Credit  money.VND `json:"credit"`  // sum of the negative ones, written positive
	Balance money.VND `json:"balance"` // debit minus credit
}
