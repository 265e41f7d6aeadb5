package acquirer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
	"github.com/thungan/thungan/web"
)

var noon = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

// street is the acquirer and a gateway that takes notices and returns, on one
// server.
type street struct {
	t      *testing.T
	a      *Acquirer
	clock  *clock.Manual
	server *httptest.Server
	doer   *railtest.Doer
	log    bytes.Buffer
	serial int

	mu      sync.Mutex
	notices []card.Report
	status  int // what notices are answered with; 0 is the connector's own answer
}

func newStreet(t *testing.T, file string) *street {
	t.Helper()
	s := &street{t: t, clock: clock.NewManual(noon), doer: &railtest.Doer{Timeout: 5 * time.Second, Limit: 64 << 10}}
	mux := http.NewServeMux()
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	t.Cleanup(s.doer.Close)
	client := guard.New(guard.Options{AllowLoopback: true})
	t.Cleanup(client.CloseIdle)
	var err error
	s.a, err = New(Config{
		BaseURL: s.server.URL, Merchants: map[string]string{"DEMO": testSecret}, Clock: s.clock, Client: client, File: file,
		Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(Path, httpx.Log(slog.New(slog.NewTextHandler(&s.log, nil)), nil)(s.a))
	mux.HandleFunc("POST /notify", s.notify)
	mux.HandleFunc("GET /return", func(w http.ResponseWriter, r *http.Request) {
		report, err := Connector{}.VerifyReturn(s.dealing(), card.Message{Method: r.Method, Query: r.URL.RawQuery, Header: r.Header})
		fmt.Fprintf(w, "returned %s %s %v", report.Outcome, report.Code, err)
	})
	return s
}

func (s *street) notify(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	report, err := Connector{}.VerifyNotify(s.dealing(), card.Message{Method: r.Method, Header: r.Header, Body: body})
	a := Connector{}.Acknowledge(false, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != 0 {
		a.Status = s.status
	}
	s.notices = append(s.notices, report)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

func (s *street) dealing() card.Dealing {
	return card.Dealing{
		Config: configOf(s.server.URL), HTTP: s.doer, Now: s.clock.Now(), ReturnURL: s.server.URL + "/return", NotifyURL: s.server.URL + "/notify",
	}
}

func (s *street) order(m payment.Method, amount money.VND) card.Order {
	s.serial++
	a := payment.Attempt{
		ID: fmt.Sprintf("019cb9a0-1f5b-7000-8000-%012d", s.serial), Method: m, Amount: amount, CreatedAt: s.clock.Now(), ExpiresAt: s.clock.Now().Add(30 * time.Minute),
	}
	a.Reference = Connector{}.Reference(a)
	return card.Order{Attempt: a, Description: "2 cà phê sữa đá", Language: "vi", PayerIP: "192.0.2.7", Merchant: "Cà phê Sáng"}
}

// payer is a browser at an order's page.
type payer struct {
	*street
	attempt payment.Attempt
	page    string
	client  http.Client
	at      string // where the browser is
	body    string
	status  int
}

func (s *street) payer(m payment.Method, amount money.VND) *payer {
	s.t.Helper()
	o := s.order(m, amount)
	made, err := Connector{}.Create(context.Background(), s.dealing(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	p := &payer{street: s, attempt: o.Attempt, page: made.Handoff.URL, client: http.Client{Jar: jar}}
	p.open(p.page)
	return p
}

func (p *payer) done(res *http.Response, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at, p.body, p.status = res.Request.URL.String(), string(body), res.StatusCode
}

func (p *payer) open(address string) {
	p.t.Helper()
	p.done(p.client.Get(address))
}

// send posts a form of the page.
func (p *payer) send(form string, values url.Values) {
	p.t.Helper()
	p.done(p.client.PostForm(p.page+"/"+form, values))
}

func (p *payer) card(c Card, date, csc string) {
	p.t.Helper()
	name := c.Holder
	if name == "" {
		name = "Nguyễn Văn A"
	}
	p.send("card", url.Values{"number": {c.Grouped()}, "holder": {name}, "date": {date}, "csc": {csc}})
}

func (p *payer) query() card.Report {
	p.t.Helper()
	r, err := Connector{}.Query(context.Background(), p.dealing(), p.attempt)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// told takes the notices so far.
func (s *street) told() []card.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.notices
	s.notices = nil
	return all
}

// ends checks that the browser is back, the gateway told, and a query agrees.
func (p *payer) ends(r Result) {
	p.t.Helper()
	want := sayings[r]
	if p.at[:len(p.server.URL+"/return")] != p.server.URL+"/return" || p.body != fmt.Sprintf("returned %s %s <nil>", want.outcome, want.code) {
		p.t.Errorf("%s: the payer is at %s: %.200s", r, p.at, p.body)
	}
	if got := mustQuery(p.at).Get(ReturnResult); got != string(r) {
		p.t.Errorf("the return says %s, want %s", got, r)
	}
	told := p.told()
	if want.outcome == card.Unknown {
		if len(told) != 0 {
			p.t.Errorf("%s: told of what is not known: %+v", r, told)
		}
	} else if len(told) != 1 || told[0].Outcome != want.outcome || told[0].Code != want.code || told[0].Amount != p.attempt.Amount || told[0].Reference != p.attempt.Reference {
		p.t.Errorf("%s: the gateway was told %+v", r, told)
	}
	if got := p.query(); got.Outcome != want.outcome || got.Code != want.code {
		p.t.Errorf("a query says %+v, want %s", got, r)
	}
}

func mustQuery(address string) url.Values {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	return u.Query()
}

// Every published card is taken, and comes to what it is for.
func TestEveryCard(t *testing.T) {
	s := newStreet(t, "")
	for _, c := range Cards() {
		t.Run(c.Number, func(t *testing.T) {
			s.t = t
			p := s.payer(c.Method, 50_000)
			p.card(c, c.Date(), c.CSC+map[bool]string{true: "123"}[c.CSC == ""])
			if c.OTP != "" {
				if !strings.Contains(p.body, c.Last4()) || !strings.Contains(p.body, `name="otp"`) || strings.Contains(p.body, "3-D Secure</b>") != c.Secure {
					t.Fatalf("no password is asked for: %s", p.body)
				}
				p.send("otp", url.Values{"otp": {c.OTP}, "answer": {"confirm"}})
			}
			p.ends(c.Result)
		})
	}
}

// The expiry of any card, and the amount of any order, choose the outcome.
func TestTricks(t *testing.T) {
	s := newStreet(t, "")
	napas, _ := FindCard("9704000000000018")
	visa, _ := FindCard("4440000009900010")
	for date, r := range Expiries {
		p := s.payer(payment.InternationalCard, 50_000)
		p.card(visa, date, "100")
		p.send("otp", url.Values{"otp": {"123456"}})
		p.ends(r)
		p = s.payer(payment.DomesticCard, 50_000)
		p.card(napas, date, "")
		p.send("otp", url.Values{"otp": {"otp"}})
		p.ends(r)
	}
	for digits, plan := range Amounts {
		if plan.Notice != NoticePlain {
			continue
		}
		p := s.payer(payment.DomesticCard, money.VND(50_000+digits))
		p.card(napas, "03/07", "")
		p.send("otp", url.Values{"otp": {"otp"}})
		p.ends(plan.Result)
		for _, m := range []payment.Method{payment.MoMo, payment.ZaloPay, payment.VNPayQR} {
			p = s.payer(m, money.VND(50_000+digits))
			p.send("wallet", url.Values{"answer": {"pay"}})
			p.ends(plan.Result)
		}
	}
	plain, _ := FindCard("5111111111111118")
	for csc, r := range map[string]Result{"100": Approved, "101": Approved, "102": WrongCSC, "999": WrongCSC} {
		p := s.payer(payment.InternationalCard, 50_000)
		p.card(plain, "01/39", csc)
		p.ends(r)
	}
	p := s.payer(payment.InternationalCard, 50_000)
	p.card(plain, "10/26", "100")
	p.ends(ExpiredCard)
}

// Whatever is wrong with the form is said, and nothing has happened.
func TestCardForm(t *testing.T) {
	s := newStreet(t, "")
	good := url.Values{"number": {"9704000000000018"}, "holder": {"NGUYEN VAN A"}, "date": {"03/07"}}
	for _, c := range []struct{ field, value, problem string }{
		{"number", "", "number"}, {"number", "4242424242424242", "unknown"}, {"number", "9704031101234567", "unknown"}, {"number", "\x00", "unknown"},
		{"number", "\xff", "unknown"}, {"number", strings.Repeat("9", 2000), "unknown"}, {"number", "5123450000000008", "method.domestic_card"},
		{"holder", "", "holder"}, {"holder", "TRAN VAN B", "holder.wrong"}, {"holder", strings.Repeat("A", 65), "holder"}, {"holder", "4242424242424242", "holder"},
		{"date", "", "date"}, {"date", "13/07", "date"}, {"date", "0x/07", "date"}, {"date", "7", "date"}, {"date", "04/07", "date.wrong"},
	} {
		p := s.payer(payment.DomesticCard, 50_000)
		form := url.Values{}
		for name, values := range good {
			form[name] = values
		}
		form.Set(c.field, c.value)
		p.send("card", form)
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, web.Text("vi", "acquirer.problem."+c.problem)) {
			t.Errorf("%s = %.30q: %d, not %q", c.field, c.value, p.status, c.problem)
		}
		if c.field == "number" && c.value != "" && strings.Contains(p.body, `value="`+c.value) {
			t.Errorf("the number %.30q comes back", c.value)
		}
		if r := p.query(); r.Outcome != card.Pending || len(p.told()) != 0 {
			t.Errorf("%s = %.30q: %+v", c.field, c.value, r)
		}
	}
	p := s.payer(payment.InternationalCard, 50_000)
	for _, csc := range []string{"", "12", "1234", "12x"} {
		p.card(testCards[8], "01/39", csc)
		if !strings.Contains(p.body, web.Text("vi", "acquirer.problem.csc")) {
			t.Errorf("csc %q: %d", csc, p.status)
		}
	}
	for _, date := range []string{"03/07", "0307", "03-07", "03/2007", " 03 / 07 "} {
		p := s.payer(payment.DomesticCard, 50_000)
		form := url.Values{"number": {"9704-0000-0000-0018"}, "holder": {"Nguyễn  Văn a"}, "date": {date}}
		p.send("card", form)
		if p.status != http.StatusOK || !strings.Contains(p.body, `name="otp"`) {
			t.Errorf("%q: %d", date, p.status)
		}
	}
}

// A number that is no test card's is nowhere afterwards: not on the page, in the
// file, or in the log; of a test card the last four digits are.
func TestNumbersAreNotKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "acquirer")
	s := newStreet(t, file)
	p := s.payer(payment.InternationalCard, 50_000)
	for _, number := range []string{"4242424242424242", "4242 4242 4242 4242", "378282246310005", "6011111111111117"} {
		p.send("card", url.Values{"number": {number}, "holder": {"A"}, "date": {"01/39"}, "csc": {"987"}})
		if p.status != http.StatusUnprocessableEntity || strings.Contains(p.body, number) || strings.Contains(p.body, "987") {
			t.Errorf("%s: %d", number, p.status)
		}
	}
	p.send("card", url.Values{"number": {"5111111111111118"}, "holder": {"NGUYEN VAN A"}, "date": {"01/39"}, "csc": {"100"}})
	p.ends(Approved)
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(kept, []byte(`"last4":"1118"`)) {
		t.Error("the last four digits are not in the file")
	}
	if httpx.HasPAN(string(kept)) || bytes.Contains(kept, []byte("4242")) || httpx.HasPAN(s.log.String()) || strings.Contains(s.log.String(), "4242") {
		t.Errorf("a number is in the file or the log:\n%s\n%s", kept, s.log.String())
	}
	if httpx.HasPAN(p.at) {
		t.Errorf("a number is in the address %s", p.at)
	}
}

func TestWrongPasswords(t *testing.T) {
	s := newStreet(t, "")
	p := s.payer(payment.DomesticCard, 50_000)
	p.card(testCards[0], "07/15", "")
	p.send("otp", url.Values{"otp": {""}})
	if !strings.Contains(p.body, web.Text("vi", "acquirer.problem.otp.missing")) {
		t.Error("an empty password")
	}
	for i, left := range []string{"2", "1"} {
		p.send("otp", url.Values{"otp": {"000000"}})
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, web.Text("vi", "acquirer.otp.left", left, "3")) {
			t.Fatalf("wrong password %d: %d at %s", i, p.status, p.at)
		}
		// Another card gives no more guesses.
		p.send("otp", url.Values{"answer": {"other"}})
		p.card(testCards[0], "07/15", "")
		if i == 0 {
			p.send("otp", url.Values{"otp": {""}})
		}
	}
	p.send("otp", url.Values{"otp": {"000000"}})
	p.ends(WrongOTP)

	p = s.payer(payment.InternationalCard, 50_000)
	p.card(testCards[8], "01/39", "100")
	p.send("otp", url.Values{"answer": {"refuse"}})
	p.ends(NotAuthenticated)
}

// Payers who give up, walk away, come back, and press twice.
func TestPayersWays(t *testing.T) {
	s := newStreet(t, "")
	p := s.payer(payment.DomesticCard, 50_000)
	p.send("cancel", nil)
	p.ends(Canceled)
	p.open(p.page)
	if !strings.Contains(p.body, web.Text("vi", "acquirer.result.canceled")) {
		t.Error("the page does not tell that the order has ended")
	}
	p.card(testCards[0], "07/15", "") // the back button, and the form again
	if !strings.Contains(p.body, web.Text("vi", "acquirer.result.canceled")) || len(p.told()) != 0 {
		t.Error("an order that has ended takes a card")
	}

	p = s.payer(payment.MoMo, 50_000)
	p.open(p.page + "/away")
	if !strings.Contains(p.body, web.Text("vi", "acquirer.away")) || p.query().Outcome != card.Pending {
		t.Error("walking away ends an order")
	}
	p.send("wallet", url.Values{"answer": {"?"}})
	if p.status != http.StatusUnprocessableEntity {
		t.Errorf("an answer that is none: %d", p.status)
	}
	p.send("wallet", url.Values{"answer": {"decline"}})
	p.ends(Declined)

	p = s.payer(payment.ZaloPay, 50_000)
	s.clock.Advance(31 * time.Minute)
	if r := p.query(); r.Outcome != card.Failed || r.Code != sayings[WalkedAway].code {
		t.Errorf("after its time an order is %+v", r)
	}
	p.send("wallet", url.Values{"answer": {"pay"}})
	if len(p.told()) != 0 || p.query().Outcome != card.Failed {
		t.Error("an order is paid after its time")
	}

	// Two tabs at the same moment: the first counts.
	p = s.payer(payment.VNPayQR, 50_000)
	var both sync.WaitGroup
	for _, answer := range []string{"pay", "decline", "pay", "decline"} {
		both.Go(func() {
			if res, err := http.PostForm(p.page+"/wallet", url.Values{"answer": {answer}}); err == nil {
				_ = res.Body.Close()
			}
		})
	}
	both.Wait()
	if told := p.told(); len(told) != 1 || told[0].Outcome != p.query().Outcome {
		t.Errorf("told %+v, and a query says %+v", told, p.query())
	}
}

// What is unknown becomes known by a query, and by nothing else.
func TestUnknownIsResolvedByQuery(t *testing.T) {
	s := newStreet(t, "")
	for digits, r := range map[money.VND]Result{196: Approved, 197: Declined} {
		p := s.payer(payment.MoMo, 50_000+digits)
		p.send("wallet", url.Values{"answer": {"pay"}})
		p.ends(Unknown)
		s.clock.Advance(settleAfter - time.Millisecond)
		if got := p.query(); got.Outcome != card.Unknown {
			t.Errorf("too early: %+v", got)
		}
		s.clock.Advance(time.Millisecond)
		if got := p.query(); got.Outcome != sayings[r].outcome || (r == Approved) == got.At.IsZero() {
			t.Errorf("then: %+v, want %s", got, r)
		}
		if len(p.told()) != 0 {
			t.Error("it is told by a notice")
		}
	}
}

// run lets the acquirer send its late notices, until the test ends.
func (s *street) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.a.Run(ctx)
	}()
	s.t.Cleanup(func() {
		stop()
		<-done
	})
}

