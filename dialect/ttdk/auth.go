package ttdk

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
)

// Where a caller says who it is (source 2). Header names come in any letter
// case, so apiKey and apikey are one.
const (
	headerKey      = "apiKey"
	queryKey       = "apikey"
	headerClientID = "clientId"
)

// maxKey bounds what is hashed for a stranger.
const maxKey = 200

// caller is who sent a request.
type caller struct {
	merchant payment.Merchant
	key      payment.Key
	clientID string
	apiKey   string // as it was sent
}

var errStranger = payment.Fail(payment.CodeUnauthorized, "the API key is not valid")

// authenticate finds out who sent r. A missing, an unknown and an ended key look
// the same, and so does a locked partner's (T4). With both set the client id has
// to be the key owner's.
func (h *handler) authenticate(r *http.Request, withClientID bool) (caller, error) {
	key := keyOf(r)
	if key == "" || len(key) > maxKey {
		return caller{}, errStranger
	}
	owner, err := h.core.AuthenticateKey(r.Context(), Name, key)
	if err != nil {
		return caller{}, err
	}
	f, err := h.core.Profile(r.Context(), owner.Merchant.ID, Name)
	if err != nil {
		return caller{}, err
	}
	if withClientID && !auth.SameString(strings.TrimSpace(r.Header.Get(headerClientID)), f.PublicID) {
		return caller{}, errStranger
	}
	if owner.Merchant.Usable() != nil {
		return caller{}, errStranger
	}
	return caller{merchant: owner.Merchant, key: owner.Key, clientID: f.PublicID, apiKey: key}, nil
}

// keyOf is the key of a request: the header's, unless that is empty, else the
// query's.
func keyOf(r *http.Request) string {
	if key := strings.TrimSpace(r.Header.Get(headerKey)); key != "" {
		return key
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(query.Get(queryKey))
}
