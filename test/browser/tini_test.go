package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/web"
)

// sampleOrder is what the sample page of the documents of my.makePayment pays, word for word, and the sandbox has.
const sampleOrder = "67328847745515542"

// miniApp is a visitor at the Tini App simulator, with the sample page of the documents on the phone.
type miniApp struct {
	*visitor
	sandbox *sandbox
	address string
}

// runSample starts a sandbox of its own and puts the sample page on the phone as it is.
func runSample(t *testing.T) *miniApp {
	t.Helper()
	t.Parallel()
	s := startSandbox(t)
	m := &miniApp{visitor: visit(t, chrome.Options{}), sandbox: s, address: s.runOnPhone()}
	m.starts()
	return m
}

// runOnPhone gives the simulator the sample page and returns the address that shows it.
func (s *sandbox) runOnPhone() string {
	s.Helper()
	read := func(name string) string {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			s.Fatal(err)
		}
		return string(text)
	}
	got, err := http.PostForm(s.BaseURL+"/sandbox/tini/projects/", url.Values{"page": {read("make-payment.js")}, "template": {read("make-payment.txml")}})
	if err != nil {
		s.Fatal(err)
	}
	got.Body.Close()
	return got.Request.URL.String()
}

// starts opens the simulator and waits until the app runs.
func (m *miniApp) starts() {
	m.Helper()
	m.open(m.address)
	m.until(phone + `?.body?.dataset.ready === "1"`)
}

// again is the same app in a second tab.
func (m *miniApp) again() *miniApp {
	m.Helper()
	other := &miniApp{visitor: m.tab(), sandbox: m.sandbox, address: m.address}
	other.starts()
	return other
}

// Documents inside each other: the phone, and in it the payment page.
const (
	phone   = `document.getElementById("phone")?.contentDocument`
	payPage = phone + `?.querySelector("#sheet iframe")?.contentDocument`
)

// tap presses a button in one of the documents, once it is there.
func (m *miniApp) tap(document, selector string) {
	m.Helper()
	// Found and pressed in one go: a live status may put another in its place.
	m.until(fmt.Sprintf(`((e) => e?.getBoundingClientRect().width > 0 && (e.click(), true))(%s?.querySelector(%q))`, document, selector))
}

// pays presses the app's button.
func (m *miniApp) pays() {
	m.Helper()
	m.tap(phone, "#screen button")
}

func (m *miniApp) logsIn() {
	m.Helper()
	m.tap(phone, "#sheet.login button.main")
}

// atPaymentPage waits until the phone shows the payment page, chooses to pay by bank transfer and returns the text of
// the QR code.
func (m *miniApp) atPaymentPage() string {
	m.Helper()
	m.tap(payPage, `button[value="bank_transfer"]`)
	// Found and read in one go, as in tap.
	m.until(`(window.qr = ` + payPage + `?.querySelector("code.raw")?.textContent)`)
	return ask[string](m.visitor, `window.qr`)
}

func (m *miniApp) closesPage() {
	m.Helper()
	m.tap(phone, "#sheet.pay .close")
}