// sees waits for so many notices in all.
func (s *street) sees(n int) []card.Report {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	var all []card.Report
	for {
		all = append(all, s.told()...)
		if len(all) >= n {
			return all
		}
		select {
		case <-look.C:
		case <-deadline:
			s.t.Fatalf("%d notices, want %d", len(all), n)
		}
	}
}

func TestNotices(t *testing.T) {
	s := newStreet(t, "")
	s.run()
	p := s.payer(payment.MoMo, 50_120)
	p.send("wallet", url.Values{"answer": {"pay"}})
	if len(p.told()) != 0 || p.query().Outcome != card.Done {
		t.Error("never is not never")
	}
	p = s.payer(payment.MoMo, 50_121)
	p.send("wallet", url.Values{"answer": {"pay"}})
	if all := p.sees(2); all[0] != all[1] {
		t.Errorf("told differently: %+v", all)
	}
	p = s.payer(payment.MoMo, 50_122)
	p.send("wallet", url.Values{"answer": {"pay"}})
	if len(p.told()) != 0 {
		t.Error("late is not late")
	}
	s.clock.Advance(noticeLate)
	p.sees(1)

	// A gateway that fails is told again, one that refuses is not.
	s.mu.Lock()
	s.status = http.StatusServiceUnavailable
	s.mu.Unlock()
	p = s.payer(payment.MoMo, 50_000)
	p.send("wallet", url.Values{"answer": {"pay"}})
	p.sees(1)
	for range 2 {
		s.awaitTelling(p)
		s.clock.Advance(30 * time.Second)
		p.sees(1)
	}
	s.mu.Lock()
	s.status = http.StatusConflict
	s.mu.Unlock()
	s.awaitTelling(p)
	s.clock.Advance(2 * time.Minute)
	p.sees(1)
	if o, _ := s.a.book.look(byReference("DEMO", p.attempt.Reference), s.clock.Now()); o.Result != Approved {
		t.Error(o.Result)
	}
}

