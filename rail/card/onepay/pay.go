package onepay

import (
	"context"
	"strings"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// Connector is OnePay's. It is no card.Refunder: OnePay publishes no way to
// refund but its portal.
type Connector struct{}

var _ card.Connector = Connector{}

const (
	version  = "2"
	currency = "VND"
	maxInfo  = 34  // characters of vpc_OrderInfo
	maxTitle = 64  // characters of Title
	maxURL   = 255 // characters of the addresses of ours

	// maxAmount is the largest amount in đồng: vpc_Amount has 12 digits and
	// counts hundredths.
	maxAmount = money.VND(9_999_999_999)
)

// Kind is "onepay".
func (Connector) Kind() string { return "onepay" }

// Methods are both kinds of cards. The payer chooses on OnePay's page, unless
// the configuration has lists of cards.
func (Connector) Methods() []payment.Method {
	return []payment.Method{payment.DomesticCard, payment.InternationalCard}
}

// Reference is the attempt's ID without hyphens; OnePay takes 40 characters.
func (Connector) Reference(a payment.Attempt) string { return strings.ReplaceAll(a.ID, "-", "") }

// Create signs the address of OnePay's page. OnePay is not asked: it has the
// order when the payer arrives.
func (Connector) Create(_ context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Created{}, err
	}
	a := o.Attempt
	list := c.DomesticList
	switch {
	case a.Method == payment.InternationalCard:
		list = c.InternationalList
	case a.Method != payment.DomesticCard:
		return card.Created{}, payment.Fail(payment.CodeMethodNotSupported, "OnePay does not take "+string(a.Method))
	}
	switch {
	case a.Amount <= 0 || a.Amount > maxAmount:
		return card.Created{}, payment.Fail(payment.CodeInvalidAmount, "OnePay takes amounts from 1 to "+maxAmount.String())
	case d.ReturnURL == "" || len(d.ReturnURL) > maxURL || len(d.NotifyURL) > maxURL || ambiguous(d.ReturnURL) || ambiguous(d.NotifyURL):
		return card.Created{}, payment.Fail(payment.CodeInvalidRequest, "OnePay does not take the gateway's own addresses")
	}
	title := wire.Plain(o.Merchant, maxTitle)
	if title == "" {
		title = "Thungan"
	}
	fields := map[string]string{
		"Title":           title,
		"AgainLink":       d.ReturnURL,
		"vpc_Version":     version,
		"vpc_Command":     "pay",
		"vpc_Merchant":    c.Merchant,
		"vpc_AccessCode":  c.AccessCode,
		"vpc_Amount":      a.Amount.String() + "00",
		"vpc_Currency":    currency,
		"vpc_CardList":    list,
		"vpc_Locale":      wire.Locale(o.Language),
		"vpc_MerchTxnRef": a.Reference,
		"vpc_OrderInfo":   orderInfo(o.Description, a.Reference),
		"vpc_ReturnURL":   d.ReturnURL,
		"vpc_CallbackURL": d.NotifyURL,
		"vpc_TicketNo":    wire.PayerIP(o.PayerIP),
	}
	separator := "?"
	if strings.Contains(c.PayURL, "?") {
		separator = "&"
	}
	return card.Created{Handoff: payment.Handoff{URL: c.PayURL + separator + c.form(fields)}}, nil
}

// orderInfo is the beginning of the description without marks or special
// characters.
func orderInfo(description, reference string) string {
	if text := wire.Plain(description, maxInfo); text != "" {
		return text
	}
	return reference
}
