package zalopay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// Limits of an order.
//
// Source: docs.zalopay.vn/docs/specs/order-create.
const (
	maxDescription = 256 // characters
	minExpiry      = 300 * time.Second
	maxExpiry      = 2_592_000 * time.Second
)

// preferred are the ways to pay that ZaloPay's page then offers, with an empty
// bank_code.
//
// Source: docs.zalopay.vn/en/v2/docs/gateway/guide.html.
var preferred = map[payment.Method][]string{
	payment.ZaloPay:           {"zalopay_wallet"},
	payment.DomesticCard:      {"domestic_card", "account"},
	payment.InternationalCard: {"international_card"},
}

// Connector speaks to ZaloPay.
type Connector struct{}

var (
	_ card.Connector = Connector{}
	_ card.Refunder  = Connector{}
)

// Kind is "zalopay".
func (Connector) Kind() string { return "zalopay" }

// Methods are the wallet and both kinds of card.
func (Connector) Methods() []payment.Method {
	return []payment.Method{payment.ZaloPay, payment.DomesticCard, payment.InternationalCard}
}

// CheckConfig wants environment, app_id (the digits as text), key1 and key2,
// and perhaps base_url.
func (Connector) CheckConfig(text []byte) error {
	_, err := parseConfig(text)
	return wire.Invalid(err)
}

// day is yymmdd in Vietnam, which ZaloPay's ids begin with.
func day(t time.Time) string { return t.In(clock.Vietnam).Format("060102") }

// Reference is an app_trans_id, 33 of the 40 characters that ZaloPay takes
// (decision Z1).
func (Connector) Reference(a payment.Attempt) string {
	return day(a.CreatedAt) + "_" + wire.ShortID(a.ID)
}

type createRequest struct {
	AppID       int64  `json:"app_id"`
	AppUser     string `json:"app_user"`
	AppTransID  string `json:"app_trans_id"`
	AppTime     int64  `json:"app_time"`
	Amount      int64  `json:"amount"`
	Item        string `json:"item"`
	Description string `json:"description"`
	EmbedData   string `json:"embed_data"`
	BankCode    string `json:"bank_code"`
	CallbackURL string `json:"callback_url"`
	Expiry      int64  `json:"expire_duration_seconds"`
	MAC         string `json:"mac"`
}

// embedData is embed_data, JSON within a text.
type embedData struct {
	RedirectURL string   `json:"redirecturl"`
	Preferred   []string `json:"preferred_payment_method"`
}

// appUser stands for the payer, whom ZaloPay does not have to know.
const appUser = "thungan"

// Create asks for a page at ZaloPay.
func (Connector) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Created{}, err
	}
	a := o.Attempt
	ways, ok := preferred[a.Method]
	if !ok {
		return card.Created{}, fmt.Errorf("ZaloPay has no way to pay by %s", a.Method)
	}
	if err := wire.CheckAmount(a.Amount); err != nil {
		return card.Created{}, err
	}
	embed, err := wire.JSON(embedData{d.ReturnURL, ways})
	if err != nil {
		return card.Created{}, err
	}
	expiry := min(max(a.ExpiresAt.Sub(d.Now), minExpiry), maxExpiry)
	r := createRequest{
		AppID: c.appID(), AppUser: appUser, AppTransID: a.Reference, AppTime: d.Now.UnixMilli(), Amount: int64(a.Amount), Item: "[]",
		Description: wire.Describe([]string{o.Description, o.Merchant}, maxDescription), EmbedData: embed, CallbackURL: d.NotifyURL, Expiry: int64(expiry / time.Second),
	}
	r.MAC = mac(c.Key1, c.AppID, r.AppTransID, r.AppUser, a.Amount.String(), strconv.FormatInt(r.AppTime, 10), r.EmbedData, r.Item)
	answer, err := c.post(ctx, d, "/v2/create", r)
	if err != nil {
		return card.Created{}, err
	}
	s := read(answer, orderCodes)
	if err := answer.Err(); err != nil {
		return card.Created{}, wire.Uncertain("ZaloPay's answer: %v", err)
	}
	switch {
	case s.code == success:
	case s.request, s.code == fail && !s.open:
		return card.Created{}, fmt.Errorf("ZaloPay refused the order with code %s: %s", s.shown(), s.text)
	default:
		return card.Created{}, wire.Uncertain("ZaloPay answered with code %s: %s", s.shown(), s.text)
	}
	h := payment.Handoff{URL: answer.Raw("order_url")}
	if !wire.PageURL(h.URL, c.BaseURL) {
		return card.Created{}, wire.Uncertain("ZaloPay answered without a page to pay on")
	}
	if a.Method == payment.ZaloPay {
		h.QR = answer.Text("qr_code")
	}
	return card.Created{Handoff: h}, nil
}

