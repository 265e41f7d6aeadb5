package wire

import (
	"errors"
	"strings"

	"github.com/thungan/thungan/rail/vietqr"
)

// Endpoint is BaseURL for an acquirer that has more than one address: name is
// the configuration's member that override comes from.
func Endpoint(environment, name, override, sandbox, live string) (string, error) {
	address, err := BaseURL(environment, "", sandbox, live)
	if err != nil || override == "" {
		return address, err
	}
	if address, err = BaseURL(environment, override, sandbox, live); err != nil {
		return "", errors.New(name + " is not an https address")
	}
	return address, nil
}

// Plain writes s in the letters that every acquirer takes: Vietnamese without
// its marks, and of punctuation only what has no meaning in a URL or a signature.
func Plain(s string, limit int) string {
	return Text(strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.ContainsRune(" .,:-_/", c):
			return c
		}
		return ' '
	}, vietqr.Unaccent(strings.ToValidUTF8(s, ""))), limit)
}
