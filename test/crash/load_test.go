package crash

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thungan/thungan/rail/vietqr"
)

// plan is what a payer does about an order.
type plan string

const (
	leave   plan = "leave"   // never pays
	exact   plan = "exact"   // pays what is due
	parts   plan = "parts"   // pays some, then the rest
	doubled plan = "doubled" // pays twice
	resent  plan = "resent"  // pays once, and the bank tells twice
)

var plans = []plan{leave, exact, exact, parts, doubled, resent}

// order is what the shop asked for, and what it was answered.
type order struct {
	reference   string
	amount      int64
	description string
	due         time.Time
	plan        plan
	checkoutURL string

	answered bool   // the gateway said that it has the payment
	refused  bool   // no answer came, and the shop gave up
	canceled bool   // by an operator
	voided   bool   // at a terminal
	method   string // "" is BANK_TRANSFER
	ipn      string // where its notices go, "" is the receiver of all
	memo     string // what the payer writes, once that is known
	credits  []*credit
}

// credit is one movement on the bank account. The bank may tell of it more than once.
type credit struct {
	id       string
	amount   int64
	at       time.Time
	answered bool // with 2xx
}

// history is everything that was sent and answered.
type history struct {
	orders  []*order
	notices []notice
	faults  []string // wrong answers, seen at once
	unknown int      // answers that were lost, whatever became of the request
	refused int      // requests that were given up
}

// load is a shop and a bank, busy until finish.
type load struct {
	site  *site
	once  bool // a request without an answer is given up, not sent again
	http  *http.Client
	nodes atomic.Pointer[[]string] // base URLs of those that are not known to be dead
	turn  atomic.Uint64
	stop  chan struct{}
	work  sync.WaitGroup
	ctx   context.Context
	name  string        // of its own; its references begin with it
	every time.Duration // between two orders of a shopper; 0 is as soon as it can

	answers atomic.Int64 // with 2xx

	mu      sync.Mutex
	history history
	worst   time.Duration   // that an answer took
	times   []time.Duration // that answers of the base timed took, if there is one
	timed   string
}

// patience bounds how long one request is sent again and again.
const patience = 60 * time.Second

// newLoad is the usual one, of -crash.rate orders a second at most.
func newLoad(s *site, random *rand.Rand, once bool, nodes ...*node) *load {
	var every time.Duration
	if *rate > 0 {
		every = time.Duration(shoppers * float64(time.Second) / *rate)
	}
	return begin(s, random, once, shoppers, every, nodes...)
}

// newCrowd has so many shoppers at once, each as fast as it goes; none of them leaves requests to be made by the test.
func newCrowd(s *site, random *rand.Rand, once bool, shoppers int, nodes ...*node) *load {
	return begin(s, random, once, shoppers, 0, nodes...)
}

func begin(s *site, random *rand.Rand, once bool, shoppers int, every time.Duration, nodes ...*node) *load {
	l := &load{site: s, once: once, stop: make(chan struct{}), ctx: s.t.Context(), name: fmt.Sprintf("L%d", loads.Add(1)), every: every}
	// Where nothing is sent again each request has a connection of its own: on one that is kept alive a refusal cannot be
	// told from an answer that was lost.
	l.http = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2*shoppers + 8, DisableKeepAlives: once}}
	l.aim(nodes...)
	for i := range shoppers {
		own := rand.New(rand.NewPCG(random.Uint64(), uint64(i)))
		l.work.Go(func() { l.shop(i, own) })
	}
	return l
}

// aim says where the gateway is now.
func (l *load) aim(nodes ...*node) {
	var bases []string
	for _, n := range nodes {
		bases = append(bases, n.base)
	}
	l.nodes.Store(&bases)
}

// base takes the nodes in turn.
func (l *load) base() string {
	bases := *l.nodes.Load()
	return bases[l.turn.Add(1)%uint64(len(bases))]
}

func (l *load) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-l.ctx.Done():
	}
}

// busy waits until enough was done to show something, which takes a machine with other work longer.
func (l *load) busy() {
	const enough = 200
	l.pause(longest)
	for start := time.Now(); l.answers.Load() < enough && time.Since(start) < patience; {
		l.pause(10 * time.Millisecond)
	}
}

// finish lets every shopper end its order, and gives the history. Notices are those so far; see site.quiesce.
func (l *load) finish() *history {
	close(l.stop)
	l.work.Wait()
	l.http.CloseIdleConnections()
	return &l.history
}

func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history.faults = append(l.history.faults, fmt.Sprintf(format, args...))
}

// add puts what another load did to this history.
func (h *history) add(other *history) {
	h.orders = append(h.orders, other.orders...)
	h.faults = append(h.faults, other.faults...)
	h.unknown += other.unknown
	h.refused += other.refused
}

func (l *load) shop(shopper int, random *rand.Rand) {
	next := time.Now()
	for n := 0; !l.stopped(); n++ {
		l.pause(time.Until(next)) // short enough not to be cut off by the end
		// What was missed while the gateway was down is not made up for.
		next = later(next.Add(l.every), time.Now())
		if !l.serve(fmt.Sprintf("%s-S%d-%d", l.name, shopper, n), plans[random.IntN(len(plans))], random) {
			return // the door is closed
		}
	}
}

