package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// scene is what the matcher's cases play in: two payments of 100,000 đồng, one
// recognised by memo, one by virtual account.
type scene struct {
	*coretest.Env
	memo, virtual payment.Payment
}

func newScene(e *coretest.Env) scene {
	return scene{Env: e, memo: e.Open(e.Memo, 100_000), virtual: e.Open(e.Virtual, 100_000)}
}

// by account names of the scene
func (s scene) accounts() map[string]string {
	return map[string]string{
		string(ledger.Bank(s.Memo.Account.ID)): "memo bank", string(ledger.Bank(s.Virtual.Account.ID)): "virtual bank",
		string(ledger.BankUnknown(s.Feed.Name)): "unknown bank", string(ledger.Unapplied("")): "nobody's unapplied",
		string(ledger.Sales(s.Memo.Merchant.ID)): "memo sales", string(ledger.Sales(s.Virtual.Merchant.ID)): "virtual sales",
		string(ledger.Partial(s.Memo.Merchant.ID)): "memo partial", string(ledger.Partial(s.Virtual.Merchant.ID)): "virtual partial",
		string(ledger.Excess(s.Memo.Merchant.ID)): "memo excess", string(ledger.Excess(s.Virtual.Merchant.ID)): "virtual excess",
		string(ledger.Unapplied(s.Memo.Merchant.ID)): "memo unapplied", string(ledger.Unapplied(s.Virtual.Merchant.ID)): "virtual unapplied",
	}
}

func (s scene) books() map[string]money.VND {
	names := s.accounts()
	books := map[string]money.VND{}
	for account, balance := range s.Balances() {
		if balance != 0 {
			books[names[account]] = balance
		}
	}
	return books
}

// expectation of one case: the last credit's fate and the books after it.
type expectation struct {
	outcome  payment.Outcome
	to       string // "memo", "virtual" or ""
	merchant string // whose money it is: "memo", "virtual" or ""
	by       string
	reason   string // part of the explanation's reason
	seen     string // part of what was seen, or ""
	state    payment.State
	books    map[string]money.VND
	replayed bool
}

type matchCase struct {
	credits func(s scene) []payment.Credit // taken in one after the other
	want    expectation
}

var paidByMemo = map[string]money.VND{"memo bank": 100_000, "memo sales": -100_000}
var paidByAccount = map[string]money.VND{"virtual bank": 100_000, "virtual sales": -100_000}

func one(fn func(s scene) payment.Credit) func(s scene) []payment.Credit {
	return func(s scene) []payment.Credit { return []payment.Credit{fn(s)} }
}

// text is a credit for the memo payment with another text.
func text(write func(memo string) string) func(s scene) []payment.Credit {
	return one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.Memo = write(s.memo.Transfer.Code[2:])
		return c
	})
}

var exactByMemo = expectation{outcome: payment.OutcomeExact, to: "memo", merchant: "memo", by: "memo", reason: "what was due", state: payment.Approved, books: paidByMemo}
var exactByAccount = expectation{outcome: payment.OutcomeExact, to: "virtual", merchant: "virtual", by: "virtual_account", reason: "what was due", state: payment.Approved, books: paidByAccount}

// not is an expectation of money that was matched to nothing.
func not(merchant, reason, seen string) expectation {
	x := expectation{outcome: payment.OutcomeUnknown, merchant: merchant, reason: reason, seen: seen}
	switch merchant {
	case "":
		x.books = map[string]money.VND{"unknown bank": 100_000, "nobody's unapplied": -100_000}
	default:
		x.books = map[string]money.VND{merchant + " bank": 100_000, merchant + " unapplied": -100_000}
	}
	return x
}

