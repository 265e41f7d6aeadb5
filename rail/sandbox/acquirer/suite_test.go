package acquirer

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

const testSecret = "8Zk2vQ7nR4tY1wX5bM9cD3fG6hJ0pL-s"

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func configOf(base string) []byte {
	b, _ := json.Marshal(Settings{BaseURL: base + "/sandbox/acquirer", Merchant: "DEMO", Secret: testSecret})
	return b
}

// played is the imitation as the suite directs it.
type played struct {
	*Acquirer
	t *testing.T

	mu         sync.Mutex
	complaints []string
}

func newPlayed(t *testing.T, base string) *played {
	a, err := New(Config{
		BaseURL: base, Merchants: map[string]string{"DEMO": testSecret, "OTHER001": testSecret}, Clock: clock.NewManual(railtest.AcquirerNow),
		Client: guard.New(guard.Options{AllowLoopback: true}), Log: silent(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &played{Acquirer: a, t: t}
}

func (p *played) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kept := httptest.NewRecorder()
	p.Acquirer.ServeHTTP(kept, r)
	// To be asked for an order that is not there is no fault of the asker's.
	if kept.Code >= 400 && kept.Code != http.StatusNotFound {
		p.mu.Lock()
		p.complaints = append(p.complaints, fmt.Sprintf("%s: %d %s", r.URL.Path, kept.Code, kept.Body))
		p.mu.Unlock()
	}
	for name, values := range kept.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(kept.Code)
	_, _ = w.Write(kept.Body.Bytes())
}

func (p *played) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.complaints
}

func (p *played) Arrive(h payment.Handoff) error {
	u, err := url.Parse(h.URL)
	if err != nil {
		return err
	}
	w := httptest.NewRecorder()
	p.Acquirer.ServeHTTP(w, httptest.NewRequest(http.MethodGet, u.RequestURI(), nil))
	if w.Code != http.StatusOK {
		return fmt.Errorf("the page answers %d", w.Code)
	}
	return nil
}

func (p *played) Decide(reference string, d railtest.Decision) {
	_, err := p.book.change(byReference("DEMO", reference), func(o *order) error {
		switch d.Verdict {
		case railtest.Paid:
			o.Result, o.PaidAt = Approved, railtest.AcquirerNow
		case railtest.Declined:
			o.Result = Declined
		case railtest.Odd:
			o.Result = "odd"
		}
		if d.Amount != 0 {
			o.Amount = d.Amount
		}
		if d.Merchant != "" {
			o.Merchant = d.Merchant
		}
		return nil
	})
	if err != nil {
		p.t.Error(err)
	}
}

func (p *played) order(reference string) order {
	o, ok := p.book.look(byReference("DEMO", reference), railtest.AcquirerNow)
	if !ok {
		p.t.Errorf("no order %s", reference)
	}
	return o
}

func (p *played) Notice(reference string) (card.Message, bool) {
	o := p.order(reference)
	body, err := seal(testSecret, nameNotice, p.word(o))
	if err != nil {
		p.t.Error(err)
	}
	return card.Message{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, o.Result != Waiting
}

func (p *played) Return(reference string) (card.Message, bool) {
	address, err := p.back(p.order(reference))
	if err != nil {
		p.t.Error(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		p.t.Error(err)
	}
	return card.Message{Method: http.MethodGet, Query: u.RawQuery, Header: http.Header{}}, true
}

func (p *played) NextRefunds(v railtest.Verdict) {
	plan := map[railtest.Verdict]RefundPlan{
		railtest.Paid: {Outcome: card.Done, Code: "00", Text: "refunded"}, railtest.Declined: {Outcome: card.Failed, Code: "05", Text: "refund denied"},
		railtest.Waiting: {Outcome: card.Pending, Code: "09", Text: "refund under way"}, railtest.Odd: {Outcome: "odd", Code: "??"},
	}[v]
	p.refundPlan = func(money.VND) RefundPlan { return plan }
}

func (p *played) SettleRefunds(v railtest.Verdict) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	for _, o := range p.book.orders {
		for i := range o.Refunds {
			r := &o.Refunds[i]
			if r.Outcome != card.Pending {
				continue
			}
			r.Outcome, r.Code, r.Text = card.Done, "00", "refunded"
			if v == railtest.Declined {
				r.Outcome, r.Code, r.Text = card.Failed, "05", "refund denied"
			}
		}
	}
}

func (p *played) Refunded() (sum money.VND) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	for _, o := range p.book.orders {
		sum += o.refunded()
	}
	return sum
}

func suiteCase(t *testing.T) railtest.AcquirerCase {
	ack := func(status int, body string) card.Answer {
		return card.Answer{Status: status, ContentType: "application/json; charset=utf-8", Body: []byte(body)}
	}
	return railtest.AcquirerCase{
		Connector: Connector{}, Config: configOf, Secrets: []string{testSecret},
		New:          func(base string) railtest.Imitation { return newPlayed(t, base) },
		MaxReference: maxReference, ReferenceChars: "0123456789abcdef-",
		Acks: []railtest.Ack{
			{Want: ack(200, `{"taken":true}`)},
			{Told: true, Want: ack(200, `{"taken":true,"known":true}`)},
			{Code: payment.CodeUnauthorized, Want: ack(401, `{"taken":false,"why":"unauthorized"}`)},
			{Code: payment.CodeInvalidRequest, Want: ack(400, `{"taken":false,"why":"invalid_request"}`)},
			{Code: payment.CodePaymentNotFound, Want: ack(404, `{"taken":false,"why":"payment_not_found"}`)},
			{Code: payment.CodeInvalidAmount, Want: ack(409, `{"taken":false,"why":"invalid_amount"}`)},
			{Code: payment.CodeConflict, Want: ack(409, `{"taken":false,"why":"conflict"}`)},
			{Code: payment.CodeInternal, Want: ack(503, `{"taken":false,"why":"internal"}`)},
		},
	}
}

func TestSuite(t *testing.T) { railtest.Acquirer(t, suiteCase(t)) }

func FuzzMessages(f *testing.F) {
	for _, m := range railtest.HostileMessages() {
		f.Add(m.Query, m.Body)
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		m := card.Message{Method: http.MethodPost, Query: query, Header: http.Header{}, Body: body}
		for _, problem := range railtest.HostileProblems(suiteCase(t), configOf("http://127.0.0.1"), m) {
			t.Error(problem)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	for _, body := range railtest.HostileAnswers {
		f.Add(200, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, problem := range railtest.AnswerProblems(suiteCase(t), configOf("http://127.0.0.1"), status, body) {
			t.Error(problem)
		}
	})
}
