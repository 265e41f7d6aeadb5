package tiki

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file reads as much of GraphQL (October 2021) as the container's calls
// need: operations with variables, fields with arguments and aliases, nested
// selections. Fragments, subscriptions and directives are refused.

// selection is one field that was asked for.
type selection struct {
	alias string // what the answer calls it
	name  string
	args  map[string]value
	sub   []selection // nil for none
}

// operation is one query or mutation of a document.
type operation struct {
	kind     string // "query" or "mutation"
	name     string
	defaults map[string]value // of variables
	fields   []selection
}

// value is an argument: a variable's name, or a literal.
type value struct {
	variable string
	literal  any // as encoding/json would decode it, with value inside lists and objects
}

// resolve replaces variables; false when one was not given.
func (v value) resolve(variables map[string]any, defaults map[string]value) (any, bool) {
	if v.variable != "" {
		if given, ok := variables[v.variable]; ok {
			return given, true
		}
		d, ok := defaults[v.variable]
		if !ok {
			return nil, false
		}
		return d.resolve(nil, nil) // a default has no variables
	}
	switch l := v.literal.(type) {
	case []value:
		list := []any{}
		for _, e := range l {
			x, _ := e.resolve(variables, defaults)
			list = append(list, x)
		}
		return list, true
	case map[string]value:
		fields := map[string]any{}
		for name, e := range l {
			if x, ok := e.resolve(variables, defaults); ok {
				fields[name] = x
			}
		}
		return fields, true
	}
	return v.literal, true
}

// Bounds of a document: what is deeper or longer is no call of ours.
const (
	maxQuery     = 16 << 10 // bytes
	maxNesting   = 12
	maxSelection = 64 // fields of one selection
)

// syntaxError is what is wrong with a document.
type syntaxError string

func (e syntaxError) Error() string { return "Syntax Error: " + string(e) }

// parseQuery reads a document and picks the operation of a name; "" picks the
// only one.
func parseQuery(text, name string) (operation, error) {
	if len(text) > maxQuery {
		return operation{}, syntaxError("the query is too long")
	}
	if !utf8.ValidString(text) {
		return operation{}, syntaxError("the query is not UTF-8")
	}
	p := parser{text: text}
	operations, err := p.document()
	if err != nil {
		return operation{}, err
	}
	if name == "" && len(operations) == 1 {
		return operations[0], nil
	}
	for _, o := range operations {
		if name != "" && o.name == name {
			return o, nil
		}
	}
	return operation{}, syntaxError("operationName names no operation")
}

// parser reads tokens. A panic with a syntaxError ends it.
type parser struct {
	text  string
	at    int
	token string // "" at the end; a string token begins with a quotation mark
}

func (p *parser) document() (all []operation, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case syntaxError:
			err = cause
		default:
			panic(cause)
		}
	}()
	p.next()
	for p.token != "" {
		all = append(all, p.operation())
	}
	if len(all) == 0 {
		p.fail("there is no operation")
	}
	return all, nil
}

func (p *parser) fail(what string) { panic(syntaxError(what)) }

func (p *parser) operation() operation {
	o := operation{kind: "query", defaults: map[string]value{}}
	if p.token != "{" {
		if o.kind = p.token; o.kind != "query" && o.kind != "mutation" {
			p.fail("expected query or mutation, found " + p.shown())
		}
		p.next()
		if isName(p.token) {
			o.name = p.name()
		}
		if p.skip("(") {
			for !p.skip(")") {
				p.variable(o.defaults)
			}
		}
	}
	o.fields = p.selections(1)
	return o
}

// variable reads the definition of one variable. Types are not checked: the
// resolvers check what they get.
func (p *parser) variable(defaults map[string]value) {
	p.expect("$")
	name := p.name()
	p.expect(":")
	p.kind(1)
	if p.skip("=") {
		defaults[name] = p.value(1, false)
	}
}

func (p *parser) kind(depth int) {
	if depth > maxNesting {
		p.fail("a type is nested too deeply")
	}
	if p.skip("[") {
		p.kind(depth + 1)
		p.expect("]")
	} else {
		p.name()
	}
	p.skip("!")
}

