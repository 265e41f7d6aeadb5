package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/store"
)

// databaseFlags say where the data are and what unseals them.
type databaseFlags struct {
	Data     string `help:"A folder with everything in it: shorthand for --database sqlite:DIR/thungan.db --key-file DIR/key." placeholder:"DIR" type:"path"`
	Database string `help:"sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME." placeholder:"URL"`
	KeyFile  string `help:"The file with the keys that secrets are sealed with; see 'thungan key'." placeholder:"FILE" type:"path"`
	Keys     string `help:"The keys themselves, as in the file, instead of a file. Best given by the environment: other users of this machine can see flags." placeholder:"ID:KEY"`
}

// AfterApply lets a --data of the command line win over a database or key file of
// the environment or the settings file: whoever types 'check --data DIR' means
// the database in DIR.
func (f *databaseFlags) AfterApply(k *kong.Context) error {
	typed := map[string]bool{}
	for _, step := range k.Path {
		if step.Flag != nil && !step.Resolved {
			typed[step.Flag.Name] = true
		}
	}
	if typed["data"] && !typed["database"] {
		f.Database = ""
	}
	if typed["data"] && !typed["key-file"] {
		f.KeyFile = ""
	}
	return nil
}

func (f databaseFlags) resolve() (databaseFlags, error) {
	if f.Data != "" {
		if f.Database == "" {
			f.Database = "sqlite:" + filepath.Join(f.Data, "thungan.db")
		}
		if f.KeyFile == "" && f.Keys == "" {
			f.KeyFile = filepath.Join(f.Data, "key")
		}
	}
	if f.Database == "" {
		return f, errors.New("say where the database is: --database sqlite:PATH, --database postgres://..., or --data DIR")
	}
	return f, nil
}

func (f databaseFlags) keyring() (*vault.Keyring, error) {
	switch {
	case f.Keys != "":
		return vault.FromEnv(f.Keys)
	case f.KeyFile == "":
		return nil, errors.New("say where the key is: --key-file FILE (make one with 'thungan key new FILE')")
	}
	keys, err := vault.Load(f.KeyFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file %s; make it with: thungan key new %s", f.KeyFile, f.KeyFile)
	}
	return keys, err
}

// open opens the database and brings it up to date.
func (f databaseFlags) open(ctx context.Context) (*store.Store, error) {
	s, err := store.Open(ctx, f.Database)
	if err != nil {
		return nil, cannotOpen(err)
	}
	if _, err := s.Migrate(ctx); err != nil {
		return nil, errors.Join(cannotOpen(err), s.Close())
	}
	return s, nil
}

// openExisting opens a database that has to be there: SQLite would make an empty
// one of a mistyped path, and nothing is wrong with an empty one.
func (f databaseFlags) openExisting(ctx context.Context) (*store.Store, error) {
	if path, ok := strings.CutPrefix(f.Database, "sqlite:"); ok && path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database %s", path)
		}
	}
	s, err := store.Open(ctx, f.Database)
	if err != nil {
		return nil, cannotOpen(err)
	}
	return s, nil
}

// cannotOpen does not repeat the address: it may have a password.
func cannotOpen(err error) error { return fmt.Errorf("cannot open the database: %w", err) }

// logFlags say how to log.
type logFlags struct {
	LogLevel  slog.Level `help:"debug, info, warn or error." default:"info"`
	LogFormat string     `help:"text or json." enum:"text,json" default:"text"`
}

// logged is what was logged and has not gone to standard error yet. What else
// goes there goes after it.
var logged = httpx.NewBatch(os.Stderr)

func (f logFlags) logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: f.LogLevel}
	var h slog.Handler = slog.NewTextHandler(logged, opts)
	if f.LogFormat == "json" {
		h = slog.NewJSONHandler(logged, opts)
	}
	return slog.New(httpx.NewMaskHandler(h))
}

