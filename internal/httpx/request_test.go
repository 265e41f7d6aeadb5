package httpx

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRequestID(t *testing.T) {
	var seen string
	h := RequestID(func() string { return "made-by-us" })(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = RequestIDFrom(r.Context())
	}))
	for _, tc := range []struct{ in, want string }{
		{"", "made-by-us"},
		{"abcd.EFG_1-2", "abcd.EFG_1-2"},
		{"12345678", "12345678"},
		{"1234567", "made-by-us"},
		{strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{strings.Repeat("a", 65), "made-by-us"},
		{"12345678\r\nX: y", "made-by-us"},
		{"<script>x", "made-by-us"},
		{"số-nhận-dạng", "made-by-us"},
		{"\xff2345678", "made-by-us"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(RequestIDHeader, tc.in)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if seen != tc.want || w.Header().Get(RequestIDHeader) != tc.want {
			t.Errorf("%q: context %q, header %q", tc.in, seen, w.Header().Get(RequestIDHeader))
		}
	}
	if id := RequestIDFrom(t.Context()); id != "" {
		t.Errorf("without the middleware: %q", id)
	}
}

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tc := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "203.0.113.7:1234", nil, "203.0.113.7"},
		{"direct, header invented", "203.0.113.7:1234", []string{"1.1.1.1"}, "203.0.113.7"},
		{"one proxy", "10.0.0.1:80", []string{"203.0.113.7"}, "203.0.113.7"},
		{"client invents on the left", "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.7"}, "203.0.113.7"},
		{"two proxies", "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"two header lines", "10.0.0.1:80", []string{"1.1.1.1", "203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		{"only proxies", "10.0.0.1:80", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"no header", "10.0.0.1:80", nil, "10.0.0.1"},
		{"nonsense", "10.0.0.1:80", []string{"1.1.1.1, unknown"}, "10.0.0.1"},
		{"not UTF-8", "10.0.0.1:80", []string{"\xff"}, "10.0.0.1"},
		{"with port", "10.0.0.1:80", []string{"203.0.113.7:5555"}, "203.0.113.7"},
		{"IPv6", "[fd00::1%eth0]:80", []string{"[2001:db8::5]:99"}, "2001:db8::5"},
		{"IPv6 in brackets", "[fd00::1]:80", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"mapped", "[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"unix socket", "@", []string{"203.0.113.7"}, "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.remote
		r.Header["X-Forwarded-For"] = tc.forwarded
		if got := ClientAddr(r, trusted).String(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got := ClientAddr(r, nil); got != parseHop(tc.remote) {
			t.Errorf("%s: nobody trusted, got %s", tc.name, got)
		}
	}
}

func TestReadBody(t *testing.T) {
	for _, tc := range []struct {
		name string
		body io.Reader
		want string
		err  error
	}{
		{"empty", strings.NewReader(""), "", nil},
		{"none", nil, "", nil},
		{"at the limit", strings.NewReader("0123456789"), "0123456789", nil},
		{"above", strings.NewReader("0123456789x"), "", ErrTooLarge},
		{"above, length unknown", io.MultiReader(strings.NewReader("0123456789x")), "", ErrTooLarge},
		{"length unknown", iotest.OneByteReader(strings.NewReader("012345")), "012345", nil},
		{"broken", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("0123"))), "", iotest.ErrTimeout},
	} {
		r := httptest.NewRequest("POST", "/", tc.body)
		got, err := ReadBody(httptest.NewRecorder(), r, 10)
		if string(got) != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
	}
	if got, err := ReadBody(httptest.NewRecorder(), &http.Request{}, 10); got != nil || err != nil {
		t.Errorf("nil body: %q, %v", got, err)
	}
}

func TestCheckJSON(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want error
	}{
		{`{}`, nil},
		{` {"a":[1,{"b":null}]} ` + "\n", nil},
		{`"[[[[[[[["`, nil},
		{`"\"[[[[[[["`, nil},
		{`"\\"`, nil},
		{`{"tên":"Nguyễn"}`, nil},
		{`[[[[]]]]`, nil},
		{`[[[[[]]]]]`, ErrTooDeep},
		{strings.Repeat("[", 1_000_000), ErrTooDeep},
		{``, ErrEmpty},
		{" \r\n\t", ErrEmpty},
		{"\xff", ErrNotUTF8},
		{"{\"a\":\"\xc3\"}", ErrNotUTF8},
		{"\ufeff{}", ErrNotJSON},
		{"{", ErrNotJSON},
		{"{'a':1}", ErrNotJSON},
		{`{"a":01}`, ErrNotJSON},
		{`{"a":NaN}`, ErrNotJSON},
		{`]]]]`, ErrNotJSON},
		{"\x00", ErrNotJSON},
		{`{} {}`, ErrTrailing},
		{`{}x`, ErrTrailing},
		{`1 2`, ErrTrailing},
	} {
		if err := CheckJSON([]byte(tc.in), 4); !errors.Is(err, tc.want) {
			t.Errorf("%.40q: %v, want %v", tc.in, err, tc.want)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `[[[[[]]]]]`, `{"a":"\""}`, "\xff", `{}{}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := CheckJSON(data, 4); err == nil {
			// Whatever passes must decode, and stay within the depth.
			var v any
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			if d := measure(v); d > 4 {
				t.Fatalf("depth %d", d)
			}
		}
	})
}

// measure is the nesting of a decoded value.
func measure(v any) int {
	deepest := 0
	switch x := v.(type) {
	case map[string]any:
		for _, inner := range x {
			deepest = max(deepest, measure(inner))
		}
	case []any:
		for _, inner := range x {
			deepest = max(deepest, measure(inner))
		}
	default:
		return 0
	}
	return deepest + 1
}

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{[]string{"Bearer abc"}, "abc"}, {[]string{"bearer abc"}, "abc"}, {[]string{"BEARER  abc "}, "abc"}, {[]string{"Bearer"}, ""}, {[]string{"Bearer "}, ""},
		{nil, ""}, {[]string{""}, ""}, {[]string{"abc"}, ""}, {[]string{"Basic abc"}, ""}, {[]string{"Bearerabc"}, ""}, {[]string{"Bearer a", "Bearer a"}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = c.headers
		if got := Bearer(r); got != c.want {
			t.Errorf("%q: %q, want %q", c.headers, got, c.want)
		}
	}
}
