package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/thungan/thungan/rail/vietqr"
	load "github.com/thungan/thungan/test/load"
)

// siteFile writes a site at an address.
func siteFile(t *testing.T, address string) string {
	t.Helper()
	s := load.Site{Address: address, Feed: "bench", FeedSecret: "secret", Merchants: []load.Merchant{
		{Key: "k0", Secret: "s0", BIN: "970436", Account: "0"}, {Key: "k1", Secret: "s1", BIN: "970436", Account: "1"},
	}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shop is a gateway that remembers who asked for what.
type shop struct {
	mu    sync.Mutex
	ids   map[string]string // payment id -> key
	calls atomic.Int64
	next  func(call int64, w http.ResponseWriter) bool // may answer instead
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if call := s.calls.Add(1); s.next != nil && s.next(call, w) {
		return
	}
	var sent struct{ Payment struct{ ID string } }
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[sent.Payment.ID] != "" {
		fmt.Fprint(w, `{"result":"FAILURE","gateway_code":"DUPLICATE_PAYMENT_ID"}`)
		return
	}
	s.ids[sent.Payment.ID] = r.Header.Get("api-key")
	fmt.Fprint(w, `{"result":"SUCCESS"}`)
}

func startShop(t *testing.T, next func(int64, http.ResponseWriter) bool) (*shop, string) {
	s := &shop{ids: map[string]string{}, next: next}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, siteFile(t, strings.TrimPrefix(server.URL, "http://"))
}

// A count is done exactly, each payment once, the merchants in turn.
func TestCount(t *testing.T) {
	s, site := startShop(t, nil)
	r, err := run([]string{"-site", site, "-tag", "t", "-c", "8", "-n", "500", "-d", "1m"})
	if err != nil {
		t.Fatal(err)
	}
	if r.All != 500 || r.Done != 500 || r.Failures() != 0 || len(s.ids) != 500 {
		t.Errorf("%+v, %d payments", r, len(s.ids))
	}
	for n := range int64(500) {
		if id := load.Reference("t", n); s.ids[id] != fmt.Sprintf("k%d", n%2) {
			t.Errorf("%s was made by %q", id, s.ids[id])
		}
	}
	if r.PerSecond <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Max < r.P99 || r.CPUSeconds <= 0 || r.Seconds <= 0 || r.Seconds > 60 || r.StartedNS == 0 {
		t.Errorf("%+v", r)
	}
}

// A duration ends a run without a count, and what came before the measurement
// is in All only.
func TestDuration(t *testing.T) {
	s, site := startShop(t, nil)
	r, err := run([]string{"-site", site, "-tag", "t", "-c", "4", "-d", "200ms", "-warmup", "100ms", "-hot"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Seconds != 0.2 || r.All != int64(len(s.ids)) || r.Done == 0 || r.Done >= r.All {
		t.Errorf("%+v, %d payments", r, len(s.ids))
	}
	for id, key := range s.ids {
		if key != "k0" {
			t.Fatalf("%s was not made by the hot merchant", id)
		}
	}
}

func TestErrorsAreCountedByKind(t *testing.T) {
	_, site := startShop(t, func(call int64, w http.ResponseWriter) bool {
		switch call % 5 {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"result":"ERROR","error":{"cause":"SERVER_BUSY"}}`)
		case 2:
			fmt.Fprint(w, `{"result":"FAILURE","gateway_code":"TOTAL_LIMIT"}`)
		case 3:
			panic(http.ErrAbortHandler) // breaks the connection
		default:
			return false
		}
		return true
	})
	r, err := run([]string{"-site", site, "-tag", "t", "-c", "1", "-n", "100", "-d", "1m"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"answer 503 SERVER_BUSY": 20, "answer 200 TOTAL_LIMIT": 20, "connection closed": 20}
	if fmt.Sprint(r.Errors) != fmt.Sprint(want) || r.All != 40 {
		t.Errorf("%d done, %v", r.All, r.Errors)
	}
}

// Nobody is there any more: the workers end by themselves.
func TestGivesUp(t *testing.T) {
	_, site := startShop(t, func(_ int64, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	r, err := run([]string{"-site", site, "-tag", "t", "-c", "2", "-d", "1m"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Errors["answer 500"] != 2*enough || r.All != 0 {
		t.Errorf("%+v", r)
	}
}

func TestRefusesBadFlags(t *testing.T) {
	_, site := startShop(t, nil)
	far := siteFile(t, "192.0.2.1:80")
	for _, args := range [][]string{
		{"-site", site, "-tag", "t", "-c", "0"}, {"-site", site, "-tag", "t", "-d", "0s"}, {"-site", site, "-tag", "t", "-n", "-1"},
		{"-site", site, "-tag", "t", "-mode", "x"}, {"-site", site, "-tag", "a b"}, {"-site", site}, {"-tag", "t"},
		{"-site", site, "-tag", "t", "-mode", "lookup"}, {"-site", site, "-tag", "t", "-batch", "501"}, {"-site", far, "-tag", "t"},
		{"-site", site, "-tag", "t", "-warmup", "-1s"},
	} {
		if r, err := run(args); err == nil {
			t.Errorf("%v gave %+v", args, r)
		}
	}
}

func TestMemoOf(t *testing.T) {
	// The code of this payload has a TG inside; only the whole of it is one.
	const memo = "TG12TG34567Z"
	payload, err := vietqr.Encode(vietqr.Payload{Dynamic: true, BIN: "970436", Account: "001100000001", Amount: load.Amount, Memo: memo})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := memoOf([]byte(`{"vietqr_data":"` + payload + `"}`)); got != memo || err != nil {
		t.Errorf("%q %v", got, err)
	}
	for _, body := range []string{`{}`, `{"vietqr_data":""}`, `{"vietqr_data":"` + payload[:len(payload)-1] + `0"}`} {
		if got, err := memoOf([]byte(body)); err == nil {
			t.Errorf("%s: %q", body, got)
		}
	}
}

func TestLocalPart(t *testing.T) {
	for url, want := range map[string]string{"http://h:1/a?b=c": "/a?b=c", "https://h": "", "/a": "", "": ""} {
		got, err := localPart([]byte(url))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", url, got, err)
		}
	}
}

func TestTemplatesNameEveryReceiver(t *testing.T) {
	o := options{tag: "t", site: load.Site{Address: "127.0.0.1:1", Merchants: make([]load.Merchant, 1), IPN: []string{"http://a/", "http://b/", "http://c/"}}}
	all := templates(o)
	if len(all) != 3 {
		t.Fatalf("%d templates", len(all))
	}
	for i, r := range o.site.IPN {
		if text := string(all[i].Fill(0)); !strings.Contains(text, r) {
			t.Errorf("no %s in %s", r, text)
		}
	}
}
