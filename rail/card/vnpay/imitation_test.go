package vnpay_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

const (
	testTmn    = "DEMO0001"
	testSecret = "TESTSECRET0123456789ABCDEFGHIJKL"
)

// imitation plays VNPAY: the page that the payer comes to, and the API.
type imitation struct {
	mu         sync.Mutex
	complaints []string
	orders     map[string]*order
	refunds    []*refund
	next       railtest.Verdict
	requests   map[string]bool // request ids seen
	number     int             // of the last transaction
}

type order struct {
	reference, created, info string
	returnURL                string
	amount                   money.VND
	number                   int
	decision                 railtest.Decision
}

type refund struct {
	order   *order
	kind    string
	amount  money.VND
	number  int
	verdict railtest.Verdict
}

func newImitation(string) railtest.Imitation {
	return &imitation{orders: map[string]*order{}, requests: map[string]bool{}, next: railtest.Paid, number: 14422573}
}

func sign(text string) string {
	h := hmac.New(sha512.New, []byte(testSecret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func (v *imitation) complain(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	v.complaints = append(v.complaints, err.Error())
	return err
}

func (v *imitation) Complaints() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.complaints)
}

// allowed says what vnp_ parameters may hold, as the documents of PAY do.
var allowed = map[string]func(string) bool{
	"vnp_Version":    is("2.1.0"),
	"vnp_Command":    is("pay"),
	"vnp_TmnCode":    is(testTmn),
	"vnp_Amount":     digits(1, 12),
	"vnp_CurrCode":   is("VND"),
	"vnp_BankCode":   is("VNBANK", "INTCARD", "VNPAYQR"),
	"vnp_CreateDate": isTime,
	"vnp_ExpireDate": isTime,
	"vnp_IpAddr":     func(s string) bool { return len(s) >= 7 && len(s) <= 45 },
	"vnp_Locale":     is("vn", "en"),
	"vnp_OrderInfo":  func(s string) bool { return s != "" && len(s) <= 255 && plain(s) },
	"vnp_OrderType":  func(s string) bool { return s != "" && len(s) <= 100 && plain(s) },
	"vnp_ReturnUrl":  func(s string) bool { return len(s) >= 10 && len(s) <= 255 },
	"vnp_TxnRef":     func(s string) bool { return s != "" && len(s) <= 100 && plain(s) },
	"vnp_SecureHash": func(s string) bool { return len(s) == 128 },
}

func is(values ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(values, s) }
}

func digits(from, to int) func(string) bool {
	return func(s string) bool {
		return len(s) >= from && len(s) <= to && strings.Trim(s, "0123456789") == "" && s[0] != '0'
	}
}

func isTime(s string) bool {
	_, err := time.Parse("20060102150405", s)
	return err == nil
}

func plain(s string) bool {
	for _, c := range s {
		if c < ' ' || c > '~' || strings.ContainsRune("&=%#?+*~<>\"'\\|;", c) {
			return false
		}
	}
	return true
}

func (v *imitation) Arrive(h payment.Handoff) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	page, query, ok := strings.Cut(h.URL, "?")
	if !ok || h.Fields != nil || !strings.HasSuffix(page, "/vpcpay.html") {
		return v.complain("VNPAY's page is opened as %q", h.URL)
	}
	text, signature, _ := strings.Cut(query, "&vnp_SecureHash=")
	if signature != sign(text) || !slices.IsSorted(strings.Split(text, "&")) {
		return v.complain("wrong signature on %s", query)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return v.complain("%v", err)
	}
	for name, values := range q {
		if check := allowed[name]; check == nil || len(values) != 1 || !check(values[0]) {
			return v.complain("%s is %q", name, values)
		}
	}
	for name := range allowed {
		if name != "vnp_BankCode" && name != "vnp_ExpireDate" && q.Get(name) == "" {
			return v.complain("no %s", name)
		}
	}
	reference := q.Get("vnp_TxnRef")
	if v.orders[reference] != nil {
		return v.complain("the order %s a second time", reference)
	}
	amount, _ := strconv.ParseInt(q.Get("vnp_Amount"), 10, 64)
	v.number++
	v.orders[reference] = &order{
		reference: reference, created: q.Get("vnp_CreateDate"), info: q.Get("vnp_OrderInfo"), returnURL: q.Get("vnp_ReturnUrl"),
		amount: money.VND(amount / 100), number: v.number, decision: railtest.Decision{Verdict: railtest.Waiting},
	}
	return nil
}

