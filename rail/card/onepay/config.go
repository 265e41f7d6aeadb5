package onepay

import (
	"encoding/hex"
	"errors"
	"strings"

	"github.com/thungan/thungan/rail/card/wire"
)

// The addresses of OnePay.
const (
	sandboxPay   = "https://mtf.onepay.vn/paygate/vpcpay.op"
	sandboxQuery = "https://mtf.onepay.vn/msp/api/v1/vpc/invoices/queries"
	livePay      = "https://onepay.vn/paygate/vpcpay.op"
	liveQuery    = "https://onepay.vn/msp/api/v1/vpc/invoices/queries"
)

// config is a connector's configuration.
type config struct {
	Environment       string `json:"environment"` // "sandbox" or "live"
	Merchant          string `json:"merchant_id"`
	AccessCode        string `json:"access_code"`
	HashCode          string `json:"hash_code"` // hexadecimal digits
	User              string `json:"user"`      // of queryDR, with Password; without them nobody is asked
	Password          string `json:"password"`
	PayURL            string `json:"pay_url"`                 // instead of the environment's
	QueryURL          string `json:"query_url"`               // instead of the environment's
	DomesticList      string `json:"card_list_domestic"`      // vpc_CardList for domestic cards; "" lets the payer choose on OnePay's page
	InternationalList string `json:"card_list_international"` // the same for international cards
}

const (
	maxText   = 64 // characters of merchant_id, access_code, user and password
	maxKey    = 64 // bytes of the hash code
	minKey    = 8
	wordChars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-."
)

func parseConfig(text []byte) (config, error) {
	var c config
	if err := wire.ParseConfig(text, &c); err != nil {
		return config{}, err
	}
	if err := wire.Need("environment", c.Environment, "merchant_id", c.Merchant, "access_code", c.AccessCode, "hash_code", c.HashCode); err != nil {
		return config{}, err
	}
	var err error
	if c.PayURL, err = wire.Endpoint(c.Environment, "pay_url", c.PayURL, sandboxPay, livePay); err != nil {
		return config{}, err
	}
	if c.QueryURL, err = wire.Endpoint(c.Environment, "query_url", c.QueryURL, sandboxQuery, liveQuery); err != nil {
		return config{}, err
	}
	key, keyErr := hex.DecodeString(c.HashCode)
	switch {
	case keyErr != nil || len(key) < minKey || len(key) > maxKey:
		return config{}, errors.New("hash_code is not hexadecimal digits, or too few")
	case !isWord(c.Merchant) || !isWord(c.AccessCode):
		return config{}, errors.New("merchant_id or access_code is not letters and digits")
	case (c.User == "") != (c.Password == ""):
		return config{}, errors.New("user and password of queryDR go together")
	case len(c.User) > maxText || len(c.Password) > maxText || ambiguous(c.User) || ambiguous(c.Password):
		return config{}, errors.New("user or password cannot be OnePay's")
	case c.DomesticList != "" && !isList(c.DomesticList) || c.InternationalList != "" && !isList(c.InternationalList):
		return config{}, errors.New("card_list_domestic or card_list_international is not a list of words")
	}
	return c, nil
}

// key is what OnePay signs with. parseConfig has seen that it can be read.
func (c config) key() []byte {
	key, _ := hex.DecodeString(c.HashCode)
	return key
}

func isWord(text string) bool { return len(text) <= maxText && strings.Trim(text, wordChars) == "" }

func isList(text string) bool { return len(text) <= maxText && strings.Trim(text, wordChars+",") == "" }

// CheckConfig wants environment, merchant_id, access_code and hash_code. The
// others may be set; user and password only together.
func (Connector) CheckConfig(text []byte) error {
	_, err := parseConfig(text)
	return wire.Invalid(err)
}