// ends waits until a call of the API has ended, and returns what with.
func (m *miniApp) ends(name, outcome string) string {
	m.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("#log li")].find((e) => e.querySelector("b").textContent === %q && e.className === %q)`, name, outcome)
	m.until(find)
	return ask[string](m.visitor, find+`.querySelector("code").textContent`)
}

// alert reads what my.alert shows.
func (m *miniApp) alert() string {
	m.Helper()
	m.until(phone + `?.querySelector("#sheet.alert .box")`)
	return ask[string](m.visitor, phone+`.querySelector("#sheet.alert .box").innerText`)
}

func (m *miniApp) offline(is bool) {
	m.Helper()
	ask[bool](m.visitor, fmt.Sprintf(`(() => { const box = document.getElementById("offline"); if (box.checked !== %t) box.click(); return true; })()`, is))
	m.until(fmt.Sprintf(phone+`.body.classList.contains("offline") === %t`, is))
}

// transfer pays by the payer's bank what a QR code says.
func (s *sandbox) transfer(qr string) {
	s.Helper()
	post(s, s.BaseURL+"/sandbox/bank-transfers", nil, map[string]any{"vietqr": qr}, &struct{}{})
}

// status is what GET /order says.
func (s *sandbox) status(order string) string {
	s.Helper()
	data := "/order?order_id=" + order
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(s.Tiki.ClientSecret))
	mac.Write([]byte(base64.RawURLEncoding.EncodeToString([]byte(stamp + "." + s.Tiki.ClientKey + "." + data))))
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.Tiki.BaseURL+data, nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("X-Tiniapp-Client-Id", s.Tiki.ClientKey)
	r.Header.Set("X-Tiniapp-Timestamp", stamp)
	r.Header.Set("X-Tiniapp-Signature", hex.EncodeToString(mac.Sum(nil)))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer got.Body.Close()
	var answer struct {
		Data struct {
			Order struct{ Status string }
		}
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || json.Unmarshal(body, &answer) != nil || got.StatusCode != 200 {
		s.Fatalf("GET /order: %d %s %v", got.StatusCode, body, err)
	}
	return answer.Data.Order.Status
}

// told waits until the app's back end has an IPN with a status of the sample's order, and says how many it has.
func (m *miniApp) told(status string) int {
	m.Helper()
	var got struct {
		Notifications []struct {
			Body string `json:"body"`
		} `json:"received"`
	}
	m.wait("IPN "+status, func() (bool, error) {
		answer, err := http.Get(m.sandbox.BaseURL + "/sandbox/ipn/tiki")
		if err != nil {
			return false, err
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
			return false, err
		}
		for _, n := range got.Notifications {
			if strings.Contains(n.Body, `"id":"`+sampleOrder+`"`) && strings.Contains(n.Body, `"status":"`+status+`"`) {
				return true, nil
			}
		}
		return false, nil
	})
	return len(got.Notifications)
}

func (m *miniApp) wants(status string) {
	m.Helper()
	if got := m.sandbox.status(sampleOrder); got != status {
		m.Errorf("the order is %s, want %s", got, status)
	}
}

// The sample page runs unchanged: the customer logs in, pays, and the app hears "success". The same orderId again
// fails.
func TestSamplePageSucceeds(t *testing.T) {
	m := runSample(t)
	m.pays()
	m.logsIn()
	qr := m.atPaymentPage()
	for _, text := range []string{web.Text("vi", "order.title"), "Cà phê sữa đá", "15.000", "Ít ngọt"} {
		m.until(fmt.Sprintf(`%s.body.textContent.includes(%q)`, payPage, text))
	}
	m.wants("waiting_for_payment")
	m.sandbox.transfer(qr)
	if got := m.ends("my.makePayment", "success"); got != "success" {
		t.Errorf("success got %q", got)
	}
	if got := m.alert(); !strings.Contains(got, "payment") || !strings.Contains(got, "success") {
		t.Errorf("the alert says %q", got)
	}
	m.wants("online_paid")
	m.told("online_paid")

	m.tap(phone, "#sheet.alert button")
	m.pays()
	if got := m.ends("my.makePayment", "fail"); !strings.Contains(got, "used to pay before") {
		t.Errorf("the same orderId again: %q", got)
	}
	m.wants("online_paid")
}

// The customer pays by card, on the acquirer's pages, without leaving the phone.
func TestSamplePageByCard(t *testing.T) {
	m := runSample(t)
	m.pays()
	m.logsIn()
	m.tap(payPage, `button[value="domestic_card"]`)
	m.until(payPage + `?.location.pathname.startsWith("/sandbox/acquirer/")`)
	fill := func(values map[string]string) {
		t.Helper()
		for name, value := range values {
			input := fmt.Sprintf("%s?.querySelector('input[name=%q]')", payPage, name)
			m.until(input)
			ask[bool](m.visitor, fmt.Sprintf("((e) => { e.value = %q; return true; })(%s)", value, input))
		}
	}
	fill(map[string]string{"number": "9704198526191432198", "holder": "NGUYEN VAN A", "date": "07/15"})
	m.tap(payPage, `form[action*="/card"] button`)
	fill(map[string]string{"otp": "123456"})
	m.tap(payPage, `form[action*="/otp"] button[value="confirm"]`)
	if got := m.ends("my.makePayment", "success"); got != "success" {
		t.Errorf("%q", got)
	}
	m.wants("online_paid")
	m.told("online_paid")
}

func TestSamplePageWithoutLogin(t *testing.T) {
	m := runSample(t)
	m.pays()
	m.tap(phone, `#sheet.login button[type="button"]`)
	if got := m.ends("my.getAuthCode", "fail"); got != "Login failed." {
		t.Errorf("%q", got)
	}
	// Whoever does not even ask is not logged in either.
	got := ask[string](m.visitor, `new Promise((resolve) => document.getElementById("phone").contentWindow.my.makePayment({
		orderId: "`+sampleOrder+`", success: () => resolve("success"),
		fail: (e) => resolve([typeof e, e.error, e.errorMessage, String(e)].join("|")),
	}))`)
	if got != "object|401|The user is not logged in.|The user is not logged in." {
		t.Errorf("%q", got)
	}
	m.wants("draft")
}

