package vietqr

import (
	"strings"
	"unicode/utf8"
)

// vietnamese lists each base letter followed by its marked forms.
var vietnamese = []string{
	"aàáảãạăằắẳẵặâầấẩẫậ",
	"AÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ",
	"eèéẻẽẹêềếểễệ",
	"EÈÉẺẼẸÊỀẾỂỄỆ",
	"iìíỉĩị",
	"IÌÍỈĨỊ",
	"oòóỏõọôồốổỗộơờớởỡợ",
	"OÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ",
	"uùúủũụưừứửữự",
	"UÙÚỦŨỤƯỪỨỬỮỰ",
	"yỳýỷỹỵ",
	"YỲÝỶỸỴ",
	"dđ",
	"DĐÐ", // U+00D0 is not Vietnamese but looks the same and is often typed for U+0110.
}

// combiningMarks are the marks of decomposed Vietnamese text: five tones,
// circumflex, breve and horn.
const combiningMarks = "\u0300\u0301\u0303\u0309\u0323\u0302\u0306\u031b"

var plainLetters = makePlainLetters()

func makePlainLetters() map[rune]rune {
	plain := make(map[rune]rune)
	for _, letters := range vietnamese {
		base, size := utf8.DecodeRuneInString(letters)
		for _, marked := range letters[size:] {
			plain[marked] = base
		}
	}
	for _, mark := range combiningMarks {
		plain[mark] = -1 // strings.Map drops it
	}
	return plain
}

// Unaccent replaces Vietnamese letters by their plain ASCII ones ("Lê Anh Tú"
// to "Le Anh Tu", "Đặng" to "Dang"), composed or decomposed. Every other
// character stays as it is, so that Encode can still refuse it. Encode never
// calls Unaccent itself: what the payer reads should not change in silence.
func Unaccent(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if plain, ok := plainLetters[r]; ok {
			return plain
		}
		return r
	}, s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isPrintableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}
