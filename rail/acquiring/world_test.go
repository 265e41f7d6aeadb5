package acquiring_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// world is a gateway whose merchant Memo is connected to two acquirers: first,
// which makes refunds, and then second, which makes none.
type world struct {
	*coretest.Env
	t        *testing.T
	s        *acquiring.Service
	handlers map[string]outbox.Handler
	logged   *buffer

	first   *railtest.ScriptedRefunder
	second  *railtest.Scripted
	byFirst payment.Connector
	bySec   payment.Connector
}

// buffer is a bytes.Buffer for several writers.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) { fn(t, newWorld(t, s)) })
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{Env: coretest.New(t, s), t: t, logged: &buffer{}, first: &railtest.ScriptedRefunder{}, second: &railtest.Scripted{Name: "portal"}}
	w.s = acquiring.New(acquiring.Config{
		Core: w.Core, Clock: w.Clock, Log: slog.New(slog.NewTextHandler(w.logged, nil)), PublicURL: coretest.PublicURL,
		Connectors: []card.Connector{w.first, w.second},
	})
	w.handlers = w.s.Handlers()
	w.byFirst, w.bySec = w.connect("scripted", 0), w.connect("portal", 1)
	return w
}

func (w *world) connect(kind string, priority int64) payment.Connector {
	w.t.Helper()
	return must[payment.Connector](w.t)(w.Core.AddConnector(w.t.Context(), coretest.Operator, core.NewConnector{
		MerchantID: w.Memo.Merchant.ID, Kind: kind, Methods: w.first.Methods(), Config: []byte(railtest.ScriptedConfig), Priority: priority,
	}))
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t testing.TB, what string, err error, want payment.Code) {
	t.Helper()
	if got := payment.CodeOf(err); got != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// open opens a payment that may be paid by card and by bank transfer.
func (w *world) open(amount money.VND) payment.Payment {
	w.t.Helper()
	return w.Open(w.Memo, amount, func(o *core.Opening) {
		o.Methods = []payment.Method{payment.DomesticCard, payment.InternationalCard, payment.BankTransfer}
	})
}

func (w *world) start(p payment.Payment) (payment.Handoff, error) {
	return w.s.Start(w.t.Context(), p.ID, payment.DomesticCard, "192.0.2.9")
}

// send sends a payer away, and returns the newest attempt.
func (w *world) send(p payment.Payment) payment.Attempt {
	w.t.Helper()
	must[payment.Handoff](w.t)(w.start(p))
	tried := w.tried(p)
	return tried[len(tried)-1]
}

func (w *world) tried(p payment.Payment) []payment.Attempt {
	w.t.Helper()
	return must[[]payment.Attempt](w.t)(w.Core.PaymentAttempts(w.t.Context(), p.ID))
}

// pay pays a payment by card.
func (w *world) pay(amount money.VND) payment.Payment {
	w.t.Helper()
	p := w.open(amount)
	w.wantAck(w.notify(railtest.SayPaid(w.send(p)), railtest.GoodSignature), "taken")
	return w.Reload(p)
}

// call calls the Service.
func (w *world) call(method, path, body string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.s.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	return rec
}

// notify plays the first acquirer telling of something.
func (w *world) notify(r card.Report, signature string) *httptest.ResponseRecorder {
	return w.notifyOf(w.byFirst, r, signature)
}

func (w *world) notifyOf(conn payment.Connector, r card.Report, signature string) *httptest.ResponseRecorder {
	return w.call("POST", acquiring.Prefix+conn.ID+"/notify", string(railtest.ScriptedNotice(r, signature)))
}

// wantAck wants the acquirer's own words as the answer.
func (w *world) wantAck(rec *httptest.ResponseRecorder, word string) {
	w.t.Helper()
	if rec.Code != http.StatusAccepted || rec.Header().Get("Content-Type") != "text/x-ack" || rec.Body.String() != "ack "+word {
		w.t.Errorf("answered %d %v %q, want ack %s", rec.Code, rec.Header(), rec.Body, word)
	}
}

// wantCalls wants these calls of the first acquirer since it was last asked.
func (w *world) wantCalls(what string, want ...string) {
	w.t.Helper()
	if got := w.first.Calls(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%s: calls %q, want %q", what, got, want)
	}
}

// work does what of the outbox is due, once, and says how much that was. Notices
// to merchants are delivered by nobody.
func (w *world) work() (done int) {
	w.t.Helper()
	ctx, now := w.t.Context(), w.Clock.Now()
	items := must[[]store.Item](w.t)(w.Store.ClaimItems(ctx, "worker", now, now.Add(time.Minute), 100))
	for _, i := range items {
		f := store.Finished{Item: i, Attempt: store.Attempt{At: now}}
		var r outbox.Result
		if h := w.handlers[i.Kind]; h == nil {
			r = outbox.Result{Done: true}
		} else {
			r = h.Attempt(ctx, i)
			done++
		}
		f.Attempt.Error, f.Item.LastError = r.Attempt.Error, r.Attempt.Error
		switch {
		case r.Done:
			f.Item.State, f.Item.FinishedAt = store.ItemDone, now
		case r.GiveUp:
			f.Item.State, f.Item.FinishedAt = store.ItemFailed, now
		default:
			f.Item.DueAt = now.Add(r.Retry)
		}
		if held := must[[]bool](w.t)(w.Store.FinishAttempts(ctx, "worker", []store.Finished{f})); !held[0] {
			w.t.Fatal("the worker lost its lease")
		}
	}
	return done
}

// later lets time pass until the outbox has something to do, and does it. It
// says how long that took; false when nothing came for ten days.
func (w *world) later() (time.Duration, bool) {
	w.t.Helper()
	for passed := time.Duration(0); passed < 10*24*time.Hour; {
		if w.work() > 0 {
			return passed, true
		}
		step := max(30*time.Second, passed/16)
		passed += step
		w.Advance(step)
	}
	return 0, false
}

// refund asks for a refund as a merchant does. Nobody has called the acquirer
// yet when it returns.
func (w *world) refund(p payment.Payment, reference string, amount money.VND) payment.Refund {
	w.t.Helper()
	_, r, err := w.Core.Refund(w.t.Context(), core.Refunding{Merchant: w.Memo.Merchant, Dialect: p.Dialect, Payment: p.Reference, Reference: reference, Amount: amount})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) reloadRefund(r payment.Refund) payment.Refund {
	w.t.Helper()
	return must[payment.Refund](w.t)(w.Core.RefundByID(w.t.Context(), r.ID))
}

// says lets the first acquirer answer questions about attempts.
func (w *world) says(fn func(a payment.Attempt) (card.Report, error)) {
	w.first.OnQuery(func(_ context.Context, a payment.Attempt) (card.Report, error) { return fn(a) })
}

// refunds lets it answer when it is asked for a refund, and refunded when it is
// asked about one.
func (w *world) refunds(fn func(r payment.Refund) (card.Report, error)) {
	w.first.OnRefund(func(_ context.Context, r card.Refund) (card.Report, error) { return fn(r.Refund) })
}

func (w *world) refunded(fn func(r payment.Refund) (card.Report, error)) {
	w.first.OnQueryRefund(func(_ context.Context, r card.Refund) (card.Report, error) { return fn(r.Refund) })
}

func newSQLiteWorld(t *testing.T) *world {
	return newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
}

// newClosedWorld is a world whose database is gone.
func newClosedWorld(t *testing.T) *world {
	t.Helper()
	s := must[*store.Store](t)(store.Open(t.Context(), storetest.URL(t, "sqlite")))
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}
