package core

import (
	"context"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/ledger"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// NoticeSearch selects notifications; empty fields select all.
type NoticeSearch struct {
	MerchantID string
	State      string // "pending", "done" or "failed"
	PaymentID  string // alone: all notices of one payment, oldest first
	Before     string // the last id of the page before
	Limit      int    // 1 to 200; 0 is 50
}

// Notices lists notifications, newest first.
func (c *Core) Notices(ctx context.Context, s NoticeSearch) ([]store.Item, error) {
	return view(ctx, c, "notices", func(tx *store.Tx) ([]store.Item, error) {
		if s.PaymentID != "" {
			return tx.ItemsOfPayment(ctx, s.PaymentID)
		}
		return tx.SearchItems(ctx, s.MerchantID, store.ItemState(s.State), s.Before, page(s.Limit))
	})
}

// Notice returns one notification, or CodeNotFound.
func (c *Core) Notice(ctx context.Context, id string) (store.Item, error) {
	return view(ctx, c, "notice", func(tx *store.Tx) (store.Item, error) { return tx.Item(ctx, id) })
}

// Attempts lists the tries at a notification, oldest first.
func (c *Core) Attempts(ctx context.Context, itemID string) ([]store.Attempt, error) {
	return view(ctx, c, "attempts", func(tx *store.Tx) ([]store.Attempt, error) { return tx.Attempts(ctx, itemID) })
}

// Replay sends a notification again at once, with a fresh schedule of retries.
func (c *Core) Replay(ctx context.Context, by Actor, itemID string) (store.Item, error) {
	var item store.Item
	err := c.update(ctx, "replay", func(w *work) (err error) {
		if err := w.ReplayItem(ctx, itemID, w.now); err != nil {
			return err
		}
		if item, err = w.Item(ctx, itemID); err != nil {
			return err
		}
		w.owed = true
		return w.audit(ctx, by, "notification.replay", itemID, nil, map[string]any{"target": item.Target, "attempts": item.Attempts})
	})
	return item, err
}

// Told is what a notice tells: the payment as the event left it.
type Told struct {
	Payment payment.Payment
	Event   payment.Event
	Refund  payment.Refund  // as the event left it; ID "" when the event is of none
	Sale    payment.Sale    // of a card sale at a terminal; PaymentID "" else
	Profile payment.Profile // of whoever is told: the platform, else the merchant
	// PublicID is the merchant's own name in the dialect.
	PublicID string
	Secret   string // opened; "" when none is set
	// Key, Order and Purchase: see dialect.Notice.
	Key      string
	Order    *booking.Order
	Purchase *order.Order
}

// Told loads what a notice tells.
func (c *Core) Told(ctx context.Context, paymentID string, version int64) (Told, error) {
	var t Told
	_, err := view(ctx, c, "told", func(tx *store.Tx) (_ struct{}, err error) {
		if t.Payment, err = tx.Payment(ctx, paymentID); err != nil {
			return struct{}{}, err
		}
		if t.Event, err = tx.Event(ctx, paymentID, version); err != nil {
			return struct{}{}, err
		}
		if t.Event.Method == payment.CardPresent {
			if t.Sale, _, err = tx.Sale(ctx, paymentID); err != nil {
				return struct{}{}, err
			}
		}
		if t.Event.RefundID == "" {
			return struct{}{}, nil
		}
		refund, err := tx.Refund(ctx, t.Event.RefundID)
		t.Refund = refund.At(t.Event)
		return struct{}{}, err
	})
	if err != nil {
		return Told{}, err
	}
	return c.addressed(ctx, t)
}

// ToldTogether is Told for many events, at the cost of few. Those that it cannot
// load, or that need more (a refund, a sale at a terminal, an order), are missing;
// ask Told about them.
func (c *Core) ToldTogether(ctx context.Context, events []store.EventKey) (map[store.EventKey]Told, error) {
	found, err := view(ctx, c, "told", func(tx *store.Tx) (map[store.EventKey]store.Happening, error) { return tx.Happenings(ctx, events) })
	if err != nil {
		return nil, err
	}
	booker := c.booker()
	all := make(map[store.EventKey]Told, len(found))
	for key, h := range found {
		if h.Event.RefundID != "" || h.Event.Method == payment.CardPresent || h.Payment.Dialect == booker {
			continue
		}
		if t, err := c.addressed(ctx, Told{Payment: h.Payment, Event: h.Event}); err == nil {
			all[key] = t
		}
	}
	return all, nil
}

// addressed completes what is told with who is told, and puts the payment back
// to where its event left it.
func (c *Core) addressed(ctx context.Context, t Told) (Told, error) {
	merchant, err := c.Profile(ctx, t.Payment.MerchantID, t.Payment.Dialect)
	if err != nil {
		return Told{}, err
	}
	t.PublicID, t.Profile = merchant.PublicID, merchant
	if t.Payment.PlatformID != "" {
		if t.Profile, err = c.Profile(ctx, t.Payment.PlatformID, t.Payment.Dialect); err != nil {
			return Told{}, err
		}
	}
	if t.Purchase, err = c.orderTold(ctx, t.Payment, t.Event); err != nil {
		return Told{}, err
	}
	t.Payment = t.Payment.At(t.Event)
	if t.Secret, err = c.openNotifySecret(ctx, t.Profile); err != nil {
		return t, err
	}
	if t.Key, err = c.newestKey(ctx, t.Profile); err != nil {
		return t, err
	}
	t.Order, err = c.orderOf(ctx, t.Payment)
	return t, err
}

// TrialBalance sums every account of the ledger at one instant. The sum over
// all is zero, always.
func (c *Core) TrialBalance(ctx context.Context) ([]ledger.Balance, money.VND, error) {
	balances, err := view(ctx, c, "trial_balance", func(tx *store.Tx) ([]ledger.Balance, error) { return tx.TrialBalance(ctx) })
	var sum money.VND
	for _, b := range balances {
		sum += b.Balance
	}
	return balances, sum, err
}

// Journal lists the ledger entries of a payment, oldest first.
func (c *Core) Journal(ctx context.Context, paymentID string) ([]ledger.Entry, error) {
	return view(ctx, c, "journal", func(tx *store.Tx) ([]ledger.Entry, error) { return tx.Journal(ctx, paymentID) })
}
