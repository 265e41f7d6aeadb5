package crash

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// bank is a bank's notifier that does everything wrong, and remembers what it really booked.
type bank struct {
	*load
	trial *trial

	lock     sync.Mutex
	booked   map[string]shownCredit // by the bank's id: amount, and the outcome where there is only one
	lies     map[string]bool        // ids that only false messages have
	refused  int                    // messages that were answered with 401
	expected map[string]int64       // received by reference
}

// transaction is one movement as the generic feed tells it.
type transaction map[string]any

func (b *bank) transaction(id, memo string, amount int64, at time.Time) transaction {
	return transaction{
		"id": id, "bin": bankBIN, "account": bankAccount, "amount": amount, "currency": "VND", "direction": "in",
		"memo": memo, "reference": "FT-" + id, "occurred_at": at.UTC().Format(time.RFC3339Nano),
	}
}

// book notes what a real transaction has to come to.
func (b *bank) book(id string, amount int64, outcome, reference string, applied int64) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.booked[id] = shownCredit{ExternalID: id, Amount: amount, Outcome: outcome}
	b.expected[reference] += applied
}

// message sends a body as it is; good says whether it has to be taken.
func (b *bank) message(body []byte, header http.Header, good bool, what string) {
	for start := time.Now(); ; {
		status, text, err := b.post("/bank-feeds/"+feedName, body, func(h http.Header) {
			for name, values := range header {
				h[name] = values
			}
		})
		switch {
		case err != nil:
			b.fault("%s: %v", what, err)
			return
		case status/100 == 5 && time.Since(start) < patience:
			b.pause(10 * time.Millisecond)
			continue
		case good != (status == http.StatusOK), !good && status != http.StatusUnauthorized && status != http.StatusTooManyRequests:
			b.fault("%s was answered %d %s", what, status, text)
		case status == http.StatusUnauthorized:
			b.lock.Lock()
			b.refused++
			b.lock.Unlock()
		}
		return
	}
}

func signedAt(body []byte, at time.Time) http.Header {
	return http.Header{"X-Thungan-Signature": {signature(body, at)}}
}

// tellAll sends transactions in one message.
func (b *bank) tellAll(what string, transactions ...transaction) {
	body := mustJSON(map[string]any{"transactions": transactions})
	if len(transactions) == 1 {
		body = mustJSON(transactions[0])
	}
	b.message(body, signedAt(body, b.site.clock()), true, what)
}

// garble writes a transfer's text as banks hand it on; what is around the code differs, the code's letters may be small.
func garble(memo string, random *rand.Rand) string {
	texts := []string{"MBVCB.%d.%s.CT tu 0123 NGUYEN VAN A", "IBFT %d %s", "Chuyển tiền cà phê %d %s cảm ơn", "CUSTOMER %d-%s-CHUYEN TIEN-OQCH", "QR - %d %s"}
	if random.IntN(2) == 0 {
		memo = strings.ToLower(memo)
	}
	return fmt.Sprintf(texts[random.IntN(len(texts))], random.IntN(1e6), memo)
}

// spoil changes one letter of the code, so that its check symbol does not fit, and leaves nothing that is a code.
func spoil(memo string, random *rand.Rand) string {
	i := len(memo) - 1 - random.IntN(8)
	other := byte('0')
	if memo[i] == other {
		other = '1'
	}
	return memo[:i] + string(other) + memo[i+1:]
}

