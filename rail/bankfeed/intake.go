package bankfeed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/meter"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// Prefix is where the feeds' addresses begin; the feed's name follows.
const Prefix = "/bank-feeds/"

const (
	maxBody = 256 << 10 // bytes of a message

	// takeTime bounds the work on a message that is kept. SePay waits 30 s,
	// and what is not done by then is done by Recover.
	takeTime = 20 * time.Second

	// Wrong signatures that one address may send to one feed.
	wrongPerMinute, wrongAtOnce, wrongAddresses = 30, 20, 10_000
)

// Core is what the intake needs of *core.Core. It is an interface so that
// tests can make a verb fail in the middle.
type Core interface {
	Feed(ctx context.Context, name string) (payment.Feed, error)
	KnownFeed(ctx context.Context, name string) (payment.Feed, error)
	Feeds(ctx context.Context) ([]payment.Feed, error)
	FeedSecrets(f payment.Feed) (secret, api string, err error)
	KeepMessage(ctx context.Context, feed string, body []byte) (id string, err error)
	FailMessage(ctx context.Context, id, why string) error
	WaitingMessages(ctx context.Context, olderThan time.Duration, limit int) ([]core.Message, error)
	TakeCredits(ctx context.Context, f payment.Feed, messageID string, credits []payment.Credit) ([]core.Taken, error)
	RecordPull(ctx context.Context, name string, seenUntil time.Time, cursor, failure string) error
}

// Config is what an Intake is made of. Only Core, Clock and Log are needed.
type Config struct {
	Core  Core
	Clock clock.Clock
	Log   *slog.Logger
	Meter *meter.Meter // may be nil
	// Get asks the providers, see NewGet; nil pulls nothing.
	Get rail.Get
	// TrustedProxies may say whose request they pass on (X-Forwarded-For).
	TrustedProxies []netip.Prefix
	// Interval is between two pulls of a feed and between two recoveries; 0
	// is a minute.
	Interval time.Duration
}

// Intake takes in what the feeds tell: it serves their webhooks, pulls their
// lists, and finishes what was interrupted. It is safe for concurrent use.
type Intake struct {
	core     Core
	clock    clock.Clock
	log      *slog.Logger
	meter    *meter.Meter
	get      rail.Get
	trusted  []netip.Prefix
	interval time.Duration
	wrong    *auth.Throttle

	mu      sync.Mutex
	pulls   map[string]*pullState
	refused map[[sha256.Size]byte]bool // rows of pulls that are kept already
}

// New makes an Intake. Mount it under Prefix and keep its Run going.
func New(cfg Config) *Intake {
	if cfg.Interval <= 0 {
		cfg.Interval = time.Minute
	}
	return &Intake{
		core: cfg.Core, clock: cfg.Clock, log: cfg.Log, meter: cfg.Meter, get: cfg.Get,
		trusted: cfg.TrustedProxies, interval: cfg.Interval,
		wrong:   auth.NewThrottle(cfg.Clock, wrongPerMinute, wrongAtOnce, wrongAddresses),
		pulls:   map[string]*pullState{},
		refused: map[[sha256.Size]byte]bool{},
	}
}

// Receipt is what became of a message.
type Receipt struct {
	MessageID string // under which the raw message is kept
	Taken     []core.Taken
	Refused   []rail.Refused
}

