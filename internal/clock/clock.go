// Package clock makes time an argument: logic asks a Clock, so tests can hold
// time still and the sandbox can move it forward.
package clock

import (
	"context"
	"time"
)

// Vietnam is the time zone of Vietnam, UTC+07:00 all year. It is a fixed zone,
// so no time zone database is needed.
var Vietnam = time.FixedZone("+07", 7*60*60)

// Clock tells the time and waits.
type Clock interface {
	// Now is the present moment in UTC, cut to whole microseconds, which is
	// the finest step both databases keep.
	Now() time.Time
	// After sends the time once, when d has passed. A waiter nobody listens
	// to any more costs a little memory until its moment comes; use Sleep
	// where the wait may be given up.
	After(d time.Duration) <-chan time.Time
}

// stopper is the ability of this package's clocks to forget a waiter early.
type stopper interface {
	timer(d time.Duration) (fired <-chan time.Time, stop func())
}

// Sleep waits until d has passed on c, or ctx ends; then it returns ctx's
// error. Nothing stays behind when the wait is given up.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var fired <-chan time.Time
	if s, ok := c.(stopper); ok {
		ch, stop := s.timer(d)
		defer stop()
		fired = ch
	} else {
		fired = c.After(d)
	}
	select {
	case <-fired:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Millis is t in milliseconds since 1970-01-01 UTC; parts of a millisecond are
// cut off.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// FromMillis is the moment ms milliseconds after 1970-01-01 UTC, in UTC.
func FromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// System is the machine's clock.
func System() Clock { return system{} }

type system struct{}

func (system) Now() time.Time { return cut(time.Now()) }

func (system) After(d time.Duration) <-chan time.Time {
	ch, _ := system{}.timer(d)
	return ch
}

func (system) timer(d time.Duration) (<-chan time.Time, func()) {
	ch := make(chan time.Time, 1)
	t := time.AfterFunc(d, func() { ch <- cut(time.Now()) })
	return ch, func() { t.Stop() }
}

func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
