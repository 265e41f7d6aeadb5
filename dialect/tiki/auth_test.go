package tiki_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// The published vectors, and ours made by the same rule.
func TestVectors(t *testing.T) {
	const (
		demoKey, demoSecret = "RLCKb7Ae9kx4DXtXsCWjnDXtggFnM43W", "EhjGcsUUuRSJTHiYPbW5fxzyaKEx0JuAZIKRQ4HnIfNFidB2kMg6locQbTIEz3Vf"
		demoStamp           = "1620621619569"
		ourKey, ourSecret   = "tini-test-key-0001", "tini-test-secret-0001"
		ourStamp            = "1700000000000"
	)
	for name, c := range map[string]struct{ key, secret, stamp, data, want string }{
		"V1 body":  {demoKey, demoSecret, demoStamp, `{"id":123}`, "8ebd092b9df2cf90e8ccbcab2ba87ee14f2abb25eb8f18b4d7286d42adcd45c2"},
		"V2 query": {demoKey, demoSecret, demoStamp, "/order?location=H%C3%A0%20N%E1%BB%99i&order_id=88062110977884170", "e1e0d63f7f8296dd31b2c082e611351a6c41a3bc0309a9299832f70b693722c8"},
		"V2 plus":  {demoKey, demoSecret, demoStamp, "/order?location=H%C3%A0+N%E1%BB%99i&order_id=88062110977884170", "6b21858525c32ce5c81a3a8eb319edba8fd7bf1884ec6fe10aaef62f22419d87"},
		"D1": {ourKey, ourSecret, ourStamp, `{"customer_id":"7","items":[{"name":"Cà phê sữa","quantity":2,"price":15000}],"shipping_fee":5000,"extra":"k=v","reference_id":"R-1"}`,
			"882896cf10befbf10f409d5daf8f3596d73a9219be20f03aec72390f526ea43f"},
		"D2": {ourKey, ourSecret, ourStamp, "/order?order_id=141857488587784201", "1ed32178ff0d6ace59d2526af57a9061f2457a7037abc6bfbf42c4cc8cbcb61f"},
		"D8 IPN": {ourKey, ourSecret, ourStamp, `{"order":{"id":"141857488587784201","extra":"","status":"online_paid","grand_total":35000,"reference_id":"R-1","tiki_order_id":"1001059779","tiki_order_code":"308714458"},"message_id":"141939182305017886","message_type":"notification","message_created_at":"2023-11-15T05:13:20+07:00"}`,
			"83e43b0ef04ebdc962537ca083c965ca79ecebb3693c3439d02b0fc2230f94f4"},
	} {
		if got := tiki.Sign(c.key, c.secret, c.stamp, []byte(c.data)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	// The HMAC over the text that is not encoded (what the pseudo-code of the
	// page says) is another.
	if got := tiki.Sign(demoKey, demoSecret, demoStamp, []byte(`{"id":123}`)); got == "c517a0afce401209d507aeddfc102899ddfdb95fce99acb8e6ea7a2d0cfc94f8" {
		t.Error("the payload is not encoded")
	}
}

// Signatures are checked over the very bytes that came, whatever a client's
// JSON or URL library makes of them, and within the window of time.
func TestSignature(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		g := dialecttest.NewGateway(t, db, tiki.Dialect{})
		h := handler(g)
		now := strconv.FormatInt(g.Clock.Now().UnixMilli(), 10)
		at := func(d time.Duration) string { return strconv.FormatInt(g.Clock.Now().Add(d).UnixMilli(), 10) }
		call := func(method, target, body, key, secret, stamp, data string, headers ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, target, strings.NewReader(body))
			r.Header.Set("X-Tiniapp-Client-Id", key)
			r.Header.Set("X-Tiniapp-Timestamp", stamp)
			r.Header.Set("X-Tiniapp-Signature", tiki.Sign(key, secret, stamp, []byte(data)))
			for i := 0; i+1 < len(headers); i += 2 {
				r.Header.Del("X-Tiniapp-Client-Id")
				r.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		key, secret, p := g.Shop.Key, g.Shop.Secret, tiki.Production.Prefix
		signed := func(w *httptest.ResponseRecorder) bool {
			return !strings.Contains(w.Body.String(), "invalid_signature")
		}
		const me = "/oauth/me"
		for name, c := range map[string]struct {
			good                     bool
			method, path, body, data string
			key, secret, stamp       string
		}{
			"plain":                    {good: true, method: "POST", path: p + me, body: `{"access_token":"x"}`},
			"the old path":             {good: true, method: "POST", path: p + "/api/v1" + me, body: `{"access_token":"x"}`},
			"spaces as they are":       {good: true, method: "POST", path: p + me, body: "{ \"access_token\" :\n\t\"x\" }\n"},
			"Go escapes":               {good: true, method: "POST", path: p + me, body: `{"access_token":"\u003ca\u003e\u0026"}`},
			"Gson escapes":             {good: true, method: "POST", path: p + me, body: `{"access_token":"x","extra":"a\u003d1"}`},
			"Python escapes":           {good: true, method: "POST", path: p + me, body: `{"access_token":"C\u00e0 ph\u00ea"}`},
			"other spaces than signed": {method: "POST", path: p + me, body: `{"access_token": "x"}`, data: `{"access_token":"x"}`},
			"query":                    {good: true, method: "GET", path: p + "/order?order_id=1", data: "/order?order_id=1"},
			"query, escaped":           {good: true, method: "GET", path: p + "/order?order_id=1&x=H%C3%A0%20N%E1%BB%99i", data: "/order?order_id=1&x=H%C3%A0%20N%E1%BB%99i"},
			"query, lower case":        {good: true, method: "GET", path: p + "/order?order_id=1&x=%c3%a0", data: "/order?order_id=1&x=%c3%a0"},
			"query, plus":              {good: true, method: "GET", path: p + "/order?x=a+b&order_id=1", data: "/order?x=a+b&order_id=1"},
			"query, plus for %20":      {method: "GET", path: p + "/order?x=a%20b&order_id=1", data: "/order?x=a+b&order_id=1"},
			"query, sorted":            {method: "GET", path: p + "/order?x=1&order_id=1", data: "/order?order_id=1&x=1"},
			"with the base path":       {method: "GET", path: p + "/order?order_id=1", data: p + "/order?order_id=1"},
			"the path alone":           {good: true, method: "GET", path: p + "/order", data: "/order"},
			"GET with a body, signed":  {good: true, method: "GET", path: p + "/order?order_id=1", body: "{}", data: "{}"},
			"wrong secret":             {method: "POST", path: p + me, body: `{}`, secret: g.Other.Secret},
			"unknown key":              {method: "POST", path: p + me, body: `{}`, key: "nobody"},
			"5 minutes old":            {good: true, method: "POST", path: p + me, body: `{}`, stamp: at(-5 * time.Minute)},
			"older":                    {method: "POST", path: p + me, body: `{}`, stamp: at(-5*time.Minute - time.Millisecond)},
			"a minute ahead":           {good: true, method: "POST", path: p + me, body: `{}`, stamp: at(time.Minute)},
			"further ahead":            {method: "POST", path: p + me, body: `{}`, stamp: at(time.Minute + time.Second)},
			"in seconds":               {method: "POST", path: p + me, body: `{}`, stamp: strconv.FormatInt(g.Clock.Now().Unix(), 10)},
			"in microseconds":          {method: "POST", path: p + me, body: `{}`, stamp: now + "000"},
			"no number":                {method: "POST", path: p + me, body: `{}`, stamp: "now"},
			"with a plus":              {method: "POST", path: p + me, body: `{}`, stamp: "+" + now},
			"the other environment":    {method: "POST", path: tiki.Sandbox.Prefix + me, body: `{}`},
		} {
			if c.data == "" {
				c.data = c.body
			}
			if c.key == "" {
				c.key = key
			}
			if c.secret == "" {
				c.secret = secret
			}
			if c.stamp == "" {
				c.stamp = now
			}
			w := call(c.method, c.path, c.body, c.key, c.secret, c.stamp, c.data)
			if signed(w) != c.good {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
			if !c.good && w.Code != http.StatusBadRequest {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		if w := call("POST", p+me, `{}`, key, secret, now, `{}`, "X-Tiniapp-Client-Key", key); !signed(w) {
			t.Errorf("the header's other name: %s", w.Body)
		}
		if w := call("POST", p+me, `{}`, key, secret, now, `{}`, "x-tiniapp-CLIENT-id", key); !signed(w) {
			t.Errorf("the header in another case: %s", w.Body)
		}
		r := httptest.NewRequest("POST", p+me, strings.NewReader(`{}`))
		sign(r, g.Shop, g.Clock.Now(), tiki.Production, `{}`)
		r.Header.Set("X-Tiniapp-Signature", strings.ToUpper(r.Header.Get("X-Tiniapp-Signature")))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); signed(w) {
			t.Error("upper case is taken")
		}
		r = httptest.NewRequest("POST", p+me, strings.NewReader(`{}`))
		sign(r, g.Shop, g.Clock.Now(), tiki.Production, `{}`)
		r.Header.Add("X-Tiniapp-Timestamp", now)
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, r); signed(w) {
			t.Error("two timestamps are taken")
		}
	})
}
