package acquirer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// Kind is the connector's name in payment.Connector.Kind.
const Kind = "sandbox"

// Settings is the connector's configuration.
type Settings struct {
	BaseURL  string `json:"base_url"` // of the acquirer's API, such as http://127.0.0.1:8080/sandbox/acquirer
	Merchant string `json:"merchant"` // 1 to 32 letters, digits, dashes and underscores
	Secret   string `json:"secret"`   // 16 to 128 characters
}

// Connector reaches the imitation over HTTP, as it would a real acquirer.
type Connector struct{}

var (
	_ card.Connector = Connector{}
	_ card.Refunder  = Connector{}
)

// Kind is "sandbox".
func (Connector) Kind() string { return Kind }

// Methods is every way that leads over an acquirer.
func (Connector) Methods() []payment.Method {
	return []payment.Method{payment.DomesticCard, payment.InternationalCard, payment.MoMo, payment.ZaloPay, payment.VNPayQR}
}

var merchantForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// CheckConfig reads the configuration and says what is wrong with it.
func (Connector) CheckConfig(config []byte) error {
	_, err := settings(config)
	return err
}

func settings(config []byte) (Settings, error) {
	var s Settings
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	bad := func(text string) (Settings, error) {
		return Settings{}, payment.Fail(payment.CodeInvalidRequest, "sandbox connector: "+text)
	}
	if err := d.Decode(&s); err != nil {
		return bad("the configuration has to be a JSON object of base_url, merchant and secret: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("there is something after the configuration")
	}
	u, err := url.Parse(s.BaseURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return bad("base_url has to be an http or https address without user, query and fragment")
	case strings.HasSuffix(s.BaseURL, "/"):
		return bad("base_url must not end in a slash")
	case !merchantForm.MatchString(s.Merchant):
		return bad("merchant has to be 1 to 32 letters, digits, dashes and underscores")
	case len(s.Secret) < 16 || len(s.Secret) > 128:
		return bad("secret has to have 16 to 128 characters")
	}
	return s, nil
}

// Reference is the attempt's ID.
func (Connector) Reference(a payment.Attempt) string { return a.ID }

// refusal is the acquirer's word that it has not done what it was asked for.
type refusal struct{ problem, text string }

func (r *refusal) Error() string { return "sandbox acquirer: " + r.problem + ": " + r.text }

// refusedUnsigned are the statuses that say, even without a signature, that
// nothing was taken in: nobody there, or nobody who knows us.
var refusedUnsigned = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed}

