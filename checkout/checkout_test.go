package checkout

import (
	"bytes"
	"errors"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// shop is a gateway with its payment pages.
type shop struct {
	*coretest.Env
	pages *Handler
}

func eachShop(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.Store) { test(t, newShop(t, db)) })
}

func newShop(t *testing.T, db *store.Store) *shop {
	t.Helper()
	env := coretest.New(t, db)
	pages, err := New(Config{Core: env.Core, Clock: env.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return &shop{Env: env, pages: pages}
}

// address is the path and query of a payment's page; tail goes between them.
func (s *shop) address(p payment.Payment, tail string) string {
	u, err := url.Parse(s.Core.PageURL(s.Memo.Profile.PublicID, p))
	if err != nil {
		s.T.Fatal(err)
	}
	return u.EscapedPath() + tail + "?" + u.RawQuery
}

func (s *shop) key(p payment.Payment) string {
	_, key, _ := strings.Cut(s.address(p, ""), "?key=")
	return key
}

func (s *shop) get(target string) *httptest.ResponseRecorder { return s.do("GET", target, nil, nil) }

func (s *shop) do(method, target string, form url.Values, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, r)
	return w
}

// open opens a payment of the memo merchant under a reference.
func (s *shop) open(amount money.VND, reference string) payment.Payment {
	s.T.Helper()
	return s.Open(s.Memo, amount, func(o *core.Opening) {
		if reference != "" {
			o.Reference = reference
		}
	})
}

func (s *shop) shows(p payment.Payment, texts ...string) {
	s.T.Helper()
	w := s.get(s.address(p, ""))
	if w.Code != http.StatusOK {
		s.T.Fatalf("%d", w.Code)
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			s.T.Errorf("the page lacks %q", text)
		}
	}
}

func TestPageFollowsThePayment(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.open(200000, "")
		s.shows(p, "200.000\u00a0₫", "Quán Phở Memo", p.Transfer.Memo(), "Trà sữa trân châu", "30 phút", "12:30 04/03/2026")
		s.Pay(p, 50000)
		s.shows(p, "Đã nhận 50.000\u00a0₫, còn thiếu 150.000\u00a0₫", core.VietQR(s.Reload(p)))
		s.Pay(p, 150000)
		s.shows(p, "Thanh toán thành công", "https://shop.example.test/ok", "5;url=https://shop.example.test/ok")
		s.Pay(p, 200000)
		s.shows(p, "Chúng tôi còn nhận thêm 200.000\u00a0₫ của bạn")

		over := s.open(10000, "")
		s.Pay(over, 15000)
		s.shows(over, "Bạn đã chuyển thừa 5.000\u00a0₫")

		late := s.open(30000, "")
		s.Advance(31 * time.Minute)
		s.ExpireDue()
		s.shows(late, "Đã hết thời\u00a0gian", "5;url=https://shop.example.test/no")
		credit := s.Pay(late, 30000).Credit
		s.shows(late, "Khoản chuyển 30.000\u00a0₫ của bạn đến sau khi thanh toán đã đóng")
		if _, err := s.Core.Return(t.Context(), coretest.Operator, credit.ID, 0, "too late"); err != nil {
			t.Fatal(err)
		}
		if page := s.get(s.address(late, "")).Body.String(); strings.Contains(page, "đến sau khi") {
			t.Error("the page still waits for money that has gone back")
		}
	})
}

// Who paid a part before the payment closed is told what became of the money,
// and is not sent away meanwhile.
func TestClosedAfterAPart(t *testing.T) {
	for name, ends := range map[string]func(*shop, payment.Payment) error{
		"expired": func(s *shop, _ payment.Payment) error {
			s.Advance(31 * time.Minute)
			s.ExpireDue()
			return nil
		},
		"canceled": func(s *shop, p payment.Payment) error {
			_, err := s.Core.Cancel(s.T.Context(), p.ID, "payer", "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachShop(t, func(t *testing.T, s *shop) {
				p := s.open(200000, "")
				credit := s.Pay(p, 50000).Credit
				if err := ends(s, p); err != nil {
					t.Fatal(err)
				}
				if !s.Reload(p).State.Closed() {
					t.Fatal("the payment is open")
				}
				const note, leaves = "Chúng tôi đã nhận 50.000\u00a0₫ của bạn", `http-equiv="refresh"`
				s.shows(p, note, "Cửa hàng sẽ hoàn lại hoặc liên hệ với bạn", `href="https://shop.example.test/no`)
				page := s.get(s.address(p, "")).Body.String()
				for _, unwanted := range []string{leaves, "data-after", "Bạn sẽ được đưa về cửa hàng"} {
					if strings.Contains(page, unwanted) {
						t.Errorf("the page has %q", unwanted)
					}
				}
				if _, err := s.Core.Return(t.Context(), coretest.Operator, credit.ID, 0, "too little"); err != nil {
					t.Fatal(err)
				}
				s.shows(p, leaves)
				if page := s.get(s.address(p, "")).Body.String(); strings.Contains(page, note) {
					t.Error("the page still tells of money that has gone back")
				}
			})
		})
	}
}

