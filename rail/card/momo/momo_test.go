package momo_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/cardtest"
	"github.com/thungan/thungan/rail/card/momo"
	"github.com/thungan/thungan/rail/railtest"
)

const config = `{"environment": "sandbox", "partner_code": "` + partner + `", "access_key": "` + accessKey + `", "secret_key": "` + secretKey + `"}`

func acquirerCase() railtest.AcquirerCase {
	ack := func(status int) card.Answer { return card.Answer{Status: status} }
	return railtest.AcquirerCase{
		Connector: momo.Connector{},
		Config: func(base string) []byte {
			b, _ := json.Marshal(map[string]string{"environment": "sandbox", "partner_code": partner, "access_key": accessKey, "secret_key": secretKey, "base_url": base})
			return b
		},
		Optional: []string{"base_url"}, Secrets: []string{secretKey, accessKey},
		New:          newImitation,
		MaxReference: 50, ReferenceChars: "0123456789abcdef-",
		Acks: []railtest.Ack{
			{Want: ack(204)}, {Told: true, Want: ack(204)},
			{Code: payment.CodeUnauthorized, Want: ack(401)}, {Code: payment.CodeInvalidRequest, Want: ack(400)},
			{Code: payment.CodePaymentNotFound, Want: ack(404)}, {Code: payment.CodeInvalidAmount, Want: ack(204)},
			{Code: payment.CodeConflict, Want: ack(204)}, {Code: payment.CodeInternal, Want: ack(503)}, {Code: payment.CodeBusy, Want: ack(503)},
		},
		UnsignedAnswers: true,
	}
}

func TestAcquirer(t *testing.T) { railtest.Acquirer(t, acquirerCase()) }

var setup = cardtest.Setup{
	Connector: momo.Connector{}, Config: config, Now: time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC),
	Order: card.Order{
		Attempt: payment.Attempt{
			ID: "01997b9c-8f00-7000-8000-0123456789ab", Reference: "01997b9c-8f00-7000-8000-0123456789ab", Method: payment.MoMo, Amount: 50_000, ExternalID: "2820086739",
			Handoff:   payment.Handoff{URL: "https://test-payment.momo.vn/v2/gateway/pay?t=x"},
			CreatedAt: time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC), ExpiresAt: time.Date(2026, 3, 4, 17, 36, 7, 0, time.UTC),
		},
		Description: "Thanh toán đơn hàng 5", Language: "vi", Merchant: "Cửa hàng Lê", PayerIP: "203.0.113.7",
	},
	Refund: card.Refund{Refund: payment.Refund{ID: "01997ba0-0000-7000-8000-00000000f00d", Reference: "RF-1", Amount: 20_000, CreatedAt: time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)}},
}

func TestGolden(t *testing.T) { cardtest.Golden(t, setup) }

func TestPublishedOrderOfSignedFields(t *testing.T) {
	// The sample keys of MoMo's repositories over its sample order. The value
	// was computed from the rule by another program (Python's hmac); MoMo
	// prints no signature for it.
	const want = "c11cf81a32560a0427252232f61c45506005bfeb3bfe5e5b6eaa2903f70af62c"
	var got struct{ Signature, Lang string }
	d := card.Dealing{
		Config: []byte(config), ReturnURL: "https://momo.vn/return", NotifyURL: "https://callback.url/notify",
		HTTP: doer(func(r *http.Request) (int, string) {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			return 200, `{"resultCode":13}`
		}),
	}
	o := card.Order{Attempt: payment.Attempt{Reference: "MOMO0001", Method: payment.MoMo, Amount: 50_000}, Description: "pay with MoMo"}
	if _, err := (momo.Connector{}).Create(t.Context(), d, o); err == nil || errors.Is(err, card.ErrUncertain) {
		t.Errorf("code 13: %v", err)
	}
	if got.Signature != want {
		t.Errorf("signature %s, want %s", got.Signature, want)
	}
}

