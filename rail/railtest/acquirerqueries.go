package railtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

func (s *acquirerReport) queries() {
	late := AcquirerNow.Add(25 * time.Hour)
	for _, tc := range []struct {
		verdict Verdict
		now     time.Time
		want    []card.Outcome
	}{
		{Paid, AcquirerNow, []card.Outcome{card.Done}},
		{Paid, late, []card.Outcome{card.Done}},
		{Declined, AcquirerNow, []card.Outcome{card.Failed}},
		{Waiting, AcquirerNow, []card.Outcome{card.Pending}},
		{Waiting, late, []card.Outcome{card.Pending, card.Failed, card.Unknown}},
		{Odd, AcquirerNow, []card.Outcome{card.Unknown}},
	} {
		s.decided(Decision{Verdict: tc.verdict}, func(st *stage, a payment.Attempt) {
			r, err := s.c.Connector.Query(context.Background(), st.dealing(tc.now, a.ID), a)
			s.failed("Query", err)
			switch {
			case err != nil:
				s.failf("Query of an order that is %s: %v", tc.verdict, err)
			case !slices.Contains(tc.want, r.Outcome):
				s.failf("Query of an order that is %s says %s (%s %s)", tc.verdict, r.Outcome, r.Code, r.Text)
			default:
				s.sound("Query", r)
			}
			if m, ok := st.play.Notice(a.Reference); ok && tc.verdict == Paid {
				n, err := s.c.Connector.VerifyNotify(st.dealing(AcquirerNow, a.ID), m)
				if err != nil || !s.c.HintNotices && (n.ExternalID != r.ExternalID || n.Amount != r.Amount) {
					s.failf("the notice and the query differ: %+v and %+v, %v", n, r, err)
				}
			}
		})
	}
	s.decided(Decision{Verdict: Paid, Amount: suiteAmount + 5000}, func(st *stage, a payment.Attempt) {
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		a.Amount = suiteAmount + 5000
		s.told("Query of another amount", r, err, a, card.Done)
	})
	s.decided(Decision{Verdict: Paid, Merchant: "OTHER001"}, func(st *stage, a payment.Attempt) {
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		s.failed("Query", err)
		if err == nil && r.Outcome == card.Done && r.Merchant == "OTHER001" {
			s.failf("the word of a query about another merchant is taken: %+v", r)
		}
	})
	// An order that the acquirer never heard of: the payer may still arrive.
	s.stage(func(st *stage) {
		a := st.order().Attempt
		a.State = payment.AttemptSent
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		s.failed("Query", err)
		if err == nil && (r.Outcome == card.Done || r.Outcome == card.Failed && s.redirects()) {
			s.failf("Query of an order that the acquirer never heard of says %s", r.Outcome)
		}
		if err == nil {
			s.sound("Query", r)
		}
	})
}

// redirects says whether Create asks nobody: then an order exists only when the
// payer has arrived.
func (s *acquirerReport) redirects() bool {
	asked := true
	s.stage(func(st *stage) {
		o := st.order()
		_, err := s.c.Connector.Create(context.Background(), st.dealing(AcquirerNow, o.Attempt.ID), o)
		asked = err != nil || st.requests() > 0
	})
	return !asked
}

func (s *acquirerReport) queryTrouble() {
	s.decided(Decision{Verdict: Paid}, func(st *stage, a payment.Attempt) {
		try := func(why string) {
			r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
			s.failed("Query", err)
			if err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending {
				s.failf("Query after %s: %+v", why, r)
			}
		}
		for why, trouble := range troubles() {
			st.troubled(trouble)
			try(why)
		}
		st.troubled(nil)
		st.doer.Lose(true)
		try("an answer that was lost")
		st.doer.Lose(false)
		st.doer.Refuse(true)
		try("no connection")
		st.doer.Refuse(false)
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		s.told("Query", r, err, a, card.Done)
	})
}

// alteredAnswers changes each byte of a signed answer to a query.
func (s *acquirerReport) alteredAnswers() {
	for _, verdict := range []Verdict{Paid, Declined} {
		s.decided(Decision{Verdict: verdict}, func(st *stage, a payment.Attempt) {
			ask := func() (card.Report, error) {
				return s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
			}
			var good []byte
			st.spoiled(func(body []byte) []byte { good = bytes.Clone(body); return body })
			want, err := ask()
			st.spoiled(nil)
			if err != nil || len(good) == 0 {
				return
			}
			// Without a signature nothing can be told, but nothing may panic.
			try := func(how string, body []byte) {
				d := st.dealing(AcquirerNow, a.ID)
				d.HTTP = canned{http.StatusOK, body}
				s.check("Query, answered with "+how, func() {
					r, err := s.c.Connector.Query(context.Background(), d, a)
					s.failed("Query", err)
					if err == nil && !s.c.UnsignedAnswers && (r.Outcome == card.Done || r.Outcome == card.Failed) && !reflect.DeepEqual(r, want) {
						s.failf("Query believes an answer with %s: %+v, was %+v", how, r, want)
					}
				})
			}
			for i := range good {
				for _, bit := range []byte{1, 2, 32} {
					body := bytes.Clone(good)
					body[i] ^= bit
					try(fmt.Sprintf("byte %d changed in %.400q", i, body), body)
				}
				try(fmt.Sprintf("%d bytes only", i), good[:i])
			}
			changes := pairsAltered(string(good))
			if json.Valid(good) {
				changes = membersAltered(good)
			}
			for how, body := range changes {
				try(how, []byte(body))
			}
		})
	}
}
