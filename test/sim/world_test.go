// Package sim lives whole days of merchants, payers, banks, acquirers and
// receivers in one thread, on a clock and with dice of its own, so that one
// seed gives one story. The gateway in it is the real one, on a real SQLite
// file; what stands around it and below it goes wrong in every way that it may:
// networks, acquirers, shops, and the store itself.
package sim

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/test/diskfault"
)

// maxTries is how often a payer may try a card here.
const maxTries = 3

type world struct {
	t    testing.TB
	seed uint64
	dice *rand.Rand

	clock  *clock.Manual
	ids    *id.Source
	keys   *vault.Keyring
	path   string
	events timeline
	count  int

	// weather is how often anything between two machines goes wrong;
	// repeatable whether the acquirer takes the same refund twice for one.
	weather    float64
	repeatable bool

	// faults is how often the store or the gateway fails in a request; struck
	// counts how often each fault did. What is planted changes what callers are
	// told, and loses is how often the store loses what it has acknowledged: the
	// model has to notice.
	faults  float64
	disk    *diskfault.Disk
	struck  map[string]int
	planted func(error) error
	loses   float64

	store    *store.Store
	core     *core.Core
	cards    *acquiring.Service
	handlers map[string]outbox.Handler
	node     int

	acquirer *acquirer
	feed     payment.Feed
	shops    []*shop
	sales    []*sale
	byID     map[string]*sale
	transfer []*transfer
	opened   int
	refunds  int
	judged   map[string]bool // refunds that a person has paid or refused, by id
	deaths   int
}

type shop struct {
	party coretest.Party
	conn  payment.Connector
	down  bool
	told  map[string]map[int64]payment.State // by reference and version, as it accepted them
	deaf  map[string]int                     // how often it did not take one, by reference and version
	paid  money.VND                          // paid back by hand from its bank account
	back  money.VND                          // the same of what its acquirer had captured
}

// sale is a payment with what it has to be.
type sale struct {
	expected
	shop      *shop
	p         payment.Payment
	reference string
	refunds   map[string]*payment.Refund
	seen      map[string]payment.AttemptState // of its attempts, as the model knows them
}

// transfer is a line of the bank's statement.
type transfer struct {
	credit payment.Credit
	sale   *sale
	taken  bool // the gateway has it
}

func newWorld(t testing.TB, seed uint64, shops int) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 0x7468756e)), clock: clock.NewManual(coretest.Start), byID: map[string]*sale{},
		path: filepath.Join(memory(t), "sim.db"), struck: map[string]int{}, judged: map[string]bool{},
	}
	w.disk = diskfault.New(t, w.path)
	w.ids = id.NewSource(diceReader{w.dice}, w.clock)
	w.acquirer = &acquirer{w: w, orders: map[string]*order{}}
	w.weather, w.repeatable = []float64{0, 0.02, 0.2}[w.dice.IntN(3)], w.chance(0.5)
	faults := []float64{0, 0.02, 0.1}[w.dice.IntN(3)]
	key := make([]byte, 32)
	_, err := diceReader{w.dice}.Read(key)
	w.must(err)
	keys := filepath.Join(t.TempDir(), "keys")
	w.must(os.WriteFile(keys, []byte("sim:"+base64.StdEncoding.EncodeToString(key)+"\n"), 0o600))
	w.keys, err = vault.Load(keys)
	w.must(err)
	w.must(os.WriteFile(w.path, empty(w), 0o600))
	w.boot()
	t.Cleanup(func() { w.store.Close() })
	for i := range shops {
		w.shops = append(w.shops, w.enrol(i))
	}
	w.feed, err = w.core.AddFeed(w.ctx(), coretest.Operator, core.NewFeed{Name: "bank", Kind: "generic", Secret: "a secret of the bank feed"})
	w.must(err)
	w.faults = faults
	return w
}

// tables is a database without rows, once one was made.
var tables []byte

func empty(w *world) []byte {
	if tables == nil {
		path := filepath.Join(memory(w.t), "empty.db")
		s, err := store.Open(w.ctx(), "sqlite:"+path)
		w.must(err)
		_, err = s.Migrate(w.ctx())
		w.must(errors.Join(err, s.Close()))
		tables, err = os.ReadFile(path)
		w.must(err)
	}
	return tables
}

// memory is a folder that needs no disk, where there is one: a simulated day
// need not wait for a real platter.
func memory(t testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "thungan-sim-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// diceReader gives random bytes of the simulation's dice.
type diceReader struct{ dice *rand.Rand }

func (r diceReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.dice.Uint32())
	}
	return len(b), nil
}

