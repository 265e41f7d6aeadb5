package vnpay_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/vnpay"
	"github.com/thungan/thungan/rail/railtest"
)

func configFor(base string) []byte {
	return fmt.Appendf(nil, `{"environment": "sandbox", "tmn_code": "%s", "hash_secret": "%s", "pay_url": "%s/paymentv2/vpcpay.html",
		"api_url": "%s/merchant_webapi/api/transaction", "order_type": "other", "server_ip": "203.0.113.9"}`, testTmn, testSecret, base, base)
}

func acks() []railtest.Ack {
	var all []railtest.Ack
	for _, a := range []struct {
		told bool
		code payment.Code
		body string
	}{
		{false, "", `{"RspCode":"00","Message":"Confirm Success"}`},
		{true, "", `{"RspCode":"02","Message":"Order already confirmed"}`},
		{false, payment.CodePaymentNotFound, `{"RspCode":"01","Message":"Order not found"}`},
		{false, payment.CodeInvalidAmount, `{"RspCode":"04","Message":"Invalid amount"}`},
		{false, payment.CodeUnauthorized, `{"RspCode":"97","Message":"Invalid signature"}`},
		{false, payment.CodeConflict, `{"RspCode":"02","Message":"Order already confirmed"}`},
		{false, payment.CodeInvalidRequest, `{"RspCode":"99","Message":"Unknown error"}`},
		{false, payment.CodeInternal, `{"RspCode":"99","Message":"Unknown error"}`},
		{false, payment.CodeBusy, `{"RspCode":"99","Message":"Unknown error"}`},
		{true, payment.CodeInternal, `{"RspCode":"99","Message":"Unknown error"}`},
	} {
		all = append(all, railtest.Ack{Told: a.told, Code: a.code, Want: card.Answer{Status: http.StatusOK, ContentType: "application/json; charset=utf-8", Body: []byte(a.body)}})
	}
	return all
}

func acquirerCase() railtest.AcquirerCase {
	return railtest.AcquirerCase{
		Connector: vnpay.Connector{}, Config: configFor, New: newImitation,
		Optional: []string{"pay_url", "api_url", "order_type", "server_ip"}, Secrets: []string{testSecret},
		MaxReference: 100, ReferenceChars: "0123456789abcdef", Acks: acks(),
	}
}

func TestAcquirer(t *testing.T) { railtest.Acquirer(t, acquirerCase()) }