func (v *imitation) Decide(reference string, d railtest.Decision) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.orders[reference].decision = d
}

func (o *order) paid() string {
	amount := o.amount
	if o.decision.Amount != 0 {
		amount = o.decision.Amount
	}
	return amount.String() + "00"
}

func (o *order) tmn() string {
	if o.decision.Merchant != "" {
		return o.decision.Merchant
	}
	return testTmn
}

// message is what VNPAY tells of an order by query.
func (v *imitation) message(reference string) (card.Message, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.orders[reference]
	codes := map[railtest.Verdict][2]string{railtest.Paid: {"00", "00"}, railtest.Declined: {"51", "02"}, railtest.Odd: {"42", "42"}}
	code, ok := codes[o.decision.Verdict]
	if !ok {
		return card.Message{}, false
	}
	fields := map[string]string{
		"vnp_TmnCode": o.tmn(), "vnp_Amount": o.paid(), "vnp_BankCode": "NCB", "vnp_CardType": "ATM", "vnp_PayDate": "20260305001000",
		"vnp_OrderInfo": o.info, "vnp_TransactionNo": strconv.Itoa(o.number), "vnp_ResponseCode": code[0], "vnp_TransactionStatus": code[1], "vnp_TxnRef": o.reference,
	}
	if o.decision.Verdict == railtest.Paid {
		fields["vnp_BankTranNo"] = fmt.Sprintf("VNP%d", o.number)
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		pairs = append(pairs, name+"="+url.QueryEscape(fields[name]))
	}
	text := strings.Join(pairs, "&")
	return card.Message{Method: http.MethodGet, Header: http.Header{}, Query: text + "&vnp_SecureHash=" + sign(text)}, true
}

func (v *imitation) Notice(reference string) (card.Message, bool) { return v.message(reference) }
func (v *imitation) Return(reference string) (card.Message, bool) { return v.message(reference) }

func (v *imitation) NextRefunds(verdict railtest.Verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = verdict
}

func (v *imitation) SettleRefunds(verdict railtest.Verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.refunds {
		if r.verdict == railtest.Waiting {
			r.verdict = verdict
		}
	}
}

func (v *imitation) Refunded() money.VND {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.refunded(nil)
}

func (v *imitation) refunded(o *order) money.VND {
	var sum money.VND
	for _, r := range v.refunds {
		if (o == nil || r.order == o) && r.verdict != railtest.Declined && r.verdict != railtest.Odd {
			sum += r.amount
		}
	}
	return sum
}

func joined(from map[string]string, names ...string) string {
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = from["vnp_"+name]
	}
	return strings.Join(values, "|")
}

// ServeHTTP is /merchant_webapi/api/transaction.
func (v *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var q map[string]string
	if r.Method != http.MethodPost || r.URL.Path != "/merchant_webapi/api/transaction" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		_ = v.complain("%s %s of %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		_ = v.complain("the body: %v", err)
	}
	answer := v.answer(q)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer)
}

