package tiki_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func handler(g *dialecttest.Gateway) http.Handler {
	return tiki.New(tiki.Config{Core: g.Core, Clock: g.Clock, Log: g.Log})
}

// lan is the customer of the tests. Each test's database is its own, or shared
// with others who add the same customer.
func lan(t testing.TB, g *dialecttest.Gateway) string {
	t.Helper()
	c, err := g.Core.AddCustomer(t.Context(), dialecttest.Operator, signin.Customer{ID: 7, Name: "Lan", Phone: "0900000007", Email: "lan@example.com"})
	if err != nil && payment.CodeOf(err) != payment.CodeConflict {
		t.Fatal(err)
	}
	token, err := g.Core.SignIn(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// sign signs a request at the gateway's time.
func sign(r *http.Request, who dialecttest.Party, now time.Time, env tiki.Environment, body string) {
	data := body
	if r.Method == http.MethodGet {
		data = strings.TrimPrefix(r.URL.RequestURI(), env.Prefix)
	}
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	r.Header.Set("X-Tiniapp-Client-Id", who.Key)
	r.Header.Set("X-Tiniapp-Timestamp", stamp)
	r.Header.Set("X-Tiniapp-Signature", tiki.Sign(who.Key, who.Secret, stamp, []byte(data)))
}

var (
	stamps     = regexp.MustCompile(`(X-Tiniapp-Timestamp: )\d+`)
	references = regexp.MustCompile(`(ref_id=)\d{9}`)
	messages   = regexp.MustCompile(`("message_id": ")\d{18}"`)
	signatures = regexp.MustCompile(`(X-Tiniapp-Signature: )[0-9a-f]{64}`)
)

// learn names what the gateway makes up.
func learn(body string) map[string]string {
	var a struct {
		Data struct {
			Order struct {
				ID   string `json:"id"`
				Ref  string `json:"tiki_order_id"`
				Code string `json:"tiki_order_code"`
			} `json:"order"`
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
			Code    struct {
				Code string `json:"code"`
			} `json:"get_auth_code"`
		} `json:"data"`
	}
	if json.Unmarshal([]byte(body), &a) != nil {
		return nil
	}
	return map[string]string{
		"order": a.Data.Order.ID, "tiki-order-id": a.Data.Order.Ref, "tiki-order-code": a.Data.Order.Code,
		"access": a.Data.Access, "refresh": a.Data.Refresh, "code": a.Data.Code.Code,
	}
}

func exchanges(env tiki.Environment) dialecttest.Exchanges {
	return dialecttest.Exchanges{
		Dialect: tiki.Dialect{Sandbox: env.Ends == core.Tested},
		Handler: handler,
		Names: func(g *dialecttest.Gateway) map[string]string {
			return map[string]string{"app": g.Shop.PublicID, "other-app": g.Other.PublicID, "key": g.Shop.Key}
		},
		// A request that says "Sign: shop" is signed by the shop; {session} is
		// Lan's.
		Sign: func(g *dialecttest.Gateway, r *http.Request, body []byte) {
			who := r.Header.Get("Sign")
			r.Header.Del("Sign")
			switch who {
			case "shop":
				sign(r, g.Shop, g.Clock.Now(), env, string(body))
			case "other":
				sign(r, g.Other, g.Clock.Now(), env, string(body))
			}
		},
		Learn: learn,
		Steps: map[string]func(*testing.T, *dialecttest.Gateway, []string){
			"app": func(t *testing.T, g *dialecttest.Gateway, a []string) { changeApp(t, g, g.Shop, a) },
			"seller": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				linkSeller(t, g, map[string]dialecttest.Party{"shop": g.Shop, "other": g.Other}[a[0]], a[1:])
			},
			"product": func(t *testing.T, g *dialecttest.Gateway, a []string) { addProduct(t, g, a) },
			"order": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				var err error
				switch a[0] {
				case "money":
					_, err = g.Core.MoneyReceived(t.Context(), dialecttest.Operator, a[1], 0, "")
				case "hand-over":
					_, err = g.Core.HandOverAppOrder(t.Context(), dialecttest.Operator, a[1])
				}
				if err != nil {
					t.Fatal(err)
				}
			},
		},
		Hide: func(text string) string {
			text = stamps.ReplaceAllString(text, "${1}{now}")
			text = references.ReplaceAllString(text, "${1}{tiki-order-code}")
			text = messages.ReplaceAllString(text, `${1}{message-id}"`)
			return signatures.ReplaceAllString(text, "${1}{signature}")
		},
	}
}

