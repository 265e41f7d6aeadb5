package dialecttest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// money holds the dialect, core and a database against what merchants rely on.
func (s Suite) money(t *testing.T, db *store.Store) {
	t.Run("one of twenty", func(t *testing.T) { s.oneOfTwenty(t, NewGateway(t, db, s.Dialect)) })
	t.Run("strangers", func(t *testing.T) { s.strangers(t, NewGateway(t, db, s.Dialect)) })
	t.Run("told as it was", func(t *testing.T) { s.toldAsItWas(t, NewGateway(t, db, s.Dialect)) })
}

// oneOfTwenty: the same request twenty times at once makes one payment.
func (s Suite) oneOfTwenty(t *testing.T, g *Gateway) {
	h := s.Handler(g)
	one := s.reference(t, g, g.Shop, "ONE", 50_000)
	answers := make([]answer, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = s.send(h, g.Shop, s.Open(one, 50_000)) })
	}
	wg.Wait()
	opened := 0
	for _, a := range answers {
		if s.Opened(a.status, a.body) {
			opened++
		}
		if s.fault(a) {
			t.Errorf("%d: %s", a.status, a.body)
		}
	}
	found, err := g.Core.Search(t.Context(), core.Search{MerchantID: g.Shop.ID})
	if err != nil || len(found) != 1 || opened < 1 {
		t.Errorf("%d opened, %d payments, %v", opened, len(found), err)
	}
}

// strangers: a merchant sees its own payments only, and another may use the
// same reference.
func (s Suite) strangers(t *testing.T, g *Gateway) {
	h := s.Handler(g)
	mine, theirs := s.reference(t, g, g.Shop, "MINE", 50_000), s.reference(t, g, g.Other, "MINE", 50_000)
	if a := s.send(h, g.Shop, s.Open(mine, 50_000)); !s.Opened(a.status, a.body) {
		t.Fatalf("%d: %s", a.status, a.body)
	}
	if a := s.send(h, g.Shop, s.Find(mine)); !s.Found(a.status, a.body) {
		t.Errorf("the owner does not find it: %s", a.body)
	}
	stranger := s.send(h, g.Other, s.Find(mine))
	nobody := s.send(h, g.Other, s.Find("NOBODY'S"))
	if s.Found(stranger.status, stranger.body) || stranger.status != nobody.status || stranger.body != nobody.body {
		t.Errorf("a stranger learns of it:\n%s\n%s", stranger.body, nobody.body)
	}
	if a := s.send(h, g.Other, s.Open(theirs, 50_000)); !s.Opened(a.status, a.body) {
		t.Errorf("another merchant cannot use the reference: %s", a.body)
	}
}

// toldAsItWas: each way in which a payment ends is owed to the merchant once,
// and told as the event left it, also when more has happened since.
func (s Suite) toldAsItWas(t *testing.T, g *Gateway) {
	h := s.Handler(g)
	ends := map[payment.State]func(p payment.Payment){
		payment.Approved: func(p payment.Payment) {
			g.Credit(t, p, p.Amount-1)
			g.Credit(t, p, 1)
			g.Credit(t, p, p.Amount) // comes double; it must not be told
		},
		payment.Canceled: func(p payment.Payment) {
			if _, err := g.Core.Cancel(t.Context(), p.ID, "payer", "changed my mind"); err != nil {
				t.Fatal(err)
			}
			g.Credit(t, p, p.Amount) // comes late
		},
		payment.Expired: func(p payment.Payment) { g.Advance(t, 48*time.Hour) },
	}
	for _, state := range []payment.State{payment.Approved, payment.Canceled, payment.Expired} {
		reference := s.reference(t, g, g.Shop, "END-"+string(state), 70_000)
		if a := s.send(h, g.Shop, s.Open(reference, 70_000)); !s.Opened(a.status, a.body) {
			t.Fatalf("%d: %s", a.status, a.body)
		}
		ends[state](g.Find(t, s.Dialect, reference))
		s.toldOnce(t, g, state, g.Find(t, s.Dialect, reference))
	}
	if _, sum, err := g.Core.TrialBalance(t.Context()); err != nil || sum != 0 {
		t.Errorf("the ledger sums to %d, %v", sum, err)
	}
}

func (s Suite) toldOnce(t *testing.T, g *Gateway, state payment.State, p payment.Payment) {
	if p.State != state {
		t.Fatalf("%s is %s", p.Reference, p.State)
	}
	items, err := g.Core.Notices(t.Context(), core.NoticeSearch{PaymentID: p.ID})
	check(t, err)
	events, err := g.Core.Events(t.Context(), p.ID)
	check(t, err)
	var owed []int64
	for _, ev := range events[1:] {
		if s.Dialect.Owes(ev) {
			owed = append(owed, ev.Version)
		}
	}
	var kept []int64
	for _, item := range items {
		kept = append(kept, item.Version)
		then := p
		for _, ev := range events {
			if ev.Version == item.Version {
				then = p.At(ev)
			}
		}
		if r := g.Notice(t, s.Dialect, then, item.Target); !s.Shows(r, then) {
			t.Errorf("%s, version %d, is told as %s", p.Reference, item.Version, r.Body)
		}
	}
	if fmt.Sprint(owed) != fmt.Sprint(kept) || len(kept) == 0 {
		t.Errorf("%s: owed %v, kept %v", p.Reference, owed, kept)
	}
}
