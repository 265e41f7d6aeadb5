package core

import (
	"context"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

const (
	foldTick  = 10 * time.Second // between two looks at the ledger's tail
	foldBatch = 500              // entries that one transaction folds
)

// Fold adds the ledger's newest entries to the folded balances and says how
// many it took. Balances are the same before and after; only reading them is
// quicker.
func (c *Core) Fold(ctx context.Context) (int, error) {
	for total := 0; ; {
		n := 0
		err := c.update(ctx, "fold", func(w *work) (err error) {
			n, err = w.Tx.Fold(ctx, foldBatch)
			return err
		})
		total += n
		if err != nil || n < foldBatch {
			return total, err
		}
	}
}

// RunFold folds from time to time until ctx ends.
func (c *Core) RunFold(ctx context.Context) {
	for clock.Sleep(ctx, c.clock, foldTick) == nil {
		_, _ = c.Fold(ctx) // the verb logs failures; the next look tries again
	}
}
