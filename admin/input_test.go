package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// bad lists what is wrong for each kind of field, as JSON.
var bad = map[string][]string{
	"text":   {`null`, `12`, `true`, `[]`, `{}`, `"a\u0000b"`, `"\ud800"`, `"\n"`, `"\u0085"`},
	"filled": {`""`, `"  "`},
	"words":  {`""`, `"card 4111 1111 1111 1111"`},
	"choice": {`null`, `1`, `""`, `"x"`, `["memo"]`},
	"amount": {
		`null`, `true`, `[]`, `{}`, `-1`, `0.5`, `1e-1`, `1.0000001`, `1e15`, `1e400`, `9223372036854775808`, `1234567890123456789012345678901`,
		`""`, `"x"`, `"-5"`, `" 5"`, `"1.000"`, `"5.0"`, `"0x10"`, `"1e3"`, `"NaN"`, `"Infinity"`, `"1234567890123456789012345678901"`, `"٣"`,
	},
	"stock":   {`null`, `true`, `"1"`, `[]`, `{}`, `1.5`, `-2`, `1e3`, `1000000001`, `9223372036854775808`},
	"flag":    {`null`, `"true"`, `0`, `1`, `[]`, `{}`},
	"id":      {`null`, `7`, `""`, `"x"`, `"0199a3c0-7d1e-4c3a-9b1f-3f6f0a9d2c11"`, `"0199a3c07d1e7c3a9b1f3f6f0a9d2c11"`, `"' OR 1=1"`},
	"url":     {`"shop.example"`, `"//shop.example/x"`, `"ftp://shop.example"`, `"javascript:alert(1)"`, `"https://"`, `"https:///x"`, `"https://u:p@shop.example"`, `"https://shop.example/#x"`, `"https://shop example"`},
	"time":    {`null`, `1`, `""`, `"now"`, `"2026-11-22"`, `"2026-11-22T00:00:00"`, `"2026-13-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T00:00:00Z"`},
	"span":    {`null`, `24`, `""`, `"24"`, `"-1h"`, `"721h"`, `"1 day"`, `"1e9h"`},
	"methods": {`null`, `1`, `"card_present"`, `{}`, `[]`, `["cash"]`, `[1]`, `[null]`, `["card_present", "card_present"]`, `[["card_present"]]`},
	"object":  {`null`, `1`, `"x"`, `true`, `[]`, `{"": "x"}`},
	"list": {
		`null`, `1`, `"domestic_card"`, `true`, `{}`, `[]`, `[1]`, `[null]`, `[""]`, `["a\u0000"]`, `[["domestic_card"]]`, `["domestic_card", 1]`,
		`["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]`,
	},
	"whole":  {`null`, `"1"`, `true`, `[]`, `{}`, `0.5`, `1e3`, `1001`, `-1001`, `9223372036854775808`, `-9223372036854775809`},
	"secret": {`null`, `1`, `true`, `[]`, `{}`, `""`, `" "`, `"a\u0000"`},
}

// field is one field of a body: what is wrong for it, and its longest text.
type field struct {
	kinds    string
	longest  int
	required bool
}

