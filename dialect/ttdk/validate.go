package ttdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"mime"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
)

// kind is what a field has to be.
type kind int

const (
	number kind = iota
	text
	list
	object
	anything
)

// field is the rule for one member of a request's body. The messages, and that
// only the first failing member is told, are those of the validator that the
// original uses (joi 10.6).
type field struct {
	name     string
	kind     kind
	required bool

	above    *float64  // number: exclusive bound
	least    *float64  // number: inclusive bound
	most     *float64  // number
	integer  bool      // number
	oneOf    []float64 // number
	words    []string  // text
	length   int       // text: most characters; 0 is maxText
	blank    bool      // text: may be empty
	email    bool      // text
	item     []field   // list: what an element may be, one of several
	items    [2]int    // list: least and most elements; 0 is no limit
	members  []field   // object
	openEnds bool      // object: members that are not named are taken too
}

// maxText bounds a text, in characters, unless its field says otherwise.
const maxText = 255

func ptr(f float64) *float64 { return &f }

// positive is a number above 0.
func positive(name string) field { return field{name: name, kind: number, above: ptr(0)} }

// natural is a number of 0 or more.
func natural(name string) field { return field{name: name, kind: number, least: ptr(0)} }

func (f field) whole() field { f.integer = true; return f }

func (f field) need() field { f.required = true; return f }

func (f field) upTo(n float64) field { f.most = ptr(n); return f }

// words is a text.
func words(name string, most int) field { return field{name: name, kind: text, length: most} }

func (f field) orEmpty() field { f.blank = true; return f }

// listOf is a list of one kind of element.
func listOf(name string, item field) field { return field{name: name, kind: list, item: []field{item}} }

// value is a member that passed: a num, a string, a []any of values, or an
// object.
type (
	values map[string]any
	num    float64
)

// number returns a member as a whole number; 0 when it is absent or is none.
// What is no whole number cannot name anything: -1.
func (v values) number(name string) int64 {
	n, ok := v[name].(num)
	switch {
	case !ok:
		return 0
	case float64(n) != math.Trunc(float64(n)) || math.Abs(float64(n)) > maxWhole:
		return -1
	}
	return int64(n)
}

func (v values) has(name string) bool { _, ok := v[name]; return ok }

func (v values) text(name string) string { s, _ := v[name].(string); return s }

func (v values) object(name string) values { o, _ := v[name].(values); return o }

func (v values) list(name string) []any { l, _ := v[name].([]any); return l }

// numbers returns a list of numbers.
func (v values) numbers(name string) []int64 {
	var all []int64
	for _, e := range v.list(name) {
		if n, ok := e.(num); ok {
			all = append(all, values{"": n}.number(""))
		}
	}
	return all
}

// invalid is why a body was refused.
type invalid struct {
	message string
	member  bool   // it is about a member, or the body as a whole, and not its JSON
	path    string // of that member
}

func (e *invalid) Error() string { return e.message }

// errNotJSON is a body that cannot be read.
var errNotJSON = &invalid{message: "Invalid request payload JSON format"}

// misfit is a complaint about one member, from the inside out.
type misfit struct {
	text string   // `"label" what`
	path []string // from the outside in
}

// quoted is a label as the messages have it: in quotes, not escaped.
func quoted(label string) string { return `"` + label + `"` }

// validate holds a body against a schema, and returns what it is converted to.
func validate(body any, schema []field) (values, error) {
	v, m := checkObject("value", body, field{members: schema})
	if m == nil {
		return v, nil
	}
	path := m.path
	if len(path) > 1 {
		path = path[1:] // the body itself has no name
	}
	return nil, &invalid{message: m.text, member: true, path: strings.Join(path, ".")}
}

func complaint(label, what string) *misfit {
	return &misfit{text: quoted(label) + " " + what, path: []string{label}}
}

// check holds one value against a rule. Label is what messages call it.
func check(label string, v any, f field) (any, *misfit) {
	switch f.kind {
	case number:
		return checkNumber(label, v, f)
	case text:
		return checkText(label, v, f)
	case list:
		return checkList(label, v, f)
	case object:
		return checkObject(label, v, f)
	}
	return v, nil
}

func checkObject(label string, v any, f field) (values, *misfit) {
	if s, ok := v.(string); ok {
		v = reparsed(s, v)
	}
	given, ok := v.(map[string]any)
	if !ok {
		return nil, complaint(label, "must be an object")
	}
	out := values{}
	known := map[string]bool{}
	for _, member := range f.members {
		known[member.name] = true
		value, there := given[member.name]
		if !there {
			if member.required {
				return nil, within(label, member.name, complaint(member.name, "is required"))
			}
			continue
		}
		converted, m := check(member.name, value, member)
		if m != nil {
			return nil, within(label, member.name, m)
		}
		out[member.name] = converted
	}
	if f.openEnds {
		return out, nil
	}
	var strangers []string
	for name := range given {
		if !known[name] {
			strangers = append(strangers, name)
		}
	}
	if len(strangers) > 0 {
		name := pan.Mask(slices.Min(strangers))
		return nil, &misfit{text: quoted(name) + " is not allowed", path: []string{label, name}}
	}
	return out, nil
}

// within says where in an object a member failed.
func within(label, name string, m *misfit) *misfit {
	return &misfit{text: "child " + quoted(name) + " fails because [" + m.text + "]", path: append([]string{label}, m.path...)}
}

