package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// walk pages through a list by its cursor and returns all ids.
func walk[T any](t *testing.T, limit int, id func(T) string, list func(cursor string) ([]T, error)) []string {
	t.Helper()
	var all []string
	for cursor := ""; ; {
		rows, err := list(cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all = append(all, id(row))
		}
		if len(rows) < limit {
			return all
		}
		cursor = all[len(all)-1]
	}
}

// Every list pages by cursor: each row once, in order.
func TestPaging(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		var want []string
		for range 7 {
			p := e.Open(e.Memo, 1000)
			e.Pay(p, 1000)
			want = append(want, p.ID)
			e.Advance(time.Minute)
		}
		slices.Reverse(want)
		const limit = 3
		got := walk(t, limit, func(p payment.Payment) string { return p.ID }, func(cursor string) ([]payment.Payment, error) {
			return e.Core.Search(ctx, core.Search{Before: cursor, Limit: limit})
		})
		if !slices.Equal(got, want) {
			t.Errorf("payments %v, want %v", got, want)
		}
		ordered := func(what string, ids []string, count int, newestFirst bool) {
			t.Helper()
			sorted := slices.IsSorted(ids)
			if newestFirst {
				sorted = slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
			}
			if len(ids) != count || !sorted || len(slices.Compact(slices.Clone(ids))) != count {
				t.Errorf("%s: %d rows, sorted %v, want %d", what, len(ids), sorted, count)
			}
		}
		ordered("credits", walk(t, limit, func(c payment.Credit) string { return c.ID }, func(cursor string) ([]payment.Credit, error) {
			return e.Core.Credits(ctx, core.CreditSearch{Before: cursor, Limit: limit})
		}), 7, true)
		ordered("notices", walk(t, limit, func(i store.Item) string { return i.ID }, func(cursor string) ([]store.Item, error) {
			return e.Core.Notices(ctx, core.NoticeSearch{Before: cursor, Limit: limit, State: "pending"})
		}), 7, true)
		ordered("merchants", walk(t, 2, func(m payment.Merchant) string { return m.ID }, func(cursor string) ([]payment.Merchant, error) {
			return e.Core.Merchants(ctx, cursor, 2)
		}), 3, false)
		ordered("audit log", walk(t, limit, func(a store.AuditRecord) string { return a.ID }, func(cursor string) ([]store.AuditRecord, error) {
			return e.Core.AuditLog(ctx, cursor, limit)
		}), 9, true)
		for limit, want := range map[int]int{0: 7, -1: 7, 1: 1, 1 << 40: 7} {
			if rows := must[[]payment.Payment](t)(e.Core.Search(ctx, core.Search{Limit: limit})); len(rows) != want {
				t.Errorf("limit %d gives %d rows", limit, len(rows))
			}
		}
	})
}

func TestSearch(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		first := e.Open(e.Memo, 1000)
		e.Advance(time.Minute)
		second := e.Open(e.Virtual, 1000)
		e.Pay(second, 1000)
		e.Advance(time.Minute)
		third := e.Open(e.Memo, 1000)
		names := map[string]string{first.ID: "first", second.ID: "second", third.ID: "third"}
		at := func(minutes int) time.Time { return coretest.Start.Add(time.Duration(minutes) * time.Minute) }
		for name, c := range map[string]struct {
			s    core.Search
			want string
		}{
			"all":              {core.Search{}, "[third second first]"},
			"merchant":         {core.Search{MerchantID: e.Memo.Merchant.ID}, "[third first]"},
			"state":            {core.Search{State: payment.Approved}, "[second]"},
			"dialect":          {core.Search{Dialect: "paykit"}, "[]"},
			"reference":        {core.Search{Reference: first.Reference}, "[first]"},
			"from":             {core.Search{From: at(1)}, "[third second]"},
			"to, exclusive":    {core.Search{To: at(1)}, "[first]"},
			"from and to":      {core.Search{From: at(1), To: at(2)}, "[second]"},
			"empty span":       {core.Search{From: at(2), To: at(1)}, "[]"},
			"to and cursor":    {core.Search{To: at(2), Before: second.ID}, "[first]"},
			"cursor and to":    {core.Search{To: at(1), Before: third.ID}, "[first]"},
			"before all time":  {core.Search{To: time.Unix(-5, 0)}, "[]"},
			"after all time":   {core.Search{From: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, "[]"},
			"until far future": {core.Search{To: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)}, "[third second first]"},
			"odd cursor":       {core.Search{Before: "'; DROP TABLE payments"}, "[]"},
		} {
			rows := must[[]payment.Payment](t)(e.Core.Search(ctx, c.s))
			got := []string{}
			for _, p := range rows {
				got = append(got, names[p.ID])
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("%s: %v, want %s", name, got, c.want)
			}
		}
		if rows, err := e.Core.Search(ctx, core.Search{Reference: "\x00"}); len(rows) != 0 || (err != nil && payment.CodeOf(err) != payment.CodeInvalidRequest) {
			t.Errorf("NUL: %v, %v", rows, err)
		}
		for _, bad := range []string{"nobody", "", "\x00", "\xff"} {
			_, err := e.Core.Find(ctx, e.Memo.Merchant.ID, coretest.Name, bad)
			wantCode(t, "find "+bad, err, payment.CodePaymentNotFound)
			_, err = e.Core.Payment(ctx, bad)
			wantCode(t, "payment "+bad, err, payment.CodePaymentNotFound)
			_, err = e.Core.Events(ctx, bad)
			wantCode(t, "events "+bad, err, payment.CodePaymentNotFound)
			_, err = e.Core.Credit(ctx, bad)
			wantCode(t, "credit "+bad, err, payment.CodeNotFound)
			_, err = e.Core.Notice(ctx, bad)
			wantCode(t, "notice "+bad, err, payment.CodeNotFound)
		}
		_, err := e.Core.Find(ctx, e.Virtual.Merchant.ID, coretest.Name, first.Reference)
		wantCode(t, "another merchant's", err, payment.CodePaymentNotFound)
	})
}

