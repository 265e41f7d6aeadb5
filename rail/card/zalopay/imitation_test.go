package zalopay_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
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

// The imitation's app: ZaloPay's public one for its sandbox.
const (
	appID = "2553"
	key1  = "PcY4iZIKFCIdgZvA6ueMcMHHUbRLYjPL"
	key2  = "kLtgPl8HHhfvMuDHPwKfgfsY4Ydm9eIz"
)

// imitation plays ZaloPay.
type imitation struct {
	base string

	mu         sync.Mutex
	complaints []string
	orders     map[string]*order
	refunds    map[string]*refund
	next       railtest.Verdict
	serial     int64
}

type order struct {
	id, embed string
	amount    int64
	time      int64
	wallet    bool
	decision  railtest.Decision
	transID   int64
}

type refund struct {
	transID string
	amount  int64
	verdict railtest.Verdict
}

func newImitation(base string) railtest.Imitation {
	return &imitation{base: base, orders: map[string]*order{}, refunds: map[string]*refund{}, next: railtest.Paid, serial: 260305000000100}
}

func mac(key string, values ...any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(strings.Join(texts, "|")))
	return hex.EncodeToString(h.Sum(nil))
}

// request has every field of every call.
type request struct {
	AppID       int64  `json:"app_id"`
	AppUser     string `json:"app_user"`
	AppTransID  string `json:"app_trans_id"`
	AppTime     int64  `json:"app_time"`
	Amount      int64  `json:"amount"`
	Item        string `json:"item"`
	Description string `json:"description"`
	EmbedData   string `json:"embed_data"`
	BankCode    string `json:"bank_code"`
	CallbackURL string `json:"callback_url"`
	Expiry      int64  `json:"expire_duration_seconds"`
	RefundID    string `json:"m_refund_id"`
	ZPTransID   string `json:"zp_trans_id"`
	Timestamp   int64  `json:"timestamp"`
	MAC         string `json:"mac"`
}

func (z *imitation) complain(format string, args ...any) {
	z.complaints = append(z.complaints, fmt.Sprintf(format, args...))
}

func (z *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z.mu.Lock()
	defer z.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var q request
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		z.complain("%s %s: no JSON of ours: %v", r.Method, r.URL.Path, err)
		z.answer(w, -401, 0, nil)
		return
	}
	var want string
	switch r.URL.Path {
	case "/v2/create":
		want = mac(key1, q.AppID, q.AppTransID, q.AppUser, q.Amount, q.AppTime, q.EmbedData, q.Item)
	case "/v2/query":
		want = mac(key1, q.AppID, q.AppTransID, key1)
	case "/v2/refund":
		want = mac(key1, q.AppID, q.ZPTransID, q.Amount, q.Description, q.Timestamp)
	case "/v2/query_refund":
		want = mac(key1, q.AppID, q.RefundID, q.Timestamp)
	default:
		z.complain("no such call %s", r.URL.Path)
		http.NotFound(w, r)
		return
	}
	if q.MAC != want || strconv.FormatInt(q.AppID, 10) != appID {
		z.complain("%s: wrong mac", r.URL.Path)
		z.answer(w, 2, -402, nil)
		return
	}
	switch r.URL.Path {
	case "/v2/create":
		z.create(w, q)
	case "/v2/query":
		z.query(w, q)
	case "/v2/refund":
		z.refund(w, q)
	case "/v2/query_refund":
		z.queryRefund(w, q)
	}
}

func (z *imitation) answer(w http.ResponseWriter, code, sub int, more map[string]any) {
	a := map[string]any{"return_code": code, "return_message": "", "sub_return_code": sub, "sub_return_message": ""}
	for name, value := range more {
		a[name] = value
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a)
}

// today is the day in Vietnam, which the ids have to begin with.
var today = railtest.AcquirerNow.Add(7 * time.Hour).Format("060102")

var (
	transID  = regexp.MustCompile(`^[0-9]{6}_?[0-9A-Za-z_-]+$`)
	refundID = regexp.MustCompile(`^[0-9]{6}_` + appID + `_[0-9A-Za-z]+$`)
)