var matchCases = map[string]matchCase{
	"exact by memo":    {one(func(s scene) payment.Credit { return s.Credit(s.memo, 100_000) }), exactByMemo},
	"exact by account": {one(func(s scene) payment.Credit { return s.Credit(s.virtual, 100_000) }), exactByAccount},

	"lower case":             {text(strings.ToLower), exactByMemo},
	"spaces inside":          {text(func(m string) string { return m[:4] + " " + m[4:8] + " " + m[8:] }), exactByMemo},
	"dots and dashes inside": {text(func(m string) string { return m[:2] + "-" + m[2:7] + "." + m[7:] }), exactByMemo},
	"bank's prefix glued":    {text(func(m string) string { return "MBVCB.3278907687.SEVQR" + m + ".CT tu 0011 toi 0022" }), exactByMemo},
	"text glued behind":      {text(func(m string) string { return m + "FT26063123456" }), exactByMemo},
	"code twice":             {text(func(m string) string { return m + " " + m }), exactByMemo},
	"no memo prefix":         {text(func(m string) string { return "tra tien " + m }), exactByMemo},
	"in the order code": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.OrderCode, c.Memo = s.memo.Transfer.Code[2:], "khong ghi gi"
		return c
	}), exactByMemo},
	"letters for digits":                {text(func(m string) string { return strings.NewReplacer("0", "O", "1", "I").Replace(m) }), exactByMemo},
	"a chance code beside the true one": {text(func(m string) string { return "TG01A0B1Z9KQ " + m }), exactByMemo},
	"no account told": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.BIN, c.Account = "", ""
		return c
	}), exactByMemo},
	"account written with spaces": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.Account = "0123 456-789"
		return c
	}), exactByMemo},
	"virtual account alone": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.Account, c.BIN, c.Memo = "", "", ""
		return c
	}), exactByAccount},
	"virtual account in the account's place": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.Account, c.VirtualAccount, c.Memo = strings.ToLower(s.virtual.Transfer.Number), "", "x"
		return c
	}), exactByAccount},
	"virtual account in the text": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.VirtualAccount, c.Memo = "", "NGUYEN VAN A CK "+strings.ToLower(s.virtual.Transfer.Number)+" tra sua"
		return c
	}), expectation{outcome: payment.OutcomeExact, to: "virtual", merchant: "virtual", by: "memo", reason: "what was due", state: payment.Approved, books: paidByAccount}},
	"the account rules over the text": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.Memo = s.memo.Transfer.Memo()
		return c
	}), expectation{outcome: payment.OutcomeExact, to: "virtual", merchant: "virtual", by: "virtual_account", seen: "the account decides", state: payment.Approved, books: paidByAccount}},
	"đồng in lower case": {one(func(s scene) payment.Credit { c := s.Credit(s.memo, 100_000); c.Currency = "vnd"; return c }), exactByMemo},
	"no currency":        {one(func(s scene) payment.Credit { c := s.Credit(s.memo, 100_000); c.Currency = ""; return c }), exactByMemo},

	"short": {one(func(s scene) payment.Credit { return s.Credit(s.memo, 99_999) }), expectation{
		outcome: payment.OutcomeShort, to: "memo", merchant: "memo", by: "memo", reason: "1 đồng are still due", state: payment.Open,
		books: map[string]money.VND{"memo bank": 99_999, "memo partial": -99_999},
	}},
	"parts that add up": {func(s scene) []payment.Credit {
		return []payment.Credit{s.Credit(s.virtual, 30_000), s.Credit(s.virtual, 69_999), s.Credit(s.virtual, 1)}
	}, exactByAccount},
	"parts that go over": {func(s scene) []payment.Credit {
		return []payment.Credit{s.Credit(s.memo, 30_000), s.Credit(s.memo, 80_000)}
	}, expectation{
		outcome: payment.OutcomeOver, to: "memo", merchant: "memo", by: "memo", reason: "10000 đồng too much", state: payment.Approved,
		books: map[string]money.VND{"memo bank": 110_000, "memo sales": -100_000, "memo excess": -10_000},
	}},
	"over": {one(func(s scene) payment.Credit { return s.Credit(s.virtual, 100_001) }), expectation{
		outcome: payment.OutcomeOver, to: "virtual", merchant: "virtual", by: "virtual_account", reason: "1 đồng too much", state: payment.Approved,
		books: map[string]money.VND{"virtual bank": 100_001, "virtual sales": -100_000, "virtual excess": -1},
	}},
	"duplicate": {func(s scene) []payment.Credit {
		return []payment.Credit{s.Credit(s.memo, 100_000), s.Credit(s.memo, 50_000)}
	}, expectation{
		outcome: payment.OutcomeDuplicate, to: "memo", merchant: "memo", by: "memo", reason: "paid already", state: payment.Approved,
		books: map[string]money.VND{"memo bank": 150_000, "memo sales": -100_000, "memo unapplied": -50_000},
	}},
	"replay": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 100_000)
		return []payment.Credit{c, c}
	}, expectation{
		outcome: payment.OutcomeExact, to: "memo", merchant: "memo", by: "memo", state: payment.Approved, books: paidByMemo, replayed: true,
	}},
	"told twice under two ids": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 100_000)
		again := c
		again.ExternalID, again.OccurredAt, again.Memo = "another", c.OccurredAt.Add(9*time.Minute), "another text"
		return []payment.Credit{c, again}
	}, expectation{outcome: payment.OutcomeRepeated, to: "memo", merchant: "memo", reason: "the same transfer as credit", state: payment.Approved, books: paidByMemo}},
	"same reference on another day": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 100_000)
		again := c
		again.ExternalID, again.OccurredAt = "another", c.OccurredAt.Add(24*time.Hour)
		return []payment.Credit{c, again}
	}, expectation{
		outcome: payment.OutcomeDuplicate, to: "memo", merchant: "memo", by: "memo", reason: "paid already", state: payment.Approved,
		books: map[string]money.VND{"memo bank": 200_000, "memo sales": -100_000, "memo unapplied": -100_000},
	}},
	"same reference on another day, told twice": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 100_000)
		next, again := c, c
		next.ExternalID, next.OccurredAt = "next day", c.OccurredAt.Add(24*time.Hour)
		again.ExternalID, again.OccurredAt = "next day again", c.OccurredAt.Add(24*time.Hour+time.Minute)
		return []payment.Credit{c, next, again}
	}, expectation{
		outcome: payment.OutcomeRepeated, to: "memo", merchant: "memo", reason: "the same transfer as credit", state: payment.Approved,
		books: map[string]money.VND{"memo bank": 200_000, "memo sales": -100_000, "memo unapplied": -100_000},
	}},
	"same reference, other amount": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 40_000)
		again := c
		again.ExternalID, again.Amount = "another", 60_000
		return []payment.Credit{c, again}
	}, exactByMemo},
	"no reference is no print": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 50_000)
		c.Reference = ""
		again := c
		again.ExternalID = "another"
		return []payment.Credit{c, again}
	}, exactByMemo},

	"money out": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.Direction = payment.Out
		return c
	}), expectation{outcome: payment.OutcomeDirection, reason: "no money came in", books: map[string]money.VND{}}},
	"nothing":           {one(func(s scene) payment.Credit { return s.Credit(s.memo, 0) }), expectation{outcome: payment.OutcomeDirection, books: map[string]money.VND{}}},
	"less than nothing": {one(func(s scene) payment.Credit { return s.Credit(s.memo, -100_000) }), expectation{outcome: payment.OutcomeDirection, books: map[string]money.VND{}}},
	"dollars": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.Currency = "USD"
		return c
	}), expectation{outcome: payment.OutcomeCurrency, reason: "not đồng", books: map[string]money.VND{}}},

	"no text, own account": {text(func(string) string { return "chuyen tien" }), not("memo", "no payment could be told", "")},
	"mistyped":             {text(func(m string) string { return m[:11] + flip(m[11]) }), not("memo", "no payment could be told", "check symbol does not hold")},
	"cut off":              {text(func(m string) string { return "CT " + m[:9] }), not("memo", "no payment could be told", "text ends inside the code")},
	"nobody's code":        {text(func(string) string { return "TG01A0B1Z9KQ" }), not("memo", "no payment could be told", "TG01A0B1Z9KQ: no payment has it")},
	"two codes": {func(s scene) []payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.Memo += " va " + s.Open(s.Memo, 50_000).Transfer.Memo()
		return []payment.Credit{c}
	}, not("memo", "more than one payment", "")},
	"code of another merchant": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.VirtualAccount, c.Memo = "", s.memo.Transfer.Memo()
		c.BIN = ""
		return c
	}), not("virtual", "no payment could be told", "the money is on account 96247000001, the payment's is 0123456789")},
	"wrong bank": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.BIN = "970436"
		return c
	}), not("", "no payment could be told", "the money is at bank 970436, the payment's account is at 970422")},
	"wrong bank, virtual": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.BIN = "970436"
		return c
	}), not("", "no payment could be told", "the money is at bank 970436")},
	"unknown account": {one(func(s scene) payment.Credit {
		c := s.Credit(s.memo, 100_000)
		c.Account = "999999"
		return c
	}), not("", "no payment could be told", "the money is on account 999999")},
	"virtual account of nobody": {one(func(s scene) payment.Credit {
		c := s.Credit(s.virtual, 100_000)
		c.Memo, c.VirtualAccount = "x", "PKVA000000000000"
		return c
	}), not("virtual", "no payment could be told", "PKVA000000000000: no payment has it")},
	"the amount alone": {one(func(s scene) payment.Credit { return s.Stray(100_000) }), not("", "no payment could be told", "")},
}

