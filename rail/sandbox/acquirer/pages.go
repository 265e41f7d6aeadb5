package acquirer

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/web"
)

const (
	maxForm      = 4 << 10 // bytes
	maxHolder    = 64      // characters
	maxPasswords = 3       // wrong ones end the order

	// noticeTime is how long the payer waits for the gateway to take the first
	// notice in.
	noticeTime = 5 * time.Second
)

// The steps of a payer's page.
const (
	stepCard   = "card"
	stepOTP    = "otp"    // the password of a domestic card's bank
	stepSecure = "secure" // 3-D Secure
	stepWallet = "wallet"
	stepClosed = "closed"
	stepAway   = "away"
)

// pageView is what a payer's page shows.
type pageView struct {
	Head                web.Head
	Step                string
	Vietnamese, English string

	Here             string // the page's address
	ID, Name         string
	Description      string
	Reference        string
	Amount           money.VND
	Method           payment.Method
	International    bool
	Result           Result
	Back             string // to the gateway
	Problem          string
	Holder, Date     string // as typed; a number never comes back
	Cards            []Card
	Scheme, Last4    string
	OTP              string // the right one: this is a sandbox
	Left             int    // passwords left
	Passwords        int
	Minutes          int
	Expiries, Digits []hint
}

// hint is what a value does, for the people at a sandbox.
type hint struct {
	Value         string
	Result, Later Result
}

// page shows an order as it is, with what is wrong with the last form.
func (a *Acquirer) page(w http.ResponseWriter, r *http.Request, status int, o order, step, problem string) {
	lang := web.Language(r, o.Language)
	here := Path + "pay/" + o.Token
	v := pageView{
		Step: step, Here: here, ID: o.ID, Name: o.Name, Description: o.Description, Reference: o.Reference, Amount: o.Amount, Method: o.Method,
		International: o.Method == payment.InternationalCard, Result: o.Result, Passwords: maxPasswords, Left: maxPasswords - o.Wrong,
		Vietnamese: here + "?lang=" + web.Vietnamese, English: here + "?lang=" + web.English,
		Minutes: max(int(o.ExpiresAt.Sub(a.clock.Now()).Minutes()), 0),
	}
	if problem != "" {
		v.Problem = web.Text(lang, "acquirer.problem."+problem)
	}
	if step == stepCard {
		v.Holder, v.Date = shown(r.PostForm.Get("holder")), shown(r.PostForm.Get("date"))
		v.Head.Scripts = []string{"acquirer.js"}
		for _, c := range testCards {
			if c.Method == o.Method {
				v.Cards = append(v.Cards, c)
			}
		}
	}
	if p := o.Pending; p != nil {
		v.Scheme, v.Last4, v.OTP = p.Scheme, p.Last4, p.OTP
	}
	v.Expiries, v.Digits = expiryHints(), amountHints()
	v.Head.Title = web.Text(lang, "acquirer.title."+step)
	back, err := a.back(o)
	if err == nil {
		v.Back = back
		err = a.set.Page(w, status, lang, "pay", v)
	}
	if err != nil {
		a.fault(w, r, err)
	}
}

// shown is what somebody typed, short enough and without anything that could be
// a card number.
func shown(s string) string {
	s = strings.ToValidUTF8(s, "")
	if utf8.RuneCountInString(s) > maxHolder || httpx.HasPAN(s) {
		return ""
	}
	return s
}

// step is the page that an order is at.
func step(o order) string {
	switch {
	case o.Result != Waiting:
		return stepClosed
	case o.Pending != nil && o.Pending.Secure:
		return stepSecure
	case o.Pending != nil:
		return stepOTP
	case o.Method == payment.DomesticCard || o.Method == payment.InternationalCard:
		return stepCard
	}
	return stepWallet
}

// find looks up the order of the address, and answers itself when there is none.
func (a *Acquirer) find(w http.ResponseWriter, r *http.Request) (order, bool) {
	httpx.NoteRoute(r.Context(), "sandbox: "+r.Pattern)
	o, ok := a.book.look(byToken(r.PathValue("token")), a.clock.Now())
	if !ok {
		a.message(w, r, http.StatusNotFound, "gone")
	}
	return o, ok
}

func (a *Acquirer) nothing(w http.ResponseWriter, r *http.Request) {
	a.message(w, r, http.StatusNotFound, "gone")
}

