package onepay

import (
	"errors"
	"net/http"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

const maxID = 64 // characters of vpc_MerchTxnRef and vpc_TransactionNo

// VerifyReturn reads what OnePay gave the payer's browser. It is signed like a
// notice.
func (Connector) VerifyReturn(d card.Dealing, m card.Message) (card.Report, error) {
	return verify(d, m)
}

// VerifyNotify reads an IPN, which comes by GET or as a form.
func (Connector) VerifyNotify(d card.Dealing, m card.Message) (card.Report, error) {
	return verify(d, m)
}

func verify(d card.Dealing, m card.Message) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	text := m.Query
	switch m.Method {
	case http.MethodGet:
	case http.MethodPost:
		text = string(m.Body)
	default:
		return card.Report{}, wire.Unreadable(errors.New("OnePay tells by GET or POST"))
	}
	fields, err := c.open(text)
	if err != nil {
		return card.Report{}, err
	}
	r, err := c.report(fields)
	if err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	return r, nil
}

// report reads fields whose signature is good.
func (c config) report(fields map[string]string) (card.Report, error) {
	amount, ok := wire.FromHundredths(fields["vpc_Amount"])
	code := fields["vpc_TxnResponseCode"]
	unit := fields["vpc_Currency"]
	if unit == "" {
		unit = fields["vpc_CurrencyCode"] // the old pages name it so
	}
	switch {
	case !isID(fields["vpc_MerchTxnRef"]):
		return card.Report{}, errors.New("vpc_MerchTxnRef is missing or no reference")
	case !ok:
		return card.Report{}, errors.New("vpc_Amount is not an amount in whole đồng")
	case code == "" || len(code) > 8:
		return card.Report{}, errors.New("vpc_TxnResponseCode is missing or too long")
	case unit != "" && !isCode(unit):
		return card.Report{}, errors.New("vpc_Currency is no currency")
	}
	said := lookUp(code)
	r := card.Report{
		Outcome: said.outcome, Reference: fields["vpc_MerchTxnRef"], Amount: amount, Currency: unit, Merchant: c.Merchant,
		Code: wire.Text(code, 8), Text: said.text,
	}
	if number := fields["vpc_TransactionNo"]; isID(number) && strings.Trim(number, "0") != "" {
		r.ExternalID = number
	}
	return r, nil
}

// isID says whether text can be a reference.
func isID(text string) bool {
	return text != "" && len(text) <= maxID && strings.Trim(text, wordChars+":") == ""
}

// The answers to an IPN.
const (
	ackTaken  = "responsecode=1&desc=confirm-success"
	ackFailed = "responsecode=0&desc=confirm-fail"
)

// Acknowledge is always HTTP 200; what counts is in the text (decision O6).
func (Connector) Acknowledge(_ bool, err error) card.Answer {
	body := ackFailed
	switch payment.CodeOf(err) {
	case "", payment.CodeInvalidAmount, payment.CodeConflict:
		body = ackTaken
	}
	return card.Answer{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(body)}
}