// awaitTelling waits until the next try of a notice has its time.
func (s *street) awaitTelling(p *payer) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		o, _ := s.a.book.look(byReference("DEMO", p.attempt.Reference), s.clock.Now())
		if o.Telling.Tries > 0 && o.Telling.At.Sub(s.clock.Now()) < time.Minute || o.Telling.Tries > 2 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no next try: %+v", o.Telling)
		}
	}
}

func TestRefunds(t *testing.T) {
	s := newStreet(t, "")
	s.run()
	ctx := context.Background()
	p := s.payer(payment.MoMo, 9_000_000)
	refund := func(id string, amount money.VND) card.Refund {
		return card.Refund{Refund: payment.Refund{ID: id, Amount: amount}, Attempt: p.attempt, Actor: "merchant"}
	}
	if r, err := (Connector{}).Refund(ctx, s.dealing(), refund("early", 1000)); err != nil || r.Outcome != card.Failed {
		t.Errorf("refund of what is not paid: %+v, %v", r, err)
	}
	p.send("wallet", url.Values{"answer": {"pay"}})
	p.ends(Approved)
	for digits, plan := range RefundAmounts {
		one := refund(fmt.Sprint("r", digits), money.VND(10_000+digits))
		r, err := Connector{}.Refund(ctx, s.dealing(), one)
		if err != nil || r.Outcome != plan.Outcome || r.Reference != one.Refund.ID || (r.Reason == payment.CodeInsufficient) != (digits == 351) {
			t.Errorf("%d: %+v, %v", digits, r, err)
		}
		if plan.Later == "" {
			continue
		}
		s.clock.Advance(settleAfter)
		if plan.Told {
			if all := s.sees(1); all[0].Reference != one.Refund.ID || all[0].Outcome != plan.Later {
				t.Errorf("%d: told %+v", digits, all)
			}
		}
		if r, err = (Connector{}).QueryRefund(ctx, s.dealing(), one); err != nil || r.Outcome != plan.Later {
			t.Errorf("%d later: %+v, %v", digits, r, err)
		}
	}
	one := refund("twice", 5000)
	for range 2 {
		if r, err := (Connector{}).Refund(ctx, s.dealing(), one); err != nil || r.Outcome != card.Done {
			t.Errorf("%+v, %v", r, err)
		}
	}
	one.Refund.Amount = 6000
	if r, err := (Connector{}).Refund(ctx, s.dealing(), one); err != nil || r.Outcome != card.Failed || r.Code != problemDuplicate {
		t.Errorf("another refund of the same id: %+v, %v", r, err)
	}
	o, _ := s.a.book.look(byReference("DEMO", p.attempt.Reference), s.clock.Now())
	if r, err := (Connector{}).Refund(ctx, s.dealing(), refund("much", 9_000_000-o.refunded()+1)); err != nil || r.Outcome != card.Failed || r.Code != problemTooMuch {
		t.Errorf("too much: %+v, %v", r, err)
	}
	if r, err := (Connector{}).Refund(ctx, s.dealing(), refund("rest", 9_000_000-o.refunded())); err != nil || r.Outcome != card.Done {
		t.Errorf("the rest: %+v, %v", r, err)
	}
	if r, err := (Connector{}).QueryRefund(ctx, s.dealing(), refund("nobody", 1)); err != nil || r.Outcome != card.Failed {
		t.Errorf("unknown: %+v, %v", r, err)
	}
}

