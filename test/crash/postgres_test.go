package crash

import (
	"testing"
	"time"

	"github.com/thungan/thungan/internal/pgtest"
)

// backAfter is how soon the gateway works again once its database does.
const backAfter = 10 * time.Second

// TestPostgresRestarts ends PostgreSQL without notice, as an immediate stop or a kill of all of its processes, and
// starts it again a moment later; or ends all sessions of the gateway at once. The gateway itself stays.
func TestPostgresRestarts(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t, 3)
		server := pgtest.NewServer(t, true)
		s := newSite(t, server.URL())
		n := s.start()
		l := newLoad(s, r.random, false, n)
		for round := range r.rounds {
			l.pause(time.Duration(200+r.random.IntN(600)) * time.Millisecond)
			var err error
			switch round % 3 {
			case 0:
				err = server.Stop(pgtest.Immediate)
			case 1:
				err = server.Kill()
			case 2:
				query(t, server.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'thungan'")
			}
			if err != nil {
				t.Fatal(err)
			}
			l.pause(time.Duration(r.random.IntN(1000)) * time.Millisecond)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			r.most("ms until it worked again", l.worksWithin(backAfter).Milliseconds())
		}
		s.verdict(r, n, l.finish())
	})
}

// TestFailOver kills the primary and promotes its synchronous replica, and makes the dead one the next replica.
func TestFailOver(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t, 2)
		primary := pgtest.NewServer(t, true)
		s := newSite(t, primary.URL())
		standby := pgtest.NewStandby(t, primary)
		s.flags[1] = pgtest.EitherURL(primary, standby)
		n := s.start()
		l := newLoad(s, r.random, false, n)
		for {
			l.pause(time.Duration(300+r.random.IntN(700)) * time.Millisecond)
			if err := primary.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := standby.Promote(); err != nil {
				t.Fatal(err)
			}
			r.most("ms until it worked again", l.worksWithin(backAfter).Milliseconds())
			if !r.left() {
				break
			}
			if err := primary.Follow(standby); err != nil {
				t.Fatal(err)
			}
			primary, standby = standby, primary
		}
		s.verdict(r, n, l.finish())
	})
}

// worksWithin waits until an order that is begun now has been answered, and says how long that took.
func (l *load) worksWithin(limit time.Duration) time.Duration {
	l.site.t.Helper()
	start := time.Now()
	done := l.answers.Load()
	for l.answers.Load() == done {
		if time.Since(start) > limit {
			l.site.t.Fatalf("nothing was answered with success for %s", limit)
		}
		l.pause(5 * time.Millisecond)
	}
	return time.Since(start)
}