func (w *world) ctx() context.Context { return context.Background() }
func (w *world) now() time.Time       { return w.clock.Now() }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("seed %d, %s: %v", w.seed, w.now().Format(time.DateTime), err)
	}
}

func (w *world) chance(p float64) bool { return w.dice.Float64() < p }

func (w *world) minutes(least, most int) time.Duration {
	return time.Duration(least)*time.Minute + time.Duration(w.dice.Int64N(int64(most-least)*int64(time.Minute)))
}

// boot starts the gateway on its database, as after a crash.
func (w *world) boot() {
	s, err := store.Open(w.ctx(), "sqlite:"+w.path)
	w.must(err)
	_, err = s.Migrate(w.ctx())
	w.must(err)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.node++
	w.store = s
	w.core = core.New(core.Config{
		Store: s, Clock: w.clock, IDs: w.ids, Vault: w.keys, Dialects: []dialect.Dialect{wire{}}, PublicURL: coretest.PublicURL, Log: log,
		MaxAttempts: maxTries, RefundWait: time.Nanosecond,
	})
	w.cards = acquiring.New(acquiring.Config{
		Core: w.core, Clock: w.clock, Log: log, Connectors: []card.Connector{w.acquirer}, PublicURL: coretest.PublicURL,
	})
	w.handlers = map[string]outbox.Handler{core.KindNotice: &notify.Sender{Core: w.core, Client: receivers{w}, Clock: w.clock, IDs: w.ids, Log: log}}
	for kind, h := range w.cards.Handlers() {
		w.handlers[kind] = h
	}
}

// wire tells shops for two days.
type wire struct{ coretest.Dialect }

var waits = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

func (wire) Retry(tries int) (time.Duration, bool) {
	if tries > len(waits) {
		return 0, false
	}
	return waits[tries-1], true
}

// die ends the gateway without a word: what it had in memory is gone, the disk
// is as it was at that moment.
func (w *world) die() {
	w.disk.Kill()
	_ = w.store.Close() // it cannot write any more
	w.disk.Heal()
	w.deaths++
	w.boot()
}

func (w *world) enrol(i int) *shop {
	m, err := w.core.AddMerchant(w.ctx(), coretest.Operator, core.NewMerchant{Name: fmt.Sprint("Shop ", i)})
	w.must(err)
	s := &shop{told: map[string]map[int64]payment.State{}, deaf: map[string]int{}}
	s.party.Merchant = m
	s.party.Profile, s.party.Credentials, err = w.core.Enrol(w.ctx(), coretest.Operator, core.Enrolment{
		MerchantID: m.ID, Dialect: coretest.Name, NotifyURL: fmt.Sprintf("https://shop%d.example.test/ipn", i),
	})
	w.must(err)
	account := payment.ReceivingAccount{MerchantID: m.ID, BIN: "970422", Number: fmt.Sprintf("90%06d", i), Holder: "SHOP", Recognise: payment.ByMemo, Enabled: true}
	if i%2 == 1 {
		account.Recognise, account.Prefix = payment.ByVirtualAccount, fmt.Sprintf("VA%03d", i)
	}
	s.party.Account, err = w.core.AddReceivingAccount(w.ctx(), coretest.Operator, account)
	w.must(err)
	s.conn, err = w.core.AddConnector(w.ctx(), coretest.Operator, core.NewConnector{
		MerchantID: m.ID, Kind: "sim", Methods: []payment.Method{payment.DomesticCard}, Config: []byte(`{}`),
	})
	w.must(err)
	return s
}

// timeline is what is going to happen.
type timeline []happening

type happening struct {
	at  time.Time
	seq int
	do  func()
}

func (t timeline) Len() int { return len(t) }
func (t timeline) Less(i, j int) bool {
	return t[i].at.Before(t[j].at) || (t[i].at.Equal(t[j].at) && t[i].seq < t[j].seq)
}
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)   { *t = append(*t, x.(happening)) }
func (t *timeline) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}

// after lets something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, happening{w.now().Add(d), w.count, do})
}

// every lets something happen again and again until the day is over.
func (w *world) every(d time.Duration, until time.Time, do func()) {
	w.after(d, func() {
		do()
		if w.now().Before(until) {
			w.every(d, until, do)
		}
	})
}

