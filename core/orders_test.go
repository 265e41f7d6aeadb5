package core_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
	"github.com/thungan/thungan/store"
)

func placing(e *coretest.Env, amount money.VND) core.Placing {
	return core.Placing{
		Merchant: e.Memo.Merchant, Dialect: coretest.Name, CustomerID: "7", Lines: []order.Line{{Name: "Cà phê", Quantity: 1, Price: amount}},
	}
}

func place(t *testing.T, e *coretest.Env, amount money.VND) core.PlacedOrder {
	t.Helper()
	return must[core.PlacedOrder](t)(e.Core.PlaceAppOrder(t.Context(), placing(e, amount)))
}

func paying(o core.PlacedOrder, way order.Way, ends core.Ends) core.PayingApp {
	return core.PayingApp{
		OrderID: o.Order.ID, CustomerID: "7", Way: way, Methods: []payment.Method{payment.BankTransfer}, Dialects: map[string]core.Ends{coretest.Name: ends},
	}
}

func startPaying(t *testing.T, e *coretest.Env, o core.PlacedOrder, way order.Way) core.PlacedOrder {
	t.Helper()
	return must[core.PlacedOrder](t)(e.Core.StartPaying(t.Context(), paying(o, way, core.Paid)))
}

func ending(o core.PlacedOrder) core.Ending {
	return core.Ending{MerchantID: o.Order.MerchantID, Dialect: o.Order.Dialect, OrderID: o.Order.ID, Comment: "thôi"}
}

// However many try at once, an order is paid once.
func TestOrderIsPaidOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		o := place(t, e, 10_000)
		var started atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				_, err := e.Core.StartPaying(t.Context(), paying(o, order.Online, core.Paid))
				switch payment.CodeOf(err) {
				case "":
					started.Add(1)
				case payment.CodeInvalidState, payment.CodeDuplicateReference:
				default:
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		found := must[[]payment.Payment](t)(e.Core.Search(t.Context(), core.Search{MerchantID: e.Memo.Merchant.ID}))
		if started.Load() != 1 || len(found) != 1 {
			t.Errorf("%d started, %d payments", started.Load(), len(found))
		}
	})
}

// A merchant cancels while the customer begins to pay and the money arrives:
// whatever comes first, the books and the order agree.
func TestOrderIsCanceledMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		for range 12 {
			o := startPaying(t, e, place(t, e, 10_000), order.Online)
			credit := e.Credit(o.Payment, 10_000)
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := e.Core.CancelAppOrder(t.Context(), ending(o)); err != nil {
					t.Errorf("cancel: %v", err)
				}
			})
			wg.Go(func() {
				if _, err := e.Core.TakeCredits(t.Context(), e.Feed, "", []payment.Credit{credit}); err != nil {
					t.Errorf("credit: %v", err)
				}
			})
			wg.Wait()
			now := must[core.PlacedOrder](t)(e.Core.AnyAppOrder(t.Context(), o.Order.ID))
			if now.Stage() != order.Canceled {
				t.Errorf("the order is %s", now.Stage())
			}
			switch p := now.Payment; {
			case p.State == payment.Canceled && p.Received == 0: // the money waits for a person
			case p.State == payment.Approved && p.Refunding == 10_000:
			default:
				t.Errorf("the payment is %s with %d received, %d being refunded", p.State, p.Received, p.Refunding)
			}
		}
		e.Balances()
	})
}

func TestPlaceOrderRefuses(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		refused := func(name string, n core.Placing, want error) {
			t.Helper()
			if _, err := e.Core.PlaceAppOrder(t.Context(), n); !errors.Is(err, want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		refused("above the limit", placing(e, catalog.DefaultOrderLimit+1), order.ErrLimit)
		bySKU := placing(e, 0)
		bySKU.FromCatalog = true
		refused("no seller", bySKU, order.ErrSeller)
		_, err := e.Core.PlaceAppOrder(t.Context(), placing(e, 0))
		wantCode(t, "nothing", err, payment.CodeInvalidAmount)
		twice := placing(e, 1)
		twice.Exactly = "4711"
		must[core.PlacedOrder](t)(e.Core.PlaceAppOrder(t.Context(), twice))
		_, err = e.Core.PlaceAppOrder(t.Context(), twice)
		wantCode(t, "the same id", err, payment.CodeConflict)
	})
}

