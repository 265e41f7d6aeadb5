package momo_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

// The imitation's merchant. MoMo prints these keys in its public samples.
const (
	partner   = "MOMO"
	accessKey = "F8BBA842ECF85"
	secretKey = "K951B6PE1waDMi640xX08PD3vg6EkVlz"
)

// imitation plays MoMo. It signs by rules of its own: the names sorted, which
// is how MoMo puts them, and not the lists of the connector.
type imitation struct {
	base string

	mu         sync.Mutex
	complaints []string
	orders     map[string]*order
	requests   map[string]map[string]any // final answers by requestId
	next       railtest.Verdict          // of refunds
	serial     int64
}

type order struct {
	id, request, info, kind string
	amount                  int64
	decision                railtest.Decision
	transID                 int64
	refunds                 []*refund
}

type refund struct {
	id              string
	amount, transID int64
	verdict         railtest.Verdict
}

func newImitation(base string) railtest.Imitation {
	return &imitation{base: base, orders: map[string]*order{}, requests: map[string]map[string]any{}, next: railtest.Paid, serial: 2_820_086_739}
}

// signature signs every field but the signature itself, and the access key.
func signature(key string, fields map[string]string) string {
	signed := maps.Clone(fields)
	signed["accessKey"] = accessKey
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(signed)) {
		pairs = append(pairs, name+"="+signed[name])
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(strings.Join(pairs, "&")))
	return hex.EncodeToString(mac.Sum(nil))
}

func (m *imitation) complain(format string, args ...any) {
	m.complaints = append(m.complaints, fmt.Sprintf(format, args...))
}

var orderID = regexp.MustCompile(`^[0-9a-zA-Z]([-_.]*[0-9a-zA-Z]+)*$`)

func (m *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	fields, ok := m.read(r, body)
	if !ok {
		m.answer(w, 400, fields, 20, nil)
		return
	}
	unsigned := map[string]bool{"signature": true, "lang": true}
	signed := map[string]string{}
	for name, value := range fields {
		if !unsigned[name] {
			signed[name] = value
		}
	}
	if got := signature(secretKey, signed); got != fields["signature"] {
		m.complain("%s: wrong signature", r.URL.Path)
		m.answer(w, 400, fields, 13, nil)
		return
	}
	if fields["partnerCode"] != partner || !orderID.MatchString(fields["orderId"]) || len(fields["orderId"]) > 50 || fields["requestId"] == "" || len(fields["requestId"]) > 50 {
		m.complain("%s: partnerCode %q, orderId %q, requestId %q", r.URL.Path, fields["partnerCode"], fields["orderId"], fields["requestId"])
		m.answer(w, 400, fields, 20, nil)
		return
	}
	switch r.URL.Path {
	case "/v2/gateway/api/create":
		m.create(w, fields)
	case "/v2/gateway/api/query":
		m.query(w, fields)
	case "/v2/gateway/api/refund":
		m.refund(w, fields)
	default:
		m.complain("no such call %s", r.URL.Path)
		http.NotFound(w, r)
	}
}

// read takes the fields apart; numbers have to be numbers and texts texts.
func (m *imitation) read(r *http.Request, body []byte) (map[string]string, bool) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		m.complain("%s %s: no JSON was posted: %v", r.Method, r.URL.Path, err)
		return nil, false
	}
	fields := map[string]string{}
	for name, value := range raw {
		number := name == "amount" || name == "transId"
		if number {
			if _, err := strconv.ParseInt(string(value), 10, 64); err != nil {
				m.complain("%s is %s", name, value)
				return nil, false
			}
			fields[name] = string(value)
			continue
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			m.complain("%s is %s", name, value)
			return nil, false
		}
		fields[name] = text
	}
	return fields, true
}

func (m *imitation) answer(w http.ResponseWriter, status int, request map[string]string, code int, more map[string]any) map[string]any {
	a := map[string]any{
		"partnerCode": request["partnerCode"], "orderId": request["orderId"], "requestId": request["requestId"],
		"resultCode": code, "message": messages[code], "responseTime": railtest.AcquirerNow.UnixMilli(),
	}
	if n, err := strconv.ParseInt(request["amount"], 10, 64); err == nil {
		a["amount"] = n
	}
	maps.Copy(a, more)
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
	return a
}

