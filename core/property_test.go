package core_test

import (
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"pgregory.net/rapid"
)

// machine drives the gateway and the model alike.
type machine struct {
	e        *coretest.Env
	parties  []coretest.Party
	start    map[string]money.VND // nobody's accounts are shared by all runs
	model    model
	payments []payment.Payment // by the model's index
	credits  []payment.Credit
	told     []payment.Credit // as the notifier told them
	bank     []money.VND      // what lies at each merchant's bank, and at nobody's
	strays   map[string]bool
	touched  map[int]bool
}

// Whatever payers, notifiers, the clock and people do, in whatever order: the
// gateway has the money where the model has it, and every history is sound.
func TestAgainstModel(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		feed := e.AddFeed("feed-two", "")
		run := 0
		checksOn(t, e.Store.Engine(), func() {
			rapid.Check(t, func(t *rapid.T) {
				run++
				testAgainstModel(t, newMachine(e, run), feed)
			})
		})
		report, err := auditor.Audit(t.Context(), e.Store, auditor.Options{Now: coretest.Start}) // nobody sends notices here
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			t.Errorf("the auditor: %s: %s", f.Check, f.Text)
		}
	})
}

// checksOn lowers rapid's number of runs where each costs more.
func checksOn(t *testing.T, engine string, check func()) {
	f := flag.Lookup("rapid.checks")
	given := f.Value.String()
	n, err := strconv.Atoi(given)
	if err != nil {
		t.Fatal(err)
	}
	n /= 2
	if engine == "postgres" || testing.Short() {
		n /= 2
	}
	if err := f.Value.Set(strconv.Itoa(max(n, 1))); err != nil {
		t.Fatal(err)
	}
	defer f.Value.Set(given)
	check()
}

func newMachine(e *coretest.Env, run int) *machine {
	m := &machine{e: e, start: e.Balances(), bank: make([]money.VND, 3), strays: map[string]bool{}, touched: map[int]bool{}}
	m.parties = []coretest.Party{
		e.Enrol(coretest.Name, core.NewMerchant{Name: "Memo"}, payment.ReceivingAccount{
			BIN: "970422", Number: fmt.Sprintf("7%08d", run), Holder: "MEMO", Recognise: payment.ByMemo, Enabled: true,
		}),
		e.Enrol(coretest.Name, core.NewMerchant{Name: "Virtual"}, payment.ReceivingAccount{
			BIN: "970418", Number: fmt.Sprintf("8%08d", run), Holder: "VIRTUAL", Recognise: payment.ByVirtualAccount, Prefix: fmt.Sprintf("Z%05d", run), Enabled: true,
		}),
	}
	m.model.now = e.Clock.Now()
	return m
}

func testAgainstModel(t *rapid.T, m *machine, other payment.Feed) {
	e := m.e
	aPayment := func(t *rapid.T) int {
		i := rapid.IntRange(0, len(m.payments)-1).Draw(t, "payment")
		m.touched[i] = true
		return i
	}
	aCredit := func(t *rapid.T) int {
		return rapid.IntRange(0, len(m.credits)-1).Draw(t, "credit")
	}
	m.open(t)
	m.take(t, e.Stray(1), nil)
	t.Repeat(map[string]func(*rapid.T){
		"open": m.open,
		"pay": func(t *rapid.T) {
			i := aPayment(t)
			p := m.model.payments[i]
			amount := money.VND(rapid.Int64Range(1, int64(p.amount)+5).Draw(t, "amount"))
			m.take(t, e.Credit(m.payments[i], amount), p)
		},
		"pay what is due": func(t *rapid.T) {
			i := aPayment(t)
			p := m.model.payments[i]
			m.take(t, e.Credit(m.payments[i], max(p.amount-p.received, 1)), p)
		},
		"stray": func(t *rapid.T) { m.take(t, e.Stray(money.VND(rapid.Int64Range(1, 20).Draw(t, "amount"))), nil) },
		"told again": func(t *rapid.T) {
			i := aCredit(t)
			feed, again := e.Feed, m.told[i]
			repeated := rapid.Bool().Draw(t, "by another feed") && again.Account != ""
			if repeated {
				feed, again.OccurredAt = other, again.OccurredAt.Add(time.Minute)
			}
			got := must[[]core.Taken](t)(e.Core.TakeCredits(t.Context(), feed, "", []payment.Credit{again}))[0]
			if !got.Replayed && (got.Credit.Outcome != payment.OutcomeRepeated || got.Credit.DuplicateOf != m.credits[i].ID) {
				t.Fatalf("told again: %+v", got.Credit)
			}
		},
		"no money": func(t *rapid.T) {
			c := e.Stray(money.VND(rapid.Int64Range(-5, 5).Draw(t, "amount")))
			if c.Direction = payment.Out; rapid.Bool().Draw(t, "dollars") {
				c.Direction, c.Currency = payment.In, "USD"
			}
			must[[]core.Taken](t)(e.Core.TakeCredits(t.Context(), e.Feed, "", []payment.Credit{c}))
		},
		"cancel": func(t *rapid.T) {
			i := aPayment(t)
			want := m.model.cancel(m.model.payments[i])
			_, err := e.Core.Cancel(t.Context(), m.payments[i].ID, "payer", "")
			wantCode(t, "cancel", err, want)
		},
		"time passes": func(t *rapid.T) {
			d := time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second
			e.Advance(d)
			m.model.now = m.model.now.Add(d)
		},
		"expire": func(t *rapid.T) {
			if _, err := e.Core.ExpireDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.model.expireAll()
		},
		"apply": func(t *rapid.T) {
			i, j := aCredit(t), aPayment(t)
			want := m.model.apply(m.model.credits[i], m.model.payments[j])
			_, _, err := e.Core.Apply(t.Context(), coretest.Operator, m.credits[i].ID, m.payments[j].ID, "so it was meant")
			wantCode(t, "apply", err, want)
		},
		"return": func(t *rapid.T) {
			i := aCredit(t)
			amount := money.VND(rapid.Int64Range(0, 8).Draw(t, "amount"))
			before := m.model.credits[i].returned
			want := m.model.giveBack(m.model.credits[i], amount)
			_, err := e.Core.Return(t.Context(), coretest.Operator, m.credits[i].ID, amount, "sent back")
			wantCode(t, "return", err, want)
			m.bank[m.bankOf(i)] -= m.model.credits[i].returned - before
		},
		"": m.compare,
	})
	for i := range m.payments {
		m.comparePayment(t, i)
	}
}

