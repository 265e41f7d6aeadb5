package paykit

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/payment"
)

// order is a valid checkout; with replaces or removes ("-") keys of payment.
func order(with map[string]string) string {
	keys := []string{"id", "amount", "currency", "description", "due_time", "success_url", "cancel_url", "ipn_url", "display_language"}
	values := map[string]string{
		"id": `"PAY-1"`, "amount": `"100000"`, "currency": `"VND"`,
		"success_url": `"https://shop.example.com/ok"`, "cancel_url": `"https://shop.example.com/back"`,
	}
	for k, v := range with {
		values[k] = v
	}
	var parts []string
	for _, k := range keys {
		if v, ok := values[k]; ok && v != "-" {
			parts = append(parts, `"`+k+`": `+v)
		}
	}
	return `{"payment_method": "BANK_TRANSFER", "payment": {` + strings.Join(parts, ", ") + `}}`
}

// errorsOf is error.field as it would be sent, "" for none.
func errorsOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	b, encodeErr := encode(err)
	if encodeErr != nil {
		t.Fatal(encodeErr)
	}
	return string(b)
}

func TestDecodeCheckout(t *testing.T) {
	got, err := decodeCheckout([]byte(order(map[string]string{
		"id": `"  PAY-7781 "`, "amount": `100000.0`, "description": `"Đơn hàng 7781"`, // P17
		"due_time": `"2025-03-04T13:00:00.123987+07:00"`, "ipn_url": `"https://shop.example.com/ipn"`, "display_language": `"en"`,
	})), false)
	if err != nil {
		t.Fatal(err)
	}
	want := checkoutRequest{
		methods: []payment.Method{payment.BankTransfer}, id: "PAY-7781", amount: 100000, description: "Đơn hàng 7781",
		dueAt:      time.Date(2025, 3, 4, 6, 0, 0, 123_000_000, time.UTC), // P12
		successURL: "https://shop.example.com/ok", cancelURL: "https://shop.example.com/back", ipnURL: "https://shop.example.com/ipn",
		language: "en",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAmounts(t *testing.T) {
	for in, want := range map[string]int64{
		`"100000"`: 100000, `100000`: 100000, `100000.0`: 100000, `"1e5"`: 100000, `1.0E5`: 100000, `"100000.000000"`: 100000,
		`" 7 "`:      7,
		`0.5`:        0, // P11
		`"0.000001"`: 0, `1e23`: 0, `9223372036854775807`: 9223372036854775807, `9223372036854775808`: 0,
		`9007199254740993`: 9007199254740993, // 2^53+1, which no float holds (P10)
	} {
		got, err := decodeCheckout([]byte(order(map[string]string{"amount": in})), false)
		if err != nil || int64(got.amount) != want {
			t.Errorf("%s: %d %s", in, got.amount, errorsOf(t, err))
		}
	}
}

// Every message of every field of payment, word for word.
func TestFieldErrors(t *testing.T) {
	long := strings.Repeat("ộ", 51)
	for _, c := range []struct{ key, value, want string }{
		{"id", `-`, `["This field is required."]`},
		{"id", `null`, `["This field may not be null."]`},
		{"id", `""`, `["This field may not be blank."]`},
		{"id", `" \u00a0\u001f "`, `["This field may not be blank."]`},
		{"id", `true`, `["Not a valid string."]`},
		{"id", `[]`, `["Not a valid string."]`},
		{"id", `["a"]`, `["Not a valid string."]`},
		{"id", `{}`, `["Not a valid string."]`},
		{"id", `"` + long + `"`, `["Ensure this field has no more than 50 characters."]`},
		{"id", `"` + long[:len("ộ")*50] + `"`, ``},
		{"id", `"a\u0000b"`, `["Null characters are not allowed."]`},
		{"id", `"` + long + `\u0000b"`, `["Ensure this field has no more than 50 characters.","Null characters are not allowed."]`},
		{"id", `17`, ``}, // P9
		{"id", `1.50`, ``},

		{"amount", `-`, `["This field is required."]`},
		{"amount", `null`, `["This field may not be null."]`},
		{"amount", `""`, `["A valid number is required."]`},
		{"amount", `true`, `["A valid number is required."]`},
		{"amount", `[1]`, `["A valid number is required."]`},
		{"amount", `{}`, `["A valid number is required."]`},
		{"amount", `"NaN"`, `["A valid number is required."]`},
		{"amount", `"abc"`, `["A valid number is required."]`},
		{"amount", `0`, `["Ensure this value is greater than or equal to 0.000001."]`},
		{"amount", `-5`, `["Ensure this value is greater than or equal to 0.000001."]`},
		{"amount", `0.1234567`, `["Ensure that there are no more than 6 decimal places."]`},
		{"amount", strings.Repeat("9", 31), `["Ensure that there are no more than 30 digits in total."]`},
		{"amount", strings.Repeat("9", 25), `["Ensure that there are no more than 24 digits before the decimal point."]`},
		{"amount", `"` + strings.Repeat("9", 1001) + `"`, `["String value too large."]`},
		{"amount", `1e400`, `["Ensure that there are no more than 30 digits in total."]`},

		{"currency", `-`, `["This field is required."]`},
		{"currency", `null`, `["This field may not be null."]`},
		{"currency", `""`, `["\"\" is not a valid choice."]`},
		{"currency", `"USD"`, `["\"USD\" is not a valid choice."]`},
		{"currency", `"vnd"`, `["\"vnd\" is not a valid choice."]`},
		{"currency", `" VND"`, `["\" VND\" is not a valid choice."]`},
		{"currency", `true`, `["\"True\" is not a valid choice."]`},
		{"currency", `false`, `["\"False\" is not a valid choice."]`},
		{"currency", `704`, `["\"704\" is not a valid choice."]`},
		{"currency", `["VND"]`, `["\"[\"VND\"]\" is not a valid choice."]`},

		{"description", `null`, `["This field may not be null."]`},
		{"description", `""`, `["This field may not be blank."]`},
		{"description", `"` + strings.Repeat("đ", 1024) + `"`, `["Ensure this field has no more than 1023 characters."]`},
		{"description", `"` + strings.Repeat("đ", 1023) + `"`, ``},
		{"description", `false`, `["Not a valid string."]`},

		{"due_time", `null`, `["This field may not be null."]`},
		{"due_time", `"2025-03-04"`, `["` + msgDatetime + `"]`},
		{"due_time", `1741064767`, `["` + msgDatetime + `"]`},
		{"due_time", `""`, `["` + msgDatetime + `"]`},
		{"due_time", `{}`, `["` + msgDatetime + `"]`},
		{"due_time", `"9999-12-31T23:59:59-01:00"`, `["Datetime value out of range."]`},

		{"success_url", `-`, `["This field is required."]`},
		{"success_url", `null`, `["This field may not be null."]`},
		{"success_url", `""`, `["This field may not be blank."]`},
		{"success_url", `5`, `["Enter a valid URL."]`},
		{"success_url", `[]`, `["Not a valid string."]`},
		{"success_url", `"shop"`, `["Enter a valid URL."]`},
		{"success_url", `"` + strings.Repeat("x", 256) + `"`, `["Ensure this field has no more than 255 characters.","Enter a valid URL."]`},
		{"success_url", `"https://shop.example.com/` + strings.Repeat("x", 255) + `"`, `["Ensure this field has no more than 255 characters."]`},
		{"success_url", `"https://shop.example.com/\u0000"`, `["Null characters are not allowed.","Enter a valid URL."]`},
		{"cancel_url", `-`, `["This field is required."]`},
		{"cancel_url", `"ftp://shop.example.com/"`, `["Enter a valid URL."]`},
		{"ipn_url", `null`, `["This field may not be null."]`},
		{"ipn_url", `"http://shop/"`, `["Enter a valid URL."]`},

		{"display_language", `"vi"`, ``},
		{"display_language", `"fr"`, `["\"fr\" is not a valid choice."]`},
		{"display_language", `null`, `["This field may not be null."]`},
	} {
		want := c.want
		if want != "" {
			want = `{"payment":{"` + c.key + `":` + want + `}}`
		}
		_, err := decodeCheckout([]byte(order(map[string]string{c.key: c.value})), false)
		if got := errorsOf(t, err); got != want {
			t.Errorf("%s = %.60s:\n got %s\nwant %s", c.key, c.value, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	bank, domestic, international := payment.BankTransfer, payment.DomesticCard, payment.InternationalCard
	for _, c := range []struct {
		keys string
		want []payment.Method
		errs string
	}{
		{`"payment_method": "BANK_TRANSFER"`, []payment.Method{bank}, ``},
		{`"payment_method": "DOMESTIC_CARD", "available_payment_methods": 5`, []payment.Method{domestic}, ``}, // P14
		{`"available_payment_methods": ["INTERNATIONAL_CARD", "BANK_TRANSFER", "INTERNATIONAL_CARD"]`, []payment.Method{international, bank}, ``},
		{`"other": 1`, nil, `{"payment_method":["This field is required."]}`},
		{`"available_payment_methods": []`, nil, `{"payment_method":["This field is required."]}`}, // P15
		{`"available_payment_methods": null`, nil, `{"available_payment_methods":["This field may not be null."]}`},
		{`"payment_method": null`, nil, `{"payment_method":["This field may not be null."]}`},
		{`"payment_method": null, "available_payment_methods": ["BANK_TRANSFER"]`, nil, `{"payment_method":["This field may not be null."]}`},
		{`"payment_method": "CASH"`, nil, `{"payment_method":["\"CASH\" is not a valid choice."]}`},
		{`"payment_method": ""`, nil, `{"payment_method":["\"\" is not a valid choice."]}`},
		{`"available_payment_methods": "BANK_TRANSFER"`, nil, `{"available_payment_methods":["Expected a list of items but got type \"str\"."]}`},
		{`"available_payment_methods": {}`, nil, `{"available_payment_methods":["Expected a list of items but got type \"dict\"."]}`},
		{`"available_payment_methods": 1.5`, nil, `{"available_payment_methods":["Expected a list of items but got type \"float\"."]}`},
		{`"available_payment_methods": 1`, nil, `{"available_payment_methods":["Expected a list of items but got type \"int\"."]}`},
		{`"available_payment_methods": false`, nil, `{"available_payment_methods":["Expected a list of items but got type \"bool\"."]}`},
		{`"available_payment_methods": ["X", "BANK_TRANSFER", null]`, nil, `{"available_payment_methods":{"0":["\"X\" is not a valid choice."],"2":["This field may not be null."]}}`},
	} {
		body := "{" + c.keys + "," + order(nil)[len(`{"payment_method": "BANK_TRANSFER",`):]
		got, err := decodeCheckout([]byte(body), false)
		if errs := errorsOf(t, err); errs != c.errs || (err == nil && !reflect.DeepEqual(got.methods, c.want)) {
			t.Errorf("%s: %v\n got %s\nwant %s", c.keys, got.methods, errs, c.errs)
		}
	}
}

// All that is wrong is told at once.
func TestAllErrorsTogether(t *testing.T) {
	_, err := decodeCheckout([]byte(`{"payment_method": "CASH", "payment": {"id": "", "amount": "x", "currency": "EUR", "ipn_url": "x"}}`), false)
	want := `{"payment":{"amount":["A valid number is required."],"cancel_url":["This field is required."],"currency":["\"EUR\" is not a valid choice."],` +
		`"id":["This field may not be blank."],"ipn_url":["Enter a valid URL."],"success_url":["This field is required."]},` +
		`"payment_method":["\"CASH\" is not a valid choice."]}`
	if got := errorsOf(t, err); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// P16: a platform's request may hold anything, or nothing, for the three URLs.
func TestPlatformURLsAreIgnored(t *testing.T) {
	for _, v := range []string{"-", "null", "7", `"x"`, `"https://evil.example.com/"`} {
		got, err := decodeCheckout([]byte(order(map[string]string{"success_url": v, "cancel_url": v, "ipn_url": v})), true)
		if err != nil || got.successURL+got.cancelURL+got.ipnURL != "" {
			t.Errorf("%s: %+v %s", v, got, errorsOf(t, err))
		}
	}
}

func TestBodies(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	parse := func(why string) string { return `{"non_field_errors":["JSON parse error - ` + why + `"]}` }
	for _, c := range []struct{ body, want string }{
		{``, parse("the body is empty.")},
		{" \n", parse("the body is empty.")},
		{`{`, parse("the body is not JSON.")},
		{`not json`, parse("the body is not JSON.")},
		{`payment_id=1`, parse("the body is not JSON.")},
		{`{"payment_id": NaN}`, parse("the body is not JSON.")},
		{`{"payment_id": Infinity}`, parse("the body is not JSON.")},
		{"\ufeff" + `{"payment_id": "1"}`, parse("the body is not JSON.")},
		{`{"payment_id": "1",}`, parse("the body is not JSON.")},
		{`{"payment_id": "1"} x`, parse("there is data after the end of the JSON value.")},
		{`{"payment_id": "1"}{}`, parse("there is data after the end of the JSON value.")},
		{"{\"payment_id\": \"\xff\"}", parse("the body is not UTF-8.")},
		{"{\"payment_id\": \"\xed\xa0\x80\"}", parse("the body is not UTF-8.")},
		{deep(33), parse("the body is nested too deeply.")},
		{deep(32), `{"payment_id":["This field is required."]}`},
		{`{"payment_id": "\ud800"}`, parse("a string holds an unpaired surrogate.")}, // P7
		{`{"payment_id": "\udc00\ud800"}`, parse("a string holds an unpaired surrogate.")},
		{`{"payment_id": "\uD83Dx"}`, parse("a string holds an unpaired surrogate.")},
		{`{"payment_id": "\uD83D\u0041"}`, parse("a string holds an unpaired surrogate.")},
		{`{"payment_id": "\uD83D\uDE00\u0041"}`, ``},
		{`{"payment_id": "\\ud800"}`, ``},
		{`null`, `{"non_field_errors":["No data provided"]}`},
		{`[]`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`},
		{`"x"`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}`},
		{`5`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}`},
		{`5e1`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`},
		{`true`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`},
		{`{}`, `{"payment_id":["This field is required."]}`},
		{`{"payment_id": "", "payment_id": "1", "unknown": {"x": [null]}}`, ``}, // P8
	} {
		_, err := decodeRetrievePayment([]byte(c.body))
		if got := errorsOf(t, err); got != c.want {
			t.Errorf("%.50q:\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

func TestNestedObject(t *testing.T) {
	for value, want := range map[string]string{
		`[]`:   `{"payment":{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}}`,
		`"x"`:  `{"payment":{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}}`,
		`null`: `{"payment":["This field may not be null."]}`,
	} {
		_, err := decodeCheckout([]byte(`{"payment_method": "BANK_TRANSFER", "payment": `+value+`}`), false)
		if got := errorsOf(t, err); got != want {
			t.Errorf("%s:\n got %s\nwant %s", value, got, want)
		}
	}
	_, err := decodeCheckout([]byte(`{"payment_method": "BANK_TRANSFER"}`), false)
	if got := errorsOf(t, err); got != `{"payment":["This field is required."]}` {
		t.Error(got)
	}
}

func TestDecodeRefunds(t *testing.T) {
	got, err := decodeRefund([]byte(`{"payment_id": 12, "refund_id": "RF-1", "amount": 20000, "currency": "VND"}`))
	if err != nil || got != (refundRequest{paymentID: "12", refundID: "RF-1", amount: 20000}) {
		t.Errorf("%+v %v", got, err)
	}
	_, err = decodeRefund([]byte(`{"amount": "0.0000001"}`))
	want := `{"amount":["Ensure that there are no more than 6 decimal places."],"currency":["This field is required."],` +
		`"payment_id":["This field is required."],"refund_id":["This field is required."]}`
	if got := errorsOf(t, err); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	_, err = decodeRetrieveRefund([]byte(`{"refund_id": "RF-1"}`))
	if got := errorsOf(t, err); got != `{"payment_id":["This field is required."]}` {
		t.Error(got)
	}
}

// Whatever comes in, the decoder answers a valid request or messages, and both
// can be sent.
func FuzzCheckout(f *testing.F) {
	for _, seed := range []string{
		order(nil), order(map[string]string{"amount": "1e5", "due_time": `"2025-03-04T05:06:07+07:00"`}),
		order(map[string]string{"id": `"\ud83d\ude00"`}), order(map[string]string{"id": `"\ud83d"`}),
		`{"available_payment_methods": ["BANK_TRANSFER", 1, null, {}], "payment": []}`,
		`{"payment_method": {"a": ["b"]}, "payment": {"amount": [[]], "success_url": "http://[::1"}}`,
		`[`, `null`, `"`, "\xff", `{"payment": {"id": "\u0000", "amount": "-1e-999999999999"}}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, platform bool) {
		r, err := decodeCheckout(body, platform)
		if err != nil {
			text, err := encode(err)
			if err != nil || !json.Valid(text) || len(text) < 10 {
				t.Fatalf("%v: %s", err, text)
			}
			return
		}
		n := utf8.RuneCountInString(r.id)
		if n < 1 || n > maxID || strings.TrimSpace(r.id) != r.id || strings.ContainsRune(r.id, 0) || !utf8.ValidString(r.id) {
			t.Errorf("id %q", r.id)
		}
		if len(r.methods) == 0 || r.amount < 0 || utf8.RuneCountInString(r.description) > maxDescription {
			t.Errorf("%+v", r)
		}
		if !platform && (!validURL(r.successURL) || !validURL(r.cancelURL)) {
			t.Errorf("%q %q", r.successURL, r.cancelURL)
		}
		if y := r.dueAt.Year(); y < 1 || y > 9999 || r.dueAt.Nanosecond()%1_000_000 != 0 {
			t.Errorf("due %v", r.dueAt)
		}
	})
}
