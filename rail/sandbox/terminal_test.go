package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"github.com/thungan/thungan/web"
)

// sells opens a sale at the demo terminal.
func (w *world) sells(reference string, m payment.Method) payment.Sold {
	w.t.Helper()
	merchant, err := w.core.Merchant(w.t.Context(), w.info.AppotaPay.MerchantID)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.core.OpenSale(w.t.Context(), core.Selling{
		Opening:  core.Opening{Merchant: merchant, Dialect: "appotapay", Reference: reference, Amount: 145_000, Methods: []payment.Method{m}, Description: "Bàn <4>"},
		Terminal: w.info.AppotaPay.TerminalID,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) saleState(s payment.Sold) payment.State {
	w.t.Helper()
	p, err := w.core.Payment(w.t.Context(), s.Payment.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.State
}

// Scripts play the terminal: each action, twice, and what is refused.
func TestTerminalActions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		path := "/sandbox/terminals/" + w.info.AppotaPay.TerminalID + "/actions"
		act := func(reference, action, more string) answer {
			return w.post(path, `{"partner_ref_id":"`+reference+`","action":"`+action+`"`+more+`}`)
		}
		for action, want := range map[string]payment.State{"decline": payment.Denied, "cancel": payment.Canceled, "timeout": payment.Expired, "approve": payment.Approved} {
			sale := w.sells("R-"+action, payment.CardPresent)
			for range 2 {
				if a := act("R-"+action, action, ""); a.status != 200 || !strings.Contains(string(a.body), `"state":"`+string(want)+`"`) {
					t.Errorf("%s: %d %s", action, a.status, a.body)
				}
			}
			if got := w.saleState(sale); got != want {
				t.Errorf("%s: %s", action, got)
			}
		}
		for range 2 {
			if a := act("R-approve", "void", ""); a.status != 200 || !strings.Contains(string(a.body), `"state":"voided"`) {
				t.Errorf("void: %d %s", a.status, a.body)
			}
		}
		w.sells("R-napas", payment.CardPresent)
		if a := act("R-napas", "approve", `,"scheme":"napas"`); a.status != 200 || !strings.Contains(string(a.body), `"scheme":"napas"`) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := w.post(path, `{"action":"settle"}`); a.status != 200 || !strings.Contains(string(a.body), `"batch":{"number":1,"sales":1,"amount":145000`) {
			t.Errorf("settle: %d %s", a.status, a.body)
		}
		w.sells("R-funds", payment.CardPresent)
		if a := act("R-funds", "decline", `,"reason":"insufficient_funds"`); a.status != 200 || !strings.Contains(string(a.body), `"reason":"insufficient_funds"`) {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.sells("R-qr", payment.BankTransfer)
		for name, c := range map[string]struct {
			answer
			want int
		}{
			"QR by card":     {act("R-qr", "approve", ""), 409},
			"void settled":   {act("R-napas", "void", ""), 409},
			"void declined":  {act("R-decline", "void", ""), 409},
			"after the end":  {act("R-cancel", "approve", ""), 409},
			"unknown sale":   {act("R-none", "approve", ""), 404},
			"unknown action": {act("R-qr", "explode", ""), 400},
			"no action":      {w.post(path, `{"partner_ref_id":"R-qr"}`), 400},
			"no reference":   {w.post(path, `{"action":"void"}`), 400},
			"a bad reason":   {act("R-qr", "decline", `,"reason":"mood"`), 400},
			"a bad scheme":   {act("R-qr", "approve", `,"scheme":"diners"`), 400},
			"no JSON":        {w.post(path, `x`), 400},
			"no terminal":    {w.post("/sandbox/terminals/TID-NONE/actions", `{"action":"settle"}`), 404},
			"GET":            {w.get(path), 405},
		} {
			if c.status != c.want || !strings.Contains(string(c.body), `{"error":{"code":`) {
				t.Errorf("%s: %d %s", name, c.status, c.body)
			}
		}
		if _, sum, err := w.core.TrialBalance(t.Context()); err != nil || sum != 0 {
			t.Errorf("the ledger sums to %d, %v", sum, err)
		}
	})
}

// The page shows what the terminal does, and its buttons do it.
func TestTerminalPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		page := "/sandbox/terminal/" + w.info.AppotaPay.TerminalID
		shows := func(wanted ...string) string {
			t.Helper()
			a := w.get(page + "?lang=en")
			for _, want := range wanted {
				if a.status != 200 || !strings.Contains(string(a.body), want) {
					t.Errorf("no %s in %d %s", want, a.status, a.body)
				}
			}
			return string(a.body)
		}
		shows(web.Text("en", "terminal.ready"))
		sale := w.sells("P-1", payment.CardPresent)
		shows("145,000\u00a0₫", "Bàn &lt;4&gt;", "P-1", web.Text("en", "terminal.tap"))
		if got := w.saleState(sale); got != payment.Processing {
			t.Errorf("the page has not taken the sale: %s", got)
		}
		press := func(saleID, do string) answer {
			return w.submit(page+"/act", url.Values{"lang": {"en"}, "sale": {saleID}, "do": {do}, "card": {"inserted"}, "reason": {"card_expired"}})
		}
		if a := press(sale.Payment.ID, "approve"); a.status != 303 || a.header.Get("Location") != page+"?lang=en" {
			t.Errorf("%d %s", a.status, a.body)
		}
		shows(web.Text("en", "terminal.state.approved"), "**** **** **** 0018", "NAPAS", web.Text("en", "terminal.void"))
		if a := press(sale.Payment.ID, "cancel"); a.status != 409 || !strings.Contains(string(a.body), "The terminal cannot do this") {
			t.Errorf("%d %s", a.status, a.body)
		}
		for _, c := range []struct {
			sale, do string
			want     int
		}{{"", "void", 404}, {"../x", "void", 404}, {sale.Payment.ID, "explode", 400}, {sale.Payment.ID, "void", 303}} {
			if a := press(c.sale, c.do); a.status != c.want {
				t.Errorf("%+v: %d %s", c, a.status, a.body)
			}
		}
		shows(web.Text("en", "terminal.state.voided"))

		// Another site's page cannot press.
		r := w.request("POST", page+"/act", "do=settle")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := w.do(r); a.status != http.StatusForbidden {
			t.Errorf("%d %s", a.status, a.body)
		}

		locked := payment.TerminalLocked
		terminal, err := w.core.TerminalByPublicID(t.Context(), w.info.AppotaPay.TerminalID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.core.ChangeTerminal(t.Context(), operator, terminal.ID, core.TerminalChange{State: &locked}); err != nil {
			t.Fatal(err)
		}
		shows(web.Text("en", "terminal.locked"))

		// A terminal that the sandbox did not make can be played too, beside its own device.
		made, key, err := w.core.AddTerminal(t.Context(), operator, core.NewTerminal{MerchantID: w.info.Paykit.MerchantID, PublicID: "TID-5094322012", Name: "Quầy <2>"})
		if err != nil {
			t.Fatal(err)
		}
		if a := w.get("/sandbox/terminal/" + made.PublicID); a.status != 200 || !strings.Contains(string(a.body), "Quầy &lt;2&gt;") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if _, err := w.core.AuthenticateTerminal(t.Context(), key); err != nil {
			t.Errorf("the device's own key: %v", err)
		}
		for _, path := range []string{"/sandbox/terminal/TID-NONE", "/sandbox/terminal/%00", "/sandbox/terminal/TID-NONE/live", "/sandbox/terminal/"} {
			if a := w.get(path); a.status != 404 {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
}

// The live part is answered at once when it is new to the reader, else with the
// next sale.
func TestTerminalLive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		live := "/sandbox/terminal/" + w.info.AppotaPay.TerminalID + "/live?lang=en"
		first := w.get(live)
		seen := first.header.Get("X-Seen")
		if first.status != 200 || seen == "" || !strings.Contains(string(first.body), web.Text("en", "terminal.ready")) {
			t.Fatalf("%d %s", first.status, first.body)
		}
		next := make(chan answer)
		go func() { next <- w.get(fmt.Sprintf("%s&seen=%s", live, seen)) }()
		w.sells("L-1", payment.CardPresent)
		if a := <-next; a.status != 200 || a.header.Get("X-Seen") == seen || !strings.Contains(string(a.body), "L-1") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
