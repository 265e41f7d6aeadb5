package acquiring_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

// wantMoney wants these sums refunded and being refunded of a payment, and the
// ledger to say the same.
func (w *world) wantMoney(p payment.Payment, refunded, refunding money.VND) {
	w.t.Helper()
	now, b := w.Reload(p), w.Balances()
	if now.Refunded != refunded || now.Refunding != refunding || b["merchant:"+p.MerchantID+":refunding"] != -refunding || b["acquirer:"+w.byFirst.ID] != now.Received-refunded {
		w.t.Errorf("want %d refunded, %d under way: %+v, %v", refunded, refunding, now, b)
	}
}

// A refund goes to the acquirer, which makes it at once; core.Refund waits for
// that.
func TestRefundAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(90_000)
		var asked []card.Refund
		w.first.OnRefund(func(_ context.Context, r card.Refund) (card.Report, error) {
			asked = append(asked, r)
			return railtest.SayRefunded(r.Refund), nil
		})
		first := w.refund(p, "RF-1", 30_000)
		w.wantMoney(p, 0, 30_000)
		w.work()
		second := w.refund(p, "RF-2", 60_000)
		w.work()
		w.wantMoney(p, 90_000, 0)
		if got := w.reloadRefund(first); got.State != payment.RefundApproved || got.ExternalID != "rf-"+first.ID || got.CompletedAt.IsZero() || got.Told {
			t.Errorf("%+v", got)
		}
		if len(asked) != 2 || asked[0].Before != 0 || asked[1].Before != 30_000 || asked[1].Refund.ID != second.ID || asked[1].Attempt.Reference != w.tried(p)[0].Reference || asked[0].Actor != "merchant" {
			t.Errorf("asked for %+v", asked)
		}
	})
}

// One that is under way is asked about until it ends.
func TestRefundPending(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(90_000)
		w.refunds(func(r payment.Refund) (card.Report, error) {
			return card.Report{Outcome: card.Pending, OfRefund: true, ExternalID: "theirs", Code: "05"}, nil
		})
		r := w.refund(p, "RF-1", 30_000)
		w.first.Calls()
		w.work()
		if got := w.reloadRefund(r); got.State != payment.RefundProcessing || got.ExternalID != "theirs" || !got.Told {
			t.Errorf("under way: %+v", got)
		}
		w.first.OnQueryRefund(func(_ context.Context, r card.Refund) (card.Report, error) {
			if r.ExternalID != "theirs" {
				t.Errorf("asked about %+v", r)
			}
			return card.Report{Outcome: card.Pending}, nil
		})
		w.later()
		w.wantMoney(p, 0, 30_000)
		w.refunded(func(r payment.Refund) (card.Report, error) { return railtest.SayRefunded(r), nil })
		w.later()
		w.wantCalls("until it ends", "refund", "query refund", "query refund")
		w.wantMoney(p, 30_000, 0)
		if _, ok := w.later(); ok {
			t.Error("it is asked about again")
		}
	})
}

// A denied refund's money is the merchant's again, and why it was denied is
// kept.
func TestRefundDenied(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		for i, reason := range []payment.Code{payment.CodeInsufficient, ""} {
			w.refunds(func(r payment.Refund) (card.Report, error) { return railtest.SayRefused(r, reason), nil })
			r := w.refund(p, fmt.Sprint("RF-", i), 1000)
			w.work()
			if got := w.reloadRefund(r); got.State != payment.RefundDenied || got.Failure != reason || got.Code != "13" {
				t.Errorf("%+v", got)
			}
			w.wantMoney(p, 0, 0)
		}
	})
}

