package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// Settling is one bank credit to take in.
type Settling struct {
	Credit payment.Credit
	// Print is the same for two notices of one transfer (bank account,
	// reference and amount), "" when the credit tells too little to say.
	Print string
}

// SamePrint is how far apart two notices of one print may lie in time and
// still tell of the same transfer. Banks number transfers anew each day, so a
// print that comes back later is another transfer.
const SamePrint = 10 * time.Minute

// MostOfOnePrint is how many transfers of one print are told from each other.
// What a bank calls all of them by ("TRANSFER") is no reference: the next notice
// is not held against them. It would drop one of two customers' money, and cost a
// statement for each transfer that there has been.
const MostOfOnePrint = 64

// Verdict is what became of one Settling.
type Verdict struct {
	Credit   payment.Credit
	Payment  payment.Payment // as it is now; zero when the credit has none
	Replayed bool            // this very credit was here before, nothing was done
}

// Decide makes up its mind on a new credit inside the transaction, writes what
// follows through tx, and returns the credit with its outcome.
type Decide func(tx *Tx, c payment.Credit) (payment.Credit, payment.Payment, error)

// SettleCredits takes bank credits in, in one transaction: each new one is
// stored, decided on in the batch's order, and its consequences are written; a
// known one is answered from its row. If message is not empty it is marked as
// processed.
func (s *Store) SettleCredits(ctx context.Context, message string, now time.Time, batch []Settling, decide Decide) ([]Verdict, error) {
	verdicts := make([]Verdict, len(batch))
	shared := context.WithoutCancel(ctx)
	err := s.Group(ctx, func(tx *Tx) error {
		ctx := shared
		// All rows come first, in the same order for everybody: whoever comes
		// second with a credit waits before it holds a payment.
		for _, i := range lockOrder(batch) {
			var err error
			if verdicts[i], err = tx.addCredit(ctx, batch[i]); err != nil {
				return err
			}
		}
		if err := tx.decideAll(ctx, verdicts, decide); err != nil {
			return err
		}
		if message == "" {
			return nil
		}
		return tx.q.FinishMessage(ctx, db.FinishMessageParams{ID: message, ProcessedAt: millis(now)})
	})
	if err != nil {
		return nil, err // the writer of a caller who has gone may still be at the verdicts
	}
	return verdicts, nil
}

func lockOrder(batch []Settling) []int {
	order := make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := batch[i], batch[j]
		return cmp.Or(strings.Compare(a.Print, b.Print), strings.Compare(a.Credit.ExternalID, b.Credit.ExternalID))
	})
	return order
}

