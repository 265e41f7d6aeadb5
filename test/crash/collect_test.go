package crash

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// What the gateway shows of itself, by the admin API and the merchant's own look-ups.
type snapshot struct {
	payments      []shownPayment
	credits       []shownCredit
	notifications []shownNotification
	balance       trialBalance
	details       map[string]detail // by payment id
	found         map[string]checkout
}

type shownPayment struct {
	ID          string    `json:"payment_id"`
	MerchantID  string    `json:"merchant_id"`
	Reference   string    `json:"reference"`
	Version     int64     `json:"version"`
	State       string    `json:"state"`
	Method      string    `json:"method"`
	Amount      int64     `json:"amount"`
	Received    int64     `json:"amount_received"`
	Description string    `json:"description"`
	SuccessURL  string    `json:"success_url"`
	CancelURL   string    `json:"cancel_url"`
	IPNURL      string    `json:"ipn_url"`
	DueAt       time.Time `json:"due_at"`
}

type shownCredit struct {
	ID         string `json:"credit_id"`
	ExternalID string `json:"external_id"`
	Amount     int64  `json:"amount"`
	Outcome    string `json:"outcome"`
	PaymentID  string `json:"payment_id"`
	Applied    int64  `json:"amount_applied"`
	Unapplied  int64  `json:"amount_unapplied"`
}

type shownNotification struct {
	ID        string `json:"notification_id"`
	PaymentID string `json:"payment_id"`
	Version   int64  `json:"version"`
	State     string `json:"state"`
	LastError string `json:"last_error"`
}

type trialBalance struct {
	Accounts []struct {
		Account string `json:"account"`
		Debit   int64  `json:"debit"`
		Credit  int64  `json:"credit"`
	} `json:"accounts"`
	Sum int64 `json:"sum"`
}

// detail is what happened to one payment.
type detail struct {
	events  []shownEvent
	entries []shownEntry
}

type shownEvent struct {
	Version  int64     `json:"version"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	At       time.Time `json:"at"`
	CreditID string    `json:"credit_id"`
	Received int64     `json:"amount_received"`
}

type shownEntry struct {
	CreditID string `json:"credit_id"`
	Postings []struct {
		Account string `json:"account"`
		Debit   int64  `json:"debit"`
		Credit  int64  `json:"credit"`
	} `json:"postings"`
}

// collect asks a node for everything, and adds the notices to the history.
func (s *site) collect(n *node, h *history) *snapshot {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), reading(len(h.orders)))
	defer cancel()
	now := &snapshot{details: map[string]detail{}, found: map[string]checkout{}}
	var err error
	if now.payments, err = all[shownPayment](ctx, s, n, "/payments"); err != nil {
		s.t.Fatal(err)
	}
	if now.credits, err = all[shownCredit](ctx, s, n, "/bank-credits"); err != nil {
		s.t.Fatal(err)
	}
	if now.notifications, err = all[shownNotification](ctx, s, n, "/notifications"); err != nil {
		s.t.Fatal(err)
	}
	if err = s.get(ctx, n, "/ledger/trial-balance", &now.balance); err != nil {
		s.t.Fatal(err)
	}
	s.ask(ctx, n, h, now)
	var faults []string
	h.notices, faults = s.receiver.received()
	h.faults = append(h.faults, faults...)
	return now
}

// reading is how long it may take to ask for all about so many orders.
func reading(orders int) time.Duration {
	return 2*time.Minute + time.Duration(orders)*10*time.Millisecond
}

// all reads a list to its end.
func all[T any](ctx context.Context, s *site, n *node, path string) ([]T, error) {
	var items []T
	for cursor := ""; ; {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next_cursor"`
		}
		query := url.Values{"limit": {"200"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if err := s.get(ctx, n, path+"?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if cursor = page.Next; cursor == "" {
			return items, nil
		}
	}
}

// ask looks at each payment and each order.
func (s *site) ask(ctx context.Context, n *node, h *history, now *snapshot) {
	s.t.Helper()
	const workers = 4
	var group sync.WaitGroup
	var mu sync.Mutex
	jobs := make(chan func() error)
	for range workers {
		group.Go(func() {
			for job := range jobs {
				if err := job(); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	for _, p := range now.payments {
		jobs <- func() error {
			var d detail
			var err error
			if d.events, err = all[shownEvent](ctx, s, n, "/payments/"+p.ID+"/events"); err != nil {
				return err
			}
			if d.entries, err = all[shownEntry](ctx, s, n, "/payments/"+p.ID+"/journal"); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			now.details[p.ID] = d
			return nil
		}
	}
	merchant := &load{site: s, http: s.http, ctx: ctx, once: true}
	merchant.aim(n)
	for _, o := range h.orders {
		jobs <- func() error {
			found, _, _ := merchant.ask(mustJSON(map[string]string{"payment_id": o.reference}), "/v2/retrieve-payment")
			mu.Lock()
			defer mu.Unlock()
			now.found[o.reference] = found
			return nil
		}
	}
	close(jobs)
	group.Wait()
	h.faults = append(h.faults, merchant.history.faults...)
	s.http.Transport.(*http.Transport).CloseIdleConnections()
	if s.t.Failed() {
		s.t.FailNow()
	}
}
