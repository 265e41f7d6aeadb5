package core_test

import (
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// The model is the gateway's money on one page, without a database, a ledger or
// a matcher: what each act has to lead to. Merchants are numbered; -1 is nobody.

type modelPayment struct {
	merchant         int
	amount, received money.VND
	state            payment.State
	due              time.Time
	version          int64
}

type modelCredit struct {
	amount, applied, unapplied, returned money.VND
	merchant                             int
	payment                              *modelPayment
	over                                 bool
}

type model struct {
	now      time.Time
	payments []*modelPayment
	credits  []*modelCredit
}

func (p *modelPayment) paid() bool { return p.state == payment.Approved }

// step is one version of a payment.
func (p *modelPayment) step(to payment.State, receive money.VND) {
	p.state, p.received, p.version = to, p.received+receive, p.version+1
}

// close ends an open payment; its parts wait for a person.
func (m *model) close(p *modelPayment, to payment.State) {
	for _, c := range m.credits {
		if c.payment == p {
			c.unapplied, c.applied = c.unapplied+c.applied, 0
		}
	}
	p.step(to, -p.received)
}

func (m *model) expire(p *modelPayment) {
	if p.state == payment.Open && !m.now.Before(p.due) {
		m.close(p, payment.Expired)
	}
}

func (m *model) expireAll() {
	for _, p := range m.payments {
		m.expire(p)
	}
}

// put moves money of c, all that is not applied, to a payment that is not paid.
func (m *model) put(c *modelCredit, p *modelPayment) {
	amount := c.unapplied
	excess := max(p.received+amount-p.amount, 0)
	c.payment, c.merchant, c.over = p, p.merchant, excess > 0
	c.applied, c.unapplied = amount-excess, excess
	to := p.state
	if p.received+amount >= p.amount {
		to = payment.Approved
	}
	p.step(to, amount)
}

// credit is a transfer for p, or for nobody.
func (m *model) credit(amount money.VND, p *modelPayment) *modelCredit {
	c := &modelCredit{amount: amount, unapplied: amount, merchant: -1}
	m.credits = append(m.credits, c)
	if p == nil {
		return c
	}
	m.expire(p)
	c.merchant, c.payment = p.merchant, p
	if p.state == payment.Open {
		m.put(c, p)
	} else {
		p.step(p.state, 0)
	}
	return c
}

func (m *model) cancel(p *modelPayment) payment.Code {
	if p.state != payment.Open {
		return payment.CodeInvalidState
	}
	m.close(p, payment.Canceled)
	return ""
}

func (m *model) apply(c *modelCredit, p *modelPayment) payment.Code {
	switch {
	case c.unapplied == 0 || c.over:
		return payment.CodeInvalidState
	case c.merchant != -1 && c.merchant != p.merchant:
		return payment.CodeInvalidRequest
	case p.paid():
		return payment.CodeInvalidState
	}
	m.expire(p)
	m.put(c, p)
	return ""
}

func (m *model) giveBack(c *modelCredit, amount money.VND) payment.Code {
	stuck := c.applied > 0 && !c.payment.paid() && c.payment.state != payment.Open
	available := c.unapplied
	if stuck {
		available += c.applied
	}
	switch {
	case available == 0:
		return payment.CodeInvalidState
	case amount > available:
		return payment.CodeInvalidAmount
	case amount == 0:
		amount = available
	}
	if stuck {
		c.payment.step(c.payment.state, -c.applied)
		c.unapplied, c.applied = available, 0
	}
	c.unapplied, c.returned = c.unapplied-amount, c.returned+amount
	if c.over {
		c.payment.step(payment.Approved, -amount)
	}
	return ""
}

// books is what the ledger has to say: each merchant's bank, sales, partial,
// excess and unapplied; then nobody's bank and unapplied.
func (m *model) books(merchants int) []money.VND {
	books := make([]money.VND, 5*merchants+2)
	of := func(merchant int) []money.VND { return books[5*merchant : 5*merchant+5] }
	for _, p := range m.payments {
		if p.paid() {
			of(p.merchant)[1] -= p.amount
		} else {
			of(p.merchant)[2] -= p.received
		}
	}
	for _, c := range m.credits {
		switch {
		case c.merchant == -1:
			books[5*merchants+1] -= c.unapplied
		case c.over:
			of(c.merchant)[3] -= c.unapplied
		default:
			of(c.merchant)[4] -= c.unapplied
		}
	}
	return books
}
