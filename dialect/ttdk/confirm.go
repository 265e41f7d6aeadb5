package ttdk

import (
	"context"
	"errors"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// Modules Order and Order Payment Confirm: partners that collect the money say
// so, and ask.

// itemOf turns an error of one order into what both modules say; other errors
// stay.
func itemOf(err error) error {
	var no *booking.Refusal
	switch {
	case errors.As(err, &no) && no.Reason == booking.RequestReused:
		return &itemError{refusal: refusals[no.Reason], what: "requestId"}
	case errors.As(err, &no):
		return &itemError{refusal: refusals[no.Reason]}
	case outcomes[payment.CodeOf(err)] == refused, outcomes[payment.CodeOf(err)] == settled:
		return &itemError{refusal: refusals[booking.NotPayable]}
	case outcomes[payment.CodeOf(err)] == vanished:
		return &itemError{refusal: refusals[booking.NotFound]}
	}
	return err
}

// collect takes one confirmation.
func (h *handler) collect(ctx context.Context, c call, item values) (core.Sold, error) {
	status := item.text("paymentStatus")
	s, err := h.core.Collect(ctx, core.Collected{
		Merchant: c.merchant, RequestID: item.text("requestId"), Order: item.text("orderId"), Amount: money.VND(item.number("amount")), Status: status,
		Paid: status == statusSuccess, // T18
	})
	if s.Payment != nil {
		httpx.Note(ctx, "payment_id", s.Payment.ID)
	}
	if payment.CodeOf(err) == payment.CodeInvalidRequest && !isRefusal(err) {
		return s, &itemError{refusal: refusals[booking.RequestReused], what: "requestId"}
	}
	return s, itemOf(err)
}

func isRefusal(err error) bool { return errors.As(err, new(*booking.Refusal)) }

func (h *handler) confirmBatch(ctx context.Context, c call) (any, error) {
	items := c.in.list("items")
	answers := make([]confirmed, len(items))
	for i, element := range items {
		item := element.(values)
		answers[i] = confirmed{Index: i, OrderID: pan.Hide(item.text("orderId")), RequestID: pan.Hide(item.text("requestId")), Status: code00}
		_, err := h.collect(ctx, c, item)
		var e *itemError
		switch {
		case err == nil:
		case errors.As(err, &e):
			answers[i].Status, answers[i].Error = e.code, e.batch
		case payment.CodeOf(err) == payment.CodeBusy || payment.CodeOf(err) == payment.CodeInternal || payment.CodeOf(err) == payment.CodeConflict:
			// What came before it is done; the caller may ask again for all.
			h.Log.ErrorContext(ctx, "confirmation failed", "order", answers[i].OrderID, "error", err.Error())
			answers[i].Status, answers[i].Error = code99, "SYSTEM_ERROR"
		default:
			return nil, err
		}
	}
	return answers, nil
}

func (h *handler) confirm(ctx context.Context, c call) (any, error) {
	s, err := h.collect(ctx, c, c.in)
	var e *itemError
	if errors.As(err, &e) {
		switch e.code {
		case code04, code06:
			e.data = map[string]string{"orderId": c.in.text("orderId")}
		case code05:
			e.data = map[string]money.VND{"amount": s.Order.Total}
		}
	}
	if err != nil {
		return nil, err
	}
	return coded{Code: code00, Message: "Thanh toan thanh cong", Data: map[string]string{"orderId": c.in.text("orderId")}}, nil
}

// find finds one order whose total is the item's amount.
func (h *handler) find(ctx context.Context, c call, item values) (core.Transaction, error) {
	t, err := h.core.FindTransaction(ctx, c.merchant.ID, item.text("orderId"), item.text("transactionId"))
	if err != nil {
		return t, itemOf(err)
	}
	if money.VND(item.number("amount")) != t.Order.Total {
		return t, &itemError{refusal: refusals[booking.WrongAmount], data: map[string]money.VND{"amount": t.Order.Total}}
	}
	return t, nil
}

func (h *handler) orderInfo(ctx context.Context, c call, item values) (core.Transaction, orderInfo, error) {
	t, err := h.find(ctx, c, item)
	if err != nil {
		return t, orderInfo{}, err
	}
	o := t.Order
	info := orderInfo{
		OrderID: pan.Hide(item.text("orderId")), Total: o.Total, Discount: o.Discount, Tax: o.Tax, PaymentStatus: statusOf(o, t.Payment), CreatedAt: zulu(o.CreatedAt),
		Phone: o.Phone, FirstName: o.Payer, Items: []orderItem{},
	}
	for _, l := range o.Lines {
		info.Items = append(info.Items, orderItem{Name: l.Name, Quantity: l.Quantity, Amount: l.Amount()})
	}
	return t, info, nil
}

func (h *handler) queryOrderBatch(ctx context.Context, c call) (any, error) {
	items := c.in.list("items")
	answers := make([]orderInfo, len(items))
	for i, item := range items {
		var err error
		if _, answers[i], err = h.orderInfo(ctx, c, item.(values)); err != nil {
			return nil, err
		}
		answers[i].Index = &i
	}
	return answers, nil
}

func (h *handler) queryOrder(ctx context.Context, c call) (any, error) {
	t, v, err := h.orderInfo(ctx, c, c.in)
	if err != nil {
		return nil, err
	}
	v.CreatedAt = t.Order.CreatedAt.In(clock.Vietnam).Format(zoneLayout)
	return coded{Code: code00, Message: "Thanh cong", Data: v}, nil
}

func (h *handler) transaction(ctx context.Context, c call, item values) (core.Transaction, transaction, error) {
	t, err := h.find(ctx, c, item)
	if err != nil {
		return t, transaction{}, err
	}
	v := transaction{OrderID: pan.Hide(item.text("orderId")), Amount: t.Order.Total, Status: statusOf(t.Order, t.Payment)}
	at := t.Order.UpdatedAt
	if t.Payment != nil && t.Payment.UpdatedAt.After(at) {
		at = t.Payment.UpdatedAt
	}
	if t.Request.ID != "" {
		v.Status, at = t.Request.Status, t.Request.At
	}
	v.UpdatedAt = zulu(at)
	return t, v, nil
}

func (h *handler) queryTransactionBatch(ctx context.Context, c call) (any, error) {
	items := c.in.list("items")
	answers := make([]transaction, len(items))
	for i, item := range items {
		var err error
		if _, answers[i], err = h.transaction(ctx, c, item.(values)); err != nil {
			return nil, err
		}
		answers[i].Index = &i
	}
	return answers, nil
}

func (h *handler) queryTransaction(ctx context.Context, c call) (any, error) {
	t, v, err := h.transaction(ctx, c, c.in)
	if err != nil {
		return nil, err
	}
	v.UpdatedAt = t.Request.At.In(clock.Vietnam).Format(zoneLayout)
	return coded{Code: code00, Message: "Thanh cong", Data: v}, nil
}
