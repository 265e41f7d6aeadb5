package sandbox

import (
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

const (
	appotapay   = "appotapay" // the dialect
	inboxPOS    = "demo-pos"  // where the demo partner is told
	partnerCode = "DEMOPOS"
)

// posAccount is where QR sales of the demo partner are paid into. It is no
// account's number.
var posAccount = payment.ReceivingAccount{BIN: "970432", Number: "0000009876543", Holder: "QUAN OC DEMO", Recognise: payment.ByMemo, Enabled: true}

// appotaPay makes a partner of AppotaPay's POS protocol with a terminal.
func (s *seed) appotaPay() error {
	p := &s.info.AppotaPay
	if err := s.party(&p.MerchantID, core.NewMerchant{Name: "Quán Ốc Demo"}, posAccount); err != nil {
		return err
	}
	made, err := s.enrolled(core.Enrolment{MerchantID: p.MerchantID, Dialect: appotapay, PublicID: partnerCode, NotifyURL: inboxPath + inboxPOS}, p.APIKey, p.SecretKey)
	if err != nil {
		return err
	}
	p.BaseURL, p.PartnerCode, p.APIKey, p.SecretKey = s.base, made.PublicID, made.Key, made.Secret
	if err := s.counter(); err != nil {
		return err
	}
	p.TerminalURL = s.base + terminalPath + p.TerminalID
	return nil
}

// counter makes the partner's terminal when there is none, and a key for its
// device when the old one has ended.
func (s *seed) counter() error {
	p := &s.info.AppotaPay
	t, err := s.core.TerminalByPublicID(s.ctx, p.TerminalID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		if t, p.DeviceKey, err = s.core.AddTerminal(s.ctx, seeder, core.NewTerminal{MerchantID: p.MerchantID, Name: "Quầy 1"}); err == nil {
			p.TerminalID = t.PublicID
		}
	}
	if err != nil {
		return err
	}
	_, err = s.core.AuthenticateTerminal(s.ctx, p.DeviceKey)
	if payment.CodeOf(err) == payment.CodeUnauthorized {
		p.DeviceKey, err = s.core.AddTerminalKey(s.ctx, seeder, t.ID)
	}
	return err
}
