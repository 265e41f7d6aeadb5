package bankfeed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// MaxPage is the longest answer, in bytes, that a pull reads.
const MaxPage = 8 << 20

// NewGet makes the GET of production: guarded, and with room for a page. The
// limits of o's bodies are set here.
func NewGet(o guard.Options) rail.Get {
	o.Keep, o.MaxRead = MaxPage, MaxPage+1
	client := guard.New(o)
	return func(ctx context.Context, url string, header http.Header) (int, []byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, nil, errors.New("the address of the API is not a URL")
		}
		req.Header = header
		res, err := client.Do(ctx, req)
		if err != nil {
			var refused *guard.Error
			if errors.As(err, &refused) {
				return 0, nil, errors.New(refused.Safe())
			}
			return 0, nil, err
		}
		if res.Truncated {
			return 0, nil, fmt.Errorf("the answer is longer than %d bytes", MaxPage)
		}
		return res.Status, res.Body, nil
	}
}

// api is a feed's API credentials.
type api struct {
	Token   string `json:"token"`   // SePay
	Key     string `json:"key"`     // Casso
	Base    string `json:"base"`    // instead of the provider's own address
	Version int    `json:"version"` // SePay: 1 or 2; 0 is 1
}

// parseAPI reads credentials and fills in the provider's address.
func parseAPI(text string) (api, error) {
	var a api
	if err := strictJSON(text, &a); err != nil {
		return api{}, fmt.Errorf("the API credentials are not JSON of token, key, base and version: %w", err)
	}
	if a.Base != "" {
		u, err := url.Parse(a.Base)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return api{}, errors.New("base is not an http or https address")
		}
	}
	a.Base = strings.TrimRight(a.Base, "/")
	return a, nil
}

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return payment.Fail(payment.CodeInvalidRequest, err.Error())
}

// getObject asks for a page and wants a JSON object with status 200. SePay's
// first API answers a wrong token with 200 and nothing.
func getObject(ctx context.Context, get rail.Get, address, authorization string) (object, error) {
	header := http.Header{"Authorization": {authorization}, "Accept": {"application/json"}}
	status, body, err := get(ctx, address, header)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, fmt.Errorf("the provider refused the API credentials (HTTP %d)", status)
	case status != http.StatusOK:
		return nil, fmt.Errorf("the provider answered HTTP %d", status)
	case len(body) == 0:
		return nil, errors.New("the provider answered nothing: wrong API credentials?")
	}
	o, err := decodeObject(body)
	if err != nil {
		return nil, fmt.Errorf("the provider's answer: %w", err)
	}
	return o, nil
}
