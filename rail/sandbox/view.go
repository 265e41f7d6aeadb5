package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/web"
)

const (
	recentPayments = 8
	reloadSeconds  = "5"
)

// startView is what the start page shows.
type startView struct {
	Head                web.Head
	Amount, Problem     string // of the form
	Vietnamese, English string
	Now                 time.Time
	Moved               bool // the clock is ahead of real time, by:
	Hours, Minutes      int
	Info                Info
	Curls               []curl
	Recent              []payment.Payment
	Live                liveView
}

// curl is a command to copy.
type curl struct {
	Name string // of its text
	Text string
}

// liveView is the part that changes by itself.
type liveView struct {
	Address string // of this part
	Still   string // address of the page that does not load itself again
	Held    bool   // that page is shown
	Chosen  *chosen
}

// chosen is a payment with everything that has happened to it.
type chosen struct {
	payment.Payment
	Lang    string
	Shop    string
	Page    string // address of the hosted page
	QR      template.HTML
	Bank    string
	Ways    []way
	Cards   []cardWay
	Tries   []payment.Attempt // by acquirers
	Credits []payment.Credit
	Entries []entry
	Notices []noticed
	IPNs    []ipn
	Waiting bool // something is still to come
}

// Partly says that some of the money is there and the rest is waited for.
func (c chosen) Partly() bool { return c.Received > 0 && c.Payment.Due() > 0 }

// Told says that the money is there and the merchant's server has been told.
func (c chosen) Told() bool {
	return c.State == payment.Approved && slices.ContainsFunc(c.Notices, func(n noticed) bool { return n.State == store.ItemDone })
}

// entry is a ledger entry.
type entry struct {
	ledger.Entry
	Lines []line
}

// line is a posting; one of the amounts is zero.
type line struct {
	Name          string // of the account's text
	Account       ledger.Account
	Debit, Credit money.VND
}

// noticed is a notification as the gateway sent it.
type noticed struct {
	store.Item
	Tries []store.Attempt
}

// ipn is a notification as the demo shop received it.
type ipn struct {
	received
	Request string // line, headers and body as on the wire, the body indented
	Answer  string // of the gateway when it was asked back, indented
}

// startView makes the page. again is where a browser without scripts goes next
// while something is to come, unless the visitor has held it.
func (h *Handler) startView(ctx context.Context, lang, paymentID, again string, held bool) (startView, error) {
	live, err := h.liveView(ctx, lang, paymentID)
	if err != nil {
		return startView{}, err
	}
	live.Held = held
	recent, err := h.Core.Search(ctx, core.Search{Limit: recentPayments})
	if err != nil {
		return startView{}, err
	}
	v := startView{
		Head:       web.Head{Title: web.Text(lang, "sandbox.title"), Scripts: []string{"sandbox.js"}},
		Vietnamese: here(web.Vietnamese, paymentID, ""), English: here(web.English, paymentID, ""),
		Now: h.Clock.Now(), Info: h.Info, Recent: recent, Live: live,
	}
	offset := h.Clock.Offset().Round(time.Minute)
	v.Moved, v.Hours, v.Minutes = offset > 0, int(offset.Hours()), int(offset.Minutes())%60
	if c := live.Chosen; c != nil && c.Waiting && !held {
		v.Head.Reload = reloadSeconds + ";url=" + again
	}
	v.Curls, err = h.curls(lang, live.Chosen)
	return v, err
}

// curls are ready-made calls: of the protocol, and of the simulators.
func (h *Handler) curls(lang string, c *chosen) ([]curl, error) {
	const reference = "@reference@"
	body, err := checkoutBody(h.Info.BaseURL, reference, defaultAmount, lang, "")
	if err != nil {
		return nil, err
	}
	code, page := `<vietqr_data>`, `<checkout_url>`
	if c != nil {
		code, page = core.OfferedVietQR(c.Payment), c.Page
	}
	p := h.Info.Paykit
	json := " \\\n  -H 'Content-Type: application/json'"
	return []curl{
		{"create", "curl -s " + p.BaseURL + "/payment-page-checkout \\\n  -H 'api-key: " + p.APIKey + "' \\\n  -H 'secret-key: " + p.SecretKey + "'" + json +
			" \\\n  -d '" + strings.ReplaceAll(string(body), reference, "ORDER-'$(date +%s)'") + "'"},
		{"pay", "curl -s " + h.Info.BaseURL + "/sandbox/bank-transfers" + json + " \\\n  -d '{\"vietqr\":\"" + code + "\"}'"},
		{"card", h.cardCurl(page)},
		{"advance", "curl -s " + h.Info.BaseURL + "/sandbox/clock" + json + " \\\n  -d '{\"advance\":\"31m\"}'"},
		{"inbox", "curl -s " + h.Info.BaseURL + inboxPath + inboxMerchant},
		{"admin", "curl -s " + h.Info.BaseURL + "/admin/v1/ledger/trial-balance \\\n  -H 'Authorization: Bearer " + h.Info.AdminToken + "'"},
	}, nil
}

