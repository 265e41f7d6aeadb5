package bankfeed

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/payment"
)

// Window is how far the time in a signature may be from ours, either way.
// SePay says five minutes; the others name none, and five minutes is also what
// Standard Webhooks takes.
const Window = 5 * time.Minute

// minKey is the shortest key, in bytes, that CheckSecret lets pass.
const minKey = 8

// secret is a feed's secret: a plain text, which is the key and means the
// provider's usual mode, or a JSON object.
type secret struct {
	Mode string   `json:"mode"` // how the sender proves itself; "" is the provider's usual way
	Key  string   `json:"key"`
	Keys []string `json:"keys"` // besides Key, while keys are being changed
}

// parseSecret reads a feed's secret. The mode has to be one of modes, the
// first of which is the usual one.
func parseSecret(text string, modes ...string) (secret, error) {
	text = strings.TrimSpace(text)
	s := secret{Mode: modes[0], Key: text}
	if strings.HasPrefix(text, "{") {
		s = secret{}
		if err := strictJSON(text, &s); err != nil {
			return secret{}, fmt.Errorf("the secret is not JSON of mode, key and keys: %w", err)
		}
		if s.Mode == "" {
			s.Mode = modes[0]
		}
	}
	if !slices.Contains(modes, s.Mode) {
		return secret{}, fmt.Errorf("mode %q is not one of %s; a feed without proof of its sender is never accepted", excerpt(s.Mode), strings.Join(modes, ", "))
	}
	if s.Key != "" {
		s.Keys = append([]string{s.Key}, s.Keys...)
	}
	if len(s.Keys) == 0 || slices.Contains(s.Keys, "") {
		return secret{}, errors.New("the secret has no key")
	}
	return s, nil
}

func checkSecret(text string, modes ...string) error {
	s, err := parseSecret(text, modes...)
	if err != nil {
		return payment.Fail(payment.CodeInvalidRequest, err.Error())
	}
	for _, key := range s.Keys {
		if len(key) < minKey {
			return payment.Fail(payment.CodeInvalidRequest, fmt.Sprintf("a key has to have %d characters or more", minKey))
		}
	}
	return nil
}

// strictJSON decodes one JSON value without unknown fields.
func strictJSON(text string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errors.New("it has a wrong form or an unknown field")
	}
	if d.More() {
		return errors.New("something comes after it")
	}
	return nil
}

// signed reports, in a time that does not depend on where they differ, whether
// one of the hexadecimal signatures is the HMAC of text under one of the keys.
func (s secret) signed(newHash func() hash.Hash, text []byte, signatures ...string) bool {
	ok := false
	for _, key := range s.Keys {
		mac := hmac.New(newHash, []byte(key))
		mac.Write(text)
		want := mac.Sum(nil)
		for _, signature := range signatures {
			got, err := hex.DecodeString(signature)
			if err == nil && hmac.Equal(got, want) {
				ok = true
			}
		}
	}
	return ok
}

// fresh checks the time of a signature, a count of units since 1970.
func fresh(text string, unit time.Duration, now time.Time) error {
	const maxDigits = 15 // of milliseconds: far beyond the year 9999
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > maxDigits || strings.Trim(text, "0123456789") != "" {
		return unauthorized("the signature's time is not a whole number")
	}
	perSecond := int64(time.Second / unit)
	at := time.Unix(n/perSecond, n%perSecond*int64(unit))
	switch age := now.Sub(at); {
	case age > Window:
		return unauthorized("the signature is too old")
	case age < -Window:
		return unauthorized("the signature's time is in the future")
	}
	return nil
}

// signatureParts takes "t=1,v1=ab,v1=cd" apart.
func signatureParts(header string) (t string, v1 []string, err error) {
	const maxParts = 8
	parts := strings.Split(header, ",")
	if len(parts) > maxParts {
		return "", nil, unauthorized("the signature header has too many parts")
	}
	for _, part := range parts {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); {
		case name == "t" && t == "":
			t = value
		case name == "t":
			return "", nil, unauthorized("the signature header has two times")
		case name == "v1":
			v1 = append(v1, value)
		}
	}
	if t == "" || len(v1) == 0 {
		return "", nil, unauthorized("the signature header has no t or no v1")
	}
	return t, v1, nil
}

// one returns a header that may be sent only once, or an error.
func one(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", unauthorized(fmt.Sprintf("%d headers %s, want one", len(values), name))
	}
	return values[0], nil
}

func unauthorized(why string) error { return payment.Fail(payment.CodeUnauthorized, why) }