// open opens a payment, by gateway and model.
func (m *machine) open(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "merchant")
	amount := money.VND(rapid.Int64Range(1, 20).Draw(t, "amount"))
	due := m.model.now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "minutes")) * time.Minute)
	o := m.e.Opening(m.parties[i], amount)
	o.DueAt = due
	m.payments = append(m.payments, must[payment.Payment](t)(m.e.Core.Open(t.Context(), o)))
	m.model.payments = append(m.model.payments, &modelPayment{merchant: i, amount: amount, state: payment.Open, due: due, version: 1})
}

// take takes a credit in, by gateway and model.
func (m *machine) take(t *rapid.T, c payment.Credit, p *modelPayment) {
	got := must[[]core.Taken](t)(m.e.Core.TakeCredits(t.Context(), m.e.Feed, "", []payment.Credit{c}))[0]
	m.model.credit(c.Amount, p)
	m.credits, m.told = append(m.credits, got.Credit), append(m.told, c)
	if p == nil {
		m.strays[got.Credit.ID] = true
	}
	m.bank[m.bankOf(len(m.credits)-1)] += c.Amount
}

// bankOf is whose bank account a credit's money lies on: that does not change
// when a person finds out what it was for.
func (m *machine) bankOf(credit int) int {
	if m.strays[m.credits[credit].ID] {
		return 2
	}
	if m.credits[credit].AccountID == m.parties[0].Account.ID {
		return 0
	}
	return 1
}

// compare holds the ledger, the credits and the payments that were just touched
// against the model.
func (m *machine) compare(t *rapid.T) {
	balances := m.e.Balances()
	books := m.model.books(2)
	books[0], books[5], books[10] = m.bank[0], m.bank[1], m.bank[2]
	var accounts []ledger.Account
	for _, p := range m.parties {
		id := p.Merchant.ID
		accounts = append(accounts, ledger.Bank(p.Account.ID), ledger.Sales(id), ledger.Partial(id), ledger.Excess(id), ledger.Unapplied(id))
	}
	accounts = append(accounts, ledger.BankUnknown(m.e.Feed.Name), ledger.Unapplied(""))
	for i, a := range accounts {
		if got := balances[string(a)] - m.start[string(a)]; got != books[i] {
			t.Errorf("%s has %d, the model %d", a, got, books[i])
		}
	}
	for i := range m.touched {
		m.comparePayment(t, i)
	}
	clear(m.touched)
	m.compareCredit(t)
}

func (m *machine) comparePayment(t *rapid.T, i int) {
	want, got := m.model.payments[i], must[payment.Payment](t)(m.e.Core.Payment(t.Context(), m.payments[i].ID))
	if got.State != want.state || got.Received != want.received || got.Version != want.version || got.Amount != want.amount {
		t.Errorf("payment %d is %s, %d of %d received, version %d; the model has %+v", i, got.State, got.Received, got.Amount, got.Version, *want)
	}
	checkPayment(t, m.e, got.ID)
}

func (m *machine) compareCredit(t *rapid.T) {
	i := rapid.IntRange(0, len(m.credits)-1).Draw(t, "look at credit")
	want, got := m.model.credits[i], must[payment.Credit](t)(m.e.Core.Credit(t.Context(), m.credits[i].ID))
	if got.Applied != want.applied || got.Unapplied != want.unapplied || got.Returned != want.returned || (got.Outcome == payment.OutcomeOver) != want.over {
		t.Errorf("credit %d is %+v; the model has %+v", i, got, *want)
	}
}
