package wire_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

type config struct {
	Environment string `json:"environment"`
	Key         string `json:"key"`
}

func TestParseConfig(t *testing.T) {
	var c config
	if err := wire.ParseConfig([]byte(` {"environment": "live", "key": "k"} `), &c); err != nil || c != (config{"live", "k"}) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{
		"", "null", "[]", `""`, `{"key":1}`, `{"key":null}`, `{"key":" k"}`, `{"key":"k\n"}`, `{"key":"\u0000"}`, `{"Key":"k"}`, `{"kye":"k"}`, `{"key":"k"}{}`, "{", "\xff",
		`{"key":"` + strings.Repeat("x", 501) + `"}`,
	} {
		if err := wire.ParseConfig([]byte(bad), &config{}); err == nil {
			t.Errorf("%.60q is accepted", bad)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for _, c := range []struct{ environment, override, want string }{
		{"sandbox", "", "https://s"}, {"live", "", "https://l"}, {"live", "https://x/y/", "https://x/y"}, {"sandbox", "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"sandbox", "http://[::1]:1", "http://[::1]:1"}, {"sandbox", "http://localhost", "http://localhost"},
		{"", "", ""}, {"test", "", ""}, {"Live", "", ""}, {"live", "http://acquirer.example.vn", ""}, {"live", "http://localhost.example.vn", ""}, {"live", "ftp://x", ""},
		{"live", "https://u:p@x", ""}, {"live", "https://x?y=1", ""}, {"live", "https://x?", ""}, {"live", "https://x#y", ""}, {"live", "x", ""}, {"live", "https://", ""}, {"live", "https://:1", ""},
	} {
		got, err := wire.BaseURL(c.environment, c.override, "https://s", "https://l")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("BaseURL(%q, %q) = %q, %v", c.environment, c.override, got, err)
		}
	}
}

func TestPageURL(t *testing.T) {
	for text, want := range map[string]bool{
		"https://x/pay?t=1": true, "http://x/pay": false, "javascript:alert(1)": false, "": false, "/pay": false, "https://u@x/": false, "https://x/ y": false, "https://x/\n": false, "https://": false,
	} {
		if got := wire.PageURL(text, "https://base"); got != want {
			t.Errorf("PageURL(%q) = %v", text, got)
		}
	}
	if !wire.PageURL("http://127.0.0.1:1/x", "http://127.0.0.1:1") || wire.PageURL("http://example.vn/x", "http://127.0.0.1:1") {
		t.Error("http on this machine, and only there")
	}
}

// RFC 4231, test case 2.
func TestHMAC(t *testing.T) {
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got := wire.HMAC("Jefe", "what do ya want for nothing?"); got != want {
		t.Error(got)
	}
	for signature, ok := range map[string]bool{want: true, strings.ToUpper(want): true, "": false, want[:62]: false, want + "00": false, "x" + want[1:]: false} {
		if wire.Signed("Jefe", "what do ya want for nothing?", signature) != ok {
			t.Error(signature)
		}
	}
}

func TestShortID(t *testing.T) {
	if got := wire.ShortID("01997b9c-8f00-7000-8000-0123456789ab"); got != "06cnn74f01o0100004hkaps9lc" {
		t.Error(got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.StringMatching(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).Draw(t, "b")
		for _, id := range []string{a, b} {
			if s := wire.ShortID(id); len(s) != 26 || strings.Trim(s, "0123456789abcdefghijklmnopqrstuv") != "" {
				t.Fatal(s)
			}
		}
		if a != b && wire.ShortID(a) == wire.ShortID(b) {
			t.Fatal("two ids, one short one")
		}
	})
}

func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		s := wire.Text(string(rapid.SliceOf(rapid.Byte()).Draw(t, "s")), limit, '&')
		if !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit || s != strings.TrimSpace(s) || strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || c == '&' }) {
			t.Fatalf("%q", s)
		}
	})
	if got := wire.Text("  Áo\x00 &\n quần ", 100, '&'); got != "Áo quần" {
		t.Errorf("%q", got)
	}
}

