package momo

import (
	"github.com/thungan/thungan/rail/card/wire"
)

// MoMo's own addresses.
//
// Source: npm momo-payment-gateway.
const (
	sandboxURL = "https://test-payment.momo.vn"
	liveURL    = "https://payment.momo.vn"
)

// config is a connector's configuration.
type config struct {
	Environment string `json:"environment"` // "sandbox" or "live"
	PartnerCode string `json:"partner_code"`
	AccessKey   string `json:"access_key"`
	SecretKey   string `json:"secret_key"`
	BaseURL     string `json:"base_url"` // instead of MoMo's own
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
	return c, wire.Need("partner_code", c.PartnerCode, "access_key", c.AccessKey, "secret_key", c.SecretKey)
}
