package store

import (
	"context"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

func refundRow(r db.Refund) payment.Refund {
	return payment.Refund{
		ID: r.ID, PaymentID: r.PaymentID, Reference: r.Reference, Amount: money.VND(r.Amount), State: payment.RefundState(r.State),
		CreditID: r.CreditID, AttemptID: r.AttemptID, ConnectorID: r.ConnectorID, Manual: r.Manual, Actor: r.Actor, Reason: r.Reason,
		ExternalID: r.ExternalID, Code: r.Code, Text: r.Note, Failure: payment.Code(r.Failure), Review: r.Review, Asked: r.Asked, Told: r.Told,
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), CompletedAt: moment(r.CompletedAt),
	}
}

func refundRows(rows []db.Refund, err error) ([]payment.Refund, error) {
	if err != nil {
		return nil, err
	}
	refunds := make([]payment.Refund, len(rows))
	for i, row := range rows {
		refunds[i] = refundRow(row)
	}
	return refunds, nil
}

// AddRefund inserts a refund; CodeDuplicateReference when its payment has one
// of that reference.
func (tx *Tx) AddRefund(ctx context.Context, r payment.Refund) error {
	n, err := tx.q.InsertRefund(ctx, db.InsertRefundParams{
		ID: r.ID, PaymentID: r.PaymentID, Reference: r.Reference, Amount: int64(r.Amount), State: string(r.State),
		CreatedAt: millis(r.CreatedAt), CompletedAt: millis(r.CompletedAt), CreditID: r.CreditID, AttemptID: r.AttemptID, ConnectorID: r.ConnectorID,
		Manual: r.Manual, Actor: r.Actor, Reason: r.Reason, ExternalID: r.ExternalID, Code: r.Code, Note: r.Text, Failure: string(r.Failure),
		Review: r.Review, Asked: r.Asked, Told: r.Told, UpdatedAt: millis(r.UpdatedAt),
	})
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeDuplicateReference, "this payment has a refund of that reference")
	}
	return err
}

// SaveRefund writes what changes in a refund. Its payment has to be locked.
func (tx *Tx) SaveRefund(ctx context.Context, r payment.Refund) error {
	return tx.q.UpdateRefund(ctx, db.UpdateRefundParams{
		ID: r.ID, State: string(r.State), ExternalID: r.ExternalID, Code: r.Code, Note: r.Text, Failure: string(r.Failure), Review: r.Review,
		UpdatedAt: millis(r.UpdatedAt), CompletedAt: millis(r.CompletedAt), Asked: r.Asked, Told: r.Told, Manual: r.Manual,
	})
}

// Refund loads one refund; CodeRefundNotFound when there is none.
func (tx *Tx) Refund(ctx context.Context, id string) (payment.Refund, error) {
	row, err := tx.q.Refund(ctx, id)
	if err != nil {
		return payment.Refund{}, missing(err, payment.CodeRefundNotFound, "no such refund")
	}
	return refundRow(row), nil
}

// Refunds lists a payment's refunds, oldest first.
func (tx *Tx) Refunds(ctx context.Context, paymentID string) ([]payment.Refund, error) {
	return refundRows(tx.q.Refunds(ctx, paymentID))
}

// RefundByReference loads one refund; CodeRefundNotFound when there is none.
func (tx *Tx) RefundByReference(ctx context.Context, paymentID, reference string) (payment.Refund, error) {
	row, err := tx.q.RefundByReference(ctx, db.RefundByReferenceParams{PaymentID: paymentID, Reference: reference})
	if err != nil {
		return payment.Refund{}, missing(err, payment.CodeRefundNotFound, "no such refund")
	}
	return refundRow(row), nil
}

// RefundsForPerson lists the refunds that a person has to make or to look at,
// newest first.
func (tx *Tx) RefundsForPerson(ctx context.Context, merchantID, cursor string, limit int) ([]payment.Refund, error) {
	return refundRows(tx.q.RefundsForPerson(ctx, db.RefundsForPersonParams{BeforeID: before(cursor), MerchantID: merchantID, Page: int32(limit)}))
}
