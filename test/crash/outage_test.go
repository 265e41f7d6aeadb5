package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
)

// When the notifiers try, from the first on, and then give up.
var (
	// SePay: seven tries in about 33 minutes (developer.sepay.vn, webhooks: again after 1, 2, 3, 5, 8, 13 minutes).
	sepayTries = minutes(0, 1, 3, 6, 11, 19, 32)
	// VietQR.vn: ten tries in about six minutes, five of them in the first.
	vietqrTries = minutes(0, 0.2, 0.4, 0.6, 0.8, 2, 3, 4, 5, 6)
)

func minutes(list ...float64) (all []time.Duration) {
	for _, m := range list {
		all = append(all, time.Duration(m*float64(time.Minute)))
	}
	return all
}

// watcher is who watches the bank account: it has the statement, and tells of each transfer by a notifier.
type watcher struct {
	t     *testing.T
	mu    sync.Mutex
	list  []booked
	asked int
}

// booked is one transfer on the account.
type booked struct {
	id     int
	at     time.Time
	amount int64
	memo   string
	order  *order
}

const (
	sepayToken = "sepay-api-token"
	sepayKey   = "sepay-webhook-key"
	sepayTime  = "2006-01-02 15:04:05"
)

// get is SePay's list of transactions.
func (w *watcher) get(_ context.Context, address string, h http.Header) (int, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	u, err := url.Parse(address)
	if err != nil || u.Path != "/userapi/transactions/list" || h.Get("Authorization") != "Bearer "+sepayToken {
		return http.StatusNotFound, nil, err
	}
	from, err := time.ParseInLocation(sepayTime, u.Query().Get("transaction_date_min"), clock.Vietnam)
	if err != nil {
		return http.StatusBadRequest, nil, err
	}
	limit, err := strconv.Atoi(u.Query().Get("limit"))
	if err != nil {
		return http.StatusBadRequest, nil, err
	}
	rows := []any{}
	for _, b := range slices.Backward(w.list) { // the newest first
		to := u.Query().Get("transaction_date_max")
		if b.at.Truncate(time.Second).Before(from) || to != "" && b.local() > to || len(rows) == limit {
			continue
		}
		rows = append(rows, map[string]any{
			"id": strconv.Itoa(b.id), "transaction_date": b.local(), "account_number": bankAccount, "sub_account": nil, "amount_in": fmt.Sprintf("%d.00", b.amount),
			"amount_out": "0.00", "accumulated": "1.00", "code": nil, "transaction_content": b.memo, "reference_number": b.reference(),
		})
	}
	body, err := json.Marshal(map[string]any{"status": 200, "error": nil, "messages": map[string]any{"success": true}, "transactions": rows})
	return http.StatusOK, body, err
}

func (b booked) local() string     { return b.at.In(clock.Vietnam).Format(sepayTime) }
func (b booked) reference() string { return fmt.Sprintf("FT%09d", b.id) }

// sepay is SePay's webhook of a transfer.
func (b booked) sepay() (path string, body []byte, header http.Header) {
	body = mustJSON(map[string]any{
		"id": b.id, "transactionDate": b.local(), "accountNumber": bankAccount, "content": b.memo, "transferType": "in", "transferAmount": b.amount, "referenceCode": b.reference(),
	})
	return "/bank-feeds/sepay", body, http.Header{"Authorization": {"Apikey " + sepayKey}}
}

// vietqr is the other notifier's, which has no list; it comes by our own webhook.
func (b booked) vietqr(now time.Time) (path string, body []byte, header http.Header) {
	body = mustJSON(map[string]any{
		"id": "vietqr-" + strconv.Itoa(b.id), "bin": bankBIN, "account": bankAccount, "amount": b.amount, "currency": "VND", "direction": "in",
		"memo": b.memo, "reference": b.reference(), "occurred_at": b.at.UTC().Format(time.RFC3339),
	})
	return "/bank-feeds/" + feedName, body, signedAt(body, now)
}

