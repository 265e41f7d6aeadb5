package appotapay

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// The published accounts of the vendor's sandboxes (source 2 and 3). They are
// fixtures; nothing is ever sent there.
const (
	posPartner  = "TESTPOS"
	posKey      = "Iux2JV4x1Sh0Z3s3La1XTU75N3vPDhuY"
	posSecret   = "uHIlkPbx1ZB7AtgSYEuiqcMWTC2DfXyL"
	demoSecret  = "DcR6S0pkz7K6HMqTzf1a5suBJk2WoMhJ"
	vendorToken = `{"typ":"JWT","alg":"HS256","cty":"appotapay-api;v=1"}`
)

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Two tokens whose third segments are known: one that stands in a public
// client, one that was worked out apart from this code.
func TestTokenVectors(t *testing.T) {
	for name, c := range map[string]struct{ claims, mac, secret, issuer, key string }{
		"published": {`{"iss":"TEST","api_key":"oMhJpkz7K6HDcR6S","exp":1614346583}`, "h4ffsl8j9eMMdTkK0D493qXhkol9FQaJg3kXXqs6Wds", demoSecret, "TEST", "oMhJpkz7K6HDcR6S"},
		"POS": {`{"iss":"TESTPOS","jti":"` + posKey + `-1767225600","api_key":"` + posKey + `","exp":4102444800}`,
			"bgotEWLopKsw7dbYnc1Z-W-5uJ-ORrXt8hrmCqNUS_c", posSecret, posPartner, posKey},
	} {
		tok, err := parseToken(segment(vendorToken) + "." + segment(c.claims) + "." + c.mac)
		if err != nil || tok.issuer != c.issuer || tok.apiKey != c.key || !tok.signedWith(c.secret) || tok.signedWith(c.secret+" ") {
			t.Errorf("%s: %+v, %v", name, tok, err)
		}
	}
}

// Signatures of two prints of one object (A4), as the vendor's scheme makes
// them.
func TestSignatureVectors(t *testing.T) {
	one := `{"partner_ref_id":"T-0001_abc","order_info":"Ca phe","terminal_id":"TID-01JQ3Q9PCK0AB8","payment_method":"QR","amount":10000}`
	two := "{\n  \"partner_ref_id\": \"T-0001_abc\",\n  \"order_info\": \"Ca phe\",\n  \"terminal_id\": \"TID-01JQ3Q9PCK0AB8\",\n  \"payment_method\": \"QR\",\n  \"amount\": 10000\n}"
	for body, want := range map[string]string{
		one: "f35c5176abe304bd4526828130fdad8fa9ea8367a532658829f39072866f27cc",
		two: "8b47319443615b9db2a9f911642365c935a5d101ff2632bb36f7e72428f623d9",
	} {
		if !bodySigned(posSecret, want, []byte(body)) || bodySigned(posSecret, want, []byte(body+" ")) {
			t.Errorf("%s", body)
		}
		if r, err := decodeCreate([]byte(body)); err != nil || r.reference != "T-0001_abc" || r.amount != 10_000 || r.method != payment.BankTransfer {
			t.Errorf("%+v, %v", r, err)
		}
	}
	// A digest that another of the vendor's products recorded: same key rule, same encoding.
	redirect := "amount=50000&apiKey=oMhJpkz7K6HDcR6S&appotapayTransId=AP200910016654B&bankCode=SHB&currency=VND&errorCode=0&extraData=test test&message=Thành công" +
		"&orderId=5f61d06311019&partnerCode=TEST&paymentMethod=ATM&paymentType=WEB&transactionTs=1600246241"
	if !bodySigned(demoSecret, "9487dd169d2178b249d1503d2f2d7f01d1210517f6ae3a2703760cb218c838f3", []byte(redirect)) {
		t.Error("the recorded digest does not match")
	}
}

// The published QR code has the shape that ours has.
func TestPublishedQRCode(t *testing.T) {
	published := "00020101021238630010A000000727013300069704320119MQQ0759866wrYqzPLw70208QRIBFTTA5204549953037045405120005802VN5916QRPAYMENT UAT 216011HO CHI MINH62430109wrYqzPLw70708Q07598660814AP26146183702063042A9D"
	theirs, _, err := vietqr.DecodeVerified(published)
	if err != nil {
		t.Fatal(err)
	}
	p := payment.Payment{ID: "019bf38e-f67a-7184-8342-1295041af7b4", Amount: 12_000}
	p.Transfer = payment.Transfer{AccountID: "x", BIN: theirs.BIN, Number: theirs.Account, Code: payment.MemoMatch(theirs.Memo)}
	ours, err := qrText(p, "QRPayment UAT 21", payment.Terminal{City: "HO CHI MINH", Label: theirs.Terminal})
	if err != nil {
		t.Fatal(err)
	}
	bill := billNumber(p.ID)
	if !regexp.MustCompile(`^[0-9A-Za-z]{9}$`).MatchString(bill) {
		t.Errorf("bill number %q", bill)
	}
	if same := strings.Replace(ours, "0109"+bill, "0109"+theirs.BillNumber, 1); same[:len(same)-4] != published[:len(published)-4] {
		t.Errorf("\n%s\n%s", same, published)
	}
}

