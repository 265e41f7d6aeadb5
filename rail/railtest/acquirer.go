package railtest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// AcquirerCase is what the suite for acquirers needs to know of a connector.
type AcquirerCase struct {
	Connector card.Connector

	// Config is a sound configuration whose addresses are all at base, with
	// every member that there is.
	Config func(base string) []byte
	// Optional are the members of Config that may be left out.
	Optional []string
	// Secrets are texts in Config that nothing may show.
	Secrets []string

	// New makes an imitation of the acquirer that knows Config. It is asked
	// for a fresh one now and then; base is where it is served.
	New func(base string) Imitation

	MaxReference   int    // characters
	ReferenceChars string // every character that a reference may have

	// Acks are the exact answers to notices. There is one at least for each
	// of: taken in, told before, CodeUnauthorized, CodeInvalidRequest,
	// CodePaymentNotFound, CodeInvalidAmount, CodeConflict, CodeInternal.
	Acks []Ack

	// UnsignedNotices says that a header proves the sender and nothing
	// protects the body (MPGS). UnsignedAnswers, that answers to queries and
	// refunds carry no signature. UnsignedReturns, that what the browser
	// brings back proves nothing, so that VerifyReturn may accept anything.
	UnsignedNotices, UnsignedAnswers, UnsignedReturns bool

	// HintNotices says that a notice is no more than a reason to ask: it is
	// reported as Pending, whatever it says.
	HintNotices bool
}

// Ack is the exact answer to one kind of notice.
type Ack struct {
	Told bool
	Code payment.Code // "" for a notice that was taken in
	Want card.Answer
}

// Verdict is what an imitation has decided.
type Verdict string

// The verdicts.
const (
	Waiting  Verdict = "waiting" // nothing yet; where every order starts
	Paid     Verdict = "paid"
	Declined Verdict = "declined"
	Odd      Verdict = "odd" // a code that the acquirer's documents do not have
)

// Decision is what becomes of an order.
type Decision struct {
	Verdict  Verdict
	Amount   money.VND // what the acquirer says was paid; 0 for what was ordered
	Merchant string    // whom it names in its messages; "" for ours
}

// Imitation plays an acquirer. As a handler it is the acquirer's API, and it
// answers as the acquirer does. Whatever is wrong with a request, its signature
// above all, it answers as the acquirer would and complains of.
type Imitation interface {
	http.Handler

	// Complaints lists what was wrong with the requests so far.
	Complaints() []string
	// Arrive is the payer coming to the acquirer with what Create gave. From
	// then on there is an order.
	Arrive(h payment.Handoff) error
	// Decide settles an order.
	Decide(reference string, d Decision)
	// Notice and Return are what the acquirer sends about an order that was
	// decided. ok is false where it sends nothing of the kind.
	Notice(reference string) (m card.Message, ok bool)
	Return(reference string) (m card.Message, ok bool)
}

// RefundImitation is the Imitation for a connector that is a card.Refunder.
type RefundImitation interface {
	Imitation
	// NextRefunds says what becomes of the refunds asked for from now on:
	// Paid at once, Declined, Waiting, or Odd.
	NextRefunds(v Verdict)
	// SettleRefunds decides those that are Waiting.
	SettleRefunds(v Verdict)
	// Refunded is how much was given back in all, refunds that wait included.
	Refunded() money.VND
}

// AcquirerNow is the present moment in the suite: just past midnight in Vietnam
// and the day before in UTC.
var AcquirerNow = time.Date(2026, 3, 4, 17, 6, 7, 0, time.UTC)

const (
	suiteReturnURL = "https://pay.example.vn/acquirers/019cb9a0-0000-7000-8000-000000000001/return/"
	suiteNotifyURL = "https://pay.example.vn/acquirers/019cb9a0-0000-7000-8000-000000000001/notify"
	suiteAmount    = money.VND(1_806_000)
)

