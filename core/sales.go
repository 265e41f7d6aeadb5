package core

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// SaleDue is how long a sale at a terminal is offered when nobody says
// otherwise.
const SaleDue = 15 * time.Minute

// SaleGrace is how long after a sale's due time a device that has fetched it
// may still tell of it. Then the sale expires; an approval that comes later is
// recorded as late.
const SaleGrace = 3 * time.Minute

// Selling is a request for a sale at a terminal. Opening.Methods is the one
// method: CardPresent, or BankTransfer for a QR code.
type Selling struct {
	Opening
	Terminal string // its public id
	Phone    string // the customer's, up to 20 characters; may be ""
}

// OpenSale opens a payment at a terminal. It refuses as Open does, and after
// the merchant's state CodeTerminalUnusable; after the amount CodeTotalLimit for
// the terminal's limits of a sale, a day and a month, CodeSettleFirst for that
// of its batch, and CodeTerminalBusy while a card sale is under way at it. A
// reference that was used before is CodeDuplicateReference before any of the
// terminal's own.
func (c *Core) OpenSale(ctx context.Context, s Selling) (payment.Sold, error) {
	stop := c.timed("open_sale")
	sold, err := c.openSale(ctx, s)
	stop(err)
	if err != nil {
		return payment.Sold{}, c.failed("open_sale", err)
	}
	return sold, nil
}

func (c *Core) openSale(ctx context.Context, s Selling) (payment.Sold, error) {
	var t payment.Terminal
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		t, err = tx.TerminalByPublicID(ctx, s.Terminal)
		return err
	})
	if payment.CodeOf(err) == payment.CodeNotFound || err == nil && t.MerchantID != s.Merchant.ID {
		err = payment.Fail(payment.CodeTerminalUnusable, noSuchTerminal)
	}
	if usable := s.Merchant.Usable(); usable != nil {
		return payment.Sold{}, usable
	}
	if err == nil {
		err = t.Usable()
	}
	if err != nil {
		return payment.Sold{}, err
	}
	if s.DueAt.IsZero() {
		s.DueAt = c.Now().Add(SaleDue)
	}
	p, account, err := c.build(ctx, s.Opening)
	if err != nil {
		return payment.Sold{}, err
	}
	if len(p.Methods) != 1 {
		return payment.Sold{}, payment.Fail(payment.CodeInvalidRequest, "a sale at a terminal has one method")
	}
	if err := noCard("phone", s.Phone); err != nil {
		return payment.Sold{}, err
	}
	sale := payment.Sale{PaymentID: p.ID, TerminalID: t.ID, MerchantID: p.MerchantID, Dialect: p.Dialect, Method: p.Method, Phone: s.Phone}
	p, err = c.underFreeCode(p, account, func(p payment.Payment) error { return c.insertSale(ctx, p, s.Merchant.DailyLimit, sale) })
	return payment.Sold{Payment: p, Sale: sale, Terminal: t}, err
}

const noSuchTerminal = "the terminal is unknown, or another merchant's"

// insertSale stores a sale if its terminal may take it now. The terminal is
// locked, so that of two card sales at once one is refused.
func (c *Core) insertSale(ctx context.Context, p payment.Payment, limit money.VND, sale payment.Sale) error {
	var w *work
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		w = &work{Tx: tx, core: c, now: c.Now()}
		t, err := w.LockTerminal(ctx, sale.TerminalID)
		if err != nil {
			return err
		}
		if err := t.Usable(); err != nil {
			return err
		}
		if !t.Takes(sale.Method) {
			return payment.Fail(payment.CodeMethodNotSupported, "the terminal cannot take this payment method")
		}
		refused := w.terminalAllows(ctx, t, p)
		if code := payment.CodeOf(refused); code == payment.CodeInternal || code == payment.CodeBusy {
			return refused
		}
		// A reference that was used before is told first: whoever repeats a
		// request must not take its own first sale for somebody else's.
		verdict, err := w.OpenSale(ctx, store.Opening{Payment: p, DailyLimit: limit}, sale)
		if err != nil || verdict != nil {
			return errors.Join(err, verdict)
		}
		if refused != nil {
			return refused // takes the insertion back
		}
		if sale.Method == payment.CardPresent {
			t.SaleID = p.ID
		}
		return w.saveTerminal(ctx, &t)
	})
	if err == nil {
		c.after(w)
	}
	return err
}

