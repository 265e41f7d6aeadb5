package tiki

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/thungan/thungan/order"
)

// FuzzOrder: whatever comes is read whole or refused with what is wrong, and
// what is read is within the limits.
func FuzzOrder(f *testing.F) {
	for _, seed := range []string{
		`{"customer_id":"7","items":[{"name":"Cà phê sữa","quantity":2,"price":15000}],"shipping_fee":5000,"extra":"k=v","reference_id":"R-1"}`,
		`{"customer_id":"7","items":[{"name":"x","sku":"A","quantity":1,"metadata":{"sections":[{"header":"h","fields":[{"type":"images","name":"n","value":["https://a.example/1"]}]}]}}]}`,
		`{"customer_id":null,"items":[null,{}],"shipping_address":{"name":1}}`, `[]`, `{`, ``, "\xff", `{"items":{"a":[]}}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, bySKU bool) {
		p, err := decodeOrder(body, bySKU)
		if err != nil {
			if bad, ok := err.(invalid); !ok || len(bad) == 0 || len(bad) > maxProblems {
				t.Fatalf("%v", err)
			}
			return
		}
		if p.CustomerID == "" || len(p.Lines) == 0 || len(p.Lines) > maxItems || p.ShippingFee < 0 {
			t.Fatalf("%+v", p)
		}
		for _, l := range p.Lines {
			if l.Name == "" || l.Quantity < 1 || l.Quantity > maxQuantity || l.Price < 0 || bySKU != (l.SKU != "") {
				t.Fatalf("%+v", l)
			}
		}
		if _, err := order.Sum(p.Lines, p.ShippingFee); err != nil {
			t.Logf("too much: %v", err) // core says so
		}
	})
}

func FuzzEnding(f *testing.F) {
	f.Add([]byte(`{"order_id":"1","comment":"x","push_opts":{"page_path":"pages/x"}}`))
	f.Add([]byte(`{"order_id":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if e, err := decodeEnding(body); err == nil && (e.OrderID == "" || e.Comment == "") {
			t.Fatalf("%+v", e)
		}
	})
}

// FuzzQuery: a document is read or refused, and its values resolve.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		`mutation make_payment($order_id: String!, $config: TransactionConfig = {a: [1, "x", $b]}) { make_payment(order_id: $order_id, config: $config) { redirect_url { web app } } }`,
		`{ a: b(c: {d: [1.5e-3, true, null, ENUM, "\u00e0"]}) { e } }`, `query { x } # comment`, `{`, `{}`, `query q($a: [[String!]!]!) {a}`, `"""x"""`, `{a(b:"`,
		strings.Repeat("{a", 1000), strings.Repeat("[", 1000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		op, err := parseQuery(text, "")
		if err != nil {
			return
		}
		if len(op.fields) == 0 || (op.kind != "query" && op.kind != "mutation") {
			t.Fatalf("%+v", op)
		}
		for _, field := range op.fields {
			for _, v := range field.args {
				x, _ := v.resolve(map[string]any{"a": "1"}, op.defaults)
				if _, err := json.Marshal(given(x)); err != nil && !strings.Contains(err.Error(), "invalid number literal") {
					t.Fatalf("%v: %v", x, err)
				}
			}
		}
	})
}

func TestQuery(t *testing.T) {
	op, err := parseQuery("\ufeffquery q($id: ID = \"7\", $x: Int, $o: O = {a: [1]}) { one: order_get(id: $id, n: -1.5, list: [1, {a: $x}], o: $o) { status, s: status } two }", "q")
	if err != nil {
		t.Fatal(err)
	}
	if op.name != "q" || len(op.fields) != 2 || op.fields[0].alias != "one" || op.fields[0].name != "order_get" || len(op.fields[0].sub) != 2 || op.fields[0].sub[1].alias != "s" {
		t.Errorf("%+v", op)
	}
	got := map[string]any{}
	for name, v := range op.fields[0].args {
		got[name], _ = v.resolve(map[string]any{"x": "X"}, op.defaults)
	}
	want := map[string]any{"id": "7", "n": json.Number("-1.5"), "list": []any{json.Number("1"), map[string]any{"a": "X"}}, "o": map[string]any{"a": []any{json.Number("1")}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, want %#v", got, want)
	}
	for _, bad := range []string{
		"", "query", "{}", "{ a", "{ ...f }", "fragment f on X { a }", "{ a @skip(if: true) }", "{ a(b: ) }", "{ a(b: 1 }", "query($a Int) { a }", `{ a(b: """x""") }`, "{ a(b: \"x\n\") }",
		"{ a } { b }", "subscription { a }", strings.Repeat("{a", 20) + strings.Repeat("}", 20), "{ " + strings.Repeat("a ", 65) + "}", "{ a(b: " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + ") }", "\xff",
		"{ a }" + strings.Repeat(" ", maxQuery),
	} {
		if _, err := parseQuery(bad, ""); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
