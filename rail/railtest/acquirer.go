package railtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
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

// ---- Configurations

func (s *acquirerReport) configuration() {
	k := s.c.Connector
	if k.Kind() == "" || k.Kind() != strings.ToLower(k.Kind()) || len(k.Methods()) == 0 {
		s.failf("kind %q, methods %v", k.Kind(), k.Methods())
	}
	sound := s.c.Config("https://acquirer.example.vn")
	if err := k.CheckConfig(sound); err != nil {
		s.failf("the sound configuration is refused: %v", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(sound, &members); err != nil {
		s.failf("the sound configuration is not a JSON object: %v", err)
		return
	}
	for _, secret := range s.c.Secrets {
		if !bytes.Contains(sound, []byte(secret)) {
			s.failf("a secret of the case is not in its configuration")
		}
	}
	refused := func(why string, config []byte) {
		err := k.CheckConfig(config)
		if err == nil {
			s.failf("CheckConfig accepts %s", why)
		} else if payment.CodeOf(err) != payment.CodeInvalidRequest {
			s.failf("CheckConfig's error for %s has the code %s", why, payment.CodeOf(err))
		}
		s.failed("CheckConfig", err)
	}
	with := func(name string, value string) []byte {
		changed := maps.Clone(members)
		if value == "" {
			delete(changed, name)
		} else {
			changed[name] = json.RawMessage(value)
		}
		b, err := json.Marshal(changed)
		if err != nil {
			s.failf("%v", err)
		}
		return b
	}
	for name, value := range members {
		optional := slices.Contains(s.c.Optional, name)
		switch err := k.CheckConfig(with(name, "")); {
		case optional && err != nil:
			s.failf("a configuration without %s is refused: %v", name, err)
		case !optional:
			refused("a configuration without "+name, with(name, ""))
		}
		wrong := []string{"[]", "{}", "1.5", `["x"]`, `[` + string(value) + `]`}
		if value[0] == '"' {
			wrong = append(wrong, "true", "12345678")
		}
		if !optional {
			wrong = append(wrong, "null", `""`, `" "`, `"\u0000"`, `"`+strings.Repeat("x", 5000)+`"`)
		}
		for _, w := range wrong {
			refused(fmt.Sprintf("%s = %.40s", name, w), with(name, w))
		}
		refused("a misspelt "+name, with(name+"x", string(value)))
	}
	refused("an unknown member", with("unknown", "1"))
	for _, text := range []string{"", " ", "null", "[]", `""`, "1", "{}", "{", string(sound) + "{}", string(sound) + "x", "\xff", strings.Repeat("[", 10_000)} {
		refused(fmt.Sprintf("%.40q", text), []byte(text))
	}
	// A broken configuration with the secrets in it.
	refused("a cut configuration", sound[:len(sound)-1])
}

// ---- References

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

// ---- Acknowledgements

func (s *acquirerReport) acknowledgements() {
	have := map[string]bool{}
	var taken card.Answer
	for _, a := range s.c.Acks {
		var err error
		if a.Code != "" {
			err = &payment.Error{Code: a.Code, Text: "a reason", Cause: errors.New("the inside")}
		}
		got := s.c.Connector.Acknowledge(a.Told, err)
		if got.Status != a.Want.Status || got.ContentType != a.Want.ContentType || !bytes.Equal(got.Body, a.Want.Body) {
			s.failf("acknowledge(%v, %q) is %d %s %q, want %d %s %q", a.Told, a.Code, got.Status, got.ContentType, got.Body, a.Want.Status, a.Want.ContentType, a.Want.Body)
		}
		if a.Code == "" && !a.Told {
			taken = got
		}
		have[fmt.Sprintf("%v %s", a.Told, a.Code)] = true
	}
	for _, want := range []string{
		"false ", "true ", "false unauthorized", "false invalid_request", "false payment_not_found", "false invalid_amount", "false conflict", "false internal",
	} {
		if !have[want] {
			s.failf("the case has no exact answer for %s", want)
		}
	}
	errs := []error{errors.New("the inside")}
	for _, code := range payment.Codes {
		errs = append(errs, &payment.Error{Code: code, Text: "a reason", Cause: errors.New("the inside")})
	}
	for _, err := range errs {
		for _, told := range []bool{false, true} {
			a := s.c.Connector.Acknowledge(told, err)
			if a.Status < 200 || a.Status > 599 || a.Status >= 300 && a.Status < 400 {
				s.failf("status %d for %v", a.Status, err)
			}
			if bytes.Contains(a.Body, []byte("the inside")) {
				s.failf("the answer shows the inside: %s", a.Body)
			}
			if strings.Contains(a.ContentType, "json") && !json.Valid(a.Body) {
				s.failf("the answer to %v is no JSON: %s", err, a.Body)
			}
		}
	}
	for _, code := range []payment.Code{payment.CodeUnauthorized, payment.CodeInternal, payment.CodeBusy} {
		a := s.c.Connector.Acknowledge(false, payment.Fail(code, ""))
		if a.Status == taken.Status && bytes.Equal(a.Body, taken.Body) {
			s.failf("%s is acknowledged like a notice that was taken in: the acquirer will not tell again", code)
		}
	}
}

// ---- Orders

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

// ---- Trouble

// turnedAway are the troubles that a connector may take for a refusal: nobody
// has read the request.
var turnedAway = []string{"HTTP 302", "HTTP 403", "HTTP 404"}

// troubles answer instead of the acquirer.
func troubles() map[string]func(http.ResponseWriter, *http.Request) bool {
	answer := func(status int, contentType, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	list := map[string]func(http.ResponseWriter, *http.Request) bool{
		"HTTP 500":         answer(500, "text/html", "<h1>Server Error</h1>"),
		"HTTP 502 of JSON": answer(502, "application/json", `{"message":"x"}`),
		"HTTP 503":         answer(503, "text/plain", ""),
		"HTTP 302":         answer(302, "text/plain", ""),
		"HTTP 403":         answer(403, "text/html", "<h1>Forbidden</h1>"),
		"HTTP 404":         answer(404, "text/plain", "404 page not found"),
		"a broken line": func(http.ResponseWriter, *http.Request) bool {
			panic(http.ErrAbortHandler)
		},
		"an endless body": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"x":"`))
			for range 1000 {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
					break
				}
			}
			return true
		},
	}
	for _, body := range HostileAnswers {
		list[fmt.Sprintf("the answer %.40q", body)] = answer(200, "application/json", body)
	}
	return list
}

// HostileAnswers are bodies that answer no question of ours.
var HostileAnswers = []string{
	"", " ", "null", "true", "0", `""`, "[]", "{}", "[{}]", "{", "\xff\xfe", "\x00", "<html></html>", "a=b&c", "%", "&&&==", "vpc_DRExists=Y", "vpc_DRExists=N&vpc_DRExists=Y",
	`{"vnp_ResponseCode":"00"}`, `{"vnp_ResponseCode":{}}`, `{"vnp_ResponseCode":null,"vnp_SecureHash":null}`, `{"resultCode":"0"}`, `{"resultCode":0}`, `{"resultCode":null}`,
	`{"return_code":"1"}`, `{"return_code":1}`, `{"result":"SUCCESS"}`, `{"result":{}}`, `{"resultCode":1e400}`, `{"return_code":1.0e0}`, `{"a":1}{"b":2}`, `{"\ud800":"\ud800"}`,
	strings.Repeat("[", 30_000), strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000), `{"amount":` + strings.Repeat("9", 30_000) + `}`,
}