// Create's magic amounts, and what a wrong secret or order does.
func TestCreate(t *testing.T) {
	s := newStreet(t, "")
	ctx := context.Background()
	create := func(o card.Order) (card.Created, error) { return Connector{}.Create(ctx, s.dealing(), o) }
	if _, err := create(s.order(payment.MoMo, 50_201)); err == nil || errors.Is(err, card.ErrUncertain) {
		t.Errorf("refused: %v", err)
	}
	lost := s.order(payment.MoMo, 50_202)
	if _, err := create(lost); !errors.Is(err, card.ErrUncertain) {
		t.Errorf("lost: %v", err)
	}
	if r, err := (Connector{}).Query(ctx, s.dealing(), lost.Attempt); err != nil || r.Outcome != card.Pending {
		t.Errorf("an order whose answer was lost: %+v, %v", r, err)
	}
	o := s.order(payment.DomesticCard, 50_000)
	first, err := create(o)
	again, errAgain := create(o)
	if err != nil || errAgain != nil || first.Handoff.URL != again.Handoff.URL || first.ExternalID == "" {
		t.Errorf("the same order twice: %+v %v, %+v %v", first, err, again, errAgain)
	}
	o.Attempt.Amount++
	if _, err := create(o); err == nil || errors.Is(err, card.ErrUncertain) {
		t.Errorf("another order of the same reference: %v", err)
	}
	d := s.dealing()
	d.Config = bytes.ReplaceAll(d.Config, []byte(testSecret), []byte(testSecret+"x"))
	if _, err := (Connector{}).Create(ctx, d, s.order(payment.MoMo, 50_000)); err == nil || errors.Is(err, card.ErrUncertain) {
		t.Errorf("wrong secret: %v", err)
	}
	if _, err := (Connector{}).Query(ctx, d, o.Attempt); err == nil {
		t.Error("a query with a wrong secret")
	}
	for _, path := range []string{"/orders", "/orders/query", "/refunds", "/refunds/query"} {
		for _, body := range append(railtest.HostileAnswers, strings.Repeat("x", maxBody+1)) {
			res, err := http.Post(s.server.URL+"/sandbox/acquirer"+path, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %.40q answers %d", path, body, res.StatusCode)
			}
			_ = res.Body.Close()
		}
	}
	// Signed, and yet wrong.
	for _, m := range []orderMessage{{}, {Reference: strings.Repeat("x", 65)}, {Reference: "x", Amount: 1, Currency: "USD"}, {Reference: "x", Amount: 1, Currency: "VND", Method: payment.COD}} {
		m.Merchant = "DEMO"
		body, err := seal(testSecret, nameOrder, m)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.a.ServeHTTP(w, httptest.NewRequest("POST", "/sandbox/acquirer/orders", bytes.NewReader(body)))
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), problemForm) {
			t.Errorf("%+v: %d %s", m, w.Code, w.Body)
		}
	}
}