// hostile are the kinds of notices that need no moving clock. Each is one order with its transfer.
var hostile = map[string]func(b *bank, o *order, memo string, random *rand.Rand){
	"doubled": func(b *bank, o *order, memo string, random *rand.Rand) {
		one := b.transaction(o.reference, memo, o.amount, time.Now())
		b.book(o.reference, o.amount, "exact", o.reference, o.amount)
		atOnce(1+random.IntN(2), func() { b.tellAll("a notice that is told more than once", one) })
		b.tellAll("a notice that is told again", one)
	},
	"reordered": func(b *bank, o *order, memo string, random *rand.Rand) {
		n := 2 + random.IntN(3)
		part := o.amount / int64(n)
		at := time.Now()
		for i := n - 1; i >= 0; i-- { // the last first
			amount, outcome := part, "short"
			if i == n-1 {
				amount = o.amount - part*int64(n-1)
			}
			if i == 0 {
				outcome = "exact"
			}
			id := fmt.Sprintf("%s-%d", o.reference, i)
			b.book(id, amount, outcome, o.reference, amount)
			b.tellAll("a reordered notice", b.transaction(id, memo, amount, at.Add(time.Duration(i-n)*time.Minute)))
		}
	},
	"split": func(b *bank, o *order, memo string, random *rand.Rand) {
		n := 2 + random.IntN(4)
		part := o.amount / int64(n)
		var all []transaction
		for i := range n {
			amount, outcome := part, "short"
			if i == n-1 {
				amount, outcome = o.amount-part*int64(n-1), "exact"
			}
			id := fmt.Sprintf("%s-%d", o.reference, i)
			b.book(id, amount, outcome, o.reference, amount)
			all = append(all, b.transaction(id, memo, amount, time.Now()))
		}
		b.tellAll("a split transfer", all...)
	},
	"altered text": func(b *bank, o *order, memo string, random *rand.Rand) {
		if random.IntN(4) == 0 { // past recognition: the money is kept for a person
			b.book(o.reference, o.amount, "unknown", o.reference, 0)
			b.tellAll("a notice with a spoilt text", b.transaction(o.reference, spoil(memo, random), o.amount, time.Now()))
			return
		}
		b.book(o.reference, o.amount, "exact", o.reference, o.amount)
		b.tellAll("a notice with an altered text", b.transaction(o.reference, garble(memo, random), o.amount, time.Now()))
	},
	"wrong amount": func(b *bank, o *order, memo string, random *rand.Rand) {
		amount, outcome, applied := o.amount+1+random.Int64N(1_000_000), "over", int64(0)
		applied = amount
		if random.IntN(2) == 0 {
			amount, outcome = 1+random.Int64N(o.amount-1), "short"
			applied = amount
		}
		b.book(o.reference, amount, outcome, o.reference, applied)
		b.tellAll("a notice of a wrong amount", b.transaction(o.reference, memo, amount, time.Now()))
	},
	"unsigned": func(b *bank, o *order, memo string, random *rand.Rand) {
		body := mustJSON(b.transaction(o.reference+"-false", memo, o.amount, time.Now()))
		header := http.Header{"X-Forwarded-For": {fmt.Sprintf("198.51.%d.%d", random.IntN(256), random.IntN(256))}}
		good := signature(body, time.Now())
		switch random.IntN(4) {
		case 0: // nothing at all
		case 1:
			header.Set("X-Thungan-Signature", good[:len(good)-1]+string("0123456789abcdef"[random.IntN(16)]))
			if header.Get("X-Thungan-Signature") == good {
				header.Del("X-Thungan-Signature")
			}
		case 2: // of another body
			header.Set("X-Thungan-Signature", signature(append(body, ' '), time.Now()))
		case 3:
			header.Set("X-Thungan-Signature", "t=1,v1=")
		}
		b.lie(o.reference + "-false")
		b.message(body, header, false, "an unsigned notice")
	},
	"replayed": func(b *bank, o *order, memo string, random *rand.Rand) {
		one := b.transaction(o.reference, memo, o.amount, time.Now())
		body := mustJSON(one)
		b.book(o.reference, o.amount, "exact", o.reference, o.amount)
		b.message(body, signedAt(body, time.Now()), true, "a notice")
		// The very message, as somebody kept it ten minutes ago.
		old := signedAt(body, time.Now().Add(-10*time.Minute))
		old.Set("X-Forwarded-For", fmt.Sprintf("198.51.%d.%d", random.IntN(256), random.IntN(256)))
		b.message(body, old, false, "a replayed notice")
		// One that was kept and never arrived is as old.
		other := mustJSON(b.transaction(o.reference+"-false", memo, o.amount, time.Now()))
		old = signedAt(other, time.Now().Add(-10*time.Minute))
		old.Set("X-Forwarded-For", fmt.Sprintf("198.51.%d.%d", random.IntN(256), random.IntN(256)))
		b.lie(o.reference + "-false")
		b.message(other, old, false, "an old notice")
	},
}

