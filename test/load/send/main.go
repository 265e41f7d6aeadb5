// Command send is the sender of notifications without its database: it forms
// Paykit notices and sends them through the guarded client, as many at once as
// the gateway would, and records nothing. What the gateway sends in the same
// time beside this figure is the price of the durable record.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/payment"
	load "github.com/thungan/thungan/test/load"
)

// perReceiver is the gateway's own limit of attempts at once to one receiver.
const perReceiver = 64

func main() {
	to := flag.String("to", "", "receivers, comma separated http://127.0.0.1:PORT/PATH")
	count := flag.Int64("n", 1000, "how many notices to send")
	limit := flag.Duration("limit", time.Minute, "give up after so long")
	flag.Parse()
	result, err := run(strings.Split(*to, ","), *count, *limit)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "send:", err)
		os.Exit(1)
	}
}

func run(receivers []string, count int64, limit time.Duration) (load.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s := sender{count: count}
	s.client = guard.New(guard.Options{AllowLoopback: true, AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, UserAgent: "Thungan/bench"})
	defer s.client.CloseIdle()
	for _, r := range receivers {
		address, _, _ := strings.Cut(strings.TrimPrefix(r, "http://"), "/")
		if err := load.CheckLoopback(address); err != nil {
			return load.Result{}, err
		}
	}
	start := time.Now()
	var group sync.WaitGroup
	for _, receiver := range receivers {
		for range perReceiver {
			group.Go(func() { s.work(ctx, receiver) })
		}
	}
	group.Wait()
	took := time.Since(start).Seconds()
	r := load.Result{
		Mode: "send", Connections: perReceiver * len(receivers), StartedNS: start.UnixNano(), Seconds: took,
		Done: s.done.Load(), All: s.done.Load(), PerSecond: float64(s.done.Load()) / took, CPUSeconds: load.CPU().Seconds(),
	}
	r.Fail("not delivered", s.failed.Load())
	return r, nil
}

type sender struct {
	client             *guard.Client
	count              int64
	next, done, failed atomic.Int64
}

func (s *sender) work(ctx context.Context, receiver string) {
	for ctx.Err() == nil {
		n := s.next.Add(1) - 1
		if n >= s.count {
			return
		}
		if err := s.send(ctx, receiver, n); err != nil {
			s.failed.Add(1)
			continue
		}
		s.done.Add(1)
	}
}

func (s *sender) send(ctx context.Context, receiver string, n int64) error {
	now := time.Now().UTC()
	reference := load.Reference("sent", n)
	formed, err := paykit.Dialect{}.Notice(dialect.Notice{
		Payment: payment.Payment{Reference: reference, Amount: load.Amount, Received: load.Amount, State: payment.Approved, CreatedAt: now, DueAt: now, CompletedAt: now},
		URL:     receiver, RequestID: reference, PublicID: "bench", At: now,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, receiver, bytes.NewReader(formed.Body))
	if err != nil {
		return err
	}
	for name, value := range formed.Headers {
		req.Header.Set(name, value)
	}
	answer, err := s.client.Do(ctx, req)
	if err != nil {
		return err
	}
	if !(paykit.Dialect{}).Accepted(answer.Status, answer.Body) {
		return fmt.Errorf("status %d", answer.Status)
	}
	return nil
}