func TestCreditSearch(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		other := e.AddFeed("other", "")
		p := e.Open(e.Memo, 1000)
		e.Pay(p, 400)
		e.Pay(p, 700)
		e.TakeFrom(other, e.Stray(5))
		for name, c := range map[string]struct {
			s    core.CreditSearch
			want string
		}{
			"all":                {core.CreditSearch{}, "[unknown over short]"},
			"source":             {core.CreditSearch{Source: "other"}, "[unknown]"},
			"outcome":            {core.CreditSearch{Outcome: payment.OutcomeShort}, "[short]"},
			"merchant":           {core.CreditSearch{MerchantID: e.Memo.Merchant.ID}, "[over short]"},
			"payment":            {core.CreditSearch{PaymentID: p.ID}, "[short over]"},
			"unapplied":          {core.CreditSearch{Unapplied: true}, "[unknown over]"},
			"merchant unapplied": {core.CreditSearch{Unapplied: true, MerchantID: e.Memo.Merchant.ID}, "[over]"},
			"one":                {core.CreditSearch{Limit: 1}, "[unknown]"},
		} {
			got := []payment.Outcome{}
			for _, credit := range must[[]payment.Credit](t)(e.Core.Credits(t.Context(), c.s)) {
				got = append(got, credit.Outcome)
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("%s: %v, want %s", name, got, c.want)
			}
		}
	})
}

// Without the key nobody sees a page, and a wrong key is no different from no
// such payment.
func TestFindPage(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx, mid := t.Context(), e.Memo.Profile.PublicID
		p := e.Open(e.Memo, 1000, func(o *core.Opening) { o.Reference = "đơn/1?" })
		other := e.Open(e.Memo, 1000)
		url := e.Core.PageURL(mid, p)
		start, key, ok := strings.Cut(url, "?key=")
		if !ok || len(key) != 22 || start != coretest.PublicURL+"/merchant/"+mid+"/payment/%C4%91%C6%A1n%2F1%3F" {
			t.Fatalf("the page is at %s", url)
		}
		page := must[core.Page](t)(e.Core.FindPage(ctx, mid, p.Reference, key))
		if page.Payment.ID != p.ID || page.Merchant.ID != e.Memo.Merchant.ID || page.ReturnURL != "" || page.PublicID != mid {
			t.Errorf("page %+v", page)
		}
		_, otherKey, _ := strings.Cut(e.Core.PageURL(mid, other), "?key=")
		for name, c := range map[string][3]string{
			"no key":         {mid, p.Reference, ""},
			"other key":      {mid, p.Reference, otherKey},
			"other merchant": {e.Virtual.Profile.PublicID, p.Reference, key},
			"no merchant":    {"", p.Reference, key},
			"no payment":     {mid, "nobody", key},
			"NUL":            {mid, "\x00", key},
			"not UTF-8":      {"\xff", p.Reference, key},
		} {
			_, err := e.Core.FindPage(ctx, c[0], c[1], c[2])
			if wantCode(t, name, err, payment.CodePaymentNotFound); err != nil && err.Error() != "payment_not_found: no such payment" {
				t.Errorf("%s: the text tells something: %v", name, err)
			}
		}
		e.Pay(p, 1000)
		if page = must[core.Page](t)(e.Core.FindPage(ctx, mid, p.Reference, key)); page.ReturnURL != p.SuccessURL {
			t.Errorf("the payer returns to %q", page.ReturnURL)
		}
	})
}

