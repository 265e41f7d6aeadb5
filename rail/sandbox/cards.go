package sandbox

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/web"
)

// What the payer does at the acquirer.
const (
	actPay      = "pay"
	actDecline  = "decline"   // in a wallet's app
	actCancel   = "cancel"    // gives up on the acquirer's page
	actWalkAway = "walk_away" // goes without a word
)

// cardPayment is what a payer does with a payment page.
type cardPayment struct {
	CheckoutURL string
	Method      payment.Method
	Card        acquirer.Card
	Holder      string
	Date        string
	CSC         string
	OTP         string
	Action      string
}

// cardOutcome is what became of it.
type cardOutcome struct {
	Outcome acquirer.Result `json:"outcome"`
	Code    string          `json:"code"` // the acquirer's
	Text    string          `json:"text"`
	Method  payment.Method  `json:"method"`
	Payment *paymentView    `json:"payment"` // as the gateway has it now
}

// payByCard answers POST /sandbox/cards/pay.
func (h *Handler) payByCard(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	c := readCardPayment(in)
	if err := in.err(); err != nil {
		h.fail(w, r, err)
		return
	}
	ctx, cancel := detached()
	defer cancel()
	outcome, err := h.walk(ctx, c)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, outcome)
}

// readCardPayment reads the call. The number says which kind of card it is, so
// the method is needed for wallets only.
func readCardPayment(in *input) cardPayment {
	c := cardPayment{CheckoutURL: in.needed("checkout_url", 2000), Method: payment.Method(in.text("method", 30)), Action: in.text("action", 20)}
	if c.Action == "" {
		c.Action = actPay
	}
	if !slices.Contains([]string{actPay, actDecline, actCancel, actWalkAway}, c.Action) {
		in.complain("action", "has to be pay, decline, cancel or walk_away")
	}
	if c.Method != "" && !slices.Contains(acquirer.Connector{}.Methods(), c.Method) {
		in.complain("method", "has to be domestic_card, international_card, momo, zalopay or vnpay_qr")
		return c
	}
	if isWallet(c.Method) {
		for _, name := range []string{"number", "holder", "expiry", "csc", "otp"} {
			if in.has(name) {
				in.complain(name, "is for cards, not for %s", c.Method)
			}
		}
		return c
	}
	if c.Action == actDecline {
		in.complain("action", "decline is for wallets; with a card, the card, its expiry or the amount decides")
	}
	c.readCard(in)
	return c
}

func isWallet(m payment.Method) bool {
	return m == payment.MoMo || m == payment.ZaloPay || m == payment.VNPayQR
}

// readCard reads what is on the card. Of a number that is no test card's
// nothing is told, kept or logged.
func (c *cardPayment) readCard(in *input) {
	read := in.needed
	if c.Action != actPay {
		read = in.text // who does not pay needs no card, but to say which kind
	}
	number := read("number", 40)
	known := false
	if number != "" {
		if c.Card, known = acquirer.FindCard(number); !known {
			in.complain("number", "is no published test card; the sandbox takes only those, see GET /sandbox/cards")
		}
	}
	switch {
	case known && c.Method != "" && c.Method != c.Card.Method:
		in.complain("method", "is not this card's: it is a %s", c.Card.Method)
	case known:
		c.Method = c.Card.Method
	case number == "" && c.Method == "" && in.wrong["number"] == nil:
		in.complain("method", "is missing")
	}
	if c.Action != actPay {
		return
	}
	c.Holder = in.needed("holder", 64)
	date := in.needed("expiry", 10)
	if in.wrong["expiry"] == nil {
		var ok bool
		if c.Date, ok = acquirer.ParseDate(date); !ok {
			in.complain("expiry", "has to look like MM/YY")
		}
	}
	c.CSC, c.OTP = in.text("csc", 4), in.text("otp", 12)
	if !known {
		return
	}
	if c.Method == payment.InternationalCard && c.CSC == "" {
		in.complain("csc", "is missing")
	}
	if c.Method == payment.DomesticCard && c.OTP == "" && in.wrong["otp"] == nil {
		in.complain("otp", "is missing")
	}
	if c.OTP == "" {
		c.OTP = c.Card.OTP // 3-D Secure cards are published without one
	}
}

