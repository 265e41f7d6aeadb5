// Package money holds amounts of Vietnamese đồng.
//
// The đồng has no minor unit in use (ISO 4217 exponent 0), so an amount is a
// whole int64. Decimals on a wire are parsed exactly, never through a float;
// a fraction of a đồng is not money.
package money

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// VND is an amount in đồng. It may be negative: the ledger writes credits so.
type VND int64

// Max is the largest amount a VND holds.
const Max = VND(math.MaxInt64)

// Errors of Parse and Add.
var (
	ErrSyntax   = errors.New("money: not a decimal number")
	ErrFraction = errors.New("money: a fraction of a đồng")
	ErrRange    = errors.New("money: amount out of range")
)

// maxExponent bounds the work a hostile "1e999999999" can ask for.
const maxExponent = 1000

// Parse reads a decimal such as "100000", "100000.000000" or "1e5" exactly.
// Zero decimals after the point are accepted, any other fraction is
// ErrFraction, what int64 cannot hold is ErrRange.
func Parse(s string) (VND, error) {
	neg, digits, exp, err := split(s)
	if err != nil {
		return 0, err
	}
	digits = strings.TrimLeft(digits, "0")
	for exp < 0 && strings.HasSuffix(digits, "0") {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	switch {
	case digits == "":
		return 0, nil
	case exp < 0:
		return 0, ErrFraction
	case len(digits)+exp > 19:
		return 0, ErrRange
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", exp), 10, 64)
	if err != nil {
		return 0, ErrRange
	}
	if neg {
		n = -n
	}
	return VND(n), nil
}

// split takes a decimal apart into its sign, its digits without the point, and
// the power of ten that they are to be multiplied by.
func split(s string) (neg bool, digits string, exp int, err error) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, err = strconv.Atoi(s[i+1:])
		if err != nil || exp > maxExponent || exp < -maxExponent {
			if err == nil || errors.Is(err, strconv.ErrRange) {
				return false, "", 0, ErrRange
			}
			return false, "", 0, ErrSyntax
		}
		s = s[:i]
	}
	whole, frac, _ := strings.Cut(s, ".")
	digits = whole + frac
	if digits == "" {
		return false, "", 0, ErrSyntax
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false, "", 0, ErrSyntax
		}
	}
	return neg, digits, exp - len(frac), nil
}

// Add returns a+b, or ErrRange where the sum does not fit.
func Add(a, b VND) (VND, error) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, ErrRange
	}
	return a + b, nil
}

// String writes the bare digits: "1250000".
func (v VND) String() string { return strconv.FormatInt(int64(v), 10) }

// Grouped writes the amount as Vietnamese readers expect it: "1.250.000".
func (v VND) Grouped() string {
	s := strings.TrimPrefix(v.String(), "-")
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i := range len(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte('.')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