// The orders are there again after a restart; of those that are gone a query
// says so. A line that was cut off does no harm.
func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "acquirer")
	s := newStreet(t, file)
	paid, open := s.payer(payment.MoMo, 50_000), s.payer(payment.DomesticCard, 60_000)
	paid.send("wallet", url.Values{"answer": {"pay"}})
	paid.ends(Approved)
	open.card(testCards[0], "07/15", "")
	restart := func() {
		t.Helper()
		if err := s.a.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := openBook(file)
		if err != nil {
			t.Fatal(err)
		}
		s.a.book = b
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"half`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	restart()
	if r := paid.query(); r.Outcome != card.Done || r.ExternalID == "" {
		t.Errorf("after a restart: %+v", r)
	}
	open.send("otp", url.Values{"otp": {"123456"}})
	open.ends(Approved)
	if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte(`{"id":"half{`)) {
		t.Errorf("the file: %v", err)
	}
	restart()
	if open.query().Outcome != card.Done {
		t.Error("the second restart forgets")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	restart()
	if r := paid.query(); r.Outcome != card.Failed || r.Code != problemOrder {
		t.Errorf("without the file: %+v", r)
	}
	paid.open(paid.page)
	if paid.status != http.StatusNotFound {
		t.Errorf("the page of an order that is gone: %d", paid.status)
	}
}