var errLine = errors.New("the line went dead")

// createTrouble is for connectors that ask the acquirer in Create.
func (s *acquirerReport) createTrouble() {
	s.stage(func(st *stage) {
		before := st.requests()
		if _, ok := st.create(st.order()); !ok || st.requests() == before {
			return
		}
		try := func(why string, uncertain bool) {
			o := st.order()
			_, err := s.c.Connector.Create(context.Background(), st.dealing(AcquirerNow, o.Attempt.ID), o)
			s.failed("Create", err)
			if err == nil || errors.Is(err, card.ErrUncertain) != uncertain && !slices.Contains(turnedAway, why) {
				s.failf("Create after %s: %v", why, err)
			}
		}
		for why, trouble := range troubles() {
			st.troubled(trouble)
			try(why, true)
		}
		st.troubled(nil)
		st.doer.Lose(true)
		try("an answer that was lost", true)
		st.doer.Lose(false)
		st.doer.Refuse(true)
		try("no connection", false)
		st.doer.Refuse(false)
	})
}

// ---- Notices

// decided runs fn for a fresh order that was decided.
func (s *acquirerReport) decided(d Decision, fn func(st *stage, a payment.Attempt)) {
	s.stage(func(st *stage) {
		a, ok := st.create(st.order())
		if !ok {
			return
		}
		st.play.Decide(a.Reference, d)
		fn(st, a)
	})
}