// terminalAllows says why a locked terminal may not take p, or nil.
func (w *work) terminalAllows(ctx context.Context, t payment.Terminal, p payment.Payment) error {
	if t.MaxAmount > 0 && p.Amount > t.MaxAmount {
		return payment.Fail(payment.CodeTotalLimit, "the amount is above the terminal's limit of "+t.MaxAmount.String()+" đồng a sale")
	}
	local := w.now.In(clock.Vietnam)
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, clock.Vietnam)
	month := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, clock.Vietnam)
	for _, l := range []struct {
		limit money.VND
		since time.Time
		span  string
	}{{t.DailyLimit, day, "day"}, {t.MonthlyLimit, month, "month"}} {
		if l.limit == 0 {
			continue
		}
		used, err := w.TerminalUsage(ctx, t.ID, firstID(l.since))
		if err != nil {
			return err
		}
		if sum, err := money.Add(used, p.Amount); err != nil || sum > l.limit {
			return payment.Fail(payment.CodeTotalLimit, "the terminal's limit of "+l.limit.String()+" đồng a "+l.span+" would be exceeded")
		}
	}
	if p.Method != payment.CardPresent {
		return nil
	}
	if t.BatchLimit > 0 {
		batch, err := w.OpenBatch(ctx, t.ID, t.Batch)
		if err != nil {
			return err
		}
		if sum, err := money.Add(batch.Amount, p.Amount); err != nil || sum > t.BatchLimit {
			return payment.Fail(payment.CodeSettleFirst, "the terminal has to settle its batch before it takes more")
		}
	}
	if t.SaleID == "" {
		return nil
	}
	newest, err := w.Payment(ctx, t.SaleID)
	if err != nil {
		return err
	}
	if w.underWay(newest) {
		return payment.Fail(payment.CodeTerminalBusy, "the terminal has a sale under way: "+newest.Reference)
	}
	return nil
}

// underWay says whether a card sale is still offered or at the device. The due
// time rules, not how soon the expiry worker gets there.
func (w *work) underWay(p payment.Payment) bool {
	return p.State == payment.Processing || p.State == payment.Open && w.now.Before(p.DueAt)
}

// terminalSignal is what those who wait for work of a terminal watch.
func terminalSignal(terminalID string) string { return "terminal/" + terminalID }

// NextSale hands out the card sale that waits for a terminal: one that is open
// becomes processing, and one that the device has fetched before, and not told
// of, comes again. ok is false when there is none. A locked terminal is
// CodeTerminalUnusable.
func (c *Core) NextSale(ctx context.Context, terminalID string) (sold payment.Sold, ok bool, err error) {
	t, err := c.Terminal(ctx, terminalID)
	if err != nil {
		return sold, false, err
	}
	if err := t.Usable(); err != nil {
		return sold, false, err
	}
	if c.Now().Sub(t.SeenAt) >= time.Minute {
		if err := c.update(ctx, "see_terminal", func(w *work) error { return w.SeeTerminal(ctx, t.ID, w.now) }); err != nil {
			return sold, false, err
		}
	}
	if t.SaleID == "" {
		return sold, false, nil
	}
	p, err := c.Payment(ctx, t.SaleID)
	if err != nil || p.State.Closed() {
		return sold, false, err
	}
	err = c.update(ctx, "next_sale", func(w *work) (err error) {
		ok = false
		if sold, err = w.lockSale(ctx, t.ID, t.SaleID); err != nil || !w.underWay(sold.Payment) {
			return err
		}
		ok, sold.Terminal = true, t
		if sold.Payment.State == payment.Processing {
			return nil
		}
		if sold.Payment, err = w.apply(ctx, sold.Payment, payment.Step{Act: payment.ActProcess, Actor: ActorTerminal}); err != nil {
			return err
		}
		sold.Sale.FetchedAt = w.now
		return w.SaveSale(ctx, sold.Sale)
	})
	return sold, ok && err == nil, err
}

