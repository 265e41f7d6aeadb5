package sim

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/test/diskfault"
	sqlite3 "modernc.org/sqlite/lib"
)

// Each read of a refund fails in its turn, those after the commit too: a
// refusal with CodeBusy says that there is no refund.
func TestEachReadOfARefundFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		w.weather, w.faults = 0, 0
		s := w.shops[0]
		p, err := w.core.Open(w.ctx(), core.Opening{
			Merchant: s.party.Merchant, Dialect: coretest.Name, Reference: "S", Amount: 1_000_000, Methods: []payment.Method{payment.DomesticCard},
		})
		w.must(err)
		_, err = w.cards.Start(w.ctx(), p.ID, payment.DomesticCard, "192.0.2.7")
		w.must(err)
		for reference, o := range w.acquirer.orders {
			o.charged = true
			x := &sale{shop: s, p: p, reference: "S", expected: expected{amount: p.Amount, state: payment.Open, due: p.DueAt}}
			w.deliver(x, word{Reference: reference, Outcome: card.Done, Amount: p.Amount}, 1)
		}
		refused, after := 0, 0
		for n := 1; ; n++ {
			reference := fmt.Sprint("R", n)
			w.disk.Forget()
			w.disk.Arm(diskfault.Fault{Ops: diskfault.Read, N: n, Code: sqlite3.SQLITE_IOERR_READ})
			_, _, err := w.core.RefundByOperator(w.ctx(), coretest.Operator, p.ID, reference, 1000, "goods came back")
			fired := w.disk.Heal()
			_, missing := w.core.FindRefund(w.ctx(), p.ID, reference)
			if _, known := failed(err); known && missing == nil {
				t.Errorf("read %d: there is a refund, and the answer was: %v", n, err)
			}
			if err == nil && missing != nil {
				t.Errorf("read %d: there is no refund, and it was answered with success", n)
			}
			switch {
			case fired == 0:
				if refused == 0 || after == 0 {
					t.Errorf("of %d reads that failed, %d kept a refund from being made and %d did not", n-1, refused, after)
				}
				return
			case missing != nil:
				refused++
			default:
				after++
			}
		}
	})
}