func (s *acquirerReport) notices() {
	verify := func(st *stage, now time.Time, a payment.Attempt, m card.Message) (card.Report, error) {
		body, header := bytes.Clone(m.Body), m.Header.Clone()
		r, err := s.c.Connector.VerifyNotify(st.dealing(now, a.ID), m)
		if !bytes.Equal(body, m.Body) || !reflect.DeepEqual(header, m.Header) {
			s.failf("VerifyNotify changed the message")
		}
		s.failed("VerifyNotify", err)
		return r, err
	}
	s.decided(Decision{Verdict: Paid}, func(st *stage, a payment.Attempt) {
		m, ok := st.play.Notice(a.Reference)
		if !ok {
			return
		}
		first, err := verify(st, AcquirerNow, a, m)
		s.told("VerifyNotify", first, err, a, s.noticed(card.Done))
		again, err := verify(st, AcquirerNow.Add(72*time.Hour), a, m)
		if err != nil || !reflect.DeepEqual(first, again) {
			s.failf("the same notice, late: %+v, %v, want %+v", again, err, first)
		}
		// Another merchant's key.
		for _, secret := range s.c.Secrets {
			other := bytes.ReplaceAll(st.config, []byte(secret), []byte(swapCase(secret)))
			d := st.dealing(AcquirerNow, a.ID)
			d.Config = other
			r, err := s.c.Connector.VerifyNotify(d, m)
			s.failed("VerifyNotify", err)
			if err == nil && !reflect.DeepEqual(r, first) {
				s.failf("with another key, the notice says %+v", r)
			}
		}
	})
	s.decided(Decision{Verdict: Paid, Amount: suiteAmount - 1000}, func(st *stage, a payment.Attempt) {
		if m, ok := st.play.Notice(a.Reference); ok {
			r, err := verify(st, AcquirerNow, a, m)
			a.Amount = suiteAmount - 1000
			s.told("VerifyNotify of another amount", r, err, a, s.noticed(card.Done))
		}
	})
	s.decided(Decision{Verdict: Paid, Merchant: "OTHER001"}, func(st *stage, a payment.Attempt) {
		if m, ok := st.play.Notice(a.Reference); ok {
			if r, err := verify(st, AcquirerNow, a, m); err == nil {
				s.failf("a notice for another merchant is accepted: %+v", r)
			}
		}
	})
	s.decided(Decision{Verdict: Odd}, func(st *stage, a payment.Attempt) {
		if m, ok := st.play.Notice(a.Reference); ok {
			r, err := verify(st, AcquirerNow, a, m)
			s.told("VerifyNotify of an odd code", r, err, a, s.noticed(card.Unknown))
		}
	})
}

func (s *acquirerReport) alteredNotices() {
	for _, verdict := range []Verdict{Paid, Declined} {
		s.decided(Decision{Verdict: verdict}, func(st *stage, a payment.Attempt) {
			if m, ok := st.play.Notice(a.Reference); ok {
				s.altered("VerifyNotify", m, !s.c.UnsignedNotices, func(m card.Message) (card.Report, error) {
					return s.c.Connector.VerifyNotify(st.dealing(AcquirerNow, a.ID), m)
				})
			}
		})
	}
}

func (s *acquirerReport) alteredReturns() {
	if s.c.UnsignedReturns {
		return
	}
	for _, verdict := range []Verdict{Paid, Declined} {
		s.decided(Decision{Verdict: verdict}, func(st *stage, a payment.Attempt) {
			if m, ok := st.play.Return(a.Reference); ok {
				s.altered("VerifyReturn", m, true, func(m card.Message) (card.Report, error) {
					return s.c.Connector.VerifyReturn(st.dealing(AcquirerNow, a.ID), m)
				})
			}
		})
	}
}