// bodies lists every operation with a body and every field of it, with a body
// that would be taken.
var bodies = []struct {
	operation string
	valid     string
	fields    map[string]field
}{
	{"POST /merchants", `{"name": "Quán"}`, map[string]field{
		"name": {"text words", 255, true}, "kind": {"choice", 255, false},
		"min_amount": {"amount", 0, false}, "max_amount": {"amount", 0, false}, "daily_limit": {"amount", 0, false},
	}},
	{"PATCH /merchants/$MERCHANT", `{"daily_limit": 1}`, map[string]field{
		"name": {"text words", 255, false}, "state": {"choice", 255, false},
		"min_amount": {"amount", 0, false}, "max_amount": {"amount", 0, false}, "daily_limit": {"amount", 0, false},
		"ipn_urls": {"object", 0, false}, "success_urls": {"object", 0, false}, "cancel_urls": {"object", 0, false},
		"ipn_urls.test": {"text url", 2000, false}, "success_urls.test": {"text url", 2000, false}, "cancel_urls.test": {"text url", 2000, false},
	}},
	{"POST /merchants/$MERCHANT/profiles", `{"dialect": "test"}`, map[string]field{
		"dialect": {"text filled", 64, true}, "public_id": {"text", 64, false},
		"ipn_url": {"text url", 2000, false}, "success_url": {"text url", 2000, false}, "cancel_url": {"text url", 2000, false},
	}},
	{"POST /merchants/$MERCHANT/keys/rotate", `{"dialect": "test"}`, map[string]field{"dialect": {"text filled", 64, true}, "grace": {"span", 255, false}}},
	{"POST /merchants/$MERCHANT/ipn-secret/rotate", `{"dialect": "test"}`, map[string]field{"dialect": {"text filled", 64, true}}},
	{"POST /merchants/$MERCHANT/receiving-accounts", `{"bin": "970436", "number": "1", "holder": "A", "recognise": "memo"}`, map[string]field{
		"bin": {"text filled", 6, true}, "number": {"text filled", 19, true}, "holder": {"text filled", 100, true}, "recognise": {"choice", 255, true},
		"prefix": {"text", 19, false}, "enabled": {"flag", 0, false},
	}},
	{"PATCH /merchants/$MERCHANT/app", `{"offer_cod": true}`, map[string]field{
		"seller_id": {"text", 255, false}, "order_limit": {"amount", 0, false}, "test_result": {"choice", 255, false}, "offer_cod": {"flag", 0, false},
	}},
	{"POST /sellers", `{"name": "x"}`, map[string]field{"name": {"text words", 255, true}}},
	{"PATCH /sellers/$MERCHANT", `{"active": true}`, map[string]field{"name": {"text words", 255, false}, "active": {"flag", 0, false}}},
	{"POST /products", `{"sku": "A", "seller_id": "$MERCHANT", "name": "x", "price": 1}`, map[string]field{
		"sku": {"text filled", 64, true}, "seller_id": {"id", 255, true}, "name": {"text words", 255, true}, "price": {"amount", 0, true},
		"image_url": {"text url", 2000, false}, "on_sale": {"flag", 0, false}, "stock": {"stock", 0, false},
	}},
	{"PATCH /products/A", `{"price": 1}`, map[string]field{
		"name": {"text words", 255, false}, "price": {"amount", 0, false}, "image_url": {"text url", 2000, false}, "on_sale": {"flag", 0, false}, "stock": {"stock", 0, false},
	}},
	{"POST /customers", `{"name": "x"}`, map[string]field{
		"customer_id": {"text filled", 18, false}, "name": {"text words", 255, true}, "phone": {"text", 255, false}, "email": {"text", 255, false},
		"avatar_url": {"text url", 2000, false},
	}},
	{"POST /customers/7/tokens", `{}`, nil},
	{"POST /orders/1/money-received", `{}`, map[string]field{"amount": {"amount", 0, false}, "reference": {"text", 255, false}}},
	{"POST /orders/1/hand-over", `{}`, nil},
	{"POST /orders/1/complete", `{"comment": "x"}`, map[string]field{"comment": {"text words", 500, true}}},
	{"POST /orders/1/cancel", `{"comment": "x"}`, map[string]field{"comment": {"text words", 500, true}}},
	{"PATCH /receiving-accounts/$ACCOUNT", `{"enabled": false}`, map[string]field{"enabled": {"flag", 0, true}}},
	{"POST /merchants/$MERCHANT/terminals", `{"name": "Quầy 2"}`, map[string]field{
		"name": {"text words", 100, true}, "public_id": {"text filled", 20, false}, "city": {"text filled", 15, false}, "methods": {"methods", 0, false},
		"max_amount": {"amount", 0, false}, "daily_limit": {"amount", 0, false}, "monthly_limit": {"amount", 0, false}, "batch_limit": {"amount", 0, false},
	}},
	{"PATCH /terminals/TID-GOLDEN", `{"state": "active"}`, map[string]field{
		"name": {"text words", 100, false}, "state": {"choice", 255, false}, "city": {"text filled", 15, false}, "methods": {"methods", 0, false},
		"max_amount": {"amount", 0, false}, "daily_limit": {"amount", 0, false}, "monthly_limit": {"amount", 0, false}, "batch_limit": {"amount", 0, false},
	}},
	{"POST /terminals/TID-GOLDEN/key/rotate", `{"grace": "1h"}`, map[string]field{"grace": {"span", 255, false}}},
	{"POST /terminals/TID-GOLDEN/release", `{"reason": "x"}`, map[string]field{"reason": {"text words", 500, true}}},
	{"POST /payments/$PAID/void", `{"reason": "x"}`, map[string]field{"reason": {"text words", 500, true}}},
	{"POST /payments/$OPEN/cancel", `{"reason": "x"}`, map[string]field{"reason": {"text words", 500, true}}},
	{"POST /bank-credits/$LATE/apply", `{"payment_id": "$EXPIRED", "reason": "x"}`, map[string]field{
		"payment_id": {"id", 255, true}, "reason": {"text words", 500, true},
	}},
	{"POST /bank-credits/$LATE/return", `{"reason": "x"}`, map[string]field{"amount": {"amount", 0, false}, "reason": {"text words", 500, true}}},
	{"POST /bank-feeds", `{"name": "casso", "kind": "casso", "secret": "0123456789"}`, map[string]field{
		"name": {"text filled", 40, true}, "kind": {"text filled", 64, true}, "merchant_id": {"id", 255, false},
		"secret": {"secret", 1000, true}, "api": {"object", 0, false},
	}},
	{"PATCH /bank-feeds/feed-one", `{"enabled": false}`, map[string]field{"secret": {"secret", 1000, false}, "api": {"object", 0, false}, "enabled": {"flag", 0, false}}},
	{"POST /connectors", `{"merchant_id": "$MERCHANT", "kind": "scripted", "methods": ["domestic_card"], "config": {"secret": "x"}}`, map[string]field{
		"merchant_id": {"id", 255, true}, "kind": {"text filled", 64, true}, "methods": {"list", 0, true}, "config": {"object", 0, true},
		"name": {"text words", 255, false}, "priority": {"whole", 0, false},
	}},
	{"PATCH /connectors/$CONNECTOR", `{"enabled": false}`, map[string]field{
		"name": {"text words", 255, false}, "methods": {"list", 0, false}, "config": {"object", 0, false}, "priority": {"whole", 0, false}, "enabled": {"flag", 0, false},
	}},
	{"POST /payments/$CARDED/refunds", `{"amount": 1000, "reason": "x"}`, map[string]field{
		"amount": {"amount", 0, true}, "reason": {"text words", 500, true}, "reference": {"text words", 255, false},
	}},
	{"POST /attempts/$UNSURE/recheck", `{}`, nil},
	{"POST /attempts/$UNSURE/judge", `{"paid": false, "reason": "x"}`, map[string]field{"paid": {"flag", 0, true}, "reason": {"text words", 500, true}}},
	{"POST /refunds/$ASKED/recheck", `{}`, nil},
	{"POST /refunds/$BY_HAND/judge", `{"paid": false, "reason": "x"}`, map[string]field{"paid": {"flag", 0, true}, "reason": {"text words", 500, true}}},
	{"POST /notifications/replay", `{"merchant_id": "$MERCHANT", "from": "2026-01-01T00:00:00Z"}`, map[string]field{
		"merchant_id": {"id", 255, true}, "from": {"time", 255, true}, "to": {"time", 255, false}, "state": {"choice", 255, false}, "cursor": {"id", 255, false},
	}},
	{"POST /notifications/$FAILED/replay", `{}`, nil},
	{"POST /tokens", `{"name": "x"}`, map[string]field{"name": {"text words", 100, true}}},
}