var messages = map[int]string{0: "Successful.", 13: "Merchant authentication failed.", 20: "Bad format request.", 42: "OrderId is not found.", 1006: "Transaction failed because user has denied to confirm the payment."}

func (m *imitation) create(w http.ResponseWriter, f map[string]string) {
	if had, ok := m.requests[f["requestId"]]; ok {
		_ = json.NewEncoder(w).Encode(had)
		return
	}
	amount, _ := strconv.ParseInt(f["amount"], 10, 64)
	types := []string{"captureWallet", "payWithATM", "payWithCC"}
	if !slices.Contains(types, f["requestType"]) || f["orderInfo"] == "" || len([]rune(f["orderInfo"])) > 200 || len(f["redirectUrl"]) > 200 || len(f["ipnUrl"]) > 200 ||
		strings.ContainsAny(f["ipnUrl"], "?# ") || f["lang"] != "vi" && f["lang"] != "en" {
		m.complain("create: %v", f)
		m.answer(w, 400, f, 20, nil)
		return
	}
	if amount < 1000 || amount > 50_000_000 {
		m.answer(w, 400, f, 22, nil)
		return
	}
	if _, ok := m.orders[f["orderId"]]; ok {
		m.answer(w, 400, f, 41, nil)
		return
	}
	m.orders[f["orderId"]] = &order{id: f["orderId"], request: f["requestId"], info: f["orderInfo"], kind: f["requestType"], amount: amount, decision: railtest.Decision{Verdict: railtest.Waiting}}
	page := m.base + "/v2/gateway/pay?t=" + url.QueryEscape(f["orderId"])
	m.requests[f["requestId"]] = m.answer(w, 200, f, 0, map[string]any{"payUrl": page, "deeplink": "momo://app?action=payWithApp&t=" + url.QueryEscape(f["orderId"]), "qrCodeUrl": "momo://app?action=payWithApp&isScanQR=true"})
}

func (m *imitation) query(w http.ResponseWriter, f map[string]string) {
	if _, ok := m.requests[f["requestId"]]; ok {
		m.answer(w, 400, f, 40, nil)
		return
	}
	o, ok := m.orders[f["orderId"]]
	if !ok {
		m.answer(w, 400, f, 42, nil)
		return
	}
	if o.decision.Merchant != "" {
		f = maps.Clone(f)
		f["partnerCode"] = o.decision.Merchant
	}
	list := []any{}
	for _, r := range o.refunds {
		list = append(list, map[string]any{"orderId": r.id, "amount": r.amount, "transId": r.transID, "resultCode": refundCode(r.verdict), "createdTime": railtest.AcquirerNow.UnixMilli()})
	}
	m.answer(w, 200, f, o.code(), map[string]any{"amount": o.said(), "transId": o.transID, "payType": "qr", "extraData": "", "refundTrans": list, "paymentOption": "momo"})
}

func refundCode(v railtest.Verdict) int {
	return map[railtest.Verdict]int{railtest.Paid: 0, railtest.Declined: 1088, railtest.Waiting: 7002, railtest.Odd: 8888}[v]
}

func (m *imitation) refund(w http.ResponseWriter, f map[string]string) {
	if had, ok := m.requests[f["requestId"]]; ok {
		_ = json.NewEncoder(w).Encode(had)
		return
	}
	amount, _ := strconv.ParseInt(f["amount"], 10, 64)
	if _, ok := m.orders[f["orderId"]]; ok || amount < 1000 || f["description"] == "" {
		m.complain("refund: %v", f)
		m.answer(w, 400, f, 41, nil)
		return
	}
	for _, o := range m.orders {
		if strconv.FormatInt(o.transID, 10) != f["transId"] {
			continue
		}
		given := amount
		for _, r := range o.refunds {
			if r.id == f["orderId"] {
				m.answer(w, 400, f, 41, nil)
				return
			}
			if r.verdict != railtest.Declined {
				given += r.amount
			}
		}
		if given > o.said() {
			m.answer(w, 200, f, 1081, nil)
			return
		}
		m.serial++
		r := &refund{f["orderId"], amount, m.serial, m.next}
		o.refunds = append(o.refunds, r)
		a := m.answer(w, 200, f, refundCode(m.next), map[string]any{"transId": r.transID})
		m.requests[f["requestId"]] = a
		return
	}
	m.complain("refund of transaction %q", f["transId"])
	m.answer(w, 400, f, 42, nil)
}

