package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// ring makes a key file and loads it.
func ring(t *testing.T) (string, *vault.Keyring) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := vault.Generate(file); err != nil {
		t.Fatal(err)
	}
	keys, err := vault.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, keys
}

func gatewayOn(t *testing.T, s *store.Store, keys *vault.Keyring, c clock.Clock, log io.Writer) *gateway {
	t.Helper()
	g, err := newGateway(options{store: s, keys: keys, clock: c, log: slog.New(slog.NewTextHandler(log, nil)), publicURL: "https://pay.example.vn", pull: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A gateway does not start with another gateway's key file. It does when some
// secrets open, and says which do not.
func TestForeignKeyFile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var log bytes.Buffer
		ctx, by := t.Context(), core.Actor{Name: "test"}
		file, keys := ring(t)
		g := gatewayOn(t, s, keys, clock.System(), &log)
		if err := g.judgeSurroundings(ctx); err != nil {
			t.Fatalf("an empty database: %v", err)
		}
		for _, name := range []string{"one", "two"} {
			if _, err := g.core.AddFeed(ctx, by, core.NewFeed{Name: name, Kind: "generic", Secret: "of the feed " + name}); err != nil {
				t.Fatal(err)
			}
		}
		_, foreign := ring(t)
		other := gatewayOn(t, s, foreign, clock.System(), &log)
		if err := other.judgeSurroundings(ctx); err == nil || !strings.Contains(err.Error(), "opens none of the secrets") {
			t.Errorf("a foreign key file: %v", err)
		}
		secret := "of the feed, anew"
		if _, err := other.core.ChangeFeed(ctx, by, "two", &secret, nil, nil); err != nil {
			t.Fatal(err)
		}
		log.Reset()
		if err := other.judgeSurroundings(ctx); err != nil {
			t.Errorf("one secret opens: %v", err)
		}
		if !strings.Contains(log.String(), "column=bank_feeds.secret secrets=2 lost=1") {
			t.Errorf("log:\n%s", &log)
		}

		// A key that was added loses nothing.
		if _, err := vault.Rotate(file); err != nil {
			t.Fatal(err)
		}
		keys, err := vault.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.core.ChangeFeed(ctx, by, "two", &secret, nil, nil); err != nil {
			t.Fatal(err)
		}
		rotated, err := gatewayOn(t, s, keys, clock.System(), &log).core.Unopened(ctx)
		if err != nil || len(rotated) != 1 || rotated[0].Texts != 2 || rotated[0].Lost != 1 {
			t.Errorf("%+v %v", rotated, err)
		}
	})
}

// A node on PostgreSQL whose clock is off says so, and goes on.
func TestDatabaseClock(t *testing.T) {
	s := storetest.Open(t, storetest.URL(t, "postgres"))
	_, keys := ring(t)
	for name, tc := range map[string]struct {
		ahead    time.Duration // of the database
		told     bool
		positive bool
	}{"together": {0, false, false}, "behind": {-time.Hour, true, false}, "ahead": {time.Hour, true, true}} {
		var log bytes.Buffer
		g := gatewayOn(t, s, keys, shifted{clock.System(), -tc.ahead}, &log)
		if err := g.judgeSurroundings(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(log.String(), "clocks of the database and of this machine differ"); told != tc.told {
			t.Errorf("%s: log %q", name, &log)
		}
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		var answer struct {
			Checks struct {
				Ahead float64 `json:"database_clock_ahead_seconds"`
				Clock string  `json:"clock"`
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s %v", name, w.Code, w.Body, err)
		}
		if (answer.Checks.Clock != "") != tc.told || tc.told && (answer.Checks.Ahead > 3000) != tc.positive {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

// shifted is a clock that is off.
type shifted struct {
	clock.Clock
	by time.Duration
}

func (s shifted) Now() time.Time { return s.Clock.Now().Add(s.by) }

// Every metric that a page or an alarm names is there to be scraped.
func TestMetricsOfTheDocuments(t *testing.T) {
	s := storetest.Open(t, storetest.URL(t, "postgres"))
	_, keys := ring(t)
	g := gatewayOn(t, s, keys, clock.System(), io.Discard)
	g.openMetrics = true
	if _, err := g.core.AddFeed(t.Context(), core.Actor{Name: "test"}, core.NewFeed{Name: "sepay", Kind: "sepay", Secret: "of the feed", API: `{"token": "of the API"}`}); err != nil {
		t.Fatal(err)
	}
	// What has labels is there once something has happened.
	g.meter.Delivery("ok", 0)
	g.meter.BankCredit("sepay", "unknown")
	g.meter.Throttled("bank_feed")
	var scraped string
	for range 2 { // the first scrape is itself a request
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		scraped = w.Body.String()
	}
	if !strings.Contains(scraped, "\nthungan_ready 1\n") || !strings.Contains(scraped, "\nthungan_bank_feed_lag_seconds{feed=\"sepay\"} ") {
		t.Errorf("scraped:\n%s", scraped)
	}
	pages, err := filepath.Glob("../../docs/*")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range pages {
		if filepath.Ext(page) == "" {
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bthungan_[a-z_]*(total|seconds|bucket|depth|requests|ready|info|sum|count)\b`).FindAllString(string(text), -1) {
			named++
			if !strings.Contains(scraped, "\n"+name+" ") && !strings.Contains(scraped, "\n"+name+"{") {
				t.Errorf("%s: nobody exports %s", filepath.Base(page), name)
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d metrics are named", named)
	}
}
