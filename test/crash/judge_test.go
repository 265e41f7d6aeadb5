package crash

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// judge compares what the gateway shows with what was sent, answered and received, and gives every contradiction. It
// shares no code with the gateway.
func judge(s *site, now *snapshot, h *history) []string {
	j := &judgement{site: s, now: now, h: h, byReference: map[string]shownPayment{}, byExternal: map[string]shownCredit{}}
	j.faults = append(j.faults, h.faults...)
	j.index()
	for _, o := range h.orders {
		j.order(o)
	}
	j.creditsWereSent()
	j.ledger()
	for _, p := range now.payments {
		j.story(p)
		j.entries(p)
	}
	j.notices()
	return j.faults
}

type judgement struct {
	site        *site
	now         *snapshot
	h           *history
	byReference map[string]shownPayment
	byExternal  map[string]shownCredit
	faults      []string
}

func (j *judgement) fault(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

// index finds what is there twice.
func (j *judgement) index() {
	for _, p := range j.now.payments {
		if other, twice := j.byReference[p.Reference]; twice {
			j.fault("%s is there twice: %s and %s", p.Reference, other.ID, p.ID)
		}
		j.byReference[p.Reference] = p
	}
	for _, c := range j.now.credits {
		if other, twice := j.byExternal[c.ExternalID]; twice {
			j.fault("credit %s is there twice: %s and %s", c.ExternalID, other.ID, c.ID)
		}
		j.byExternal[c.ExternalID] = c
	}
}

// order judges one order and its credits.
func (j *judgement) order(o *order) {
	p, there := j.byReference[o.reference]
	switch {
	case o.refused && there:
		j.fault("%s was refused and yet is there", o.reference)
	case o.answered && !there:
		j.fault("%s was answered and is gone", o.reference)
	}
	if !there {
		return
	}
	if p.Amount != o.amount || p.Description != o.description || !p.DueAt.Equal(o.due) || p.IPNURL != j.site.receiver.server.URL+"/ipn" ||
		p.SuccessURL != "https://shop.example.vn/ok" || p.CancelURL != "https://shop.example.vn/no" || p.Method != "bank_transfer" || p.MerchantID != j.site.merchantID {
		j.fault("%s is not what was sent: %+v, %+v", o.reference, o, p)
	}
	received := j.credits(o, p)
	state := "open"
	if received >= o.amount {
		state = "approved"
	}
	if p.State != state || p.Received != received {
		j.fault("%s (%s) is %s with %d received of %d, want %s with %d", o.reference, o.plan, p.State, p.Received, p.Amount, state, received)
	}
	j.look(o, p)
}

// credits judges an order's credits, in the order in which they were told, and gives what the payment has of them.
func (j *judgement) credits(o *order, p shownPayment) (received int64) {
	for _, sent := range o.credits {
		c, there := j.byExternal[sent.id]
		if there != sent.answered {
			j.fault("credit %s: answered %t, there %t", sent.id, sent.answered, there)
		}
		if !there {
			continue
		}
		outcome, applied := "duplicate", int64(0)
		if received < o.amount {
			outcome, applied = "short", sent.amount
			if received+sent.amount == o.amount {
				outcome = "exact"
			}
		}
		received += applied
		if c.Amount != sent.amount || c.PaymentID != p.ID || c.Outcome != outcome || c.Applied != applied || c.Unapplied != sent.amount-applied {
			j.fault("credit %s of %d is %+v, want it %s for %s with %d applied", sent.id, sent.amount, c, outcome, p.ID, applied)
		}
	}
	return received
}

// look judges what the merchant sees.
func (j *judgement) look(o *order, p shownPayment) {
	found := j.now.found[o.reference]
	status, result := wireState(p.State)
	w := found.Payment
	if found.Result != "SUCCESS" || w.ID != o.reference || w.Total != float64(o.amount) || w.Captured != float64(p.Received) || w.Currency != "VND" ||
		w.Method != "BANK_TRANSFER" || w.Status != status || w.Result != result || w.DueTime != o.due.Format(wireTime) {
		j.fault("retrieve-payment of %s shows %+v, want %+v", o.reference, found, p)
	}
}

func wireState(state string) (status, result string) {
	if state == "open" {
		return "OPEN", ""
	}
	return "CLOSED", strings.ToUpper(state)
}

// creditsWereSent finds money and payments that nobody sent.
func (j *judgement) creditsWereSent() {
	sent, ordered := map[string]bool{}, map[string]bool{}
	for _, o := range j.h.orders {
		ordered[o.reference] = true
		for _, c := range o.credits {
			sent[c.id] = true
		}
	}
	for id := range j.byExternal {
		if !sent[id] {
			j.fault("nobody sent credit %s", id)
		}
	}
	for reference := range j.byReference {
		if !ordered[reference] {
			j.fault("nobody ordered %s", reference)
		}
	}
}

// ledger judges the trial balance against the credits.
func (j *judgement) ledger() {
	var sum, bank, credits int64
	for _, a := range j.now.balance.Accounts {
		sum += a.Debit - a.Credit
		if strings.HasPrefix(a.Account, "bank:") {
			bank += a.Debit - a.Credit
		}
	}
	if sum != 0 || j.now.balance.Sum != 0 {
		j.fault("the trial balance sums to %d and says %d", sum, j.now.balance.Sum)
	}
	for _, c := range j.now.credits {
		credits += c.Amount
	}
	if bank != credits {
		j.fault("the bank accounts of the ledger have %d, the credits are %d", bank, credits)
	}
}

// entries judges a payment's journal: each entry balances, and each of its credits is in exactly one.
func (j *judgement) entries(p shownPayment) {
	in := map[string]int64{} // by credit, what came to the bank
	for _, e := range j.now.details[p.ID].entries {
		var sum int64
		for _, posting := range e.Postings {
			sum += posting.Debit - posting.Credit
			if strings.HasPrefix(posting.Account, "bank:") {
				in[e.CreditID] += posting.Debit - posting.Credit
			}
		}
		if sum != 0 {
			j.fault("an entry of %s sums to %d: %+v", p.Reference, sum, e)
		}
	}
	want := map[string]int64{}
	for _, c := range j.now.credits {
		if c.PaymentID == p.ID {
			want[c.ID] = c.Amount
		}
	}
	if !maps.Equal(in, want) {
		j.fault("the journal of %s has %v of its credits %v", p.Reference, in, want)
	}
}

// arrows are the moves that this load can lead to; a later credit leaves a paid payment where it is.
var arrows = map[[2]string]bool{{"", "open"}: true, {"open", "open"}: true, {"open", "approved"}: true, {"approved", "approved"}: true}

// story judges a payment's events: unbroken, legal, forward in time, and paid only by credits.
func (j *judgement) story(p shownPayment) {
	events := j.now.details[p.ID].events
	state := ""
	for i, e := range events {
		if e.Version != int64(i+1) || e.From != state || !arrows[[2]string{e.From, e.To}] {
			j.fault("event %d of %s after %q: %+v", i+1, p.Reference, state, e)
		}
		if i > 0 && (e.At.Before(events[i-1].At) || e.CreditID == "") {
			j.fault("event %d of %s goes back in time or has no credit: %+v", i+1, p.Reference, e)
		}
		state = e.To
	}
	if int64(len(events)) != p.Version || state != p.State {
		j.fault("%s is %s in version %d, its %d events lead to %q", p.Reference, p.State, p.Version, len(events), state)
	}
}

// told is what one notice says about a payment.
type told struct {
	reference, status, result string
	captured                  float64
}

// notices judges what the merchant was told: every change of state at least once, and nothing that never was.
func (j *judgement) notices() {
	heard := map[told]bool{}
	for _, n := range j.h.notices {
		p := n.Payment
		heard[told{p.ID, p.Status, p.Result, p.Captured}] = true
		if known := j.byReference[p.ID]; p.Total != float64(known.Amount) {
			j.fault("a notice says that %s is of %.0f: %+v", p.ID, p.Total, known)
		}
	}
	was := map[told]bool{}
	for _, p := range j.now.payments {
		for _, e := range j.now.details[p.ID].events {
			status, result := wireState(e.To)
			t := told{p.Reference, status, result, float64(e.Received)}
			was[t] = true
			if e.Version > 1 && e.From != e.To && !heard[t] {
				j.fault("nobody was told that %s became %s", p.Reference, e.To)
			}
		}
	}
	for t := range heard {
		if !was[t] {
			j.fault("a notice says what never was: %+v", t)
		}
	}
	type change struct {
		payment string
		version int64
	}
	seen := map[change]bool{}
	for _, n := range j.now.notifications {
		at := change{n.PaymentID, n.Version}
		if seen[at] || n.State != "done" {
			j.fault("notification of version %d of %s: %s (%s), twice %t", n.Version, n.PaymentID, n.State, n.LastError, seen[at])
		}
		seen[at] = true
	}
}

// judgeIsAwake tampers with what was collected and sent: the judge has to see each of it.
func judgeIsAwake(t *testing.T, s *site, now *snapshot, h *history) {
	t.Helper()
	paid := slices.IndexFunc(now.payments, func(p shownPayment) bool { return p.State == "approved" })
	id := now.payments[paid].ID
	for name, tamper := range map[string]func(now *snapshot, h *history){
		"a payment is gone":       func(now *snapshot, _ *history) { now.payments = now.payments[1:] },
		"a payment is doubled":    func(now *snapshot, _ *history) { now.payments = append(now.payments, now.payments[0]) },
		"another amount":          func(now *snapshot, _ *history) { now.payments[paid].Amount++ },
		"another due time":        func(now *snapshot, _ *history) { now.payments[paid].DueAt = now.payments[paid].DueAt.Add(1) },
		"not paid":                func(now *snapshot, _ *history) { now.payments[paid].State = "open" },
		"nobody ordered it":       func(_ *snapshot, h *history) { h.orders = h.orders[1:] },
		"a credit is gone":        func(now *snapshot, _ *history) { now.credits = now.credits[1:] },
		"a credit is doubled":     func(now *snapshot, _ *history) { now.credits = append(now.credits, now.credits[0]) },
		"a credit grew":           func(now *snapshot, _ *history) { now.credits[0].Amount++ },
		"money on another one":    func(now *snapshot, _ *history) { now.credits[0].PaymentID = "other" },
		"the balance is not zero": func(now *snapshot, _ *history) { now.balance.Sum = 1 },
		"an account is wrong":     func(now *snapshot, _ *history) { now.balance.Accounts[0].Debit++ },
		"the journal lost money":  func(now *snapshot, _ *history) { now.details[id] = detail{events: now.details[id].events} },
		"an event is missing":     func(now *snapshot, _ *history) { now.details[id] = detail{entries: now.details[id].entries} },
		"time went back": func(now *snapshot, _ *history) {
			d := now.details[id]
			d.events = slices.Clone(d.events)
			d.events[1].At = d.events[0].At.Add(-1)
			now.details[id] = d
		},
		"nobody was told": func(_ *snapshot, h *history) {
			h.notices = h.notices[1:]
			h.notices = without(h.notices, now.payments[paid].Reference)
		},
		"a notice lies":              func(_ *snapshot, h *history) { h.notices[0].Payment.Captured++ },
		"a notification is waiting":  func(now *snapshot, _ *history) { now.notifications[0].State = "pending" },
		"a look-up finds nothing":    func(now *snapshot, _ *history) { now.found = map[string]checkout{} },
		"a wrong answer on the way":  func(_ *snapshot, h *history) { h.faults = []string{"wrong"} },
		"a refused one is there now": func(_ *snapshot, h *history) { h.orders[0].refused = true },
	} {
		changed, sent := copied(t, now), &history{notices: slices.Clone(h.notices), faults: slices.Clone(h.faults)}
		for _, o := range h.orders {
			other := *o
			sent.orders = append(sent.orders, &other)
		}
		tamper(changed, sent)
		if len(judge(s, changed, sent)) == 0 {
			t.Errorf("the judge does not see that %s", name)
		}
	}
}

func without(notices []notice, reference string) []notice {
	return slices.DeleteFunc(notices, func(n notice) bool { return n.Payment.ID == reference })
}

func copied(t *testing.T, now *snapshot) *snapshot {
	t.Helper()
	other := &snapshot{
		payments: slices.Clone(now.payments), credits: slices.Clone(now.credits), notifications: slices.Clone(now.notifications),
		details: maps.Clone(now.details), found: maps.Clone(now.found),
	}
	text, err := json.Marshal(now.balance)
	if err == nil {
		err = json.Unmarshal(text, &other.balance)
	}
	if err != nil {
		t.Fatal(err)
	}
	return other
}
