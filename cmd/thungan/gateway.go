package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/checkout"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/meter"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/momo"
	"github.com/thungan/thungan/rail/card/mpgs"
	"github.com/thungan/thungan/rail/card/onepay"
	"github.com/thungan/thungan/rail/card/vnpay"
	"github.com/thungan/thungan/rail/card/zalopay"
	"github.com/thungan/thungan/rail/pos"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/web"
)

// options are what serve and dev set differently.
type options struct {
	store       *store.Store
	keys        *vault.Keyring
	clock       clock.Clock
	log         *slog.Logger
	publicURL   string
	proxies     []netip.Prefix
	errorStatus paykit.ErrorStatus
	pull        time.Duration // between pulls of bank transactions
	ipnNetworks []netip.Prefix
	ipnPorts    []uint16
	takeover    time.Duration // after which another node sends what a dead one held; 0 is the outbox's own
	ttdk        ttdkOptions
	loopback    bool             // IPN receivers on this machine are allowed
	openMetrics bool             // /metrics needs no token
	dataFolder  string           // whose disk is watched, "" for none
	connectors  []card.Connector // besides those of real acquirers
	firstLook   time.Duration    // at an attempt of which an acquirer has not told; 0 is the default
	maxAttempts int              // of a payer at acquirers; 0 is the default

	tikiOptions
	callsPerMinute int // with one API key; 0 is no limit
}

// gateway is the whole program but for its listener: handlers and workers over
// one store.
type gateway struct {
	options
	core    *core.Core
	cards   *acquiring.Service
	meter   *meter.Meter
	intake  *bankfeed.Intake
	runner  *outbox.Runner
	client  *guard.Client
	pos     http.Handler
	guesses *auth.Throttle // of tokens for /metrics
	mux     *http.ServeMux
	handler http.Handler
}

// gcPercent lets the heap, which is small, grow further between collections
// than Go would: measured with `make bench`, that is a third of the CPU of a
// create. GOGC still rules when it is set.
const gcPercent = 400

func newGateway(o options) (*gateway, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	g := &gateway{options: o, meter: meter.New(meter.Build{Version: version}), guesses: auth.NewThrottle(o.clock, 30, 20, 10_000)}
	o.store.Observe(g.meter.Commit)
	ids := id.NewSource(rand.Reader, o.clock)
	g.core = core.New(core.Config{
		Store: o.store, Clock: o.clock, IDs: ids, Vault: o.keys, Dialects: dialects(), PublicURL: o.publicURL, Log: o.log,
		Observe:   func(verb string, outcome payment.Code, took time.Duration) { g.meter.Verb(verb, string(outcome), took) },
		FirstLook: o.firstLook, MaxAttempts: o.maxAttempts, CallsPerMinute: o.callsPerMinute,
	})
	g.cards = acquiring.New(acquiring.Config{
		Core: g.core, Clock: o.clock, Log: o.log, Connectors: append(acquirers(), o.connectors...), PublicURL: o.publicURL, TrustedProxies: o.proxies, FirstLook: o.firstLook,
		HTTP: acquiring.NewDoer(guard.Options{AllowLoopback: o.loopback, UserAgent: "Thungan/" + version}),
	})
	g.client = guard.New(guard.Options{
		AllowLoopback: o.loopback, AllowNets: o.ipnNetworks, AllowPorts: o.ipnPorts, UserAgent: "Thungan/" + version, Timeout: ipnTimeout, Keep: ipnAnswer,
	})
	g.intake = bankfeed.New(bankfeed.Config{
		Core: g.core, Clock: o.clock, Log: o.log, Meter: g.meter, TrustedProxies: o.proxies, Interval: o.pull,
		Get: bankfeed.NewGet(guard.Options{AllowLoopback: o.loopback, UserAgent: "Thungan/" + version}),
	})
	sender := &notify.Sender{Core: g.core, Client: g.client, Clock: o.clock, IDs: ids, Log: o.log}
	handlers := map[string]outbox.Handler{core.KindNotice: sender, core.KindBooking: sender}
	maps.Copy(handlers, g.cards.Handlers())
	g.runner = outbox.New(outbox.Config{
		Store: o.store, Clock: o.clock, Node: node(ids), Handlers: handlers, Wake: g.core.Wake(), Log: o.log,
		Limits: outbox.Limits{Lease: o.takeover},
		Observe: func(i store.Item, r outbox.Result) {
			if i.Kind == core.KindNotice || i.Kind == core.KindBooking {
				g.meter.Delivery(deliveryOutcome(r), r.Attempt.Duration)
			}
		},
	})
	if err := g.route(ids); err != nil {
		return nil, err
	}
	return g, g.gauges()
}

// acquirers are the kinds of acquirer that a merchant can be paid through.
func acquirers() []card.Connector {
	return []card.Connector{vnpay.Connector{}, onepay.Connector{}, momo.Connector{}, zalopay.Connector{}, mpgs.Connector{}}
}

// dialects are the protocols that this program speaks.
func dialects() []dialect.Dialect {
	return []dialect.Dialect{paykit.Dialect{}, appotapay.Dialect{}, ttdk.Dialect{}, tiki.Dialect{}, tiki.Dialect{Sandbox: true}}
}

// node names this run of this process; the outbox's leases carry it.
func node(ids *id.Source) string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), ids.New())
}

func deliveryOutcome(r outbox.Result) string {
	switch {
	case r.Done:
		return "ok"
	case r.GiveUp:
		return "given_up"
	}
	return "failed"
}

