package railtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

func (s *acquirerReport) references() {
	seen := map[string]string{}
	for range 2000 {
		a := s.attempt()
		reference := s.c.Connector.Reference(a)
		other := a
		other.Amount, other.Method, other.Number, other.PaymentID, other.MerchantID = 1, payment.COD, 9, "x", "y"
		other.ExpiresAt, other.State, other.Reference, other.ConnectorID = time.Time{}, payment.AttemptFailed, "z", "w"
		other.CreatedAt = a.CreatedAt.In(time.FixedZone("", -11*60*60))
		if s.c.Connector.Reference(a) != reference || s.c.Connector.Reference(other) != reference {
			s.failf("the reference of %s depends on more than ID and CreatedAt", a.ID)
		}
		if reference == "" || len(reference) > s.c.MaxReference || strings.Trim(reference, s.c.ReferenceChars) != "" {
			s.failf("reference %q", reference)
		}
		if was, twice := seen[reference]; twice {
			s.failf("%s and %s have the same reference", was, a.ID)
		}
		seen[reference] = a.ID
	}
}

// attempt makes a fresh attempt without a reference. Their IDs are of the same
// time, as those of busy moments are.
func (s *acquirerReport) attempt() payment.Attempt {
	s.serial++
	method := s.method
	if method == "" {
		method = s.c.Connector.Methods()[0]
	}
	return payment.Attempt{
		ID:        fmt.Sprintf("019cb9a0-1f5b-7%03x-8%03x-%012x", s.serial%7, s.serial%11, s.serial*0x1000193),
		PaymentID: fmt.Sprintf("019cb9a0-1f00-7000-8000-%012x", s.serial), MerchantID: "m", Number: 1,
		ConnectorID: "019cb9a0-0000-7000-8000-000000000001", Kind: s.c.Connector.Kind(), Method: method, Amount: suiteAmount,
		State: payment.AttemptCreating, CreatedAt: AcquirerNow, UpdatedAt: AcquirerNow, ExpiresAt: AcquirerNow.Add(30 * time.Minute),
	}
}

// stage is one imitation on its own server, with orders in it.
type stage struct {
	s      *acquirerReport
	play   Imitation
	server *httptest.Server
	doer   *Doer
	config []byte

	mu      sync.Mutex
	asked   int
	trouble func(w http.ResponseWriter, r *http.Request) bool // answers instead of the imitation
	spoil   func(body []byte) []byte                          // changes the imitation's answers
}

// stage opens an imitation, for as long as fn runs.
func (s *acquirerReport) stage(fn func(st *stage)) {
	st := &stage{s: s}
	st.server = httptest.NewServer(http.HandlerFunc(st.serve))
	defer st.server.Close()
	st.config = s.c.Config(st.server.URL)
	st.play = s.c.New(st.server.URL)
	st.doer = &Doer{Timeout: 5 * time.Second, Limit: 64 * 1024}
	defer st.doer.Close()
	fn(st)
	for _, complaint := range st.play.Complaints() {
		s.failf("the acquirer complains: %s", complaint)
	}
}

func (st *stage) serve(w http.ResponseWriter, r *http.Request) {
	st.mu.Lock()
	st.asked++
	trouble, spoil := st.trouble, st.spoil
	st.mu.Unlock()
	if trouble != nil && trouble(w, r) {
		return
	}
	if spoil == nil {
		st.play.ServeHTTP(w, r)
		return
	}
	kept := httptest.NewRecorder()
	st.play.ServeHTTP(kept, r)
	maps.Copy(w.Header(), kept.Header())
	w.WriteHeader(kept.Code)
	_, _ = w.Write(spoil(kept.Body.Bytes()))
}

func (st *stage) requests() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.asked
}

func (st *stage) troubled(trouble func(http.ResponseWriter, *http.Request) bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.trouble = trouble
}

func (st *stage) spoiled(spoil func([]byte) []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.spoil = spoil
}

func (st *stage) dealing(now time.Time, attemptID string) card.Dealing {
	return card.Dealing{Config: st.config, HTTP: st.doer, Now: now, ReturnURL: suiteReturnURL + attemptID, NotifyURL: suiteNotifyURL}
}

func (st *stage) order() card.Order {
	a := st.s.attempt()
	a.Reference = st.s.c.Connector.Reference(a)
	return card.Order{Attempt: a, Description: "Thanh toán đơn hàng :5", Language: "vi", PayerIP: "203.0.113.7", Merchant: "Cửa hàng Lê & Sơn"}
}

// create makes an order and lets the payer arrive.
func (st *stage) create(o card.Order) (payment.Attempt, bool) {
	s := st.s
	created, err := s.c.Connector.Create(context.Background(), st.dealing(AcquirerNow, o.Attempt.ID), o)
	s.failed("Create", err)
	if err != nil {
		s.failf("Create: %v", err)
		return payment.Attempt{}, false
	}
	s.handoff(created.Handoff)
	if err := st.play.Arrive(created.Handoff); err != nil {
		s.failf("the payer arrives at the acquirer: %v", err)
		return payment.Attempt{}, false
	}
	a := o.Attempt
	a.Handoff, a.ExternalID, a.State = created.Handoff, created.ExternalID, payment.AttemptSent
	return a, true
}

