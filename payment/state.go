package payment

import (
	"fmt"
	"time"

	"github.com/thungan/thungan/money"
)

// Act is something that happens to a payment.
type Act string

// The acts.
const (
	ActChoose  Act = "choose"  // the payer chose a method
	ActPart    Act = "part"    // money came, but less than is due
	ActPay     Act = "pay"     // money came and nothing is due any more
	ActExcess  Act = "excess"  // money above the amount came or went back
	ActLate    Act = "late"    // money came after the offer had ended; it waits for a person
	ActProcess Act = "process" // the payer submitted, the outcome is outstanding
	ActRetry   Act = "retry"   // the payer's try came to nothing; another may follow
	ActDeny    Act = "deny"
	ActCancel  Act = "cancel"
	ActExpire  Act = "expire"
	ActVoid    Act = "void"

	ActRefund       Act = "refund"        // a refund was asked for
	ActRefunded     Act = "refunded"      // its money went back
	ActRefundDenied Act = "refund_denied" // it did not
)

// Arrow is one legal move: in state From, Act leads to To.
type Arrow struct {
	From State
	Act  Act
	To   State
}

// Arrows is the state table. Everything that is not in it is refused. From a
// closed state to approved leads only a person's decision to apply money that
// came late (core.Apply), never a late credit by itself.
var Arrows = []Arrow{
	{Open, ActChoose, Open},
	{Open, ActPart, Open},
	{Open, ActPay, Approved},
	{Open, ActProcess, Processing},
	{Open, ActDeny, Denied},
	{Open, ActCancel, Canceled},
	{Open, ActExpire, Expired},
	{Processing, ActPart, Processing},
	{Processing, ActPay, Approved},
	{Processing, ActRetry, Open},
	{Processing, ActDeny, Denied},
	{Approved, ActLate, Approved},
	{Approved, ActExcess, Approved},
	{Approved, ActVoid, Voided},
	{Approved, ActRefund, Approved},
	{Approved, ActRefunded, Approved},
	{Approved, ActRefundDenied, Approved},
	{Expired, ActLate, Expired},
	{Expired, ActPart, Expired},
	{Expired, ActPay, Approved},
	{Canceled, ActLate, Canceled},
	{Canceled, ActPart, Canceled},
	{Canceled, ActPay, Approved},
	{Denied, ActLate, Denied},
	{Denied, ActPart, Denied},
	{Denied, ActPay, Approved},
	{Voided, ActLate, Voided},
}

// Next looks a move up in the table.
func Next(from State, act Act) (State, bool) {
	for _, a := range Arrows {
		if a.From == from && a.Act == act {
			return a.To, true
		}
	}
	return "", false
}

// Step is who does an act to a payment, when and why, and what money moves.
type Step struct {
	Act      Act
	At       time.Time
	Actor    string
	Reason   string
	CreditID string
	RefundID string
	Receive  money.VND // added to Received; negative when money goes back
	Refund   money.VND // for the three acts of refunds: the refund's amount
	Method   Method    // for ActChoose and ActProcess
}

// Apply makes one move and returns the payment after it with its event. It
// fails with CodeInvalidState when the table has no such arrow.
func (p Payment) Apply(s Step) (Payment, Event, error) {
	to, ok := Next(p.State, s.Act)
	if !ok {
		return p, Event{}, &Error{Code: CodeInvalidState, Text: fmt.Sprintf("a payment that is %s cannot take %q", p.State, s.Act)}
	}
	received, err := money.Add(p.Received, s.Receive)
	if err != nil || received < 0 {
		return p, Event{}, &Error{Code: CodeInvalidAmount, Text: "the amount received would be out of range", Cause: err}
	}
	if s.Act == ActPay && received < p.Amount {
		return p, Event{}, &Error{Code: CodeInvalidAmount, Text: fmt.Sprintf("%d đồng received do not pay %d", received, p.Amount)}
	}
	refunding, refunded := p.Refunding, p.Refunded
	switch s.Act {
	case ActRefund:
		if s.Refund <= 0 || s.Refund > p.Refundable() {
			return p, Event{}, &Error{Code: CodeInvalidAmount, Text: fmt.Sprintf("%d đồng cannot be refunded of %d that can", s.Refund, p.Refundable())}
		}
		refunding += s.Refund
	case ActRefunded, ActRefundDenied:
		if s.Refund <= 0 || s.Refund > p.Refunding {
			return p, Event{}, &Error{Code: CodeInvalidAmount, Text: fmt.Sprintf("%d đồng are not among the %d being refunded", s.Refund, p.Refunding)}
		}
		refunding -= s.Refund
		if s.Act == ActRefunded {
			refunded += s.Refund
		}
	}
	from := p.State
	p.State, p.Received, p.Refunding, p.Refunded = to, received, refunding, refunded
	p.Version++
	if s.Method != "" {
		p.Method = s.Method
	}
	// A clock that was set back must not make a payment's history run backwards.
	if s.At.After(p.UpdatedAt) {
		p.UpdatedAt = s.At
	}
	if to == Approved && from != Approved {
		p.CompletedAt = p.UpdatedAt
	}
	return p, Event{
		PaymentID: p.ID, Version: p.Version, Act: s.Act, From: from, To: to, At: p.UpdatedAt,
		Actor: s.Actor, Reason: s.Reason, CreditID: s.CreditID, RefundID: s.RefundID, Method: p.Method,
		Received: p.Received, Refunded: p.Refunded, Refunding: p.Refunding, CompletedAt: p.CompletedAt,
	}, nil
}
