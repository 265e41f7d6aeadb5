package onepay

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/thungan/thungan/rail/card"
)

// demoKey is printed in OnePay's own samples.
const demoKey = "A3EFDFABA8653DF2342E8DAC29B51AF0"

// The two signed samples of nartc/node-vn-payments, test/onepay.test.js; the
// order is from OnePay's page for developers.
func TestOrderVector(t *testing.T) {
	q, err := url.ParseQuery("Title=onepay+paygate&vpc_AccessCode=D67342C2&vpc_Amount=100&vpc_Command=pay&vpc_Currency=VND&vpc_Customer_Email=support%40onepay.vn" +
		"&vpc_Customer_Id=thanhvt&vpc_Customer_Phone=840904280949&vpc_Locale=vn&vpc_MerchTxnRef=2018-01-11T14%3A46%3A11.115Z&vpc_Merchant=ONEPAY" +
		"&vpc_OrderInfo=2018-01-11T14%3A46%3A11.115Z&vpc_ReturnURL=http%3A%2F%2Flocalhost%2F%7Ethanh%2Fnoidia_php%2Fdr.php&vpc_SHIP_City=Ha+Noi" +
		"&vpc_SHIP_Country=Viet+Nam&vpc_SHIP_Provice=Hoan+Kiem&vpc_SHIP_Street01=39A+Ngo+Quyen&vpc_TicketNo=127.0.0.1&vpc_Version=2")
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{"vpc_Empty": "", "vpc_SecureHashType": "SHA256"}
	for name := range q {
		fields[name] = q.Get(name)
	}
	if got := (config{HashCode: demoKey}).sign(fields); got != "DDC85640D5B2D72AC46A16FBCD3E0DF7B4E05DB1818E2A0A423C2A31FAFF39E4" {
		t.Error(got)
	}
}

func TestReturnVector(t *testing.T) {
	fields := url.Values{
		"vpc_AdditionData": {"970436"}, "vpc_Amount": {"90000000"}, "vpc_Command": {"pay"}, "vpc_CurrencyCode": {"VND"}, "vpc_Locale": {"vn"},
		"vpc_MerchTxnRef": {"node-2018-01-15T10:19:55.541Z"}, "vpc_Merchant": {"ONEPAY"}, "vpc_OrderInfo": {"node-2018-01-15T10:19:55.541Z"},
		"vpc_TransactionNo": {"1617996"}, "vpc_TxnResponseCode": {"0"}, "vpc_Version": {"2"},
		"vpc_SecureHash": {"8B720A26C295F225FCF57F9619562341914649C07F9C9FD359A514C2905D67C2"},
	}
	d := card.Dealing{Config: []byte(`{"environment": "sandbox", "merchant_id": "ONEPAY", "access_code": "D67342C2", "hash_code": "` + demoKey + `"}`)}
	want := card.Report{
		Outcome: card.Done, Reference: "node-2018-01-15T10:19:55.541Z", ExternalID: "1617996", Amount: 900000, Currency: "VND", Merchant: "ONEPAY", Code: "0", Text: "paid",
	}
	for _, m := range []card.Message{
		{Method: http.MethodGet, Query: fields.Encode()},
		{Method: http.MethodGet, Query: "x=1&" + fields.Encode() + "&Title=a%26b"},
		{Method: http.MethodPost, Body: []byte(fields.Encode())},
	} {
		got, err := (Connector{}).VerifyReturn(d, m)
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Decision O1: one signed text, two ways to cut it.
func TestAmbiguous(t *testing.T) {
	c := config{HashCode: demoKey, Merchant: "M"}
	signature := c.sign(map[string]string{"vpc_Merchant": "M", "vpc_OrderInfo": "x&vpc_TxnResponseCode=0"})
	if signature != c.sign(map[string]string{"vpc_Merchant": "M", "vpc_OrderInfo": "x", "vpc_TxnResponseCode": "0"}) {
		t.Fatal("there is no ambiguity any more; drop the decision")
	}
	for _, query := range []string{
		"vpc_Merchant=M&vpc_OrderInfo=x%26vpc_TxnResponseCode%3D0&vpc_SecureHash=" + signature,
		"vpc_Merchant=M%26vpc_OrderInfo%3Dx%26vpc_TxnResponseCode%3D0&vpc_SecureHash=" + signature,
	} {
		if fields, err := c.open(query); err == nil {
			t.Errorf("%s is read as %q", query, fields)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, code := range []string{"0", "1", "3", "4", "5", "6", "7", "8", "9", "10", "11", "99", "100", "300"} {
		if w := words[code]; w.text == "" || w.outcome == "" {
			t.Errorf("%s has no row", code)
		}
	}
	for code, w := range words {
		if w.text == "" || (w.outcome == card.Done) != (code == "0") {
			t.Errorf("%s is %+v", code, w)
		}
	}
	for code, want := range map[string]card.Outcome{"0": card.Done, "21": card.Failed, "00": card.Failed, "77": card.Failed, "B": card.Failed, "100": card.Pending, "": card.Unknown, "0 ": card.Unknown, "b": card.Unknown} {
		if w := lookUp(code); w.outcome != want || w.text == "" {
			t.Errorf("%q is %+v, want %s", code, w, want)
		}
	}
}