func (s *acquirerReport) handoff(h payment.Handoff) {
	texts := []string{h.URL, h.QR, h.App, h.Script, h.Session}
	for name, value := range h.Fields {
		texts = append(texts, name, value)
	}
	for _, text := range texts {
		s.silent("the handoff", text)
		if !utf8.ValidString(text) || len(text) > 8000 {
			s.failf("the handoff has %.100q", text)
		}
	}
	if h.Session != "" && h.Script != "" {
		return
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		s.failf("the handoff's address is %q", h.URL)
	}
}

func (s *acquirerReport) orders() {
	for _, method := range s.c.Connector.Methods() {
		s.method = method
		s.ordersBy()
	}
	s.method = ""
}

func (s *acquirerReport) ordersBy() {
	s.stage(func(st *stage) {
		for _, language := range []string{"vi", "en"} {
			for _, verdict := range []Verdict{Paid, Declined} {
				o := st.order()
				o.Language = language
				a, ok := st.create(o)
				if !ok {
					return
				}
				st.play.Decide(a.Reference, Decision{Verdict: verdict})
				want := map[Verdict]card.Outcome{Paid: card.Done, Declined: card.Failed}[verdict]
				if m, ok := st.play.Notice(a.Reference); ok {
					r, err := s.c.Connector.VerifyNotify(st.dealing(AcquirerNow, a.ID), m)
					s.told("VerifyNotify", r, err, a, s.noticed(want))
				} else if verdict == Paid {
					s.failf("the imitation sends no notice of money")
				}
				if m, ok := st.play.Return(a.Reference); ok && !s.c.UnsignedReturns {
					r, err := s.c.Connector.VerifyReturn(st.dealing(AcquirerNow, a.ID), m)
					s.told("VerifyReturn", r, err, a, want)
				}
				r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
				s.told("Query", r, err, a, want)
			}
		}
	})
}

// noticed is what a notice of an outcome is reported as.
func (s *acquirerReport) noticed(o card.Outcome) card.Outcome {
	if s.c.HintNotices {
		return card.Pending
	}
	return o
}

// told checks an acquirer's word of an attempt.
func (s *acquirerReport) told(where string, r card.Report, err error, a payment.Attempt, want card.Outcome) {
	s.failed(where, err)
	if err != nil {
		s.failf("%s: %v", where, err)
		return
	}
	s.sound(where, r)
	switch {
	case r.Outcome != want:
		s.failf("%s says %s, want %s (%s %s)", where, r.Outcome, want, r.Code, r.Text)
	case r.Reference != a.Reference:
		s.failf("%s tells of %q, want %q", where, r.Reference, a.Reference)
	case r.Amount != a.Amount && (want == card.Done || r.Amount != 0):
		s.failf("%s says %d đồng, want %d", where, r.Amount, a.Amount)
	case r.Currency != "" && r.Currency != "VND":
		s.failf("%s says currency %q", where, r.Currency)
	case want == card.Done && r.ExternalID == "" && where != "VerifyReturn": // a return settles nothing
		s.failf("%s names no transaction of the acquirer's", where)
	}
}

// oddOrders are what merchants and payers send that no acquirer wants to see.
func (s *acquirerReport) oddOrders() {
	s.stage(func(st *stage) {
		for _, text := range []string{
			"", " ", "Đặt cọc – 50% “Áo dài”", "a&b=c?d#e%20f+g~h*i|j", "\x00\n\t", "\xff\xfe", "💳", strings.Repeat("Thanh toán ", 400), strings.Repeat("&vpc_TxnResponseCode=0", 40),
			`<script>alert("1")</script>`, "&vnp_ResponseCode=00&",
		} {
			o := st.order()
			o.Description, o.Merchant, o.PayerIP = text, text, text
			st.create(o)
		}
		for _, ip := range []string{"2001:db8:85a3::8a2e:370:7334", "::ffff:203.0.113.7", "fe80::1%eth0", "256.1.1.1"} {
			o := st.order()
			o.PayerIP, o.Language = ip, "fr"
			st.create(o)
		}
		for _, amount := range []money.VND{0, -1, money.Max, money.Max/100 + 1} {
			o := st.order()
			o.Attempt.Amount = amount
			_, err := s.c.Connector.Create(context.Background(), st.dealing(AcquirerNow, o.Attempt.ID), o)
			s.failed("Create", err)
			if err == nil || errors.Is(err, card.ErrUncertain) {
				s.failf("Create of %d đồng: %v", amount, err)
			}
		}
		for _, config := range []string{"", "{}", "null", `{"x":1}`} {
			o := st.order()
			d := st.dealing(AcquirerNow, o.Attempt.ID)
			d.Config = []byte(config)
			_, err := s.c.Connector.Create(context.Background(), d, o)
			s.failed("Create", err)
			if err == nil || errors.Is(err, card.ErrUncertain) {
				s.failf("Create with the configuration %q: %v", config, err)
			}
		}
	})
}
