package core_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// till is a terminal of the Env's first merchant.
type till struct {
	*coretest.Env
	payment.Terminal
	key string
}

func newTill(t *testing.T, e *coretest.Env, n core.NewTerminal) till {
	t.Helper()
	n.MerchantID, n.Name = e.Memo.Merchant.ID, "Quầy 1"
	terminal, key, err := e.Core.AddTerminal(t.Context(), coretest.Operator, n)
	if err != nil {
		t.Fatal(err)
	}
	return till{e, terminal, key}
}

func (l till) selling(m payment.Method, amount money.VND) core.Selling {
	o := l.Opening(l.Env.Memo, amount)
	o.Methods = []payment.Method{m}
	return core.Selling{Opening: o, Terminal: l.PublicID}
}

func (l till) sell(t *testing.T, amount money.VND) payment.Sold {
	t.Helper()
	return must[payment.Sold](t)(l.Core.OpenSale(t.Context(), l.selling(payment.CardPresent, amount)))
}

func (l till) report(s payment.Sold, outcome core.SaleOutcome, reference string) (payment.Sold, error) {
	return l.Core.ReportSale(l.T.Context(), core.SaleReport{
		TerminalID: l.Terminal.ID, PaymentID: s.Payment.ID, Outcome: outcome, Reference: reference, Scheme: "", Card: "",
	})
}

// approve sells and has it approved.
func (l till) approve(t *testing.T, amount money.VND) payment.Sold {
	t.Helper()
	s := l.sell(t, amount)
	if _, ok, err := l.Core.NextSale(t.Context(), l.Terminal.ID); err != nil || !ok {
		t.Fatal(ok, err)
	}
	return must[payment.Sold](t)(l.report(s, core.SaleApproved, "RRN-"+s.Payment.Reference))
}

func (l till) settle(t *testing.T) payment.Batch {
	t.Helper()
	now := must[payment.Terminal](t)(l.Core.Terminal(t.Context(), l.Terminal.ID))
	return must[payment.Batch](t)(l.Core.SettleBatch(t.Context(), l.Terminal.ID, now.Batch))
}

func (l till) refuses(t *testing.T, name string, s core.Selling, code payment.Code) {
	t.Helper()
	_, err := l.Core.OpenSale(t.Context(), s)
	wantCode(t, name, err, code)
}

// A card sale: offered, fetched, approved once however often it is told, voided
// once; the ledger shows the terminal's money and gives it back.
func TestCardSale(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		if _, ok, err := e.Core.NextSale(t.Context(), l.ID); ok || err != nil {
			t.Errorf("an idle terminal has work: %v", err)
		}
		s := l.sell(t, 120_000)
		if s.Payment.State != payment.Open || s.Payment.Method != payment.CardPresent || s.Payment.Transfer.AccountID != "" {
			t.Errorf("%+v", s.Payment)
		}
		for range 2 { // the device has lost the answer
			next, ok, err := e.Core.NextSale(t.Context(), l.ID)
			if err != nil || !ok || next.Payment.ID != s.Payment.ID || next.Payment.State != payment.Processing || next.Payment.Version != 2 {
				t.Errorf("%v %v %+v", ok, err, next.Payment)
			}
		}
		for range 3 {
			done := must[payment.Sold](t)(l.report(s, core.SaleApproved, "RRN-1"))
			if done.Payment.State != payment.Approved || done.Payment.Received != 120_000 || done.Sale.Batch != 1 || done.Sale.Reference != "RRN-1" {
				t.Errorf("%+v", done)
			}
		}
		if b := e.Balances(); b["terminal:"+l.ID] != 120_000 || b["merchant:"+e.Memo.Merchant.ID+":sales"] != -120_000 {
			t.Errorf("%v", b)
		}
		_, err := l.report(s, core.SaleDeclined, "")
		wantCode(t, "declined after it was approved", err, payment.CodeInvalidState)

		for range 2 {
			v := must[payment.Sold](t)(e.Core.Void(t.Context(), s.Payment.ID, core.ActorTerminal, "wrong amount"))
			if v.Payment.State != payment.Voided || v.Payment.Received != 0 || v.Payment.CompletedAt.IsZero() {
				t.Errorf("%+v", v.Payment)
			}
		}
		if b := e.Balances(); b["terminal:"+l.ID] != 0 || b["merchant:"+e.Memo.Merchant.ID+":sales"] != 0 {
			t.Errorf("%v", b)
		}
		credits := must[[]payment.Credit](t)(e.Core.Credits(t.Context(), core.CreditSearch{PaymentID: s.Payment.ID}))
		if len(credits) != 1 || credits[0].Returned != 120_000 || credits[0].Applied != 0 || credits[0].Channel != payment.ChannelTerminal {
			t.Errorf("%+v", credits)
		}
		notices := must[[]string](t)(kinds(t, e, s.Payment))
		if fmt.Sprint(notices) != "[2 processing 3 approved 4 voided]" {
			t.Errorf("told: %v", notices)
		}
		sound(t, e)
	})
}

