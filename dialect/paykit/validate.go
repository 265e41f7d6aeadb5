package paykit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
)

// The messages are those of Django REST Framework 3.14 (source 4), word for
// word: clients show them and tests compare them.
const (
	msgRequired     = "This field is required."
	msgNull         = "This field may not be null."
	msgBlank        = "This field may not be blank."
	msgNotString    = "Not a valid string."
	msgTooLong      = "Ensure this field has no more than %d characters."
	msgNUL          = "Null characters are not allowed."
	msgChoice       = "\"%s\" is not a valid choice."
	msgURL          = "Enter a valid URL."
	msgDatetime     = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
	msgDatetimeOut  = "Datetime value out of range."
	msgNotList      = "Expected a list of items but got type \"%s\"."
	msgNotObject    = "Invalid data. Expected a dictionary, but got %s."
	msgNoData       = "No data provided"
	msgNumber       = "A valid number is required."
	msgNumberLong   = "String value too large."
	msgNumberDigits = "Ensure that there are no more than %d digits in total."
	msgNumberPlaces = "Ensure that there are no more than %d decimal places."
	msgNumberWhole  = "Ensure that there are no more than %d digits before the decimal point."
	msgNumberMin    = "Ensure this value is greater than or equal to 0.000001."
)

// fieldErrors is error.field: per bad key a list of messages, or the
// fieldErrors of a nested object. A non-empty one is an error of its own.
type fieldErrors map[string]any

func (e fieldErrors) Error() string { return "invalid request" }

// fields reads the keys of one JSON object and gathers what is wrong with all
// of them. Each method returns the zero value for a key that is absent or bad.
type fields struct {
	value httpx.Value // an object
	errs  fieldErrors // nil for none
}

// fail notes what is wrong with key: messages, or fieldErrors of its own.
func (f *fields) fail(key string, what any) {
	if f.errs == nil {
		f.errs = fieldErrors{}
	}
	f.errs[key] = what
}

// lookup returns the value of key, and false when it is absent or null, which
// is an error for null always and for absence when the key is required.
func (f *fields) lookup(key string, required bool) (httpx.Value, bool) {
	v, present := f.value.Member(key)
	switch {
	case !present && required:
		f.fail(key, []string{msgRequired})
	case present && v.Kind == httpx.Null:
		f.fail(key, []string{msgNull})
	}
	return v, present && v.Kind != httpx.Null
}

// text reads a string of 1 to limit characters, trimmed (CharField).
func (f *fields) text(key string, limit int, required bool) string {
	v, ok := f.lookup(key, required)
	if !ok {
		return ""
	}
	s, messages := cleanText(v, limit)
	if len(messages) > 0 {
		f.fail(key, messages)
		return ""
	}
	return s
}

// url reads a text that is a URL (URLField).
func (f *fields) url(key string, required bool) string {
	v, ok := f.lookup(key, required)
	if !ok {
		return ""
	}
	s, messages := cleanText(v, maxURL)
	if s != "" && !validURL(s) {
		messages = append(messages, msgURL)
	}
	if len(messages) > 0 {
		f.fail(key, messages)
		return ""
	}
	return s
}

// cleanText trims a text and says what is wrong with it. The text is "" when
// there is none to look further at.
func cleanText(v httpx.Value, limit int) (string, []string) {
	s, ok := textOf(v)
	if !ok {
		return "", []string{msgNotString}
	}
	s = strings.TrimFunc(s, isSpace)
	if s == "" {
		return "", []string{msgBlank}
	}
	var messages []string
	if utf8.RuneCountInString(s) > limit {
		messages = append(messages, fmt.Sprintf(msgTooLong, limit))
	}
	if strings.ContainsRune(s, 0) {
		messages = append(messages, msgNUL)
	}
	return s, messages
}

// textOf is a string, or a number as it was written (P9).
func textOf(v httpx.Value) (string, bool) {
	return v.Text, v.Kind == httpx.String || v.Kind == httpx.Number
}

// isSpace is what Python trims: Unicode's white space and the four ASCII
// separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || (0x1c <= r && r <= 0x1f) }

