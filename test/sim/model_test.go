package sim

import (
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// The model says, on one page and without a database, what becomes of a
// payment by what happens to it.

// expected is a payment as it has to be.
type expected struct {
	amount, received    money.VND
	unapplied           money.VND // what came for it and stands elsewhere
	refunded, refunding money.VND
	state               payment.State
	due                 time.Time
	tries               int // at acquirers that came to nothing
}

// end closes the offer; what was paid in part is the payment's no more.
func (e *expected) end(to payment.State) {
	e.unapplied += e.received
	e.received, e.state = 0, to
}

// pass lets time pass.
func (e *expected) pass(now time.Time) {
	if e.state == payment.Open && !now.Before(e.due) {
		e.end(payment.Expired)
	}
}

// money came in, by whatever way.
func (e *expected) money(now time.Time, amount money.VND) {
	e.pass(now)
	if e.state != payment.Open && e.state != payment.Processing {
		e.unapplied += amount
		return
	}
	if e.received += amount; e.received >= e.amount {
		e.state = payment.Approved
	}
}

// sent to an acquirer.
func (e *expected) sent() {
	if e.state == payment.Open {
		e.state = payment.Processing
	}
}

// declined by the acquirer that the payer is at.
func (e *expected) declined(now time.Time, most int) {
	if e.tries++; e.state != payment.Processing {
		return
	}
	if e.state = payment.Open; e.tries >= most {
		e.end(payment.Denied)
	}
	e.pass(now)
}

// left by the payer, who wants to pay in another way.
func (e *expected) left(now time.Time) {
	if e.state == payment.Processing {
		e.state = payment.Open
		e.pass(now)
	}
}

// refundable is what can still go back.
func (e *expected) refundable() money.VND {
	if e.state != payment.Approved {
		return 0
	}
	return e.amount - e.refunded - e.refunding
}
