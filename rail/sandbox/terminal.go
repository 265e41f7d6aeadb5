package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/web"
)

// The terminal in the browser: a page that looks like a card terminal, and is
// the program on it. It talks to the gateway by the terminals' own API
// (docs/terminals.md) and by nothing else, as a device in a shop does.
//
//	GET  /sandbox/terminal/{terminal_id}            the terminal
//	POST /sandbox/terminals/{terminal_id}/actions   the same by program

const (
	terminalPath = "/sandbox/terminal/"
	posPath      = "/pos/v1/"

	followFor   = 20 * time.Second // how long one request of the page waits for news
	followEvery = 300 * time.Millisecond
	shownSales  = 6
)

// What a terminal is told to do.
const (
	doApprove = "approve"
	doDecline = "decline"
	doCancel  = "cancel"
	doTimeout = "timeout"
	doVoid    = "void"
	doSettle  = "settle"
)

var terminalActs = []string{doApprove, doDecline, doCancel, doTimeout, doVoid, doSettle}

// outcomes are what a device reports for an act.
var outcomes = map[string]string{doApprove: "approved", doDecline: "declined", doCancel: "cancelled", doTimeout: "timed_out"}

// The cards that the sandbox's customers have.
var (
	tapped   = testCard{Scheme: "visa", Last4: "1111"}
	inserted = testCard{Scheme: "napas", Last4: "0018"}
)

type testCard struct{ Scheme, Last4 string }

// devices are the programs on the terminals.
type devices struct {
	set *web.Set
	mu  sync.Mutex
	// keys are those of the terminals that the sandbox has played, by our id.
	keys map[string]string
}

func (h *Handler) registerTerminals(mux *http.ServeMux) (err error) {
	if h.devices.set, err = web.Parse(pages, "base.css", "sandbox.css", "terminal.css"); err != nil {
		return err
	}
	h.devices.keys = map[string]string{}
	mux.Handle(terminalPath+"{terminal_id}", methods{"GET": h.terminal})
	mux.Handle(terminalPath+"{terminal_id}/live", methods{"GET": h.terminalLive})
	mux.Handle(terminalPath+"{terminal_id}/act", methods{"POST": h.terminalAct})
	mux.Handle("/sandbox/terminals/{terminal_id}/actions", methods{"POST": h.terminalAction})
	return nil
}

// device is the program on one terminal.
type device struct {
	*Handler
	terminal payment.Terminal
	key      string
}

// device finds the terminal of a path, with a key for it: the demo terminal's
// own, else one that is made for the browser beside the device's.
func (h *Handler) device(r *http.Request) (device, error) {
	name := r.PathValue("terminal_id")
	if !plain(name) {
		name = ""
	}
	t, err := h.Core.TerminalByPublicID(r.Context(), name)
	if payment.CodeOf(err) == payment.CodeNotFound {
		return device{}, &failure{status: http.StatusNotFound, code: payment.CodeNotFound, message: "no terminal has this id"}
	}
	if err != nil {
		return device{}, err
	}
	h.devices.mu.Lock()
	defer h.devices.mu.Unlock()
	key := h.devices.keys[t.ID]
	if key == "" && t.PublicID == h.Info.AppotaPay.TerminalID {
		key = h.Info.AppotaPay.DeviceKey
	}
	if owner, err := h.Core.AuthenticateTerminal(r.Context(), key); err != nil || owner.ID != t.ID {
		// Somebody has made a new key since, or there was none.
		if key, err = h.Core.AddTerminalKey(r.Context(), seeder, t.ID); err != nil {
			return device{}, err
		}
	}
	h.devices.keys[t.ID] = key
	return device{Handler: h, terminal: t, key: key}, nil
}

