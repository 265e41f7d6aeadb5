package sandbox_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// Scripts sign customers in and get codes without a phone.
func TestTikiCalls(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		call := func(path, body string) (int, map[string]any) {
			a := w.do(w.request("POST", path, body))
			var got map[string]any
			a.decode(t, &got)
			return a.status, got
		}
		status, got := call("/sandbox/tiki/user-tokens", `{"customer_id": "`+w.info.Tiki.CustomerID+`"}`)
		token, _ := got["access_token"].(string)
		if who, err := w.core.Session(t.Context(), token); status != 200 || err != nil || who.Name != "Lan Demo" {
			t.Errorf("%d %v: %+v %v", status, got, who, err)
		}
		// A customer whom nobody knows yet is made.
		if status, got = call("/sandbox/tiki/user-tokens", `{"customer_id": "4711"}`); status != 200 || got["access_token"] == "" {
			t.Errorf("%d %v", status, got)
		}
		if who, err := w.core.Customer(t.Context(), 4711); err != nil || who.ID != 4711 {
			t.Errorf("%+v %v", who, err)
		}
		for _, scopes := range []string{`["offline", "user_profile"]`, `"offline"`, `null`, `[]`} {
			status, got = call("/sandbox/tiki/auth-codes", `{"customer_id": "4711", "scopes": `+scopes+`}`)
			code, _ := got["code"].(string)
			in, err := w.core.ExchangeCode(t.Context(), w.info.Tiki.AppIdentifier, code)
			if status != 200 || err != nil || in.Customer.ID != 4711 || (in.Refresh != "") != strings.Contains(scopes, "offline") {
				t.Errorf("%s: %d %v: %+v %v", scopes, status, got, in, err)
			}
		}
		for _, path := range []string{"/sandbox/tiki/user-tokens", "/sandbox/tiki/auth-codes"} {
			for _, body := range []string{`{}`, `{"customer_id": ""}`, `{"customer_id": 7}`, `{"customer_id": "-7"}`, `{"customer_id": "07"}`, `{"customer_id": "x"}`, `{"customer_id": "9999999999999999999"}`} {
				if status, got := call(path, body); status != 400 || !strings.Contains(strings.Join(keys(got), " "), "customer_id") {
					t.Errorf("%s %s: %d %v", path, body, status, got)
				}
			}
			if status, _ := call(path, `not JSON`); status != 400 {
				t.Errorf("%s: %d", path, status)
			}
		}
		if status, got := call("/sandbox/tiki/auth-codes", `{"customer_id": "7", "app_identifier": "nobody"}`); status != 400 {
			t.Errorf("%d %v", status, got)
		}
		if status, _ := call("/sandbox/tiki/auth-codes", `{"customer_id": "7", "scopes": 7}`); status != 400 {
			t.Errorf("%d", status)
		}
	})
}

// keys are the fields that an error names.
func keys(got map[string]any) []string {
	var names []string
	if e, ok := got["error"].(map[string]any); ok {
		if fields, ok := e["fields"].(map[string]any); ok {
			for name := range fields {
				names = append(names, name)
			}
		}
	}
	return names
}

// A visitor's files come back as they were sent, and nothing else does.
func TestTiniProjects(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		post := func(path string, form url.Values) (int, string) {
			r := w.request("POST", path, form.Encode())
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			a := w.do(r)
			return a.status, a.header.Get("Location")
		}
		page := "const app = getApp();\n\nPage({ data: { a: '</script>' } }); // Cà phê\n"
		status, location := post("/sandbox/tini/projects/", url.Values{"page": {strings.ReplaceAll(page, "\n", "\r\n")}, "template": {"<view/>"}, "app": {"App({})"}})
		to, err := url.Parse(location)
		if status != 303 || err != nil {
			t.Fatalf("%d %s", status, location)
		}
		base := "/sandbox/tini/projects/" + to.Query().Get("project") + "/"
		for file, want := range map[string]string{"page.js": page, "page.txml": "<view/>", "app.js": "App({})"} {
			if a := w.get(base + file); a.status != 200 || string(a.body) != want || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d %q", file, a.status, a.body)
			}
		}
		for _, path := range []string{base + "other.js", "/sandbox/tini/projects/none/page.js", "/sandbox/tini/projects/demo-x/page.js", "/sandbox/tini/projects/demo-1'/page.js"} {
			if a := w.get(path); a.status != 404 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
		if a := w.get("/sandbox/tini/projects/demo/page.js"); !strings.Contains(string(a.body), "67328847745515542") {
			t.Error("the demo pays another order")
		}
		if status, _ := post("/sandbox/tini/projects/", url.Values{"page": {strings.Repeat("x", 300<<10)}}); status != 400 {
			t.Errorf("a large project: %d", status)
		}
		if status, _ := post("/sandbox/tini/projects/", url.Values{"page": {"\xff"}}); status != 400 {
			t.Errorf("no text: %d", status)
		}
		// The files are shown in the page as text.
		shown := string(w.get(location).body)
		if !strings.Contains(shown, "&lt;/script&gt;") || !strings.Contains(w.get(location).header.Get("Content-Security-Policy"), "frame-src 'self'") {
			t.Error("the project is not shown as text")
		}
		if phone := w.get("/sandbox/tini/phone?project=demo"); phone.status != 200 || !strings.Contains(phone.header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
			t.Errorf("the phone: %d", phone.status)
		}
		// An order by the app's back end, in either environment.
		for environment, dialect := range map[string]string{"production": "tiki", "sandbox": "tiki-sandbox"} {
			status, location := post("/sandbox/tini/orders", url.Values{"environment": {environment}, "lang": {"en"}})
			to, err := url.Parse(location)
			if status != 303 || err != nil || to.Query().Get("lang") != "en" {
				t.Fatalf("%d %s", status, location)
			}
			o, err := w.core.AnyAppOrder(t.Context(), to.Query().Get("order"))
			if err != nil || o.Order.Dialect != dialect || o.Order.Total != 98_000 || len(o.Order.Lines[0].Sections) != 1 {
				t.Errorf("%s: %+v %v", environment, o.Order, err)
			}
			if a := w.get(location); a.status != 200 || !strings.Contains(string(a.body), o.Order.ID) {
				t.Errorf("%s: %d", location, a.status)
			}
		}
	})
}