func TestSamplePageIsClosed(t *testing.T) {
	m := runSample(t)
	m.pays()
	m.logsIn()
	m.atPaymentPage()
	m.closesPage()
	if got := m.ends("my.makePayment", "fail"); !strings.HasPrefix(got, "Payment failed. Order ID: 3") {
		t.Errorf("%q", got)
	}
	m.wants("waiting_for_payment") // the customer may come back for four hours, by no call of the app's
	post(t, m.sandbox.BaseURL+"/sandbox/clock", nil, map[string]any{"advance": "4h"}, &struct{}{})
	m.wants("canceled")
	m.told("canceled")
}

func TestSamplePageIsCanceled(t *testing.T) {
	m := runSample(t)
	m.pays()
	m.logsIn()
	m.atPaymentPage()
	m.tap(payPage, `a[href*="step=cancel"]`)
	m.tap(payPage, `form[action*="/cancel"] button`)
	if got := m.ends("my.makePayment", "fail"); !strings.HasPrefix(got, "Payment failed. Order ID: 3") {
		t.Errorf("%q", got)
	}
	m.wants("canceled")
	m.told("canceled")
}

// Two tabs of the app: one pays, the other is refused. Two transfers for one order: it is paid once, the other one
// waits for a person.
func TestSamplePageInTwoTabs(t *testing.T) {
	m := runSample(t)
	m.pays()
	m.logsIn()
	qr := m.atPaymentPage()
	other := m.again()
	other.pays()
	other.logsIn()
	if got := other.ends("my.makePayment", "fail"); !strings.Contains(got, "used to pay before") {
		t.Errorf("the second tab: %q", got)
	}
	m.front()
	m.sandbox.transfer(qr)
	m.sandbox.transfer(qr)
	if got := m.ends("my.makePayment", "success"); got != "success" {
		t.Errorf("the first tab: %q", got)
	}
	m.wants("online_paid")
	if n := m.told("online_paid"); n != 1 {
		t.Errorf("%d notifications", n)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.sandbox.BaseURL+"/admin/v1/unapplied", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+m.sandbox.AdminToken)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if body, _ := io.ReadAll(got.Body); strings.Count(string(body), `"outcome":"duplicate"`) != 1 {
		t.Errorf("unapplied: %s", body)
	}
}

// Without a network nobody can be asked; what was paid is paid all the same.
func TestSamplePageLosesTheNetwork(t *testing.T) {
	m := runSample(t)
	ask[bool](m.visitor, `(document.getElementById("phone").contentWindow.my.getAuthCode(), true)`)
	m.logsIn()
	m.ends("my.getAuthCode", "success")
	m.offline(true)
	m.pays()
	if got := m.ends("my.getAuthCode", "fail"); got != "Network error." {
		t.Errorf("at once: %q", got)
	}
	m.wants("draft")

	m.offline(false)
	m.pays()
	qr := m.atPaymentPage()
	m.offline(true)
	m.sandbox.transfer(qr)
	m.until(fmt.Sprintf(`%s.body.textContent.includes(%q)`, payPage, web.Text("vi", "checkout.approved")))
	m.closesPage()
	if got := m.ends("my.makePayment", "fail"); !strings.HasPrefix(got, "Network error.") || !strings.Contains(got, sampleOrder) {
		t.Errorf("while paying: %q", got)
	}
	m.wants("online_paid")
	m.told("online_paid")
}

