package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// ask makes a call and reads its answer. The client holds it against the
// document.
func ask(t *testing.T, c *client, method, path, body string, status int) map[string]any {
	t.Helper()
	a := c.do(method, path, body)
	if a.status != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	var got map[string]any
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &got); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func member(t *testing.T, got map[string]any, path string) string {
	t.Helper()
	var v any = got
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i := 0
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(in) {
				return ""
			}
			v = in[i]
		}
	}
	return fmt.Sprint(v)
}

func eachApps(t *testing.T, test func(t *testing.T, e *coretest.Env, c *client)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s)
		test(t, e, newClient(t, e))
	})
}

// A seller, its products, and the app that sells them.
func TestSellersAndProducts(t *testing.T) {
	eachApps(t, func(t *testing.T, e *coretest.Env, c *client) {
		app := "/merchants/" + e.Memo.Merchant.ID + "/app"
		got := ask(t, c, "GET", app, "", 200)
		if member(t, got, "order_limit") != "1e+07" || member(t, got, "test_result") != "success" || member(t, got, "seller_id") != "" {
			t.Errorf("by default %v", got)
		}
		seller := member(t, ask(t, c, "POST", "/sellers", `{"name": " Nhà bán "}`, 201), "seller_id")
		got = ask(t, c, "PATCH", app, `{"seller_id": "`+seller+`", "order_limit": 50000000, "test_result": "failure", "offer_cod": true}`, 200)
		if member(t, got, "seller_id") != seller || member(t, got, "offer_cod") != "true" || member(t, got, "test_result") != "failure" {
			t.Errorf("changed to %v", got)
		}
		ask(t, c, "PATCH", app, `{"seller_id": "0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11"}`, 404)
		ask(t, c, "PATCH", app, `{"seller_id": "x", "order_limit": 0, "test_result": "maybe", "offer_cod": 1}`, 422)
		ask(t, c, "PATCH", app, `{}`, 422)
		ask(t, c, "GET", "/merchants/0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11/app", "", 404)

		got = ask(t, c, "POST", "/products", `{"sku": "CA-PHE", "seller_id": "`+seller+`", "name": "Cà phê", "price": "29000", "image_url": "https://img.example.com/1.png", "stock": 3}`, 201)
		if member(t, got, "stock") != "3" || member(t, got, "on_sale") != "true" || member(t, got, "price") != "29000" {
			t.Errorf("added as %v", got)
		}
		ask(t, c, "POST", "/products", `{"sku": "CA-PHE", "seller_id": "`+seller+`", "name": "Cà phê", "price": 1}`, 409)
		ask(t, c, "POST", "/products", `{"sku": "TRA", "seller_id": "`+seller+`", "name": "Trà", "price": 0}`, 201)
		ask(t, c, "POST", "/products", `{"sku": "x y", "seller_id": "`+seller+`", "name": "Trà", "price": 1}`, 422)
		ask(t, c, "POST", "/products", `{"sku": "", "seller_id": "1", "name": "", "price": -1, "stock": 1.5, "on_sale": "no"}`, 422)
		ask(t, c, "POST", "/products", `{"sku": "A", "seller_id": "0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11", "name": "A", "price": 1}`, 404)
		got = ask(t, c, "GET", "/products?limit=1&seller_id="+seller, "", 200)
		if member(t, got, "items.0.sku") != "CA-PHE" || member(t, got, "next_cursor") != "CA-PHE" {
			t.Errorf("listed %v", got)
		}
		if got = ask(t, c, "GET", "/products?limit=1&cursor=CA-PHE", "", 200); member(t, got, "items.0.sku") != "TRA" || member(t, got, "items.0.stock") != "-1" {
			t.Errorf("next page %v", got)
		}
		if got = ask(t, c, "PATCH", "/products/TRA", `{"price": 15000, "on_sale": false, "stock": 0}`, 200); member(t, got, "on_sale") != "false" || member(t, got, "name") != "Trà" {
			t.Errorf("changed to %v", got)
		}
		ask(t, c, "GET", "/products/TRA", "", 200)
		ask(t, c, "DELETE", "/products/TRA", "", http.StatusNoContent)
		ask(t, c, "GET", "/products/TRA", "", 404)
		ask(t, c, "DELETE", "/products/TRA", "", 404)
		ask(t, c, "PATCH", "/products/TRA", `{"price": 1}`, 404)

		if got = ask(t, c, "PATCH", "/sellers/"+seller, `{"active": false, "name": "Khác"}`, 200); member(t, got, "active") != "false" || member(t, got, "name") != "Khác" {
			t.Errorf("changed to %v", got)
		}
		if got = ask(t, c, "GET", "/sellers", "", 200); member(t, got, "items.0.seller_id") != seller {
			t.Errorf("listed %v", got)
		}
		ask(t, c, "GET", "/sellers/"+seller, "", 200)
		ask(t, c, "GET", "/sellers/x", "", 404)
	})
}

