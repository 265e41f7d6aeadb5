package browser

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"github.com/thungan/thungan/web"
)

// takeCards connects the shop's merchant to the sandbox's acquirer, on the same server.
func (s *shop) takeCards(t *testing.T, mux *http.ServeMux, quiet *slog.Logger) {
	t.Helper()
	client := guard.New(guard.Options{AllowLoopback: true})
	t.Cleanup(client.CloseIdle)
	settings := acquirer.Settings{BaseURL: s.url + strings.TrimSuffix(acquirer.Path, "/"), Merchant: "DEMO", Secret: "0123456789abcdef"}
	bank, err := acquirer.New(acquirer.Config{
		BaseURL: s.url, Merchants: map[string]string{settings.Merchant: settings.Secret}, Clock: s.Clock, Client: client, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.cards = acquiring.New(acquiring.Config{
		Core: s.Core, Clock: s.Clock, Log: quiet, Connectors: []card.Connector{acquirer.Connector{}}, PublicURL: s.url,
		HTTP: acquiring.NewDoer(guard.Options{AllowLoopback: true}),
	})
	config, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{
		MerchantID: s.Memo.Merchant.ID, Kind: acquirer.Kind, Methods: acquirer.Connector{}.Methods(), Config: config,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(acquirer.Path, bank)
	mux.Handle(acquiring.Prefix, s.cards)
}

var everyWay = []payment.Method{payment.BankTransfer, payment.DomesticCard, payment.InternationalCard, payment.MoMo, payment.ZaloPay, payment.VNPayQR}

// sellFor opens a payment that can be paid in the given ways; Paykit's wire has no word for wallets.
func (s *shop) sellFor(amount money.VND, language string, methods ...payment.Method) *sale {
	s.T.Helper()
	p := s.Open(s.Memo, amount, func(o *core.Opening) {
		o.Dialect, o.Methods, o.Language = paykit.Dialect{}.Name(), methods, language
		o.SuccessURL, o.CancelURL = s.url+backPath+"?order=1", s.url+backPath+"?order=1"
	})
	return &sale{shop: s, payment: p, page: s.Core.PageURL(s.Memo.Profile.PublicID, p)}
}

// TestCards pays and fails by card and wallet on both databases, with scripts and without them.
func TestCards(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		run  func(*shop, *visitor)
	}{
		{"domestic", payDomestic},
		{"international", payInternational},
		{"declined, then another card", payAfterDecline},
		{"declined three times", denyCards},
		{"wrong password", wrongPassword},
		{"no test card", noTestCard},
		{"expired and timed out", failByExpiry},
		{"cancel at the bank", cancelAtBank},
		{"unknown", payUnknown},
		{"unknown, then declined", unknownDeclined},
		{"walk away and come back", walkAway},
		{"another way instead", changeToTransfer},
		{"two tabs", twoTabsOfCards},
		{"wallets", payWallets},
		{"wallet in English", walletInEnglish},
		{"time runs out", cardExpires},
		{"back, reload", backFromBank},
		{"acquirer out of reach", nobodyReached},
	}
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		t.Parallel()
		s := newShop(t, db)
		for name, options := range map[string]chrome.Options{"scripts": {}, "no scripts": {NoScripts: true}} {
			t.Run(name, func(t *testing.T) {
				v := visit(t, options)
				for _, c := range cases {
					t.Run(c.name, func(t *testing.T) { c.run(s.in(t), v.in(t)) })
				}
			})
		}
	})
}

// Buttons of the payment page and the acquirer's.
const (
	payCard     = `form[action*="/card"] button.main`
	payOTP      = `form[action*="/otp"] button[value="confirm"]`
	leaveButton = `form[action*="/leave"] button`
	goOn        = "#go"
)

func method(m payment.Method) string {
	return fmt.Sprintf(`button[name="method"][value=%q]`, string(m))
}

