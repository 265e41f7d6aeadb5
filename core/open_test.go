package core_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// What Open returns is what the database has, for both ways of recognition.
func TestOpen(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		for _, party := range []coretest.Party{e.Memo, e.Virtual} {
			p := e.Open(party, 50_000, func(o *core.Opening) { o.Platform = e.Platform.Merchant })
			if p.State != payment.Open || p.Version != 1 || p.Method != payment.BankTransfer || p.Language != "vi" || !p.DueAt.Equal(coretest.Start.Add(core.DefaultDue)) {
				t.Errorf("opened %+v", p)
			}
			stored := e.Reload(p)
			p.NotifyTo = e.Platform.Profile.NotifyURL // the store fills it
			if diff := cmp.Diff(p, stored); diff != "" {
				t.Errorf("stored another payment (-opened +stored):\n%s", diff)
			}
			found := must[payment.Payment](t)(e.Core.Find(t.Context(), p.MerchantID, p.Dialect, p.Reference))
			if found.ID != p.ID {
				t.Errorf("found %s, want %s", found.ID, p.ID)
			}
			checkPayment(t, e, p.ID)
		}
	})
}

// The text that the payer scans leads to the payment's account, amount and code.
func TestVietQR(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		for _, party := range []coretest.Party{e.Memo, e.Virtual} {
			p := e.Open(party, 70_000)
			e.Pay(p, 20_000)
			p = e.Reload(p)
			for text, amount := range map[string]int64{core.VietQR(p): 50_000, core.OfferedVietQR(p): 70_000} {
				got, _, err := vietqr.Decode(text)
				if err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				if got.BIN != party.Account.BIN || got.Account != p.Transfer.Number || got.Amount != amount || got.Memo != p.Transfer.Memo() {
					t.Errorf("%q says %+v", text, got)
				}
			}
			e.Pay(p, 50_000)
			if text := core.VietQR(e.Reload(p)); text != "" {
				t.Errorf("a paid payment still offers %q", text)
			}
		}
	})
}