// sound has the auditor judge the database.
func sound(t *testing.T, e *coretest.Env) {
	t.Helper()
	report, err := auditor.Audit(t.Context(), e.Store, auditor.Options{Now: e.Clock.Now()})
	if err != nil || !report.Sound() {
		t.Errorf("the auditor finds %+v, %v", report.Findings, err)
	}
}

// kinds are the notices of a payment: version and state of each.
func kinds(t *testing.T, e *coretest.Env, p payment.Payment) ([]string, error) {
	items, err := e.Core.Notices(t.Context(), core.NoticeSearch{PaymentID: p.ID})
	var all []string
	for _, item := range items {
		told, err := e.Core.Told(t.Context(), p.ID, item.Version)
		if err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprint(item.Version), string(told.Payment.State))
	}
	return all, err
}

// Each way in which a sale comes to nothing, told twice; then the terminal is
// free.
func TestSaleEnds(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		for outcome, want := range map[core.SaleOutcome]payment.State{
			core.SaleDeclined: payment.Denied, core.SaleCanceled: payment.Canceled, core.SaleTimedOut: payment.Expired,
		} {
			for _, fetched := range []bool{true, false} {
				s := l.sell(t, 50_000)
				if fetched {
					must[bool](t)(handedOut(e.Core.NextSale(t.Context(), l.ID)))
				}
				for range 2 {
					if done := must[payment.Sold](t)(l.report(s, outcome, "")); done.Payment.State != want {
						t.Errorf("%s: %s", outcome, done.Payment.State)
					}
				}
				// The device turns out to have charged the card.
				late := must[payment.Sold](t)(l.report(s, core.SaleApproved, "LATE"))
				if late.Payment.State != want {
					t.Errorf("late: %s", late.Payment.State)
				}
				credits := must[[]payment.Credit](t)(e.Core.Credits(t.Context(), core.CreditSearch{PaymentID: s.Payment.ID}))
				if len(credits) != 1 || credits[0].Outcome != payment.OutcomeLate || credits[0].Unapplied != 50_000 {
					t.Errorf("%+v", credits)
				}
			}
		}
		s := l.sell(t, 50_000)
		for _, bad := range []core.SaleReport{
			{Outcome: "perhaps"}, {}, {Outcome: core.SaleApproved}, {Outcome: core.SaleDeclined, Reason: "mood"},
			{Outcome: core.SaleCanceled, Reason: payment.DeclineFunds}, {Outcome: core.SaleApproved, Reference: "1", Card: "4111111111111111"},
			{Outcome: core.SaleApproved, Reference: "1", Scheme: "diners"}, {Outcome: core.SaleApproved, Reference: "\x00"},
			{Outcome: core.SaleApproved, Reference: "1", Approval: "a b"},
		} {
			bad.TerminalID, bad.PaymentID = l.ID, s.Payment.ID
			_, err := e.Core.ReportSale(t.Context(), bad)
			wantCode(t, fmt.Sprintf("%+v", bad), err, payment.CodeInvalidRequest)
		}
		other := newTill(t, e, core.NewTerminal{})
		for _, outcome := range []core.SaleOutcome{core.SaleApproved, core.SaleDeclined} {
			_, err := other.report(s, outcome, "X")
			wantCode(t, "another terminal's sale", err, payment.CodePaymentNotFound)
		}
		p := e.Open(e.Memo, 50_000)
		_, err := l.report(payment.Sold{Payment: p}, core.SaleApproved, "X")
		wantCode(t, "no sale at all", err, payment.CodePaymentNotFound)
		_, err = e.Core.Void(t.Context(), p.ID, "x", "")
		wantCode(t, "void what is no sale", err, payment.CodeInvalidState)
		_, err = e.Core.Void(t.Context(), s.Payment.ID, "x", "")
		wantCode(t, "void what is not paid", err, payment.CodeInvalidState)
		e.Balances()
		sound(t, e)
	})
}