// call makes one call of the API. A *refusal has the acquirer's word; an error
// that wraps card.ErrUncertain means that it may have acted.
func call(ctx context.Context, d card.Dealing, path, name string, message func(Settings) any) (word, error) {
	s, err := settings(d.Config)
	if err != nil {
		return word{}, err
	}
	body, err := seal(s.Secret, name, message(s))
	if err != nil {
		return word{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return word{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	status, answer, sent, err := d.HTTP.Do(r)
	switch {
	case err != nil && !sent:
		return word{}, err
	case err != nil:
		return word{}, fmt.Errorf("%w: %w", card.ErrUncertain, err)
	}
	var w word
	if err := unseal(secretOf(s), nameAnswer, answer, &w); err != nil {
		if slices.Contains(refusedUnsigned, status) {
			return word{}, &refusal{problemRefused, fmt.Sprintf("HTTP %d", status)}
		}
		return word{}, fmt.Errorf("%w: HTTP %d, %w", card.ErrUncertain, status, err)
	}
	if w.Problem != "" {
		return w, &refusal{w.Problem, w.Text}
	}
	if status != http.StatusOK {
		return w, fmt.Errorf("%w: HTTP %d", card.ErrUncertain, status)
	}
	return w, nil
}

// secretOf knows one merchant's secret.
func secretOf(s Settings) func(string) string {
	return func(merchant string) string {
		if merchant != s.Merchant {
			return ""
		}
		return s.Secret
	}
}

// Create asks for an order and its page.
func (Connector) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	a := o.Attempt
	if a.Amount <= 0 || a.Amount > maxAmount {
		return card.Created{}, payment.Fail(payment.CodeInvalidAmount, "the amount has to be above zero, of at most 13 digits")
	}
	w, err := call(ctx, d, "/orders", nameOrder, func(s Settings) any {
		return orderMessage{
			Merchant: s.Merchant, Name: tidy(o.Merchant, maxName), Reference: a.Reference, Amount: a.Amount, Currency: "VND", Method: a.Method,
			Description: tidy(o.Description, maxDescription), Language: o.Language, PayerIP: tidy(o.PayerIP, maxReference), ReturnURL: d.ReturnURL, NotifyURL: d.NotifyURL,
			ExpiresAt: clock.Millis(a.ExpiresAt), SentAt: clock.Millis(d.Now),
		}
	})
	if err != nil {
		return card.Created{}, err
	}
	if w.Reference != a.Reference || w.PayURL == "" {
		return card.Created{}, fmt.Errorf("%w: the answer is for another order", card.ErrUncertain)
	}
	return card.Created{Handoff: payment.Handoff{URL: w.PayURL, QR: w.QR}, ExternalID: w.OrderID}, nil
}

// tidy makes a text that the acquirer takes: UTF-8, without control characters,
// at most so many characters.
func tidy(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if r := []rune(s); len(r) > most {
		s = string(r[:most])
	}
	return strings.TrimSpace(s)
}

// VerifyReturn reads the sbx_ parameters.
func (Connector) VerifyReturn(d card.Dealing, m card.Message) (card.Report, error) {
	s, err := settings(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	q, err := m.Values()
	if err != nil {
		return card.Report{}, &payment.Error{Code: payment.CodeInvalidRequest, Text: "the parameters cannot be read", Cause: err}
	}
	if !auth.SameString(q.Get(returnSignature), sign(s.Secret, nameReturn, returnText(q))) {
		return card.Report{}, payment.Fail(payment.CodeUnauthorized, "the signature of the return is wrong")
	}
	amount, err := money.Parse(q.Get("sbx_amount"))
	if err != nil || q.Get("sbx_merchant") != s.Merchant {
		return card.Report{}, payment.Fail(payment.CodeInvalidRequest, "the return is not for this merchant, or has no amount")
	}
	return report(word{
		Merchant: q.Get("sbx_merchant"), Reference: q.Get("sbx_reference"), OrderID: q.Get("sbx_order"), Outcome: card.Outcome(q.Get("sbx_outcome")),
		Code: q.Get(ReturnCode), Text: q.Get(ReturnText), Amount: amount, Currency: q.Get("sbx_currency"),
	}), nil
}

// VerifyNotify reads a notice about an order or a refund.
func (Connector) VerifyNotify(d card.Dealing, m card.Message) (card.Report, error) {
	s, err := settings(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	var w word
	switch err := unseal(secretOf(s), nameNotice, m.Body, &w); {
	case errors.Is(err, errSignature):
		return card.Report{}, payment.Fail(payment.CodeUnauthorized, "the signature of the notice is wrong")
	case err != nil, w.Reference == "":
		return card.Report{}, payment.Fail(payment.CodeInvalidRequest, "the notice cannot be read")
	}
	return report(w), nil
}

// report is a word in the contract's terms. A word about a refund goes by the
// refund's id.
func report(w word) card.Report {
	r := card.Report{
		Outcome: w.Outcome, Reference: w.Reference, ExternalID: w.OrderID, Amount: w.Amount, Currency: w.Currency, Merchant: w.Merchant,
		Code: w.Code, Text: w.Text,
	}
	if w.RefundID != "" {
		r.OfRefund, r.Reference, r.ExternalID = true, w.RefundID, ""
		if w.Outcome == card.Failed && w.Code == CodeNoBalance {
			r.Reason = payment.CodeInsufficient
		}
	}
	switch w.Outcome {
	case card.Done, card.Failed, card.Pending, card.Unknown:
	default:
		r.Outcome, r.Text = card.Unknown, "an outcome that its documents do not have"
	}
	if w.At != 0 {
		r.At = clock.FromMillis(w.At)
	}
	return r
}

// acknowledgement is the answer to a notice.
type acknowledgement struct {
	Taken bool   `json:"taken"`
	Known bool   `json:"known,omitempty"` // it was here before
	Why   string `json:"why,omitempty"`
}

// Acknowledge answers {"taken": true}, or why not. The acquirer tries again
// after 503 only.
func (Connector) Acknowledge(told bool, err error) card.Answer {
	status, a := http.StatusOK, acknowledgement{Taken: true, Known: told}
	if err != nil {
		a = acknowledgement{Why: string(payment.CodeOf(err))}
		switch payment.CodeOf(err) {
		case payment.CodeUnauthorized:
			status = http.StatusUnauthorized
		case payment.CodeInvalidRequest:
			status = http.StatusBadRequest
		case payment.CodePaymentNotFound, payment.CodeRefundNotFound:
			status = http.StatusNotFound
		case payment.CodeInvalidAmount, payment.CodeConflict:
			status = http.StatusConflict
		default:
			status = http.StatusServiceUnavailable
		}
	}
	body, _ := json.Marshal(a) // it can always be encoded
	return card.Answer{Status: status, ContentType: "application/json; charset=utf-8", Body: body}
}

// Query asks what became of an order. One that the acquirer has never heard of
// has failed: nobody can pay it.
func (Connector) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	w, err := call(ctx, d, "/orders/query", nameOrderQuery, func(s Settings) any {
		return refundMessage{Merchant: s.Merchant, Reference: a.Reference, SentAt: clock.Millis(d.Now)}
	})
	var no *refusal
	switch {
	case errors.As(err, &no) && no.problem == problemOrder:
		return card.Report{Outcome: card.Failed, Reference: a.Reference, Code: no.problem, Text: "the acquirer does not have the order"}, nil
	case err != nil:
		return card.Report{}, err
	case w.Reference != a.Reference:
		return card.Report{}, errors.New("sandbox acquirer: the answer is for another order")
	}
	return report(w), nil
}

// Refund gives money back.
func (c Connector) Refund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	return c.refund(ctx, d, r, "/refunds", nameRefund)
}

// QueryRefund asks what became of a refund.
func (c Connector) QueryRefund(ctx context.Context, d card.Dealing, r card.Refund) (card.Report, error) {
	return c.refund(ctx, d, r, "/refunds/query", nameRefundQuery)
}

func (Connector) refund(ctx context.Context, d card.Dealing, r card.Refund, path, name string) (card.Report, error) {
	w, err := call(ctx, d, path, name, func(s Settings) any {
		return refundMessage{
			Merchant: s.Merchant, Reference: r.Attempt.Reference, RefundID: r.Refund.ID, Amount: r.Refund.Amount, Actor: r.Actor, SentAt: clock.Millis(d.Now),
		}
	})
	var no *refusal
	switch {
	case errors.As(err, &no) && slices.Contains(refundProblems, no.problem):
		return card.Report{Outcome: card.Failed, Reference: r.Refund.ID, Code: no.problem, Text: no.text}, nil
	case err != nil:
		return card.Report{}, err
	case w.RefundID != r.Refund.ID:
		return card.Report{}, errors.New("sandbox acquirer: the answer is for another refund")
	}
	return report(w), nil
}

// refundProblems are the refusals that end a refund; after the others, such as
// a wrong secret, the call may be made again.
var refundProblems = []string{problemOrder, problemRefund, problemNotPaid, problemTooMuch, problemDuplicate}

// Repeatable is true: a refund is known by its id.
func (Connector) Repeatable() bool { return true }
