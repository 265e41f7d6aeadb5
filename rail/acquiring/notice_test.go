package acquiring_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

// A notice settles a payment once, however often it comes, and is answered in
// the acquirer's words.
func TestNotice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(90_000)
		a := w.send(p)
		paid := railtest.SayPaid(a)
		w.wantAck(w.notify(paid, "bad"), "unauthorized")
		w.wantAck(w.notify(paid, ""), "unauthorized")
		w.wantAck(w.call("POST", acquiring.Prefix+w.byFirst.ID+"/notify", "what?"), "invalid_request")
		w.wantAck(w.call("GET", acquiring.Prefix+w.byFirst.ID+"/notify", ""), "invalid_request")
		if now := w.Reload(p); now.State != payment.Processing {
			t.Fatalf("without a signature it is %s", now.State)
		}
		w.wantAck(w.notify(paid, railtest.GoodSignature), "taken")
		now := w.Reload(p)
		if now.State != payment.Approved || now.Received != 90_000 || now.Method != payment.DomesticCard {
			t.Fatalf("%+v", now)
		}
		if got := must[payment.Attempt](t)(w.Core.Attempt(t.Context(), a.ID)); got.ExternalID != "tx-"+a.ID || got.Code != "00" || got.Text != "paid" {
			t.Errorf("the attempt is %+v", got)
		}
		w.wantAck(w.notify(paid, railtest.GoodSignature), "told")
		if again := w.Reload(p); again.Version != now.Version {
			t.Errorf("told again: %+v", again)
		}
		w.wantCalls("told", "create")
		if b := w.Balances(); b["acquirer:"+w.byFirst.ID] != 90_000 {
			t.Errorf("balances %v", b)
		}
		if _, ok := w.later(); !ok {
			t.Fatal("the outbox never looks")
		}
		w.wantCalls("it is known")
	})
}

// What does not fit our own row settles nothing, is told to the acquirer, and
// waits for a person where a person can do something.
func TestNoticesThatDiffer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		a := w.send(p)
		differ := func(change func(r *card.Report)) card.Report {
			r := railtest.SayPaid(a)
			change(&r)
			return r
		}
		for name, c := range map[string]struct {
			change func(r *card.Report)
			ack    string
			review bool
		}{
			"reference":       {func(r *card.Report) { r.Reference = "ref-of-nobody" }, "payment_not_found", false},
			"no reference":    {func(r *card.Report) { r.Reference = "" }, "payment_not_found", false},
			"NUL":             {func(r *card.Report) { r.Reference += "\x00" }, "payment_not_found", false},
			"less":            {func(r *card.Report) { r.Amount = 999 }, "invalid_amount", true},
			"more":            {func(r *card.Report) { r.Amount = 1001 }, "invalid_amount", true},
			"currency":        {func(r *card.Report) { r.Currency = "USD" }, "invalid_amount", true},
			"no such refund":  {func(r *card.Report) { r.OfRefund = true }, "payment_not_found", false},
			"refund with NUL": {func(r *card.Report) { r.OfRefund, r.Reference = true, "\x00" }, "payment_not_found", false},
		} {
			rec := w.notify(differ(c.change), railtest.GoodSignature)
			if rec.Body.String() != "ack "+c.ack {
				t.Errorf("%s: %q, want %s", name, rec.Body, c.ack)
			}
		}
		if now := w.Reload(p); now.State != payment.Processing || now.Received != 0 {
			t.Errorf("%+v", now)
		}
		if list := must[[]payment.Attempt](t)(w.Core.AttemptsForReview(t.Context(), "", "", 0)); len(list) != 1 || list[0].ID != a.ID {
			t.Errorf("a person's list has %+v", list)
		}
		// Another connector's notice, though it is rightly signed.
		w.wantAck(w.notifyOf(w.bySec, railtest.SayPaid(a), railtest.GoodSignature), "payment_not_found")
		for _, path := range []string{"nobody", "%00", "%ff", "0199a3c0-7d1e-7c3a-9b1f-3f6f0a9d2c11"} {
			if rec := w.call("POST", acquiring.Prefix+path+"/notify", string(railtest.ScriptedNotice(railtest.SayPaid(a), "good"))); rec.Code != 404 {
				t.Errorf("notice for connector %s: %d %s", path, rec.Code, rec.Body)
			}
		}
		if rec := w.call("POST", acquiring.Prefix+w.byFirst.ID+"/notify", strings.Repeat("x", 64<<10+1)); rec.Code != 400 {
			t.Errorf("a long one: %d", rec.Code)
		}

		// Words that contradict each other.
		w.wantAck(w.notify(railtest.SayPaid(a), railtest.GoodSignature), "taken")
		w.wantAck(w.notify(railtest.SayDeclined(a), railtest.GoodSignature), "conflict")
		w.wantAck(w.notify(differ(func(r *card.Report) { r.ExternalID = "another" }), railtest.GoodSignature), "conflict")
		if now := w.Reload(p); now.State != payment.Approved || now.Received != 1000 {
			t.Errorf("%+v", now)
		}
	})
}