func handedOut[A, B any](_ A, b B, err error) (B, error) { return b, err }

// A terminal has one card sale under way, and refuses what it may not take.
func TestTerminalRefuses(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{MaxAmount: 500_000, DailyLimit: 1_000_000, MonthlyLimit: 1_500_000, BatchLimit: 900_000})
		card := func(amount money.VND) core.Selling { return l.selling(payment.CardPresent, amount) }
		l.refuses(t, "above the limit of a sale", card(500_001), payment.CodeTotalLimit)
		unknown := card(10_000)
		unknown.Terminal = "TID-NONE"
		l.refuses(t, "unknown", unknown, payment.CodeTerminalUnusable)
		foreign := card(10_000)
		foreign.Merchant = e.Virtual.Merchant
		l.refuses(t, "another merchant's", foreign, payment.CodeTerminalUnusable)
		wallet := card(10_000)
		wallet.Methods = []payment.Method{payment.MoMo}
		l.refuses(t, "a method that is not taken", wallet, payment.CodeMethodNotSupported)

		first := card(400_000)
		s := must[payment.Sold](t)(e.Core.OpenSale(t.Context(), first))
		l.refuses(t, "busy", card(10_000), payment.CodeTerminalBusy)
		l.refuses(t, "the same again", first, payment.CodeDuplicateReference)
		must[payment.Sold](t)(e.Core.OpenSale(t.Context(), l.selling(payment.BankTransfer, 10_000)))
		must[bool](t)(handedOut(e.Core.NextSale(t.Context(), l.ID)))
		l.refuses(t, "busy at the device", card(10_000), payment.CodeTerminalBusy)
		must[payment.Sold](t)(l.report(s, core.SaleApproved, "1"))

		l.approve(t, 450_000)
		l.refuses(t, "settle first", card(60_000), payment.CodeSettleFirst)
		if b := l.settle(t); b.Sales != 2 || b.Amount != 850_000 || b.SettledAt.IsZero() || b.Number != 1 {
			t.Errorf("%+v", b)
		}
		l.approve(t, 60_000)
		l.refuses(t, "the day's limit", card(100_000), payment.CodeTotalLimit)
		e.Advance(24 * time.Hour)
		e.ExpireDue() // the QR sale, which counts no more
		l.approve(t, 490_000)
		l.refuses(t, "the month's limit", card(100_001), payment.CodeTotalLimit)
		e.Advance(30 * 24 * time.Hour)
		l.settle(t)
		l.approve(t, 400_000)

		locked, qr := payment.TerminalLocked, []payment.Method{payment.BankTransfer}
		must[payment.Terminal](t)(e.Core.ChangeTerminal(t.Context(), coretest.Operator, l.ID, core.TerminalChange{State: &locked}))
		l.refuses(t, "locked", card(10_000), payment.CodeTerminalUnusable)
		_, _, err := e.Core.NextSale(t.Context(), l.ID)
		wantCode(t, "a locked device", err, payment.CodeTerminalUnusable)
		active := payment.TerminalActive
		must[payment.Terminal](t)(e.Core.ChangeTerminal(t.Context(), coretest.Operator, l.ID, core.TerminalChange{State: &active, Methods: qr}))
		l.refuses(t, "no cards", card(10_000), payment.CodeMethodNotSupported)
	})
}

