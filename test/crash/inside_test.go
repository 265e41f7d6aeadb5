package crash

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/rail"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/pos"
	"github.com/thungan/thungan/store"
)

// inside is a gateway in this process, made of the program's parts, where a test reaches its clock, its disk and its
// acquirers.
type inside struct {
	*node
	store  *store.Store
	core   *core.Core
	intake *bankfeed.Intake
	cards  *acquiring.Service
	server *httptest.Server
	stop   context.CancelFunc
	work   sync.WaitGroup

	merchantID string
}

// fitting is what a test exchanges.
type fitting struct {
	clock      clock.Clock
	get        rail.Get
	pull       time.Duration
	connectors []card.Connector
	firstLook  time.Duration
}

// startInside starts a gateway in this process on the site's database.
func (s *site) startInside(p fitting) *inside {
	s.t.Helper()
	g, err := s.openInside(p)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

func (s *site) openInside(p fitting) (*inside, error) {
	if p.clock == nil {
		p.clock = clock.System()
	}
	ctx, stop := context.WithCancel(context.Background())
	db, err := store.Open(ctx, s.database())
	if err == nil {
		_, err = db.Migrate(ctx)
	}
	if err == nil && db.Engine() == "sqlite" {
		err = db.FreeLeases(ctx)
	}
	if err != nil {
		stop()
		if db != nil {
			_ = db.Close() // the error that matters came before
		}
		return nil, err
	}
	keys, err := vault.Load(s.flags[3])
	if err != nil {
		s.t.Fatal(err)
	}
	// What such a node logs is the test's own, with the faults that it causes.
	log := slog.New(slog.NewJSONHandler(logWriter{s.t}, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	ids := id.NewSource(rand.Reader, p.clock)
	g := &inside{store: db, stop: stop, merchantID: s.merchantID}
	g.core = core.New(core.Config{
		Store: db, Clock: p.clock, IDs: ids, Vault: keys, Dialects: []dialect.Dialect{paykit.Dialect{}}, PublicURL: "http://pay.example.vn", Log: log,
		FirstLook: p.firstLook, MaxAttempts: 3,
	})
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	g.intake = bankfeed.New(bankfeed.Config{Core: g.core, Clock: p.clock, Log: log, TrustedProxies: loopback, Get: p.get, Interval: p.pull})
	g.cards = acquiring.New(acquiring.Config{
		Core: g.core, Clock: p.clock, Log: log, Connectors: p.connectors, PublicURL: "http://pay.example.vn", FirstLook: p.firstLook,
		HTTP: acquiring.NewDoer(guard.Options{AllowLoopback: true}),
	})
	port, err := strconv.ParseUint(s.receiver.port, 10, 16)
	if err != nil {
		s.t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(s.receiver.server.Certificate())
	client := guard.New(guard.Options{AllowNets: loopback, AllowPorts: []uint16{uint16(port)}, RootCAs: trusted})
	handlers := map[string]outbox.Handler{core.KindNotice: &notify.Sender{Core: g.core, Client: client, Clock: p.clock, IDs: ids, Log: log}}
	maps.Copy(handlers, g.cards.Handlers())
	runner := outbox.New(outbox.Config{
		Store: db, Clock: p.clock, Node: "inside/" + ids.New(), Handlers: handlers, Wake: g.core.Wake(), Log: log,
		Limits: outbox.Limits{Lease: takeover, Drain: time.Second},
	})
	mux := http.NewServeMux()
	wire := paykit.New(paykit.Config{Core: g.core, Clock: p.clock, Log: log})
	mux.Handle("/v2/", wire)
	mux.Handle(bankfeed.Prefix, g.intake)
	mux.Handle(acquiring.Prefix, g.cards)
	mux.Handle(pos.Prefix, pos.New(pos.Config{Core: g.core, Clock: p.clock, Log: log, TrustedProxies: loopback}))
	mux.Handle(admin.Prefix+"/", admin.New(admin.Config{Core: g.core, Clock: p.clock, Log: log, CheckFeed: bankfeed.CheckFeed}))
	g.server = httptest.NewServer(mux)
	g.node = &node{t: s.t, base: g.server.URL}
	for _, work := range []func(context.Context){g.core.RunExpiry, g.core.RunFold, runner.Run, g.intake.Run} {
		g.work.Go(func() { work(ctx) })
	}
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			g.server.CloseClientConnections()
			g.server.Close()
			stop()
			g.work.Wait()
			client.CloseIdle()
			_ = db.Close() // on a disk that fails, closing does too
		})
	}
	s.t.Cleanup(g.stop)
	return g, nil
}

// database is the site's, as the program's flags have it.
func (s *site) database() string { return s.flags[1] }

// logWriter passes log lines on to a test.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}
