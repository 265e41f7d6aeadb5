package ttdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func schemaOf(t testing.TB, path string) []field {
	t.Helper()
	op, ok := (&handler{}).operations()[strings.ToLower(path)]
	if !ok {
		t.Fatalf("no operation %s", path)
	}
	return op.schema
}

// try validates a body as it would arrive.
func try(schema []field, body string) (values, error) {
	parsed, err := readBody(http.Header{"Content-Type": {"application/json"}}, []byte(body))
	if err != nil {
		return nil, err
	}
	return validate(parsed, schema)
}

// The messages that were observed (source 4).
func TestMessages(t *testing.T) {
	create := schemaOf(t, "/PartnerAPI/CustomerSchedule/user/createPayment")
	for _, c := range []struct{ body, message, path string }{
		{``, `"value" must be an object`, "value"},
		{`[]`, `"value" must be an object`, "value"},
		{`"x"`, `"value" must be an object`, "value"},
		{`{`, `Invalid request payload JSON format`, ""},
		{"{\"a\": \"\xff\"}", `Invalid request payload JSON format`, ""},
		{`{} {}`, `Invalid request payload JSON format`, ""},
		{strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), `Invalid request payload JSON format`, ""},
		{`{}`, `child "customerScheduleId" fails because ["customerScheduleId" is required]`, "customerScheduleId"},
		{`{"customerScheduleId": null}`, `child "customerScheduleId" fails because ["customerScheduleId" must be a number]`, "customerScheduleId"},
		{`{"customerScheduleId": 1e999}`, `child "customerScheduleId" fails because ["customerScheduleId" must be a number]`, "customerScheduleId"},
		{`{"customerScheduleId": "Infinity"}`, `child "customerScheduleId" fails because ["customerScheduleId" must be a number]`, "customerScheduleId"},
		{`{"customerScheduleId": "12abc"}`, `child "customerScheduleId" fails because ["customerScheduleId" must be a number]`, "customerScheduleId"},
		{`{"customerScheduleId": ""}`, `child "customerScheduleId" fails because ["customerScheduleId" must be a number]`, "customerScheduleId"},
		{`{"customerScheduleId": "0x10"}`, `child "customerScheduleId" fails because ["customerScheduleId" must be greater than 0]`, "customerScheduleId"},
		{`{"customerScheduleId": 1, "paymentMethodType": 2, "paymentMethodSubType": "a\u0000b"}`, `child "paymentMethodSubType" fails because ["paymentMethodSubType" must be a string]`, "paymentMethodSubType"},
		{`{"customerScheduleId": 1, "paymentMethodType": 2, "stationServicesList": [1, "x"]}`, `child "stationServicesList" fails because ["stationServicesList" at position 1 fails because ["1" must be a number]]`, "stationServicesList.1"},
		{`{"customerScheduleId": 1, "paymentMethodType": 2, "b": 1, "a": 1}`, `"a" is not allowed`, "a"},
	} {
		_, err := try(create, c.body)
		var bad *invalid
		if !errors.As(err, &bad) || bad.message != c.message || bad.path != c.path {
			t.Errorf("%.60s:\n got %v\nwant %s (%s)", c.body, err, c.message, c.path)
		}
	}
	good, err := try(create, ` {"customerScheduleId": " 12 ", "paymentMethodType": "2.0", "stationServicesList": "[1, \"2\"]"} `)
	if err != nil || good.number("customerScheduleId") != 12 || good.number("paymentMethodType") != 2 || !slices.Equal(good.numbers("stationServicesList"), []int64{1, 2}) {
		t.Errorf("%v, %v", good, err)
	}
}

// raw is a member of a body as it is sent, "" for one that is absent.
func raw(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"", "", "null", "true", "{}", "[]", `""`, `"abc"`, `"12"`, `" 7 "`, `"-3"`, `"1e2"`, `"1.5"`, `"0"`, `"[1]"`, `"{\"a\":1}"`, "0", "-0", "-1", "1.5", "1e3", "1e400",
			"[1, 2]", "[0]", `["3"]`, `["x"]`, "[null]", "[[1]]", `[1, {"a": 1}]`, `{"a": 1}`, `"[0]"`, `"[\"4\"]"`, `"` + strings.Repeat("é", 256) + `"`,
		}),
		rapid.Map(rapid.IntRange(-2, 15), func(n int) string { return fmt.Sprint(n) }),
		rapid.Map(rapid.IntRange(-2, 15), func(n int) string { return fmt.Sprintf("%q", fmt.Sprint(n)) }),
		rapid.Map(rapid.SliceOfN(rapid.IntRange(-1, 5), 0, 4), func(l []int) string { b, _ := json.Marshal(l); return string(b) }),
		rapid.Map(rapid.String(), func(s string) string { b, _ := json.Marshal(s); return string(b) }),
	).Draw(t, label)
}

