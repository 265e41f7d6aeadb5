package onepay_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/onepay"
	"github.com/thungan/thungan/rail/railtest"
)

func configFor(base string) []byte {
	return fmt.Appendf(nil, `{"environment": "sandbox", "merchant_id": "%s", "access_code": "%s", "hash_code": "%s", "user": "%s", "password": "%s",
		"pay_url": "%s/paygate/vpcpay.op", "query_url": "%s/msp/api/v1/vpc/invoices/queries", "card_list_domestic": "DOMESTIC", "card_list_international": "INTERNATIONAL"}`,
		testMerchant, testAccess, testHash, testUser, testPassword, base, base)
}

func acquirerCase() railtest.AcquirerCase {
	var acks []railtest.Ack
	for _, a := range []struct {
		told bool
		code payment.Code
		body string
	}{
		{false, "", "responsecode=1&desc=confirm-success"},
		{true, "", "responsecode=1&desc=confirm-success"},
		{false, payment.CodeInvalidAmount, "responsecode=1&desc=confirm-success"},
		{false, payment.CodeConflict, "responsecode=1&desc=confirm-success"},
		{false, payment.CodePaymentNotFound, "responsecode=0&desc=confirm-fail"},
		{false, payment.CodeUnauthorized, "responsecode=0&desc=confirm-fail"},
		{false, payment.CodeInvalidRequest, "responsecode=0&desc=confirm-fail"},
		{false, payment.CodeInternal, "responsecode=0&desc=confirm-fail"},
		{true, payment.CodeInternal, "responsecode=0&desc=confirm-fail"},
	} {
		acks = append(acks, railtest.Ack{Told: a.told, Code: a.code, Want: card.Answer{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(a.body)}})
	}
	return railtest.AcquirerCase{
		Connector: onepay.Connector{}, Config: configFor, New: newImitation,
		Optional:     []string{"pay_url", "query_url", "card_list_domestic", "card_list_international"},
		Secrets:      []string{testHash, testPassword},
		MaxReference: 40, ReferenceChars: "0123456789abcdef", Acks: acks,
	}
}

func TestAcquirer(t *testing.T) { railtest.Acquirer(t, acquirerCase()) }

// Without a user for queryDR nobody is asked, and nothing is claimed.
func TestQueryWithoutUser(t *testing.T) {
	config := []byte(`{"environment": "live", "merchant_id": "M", "access_code": "A", "hash_code": "00112233445566778899AABBCCDDEEFF"}`)
	if err := (onepay.Connector{}).CheckConfig(config); err != nil {
		t.Fatal(err)
	}
	end := railtest.AcquirerNow.Add(30 * time.Minute)
	for now, want := range map[time.Time]card.Outcome{
		railtest.AcquirerNow: card.Pending, end: card.Pending, end.Add(2 * time.Hour): card.Pending, end.Add(2*time.Hour + 1): card.Unknown,
	} {
		// No Doer: to ask would panic.
		r, err := onepay.Connector{}.Query(context.Background(), card.Dealing{Config: config, Now: now}, payment.Attempt{Reference: "r", ExpiresAt: end})
		if err != nil || r.Outcome != want || r.Text == "" || r.Reference != "r" {
			t.Errorf("%v: %+v, %v", now, r, err)
		}
	}
}

func TestNoRefunder(t *testing.T) {
	if _, ok := any(onepay.Connector{}).(card.Refunder); ok {
		t.Error("OnePay has no refunds but those of its portal")
	}
}
