package vnpay_test

import (
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/cardtest"
	"github.com/thungan/thungan/rail/card/vnpay"
)

// The signatures of the messages and replies in the golden files were made by
// another program, Python's hmac, from the descriptions.
func TestGolden(t *testing.T) {
	a := payment.Attempt{
		ID: "019cb9a0-1f5b-7001-8001-000001000193", Method: payment.DomesticCard, Amount: 1_806_000, ExternalID: "14422574",
		CreatedAt: time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC), ExpiresAt: time.Date(2026, 3, 4, 17, 36, 7, 0, time.UTC),
	}
	a.Reference = vnpay.Connector{}.Reference(a)
	cardtest.Golden(t, cardtest.Setup{
		Connector: vnpay.Connector{}, Config: string(configFor("https://acquirer.example.vn")), Now: a.CreatedAt.Add(time.Minute),
		Order:  card.Order{Attempt: a, Description: "Thanh toán đơn hàng :5", Language: "vi", PayerIP: "203.0.113.7", Merchant: "Cửa hàng Lê & Sơn"},
		Refund: card.Refund{Refund: payment.Refund{ID: "019cb9b0-2f5b-7000-8000-000001000193", Amount: 1_806_000}, ExternalID: "14422600", Actor: "operator:Nguyễn An"},
	})
}
