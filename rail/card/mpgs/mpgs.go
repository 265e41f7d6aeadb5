package mpgs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// Limits, in characters (general knowledge of the REST API's reference).
const (
	maxDescription = 127
	maxName        = 40
)

// Times of decisions G5 and G6.
const (
	quiet = time.Minute      // a payer who tries another card does so within it, mostly
	grace = 30 * time.Minute // after an order's time is over, a payer may still be finishing
)

const (
	currency = "VND"
	success  = "SUCCESS"
	refused  = "ERROR"
)

// Connector speaks to the Mastercard Gateway.
type Connector struct{}

var (
	_ card.Connector = Connector{}
	_ card.Refunder  = Connector{}
)

// Kind is "mpgs".
func (Connector) Kind() string { return "mpgs" }

// Methods are both kinds of card. Whether an acquirer's contract has domestic
// ones is for the operator to know.
func (Connector) Methods() []payment.Method {
	return []payment.Method{payment.InternationalCard, payment.DomesticCard}
}

// CheckConfig wants environment, merchant_id, api_password and webhook_secret,
// and perhaps base_url.
func (Connector) CheckConfig(text []byte) error {
	_, err := parseConfig(text)
	return wire.Invalid(err)
}

// Reference is the attempt's ID, 36 of the 40 characters of an order's id.
func (Connector) Reference(a payment.Attempt) string { return a.ID }

type initiateCheckout struct {
	Operation   string      `json:"apiOperation"`
	Interaction interaction `json:"interaction"`
	Order       order       `json:"order"`
}

type interaction struct {
	Operation string   `json:"operation"`
	Merchant  merchant `json:"merchant"`
	ReturnURL string   `json:"returnUrl"`
	CancelURL string   `json:"cancelUrl"`
}

type merchant struct {
	Name string `json:"name"`
}

type order struct {
	ID              string `json:"id"`
	Amount          string `json:"amount"`
	Currency        string `json:"currency"`
	Description     string `json:"description"`
	NotificationURL string `json:"notificationUrl,omitempty"`
}

// Create opens a session for the gateway's page. Its script on our page is
// given the session (decision G10).
//
// Source: developer.mastercard.com/mastercard-gateway, establishing a session,
// implementing the hosted payment page.
func (Connector) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Created{}, err
	}
	a := o.Attempt
	if a.Method != payment.InternationalCard && a.Method != payment.DomesticCard {
		return card.Created{}, fmt.Errorf("the Mastercard Gateway has no way to pay by %s", a.Method)
	}
	if err := wire.CheckAmount(a.Amount); err != nil {
		return card.Created{}, err
	}
	name := wire.Text(o.Merchant, maxName)
	if name == "" {
		name = c.MerchantID
	}
	description := wire.Text(o.Description, maxDescription)
	if description == "" {
		description = name
	}
	q := initiateCheckout{
		Operation:   "INITIATE_CHECKOUT",
		Interaction: interaction{Operation: "PURCHASE", Merchant: merchant{name}, ReturnURL: d.ReturnURL, CancelURL: d.ReturnURL},
		Order:       order{ID: a.Reference, Amount: a.Amount.String(), Currency: currency, Description: description},
	}
	if strings.HasPrefix(d.NotifyURL, "https://") {
		q.Order.NotificationURL = d.NotifyURL // the gateway takes no other
	}
	called, err := wire.Call(ctx, d.HTTP, http.MethodPost, c.address("session"), c.header(), q)
	if err != nil {
		return card.Created{}, err
	}
	answer := called.Object
	if answer.Raw("result") == refused {
		r := readRefusal(called.Status, answer)
		if r.acted {
			return card.Created{}, wire.Uncertain("%s", r.text)
		}
		return card.Created{}, errors.New(r.text)
	}
	session := answer.Object("session").Raw("id")
	if err := answer.Err(); err != nil {
		return card.Created{}, wire.Uncertain("the gateway's answer: %v", err)
	}
	if answer.Raw("result") != success || called.Status >= 300 {
		return card.Created{}, wire.Uncertain("the gateway answered HTTP %d without success", called.Status)
	}
	if answer.Raw("merchant") != c.MerchantID {
		return card.Created{}, wire.Uncertain("the gateway answered about another merchant")
	}
	if session == "" || len(session) > 100 || strings.Trim(session, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return card.Created{}, wire.Uncertain("the gateway answered without a session")
	}
	return card.Created{Handoff: payment.Handoff{Script: c.BaseURL + "/static/checkout/checkout.min.js", Session: session}}, nil
}

// VerifyReturn believes nothing (decision G3).
func (Connector) VerifyReturn(d card.Dealing, r card.Message) (card.Report, error) {
	if _, err := parseConfig(d.Config); err != nil {
		return card.Report{}, err
	}
	if _, err := url.ParseQuery(r.Query); err != nil {
		return card.Report{}, wire.Unreadable(errors.New("the query cannot be read"))
	}
	return card.Report{Outcome: card.Pending, Text: "the payer is back; the gateway has to be asked"}, nil
}

