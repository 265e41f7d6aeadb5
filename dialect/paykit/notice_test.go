package paykit

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
)

var paid = payment.Payment{
	ID: "01", Reference: "PAY-9001", Amount: 90000, Received: 90000, State: payment.Approved, Version: 2,
	Method: payment.BankTransfer, Methods: []payment.Method{payment.BankTransfer},
	CreatedAt:   time.Date(2025, 3, 4, 5, 30, 0, 0, time.UTC),
	DueAt:       time.Date(2025, 3, 4, 6, 0, 0, 0, time.UTC),
	CompletedAt: time.Date(2025, 3, 4, 5, 41, 12, 7_000_000, time.UTC),
}

func notice(address string, p payment.Payment) dialect.Notice {
	return dialect.Notice{
		Payment: p, PublicID: "MC_077", Secret: "IPNSECRET", URL: address, RequestID: "req-1",
		At: time.Date(2025, 3, 4, 5, 41, 12, 300_000_000, time.FixedZone("", 7*3600)),
	}
}

func TestFullNotice(t *testing.T) {
	got, err := Dialect{}.Notice(notice("https://shop.example.com/ipn", paid))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"request_at":"2025-03-03T22:41:12.300000Z","mid":"MC_077","payment":{"id":"PAY-9001","payment_method":"BANK_TRANSFER",` +
		`"total_amount":90000.0,"captured_amount":90000.0,"refunded_amount":0.0,"refunding_amount":0.0,"currency":"VND",` +
		`"status":"CLOSED","result":"APPROVED","due_time":"2025-03-04T06:00:00.000000Z","start_at":"2025-03-04T05:30:00.000000Z",` +
		`"completed_at":"2025-03-04T05:41:12.007000Z"}}`
	if string(got.Body) != want {
		t.Errorf("\n got %s\nwant %s", got.Body, want)
	}
	if got.Headers["request-id"] != "req-1" || got.Headers["secret-key"] != "IPNSECRET" || got.Headers["Content-Type"] != "application/json" {
		t.Errorf("%v", got.Headers)
	}
}

// P24.
func TestThinNotice(t *testing.T) {
	for _, address := range []string{"http://shop.example.com/ipn", "HTTP://shop.example.com/ipn"} {
		got, err := Dialect{}.Notice(notice(address, paid))
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"request_at":"2025-03-03T22:41:12.300000Z","mid":"MC_077","payment_id":"PAY-9001"}`; string(got.Body) != want {
			t.Errorf("\n got %s\nwant %s", got.Body, want)
		}
		if _, has := got.Headers["secret-key"]; has || got.Headers["request-id"] != "req-1" {
			t.Errorf("%v", got.Headers)
		}
	}
}

func TestNoticeWithoutSecret(t *testing.T) {
	n := notice("https://shop.example.com/ipn", paid)
	n.Secret = ""
	got, err := Dialect{}.Notice(n)
	if _, has := got.Headers["secret-key"]; err != nil || has {
		t.Errorf("%v %v", got.Headers, err)
	}
}

func TestNoticeToNoWeb(t *testing.T) {
	for _, address := range []string{"", "shop.example.com", "ftp://shop.example.com", "https//x", "http://[::1", "javascript:1"} {
		if got, err := (Dialect{}).Notice(notice(address, paid)); err == nil || got.Body != nil {
			t.Errorf("%q: %s", address, got.Body)
		}
	}
}

// P18: nobody chose, the payment expired, and yet the plugin wants a method.
func TestNoticeHasAMethod(t *testing.T) {
	p := paid
	p.State, p.Method, p.CompletedAt = payment.Expired, "", time.Time{}
	p.Methods = []payment.Method{payment.InternationalCard, payment.BankTransfer}
	if got := paymentOf(p).PaymentMethod; got != "" {
		t.Errorf("an answer says %q", got)
	}
	got, err := Dialect{}.Notice(notice("https://shop.example.com/ipn", p))
	if err != nil || !strings.Contains(string(got.Body), `"payment_method":"INTERNATIONAL_CARD"`) {
		t.Errorf("%s %v", got.Body, err)
	}
	if strings.Contains(string(got.Body), "null") || strings.Contains(string(got.Body), "completed_at") {
		t.Errorf("absent optionals must be left out: %s", got.Body)
	}
}

