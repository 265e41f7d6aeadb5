// Package coretest hands a test a ready gateway core over a real database: a
// clock that the test moves, a dialect that needs no HTTP, a merchant of each
// way of recognition, a bank feed, and helpers that make payments and the bank
// credits that pay them.
package coretest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Start is where a test's clock stands at first: noon in Vietnam.
var Start = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// PublicURL is where the test's payers reach the gateway.
const PublicURL = "https://pay.example.test"

// Operator is who does a test's administrative acts.
var Operator = core.Actor{Name: "tester", Address: "192.0.2.1"}

// Env is a core with all that it stands on.
type Env struct {
	T     testing.TB
	Store *store.Store
	Core  *core.Core
	Clock clock.Clock // a *clock.Manual that shows Start, unless WithClock says otherwise
	IDs   *id.Source
	Vault *vault.Keyring
	Keys  string // the file that Vault was loaded from

	Memo     Party // a merchant whose transfers are recognised by memo code, under the prefix SEVQR
	Virtual  Party // one whose transfers are recognised by virtual account, under the prefix PKVA
	Platform Party // a platform; it has no receiving account
	Feed     payment.Feed

	counter atomic.Int64
}

// Party is a merchant or platform with its place in the test dialect.
type Party struct {
	Merchant    payment.Merchant
	Account     payment.ReceivingAccount
	Profile     payment.Profile
	Credentials core.Credentials
}

// Option changes how New makes an Env.
type Option func(*settings)

type settings struct {
	clock    clock.Clock
	dialects []dialect.Dialect
	dialect  string
	url      string
	log      *slog.Logger
	observe  func(verb string, outcome payment.Code, took time.Duration)
}

// WithClock makes the gateway run on c.
func WithClock(c clock.Clock) Option { return func(s *settings) { s.clock = c } }

// WithDialect makes the gateway speak d beside the test dialect, and enrols
// the parties in d instead.
func WithDialect(d dialect.Dialect) Option {
	return func(s *settings) { s.dialects, s.dialect = append(s.dialects, d), d.Name() }
}

// WithPublicURL makes payers reach the gateway at an address other than
// PublicURL.
func WithPublicURL(url string) Option { return func(s *settings) { s.url = url } }