// walk goes through the pages as the payer would, from the payment page to the
// acquirer's word.
func (h *Handler) walk(ctx context.Context, c cardPayment) (cardOutcome, error) {
	opened, err := h.checkoutOf(ctx, c.CheckoutURL)
	if err != nil {
		return cardOutcome{}, err
	}
	if err := payable(opened, c.Method); err != nil {
		return cardOutcome{}, err
	}
	begun, err := h.begun(ctx, opened)
	if err != nil {
		return cardOutcome{}, err
	}
	p := &payer{h: h, ctx: ctx}
	if err := p.toAcquirer(c, begun); err != nil {
		return cardOutcome{}, err
	}
	if err := p.atAcquirer(c); err != nil {
		return cardOutcome{}, err
	}
	o := cardOutcome{Outcome: acquirer.WalkedAway, Text: "the payer went without a word", Method: c.Method}
	if p.found != nil {
		o.Outcome, o.Code, o.Text = acquirer.Result(p.found.Get(acquirer.ReturnResult)), p.found.Get(acquirer.ReturnCode), p.found.Get(acquirer.ReturnText)
	} else if c.Action != actWalkAway {
		return cardOutcome{}, failedWalk("the acquirer did not send the payer back; the last page is %q at %s: %s", p.page.title, p.at.Path, p.page.alert)
	}
	now, err := h.Core.Payment(ctx, opened.ID)
	if err != nil {
		return cardOutcome{}, err
	}
	o.Payment = &paymentView{PaymentID: now.ID, MerchantID: now.MerchantID, Reference: now.Reference, State: now.State, Amount: now.Amount, Received: now.Received}
	return o, nil
}

// checkoutOf finds the payment of a checkout_url.
func (h *Handler) checkoutOf(ctx context.Context, address string) (payment.Payment, error) {
	none := wrong("checkout_url", "is no payment page of this gateway: give the checkout_url that it answered, with its key")
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, h.Info.BaseURL+"/") {
		return payment.Payment{}, none
	}
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if len(parts) != 4 || parts[0] != "merchant" || parts[2] != "payment" {
		return payment.Payment{}, none
	}
	mid, midErr := url.PathUnescape(parts[1])
	reference, referenceErr := url.PathUnescape(parts[3])
	if midErr != nil || referenceErr != nil {
		return payment.Payment{}, none
	}
	page, err := h.Core.FindPage(ctx, mid, reference, u.Query().Get("key"))
	if payment.CodeOf(err) == payment.CodePaymentNotFound {
		return payment.Payment{}, none
	}
	return page.Payment, err
}

// begun is the method of the attempt that is under way, "" for none.
func (h *Handler) begun(ctx context.Context, p payment.Payment) (payment.Method, error) {
	all, err := h.Core.PaymentAttempts(ctx, p.ID)
	for _, a := range all {
		if a.Live() {
			return a.Method, err
		}
	}
	return "", err
}

// payable says why a payment cannot be paid in a way now.
func payable(p payment.Payment, m payment.Method) error {
	switch {
	case p.State.Closed():
		return &failure{status: http.StatusConflict, code: payment.CodeInvalidState, message: "the payment is " + string(p.State) + ": it cannot be paid any more"}
	case !slices.Contains(p.Methods, m):
		return &failure{status: http.StatusConflict, code: payment.CodeMethodNotSupported, message: "the payment does not take " + string(m)}
	}
	return nil
}