// ask calls the terminals' API. What it refuses is a *failure.
func (d device) ask(ctx context.Context, method, path string, body, into any) (status int, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	r, err := http.NewRequestWithContext(alone{ctx}, method, d.Info.BaseURL+posPath+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+d.key)
	r.RemoteAddr, r.RequestURI = "127.0.0.1:0", r.URL.RequestURI()
	w := &recorder{header: http.Header{}}
	d.POS.ServeHTTP(w, r)
	if w.status == http.StatusNoContent {
		return w.status, nil
	}
	if w.status != http.StatusOK {
		var says struct {
			Error struct {
				Code    payment.Code `json:"code"`
				Message string       `json:"message"`
			} `json:"error"`
		}
		_ = json.Unmarshal(w.body.Bytes(), &says) // what is none says nothing
		return w.status, &failure{status: w.status, code: says.Error.Code, message: says.Error.Message}
	}
	return w.status, json.Unmarshal(w.body.Bytes(), into)
}

// alone ends with a context, and carries nothing of it into another request.
type alone struct{ context.Context }

func (alone) Value(any) any { return nil }

// posSale is a sale as the device hears of it.
type posSale struct {
	SaleID    string        `json:"sale_id"`
	Reference string        `json:"reference"`
	Info      string        `json:"order_info"`
	Amount    money.VND     `json:"amount"`
	Method    string        `json:"method"`
	State     payment.State `json:"state"`
	Batch     int64         `json:"batch"`
	Approval  string        `json:"approval_code"`
	Device    string        `json:"device_reference"`
	Scheme    string        `json:"scheme"`
	CardLast4 string        `json:"card_last4"`
	Reason    string        `json:"reason"`
	CreatedAt time.Time     `json:"created_at"`
	ExpiresAt time.Time     `json:"expires_at"`
	PaidAt    time.Time     `json:"paid_at"`
	SettledAt time.Time     `json:"settled_at"`
}

// Card says that the sale is paid at the device.
func (s posSale) Card() bool { return s.Method == string(payment.CardPresent) }

// Voidable says that the sale can still be taken back.
func (s posSale) Voidable() bool {
	return s.Card() && s.State == payment.Approved && s.SettledAt.IsZero()
}

// Brand is how a receipt writes the card's scheme.
func (s posSale) Brand() string { return strings.ToUpper(s.Scheme) }

type posBatch struct {
	Number    int64     `json:"number"`
	Sales     int64     `json:"sales"`
	Amount    money.VND `json:"amount"`
	SettledAt time.Time `json:"settled_at"`
}

type posTerminal struct {
	TerminalID string   `json:"terminal_id"`
	Name       string   `json:"name"`
	Merchant   string   `json:"merchant"`
	State      string   `json:"state"`
	Batch      posBatch `json:"batch"`
}

// terminalState is what the terminal shows.
type terminalState struct {
	posTerminal
	Lang    string
	Now     time.Time
	Waiting *posSale  // at the device now
	Last    *posSale  // the newest card sale that has ended: its receipt is out
	Settled *posBatch // settled after that: the batch's receipt is out
	Sales   []posSale // the newest, of both methods
	Reasons []payment.Decline
}

// Keypad is the digits on a device that waits for nothing.
func (terminalState) Keypad() []string { return strings.Split("123456789*0#", "") }

// Locked says that the terminal takes no sales.
func (s terminalState) Locked() bool { return s.State == string(payment.TerminalLocked) }

// state asks for work and for what there is to show. A sale whose time is over
// is given back, as a device does where nobody presents a card.
func (d device) state(ctx context.Context, lang string) (terminalState, error) {
	s := terminalState{Lang: lang, Now: d.Clock.Now(), Reasons: payment.Declines}
	if err := d.next(ctx, &s.Waiting, 0); err != nil {
		return s, err
	}
	if s.Waiting != nil && !s.Now.Before(s.Waiting.ExpiresAt) {
		if _, err := d.report(ctx, *s.Waiting, doTimeout, "", testCard{}); err != nil {
			return s, err
		}
		s.Waiting = nil
	}
	var list struct{ Sales []posSale }
	if _, err := d.ask(ctx, http.MethodGet, "terminal", nil, &s.posTerminal); err != nil {
		return s, err
	}
	if _, err := d.ask(ctx, http.MethodGet, "sales", nil, &list); err != nil {
		return s, err
	}
	s.Sales = list.Sales[:min(len(list.Sales), shownSales)]
	var newest time.Time
	var settled posBatch
	for i, sale := range list.Sales {
		if s.Last == nil && sale.Card() && sale.State.Closed() {
			s.Last = &list.Sales[i]
		}
		if sale.Card() && sale.SettledAt.After(newest) {
			newest, settled = sale.SettledAt, posBatch{Number: sale.Batch, SettledAt: sale.SettledAt}
		}
	}
	for _, sale := range list.Sales {
		if sale.State == payment.Approved && sale.Batch == settled.Number && sale.Batch > 0 {
			settled.Sales, settled.Amount = settled.Sales+1, settled.Amount+sale.Amount
		}
	}
	if s.Last != nil && settled.Number > 0 && !s.Last.SettledAt.IsZero() && s.Last.Batch == settled.Number {
		s.Settled = &settled
	}
	return s, nil
}

