package appotapay

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// Name is the dialect's name in rows, URLs of the admin API and logs.
const Name = "appotapay"

// Dialect is how the rest of the gateway tells AppotaPay partners of outcomes.
type Dialect struct{}

var (
	_ dialect.Dialect = Dialect{}
	_ dialect.Signing = Dialect{}
)

// Name is "appotapay".
func (Dialect) Name() string { return Name }

// SignsNotices says that the secret key that signs tokens and bodies signs
// IPNs too.
func (Dialect) SignsNotices() bool { return true }

// Owes says that every final status is told (A20).
func (Dialect) Owes(ev payment.Event) bool { return ev.From != ev.To && ev.To.Closed() }

// Notice forms an IPN: what it tells as base64 of JSON, and the HMAC of that
// text. Nothing in it is secret.
func (Dialect) Notice(n dialect.Notice) (dialect.Request, error) {
	if n.Secret == "" {
		return dialect.Request{}, dialect.ErrNoSecret
	}
	p := n.Payment
	told := statusOf(p.State, payment.ReasonOf(n.Event))
	t := noticeTransaction{
		TransactionID: transactionID(p.ID), OrderID: orderID(p.ID), PartnerRefID: p.Reference, OrderInfo: p.Description,
		Status: told.status, Amount: p.Amount, PaymentMethod: methodToWire(offered(p)), CreatedAt: local(p.CreatedAt), PaidAt: local(p.CompletedAt),
	}
	t.BankCode, t.BankType = bankOf(p, n.Sale)
	if told.status != statusSuccess {
		t.ErrorCode, t.ErrorMessage = told.code, messages[told.code].in(p.Language)
	}
	text, err := httpx.EncodeJSON(notice{Transaction: t, Version: noticeVersion, Time: local(n.Event.At)})
	if err != nil {
		return dialect.Request{}, err
	}
	data := base64.StdEncoding.EncodeToString(text)
	body, err := httpx.EncodeJSON(envelope{Data: data, Signature: hex.EncodeToString(digest(n.Secret, []byte(data)))})
	return dialect.Request{Headers: map[string]string{"Content-Type": "application/json"}, Body: body}, err
}

// Accepted takes HTTP 200 with {"status":"ok"} (A22).
func (Dialect) Accepted(status int, body []byte) bool {
	var answer struct {
		Status string `json:"status"`
	}
	return status == http.StatusOK && json.Unmarshal(body, &answer) == nil && strings.EqualFold(answer.Status, "ok")
}

// The schedule after a failed attempt (A22).
const (
	retries   = 3
	retryWait = 5 * time.Minute
)

// Retry returns five minutes, three times.
func (Dialect) Retry(tries int) (time.Duration, bool) {
	if tries < 1 || tries > retries {
		return 0, false
	}
	return retryWait, true
}

// Return is nowhere: customers pay at the till, not on a page of ours.
func (Dialect) Return(payment.Payment, payment.Profile) string { return "" }
