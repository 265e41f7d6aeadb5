package admin

import (
	"context"
	"strconv"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
)

// appOrderView is an order with where it stands.
type appOrderView struct {
	OrderID      string           `json:"order_id"` // decimal
	MerchantID   string           `json:"merchant_id"`
	Dialect      string           `json:"dialect"`
	CustomerID   string           `json:"customer_id"`
	Reference    string           `json:"reference"`
	Extra        string           `json:"extra"`
	Stage        string           `json:"stage"`
	Way          string           `json:"way"`        // "" while paying has not begun
	PaymentID    string           `json:"payment_id"` // the same
	ReceiptID    string           `json:"receipt_id"`
	ReceiptCode  string           `json:"receipt_code"`
	Customer     appOrderCustomer `json:"customer"`
	Lines        []appOrderLine   `json:"lines"`
	ShippingFee  money.VND        `json:"shipping_fee"`
	Total        money.VND        `json:"total"`
	Comment      string           `json:"comment"`
	CreatedAt    stamp            `json:"created_at"`
	StartedAt    stamp            `json:"started_at"`
	HandedOverAt stamp            `json:"handed_over_at"`
	CompletedAt  stamp            `json:"completed_at"`
	CanceledAt   stamp            `json:"canceled_at"`
	Payment      *paymentView     `json:"payment"` // null while paying has not begun
}

type appOrderCustomer struct {
	Name   string `json:"name"`
	Phone  string `json:"phone"`
	Email  string `json:"email"`
	Street string `json:"street"`
}

type appOrderLine struct {
	Name     string    `json:"name"`
	SKU      string    `json:"sku"`
	Quantity int64     `json:"quantity"`
	Price    money.VND `json:"price"`
}

func showAppOrder(p core.PlacedOrder) appOrderView {
	o := p.Order
	v := appOrderView{
		OrderID: o.ID, MerchantID: o.MerchantID, Dialect: o.Dialect, CustomerID: o.CustomerID, Reference: o.Reference, Extra: o.Extra,
		Stage: string(p.Stage()), Way: string(o.Way), PaymentID: o.PaymentID, ReceiptID: o.ReceiptID, ReceiptCode: o.ReceiptCode,
		Customer: appOrderCustomer(o.Customer), Lines: []appOrderLine{}, ShippingFee: o.ShippingFee, Total: o.Total, Comment: o.Comment,
		CreatedAt: stamp(o.CreatedAt), StartedAt: stamp(o.StartedAt), HandedOverAt: stamp(o.HandedOverAt), CompletedAt: stamp(o.CompletedAt),
		CanceledAt: stamp(o.CanceledAt),
	}
	for _, l := range o.Lines {
		v.Lines = append(v.Lines, appOrderLine{Name: l.Name, SKU: l.SKU, Quantity: l.Quantity, Price: l.Price})
	}
	if p.Payment.ID != "" {
		shown := showPayment(p.Payment)
		v.Payment = &shown
	}
	return v
}

func (a *API) appOrders(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.pageByName()
	if _, err := strconv.ParseUint(page.cursor, 10, 63); page.cursor != "" && err != nil {
		q.faults.add("cursor", "is not a cursor of this list")
	}
	s := core.AppOrderSearch{MerchantID: q.uuid("merchant_id"), Dialect: q.text("dialect"), CustomerID: q.text("customer_id"), Reference: q.text("reference")}
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]core.PlacedOrder, error) {
		s.Before, s.Limit = cursor, limit
		return a.core.SearchAppOrders(c.ctx(), s)
	}
	return readPage(page, read, func(p core.PlacedOrder) string { return p.Order.ID }, showAppOrder)
}

// placed shows what an act on an order left.
func placed(c *call, p core.PlacedOrder, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if p.Payment.ID != "" {
		httpx.Note(c.ctx(), "payment_id", p.Payment.ID)
	}
	return showAppOrder(p), nil
}

func (a *API) appOrder(c *call) (any, error) {
	p, err := a.core.AnyAppOrder(c.ctx(), c.r.PathValue("order_id"))
	return placed(c, p, err)
}

// moneyReceived records money that the gateway does not see: cash that was
// collected, a transfer that the merchant has verified.
func (a *API) moneyReceived(c *call) (any, error) {
	o, err := c.readBody(true)
	if err != nil {
		return nil, err
	}
	amount, reference := o.amount("amount"), o.text("reference", maxName)
	if amount != nil && *amount == 0 {
		o.complain("amount", "has to be above zero; leave it out for all that is due")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	p, err := a.core.MoneyReceived(c.ctx(), c.by, c.r.PathValue("order_id"), or(amount, 0), or(reference, ""))
	return placed(c, p, err)
}

func (a *API) handOver(c *call) (any, error) {
	o, err := c.readBody(true)
	if err != nil {
		return nil, err
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	p, err := a.core.HandOverAppOrder(c.ctx(), c.by, c.r.PathValue("order_id"))
	return placed(c, p, err)
}

func (a *API) completeAppOrder(c *call) (any, error) {
	return a.endAppOrder(c, a.core.CompleteAppOrderByOperator)
}

func (a *API) cancelAppOrder(c *call) (any, error) {
	return a.endAppOrder(c, a.core.CancelAppOrderByOperator)
}

func (a *API) endAppOrder(c *call, verb func(ctx context.Context, by core.Actor, id, comment string) (core.PlacedOrder, error)) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("comment")
	comment := o.words("comment", maxReason)
	if err := o.err(); err != nil {
		return nil, err
	}
	p, err := verb(c.ctx(), c.by, c.r.PathValue("order_id"), *comment)
	return placed(c, p, err)
}
