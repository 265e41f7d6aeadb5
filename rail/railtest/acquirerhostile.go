package railtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

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
