package onepay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

const (
	testMerchant = "TESTSHOP"
	testAccess   = "ACC0DE01"
	testHash     = "00112233445566778899AABBCCDDEEFF"
	testUser     = "op-query"
	testPassword = "op-query-password"
)

// imitation plays OnePay: the page that the payer comes to, and queryDR.
type imitation struct {
	mu         sync.Mutex
	complaints []string
	orders     map[string]*order
}

type order struct {
	fields   map[string]string // as the payer brought them
	number   int
	decision railtest.Decision
}

func newImitation(string) railtest.Imitation { return &imitation{orders: map[string]*order{}} }

func sign(fields map[string]string) string {
	var text string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if (strings.HasPrefix(name, "vpc_") || strings.HasPrefix(name, "user_")) && name != "vpc_SecureHash" && fields[name] != "" {
			text += "&" + name + "=" + fields[name]
		}
	}
	key, _ := hex.DecodeString(testHash)
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.TrimPrefix(text, "&")))
	return fmt.Sprintf("%X", h.Sum(nil))
}

func (o *imitation) complain(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	o.complaints = append(o.complaints, err.Error())
	return err
}

func (o *imitation) Complaints() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.complaints)
}

// checked reads a query or form whose every parameter is there once, signed.
func (o *imitation) checked(text string) (map[string]string, error) {
	q, err := url.ParseQuery(text)
	if err != nil {
		return nil, o.complain("%v", err)
	}
	fields := map[string]string{}
	for name, values := range q {
		if len(values) != 1 || values[0] == "" {
			return nil, o.complain("%s is %q", name, values)
		}
		fields[name] = values[0]
	}
	if fields["vpc_SecureHash"] != sign(fields) {
		return nil, o.complain("wrong signature on %s", text)
	}
	if fields["vpc_Merchant"] != testMerchant || fields["vpc_AccessCode"] != testAccess || fields["vpc_Version"] != "2" {
		return nil, o.complain("%s", text)
	}
	return fields, nil
}

func (o *imitation) Arrive(h payment.Handoff) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	page, query, _ := strings.Cut(h.URL, "?")
	if h.Fields != nil || !strings.HasSuffix(page, "/paygate/vpcpay.op") {
		return o.complain("OnePay's page is opened as %q", h.URL)
	}
	f, err := o.checked(query)
	if err != nil {
		return err
	}
	for _, name := range []string{"Title", "AgainLink", "vpc_MerchTxnRef", "vpc_OrderInfo", "vpc_ReturnURL", "vpc_CallbackURL", "vpc_TicketNo", "vpc_Amount"} {
		if f[name] == "" {
			return o.complain("no %s", name)
		}
	}
	amount, err := strconv.ParseInt(f["vpc_Amount"], 10, 64)
	switch {
	case err != nil || amount <= 0 || amount%100 != 0 || len(f["vpc_Amount"]) > 12:
		return o.complain("the amount is %s", f["vpc_Amount"])
	case f["vpc_Command"] != "pay" || f["vpc_Currency"] != "VND" || f["vpc_Locale"] != "vn" && f["vpc_Locale"] != "en":
		return o.complain("%v", f)
	case len(f["vpc_MerchTxnRef"]) > 40 || len(f["vpc_OrderInfo"]) > 34 || strings.ContainsAny(f["vpc_OrderInfo"]+f["vpc_MerchTxnRef"], "&=%<>\"'"):
		return o.complain("%v", f)
	case !slices.Contains([]string{"DOMESTIC", "INTERNATIONAL"}, f["vpc_CardList"]):
		return o.complain("vpc_CardList is %q", f["vpc_CardList"])
	case o.orders[f["vpc_MerchTxnRef"]] != nil:
		return o.complain("the order %s a second time", f["vpc_MerchTxnRef"])
	}
	o.orders[f["vpc_MerchTxnRef"]] = &order{fields: f, number: 1617996 + len(o.orders), decision: railtest.Decision{Verdict: railtest.Waiting}}
	return nil
}

func (o *imitation) Decide(reference string, d railtest.Decision) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.orders[reference].decision = d
}

var codes = map[railtest.Verdict]string{railtest.Waiting: "100", railtest.Paid: "0", railtest.Declined: "21", railtest.Odd: "?"}

func (o *order) told() map[string]string {
	amount, merchant := o.fields["vpc_Amount"], testMerchant
	if o.decision.Amount != 0 {
		amount = (o.decision.Amount * 100).String()
	}
	if o.decision.Merchant != "" {
		merchant = o.decision.Merchant
	}
	return map[string]string{
		"vpc_Version": "2", "vpc_Command": "pay", "vpc_Merchant": merchant, "vpc_MerchTxnRef": o.fields["vpc_MerchTxnRef"], "vpc_OrderInfo": o.fields["vpc_OrderInfo"],
		"vpc_Amount": amount, "vpc_CurrencyCode": "VND", "vpc_Locale": o.fields["vpc_Locale"], "vpc_TransactionNo": strconv.Itoa(o.number),
		"vpc_TxnResponseCode": codes[o.decision.Verdict], "vpc_Message": "Giao dịch = 1, & hơn", "vpc_PayChannel": "WEB",
	}
}

func form(fields map[string]string) string {
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	values.Set("vpc_SecureHash", sign(fields))
	return values.Encode()
}

// Notice is a form for declined payments and a query for others: both occur.
func (o *imitation) Notice(reference string) (card.Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	it := o.orders[reference]
	if it.decision.Verdict == railtest.Waiting {
		return card.Message{}, false
	}
	if it.decision.Verdict == railtest.Declined {
		return card.Message{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(form(it.told()))}, true
	}
	return card.Message{Method: http.MethodGet, Header: http.Header{}, Query: form(it.told())}, true
}

func (o *imitation) Return(reference string) (card.Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return card.Message{Method: http.MethodGet, Header: http.Header{}, Query: form(o.orders[reference].told())}, true
}

// ServeHTTP is queryDR.
func (o *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || r.URL.Path != "/msp/api/v1/vpc/invoices/queries" || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		_ = o.complain("%s %s of %s", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	f, err := o.checked(string(body))
	if err != nil || f["vpc_User"] != testUser || f["vpc_Password"] != testPassword || f["vpc_Command"] != "queryDR" {
		_ = o.complain("queryDR of %s", body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	told := map[string]string{"vpc_Merchant": testMerchant, "vpc_MerchTxnRef": f["vpc_MerchTxnRef"], "vpc_DRExists": "N"}
	if it := o.orders[f["vpc_MerchTxnRef"]]; it != nil {
		told = it.told()
		told["vpc_DRExists"] = "Y"
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, form(told))
}