// flip is another symbol than c.
func flip(c byte) string {
	if c == '7' {
		return "8"
	}
	return "7"
}

func TestMatch(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		for name, c := range matchCases {
			t.Run(name, func(t *testing.T) { testMatch(t, e, c) })
		}
	})
}

// testMatch plays a case. Cases share a gateway, so the books are compared by
// what the case has changed.
func testMatch(t *testing.T, e *coretest.Env, c matchCase) {
	s := newScene(e)
	before := s.books()
	var taken core.Taken
	for _, credit := range c.credits(s) {
		if credit.ExternalID == "another" || strings.HasPrefix(credit.ExternalID, "next day") {
			credit.ExternalID += s.memo.Reference // once per case
		}
		taken = s.Take(credit)[0]
	}
	books := s.books()
	for account, balance := range before {
		if books[account] -= balance; books[account] == 0 {
			delete(books, account)
		}
	}
	if diff := cmp.Diff(c.want.books, books); diff != "" {
		t.Errorf("books (-want +got):\n%s", diff)
	}
	payments := map[string]payment.Payment{"memo": s.memo, "virtual": s.virtual}
	merchants := map[string]string{"memo": s.Memo.Merchant.ID, "virtual": s.Virtual.Merchant.ID}
	got := taken.Credit
	if got.Outcome != c.want.outcome || got.PaymentID != payments[c.want.to].ID || got.MerchantID != merchants[c.want.merchant] || got.Explanation.By != c.want.by || taken.Replayed != c.want.replayed {
		t.Errorf("taken as %+v, replayed %v", got, taken.Replayed)
	}
	if taken.Payment.ID != payments[c.want.to].ID || taken.Payment.State != c.want.state {
		t.Errorf("the payment is %q %s", taken.Payment.ID, taken.Payment.State)
	}
	if !strings.Contains(got.Explanation.Reason, c.want.reason) || !strings.Contains(strings.Join(got.Explanation.Seen, "\n"), c.want.seen) {
		t.Errorf("explained as %+v", got.Explanation)
	}
	if diff := cmp.Diff(got, must[payment.Credit](t)(e.Core.Credit(t.Context(), got.ID))); diff != "" {
		t.Errorf("stored another credit (-taken +stored):\n%s", diff)
	}
	if c.want.state != "" {
		if diff := cmp.Diff(taken.Payment, e.Reload(taken.Payment)); diff != "" {
			t.Errorf("stored another payment (-taken +stored):\n%s", diff)
		}
	}
	for _, p := range payments {
		checkPayment(t, e, p.ID)
	}
}

