package admin_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// with sends GET /payments with the headers given as pairs.
func (c *client) with(headers ...string) answer {
	c.t.Helper()
	r := httptest.NewRequest("GET", admin.Prefix+"/payments", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return c.send(r, "")
}

// Missing, unknown, malformed and revoked tokens all get the same answer.
func TestTokensAreChecked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newClient(t, coretest.New(t, s))
		var made struct{ Token string }
		c.want(201, "POST", "/tokens", `{"name": "gone"}`, &made)
		if made.Token == "" || c.with("Authorization", "bearer "+made.Token).status != 200 {
			t.Fatal("a new token does not work")
		}
		var tokens page
		c.get("/tokens", &tokens)
		for _, item := range tokens.Items {
			if item["name"] == "gone" {
				c.want(204, "DELETE", "/tokens/"+item["token_id"].(string), "", nil)
				c.refused(404, "not_found", "DELETE", "/tokens/"+item["token_id"].(string), "")
			}
		}
		good := "Bearer " + c.token
		first := c.with()
		for name, headers := range map[string][]string{
			"empty":      {"Authorization", ""},
			"scheme":     {"Authorization", "Basic " + c.token},
			"bare":       {"Authorization", c.token},
			"wrong":      {"Authorization", good + "x"},
			"revoked":    {"Authorization", "Bearer " + made.Token},
			"two":        {"Authorization", good, "Authorization", good},
			"long":       {"Authorization", "Bearer " + strings.Repeat("x", 10_000)},
			"not ASCII":  {"Authorization", "Bearer \xff\xfe"},
			"other name": {"X-Api-Key", c.token},
		} {
			a := c.with(headers...)
			if a.status != 401 || string(a.body) != string(first.body) || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		if a := c.with("Authorization", good); a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("the good token: %d, %v", a.status, a.header)
		}
		if a := c.do("GET", "/nothing", ""); a.status != 404 {
			t.Errorf("unknown path with a token: %d", a.status)
		}
	})
}