// P21.
func TestOwes(t *testing.T) {
	for _, c := range []struct {
		from, to payment.State
		want     bool
	}{
		{payment.Open, payment.Open, false}, // paid in part, method chosen
		{payment.Open, payment.Processing, true},
		{payment.Open, payment.Approved, true},
		{payment.Open, payment.Expired, true},
		{payment.Expired, payment.Expired, false}, // late money waits for a person
		{payment.Expired, payment.Approved, true},
		{payment.Approved, payment.Voided, true},
		{payment.Approved, payment.Approved, false},
	} {
		if got := (Dialect{}).Owes(payment.Event{From: c.from, To: c.to}); got != c.want {
			t.Errorf("%s -> %s: %v", c.from, c.to, got)
		}
	}
}

// P23.
func TestRetry(t *testing.T) {
	want := []string{"5s", "5m0s", "30m0s", "2h0m0s", "5h0m0s", "10h0m0s", "14h0m0s", "20h0m0s", "24h0m0s"}
	total := time.Duration(0)
	for i, w := range want {
		wait, ok := Dialect{}.Retry(i + 1)
		if !ok || wait.String() != w {
			t.Errorf("after failure %d: %v %v, want %s", i+1, wait, ok, w)
		}
		total += wait
	}
	for _, tries := range []int{-1, 0, 10, 11} {
		if wait, ok := (Dialect{}).Retry(tries); ok || wait != 0 {
			t.Errorf("after failure %d: %v", tries, wait)
		}
	}
	if total > 84*time.Hour {
		t.Errorf("the schedule takes %v", total)
	}
}

// P22.
func TestAccepted(t *testing.T) {
	for status, want := range map[int]bool{0: false, 199: false, 200: true, 204: true, 299: true, 302: false, 400: false, 410: false, 500: false} {
		if got := (Dialect{}).Accepted(status, nil); got != want {
			t.Errorf("%d: %v", status, got)
		}
	}
}

func TestReturn(t *testing.T) {
	const tail = "mid=MC_077&payment_id=PAY-9001&result="
	for _, c := range []struct {
		state               payment.State
		success, cancel, to string
	}{
		{payment.Open, "https://a.vn/", "https://a.vn/", ""},
		{payment.Processing, "https://a.vn/", "https://a.vn/", ""},
		{payment.Approved, "https://a.vn/ok", "https://a.vn/no", "https://a.vn/ok?" + tail + "APPROVED"},
		{payment.Denied, "https://a.vn/ok", "https://a.vn/no", "https://a.vn/no?" + tail + "DENIED"},
		{payment.Canceled, "https://a.vn/ok", "https://a.vn/no", "https://a.vn/no?" + tail + "CANCELED"},
		{payment.Expired, "https://a.vn/ok", "https://a.vn/no", "https://a.vn/no?" + tail + "EXPIRED"},
		{payment.Voided, "https://a.vn/ok", "https://a.vn/no", "https://a.vn/no?" + tail + "CANCELED"},
		{payment.Approved, "https://a.vn", "", "https://a.vn?" + tail + "APPROVED"},
		{payment.Approved, "https://a.vn/?", "", "https://a.vn/?" + tail + "APPROVED"},
		{payment.Approved, "https://a.vn/?key=wc_1", "", "https://a.vn/?key=wc_1&" + tail + "APPROVED"},
		{payment.Approved, "https://a.vn/?key=wc_1&", "", "https://a.vn/?key=wc_1&" + tail + "APPROVED"},
		{payment.Approved, "https://a.vn/?a=%2F+%C3%A1&result=x#top?b=c", "", "https://a.vn/?a=%2F+%C3%A1&result=x&" + tail + "APPROVED#top?b=c"},
		{payment.Approved, "https://a.vn/#", "", "https://a.vn/?" + tail + "APPROVED#"},
		{payment.Approved, "", "https://a.vn/no", ""},
		{payment.Canceled, "https://a.vn/ok", "", ""},
		{"unheard of", "https://a.vn/ok", "https://a.vn/ok", ""},
	} {
		p := paid
		p.State, p.SuccessURL, p.CancelURL = c.state, c.success, c.cancel
		if got := (Dialect{}).Return(p, payment.Profile{PublicID: "MC_077"}); got != c.to {
			t.Errorf("%s:\n got %s\nwant %s", c.state, got, c.to)
		}
	}
}