// with is a valid body with one field set to some JSON.
func with(t *testing.T, valid, name, value string) string {
	t.Helper()
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(valid), &body); err != nil {
		t.Fatal(err)
	}
	if outer, inner, nested := strings.Cut(name, "."); nested {
		body[outer] = json.RawMessage(`{"` + inner + `": ` + value + `}`)
	} else {
		body[name] = json.RawMessage(value)
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, key := range slices.Sorted(maps.Keys(body)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q: %s", key, body[key])
	}
	return b.String() + "}"
}

// wrong lists the bad values of a field.
func (f field) wrong() []string {
	var values []string
	for kind := range strings.FieldsSeq(f.kinds) {
		values = append(values, bad[kind]...)
	}
	if f.longest > 0 {
		values = append(values, `"`+strings.Repeat("ữ", f.longest+1)+`"`)
	}
	return values
}

// Every field of every body refuses what is wrong for it, under its own name,
// and nothing happens.
func TestBadFields(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.takeCards()
		w.card.Calls()
		w.terminal("TID-GOLDEN")
		names, before := w.names(), w.acts()
		for _, b := range bodies {
			method, path, _ := strings.Cut(names.fill(b.operation), " ")
			valid := names.fill(b.valid)
			refuse := func(name, body string) {
				e := w.refused(422, "invalid_request", method, path, body)
				if len(e.Error.Fields) != 1 || len(e.Error.Fields[name]) == 0 {
					t.Errorf("%s %s: complaints about %v, want one about %s", b.operation, body, e.Error.Fields, name)
				}
			}
			refuse("suprise", with(t, valid, "suprise", `1`))
			for name, f := range b.fields {
				for _, value := range f.wrong() {
					refuse(name, with(t, valid, name, value))
				}
				if f.required {
					refuse(name, without(t, valid, name))
				}
			}
		}
		if calls := w.card.Calls(); w.acts() != before || len(calls) > 0 {
			t.Errorf("something was done all the same: %v", calls)
		}
	})
}

