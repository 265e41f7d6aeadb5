package core_test

import (
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
)

// No text that a merchant or an operator writes may have a card number in it;
// what only looks like one may.
func TestCardNumbersAreRefused(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx, by := t.Context(), core.Actor{Name: "anna"}
		opening := func(change func(o *core.Opening, text string)) func(string) error {
			return func(text string) error {
				o := e.Opening(e.Memo, 1000)
				change(&o, text)
				_, err := e.Core.Open(ctx, o)
				return err
			}
		}
		paid := e.Open(e.Memo, 100_000)
		e.Pay(paid, 100_000)
		for name, write := range map[string]func(text string) error{
			"reference":   opening(func(o *core.Opening, text string) { o.Reference = text }),
			"description": opening(func(o *core.Opening, text string) { o.Description = text }),
			"success url": opening(func(o *core.Opening, text string) { o.SuccessURL = "https://shop.example.com/?order=" + text }),
			"cancel url":  opening(func(o *core.Opening, text string) { o.CancelURL = "https://shop.example.com/" + text }),
			"notify url":  opening(func(o *core.Opening, text string) { o.NotifyURL = "https://shop.example.com/" + text }),
			"refund reference": func(text string) error {
				_, _, err := e.Core.RefundByOperator(ctx, by, paid.ID, text, 1000, "test")
				return err
			},
			"refund reason": func(text string) error {
				_, _, err := e.Core.RefundByOperator(ctx, by, paid.ID, "", 1000, text)
				return err
			},
			"cancel reason": func(text string) error {
				_, err := e.Core.Cancel(ctx, e.Open(e.Memo, 1000).ID, "payer", text)
				return err
			},
			"merchant": func(text string) error {
				_, err := e.Core.AddMerchant(ctx, by, core.NewMerchant{Name: text})
				return err
			},
			"token": func(text string) error {
				_, err := e.Core.AddAdminToken(ctx, by, text)
				return err
			},
			"connector": func(text string) error {
				_, err := e.Core.AddConnector(ctx, by, core.NewConnector{
					MerchantID: e.Memo.Merchant.ID, Kind: "fake", Name: text, Methods: []payment.Method{payment.DomesticCard}, Config: []byte(`{}`),
				})
				return err
			},
		} {
			err := write("4111111111111111")
			if payment.CodeOf(err) != payment.CodeInvalidRequest || !strings.Contains(err.Error(), "card number") || strings.Contains(err.Error(), "4111") {
				t.Errorf("%s: %v, want it refused, and not repeated", name, err)
			}
			if err := write("2026112500000123"); err != nil {
				t.Errorf("%s: an order number is refused: %v", name, err)
			}
		}
	})
}
