package store

import (
	"context"
	"encoding/json"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

func connectorRow(r db.Connector) payment.Connector {
	return payment.Connector{
		ID: r.ID, MerchantID: r.MerchantID, Kind: r.Kind, Name: r.Name, Methods: splitMethods(r.Methods), Config: r.Config,
		Priority: r.Priority, Enabled: r.Enabled, CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
}

// AddConnector inserts a connector.
func (tx *Tx) AddConnector(ctx context.Context, c payment.Connector) error {
	return tx.q.InsertConnector(ctx, db.InsertConnectorParams{
		ID: c.ID, MerchantID: c.MerchantID, Kind: c.Kind, Name: c.Name, Methods: joinMethods(c.Methods), Config: c.Config,
		Priority: c.Priority, Enabled: c.Enabled, CreatedAt: millis(c.CreatedAt), UpdatedAt: millis(c.UpdatedAt),
	})
}

// SaveConnector writes what may change in a connector.
func (tx *Tx) SaveConnector(ctx context.Context, c payment.Connector) error {
	_, err := tx.q.UpdateConnector(ctx, db.UpdateConnectorParams{
		ID: c.ID, Name: c.Name, Methods: joinMethods(c.Methods), Config: c.Config, Priority: c.Priority, Enabled: c.Enabled, UpdatedAt: millis(c.UpdatedAt),
	})
	return err
}

// Connector loads a connector; CodeNotFound when there is none.
func (tx *Tx) Connector(ctx context.Context, id string) (payment.Connector, error) {
	row, err := tx.q.Connector(ctx, id)
	if err != nil {
		return payment.Connector{}, missing(err, payment.CodeNotFound, "no such connector")
	}
	return connectorRow(row), nil
}

// LockConnector loads a connector and keeps others from changing it.
func (tx *Tx) LockConnector(ctx context.Context, id string) (payment.Connector, error) {
	row, err := tx.q.ConnectorForUpdate(ctx, id)
	if err != nil {
		return payment.Connector{}, missing(err, payment.CodeNotFound, "no such connector")
	}
	return connectorRow(row), nil
}

// Connectors lists a merchant's connectors, or everybody's for "", in the order
// in which they are tried.
func (tx *Tx) Connectors(ctx context.Context, merchantID string) ([]payment.Connector, error) {
	rows, err := tx.q.Connectors(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	connectors := make([]payment.Connector, len(rows))
	for i, row := range rows {
		connectors[i] = connectorRow(row)
	}
	return connectors, nil
}

func attemptRow(r db.Attempt) (payment.Attempt, error) {
	a := payment.Attempt{
		ID: r.ID, PaymentID: r.PaymentID, MerchantID: r.MerchantID, Number: r.Number, ConnectorID: r.ConnectorID, Kind: r.Kind, Method: payment.Method(r.Method),
		Reference: r.Reference, ExternalID: r.ExternalID, Amount: money.VND(r.Amount), State: payment.AttemptState(r.State),
		Left: r.HasLeft, Review: r.Review, Code: r.Code, Text: r.Note,
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), ExpiresAt: moment(r.ExpiresAt), ClosedAt: moment(r.ClosedAt),
	}
	return a, json.Unmarshal([]byte(r.Handoff), &a.Handoff)
}

func attemptRows(rows []db.Attempt, err error) ([]payment.Attempt, error) {
	if err != nil {
		return nil, err
	}
	attempts := make([]payment.Attempt, len(rows))
	for i, row := range rows {
		if attempts[i], err = attemptRow(row); err != nil {
			return nil, err
		}
	}
	return attempts, nil
}

// AddPaymentAttempt inserts an attempt to pay. Its payment has to be locked.
func (tx *Tx) AddPaymentAttempt(ctx context.Context, a payment.Attempt) error {
	handoff, err := json.Marshal(a.Handoff)
	if err != nil {
		return err
	}
	return tx.q.InsertAttemptToPay(ctx, db.InsertAttemptToPayParams{
		ID: a.ID, PaymentID: a.PaymentID, MerchantID: a.MerchantID, Number: a.Number, ConnectorID: a.ConnectorID, Kind: a.Kind, Method: string(a.Method),
		Reference: a.Reference, ExternalID: a.ExternalID, Amount: int64(a.Amount), State: string(a.State), Handoff: string(handoff),
		HasLeft: a.Left, Review: a.Review, Code: a.Code, Note: a.Text,
		CreatedAt: millis(a.CreatedAt), UpdatedAt: millis(a.UpdatedAt), ExpiresAt: millis(a.ExpiresAt), ClosedAt: millis(a.ClosedAt),
	})
}

// SavePaymentAttempt writes what changes in an attempt to pay. Its payment has
// to be locked.
func (tx *Tx) SavePaymentAttempt(ctx context.Context, a payment.Attempt) error {
	handoff, err := json.Marshal(a.Handoff)
	if err != nil {
		return err
	}
	return tx.q.UpdateAttemptToPay(ctx, db.UpdateAttemptToPayParams{
		ID: a.ID, ExternalID: a.ExternalID, State: string(a.State), Handoff: string(handoff), HasLeft: a.Left, Review: a.Review, Code: a.Code, Note: a.Text,
		UpdatedAt: millis(a.UpdatedAt), ExpiresAt: millis(a.ExpiresAt), ClosedAt: millis(a.ClosedAt),
	})
}

// PaymentAttempt loads an attempt to pay; CodeNotFound when there is none.
func (tx *Tx) PaymentAttempt(ctx context.Context, id string) (payment.Attempt, error) {
	row, err := tx.q.AttemptToPay(ctx, id)
	if err != nil {
		return payment.Attempt{}, missing(err, payment.CodeNotFound, "no such attempt")
	}
	return attemptRow(row)
}

// PaymentAttemptByReference loads an attempt by what the acquirer knows it by.
func (tx *Tx) PaymentAttemptByReference(ctx context.Context, connectorID, reference string) (payment.Attempt, error) {
	row, err := tx.q.AttemptToPayByReference(ctx, db.AttemptToPayByReferenceParams{ConnectorID: connectorID, Reference: reference})
	if err != nil {
		return payment.Attempt{}, missing(err, payment.CodePaymentNotFound, "no such attempt")
	}
	return attemptRow(row)
}

// PaymentAttempts lists the attempts to pay a payment, oldest first.
func (tx *Tx) PaymentAttempts(ctx context.Context, paymentID string) ([]payment.Attempt, error) {
	return attemptRows(tx.q.AttemptsToPay(ctx, paymentID))
}

// AttemptsForReview lists the attempts that a person has to look at, newest
// first.
func (tx *Tx) AttemptsForReview(ctx context.Context, merchantID, cursor string, limit int) ([]payment.Attempt, error) {
	return attemptRows(tx.q.AttemptsForReview(ctx, db.AttemptsForReviewParams{BeforeID: before(cursor), MerchantID: merchantID, Page: int32(limit)}))
}
