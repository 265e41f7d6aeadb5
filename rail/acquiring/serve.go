package acquiring

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// maxBody bounds what an acquirer or a payer's browser sends.
const maxBody = 64 << 10

// returnTime is how long a payer who comes back waits for the acquirer's word.
const returnTime = 5 * time.Second

// ServeHTTP answers {connector}/notify and {connector}/return/{attempt}/{key}
// below Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	if len(parts) < 2 || (r.Method != http.MethodGet && r.Method != http.MethodPost) {
		http.NotFound(w, r)
		return
	}
	body, err := httpx.ReadBody(w, r, maxBody)
	if err != nil {
		http.Error(w, "the request did not come whole, or is too long", http.StatusBadRequest)
		return
	}
	msg := card.Message{Method: r.Method, Query: r.URL.RawQuery, Header: r.Header, Body: body}
	switch {
	case parts[1] == "notify" && len(parts) == 2:
		httpx.NoteRoute(r.Context(), "acquirer: notify")
		s.notify(w, r, parts[0], msg)
	case parts[1] == "return" && len(parts) == 4:
		httpx.NoteRoute(r.Context(), "acquirer: return")
		s.returned(w, r, parts[2], parts[3], msg)
	default:
		http.NotFound(w, r)
	}
}

// notify takes in an acquirer's notice and answers in the acquirer's words.
func (s *Service) notify(w http.ResponseWriter, r *http.Request, connectorID string, msg card.Message) {
	conn, err := s.Core.Connector(r.Context(), connectorID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		http.NotFound(w, r)
		return
	}
	var k card.Connector
	var d card.Dealing
	if err == nil {
		k, d, err = s.dealing(conn)
	}
	if err != nil {
		http.Error(w, "not taken in now, please send it again", http.StatusServiceUnavailable)
		return
	}
	addr := httpx.ClientAddr(r, s.TrustedProxies)
	key := connectorID + " " + auth.AddrKey(addr)
	if ok, wait := s.wrong.Check(key); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		http.Error(w, "too many wrong signatures", http.StatusTooManyRequests)
		return
	}
	told, err := s.take(r.Context(), conn, k, d, msg)
	switch payment.CodeOf(err) {
	case "":
	case payment.CodeUnauthorized:
		s.wrong.Fail(key)
		fallthrough
	default:
		s.Log.WarnContext(r.Context(), "acquirer's notice refused", "kind", conn.Kind, "connector", conn.ID, "address", addr.String(), "why", err.Error(), "request_id", httpx.RequestIDFrom(r.Context()))
	}
	a := k.Acknowledge(told, err)
	if a.ContentType != "" {
		w.Header().Set("Content-Type", a.ContentType)
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the acquirer has gone if it fails, and will tell again
}

// take verifies a notice and hands it to core. A notice that says nothing final
// is a hint to ask.
func (s *Service) take(ctx context.Context, conn payment.Connector, k card.Connector, d card.Dealing, msg card.Message) (told bool, err error) {
	report, err := k.VerifyNotify(d, msg)
	if err != nil {
		return false, err
	}
	if report.OfRefund {
		before, err := s.Core.RefundByID(ctx, report.Reference)
		switch {
		case payment.CodeOf(err) == payment.CodeRefundNotFound, err == nil && before.ConnectorID != conn.ID:
			return false, payment.Fail(payment.CodePaymentNotFound, "no such refund")
		case err != nil:
			return false, err // it has to be told again
		}
		if report.Amount != 0 && report.Amount != before.Amount {
			return false, payment.Fail(payment.CodeInvalidAmount, "the notice is of another amount than the refund")
		}
		if report.Outcome != card.Done && report.Outcome != card.Failed {
			return before.State != payment.RefundProcessing, nil // the outbox asks
		}
		_, err = s.resolveRefund(ctx, before.ID, report)
		return before.State != payment.RefundProcessing, err
	}
	r, err := s.resolve(ctx, conn.ID, report)
	if err != nil || report.Outcome == card.Done || report.Outcome == card.Failed || r.Attempt.State == payment.AttemptDone {
		return r.Told, err
	}
	// Also about one that had failed: a payer may have paid it after all.
	s.askSoon(ctx, r.Attempt)
	return r.Told, nil
}

// askSoon asks about an attempt at once. If that fails, the outbox asks in its
// time.
func (s *Service) askSoon(ctx context.Context, a payment.Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTime)
	defer cancel()
	if _, err := s.ask(ctx, a); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.Log.WarnContext(ctx, "acquirer could not be asked", "kind", a.Kind, "attempt", a.ID, "payment_id", a.PaymentID, "error", err.Error())
	}
}

// returned sends a payer who comes from an acquirer on to the payment page.
// What the browser brings is only logged: the acquirer is asked.
func (s *Service) returned(w http.ResponseWriter, r *http.Request, attemptID, key string, msg card.Message) {
	ctx := r.Context()
	if !auth.SameString(key, s.Core.AttemptKey(attemptID)) {
		http.NotFound(w, r)
		return
	}
	a, err := s.Core.Attempt(ctx, attemptID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		http.NotFound(w, r)
		return
	}
	var page string
	if err == nil {
		httpx.Note(ctx, "payment_id", a.PaymentID)
		page, err = s.Core.PageOf(ctx, a.PaymentID)
	}
	if err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "please reload this page in a moment", http.StatusServiceUnavailable)
		return
	}
	if !a.State.Final() {
		if k, d, err := s.dealingFor(ctx, a); err == nil {
			if shown, err := k.VerifyReturn(d, msg); err != nil {
				s.Log.WarnContext(ctx, "payer returned with what cannot be verified", "kind", a.Kind, "attempt", a.ID, "why", err.Error())
			} else {
				s.Log.InfoContext(ctx, "payer returned", "kind", a.Kind, "attempt", a.ID, "shown", string(shown.Outcome), "code", shown.Code)
			}
		}
		s.askSoon(ctx, a)
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, page, http.StatusSeeOther)
}
