package vnpay

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/thungan/thungan/rail/card/wire"
)

// The addresses of VNPAY.
const (
	sandboxPay = "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html"
	sandboxAPI = "https://sandbox.vnpayment.vn/merchant_webapi/api/transaction"
	livePay    = "https://pay.vnpay.vn/vpcpay.html"
	liveAPI    = "https://merchant.vnpay.vn/merchant_webapi/api/transaction"
)

// config is a connector's configuration.
type config struct {
	Environment string `json:"environment"` // "sandbox" or "live"
	TmnCode     string `json:"tmn_code"`    // the terminal's code, letters and digits
	HashSecret  string `json:"hash_secret"`
	PayURL      string `json:"pay_url"`    // instead of the environment's
	APIURL      string `json:"api_url"`    // of querydr and refund, instead of the environment's
	OrderType   string `json:"order_type"` // vnp_OrderType, VNPAY's kind of goods; "other" when left out
	ServerIP    string `json:"server_ip"`  // vnp_IpAddr of what the gateway itself asks; 127.0.0.1 when left out
}

// Limits of the configuration, in characters.
const (
	maxTmnCode   = 20 // VNPAY gives 8
	minSecret    = 8
	maxSecret    = 256
	maxOrderType = 100
)

func parseConfig(text []byte) (config, error) {
	var c config
	if err := wire.ParseConfig(text, &c); err != nil {
		return config{}, err
	}
	if err := wire.Need("environment", c.Environment, "tmn_code", c.TmnCode, "hash_secret", c.HashSecret); err != nil {
		return config{}, err
	}
	var err error
	if c.PayURL, err = wire.Endpoint(c.Environment, "pay_url", c.PayURL, sandboxPay, livePay); err != nil {
		return config{}, err
	}
	if c.APIURL, err = wire.Endpoint(c.Environment, "api_url", c.APIURL, sandboxAPI, liveAPI); err != nil {
		return config{}, err
	}
	if c.OrderType == "" {
		c.OrderType = "other"
	}
	if c.ServerIP == "" {
		c.ServerIP = wire.NoIP
	}
	_, ipErr := netip.ParseAddr(c.ServerIP)
	switch {
	case len(c.TmnCode) > maxTmnCode || strings.Trim(c.TmnCode, alphanumeric+"_") != "":
		return config{}, errors.New("tmn_code is not letters and digits")
	case len(c.HashSecret) < minSecret || len(c.HashSecret) > maxSecret:
		return config{}, errors.New("hash_secret is too short or too long")
	case len(c.OrderType) > maxOrderType || strings.Trim(c.OrderType, alphanumeric) != "":
		return config{}, errors.New("order_type is not letters and digits")
	case ipErr != nil:
		return config{}, errors.New("server_ip is not an IP address")
	}
	return c, nil
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// CheckConfig wants environment, tmn_code and hash_secret; pay_url, api_url,
// order_type and server_ip may be set.
func (Connector) CheckConfig(text []byte) error {
	_, err := parseConfig(text)
	return wire.Invalid(err)
}
