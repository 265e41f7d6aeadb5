package core

import (
	"context"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Refunding is a request to give money of a payment back, by a merchant that
// the dialect has authenticated.
type Refunding struct {
	Merchant  payment.Merchant
	Platform  payment.Merchant // who acts for the merchant; ID "" for nobody
	Dialect   string
	Payment   string // the merchant's reference of the payment
	Reference string // the merchant's id for the refund
	Amount    money.VND
}

// Refund refuses, in this order: account states, CodePaymentNotFound,
// CodeDuplicateReference, CodeMethodNotSupported. No rail that is built can
// give money back by itself yet: a bank transfer has no refund call, so every
// refund that gets past the first three is refused by the fourth.
func (c *Core) Refund(ctx context.Context, r Refunding) (payment.Payment, payment.Refund, error) {
	_, err := view(ctx, c, "refund", func(tx *store.Tx) (payment.Payment, error) {
		if r.Platform.ID != "" {
			if err := r.Platform.Usable(); err != nil {
				return payment.Payment{}, err
			}
		}
		if err := r.Merchant.Usable(); err != nil {
			return payment.Payment{}, err
		}
		p, err := tx.PaymentByReference(ctx, r.Merchant.ID, r.Dialect, r.Payment)
		if err != nil {
			return p, err
		}
		switch _, err := tx.RefundByReference(ctx, p.ID, r.Reference); payment.CodeOf(err) {
		case payment.CodeRefundNotFound:
			return p, payment.Fail(payment.CodeMethodNotSupported, "payments by this method cannot be refunded here")
		case "":
			return p, payment.Fail(payment.CodeDuplicateReference, "this payment has a refund of that reference")
		default:
			return p, err
		}
	})
	return payment.Payment{}, payment.Refund{}, err
}

// Refunds lists a payment's refunds, oldest first.
func (c *Core) Refunds(ctx context.Context, paymentID string) ([]payment.Refund, error) {
	return view(ctx, c, "refunds", func(tx *store.Tx) ([]payment.Refund, error) { return tx.Refunds(ctx, paymentID) })
}

// FindRefund returns one refund by the merchant's id for it, or
// CodeRefundNotFound.
func (c *Core) FindRefund(ctx context.Context, paymentID, reference string) (payment.Refund, error) {
	return view(ctx, c, "find_refund", func(tx *store.Tx) (payment.Refund, error) { return tx.RefundByReference(ctx, paymentID, reference) })
}