// next takes the sale that waits; sale stays nil when there is none. A locked
// terminal has none.
func (d device) next(ctx context.Context, sale **posSale, seconds int) error {
	var got posSale
	status, err := d.ask(ctx, http.MethodPost, "sales/next", map[string]int{"wait_seconds": seconds}, &got)
	var refused *failure
	if errors.As(err, &refused) && refused.code == payment.CodeTerminalUnusable {
		return nil
	}
	if err == nil && status == http.StatusOK {
		*sale = &got
	}
	return err
}

// report tells what became of a sale. The device's number of it is always the
// same, so that telling it twice is one approval.
func (d device) report(ctx context.Context, sale posSale, act, reason string, card testCard) (posSale, error) {
	body := map[string]string{"outcome": outcomes[act]}
	switch act {
	case doApprove:
		sum := sha256.Sum256([]byte(sale.SaleID))
		code := strings.ToUpper(hex.EncodeToString(sum[:3]))
		body["reference"], body["approval_code"] = "RRN"+digitsOf(sum[:], 9), code
		body["scheme"], body["card_last4"] = card.Scheme, card.Last4
	case doDecline:
		body["reason"] = reason
	}
	var after posSale
	_, err := d.ask(ctx, http.MethodPost, "sales/"+sale.SaleID+"/report", body, &after)
	return after, err
}

// digitsOf makes decimal digits of bytes.
func digitsOf(b []byte, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '0' + b[i]%10
	}
	return string(out)
}

// act does what somebody at the terminal does. A sale that nobody has fetched
// is fetched first.
func (d device) act(ctx context.Context, sale posSale, act, reason string, card testCard) (posSale, error) {
	if act == doVoid {
		var after posSale
		_, err := d.ask(ctx, http.MethodPost, "sales/"+sale.SaleID+"/void", nil, &after)
		return after, err
	}
	if sale.State == payment.Open && sale.Card() {
		var waiting *posSale
		if err := d.next(ctx, &waiting, 0); err != nil {
			return posSale{}, err
		}
	}
	return d.report(ctx, sale, act, reason, card)
}

func (d device) settle(ctx context.Context) (posBatch, error) {
	var t posTerminal
	if _, err := d.ask(ctx, http.MethodGet, "terminal", nil, &t); err != nil {
		return posBatch{}, err
	}
	var b posBatch
	_, err := d.ask(ctx, http.MethodPost, "batches/"+strconv.FormatInt(t.Batch.Number, 10)+"/settle", nil, &b)
	return b, err
}

// actionView answers POST .../actions: what was done, and what came of it.
type actionView struct {
	TerminalID string          `json:"terminal_id"`
	Action     string          `json:"action"`
	Reference  string          `json:"partner_ref_id,omitempty"`
	Sale       json.RawMessage `json:"sale,omitempty"`
	Batch      json.RawMessage `json:"batch,omitempty"` // of settle
}