// serve makes one order and pays it as planned.
func (l *load) serve(reference string, p plan, random *rand.Rand) bool {
	o := &order{
		reference: reference, amount: 10_000 + random.Int64N(5_000_000), plan: p, description: fmt.Sprintf("cà phê sữa đá %d", random.IntN(1000)),
		due: l.site.clock().Add(2*time.Hour + time.Duration(random.IntN(3600))*time.Second).UTC().Truncate(time.Second),
	}
	l.mu.Lock()
	l.history.orders = append(l.history.orders, o)
	l.mu.Unlock()
	payload, ok := l.create(o, random)
	return ok && l.pay(o, payload, random)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stopped is never true where the closed door ends the load.
func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return !l.once
	case <-l.ctx.Done():
		return true
	default:
		return false
	}
}

// checkout is the answer to a create or a look-up.
type checkout struct {
	Result      string      `json:"result"`
	Code        string      `json:"gateway_code"`
	CheckoutURL string      `json:"checkout_url"`
	Payment     wirePayment `json:"payment"`
	Transfer    struct {
		VietQR string `json:"vietqr_data"`
	} `json:"bank_transfer_payment"`
}

const wireTime = "2006-01-02T15:04:05.000000Z"

// create sends an order until it is answered, and some orders once more after that. It gives the VietQR text.
func (l *load) create(o *order, random *rand.Rand) (payload string, ok bool) {
	body := l.createBody(o)
	answer, tries, ok := l.ask(body, "/v2/payment-page-checkout")
	if !ok {
		o.refused = true
		return "", false
	}
	switch {
	case answer.Result == "SUCCESS":
		l.checkOpened(o, answer)
	case answer.Code == "DUPLICATE_PAYMENT_ID" && tries > 1:
		// The answer to an earlier try was lost.
	default:
		l.fault("%s: create was answered %s %s at try %d", o.reference, answer.Result, answer.Code, tries)
		return "", true
	}
	o.answered, o.checkoutURL = true, answer.CheckoutURL
	if answer.Result != "SUCCESS" || random.IntN(4) == 0 {
		if again, _, ok := l.ask(body, "/v2/payment-page-checkout"); ok && again.Code != "DUPLICATE_PAYMENT_ID" {
			l.fault("%s: a repeated create was answered %s %s", o.reference, again.Result, again.Code)
		}
		found, _, ok := l.ask(mustJSON(map[string]string{"payment_id": o.reference}), "/v2/retrieve-payment")
		if !ok {
			return "", false
		}
		if found.Result != "SUCCESS" {
			l.fault("%s: a look-up after the create was answered %s %s", o.reference, found.Result, found.Code)
		}
		answer = found
	}
	return answer.Transfer.VietQR, true
}

// createBody is the request for an order.
func (l *load) createBody(o *order) []byte {
	return mustJSON(map[string]any{"payment_method": cmp.Or(o.method, "BANK_TRANSFER"), "payment": map[string]any{
		"id": o.reference, "amount": o.amount, "currency": "VND", "description": o.description, "due_time": o.due.Format(wireTime),
		"success_url": "https://shop.example.vn/ok", "cancel_url": "https://shop.example.vn/no", "ipn_url": cmp.Or(o.ipn, l.ipnURL()),
	}})
}

func (l *load) ipnURL() string { return l.site.receiver.server.URL + "/ipn" }

func (l *load) checkOpened(o *order, answer checkout) {
	p := answer.Payment
	if answer.Code != "APPROVED" || p.ID != o.reference || p.Total != float64(o.amount) || p.Status != "OPEN" || p.DueTime != o.due.Format(wireTime) {
		l.fault("%s: create was answered %+v", o.reference, answer)
	}
}

// ask calls the Paykit interface.
func (l *load) ask(body []byte, path string) (answer checkout, tries int, ok bool) {
	tries, ok = l.send(path, body, func(h http.Header) {
		h.Set("api-key", l.site.apiKey)
		h.Set("secret-key", l.site.secretKey)
	}, func(text []byte) error { return json.Unmarshal(text, &answer) })
	return answer, tries, ok
}

// pay does what the order's payer does. It is false when the bank found the door closed.
func (l *load) pay(o *order, payload string, random *rand.Rand) bool {
	if !o.answered || o.plan == leave {
		return true
	}
	qr, _, err := vietqr.DecodeVerified(payload)
	if err != nil || qr.Amount != o.amount || qr.BIN != bankBIN || qr.Account != bankAccount {
		l.fault("%s: the VietQR text %q says %+v (%v)", o.reference, payload, qr, err)
		return true
	}
	o.memo = qr.Memo
	amounts := []int64{o.amount}
	switch o.plan {
	case parts:
		first := 1 + random.Int64N(o.amount-1)
		amounts = []int64{first, o.amount - first}
	case doubled:
		amounts = append(amounts, o.amount)
	}
	for i, amount := range amounts {
		c := &credit{id: fmt.Sprintf("%s-c%d", o.reference, i), amount: amount, at: l.site.clock().UTC().Truncate(time.Millisecond)}
		o.credits = append(o.credits, c)
		if !l.tell(c, qr.Memo) || o.plan == resent && !l.tell(c, qr.Memo) {
			return false
		}
	}
	return true
}