// Who guesses is slowed down; others, and who has waited, are not.
func TestGuessesAreThrottled(t *testing.T) {
	e := coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	c := newClient(t, e)
	for range 20 {
		if a := c.with("Authorization", "Bearer guess"); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	a := c.with("Authorization", "Bearer "+c.token)
	if a.status != 429 || a.header.Get("Retry-After") != "2" {
		t.Fatalf("after 20 guesses: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	c.from = "192.0.2.8:1"
	if a := c.with("Authorization", "Bearer "+c.token); a.status != 200 {
		t.Errorf("another address: %d", a.status)
	}
	c.from = "192.0.2.7:9"
	e.Advance(2 * time.Second)
	if a := c.with("Authorization", "Bearer "+c.token); a.status != 200 {
		t.Errorf("after the wait: %d", a.status)
	}
}

// The audit log has the operator's own address, also behind a proxy, but only
// a trusted one is believed.
func TestAuditHasTheAddress(t *testing.T) {
	e := coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	c := newClient(t, e)
	for _, tc := range []struct {
		proxies []netip.Prefix
		want    string
	}{
		{nil, "192.0.2.7"},
		{[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "203.0.113.9"},
	} {
		c.handler = admin.New(admin.Config{Core: e.Core, Clock: e.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), TrustedProxies: tc.proxies})
		body := `{"name": "Quán Mới"}`
		r := httptest.NewRequest("POST", admin.Prefix+"/merchants", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		if a := c.send(r, body); a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		var log page
		c.get("/audit?limit=1", &log)
		if last := log.Items[0]; last["address"] != tc.want || last["actor"] != operator || last["act"] != "merchant.add" {
			t.Errorf("want address %s: %v", tc.want, last)
		}
	}
}

// An operator cannot pass for the bank, the payer or the gateway.
func TestReservedNames(t *testing.T) {
	c := newClient(t, coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite"))))
	for _, name := range []string{"bank", "payer", "system", "merchant", " bank", "SYSTEM"} {
		if e := c.refused(422, "invalid_request", "POST", "/tokens", `{"name": "`+name+`"}`); len(e.Error.Fields["name"]) == 0 {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestWrongMethodsAndPaths(t *testing.T) {
	c := newClient(t, coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite"))))
	for _, tc := range []struct{ method, path, allow string }{
		{"PUT", "/merchants", "GET, HEAD, POST"},
		{"DELETE", "/audit", "GET, HEAD"},
		{"GET", "/notifications/replay", "POST"},
		{"OPTIONS", "/bank-feeds/x", "GET, HEAD, PATCH"},
		{"POST", "/openapi.yaml", "GET, HEAD"},
		{"DELETE", "/connectors/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11", "GET, HEAD, PATCH"},
		{"POST", "/connector-kinds", "GET, HEAD"},
		{"GET", "/attempts/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/judge", "POST"},
		{"PUT", "/refunds/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11", "GET, HEAD"},
	} {
		c.refused(405, "method_not_allowed", tc.method, tc.path, "")
		if a := c.do(tc.method, tc.path, ""); a.header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: Allow %q, want %q", tc.method, tc.path, a.header.Get("Allow"), tc.allow)
		}
	}
	for _, path := range []string{"", "/", "/merchants/", "//merchants", "/merchants/../payments", "/payments/x/y/z", "/%2e%2e/payments", "/bank-feeds/a%2Fb", "/bank-feeds/A", "/merchants/%00"} {
		c.refused(404, "not_found", "GET", path, "")
	}
}

// Without a token nothing is shown, done or asked, whatever the operation.
func TestEveryOperationNeedsAToken(t *testing.T) {
	w := newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	w.takeCards()
	w.card.Calls()
	before := w.acts()
	w.token = "wrong"
	for _, name := range admin.Routes() {
		method, path, _ := strings.Cut(name, " ")
		if path == "/openapi.yaml" {
			continue
		}
		path = strings.NewReplacer("{payment_id}", w.carded.ID, "{attempt_id}", w.unsure.ID, "{refund_id}", w.asked.ID, "{connector_id}", w.connector.ID).Replace(path)
		w.env.Advance(time.Minute) // guesses are slowed down
		if a := w.do(method, path, `{"paid": true, "reason": "x"}`); a.status != 401 {
			t.Errorf("%s without a token: %d %s", name, a.status, a.body)
		}
	}
	if calls := w.card.Calls(); w.acts() != before || len(calls) > 0 {
		t.Errorf("something was done all the same: %v", calls)
	}
}

func TestDocumentIsServed(t *testing.T) {
	c := newClient(t, coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite"))))
	c.token = ""
	a := c.do("GET", "/openapi.yaml", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/yaml" || !strings.HasPrefix(string(a.body), "openapi: 3.0.") {
		t.Errorf("%d %s %.40s", a.status, a.header.Get("Content-Type"), a.body)
	}
}

// Every code of core has its status, and the two tell the same story.
func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range payment.Codes {
		status, ok := admin.Statuses[code]
		if !ok {
			t.Errorf("%s has no status", code)
		}
		if (status >= 500) != (code == payment.CodeInternal || code == payment.CodeBusy) {
			t.Errorf("%s is answered %d", code, status)
		}
	}
	if len(admin.Statuses) != len(payment.Codes) {
		t.Errorf("%d statuses for %d codes", len(admin.Statuses), len(payment.Codes))
	}
}

// When the database is gone the answer says no more than that.
func TestFailuresTellNothing(t *testing.T) {
	s, err := store.Open(t.Context(), storetest.URL(t, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, coretest.New(t, s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a := c.do("GET", "/payments", "")
	var e errorAnswer
	a.decode(t, &e)
	if a.status < 500 || e.Error.RequestID != requestID || strings.Contains(string(a.body), "sql") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Core's errors become answers; a busy gateway says when to come back, and a
// cause never leaves the gateway.
func TestErrorsBecomeAnswers(t *testing.T) {
	secretCause := errors.New("dial tcp 10.0.0.5:5432")
	for _, tc := range []struct {
		err    error
		status int
		want   string
	}{
		{&payment.Error{Code: payment.CodeBusy, Cause: secretCause}, 503, "nothing was done"},
		{&payment.Error{Code: payment.CodeInternal, Text: "table lost", Cause: secretCause}, 500, "the gateway failed"},
		{secretCause, 500, "the gateway failed"},
		{&payment.Error{Code: "new_code", Text: "x"}, 500, "the gateway failed"},
		{&payment.Error{Code: payment.CodeConflict, Text: "taken", Cause: secretCause}, 409, "taken"},
		{payment.Fail(payment.CodeConflict, ""), 409, "exists already"},
	} {
		w := httptest.NewRecorder()
		admin.Refuse(w, httptest.NewRequest("GET", "/", nil), tc.err)
		body := w.Body.String()
		if w.Code != tc.status || !strings.Contains(body, tc.want) || strings.Contains(body, "10.0.0.5") {
			t.Errorf("%v: %d %s", tc.err, w.Code, body)
		}
		if (w.Code == http.StatusServiceUnavailable) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After %q", tc.err, w.Header().Get("Retry-After"))
		}
	}
}