// When it is uncertain whether the acquirer has a refund, it is asked about it
// and never for it again, unless it takes the same one twice for one.
func TestRefundUncertain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name      string
			twice     bool
			first     func() (card.Report, error)
			wantCalls []string
		}{
			{"no answer", false, func() (card.Report, error) { return card.Report{}, fmt.Errorf("%w: timeout", card.ErrUncertain) }, []string{"refund", "query refund", "query refund"}},
			{"an answer unheard of", false, func() (card.Report, error) { return card.Report{Outcome: card.Unknown, Code: "99"}, nil }, []string{"refund", "query refund", "query refund"}},
			{"no answer, repeatable", true, func() (card.Report, error) { return card.Report{}, fmt.Errorf("%w: timeout", card.ErrUncertain) }, []string{"refund", "query refund", "refund", "query refund", "refund"}},
		} {
			p := w.pay(1000)
			w.first.Twice = c.twice
			w.first.OnQueryRefund(nil) // it has never heard of it
			w.refunds(func(payment.Refund) (card.Report, error) { return c.first() })
			r := w.refund(p, "RF-1", 1000)
			w.first.Calls()
			w.work()
			w.later()
			w.later()
			w.wantCalls(c.name, c.wantCalls...)
			if got := w.reloadRefund(r); got.State != payment.RefundProcessing || !got.Told || got.Manual {
				t.Errorf("%s: %+v", c.name, got)
			}
			for {
				if _, ok := w.later(); !ok {
					break
				}
			}
			if got := w.reloadRefund(r); got.State != payment.RefundProcessing || !got.Review {
				t.Errorf("%s: at the end %+v", c.name, got)
			}
			for _, call := range w.first.Calls() {
				if call == "refund" && !c.twice {
					t.Errorf("%s: asked for a second time", c.name)
				}
			}
			must[payment.Refund](t)(w.Core.JudgeRefund(t.Context(), coretest.Operator, r.ID, true, "the statement has it"))
			if now := w.Reload(p); now.Refunded != 1000 {
				t.Errorf("%s: %+v", c.name, now)
			}
		}
		w.Balances()
	})
}

// Every other error means that the acquirer has not got it: it is asked for
// again.
func TestRefundNotMade(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		w.refunds(func(payment.Refund) (card.Report, error) { return card.Report{}, errors.New("not reached") })
		r := w.refund(p, "RF-1", 1000)
		w.first.Calls()
		w.work()
		if got := w.reloadRefund(r); got.Asked || got.Text != "not reached" || !got.Told {
			t.Errorf("%+v", got)
		}
		w.later()
		w.first.OnRefund(nil)
		w.later()
		w.wantCalls("until it is made", "refund", "refund", "refund")
		w.wantMoney(p, 1000, 0)
	})
}

// A process that dies between writing down that it is about to ask and the
// answer leaves a question, not a second refund.
func TestCrashWhileRefunding(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		r := w.refund(p, "RF-1", 1000)
		w.first.Calls()
		if _, again, err := w.Core.AskRefund(t.Context(), r.ID); again || err != nil {
			t.Fatal(again, err)
		}
		w.work()
		w.wantCalls("after the crash", "query refund")
		w.refunded(func(r payment.Refund) (card.Report, error) { return railtest.SayRefunded(r), nil })
		w.later()
		w.wantCalls("then", "query refund")
		w.wantMoney(p, 1000, 0)
	})
}

// A panic of a connector is as uncertain as a crash.
func TestPanicWhileRefunding(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		w.refunds(func(payment.Refund) (card.Report, error) { panic("the connector's fault") })
		r := w.refund(p, "RF-1", 1000)
		func() {
			defer func() { _ = recover() }() // as the outbox does
			w.work()
		}()
		w.first.Calls()
		w.Advance(time.Hour)
		w.later()
		w.wantCalls("after the panic", "query refund")
		if got := w.reloadRefund(r); got.State != payment.RefundProcessing || !got.Asked {
			t.Errorf("%+v", got)
		}
	})
}

// An acquirer that takes no refunds by program leaves them to a person.
func TestRefundByHand(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.first.OnCreate(func(context.Context, card.Order) (card.Created, error) { return card.Created{}, errors.New("not now") })
		p := w.open(1000)
		a := w.send(p)
		w.wantAck(w.notifyOf(w.bySec, railtest.SayPaid(a), railtest.GoodSignature), "taken")
		r := w.refund(p, "RF-1", 400)
		w.work()
		got := w.reloadRefund(r)
		if !got.Manual || got.State != payment.RefundProcessing || !got.Told || !strings.Contains(got.Text, "portal") {
			t.Fatalf("%+v", got)
		}
		if list := must[[]payment.Refund](t)(w.Core.RefundsForPerson(t.Context(), p.MerchantID, "", 0)); len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("a person's list has %+v", list)
		}
		w.later() // at the attempt, which is known
		if _, ok := w.later(); ok {
			t.Error("the outbox goes on")
		}
		_, err := w.s.RecheckRefund(t.Context(), r.ID)
		wantCode(t, "recheck", err, payment.CodeInvalidState)
		must[payment.Refund](t)(w.Core.JudgeRefund(t.Context(), coretest.Operator, r.ID, true, "made in the portal"))
		if b := w.Balances(); b["acquirer:"+w.bySec.ID] != 600 {
			t.Errorf("balances %v", b)
		}
		// Before anybody has found that out, too.
		r = w.refund(p, "RF-2", 100)
		_, err = w.s.RecheckRefund(t.Context(), r.ID)
		wantCode(t, "recheck of a new one", err, payment.CodeInvalidState)
	})
}

