package mpgs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

type refundRequest struct {
	Operation   string      `json:"apiOperation"`
	Transaction transaction `json:"transaction"`
}

type transaction struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Refund puts a transaction to the order (decision G1).
func (Connector) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	q := refundRequest{"REFUND", transaction{r.Refund.Amount.String(), currency}}
	called, err := wire.Call(ctx, d.HTTP, http.MethodPut, c.address("order", r.Attempt.Reference, "transaction", r.Refund.ID), c.header(), q)
	if err != nil {
		return card.Report{}, err
	}
	o := called.Object
	if o.Raw("result") == refused {
		refusal := readRefusal(called.Status, o)
		out := card.Report{Outcome: card.Failed, Reference: r.Refund.ID, Merchant: c.MerchantID, Code: refusal.cause, Text: refusal.text}
		if refusal.acted || o.Err() != nil || len(refusal.cause) > 100 {
			out.Outcome, out.Code = card.Unknown, ""
		}
		return out, nil
	}
	out, err := c.refunded(called, r)
	if err != nil {
		return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Text: err.Error()}, nil
	}
	return out, nil
}

// QueryRefund retrieves the refund's transaction.
func (Connector) QueryRefund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	called, err := wire.Call(ctx, d.HTTP, http.MethodGet, c.address("order", r.Attempt.Reference, "transaction", r.Refund.ID), c.header(), nil)
	if err != nil {
		return card.Report{}, err
	}
	if o := called.Object; o.Raw("result") == refused {
		refusal := readRefusal(called.Status, o)
		if o.Err() == nil && refusal.notThere(called.Status) {
			return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Merchant: c.MerchantID, Text: "the gateway has no such refund"}, nil
		}
		return card.Report{}, errors.New(refusal.text)
	}
	return c.refunded(called, r)
}

// refunded reads a refund's transaction, which has to be the one that r is of.
func (c config) refunded(called wire.Called, r card.Refund) (card.Report, error) {
	o := called.Object
	in, t := o.Object("order"), o.Object("transaction")
	code := o.Object("response").Text("gatewayCode")
	outcome, known := results[o.Raw("result")]
	out := card.Report{Outcome: outcome, Reference: r.Refund.ID, Merchant: c.MerchantID, Code: code, Text: codeText(code)}
	switch {
	case o.Err() != nil:
	case called.Status >= 300:
		o.Fail("HTTP %d", called.Status)
	case o.Raw("merchant") != c.MerchantID || in.Raw("id") != r.Attempt.Reference || t.Raw("id") != r.Refund.ID:
		o.Fail("it is about another refund")
	case t.Raw("type") != "" && t.Raw("type") != "REFUND":
		o.Fail("its transaction is no refund")
	case t.Amount("amount") != r.Refund.Amount || t.Raw("currency") != currency:
		o.Fail("it is about another amount")
	case len(code) > 100:
		o.Fail("its code is too long")
	}
	if err := o.Err(); err != nil {
		return card.Report{}, fmt.Errorf("the gateway's answer: %w", err)
	}
	out.Amount, out.Currency, out.ExternalID = r.Refund.Amount, currency, r.Attempt.Reference+"/"+r.Refund.ID
	switch {
	case !known:
		out.Outcome, out.Text = card.Unknown, "a result that is not in our table"
	case outcome == card.Done:
		out.Text, out.At = "refunded", moment(o, "timeOfRecord")
	case outcome == card.Failed && code == insufficient:
		out.Reason, out.Text = payment.CodeInsufficient, "the merchant's balance does not cover the refund"
	case outcome == card.Failed && gatewayCodes[code].open:
		out.Outcome = card.Unknown // decision G9
	}
	return out, nil
}

// Repeatable is true (decision G1).
func (Connector) Repeatable() bool { return true }