// decideAll decides on what is new, then answers what was told before, also by
// a neighbour in the batch.
func (tx *Tx) decideAll(ctx context.Context, verdicts []Verdict, decide Decide) error {
	for i, v := range verdicts {
		if v.Replayed || v.Credit.Outcome == payment.OutcomeRepeated {
			continue
		}
		c, p, err := decide(tx, v.Credit)
		if err != nil {
			return err
		}
		if err := tx.SaveCredit(ctx, c); err != nil {
			return err
		}
		verdicts[i] = Verdict{Credit: c, Payment: p}
	}
	for i, v := range verdicts {
		if !v.Replayed && v.Credit.Outcome != payment.OutcomeRepeated {
			continue
		}
		var err error
		if verdicts[i], err = tx.answer(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// answer completes the verdict on a credit that was told before.
func (tx *Tx) answer(ctx context.Context, v Verdict) (Verdict, error) {
	var err error
	if v.Replayed {
		if v.Credit, err = tx.Credit(ctx, v.Credit.ID); err != nil {
			return v, err
		}
	} else {
		first, err := tx.Credit(ctx, v.Credit.DuplicateOf)
		if err != nil {
			return v, err
		}
		v.Credit.PaymentID, v.Credit.MerchantID, v.Credit.AccountID = first.PaymentID, first.MerchantID, first.AccountID
		if err := tx.SaveCredit(ctx, v.Credit); err != nil {
			return v, err
		}
	}
	if v.Credit.PaymentID != "" {
		v.Payment, err = tx.Payment(ctx, v.Credit.PaymentID)
	}
	return v, err
}

// addCredit inserts a credit. When the source told of it before, the verdict is
// the stored row; when another notice told of the same transfer, it is stored
// as repeated. Transfers of one look that lie apart are told from each other by
// a number behind the print, so that each new notice is held against all of
// them; the unique index makes notices that come at once wait for each other.
func (tx *Tx) addCredit(ctx context.Context, one Settling) (Verdict, error) {
	c, print := one.Credit, one.Print
	for n := 0; ; n++ {
		if n == MostOfOnePrint {
			print = ""
		}
		numbered := print
		if n > 0 && print != "" {
			numbered += "#" + strconv.Itoa(n)
		}
		if ok, err := tx.insertCredit(ctx, c, numbered); err != nil || ok {
			return Verdict{Credit: c}, err
		}
		row, err := tx.q.CreditByExternalID(ctx, db.CreditByExternalIDParams{Source: c.Source, ExternalID: c.ExternalID})
		switch {
		case err == nil:
			known, err := creditRow(row)
			return Verdict{Credit: known, Replayed: true}, err
		case !errors.Is(err, sql.ErrNoRows):
			return Verdict{}, err
		case print == "":
			return Verdict{}, payment.Fail(payment.CodeConflict, "the id of the credit is taken")
		}
		if row, err = tx.q.CreditByPrint(ctx, sql.NullString{String: numbered, Valid: true}); err != nil {
			return Verdict{}, err
		}
		if apart := c.OccurredAt.Sub(moment(row.OccurredAt)).Abs(); apart <= SamePrint {
			c.Outcome, c.DuplicateOf, print = payment.OutcomeRepeated, row.ID, ""
			c.Explanation.Reason = "the same transfer as credit " + row.ID + ": same account, bank reference and amount within " + SamePrint.String()
		}
	}
}

func (tx *Tx) insertCredit(ctx context.Context, c payment.Credit, print string) (bool, error) {
	explanation, err := json.Marshal(c.Explanation)
	if err != nil {
		return false, err
	}
	n, err := tx.q.InsertCredit(ctx, db.InsertCreditParams{
		ID: c.ID, Source: c.Source, ExternalID: c.ExternalID, Print: sql.NullString{String: print, Valid: print != ""},
		Bin: c.BIN, Account: c.Account, VirtualAccount: c.VirtualAccount, Amount: int64(c.Amount), Currency: c.Currency, Direction: string(c.Direction),
		Memo: c.Memo, Reference: c.Reference, OrderCode: c.OrderCode, OccurredAt: millis(c.OccurredAt), ReceivedAt: millis(c.ReceivedAt),
		Outcome: string(c.Outcome), PaymentID: c.PaymentID, MerchantID: c.MerchantID, AccountID: c.AccountID, DuplicateOf: c.DuplicateOf,
		Applied: int64(c.Applied), Unapplied: int64(c.Unapplied), Returned: int64(c.Returned), Explanation: string(explanation),
		Channel: string(c.Channel), Method: string(c.Method),
	})
	return n == 1, err
}

// SaveCredit writes what changes in a credit after it was taken in.
func (tx *Tx) SaveCredit(ctx context.Context, c payment.Credit) error {
	explanation, err := json.Marshal(c.Explanation)
	if err != nil {
		return err
	}
	return tx.q.UpdateCredit(ctx, db.UpdateCreditParams{
		ID: c.ID, Outcome: string(c.Outcome), PaymentID: c.PaymentID, MerchantID: c.MerchantID, AccountID: c.AccountID, DuplicateOf: c.DuplicateOf,
		Applied: int64(c.Applied), Unapplied: int64(c.Unapplied), Returned: int64(c.Returned), Explanation: string(explanation),
	})
}

func creditRow(r db.BankCredit) (payment.Credit, error) {
	c := payment.Credit{
		ID: r.ID, Channel: payment.Channel(r.Channel), Method: payment.Method(r.Method), Source: r.Source, ExternalID: r.ExternalID, BIN: r.Bin, Account: r.Account, VirtualAccount: r.VirtualAccount,
		Amount: money.VND(r.Amount), Currency: r.Currency, Direction: payment.Direction(r.Direction), Memo: r.Memo, Reference: r.Reference,
		OrderCode: r.OrderCode, OccurredAt: moment(r.OccurredAt), ReceivedAt: moment(r.ReceivedAt),
		Outcome: payment.Outcome(r.Outcome), PaymentID: r.PaymentID, MerchantID: r.MerchantID, AccountID: r.AccountID, DuplicateOf: r.DuplicateOf,
		Applied: money.VND(r.Applied), Unapplied: money.VND(r.Unapplied), Returned: money.VND(r.Returned),
	}
	return c, json.Unmarshal([]byte(r.Explanation), &c.Explanation)
}

func creditRows(rows []db.BankCredit, err error) ([]payment.Credit, error) {
	if err != nil {
		return nil, err
	}
	credits := make([]payment.Credit, len(rows))
	for i, row := range rows {
		if credits[i], err = creditRow(row); err != nil {
			return nil, err
		}
	}
	return credits, nil
}

// Credit loads one bank credit.
func (tx *Tx) Credit(ctx context.Context, id string) (payment.Credit, error) {
	row, err := tx.q.Credit(ctx, id)
	if err != nil {
		return payment.Credit{}, missing(err, payment.CodeNotFound, "no such bank credit")
	}
	return creditRow(row)
}

// LockCredit loads a credit and keeps others from changing it.
func (tx *Tx) LockCredit(ctx context.Context, id string) (payment.Credit, error) {
	row, err := tx.q.CreditForUpdate(ctx, id)
	if err != nil {
		return payment.Credit{}, missing(err, payment.CodeNotFound, "no such bank credit")
	}
	return creditRow(row)
}

// LockAppliedCredits loads and locks the credits whose money stands for a payment.
func (tx *Tx) LockAppliedCredits(ctx context.Context, paymentID string) ([]payment.Credit, error) {
	return creditRows(tx.q.AppliedCreditsForUpdate(ctx, paymentID))
}

// CreditsOfPayment lists the credits that were matched to a payment.
func (tx *Tx) CreditsOfPayment(ctx context.Context, paymentID string) ([]payment.Credit, error) {
	return creditRows(tx.q.CreditsOfPayment(ctx, paymentID))
}

// CreditSearch selects bank credits; empty fields select all.
type CreditSearch struct {
	MerchantID, Source string
	Outcome            payment.Outcome
	Before             string
	Limit              int
}

// SearchCredits lists bank credits, newest first.
func (tx *Tx) SearchCredits(ctx context.Context, f CreditSearch) ([]payment.Credit, error) {
	return creditRows(tx.q.SearchCredits(ctx, db.SearchCreditsParams{
		BeforeID: before(f.Before), MerchantID: f.MerchantID, Outcome: string(f.Outcome), Source: f.Source, Page: int32(f.Limit),
	}))
}

// UnappliedCredits lists the credits with money that waits for a person.
func (tx *Tx) UnappliedCredits(ctx context.Context, merchantID, cursor string, limit int) ([]payment.Credit, error) {
	return creditRows(tx.q.UnappliedCredits(ctx, db.UnappliedCreditsParams{BeforeID: before(cursor), MerchantID: merchantID, Page: int32(limit)}))
}