func (a *Acquirer) foreign(w http.ResponseWriter, r *http.Request) {
	a.message(w, r, http.StatusForbidden, "foreign")
}

// message is a page without an order.
func (a *Acquirer) message(w http.ResponseWriter, r *http.Request, status int, name string) {
	lang := web.Language(r, "")
	v := pageView{Step: name, Head: web.Head{Title: web.Text(lang, "acquirer.title."+name)}, Vietnamese: "?lang=vi", English: "?lang=en"}
	if err := a.set.Page(w, status, lang, "pay", v); err != nil {
		a.fault(w, r, err)
	}
}

func (a *Acquirer) show(w http.ResponseWriter, r *http.Request) {
	if o, ok := a.find(w, r); ok {
		a.page(w, r, http.StatusOK, o, step(o), "")
	}
}

// away is for payers who go without a word: the acquirer hears nothing of it.
func (a *Acquirer) away(w http.ResponseWriter, r *http.Request) {
	o, ok := a.find(w, r)
	if !ok {
		return
	}
	at := stepAway
	if o.Result != Waiting {
		at = stepClosed
	}
	a.page(w, r, http.StatusOK, o, at, "")
}

// form reads a form for an order that waits for its payer. Of one that has
// ended the page tells.
func (a *Acquirer) form(w http.ResponseWriter, r *http.Request) (order, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.message(w, r, http.StatusBadRequest, "foreign")
		return order{}, false
	}
	o, ok := a.find(w, r)
	if ok && o.Result != Waiting {
		a.again(w, r, o)
		return o, false
	}
	return o, ok
}

// again sends the browser to the order's page, in the language that it was in.
func (a *Acquirer) again(w http.ResponseWriter, r *http.Request, o order) {
	a.set.Protect(w.Header())
	http.Redirect(w, r, Path+"pay/"+o.Token+"?lang="+web.Language(r, o.Language), http.StatusSeeOther)
}

// takeCard reads the card form. Nothing of a number that is no test card's is
// kept.
func (a *Acquirer) takeCard(w http.ResponseWriter, r *http.Request) {
	o, ok := a.form(w, r)
	if !ok {
		return
	}
	f := r.PostForm
	c, known := FindCard(f.Get("number"))
	date, dated := ParseDate(f.Get("date"))
	csc := strings.TrimSpace(f.Get("csc"))
	problem := ""
	switch {
	case o.Method != payment.DomesticCard && o.Method != payment.InternationalCard:
		a.again(w, r, o)
		return
	case strings.TrimSpace(f.Get("number")) == "":
		problem = "number"
	case !known:
		problem = "unknown"
	case c.Method != o.Method:
		problem = "method." + string(o.Method)
	case strings.TrimSpace(f.Get("holder")) == "" || shown(f.Get("holder")) == "":
		problem = "holder"
	case !c.holds(f.Get("holder")):
		problem = "holder.wrong"
	case !dated:
		problem = "date"
	case !c.dateKnown(date):
		problem = "date.wrong"
	case c.Method == payment.InternationalCard && !cscForm(csc):
		problem = "csc"
	}
	if problem != "" {
		a.page(w, r, http.StatusUnprocessableEntity, o, stepCard, problem)
		return
	}
	plan := decide(c, date, csc, o.Amount, a.clock.Now())
	if c.OTP == "" {
		a.finish(w, r, o, plan, c.Scheme, c.Last4())
		return
	}
	o, err := a.book.change(byToken(o.Token), func(o *order) error {
		if o.Result != Waiting {
			return nil
		}
		o.Pending = &pending{Plan: plan, OTP: c.OTP, Secure: c.Secure, Scheme: c.Scheme, Last4: c.Last4()}
		return nil
	})
	if err != nil {
		a.fault(w, r, err)
		return
	}
	a.again(w, r, o)
}

