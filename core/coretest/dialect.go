package coretest

import (
	"encoding/json"
	"time"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
)

// Name is the test dialect's name.
const Name = "test"

// Dialect is a wire protocol without a wire: it tells merchants of every change
// of state in plain JSON.
type Dialect struct{}

// Name implements dialect.Dialect.
func (Dialect) Name() string { return Name }

// Owes is true for changes of state and for refunds.
func (Dialect) Owes(ev payment.Event) bool { return ev.From != ev.To || ev.RefundID != "" }

// Notice is the payment's reference, version, state and amount received.
func (Dialect) Notice(n dialect.Notice) (dialect.Request, error) {
	body, err := json.Marshal(map[string]any{
		"merchant": n.PublicID, "reference": n.Payment.Reference, "version": n.Payment.Version, "state": n.Payment.State, "received": n.Payment.Received,
	})
	return dialect.Request{Headers: map[string]string{"Content-Type": "application/json", "X-Request-Id": n.RequestID}, Body: body}, err
}

// Accepted is true for 200.
func (Dialect) Accepted(status int, _ []byte) bool { return status == 200 }

// Retry is three retries, a minute apart.
func (Dialect) Retry(tries int) (time.Duration, bool) { return time.Minute, tries <= 3 }

// Return is the payment's own address for how it ended.
func (Dialect) Return(p payment.Payment, _ payment.Profile) string {
	switch {
	case p.State == payment.Approved:
		return p.SuccessURL
	case p.State.Closed():
		return p.CancelURL
	}
	return ""
}

var _ dialect.Dialect = Dialect{}
