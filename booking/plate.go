package booking

import (
	"regexp"
	"strings"
)

// plateForm is a Vietnamese licence plate without its separators: two digits of
// the province, a series of one or two letters and for motorbikes a digit, four
// or five digits, and on some a letter; or a military one. Circulars
// 79/2024/TT-BCA and 58/2020/TT-BCA.
var plateForm = regexp.MustCompile(`^([0-9]{2}[A-Z]{1,2}[0-9]?[0-9]{4,5}[A-Z]?|[A-Z]{2}[0-9]{4,6})$`)

// PlateOf brings a licence plate into the form in which it is kept: upper case
// without separators. ok is false for what is none.
func PlateOf(s string) (plate string, ok bool) {
	plate = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '.':
			return -1
		case 'đ', 'Đ':
			return 'D'
		}
		return r
	}, strings.ToUpper(s))
	return plate, plateForm.MatchString(plate)
}
