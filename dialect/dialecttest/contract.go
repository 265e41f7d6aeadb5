package dialecttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

var methods = []payment.Method{"", payment.BankTransfer, payment.DomesticCard, payment.InternationalCard}

// contract holds the dialect against what package dialect promises, without a
// database.
func (s Suite) contract(t *testing.T) {
	if name := s.Dialect.Name(); name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		t.Errorf("name %q", name)
	}
	t.Run("notices", s.notices)
	t.Run("retry", s.retry)
	t.Run("accepted", s.accepted)
	t.Run("owes", s.owes)
	t.Run("return", s.returns)
}

// notices: every state, method and age of a payment can be told, the same input
// gives the same request, and nothing secret goes over http.
func (s Suite) notices(t *testing.T) {
	for _, state := range payment.States {
		for _, method := range methods {
			for _, version := range []int64{1, 2, 1 << 40} {
				p := somePayment(state, method)
				p.Version = version
				for _, address := range []string{"https://shop.example.com/ipn?a=b", "http://shop.example.com/ipn"} {
					s.notice(t, fmt.Sprintf("%s, %q, version %d, %s", state, method, version, address), someNotice(p, address))
				}
			}
		}
	}
	for _, address := range []string{"", "://", "ftp://shop.example.com/", "http://[::1", "\x00"} {
		// An address that cannot be dialled may fail, but not panic.
		_, _ = s.Dialect.Notice(someNotice(somePayment(payment.Approved, payment.BankTransfer), address))
	}
	_, _ = s.Dialect.Notice(dialect.Notice{})
	if d, ok := s.Dialect.(dialect.Signing); ok && d.SignsNotices() {
		n := someNotice(somePayment(payment.Approved, payment.BankTransfer), "https://shop.example.com/ipn")
		n.Secret = ""
		if r, err := s.Dialect.Notice(n); !errors.Is(err, dialect.ErrNoSecret) {
			t.Errorf("a notice is signed with no secret: %v, %v", r.Headers, err)
		}
	}
}

func (s Suite) notice(t *testing.T, name string, n dialect.Notice) {
	first, err := s.Dialect.Notice(n)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	again, err := s.Dialect.Notice(n)
	if err != nil || string(again.Body) != string(first.Body) || !maps.Equal(again.Headers, first.Headers) {
		t.Errorf("%s: two notices of one input differ (%v)", name, err)
	}
	if len(first.Body) == 0 || !utf8.Valid(first.Body) {
		t.Errorf("%s: body %q", name, first.Body)
	}
	if strings.Contains(first.Headers["Content-Type"], "json") && !json.Valid(first.Body) {
		t.Errorf("%s: not JSON: %s", name, first.Body)
	}
	all := string(first.Body)
	for key, value := range first.Headers {
		if key == "" || strings.ContainsAny(key+value, "\r\n\x00") {
			t.Errorf("%s: header %q: %q", name, key, value)
		}
		all += value
	}
	if strings.HasPrefix(n.URL, "http://") && strings.Contains(all, n.Secret) {
		t.Errorf("%s: the secret goes over http", name)
	}
	if strings.Contains(all, n.Profile.NotifySecret) {
		t.Errorf("%s: the sealed secret leaves the house", name)
	}
}

// retry: the waits are positive, never shrink, and end.
func (s Suite) retry(t *testing.T) {
	last := time.Duration(0)
	for tries := 1; ; tries++ {
		wait, more := s.Dialect.Retry(tries)
		if !more {
			if later, ok := s.Dialect.Retry(tries + 1); ok {
				t.Errorf("ended after %d failures and goes on with %v", tries, later)
			}
			break
		}
		if wait <= 0 || wait < last {
			t.Errorf("after failure %d: %v, before it %v", tries, wait, last)
		}
		if tries > 1000 {
			t.Fatal("never ends")
		}
		last = wait
	}
	for _, tries := range []int{0, -1, 1 << 40, -1 << 40} {
		s.Dialect.Retry(tries) // must not panic
	}
}

// accepted: nothing but a 2xx can be an acknowledgement.
func (s Suite) accepted(t *testing.T) {
	bodies := [][]byte{nil, {}, []byte("OK"), []byte("{}"), []byte("null"), []byte("[1]"), []byte("\xff\x00"), []byte(strings.Repeat("{", 1024))}
	for status := -1; status < 700; status++ {
		for _, body := range bodies {
			if s.Dialect.Accepted(status, body) && (status < 200 || status > 299) {
				t.Errorf("%d %q counts as taken", status, body)
			}
		}
	}
}

// owes: every event can be asked about, and each that ends the offer is told.
func (s Suite) owes(t *testing.T) {
	for _, a := range payment.Arrows {
		owed := s.Dialect.Owes(payment.Event{Version: 2, Act: a.Act, From: a.From, To: a.To})
		if !a.From.Closed() && a.To.Closed() && !owed {
			t.Errorf("%s --%s--> %s is not told", a.From, a.Act, a.To)
		}
	}
	s.Dialect.Owes(payment.Event{})
}

// returns: any payment has a way back or none, and only a closed one has.
func (s Suite) returns(t *testing.T) {
	addresses := []string{
		"", "https://shop.example.com", "https://shop.example.com/ok?key=1#top", "http://shop.example.com/?",
		"https://shop.example.com/" + strings.Repeat("x", 230), "#", "?", "not a url", "\x00", "https://[::1",
	}
	for _, state := range append([]payment.State{"", "unheard of"}, payment.States...) {
		for _, address := range addresses {
			p := somePayment(state, payment.BankTransfer)
			p.SuccessURL, p.CancelURL = address, address
			got := s.Dialect.Return(p, someProfile())
			if got != "" && !state.Closed() {
				t.Errorf("%s leads back to %s", state, got)
			}
			if u, err := url.Parse(address); err == nil && u.Host != "" && got != "" {
				if back, err := url.Parse(got); err != nil || back.Host != u.Host || back.Scheme != u.Scheme {
					t.Errorf("%s became %s", address, got)
				}
			}
		}
	}
	s.Dialect.Return(payment.Payment{}, payment.Profile{})
}

func somePayment(state payment.State, method payment.Method) payment.Payment {
	p := payment.Payment{
		ID: "0195c0de-0000-7000-8000-000000000001", MerchantID: "0195c0de-0000-7000-8000-000000000002",
		Reference: "Đơn <1> & \"2\" 😀\u2028", Version: 2, Amount: 100_000, State: state, Method: method,
		Methods: []payment.Method{payment.BankTransfer, payment.DomesticCard}, Description: "Thử",
		CreatedAt: Start, DueAt: Start.Add(30 * time.Minute), UpdatedAt: Start.Add(time.Minute),
	}
	if state == payment.Approved || state == payment.Voided {
		p.Received, p.CompletedAt = money.VND(100_000), Start.Add(time.Minute)
	}
	return p
}

func someProfile() payment.Profile {
	return payment.Profile{PublicID: "MC_001", NotifyURL: "https://shop.example.com/ipn", NotifySecret: "SEALEDSEALEDSEALED"}
}

func someNotice(p payment.Payment, address string) dialect.Notice {
	return dialect.Notice{
		Payment: p, Profile: someProfile(), PublicID: "MC_001", Secret: "TOPSECRETTOPSECRET", URL: address,
		Event:     payment.Event{PaymentID: p.ID, Version: p.Version, Act: payment.ActPay, From: payment.Open, To: p.State, At: p.UpdatedAt, Method: p.Method},
		RequestID: "request-1", At: Start.Add(2 * time.Minute),
	}
}
