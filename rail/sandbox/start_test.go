package sandbox_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestStartPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		a := w.get("/")
		if a.status != 200 || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%d %v", a.status, a.header)
		}
		p := w.info.Paykit
		contains(t, a.body, "Tôi đã vẽ mã QR, làm sao biết khách đã trả tiền?", "SANDBOX", `<html lang="vi">`, `value="50.000"`,
			p.BaseURL, p.MID, p.APIKey, p.SecretKey, p.IPNSecretKey, p.Platform.PlatformAPIKey, w.info.AdminToken,
			"/admin/v1/openapi.yaml", "/healthz", "/metrics")
		csp := a.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("policy %q", csp)
		}
		if regexp.MustCompile(`(?i)\sstyle=|<script>|\son[a-z]+=`).Match(a.body) {
			t.Error("the page has an inline style or script, which the policy forbids")
		}
		en := w.get("/?lang=en")
		contains(t, en.body, "I have drawn the QR, how do I know it was paid?", `<html lang="en">`, `value="50,000"`)
		for _, odd := range []string{"/?payment=x", "/?payment=%00", "/?payment=%ff", "/?lang=%ff"} {
			if a := w.get(odd); a.status != 200 {
				t.Errorf("%s: %d", odd, a.status)
			}
		}
		if a := w.get("/else"); a.status != 404 {
			t.Errorf("another path is answered: %d", a.status)
		}
	})
}

// The curl commands on the page are those that work.
func TestStartPageCurls(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		page := html.UnescapeString(string(w.get("/?lang=en").body))
		body := regexp.MustCompile(`-d '(\{"payment_method".*?)'\s*<`).FindStringSubmatch(page)
		if body == nil {
			t.Fatal("no curl for a payment")
		}
		r := w.request("POST", "/v2/payment-page-checkout", strings.ReplaceAll(body[1], `'$(date +%s)'`, "1"))
		r.Header.Set("api-key", w.info.Paykit.APIKey)
		r.Header.Set("secret-key", w.info.Paykit.SecretKey)
		var opened struct {
			Result   string
			Transfer struct {
				VietQR string `json:"vietqr_data"`
			} `json:"bank_transfer_payment"`
		}
		w.do(r).decode(t, &opened)
		if opened.Result != "SUCCESS" {
			t.Fatalf("%+v", opened)
		}
		if m := w.transfer(map[string]any{"vietqr": opened.Transfer.VietQR}); m.Payment == nil || m.Payment.State != "approved" {
			t.Errorf("%+v", m)
		}
	})
}

func TestDemoCreate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for amount, want := range map[string]int64{"50.000": 50_000, "1,250,000": 1_250_000, "7": 7, " 9 999 999 999 999 ": 9_999_999_999_999} {
			p := w.created(amount)
			if int64(p.Amount) != want || p.Dialect != "paykit" || p.MerchantID != w.info.Paykit.MerchantID || p.Language != "en" {
				t.Errorf("%q: %+v", amount, p)
			}
		}
		for _, amount := range []string{"", "0", "-5", "abc", "1e3x", "10000000000000", "<b>", "\xff"} {
			a := w.submit("/sandbox/demo/payments", url.Values{"amount": {amount}, "lang": {"vi"}})
			if a.status != 400 {
				t.Errorf("%q: %d", amount, a.status)
			}
			contains(t, a.body, "Số tiền phải là số nguyên đồng", "SANDBOX")
		}
		// What the gateway refuses is shown, not hidden.
		locked := payment.MerchantLocked
		if _, err := w.core.ChangeMerchant(t.Context(), operator, w.info.Paykit.MerchantID, core.MerchantChange{State: &locked}); err != nil {
			t.Fatal(err)
		}
		a := w.submit("/sandbox/demo/payments", url.Values{"amount": {"1000"}})
		if a.status != http.StatusBadGateway {
			t.Errorf("%d", a.status)
		}
		contains(t, a.body, "MERCHANT_ACCOUNT_HAS_BEEN_LOCKED")
		w.refused(w.submit("/sandbox/demo/payments", url.Values{"amount": {strings.Repeat("1", 5000)}}), 400, "")
	})
}

