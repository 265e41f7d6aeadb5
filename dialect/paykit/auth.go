package paykit

import (
	"net/http"
	"strings"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
)

// The request headers that authenticate (source 2), in the form in which
// net/http keeps them; on the wire their case does not count.
const (
	headerAPIKey            = "Api-Key"
	headerSecretKey         = "Secret-Key"
	headerMID               = "Mid"
	headerMerchantAPIKey    = "Merchant-Api-Key"
	headerMerchantSecretKey = "Merchant-Secret-Key"
	headerPlatformAPIKey    = "Platform-Api-Key"
	headerPlatformSecretKey = "Platform-Secret-Key"
)

// caller is who sent a request.
type caller struct {
	merchant payment.Merchant
	platform payment.Merchant // who acts for the merchant; ID "" in merchant mode
	mid      string           // the merchant's
}

func (c caller) isPlatform() bool { return c.platform.ID != "" }

// errCredentials is every failed authentication: missing, doubled, unknown and
// wrong credentials look the same (P2).
var errCredentials = payment.Fail(payment.CodeUnauthorized, "The request was rejected because its credentials are not valid.")

// authenticate finds out who sent r. It fails with CodeUnauthorized or a fault
// of the database.
func (h *handler) authenticate(r *http.Request) (caller, error) {
	if r.Header.Values(headerPlatformAPIKey) != nil || r.Header.Values(headerPlatformSecretKey) != nil {
		return h.authenticatePlatform(r)
	}
	m, err := h.pair(r, headerAPIKey, headerSecretKey, payment.KindMerchant)
	if err != nil {
		return caller{}, err
	}
	return h.identify(r, m, payment.Merchant{})
}

// authenticatePlatform wants the pairs of the platform and of the merchant,
// and the mid to be that merchant's. Both pairs are looked up in any case, so
// that the time does not tell which one is wrong.
func (h *handler) authenticatePlatform(r *http.Request) (caller, error) {
	m, merchantErr := h.pair(r, headerMerchantAPIKey, headerMerchantSecretKey, payment.KindMerchant)
	p, platformErr := h.pair(r, headerPlatformAPIKey, headerPlatformSecretKey, payment.KindPlatform)
	if merchantErr != nil {
		return caller{}, merchantErr
	}
	if platformErr != nil {
		return caller{}, platformErr
	}
	c, err := h.identify(r, m, p)
	if err != nil {
		return caller{}, err
	}
	if !auth.SameString(single(r, headerMID), c.mid) {
		return caller{}, errCredentials
	}
	return c, nil
}

// pair finds the owner of the key pair in two headers, who has to be of kind
// (P27).
func (h *handler) pair(r *http.Request, keyHeader, secretHeader string, kind payment.MerchantKind) (payment.Merchant, error) {
	m, err := h.core.Authenticate(r.Context(), Name, single(r, keyHeader), single(r, secretHeader))
	switch {
	case payment.CodeOf(err) == payment.CodeUnauthorized:
		return payment.Merchant{}, errCredentials
	case err != nil:
		return payment.Merchant{}, err
	case m.Kind != kind:
		return payment.Merchant{}, errCredentials
	}
	return m, nil
}

func (h *handler) identify(r *http.Request, merchant, platform payment.Merchant) (caller, error) {
	f, err := h.core.Profile(r.Context(), merchant.ID, Name)
	return caller{merchant: merchant, platform: platform, mid: f.PublicID}, err
}

// single is the value of a header that came exactly once, else "" (P3).
func single(r *http.Request, name string) string {
	if values := r.Header.Values(name); len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	return ""
}
