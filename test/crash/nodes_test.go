package crash

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestPausedNode stops one of two nodes on one PostgreSQL as a frozen machine would be, in the middle of whatever it
// does, long enough for the other to take its work over, and lets it go on. What it then does too late must not count.
func TestPausedNode(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t, 2)
		pause := takeover + 2*time.Second
		if r.full {
			pause = time.Minute
		}
		s := newSite(t, durable(t))
		one, two := s.start(), s.start()
		l := newLoad(s, r.random, false, one, two)
		for {
			l.pause(time.Duration(200+r.random.IntN(800)) * time.Millisecond)
			one.signal(syscall.SIGSTOP)
			l.aim(two)
			r.most("ms until the other node worked", l.worksWithin(backAfter).Milliseconds())
			l.watch(two)
			before := l.answers.Load()
			l.pause(pause)
			if did := l.answers.Load() - before; did < int64(pause/time.Second) {
				t.Errorf("while one node was stopped, the other answered only %d requests", did)
			}
			// What the stopped node has locked must not hold up the other for as long as it is stopped.
			if times := l.watch(nil); len(times) > 0 {
				worst := slices.Max(times)
				r.most("ms for an answer of the other node", worst.Milliseconds())
				if worst > 15*time.Second {
					t.Errorf("while one node was stopped, an answer of the other took %s", worst)
				}
			}
			one.signal(syscall.SIGCONT)
			l.aim(one, two)
			l.pause(time.Second)
			if !r.left() {
				break
			}
			one, two = two, one
		}
		h := l.finish()
		now := s.verdict(r, two, h)
		s.recordedOnce(r, two, now)
	})
}

func (n *node) signal(sig syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(sig); err != nil {
		n.t.Fatal(err)
	}
}

// recordedOnce judges the records of the attempts: each that was acknowledged did arrive, and a notification that was
// acknowledged was not tried again by whoever had lost it.
func (s *site) recordedOnce(r *trial, n *node, now *snapshot) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), reading(len(now.notifications)))
	defer cancel()
	arrived := s.receiver.requests()
	for _, shown := range now.notifications {
		var d struct {
			Attempts []struct {
				RequestID string `json:"request_id"`
				Status    int
			}
		}
		if err := s.get(ctx, n, "/notifications/"+shown.ID, &d); err != nil {
			s.t.Fatal(err)
		}
		for i, a := range d.Attempts {
			ok := a.Status/100 == 2
			if ok && !arrived[a.RequestID] {
				s.t.Errorf("notification %s: attempt %s is recorded as acknowledged and never arrived", shown.ID, a.RequestID)
			}
			if ok != (i == len(d.Attempts)-1) {
				s.t.Errorf("notification %s: attempt %d of %d has status %d", shown.ID, i+1, len(d.Attempts), a.Status)
			}
			delete(arrived, a.RequestID)
		}
	}
	r.add("notices sent again by another node", int64(len(arrived)))
}

// TestCallers has ten times as many callers as the database has connections, first with a pool of two, then with the
// usual one: nobody waits for ever, and none much longer than the others. Rounds are seconds.
func TestCallers(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 4)
		s := newSite(t, database)
		h := &history{}
		pools := []int{2, 16}
		if s.sqlite() {
			pools = []int{1} // its writer
		}
		var last *node
		for _, pool := range pools {
			crowd := 10 * pool
			s.serving = nil
			if s.sqlite() {
				crowd = 64
			} else {
				u, err := url.Parse(database)
				if err != nil {
					t.Fatal(err)
				}
				q := u.Query()
				q.Set("pool_max_conns", strconv.Itoa(pool))
				u.RawQuery = q.Encode()
				s.serving = []string{"--database", u.String()}
			}
			if last != nil {
				last.terminate(30 * time.Second)
			}
			last = s.start()
			l := newCrowd(s, r.random, false, crowd, last)
			l.watch(last)
			seconds := max(r.rounds/len(pools), 1)
			var rates []float64 // answers a second, second by second
			for range seconds {
				before, from := l.answers.Load(), time.Now()
				l.pause(time.Second)
				answers := l.answers.Load() - before
				rates = append(rates, float64(answers)/time.Since(from).Seconds())
				if answers == 0 {
					// A busy machine may need a moment more; a stall needs for ever.
					l.worksWithin(backAfter)
				}
			}
			if times := l.watch(nil); r.full {
				steady(r, pool, rates, times)
			}
			one := l.finish()
			r.add("answers with a pool of "+strconv.Itoa(pool), l.answers.Load())
			r.add("seconds with a pool of "+strconv.Itoa(pool), int64(seconds))
			r.most("ms for an answer", l.worst.Milliseconds())
			if one.unknown > 0 {
				t.Errorf("%d requests had no answer within 20 s", one.unknown)
			}
			h.add(one)
		}
		s.verdict(r, last, h)
	})
}

// steady judges a load by itself, however fast the machine is: nothing stalls, it stays near its own best, and no caller
// waits much longer than the line is. That means something only where nothing else runs (-crash.alone); elsewhere it is
// counted. The first and the last second are not looked at.
func steady(r *trial, pool int, rates []float64, times []time.Duration) {
	const best, enough = 10, 20 // seconds
	r.Helper()
	if len(rates) < enough+2 {
		return
	}
	rates = rates[1 : len(rates)-1]
	var most float64
	for i := range rates {
		if rates[i] == 0 {
			r.add("seconds without an answer", 1)
		}
		if *alone && rates[i] == 0 {
			r.Errorf("with a pool of %d there was no answer in second %d of %d", pool, i+2, len(rates)+2)
		}
		if i+best <= len(rates) {
			var sum float64
			for _, rate := range rates[i : i+best] {
				sum += rate
			}
			most = max(most, sum/best)
		}
	}
	sorted := slices.Sorted(slices.Values(rates))
	median := sorted[len(sorted)/2]
	r.most("% less in the median second than in the best ten", int64(100-100*median/most))
	if *alone && median < 0.8*most {
		r.Errorf("with a pool of %d the median second has %.0f answers, the best ten have %.0f each: %.0f", pool, median, most, rates)
	}
	// By Little's law the mean is callers / throughput: what the queue costs.
	slices.Sort(times)
	var sum time.Duration
	for _, took := range times {
		sum += took
	}
	mean, p99 := sum/time.Duration(len(times)), times[len(times)*99/100]
	r.most("times the mean for an answer (p99)", int64(p99/mean))
	if *alone && p99 > 10*mean {
		r.Errorf("with a pool of %d the p99 of answers is %s, with a mean of %s", pool, p99, mean)
	}
}

func (s *site) sqlite() bool { return s.database()[:7] == "sqlite:" }
