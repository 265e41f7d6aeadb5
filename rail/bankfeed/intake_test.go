package bankfeed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/meter"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// verbs is the real core, of which a test can make one call fail, and which
// counts what was kept and what was given up.
type verbs struct {
	*core.Core
	mu     sync.Mutex
	kept   int
	failed []string
	take   func(credits []payment.Credit) error
}

func (v *verbs) KeepMessage(ctx context.Context, feed string, body []byte) (string, error) {
	v.mu.Lock()
	v.kept++
	v.mu.Unlock()
	return v.Core.KeepMessage(ctx, feed, body)
}

func (v *verbs) FailMessage(ctx context.Context, id, why string) error {
	v.mu.Lock()
	v.failed = append(v.failed, why)
	v.mu.Unlock()
	return v.Core.FailMessage(ctx, id, why)
}

func (v *verbs) TakeCredits(ctx context.Context, f payment.Feed, id string, credits []payment.Credit) ([]core.Taken, error) {
	if v.take != nil {
		if err := v.take(credits); err != nil {
			return nil, err
		}
	}
	return v.Core.TakeCredits(ctx, f, id, credits)
}

// desk is an intake over a real core.
type desk struct {
	*coretest.Env
	verbs  *verbs
	intake *bankfeed.Intake
}

func newDesk(t *testing.T, s *store.Store, change func(*bankfeed.Config)) *desk {
	e := coretest.New(t, s)
	d := &desk{Env: e, verbs: &verbs{Core: e.Core}}
	cfg := bankfeed.Config{Core: d.verbs, Clock: e.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Meter: meter.New(meter.Build{})}
	if change != nil {
		change(&cfg)
	}
	d.intake = bankfeed.New(cfg)
	return d
}

func (d *desk) addFeed(kind, api string) payment.Feed {
	d.T.Helper()
	if err := bankfeed.CheckFeed(kind, testKey, api); err != nil {
		d.T.Fatal(err)
	}
	f, err := d.Core.AddFeed(d.T.Context(), coretest.Operator, core.NewFeed{Name: kind + "-one", Kind: kind, Secret: testKey, API: api})
	if err != nil {
		d.T.Fatal(err)
	}
	return f
}

// post sends a message to a feed from an address.
func (d *desk) post(feed, from string, msg rail.Message) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, bankfeed.Prefix+feed, strings.NewReader(string(msg.Body)))
	r.Header, r.RemoteAddr = msg.Header.Clone(), from
	w := httptest.NewRecorder()
	d.intake.ServeHTTP(w, r)
	return w
}

func (d *desk) sepay(body string) *httptest.ResponseRecorder {
	return d.post("sepay-one", "203.0.113.7:4000", rail.Message{Header: header("Authorization", "Apikey "+testKey), Body: []byte(body)})
}

// sepayOf is SePay's message of the transfer that pays p.
func (d *desk) sepayOf(id int, p payment.Payment) string {
	at := d.Clock.Now().Add(7 * time.Hour).Format("2006-01-02 15:04:05")
	return fmt.Sprintf(`{"id":%d,"gateway":"MBBank","transactionDate":%q,"accountNumber":%q,"subAccount":null,"code":null,"content":%q,"transferType":"in","transferAmount":%d,"accumulated":0,"referenceCode":"FT%d"}`,
		id, at, p.Transfer.Number, "CT DEN "+p.Transfer.Memo()+" GD 1", p.Amount, id)
}

func (d *desk) wantState(p payment.Payment, want payment.State) {
	d.T.Helper()
	if got := d.Reload(p); got.State != want {
		d.T.Errorf("payment is %s with %d of %d, want %s", got.State, got.Received, got.Amount, want)
	}
	d.Balances() // fails when they do not sum to zero
}

// credits counts the bank credits of a feed.
func (d *desk) credits(feed string) int {
	d.T.Helper()
	n := 0
	for before := ""; ; {
		page, err := d.Core.Credits(d.T.Context(), core.CreditSearch{Source: feed, Before: before, Limit: 100})
		if err != nil {
			d.T.Fatal(err)
		}
		if n += len(page); len(page) == 0 {
			return n
		}
		before = page[len(page)-1].ID
	}
}

