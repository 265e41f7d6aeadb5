package paykit_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func handler(g *dialecttest.Gateway) http.Handler {
	return paykit.New(paykit.Config{Core: g.Core, Clock: g.Clock, Log: g.Log})
}

// The golden exchanges: every gateway code and error cause that can come, both
// modes, every look-up, on both engines.
func TestExchanges(t *testing.T) { exchanges.Run(t, "testdata") }

// No field of the wire lets a card number in.
func TestCardNumbersStayOut(t *testing.T) { exchanges.CardNumbers(t, "testdata") }

var exchanges = dialecttest.Exchanges{
	Dialect: paykit.Dialect{},
	Handler: handler,
	Names: func(g *dialecttest.Gateway) map[string]string {
		return map[string]string{
			"mid": g.Shop.PublicID, "key": g.Shop.Key, "secret": g.Shop.Secret, "ipn-secret": g.Shop.NotifySecret,
			"other-mid": g.Other.PublicID, "other-key": g.Other.Key, "other-secret": g.Other.Secret,
			"platform-key": g.Platform.Key, "platform-secret": g.Platform.Secret, "platform-ipn-secret": g.Platform.NotifySecret,
		}
	},
}

func TestConformance(t *testing.T) {
	post := func(op, body string) dialecttest.Call {
		return dialecttest.Call{Method: "POST", Path: "/v2/" + op, Body: body}
	}
	result := func(body string) string {
		var a struct{ Result string }
		if json.Unmarshal([]byte(body), &a) != nil {
			return ""
		}
		return a.Result
	}
	yes := func(status int, body string) bool { return status == http.StatusOK && result(body) == "SUCCESS" }
	dialecttest.Suite{
		Dialect: paykit.Dialect{},
		Handler: handler,
		Calls: []dialecttest.Call{
			post("payment-page-checkout", `{}`),
			post("retrieve-payment", `{"payment_id": "NONE"}`),
			post("refund", `{"payment_id": "NONE", "refund_id": "NONE", "amount": 1, "currency": "VND"}`),
			post("retrieve-refund", `{"payment_id": "NONE", "refund_id": "NONE"}`),
		},
		Unknown: []string{"/v2/", "/v1/", "/v2", "/v2/v2/refund", "/v2/refund/", "/v2//refund", "/v3/refund", "/v2/REFUND", "/v2/../v2/refund", "/v2/payments%2f1"},
		Authorize: func(r *http.Request, who dialecttest.Party, _ string) {
			r.Header.Set("api-key", who.Key)
			r.Header.Set("secret-key", who.Secret)
		},
		Open: func(reference string, amount money.VND) dialecttest.Call {
			return post("payment-page-checkout", `{"payment_method": "BANK_TRANSFER", "payment": {"id": "`+reference+`", "amount": `+amount.String()+
				`, "currency": "VND", "success_url": "https://shop.example.com/ok", "cancel_url": "https://shop.example.com/back", "ipn_url": "https://shop.example.com/ipn"}}`)
		},
		Find: func(reference string) dialecttest.Call {
			return post("retrieve-payment", `{"payment_id": "`+reference+`"}`)
		},
		Opened: yes,
		Found:  yes,
		Shows: func(r dialect.Request, p payment.Payment) bool {
			want := map[payment.State]string{payment.Approved: "APPROVED", payment.Canceled: "CANCELED", payment.Expired: "EXPIRED"}[p.State]
			return strings.Contains(string(r.Body), `"id":"`+p.Reference+`"`) &&
				strings.Contains(string(r.Body), `"status":"CLOSED","result":"`+want+`"`) &&
				strings.Contains(string(r.Body), `"captured_amount":`+p.Received.String()+".0")
		},
	}.Run(t)
}

// What does not fit into a golden file: bodies by size, and guesses by number.
func TestLimits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		g := dialecttest.NewGateway(t, db, paykit.Dialect{})
		h := handler(g)
		ask := func(secret, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/v2/retrieve-payment", strings.NewReader(body))
			r.Header.Set("api-key", g.Shop.Key)
			r.Header.Set("secret-key", secret)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		body := func(size int) string {
			const frame = `{"payment_id": "PAY-1", "x": ""}`
			return strings.Replace(frame, `""`, `"`+strings.Repeat("y", size-len(frame))+`"`, 1)
		}
		if w := ask(g.Shop.Secret, body(64<<10)); w.Code != 200 || !strings.Contains(w.Body.String(), "PAYMENT_NOT_FOUND") {
			t.Errorf("64 KiB: %d %s", w.Code, w.Body)
		}
		if w := ask(g.Shop.Secret, body(64<<10+1)); w.Code != 413 || !strings.Contains(w.Body.String(), `"cause":"REQUEST_REJECTED"`) {
			t.Errorf("over 64 KiB: %d %s", w.Code, w.Body)
		}
		tries := 0
		for ask("wrong", "{}").Code == 401 {
			if tries++; tries > 1000 {
				t.Fatal("guessing is not slowed down")
			}
		}
		w := ask(g.Shop.Secret, body(100))
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || tries < 50 {
			t.Errorf("after %d guesses: %d %s", tries, w.Code, w.Body)
		}
		g.Clock.Advance(2 * time.Second)
		if w := ask(g.Shop.Secret, body(100)); w.Code != 200 {
			t.Errorf("after the wait: %d %s", w.Code, w.Body)
		}
	})
}

// A database that is gone is told as the server's failure, by a code that is in
// the log.
func TestNoDatabase(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.URL(t, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := dialecttest.NewGateway(t, db, paykit.Dialect{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v2/retrieve-payment", strings.NewReader(`{"payment_id": "1"}`))
	r.Header.Set("api-key", g.Shop.Key)
	r.Header.Set("secret-key", g.Shop.Secret)
	w := httptest.NewRecorder()
	handler(g).ServeHTTP(w, r)
	var seen struct {
		Error struct {
			Cause       string
			SupportCode string `json:"support_code"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	if w.Code != 500 || seen.Error.Cause != "SERVER_FAILED" || !strings.Contains(g.Logged.String(), "support_code="+seen.Error.SupportCode) {
		t.Errorf("%d %s\n%s", w.Code, w.Body, g.Logged)
	}
	if strings.Contains(g.Logged.String(), g.Shop.Secret) || strings.Contains(g.Logged.String(), g.Shop.Key) {
		t.Error("credentials in the log")
	}
}
