package pan

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// brand is a range of card numbers: the first four digits from low to high, and
// the lengths that are issued.
type brand struct {
	low, high int
	lengths   []int
	unchecked bool // the last digit need not pass Luhn's check
}

// brands are the networks' ranges, after ISO/IEC 7812 and the networks' own
// tables. Lengths that are no longer issued are left out: a Visa number of 13
// digits looks like the number under a bar code (EAN-13), and one that is ten
// to the hundred is refused for nothing.
var brands = []brand{
	{4000, 4999, []int{16, 19}, false},         // Visa
	{5100, 5599, []int{16}, false},             // Mastercard
	{2221, 2720, []int{16}, false},             // Mastercard
	{3400, 3499, []int{15}, false},             // American Express
	{3700, 3799, []int{15}, false},             // American Express
	{3000, 3059, []int{14, 16}, false},         // Diners Club
	{3600, 3699, []int{14, 16}, false},         // Diners Club
	{3800, 3999, []int{14, 16}, false},         // Diners Club
	{3528, 3589, []int{16, 17, 18, 19}, false}, // JCB
	{6011, 6011, []int{16, 19}, false},         // Discover
	{6440, 6599, []int{16, 19}, false},         // Discover
	{6200, 6299, []int{16, 17, 18, 19}, false}, // UnionPay
	{8100, 8199, []int{16, 17, 18, 19}, false}, // UnionPay
	{5018, 5018, []int{16, 17, 18, 19}, false}, // Maestro
	{5020, 5020, []int{16, 17, 18, 19}, false}, // Maestro
	{5038, 5038, []int{16, 17, 18, 19}, false}, // Maestro
	{6304, 6304, []int{16, 17, 18, 19}, false}, // Maestro
	{6759, 6763, []int{16, 17, 18, 19}, false}, // Maestro
	{2200, 2204, []int{16, 17, 18, 19}, false}, // Mir
	{9704, 9704, []int{16, 19}, true},          // NAPAS, Vietnam's domestic cards
}

// groupings are the ways in which people write a card number in parts.
var groupings = [][]int{{4, 4, 4, 4}, {4, 4, 4, 4, 3}, {4, 6, 5}, {4, 6, 4}, {4, 5, 6}, {6, 10}, {6, 13}, {8, 8}}

// Stands reports whether a card number stands in s as a word of its own: a run
// of digits, or groups as cards print them with a single space, dash or dot
// between, that no letter, digit or underscore touches, with the first digits
// and the length of a network's cards, and Luhn's check digit (which NAPAS's
// need not have). Digits may be of any script and width, spaces and dashes of any
// kind. UUIDs are passed over.
//
// Order numbers such as 2026112500000123, times in milliseconds, phone and
// account numbers, IMEIs and bar codes are none. A random order number of 16
// digits that begins with 4 or 5 is taken for one in one of ten cases; a letter
// in front of it (DH4000123412341234) makes it a number like any other.
func Stands(s string) bool { return finds(s, eachStanding) }

// Hide masks, as Mask does, the card numbers that Stands knows. It is for what
// others say and is kept, such as the text of a bank transfer.
func Hide(s string) string { return masked(s, eachStanding) }

// HideInName is Hide for what somebody else calls a transaction or an account.
// One word with a letter in it, and one of digits alone, is left as it is: chance
// makes card numbers in such names too, money is told apart by them, and two of
// them could be alike once their middle is hidden.
func HideInName(s string) string {
	digits, marks := 0, 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case strings.ContainsRune("-_.:/", r):
			marks++
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		default:
			return Hide(s)
		}
	}
	// What is left to be hidden is a number as cards print it.
	if marks == 0 || digits+marks < len(s) || digits > 19 {
		return s
	}
	return Hide(s)
}

// eachStanding calls yield for every number that stands, from left to right,
// until it returns false.
func eachStanding(s string, yield func(start, end int, digits string) bool) {
	for i := 0; i < len(s); {
		if isUUID(s, i) {
			i += uuidLen
			continue
		}
		if !isDigit(s[i]) {
			i++
			continue
		}
		runs, next := readGroups(s, i)
		if touches(s, i, next) {
			// The first or last run belongs to a word; the others stand.
			runs = trim(s, runs)
		}
		for len(runs) > 0 {
			digits, n := firstStanding(s, runs)
			if n == 0 {
				runs = runs[1:]
				continue
			}
			if !yield(runs[0].start, runs[n-1].end, digits) {
				return
			}
			runs = runs[n:]
		}
		i = next
	}
}

func touches(s string, start, end int) bool { return wordBefore(s, start) || wordAfter(s, end) }

func wordBefore(s string, i int) bool {
	r, size := utf8.DecodeLastRuneInString(s[:i])
	return size > 0 && inWord(r)
}

func wordAfter(s string, i int) bool {
	r, size := utf8.DecodeRuneInString(s[i:])
	return size > 0 && inWord(r)
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func trim(s string, runs []group) []group {
	if wordBefore(s, runs[0].start) {
		runs = runs[1:]
	}
	if len(runs) > 0 && wordAfter(s, runs[len(runs)-1].end) {
		runs = runs[:len(runs)-1]
	}
	return runs
}

// firstStanding is the number that the first of runs is or begins, and how many
// of them it takes; 0 when there is none.
func firstStanding(s string, runs []group) (digits string, n int) {
	if one := s[runs[0].start:runs[0].end]; issued(one) {
		return one, 1
	}
	for _, sizes := range groupings {
		if digits, ok := joined(s, runs, sizes); ok && issued(digits) {
			return digits, len(sizes)
		}
	}
	return "", 0
}

// joined are the digits of runs that have the sizes of a grouping.
func joined(s string, runs []group, sizes []int) (string, bool) {
	if len(runs) < len(sizes) {
		return "", false
	}
	var digits strings.Builder
	for i, size := range sizes {
		if runs[i].end-runs[i].start != size {
			return "", false
		}
		digits.WriteString(s[runs[i].start:runs[i].end])
	}
	return digits.String(), true
}

// issued reports whether digits are a number that a network issues.
func issued(digits string) bool {
	if len(digits) < minPAN || len(digits) > maxPAN {
		return false
	}
	first, err := strconv.Atoi(digits[:4])
	if err != nil {
		return false
	}
	for _, b := range brands {
		if b.low <= first && first <= b.high && slices.Contains(b.lengths, len(digits)) {
			return b.unchecked || luhn([]byte(digits))
		}
	}
	return false
}
