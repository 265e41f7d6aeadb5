package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// input is a JSON object with what is wrong in it. null counts as absent.
type input struct {
	members map[string]json.RawMessage
	wrong   map[string][]string
}

// readInput reads a request's body.
func readInput(w http.ResponseWriter, r *http.Request) (*input, error) {
	bad := func(status int, message string) (*input, error) {
		return nil, &failure{status: status, code: payment.CodeInvalidRequest, message: message}
	}
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		return bad(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", maxBody))
	case err != nil:
		return bad(http.StatusBadRequest, "the body did not come whole")
	}
	if err := httpx.CheckJSON(body, maxDepth); err != nil {
		return bad(http.StatusBadRequest, "the body has to be a JSON object: "+strings.TrimPrefix(err.Error(), "httpx: "))
	}
	in := &input{wrong: map[string][]string{}}
	if err := json.Unmarshal(body, &in.members); err != nil || in.members == nil {
		return bad(http.StatusBadRequest, "the body has to be a JSON object")
	}
	return in, nil
}

func (in *input) complain(field, format string, args ...any) {
	in.wrong[field] = append(in.wrong[field], fmt.Sprintf(format, args...))
}

// err is nil when nothing is wrong.
func (in *input) err() error {
	if len(in.wrong) == 0 {
		return nil
	}
	return &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "some fields are wrong; see fields", fields: in.wrong}
}

// has says whether a member is there and not null.
func (in *input) has(name string) bool {
	m, ok := in.members[name]
	return ok && string(m) != "null"
}

// text reads a text of at most so many characters, without control characters.
// An absent one is "".
func (in *input) text(name string, most int) string {
	if !in.has(name) {
		return ""
	}
	var s string
	if err := json.Unmarshal(in.members[name], &s); err != nil {
		in.complain(name, "has to be a text")
		return ""
	}
	s = strings.TrimSpace(s)
	switch {
	case utf8.RuneCountInString(s) > most:
		in.complain(name, "has more than %d characters", most)
	case strings.ContainsFunc(s, unicode.IsControl):
		in.complain(name, "has control characters")
	default:
		return s
	}
	return ""
}

// needed reads a text that has to be there.
func (in *input) needed(name string, most int) string {
	s := in.text(name, most)
	if s == "" && in.wrong[name] == nil {
		in.complain(name, "is missing")
	}
	return s
}

// amount reads whole đồng above zero; ok is false when it is absent or wrong.
func (in *input) amount(name string) (v money.VND, ok bool) {
	if !in.has(name) {
		return 0, false
	}
	digits := string(in.members[name])
	if digits[0] != '-' && (digits[0] < '0' || digits[0] > '9') {
		in.complain(name, "has to be a number")
		return 0, false
	}
	v, message := checkAmount(digits)
	if message != "" {
		in.complain(name, "%s", message)
		return 0, false
	}
	return v, true
}

// checkAmount reads an amount from its digits, or says what is wrong with it.
func checkAmount(digits string) (v money.VND, message string) {
	v, err := money.Parse(digits)
	switch {
	case errors.Is(err, money.ErrFraction):
		return 0, "has a fraction of a đồng"
	case errors.Is(err, money.ErrRange) || err == nil && v > core.MaxAmount:
		return 0, "has more than 13 digits"
	case err != nil:
		return 0, "is not a number"
	case v <= 0:
		return 0, "has to be above zero"
	}
	return v, ""
}

// number reads a whole number within limits; an absent one is least.
func (in *input) number(name string, least, most int) int {
	if !in.has(name) {
		return least
	}
	var n int
	if err := json.Unmarshal(in.members[name], &n); err != nil || n < least || n > most {
		in.complain(name, "has to be a whole number from %d to %d", least, most)
		return least
	}
	return n
}

// moment reads a time with its zone; an absent one is the given one.
func (in *input) moment(name string, absent time.Time) time.Time {
	if !in.has(name) {
		return absent
	}
	s := in.text(name, 64)
	if in.wrong[name] != nil {
		return absent
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 2000 || t.Year() > 2100 {
		in.complain(name, "has to be a time as in 2026-03-04T12:00:00+07:00")
		return absent
	}
	return t.UTC()
}
