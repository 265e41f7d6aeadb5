package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Errors of CheckJSON.
var (
	ErrEmpty    = errors.New("httpx: no JSON: the text is empty")
	ErrNotUTF8  = errors.New("httpx: not UTF-8")
	ErrNotJSON  = errors.New("httpx: not valid JSON")
	ErrTooDeep  = errors.New("httpx: JSON is nested too deeply")
	ErrTrailing = errors.New("httpx: data after the end of the JSON value")
)

// CheckJSON reports whether data is one JSON value in UTF-8 with at most
// maxDepth objects and arrays inside each other, and nothing after it. It
// returns one of the errors above. It looks at the nesting first, so hostile
// depth costs no more than one pass.
func CheckJSON(data []byte, maxDepth int) error {
	if !utf8.Valid(data) {
		return ErrNotUTF8
	}
	if len(trimSpace(data)) == 0 {
		return ErrEmpty
	}
	if depth(data) > maxDepth {
		return ErrTooDeep
	}
	if json.Valid(data) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return ErrNotJSON
	}
	// The first value is whole, so what is wrong comes after it.
	return ErrTrailing
}

// depth is the deepest nesting of brackets outside of strings.
func depth(data []byte) int {
	now, deepest := 0, 0
	inString, escaped := false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// trimSpace cuts what JSON calls white space (RFC 8259, 2).
func trimSpace(data []byte) []byte { return bytes.Trim(data, " \t\r\n") }
