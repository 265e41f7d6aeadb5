package vnpay

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// The sample order of VNPAY's documents, with a secret of our own. Another
// connector (npm vnpay 2.5.0) and Python's hmac give the same signature.
func TestOrderVector(t *testing.T) {
	c := config{HashSecret: "TESTSECRET0123456789ABCDEFGHIJKL"}
	got := c.query(map[string]string{
		"vnp_Amount": "1806000", "vnp_Command": "pay", "vnp_CreateDate": "20210801153333", "vnp_CurrCode": "VND", "vnp_IpAddr": "127.0.0.1", "vnp_Locale": "vn",
		"vnp_OrderInfo": "Thanh toan don hang :5", "vnp_OrderType": "other", "vnp_ReturnUrl": "https://domainmerchant.vn/ReturnUrl", "vnp_TmnCode": "DEMO0001",
		"vnp_TxnRef": "5", "vnp_Version": "2.1.0", "vnp_BankCode": "", // what is empty is neither sent nor signed
	})
	want := "vnp_Amount=1806000&vnp_Command=pay&vnp_CreateDate=20210801153333&vnp_CurrCode=VND&vnp_IpAddr=127.0.0.1&vnp_Locale=vn" +
		"&vnp_OrderInfo=Thanh+toan+don+hang+%3A5&vnp_OrderType=other&vnp_ReturnUrl=https%3A%2F%2Fdomainmerchant.vn%2FReturnUrl&vnp_TmnCode=DEMO0001&vnp_TxnRef=5" +
		"&vnp_Version=2.1.0&vnp_SecureHash=d76c6be9157738423c394973570a2c3bd588b7bd29d5152d1f0f669d19b67cc190a2bff3c05fc59cd66b8cfe7726a4c0a99467fdaf9d89f3a1cce23f53da753d"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// The published IPN of lehuygiang28/vnpay, test/__helpers__/test-fixtures.ts.
func TestNoticeVector(t *testing.T) {
	fields := url.Values{
		"vnp_Amount": {"1000000"}, "vnp_BankCode": {"NCB"}, "vnp_BankTranNo": {"VNP14422574"}, "vnp_CardType": {"ATM"},
		"vnp_OrderInfo": {"Thanh toan don hang 2024-05-21T02:17:31.249Z"}, "vnp_PayDate": {"20240521091806"}, "vnp_ResponseCode": {"00"}, "vnp_TmnCode": {"TEST_TMN_CODE"},
		"vnp_TransactionNo": {"14422574"}, "vnp_TransactionStatus": {"00"}, "vnp_TxnRef": {"1716257871703"},
		"vnp_SecureHash": {"649982421beb422556a1374713c74e58e716ecbd05007c0c0e1f7effdfaf361dbf146889ca446139afe11b9954c4d5c486e99e3b86fcfab6957f29eb0be72895"},
	}
	d := card.Dealing{Config: []byte(`{"environment": "sandbox", "tmn_code": "TEST_TMN_CODE", "hash_secret": "test_secret"}`)}
	want := card.Report{
		Outcome: card.Done, Reference: "1716257871703", ExternalID: "14422574", Amount: 10000, Merchant: "TEST_TMN_CODE", Code: "00", Text: "paid",
		At: time.Date(2024, 5, 21, 2, 18, 6, 0, time.UTC),
	}
	for _, query := range []string{
		fields.Encode(),
		"lang=vn&" + fields.Encode() + "&vnp_SecureHashType=HMACSHA512&utm=x%zz",
	} {
		got, err := (Connector{}).VerifyNotify(d, card.Message{Method: http.MethodGet, Query: query})
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	// As another encoder may write it: the same words, not the same pairs.
	other := strings.ReplaceAll(fields.Encode(), "+", "%20")
	if _, err := (Connector{}).VerifyNotify(d, card.Message{Method: http.MethodGet, Query: other}); payment.CodeOf(err) != payment.CodeUnauthorized {
		t.Errorf("pairs that were not signed: %v", err)
	}
}

// A secret that signs pairs as they came also signs what Go would not write so.
func TestRawPairs(t *testing.T) {
	c := config{HashSecret: "0123456789"}
	text := "vnp_Amount=100&vnp_OrderInfo=a~b*c%20d%2f"
	fields, err := c.open(text + "&vnp_SecureHash=" + c.sign(text))
	if err != nil || fields["vnp_OrderInfo"] != "a~b*c d/" {
		t.Errorf("%q, %v", fields, err)
	}
}