// altered changes each byte of a message, leaves each parameter out and doubles
// it. What is still accepted has to say the very same: it changed nothing that
// matters.
func (s *acquirerReport) altered(where string, good card.Message, signed bool, verify func(card.Message) (card.Report, error)) {
	want, err := verify(good)
	if err != nil {
		s.failf("%s: %v", where, err)
		return
	}
	try := func(how string, m card.Message) {
		s.check(where+" "+how, func() {
			r, err := verify(m)
			s.failed(where, err)
			if err == nil && !reflect.DeepEqual(r, want) {
				s.failf("%s accepts a message with %s: %+v, was %+v", where, how, r, want)
			}
			if code := payment.CodeOf(err); err != nil && code != payment.CodeUnauthorized && code != payment.CodeInvalidRequest {
				s.failf("%s's error for a message with %s has the code %s", where, how, code)
			}
		})
	}
	flips := func(text string, fn func(changed string, i int)) {
		for i := range len(text) {
			for _, bit := range []byte{1, 2, 16, 32} {
				b := []byte(text)
				b[i] ^= bit
				fn(string(b), i)
			}
		}
		for i := range len(text) {
			fn(text[:i], i)
		}
	}
	if signed {
		flips(good.Query, func(q string, i int) {
			m := good
			m.Query = q
			try(fmt.Sprintf("byte %d of the query changed to %.300q", i, q), m)
		})
		flips(string(good.Body), func(b string, i int) {
			m := good
			m.Body = []byte(b)
			try(fmt.Sprintf("byte %d of the body changed to %.300q", i, b), m)
		})
		for how, q := range pairsAltered(good.Query) {
			m := good
			m.Query = q
			try(how, m)
		}
		bodies := pairsAltered(string(good.Body))
		if json.Valid(good.Body) {
			bodies = membersAltered(good.Body)
		}
		for how, b := range bodies {
			m := good
			m.Body = []byte(b)
			try(how, m)
		}
	}
	for name, values := range good.Header {
		if name == "Content-Type" {
			continue
		}
		with := func(how string, values ...string) {
			m := good
			m.Header = good.Header.Clone()
			m.Header[name] = values
			if r, err := verify(m); err == nil {
				s.failf("%s accepts a message with %s: %+v", where, how, r)
			}
		}
		flips(values[0], func(v string, i int) {
			if !strings.EqualFold(v, values[0]) { // hexadecimal is read in either case
				with(fmt.Sprintf("byte %d of the header %s changed", i, name), v)
			}
		})
		with("no header " + name)
		with("two headers "+name, values[0], values[0])
	}
	if good.Method != "" {
		m := good
		m.Method = map[string]string{"GET": "POST", "POST": "GET"}[good.Method]
		try("another HTTP method", m)
	}
}

// pairsAltered leaves out and doubles each pair of a query or form.
func pairsAltered(text string) map[string]string {
	changed := map[string]string{}
	if text == "" {
		return changed
	}
	pairs := strings.Split(text, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		without := slices.Delete(slices.Clone(pairs), i, i+1)
		changed["without "+name] = strings.Join(without, "&")
		for how, extra := range map[string]string{
			"doubled": pair, "with another value behind": name + "=" + value + "0", "with an empty one behind": name + "=", "with zeros behind": name + "=00",
		} {
			changed[name+" "+how] = strings.Join(append(slices.Clone(pairs), extra), "&")
			changed[name+" "+how+", in front"] = strings.Join(append([]string{extra}, pairs...), "&")
		}
		empty := slices.Clone(pairs)
		empty[i] = name + "="
		changed["an empty "+name] = strings.Join(empty, "&")
		merged := slices.Clone(pairs)
		if i+1 < len(pairs) {
			// One value that holds the next pair: the same text where values are signed unescaped.
			merged[i] = pair + "%26" + strings.ReplaceAll(pairs[i+1], "=", "%3D")
			changed[name+" swallowing the next"] = strings.Join(slices.Delete(merged, i+1, i+2), "&")
		}
	}
	return changed
}

// membersAltered leaves out and doubles each member of a JSON object, and gives
// it other types.
func membersAltered(body []byte) map[string]string {
	changed := map[string]string{}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return changed
	}
	marshal := func(m map[string]json.RawMessage) string {
		b, _ := json.Marshal(m)
		return string(b)
	}
	inner := strings.TrimSuffix(strings.TrimSpace(string(body)), "}")
	for name := range members {
		without := maps.Clone(members)
		delete(without, name)
		changed["without "+name] = marshal(without)
		for _, value := range []string{"null", `""`, "0", "1", `"0"`, "[]", "{}", "true", "1e400", "99999999999999999999", `"\u0000"`} {
			other := maps.Clone(members)
			other[name] = json.RawMessage(value)
			changed[name+" = "+value] = marshal(other)
			changed[name+" again as "+value] = fmt.Sprintf("%s,%q:%s}", inner, name, value)
		}
	}
	return changed
}