func TestObject(t *testing.T) {
	o, err := wire.Decode([]byte(`{"n":12345678901234567890,"i":5,"f":5.0,"s":"x","b":true,"z":null,"o":{"a":"1.500","t":1772644123456},"l":[{"k":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if o.Raw("n") != "12345678901234567890" || o.Number("i") != 5 || o.Amount("f") != 5 || o.ID("s") != "x" || o.Raw("z") != "" || o.Has("z") || !o.Has("b") ||
		len(o.List("l")) != 1 || o.List("l")[0].Number("k") != 1 || len(o.List("none")) != 0 || o.Object("none").Raw("x") != "" || o.Object("o").Millis("t").IsZero() || o.Err() != nil {
		t.Errorf("%v", o.Err())
	}
	for name, read := range map[string]func(*wire.Object){
		"n is not a whole number":          func(o *wire.Object) { o.Number("n") },
		"f is not a whole number":          func(o *wire.Object) { o.Number("f") },
		"x is missing":                     func(o *wire.Object) { o.Amount("x") },
		"s is not an amount in whole đồng": func(o *wire.Object) { o.Amount("s") },
		"o is not text":                    func(o *wire.Object) { o.Text("o") },
		"s is not an object":               func(o *wire.Object) { o.Object("s") },
		"s is not a list":                  func(o *wire.Object) { o.List("s") },
		"o.a is not a whole number":        func(o *wire.Object) { o.Object("o").Number("a") },
		"l[0].k2 is missing":               func(o *wire.Object) { o.List("l")[0].ID("k2") },
		"n is not an amount in whole đồng": func(o *wire.Object) { o.Amount("n") },
		"o.x is missing":                   func(o *wire.Object) { o.Object("o").ID("x") },
		"first is missing":                 func(o *wire.Object) { o.ID("first"); o.ID("second") },
	} {
		o, _ := wire.Decode([]byte(`{"n":12345678901234567890,"i":5,"f":5.0,"s":"x","o":{"a":"1.500"},"l":[{"k":1}]}`))
		if read(o); o.Err() == nil || o.Err().Error() != name {
			t.Errorf("%v, want %s", o.Err(), name)
		}
	}
	if _, err := wire.Pairs(url.Values{"a": {"1", "2"}}); err == nil {
		t.Error("a name that comes twice")
	}
}

type doer struct {
	status int
	body   string
	sent   bool
	err    error
}

func (d doer) Do(*http.Request) (int, []byte, bool, error) {
	return d.status, []byte(d.body), d.sent, d.err
}

func TestCall(t *testing.T) {
	for _, c := range []struct {
		doer      doer
		ok        bool
		uncertain bool
	}{
		{doer{200, "{}", true, nil}, true, false},
		{doer{400, `{"a":1}`, true, nil}, true, false},
		{doer{500, `{"a":1}`, true, nil}, true, false}, // for the connector to judge
		{doer{0, "", true, errors.New("timeout")}, false, true},
		{doer{0, "", false, errors.New("refused")}, false, false},
		{doer{200, "<html>", true, nil}, false, true},
		{doer{302, "", true, nil}, false, true},
		{doer{408, "", true, nil}, false, true},
		{doer{403, "", true, nil}, false, false},
		{doer{503, "", true, nil}, false, true},
	} {
		_, err := wire.Call(t.Context(), c.doer, http.MethodPost, "https://x", nil, map[string]string{"a": "<&>"})
		if (err == nil) != c.ok || errors.Is(err, card.ErrUncertain) != c.uncertain {
			t.Errorf("%+v: %v", c.doer, err)
		}
	}
	if s, err := wire.JSON(map[string]string{"a": "<&>"}); err != nil || s != `{"a":"<&>"}` {
		t.Error(s, err)
	}
}

func TestCheckAmount(t *testing.T) {
	for amount, ok := range map[money.VND]bool{-1: false, 0: false, 1: true, 999_999_999_999: true, 1_000_000_000_000: false, money.Max: false} {
		if (wire.CheckAmount(amount) == nil) != ok {
			t.Error(amount)
		}
	}
}
