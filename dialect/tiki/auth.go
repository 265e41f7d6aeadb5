package tiki

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
)

// The headers that authenticate, in both directions (source 2).
const (
	headerClientID  = "X-Tiniapp-Client-Id"
	headerClientKey = "X-Tiniapp-Client-Key" // T6
	headerTimestamp = "X-Tiniapp-Timestamp"  // milliseconds since 1970
	headerSignature = "X-Tiniapp-Signature"  // 64 lower case hexadecimal digits
)

// How far a timestamp may be from the gateway's clock unless Config says
// otherwise (T4).
const (
	DefaultMaxAge = 5 * time.Minute
	maxAhead      = time.Minute
)

// Sign is the signature of data, the raw body or the raw request target below
// the base URL, by the owner of a key pair at a timestamp in milliseconds
// (source 2): HMAC-SHA256 under the secret over the unpadded base64url of
// "timestamp.key.data".
func Sign(key, secret, timestamp string, data []byte) string {
	payload := append([]byte(timestamp+"."+key+"."), data...)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(base64.RawURLEncoding.EncodeToString(payload)))
	return hex.EncodeToString(mac.Sum(nil))
}

// caller is who sent a request.
type caller struct {
	merchant payment.Merchant
	app      string // its identifier
}

// errSignature is every failed authentication (T3).
var errSignature = refusal{status: http.StatusBadRequest, reason: reasonSignature, message: "invalid signature"}

// authenticate finds out who sent r with that body. It fails with errSignature
// or a fault of ours.
func (h *handler) authenticate(r *http.Request, env Environment, body []byte) (caller, error) {
	key := single(r, headerClientID)
	if key == "" {
		key = single(r, headerClientKey)
	}
	stamp, signature := single(r, headerTimestamp), single(r, headerSignature)
	m, secret, err := h.core.SigningKey(r.Context(), env.Dialect, key)
	if err != nil && payment.CodeOf(err) != payment.CodeUnauthorized {
		return caller{}, err
	}
	// Checked in any case: an unknown key takes the time of a known one.
	signed := false
	for _, data := range signedData(r, env, body) {
		if auth.SameString(signature, Sign(key, secret, stamp, data)) {
			signed = true
		}
	}
	if !signed || err != nil || !h.timely(stamp) {
		return caller{}, errSignature
	}
	f, err := h.core.Profile(r.Context(), m.ID, env.Dialect)
	return caller{merchant: m, app: f.PublicID}, err
}

// signedData is what the signature may be over (T5).
func signedData(r *http.Request, env Environment, body []byte) [][]byte {
	target := r.RequestURI
	if target == "" || !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI()
	}
	path := []byte(strings.TrimPrefix(target, env.Prefix))
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodDelete:
		if len(body) > 0 {
			return [][]byte{path, body}
		}
		return [][]byte{path}
	case len(body) > 0 || r.Method == http.MethodPost:
		return [][]byte{body}
	}
	return [][]byte{path}
}

// timely says whether a timestamp is near enough to now.
func (h *handler) timely(stamp string) bool {
	ms, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || ms <= 0 || ms > 1<<50 || strconv.FormatInt(ms, 10) != stamp {
		return false
	}
	for _, c := range h.clocks {
		age := c.Now().Truncate(time.Millisecond).Sub(time.UnixMilli(ms))
		if age <= h.maxAge && age >= -maxAhead {
			return true
		}
	}
	return false
}

// single is the value of a header that came exactly once, else "".
func single(r *http.Request, name string) string {
	if values := r.Header.Values(name); len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	return ""
}

// isSignature says whether err is a failed authentication.
func isSignature(err error) bool {
	var r refusal
	return errors.As(err, &r) && r == errSignature
}