func TestWebhookPays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, nil)
		d.addFeed("sepay", "")
		p := d.Open(d.Memo, 150_000)
		body := d.sepayOf(1, p)
		for range 3 { // notifiers repeat themselves
			if w := d.sepay(body); w.Code != 200 || w.Body.String() != `{"success":true}` {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		d.wantState(p, payment.Approved)
		if got := d.Reload(p).Received; got != p.Amount || d.credits("sepay-one") != 1 {
			t.Errorf("%d received by %d credits", got, d.credits("sepay-one"))
		}
	})
}

func TestSameWebhookAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, nil)
		d.addFeed("sepay", "")
		p := d.Open(d.Memo, 150_000)
		body := d.sepayOf(1, p)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if w := d.sepay(body); w.Code != 200 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		d.wantState(p, payment.Approved)
		if d.credits("sepay-one") != 1 {
			t.Errorf("%d credits", d.credits("sepay-one"))
		}
	})
}

// Whatever is refused leaves nothing behind: no message, no credit.
func TestRefusals(t *testing.T) {
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), nil)
	d.addFeed("sepay", "")
	off := false
	d.addFeed("casso", "")
	if _, err := d.Core.ChangeFeed(t.Context(), coretest.Operator, "casso-one", nil, nil, &off); err != nil {
		t.Fatal(err)
	}
	good := header("Authorization", "Apikey "+testKey)
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		status             int
		answer             string
	}{
		"unknown feed":  {"POST", "/bank-feeds/nobody", "{}", good, 404, `{"error":"no such bank feed"}`},
		"disabled feed": {"POST", "/bank-feeds/casso-one", "{}", good, 404, `{"error":"no such bank feed"}`},
		"no feed":       {"POST", "/bank-feeds/", "{}", good, 404, `{"error":"no such bank feed"}`},
		"below a feed":  {"POST", "/bank-feeds/sepay-one/x", "{}", good, 404, `{"error":"no such bank feed"}`},
		"GET":           {"GET", "/bank-feeds/sepay-one", "", good, 405, `{"error":"a bank feed takes POST only"}`},
		"too long":      {"POST", "/bank-feeds/sepay-one", strings.Repeat(" ", 256<<10+1), good, 413, `{"error":"the message is longer than 262144 bytes"}`},
		"not UTF-8":     {"POST", "/bank-feeds/sepay-one", "{\"id\":\"\xff\"}", good, 400, `{"message":"the message is not UTF-8 text","success":false}`},
		"NUL":           {"POST", "/bank-feeds/sepay-one", "{\"id\":\"\x00\"}", good, 400, `{"message":"the message is not UTF-8 text","success":false}`},
		"unsigned":      {"POST", "/bank-feeds/sepay-one", sepayBody, http.Header{}, 401, `{"message":"the message is not signed as this feed demands","success":false}`},
		"wrong key":     {"POST", "/bank-feeds/sepay-one", sepayBody, header("Authorization", "Apikey x"), 401, `{"message":"the message is not signed as this feed demands","success":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Header = c.header
			w := httptest.NewRecorder()
			d.intake.ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.answer || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	if d.verbs.kept != 0 || d.credits("sepay-one") != 0 {
		t.Errorf("%d messages kept", d.verbs.kept)
	}
}

// Guessing is slowed down per address and feed, and only there.
func TestGuessingIsThrottled(t *testing.T) {
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), nil)
	d.addFeed("sepay", "")
	wrong := rail.Message{Header: header("Authorization", "Apikey x"), Body: []byte(sepayBody)}
	right := rail.Message{Header: header("Authorization", "Apikey "+testKey), Body: []byte(sepayBody)}
	for range 20 {
		if w := d.post("sepay-one", "203.0.113.9:1", wrong); w.Code != 401 {
			t.Fatalf("%d", w.Code)
		}
	}
	w := d.post("sepay-one", "203.0.113.9:2", wrong)
	wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if w.Code != 429 || err != nil || wait < 1 {
		t.Fatalf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := d.post("sepay-one", "203.0.113.10:1", right); w.Code != 200 {
		t.Errorf("another address: %d", w.Code)
	}
	d.Advance(time.Duration(wait) * time.Second)
	if w := d.post("sepay-one", "203.0.113.9:3", right); w.Code != 200 {
		t.Errorf("after the wait: %d", w.Code)
	}
}

// A message that was kept but not taken in is finished later, once.
func TestInterruptedMessageIsRecovered(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, nil)
		d.addFeed("sepay", "")
		p, q := d.Open(d.Memo, 150_000), d.Open(d.Memo, 150_000)
		d.verbs.take = func([]payment.Credit) error { return payment.Fail(payment.CodeBusy, "the database is not available") }
		for i, body := range []string{d.sepayOf(1, p), d.sepayOf(2, q)} {
			if w := d.sepay(body); w.Code != 503 {
				t.Fatalf("message %d: %d", i, w.Code)
			}
		}
		d.wantState(p, payment.Open)
		d.Advance(10 * time.Second)
		if err := d.intake.Recover(t.Context()); payment.CodeOf(err) != payment.CodeBusy {
			t.Errorf("while busy: %v", err)
		}
		d.verbs.take = nil
		if w := d.sepay(d.sepayOf(2, q)); w.Code != 200 { // the sender's second try
			t.Errorf("second try: %d", w.Code)
		}
		for range 2 {
			if err := d.intake.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		d.wantState(p, payment.Approved)
		d.wantState(q, payment.Approved)
		waiting, err := d.Core.WaitingMessages(t.Context(), 0, 10)
		if err != nil || len(waiting) != 0 || d.credits("sepay-one") != 2 {
			t.Errorf("%d messages wait, %d credits, %v", len(waiting), d.credits("sepay-one"), err)
		}
	})
}

// A young message is still its handler's.
func TestRecoverLeavesTheYoung(t *testing.T) {
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), nil)
	d.addFeed("sepay", "")
	if _, err := d.Core.KeepMessage(t.Context(), "sepay-one", []byte(sepayBody)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 1} {
		if err := d.intake.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.credits("sepay-one"); got != want {
			t.Errorf("%d credits, want %d", got, want)
		}
		d.Advance(10 * time.Second)
	}
}

// More messages wait than one page holds.
func TestRecoverAll(t *testing.T) {
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), nil)
	d.addFeed("sepay", "")
	const n = 230
	for i := range n {
		if _, err := d.Core.KeepMessage(t.Context(), "sepay-one", []byte(strings.Replace(sepayBody, `"id":92704`, fmt.Sprintf(`"id":%d`, i+1), 1))); err != nil {
			t.Fatal(err)
		}
	}
	d.Advance(10 * time.Second)
	if err := d.intake.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.credits("sepay-one"); got != n {
		t.Errorf("%d credits, want %d", got, n)
	}
}

func TestUnreadableIsKeptForPeople(t *testing.T) {
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), nil)
	d.addFeed("sepay", "")
	for _, body := range []string{"no JSON", `{"id":1}`, "[]"} {
		if w := d.sepay(body); w.Code != 200 {
			t.Errorf("%s: %d, so it would come again and again", body, w.Code)
		}
	}
	if d.verbs.kept != 3 || len(d.verbs.failed) != 3 || d.credits("sepay-one") != 0 {
		t.Errorf("%d kept, failures %q", d.verbs.kept, d.verbs.failed)
	}
	d.Advance(time.Minute)
	if waiting, err := d.Core.WaitingMessages(t.Context(), 0, 10); err != nil || len(waiting) != 0 {
		t.Errorf("%d still wait, %v", len(waiting), err)
	}
}

// Rows that can be read are taken though others in the message cannot.
func TestPartlyReadable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, nil)
		d.addFeed("generic", "")
		p := d.Open(d.Memo, 150_000)
		body := fmt.Sprintf(`{"transactions":[{"id":"1"},{"id":"2","account":%q,"amount":150000,"direction":"in","memo":%q,"occurred_at":"2026-03-04T12:00:00+07:00"}]}`,
			p.Transfer.Number, p.Transfer.Memo())
		msg := rail.Message{Body: []byte(body), Header: header(bankfeed.SignatureHeader, bankfeed.Sign(testKey, d.Clock.Now(), []byte(body)))}
		receipt, err := d.intake.Receive(t.Context(), "generic-one", msg)
		if !errors.Is(err, rail.ErrUnreadable) || len(receipt.Taken) != 1 || len(receipt.Refused) != 1 || receipt.Taken[0].Payment.ID != p.ID {
			t.Fatalf("%+v, %v", receipt, err)
		}
		if w := d.post("generic-one", "203.0.113.7:1", msg); w.Code != 422 || !strings.Contains(w.Body.String(), "amount is missing") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		d.wantState(p, payment.Approved)
	})
}

// One credit that cannot be taken in does not hold up the others of its
// message; the message waits, and after a day it is left to people.
func TestPoisonedCredit(t *testing.T) {
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), nil)
	d.addFeed("casso", "")
	d.verbs.take = func(credits []payment.Credit) error {
		for _, c := range credits {
			if c.ExternalID == "2" {
				return errors.New("a fault of ours")
			}
		}
		return nil
	}
	rows := []string{}
	for i := 1; i <= 3; i++ {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"tid":"TF%d","amount":1000,"description":"x","when":"2026-03-04 12:00:00"}`, i, i))
	}
	body := `{"error":0,"data":[` + strings.Join(rows, ",") + `]}`
	w := d.post("casso-one", "203.0.113.7:1", rail.Message{Header: header("Secure-Token", testKey), Body: []byte(body)})
	if w.Code != 503 || strings.Contains(w.Body.String(), "fault") || d.credits("casso-one") != 2 {
		t.Errorf("%d %s, %d credits", w.Code, w.Body, d.credits("casso-one"))
	}
	d.Advance(23 * time.Hour)
	if err := d.intake.Recover(t.Context()); err != nil || len(d.verbs.failed) != 0 {
		t.Errorf("%v, given up: %q", err, d.verbs.failed)
	}
	d.Advance(2 * time.Hour)
	if err := d.intake.Recover(t.Context()); err != nil || len(d.verbs.failed) != 1 {
		t.Errorf("%v, given up: %q", err, d.verbs.failed)
	}
	d.verbs.take = nil
	d.Balances()
}

