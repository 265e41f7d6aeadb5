package paykit

import (
	"bytes"
	"errors"
	"time"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// maxDepth bounds the nesting of a request; our own needs two.
const maxDepth = 32

// checkoutRequest is a valid payment-page-checkout.
type checkoutRequest struct {
	methods     []payment.Method // one for payment_method, else the list
	id          string
	amount      money.VND
	description string
	dueAt       time.Time // zero when not given
	successURL  string
	cancelURL   string
	ipnURL      string
	language    string
}

// refundRequest is a valid refund. The look-ups use its ids alone.
type refundRequest struct {
	paymentID string
	refundID  string
	amount    money.VND
}

// decodeCheckout reads the request. With platform set the three URLs are not
// looked at (P16). The error is a fieldErrors.
func decodeCheckout(body []byte, platform bool) (checkoutRequest, error) {
	top, err := decodeObject(body)
	if err != nil {
		return checkoutRequest{}, err
	}
	r := checkoutRequest{methods: readMethods(top)}
	if p, ok := top.object("payment"); ok {
		r.id = p.text("id", maxID, true)
		r.amount = amountOf(p.decimal("amount"))
		p.choice("currency", currencies, true)
		r.description = p.text("description", maxDescription, false)
		r.dueAt = p.datetime("due_time")
		if !platform {
			r.successURL = p.url("success_url", true)
			r.cancelURL = p.url("cancel_url", true)
			r.ipnURL = p.url("ipn_url", false)
		}
		r.language = p.choice("display_language", languages, false)
		top.nest("payment", p)
	}
	return r, top.err()
}

// readMethods reads payment_method, or else available_payment_methods (P14,
// P15).
func readMethods(top *fields) []payment.Method {
	if _, given := top.value.Member("payment_method"); given {
		return methodsOf(top.choice("payment_method", methodNames, true))
	}
	list := top.choices("available_payment_methods", methodNames)
	if len(list) == 0 && top.errs["available_payment_methods"] == nil {
		top.fail("payment_method", []string{msgRequired})
	}
	return methodsOf(list...)
}

func methodsOf(names ...string) []payment.Method {
	var out []payment.Method
	for _, name := range names {
		if m, ok := methodFromWire[name]; ok {
			out = append(out, m)
		}
	}
	return out
}

func decodeRetrievePayment(body []byte) (string, error) {
	top, err := decodeObject(body)
	if err != nil {
		return "", err
	}
	id := top.text("payment_id", maxID, true)
	return id, top.err()
}

func decodeRetrieveRefund(body []byte) (refundRequest, error) {
	top, err := decodeObject(body)
	if err != nil {
		return refundRequest{}, err
	}
	return readRefundIDs(top), top.err()
}

func decodeRefund(body []byte) (refundRequest, error) {
	top, err := decodeObject(body)
	if err != nil {
		return refundRequest{}, err
	}
	r := readRefundIDs(top)
	r.amount = amountOf(top.decimal("amount"))
	top.choice("currency", currencies, true)
	return r, top.err()
}

func readRefundIDs(top *fields) refundRequest {
	return refundRequest{
		paymentID: top.text("payment_id", maxID, true),
		refundID:  top.text("refund_id", maxID, true),
	}
}

// amountOf turns a valid decimal into đồng. What is no whole number of đồng,
// or too many, becomes 0, which core refuses as an invalid amount at its place
// in the order of checks (P11).
func amountOf(decimal string) money.VND {
	v, err := money.Parse(decimal)
	if err != nil {
		return 0
	}
	return v
}

// decodeObject reads a body that has to be one JSON object (P5). Numbers keep
// their digits.
func decodeObject(body []byte) (*fields, error) {
	v, err := httpx.ParseJSON(body, maxDepth)
	switch {
	case err != nil:
		return nil, parseError(err)
	case loneSurrogate(body):
		return nil, badBody("a string holds an unpaired surrogate.")
	case v.Kind == httpx.Null:
		return nil, fieldErrors{nonFieldErrors: []string{msgNoData}}
	case v.Kind != httpx.Object:
		return nil, notObject(v)
	}
	return &fields{value: v}, nil
}

func badBody(why string) fieldErrors {
	return fieldErrors{nonFieldErrors: []string{"JSON parse error - " + why}}
}

func parseError(err error) fieldErrors {
	switch {
	case errors.Is(err, httpx.ErrEmpty):
		return badBody("the body is empty.")
	case errors.Is(err, httpx.ErrNotUTF8):
		return badBody("the body is not UTF-8.")
	case errors.Is(err, httpx.ErrTooDeep):
		return badBody("the body is nested too deeply.")
	case errors.Is(err, httpx.ErrTrailing):
		return badBody("there is data after the end of the JSON value.")
	}
	return badBody("the body is not JSON.")
}

// loneSurrogate says whether valid JSON escapes half a surrogate pair, which
// encoding/json would quietly replace.
func loneSurrogate(body []byte) bool {
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		i++ // what is escaped; valid JSON has it
		if body[i] != 'u' {
			continue
		}
		unit := hex16(body[i+1:])
		i += 4
		if unit < 0xd800 || unit > 0xdfff {
			continue
		}
		rest := body[i+1:]
		if unit > 0xdbff || !bytes.HasPrefix(rest, []byte(`\u`)) {
			return true
		}
		if low := hex16(rest[2:]); low < 0xdc00 || low > 0xdfff {
			return true
		}
		i += 6
	}
	return false
}

// hex16 reads four hexadecimal digits, which valid JSON has there.
func hex16(b []byte) int {
	n := 0
	for _, c := range b[:4] {
		switch {
		case c <= '9':
			n = n<<4 | int(c-'0')
		default:
			n = n<<4 | int(c|0x20-'a'+10)
		}
	}
	return n
}
