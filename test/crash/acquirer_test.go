package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// acquirer is an acquirer that charges cards and is bad at saying so. Its manner with an order is drawn from the
// order's reference, so that a seed repeats it.
type acquirer struct {
	server *httptest.Server
	mu     sync.Mutex
	orders map[string]*charge // by reference
	by     map[string][]*charge
	gave   map[string]int // refunds by the gateway's id
	faults []string
}

// charge is an order at the acquirer.
type charge struct {
	Reference string `json:"reference"`
	PaymentID string `json:"payment_id"`
	Amount    int64  `json:"amount"`
	manner    manner
	charged   int // how often
	failed    bool
	reversed  bool
	asked     int
}

// manner is how an order goes.
type manner int

const (
	plain        manner = iota // paid and told
	lostCreate                 // charged, and the answer to the order is lost
	lostNotice                 // charged, and nobody is told
	manyNotices                // charged, and told again and again, at once
	lostQuery                  // nobody is told, and the first answers to questions are lost
	chargedTwice               // two transactions for one order
	reversed                   // charged, and taken back later
	declined                   // not charged
	otherAmount                // charged, and another amount
	refusing                   // the order is refused: nothing was charged
	never                      // charged, and nobody can ever say so
	manners
)

const acquirerKey = "acquirer-key"

func newAcquirer(t *testing.T) *acquirer {
	a := &acquirer{orders: map[string]*charge{}, by: map[string][]*charge{}, gave: map[string]int{}}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	return a
}