// ServeHTTP answers POST /bank-feeds/{feed}.
func (in *Intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, under := strings.CutPrefix(r.URL.Path, Prefix)
	if !under || name == "" || strings.Contains(name, "/") {
		plain(w, http.StatusNotFound, "no such bank feed")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		plain(w, http.StatusMethodNotAllowed, "a bank feed takes POST only")
		return
	}
	f, n, err := in.feed(r.Context(), name)
	switch payment.CodeOf(err) {
	case "":
	case payment.CodeNotFound:
		plain(w, http.StatusNotFound, "no such bank feed")
		return
	default:
		in.failed(r.Context(), name, err)
		plain(w, http.StatusServiceUnavailable, "not taken in now, please send it again")
		return
	}
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		plain(w, http.StatusRequestEntityTooLarge, "the message is longer than "+strconv.Itoa(maxBody)+" bytes")
		return
	case err != nil:
		plain(w, http.StatusBadRequest, "the message did not come whole")
		return
	}

	addr := httpx.ClientAddr(r, in.trusted)
	key := name + " " + auth.AddrKey(addr)
	if ok, wait := in.wrong.Check(key); !ok {
		in.throttled(w, n, wait)
		return
	}
	_, err = in.receive(r.Context(), f, n, rail.Message{Header: r.Header, Body: body})
	answer := n.Answer(err)
	switch {
	case payment.CodeOf(err) == payment.CodeUnauthorized:
		in.wrong.Fail(key)
		in.log.Warn("bank message refused", "feed", name, "address", addr.String(), "why", err.Error(), "request_id", httpx.RequestIDFrom(r.Context()))
	case answer.Status >= http.StatusInternalServerError:
		in.failed(r.Context(), name, err)
	}
	write(w, answer)
}

// failed logs why a sender was told to try again: senders give up in the end.
func (in *Intake) failed(ctx context.Context, feed string, err error) {
	in.log.Error("bank message not taken in", "feed", feed, "error", err.Error(), "request_id", httpx.RequestIDFrom(ctx))
}

