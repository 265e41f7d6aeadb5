package vnpay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// patience is how long after its end an order may still be heard of (decision V4).
const patience = time.Hour

// What the API signs, in order, joined by |. Promotions are signed in answers
// to querydr only.
var (
	queryFields = []string{
		"vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TxnRef", "vnp_TransactionDate", "vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo",
	}
	refundFields = []string{
		"vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TransactionType", "vnp_TxnRef", "vnp_Amount", "vnp_TransactionNo", "vnp_TransactionDate",
		"vnp_CreateBy", "vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo",
	}
	refundAnswerFields = []string{
		"vnp_ResponseId", "vnp_Command", "vnp_ResponseCode", "vnp_Message", "vnp_TmnCode", "vnp_TxnRef", "vnp_Amount", "vnp_BankCode", "vnp_PayDate",
		"vnp_TransactionNo", "vnp_TransactionType", "vnp_TransactionStatus", "vnp_OrderInfo",
	}
	queryAnswerFields = append(slices.Clone(refundAnswerFields), "vnp_PromotionCode", "vnp_PromotionAmount")
)

// The kinds of transactions in vnp_TransactionType.
const (
	typePayment       = "01"
	typeFullRefund    = "02"
	typePartialRefund = "03"
)

// answer is what the API says.
type answer struct {
	signed     bool // and about what was asked
	code       string
	status     string
	kind       string // vnp_TransactionType
	amount     money.VND
	externalID string
	at         time.Time
}

// unproven is for an answer that decides nothing (decision V5).
func (a answer) unproven() error {
	text := lookUp(answers, a.code).text
	if a.code == "00" {
		text = "success"
	}
	return fmt.Errorf("VNPAY answers %s (%s) without a good signature, or about another order", a.code, text)
}

// call sends a signed request. An error wraps card.ErrUncertain where VNPAY may
// have acted on it.
func (c config) call(ctx context.Context, d card.Dealing, request map[string]string, requestFields, answerFields []string) (answer, error) {
	request["vnp_Version"] = version
	request["vnp_TmnCode"] = c.TmnCode
	request["vnp_CreateDate"] = vietnamTime(d.Now)
	request["vnp_IpAddr"] = c.ServerIP
	parts := make([]string, len(requestFields))
	for i, name := range requestFields {
		parts[i] = request[name]
	}
	request[hashName] = c.sign(strings.Join(parts, "|"))
	called, err := wire.Call(ctx, d.HTTP, http.MethodPost, c.APIURL, nil, request)
	if err != nil {
		return answer{}, err
	}
	o := called.Object
	parts = make([]string, len(answerFields))
	for i, name := range answerFields {
		parts[i] = o.Raw(name)
	}
	a := answer{
		code: o.Raw("vnp_ResponseCode"), status: o.Raw("vnp_TransactionStatus"), kind: o.Raw("vnp_TransactionType"),
		externalID: transactionNo(o.Raw("vnp_TransactionNo")), at: fromVietnamTime(o.Raw("vnp_PayDate")),
	}
	var amountOK bool
	a.amount, amountOK = wire.FromHundredths(o.Raw("vnp_Amount"))
	signature := o.Raw(hashName)
	if o.Err() != nil || !isCode(a.code) || a.status != "" && !isCode(a.status) {
		return answer{}, wire.Uncertain("VNPAY's answer under HTTP %d cannot be understood", called.Status)
	}
	a.signed = called.Status == http.StatusOK && c.signed(strings.Join(parts, "|"), signature) &&
		o.Raw("vnp_Command") == request["vnp_Command"] && o.Raw("vnp_TmnCode") == c.TmnCode && o.Raw("vnp_TxnRef") == request["vnp_TxnRef"]
	if a.signed && a.code == "00" && !amountOK {
		return answer{}, wire.Uncertain("VNPAY's answer has no amount in whole đồng")
	}
	return a, nil
}

// querydr asks about an attempt's order, or about one transaction of it.
func (c config) querydr(ctx context.Context, d card.Dealing, a payment.Attempt, transaction string) (answer, error) {
	request := map[string]string{
		"vnp_RequestId":       requestID(a.Reference, transaction, vietnamTime(d.Now), fmt.Sprint(d.Now.UnixNano())),
		"vnp_Command":         "querydr",
		"vnp_TxnRef":          a.Reference,
		"vnp_OrderInfo":       "Truy van " + a.Reference,
		"vnp_TransactionDate": vietnamTime(a.CreatedAt),
	}
	if transaction != "" {
		request["vnp_TransactionNo"] = transaction
	}
	return c.call(ctx, d, request, queryFields, queryAnswerFields)
}

// requestID is 32 characters that VNPAY has not seen today.
func requestID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return hex.EncodeToString(sum[:16])
}

