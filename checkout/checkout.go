// Package checkout is the page where a payer pays: plain HTML first, with live
// status on top.
//
// The address of a page holds an unguessable key. Without it, or with a wrong
// one, every address here is answered with the same page, whether the payment
// exists or not. The page only shows what the gateway knows; that a browser
// came here, or left, settles nothing.
//
// Without scripts the page loads itself again every five seconds while the
// payment is open, and goes back to the shop five seconds after it has closed.
// Both can be stopped (hold=1), so that nobody is hurried (WCAG 2.2.1, 2.2.2).
package checkout

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/web"
)

//go:embed *.html
var pages embed.FS

// Config is what the page needs.
type Config struct {
	Core  *core.Core
	Clock clock.Clock
	Log   *slog.Logger
	// Cards sends payers to acquirers; nil when there are none.
	Cards Cards
	// TrustedProxies are those whose word of the payer's address counts.
	TrustedProxies []netip.Prefix
}

// Cards sends payers to acquirers.
type Cards interface {
	// Start begins an attempt to pay, or goes on with the one by this method
	// that is under way, and says how to send the payer there. payerIP is ""
	// when it is not known. CodeInvalidState and CodeConflict: not now, the
	// page tells why. CodeMethodNotSupported and CodeBusy: nobody can take the
	// payer now.
	Start(ctx context.Context, paymentID string, method payment.Method, payerIP string) (payment.Handoff, error)
}

// Handler serves the payment pages under /merchant/. The assets that they load
// are served by web.Assets.
type Handler struct {
	core    *core.Core
	clock   clock.Clock
	log     *slog.Logger
	cards   Cards
	proxies []netip.Prefix
	set     *web.Set
	inner   http.Handler
}

// maxForm is the most bytes of a form; a form holds a key and a method.
const maxForm = 4 << 10

// New makes the handler. It fails only on a fault of the build, in the
// embedded templates.
func New(c Config) (*Handler, error) {
	set, err := parse(pages)
	if err != nil {
		return nil, err
	}
	h := &Handler{core: c.Core, clock: c.Clock, log: c.Log, cards: c.Cards, proxies: c.TrustedProxies, set: set}
	const base = "/merchant/{mid}/payment/{reference}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base, h.page)
	mux.HandleFunc("GET "+base+"/events", h.events)
	mux.HandleFunc("GET "+base+"/qr.svg", h.qr)
	mux.HandleFunc("GET "+base+"/qr.png", h.qr)
	mux.HandleFunc("POST "+base+"/cancel", h.cancel)
	mux.HandleFunc("POST "+base+"/method", h.choose)
	mux.HandleFunc("POST "+base+"/leave", h.leave)
	mux.HandleFunc("/merchant/", h.gone)
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(h.refuse))
	h.inner = guard.Handler(mux)
	return h, nil
}

// Register mounts the pages on mux.
func (h *Handler) Register(mux *http.ServeMux) { mux.Handle("/merchant/", h) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.inner.ServeHTTP(w, r) }

func parse(files fs.FS) (*web.Set, error) {
	return web.Parse(files, "base.css", "checkout.css", "order.css")
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page, ok := h.find(w, r, q.Get("key"))
	if !ok {
		return
	}
	view, err := h.view(r.Context(), page, wish(r, page.Payment))
	if err == nil {
		err = h.set.PageAllowing(w, http.StatusOK, view.Lang, "page", view, view.allowance())
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// wish reads what the query asks for.
func wish(r *http.Request, p payment.Payment) Wish {
	q := r.URL.Query()
	return Wish{Lang: web.Language(r, p.Language), Step: q.Get("step"), Hold: q.Get("hold") == "1", Key: q.Get("key")}
}

func (h *Handler) view(ctx context.Context, page core.Page, w Wish) (View, error) {
	late, part, err := h.waiting(ctx, page.Payment)
	if err != nil {
		return View{}, err
	}
	page.Payment.Received += part
	tries, err := h.tries(ctx, page.Payment)
	if err != nil {
		return View{}, err
	}
	order, err := h.order(ctx, page.Payment)
	if err != nil {
		return View{}, err
	}
	v, err := newView(page, w, late, tries, h.clock.Now())
	v.Order = order
	return v, err
}

// tries is how the payer has tried to pay by acquirers.
func (h *Handler) tries(ctx context.Context, p payment.Payment) (Tries, error) {
	t := Tries{Most: h.core.MaxAttempts()}
	if !slices.ContainsFunc(p.Methods, byAcquirer) {
		return t, nil
	}
	var err error
	t.Attempts, err = h.core.PaymentAttempts(ctx, p.ID)
	return t, err
}

// waiting is the money of p that waits for a person: late, what came after p
// had closed or was paid, and part, what came before p closed without being
// paid in full. Both are in no field of the payment any more, so its credits
// are looked at.
func (h *Handler) waiting(ctx context.Context, p payment.Payment) (late, part money.VND, err error) {
	if !p.State.Closed() {
		return 0, 0, nil
	}
	credits, err := h.core.Credits(ctx, core.CreditSearch{PaymentID: p.ID})
	if err != nil {
		return 0, 0, err
	}
	for _, c := range credits {
		switch {
		case c.Outcome.Holds():
			late, err = money.Add(late, c.Unapplied)
		case c.Outcome == payment.OutcomeShort:
			part, err = money.Add(part, c.Unapplied)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return late, part, nil
}

// qr answers with the code alone, to be kept or shown elsewhere: as PNG, which
// banking apps can pick from the photos, or as SVG.
func (h *Handler) qr(w http.ResponseWriter, r *http.Request) {
	page, ok := h.find(w, r, r.URL.Query().Get("key"))
	if !ok {
		return
	}
	view, err := h.view(r.Context(), page, wish(r, page.Payment))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if view.Transfer == nil {
		h.gone(w, r)
		return
	}
	const scale = 12 // pixels a module, so that the picture is about 600 wide
	kind, ending := "image/svg+xml", ".svg"
	image := []byte(view.Transfer.QR)
	if strings.HasSuffix(r.URL.Path, "/qr.png") {
		kind, ending = "image/png", ".png"
		if image, err = vietqr.PNG(view.Transfer.Payload, scale); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	h.set.Protect(w.Header())
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+web.Text(view.Lang, "checkout.scan.file")+ending+`"`)
	_, _ = w.Write(image) // an error is the reader's connection
}

func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, func(ctx context.Context, p payment.Payment) (string, error) {
		_, err := h.core.Cancel(ctx, p.ID, "payer", "canceled on the payment page")
		return "", err
	})
}

// leave lets the payer choose another way when one has been begun.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, func(ctx context.Context, p payment.Payment) (string, error) {
		_, err := h.core.LeaveAttempt(ctx, p.ID)
		return stepMethod, err
	})
}

