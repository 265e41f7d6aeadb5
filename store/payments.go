package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// millis and moment keep times as milliseconds since 1970 UTC; 0 is never.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Last is a cursor behind every UUID in any collation: newest-first lists start
// from it.
const Last = "g"

func before(cursor string) string {
	if cursor == "" {
		return Last
	}
	return cursor
}

// Opening is a payment to insert, and the limit that it must keep to.
type Opening struct {
	Payment    payment.Payment // its LimitDay says which day it counts for
	DailyLimit money.VND       // 0 is none
}

// ErrCodeTaken is the verdict on a payment whose transfer code is in use; it is
// to be tried again with another.
var ErrCodeTaken = errors.New("store: the transfer code is taken")

// OpenPayments inserts new payments in one transaction. The answer has a
// verdict for each: nil, CodeTotalLimit, CodeDuplicateReference or
// ErrCodeTaken; one that is refused does not touch its neighbours. The error
// is for the whole: then none was inserted.
func (s *Store) OpenPayments(ctx context.Context, batch []Opening) ([]error, error) {
	verdicts := make([]error, len(batch))
	if ceiling {
		return verdicts, nil
	}
	if err := s.opens.do(&request{ctx: ctx, opens: batch, verdicts: verdicts}); err != nil {
		return nil, s.translate(err) // the writer of a caller who has gone may still be at the verdicts
	}
	return verdicts, nil
}

func (tx *Tx) open(ctx context.Context, o Opening) (verdict, err error) {
	p := o.Payment
	if o.DailyLimit > 0 {
		used, err := tx.limitUsage(ctx, p.MerchantID, p.LimitDay)
		if err != nil {
			return nil, err
		}
		if total, err := money.Add(used, p.Amount); err != nil || total > o.DailyLimit {
			return payment.Fail(payment.CodeTotalLimit, "the merchant's limit for the day would be exceeded"), nil
		}
	}
	n, err := tx.q.InsertPayment(ctx, db.InsertPaymentParams{
		ID: p.ID, MerchantID: p.MerchantID, PlatformID: p.PlatformID, Dialect: p.Dialect, Reference: p.Reference, Version: p.Version,
		Amount: int64(p.Amount), Received: int64(p.Received), Refunded: int64(p.Refunded), Refunding: int64(p.Refunding),
		State: string(p.State), Method: string(p.Method), Methods: joinMethods(p.Methods), AccountID: p.Transfer.AccountID, MatchCode: p.Transfer.Code,
		Description: p.Description, Language: p.Language, SuccessUrl: p.SuccessURL, CancelUrl: p.CancelURL, NotifyUrl: p.NotifyURL, LimitDay: p.LimitDay,
		CreatedAt: millis(p.CreatedAt), DueAt: millis(p.DueAt), UpdatedAt: millis(p.UpdatedAt), CompletedAt: millis(p.CompletedAt),
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return tx.taken(ctx, p)
	}
	if o.DailyLimit > 0 {
		return nil, tx.BumpLimit(ctx, p.MerchantID, p.LimitDay, p.Amount)
	}
	return nil, nil
}

// taken is the verdict on a payment that could not be inserted.
func (tx *Tx) taken(ctx context.Context, p payment.Payment) (verdict, err error) {
	had, err := tx.q.PaymentExists(ctx, db.PaymentExistsParams{MerchantID: p.MerchantID, Dialect: p.Dialect, Reference: p.Reference})
	switch {
	case err != nil:
		return nil, err
	case had > 0:
		return payment.Fail(payment.CodeDuplicateReference, "this reference was used before"), nil
	}
	return ErrCodeTaken, nil
}

// limitUsage locks and returns what a merchant has used of the day's limit.
func (tx *Tx) limitUsage(ctx context.Context, merchantID, day string) (money.VND, error) {
	if err := tx.q.AddLimitUsage(ctx, db.AddLimitUsageParams{MerchantID: merchantID, Day: day}); err != nil {
		return 0, err
	}
	used, err := tx.q.LimitUsageForUpdate(ctx, db.LimitUsageForUpdateParams{MerchantID: merchantID, Day: day})
	return money.VND(used), err
}

// BumpLimit changes what a merchant has used of a day's limit, without a check.
func (tx *Tx) BumpLimit(ctx context.Context, merchantID, day string, by money.VND) error {
	return tx.q.BumpLimitUsage(ctx, db.BumpLimitUsageParams{MerchantID: merchantID, Day: day, Amount: int64(by)})
}

func joinMethods(methods []payment.Method) string {
	var b strings.Builder
	for i, m := range methods {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(m))
	}
	return b.String()
}

