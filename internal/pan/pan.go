// Package pan finds card numbers (primary account numbers) in texts.
//
// There are two rules, because the two mistakes cost differently. In a log line
// a number too many that is masked is no loss, so Mask and Has take whatever
// could be a card. In a merchant's order a number too many that is refused is a
// lost sale, and so it is in what a bank says: Stands and Hide take only what
// can hardly be anything else.
package pan

import "bytes"

// Lengths of a card number in digits (ISO/IEC 7812-1).
const (
	minPAN = 13
	maxPAN = 19
)

// Mask replaces the middle of every card number in s with "…", and leaves
// the first six and last four digits. A card number is 13 to 19 digits, in one
// run or in groups with a single space, dash or dot between, that pass Luhn's
// check, or 16 or 19 digits that begin with 9704, the prefix of Vietnam's domestic
// cards, which need not pass it. Digits may be of any script and width, spaces
// and dashes of any kind. UUIDs are left alone.
func Mask(s string) string { return masked(s, eachPAN) }

// Has reports whether Mask would change s.
func Has(s string) bool { return finds(s, eachPAN) }

// group is a run of digits in a text.
type group struct{ start, end int }

// eachPAN calls yield for every card number, from left to right, until it
// returns false.
func eachPAN(s string, yield func(start, end int, digits string) bool) {
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i += skipWord(s, i)
			continue
		}
		if isUUID(s, i) {
			i += uuidLen
			continue
		}
		groups, next := readGroups(s, i)
		for len(groups) > 0 {
			digits, n := firstPAN(s, groups)
			if n == 0 {
				groups = groups[1:] // other digits may stand before the number
				continue
			}
			if !yield(groups[0].start, groups[n-1].end, digits) {
				return
			}
			groups = groups[n:]
		}
		i = next
	}
}

// skipWord is how far to go from a character that is no digit: one, or over a
// whole UUID that begins with a letter.
func skipWord(s string, i int) int {
	if isUUID(s, i) {
		return uuidLen
	}
	return 1
}

// readGroups reads runs of digits with a single space, dash or dot between.
func readGroups(s string, i int) (groups []group, next int) {
	for {
		start := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		groups = append(groups, group{start, i})
		if i+1 >= len(s) || (s[i] != ' ' && s[i] != '-' && s[i] != '.') || !isDigit(s[i+1]) {
			return groups, i
		}
		i++
	}
}

// firstPAN looks for a card number made of the first groups, the longest first,
// and says how many groups it takes.
func firstPAN(s string, groups []group) (digits string, n int) {
	var all [maxPAN]byte
	length := 0
	for i, g := range groups {
		if length+g.end-g.start > maxPAN {
			break
		}
		length += copy(all[length:], s[g.start:g.end])
		if isPAN(all[:length]) {
			digits, n = string(all[:length]), i+1
		}
	}
	return digits, n
}

func isPAN(digits []byte) bool {
	if len(digits) < minPAN || len(digits) > maxPAN {
		return false
	}
	if bytes.HasPrefix(digits, []byte("9704")) && (len(digits) == 16 || len(digits) == 19) {
		return true
	}
	return luhn(digits)
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

const uuidLen = 36

// isUUID reports whether a UUID stands alone at i. One in three thousand ends
// in digits only, and its id would be lost from the log now and then.
func isUUID(s string, i int) bool {
	if len(s)-i < uuidLen || (i > 0 && isWord(s[i-1])) || (len(s) > i+uuidLen && isWord(s[i+uuidLen])) {
		return false
	}
	for k := range uuidLen {
		c := s[i+k]
		switch k {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool { return isDigit(c) || ('a' <= c|0x20 && c|0x20 <= 'z') || c == '-' }