func swapCase(text string) string {
	b := []byte(text)
	for i, c := range b {
		switch {
		case c >= '0' && c <= '8':
			b[i] = c + 1
		case c == '9':
			b[i] = '0'
		}
	}
	if string(b) == text {
		b[0] ^= 1
	}
	return string(b)
}

// ---- Hostile messages

// HostileMessages are what strangers may send to the addresses for notices and
// returns.
func HostileMessages() []card.Message {
	var all []card.Message
	texts := append(slices.Clone(HostileAnswers),
		"vnp_SecureHash=", "vnp_SecureHash=00&vnp_Amount=1", "vnp_Amount=1&vnp_SecureHash="+strings.Repeat("0", 128), "vnp_=&vnp_SecureHash=%zz", "vnp_SecureHash;vnp_Amount",
		"vpc_SecureHash=", "vpc_SecureHash="+strings.Repeat("0", 64), "vpc_TxnResponseCode=0&vpc_SecureHash=%", strings.Repeat("a=b&", 20_000), strings.Repeat("%", 10_000),
		`{"data":"{}","mac":"x","type":1}`, `{"data":null,"mac":null}`, `{"data":"null","mac":""}`, `{"partnerCode":"x","signature":"x"}`, `{"signature":{}}`,
		`{"order":{"id":"x","amount":1},"result":"SUCCESS"}`, `{"order":null}`,
	)
	for _, text := range texts {
		all = append(all,
			card.Message{Method: http.MethodGet, Query: text, Header: http.Header{}},
			card.Message{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(text)},
			card.Message{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(text)},
			card.Message{Method: "", Query: text, Body: []byte(text)},
		)
	}
	return all
}

func (s *acquirerReport) hostile() {
	config := s.c.Config("https://acquirer.example.vn")
	for _, m := range HostileMessages() {
		s.check(fmt.Sprintf("a hostile message %.60q %.60q", m.Query, m.Body), func() {
			s.problems = append(s.problems, HostileProblems(s.c, config, m)...)
		})
	}
}

// HostileProblems hands a message that nobody signed to a connector and returns
// what is wrong with how it takes it. Fuzz targets use it.
func HostileProblems(c AcquirerCase, config []byte, m card.Message) []string {
	s := &acquirerReport{c: c}
	d := card.Dealing{Config: config, HTTP: &Doer{refuse: true}, Now: AcquirerNow, ReturnURL: suiteReturnURL + "x", NotifyURL: suiteNotifyURL}
	try := func(where string, believes bool, r card.Report, err error) {
		s.failed(where, err)
		switch code := payment.CodeOf(err); {
		case err == nil && !believes:
			s.failf("%s believes %q %q: %+v", where, m.Query, m.Body, r)
		case err == nil:
			s.sound(where, r)
		case code != payment.CodeUnauthorized && code != payment.CodeInvalidRequest:
			s.failf("%s's error has the code %s: %v", where, code, err)
		}
	}
	r, err := c.Connector.VerifyNotify(d, m)
	try("VerifyNotify", false, r, err)
	r, err = c.Connector.VerifyReturn(d, m)
	try("VerifyReturn", c.UnsignedReturns, r, err)
	return s.problems
}

// AnswerProblems has a connector read an answer that was not the acquirer's, to
// a query and to a refund, and returns what is wrong. Fuzz targets use it.
func AnswerProblems(c AcquirerCase, config []byte, status int, body []byte) []string {
	s := &acquirerReport{c: c}
	a := s.attempt()
	a.Reference = c.Connector.Reference(a)
	d := card.Dealing{Config: config, HTTP: canned{status, body}, Now: AcquirerNow, ReturnURL: suiteReturnURL + "x", NotifyURL: suiteNotifyURL}
	check := func(where string, r card.Report, err error) {
		s.failed(where, err)
		if err != nil {
			return
		}
		s.sound(where, r)
		if !c.UnsignedAnswers && r.Outcome != card.Unknown && r.Outcome != card.Pending {
			s.failf("%s believes %d %q: %+v", where, status, body, r)
		}
	}
	r, err := c.Connector.Query(context.Background(), d, a)
	check("Query", r, err)
	if k, ok := c.Connector.(card.Refunder); ok {
		refund := s.refund(a, a.Amount, 0)
		r, err = k.Refund(context.Background(), d, refund)
		check("Refund", r, err)
		r, err = k.QueryRefund(context.Background(), d, refund)
		check("QueryRefund", r, err)
	}
	_, err = c.Connector.Create(context.Background(), d, card.Order{Attempt: a, Description: "x", Language: "vi", PayerIP: "203.0.113.7", Merchant: "x"})
	s.failed("Create", err)
	return s.problems
}

