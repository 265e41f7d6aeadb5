// Package railtest is the suite that every way of receiving money passes.
package railtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// Suite is what the suite needs to know of a notifier.
type Suite struct {
	Notifier rail.Notifier
	Secret   string
	Now      time.Time

	// Sign makes the authentic message for a body, with no header but those
	// that prove the sender.
	Sign func(body []byte, at time.Time) rail.Message
	// Timed says that the proof holds for a while only.
	Timed bool
	// Signed says that the proof covers the body, so that nothing that
	// matters can be altered.
	Signed bool
	// Bodies each tell of one credit or more.
	Bodies []string
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	for _, problem := range Check(s) {
		t.Error(problem)
	}
}

// Check returns what is wrong with a notifier.
func Check(s Suite) []string {
	r := &report{suite: s}
	r.check("secrets", r.secrets)
	r.check("good messages", r.goodMessages)
	r.check("wrong proofs", r.wrongProofs)
	r.check("altered messages", r.altered)
	r.check("hostile bodies", r.hostile)
	r.check("answers", r.answers)
	return r.problems
}

type report struct {
	suite    Suite
	problems []string
}

func (r *report) failf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// check runs a part and makes a panic a problem.
func (r *report) check(part string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			r.failf("%s: panic: %v", part, p)
		}
	}()
	fn()
}

func (r *report) verify(msg rail.Message, secret string, now time.Time) error {
	before := bytes.Clone(msg.Body)
	err := r.suite.Notifier.Verify(msg, secret, now)
	if !bytes.Equal(before, msg.Body) {
		r.failf("Verify changed the body")
	}
	if err != nil && payment.CodeOf(err) != payment.CodeUnauthorized {
		r.failf("Verify's error has the code %s: %v", payment.CodeOf(err), err)
	}
	return err
}

func (r *report) secrets() {
	n := r.suite.Notifier
	if n.Kind() == "" || n.Kind() != strings.ToLower(n.Kind()) {
		r.failf("kind %q", n.Kind())
	}
	if err := n.CheckSecret(r.suite.Secret); err != nil {
		r.failf("the suite's secret: %v", err)
	}
	for _, bad := range []string{"", " ", "{}", "{", `{"mode":"none","key":"0123456789"}`, `{"key":""}`, "short"} {
		if n.CheckSecret(bad) == nil {
			r.failf("CheckSecret accepts %q", bad)
		}
	}
	body := []byte(r.suite.Bodies[0])
	for _, bad := range []string{"", "{}", `{"mode":"none"}`, r.suite.Secret + "x"} {
		if r.verify(r.suite.Sign(body, r.suite.Now), bad, r.suite.Now) == nil {
			r.failf("verified with the secret %q", bad)
		}
	}
}

func (r *report) goodMessages() {
	for _, body := range r.suite.Bodies {
		if err := r.verify(r.suite.Sign([]byte(body), r.suite.Now), r.suite.Secret, r.suite.Now); err != nil {
			r.failf("an authentic message is refused: %v", err)
		}
		p, err := r.suite.Notifier.Parse([]byte(body))
		if err != nil || len(p.Credits) == 0 {
			r.failf("no credit in %s: %v", body, err)
		}
		r.problems = append(r.problems, Problems(r.suite.Notifier, []byte(body))...)
	}
}