// memo is what the payer of a VietQR text writes.
func (l *load) memo(payload string) string {
	qr, _, err := vietqr.DecodeVerified(payload)
	if err != nil {
		l.fault("the VietQR text %q: %v", payload, err)
	}
	return qr.Memo
}

// tell sends a credit as the bank does, until it is answered with 2xx.
func (l *load) tell(c *credit, memo string) bool {
	body := mustJSON(map[string]any{
		"id": c.id, "bin": bankBIN, "account": bankAccount, "amount": c.amount, "currency": "VND", "direction": "in",
		"memo": "NGUYEN VAN A chuyen tien " + memo, "reference": "FT-" + c.id, "occurred_at": c.at.Format(time.RFC3339Nano),
	})
	_, ok := l.send("/bank-feeds/"+feedName, body, func(h http.Header) {
		h.Set("X-Thungan-Signature", signature(body, l.site.clock()))
	}, func([]byte) error { return nil })
	c.answered = c.answered || ok
	return ok
}

// signature is the generic feed's, written from its description.
func signature(body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(feedSecret))
	fmt.Fprintf(mac, "%s.%s", t, body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// send posts a body until it is answered with 2xx, and says how often. Not ok means that it was given up.
func (l *load) send(path string, body []byte, sign func(http.Header), read func([]byte) error) (tries int, ok bool) {
	for start := time.Now(); ; {
		tries++
		status, text, err := l.post(path, body, sign)
		switch {
		case err != nil:
			l.count(&l.history.unknown)
		case status/100 == 2:
			l.answers.Add(1)
			if err := read(text); err != nil {
				l.fault("%s: answer %q: %v", path, text, err)
			}
			return tries, true
		case status < 500:
			l.fault("%s: status %d: %s", path, status, text)
			return tries, true
		}
		if l.once {
			if err == nil {
				l.fault("%s: status %d: %s", path, status, text)
			}
			l.count(&l.history.refused)
			return tries, false
		}
		if time.Since(start) > patience || l.ctx.Err() != nil {
			l.fault("%s: no answer within %s: %v %d %s", path, patience, err, status, text)
			return tries, false
		}
		l.pause(20 * time.Millisecond)
	}
}

// time notes how long an answer of a base took.
func (l *load) time(base string, from time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := time.Since(from)
	l.worst = max(l.worst, took)
	if base == l.timed {
		l.times = append(l.times, took)
	}
}

// watch begins to note how long answers of a node take, and gives what was noted of the one before.
func (l *load) watch(n *node) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.times
	l.timed, l.times = "", nil
	if n != nil {
		l.timed = n.base
	}
	return times
}

func (l *load) count(n *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n++
}

func (l *load) post(path string, body []byte, sign func(http.Header)) (status int, text []byte, err error) {
	base := l.base()
	defer l.time(base, time.Now())
	req, err := http.NewRequestWithContext(l.ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	sign(req.Header)
	res, err := l.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// mustBeUseful fails a test whose load was too thin to show anything.
func (h *history) mustBeUseful(t *testing.T) {
	t.Helper()
	done := map[plan]int{}
	for _, o := range h.orders {
		if o.answered {
			done[o.plan]++
		}
	}
	for _, p := range plans {
		if done[p] == 0 {
			t.Errorf("no order with the plan %q was answered: %v", p, done)
		}
	}
	t.Logf("orders by plan: %v; %d answers lost", done, h.unknown)
}

// watchPage holds a payer's live page open: its first event has arrived when it returns.
func (l *load) watchPage(n *node) io.ReadCloser {
	l.site.t.Helper()
	o := &order{reference: l.name + "-WATCHED", amount: 20_000, description: "trà đá", plan: leave, due: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	l.mu.Lock()
	l.history.orders = append(l.history.orders, o)
	l.mu.Unlock()
	if _, ok := l.create(o, rand.New(rand.NewPCG(0, 0))); !ok || o.checkoutURL == "" {
		l.site.t.Fatal("no order to watch")
	}
	_, path, _ := strings.Cut(o.checkoutURL, "pay.example.vn")
	path, query, _ := strings.Cut(path, "?")
	// No time limit: the stream has to end by itself.
	res, err := (&http.Client{}).Get(n.base + path + "/events?" + query)
	if err != nil {
		l.site.t.Fatal(err)
	}
	if _, err := res.Body.Read(make([]byte, 1)); err != nil || res.StatusCode != http.StatusOK {
		l.site.t.Fatalf("live page: %s %v", res.Status, err)
	}
	return res.Body
}