// A notice that comes late, or after a decline, is money all the same.
func TestLateNotices(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		declined := w.open(1000)
		a := w.send(declined)
		w.wantAck(w.notify(railtest.SayDeclined(a), railtest.GoodSignature), "taken")
		if now := w.Reload(declined); now.State != payment.Open {
			t.Fatalf("declined: %s", now.State)
		}
		w.wantAck(w.notify(railtest.SayDeclined(a), railtest.GoodSignature), "told")
		w.wantAck(w.notify(railtest.SayPaid(a), railtest.GoodSignature), "taken")
		if now := w.Reload(declined); now.State != payment.Approved {
			t.Errorf("paid after all: %s", now.State)
		}

		left := w.open(2000)
		a = w.send(left)
		if err := w.s.Leave(t.Context(), left.ID); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Hour)
		w.ExpireDue()
		w.wantAck(w.notify(railtest.SayPaid(a), railtest.GoodSignature), "taken")
		if now := w.Reload(left); now.State != payment.Expired {
			t.Errorf("late: %s", now.State)
		}
		credits := must[[]payment.Credit](t)(w.Core.Credits(t.Context(), core.CreditSearch{PaymentID: left.ID}))
		if len(credits) != 1 || credits[0].Outcome != payment.OutcomeLate || credits[0].Unapplied != 2000 {
			t.Errorf("credits %+v", credits)
		}
		if b := w.Balances(); b["acquirer:"+w.byFirst.ID] != 3000 || b["merchant:"+left.MerchantID+":unapplied"] != -2000 {
			t.Errorf("balances %v", b)
		}
	})
}

// A notice that says nothing final is a reason to ask.
func TestPendingNotice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, outcome := range []card.Outcome{card.Pending, card.Unknown} {
			p := w.open(1000)
			a := w.send(p)
			w.first.Calls()
			w.says(func(a payment.Attempt) (card.Report, error) { return railtest.SayPaid(a), nil })
			rec := w.notify(card.Report{Outcome: outcome, Reference: a.Reference, Code: "24"}, railtest.GoodSignature)
			if rec.Code != 202 || !strings.HasPrefix(rec.Body.String(), "ack t") {
				t.Errorf("%s: %d %s", outcome, rec.Code, rec.Body)
			}
			w.wantCalls(string(outcome), "query")
			if now := w.Reload(p); now.State != payment.Approved {
				t.Errorf("%s: the payment is %s", outcome, now.State)
			}
			w.notify(card.Report{Outcome: outcome, Reference: a.Reference, Code: "24"}, railtest.GoodSignature)
			w.wantCalls("it is known")
		}
	})
}

// Guesses at the signature are slowed down, for one address and one connector.
func TestWrongSignatures(t *testing.T) {
	w := newSQLiteWorld(t)
	a := w.send(w.open(1000))
	tries := 0
	for w.notify(railtest.SayPaid(a), "guess").Code != 429 {
		if tries++; tries > 1000 {
			t.Fatal("guessing is not slowed down")
		}
	}
	rec := w.notify(railtest.SayPaid(a), railtest.GoodSignature)
	if rec.Code != 429 || rec.Header().Get("Retry-After") == "" || tries < 50 {
		t.Errorf("after %d guesses: %d %v", tries, rec.Code, rec.Header())
	}
	w.wantAck(w.notifyOf(w.bySec, railtest.SayPaid(a), railtest.GoodSignature), "payment_not_found")
	w.Advance(2 * time.Second)
	w.wantAck(w.notify(railtest.SayPaid(a), railtest.GoodSignature), "taken")
	if strings.Contains(w.logged.String(), "s3cret") {
		t.Error("a secret in the log")
	}
}