func (r *report) wrongProofs() {
	body, now := []byte(r.suite.Bodies[0]), r.suite.Now
	good := r.suite.Sign(body, now)
	if len(good.Header) > 0 && r.verify(rail.Message{Header: http.Header{}, Body: body}, r.suite.Secret, now) == nil {
		r.failf("verified without headers")
	}
	for name, values := range good.Header {
		for i := range len(values[0]) {
			h := good.Header.Clone()
			changed := []byte(values[0])
			changed[i] ^= 1
			h[name] = []string{string(changed)}
			if r.verify(rail.Message{Header: h, Body: body}, r.suite.Secret, now) == nil {
				r.failf("verified with the header %s: %s", name, changed)
			}
		}
		h := good.Header.Clone()
		h[name] = []string{values[0], values[0]}
		if r.verify(rail.Message{Header: h, Body: body}, r.suite.Secret, now) == nil {
			r.failf("verified with two headers %s", name)
		}
		for _, bad := range []string{"", " ", "=", ",", "t=", "v1=", "t=,v1=", "sha256=", "Apikey", "Apikey ", strings.Repeat("v1=,", 1000), "\xff"} {
			h[name] = []string{bad}
			if r.verify(rail.Message{Header: h, Body: body}, r.suite.Secret, now) == nil {
				r.failf("verified with the header %s: %q", name, bad)
			}
		}
	}
	if !r.suite.Timed {
		return
	}
	for _, off := range []time.Duration{-time.Hour, -5*time.Minute - time.Second, 5*time.Minute + time.Second, time.Hour, 1000 * time.Hour} {
		if r.verify(good, r.suite.Secret, now.Add(off)) == nil {
			r.failf("verified %v after it was signed", off)
		}
	}
}

// altered changes each byte of a body. What still verifies must tell of the
// very same credits: it changed nothing that matters.
func (r *report) altered() {
	if !r.suite.Signed {
		return
	}
	body, now := []byte(r.suite.Bodies[0]), r.suite.Now
	good := r.suite.Sign(body, now)
	want, _ := r.suite.Notifier.Parse(body)
	for i := range body {
		for _, bit := range []byte{1, 2, 32} {
			changed := bytes.Clone(body)
			changed[i] ^= bit
			if r.verify(rail.Message{Header: good.Header, Body: changed}, r.suite.Secret, now) != nil {
				continue
			}
			if got, err := r.suite.Notifier.Parse(changed); err != nil || !reflect.DeepEqual(got, want) {
				r.failf("verified an altered body: %s", changed)
			}
		}
	}
}

