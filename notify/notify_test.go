package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// request is what a receiver got.
type request struct {
	method, path, id, secret, kind, agent string
	body                                  told
}

func (b *bench) read(r *http.Request) request {
	got := request{
		method: r.Method, path: r.URL.Path, id: r.Header.Get("Request-Id"), secret: r.Header.Get("Secret-Key"),
		kind: r.Header.Get("Content-Type"), agent: r.UserAgent(),
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &got.body)
	}
	if err != nil {
		b.Error(err)
	}
	return got
}

func TestRequest(t *testing.T) {
	each(t, func(b *bench) {
		requests := make(chan request, 9)
		s := b.serve(func(w http.ResponseWriter, r *http.Request) {
			requests <- b.read(r)
			io.WriteString(w, "đã nhận")
		})
		p := b.paid(s.URL + "/ipn")
		item := b.notices(p)[0]
		want := request{
			method: "POST", path: "/ipn", secret: b.Memo.Credentials.NotifySecret, kind: "application/json", agent: "Thungan/test",
			body: told{To: s.URL + "/ipn", Merchant: b.Memo.Profile.PublicID, Profile: b.Memo.Profile.PublicID, Version: 2, State: payment.Approved, Received: 100_000, Act: payment.ActPay},
		}
		seen := map[string]bool{}
		for n := range 3 {
			if n == 2 { // secret, time and id are those of the attempt
				rotated, err := b.Core.RotateNotifySecret(b.Context(), coretest.Operator, b.Memo.Merchant.ID, "wire")
				if err != nil {
					b.Fatal(err)
				}
				want.secret = rotated.NotifySecret
			}
			b.Advance(time.Minute)
			r := b.sender.Attempt(b.Context(), item)
			got := <-requests
			if !r.Done || r.Attempt.RequestID != got.id || r.Attempt.Status != 200 || r.Attempt.Answer != "đã nhận" || r.Attempt.Error != "" || r.Attempt.Duration <= 0 {
				b.Errorf("%+v", r)
			}
			if got.id == "" || seen[got.id] {
				b.Errorf("request id %q is not a new one", got.id)
			}
			seen[got.id] = true
			want.id, want.body.At = got.id, b.Clock.Now()
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(request{})); diff != "" {
				b.Error(diff)
			}
		}
	})
}

// A platform is told of what it does for a merchant, in the merchant's name.
func TestPlatformIsTold(t *testing.T) {
	each(t, func(b *bench) {
		requests := make(chan request, 1)
		s := b.serve(func(_ http.ResponseWriter, r *http.Request) { requests <- b.read(r) })
		p := b.Open(b.Memo, 50_000, func(o *core.Opening) { o.Platform, o.NotifyURL = b.Platform.Merchant, s.URL })
		b.Pay(p, p.Amount)
		b.sender.Attempt(b.Context(), b.notices(p)[0])
		got := <-requests
		if got.secret != b.Platform.Credentials.NotifySecret || got.body.Merchant != b.Memo.Profile.PublicID || got.body.Profile != b.Platform.Profile.PublicID {
			b.Errorf("%+v", got)
		}
	})
}

// A notice shows the state that caused it, though the payment has moved on.
func TestNoticeShowsTheStateThatCausedIt(t *testing.T) {
	each(t, func(b *bench) {
		requests := make(chan request, 9)
		s := b.serve(func(_ http.ResponseWriter, r *http.Request) { requests <- b.read(r) })
		p := b.Open(b.Memo, 100_000, func(o *core.Opening) { o.NotifyURL = s.URL })
		b.Pay(p, 30_000)
		b.Pay(p, 70_000)
		b.Pay(p, 5_000)
		if now := b.Reload(p); now.Version != 4 || now.State != payment.Approved {
			b.Fatalf("%+v", now)
		}
		items := b.notices(p)
		if len(items) != 3 {
			b.Fatalf("%d notices", len(items))
		}
		for n, want := range []told{
			{Version: 2, State: payment.Open, Received: 30_000, Act: payment.ActPart},
			{Version: 3, State: payment.Approved, Received: 100_000, Act: payment.ActPay},
			{Version: 4, State: payment.Approved, Received: 100_000, Act: payment.ActLate},
		} {
			b.sender.Attempt(b.Context(), items[n])
			got := (<-requests).body
			if got.Version != want.Version || got.State != want.State || got.Received != want.Received || got.Act != want.Act {
				b.Errorf("notice %d tells %+v, want %+v", n+1, got, want)
			}
		}
	})
}

