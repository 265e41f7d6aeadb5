package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// order is what the acquirer really has: the truth that the gateway has to find
// out.
type order struct {
	attempt  payment.Attempt
	charged  bool
	declined bool
	refunds  map[string]*refunding
}

type refunding struct {
	amount money.VND
	done   bool
	denied bool
}

// acquirer is a connector whose other side is the simulation itself.
type acquirer struct {
	w      *world
	orders map[string]*order
}

// word is a notice.
type word struct {
	Reference string
	Outcome   card.Outcome
	Amount    money.VND
	OfRefund  bool
}

func (*acquirer) Kind() string                       { return "sim" }
func (*acquirer) Methods() []payment.Method          { return []payment.Method{payment.DomesticCard} }
func (*acquirer) CheckConfig([]byte) error           { return nil }
func (*acquirer) Reference(a payment.Attempt) string { return a.ID }

// errDead is why a gateway that is dead reaches nobody.
var errDead = errors.New("there is no gateway any more")

// lost says whether an answer goes lost on the way back.
func (a *acquirer) lost() error {
	if a.w.chance(a.w.weather) {
		return fmt.Errorf("no answer in time: %w", card.ErrUncertain)
	}
	return nil
}

func (a *acquirer) Create(_ context.Context, _ card.Dealing, o card.Order) (card.Created, error) {
	if a.w.disk.Dead() {
		return card.Created{}, errDead
	}
	if a.w.chance(a.w.weather) {
		return card.Created{}, errors.New("connection refused")
	}
	err := a.lost()
	if err == nil || a.w.chance(0.5) { // the order may have arrived all the same
		a.orders[o.Attempt.Reference] = &order{attempt: o.Attempt, refunds: map[string]*refunding{}}
	}
	return card.Created{Handoff: payment.Handoff{URL: "https://acquirer.example.test/" + o.Attempt.Reference}}, err
}

func (a *acquirer) VerifyReturn(_ card.Dealing, m card.Message) (card.Report, error) {
	return a.VerifyNotify(card.Dealing{}, m)
}

func (*acquirer) VerifyNotify(_ card.Dealing, m card.Message) (card.Report, error) {
	var w word
	if err := json.Unmarshal(m.Body, &w); err != nil {
		return card.Report{}, payment.Fail(payment.CodeInvalidRequest, "no notice")
	}
	return card.Report{Outcome: w.Outcome, Reference: w.Reference, ExternalID: "x" + w.Reference, Amount: w.Amount, Currency: "VND", OfRefund: w.OfRefund}, nil
}

func (*acquirer) Acknowledge(_ bool, err error) card.Answer {
	if code := payment.CodeOf(err); code == payment.CodeInternal || code == payment.CodeBusy {
		return card.Answer{Status: http.StatusServiceUnavailable}
	}
	return card.Answer{Status: http.StatusOK}
}

func (a *acquirer) Query(_ context.Context, d card.Dealing, at payment.Attempt) (card.Report, error) {
	if a.w.disk.Dead() {
		return card.Report{}, errDead
	}
	if err := a.lost(); err != nil {
		return card.Report{}, err
	}
	o := a.orders[at.Reference]
	r := card.Report{Outcome: card.Pending, Reference: at.Reference, ExternalID: "x" + at.Reference}
	switch {
	case o == nil:
		r.Outcome, r.ExternalID, r.Text = card.Failed, "", "no such order"
	case o.charged:
		r.Outcome, r.Amount, r.Currency = card.Done, o.attempt.Amount, "VND"
	case o.declined || d.Now.After(at.ExpiresAt):
		o.declined = true // nobody can pay it any more
		r.Outcome = card.Failed
	}
	return r, nil
}

func (a *acquirer) Repeatable() bool { return a.w.repeatable }

func (a *acquirer) Refund(_ context.Context, _ card.Dealing, r card.Refund) (card.Report, error) {
	if a.w.disk.Dead() {
		return card.Report{}, errDead
	}
	if a.w.chance(a.w.weather) {
		return card.Report{}, errors.New("connection refused")
	}
	o := a.orders[r.Attempt.Reference]
	had, known := o.refunds[r.Refund.ID]
	if known && !a.w.repeatable {
		a.w.t.Fatalf("seed %d: refund %s was asked for twice", a.w.seed, r.Refund.ID)
	}
	if !known {
		had = &refunding{amount: r.Refund.Amount, denied: a.w.chance(0.1)}
		had.done = !had.denied && a.w.chance(0.5)
		o.refunds[r.Refund.ID] = had
		if !had.done && !had.denied {
			a.w.after(a.w.minutes(1, 600), func() { had.done, had.denied = true, false })
		}
	}
	return had.report(r.Refund.ID), a.lost()
}

func (a *acquirer) QueryRefund(_ context.Context, _ card.Dealing, r card.Refund) (card.Report, error) {
	if a.w.disk.Dead() {
		return card.Report{}, errDead
	}
	if err := a.lost(); err != nil {
		return card.Report{}, err
	}
	if had := a.orders[r.Attempt.Reference].refunds[r.Refund.ID]; had != nil {
		return had.report(r.Refund.ID), nil
	}
	return card.Report{Outcome: card.Unknown, OfRefund: true, Reference: r.Refund.ID}, nil
}

func (r *refunding) report(id string) card.Report {
	report := card.Report{Outcome: card.Pending, OfRefund: true, Reference: id}
	switch {
	case r.done:
		report.Outcome = card.Done
	case r.denied:
		report.Outcome = card.Failed
	}
	return report
}

// holds is what the acquirer owes to the merchant.
func (a *acquirer) holds() (sum money.VND) {
	for _, o := range a.orders {
		if o.charged {
			sum += o.attempt.Amount
		}
		for _, r := range o.refunds {
			if r.done {
				sum -= r.amount
			}
		}
	}
	return sum
}