func (z *imitation) create(w http.ResponseWriter, q request) {
	var embed struct {
		RedirectURL string   `json:"redirecturl"`
		Preferred   []string `json:"preferred_payment_method"`
	}
	var items []any
	switch {
	case json.Unmarshal([]byte(q.EmbedData), &embed) != nil || json.Unmarshal([]byte(q.Item), &items) != nil || len(embed.Preferred) == 0 || embed.RedirectURL == "",
		q.Description == "" || len([]rune(q.Description)) > 256 || q.AppUser == "" || len(q.AppUser) > 50 || q.Amount <= 0 || q.Expiry < 300 || q.Expiry > 2592000 || q.CallbackURL == "",
		len(q.EmbedData) > 1024 || !transID.MatchString(q.AppTransID) || len(q.AppTransID) > 40 || !strings.HasPrefix(q.AppTransID, today),
		time.UnixMilli(q.AppTime).Sub(railtest.AcquirerNow).Abs() > 15*time.Minute:
		z.complain("create: %+v", q)
		z.answer(w, 2, -401, nil)
		return
	}
	if _, ok := z.orders[q.AppTransID]; ok {
		z.answer(w, 2, -68, nil)
		return
	}
	z.orders[q.AppTransID] = &order{
		id: q.AppTransID, embed: q.EmbedData, amount: q.Amount, time: q.AppTime, wallet: slices.Equal(embed.Preferred, []string{"zalopay_wallet"}),
		decision: railtest.Decision{Verdict: railtest.Waiting},
	}
	z.answer(w, 1, 1, map[string]any{
		"order_url": z.base + "/openinapp?order=" + url.QueryEscape(q.AppTransID), "zp_trans_token": "AC891FMJmh", "order_token": "AC891FMJmh",
		"qr_code": "00020101021226520010vn.zalopay0203001010627000503173658480321823028",
	})
}

func (o *order) said() int64 {
	if o.decision.Amount != 0 {
		return int64(o.decision.Amount)
	}
	return o.amount
}

func (z *imitation) query(w http.ResponseWriter, q request) {
	o, ok := z.orders[q.AppTransID]
	if !ok {
		z.answer(w, 2, -101, nil)
		return
	}
	switch o.decision.Verdict {
	case railtest.Waiting:
		z.answer(w, 3, 0, map[string]any{"is_processing": false, "amount": 0, "zp_trans_id": 0})
	case railtest.Paid:
		z.answer(w, 1, 1, map[string]any{"is_processing": false, "amount": o.said(), "zp_trans_id": o.transID, "server_time": railtest.AcquirerNow.UnixMilli(), "discount_amount": 0})
	case railtest.Declined:
		z.answer(w, 2, -217, map[string]any{"is_processing": false, "amount": o.said(), "zp_trans_id": o.transID})
	case railtest.Odd:
		z.answer(w, 7, -31337, map[string]any{"is_processing": false})
	}
}

func (z *imitation) refund(w http.ResponseWriter, q request) {
	if !refundID.MatchString(q.RefundID) || len(q.RefundID) > 45 || !strings.HasPrefix(q.RefundID, today) || q.Description == "" || q.Amount <= 0 {
		z.complain("refund: %+v", q)
		z.answer(w, 2, -24, nil)
		return
	}
	if _, ok := z.refunds[q.RefundID]; ok {
		z.answer(w, 2, -23, nil)
		return
	}
	var paid int64
	for _, o := range z.orders {
		if strconv.FormatInt(o.transID, 10) == q.ZPTransID && o.decision.Verdict == railtest.Paid {
			paid = o.said()
		}
	}
	if paid == 0 {
		z.complain("refund of transaction %q", q.ZPTransID)
		z.answer(w, 2, -101, nil)
		return
	}
	given := q.Amount
	for _, r := range z.refunds {
		if r.transID == q.ZPTransID && r.verdict != railtest.Declined {
			given += r.amount
		}
	}
	if given > paid {
		z.answer(w, 2, -14, nil)
		return
	}
	z.refunds[q.RefundID] = &refund{q.ZPTransID, q.Amount, z.next}
	z.serial++
	more := map[string]any{"refund_id": z.serial}
	switch z.next {
	case railtest.Paid:
		z.answer(w, 1, 1, more)
	case railtest.Waiting:
		z.answer(w, 3, 2, more)
	case railtest.Declined:
		z.answer(w, 2, -13, more)
	case railtest.Odd:
		z.answer(w, 2, -31337, more)
	}
}

