package dialecttest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
)

// badBodies are what no operation can make sense of.
var badBodies = map[string]string{
	"empty":                "",
	"blank":                " \r\n\t",
	"not JSON":             "payment_id=1&amount=2",
	"half JSON":            `{"payment": {"id": "1"`,
	"trailing garbage":     `{} {}`,
	"array":                `[]`,
	"array of arrays":      `[[[]]]`,
	"string":               `"x"`,
	"null":                 `null`,
	"number":               `1e999999`,
	"NaN":                  `{"amount": NaN, "payment": {"amount": NaN}}`,
	"huge numbers":         `{"amount": ` + strings.Repeat("9", 5000) + `, "payment": {"amount": 1e999999999, "id": ` + strings.Repeat("1", 5000) + `}}`,
	"deep objects":         strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
	"deep arrays":          `{"payment": ` + strings.Repeat("[", 30_000),
	"2 MiB":                `{"payment_id": "` + strings.Repeat("x", 2<<20) + `"}`,
	"2 MiB of white space": strings.Repeat(" ", 2<<20) + "{}",
	"invalid UTF-8":        "{\"payment_id\": \"\xff\xfe\", \"payment\": {\"id\": \"\xc3\"}}",
	"NUL":                  "{\"payment_id\": \"a\\u0000b\", \"payment\": {\"id\": \"\\u0000\"}}",
	"raw NUL":              "\x00\x00\x00",
	"lone surrogate":       `{"payment_id": "\ud800", "payment": {"id": "\udfff"}}`,
	"duplicate keys":       `{"payment_id": "1", "payment_id": 2, "payment": 1, "payment": {}}`,
	"all null":             `{"payment_id": null, "amount": null, "payment": {"id": null, "amount": null, "currency": null}}`,
	"all wrong types":      `{"payment_id": {}, "amount": [], "currency": 1, "payment": {"id": [], "amount": {}, "success_url": 1, "due_time": []}}`,
	"HTML":                 `<html><script>alert(1)</script></html>`,
	"injection":            `{"payment_id": "' OR 1=1; DROP TABLE payments; --", "refund_id": "${7*7}{{7*7}}"}`,
}

var oddMethods = []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}

// hostile throws at the handler what nobody should send. No answer may be a
// fault of ours, a page, or a look inside; no money may move.
func (s Suite) hostile(t *testing.T, g *Gateway) {
	h := s.Handler(g)
	for name, body := range badBodies {
		for _, c := range s.Calls {
			for _, who := range []Party{g.Shop, {}} {
				c.Body = body
				s.civil(t, name+" to "+c.Path, s.send(h, who, c), body)
			}
		}
	}
	for _, c := range s.Calls {
		for _, method := range oddMethods {
			if method == c.Method {
				continue
			}
			odd := Call{Method: method, Path: c.Path, Body: c.Body}
			a := s.send(h, g.Shop, odd)
			s.civil(t, method+" "+c.Path, a, c.Body)
			if a.status < 400 && method != "HEAD" && method != "OPTIONS" {
				t.Errorf("%s %s: %d", method, c.Path, a.status)
			}
		}
		s.withoutCredentials(t, g, h, c)
	}
	for _, path := range s.Unknown {
		for _, method := range []string{"GET", "POST"} {
			a := s.send(h, g.Shop, Call{Method: method, Path: path, Body: "{}"})
			s.civil(t, method+" "+path, a, "")
			if a.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	if found, err := g.Core.Search(t.Context(), core.Search{MerchantID: g.Shop.ID}); err != nil || len(found) > 0 {
		t.Errorf("payments came of it: %v %v", found, err)
	}
	if strings.Contains(g.Logged.String(), "panic") {
		t.Error("the handler panicked; see the log")
	}
}

// withoutCredentials: missing, foreign and mixed-up credentials are all refused
// in the same words.
func (s Suite) withoutCredentials(t *testing.T, g *Gateway, h http.Handler, c Call) {
	wrongSecret, wrongKey, swapped := g.Shop, g.Shop, g.Shop
	wrongSecret.Secret = strings.Repeat("0", len(g.Shop.Secret))
	wrongKey.Key = strings.Repeat("0", len(g.Shop.Key))
	swapped.Secret = g.Other.Secret
	want := ""
	strangers := map[string]Party{"none": {}, "wrong secret": wrongSecret, "unknown key": wrongKey, "another's secret": swapped}
	if s.KeyOnly {
		strangers = map[string]Party{"none": {}, "unknown key": wrongKey}
	}
	for name, who := range strangers {
		a := s.send(h, who, c)
		s.civil(t, name+" to "+c.Path, a, "")
		if s.Found(a.status, a.body) || s.Opened(a.status, a.body) {
			t.Errorf("%s to %s is let in: %s", name, c.Path, a.body)
		}
		if want == "" {
			want = a.body
		}
		if a.body != want {
			t.Errorf("%s to %s tells more than others:\n%s\n%s", name, c.Path, a.body, want)
		}
	}
}

// civil: an answer in the dialect's form that gives nothing away.
func (s Suite) civil(t *testing.T, name string, a answer, sent string) {
	t.Helper()
	if s.fault(a) {
		t.Errorf("%s: status %d: %.200s", name, a.status, a.body)
	}
	if kind := a.header.Get("Content-Type"); strings.Contains(kind, "html") || (kind == "" && a.body != "") {
		t.Errorf("%s: Content-Type %q", name, kind)
	}
	if strings.Contains(a.header.Get("Content-Type"), "json") && a.body != "" && !json.Valid([]byte(a.body)) {
		t.Errorf("%s: not JSON: %.200s", name, a.body)
	}
	for _, leak := range []string{"goroutine ", ".go:", "runtime error", "SQLSTATE", "sqlite", "<html"} {
		if strings.Contains(a.body, leak) && !strings.Contains(sent, leak) {
			t.Errorf("%s: the answer shows %q: %.200s", name, leak, a.body)
		}
	}
}
