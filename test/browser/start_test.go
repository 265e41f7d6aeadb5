package browser

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/web"
)

// Buttons and links of the start page.
const (
	createButton = `form[action="/sandbox/demo/payments"] button`
	pageLink     = `#step-2 a[target="_blank"][href*="/merchant/"]`
	payButton    = `form[action="/sandbox/demo/transfers"] button[name="how"][value="exact"]`
	lateButton   = `form[action="/sandbox/demo/transfers"] button[name="how"][value="late"]`
	clockButton  = `form[action="/sandbox/demo/clock"] button`
)

// qrCode is the code on the payment page.
const qrCode = `main svg[role="img"]`

// Somebody who has just started the sandbox gets a demo payment paid with the mouse alone: create, open, pay, watch.
func TestNewcomer(t *testing.T) {
	for name, options := range map[string]chrome.Options{"scripts": {}, "no scripts": {NoScripts: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			s := startSandbox(t)
			v := visit(t, options)
			v.open(s.BaseURL + "/")
			v.reads(web.Text("vi", "sandbox.question"))
			v.click(createButton)
			v.click(pageLink)
			hosted := v.opened("/merchant/")
			hosted.seen(qrCode)
			hosted.reads("50.000 ₫", web.Text("vi", "checkout.waiting"))
			hosted.mark()

			v.front()
			v.click(payButton)
			hosted.reads(web.Text("vi", "checkout.approved"))
			if inPlace := hosted.marked(); inPlace != hosted.scripts {
				t.Errorf("with scripts the page changes in place, else by loading itself again: %t", inPlace)
			}
			back := hosted.arrives("/sandbox/return").Query()
			if back.Get("mid") != s.Paykit.MID || back.Get("result") != "APPROVED" || back.Get("payment_id") == "" {
				t.Errorf("the shop is told %v", back)
			}
			hosted.reads(web.Text("vi", "sandbox.return.title"), web.Text("vi", "sandbox.state.approved"))

			v.front()
			v.reads(web.Text("vi", "sandbox.watch.done"), web.Text("vi", "sandbox.secret.absent"))
			v.seen("#step-4 details pre")
			told := ask[string](v, `document.querySelector("#step-4 details pre").textContent`)
			if !strings.HasPrefix(told, "POST /sandbox/ipn/") || !strings.Contains(told, back.Get("payment_id")) {
				t.Errorf("the notification on the start page is %s", told)
			}
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// mark leaves a mark that is gone when the page is loaded again.
func (v *visitor) mark() { v.Helper(); ask[bool](v, `window.stayed = true`) }

// marked says that the page has not been loaded again since mark.
func (v *visitor) marked() bool { v.Helper(); return ask[bool](v, `window.stayed === true`) }

// The clock of the sandbox ends an offer while its page is open; then money comes late.
func TestSandboxClock(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	k := keys{s.Paykit.MID, s.Paykit.APIKey, s.Paykit.SecretKey}
	o := order(t, s.Paykit.BaseURL, k, "CLOCK-1", 120_000, "vi", s.BaseURL+"/sandbox/return")
	start := visit(t, chrome.Options{})
	hosted := start.tab()
	hosted.open(o.CheckoutURL)
	hosted.reads("120.000 ₫")
	if left := ask[string](hosted, `document.querySelector("[data-due]").textContent`); !regexp.MustCompile(`^(30:00|29:[0-5][0-9])$`).MatchString(left) {
		t.Errorf("the time left is %q", left)
	}
	hosted.mark()
	var moved struct {
		Advanced string `json:"advanced"`
	}
	post(t, s.BaseURL+"/sandbox/clock", nil, map[string]string{"advance": "31m"}, &moved)
	hosted.reads(web.Text("vi", "checkout.expired"))
	if !hosted.marked() {
		t.Error("the page was loaded again")
	}
	hosted.lacks(o.BankTransfer.VietQRData)
	if back := hosted.arrives("/sandbox/return").Query(); back.Get("result") != "EXPIRED" {
		t.Errorf("the shop is told %v", back)
	}

	// The same by mouse.
	start.front()
	start.open(s.BaseURL + "/")
	start.click(createButton)
	start.seen(pageLink)
	start.click(clockButton)
	start.until(`location.hash === "#clock" && document.readyState === "complete"`) // the old page follows the payment too
	start.reads(web.Text("vi", "sandbox.state.expired"))
	start.click(lateButton)
	start.reads(web.Text("vi", "sandbox.outcome.late"))
}

// What a person can get wrong on the start page is told on the page, with what was typed still there.
func TestStartPageMistakes(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	v := visit(t, chrome.Options{Language: "en"})
	v.open(s.BaseURL + "/")
	v.reads(web.Text("en", "sandbox.question"))
	ask[bool](v, `(document.querySelector("#amount").value = "12.5 tỷ", true)`)
	v.click(createButton)
	v.reads(web.Text("en", "sandbox.create.amount.bad"))
	if typed := ask[string](v, `document.querySelector("#amount").value`); typed != "12.5 tỷ" {
		t.Errorf("the page shows %q instead of what was typed", typed)
	}
	if got := v.lastStatus(); got != 400 {
		t.Errorf("the answer is %d", got)
	}
	v.expect("400")
	v.open(s.BaseURL + "/?payment=0190b0b0-0000-7000-8000-000000000000")
	v.reads(web.Text("en", "sandbox.watch.state.none"))
}
