package core

import (
	"context"
	"strings"

	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Who moves a payment, unless it is an operator, who has a name.
const (
	ActorBank     = string(payment.ChannelBank)
	ActorAcquirer = string(payment.ChannelAcquirer)
	ActorTerminal = string(payment.ChannelTerminal) // a device
	ActorPartner  = string(payment.ChannelPartner)
	ActorMerchant = "merchant" // its server
	ActorPayer    = "payer"
	ActorSystem   = "system"
)

// Taken is what became of one bank credit.
type Taken = store.Verdict

// TakeCredits takes bank credits in, in one transaction: each is stored, matched
// and settled or left unapplied; one that was here before changes nothing and
// comes back as Replayed. messageID names the raw message that they were read
// from (it is marked as processed), "" when they were pulled.
func (c *Core) TakeCredits(ctx context.Context, f payment.Feed, messageID string, credits []payment.Credit) ([]Taken, error) {
	stop := c.timed("settle")
	now := c.Now()
	batch := make([]store.Settling, len(credits))
	for i, one := range credits {
		if err := checkCredit(one); err != nil {
			stop(err)
			return nil, c.failed("settle", err)
		}
		one.ID, one.Source, one.ReceivedAt, one.DuplicateOf = c.ids.New(), f.Name, now, ""
		one.Channel, one.Method, one.Outcome = payment.ChannelBank, payment.BankTransfer, payment.OutcomeUnknown
		one = tidy(one)
		batch[i] = store.Settling{Credit: one, Print: fingerprint(one)}
	}
	if err := c.keepApart(ctx, f, batch); err != nil {
		stop(err)
		return nil, c.failed("settle", err)
	}
	virtual, err := c.directory.accounts.get(&c.directory, "", func() ([]payment.ReceivingAccount, error) {
		return view(ctx, c, "settle", func(tx *store.Tx) ([]payment.ReceivingAccount, error) { return tx.VirtualAccountOwners(ctx) })
	})
	if err != nil {
		stop(err)
		return nil, err
	}
	byNumber, err := c.accountsOf(ctx, batch)
	if err != nil {
		stop(err)
		return nil, err
	}
	w := &work{core: c, now: now, virtual: virtual, byNumber: byNumber}
	shared := context.WithoutCancel(ctx) // the transaction is not ours alone
	taken, err := c.store.SettleCredits(ctx, messageID, now, batch, func(tx *store.Tx, credit payment.Credit) (payment.Credit, payment.Payment, error) {
		w.Tx = tx
		return w.settle(shared, f, credit)
	})
	stop(err)
	if err != nil {
		return nil, c.failed("settle", err)
	}
	c.after(w)
	return taken, nil
}

// accountsOf finds the accounts of the numbers that credits were paid to. It is
// done before their transaction, which must not wait for another connection.
func (c *Core) accountsOf(ctx context.Context, batch []store.Settling) (map[string][]payment.ReceivingAccount, error) {
	found := map[string][]payment.ReceivingAccount{}
	for _, one := range batch {
		number := normalAccount(one.Credit.Account)
		if _, had := found[number]; had || number == "" {
			continue
		}
		accounts, err := c.directory.numbers.get(&c.directory, number, func() ([]payment.ReceivingAccount, error) {
			return view(ctx, c, "settle", func(tx *store.Tx) ([]payment.ReceivingAccount, error) {
				return tx.ReceivingAccountsByNumber(ctx, number)
			})
		})
		if err != nil {
			return nil, err
		}
		found[number] = accounts
	}
	return found, nil
}

// settle decides on one new credit.
func (w *work) settle(ctx context.Context, f payment.Feed, c payment.Credit) (payment.Credit, payment.Payment, error) {
	switch {
	case c.Direction != payment.In || c.Amount <= 0:
		c.Outcome, c.Explanation.Reason = payment.OutcomeDirection, "no money came in"
		return c, payment.Payment{}, nil
	case !strings.EqualFold(c.Currency, "VND"):
		c.Outcome, c.Explanation.Reason = payment.OutcomeCurrency, "the money is not đồng"
		return c, payment.Payment{}, nil
	}
	m, err := w.match(ctx, f, c)
	if err != nil {
		return c, payment.Payment{}, err
	}
	c.PaymentID, c.MerchantID, c.AccountID, c.Explanation = m.payment.ID, m.merchantID, m.accountID, m.explanation
	if c.PaymentID == "" {
		c.Outcome = payment.OutcomeUnknown
		return w.hold(ctx, c, payment.Payment{})
	}
	return w.place(ctx, c, m.payment, ActorBank)
}

// place gives a new credit's money to the payment that it is for, which is
// locked; what comes too late or once too often is held until a person decides.
func (w *work) place(ctx context.Context, c payment.Credit, p payment.Payment, actor string) (payment.Credit, payment.Payment, error) {
	var err error
	if p.State == payment.Open && !w.now.Before(p.DueAt) {
		// The due time rules, not how soon the expiry worker gets there.
		if p, err = w.close(ctx, p, payment.ActExpire, ActorSystem, ""); err != nil {
			return c, p, err
		}
	}
	switch {
	case p.State == payment.Approved || p.State == payment.Voided:
		c.Outcome, c.Explanation.Reason = payment.OutcomeDuplicate, "the payment was paid already"
	case p.State.Closed():
		c.Outcome, c.Explanation.Reason = payment.OutcomeLate, "the payment is "+string(p.State)
	default:
		return w.credit(ctx, c, p, holdingOf(c), c.Amount, ledger.KindCredit, actor, "")
	}
	p, err = w.apply(ctx, p, payment.Step{Act: payment.ActLate, Actor: actor, CreditID: c.ID, Reason: c.Explanation.Reason})
	if err != nil {
		return c, p, err
	}
	return w.hold(ctx, c, p)
}

// credit moves an amount from an account, who holds it or one of unapplied money,
// to a payment that is not paid yet.
func (w *work) credit(ctx context.Context, c payment.Credit, p payment.Payment, from ledger.Account, amount money.VND, kind ledger.Kind, actor, reason string) (payment.Credit, payment.Payment, error) {
	before := p.Received
	received, err := money.Add(before, amount)
	if err != nil {
		return c, p, err
	}
	step := payment.Step{Act: payment.ActPay, Actor: actor, Reason: reason, CreditID: c.ID, Receive: amount, Method: c.Method}
	entry := ledger.Entry{Kind: kind, CreditID: c.ID, Actor: actor, Reason: reason}
	excess := max(received-p.Amount, 0)
	switch {
	case received < p.Amount:
		step.Act = payment.ActPart
		c.Outcome, c.Explanation.Reason = payment.OutcomeShort, (p.Amount-received).String()+" đồng are still due"
		err = w.post(ctx, p, entry, ledger.Debit(from, amount), ledger.Credit(ledger.Partial(p.MerchantID), amount))
	default:
		c.Outcome, c.Explanation.Reason = payment.OutcomeExact, "it pays what was due"
		if excess > 0 {
			c.Outcome, c.Explanation.Reason = payment.OutcomeOver, excess.String()+" đồng too much; owed back to the payer"
		}
		err = w.post(ctx, p, entry, ledger.Debit(from, amount), ledger.Debit(ledger.Partial(p.MerchantID), before),
			ledger.Credit(ledger.Sales(p.MerchantID), p.Amount), ledger.Credit(ledger.Excess(p.MerchantID), excess))
	}
	if err != nil {
		return c, p, err
	}
	c.Applied += amount - excess
	c.Unapplied = excess
	p, err = w.apply(ctx, p, step)
	return c, p, err
}

// hold books a credit's money as unapplied until a person decides.
func (w *work) hold(ctx context.Context, c payment.Credit, p payment.Payment) (payment.Credit, payment.Payment, error) {
	c.Unapplied = c.Amount
	return c, p, w.post(ctx, p, ledger.Entry{Kind: ledger.KindCredit, CreditID: c.ID, Actor: string(c.Channel), Reason: string(c.Outcome)},
		ledger.Debit(holdingOf(c), c.Amount), ledger.Credit(ledger.Unapplied(c.MerchantID), c.Amount))
}

// holdingOf is where a credit's money lies.
func holdingOf(c payment.Credit) ledger.Account {
	switch {
	case c.Channel == payment.ChannelAcquirer:
		return ledger.Acquirer(c.AccountID)
	case c.Channel == payment.ChannelTerminal:
		return ledger.Terminal(c.AccountID)
	case c.Channel == payment.ChannelCash:
		return ledger.Cash(c.MerchantID)
	case c.Channel == payment.ChannelPartner:
		return ledger.Partner(c.MerchantID)
	case c.AccountID == "":
		return ledger.BankUnknown(c.Source)
	}
	return ledger.Bank(c.AccountID)
}

// close ends the offer of a payment that is not paid. What was partly paid is
// no longer the payment's: it stands as unapplied until a person decides.
func (w *work) close(ctx context.Context, p payment.Payment, act payment.Act, actor, reason string) (payment.Payment, error) {
	held := p.Received
	if held > 0 {
		credits, err := w.LockAppliedCredits(ctx, p.ID)
		if err != nil {
			return p, err
		}
		for _, c := range credits {
			c.Unapplied += c.Applied
			c.Applied = 0
			c.Explanation.Reason = "the payment closed before it was paid in full"
			if err := w.SaveCredit(ctx, c); err != nil {
				return p, err
			}
		}
		err = w.post(ctx, p, ledger.Entry{Kind: ledger.KindRelease, Actor: actor, Reason: reason},
			ledger.Debit(ledger.Partial(p.MerchantID), held), ledger.Credit(ledger.Unapplied(p.MerchantID), held))
		if err != nil {
			return p, err
		}
	}
	return w.apply(ctx, p, payment.Step{Act: act, Actor: actor, Reason: reason, Receive: -held})
}
