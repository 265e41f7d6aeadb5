package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
)

// maxText is the longest text, in characters, that is read as one field.
const maxText = 2000

// Object is a JSON object that is read field by field. The first error stays;
// Err tells it.
type Object struct {
	fields map[string]any
	path   string
	err    *error
}

// Decode reads one JSON object. Numbers keep every digit.
func Decode(body []byte) (*Object, error) {
	if err := httpx.CheckJSON(body, maxDepth); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return &Object{fields: fields, err: new(error)}, nil
}

// Pairs reads the query or form of a request as an object of texts. A name
// that comes twice is refused, since the two sides could read different ones.
func Pairs(values url.Values) (*Object, error) {
	fields := make(map[string]any, len(values))
	for name, v := range values {
		if len(v) != 1 {
			return nil, fmt.Errorf("%s comes %d times", Text(name, 40), len(v))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(v[0]) {
			return nil, errors.New("not UTF-8")
		}
		fields[name] = v[0]
	}
	return &Object{fields: fields, err: new(error)}, nil
}

// Err is the first thing that was wrong with a field, in this object or one
// inside it.
func (o *Object) Err() error { return *o.err }

// Fail records what is wrong, unless something was before.
func (o *Object) Fail(format string, args ...any) {
	if *o.err == nil {
		*o.err = fmt.Errorf(format, args...)
	}
}

// Has says whether a field is there and not null.
func (o *Object) Has(name string) bool { return o.fields[name] != nil }

// Raw is a field's text as it came, for signatures: the digits of a number, ""
// for null and what is absent.
func (o *Object) Raw(name string) string {
	switch v := o.fields[name].(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	o.Fail("%s%s is not text", o.path, name)
	return ""
}

// Text is a field that may be absent, at most maxText characters and fit to be
// shown and stored.
func (o *Object) Text(name string) string {
	s := o.Raw(name)
	if utf8.RuneCountInString(s) > maxText {
		o.Fail("%s%s is longer than %d characters", o.path, name, maxText)
		return ""
	}
	return Text(s, maxText)
}

// ID is a field that must be there: 1 to 128 characters, none of them blank or
// a control character.
func (o *Object) ID(name string) string {
	s := o.Raw(name)
	switch {
	case s == "":
		o.Fail("%s%s is missing", o.path, name)
	case utf8.RuneCountInString(s) > 128 || strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || unicode.IsSpace(c) }):
		o.Fail("%s%s is not an id", o.path, name)
	default:
		return s
	}
	return ""
}

// Number is a whole number that must be there.
func (o *Object) Number(name string) int64 {
	s := o.Raw(name)
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case s == "":
		o.Fail("%s%s is missing", o.path, name)
	case err != nil || strconv.FormatInt(n, 10) != s:
		o.Fail("%s%s is not a whole number", o.path, name)
	default:
		return n
	}
	return 0
}

// Amount is an amount in whole đồng, not negative, that must be there. It may
// be written with decimals as long as they are zero.
func (o *Object) Amount(name string) money.VND {
	s := o.Raw(name)
	if s == "" {
		o.Fail("%s%s is missing", o.path, name)
		return 0
	}
	v, err := money.Parse(s)
	if err != nil || v < 0 {
		o.Fail("%s%s is not an amount in whole đồng", o.path, name)
		return 0
	}
	return v
}

// Paid is the Amount of a payment that was made: above zero, because in a Report
// zero is what an acquirer does not say.
func (o *Object) Paid(name string) money.VND {
	v := o.Amount(name)
	if v == 0 {
		o.Fail("%s%s is zero", o.path, name)
	}
	return v
}

// Millis is a time in milliseconds since 1970, the zero time when it is absent,
// 0 or beyond reason: it is told, not decided by.
func (o *Object) Millis(name string) time.Time {
	n, err := strconv.ParseInt(o.Raw(name), 10, 64)
	return Moment(time.UnixMilli(n), err)
}

// Moment is t in UTC and milliseconds, the zero time when there was an error or
// the year cannot be right.
func Moment(t time.Time, err error) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	if err != nil || t.Year() < 2000 || t.Year() > 2100 {
		return time.Time{}
	}
	return t
}

// Object is an object inside, an empty one when it is absent.
func (o *Object) Object(name string) *Object {
	in := &Object{path: o.path + name + ".", err: o.err}
	switch v := o.fields[name].(type) {
	case nil:
	case map[string]any:
		in.fields = v
	default:
		o.Fail("%s%s is not an object", o.path, name)
	}
	return in
}

// List is a list of objects inside, empty when it is absent.
func (o *Object) List(name string) []*Object {
	if o.fields[name] == nil {
		return nil
	}
	list, ok := o.fields[name].([]any)
	if !ok {
		o.Fail("%s%s is not a list", o.path, name)
		return nil
	}
	in := make([]*Object, 0, len(list))
	for i, v := range list {
		fields, ok := v.(map[string]any)
		if !ok {
			o.Fail("%s%s[%d] is not an object", o.path, name, i)
			return nil
		}
		in = append(in, &Object{fields: fields, path: fmt.Sprintf("%s%s[%d].", o.path, name, i), err: o.err})
	}
	return in
}
