package acquiring

import (
	"context"
	"errors"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/store"
)

// waits follow the looks at an attempt or refund that is not final, in units of
// the first: within an hour it is asked about ten times at the usual thirty
// seconds, then ever more seldom, for four days in all.
var waits = []time.Duration{1, 1, 2, 2, 4, 10, 20, 30, 60, 120, 240, 480, 960, 1440, 2880, 2880, 2880}

func (s *Service) wait(tries int64) (time.Duration, bool) {
	if tries >= int64(len(waits)) {
		return 0, false
	}
	return waits[tries] * s.FirstLook, true
}

// Handlers are the outbox's handlers for what acquirers have to be asked.
func (s *Service) Handlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{core.KindAttempt: asker(s.askAttempt), core.KindRefund: asker(s.askRefund)}
}

type asker func(ctx context.Context, item store.Item) outbox.Result

func (a asker) Attempt(ctx context.Context, item store.Item) outbox.Result { return a(ctx, item) }

// again is the result of a look that found nothing final.
func (s *Service) again(item store.Item, text string) (outbox.Result, bool) {
	wait, more := s.wait(item.Tries)
	return outbox.Result{Attempt: store.Attempt{Error: text}, Ours: true, Retry: wait}, more
}

// soon is the result of a look that a passing fault of ours has spoilt.
func soon(err error) outbox.Result {
	return outbox.Result{Attempt: store.Attempt{Error: err.Error()}, Ours: true, Retry: 2 * time.Second}
}

var settled = outbox.Result{Done: true}

// askAttempt asks what became of an attempt, until somebody has said so. What
// nobody can say ends on a person's list.
func (s *Service) askAttempt(ctx context.Context, item store.Item) outbox.Result {
	a, err := s.Core.Attempt(ctx, item.Target)
	if err != nil {
		return soon(err)
	}
	if a.State.Final() {
		return settled
	}
	r, err := s.ask(ctx, a)
	text := "the acquirer says that it is " + string(r.Attempt.State)
	switch {
	case err == nil && r.Attempt.State.Final():
		return settled
	case err == nil:
	case payment.CodeOf(err) == payment.CodeInvalidAmount, payment.CodeOf(err) == payment.CodeConflict:
		return settled // it is on a person's list
	case ctx.Err() != nil:
		return soon(err)
	default:
		text = err.Error()
	}
	result, more := s.again(item, text)
	if more {
		return result
	}
	if _, err := s.Core.AbandonAttempt(ctx, a.ID, "nobody could tell what became of it: "+text); err != nil {
		return soon(err)
	}
	return settled
}

// ask asks about an attempt and takes the answer in.
func (s *Service) ask(ctx context.Context, a payment.Attempt) (core.Resolved, error) {
	k, d, err := s.dealingFor(ctx, a)
	if err != nil {
		return core.Resolved{}, err
	}
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	report, err := k.Query(call, d, a)
	if err != nil {
		return core.Resolved{}, unlearned{err}
	}
	report.Reference = a.Reference
	return s.resolve(ctx, a.ConnectorID, report)
}

// unlearned is a connector's error: nothing was learned. It hides the error's
// code, which core's own errors must not be mixed up with.
type unlearned struct{ cause error }

func (e unlearned) Error() string        { return e.cause.Error() }
func (e unlearned) Is(target error) bool { return errors.Is(e.cause, target) }

// resolve hands an acquirer's word on an attempt to core.
func (s *Service) resolve(ctx context.Context, connectorID string, r card.Report) (core.Resolved, error) {
	return s.Core.Resolve(ctx, core.Word{
		ConnectorID: connectorID, Reference: r.Reference, ExternalID: r.ExternalID, Outcome: attemptState[r.Outcome], Amount: r.Amount, Currency: r.Currency,
		Code: r.Code, Text: r.Text, At: r.At,
	})
}