// AwaitSale is NextSale that waits for a sale until ctx ends.
func (c *Core) AwaitSale(ctx context.Context, terminalID string) (sold payment.Sold, ok bool, err error) {
	signal, leave := c.watchers.join(terminalSignal(terminalID))
	defer leave()
	for {
		// What was begun is finished: a sale that is handed out is not lost with
		// the waiting.
		if sold, ok, err = c.NextSale(context.WithoutCancel(ctx), terminalID); ok || err != nil {
			return sold, ok, err
		}
		wait, cancel := context.WithTimeout(ctx, recheck) // other nodes open sales too
		select {
		case <-signal:
		case <-wait.Done():
		}
		cancel()
		if ctx.Err() != nil {
			return sold, false, nil
		}
	}
}

var (
	errNoSale   = payment.Fail(payment.CodePaymentNotFound, "the terminal has no such sale")
	errPaidByQR = payment.Fail(payment.CodeInvalidState, "the sale is paid by QR code, not at the device")
)

// lockSale locks a terminal, then a payment, and loads the sale, which has to
// be the terminal's. CodePaymentNotFound otherwise.
func (w *work) lockSale(ctx context.Context, terminalID, paymentID string) (payment.Sold, error) {
	if _, err := w.LockTerminal(ctx, terminalID); err != nil {
		return payment.Sold{}, err
	}
	p, err := w.LockPayment(ctx, paymentID)
	if err != nil {
		return payment.Sold{}, err
	}
	s, ok, err := w.Sale(ctx, paymentID)
	if err == nil && (!ok || s.TerminalID != terminalID) {
		err = errNoSale
	}
	return payment.Sold{Payment: p, Sale: s}, err
}

// SaleOutcome is what a device says became of a sale.
type SaleOutcome string

// The outcomes.
const (
	SaleApproved SaleOutcome = "approved"
	SaleDeclined SaleOutcome = "declined"
	SaleCanceled SaleOutcome = "cancelled" // by the customer or the cashier
	SaleTimedOut SaleOutcome = "timed_out" // nobody presented a card
)

// SaleReport is a device's word on a card sale.
type SaleReport struct {
	TerminalID string
	PaymentID  string
	Outcome    SaleOutcome
	Reason     payment.Decline // when declined; "" is DeclineIssuer
	Reference  string          // when approved: the device's own id of it, 1 to 64 characters; told twice, it counts once
	Approval   string          // the issuer's approval code, up to 12 letters and digits, or ""
	Scheme     payment.Scheme  // or ""
	Card       string          // the last four digits, or ""
	OccurredAt time.Time       // zero is now
}

var (
	approvalForm = regexp.MustCompile(`^[A-Za-z0-9]{0,12}$`)
	cardForm     = regexp.MustCompile(`^([0-9]{4})?$`)
)

const maxDeviceReference = 64

func checkReport(r SaleReport) error {
	switch {
	case !slices.Contains([]SaleOutcome{SaleApproved, SaleDeclined, SaleCanceled, SaleTimedOut}, r.Outcome):
		return invalid("outcome", "is approved, declined, cancelled or timed_out")
	case r.Outcome != SaleDeclined && r.Reason != "":
		return invalid("reason", "belongs to a sale that was declined")
	case r.Reason != "" && !slices.Contains(payment.Declines, r.Reason):
		return invalid("reason", "is none that is known: "+declineNames())
	case !approvalForm.MatchString(r.Approval):
		return invalid("approval_code", "is up to 12 letters and digits")
	case r.Scheme != "" && !slices.Contains(payment.Schemes, r.Scheme):
		return invalid("scheme", "is none that is known")
	case !cardForm.MatchString(r.Card):
		return invalid("card_last4", "is the last four digits; a whole card number has no business here")
	case r.Outcome == SaleApproved:
		return checkText("reference", r.Reference, 1, maxDeviceReference)
	}
	return nil
}

