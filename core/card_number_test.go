package core_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/pan/pantest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/storetest"
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

// What others say is kept without card numbers, in every text of it: banks'
// credits and acquirers' words. What is digits only and names a transaction or
// an account stays as it is.
func TestCardNumbersOfOthersAreHidden(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx, a := t.Context(), newAcquirer(t, e)
		var numbers pantest.Numbers
		// sets calls fn with every text of a struct set to a card number.
		sets := func(fresh func() any, fn func(v any)) {
			kind := reflect.TypeOf(fresh())
			for i := range kind.NumField() {
				if kind.Field(i).Type != reflect.TypeFor[string]() || kind.Field(i).Name == "Actor" { // who acts is ours to say
					continue
				}
				for _, form := range []string{"sentence", "spaces", "full width"} {
					v := reflect.New(kind).Elem()
					v.Set(reflect.ValueOf(fresh()))
					v.Field(i).SetString(numbers.Write(form, kind.String()+"."+kind.Field(i).Name))
					fn(v.Interface())
				}
			}
		}
		kept := 0
		note := func(err error) {
			if err == nil {
				kept++
			}
		}
		sets(func() any { return e.Stray(1000) }, func(v any) {
			_, err := e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{v.(payment.Credit)})
			note(err)
		})
		sets(func() any { return a.word(a.send(a.open(1000)), payment.AttemptDone) }, func(v any) {
			_, err := e.Core.Resolve(ctx, v.(core.Word))
			note(err)
		})
		sets(func() any { return a.word(a.send(a.open(1000)), payment.AttemptFailed) }, func(v any) {
			_, err := e.Core.Resolve(ctx, v.(core.Word))
			note(err)
		})
		for _, outcome := range []payment.RefundState{payment.RefundApproved, payment.RefundDenied, payment.RefundProcessing} {
			sets(func() any { return core.RefundWord{Outcome: outcome} }, func(v any) {
				_, r, err := e.Core.RefundByOperator(ctx, coretest.Operator, a.pay(1000).ID, "", 1000, "cold")
				note(err)
				_, _, err = e.Core.AskRefund(ctx, r.ID)
				note(err)
				_, err = e.Core.ResolveRefund(ctx, r.ID, v.(core.RefundWord))
				note(err)
			})
		}
		text := func(where string) string { return numbers.Write("sentence", where) }
		begun := func() string {
			at, _, err := a.start(a.open(1000), payment.DomesticCard)
			note(err)
			return at.ID
		}
		_, err := e.Core.AttemptNotCreated(ctx, begun(), text("a code"), text("why it was not created"))
		note(err)
		_, err = e.Core.AttemptUncertain(ctx, begun(), text("uncertain"))
		note(err)
		_, err = e.Core.AbandonAttempt(ctx, begun(), text("abandoned"))
		note(err)
		_, err = e.Core.AttemptCreated(ctx, begun(), payment.Handoff{URL: "https://acquirer.example.test/"}, text("an acquirer's id"))
		note(err)
		id, err := e.Core.KeepMessage(ctx, e.Feed.Name, []byte("{}"))
		note(err)
		note(e.Core.FailMessage(ctx, id, text("why it is unreadable")))
		note(e.Core.RecordPull(ctx, e.Feed.Name, time.Time{}, "", text("why it could not be pulled")))
		if kept < 40 {
			t.Errorf("only %d of these were taken", kept)
		}
		bare := e.Stray(1000)
		bare.ExternalID = numbers.Next("a name that is digits")
		e.Take(bare)
		found := 0
		storetest.Texts(t, e.Store, func(table, column, text string) {
			for _, where := range numbers.Find(text) {
				if where == "a name that is digits" && table == "bank_credits" && column == "external_id" {
					found++
					continue
				}
				t.Errorf("%s.%s has %s: %q", table, column, where, text)
			}
		})
		if found != 1 {
			t.Errorf("the number that stays was found %d times", found)
		}
		e.Balances()
	})
}
