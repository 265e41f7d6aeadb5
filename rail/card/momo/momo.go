package momo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// Limits of a payment from the wallet, in đồng, and of its description.
//
// Source: developers.momo.vn/v3/docs/payment/api/wallet/onetime.
const (
	minWallet = money.VND(1_000)
	maxWallet = money.VND(50_000_000)
	maxInfo   = 200 // characters
)

// requestTypes are the ways to pay.
var requestTypes = map[payment.Method]string{
	payment.MoMo:              "captureWallet",
	payment.DomesticCard:      "payWithATM",
	payment.InternationalCard: "payWithCC",
}

// Connector speaks to MoMo.
type Connector struct{}

var (
	_ card.Connector = Connector{}
	_ card.Refunder  = Connector{}
)

// Kind is "momo".
func (Connector) Kind() string { return "momo" }

// Methods are the wallet and both kinds of card.
func (Connector) Methods() []payment.Method {
	return []payment.Method{payment.MoMo, payment.DomesticCard, payment.InternationalCard}
}

// CheckConfig wants environment, partner_code, access_key and secret_key, and
// perhaps base_url.
func (Connector) CheckConfig(text []byte) error {
	_, err := parseConfig(text)
	return wire.Invalid(err)
}

// Reference is the attempt's ID. MoMo takes letters, digits and "-_." in
// between, 50 at most.
func (Connector) Reference(a payment.Attempt) string { return a.ID }

type createRequest struct {
	PartnerCode string `json:"partnerCode"`
	RequestID   string `json:"requestId"`
	Amount      int64  `json:"amount"`
	OrderID     string `json:"orderId"`
	OrderInfo   string `json:"orderInfo"`
	RedirectURL string `json:"redirectUrl"`
	IPNURL      string `json:"ipnUrl"`
	RequestType string `json:"requestType"`
	ExtraData   string `json:"extraData"`
	Lang        string `json:"lang"`
	Signature   string `json:"signature"`
}

// Create asks for a page at MoMo.
func (Connector) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Created{}, err
	}
	a := o.Attempt
	kind, ok := requestTypes[a.Method]
	if !ok {
		return card.Created{}, fmt.Errorf("MoMo has no way to pay by %s", a.Method)
	}
	if err := wire.CheckAmount(a.Amount); err != nil {
		return card.Created{}, err
	}
	if a.Method == payment.MoMo && (a.Amount < minWallet || a.Amount > maxWallet) {
		return card.Created{}, fmt.Errorf("the MoMo wallet pays from %s to %s đồng at once", minWallet.Grouped(), maxWallet.Grouped())
	}
	info := wire.Describe([]string{o.Description, o.Merchant}, maxInfo, '&', '=') // decision M2
	r := createRequest{
		PartnerCode: c.PartnerCode, RequestID: a.Reference, Amount: int64(a.Amount), OrderID: a.Reference, OrderInfo: info,
		RedirectURL: d.ReturnURL, IPNURL: d.NotifyURL, RequestType: kind, Lang: language(o.Language),
	}
	r.Signature = c.sign(createFields, func(name string) string {
		return map[string]string{
			"amount": a.Amount.String(), "extraData": r.ExtraData, "ipnUrl": r.IPNURL, "orderId": r.OrderID, "orderInfo": r.OrderInfo,
			"partnerCode": r.PartnerCode, "redirectUrl": r.RedirectURL, "requestId": r.RequestID, "requestType": r.RequestType,
		}[name]
	})
	answer, err := c.post(ctx, d, "/v2/gateway/api/create", r)
	if err != nil {
		return card.Created{}, err
	}
	code := answer.Number("resultCode")
	if err := answer.Err(); err != nil {
		return card.Created{}, wire.Uncertain("MoMo's answer: %v", err)
	}
	switch m := mean(code, answer.Text("message")); {
	case code == 0:
	case m.request || code == 98:
		return card.Created{}, fmt.Errorf("MoMo refused the order with code %d: %s", code, m.text)
	default:
		return card.Created{}, wire.Uncertain("MoMo answered with code %d: %s", code, m.text)
	}
	if answer.Raw("orderId") != r.OrderID || answer.Raw("requestId") != r.RequestID {
		return card.Created{}, wire.Uncertain("MoMo answered about another order")
	}
	h := payment.Handoff{URL: answer.Raw("payUrl")}
	if !wire.PageURL(h.URL, c.BaseURL) {
		return card.Created{}, wire.Uncertain("MoMo answered without a page to pay on")
	}
	if a.Method == payment.MoMo {
		h.QR = answer.Text("qrCodeUrl")
		if app, err := url.Parse(answer.Raw("deeplink")); err == nil && app.Scheme == "momo" {
			h.App = app.String()
		}
	}
	return card.Created{Handoff: h}, nil
}

func language(l string) string {
	if l == "en" {
		return "en"
	}
	return "vi"
}

// post makes a call.
func (c config) post(ctx context.Context, d card.Dealing, path string, body any) (*wire.Object, error) {
	return wire.Post(ctx, d.HTTP, "MoMo", c.BaseURL+path, "resultCode", body)
}

