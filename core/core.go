// Package core is the gateway's verbs: open a payment, settle it by a bank
// credit, expire it, and so on. Each verb is one transaction; what has to be
// told to the outside is written in the same transaction and done afterwards
// by workers. Core knows no HTTP and no SQL.
package core

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Config is what a Core is made of.
type Config struct {
	Store     *store.Store
	Clock     clock.Clock
	IDs       *id.Source
	Vault     *vault.Keyring
	Dialects  []dialect.Dialect
	PublicURL string // where payers reach the gateway, without a trailing slash
	Log       *slog.Logger
	// Observe is told of every verb, for metrics; may be nil.
	Observe func(verb string, outcome payment.Code, took time.Duration)
	// MaxAttempts is how often a payer may try to pay by an acquirer before the
	// payment is denied; 0 is DefaultMaxAttempts.
	MaxAttempts int
	// FirstLook is when an acquirer is asked about an attempt of which it has
	// not told; 0 is DefaultFirstLook.
	FirstLook time.Duration
	// RefundWait is how long Refund waits for the acquirer's word before it
	// answers that the refund is under way; 0 is DefaultRefundWait.
	RefundWait time.Duration
	// CallsPerMinute is how many calls a minute one API key may make, as many
	// at once; 0 is as many as the gateway can take. This node counts alone.
	CallsPerMinute int
}

// Core is the verbs over one store. It is safe for concurrent use.
type Core struct {
	store     *store.Store
	clock     clock.Clock
	ids       *id.Source
	vault     *vault.Keyring
	dialects  map[string]dialect.Dialect
	publicURL string
	log       *slog.Logger
	observe   func(verb string, outcome payment.Code, took time.Duration)
	tries     int
	patience  time.Duration
	firstLook time.Duration
	pageKey   []byte
	pageMACs  sync.Pool // of hash.Hash with the page key
	// nobodysSecret is what signatures of unknown keys are checked with.
	nobodysSecret string
	watchers      watchers
	directory     directory
	wake          chan struct{}
	calls         *auth.Throttle // by key; nil for no limit
}

// New makes a Core.
func New(cfg Config) *Core {
	c := &Core{
		store: cfg.Store, clock: cfg.Clock, ids: cfg.IDs, vault: cfg.Vault, publicURL: cfg.PublicURL, log: cfg.Log, observe: cfg.Observe,
		tries: cmp.Or(cfg.MaxAttempts, DefaultMaxAttempts), patience: cmp.Or(cfg.RefundWait, DefaultRefundWait),
		firstLook: cmp.Or(cfg.FirstLook, DefaultFirstLook),
		dialects:  map[string]dialect.Dialect{}, pageKey: cfg.Vault.Derive("payment page"), wake: make(chan struct{}, 1),
		nobodysSecret: hex.EncodeToString(cfg.Vault.Derive("nobody's secret")),
	}
	for _, d := range cfg.Dialects {
		c.dialects[d.Name()] = d
	}
	if cfg.CallsPerMinute > 0 {
		c.calls = auth.NewThrottle(cfg.Clock, cfg.CallsPerMinute, cfg.CallsPerMinute, maxCallers)
	}
	if c.observe == nil {
		c.observe = func(string, payment.Code, time.Duration) {}
	}
	return c
}

// Actor is who does an administrative act, and from which address.
type Actor struct {
	Name    string
	Address string
}

// Now is the gateway's time, UTC, in whole milliseconds as rows keep it.
func (c *Core) Now() time.Time { return c.clock.Now().Truncate(time.Millisecond) }

// Wake signals when there is new work in the outbox, so that its worker need
// not wait for its next look.
func (c *Core) Wake() <-chan struct{} { return c.wake }

// Dialect returns a dialect by name.
func (c *Core) Dialect(name string) (dialect.Dialect, bool) {
	d, ok := c.dialects[name]
	return d, ok
}

// work is one verb's transaction with what it leaves to be done after the
// commit.
type work struct {
	*store.Tx
	core    *Core
	now     time.Time
	touched []string // payments whose watchers are to be told
	owed    bool     // the outbox has new items
	ruled   bool     // an operator changed something

	// For the matcher: accounts that have virtual ones, and those of the numbers
	// that were paid to.
	virtual  []payment.ReceivingAccount
	byNumber map[string][]payment.ReceivingAccount
}

// update runs a verb's transaction. fn may run more than once.
func (c *Core) update(ctx context.Context, verb string, fn func(w *work) error) error {
	stop := c.timed(verb)
	var w *work
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		w = &work{Tx: tx, core: c, now: c.Now()}
		return fn(w)
	})
	stop(err)
	if err != nil {
		return c.failed(verb, err)
	}
	c.after(w)
	return nil
}

