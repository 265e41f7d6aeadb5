package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// DefaultDue is how long a payment is offered when nobody says otherwise.
const DefaultDue = 30 * time.Minute

// MaxAmount is the largest amount of one payment: a VietQR payload has 13
// places for it (NAPAS VietQR 1.0, field 54).
const MaxAmount = money.VND(9_999_999_999_999)

// Opening is a request for a new payment, by a merchant that the dialect has
// authenticated.
type Opening struct {
	Merchant    payment.Merchant
	Platform    payment.Merchant // who acts for the merchant; ID "" for nobody
	Dialect     string
	Reference   string // the merchant's own id for it
	Amount      money.VND
	Methods     []payment.Method // what the payer may choose from, in the merchant's order
	Description string
	Language    string    // "vi" or "en"; "" is "vi"
	DueAt       time.Time // zero is in 30 minutes
	SuccessURL  string
	CancelURL   string
	NotifyURL   string // "" is the merchant's or platform's registered one
}

// Open makes a new payment. It refuses, in this order: CodePlatformLocked or
// Closed, CodeMerchantLocked or Closed, CodeInvalidRequest, CodeMethodNotSupported,
// CodeInvalidAmount, CodeInvalidDueTime, CodeTotalLimit,
// CodeDuplicateReference.
func (c *Core) Open(ctx context.Context, o Opening) (payment.Payment, error) {
	stop := c.timed("open")
	p, err := c.open(ctx, o)
	stop(err)
	if err != nil {
		return payment.Payment{}, c.failed("open", err)
	}
	return p, nil
}

func (c *Core) open(ctx context.Context, o Opening) (payment.Payment, error) {
	p, account, err := c.build(ctx, o)
	if err != nil {
		return payment.Payment{}, err
	}
	return c.insert(ctx, p, o.Merchant.DailyLimit, account)
}

// build makes the payment that an opening asks for, with the account for
// transfers; nothing is stored yet.
func (c *Core) build(ctx context.Context, o Opening) (payment.Payment, payment.ReceivingAccount, error) {
	refuse := func(err error) (payment.Payment, payment.ReceivingAccount, error) {
		return payment.Payment{}, payment.ReceivingAccount{}, err
	}
	if o.Platform.ID != "" {
		if err := o.Platform.Usable(); err != nil {
			return refuse(err)
		}
	}
	if err := o.Merchant.Usable(); err != nil {
		return refuse(err)
	}
	if err := checkOpening(o); err != nil {
		return refuse(err)
	}
	methods, account, err := c.enabled(ctx, o.Merchant.ID, o.Methods)
	if err != nil {
		return refuse(err)
	}
	p, err := c.newPayment(o, methods)
	if err != nil {
		return refuse(err)
	}
	return p, account, nil
}

// newPayment makes the payment that an opening asks for, by methods that the
// merchant can take.
func (c *Core) newPayment(o Opening, methods []payment.Method) (payment.Payment, error) {
	if err := amountAllowed(o.Merchant, o.Amount); err != nil {
		return payment.Payment{}, err
	}
	now := c.Now()
	due := o.DueAt
	if due.IsZero() {
		due = now.Add(DefaultDue)
	}
	if due = due.UTC().Truncate(time.Millisecond); !due.After(now) {
		return payment.Payment{}, payment.Fail(payment.CodeInvalidDueTime, "the due time has passed")
	}
	p := payment.Payment{
		ID: c.ids.New(), MerchantID: o.Merchant.ID, PlatformID: o.Platform.ID, Dialect: o.Dialect, Reference: o.Reference, Version: 1,
		Amount: o.Amount, State: payment.Open, Methods: methods, Description: o.Description, Language: o.Language,
		SuccessURL: o.SuccessURL, CancelURL: o.CancelURL, NotifyURL: o.NotifyURL,
		CreatedAt: now, UpdatedAt: now, DueAt: due,
	}
	if p.Language == "" {
		p.Language = "vi"
	}
	if len(methods) == 1 {
		p.Method = methods[0]
	}
	if o.Merchant.DailyLimit > 0 {
		p.LimitDay = now.In(clock.Vietnam).Format(time.DateOnly)
	}
	return p, nil
}

// checkOpening refuses texts that the databases cannot keep or may not. What a reference
// or an address may look like is the dialect's to say.
func checkOpening(o Opening) error {
	if o.Reference == "" || utf8.RuneCountInString(o.Reference) > maxName {
		return invalid("reference", fmt.Sprintf("has 1 to %d characters", maxName))
	}
	if o.Reference == "." || o.Reference == ".." { // see PageURL
		return invalid("reference", "may not be one dot or two: browsers drop them from addresses")
	}
	for _, text := range []struct{ field, text string }{
		{"reference", o.Reference}, {"description", o.Description}, {"language", o.Language},
		{"success_url", o.SuccessURL}, {"cancel_url", o.CancelURL}, {"notify_url", o.NotifyURL},
	} {
		if !storable(text.text) {
			return invalid(text.field, "has characters that are no text")
		}
		if err := noCard(text.field, text.text); err != nil {
			return err
		}
	}
	return nil
}

