package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// mostDrift is how far the database's clock and a node's may be apart before the
// node says so. Leases of notifications and the order of an audit log bear a few
// seconds.
const mostDrift = 5 * time.Second

// judgeSurroundings looks, once and before the first request, at what a gateway
// is given and cannot change: the key file and the clock. A key file that opens
// nothing is another gateway's. With it payments would be made, and no bank credit
// believed and no shop told.
func (g *gateway) judgeSurroundings(ctx context.Context) error {
	columns, err := g.core.Unopened(ctx)
	if err != nil {
		return fmt.Errorf("cannot look at the sealed secrets: %w", err)
	}
	texts, lost := 0, 0
	for _, c := range columns {
		texts, lost = texts+c.Texts, lost+c.Lost
	}
	if lost > 0 && lost == texts {
		return errors.New("the key file is not this database's: it opens none of the secrets there; " +
			"if the right one is lost for good, docs/runbook.md says how to go on")
	}
	for _, c := range columns {
		if c.Lost > 0 {
			g.log.Error("secrets cannot be opened: a key is missing in the key file", "column", c.Column, "secrets", c.Texts, "lost", c.Lost)
		}
	}
	if drift, ok, err := g.drift(ctx); err == nil && ok && drift.Abs() > mostDrift {
		g.log.Warn("the clocks of the database and of this machine differ", "database_is_ahead_by", drift.String())
	}
	return nil
}

// drift is how far the database's clock is ahead of this node's, give or take the
// time of a question. ok is false when the database has no clock of its own.
func (g *gateway) drift(ctx context.Context) (ahead time.Duration, ok bool, err error) {
	before := g.clock.Now()
	shows, ok, err := g.store.Clock(ctx)
	if err != nil || !ok {
		return 0, false, err
	}
	after := g.clock.Now()
	switch {
	case shows.After(after):
		ahead = shows.Sub(after)
	case shows.Before(before):
		ahead = shows.Sub(before)
	}
	return ahead.Round(time.Millisecond), true, nil
}

// driftGauge is drift in seconds, or NaN when it is not known.
func (g *gateway) driftGauge() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ahead, ok, err := g.drift(ctx)
	if err != nil || !ok {
		return math.NaN()
	}
	return ahead.Seconds()
}