// types writes into a field as a person does, over what is there.
func (v *visitor) types(selector, text string) {
	v.Helper()
	v.click(selector)
	ask[bool](v, fmt.Sprintf(`(document.querySelector(%q).select(), true)`, selector))
	v.do(chromedp.KeyEvent(text))
}

// atBank waits until the acquirer's page is there.
func (v *visitor) atBank() {
	v.Helper()
	v.until(fmt.Sprintf(`location.pathname.startsWith(%q) && document.readyState === "complete"`, acquirer.Path))
}

// chooses goes from the payment page to the acquirer.
func (v *visitor) chooses(m payment.Method) {
	v.Helper()
	v.click(method(m))
	v.atBank()
}

// card types a card in.
func (v *visitor) card(number, date, csc string) {
	v.Helper()
	v.seen("#number")
	v.types("#number", number)
	v.types("#holder", "NGUYEN VAN A")
	v.types("#date", date)
	if csc != "" {
		v.types("#csc", csc)
	}
	v.click(payCard)
}

func (v *visitor) password(text string) {
	v.Helper()
	v.seen("#otp")
	v.types("#otp", text)
	v.click(payOTP)
}

const (
	napas = "9704000000000018"
	visa  = "5123450000000008"
)

func payDomestic(s *shop, v *visitor) {
	sale := s.sellFor(1_250_000, "vi", everyWay...)
	v.open(sale.page)
	for _, m := range everyWay {
		v.reads(web.Text("vi", "checkout.method."+string(m)), web.Text("vi", "checkout.method."+string(m)+".hint"))
	}
	v.chooses(payment.DomesticCard)
	v.reads("SANDBOX", web.Text("vi", "acquirer.name"), "1.250.000 ₫", s.Memo.Merchant.Name, "Trà sữa trân châu", "9704 0000 0000 0018")
	v.card(napas, "03/07", "")
	v.reads(web.Text("vi", "acquirer.otp.text", "Napas", "0018", s.Memo.Merchant.Name))
	v.password("otp")
	v.reads(web.Text("vi", "checkout.approved"), web.Text("vi", "checkout.method.domestic_card"))
	sale.isBack(v, "APPROVED")
}

func payInternational(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.InternationalCard)
	v.open(sale.page)
	v.chooses(payment.InternationalCard)
	v.card(visa, "01/39", "100")
	v.reads("3-D Secure", web.Text("vi", "acquirer.secure"))
	v.password("123456")
	v.reads(web.Text("vi", "checkout.approved"), web.Text("vi", "checkout.method.international_card"))

	// A card without 3-D Secure comes straight back.
	sale = s.sellFor(200_000, "vi", payment.InternationalCard, payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.InternationalCard)
	v.card("5111111111111118", "01/39", "100")
	v.reads(web.Text("vi", "checkout.approved"))
}

// Why, how often, that nothing was taken, and another card.
func payAfterDecline(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.BankTransfer, payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.card("9704195798459170488", "07/15", "")
	v.password("123456")
	v.reads(web.Text("vi", "checkout.try.funds"), web.Text("vi", "checkout.try.free"), web.Text("vi", "checkout.try.count", 1, 3))
	v.chooses(payment.DomesticCard)
	v.card(napas, "03/07", "")
	v.password("otp")
	v.reads(web.Text("vi", "checkout.approved"))
	v.lacks(web.Text("vi", "checkout.try.funds"))
}

func denyCards(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.InternationalCard)
	v.open(sale.page)
	for i := range 3 {
		v.chooses(payment.InternationalCard)
		v.card("5111111111111118", "05/39", "100")
		if i < 2 {
			v.reads(web.Text("vi", "checkout.try.declined"), web.Text("vi", "checkout.try.again", i+1, 3))
		}
	}
	v.reads(web.Text("vi", "checkout.denied"), web.Text("vi", "checkout.denied.tries", 3))
	if now := s.Reload(sale.payment); now.State != payment.Denied {
		v.Errorf("the payment is %s", now.State)
	}
	sale.isBack(v, "DENIED")
}