func without(t *testing.T, valid, name string) string {
	t.Helper()
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(valid), &body); err != nil {
		t.Fatal(err)
	}
	delete(body, name)
	out, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The table above has every operation with a body, and every field that the
// document has for it.
func TestEveryFieldIsTried(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]map[string]field{}
	for _, b := range bodies {
		method, path, _ := strings.Cut(b.operation, " ")
		_, pattern := paths().Handler(httptest.NewRequest(method, admin.Prefix+path, nil))
		tried[method+" "+strings.TrimPrefix(pattern, admin.Prefix)] = b.fields
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			fields, ok := tried[method+" "+path]
			if !ok {
				t.Errorf("%s %s is not tried", method, path)
			}
			for name := range op.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
				if _, ok := fields[name]; !ok {
					t.Errorf("%s %s: %s is not tried", method, path, name)
				}
			}
		}
	}
}

func TestBadValuesTogether(t *testing.T) {
	w := newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	w.takeCards()
	names := w.names()
	for _, tc := range []struct{ operation, body, field string }{
		{"POST /merchants", `{"name": "x", "min_amount": 2, "max_amount": 1}`, "min_amount"},
		{"PATCH /merchants/$MERCHANT", `{}`, "name"},
		{"PATCH /merchants/$MERCHANT", `{"ipn_urls": {"paykit": ""}}`, "ipn_urls.paykit"},
		{"PATCH /bank-feeds/feed-one", `{}`, "secret"},
		{"POST /merchants/$MERCHANT/profiles", `{"dialect": "test", "public_id": "../x"}`, "public_id"},
		{"POST /merchants/$MERCHANT/profiles", `{"dialect": "test", "public_id": ".."}`, "public_id"},
		{"POST /merchants/$MERCHANT/receiving-accounts", `{"bin": "97043x", "number": "1", "holder": "A", "recognise": "memo"}`, "bin"},
		{"POST /bank-credits/$LATE/return", `{"amount": 0, "reason": "x"}`, "amount"},
		{"POST /bank-feeds", `{"name": "Über", "kind": "casso", "secret": "0123456789"}`, "name"},
		{"PATCH /connectors/$CONNECTOR", `{}`, "name"},
		{"POST /payments/$CARDED/refunds", `{"amount": 0, "reason": "x"}`, "amount"},
		{"POST /notifications/replay", `{"merchant_id": "$MERCHANT", "from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}`, "to"},
	} {
		method, path, _ := strings.Cut(names.fill(tc.operation), " ")
		if e := w.refused(422, "invalid_request", method, path, names.fill(tc.body)); len(e.Error.Fields[tc.field]) == 0 {
			t.Errorf("%s %s: %v", tc.operation, tc.body, e.Error)
		}
	}
	// What core finds wrong has a message and no field.
	for _, tc := range []struct{ operation, body, message string }{
		{"POST /merchants/$MERCHANT/profiles", `{"dialect": "klingon"}`, "klingon"},
		{"POST /merchants/$MERCHANT/receiving-accounts", `{"bin": "000000", "number": "1", "holder": "A", "recognise": "memo"}`, "bin"},
		{"POST /merchants/$MERCHANT/receiving-accounts", `{"bin": "970436", "number": "1-2", "holder": "A", "recognise": "memo"}`, "number"},
		{"POST /merchants/$MERCHANT/receiving-accounts", `{"bin": "970436", "number": "1", "holder": "A", "recognise": "virtual_account"}`, "prefix"},
		{"POST /connectors", `{"merchant_id": "$MERCHANT", "kind": "nobody", "methods": ["domestic_card"], "config": {}}`, "kind is one of [portal scripted]"},
		{"POST /connectors", `{"merchant_id": "$MERCHANT", "kind": "scripted", "methods": ["momo"], "config": {"secret": "x"}}`, "methods: scripted takes"},
		{"POST /connectors", `{"merchant_id": "$MERCHANT", "kind": "scripted", "methods": ["domestic_card", "domestic_card"], "config": {"secret": "x"}}`, "methods"},
		{"POST /connectors", `{"merchant_id": "$MERCHANT", "kind": "scripted", "methods": ["domestic_card"], "config": {}}`, "config: secret is missing"},
		{"POST /connectors", `{"merchant_id": "$MERCHANT", "kind": "scripted", "methods": ["domestic_card"], "config": {"secret": "x", "secert": "y"}}`, "config: has an unknown member"},
		{"PATCH /connectors/$CONNECTOR", `{"methods": ["cod"]}`, "methods"},
		{"PATCH /connectors/$CONNECTOR", `{"config": {"secret": ""}}`, "config"},
	} {
		method, path, _ := strings.Cut(names.fill(tc.operation), " ")
		if e := w.refused(422, "invalid_request", method, path, names.fill(tc.body)); !strings.Contains(e.Error.Message, tc.message) {
			t.Errorf("%s %s: %v", tc.operation, tc.body, e.Error)
		}
	}
}

