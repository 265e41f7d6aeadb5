package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/thungan/thungan/rail/bankfeed"
)

// Amount is what every payment of the benchmark is for, đồng.
const Amount = 250_000

// Template is a request whose bytes are made once; only the digits of its
// reference change.
type Template struct {
	text []byte
	at   []int // where the digits stand
}

// Fill puts number n into the request and returns its bytes, which are good
// until the next Fill of the same copy.
func (t *Template) Fill(n int64) []byte {
	for _, at := range t.at {
		digits := t.text[at : at+Digits]
		for i, rest := Digits-1, n; i >= 0; i-- {
			digits[i] = byte('0' + rest%10)
			rest /= 10
		}
	}
	return t.text
}

// Copy is for another goroutine.
func (t *Template) Copy() *Template { return &Template{text: bytes.Clone(t.text), at: t.at} }

// Borrow makes t a copy of another template, in t's own memory.
func (t *Template) Borrow(other *Template) {
	t.text = append(t.text[:0], other.text...)
	t.at = other.at
}

// newTemplate finds where the digits stand: behind the tag's first number.
func newTemplate(text []byte, tag string) *Template {
	mark := []byte(Reference(tag, 0))
	t := &Template{text: text}
	for from := 0; ; {
		at := bytes.Index(text[from:], mark)
		if at < 0 {
			return t
		}
		from += at + len(mark)
		t.at = append(t.at, from-Digits)
	}
}

func post(s Site, path string, m Merchant, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\napi-key: %s\r\nsecret-key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, s.Address, m.Key, m.Secret, len(body), body)
}

// CheckoutRequest creates a Paykit payment, of the size that a shop's really
// has. The notify address is ipn, "" for none.
func CheckoutRequest(s Site, m Merchant, tag, ipn string, due time.Time) *Template {
	body := `{"payment_method":"BANK_TRANSFER","payment":{"id":"` + Reference(tag, 0) + `","amount":"` + strconv.Itoa(Amount) + `","currency":"VND",` +
		`"success_url":"https://shop.example.com/checkout/return/success","cancel_url":"https://shop.example.com/checkout/return/cancel",`
	if ipn != "" {
		body += `"ipn_url":"` + ipn + `",`
	}
	body += `"description":"Đơn hàng cà phê và bánh mì, giao trong ngày","due_time":"` + due.UTC().Format("2006-01-02T15:04:05.000000Z") + `","display_language":"vi"}}`
	return newTemplate(post(s, "/v2/payment-page-checkout", m, body), tag)
}

// LookupRequest asks for a payment.
func LookupRequest(s Site, m Merchant, tag string) *Template {
	return newTemplate(post(s, "/v2/retrieve-payment", m, `{"payment_id":"`+Reference(tag, 0)+`"}`), tag)
}

// PageRequest asks for a payment page.
func PageRequest(s Site, target []byte) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\nAccept-Language: vi\r\n\r\n", target, s.Address)
}

// Transfer is what a payer sends for one payment.
type Transfer struct {
	ID      string // the bank's
	Account string
	BIN     string
	Memo    string
}

// CreditRequest is a signed message of the site's feed that tells of transfers
// which came in at a moment.
func CreditRequest(s Site, transfers []Transfer, at time.Time) []byte {
	body := []byte(`{"transactions":[`)
	for i, t := range transfers {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"id":%q,"bin":%q,"account":%q,"amount":%d,"currency":"VND","direction":"in","memo":%q,"reference":%q,"occurred_at":%q}`,
			t.ID, t.BIN, t.Account, Amount, t.Memo+" thanh toan don hang", "FT"+t.ID, at.UTC().Format(time.RFC3339))
	}
	body = append(body, "]}"...)
	head := fmt.Appendf(nil, "POST %s%s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		bankfeed.Prefix, s.Feed, s.Address, bankfeed.SignatureHeader, bankfeed.Sign(s.FeedSecret, at, body), len(body))
	return append(head, body...)
}

// TextOf finds "key":"value" in compact JSON and returns the value as it
// stands, nil when there is none. It is for our own gateway's answers, whose
// values have no escapes in the fields that the benchmark needs.
func TextOf(body []byte, key string) []byte {
	mark := `"` + key + `":"`
	at := bytes.Index(body, []byte(mark))
	if at < 0 {
		return nil
	}
	value := body[at+len(mark):]
	end := bytes.IndexByte(value, '"')
	if end < 0 {
		return nil
	}
	return value[:end]
}

// Has says whether "key":"value" stands in compact JSON.
func Has(body []byte, key, value string) bool {
	return bytes.Contains(body, []byte(`"`+key+`":"`+value+`"`))
}
