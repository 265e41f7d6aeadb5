package tiki_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// receiver is an app's back end without a network.
type receiver struct {
	answer func(n int) (status int, err error) // to the n-th notice, from 1

	mu     sync.Mutex
	at     []time.Time
	bodies [][]byte
	heads  []http.Header
}

func (r *receiver) Do(_ context.Context, req *http.Request) (guard.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return guard.Response{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.bodies, r.heads = append(r.at, time.Now()), append(r.bodies, body), append(r.heads, req.Header)
	status, err := r.answer(len(r.at))
	return guard.Response{Status: status}, err
}

// poll is how often the outbox looks.
const poll = 20 * time.Second

// told runs the gateway in time that does not pass by itself, has an order paid,
// and lets three days go by.
func told(t *testing.T, r *receiver) (at []time.Duration, item store.Item, key core.Credentials) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Open(t, storetest.URL(t, "sqlite"))
		e := coretest.New(t, db, coretest.WithDialect(tiki.Dialect{}), coretest.WithClock(clock.System()))
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		runner := outbox.New(outbox.Config{
			Store: db, Clock: e.Clock, Node: "test", Wake: e.Core.Wake(), Log: quiet,
			Handlers: map[string]outbox.Handler{core.KindNotice: &notify.Sender{Core: e.Core, Client: r, Clock: e.Clock, IDs: e.IDs, Log: quiet}},
			Limits:   outbox.Limits{Poll: poll},
		})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { runner.Run(ctx) })

		if _, err := e.Core.AddCustomer(t.Context(), coretest.Operator, signin.Customer{ID: 7, Name: "Lan"}); err != nil {
			t.Fatal(err)
		}
		placed, err := e.Core.PlaceAppOrder(t.Context(), core.Placing{
			Merchant: e.Memo.Merchant, Dialect: tiki.Name, CustomerID: "7", Lines: []order.Line{{Name: "Cà phê", Quantity: 1, Price: 35_000}},
		})
		if err != nil {
			t.Fatal(err)
		}
		placed, err = e.Core.StartPaying(t.Context(), core.PayingApp{
			OrderID: placed.Order.ID, CustomerID: "7", Way: order.Online, Methods: []payment.Method{payment.BankTransfer},
			Dialects: map[string]core.Ends{tiki.Name: core.Paid},
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		e.Pay(placed.Payment, 35_000)
		time.Sleep(72 * time.Hour)
		stop()
		running.Wait()
		items, err := e.Core.Notices(context.WithoutCancel(t.Context()), core.NoticeSearch{PaymentID: placed.Payment.ID})
		if err != nil || len(items) != 1 {
			t.Fatalf("%d notices, %v", len(items), err)
		}
		item, key = items[0], e.Memo.Credentials
		for _, when := range r.at {
			at = append(at, when.Sub(start))
		}
	})
	return at, item, key
}

// The waits of the documents, each from the attempt before; then the schedule
// ends. The body stays, timestamp and signature are new each time (T19).
func TestRetries(t *testing.T) {
	r := &receiver{answer: func(n int) (int, error) {
		if n%2 == 0 {
			return 0, errors.New("no answer in time")
		}
		return []int{500, 502, 599, 503}[n/2], nil
	}}
	at, item, key := told(t, r)
	if len(at) != 8 || item.State != store.ItemFailed || item.Tries != 8 || at[0] > time.Second {
		t.Fatalf("told at %v; %s after %d", at, item.State, item.Tries)
	}
	for i, wait := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		// The outbox waits up to a tenth longer, so that not all come at once.
		if got := at[i+1] - at[i]; got < wait || got > wait+wait/10+2*poll {
			t.Errorf("wait %d is %v, want %v", i+1, got, wait)
		}
	}
	for i, body := range r.bodies {
		stamp := strconv.FormatInt(r.at[i].UnixMilli(), 10)
		if !bytes.Equal(body, r.bodies[0]) || r.heads[i].Get("X-Tiniapp-Timestamp") != stamp {
			t.Errorf("attempt %d: %v %s", i+1, r.heads[i], body)
		}
		if r.heads[i].Get("X-Tiniapp-Client-Id") != key.Key || r.heads[i].Get("X-Tiniapp-Signature") != tiki.Sign(key.Key, key.Secret, stamp, body) {
			t.Errorf("attempt %d is not signed with the app's pair: %v", i+1, r.heads[i])
		}
	}
	var seen struct {
		Order struct {
			Status string `json:"status"`
			Total  int64  `json:"grand_total"`
		} `json:"order"`
		ID   string    `json:"message_id"`
		Kind string    `json:"message_type"`
		At   time.Time `json:"message_created_at"`
	}
	if err := json.Unmarshal(r.bodies[0], &seen); err != nil || seen.Order.Status != "online_paid" || seen.Order.Total != 35_000 || seen.Kind != "notification" || seen.ID == "" {
		t.Errorf("%s: %v", r.bodies[0], err)
	}
}

// An answer below 500 ends it, taken or not (T18); one above is asked again.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		answers []int
		state   store.ItemState
	}{
		{[]int{200}, store.ItemDone}, {[]int{204}, store.ItemDone}, {[]int{500, 200}, store.ItemDone}, {[]int{503, 500, 202}, store.ItemDone},
		{[]int{302}, store.ItemFailed}, {[]int{400}, store.ItemFailed}, {[]int{500, 404}, store.ItemFailed}, {[]int{499}, store.ItemFailed},
	} {
		r := &receiver{answer: func(n int) (int, error) { return c.answers[n-1], nil }}
		at, item, _ := told(t, r)
		if len(at) != len(c.answers) || item.State != c.state {
			t.Errorf("%v: told %d times, %s", c.answers, len(at), item.State)
		}
	}
}