// Three passwords, then the order ends; the payment does not.
func wrongPassword(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.card(napas, "03/07", "")
	for _, left := range []int{2, 1} {
		v.password("000000")
		v.reads(web.Text("vi", "acquirer.problem.otp.wrong"), web.Text("vi", "acquirer.otp.left", left, 3))
		v.expect("422")
	}
	v.password("000000")
	v.reads(web.Text("vi", "checkout.try.authentication"), web.Text("vi", "checkout.try.again", 1, 3))
}

// A number that is no test card's is refused, and does not come back.
func noTestCard(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.InternationalCard)
	v.open(sale.page)
	v.chooses(payment.InternationalCard)
	v.card("4242424242424242", "01/39", "987")
	v.reads(web.Text("vi", "acquirer.problem.unknown"))
	v.expect("422")
	if page := ask[string](v, `document.documentElement.outerHTML`); strings.Contains(page, "4242") || strings.Contains(page, "987") {
		v.Error("what was typed comes back")
	}
	v.lacks("4242")
}

func failByExpiry(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard)
	v.open(sale.page)
	for _, c := range []struct{ date, reason string }{{"04/27", "expired"}, {"08/28", "unreachable"}} {
		v.chooses(payment.DomesticCard)
		v.card(napas, c.date, "")
		v.password("otp")
		v.reads(web.Text("vi", "checkout.try."+c.reason))
	}
}

func cancelAtBank(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard, payment.BankTransfer)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.click("#cancel")
	v.reads(web.Text("vi", "checkout.try.canceled"), web.Text("vi", "checkout.choose.title"))
	// Who gives up there can give up here too.
	v.click(cancelLink)
	v.click(cancelButton)
	v.reads(web.Text("vi", "checkout.canceled"))
	sale.isBack(v, "CANCELED")
}

// asks is the gateway's own question about the last attempt, which its worker asks in time.
func (s *sale) asks() {
	s.T.Helper()
	all, err := s.Core.PaymentAttempts(s.T.Context(), s.payment.ID)
	if err != nil || len(all) == 0 {
		s.T.Fatal(all, err)
	}
	if _, err := s.cards.Recheck(s.T.Context(), all[len(all)-1].ID); err != nil {
		s.T.Fatal(err)
	}
}

func payUnknown(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.card(napas, "05/37", "")
	v.password("otp")
	v.reads(web.Text("vi", "checkout.waiting.bank"), web.Text("vi", "checkout.bank.unknown"))
	v.lacks(web.Text("vi", "checkout.choose.change"))
	s.Advance(time.Minute)
	sale.asks()
	v.learns(web.Text("vi", "checkout.approved"))
	sale.isBack(v, "APPROVED")
}