func TestDatabaseGone(t *testing.T) {
	s := storetest.Open(t, storetest.URL(t, "sqlite"))
	var log bytes.Buffer
	d := newDesk(t, s, func(c *bankfeed.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	d.addFeed("sepay", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if w := d.sepay(sepayBody); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), `msg="bank message not taken in" feed=sepay-one error=`) {
		t.Errorf("the log does not say why:\n%s", &log)
	}
}

func TestCheckFeed(t *testing.T) {
	for _, c := range []struct {
		kind, secret, api, want string
	}{
		{"sepay", testKey, "", ""},
		{"sepay", `{"mode":"hmac","key":"` + testKey + `"}`, `{"token":"t"}`, ""},
		{"sepay", testKey, `{"token":"t","version":2,"base":"http://127.0.0.1:1"}`, ""},
		{"sepay", testKey, `{"token":"t","version":3}`, "versions 1 and 2"},
		{"sepay", testKey, `{"key":"t"}`, "takes a token"},
		{"sepay", testKey, `{"token":"t","base":"ftp://x"}`, "base is not"},
		{"sepay", testKey, `{"token":"t","colour":"red"}`, "not JSON of token"},
		{"sepay", testKey, `{"token":"t"} x`, "not JSON of token"},
		{"casso", testKey, `{"key":"k"}`, ""},
		{"casso", testKey, `{"token":"k"}`, "takes a key"},
		{"payos", testKey, "", ""},
		{"payos", testKey, `{"key":"k"}`, "no list of transactions"},
		{"generic", testKey, `{}`, "no list of transactions"},
		{"generic", "", "", "no key"},
		{"momo", testKey, "", "kind has to be"},
	} {
		err := bankfeed.CheckFeed(c.kind, c.secret, c.api)
		if c.want == "" && err != nil || c.want != "" && (payment.CodeOf(err) != payment.CodeInvalidRequest || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("CheckFeed(%s, %s, %s): %v, want %q", c.kind, c.secret, c.api, err, c.want)
		}
	}
}
