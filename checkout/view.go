package checkout

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/web"
)

// Screen is which of the page's faces is shown.
type Screen string

// The steps that an address may name.
const (
	stepCancel  = "cancel"
	stepMethod  = "method"
	stepAway    = "away"
	stepUnready = "unready"
)

// The screens. The last six are named after the states that they show.
const (
	Choose     Screen = "choose"   // the payer picks a method
	Confirm    Screen = "cancel"   // the payer is asked whether to give up
	Scan       Screen = "transfer" // what to transfer, and where
	Unready    Screen = "unready"  // the chosen method cannot be used here
	Away       Screen = "away"     // the payer is being sent to the acquirer
	Wallet     Screen = "wallet"   // the acquirer's QR code and app
	Processing Screen = "processing"
	OnDelivery Screen = "on_delivery" // cash is to be collected
	Approved   Screen = "approved"
	Denied     Screen = "denied"
	Canceled   Screen = "canceled"
	Expired    Screen = "expired"
	Voided     Screen = "voided"
)

// The seconds until a page without scripts asks again, and until a payer whose
// payment has closed is sent back to the shop.
const (
	reloadSeconds = "5"
	leaveSeconds  = 5
)

// View is what a page shows. It is made of a core.Page by newView and holds
// nothing that the payer must not see.
type View struct {
	Head    web.Head
	Lang    string
	Screen  Screen
	Closed  bool
	Version int64
	Now     int64 // milliseconds since 1970
	Say     string
	Links   Links
	Key     string // for the forms

	Merchant, Mark         string
	Reference, Description string

	Amount, Received, Due, Excess, Refunded money.VND

	DueAt  time.Time
	DueMS  int64
	Left   string
	PaidAt time.Time
	Method payment.Method

	Order     *OrderView // nil when the payment pays for none
	Choices   []Choice
	CanChange bool // there are other methods to choose
	Transfer  *Transfer
	Try       *Try     // the payer's last try by an acquirer
	Handoff   *Handoff // on Away and Wallet

	Late    money.VND // came after the payment had closed or was paid, and waits for the shop
	Return  string    // where the shop is, "" for nowhere
	Leaving bool      // the payer is about to be sent there
	Held    bool      // the payer has asked the page to stand still
}

// Choice is one way to pay.
type Choice struct {
	Method payment.Method
	Icon   string
	Chosen bool
}

// Transfer is what the payer tells the bank.
type Transfer struct {
	BankCode, BankName string
	Account, Holder    string
	Memo               string
	MemoCounts         bool // the transfer is recognised by its memo
	Payload            string
	QR                 template.HTML
	Apps               []App
}

// Partly says that some of the money is there and the rest is waited for.
func (v View) Partly() bool { return v.Received > 0 && v.Due > 0 }

// Kept says that the payment has closed with money that did not pay it.
func (v View) Kept() bool { return v.Partly() && v.Closed && v.Screen != Voided }

// Long says that the amount needs smaller type on a phone.
func (v View) Long() bool { return len(v.shown().Grouped()) > 12 }

func (v View) shown() money.VND {
	if v.Partly() {
		return v.Due
	}
	return v.Amount
}

// Wish is what a request asks of the page beside the payment.
type Wish struct {
	Lang string // of the page; "" is the payment's own
	Step string // one of the steps, or ""
	Hold bool   // do not reload and do not leave
	Key  string
}

