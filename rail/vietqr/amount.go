package vietqr

import (
	"errors"
	"strconv"
	"strings"
)

// maxAmount is the largest amount, in đồng, that fits the 13 characters of
// object 54 (source 1).
const maxAmount = 9_999_999_999_999

// parseAmount reads digits with at most one '.'. The đồng has no fraction, so
// only zeros may follow the dot; dotted says that there was one.
func parseAmount(s string) (dong int64, dotted bool, err error) {
	whole, fraction, dotted := strings.Cut(s, ".")
	switch {
	case s == "":
		return 0, false, errors.New("is empty")
	case s[0] == '-':
		return 0, false, errors.New("must not be negative")
	case !isDigits(whole) || (fraction != "" && !isDigits(fraction)):
		return 0, false, errors.New("must be digits only")
	case strings.Trim(fraction, "0") != "":
		return 0, false, errors.New("has a fraction; a fraction of a đồng is not money")
	}
	dong, err = strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false, errors.New("is too large")
	}
	return dong, dotted, nil
}