func TestBadJSON(t *testing.T) {
	w := newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	before := w.acts()
	for _, tc := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"spaces", " \n ", 400, "invalid_json"},
		{"words", "name=x", 400, "invalid_json"},
		{"cut off", `{"name": "x`, 400, "invalid_json"},
		{"array", `[{"name": "x"}]`, 400, "invalid_json"},
		{"text", `"name"`, 400, "invalid_json"},
		{"null", `null`, 400, "invalid_json"},
		{"NaN", `{"name": "x", "min_amount": NaN}`, 400, "invalid_json"},
		{"trailing", `{"name": "x"} {"name": "y"}`, 400, "invalid_json"},
		{"comma", `{"name": "x",}`, 400, "invalid_json"},
		{"comment", `{"name": "x"} // y`, 400, "invalid_json"},
		{"twice", `{"name": "x", "name": "y"}`, 400, "invalid_json"},
		{"twice, escaped", `{"name": "x", "n\u0061me": "y"}`, 400, "invalid_json"},
		{"not UTF-8", "{\"name\": \"\xff\"}", 400, "invalid_json"},
		{"raw NUL", "{\"name\": \"\x00\"}", 400, "invalid_json"},
		{"byte order mark", "\uFEFF{\"name\": \"x\"}", 400, "invalid_json"},
		{"deep", `{"name": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, 400, "invalid_json"},
		{"deep and open", strings.Repeat(`{"a":`, 10_000), 400, "invalid_json"},
		{"other case", `{"Name": "x"}`, 422, "invalid_request"},
		{"large", `{"name": "` + strings.Repeat("x", 64<<10) + `"}`, 413, "body_too_large"},
		{"2 MiB", strings.Repeat(" ", 2<<20), 413, "body_too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			e := w.refused(tc.status, tc.code, "POST", "/merchants", tc.body)
			if len(e.Error.Message) > 300 {
				t.Errorf("a message of %d bytes", len(e.Error.Message))
			}
		})
	}
	w.t = t
	w.refused(400, "invalid_json", "POST", "/tokens", "")
	for _, headers := range [][2]string{{"Content-Type", "text/plain"}, {"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Type", "application/json; x"}, {"Content-Encoding", "gzip"}} {
		body := `{"name": "x"}`
		r := httptest.NewRequest("POST", admin.Prefix+"/tokens", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+w.token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(headers[0], headers[1])
		if a := w.send(r, body); a.status != 415 {
			t.Errorf("%v: %d %s", headers, a.status, a.body)
		}
	}
	if w.acts() != before {
		t.Error("something was done all the same")
	}
}

func TestBadQueries(t *testing.T) {
	w := newWorld(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	w.takeCards()
	names := w.names()
	cursor := []string{"x", "0199a3c0-7d1e-4c3a-9b1f-3f6f0a9d2c11", "\x00", "\xff"}
	id := []string{"x", "", "0199a3c0-7d1e-4c3a-9b1f-3f6f0a9d2c11", "\x00", "\xff"}
	word := []string{"", "x", "OPEN", "\x00"}
	text := []string{"", "a\x00b", "\xff", strings.Repeat("x", 256)}
	when := []string{"", "x", "2026-11-22", "2026-11-22T00:00:00", "1700000000"}
	limit := []string{"0", "-1", "201", "x", "", "1.5", "99999999999999999999"}
	common := map[string][]string{"limit": limit, "cursor": cursor, "suprise": {"1"}}
	for _, tc := range []struct {
		path   string
		params map[string][]string
	}{
		{"/merchants", map[string][]string{"dialect": text, "public_id": text}},
		{"/merchants/$MERCHANT/profiles", map[string][]string{"cursor": {"nobody", "\x00"}}},
		{"/merchants/$MERCHANT/keys", nil},
		{"/merchants/$MERCHANT/receiving-accounts", nil},
		{"/payments", map[string][]string{"merchant_id": id, "dialect": text, "reference": text, "state": word, "from": when, "to": when}},
		{"/payments/$PAID/events", map[string][]string{"cursor": {"99", "x", "\x00"}}},
		{"/payments/$PAID/refunds", nil},
		{"/payments/$PAID/journal", nil},
		{"/payments/$PAID/credits", nil},
		{"/payments/$PAID/notifications", nil},
		{"/bank-credits", map[string][]string{"merchant_id": id, "source": text, "outcome": word}},
		{"/unapplied", map[string][]string{"merchant_id": id}},
		{"/bank-feeds", map[string][]string{"cursor": {"nobody", "\x00"}}},
		{"/attempts", map[string][]string{"merchant_id": id, "review": {"", "false", "1", "\x00"}}},
		{"/refunds", map[string][]string{"merchant_id": id, "waiting": {"", "false", "1", "\x00"}}},
		{"/connectors", map[string][]string{"merchant_id": id}},
		{"/connector-kinds", map[string][]string{"cursor": {"nobody", "\x00"}}},
		{"/notifications", map[string][]string{"merchant_id": id, "state": word}},
		{"/tokens", nil},
		{"/audit", nil},
	} {
		params := maps.Clone(common)
		maps.Copy(params, tc.params)
		path := names.fill(tc.path)
		for name, values := range params {
			for _, value := range values {
				e := w.refused(422, "invalid_request", "GET", path+"?"+url.Values{name: {value}}.Encode(), "")
				if len(e.Error.Fields[name]) == 0 && len(e.Error.Fields["public_id"]) == 0 {
					t.Errorf("%s?%s=%q: complaints about %v", path, name, value, e.Error.Fields)
				}
			}
		}
		w.refused(422, "invalid_request", "GET", path+"?limit=1&limit=2", "")
		w.refused(400, "invalid_query", "GET", path+"?limit=%zz", "")
		w.refused(400, "invalid_query", "GET", path+"?a;b", "")
	}
}

// What ParseObject takes, encoding/json takes too, and with the same names.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a": 1}`, `{"a": {"b": [1, "x", null, true]}}`, `{"a": 1, "a": 2}`, `[]`, `{"a": 1e999}`, `{"\ud800": "x"}`, "{\"\xff\": 1}", `{"a": [[[[[[[[[1]]]]]]]]]}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := admin.ParseObject(data)
		if err != nil {
			if got != nil || errors.Unwrap(err) != nil {
				t.Fatalf("%v with %v", got, err)
			}
			return
		}
		want := map[string]any{}
		if err := json.Unmarshal(data, &want); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatalf("taken, and encoding/json says %v", err)
		}
		for name := range got {
			if _, ok := want[name]; !ok && len(want) == len(got) {
				t.Fatalf("%q is not in %s", name, data)
			}
		}
	})
}
