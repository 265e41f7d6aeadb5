package ttdk_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// purse is a connector that takes every order and knows nothing of it later.
type purse struct{}

func (purse) Kind() string { return "purse" }
func (purse) Methods() []payment.Method {
	return []payment.Method{payment.MoMo, payment.ZaloPay}
}
func (purse) CheckConfig([]byte) error            { return nil }
func (purse) Reference(a payment.Attempt) string  { return a.ID }
func (purse) Acknowledge(bool, error) card.Answer { return card.Answer{Status: 204} }
func (purse) Create(_ context.Context, _ card.Dealing, o card.Order) (card.Created, error) {
	return card.Created{Handoff: payment.Handoff{URL: "https://purse.example/" + string(o.Attempt.Method) + "/" + o.Attempt.Amount.String()}}, nil
}
func (purse) VerifyReturn(card.Dealing, card.Message) (card.Report, error) {
	return card.Report{}, payment.Fail(payment.CodeUnauthorized, "")
}
func (purse) VerifyNotify(card.Dealing, card.Message) (card.Report, error) {
	return card.Report{}, payment.Fail(payment.CodeUnauthorized, "")
}
func (purse) Query(context.Context, card.Dealing, payment.Attempt) (card.Report, error) {
	return card.Report{Outcome: card.Pending}, nil
}

// A payer goes to one wallet, chooses another, and at last pays by bank
// transfer: with the real acquirers' service, on one payment.
func TestSwitchWallets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
		with := config(g)
		with.Starter = acquiring.New(acquiring.Config{Core: g.Core, Clock: g.Clock, Log: g.Log, Connectors: []card.Connector{purse{}}, PublicURL: "https://pay.example.com"})
		c := client{t, g, fixtures(t, g, with)}
		_, err := g.Core.AddConnector(t.Context(), dialecttest.Operator, core.NewConnector{
			MerchantID: g.Shop.ID, Kind: "purse", Methods: purse{}.Methods(), Config: []byte(`{}`),
		})
		check(t, err)
		pay := func(kind, number int) map[string]any {
			t.Helper()
			return c.post("/PartnerAPI/CustomerSchedule/user/createPayment", fmt.Sprintf(`{"customerScheduleId": 1869, "paymentMethodType": %d, "paymentMethodId": %d}`, kind, number), 200)
		}
		for _, step := range []struct {
			kind, number int
			link         string
		}{
			{2, 2, "https://purse.example/momo/120000"}, {2, 2, "https://purse.example/momo/120000"}, {5, 5, "https://purse.example/zalopay/120000"}, {2, 2, "https://purse.example/momo/120000"},
		} {
			if a := pay(step.kind, step.number); a["paymentLinkUrl"] != step.link || a["isSuccess"] != 1.0 || a["paymentStatus"] != "Pending" {
				t.Errorf("type %d: %v", step.kind, a)
			}
		}
		if status := c.post("/Order/user/getOrderDetail", `{"id": 99999}`, 200)["paymentStatus"]; status != "Pending" {
			t.Errorf("at the wallet: %v", status)
		}
		a := pay(2, 1)
		qr, ok := a["bankQR"].(map[string]any)
		if !ok || qr["paymentContent"] != "ORDER99999" {
			t.Fatalf("the bank after all: %v", a)
		}
		if credit := g.Transfer(t, "ORDER99999", money.VND(120_000)); credit.Outcome != payment.OutcomeExact {
			t.Errorf("the transfer: %+v", credit)
		}
		if status := c.post("/Order/user/getOrderDetail", `{"id": 99999}`, 200)["paymentStatus"]; status != "Success" {
			t.Errorf("paid: %v", status)
		}
		found, err := g.Core.Search(t.Context(), core.Search{MerchantID: g.Shop.ID, Reference: "99999"})
		if err != nil || len(found) != 1 {
			t.Errorf("%d payments, %v", len(found), err)
		}
	})
}
