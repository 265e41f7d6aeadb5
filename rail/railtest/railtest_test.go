package railtest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/rail/railtest"
)

const key = "0123456789abcdef"

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func suite(n rail.Notifier) railtest.Suite {
	return railtest.Suite{
		Notifier: n, Secret: key, Now: now, Timed: true, Signed: true,
		Sign: func(body []byte, at time.Time) rail.Message {
			return rail.Message{Header: http.Header{http.CanonicalHeaderKey(bankfeed.SignatureHeader): {bankfeed.Sign(key, at, body)}}, Body: body}
		},
		Bodies: []string{`{"id":"1","amount":1000,"direction":"in","occurred_at":"2026-03-04T12:00:00+07:00"}`},
	}
}

// broken is a sound notifier but for what a case overrides.
type broken struct {
	bankfeed.Generic
	verify func(rail.Message, string, time.Time) error
	parse  func([]byte) (rail.Parsed, error)
	answer func(error) rail.Answer
	secret func(string) error
}

func (b broken) Verify(m rail.Message, secret string, now time.Time) error {
	if b.verify != nil {
		return b.verify(m, secret, now)
	}
	return b.Generic.Verify(m, secret, now)
}

func (b broken) Parse(body []byte) (rail.Parsed, error) {
	if b.parse != nil {
		return b.parse(body)
	}
	return b.Generic.Parse(body)
}

func (b broken) Answer(err error) rail.Answer {
	if b.answer != nil {
		return b.answer(err)
	}
	return b.Generic.Answer(err)
}

func (b broken) CheckSecret(s string) error {
	if b.secret != nil {
		return b.secret(s)
	}
	return b.Generic.CheckSecret(s)
}

func TestSuitePassesTheSound(t *testing.T) { railtest.Run(t, suite(broken{})) }

// Each fault is found, and found as what it is.
func TestSuiteFindsFaults(t *testing.T) {
	sound := bankfeed.Generic{}
	count := 0
	withCredit := func(change func(*payment.Credit)) broken {
		return broken{parse: func(body []byte) (rail.Parsed, error) {
			p, err := sound.Parse(body)
			for i := range p.Credits {
				change(&p.Credits[i])
			}
			return p, err
		}}
	}
	for name, c := range map[string]struct {
		n    broken
		want string
	}{
		"believes everybody":  {broken{verify: func(rail.Message, string, time.Time) error { return nil }}, "verified without headers"},
		"believes nobody":     {broken{verify: func(rail.Message, string, time.Time) error { return payment.Fail(payment.CodeUnauthorized, "no") }}, "an authentic message is refused"},
		"uncoded error":       {broken{verify: func(rail.Message, string, time.Time) error { return errors.New("no") }}, "has the code internal"},
		"ignores the time":    {broken{verify: func(m rail.Message, s string, _ time.Time) error { return sound.Verify(m, s, signedAt(m)) }}, "after it was signed"},
		"ignores the body":    {broken{verify: func(m rail.Message, s string, now time.Time) error { return verifyOther(m, s, now) }}, "verified an altered body"},
		"any secret":          {broken{secret: func(string) error { return nil }}, "CheckSecret accepts"},
		"panics":              {broken{parse: func(b []byte) (rail.Parsed, error) { return sound.Parse(b[1:]) }}, "panic"},
		"no id":               {withCredit(func(c *payment.Credit) { c.ExternalID = "" }), "no external id"},
		"nothing moved":       {withCredit(func(c *payment.Credit) { c.Amount = 0 }), "amount out of range"},
		"knows the outcome":   {withCredit(func(c *payment.Credit) { c.Outcome = payment.OutcomeExact }), "cannot know"},
		"local time":          {withCredit(func(c *payment.Credit) { c.OccurredAt = c.OccurredAt.In(time.FixedZone("x", 1)) }), "not in UTC"},
		"NUL":                 {withCredit(func(c *payment.Credit) { c.Memo = "a\x00" }), "not printable"},
		"changes its mind":    {withCredit(func(c *payment.Credit) { count++; c.Reference = strings.Repeat("x", count%7) }), "something else"},
		"credits of nothing":  {broken{parse: func([]byte) (rail.Parsed, error) { return sound.Parse([]byte(suite(sound).Bodies[0])) }}, "credits in"},
		"success for errors":  {broken{answer: func(error) rail.Answer { return sound.Answer(nil) }}, "200 answers"},
		"failure for success": {broken{answer: func(error) rail.Answer { return sound.Answer(errors.New("x")) }}, "503 answers"},
		"tells its inside": {broken{answer: func(err error) rail.Answer {
			a := sound.Answer(err)
			if err != nil {
				a.Body, _ = json.Marshal(err.Error())
			}
			return a
		}}, "shows the inside"},
	} {
		t.Run(name, func(t *testing.T) {
			problems := strings.Join(railtest.Check(suite(c.n)), "\n")
			if !strings.Contains(problems, c.want) {
				t.Errorf("want %q among:\n%.2000s", c.want, problems)
			}
		})
	}
}

// signedAt is the moment that the signature itself names.
func signedAt(m rail.Message) time.Time {
	for off := -2000 * time.Hour; off <= 2000*time.Hour; off += time.Hour {
		if (bankfeed.Generic{}).Verify(m, key, now.Add(off)) == nil {
			return now.Add(off)
		}
	}
	return now
}

// verifyOther checks the signature over the one body that the suite signs, not
// the one that came.
func verifyOther(m rail.Message, secret string, now time.Time) error {
	return (bankfeed.Generic{}).Verify(rail.Message{Header: m.Header, Body: []byte(suite(nil).Bodies[0])}, secret, now)
}
