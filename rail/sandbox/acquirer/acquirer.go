package acquirer

import (
	"embed"
	"log/slog"
	"net/http"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/web"
)

// Path is where Handler has to be mounted.
const Path = "/sandbox/acquirer/"

//go:embed *.html
var files embed.FS

// Config is what the imitation needs.
type Config struct {
	BaseURL   string            // of the gateway it runs in, without a trailing slash
	Merchants map[string]string // secrets by merchant
	Clock     clock.Clock
	Client    *guard.Client // sends the notices; has to reach the gateway
	Log       *slog.Logger
	// File keeps the orders over a restart; "" keeps them in memory only, and
	// after a restart the acquirer says that it has none of them.
	File string
}

// Acquirer is the imitation: an http.Handler, and Run for the notices that come
// late.
type Acquirer struct {
	base      string
	merchants map[string]string
	clock     clock.Clock
	client    *guard.Client
	log       *slog.Logger
	set       *web.Set
	book      *book
	wake      chan struct{}
	// refundPlan says what a refund of an amount does.
	refundPlan func(money.VND) RefundPlan
	inner      http.Handler
}

// New makes the imitation. It fails when the file cannot be read or written.
func New(c Config) (*Acquirer, error) {
	set, err := web.Parse(files, "base.css", "acquirer.css")
	if err != nil {
		return nil, err
	}
	orders, err := openBook(c.File)
	if err != nil {
		return nil, err
	}
	a := &Acquirer{
		base: c.BaseURL + "/sandbox/acquirer", merchants: c.Merchants, clock: c.Clock, client: c.Client, log: c.Log, set: set.Framed(), book: orders,
		wake: make(chan struct{}, 1), refundPlan: planRefund,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sandbox/acquirer/orders", a.createOrder)
	mux.HandleFunc("POST /sandbox/acquirer/orders/query", a.queryOrder)
	mux.HandleFunc("POST /sandbox/acquirer/refunds", a.createRefund)
	mux.HandleFunc("POST /sandbox/acquirer/refunds/query", a.queryRefund)
	const page = "/sandbox/acquirer/pay/{token}"
	mux.HandleFunc("GET "+page, a.show)
	mux.HandleFunc("GET "+page+"/away", a.away)
	mux.HandleFunc("POST "+page+"/card", a.takeCard)
	mux.HandleFunc("POST "+page+"/otp", a.takePassword)
	mux.HandleFunc("POST "+page+"/wallet", a.takeWallet)
	mux.HandleFunc("POST "+page+"/cancel", a.cancel)
	mux.HandleFunc("/", a.nothing)
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(a.foreign))
	a.inner = protection.Handler(mux)
	return a, nil
}

func (a *Acquirer) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.inner.ServeHTTP(w, r) }

// Close closes the file.
func (a *Acquirer) Close() error { return a.book.close() }