func TestOpenRefusals(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		limited := e.Enrol(coretest.Name, core.NewMerchant{Name: "Limited", MinAmount: 1000, MaxAmount: 9000}, payment.ReceivingAccount{
			BIN: "970436", Number: "555", Holder: "LIMITED", Enabled: true,
		})
		dark := e.Enrol(coretest.Name, core.NewMerchant{Name: "No account"}, payment.ReceivingAccount{BIN: "970436", Number: "556", Holder: "DARK"})
		first := e.Open(e.Memo, 1000)
		state := func(m payment.Merchant, s payment.MerchantState) payment.Merchant { m.State = s; return m }
		for name, c := range map[string]struct {
			change func(o *core.Opening)
			want   payment.Code
		}{
			"platform locked": {func(o *core.Opening) { o.Platform = state(e.Platform.Merchant, payment.MerchantLocked) }, payment.CodePlatformLocked},
			"platform closed": {func(o *core.Opening) { o.Platform = state(e.Platform.Merchant, payment.MerchantClosed) }, payment.CodePlatformClosed},
			"merchant locked": {func(o *core.Opening) { o.Merchant.State = payment.MerchantLocked }, payment.CodeMerchantLocked},
			"merchant closed": {func(o *core.Opening) { o.Merchant.State = payment.MerchantClosed }, payment.CodeMerchantClosed},
			"platform first": {func(o *core.Opening) {
				o.Merchant.State, o.Platform = payment.MerchantLocked, state(e.Platform.Merchant, payment.MerchantLocked)
			}, payment.CodePlatformLocked},
			"no method":         {func(o *core.Opening) { o.Methods = nil }, payment.CodeMethodNotSupported},
			"cards only":        {func(o *core.Opening) { o.Methods = []payment.Method{payment.DomesticCard} }, payment.CodeMethodNotSupported},
			"unknown method":    {func(o *core.Opening) { o.Methods = []payment.Method{"barter"} }, payment.CodeMethodNotSupported},
			"no account":        {func(o *core.Opening) { o.Merchant = dark.Merchant }, payment.CodeMethodNotSupported},
			"method first":      {func(o *core.Opening) { o.Merchant, o.Amount = dark.Merchant, -1 }, payment.CodeMethodNotSupported},
			"zero":              {func(o *core.Opening) { o.Amount = 0 }, payment.CodeInvalidAmount},
			"negative":          {func(o *core.Opening) { o.Amount = -5 }, payment.CodeInvalidAmount},
			"14 digits":         {func(o *core.Opening) { o.Amount = core.MaxAmount + 1 }, payment.CodeInvalidAmount},
			"below the minimum": {func(o *core.Opening) { o.Merchant, o.Amount = limited.Merchant, 999 }, payment.CodeInvalidAmount},
			"above the maximum": {func(o *core.Opening) { o.Merchant, o.Amount = limited.Merchant, 9001 }, payment.CodeInvalidAmount},
			"at the minimum":    {func(o *core.Opening) { o.Merchant, o.Amount = limited.Merchant, 1000 }, ""},
			"at the maximum":    {func(o *core.Opening) { o.Merchant, o.Amount = limited.Merchant, 9000 }, ""},
			"13 digits":         {func(o *core.Opening) { o.Amount = core.MaxAmount }, ""},
			"due now":           {func(o *core.Opening) { o.DueAt = coretest.Start }, payment.CodeInvalidDueTime},
			"due in a moment":   {func(o *core.Opening) { o.DueAt = coretest.Start.Add(900 * time.Microsecond) }, payment.CodeInvalidDueTime},
			"due long ago":      {func(o *core.Opening) { o.DueAt = time.Unix(0, 0) }, payment.CodeInvalidDueTime},
			"used reference":    {func(o *core.Opening) { o.Reference = first.Reference }, payment.CodeDuplicateReference},
			"dot":               {func(o *core.Opening) { o.Reference = "." }, payment.CodeInvalidRequest},
			"dots":              {func(o *core.Opening) { o.Reference = ".." }, payment.CodeInvalidRequest},
			"three dots":        {func(o *core.Opening) { o.Reference = "..." }, ""},
			"no reference":      {func(o *core.Opening) { o.Reference = "" }, payment.CodeInvalidRequest},
			"long reference":    {func(o *core.Opening) { o.Reference = strings.Repeat("ộ", 256) }, payment.CodeInvalidRequest},
			"full reference":    {func(o *core.Opening) { o.Reference = strings.Repeat("ộ", 255) }, ""},
			"NUL":               {func(o *core.Opening) { o.Reference = "a\x00b" }, payment.CodeInvalidRequest},
			"not UTF-8":         {func(o *core.Opening) { o.Description = "\xff" }, payment.CodeInvalidRequest},
			"other merchant may use the reference": {func(o *core.Opening) {
				o.Merchant, o.Amount, o.Reference = limited.Merchant, 5000, first.Reference
			}, ""},
		} {
			o := e.Opening(e.Memo, 1000)
			c.change(&o)
			p, err := e.Core.Open(t.Context(), o)
			wantCode(t, name, err, c.want)
			if err != nil && p.ID != "" {
				t.Errorf("%s: returned a payment with an error", name)
			}
		}
	})
}

// Cards are not built: a list with them keeps the rest, in its order.
func TestOpenKeepsEnabledMethods(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		p := e.Open(e.Memo, 1000, func(o *core.Opening) {
			o.Methods = []payment.Method{payment.DomesticCard, payment.BankTransfer, payment.BankTransfer, payment.InternationalCard}
		})
		if diff := cmp.Diff([]payment.Method{payment.BankTransfer}, p.Methods); diff != "" {
			t.Error(diff)
		}
		if _, err := e.Core.Choose(t.Context(), p.ID, payment.BankTransfer); err != nil {
			t.Error(err)
		}
		if again := e.Reload(p); again.Version != 1 {
			t.Errorf("choosing the same again made version %d", again.Version)
		}
		_, err := e.Core.Choose(t.Context(), p.ID, payment.DomesticCard)
		wantCode(t, "choose a card", err, payment.CodeMethodNotSupported)
		_, err = e.Core.Choose(t.Context(), "nobody", payment.DomesticCard)
		wantCode(t, "choose for nothing", err, payment.CodePaymentNotFound)
	})
}

