package admin_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// A merchant is added, enrolled, given an account and paid, by this API and a
// bank alone; the credentials shown are the ones that work.
func TestFromNothingToPaid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s)
		c := newClient(t, e)
		var m struct {
			ID string `json:"merchant_id"`
		}
		c.want(201, "POST", "/merchants", `{"name": "Cà phê Sáng", "max_amount": 500000}`, &m)
		var enrolled struct {
			Profile     object
			Credentials struct {
				PublicID string `json:"public_id"`
				Key      string `json:"api_key"`
				Secret   string `json:"secret_key"`
				IPN      string `json:"ipn_secret_key"`
			}
		}
		c.want(201, "POST", "/merchants/"+m.ID+"/profiles", `{"dialect": "test", "public_id": "CAFE.1", "ipn_url": "https://cafe.example/ipn"}`, &enrolled)
		keys := enrolled.Credentials
		if keys.PublicID != "CAFE.1" || enrolled.Profile["ipn_url"] != "https://cafe.example/ipn" {
			t.Errorf("%+v", enrolled)
		}
		merchant, err := e.Core.Authenticate(t.Context(), "test", keys.Key, keys.Secret)
		if err != nil || merchant.ID != m.ID {
			t.Fatalf("the keys shown: %v, %v", merchant, err)
		}
		if secret, err := e.Core.NotifySecret(t.Context(), m.ID, "test"); err != nil || secret != keys.IPN {
			t.Errorf("the IPN secret shown is %q, the one in use %q, %v", keys.IPN, secret, err)
		}
		c.want(201, "POST", "/merchants/"+m.ID+"/receiving-accounts", `{"bin": "970436", "number": "0071001234567", "holder": "CA PHE SANG", "recognise": "memo"}`, nil)
		p, err := e.Core.Open(t.Context(), core.Opening{
			Merchant: merchant, Dialect: "test", Reference: "1", Amount: 45_000, Methods: []payment.Method{payment.BankTransfer},
		})
		if err != nil {
			t.Fatal(err)
		}
		credit := e.Stray(45_000)
		credit.BIN, credit.Account, credit.Memo = "970436", "0071001234567", p.Transfer.Memo()
		e.Take(credit)
		var paid object
		c.get("/payments/"+p.ID, &paid)
		if paid["state"] != "approved" || paid["amount_received"] != 45_000.0 || paid["checkout_url"] != e.Core.PageURL("CAFE.1", p) {
			t.Errorf("%v", paid)
		}
	})
}

