package sandbox_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

const demoBase = "http://127.0.0.1:8080"

// sandbox.json's keys are a contract.
func TestInfoKeys(t *testing.T) {
	text, err := json.Marshal(sandbox.Info{})
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for key, v := range m {
			if inner, ok := v.(map[string]any); ok {
				walk(prefix+key+".", inner)
				continue
			}
			got = append(got, prefix+key)
		}
	}
	walk("", all)
	sort.Strings(got)
	want := strings.Fields(`acquirer.base_url acquirer.merchant acquirer.secret admin_token appotapay.api_key appotapay.base_url appotapay.device_key appotapay.merchant_id
		appotapay.partner_code appotapay.secret_key appotapay.terminal_id appotapay.terminal_url base_url paykit.api_key paykit.base_url paykit.ipn_secret_key paykit.merchant_id paykit.mid
		paykit.platform.ipn_secret_key paykit.platform.merchant_api_key paykit.platform.merchant_id paykit.platform.merchant_secret_key
		paykit.platform.mid paykit.platform.platform_api_key paykit.platform.platform_id paykit.platform.platform_secret_key paykit.secret_key
		tiki.app_identifier tiki.base_url tiki.client_key tiki.client_secret tiki.customer_id tiki.graphql_url tiki.merchant_id
		tiki.sandbox.base_url tiki.sandbox.client_key tiki.sandbox.client_secret tiki.sandbox.merchant_id tiki.seller_id

		ttdk.api_key ttdk.base_url ttdk.client_id ttdk.customer_schedule_id ttdk.merchant_id ttdk.payment_method_id ttdk.secret_key ttdk.station_services`)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// works checks that every credential of info does what it is for.
func works(t *testing.T, c *core.Core, info sandbox.Info) {
	t.Helper()
	p := info.Paykit
	for _, pair := range []struct{ owner, key, secret string }{
		{p.MerchantID, p.APIKey, p.SecretKey},
		{p.Platform.MerchantID, p.Platform.MerchantAPIKey, p.Platform.MerchantSecretKey},
		{p.Platform.PlatformID, p.Platform.PlatformAPIKey, p.Platform.PlatformSecretKey},
	} {
		m, err := c.Authenticate(t.Context(), "paykit", pair.key, pair.secret)
		if err != nil || m.ID != pair.owner {
			t.Errorf("the key pair of %s is %s's: %v", pair.owner, m.ID, err)
		}
	}
	for _, app := range []struct{ dialect, owner, key, secret string }{
		{"tiki", info.Tiki.MerchantID, info.Tiki.ClientKey, info.Tiki.ClientSecret},
		{"tiki-sandbox", info.Tiki.Sandbox.MerchantID, info.Tiki.Sandbox.ClientKey, info.Tiki.Sandbox.ClientSecret},
	} {
		m, secret, err := c.SigningKey(t.Context(), app.dialect, app.key)
		if err != nil || m.ID != app.owner || secret != app.secret {
			t.Errorf("the %s pair of %s is %s's: %v", app.dialect, app.owner, m.ID, err)
		}
		if f, err := c.ProfileByPublicID(t.Context(), app.dialect, info.Tiki.AppIdentifier); err != nil || f.MerchantID != app.owner {
			t.Errorf("the app is %s's in %s: %v", f.MerchantID, app.dialect, err)
		}
		if a, err := c.App(t.Context(), app.owner); err != nil || a.SellerID != info.Tiki.SellerID {
			t.Errorf("the app sells for %q in %s: %v", a.SellerID, app.dialect, err)
		}
	}
	if o, err := c.AnyAppOrder(t.Context(), "67328847745515542"); err != nil || o.Order.MerchantID != info.Tiki.MerchantID || o.Order.CustomerID != info.Tiki.CustomerID {
		t.Errorf("the sample's order: %+v %v", o.Order, err)
	}
	for owner, want := range map[string]string{p.MerchantID: p.IPNSecretKey, p.Platform.PlatformID: p.Platform.IPNSecretKey} {
		if got, err := c.NotifySecret(t.Context(), owner, "paykit"); err != nil || got != want || got == "" {
			t.Errorf("IPN secret of %s: %q, want %q, %v", owner, got, want, err)
		}
	}
	for owner, mid := range map[string]string{p.MerchantID: p.MID, p.Platform.MerchantID: p.Platform.MID} {
		if f, err := c.ProfileByPublicID(t.Context(), "paykit", mid); err != nil || f.MerchantID != owner {
			t.Errorf("mid %s is %s's: %v", mid, f.MerchantID, err)
		}
	}
	if _, err := c.CheckAdminToken(t.Context(), info.AdminToken); err != nil {
		t.Errorf("admin token: %v", err)
	}
	if f, err := c.Feed(t.Context(), "sandbox"); err != nil || f.Kind != "generic" || !f.Enabled {
		t.Errorf("feed %+v: %v", f, err)
	}
	a := info.AppotaPay
	if m, secret, err := c.SigningKey(t.Context(), "appotapay", a.APIKey); err != nil || m.ID != a.MerchantID || secret != a.SecretKey {
		t.Errorf("AppotaPay's key is %s's: %v", m.ID, err)
	}
	if terminal, err := c.AuthenticateTerminal(t.Context(), a.DeviceKey); err != nil || terminal.PublicID != a.TerminalID || terminal.MerchantID != a.MerchantID {
		t.Errorf("the device key is %s's: %v", terminal.PublicID, err)
	}
	if a.BaseURL != info.BaseURL || a.TerminalURL != info.BaseURL+"/sandbox/terminal/"+a.TerminalID {
		t.Errorf("AppotaPay is at %s, its terminal at %s", a.BaseURL, a.TerminalURL)
	}
	if p.BaseURL != info.BaseURL+"/v2" {
		t.Errorf("Paykit is at %s", p.BaseURL)
	}
}