// TestOutage has the gateway down for an hour, while payers pay and the bank's notifiers try, fail and give up. Within
// a minute of its start it has every transfer from the statement, and those that are still told it has once.
func TestOutage(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 2)
		s := newSite(t, database)
		now := &jumpy{}
		s.clock = now.Now
		w := &watcher{t: t}
		fit := fitting{clock: now, get: w.get, pull: time.Minute}
		g := s.startInside(fit)
		by := core.Actor{Name: "operator"}
		if _, err := g.core.AddFeed(t.Context(), by, core.NewFeed{Name: "sepay", Kind: "sepay", Secret: sepayKey, API: `{"token":"` + sepayToken + `"}`}); err != nil {
			t.Fatal(err)
		}
		l := quiet(s, g.node)
		id := 0
		for round := range r.rounds {
			var orders []*order
			for i := range 12 {
				o := &order{
					reference: fmt.Sprintf("%s-O%d-%d", l.name, round, i), amount: 10_000 + r.random.Int64N(5_000_000), plan: exact, description: "cơm tấm",
					due: now.Now().Add(3 * time.Hour).Truncate(time.Second),
				}
				payload, ok := l.create(o, r.random)
				if !ok {
					t.Fatal("no order")
				}
				o.memo = l.memo(payload)
				orders = append(orders, o)
			}
			l.history.orders = append(l.history.orders, orders...)
			pay := func(o *order) booked {
				w.mu.Lock()
				defer w.mu.Unlock()
				id++
				b := booked{id: id, at: now.Now(), amount: o.amount, memo: "NGUYEN VAN A CK " + o.memo, order: o}
				w.list = append(w.list, b)
				return b
			}
			// Two are told as usual, by either notifier, and are in the statement too.
			for i, o := range orders[:2] {
				b := pay(o)
				if path, body, header := b.either(i, now.Now()); !l.knocks(path, body, header) {
					t.Errorf("the notice of %s was not taken", o.reference)
				}
			}

			g.stop()
			down := now.Now()
			type try struct {
				at time.Time
				b  booked
				by int // which notifier
			}
			var tries []try
			for i, o := range orders[2:] {
				now.offset.Store(int64(time.Until(down)) + int64(time.Duration(r.random.Int64N(int64(time.Hour)))))
				b := pay(o)
				for _, after := range [][]time.Duration{sepayTries, vietqrTries}[i%2] {
					tries = append(tries, try{b.at.Add(after), b, i % 2})
				}
			}
			slices.SortFunc(w.list, func(a, b booked) int { return a.at.Compare(b.at) })
			slices.SortFunc(tries, func(a, b try) int { return a.at.Compare(b.at) })
			up := down.Add(time.Hour)
			var late []try
			for _, x := range tries {
				if x.at.After(up) {
					late = append(late, x)
					continue
				}
				now.offset.Store(int64(time.Until(x.at)))
				path, body, header := x.b.either(x.by, now.Now())
				if l.knocks(path, body, header) {
					t.Fatal("a gateway that is down has answered")
				}
				r.add("tries of notifiers that failed", 1)
			}
			now.offset.Store(int64(time.Until(up)))

			g = s.startInside(fit)
			l.aim(g.node)
			start := time.Now()
			for i, x := range late { // some still try, while the statement is being read
				if i%2 == 0 {
					path, body, header := x.b.either(x.by, now.Now())
					if !l.knocks(path, body, header) {
						t.Errorf("a late notice of %s was not taken", x.b.order.reference)
					}
				}
			}
			for _, o := range orders {
				for {
					p := g.find(t, o.reference)
					if p.State == "approved" && int64(p.Received) == o.amount {
						break
					}
					if time.Since(start) > time.Minute {
						t.Fatalf("a minute after the start %s is %s with %d of %d", o.reference, p.State, p.Received, o.amount)
					}
					l.pause(20 * time.Millisecond)
				}
			}
			r.most("ms until everything was found", time.Since(start).Milliseconds())
			r.add("transfers", int64(len(orders)))
			now.jump(2 * time.Minute) // the notices of this round are due, whatever the clock did
		}
		s.quiesce(g.node)
		s.audit()
		var sum int64
		for _, b := range w.list {
			sum += b.amount
		}
		s.bankHas(g.node, sum)
		for _, fault := range l.finish().faults {
			t.Error(fault)
		}
	})
}

func (b booked) either(notifier int, now time.Time) (path string, body []byte, header http.Header) {
	if notifier == 0 {
		return b.sepay()
	}
	return b.vietqr(now)
}

// knocks is one try of a notifier.
func (l *load) knocks(path string, body []byte, header http.Header) bool {
	status, text, err := l.post(path, body, func(h http.Header) {
		for name, values := range header {
			h[name] = values
		}
	})
	if err == nil && status/100 != 2 {
		l.fault("%s was answered %d %s", path, status, text)
	}
	return err == nil && status/100 == 2
}