func TestCustomers(t *testing.T) {
	eachApps(t, func(t *testing.T, e *coretest.Env, c *client) {
		ask(t, c, "POST", "/customers", `{"customer_id": "7", "name": "Lan", "phone": "0900000007", "email": "lan@example.com"}`, 201)
		ask(t, c, "POST", "/customers", `{"customer_id": "7", "name": "Lan"}`, 409)
		made := member(t, ask(t, c, "POST", "/customers", `{"name": "Minh"}`, 201), "customer_id")
		ask(t, c, "POST", "/customers", `{"customer_id": "07", "name": ""}`, 422)
		if got := ask(t, c, "GET", "/customers?limit=1", "", 200); member(t, got, "items.0.customer_id") != "7" || member(t, got, "next_cursor") != "7" {
			t.Errorf("listed %v", got)
		}
		if got := ask(t, c, "GET", "/customers?cursor=7", "", 200); member(t, got, "items.0.customer_id") != made {
			t.Errorf("next page %v", got)
		}
		ask(t, c, "GET", "/customers?cursor=x", "", 422)
		ask(t, c, "GET", "/customers/7", "", 200)
		ask(t, c, "GET", "/customers/8", "", 404)
		ask(t, c, "GET", "/customers/x", "", 404)
		token := member(t, ask(t, c, "POST", "/customers/7/tokens", ``, 201), "access_token")
		if who, err := e.Core.Session(t.Context(), token); err != nil || who.ID != 7 {
			t.Errorf("%v %v", who, err)
		}
		ask(t, c, "POST", "/customers/8/tokens", ``, 404)
	})
}

// What only the merchant knows of an order.
func TestOrders(t *testing.T) {
	eachApps(t, func(t *testing.T, e *coretest.Env, c *client) {
		place := func(way order.Way) string {
			p, err := e.Core.PlaceAppOrder(t.Context(), core.Placing{
				Merchant: e.Memo.Merchant, Dialect: coretest.Name, CustomerID: "7", Reference: string(way), Lines: []order.Line{{Name: "Cà phê", Quantity: 2, Price: 10_000}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if way != "" {
				_, err = e.Core.StartPaying(t.Context(), core.PayingApp{
					OrderID: p.Order.ID, CustomerID: "7", Way: way, Methods: []payment.Method{payment.BankTransfer}, Dialects: map[string]core.Ends{coretest.Name: core.Paid},
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			return "/orders/" + p.Order.ID
		}
		draft, online, cod, transfer := place(""), place(order.Online), place(order.OnDelivery), place(order.ByTransfer)
		stage := func(path, want string) {
			t.Helper()
			if got := ask(t, c, "GET", path, "", 200); member(t, got, "stage") != want {
				t.Errorf("%s is %v, want %s", path, got["stage"], want)
			}
		}
		stage(draft, "draft")
		stage(online, "waiting_for_payment")
		stage(cod, "processing")
		stage(transfer, "waiting_for_verification")
		if got := ask(t, c, "GET", "/orders?customer_id=7&merchant_id="+e.Memo.Merchant.ID, "", 200); len(got["items"].([]any)) != 4 {
			t.Errorf("listed %v", got)
		}
		if got := ask(t, c, "GET", "/orders?limit=1&reference=cod&dialect="+coretest.Name, "", 200); member(t, got, "items.0.order_id") != strings.TrimPrefix(cod, "/orders/") {
			t.Errorf("found %v", got)
		}
		ask(t, c, "GET", "/orders?cursor=x", "", 422)

		for _, path := range []string{draft, online} {
			ask(t, c, "POST", path+"/money-received", "", 409)
			ask(t, c, "POST", path+"/hand-over", "", 409)
			ask(t, c, "POST", path+"/complete", `{"comment": "xong"}`, 409)
		}
		ask(t, c, "POST", cod+"/hand-over", "", 200)
		ask(t, c, "POST", cod+"/hand-over", "", 409)
		ask(t, c, "POST", cod+"/money-received", `{"amount": 5000, "reference": "a"}`, 200)
		ask(t, c, "POST", cod+"/money-received", `{"amount": 5000, "reference": "a"}`, 200)
		got := ask(t, c, "GET", cod, "", 200)
		if member(t, got, "payment.amount_received") != "5000" || member(t, got, "stage") != "on_delivery" {
			t.Errorf("a receipt told twice: %v", got)
		}
		if got = ask(t, c, "POST", cod+"/money-received", "", 200); member(t, got, "payment.state") != "approved" {
			t.Errorf("collected: %v", got)
		}
		ask(t, c, "POST", cod+"/complete", `{"comment": "xong"}`, 200)
		ask(t, c, "POST", cod+"/cancel", `{"comment": "thôi"}`, 409)
		ask(t, c, "POST", cod+"/money-received", `{"amount": 0}`, 422)
		if balances := e.Balances(); balances["cash:"+e.Memo.Merchant.ID] != 20_000 || balances["merchant:"+e.Memo.Merchant.ID+":sales"] != -20_000 {
			t.Errorf("%v", balances)
		}

		if got = ask(t, c, "POST", transfer+"/money-received", "", 200); member(t, got, "stage") != "processing" {
			t.Errorf("verified: %v", got)
		}
		if got = ask(t, c, "POST", transfer+"/cancel", `{"comment": "hết hàng"}`, 200); member(t, got, "stage") != "canceled" || member(t, got, "payment.amount_refunding") != "20000" {
			t.Errorf("canceled: %v", got)
		}
		ask(t, c, "POST", draft+"/cancel", `{}`, 422)
		ask(t, c, "POST", draft+"/cancel", `{"comment": "thôi"}`, 200)
		stage(draft, "canceled")
		ask(t, c, "GET", "/orders/1", "", 404)
		ask(t, c, "POST", "/orders/x/hand-over", "", 404)
	})
}
