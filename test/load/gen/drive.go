package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	load "github.com/thungan/thungan/test/load"
)

// grace is how long answers may take that are still due at the end.
const grace = 30 * time.Second

// enough is after how many failures in a row a worker gives up: then nobody is
// there.
const enough = 100

// mode is one kind of load. prepare runs once, before the clock starts. What it
// returns makes each worker's step.
type mode func(o options) (func(w *worker) step, error)

// step does one round and says how many units of work it was. n is the number
// of the round's first unit. A refusal is an error of the step; a broken
// connection too, and then the worker makes a new one.
type step func(n int64) error

// refusal is an answer that is not what the mode wants.
type refusal string

func (r refusal) Error() string { return string(r) }

// worker is one connection.
type worker struct {
	conn     *load.Conn
	deadline time.Time
	address  string
	times    load.Histogram
	done     int64 // units, measured
	all      int64 // units, all
	errors   map[string]int64
	last     time.Time // when the last measured unit ended
}

// crew is all workers with what they share.
type crew struct {
	options
	next     atomic.Int64 // number of the next unit
	units    int64        // to a round
	measured time.Time    // since when
	end      time.Time
}

// drive runs the load and sums up.
func drive(o options, m mode) (load.Result, error) {
	ready, err := m(o)
	if err != nil {
		return load.Result{}, err
	}
	c := &crew{options: o, units: 1}
	if o.mode == "path" {
		c.units = int64(o.batch)
	}
	workers := make([]*worker, o.connections)
	deadline := time.Now().Add(o.warmUp + o.duration + 2*grace)
	for i := range workers {
		w := &worker{deadline: deadline, address: o.site.Address, errors: map[string]int64{}}
		if w.conn, err = load.Dial(w.address, deadline); err != nil {
			return load.Result{}, err
		}
		workers[i] = w
	}
	start := time.Now()
	c.measured = start.Add(o.warmUp)
	c.end = c.measured.Add(o.duration)
	var group sync.WaitGroup
	for _, w := range workers {
		do := ready(w)
		group.Go(func() { c.work(w, do) })
	}
	group.Wait()
	return c.sum(workers, start), nil
}

// work does rounds until the time or the count is over.
func (c *crew) work(w *worker, do step) {
	defer func() { _ = w.conn.Close() }()
	failures := 0
	for failures < enough {
		begin := time.Now()
		n := c.next.Add(c.units) - c.units
		if !begin.Before(c.end) || c.count > 0 && n >= c.count {
			return
		}
		if err := do(n); err != nil {
			w.errors[kind(err)]++
			failures++
			if !w.recovered(err) {
				return
			}
			continue
		}
		failures = 0
		w.all += c.units
		now := time.Now()
		if now.Before(c.measured) || now.After(c.end) {
			continue
		}
		w.times.Record(now.Sub(begin))
		w.done += c.units
		w.last = now
	}
}

// recovered makes the worker fit to go on after an error.
func (w *worker) recovered(err error) bool {
	if r := refusal(""); errors.As(err, &r) {
		return true
	}
	_ = w.conn.Close()
	fresh, err := load.Dial(w.address, w.deadline)
	if err != nil {
		w.errors["connect"]++
		return false
	}
	w.conn = fresh
	return true
}

// kind is a short name for an error, so that they can be counted.
func kind(err error) string {
	var r refusal
	switch {
	case errors.As(err, &r):
		return string(r)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return "connection closed"
	}
	return "broken answer"
}

func (c *crew) sum(workers []*worker, start time.Time) load.Result {
	r := load.Result{Mode: c.mode, Connections: c.connections, StartedNS: start.UnixNano(), Errors: map[string]int64{}}
	var times load.Histogram
	var last time.Time
	for _, w := range workers {
		times.Add(&w.times)
		r.Done += w.done
		r.All += w.all
		for k, n := range w.errors {
			r.Errors[k] += n
		}
		if w.last.After(last) {
			last = w.last
		}
	}
	// A count that was reached early ends the measurement early.
	span := c.duration
	if c.count > 0 && c.next.Load() >= c.count && !last.IsZero() {
		span = last.Sub(c.measured)
	}
	r.Seconds = span.Seconds()
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Done) / r.Seconds
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	r.P50, r.P99, r.Max = ms(times.Quantile(0.5)), ms(times.Quantile(0.99)), ms(times.Max())
	r.CPUSeconds = load.CPU().Seconds()
	return r
}