func (o *order) code() int {
	return map[railtest.Verdict]int{railtest.Waiting: 1000, railtest.Paid: 0, railtest.Declined: 1006, railtest.Odd: 8888}[o.decision.Verdict]
}

func (o *order) said() int64 {
	if o.decision.Amount != 0 {
		return int64(o.decision.Amount)
	}
	return o.amount
}

func (m *imitation) Complaints() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.complaints
}

func (m *imitation) Arrive(h payment.Handoff) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, err := url.Parse(h.URL)
	if err != nil {
		return err
	}
	o, ok := m.orders[u.Query().Get("t")]
	if !ok || !strings.HasPrefix(h.URL, m.base) || h.Fields != nil {
		return fmt.Errorf("no order behind %+v", h)
	}
	if wallet := o.kind == "captureWallet"; wallet != (h.QR != "") || wallet != (h.App != "") {
		return fmt.Errorf("%s with QR %q and app %q", o.kind, h.QR, h.App)
	}
	return nil
}

func (m *imitation) Decide(reference string, d railtest.Decision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.orders[reference]
	o.decision = d
	if m.serial++; d.Verdict != railtest.Waiting {
		o.transID = m.serial
	}
}

// result is what a notice and a return say, as texts.
func (m *imitation) result(reference string) (map[string]string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orders[reference]
	if !ok || o.decision.Verdict == railtest.Waiting {
		return nil, false
	}
	f := map[string]string{
		"partnerCode": partner, "orderId": o.id, "requestId": o.request, "amount": strconv.FormatInt(o.said(), 10), "orderInfo": o.info, "orderType": "momo_wallet",
		"transId": strconv.FormatInt(o.transID, 10), "resultCode": strconv.Itoa(o.code()), "message": messages[o.code()], "payType": "qr",
		"responseTime": strconv.FormatInt(railtest.AcquirerNow.UnixMilli(), 10), "extraData": "",
	}
	if o.decision.Merchant != "" {
		f["partnerCode"] = o.decision.Merchant
	}
	f["signature"] = signature(secretKey, without(f, "signature"))
	return f, true
}

func without(f map[string]string, name string) map[string]string {
	f = maps.Clone(f)
	delete(f, name)
	return f
}

func (m *imitation) Notice(reference string) (card.Message, bool) {
	f, ok := m.result(reference)
	if !ok {
		return card.Message{}, false
	}
	return notice(f), true
}

// notice writes a result as MoMo posts it, with its numbers as numbers.
func notice(f map[string]string) card.Message {
	fields := map[string]any{}
	for name, value := range f {
		fields[name] = value
		if slices.Contains([]string{"amount", "transId", "resultCode", "responseTime"}, name) {
			fields[name] = json.Number(value)
		}
	}
	body, _ := json.Marshal(fields)
	return card.Message{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, Body: body}
}

func (m *imitation) Return(reference string) (card.Message, bool) {
	f, ok := m.result(reference)
	if !ok {
		return card.Message{}, false
	}
	q := url.Values{}
	for name, value := range f {
		q.Set(name, value)
	}
	return card.Message{Method: http.MethodGet, Query: q.Encode(), Header: http.Header{}}, true
}

func (m *imitation) NextRefunds(v railtest.Verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = v
}

func (m *imitation) SettleRefunds(v railtest.Verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.orders {
		for _, r := range o.refunds {
			if r.verdict == railtest.Waiting {
				r.verdict = v
			}
		}
	}
}

func (m *imitation) Refunded() money.VND {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum int64
	for _, o := range m.orders {
		for _, r := range o.refunds {
			if r.verdict == railtest.Paid || r.verdict == railtest.Waiting {
				sum += r.amount
			}
		}
	}
	return money.VND(sum)
}
