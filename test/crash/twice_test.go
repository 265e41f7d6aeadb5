package crash

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// TestTwice makes the same request 2 to 50 times at once: a create, a bank's notice, a cancellation, a refund. Each has
// one effect, and every caller is told the same or that it was there already.
func TestTwice(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 12)
		s := newSite(t, database)
		g := s.startInside(fitting{})
		l := quiet(s, g.node)
		by := core.Actor{Name: "operator", Address: "192.0.2.1"}
		for round := range r.rounds {
			crowd := 2 + r.random.IntN(49)
			r.add("requests", int64(4*crowd))
			o := &order{
				reference: l.name + "-T" + strconv.Itoa(round), amount: 10_000 + r.random.Int64N(5_000_000), plan: exact, description: "bún chả",
				due: time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second),
			}
			body := l.createBody(o)
			var made, there int
			var memo string
			var mu sync.Mutex
			atOnce(crowd, func() {
				answer, _, ok := l.ask(body, "/v2/payment-page-checkout")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case ok && answer.Result == "SUCCESS":
					made++
					memo = answer.Transfer.VietQR
				case ok && answer.Code == "DUPLICATE_PAYMENT_ID":
					there++
				default:
					t.Errorf("%s: %s %s", o.reference, answer.Result, answer.Code)
				}
			})
			if made != 1 || made+there != crowd {
				t.Fatalf("%d creates at once: %d made, %d there already", crowd, made, there)
			}
			o.answered = true
			l.history.orders = append(l.history.orders, o)
			p := g.find(t, o.reference)

			switch round % 3 {
			case 0: // paid, and refunded in full by many at once
				l.tellMany(t, o, memo, crowd)
				g.oneRefund(t, by, p.ID, crowd, func(int) string { return "R-" + o.reference }, payment.CodeDuplicateReference)
			case 1: // the same with other references: the money is there once
				l.tellMany(t, o, memo, crowd)
				g.oneRefund(t, by, p.ID, crowd, func(i int) string { return fmt.Sprintf("R-%s-%d", o.reference, i) }, payment.CodeInvalidAmount)
			case 2: // canceled
				outcomes := map[payment.Code]int{}
				atOnce(crowd, func() {
					_, err := g.core.CancelByOperator(t.Context(), by, p.ID, "the payer has gone")
					mu.Lock()
					defer mu.Unlock()
					outcomes[payment.CodeOf(err)]++
				})
				if outcomes[""] != 1 || outcomes[payment.CodeInvalidState] != crowd-1 {
					t.Fatalf("%d cancellations at once: %v", crowd, outcomes)
				}
				o.canceled = true
			}
		}
		s.quiesce(g.node)
		s.audit()
		now := s.collect(g.node, l.finish())
		for _, o := range l.history.orders {
			if paid := now.paymentOf(o.reference); o.canceled != (paid.State == "canceled") || !o.canceled && (paid.State != "approved" || paid.Received != o.amount) {
				t.Errorf("%s is %+v", o.reference, paid)
			}
		}
		if len(now.payments) != len(l.history.orders) || len(l.history.faults) > 0 {
			t.Errorf("%d payments of %d orders; %v", len(now.payments), len(l.history.orders), l.history.faults)
		}
	})
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
