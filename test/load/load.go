// Package load has what the programs of the benchmark share: a fast HTTP/1.1
// client, a latency histogram, and what the load generator is told and tells.
//
//	gen       the load generator, a process of its own
//	receiver  a merchant's end of the notifications
//	send      the notifications' sender without a database, for comparison
//	database  what the benchmark asks of a database directly
//	bench     runs everything and prints the figures: make bench
package load

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// Site is an installation as its callers know it. It is handed to the
// generator in a file, because it has keys.
type Site struct {
	Address    string     `json:"address"` // host:port of the gateway, loopback
	Merchants  []Merchant `json:"merchants"`
	Feed       string     `json:"feed"`        // a generic bank feed, "" for none
	FeedSecret string     `json:"feed_secret"` // what its messages are signed with
	IPN        []string   `json:"ipn"`         // notify addresses that payments name in turn; may be empty
}

// Merchant is one merchant's keys and bank account.
type Merchant struct {
	ID      string `json:"id"`
	Key     string `json:"key"`
	Secret  string `json:"secret"`
	BIN     string `json:"bin"`
	Account string `json:"account"` // its number
	// AccountID is the gateway's own id of the account.
	AccountID string `json:"account_id"`
}

// ReadSite reads a site from a file and checks it.
func ReadSite(path string) (Site, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Site{}, err
	}
	var s Site
	if err := json.Unmarshal(text, &s); err != nil {
		return Site{}, fmt.Errorf("the site's file: %w", err)
	}
	if len(s.Merchants) == 0 {
		return Site{}, fmt.Errorf("the site's file names no merchant")
	}
	return s, CheckLoopback(s.Address)
}

// CheckLoopback refuses every address that is not an IP address of this machine
// itself, with a port. Names are refused too: they may change.
func CheckLoopback(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q is not IP:PORT: %w", address, err)
	}
	if !to.Addr().IsLoopback() {
		return fmt.Errorf("address %s is not on this machine: only loopback is loaded", address)
	}
	return nil
}

// Result is what the generator prints: one line of JSON.
type Result struct {
	Mode        string           `json:"mode"`
	Connections int              `json:"connections"`
	StartedNS   int64            `json:"started_ns"` // Unix time of the first request
	Seconds     float64          `json:"seconds"`    // measured, without the warm-up
	Done        int64            `json:"done"`       // units that succeeded while measured
	All         int64            `json:"all"`        // units that succeeded, warm-up and tail included
	PerSecond   float64          `json:"per_second"`
	P50         float64          `json:"p50_ms"`
	P99         float64          `json:"p99_ms"`
	Max         float64          `json:"max_ms"`
	Errors      map[string]int64 `json:"errors,omitempty"` // by kind, over everything
	CPUSeconds  float64          `json:"cpu_seconds"`      // of the generator
}

// Fail counts errors of a kind.
func (r *Result) Fail(kind string, n int64) {
	if n <= 0 {
		return
	}
	if r.Errors == nil {
		r.Errors = map[string]int64{}
	}
	r.Errors[kind] += n
}

// Failures is how many errors of all kinds there were.
func (r Result) Failures() int64 {
	var n int64
	for _, of := range r.Errors {
		n += of
	}
	return n
}

// Deliveries is what the receiver has seen.
type Deliveries struct {
	Count   int64 `json:"count"`
	FirstNS int64 `json:"first_ns"` // Unix time; 0 when there was none
	LastNS  int64 `json:"last_ns"`
}

// PerSecond is the rate between the first and the last delivery.
func (d Deliveries) PerSecond() float64 {
	if d.Count < 2 || d.LastNS <= d.FirstNS {
		return 0
	}
	return float64(d.Count-1) / (float64(d.LastNS-d.FirstNS) / float64(time.Second))
}

// Digits is how many digits Reference gives to the number.
const Digits = 9

// Reference is the n-th payment's id, as a merchant made it, among those of one
// tag.
func Reference(tag string, n int64) string {
	return fmt.Sprintf("%s-%0*d", tag, Digits, n)
}

// CheckTag refuses tags that cannot stand in a request as they are.
func CheckTag(tag string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if tag == "" || len(tag) > 24 || strings.Trim(tag, allowed) != "" {
		return fmt.Errorf("tag %q is not 1 to 24 letters and digits", tag)
	}
	return nil
}

// CPU is the time that this process has used so far, in user and system mode.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
