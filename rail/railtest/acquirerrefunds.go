package railtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

func (s *acquirerReport) refund(a payment.Attempt, amount, before money.VND) card.Refund {
	s.serial++
	return card.Refund{
		Refund: payment.Refund{
			ID: fmt.Sprintf("019cb9b0-2f5b-7000-8000-%012x", s.serial*0x1000193), PaymentID: a.PaymentID, Reference: fmt.Sprintf("RF-%d", s.serial),
			Amount: amount, State: payment.RefundProcessing, CreatedAt: AcquirerNow,
		},
		Attempt: a, Before: before, Actor: "operator:Nguyễn An",
	}
}

// paid runs fn for an attempt that was paid, as it stands afterwards.
func (s *acquirerReport) paid(fn func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt)) {
	k, ok := s.c.Connector.(card.Refunder)
	if !ok {
		return
	}
	s.decided(Decision{Verdict: Paid}, func(st *stage, a payment.Attempt) {
		play, ok := st.play.(RefundImitation)
		if !ok {
			s.failf("the connector makes refunds, the imitation does not")
			return
		}
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		if err != nil {
			s.failf("Query: %v", err)
			return
		}
		a.ExternalID, a.State = r.ExternalID, payment.AttemptDone
		fn(st, k, play, a)
	})
}

// given checks an acquirer's word of a refund.
func (s *acquirerReport) given(where string, r card.Report, err error, refund card.Refund, want ...card.Outcome) card.Refund {
	s.failed(where, err)
	if err != nil {
		s.failf("%s: %v", where, err)
		return refund
	}
	s.sound(where, r)
	switch {
	case !slices.Contains(want, r.Outcome):
		s.failf("%s says %s, want %v (%s %s)", where, r.Outcome, want, r.Code, r.Text)
	case r.Reference != refund.Refund.ID:
		s.failf("%s tells of %q, want the refund's id", where, r.Reference)
	case r.Amount != 0 && r.Amount != refund.Refund.Amount:
		s.failf("%s says %d đồng, want %d", where, r.Amount, refund.Refund.Amount)
	}
	if r.ExternalID != "" {
		refund.ExternalID = r.ExternalID
	}
	return refund
}

func (s *acquirerReport) refunds() {
	ctx := context.Background()
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		// In two parts.
		play.NextRefunds(Paid)
		first := s.refund(a, 806_000, 0)
		r, err := k.Refund(ctx, d, first)
		first = s.given("Refund of a part", r, err, first, card.Done, card.Pending)
		if got := play.Refunded(); got != 806_000 {
			s.failf("after a refund of 806000 the acquirer has given back %d", got)
		}
		if r, err = k.QueryRefund(ctx, d, first); r.Outcome != card.Done {
			s.failf("QueryRefund of what was given back: %+v, %v", r, err)
		}
		s.given("QueryRefund", r, err, first, card.Done)
		second := s.refund(a, 1_000_000, 806_000)
		r, err = k.Refund(ctx, d, second)
		s.given("Refund of the rest", r, err, second, card.Done, card.Pending)
		if got := play.Refunded(); got != suiteAmount {
			s.failf("after refunds of the whole the acquirer has given back %d", got)
		}
	})
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		play.NextRefunds(Paid)
		whole := s.refund(a, suiteAmount, 0)
		r, err := k.Refund(ctx, d, whole)
		s.given("Refund of the whole", r, err, whole, card.Done, card.Pending)
		if k.Repeatable() {
			r, err = k.Refund(ctx, d, whole)
			s.given("Refund, repeated", r, err, whole, card.Done, card.Pending)
			if got := play.Refunded(); got != suiteAmount {
				s.failf("a refund that was repeated gave back %d", got)
			}
		}
	})
	for settled, want := range map[Verdict]card.Outcome{Paid: card.Done, Declined: card.Failed} {
		s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
			d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
			play.NextRefunds(Waiting)
			refund := s.refund(a, suiteAmount, 0)
			r, err := k.Refund(ctx, d, refund)
			refund = s.given("Refund that waits", r, err, refund, card.Pending)
			r, err = k.QueryRefund(ctx, d, refund)
			refund = s.given("QueryRefund of one that waits", r, err, refund, card.Pending)
			play.SettleRefunds(settled)
			r, err = k.QueryRefund(ctx, d, refund)
			s.given("QueryRefund of one that waited", r, err, refund, want)
		})
	}
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		play.NextRefunds(Declined)
		refund := s.refund(a, suiteAmount, 0)
		r, err := k.Refund(ctx, d, refund)
		s.given("Refund that is declined", r, err, refund, card.Failed)
		play.NextRefunds(Odd)
		refund = s.refund(a, suiteAmount, 0)
		r, err = k.Refund(ctx, d, refund)
		s.failed("Refund", err)
		if err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending || err != nil && !errors.Is(err, card.ErrUncertain) {
			s.failf("Refund with an odd answer: %+v, %v", r, err)
		}
	})
}

func (s *acquirerReport) refundTrouble() {
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		ctx := context.Background()
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		// What may have been made is never called failed, by outcome or by error.
		uncertain := func(why string) {
			r, err := k.Refund(ctx, d, s.refund(a, suiteAmount, 0))
			s.failed("Refund", err)
			away := slices.Contains(turnedAway, why)
			if err != nil && !errors.Is(err, card.ErrUncertain) && !away || err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending && (r.Outcome != card.Failed || !away) {
				s.failf("Refund after %s: %+v, %v", why, r, err)
			}
			r, err = k.QueryRefund(ctx, d, s.refund(a, suiteAmount, 0))
			s.failed("QueryRefund", err)
			if err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending {
				s.failf("QueryRefund after %s: %+v", why, r)
			}
		}
		for why, trouble := range troubles() {
			st.troubled(trouble)
			uncertain(why)
		}
		st.troubled(nil)
		st.doer.Refuse(true)
		r, err := k.Refund(ctx, d, s.refund(a, suiteAmount, 0))
		s.failed("Refund", err)
		if err == nil && r.Outcome != card.Failed || errors.Is(err, card.ErrUncertain) {
			s.failf("Refund without a connection: %+v, %v", r, err)
		}
		st.doer.Refuse(false)
		play.NextRefunds(Paid)
		st.doer.Lose(true)
		r, err = k.Refund(ctx, d, s.refund(a, suiteAmount, 0))
		s.failed("Refund", err)
		if err != nil && !errors.Is(err, card.ErrUncertain) || err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending {
			s.failf("Refund whose answer was lost: %+v, %v", r, err)
		}
		st.doer.Lose(false)
	})
}