// terminalAction answers POST /sandbox/terminals/{terminal_id}/actions.
func (h *Handler) terminalAction(w http.ResponseWriter, r *http.Request) {
	d, err := h.device(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	action := in.needed("action", 20)
	if in.wrong["action"] == nil && !slices.Contains(terminalActs, action) {
		in.complain("action", "has to be one of %s", strings.Join(terminalActs, ", "))
	}
	reference := in.text("partner_ref_id", 64)
	if reference == "" && action != doSettle && in.wrong["partner_ref_id"] == nil {
		in.complain("partner_ref_id", "is missing")
	}
	reason, card := in.text("reason", 40), tapped
	if reason != "" && !slices.Contains(payment.Declines, payment.Decline(reason)) {
		in.complain("reason", "is none of a decline's: see docs/terminals.md")
	}
	if scheme := in.text("scheme", 20); scheme != "" {
		if card.Scheme = scheme; !slices.Contains(payment.Schemes, payment.Scheme(scheme)) {
			in.complain("scheme", "is none that is known")
		}
	}
	if err := in.err(); err != nil {
		h.fail(w, r, err)
		return
	}
	ctx, cancel := detached()
	defer cancel()
	v, err := d.perform(ctx, action, reference, reason, card)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, v)
}

// perform does an act on the sale of a merchant's reference.
func (d device) perform(ctx context.Context, action, reference, reason string, card testCard) (actionView, error) {
	v := actionView{TerminalID: d.terminal.PublicID, Action: action, Reference: reference}
	var sale posSale
	if reference != "" {
		saleID, err := d.saleOf(ctx, reference)
		if err != nil {
			return v, err
		}
		if _, err = d.ask(ctx, http.MethodGet, "sales/"+saleID, nil, &sale); err != nil {
			return v, err
		}
	}
	if action == doSettle {
		b, err := d.settle(ctx)
		if err != nil {
			return v, err
		}
		if v.Batch, err = json.Marshal(b); err != nil {
			return v, err
		}
	} else {
		if !sale.Card() {
			return v, &failure{status: http.StatusConflict, code: payment.CodeInvalidState, message: "the sale is paid by its QR code: pay it with POST /sandbox/bank-transfers {\"vietqr\": ...}"}
		}
		if _, err := d.act(ctx, sale, action, reason, card); err != nil {
			return v, err
		}
	}
	if reference == "" {
		return v, nil
	}
	_, err := d.ask(ctx, http.MethodGet, "sales/"+sale.SaleID, nil, &v.Sale)
	return v, err
}

// saleOf finds the terminal's sale of a merchant's reference.
func (d device) saleOf(ctx context.Context, reference string) (string, error) {
	found, err := d.Core.Search(ctx, core.Search{MerchantID: d.terminal.MerchantID, Reference: reference})
	if err != nil {
		return "", err
	}
	for _, p := range found {
		if sold, err := d.Core.Sale(ctx, p.ID); err == nil && sold.Sale.TerminalID == d.terminal.ID {
			return p.ID, nil
		}
	}
	return "", &failure{status: http.StatusNotFound, code: payment.CodePaymentNotFound, message: "the terminal has no sale of this partner_ref_id"}
}

// terminalView is the page.
type terminalView struct {
	Head                web.Head
	State               terminalState
	Address             string // of the live part
	Seen                string // its fingerprint
	Problem             string
	Vietnamese, English string
	Curl                string
}

// terminal answers GET /sandbox/terminal/{terminal_id}.
func (h *Handler) terminal(w http.ResponseWriter, r *http.Request) {
	lang := web.Language(r, "")
	h.terminalPage(w, r, http.StatusOK, lang, "")
}

