package bankfeed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// lists are the three lists that can be pulled.
var lists = []struct {
	name, kind, api, want string
	sameIDs               bool // as the webhooks have
}{
	{"sepay 1", "sepay", `{"token":"tok"}`, "Bearer tok", true},
	{"sepay 2", "sepay", `{"token":"tok","version":2}`, "Bearer tok", false},
	{"casso", "casso", `{"key":"tok"}`, "Apikey tok", true},
}

func newPullDesk(t *testing.T, s *store.Store, p *provider) *desk {
	return newDesk(t, s, func(c *bankfeed.Config) {
		c.Clock, c.Get = hasty{c.Clock.(*clock.Manual)}, p.get
	})
}

// We are down for two hours, and the notifier gives up. The pull at the start
// finds every transfer of that time, and no transfer counts twice: neither
// those that were told before, nor those whose webhook comes late after all.
func TestOutageIsCaughtUp(t *testing.T) {
	for _, l := range lists {
		t.Run(l.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				p := &provider{t: t, want: l.want, full: 7}
				d := newPullDesk(t, s, p)
				f := d.addFeed(l.kind, l.api)
				const n = 40
				var total money.VND
				payments := make([]payment.Payment, n)
				for i := range n {
					payments[i] = d.Open(d.Memo, money.VND(10_000+i), func(o *core.Opening) { o.DueAt = d.Clock.Now().Add(24 * time.Hour) })
					total += payments[i].Amount
				}
				for i, pay := range payments {
					d.Advance(3 * time.Minute)
					tr := transfer{id: i + 1, at: d.Clock.Now(), amount: pay.Amount, account: pay.Transfer.Number, memo: "CT " + pay.Transfer.Memo()}
					p.transfers = append(p.transfers, tr)
					switch {
					case i == 9: // a pull in between, as every minute
						if err := d.intake.Pull(t.Context(), f.Name); err != nil {
							t.Fatal(err)
						}
					case i < 15: // from then on we are down
						if w := d.post(f.Name, "203.0.113.7:1", tr.message(l.kind)); w.Code != 200 {
							t.Fatalf("%d %s", w.Code, w.Body)
						}
					}
				}
				d.Advance(time.Minute)
				before := d.Clock.Now()
				if err := d.intake.Pull(t.Context(), f.Name); err != nil {
					t.Fatal(err)
				}
				for _, tr := range p.transfers[20:30] { // late webhooks
					if w := d.post(f.Name, "203.0.113.7:1", tr.message(l.kind)); w.Code != 200 {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
				}
				if err := d.intake.Pull(t.Context(), f.Name); err != nil {
					t.Fatal(err)
				}

				for _, pay := range payments {
					if got := d.Reload(pay); got.State != payment.Approved || got.Received != pay.Amount {
						t.Errorf("%s is %s with %d of %d", pay.Reference, got.State, got.Received, pay.Amount)
					}
				}
				for account, balance := range d.Balances() {
					if strings.Contains(account, "unapplied") && balance != 0 || strings.Contains(account, "sales") && balance != -total && balance != total {
						t.Errorf("%s is %d, with %d paid", account, balance, total)
					}
				}
				if got := d.credits(f.Name); l.sameIDs && got != n || got < n {
					t.Errorf("%d credits of %d transfers", got, n)
				}
				f, err := d.Core.Feed(t.Context(), f.Name)
				if err != nil || f.SeenUntil.Before(before) || f.SeenUntil.After(d.Clock.Now()) || f.PullError != "" || f.Cursor != "" {
					t.Errorf("%+v, %v", f, err)
				}
			})
		})
	}
}

