// Package pantest plants card numbers and finds them again: a test gives each
// field a number of its own, sends it, and then looks through whatever is left.
// It shares no rule with package pan, which is what it judges.
package pantest

import (
	"encoding/base64"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
)

// published are test numbers that schemes and acquirers hand out.
var published = []string{
	"4111111111111111", "4242424242424242", "5555555555554444", "2223003122003222", "378282246310005", "36227206271667",
	"3530111333300000", "6011111111111117", "6200000000000005", "9704000000000018", "9704198526191432198", "2200123456789019",
}

// prefixes of the schemes whose numbers are made up, with the number's length.
var prefixes = []struct {
	digits string
	length int
}{
	{"4", 16}, {"9704", 16}, {"5", 16}, {"9704", 19}, {"34", 15}, {"2221", 16}, {"62", 16}, {"3528", 16}, {"36", 14}, {"6011", 16},
}

// Numbers are the numbers that have been planted, each with where it was put.
// It is safe for concurrent use.
type Numbers struct {
	mu      sync.Mutex
	planted map[string]string
}

// Next is a card number that nobody else has, to be put where it says.
func (n *Numbers) Next(where string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.planted == nil {
		n.planted = map[string]string{}
	}
	i := len(n.planted)
	if i < len(published) {
		n.planted[published[i]] = where
		return published[i]
	}
	p := prefixes[i%len(prefixes)]
	second := ""
	if p.digits == "5" {
		second = strconv.Itoa(1 + i%5)
	}
	digits := p.digits + second
	// A hash of the count, so that numbers have little in common.
	filler := fmt.Sprintf("%020d", uint64(i)*0x9e3779b97f4a7c15)
	digits += filler[len(filler)-(p.length-1-len(digits)):]
	digits += checkDigit(digits)
	if _, had := n.planted[digits]; had {
		panic("pantest: the same number twice")
	}
	n.planted[digits] = where
	return digits
}

// Len is how many numbers there are.
func (n *Numbers) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.planted)
}

// checkDigit is Luhn's.
func checkDigit(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return strconv.Itoa((10 - sum%10) % 10)
}

// Forms are ways in which people write a number.
var Forms = []string{"bare", "spaces", "dashes", "sentence", "full width", "dots"}

// Write is a new number in a form.
func (n *Numbers) Write(form, where string) string {
	number := n.Next(where + " (" + form + ")")
	switch form {
	case "spaces":
		return grouped(number, " ")
	case "dashes":
		return grouped(number, "-")
	case "dots":
		return grouped(number, ".")
	case "sentence":
		return "thẻ " + grouped(number, " ") + " của Lan"
	case "full width":
		return strings.Map(func(r rune) rune { return '０' + r - '0' }, number)
	}
	return number
}

// grouped writes a number as cards print it.
func grouped(number, by string) string {
	sizes := map[int][]int{14: {4, 6, 4}, 15: {4, 6, 5}, 16: {4, 4, 4, 4}, 19: {4, 4, 4, 4, 3}}[len(number)]
	var parts []string
	for _, size := range sizes {
		parts, number = append(parts, number[:size]), number[size:]
	}
	return strings.Join(parts, by)
}

// Find names where the numbers that show in a text were put. It looks through
// the ways in which texts are wrapped: escapes of JSON, HTML and URLs, base64.
func (n *Numbers) Find(text string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := map[string]bool{}
	var where []string
	for _, run := range runs(unwrapped(text, 2)) {
		for start := range run {
			for _, length := range []int{14, 15, 16, 19} {
				if start+length > len(run) {
					break
				}
				if at, ok := n.planted[run[start:start+length]]; ok && !found[at] {
					found[at] = true
					where = append(where, at)
				}
			}
		}
	}
	return where
}

var (
	escape  = regexp.MustCompile(`(\\u[0-9a-fA-F]{4})+`)
	encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{20,}`)
)

// unwrapped is a text and what it is when it is unwrapped, up to some depth.
func unwrapped(text string, depth int) string {
	if depth == 0 {
		return text
	}
	all := []string{text}
	if strings.Contains(text, `\u`) {
		all = append(all, unwrapped(escape.ReplaceAllStringFunc(text, func(s string) string {
			var units []uint16
			for part := range strings.SplitSeq(s[2:], `\u`) {
				unit, _ := strconv.ParseUint(part, 16, 16)
				units = append(units, uint16(unit))
			}
			return string(utf16.Decode(units))
		}), depth-1))
	}
	if strings.ContainsAny(text, "%+") {
		for _, one := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
			if plain, err := one(text); err == nil && plain != text {
				all = append(all, unwrapped(plain, depth-1))
			}
		}
	}
	if plain := html.UnescapeString(text); plain != text {
		all = append(all, unwrapped(plain, depth-1))
	}
	for _, part := range encoded.FindAllString(text, -1) {
		for _, by := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if plain, err := by.DecodeString(part); err == nil {
				all = append(all, unwrapped(string(plain), depth-1))
			}
		}
	}
	return strings.Join(all, "\n")
}

// runs are the digits of a text as ASCII, in which spaces, dashes, dots and what
// nobody sees do not count.
func runs(text string) []string {
	var all []string
	var run strings.Builder
	end := func() {
		if run.Len() >= 13 {
			all = append(all, run.String())
		}
		run.Reset()
	}
	for _, r := range text {
		switch {
		case '0' <= r && r <= '9':
			run.WriteRune(r)
		case '０' <= r && r <= '９':
			run.WriteRune(r - '０' + '0')
		case r == '.' || r == '+' || unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf):
		default:
			end()
		}
	}
	end()
	return all
}

// Replace calls fn for every place in a JSON value that a text could stand in:
// each member and element that is no object or list, a new member, and a new
// member's name. Put sets it, in the value itself; afterwards it is as it was.
func Replace(value any, fn func(field string, put func(value any))) { replace("", value, nil, fn) }

func replace(field string, value any, set func(any), fn func(string, func(any))) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			replace(field+"."+name, v[name], func(new any) { v[name] = new }, fn)
		}
		fn(field+".unknown", func(new any) { v["unknown"] = new })
		delete(v, "unknown")
		last := ""
		fn(field+", the name of a member", func(new any) {
			delete(v, last)
			last = fmt.Sprint(new)
			v[last] = "x"
		})
		delete(v, last)
	case []any:
		for i := range v {
			replace(field+"[]", v[i], func(new any) { v[i] = new }, fn)
		}
	default:
		if set != nil {
			fn(field, set)
			set(value)
		}
	}
}
