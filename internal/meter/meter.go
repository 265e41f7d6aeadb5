// Package meter counts what the gateway does, for Prometheus.
//
// Label values come from our own code: names of verbs, outcomes, surfaces,
// sources. Never pass what a client wrote, nor a merchant's or a payment's id:
// each new value is a new time series that stays in memory.
package meter

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "thungan"

// durations are histogram bounds in seconds, from a memory hit to a time-out.
var durations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Build says which program runs.
type Build struct {
	Version  string
	Revision string // of the source
}

// Meter holds the metrics. It is safe for concurrent use. Every method but
// those that are given a function costs less than a microsecond.
type Meter struct {
	registry *prometheus.Registry

	verbs       *prometheus.CounterVec
	verbTime    *prometheus.HistogramVec
	http        *prometheus.CounterVec
	httpTime    *prometheus.HistogramVec
	deliveries  *prometheus.CounterVec
	delivery    prometheus.Histogram
	credits     *prometheus.CounterVec
	commitSize  prometheus.Histogram
	commitTime  prometheus.Histogram
	throttled   *prometheus.CounterVec
	codeStrings [1000]string
}

// New makes a Meter with its own registry and the metrics of the Go runtime and
// the process.
func New(b Build) *Meter {
	m := &Meter{
		registry:   prometheus.NewRegistry(),
		verbs:      counter("verbs_total", "Calls of core's verbs.", "verb", "outcome"),
		verbTime:   histogram("verb_duration_seconds", "Time of a verb, its commit included.", "verb"),
		http:       counter("http_requests_total", "HTTP requests answered.", "surface", "code"),
		httpTime:   histogram("http_request_duration_seconds", "Time of an HTTP request.", "surface"),
		deliveries: counter("deliveries_total", "Attempts to deliver a notification.", "outcome"),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "delivery_duration_seconds", Buckets: durations,
			Help: "Time of an attempt to deliver a notification.",
		}),
		credits: counter("bank_credits_total", "Bank credits taken in, by what the matcher decided.", "source", "outcome"),
		commitSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_requests", Buckets: prometheus.ExponentialBuckets(1, 2, 10),
			Help: "Requests that shared one group commit.",
		}),
		commitTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_duration_seconds", Buckets: durations,
			Help: "Time of a group commit.",
		}),
		throttled: counter("throttled_total", "Requests refused by a rate limit.", "limit"),
	}
	for code := range m.codeStrings {
		m.codeStrings[code] = strconv.Itoa(code)
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say which program runs.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.verbs, m.verbTime, m.http, m.httpTime, m.deliveries, m.delivery, m.credits,
		m.commitSize, m.commitTime, m.throttled, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: durations,
	}, labels)
}

// Verb counts one call of a verb, such as "open", with its outcome: "ok" or an
// error code.
func (m *Meter) Verb(verb, outcome string, took time.Duration) {
	m.verbs.WithLabelValues(verb, outcome).Inc()
	m.verbTime.WithLabelValues(verb).Observe(took.Seconds())
}

// HTTP counts one answered request. surface is a dialect's name, "checkout",
// "console", "admin" or the like; code is the HTTP status.
func (m *Meter) HTTP(surface string, code int, took time.Duration) {
	if code < 0 || code >= len(m.codeStrings) {
		code = 0
	}
	m.http.WithLabelValues(surface, m.codeStrings[code]).Inc()
	m.httpTime.WithLabelValues(surface).Observe(took.Seconds())
}

// Delivery counts one attempt to deliver a notification. outcome is "accepted",
// "rejected", or what the guarded client names: "refused", "timeout", "tls",
// "other".
func (m *Meter) Delivery(outcome string, took time.Duration) {
	m.deliveries.WithLabelValues(outcome).Inc()
	m.delivery.Observe(took.Seconds())
}

// BankCredit counts one bank credit from a source, such as "sepay". outcome is
// what the matcher decided: "exact", "short", "over", "late", "duplicate",
// "unknown".
func (m *Meter) BankCredit(source, outcome string) {
	m.credits.WithLabelValues(source, outcome).Inc()
}

// Commit counts one group commit of so many requests.
func (m *Meter) Commit(requests int, took time.Duration) {
	m.commitSize.Observe(float64(requests))
	m.commitTime.Observe(took.Seconds())
}

// Throttled counts one request refused by the named rate limit.
func (m *Meter) Throttled(limit string) { m.throttled.WithLabelValues(limit).Inc() }

// Queue shows how many items wait in a queue. depth is asked at each scrape and
// must return soon; NaN means unknown. It returns an error when name is there
// already.
func (m *Meter) Queue(name string, depth func() float64) error {
	return m.register(prometheus.GaugeOpts{
		Namespace: namespace, Name: "queue_depth", Help: "Items that wait in a queue.",
		ConstLabels: prometheus.Labels{"queue": name},
	}, depth)
}

// Oldest shows how long the oldest undelivered notification has waited. age is
// asked at each scrape and must return soon; 0 means none waits. It may be
// called once.
func (m *Meter) Oldest(age func() time.Duration) error {
	return m.register(prometheus.GaugeOpts{
		Namespace: namespace, Name: "oldest_undelivered_seconds", Help: "Age of the oldest undelivered notification.",
	}, func() float64 { return age().Seconds() })
}

// Ready shows 1 when the gateway can take payments, else 0. ready is asked at
// each scrape and must return soon. It may be called once.
func (m *Meter) Ready(ready func() float64) error {
	return m.register(prometheus.GaugeOpts{Namespace: namespace, Name: "ready", Help: "1 when the gateway can take payments, as /readyz says, else 0."}, ready)
}

// feedLags is a gauge for each bank feed there is at the time of a scrape.
type feedLags struct {
	desc *prometheus.Desc
	lags func() map[string]time.Duration
}

func (f feedLags) Describe(to chan<- *prometheus.Desc) { to <- f.desc }

func (f feedLags) Collect(to chan<- prometheus.Metric) {
	for feed, lag := range f.lags() {
		to <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, lag.Seconds(), feed)
	}
}

// FeedLags shows for each bank feed that can be asked how long ago it was read to
// its end. Names of feeds are an operator's, and few. lags is asked at each scrape
// and must return soon. It may be called once.
func (m *Meter) FeedLags(lags func() map[string]time.Duration) error {
	desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "bank_feed_lag_seconds"), "How long ago a bank feed with API credentials was read to its end.", []string{"feed"}, nil)
	if err := m.registry.Register(feedLags{desc, lags}); err != nil {
		return fmt.Errorf("meter: bank_feed_lag_seconds: %w", err)
	}
	return nil
}

// DatabaseClock shows how many seconds the database's clock is ahead of this
// node's; below zero it is behind. ahead is asked at each scrape and must return
// soon; NaN means unknown. It may be called once.
func (m *Meter) DatabaseClock(ahead func() float64) error {
	return m.register(prometheus.GaugeOpts{
		Namespace: namespace, Name: "database_clock_ahead_seconds", Help: "How far the database's clock is ahead of this node's.",
	}, ahead)
}

func (m *Meter) register(opts prometheus.GaugeOpts, value func() float64) error {
	if err := m.registry.Register(prometheus.NewGaugeFunc(opts, value)); err != nil {
		return fmt.Errorf("meter: %s %v: %w", opts.Name, opts.ConstLabels, err)
	}
	return nil
}

// Handler answers Prometheus's scrapes: at most four at once, 10 s each.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}