// ---- Queries

func (s *acquirerReport) queries() {
	late := AcquirerNow.Add(25 * time.Hour)
	for _, tc := range []struct {
		verdict Verdict
		now     time.Time
		want    []card.Outcome
	}{
		{Paid, AcquirerNow, []card.Outcome{card.Done}},
		{Paid, late, []card.Outcome{card.Done}},
		{Declined, AcquirerNow, []card.Outcome{card.Failed}},
		{Waiting, AcquirerNow, []card.Outcome{card.Pending}},
		{Waiting, late, []card.Outcome{card.Pending, card.Failed, card.Unknown}},
		{Odd, AcquirerNow, []card.Outcome{card.Unknown}},
	} {
		s.decided(Decision{Verdict: tc.verdict}, func(st *stage, a payment.Attempt) {
			r, err := s.c.Connector.Query(context.Background(), st.dealing(tc.now, a.ID), a)
			s.failed("Query", err)
			switch {
			case err != nil:
				s.failf("Query of an order that is %s: %v", tc.verdict, err)
			case !slices.Contains(tc.want, r.Outcome):
				s.failf("Query of an order that is %s says %s (%s %s)", tc.verdict, r.Outcome, r.Code, r.Text)
			default:
				s.sound("Query", r)
			}
			if m, ok := st.play.Notice(a.Reference); ok && tc.verdict == Paid {
				n, err := s.c.Connector.VerifyNotify(st.dealing(AcquirerNow, a.ID), m)
				if err != nil || !s.c.HintNotices && (n.ExternalID != r.ExternalID || n.Amount != r.Amount) {
					s.failf("the notice and the query differ: %+v and %+v, %v", n, r, err)
				}
			}
		})
	}
	s.decided(Decision{Verdict: Paid, Amount: suiteAmount + 5000}, func(st *stage, a payment.Attempt) {
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		a.Amount = suiteAmount + 5000
		s.told("Query of another amount", r, err, a, card.Done)
	})
	s.decided(Decision{Verdict: Paid, Merchant: "OTHER001"}, func(st *stage, a payment.Attempt) {
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		s.failed("Query", err)
		if err == nil && r.Outcome == card.Done && r.Merchant == "OTHER001" {
			s.failf("the word of a query about another merchant is taken: %+v", r)
		}
	})
	// An order that the acquirer never heard of: the payer may still arrive.
	s.stage(func(st *stage) {
		a := st.order().Attempt
		a.State = payment.AttemptSent
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		s.failed("Query", err)
		if err == nil && (r.Outcome == card.Done || r.Outcome == card.Failed && s.redirects()) {
			s.failf("Query of an order that the acquirer never heard of says %s", r.Outcome)
		}
		if err == nil {
			s.sound("Query", r)
		}
	})
}

// redirects says whether Create asks nobody: then an order exists only when the
// payer has arrived.
func (s *acquirerReport) redirects() bool {
	asked := true
	s.stage(func(st *stage) {
		o := st.order()
		_, err := s.c.Connector.Create(context.Background(), st.dealing(AcquirerNow, o.Attempt.ID), o)
		asked = err != nil || st.requests() > 0
	})
	return !asked
}

func (s *acquirerReport) queryTrouble() {
	s.decided(Decision{Verdict: Paid}, func(st *stage, a payment.Attempt) {
		try := func(why string) {
			r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
			s.failed("Query", err)
			if err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending {
				s.failf("Query after %s: %+v", why, r)
			}
		}
		for why, trouble := range troubles() {
			st.troubled(trouble)
			try(why)
		}
		st.troubled(nil)
		st.doer.Lose(true)
		try("an answer that was lost")
		st.doer.Lose(false)
		st.doer.Refuse(true)
		try("no connection")
		st.doer.Refuse(false)
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		s.told("Query", r, err, a, card.Done)
	})
}