// Only the customer of the order, in the app of the order, pays it.
func TestStartPayingIsForItsCustomer(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		o := place(t, e, 10_000)
		for name, change := range map[string]func(*core.PayingApp){
			"another customer": func(n *core.PayingApp) { n.CustomerID = "8" }, "another app": func(n *core.PayingApp) { n.App = e.Virtual.Profile.PublicID },
			"another protocol": func(n *core.PayingApp) { n.Dialects = map[string]core.Ends{"paykit": core.Paid} }, "no order": func(n *core.PayingApp) { n.OrderID = "1" },
			"no number": func(n *core.PayingApp) { n.OrderID = "' OR 1=1" },
		} {
			n := paying(o, order.Online, core.Paid)
			change(&n)
			_, err := e.Core.StartPaying(t.Context(), n)
			wantCode(t, name, err, payment.CodeNotFound)
		}
		n := paying(o, order.Online, core.Paid)
		n.App = e.Memo.Profile.PublicID
		must[core.PlacedOrder](t)(e.Core.StartPaying(t.Context(), n))
	})
}

// Test money comes at once, is in the books, and goes back at once.
func TestTestedOrders(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		o := must[core.PlacedOrder](t)(e.Core.StartPaying(t.Context(), paying(place(t, e, 10_000), order.Online, core.Tested)))
		if o.Stage() != order.Paid || e.Balances()["merchant:"+e.Memo.Merchant.ID+":sales"] != -10_000 {
			t.Errorf("%s, %v", o.Stage(), e.Balances())
		}
		end := ending(o)
		end.Tested = core.Tested
		must[core.PlacedOrder](t)(e.Core.CancelAppOrder(t.Context(), end))
		if p := e.Reload(o.Payment); p.Refunded != 10_000 || p.Refunding != 0 {
			t.Errorf("refunded %d, refunding %d", p.Refunded, p.Refunding)
		}
		if sales := e.Balances()["merchant:"+e.Memo.Merchant.ID+":sales"]; sales != 0 {
			t.Errorf("sales %d", sales)
		}
		fails := catalog.TestFailure
		must[catalog.App](t)(e.Core.ChangeApp(t.Context(), coretest.Operator, e.Memo.Merchant.ID, core.AppChange{TestResult: &fails}))
		o = must[core.PlacedOrder](t)(e.Core.StartPaying(t.Context(), paying(place(t, e, 10_000), order.Online, core.Tested)))
		if o.Stage() != order.Canceled {
			t.Errorf("%s", o.Stage())
		}
	})
}

// Money that an operator records comes in once for each receipt: the same again
// changes nothing, and another one under its reference is refused, not dropped.
func TestMoneyReceived(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		o := startPaying(t, e, place(t, e, 100_000), order.OnDelivery)
		receive := func(amount money.VND, reference string) (core.PlacedOrder, error) {
			return e.Core.MoneyReceived(t.Context(), coretest.Operator, o.Order.ID, amount, reference)
		}
		acts := func() (n int) {
			for _, a := range must[[]store.AuditRecord](t)(e.Core.AuditLog(t.Context(), "", 0)) {
				if a.Act == "order.money_received" && a.Subject == o.Order.ID {
					n++
				}
			}
			return n
		}
		for _, step := range []struct {
			what      string
			amount    money.VND
			reference string
			code      payment.Code
			received  money.VND
			acts      int
		}{
			{"a part", 40_000, "", "", 40_000, 1},
			{"the same again", 40_000, "", "", 40_000, 1},
			{"another one", 30_000, "", payment.CodeConflict, 40_000, 1},
			{"the rest under its reference", 0, "", payment.CodeConflict, 40_000, 1},
			{"another one of its own", 20_000, "b", "", 60_000, 2},
			{"as much as the first, all that is due", 0, "", payment.CodeConflict, 60_000, 2},
			{"the rest", 0, "c", "", 100_000, 3},
			{"the rest again", 0, "c", "", 100_000, 3},
		} {
			_, err := receive(step.amount, step.reference)
			wantCode(t, step.what, err, step.code)
			if p := e.Reload(o.Payment); p.Received != step.received || acts() != step.acts {
				t.Errorf("%s: %d received, %d acts in the audit log", step.what, p.Received, acts())
			}
		}
		checkPayment(t, e, o.Payment.ID)
	})
}