// Expiry ends the offer, never the watch: late money is booked at once, marked,
// and raises an event; by the due time, not by when the expiry worker came.
func TestLate(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		expired, overdue, canceled := e.Open(e.Memo, 1000), e.Open(e.Virtual, 1000), e.Open(e.Memo, 1000)
		must[payment.Payment](t)(e.Core.Cancel(ctx, canceled.ID, "payer", "changed my mind"))
		e.Pay(overdue, 300)
		e.Advance(core.DefaultDue - time.Millisecond)
		if n := e.ExpireDue(); n != 0 {
			t.Errorf("%d expired a millisecond early", n)
		}
		inTime := e.Open(e.Memo, 1000, func(o *core.Opening) { o.DueAt = e.Clock.Now().Add(time.Millisecond) })
		if got := e.Pay(inTime, 1000); got.Credit.Outcome != payment.OutcomeExact {
			t.Errorf("a millisecond before the due time: %+v", got.Credit)
		}
		e.Advance(time.Millisecond)
		if got := e.Pay(overdue, 700); got.Credit.Outcome != payment.OutcomeLate || got.Payment.State != payment.Expired {
			t.Errorf("at the due time, not yet expired: %+v", got.Credit)
		}
		if n := e.ExpireDue(); n != 1 {
			t.Errorf("%d expired, want 1", n)
		}
		for _, p := range []payment.Payment{expired, canceled} {
			got := e.Pay(p, 1000)
			if got.Credit.Outcome != payment.OutcomeLate || got.Credit.Unapplied != 1000 || got.Payment.Received != 0 {
				t.Errorf("late: %+v", got)
			}
			events := must[[]payment.Event](t)(e.Core.Events(ctx, p.ID))
			if last := events[len(events)-1]; last.Act != payment.ActLate || last.CreditID != got.Credit.ID || last.To != got.Payment.State {
				t.Errorf("the event is %+v", last)
			}
		}
		want := map[string]money.VND{
			string(ledger.Bank(e.Memo.Account.ID)): 3000, string(ledger.Unapplied(e.Memo.Merchant.ID)): -2000, string(ledger.Sales(e.Memo.Merchant.ID)): -1000,
			string(ledger.Bank(e.Virtual.Account.ID)): 1000, string(ledger.Unapplied(e.Virtual.Merchant.ID)): -1000, string(ledger.Partial(e.Virtual.Merchant.ID)): 0,
		}
		if diff := cmp.Diff(want, e.Balances()); diff != "" {
			t.Error(diff)
		}
		for _, p := range []payment.Payment{expired, overdue, canceled, inTime} {
			checkPayment(t, e, p.ID)
		}
	})
}