func TestAnswers(t *testing.T) {
	half := strings.Repeat("x", 1023) + "ệ" // its first byte is the last that is kept
	ran := func(r outbox.Result) bool { return !r.Done && !r.GiveUp && !r.Ours }
	status := func(code int, retryAfter string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
		}
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }
	}
	const none = "the answer is no acknowledgement"
	date := coretest.Start.Add(2*time.Hour + 500*time.Millisecond).Format(http.TimeFormat)
	cases := map[string]struct {
		answer http.HandlerFunc
		tries  int64
		status int64
		why    string
		kept   string
		retry  time.Duration
		is     func(outbox.Result) bool
	}{
		"200":                      {text("ok"), 0, 200, "", "ok", 0, func(r outbox.Result) bool { return r.Done }},
		"204":                      {status(204, ""), 0, 204, "", "", 0, func(r outbox.Result) bool { return r.Done }},
		"200 with the wrong text":  {text("no"), 0, 200, none, "no", time.Minute, ran},
		"500":                      {status(500, ""), 0, 500, none, "", time.Minute, ran},
		"500 for the second time":  {status(500, ""), 1, 500, none, "", 2 * time.Minute, ran},
		"500 for the last time":    {status(500, ""), 2, 500, none, "", 3 * time.Minute, func(r outbox.Result) bool { return r.GiveUp }},
		"404":                      {status(404, ""), 0, 404, none, "", time.Minute, ran},
		"410":                      {status(410, ""), 0, 410, none, "", time.Minute, func(r outbox.Result) bool { return r.GiveUp }},
		"429, wait in seconds":     {status(429, "300"), 0, 429, none, "", 5 * time.Minute, ran},
		"503, wait until a date":   {status(503, date), 0, 503, none, "", 2 * time.Hour, ran},
		"503, wait too short":      {status(503, "3"), 0, 503, none, "", time.Minute, ran},
		"503, wait too long":       {status(503, "99999999"), 0, 503, none, "", 24 * time.Hour, ran},
		"503, wait beyond numbers": {status(503, strings.Repeat("9", 40)), 0, 503, none, "", time.Minute, ran},
		"503, wait below nothing":  {status(503, "-300"), 0, 503, none, "", time.Minute, ran},
		"503, wait until the past": {status(503, "Sun, 06 Nov 1994 08:49:37 GMT"), 0, 503, none, "", time.Minute, ran},
		"503, wait in words":       {status(503, "soon"), 0, 503, none, "", time.Minute, ran},
		"no UTF-8":                 {text("\xff\xfeOK\x00"), 0, 200, "", "\uFFFDOK\uFFFD", 0, func(r outbox.Result) bool { return r.Done }},
		"long":                     {text(half), 0, 200, "", half[:1023], 0, func(r outbox.Result) bool { return r.Done }},
		"long and no UTF-8":        {text(strings.Repeat("a\xff", 600)), 0, 200, "", strings.Repeat("a\uFFFD", 256), 0, func(r outbox.Result) bool { return r.Done }},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("x", 4096))
			}
		}, 0, 200, "", strings.Repeat("x", 1024), 0, func(r outbox.Result) bool { return r.Done }},
		"slow header": {func(w http.ResponseWriter, r *http.Request) { hang(r) }, 0, 0, "no full answer in time", "", time.Minute, ran},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			hang(r)
		}, 0, 200, "no full answer in time", "begin", time.Minute, ran},
		"hangs up": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		}, 0, 0, "connection broken", "", time.Minute, ran},
	}
	each(t, func(b *bench) {
		for name, tc := range cases {
			b.Run(name, func(t *testing.T) {
				b := &bench{Env: b.Env, T: t, sender: b.sender}
				item := b.notices(b.paid(b.serve(tc.answer).URL))[0]
				item.Tries = tc.tries
				r := b.sender.Attempt(b.Context(), item)
				a := r.Attempt
				if !tc.is(r) || a.Status != tc.status || a.Error != tc.why || r.Retry != tc.retry || r.Ours {
					b.Errorf("%+v", r)
				}
				if a.Answer != tc.kept || len(a.Answer) > 1024 || !utf8.ValidString(a.Answer) {
					b.Errorf("kept %d bytes: %q", len(a.Answer), a.Answer)
				}
				if tc.status != 0 && a.Duration <= 0 {
					b.Errorf("took %v", a.Duration)
				}
			})
		}
	})
}

