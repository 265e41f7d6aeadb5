package id

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/clock"
)

// A memo code stands in the text of a bank transfer and names the payment:
// "TG", nine symbols, one check symbol. The symbols are the 32 of
// Crockford's base32, which leaves out I, L, O and U, so a payer who types the
// code by hand cannot confuse 1 and I or 0 and O.
//
// The check symbol makes a weighted sum over the field of 32 elements come out
// at a fixed value. All weights differ and none is zero, so every single wrong
// symbol and every exchange of two symbols, adjacent or not, is detected.
const (
	memoPrefix  = "TG"
	memoPayload = 9
	memoTimed   = 5   // of the payload, the digits that count time
	memoBase    = 26  // of these digits: no T is among the first 26 symbols, so no prefix is among the digits
	memoTick    = 100 // milliseconds to one count; the digits come round in two weeks
	memoSymbols = memoPayload + 1
	memoLen     = len(memoPrefix) + memoSymbols

	alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

	// memoSum is not zero, so that placeholders such as TG0000000000 fail.
	memoSum = 21
)

// Bounds of FindMemoCodes. Real statement texts have at most a few hundred
// characters.
const (
	maxStatement  = 10 * 1024 // bytes of text that are read
	maxGap        = 3         // separators between two symbols
	maxCandidates = 16        // valid codes returned, and rejected ones as well
)

// Reason says why a candidate was rejected; it is empty for a valid code.
type Reason string

// Reasons of a rejected candidate.
const (
	// ReasonCheck: twelve characters, but the check symbol does not hold. The
	// payer mistyped the code, or the text only looks like one.
	ReasonCheck Reason = "check symbol does not hold"
	// ReasonShort: the text ended too early. The bank may have cut it.
	ReasonShort Reason = "text ends inside the code"
	// ReasonSymbol: a character came that no code contains.
	ReasonSymbol Reason = "character not of the code"
)

// Found is one place in a statement text that may be a memo code.
type Found struct {
	Code   string // normal form, upper case; shorter than a code when cut off
	Start  int    // byte offset of the first character in the text
	End    int    // byte offset after the last character
	Valid  bool   // complete and the check symbol holds
	Reason Reason // why not, when not Valid
}

// MemoCode is a fresh transfer memo code of 12 characters. After the prefix come
// five digits that count time, so that codes made together stand together in the
// index that they are looked up by, and a commit of many writes few of its
// pages; then four random symbols, a million for each tenth of a second; then
// the check. No second code can begin inside it. The caller checks that it is
// not in use.
func (s *Source) MemoCode() string {
	for {
		code := s.memoCode()
		if !strings.Contains(code[1:], memoPrefix) {
			return code
		}
	}
}

func (s *Source) memoCode() string {
	code := make([]byte, memoLen)
	copy(code, memoPrefix)
	var values [memoPayload]byte
	tick := uint64(clock.Millis(s.clock.Now())) / memoTick
	for i := memoTimed - 1; i >= 0; i-- {
		values[i] = byte(tick % memoBase)
		tick /= memoBase
	}
	for i, b := range s.bytes(memoPayload - memoTimed) {
		values[memoTimed+i] = b & 31
	}
	for i, v := range values {
		code[len(memoPrefix)+i] = alphabet[v]
	}
	code[memoLen-1] = alphabet[checkValue(values)]
	return string(code)
}

// ValidMemoCode reports whether code is a memo code in its normal form.
func ValidMemoCode(code string) bool {
	if len(code) != memoLen || code[:len(memoPrefix)] != memoPrefix {
		return false
	}
	var values [memoSymbols]byte
	for i := range values {
		c := rune(code[len(memoPrefix)+i])
		v, ok := symbolValue(c)
		if !ok || rune(alphabet[v]) != c {
			return false
		}
		values[i] = v
	}
	return checkHolds(values)
}

