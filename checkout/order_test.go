package checkout

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/web"
)

// basket is an order with everything that a page can show of it.
func (s *shop) basket(way order.Way, change ...func(*core.Placing)) payment.Payment {
	s.T.Helper()
	n := core.Placing{
		Merchant: s.Memo.Merchant, Dialect: coretest.Name, CustomerID: "7", ShippingFee: 15_000,
		Customer: order.Customer{Name: "Lan <b>", Phone: "0900000007", Email: "lan@example.com", Street: "1 Lê Lợi"},
		Lines: []order.Line{
			{Name: "Cà phê & sữa", Quantity: 2, Price: 29_000, ImageURL: "https://img.example.com/1.png?a=b", Sections: []order.Section{
				{Header: "Ghi chú", Fields: []order.Field{
					{Name: "Đường", Text: "Ít ngọt"}, {Name: "Ảnh", Images: []string{"https://cdn.example.com/2.png", "javascript:alert(1)"}},
					{Name: "Xem", Button: "Mở", Link: "https://shop.example.com/1"}, {Name: "Riêng", Button: "Trong ứng dụng", Link: "pages/order"},
				}},
				{Fields: []order.Field{{Name: "Size", Text: "L"}}},
			}},
			{Name: "Quà", Quantity: 1, Price: 0},
		},
	}
	for _, c := range change {
		c(&n)
	}
	p, err := s.Core.PlaceAppOrder(s.T.Context(), n)
	if err != nil {
		s.T.Fatal(err)
	}
	p, err = s.Core.StartPaying(s.T.Context(), core.PayingApp{
		OrderID: p.Order.ID, CustomerID: "7", Way: way, Methods: []payment.Method{payment.BankTransfer}, Dialects: map[string]core.Ends{coretest.Name: core.Paid},
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return p.Payment
}

// The payment's page shows the order, open and paid, and nothing in it can do
// harm.
func TestOrderIsShown(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.basket(order.Online)
		texts := []string{
			"Đơn hàng của bạn", "Cà phê &amp; sữa", "2 × 29.000", "58.000", "Phí giao hàng", "15.000", "73.000", "Quà", "Lan &lt;b&gt;", "0900000007", "lan@example.com",
			"1 Lê Lợi", "Ghi chú", "Ít ngọt", "Size", `src="https://img.example.com/1.png?a=b"`, `src="https://cdn.example.com/2.png"`, `href="https://shop.example.com/1"`,
		}
		s.shows(p, texts...)
		w := s.get(s.address(p, ""))
		for _, never := range []string{"javascript:", "pages/order", "<b>"} {
			if strings.Contains(strings.ReplaceAll(w.Body.String(), `<b class="number`, ""), `"`+never) || strings.Contains(w.Body.String(), "Lan <b>") {
				t.Errorf("the page has %q", never)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"img-src 'self' data: https://img.example.com https://cdn.example.com;", "frame-ancestors 'self'", "script-src 'self';"} {
			if !strings.Contains(policy, part) {
				t.Errorf("the policy %q lacks %q", policy, part)
			}
		}
		if w.Header().Get("X-Frame-Options") != "" {
			t.Error("the container cannot show the page")
		}
		s.Pay(p, p.Amount)
		s.shows(p, append(texts, "Thanh toán thành công")...)

		// Without a fee, a customer or an order there is nothing to show of it.
		plain := s.get(s.address(s.basket(order.Online, func(n *core.Placing) { n.ShippingFee, n.Customer, n.Lines = 0, order.Customer{}, n.Lines[:1] }), "")).Body.String()
		if strings.Contains(plain, "Phí giao hàng") || strings.Contains(plain, "Người nhận") {
			t.Error("the page shows what is not there")
		}
		none := s.get(s.address(s.open(1000, ""), ""))
		if strings.Contains(none.Body.String(), "Đơn hàng của bạn") || !strings.Contains(none.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Error("a payment without an order is shown as if it had one")
		}
	})
}

// A hundred articles still make a page.
func TestLongOrder(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.basket(order.Online, func(n *core.Placing) {
			n.Lines = nil
			for i := range 100 {
				n.Lines = append(n.Lines, order.Line{Name: fmt.Sprintf("Món %d", i), Quantity: 1, Price: 1000, ImageURL: fmt.Sprintf("https://img%d.example.com/1.png", i)})
			}
		})
		s.shows(p, "Món 0", "Món 99")
	})
}

// Cash on delivery: from the mini app, or chosen on the page where the app
// offers it.
func TestCashOnDelivery(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		s.shows(s.basket(order.OnDelivery), "Trả tiền khi nhận hàng", "trả tiền mặt cho người giao hàng", "Đơn hàng của bạn")

		yes := true
		if _, err := s.Core.ChangeApp(t.Context(), coretest.Operator, s.Memo.Merchant.ID, core.AppChange{OfferCOD: &yes}); err != nil {
			t.Fatal(err)
		}
		p := s.basket(order.Online)
		s.shows(p, `value="cod"`, "Trả cho người giao hàng", `value="bank_transfer"`)
		path, _, _ := strings.Cut(s.address(p, "/method"), "?")
		if w := s.do("POST", path, url.Values{"key": {s.key(p)}, "method": {"cod"}}, nil); w.Code != 303 {
			t.Fatalf("%d", w.Code)
		}
		s.shows(p, "Trả tiền khi nhận hàng")
		o, err := s.Core.AppOrderOfPayment(t.Context(), p.ID)
		if err != nil || o.Way != order.OnDelivery || o.Stage(s.Reload(p)) != order.InHand {
			t.Errorf("%+v %v", o, err)
		}
		// The offer does not run out any more, and cannot be taken back here.
		s.Advance(2 * core.OnlineDue)
		if s.ExpireDue() != 0 {
			t.Error("it ran out")
		}
		cancel, _, _ := strings.Cut(s.address(p, "/cancel"), "?")
		s.do("POST", cancel, url.Values{"key": {s.key(p)}}, nil)
		if got := s.Reload(p).State; got != payment.Processing {
			t.Errorf("it is %s", got)
		}
	})
}

// The texts of orders are all shown.
func TestNoOrderTextIsUnused(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(".", "order.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range web.Keys(web.Vietnamese) {
		if strings.HasPrefix(key, "order.") && !strings.Contains(string(source), fmt.Sprintf("%q", key)) {
			t.Errorf("nobody shows %s", key)
		}
	}
}
