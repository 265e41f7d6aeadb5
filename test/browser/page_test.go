package browser

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"github.com/thungan/thungan/web"
)

// Buttons and links of the payment page.
const (
	cancelLink   = `a[href*="step=cancel"]`
	cancelButton = `form[action*="/cancel"] button`
	englishLink  = `a[hreflang="en"]`
	shopLink     = `a[href*="` + backPath + `"]`
)

// TestPage pays through the hosted page on both databases, with scripts and without them.
func TestPage(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		run  func(*shop, *visitor)
	}{
		{"exact", payExactly},
		{"short", payShort},
		{"over", payOver},
		{"late", payLate},
		{"twice", payTwice},
		{"virtual account", payVirtualAccount},
		{"cancel", giveUp},
		{"cancel after a part", giveUpPart},
		{"expire after a part", expirePart},
		{"language", switchLanguage},
		{"reload and back", reloadAndBack},
		{"two tabs", twoTabs},
		{"stranger", stranger},
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
				if v.scripts {
					t.Run("copy", func(t *testing.T) { copyValues(s.in(t), v.in(t)) })
				}
			})
		}
	})
}

// The plain way: what the page asks for is what the API has told, and the result comes by itself.
func payExactly(s *shop, v *visitor) {
	sale := s.sell(1_250_000)
	v.open(sale.page)
	v.showsCode(sale.BankTransfer.VietQRData)
	to := sale.payment.Transfer
	v.reads("1.250.000 ₫", to.Number, to.Memo(), to.Holder, "MBBank", s.Memo.Merchant.Name, "Trà sữa trân châu", sale.payment.Reference, web.Text("vi", "checkout.waiting"))
	if !v.scripts {
		v.reads(web.Text("vi", "checkout.reload"))
	}
	v.mark()
	sale.pays(1_250_000)
	v.reads(web.Text("vi", "checkout.approved"), web.Text("vi", "checkout.approved.text", s.Memo.Merchant.Name))
	if v.marked() != v.scripts {
		v.Errorf("scripts %t, and yet the page is the same as before: %t", v.scripts, v.marked())
	}
	v.lacks(to.Memo(), sale.BankTransfer.VietQRData)
	if v.scripts {
		if said := ask[string](v, `document.querySelector('[role="status"][aria-live]').textContent`); said != web.Text("vi", "checkout.approved") {
			v.Errorf("a screen reader is told %q", said)
		}
	}
	sale.isBack(v, "APPROVED")
}

// isBack waits until the payer is in the shop again, and looks at what the shop is told.
func (s *sale) isBack(v *visitor, result string) {
	v.Helper()
	told := v.arrives(backPath).Query()
	want := url.Values{"order": {"1"}, "mid": {s.Memo.Profile.PublicID}, "payment_id": {s.payment.Reference}, "result": {result}}
	if told.Encode() != want.Encode() {
		v.Errorf("the shop is told %q, want %q", told.Encode(), want.Encode())
	}
}

// Half of the money: the page asks for the rest, by a new code.
func payShort(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.showsCode(sale.BankTransfer.VietQRData)
	sale.pays(50_000)
	v.learns(web.Text("vi", "checkout.part.title", "50.000 ₫", "150.000 ₫"), web.Text("vi", "checkout.amount.rest"))
	rest := sale.code()
	if rest == sale.BankTransfer.VietQRData {
		v.Fatal("the code for the rest is the first one")
	}
	v.showsCode(rest)
	v.lacks(sale.BankTransfer.VietQRData)
	sale.pays(150_000)
	v.learns(web.Text("vi", "checkout.approved"))
	v.lacks(rest)
}

// Too much: it is paid, and nobody is sent away before reading what happens to the excess.
func payOver(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.seen(qrCode)
	sale.pays(230_000)
	v.learns(web.Text("vi", "checkout.approved"), web.Text("vi", "checkout.over.title", "30.000 ₫"))
	v.lacks(web.Text("vi", "checkout.return.soon"))
	v.click(shopLink)
	sale.isBack(v, "APPROVED")
}

