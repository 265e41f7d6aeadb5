package admin_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/bankfeed"
	rail "github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
	"github.com/thungan/thungan/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// requestID is what every request of these tests gets.
const requestID = "test-request"

// operator is the name of the tests' token.
const operator = "lan"

// client calls the API as an operator does. Every answer is held against the
// OpenAPI document.
type client struct {
	t       testing.TB
	handler http.Handler
	token   string
	from    string // peer address
	logged  *bytes.Buffer

	// card is an acquirer of kind "scripted", which makes refunds. There is
	// another of kind "portal", which makes none.
	card *railtest.ScriptedRefunder
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newClient(t testing.TB, e *coretest.Env) *client {
	t.Helper()
	token, err := e.Core.AddAdminToken(t.Context(), coretest.Operator, operator)
	if err != nil {
		t.Fatal(err)
	}
	logged, card := &bytes.Buffer{}, &railtest.ScriptedRefunder{}
	log := slog.New(slog.NewTextHandler(logged, nil))
	acquirers := acquiring.New(acquiring.Config{
		Core: e.Core, Clock: e.Clock, Log: log, PublicURL: coretest.PublicURL, Connectors: []rail.Connector{card, &railtest.Scripted{Name: "portal"}},
	})
	h := admin.New(admin.Config{Core: e.Core, Clock: e.Clock, Log: log, CheckFeed: bankfeed.CheckFeed, Acquirers: acquirers})
	return &client{t: t, handler: httpx.RequestID(func() string { return requestID })(h), token: token, from: "192.0.2.7:1234", card: card, logged: logged}
}

// bare is a client of an API without acquirers.
func bare(t testing.TB, e *coretest.Env) *client {
	c := newClient(t, e)
	h := admin.New(admin.Config{Core: e.Core, Clock: e.Clock, Log: slog.New(slog.NewTextHandler(c.logged, nil))})
	c.handler = httpx.RequestID(func() string { return requestID })(h)
	return c
}

// do sends a request with the operator's token. path is below admin.Prefix.
func (c *client) do(method, path, body string) answer {
	c.t.Helper()
	r := httptest.NewRequest(method, admin.Prefix+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.send(r, body)
}

// send sends any request.
func (c *client) send(r *http.Request, body string) answer {
	c.t.Helper()
	r.RemoteAddr = c.from
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	checkAnswer(c.t, r, body, a)
	return a
}

// want is do for a status that is expected; the body goes into into.
func (c *client) want(status int, method, path, body string, into any) {
	c.t.Helper()
	a := c.do(method, path, body)
	if a.status != status {
		c.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, a.status, status, a.body)
	}
	if into != nil {
		a.decode(c.t, into)
	}
}

func (c *client) get(path string, into any) { c.t.Helper(); c.want(200, "GET", path, "", into) }

// refused is do for a request that has to fail with a status and code.
func (c *client) refused(status int, code, method, path, body string) errorAnswer {
	c.t.Helper()
	a := c.do(method, path, body)
	var e errorAnswer
	a.decode(c.t, &e)
	if a.status != status || e.Error.Code != code {
		c.t.Fatalf("%s %s %s: %d %s, want %d %s", method, path, body, a.status, a.body, status, code)
	}
	if e.Error.RequestID != requestID {
		c.t.Errorf("%s %s: the error has request id %q", method, path, e.Error.RequestID)
	}
	return e
}

type errorAnswer struct {
	Error struct {
		Code      string
		Message   string
		Fields    map[string][]string
		RequestID string `json:"request_id"`
	}
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(into); err != nil {
		t.Fatalf("%v in %d %q", err, a.status, a.body)
	}
}

// object is any JSON object of an answer.
type object = map[string]any

// page is any list.
type page struct {
	Items []object
	Next  string `json:"next_cursor"`
}

func (p page) column(name string) []any {
	var values []any
	for _, item := range p.Items {
		values = append(values, item[name])
	}
	return values
}

// world is a gateway in which things have happened.
type world struct {
	*client
	env *coretest.Env

	open, paid, partly, expired, over payment.Payment
	late, stray, excess               payment.Credit
	failed, done, pending             store.Item // notifications

	// What takeCards adds.
	connector, portal payment.Connector
	carded, waiting   payment.Payment // paid by card; its payer at the acquirer
	captured, unsure  payment.Attempt // of carded, and of waiting
	byHand, asked     payment.Refund  // of paid, for a person; of carded, whose outcome nobody could find out
}

// takeCards adds connectors, payments at acquirers, and refunds.
func (w *world) takeCards() {
	w.t.Helper()
	ctx, k := w.t.Context(), w.env.Core
	fatal := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	methods := []payment.Method{payment.DomesticCard, payment.InternationalCard}
	var err error
	n := core.NewConnector{MerchantID: w.env.Memo.Merchant.ID, Kind: "scripted", Name: "Main acquirer", Methods: methods, Config: []byte(railtest.ScriptedConfig)}
	w.connector, err = k.AddConnector(ctx, coretest.Operator, n)
	fatal(err)
	n.Kind, n.Name, n.Methods, n.Priority = "portal", "", methods[:1], 5
	w.portal, err = k.AddConnector(ctx, coretest.Operator, n)
	fatal(err)
	start := func() (payment.Payment, payment.Attempt) {
		p := w.env.Open(w.env.Memo, 90_000, func(o *core.Opening) { o.Methods = methods })
		at, _, err := k.StartAttempt(ctx, core.Starting{PaymentID: p.ID, Method: payment.DomesticCard, Connector: w.connector, Reference: w.card.Reference})
		fatal(err)
		return p, at
	}
	w.carded, w.captured = start()
	_, err = k.AttemptCreated(ctx, w.captured.ID, payment.Handoff{URL: "https://acquirer.example.test/secret-way", Session: "secret-session"}, "")
	fatal(err)
	paid := railtest.SayPaid(w.captured)
	_, err = k.Resolve(ctx, core.Word{
		ConnectorID: w.connector.ID, Reference: paid.Reference, ExternalID: paid.ExternalID, Outcome: payment.AttemptDone, Amount: paid.Amount, Currency: paid.Currency, Code: paid.Code, Text: paid.Text,
	})
	fatal(err)
	w.waiting, w.unsure = start()
	_, err = k.AttemptUncertain(ctx, w.unsure.ID, "no answer")
	fatal(err)
	_, err = k.AbandonAttempt(ctx, w.unsure.ID, "nobody could tell what became of it: no answer")
	fatal(err)
	_, w.byHand, err = k.RefundByOperator(ctx, coretest.Operator, w.paid.ID, "BACK-1", 30_000, "goods came back")
	fatal(err)
	_, w.asked, err = k.RefundByOperator(ctx, coretest.Operator, w.carded.ID, "BACK-2", 20_000, "one cup was cold")
	fatal(err)
	_, _, err = k.AskRefund(ctx, w.asked.ID)
	fatal(err)
	_, err = k.RefundUncertain(ctx, w.asked.ID, "nobody could tell what became of it: no answer", true)
	fatal(err)
	for _, p := range []*payment.Payment{&w.paid, &w.carded, &w.waiting} {
		*p = w.env.Reload(*p)
	}
	for _, a := range []*payment.Attempt{&w.captured, &w.unsure} {
		*a, err = k.Attempt(ctx, a.ID)
		fatal(err)
	}
}

// newWorld makes payments of the merchant env.Memo in several states, money
// that waits for a person, and notifications that went well and badly.
func newWorld(t testing.TB, s *store.Store) *world {
	t.Helper()
	e := coretest.New(t, s)
	w := &world{client: newClient(t, e), env: e}
	soon := func(o *core.Opening) { o.DueAt = e.Clock.Now().Add(time.Minute) }
	w.expired = e.Open(e.Memo, 30_000, soon)
	e.Advance(2 * time.Minute)
	e.ExpireDue()
	w.late = e.Pay(w.expired, 30_000).Credit
	w.open = e.Open(e.Memo, 100_000)
	w.paid = e.Open(e.Memo, 100_000)
	e.Pay(w.paid, 100_000)
	w.partly = e.Open(e.Memo, 100_000)
	e.Pay(w.partly, 40_000)
	w.over = e.Open(e.Memo, 100_000)
	w.excess = e.Pay(w.over, 120_000).Credit
	w.stray = e.Take(e.Stray(55_000))[0].Credit
	for _, p := range []*payment.Payment{&w.expired, &w.open, &w.paid, &w.partly, &w.over} {
		*p = e.Reload(*p)
	}
	w.deliver()
	return w
}

// deliver plays the notification worker: the paid payment's fails for good, the
// overpaid one's arrives, the expired one's still waits.
func (w *world) deliver() {
	ctx, now := w.t.Context(), w.env.Clock.Now()
	items, err := w.env.Store.ClaimItems(ctx, "worker", now, now.Add(time.Minute), 10)
	if err != nil || len(items) != 3 {
		w.t.Fatalf("%d notifications, %v", len(items), err)
	}
	try := store.Attempt{At: now, Duration: 120 * time.Millisecond, RequestID: "attempt-1", Status: 500, Answer: "<h1>sorry</h1>"}
	for _, i := range items {
		f := store.Finished{Item: i, Attempt: try}
		f.Item.DueAt, f.Item.FinishedAt = time.Time{}, now
		switch i.PaymentID {
		case w.paid.ID:
			f.Item.State, f.Item.LastStatus, f.Item.LastError = store.ItemFailed, 500, "the answer was 500"
			f.Attempt.Error = f.Item.LastError
		case w.over.ID:
			f.Item.State, f.Item.LastStatus = store.ItemDone, 200
			f.Attempt.Status, f.Attempt.Answer = 200, "OK"
		default:
			if err := w.env.Store.Release(ctx, "worker", []store.Item{i}); err != nil {
				w.t.Fatal(err)
			}
			continue
		}
		held, err := w.env.Store.FinishAttempts(ctx, "worker", []store.Finished{f})
		if err != nil || !held[0] {
			w.t.Fatal(held, err)
		}
	}
	for _, i := range items {
		now, err := w.env.Core.Notice(ctx, i.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		switch now.State {
		case store.ItemFailed:
			w.failed = now
		case store.ItemDone:
			w.done = now
		default:
			w.pending = now
		}
	}
}

// acts counts the audit log.
func (w *world) acts() int {
	w.t.Helper()
	log, err := w.env.Core.AuditLog(w.t.Context(), "", core.MaxPage)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(log)
}
