package sandbox_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/checkout"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/pos"
	"github.com/thungan/thungan/rail/sandbox"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/web"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// operator does the tests' administrative acts.
var operator = core.Actor{Name: "lan", Address: "192.0.2.1"}

// world is a whole gateway with the sandbox on a real address, as `thungan
// dev` puts it together.
type world struct {
	t      testing.TB
	core   *core.Core
	clock  *clock.Sandbox
	info   sandbox.Info
	server *httptest.Server
	mux    *http.ServeMux
	// gateway is mux, or what a test has put around it.
	gateway *outside
	sold    int

	mu        sync.Mutex
	saved     time.Duration
	saveFails error
}

// newCore makes a core over s with a key file of its own.
func newCore(t testing.TB, s *store.Store, c clock.Clock, publicURL string) (*core.Core, *id.Source) {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "vault.keys")
	if err := vault.Generate(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := vault.Load(keys)
	if err != nil {
		t.Fatal(err)
	}
	ids := id.NewSource(rand.Reader, c)
	return core.New(core.Config{
		Store: s, Clock: c, IDs: ids, Vault: ring, Dialects: []dialect.Dialect{paykit.Dialect{}, appotapay.Dialect{}, ttdk.Dialect{}, tiki.Dialect{}, tiki.Dialect{Sandbox: true}}, PublicURL: publicURL, Log: silent(),
	}), ids
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newWorld(t testing.TB, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewSandbox(0), mux: http.NewServeMux()}
	t.Cleanup(func() { sound(t, s) })
	w.gateway = &outside{inner: w.mux}
	w.server = httptest.NewServer(w.gateway)
	t.Cleanup(w.server.Close)
	base := w.server.URL
	var ids *id.Source
	w.core, ids = newCore(t, s, w.clock, base)

	var err error
	if w.info, err = sandbox.Seed(t.Context(), w.core, base); err != nil {
		t.Fatal(err)
	}
	cards := acquiring.New(acquiring.Config{
		Core: w.core, Clock: w.clock, Log: silent(), Connectors: []card.Connector{acquirer.Connector{}}, PublicURL: base,
		HTTP: acquiring.NewDoer(guard.Options{AllowLoopback: true}),
	})
	intake := bankfeed.New(bankfeed.Config{Core: w.core, Clock: w.clock, Log: silent()})
	pages, err := checkout.New(checkout.Config{Core: w.core, Clock: w.clock, Log: silent(), Cards: cards})
	if err != nil {
		t.Fatal(err)
	}
	demo, err := sandbox.New(sandbox.Config{
		Core: w.core, Clock: w.clock, Gateway: w.gateway, Feeds: intake, SaveOffset: w.save, Info: w.info, Log: silent(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.mux.Handle("/v2/", paykit.New(paykit.Config{Core: w.core, Clock: w.clock, Log: silent()}))
	w.mux.Handle(appotapay.Prefix, appotapay.New(appotapay.Config{Core: w.core, Clock: w.clock, Log: silent()}))
	w.mux.Handle(pos.Prefix, pos.New(pos.Config{Core: w.core, Clock: w.clock, Log: silent()}))
	for _, path := range tiki.Paths {
		w.mux.Handle(path, tiki.New(tiki.Config{Core: w.core, Clock: w.clock, RealTime: clock.System(), Log: silent()}))
	}
	w.mux.Handle("/admin/v1/", admin.New(admin.Config{Core: w.core, Clock: w.clock, Log: silent()}))
	w.mux.Handle(bankfeed.Prefix, intake)
	w.mux.Handle("/assets/", web.Assets())
	w.mux.Handle(acquiring.Prefix, cards)
	w.acquirer()
	pages.Register(w.mux)
	demo.Register(w.mux)
	w.deliver(s, ids, cards)
	return w
}

// sound has the auditor judge what a test has left.
func sound(t testing.TB, s *store.Store) {
	t.Helper()
	report, err := auditor.Audit(context.Background(), s, auditor.Options{})
	if err != nil {
		t.Error(err)
	}
	for _, f := range report.Findings {
		t.Errorf("the auditor: %s: %s", f.Check, f.Text)
	}
}

// acquirer runs the imitation of an acquirer, until the test ends.
func (w *world) acquirer() {
	w.t.Helper()
	client := guard.New(guard.Options{AllowLoopback: true})
	bank, err := acquirer.New(acquirer.Config{
		BaseURL: w.server.URL, Merchants: map[string]string{w.info.Acquirer.Merchant: w.info.Acquirer.Secret}, Clock: w.clock, Client: client, Log: silent(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mux.Handle(acquirer.Path, bank)
	w.until(bank.Run, client.CloseIdle)
}

// until runs work until the test ends, then does what is to follow.
func (w *world) until(work func(context.Context), then func()) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	w.t.Cleanup(func() {
		stop()
		<-done
		then()
	})
}

// deliver runs what sends the notifications and asks the acquirer, until the
// test ends.
func (w *world) deliver(s *store.Store, ids *id.Source, cards *acquiring.Service) {
	client := guard.New(guard.Options{AllowLoopback: true})
	sender := &notify.Sender{Core: w.core, Client: client, Clock: w.clock, IDs: ids, Log: silent()}
	handlers := cards.Handlers()
	handlers[core.KindNotice] = sender
	runner := outbox.New(outbox.Config{Store: s, Clock: w.clock, Node: ids.New(), Handlers: handlers, Wake: w.core.Wake(), Log: silent()})
	w.until(runner.Run, client.CloseIdle)
}

// outside is a handler that can be changed while it serves.
type outside struct {
	mu    sync.Mutex
	inner http.Handler
}

func (o *outside) set(h http.Handler) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inner = h
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	h := o.inner
	o.mu.Unlock()
	h.ServeHTTP(w, r)
}

func (w *world) save(offset time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saved = offset
	return w.saveFails
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// do sends a request; redirects are not followed.
func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, body}
}

func (w *world) request(method, path, body string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) get(path string) answer { w.t.Helper(); return w.do(w.request("GET", path, "")) }

func (w *world) post(path, body string) answer {
	w.t.Helper()
	r := w.request("POST", path, body)
	r.Header.Set("Content-Type", "application/json")
	return w.do(r)
}

// submit sends a form as the page's own.
func (w *world) submit(path string, form url.Values) answer {
	w.t.Helper()
	r := w.request("POST", path, form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return w.do(r)
}

// created makes a demo payment by the start page's form.
func (w *world) created(amount string) payment.Payment {
	w.t.Helper()
	a := w.submit("/sandbox/demo/payments", url.Values{"amount": {amount}, "lang": {"en"}})
	if a.status != http.StatusSeeOther {
		w.t.Fatalf("create %s: %d %s", amount, a.status, a.body)
	}
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.core.Payment(w.t.Context(), to.Query().Get("payment"))
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// made is the answer of a bank transfer.
type made struct {
	Reference  string
	Deliveries []struct {
		Status int
		Body   struct{ Success bool }
	}
	Credit *struct {
		ID, Outcome, Reference, Memo string
		Amount                       int64
		AmountUnapplied              int64  `json:"amount_unapplied"`
		DuplicateOf                  string `json:"duplicate_of"`
		Explanation                  struct {
			By, Code, Reason string
			Seen             []string
		}
	}
	Payment *struct {
		PaymentID  string `json:"payment_id"`
		MerchantID string `json:"merchant_id"`
		Reference  string
		State      string
		Amount     int64
		Received   int64
	}
	Matched bool
}

// transfer plays the payer's bank; fields are the call's JSON.
func (w *world) transfer(fields map[string]any) made {
	w.t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.post("/sandbox/bank-transfers", string(body))
	if a.status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", body, a.status, a.body)
	}
	var m made
	a.decode(w.t, &m)
	return m
}

// failure is a refusal in the sandbox's form.
type failure struct {
	Error struct {
		Code, Message string
		Fields        map[string][]string
	}
}

// refused checks that a call was refused with a status, for a field ("" for
// the whole body).
func (w *world) refused(a answer, status int, field string) failure {
	w.t.Helper()
	var f failure
	a.decode(w.t, &f)
	if a.status != status || f.Error.Code == "" || f.Error.Message == "" || f.Error.Fields == nil {
		w.t.Errorf("%d %s, want a clear %d", a.status, a.body, status)
	}
	if field != "" && len(f.Error.Fields[field]) == 0 || field == "" && len(f.Error.Fields) > 0 {
		w.t.Errorf("%s, want a complaint about %q", a.body, field)
	}
	return f
}

// eventually polls until ok, for half a minute at most.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			w.t.Fatalf("did not happen: %s", what)
		}
	}
}

// balanced checks that the ledger sums to zero.
func (w *world) balanced() {
	w.t.Helper()
	if _, sum, err := w.core.TrialBalance(w.t.Context()); err != nil || sum != 0 {
		w.t.Errorf("trial balance %d, %v", sum, err)
	}
}

func contains(t testing.TB, page []byte, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !bytes.Contains(page, []byte(text)) {
			t.Errorf("the page lacks %q", text)
		}
	}
}