// Of many card sales at once a terminal takes one; of one reference there is
// ever one.
func TestOneSaleAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l, other := newTill(t, e, core.NewTerminal{}), newTill(t, e, core.NewTerminal{})
		for name, c := range map[string]struct {
			next func() core.Selling
			code payment.Code
		}{
			"one terminal":            {func() core.Selling { return l.selling(payment.CardPresent, 10_000) }, payment.CodeTerminalBusy},
			"one reference, by QR":    {sameReference(l, other, payment.BankTransfer, "SAME-QR"), payment.CodeDuplicateReference},
			"one reference, by cards": {sameReference(other, other, payment.CardPresent, "SAME-CARD"), payment.CodeDuplicateReference},
		} {
			var opened, refused int
			var mu sync.Mutex
			var all sync.WaitGroup
			for range 16 {
				s := c.next()
				all.Go(func() {
					_, err := e.Core.OpenSale(t.Context(), s)
					mu.Lock()
					defer mu.Unlock()
					switch payment.CodeOf(err) {
					case "":
						opened++
					case c.code:
						refused++
					default:
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			if opened != 1 || refused != 15 {
				t.Errorf("%s: %d opened, %d refused", name, opened, refused)
			}
		}
	})
}

func sameReference(a, b till, m payment.Method, reference string) func() core.Selling {
	n := 0
	return func() core.Selling {
		n++
		l := a
		if n%2 == 0 {
			l = b
		}
		s := l.selling(m, 10_000)
		s.Reference = reference
		return s
	}
}

// Void and settlement at once: one of them wins, and then the other is refused.
func TestVoidAgainstSettlement(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		for i := range 8 {
			s := l.approve(t, 30_000)
			number := must[payment.Terminal](t)(e.Core.Terminal(t.Context(), l.ID)).Batch
			var both sync.WaitGroup
			var voidErr error
			var b payment.Batch
			both.Go(func() { _, voidErr = e.Core.Void(t.Context(), s.Payment.ID, "x", "") })
			both.Go(func() { b = must[payment.Batch](t)(e.Core.SettleBatch(t.Context(), l.ID, number)) })
			both.Wait()
			now := must[payment.Sold](t)(e.Core.Sale(t.Context(), s.Payment.ID))
			settled := !now.Sale.Settled(now.Payment).IsZero()
			if voided := now.Payment.State == payment.Voided; voided == settled || voided != (voidErr == nil) || settled != (b.Sales == 1) {
				t.Errorf("round %d: voided %v, settled %v, %v, %+v", i, voided, settled, voidErr, b)
			}
			if settled {
				again := must[payment.Batch](t)(e.Core.SettleBatch(t.Context(), l.ID, number))
				if again != b {
					t.Errorf("settled again: %+v, was %+v", again, b)
				}
			}
		}
		_, err := e.Core.SettleBatch(t.Context(), l.ID, 99)
		wantCode(t, "a batch that has not begun", err, payment.CodeNotFound)
		e.Balances()
		sound(t, e)
	})
}

// A device that is silent: its sale expires with grace, or an operator releases
// it.
func TestSilentDevice(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		s := l.sell(t, 40_000)
		must[bool](t)(handedOut(e.Core.NextSale(t.Context(), l.ID)))
		e.Advance(core.SaleDue + core.SaleGrace - time.Second)
		if n := must[int](t)(e.Core.ExpireSales(t.Context())); n != 0 {
			t.Errorf("%d expired before the grace is over", n)
		}
		e.Advance(time.Second)
		if n := must[int](t)(e.Core.ExpireSales(t.Context())); n != 1 {
			t.Errorf("%d expired", n)
		}
		if p := e.Reload(s.Payment); p.State != payment.Expired {
			t.Errorf("%s", p.State)
		}
		again := l.sell(t, 40_000)
		must[bool](t)(handedOut(e.Core.NextSale(t.Context(), l.ID)))
		_, err := e.Core.ReleaseTerminal(t.Context(), coretest.Operator, l.ID, "")
		wantCode(t, "no reason", err, payment.CodeInvalidRequest)
		freed := must[payment.Sold](t)(e.Core.ReleaseTerminal(t.Context(), coretest.Operator, l.ID, "the device is broken"))
		if freed.Payment.ID != again.Payment.ID || freed.Payment.State != payment.Canceled {
			t.Errorf("%+v", freed.Payment)
		}
		_, err = e.Core.ReleaseTerminal(t.Context(), coretest.Operator, l.ID, "again")
		wantCode(t, "nothing to release", err, payment.CodeInvalidState)
		l.approve(t, 40_000)
		e.Balances()
		sound(t, e)
	})
}