// A merchant's own feed speaks for that merchant's accounts only: not a payment,
// and not the look of a transfer, of anybody else can be touched by it.
func TestFeedOfOneMerchant(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		own, foreign := e.AddFeed("own", e.Memo.Merchant.ID), e.AddFeed("foreign", e.Virtual.Merchant.ID)
		p := e.Open(e.Memo, 1000)
		c := e.Credit(p, 1000)
		forged := e.TakeFrom(foreign, c)[0].Credit
		if forged.Outcome != payment.OutcomeUnknown || forged.MerchantID != "" || !strings.Contains(strings.Join(forged.Explanation.Seen, " "), "does not speak for") {
			t.Errorf("forged: %+v", forged)
		}
		if got := e.TakeFrom(own, c)[0].Credit; got.Outcome != payment.OutcomeExact {
			t.Errorf("the true notice: %+v", got)
		}
		if got := e.Take(c)[0].Credit; got.Outcome != payment.OutcomeRepeated {
			t.Errorf("the same from everybody's feed: %+v", got)
		}
		if b := e.Balances(); b[string(ledger.Sales(e.Memo.Merchant.ID))] != -1000 || b[string(ledger.Bank(e.Memo.Account.ID))] != 1000 {
			t.Errorf("books: %v", b)
		}
	})
}

