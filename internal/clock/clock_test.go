package clock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

func TestNowIsUTCInMicroseconds(t *testing.T) {
	for name, c := range map[string]Clock{
		"system":  System(),
		"sandbox": NewSandbox(time.Hour),
		"manual":  NewManual(noon.In(Vietnam)),
		"fixed":   Fixed(noon.In(Vietnam)),
	} {
		now := c.Now()
		if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
			t.Errorf("%s: %v", name, now)
		}
	}
	if got := Fixed(noon).Now(); !got.Equal(noon.Add(-789)) {
		t.Errorf("fixed shows %v", got)
	}
}

func TestMillis(t *testing.T) {
	for _, ms := range []int64{0, 1, -1, 1772625600123} {
		back := FromMillis(ms)
		if Millis(back) != ms || back.Location() != time.UTC {
			t.Errorf("%d -> %v -> %d", ms, back, Millis(back))
		}
	}
}

func TestVietnam(t *testing.T) {
	if got := noon.In(Vietnam).Format(time.RFC3339); got != "2026-03-04T19:00:00+07:00" {
		t.Error(got)
	}
}

func TestRealTimeClocks(t *testing.T) {
	for name, make := range map[string]func() Clock{
		"system":  System,
		"sandbox": func() Clock { return NewSandbox(48 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := make()
				start := c.Now()
				if at := <-c.After(time.Minute); at.Sub(start) != time.Minute {
					t.Errorf("fired after %v", at.Sub(start))
				}
				<-c.After(0)
				<-c.After(-time.Second)
				if err := Sleep(t.Context(), c, time.Hour); err != nil {
					t.Error(err)
				}
				if got := c.Now().Sub(start); got != time.Hour+time.Minute {
					t.Errorf("slept until %v", got)
				}
			})
		})
	}
}

// bare hides the stopper ability.
type bare struct{ Clock }

func TestSleepGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sandbox, manual := NewSandbox(0), NewManual(noon)
		for name, c := range map[string]Clock{
			"system": System(), "sandbox": sandbox, "manual": manual, "foreign": bare{System()},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := Sleep(ctx, c, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			if err := Sleep(ctx, c, 0); err == nil {
				t.Errorf("%s: slept in an ended context", name)
			}
		}
		if len(sandbox.waiters) != 0 || manual.Waiting() != 0 {
			t.Error("a given-up wait left a waiter behind")
		}
		<-System().After(2 * time.Hour) // the foreign clock's timer runs out
	})
}

func TestSandboxAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSandbox(time.Hour)
		real := time.Now()
		near, far := s.After(10*time.Minute), s.After(60*time.Minute)
		if err := s.Advance(15 * time.Minute); err != nil {
			t.Fatal(err)
		}
		at := <-near
		if got := at.Sub(real); got != 75*time.Minute {
			t.Errorf("near fired at +%v", got)
		}
		select {
		case <-far:
			t.Fatal("far fired early")
		default:
		}
		<-far // by real time alone: 45 minutes are left
		if got := time.Since(real); got != 45*time.Minute {
			t.Errorf("far fired after %v of real time", got)
		}
		if s.Offset() != 75*time.Minute {
			t.Errorf("offset %v", s.Offset())
		}
	})
}

func TestSandboxAdvanceRefused(t *testing.T) {
	s := NewSandbox(MaxOffset - time.Hour)
	for _, tc := range []struct {
		d    time.Duration
		want error
	}{
		{0, ErrBackward},
		{-time.Second, ErrBackward},
		{time.Hour + 1, ErrTooFar},
		{1<<63 - 1, ErrTooFar},
		{time.Hour, nil},
		{1, ErrTooFar},
	} {
		if err := s.Advance(tc.d); !errors.Is(err, tc.want) {
			t.Errorf("Advance(%v): %v, want %v", tc.d, err, tc.want)
		}
	}
	if s.Offset() != MaxOffset {
		t.Errorf("offset %v", s.Offset())
	}
}

func TestSandboxLosesNoWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSandbox(0)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				start := s.Now()
				if err := Sleep(t.Context(), s, time.Duration(i)*time.Second); err != nil {
					t.Error(err)
				}
				if slept := s.Now().Sub(start); slept < time.Duration(i)*time.Second {
					t.Errorf("waiter %d woke after %v", i, slept)
				}
			})
		}
		for range 50 {
			wg.Go(func() {
				if err := s.Advance(3 * time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(s.waiters) != 0 {
			t.Errorf("%d waiters left", len(s.waiters))
		}
	})
}

func TestManual(t *testing.T) {
	m := NewManual(noon)
	ch := m.After(time.Second)
	m.Advance(999 * time.Millisecond)
	if m.Waiting() != 1 {
		t.Fatalf("waiting %d", m.Waiting())
	}
	m.Advance(time.Millisecond)
	if at := <-ch; !at.Equal(m.Now()) {
		t.Errorf("fired at %v, shows %v", at, m.Now())
	}
	<-m.After(0)
	defer func() {
		if recover() == nil {
			t.Error("moved backward")
		}
	}()
	m.Advance(-1)
}
