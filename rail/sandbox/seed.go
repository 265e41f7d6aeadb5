package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
)

const (
	feedName = "sandbox" // of the feed that the payer's bank tells by
	feedKind = "generic" // our own signed webhook
	paykit   = "paykit"  // the dialect
	setting  = "sandbox" // where the plain credentials are kept, sealed

	// keyGrace is how long keys live on that somebody else has made since, when
	// new ones are made for sandbox.json.
	keyGrace = 30 * 24 * time.Hour
)

// seeder is who did it, in the audit log.
var seeder = core.Actor{Name: "thungan dev", Address: "127.0.0.1"}

// The demo accounts. Nobody should send real money to them: the first number
// is no account's, and the page says so.
var (
	memoAccount    = payment.ReceivingAccount{BIN: "970436", Number: "0000001234567", Holder: "CUA HANG DEMO", Recognise: payment.ByMemo, Enabled: true}
	virtualAccount = payment.ReceivingAccount{BIN: "970448", Number: "0000007654321", Holder: "GIAN HANG DEMO", Recognise: payment.ByVirtualAccount, Prefix: "DEMOVA", Enabled: true}
)

// Seed makes what a sandbox needs and does not have yet: a merchant paid by
// memo code, a platform with a merchant paid by virtual account, both in
// Paykit, a partner of the TTDK Partner API with what its documents' samples
// name, the bank feed "sandbox", a contract of all three with the sandbox's
// acquirer, and an admin token. On a database that has
// them it returns the same credentials as before; those that have stopped
// working are replaced. Addresses of ours that it registered follow baseURL,
// which has no trailing slash; addresses that somebody has changed stay.
func Seed(ctx context.Context, c *core.Core, baseURL string) (Info, error) {
	s := seed{core: c, ctx: ctx, base: baseURL}
	if err := s.load(); err != nil {
		return Info{}, err
	}
	steps := []func() error{s.merchant, s.platform, s.appotaPay, s.partner, s.tiki, s.feed, s.acquirer, s.token}
	for _, step := range steps {
		if err := step(); err != nil {
			return Info{}, err
		}
		// Kept after each step, so that an interrupted start makes nothing twice.
		s.info.BaseURL, s.info.Paykit.BaseURL, s.info.TTDK.BaseURL = baseURL, baseURL+"/v2", baseURL
		if err := s.save(); err != nil {
			return Info{}, err
		}
	}
	return s.info, nil
}

type seed struct {
	core *core.Core
	ctx  context.Context
	base string
	was  string // the base URL of the run before, "" at first
	info Info
}

func (s *seed) load() error {
	text, err := s.core.Setting(s.ctx, setting)
	if err != nil || text == "" {
		return err
	}
	if err := json.Unmarshal([]byte(text), &s.info); err != nil {
		return &payment.Error{Code: payment.CodeInternal, Text: "the sandbox's credentials cannot be read", Cause: err}
	}
	s.was = s.info.BaseURL
	return nil
}

func (s *seed) save() error {
	text, err := json.Marshal(s.info)
	if err != nil {
		return err
	}
	return s.core.PutSetting(s.ctx, setting, string(text))
}

func (s *seed) merchant() error {
	p := &s.info.Paykit
	if err := s.party(&p.MerchantID, core.NewMerchant{Name: "Cửa hàng Demo"}, memoAccount); err != nil {
		return err
	}
	made, err := s.enrolled(core.Enrolment{MerchantID: p.MerchantID, Dialect: paykit, NotifyURL: inboxPath + inboxMerchant}, p.APIKey, p.SecretKey)
	p.MID, p.APIKey, p.SecretKey, p.IPNSecretKey = made.PublicID, made.Key, made.Secret, made.NotifySecret
	return err
}

func (s *seed) platform() error {
	p := &s.info.Paykit.Platform
	if err := s.party(&p.PlatformID, core.NewMerchant{Name: "Sàn Demo", Kind: payment.KindPlatform}, payment.ReceivingAccount{}); err != nil {
		return err
	}
	if err := s.party(&p.MerchantID, core.NewMerchant{Name: "Gian hàng trên Sàn Demo"}, virtualAccount); err != nil {
		return err
	}
	made, err := s.enrolled(core.Enrolment{
		MerchantID: p.PlatformID, Dialect: paykit, NotifyURL: inboxPath + inboxPlatform,
		SuccessURL: returnPath + "?from=success_url", CancelURL: returnPath + "?from=cancel_url",
	}, p.PlatformAPIKey, p.PlatformSecretKey)
	if err != nil {
		return err
	}
	p.PlatformAPIKey, p.PlatformSecretKey, p.IPNSecretKey = made.Key, made.Secret, made.NotifySecret
	made, err = s.enrolled(core.Enrolment{MerchantID: p.MerchantID, Dialect: paykit}, p.MerchantAPIKey, p.MerchantSecretKey)
	p.MID, p.MerchantAPIKey, p.MerchantSecretKey = made.PublicID, made.Key, made.Secret
	return err
}

// party makes the merchant of an id when there is none, and its bank account
// when it has none and should.
func (s *seed) party(id *string, n core.NewMerchant, a payment.ReceivingAccount) error {
	_, err := s.core.Merchant(s.ctx, *id)
	if payment.CodeOf(err) == payment.CodeNotFound {
		var m payment.Merchant
		if m, err = s.core.AddMerchant(s.ctx, seeder, n); err == nil {
			*id = m.ID
			err = s.save() // before anything hangs on it
		}
	}
	if err != nil || a.BIN == "" {
		return err
	}
	accounts, err := s.core.ReceivingAccounts(s.ctx, *id)
	if err != nil || len(accounts) > 0 {
		return err
	}
	a.MerchantID = *id
	_, err = s.core.AddReceivingAccount(s.ctx, seeder, a)
	return err
}