func TestHeaders(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.open(1000, "")
		for _, target := range []string{s.address(p, ""), s.address(p, "/qr.svg"), "/merchant/x/payment/y?key=z", "/merchant/"} {
			h := s.get(target).Header()
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			} {
				if h.Get(name) != want {
					t.Errorf("%s: %s is %q", target, name, h.Get(name))
				}
			}
			csp := h.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none';", "style-src 'sha256-", "script-src 'self';", "form-action 'self';", "frame-ancestors 'none';", "base-uri 'none'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s: the policy %q lacks %s", target, csp, part)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("the policy is open: %s", csp)
			}
		}
	})
}

// Without the key nobody can tell an existing payment from one that never was.
func TestAStrangerSeesNothing(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.open(1000, "")
		right := s.key(p)
		real := "/merchant/" + s.Memo.Profile.PublicID + "/payment/" + p.Reference
		wrong := []string{"", "x", right[:len(right)-1], right + "A", strings.ToUpper(right) + ".", s.key(s.open(1000, "")), "%00", "%ff", strings.Repeat("k", 5000)}
		unknown := s.get("/merchant/nobody/payment/nothing?key=" + right)
		if unknown.Code != http.StatusNotFound || unknown.Body.Len() == 0 {
			t.Fatalf("unknown: %d", unknown.Code)
		}
		same := func(w *httptest.ResponseRecorder, what string) {
			t.Helper()
			if w.Code != unknown.Code || w.Body.String() != unknown.Body.String() || len(w.Header()) != len(unknown.Header()) {
				t.Errorf("%s: answered %d, unlike an unknown payment", what, w.Code)
			}
		}
		for _, key := range wrong {
			for _, tail := range []string{"", "/events", "/qr.svg", "/qr.png"} {
				same(s.get(real+tail+"?key="+key), "GET "+tail+" with "+key)
			}
			for _, tail := range []string{"/cancel", "/method"} {
				// A right key in the query does not help: it belongs into the form.
				same(s.do("POST", real+tail+"?key="+right, url.Values{"key": {key}, "method": {"bank_transfer"}}, nil), "POST "+tail+" with "+key)
			}
		}
		same(s.get(real), "no key")
		same(s.get(real+"/refund?key="+right), "another path")
		same(s.get("/merchant/"), "the root")
		same(s.get("/merchant/%00/payment/%ff?key="+right), "no text")
		same(s.get("/merchant/nobody/payment/"+p.Reference+"?key="+right), "another merchant")
		if now := s.Reload(p); now.State != payment.Open {
			t.Errorf("a stranger made it %s", now.State)
		}
	})
}

