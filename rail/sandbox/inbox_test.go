package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

type inbox struct {
	Inbox    string
	Status   int
	Received []struct {
		At        string
		Headers   map[string]string
		Body      string
		SecretKey string `json:"secret_key"`
		Status    int
		Asked     *struct {
			Status int
			Body   struct{ Result string }
		}
	}
}

func (w *world) inbox(name string) inbox {
	w.t.Helper()
	var in inbox
	a := w.get("/sandbox/ipn/" + name)
	if a.status != 200 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	a.decode(w.t, &in)
	return in
}

func TestInbox(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		if in := w.inbox("mine"); in.Inbox != "mine" || in.Status != 200 || in.Received == nil || len(in.Received) != 0 {
			t.Errorf("empty: %+v", in)
		}
		for _, c := range []struct{ secret, want string }{
			{"", "absent"}, {w.info.Paykit.IPNSecretKey, "right"}, {w.info.Paykit.Platform.IPNSecretKey, "right"}, {"guess", "wrong"},
		} {
			r := w.request("POST", "/sandbox/ipn/mine", "anything: "+c.want)
			r.Header.Set("X-Two", "a")
			r.Header.Add("X-Two", "b")
			if c.secret != "" {
				r.Header.Set("secret-key", c.secret)
			}
			if a := w.do(r); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
			got := w.inbox("mine").Received[0]
			if got.SecretKey != c.want || got.Body != "anything: "+c.want || got.Headers["x-two"] != "a, b" || got.Status != 200 || got.At == "" || got.Asked != nil {
				t.Errorf("%+v", got)
			}
		}
		for i := range 120 {
			w.post("/sandbox/ipn/mine", fmt.Sprint(i))
		}
		in := w.inbox("mine")
		if len(in.Received) != 100 || in.Received[0].Body != "119" || in.Received[99].Body != "20" {
			t.Errorf("%d kept, %q to %q", len(in.Received), in.Received[0].Body, in.Received[len(in.Received)-1].Body)
		}
		if other := w.inbox("other"); len(other.Received) != 0 {
			t.Error("inboxes are mixed")
		}
	})
}

func TestInboxFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		if a := w.post("/sandbox/ipn/mine?fail=503", "x"); a.status != 503 {
			t.Errorf("fail=503: %d", a.status)
		}
		put := func(body string) answer { return w.do(w.request("PUT", "/sandbox/ipn/mine", body)) }
		if a := put(`{"status":500}`); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := w.post("/sandbox/ipn/mine", "x"); a.status != 500 || w.inbox("mine").Status != 500 {
			t.Errorf("status 500: %d", a.status)
		}
		if a := put(`{"status":204}`); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := w.post("/sandbox/ipn/mine", "x"); a.status != 204 {
			t.Errorf("status 204: %d", a.status)
		}
		if got := w.inbox("mine").Received; len(got) != 3 || got[0].Status != 204 || got[1].Status != 500 || got[2].Status != 503 {
			t.Errorf("%+v", got)
		}
		for _, body := range []string{`{}`, `{"status":null}`, `{"status":"500"}`, `{"status":100}`, `{"status":600}`, `{"status":200.5}`} {
			w.refused(put(body), 400, "status")
		}
		w.refused(put(`[]`), 400, "")
		for _, fail := range []string{"x", "99", "600", "5e2"} {
			w.refused(w.post("/sandbox/ipn/mine?fail="+fail, "x"), 400, "fail")
		}
		w.refused(w.post("/sandbox/ipn/mine", strings.Repeat("x", 64<<10+1)), http.StatusRequestEntityTooLarge, "")
		w.refused(w.get("/sandbox/ipn/a%20b"), 404, "")
		w.refused(w.get("/sandbox/ipn/"+strings.Repeat("x", 65)), 404, "")
		w.refused(w.get("/sandbox/ipn/"), 404, "")
	})
}

// Many names cannot fill the memory: the longest unused inbox goes.
func TestInboxesAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.post("/sandbox/ipn/first", "x")
		w.post("/sandbox/ipn/second", "x")
		for i := range 63 {
			w.post("/sandbox/ipn/first", "again")
			w.post(fmt.Sprintf("/sandbox/ipn/other-%d", i), "x")
		}
		if len(w.inbox("first").Received) == 0 || len(w.inbox("other-62").Received) == 0 {
			t.Error("a used inbox was dropped")
		}
		if len(w.inbox("second").Received) != 0 {
			t.Error("nothing was dropped")
		}
	})
}

// A demo shop asks the gateway before it believes a notification, and only for
// a payment of its own.
func TestDemoShopAsksBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		mid := w.info.Paykit.MID
		for _, c := range []struct{ inbox, body, result string }{
			{"demo", `{"mid":"` + mid + `","payment_id":"` + p.Reference + `"}`, "SUCCESS"},
			{"demo", `{"mid":"` + mid + `","payment":{"id":"` + p.Reference + `"}}`, "SUCCESS"},
			{"demo", `{"mid":"` + mid + `","payment_id":"made-up"}`, "FAILURE"},
			{"demo-platform", `{"mid":"` + w.info.Paykit.Platform.MID + `","payment_id":"` + p.Reference + `"}`, "FAILURE"},
			{"demo", `{"mid":"MC_X","payment_id":"` + p.Reference + `"}`, ""},
			{"demo", `{"mid":["x"]}`, ""},
			{"demo", `not JSON`, ""},
			{"mine", `{"mid":"` + mid + `","payment_id":"` + p.Reference + `"}`, ""},
			{"demo?fail=500", `{"mid":"` + mid + `","payment_id":"` + p.Reference + `"}`, ""},
		} {
			w.post("/sandbox/ipn/"+c.inbox, c.body)
			name, _, _ := strings.Cut(c.inbox, "?")
			got := w.inbox(name).Received[0]
			if (got.Asked == nil) != (c.result == "") || got.Asked != nil && got.Asked.Body.Result != c.result {
				t.Errorf("%s %s: asked %+v", c.inbox, c.body, got.Asked)
			}
		}
	})
}