// Hostile are bodies that no parser may panic over or make a credit of.
var Hostile = []string{
	"", " ", "null", "true", "0", `""`, "[]", "{}", "[[]]", "[{}]", "{", `{"`, "\xff\xfe", "\x00",
	`{"data":null}`, `{"data":[]}`, `{"data":{}}`, `{"data":[null]}`, `{"data":"x"}`, `{"error":0,"data":[[],{},1,"x",null]}`,
	`{"transactions":null}`, `{"transactions":[null,1,{}]}`, `{"id":null}`, `{"id":{}}`, `{"id":[]}`, `{"id":true}`,
	`{"id":1,"transferAmount":NaN}`, `{"id":1,"amount":1e999999999}`, `{"id":1,"amount":-1e400}`,
	`{"id":1} {"id":2}`, `{"id":"\ud800"}`, `{"id":"\u0000"}`, `{"reference":"x","data":{"reference":"x","amount":1}}`,
	strings.Repeat("[", 100_000), strings.Repeat(`{"data":`, 50_000), `{"data":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9001),
	`{"id":"` + strings.Repeat("9", 200_000) + `"}`, `{"id":1,"amount":` + strings.Repeat("9", 200_000) + `}`,
	`{"id":1,"transferAmount":1` + strings.Repeat("0", 31) + `,"transferType":"in","transactionDate":"2026-01-01 00:00:00"}`,
}

func (r *report) hostile() {
	for _, body := range Hostile {
		r.check(excerpt(body), func() {
			_ = r.verify(rail.Message{Header: http.Header{}, Body: []byte(body)}, r.suite.Secret, r.suite.Now)
			_ = r.verify(r.suite.Sign([]byte(body), r.suite.Now), r.suite.Secret, r.suite.Now)
			if p, _ := r.suite.Notifier.Parse([]byte(body)); len(p.Credits) > 0 {
				r.failf("%d credits in %s", len(p.Credits), excerpt(body))
			}
			r.problems = append(r.problems, Problems(r.suite.Notifier, []byte(body))...)
		})
	}
}

func (r *report) answers() {
	unreadable := fmt.Errorf("%w: no id", rail.ErrUnreadable)
	errs := []error{nil, unreadable, errors.New("a disk"), &payment.Error{Code: payment.CodeInternal, Cause: errors.New("secret cause")}}
	for _, code := range payment.Codes {
		errs = append(errs, payment.Fail(code, "a reason"))
	}
	for _, err := range errs {
		a := r.suite.Notifier.Answer(err)
		taken := a.Status >= 200 && a.Status < 300
		if taken != (err == nil) && err != unreadable {
			r.failf("%d answers %v", a.Status, err)
		}
		if a.Status < 200 || a.Status > 599 || a.Status >= 300 && a.Status < 400 {
			r.failf("status %d for %v", a.Status, err)
		}
		if strings.Contains(a.ContentType, "json") && !json.Valid(a.Body) {
			r.failf("the answer to %v is no JSON: %s", err, a.Body)
		}
		if bytes.Contains(a.Body, []byte("secret cause")) || bytes.Contains(a.Body, []byte("a disk")) {
			r.failf("the answer shows the inside: %s", a.Body)
		}
	}
}

// Problems parses a body and returns what is wrong with what comes out. Every
// body will do, so fuzz targets use it.
func Problems(n rail.Notifier, body []byte) []string {
	var problems []string
	p, err := n.Parse(body)
	again, errAgain := n.Parse(bytes.Clone(body))
	if !reflect.DeepEqual(p, again) || (err == nil) != (errAgain == nil) {
		problems = append(problems, "parsed again, the same body tells something else")
	}
	if err != nil && len(p.Credits)+len(p.Refused) > 0 {
		problems = append(problems, "an error and rows too")
	}
	for _, c := range p.Credits {
		for _, wrong := range creditProblems(c) {
			problems = append(problems, fmt.Sprintf("%s: %+v", wrong, c))
		}
	}
	for _, row := range p.Refused {
		if row.Reason == "" || !utf8.ValidString(row.Reason) || !json.Valid(row.Row) || bytes.IndexByte(row.Row, 0) >= 0 {
			problems = append(problems, fmt.Sprintf("a refused row without a reason, or not JSON: %q", row.Row))
		}
	}
	return problems
}

func creditProblems(c payment.Credit) []string {
	var problems []string
	add := func(wrong bool, text string) {
		if wrong {
			problems = append(problems, text)
		}
	}
	add(c.ExternalID == "" || len([]rune(c.ExternalID)) > 128, "no external id, or a long one")
	add(c.Amount <= 0 || c.Amount > 1e15, "amount out of range")
	add(c.Direction != payment.In && c.Direction != payment.Out, "no direction")
	add(len(c.Currency) != 3 || c.Currency != strings.ToUpper(c.Currency), "no currency")
	add(c.OccurredAt.IsZero() || c.OccurredAt.Location() != time.UTC || c.OccurredAt.Nanosecond()%1e6 != 0, "time not in UTC and milliseconds")
	add(c.BIN != "" && (len(c.BIN) != 6 || strings.Trim(c.BIN, "0123456789") != ""), "BIN is not six digits")
	add(len([]rune(c.Memo)) > 1000, "memo too long")
	for _, s := range []string{c.ExternalID, c.Account, c.VirtualAccount, c.Memo, c.Reference, c.OrderCode, c.Currency} {
		add(!utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl), "not printable UTF-8")
		add(len([]rune(s)) > 1000, "text too long")
	}
	told := payment.Credit{
		ExternalID: c.ExternalID, BIN: c.BIN, Account: c.Account, VirtualAccount: c.VirtualAccount, Amount: c.Amount, Currency: c.Currency,
		Direction: c.Direction, Memo: c.Memo, Reference: c.Reference, OrderCode: c.OrderCode, OccurredAt: c.OccurredAt,
	}
	add(!reflect.DeepEqual(c, told), "a field is set that the sender cannot know")
	return problems
}

func excerpt(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q and %d bytes more", s[:60], len(s)-60)
	}
	return fmt.Sprintf("%q", s)
}
