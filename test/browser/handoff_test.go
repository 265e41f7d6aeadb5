package browser

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/thungan/thungan/checkout"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/storetest"
	"github.com/thungan/thungan/web"
)

// handing sends every payer on in one way.
type handing struct {
	core      *core.Core
	connector payment.Connector
	handoff   payment.Handoff
}

func (h *handing) Start(ctx context.Context, paymentID string, m payment.Method, _ string) (payment.Handoff, error) {
	a, fresh, err := h.core.StartAttempt(ctx, core.Starting{
		PaymentID: paymentID, Method: m, Connector: h.connector, Reference: func(a payment.Attempt) string { return a.ID },
	})
	if err == nil && fresh {
		a, err = h.core.AttemptCreated(ctx, a.ID, h.handoff, "")
	}
	return a.Handoff, err
}

func pathOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// An acquirer on another origin is reached by a plain address, by a form, and by its own script, each under the page's
// policy; the first two without scripts too.
func TestHandoff(t *testing.T) {
	t.Parallel()
	far := http.NewServeMux()
	acquirer := httptest.NewServer(far)
	t.Cleanup(acquirer.Close)
	html := func(w http.ResponseWriter, format string, args ...any) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="vi"><link rel="icon" href="data:,"><title>x</title><h1>`+format+`</h1>`, args...)
	}
	far.HandleFunc("GET /pay", func(w http.ResponseWriter, r *http.Request) {
		html(w, "arrived by address %s %s", r.FormValue("a"), r.Header.Get("Referer"))
	})
	far.HandleFunc("POST /pay", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/next?a="+r.PostFormValue("a"), http.StatusSeeOther)
	})
	far.HandleFunc("GET /next", func(w http.ResponseWriter, r *http.Request) { html(w, "arrived by form %s", r.FormValue("a")) })
	far.HandleFunc("GET /session", func(w http.ResponseWriter, r *http.Request) {
		html(w, "arrived by script %s", r.FormValue("s"))
	})
	far.HandleFunc("GET /checkout.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, `window.Checkout = {configure(o) { this.id = o.session.id }, showPaymentPage() { location.assign(%q + this.id) }}`, acquirer.URL+"/session?s=")
	})

	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	env := coretest.New(t, storetest.Open(t, storetest.URL(t, "sqlite")), coretest.WithDialect(paykit.Dialect{}), coretest.WithPublicURL(server.URL))
	desk := &handing{core: env.Core}
	var err error
	desk.connector, err = env.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{
		MerchantID: env.Memo.Merchant.ID, Kind: "far", Methods: []payment.Method{payment.DomesticCard}, Config: []byte("{}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := checkout.New(checkout.Config{Core: env.Core, Clock: env.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Cards: desk})
	if err != nil {
		t.Fatal(err)
	}
	pages.Register(mux)
	mux.Handle("/assets/", web.Assets())
	s := &shop{Env: env, url: server.URL}

	address := payment.Handoff{URL: acquirer.URL + "/pay?a=1%2B1"}
	form := payment.Handoff{URL: acquirer.URL + "/pay", Fields: map[string]string{"a": `<"2">`}}
	script := payment.Handoff{Script: acquirer.URL + "/checkout.js", Session: "SESSION0003"}
	for name, options := range map[string]chrome.Options{"scripts": {}, "no scripts": {NoScripts: true}} {
		t.Run(name, func(t *testing.T) {
			v, s := visit(t, options), s.in(t)
			start := func(h payment.Handoff) *sale {
				desk.handoff = h
				sale := s.sellFor(200_000, "vi", payment.DomesticCard, payment.BankTransfer)
				v.open(sale.page)
				v.click(method(payment.DomesticCard))
				return sale
			}
			sale := start(address)
			v.reads("arrived by address 1+1")
			v.lacks("key=") // the other origin is not told the address of the page
			v.back()
			v.arrives(pathOf(t, sale.page))
			v.learns(web.Text("vi", "checkout.waiting.bank"))
			v.click(leaveButton)
			v.click(method(payment.BankTransfer))
			v.showsCode(sale.code())

			start(form)
			if !v.scripts {
				v.reads(web.Text("vi", "checkout.away.title"))
				v.click("form[data-go] button")
			}
			v.reads("arrived by form", `<"2">`)

			sale = start(script)
			if v.scripts {
				v.reads("arrived by script SESSION0003")
				return
			}
			v.reads(web.Text("vi", "checkout.away.scripts"))
			v.click(`main a[href*="/merchant/"]`)
			v.reads(web.Text("vi", "checkout.waiting.bank"))
			v.click(leaveButton)
			v.click(method(payment.BankTransfer))
			v.showsCode(sale.code())
		})
	}
}