// Keys that were rotated work until their time of grace is over; a change of
// limits and addresses counts from the next call on.
func TestChangesTakeEffect(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s)
		c := newClient(t, e)
		path, old := "/merchants/"+e.Memo.Merchant.ID, e.Memo.Credentials
		works := func(key, secret string) bool {
			_, err := e.Core.Authenticate(t.Context(), "test", key, secret)
			return err == nil
		}
		var made object
		c.want(201, "POST", path+"/keys/rotate", `{"dialect": "test", "grace": "1h"}`, &made)
		if !works(old.Key, old.Secret) || !works(made["api_key"].(string), made["secret_key"].(string)) {
			t.Error("both pairs have to work")
		}
		e.Advance(time.Hour)
		if works(old.Key, old.Secret) {
			t.Error("the old pair works after its grace")
		}
		var keys page
		c.get(path+"/keys", &keys)
		if got := fmt.Sprint(keys.column("valid")); got != "[false true]" {
			t.Errorf("valid: %s", got)
		}
		c.want(201, "POST", path+"/keys/rotate", `{"dialect": "test", "grace": "0s"}`, nil)
		if works(made["api_key"].(string), made["secret_key"].(string)) {
			t.Error("a leaked pair works on")
		}
		c.refused(404, "not_found", "POST", path+"/keys/rotate", `{"dialect": "klingon"}`)

		c.want(200, "PATCH", path, `{"min_amount": 10000, "state": "locked", "ipn_urls": {"test": "https://new.example/ipn"}}`, nil)
		m, err := e.Core.Merchant(t.Context(), e.Memo.Merchant.ID)
		if err != nil || m.MinAmount != 10_000 || m.State != payment.MerchantLocked {
			t.Errorf("%+v, %v", m, err)
		}
		f, err := e.Core.Profile(t.Context(), m.ID, "test")
		if err != nil || f.NotifyURL != "https://new.example/ipn" {
			t.Errorf("%+v, %v", f, err)
		}
		c.want(200, "PATCH", path, `{"name": "Phở"}`, nil)
		if m, err := e.Core.Merchant(t.Context(), m.ID); err != nil || m.Name != "Phở" || m.MinAmount != 10_000 {
			t.Errorf("a change of the name left %+v, %v", m, err)
		}
		// Nothing of a change that is refused in part.
		c.refused(422, "invalid_request", "PATCH", path, `{"name": "Bún", "max_amount": 9999}`)
		if m, err := e.Core.Merchant(t.Context(), m.ID); err != nil || m.Name != "Phở" {
			t.Errorf("a refused change left %+v, %v", m, err)
		}
		c.want(200, "PATCH", "/receiving-accounts/"+e.Memo.Account.ID, `{"enabled": false}`, nil)
		c.want(200, "PATCH", path, `{"state": "active"}`, nil)
		if _, err := e.Core.Open(t.Context(), e.Opening(e.Memo, 20_000)); payment.CodeOf(err) != payment.CodeMethodNotSupported {
			t.Errorf("a payment into a disabled account: %v", err)
		}
	})
}

// Whatever operators do with money leaves the books balanced, with who and why.
func TestMoneyThatWaits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		merchant := w.env.Memo.Merchant.ID
		waiting := func(query string) []any {
			var l page
			w.get("/unapplied"+query, &l)
			return l.column("credit_id")
		}
		if got := waiting("?merchant_id=" + merchant); len(got) != 2 || got[0] != w.excess.ID || got[1] != w.late.ID {
			t.Errorf("the merchant's money that waits: %v", got)
		}
		apply := func(credit, payment string) (string, string) {
			return "/bank-credits/" + credit + "/apply", `{"payment_id": "` + payment + `", "reason": "slip seen"}`
		}
		path, body := apply(w.stray.ID, w.paid.ID)
		w.refused(409, "invalid_state", "POST", path, body)
		path, body = apply(w.stray.ID, strings.Replace(w.paid.ID, w.paid.ID[:4], "0000", 1))
		w.refused(404, "payment_not_found", "POST", path, body)
		path, body = apply(w.paid.ID, w.open.ID)
		w.refused(404, "not_found", "POST", path, body)
		path, body = apply(w.excess.ID, w.open.ID)
		w.refused(409, "invalid_state", "POST", path, body)

		// 55,000 of 100,000, then the rest by transfer.
		var applied struct{ Payment, Credit object }
		path, body = apply(w.stray.ID, w.open.ID)
		w.want(200, "POST", path, body, &applied)
		if applied.Payment["amount_due"] != 45_000.0 || applied.Credit["amount_applied"] != 55_000.0 || applied.Credit["outcome"] != "short" {
			t.Errorf("%v", applied)
		}
		w.env.Pay(w.open, 45_000)
		var now object
		w.get("/payments/"+w.open.ID, &now)
		if now["state"] != "approved" || now["amount_due"] != 0.0 {
			t.Errorf("%v", now)
		}
		var journal page
		w.get("/payments/"+w.open.ID+"/journal", &journal)
		if first := journal.Items[0]; first["kind"] != "apply" || first["actor"] != operator || first["reason"] != "slip seen" {
			t.Errorf("%v", first)
		}
		var returned object
		w.want(200, "POST", "/bank-credits/"+w.late.ID+"/return", `{"amount": "10000", "reason": "FT1"}`, &returned)
		if returned["amount_unapplied"] != 20_000.0 || returned["amount_returned"] != 10_000.0 {
			t.Errorf("%v", returned)
		}
		w.refused(422, "invalid_amount", "POST", "/bank-credits/"+w.late.ID+"/return", `{"amount": 20001, "reason": "FT2"}`)
		w.refused(409, "invalid_state", "POST", "/bank-credits/"+w.stray.ID+"/return", `{"reason": "FT2"}`)

		var books struct {
			Accounts []struct {
				Account                string
				Debit, Credit, Balance int64
			}
			Sum *int64
		}
		w.get("/ledger/trial-balance", &books)
		want := w.env.Balances()
		var sum int64
		for _, a := range books.Accounts {
			sum += a.Balance
			if a.Balance != a.Debit-a.Credit || money.VND(a.Balance) != want[a.Account] {
				t.Errorf("%+v, core says %d", a, want[a.Account])
			}
		}
		if books.Sum == nil || *books.Sum != 0 || sum != 0 || len(books.Accounts) != len(want) {
			t.Errorf("sum %v, %d; %d accounts of %d", books.Sum, sum, len(books.Accounts), len(want))
		}
	})
}

