package mpgs_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/cardtest"
	"github.com/thungan/thungan/rail/card/mpgs"
	"github.com/thungan/thungan/rail/railtest"
)

const config = `{"environment": "sandbox", "merchant_id": "` + merchantID + `", "api_password": "` + apiPassword + `", "webhook_secret": "` + webhookSecret + `"}`

func acquirerCase() railtest.AcquirerCase {
	ack := func(status int) card.Answer { return card.Answer{Status: status} }
	return railtest.AcquirerCase{
		Connector: mpgs.Connector{},
		Config: func(base string) []byte {
			b, _ := json.Marshal(map[string]string{"environment": "sandbox", "merchant_id": merchantID, "api_password": apiPassword, "webhook_secret": webhookSecret, "base_url": base})
			return b
		},
		Optional: []string{"base_url"}, Secrets: []string{apiPassword, webhookSecret},
		New:          newImitation,
		MaxReference: 40, ReferenceChars: "0123456789abcdef-",
		Acks: []railtest.Ack{
			{Want: ack(200)}, {Told: true, Want: ack(200)},
			{Code: payment.CodeUnauthorized, Want: ack(401)}, {Code: payment.CodeInvalidRequest, Want: ack(400)},
			{Code: payment.CodePaymentNotFound, Want: ack(200)}, {Code: payment.CodeInvalidAmount, Want: ack(200)},
			{Code: payment.CodeConflict, Want: ack(200)}, {Code: payment.CodeInternal, Want: ack(503)}, {Code: payment.CodeBusy, Want: ack(503)},
		},
		UnsignedNotices: true, UnsignedAnswers: true, UnsignedReturns: true, HintNotices: true,
	}
}

func TestAcquirer(t *testing.T) { railtest.Acquirer(t, acquirerCase()) }

var setup = cardtest.Setup{
	Connector: mpgs.Connector{}, Config: config, Now: time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC),
	Order: card.Order{
		Attempt: payment.Attempt{
			ID: "01997b9c-8f00-7000-8000-0123456789ab", Reference: "01997b9c-8f00-7000-8000-0123456789ab", Method: payment.InternationalCard, Amount: 50_000,
			ExternalID: "01997b9c-8f00-7000-8000-0123456789ab/1",
			Handoff:    payment.Handoff{Script: "https://mtf.gateway.mastercard.com/static/checkout/checkout.min.js", Session: "SESSION0002"},
			CreatedAt:  time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC), ExpiresAt: time.Date(2026, 3, 4, 17, 36, 7, 0, time.UTC),
		},
		Description: "Thanh toán đơn hàng 5", Language: "vi", Merchant: "Cửa hàng Lê", PayerIP: "203.0.113.7",
	},
	Refund: card.Refund{Refund: payment.Refund{ID: "01997ba0-0000-7000-8000-00000000f00d", Reference: "RF-1", Amount: 20_000, CreatedAt: time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)}},
}

func TestGolden(t *testing.T) { cardtest.Golden(t, setup) }

// A notice says that it has to be asked, and nothing else, whatever it tells:
// its body is not protected.
func TestNoticesOnlyHint(t *testing.T) {
	o := &order{id: "a", amount: 50_000, decision: railtest.Decision{Verdict: railtest.Paid}}
	for _, verdict := range []railtest.Verdict{railtest.Paid, railtest.Declined, railtest.Odd} {
		o.decision.Verdict = verdict
		r, err := mpgs.Connector{}.VerifyNotify(card.Dealing{Config: []byte(config)}, notice(o.paid()))
		if err != nil || r.Outcome != card.Pending || r.Reference != "a" || r.Amount != 50_000 || r.OfRefund {
			t.Errorf("%s: %+v, %v", verdict, r, err)
		}
	}
	r, err := mpgs.Connector{}.VerifyNotify(card.Dealing{Config: []byte(config)}, notice(o.refunded(&refund{"r", 20_000, railtest.Paid})))
	if err != nil || r.Outcome != card.Pending || r.Reference != "r" || r.Amount != 20_000 || !r.OfRefund {
		t.Errorf("a refund: %+v, %v", r, err)
	}
}

