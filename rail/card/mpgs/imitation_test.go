package mpgs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	merchantID    = "TESTVCB0001"
	apiPassword   = "f0c1de5afe1d4c0f9c56d6f7f5d3a8be"
	webhookSecret = "8C1C5D37A8F34B1CA1C1A5E1D6D9A0B2"
)

// imitation plays the Mastercard Gateway. An order exists only once its payer
// has tried to pay.
type imitation struct {
	base string

	mu         sync.Mutex
	complaints []string
	sessions   map[string]*order
	orders     map[string]*order
	next       railtest.Verdict
}

type order struct {
	id, notify string
	amount     int64
	decision   railtest.Decision
	refunds    []*refund
}

type refund struct {
	id      string
	amount  int64
	verdict railtest.Verdict
}

func newImitation(base string) railtest.Imitation {
	return &imitation{base: base, sessions: map[string]*order{}, orders: map[string]*order{}, next: railtest.Paid}
}

func (g *imitation) complain(format string, args ...any) {
	g.complaints = append(g.complaints, fmt.Sprintf(format, args...))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=ISO-8859-1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type m = map[string]any

func refusal(w http.ResponseWriter, status int, cause, explanation string) {
	answer(w, status, m{"error": m{"cause": cause, "explanation": explanation}, "result": "ERROR"})
}

func (g *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	user, password, ok := r.BasicAuth()
	if !ok || user != "merchant."+merchantID || password != apiPassword {
		g.complain("%s %s: wrong credentials of %q", r.Method, r.URL.Path, user)
		refusal(w, 401, "INVALID_REQUEST", "Invalid credentials.")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api/rest/version/100/merchant/"+merchantID+"/")
	if !ok {
		g.complain("no such resource %s", r.URL.Path)
		http.NotFound(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	parts := strings.Split(path, "/")
	switch {
	case r.Method == http.MethodPost && path == "session":
		g.session(w, body)
	case r.Method == http.MethodGet && len(parts) == 2 && parts[0] == "order":
		o, ok := g.orders[parts[1]]
		if !ok {
			refusal(w, 400, "INVALID_REQUEST", "Unable to find order '"+parts[1]+"'.")
			return
		}
		answer(w, 200, g.retrieved(o))
	case len(parts) == 4 && parts[0] == "order" && parts[2] == "transaction":
		g.transaction(w, r.Method, parts[1], parts[3], body)
	default:
		g.complain("%s %s", r.Method, r.URL.Path)
		refusal(w, 404, "INVALID_REQUEST", "No such resource.")
	}
}

func (g *imitation) session(w http.ResponseWriter, body []byte) {
	var q struct {
		Operation   string `json:"apiOperation"`
		Interaction struct {
			Operation string `json:"operation"`
			Merchant  struct {
				Name string `json:"name"`
			} `json:"merchant"`
			ReturnURL string `json:"returnUrl"`
			CancelURL string `json:"cancelUrl"`
		} `json:"interaction"`
		Order struct {
			ID              string `json:"id"`
			Amount          string `json:"amount"`
			Currency        string `json:"currency"`
			Description     string `json:"description"`
			NotificationURL string `json:"notificationUrl"`
		} `json:"order"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(&q)
	amount, parsed := strconv.ParseInt(q.Order.Amount, 10, 64)
	name := q.Interaction.Merchant.Name
	if err != nil || parsed != nil || q.Operation != "INITIATE_CHECKOUT" || q.Interaction.Operation != "PURCHASE" || q.Order.Currency != "VND" || amount <= 0 || len(q.Order.Amount) > 14 ||
		q.Order.ID == "" || len(q.Order.ID) > 40 || name == "" || len([]rune(name)) > 40 || q.Order.Description == "" || len([]rune(q.Order.Description)) > 127 ||
		!strings.HasPrefix(q.Interaction.ReturnURL, "https://") || !strings.HasPrefix(q.Order.NotificationURL, "https://") {
		g.complain("session: %v %v %s", err, parsed, body)
		refusal(w, 400, "INVALID_REQUEST", "A value is missing or wrong.")
		return
	}
	id := fmt.Sprintf("SESSION0002%021dG", len(g.sessions)+1)
	g.sessions[id] = &order{id: q.Order.ID, amount: amount, notify: q.Order.NotificationURL, decision: railtest.Decision{Verdict: railtest.Waiting}}
	answer(w, 201, m{
		"checkoutMode": "WEBSITE", "merchant": merchantID, "result": "SUCCESS", "session": m{"id": id, "updateStatus": "SUCCESS", "version": "0d4c1a3b01"}, "successIndicator": "c2b7e1a7d4f64f3a",
	})
}

func (o *order) said() int64 {
	if o.decision.Amount != 0 {
		return int64(o.decision.Amount)
	}
	return o.amount
}

func (o *order) merchant() string {
	if o.decision.Merchant != "" {
		return o.decision.Merchant
	}
	return merchantID
}

// tried is when the payer tried: long enough ago for a failure to be the end.
var tried = railtest.AcquirerNow.Add(-2 * time.Minute).Format(time.RFC3339Nano)

// paid is the transaction by which the payer tried to pay.
func (o *order) paid() m {
	result, code := "FAILURE", "DECLINED"
	switch o.decision.Verdict {
	case railtest.Paid:
		result, code = "SUCCESS", "APPROVED"
	case railtest.Odd:
		result, code = "STRANGE", "MARTIAN"
	}
	return m{
		"merchant": o.merchant(), "result": result, "response": m{"gatewayCode": code, "acquirerCode": "00"}, "timeOfRecord": tried, "version": "100",
		"order":       m{"id": o.id, "amount": o.said(), "currency": "VND", "notificationUrl": o.notify, "status": o.status()},
		"transaction": m{"id": "1", "type": "PAYMENT", "amount": o.said(), "currency": "VND", "receipt": "606412345678"},
		"sourceOfFunds": m{"type": "CARD", "provided": m{"card": m{
			"number": "512345xxxxxx0008", "brand": "MASTERCARD", "expiry": m{"month": "1", "year": "39"}}}},
	}
}

func (o *order) status() string {
	return map[railtest.Verdict]string{railtest.Paid: "CAPTURED", railtest.Declined: "FAILED", railtest.Odd: "MARTIAN", railtest.Waiting: "AUTHENTICATION_INITIATED"}[o.decision.Verdict]
}

func (g *imitation) retrieved(o *order) m {
	var captured int64
	list := []m{}
	if o.decision.Verdict != railtest.Waiting {
		list = append(list, o.paid())
	}
	if o.decision.Verdict == railtest.Paid {
		captured = o.said()
	}
	for _, r := range o.refunds {
		list = append(list, o.refunded(r))
	}
	return m{
		"id": o.id, "merchant": o.merchant(), "amount": o.said(), "currency": "VND", "result": "SUCCESS", "status": o.status(), "creationTime": tried, "lastUpdatedTime": tried,
		"totalAuthorizedAmount": captured, "totalCapturedAmount": captured, "totalRefundedAmount": 0, "transaction": list,
	}
}

func (o *order) refunded(r *refund) m {
	result := map[railtest.Verdict]string{railtest.Paid: "SUCCESS", railtest.Waiting: "PENDING", railtest.Declined: "FAILURE", railtest.Odd: "STRANGE"}[r.verdict]
	code := map[railtest.Verdict]string{railtest.Paid: "APPROVED", railtest.Waiting: "SUBMITTED", railtest.Declined: "DECLINED", railtest.Odd: "MARTIAN"}[r.verdict]
	return m{
		"merchant": merchantID, "result": result, "response": m{"gatewayCode": code}, "timeOfRecord": railtest.AcquirerNow.Format(time.RFC3339Nano),
		"order":       m{"id": o.id, "amount": o.said(), "currency": "VND"},
		"transaction": m{"id": r.id, "type": "REFUND", "amount": json.Number(fmt.Sprintf("%d.00", r.amount)), "currency": "VND"},
	}
}

func (g *imitation) transaction(w http.ResponseWriter, method, orderID, id string, body []byte) {
	o, ok := g.orders[orderID]
	if !ok {
		refusal(w, 400, "INVALID_REQUEST", "Unable to find order '"+orderID+"'.")
		return
	}
	for _, r := range o.refunds {
		if r.id == id { // got, or put once more
			answer(w, 200, o.refunded(r))
			return
		}
	}
	if method == http.MethodGet {
		refusal(w, 400, "INVALID_REQUEST", "Unable to find transaction '"+id+"'.")
		return
	}
	var q struct {
		Operation   string `json:"apiOperation"`
		Transaction struct {
			Amount   string `json:"amount"`
			Currency string `json:"currency"`
		} `json:"transaction"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(&q)
	amount, parsed := strconv.ParseInt(q.Transaction.Amount, 10, 64)
	if err != nil || parsed != nil || method != http.MethodPut || q.Operation != "REFUND" || q.Transaction.Currency != "VND" || amount <= 0 || len(id) > 40 {
		g.complain("%s transaction %s: %s", method, id, body)
		refusal(w, 400, "INVALID_REQUEST", "A value is missing or wrong.")
		return
	}
	given := amount
	for _, r := range o.refunds {
		if r.verdict != railtest.Declined {
			given += r.amount
		}
	}
	if o.decision.Verdict != railtest.Paid || given > o.said() {
		refusal(w, 400, "INVALID_REQUEST", "Requested refund amount exceeds what is left.")
		return
	}
	r := &refund{id, amount, g.next}
	o.refunds = append(o.refunds, r)
	answer(w, 201, o.refunded(r))
}

func (g *imitation) Complaints() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.complaints
}

// Arrive is the payer on the gateway's page, who begins to pay.
func (g *imitation) Arrive(h payment.Handoff) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	o, ok := g.sessions[h.Session]
	if !ok || h.Script != g.base+"/static/checkout/checkout.min.js" || h.URL != "" {
		return fmt.Errorf("no session behind %+v", h)
	}
	g.orders[o.id] = o
	return nil
}

func (g *imitation) Decide(reference string, d railtest.Decision) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders[reference].decision = d
}

func (g *imitation) Notice(reference string) (card.Message, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o, ok := g.orders[reference]
	if !ok || o.decision.Verdict == railtest.Waiting {
		return card.Message{}, false
	}
	return notice(o.paid()), true
}

func notice(body m) card.Message {
	b, _ := json.Marshal(body)
	return card.Message{Method: http.MethodPost, Body: b, Header: http.Header{"Content-Type": {"application/json"}, "X-Notification-Secret": {webhookSecret}}}
}

func (g *imitation) Return(string) (card.Message, bool) {
	return card.Message{Method: http.MethodGet, Query: "resultIndicator=c2b7e1a7d4f64f3a&sessionVersion=0d4c1a3b01", Header: http.Header{}}, true
}

func (g *imitation) NextRefunds(v railtest.Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = v
}

func (g *imitation) SettleRefunds(v railtest.Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range g.orders {
		for _, r := range o.refunds {
			if r.verdict == railtest.Waiting {
				r.verdict = v
			}
		}
	}
}

func (g *imitation) Refunded() money.VND {
	g.mu.Lock()
	defer g.mu.Unlock()
	var sum int64
	for _, o := range g.orders {
		for _, r := range o.refunds {
			if r.verdict == railtest.Paid || r.verdict == railtest.Waiting {
				sum += r.amount
			}
		}
	}
	return money.VND(sum)
}