func TestDemoPayments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		pay := func(how string, want payment.State, received int64) {
			t.Helper()
			a := w.submit("/sandbox/demo/transfers", url.Values{"payment": {p.ID}, "how": {how}, "lang": {"vi"}})
			if a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Location"), p.ID) {
				t.Fatalf("%s: %d %s", how, a.status, a.body)
			}
			got, err := w.core.Payment(t.Context(), p.ID)
			if err != nil || got.State != want || int64(got.Received) != received {
				t.Errorf("%s: %s with %d, %v", how, got.State, got.Received, err)
			}
		}
		pay("late", payment.Open, 0) // not a way to pay it now
		pay("", payment.Open, 0)
		pay("short", payment.Open, 25_000)
		contains(t, w.get("/?payment="+p.ID).body, "còn thiếu 25.000", "Trả đủ 25.000", "Đã trả một phần")
		pay("over", payment.Approved, 60_000)
		contains(t, w.get("/?payment="+p.ID).body, "Tiền dư phải trả lại", "Trả thêm lần nữa 50.000")
		pay("exact", payment.Approved, 60_000)
		pay("again", payment.Approved, 60_000)
		contains(t, w.get("/?payment="+p.ID).body, "trả hai lần, chờ người xử lý")

		p = w.created("1") // too little to pay short
		pay("short", payment.Open, 0)
		a := w.submit("/sandbox/demo/clock", url.Values{"payment": {p.ID}})
		if a.status != http.StatusSeeOther || w.clock.Offset().String() != "31m0s" {
			t.Errorf("clock: %d, %v", a.status, w.clock.Offset())
		}
		pay("late", payment.Expired, 0)
		contains(t, w.get("/?payment="+p.ID+"&lang=en").body, "late, waits for a person", "0 h 31 min ahead")

		for _, id := range []string{"", "x", "\x00", "\xff"} {
			if a := w.submit("/sandbox/demo/transfers", url.Values{"payment": {id}, "how": {"exact"}}); a.status != 404 {
				t.Errorf("payment %q: %d", id, a.status)
			}
		}
		w.balanced()
	})
}

// The whole of what the start page promises: create, pay, and the notification
// arrives and is shown, with what the shop was told when it asked back.
func TestFromQRToIPN(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		live := "/sandbox/demo/live?lang=vi&payment=" + p.ID
		contains(t, w.get(live).body, "Chờ thanh toán", "<svg", "/merchant/"+w.info.Paykit.MID+"/payment/"+p.Reference)
		w.submit("/sandbox/demo/transfers", url.Values{"payment": {p.ID}, "how": {"exact"}})
		w.eventually("the page shows the IPN and that it was taken", func() bool {
			page := string(w.get(live).body)
			return strings.Contains(page, "POST /sandbox/ipn/demo") && strings.Contains(page, "HTTP 200") && strings.Contains(page, "đã nhận</span>")
		})
		page := html.UnescapeString(string(w.get(live).body))
		contains(t, []byte(page), "Đã thanh toán", "đúng số tiền", p.Transfer.Memo(), "Doanh thu", "request-id: ", `"payment_id": "`+p.Reference+`"`,
			"Không có secret-key", `"result": "APPROVED"`, "Tiền đã về và máy chủ của bạn được báo")
		if strings.Contains(page, "<svg viewBox") {
			t.Error("a paid payment still shows its code")
		}
		if in := w.inbox("demo"); len(in.Received) != 1 {
			t.Errorf("%d IPNs", len(in.Received))
		}
	})
}