func (h *Handler) terminalPage(w http.ResponseWriter, r *http.Request, status int, lang, problem string) {
	d, err := h.device(r)
	var s terminalState
	if err == nil {
		s, err = d.state(r.Context(), lang)
	}
	var part []byte
	if err == nil {
		part, err = h.devices.set.Fragment(lang, "terminal-live", s)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	at := terminalPath + url.PathEscape(d.terminal.PublicID)
	v := terminalView{
		Head:  web.Head{Title: web.Text(lang, "terminal.title", d.terminal.PublicID), Scripts: []string{"terminal.js"}, Reload: "3;url=" + at + "?lang=" + lang},
		State: s, Address: at + "/live?lang=" + lang, Seen: seenAs(part), Problem: problem,
		Vietnamese: at + "?lang=vi", English: at + "?lang=en",
		Curl: "curl -s " + h.Info.BaseURL + "/sandbox/terminals/" + d.terminal.PublicID + "/actions \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"partner_ref_id\":\"" +
			example(s) + "\",\"action\":\"approve\"}'",
	}
	if err := h.devices.set.Page(w, status, lang, "terminal", v); err != nil {
		h.fail(w, r, err)
	}
}

// example is a reference for the command to copy.
func example(s terminalState) string {
	switch {
	case s.Waiting != nil:
		return s.Waiting.Reference
	case s.Last != nil:
		return s.Last.Reference
	}
	return "ORDER-1"
}

// seenAs tells one state of the live part from another.
func seenAs(part []byte) string {
	sum := sha256.Sum256(part)
	return hex.EncodeToString(sum[:8])
}

// terminalLive answers the live part as soon as it is another than ?seen, or 204
// when nothing has happened for a while.
func (h *Handler) terminalLive(w http.ResponseWriter, r *http.Request) {
	d, err := h.device(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	lang, seen := web.Language(r, ""), r.URL.Query().Get("seen")
	if err := httpx.LongLived(w); err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), followFor)
	defer cancel()
	for {
		s, err := d.state(r.Context(), lang)
		var part []byte
		if err == nil {
			part, err = h.devices.set.Fragment(lang, "terminal-live", s)
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if now := seenAs(part); now != seen {
			h.devices.set.Protect(w.Header())
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("X-Seen", now)
			_, _ = w.Write(part) // an error is the reader's connection
			return
		}
		if s.Waiting == nil && !s.Locked() {
			// An idle device waits for work; it is handed out at once.
			var sale *posSale
			if err := d.next(ctx, &sale, 1); err != nil && ctx.Err() == nil {
				h.fail(w, r, err)
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-httpx.Draining(r.Context()):
			cancel()
		case <-time.After(followEvery):
		}
		if ctx.Err() != nil {
			h.devices.set.Protect(w.Header())
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
}

// terminalAct takes a press of a button.
func (h *Handler) terminalAct(w http.ResponseWriter, r *http.Request) {
	lang, _, ok := h.readForm(w, r)
	if !ok {
		return
	}
	d, err := h.device(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	ctx, cancel := detached()
	defer cancel()
	action, card := r.PostForm.Get("do"), tapped
	if r.PostForm.Get("card") == "inserted" {
		card = inserted
	}
	if action == doSettle {
		_, err = d.settle(ctx)
	} else {
		err = d.press(ctx, r.PostForm.Get("sale"), action, r.PostForm.Get("reason"), card)
	}
	var refused *failure
	switch {
	case errors.As(err, &refused):
		h.terminalPage(w, r, refused.status, lang, web.Text(lang, "terminal.refused", refused.message))
	case err != nil:
		h.fail(w, r, err)
	default:
		h.seeOther(w, r, terminalPath+url.PathEscape(d.terminal.PublicID)+"?lang="+lang)
	}
}

// press does an act on the sale that a form names.
func (d device) press(ctx context.Context, saleID, action, reason string, card testCard) error {
	if !slices.Contains(terminalActs, action) {
		return &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "the form has no such action"}
	}
	var sale posSale
	if _, err := d.ask(ctx, http.MethodGet, "sales/"+url.PathEscape(saleID), nil, &sale); err != nil {
		return err
	}
	_, err := d.act(ctx, sale, action, reason, card)
	return err
}

// Stamp is a moment as a receipt has it, in Vietnam's time (+07:00).
func (s posSale) Stamp(t time.Time) string { return t.In(clock.Vietnam).Format("02/01/2006 15:04:05") }

// Stamp is the moment of a settlement as a receipt has it.
func (b posBatch) Stamp() string { return b.SettledAt.In(clock.Vietnam).Format("02/01/2006 15:04:05") }