// enrolled returns working credentials of a merchant: key and secret if they
// still work, else new ones. The addresses of e are paths of ours.
func (s *seed) enrolled(e core.Enrolment, key, secret string) (core.Credentials, error) {
	paths := e
	for _, address := range []*string{&e.NotifyURL, &e.SuccessURL, &e.CancelURL} {
		if *address != "" {
			*address = s.base + *address
		}
	}
	profile, err := s.core.Profile(s.ctx, e.MerchantID, e.Dialect)
	if payment.CodeOf(err) == payment.CodeNotFound {
		_, made, err := s.core.Enrol(s.ctx, seeder, e)
		return made, err
	}
	if err != nil {
		return core.Credentials{}, err
	}
	if err := s.follow(profile, paths, e); err != nil {
		return core.Credentials{}, err
	}
	made, err := s.keys(e, key, secret)
	if err != nil {
		return made, err
	}
	made.PublicID = profile.PublicID
	made.NotifySecret, err = s.core.NotifySecret(s.ctx, e.MerchantID, e.Dialect)
	return made, err
}

func (s *seed) keys(e core.Enrolment, key, secret string) (core.Credentials, error) {
	if e.Dialect == ttdk {
		return core.Credentials{Key: key}, nil // the key alone counts there; see partner
	}
	owner, err := s.core.Authenticate(s.ctx, e.Dialect, key, secret)
	switch {
	case err == nil && owner.ID == e.MerchantID:
		return core.Credentials{Key: key, Secret: secret}, nil
	case err == nil, payment.CodeOf(err) == payment.CodeUnauthorized:
		return s.core.RotateKeys(s.ctx, seeder, e.MerchantID, e.Dialect, keyGrace)
	}
	return core.Credentials{}, err
}

// follow moves the addresses that the run before registered to where this run
// listens. Others were set by somebody and stay.
func (s *seed) follow(is payment.Profile, paths, now core.Enrolment) error {
	var ch core.ProfileChange
	moved := false
	move := func(is, path, now string) *string {
		if path == "" || is != s.was+path || is == now {
			return nil
		}
		moved = true
		return &now
	}
	ch.NotifyURL = move(is.NotifyURL, paths.NotifyURL, now.NotifyURL)
	ch.SuccessURL = move(is.SuccessURL, paths.SuccessURL, now.SuccessURL)
	ch.CancelURL = move(is.CancelURL, paths.CancelURL, now.CancelURL)
	if !moved {
		return nil
	}
	_, err := s.core.ChangeMerchant(s.ctx, seeder, now.MerchantID, core.MerchantChange{Profiles: map[string]core.ProfileChange{now.Dialect: ch}})
	return err
}

func (s *seed) feed() error {
	_, err := s.core.Feed(s.ctx, feedName)
	if payment.CodeOf(err) != payment.CodeNotFound {
		return err
	}
	_, err = s.core.AddFeed(s.ctx, seeder, core.NewFeed{Name: feedName, Kind: feedKind, Secret: strings.ToLower(rand.Text())})
	return err
}

// acquirerMerchant is what the acquirer knows the demo merchants by.
const acquirerMerchant = "DEMO"

// acquirer gives the merchants a connector to the acquirer, unless they have
// one. Its address follows where this run listens.
func (s *seed) acquirer() error {
	a := &s.info.Acquirer
	if a.Secret == "" {
		a.Merchant, a.Secret = acquirerMerchant, rand.Text()
	}
	was := *a
	a.BaseURL = s.base + strings.TrimSuffix(acquirer.Path, "/")
	if err := s.save(); err != nil {
		return err
	}
	config, err := json.Marshal(a)
	if err != nil {
		return err
	}
	old, err := json.Marshal(was)
	if err != nil {
		return err
	}
	for _, merchantID := range []string{s.info.Paykit.MerchantID, s.info.Paykit.Platform.MerchantID, s.info.TTDK.MerchantID, s.info.Tiki.MerchantID} {
		if err := s.connector(merchantID, config, old); err != nil {
			return err
		}
	}
	return nil
}

func (s *seed) connector(merchantID string, config, old []byte) error {
	all, err := s.core.Connectors(s.ctx, merchantID)
	if err != nil {
		return err
	}
	for _, conn := range all {
		if conn.Kind != acquirer.Kind {
			continue
		}
		is, err := s.core.ConnectorConfig(conn)
		if err != nil || !bytes.Equal(is, old) || bytes.Equal(old, config) {
			return err // somebody else's, or right as it is
		}
		_, err = s.core.ChangeConnector(s.ctx, seeder, conn.ID, core.ConnectorChange{Config: &config})
		return err
	}
	_, err = s.core.AddConnector(s.ctx, seeder, core.NewConnector{
		MerchantID: merchantID, Kind: acquirer.Kind, Name: "Ngân hàng Mô Phỏng", Methods: acquirer.Connector{}.Methods(), Config: config, Priority: 100,
	})
	return err
}

func (s *seed) token() error {
	_, err := s.core.CheckAdminToken(s.ctx, s.info.AdminToken)
	if payment.CodeOf(err) != payment.CodeUnauthorized {
		return err
	}
	s.info.AdminToken, err = s.core.AddAdminToken(s.ctx, seeder, "sandbox")
	return err
}