var attemptState = map[card.Outcome]payment.AttemptState{
	card.Done: payment.AttemptDone, card.Failed: payment.AttemptFailed, card.Pending: payment.AttemptSent, card.Unknown: payment.AttemptUnknown,
}

// Recheck asks about an attempt again, also about a final one, at a person's
// wish. What comes of it is in the Hearing; an error means that there is no such
// attempt, or that the gateway itself failed.
func (s *Service) Recheck(ctx context.Context, attemptID string) (core.Hearing, error) {
	a, err := s.Core.Attempt(ctx, attemptID)
	if err != nil {
		return core.Hearing{}, err
	}
	k, d, err := s.dealingFor(ctx, a)
	if err != nil {
		return s.notAsked(ctx, a.Kind, err), nil
	}
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	report, err := k.Query(call, d, a)
	if err != nil {
		return core.Hearing{Asked: true, Fault: err.Error()}, nil
	}
	report.Reference = a.Reference
	_, err = s.resolve(ctx, a.ConnectorID, report)
	return heard(report, err)
}

// notAsked is the hearing of an acquirer that cannot be asked. Why, is in the
// log: it may be about a configuration.
func (s *Service) notAsked(ctx context.Context, kind string, err error) core.Hearing {
	s.Log.ErrorContext(ctx, "acquirer cannot be asked", "kind", kind, "error", err.Error())
	return core.Hearing{Fault: "its connector cannot be used; the gateway's log says why"}
}

// heard is the hearing of a report that was handed to core. That core refused
// it is part of it; its other errors are the gateway's own.
func heard(r card.Report, err error) (core.Hearing, error) {
	h := core.Hearing{Asked: true, Outcome: string(r.Outcome), ExternalID: r.ExternalID, Amount: r.Amount, Code: r.Code, Text: r.Text}
	refused, ok := errors.AsType[*payment.Error](err)
	if ok && (refused.Code == payment.CodeInvalidAmount || refused.Code == payment.CodeConflict) {
		h.Fault, err = refused.Text, nil
	}
	return h, err
}

// askRefund has a refund made, or asks what became of it.
func (s *Service) askRefund(ctx context.Context, item store.Item) outbox.Result {
	r, err := s.Core.RefundByID(ctx, item.Target)
	if err != nil {
		return soon(err)
	}
	if r.State != payment.RefundProcessing || r.Manual {
		return settled
	}
	r, err = s.advanceRefund(ctx, r)
	switch {
	case err == nil && (r.State != payment.RefundProcessing || r.Manual):
		return settled
	case payment.CodeOf(err) == payment.CodeConflict:
		return settled // it is on a person's list
	case err != nil && ctx.Err() != nil:
		return soon(err)
	}
	text := "the refund is under way"
	if err != nil {
		text = err.Error()
	}
	result, more := s.again(item, text)
	if more {
		return result
	}
	if _, err := s.Core.RefundUncertain(ctx, r.ID, "nobody could tell what became of it: "+text, true); err != nil {
		return soon(err)
	}
	return settled
}

// advanceRefund does the next thing for a refund.
func (s *Service) advanceRefund(ctx context.Context, r payment.Refund) (payment.Refund, error) {
	c, err := s.refundCall(ctx, r)
	if err != nil {
		return r, err
	}
	if c.refunder == nil {
		return s.Core.RefundByHand(ctx, r.ID, "this acquirer takes refunds in its portal only")
	}
	r, _, err = s.callForRefund(ctx, c, r)
	return r, err
}

// refundCall is what a call for a refund needs.
type refundCall struct {
	refunder card.Refunder // nil where only people make refunds
	dealing  card.Dealing
	ask      card.Refund
}

func (s *Service) refundCall(ctx context.Context, r payment.Refund) (refundCall, error) {
	a, err := s.Core.Attempt(ctx, r.AttemptID)
	if err != nil {
		return refundCall{}, err
	}
	k, d, err := s.dealingFor(ctx, a)
	if err != nil {
		return refundCall{}, err
	}
	before, err := s.Core.RefundedBefore(ctx, r)
	c := refundCall{dealing: d, ask: card.Refund{Refund: r, Attempt: a, ExternalID: r.ExternalID, Before: before, Actor: r.Actor}}
	c.refunder, _ = k.(card.Refunder)
	return c, err
}