// A sweep that breaks off is recorded, says nothing of having seen it all, and
// goes on where it was; the end of it is the moment of its beginning.
func TestBrokenSweepGoesOn(t *testing.T) {
	p := &provider{t: t, want: "Apikey tok", full: 5}
	d := newPullDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), p)
	f := d.addFeed("casso", `{"key":"tok"}`)
	for i := range 20 {
		d.Advance(time.Minute)
		p.transfers = append(p.transfers, transfer{id: i + 1, at: d.Clock.Now(), amount: 1000, account: "1", memo: "x"})
	}
	asked := d.Clock.Now()
	for i, c := range []struct {
		name  string
		fail  func(int) (int, string, error)
		error string
	}{
		{"no network", func(int) (int, string, error) {
			return 0, "", errors.New("address 10.0.0.1:443 refused: private network")
		}, "private network"},
		{"third page", func(n int) (int, string, error) { return map[bool]int{true: 500}[n == 4], "", nil }, "HTTP 500"},
		{"nothing", func(int) (int, string, error) { return 200, "", nil }, "answered nothing"},
		{"not JSON", func(int) (int, string, error) { return 200, "<html>", nil }, "the provider's answer"},
		{"no records", func(int) (int, string, error) { return 200, `{"error":0,"data":{"records":null}}`, nil }, "no records"},
		{"an error in it", func(int) (int, string, error) { return 200, `{"error":401}`, nil }, "error 401"},
		{"wrong key", func(int) (int, string, error) { return 401, `{}`, nil }, "refused the API credentials"},
	} {
		p.fail = c.fail
		err := d.intake.Pull(t.Context(), f.Name)
		got, loadErr := d.Core.Feed(t.Context(), f.Name)
		if err == nil || loadErr != nil || !strings.Contains(got.PullError, c.error) || !got.SeenUntil.IsZero() {
			t.Fatalf("%s: %v, %+v", c.name, err, got)
		}
		if i > 0 && got.Cursor == "" {
			t.Fatalf("%s: forgot how far it came", c.name)
		}
		d.Advance(time.Minute)
	}
	if got := d.credits(f.Name); got != 10 {
		t.Errorf("%d credits after two pages", got)
	}
	p.fail = nil
	requests := len(p.asked)
	if err := d.intake.Pull(t.Context(), f.Name); err != nil {
		t.Fatal(err)
	}
	got, err := d.Core.Feed(t.Context(), f.Name)
	if err != nil || got.PullError != "" || got.Cursor != "" || d.credits(f.Name) != 20 {
		t.Errorf("%+v, %v, %d credits", got, err, d.credits(f.Name))
	}
	if first := p.asked[requests].Get("page"); first != "3" || len(p.asked)-requests != 2 {
		t.Errorf("went on at page %s with %d requests", first, len(p.asked)-requests)
	}
	// The first attempts failed on page one, so the sweep that came through
	// began with the second of them.
	if late := got.SeenUntil.Sub(asked); late < 0 || late > 2*time.Minute {
		t.Errorf("seen until %v, asked at %v", got.SeenUntil, asked)
	}
}

// A row that cannot be read is kept once, however often the pulls see it; a
// credit that cannot be taken in makes the pull fail, but not for the others.
func TestBadRowsOfAPull(t *testing.T) {
	p := &provider{t: t, want: "Apikey tok", full: 2}
	d := newPullDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), p)
	f := d.addFeed("casso", `{"key":"tok"}`)
	for i, amount := range []money.VND{1000, 0, 1000, 1000} {
		p.transfers = append(p.transfers, transfer{id: i + 1, at: d.Clock.Now().Add(time.Duration(i) * time.Second), amount: amount, account: "1", memo: "x"})
	}
	for range 3 {
		if err := d.intake.Pull(t.Context(), f.Name); err != nil {
			t.Fatal(err)
		}
	}
	if d.verbs.kept != 1 || len(d.verbs.failed) != 1 || d.credits(f.Name) != 3 {
		t.Errorf("%d rows kept, %q, %d credits", d.verbs.kept, d.verbs.failed, d.credits(f.Name))
	}
	seen, err := d.Core.Feed(t.Context(), f.Name)
	if err != nil {
		t.Fatal(err)
	}

	d.Advance(time.Minute)
	for i := range 4 {
		p.transfers = append(p.transfers, transfer{id: 10 + i, at: d.Clock.Now(), amount: 1000, account: "1", memo: "x"})
	}
	d.verbs.take = func(credits []payment.Credit) error {
		if slices.ContainsFunc(credits, func(c payment.Credit) bool { return c.ExternalID == "11" }) {
			return errors.New("a fault of ours")
		}
		return nil
	}
	if err := d.intake.Pull(t.Context(), f.Name); err == nil {
		t.Error("the pull says that it took everything in")
	}
	now, err := d.Core.Feed(t.Context(), f.Name)
	if err != nil || !now.SeenUntil.Equal(seen.SeenUntil) || now.PullError == "" || now.Cursor != "" || d.credits(f.Name) != 6 {
		t.Errorf("%+v, %v, %d credits", now, err, d.credits(f.Name))
	}
	d.verbs.take = nil
	if err := d.intake.Pull(t.Context(), f.Name); err != nil || d.credits(f.Name) != 7 {
		t.Errorf("%v, %d credits", err, d.credits(f.Name))
	}
}

