package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// Texts with every turn of the grammar; the fuzz target starts from them.
var values = []string{
	``, ` `, `null`, ` true `, `false`, `nul`, `truex`, `0`, `-0`, `01`, `-`, `1.`, `1.5`, `.5`, `1e5`, `1E+5`, `1e-`, `-1.25e-3`, `1 2`,
	`""`, `"a`, `"a"b`, `"\"`, `"\\"`, `"\"x"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\u12"`, `"\x"`, "\"\n\"", "\"\x7f\"", "\"\u2028\"", "\"\xff\"",
	`[]`, `[ ]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[[[[]]]]`, `[[[[[]]]]]`, `[`, `]`, `[1}`,
	`{}`, `{ }`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[null,"x"]},"c":""}`, `{"a":1,}`, `{a:1}`, `{"a"}`, `{"a":}`, `{"a" : 1 , "b" : 2 }`,
	`{"a":1}x`, `{"\u0061":1}`, "\ufeff{}", `{"a":1]`, `{1:2}`,
}

// same holds ParseJSON against encoding/json.
func same(t *testing.T, data []byte) {
	t.Helper()
	const depth = 4
	v, err := ParseJSON(data, depth)
	if want := CheckJSON(data, depth); !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Fatalf("%q: %v, want %v", data, err, want)
	}
	if err != nil {
		return
	}
	var want any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	if got := v.Tree(); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\n got %#v\nwant %#v", data, got, want)
	}
}

func TestParseJSON(t *testing.T) {
	for _, text := range values {
		same(t, []byte(text))
	}
}

func TestMember(t *testing.T) {
	v, err := ParseJSON([]byte(`{"a":1,"b":null,"a":"2"}`), 4)
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := v.Member("a"); !ok || a.Kind != String || a.Text != "2" {
		t.Errorf("the last of two: %+v %v", a, ok)
	}
	if b, ok := v.Member("b"); !ok || b.Kind != Null {
		t.Errorf("null: %+v %v", b, ok)
	}
	if c, ok := v.Member("c"); ok {
		t.Errorf("none: %+v", c)
	}
	list, err := ParseJSON([]byte(`[1]`), 4)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := list.Member(""); ok {
		t.Errorf("an element is no member: %+v", e)
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range values {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { same(t, data) })
}