// The rules of createPayment's page, said once more, one member after the
// other: what the first complaint is, "" for none.
func firstComplaint(body map[string]any) (message, key string) {
	asNumber := func(v any) (n float64, is bool) {
		switch v := v.(type) {
		case float64:
			return v, !math.IsInf(v, 0)
		case string:
			s := strings.Trim(v, " \t\r\n\v\f\u00a0\ufeff")
			if err := json.Unmarshal([]byte(strings.TrimPrefix(s, "+")), &n); err == nil {
				return n, true
			}
		}
		return 0, false
	}
	child := func(name, what string) (string, string) {
		return fmt.Sprintf(`child %q fails because [%q %s]`, name, name, what), name
	}
	above0 := func(name string, required bool) (string, string) {
		v, there := body[name]
		n, is := asNumber(v)
		switch {
		case !there && required:
			return child(name, "is required")
		case !there:
			return "", ""
		case !is:
			return child(name, "must be a number")
		case n <= 0:
			return child(name, "must be greater than 0")
		}
		return "", ""
	}
	if m, k := above0("customerScheduleId", true); m != "" {
		return m, k
	}
	v, there := body["paymentMethodType"]
	n, is := asNumber(v)
	switch {
	case !there:
		return child("paymentMethodType", "is required")
	case !is:
		return child("paymentMethodType", "must be a number")
	case n != math.Trunc(n) || n < 1 || n > 13:
		return child("paymentMethodType", "must be one of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]")
	}
	if m, k := above0("paymentMethodId", false); m != "" {
		return m, k
	}
	if v, there := body["paymentMethodSubType"]; there {
		s, is := v.(string)
		switch {
		case !is || strings.ContainsAny(s, "\x00\ufffd"):
			return child("paymentMethodSubType", "must be a string")
		case s == "":
			return child("paymentMethodSubType", "is not allowed to be empty")
		case utf8.RuneCountInString(s) > 255:
			return child("paymentMethodSubType", "length must be less than or equal to 255 characters long")
		}
	}
	if v, there := body["stationServicesList"]; there {
		if s, is := v.(string); is {
			if json.Unmarshal([]byte(s), &v) != nil {
				v = s
			}
		}
		list, is := v.([]any)
		if !is {
			return child("stationServicesList", "must be an array")
		}
		for i, e := range list {
			what := ""
			if n, is := asNumber(e); !is {
				what = "must be a number"
			} else if n <= 0 {
				what = "must be greater than 0"
			}
			if what != "" {
				return fmt.Sprintf(`child "stationServicesList" fails because ["stationServicesList" at position %d fails because ["%d" %s]]`, i, i, what), fmt.Sprintf("stationServicesList.%d", i)
			}
		}
	}
	if m, k := above0("stationsId", false); m != "" {
		return m, k
	}
	if _, there := body["somethingElse"]; there {
		return `"somethingElse" is not allowed`, "somethingElse"
	}
	return "", ""
}

// Whatever a body says, the validator's verdict is that of the rules.
func TestValidatorAgainstTheRules(t *testing.T) {
	schema := schemaOf(t, "/PartnerAPI/CustomerSchedule/user/createPayment")
	names := []string{"customerScheduleId", "paymentMethodType", "paymentMethodId", "paymentMethodSubType", "stationServicesList", "stationsId", "somethingElse"}
	good := map[string]string{
		"customerScheduleId": "1869", "paymentMethodType": `"2"`, "paymentMethodId": "1", "paymentMethodSubType": `"X"`, "stationServicesList": "[101]", "stationsId": "57",
	}
	// Each member is the one to be spoiled for a while, with or without another,
	// so that few draws see all of them complained of.
	for _, suspect := range append([]string{""}, names...) {
		verdicts := map[string]int{}
		rapid.Check(t, func(t *rapid.T) {
			spoiled := append(rapid.SliceOfN(rapid.SampledFrom(names), 0, 1).Draw(t, "spoiled"), suspect)
			var members []string
			for _, name := range rapid.Permutation(names).Draw(t, "order") {
				text := good[name]
				if slices.Contains(spoiled, name) {
					text = raw(t, name)
				}
				if text != "" {
					members = append(members, fmt.Sprintf("%q: %s", name, text))
				}
			}
			body := "{" + strings.Join(members, ", ") + "}"
			var plain map[string]any
			if err := json.Unmarshal([]byte(body), &plain); err != nil && !strings.Contains(err.Error(), "1e400") {
				t.Fatal(err)
			} else if err != nil {
				return // Go's decoder cannot hold it; TestMessages has it
			}
			message, key := firstComplaint(plain)
			in, err := try(schema, body)
			var bad *invalid
			switch {
			case err == nil && message != "":
				t.Fatalf("%s was taken; the rules say: %s", body, message)
			case err != nil && (!errors.As(err, &bad) || bad.message != message || bad.path != key):
				t.Fatalf("%s\n got %v\nwant %s (%s)", body, err, message, key)
			case err == nil && (in.number("customerScheduleId") == 0 || in.number("paymentMethodType") < 1 || in.number("paymentMethodType") > 13):
				t.Fatalf("%s became %v", body, in)
			}
			verdicts[key]++
		})
		if verdicts[suspect] == 0 {
			t.Errorf("no body was complained of by %q: the test tests nothing", suspect)
		}
	}
}

// No bytes can make the reader panic, and what it takes keeps to the schema.
func FuzzValidate(f *testing.F) {
	h := &handler{}
	var paths []string
	for path := range h.operations() {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for i, body := range []string{
		`{"customerScheduleId": 1869, "paymentMethodType": 2}`, `{"items": [{"orderId": "x", "amount": 1}]}`, `{"filter": {"phone": "1"}}`, `a=1&a=2`, `{"productIds": [1, {"productId": 2}]}`,
	} {
		f.Add(i, "application/json", []byte(body))
		f.Add(i, "application/x-www-form-urlencoded", []byte(body))
	}
	f.Fuzz(func(t *testing.T, n int, kind string, body []byte) {
		op := h.operations()[paths[(n%len(paths)+len(paths))%len(paths)]]
		parsed, err := readBody(http.Header{"Content-Type": {kind}}, body)
		if err != nil {
			return
		}
		in, err := validate(parsed, op.schema)
		var bad *invalid
		if err != nil && (!errors.As(err, &bad) || !bad.member || bad.message == "") {
			t.Fatalf("%q: %v", body, err)
		}
		for _, f := range op.schema {
			if err == nil && f.required && !in.has(f.name) {
				t.Fatalf("%q was taken without %s", body, f.name)
			}
		}
	})
}
