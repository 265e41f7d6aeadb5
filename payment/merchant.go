package payment

import (
	"time"

	"github.com/thungan/thungan/money"
)

// MerchantState says whether a merchant may take money.
type MerchantState string

// The merchant states. Locked is meant to be undone, closed is not.
const (
	MerchantActive MerchantState = "active"
	MerchantLocked MerchantState = "locked"
	MerchantClosed MerchantState = "closed"
)

// MerchantKind tells those who sell from those who act for them.
type MerchantKind string

// The merchant kinds.
const (
	KindMerchant MerchantKind = "merchant"
	KindPlatform MerchantKind = "platform"
)

// Merchant is somebody who takes money, or a platform that acts for such.
type Merchant struct {
	ID        string // UUIDv7
	Kind      MerchantKind
	Name      string // up to 255 characters
	State     MerchantState
	MinAmount money.VND // of one payment; 0 is no limit
	MaxAmount money.VND // of one payment; 0 is no limit
	// DailyLimit bounds the sum of the payments opened on one Vietnamese
	// calendar day (+07:00) that are open or paid; 0 is no limit.
	DailyLimit money.VND
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Version    int64
}

// Usable returns why m cannot take payments now, or nil.
func (m Merchant) Usable() error {
	locked, closed := CodeMerchantLocked, CodeMerchantClosed
	if m.Kind == KindPlatform {
		locked, closed = CodePlatformLocked, CodePlatformClosed
	}
	switch m.State {
	case MerchantLocked:
		return Fail(locked, "the "+string(m.Kind)+" is locked")
	case MerchantClosed:
		return Fail(closed, "the "+string(m.Kind)+" is closed")
	}
	return nil
}

// Profile is how a merchant is known in one dialect.
type Profile struct {
	MerchantID string
	Dialect    string
	PublicID   string // the dialect's name for it, such as Paykit's mid; unique over the gateway
	NotifyURL  string // where IPNs go when the payment names no address; "" for nowhere
	SuccessURL string // platforms: where payers are sent back to
	CancelURL  string
	// NotifySecret authenticates our IPNs to the receiver, sealed by the vault
	// with the profile's SecretContext.
	NotifySecret string
}

// SecretContext binds a sealed secret to its profile.
func (p Profile) SecretContext() string { return "profile/" + p.MerchantID + "/" + p.Dialect }

// Key is a pair that authenticates calls in one dialect. Both halves are kept
// as hashes only, but for a secret that its owner signs with.
type Key struct {
	ID         string
	MerchantID string
	Dialect    string
	KeyHash    string // what it is found by
	SecretHash string // what it is checked by when the owner sends it
	Secret     string // what the owner signs with, sealed with SecretContext; "" in dialects where it is sent
	Hint       string // the last four characters of the key, for people
	CreatedAt  time.Time
	RevokedAt  time.Time // zero while it is good
}

// SecretContext binds the sealed secret to its key.
func (k Key) SecretContext() string { return "key/" + k.ID }

// Recognition is how a transfer into an account is known to be for a payment.
type Recognition string

// The two ways.
const (
	ByMemo           Recognition = "memo"            // a code in the transfer's text
	ByVirtualAccount Recognition = "virtual_account" // an account number made for the payment
)

// ReceivingAccount is a bank account that a merchant is paid into.
type ReceivingAccount struct {
	ID         string
	MerchantID string
	BIN        string // six digits
	Number     string // 1 to 19 letters and digits
	Holder     string // as the bank writes it, without marks; up to 100 characters
	Recognise  Recognition
	Prefix     string // virtual accounts start with it; memos carry it before the code
	Enabled    bool
	CreatedAt  time.Time
}
