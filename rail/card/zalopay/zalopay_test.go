package zalopay_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/cardtest"
	"github.com/thungan/thungan/rail/card/zalopay"
	"github.com/thungan/thungan/rail/railtest"
)

const config = `{"environment": "sandbox", "app_id": "` + appID + `", "key1": "` + key1 + `", "key2": "` + key2 + `"}`

func acquirerCase() railtest.AcquirerCase {
	ack := func(body string) card.Answer {
		return card.Answer{Status: 200, ContentType: "application/json; charset=utf-8", Body: []byte(body)}
	}
	return railtest.AcquirerCase{
		Connector: zalopay.Connector{},
		Config: func(base string) []byte {
			b, _ := json.Marshal(map[string]string{"environment": "sandbox", "app_id": appID, "key1": key1, "key2": key2, "base_url": base})
			return b
		},
		Optional: []string{"base_url"}, Secrets: []string{key1, key2},
		New:          newImitation,
		MaxReference: 40, ReferenceChars: "0123456789abcdefghijklmnopqrstuv_",
		Acks: []railtest.Ack{
			{Want: ack(`{"return_code":1,"return_message":"success"}`)}, {Told: true, Want: ack(`{"return_code":2,"return_message":"duplicate"}`)},
			{Code: payment.CodeUnauthorized, Want: ack(`{"return_code":-1,"return_message":"mac not equal"}`)},
			{Code: payment.CodeInvalidRequest, Want: ack(`{"return_code":-1,"return_message":"invalid data"}`)},
			{Code: payment.CodePaymentNotFound, Want: ack(`{"return_code":-1,"return_message":"order not found"}`)},
			{Code: payment.CodeInvalidAmount, Want: ack(`{"return_code":-1,"return_message":"amount not equal"}`)},
			{Code: payment.CodeConflict, Want: ack(`{"return_code":-1,"return_message":"conflict"}`)},
			{Code: payment.CodeInternal, Want: ack(`{"return_code":0,"return_message":"please call again"}`)},
			{Code: payment.CodeBusy, Want: ack(`{"return_code":0,"return_message":"please call again"}`)},
		},
		UnsignedAnswers: true,
	}
}

func TestAcquirer(t *testing.T) { railtest.Acquirer(t, acquirerCase()) }

var setup = cardtest.Setup{
	Connector: zalopay.Connector{}, Config: config, Now: time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC),
	Order: card.Order{
		Attempt: payment.Attempt{
			ID: "01997b9c-8f00-7000-8000-0123456789ab", Reference: "260305_06cnn74f01o0100004hkaps9lc", Method: payment.ZaloPay, Amount: 50_000, ExternalID: "260305000000389",
			Handoff:   payment.Handoff{URL: "https://qcgateway.zalopay.vn/openinapp?order=x"},
			CreatedAt: time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC), ExpiresAt: time.Date(2026, 3, 4, 17, 36, 7, 0, time.UTC),
		},
		Description: "Thanh toán đơn hàng 5", Language: "vi", Merchant: "Cửa hàng Lê", PayerIP: "203.0.113.7",
	},
	Refund: card.Refund{Refund: payment.Refund{ID: "01997ba0-0000-7000-8000-00000000f00d", Reference: "RF-1", Amount: 20_000, CreatedAt: time.Date(2026, 3, 4, 17, 0, 0, 0, time.UTC)}},
}

func TestGolden(t *testing.T) {
	if got := setup.Connector.Reference(setup.Order.Attempt); got != setup.Order.Attempt.Reference {
		t.Errorf("reference %s", got)
	}
	cardtest.Golden(t, setup)
}

// The day of an id is Vietnam's, whatever zone the time is kept in.
func TestReferenceDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1_700_000_000, 2_000_000_000).Draw(t, "at"), 0)
		want := at.UTC().Add(7 * time.Hour).Format("060102")
		if got := (zalopay.Connector{}).Reference(payment.Attempt{ID: "x", CreatedAt: at.UTC()}); !strings.HasPrefix(got, want+"_") || len(got) != 33 {
			t.Fatalf("%s of %s", got, at.UTC())
		}
	})
}

// A callback's data is signed; what stands beside it is not, and nothing there
// is believed.
func TestBesideData(t *testing.T) {
	const data = `{"app_id":2553,"app_trans_id":"a","amount":1000,"zp_trans_id":7,"server_time":1772644123456}`
	d := card.Dealing{Config: []byte(config)}
	want, err := zalopay.Connector{}.VerifyNotify(d, callback(data))
	if err != nil || want.Amount != 1000 {
		t.Fatal(want, err)
	}
	m := callback(data)
	m.Body = []byte(strings.Replace(string(m.Body), `"type":1`, `"type":2,"amount":9,"app_trans_id":"b"`, 1))
	if got, err := (zalopay.Connector{}).VerifyNotify(d, m); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCodesHaveTexts(t *testing.T) {
	orders, refunds := zalopay.Tables()
	for _, code := range []int64{-2, -32, -33, -34, -35, -43, -49, -53, -54, -63, -68, -88, -92, -101, -135, -217, -301, -322, -329, -332, -333, -401, -402, -403, -405, -429, -500, -999,
		-1330, -1331, -1332, -1333, -1340, -1341, -1342, -1343} {
		if orders[code] == "" {
			t.Errorf("no text for the code %d of an order", code)
		}
		delete(orders, code)
	}
	for code := int64(0); code >= -32; code-- {
		if code != -7 && refunds[code] == "" { // -7 is not published
			t.Errorf("no text for the code %d of a refund", code)
		}
		delete(refunds, code)
	}
	for _, code := range []int64{-53, -54, -63, -101, -401, -402, -403, -405, -429, -500, -999} {
		if refunds[code] == "" {
			t.Errorf("no text for the code %d of a refund", code)
		}
		delete(refunds, code)
	}
	if len(orders)+len(refunds) > 0 {
		t.Errorf("codes that this test does not know: %v %v", orders, refunds)
	}
}

func FuzzNotice(f *testing.F) {
	for _, body := range cardtest.Seeds(f, "message") {
		f.Add(body)
	}
	c := acquirerCase()
	f.Fuzz(func(t *testing.T, body string) {
		for _, m := range []card.Message{{Method: http.MethodPost, Body: []byte(body)}, {Method: http.MethodGet, Query: body}} {
			// The golden messages are signed with key2 of config; here it is another.
			for _, problem := range railtest.HostileProblems(c, []byte(strings.ReplaceAll(config, key2, "another key")), m) {
				t.Error(problem)
			}
		}
	})
}

// FuzzData fuzzes what stands in an authentic callback.
func FuzzData(f *testing.F) {
	f.Add(`{"app_id":2553,"app_trans_id":"a","amount":1000,"zp_trans_id":7,"server_time":1772644123456}`)
	f.Fuzz(func(t *testing.T, data string) {
		r, err := zalopay.Connector{}.VerifyNotify(card.Dealing{Config: []byte(config)}, callback(data))
		switch code := payment.CodeOf(err); {
		case err == nil && (r.Outcome != card.Done || r.Reference == "" || r.ExternalID == "" || r.Amount <= 0 || len(r.Reference) > 512):
			t.Errorf("%+v", r)
		case err != nil && code != payment.CodeInvalidRequest && code != payment.CodeUnauthorized:
			t.Errorf("code %s", code)
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
		if err := (zalopay.Connector{}).CheckConfig([]byte(text)); err != nil && payment.CodeOf(err) != payment.CodeInvalidRequest {
			t.Errorf("code %s", payment.CodeOf(err))
		}
	})
}
