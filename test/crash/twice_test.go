package crash

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/vietqr"
)

// TestTwice makes the same request 2 to 50 times at once: a create, a bank's notice, a cancellation, a refund, the word
// on a charged card, a sale at a terminal, its approval, its void. Each has one effect, and every caller is told the same
// or that it was there already.
func TestTwice(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 15)
		s := newSite(t, database)
		g := s.startInside(fitting{connectors: []card.Connector{wire{}}})
		l := quiet(s, g.node)
		by := core.Actor{Name: "operator", Address: "192.0.2.1"}
		a := newAcquirer(t)
		c := s.newCounter(g, a, by)
		entries := map[string]int{} // that an order's payment has to have, where it is not a matter of refunds
		for round := range r.rounds {
			crowd := 2 + r.random.IntN(49)
			done := func(what string) { r.add(what, int64(crowd)) }
			o := &order{
				reference: l.name + "-T" + strconv.Itoa(round), amount: 10_000 + r.random.Int64N(5_000_000), plan: exact, description: "bún chả",
				due: time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second), answered: true,
			}
			l.history.orders = append(l.history.orders, o)
			switch round % 5 {
			case 0: // paid, and refunded in full by many at once
				memo := l.createMany(t, o, crowd)
				l.tellMany(t, o, memo, crowd)
				g.oneRefund(t, by, g.find(t, o.reference).ID, crowd, func(int) string { return "R-" + o.reference }, payment.CodeDuplicateReference)
				done("creates")
				done("notices")
				done("refunds")
			case 1: // the same with other references: the money is there once
				memo := l.createMany(t, o, crowd)
				l.tellMany(t, o, memo, crowd)
				g.oneRefund(t, by, g.find(t, o.reference).ID, crowd, func(i int) string { return fmt.Sprintf("R-%s-%d", o.reference, i) }, payment.CodeInvalidAmount)
				done("creates")
				done("notices")
				done("refunds")
			case 2: // canceled
				l.createMany(t, o, crowd)
				g.oneCancellation(t, by, g.find(t, o.reference).ID, crowd)
				o.canceled, entries[o.reference] = true, 0
				done("creates")
				done("cancellations")
			case 3: // paid by card
				o.method = "DOMESTIC_CARD"
				l.createMany(t, o, crowd)
				c.capture(t, g.find(t, o.reference), crowd)
				entries[o.reference] = 1
				done("creates")
				done("captures")
			case 4: // sold at a terminal, and taken back
				c.void(t, c.sell(t, o, l.ipnURL(), crowd), crowd)
				o.voided, entries[o.reference] = true, 2
				done("sales")
				done("approvals")
				done("voids")
			}
		}
		s.quiesce(g.node)
		s.audit()
		now := s.collect(g.node, l.finish())
		for _, o := range l.history.orders {
			state, received := "approved", o.amount
			switch {
			case o.canceled:
				state, received = "canceled", 0
			case o.voided:
				state, received = "voided", 0
			}
			p := now.paymentOf(o.reference)
			if p.State != state || p.Received != received {
				t.Errorf("%s is %+v, want %s with %d", o.reference, p, state, received)
			}
			if want, ok := entries[o.reference]; ok {
				now.oneEffect(t, p, want)
			}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(now.payments) != len(l.history.orders) || len(l.history.faults)+len(a.faults) > 0 {
			t.Errorf("%d payments of %d orders; %v, %v", len(now.payments), len(l.history.orders), l.history.faults, a.faults)
		}
	})
}

// createMany creates one order many times at once, and gives its VietQR text, if it has one.
func (l *load) createMany(t *testing.T, o *order, crowd int) (payload string) {
	t.Helper()
	body := l.createBody(o)
	var made, there int
	var mu sync.Mutex
	atOnce(crowd, func() {
		answer, _, ok := l.ask(body, "/v2/payment-page-checkout")
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ok && answer.Result == "SUCCESS":
			made++
			payload = answer.Transfer.VietQR
		case ok && answer.Code == "DUPLICATE_PAYMENT_ID":
			there++
		default:
			t.Errorf("%s: %s %s", o.reference, answer.Result, answer.Code)
		}
	})
	if made != 1 || made+there != crowd {
		t.Fatalf("%d creates at once: %d made, %d there already", crowd, made, there)
	}
	return payload
}

// oneCancellation cancels a payment many times at once: one does it.
func (g *inside) oneCancellation(t *testing.T, by core.Actor, id string, crowd int) {
	t.Helper()
	outcomes := map[payment.Code]int{}
	var mu sync.Mutex
	atOnce(crowd, func() {
		_, err := g.core.CancelByOperator(t.Context(), by, id, "the payer has gone")
		mu.Lock()
		defer mu.Unlock()
		outcomes[payment.CodeOf(err)]++
	})
	if outcomes[""] != 1 || outcomes[payment.CodeInvalidState] != crowd-1 {
		t.Fatalf("%d cancellations at once: %v", crowd, outcomes)
	}
}

// atOnce runs fn n times at once and waits for all.
func atOnce(n int, fn func()) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for range n {
		group.Go(func() {
			<-start
			fn()
		})
	}
	close(start)
	group.Wait()
}

func (g *inside) find(t *testing.T, reference string) payment.Payment {
	t.Helper()
	p, err := g.core.Find(t.Context(), g.merchantID, "paykit", reference)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tellMany is the bank telling of one transfer, many times at once.
func (l *load) tellMany(t *testing.T, o *order, payload string, crowd int) {
	t.Helper()
	qr, _, err := vietqr.DecodeVerified(payload)
	if err != nil {
		t.Fatal(err)
	}
	c := &credit{id: o.reference + "-c0", amount: o.amount, at: time.Now().UTC().Truncate(time.Millisecond), answered: true}
	o.credits = append(o.credits, c)
	atOnce(crowd, func() {
		if !l.tell(&credit{id: c.id, amount: c.amount, at: c.at}, qr.Memo) {
			t.Errorf("the notice of %s was not answered", c.id)
		}
	})
}

// oneRefund asks for the whole amount many times at once: one of them gets it.
func (g *inside) oneRefund(t *testing.T, by core.Actor, id string, crowd int, reference func(i int) string, others payment.Code) {
	t.Helper()
	p, err := g.core.Payment(t.Context(), id)
	if err != nil || p.State != payment.Approved {
		t.Fatalf("%s is %s (%v)", p.Reference, p.State, err)
	}
	outcomes, next := map[payment.Code]int{}, 0
	var mu sync.Mutex
	atOnce(crowd, func() {
		mu.Lock()
		next++
		name := reference(next)
		mu.Unlock()
		_, _, err := g.core.RefundByOperator(t.Context(), by, id, name, p.Amount, "the customer brings it back")
		mu.Lock()
		defer mu.Unlock()
		outcomes[payment.CodeOf(err)]++
	})
	if outcomes[""] != 1 || outcomes[others] != crowd-1 {
		t.Fatalf("%d refunds at once: %v", crowd, outcomes)
	}
}

func (now *snapshot) paymentOf(reference string) (found shownPayment) {
	for _, p := range now.payments {
		if p.Reference == reference {
			found = p
		}
	}
	return found
}
