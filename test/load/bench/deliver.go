package main

import (
	"context"
	"fmt"
	"time"

	load "github.com/thungan/thungan/test/load"
	"github.com/thungan/thungan/test/load/database"
)

// deliver puts paid payments with notifications that are due into a node's
// database, and measures how fast the node sends and records them: from the
// first that is received until none is left to record.
func (b *bench) deliver(ctx context.Context, n *node, r *receiver) error {
	quiet, err := b.begin(ctx, fmt.Sprintf("%s notifications", n.engine))
	if err != nil {
		return err
	}
	if _, err := r.ask(ctx, "/reset"); err != nil {
		return err
	}
	before, err := n.used(ctx)
	if err != nil {
		return err
	}
	p := database.Payments{
		Tag: b.tag(), Merchant: n.site.Merchants[0], To: b.flags.notices, Since: time.Now().Add(-24*time.Hour + time.Duration(b.runs)*time.Minute),
		Every: time.Millisecond, Target: n.site.IPN, Series: int64(b.runs),
	}
	if err := n.db.FillNotices(ctx, p); err != nil {
		return err
	}
	seen, err := awaitDeliveries(ctx, r, p.To)
	if err != nil {
		return err
	}
	c := cell{Kind: cellDeliver, Engine: n.engine, Round: b.round, Quiet: quiet, Result: load.Result{Mode: "deliver", Connections: receivers, StartedNS: seen.FirstNS, All: seen.Count, Done: seen.Count}}
	end, left, err := awaitRecords(ctx, n)
	if err != nil {
		return err
	}
	c.Fail("not delivered", max(left, p.To-seen.Count))
	after, err := n.used(ctx)
	if err != nil {
		return err
	}
	if c.Seconds = end.Sub(time.Unix(0, seen.FirstNS)).Seconds(); c.Seconds > 0 && seen.Count > 0 {
		c.PerSecond = float64(seen.Count) / c.Seconds
		c.CPU = (after.cpu - before.cpu) / time.Duration(seen.Count) // with the rows' insertion on PostgreSQL
	}
	b.report.add(c)
	return nil
}

// awaitRecords waits until no notification is pending, or no more are recorded.
func awaitRecords(ctx context.Context, n *node) (end time.Time, left int64, err error) {
	last := int64(-1)
	for news := time.Now(); ; {
		left, err := n.db.Notices(ctx, "pending")
		if err != nil || left == 0 || time.Since(news) > patience {
			return time.Now(), left, err
		}
		if left != last {
			news = time.Now()
		}
		last = left
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return time.Now(), left, err
		}
	}
}
