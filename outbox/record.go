package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// recordBatch is how many attempts one transaction records at most.
const recordBatch = 256

// record writes attempts down as they end, all that are waiting in one
// transaction, until r.results is closed.
func (r *Runner) record(ctx context.Context) {
	for first := range r.results {
		batch := []finished{first}
		for more := true; more && len(batch) < recordBatch; {
			var f finished
			select {
			case f, more = <-r.results:
				if more {
					batch = append(batch, f)
				}
			default:
				more = false
			}
		}
		r.write(ctx, batch)
		r.recorded <- batch
	}
}

// unrecordable stands in the place of an attempt that the database refuses: an
// item must not go round without its schedule.
const unrecordable = "the attempt could not be recorded"

// write records attempts. While the database is away it tries again: nobody
// else can take the items over then either. What cannot be recorded before ctx
// ends will be tried again when its lease has ended: at least once.
func (r *Runner) write(ctx context.Context, batch []finished) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := r.writeOnce(ctx, batch)
		if err == nil {
			return
		}
		r.cfg.Log.Error("outbox: cannot record attempts", "count", len(batch), "item", batch[0].item.ID, "error", err.Error())
		switch {
		case ctx.Err() != nil:
			return
		case passing(err):
		case len(batch) > 1: // one of them cannot be recorded: the others can
			for i := range batch {
				r.write(ctx, batch[i:i+1])
			}
			return
		case batch[0].result.Attempt.Error != unrecordable:
			batch[0].result.Attempt = store.Attempt{Error: unrecordable}
		default:
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// passing says whether the database's error may pass by itself. An attempt that
// may have been recorded is recorded once all the same.
func passing(err error) bool {
	return payment.CodeOf(err) == payment.CodeBusy || store.Uncertain(err) || errors.Is(err, context.DeadlineExceeded)
}

func (r *Runner) writeOnce(ctx context.Context, batch []finished) error {
	now := r.cfg.Clock.Now()
	records := make([]store.Finished, len(batch))
	for i, f := range batch {
		records[i] = outcome(f, now)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	held, err := r.cfg.Store.FinishAttempts(ctx, r.cfg.Node, records)
	if err != nil {
		return err
	}
	for i := range batch {
		if held[i] {
			r.cfg.Observe(records[i].Item, batch[i].result)
		}
	}
	return nil
}

// outcome is an item after an attempt.
func outcome(f finished, now time.Time) store.Finished {
	i, a := f.item, f.result.Attempt
	a.At = f.at
	i.LastStatus, i.LastError = a.Status, a.Error
	switch {
	case f.result.Done:
		i.State, i.FinishedAt = store.ItemDone, now
	case f.result.GiveUp:
		i.State, i.FinishedAt = store.ItemFailed, now
	default:
		// A little disorder keeps receivers that came back from being overrun.
		retry := max(f.result.Retry, 0)
		i.DueAt = now.Add(retry + rand.N(retry/10+1))
	}
	return store.Finished{Item: i, Attempt: a}
}
