package main

import (
	"context"
	"time"

	load "github.com/thungan/thungan/test/load"
	"github.com/thungan/thungan/test/load/database"
)

// deliver puts paid payments with notifications that are due into a node's
// database, and measures how fast the node sends and records them: from the
// first that is received until none is left to record.
func (b *bench) deliver(ctx context.Context, n *node, r *receiver) error {
	return b.measure(ctx, n.engine+" notifications", cell{Kind: cellDeliver, Engine: n.engine}, func(c *cell) error {
		if _, err := r.ask(ctx, "/reset"); err != nil {
			return err
		}
		before, err := n.used(ctx)
		if err != nil {
			return err
		}
		profiled := b.profile(ctx, n, n.engine+" notifications", b.flags.cell)
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
		c.Result = load.Result{Mode: "deliver", Connections: receivers, StartedNS: seen.FirstNS, All: seen.Count, Done: seen.Count}
		end, left, err := awaitRecords(ctx, n)
		if err != nil {
			return err
		}
		c.Fail("not delivered", max(left, p.To-seen.Count))
		if err := <-profiled; err != nil {
			return err
		}
		after, err := n.used(ctx)
		if err != nil {
			return err
		}
		if c.Seconds = end.Sub(time.Unix(0, seen.FirstNS)).Seconds(); c.Seconds > 0 && seen.Count > 0 {
			c.PerSecond = float64(seen.Count) / c.Seconds
			c.CPU = (after.cpu - before.cpu) / time.Duration(seen.Count) // with the rows' insertion on PostgreSQL
		}
		return nil
	})
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
