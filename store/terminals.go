package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

func terminalRow(r db.Terminal) payment.Terminal {
	return payment.Terminal{
		ID: r.ID, MerchantID: r.MerchantID, PublicID: r.PublicID, Name: r.Name, City: r.City, Label: r.Label, State: payment.TerminalState(r.State),
		Methods: splitMethods(r.Methods), MaxAmount: money.VND(r.MaxAmount), DailyLimit: money.VND(r.DailyLimit),
		MonthlyLimit: money.VND(r.MonthlyLimit), BatchLimit: money.VND(r.BatchLimit), SaleID: r.SaleID, Batch: r.Batch,
		SeenAt: moment(r.SeenAt), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), Version: r.Version,
	}
}

// AddTerminal inserts a terminal; CodeConflict when its public id is taken.
func (tx *Tx) AddTerminal(ctx context.Context, t payment.Terminal) error {
	return tx.q.InsertTerminal(ctx, db.InsertTerminalParams{
		ID: t.ID, MerchantID: t.MerchantID, PublicID: t.PublicID, Name: t.Name, City: t.City, Label: t.Label, State: string(t.State),
		Methods: joinMethods(t.Methods), MaxAmount: int64(t.MaxAmount), DailyLimit: int64(t.DailyLimit), MonthlyLimit: int64(t.MonthlyLimit),
		BatchLimit: int64(t.BatchLimit), SaleID: t.SaleID, Batch: t.Batch, SeenAt: millis(t.SeenAt), CreatedAt: millis(t.CreatedAt),
		UpdatedAt: millis(t.UpdatedAt), Version: t.Version,
	})
}

// SaveTerminal writes what changes in a terminal, but for when it was seen.
func (tx *Tx) SaveTerminal(ctx context.Context, t payment.Terminal) error {
	return tx.q.UpdateTerminal(ctx, db.UpdateTerminalParams{
		ID: t.ID, Name: t.Name, City: t.City, State: string(t.State), Methods: joinMethods(t.Methods), MaxAmount: int64(t.MaxAmount),
		DailyLimit: int64(t.DailyLimit), MonthlyLimit: int64(t.MonthlyLimit), BatchLimit: int64(t.BatchLimit), SaleID: t.SaleID, Batch: t.Batch,
		UpdatedAt: millis(t.UpdatedAt), Version: t.Version,
	})
}

// SeeTerminal notes when a terminal's device was last heard of.
func (tx *Tx) SeeTerminal(ctx context.Context, id string, at time.Time) error {
	return tx.q.SeeTerminal(ctx, db.SeeTerminalParams{ID: id, SeenAt: millis(at)})
}

const noTerminal = "no such terminal"

// Terminal loads one terminal.
func (tx *Tx) Terminal(ctx context.Context, id string) (payment.Terminal, error) {
	row, err := tx.q.Terminal(ctx, id)
	if err != nil {
		return payment.Terminal{}, missing(err, payment.CodeNotFound, noTerminal)
	}
	return terminalRow(row), nil
}

// LockTerminal loads a terminal and keeps others from changing it. Whoever
// locks a payment too locks the terminal first.
func (tx *Tx) LockTerminal(ctx context.Context, id string) (payment.Terminal, error) {
	row, err := tx.q.TerminalForUpdate(ctx, id)
	if err != nil {
		return payment.Terminal{}, missing(err, payment.CodeNotFound, noTerminal)
	}
	return terminalRow(row), nil
}

// TerminalByPublicID loads a terminal by what wires call it.
func (tx *Tx) TerminalByPublicID(ctx context.Context, publicID string) (payment.Terminal, error) {
	row, err := tx.q.TerminalByPublicID(ctx, publicID)
	if err != nil {
		return payment.Terminal{}, missing(err, payment.CodeNotFound, noTerminal)
	}
	return terminalRow(row), nil
}