// VerifyReturn reads the query with which MoMo sends the payer back. It is
// signed as a notice is.
func (Connector) VerifyReturn(d card.Dealing, r card.Message) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	values, err := url.ParseQuery(r.Query)
	if err != nil {
		return card.Report{}, wire.Unreadable(errors.New("the query cannot be read"))
	}
	o, err := wire.Pairs(values)
	if err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	return c.result(o)
}

// VerifyNotify reads a notice (IPN), a JSON object.
//
// Source: developers.momo.vn/v3/docs/payment/api/result-handling/notification.
func (Connector) VerifyNotify(d card.Dealing, r card.Message) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	o, err := wire.Decode(r.Body)
	if err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	return c.result(o)
}

// result verifies and reads what a notice and a return say.
func (c config) result(o *wire.Object) (card.Report, error) {
	if err := c.verify(o); err != nil {
		return card.Report{}, err
	}
	r := report(o)
	r.Reference = o.ID("orderId")
	if err := o.Err(); err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	if r.Outcome == card.Done && r.ExternalID == "" {
		return card.Report{}, wire.Unreadable(errNoTransaction)
	}
	return r, nil
}

// report reads the fields that a result and the answer to a query share.
func report(o *wire.Object) card.Report {
	code := o.Number("resultCode")
	m := mean(code, o.Text("message"))
	r := card.Report{Outcome: m.outcome, ExternalID: transaction(o), Merchant: o.Text("partnerCode"), Code: codeText(code), Text: m.text}
	switch {
	case r.Outcome == card.Done:
		r.Amount, r.Currency, r.At = o.Paid("amount"), "VND", o.Millis("responseTime")
	case o.Has("amount"):
		r.Amount, r.Currency = o.Amount("amount"), "VND"
	}
	return r
}

// transaction is MoMo's id of a movement of money, "" for none.
func transaction(o *wire.Object) string {
	if !o.Has("transId") || o.Raw("transId") == "" {
		return ""
	}
	if n := o.Number("transId"); n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// Acknowledge is 204 for what was taken in and for what can only be repeated
// (decision M8).
func (Connector) Acknowledge(_ bool, err error) card.Answer {
	switch payment.CodeOf(err) {
	case "", payment.CodeInvalidAmount, payment.CodeConflict:
		return card.Answer{Status: http.StatusNoContent}
	case payment.CodeUnauthorized:
		return card.Answer{Status: http.StatusUnauthorized}
	case payment.CodeInvalidRequest:
		return card.Answer{Status: http.StatusBadRequest}
	case payment.CodePaymentNotFound:
		return card.Answer{Status: http.StatusNotFound}
	}
	return card.Answer{Status: http.StatusServiceUnavailable}
}

type queryRequest struct {
	PartnerCode string `json:"partnerCode"`
	RequestID   string `json:"requestId"`
	OrderID     string `json:"orderId"`
	Lang        string `json:"lang"`
	Signature   string `json:"signature"`
}

// query asks about a payment. The answer is not signed; it is MoMo's by TLS.
//
// Source: developers.momo.vn/v3/docs/payment/api/payment-api/query.
func (c config) query(ctx context.Context, d card.Dealing, reference string) (*wire.Object, error) {
	r := queryRequest{PartnerCode: c.PartnerCode, RequestID: fmt.Sprintf("%s-%d", reference, d.Now.UnixMilli()), OrderID: reference, Lang: "en"}
	r.Signature = c.sign(queryFields, func(name string) string {
		return map[string]string{"orderId": r.OrderID, "partnerCode": r.PartnerCode, "requestId": r.RequestID}[name]
	})
	o, err := c.post(ctx, d, "/v2/gateway/api/query", r)
	if err != nil {
		return nil, err
	}
	code := o.Number("resultCode")
	if err := o.Err(); err != nil {
		return nil, fmt.Errorf("MoMo's answer: %w", err)
	}
	if m := mean(code, o.Text("message")); (m.request || m.known) && code != notFound {
		return nil, fmt.Errorf("MoMo refused to answer with code %d: %s", code, m.text)
	}
	if code != notFound && (o.Raw("orderId") != reference || o.Raw("partnerCode") != c.PartnerCode) {
		return nil, errors.New("MoMo answered about another order")
	}
	return o, nil
}

// Query asks what became of a payment.
func (Connector) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	o, err := c.query(ctx, d, a.Reference)
	if err != nil {
		return card.Report{}, err
	}
	if code := o.Number("resultCode"); code == notFound {
		r := card.Report{Outcome: card.Unknown, Reference: a.Reference, Code: codeText(code), Text: mean(code, "").text + ", though the payer was sent there"}
		if !a.Sent() {
			r.Outcome, r.Text = card.Failed, mean(code, "").text
		}
		return r, nil
	}
	r := report(o)
	r.Reference = a.Reference
	if err := o.Err(); err != nil {
		return card.Report{}, fmt.Errorf("MoMo's answer: %w", err)
	}
	if r.Outcome == card.Done && r.ExternalID == "" {
		return card.Report{}, errNoTransaction
	}
	return r, nil
}