// mac signs values in ZaloPay's way.
func mac(key string, values ...string) string { return wire.HMAC(key, strings.Join(values, "|")) }

// post makes a call.
func (c config) post(ctx context.Context, d card.Dealing, path string, body any) (*wire.Object, error) {
	return wire.Post(ctx, d.HTTP, "ZaloPay", c.BaseURL+path, "return_code", body)
}

// VerifyReturn reads the query with which ZaloPay sends the payer back
// (decision Z8). Its status is 1 for what was paid.
//
// Source: docs.zalopay.vn, gateway guide, "redirect".
func (k Connector) VerifyReturn(d card.Dealing, r card.Message) (card.Report, error) {
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
	var signed []string
	for _, name := range []string{"appid", "apptransid", "pmcid", "bankcode", "amount", "discountamount", "status"} {
		value := o.Raw(name)
		if strings.Contains(value, "|") {
			return card.Report{}, wire.Unauthorized("the signed text can be read in two ways")
		}
		signed = append(signed, value)
	}
	if !wire.Signed(c.Key2, strings.Join(signed, "|"), o.Raw("checksum")) {
		return card.Report{}, wire.Unauthorized("wrong checksum")
	}
	if o.Raw("appid") != c.AppID {
		return card.Report{}, wire.Unauthorized("the message is for another app_id")
	}
	code := o.Number("status")
	out := card.Report{Reference: o.ID("apptransid"), Amount: o.Amount("amount"), Currency: "VND", Merchant: c.AppID, Code: strconv.FormatInt(code, 10)}
	if err := o.Err(); err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	switch m, known := orderCodes[code]; {
	case code == success:
		out.Outcome, out.Text = card.Done, "paid"
	case known && !m.open && !m.request:
		out.Outcome, out.Text = card.Failed, m.text
	case known:
		out.Outcome, out.Text = card.Unknown, m.text
	default:
		out.Outcome, out.Text = card.Unknown, "a code that ZaloPay has not published"
	}
	return out, nil
}

// VerifyNotify reads a callback: ZaloPay has money (decisions Z2 and Z3).
//
// Source: docs.zalopay.vn/docs/specs/callback-api.
func (Connector) VerifyNotify(d card.Dealing, r card.Message) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	var envelope struct {
		Data *string `json:"data"`
		MAC  *string `json:"mac"`
	}
	if _, err := wire.Decode(r.Body); err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	if err := json.Unmarshal(r.Body, &envelope); err != nil || envelope.Data == nil || envelope.MAC == nil {
		return card.Report{}, wire.Unreadable(errors.New("data or mac is missing or no text"))
	}
	if !wire.Signed(c.Key2, *envelope.Data, *envelope.MAC) {
		return card.Report{}, wire.Unauthorized("wrong mac")
	}
	o, err := wire.Decode([]byte(*envelope.Data))
	if err != nil {
		return card.Report{}, wire.Unreadable(fmt.Errorf("data: %w", err))
	}
	if o.Raw("app_id") != c.AppID {
		return card.Report{}, wire.Unauthorized("the message is for another app_id")
	}
	out := card.Report{
		Outcome: card.Done, Reference: o.ID("app_trans_id"), ExternalID: transaction(o), Amount: o.Paid("amount"), Currency: "VND", Merchant: c.AppID,
		Code: "1", Text: "paid", At: o.Millis("server_time"),
	}
	if err := o.Err(); err != nil {
		return card.Report{}, wire.Unreadable(fmt.Errorf("data: %w", err))
	}
	if out.ExternalID == "" {
		return card.Report{}, wire.Unreadable(errNoTransaction)
	}
	return out, nil
}

