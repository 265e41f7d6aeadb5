// Package dialecttest holds the tests that every dialect passes: a gateway on a
// real database to talk to (Gateway), the conformance suite (Suite), and the
// runner of golden exchanges (Exchanges).
package dialecttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
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

// Start is what a Gateway's clock shows at first.
var Start = time.Date(2026, 3, 4, 5, 6, 7, 123_456_000, time.UTC)

// Party is a merchant or platform with its credentials in the tested dialect.
type Party struct {
	ID string
	core.Credentials
}

// Gateway is a core with parties that are enrolled in one dialect. Shop and
// Other are merchants with a bank account each; Platform acts for merchants.
// The clock moves only by Advance.
type Gateway struct {
	Core     *core.Core
	Clock    *clock.Manual
	Log      *slog.Logger
	Shop     Party
	Other    Party
	Platform Party

	Logged *Buffer // what was logged
	feed   payment.Feed
	ids    *id.Source
}

// Operator is who does the administrative acts of a test.
var Operator = core.Actor{Name: "tester", Address: "127.0.0.1"}

// Addresses that the parties are enrolled with. They are never dialled.
const (
	NotifyURL   = "https://shop.example.com/registered-ipn"
	PlatformURL = "https://platform.example.com/"
)

// NewGateway makes a gateway over s, which may be shared with others.
func NewGateway(t testing.TB, s *store.Store, d dialect.Dialect) *Gateway {
	t.Helper()
	var master [32]byte
	_, _ = rand.Read(master[:])
	keys, err := vault.FromEnv("test:" + base64.StdEncoding.EncodeToString(master[:]))
	check(t, err)
	g := &Gateway{Clock: clock.NewManual(Start), Logged: &Buffer{}}
	g.Log = slog.New(slog.NewTextHandler(g.Logged, nil))
	g.ids = id.NewSource(rand.Reader, g.Clock)
	g.Core = core.New(core.Config{
		Store: s, Clock: g.Clock, IDs: g.ids, Vault: keys, Dialects: []dialect.Dialect{d},
		PublicURL: "https://pay.example.com", Log: g.Log, RefundWait: time.Minute,
	})
	g.Shop = g.party(t, payment.KindMerchant, core.Enrolment{Dialect: d.Name(), NotifyURL: NotifyURL})
	g.Other = g.party(t, payment.KindMerchant, core.Enrolment{Dialect: d.Name()})
	g.Platform = g.party(t, payment.KindPlatform, core.Enrolment{
		Dialect: d.Name(), NotifyURL: PlatformURL + "ipn", SuccessURL: PlatformURL + "ok", CancelURL: PlatformURL + "back",
	})
	for _, p := range []Party{g.Shop, g.Other} {
		_, err := g.Core.AddReceivingAccount(t.Context(), Operator, payment.ReceivingAccount{
			MerchantID: p.ID, BIN: "970422", Number: "0123456789", Holder: "CONG TY TEST", Recognise: payment.ByMemo, Enabled: true,
		})
		check(t, err)
	}
	g.feed, err = g.Core.AddFeed(t.Context(), Operator, core.NewFeed{
		Name: "test-" + strings.ToLower(g.ids.Key()), Kind: "generic", Secret: g.ids.Key(),
	})
	check(t, err)
	return g
}

func (g *Gateway) party(t testing.TB, kind payment.MerchantKind, e core.Enrolment) Party {
	t.Helper()
	m, err := g.Core.AddMerchant(t.Context(), Operator, core.NewMerchant{Kind: kind, Name: "Test " + string(kind)})
	check(t, err)
	e.MerchantID = m.ID
	_, credentials, err := g.Core.Enrol(t.Context(), Operator, e)
	check(t, err)
	return Party{ID: m.ID, Credentials: credentials}
}

// Find returns a payment of Shop by its reference.
func (g *Gateway) Find(t testing.TB, d dialect.Dialect, reference string) payment.Payment {
	t.Helper()
	p, err := g.Core.Find(t.Context(), g.Shop.ID, d.Name(), reference)
	check(t, err)
	return p
}

// Credit plays the bank: a transfer of amount arrives for p.
func (g *Gateway) Credit(t testing.TB, p payment.Payment, amount money.VND) payment.Credit {
	t.Helper()
	taken, err := g.Core.TakeCredits(t.Context(), g.feed, "", []payment.Credit{{
		ExternalID: g.ids.New(), BIN: p.Transfer.BIN, Account: p.Transfer.Number, Amount: amount, Direction: payment.In,
		Memo: p.Transfer.Memo(), Reference: g.ids.New(), OccurredAt: g.Clock.Now(),
	}})
	check(t, err)
	return taken[0].Credit
}

// Transfer plays the bank: a transfer with just this text arrives at Shop's
// account.
func (g *Gateway) Transfer(t testing.TB, memo string, amount money.VND) payment.Credit {
	t.Helper()
	accounts, err := g.Core.ReceivingAccounts(t.Context(), g.Shop.ID)
	check(t, err)
	taken, err := g.Core.TakeCredits(t.Context(), g.feed, "", []payment.Credit{{
		ExternalID: g.ids.New(), BIN: accounts[0].BIN, Account: accounts[0].Number, Amount: amount, Direction: payment.In,
		Memo: memo, Reference: g.ids.New(), OccurredAt: g.Clock.Now(),
	}})
	check(t, err)
	return taken[0].Credit
}

// Advance moves the clock and closes what has fallen due.
func (g *Gateway) Advance(t testing.TB, d time.Duration) {
	t.Helper()
	g.Clock.Advance(d)
	_, err := g.Core.ExpireSales(context.WithoutCancel(t.Context()))
	check(t, err)
	for {
		n, err := g.Core.ExpireDue(context.WithoutCancel(t.Context()))
		check(t, err)
		if n == 0 {
			return
		}
	}
}

// Notice forms the notice of the newest event of p, as the sender would.
func (g *Gateway) Notice(t testing.TB, d dialect.Dialect, p payment.Payment, url string) dialect.Request {
	t.Helper()
	told, err := g.Core.Told(t.Context(), p.ID, p.Version)
	check(t, err)
	r, err := d.Notice(g.notice(told, url))
	check(t, err)
	return r
}

func (g *Gateway) notice(told core.Told, url string) dialect.Notice {
	return dialect.Notice{
		Key: told.Key, Order: told.Order, Purchase: told.Purchase, Payment: told.Payment, Event: told.Event, Refund: told.Refund, Sale: told.Sale, Profile: told.Profile, PublicID: told.PublicID, Secret: told.Secret,
		URL: url, RequestID: "request-1", At: g.Clock.Now(),
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Buffer is a bytes.Buffer for several writers.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
