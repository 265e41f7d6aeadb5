// Package wire is what connectors have in common when they talk: strict
// configurations, JSON calls whose failures say whether the acquirer may have
// acted, answers read field by field, keyed hashes, and texts an acquirer takes.
package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// The environments of a configuration.
const (
	Sandbox = "sandbox" // the acquirer's test system
	Live    = "live"    // money moves
)

// maxMember is the longest member of a configuration, in characters.
const maxMember = 500

// maxDepth is how many JSON objects and arrays may be inside each other.
const maxDepth = 16

// ParseConfig reads a connector's configuration, one JSON object, into a
// pointer to a struct of strings with json tags. Members that the struct does
// not have, texts with control characters or blanks at their ends, and anything
// that is not text are refused.
func ParseConfig(config []byte, into any) error {
	if err := httpx.CheckJSON(config, maxDepth); err != nil {
		return errors.New("the configuration is not one JSON object")
	}
	if !bytes.HasPrefix(bytes.TrimSpace(config), []byte("{")) {
		return errors.New("the configuration is not a JSON object")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(config, &members); err != nil {
		return errors.New("the configuration is not a JSON object")
	}
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		raw, ok := members[name]
		if !ok {
			continue
		}
		delete(members, name)
		var text *string
		if err := json.Unmarshal(raw, &text); err != nil || text == nil {
			return fmt.Errorf("%s is not text", name)
		}
		if utf8.RuneCountInString(*text) > maxMember {
			return fmt.Errorf("%s is longer than %d characters", name, maxMember)
		}
		if *text != strings.TrimSpace(*text) || strings.ContainsFunc(*text, unicode.IsControl) {
			return fmt.Errorf("%s has blanks at its ends or control characters", name)
		}
		v.Field(i).SetString(*text)
	}
	for name := range members {
		return fmt.Errorf("the configuration has an unknown member %q", Text(name, 40))
	}
	return nil
}

// Need says which of a configuration's members is empty. Its arguments are
// names and values in turn.
func Need(namesAndValues ...string) error {
	for i := 0; i < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] == "" {
			return fmt.Errorf("%s is missing", namesAndValues[i])
		}
	}
	return nil
}

// BaseURL is the address, without a slash at its end, that goes with an
// environment, or override when it is set. Keys go there, so it has to be
// https; only on this machine may it be http.
func BaseURL(environment, override, sandbox, live string) (string, error) {
	base := sandbox
	switch environment {
	case Sandbox:
	case Live:
		base = live
	case "":
		return "", errors.New("environment is missing; it is sandbox or live")
	default:
		return "", fmt.Errorf("environment is %q, neither sandbox nor live", Text(environment, 40))
	}
	if override == "" {
		return base, nil
	}
	u, err := url.Parse(override)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", errors.New("base_url is not an https address")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", errors.New("base_url is not an https address")
	}
	return strings.TrimRight(override, "/"), nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// PageURL says whether text is an address that a payer may be sent to by an
// acquirer whose own address is base: absolute, and https unless base is not.
func PageURL(text, base string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(base, "http:") && loopback(u.Hostname())
}

// maxAmount is far more than anybody pays at once, and twelve digits, which
// every acquirer's field for an amount holds.
const maxAmount = money.VND(999_999_999_999)

// CheckAmount says what is wrong with an amount to be paid, whatever the
// acquirer.
func CheckAmount(amount money.VND) error {
	if amount <= 0 || amount > maxAmount {
		return fmt.Errorf("an amount of %d đồng cannot be paid", amount)
	}
	return nil
}

// FromHundredths reads an amount that counts hundredths of a đồng, as VNPAY and
// OnePay do; false for what is none in whole đồng.
func FromHundredths(text string) (money.VND, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n%100 != 0 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	return money.VND(n / 100), true
}

// NoIP is for acquirers who want an address where none is known.
const NoIP = "127.0.0.1"

// PayerIP is a payer's address as acquirers take it, or NoIP.
func PayerIP(text string) string {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return NoIP
	}
	return ip.Unmap().WithZone("").String()
}

// Locale is a language as VNPAY and OnePay name it.
func Locale(language string) string {
	if language == "en" {
		return "en"
	}
	return "vn"
}

// Invalid is a configuration's error as CheckConfig returns it.
func Invalid(err error) error {
	if err == nil {
		return nil
	}
	return payment.Fail(payment.CodeInvalidRequest, err.Error())
}

// Unauthorized is for a message whose proof is wrong, Unreadable for one that
// makes no sense. The texts are for the log.
func Unauthorized(why string) error { return payment.Fail(payment.CodeUnauthorized, why) }

// Unreadable is described at Unauthorized.
func Unreadable(err error) error {
	return payment.Fail(payment.CodeInvalidRequest, err.Error())
}

// HMAC is the HMAC-SHA256 of text in lower case hexadecimal digits.
func HMAC(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// Signed reports whether signature, in hexadecimal digits, is the HMAC-SHA256
// of text, in a time that does not depend on where they differ.
func Signed(key, text, signature string) bool {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	got, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

var short = base32.HexEncoding.WithPadding(base32.NoPadding)

// ShortID writes a UUID's 128 bits in 26 digits and lower case letters, for
// acquirers whose ids are too short for a UUID and more. What is no UUID is
// hashed first.
func ShortID(id string) string {
	u, err := uuid.Parse(id)
	if err != nil || len(id) != 36 || strings.ToLower(id) != id {
		sum := sha256.Sum256([]byte(id))
		u = uuid.UUID(sum[:16])
	}
	return strings.ToLower(short.EncodeToString(u[:]))
}

// Describe is what a payer reads at an acquirer: the first of texts, by Text,
// that says something.
func Describe(texts []string, limit int, others ...rune) string {
	for _, s := range texts {
		if s = Text(s, limit, others...); s != "" {
			return s
		}
	}
	return "Thanh toan"
}

// Text makes s fit: control characters, and the other characters named, become
// blanks; runs of blanks become one; what is not UTF-8 goes; the rest is cut
// after limit characters.
func Text(s string, limit int, others ...rune) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.IsSpace(c) {
			return ' '
		}
		for _, other := range others {
			if c == other {
				return ' '
			}
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > limit {
		s = strings.TrimSpace(string([]rune(s)[:limit]))
	}
	return s
}
