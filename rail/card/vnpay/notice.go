package vnpay

import (
	"errors"
	"net/http"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

const maxID = 100 // characters of vnp_TxnRef

// VerifyReturn reads the query that VNPAY gave the payer's browser. It is signed
// like a notice.
func (Connector) VerifyReturn(d card.Dealing, m card.Message) (card.Report, error) {
	return verify(d, m)
}

// VerifyNotify reads an IPN.
func (Connector) VerifyNotify(d card.Dealing, m card.Message) (card.Report, error) {
	return verify(d, m)
}

func verify(d card.Dealing, m card.Message) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	if m.Method != http.MethodGet {
		return card.Report{}, wire.Unreadable(errors.New("VNPAY tells by GET"))
	}
	fields, err := c.open(m.Query)
	if err != nil {
		return card.Report{}, err
	}
	if fields["vnp_TmnCode"] != c.TmnCode {
		return card.Report{}, wire.Unauthorized("it is about another terminal")
	}
	response, status := fields["vnp_ResponseCode"], fields["vnp_TransactionStatus"]
	amount, ok := wire.FromHundredths(fields["vnp_Amount"])
	switch {
	case !isID(fields["vnp_TxnRef"]):
		return card.Report{}, wire.Unreadable(errors.New("vnp_TxnRef is missing or no reference"))
	case !ok:
		return card.Report{}, wire.Unreadable(errors.New("vnp_Amount is not an amount in whole đồng"))
	case !isCode(response) || status != "" && !isCode(status):
		return card.Report{}, wire.Unreadable(errors.New("vnp_ResponseCode or vnp_TransactionStatus is no code"))
	}
	said := paymentWord(response, status)
	r := card.Report{
		Outcome:    said.outcome,
		Reference:  fields["vnp_TxnRef"],
		ExternalID: transactionNo(fields["vnp_TransactionNo"]),
		Amount:     amount,
		Merchant:   c.TmnCode,
		Code:       codes(response, status),
		Text:       said.text,
	}
	if r.Outcome == card.Done {
		r.At = fromVietnamTime(fields["vnp_PayDate"])
	}
	return r, nil
}

// isID says whether text can be a reference.
func isID(text string) bool {
	return text != "" && len(text) <= maxID && strings.Trim(text, alphanumeric+"-_.:") == ""
}

func isCode(text string) bool {
	return text != "" && len(text) <= 4 && strings.Trim(text, alphanumeric) == ""
}

// transactionNo is VNPAY's number of a transaction; 0 stands for none.
func transactionNo(text string) string {
	if !isID(text) || strings.Trim(text, "0") == "" {
		return ""
	}
	return text
}

// The answers to an IPN. VNPAY sends it again after anything but 00 and 02.
//
// Source: sandbox.vnpayment.vn/apis/docs/thanh-toan-pay/pay.html, IPN URL.
const (
	ackTaken    = `{"RspCode":"00","Message":"Confirm Success"}`
	ackNoOrder  = `{"RspCode":"01","Message":"Order not found"}`
	ackTold     = `{"RspCode":"02","Message":"Order already confirmed"}`
	ackAmount   = `{"RspCode":"04","Message":"Invalid amount"}`
	ackUnsigned = `{"RspCode":"97","Message":"Invalid signature"}`
	ackOther    = `{"RspCode":"99","Message":"Unknown error"}`
)

// Acknowledge is always HTTP 200; the code is in the body.
func (Connector) Acknowledge(told bool, err error) card.Answer {
	body := ackOther
	switch payment.CodeOf(err) {
	case "":
		body = ackTaken
		if told {
			body = ackTold
		}
	case payment.CodeConflict:
		body = ackTold // decision V8
	case payment.CodePaymentNotFound:
		body = ackNoOrder
	case payment.CodeInvalidAmount:
		body = ackAmount
	case payment.CodeUnauthorized:
		body = ackUnsigned
	}
	return card.Answer{Status: http.StatusOK, ContentType: "application/json; charset=utf-8", Body: []byte(body)}
}
