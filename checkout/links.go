package checkout

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/web"
)

// Links are the addresses of one payment's page, all on our own origin.
type Links struct {
	Here       string // the page as it opens first
	Step       string // the page at the step that was wished for
	Hold       string // the page that neither reloads nor leaves
	Events     string
	QRImage    string // PNG, which banking apps can pick from the photos
	QRDrawing  string // SVG
	CancelStep string
	MethodStep string
	Cancel     string // takes POST
	Method     string // takes POST
	Leave      string // takes POST
	Away       string // sends the payer to the acquirer
	Vietnamese string
	English    string
}

func newLinks(publicID, reference string, w Wish) Links {
	base := "/merchant/" + url.PathEscape(publicID) + "/payment/" + url.PathEscape(reference)
	with := func(tail string, pairs ...string) string {
		q := "?key=" + url.QueryEscape(w.Key)
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				q += "&" + pairs[i] + "=" + url.QueryEscape(pairs[i+1])
			}
		}
		return base + tail + q
	}
	return Links{
		Here:       with("", "lang", w.Lang),
		Step:       with("", "lang", w.Lang, "step", w.Step),
		Hold:       with("", "lang", w.Lang, "hold", "1"),
		Events:     with("/events", "lang", w.Lang, "step", w.Step),
		QRImage:    with("/qr.png", "lang", w.Lang),
		QRDrawing:  with("/qr.svg", "lang", w.Lang),
		CancelStep: with("", "lang", w.Lang, "step", stepCancel),
		MethodStep: with("", "lang", w.Lang, "step", stepMethod),
		Away:       with("", "lang", w.Lang, "step", stepAway),
		// The forms carry the key themselves.
		Cancel:     base + "/cancel?lang=" + url.QueryEscape(w.Lang),
		Method:     base + "/method?lang=" + url.QueryEscape(w.Lang),
		Leave:      base + "/leave?lang=" + url.QueryEscape(w.Lang),
		Vietnamese: with("", "lang", web.Vietnamese, "step", w.Step),
		English:    with("", "lang", web.English, "step", w.Step),
	}
}

// App is a banking app that a link opens with the transfer filled in.
type App struct {
	Name string
	Link string
}

// fillingApps are the banks whose apps fill the transfer in when they are
// opened through VietQR.io's deep links, by the id of the app there. Source:
// the changelog of vietqr.io, entries 2.12 (OCB), 2.15 (ACB), 2.16 (BIDV), 2.17
// (VietinBank) and 2.18 (MB, 2026-07-31). Other banks' apps only open, so they
// are left out.
var fillingApps = []struct{ id, name string }{
	{"mb", "MBBank"},
	{"icb", "VietinBank"},
	{"bidv", "BIDV"},
	{"acb", "ACB"},
	{"ocb", "OCB"},
}

// bankApps links to the banking apps for one transfer. The parameters are those
// of the same changelog: ba is account@bank, am the amount, tn the memo, bn the
// holder, url where the app leads back to. The last is no more than the shop's
// origin: the address of the page holds the key, and is nobody else's business.
//
// The links lead to a third party, who learns the transfer's data when, and
// only when, the payer follows one. Nothing is loaded from there.
func bankApps(bank vietqr.Bank, p payment.Payment) []App {
	query := "&ba=" + escape(p.Transfer.Number) + "@" + escape(strings.ToLower(bank.Code)) +
		"&am=" + strconv.FormatInt(int64(p.Due()), 10) + "&tn=" + escape(p.Transfer.Memo()) + "&bn=" + escape(p.Transfer.Holder)
	if u, err := url.Parse(p.SuccessURL); err == nil && web.Linkable(p.SuccessURL) {
		query += "&url=" + escape(u.Scheme+"://"+u.Host)
	}
	var all []App
	for _, app := range fillingApps {
		all = append(all, App{Name: app.name, Link: "https://dl.vietqr.io/pay?app=" + app.id + query})
	}
	return all
}

// escape writes a space as %20: the apps do not all read a plus as one.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