func (h *Handler) choose(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, func(ctx context.Context, p payment.Payment) (string, error) {
		method := payment.Method(r.PostForm.Get("method"))
		if !offered(p, method) {
			return "", payment.Fail(payment.CodeInvalidRequest, "the payment does not take this method")
		}
		if byAcquirer(method) {
			return h.start(ctx, r, p, method)
		}
		_, err := h.core.Choose(ctx, p.ID, method)
		return "", err
	})
}

// start begins to pay by an acquirer. Only the page that comes next sends the
// payer away: a form is never answered by it, see web's policy.
func (h *Handler) start(ctx context.Context, r *http.Request, p payment.Payment, m payment.Method) (step string, err error) {
	if h.cards == nil {
		return stepUnready, nil
	}
	ip := ""
	if addr := httpx.ClientAddr(r, h.proxies); addr.IsValid() {
		ip = addr.String()
	}
	switch _, err = h.cards.Start(ctx, p.ID, m, ip); payment.CodeOf(err) {
	case "":
		return stepAway, nil
	case payment.CodeMethodNotSupported, payment.CodeBusy:
		return stepUnready, nil
	}
	return "", err
}

// act does what a form asks for and sends the browser back to the page, at the
// step that do names, which shows what became of it. A refusal is no fault: the payment has changed since
// the form was shown, or the form was made up.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, do func(context.Context, payment.Payment) (step string, err error)) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.gone(w, r) // there is no key in it
		return
	}
	key := r.PostForm.Get("key")
	page, ok := h.find(w, r, key)
	if !ok {
		return
	}
	step, err := do(r.Context(), page.Payment)
	switch payment.CodeOf(err) {
	case "":
	case payment.CodeInternal, payment.CodeBusy:
		h.fail(w, r, err)
		return
	default:
		step = ""
	}
	links := newLinks(page.PublicID, page.Payment.Reference, Wish{Lang: web.Language(r, page.Payment.Language), Key: key, Step: step})
	h.set.Protect(w.Header())
	http.Redirect(w, r, links.Step, http.StatusSeeOther)
}

// find looks the page up that the address names, and answers itself when there
// is none for the key.
func (h *Handler) find(w http.ResponseWriter, r *http.Request, key string) (core.Page, bool) {
	mid, reference := r.PathValue("mid"), r.PathValue("reference")
	if !plain(mid) || !plain(reference) || !plain(key) {
		h.gone(w, r)
		return core.Page{}, false
	}
	page, err := h.core.FindPage(r.Context(), mid, reference, key)
	switch payment.CodeOf(err) {
	case "":
		httpx.Note(r.Context(), "payment_id", page.Payment.ID)
		return page, true
	case payment.CodePaymentNotFound:
		h.gone(w, r)
	default:
		h.fail(w, r, err)
	}
	return core.Page{}, false
}

// plain says whether a text can be asked for in a database at all.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// gone is the answer to whoever has no key, whatever they asked for.
func (h *Handler) gone(w http.ResponseWriter, r *http.Request) {
	h.message(w, r, http.StatusNotFound, "gone")
}

// refuse is the answer to a form that another site has sent.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request) {
	h.message(w, r, http.StatusForbidden, "refused")
}

// fail is the answer when we are at fault; the cause is for the log only.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.log.ErrorContext(r.Context(), "payment page", "error", err, "request_id", httpx.RequestIDFrom(r.Context()))
	w.Header().Set("Retry-After", "5")
	h.message(w, r, http.StatusServiceUnavailable, "fault")
}

type message struct {
	Head  web.Head
	Name  string
	Links *languages // nil when the address cannot be asked for again
}

// languages are the addresses of the same message in either language.
type languages struct{ Vietnamese, English string }

// newLanguages leads back to the address that r asked for. Whoever has no key is
// told the same wherever they ask, so what they asked for is not repeated.
func newLanguages(r *http.Request, name string) *languages {
	query := url.Values{}
	if name != "gone" {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return nil
		}
		query = r.URL.Query()
	}
	in := func(lang string) string {
		query.Set("lang", lang)
		return "?" + query.Encode()
	}
	return &languages{Vietnamese: in(web.Vietnamese), English: in(web.English)}
}

func (h *Handler) message(w http.ResponseWriter, r *http.Request, status int, name string) {
	lang := web.Language(r, "")
	m := message{Head: web.Head{Title: web.Text(lang, "checkout."+name+".title")}, Name: name, Links: newLanguages(r, name)}
	if err := h.set.Page(w, status, lang, "message", m); err != nil {
		h.log.ErrorContext(r.Context(), "payment page", "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}
