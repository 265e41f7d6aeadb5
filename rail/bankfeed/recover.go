package bankfeed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

const (
	recoverAfter = 5 * time.Second // an older message is nobody's work any more
	recoverPage  = 100
	// giveUp is when a message that fails for another reason than a busy
	// database is left to people.
	giveUp = 24 * time.Hour
)

// Run pulls every feed and recovers waiting messages, at once and then every
// Config.Interval, until ctx ends and what is under way has stopped.
func (in *Intake) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { in.runPulls(ctx) })
	wg.Go(func() {
		for {
			if err := in.Recover(ctx); err != nil && ctx.Err() == nil {
				in.log.Error("bank messages not recovered", "error", err.Error())
			}
			if clock.Sleep(ctx, in.clock, in.interval) != nil {
				return
			}
		}
	})
	wg.Wait()
}

// Recover finishes messages that were kept but not processed, because the
// program or the database stopped in between.
func (in *Intake) Recover(ctx context.Context) error {
	for {
		waiting, err := in.core.WaitingMessages(ctx, recoverAfter, recoverPage)
		if err != nil {
			return err
		}
		done := 0
		for _, m := range waiting {
			ok, err := in.recoverOne(ctx, m)
			if err != nil {
				return err
			}
			if ok {
				done++
			}
		}
		if len(waiting) < recoverPage || done == 0 {
			return nil
		}
	}
}

// recoverOne reports whether the message waits no longer. An error means that
// the others have no better chance now.
func (in *Intake) recoverOne(ctx context.Context, m core.Message) (done bool, err error) {
	f, err := in.core.Feed(ctx, m.Feed)
	if err != nil {
		return false, err
	}
	n, known := notifiers[f.Kind]
	if !known {
		return true, in.core.FailMessage(ctx, m.ID, "nobody understands feeds of kind "+f.Kind)
	}
	receipt, err := in.process(ctx, f, n, m.ID, m.Body)
	switch {
	case err == nil:
		in.log.Info("bank message recovered", "feed", f.Name, "message", m.ID, "credits", len(receipt.Taken))
		return true, nil
	case errors.Is(err, rail.ErrUnreadable):
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case payment.CodeOf(err) == payment.CodeBusy:
		return false, err
	}
	in.log.Error("bank message not recovered", "feed", f.Name, "message", m.ID, "error", err.Error())
	if in.clock.Now().Sub(m.ReceivedAt) < giveUp {
		return false, nil
	}
	return true, in.core.FailMessage(ctx, m.ID, "not taken in for a day: "+truncate(err.Error(), maxMemo))
}
