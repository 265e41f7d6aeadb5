package vnpay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/vnpay"
	"github.com/thungan/thungan/rail/railtest"
)

// broken is VNPAY's connector but for what a case overrides.
type broken struct {
	vnpay.Connector
	config    func([]byte) error
	reference func(payment.Attempt) string
	create    func(card.Dealing, card.Order) (card.Created, error)
	notify    func(card.Dealing, card.Message) (card.Report, error)
	ack       func(bool, error) card.Answer
	query     func(card.Dealing, payment.Attempt) (card.Report, error)
	refund    func(card.Dealing, card.Refund) (card.Report, error)
}

var sound vnpay.Connector

func (b broken) CheckConfig(c []byte) error {
	if b.config != nil {
		return b.config(c)
	}
	return sound.CheckConfig(c)
}

func (b broken) Reference(a payment.Attempt) string {
	if b.reference != nil {
		return b.reference(a)
	}
	return sound.Reference(a)
}

func (b broken) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	if b.create != nil {
		return b.create(d, o)
	}
	return sound.Create(ctx, d, o)
}

func (b broken) VerifyNotify(d card.Dealing, m card.Message) (card.Report, error) {
	if b.notify != nil {
		return b.notify(d, m)
	}
	return sound.VerifyNotify(d, m)
}

func (b broken) Acknowledge(told bool, err error) card.Answer {
	if b.ack != nil {
		return b.ack(told, err)
	}
	return sound.Acknowledge(told, err)
}

func (b broken) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	if b.query != nil {
		return b.query(d, a)
	}
	return sound.Query(ctx, d, a)
}

func (b broken) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	if b.refund != nil {
		return b.refund(d, r)
	}
	return sound.Refund(ctx, d, r)
}

// The suite for acquirers finds each fault, and as what it is.
func TestSuiteFindsFaults(t *testing.T) {
	ctx := context.Background()
	refund := func(change func(*card.Refund)) broken {
		return broken{refund: func(d card.Dealing, r card.Refund) (card.Report, error) {
			change(&r)
			return sound.Refund(ctx, d, r)
		}}
	}
	for name, c := range map[string]struct {
		k    broken
		part string
		want string
	}{
		"any configuration":      {broken{config: func([]byte) error { return nil }}, "configuration", "CheckConfig accepts"},
		"echoes the secret":      {broken{config: func(c []byte) error { return fmt.Errorf("%s: %w", c, sound.CheckConfig(c)) }}, "configuration", "shows a secret"},
		"one reference":          {broken{reference: func(payment.Attempt) string { return "ab" }}, "references", "have the same reference"},
		"a reference of the sum": {broken{reference: func(a payment.Attempt) string { return fmt.Sprint(int64(a.Amount)) }}, "references", "depends on more than"},
		"unsigned order": {broken{create: func(d card.Dealing, o card.Order) (card.Created, error) {
			created, err := sound.Create(ctx, d, o)
			created.Handoff.URL = strings.Replace(created.Handoff.URL, "vnp_Locale=vn", "vnp_Locale=en", 1)
			return created, err
		}}, "orders", "wrong signature"},
		"the secret in the address": {broken{create: func(d card.Dealing, o card.Order) (card.Created, error) {
			created, err := sound.Create(ctx, d, o)
			created.Handoff.App = testSecret
			return created, err
		}}, "orders", "the handoff shows a secret"},
		"the sum in đồng": {broken{create: func(d card.Dealing, o card.Order) (card.Created, error) {
			if o.Attempt.Amount > 1000 && o.Attempt.Amount%100 == 0 {
				o.Attempt.Amount /= 100
			}
			return sound.Create(ctx, d, o)
		}}, "orders", "đồng, want"},
		"believes everybody": {broken{notify: func(d card.Dealing, m card.Message) (card.Report, error) {
			r, err := sound.VerifyNotify(d, m)
			if payment.CodeOf(err) == payment.CodeUnauthorized {
				return card.Report{Outcome: card.Done, Reference: "x", ExternalID: "1", Amount: 1}, nil
			}
			return r, err
		}}, "altered notices", "VerifyNotify accepts a message with"},
		"believes nobody": {broken{notify: func(card.Dealing, card.Message) (card.Report, error) {
			return card.Report{}, payment.Fail(payment.CodeUnauthorized, "no")
		}}, "notices", "VerifyNotify: unauthorized"},
		"uncoded errors": {broken{notify: func(d card.Dealing, m card.Message) (card.Report, error) {
			r, err := sound.VerifyNotify(d, m)
			if err != nil {
				err = errors.New("no")
			}
			return r, err
		}}, "altered notices", "has the code internal"},
		"panics": {broken{notify: func(d card.Dealing, m card.Message) (card.Report, error) {
			_ = m.Query[0]
			return sound.VerifyNotify(d, m)
		}}, "hostile messages", "panic"},
		"one answer": {broken{ack: func(bool, error) card.Answer { return sound.Acknowledge(false, nil) }}, "acknowledgements", "is acknowledged like a notice that was taken in"},
		"query guesses": {broken{query: func(d card.Dealing, a payment.Attempt) (card.Report, error) {
			r, err := sound.Query(ctx, d, a)
			if err != nil {
				return card.Report{Outcome: card.Failed, Reference: a.Reference, Text: "no answer"}, nil
			}
			return r, err
		}}, "queries in trouble", "Query after"},
		"odd is failed": {broken{query: func(d card.Dealing, a payment.Attempt) (card.Report, error) {
			r, err := sound.Query(ctx, d, a)
			if r.Outcome == card.Unknown {
				r.Outcome = card.Failed
			}
			return r, err
		}}, "queries", "Query of an order that is odd says failed"},
		"refund lost is failed": {broken{refund: func(d card.Dealing, r card.Refund) (card.Report, error) {
			got, err := sound.Refund(ctx, d, r)
			if err != nil {
				err = errors.New("no answer")
			}
			return got, err
		}}, "refunds in trouble", "Refund whose answer was lost"},
		"refund of the whole":      {refund(func(r *card.Refund) { r.Refund.Amount = r.Attempt.Amount }), "refunds", "the acquirer has given back"},
		"refund of another":        {refund(func(r *card.Refund) { r.Refund.ID += "0" }), "refunds", "want the refund's id"},
		"refund at the wrong time": {refund(func(r *card.Refund) { r.Attempt.CreatedAt = r.Attempt.CreatedAt.Add(1e9) }), "refunds", "the order's date is"},
	} {
		t.Run(name, func(t *testing.T) {
			suite := acquirerCase()
			suite.Connector = c.k
			problems := railtest.CheckAcquirer(suite, c.part)
			if !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("want %q, got %d problems: %.2000s", c.want, len(problems), strings.Join(problems, "\n"))
			}
		})
	}
}