// A platform's payment is paid by virtual account, and the platform is told.
func TestPlatformPayment(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.info.Paykit.Platform
		r := w.request("POST", "/v2/payment-page-checkout", `{"payment_method":"BANK_TRANSFER","payment":{"id":"P-1","amount":"70000","currency":"VND"}}`)
		for name, value := range map[string]string{
			"mid": p.MID, "merchant-api-key": p.MerchantAPIKey, "merchant-secret-key": p.MerchantSecretKey,
			"platform-api-key": p.PlatformAPIKey, "platform-secret-key": p.PlatformSecretKey,
		} {
			r.Header.Set(name, value)
		}
		var opened struct {
			Result   string
			Transfer struct {
				VietQR string `json:"vietqr_data"`
			} `json:"bank_transfer_payment"`
		}
		w.do(r).decode(t, &opened)
		m := w.transfer(map[string]any{"vietqr": opened.Transfer.VietQR, "memo": "hoc phi"})
		if m.Payment == nil || m.Payment.State != "approved" || m.Credit.Explanation.By != "virtual_account" {
			t.Fatalf("%+v", m)
		}
		w.eventually("the platform is told and asks back", func() bool {
			in := w.inbox("demo-platform")
			return len(in.Received) == 1 && in.Received[0].Asked != nil && in.Received[0].Asked.Body.Result == "SUCCESS"
		})
		w.eventually("the page shows it", func() bool {
			page := string(w.get("/sandbox/demo/live?lang=en&payment=" + m.Payment.PaymentID).body)
			return strings.Contains(page, "POST /sandbox/ipn/demo-platform") && strings.Contains(page, "Matched by the virtual account DEMOVA")
		})
	})
}

func TestReturnPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		a := w.get("/sandbox/return?mid=" + w.info.Paykit.MID + "&payment_id=" + p.Reference + "&result=APPROVED&lang=vi&x=%3Cb%3E")
		if a.status != 200 {
			t.Fatal(a.status)
		}
		// The browser says approved; the gateway knows better.
		contains(t, a.body, "result", "APPROVED", "&lt;b&gt;", "không chứng minh điều gì", "Chờ thanh toán", "payment="+p.ID)
		if strings.Contains(string(a.body), "<b>"+"&") || strings.Contains(string(a.body), "<code>vi</code>") {
			t.Error("a parameter of ours, or markup, is shown")
		}
		for _, query := range []string{"", "?", "?%zz=1&mid=%ff&payment_id=%00", "?mid=MC_X&payment_id=1", "?lang=en"} {
			if a := w.get("/sandbox/return" + query); a.status != 200 {
				t.Errorf("%s: %d", query, a.status)
			}
		}
	})
}

// Without scripts the page loads itself again while something is to come, each
// time under another address, and a visitor can stop it (WCAG 2.2.2).
func TestReloadWithoutScripts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		reload := regexp.MustCompile(`http-equiv="refresh" content="([^"]*)"`)
		for query, want := range map[string]string{
			"":                                     "",
			"?lang=vi&payment=" + p.ID:             "5;url=/?lang=vi&payment=" + p.ID + "&turn=1#step-4",
			"?lang=vi&payment=" + p.ID + "&turn=1": "5;url=/?lang=vi&payment=" + p.ID + "&turn=2#step-4",
			"?lang=vi&payment=" + p.ID + "&turn=2": "5;url=/?lang=vi&payment=" + p.ID + "&turn=1#step-4",
			"?lang=vi&payment=" + p.ID + "&hold=1": "",
		} {
			got := ""
			if m := reload.FindSubmatch(w.get("/" + query).body); m != nil {
				got = html.UnescapeString(string(m[1]))
			}
			if got != want {
				t.Errorf("%q goes to %q, want %q", query, got, want)
			}
		}
		if _, err := w.core.Cancel(t.Context(), p.ID, "payer", ""); err != nil {
			t.Fatal(err)
		}
		w.eventually("it stops when all is told", func() bool { return !reload.Match(w.get("/?payment=" + p.ID).body) })
	})
}
