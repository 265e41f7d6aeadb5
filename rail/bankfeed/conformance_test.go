package bankfeed_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/rail"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/rail/railtest"
)

const testKey = "a-key-of-the-tests-0123456789"

var noon = time.Date(2026, 3, 4, 5, 6, 37, 0, time.UTC)

func mac(newHash func() hash.Hash, text string) string {
	m := hmac.New(newHash, []byte(testKey))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

const (
	sepayBody = `{"id":92704,"gateway":"Vietcombank","transactionDate":"2026-03-04 12:06:30","accountNumber":"0123499999","subAccount":null,"code":null,"content":"TG7K2M9QXA","transferType":"in","transferAmount":2277000,"accumulated":1,"referenceCode":"MBVCB.3278907687"}`
	hubBody   = `{"transaction_id":"t-1","transaction_date":"2026-03-04 12:06:30","account_number":"1","va":"2","content":"TG7K2M9QXA","transfer_type":"credit","amount":150000,"reference_code":"FT1"}`
	casso1    = `{"error":0,"data":[{"id":1,"tid":"TF1","description":"DH35","amount":200500,"cusum_balance":1,"when":"2026-03-04","subAccId":"1"}]}`
	// Compact and sorted, so that the text is its own canonical form.
	casso2      = `{"data":{"accountNumber":"88888888","amount":193000,"description":"TG7K2M9QXA","id":5789,"reference":"FT1","transactionDateTime":"2026-03-04 12:06:30"},"error":0}`
	payosData   = `{"accountNumber":"0123499999","amount":250000,"description":"TG7K2M9QXA","orderCode":87,"reference":"FT1","transactionDateTime":"2026-03-04 12:06:30"}`
	payosSigned = `accountNumber=0123499999&amount=250000&description=TG7K2M9QXA&orderCode=87&reference=FT1&transactionDateTime=2026-03-04 12:06:30`
	genericBody = `{"id":"T-1","account":"1","amount":250000,"direction":"in","memo":"TG7K2M9QXA","occurred_at":"2026-03-04T12:06:30+07:00"}`
)

func suites() map[string]railtest.Suite {
	unix := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	return map[string]railtest.Suite{
		"sepay apikey": {
			Notifier: bankfeed.SePay{}, Secret: testKey, Bodies: []string{sepayBody, hubBody},
			Sign: func(body []byte, _ time.Time) rail.Message {
				return rail.Message{Header: header("Authorization", "Apikey "+testKey), Body: body}
			},
		},
		"sepay hmac": {
			Notifier: bankfeed.SePay{}, Secret: `{"mode":"hmac","key":"` + testKey + `"}`, Bodies: []string{sepayBody, hubBody}, Timed: true, Signed: true,
			Sign: func(body []byte, at time.Time) rail.Message {
				return rail.Message{Body: body, Header: header("X-SePay-Timestamp", unix(at), "X-SePay-Signature", "sha256="+mac(sha256.New, unix(at)+"."+string(body)))}
			},
		},
		"casso v1": {
			Notifier: bankfeed.Casso{}, Secret: testKey, Bodies: []string{casso1},
			Sign: func(body []byte, _ time.Time) rail.Message {
				return rail.Message{Header: header("Secure-Token", testKey), Body: body}
			},
		},
		"casso v2": {
			Notifier: bankfeed.Casso{}, Secret: testKey, Bodies: []string{casso2}, Timed: true, Signed: true,
			Sign: func(body []byte, at time.Time) rail.Message {
				ms := strconv.FormatInt(at.UnixMilli(), 10)
				return rail.Message{Body: body, Header: header("X-Casso-Signature", "t="+ms+",v1="+mac(sha512.New, ms+"."+string(body)))}
			},
		},
		"payos": {
			Notifier: bankfeed.PayOS{}, Secret: testKey, Signed: true,
			Bodies: []string{`{"code":"00","data":` + payosData + `,"signature":"` + mac(sha256.New, payosSigned) + `"}`},
			Sign:   func(body []byte, _ time.Time) rail.Message { return rail.Message{Header: http.Header{}, Body: body} },
		},
		"generic": {
			Notifier: bankfeed.Generic{}, Secret: testKey, Timed: true, Signed: true,
			Bodies: []string{genericBody, `{"transactions":[` + genericBody + `]}`},
			Sign: func(body []byte, at time.Time) rail.Message {
				return rail.Message{Header: header(bankfeed.SignatureHeader, bankfeed.Sign(testKey, at, body)), Body: body}
			},
		},
	}
}

func TestConformance(t *testing.T) {
	for name, s := range suites() {
		t.Run(name, func(t *testing.T) {
			s.Now = noon
			railtest.Run(t, s)
		})
	}
}

// Sign is what another HMAC over the documented text gives.
func TestSignIsAsDocumented(t *testing.T) {
	body := `{"id":"1"}`
	want := fmt.Sprintf("t=%d,v1=%s", noon.Unix(), mac(sha256.New, fmt.Sprintf("%d.%s", noon.Unix(), body)))
	if got := bankfeed.Sign(testKey, noon, []byte(body)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, body := range append([]string{sepayBody, hubBody, casso1, casso2, genericBody, `{"data":` + payosData + `}`}, railtest.Hostile...) {
		if len(body) < 1000 {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, s := range suites() {
			for _, problem := range railtest.Problems(s.Notifier, body) {
				t.Errorf("%s: %s", name, problem)
			}
		}
	})
}

// Nobody who does not know the key is believed, whatever is sent.
func FuzzVerify(f *testing.F) {
	f.Add("Apikey x", "1772600797", "t=1772600797,v1=00", []byte(sepayBody))
	f.Add("", "", "t=1772600797000,v1="+strings.Repeat("0", 128), []byte(casso2))
	f.Add("", "", "sha256="+strings.Repeat("0", 64), []byte(`{"data":`+payosData+`,"signature":"00"}`))
	f.Fuzz(func(t *testing.T, authorization, timestamp, signature string, body []byte) {
		h := http.Header{
			"Authorization": {authorization}, "Secure-Token": {authorization}, "X-Sepay-Timestamp": {timestamp},
			"X-Sepay-Signature": {signature}, "X-Casso-Signature": {signature}, "X-Thungan-Signature": {signature},
		}
		for name, s := range suites() {
			if s.Notifier.Verify(rail.Message{Header: h, Body: body}, s.Secret, noon) == nil {
				t.Errorf("%s: believed %q %q %q %q", name, authorization, timestamp, signature, body)
			}
		}
	})
}

// The canonical text of Casso and payOS is JSON that says the same.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":1.50,"a":["<&>",null,true,{"z":"\u2028","y":-0}]}`, casso1, casso2} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, ok := bankfeed.Canonical(body)
		if !ok {
			return
		}
		var was, is any
		if err := json.Unmarshal(body, &was); err != nil {
			return // a number that float64 cannot hold
		}
		if err := json.Unmarshal(text, &is); err != nil || fmt.Sprint(was) != fmt.Sprint(is) {
			t.Errorf("%s became %s: %v", body, text, err)
		}
		if again, ok := bankfeed.Canonical(text); !ok || string(again) != string(text) {
			t.Errorf("%s became %s", text, again)
		}
	})
}