// Whatever address and id: the three parameters come last and in order, and
// everything else of the address stays as it was.
func TestReturnKeepsTheAddress(t *testing.T) {
	part := rapid.StringMatching(`[a-zA-Z0-9%2F&=+;/?._~-]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		base := "https://shop.example.com/" + rapid.StringMatching(`[a-z/]{0,9}`).Draw(t, "path")
		query := strings.Trim(part.Draw(t, "query"), "&")
		if rapid.Bool().Draw(t, "has query") {
			base += "?" + query
		} else {
			query = ""
		}
		fragment := part.Draw(t, "fragment")
		hasFragment := rapid.Bool().Draw(t, "has fragment")
		whole := base
		if hasFragment {
			whole += "#" + fragment
		}
		p := payment.Payment{State: payment.Approved, SuccessURL: whole, Reference: rapid.StringN(1, 50, -1).Draw(t, "id")}
		mid := rapid.StringN(1, 20, -1).Draw(t, "mid")
		got := Dialect{}.Return(p, payment.Profile{PublicID: mid})

		rest, ok := strings.CutPrefix(got, base)
		if !ok {
			t.Fatalf("%s does not start with %s", got, base)
		}
		rest, gotFragment, found := strings.Cut(rest, "#")
		if found != hasFragment || (hasFragment && gotFragment != fragment) {
			t.Fatalf("%s lost the fragment of %s", got, whole)
		}
		var names, values []string
		for pair := range strings.SplitSeq(strings.TrimLeft(rest, "?&"), "&") {
			name, value, _ := strings.Cut(pair, "=")
			value, err := url.QueryUnescape(value)
			if err != nil {
				t.Fatal(err)
			}
			names, values = append(names, name), append(values, value)
		}
		if strings.Join(names, " ") != "mid payment_id result" || values[0] != mid || values[1] != p.Reference || values[2] != "APPROVED" {
			t.Fatalf("%s: %q = %q", got, names, values)
		}
		for i := range len(rest) {
			if rest[i] <= ' ' || rest[i] >= 0x7f {
				t.Fatalf("%q is not percent-encoded", rest)
			}
		}
	})
}

// Every numbered decision is in the package's documentation and in
// docs/protocol, and a test names it.
func TestDecisions(t *testing.T) {
	read := func(pattern string) string {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		var all strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
	doc, page := read("doc.go"), read("../../docs/protocol/paykit.md")
	tests := read("*_test.go") + read("testdata/*.txtar")
	const last = 34
	for n := 1; n <= last; n++ {
		if !strings.Contains(doc, fmt.Sprintf("- P%d: ", n)) || !strings.Contains(page, fmt.Sprintf("**P%d. ", n)) {
			t.Errorf("P%d is not in both lists", n)
		}
		if !regexp.MustCompile(fmt.Sprintf(`\bP%d\b`, n)).MatchString(tests) {
			t.Errorf("no test names P%d", n)
		}
	}
	if strings.Contains(doc+page, fmt.Sprintf("P%d", last+1)) {
		t.Error("there are more decisions than are checked")
	}
}