// A notice of a refund closes it; one that does not fit does not.
func TestRefundNotice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		w.refunds(func(r payment.Refund) (card.Report, error) { return card.Report{Outcome: card.Pending}, nil })
		r := w.refund(p, "RF-1", 600)
		w.work()
		said := railtest.SayRefunded(r)
		w.wantAck(w.notify(said, "bad"), "unauthorized")
		w.wantAck(w.notifyOf(w.bySec, said, railtest.GoodSignature), "payment_not_found")
		other := said
		other.Amount = 599
		w.wantAck(w.notify(other, railtest.GoodSignature), "invalid_amount")
		w.wantAck(w.notify(card.Report{OfRefund: true, Reference: r.ID, Outcome: card.Pending}, railtest.GoodSignature), "taken")
		w.wantMoney(p, 0, 600)
		w.wantAck(w.notify(said, railtest.GoodSignature), "taken")
		w.wantMoney(p, 600, 0)
		w.wantAck(w.notify(said, railtest.GoodSignature), "told")
		w.wantAck(w.notify(railtest.SayRefused(r, ""), railtest.GoodSignature), "conflict")
		w.wantMoney(p, 600, 0)
		if got := w.reloadRefund(r); !got.Review || got.State != payment.RefundApproved {
			t.Errorf("after the contradiction: %+v", got)
		}
		w.first.Calls()
		w.later()
		w.wantCalls("it is known")
	})
}

// While the database is away a notice is answered so that it comes again, also
// one of a refund.
func TestNoticesWithoutDatabase(t *testing.T) {
	w := newClosedWorld(t)
	for _, r := range []card.Report{railtest.SayPaid(payment.Attempt{Reference: "x"}), railtest.SayRefunded(payment.Refund{ID: "x"})} {
		if rec := w.notify(r, railtest.GoodSignature); rec.Code != 503 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

// cutting is an acquirer whose notices are read just before the database goes.
type cutting struct {
	*railtest.ScriptedRefunder
	cut func()
}

func (c cutting) VerifyNotify(d card.Dealing, m card.Message) (card.Report, error) {
	c.cut()
	return c.ScriptedRefunder.VerifyNotify(d, m)
}

// A refund that cannot be looked up is not told to the acquirer as one that
// does not exist: it would never tell again.
func TestRefundNoticeThatCannotBeLookedUp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		r := w.refund(p, "RF-1", 600)
		ctx, cut := context.WithCancel(t.Context())
		s := acquiring.New(acquiring.Config{
			Core: w.Core, Clock: w.Clock, Log: slog.New(slog.DiscardHandler), PublicURL: coretest.PublicURL, Connectors: []card.Connector{cutting{w.first, cut}},
		})
		rec := httptest.NewRecorder()
		body := strings.NewReader(string(railtest.ScriptedNotice(railtest.SayRefunded(r), railtest.GoodSignature)))
		s.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "POST", acquiring.Prefix+w.byFirst.ID+"/notify", body))
		if got := rec.Body.String(); got == "ack payment_not_found" || got == "ack taken" {
			t.Errorf("answered %q", got)
		}
		w.wantAck(w.notify(railtest.SayRefunded(r), railtest.GoodSignature), "taken")
	})
}

// A refund that ended is asked about at a person's wish; a contradiction moves
// nothing.
func TestRecheckRefund(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.pay(1000)
		r := w.refund(p, "RF-1", 600)
		w.work()
		w.refunded(func(r payment.Refund) (card.Report, error) { return railtest.SayRefused(r, ""), nil })
		h := must[core.Hearing](t)(w.s.RecheckRefund(t.Context(), r.ID))
		if !h.Asked || h.Outcome != "failed" || !strings.Contains(h.Fault, "approved, then denied") || strings.Contains(h.Fault, "conflict") {
			t.Errorf("%+v", h)
		}
		w.wantMoney(p, 600, 0)
		_, err := w.s.RecheckRefund(t.Context(), "nothing")
		wantCode(t, "no such refund", err, payment.CodeRefundNotFound)
		_, err = w.s.Recheck(t.Context(), "nothing")
		wantCode(t, "no such attempt", err, payment.CodeNotFound)
	})
}
