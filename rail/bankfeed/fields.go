package bankfeed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// Limits of a row, in characters.
const (
	maxMemo    = 1000 // longer ones are cut
	maxID      = 128
	maxAccount = 64
	maxDepth   = 16 // JSON objects and arrays inside each other
)

// maxAmount is more than any transfer and far from what would overflow a sum.
const maxAmount = money.VND(999_999_999_999_999)

// object is a JSON object. Numbers are json.Number, so that no digit is lost.
type object = map[string]any

// decode reads one JSON value.
func decode(body []byte) (any, error) {
	if err := httpx.CheckJSON(body, maxDepth); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}

func decodeObject(body []byte) (object, error) {
	v, err := decode(body)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

// row reads one movement out of an object. The first error stays.
type row struct {
	fields object
	err    error
}

func (r *row) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// raw is the first of the named fields that says something: neither missing
// nor null nor blank.
func (r *row) raw(names ...string) (name string, value any) {
	for _, name := range names {
		v := r.fields[name]
		if s, ok := v.(string); v == nil || ok && strings.TrimSpace(s) == "" {
			continue
		}
		return name, v
	}
	return names[0], nil
}

// text reads a field that may be absent. A number stands for its digits.
func (r *row) text(names ...string) string {
	name, value := r.raw(names...)
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return printable(v)
	case json.Number:
		return v.String()
	}
	r.fail("%s is not text", name)
	return ""
}

// short reads a text in which cutting would change the meaning.
func (r *row) short(limit int, names ...string) string {
	s := r.text(names...)
	if len([]rune(s)) > limit {
		r.fail("%s is longer than %d characters", names[0], limit)
	}
	return s
}

func (r *row) memo(names ...string) string { return truncate(r.text(names...), maxMemo) }

// account reads an account number; banks print them with blanks.
func (r *row) account(names ...string) string {
	return strings.ReplaceAll(r.short(maxAccount, names...), " ", "")
}

// id reads the sender's id of the movement. A number has to be written as a
// plain integer, so that one id has one spelling.
func (r *row) id(names ...string) string {
	name, value := r.raw(names...)
	if n, ok := value.(json.Number); ok && strings.Trim(n.String(), "0123456789") != "" {
		r.fail("%s is not a whole number", name)
		return ""
	}
	s := r.short(maxID, names...)
	if s == "" {
		r.fail("%s is missing", names[0])
	}
	return s
}

// amount reads an exact amount, which may be negative or zero, from a number or
// a text of digits. ok is false when the field is absent or wrong.
func (r *row) amount(name string) (v money.VND, ok bool) {
	_, value := r.raw(name)
	var digits string
	switch v := value.(type) {
	case nil:
		r.fail("%s is missing", name)
		return 0, false
	case json.Number:
		digits = v.String()
	case string:
		digits = strings.TrimSpace(v)
	default:
		r.fail("%s is not a number", name)
		return 0, false
	}
	v, err := money.Parse(digits)
	switch {
	case errors.Is(err, money.ErrFraction):
		r.fail("%s %q has a fraction of a đồng", name, excerpt(digits))
	case errors.Is(err, money.ErrRange) || err == nil && (v > maxAmount || v < -maxAmount):
		r.fail("%s %q is out of range", name, excerpt(digits))
	case err != nil:
		r.fail("%s %q is not a decimal number", name, excerpt(digits))
	default:
		return v, true
	}
	return 0, false
}

// positive reads an amount above zero.
func (r *row) positive(name string) money.VND {
	v, ok := r.amount(name)
	if ok && v <= 0 {
		r.fail("%s is %d, not above zero", name, v)
	}
	return v
}

// direction reads which way the money went.
func (r *row) direction(name, in, out string) payment.Direction {
	s := r.text(name)
	switch {
	case strings.EqualFold(s, in):
		return payment.In
	case strings.EqualFold(s, out):
		return payment.Out
	}
	r.fail("%s is %q, neither %q nor %q", name, excerpt(s), in, out)
	return ""
}

// currency reads an ISO 4217 code; absent means đồng.
func (r *row) currency(name string) string {
	s := strings.ToUpper(r.text(name))
	if s == "" {
		return "VND"
	}
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.fail("%s is %q, not three letters", name, excerpt(s))
	}
	return s
}

// layouts are how the providers write a moment without its zone.
var layouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"}

// time reads a moment. One without a zone is Vietnamese time, +07:00.
func (r *row) time(name string) time.Time {
	s := r.text(name)
	if s == "" {
		r.fail("%s is missing", name)
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	for _, layout := range layouts {
		if err == nil {
			break
		}
		t, err = time.ParseInLocation(layout, s, clock.Vietnam)
	}
	if err != nil || t.Year() < 2000 || t.Year() > 2100 {
		r.fail("%s %q is not a time", name, excerpt(s))
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// zoned reads a moment that has to say its zone.
func (r *row) zoned(name string) time.Time {
	s := r.text(name)
	if s == "" {
		r.fail("%s is missing", name)
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 2000 || t.Year() > 2100 {
		r.fail("%s %q is not a time as in RFC 3339", name, excerpt(s))
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// parseRows reads each element of list. read returns no credit and no error
// for a row that is nothing but a test of the connection.
func parseRows(list []any, read func(*row) (c payment.Credit, real bool)) rail.Parsed {
	var p rail.Parsed
	for _, element := range list {
		fields, ok := element.(object)
		r := &row{fields: fields}
		if !ok {
			r.fail("a transaction that is not a JSON object")
		}
		c, real := payment.Credit{}, false
		if ok {
			c, real = read(r)
		}
		switch {
		case r.err != nil:
			p.Refused = append(p.Refused, rail.Refused{Row: appendJSON(nil, element), Reason: r.err.Error()})
		case real:
			p.Credits = append(p.Credits, c)
		}
	}
	return p
}

// printable turns control characters, which neither a person nor PostgreSQL
// can take, into blanks.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s))
}

// truncate cuts s after limit characters.
func truncate(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}

// excerpt is the part of a bad value that an error shows.
func excerpt(s string) string { return truncate(s, 40) }
