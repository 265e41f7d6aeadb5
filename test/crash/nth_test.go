package crash

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/thungan/thungan/test/diskfault"
	sqlite3 "modernc.org/sqlite/lib"
)

// quiet is a load without shoppers of its own: the test makes the orders.
func quiet(s *site, n *node) *load { return newCrowd(s, rand.New(rand.NewPCG(0, 0)), false, 0, n) }

// story is what is done while one fault strikes: each plan once, so openings, credits, repetitions and notices.
func (l *load) story(name string, random *rand.Rand) {
	for _, p := range plans {
		l.serve(l.name+"-"+name+"-"+string(p)+strconv.Itoa(random.IntN(1e6)), p, random)
	}
}

// TestNthWriteFails has the n-th write, truncation or sync of SQLite fail, n = 1, 2, 3 ... until a story has no more
// of them: once, from then on until somebody mends the disk, or from then on until a new start. Some writes reach the
// disk in half. What was answered with success is there, whatever failed.
func TestNthWriteFails(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t, 60)
		path := filepath.Join(t.TempDir(), "thungan.db")
		s := newSite(t, "sqlite:"+path)
		d := diskfault.New(t, path)
		g := s.startInside(fitting{})
		l := quiet(s, g.node)
		defer func() { g.stop() }()
		n, clean := 1, 0
		for round := range r.rounds {
			mode := r.random.IntN(3)
			code := int32(sqlite3.SQLITE_IOERR_WRITE)
			if r.random.IntN(3) == 0 {
				code = sqlite3.SQLITE_FULL
			}
			d.Arm(diskfault.Fault{Ops: diskfault.Change, N: n, Lasting: mode > 0, Torn: r.random.IntN(2) == 0, Code: code})
			mended, done := make(chan *inside, 1), make(chan struct{})
			go func() { mended <- s.mend(r, l, g, d, mode, done) }()
			l.story(strconv.Itoa(round), r.random)
			close(done)
			if g = <-mended; g == nil {
				t.FailNow()
			}
			fired := d.Heal()
			r.add("faults", int64(fired))
			if fired > 0 {
				clean = 0
				n++
				if !r.full {
					n += r.random.IntN(4) // not each of them
				}
				r.most("n", int64(n))
				continue
			}
			// A worker may have written in between; three stories in a row are believed.
			if clean++; clean == 3 {
				r.add("times through to a clean run", 1)
				n, clean = 1, 0
			}
		}
		h := l.finish()
		s.verdict(r, g.node, h)
	})
}

// mend ends a fault: at once when it passes by itself, a little later by itself, or by a new start. It returns the
// gateway that runs then, when the story has been told.
func (s *site) mend(r *trial, l *load, g *inside, d *diskfault.Disk, mode int, done chan struct{}) *inside {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !d.Fired() {
		select {
		case <-done:
			return g
		case <-tick.C:
		}
	}
	if mode == 0 {
		<-done
		return g
	}
	s.refusesCleanly(l)
	if mode == 1 {
		d.Heal()
		<-done
		return g
	}
	g.stop()
	d.Heal()
	next, err := s.openInside(fitting{})
	if err != nil {
		s.t.Errorf("the gateway does not start after a fault of its disk: %v", err)
		return nil
	}
	r.add("new starts", 1)
	l.aim(next.node)
	<-done
	return next
}

// refusesCleanly wants a gateway that cannot write to say so: with a status of 5xx, soon, in the caller's form.
func (s *site) refusesCleanly(l *load) {
	body := mustJSON(map[string]any{"payment_method": "BANK_TRANSFER", "payment": map[string]any{
		"id": "REFUSED-" + strconv.FormatInt(loads.Add(1), 10), "amount": 10_000, "currency": "VND",
		"success_url": "https://shop.example.vn/ok", "cancel_url": "https://shop.example.vn/no",
	}})
	start := time.Now()
	status, text, err := l.post("/v2/payment-page-checkout", body, func(h http.Header) {
		h.Set("api-key", s.apiKey)
		h.Set("secret-key", s.secretKey)
	})
	if err != nil || status/100 != 5 || time.Since(start) > 10*time.Second {
		s.t.Errorf("on a disk that takes nothing a create was answered %d %s after %s (%v)", status, text, time.Since(start), err)
	}
}