// alteredAnswers changes each byte of a signed answer to a query.
func (s *acquirerReport) alteredAnswers() {
	for _, verdict := range []Verdict{Paid, Declined} {
		s.decided(Decision{Verdict: verdict}, func(st *stage, a payment.Attempt) {
			ask := func() (card.Report, error) {
				return s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
			}
			var good []byte
			st.spoiled(func(body []byte) []byte { good = bytes.Clone(body); return body })
			want, err := ask()
			st.spoiled(nil)
			if err != nil || len(good) == 0 {
				return
			}
			// Without a signature nothing can be told, but nothing may panic.
			try := func(how string, body []byte) {
				d := st.dealing(AcquirerNow, a.ID)
				d.HTTP = canned{http.StatusOK, body}
				s.check("Query, answered with "+how, func() {
					r, err := s.c.Connector.Query(context.Background(), d, a)
					s.failed("Query", err)
					if err == nil && !s.c.UnsignedAnswers && (r.Outcome == card.Done || r.Outcome == card.Failed) && !reflect.DeepEqual(r, want) {
						s.failf("Query believes an answer with %s: %+v, was %+v", how, r, want)
					}
				})
			}
			for i := range good {
				for _, bit := range []byte{1, 2, 32} {
					body := bytes.Clone(good)
					body[i] ^= bit
					try(fmt.Sprintf("byte %d changed in %.400q", i, body), body)
				}
				try(fmt.Sprintf("%d bytes only", i), good[:i])
			}
			changes := pairsAltered(string(good))
			if json.Valid(good) {
				changes = membersAltered(good)
			}
			for how, body := range changes {
				try(how, []byte(body))
			}
		})
	}
}

// ---- Refunds

func (s *acquirerReport) refund(a payment.Attempt, amount, before money.VND) card.Refund {
	s.serial++
	return card.Refund{
		Refund: payment.Refund{
			ID: fmt.Sprintf("019cb9b0-2f5b-7000-8000-%012x", s.serial*0x1000193), PaymentID: a.PaymentID, Reference: fmt.Sprintf("RF-%d", s.serial),
			Amount: amount, State: payment.RefundProcessing, CreatedAt: AcquirerNow,
		},
		Attempt: a, Before: before, Actor: "operator:Nguyễn An",
	}
}

// paid runs fn for an attempt that was paid, as it stands afterwards.
func (s *acquirerReport) paid(fn func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt)) {
	k, ok := s.c.Connector.(card.Refunder)
	if !ok {
		return
	}
	s.decided(Decision{Verdict: Paid}, func(st *stage, a payment.Attempt) {
		play, ok := st.play.(RefundImitation)
		if !ok {
			s.failf("the connector makes refunds, the imitation does not")
			return
		}
		r, err := s.c.Connector.Query(context.Background(), st.dealing(AcquirerNow, a.ID), a)
		if err != nil {
			s.failf("Query: %v", err)
			return
		}
		a.ExternalID, a.State = r.ExternalID, payment.AttemptDone
		fn(st, k, play, a)
	})
}

// given checks an acquirer's word of a refund.
func (s *acquirerReport) given(where string, r card.Report, err error, refund card.Refund, want ...card.Outcome) card.Refund {
	s.failed(where, err)
	if err != nil {
		s.failf("%s: %v", where, err)
		return refund
	}
	s.sound(where, r)
	switch {
	case !slices.Contains(want, r.Outcome):
		s.failf("%s says %s, want %v (%s %s)", where, r.Outcome, want, r.Code, r.Text)
	case r.Reference != refund.Refund.ID:
		s.failf("%s tells of %q, want the refund's id", where, r.Reference)
	case r.Amount != 0 && r.Amount != refund.Refund.Amount:
		s.failf("%s says %d đồng, want %d", where, r.Amount, refund.Refund.Amount)
	}
	if r.ExternalID != "" {
		refund.ExternalID = r.ExternalID
	}
	return refund
}