func (b *bank) lie(id string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.lies[id] = true
}

// TestBankNotices has a bank tell of transfers in every hostile way: each real credit is in the ledger once, each false
// one is refused and logged.
func TestBankNotices(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 25)
		s := newSite(t, database)
		s.serving = []string{"--trusted-proxies", "127.0.0.0/8"}
		n := s.start()
		b := &bank{load: quiet(s, n), trial: r, booked: map[string]shownCredit{}, lies: map[string]bool{}, expected: map[string]int64{}}
		type job struct {
			kind   string
			number int
			seed   uint64
		}
		jobs := make(chan job)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for j := range jobs {
					random := rand.New(rand.NewPCG(j.seed, 0))
					if o := b.order(j.kind, j.number, 2*time.Hour, random); o != nil {
						b.book("", 0, "", o.reference, 0)
						hostile[j.kind](b, o, o.memo, random)
					}
				}
			})
		}
		for i := range r.rounds {
			for kind := range hostile {
				jobs <- job{kind, i, r.random.Uint64()}
			}
		}
		close(jobs)
		group.Wait()
		r.add("notices of each kind", int64(r.rounds))
		r.add("false notices refused", int64(b.refused))
		b.judge(n)
		if logged := n.log.times("bank message refused"); logged < b.refused {
			t.Errorf("%d notices were refused, %d are in the log", b.refused, logged)
		}
		s.quiesce(n)
		s.audit()

		n.terminate(30 * time.Second)
		b.delayed(r)
		faults := b.finish().faults
		for _, fault := range faults[:min(len(faults), 20)] {
			t.Error(fault)
		}
	})
}

// order opens one, which is due after a while, and learns what its payer has to write.
func (b *bank) order(kind string, number int, due time.Duration, random *rand.Rand) *order {
	o := &order{
		reference: fmt.Sprintf("%s-%s-%d", b.name, strings.ReplaceAll(kind, " ", "-"), number), amount: 10_000 + random.Int64N(5_000_000),
		plan: exact, description: "bánh mì", due: b.site.clock().Add(due).UTC().Truncate(time.Second),
	}
	answer, _, ok := b.ask(b.createBody(o), "/v2/payment-page-checkout")
	qr, _, err := vietqr.DecodeVerified(answer.Transfer.VietQR)
	if !ok || err != nil {
		b.fault("%s: %+v, %v", o.reference, answer, err)
		return nil
	}
	o.memo = qr.Memo
	return o
}