// A sale that is opened while a device waits arrives at once; and a key is good
// until it is replaced.
func TestAwaitSale(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		got := make(chan payment.Sold, 1)
		go func() {
			s, _, err := e.Core.AwaitSale(t.Context(), l.ID)
			if err != nil {
				t.Error(err)
			}
			got <- s
		}()
		s := l.sell(t, 25_000)
		if arrived := <-got; arrived.Payment.ID != s.Payment.ID || arrived.Payment.State != payment.Processing {
			t.Errorf("%+v", arrived.Payment)
		}
		found := must[payment.Terminal](t)(e.Core.AuthenticateTerminal(t.Context(), l.key))
		if found.ID != l.ID || found.SeenAt.IsZero() || len(found.PublicID) != 18 || len(found.Label) != 8 {
			t.Errorf("%+v", found)
		}
		second := must[string](t)(e.Core.AddTerminalKey(t.Context(), coretest.Operator, l.ID))
		third := must[string](t)(e.Core.RotateTerminalKey(t.Context(), coretest.Operator, l.ID, time.Hour))
		for _, key := range []string{l.key, second, third} {
			must[payment.Terminal](t)(e.Core.AuthenticateTerminal(t.Context(), key))
		}
		e.Advance(time.Hour)
		for key, want := range map[string]payment.Code{
			l.key: payment.CodeUnauthorized, second: payment.CodeUnauthorized, third: "", "": payment.CodeUnauthorized, "\x00": payment.CodeUnauthorized,
		} {
			_, err := e.Core.AuthenticateTerminal(t.Context(), key)
			wantCode(t, "key "+key, err, want)
		}
	})
}

// Sales are listed by page, newest first, with their number.
func TestSalesByPage(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		var all []string
		for i := range 7 {
			m := []payment.Method{payment.BankTransfer, payment.CardPresent}[i%2]
			s := must[payment.Sold](t)(e.Core.OpenSale(t.Context(), l.selling(m, 20_000)))
			if m == payment.CardPresent {
				must[payment.Sold](t)(l.report(s, core.SaleCanceled, ""))
			}
			all = append([]string{s.Payment.Reference}, all...)
		}
		for i, want := range [][]string{all[:3], all[3:6], all[6:], nil} {
			sold, total, err := e.Core.Sales(t.Context(), core.SaleSearch{MerchantID: e.Memo.Merchant.ID, Dialect: coretest.Name, Page: i, Limit: 3})
			var got []string
			for _, s := range sold {
				got = append(got, s.Payment.Reference)
			}
			if err != nil || total != 7 || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("page %d: %v of %d, want %v (%v)", i, got, total, want, err)
			}
		}
		_, total, err := e.Core.Sales(t.Context(), core.SaleSearch{MerchantID: e.Memo.Merchant.ID, Dialect: coretest.Name, Method: payment.CardPresent})
		if total != 3 || err != nil {
			t.Errorf("%d card sales, %v", total, err)
		}
		qr := must[payment.Sold](t)(e.Core.FindSale(t.Context(), e.Memo.Merchant.ID, coretest.Name, all[0]))
		e.Pay(qr.Payment, 20_000)
		qr = must[payment.Sold](t)(e.Core.FindSale(t.Context(), e.Memo.Merchant.ID, coretest.Name, all[0]))
		if qr.Payment.State != payment.Approved || !qr.Sale.Settled(qr.Payment).Equal(qr.Payment.CompletedAt) {
			t.Errorf("%+v", qr)
		}
		_, err = e.Core.Void(t.Context(), qr.Payment.ID, "x", "")
		wantCode(t, "void a QR sale", err, payment.CodeInvalidState)
	})
}

// What many notices tell is loaded together as it is alone: with the card that
// paid a sale, or not at all.
func TestToldTogetherAsAlone(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		l := newTill(t, e, core.NewTerminal{})
		var keys []store.EventKey
		for range 2 {
			s := l.sell(t, 50_000)
			must[payment.Sold](t)(l.Core.ReportSale(t.Context(), core.SaleReport{
				TerminalID: l.Terminal.ID, PaymentID: s.Payment.ID, Outcome: core.SaleApproved, Reference: s.Payment.Reference, Scheme: payment.SchemeVisa, Card: "1111",
			}))
			keys = append(keys, store.EventKey{PaymentID: s.Payment.ID, Version: 2})
		}
		p := e.Open(e.Memo, 1000)
		e.Pay(p, 1000)
		keys = append(keys, store.EventKey{PaymentID: p.ID, Version: 2})
		together := must[map[store.EventKey]core.Told](t)(e.Core.ToldTogether(t.Context(), keys))
		if _, ok := together[keys[2]]; !ok {
			t.Error("a transfer's notice is loaded alone")
		}
		for key, told := range together {
			if alone := must[core.Told](t)(e.Core.Told(t.Context(), key.PaymentID, key.Version)); !reflect.DeepEqual(told, alone) {
				t.Errorf("together %+v\nalone %+v", told, alone)
			}
		}
	})
}