// Terminals lists terminals by id, of one merchant or of all.
func (tx *Tx) Terminals(ctx context.Context, merchantID, after string, limit int) ([]payment.Terminal, error) {
	rows, err := tx.q.Terminals(ctx, db.TerminalsParams{MerchantID: merchantID, After: after, Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	terminals := make([]payment.Terminal, len(rows))
	for i, row := range rows {
		terminals[i] = terminalRow(row)
	}
	return terminals, nil
}

// AddTerminalKey inserts a device's key.
func (tx *Tx) AddTerminalKey(ctx context.Context, k payment.TerminalKey) error {
	return tx.q.InsertTerminalKey(ctx, db.InsertTerminalKeyParams{
		ID: k.ID, TerminalID: k.TerminalID, Hash: k.Hash, Hint: k.Hint, CreatedAt: millis(k.CreatedAt), RevokedAt: millis(k.RevokedAt),
	})
}

// TerminalKeyByHash finds a device's key.
func (tx *Tx) TerminalKeyByHash(ctx context.Context, hash string) (payment.TerminalKey, error) {
	r, err := tx.q.TerminalKeyByHash(ctx, hash)
	if err != nil {
		return payment.TerminalKey{}, missing(err, payment.CodeUnauthorized, "")
	}
	return payment.TerminalKey{
		ID: r.ID, TerminalID: r.TerminalID, Hash: r.Hash, Hint: r.Hint, CreatedAt: moment(r.CreatedAt), RevokedAt: moment(r.RevokedAt),
	}, nil
}

// RevokeTerminalKeys ends a terminal's keys, all but one, at a time.
func (tx *Tx) RevokeTerminalKeys(ctx context.Context, terminalID, but string, at time.Time) error {
	return tx.q.RevokeTerminalKeys(ctx, db.RevokeTerminalKeysParams{TerminalID: terminalID, But: but, RevokedAt: millis(at)})
}

// OpenSale inserts a payment with its sale. The verdict is as of OpenPayments.
func (tx *Tx) OpenSale(ctx context.Context, o Opening, s payment.Sale) (verdict, err error) {
	if verdict, err = tx.open(ctx, o); verdict != nil || err != nil {
		return verdict, err
	}
	return nil, tx.q.InsertSale(ctx, db.InsertSaleParams{
		PaymentID: s.PaymentID, TerminalID: s.TerminalID, MerchantID: s.MerchantID, Dialect: s.Dialect, Method: string(s.Method), Phone: s.Phone,
		Reason: string(s.Reason), Reference: s.Reference, Approval: s.Approval, Scheme: string(s.Scheme), Card: s.Card, Batch: s.Batch,
		FetchedAt: millis(s.FetchedAt), ReportedAt: millis(s.ReportedAt), SettledAt: millis(s.SettledAt),
	})
}

// SaveSale writes what changes in a sale.
func (tx *Tx) SaveSale(ctx context.Context, s payment.Sale) error {
	return tx.q.UpdateSale(ctx, db.UpdateSaleParams{
		PaymentID: s.PaymentID, Reason: string(s.Reason), Reference: s.Reference, Approval: s.Approval, Scheme: string(s.Scheme), Card: s.Card,
		Batch: s.Batch, FetchedAt: millis(s.FetchedAt), ReportedAt: millis(s.ReportedAt), SettledAt: millis(s.SettledAt),
	})
}

func saleRow(r db.Sale) payment.Sale {
	return payment.Sale{
		PaymentID: r.PaymentID, TerminalID: r.TerminalID, MerchantID: r.MerchantID, Dialect: r.Dialect, Method: payment.Method(r.Method), Phone: r.Phone,
		Reason: payment.Decline(r.Reason), Reference: r.Reference, Approval: r.Approval, Scheme: payment.Scheme(r.Scheme), Card: r.Card, Batch: r.Batch,
		FetchedAt: moment(r.FetchedAt), ReportedAt: moment(r.ReportedAt), SettledAt: moment(r.SettledAt),
	}
}

// Sale loads the sale of a payment; ok is false when it is none of a terminal's.
func (tx *Tx) Sale(ctx context.Context, paymentID string) (s payment.Sale, ok bool, err error) {
	row, err := tx.q.Sale(ctx, paymentID)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	return saleRow(row), err == nil, err
}

// sold loads the payments of sales.
func (tx *Tx) sold(ctx context.Context, rows []db.Sale, err error) ([]payment.Sold, error) {
	if err != nil {
		return nil, err
	}
	all := make([]payment.Sold, len(rows))
	for i, row := range rows {
		all[i].Sale = saleRow(row)
		if all[i].Payment, err = tx.Payment(ctx, row.PaymentID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// SaleSearch selects a merchant's sales in a dialect, by page from 0 on.
type SaleSearch struct {
	MerchantID, Dialect string
	Method              payment.Method // "" for all
	Page, Limit         int
}

// MerchantSales lists sales, newest first, and counts those of all pages.
func (tx *Tx) MerchantSales(ctx context.Context, f SaleSearch) (sold []payment.Sold, total int64, err error) {
	total, err = tx.q.CountMerchantSales(ctx, db.CountMerchantSalesParams{MerchantID: f.MerchantID, Dialect: f.Dialect, Method: string(f.Method)})
	skip := int64(f.Page) * int64(f.Limit)
	if err != nil || skip >= total {
		return nil, total, err
	}
	rows, err := tx.q.MerchantSales(ctx, db.MerchantSalesParams{
		MerchantID: f.MerchantID, Dialect: f.Dialect, Method: string(f.Method), Page: int32(f.Limit), Skip: int32(skip),
	})
	sold, err = tx.sold(ctx, rows, err)
	return sold, total, err
}

// TerminalSales lists a terminal's sales, newest first.
func (tx *Tx) TerminalSales(ctx context.Context, terminalID, cursor string, limit int) ([]payment.Sold, error) {
	rows, err := tx.q.TerminalSales(ctx, db.TerminalSalesParams{TerminalID: terminalID, BeforeID: before(cursor), Page: int32(limit)})
	return tx.sold(ctx, rows, err)
}

// TerminalUsage sums a terminal's sales that are open or paid, from an id on.
func (tx *Tx) TerminalUsage(ctx context.Context, terminalID, fromID string) (money.VND, error) {
	used, err := tx.q.TerminalUsage(ctx, db.TerminalUsageParams{TerminalID: terminalID, FromID: fromID})
	return money.VND(used), err
}

// OpenBatch sums up a batch that is not settled.
func (tx *Tx) OpenBatch(ctx context.Context, terminalID string, number int64) (payment.Batch, error) {
	row, err := tx.q.BatchTotal(ctx, db.BatchTotalParams{TerminalID: terminalID, Batch: number})
	return payment.Batch{TerminalID: terminalID, Number: number, Sales: row.Sales, Amount: money.VND(row.Amount)}, err
}

// SettleBatch marks a batch's sales as settled and keeps what they came to.
func (tx *Tx) SettleBatch(ctx context.Context, b payment.Batch) error {
	if err := tx.q.SettleSales(ctx, db.SettleSalesParams{TerminalID: b.TerminalID, Batch: b.Number, SettledAt: millis(b.SettledAt)}); err != nil {
		return err
	}
	return tx.q.InsertBatch(ctx, db.InsertBatchParams{
		TerminalID: b.TerminalID, Number: b.Number, Sales: b.Sales, Amount: int64(b.Amount), SettledAt: millis(b.SettledAt),
	})
}

func batchRow(r db.TerminalBatch) payment.Batch {
	return payment.Batch{TerminalID: r.TerminalID, Number: r.Number, Sales: r.Sales, Amount: money.VND(r.Amount), SettledAt: moment(r.SettledAt)}
}

// Batch loads a settled batch.
func (tx *Tx) Batch(ctx context.Context, terminalID string, number int64) (payment.Batch, error) {
	row, err := tx.q.Batch(ctx, db.BatchParams{TerminalID: terminalID, Number: number})
	if err != nil {
		return payment.Batch{}, missing(err, payment.CodeNotFound, "the terminal has settled no such batch")
	}
	return batchRow(row), nil
}

// Batches lists a terminal's settled batches, newest first.
func (tx *Tx) Batches(ctx context.Context, terminalID string, limit int) ([]payment.Batch, error) {
	rows, err := tx.q.Batches(ctx, db.BatchesParams{TerminalID: terminalID, Limit: int32(limit)})
	if err != nil {
		return nil, err
	}
	batches := make([]payment.Batch, len(rows))
	for i, row := range rows {
		batches[i] = batchRow(row)
	}
	return batches, nil
}

// OverdueSales lists payments that a device has fetched and not told of, whose
// due time was before a moment.
func (tx *Tx) OverdueSales(ctx context.Context, due time.Time, limit int) ([]string, error) {
	return tx.q.OverdueSales(ctx, db.OverdueSalesParams{Due: millis(due), Page: int32(limit)})
}
