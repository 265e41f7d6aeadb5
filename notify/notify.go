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
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Sender sends notices.
type Sender struct {
	Core   *core.Core
	Client *guard.Client
	Clock  clock.Clock
	IDs    *id.Source
	Log    *slog.Logger
}

// unreadable is when a notice is tried again that could not even be formed: a
// fault of ours that a new version may mend.
const unreadable = time.Hour

// Attempt sends one notice once.
func (s *Sender) Attempt(ctx context.Context, item store.Item) outbox.Result {
	requestID := s.IDs.New()
	d, req, err := s.form(ctx, item, requestID)
	if err != nil {
		if code := payment.CodeOf(err); code == payment.CodeBusy {
			return outbox.Result{Attempt: store.Attempt{RequestID: requestID, Error: "the database is not available"}, Retry: time.Second}
		}
		s.Log.Error("notice cannot be formed", "notice", item.ID, "payment_id", item.PaymentID, "error", err.Error())
		return outbox.Result{Attempt: store.Attempt{RequestID: requestID, Error: "the notice could not be formed"}, Retry: unreadable}
	}
	answer, err := s.Client.Do(ctx, req)
	a := store.Attempt{
		RequestID: requestID, Duration: answer.Duration, Status: int64(answer.Status), Answer: readable(answer.Body),
	}
	result := outbox.Result{Attempt: a, Done: err == nil && d.Accepted(answer.Status, answer.Body)}
	var refused *guard.Error
	switch {
	case result.Done:
		return result
	case errors.As(err, &refused):
		result.Attempt.Error = refused.Safe()
	case err != nil:
		result.Attempt.Error = "no answer"
	default:
		result.Attempt.Error = "the answer is no acknowledgement"
	}
	wait, again := d.Retry(int(item.Tries) + 1)
	result.Retry = max(wait, retryAfter(answer.Header, s.Clock.Now()))
	result.GiveUp = !again || answer.Status == http.StatusGone
	return result
}

// form makes the request that tells of an item's event, as the event left the
// payment.
func (s *Sender) form(ctx context.Context, item store.Item, requestID string) (dialect.Dialect, *http.Request, error) {
	d, ok := s.Core.Dialect(item.Dialect)
	if !ok {
		return nil, nil, errors.New("no dialect " + item.Dialect)
	}
	told, err := s.Core.Told(ctx, item.PaymentID, item.Version)
	if err != nil {
		return nil, nil, err
	}
	formed, err := d.Notice(dialect.Notice{
		Payment: told.Payment, Event: told.Event, Profile: told.Profile, PublicID: told.PublicID, Secret: told.Secret,
		URL: item.Target, RequestID: requestID, At: s.Clock.Now(),
	})
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

// readable makes the start of an answer fit to be stored and shown.
func readable(body []byte) string {
	s := strings.ToValidUTF8(string(body), string(utf8.RuneError))
	return strings.ReplaceAll(s, "\x00", string(utf8.RuneError))
}