// timed starts a verb's stop watch; the returned func stops it.
func (c *Core) timed(verb string) func(error) {
	start := time.Now()
	return func(err error) {
		code := payment.CodeOf(err)
		if errors.Is(err, context.Canceled) {
			code = payment.CodeBusy // the caller has gone, which is no fault of ours
		}
		c.observe(verb, code, time.Since(start))
	}
}

// failed logs what is our own fault and passes every error on.
func (c *Core) failed(verb string, err error) error {
	if code := payment.CodeOf(err); (code == payment.CodeInternal || code == payment.CodeBusy) && !errors.Is(err, context.Canceled) {
		c.log.Error("verb failed", "verb", verb, "error", err.Error())
	}
	return err
}

// after tells watchers and workers of a committed transaction.
func (c *Core) after(w *work) {
	if w.ruled {
		c.directory.forget()
	}
	for _, id := range w.touched {
		c.watchers.signal(id)
	}
	if w.owed {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// apply makes one move of a payment: state, event, limit, and the notices that
// the event owes.
func (w *work) apply(ctx context.Context, p payment.Payment, s payment.Step) (payment.Payment, error) {
	s.At = w.now
	next, ev, err := p.Apply(s)
	if err != nil {
		return p, err
	}
	if err := w.SavePayment(ctx, next, ev); err != nil {
		return p, err
	}
	if before, after := p.Counts(), next.Counts(); before != after {
		by := next.Amount
		if before {
			by = -by
		}
		if err := w.BumpLimit(ctx, next.MerchantID, next.LimitDay, by); err != nil {
			return p, err
		}
	}
	w.touched = append(w.touched, p.ID)
	if ev.Act == payment.ActRefund {
		return next, nil // told when it turns out to stay open: see refundStaysOpen
	}
	return next, w.owe(ctx, next, ev)
}

// The outbox's names for work that follows a verb.
const (
	KindNotice  = "notice"  // telling a merchant of an event
	KindAttempt = "attempt" // asking an acquirer what became of an attempt; Target is the attempt's id
	KindRefund  = "refund"  // having a refund made, and asking what became of it; Target is the refund's id
)

// enqueue leaves work of another kind than a notice to the outbox.
func (w *work) enqueue(ctx context.Context, kind string, p payment.Payment, target, lane string, due time.Time) error {
	w.owed = true
	return w.AddItem(ctx, store.Item{
		ID: w.core.ids.New(), Kind: kind, PaymentID: p.ID, Version: p.Version, MerchantID: p.MerchantID, Dialect: p.Dialect,
		Target: target, Lane: lane, State: store.ItemPending, DueAt: due, CreatedAt: w.now,
	})
}

// owe enqueues the notices of an event.
func (w *work) owe(ctx context.Context, p payment.Payment, ev payment.Event) error {
	d, ok := w.core.dialects[p.Dialect]
	if !ok || p.NotifyTo == "" || !d.Owes(ev) {
		return nil
	}
	if owed, err := w.owesOrder(ctx, d, p, ev); err != nil || !owed {
		return err
	}
	w.owed = true
	return w.AddItem(ctx, store.Item{
		ID: w.core.ids.New(), Kind: KindNotice, PaymentID: p.ID, Version: ev.Version, MerchantID: p.MerchantID, Dialect: p.Dialect,
		Target: p.NotifyTo, Lane: lane(p.NotifyTo), State: store.ItemPending, DueAt: w.now, CreatedAt: w.now,
	})
}

// lane is the host of a URL: a slow receiver delays only itself.
func lane(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	return strings.ToLower(u.Host)
}

// post appends a ledger entry. Like the events of p, the payment that it
// concerns, its entries never run backwards in time.
func (w *work) post(ctx context.Context, p payment.Payment, e ledger.Entry, postings ...ledger.Posting) error {
	e.ID, e.PaymentID, e.At = w.core.ids.New(), p.ID, w.now
	if p.UpdatedAt.After(e.At) {
		e.At = p.UpdatedAt
	}
	entry, err := ledger.New(e, postings...)
	if err != nil {
		return err
	}
	return w.AddEntry(ctx, entry)
}

// audit appends to the audit log. Before and after are shown as JSON, so they
// must not carry secrets.
func (w *work) audit(ctx context.Context, by Actor, act, subject string, before, after any) error {
	w.ruled = true
	return w.AddAudit(ctx, store.AuditRecord{
		ID: w.core.ids.New(), At: w.now, Actor: by.Name, Address: by.Address, Act: act, Subject: subject, Before: asJSON(before), After: asJSON(after),
	})
}

func asJSON(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
