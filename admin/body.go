package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
)

// Limits of a request's body.
const (
	maxBody  = 64 << 10 // bytes
	maxDepth = 8        // objects and arrays inside each other
)

// Limits of texts, in characters.
const (
	maxName   = 255
	maxReason = 500
	maxURL    = 2000
	maxSecret = 1000
)

// maxAmount is 15 digits: what every JSON reader keeps exactly.
const maxAmount = money.VND(999_999_999_999_999)

// object is a JSON object of a request, read field by field. Complaints gather
// in faults, so that the caller hears all of them at once.
type object struct {
	path   string // "" at the top, "ipn_urls." inside of it
	values map[string]any
	known  map[string]bool
	faults faults
}

// readBody reads the request's JSON object. A body that may be empty counts as
// {} then.
func (c *call) readBody(mayBeEmpty bool) (*object, error) {
	data, err := httpx.ReadBody(c.w, c.r, maxBody)
	if errors.Is(err, httpx.ErrTooLarge) {
		return nil, &failure{status: http.StatusRequestEntityTooLarge, code: "body_too_large", message: fmt.Sprintf("the body is over %d bytes", maxBody)}
	}
	if err != nil {
		return nil, badJSON("the body did not arrive whole")
	}
	if mayBeEmpty && len(data) == 0 {
		return newObject("", map[string]any{}, faults{}), nil
	}
	if err := checkType(c.r.Header); err != nil {
		return nil, err
	}
	values, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	return newObject("", values, faults{}), nil
}

// noBody reads a body that has nothing to say.
func (c *call) noBody() error {
	o, err := c.readBody(true)
	if err != nil {
		return err
	}
	return o.err()
}

func newObject(path string, values map[string]any, f faults) *object {
	return &object{path: path, values: values, known: map[string]bool{}, faults: f}
}

func badJSON(message string) error {
	return &failure{status: http.StatusBadRequest, code: "invalid_json", message: message}
}

// checkType refuses a body that says it is something else than JSON.
func checkType(h http.Header) error {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if h.Get("Content-Encoding") == "" && (h.Get("Content-Type") == "" || err == nil && kind == "application/json") {
		return nil
	}
	return &failure{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", message: "send plain JSON with Content-Type: application/json"}
}

// parseObject is a strict reader: one object, nothing after it, UTF-8, no name
// twice, numbers kept as written.
func parseObject(data []byte) (map[string]any, error) {
	switch err := httpx.CheckJSON(data, maxDepth); {
	case errors.Is(err, httpx.ErrEmpty):
		return nil, badJSON("the body is empty; a JSON object is expected")
	case errors.Is(err, httpx.ErrNotUTF8):
		return nil, badJSON("the body is not UTF-8")
	case errors.Is(err, httpx.ErrTooDeep):
		return nil, badJSON(fmt.Sprintf("the body is nested deeper than %d levels", maxDepth))
	case errors.Is(err, httpx.ErrTrailing):
		return nil, badJSON("there is something after the end of the JSON object")
	case err != nil:
		return nil, badJSON("the body is not valid JSON" + whereBroken(data))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := parseValue(dec)
	if err != nil {
		return nil, err
	}
	values, ok := value.(map[string]any)
	if !ok {
		return nil, badJSON("a JSON object is expected, not " + typeName(value))
	}
	return values, nil
}

// whereBroken adds the place to a complaint.
func whereBroken(data []byte) string {
	var syntax *json.SyntaxError
	var value json.RawMessage
	if errors.As(json.Unmarshal(data, &value), &syntax) {
		return fmt.Sprintf(" (at byte %d)", syntax.Offset)
	}
	return ""
}

// parseValue builds one value. The text has been checked, so that only a name
// that comes twice can fail; encoding/json would take the last one in silence.
func parseValue(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, badJSON("the body is not valid JSON")
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			value, err := parseValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = dec.Token()
		return list, err
	case json.Delim('{'):
		values := map[string]any{}
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, badJSON("the body is not valid JSON")
			}
			if _, twice := values[name.(string)]; twice {
				return nil, badJSON(fmt.Sprintf("the name %s is there twice", quoted(name.(string))))
			}
			if values[name.(string)], err = parseValue(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return values, err
	}
	return token, nil
}

// quoted shows a caller's word back to it, shortened.
func quoted(s string) string {
	const limit = 40
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "an array"
	}
	return "an object"
}

// value takes a field out. Null is refused: a field that is to stay as it is
// is left out.
func (o *object) value(name string) (any, bool) {
	o.known[name] = true
	v, ok := o.values[name]
	if ok && v == nil {
		o.complain(name, "may not be null; leave it out instead")
		return nil, false
	}
	return v, ok
}

