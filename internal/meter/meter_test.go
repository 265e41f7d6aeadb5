package meter

import (
	"math"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func scrape(t *testing.T, m *Meter) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("missing line %s", line)
		}
	}
}

func TestMetrics(t *testing.T) {
	m := New(Build{Version: "1.2.3", Revision: "abc"})
	m.Verb("open", "ok", 3*time.Millisecond)
	m.Verb("open", "ok", 30*time.Second)
	m.Verb("open", "DUPLICATE", time.Millisecond)
	m.HTTP("paykit", 201, 2*time.Millisecond)
	m.HTTP("paykit", 7000, 0)
	m.HTTP("paykit", -1, 0)
	m.Delivery("timeout", 10*time.Second)
	m.BankCredit("sepay", "exact")
	m.Commit(100, 4*time.Millisecond)
	m.Throttled("address")
	wantLines(t, scrape(t, m),
		`thungan_verbs_total{outcome="ok",verb="open"} 2`,
		`thungan_verbs_total{outcome="DUPLICATE",verb="open"} 1`,
		`thungan_verb_duration_seconds_bucket{verb="open",le="0.0025"} 1`,
		`thungan_verb_duration_seconds_bucket{verb="open",le="0.005"} 2`,
		`thungan_verb_duration_seconds_bucket{verb="open",le="10"} 2`,
		`thungan_verb_duration_seconds_count{verb="open"} 3`,
		`thungan_http_requests_total{code="201",surface="paykit"} 1`,
		`thungan_http_requests_total{code="0",surface="paykit"} 2`,
		`thungan_http_request_duration_seconds_count{surface="paykit"} 3`,
		`thungan_deliveries_total{outcome="timeout"} 1`,
		`thungan_delivery_duration_seconds_sum 10`,
		`thungan_bank_credits_total{outcome="exact",source="sepay"} 1`,
		`thungan_commit_requests_sum 100`,
		`thungan_commit_duration_seconds_count 1`,
		`thungan_throttled_total{limit="address"} 1`,
	)
	if !regexp.MustCompile(`thungan_build_info\{go="go[^"]+",revision="abc",version="1.2.3"\} 1`).MatchString(scrape(t, m)) {
		t.Error("no build info")
	}
	if !strings.Contains(scrape(t, m), "\ngo_goroutines ") {
		t.Error("no runtime metrics")
	}
}

func TestCallbacks(t *testing.T) {
	m := New(Build{})
	depth, age := 5.0, 90*time.Second
	for name, err := range map[string]error{
		"outbox":  m.Queue("outbox", func() float64 { return depth }),
		"matcher": m.Queue("matcher", func() float64 { return math.NaN() }),
		"oldest":  m.Oldest(func() time.Duration { return age }),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantLines(t, scrape(t, m),
		`thungan_queue_depth{queue="outbox"} 5`,
		`thungan_queue_depth{queue="matcher"} NaN`,
		`thungan_oldest_undelivered_seconds 90`,
	)
	depth, age = 0, 0
	wantLines(t, scrape(t, m), `thungan_queue_depth{queue="outbox"} 0`, `thungan_oldest_undelivered_seconds 0`)

	if err := m.Queue("outbox", func() float64 { return 0 }); err == nil {
		t.Error("the same queue twice")
	}
	if err := m.Oldest(func() time.Duration { return 0 }); err == nil {
		t.Error("the oldest twice")
	}
}

func TestTwoMetersDoNotShare(t *testing.T) {
	one, two := New(Build{}), New(Build{})
	one.Verb("open", "ok", 0)
	if strings.Contains(scrape(t, two), "thungan_verbs_total{") {
		t.Error("a counter is shared")
	}
}

func TestConcurrently(t *testing.T) {
	m := New(Build{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				m.Verb("open", "ok", time.Millisecond)
			}
		})
	}
	wg.Wait()
	wantLines(t, scrape(t, m), `thungan_verbs_total{outcome="ok",verb="open"} 8000`)
}

func BenchmarkVerb(b *testing.B) {
	m := New(Build{})
	b.ReportAllocs()
	for b.Loop() {
		m.Verb("open", "ok", time.Millisecond)
	}
}

func BenchmarkHTTP(b *testing.B) {
	m := New(Build{})
	b.ReportAllocs()
	for b.Loop() {
		m.HTTP("paykit", 200, time.Millisecond)
	}
}
