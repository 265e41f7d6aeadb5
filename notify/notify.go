// Package notify sends notices (IPNs) to merchants: it is the outbox's handler
// for them. The dialect forms and signs each request anew; the guard keeps it
// from reaching inside the network.
package notify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Client makes a notice's request; the guard's is the one that does it safely.
type Client interface {
	Do(ctx context.Context, req *http.Request) (guard.Response, error)
}

// Sender sends notices.
type Sender struct {
	Core   *core.Core
	Client Client
	Clock  clock.Clock
	IDs    *id.Source
	Log    *slog.Logger
}

var _ outbox.Loader = (*Sender)(nil)

// Load loads what notices tell.
func (s *Sender) Load(ctx context.Context, items []store.Item) []any {
	loaded := make([]any, len(items))
	if items[0].Kind != core.KindNotice {
		return loaded
	}
	events := make([]store.EventKey, len(items))
	for i, item := range items {
		events[i] = store.EventKey{PaymentID: item.PaymentID, Version: item.Version}
	}
	all, err := s.Core.ToldTogether(ctx, events)
	if err != nil {
		return loaded // each attempt will say why
	}
	for i, event := range events {
		if told, ok := all[event]; ok {
			loaded[i] = &told
		}
	}
	return loaded
}

// AttemptLoaded is Attempt with what Load has loaded.
func (s *Sender) AttemptLoaded(ctx context.Context, item store.Item, loaded any) outbox.Result {
	told, _ := loaded.(*core.Told)
	return s.attempt(ctx, item, told)
}

// Attempt sends one notice once.
func (s *Sender) Attempt(ctx context.Context, item store.Item) outbox.Result {
	return s.attempt(ctx, item, nil)
}

// attempt sends one notice once. What it tells is loaded when told is nil.
func (s *Sender) attempt(ctx context.Context, item store.Item, told *core.Told) outbox.Result {
	a := store.Attempt{RequestID: s.IDs.New()}
	d, req, err := s.form(ctx, item, a.RequestID, told)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return soon(a, "given up by the gateway")
	case payment.CodeOf(err) == payment.CodeBusy:
		return soon(a, "the database is not available")
	default:
		s.Log.Error("notice cannot be formed", "notice", item.ID, "payment_id", item.PaymentID, "error", err.Error())
		return outbox.Fault(item, a, "the notice could not be formed")
	}
	answer, err := s.Client.Do(ctx, req)
	a.Duration, a.Status, a.Answer = answer.Duration, int64(answer.Status), readable(answer.Body)
	if err == nil && d.Accepted(answer.Status, answer.Body) {
		return outbox.Result{Attempt: a, Done: true}
	}
	if ctx.Err() != nil {
		return soon(a, "given up by the gateway")
	}
	a.Error = "the answer is no acknowledgement"
	if err != nil {
		a.Error = why(err)
	}
	wait, again := d.Retry(int(item.Tries) + 1)
	return outbox.Result{
		Attempt: a, GiveUp: !again || answer.Status == http.StatusGone || err == nil && stops(d, answer.Status), Retry: max(wait, retryAfter(answer.Header, s.Clock.Now())),
	}
}

// stops says whether an answer ends the delivery though it is no
// acknowledgement.
func stops(d dialect.Dialect, status int) bool {
	s, ok := d.(dialect.Stopping)
	return ok && s.Stops(status)
}

// soon is the result of an attempt that ended for a passing cause of our own.
func soon(a store.Attempt, text string) outbox.Result {
	a.Error = text
	return outbox.Result{Attempt: a, Ours: true, Retry: time.Second}
}

// why is the part of the guard's error that may be shown.
func why(err error) string {
	var e *guard.Error
	if errors.As(err, &e) {
		return e.Safe()
	}
	return "no answer"
}

// form makes the request that tells of an item. What it tells is loaded when told
// is nil.
func (s *Sender) form(ctx context.Context, item store.Item, requestID string, told *core.Told) (dialect.Dialect, *http.Request, error) {
	d, ok := s.Core.Dialect(item.Dialect)
	if !ok {
		return nil, nil, errors.New("no dialect " + item.Dialect)
	}
	tell := func(ctx context.Context, d dialect.Dialect, item store.Item, requestID string) (dialect.Request, error) {
		return s.event(ctx, d, item, requestID, told)
	}
	if item.Kind == core.KindBooking {
		tell = s.booking
	}
	formed, err := tell(ctx, d, item, requestID)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, item.Target, bytes.NewReader(formed.Body))
	if err != nil {
		return nil, nil, err
	}
	for name, value := range formed.Headers {
		req.Header.Set(name, value)
	}
	return d, req, nil
}

// booking forms what tells of a change of a booking or an order.
func (s *Sender) booking(ctx context.Context, d dialect.Dialect, item store.Item, requestID string) (dialect.Request, error) {
	b, ok := d.(dialect.Booker)
	if !ok {
		return dialect.Request{}, errors.New(item.Dialect + " has no bookings")
	}
	told, err := s.Core.ToldBooking(ctx, item)
	if err != nil {
		return dialect.Request{}, err
	}
	return b.BookingNotice(dialect.BookingNotice{
		Changed: told.Changed, Profile: told.Profile, PublicID: told.PublicID, Secret: told.Secret, Key: told.Key,
		URL: item.Target, RequestID: requestID, At: s.Clock.Now(),
	})
}

// event forms what tells of a payment's event, as the event left the payment.
func (s *Sender) event(ctx context.Context, d dialect.Dialect, item store.Item, requestID string, told *core.Told) (dialect.Request, error) {
	if told == nil {
		loaded, err := s.Core.Told(ctx, item.PaymentID, item.Version)
		if err != nil {
			return dialect.Request{}, err
		}
		told = &loaded
	}
	return d.Notice(dialect.Notice{
		Payment: told.Payment, Event: told.Event, Refund: told.Refund, Sale: told.Sale, Profile: told.Profile, PublicID: told.PublicID, Secret: told.Secret,
		Key: told.Key, Order: told.Order, Purchase: told.Purchase, URL: item.Target, RequestID: requestID, At: s.Clock.Now(),
	})
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a receiver's wish to be left alone for a while.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// maxAnswer is how many bytes of an answer are kept.
const maxAnswer = 1024

// readable makes the start of an answer fit to be stored and shown: UTF-8
// without NUL, which PostgreSQL does not take, and without card numbers.
func readable(body []byte) string {
	s := strings.ToValidUTF8(string(body), string(utf8.RuneError))
	s = strings.ReplaceAll(s, "\x00", string(utf8.RuneError))
	s = pan.Mask(s)
	if len(s) <= maxAnswer {
		return s
	}
	// Cut between characters: half of one at the end becomes nothing.
	return strings.ToValidUTF8(s[:maxAnswer], "")
}
