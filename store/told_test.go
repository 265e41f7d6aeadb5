package store_test

import (
	"fmt"
	"testing"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// What is loaded together is what is loaded one by one.
func TestHappenings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var keys []store.EventKey
		for n := range 40 {
			reference := fmt.Sprintf("h%d", n)
			p := newPayment(reference, payment.MemoMatch(reference), 1000)
			if verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: p}}); err != nil || verdicts[0] != nil {
				t.Fatal(verdicts, err)
			}
			for _, step := range []payment.Step{{Act: payment.ActPart, Receive: 400}, {Act: payment.ActPay, Receive: 600}} {
				step.Actor, step.At = "bank", p.CreatedAt
				next, ev, err := p.Apply(step)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SavePayment(t.Context(), next, ev) }); err != nil {
					t.Fatal(err)
				}
				keys = append(keys, store.EventKey{PaymentID: p.ID, Version: ev.Version})
				p = next
			}
		}
		asked := append(keys, store.EventKey{PaymentID: keys[0].PaymentID, Version: 9}, store.EventKey{PaymentID: "nobody's", Version: 2}, store.EventKey{PaymentID: `"}'`, Version: 2})
		err := s.View(t.Context(), func(tx *store.Tx) error {
			found, err := tx.Happenings(t.Context(), asked)
			if err != nil {
				return err
			}
			if len(found) != len(keys) {
				t.Errorf("%d found of %d", len(found), len(keys))
			}
			for _, k := range keys {
				p, err := tx.Payment(t.Context(), k.PaymentID)
				if err != nil {
					return err
				}
				ev, err := tx.Event(t.Context(), k.PaymentID, k.Version)
				if err != nil {
					return err
				}
				if got := found[k]; got.Event != ev || got.Payment.ID != p.ID || got.Payment.Version != p.Version || got.Payment.Received != p.Received || got.Payment.NotifyTo != p.NotifyTo {
					t.Errorf("%v: %+v", k, got)
				}
			}
			none, err := tx.Happenings(t.Context(), nil)
			if len(none) > 0 {
				t.Errorf("of nothing: %v", none)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
