package admin

import (
	"strings"

	"github.com/thungan/thungan/payment"
)

type accountView struct {
	ReceivingAccountID string `json:"receiving_account_id"`
	MerchantID         string `json:"merchant_id"`
	BIN                string `json:"bin"`
	Number             string `json:"number"`
	Holder             string `json:"holder"`
	Recognise          string `json:"recognise"`
	Prefix             string `json:"prefix"`
	Enabled            bool   `json:"enabled"`
	CreatedAt          stamp  `json:"created_at"`
}

func showAccount(a payment.ReceivingAccount) accountView {
	return accountView{
		ReceivingAccountID: a.ID, MerchantID: a.MerchantID, BIN: a.BIN, Number: a.Number, Holder: a.Holder,
		Recognise: string(a.Recognise), Prefix: a.Prefix, Enabled: a.Enabled, CreatedAt: stamp(a.CreatedAt),
	}
}

// Limits of a receiving account's texts; core checks what is in them.
const (
	binDigits = 6
	maxNumber = 19
	maxHolder = 100
	maxPrefix = 19
)

func (a *API) addAccount(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("bin", "number", "holder", "recognise")
	bin, number, holder := o.text("bin", maxName), o.filled("number", maxNumber), o.filled("holder", maxHolder)
	recognise := o.choice("recognise", string(payment.ByMemo), string(payment.ByVirtualAccount))
	prefix, enabled := o.text("prefix", maxPrefix), o.flag("enabled")
	if bin != nil && (len(*bin) != binDigits || strings.Trim(*bin, "0123456789") != "") {
		o.complain("bin", "has to be the bank's six digits, such as 970436")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showAccount)(a.core.AddReceivingAccount(c.ctx(), c.by, payment.ReceivingAccount{
		MerchantID: m.ID, BIN: *bin, Number: *number, Holder: *holder,
		Recognise: payment.Recognition(*recognise), Prefix: or(prefix, ""), Enabled: or(enabled, true),
	}))
}

func (a *API) accounts(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	found, err := a.core.ReceivingAccounts(c.ctx(), m.ID)
	if err != nil {
		return nil, err
	}
	return cutPage(found, page, func(a payment.ReceivingAccount) string { return a.ID }, showAccount)
}

type accountStateView struct {
	ReceivingAccountID string `json:"receiving_account_id"`
	Enabled            bool   `json:"enabled"`
}

func (a *API) changeAccount(c *call) (any, error) {
	id, err := c.pathID("receiving_account_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("enabled")
	enabled := o.flag("enabled")
	if err := o.err(); err != nil {
		return nil, err
	}
	if err := a.core.EnableReceivingAccount(c.ctx(), c.by, id, *enabled); err != nil {
		return nil, err
	}
	return accountStateView{ReceivingAccountID: id, Enabled: *enabled}, nil
}