func changeApp(t *testing.T, g *dialecttest.Gateway, who dialecttest.Party, a []string) {
	t.Helper()
	var ch core.AppChange
	switch a[0] {
	case "limit":
		n, err := strconv.ParseInt(a[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		limit := money.VND(n)
		ch.OrderLimit = &limit
	case "result":
		r := catalog.TestResult(a[1])
		ch.TestResult = &r
	}
	if _, err := g.Core.ChangeApp(t.Context(), dialecttest.Operator, who.ID, ch); err != nil {
		t.Fatal(err)
	}
}

// linkSeller links a new seller, or ends the linked one: "new", "off".
func linkSeller(t *testing.T, g *dialecttest.Gateway, who dialecttest.Party, a []string) {
	t.Helper()
	if a[0] == "off" {
		app, err := g.Core.App(t.Context(), who.ID)
		if err != nil {
			t.Fatal(err)
		}
		no := false
		if _, err := g.Core.ChangeSeller(t.Context(), dialecttest.Operator, app.SellerID, core.SellerChange{Active: &no}); err != nil {
			t.Fatal(err)
		}
		return
	}
	s, err := g.Core.AddSeller(t.Context(), dialecttest.Operator, "Nhà bán")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Core.ChangeApp(t.Context(), dialecttest.Operator, who.ID, core.AppChange{SellerID: &s.ID}); err != nil {
		t.Fatal(err)
	}
}

// addProduct: SKU PRICE STOCK on|off [other]. SKUs are unique over the gateway
// and databases are shared, so {app} is part of them.
func addProduct(t *testing.T, g *dialecttest.Gateway, a []string) {
	t.Helper()
	who := g.Shop
	if len(a) > 4 {
		who = g.Other
	}
	app, err := g.Core.App(t.Context(), who.ID)
	if err != nil {
		t.Fatal(err)
	}
	price, _ := strconv.ParseInt(a[1], 10, 64)
	stock, _ := strconv.ParseInt(a[2], 10, 64)
	_, err = g.Core.AddProduct(t.Context(), dialecttest.Operator, catalog.Product{
		SKU: a[0], SellerID: app.SellerID, Name: "Cà phê", Price: money.VND(price), Stock: stock, OnSale: a[3] == "on", ImageURL: "https://img.example.com/ca-phe.png",
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The golden exchanges: every call and reason of the production environment.
func TestExchanges(t *testing.T) { run(t, tiki.Production, "testdata") }

// The same wire in the sandbox environment, where payments end by themselves.
func TestSandboxExchanges(t *testing.T) { run(t, tiki.Sandbox, "testdata/sandbox") }

// No field of the wire lets a card number in.
func TestCardNumbersStayOut(t *testing.T) {
	e := withSession(t, tiki.Production)
	e.Apart = true // a case is run more than once, and SKUs are unique
	e.CardNumbers(t, "testdata")
}

func run(t *testing.T, env tiki.Environment, dir string) { withSession(t, env).Run(t, dir) }

func withSession(t *testing.T, env tiki.Environment) dialecttest.Exchanges {
	e := exchanges(env)
	names := e.Names
	e.Names = func(g *dialecttest.Gateway) map[string]string {
		all := names(g)
		all["session"] = lan(t, g)
		return all
	}
	return e
}

func TestConformance(t *testing.T) {
	var clocks, sessions sync.Map // by merchant
	post := func(path, body string) dialecttest.Call {
		return dialecttest.Call{Method: "POST", Path: tiki.Production.Prefix + path, Body: body}
	}
	get := func(path string) dialecttest.Call {
		return dialecttest.Call{Method: "GET", Path: tiki.Production.Prefix + path}
	}
	dialecttest.Suite{
		Dialect: tiki.Dialect{},
		Handler: func(g *dialecttest.Gateway) http.Handler {
			for _, p := range []dialecttest.Party{g.Shop, g.Other} {
				clocks.Store(p.ID, clock.Clock(g.Clock))
				sessions.Store(p.ID, lan(t, g))
			}
			return handler(g)
		},
		Calls: []dialecttest.Call{
			post("/oauth/auth/token", `{"code": "none"}`),
			post("/oauth/auth/token/refresh", `{"refresh_token": "none"}`),
			post("/oauth/me", `{"access_token": "none"}`),
			post("/order", `{"customer_id": "7", "items": [{"name": "Cà phê", "quantity": 1, "price": 1000}]}`),
			post("/order/multi-sku", `{"customer_id": "7", "items": [{"name": "Cà phê", "sku": "NONE", "quantity": 1}]}`),
			get("/order?order_id=1"),
			get("/order/list?order_ids=1%2C2"),
			post("/order/complete", `{"order_id": "1", "comment": "xong"}`),
			post("/order/cancel", `{"order_id": "1", "comment": "thôi"}`),
			post("/product_create", `{"sku": "A-1", "name": "Cà phê", "price": 1000}`),
		},
		Unknown: []string{
			tiki.Production.Prefix, tiki.Production.Prefix + "/", tiki.Production.Prefix + "/orders", tiki.Production.Prefix + "/order/",
			tiki.Production.Prefix + "//order", tiki.Production.Prefix + "/order/../order", tiki.Production.Prefix + "/ORDER",
		},
		Authorize: func(r *http.Request, who dialecttest.Party, body string) {
			if r.URL.Path == tiki.GraphQLPath {
				token, _ := sessions.Load(who.ID)
				r.Header.Set("X-Tiki-Access-Token", token.(string))
				return
			}
			c, _ := clocks.Load(who.ID)
			sign(r, who, c.(clock.Clock).Now(), tiki.Production, body)
		},
		Reference: func(t testing.TB, g *dialecttest.Gateway, who dialecttest.Party, name string, amount money.VND) string {
			m, err := g.Core.Merchant(t.Context(), who.ID)
			if err != nil {
				t.Fatal(err)
			}
			p, err := g.Core.PlaceAppOrder(t.Context(), core.Placing{
				Merchant: m, Dialect: tiki.Name, CustomerID: "7", Reference: name, Lines: []order.Line{{Name: name, Quantity: 1, Price: amount}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return p.Order.ID
		},
		Open: func(reference string, _ money.VND) dialecttest.Call {
			return dialecttest.Call{Method: "POST", Path: tiki.GraphQLPath, Body: makePayment(reference, "{}")}
		},
		Find:   func(reference string) dialecttest.Call { return get("/order?order_id=" + reference) },
		Opened: func(status int, body string) bool { return status == 200 && strings.Contains(body, `"redirect_url"`) },
		Found:  func(status int, body string) bool { return status == 200 && strings.Contains(body, `"tiki_order_id"`) },
		Shows: func(r dialect.Request, p payment.Payment) bool {
			want := map[payment.State]string{payment.Approved: "online_paid", payment.Canceled: "canceled", payment.Expired: "canceled"}[p.State]
			return strings.Contains(string(r.Body), `{"order":{"id":"`+p.Reference+`"`) && strings.Contains(string(r.Body), `"status":"`+want+`"`)
		},
	}.Run(t)
}

// makePayment is the container's mutation.
func makePayment(orderID, config string) string {
	query := `mutation make_payment($order_id: String!, $config: TransactionConfig) {
  make_payment(order_id: $order_id, config: $config) { redirect_url { web app } }
}`
	text, _ := json.Marshal(query)
	return fmt.Sprintf(`{"query": %s, "variables": {"order_id": %q, "config": %s}}`, text, orderID, config)
}

// ask makes one signed call.
func ask(g *dialecttest.Gateway, h http.Handler, who dialecttest.Party, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, tiki.Production.Prefix+path, strings.NewReader(body))
	sign(r, who, g.Clock.Now(), tiki.Production, body)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
