package store

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// orderDetails is what an order keeps as JSON.
type orderDetails struct {
	Customer order.Customer `json:"customer"`
	Lines    []order.Line   `json:"lines"`
}

var errNoOrder = payment.Fail(payment.CodeNotFound, "no such order")

// orderNumber reads an order's id. One that is no number belongs to no order.
func orderNumber(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id {
		return 0, errNoOrder
	}
	return n, nil
}

func appOrderRow(r db.Order) (order.Order, error) {
	o := order.Order{
		ID: strconv.FormatInt(r.ID, 10), MerchantID: r.MerchantID, Dialect: r.Dialect, CustomerID: r.CustomerID, Reference: r.Reference, Extra: r.Extra,
		Version: r.Version, ShippingFee: money.VND(r.ShippingFee), Total: money.VND(r.Total), ReceiptID: r.ReceiptID, ReceiptCode: r.ReceiptCode,
		Way: order.Way(r.Way), PaymentID: r.PaymentID, Comment: r.Note, PushPage: r.PushPage,
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), StartedAt: moment(r.StartedAt), HandedOverAt: moment(r.HandedOverAt),
		CompletedAt: moment(r.CompletedAt), CanceledAt: moment(r.CanceledAt),
	}
	var d orderDetails
	if err := json.Unmarshal([]byte(r.Details), &d); err != nil {
		return o, err
	}
	o.Customer, o.Lines = d.Customer, d.Lines
	return o, nil
}

// AddAppOrder inserts an order. ok is false when its id or receipt code is taken;
// it is to be tried again with others.
func (tx *Tx) AddAppOrder(ctx context.Context, o order.Order) (ok bool, err error) {
	number, err := orderNumber(o.ID)
	if err != nil {
		return false, err
	}
	details, err := json.Marshal(orderDetails{Customer: o.Customer, Lines: o.Lines})
	if err != nil {
		return false, err
	}
	n, err := tx.q.InsertOrder(ctx, db.InsertOrderParams{
		ID: number, MerchantID: o.MerchantID, Dialect: o.Dialect, CustomerID: o.CustomerID, Reference: o.Reference, Extra: o.Extra, Version: o.Version,
		Details: string(details), ShippingFee: int64(o.ShippingFee), Total: int64(o.Total), ReceiptID: o.ReceiptID, ReceiptCode: o.ReceiptCode,
		Way: string(o.Way), PaymentID: o.PaymentID, CreatedAt: millis(o.CreatedAt), UpdatedAt: millis(o.UpdatedAt), StartedAt: millis(o.StartedAt),
		HandedOverAt: millis(o.HandedOverAt), CompletedAt: millis(o.CompletedAt), CanceledAt: millis(o.CanceledAt), Note: o.Comment, PushPage: o.PushPage,
	})
	return n == 1, err
}

// AppOrder loads one order; CodeNotFound when there is none.
func (tx *Tx) AppOrder(ctx context.Context, id string) (order.Order, error) {
	number, err := orderNumber(id)
	if err != nil {
		return order.Order{}, err
	}
	row, err := tx.q.Order(ctx, number)
	if err != nil {
		return order.Order{}, missing(err, payment.CodeNotFound, errNoOrder.Text)
	}
	return appOrderRow(row)
}

// LockAppOrder loads an order and keeps others from changing it until the
// transaction ends. Whoever locks an order and its payment locks the order
// first.
func (tx *Tx) LockAppOrder(ctx context.Context, id string) (order.Order, error) {
	number, err := orderNumber(id)
	if err != nil {
		return order.Order{}, err
	}
	row, err := tx.q.OrderForUpdate(ctx, number)
	if err != nil {
		return order.Order{}, missing(err, payment.CodeNotFound, errNoOrder.Text)
	}
	return appOrderRow(row)
}

// AppOrderOfPayment loads the order that a payment pays; CodeNotFound when it pays
// none.
func (tx *Tx) AppOrderOfPayment(ctx context.Context, paymentID string) (order.Order, error) {
	row, err := tx.q.OrderOfPayment(ctx, paymentID)
	if err != nil {
		return order.Order{}, missing(err, payment.CodeNotFound, errNoOrder.Text)
	}
	return appOrderRow(row)
}

// SaveAppOrder writes a changed order. It fails with CodeConflict when o is not
// the version after the stored one.
func (tx *Tx) SaveAppOrder(ctx context.Context, o order.Order) error {
	number, err := orderNumber(o.ID)
	if err != nil {
		return err
	}
	n, err := tx.q.UpdateOrder(ctx, db.UpdateOrderParams{
		ID: number, Version: o.Version, Way: string(o.Way), PaymentID: o.PaymentID, UpdatedAt: millis(o.UpdatedAt), StartedAt: millis(o.StartedAt),
		HandedOverAt: millis(o.HandedOverAt), CompletedAt: millis(o.CompletedAt), CanceledAt: millis(o.CanceledAt), Note: o.Comment, PushPage: o.PushPage,
	})
	if err == nil && n != 1 {
		return payment.Fail(payment.CodeConflict, "the order was changed by somebody else")
	}
	return err
}

// AppOrderSearch selects orders; empty fields select all.
type AppOrderSearch struct {
	MerchantID, Dialect, CustomerID, Reference string
	BeforeID                                   string // the last id of the page before
	Limit                                      int
}

// SearchAppOrders lists orders, newest first.
func (tx *Tx) SearchAppOrders(ctx context.Context, f AppOrderSearch) ([]order.Order, error) {
	from := int64(1<<63 - 1)
	if f.BeforeID != "" {
		var err error
		if from, err = orderNumber(f.BeforeID); err != nil {
			return nil, nil
		}
	}
	rows, err := tx.q.SearchOrders(ctx, db.SearchOrdersParams{
		BeforeID: from, MerchantID: f.MerchantID, Dialect: f.Dialect, CustomerID: f.CustomerID, Reference: f.Reference, Page: int32(f.Limit),
	})
	if err != nil {
		return nil, err
	}
	found := make([]order.Order, len(rows))
	for i, row := range rows {
		if found[i], err = appOrderRow(row); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// OpenPayment inserts one new payment inside this transaction, as OpenPayments
// does in one of its own.
func (tx *Tx) OpenPayment(ctx context.Context, o Opening) (verdict, err error) {
	return tx.open(ctx, o)
}