// callForRefund makes one call for a refund and says what was reported, if
// anything was. A refund that may have been asked for before is only asked
// about, unless the acquirer takes the same one twice.
func (s *Service) callForRefund(ctx context.Context, c refundCall, r payment.Refund) (payment.Refund, card.Report, error) {
	r, again, err := s.Core.AskRefund(ctx, r.ID)
	if err != nil || r.State != payment.RefundProcessing {
		return r, card.Report{}, err
	}
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c.ask.Refund, c.ask.ExternalID = r, r.ExternalID
	var report card.Report
	if again {
		report, err = c.refunder.QueryRefund(call, c.dealing, c.ask)
		if err == nil && report.Outcome == card.Unknown && c.refunder.Repeatable() {
			report, err = c.refunder.Refund(call, c.dealing, c.ask)
		}
	} else {
		report, err = c.refunder.Refund(call, c.dealing, c.ask)
	}
	switch {
	case err == nil && report.Outcome == card.Unknown:
		r, err = s.Core.RefundUncertain(ctx, r.ID, report.Code+" "+report.Text, false)
		return r, report, err
	case err == nil:
		r, err = s.resolveRefund(ctx, r.ID, report)
		return r, report, err
	case errors.Is(err, card.ErrUncertain) || again:
		r, err = s.Core.RefundUncertain(ctx, r.ID, err.Error(), false)
		return r, card.Report{}, err
	}
	if r, undone := s.Core.RefundNotAsked(ctx, r.ID, err.Error()); undone != nil {
		return r, card.Report{}, undone
	}
	return r, card.Report{}, unlearned{err}
}

// resolveRefund hands an acquirer's word on a refund to core.
func (s *Service) resolveRefund(ctx context.Context, id string, r card.Report) (payment.Refund, error) {
	return s.Core.ResolveRefund(ctx, id, core.RefundWord{
		Outcome: refundState[r.Outcome], ExternalID: r.ExternalID, Code: r.Code, Text: r.Text, Failure: r.Reason,
	})
}

var refundState = map[card.Outcome]payment.RefundState{
	card.Done: payment.RefundApproved, card.Failed: payment.RefundDenied, card.Pending: payment.RefundProcessing, card.Unknown: payment.RefundProcessing,
}

// RecheckRefund asks about a refund again, at a person's wish, or has it made if
// that is what comes next.
func (s *Service) RecheckRefund(ctx context.Context, id string) (core.Hearing, error) {
	r, err := s.Core.RefundByID(ctx, id)
	if err != nil {
		return core.Hearing{}, err
	}
	if r.Manual || r.AttemptID == "" {
		return core.Hearing{}, payment.Fail(payment.CodeInvalidState, "no acquirer makes this refund; a person does")
	}
	c, err := s.refundCall(ctx, r)
	switch {
	case err != nil:
		return s.notAsked(ctx, r.ConnectorID, err), nil
	case c.refunder == nil:
		return core.Hearing{}, payment.Fail(payment.CodeInvalidState, "this acquirer cannot be asked about refunds")
	case r.State != payment.RefundProcessing:
		call, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		report, err := c.refunder.QueryRefund(call, c.dealing, c.ask)
		if err != nil {
			return core.Hearing{Asked: true, Fault: err.Error()}, nil
		}
		_, err = s.resolveRefund(ctx, id, report)
		return heard(report, err)
	}
	r, report, err := s.callForRefund(ctx, c, r)
	var nothing unlearned
	switch {
	case errors.As(err, &nothing):
		return core.Hearing{Asked: true, Fault: err.Error()}, nil
	case err == nil && report.Outcome == "":
		return core.Hearing{Asked: true, Fault: r.Text}, nil
	}
	return heard(report, err)
}