// A watcher sees the payment now and after each change, also one that another
// node has made, and its channel closes with its context.
func TestWatch(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		p := e.Open(e.Memo, 1000)
		ctx, stop := context.WithCancel(t.Context())
		watch := e.Core.Watch(ctx, p.ID)
		next := func() payment.Payment {
			t.Helper()
			select {
			case seen := <-watch:
				return seen
			case <-time.After(10 * time.Second):
				t.Fatal("nothing was sent")
			}
			return payment.Payment{}
		}
		if got := next(); got.Version != 1 || got.State != payment.Open {
			t.Errorf("at first: %+v", got)
		}
		e.Pay(p, 400)
		if got := next(); got.Received != 400 {
			t.Errorf("after a part: %+v", got)
		}
		another := core.New(core.Config{Store: e.Store, Clock: e.Clock, IDs: e.IDs, Vault: e.Vault})
		if _, err := another.TakeCredits(t.Context(), e.Feed, "", []payment.Credit{e.Credit(p, 600)}); err != nil {
			t.Fatal(err)
		}
		if got := next(); got.State != payment.Approved {
			t.Errorf("after another node's change: %+v", got)
		}
		stop()
		for range watch {
		}
		ctx, stop = context.WithCancel(t.Context())
		nobody := e.Core.Watch(ctx, "nobody")
		stop()
		if got, ok := <-nobody; ok {
			t.Errorf("saw %+v", got)
		}
	})
}

// A slow watcher gets the newest state, not the history.
func TestWatchLatest(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		p := e.Open(e.Memo, 1000)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		watch := e.Core.Watch(ctx, p.ID)
		for range 5 {
			e.Pay(p, 100)
		}
		until(t, func() bool {
			seen := <-watch
			return seen.Received == 500
		})
	})
}

// A notice is owed for each change of state, to the payment's own address, else
// the platform's, else the merchant's; with none it is not owed.
func TestNotices(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		silent := e.Enrol(coretest.Name, core.NewMerchant{Name: "Silent"}, payment.ReceivingAccount{BIN: "970436", Number: "9", Holder: "SILENT", Enabled: true})
		none := ""
		must[payment.Merchant](t)(e.Core.ChangeMerchant(ctx, coretest.Operator, silent.Merchant.ID, core.MerchantChange{
			Profiles: map[string]core.ProfileChange{coretest.Name: {NotifyURL: &none}},
		}))
		select {
		case <-e.Core.Wake():
		default:
		}
		for name, c := range map[string]struct {
			payment payment.Payment
			target  string
			lane    string
		}{
			"merchant's": {e.Open(e.Memo, 1000), e.Memo.Profile.NotifyURL, e.Memo.Merchant.ID + ".example.test"},
			"platform's": {e.Open(e.Memo, 1000, func(o *core.Opening) { o.Platform = e.Platform.Merchant }), e.Platform.Profile.NotifyURL, e.Platform.Merchant.ID + ".example.test"},
			"its own":    {e.Open(e.Memo, 1000, func(o *core.Opening) { o.NotifyURL = "https://OWN.test:444/x" }), "https://OWN.test:444/x", "own.test:444"},
		} {
			e.Pay(c.payment, 1000)
			items := must[[]store.Item](t)(e.Core.Notices(ctx, core.NoticeSearch{PaymentID: c.payment.ID}))
			if len(items) != 1 || items[0].Target != c.target || items[0].Lane != c.lane || items[0].Version != 2 || items[0].State != store.ItemPending {
				t.Errorf("%s: %+v", name, items)
			}
			select {
			case <-e.Core.Wake():
			default:
				t.Errorf("%s: the worker was not woken", name)
			}
			told := must[core.Told](t)(e.Core.Told(ctx, c.payment.ID, 2))
			if told.PublicID != e.Memo.Profile.PublicID || told.Secret == "" || told.Event.To != payment.Approved {
				t.Errorf("%s: told %+v", name, told)
			}
		}
		quiet := e.Open(silent, 1000)
		e.Pay(quiet, 1000)
		if items := must[[]store.Item](t)(e.Core.Notices(ctx, core.NoticeSearch{MerchantID: silent.Merchant.ID})); len(items) != 0 {
			t.Errorf("nowhere to tell, yet %+v", items)
		}
		item := must[[]store.Item](t)(e.Core.Notices(ctx, core.NoticeSearch{Limit: 1}))[0]
		if again := must[store.Item](t)(e.Core.Replay(ctx, coretest.Operator, item.ID)); again.State != store.ItemPending || again.Tries != 0 {
			t.Errorf("replayed %+v", again)
		}
		_, err := e.Core.Replay(ctx, coretest.Operator, "nobody")
		wantCode(t, "replay nothing", err, payment.CodeNotFound)
		if tries := must[[]store.Attempt](t)(e.Core.Attempts(ctx, item.ID)); len(tries) != 0 {
			t.Errorf("attempts %+v", tries)
		}
	})
}
