package admin_test

import (
	"bytes"
	"encoding/json"
	"io"
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
	"github.com/thungan/thungan/rail/bankfeed"
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
	h := admin.New(admin.Config{
		Core: e.Core, Clock: e.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), CheckFeed: bankfeed.CheckFeed,
	})
	return &client{t: t, handler: httpx.RequestID(func() string { return requestID })(h), token: token, from: "192.0.2.7:1234"}
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
