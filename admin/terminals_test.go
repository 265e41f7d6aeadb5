package admin_test

import (
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// terminal registers a terminal of env.Memo.
func (w *world) terminal(publicID string) payment.Terminal {
	w.t.Helper()
	t, _, err := w.env.Core.AddTerminal(w.t.Context(), coretest.Operator, core.NewTerminal{MerchantID: w.env.Memo.Merchant.ID, PublicID: publicID, Name: "Quầy 1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// sale opens a card sale, and has the device take it.
func (w *world) sale(t payment.Terminal) payment.Sold {
	w.t.Helper()
	o := w.env.Opening(w.env.Memo, 80_000)
	o.Methods = []payment.Method{payment.CardPresent}
	if _, err := w.env.Core.OpenSale(w.t.Context(), core.Selling{Opening: o, Terminal: t.PublicID}); err != nil {
		w.t.Fatal(err)
	}
	s, _, err := w.env.Core.NextSale(w.t.Context(), t.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) approve(s payment.Sold) {
	w.t.Helper()
	_, err := w.env.Core.ReportSale(w.t.Context(), core.SaleReport{
		TerminalID: s.Sale.TerminalID, PaymentID: s.Payment.ID, Outcome: core.SaleApproved, Reference: "RRN-" + s.Payment.Reference, Scheme: "visa", Card: "0018",
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// An operator sees a terminal's sales and batches, releases it from a device
// that is silent, and voids a sale that is not settled.
func TestTerminalLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		terminal := w.terminal("TID-LIFE")
		silent := w.sale(terminal)
		var sale object
		w.want(200, "POST", "/terminals/TID-LIFE/release", `{"reason": "the device fell down"}`, &sale)
		if sale["payment_id"] != silent.Payment.ID || sale["state"] != "canceled" {
			t.Errorf("%v", sale)
		}
		w.refused(409, "invalid_state", "POST", "/terminals/"+terminal.ID+"/release", `{"reason": "again"}`)

		first, second := w.sale(terminal), payment.Sold{}
		w.approve(first)
		second = w.sale(terminal)
		w.approve(second)
		for range 2 {
			var voided object
			w.want(200, "POST", "/payments/"+first.Payment.ID+"/void", `{"reason": "wrong customer"}`, &voided)
			if voided["state"] != "voided" || voided["method"] != "card_present" {
				t.Errorf("%v", voided)
			}
		}
		var batches struct {
			Open    object
			Settled []object
		}
		w.get("/terminals/TID-LIFE/batches", &batches)
		if batches.Open["sales"] != 1.0 || batches.Open["amount"] != 80000.0 || len(batches.Settled) != 0 {
			t.Errorf("%+v", batches)
		}
		if _, err := w.env.Core.SettleBatch(t.Context(), terminal.ID, 1); err != nil {
			t.Fatal(err)
		}
		w.refused(409, "invalid_state", "POST", "/payments/"+second.Payment.ID+"/void", `{"reason": "too late"}`)
		w.refused(409, "invalid_state", "POST", "/payments/"+w.paid.ID+"/void", `{"reason": "no card sale"}`)
		w.refused(404, "payment_not_found", "POST", "/payments/"+terminal.ID+"/void", `{"reason": "no payment"}`)
		w.get("/terminals/TID-LIFE/batches", &batches)
		if batches.Open["number"] != 2.0 || len(batches.Settled) != 1 || batches.Settled[0]["settled_at"] == nil {
			t.Errorf("%+v", batches)
		}
		var sales page
		w.get("/terminals/TID-LIFE/sales?limit=2", &sales)
		if len(sales.Items) != 2 || sales.Next == "" || sales.Items[0]["scheme"] != "visa" || sales.Items[0]["settled_at"] == nil {
			t.Errorf("%+v", sales)
		}
		w.get("/terminals/TID-LIFE/sales?limit=2&cursor="+sales.Next, &sales)
		if len(sales.Items) != 1 || sales.Items[0]["payment_id"] != silent.Payment.ID {
			t.Errorf("%+v", sales)
		}
		w.env.Balances()
	})
}