func unknownDeclined(s *shop, v *visitor) {
	sale := s.sellFor(200_197, "vi", payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.card(napas, "03/07", "")
	v.password("otp")
	v.reads(web.Text("vi", "checkout.bank.unknown"))
	s.Advance(time.Minute)
	sale.asks()
	v.learns(web.Text("vi", "checkout.try.declined"), web.Text("vi", "checkout.choose.only"))
}

// The bank hears nothing; the payment page waits, and leads back to the bank.
func walkAway(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.click("#away")
	v.reads(web.Text("vi", "acquirer.away"))
	v.click("#back")
	v.reads(web.Text("vi", "checkout.waiting.bank"), web.Text("vi", "checkout.bank.text"))
	v.click(goOn)
	v.atBank()
	v.card(napas, "03/07", "")
	v.password("otp")
	v.reads(web.Text("vi", "checkout.approved"))
}

// From the card to a transfer; and the card that was left behind pays after all.
func changeToTransfer(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.BankTransfer, payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	bank := v.location().String()
	v.open(sale.page)
	v.reads(web.Text("vi", "checkout.waiting.bank"))
	v.click(leaveButton)
	v.reads(web.Text("vi", "checkout.choose.title"), web.Text("vi", "checkout.left.title", web.Text("vi", "checkout.method.domestic_card")))
	v.click(method(payment.BankTransfer))
	v.showsCode(sale.code())
	v.reads(sale.payment.Transfer.Memo())
	other := v.tab()
	other.open(bank)
	other.card(napas, "03/07", "")
	other.password("otp")
	other.reads(web.Text("vi", "checkout.approved"))
	v.learns(web.Text("vi", "checkout.approved"))
}

// One tab is at the bank, the other sees that and cannot begin a second payment; when one has paid, both know.
func twoTabsOfCards(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard, payment.MoMo)
	v.open(sale.page)
	other := v.tab()
	other.open(sale.page)
	other.seen(method(payment.MoMo))
	v.chooses(payment.DomesticCard)
	other.learns(web.Text("vi", "checkout.waiting.bank"))
	v.card(napas, "03/07", "")
	v.password("otp")
	v.reads(web.Text("vi", "checkout.approved"))
	other.learns(web.Text("vi", "checkout.approved"))
	all, err := s.Core.PaymentAttempts(s.T.Context(), sale.payment.ID)
	if err != nil || len(all) != 1 {
		v.Errorf("%d attempts, %v", len(all), err)
	}
}

func payWallets(s *shop, v *visitor) {
	for _, m := range []payment.Method{payment.MoMo, payment.ZaloPay, payment.VNPayQR} {
		sale := s.sellFor(200_000, "vi", everyWay...)
		v.open(sale.page)
		v.click(method(m))
		v.reads(web.Text("vi", "checkout.wallet.title", web.Text("vi", "checkout.method."+string(m))))
		v.seen(qrCode)
		v.click(goOn)
		v.atBank()
		v.reads(web.Text("vi", "acquirer.wallet."+string(m)), "200.000 ₫")
		v.click(`button[value="decline"]`)
		v.reads(web.Text("vi", "checkout.try.declined"))
		v.click(method(m))
		v.click(goOn)
		v.atBank()
		v.click(`button[value="pay"]`)
		v.reads(web.Text("vi", "checkout.approved"))
	}
}

// The payer's language goes to the bank and comes back; a phone pays while the page shows the code.
func walletInEnglish(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", everyWay...)
	v.open(sale.page)
	v.click(englishLink)
	v.reads(web.Text("en", "checkout.choose.title"))
	v.click(method(payment.MoMo))
	v.reads(web.Text("en", "checkout.wallet.title", "MoMo wallet"))
	address := ask[string](v, `document.querySelector("#go").href`)
	phone := v.tab()
	phone.open(address + "?lang=en")
	phone.reads(web.Text("en", "acquirer.wallet.title"))
	phone.click(`button[value="pay"]`)
	v.learns(web.Text("en", "checkout.approved"))
	v.speaks("en")
}

// The time runs out at the bank.
func cardExpires(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	s.Advance(31 * time.Minute)
	s.ExpireDue()
	v.reload()
	v.reads(web.Text("vi", "acquirer.result.walked_away"))
	v.click("#back")
	v.reads(web.Text("vi", "checkout.expired"))
	sale.isBack(v, "EXPIRED")
}

// The browser's own buttons.
func backFromBank(s *shop, v *visitor) {
	sale := s.sellFor(200_000, "vi", payment.BankTransfer, payment.DomesticCard)
	v.open(sale.page)
	v.chooses(payment.DomesticCard)
	v.reload()
	v.card(napas, "03/07", "")
	v.seen("#otp")
	v.reload()
	v.seen("#otp")
	v.back() // to the card form, as it was
	v.open(sale.page)
	v.reads(web.Text("vi", "checkout.waiting.bank"))
	v.reload()
	v.click(goOn)
	v.atBank()
	v.seen("#otp")
	v.password("otp")
	v.reads(web.Text("vi", "checkout.approved"))
	address, err := url.Parse(sale.page)
	if err != nil {
		v.Fatal(err)
	}
	v.back()
	v.back()
	v.open(sale.page)
	v.arrives(address.Path)
	v.reads(web.Text("vi", "checkout.approved"))
}