func (h *Handler) liveView(ctx context.Context, lang, paymentID string) (liveView, error) {
	v := liveView{
		Address: "/sandbox/demo/live" + strings.TrimPrefix(here(lang, paymentID, ""), "/"),
		Still:   here(lang, paymentID, "") + "&hold=1#step-4",
	}
	if paymentID == "" || !plain(paymentID) {
		return v, nil
	}
	p, err := h.Core.Payment(ctx, paymentID)
	if payment.CodeOf(err) == payment.CodePaymentNotFound {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.Chosen, err = h.chosen(ctx, lang, p)
	return v, err
}

func (h *Handler) chosen(ctx context.Context, lang string, p payment.Payment) (*chosen, error) {
	c := &chosen{Payment: p, Lang: lang, Ways: ways(p), Cards: cardWays(p)}
	m, err := h.Core.Merchant(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	profile, err := h.Core.Profile(ctx, p.MerchantID, p.Dialect)
	if err != nil {
		return nil, err
	}
	c.Shop, c.Page = m.Name, h.Core.PageURL(profile.PublicID, p)+"&lang="+lang
	if code := core.VietQR(p); code != "" && !p.State.Closed() {
		if err := c.draw(code); err != nil {
			return nil, err
		}
	}
	if c.Credits, err = h.Core.Credits(ctx, core.CreditSearch{PaymentID: p.ID}); err != nil {
		return nil, err
	}
	journal, err := h.Core.Journal(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range journal {
		c.Entries = append(c.Entries, newEntry(e))
	}
	if err := h.notices(ctx, c); err != nil {
		return nil, err
	}
	if c.Tries, err = h.Core.PaymentAttempts(ctx, p.ID); err != nil {
		return nil, err
	}
	c.IPNs = h.arrived(profile.PublicID, p.Reference)
	return c, nil
}

// draw makes the QR code of what is still due.
func (c *chosen) draw(code string) error {
	bank, known := vietqr.LookupBIN(c.Transfer.BIN)
	c.Bank = bank.ShortName
	if !known {
		c.Bank = c.Transfer.BIN
	}
	svg, err := vietqr.SVG(code, vietqr.SVGOptions{Title: web.Text(c.Lang, "sandbox.open.alt", web.Dong(c.Lang, c.Payment.Due()))})
	c.QR = template.HTML(svg) // our own drawing; it escapes the title
	return err
}

// notices loads what the gateway told about the payment.
func (h *Handler) notices(ctx context.Context, c *chosen) error {
	items, err := h.Core.Notices(ctx, core.NoticeSearch{PaymentID: c.ID})
	if err != nil {
		return err
	}
	c.Waiting = !c.State.Closed()
	for _, item := range items {
		tries, err := h.Core.Attempts(ctx, item.ID)
		if err != nil {
			return err
		}
		c.Notices = append(c.Notices, noticed{item, tries})
		c.Waiting = c.Waiting || item.State == store.ItemPending
	}
	return nil
}

func newEntry(e ledger.Entry) entry {
	v := entry{Entry: e}
	for _, p := range e.Postings() {
		v.Lines = append(v.Lines, line{Name: accountName(p.Account), Account: p.Account, Debit: max(p.Amount, 0), Credit: max(-p.Amount, 0)})
	}
	return v
}

// accountName is the text that explains an account.
func accountName(a ledger.Account) string {
	kind, rest, _ := strings.Cut(string(a), ":")
	switch kind {
	case "bank", "acquirer", "terminal", "cash":
		return kind
	}
	return rest[strings.LastIndex(rest, ":")+1:]
}

// arrived is what the demo shops received about a payment, oldest first.
func (h *Handler) arrived(mid, reference string) []ipn {
	var found []ipn
	for _, name := range []string{inboxMerchant, inboxPlatform} {
		all, _ := h.inboxes.list(name)
		for _, r := range all {
			if n := readTold([]byte(r.Body)); n.MID == mid && n.PaymentID == reference {
				found = append(found, newIPN(name, r))
			}
		}
	}
	slices.Reverse(found)
	return found
}

func newIPN(inbox string, r received) ipn {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s%s\n", inboxPath, inbox)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		fmt.Fprintf(&b, "%s: %s\n", name, r.Headers[name])
	}
	v := ipn{received: r, Request: b.String() + "\n" + indented([]byte(r.Body))}
	if r.Asked != nil {
		v.Answer = indented(r.Asked.Body)
	}
	return v
}

// indented writes JSON for people; what is none stays as it is.
func indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// Time is the time of day in Vietnam (+07:00) at which a notification came.
func (r received) Time() string { return r.At.In(clock.Vietnam).Format("15:04:05") }

// plain says whether a text can be asked for in a database at all.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
