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
	case payment.CodeOf(err) == payment.CodeBusy && ctx.Err() != nil:
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
		return core.Resolved{}, err
	}
	report.Reference = a.Reference
	return s.resolve(ctx, a.ConnectorID, report)
}

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
// wish.
func (s *Service) Recheck(ctx context.Context, attemptID string) (core.Resolved, error) {
	a, err := s.Core.Attempt(ctx, attemptID)
	if err != nil {
		return core.Resolved{}, err
	}
	return s.ask(ctx, a)
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
	case payment.CodeOf(err) == payment.CodeBusy && ctx.Err() != nil:
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

// advanceRefund makes one call for a refund. One that may have been asked for
// before is only asked about, unless the acquirer takes the same one twice.
func (s *Service) advanceRefund(ctx context.Context, r payment.Refund) (payment.Refund, error) {
	a, err := s.Core.Attempt(ctx, r.AttemptID)
	if err != nil {
		return r, err
	}
	k, d, err := s.dealingFor(ctx, a)
	if err != nil {
		return r, err
	}
	refunder, ok := k.(card.Refunder)
	if !ok {
		return s.Core.RefundByHand(ctx, r.ID, "this acquirer takes refunds in its portal only")
	}
	before, err := s.Core.RefundedBefore(ctx, r)
	if err != nil {
		return r, err
	}
	r, again, err := s.Core.AskRefund(ctx, r.ID)
	if err != nil || r.State != payment.RefundProcessing {
		return r, err
	}
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	ask := card.Refund{Refund: r, Attempt: a, ExternalID: r.ExternalID, Before: before, Actor: r.Actor}
	var report card.Report
	if again {
		report, err = refunder.QueryRefund(call, d, ask)
		if err == nil && report.Outcome == card.Unknown && refunder.Repeatable() {
			report, err = refunder.Refund(call, d, ask)
		}
	} else {
		report, err = refunder.Refund(call, d, ask)
	}
	switch {
	case err == nil && report.Outcome == card.Unknown:
		return s.Core.RefundUncertain(ctx, r.ID, report.Code+" "+report.Text, false)
	case err == nil:
		return s.resolveRefund(ctx, r.ID, report)
	case errors.Is(err, card.ErrUncertain) || again:
		return s.Core.RefundUncertain(ctx, r.ID, err.Error(), false)
	}
	if r, undone := s.Core.RefundNotAsked(ctx, r.ID, err.Error()); undone != nil {
		return r, undone
	}
	return r, err
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

// RecheckRefund asks about a refund again, at a person's wish.
func (s *Service) RecheckRefund(ctx context.Context, id string) (payment.Refund, error) {
	r, err := s.Core.RefundByID(ctx, id)
	if err != nil {
		return r, err
	}
	if r.Manual || r.AttemptID == "" {
		return r, payment.Fail(payment.CodeInvalidState, "no acquirer makes this refund; a person does")
	}
	if r.State == payment.RefundProcessing {
		return s.advanceRefund(ctx, r)
	}
	a, err := s.Core.Attempt(ctx, r.AttemptID)
	if err != nil {
		return r, err
	}
	k, d, err := s.dealingFor(ctx, a)
	if err != nil {
		return r, err
	}
	refunder, ok := k.(card.Refunder)
	if !ok {
		return r, payment.Fail(payment.CodeInvalidState, "this acquirer cannot be asked about refunds")
	}
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	report, err := refunder.QueryRefund(call, d, card.Refund{Refund: r, Attempt: a, ExternalID: r.ExternalID, Actor: r.Actor})
	if err != nil {
		return r, err
	}
	return s.resolveRefund(ctx, id, report)
}