// FindMemoCodes gives every place of text that may be a memo code, in order.
//
// It reads codes in either case, with up to three spaces, dots, dashes,
// slashes or underscores between any two characters, with a bank's own text
// glued to either end, with O for 0 and I or L for 1. A valid code that stands
// there twice is given once. A word of ordinary text passes as a code once in
// 32 times, so a valid code says nothing before it is found among the payments.
//
// It takes time linear in the text, reads the first 10 KiB, and returns at most
// 16 valid and 16 rejected candidates.
func FindMemoCodes(text string) []Found {
	text = text[:min(len(text), maxStatement)]
	var found []Found
	seen := map[string]bool{}
	rejected := 0
	for i := range len(text) {
		if text[i]|0x20 != 't' {
			continue
		}
		// The search goes on inside what was just found: chance letters
		// before the true code may overlap it.
		f, ok := readMemo(text, i)
		switch {
		case !ok || seen[f.Code]:
		case f.Valid && len(seen) < maxCandidates:
			seen[f.Code] = true
			found = append(found, f)
		case !f.Valid && rejected < maxCandidates:
			rejected++
			found = append(found, f)
		}
	}
	return found
}

// readMemo reads the candidate that starts at start. It is not ok when there is
// no prefix with at least one symbol after it.
func readMemo(text string, start int) (Found, bool) {
	r := memoReader{text: text, pos: start}
	for i := range len(memoPrefix) {
		c, ok := r.next(i > 0)
		if !ok || unicode.ToUpper(c) != rune(memoPrefix[i]) {
			return Found{}, false
		}
	}
	f := Found{Code: memoPrefix, Start: start}
	var values [memoSymbols]byte
	for i := range values {
		c, more := r.next(true)
		v, isSymbol := symbolValue(c)
		if !more || !isSymbol {
			f.Reason = ReasonSymbol
			if !more {
				f.Reason = ReasonShort
			}
			return f, i > 0
		}
		values[i] = v
		f.Code += string(alphabet[v])
		f.End = r.pos
	}
	f.Valid = checkHolds(values)
	if !f.Valid {
		f.Reason = ReasonCheck
	}
	return f, true
}

// memoReader steps through a text and passes over a few separators.
type memoReader struct {
	text string
	pos  int
}

// next is the next character that is not a separator; false at the end of the
// text.
func (r *memoReader) next(gapAllowed bool) (rune, bool) {
	for gap := 0; r.pos < len(r.text); gap++ {
		c, size := utf8.DecodeRuneInString(r.text[r.pos:])
		r.pos += size
		if !gapAllowed || gap == maxGap || !isSeparator(c) {
			return c, true
		}
	}
	return 0, false
}

func isSeparator(c rune) bool {
	switch c {
	case '.', '-', '/', '_', '\u200b', '\ufeff':
		return true
	}
	return unicode.IsSpace(c) || unicode.Is(unicode.Pd, c)
}

// symbolValue is the value of a symbol in either case, with the letters people
// and banks put for 0 and 1.
func symbolValue(c rune) (byte, bool) {
	if c >= utf8.RuneSelf {
		return 0, false
	}
	v := symbolValues[c]
	return v, v != noSymbol
}

const noSymbol = 0xff

var symbolValues = buildSymbolValues()

func buildSymbolValues() (table [utf8.RuneSelf]byte) {
	for i := range table {
		table[i] = noSymbol
	}
	set := func(upper byte, value byte) {
		table[upper] = value
		if upper >= 'A' {
			table[upper|0x20] = value
		}
	}
	for v := range len(alphabet) {
		set(alphabet[v], byte(v))
	}
	set('O', 0)
	set('I', 1)
	set('L', 1)
	return table
}

// checkValue is the check symbol's value for nine symbols.
func checkValue(values [memoPayload]byte) byte {
	var sum byte
	for _, v := range values {
		sum = double(sum ^ v)
	}
	return sum ^ memoSum
}

func checkHolds(values [memoSymbols]byte) bool {
	return checkValue([memoPayload]byte(values[:memoPayload])) == values[memoPayload]
}

// double multiplies by x in the field of 32 elements, GF(2)[x]/(x^5+x^2+1).
// That polynomial is primitive: x has order 31, so the weights x^0 (check
// symbol) to x^9 (first symbol) all differ.
func double(v byte) byte {
	v <<= 1
	if v&32 != 0 {
		v ^= 0b100101
	}
	return v
}