func (v *imitation) answer(q map[string]string) map[string]string {
	text := joined(q, "RequestId", "Version", "Command", "TmnCode", "TxnRef", "TransactionDate", "CreateDate", "IpAddr", "OrderInfo")
	if q["vnp_Command"] == "refund" {
		text = joined(q, "RequestId", "Version", "Command", "TmnCode", "TransactionType", "TxnRef", "Amount", "TransactionNo", "TransactionDate", "CreateBy", "CreateDate", "IpAddr", "OrderInfo")
	}
	// VNPAY does not sign the answers that say what is wrong with a request.
	wrong := func(code, message string) map[string]string {
		return map[string]string{"vnp_ResponseCode": code, "vnp_Message": message, "vnp_TmnCode": q["vnp_TmnCode"], "vnp_TxnRef": q["vnp_TxnRef"], "vnp_Command": q["vnp_Command"]}
	}
	switch {
	case q["vnp_SecureHash"] != sign(text):
		_ = v.complain("wrong signature on %v", q)
		return wrong("97", "Invalid checksum")
	case q["vnp_TmnCode"] != testTmn || q["vnp_Version"] != "2.1.0":
		_ = v.complain("%v", q)
		return wrong("02", "Invalid TmnCode")
	case len(q["vnp_RequestId"]) > 32 || q["vnp_RequestId"] == "" || !isTime(q["vnp_TransactionDate"]) || !isTime(q["vnp_CreateDate"]) || !plain(q["vnp_OrderInfo"]):
		_ = v.complain("%v", q)
		return wrong("03", "Invalid format")
	}
	again := v.requests[q["vnp_RequestId"]]
	v.requests[q["vnp_RequestId"]] = true
	o := v.orders[q["vnp_TxnRef"]]
	switch {
	case o == nil:
		return wrong("91", "Transaction not found")
	case o.created != q["vnp_TransactionDate"]:
		_ = v.complain("the order's date is %s, asked for %s", o.created, q["vnp_TransactionDate"])
		return wrong("91", "Transaction not found")
	case q["vnp_Command"] == "refund":
		return v.refund(o, q, again)
	case q["vnp_Command"] != "querydr":
		_ = v.complain("command %q", q["vnp_Command"])
		return wrong("03", "Invalid format")
	}
	status := map[railtest.Verdict]string{railtest.Waiting: "01", railtest.Paid: "00", railtest.Declined: "02", railtest.Odd: "42"}[o.decision.Verdict]
	told := map[string]string{
		"vnp_TransactionType": "01", "vnp_TransactionStatus": status, "vnp_Amount": o.paid(), "vnp_TransactionNo": strconv.Itoa(o.number), "vnp_TmnCode": o.tmn(),
		"vnp_PayDate": "20260305001000", "vnp_OrderInfo": o.info,
	}
	for _, r := range v.refunds {
		if q["vnp_TransactionNo"] == strconv.Itoa(r.number) {
			maps.Copy(told, r.told())
		}
	}
	return v.signed("querydr", o, told)
}

func (v *imitation) refund(o *order, q map[string]string, again bool) map[string]string {
	hundredths, _ := strconv.ParseInt(q["vnp_Amount"], 10, 64)
	r := &refund{order: o, kind: q["vnp_TransactionType"], amount: money.VND(hundredths / 100), verdict: v.next}
	before := v.refunded(o)
	full := before == 0 && r.amount == o.amount
	if !digits(3, 12)(q["vnp_Amount"]) || full != (r.kind == "02") || !full && r.kind != "03" || before+r.amount > o.amount || q["vnp_CreateBy"] == "" || !plain(q["vnp_CreateBy"]) {
		_ = v.complain("a refund of %v after %d", q, before)
	}
	if no := q["vnp_TransactionNo"]; no != "0" && no != strconv.Itoa(o.number) {
		_ = v.complain("the transaction is %d, asked for %s", o.number, no)
	}
	switch {
	case o.decision.Verdict != railtest.Paid:
		return v.signed("refund", o, map[string]string{"vnp_ResponseCode": "95"})
	case again:
		return v.signed("refund", o, map[string]string{"vnp_ResponseCode": "94"})
	}
	v.number++
	r.number = v.number
	v.refunds = append(v.refunds, r)
	return v.signed("refund", o, r.told())
}

func (r *refund) told() map[string]string {
	return map[string]string{
		"vnp_TransactionType": r.kind, "vnp_Amount": r.amount.String() + "00", "vnp_TransactionNo": strconv.Itoa(r.number), "vnp_PayDate": "20260305011000",
		"vnp_TransactionStatus": map[railtest.Verdict]string{railtest.Waiting: "05", railtest.Paid: "00", railtest.Declined: "09", railtest.Odd: "42"}[r.verdict],
	}
}

func (v *imitation) signed(command string, o *order, told map[string]string) map[string]string {
	a := map[string]string{
		"vnp_ResponseId": fmt.Sprintf("%032d", v.number), "vnp_Command": command, "vnp_ResponseCode": "00", "vnp_Message": "Success", "vnp_TmnCode": testTmn,
		"vnp_TxnRef": o.reference, "vnp_BankCode": "NCB",
	}
	maps.Copy(a, told)
	text := joined(a, "ResponseId", "Command", "ResponseCode", "Message", "TmnCode", "TxnRef", "Amount", "BankCode", "PayDate", "TransactionNo", "TransactionType", "TransactionStatus", "OrderInfo")
	if command == "querydr" {
		text += "|" + joined(a, "PromotionCode", "PromotionAmount")
	}
	a["vnp_SecureHash"] = sign(text)
	return a
}
