package tiki_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// What does not fit into a golden file: bodies by size, and guesses by number.
func TestLimits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		g := dialecttest.NewGateway(t, db, tiki.Dialect{})
		h := handler(g)
		body := func(size int) string {
			const frame = `{"access_token":"x","y":""}`
			return strings.Replace(frame, `"y":""`, `"y":"`+strings.Repeat("y", size-len(frame))+`"`, 1)
		}
		if w := ask(g, h, g.Shop, "POST", "/oauth/me", body(512<<10)); w.Code != 400 || !strings.Contains(w.Body.String(), "invalid_token") {
			t.Errorf("512 KiB: %d %s", w.Code, w.Body)
		}
		if w := ask(g, h, g.Shop, "POST", "/oauth/me", body(512<<10+1)); w.Code != 413 || !strings.Contains(w.Body.String(), `"code":413`) {
			t.Errorf("over 512 KiB: %d %s", w.Code, w.Body)
		}
		guess := g.Shop
		guess.Secret = "wrong"
		tries := 0
		for ask(g, h, guess, "POST", "/oauth/me", "{}").Code == 400 {
			if tries++; tries > 1000 {
				t.Fatal("guessing is not slowed down")
			}
		}
		w := ask(g, h, g.Shop, "POST", "/oauth/me", body(100))
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || tries < 50 || !strings.Contains(w.Body.String(), `"code":429`) {
			t.Errorf("after %d guesses: %d %s", tries, w.Code, w.Body)
		}
		g.Clock.Advance(2 * time.Second)
		if w := ask(g, h, g.Shop, "POST", "/oauth/me", body(100)); w.Code != 400 || !strings.Contains(w.Body.String(), "invalid_token") {
			t.Errorf("after the wait: %d %s", w.Code, w.Body)
		}
	})
}

// A database that is gone is told as the server's failure, and nothing secret is
// in the log.
func TestNoDatabase(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.URL(t, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := dialecttest.NewGateway(t, db, tiki.Dialect{})
	token := lan(t, g)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h := handler(g)
	w := ask(g, h, g.Shop, "GET", "/order?order_id=1", "")
	var seen struct {
		Data  any
		Error struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &seen); err != nil || w.Code != seen.Error.Code || w.Code < 500 || seen.Data != nil {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", tiki.GraphQLPath, strings.NewReader(makePayment("1", "{}")))
	r.Header.Set("X-Tiki-Access-Token", token)
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); !strings.Contains(w.Body.String(), `"errors"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, secret := range []string{g.Shop.Secret, token} {
		if strings.Contains(g.Logged.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// The script and its types are served to mini apps of any origin.
func TestScript(t *testing.T) {
	g := dialecttest.NewGateway(t, storetest.Open(t, storetest.URL(t, "sqlite")), tiki.Dialect{})
	h := handler(g)
	for path, want := range map[string][2]string{
		tiki.ScriptPath: {"text/javascript; charset=utf-8", "window.my = {"}, tiki.TypesPath: {"text/plain; charset=utf-8", "declare namespace my"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 || w.Header().Get("Content-Type") != want[0] || !strings.Contains(w.Body.String(), want[1]) || w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest("POST", path, nil)); w.Code != 405 {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
	// Every call of the script has a type, and the other way round.
	script, types := httptest.NewRecorder(), httptest.NewRecorder()
	h.ServeHTTP(script, httptest.NewRequest("GET", tiki.ScriptPath, nil))
	h.ServeHTTP(types, httptest.NewRequest("GET", tiki.TypesPath, nil))
	for _, name := range []string{"getAuthCode", "isLoggedIn", "getUserInfo", "makePayment", "makePaymentV2", "alert", "configure"} {
		if !strings.Contains(script.Body.String(), "\n    "+name+": ") || !strings.Contains(types.Body.String(), "function "+name+"(") {
			t.Errorf("%s is in one of the two only", name)
		}
	}
}