func splitMethods(s string) []payment.Method {
	if s == "" {
		return nil
	}
	var methods []payment.Method
	for m := range strings.SplitSeq(s, ",") {
		methods = append(methods, payment.Method(m))
	}
	return methods
}

// paymentRow turns a joined row into the noun. The queries that load
// payments have the same columns, so their rows convert to db.PaymentRow.
func paymentRow(r db.PaymentRow) payment.Payment {
	row := r.Payment
	p := payment.Payment{
		ID: row.ID, MerchantID: row.MerchantID, PlatformID: row.PlatformID, Dialect: row.Dialect, Reference: row.Reference, Version: row.Version,
		Amount: money.VND(row.Amount), Received: money.VND(row.Received), Refunded: money.VND(row.Refunded), Refunding: money.VND(row.Refunding),
		State: payment.State(row.State), Method: payment.Method(row.Method), Methods: splitMethods(row.Methods),
		Description: row.Description, Language: row.Language, SuccessURL: row.SuccessUrl, CancelURL: row.CancelUrl,
		NotifyURL: row.NotifyUrl, NotifyTo: row.NotifyUrl, LimitDay: row.LimitDay,
		CreatedAt: moment(row.CreatedAt), DueAt: moment(row.DueAt), UpdatedAt: moment(row.UpdatedAt), CompletedAt: moment(row.CompletedAt),
	}
	if p.NotifyTo == "" {
		p.NotifyTo = r.ProfileUrl
	}
	if row.AccountID != "" {
		p.Transfer = payment.Transfer{AccountID: row.AccountID, BIN: r.Bin, Number: r.Number, Holder: r.Holder, Prefix: r.Prefix, Code: row.MatchCode}
		if virtual, ok := strings.CutPrefix(row.MatchCode, payment.VirtualMatch("")); ok {
			p.Transfer.Number = virtual
		}
	}
	return p
}

// Payment loads one payment; CodePaymentNotFound when there is none.
func (tx *Tx) Payment(ctx context.Context, id string) (payment.Payment, error) {
	row, err := tx.q.Payment(ctx, id)
	if err != nil {
		return payment.Payment{}, missing(err, payment.CodePaymentNotFound, "no such payment")
	}
	return paymentRow(row), nil
}

// PaymentByReference loads a merchant's payment by the merchant's own id.
func (tx *Tx) PaymentByReference(ctx context.Context, merchantID, dialect, reference string) (payment.Payment, error) {
	row, err := tx.q.PaymentByReference(ctx, db.PaymentByReferenceParams{MerchantID: merchantID, Dialect: dialect, Reference: reference})
	if err != nil {
		return payment.Payment{}, missing(err, payment.CodePaymentNotFound, "no such payment")
	}
	return paymentRow(db.PaymentRow(row)), nil
}

// LockPayment loads a payment and keeps others from changing it until the
// transaction ends.
func (tx *Tx) LockPayment(ctx context.Context, id string) (payment.Payment, error) {
	row, err := tx.q.LockPayment(ctx, id)
	if err != nil {
		return payment.Payment{}, missing(err, payment.CodePaymentNotFound, "no such payment")
	}
	return paymentRow(db.PaymentRow(row)), nil
}

// LockPaymentByCode is LockPayment by transfer code; ok is false when no
// payment has the code.
func (tx *Tx) LockPaymentByCode(ctx context.Context, code string) (p payment.Payment, ok bool, err error) {
	row, err := tx.q.LockPaymentByCode(ctx, code)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	return paymentRow(db.PaymentRow(row)), true, nil
}