// The acquirer refuses the order: the page says so, and the other ways stay.
func nobodyReached(s *shop, v *visitor) {
	sale := s.sellFor(200_201, "vi", payment.BankTransfer, payment.DomesticCard)
	v.open(sale.page)
	v.click(method(payment.DomesticCard))
	v.reads(web.Text("vi", "checkout.unready.title"), web.Text("vi", "checkout.unready.text"))
	v.click(method(payment.BankTransfer))
	v.showsCode(sale.code())
}

// cardLooks are the pages of those who pay by card or wallet, the acquirer's too.
func cardLooks(s *shop, v *visitor) (all []look) {
	bank := func(name string) { all = append(all, look{name: name, address: v.here() + "?", message: true}) }
	page := func(name string, sale *sale) { all = append(all, look{name: name, address: sale.page + "&hold=1"}) }
	// An order for each of the acquirer's pages, so that all stand still.
	at := func(m payment.Method, steps ...func()) *sale {
		sale := s.sellFor(1_250_000, "vi", everyWay...)
		v.open(sale.page)
		v.click(method(m))
		if m == payment.MoMo || m == payment.ZaloPay || m == payment.VNPayQR {
			v.click(goOn)
		}
		v.atBank()
		for _, step := range steps {
			step()
		}
		return sale
	}
	filled := func(number, date, csc string) func() { return func() { v.card(number, date, csc); v.seen("#otp") } }
	napasCard := func(date string) func() { return filled(napas, date, "") }
	otp := func() {
		v.password("otp")
		v.until(`location.pathname.startsWith("/merchant/") && document.readyState === "complete"`)
	}

	page("choose", s.sellFor(1_250_000, "vi", everyWay...))
	at(payment.DomesticCard)
	bank("bank-card-domestic")
	waiting := at(payment.InternationalCard)
	bank("bank-card-international")
	page("waiting", waiting)
	at(payment.DomesticCard, napasCard("03/07"))
	bank("bank-otp")
	at(payment.InternationalCard, filled(visa, "01/39", "100"))
	bank("bank-secure")
	wallet := at(payment.MoMo)
	bank("bank-wallet")
	page("wallet", wallet)
	at(payment.VNPayQR)
	all = append(all, look{name: "bank-away", address: v.here() + "/away?", message: true})
	var closed string
	declined := at(payment.DomesticCard, func() { closed = v.here() }, napasCard("05/39"), otp)
	all = append(all, look{name: "bank-declined", address: closed + "?", message: true})
	page("choose-declined", declined)
	approved := at(payment.DomesticCard, func() { closed = v.here() }, napasCard("03/07"), otp)
	all = append(all, look{name: "bank-approved", address: closed + "?", message: true})
	page("approved-card", approved)
	unknown := at(payment.DomesticCard, napasCard("05/37"), otp)
	page("waiting-unknown", unknown)
	left := at(payment.DomesticCard)
	v.open(left.page)
	v.click(leaveButton)
	v.reads(web.Text("vi", "checkout.choose.title"))
	page("choose-left", left)
	denied := at(payment.DomesticCard, napasCard("05/39"), otp)
	for range 2 {
		v.chooses(payment.DomesticCard)
		napasCard("05/39")()
		otp()
	}
	page("denied", denied)
	refused := s.sellFor(1_250_201, "vi", everyWay...)
	v.open(refused.page)
	v.click(method(payment.DomesticCard))
	v.reads(web.Text("vi", "checkout.unready.title"))
	all = append(all, look{name: "unready", address: refused.page + "&step=unready&hold=1"})
	return all
}

// here is the address without its query.
func (v *visitor) here() string {
	u := v.location()
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}
