package vnpay

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/rail/card/wire"
)

// Limits of a message that is read.
const (
	maxQuery = 8 * 1024 // bytes
	maxPairs = 64
)

const prefix = "vnp_"

// The parameters that hold the signature and are no part of what is signed.
// 2.1.0 sends no vnp_SecureHashType, but old terminals still do.
const (
	hashName     = "vnp_SecureHash"
	hashTypeName = "vnp_SecureHashType"
)

func (c config) mac(text string) []byte {
	h := hmac.New(sha512.New, []byte(c.HashSecret))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// sign is HMAC-SHA512 in lower case hexadecimal digits.
func (c config) sign(text string) string { return hex.EncodeToString(c.mac(text)) }

// signed reports whether signature is that of text, in a time that does not
// depend on where they differ.
func (c config) signed(text, signature string) bool {
	got, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(got, c.mac(text))
}

// query writes the parameters that are not empty as VNPAY signs them, sorted and
// form-encoded, with their signature behind them.
func (c config) query(parameters map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if value := parameters[name]; value != "" {
			pairs = append(pairs, name+"="+url.QueryEscape(value))
		}
	}
	text := strings.Join(pairs, "&")
	return text + "&" + hashName + "=" + c.sign(text)
}

// open verifies a query and returns its parameters. Errors of a signature have
// payment.CodeUnauthorized.
func (c config) open(query string) (map[string]string, error) {
	raw, err := split(query)
	if err != nil {
		return nil, err
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if name != hashName && name != hashTypeName && raw[name] != "" {
			pairs = append(pairs, name+"="+raw[name])
		}
	}
	switch {
	case raw[hashName] == "":
		return nil, wire.Unauthorized("no " + hashName)
	case !c.signed(strings.Join(pairs, "&"), raw[hashName]):
		return nil, wire.Unauthorized("wrong signature")
	}
	fields := make(map[string]string, len(raw))
	for name, text := range raw {
		value, err := url.QueryUnescape(text)
		if err != nil || !utf8.ValidString(value) {
			return nil, wire.Unreadable(fmt.Errorf("%s cannot be read", name))
		}
		fields[name] = value
	}
	return fields, nil
}

// split takes VNPAY's parameters out of a query, still escaped.
func split(query string) (map[string]string, error) {
	if len(query) > maxQuery {
		return nil, wire.Unreadable(errors.New("the query is too long"))
	}
	raw := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if _, twice := raw[name]; twice {
			return nil, wire.Unreadable(errors.New("a parameter comes twice"))
		}
		if strings.Trim(name[len(prefix):], alphanumeric) != "" || len(raw) == maxPairs {
			return nil, wire.Unreadable(errors.New("unheard of parameters"))
		}
		raw[name] = value
	}
	return raw, nil
}
