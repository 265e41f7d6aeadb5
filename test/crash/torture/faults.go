package main

import (
	"math"
	"time"
)

// fault is one row of docs/reliability.md.
type fault struct {
	test    string
	engines []string
	what    string
	full    int           // rounds on each engine
	unit    string        // of a round
	least   int           // rounds below which it shows nothing
	batch   int           // rounds of one process
	each    time.Duration // that a round may take at most
}

var (
	both     = []string{"sqlite", "postgres"}
	sqlite   = []string{"sqlite"}
	postgres = []string{"postgres"}
)

var faults = []fault{
	{test: "TestKill", engines: both, what: "kill -9 under load, at a random moment", full: 1000, unit: "kills", batch: 25, each: 10 * time.Second},
	{test: "TestKillOneOfTwo", engines: postgres, what: "kill -9 of one of two nodes", full: 100, unit: "kills", batch: 10, each: 20 * time.Second},
	{test: "TestShutdown", engines: both, what: "orderly restart in mid-drain", full: 100, unit: "restarts", batch: 10, each: 40 * time.Second},
	{test: "TestNthWriteFails", engines: sqlite, what: "the n-th write, truncation or fsync fails, n = 1 until a run is clean", full: 4000, unit: "faults", least: 800, batch: 1000, each: 10 * time.Second},
	{test: "TestNthMessageFails", engines: postgres, what: "the connection breaks at the n-th message, n = 1 until a run is clean", full: 4000, unit: "faults", least: 800, batch: 1000, each: 10 * time.Second},
	{test: "TestDiskFull", engines: both, what: "disk full, then freed", full: 50, unit: "times", least: 4, batch: 10, each: time.Minute},
	{test: "TestPostgresRestarts", engines: postgres, what: "PostgreSQL stopped at once, killed, or all sessions ended", full: 50, unit: "times", least: 6, batch: 10, each: time.Minute},
	{test: "TestFailOver", engines: postgres, what: "primary killed, synchronous replica promoted", full: 50, unit: "fail-overs", least: 4, batch: 10, each: time.Minute},
	{test: "TestPausedNode", engines: postgres, what: "one of two nodes stopped for 60 s (SIGSTOP)", full: 100, unit: "pauses", batch: 5, each: 3 * time.Minute},
	{test: "TestCallers", engines: both, what: "callers = 10 × pool; pool of two", full: 600, unit: "seconds", least: 44, batch: 120, each: 5 * time.Second},
	{test: "TestTwice", engines: both, what: "the same request 2 to 50 times at once (create, notice, capture, cancel, refund, void)", full: 10_000, unit: "orders", least: 15, batch: 500, each: 5 * time.Second},
	{test: "TestClockJumps", engines: both, what: "clock +1 h, −1 h, +1 day, over midnight", full: 200, unit: "jumps", batch: 50, each: 20 * time.Second},
	{test: "TestBankNotices", engines: both, what: "bank notices of eight hostile kinds", full: 10_000, unit: "of each kind", batch: 2000, each: 5 * time.Second},
	{test: "TestOutage", engines: both, what: "outage of an hour while SePay and VietQR.vn give up", full: 50, unit: "outages", least: 4, batch: 10, each: 2 * time.Minute},
	{test: "TestReceivers", engines: both, what: "receivers dead, slow, endless, misleading, 410, 429", full: 100_000, unit: "events", least: 240, batch: 20_000, each: time.Second},
	{test: "TestAcquirers", engines: both, what: "acquirers that charge and lose the answer, charge twice, take back", full: 5000, unit: "orders", least: 44, batch: 1000, each: 2 * time.Second},
}

// count is how many rounds a share of the full count is.
func (f fault) count(scale float64) int {
	return min(f.full, max(f.least, 1, int(math.Ceil(float64(f.full)*scale))))
}
