package zalopay

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// refundID is an m_refund_id, at most 45 characters (decision Z1).
func (c config) refundID(r payment.Refund) string {
	return day(r.CreatedAt) + "_" + c.AppID + "_" + wire.ShortID(r.ID)
}

type refundRequest struct {
	AppID       int64  `json:"app_id"`
	RefundID    string `json:"m_refund_id"`
	ZPTransID   string `json:"zp_trans_id"`
	Amount      int64  `json:"amount"`
	Timestamp   int64  `json:"timestamp"`
	Description string `json:"description"`
	MAC         string `json:"mac"`
}

// Refund asks for a refund. ZaloPay mostly takes it in and makes it later.
//
// Source: docs.zalopay.vn/docs/specs/order-refund.
func (Connector) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	if r.Attempt.ExternalID == "" {
		return card.Report{}, errors.New("the payment's transaction at ZaloPay is not known")
	}
	q := refundRequest{
		AppID: c.appID(), RefundID: c.refundID(r.Refund), ZPTransID: r.Attempt.ExternalID, Amount: int64(r.Refund.Amount), Timestamp: d.Now.UnixMilli(),
		Description: wire.Text("Refund "+r.Refund.Reference, 100, '|'),
	}
	q.MAC = mac(c.Key1, c.AppID, q.ZPTransID, r.Refund.Amount.String(), q.Description, strconv.FormatInt(q.Timestamp, 10))
	o, err := c.post(ctx, d, "/v2/refund", q)
	if err != nil {
		return card.Report{}, err
	}
	s := read(o, refundCodes)
	if o.Err() != nil {
		return card.Report{Outcome: card.Unknown, Reference: r.Refund.ID, Text: "ZaloPay's answer: " + o.Err().Error()}, nil
	}
	out := refunded(s, r)
	out.Merchant = c.AppID
	switch {
	case s.code == success && out.Outcome != card.Done:
		out.Outcome, out.Text = card.Pending, "ZaloPay took the refund in"
	case s.code == fail && s.sub == repeated:
		out.Outcome = card.Pending // it is there; a query tells
	case s.request:
		out.Outcome = card.Failed // it did not begin
	case s.code == fail && s.sub == notThere:
		out.Outcome, out.Text = card.Failed, "ZaloPay has no such transaction" // here it is the payment that is not there
	case s.code == fail && !s.known:
		out.Outcome = card.Unknown
	}
	if o.Has("refund_id") {
		if n := o.Number("refund_id"); o.Err() == nil && n > 0 {
			out.ExternalID = strconv.FormatInt(n, 10)
		}
	}
	return out, nil
}

// refunded is what an answer says of a refund.
func refunded(s status, r card.Refund) card.Report {
	out := card.Report{Outcome: s.outcome(), Reference: r.Refund.ID, Code: s.shown(), Text: s.text}
	switch {
	case s.code == success && (s.sub == success || s.sub == notThere): // decision Z5
		out.Text = "refunded"
	case s.code == success:
		out.Outcome, out.Text = card.Unknown, "ZaloPay says success, but not of what"
	case s.code == processing && !s.known:
		out.Text = "ZaloPay is working on the refund"
	case s.code == fail && s.sub == lowBalance:
		out.Reason = payment.CodeInsufficient
	}
	return out
}

type refundQuery struct {
	AppID     int64  `json:"app_id"`
	RefundID  string `json:"m_refund_id"`
	Timestamp int64  `json:"timestamp"`
	MAC       string `json:"mac"`
}

// QueryRefund asks what became of a refund.
//
// Source: docs.zalopay.vn/docs/specs/order-query-refund.
func (Connector) QueryRefund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	q := refundQuery{AppID: c.appID(), RefundID: c.refundID(r.Refund), Timestamp: d.Now.UnixMilli()}
	q.MAC = mac(c.Key1, c.AppID, q.RefundID, strconv.FormatInt(q.Timestamp, 10))
	o, err := c.post(ctx, d, "/v2/query_refund", q)
	if err != nil {
		return card.Report{}, err
	}
	s := read(o, refundCodes)
	if err := o.Err(); err != nil {
		return card.Report{}, fmt.Errorf("ZaloPay's answer: %w", err)
	}
	if s.code < 0 || s.code == fail && s.request {
		return card.Report{}, fmt.Errorf("ZaloPay refused to answer with code %s: %s", s.shown(), s.text)
	}
	out := refunded(s, r)
	out.Merchant, out.ExternalID = c.AppID, r.ExternalID
	return out, nil
}

// Repeatable is false (decision Z7).
func (Connector) Repeatable() bool { return false }