// SePay's version 2 has other ids, so without the bank's reference a row could
// count twice. It is refused.
func TestSePay2WantsTheReference(t *testing.T) {
	get := func(context.Context, string, http.Header) (int, []byte, error) {
		return 200, []byte(`{"data":[{"id":"u-1","transaction_date":"2026-03-04 12:00:00","amount_in":1000,"amount_out":0}]}`), nil
	}
	got, err := bankfeed.SePay{}.Pull(t.Context(), get, rail.Query{API: `{"token":"t","version":2}`, Since: noon, Until: noon})
	if err != nil || len(got.Credits) != 0 || len(got.Refused) != 1 || got.More {
		t.Errorf("%+v, %v", got, err)
	}
}

// Version 1 says neither how many transfers there are nor which it left out,
// and still none is missed, whenever they happened.
func TestSePay1FindsAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &provider{t: t, want: "Bearer t"}
		until := noon
		since := until.Add(-7 * 24 * time.Hour)
		bursts := rapid.SliceOfN(rapid.IntRange(0, 7*24*3600-1), 1, 6).Draw(rt, "bursts")
		for id := range rapid.IntRange(0, 3000).Draw(rt, "transfers") {
			second := (bursts[id%len(bursts)] + id/2) % (7 * 24 * 3600)
			p.transfers = append(p.transfers, transfer{id: id + 1, at: since.Add(time.Duration(second) * time.Second), amount: 1, account: "1", memo: "x"})
		}
		found := map[string]bool{}
		cursor := ""
		for requests := 0; ; requests++ {
			if requests > 400 {
				rt.Fatal("no end")
			}
			got, err := bankfeed.SePay{}.Pull(t.Context(), p.get, rail.Query{API: `{"token":"t"}`, Since: since, Until: until, Cursor: cursor})
			if err != nil {
				rt.Fatal(err)
			}
			for _, c := range got.Credits {
				found[c.ExternalID] = true
			}
			if !got.More {
				break
			}
			cursor = got.Cursor
		}
		if len(found) != len(p.transfers) {
			rt.Fatalf("%d of %d transfers", len(found), len(p.transfers))
		}
	})
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// Run pulls and recovers at once and then every minute, waits longer after
// failures, leaves disabled feeds alone, and stops with its context.
func TestRun(t *testing.T) {
	p := &provider{t: t, want: "Apikey tok"}
	d := newDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), func(c *bankfeed.Config) { c.Get = p.get })
	manual := d.Clock.(*clock.Manual)
	f := d.addFeed("casso", `{"key":"tok"}`)
	d.addFeed("sepay", "")
	if _, err := d.Core.KeepMessage(t.Context(), "sepay-one", []byte(sepayBody)); err != nil {
		t.Fatal(err)
	}
	d.Advance(10 * time.Second)
	p.transfers = []transfer{{id: 1, at: d.Clock.Now(), amount: 1000, account: "1", memo: "x"}}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.intake.Run(ctx) }()
	// step waits until the n-th request was made and recorded, and both loops
	// sleep again.
	step := func(n int, failed bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("request %d", n), func() bool {
			p.mu.Lock()
			asked := len(p.asked)
			p.mu.Unlock()
			got, err := d.Core.Feed(t.Context(), f.Name)
			return err == nil && asked == n && got.PulledAt.Equal(d.Clock.Now()) && (got.PullError != "") == failed && manual.Waiting() == 2
		})
	}
	quiet := func(n int) {
		t.Helper()
		eventually(t, "a round without a pull", func() bool { return manual.Waiting() == 2 })
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.asked) != n {
			t.Errorf("%d requests, want %d", len(p.asked), n)
		}
	}
	step(1, false)
	if d.credits("casso-one") != 1 || d.credits("sepay-one") != 1 {
		t.Errorf("%d pulled, %d recovered", d.credits("casso-one"), d.credits("sepay-one"))
	}
	d.Advance(time.Minute)
	step(2, false)

	p.mu.Lock()
	p.fail = func(int) (int, string, error) { return 429, "", nil }
	p.mu.Unlock()
	d.Advance(time.Minute)
	step(3, true)
	d.Advance(time.Minute)
	quiet(3) // two minutes after the first failure
	d.Advance(time.Minute)
	step(4, true)
	for range 3 {
		d.Advance(time.Minute)
		quiet(4) // four after the second
	}
	p.mu.Lock()
	p.fail = nil
	p.mu.Unlock()
	d.Advance(time.Minute)
	step(5, false)

	off := false
	if _, err := d.Core.ChangeFeed(t.Context(), core.Actor{Name: "tester"}, f.Name, nil, nil, &off); err != nil {
		t.Fatal(err)
	}
	d.Advance(time.Minute)
	quiet(5)
	stop()
	<-done
}

