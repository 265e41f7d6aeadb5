package appotapay

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// The request headers.
const (
	headerAuth      = "X-AppotaPay-Auth"
	headerRequestID = "X-Request-Id"
	headerSignature = "X-Signature"
	headerLang      = "X-Lang"
)

// caller is who sent a request.
type caller struct {
	merchant payment.Merchant
	secret   string // what its bodies are signed with
}

var errCredentials = payment.Fail(payment.CodeUnauthorized, "the token is not valid")

// authenticate finds out who sent r. It fails with CodeUnauthorized or a fault
// of the database.
func (h *handler) authenticate(ctx context.Context, r *http.Request) (caller, error) {
	t, err := parseToken(single(r, headerAuth))
	if err != nil {
		return caller{}, errCredentials
	}
	m, secret, err := h.core.SigningKey(ctx, Name, t.apiKey)
	// An unknown key is checked with a secret that nobody has.
	signed := t.signedWith(secret)
	switch {
	case payment.CodeOf(err) == payment.CodeUnauthorized:
		return caller{}, errCredentials
	case err != nil:
		return caller{}, err
	case !signed || !h.clock.Now().Before(t.expires) || m.Kind != payment.KindMerchant:
		return caller{}, errCredentials
	}
	f, err := h.core.Profile(ctx, m.ID, Name)
	if err != nil {
		return caller{}, err
	}
	if !auth.SameString(t.issuer, f.PublicID) {
		return caller{}, errCredentials
	}
	return caller{merchant: m, secret: secret}, nil
}

// single is the value of a header that came exactly once, else "".
func single(r *http.Request, name string) string {
	if values := r.Header.Values(name); len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	return ""
}

// maxToken bounds a token; real ones have some 300 characters.
const maxToken = 4096

// token is a JWT whose signature has not been checked.
type token struct {
	signed  string // the first two segments as they came
	mac     []byte
	issuer  string
	apiKey  string
	expires time.Time
}

var errToken = errors.New("appotapay: not a token")

// parseToken reads a JWT, bare or behind "Bearer" (A2, A3).
func parseToken(text string) (token, error) {
	if scheme, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(scheme, "Bearer") {
		text = strings.TrimSpace(rest)
	}
	parts := strings.Split(text, ".")
	if len(text) > maxToken || len(parts) != 3 {
		return token{}, errToken
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		Issuer  string      `json:"iss"`
		APIKey  string      `json:"api_key"`
		Expires json.Number `json:"exp"`
	}
	if err := errors.Join(readSegment(parts[0], &head), readSegment(parts[1], &claims)); err != nil {
		return token{}, err
	}
	mac, err := fromBase64(parts[2])
	expires, ok := seconds(claims.Expires.String())
	if err != nil || !ok || head.Algorithm != "HS256" || claims.Issuer == "" || claims.APIKey == "" {
		return token{}, errToken
	}
	return token{signed: parts[0] + "." + parts[1], mac: mac, issuer: claims.Issuer, apiKey: claims.APIKey, expires: expires}, nil
}

// readSegment reads a segment's JSON object. Names are taken as they are
// written: encoding/json would take "ALG" for alg too.
func readSegment(text string, into any) error {
	b, err := fromBase64(text)
	if err != nil {
		return err
	}
	if err := httpx.CheckJSON(b, maxDepth); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for name := range members {
		if strings.ToLower(name) != name {
			delete(members, name)
		}
	}
	exact, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return json.Unmarshal(exact, into)
}

// fromBase64 reads base64 of either alphabet, padded or not.
func fromBase64(text string) ([]byte, error) {
	text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, errToken
	}
	return base64.RawURLEncoding.DecodeString(text)
}

// lastSecond is the year 9999: later moments are taken as that.
const lastSecond = 253_402_300_799

// seconds reads a moment in seconds since 1970, also one with a fraction.
func seconds(number string) (time.Time, bool) {
	if len(number) > 40 {
		return time.Time{}, false
	}
	f, _, err := big.ParseFloat(number, 10, 128, big.ToZero)
	if err != nil || f.Sign() <= 0 {
		return time.Time{}, false
	}
	if f.Cmp(big.NewFloat(lastSecond)) > 0 {
		return time.Unix(lastSecond, 0), true
	}
	n, _ := f.Int64()
	return time.Unix(n, 0), true
}

// signedWith says whether the token was signed with a secret, whose bytes are
// the key.
func (t token) signedWith(secret string) bool {
	return hmac.Equal(t.mac, digest(secret, []byte(t.signed)))
}

// bodySigned says whether a body was signed with a secret (A4).
func bodySigned(secret, signature string, body []byte) bool {
	mac, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(mac, digest(secret, body))
}

func digest(secret string, message []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(message)
	return mac.Sum(nil)
}

// uuid4 says whether a text is a UUID of version 4 (A5).
func uuid4(text string) bool {
	if len(text) != 36 || text[14] != '4' || !strings.ContainsRune("89abAB", rune(text[19])) {
		return false
	}
	b := []byte(text)
	for _, at := range []int{8, 13, 18, 23} {
		if b[at] != '-' {
			return false
		}
	}
	_, err := hex.DecodeString(string(bytes.ReplaceAll(b, []byte("-"), nil)))
	return err == nil && strings.Count(text, "-") == 4
}