func (o *object) complain(name, message string) { o.faults.add(o.path+name, message) }

// need complains about fields that are not there.
func (o *object) need(names ...string) {
	for _, name := range names {
		o.known[name] = true
		if _, ok := o.values[name]; !ok {
			o.complain(name, "is required")
		}
	}
}

// needOne complains when none of the fields is there: a change of nothing is a
// mistake.
func (o *object) needOne(names ...string) {
	for _, name := range names {
		if _, ok := o.values[name]; ok {
			return
		}
	}
	o.complain(names[0], "give at least one of "+strings.Join(names, ", "))
}

// err tells everything that is wrong, with the fields nobody asked for.
func (o *object) err() error {
	o.refuseUnknown()
	return o.faults.err()
}

func (o *object) refuseUnknown() {
	for name := range o.values {
		if o.known[name] {
			continue
		}
		names := make([]string, 0, len(o.known))
		for k := range o.known {
			names = append(names, k)
		}
		slices.Sort(names)
		message := "is not a field here; the fields are " + strings.Join(names, ", ")
		if len(names) == 0 {
			message = "is not a field here; there are none"
		}
		o.complain(clip(name), message)
	}
}

// clip keeps a caller's own names in an answer short, and card numbers out of it.
func clip(name string) string {
	name = pan.Mask(name)
	const limit = 64
	if r := []rune(name); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return name
}

// text reads a text of up to limit characters, nil when it is not there or is
// wrong.
func (o *object) text(name string, limit int) *string {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		o.complain(name, "has to be a text, not "+typeName(v))
		return nil
	}
	if why := badText(s, limit); why != "" {
		o.complain(name, why)
		return nil
	}
	return &s
}

// filled is text that may not be blank.
func (o *object) filled(name string, limit int) *string {
	s := o.text(name, limit)
	if s != nil && strings.TrimSpace(*s) == "" {
		o.complain(name, "may not be empty")
		return nil
	}
	return s
}

// words is filled, for what people write about people: no card number has any
// business there.
func (o *object) words(name string, limit int) *string {
	s := o.filled(name, limit)
	if s != nil && pan.Stands(*s) {
		o.complain(name, "has a card number in it, or what looks like one; card numbers are not taken here")
		return nil
	}
	return s
}

// badText says what is wrong with a text, "" when nothing is.
func badText(s string, limit int) string {
	switch {
	case utf8.RuneCountInString(s) > limit:
		return fmt.Sprintf("is longer than %d characters", limit)
	case !utf8.ValidString(s), strings.ContainsRune(s, utf8.RuneError):
		// A broken \u escape arrives as the replacement character.
		return "has a broken character in it"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "has a control character in it"
	}
	return ""
}

// choice reads one of a few words.
func (o *object) choice(name string, words ...string) *string {
	s := o.text(name, maxName)
	if s != nil && !slices.Contains(words, *s) {
		o.complain(name, "has to be one of "+strings.Join(words, ", "))
		return nil
	}
	return s
}

// link reads an absolute http or https URL. Empty means none.
func (o *object) link(name string) *string {
	s := o.text(name, maxURL)
	if s == nil || *s == "" {
		return s
	}
	u, err := url.Parse(*s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		o.complain(name, "has to be a whole URL, http://... or https://...")
		return nil
	case u.User != nil:
		o.complain(name, "may not have a user name or password in it")
		return nil
	case u.Fragment != "":
		o.complain(name, "may not have a #fragment")
		return nil
	}
	return s
}

// flag reads true or false.
func (o *object) flag(name string) *bool {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	b, ok := v.(bool)
	if !ok {
		o.complain(name, "has to be true or false, not "+typeName(v))
		return nil
	}
	return &b
}

// amount reads whole đồng, 0 to 15 digits, as a number or as a text of digits.
func (o *object) amount(name string) *money.VND {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	var written string
	switch v := v.(type) {
	case json.Number:
		written = v.String()
	case string:
		if v == "" || strings.Trim(v, "0123456789") != "" {
			o.complain(name, "has to be whole đồng: a number, or a text of digits only")
			return nil
		}
		written = v
	default:
		o.complain(name, "has to be a number, not "+typeName(v))
		return nil
	}
	amount, err := money.Parse(written)
	switch {
	case errors.Is(err, money.ErrFraction):
		o.complain(name, "has a fraction; the đồng has none")
	case err != nil || amount > maxAmount || amount < -maxAmount:
		o.complain(name, fmt.Sprintf("is over %d", maxAmount))
	case amount < 0:
		o.complain(name, "may not be negative")
	default:
		return &amount
	}
	return nil
}