// The offer ends while its page is open, and then the money comes.
func payLate(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.seen(qrCode)
	sale.expires()
	v.learns(web.Text("vi", "checkout.expired"))
	v.lacks(sale.payment.Transfer.Memo(), sale.BankTransfer.VietQRData)
	sale.pays(200_000)
	v.open(sale.page)
	v.reads(web.Text("vi", "checkout.late.title", "200.000 ₫"))
	v.lacks(web.Text("vi", "checkout.return.soon"))
	v.click(shopLink)
	sale.isBack(v, "EXPIRED")
}

// The second transfer for one payment is told too.
func payTwice(s *shop, v *visitor) {
	sale := s.sell(80_000)
	sale.pays(80_000)
	sale.pays(80_000)
	v.open(sale.page)
	v.reads(web.Text("vi", "checkout.approved"), web.Text("vi", "checkout.again.title", "80.000 ₫"))
}

// A merchant with virtual accounts: the account is the payment's own.
func payVirtualAccount(s *shop, v *visitor) {
	sale := s.sellBy(s.Virtual, 75_000, "vi")
	v.open(sale.page)
	v.showsCode(sale.BankTransfer.VietQRData)
	v.reads(sale.payment.Transfer.Number, web.Text("vi", "checkout.details.account.hint"), s.Virtual.Merchant.Name)
	if !strings.HasPrefix(sale.payment.Transfer.Number, "PKVA") {
		v.Errorf("the account is %s", sale.payment.Transfer.Number)
	}
	sale.pays(75_000)
	v.learns(web.Text("vi", "checkout.approved"))
}

// Nobody gives up by accident: the page asks first.
func giveUp(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.click(cancelLink)
	v.reads(web.Text("vi", "checkout.cancel.title"))
	v.click(`main a[href*="/merchant/"]`)
	v.showsCode(sale.BankTransfer.VietQRData)
	v.click(cancelLink)
	v.click(cancelButton)
	v.reads(web.Text("vi", "checkout.canceled"))
	if now := s.Reload(sale.payment); now.State != payment.Canceled {
		v.Errorf("the payment is %s", now.State)
	}
	v.click(shopLink)
	sale.isBack(v, "CANCELED")
}

// Who gives up after a part was paid is warned before and told after, and not sent away meanwhile.
func giveUpPart(s *shop, v *visitor) {
	sale := s.sell(200_000)
	sale.pays(50_000)
	v.open(sale.page)
	v.click(cancelLink)
	v.reads(web.Text("vi", "checkout.cancel.part", "50.000 ₫"))
	v.click(cancelButton)
	v.reads(web.Text("vi", "checkout.canceled"), web.Text("vi", "checkout.kept.title", "50.000 ₫"))
	v.lacks(web.Text("vi", "checkout.return.soon"))
}

// The same when the time runs out.
func expirePart(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.seen(qrCode)
	sale.pays(50_000)
	sale.expires()
	v.learns(web.Text("vi", "checkout.expired"), web.Text("vi", "checkout.kept.title", "50.000 ₫"))
	v.lacks(web.Text("vi", "checkout.return.soon"))
}

// The payer's language is kept over everything that happens.
func switchLanguage(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.speaks("vi")
	v.click(englishLink)
	v.reads(web.Text("en", "checkout.scan.title"), "200,000 ₫")
	v.speaks("en")
	v.showsCode(sale.BankTransfer.VietQRData)
	sale.pays(50_000)
	v.learns(web.Text("en", "checkout.part.title", "50,000 ₫", "150,000 ₫"))
	v.click(cancelLink)
	v.reads(web.Text("en", "checkout.cancel.title"), web.Text("en", "checkout.cancel.part", "50,000 ₫"))
	v.speaks("en")
	v.click(cancelButton)
	v.reads(web.Text("en", "checkout.canceled"))
	v.speaks("en")

	foreign := s.sellBy(s.Memo, 99_000, "en")
	v.open(foreign.page)
	v.reads(web.Text("en", "checkout.scan.title"))
	v.speaks("en")
}

func (v *visitor) speaks(lang string) {
	v.Helper()
	if got := ask[string](v, `document.documentElement.lang`); got != lang {
		v.Errorf("the page's language is %q, want %q", got, lang)
	}
}