func cscForm(s string) bool {
	if len(s) != 3 {
		return false
	}
	for _, d := range s {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// takePassword reads the one-time password of a card's bank.
func (a *Acquirer) takePassword(w http.ResponseWriter, r *http.Request) {
	o, ok := a.form(w, r)
	if !ok {
		return
	}
	p := o.Pending
	typed := strings.TrimSpace(r.PostForm.Get("otp"))
	switch {
	case p == nil:
		a.again(w, r, o)
	case r.PostForm.Get("answer") == "refuse":
		a.finish(w, r, o, Plan{Result: NotAuthenticated}, p.Scheme, p.Last4)
	case r.PostForm.Get("answer") == "other":
		o, err := a.book.change(byToken(o.Token), func(o *order) error { o.Pending = nil; return nil })
		if err != nil {
			a.fault(w, r, err)
			return
		}
		a.again(w, r, o)
	case typed == "":
		a.page(w, r, http.StatusUnprocessableEntity, o, step(o), "otp.missing")
	case !auth.SameString(typed, p.OTP):
		a.wrongPassword(w, r, o)
	default:
		a.finish(w, r, o, p.Plan, p.Scheme, p.Last4)
	}
}

func (a *Acquirer) wrongPassword(w http.ResponseWriter, r *http.Request, o order) {
	o, err := a.book.change(byToken(o.Token), func(o *order) error {
		if o.Pending != nil {
			o.Wrong++
		}
		return nil
	})
	switch {
	case err != nil:
		a.fault(w, r, err)
	case o.Pending != nil && o.Wrong >= maxPasswords:
		a.finish(w, r, o, Plan{Result: WrongOTP}, o.Pending.Scheme, o.Pending.Last4)
	default:
		a.page(w, r, http.StatusUnprocessableEntity, o, step(o), "otp.wrong")
	}
}

// takeWallet reads what the payer did in the wallet's app.
func (a *Acquirer) takeWallet(w http.ResponseWriter, r *http.Request) {
	o, ok := a.form(w, r)
	if !ok {
		return
	}
	switch {
	case step(o) != stepWallet:
		a.again(w, r, o)
	case r.PostForm.Get("answer") == "pay":
		a.finish(w, r, o, planFor(o.Amount), "", "")
	case r.PostForm.Get("answer") == "decline":
		a.finish(w, r, o, Plan{Result: Declined}, "", "")
	default:
		a.page(w, r, http.StatusUnprocessableEntity, o, stepWallet, "answer")
	}
}

func (a *Acquirer) cancel(w http.ResponseWriter, r *http.Request) {
	if o, ok := a.form(w, r); ok {
		a.finish(w, r, o, Plan{Result: Canceled}, "", "")
	}
}

// finish ends an order, tells the gateway, and sends the payer back to it.
func (a *Acquirer) finish(w http.ResponseWriter, r *http.Request, o order, plan Plan, scheme, last4 string) {
	now := a.clock.Now()
	o, err := a.book.change(byToken(o.Token), func(o *order) error {
		o.settle(now)
		if o.Result != Waiting {
			return nil // two tabs; the first one counts
		}
		o.Pending, o.Result, o.Scheme, o.Last4 = nil, plan.Result, scheme, last4
		switch plan.Result {
		case Approved:
			o.PaidAt = now
		case Unknown:
			o.Later, o.SettleAt = plan.Later, now.Add(settleAfter)
			return nil // nobody is told of what is not known
		}
		switch plan.Notice {
		case NoticePlain:
			o.Telling = telling{At: now}
		case NoticeTwice:
			o.Telling = telling{At: now, More: 1}
		case NoticeLate:
			o.Telling = telling{At: now.Add(noticeLate)}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNoOrder) {
		a.fault(w, r, err)
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(r.Context()), noticeTime)
	defer stop()
	a.tell(ctx, due{token: o.Token})
	back, err := a.back(o)
	if err != nil {
		a.fault(w, r, err)
		return
	}
	a.set.Protect(w.Header())
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// back is the address that the payer's browser goes back to, with what is known
// by now.
func (a *Acquirer) back(o order) (string, error) {
	return returnAddress(a.merchants[o.Merchant], o.ReturnURL, a.word(o))
}

// expiryHints and amountHints explain the sandbox's tricks on its own pages.
func expiryHints() []hint {
	var all []hint
	for _, date := range []string{"01/39", "05/39", "04/27", "08/28", "01/37", "02/37", "05/37"} {
		h := hint{Value: date, Result: Expiries[date]}
		if h.Result == Unknown {
			h.Later = Approved
		}
		all = append(all, h)
	}
	return all
}

func amountHints() []hint {
	var all []hint
	for _, digits := range []int64{105, 151, 154, 168, 196, 197} {
		all = append(all, hint{"…" + money.VND(digits).String(), Amounts[digits].Result, Amounts[digits].Later})
	}
	return all
}

// Failed says whether a result ends an order without money.
func (r Result) Failed() bool { return sayings[r].outcome == card.Failed }
