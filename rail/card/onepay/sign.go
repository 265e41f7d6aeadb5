package onepay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/rail/card/wire"
)

// Limits of a message that is read.
const (
	maxMessage = 8 * 1024 // bytes
	maxPairs   = 64
)

// The parameters that hold the signature and are no part of what is signed.
const (
	hashName     = "vpc_SecureHash"
	hashTypeName = "vpc_SecureHashType"
)

// isSigned says whether a parameter is under the signature. Others, such as
// Title, are for show only.
func isSigned(name string) bool {
	return (strings.HasPrefix(name, "vpc_") || strings.HasPrefix(name, "user_")) && name != hashName && name != hashTypeName
}

// ambiguous says whether a value looks like more than one where they stand
// unescaped (decision O1).
func ambiguous(value string) bool {
	return strings.Contains(value, "&vpc_") || strings.Contains(value, "&user_")
}

func (c config) mac(fields map[string]string) []byte {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if isSigned(name) && fields[name] != "" {
			pairs = append(pairs, name+"="+fields[name])
		}
	}
	h := hmac.New(sha256.New, c.key())
	h.Write([]byte(strings.Join(pairs, "&")))
	return h.Sum(nil)
}

// sign is HMAC-SHA256 in upper case hexadecimal digits.
func (c config) sign(fields map[string]string) string {
	return strings.ToUpper(hex.EncodeToString(c.mac(fields)))
}

// signed reports whether fields hold their own signature, in a time that does
// not depend on where it differs.
func (c config) signed(fields map[string]string) bool {
	got, err := hex.DecodeString(fields[hashName])
	return err == nil && hmac.Equal(got, c.mac(fields))
}

// form writes fields that are not empty with their signature.
func (c config) form(fields map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] != "" {
			pairs = append(pairs, name+"="+url.QueryEscape(fields[name]))
		}
	}
	return strings.Join(append(pairs, hashName+"="+c.sign(fields)), "&")
}

// read takes OnePay's parameters out of a query or form.
func read(text string) (map[string]string, error) {
	if len(text) > maxMessage {
		return nil, errors.New("it is too long")
	}
	fields := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, errors.New("a name cannot be read")
		}
		if !isSigned(name) && name != hashName {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		switch {
		case err != nil || !utf8.ValidString(value):
			return nil, errors.New("a value cannot be read")
		case ambiguous(value):
			return nil, errors.New("a value can be read in two ways")
		case strings.Trim(name, wordChars) != "" || len(fields) == maxPairs:
			return nil, errors.New("unheard of parameters")
		}
		if _, twice := fields[name]; twice {
			return nil, errors.New("a parameter comes twice")
		}
		fields[name] = value
	}
	return fields, nil
}

// open verifies a message. Errors of a signature have payment.CodeUnauthorized.
func (c config) open(text string) (map[string]string, error) {
	fields, err := read(text)
	switch {
	case err != nil:
		return nil, wire.Unreadable(err)
	case fields[hashName] == "":
		return nil, wire.Unauthorized("no " + hashName)
	case !c.signed(fields):
		return nil, wire.Unauthorized("wrong signature")
	case fields["vpc_Merchant"] != c.Merchant:
		return nil, wire.Unauthorized("it is about another merchant")
	}
	return fields, nil
}