// How far back a pull goes: to the feed's creation at first, then an hour
// behind what was seen, and a day once an hour.
func TestHowFarBack(t *testing.T) {
	p := &provider{t: t, want: "Bearer tok"}
	d := newPullDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), p)
	f := d.addFeed("sepay", `{"token":"tok"}`)
	created := d.Clock.Now()
	pull := func() string {
		t.Helper()
		if err := d.intake.Pull(t.Context(), f.Name); err != nil {
			t.Fatal(err)
		}
		return p.asked[len(p.asked)-1].Get("transaction_date_min")
	}
	want := func(got string, at time.Time) {
		t.Helper()
		if got != local(at) {
			t.Errorf("from %s, want %s", got, local(at))
		}
	}
	want(pull(), created.Add(-bankfeed.Window))
	d.Advance(30 * time.Hour)
	want(pull(), created.Add(-bankfeed.Window)) // the day behind reaches beyond it
	seen := d.Clock.Now()
	d.Advance(time.Minute)
	want(pull(), seen.Add(-bankfeed.Overlap))
	seen = d.Clock.Now()
	d.Advance(time.Hour)
	want(pull(), seen.Add(-bankfeed.DeepOverlap))
	// A feed that gets its credentials long after it was made.
	g := d.addFeed("casso", "")
	d.Advance(30 * 24 * time.Hour)
	api := `{"key":"tok"}`
	if _, err := d.Core.ChangeFeed(t.Context(), core.Actor{Name: "tester"}, g.Name, nil, &api, nil); err != nil {
		t.Fatal(err)
	}
	p.want = "Apikey tok"
	if err := d.intake.Pull(t.Context(), g.Name); err != nil {
		t.Fatal(err)
	}
	if got, want := p.asked[len(p.asked)-1].Get("fromDate"), d.Clock.Now().Add(-bankfeed.FirstPull).In(clock.Vietnam).Format("2006-01-02"); got != want {
		t.Errorf("from %s, want %s", got, want)
	}
}

func TestPullOfAFeedWithoutList(t *testing.T) {
	d := newPullDesk(t, storetest.Open(t, storetest.URL(t, "sqlite")), &provider{t: t})
	d.addFeed("sepay", "")
	d.addFeed("payos", "")
	for name, code := range map[string]payment.Code{"sepay-one": payment.CodeInvalidRequest, "payos-one": payment.CodeInvalidRequest, "nobody": payment.CodeNotFound} {
		if err := d.intake.Pull(t.Context(), name); payment.CodeOf(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The GET of production refuses the inside of the network, follows no
// redirect, and takes a page that guard would cut by default.
func TestNewGet(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 1<<20))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("x", 1<<20)); err != nil {
					return
				}
			}
		default:
			http.Redirect(w, r, "/long", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	get := bankfeed.NewGet(guard.Options{AllowLoopback: true})
	if status, body, err := get(t.Context(), s.URL+"/long", http.Header{"Authorization": {"x"}}); status != 200 || len(body) != 1<<20 || err != nil {
		t.Errorf("%d, %d bytes, %v", status, len(body), err)
	}
	if status, _, err := get(t.Context(), s.URL+"/", nil); status != 302 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	if _, _, err := get(t.Context(), s.URL+"/endless", nil); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("endless: %v", err)
	}
	_, _, err := bankfeed.NewGet(guard.Options{})(t.Context(), s.URL+"/?token=hidden", nil)
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("loopback in production: %v", err)
	}
}
