package acquirer

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/rail/card"
)

// retries are the waits after notices that were not taken; then the gateway has
// to ask.
var retries = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// Run sends the notices that come later, until ctx ends.
func (a *Acquirer) Run(ctx context.Context) {
	const longest = time.Minute
	for ctx.Err() == nil {
		now := a.clock.Now()
		all, next := a.book.dues(now)
		for _, d := range all {
			a.tell(ctx, d)
		}
		if len(all) > 0 {
			continue
		}
		wait := longest
		if !next.IsZero() {
			wait = min(next.Sub(now), longest)
		}
		select {
		case <-a.clock.After(wait):
		case <-a.wake:
		case <-ctx.Done():
		}
	}
}

// tell sends one notice that is due. Only one of those who try at the same time
// does it.
func (a *Acquirer) tell(ctx context.Context, d due) {
	now := a.clock.Now()
	mine := false
	o, err := a.book.change(byToken(d.token), func(o *order) error {
		o.settle(now)
		t := tellingOf(o, d.refundID)
		if t == nil || t.At.IsZero() || t.At.After(now) {
			return nil
		}
		// Until it is known what comes of it, the next try is far away.
		mine, t.At = true, now.Add(retries[len(retries)-1])
		return nil
	})
	if err != nil || !mine {
		return
	}
	taken, again := a.send(ctx, o, d.refundID)
	_, err = a.book.change(byToken(d.token), func(o *order) error {
		t := tellingOf(o, d.refundID)
		switch {
		case t == nil:
		case taken && t.More > 0:
			t.More--
			t.At = now
		case taken || !again || t.Tries >= len(retries):
			*t = telling{}
		default:
			t.At = a.clock.Now().Add(retries[t.Tries])
			t.Tries++
		}
		return nil
	})
	if err != nil {
		a.log.ErrorContext(ctx, "sandbox acquirer: keep an order", "error", err.Error())
	}
	a.stir()
}

func tellingOf(o *order, refundID string) *telling {
	if refundID == "" {
		return &o.Telling
	}
	if r := o.refund(refundID); r != nil {
		return &r.Telling
	}
	return nil
}

// stir lets Run look again.
func (a *Acquirer) stir() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// send sends one notice. taken says that the gateway has it, again that it
// wants to be told again.
func (a *Acquirer) send(ctx context.Context, o order, refundID string) (taken, again bool) {
	w := a.word(o)
	if refundID != "" {
		w = a.refundWord(o, *o.refund(refundID))
	}
	body, err := seal(a.merchants[o.Merchant], nameNotice, w)
	if err != nil {
		return false, false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.NotifyURL, bytes.NewReader(body))
	if err != nil {
		return false, false
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := a.client.Do(ctx, r)
	if err != nil {
		a.log.WarnContext(ctx, "sandbox acquirer: the gateway did not answer a notice", "error", err.Error())
		return false, true
	}
	return got.Status/100 == 2, got.Status/100 == 5
}

// word is what is said of an order now.
func (a *Acquirer) word(o order) word {
	s := sayings[o.Result]
	w := word{
		Merchant: o.Merchant, Reference: o.Reference, OrderID: o.ID, Outcome: s.outcome, Result: o.Result, Code: s.code, Text: s.text,
		Amount: o.Amount, Currency: "VND",
	}
	if !o.PaidAt.IsZero() {
		w.At = clock.Millis(o.PaidAt)
	}
	return w
}

func (a *Acquirer) refundWord(o order, r refund) word {
	w := word{
		Merchant: o.Merchant, Reference: o.Reference, OrderID: o.ID, RefundID: r.ID, Outcome: r.Outcome, Code: r.Code, Text: r.Text,
		Amount: r.Amount, Currency: "VND",
	}
	if r.Outcome == card.Done {
		w.At = clock.Millis(r.At)
	}
	return w
}