// VerifyNotify reads a notice: the gateway's answer to retrieving a
// transaction. It is a hint (decision G2).
//
// Source: developer.mastercard.com/mastercard-gateway, gateway-features,
// webhook-noti.
func (Connector) VerifyNotify(d card.Dealing, r card.Message) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	secrets := r.Header.Values("X-Notification-Secret")
	if len(secrets) != 1 || !auth.SameString(secrets[0], c.WebhookSecret) {
		return card.Report{}, wire.Unauthorized("wrong notification secret")
	}
	o, err := wire.Decode(r.Body)
	if err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	if o.Raw("merchant") != c.MerchantID {
		return card.Report{}, wire.Unauthorized("the notice is for another merchant")
	}
	in, t, response := o.Object("order"), o.Object("transaction"), o.Object("response")
	out := card.Report{
		Outcome: card.Pending, Reference: in.ID("id"), Amount: in.Amount("amount"), Currency: in.Text("currency"), Merchant: c.MerchantID,
		Code: response.Text("gatewayCode"),
	}
	if t.Raw("type") == "REFUND" {
		out.OfRefund, out.Reference, out.Amount, out.Currency = true, t.ID("id"), t.Amount("amount"), t.Text("currency")
	}
	out.Text = "a notice; the gateway has to be asked"
	if out.Code != "" {
		out.Text += " (" + codeText(out.Code) + ")"
	}
	if err := o.Err(); err != nil {
		return card.Report{}, wire.Unreadable(err)
	}
	if len(out.Code) > 100 || len(out.Currency) > 3 {
		return card.Report{}, wire.Unreadable(errors.New("a code or currency is too long"))
	}
	return out, nil
}

// Acknowledge is 200 for what was taken in and for what can only be repeated: a
// refund that was made in the gateway's portal is none of ours.
func (Connector) Acknowledge(_ bool, err error) card.Answer {
	switch payment.CodeOf(err) {
	case "", payment.CodeInvalidAmount, payment.CodeConflict, payment.CodePaymentNotFound:
		return card.Answer{Status: http.StatusOK}
	case payment.CodeUnauthorized:
		return card.Answer{Status: http.StatusUnauthorized}
	case payment.CodeInvalidRequest:
		return card.Answer{Status: http.StatusBadRequest}
	}
	return card.Answer{Status: http.StatusServiceUnavailable}
}

// Query retrieves the order. The answer is not signed; it is the gateway's by
// TLS.
func (Connector) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	called, err := wire.Call(ctx, d.HTTP, http.MethodGet, c.address("order", a.Reference), c.header(), nil)
	if err != nil {
		return card.Report{}, err
	}
	o := called.Object
	out := card.Report{Reference: a.Reference, Merchant: c.MerchantID}
	if o.Raw("result") == refused {
		r := readRefusal(called.Status, o)
		if err := o.Err(); err != nil {
			return card.Report{}, fmt.Errorf("the gateway's answer: %w", err)
		}
		if !r.notThere(called.Status) {
			return card.Report{}, errors.New(r.text)
		}
		out.Outcome, out.Code, out.Text = card.Pending, r.cause, "the payer has not tried to pay"
		if !a.Sent() || timeIsOver(a, d.Now, grace) {
			out.Outcome = card.Failed // decision G6
		}
		return out, nil
	}
	if called.Status >= 300 {
		return card.Report{}, fmt.Errorf("the gateway answered HTTP %d", called.Status)
	}
	if o.Raw("id") != a.Reference || o.Raw("merchant") != c.MerchantID {
		return card.Report{}, errors.New("the gateway answered about another order or merchant")
	}
	out.Code = o.Text("status")
	status, ok := statuses[out.Code]
	if !ok {
		status = orderStatus{unclear, "a status that is not in our table: look in the gateway's portal"}
	}
	out.Text = status.text
	list := o.List("transaction")
	switch status.stage {
	case moved:
		out.Outcome, out.Amount, out.Currency = card.Done, o.Paid("totalCapturedAmount"), o.Text("currency")
		out.ExternalID, out.At = capture(a.Reference, list)
		if out.ExternalID == "" {
			o.Fail("it has captured money by no transaction")
		}
	case failed:
		out.Outcome = card.Pending
		since := moment(o, "lastUpdatedTime")
		if a.Left || since.IsZero() || !d.Now.Before(since.Add(quiet)) || timeIsOver(a, d.Now, 0) {
			out.Outcome = card.Failed // decision G5
		}
		if code := lastCode(list); code != "" {
			out.Code, out.Text = code, codeText(code)
		}
	case over:
		out.Outcome = card.Failed
	case waiting:
		out.Outcome = card.Pending
		if timeIsOver(a, d.Now, grace) {
			out.Outcome, out.Text = card.Failed, "the time is over; the last that was known: "+status.text
		}
	default:
		out.Outcome = card.Unknown
	}
	if err := o.Err(); err != nil {
		return card.Report{}, fmt.Errorf("the gateway's answer: %w", err)
	}
	if len(out.Code) > 100 || len(out.Currency) > 3 {
		return card.Report{}, errors.New("the gateway's answer has a code or currency that is too long")
	}
	return out, nil
}

func timeIsOver(a payment.Attempt, now time.Time, after time.Duration) bool {
	return !a.ExpiresAt.IsZero() && now.After(a.ExpiresAt.Add(after))
}

// capture finds the transaction that moved the money. Its id counts within the
// order only.
func capture(reference string, list []*wire.Object) (externalID string, at time.Time) {
	for _, t := range list {
		in := t.Object("transaction")
		kind := in.Raw("type")
		if (kind == "PAYMENT" || kind == "CAPTURE") && t.Raw("result") == success {
			return reference + "/" + in.ID("id"), moment(t, "timeOfRecord")
		}
	}
	return "", time.Time{}
}

// lastCode is why the last transaction that has a reason ended as it did.
func lastCode(list []*wire.Object) string {
	var code string
	var at time.Time
	for _, t := range list {
		this := t.Object("response").Text("gatewayCode")
		if when := moment(t, "timeOfRecord"); this != "" && !when.Before(at) {
			code, at = this, when
		}
	}
	return code
}

// moment reads a time as in RFC 3339, the zero time when there is none.
func moment(o *wire.Object, name string) time.Time {
	t, err := time.Parse(time.RFC3339, o.Raw(name))
	return wire.Moment(t, err)
}