// toAcquirer goes from the payment page to the acquirer. A way that has been
// begun goes on when it is the wanted one, and is left first otherwise.
func (p *payer) toAcquirer(c cardPayment, begun payment.Method) error {
	if err := p.goTo(c.CheckoutURL); err != nil {
		return err
	}
	if leave, ok := p.page.to("/leave"); ok && begun != c.Method {
		if err := p.submit(leave, nil); err != nil {
			return err
		}
	} else if ok {
		if err := p.follow("step=away", acquirer.Path+"pay/"); err != nil || p.atPage() {
			return err
		}
	}
	if _, ok := p.page.offers("method", string(c.Method)); !ok {
		// It shows another method; the choice is one step away.
		if err := p.follow("step=method"); err != nil {
			return err
		}
	}
	if f, ok := p.page.offers("method", string(c.Method)); ok {
		if err := p.submit(f, map[string]string{"method": string(c.Method)}); err != nil {
			return err
		}
	}
	if !p.atPage() {
		if err := p.follow(acquirer.Path + "pay/"); err != nil { // beside a wallet's QR code
			return err
		}
	}
	if p.atPage() {
		return nil
	}
	return &failure{status: http.StatusConflict, code: payment.CodeInvalidState, message: "the payment page does not lead to the sandbox's acquirer now; it says: " + p.page.title}
}

// follow takes the first link of the page that has one of the texts, if there is
// one.
func (p *payer) follow(texts ...string) error {
	for _, text := range texts {
		for _, link := range p.page.links {
			if strings.Contains(link, text) {
				return p.goTo(link)
			}
		}
	}
	return nil
}

// atPage says whether the payer is at the acquirer.
func (p *payer) atPage() bool { return strings.HasPrefix(p.at.Path, acquirer.Path+"pay/") }

// atAcquirer does there what the payer came for.
func (p *payer) atAcquirer(c cardPayment) error {
	switch c.Action {
	case actWalkAway:
		return nil
	case actCancel:
		f, ok := p.page.to("/cancel")
		if !ok {
			return p.stuck()
		}
		return p.submit(f, nil)
	}
	if isWallet(c.Method) {
		f, ok := p.page.offers("answer", c.Action)
		if !ok {
			return p.stuck()
		}
		return p.submit(f, map[string]string{"answer": c.Action})
	}
	f, ok := p.page.asks("number")
	if back, asked := p.page.offers("answer", "other"); !ok && asked {
		// Somebody was here before and had got as far as the password.
		if err := p.submit(back, map[string]string{"answer": "other"}); err != nil {
			return err
		}
		f, ok = p.page.asks("number")
	}
	if !ok {
		return p.stuck()
	}
	if err := p.submit(f, map[string]string{"number": c.Card.Number, "holder": c.Holder, "date": c.Date, "csc": c.CSC}); err != nil {
		return err
	}
	if p.page.alert != "" {
		return &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "the acquirer's form says: " + strings.TrimSpace(p.page.alert)}
	}
	// A wrong password is asked for again, as often as the acquirer does.
	for p.found == nil {
		f, ok := p.page.asks("otp")
		if !ok {
			return p.stuck()
		}
		if err := p.submit(f, map[string]string{"otp": c.OTP, "answer": "confirm"}); err != nil {
			return err
		}
	}
	return nil
}

func (p *payer) stuck() error {
	if p.found != nil {
		return nil
	}
	return failedWalk("the page %q at %s does not ask for what the payer has", p.page.title, p.at.Path)
}

// cardsView is the page of test cards.
type cardsView struct {
	Head                web.Head
	Vietnamese, English string
	Groups              []cardGroup
	Expiries            []trick
	Amounts             []trick
	Refunds             []refundTrick
	Curl                string
}

type cardGroup struct {
	Method payment.Method
	Cards  []acquirer.Card
}

type trick struct {
	Value  string
	Result acquirer.Result
	Later  acquirer.Result
	Notice acquirer.Notice
}

type refundTrick struct {
	Value, Outcome, Later string
	Told                  bool
}