// References are the merchant's own: any text has a page that works.
func TestAnyReference(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		for _, reference := range []string{"A/B", "Đơn 1", "a b+c", "100%", "x?y=1&z#f", "//", "a/../b", "…", "💳", "events", "A/events", "%2F", `"'<>\`, "a;b,c"} {
			p := s.open(1000, reference)
			if w := s.get(s.address(p, "")); w.Code != http.StatusOK {
				t.Errorf("%q: %d %s", reference, w.Code, w.Header().Get("Location"))
				continue
			}
			if w := s.get(s.address(p, "/qr.svg")); w.Code != http.StatusOK {
				t.Errorf("%q: the QR code is %d", reference, w.Code)
			}
			w := s.do("POST", strings.Split(s.address(p, "/cancel"), "?")[0], url.Values{"key": {s.key(p)}}, nil)
			if w.Code != http.StatusSeeOther || s.Reload(p).State != payment.Canceled {
				t.Errorf("%q: canceling answers %d", reference, w.Code)
				continue
			}
			if w := s.get(w.Header().Get("Location")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Thanh toán đã được hủy") {
				t.Errorf("%q: the way back leads to %d", reference, w.Code)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.open(1000, "")
		cancel := strings.Split(s.address(p, "/cancel"), "?")[0]
		form := url.Values{"key": {s.key(p)}}

		for name, header := range map[string]map[string]string{
			"another site": {"Sec-Fetch-Site": "cross-site"}, "another origin": {"Origin": "https://evil.example"}, "no origin": {"Origin": "null"},
		} {
			if w := s.do("POST", cancel, form, header); w.Code != http.StatusForbidden || s.Reload(p).State != payment.Open {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		if w := s.get(s.address(p, "/cancel")); w.Code != http.StatusNotFound || s.Reload(p).State != payment.Open {
			t.Errorf("GET cancels: %d", w.Code)
		}
		if w := s.do("POST", cancel, url.Values{"key": {s.key(p)}, "pad": {strings.Repeat("x", 8<<10)}}, nil); w.Code != http.StatusNotFound || s.Reload(p).State != payment.Open {
			t.Errorf("a form of 8 KiB: %d", w.Code)
		}
		if !strings.Contains(s.get(s.address(p, "")+"&step=cancel").Body.String(), "Hủy thanh toán này?") {
			t.Error("nobody asks before canceling")
		}
		w := s.do("POST", cancel+"?lang=en", form, map[string]string{"Sec-Fetch-Site": "same-origin"})
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != s.address(p, "")+"&lang=en" {
			t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
		}
		events, err := s.Core.Events(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if last := events[len(events)-1]; last.To != payment.Canceled || last.Actor != "payer" {
			t.Errorf("%+v", last)
		}
		// Twice is no fault, and a paid payment stays paid.
		if w := s.do("POST", cancel, form, nil); w.Code != http.StatusSeeOther {
			t.Errorf("again: %d", w.Code)
		}
		paid := s.open(1000, "")
		s.Pay(paid, 1000)
		s.do("POST", strings.Split(s.address(paid, "/cancel"), "?")[0], url.Values{"key": {s.key(paid)}}, nil)
		if got := s.Reload(paid).State; got != payment.Approved {
			t.Errorf("a paid payment became %s", got)
		}
	})
}

func TestMethod(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.Open(s.Memo, 1000)
		method := strings.Split(s.address(p, "/method"), "?")[0]
		for _, m := range []string{"", "cash", "domestic_card", strings.Repeat("x", 300), "\x00"} {
			w := s.do("POST", method, url.Values{"key": {s.key(p)}, "method": {m}}, nil)
			if w.Code != http.StatusSeeOther {
				t.Errorf("%q: %d", m, w.Code)
			}
			if got := s.Reload(p).Method; got != p.Method {
				t.Errorf("%q was chosen", got)
			}
		}
		w := s.do("POST", method, url.Values{"key": {s.key(p)}, "method": {"bank_transfer"}}, nil)
		if w.Code != http.StatusSeeOther || s.Reload(p).Method != payment.BankTransfer {
			t.Errorf("%d, %q", w.Code, s.Reload(p).Method)
		}
	})
}

func TestQR(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.open(1000, "")
		svg := s.get(s.address(p, "/qr.svg"))
		if svg.Code != 200 || svg.Header().Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(svg.Body.String(), "<svg ") ||
			svg.Header().Get("Content-Disposition") != `attachment; filename="ma-qr-thanh-toan.svg"` {
			t.Errorf("%d %v", svg.Code, svg.Header())
		}
		picture := s.get(s.address(p, "/qr.png"))
		if _, err := png.Decode(bytes.NewReader(picture.Body.Bytes())); err != nil || picture.Header().Get("Content-Type") != "image/png" {
			t.Errorf("%v %v", err, picture.Header())
		}
		// A code that must not be paid any more is not given away.
		s.Pay(p, 1000)
		for _, tail := range []string{"/qr.svg", "/qr.png"} {
			if w := s.get(s.address(p, tail)); w.Code != http.StatusNotFound {
				t.Errorf("%s of a paid payment: %d", tail, w.Code)
			}
		}
	})
}

func TestLanguages(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		english := s.Open(s.Memo, 1000, func(o *core.Opening) { o.Language = "en" })
		if page := s.get(s.address(english, "")).Body.String(); !strings.Contains(page, `<html lang="en">`) || !strings.Contains(page, "Scan the QR code") {
			t.Error("the payment's language is not the page's")
		}
		if page := s.get(s.address(english, "") + "&lang=vi").Body.String(); !strings.Contains(page, `<html lang="vi">`) {
			t.Error("the payer's wish counts for nothing")
		}
		if page := s.get(s.address(english, "") + "&lang=xx").Body.String(); !strings.Contains(page, `<html lang="en">`) {
			t.Error("an unknown language is not ignored")
		}
		if page := s.get("/merchant/x/payment/y?lang=en").Body.String(); !strings.Contains(page, "This page cannot be found") {
			t.Error("strangers are not told in English")
		}
		gone := s.get("/merchant/x/payment/y?key=guess&lang=en").Body.String()
		if !strings.Contains(gone, ` href="?lang=vi" `) || strings.Contains(gone, "guess") {
			t.Error("strangers cannot ask for Vietnamese")
		}
	})
}

// A store that does not answer is our fault, and says nothing of itself.
func TestFault(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		p := s.open(1000, "")
		var log bytes.Buffer
		s.pages.log = slog.New(slog.NewTextHandler(&log, nil))
		if err := s.pages.set.Page(httptest.NewRecorder(), 200, "vi", "no such page", nil); err == nil {
			t.Error("an unknown page was rendered")
		}
		w := httptest.NewRecorder()
		s.pages.fail(w, httptest.NewRequest("GET", s.address(p, ""), nil), errors.New("SELECT secret FROM table"))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "SELECT") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if key := "?key=" + s.key(p) + "&amp;lang=en"; !strings.Contains(w.Body.String(), ` href="`+key+`" `) {
			t.Errorf("English does not lead back to the page, %s", key)
		}
		w = httptest.NewRecorder()
		s.pages.fail(w, httptest.NewRequest("POST", s.address(p, "/cancel"), nil), errors.New("busy"))
		if strings.Contains(w.Body.String(), "<nav") {
			t.Error("English leads to where only a form can go")
		}
		if !strings.Contains(log.String(), "SELECT secret") || strings.Contains(log.String(), s.key(p)) {
			t.Errorf("log: %s", log.String())
		}
	})
}