func (in *Intake) throttled(w http.ResponseWriter, n rail.Notifier, wait time.Duration) {
	if in.meter != nil {
		in.meter.Throttled("bank_feed")
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	a := n.Answer(unauthorized("too many wrong signatures"))
	a.Status = http.StatusTooManyRequests
	write(w, a)
}

// Receive takes a message in as ServeHTTP does, for whoever has no HTTP
// request. Errors are those of rail.Notifier.Answer; with ErrUnreadable the
// Receipt says what was taken all the same.
func (in *Intake) Receive(ctx context.Context, feed string, msg rail.Message) (Receipt, error) {
	f, n, err := in.feed(ctx, feed)
	if err != nil {
		return Receipt{}, err
	}
	return in.receive(ctx, f, n, msg)
}

// feed finds an enabled feed and who understands it. It may be a second old: how far
// it was pulled is not for those who ask here.
func (in *Intake) feed(ctx context.Context, name string) (payment.Feed, rail.Notifier, error) {
	return understood(in.core.KnownFeed(ctx, name))
}

// understood is an enabled feed with who understands it.
func understood(f payment.Feed, err error) (payment.Feed, rail.Notifier, error) {
	if err != nil {
		return payment.Feed{}, nil, err
	}
	n, known := notifiers[f.Kind]
	if !f.Enabled || !known {
		return payment.Feed{}, nil, payment.Fail(payment.CodeNotFound, "no such bank feed")
	}
	return f, n, nil
}

func (in *Intake) receive(ctx context.Context, f payment.Feed, n rail.Notifier, msg rail.Message) (receipt Receipt, err error) {
	start := in.clock.Now()
	defer func() { in.count("bank_message", err, in.clock.Now().Sub(start)) }()
	if !utf8.Valid(msg.Body) || bytes.IndexByte(msg.Body, 0) >= 0 {
		return Receipt{}, payment.Fail(payment.CodeInvalidRequest, "the message is not UTF-8 text")
	}
	secret, _, err := in.core.FeedSecrets(f)
	if err != nil {
		return Receipt{}, err
	}
	if err := n.Verify(msg, secret, in.clock.Now()); err != nil {
		return Receipt{}, err
	}
	body := hide(msg.Body) // read as it is kept, so that Recover reads the same
	id, err := in.core.KeepMessage(ctx, f.Name, body)
	if err != nil {
		return Receipt{}, err
	}
	// The sender may hang up now; the message is ours.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTime)
	defer cancel()
	return in.process(ctx, f, n, id, body)
}

// process reads a kept message and takes its credits in. A message, or a part
// of one, that cannot be read is marked so and is ErrUnreadable. After any
// other error the message waits for Recover.
func (in *Intake) process(ctx context.Context, f payment.Feed, n rail.Notifier, id string, body []byte) (Receipt, error) {
	receipt := Receipt{MessageID: id}
	parsed, err := n.Parse(body)
	if err != nil {
		return receipt, in.unreadable(ctx, f, id, err.Error())
	}
	receipt.Refused = parsed.Refused
	if receipt.Taken, err = in.take(ctx, f, id, parsed.Credits); err != nil {
		return receipt, err
	}
	if len(parsed.Refused) == 0 {
		return receipt, nil
	}
	return receipt, in.unreadable(ctx, f, id, reasons(parsed.Refused))
}

func (in *Intake) unreadable(ctx context.Context, f payment.Feed, id, why string) error {
	in.log.Error("bank message cannot be read; it is kept", "feed", f.Name, "message", id, "why", why)
	if err := in.core.FailMessage(ctx, id, truncate(why, maxMemo)); err != nil {
		in.log.Error("bank message not marked", "message", id, "error", err.Error())
	}
	return fmt.Errorf("%w: %s", rail.ErrUnreadable, why)
}

func reasons(refused []rail.Refused) string {
	const shown = 10
	texts := make([]string, 0, shown+1)
	for i, r := range refused {
		if i == shown {
			texts = append(texts, fmt.Sprintf("and %d more", len(refused)-shown))
			break
		}
		texts = append(texts, r.Reason)
	}
	return strings.Join(texts, "; ")
}

// take takes credits in, all in one call. When that fails for another reason
// than a busy database, one of them may be to blame, and the others must not
// suffer: then it is one call each, and the first error is returned in the end.
func (in *Intake) take(ctx context.Context, f payment.Feed, messageID string, credits []payment.Credit) ([]core.Taken, error) {
	taken, err := in.core.TakeCredits(ctx, f, messageID, credits)
	if err == nil {
		in.countCredits(f, taken)
		return taken, nil
	}
	if len(credits) < 2 || payment.CodeOf(err) == payment.CodeBusy || ctx.Err() != nil {
		return nil, err
	}
	var all []core.Taken
	var first error
	for i := range credits {
		one, err := in.core.TakeCredits(ctx, f, "", credits[i:i+1])
		if err != nil {
			in.log.Error("bank credit not taken in", "feed", f.Name, "external_id", credits[i].ExternalID, "error", err.Error())
			if first == nil {
				first = err
			}
			continue
		}
		in.countCredits(f, one)
		all = append(all, one...)
	}
	if first == nil && messageID != "" {
		_, first = in.core.TakeCredits(ctx, f, messageID, nil)
	}
	return all, first
}

func (in *Intake) countCredits(f payment.Feed, taken []core.Taken) {
	if in.meter == nil {
		return
	}
	for _, t := range taken {
		if !t.Replayed {
			in.meter.BankCredit(f.Kind, string(t.Credit.Outcome))
		}
	}
}

func (in *Intake) count(verb string, err error, took time.Duration) {
	if in.meter == nil {
		return
	}
	outcome := "ok"
	switch {
	case errors.Is(err, rail.ErrUnreadable):
		outcome = "unreadable"
	case err != nil:
		outcome = string(payment.CodeOf(err))
	}
	in.meter.Verb(verb, outcome, took)
}

// plain answers when no provider's form applies.
func plain(w http.ResponseWriter, status int, text string) {
	write(w, rail.Answer{Status: status, ContentType: jsonType, Body: appendJSON(nil, object{"error": text})})
}

func write(w http.ResponseWriter, a rail.Answer) {
	w.Header().Set("Content-Type", a.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.Status)
	// A sender that does not listen any more is no fault of ours.
	_, _ = w.Write(a.Body)
}
