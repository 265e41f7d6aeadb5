package appotapay

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// maxDepth bounds the nesting of a request; our own needs one.
const maxDepth = 32

// invalid is a request that is refused for its form: a code, and what is wrong
// in both languages.
type invalid struct {
	code string
	why  message
}

func (i invalid) Error() string { return "appotapay: " + i.code + ": " + i.why.en }

// text is the code's own, and what is wrong.
func (i invalid) text(lang string) string {
	return messages[i.code].in(lang) + ": " + i.why.in(lang)
}

func bad(field, vi, en string) error {
	return invalid{codeInvalid, message{field + " " + vi, field + " " + en}}
}

// createRequest is a valid create.
type createRequest struct {
	reference string
	orderInfo string
	terminal  string
	method    payment.Method
	amount    money.VND
	phone     string
}

var referenceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,26}$`)

// decodeCreate reads the request. The error is an invalid.
func decodeCreate(body []byte) (createRequest, error) {
	o, err := decodeObject(body)
	if err != nil {
		return createRequest{}, err
	}
	var r createRequest
	if r.reference, err = o.text("partner_ref_id", maxReference); err != nil {
		return r, err
	}
	if !referenceForm.MatchString(r.reference) {
		return r, bad("partner_ref_id", "chỉ gồm a-z, A-Z, 0-9, _ và -", "may have only a-z, A-Z, 0-9, _ and -")
	}
	if r.orderInfo, err = o.text("order_info", maxOrderInfo); err != nil {
		return r, err
	}
	if r.terminal, err = o.text("terminal_id", maxTerminal); err != nil {
		return r, err
	}
	method, err := o.text("payment_method", maxTerminal)
	if err != nil {
		return r, err
	}
	var known bool
	if r.method, known = methodFromWire[method]; !known {
		return r, bad("payment_method", "phải là POS hoặc QR", "has to be POS or QR")
	}
	if o.has("customer_phone_number") {
		if r.phone, err = o.text("customer_phone_number", maxPhone); err != nil {
			return r, err
		}
	}
	r.amount, err = o.amount("amount")
	return r, err
}

// object is a JSON object whose members are read one by one.
type object map[string]any

// decodeObject reads a body that has to be one JSON object. Numbers keep their
// digits; of two equal keys the last counts.
func decodeObject(body []byte) (object, error) {
	noJSON := bad("body", "phải là một JSON object (UTF-8)", "has to be one JSON object in UTF-8")
	if httpx.CheckJSON(body, maxDepth) != nil {
		return nil, noJSON
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, noJSON
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, noJSON
	}
	return o, nil
}

// has says whether an optional member says anything (A9).
func (o object) has(name string) bool {
	v := o[name]
	s, isText := v.(string)
	return v != nil && (!isText || strings.TrimSpace(s) != "")
}

// text reads a text of 1 to limit characters that is no control character.
func (o object) text(name string, limit int) (string, error) {
	v, there := o[name]
	s, isText := v.(string)
	switch {
	case !there || v == nil || s == "" && isText:
		return "", bad(name, "bị thiếu", "is missing")
	case !isText:
		return "", bad(name, "phải là chuỗi", "has to be a string")
	case utf8.RuneCountInString(s) > limit:
		return "", bad(name, "dài quá "+strconv.Itoa(limit)+" ký tự", "has more than "+strconv.Itoa(limit)+" characters")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		return "", bad(name, "có ký tự không hợp lệ", "has characters that are no text")
	case strings.TrimSpace(s) == "":
		return "", bad(name, "bị thiếu", "is missing")
	case pan.Stands(s): // core would refuse it, and could not say so in Vietnamese
		return "", bad(name, "có số thẻ, hoặc dãy số giống số thẻ; không nhận số thẻ ở đây", "has a card number in it, or what looks like one; card numbers are not taken here")
	}
	return s, nil
}

// amount reads whole đồng (A10).
func (o object) amount(name string) (money.VND, error) {
	v, there := o[name]
	if !there || v == nil {
		return 0, bad(name, "bị thiếu", "is missing")
	}
	n, ok := v.(json.Number)
	if !ok {
		return 0, bad(name, "phải là số nguyên", "has to be an integer")
	}
	amount, err := money.Parse(n.String())
	switch {
	case errors.Is(err, money.ErrRange) && !strings.HasPrefix(n.String(), "-"), err == nil && amount > core.MaxAmount:
		return 0, invalid{codeOverLimit, message{"nhiều hơn 13 chữ số", "it has more than 13 digits"}}
	case err != nil && !errors.Is(err, money.ErrRange):
		return 0, bad(name, "phải là số nguyên", "has to be an integer")
	case err != nil || amount < minAmount:
		return 0, invalid{codeAmount, message{"tối thiểu 10000", "the least is 10000"}}
	}
	return amount, nil
}

// listRequest is a valid list.
type listRequest struct {
	page   int // from 1
	limit  int
	method payment.Method // "" for both
}

// decodeList reads the query (A23).
func decodeList(query string) (listRequest, error) {
	var r listRequest
	q, err := url.ParseQuery(query)
	if err != nil {
		return r, bad("query", "không hợp lệ", "cannot be read")
	}
	if r.page, err = count(q, "page"); err != nil {
		return r, err
	}
	if r.limit, err = count(q, "limit"); err != nil {
		return r, err
	}
	r.limit = min(r.limit, maxLimit)
	if method := q.Get("payment_method"); method != "" {
		var known bool
		if r.method, known = methodFromWire[method]; !known {
			return r, bad("payment_method", "phải là POS hoặc QR", "has to be POS or QR")
		}
	}
	return r, nil
}

// count reads a number of 1 to 9 digits above zero.
func count(q url.Values, name string) (int, error) {
	const maxDigits = 9
	text := q.Get(name)
	if text == "" {
		return 0, bad(name, "bị thiếu", "is missing")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || len(text) > maxDigits || text[0] == '+' {
		return 0, bad(name, "phải là số nguyên từ 1", "has to be a whole number from 1")
	}
	return n, nil
}
