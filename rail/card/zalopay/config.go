package zalopay

import (
	"errors"
	"strconv"

	"github.com/thungan/thungan/rail/card/wire"
)

// ZaloPay's own addresses.
//
// Source: zalopay-oss/zalopay-nodejs, specs/zlp.yaml.
const (
	sandboxURL = "https://sb-openapi.zalopay.vn"
	liveURL    = "https://openapi.zalopay.vn"
)

// config is a connector's configuration.
type config struct {
	Environment string `json:"environment"` // "sandbox" or "live"
	AppID       string `json:"app_id"`      // a number
	Key1        string `json:"key1"`        // signs what we send
	Key2        string `json:"key2"`        // signs what ZaloPay sends
	BaseURL     string `json:"base_url"`    // instead of ZaloPay's own
}

// maxAppID has ten digits, so that an m_refund_id stays within 45 characters.
const maxAppID = 1<<31 - 1

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
	if err := wire.Need("app_id", c.AppID, "key1", c.Key1, "key2", c.Key2); err != nil {
		return config{}, err
	}
	if n, err := strconv.ParseInt(c.AppID, 10, 64); err != nil || n <= 0 || n > maxAppID || strconv.FormatInt(n, 10) != c.AppID {
		return config{}, errors.New("app_id is not a number as ZaloPay gives them")
	}
	return c, nil
}

// appID is app_id as a number.
func (c config) appID() int64 {
	n, _ := strconv.ParseInt(c.AppID, 10, 64) // parseConfig has read it before
	return n
}