func (p *parser) selections(depth int) []selection {
	if depth > maxNesting {
		p.fail("the selection is nested too deeply")
	}
	p.expect("{")
	all := []selection{}
	for !p.skip("}") {
		if len(all) == maxSelection {
			p.fail("too many fields")
		}
		all = append(all, p.field(depth))
	}
	if len(all) == 0 {
		p.fail("an empty selection")
	}
	return all
}

func (p *parser) field(depth int) selection {
	s := selection{name: p.name(), args: map[string]value{}}
	if s.alias = s.name; p.skip(":") {
		s.name = p.name()
	}
	if p.skip("(") {
		for !p.skip(")") {
			name := p.name()
			p.expect(":")
			s.args[name] = p.value(1, true)
		}
	}
	if p.token == "{" {
		s.sub = p.selections(depth + 1)
	}
	return s
}

func (p *parser) value(depth int, variables bool) value {
	if depth > maxNesting {
		p.fail("a value is nested too deeply")
	}
	switch t := p.token; {
	case t == "$" && variables:
		p.next()
		return value{variable: p.name()}
	case t == "[":
		p.next()
		list := []value{}
		for !p.skip("]") {
			list = append(list, p.value(depth+1, variables))
		}
		return value{literal: list}
	case t == "{":
		p.next()
		fields := map[string]value{}
		for !p.skip("}") {
			name := p.name()
			p.expect(":")
			fields[name] = p.value(depth+1, variables)
		}
		return value{literal: fields}
	case strings.HasPrefix(t, `"`):
		p.next()
		var s string
		if json.Unmarshal([]byte(t), &s) != nil {
			p.fail("a string cannot be read")
		}
		return value{literal: s}
	case t == "true" || t == "false":
		p.next()
		return value{literal: t == "true"}
	case t == "null":
		p.next()
		return value{}
	case isName(t): // an enum value
		p.next()
		return value{literal: t}
	default:
		if _, err := strconv.ParseFloat(t, 64); err != nil || t == "" {
			p.fail("expected a value, found " + p.shown())
		}
		p.next()
		return value{literal: json.Number(t)}
	}
}

func (p *parser) name() string {
	if !isName(p.token) {
		p.fail("expected a name, found " + p.shown())
	}
	name := p.token
	p.next()
	return name
}

func (p *parser) expect(token string) {
	if !p.skip(token) {
		p.fail(fmt.Sprintf("expected %q, found %s", token, p.shown()))
	}
}

func (p *parser) skip(token string) bool {
	if p.token != token {
		return false
	}
	p.next()
	return true
}

func (p *parser) shown() string {
	if p.token == "" {
		return "the end"
	}
	return strconv.Quote(p.token)
}

func isName(token string) bool {
	for i := range len(token) {
		if !nameByte(token[i]) || (i == 0 && token[i] >= '0' && token[i] <= '9') {
			return false
		}
	}
	return token != ""
}

func nameByte(b byte) bool {
	return b == '_' || (b >= '0' && b <= '9') || (b|0x20 >= 'a' && b|0x20 <= 'z')
}

// next reads one token.
func (p *parser) next() {
	p.blank()
	if p.at == len(p.text) {
		p.token = ""
		return
	}
	start := p.at
	switch b := p.text[p.at]; {
	case nameByte(b) || b == '-':
		for p.at++; p.at < len(p.text) && (nameByte(p.text[p.at]) || p.text[p.at] == '.' || (p.text[p.at] == '+' || p.text[p.at] == '-') && p.text[p.at-1]|0x20 == 'e'); p.at++ {
		}
	case b == '"':
		p.stringToken()
	case strings.IndexByte("{}()[]:!=$", b) >= 0:
		p.at++
	default:
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		p.fail("cannot read " + strconv.QuoteRune(r))
	}
	p.token = p.text[start:p.at]
}

// blank skips white space, commas and comments.
func (p *parser) blank() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n', ',':
			p.at++
		case '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			if !strings.HasPrefix(p.text[p.at:], "\ufeff") {
				return
			}
			p.at += len("\ufeff")
		}
	}
}

func (p *parser) stringToken() {
	if strings.HasPrefix(p.text[p.at:], `"""`) {
		p.fail("block strings are not supported")
	}
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return
		case '\n':
			p.fail("a string does not end")
		}
	}
	p.at = len(p.text)
	p.fail("a string does not end")
}