// newView makes the view of a page at a moment. Late is the money that came
// after the payment had closed and waits for a person; it is in no field of the
// payment.
func newView(page core.Page, wish Wish, late money.VND, tries Tries, now time.Time) (View, error) {
	p := page.Payment
	v := View{
		Lang: wish.Lang, Closed: p.State.Closed(), Version: p.Version, Now: now.UnixMilli(),
		Links: newLinks(page.PublicID, p.Reference, wish), Key: wish.Key,
		Merchant: page.Merchant.Name, Mark: mark(page.Merchant.Name),
		Reference: p.Reference, Description: p.Description,
		Amount: p.Amount, Received: p.Received, Due: p.Due(), Excess: p.Excess(), Refunded: p.Refunded,
		DueAt: p.DueAt, DueMS: p.DueAt.UnixMilli(), Left: left(wish.Lang, p.DueAt.Sub(now)),
		PaidAt: p.CompletedAt, Method: p.Method,
		CanChange: len(p.Methods) > 1, Late: late, Held: wish.Hold,
	}
	if web.Linkable(page.ReturnURL) {
		v.Return = page.ReturnURL
	}
	payload := core.VietQR(p)
	live := tries.live()
	v.Try = newTry(p, tries)
	v.Screen = screen(p, wish.Step, payload, live)
	switch v.Screen {
	case Scan:
		t, err := newTransfer(v, p, payload)
		if err != nil {
			return View{}, err
		}
		v.Transfer = t
	case Choose, Unready:
		v.Choices = choices(p)
	case Away, Wallet:
		v.Handoff = newHandoff(v, *live)
	}
	v.head()
	return v, nil
}

// screen is the one table from a payment, and the attempt that is under way, to
// what is shown of it.
func screen(p payment.Payment, step, payload string, live *payment.Attempt) Screen {
	switch p.State {
	case payment.Processing:
		switch {
		case p.Method == payment.COD:
			return OnDelivery
		case live == nil || live.State != payment.AttemptSent:
		case step == stepAway && live.Handoff.QR == "":
			return Away
		case live.Handoff.QR != "":
			return Wallet
		}
		return Processing
	case payment.Approved:
		return Approved
	case payment.Denied:
		return Denied
	case payment.Canceled:
		return Canceled
	case payment.Expired:
		return Expired
	case payment.Voided:
		return Voided
	}
	method := current(p)
	switch {
	case step == stepCancel:
		return Confirm
	case step == stepUnready:
		return Unready
	case method == "", step == stepMethod && len(p.Methods) > 1, byAcquirer(method):
		return Choose
	case method == payment.BankTransfer && payload != "":
		return Scan
	}
	return Unready
}

// current is the method in use: the chosen one, or the only one.
func current(p payment.Payment) payment.Method {
	if p.Method == "" && len(p.Methods) == 1 {
		return p.Methods[0]
	}
	return p.Method
}

func choices(p payment.Payment) []Choice {
	var all []Choice
	for _, m := range p.Methods {
		if m == payment.AtPartner {
			continue // its word comes by itself; no payer can choose it here
		}
		all = append(all, Choice{Method: m, Icon: icons[m], Chosen: m == p.Method})
	}
	return all
}

// icons are the drawings of the methods.
var icons = map[payment.Method]string{
	payment.BankTransfer: "bank", payment.DomesticCard: "card", payment.InternationalCard: "globe", payment.CardPresent: "card",
	payment.MoMo: "wallet", payment.ZaloPay: "wallet", payment.VNPayQR: "qr", payment.COD: "cash", payment.AtPartner: "cash",
}

