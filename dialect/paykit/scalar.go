package paykit

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxNumberText bounds the text of an amount, in characters.
const maxNumberText = 1000

// maxExponent is the largest exponent that Python's Decimal reads.
const maxExponent = 999_999_999_999_999_999

// checkDecimal trims the text of a number and returns it, with the message for
// what is wrong with it. The order of the checks is the framework's: form,
// digits in total, places, digits before the point, minimum.
func checkDecimal(s string) (string, string) {
	s = strings.TrimFunc(s, isSpace)
	if utf8.RuneCountInString(s) > maxNumberText {
		return "", msgNumberLong
	}
	d, ok := parseDecimal(s)
	if !ok {
		return "", msgNumber
	}
	total, whole, places := d.size()
	switch {
	case total > maxDigits:
		return "", fmt.Sprintf(msgNumberDigits, maxDigits)
	case places > maxPlaces:
		return "", fmt.Sprintf(msgNumberPlaces, maxPlaces)
	case whole > maxDigits-maxPlaces:
		return "", fmt.Sprintf(msgNumberWhole, maxDigits-maxPlaces)
	case d.negative || d.digits == "0":
		// With six places at most, whatever is above zero is at least
		// 0.000001.
		return "", msgNumberMin
	}
	return s, ""
}

// decimal is digits × 10^exponent. Digits have no leading zeros; zero is "0".
type decimal struct {
	negative bool
	digits   string
	exponent int
}

// parseDecimal reads [sign] digits [. digits] [e [sign] digits], with a digit
// somewhere before the exponent. NaN and Infinity are no amounts.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative, s = s[0] == '-', s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent, ok := parseExponent(s[i+1:])
		if !ok {
			return decimal{}, false
		}
		d.exponent, s = exponent, s[:i]
	}
	whole, frac, _ := strings.Cut(s, ".")
	d.digits = whole + frac
	if !isDigits(d.digits) {
		return decimal{}, false
	}
	d.exponent -= len(frac)
	d.digits = strings.TrimLeft(d.digits, "0")
	if d.digits == "" {
		d.digits = "0"
	}
	return d, true
}

func parseExponent(s string) (int, bool) {
	if !isDigits(strings.TrimLeft(s, "+-")) {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && -maxExponent <= n && n <= maxExponent
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// size counts the digits in total, before and after the point.
func (d decimal) size() (total, whole, places int) {
	n := len(d.digits)
	switch {
	case d.exponent >= 0:
		return n + d.exponent, n + d.exponent, 0
	case n > -d.exponent:
		return n, n + d.exponent, -d.exponent
	}
	return -d.exponent, 0, -d.exponent
}

// moment is ISO 8601 as the message describes it. Tolerated besides: a space
// for the T, single digits, a comma before the fraction, spaces before the
// offset, an offset without its colon or minutes. Digits after the sixth of a
// fraction do not count.
var moment = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})[T ]([0-9]{1,2}):([0-9]{1,2})` +
	`(?::([0-9]{1,2})(?:[.,]([0-9]{1,6})[0-9]{0,6})?)?` +
	` *(?:(Z)|([+-])([0-9]{2})(?::?([0-9]{2}))?)?$`)

// parseDatetime reads a datetime in any offset, or none for UTC (P12), and
// returns it in UTC, or the message for what is wrong with it.
func parseDatetime(s string) (time.Time, string) {
	// The form that our own answers have. time.Parse reads it as the pattern
	// below does, at a tenth of the cost.
	if len(s) == len(timeLayout) && s[10] == 'T' && s[len(s)-1] == 'Z' && s[19] == '.' {
		if t, err := time.Parse(time.RFC3339, s); err == nil && t.Year() > 0 {
			return t.UTC(), ""
		}
	}
	m := moment.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, msgDatetime
	}
	n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v } // "" is 0
	micros, _ := strconv.Atoi((m[7] + "000000")[:6])
	t := time.Date(n(1), time.Month(n(2)), n(3), n(4), n(5), n(6), micros*1000, time.UTC)
	// time.Date turns February 30th into March 2nd; such a day is an error.
	if t.Year() != n(1) || int(t.Month()) != n(2) || t.Day() != n(3) ||
		t.Hour() != n(4) || t.Minute() != n(5) || t.Second() != n(6) || n(1) < 1 {
		return time.Time{}, msgDatetime
	}
	offset := time.Duration(n(10))*time.Hour + time.Duration(n(11))*time.Minute
	if offset >= 24*time.Hour {
		return time.Time{}, msgDatetime
	}
	if m[9] == "-" {
		offset = -offset
	}
	t = t.Add(-offset)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, msgDatetimeOut
	}
	return t, ""
}

// validURL says whether s is an http or https address that a browser and our
// own client may be sent to (P13).
func validURL(s string) bool {
	if strings.ContainsFunc(s, isSpace) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return false
	}
	return validPort(u) && validHost(u)
}

func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if u.Port() == "" {
		return true
	}
	_, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil
}

func validHost(u *url.URL) bool {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	// A name is no IP address when it has no colon and ends in a letter; to
	// parse it would only make an error.
	if strings.Contains(host, ":") || !strings.ContainsFunc(host[max(len(host)-1, 0):], unicode.IsLetter) {
		if ip, err := netip.ParseAddr(host); err == nil {
			return ip.Is4()
		}
	}
	return strings.EqualFold(host, "localhost") || validDomain(host)
}

// validDomain wants two labels at least, and a top level without digits unless
// it is punycode. One dot may end it.
func validDomain(host string) bool {
	host = strings.TrimSuffix(host, ".")
	labels := strings.Split(host, ".")
	if len(labels) < 2 || utf8.RuneCountInString(host) > 253 {
		return false
	}
	for _, l := range labels {
		if !validLabel(l) {
			return false
		}
	}
	top := strings.ToLower(labels[len(labels)-1])
	if punycode, ok := strings.CutPrefix(top, "xn--"); ok {
		return punycode != ""
	}
	return utf8.RuneCountInString(top) >= 2 && !strings.ContainsFunc(top, unicode.IsDigit)
}

// validLabel wants 1 to 63 letters, digits and inner dashes; letters may be any
// in the first plane of Unicode.
func validLabel(l string) bool {
	if n := utf8.RuneCountInString(l); n < 1 || n > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for _, r := range l {
		ascii := r == '-' || ('0' <= r && r <= '9') || ('a' <= r|0x20 && r|0x20 <= 'z')
		if !ascii && (r < 0xa1 || r > 0xffff) {
			return false
		}
	}
	return true
}
