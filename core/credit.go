package core

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Bounds of what a notifier tells, in characters. Longer texts are cut; the
// message that they came in is kept whole.
const (
	maxMemo       = 1000
	maxCreditText = 100
	maxExternalID = 255
)

// MaxCredit is the largest movement that is believed, in đồng; more is a broken
// notice. It leaves room for the sums of thousands of them.
const MaxCredit = money.VND(999_999_999_999_999)

// checkCredit refuses what cannot be a movement on a bank account.
func checkCredit(c payment.Credit) error {
	switch {
	case c.ExternalID == "" || !storable(c.ExternalID) || utf8.RuneCountInString(c.ExternalID) > maxExternalID:
		return invalid("external_id", "of a bank credit has 1 to 255 characters")
	case c.Amount > MaxCredit:
		return payment.Fail(payment.CodeInvalidAmount, "no bank credit has more than 15 digits")
	case c.Direction != payment.In && c.Direction != payment.Out:
		return invalid("direction", "of a bank credit is in or out")
	}
	return nil
}

// tidy brings a credit into the form in which it is kept.
func tidy(c payment.Credit) payment.Credit {
	for _, text := range []*string{&c.BIN, &c.Currency} {
		*text = cut(pan.Hide(*text), maxCreditText)
	}
	for _, text := range []*string{&c.Account, &c.VirtualAccount, &c.Reference, &c.OrderCode} {
		*text = cut(pan.HideInName(*text), maxCreditText)
	}
	c.ExternalID, c.Memo = pan.HideInName(c.ExternalID), cut(pan.Hide(c.Memo), maxMemo)
	if c.Currency == "" {
		c.Currency = "VND"
	}
	if c.OccurredAt.IsZero() {
		c.OccurredAt = c.ReceivedAt
	}
	return c
}

// cut drops what is no text and what is too long.
func cut(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	n := 0
	for i := range s {
		if n == most {
			return s[:i]
		}
		n++
	}
	return s
}

// fingerprint is equal for two notices of one transfer: same account, bank
// reference and amount. A credit that names no reference has none.
func fingerprint(c payment.Credit) string {
	reference := normalAccount(c.Reference)
	account := normalAccount(c.Account)
	if account == "" {
		account = normalAccount(c.VirtualAccount)
	}
	if reference == "" || account == "" || c.Direction != payment.In {
		return ""
	}
	return account + "|" + reference + "|" + c.Amount.String() + "|" + strings.ToUpper(c.Currency)
}

// keepApart marks the prints of credits that a merchant's own feed tells of
// accounts that are not the merchant's: such a notice must not make the true
// one, of the account's owner, look as if it had been told before.
func (c *Core) keepApart(ctx context.Context, f payment.Feed, batch []store.Settling) error {
	if f.MerchantID == "" {
		return nil
	}
	var accounts []payment.ReceivingAccount
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		accounts, err = tx.ReceivingAccounts(ctx, f.MerchantID)
		return err
	})
	for i, one := range batch {
		if one.Print != "" && !anyHolds(accounts, one.Credit) {
			batch[i].Print = f.MerchantID + "|" + one.Print
		}
	}
	return err
}

func anyHolds(accounts []payment.ReceivingAccount, c payment.Credit) bool {
	number := normalAccount(c.Account)
	if number == "" {
		number = normalAccount(c.VirtualAccount)
	}
	for _, a := range accounts {
		virtual := a.Recognise == payment.ByVirtualAccount && strings.HasPrefix(number, a.Prefix)
		if (number == a.Number || virtual) && (c.BIN == "" || c.BIN == a.BIN) {
			return true
		}
	}
	return false
}
