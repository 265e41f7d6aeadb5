package acquiring_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

// A payer is sent to the first connector; whoever comes again goes the same
// way, and a second order is made nowhere.
func TestStart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		var order card.Order
		w.first.OnCreate(func(_ context.Context, o card.Order) (card.Created, error) {
			order = o
			return card.Created{Handoff: payment.Handoff{URL: "https://a.example.test/1", Fields: map[string]string{"x": "y"}}, ExternalID: "ext-1"}, nil
		})
		h := must[payment.Handoff](t)(w.start(p))
		if h.URL != "https://a.example.test/1" || h.Fields["x"] != "y" {
			t.Errorf("sent to %+v", h)
		}
		tried := w.tried(p)
		if len(tried) != 1 || tried[0].State != payment.AttemptSent || tried[0].ExternalID != "ext-1" || tried[0].ConnectorID != w.byFirst.ID {
			t.Fatalf("attempts %+v", tried)
		}
		if order.Attempt.ID != tried[0].ID || order.PayerIP != "192.0.2.9" || order.Description != p.Description || order.Language != p.Language || order.Merchant != w.Memo.Merchant.Name || order.Attempt.Amount != 1000 {
			t.Errorf("order %+v", order)
		}
		if again := must[payment.Handoff](t)(w.start(p)); again.URL != h.URL {
			t.Errorf("the second time sent to %+v", again)
		}
		w.wantCalls("started twice", "create")
		if calls := w.second.Calls(); len(calls) > 0 {
			t.Errorf("the second acquirer was called: %v", calls)
		}
		if now := w.Reload(p); now.State != payment.Processing {
			t.Errorf("the payment is %s", now.State)
		}
	})
}

// When a connector cannot make the order, the next one is asked; when none can,
// the payer may try again.
func TestFailOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		refuses := func(context.Context, card.Order) (card.Created, error) {
			return card.Created{}, payment.Fail(payment.CodeConflict, "we take no orders now")
		}
		w.first.OnCreate(refuses)
		p := w.open(1000)
		if h := must[payment.Handoff](t)(w.start(p)); !strings.HasPrefix(h.URL, "https://acquirer.example.test/") {
			t.Errorf("sent to %+v", h)
		}
		tried := w.tried(p)
		if len(tried) != 2 || tried[0].State != payment.AttemptFailed || !strings.Contains(tried[0].Text, "no orders now") || tried[1].State != payment.AttemptSent || tried[1].ConnectorID != w.bySec.ID {
			t.Fatalf("attempts %+v", tried)
		}
		w.second.OnCreate(refuses)
		p = w.open(1000)
		_, err := w.start(p)
		wantCode(t, "nobody takes it", err, payment.CodeBusy)
		if now := w.Reload(p); now.State != payment.Open {
			t.Errorf("the payment is %s", now.State)
		}
		w.second.OnCreate(nil)
		must[payment.Handoff](t)(w.start(p))

		// A connector that cannot be used is left out.
		off := false
		must[payment.Connector](t)(w.Core.ChangeConnector(t.Context(), coretest.Operator, w.byFirst.ID, core.ConnectorChange{Enabled: &off}))
		w.connect("of a newer program", -5)
		w.first.Calls()
		must[payment.Handoff](t)(w.start(w.open(1000)))
		w.wantCalls("disabled")
		if !strings.Contains(w.logged.String(), "connector cannot be used") {
			t.Error("nothing in the log")
		}
		_, err = w.s.Start(t.Context(), w.open(1000).ID, payment.MoMo, "")
		wantCode(t, "no connector for the method", err, payment.CodeMethodNotSupported)
		_, err = w.s.Start(t.Context(), "nothing", payment.DomesticCard, "")
		wantCode(t, "no such payment", err, payment.CodePaymentNotFound)
	})
}

// While it is uncertain whether the acquirer has the order, nobody else is
// asked, until its answer shows that it has not.
func TestUncertainOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.first.OnCreate(func(context.Context, card.Order) (card.Created, error) {
			return card.Created{}, fmt.Errorf("%w: no answer", card.ErrUncertain)
		})
		p := w.open(1000)
		for range 2 {
			_, err := w.start(p)
			wantCode(t, "uncertain", err, payment.CodeInvalidState)
		}
		w.wantCalls("uncertain", "create")
		wantCode(t, "leaving", w.s.Leave(t.Context(), p.ID), payment.CodeInvalidState)
		if calls := w.second.Calls(); len(calls) > 0 {
			t.Errorf("the second acquirer was called: %v", calls)
		}
		if now := w.Reload(p); now.State != payment.Processing {
			t.Errorf("the payment is %s", now.State)
		}
		w.first.OnCreate(nil)
		w.says(func(a payment.Attempt) (card.Report, error) { return railtest.SayDeclined(a), nil })
		if _, ok := w.later(); !ok {
			t.Fatal("nobody asks")
		}
		if tried := w.tried(p); tried[0].State != payment.AttemptFailed || w.Reload(p).State != payment.Open {
			t.Errorf("after the answer: %+v", tried)
		}
		must[payment.Handoff](t)(w.start(p))
	})
}

