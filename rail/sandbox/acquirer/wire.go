package acquirer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// The names of messages, which their signatures cover.
const (
	nameOrder       = "order"
	nameOrderQuery  = "order-query"
	nameRefund      = "refund"
	nameRefundQuery = "refund-query"
	nameAnswer      = "answer"
	nameNotice      = "notice"
	nameReturn      = "return"
)

var (
	errForm      = errors.New("not an envelope with payload and signature")
	errSignature = errors.New("wrong signature")
)

type envelope struct {
	Payload   json.RawMessage `json:"payload"`
	Signature string          `json:"signature"`
}

func sign(secret, name string, payload []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(name + "."))
	mac.Write(payload)
	return hex.EncodeToString(mac.Sum(nil))
}

// seal signs a message. The payload's bytes stay as they are inside the
// envelope: the encoder compacts and escapes nothing that it has written itself.
func seal(secret, name string, message any) ([]byte, error) {
	payload, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{payload, sign(secret, name, payload)})
}

// unseal reads a message whose secret is known by the merchant that it names.
func unseal(secretOf func(merchant string) string, name string, text []byte, into any) error {
	var e envelope
	var from struct {
		Merchant string `json:"merchant"`
	}
	if json.Unmarshal(text, &e) != nil || len(e.Payload) == 0 || json.Unmarshal(e.Payload, &from) != nil {
		return errForm
	}
	secret := secretOf(from.Merchant)
	if secret == "" || !auth.SameString(e.Signature, sign(secret, name, e.Payload)) {
		return errSignature
	}
	if json.Unmarshal(e.Payload, into) != nil {
		return errForm
	}
	return nil
}

// orderMessage asks for an order. Times are milliseconds since 1970.
type orderMessage struct {
	Merchant    string         `json:"merchant"`
	Name        string         `json:"merchant_name"`
	Reference   string         `json:"reference"`
	Amount      money.VND      `json:"amount"`
	Currency    string         `json:"currency"`
	Method      payment.Method `json:"method"`
	Description string         `json:"description"`
	Language    string         `json:"language"`
	PayerIP     string         `json:"payer_ip"`
	ReturnURL   string         `json:"return_url"`
	NotifyURL   string         `json:"notify_url"`
	ExpiresAt   int64          `json:"expires_at"`
	SentAt      int64          `json:"sent_at"`
}

// refundMessage asks for a refund, and, with less of it, about an order or
// refund.
type refundMessage struct {
	Merchant  string    `json:"merchant"`
	Reference string    `json:"reference"`
	RefundID  string    `json:"refund_id,omitempty"`
	Amount    money.VND `json:"amount,omitempty"`
	Actor     string    `json:"actor,omitempty"`
	SentAt    int64     `json:"sent_at"`
}

// Why an API call is refused.
const (
	problemForm      = "bad_request"
	problemSignature = "bad_signature"
	problemOrder     = "unknown_order"
	problemRefund    = "unknown_refund"
	problemDuplicate = "duplicate"
	problemRefused   = "refused"
	problemNotPaid   = "not_paid"
	problemTooMuch   = "too_much"
)

// word is what the acquirer says: in an answer, in a notice, and, as
// parameters, at the payer's return.
type word struct {
	Merchant  string       `json:"merchant"`
	Reference string       `json:"reference"`
	OrderID   string       `json:"order_id,omitempty"`
	RefundID  string       `json:"refund_id,omitempty"` // in words about a refund
	Outcome   card.Outcome `json:"outcome,omitempty"`
	Result    Result       `json:"result,omitempty"`
	Code      string       `json:"code,omitempty"`
	Text      string       `json:"text,omitempty"`
	Amount    money.VND    `json:"amount,omitempty"`
	Currency  string       `json:"currency,omitempty"`
	At        int64        `json:"at,omitempty"` // when the money moved, milliseconds since 1970
	PayURL    string       `json:"pay_url,omitempty"`
	QR        string       `json:"qr,omitempty"`
	Problem   string       `json:"problem,omitempty"` // the call was refused
}

// The parameters of a return.
const (
	returnPrefix    = "sbx_"
	returnSignature = "sbx_signature"
	// ReturnResult is the parameter with the Result in one word.
	ReturnResult = "sbx_result"
	// ReturnCode and ReturnText are the code and what it means.
	ReturnCode = "sbx_code"
	ReturnText = "sbx_text"
)

// returnAddress is where the payer's browser goes back to.
func returnAddress(secret, to string, w word) (string, error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", err
	}
	q := u.Query()
	for name, value := range map[string]string{
		"sbx_merchant": w.Merchant, "sbx_reference": w.Reference, "sbx_order": w.OrderID, "sbx_outcome": string(w.Outcome), ReturnResult: string(w.Result),
		ReturnCode: w.Code, ReturnText: w.Text, "sbx_amount": w.Amount.String(), "sbx_currency": w.Currency,
	} {
		q.Set(name, value)
	}
	q.Set(returnSignature, sign(secret, nameReturn, returnText(q)))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// returnText is what the signature of a return covers.
func returnText(q url.Values) []byte {
	var names []string
	for name := range q {
		if strings.HasPrefix(name, returnPrefix) && name != returnSignature {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		for _, value := range q[name] {
			pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
		}
	}
	return []byte(strings.Join(pairs, "&"))
}