func seeded(t *testing.T, c *core.Core, base string) sandbox.Info {
	t.Helper()
	info, err := sandbox.Seed(t.Context(), c, base)
	if err != nil {
		t.Fatal(err)
	}
	works(t, c, info)
	return info
}

func TestSeedTwiceIsSeedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, _ := newCore(t, s, clock.NewSandbox(0), demoBase)
		first := seeded(t, c, demoBase)
		if second := seeded(t, c, demoBase); !reflect.DeepEqual(second, first) {
			t.Errorf("%+v, then %+v", first, second)
		}
		merchants, err := c.Merchants(t.Context(), "", 0)
		if err != nil || len(merchants) != 7 {
			t.Errorf("%d merchants, %v", len(merchants), err)
		}
		for owner, want := range map[string]payment.Recognition{
			first.Paykit.MerchantID: payment.ByMemo, first.Paykit.Platform.MerchantID: payment.ByVirtualAccount,
		} {
			accounts, err := c.ReceivingAccounts(t.Context(), owner)
			if err != nil || len(accounts) != 1 || accounts[0].Recognise != want {
				t.Errorf("accounts %+v, %v", accounts, err)
			}
		}
		tokens, err := c.AdminTokens(t.Context())
		if err != nil || len(tokens) != 1 {
			t.Errorf("%d tokens, %v", len(tokens), err)
		}
	})
}

func TestSeedMendsWhatStoppedWorking(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, _ := newCore(t, s, clock.NewSandbox(0), demoBase)
		first := seeded(t, c, demoBase)
		rotated, err := c.RotateKeys(t.Context(), operator, first.Paykit.MerchantID, "paykit", 0)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := c.RotateNotifySecret(t.Context(), operator, first.Paykit.Platform.PlatformID, "paykit")
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := c.AdminTokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.RevokeAdminToken(t.Context(), operator, tokens[0].ID); err != nil {
			t.Fatal(err)
		}

		second := seeded(t, c, demoBase)
		if second.Paykit.APIKey == first.Paykit.APIKey || second.AdminToken == first.AdminToken {
			t.Error("what stopped working was kept")
		}
		if second.Paykit.MID != first.Paykit.MID || second.Paykit.Platform.PlatformAPIKey != first.Paykit.Platform.PlatformAPIKey {
			t.Error("what worked was replaced")
		}
		if second.Paykit.Platform.IPNSecretKey != secret.NotifySecret {
			t.Error("the new IPN secret is not told")
		}
		// The keys that somebody else made stay good.
		if _, err := c.Authenticate(t.Context(), "paykit", rotated.Key, rotated.Secret); err != nil {
			t.Error(err)
		}
		if third := seeded(t, c, demoBase); !reflect.DeepEqual(third, second) {
			t.Errorf("%+v, then %+v", second, third)
		}
	})
}

func TestSeedFollowsTheAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, _ := newCore(t, s, clock.NewSandbox(0), demoBase)
		first := seeded(t, c, demoBase)
		mine := "https://shop.example.test/ipn"
		_, err := c.ChangeMerchant(t.Context(), operator, first.Paykit.MerchantID, core.MerchantChange{
			Profiles: map[string]core.ProfileChange{"paykit": {NotifyURL: &mine}},
		})
		if err != nil {
			t.Fatal(err)
		}
		const moved = "http://127.0.0.1:9999"
		seeded(t, c, moved)
		merchant, err := c.Profile(t.Context(), first.Paykit.MerchantID, "paykit")
		if err != nil || merchant.NotifyURL != mine {
			t.Errorf("somebody's address became %q, %v", merchant.NotifyURL, err)
		}
		platform, err := c.Profile(t.Context(), first.Paykit.Platform.PlatformID, "paykit")
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{platform.NotifyURL, platform.SuccessURL, platform.CancelURL} {
			if !strings.HasPrefix(address, moved+"/sandbox/") {
				t.Errorf("%q stayed", address)
			}
		}
	})
}

func TestSeedRefusesSpoiltCredentials(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, _ := newCore(t, s, clock.NewSandbox(0), demoBase)
		if err := c.PutSetting(t.Context(), "sandbox", "{"); err != nil {
			t.Fatal(err)
		}
		if _, err := sandbox.Seed(t.Context(), c, demoBase); err == nil {
			t.Error("no error")
		}
	})
}

// Both demo merchants have one connector to the sandbox's acquirer, whose
// address follows where it listens; a configuration of somebody else's stays.
func TestSeedConnectors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, _ := newCore(t, s, clock.NewSandbox(0), "http://127.0.0.1:1")
		first, err := sandbox.Seed(t.Context(), c, "http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		config := func(merchantID string) (conn payment.Connector, settings acquirer.Settings) {
			t.Helper()
			all, err := c.Connectors(t.Context(), merchantID)
			if err != nil || len(all) != 1 || all[0].Kind != acquirer.Kind {
				t.Fatalf("%+v, %v", all, err)
			}
			text, err := c.ConnectorConfig(all[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := (acquirer.Connector{}).CheckConfig(text); err != nil {
				t.Error(err)
			}
			if err := json.Unmarshal(text, &settings); err != nil {
				t.Fatal(err)
			}
			return all[0], settings
		}
		shop, _ := config(first.Paykit.MerchantID)
		own := []byte(`{"base_url":"http://127.0.0.1:9/x","merchant":"MINE","secret":"0123456789abcdef"}`)
		if _, err := c.ChangeConnector(t.Context(), operator, shop.ID, core.ConnectorChange{Config: &own}); err != nil {
			t.Fatal(err)
		}
		moved, err := sandbox.Seed(t.Context(), c, "http://127.0.0.1:2")
		if err != nil {
			t.Fatal(err)
		}
		if moved.Acquirer.Secret != first.Acquirer.Secret || moved.Acquirer.BaseURL != "http://127.0.0.1:2/sandbox/acquirer" {
			t.Errorf("%+v, was %+v", moved.Acquirer, first.Acquirer)
		}
		if _, settings := config(first.Paykit.MerchantID); settings.Merchant != "MINE" {
			t.Errorf("somebody's configuration was changed: %+v", settings)
		}
		if _, settings := config(first.Paykit.Platform.MerchantID); settings != moved.Acquirer {
			t.Errorf("%+v, want %+v", settings, moved.Acquirer)
		}
	})
}

// The documented fixtures are there, and what somebody has done with them stays.
func TestSeedBookings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, _ := newCore(t, s, clock.NewSandbox(0), demoBase)
		info := seeded(t, c, demoBase).TTDK
		owner, err := c.AuthenticateKey(t.Context(), "ttdk", "demo_partner_api_key")
		if err != nil || owner.Merchant.ID != info.MerchantID || info.APIKey != "demo_partner_api_key" || info.ClientID != "TESTCLIENT" {
			t.Errorf("%+v, %+v, %v", info, owner, err)
		}
		status := func(code string) string {
			s, err := c.FindOrderByCode(t.Context(), info.MerchantID, code)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !s.Order.CanceledAt.IsZero():
				return "canceled"
			case s.Payment != nil:
				return string(s.Payment.State)
			}
			return "new"
		}
		want := map[string]string{
			"99999": "new", "12345": "new", "TEST_ORDER_PARTNER_PENDING_001": "new", "TEST_ORDER_PARTNER_PAID_001": "approved", "TEST_ORDER_PARTNER_CANCELED_001": "canceled",
		}
		for code, is := range want {
			if got := status(code); got != is {
				t.Errorf("%s is %s, want %s", code, got, is)
			}
		}
		if _, err := c.CancelBooking(t.Context(), info.MerchantID, info.CustomerScheduleID, "thử"); err != nil {
			t.Fatal(err)
		}
		seeded(t, c, demoBase)
		if got := status("99999"); got != "canceled" {
			t.Errorf("after another start: %s", got)
		}
	})
}
