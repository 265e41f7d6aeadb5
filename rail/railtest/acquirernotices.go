package railtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

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