// After the payer was sent away no other acquirer is asked, unless the payer
// leaves; the one that was left is asked about all the same.
func TestNoneAfterSending(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		left := w.send(p)
		w.first.OnCreate(func(context.Context, card.Order) (card.Created, error) { return card.Created{}, errors.New("not now") })
		must[payment.Handoff](t)(w.start(p))
		if calls := w.second.Calls(); len(calls) > 0 {
			t.Errorf("the second acquirer was called: %v", calls)
		}
		if err := w.s.Leave(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "leaving twice", w.s.Leave(t.Context(), p.ID), payment.CodeInvalidState)
		must[payment.Handoff](t)(w.start(p))
		if tried := w.tried(p); len(tried) != 3 || tried[2].ConnectorID != w.bySec.ID {
			t.Errorf("attempts %+v", tried)
		}
		w.says(func(a payment.Attempt) (card.Report, error) { return railtest.SayPaid(a), nil })
		if _, ok := w.later(); !ok {
			t.Fatal("nobody asks")
		}
		if a := must[payment.Attempt](t)(w.Core.Attempt(t.Context(), left.ID)); a.State != payment.AttemptDone {
			t.Errorf("the one that was left is %s", a.State)
		}
		if now := w.Reload(p); now.State != payment.Approved || now.Received != 1000 {
			t.Errorf("%+v", now)
		}
	})
}

// Two tabs at once make one order, and both go there.
func TestTabsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		ready := make(chan struct{})
		w.first.OnCreate(func(_ context.Context, o card.Order) (card.Created, error) {
			<-ready // the others are waiting by now, or come later
			return card.Created{Handoff: payment.Handoff{URL: "https://a.example.test/" + o.Attempt.ID}}, nil
		})
		var wg sync.WaitGroup
		urls := make([]string, 6)
		for i := range urls {
			wg.Go(func() {
				h, err := w.s.Start(context.Background(), p.ID, payment.DomesticCard, "")
				if err != nil {
					t.Error(err)
				}
				urls[i] = h.URL
			})
		}
		close(ready)
		wg.Wait()
		tried := w.tried(p)
		w.wantCalls("at once", "create")
		if len(tried) != 1 || tried[0].State != payment.AttemptSent {
			t.Fatalf("attempts %+v", tried)
		}
		for _, u := range urls {
			if u != "https://a.example.test/"+tried[0].ID {
				t.Errorf("sent to %q", u)
			}
		}
	})
}

// A process that dies while the acquirer is being asked does not lock the payer
// out: nobody was sent there, so another order may be made.
func TestCrashWhileCreating(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		_, _, err := w.Core.StartAttempt(t.Context(), core.Starting{PaymentID: p.ID, Method: payment.DomesticCard, Connector: w.byFirst, Reference: w.first.Reference})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the acquirer says that it is waiting for the payer
			if _, ok := w.later(); !ok {
				t.Fatal("nobody asks")
			}
		}
		must[payment.Handoff](t)(w.start(p))
		if tried := w.tried(p); len(tried) != 2 || !tried[0].Left || tried[1].State != payment.AttemptSent {
			t.Errorf("attempts %+v", tried)
		}
	})
}

// A payment that closes while the acquirer is being asked sends its payer
// nowhere.
func TestClosedMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		w.first.OnCreate(func(ctx context.Context, o card.Order) (card.Created, error) {
			if _, err := w.Core.Cancel(ctx, p.ID, "payer", ""); err != nil {
				t.Error(err)
			}
			return card.Created{Handoff: payment.Handoff{URL: "https://a.example.test/1"}}, nil
		})
		_, err := w.start(p)
		wantCode(t, "closed", err, payment.CodeInvalidState)
		if a := w.tried(p)[0]; a.State != payment.AttemptSent || !a.Left {
			t.Errorf("the attempt is %+v", a)
		}
		_, err = w.start(p)
		wantCode(t, "once more", err, payment.CodeInvalidState)
	})
}