// Filters select what they say.
func TestFilters(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		other := w.env.Open(w.env.Virtual, 7_000)
		for _, tc := range []struct {
			path, column string
			want         []any
		}{
			{"/payments?state=expired", "payment_id", []any{w.expired.ID}},
			{"/payments?state=canceled", "payment_id", nil},
			{"/payments?merchant_id=" + other.MerchantID, "payment_id", []any{other.ID}},
			{"/payments?merchant_id=" + strings.ToUpper(other.MerchantID), "payment_id", []any{other.ID}},
			{"/payments?reference=" + w.over.Reference, "payment_id", []any{w.over.ID}},
			{"/payments?dialect=other", "payment_id", nil},
			{"/payments?dialect=test&state=open", "payment_id", []any{other.ID, w.partly.ID, w.open.ID}},
			{"/payments?to=2026-03-04T12:01:00%2B07:00", "payment_id", []any{w.expired.ID}},
			{"/payments?from=2026-03-04T05:03:00Z", "payment_id", nil},
			{"/bank-credits?outcome=late", "credit_id", []any{w.late.ID}},
			{"/bank-credits?outcome=unknown&source=feed-one", "credit_id", []any{w.stray.ID}},
			{"/bank-credits?source=nobody", "credit_id", nil},
			{"/notifications?state=done", "notification_id", []any{w.done.ID}},
			{"/notifications?state=pending&merchant_id=" + w.paid.MerchantID, "notification_id", []any{w.pending.ID}},
			{"/notifications?merchant_id=" + other.MerchantID, "notification_id", nil},
			{"/payments/" + w.over.ID + "/credits", "credit_id", []any{w.excess.ID}},
			{"/payments/" + w.open.ID + "/credits", "credit_id", nil},
			{"/payments/" + w.over.ID + "/notifications", "notification_id", []any{w.done.ID}},
			{"/payments/" + w.over.ID + "/refunds", "refund_id", nil},
		} {
			var l page
			w.get(tc.path, &l)
			if got := l.column(tc.column); fmt.Sprint(got) != fmt.Sprint(tc.want) || l.Items == nil {
				t.Errorf("%s: %v, want %v", tc.path, got, tc.want)
			}
		}
		// A zone's "+" that was not escaped is understood, though the document
		// does not say so.
		r := httptest.NewRequest("GET", admin.Prefix+"/payments?to=2026-03-04T12:01:00+07:00", nil)
		r.Header.Set("Authorization", "Bearer "+w.token)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != 200 || strings.Count(rec.Body.String(), `"payment_id"`) != 1 || !strings.Contains(rec.Body.String(), w.expired.ID) {
			t.Errorf("an unescaped +: %d %s", rec.Code, rec.Body)
		}
		for _, path := range []string{"/payments/", "/bank-credits/", "/notifications/", "/merchants/"} {
			w.refused(404, map[bool]string{true: "payment_not_found", false: "not_found"}[path == "/payments/"], "GET", path+"0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11", "")
		}
		w.refused(404, "not_found", "GET", "/merchants/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/keys", "")
		w.refused(404, "payment_not_found", "GET", "/payments/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/events", "")
		w.refused(404, "not_found", "GET", "/bank-feeds/nobody", "")
		w.refused(404, "not_found", "PATCH", "/bank-feeds/nobody", `{"secret": "0123456789"}`)
		w.refused(404, "not_found", "PATCH", "/receiving-accounts/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11", `{"enabled": true}`)
	})
}

