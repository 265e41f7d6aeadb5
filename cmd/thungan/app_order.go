package main

import (
	"context"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
)

type appOrderCommand struct {
	List          appListOrderCommand     `cmd:"" help:"List orders, newest first."`
	Show          appShowOrderCommand     `cmd:"" help:"Show one order."`
	MoneyReceived appMoneyReceivedCommand `cmd:"" name:"money-received" help:"Cash was collected, or a transfer that the merchant verifies has come."`
	HandOver      appHandOverCommand      `cmd:"" name:"hand-over" help:"The carrier has the goods."`
	Complete      appCompleteOrderCommand `cmd:"" help:"The order is delivered."`
	Cancel        appCancelOrderCommand   `cmd:"" help:"Give an order up; what was paid is refunded."`
}

func appOrderLines(p core.PlacedOrder) [][2]string {
	o := p.Order
	return [][2]string{
		{"order id", o.ID}, {"stage", string(p.Stage())}, {"total", o.Total.String()}, {"way", string(o.Way)}, {"customer", o.CustomerID},
		{"reference", o.Reference}, {"receipt code", o.ReceiptCode}, {"payment id", o.PaymentID}, {"received", p.Payment.Received.String()}, {"created", shown(o.CreatedAt)},
	}
}

type appListOrderCommand struct {
	operatorFlags
	Merchant  string `help:"Only of this merchant." placeholder:"ID" env:"-"`
	Customer  string `help:"Only of this customer." placeholder:"ID" env:"-"`
	Reference string `help:"Only with this reference of the merchant's." env:"-"`
	Limit     int    `help:"How many." default:"50" env:"-"`
}

func (c appListOrderCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		found, err := k.SearchAppOrders(ctx, core.AppOrderSearch{MerchantID: c.Merchant, CustomerID: c.Customer, Reference: c.Reference, Limit: c.Limit})
		if err != nil {
			return err
		}
		rows := make([][]string, len(found))
		for i, p := range found {
			rows[i] = []string{p.Order.ID, string(p.Stage()), p.Order.Total.String(), string(p.Order.Way), p.Order.CustomerID, p.Order.Reference, shown(p.Order.CreatedAt)}
		}
		return c.table([]string{"id", "stage", "total", "way", "customer", "reference", "created"}, rows)
	})
}

// appOrderFlags name an order to act on.
type appOrderFlags struct {
	operatorFlags
	ID string `arg:"" help:"The order's id."`
}

func (f appOrderFlags) act(ctx context.Context, verb func(k *core.Core, by core.Actor) (core.PlacedOrder, error)) error {
	return f.do(ctx, func(k *core.Core, by core.Actor) error {
		p, err := verb(k, by)
		if err != nil {
			return err
		}
		return f.show(appOrderLines(p)...)
	})
}

type appShowOrderCommand struct{ appOrderFlags }

func (c appShowOrderCommand) Run(ctx context.Context) error {
	return c.act(ctx, func(k *core.Core, _ core.Actor) (core.PlacedOrder, error) { return k.AnyAppOrder(ctx, c.ID) })
}

type appMoneyReceivedCommand struct {
	appOrderFlags
	Amount    money.VND `help:"How much, đồng; 0 is all that is due." default:"0" env:"-"`
	Reference string    `help:"Tells one receipt of the order from another." env:"-"`
}

func (c appMoneyReceivedCommand) Run(ctx context.Context) error {
	return c.act(ctx, func(k *core.Core, by core.Actor) (core.PlacedOrder, error) {
		return k.MoneyReceived(ctx, by, c.ID, c.Amount, c.Reference)
	})
}

type appHandOverCommand struct{ appOrderFlags }

func (c appHandOverCommand) Run(ctx context.Context) error {
	return c.act(ctx, func(k *core.Core, by core.Actor) (core.PlacedOrder, error) { return k.HandOverAppOrder(ctx, by, c.ID) })
}

type appCompleteOrderCommand struct {
	appOrderFlags
	Comment string `help:"Why." required:"" env:"-"`
}

func (c appCompleteOrderCommand) Run(ctx context.Context) error {
	return c.act(ctx, func(k *core.Core, by core.Actor) (core.PlacedOrder, error) {
		return k.CompleteAppOrderByOperator(ctx, by, c.ID, c.Comment)
	})
}

type appCancelOrderCommand struct {
	appOrderFlags
	Comment string `help:"Why." required:"" env:"-"`
}

func (c appCancelOrderCommand) Run(ctx context.Context) error {
	return c.act(ctx, func(k *core.Core, by core.Actor) (core.PlacedOrder, error) {
		return k.CancelAppOrderByOperator(ctx, by, c.ID, c.Comment)
	})
}