// uuid reads an id of ours.
func (o *object) uuid(name string) *string {
	s := o.text(name, maxName)
	if s == nil {
		return nil
	}
	known, err := id.Parse(*s)
	if err != nil {
		o.complain(name, "is not an id of this gateway")
		return nil
	}
	return &known
}

// moment reads an RFC 3339 time with its zone.
func (o *object) moment(name string) time.Time {
	s := o.text(name, maxName)
	if s == nil {
		return time.Time{}
	}
	t, why := parseTime(*s)
	if why != "" {
		o.complain(name, why)
	}
	return t
}

// parseTime reads a time of the years that the databases' milliseconds and
// RFC 3339 both have.
func parseTime(s string) (t time.Time, why string) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 2000 || t.Year() > 9998 {
		return time.Time{}, "has to be a time with its zone, such as 2026-11-22T09:30:00+07:00"
	}
	return t.UTC(), ""
}

// span reads a length of time such as "24h", 0 to limit.
func (o *object) span(name string, limit time.Duration) *time.Duration {
	s := o.text(name, maxName)
	if s == nil {
		return nil
	}
	d, err := time.ParseDuration(*s)
	if err != nil || d < 0 || d > limit {
		o.complain(name, fmt.Sprintf("has to be a length of time such as 90m or 24h, from 0s to %dh", int(math.Floor(limit.Hours()))))
		return nil
	}
	return &d
}

// inner reads an object of the caller's own names, such as dialects, at most 20
// of them; nil when it is not there.
func (o *object) inner(name string) *object {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	const limit = 20
	values, ok := v.(map[string]any)
	if !ok {
		o.complain(name, "has to be an object, not "+typeName(v))
		return nil
	}
	if len(values) > limit {
		o.complain(name, fmt.Sprintf("has more than %d names", limit))
		return nil
	}
	for key := range values {
		if key == "" || badText(key, 64) != "" {
			o.complain(name, "has a name in it that is empty, too long or broken: "+quoted(key))
			return nil
		}
	}
	return newObject(o.path+name+".", values, o.faults)
}

// texts reads a list of up to most texts, each of them filled; nil when it is
// not there or is wrong.
func (o *object) texts(name string, most, limit int) *[]string {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	switch {
	case !ok:
		o.complain(name, "has to be an array of texts, not "+typeName(v))
		return nil
	case len(list) == 0 || len(list) > most:
		o.complain(name, fmt.Sprintf("has to have 1 to %d texts in it", most))
		return nil
	}
	texts := make([]string, len(list))
	for i, e := range list {
		if texts[i], ok = e.(string); !ok {
			o.complain(name, "has to have texts only in it, not "+typeName(e))
			return nil
		}
		if why := badText(texts[i], limit); why != "" || texts[i] == "" {
			o.complain(name, "has a text in it that is empty, too long or broken: "+quoted(texts[i]))
			return nil
		}
	}
	return &texts
}

// whole reads a whole number.
func (o *object) whole(name string, least, most int64) *int64 {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	number, ok := v.(json.Number)
	if !ok {
		o.complain(name, "has to be a number, not "+typeName(v))
		return nil
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || n < least || n > most || pan.Stands(number.String()) {
		o.complain(name, fmt.Sprintf("has to be a whole number from %d to %d", least, most))
		return nil
	}
	return &n
}

// config reads an object of an acquirer's own fields into the JSON text that
// core keeps sealed.
func (o *object) config(name string) *[]byte {
	in := o.inner(name)
	if in == nil {
		return nil
	}
	text, err := json.Marshal(in.values)
	if err != nil {
		o.complain(name, "cannot be kept")
		return nil
	}
	return &text
}

// credentials reads an object of a provider's own fields into the JSON text
// that core keeps sealed; {} is "". What is in it is the provider's to check.
func (o *object) credentials(name string) *string {
	in := o.inner(name)
	if in == nil {
		return nil
	}
	text := ""
	if len(in.values) > 0 {
		out, err := json.Marshal(in.values)
		if err != nil {
			o.complain(name, "cannot be kept")
			return nil
		}
		text = string(out)
	}
	return &text
}

// secret reads a secret: a text, or an object as credentials does.
func (o *object) secret(name string) *string {
	if _, isObject := o.values[name].(map[string]any); !isObject {
		return o.filled(name, maxSecret)
	}
	s := o.credentials(name)
	if s != nil && *s == "" {
		o.complain(name, "may not be empty")
		return nil
	}
	return s
}