// What a connector gets to know, and what is refused before it is kept.
func TestCheck(t *testing.T) {
	w := newSQLiteWorld(t)
	both, config := w.first.Methods(), []byte(railtest.ScriptedConfig)
	for name, err := range map[string]error{
		"sound":          w.s.Check("scripted", both, config),
		"left as it is":  w.s.Check("portal", both[:1], nil),
		"unknown kind":   w.s.Check("nobody", both, config),
		"another method": w.s.Check("scripted", []payment.Method{payment.MoMo}, config),
		"bad config":     w.s.Check("scripted", both, []byte(`{"secret":""}`)),
		"no config":      w.s.Check("scripted", both, []byte{}),
	} {
		if bad := name != "sound" && name != "left as it is"; (payment.CodeOf(err) == payment.CodeInvalidRequest) != bad || strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if k := w.s.Kinds(); len(k) != 2 || len(k["portal"]) != 2 {
		t.Errorf("kinds %v", k)
	}
	if got := w.s.NotifyURL("x y"); got != coretest.PublicURL+acquiring.Prefix+"x%20y/notify" {
		t.Errorf("notify URL %s", got)
	}
}

// A payer who comes back is sent on to the payment page, and the acquirer is
// asked; what the browser brings decides nothing. Without the key there is
// nothing.
func TestReturn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		h := must[payment.Handoff](t)(w.start(p))
		away := must[*url.URL](t)(url.Parse(h.URL))
		back := must[*url.URL](t)(url.Parse(away.Query().Get("back")))
		a := w.tried(p)[0]
		if want := coretest.PublicURL + acquiring.Prefix + a.ConnectorID + "/return/" + a.ID + "/"; !strings.HasPrefix(back.String(), want) {
			t.Fatalf("the return address is %s", back)
		}
		page := must[string](t)(w.Core.PageOf(t.Context(), p.ID))
		w.wantCalls("start", "create")
		for _, signature := range []string{"", "?signature=good", "?signature=bad"} {
			rec := w.call("GET", back.Path+signature, "")
			if rec.Code != 303 || rec.Header().Get("Location") != page || rec.Header().Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%q: %d %v", signature, rec.Code, rec.Header())
			}
			if now := w.Reload(p); now.State != payment.Processing {
				t.Errorf("%q: the browser alone made it %s", signature, now.State)
			}
			w.wantCalls("return", "query")
		}
		w.says(func(a payment.Attempt) (card.Report, error) { return railtest.SayPaid(a), nil })
		if rec := w.call("POST", back.Path, "signature=good"); rec.Code != 303 {
			t.Errorf("a form: %d", rec.Code)
		}
		if now := w.Reload(p); now.State != payment.Approved {
			t.Errorf("the payment is %s", now.State)
		}
		w.wantCalls("return", "query")
		if rec := w.call("GET", back.Path, ""); rec.Code != 303 {
			t.Errorf("reloaded: %d", rec.Code)
		}
		w.wantCalls("it is known")

		key := back.Path[strings.LastIndex(back.Path, "/")+1:]
		other := w.send(w.open(1000))
		w.first.Calls()
		for _, path := range []string{
			strings.Replace(back.Path, key, key[:len(key)-1]+"_", 1), strings.TrimSuffix(back.Path, key), strings.TrimSuffix(back.Path, "/"+key),
			acquiring.Prefix + a.ConnectorID + "/return/" + other.ID + "/" + key, acquiring.Prefix + a.ConnectorID + "/return/nothing/" + w.Core.AttemptKey("nothing"),
			acquiring.Prefix + a.ConnectorID + "/return/%00/" + w.Core.AttemptKey("\x00"),
			back.Path + "/x", acquiring.Prefix, acquiring.Prefix + a.ConnectorID, acquiring.Prefix + a.ConnectorID + "/other",
		} {
			if rec := w.call("GET", path, ""); rec.Code != 404 || strings.Contains(rec.Body.String(), "key=") {
				t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
			}
		}
		if rec := w.call("PUT", back.Path, ""); rec.Code != 404 {
			t.Errorf("PUT: %d", rec.Code)
		}
		w.wantCalls("strangers")
	})
}

// An acquirer that does not answer keeps no payer waiting for long, and the
// question is asked again in its time.
func TestReturnWithoutAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.open(1000)
		a := w.send(p)
		asked := time.Now()
		w.first.OnQuery(func(ctx context.Context, _ payment.Attempt) (card.Report, error) {
			if by, ok := ctx.Deadline(); !ok || by.Sub(asked) > 10*time.Second {
				t.Errorf("the call may take until %v", by)
			}
			return card.Report{}, payment.Fail(payment.CodeInvalidAmount, "the connector's own trouble")
		})
		rec := w.call("GET", acquiring.Prefix+a.ConnectorID+"/return/"+a.ID+"/"+w.Core.AttemptKey(a.ID), "")
		if rec.Code != 303 {
			t.Errorf("%d", rec.Code)
		}
		w.first.OnQuery(nil)
		w.says(func(a payment.Attempt) (card.Report, error) { return railtest.SayPaid(a), nil })
		if _, ok := w.later(); !ok || w.Reload(p).State != payment.Approved {
			t.Errorf("the payment is %s", w.Reload(p).State)
		}
	})
}
