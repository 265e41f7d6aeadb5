package core_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// rounds is how often a race is run, fewer with -short.
func rounds(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}

// The same credit delivered twenty times at once, a part of them in batches
// with others, is in the ledger once.
func TestCreditAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		for range rounds(10) {
			p, q := e.Open(e.Memo, 1000), e.Open(e.Virtual, 1000)
			a, b := e.Credit(p, 1000), e.Credit(q, 1000)
			batches := [][]payment.Credit{{a}, {a, b}, {b, a}, {a, b, a}}
			var mu sync.Mutex
			fresh := map[string]int{}
			atOnce(20, func(i int) {
				taken, err := e.Core.TakeCredits(t.Context(), e.Feed, "", batches[i%len(batches)])
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, one := range taken {
					if one.Payment.State != payment.Approved {
						t.Errorf("answered with %+v", one.Payment)
					}
					if !one.Replayed {
						fresh[one.Credit.ExternalID]++
					}
				}
			})
			if fresh[a.ExternalID] != 1 || fresh[b.ExternalID] != 1 {
				t.Errorf("taken as new: %v", fresh)
			}
			for _, one := range []payment.Payment{p, q} {
				if now := e.Reload(one); now.State != payment.Approved || now.Received != 1000 || now.Version != 2 {
					t.Errorf("paid: %+v", now)
				}
				checkPayment(t, e, one.ID)
			}
		}
		e.Balances()
	})
}

// One transfer told by three feeds at once, with the same look and different
// ids, is booked once; the others know which it repeats.
func TestOneTransferFromManyFeeds(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		feeds := []payment.Feed{e.Feed, e.AddFeed("two", ""), e.AddFeed("three", e.Memo.Merchant.ID)}
		n := money.VND(rounds(15))
		for i := range n {
			p := e.Open(e.Memo, 1000)
			c := e.Credit(p, 1000)
			taken := make([]core.Taken, len(feeds))
			atOnce(len(feeds), func(i int) {
				told := c
				told.ExternalID, told.OccurredAt = "", c.OccurredAt.Add(time.Duration(i)*time.Minute)
				told.ExternalID = feeds[i].Name + c.ExternalID
				got, err := e.Core.TakeCredits(t.Context(), feeds[i], "", []payment.Credit{told})
				if err != nil {
					t.Error(err)
					return
				}
				taken[i] = got[0]
			})
			first := ""
			for _, one := range taken {
				if one.Credit.Outcome == payment.OutcomeExact {
					first = one.Credit.ID
				}
			}
			for _, one := range taken {
				if one.Credit.ID != first && (one.Credit.Outcome != payment.OutcomeRepeated || one.Credit.DuplicateOf != first || one.Payment.ID != p.ID) {
					t.Errorf("round %d: %+v", i, one.Credit)
				}
			}
			checkPayment(t, e, p.ID)
		}
		if got := e.Balances()[string(ledger.Sales(e.Memo.Merchant.ID))]; got != -1000*n {
			t.Errorf("sales %d, want %d", -got, 1000*n)
		}
	})
}

// A payer pays in two parts while the payment expires and somebody cancels it:
// whatever comes first, the states are legal and every đồng is somewhere.
func TestSettleRacesWithClosing(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		ended := map[payment.State]int{}
		n := rounds(100)
		for i := range n {
			party := []coretest.Party{e.Memo, e.Virtual}[i%2]
			p := e.Open(party, 1000, func(o *core.Opening) { o.DueAt = e.Clock.Now().Add(time.Minute) })
			first, second := e.Credit(p, 400), e.Credit(p, 600)
			atOnce(5, func(j int) {
				var err error
				switch j {
				case 0:
					_, err = e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{first})
				case 1:
					_, err = e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{second})
				case 2:
					if i%3 == 0 {
						e.Advance(time.Minute)
					}
					_, err = e.Core.ExpireDue(ctx)
				case 3:
					if i%3 == 1 {
						if _, err = e.Core.Cancel(ctx, p.ID, "payer", ""); payment.CodeOf(err) == payment.CodeInvalidState {
							err = nil
						}
					}
				case 4:
					_, err = e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{second, first})
				}
				if err != nil {
					t.Error(err)
				}
			})
			checkPayment(t, e, p.ID)
			now := e.Reload(p)
			ended[now.State]++
			var held money.VND
			for _, c := range must[[]payment.Credit](t)(e.Core.Credits(ctx, core.CreditSearch{PaymentID: p.ID})) {
				held += c.Unapplied
			}
			if now.Received+held != 1000 {
				t.Errorf("round %d: %s with %d received and %d unapplied of 1000", i, now.State, now.Received, held)
			}
		}
		b := e.Balances()
		bank := b[string(ledger.Bank(e.Memo.Account.ID))] + b[string(ledger.Bank(e.Virtual.Account.ID))]
		if bank != money.VND(1000*n) {
			t.Errorf("%d at the banks, want %d", bank, 1000*n)
		}
		if !testing.Short() && (ended[payment.Approved] == 0 || ended[payment.Expired]+ended[payment.Canceled] == 0) {
			t.Errorf("no race at all: %v", ended)
		}
	})
}

// Verbs that are given up in the middle lose nothing and block nobody.
func TestGivenUp(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		p := e.Open(e.Memo, 1000)
		c := e.Credit(p, 1000)
		mayBeDone := false
		for i := range rounds(60) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
			taken, err := e.Core.TakeCredits(ctx, e.Feed, "", []payment.Credit{c})
			cancel()
			switch code := payment.CodeOf(err); {
			case code == "":
				if mayBeDone = true; taken[0].Payment.State != payment.Approved {
					t.Errorf("answered with %+v", taken[0])
				}
			case store.Uncertain(err):
				mayBeDone = true
			case code == payment.CodeBusy:
				if now := e.Reload(p); !mayBeDone && now.Version != 1 {
					t.Errorf("busy, and it was done: %+v", now)
				}
			default:
				t.Errorf("given up: %v", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			_, err = e.Core.Open(ctx, e.Opening(e.Memo, 1000))
			wantCode(t, "open in an ended context", err, payment.CodeBusy)
		}
		if got := e.Pay(e.Open(e.Memo, 1000), 1000); got.Credit.Outcome != payment.OutcomeExact {
			t.Errorf("afterwards: %+v", got.Credit)
		}
		e.Take(c)
		if now := e.Reload(p); now.Received != 1000 || now.Version != 2 {
			t.Errorf("paid: %+v", now)
		}
		checkPayment(t, e, p.ID)
		e.Balances()
	})
}
