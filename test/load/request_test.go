package load

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/rail"
	"github.com/thungan/thungan/rail/bankfeed"
)

var site = Site{
	Address: "127.0.0.1:8080", Feed: "bench", FeedSecret: "a secret that signs",
	Merchants: []Merchant{{ID: "m", Key: "key", Secret: "secret", BIN: "970436", Account: "001100000001"}},
}

// parsed reads a request as Go's server would, to the last byte.
func parsed(t *testing.T, text []byte) (*http.Request, string) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(string(text)))
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || r.Buffered() > 0 {
		t.Fatalf("%v, %d bytes too many in %q", err, r.Buffered(), text)
	}
	return req, string(body)
}

func TestCheckoutRequest(t *testing.T) {
	template := CheckoutRequest(site, site.Merchants[0], "tag", "http://127.0.0.1:1/ipn", time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC))
	copied := template.Copy()
	for _, n := range []int64{7, 123_456_789, 0} {
		req, body := parsed(t, copied.Fill(n))
		if req.Method != "POST" || req.URL.Path != "/v2/payment-page-checkout" || req.Header.Get("api-key") != "key" || req.Header.Get("secret-key") != "secret" {
			t.Errorf("request %+v", req)
		}
		var sent struct {
			Payment struct {
				ID  string `json:"id"`
				IPN string `json:"ipn_url"`
				Due string `json:"due_time"`
			}
		}
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatal(err)
		}
		if p := sent.Payment; p.ID != Reference("tag", n) || p.IPN != "http://127.0.0.1:1/ipn" || p.Due != "2027-01-02T03:04:05.000000Z" {
			t.Errorf("payment %d: %s", n, body)
		}
	}
	if _, body := parsed(t, template.Fill(1)); !strings.Contains(body, Reference("tag", 1)) {
		t.Error("a copy shares bytes with the original")
	}
	var borrowed Template
	borrowed.Borrow(template)
	if _, body := parsed(t, borrowed.Fill(2)); !strings.Contains(body, Reference("tag", 2)) {
		t.Errorf("borrowed: %s", body)
	}
}

func TestLookupAndPageRequest(t *testing.T) {
	if req, body := parsed(t, LookupRequest(site, site.Merchants[0], "tag").Fill(3)); req.URL.Path != "/v2/retrieve-payment" || body != `{"payment_id":"tag-000000003"}` {
		t.Errorf("%s %s", req.URL, body)
	}
	if req, _ := parsed(t, PageRequest(site, []byte("/merchant/M/payment/P?key=k"))); req.Method != "GET" || req.URL.Query().Get("key") != "k" {
		t.Errorf("%s %s", req.Method, req.URL)
	}
}

// The bank's message is one that the real feed believes and reads.
func TestCreditRequest(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	req, body := parsed(t, CreditRequest(site, []Transfer{
		{ID: "a-1", Account: "001100000001", BIN: "970436", Memo: "TG123456789A"}, {ID: "a-2", Account: "001100000002", BIN: "970436", Memo: "TGBCDEFGHJKM"},
	}, now))
	if req.URL.Path != bankfeed.Prefix+"bench" {
		t.Error(req.URL)
	}
	if err := (bankfeed.Generic{}).Verify(rail.Message{Header: req.Header, Body: []byte(body)}, site.FeedSecret, now); err != nil {
		t.Error(err)
	}
	read, err := bankfeed.Generic{}.Parse([]byte(body))
	if err != nil || len(read.Credits) != 2 {
		t.Fatalf("%+v %v", read, err)
	}
	if c := read.Credits[1]; c.ExternalID != "a-2" || c.Account != "001100000002" || c.Amount != Amount || !strings.Contains(c.Memo, "TGBCDEFGHJKM") || !c.OccurredAt.Equal(now) {
		t.Errorf("%+v", c)
	}
}

func TestTextOf(t *testing.T) {
	body := []byte(`{"a":"","checkout_url":"https://x/y","end":"no`)
	for key, want := range map[string]string{"checkout_url": "https://x/y", "a": "", "b": "", "end": ""} {
		if got := string(TextOf(body, key)); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if !Has([]byte(`{"result":"SUCCESS"}`), "result", "SUCCESS") || Has([]byte(`{"result":"FAILURE"}`), "result", "SUCCESS") {
		t.Error("Has")
	}
}

func TestCheckTag(t *testing.T) {
	for tag, ok := range map[string]bool{"run1": true, "": false, "a b": false, `a"`: false, strings.Repeat("a", 25): false, "ơ": false} {
		if err := CheckTag(tag); (err == nil) != ok {
			t.Errorf("%q: %v", tag, err)
		}
	}
}

func TestDeliveriesPerSecond(t *testing.T) {
	for _, test := range []struct {
		d    Deliveries
		want float64
	}{
		{Deliveries{}, 0},
		{Deliveries{Count: 1, FirstNS: 5, LastNS: 5}, 0},
		{Deliveries{Count: 11, FirstNS: 0, LastNS: int64(2 * time.Second)}, 5},
	} {
		if got := test.d.PerSecond(); got != test.want {
			t.Errorf("%+v: %v, want %v", test.d, got, test.want)
		}
	}
}