// The simulator's own sample: every way to pay, and an order of the sandbox environment in both its ends.
func TestTiniSimulator(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	m := &miniApp{visitor: visit(t, chrome.Options{}), sandbox: s, address: s.BaseURL + "/sandbox/tini/?lang=vi"}
	m.starts()
	order := func(environment string) {
		t.Helper()
		before := m.location().String()
		m.click(`form[action="/sandbox/tini/orders"] button[value="` + environment + `"]`)
		m.until(fmt.Sprintf(`location.href !== %q && location.search.includes("order=") && %s?.body?.dataset.ready === "1"`, before, phone))
	}
	way := func(n int) string { return fmt.Sprintf("#screen button:nth-of-type(%d)", n) }
	result := func(want string) {
		t.Helper()
		m.until(fmt.Sprintf(phone+`.querySelector("#screen .result")?.textContent === %q`, want))
	}
	m.tap(phone, way(2))
	m.logsIn()
	if got := m.alert(); !strings.Contains(got, "success") {
		t.Errorf("cash on delivery: %q", got)
	}
	result("success")
	order("production")
	m.tap(phone, way(3))
	result("success")
	order("sandbox")
	m.tap(phone, way(1))
	result("success")
	m.click(`form[action="/sandbox/tini/settings"] input[value="failure"]`)
	m.click(`form[action="/sandbox/tini/settings"] button`)
	m.until(`!location.search.includes("order=") && document.querySelector('input[value="failure"]').checked && document.readyState === "complete"`)
	order("sandbox")
	m.tap(phone, way(1))
	result("Payment failed.")
	m.reload()
	for _, stage := range []string{"processing", "waiting_for_verification", "online_paid", "canceled"} {
		m.reads(stage)
	}
	// Other calls of the API.
	got := ask[string](m.visitor, `new Promise((resolve) => {
		const my = document.getElementById("phone").contentWindow.my, order = [];
		my.isLoggedIn({ success: (is) => my.getUserInfo({
			success: (who) => order.push(is, who.name, who.customerId),
			complete: () => my.makePayment({ orderId: 7, fail: (e) => order.push(String(e)), complete: () => resolve(order.join("|")) }),
		}) });
	})`)
	if got != "true|Lan Demo|10000007|orderId has to be a string." {
		t.Errorf("%q", got)
	}
}

// The simulator, the login screen and the payment page on the phone, in both languages and every screen.
func TestTiniLooks(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	v := visit(t, chrome.Options{Phone: true})
	v.looksAt(look{name: "tini", address: s.BaseURL + "/sandbox/tini/?x=1", message: true})
	m := &miniApp{visitor: v, sandbox: s, address: s.BaseURL + "/sandbox/tini/?lang=vi"}
	for _, dark := range []bool{false, true} {
		mode := map[bool]string{false: "light", true: "dark"}[dark]
		v.wear(screen{name: "desktop", width: 1280, dark: dark})
		m.starts()
		if !dark {
			m.tap(phone, "#screen button")
			m.until(phone + `.querySelector("#sheet.login")`)
			chrome.Screenshot(t, v.ctx, "tini-login")
			m.logsIn()
			m.atPaymentPage()
			chrome.Screenshot(t, v.ctx, "tini-paying")
		}
		chrome.Screenshot(t, v.ctx, "tini-"+mode)
	}
	// The quick-payment page by itself.
	link := ask[string](v, `document.querySelector(".orders a[href*='/merchant/']").href`)
	v.looksAt(look{name: "quick-payment", address: link})
}