func (z *imitation) queryRefund(w http.ResponseWriter, q request) {
	r, ok := z.refunds[q.RefundID]
	if !ok {
		z.answer(w, 2, -101, nil)
		return
	}
	switch r.verdict {
	case railtest.Paid:
		z.answer(w, 1, 1, nil)
	case railtest.Waiting:
		z.answer(w, 3, -1, nil)
	default:
		z.answer(w, 2, 0, nil)
	}
}

func (z *imitation) Complaints() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.complaints
}

func (z *imitation) Arrive(h payment.Handoff) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	u, err := url.Parse(h.URL)
	if err != nil {
		return err
	}
	o, ok := z.orders[u.Query().Get("order")]
	if !ok || !strings.HasPrefix(h.URL, z.base) || o.wallet != (h.QR != "") {
		return fmt.Errorf("no order behind %+v", h)
	}
	return nil
}

func (z *imitation) Decide(reference string, d railtest.Decision) {
	z.mu.Lock()
	defer z.mu.Unlock()
	o := z.orders[reference]
	o.decision = d
	if z.serial++; d.Verdict != railtest.Waiting {
		o.transID = z.serial
	}
}

// Notice is sent for money only.
func (z *imitation) Notice(reference string) (card.Message, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	o, ok := z.orders[reference]
	if !ok || o.decision.Verdict != railtest.Paid {
		return card.Message{}, false
	}
	app := any(json.Number(appID))
	if o.decision.Merchant != "" {
		app = o.decision.Merchant
	}
	data, _ := json.Marshal(map[string]any{
		"app_id": app, "app_trans_id": o.id, "app_time": o.time, "app_user": "thungan", "amount": o.said(), "embed_data": o.embed, "item": "[]",
		"zp_trans_id": o.transID, "server_time": railtest.AcquirerNow.UnixMilli(), "channel": 38, "merchant_user_id": "7ZMSl3nEg5s", "user_fee_amount": 0, "discount_amount": 0,
	})
	return callback(string(data)), true
}

func callback(data string) card.Message {
	body, _ := json.Marshal(map[string]any{"data": data, "mac": mac(key2, data), "type": 1})
	return card.Message{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

func (z *imitation) Return(reference string) (card.Message, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	o, ok := z.orders[reference]
	if !ok || o.decision.Verdict == railtest.Waiting {
		return card.Message{}, false
	}
	status := map[railtest.Verdict]int{railtest.Paid: 1, railtest.Declined: -217, railtest.Odd: -31337}[o.decision.Verdict]
	q := url.Values{}
	for name, value := range map[string]any{
		"appid": appID, "apptransid": o.id, "pmcid": 38, "bankcode": "", "amount": o.said(), "discountamount": 0, "status": status,
		"checksum": mac(key2, appID, o.id, 38, "", o.said(), 0, status),
	} {
		q.Set(name, fmt.Sprint(value))
	}
	return card.Message{Method: http.MethodGet, Query: q.Encode(), Header: http.Header{}}, true
}

func (z *imitation) NextRefunds(v railtest.Verdict) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.next = v
}

func (z *imitation) SettleRefunds(v railtest.Verdict) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, r := range z.refunds {
		if r.verdict == railtest.Waiting {
			r.verdict = v
		}
	}
}

func (z *imitation) Refunded() money.VND {
	z.mu.Lock()
	defer z.mu.Unlock()
	var sum int64
	for _, r := range z.refunds {
		if r.verdict == railtest.Paid || r.verdict == railtest.Waiting {
			sum += r.amount
		}
	}
	return money.VND(sum)
}