// What cannot be a bank credit is refused, whole; odd texts are kept as text.
func TestTakeOddCredits(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		for name, c := range map[string]struct {
			change func(c *payment.Credit)
			want   payment.Code
		}{
			"no id":           {func(c *payment.Credit) { c.ExternalID = "" }, payment.CodeInvalidRequest},
			"long id":         {func(c *payment.Credit) { c.ExternalID = strings.Repeat("9", 256) }, payment.CodeInvalidRequest},
			"NUL in the id":   {func(c *payment.Credit) { c.ExternalID = "\x00" }, payment.CodeInvalidRequest},
			"16 digits":       {func(c *payment.Credit) { c.Amount = core.MaxCredit + 1 }, payment.CodeInvalidAmount},
			"no direction":    {func(c *payment.Credit) { c.Direction = "" }, payment.CodeInvalidRequest},
			"15 digits":       {func(c *payment.Credit) { c.Amount = core.MaxCredit }, ""},
			"NUL in the memo": {func(c *payment.Credit) { c.Memo = "a\x00b" + c.Memo }, ""},
			"not UTF-8":       {func(c *payment.Credit) { c.Memo, c.Reference, c.Account = "\xff\xfe"+c.Memo, "\xff", "\xff" }, ""},
			"long texts": {func(c *payment.Credit) {
				c.Memo = c.Memo + strings.Repeat("ộ", 9000)
				c.Reference, c.Account, c.VirtualAccount, c.OrderCode = strings.Repeat("R", 9000), "", strings.Repeat("V", 9000), strings.Repeat("O", 9000)
			}, ""},
			"no time": {func(c *payment.Credit) { c.OccurredAt = time.Time{} }, ""},
		} {
			p := e.Open(e.Memo, 1000)
			good, odd := e.Credit(p, 400), e.Credit(p, 600)
			c.change(&odd)
			taken, err := e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{good, odd})
			wantCode(t, name, err, c.want)
			if err != nil {
				if p = e.Reload(p); p.Received != 0 {
					t.Errorf("%s: the refused batch has left %d", name, p.Received)
				}
				continue
			}
			got := taken[1].Credit
			if got.PaymentID != p.ID || len([]rune(got.Memo)) > 1000 || got.OccurredAt.IsZero() {
				t.Errorf("%s: taken as %+v", name, got)
			}
			if diff := cmp.Diff(got, must[payment.Credit](t)(e.Core.Credit(ctx, got.ID))); diff != "" {
				t.Errorf("%s: stored another (-taken +stored):\n%s", name, diff)
			}
		}
		e.Balances()
	})
}

// A short prefix makes many numbers of one long memo; the search has a bound.
func TestMemoFullOfNumbers(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		e.Enrol(coretest.Name, core.NewMerchant{Name: "Nine"}, payment.ReceivingAccount{
			BIN: "970436", Number: "1", Holder: "NINE", Recognise: payment.ByVirtualAccount, Prefix: "9", Enabled: true,
		})
		c := e.Stray(5)
		c.Memo = strings.Repeat("9", 1000)
		if got := e.Take(c)[0].Credit; got.Outcome != payment.OutcomeUnknown || len(got.Explanation.Seen) > 20 {
			t.Errorf("saw %d candidates: %s", len(got.Explanation.Seen), got.Outcome)
		}
	})
}
