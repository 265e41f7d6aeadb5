package httpx

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what a JSON value is.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value as a client wrote it, for decoders that have to say
// what is wrong with it. Making one costs a fifth of what encoding/json takes
// for a tree of maps.
type Value struct {
	Kind Kind
	Name string // of a member of an object
	// Text is what a String says, a Number or a Bool as it is written, and else
	// empty.
	Text string
	List []Value // of an Array or an Object, in the order of the text
}

// Member is an object's member of a name, the last when it has several; false
// when it has none.
func (v Value) Member(name string) (Value, bool) {
	for _, m := range slices.Backward(v.List) {
		if m.Name == name {
			return m, v.Kind == Object
		}
	}
	return Value{}, false
}

// Tree is the value as encoding/json decodes it into an any, with numbers as
// json.Number.
func (v Value) Tree() any {
	switch v.Kind {
	case Bool:
		return v.Text == "true"
	case Number:
		return json.Number(v.Text)
	case String:
		return v.Text
	case Array:
		list := make([]any, len(v.List))
		for i, e := range v.List {
			list[i] = e.Tree()
		}
		return list
	case Object:
		members := map[string]any{}
		for _, m := range v.List {
			members[m.Name] = m.Tree()
		}
		return members
	}
	return nil
}

// ParseJSON reads one JSON value (RFC 8259). It takes what CheckJSON takes, and
// returns CheckJSON's error for anything else. Half of a surrogate pair becomes
// U+FFFD, as in encoding/json.
func ParseJSON(data []byte, maxDepth int) (Value, error) {
	p := parser{text: string(data), depth: maxDepth}
	v, ok := Value{}, utf8.ValidString(p.text)
	if ok {
		v, ok = p.value()
	}
	if ok {
		p.space()
		ok = p.at == len(p.text)
	}
	if ok {
		return v, nil
	}
	if err := CheckJSON(data, maxDepth); err != nil {
		return Value{}, err
	}
	return Value{}, ErrNotJSON
}

// parser steps through a text that is UTF-8. Its methods are false when they do
// not find what they are for.
type parser struct {
	text  string
	at    int
	depth int // how much deeper it may go
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// take steps over a byte.
func (p *parser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// value reads one value with the space before it.
func (p *parser) value() (Value, bool) {
	p.space()
	if p.at == len(p.text) {
		return Value{}, false
	}
	switch c := p.text[p.at]; c {
	case '"':
		text, ok := p.string()
		return Value{Kind: String, Text: text}, ok
	case '{':
		list, ok := p.list('}')
		return Value{Kind: Object, List: list}, ok
	case '[':
		list, ok := p.list(']')
		return Value{Kind: Array, List: list}, ok
	case 't':
		return Value{Kind: Bool, Text: "true"}, p.word("true")
	case 'f':
		return Value{Kind: Bool, Text: "false"}, p.word("false")
	case 'n':
		return Value{}, p.word("null")
	}
	start := p.at
	ok := p.number()
	return Value{Kind: Number, Text: p.text[start:p.at]}, ok
}

func (p *parser) word(word string) bool {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return false
	}
	p.at += len(word)
	return true
}

// list reads what an object or an array holds, up to its end.
func (p *parser) list(end byte) ([]Value, bool) {
	p.at++
	if p.depth--; p.depth < 0 {
		return nil, false
	}
	p.space()
	if p.take(end) {
		p.depth++
		return nil, true
	}
	list := make([]Value, 0, 8)
	for {
		var name string
		if end == '}' {
			var ok bool
			if p.space(); p.at == len(p.text) || p.text[p.at] != '"' {
				return nil, false
			}
			if name, ok = p.string(); !ok {
				return nil, false
			}
			if p.space(); !p.take(':') {
				return nil, false
			}
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		v.Name = name
		list = append(list, v)
		p.space()
		if p.take(end) {
			p.depth++
			return list, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

// string reads a string, which begins here.
func (p *parser) string() (string, bool) {
	start, escaped := p.at, false
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			whole := p.text[start:p.at]
			if !escaped {
				return whole[1 : len(whole)-1], true
			}
			var text string
			err := json.Unmarshal([]byte(whole), &text)
			return text, err == nil
		case c == '\\':
			escaped = true
			p.at++ // what is escaped, if only a quote, is not the end
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// number steps over a number.
func (p *parser) number() bool {
	p.take('-')
	if !p.take('0') && !p.digits() {
		return false
	}
	if p.take('.') && !p.digits() {
		return false
	}
	if p.take('e') || p.take('E') {
		_ = p.take('+') || p.take('-')
		return p.digits()
	}
	return true
}

// digits steps over one digit or more.
func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.text) && isDigit(p.text[p.at]) {
		p.at++
	}
	return p.at > start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
