package sandbox

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/web"
)

//go:embed *.html
var pages embed.FS

const (
	maxBody  = 64 << 10 // bytes of a request
	maxDepth = 16       // JSON objects and arrays inside each other

	returnPath = "/sandbox/return"
)

// Config is what the sandbox needs.
type Config struct {
	Core  *core.Core
	Clock *clock.Sandbox // the one that everything else runs on
	// Gateway is the whole gateway; the demo shop calls the Paykit API in it.
	Gateway http.Handler
	// Feeds takes POST /bank-feeds/{source}; nil is Gateway.
	Feeds http.Handler
	// POS takes what is below /pos/v1/; nil is Gateway.
	POS http.Handler
	// SaveOffset keeps the clock's distance from real time for the next start.
	SaveOffset func(time.Duration) error
	Info       Info
	Log        *slog.Logger
	Random     io.Reader // for references; nil is crypto/rand
}

// Handler serves the start page and everything below /sandbox/. It is safe for
// concurrent use.
type Handler struct {
	Config
	set      *web.Set
	tiniSet  *web.Set // of the Tini App simulator
	projects projects
	inner    http.Handler
	inboxes  inboxes
	devices  devices
	clockMu  sync.Mutex // moving the clock and keeping its offset are one act
	randomMu sync.Mutex
}

// New makes the handler; mount it at "/{$}" and "/sandbox/". It fails only on a
// fault of the build, in the embedded templates.
func New(c Config) (*Handler, error) {
	if c.Feeds == nil {
		c.Feeds = c.Gateway
	}
	if c.POS == nil {
		c.POS = c.Gateway
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	set, err := web.Parse(pages, "base.css", "sandbox.css")
	if err != nil {
		return nil, err
	}
	tini, err := web.Parse(pages, "base.css", "sandbox.css", "tini.css")
	if err != nil {
		return nil, err
	}
	h := &Handler{Config: c, set: set, tiniSet: tini.Framed()}
	mux := http.NewServeMux()
	mux.Handle("/{$}", methods{"GET": h.start})
	mux.Handle("/sandbox/bank-transfers", methods{"POST": h.bankTransfer})
	mux.Handle("/sandbox/clock", methods{"GET": h.readClock, "POST": h.moveClock})
	mux.Handle(inboxPath+"{inbox}", methods{"GET": h.listInbox, "POST": h.receive, "PUT": h.setInbox})
	mux.Handle("/sandbox/cards", methods{"GET": h.listCards})
	mux.Handle("/sandbox/cards/pay", methods{"POST": h.payByCard})
	mux.Handle(returnPath, methods{"GET": h.returned})
	h.routeTini(mux)
	mux.Handle("/sandbox/demo/payments", methods{"POST": h.demoCreate})
	mux.Handle("/sandbox/demo/transfers", methods{"POST": h.demoPay})
	mux.Handle("/sandbox/demo/cards", methods{"POST": h.demoPayByCard})
	mux.Handle("/sandbox/demo/clock", methods{"POST": h.demoClock})
	mux.Handle("/sandbox/demo/live", methods{"GET": h.live})
	if err := h.registerTerminals(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &failure{status: http.StatusNotFound, code: payment.CodeNotFound, message: "there is nothing at this path of the sandbox"})
	})
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &failure{status: http.StatusForbidden, code: payment.CodeInvalidRequest, message: "another site's page must not do this"})
	}))
	h.inner = guard.Handler(mux)
	return h, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.inner.ServeHTTP(w, r) }

// Register mounts the sandbox on mux.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.Handle("/{$}", h)
	mux.Handle("/sandbox/", h)
}

// methods answers a path by method, and any other method in the sandbox's form.
type methods map[string]http.HandlerFunc

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	httpx.NoteRoute(r.Context(), "sandbox: "+r.Pattern)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if run, ok := m[method]; ok {
		run(w, r)
		return
	}
	var allowed []string
	for name := range m {
		allowed = append(allowed, name)
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	refuse(w, &failure{status: http.StatusMethodNotAllowed, code: payment.CodeInvalidRequest, message: "this path takes " + strings.Join(allowed, " and ")})
}

// failure is why a call is refused.
type failure struct {
	status  int
	code    payment.Code
	message string
	fields  map[string][]string
}

func (f *failure) Error() string { return f.message }

// wrong is a failure of one field.
func wrong(field, message string) *failure {
	return &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "some fields are wrong; see fields", fields: map[string][]string{field: {message}}}
}

type errorBody struct {
	Error errorText `json:"error"`
}

type errorText struct {
	Code    payment.Code        `json:"code"`
	Message string              `json:"message"`
	Fields  map[string][]string `json:"fields"`
}

// refuse answers with a failure.
func refuse(w http.ResponseWriter, f *failure) {
	fields := f.fields
	if fields == nil {
		fields = map[string][]string{}
	}
	answer(w, f.status, errorBody{errorText{f.code, f.message, fields}})
}

// fail answers an error of any kind; the cause of our own faults is for the log.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	refuse(w, h.failure(r, err))
}

func (h *Handler) failure(r *http.Request, err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	h.Log.ErrorContext(r.Context(), "sandbox", "error", err.Error(), "request_id", httpx.RequestIDFrom(r.Context()))
	if payment.CodeOf(err) == payment.CodeBusy {
		return &failure{status: http.StatusServiceUnavailable, code: payment.CodeBusy, message: "too much at once; try again"}
	}
	return &failure{status: http.StatusInternalServerError, code: payment.CodeInternal, message: "the sandbox failed; the log has the cause"}
}

// answer sends JSON. Everything that is sent here can be encoded.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // an error is the reader's connection
}

// random is n decimal digits.
func (h *Handler) random(n int) (string, error) {
	h.randomMu.Lock()
	defer h.randomMu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(h.Random, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b), nil
}

// detached is a context for work that goes on when the caller has hung up, and
// that carries nothing of the caller's request into another one.
func detached() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}
