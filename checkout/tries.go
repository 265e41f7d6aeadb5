package checkout

import (
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/web"
)

// byAcquirer says whether a method leads over an acquirer.
func byAcquirer(m payment.Method) bool {
	switch m {
	case payment.DomesticCard, payment.InternationalCard, payment.MoMo, payment.ZaloPay, payment.VNPayQR:
		return true
	}
	return false
}

// Tries is how a payer has tried to pay by acquirers.
type Tries struct {
	Attempts []payment.Attempt // oldest first
	Most     int               // how many may reach an acquirer
}

// live is the attempt that the payer may be about to pay by.
func (t Tries) live() *payment.Attempt {
	i := slices.IndexFunc(t.Attempts, payment.Attempt.Live)
	if i < 0 {
		return nil
	}
	return &t.Attempts[i]
}

// Try is the last attempt as the payer is told of it.
type Try struct {
	Method     payment.Method
	Number, Of int    // among the attempts that reached an acquirer
	Failed     bool   // it came to nothing, and the payer has not left it
	Reason     string // why it failed, a text's key
	Unknown    bool   // nobody can tell what became of it
	Left       bool   // the payer has left it, and nobody knows yet how it ended
	Going      bool   // the payer is at the acquirer
}

// newTry makes the Try of a payment, nil for none.
func newTry(p payment.Payment, t Tries) *Try {
	if len(t.Attempts) == 0 {
		return nil
	}
	last := t.Attempts[len(t.Attempts)-1]
	try := &Try{
		Method: last.Method, Of: t.Most, Failed: last.State == payment.AttemptFailed && !last.Left, Unknown: last.State == payment.AttemptUnknown && !last.Left,
		Left: last.Left && !last.State.Final(), Going: last.State == payment.AttemptSent && !last.Left,
	}
	for _, a := range t.Attempts {
		if a.Sent() {
			try.Number++
		}
	}
	if try.Failed {
		try.Reason = reasonOf(last)
	}
	return try
}

// More says that the payer may try again.
func (t Try) More() bool { return t.Number < t.Of }

// Handoff is how the payer is sent to the acquirer.
type Handoff struct {
	URL     string
	Fields  map[string]string
	Script  string
	Session string
	QR      template.HTML // "" when there is none that can be drawn
	App     template.URL  // opens the acquirer's app; "" for none
}

func newHandoff(v View, a payment.Attempt) *Handoff {
	h := &Handoff{URL: a.Handoff.URL, Fields: a.Handoff.Fields, Script: a.Handoff.Script, Session: a.Handoff.Session, App: appLink(a.Handoff.App)}
	if !web.Linkable(h.URL) {
		h.URL = ""
	}
	if v.Screen == Wallet {
		svg, err := vietqr.SVG(a.Handoff.QR, vietqr.SVGOptions{Title: web.Text(v.Lang, "checkout.wallet.alt", web.Dong(v.Lang, a.Amount), web.Text(v.Lang, "checkout.method."+string(a.Method)))})
		if err == nil { // else it is too long for a code, and the link is left
			h.QR = template.HTML(svg) // our own drawing; it escapes the title
		}
	}
	return h
}

// refresh sends the browser on, when a plain address is all that it takes.
func (h Handoff) refresh() string {
	if h.Fields != nil || h.Script != "" {
		return ""
	}
	return web.RefreshTo(0, h.URL)
}

var appScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]{1,31}$`)

// appLink is a link into an app on the payer's phone, "" for one that a browser
// would run or show itself.
func appLink(address string) template.URL {
	u, err := url.Parse(address)
	if err != nil || !appScheme.MatchString(u.Scheme) {
		return ""
	}
	switch u.Scheme {
	case "javascript", "vbscript", "data", "file", "blob", "about", "http", "filesystem":
		return ""
	}
	return template.URL(address) // its scheme is an app's, or https
}

// allowance is what the page needs besides: to send the payer on, and, for an
// order, to have the shop's pictures and to stand in a container of mini apps.
func (v View) allowance() (a web.Allowance) {
	if v.Order != nil {
		a.Framed, a.Pictures = true, v.Order.pictures()
	}
	if v.Screen != Away {
		return a
	}
	if v.Handoff.Fields != nil {
		a.Form = web.Origin(v.Handoff.URL)
	}
	if v.Handoff.Script != "" {
		a.Script = web.Origin(v.Handoff.Script)
	}
	return a
}

// reasonOf says in a word why an attempt came to nothing. The acquirers' own
// texts are for operators.
func reasonOf(a payment.Attempt) string {
	if !a.Sent() {
		return "unready"
	}
	// Some acquirers tell a status and a reason; the connectors join them.
	for code := range strings.SplitSeq(a.Code, "/") {
		if reason := reasons[a.Kind][code]; reason != "" {
			return reason
		}
	}
	return "declined"
}

// reasons are the acquirers' codes in the payer's words, by connector. What is
// not here is told as declined. Sources: rails.md, 3; the codes of the
// connectors in rail/card.
var reasons = map[string]map[string]string{
	"sandbox": {
		"11": "time", "1A": "authentication", "24": "canceled", "51": "funds", "54": "expired", "62": "locked", "68": "unreachable", "75": "authentication",
		"78": "locked", "91": "unreachable", "N7": "data",
	},
	"vnpay": {
		"05": "authentication", "06": "authentication", "08": "unreachable", "09": "locked", "10": "data", "11": "time", "12": "locked", "13": "authentication",
		"24": "canceled", "51": "funds", "65": "limit", "75": "unreachable", "79": "authentication",
	},
	"onepay": {
		"8": "data", "9": "data", "10": "expired", "11": "locked", "12": "data", "13": "limit", "21": "funds", "22": "data", "23": "locked", "24": "data",
		"25": "authentication", "253": "time", "99": "canceled",
	},
	"momo": {
		"1001": "funds", "1003": "canceled", "1004": "limit", "1005": "time", "1006": "canceled", "1007": "locked", "1017": "canceled", "4001": "locked",
		"4100": "authentication",
	},
	"mpgs": {
		"INSUFFICIENT_FUNDS": "funds", "EXPIRED_CARD": "expired", "TIMED_OUT": "unreachable", "ACQUIRER_SYSTEM_ERROR": "unreachable", "ABORTED": "canceled",
		"CANCELLED": "canceled", "AUTHENTICATION_FAILED": "authentication", "NOT_ENROLLED_3D_SECURE": "authentication", "DECLINED_INVALID_PIN": "authentication",
		"INVALID_CSC": "data", "DECLINED_CSC": "data", "DECLINED_AVS_CSC": "data",
	},
	"zalopay": {
		"-43": "unreachable", "-54": "time", "-63": "funds", "-217": "unreachable", "-322": "time", "-329": "canceled", "-1330": "limit", "-1331": "limit",
		"-1332": "limit", "-1333": "limit", "-1340": "limit", "-1341": "limit", "-1342": "limit", "-1343": "limit",
	},
}