// drop ends the connection without an answer.
func drop(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func (a *acquirer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		charge
		Refund string `json:"refund"`
		Manner manner `json:"manner"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.Header.Get("X-Key") != acquirerKey {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.orders[ask.Reference]
	switch r.URL.Path {
	case "/orders":
		if ask.Manner == refusing {
			http.Error(w, "no", http.StatusUnprocessableEntity)
			return
		}
		if o != nil {
			a.faults = append(a.faults, "order "+ask.Reference+" was sent twice")
		}
		for _, other := range a.by[ask.PaymentID] {
			if other.charged > 0 && !other.failed {
				a.faults = append(a.faults, fmt.Sprintf("payment %s was charged by %s and is to be charged again by %s", ask.PaymentID, other.Reference, ask.Reference))
			}
		}
		o = &charge{Reference: ask.Reference, PaymentID: ask.PaymentID, Amount: ask.Amount, manner: ask.Manner}
		a.orders[o.Reference], a.by[o.PaymentID] = o, append(a.by[o.PaymentID], o)
		if o.manner == lostCreate || o.manner == never {
			o.charged = 1 // the payer's card is on file
			drop(w)
		}
		a.reply(w, map[string]string{"url": a.server.URL + "/pay/" + o.Reference})
	case "/query":
		switch {
		case o == nil:
			a.reply(w, map[string]any{"status": "unknown"})
		case o.manner == never:
			o.asked++
			drop(w)
		case o.manner == lostQuery && o.asked < 2:
			o.asked++
			drop(w)
		default:
			a.reply(w, o.say())
		}
	case "/refunds":
		if a.gave[ask.Refund] > 0 {
			a.faults = append(a.faults, "refund "+ask.Refund+" was asked for twice")
		}
		a.gave[ask.Refund]++
		if ask.Manner == lostCreate {
			drop(w)
		}
		a.reply(w, map[string]any{"status": "done", "transaction": "r-" + ask.Refund, "amount": ask.Amount})
	case "/refunds/query":
		if a.gave[ask.Refund] == 0 {
			a.reply(w, map[string]any{"status": "unknown"})
			return
		}
		a.reply(w, map[string]any{"status": "done", "transaction": "r-" + ask.Refund, "amount": ask.Amount})
	}
}

func (a *acquirer) reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(mustJSON(v))
}

// said is the acquirer's word on an order or refund.
type said struct {
	Reference   string `json:"reference"`
	Status      string `json:"status"`
	Transaction string `json:"transaction"`
	Amount      int64  `json:"amount"`
}

func (o *charge) say() said {
	s := said{Reference: o.Reference, Transaction: "t-" + o.Reference, Amount: o.Amount, Status: "pending"}
	if o.manner == otherAmount {
		s.Amount++
	}
	switch {
	case o.failed || o.reversed:
		s.Status = "failed"
	case o.charged > 0:
		s.Status = "done"
	}
	return s
}

// wire is the connector that speaks to it.
type wire struct{}

func (wire) Kind() string { return "crash" }
func (wire) Methods() []payment.Method {
	return []payment.Method{payment.DomesticCard, payment.InternationalCard}
}
func (wire) CheckConfig([]byte) error           { return nil }
func (wire) Reference(a payment.Attempt) string { return a.ID }
func (wire) Repeatable() bool                   { return false }
func (wire) VerifyReturn(card.Dealing, card.Message) (card.Report, error) {
	return card.Report{Outcome: card.Unknown}, nil
}

func (wire) call(ctx context.Context, d card.Dealing, path string, body any) (status int, answer []byte, sent bool, err error) {
	var config struct{ Base string }
	if err := json.Unmarshal(d.Config, &config); err != nil {
		return 0, nil, false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, config.Base+path, bytes.NewReader(mustJSON(body)))
	if err != nil {
		return 0, nil, false, err
	}
	req.Header.Set("X-Key", acquirerKey)
	return d.HTTP.Do(req)
}

// mannerOf is drawn by the test, in the description of the payment.
func mannerOf(description string) (m manner) {
	_, _ = fmt.Sscanf(description, "manner %d", &m)
	return m
}

func (w wire) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	status, body, sent, err := w.call(ctx, d, "/orders", map[string]any{
		"reference": o.Attempt.Reference, "payment_id": o.Attempt.PaymentID, "amount": o.Attempt.Amount, "manner": mannerOf(o.Description),
	})
	switch {
	case err != nil && sent:
		return card.Created{}, fmt.Errorf("%w: %w", card.ErrUncertain, err)
	case err != nil:
		return card.Created{}, err
	case status == http.StatusUnprocessableEntity:
		return card.Created{}, fmt.Errorf("the acquirer refuses the order: %s", body)
	case status != http.StatusOK:
		return card.Created{}, fmt.Errorf("%w: status %d", card.ErrUncertain, status)
	}
	var answer struct{ URL string }
	if err := json.Unmarshal(body, &answer); err != nil {
		return card.Created{}, fmt.Errorf("%w: %w", card.ErrUncertain, err)
	}
	return card.Created{Handoff: payment.Handoff{URL: answer.URL}}, nil
}

func (wire) VerifyNotify(d card.Dealing, m card.Message) (card.Report, error) {
	if m.Header.Get("X-Key") != acquirerKey {
		return card.Report{}, payment.Fail(payment.CodeUnauthorized, "wrong key")
	}
	return report(m.Body)
}

func report(body []byte) (card.Report, error) {
	var s said
	if err := json.Unmarshal(body, &s); err != nil {
		return card.Report{}, payment.Fail(payment.CodeInvalidRequest, "not JSON")
	}
	r := card.Report{Reference: s.Reference, ExternalID: s.Transaction, Code: s.Status, Text: s.Status, Outcome: card.Unknown}
	switch s.Status {
	case "done":
		r.Outcome, r.Amount, r.Currency = card.Done, money.VND(s.Amount), "VND"
	case "failed":
		r.Outcome = card.Failed
	case "pending":
		r.Outcome = card.Pending
	}
	return r, nil
}

func (wire) Acknowledge(told bool, err error) card.Answer {
	if err != nil {
		return card.Answer{Status: http.StatusConflict, ContentType: "text/plain", Body: []byte(payment.CodeOf(err))}
	}
	return card.Answer{Status: http.StatusOK, ContentType: "text/plain", Body: []byte("ok")}
}

func (w wire) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	return w.ask(ctx, d, "/query", map[string]any{"reference": a.Reference})
}

func (w wire) ask(ctx context.Context, d card.Dealing, path string, body any) (card.Report, error) {
	status, answer, _, err := w.call(ctx, d, path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return card.Report{}, err
	}
	return report(answer)
}

func (w wire) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	status, answer, sent, err := w.call(ctx, d, "/refunds", map[string]any{"refund": r.Refund.ID, "amount": r.Refund.Amount, "manner": mannerOf(r.Refund.Reason)})
	switch {
	case err != nil && sent:
		return card.Report{}, fmt.Errorf("%w: %w", card.ErrUncertain, err)
	case err != nil:
		return card.Report{}, err
	case status != http.StatusOK:
		return card.Report{}, fmt.Errorf("%w: status %d", card.ErrUncertain, status)
	}
	return report(answer)
}

func (w wire) QueryRefund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	return w.ask(ctx, d, "/refunds/query", map[string]any{"refund": r.Refund.ID, "amount": r.Refund.Amount})
}

var _ card.Refunder = wire{}

// TestAcquirers sends payers to an acquirer that charges and loses its answers, tells late, often, wrongly or not at
// all, charges twice, and takes back. Each payment ends as the acquirer has it or on a person's list, and no payer is
// charged because the gateway asked twice.
func TestAcquirers(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 4*int(manners))
		s := newSite(t, database)
		a := newAcquirer(t)
		g := s.startInside(fitting{connectors: []card.Connector{wire{}}, firstLook: time.Millisecond})
		by := core.Actor{Name: "operator"}
		conn, err := g.core.AddConnector(t.Context(), by, core.NewConnector{
			MerchantID: s.merchantID, Kind: "crash", Methods: wire{}.Methods(), Config: mustJSON(map[string]string{"base": a.server.URL}),
		})
		if err != nil {
			t.Fatal(err)
		}
		merchant, err := g.core.Merchant(t.Context(), s.merchantID)
		if err != nil {
			t.Fatal(err)
		}
		b := &buyers{t: t, g: g, a: a, conn: conn.ID, merchant: merchant, name: fmt.Sprintf("A%d", loads.Add(1))}
		jobs := make(chan func())
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for job := range jobs {
					job()
				}
			})
		}
		for i := range r.rounds {
			m := manner(i) % manners
			// What nobody can ever say takes the whole schedule of questions; a few are enough.
			if m == never && i >= 20*int(manners) {
				m = lostCreate
			}
			own := rand.New(rand.NewPCG(r.random.Uint64(), 0))
			jobs <- func() { b.buy(i, m, own) }
		}
		close(jobs)
		group.Wait()
		r.add("orders", int64(r.rounds))
		b.verdict(r, s)
	})
}

// buyers pay by card.
type buyers struct {
	t        *testing.T
	g        *inside
	a        *acquirer
	conn     string
	merchant payment.Merchant
	name     string

	mu       sync.Mutex
	payments []bought
}

// bought is a payment with what has to become of it.
type bought struct {
	id     string
	manner manner
	refund string // its id, if there is one
}

func (b *buyers) buy(i int, m manner, random *rand.Rand) {
	ctx := b.t.Context()
	p, err := b.g.core.Open(ctx, core.Opening{
		Merchant: b.merchant, Dialect: "paykit", Reference: fmt.Sprintf("%s-%d", b.name, i), Amount: money.VND(10_000 + random.Int64N(1_000_000)),
		Methods: []payment.Method{payment.DomesticCard}, Description: fmt.Sprintf("manner %d", m), DueAt: time.Now().Add(2 * time.Hour),
		SuccessURL: "https://shop.example.vn/ok", CancelURL: "https://shop.example.vn/no",
	})
	if err != nil {
		b.t.Error(err)
		return
	}
	one := bought{id: p.ID, manner: m}
	// An impatient payer clicks more than once, on more than one page.
	var handoff payment.Handoff
	var mu sync.Mutex
	atOnce(1+random.IntN(3), func() {
		h, err := b.g.cards.Start(ctx, p.ID, payment.DomesticCard, "203.0.113.9")
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			handoff = h
		}
	})
	if m == lostCreate || m == never {
		// And once more, when nobody knows what became of it: the acquirer says if it hears of a second order.
		_, _ = b.g.cards.Start(ctx, p.ID, payment.DomesticCard, "203.0.113.9")
	}
	if handoff.URL != "" {
		b.payer(strings.TrimPrefix(handoff.URL, b.a.server.URL+"/pay/"), m, random)
	}
	if handoff.URL != "" && (m == plain && random.IntN(2) == 0 || m == manyNotices) {
		one.refund = b.refund(p.ID, random)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.payments = append(b.payments, one)
}

// payer pays at the acquirer, which then tells as is its manner.
func (b *buyers) payer(reference string, m manner, random *rand.Rand) {
	b.a.mu.Lock()
	o := b.a.orders[reference]
	if o == nil {
		b.a.mu.Unlock()
		b.t.Errorf("a payer was sent to order %s, which the acquirer does not have", reference)
		return
	}
	switch m {
	case declined:
		o.failed = true
	default:
		o.charged++
	}
	say := o.say()
	b.a.mu.Unlock()
	switch m {
	case plain, declined:
		b.notify(say, http.StatusOK)
	case manyNotices:
		atOnce(2+random.IntN(6), func() { b.notify(say, http.StatusOK) })
	case chargedTwice:
		b.notify(say, http.StatusOK)
		say.Transaction += "-again"
		b.notify(say, http.StatusConflict)
	case reversed:
		b.notify(say, http.StatusOK)
		b.a.mu.Lock()
		o.reversed = true
		b.a.mu.Unlock()
		say.Status = "failed"
		b.notify(say, http.StatusConflict)
	case otherAmount:
		b.notify(say, http.StatusConflict)
	}
}

func (b *buyers) notify(s said, want int) {
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.g.base+"/acquirers/"+b.conn+"/notify", bytes.NewReader(mustJSON(s)))
	if err != nil {
		b.t.Error(err)
		return
	}
	req.Header.Set("X-Key", acquirerKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Error(err)
		return
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != want {
		b.t.Errorf("a notice %+v was answered %s %s, want %d", s, res.Status, text, want)
	}
}

// refund gives the money back, at times by an acquirer that loses its answer.
func (b *buyers) refund(id string, random *rand.Rand) string {
	p, err := b.g.core.Payment(b.t.Context(), id)
	if err != nil || p.State != payment.Approved {
		b.t.Errorf("payment %s is %s (%v)", id, p.State, err)
		return ""
	}
	m := plain
	if random.IntN(2) == 0 {
		m = lostCreate
	}
	_, refund, err := b.g.core.RefundByOperator(b.t.Context(), core.Actor{Name: "operator"}, id, "", 1+money.VND(random.Int64N(int64(p.Amount))), fmt.Sprintf("manner %d", m))
	if err != nil {
		b.t.Error(err)
	}
	return refund.ID
}

// verdict waits until nothing is under way any more, and judges every payment by what the acquirer has.
func (b *buyers) verdict(r *trial, s *site) {
	t, ctx := b.t, b.t.Context()
	t.Helper()
	start := time.Now()
	for _, one := range b.payments {
		for !b.settled(one) {
			if time.Since(start) > 3*time.Minute {
				t.Fatalf("payment %s (manner %d) is still under way", one.id, one.manner)
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				t.FailNow()
			}
		}
	}
	s.quiesce(b.g.node)
	s.audit()
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	for _, fault := range b.a.faults {
		t.Error(fault)
	}
	for _, one := range b.payments {
		p, err := b.g.core.Payment(ctx, one.id)
		if err != nil {
			t.Fatal(err)
		}
		attempts, err := b.g.core.PaymentAttempts(ctx, one.id)
		if err != nil {
			t.Fatal(err)
		}
		charged, review := int64(0), false
		for _, o := range b.a.by[one.id] {
			charged += int64(o.charged) * o.Amount
		}
		for _, at := range attempts {
			review = review || at.Review
		}
		r.add(string(p.State), 1)
		if review {
			r.add("on a person's list", 1)
		}
		wantReview := one.manner == chargedTwice || one.manner == reversed || one.manner == never || one.manner == otherAmount
		if review && charged == 0 {
			// Questions come so early here that one may overtake the order itself: then no payer is sent there, and a person is
			// told that nobody has heard of it.
			wantReview = true
		}
		if review != wantReview || int64(p.Received) != charged && !review {
			t.Errorf("payment %s (manner %d): charged %d, %s with %d received, on a person's list %t", one.id, one.manner, charged, p.State, p.Received, review)
		}
		if approved := charged > 0 && one.manner != never && one.manner != otherAmount; approved != (p.State == payment.Approved) {
			t.Errorf("payment %s (manner %d): charged %d and %s", one.id, one.manner, charged, p.State)
		}
		if one.refund != "" && b.a.gave[one.refund] != 1 {
			t.Errorf("refund %s was made %d times", one.refund, b.a.gave[one.refund])
		}
	}
	r.add("refunds", int64(len(b.a.gave)))
}

// settled says whether nothing is under way for a payment.
func (b *buyers) settled(one bought) bool {
	b.t.Helper()
	attempts, err := b.g.core.PaymentAttempts(b.t.Context(), one.id)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, at := range attempts {
		if !at.State.Final() && !at.Review {
			return false
		}
	}
	if one.refund == "" {
		return true
	}
	refund, err := b.g.core.RefundByID(b.t.Context(), one.refund)
	if err != nil {
		b.t.Fatal(err)
	}
	return refund.State != payment.RefundProcessing
}