func checkNumber(label string, v any, f field) (any, *misfit) {
	n, ok := toNumber(v)
	switch {
	case !ok:
		return nil, complaint(label, "must be a number")
	case len(f.oneOf) > 0 && !slices.Contains(f.oneOf, n):
		shown := make([]string, len(f.oneOf))
		for i, o := range f.oneOf {
			shown[i] = shortest(o)
		}
		return nil, complaint(label, "must be one of ["+strings.Join(shown, ", ")+"]")
	case f.integer && n != math.Trunc(n):
		return nil, complaint(label, "must be an integer")
	case f.above != nil && n <= *f.above:
		return nil, complaint(label, "must be greater than "+shortest(*f.above))
	case f.least != nil && n < *f.least:
		return nil, complaint(label, "must be larger than or equal to "+shortest(*f.least))
	case f.most != nil && n > *f.most:
		return nil, complaint(label, "must be less than or equal to "+shortest(*f.most))
	}
	return num(n), nil
}

func shortest(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// toNumber reads a number, or a text that is one as JavaScript reads numbers.
// What is too large for it is none.
func toNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.ParseFloat(v.String(), 64)
		return n, err == nil && !math.IsInf(n, 0)
	case string:
		return scriptNumber(v)
	}
	return 0, false
}

func scriptNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\r\n\v\f\u00a0\ufeff")
	for prefix, base := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if digits, ok := strings.CutPrefix(strings.ToLower(s), prefix); ok {
			// It passes for a number and is read up to the letter: 0.
			_, ok := new(big.Int).SetString(digits, base)
			return 0, ok && strings.Trim(digits, "+-_") == digits && digits != ""
		}
	}
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

func checkText(label string, v any, f field) (any, *misfit) {
	s, ok := v.(string)
	most := f.length
	if most == 0 {
		most = maxText
	}
	switch {
	case !ok || strings.ContainsRune(s, 0) || strings.ContainsRune(s, utf8.RuneError): // no text (T7)
		return nil, complaint(label, "must be a string")
	case s == "" && f.blank:
		return s, nil
	case s == "":
		return nil, complaint(label, "is not allowed to be empty")
	case len(f.words) > 0 && !slices.Contains(f.words, s):
		return nil, complaint(label, "must be one of ["+strings.Join(f.words, ", ")+"]")
	case utf8.RuneCountInString(s) > most:
		return nil, complaint(label, fmt.Sprintf("length must be less than or equal to %d characters long", most))
	case f.email && !isEmail(s):
		return nil, complaint(label, "must be a valid email")
	}
	return s, nil
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == ""
}

func checkList(label string, v any, f field) (any, *misfit) {
	if s, ok := v.(string); ok {
		v = reparsed(s, v)
	}
	given, ok := v.([]any)
	if !ok {
		return nil, complaint(label, "must be an array")
	}
	out := make([]any, 0, min(len(given), 100))
	for i, e := range given {
		converted, m := checkElement(strconv.Itoa(i), e, f.item)
		if m != nil {
			return nil, &misfit{
				text: fmt.Sprintf("%s at position %d %s", quoted(label), i, m.text), path: append([]string{label}, m.path...),
			}
		}
		out = append(out, converted)
	}
	switch least, most := f.items[0], f.items[1]; {
	case len(given) < least:
		return nil, complaint(label, fmt.Sprintf("must contain at least %d items", least))
	case most > 0 && len(given) > most:
		return nil, complaint(label, fmt.Sprintf("must contain less than or equal to %d items", most))
	}
	return out, nil
}

// checkElement holds an element against what it may be.
func checkElement(label string, v any, kinds []field) (any, *misfit) {
	var first *misfit
	for _, f := range kinds {
		converted, m := check(label, v, f)
		if m == nil {
			return converted, nil
		}
		if first == nil {
			first = m
		}
	}
	if len(kinds) > 1 {
		return nil, &misfit{text: "does not match any of the allowed types", path: []string{label}}
	}
	first.text = "fails because [" + first.text + "]"
	return nil, first
}

// reparsed is what a text holds in JSON, if it does.
func reparsed(s string, otherwise any) any {
	if v, err := decodeJSON([]byte(s)); err == nil {
		return v
	}
	return otherwise
}

// maxDepth bounds the nesting of a request; our own needs four.
const maxDepth = 32

// decodeJSON reads one JSON value. Numbers keep their digits.
func decodeJSON(body []byte) (any, error) {
	if err := httpx.CheckJSON(body, maxDepth); err != nil {
		return nil, err
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return v, d.Decode(&v)
}

// errMediaType is a body that says it is something that nobody can read here.
var errMediaType = errors.New("ttdk: unsupported media type")

// readBody reads a request's body by its Content-Type: JSON (also as text), or a
// form. No body at all is null.
func readBody(header http.Header, body []byte) (any, error) {
	kind := header.Get("Content-Type")
	if kind != "" {
		parsed, _, err := mime.ParseMediaType(kind)
		if err != nil {
			return nil, errMediaType
		}
		kind = parsed
	}
	switch {
	case kind == "application/x-www-form-urlencoded":
		return readForm(body)
	case kind != "" && kind != "application/json" && !strings.HasSuffix(kind, "+json") && !strings.HasPrefix(kind, "text/"):
		return nil, errMediaType
	case len(body) == 0:
		return nil, nil
	}
	v, err := decodeJSON(body)
	if err != nil {
		return nil, errNotJSON
	}
	return v, nil
}

// readForm reads a form: a name that comes twice is a list.
func readForm(body []byte) (any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !utf8.Valid(body) {
		return nil, errNotJSON
	}
	out := map[string]any{}
	for name, given := range form {
		if !utf8.ValidString(name + strings.Join(given, "")) {
			return nil, errNotJSON
		}
		if len(given) == 1 {
			out[name] = given[0]
			continue
		}
		all := make([]any, len(given))
		for i, s := range given {
			all[i] = s
		}
		out[name] = all
	}
	return out, nil
}
