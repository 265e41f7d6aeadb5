package crash

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/pos"
)

// counter is where a card is paid: an acquirer for the page, a terminal for the shop.
type counter struct {
	*inside
	acquirer  *acquirer
	connector string
	merchant  payment.Merchant
	terminal  payment.Terminal
	key       string // of its device
	by        core.Actor
}

func (s *site) newCounter(g *inside, a *acquirer, by core.Actor) *counter {
	s.t.Helper()
	ctx := s.t.Context()
	conn, err := g.core.AddConnector(ctx, by, core.NewConnector{
		MerchantID: s.merchantID, Kind: "crash", Methods: wire{}.Methods(), Config: mustJSON(map[string]string{"base": a.server.URL}),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &counter{inside: g, acquirer: a, connector: conn.ID, by: by}
	if c.terminal, c.key, err = g.core.AddTerminal(ctx, by, core.NewTerminal{MerchantID: s.merchantID, Name: "Quầy 1"}); err != nil {
		s.t.Fatal(err)
	}
	if c.merchant, err = g.core.Merchant(ctx, s.merchantID); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// capture has a payer charged once, and many say so at once: the acquirer's notice, the payer who comes back, a person
// who has the acquirer asked.
func (c *counter) capture(t *testing.T, p payment.Payment, crowd int) {
	t.Helper()
	ctx := t.Context()
	handoff, err := c.cards.Start(ctx, p.ID, payment.DomesticCard, "203.0.113.9")
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := c.core.PaymentAttempts(ctx, p.ID)
	if err != nil || len(attempts) != 1 {
		t.Fatalf("%d attempts of %s (%v)", len(attempts), p.Reference, err)
	}
	attempt := attempts[0]
	page, err := c.core.PageOf(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.acquirer.mu.Lock()
	o := c.acquirer.orders[strings.TrimPrefix(handoff.URL, c.acquirer.server.URL+"/pay/")]
	if o == nil {
		c.acquirer.mu.Unlock()
		t.Fatalf("the acquirer has no order of %s", handoff.URL)
	}
	o.charged++
	notice := mustJSON(o.say())
	c.acquirer.mu.Unlock()

	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at := c.base + acquiring.Prefix + c.connector
	var turn atomic.Int64
	atOnce(crowd, func() {
		switch turn.Add(1) % 4 {
		case 1:
			res, err := browser.Get(at + "/return/" + attempt.ID + "/" + c.core.AttemptKey(attempt.ID))
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || to != page {
				t.Errorf("%s: the payer who comes back is answered %s %q", p.Reference, res.Status, to)
			}
		case 2:
			h, err := c.cards.Recheck(ctx, attempt.ID)
			if err != nil || h.Outcome != "done" || h.Fault != "" {
				t.Errorf("%s: the question is answered %+v (%v)", p.Reference, h, err)
			}
		default:
			status, text, err := postAs(browser, at+"/notify", "X-Key", acquirerKey, notice)
			if err != nil || status != http.StatusOK {
				t.Errorf("%s: a notice is answered %d %s (%v)", p.Reference, status, text, err)
			}
		}
	})
	attempt, err = c.core.Attempt(ctx, attempt.ID)
	if now := c.find(t, p.Reference); err != nil || attempt.State != payment.AttemptDone || attempt.Review || now.State != payment.Approved || now.Received != p.Amount {
		t.Fatalf("%s: charged once, told %d times at once: %s with %d received, the attempt %+v (%v)", p.Reference, crowd, now.State, now.Received, attempt, err)
	}
}

// sell opens a sale at the terminal many times at once: one is made.
func (c *counter) sell(t *testing.T, o *order, ipn string, crowd int) payment.Payment {
	t.Helper()
	outcomes := map[payment.Code]int{}
	var mu sync.Mutex
	atOnce(crowd, func() {
		_, err := c.core.OpenSale(t.Context(), core.Selling{Terminal: c.terminal.PublicID, Opening: core.Opening{
			Merchant: c.merchant, Dialect: "paykit", Reference: o.reference, Amount: money.VND(o.amount), Description: o.description, DueAt: o.due,
			Methods: []payment.Method{payment.CardPresent}, SuccessURL: "https://shop.example.vn/ok", CancelURL: "https://shop.example.vn/no", NotifyURL: ipn,
		}})
		mu.Lock()
		defer mu.Unlock()
		outcomes[payment.CodeOf(err)]++
	})
	if outcomes[""] != 1 || outcomes[payment.CodeDuplicateReference] != crowd-1 {
		t.Fatalf("%d sales at once: %v", crowd, outcomes)
	}
	return c.find(t, o.reference)
}

// void has a sale approved, and then taken back whole, each many times at once: the device over the wire, and an
// operator.
func (c *counter) void(t *testing.T, p payment.Payment, crowd int) {
	t.Helper()
	ctx := t.Context()
	if _, ok, err := c.core.NextSale(ctx, c.terminal.ID); err != nil || !ok {
		t.Fatalf("the sale is not handed out: %v", err)
	}
	device := func(verb string, body any, want string) {
		status, text, err := postAs(http.DefaultClient, c.base+pos.Prefix+"sales/"+p.ID+"/"+verb, "Authorization", "Bearer "+c.key, mustJSON(body))
		var sale struct{ State string }
		if err == nil {
			err = json.Unmarshal(text, &sale)
		}
		if err != nil || status != http.StatusOK || sale.State != want {
			t.Errorf("%s: %s is answered %d %s (%v)", p.Reference, verb, status, text, err)
		}
	}
	atOnce(crowd, func() {
		device("report", map[string]string{"outcome": "approved", "reference": "RRN-" + p.Reference}, "approved")
	})
	if now := c.find(t, p.Reference); now.State != payment.Approved || now.Received != p.Amount {
		t.Fatalf("%s, approved %d times at once, is %s with %d", p.Reference, crowd, now.State, now.Received)
	}
	var turn atomic.Int64
	atOnce(crowd, func() {
		if turn.Add(1)%2 == 1 {
			device("void", map[string]string{"reason": "wrong amount"}, "voided")
			return
		}
		sold, err := c.core.VoidByOperator(ctx, c.by, p.ID, "wrong amount")
		if err != nil || sold.Payment.State != payment.Voided || sold.Payment.Received != 0 {
			t.Errorf("%s: an operator's void gives %+v (%v)", p.Reference, sold.Payment, err)
		}
	})
}

// postAs sends a body with one header.
func postAs(client *http.Client, to, header, value string, body []byte) (status int, text []byte, err error) {
	req, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set(header, value)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// oneEffect judges what a crowd has left of one payment: one change into its last state, each change told of once, one
// credit, and so many entries of the ledger.
func (now *snapshot) oneEffect(t *testing.T, p shownPayment, entries int) {
	t.Helper()
	changes, told, credits := 0, map[int64]int{}, 0
	for _, e := range now.details[p.ID].events {
		if e.To == p.State && e.From != p.State {
			changes++
		}
	}
	for _, n := range now.notifications {
		if n.PaymentID == p.ID {
			told[n.Version]++
		}
	}
	for _, c := range now.credits {
		if c.PaymentID == p.ID {
			credits++
		}
	}
	for version, n := range told {
		if n != 1 {
			t.Errorf("%s: version %d has %d notices", p.Reference, version, n)
		}
	}
	if changes != 1 || told[p.Version] != 1 || credits != min(entries, 1) || len(now.details[p.ID].entries) != entries {
		t.Errorf("%s became %s %d times, with %d credits, %d entries (want %d), notices by version %v (it has %d)",
			p.Reference, p.State, changes, credits, len(now.details[p.ID].entries), entries, told, p.Version)
	}
}
