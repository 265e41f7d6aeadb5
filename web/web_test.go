package web

import (
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestTextsAreTheSameInEveryLanguage(t *testing.T) {
	keys := Keys(Vietnamese)
	if len(keys) < 50 {
		t.Fatalf("only %d texts", len(keys))
	}
	for _, lang := range Languages() {
		if got := Keys(lang); !slices.Equal(got, keys) {
			t.Errorf("%s has other keys than %s: %q, %q", lang, Vietnamese, difference(got, keys), difference(keys, got))
		}
		for _, key := range keys {
			text, want := Text(lang, key), placeholders(Text(Vietnamese, key))
			if strings.TrimSpace(text) == "" || text == key {
				t.Errorf("%s: %s has no text", lang, key)
			}
			if got := placeholders(text); !slices.Equal(got, want) {
				t.Errorf("%s: %s has the placeholders %q, want %q", lang, key, got, want)
			}
			if strings.ContainsAny(text, "<>&") {
				t.Errorf("%s: %s holds markup: %q", lang, key, text)
			}
		}
	}
}

func difference(a, b []string) (only []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			only = append(only, s)
		}
	}
	return only
}

func placeholders(s string) []string {
	all := regexp.MustCompile(`\{\d\}`).FindAllString(s, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

func TestText(t *testing.T) {
	if got := Text("vi", "checkout.part.title", "{1}", "x"); got != "Đã nhận {1}, còn thiếu x" {
		t.Errorf("an argument was taken for a placeholder: %q", got)
	}
	if got := Text("fr", "common.language"); got != "Ngôn ngữ" {
		t.Errorf("unknown language: %q", got)
	}
	if got := Text("vi", "no.such.key"); got != "no.such.key" {
		t.Errorf("unknown key: %q", got)
	}
}

func TestAnUnknownKeyFailsTheTemplate(t *testing.T) {
	for _, source := range []string{`{{t "no.such.key"}}`, `{{asset "no.such.file"}}`, `{{icon "no-such-icon"}}`} {
		set, err := Parse(fstest.MapFS{"x.html": {Data: []byte(`{{define "x"}}` + source + `{{end}}`)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Fragment("vi", "x", nil); err == nil {
			t.Errorf("%s was rendered", source)
		}
	}
	if _, err := Parse(fstest.MapFS{}, "no.css"); err == nil {
		t.Error("a style sheet that is not there was taken")
	}
}

// A page that cannot be rendered leaves the answer to the caller.
func TestPageFailsBeforeTheFirstByte(t *testing.T) {
	set, err := Parse(fstest.MapFS{"x.html": {Data: []byte(`{{define "x"}}text{{.Missing}}{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := set.Page(w, http.StatusOK, "vi", "x", struct{}{}); err == nil {
		t.Fatal("no error")
	}
	if w.Body.Len() != 0 || len(w.Header()) != 0 {
		t.Errorf("something was written: %v %q", w.Header(), w.Body)
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ query, fallback, accept, want string }{
		{"", "", "", "vi"},
		{"en", "vi", "vi", "en"},
		{"fr", "en", "vi", "en"},
		{"", "", "fr-FR, en-GB;q=0.8, vi;q=0.5", "en"},
		{"", "", "VI-vn,en", "vi"},
		{"", "xx", "de", "vi"},
		{"<script>", "", ";;,,-", "vi"},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.URL.RawQuery = "lang=" + c.query
		r.Header.Set("Accept-Language", c.accept)
		if got := Language(r, c.fallback); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestForPeople(t *testing.T) {
	if got := Dong("vi", 1250000); got != "1.250.000\u00a0₫" {
		t.Error(got)
	}
	if got := Dong("en", 1250000); got != "1,250,000\u00a0₫" {
		t.Error(got)
	}
	if got := Clock(time.Date(2026, 11, 22, 17, 5, 0, 0, time.UTC)); got != "00:05 23/11/2026" {
		t.Error(got)
	}
}

func TestLinkable(t *testing.T) {
	for address, want := range map[string]bool{
		"https://shop.example/ok?a=b#c": true, "http://127.0.0.1:8080/": true,
		"": false, "/ok": false, "//shop.example": false, "javascript:alert(1)": false, "data:text/html,x": false,
		"https://": false, "https:shop.example": false, "https://user:pw@shop.example/": false, "myapp://paid": false, "ht tp://x": false,
	} {
		if Linkable(address) != want {
			t.Errorf("Linkable(%q) = %v", address, !want)
		}
		if got := RefreshTo(5, address); (got != "") != want || (want && got != "5;url="+address) {
			t.Errorf("RefreshTo(%q) = %q", address, got)
		}
	}
}

func TestAssets(t *testing.T) {
	h := Assets()
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	hashed := regexp.MustCompile(`^/assets/[a-z]+\.[0-9a-f]{12}\.[a-z]+$`)
	for name, kind := range map[string]string{"checkout.js": "text/javascript; charset=utf-8", "base.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		address, err := Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		if !hashed.MatchString(address) {
			t.Errorf("address %s", address)
		}
		w := get("GET", address)
		if w.Code != 200 || w.Body.Len() == 0 || w.Header().Get("Content-Type") != kind ||
			w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", address, w.Code, w.Header())
		}
		if w := get("POST", address); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", address, w.Code)
		}
		// Not under the plain name: what is cached for ever must not change.
		if w := get("GET", "/assets/"+name); w.Code != http.StatusNotFound {
			t.Errorf("%s without its hash: %d", name, w.Code)
		}
	}
	if w := get("GET", "/assets/../web.go"); w.Code != http.StatusNotFound {
		t.Errorf("outside: %d", w.Code)
	}
}

// The colours of text reach WCAG 2.2 AA on what they stand on: 4.5 to 1, and 3
// to 1 for the edges of controls, in light and in dark.
func TestContrast(t *testing.T) {
	css, err := embedded.ReadFile("assets/base.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("no dark colours")
	}
	pairs := []struct {
		ink, paper string
		least      float64
	}{
		{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"ink", "sunk", 4.5}, {"soft", "paper", 4.5}, {"soft", "card", 4.5}, {"soft", "sunk", 4.5},
		{"brand-deep", "card", 4.5}, {"brand-deep", "sunk", 4.5}, {"brand-deep", "brand-soft", 4.5}, {"brand-deep", "paper", 4.5},
		{"brand-ink", "brand", 4.5}, {"brand-ink", "brand-deep", 4.5}, {"good", "good-soft", 4.5}, {"warn", "warn-soft", 4.5}, {"bad", "bad-soft", 4.5},
		{"ink", "good-soft", 4.5}, {"ink", "warn-soft", 4.5}, {"bad", "card", 4.5}, {"good", "card", 4.5},
		{"edge", "card", 3}, {"edge", "paper", 3}, {"brand", "paper", 3}, {"brand", "card", 3},
	}
	for scheme, sheet := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(sheet, -1) {
			colours[m[1]] = m[2]
		}
		for _, p := range pairs {
			a, b := luminance(t, colours[p.ink]), luminance(t, colours[p.paper])
			if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, needs %.1f", scheme, p.ink, p.paper, ratio, p.least)
			}
		}
	}
}

// luminance is WCAG's relative luminance of a colour.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		t.Fatalf("%q is no colour", hex)
	}
	var sum float64
	for i, weight := range []float64{.2126, .7152, .0722} {
		c := float64(n>>(16-8*i)&255) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestCompact(t *testing.T) {
	got := compact("/* a\n b */\n.x {\n  color: red; /* c */\n}\n\n.y { content: \"–\"; }\n/* unclosed")
	want := ".x {\ncolor: red;\n}\n.y { content: \"–\"; }\n/* unclosed\n"
	if got != want {
		t.Errorf("%q", got)
	}
}