// The masked number that the gateway shows stays with it.
func TestNoCardNumber(t *testing.T) {
	o := &order{id: "a", amount: 50_000, decision: railtest.Decision{Verdict: railtest.Paid}}
	r, err := mpgs.Connector{}.VerifyNotify(card.Dealing{Config: []byte(config)}, notice(o.paid()))
	if text, _ := json.Marshal(r); err != nil || strings.Contains(string(text), "512345") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestTables(t *testing.T) {
	orders, codes := mpgs.Tables()
	for _, status := range []string{
		"AUTHENTICATED", "AUTHENTICATION_INITIATED", "AUTHENTICATION_NOT_NEEDED", "AUTHENTICATION_UNSUCCESSFUL", "AUTHORIZED", "CANCELLED", "CAPTURED", "CHARGEBACK_PROCESSED",
		"DISBURSED", "DISPUTED", "EXCESSIVELY_REFUNDED", "FAILED", "FUNDING", "INITIATED", "PARTIALLY_CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED", "REFUND_REQUESTED", "VERIFIED",
	} {
		if orders[status] == "" {
			t.Errorf("no stage or text for the status %s", status)
		}
		delete(orders, status)
	}
	for _, code := range strings.Fields(`ABORTED ACQUIRER_SYSTEM_ERROR APPROVED APPROVED_AUTO APPROVED_PENDING_SETTLEMENT AUTHENTICATION_FAILED AUTHENTICATION_IN_PROGRESS BALANCE_AVAILABLE
		BALANCE_UNKNOWN BASIC_VERIFICATION_SUCCESSFUL BLOCKED CANCELLED DECLINED DECLINED_AVS DECLINED_AVS_CSC DECLINED_CSC DECLINED_DO_NOT_CONTACT DECLINED_INVALID_PIN DECLINED_PAYMENT_PLAN
		DECLINED_PIN_REQUIRED DEFERRED_TRANSACTION_RECEIVED DUPLICATE_BATCH EXCEEDED_RETRY_LIMIT EXPIRED_CARD INSUFFICIENT_FUNDS INVALID_CSC LOCK_FAILURE NOT_ENROLLED_3D_SECURE NOT_SUPPORTED
		NO_BALANCE NO_VERIFICATION_PERFORMED PARTIALLY_APPROVED PENDING REFERRED SUBMITTED SYSTEM_ERROR TIMED_OUT UNKNOWN UNSPECIFIED_FAILURE`) {
		if codes[code] == "" {
			t.Errorf("no text for the code %s", code)
		}
		delete(codes, code)
	}
	if len(orders)+len(codes) > 0 {
		t.Errorf("rows that this test does not know: %v %v", orders, codes)
	}
}

func FuzzNotice(f *testing.F) {
	for _, body := range cardtest.Seeds(f, "message") {
		f.Add(body)
	}
	c := acquirerCase()
	f.Fuzz(func(t *testing.T, body string) {
		for _, problem := range railtest.HostileProblems(c, []byte(config), card.Message{Method: http.MethodPost, Body: []byte(body), Query: body}) {
			t.Error(problem)
		}
		// With the secret, what is believed has to be fit to be stored.
		r, err := mpgs.Connector{}.VerifyNotify(card.Dealing{Config: []byte(config)}, card.Message{
			Method: http.MethodPost, Body: []byte(body), Header: http.Header{"X-Notification-Secret": {webhookSecret}},
		})
		switch code := payment.CodeOf(err); {
		case err == nil && (r.Outcome != card.Pending || r.Reference == "" || r.Amount < 0 || len(r.Text) > 500 || len(r.Code) > 100):
			t.Errorf("%+v", r)
		case err != nil && code != payment.CodeInvalidRequest && code != payment.CodeUnauthorized:
			t.Errorf("code %s", code)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, body := range cardtest.Seeds(f, "reply") {
		f.Add(200, body)
		f.Add(400, body)
	}
	c := acquirerCase()
	f.Fuzz(func(t *testing.T, status int, body string) {
		for _, problem := range railtest.AnswerProblems(c, []byte(config), status, []byte(body)) {
			t.Error(problem)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add(config)
	f.Fuzz(func(t *testing.T, text string) {
		if err := (mpgs.Connector{}).CheckConfig([]byte(text)); err != nil && payment.CodeOf(err) != payment.CodeInvalidRequest {
			t.Errorf("code %s", payment.CodeOf(err))
		}
	})
}