// Two notices and a query race for one payment, again and again: it is settled
// exactly once, and the ledger has it once.
func TestNoticesAndQueryRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.says(func(a payment.Attempt) (card.Report, error) { return railtest.SayPaid(a), nil })
		rounds := 10
		if testing.Short() {
			rounds = 3
		}
		for range rounds {
			p := w.open(1000)
			a := w.send(p)
			back := acquiring.Prefix + a.ConnectorID + "/return/" + a.ID + "/" + w.Core.AttemptKey(a.ID)
			var wg sync.WaitGroup
			acks := make([]string, 8)
			for i := range acks {
				wg.Go(func() { acks[i] = w.notify(railtest.SayPaid(a), railtest.GoodSignature).Body.String() })
				wg.Go(func() {
					if i%2 == 0 {
						w.call("GET", back, "")
					} else if _, err := w.s.Recheck(context.Background(), a.ID); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			taken := 0
			for _, ack := range acks {
				switch ack {
				case "ack taken":
					taken++
				case "ack told":
				default:
					t.Errorf("a notice is answered %q", ack)
				}
			}
			now := w.Reload(p)
			credits := must[[]payment.Credit](t)(w.Core.Credits(t.Context(), core.CreditSearch{PaymentID: p.ID}))
			journal, err := w.Core.Journal(t.Context(), p.ID)
			if taken > 1 || now.State != payment.Approved || now.Received != 1000 || len(credits) != 1 || len(journal) != 1 || err != nil {
				t.Errorf("taken %d times: %+v, %d credits, %d entries, %v", taken, now, len(credits), len(journal), err)
			}
		}
		if b := w.Balances(); fmt.Sprint(b["acquirer:"+w.byFirst.ID]) != fmt.Sprint(1000*rounds) {
			t.Errorf("balances %v", b)
		}
	})
}

// An attempt of which nobody tells is asked about at once and often, then ever
// more seldom, for four days, and ends on a person's list.
func TestSchedule(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		a := w.send(p)
		w.first.Calls()
		started := w.Clock.Now()
		var looks []time.Duration
		for {
			if _, ok := w.later(); !ok {
				break
			}
			looks = append(looks, w.Clock.Now().Sub(started))
			if len(looks) > 100 {
				t.Fatal("it never ends")
			}
		}
		within := func(d time.Duration) (n int) {
			for _, l := range looks {
				if l <= d {
					n++
				}
			}
			return n
		}
		if looks[0] != core.DefaultFirstLook || within(10*time.Minute) < 5 || within(time.Hour) < 8 || looks[len(looks)-1] < 4*24*time.Hour || looks[len(looks)-1] > 5*24*time.Hour {
			t.Errorf("looks at %v", looks)
		}
		if calls := w.first.Calls(); len(calls) != len(looks) {
			t.Errorf("%d calls in %d looks", len(calls), len(looks))
		}
		list := must[[]payment.Attempt](t)(w.Core.AttemptsForReview(t.Context(), p.MerchantID, "", 0))
		if len(list) != 1 || list[0].ID != a.ID || list[0].State != payment.AttemptUnknown || !strings.Contains(list[0].Text, "the acquirer says that it is sent") {
			t.Errorf("a person's list has %+v", list)
		}
		if now := w.Reload(p); now.State != payment.Processing {
			t.Errorf("the payment is %s", now.State)
		}
		// The acquirer knows after all.
		w.wantAck(w.notify(railtest.SayPaid(a), railtest.GoodSignature), "taken")
		if list := must[[]payment.Attempt](t)(w.Core.AttemptsForReview(t.Context(), p.MerchantID, "", 0)); len(list) != 0 || w.Reload(p).State != payment.Approved {
			t.Errorf("afterwards a person's list has %+v", list)
		}
	})
}

// A connector's own errors are no answers: whatever their code, it is asked
// again, and in the end a person is.
func TestQueryErrors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, code := range []payment.Code{payment.CodeConflict, payment.CodeInvalidAmount, payment.CodeBusy, payment.CodeUnauthorized} {
			a := w.send(w.open(1000))
			w.says(func(payment.Attempt) (card.Report, error) {
				return card.Report{}, payment.Fail(code, "words of the connector")
			})
			for range 3 {
				w.first.Calls()
				if _, ok := w.later(); !ok {
					t.Fatalf("%s: nobody asks any more", code)
				}
				w.wantCalls(string(code), "query")
			}
			for {
				if _, ok := w.later(); !ok {
					break
				}
			}
			if got := must[payment.Attempt](t)(w.Core.Attempt(t.Context(), a.ID)); !got.Review || !strings.Contains(got.Text, "words of the connector") {
				t.Errorf("%s: %+v", code, got)
			}
		}
	})
}

// An answer of another amount ends the asking: a person has to look.
func TestQueryThatDiffers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		a := w.send(p)
		w.says(func(a payment.Attempt) (card.Report, error) {
			r := railtest.SayPaid(a)
			r.Amount = 10
			return r, nil
		})
		if _, ok := w.later(); !ok {
			t.Fatal("nobody asks")
		}
		if _, ok := w.later(); ok {
			t.Error("it is asked again")
		}
		if got := must[payment.Attempt](t)(w.Core.Attempt(t.Context(), a.ID)); !got.Review || w.Reload(p).Received != 0 {
			t.Errorf("%+v", got)
		}
	})
}