// WithLog makes the gateway log to l instead of nowhere.
func WithLog(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// WithObserve tells of every verb, as core.Config.Observe.
func WithObserve(fn func(verb string, outcome payment.Code, took time.Duration)) Option {
	return func(s *settings) { s.observe = fn }
}

// New makes an Env over a migrated store, such as storetest.Open gives.
func New(t testing.TB, s *store.Store, opts ...Option) *Env {
	t.Helper()
	set := settings{clock: clock.NewManual(Start), dialects: []dialect.Dialect{Dialect{}}, dialect: Name, url: PublicURL, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, o := range opts {
		o(&set)
	}
	keys := filepath.Join(t.TempDir(), "vault.keys")
	if err := vault.Generate(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := vault.Load(keys)
	if err != nil {
		t.Fatal(err)
	}
	e := &Env{T: t, Store: s, Clock: set.clock, IDs: id.NewSource(rand.Reader, set.clock), Vault: ring, Keys: keys}
	e.Core = core.New(core.Config{
		Store: s, Clock: e.Clock, IDs: e.IDs, Vault: ring, Dialects: set.dialects, PublicURL: set.url, Log: set.log, Observe: set.observe,
		RefundWait: 20 * time.Millisecond, // no worker makes refunds here
	})
	e.Memo = e.Enrol(set.dialect, core.NewMerchant{Name: "Quán Phở Memo"}, payment.ReceivingAccount{
		BIN: "970422", Number: "0123456789", Holder: "QUAN PHO MEMO", Recognise: payment.ByMemo, Prefix: "SEVQR", Enabled: true,
	})
	e.Virtual = e.Enrol(set.dialect, core.NewMerchant{Name: "Tạp Hóa Ảo"}, payment.ReceivingAccount{
		BIN: "970418", Number: "96247000001", Holder: "TAP HOA AO", Recognise: payment.ByVirtualAccount, Prefix: "PKVA", Enabled: true,
	})
	e.Platform = e.Enrol(set.dialect, core.NewMerchant{Name: "Sàn Chợ", Kind: payment.KindPlatform}, payment.ReceivingAccount{})
	e.Feed = e.AddFeed("feed-one", "")
	return e
}

// Enrol adds a merchant to a dialect, with an address for its notices and,
// when it names a bank, a receiving account.
func (e *Env) Enrol(dialect string, n core.NewMerchant, a payment.ReceivingAccount) Party {
	e.T.Helper()
	var p Party
	var err error
	if p.Merchant, err = e.Core.AddMerchant(e.ctx(), Operator, n); err != nil {
		e.T.Fatal(err)
	}
	enrolment := core.Enrolment{MerchantID: p.Merchant.ID, Dialect: dialect, NotifyURL: "https://" + p.Merchant.ID + ".example.test/ipn"}
	if p.Profile, p.Credentials, err = e.Core.Enrol(e.ctx(), Operator, enrolment); err != nil {
		e.T.Fatal(err)
	}
	if a.BIN == "" {
		return p
	}
	a.MerchantID = p.Merchant.ID
	if p.Account, err = e.Core.AddReceivingAccount(e.ctx(), Operator, a); err != nil {
		e.T.Fatal(err)
	}
	return p
}

// AddFeed registers a bank feed of the generic kind; merchantID "" speaks for
// everybody.
func (e *Env) AddFeed(name, merchantID string) payment.Feed {
	e.T.Helper()
	f, err := e.Core.AddFeed(e.ctx(), Operator, core.NewFeed{Name: name, Kind: "generic", MerchantID: merchantID, Secret: "feed secret of " + name})
	if err != nil {
		e.T.Fatal(err)
	}
	return f
}

// Advance moves the clock forward. It does not expire anything by itself; see
// ExpireDue.
func (e *Env) Advance(d time.Duration) {
	e.T.Helper()
	switch c := e.Clock.(type) {
	case *clock.Manual:
		c.Advance(d)
	case *clock.Sandbox:
		if err := c.Advance(d); err != nil {
			e.T.Fatal(err)
		}
	default:
		e.T.Fatalf("coretest: %T cannot be advanced", c)
	}
}

// Opening is a request for a bank transfer payment of p, under a fresh reference.
func (e *Env) Opening(p Party, amount money.VND) core.Opening {
	return core.Opening{
		Merchant: p.Merchant, Dialect: p.Profile.Dialect, Reference: e.unique("order-"), Amount: amount, Methods: []payment.Method{payment.BankTransfer},
		Description: "Trà sữa trân châu", SuccessURL: "https://shop.example.test/ok", CancelURL: "https://shop.example.test/no",
	}
}

// Open opens a bank transfer payment; changes adjust the request first.
func (e *Env) Open(p Party, amount money.VND, changes ...func(*core.Opening)) payment.Payment {
	e.T.Helper()
	o := e.Opening(p, amount)
	for _, change := range changes {
		change(&o)
	}
	opened, err := e.Core.Open(e.ctx(), o)
	if err != nil {
		e.T.Fatal(err)
	}
	return opened
}

// Credit is the bank credit of a payer who did as the payment's page says, as
// a notifier tells it: a new transfer each time.
func (e *Env) Credit(p payment.Payment, amount money.VND) payment.Credit {
	c := e.Stray(amount)
	c.BIN, c.Memo = p.Transfer.BIN, "NGUYEN VAN A chuyen tien "+p.Transfer.Memo()
	switch p.MerchantID {
	case e.Virtual.Merchant.ID:
		c.Account, c.VirtualAccount = e.Virtual.Account.Number, p.Transfer.Number
	default:
		c.Account = p.Transfer.Number
	}
	return c
}

// Stray is a bank credit that nothing is known of but the amount.
func (e *Env) Stray(amount money.VND) payment.Credit {
	return payment.Credit{
		ExternalID: e.unique("ext-"), Reference: e.unique("FT26063"), Amount: amount, Currency: "VND", Direction: payment.In,
		Memo: "chuyen tien", OccurredAt: e.Clock.Now(),
	}
}

// Take takes credits in by the Env's feed, as if they had been pulled.
func (e *Env) Take(credits ...payment.Credit) []core.Taken {
	e.T.Helper()
	return e.TakeFrom(e.Feed, credits...)
}

// TakeFrom takes credits in by a feed.
func (e *Env) TakeFrom(f payment.Feed, credits ...payment.Credit) []core.Taken {
	e.T.Helper()
	taken, err := e.Core.TakeCredits(e.ctx(), f, "", credits)
	if err != nil {
		e.T.Fatal(err)
	}
	return taken
}

// Pay takes in a credit of an amount for a payment.
func (e *Env) Pay(p payment.Payment, amount money.VND) core.Taken {
	e.T.Helper()
	return e.Take(e.Credit(p, amount))[0]
}

// ExpireDue expires what is due and says how many payments that were.
func (e *Env) ExpireDue() int {
	e.T.Helper()
	n, err := e.Core.ExpireDue(e.ctx())
	if err != nil {
		e.T.Fatal(err)
	}
	return n
}

// Reload loads a payment as it is now.
func (e *Env) Reload(p payment.Payment) payment.Payment {
	e.T.Helper()
	now, err := e.Core.Payment(e.ctx(), p.ID)
	if err != nil {
		e.T.Fatal(err)
	}
	return now
}

// Balances is the trial balance by account. The test fails when its sum is not
// zero.
func (e *Env) Balances() map[string]money.VND {
	e.T.Helper()
	balances, sum, err := e.Core.TrialBalance(e.ctx())
	if err != nil {
		e.T.Fatal(err)
	}
	if sum != 0 {
		e.T.Errorf("the trial balance sums to %d", sum)
	}
	by := map[string]money.VND{}
	for _, b := range balances {
		by[string(b.Account)] = b.Balance
	}
	return by
}

func (e *Env) ctx() context.Context { return e.T.Context() }

// unique is a text that this Env has not handed out before.
func (e *Env) unique(prefix string) string { return fmt.Sprintf("%s%06d", prefix, e.counter.Add(1)) }