// delayed has orders paid at once, and the bank tell of it up to seven days later, by a clock that has really moved on.
// What comes before the order's due time pays it; what comes later waits for a person, and the order has expired.
func (b *bank) delayed(r *trial) {
	t, s := r.T, b.site
	const week = 7 * 24 * time.Hour
	now := &jumpy{}
	s.clock = now.Now
	g := s.startInside(fitting{clock: now})
	b.aim(g.node)
	type told struct {
		*order
		paid, at time.Time
		late     bool
	}
	var notices []told
	for i := range r.rounds {
		// Due at any time of that week, a second or more from when the bank tells.
		after, due := time.Duration(r.random.Int64N(int64(week))), time.Hour+time.Duration(r.random.Int64N(int64(week)))
		if o := b.order("delayed", i, due, r.random); o != nil {
			paid := now.Now()
			notices = append(notices, told{order: o, paid: paid, at: paid.Add(after)})
		}
	}
	slices.SortFunc(notices, func(one, other told) int { return one.at.Compare(other.at) })
	for i := range notices {
		x := &notices[i]
		if ahead := x.at.Sub(now.Now()); ahead > 0 {
			now.jump(ahead)
		}
		if until := x.due.Sub(now.Now()); until.Abs() < 5*time.Second { // too near to say on which side a slow machine is
			now.jump(10 * time.Second)
		}
		x.late = now.Now().After(x.due)
		one := b.transaction(x.reference, x.memo, x.amount, x.paid)
		b.tellAll("a delayed notice", one)
		if r.random.IntN(4) == 0 {
			b.tellAll("a delayed notice that is told again", one)
		}
	}
	now.offset.Store(int64(time.Until(notices[len(notices)-1].at.Add(2 * week)))) // past every due time
	s.expireAll(g)
	s.quiesce(g.node)
	s.audit()

	seen, err := s.creditsByID(g.node)
	if err != nil {
		t.Fatal(err)
	}
	var late int64
	for _, x := range notices {
		p := g.find(t, x.reference)
		outcome, state, received := "exact", payment.Approved, x.amount
		if x.late {
			outcome, state, received = "late", payment.Expired, 0
			late++
		}
		c := seen[x.reference]
		if len(c) != 1 || c[0].Amount != x.amount || c[0].Outcome != outcome || c[0].PaymentID != p.ID || c[0].Applied != received || c[0].Unapplied != x.amount-received {
			t.Errorf("%s, told %s after its due time, has the credits %+v, want one that is %s", x.reference, x.at.Sub(x.due), c, outcome)
		}
		if p.State != state || int64(p.Received) != received {
			t.Errorf("%s, told %s after its due time, is %s with %d of %d, want %s", x.reference, x.at.Sub(x.due), p.State, p.Received, p.Amount, state)
		}
	}
	if len(notices) != r.rounds || r.rounds >= 20 && (late == 0 || late == int64(len(notices))) {
		t.Errorf("%d of %d delayed notices came late", late, len(notices))
	}
	r.add("delayed notices that were late", late)
	var sum int64
	for _, credits := range seen {
		for _, c := range credits {
			sum += c.Amount
		}
	}
	s.bankHas(g.node, sum)
}

// creditsByID are all, by the bank's id.
func (s *site) creditsByID(n *node) (map[string][]shownCredit, error) {
	credits, err := all[shownCredit](s.t.Context(), s, n, "/bank-credits")
	byID := map[string][]shownCredit{}
	for _, c := range credits {
		byID[c.ExternalID] = append(byID[c.ExternalID], c)
	}
	return byID, err
}

// judge compares what was booked with what the gateway has.
func (b *bank) judge(n *node) {
	t, s := b.trial, b.site
	t.Helper()
	credits, err := all[shownCredit](t.Context(), s, n, "/bank-credits")
	if err != nil {
		t.Fatal(err)
	}
	delete(b.booked, "")
	var sum int64
	for _, c := range credits {
		sum += c.Amount
		want, real := b.booked[c.ExternalID]
		if !real || b.lies[c.ExternalID] {
			t.Errorf("credit %s is there and never was (or twice): %+v", c.ExternalID, c)
			continue
		}
		if c.Amount != want.Amount || c.Outcome != want.Outcome {
			t.Errorf("credit %s is %+v, want %+v", c.ExternalID, c, want)
		}
		delete(b.booked, c.ExternalID)
	}
	for id := range b.booked {
		t.Errorf("credit %s is lost", id)
	}
	t.add("credits", int64(len(credits)))
	payments, err := all[shownPayment](t.Context(), s, n, "/payments")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range payments {
		want, there := b.expected[p.Reference]
		state := "open"
		if want >= p.Amount {
			state = "approved"
		}
		if !there || p.Received != want || p.State != state {
			t.Errorf("%s is %s with %d of %d, want %s with %d", p.Reference, p.State, p.Received, p.Amount, state, want)
		}
		delete(b.expected, p.Reference)
	}
	if len(b.expected) > 0 {
		t.Errorf("%d payments are lost", len(b.expected))
	}
	s.bankHas(n, sum)
}
