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

// add appends messages under key.
func (e fieldErrors) add(key string, messages ...string) {
	had, _ := e[key].([]string)
	e[key] = append(had, messages...)
}

// fields reads the keys of one JSON object and gathers what is wrong with all
// of them. Each method returns the zero value for a key that is absent or bad.
type fields struct {
	values map[string]any
	errs   fieldErrors
}

func newFields(values map[string]any) fields {
	return fields{values: values, errs: fieldErrors{}}
}

// lookup returns the value of key, and false when it is absent or null, which
// is an error for null always and for absence when the key is required.
func (f fields) lookup(key string, required bool) (any, bool) {
	v, present := f.values[key]
	switch {
	case !present && required:
		f.errs.add(key, msgRequired)
	case present && v == nil:
		f.errs.add(key, msgNull)
	}
	return v, v != nil
}

// text reads a string of 1 to limit characters, trimmed (CharField).
func (f fields) text(key string, limit int, required bool) string {
	v, ok := f.lookup(key, required)
	if !ok {
		return ""
	}
	s, messages := cleanText(v, limit)
	if len(messages) > 0 {
		f.errs.add(key, messages...)
		return ""
	}
	return s
}

// url reads a text that is a URL (URLField).
func (f fields) url(key string, required bool) string {
	v, ok := f.lookup(key, required)
	if !ok {
		return ""
	}
	s, messages := cleanText(v, maxURL)
	if s != "" && !validURL(s) {
		messages = append(messages, msgURL)
	}
	if len(messages) > 0 {
		f.errs.add(key, messages...)
		return ""
	}
	return s
}

// cleanText trims a text and says what is wrong with it. The text is "" when
// there is none to look further at.
func cleanText(v any, limit int) (string, []string) {
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
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// isSpace is what Python trims: Unicode's white space and the four ASCII
// separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || (0x1c <= r && r <= 0x1f) }

// choice reads one of the allowed words; no trimming, no other case
// (ChoiceField).
func (f fields) choice(key string, allowed []string, required bool) string {
	v, ok := f.lookup(key, required)
	if !ok {
		return ""
	}
	s := shown(v)
	if !slices.Contains(allowed, s) {
		f.errs.add(key, fmt.Sprintf(msgChoice, s))
		return ""
	}
	return s
}

// choices reads a list of allowed words (ListField of ChoiceField). Errors of
// elements are told by their index.
func (f fields) choices(key string, allowed []string) []string {
	v, ok := f.lookup(key, false)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		f.errs.add(key, fmt.Sprintf(msgNotList, typeName(v)))
		return nil
	}
	elements := map[string]any{}
	for i, e := range list {
		elements[strconv.Itoa(i)] = e
	}
	each := newFields(elements)
	var out []string
	for i := range list {
		if s := each.choice(strconv.Itoa(i), allowed, true); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(each.errs) > 0 {
		f.errs[key] = each.errs
		return nil
	}
	return out
}

// decimal reads an amount of at least 0.000001 (DecimalField) and returns its
// text.
func (f fields) decimal(key string) string {
	v, ok := f.lookup(key, true)
	if !ok {
		return ""
	}
	s, ok := textOf(v)
	if !ok {
		f.errs.add(key, msgNumber)
		return ""
	}
	s, message := checkDecimal(s)
	if message != "" {
		f.errs.add(key, message)
		return ""
	}
	return s
}

// datetime reads an optional moment (DateTimeField).
func (f fields) datetime(key string) time.Time {
	v, ok := f.lookup(key, false)
	if !ok {
		return time.Time{}
	}
	s, ok := v.(string)
	if !ok {
		f.errs.add(key, msgDatetime)
		return time.Time{}
	}
	t, message := parseDatetime(s)
	if message != "" {
		f.errs.add(key, message)
	}
	return t
}

// object reads a required nested object. When it is none, the error is noted
// and the second result is false.
func (f fields) object(key string) (fields, bool) {
	v, ok := f.lookup(key, true)
	if !ok {
		return fields{}, false
	}
	values, ok := v.(map[string]any)
	if !ok {
		f.errs[key] = notObject(v)
		return fields{}, false
	}
	return newFields(values), true
}

// nest notes the errors of a nested object under key.
func (f fields) nest(key string, inner fields) {
	if len(inner.errs) > 0 {
		f.errs[key] = inner.errs
	}
}

// err returns what was gathered, nil for nothing.
func (f fields) err() error {
	if len(f.errs) == 0 {
		return nil
	}
	return f.errs
}

func notObject(v any) fieldErrors {
	return fieldErrors{nonFieldErrors: []string{fmt.Sprintf(msgNotObject, typeName(v))}}
}

// typeName is what Python calls the type of a decoded JSON value; the messages
// carry it.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	}
	return "str"
}

// shown is a bad choice as its message repeats it: scalars in Python's words,
// lists and objects as JSON.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	text, _ := json.Marshal(v) // it came from JSON, so it can go back
	return string(text)
}
