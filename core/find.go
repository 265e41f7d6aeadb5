package core

import (
	"context"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
)

// MaxPage bounds how many rows a list returns at once.
const MaxPage = 200

// page brings a caller's limit into 1 to MaxPage; 0 is 50.
func page(limit int) int {
	if limit <= 0 {
		limit = 50
	}
	return min(limit, MaxPage)
}

// view runs reads and logs what is our own fault.
func view[T any](ctx context.Context, c *Core, verb string, fn func(tx *store.Tx) (T, error)) (T, error) {
	var found T
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		found, err = fn(tx)
		return err
	})
	if err != nil {
		var zero T
		return zero, c.failed(verb, err)
	}
	return found, nil
}

// Find returns a merchant's payment by the merchant's own id for it, or
// CodePaymentNotFound.
func (c *Core) Find(ctx context.Context, merchantID, dialect, reference string) (payment.Payment, error) {
	return view(ctx, c, "find", func(tx *store.Tx) (payment.Payment, error) {
		return tx.PaymentByReference(ctx, merchantID, dialect, reference)
	})
}

// Payment returns a payment by our own id, or CodePaymentNotFound.
func (c *Core) Payment(ctx context.Context, id string) (payment.Payment, error) {
	return view(ctx, c, "find", func(tx *store.Tx) (payment.Payment, error) { return tx.Payment(ctx, id) })
}

// Search selects payments; empty fields select all.
type Search struct {
	MerchantID string
	Dialect    string
	Reference  string
	State      payment.State
	From, To   time.Time // of creation; To is exclusive
	Before     string    // the last id of the page before
	Limit      int       // 1 to 200; 0 is 50
}

// Search lists payments, newest first.
func (c *Core) Search(ctx context.Context, s Search) ([]payment.Payment, error) {
	filter := store.PaymentSearch{
		MerchantID: s.MerchantID, Dialect: s.Dialect, Reference: s.Reference, State: s.State, BeforeID: s.Before, Limit: page(s.Limit),
	}
	if !s.From.IsZero() {
		filter.FromID = firstID(s.From)
	}
	if !s.To.IsZero() {
		if end := firstID(s.To); filter.BeforeID == "" || end < filter.BeforeID {
			filter.BeforeID = end
		}
	}
	return view(ctx, c, "search", func(tx *store.Tx) ([]payment.Payment, error) { return tx.SearchPayments(ctx, filter) })
}

// Events lists what happened to a payment, its opening first.
func (c *Core) Events(ctx context.Context, paymentID string) ([]payment.Event, error) {
	return view(ctx, c, "events", func(tx *store.Tx) ([]payment.Event, error) {
		p, err := tx.Payment(ctx, paymentID)
		if err != nil {
			return nil, err
		}
		events, err := tx.Events(ctx, paymentID)
		opened := payment.Event{PaymentID: p.ID, Version: 1, Act: "open", To: payment.Open, At: p.CreatedAt, Actor: ActorMerchant}
		return append([]payment.Event{opened}, events...), err
	})
}

// VietQR is the EMVCo text by which a payer transfers what is still due, ""
// when nothing is due or the payment takes no bank transfer.
func VietQR(p payment.Payment) string { return vietQR(p, p.Due() > 0, int64(p.Due())) }

// OfferedVietQR is the text as it was when the payment was opened, for wires
// that go on showing it after the payment has closed.
func OfferedVietQR(p payment.Payment) string { return vietQR(p, true, int64(p.Amount)) }

func vietQR(p payment.Payment, offered bool, amount int64) string {
	t := p.Transfer
	if t.AccountID == "" || !offered {
		return ""
	}
	// Account and amount were checked when they came in, so this cannot fail;
	// and if it does, no code is better than a wrong one.
	text, err := vietqr.Encode(vietqr.Payload{BIN: t.BIN, Account: t.Number, Amount: amount, Memo: t.Memo(), Dynamic: true})
	if err != nil {
		return ""
	}
	return text
}
