package pan

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold writes a text as the rules read it: digits of any script and width as
// ASCII's, any single space as ' ', any dash as '-', without characters that
// nobody sees. At has the place in s of each byte of the folded text, and of its
// end; nil when nothing was changed.
func fold(s string) (folded string, at []int) {
	if strings.IndexFunc(s, odd) < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !odd(r) {
			for k := range size {
				at = append(at, i+k)
			}
			b.WriteString(s[i : i+size])
		} else if c := plainOf(r); c != 0 {
			at = append(at, i)
			b.WriteByte(c)
		}
		i += size
	}
	return b.String(), append(at, len(s))
}

// odd says whether fold changes a character.
func odd(r rune) bool {
	// ASCII and the letters of Vietnamese, which have nothing of the kind.
	if r < 0xa0 || 0xae <= r && r < 0x58a || 0x1e00 <= r && r < 0x2000 || r == utf8.RuneError {
		return false
	}
	return unicode.In(r, unicode.Nd, unicode.Zs, unicode.Pd, unicode.Cf) || r == '−'
}

// plainOf is the ASCII character for one that is odd; 0 for one that nobody sees.
func plainOf(r rune) byte {
	switch {
	case unicode.Is(unicode.Nd, r):
		zero := r
		for unicode.Is(unicode.Nd, zero-1) {
			zero--
		}
		return '0' + byte((r-zero)%10) // digits stand in tens, from nought
	case unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.Is(unicode.Cf, r):
		return 0
	}
	return '-'
}

// masked is a text in which the parts from start to end that find yields are
// shown by their first six and last four digits.
func masked(s string, find func(folded string, yield func(start, end int, digits string) bool)) string {
	folded, at := fold(s)
	place := func(i int) int {
		if at == nil {
			return i
		}
		return at[i]
	}
	var out strings.Builder
	copied := 0
	find(folded, func(start, end int, digits string) bool {
		out.WriteString(s[copied:place(start)])
		out.WriteString(digits[:6] + "…" + digits[len(digits)-4:])
		copied = place(end)
		return true
	})
	if copied == 0 {
		return s
	}
	out.WriteString(s[copied:])
	return out.String()
}

func finds(s string, find func(folded string, yield func(start, end int, digits string) bool)) bool {
	found := false
	folded, _ := fold(s)
	find(folded, func(int, int, string) bool {
		found = true
		return false
	})
	return found
}