// LockDuePayments loads and locks open payments whose due time has come,
// leaving those that somebody else is working on.
func (tx *Tx) LockDuePayments(ctx context.Context, now time.Time, limit int) ([]payment.Payment, error) {
	ids, err := tx.q.LockDuePayments(ctx, db.LockDuePaymentsParams{Due: millis(now), Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	due := make([]payment.Payment, 0, len(ids))
	for _, id := range ids {
		p, err := tx.Payment(ctx, id)
		if err != nil {
			return nil, err
		}
		due = append(due, p)
	}
	return due, nil
}

// AnyDue says whether an open payment's due time has come.
func (tx *Tx) AnyDue(ctx context.Context, now time.Time) (bool, error) {
	n, err := tx.q.CountDuePayments(ctx, millis(now))
	return n > 0, err
}

// PaymentSearch selects payments; empty fields select all.
type PaymentSearch struct {
	MerchantID, Dialect, Reference string
	State                          payment.State
	FromID, BeforeID               string // UUIDv7 sort by time
	Limit                          int
}

// SearchPayments lists payments, newest first.
func (tx *Tx) SearchPayments(ctx context.Context, f PaymentSearch) ([]payment.Payment, error) {
	rows, err := tx.q.SearchPayments(ctx, db.SearchPaymentsParams{
		BeforeID: before(f.BeforeID), FromID: f.FromID, MerchantID: f.MerchantID, Dialect: f.Dialect,
		State: string(f.State), Reference: f.Reference, Page: int32(f.Limit),
	})
	if err != nil {
		return nil, err
	}
	found := make([]payment.Payment, len(rows))
	for i, row := range rows {
		found[i] = paymentRow(db.PaymentRow(row))
	}
	return found, nil
}

// SavePayment writes a changed payment with the event of the change. It fails
// with CodeConflict when p is not the version after the stored one.
func (tx *Tx) SavePayment(ctx context.Context, p payment.Payment, ev payment.Event) error {
	n, err := tx.q.UpdatePayment(ctx, db.UpdatePaymentParams{
		ID: p.ID, Version: p.Version, Received: int64(p.Received), Refunded: int64(p.Refunded), Refunding: int64(p.Refunding),
		State: string(p.State), Method: string(p.Method), UpdatedAt: millis(p.UpdatedAt), CompletedAt: millis(p.CompletedAt),
	})
	if err != nil {
		return err
	}
	if n != 1 {
		return payment.Fail(payment.CodeConflict, "the payment was changed by somebody else")
	}
	return tx.q.InsertEvent(ctx, db.InsertEventParams{
		PaymentID: ev.PaymentID, Version: ev.Version, Act: string(ev.Act), FromState: string(ev.From), ToState: string(ev.To), At: millis(ev.At),
		Actor: ev.Actor, Reason: ev.Reason, CreditID: ev.CreditID, Method: string(ev.Method),
		Received: int64(ev.Received), Refunded: int64(ev.Refunded), Refunding: int64(ev.Refunding), CompletedAt: millis(ev.CompletedAt),
		RefundID: ev.RefundID,
	})
}

func eventRow(r db.PaymentEvent) payment.Event {
	return payment.Event{
		PaymentID: r.PaymentID, Version: r.Version, Act: payment.Act(r.Act), From: payment.State(r.FromState), To: payment.State(r.ToState),
		At: moment(r.At), Actor: r.Actor, Reason: r.Reason, CreditID: r.CreditID, RefundID: r.RefundID, Method: payment.Method(r.Method),
		Received: money.VND(r.Received), Refunded: money.VND(r.Refunded), Refunding: money.VND(r.Refunding), CompletedAt: moment(r.CompletedAt),
	}
}

// Event loads one event.
func (tx *Tx) Event(ctx context.Context, paymentID string, version int64) (payment.Event, error) {
	row, err := tx.q.Event(ctx, db.EventParams{PaymentID: paymentID, Version: version})
	if err != nil {
		return payment.Event{}, missing(err, payment.CodeNotFound, "no such event")
	}
	return eventRow(row), nil
}

// Events lists what happened to a payment after it was opened, oldest first.
func (tx *Tx) Events(ctx context.Context, paymentID string) ([]payment.Event, error) {
	rows, err := tx.q.Events(ctx, paymentID)
	if err != nil {
		return nil, err
	}
	events := make([]payment.Event, len(rows))
	for i, row := range rows {
		events[i] = eventRow(row)
	}
	return events, nil
}

// missing gives the absence of a row the code of what was looked for. A key
// that cannot be stored belongs to no row either.
func missing(err error, code payment.Code, text string) error {
	if errors.Is(err, sql.ErrNoRows) || postgresEngine.unstorable(err) {
		return &payment.Error{Code: code, Text: text}
	}
	return err
}
