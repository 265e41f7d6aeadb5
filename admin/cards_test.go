package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	rail "github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func cards(t *testing.T, fn func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.takeCards()
		fn(t, w)
	})
}

// A connector's configuration arrives where it is needed and is seen nowhere,
// and neither is where payers were sent.
func TestCardSecretsStayHidden(t *testing.T) {
	cards(t, func(t *testing.T, w *world) {
		const add = `{"merchant_id": %q, "kind": "scripted", "methods": ["domestic_card"], "config": {"secret": "top <secret> 😀"}}`
		var made object
		w.want(201, "POST", "/connectors", fmt.Sprintf(add, w.env.Memo.Merchant.ID), &made)
		id := made["connector_id"].(string)
		kept := func() string {
			conn, err := w.env.Core.Connector(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			config, err := w.env.Core.ConnectorConfig(conn)
			if err != nil {
				t.Fatal(err)
			}
			return string(config)
		}
		if got := kept(); got != `{"secret":"top \u003csecret\u003e 😀"}` {
			t.Errorf("kept: %s", got)
		}
		w.want(200, "PATCH", "/connectors/"+id, `{"name": "another name"}`, nil)
		if got := kept(); !strings.Contains(got, "top") {
			t.Errorf("a change of the name left %s", got)
		}
		w.want(200, "PATCH", "/connectors/"+id, `{"config": {"secret": "next-secret"}}`, nil)
		if got := kept(); got != `{"secret":"next-secret"}` {
			t.Errorf("changed: %s", got)
		}
		w.refused(422, "invalid_request", "PATCH", "/connectors/"+id, `{"config": {"secret": 97531864}}`)
		w.refused(422, "invalid_request", "POST", "/connectors", `{"config": {"secret": 97531864}}`)
		conn, err := w.env.Core.Connector(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		secrets := []string{"top ", "next-secret", "97531864", "s3cret", conn.Config, "secret-way", "secret-session"}
		for _, path := range []string{
			"/connectors", "/connectors/" + id, "/connector-kinds", "/audit?limit=200", "/payments", "/payments/" + w.carded.ID, "/attempts?review=true", "/attempts/" + w.captured.ID,
		} {
			body := string(w.do("GET", path, "").body)
			for _, secret := range secrets {
				if strings.Contains(body, secret) {
					t.Errorf("%s shows %q", path, secret)
				}
			}
		}
		for _, secret := range secrets {
			if strings.Contains(w.logged.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

// A connector that is changed is used as it is now.
func TestConnectorChanges(t *testing.T) {
	cards(t, func(t *testing.T, w *world) {
		used := func(m payment.Method) (ids []string) {
			found, err := w.env.Core.ConnectorsFor(t.Context(), w.env.Memo.Merchant.ID, m)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range found {
				ids = append(ids, c.ID)
			}
			return ids
		}
		for _, tc := range []struct {
			id, body string
			want     []string
		}{
			{w.portal.ID, `{"priority": -1000}`, []string{w.portal.ID, w.connector.ID}},
			{w.portal.ID, `{"methods": ["international_card"]}`, []string{w.connector.ID}},
			{w.portal.ID, `{"methods": ["international_card", "domestic_card"], "priority": 1000}`, []string{w.connector.ID, w.portal.ID}},
			{w.connector.ID, `{"enabled": false}`, []string{w.portal.ID}},
		} {
			w.want(200, "PATCH", "/connectors/"+tc.id, tc.body, nil)
			if got := used(payment.DomesticCard); fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("after %s: %v, want %v", tc.body, got, tc.want)
			}
		}
	})
}

type hearing struct {
	Asked                    bool
	Heard                    *struct{ Outcome, Code, Text string }
	Fault                    string
	Attempt, Refund, Payment object
}

// Whatever an acquirer answers to a person's question is told, and taken in
// when it can be.
func TestRecheckAttempt(t *testing.T) {
	cards(t, func(t *testing.T, w *world) {
		ask := func(a payment.Attempt) (h hearing) {
			t.Helper()
			w.want(200, "POST", "/attempts/"+a.ID+"/recheck", "", &h)
			return h
		}
		says := func(fn func(a payment.Attempt) (rail.Report, error)) {
			w.card.OnQuery(func(_ context.Context, a payment.Attempt) (rail.Report, error) { return fn(a) })
		}
		says(func(payment.Attempt) (rail.Report, error) { return rail.Report{}, errors.New("no answer") })
		if h := ask(w.unsure); !h.Asked || h.Heard != nil || h.Fault != "no answer" || h.Attempt["state"] != "unknown" {
			t.Errorf("no answer: %+v", h)
		}
		says(func(a payment.Attempt) (rail.Report, error) {
			r := railtest.SayPaid(a)
			r.Amount--
			return r, nil
		})
		if h := ask(w.unsure); !h.Asked || h.Heard.Outcome != "done" || !strings.Contains(h.Fault, "89999") || h.Attempt["review"] != true || h.Payment["state"] != "processing" {
			t.Errorf("another amount: %+v", h)
		}
		says(func(a payment.Attempt) (rail.Report, error) { return railtest.SayPaid(a), nil })
		if h := ask(w.unsure); !h.Asked || h.Heard.Outcome != "done" || h.Fault != "" || h.Attempt["state"] != "done" || h.Attempt["review"] != false || h.Payment["state"] != "approved" {
			t.Errorf("paid: %+v", h)
		}
		says(func(a payment.Attempt) (rail.Report, error) { return railtest.SayDeclined(a), nil })
		if h := ask(w.captured); h.Heard.Code != "51" || h.Fault == "" || h.Attempt["state"] != "done" || h.Attempt["review"] != true || h.Payment["state"] != "approved" {
			t.Errorf("a contradiction: %+v", h)
		}
		var waiting page
		w.get("/attempts?review=true", &waiting)
		if got := waiting.column("attempt_id"); fmt.Sprint(got) != fmt.Sprint([]any{w.captured.ID}) {
			t.Errorf("a person's list has %v", got)
		}
		w.refused(409, "invalid_state", "POST", "/attempts/"+w.captured.ID+"/judge", `{"paid": false, "reason": "x"}`)
		w.want(200, "POST", "/attempts/"+w.captured.ID+"/judge", `{"paid": true, "reason": "they were wrong"}`, nil)
		if calls := w.card.Calls(); fmt.Sprint(calls) != "[query query query query]" {
			t.Errorf("calls: %v", calls)
		}

		// An acquirer that this program does not know cannot be asked.
		gone, err := w.env.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{
			MerchantID: w.env.Memo.Merchant.ID, Kind: "gone", Methods: []payment.Method{payment.DomesticCard}, Config: []byte(`{}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		p := w.env.Open(w.env.Memo, 1000, func(o *core.Opening) { o.Methods = []payment.Method{payment.DomesticCard} })
		a, _, err := w.env.Core.StartAttempt(t.Context(), core.Starting{PaymentID: p.ID, Method: payment.DomesticCard, Connector: gone, Reference: w.card.Reference})
		if err != nil {
			t.Fatal(err)
		}
		if h := ask(a); h.Asked || h.Heard != nil || !strings.Contains(h.Fault, "log") || !strings.Contains(w.logged.String(), "no connector of kind gone") {
			t.Errorf("an unknown kind: %+v", h)
		}
	})
}

// An operator's refund of a card payment goes to the acquirer, and its word
// counts.
func TestRecheckRefund(t *testing.T) {
	cards(t, func(t *testing.T, w *world) {
		ask := func(id string) (h hearing) {
			t.Helper()
			w.want(200, "POST", "/refunds/"+id+"/recheck", "", &h)
			return h
		}
		refund := func(amount int) string {
			t.Helper()
			var made struct{ Payment, Refund object }
			w.want(201, "POST", "/payments/"+w.carded.ID+"/refunds", fmt.Sprintf(`{"amount": %d, "reason": "cold"}`, amount), &made)
			if made.Refund["state"] != "processing" || made.Refund["manual"] != false || made.Refund["actor"] != operator || made.Payment["amount_refunding"].(float64) < float64(amount) {
				t.Errorf("asked for: %v", made)
			}
			return made.Refund["refund_id"].(string)
		}
		says := func(r rail.Report, err error) {
			w.card.OnRefund(func(context.Context, rail.Refund) (rail.Report, error) { return r, err })
		}
		saysAgain := func(fn func(r payment.Refund) (rail.Report, error)) {
			w.card.OnQueryRefund(func(_ context.Context, r rail.Refund) (rail.Report, error) { return fn(r.Refund) })
		}
		w.card.Calls()
		id := refund(1000) // nothing has been asked for yet: recheck does it
		says(rail.Report{}, errors.New("not reached"))
		if h := ask(id); !h.Asked || h.Heard != nil || h.Fault != "not reached" || h.Refund["state"] != "processing" {
			t.Errorf("not reached: %+v", h)
		}
		says(rail.Report{}, rail.ErrUncertain)
		if h := ask(id); !h.Asked || h.Heard != nil || h.Fault == "" || h.Refund["state"] != "processing" {
			t.Errorf("uncertain: %+v", h)
		}
		saysAgain(func(r payment.Refund) (rail.Report, error) { return railtest.SayRefunded(r), nil })
		if h := ask(id); h.Heard.Outcome != "done" || h.Fault != "" || h.Refund["state"] != "approved" || h.Payment["amount_refunded"] != 1000.0 {
			t.Errorf("made: %+v", h)
		}
		if calls := w.card.Calls(); fmt.Sprint(calls) != "[refund refund query refund]" {
			t.Errorf("calls: %v", calls)
		}
		saysAgain(func(r payment.Refund) (rail.Report, error) { return railtest.SayRefused(r, ""), nil })
		if h := ask(id); h.Heard.Outcome != "failed" || h.Fault == "" || h.Refund["state"] != "approved" || h.Refund["review"] != true {
			t.Errorf("a contradiction: %+v", h)
		}
		saysAgain(func(r payment.Refund) (rail.Report, error) { return rail.Report{}, errors.New("no answer") })
		if h := ask(id); !h.Asked || h.Heard != nil || h.Fault != "no answer" {
			t.Errorf("no answer: %+v", h)
		}
		w.want(200, "POST", "/refunds/"+id+"/judge", `{"paid": true, "reason": "seen on the statement"}`, nil)

		says(rail.Report{Outcome: rail.Failed, Code: "13", Reason: payment.CodeInsufficient}, nil)
		id = refund(2000)
		if h := ask(id); h.Heard.Code != "13" || h.Refund["state"] != "denied" || h.Refund["failure"] != "insufficient_balance" {
			t.Errorf("denied: %+v", h)
		}
		w.refused(409, "invalid_state", "POST", "/refunds/"+id+"/judge", `{"paid": true, "reason": "x"}`)
		w.refused(404, "refund_not_found", "POST", "/refunds/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/recheck", "")
		w.env.Balances()
	})
}

// The lists of what waits for a person, and of connectors, read page by page.
func TestCardListsPage(t *testing.T) {
	cards(t, func(t *testing.T, w *world) {
		for _, path := range []string{"/refunds?waiting=true&", "/connectors?merchant_id=" + w.env.Memo.Merchant.ID + "&", "/connector-kinds?"} {
			var whole, first, second page
			w.get(path+"limit=200", &whole)
			w.get(path+"limit=1", &first)
			if len(whole.Items) != 2 || len(first.Items) != 1 || first.Next == "" {
				t.Fatalf("%s: %v, %+v", path, whole, first)
			}
			w.get(path+"limit=1&cursor="+first.Next, &second)
			if fmt.Sprint(append(first.Items, second.Items...)) != fmt.Sprint(whole.Items) || second.Next != "" {
				t.Errorf("%s: %v then %v, want %v", path, first, second, whole)
			}
		}
		var l page
		w.get("/refunds?waiting=true&merchant_id="+w.env.Virtual.Merchant.ID, &l)
		if len(l.Items) != 0 {
			t.Errorf("another merchant's: %v", l)
		}
	})
}

// Without acquirers the gateway says so.
func TestNoAcquirers(t *testing.T) {
	e := coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	c := bare(t, e)
	body := fmt.Sprintf(`{"merchant_id": %q, "kind": "vnpay", "methods": ["domestic_card"], "config": {}}`, e.Memo.Merchant.ID)
	if got := c.refused(422, "invalid_request", "POST", "/connectors", body); !strings.Contains(got.Error.Message, "no acquirer") {
		t.Errorf("%+v", got)
	}
	c.refused(422, "invalid_request", "POST", "/attempts/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/recheck", "")
	c.refused(422, "invalid_request", "POST", "/refunds/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/recheck", "")
	var kinds page
	c.get("/connector-kinds", &kinds)
	if len(kinds.Items) != 0 {
		t.Errorf("%v", kinds)
	}
}