// head sets what goes around the content: title, announcement, and where the
// browser goes by itself.
func (v *View) head() {
	v.Head.Scripts = []string{"checkout.js"}
	amount := web.Dong(v.Lang, v.shown())
	switch v.Screen {
	case Choose, Unready:
		v.Head.Title = web.Text(v.Lang, "checkout.title.choose", amount, v.Merchant)
		v.Say = web.Text(v.Lang, "checkout.waiting.choice")
		if !v.CanChange { // the merchant has chosen
			v.Head.Title = web.Text(v.Lang, "checkout.title.pay", amount, v.Merchant)
			v.Say = web.Text(v.Lang, "checkout.waiting.only")
		}
		if v.Try != nil && v.Try.Failed {
			v.Say = web.Text(v.Lang, "checkout.try."+v.Try.Reason)
		}
	case Away:
		v.Head.Title = web.Text(v.Lang, "checkout.title.pay", amount, v.Merchant)
		v.Say = web.Text(v.Lang, "checkout.away.title")
		v.Head.Scripts = []string{"handoff.js"}
		v.Head.Refresh = v.Handoff.refresh()
		return
	case Wallet:
		v.Head.Title = web.Text(v.Lang, "checkout.title.pay", amount, v.Merchant)
		v.Say = web.Text(v.Lang, "checkout.waiting.wallet")
	case Confirm:
		v.Head.Title = web.Text(v.Lang, "checkout.title.cancel", amount, v.Merchant)
		v.Say = web.Text(v.Lang, "checkout.cancel.title")
	case Scan:
		v.Head.Title = web.Text(v.Lang, "checkout.title.pay", amount, v.Merchant)
		v.Say = web.Text(v.Lang, "checkout.waiting")
		if v.Partly() {
			v.Say = web.Text(v.Lang, "checkout.part.title", web.Dong(v.Lang, v.Received), amount)
		}
	default:
		v.Say = web.Text(v.Lang, "checkout."+string(v.Screen))
		if v.Screen == Processing && v.Try != nil {
			v.Say = web.Text(v.Lang, "checkout.waiting.bank")
		}
		v.Head.Title = web.Text(v.Lang, "checkout.title.result", v.Say, v.Merchant)
	}
	switch {
	case v.Held, v.Screen == Confirm, v.Screen == OnDelivery:
	case v.Closed:
		v.Leaving = v.Return != "" && !v.mustRead()
		if v.Leaving {
			v.Head.Refresh = web.RefreshTo(leaveSeconds, v.Return)
		}
	default:
		v.Head.Reload = reloadSeconds
	}
}

// mustRead says that there is money to explain: then nobody is sent away while
// still reading.
func (v View) mustRead() bool {
	return v.Late > 0 || v.Excess > 0 || v.Kept() || v.Screen == Voided
}

func newTransfer(v View, p payment.Payment, payload string) (*Transfer, error) {
	to := p.Transfer
	t := &Transfer{
		BankCode: to.BIN, Account: to.Number, Holder: to.Holder,
		Memo: to.Memo(), MemoCounts: to.Memo() != to.Number, Payload: payload,
	}
	if bank, ok := vietqr.LookupBIN(to.BIN); ok {
		t.BankCode, t.BankName = bank.ShortName, bank.Name
		t.Apps = bankApps(bank, p)
	}
	svg, err := vietqr.SVG(payload, vietqr.SVGOptions{Title: describe(v, t)})
	if err != nil {
		return nil, fmt.Errorf("checkout: draw the QR code: %w", err)
	}
	t.QR = template.HTML(svg) // our own drawing; it escapes the title
	return t, nil
}

// describe tells in words what the QR code says.
func describe(v View, t *Transfer) string {
	amount := web.Dong(v.Lang, v.Due)
	if t.Memo == "" {
		return web.Text(v.Lang, "checkout.scan.alt.plain", amount, t.Account, t.BankCode, t.Holder)
	}
	return web.Text(v.Lang, "checkout.scan.alt", amount, t.Account, t.BankCode, t.Holder, t.Memo)
}

// left writes how much time there is, in whole minutes, hours and minutes, or
// days and hours.
func left(lang string, d time.Duration) string {
	minutes, hours := int(d.Minutes()), int(d.Hours())
	switch {
	case d <= 0:
		return web.Text(lang, "checkout.left.over")
	case minutes < 1:
		return web.Text(lang, "checkout.left.minute")
	case hours < 1:
		return web.Text(lang, "checkout.left.minutes", minutes)
	case hours < 24:
		return web.Text(lang, "checkout.left.hours", hours, minutes%60)
	}
	return web.Text(lang, "checkout.left.days", hours/24, hours%24)
}

// mark is the letter that stands for a shop without a picture.
func mark(name string) string {
	i := strings.IndexFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	if i < 0 {
		return "₫"
	}
	r, _ := utf8.DecodeRuneInString(name[i:])
	return string(unicode.ToUpper(r))
}

// offered says whether m is one of the payment's methods.
func offered(p payment.Payment, m payment.Method) bool { return slices.Contains(p.Methods, m) }