type doer func(*http.Request) (int, string)

func (d doer) Do(r *http.Request) (int, []byte, bool, error) {
	status, body := d(r)
	return status, []byte(body), true, nil
}

// A text that holds the name of a signed field lets the same signature say
// something else. Neither do we send such a text nor believe it.
func TestSignedTextIsReadInOneWay(t *testing.T) {
	m := newImitation("http://127.0.0.1").(*imitation)
	m.orders["A"] = &order{id: "A", request: "A", info: "x&orderId=B&orderInfo=y", amount: 50_000, kind: "captureWallet"}
	m.Decide("A", railtest.Decision{Verdict: railtest.Paid})
	f, _ := m.result("A")
	f["message"], f["orderId"], f["orderInfo"] = f["message"]+"&orderId=A&orderInfo=x", "B", "y"
	if signature(secretKey, without(f, "signature")) != f["signature"] {
		t.Fatal("the two texts are not the same: the test shows nothing")
	}
	r, err := momo.Connector{}.VerifyNotify(card.Dealing{Config: []byte(config)}, notice(f))
	if payment.CodeOf(err) != payment.CodeUnauthorized {
		t.Errorf("a notice of order A says that %q is paid: %+v, %v", r.Reference, r, err)
	}
}

// Every published code has a text; what is not published decides nothing.
func TestCodes(t *testing.T) {
	published := []int64{
		0, 10, 11, 12, 13, 20, 21, 22, 40, 41, 42, 43, 45, 47, 98, 99, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1017, 1026,
		1080, 1081, 1088, 2019, 4001, 4002, 4100, 7000, 7002, 8000, 9000,
	}
	if len(published) != 36+1 || len(momo.Codes()) != len(published) {
		t.Errorf("%d codes published, %d in the table", len(published), len(momo.Codes()))
	}
	for _, code := range published {
		outcome, text := momo.Mean(code)
		if text == "" || strings.HasPrefix(text, "a code that MoMo has not") {
			t.Errorf("code %d has no text", code)
		}
		if (outcome == card.Done) != (code == 0 || code == 9000) {
			t.Errorf("code %d is %s", code, outcome)
		}
	}
	if outcome, text := momo.Mean(31337); outcome != card.Unknown || text == "" {
		t.Errorf("an unpublished code: %s %q", outcome, text)
	}
}

func TestWalletLimits(t *testing.T) {
	for amount, ok := range map[money.VND]bool{999: false, 1_000: true, 50_000_000: true, 50_000_001: false} {
		asked := false
		d := card.Dealing{Config: []byte(config), HTTP: doer(func(*http.Request) (int, string) { asked = true; return 200, `{"resultCode":22}` })}
		_, err := momo.Connector{}.Create(t.Context(), d, card.Order{Attempt: payment.Attempt{Reference: "A", Method: payment.MoMo, Amount: amount}})
		if err == nil || errors.Is(err, card.ErrUncertain) || asked != ok {
			t.Errorf("%d: asked %v, %v", amount, asked, err)
		}
	}
}

func FuzzNotice(f *testing.F) {
	for _, body := range cardtest.Seeds(f, "message") {
		f.Add(body)
	}
	c := acquirerCase()
	f.Fuzz(func(t *testing.T, body string) {
		for _, m := range []card.Message{{Method: http.MethodPost, Body: []byte(body)}, {Method: http.MethodGet, Query: body}} {
			// The golden messages are signed with the keys of config; here the
			// keys are others.
			for _, problem := range railtest.HostileProblems(c, []byte(strings.ReplaceAll(config, secretKey, "another key")), m) {
				t.Error(problem)
			}
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, body := range cardtest.Seeds(f, "reply") {
		f.Add(200, body)
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
		if err := (momo.Connector{}).CheckConfig([]byte(text)); err != nil && payment.CodeOf(err) != payment.CodeInvalidRequest {
			t.Errorf("code %s", payment.CodeOf(err))
		}
	})
}