// One reference sent twenty times at once is one payment; everybody else hears
// that it is a duplicate.
func TestDuplicatesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		for round := range 5 {
			o := e.Opening(e.Memo, money.VND(1000+round))
			var mu sync.Mutex
			got := map[payment.Code]int{}
			atOnce(20, func(int) {
				_, err := e.Core.Open(t.Context(), o)
				mu.Lock()
				defer mu.Unlock()
				got[payment.CodeOf(err)]++
			})
			if got[""] != 1 || got[payment.CodeDuplicateReference] != 19 {
				t.Errorf("round %d: %v", round, got)
			}
		}
		if all := must[[]payment.Payment](t)(e.Core.Search(t.Context(), core.Search{})); len(all) != 5 {
			t.Errorf("%d payments", len(all))
		}
	})
}

// The daily limit holds under concurrency, counts open and paid payments of one
// Vietnamese day, and is given back by those that end unpaid.
func TestDailyLimit(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		party := e.Enrol(coretest.Name, core.NewMerchant{Name: "Limited", DailyLimit: 10_000}, payment.ReceivingAccount{
			BIN: "970436", Number: "555", Holder: "LIMITED", Enabled: true,
		})
		var mu sync.Mutex
		var opened []payment.Payment
		codes := map[payment.Code]int{}
		open := func(int) {
			p, err := e.Core.Open(ctx, e.Opening(party, 1000))
			mu.Lock()
			defer mu.Unlock()
			codes[payment.CodeOf(err)]++
			if err == nil {
				opened = append(opened, p)
			}
		}
		atOnce(25, open)
		if codes[""] != 10 || codes[payment.CodeTotalLimit] != 15 {
			t.Fatalf("opened %v, want 10 of 25", codes)
		}
		canceled := must[payment.Payment](t)(e.Core.Cancel(ctx, opened[0].ID, "merchant", ""))
		open(0)
		if open(0); codes[""] != 11 {
			t.Errorf("after one was canceled: %v", codes)
		}
		e.Pay(opened[1], 1000)
		e.Advance(core.DefaultDue)
		if n := e.ExpireDue(); n != 9 {
			t.Errorf("%d expired, want 9", n)
		}
		for range 20 {
			open(0)
		}
		if codes[""] != 20 {
			t.Errorf("after expiry, with one paid: %v, want 20 opened", codes)
		}
		// Late money of a canceled payment counts again, even above the limit.
		late := e.Pay(canceled, 1000)
		if _, _, err := e.Core.Apply(ctx, coretest.Operator, late.Credit.ID, canceled.ID, "the payer was late"); err != nil {
			t.Fatal(err)
		}
		e.Advance(core.DefaultDue)
		e.ExpireDue()
		for range 20 {
			open(0)
		}
		if codes[""] != 28 {
			t.Errorf("with two paid: %v, want 28 opened", codes)
		}
		e.Advance(12 * time.Hour) // past midnight in Vietnam
		for range 20 {
			open(0)
		}
		if codes[""] != 38 {
			t.Errorf("on the next day: %v, want 38 opened", codes)
		}
	})
}