// A merchant's limit of the day counts orders that are being paid.
func TestOrdersCountForTheLimit(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		limit := money.VND(15_000)
		must[payment.Merchant](t)(e.Core.ChangeMerchant(t.Context(), coretest.Operator, e.Memo.Merchant.ID, core.MerchantChange{DailyLimit: &limit}))
		startPaying(t, e, place(t, e, 10_000), order.Online)
		o := place(t, e, 10_000)
		_, err := e.Core.StartPaying(t.Context(), paying(o, order.Online, core.Paid))
		wantCode(t, "above the day's limit", err, payment.CodeTotalLimit)
		if now := must[core.PlacedOrder](t)(e.Core.AnyAppOrder(t.Context(), o.Order.ID)); now.Stage() != order.Draft || now.Order.Way != "" {
			t.Errorf("it is %s", now.Stage())
		}
	})
}

// Codes and refresh tokens are good once, however many try.
func TestGrantsAreGoodOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		must[signin.Customer](t)(e.Core.AddCustomer(t.Context(), coretest.Operator, signin.Customer{ID: 7, Name: "Lan"}))
		session := must[string](t)(e.Core.SignIn(t.Context(), 7))
		app := e.Memo.Profile.PublicID
		code, granted, err := e.Core.AuthCode(t.Context(), session, app, []string{coretest.Name}, []string{"offline", "x"})
		if err != nil || strings.Join(granted, " ") != "offline" {
			t.Fatal(granted, err)
		}
		once := func(name string, exchange func() (core.SignedIn, error)) core.SignedIn {
			t.Helper()
			var mu sync.Mutex
			var good []core.SignedIn
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					s, err := exchange()
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						good = append(good, s)
					} else if payment.CodeOf(err) != payment.CodeUnauthorized {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			wg.Wait()
			if len(good) != 1 {
				t.Fatalf("%s was good %d times", name, len(good))
			}
			return good[0]
		}
		s := once("the code", func() (core.SignedIn, error) { return e.Core.ExchangeCode(t.Context(), app, code) })
		s = once("the refresh token", func() (core.SignedIn, error) { return e.Core.RefreshTokens(t.Context(), app, s.Refresh) })
		if who := must[core.SignedIn](t)(e.Core.WhoIs(t.Context(), app, s.Access)); who.Customer.ID != 7 {
			t.Errorf("%+v", who)
		}
		_, err = e.Core.WhoIs(t.Context(), e.Virtual.Profile.PublicID, s.Access)
		wantCode(t, "another app's token", err, payment.CodeUnauthorized)
		if err := e.Core.SignOut(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		_, err = e.Core.Session(t.Context(), session)
		wantCode(t, "signed out", err, payment.CodeUnauthorized)
		e.Advance(signin.AccessLife)
		_, err = e.Core.WhoIs(t.Context(), app, s.Access)
		wantCode(t, "an hour later", err, payment.CodeUnauthorized)
		e.Advance(60 * 24 * time.Hour)
		_, _, err = e.Core.AuthCode(t.Context(), must[string](t)(e.Core.SignIn(t.Context(), 7)), "nobody", []string{coretest.Name}, nil)
		wantCode(t, "no app", err, payment.CodeNotFound)
	})
}
