package sandbox

import "github.com/thungan/thungan/rail/sandbox/acquirer"

// Info is sandbox.json: the addresses and keys of a running `thungan dev`. Its
// keys are a contract with the scripts that read the file; each protocol has an
// object of its own.
type Info struct {
	BaseURL    string    `json:"base_url"` // without a trailing slash
	AdminToken string    `json:"admin_token"`
	Paykit     Paykit    `json:"paykit"`
	AppotaPay  AppotaPay `json:"appotapay"`
	Tiki       Tiki      `json:"tiki"`
	TTDK       TTDK      `json:"ttdk"`
	// Acquirer is the configuration of connectors of kind "sandbox". The demo
	// merchants have one; others can be given one by the admin API.
	Acquirer acquirer.Settings `json:"acquirer"`
}

// AppotaPay is the demo partner of AppotaPay's POS protocol, with a terminal.
// Its IPN address is set by PATCH /admin/v1/merchants/{merchant_id}.
type AppotaPay struct {
	MerchantID  string `json:"merchant_id"` // of the admin API
	BaseURL     string `json:"base_url"`
	PartnerCode string `json:"partner_code"`
	APIKey      string `json:"api_key"`
	SecretKey   string `json:"secret_key"` // signs tokens, bodies and IPNs
	TerminalID  string `json:"terminal_id"`
	DeviceKey   string `json:"device_key"`   // of /pos/v1
	TerminalURL string `json:"terminal_url"` // the terminal in the browser
}

// Paykit is the demo merchant of the Paykit protocol, and a platform with a
// merchant of its own.
type Paykit struct {
	MerchantID   string   `json:"merchant_id"` // of the admin API
	BaseURL      string   `json:"base_url"`    // ends in /v2
	MID          string   `json:"mid"`
	APIKey       string   `json:"api_key"`
	SecretKey    string   `json:"secret_key"`
	IPNSecretKey string   `json:"ipn_secret_key"`
	Platform     Platform `json:"platform"`
}

// Platform is a Paykit platform and the merchant that it acts for. The merchant
// is paid by virtual account, the one in Paykit by memo code.
type Platform struct {
	MerchantID        string `json:"merchant_id"` // of the admin API: the merchant
	PlatformID        string `json:"platform_id"` // of the admin API: the platform
	MID               string `json:"mid"`         // of the merchant
	MerchantAPIKey    string `json:"merchant_api_key"`
	MerchantSecretKey string `json:"merchant_secret_key"`
	PlatformAPIKey    string `json:"platform_api_key"`
	PlatformSecretKey string `json:"platform_secret_key"`
	IPNSecretKey      string `json:"ipn_secret_key"` // of the platform, which is told
}