type serveCommand struct {
	databaseFlags
	logFlags
	tlsFlags
	Listen            string        `help:"Address to serve on (${default})." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	PublicURL         string        `help:"Where payers and merchants reach the gateway, such as https://pay.example.vn." placeholder:"URL" required:""`
	TrustedProxies    []string      `help:"Networks whose X-Forwarded-For is believed, such as 10.0.0.0/8." placeholder:"CIDR"`
	BankPullInterval  time.Duration `help:"Time between two looks at the banks' transactions APIs." default:"1m"`
	AllowIPNNetworks  []string      `help:"Networks that notifications may go to though they are private, such as 10.1.2.0/24 where the operator's own shops are." name:"allow-ipn-networks" placeholder:"CIDR"`
	AllowIPNPorts     []uint16      `help:"Ports that notifications may go to, besides 80 and 443." name:"allow-ipn-ports" placeholder:"PORT"`
	TakeoverAfter     time.Duration `help:"When notifications that a dead node was sending are sent by another, or by itself after a new start." default:"1m"`
	MaxAttempts       int           `help:"How often a payer may try to pay by card or wallet; after so many declines the payment is denied." default:"3"`
	CallsPerMinute    int           `help:"Most calls a minute with one API key, as many at once; 0 is no limit. More are answered as busy. Each node counts alone." default:"0" placeholder:"N"`
	ProfileListen     string        `help:"Serve Go's profiles (net/http/pprof) at this loopback address." placeholder:"HOST:PORT"`
	TTDKLegacyAuth    bool          `help:"Answer bad API keys of the TTDK Partner API with status 505, as its version of 2024 did." name:"ttdk-legacy-auth"`
	TTDKMirror        bool          `help:"Add paymentQR and orderId to the answer of createPayment, where older TTDK clients look for them." name:"ttdk-mirror"`
	TTDKPerMinute     int64         `help:"Calls that one TTDK API key may make in a minute, counted over all nodes; -1 is no limit. A partner may have a limit of its own." name:"ttdk-per-minute" default:"6000"`
	TTDKBurst         int64         `help:"Calls that it may make at once; 0 is a minute's." name:"ttdk-burst" default:"0"`
	TiniSignatureAge  time.Duration `help:"How old a signature of a Tini App's back end may be." default:"5m" placeholder:"TIME"`
	PaykitErrorStatus string        `help:"HTTP statuses of Paykit errors: default (200 for invalid requests), http (400 for them) or ok (200 for all)." enum:"default,http,ok" default:"default"`
}

func (c serveCommand) Help() string {
	return `A first gateway, with everything in one folder:

  export THUNGAN_DATA=/var/lib/thungan
  thungan key new /var/lib/thungan/key
  thungan merchant add --name "Shop"
  thungan merchant account add MERCHANT-ID --bin 970436 --number 0011001234567 --holder "SHOP"
  THUNGAN_FEED_SECRET=... thungan feed add sepay --kind sepay
  thungan serve --public-url https://pay.example.vn --acme --listen :443

The bank, or who watches its account, then calls
https://pay.example.vn/bank-feeds/sepay for each transfer.

Several nodes may serve one PostgreSQL: give each the same --database and keys.
It ends in order on SIGTERM: requests under way are answered, notifications being
sent are recorded.`
}

func (c serveCommand) Run(ctx context.Context) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	public, err := url.Parse(o.publicURL)
	if err != nil {
		return err
	}
	flags, err := c.resolve()
	if err != nil {
		return err
	}
	if o.keys, err = flags.keyring(); err != nil {
		return err
	}
	secure, err := c.tlsFlags.config(public, c.Data, o.clock, o.log)
	if err != nil {
		return err
	}
	ln, err := listenTLS(c.Listen, secure)
	if err != nil {
		return err
	}
	if o.store, err = flags.open(ctx); err != nil {
		return errors.Join(err, ln.Close())
	}
	if path, ok := strings.CutPrefix(flags.Database, "sqlite:"); ok {
		o.dataFolder = filepath.Dir(path)
	}
	g, err := newGateway(o)
	if err != nil {
		return errors.Join(err, ln.Close(), o.store.Close())
	}
	if err := g.judgeSurroundings(ctx); err != nil {
		return errors.Join(err, ln.Close(), o.store.Close())
	}
	srv := httpx.NewServer(o.harden(g.handler), o.log)
	serve := func(ctx context.Context, ln net.Listener) error { return httpx.Serve(ctx, srv, ln, drainFor) }
	return g.run(ctx, ln, serve, func() error {
		if err := serveProfiles(ctx, c.ProfileListen, o.log); err != nil {
			return err
		}
		o.log.Info("serving", "listen", ln.Addr().String(), "public_url", c.PublicURL, "database", o.store.Engine(), "version", version)
		return nil
	})
}

// harden adds the headers that every answer in production carries.
func (o options) harden(h http.Handler) http.Handler {
	h = httpx.DefaultHeaders(h)
	if strings.HasPrefix(o.publicURL, "https:") {
		h = httpx.HSTS(h, o.proxies)
	}
	return h
}

// options checks the flags and says what they mean for the gateway.
func (c serveCommand) options() (o options, err error) {
	public, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || public.Hostname() == "" || (public.Scheme != "https" && public.Scheme != "http"):
		return o, fmt.Errorf("--public-url has to be an http or https address such as https://pay.example.vn, not %q", c.PublicURL)
	case public.User != nil || public.RawQuery != "" || public.Fragment != "" || strings.Trim(public.Path, "/") != "":
		// The pages' own links begin at the root of their host.
		return o, errors.New("--public-url has to be an address without user name, path, query and fragment: the gateway needs a host of its own")
	case c.BankPullInterval < time.Second:
		return o, errors.New("--bank-pull-interval has to be 1s or more")
	case c.TTDKPerMinute < -1 || c.TTDKPerMinute == 0 || c.TTDKPerMinute > 1_000_000:
		return o, errors.New("--ttdk-per-minute has to be 1 to 1000000, or -1 for no limit")
	case c.TTDKBurst < 0 || c.TTDKBurst > 1_000_000:
		return o, errors.New("--ttdk-burst has to be 0 to 1000000")
	case c.CallsPerMinute < 0:
		return o, errors.New("--calls-per-minute has to be 0 or more")
	case c.TakeoverAfter < time.Second:
		return o, errors.New("--takeover-after has to be 1s or more")
	case c.MaxAttempts < 1 || c.MaxAttempts > core.MostAttempts:
		return o, fmt.Errorf("--max-attempts has to be 1 to %d", core.MostAttempts)
	}
	o = options{
		clock: clock.System(), log: c.logger(), publicURL: public.Scheme + "://" + public.Host, pull: c.BankPullInterval,
		tikiOptions: tikiOptions{signatureAge: c.TiniSignatureAge},
		errorStatus: paykit.ErrorStatus(strings.TrimPrefix(c.PaykitErrorStatus, "default")), ipnPorts: c.AllowIPNPorts, takeover: c.TakeoverAfter, maxAttempts: c.MaxAttempts,
		callsPerMinute: c.CallsPerMinute,
	}
	o.ttdk = ttdkOptions{legacyAuth: c.TTDKLegacyAuth, mirror: c.TTDKMirror, perMinute: c.TTDKPerMinute, burst: c.TTDKBurst}
	if o.proxies, err = prefixes("--trusted-proxies", c.TrustedProxies); err != nil {
		return o, err
	}
	o.ipnNetworks, err = prefixes("--allow-ipn-networks", c.AllowIPNNetworks)
	return o, err
}

// listen opens an address, or says what to do when it is taken.
func listen(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program; choose another address with --listen, or stop that one", address)
	}
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", address, err)
	}
	return ln, nil
}

func prefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no network such as 10.0.0.0/8", flag, t)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

type migrateCommand struct {
	databaseFlags
}

func (c migrateCommand) Run(ctx context.Context) error {
	flags, err := c.resolve()
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, flags.Database)
	if err != nil {
		return cannotOpen(err)
	}
	steps, err := s.Migrate(ctx)
	for _, step := range steps {
		done := "was there"
		if step.Applied {
			done = "applied"
		}
		fmt.Printf("%-30s %s\n", step.Name, done)
	}
	return errors.Join(err, s.Close())
}