func TestShopName(t *testing.T) {
	for name, want := range map[string]string{
		"Quán Phở Bà Đào": "QUAN PHO BA DAO", "": "THUNGAN", "店": "THUNGAN", "  a\tb ": "A B",
		"Công ty Trách nhiệm hữu hạn Một thành viên": "CONG TY TRACH NHIEM HUU H",
	} {
		if got := shopName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// What a partner does with an IPN: check the signature over data, decode, read.
func TestNotice(t *testing.T) {
	at := time.Date(2026, 1, 26, 9, 24, 53, 0, time.UTC)
	p := payment.Payment{
		ID: "019bf38e-f67a-7184-8342-1295041af7b4", Reference: "A-1", Amount: 12_000, State: payment.Approved, Method: payment.BankTransfer,
		Methods: []payment.Method{payment.BankTransfer}, Description: "Bàn 4 </b> & \"x\"", CreatedAt: at, CompletedAt: at, Language: "vi",
	}
	r, err := Dialect{}.Notice(dialect.Notice{Payment: p, Secret: posSecret, Event: payment.Event{At: at, To: payment.Approved}})
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(r.Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Signature != hex.EncodeToString(digest(posSecret, []byte(e.Data))) || r.Headers["Content-Type"] != "application/json" || len(r.Headers) != 1 {
		t.Errorf("%s %v", r.Body, r.Headers)
	}
	data, err := base64.StdEncoding.DecodeString(e.Data)
	if err != nil || len(e.Data)%4 != 0 {
		t.Fatal(err)
	}
	want := `{"transaction":{"transaction_id":"01KFSRXXKTE6286GGJJM21NXXM","order_id":"612996437504362183","partner_ref_id":"A-1","order_info":"Bàn 4 </b> & \"x\"",` +
		`"status":"success","amount":12000,"bank_code":"APPOTA","bank_type":"EWALLET","payment_method":"QR","created_at":"2026-01-26T16:24:53","paid_at":"2026-01-26T16:24:53"},` +
		`"version":"1.0","time":"2026-01-26T16:24:53"}`
	order := regexp.MustCompile(`"order_id":"[0-9]{18}"`)
	if got := order.ReplaceAllString(string(data), ""); got != order.ReplaceAllString(want, "") {
		t.Errorf("\n%s\n%s", data, want)
	}
}

// A22.
func TestAccepted(t *testing.T) {
	for body, want := range map[string]bool{
		`{"status":"ok"}`: true, " {\"status\" : \"ok\", \"x\":[1]}\n": true, `{"status":"OK"}`: true, `{"status":"error"}`: false, `ok`: false, ``: false, `{}`: false,
		`{"status":1}`: false, `[]`: false, `null`: false, `"ok"`: false, `{"status":"ok"`: false,
	} {
		if got := (Dialect{}).Accepted(200, []byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	for _, status := range []int{201, 204, 302, 400, 500} {
		if (Dialect{}).Accepted(status, []byte(`{"status":"ok"}`)) {
			t.Errorf("%d counts as taken", status)
		}
	}
	var waits []time.Duration
	for tries := 1; ; tries++ {
		wait, more := Dialect{}.Retry(tries)
		if !more {
			break
		}
		waits = append(waits, wait)
	}
	if len(waits) != 3 || waits[0] != 5*time.Minute || waits[2] != 5*time.Minute {
		t.Errorf("%v", waits)
	}
}

func FuzzToken(f *testing.F) {
	f.Add(segment(vendorToken) + "." + segment(`{"iss":"TESTPOS","api_key":"k","exp":4102444800}`) + ".bgot+/==")
	f.Add("Bearer a.b.c")
	f.Add("..")
	f.Add(segment(`{"alg":"HS256","ALG":"none"}`) + "." + segment(`{"iss":"x","exp":1e99,"api_key":"\u0000"}`) + ".AA")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := parseToken(text)
		if err != nil {
			return
		}
		if tok.issuer == "" || tok.apiKey == "" || !strings.Contains(text, tok.signed) || !tok.expires.After(time.Unix(-1, 0)) || tok.signedWith("a secret that nobody has") {
			t.Errorf("%q is taken as %+v", text, tok)
		}
	})
}

func FuzzCreate(f *testing.F) {
	f.Add([]byte(`{"partner_ref_id":"T-0001_abc","order_info":"Ca phe","terminal_id":"TID-01JQ3Q9PCK0AB8","payment_method":"QR","amount":10000}`))
	f.Add([]byte(`{"partner_ref_id":"a","order_info":"\ud800","terminal_id":"t","payment_method":"POS","amount":1e4,"customer_phone_number":null}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeCreate(body)
		if err != nil {
			if i, ok := err.(invalid); !ok || messages[i.code].vi == "" || i.why.vi == "" || i.why.en == "" {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		for _, s := range []string{r.reference, r.orderInfo, r.terminal, r.phone} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || utf8.RuneCountInString(s) > maxOrderInfo {
				t.Errorf("%q was let in", s)
			}
		}
		if r.amount < minAmount || !referenceForm.MatchString(r.reference) || r.method == "" {
			t.Errorf("%q is taken as %+v", body, r)
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add("page=1&limit=25&payment_method=POS")
	f.Add("page=%31&limit=1&limit=2")
	f.Fuzz(func(t *testing.T, query string) {
		r, err := decodeList(query)
		if err == nil && (r.page < 1 || r.limit < 1 || r.limit > maxLimit) {
			t.Errorf("%q is taken as %+v", query, r)
		}
		_, _ = url.ParseQuery(query)
	})
}