// Read page by page, of whatever length, every list gives what it gives at
// once: nothing twice, nothing lost, and no empty page at the end.
func TestListsPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		merchant := "/merchants/" + w.env.Memo.Merchant.ID
		w.want(201, "POST", merchant+"/receiving-accounts", `{"bin": "970436", "number": "1", "holder": "A", "recognise": "memo"}`, nil)
		w.want(201, "POST", merchant+"/keys/rotate", `{"dialect": "test"}`, nil)
		w.want(201, "POST", "/bank-feeds", `{"name": "casso", "kind": "casso", "secret": "0123456789"}`, nil)
		for _, path := range []string{
			"/merchants", merchant + "/profiles", merchant + "/keys", merchant + "/receiving-accounts", "/payments", "/payments/" + w.partly.ID + "/events",
			"/payments/" + w.paid.ID + "/journal", "/payments/" + w.paid.ID + "/credits", "/payments/" + w.paid.ID + "/notifications",
			"/bank-credits", "/unapplied", "/bank-feeds", "/notifications", "/tokens", "/audit",
		} {
			var whole page
			w.get(path+"?limit=200&cursor=", &whole)
			if len(whole.Items) == 0 || whole.Next != "" {
				t.Fatalf("%s: %d items, next %q", path, len(whole.Items), whole.Next)
			}
			for _, limit := range []int{1, 2, 3, len(whole.Items)} {
				var items []object
				cursor := ""
				for {
					var l page
					w.get(fmt.Sprintf("%s?limit=%d%s", path, limit, cursor), &l)
					items = append(items, l.Items...)
					if len(l.Items) == 0 || len(l.Items) > limit {
						t.Fatalf("%s: a page of %d with limit %d", path, len(l.Items), limit)
					}
					if l.Next == "" {
						break
					}
					cursor = "&cursor=" + l.Next
				}
				if fmt.Sprint(items) != fmt.Sprint(whole.Items) {
					t.Errorf("%s by %d: %d items, %d at once", path, limit, len(items), len(whole.Items))
				}
			}
		}
	})
}

// Secrets are shown when they are made and never again.
func TestSecretsStayHidden(t *testing.T) {
	w := newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	c, merchant := w.env.Memo.Credentials, "/merchants/"+w.env.Memo.Merchant.ID
	w.want(200, "PATCH", "/bank-feeds/feed-one", `{"secret": {"key": "sup3r-hidden", "keys": ["0ld-hidden-key"]}}`, nil)
	f, err := w.env.Core.Feed(t.Context(), "feed-one")
	if err != nil {
		t.Fatal(err)
	}
	if secret, _, err := w.env.Core.FeedSecrets(f); err != nil || secret != `{"key":"sup3r-hidden","keys":["0ld-hidden-key"]}` {
		t.Fatalf("the secret that was kept: %s, %v", secret, err)
	}
	profile, err := w.env.Core.Profile(t.Context(), w.env.Memo.Merchant.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{c.Key, c.Secret, c.NotifySecret, profile.NotifySecret, w.token, f.Secret, "sup3r-hidden", "0ld-hidden-key"}
	for _, path := range []string{"/merchants", merchant, merchant + "/profiles", merchant + "/keys", "/bank-feeds", "/bank-feeds/feed-one", "/tokens", "/audit?limit=200"} {
		body := string(w.do("GET", path, "").body)
		for _, secret := range secrets {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows the secret %.4s…", path, secret)
			}
		}
	}
}