// live lets everything happen until a moment.
func (w *world) live(until time.Time) {
	for len(w.events) > 0 && !w.events[0].at.After(until) {
		next := heap.Pop(&w.events).(happening)
		if d := next.at.Sub(w.now()); d > 0 {
			w.clock.Advance(d)
		}
		next.do()
	}
	if d := until.Sub(w.now()); d > 0 {
		w.clock.Advance(d)
	}
}

// work does what is due in the outbox, as a node's worker would. Now and then
// it dies after an attempt, before that is written down.
func (w *world) work() {
	lease, alive := fmt.Sprint("node-", w.node), w.node
	for {
		var items []store.Item
		err := w.idle(func() (err error) {
			items, err = w.store.ClaimItems(w.ctx(), lease, w.now(), w.now().Add(40*time.Second), 64)
			return err
		})
		if err != nil {
			w.unanswered("claim", err)
			return // it looks again, or its leases end
		}
		if len(items) == 0 {
			return
		}
		done := make([]store.Finished, 0, len(items))
		for _, item := range items {
			var r outbox.Result
			_ = w.ask(func() error { r = w.handlers[item.Kind].Attempt(w.ctx(), item); return nil })
			if w.node == alive && w.chance(w.weather/50) {
				w.die()
			}
			if w.node != alive {
				return // the rest of the items waits for the lease to end
			}
			a := r.Attempt
			a.At = w.now()
			item.LastStatus, item.LastError = a.Status, a.Error
			switch {
			case r.Done:
				item.State, item.FinishedAt = store.ItemDone, w.now()
			case r.GiveUp:
				item.State, item.FinishedAt = store.ItemFailed, w.now()
			default:
				item.DueAt = w.now().Add(max(r.Retry, time.Second))
			}
			done = append(done, store.Finished{Item: item, Attempt: a})
		}
		for range patience {
			if err = w.ask(func() error { _, err := w.store.FinishAttempts(w.ctx(), lease, done); return err }); err == nil {
				break
			}
			w.unanswered("record", err)
			if w.node != alive {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// receivers are the shops' servers.
type receivers struct{ w *world }

func (r receivers) Do(_ context.Context, req *http.Request) (guard.Response, error) {
	w := r.w
	if w.disk.Dead() {
		return guard.Response{}, errDead
	}
	var body struct {
		Merchant, Reference string
		Version             int64
		State               payment.State
		Received            money.VND
	}
	w.must(json.NewDecoder(req.Body).Decode(&body))
	for _, s := range w.shops {
		if s.party.Profile.PublicID != body.Merchant {
			continue
		}
		if s.down || w.chance(w.weather) {
			s.deaf[fmt.Sprint(body.Reference, " ", body.Version)]++
			if w.chance(0.5) {
				return guard.Response{Status: http.StatusInternalServerError}, nil
			}
			return guard.Response{}, errors.New("no answer")
		}
		if s.told[body.Reference] == nil {
			s.told[body.Reference] = map[int64]payment.State{}
		}
		if had, ok := s.told[body.Reference][body.Version]; ok && had != body.State {
			w.t.Fatalf("seed %d: version %d of %s was %s, now it is %s", w.seed, body.Version, body.Reference, had, body.State)
		}
		s.told[body.Reference][body.Version] = body.State
		if w.chance(w.weather) {
			return guard.Response{}, errors.New("the answer went lost")
		}
		return guard.Response{Status: http.StatusOK}, nil
	}
	w.t.Fatalf("seed %d: a notice for nobody: %s", w.seed, body.Merchant)
	return guard.Response{}, nil
}

// notice brings an acquirer's notice to the gateway, perhaps twice, perhaps
// never. What is not taken in is told again some time later.
func (w *world) notice(x *sale, n word) {
	if w.chance(w.weather) {
		return
	}
	for range 1 + w.dice.IntN(2) {
		w.deliver(x, n, patience)
	}
}

func (w *world) deliver(x *sale, n word, tries int) {
	body, err := json.Marshal(n)
	w.must(err)
	err = w.ask(func() error {
		req := httptest.NewRequest(http.MethodPost, acquiring.Prefix+x.shop.conn.ID+"/notify", bytes.NewReader(body))
		answer := httptest.NewRecorder()
		w.cards.ServeHTTP(answer, req)
		switch answer.Code {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable:
			return payment.Fail(payment.CodeBusy, "not taken in")
		}
		return fmt.Errorf("it was answered %d", answer.Code)
	})
	if err != nil {
		w.unanswered("notice", err)
		if tries > 1 {
			w.after(w.minutes(1, 60), func() { w.deliver(x, n, tries-1) })
		}
	}
	w.agree(x)
}