func declineNames() string {
	names := make([]string, len(payment.Declines))
	for i, d := range payment.Declines {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}

// ReportSale takes a device's word on a card sale. The same word again changes
// nothing; another word than the first one is CodeInvalidState, except that an
// approval is money and always recorded: late or double, it waits for a person.
func (c *Core) ReportSale(ctx context.Context, r SaleReport) (payment.Sold, error) {
	if err := checkReport(r); err != nil {
		return payment.Sold{}, err
	}
	if r.Outcome == SaleApproved {
		return c.approveSale(ctx, r)
	}
	var sold payment.Sold
	err := c.update(ctx, "report_sale", func(w *work) (err error) {
		if sold, err = w.lockSale(ctx, r.TerminalID, r.PaymentID); err != nil {
			return err
		}
		return w.endSale(ctx, &sold, r)
	})
	return sold, err
}

// endings are the acts that end a sale which was not paid, and where they lead.
var endings = map[SaleOutcome]struct {
	act payment.Act
	to  payment.State
}{
	SaleDeclined: {payment.ActDeny, payment.Denied},
	SaleCanceled: {payment.ActCancel, payment.Canceled},
	SaleTimedOut: {payment.ActExpire, payment.Expired},
}

// endSale closes a locked sale that was not paid.
func (w *work) endSale(ctx context.Context, sold *payment.Sold, r SaleReport) error {
	end := endings[r.Outcome]
	switch p := sold.Payment; {
	case sold.Sale.Method != payment.CardPresent:
		return errPaidByQR
	case p.State == end.to:
		return nil // told again, or as the due time has told
	case p.State.Closed():
		return payment.Fail(payment.CodeInvalidState, "the sale is "+string(p.State)+" already")
	}
	reason := ""
	if r.Outcome == SaleDeclined {
		sold.Sale.Reason = r.Reason
		if r.Reason == "" {
			sold.Sale.Reason = payment.DeclineIssuer
		}
		reason = string(sold.Sale.Reason)
	}
	sold.Sale.ReportedAt = w.now
	if err := w.SaveSale(ctx, sold.Sale); err != nil {
		return err
	}
	var err error
	if sold.Payment.State == payment.Processing && end.act != payment.ActDeny {
		// The device gives the sale back, and then it ends.
		if sold.Payment, err = w.apply(ctx, sold.Payment, payment.Step{Act: payment.ActRetry, Actor: ActorTerminal}); err != nil {
			return err
		}
	}
	sold.Payment, err = w.close(ctx, sold.Payment, end.act, ActorTerminal, reason)
	return err
}

// approveSale takes in the money of a sale.
func (c *Core) approveSale(ctx context.Context, r SaleReport) (payment.Sold, error) {
	known, err := c.Sale(ctx, r.PaymentID)
	switch {
	case err != nil:
		return payment.Sold{}, err
	case known.Sale.TerminalID != r.TerminalID:
		return payment.Sold{}, errNoSale
	case known.Sale.Method != payment.CardPresent:
		return payment.Sold{}, errPaidByQR
	}
	// The above does not change, and is asked before: a refusal in the shared
	// transaction would make its neighbours run again.
	stop := c.timed("report_sale")
	w := &work{core: c, now: c.Now()}
	var sold payment.Sold
	taken, err := w.receive(ctx, Receipt{
		PaymentID: known.Payment.ID, Channel: payment.ChannelTerminal, Method: payment.CardPresent, Source: terminalSignal(r.TerminalID),
		// A device may use a number again for another sale.
		ExternalID: known.Payment.ID + "/" + r.Reference, AccountID: r.TerminalID, Amount: known.Payment.Amount, Actor: ActorTerminal, OccurredAt: r.OccurredAt,
	}, func(ctx context.Context) (p payment.Payment, err error) {
		sold, err = w.lockSale(ctx, r.TerminalID, r.PaymentID)
		return sold.Payment, err
	}, func(ctx context.Context, _ payment.Credit) error {
		if sold.Sale.Reference != "" {
			return nil // a second approval of a sale; its money waits for a person
		}
		t, err := w.Terminal(ctx, r.TerminalID)
		if err != nil {
			return err
		}
		s := &sold.Sale
		s.Reference, s.Approval, s.Scheme, s.Card, s.Batch, s.ReportedAt = r.Reference, r.Approval, r.Scheme, r.Card, t.Batch, w.now
		return w.SaveSale(ctx, *s)
	})
	stop(err)
	if err != nil {
		return payment.Sold{}, c.failed("report_sale", err)
	}
	c.after(w)
	if taken.Replayed {
		return c.Sale(ctx, r.PaymentID)
	}
	sold.Payment = taken.Payment
	return sold, nil
}

// ReleaseTerminal lets an operator end a card sale that a device has fetched
// and will not tell of, so that its terminal can go on. CodeInvalidState when
// there is none. Should its approval come after all, it is recorded as late.
func (c *Core) ReleaseTerminal(ctx context.Context, by Actor, terminalID, reason string) (payment.Sold, error) {
	if err := checkReason(reason); err != nil {
		return payment.Sold{}, err
	}
	t, err := c.Terminal(ctx, terminalID)
	if err != nil {
		return payment.Sold{}, err
	}
	none := payment.Fail(payment.CodeInvalidState, "no sale is under way at the terminal")
	if t.SaleID == "" {
		return payment.Sold{}, none
	}
	var sold payment.Sold
	err = c.update(ctx, "release_terminal", func(w *work) (err error) {
		if sold, err = w.lockSale(ctx, t.ID, t.SaleID); err != nil {
			return err
		}
		if sold.Payment.State.Closed() {
			return none
		}
		sold.Sale.ReportedAt = w.now
		if err := w.SaveSale(ctx, sold.Sale); err != nil {
			return err
		}
		if sold.Payment.State == payment.Processing {
			if sold.Payment, err = w.apply(ctx, sold.Payment, payment.Step{Act: payment.ActRetry, Actor: by.Name, Reason: reason}); err != nil {
				return err
			}
		}
		if sold.Payment, err = w.close(ctx, sold.Payment, payment.ActCancel, by.Name, reason); err != nil {
			return err
		}
		return w.audit(ctx, by, "terminal.release", t.ID, nil, map[string]any{"payment_id": sold.Payment.ID, "reason": reason})
	})
	return sold, err
}

// ExpireSales ends card sales that a device has fetched and not told of
// SaleGrace after their due time, and says how many.
func (c *Core) ExpireSales(ctx context.Context) (int, error) {
	overdue, err := view(ctx, c, "expire_sales", func(tx *store.Tx) ([]string, error) {
		return tx.OverdueSales(ctx, c.Now().Add(-SaleGrace), expiryBatch)
	})
	n := 0
	for _, id := range overdue {
		ended, expireErr := c.expireSale(ctx, id)
		if ended {
			n++
		}
		err = errors.Join(err, expireErr)
	}
	return n, err
}

func (c *Core) expireSale(ctx context.Context, paymentID string) (ended bool, err error) {
	known, err := c.Sale(ctx, paymentID)
	if err != nil {
		return false, err
	}
	err = c.update(ctx, "expire_sales", func(w *work) error {
		ended = false
		sold, err := w.lockSale(ctx, known.Sale.TerminalID, paymentID)
		if err != nil || sold.Payment.State != payment.Processing {
			return err
		}
		ended = true
		return w.endSale(ctx, &sold, SaleReport{Outcome: SaleTimedOut})
	})
	return ended && err == nil, err
}

// Sale returns a sale by its payment's id, or CodePaymentNotFound.
func (c *Core) Sale(ctx context.Context, paymentID string) (payment.Sold, error) {
	return view(ctx, c, "sale", func(tx *store.Tx) (payment.Sold, error) {
		p, err := tx.Payment(ctx, paymentID)
		if err != nil {
			return payment.Sold{}, err
		}
		return withSale(ctx, tx, p)
	})
}

// FindSale returns a merchant's sale by the merchant's own id for it, or
// CodePaymentNotFound.
func (c *Core) FindSale(ctx context.Context, merchantID, dialect, reference string) (payment.Sold, error) {
	return view(ctx, c, "find_sale", func(tx *store.Tx) (payment.Sold, error) {
		p, err := tx.PaymentByReference(ctx, merchantID, dialect, reference)
		if err != nil {
			return payment.Sold{}, err
		}
		return withSale(ctx, tx, p)
	})
}

func withSale(ctx context.Context, tx *store.Tx, p payment.Payment) (payment.Sold, error) {
	s, ok, err := tx.Sale(ctx, p.ID)
	if err == nil && !ok {
		err = payment.Fail(payment.CodePaymentNotFound, "the payment is no sale at a terminal")
	}
	return payment.Sold{Payment: p, Sale: s}, err
}

// SaleSearch selects a merchant's sales in a dialect, by page from 0 on.
type SaleSearch = store.SaleSearch

// Sales lists sales, newest first, up to MaxPage at once, and counts those of
// all pages.
func (c *Core) Sales(ctx context.Context, s SaleSearch) (sold []payment.Sold, total int64, err error) {
	s.Limit, s.Page = page(s.Limit), max(s.Page, 0)
	sold, err = view(ctx, c, "sales", func(tx *store.Tx) (found []payment.Sold, err error) {
		found, total, err = tx.MerchantSales(ctx, s)
		return found, err
	})
	return sold, total, err
}

// TerminalSales lists a terminal's sales, newest first. Before is the payment
// id of the last of the page before.
func (c *Core) TerminalSales(ctx context.Context, terminalID, before string, limit int) ([]payment.Sold, error) {
	return view(ctx, c, "terminal_sales", func(tx *store.Tx) ([]payment.Sold, error) {
		return tx.TerminalSales(ctx, terminalID, before, page(limit))
	})
}

// OpenBatch is what a terminal has approved since its last settlement.
func (c *Core) OpenBatch(ctx context.Context, t payment.Terminal) (payment.Batch, error) {
	return view(ctx, c, "open_batch", func(tx *store.Tx) (payment.Batch, error) { return tx.OpenBatch(ctx, t.ID, t.Batch) })
}

// Batches lists a terminal's settled batches, newest first.
func (c *Core) Batches(ctx context.Context, terminalID string, limit int) ([]payment.Batch, error) {
	return view(ctx, c, "batches", func(tx *store.Tx) ([]payment.Batch, error) { return tx.Batches(ctx, terminalID, page(limit)) })
}

// SettleBatch settles a terminal's batch of a number: its sales are settled
// now, and can be voided no more. A batch that is settled already comes back as
// it was; CodeNotFound for one that has not begun. An empty batch stays open.
func (c *Core) SettleBatch(ctx context.Context, terminalID string, number int64) (payment.Batch, error) {
	var b payment.Batch
	err := c.update(ctx, "settle_batch", func(w *work) error {
		t, err := w.LockTerminal(ctx, terminalID)
		if err != nil {
			return err
		}
		if number != t.Batch {
			b, err = w.Tx.Batch(ctx, t.ID, number)
			return err
		}
		if b, err = w.OpenBatch(ctx, t.ID, number); err != nil || b.Sales == 0 {
			return err
		}
		b.SettledAt = w.now
		if err := w.Tx.SettleBatch(ctx, b); err != nil {
			return err
		}
		t.Batch++
		return w.saveTerminal(ctx, &t)
	})
	return b, err
}