// The browser's own buttons show the payment as it is. Without scripts one case is left: Chromium keeps the page in
// memory for its back button, against no-store, and does not take up its reloading again. There the payer reloads.
func reloadAndBack(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.showsCode(sale.BankTransfer.VietQRData)
	v.reload()
	v.showsCode(sale.BankTransfer.VietQRData)
	v.click(cancelLink)
	v.reads(web.Text("vi", "checkout.cancel.title"))
	v.back()
	v.showsCode(sale.BankTransfer.VietQRData)
	v.open(s.url + backPath)
	sale.pays(200_000)
	v.back()
	address, err := url.Parse(sale.page)
	if err != nil {
		v.Fatal(err)
	}
	v.arrives(address.Path)
	v.learns(web.Text("vi", "checkout.approved"))
	v.lacks(sale.BankTransfer.VietQRData)
	v.reload()
	v.reads(web.Text("vi", "checkout.approved"))
}

// Two tabs of one payment tell the same.
func twoTabs(s *shop, v *visitor) {
	sale := s.sell(200_000)
	v.open(sale.page)
	v.seen(qrCode)
	other := v.tab()
	other.open(sale.page + "&lang=en")
	other.seen(qrCode)
	sale.pays(50_000)
	v.learns(web.Text("vi", "checkout.part.title", "50.000 ₫", "150.000 ₫"))
	other.learns(web.Text("en", "checkout.part.title", "50,000 ₫", "150,000 ₫"))
	sale.pays(150_000)
	v.learns(web.Text("vi", "checkout.approved"))
	other.learns(web.Text("en", "checkout.approved"))
}

// Without the right key there is nothing to see: not even that the payment exists.
func stranger(s *shop, v *visitor) {
	sale := s.sell(200_000)
	address, key, _ := strings.Cut(sale.page, "?key=")
	if len(key) < 20 {
		v.Fatalf("the key %q can be guessed", key)
	}
	nobody := s.url + "/merchant/MC_NOBODY/payment/NOTHING?key=" + key
	wrong := []string{address, address + "?key=", address + "?key=" + key[1:], address + "?key=" + s.key(s.sell(1_000)), nobody}
	var pages []string
	for _, a := range wrong {
		v.open(a)
		v.reads(web.Text("vi", "checkout.gone.title"))
		if got := v.lastStatus(); got != 404 {
			v.Errorf("%s answers %d", a, got)
		}
		v.expect("404") // the browser notes the status, and there is nothing else to note
		pages = append(pages, ask[string](v, `document.documentElement.outerHTML`))
	}
	if len(slices.Compact(pages)) != 1 {
		v.Error("the pages for wrong keys differ")
	}
	to := sale.payment.Transfer
	for _, secret := range []string{to.Number, to.Memo(), to.Holder, s.Memo.Merchant.Name, "200.000", sale.payment.Reference, sale.BankTransfer.VietQRData} {
		if strings.Contains(pages[0], secret) {
			v.Errorf("a stranger sees %q", secret)
		}
	}
}

func (s *shop) key(other *sale) string {
	_, key, _ := strings.Cut(other.page, "?key=")
	return key
}

// Each copy button puts its value, as a banking app wants it, into the clipboard.
func copyValues(s *shop, v *visitor) {
	_, err := chromedp.CallBrowser(v.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted, Origin: s.url,
	})
	if err != nil {
		v.Fatal(err)
	}
	sale := s.sell(1_250_000)
	v.open(sale.page)
	v.front()
	v.seen(qrCode)
	v.click("details summary")
	to := sale.payment.Transfer
	for _, value := range []string{to.Number, "1250000", to.Memo(), sale.BankTransfer.VietQRData} {
		button := `button[data-copy="` + value + `"]`
		v.click(button)
		v.until(`document.querySelector('` + button + `').textContent.includes("` + web.Text("vi", "checkout.copied") + `")`)
		if got := ask[string](v, `navigator.clipboard.readText()`); got != value {
			v.Errorf("the clipboard has %q, want %q", got, value)
		}
		if said := ask[string](v, `document.querySelector('[role="status"]').textContent`); said != web.Text("vi", "checkout.copied") {
			v.Errorf("a screen reader is told %q", said)
		}
	}
}