// listCards answers GET /sandbox/cards: as a page, or as JSON for whoever asks
// for JSON.
func (h *Handler) listCards(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) {
		answer(w, http.StatusOK, cardList())
		return
	}
	lang := web.Language(r, "")
	v := cardsView{
		Head:       web.Head{Title: web.Text(lang, "sandbox.cards.title"), Scripts: []string{"sandbox.js"}},
		Vietnamese: withLanguage(r, web.Vietnamese), English: withLanguage(r, web.English),
		Expiries: expiries(), Amounts: amounts(), Refunds: refundTricks(),
		Curl: h.cardCurl("<checkout_url>"),
	}
	for _, m := range []payment.Method{payment.DomesticCard, payment.InternationalCard} {
		g := cardGroup{Method: m}
		for _, c := range acquirer.Cards() {
			if c.Method == m {
				g.Cards = append(g.Cards, c)
			}
		}
		v.Groups = append(v.Groups, g)
	}
	if err := h.set.Page(w, http.StatusOK, lang, "cards", v); err != nil {
		h.fail(w, r, err)
	}
}

// cardCurl is a command that pays a payment by Paykit's domestic test card.
func (h *Handler) cardCurl(page string) string {
	return "curl -s " + h.Info.BaseURL + "/sandbox/cards/pay \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"checkout_url\":\"" + page +
		"\",\"number\":\"" + demoCard + "\",\"holder\":\"NGUYEN VAN A\",\"expiry\":\"03/07\",\"otp\":\"otp\"}'"
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json") && !strings.Contains(r.Header.Get("Accept"), "text/html")
}

// listedCard is a test card as JSON.
type listedCard struct {
	Number  string          `json:"number"`
	Scheme  string          `json:"scheme"`
	Issuer  string          `json:"issuer"`
	Method  payment.Method  `json:"method"`
	Holder  string          `json:"holder"`
	Expiry  string          `json:"expiry"`
	CSC     string          `json:"csc"`
	OTP     string          `json:"otp"`
	Secure  bool            `json:"three_d_secure"`
	Outcome acquirer.Result `json:"outcome"`
}

type listedTricks struct {
	Cards   []listedCard               `json:"cards"`
	Expiry  map[string]acquirer.Result `json:"expiry"`
	Amounts map[string]acquirer.Result `json:"amount_ends_in"`
}

func cardList() listedTricks {
	all := listedTricks{Expiry: acquirer.Expiries, Amounts: map[string]acquirer.Result{}}
	for _, c := range acquirer.Cards() {
		holder := c.Holder
		if holder == "" {
			holder = "NGUYEN VAN A"
		}
		all.Cards = append(all.Cards, listedCard{c.Number, c.Scheme, c.Issuer, c.Method, holder, c.Date(), c.CSC, c.OTP, c.Secure, c.Result})
	}
	for digits, plan := range acquirer.Amounts {
		all.Amounts[ending(digits)] = plan.Result
	}
	return all
}

// expiries, amounts and refundTricks are the acquirer's tables, in order.
func expiries() (all []trick) {
	for _, date := range slices.Sorted(maps.Keys(acquirer.Expiries)) {
		t := trick{Value: date, Result: acquirer.Expiries[date]}
		if t.Result == acquirer.Unknown {
			t.Later = acquirer.Approved
		}
		all = append(all, t)
	}
	return all
}

func amounts() (all []trick) {
	for _, digits := range slices.Sorted(maps.Keys(acquirer.Amounts)) {
		plan := acquirer.Amounts[digits]
		all = append(all, trick{Value: ending(digits), Result: plan.Result, Later: plan.Later, Notice: plan.Notice})
	}
	return all
}

func refundTricks() (all []refundTrick) {
	for _, digits := range slices.Sorted(maps.Keys(acquirer.RefundAmounts)) {
		plan := acquirer.RefundAmounts[digits]
		t := refundTrick{Value: ending(digits), Outcome: string(plan.Outcome), Later: string(plan.Later), Told: plan.Told}
		if plan.Code == acquirer.CodeNoBalance {
			t.Outcome = "balance"
		}
		all = append(all, t)
	}
	return all
}

// ending writes the last three digits of an amount.
func ending(digits int64) string { return fmt.Sprintf("%03d", digits) }
