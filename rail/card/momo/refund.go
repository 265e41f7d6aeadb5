package momo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

type refundRequest struct {
	PartnerCode string `json:"partnerCode"`
	OrderID     string `json:"orderId"`
	RequestID   string `json:"requestId"`
	Amount      int64  `json:"amount"`
	TransID     int64  `json:"transId"`
	Lang        string `json:"lang"`
	Description string `json:"description"`
	Signature   string `json:"signature"`
}

// Refund asks for a refund, under an orderId of its own. MoMo takes 1.000 đồng
// or more, 10.000 for a domestic card.
//
// Source: developers.momo.vn/v3/docs/payment/api/payment-api/refund.
func (Connector) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	transID, err := strconv.ParseInt(r.Attempt.ExternalID, 10, 64)
	if err != nil {
		return card.Report{}, errors.New("the payment's transaction at MoMo is not known")
	}
	q := refundRequest{
		PartnerCode: c.PartnerCode, OrderID: r.Refund.ID, RequestID: r.Refund.ID, Amount: int64(r.Refund.Amount), TransID: transID,
		Lang: "en", Description: wire.Text("Refund "+r.Refund.Reference, maxInfo, '&', '='),
	}
	q.Signature = c.sign(refundFields, func(name string) string {
		return map[string]string{
			"amount": r.Refund.Amount.String(), "description": q.Description, "orderId": q.OrderID, "partnerCode": q.PartnerCode,
			"requestId": q.RequestID, "transId": strconv.FormatInt(q.TransID, 10),
		}[name]
	})
	o, err := c.post(ctx, d, "/v2/gateway/api/refund", q)
	if err != nil {
		return card.Report{}, err
	}
	code := o.Number("resultCode")
	if err := o.Err(); err != nil {
		return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Text: "MoMo's answer: " + err.Error()}, nil
	}
	out := refunded(code, o.Text("message"))
	out.Reference, out.Merchant = r.Refund.ID, c.PartnerCode
	switch m := mean(code, ""); {
	case m.request:
		out.Outcome = card.Failed // it did not begin
	case m.known:
		out.Outcome = card.Pending // it is there; a query tells
	case code == 99:
		out.Outcome = card.Unknown // what failed, the refund or the answer, is not told
	}
	if out.Outcome == card.Done {
		out.ExternalID, out.Amount, out.At = transaction(o), o.Amount("amount"), o.Millis("responseTime")
		out.Currency = "VND"
		if o.Raw("orderId") != r.Refund.ID || out.Amount != r.Refund.Amount {
			return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Code: out.Code, Text: "MoMo answered about another refund or amount"}, nil
		}
		if err := o.Err(); err != nil {
			return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Code: out.Code, Text: "MoMo's answer: " + err.Error()}, nil
		}
	}
	return out, nil
}

// refunded is what a code says of a refund.
func refunded(code int64, message string) card.Report {
	m := mean(code, message)
	r := card.Report{Outcome: m.outcome, Code: codeText(code), Text: m.text}
	if text, ok := refundText[code]; ok {
		r.Text = text
	}
	if code == insufficientFunds {
		r.Reason = payment.CodeInsufficient
	}
	return r
}

// QueryRefund looks for a refund in the list of the payment's (decision M7).
func (Connector) QueryRefund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	o, err := c.query(ctx, d, r.Attempt.Reference)
	if err != nil {
		return card.Report{}, err
	}
	list := o.List("refundTrans")
	if err := o.Err(); err != nil {
		return card.Report{}, fmt.Errorf("MoMo's answer: %w", err)
	}
	for _, t := range list {
		if t.Raw("orderId") != r.Refund.ID {
			continue
		}
		code := t.Number("resultCode")
		out := refunded(code, t.Text("message"))
		out.Reference, out.Merchant, out.Currency = r.Refund.ID, c.PartnerCode, "VND"
		out.ExternalID, out.Amount = transaction(t), t.Amount("amount")
		if out.Outcome == card.Done {
			out.At = t.Millis("createdTime")
		}
		if err := t.Err(); err != nil {
			return card.Report{}, fmt.Errorf("MoMo's answer: %w", err)
		}
		if m := mean(code, ""); m.request || m.known {
			out.Outcome = card.Unknown
		}
		return out, nil
	}
	return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Text: "MoMo lists no such refund of the payment"}, nil
}

// Repeatable is true: MoMo carries one requestId out once, and remembers it for
// 31 days or more.
//
// Source: developers.momo.vn/v3/docs/payment/api/result-handling/idempotency.
func (Connector) Repeatable() bool { return true }
