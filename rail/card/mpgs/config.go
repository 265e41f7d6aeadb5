package mpgs

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/thungan/thungan/rail/card/wire"
)

// The gateway's addresses in Asia. An acquirer may have a host of its own.
//
// Source: ap-gateway.mastercard.com, "establishing a session"; the test host is
// from there too.
const (
	sandboxURL = "https://mtf.gateway.mastercard.com"
	liveURL    = "https://ap-gateway.mastercard.com"
)

// version of the REST API.
const version = "100"

// config is a connector's configuration.
type config struct {
	Environment   string `json:"environment"` // "sandbox" or "live"
	MerchantID    string `json:"merchant_id"`
	APIPassword   string `json:"api_password"`
	WebhookSecret string `json:"webhook_secret"` // the notification secret
	BaseURL       string `json:"base_url"`       // instead of the gateway's own: the acquirer's host
}

func parseConfig(text []byte) (config, error) {
	var c config
	if err := wire.ParseConfig(text, &c); err != nil {
		return config{}, err
	}
	base, err := wire.BaseURL(c.Environment, c.BaseURL, sandboxURL, liveURL)
	if err != nil {
		return config{}, err
	}
	c.BaseURL = base
	if err := wire.Need("merchant_id", c.MerchantID, "api_password", c.APIPassword, "webhook_secret", c.WebhookSecret); err != nil {
		return config{}, err
	}
	if len(c.MerchantID) > 40 || strings.Trim(c.MerchantID, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return config{}, errors.New("merchant_id has other characters than letters, digits, - and _, or more than 40")
	}
	if strings.TrimLeft(c.WebhookSecret, "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "" {
		return config{}, errors.New("webhook_secret has characters that no header carries")
	}
	return c, nil
}

// address is a resource of the merchant's.
func (c config) address(path ...string) string {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = url.PathEscape(p)
	}
	return c.BaseURL + "/api/rest/version/" + version + "/merchant/" + c.MerchantID + "/" + strings.Join(escaped, "/")
}

func (c config) header() http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("merchant."+c.MerchantID+":"+c.APIPassword))}}
}