// A bank feed's settings are checked as they are going to be.
func TestFeedSettings(t *testing.T) {
	w := newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	w.want(201, "POST", "/bank-feeds", `{"name": "sepay", "kind": "sepay", "secret": "0123456789", "api": {"token": "AK_0123456789", "version": 2}}`, nil)
	w.refused(409, "conflict", "POST", "/bank-feeds", `{"name": "sepay", "kind": "sepay", "secret": "0123456789"}`)
	w.refused(422, "invalid_request", "PATCH", "/bank-feeds/sepay", `{"secret": "short"}`)
	w.refused(422, "invalid_request", "PATCH", "/bank-feeds/sepay", `{"api": {"tokn": "x"}}`)
	w.refused(422, "invalid_request", "PATCH", "/bank-feeds/feed-one", `{"api": {"token": "AK_0123456789"}}`)
	w.refused(404, "not_found", "POST", "/bank-feeds", `{"name": "x", "kind": "sepay", "secret": "0123456789", "merchant_id": "0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11"}`)
	f, err := w.env.Core.Feed(t.Context(), "sepay")
	if err != nil {
		t.Fatal(err)
	}
	if _, api, err := w.env.Core.FeedSecrets(f); err != nil || api != `{"token":"AK_0123456789","version":2}` {
		t.Errorf("the credentials that were kept: %s, %v", api, err)
	}
}

// A range of any length is sent again in calls of a thousand, each
// notification once, the oldest of a call first.
func TestReplayOfARange(t *testing.T) {
	e := coretest.New(t, storetest.Open(t, storetest.URL(t, "postgres")))
	c := newClient(t, e)
	p := e.Open(e.Memo, 1000)
	const total, outside = 1003, 2
	err := e.Store.Update(t.Context(), func(tx *store.Tx) error {
		for n := range total + outside {
			at := coretest.Start.Add(time.Duration(n) * time.Second)
			err := tx.AddItem(t.Context(), store.Item{
				ID: e.IDs.New(), Kind: core.KindNotice, PaymentID: p.ID, MerchantID: p.MerchantID, Dialect: "test", Target: "https://x.example", Lane: "x.example",
				State: store.ItemFailed, CreatedAt: at, FinishedAt: at,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	from, to := coretest.Start.Add(time.Second), coretest.Start.Add((total+1)*time.Second)
	body := fmt.Sprintf(`{"merchant_id": %q, "from": %q, "to": %q`, p.MerchantID, from.Format(time.RFC3339), to.Format(time.RFC3339))
	var done struct {
		Replayed int
		Next     string `json:"next_cursor"`
	}
	c.want(200, "POST", "/notifications/replay", body+"}", &done)
	if done.Replayed != 1000 || done.Next == "" {
		t.Fatalf("%+v", done)
	}
	body += `, "cursor": "` + done.Next + `"}`
	done.Next = ""
	c.want(200, "POST", "/notifications/replay", body, &done)
	if done.Replayed != total-1000 || done.Next != "" {
		t.Fatalf("%+v", done)
	}
	var left page
	c.get("/notifications?state=failed", &left)
	if len(left.Items) != outside {
		t.Errorf("%d are left, want the %d outside of the range", len(left.Items), outside)
	}
	var log page
	c.get("/audit?limit=2", &log)
	if log.Items[0]["subject"].(string) < log.Items[1]["subject"].(string) {
		t.Error("the newest was sent before an older one")
	}
	c.refused(404, "not_found", "POST", "/notifications/replay", `{"merchant_id": "0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11", "from": "2026-01-01T00:00:00Z"}`)
}