// Cancel works once, for open payments only.
func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		p := e.Open(e.Virtual, 1000)
		part := e.Pay(p, 400).Credit
		p = must[payment.Payment](t)(e.Core.CancelByOperator(ctx, coretest.Operator, p.ID, "the payer phoned"))
		if p.State != payment.Canceled || p.Received != 0 {
			t.Errorf("canceled: %+v", p)
		}
		if c := must[payment.Credit](t)(e.Core.Credit(ctx, part.ID)); c.Unapplied != 400 || c.Applied != 0 {
			t.Errorf("the part paid is %+v", c)
		}
		_, err := e.Core.Cancel(ctx, p.ID, "payer", "")
		wantCode(t, "twice", err, payment.CodeInvalidState)
		_, err = e.Core.Cancel(ctx, "nobody", "payer", "")
		wantCode(t, "unknown", err, payment.CodePaymentNotFound)
		paid := e.Open(e.Memo, 1000)
		e.Pay(paid, 1000)
		_, err = e.Core.Cancel(ctx, paid.ID, "payer", "")
		wantCode(t, "paid", err, payment.CodeInvalidState)
		for _, one := range []payment.Payment{p, paid} {
			checkPayment(t, e, one.ID)
		}
		log := must[[]store.AuditRecord](t)(e.Core.AuditLog(ctx, "", 1))
		if len(log) != 1 || log[0].Act != "payment.cancel" || log[0].Subject != p.ID || log[0].Actor != "tester" || log[0].Address != "192.0.2.1" {
			t.Errorf("audited %+v", log)
		}
		want := map[string]money.VND{
			string(ledger.Bank(e.Virtual.Account.ID)): 400, string(ledger.Unapplied(e.Virtual.Merchant.ID)): -400, string(ledger.Partial(e.Virtual.Merchant.ID)): 0,
			string(ledger.Bank(e.Memo.Account.ID)): 1000, string(ledger.Sales(e.Memo.Merchant.ID)): -1000,
		}
		if diff := cmp.Diff(want, e.Balances()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRefund(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		p := e.Open(e.Memo, 1000)
		e.Pay(p, 1000)
		r := core.Refunding{Merchant: e.Memo.Merchant, Dialect: p.Dialect, Payment: p.Reference, Reference: "r1", Amount: 500}
		err := e.Store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.AddRefund(t.Context(), payment.Refund{ID: e.IDs.New(), PaymentID: p.ID, Reference: "had", Amount: 1, State: payment.RefundApproved})
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			change func(r *core.Refunding)
			want   payment.Code
		}{
			"bank transfer":   {func(*core.Refunding) {}, payment.CodeMethodNotSupported},
			"had":             {func(r *core.Refunding) { r.Reference = "had" }, payment.CodeDuplicateReference},
			"unknown payment": {func(r *core.Refunding) { r.Payment = "nobody" }, payment.CodePaymentNotFound},
			"NUL":             {func(r *core.Refunding) { r.Payment = "a\x00" }, payment.CodePaymentNotFound},
			"other merchant":  {func(r *core.Refunding) { r.Merchant = e.Virtual.Merchant }, payment.CodePaymentNotFound},
			"locked":          {func(r *core.Refunding) { r.Merchant.State = payment.MerchantLocked }, payment.CodeMerchantLocked},
			"platform closed": {func(r *core.Refunding) {
				r.Platform = e.Platform.Merchant
				r.Platform.State = payment.MerchantClosed
			}, payment.CodePlatformClosed},
		} {
			r := r
			c.change(&r)
			_, _, err := e.Core.Refund(t.Context(), r)
			wantCode(t, name, err, c.want)
		}
		_, err = e.Core.FindRefund(t.Context(), p.ID, "r1")
		wantCode(t, "find", err, payment.CodeRefundNotFound)
		if had := must[[]payment.Refund](t)(e.Core.Refunds(t.Context(), p.ID)); len(had) != 1 || had[0].Reference != "had" {
			t.Errorf("refunds %+v", had)
		}
	})
}

// No verb takes a second connection while it holds one: with a pool of one,
// ten callers get through.
func TestOneConnection(t *testing.T) {
	url := storetest.URL(t, "postgres")
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	e := coretest.New(t, storetest.Open(t, url+separator+"pool_max_conns=1"))
	ctx := t.Context()
	atOnce(10, func(int) {
		p, err := e.Core.Open(ctx, e.Opening(e.Memo, 1000))
		if err != nil {
			t.Error(err)
			return
		}
		for _, step := range []func() error{
			func() error {
				_, err := e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{e.Credit(p, 400)})
				return err
			},
			func() error { _, err := e.Core.Cancel(ctx, p.ID, "payer", ""); return err },
			func() error {
				taken, err := e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{e.Credit(p, 700)})
				if err == nil {
					_, err = e.Core.Return(ctx, coretest.Operator, taken[0].Credit.ID, 100, "asked for it")
				}
				if err == nil {
					_, _, err = e.Core.Apply(ctx, coretest.Operator, taken[0].Credit.ID, p.ID, "asked for it")
				}
				return err
			},
			func() error { _, err := e.Core.ExpireDue(ctx); return err },
			func() error {
				_, err := e.Core.Authenticate(ctx, coretest.Name, e.Memo.Credentials.Key, e.Memo.Credentials.Secret)
				return err
			},
			func() error { _, err := e.Core.Told(ctx, p.ID, 2); return err },
			func() error {
				_, err := e.Core.RotateNotifySecret(ctx, coretest.Operator, e.Memo.Merchant.ID, coretest.Name)
				return err
			},
		} {
			if err := step(); err != nil {
				t.Error(err)
			}
		}
	})
	e.Balances()
}