// Query asks by querydr.
func (Connector) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	got, err := c.querydr(ctx, d, a, "")
	if err != nil {
		return card.Report{}, err
	}
	r := card.Report{Reference: a.Reference, Merchant: c.TmnCode, Code: codes(got.code, got.status)}
	over := !a.ExpiresAt.IsZero() && d.Now.After(a.ExpiresAt.Add(patience))
	if got.code == "91" {
		r.Outcome, r.Text = card.Pending, "the payer has not come to VNPAY"
		switch {
		case over && got.signed:
			r.Outcome = card.Failed
		case over:
			r.Outcome, r.Text = card.Unknown, "VNPAY does not know the payment, but does not prove it by a signature: look in its portal"
		}
		return r, nil
	}
	switch {
	case !got.signed:
		return card.Report{}, got.unproven()
	case got.code != "00":
		return card.Report{}, fmt.Errorf("VNPAY answers %s: %s", got.code, lookUp(answers, got.code).text)
	case got.kind != "" && got.kind != typePayment:
		r.Outcome, r.Text = card.Unknown, "VNPAY tells of a refund instead of the payment: look in its portal"
		return r, nil
	}
	said := lookUp(payments, got.status)
	r.Outcome, r.Text = said.outcome, said.text
	r.Amount, r.ExternalID = got.amount, got.externalID
	if r.Outcome == card.Done {
		r.At = got.at
	}
	if r.Outcome == card.Pending && over {
		r.Outcome, r.Text = card.Failed, "the payer did not finish in time"
	}
	return r, nil
}

// Refund asks for a refund of the whole or of a part.
func (Connector) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	if r.Refund.Amount <= 0 || r.Refund.Amount > maxAmount {
		return card.Report{}, payment.Fail(payment.CodeInvalidAmount, "VNPAY refunds amounts from 1 to "+maxAmount.String())
	}
	kind := typePartialRefund
	if r.Before == 0 && r.Refund.Amount == r.Attempt.Amount {
		kind = typeFullRefund
	}
	transaction := r.Attempt.ExternalID
	if transaction == "" {
		transaction = "0" // VNPAY finds it by the reference and the date
	}
	actor := wire.Plain(r.Actor, 100)
	if actor == "" {
		actor = "Thungan"
	}
	got, err := c.call(ctx, d, map[string]string{
		"vnp_RequestId":       requestID(r.Refund.ID),
		"vnp_Command":         "refund",
		"vnp_TransactionType": kind,
		"vnp_TxnRef":          r.Attempt.Reference,
		"vnp_Amount":          hundredths(r.Refund.Amount),
		"vnp_TransactionNo":   transaction,
		"vnp_TransactionDate": vietnamTime(r.Attempt.CreatedAt),
		"vnp_CreateBy":        actor,
		"vnp_OrderInfo":       "Hoan tien " + strings.ReplaceAll(r.Refund.ID, "-", ""),
	}, refundFields, refundAnswerFields)
	if err != nil {
		return card.Report{}, err
	}
	report := card.Report{OfRefund: true, Reference: r.Refund.ID, Merchant: c.TmnCode, Code: codes(got.code, got.status)}
	switch {
	case !got.signed:
		report.Outcome, report.Text = card.Unknown, got.unproven().Error()
		return report, nil
	case got.code != "00":
		said := lookUp(answers, got.code)
		report.Outcome, report.Text = said.outcome, said.text
		return report, nil
	case got.amount != r.Refund.Amount || got.kind != kind:
		report.Outcome, report.Text = card.Unknown, "VNPAY confirms another refund than was asked for: look in its portal"
		return report, nil
	}
	report.Amount = got.amount
	if got.externalID != r.Attempt.ExternalID { // else it is the payment's
		report.ExternalID = got.externalID
	}
	report.Outcome, report.Text = card.Pending, "VNPAY has accepted the refund"
	if got.status != "" {
		said := lookUp(refunds, got.status)
		report.Outcome, report.Text = said.outcome, said.text
	}
	if report.Outcome == card.Done {
		report.At = got.at
	}
	return report, nil
}

// QueryRefund asks by querydr about the refund's own transaction (decision V7).
func (Connector) QueryRefund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	got, err := c.querydr(ctx, d, r.Attempt, r.ExternalID)
	switch {
	case err != nil:
		return card.Report{}, err
	case !got.signed:
		return card.Report{}, got.unproven()
	case got.code != "00":
		return card.Report{}, fmt.Errorf("VNPAY answers %s: %s", got.code, lookUp(answers, got.code).text)
	}
	report := card.Report{OfRefund: true, Reference: r.Refund.ID, Merchant: c.TmnCode, Code: codes(got.code, got.status), ExternalID: r.ExternalID}
	named := got.kind == typeFullRefund || got.kind == typePartialRefund && r.ExternalID != ""
	if !named || got.amount != r.Refund.Amount || r.ExternalID != "" && got.externalID != r.ExternalID {
		report.Outcome, report.Text = card.Unknown, "VNPAY does not tell of this refund: look in its portal"
		return report, nil
	}
	said := lookUp(refunds, got.status)
	report.Outcome, report.Text, report.Amount, report.ExternalID = said.outcome, said.text, got.amount, got.externalID
	if report.Outcome == card.Done {
		report.At = got.at
	}
	return report, nil
}

// Repeatable is false: decision V6.
func (Connector) Repeatable() bool { return false }