func (s *acquirerReport) refunds() {
	ctx := context.Background()
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		// In two parts.
		play.NextRefunds(Paid)
		first := s.refund(a, 806_000, 0)
		r, err := k.Refund(ctx, d, first)
		first = s.given("Refund of a part", r, err, first, card.Done, card.Pending)
		if got := play.Refunded(); got != 806_000 {
			s.failf("after a refund of 806000 the acquirer has given back %d", got)
		}
		if r, err = k.QueryRefund(ctx, d, first); r.Outcome != card.Done {
			s.failf("QueryRefund of what was given back: %+v, %v", r, err)
		}
		s.given("QueryRefund", r, err, first, card.Done)
		second := s.refund(a, 1_000_000, 806_000)
		r, err = k.Refund(ctx, d, second)
		s.given("Refund of the rest", r, err, second, card.Done, card.Pending)
		if got := play.Refunded(); got != suiteAmount {
			s.failf("after refunds of the whole the acquirer has given back %d", got)
		}
	})
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		play.NextRefunds(Paid)
		whole := s.refund(a, suiteAmount, 0)
		r, err := k.Refund(ctx, d, whole)
		s.given("Refund of the whole", r, err, whole, card.Done, card.Pending)
		if k.Repeatable() {
			r, err = k.Refund(ctx, d, whole)
			s.given("Refund, repeated", r, err, whole, card.Done, card.Pending)
			if got := play.Refunded(); got != suiteAmount {
				s.failf("a refund that was repeated gave back %d", got)
			}
		}
	})
	for settled, want := range map[Verdict]card.Outcome{Paid: card.Done, Declined: card.Failed} {
		s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
			d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
			play.NextRefunds(Waiting)
			refund := s.refund(a, suiteAmount, 0)
			r, err := k.Refund(ctx, d, refund)
			refund = s.given("Refund that waits", r, err, refund, card.Pending)
			r, err = k.QueryRefund(ctx, d, refund)
			refund = s.given("QueryRefund of one that waits", r, err, refund, card.Pending)
			play.SettleRefunds(settled)
			r, err = k.QueryRefund(ctx, d, refund)
			s.given("QueryRefund of one that waited", r, err, refund, want)
		})
	}
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		play.NextRefunds(Declined)
		refund := s.refund(a, suiteAmount, 0)
		r, err := k.Refund(ctx, d, refund)
		s.given("Refund that is declined", r, err, refund, card.Failed)
		play.NextRefunds(Odd)
		refund = s.refund(a, suiteAmount, 0)
		r, err = k.Refund(ctx, d, refund)
		s.failed("Refund", err)
		if err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending || err != nil && !errors.Is(err, card.ErrUncertain) {
			s.failf("Refund with an odd answer: %+v, %v", r, err)
		}
	})
}

func (s *acquirerReport) refundTrouble() {
	s.paid(func(st *stage, k card.Refunder, play RefundImitation, a payment.Attempt) {
		ctx := context.Background()
		d := st.dealing(AcquirerNow.Add(time.Hour), a.ID)
		// What may have been made is never called failed, by outcome or by error.
		uncertain := func(why string) {
			r, err := k.Refund(ctx, d, s.refund(a, suiteAmount, 0))
			s.failed("Refund", err)
			away := slices.Contains(turnedAway, why)
			if err != nil && !errors.Is(err, card.ErrUncertain) && !away || err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending && (r.Outcome != card.Failed || !away) {
				s.failf("Refund after %s: %+v, %v", why, r, err)
			}
			r, err = k.QueryRefund(ctx, d, s.refund(a, suiteAmount, 0))
			s.failed("QueryRefund", err)
			if err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending {
				s.failf("QueryRefund after %s: %+v", why, r)
			}
		}
		for why, trouble := range troubles() {
			st.troubled(trouble)
			uncertain(why)
		}
		st.troubled(nil)
		st.doer.Refuse(true)
		r, err := k.Refund(ctx, d, s.refund(a, suiteAmount, 0))
		s.failed("Refund", err)
		if err == nil && r.Outcome != card.Failed || errors.Is(err, card.ErrUncertain) {
			s.failf("Refund without a connection: %+v, %v", r, err)
		}
		st.doer.Refuse(false)
		play.NextRefunds(Paid)
		st.doer.Lose(true)
		r, err = k.Refund(ctx, d, s.refund(a, suiteAmount, 0))
		s.failed("Refund", err)
		if err != nil && !errors.Is(err, card.ErrUncertain) || err == nil && r.Outcome != card.Unknown && r.Outcome != card.Pending {
			s.failf("Refund whose answer was lost: %+v, %v", r, err)
		}
		st.doer.Lose(false)
	})
}

// ---- Concurrent use

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
