package crash

import (
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// notice is an IPN that the merchant received.
type notice struct {
	MID     string      `json:"mid"`
	Payment wirePayment `json:"payment"`
}

// wirePayment is a payment as the Paykit protocol shows it.
type wirePayment struct {
	ID       string  `json:"id"`
	Method   string  `json:"payment_method"`
	Total    float64 `json:"total_amount"` // whole đồng below 2^53: exact
	Captured float64 `json:"captured_amount"`
	Currency string  `json:"currency"`
	Status   string  `json:"status"`
	Result   string  `json:"result"`
	DueTime  string  `json:"due_time"`
}

// receiver is the merchant's end of the notifications, behind TLS so that it gets the full body.
type receiver struct {
	server *httptest.Server
	port   string
	mid    string
	secret string

	mu      sync.Mutex
	seen    map[string]bool      // request ids
	first   map[string]time.Time // when a payment was first told of, by its id
	notices []notice
	faults  []string
}

func newReceiver(t *testing.T, mid, secret string) *receiver {
	t.Helper()
	r := &receiver{mid: mid, secret: secret, seen: map[string]bool{}, first: map[string]time.Time{}}
	r.server = httptest.NewUnstartedServer(r)
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0) // killed senders break off
	r.server.StartTLS()
	t.Cleanup(r.server.Close)
	u, err := url.Parse(r.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.port = u.Port()
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		// The sender was killed in the middle: nothing was received.
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var n notice
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := json.Unmarshal(body, &n); err != nil {
		r.faults = append(r.faults, "a notice is not JSON: "+string(body))
	}
	if id := req.Header.Get("request-id"); id == "" || r.seen[id] {
		r.faults = append(r.faults, "request-id "+id+" is not unique")
	} else {
		r.seen[id] = true
	}
	if req.Header.Get("secret-key") != r.secret || n.MID != r.mid {
		r.faults = append(r.faults, "a notice does not prove its sender: "+string(body))
	}
	r.notices = append(r.notices, n)
	if _, told := r.first[n.Payment.ID]; !told {
		r.first[n.Payment.ID] = time.Now()
	}
}

// received is everything so far.
func (r *receiver) received() ([]notice, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices), slices.Clone(r.faults)
}

// requests are the ids of all that arrived.
func (r *receiver) requests() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.seen)
}

// arrivals say when each payment was first told of.
func (r *receiver) arrivals() map[string]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.first)
}