// choice reads one of the allowed words; no trimming, no other case
// (ChoiceField).
func (f *fields) choice(key string, allowed []string, required bool) string {
	v, ok := f.lookup(key, required)
	if !ok {
		return ""
	}
	s, message := chosen(v, allowed)
	if message != "" {
		f.fail(key, []string{message})
	}
	return s
}

// chosen is the allowed word that a value is, or the message for what is wrong
// with it.
func chosen(v httpx.Value, allowed []string) (word, message string) {
	if v.Kind == httpx.Null {
		return "", msgNull
	}
	s := shown(v)
	if !slices.Contains(allowed, s) {
		return "", fmt.Sprintf(msgChoice, pan.Mask(s))
	}
	return s, ""
}

// choices reads a list of allowed words (ListField of ChoiceField). Errors of
// elements are told by their index.
func (f *fields) choices(key string, allowed []string) []string {
	v, ok := f.lookup(key, false)
	if !ok {
		return nil
	}
	if v.Kind != httpx.Array {
		f.fail(key, []string{fmt.Sprintf(msgNotList, typeName(v))})
		return nil
	}
	var each fields
	var out []string
	for i, e := range v.List {
		s, message := chosen(e, allowed)
		switch {
		case message != "":
			each.fail(strconv.Itoa(i), []string{message})
		case !slices.Contains(out, s):
			out = append(out, s)
		}
	}
	if each.errs != nil {
		f.fail(key, each.errs)
		return nil
	}
	return out
}

// decimal reads an amount of at least 0.000001 (DecimalField) and returns its
// text.
func (f *fields) decimal(key string) string {
	v, ok := f.lookup(key, true)
	if !ok {
		return ""
	}
	s, ok := textOf(v)
	if !ok {
		f.fail(key, []string{msgNumber})
		return ""
	}
	s, message := checkDecimal(s)
	if message != "" {
		f.fail(key, []string{message})
		return ""
	}
	return s
}

// datetime reads an optional moment (DateTimeField).
func (f *fields) datetime(key string) time.Time {
	v, ok := f.lookup(key, false)
	if !ok {
		return time.Time{}
	}
	if v.Kind != httpx.String {
		f.fail(key, []string{msgDatetime})
		return time.Time{}
	}
	t, message := parseDatetime(v.Text)
	if message != "" {
		f.fail(key, []string{message})
		return time.Time{}
	}
	if t = t.Truncate(time.Millisecond); t.IsZero() { // which would be none given
		t = t.Add(time.Millisecond)
	}
	return t
}

// object reads a required nested object. When it is none, the error is noted
// and the second result is false.
func (f *fields) object(key string) (*fields, bool) {
	v, ok := f.lookup(key, true)
	if ok && v.Kind != httpx.Object {
		f.fail(key, notObject(v))
		return nil, false
	}
	return &fields{value: v}, ok
}

// nest notes the errors of a nested object under key.
func (f *fields) nest(key string, inner *fields) {
	if inner.errs != nil {
		f.fail(key, inner.errs)
	}
}

// err returns what was gathered, nil for nothing.
func (f *fields) err() error {
	if f.errs == nil {
		return nil
	}
	return f.errs
}

func notObject(v httpx.Value) fieldErrors {
	return fieldErrors{nonFieldErrors: []string{fmt.Sprintf(msgNotObject, typeName(v))}}
}

// typeName is what Python calls the type of a decoded JSON value; the messages
// carry it.
func typeName(v httpx.Value) string {
	switch v.Kind {
	case httpx.Null:
		return "NoneType"
	case httpx.Bool:
		return "bool"
	case httpx.Number:
		if strings.ContainsAny(v.Text, ".eE") {
			return "float"
		}
		return "int"
	case httpx.Array:
		return "list"
	case httpx.Object:
		return "dict"
	}
	return "str"
}

// shown is a bad choice as its message repeats it: scalars in Python's words,
// lists and objects as JSON.
func shown(v httpx.Value) string {
	switch v.Kind {
	case httpx.String, httpx.Number:
		return v.Text
	case httpx.Bool:
		if v.Text == "true" {
			return "True"
		}
		return "False"
	}
	text, _ := json.Marshal(v.Tree()) // it came from JSON, so it can go back
	return string(text)
}