// hang answers nothing until the other side gives up.
func hang(r *http.Request) {
	io.Copy(io.Discard, r.Body) // only then the server sees the end of the connection
	<-r.Context().Done()
}

// A redirect is no acknowledgement, and nobody goes there.
func TestRedirectIsNotFollowed(t *testing.T) {
	each(t, func(b *bench) {
		elsewhere := make(chan bool, 9)
		inside := b.serve(func(http.ResponseWriter, *http.Request) { elsewhere <- true })
		for _, code := range []int{301, 302, 303, 307, 308} {
			s := b.serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, code) })
			r := b.sender.Attempt(b.Context(), b.notices(b.paid(s.URL))[0])
			if r.Done || r.GiveUp || r.Attempt.Status != int64(code) || r.Attempt.Error != "the answer is no acknowledgement" {
				b.Errorf("%+v", r)
			}
		}
		if len(elsewhere) > 0 {
			b.Error("a redirect was followed")
		}
	})
}

// In production an address inside is not dialled, and the record says so
// clearly, without the address's path and query.
func TestPrivateAddressIsRefused(t *testing.T) {
	each(t, func(b *bench) {
		reached := make(chan bool, 9)
		s := b.serve(func(http.ResponseWriter, *http.Request) { reached <- true })
		port := s.Listener.Addr().(*net.TCPAddr).AddrPort().Port()
		b.use(guard.Options{AllowPorts: []uint16{port}})
		for target, want := range map[string]string{
			s.URL + "/ipn?token=hidden":     "address " + s.Listener.Addr().String() + " refused: loopback",
			"http://10.1.2.3/ipn":           "address 10.1.2.3:80 refused: private network",
			"http://169.254.169.254/latest": "address 169.254.169.254:80 refused: link-local",
			"https://[fd00::1]/":            "address [fd00::1]:443 refused: private network",
			"http://8.8.8.8:22/":            "address 8.8.8.8:22 refused: port 22",
		} {
			r := b.sender.Attempt(b.Context(), b.notices(b.paid(target))[0])
			if r.Done || r.GiveUp || r.Ours || r.Attempt.Status != 0 || r.Attempt.Error != want || r.Retry != time.Minute {
				b.Errorf("%s: %+v", target, r)
			}
		}
		if len(reached) > 0 {
			b.Error("an address inside was dialled")
		}
	})
}

// What is our own fault is said in words that give nothing away, and does not
// count against the receiver.
func TestOwnFaults(t *testing.T) {
	each(t, func(b *bench) {
		s := b.serve(func(http.ResponseWriter, *http.Request) { b.Error("something was sent") })
		good := b.notices(b.paid(s.URL))[0]
		for name, change := range map[string]func(*store.Item){
			"unknown dialect":   func(i *store.Item) { i.Dialect = "forgotten" },
			"unknown payment":   func(i *store.Item) { i.PaymentID = "nobody" },
			"unknown event":     func(i *store.Item) { i.Version = 77 },
			"address is no URL": func(i *store.Item) { i.Target = "http://a b/" },
		} {
			item := good
			change(&item)
			r := b.sender.Attempt(b.Context(), item)
			if r.Done || r.GiveUp || !r.Ours || r.Retry != time.Hour || r.Attempt.Error != "the notice could not be formed" || r.Attempt.RequestID == "" {
				b.Errorf("%s: %+v", name, r)
			}
			item.Tries = 100
			if r := b.sender.Attempt(b.Context(), item); !r.GiveUp {
				b.Errorf("%s goes on for ever", name)
			}
		}
		over, cancel := context.WithCancel(b.Context())
		cancel()
		r := b.sender.Attempt(over, good)
		if r.Done || r.GiveUp || !r.Ours || r.Retry != time.Second || r.Attempt.Error != "given up by the gateway" {
			b.Errorf("ended context: %+v", r)
		}
	})
}

// The end of the gateway cuts an attempt off in the middle: that is no failure
// of the receiver's.
func TestCutOffInTheMiddle(t *testing.T) {
	each(t, func(b *bench) {
		b.use(guard.Options{AllowLoopback: true})
		ctx, cancel := context.WithCancel(b.Context())
		s := b.serve(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			hang(r)
		})
		r := b.sender.Attempt(ctx, b.notices(b.paid(s.URL))[0])
		if r.Done || r.GiveUp || !r.Ours || r.Retry != time.Second || r.Attempt.Error != "given up by the gateway" {
			b.Errorf("%+v", r)
		}
	})
}