// The book forgets its oldest orders.
func TestBookIsBounded(t *testing.T) {
	b, err := openBook("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range keepOrders + 10 {
		if err := b.add(order{Token: fmt.Sprint(i), Merchant: "DEMO", Reference: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.orders) != keepOrders || len(b.byToken) != keepOrders || len(b.byRef) != keepOrders || b.byToken["9"] != nil || b.byToken["10"] == nil {
		t.Errorf("%d orders", len(b.orders))
	}
}

// Every page in both languages, by the texts; another site's form does nothing.
func TestPages(t *testing.T) {
	s := newStreet(t, "")
	for _, lang := range web.Languages() {
		p := s.payer(payment.DomesticCard, 1_250_000)
		p.open(p.page + "?lang=" + lang)
		if !strings.Contains(p.body, `<html lang="`+lang+`">`) || !strings.Contains(p.body, web.Text(lang, "acquirer.ribbon")) || !strings.Contains(p.body, web.Dong(lang, 1_250_000)) {
			t.Errorf("%s: %s", lang, p.body)
		}
		p.send("card?lang="+lang, url.Values{"number": {testCards[0].Number}, "holder": {holder}, "date": {"07/15"}})
		if !strings.Contains(p.body, `<html lang="`+lang+`">`) || !strings.Contains(p.at, "lang="+lang) {
			t.Errorf("%s is lost on the way: %s", lang, p.at)
		}
		p.open(s.server.URL + Path + "pay/nobody?lang=" + lang)
		if p.status != http.StatusNotFound || !strings.Contains(p.body, web.Text(lang, "acquirer.gone.text")) {
			t.Errorf("%s: %d", lang, p.status)
		}
	}
	p := s.payer(payment.MoMo, 50_000)
	r, _ := http.NewRequest("POST", p.page+"/cancel", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	p.done(p.client.Do(r))
	if p.status != http.StatusForbidden || p.query().Outcome != card.Pending {
		t.Errorf("another site's form: %d", p.status)
	}
	words := regexp.MustCompile(`\{\{t \(?(?:print )?"(acquirer\.[a-z.]+)"`)
	source, err := files.ReadFile("pay.html")
	if err != nil {
		t.Fatal(err)
	}
	if len(words.FindAllString(string(source), -1)) < 30 {
		t.Error("the texts are not in the tables")
	}
	for r := range sayings {
		if key := "acquirer.result." + string(r); web.Text("vi", key) == key {
			t.Errorf("no text %s", key)
		}
	}
	for _, key := range web.Keys("vi") {
		if rest, ok := strings.CutPrefix(key, "acquirer.result."); ok && sayings[Result(rest)].code == "" {
			t.Errorf("%s is no result", key)
		}
	}
}

// The cards are the published ones: each number passes Luhn's check, and says
// which kind it is.
func TestCardsAreCards(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cards() {
		if seen[c.Number] || !httpx.HasPAN(c.Number) || strings.HasPrefix(c.Number, "9704") != (c.Method == payment.DomesticCard) || c.Secure && c.OTP == "" {
			t.Errorf("%+v", c)
		}
		seen[c.Number] = true
		if date, ok := ParseDate(c.Date()); !ok || date != c.Date() || !c.dateKnown(date) {
			t.Errorf("%s: date %s", c.Number, c.Date())
		}
	}
	for _, text := range []string{"", "0", "01/3", "1/39", "00/39", "13/39", "01/39x", "٠١/٣٩", "01/1939", strings.Repeat("0", 100)} {
		if date, ok := ParseDate(text); ok {
			t.Errorf("%q is read as %s", text, date)
		}
	}
	if !past("10/26", noon) || past("11/26", noon) {
		t.Error("a card is good through the end of its month")
	}
}

// What is signed is what is sent.
func TestSeal(t *testing.T) {
	body, err := seal(testSecret, nameNotice, word{Merchant: "DEMO", Text: `<b>&"Đ` + "\u2028"})
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil || e.Signature != sign(testSecret, nameNotice, e.Payload) {
		t.Errorf("%s: %v", body, err)
	}
	var w word
	know := func(string) string { return testSecret }
	if err := unseal(know, nameNotice, body, &w); err != nil || w.Text != `<b>&"Đ`+"\u2028" {
		t.Errorf("%+v %v", w, err)
	}
	for _, name := range []string{nameAnswer, nameOrder, nameReturn} {
		if err := unseal(know, name, body, &w); !errors.Is(err, errSignature) {
			t.Errorf("a notice passes as %s: %v", name, err)
		}
	}
}
