package vnpay

import (
	"context"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// Connector is VNPAY's. It is a card.Refunder too.
type Connector struct{}

var (
	_ card.Connector = Connector{}
	_ card.Refunder  = Connector{}
)

const (
	version   = "2.1.0"
	currency  = "VND"
	layout    = "20060102150405" // of every time, GMT+7
	maxInfo   = 255              // characters of vnp_OrderInfo
	maxReturn = 255              // characters of vnp_ReturnUrl

	// maxAmount is the largest amount in đồng: vnp_Amount has 12 digits and
	// counts hundredths.
	maxAmount = money.VND(9_999_999_999)
)

// groups are the vnp_BankCode that takes the payer to the right page at once.
var groups = map[payment.Method]string{
	payment.DomesticCard:      "VNBANK",
	payment.InternationalCard: "INTCARD",
	payment.VNPayQR:           "VNPAYQR",
}

// Kind is "vnpay".
func (Connector) Kind() string { return "vnpay" }

// Methods are both kinds of cards, and VNPAYQR.
func (Connector) Methods() []payment.Method {
	return []payment.Method{payment.DomesticCard, payment.InternationalCard, payment.VNPayQR}
}

// Reference is the attempt's ID without hyphens. VNPAY takes 100 characters and
// wants them to be unique within a day.
func (Connector) Reference(a payment.Attempt) string { return strings.ReplaceAll(a.ID, "-", "") }

// Create signs the address of VNPAY's page. VNPAY is not asked: it has the order
// when the payer arrives.
func (Connector) Create(_ context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Created{}, err
	}
	a := o.Attempt
	group, ok := groups[a.Method]
	switch {
	case !ok:
		return card.Created{}, payment.Fail(payment.CodeMethodNotSupported, "VNPAY does not take "+string(a.Method))
	case a.Amount <= 0 || a.Amount > maxAmount:
		return card.Created{}, payment.Fail(payment.CodeInvalidAmount, "VNPAY takes amounts from 1 to "+maxAmount.String())
	case d.ReturnURL == "" || len(d.ReturnURL) > maxReturn || strings.ContainsAny(d.ReturnURL, "~*"):
		// Encoders differ on ~ and *.
		return card.Created{}, payment.Fail(payment.CodeInvalidRequest, "VNPAY does not take the gateway's return address")
	}
	parameters := map[string]string{
		"vnp_Version":    version,
		"vnp_Command":    "pay",
		"vnp_TmnCode":    c.TmnCode,
		"vnp_Amount":     hundredths(a.Amount),
		"vnp_CurrCode":   currency,
		"vnp_BankCode":   group,
		"vnp_CreateDate": vietnamTime(a.CreatedAt),
		"vnp_IpAddr":     wire.PayerIP(o.PayerIP),
		"vnp_Locale":     wire.Locale(o.Language),
		"vnp_OrderInfo":  orderInfo(o.Description, a.Reference),
		"vnp_OrderType":  c.OrderType,
		"vnp_ReturnUrl":  d.ReturnURL,
		"vnp_TxnRef":     a.Reference,
	}
	if !a.ExpiresAt.IsZero() {
		parameters["vnp_ExpireDate"] = vietnamTime(a.ExpiresAt)
	}
	separator := "?"
	if strings.Contains(c.PayURL, "?") {
		separator = "&"
	}
	return card.Created{Handoff: payment.Handoff{URL: c.PayURL + separator + c.query(parameters)}}, nil
}

// hundredths writes an amount as vnp_Amount.
func hundredths(v money.VND) string { return v.String() + "00" }

func vietnamTime(t time.Time) string { return t.In(clock.Vietnam).Format(layout) }

// fromVietnamTime is the zero time for what is none.
func fromVietnamTime(text string) time.Time {
	return wire.Moment(time.ParseInLocation(layout, text, clock.Vietnam))
}

// orderInfo is the description without marks or special characters.
func orderInfo(description, reference string) string {
	if text := wire.Plain(description, maxInfo); text != "" {
		return text
	}
	return "Thanh toan " + reference
}
