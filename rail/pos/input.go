package pos

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
)

// badRequest is a request that cannot be read.
type badRequest struct {
	status int
	why    string
}

func (b badRequest) Error() string { return "pos: " + b.why }

// input is a JSON object of a device. null counts as absent, and what it does
// not know is ignored.
type input map[string]json.RawMessage

// readBody reads a request's object; an empty body is {}.
func readBody(w http.ResponseWriter, r *http.Request) (input, error) {
	body, err := httpx.ReadBody(w, r, maxBody)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		return nil, badRequest{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", maxBody)}
	case err != nil:
		return nil, badRequest{http.StatusBadRequest, "the body did not arrive whole"}
	case len(body) == 0:
		return input{}, nil
	}
	return decode(body)
}

func decode(body []byte) (input, error) {
	var in input
	if httpx.CheckJSON(body, maxDepth) != nil || json.Unmarshal(body, &in) != nil || in == nil {
		return nil, badRequest{http.StatusBadRequest, "the body has to be a JSON object in UTF-8"}
	}
	return in, nil
}

func (in input) has(name string) bool {
	v, ok := in[name]
	return ok && string(v) != "null"
}

func wrong(name, what string) error {
	return badRequest{http.StatusUnprocessableEntity, name + " " + what}
}

// maxText bounds every text, in characters; core knows the tighter limits.
const maxText = 1000

// text reads a text without control characters; "" when it is absent.
func (in input) text(name string) (string, error) {
	if !in.has(name) {
		return "", nil
	}
	var s string
	switch err := json.Unmarshal(in[name], &s); {
	case err != nil:
		return "", wrong(name, "has to be a text")
	case utf8.RuneCountInString(s) > maxText:
		return "", wrong(name, fmt.Sprintf("has more than %d characters", maxText))
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", wrong(name, "has control characters")
	case pan.Stands(s):
		return "", wrong(name, "has a card number in it, or what looks like one; give no more than its last four digits")
	}
	return s, nil
}

// number reads a whole number from 0 to most; 0 when it is absent.
func (in input) number(name string, most int) (int, error) {
	if !in.has(name) {
		return 0, nil
	}
	var n int
	if err := json.Unmarshal(in[name], &n); err != nil || n < 0 || n > most {
		return 0, wrong(name, fmt.Sprintf("has to be a whole number from 0 to %d", most))
	}
	return n, nil
}

// moment reads a time with its zone; zero when it is absent.
func (in input) moment(name string) (time.Time, error) {
	s, err := in.text(name)
	if err != nil || s == "" {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 2000 || t.Year() > 2100 {
		return time.Time{}, wrong(name, "has to be a time with its zone, as in 2026-03-04T12:00:00+07:00")
	}
	return t.UTC(), nil
}