// codeTries bounds how many transfer codes are tried for one payment. They are
// random, so a taken one is rare and the next one free.
const codeTries = 8

// insert stores a payment.
func (c *Core) insert(ctx context.Context, p payment.Payment, limit money.VND, account payment.ReceivingAccount) (payment.Payment, error) {
	return c.underFreeCode(p, account, func(p payment.Payment) error {
		verdicts, err := c.store.OpenPayments(ctx, []store.Opening{{Payment: p, DailyLimit: limit}})
		if err != nil {
			return err
		}
		return verdicts[0]
	})
}

// underFreeCode has a payment inserted under a transfer code that nobody has, if
// it takes transfers. Insert says by store.ErrCodeTaken that somebody has it.
func (c *Core) underFreeCode(p payment.Payment, account payment.ReceivingAccount, insert func(payment.Payment) error) (payment.Payment, error) {
	for range codeTries {
		if account.ID != "" {
			transfer, err := c.transfer(account)
			if err != nil {
				return p, err
			}
			p.Transfer = transfer
		}
		if err := insert(p); !errors.Is(err, store.ErrCodeTaken) {
			return p, err
		}
	}
	return p, payment.Fail(payment.CodeBusy, "no free transfer code was found")
}

// transfer makes the way in which a payer reaches an account for one payment.
func (c *Core) transfer(a payment.ReceivingAccount) (payment.Transfer, error) {
	t := payment.Transfer{AccountID: a.ID, BIN: a.BIN, Number: a.Number, Holder: a.Holder, Prefix: a.Prefix}
	if a.Recognise == payment.ByVirtualAccount {
		number, err := c.ids.VirtualAccount(a.Prefix)
		if err != nil {
			return t, &payment.Error{Code: payment.CodeInternal, Cause: err}
		}
		t.Number, t.Code = number, payment.VirtualMatch(number)
		return t, nil
	}
	t.Code = payment.MemoMatch(c.ids.MemoCode())
	return t, nil
}

// enabled returns those of the wanted methods that the merchant can take now,
// with the account for transfers.
func (c *Core) enabled(ctx context.Context, merchantID string, wanted []payment.Method) ([]payment.Method, payment.ReceivingAccount, error) {
	var methods []payment.Method
	var account payment.ReceivingAccount
	for _, m := range wanted {
		switch {
		case slices.Contains(methods, m):
			continue
		case m == payment.CardPresent, m == payment.COD, m == payment.AtPartner:
			methods = append(methods, m) // who may sell so is the dialect's to know
			continue
		case m != payment.BankTransfer:
			connectors, err := c.ConnectorsFor(ctx, merchantID, m)
			if err != nil {
				return nil, account, err
			}
			if len(connectors) > 0 {
				methods = append(methods, m)
			}
			continue
		}
		accounts, err := c.directory.accounts.get(&c.directory, merchantID, func() ([]payment.ReceivingAccount, error) {
			return view(ctx, c, "receiving_accounts", func(tx *store.Tx) ([]payment.ReceivingAccount, error) { return tx.ReceivingAccounts(ctx, merchantID) })
		})
		if err != nil {
			return nil, account, err
		}
		if i := slices.IndexFunc(accounts, func(a payment.ReceivingAccount) bool { return a.Enabled }); i >= 0 {
			account = accounts[i]
			methods = append(methods, m)
		}
	}
	if len(methods) == 0 {
		return nil, account, payment.Fail(payment.CodeMethodNotSupported, "the merchant cannot take this payment method")
	}
	return methods, account, nil
}

func amountAllowed(m payment.Merchant, amount money.VND) error {
	switch {
	case amount <= 0:
		return payment.Fail(payment.CodeInvalidAmount, "the amount has to be positive")
	case amount > MaxAmount:
		return payment.Fail(payment.CodeInvalidAmount, "the amount has more than 13 digits")
	case m.MinAmount > 0 && amount < m.MinAmount:
		return payment.Fail(payment.CodeInvalidAmount, "the amount is below the merchant's minimum of "+m.MinAmount.String()+" đồng")
	case m.MaxAmount > 0 && amount > m.MaxAmount:
		return payment.Fail(payment.CodeInvalidAmount, "the amount is above the merchant's maximum of "+m.MaxAmount.String()+" đồng")
	}
	return nil
}