// Acquirer runs the suite for acquirers.
func Acquirer(t *testing.T, c AcquirerCase) {
	t.Helper()
	for _, problem := range CheckAcquirer(c) {
		t.Error(problem)
	}
}

// CheckAcquirer returns what is wrong with a connector. It makes the parts of the
// suite that are named, or all.
func CheckAcquirer(c AcquirerCase, only ...string) []string {
	s := &acquirerReport{c: c}
	for _, part := range []struct {
		name string
		fn   func()
	}{
		{"configuration", s.configuration},
		{"references", s.references},
		{"acknowledgements", s.acknowledgements},
		{"orders", s.orders},
		{"odd orders", s.oddOrders},
		{"create in trouble", s.createTrouble},
		{"notices", s.notices},
		{"altered notices", s.alteredNotices},
		{"altered returns", s.alteredReturns},
		{"hostile messages", s.hostile},
		{"queries", s.queries},
		{"queries in trouble", s.queryTrouble},
		{"altered answers", s.alteredAnswers},
		{"refunds", s.refunds},
		{"refunds in trouble", s.refundTrouble},
		{"concurrent use", s.concurrent},
	} {
		if len(only) == 0 || slices.Contains(only, part.name) {
			s.check(part.name, part.fn)
		}
	}
	return s.problems
}

type acquirerReport struct {
	c        AcquirerCase
	method   payment.Method
	serial   int
	problems []string
}

func (s *acquirerReport) failf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(s.problems) < 50 && !slices.Contains(s.problems, text) {
		s.problems = append(s.problems, text)
	}
}

// check runs a part and makes a panic a problem.
func (s *acquirerReport) check(part string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			s.failf("%s: panic: %v", part, p)
		}
	}()
	fn()
}

// silent fails when a text shows a secret.
func (s *acquirerReport) silent(where, text string) {
	for _, secret := range s.c.Secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), fmt.Sprintf("%q", secret)} {
			if strings.Contains(text, form) {
				s.failf("%s shows a secret", where)
			}
		}
	}
}

// failed checks an error, which may be nil.
func (s *acquirerReport) failed(where string, err error) {
	if err == nil {
		return
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		s.silent(where+"'s error", e.Error())
	}
	if !utf8.ValidString(err.Error()) || len(err.Error()) > 1000 {
		s.failf("%s's error is long or not UTF-8", where)
	}
}

// sound checks what holds for every report.
func (s *acquirerReport) sound(where string, r card.Report) {
	for name, text := range map[string]string{"Reference": r.Reference, "ExternalID": r.ExternalID, "Code": r.Code, "Text": r.Text, "Currency": r.Currency, "Merchant": r.Merchant} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 500 {
			s.failf("%s: %s is %q", where, name, text)
		}
		s.silent(where+"'s "+name, text)
	}
	if !slices.Contains([]card.Outcome{card.Done, card.Failed, card.Pending, card.Unknown}, r.Outcome) {
		s.failf("%s: outcome %q", where, r.Outcome)
	}
	if r.Outcome != card.Done && r.Text == "" {
		s.failf("%s: %s without a text for an operator", where, r.Outcome)
	}
	if r.Amount < 0 {
		s.failf("%s: amount %d", where, r.Amount)
	}
	if !r.At.IsZero() && r.At.Location() != time.UTC {
		s.failf("%s: a time that is not in UTC", where)
	}
}

func (s *acquirerReport) concurrent() {
	s.decided(Decision{Verdict: Paid}, func(st *stage, a payment.Attempt) {
		m, ok := st.play.Notice(a.Reference)
		if !ok {
			return
		}
		d := st.dealing(AcquirerNow, a.ID)
		want, _ := s.c.Connector.VerifyNotify(d, m)
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 8 {
			wg.Go(func() {
				for range 20 {
					got, err := s.c.Connector.VerifyNotify(d, m)
					if err != nil || !reflect.DeepEqual(got, want) {
						mu.Lock()
						s.failf("at once: %+v, %v", got, err)
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
	})
}