var errNoTransaction = errors.New("paid, but without a zp_trans_id")

// transaction is ZaloPay's id of a movement of money, a number, "" for none.
func transaction(o *wire.Object) string {
	if !o.Has("zp_trans_id") {
		return ""
	}
	if n := o.Number("zp_trans_id"); n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// Acknowledge says what ZaloPay is to do (decision Z6).
//
// Source: zalopay-samples/quickstart-payment-gateway, pages/api/callback.
func (Connector) Acknowledge(told bool, err error) card.Answer {
	code, message := 0, "please call again"
	switch payment.CodeOf(err) {
	case "":
		code, message = 1, "success"
		if told {
			code, message = 2, "duplicate"
		}
	case payment.CodeUnauthorized:
		code, message = -1, "mac not equal"
	case payment.CodeInvalidRequest:
		code, message = -1, "invalid data"
	case payment.CodePaymentNotFound:
		code, message = -1, "order not found"
	case payment.CodeInvalidAmount:
		code, message = -1, "amount not equal"
	case payment.CodeConflict:
		code, message = -1, "conflict"
	}
	return card.Answer{
		Status: http.StatusOK, ContentType: "application/json; charset=utf-8",
		Body: fmt.Appendf(nil, `{"return_code":%d,"return_message":%q}`, code, message),
	}
}

type queryRequest struct {
	AppID      int64  `json:"app_id"`
	AppTransID string `json:"app_trans_id"`
	MAC        string `json:"mac"`
}

// Query asks what became of an order. The answer is not signed; it is
// ZaloPay's by TLS.
//
// Source: docs.zalopay.vn/docs/specs/order-query.
func (Connector) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	o, err := c.post(ctx, d, "/v2/query", queryRequest{c.appID(), a.Reference, mac(c.Key1, c.AppID, a.Reference, c.Key1)})
	if err != nil {
		return card.Report{}, err
	}
	s := read(o, orderCodes)
	if err := o.Err(); err != nil {
		return card.Report{}, fmt.Errorf("ZaloPay's answer: %w", err)
	}
	if s.code < 0 || s.code == fail && s.request {
		return card.Report{}, fmt.Errorf("ZaloPay refused to answer with code %s: %s", s.shown(), s.text)
	}
	out := card.Report{Outcome: s.outcome(), Reference: a.Reference, Merchant: c.AppID, Code: s.shown(), Text: s.text}
	switch {
	case s.code == success:
		out.Text, out.ExternalID, out.Amount, out.Currency = "paid", transaction(o), o.Paid("amount"), "VND"
		out.At = o.Millis("server_time")
		if err := o.Err(); err != nil {
			return card.Report{}, fmt.Errorf("ZaloPay's answer: %w", err)
		}
		if out.ExternalID == "" {
			return card.Report{}, errNoTransaction
		}
	case s.code == processing:
		out.Text = "not paid yet, or being processed"
	case o.Raw("is_processing") == "true":
		out.Outcome = card.Pending
	case s.sub == notThere || s.sub == noInfo:
		if a.Sent() {
			out.Outcome, out.Text = card.Unknown, s.text+", though the payer was sent there"
		}
	case s.sub == lowBalance && d.Now.Before(a.ExpiresAt):
		out.Outcome = card.Pending
	}
	return out, nil
}
