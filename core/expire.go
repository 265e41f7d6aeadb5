package core

import (
	"context"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

const (
	expiryTick  = 250 * time.Millisecond // how often due payments are looked for
	expiryBatch = 200                    // how many one transaction expires
)

// ExpireDue expires open payments whose due time has come, a batch at a time,
// and says how many. Several nodes may do it at once.
func (c *Core) ExpireDue(ctx context.Context) (int, error) {
	for total := 0; ; {
		n := 0
		err := c.update(ctx, "expire", func(w *work) error {
			due, err := w.LockDuePayments(ctx, w.now, expiryBatch)
			if err != nil {
				return err
			}
			for _, p := range due {
				if _, err := w.close(ctx, p, payment.ActExpire, ActorSystem, ""); err != nil {
					return err
				}
			}
			n = len(due)
			return nil
		})
		total += n
		if err != nil || n < expiryBatch {
			return total, err
		}
	}
}

// RunExpiry expires payments within a second of their due time, until ctx ends.
// What fell due while no node ran is expired at once.
func (c *Core) RunExpiry(ctx context.Context) {
	for {
		// Failures are logged by the verbs; the next tick tries again.
		_, _ = c.ExpireSales(ctx)
		if due, err := view(ctx, c, "expire", func(tx *store.Tx) (bool, error) { return tx.AnyDue(ctx, c.Now()) }); err == nil && due {
			_, _ = c.ExpireDue(ctx)
		}
		if clock.Sleep(ctx, c.clock, expiryTick) != nil {
			return
		}
	}
}