// route mounts everything. Each dialect has a subtree of its own, so that wrong
// paths and methods below it are answered in its form.
func (g *gateway) route(ids *id.Source) error {
	pages, err := checkout.New(checkout.Config{Core: g.core, Clock: g.clock, Log: g.log, Cards: g.cards, TrustedProxies: g.proxies})
	if err != nil {
		return err
	}
	wire := paykit.New(paykit.Config{Core: g.core, Clock: g.clock, Log: g.log, ErrorStatus: g.errorStatus, TrustedProxies: g.proxies})
	tills := appotapay.New(appotapay.Config{Core: g.core, Clock: g.clock, Log: g.log, TrustedProxies: g.proxies})
	apps := tiki.New(tiki.Config{Core: g.core, Clock: g.clock, Log: g.log, RealTime: g.realTime, MaxAge: g.signatureAge, TrustedProxies: g.proxies})
	partners := ttdk.New(ttdk.Config{
		Core: g.core, Clock: g.clock, Log: g.log, Starter: g.cards, TrustedProxies: g.proxies,
		LegacyAuth: g.ttdk.legacyAuth, Mirror: g.ttdk.mirror, PerMinute: g.ttdk.perMinute, Burst: g.ttdk.burst,
	})
	api := admin.New(admin.Config{Core: g.core, Clock: g.clock, Log: g.log, TrustedProxies: g.proxies, CheckFeed: bankfeed.CheckFeed, Acquirers: g.cards})
	own := []subtree{
		{below("/v2"), wire}, {below("/v1"), wire}, {below(strings.TrimSuffix(appotapay.Prefix, "/")), tills},
		{below(tiki.Production.Prefix), apps}, {below(tiki.Sandbox.Prefix), apps}, {ttdk.Owns, partners}, {below(admin.Prefix), api},
	}
	g.mux = http.NewServeMux()
	g.pos = pos.New(pos.Config{Core: g.core, Clock: g.clock, Log: g.log, TrustedProxies: g.proxies})
	g.mux.Handle(pos.Prefix, g.pos)
	for _, path := range tiki.Paths {
		g.mux.Handle(path, apps)
	}
	g.mux.Handle("/merchant/", pages)
	g.mux.Handle("/assets/", web.Assets())
	g.mux.Handle(bankfeed.Prefix, g.intake)
	g.mux.Handle(acquiring.Prefix, g.cards)
	g.mux.HandleFunc("GET /healthz", g.healthz)
	g.mux.HandleFunc("GET /readyz", g.readyz)
	g.mux.HandleFunc("GET /metrics", g.metrics)

	observe := func(d httpx.Done) { g.meter.HTTP(surface(d.Route), d.Status, d.Duration) }
	h := httpx.Recover(g.log, nil)(subtrees(own, g.mux))
	h = httpx.Log(g.log, observe)(h)
	g.handler = httpx.RequestID(ids.New)(h)
	return nil
}

// subtree is a part of the gateway that answers every path of its own in one
// form.
type subtree struct {
	owns    func(path string) bool
	handler http.Handler
}

// subtrees gives paths to their owners as they came. A mux would tell letter
// cases apart, which the TTDK Partner API does not, and answer paths with // or
// .. in them by a redirect, which is in nobody's form.
func subtrees(own []subtree, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, s := range own {
			if s.owns(r.URL.Path) {
				s.handler.ServeHTTP(w, r)
				return
			}
		}
		rest.ServeHTTP(w, r)
	})
}

// below owns a path and all below it.
func below(prefix string) func(path string) bool {
	return func(path string) bool {
		rest, ok := strings.CutPrefix(path, prefix)
		return ok && (rest == "" || rest[0] == '/')
	}
}

// ttdkOptions are the settings of the TTDK Partner API.
type ttdkOptions struct {
	legacyAuth       bool  // 505 for a bad key
	mirror           bool  // what older clients look for in createPayment's answer
	perMinute, burst int64 // of a key whose partner has no quota of its own
}

// gauges show what waits.
func (g *gateway) gauges() error {
	backlog := func() (int64, time.Time) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		pending, oldest, err := g.store.Backlog(ctx)
		if err != nil {
			g.log.Error("cannot count the outbox", "error", err.Error())
		}
		return pending, oldest
	}
	var clocks error
	if g.store.Engine() == "postgres" { // SQLite has no clock of its own
		clocks = g.meter.DatabaseClock(g.driftGauge)
	}
	return errors.Join(clocks, g.meter.Ready(g.readyGauge), g.meter.FeedLags(g.feedLags),
		g.meter.Queue("outbox", func() float64 { n, _ := backlog(); return float64(n) }),
		g.meter.Oldest(func() time.Duration {
			if _, oldest := backlog(); !oldest.IsZero() {
				return g.clock.Now().Sub(oldest)
			}
			return 0
		}),
	)
}

// drainFor is how long requests under way may take at the end.
const drainFor = 20 * time.Second

// run serves until ctx ends, then in this order: takes no new requests and
// finishes those under way, stops the workers when they have finished theirs,
// closes the database. ready is called when everything runs.
func (g *gateway) run(ctx context.Context, ln net.Listener, serve func(context.Context, net.Listener) error, ready func() error) error {
	// A node on SQLite is alone: what a killed run had leased is free at once.
	if g.store.Engine() == "sqlite" {
		if err := g.store.FreeLeases(ctx); err != nil {
			return errors.Join(err, ln.Close(), g.store.Close())
		}
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	for _, work := range []func(context.Context){g.core.RunExpiry, g.core.RunFold, g.runner.Run, g.intake.Run} {
		workers.Go(func() { work(working) })
	}
	serving, cut := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- serve(serving, ln) }()
	failed := ready()
	if failed != nil {
		cut()
	}
	err := <-served
	cut()
	stop()
	workers.Wait()
	g.client.CloseIdle()
	return errors.Join(failed, err, g.store.Close())
}
