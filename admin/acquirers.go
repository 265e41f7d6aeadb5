package admin

import (
	"context"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// Acquirers knows the acquirers that can be connected to, and asks them:
// acquiring.Service.
type Acquirers interface {
	// Kinds lists what can be connected to, with the methods of each.
	Kinds() map[string][]payment.Method

	// Check says what is wrong with a connector that is about to be kept; a nil
	// config is left as it is.
	Check(kind string, methods []payment.Method, config []byte) error

	// NotifyURL is the address for a connector's notices.
	NotifyURL(connectorID string) string

	// Recheck and RecheckRefund ask an acquirer now.
	Recheck(ctx context.Context, attemptID string) (core.Hearing, error)
	RecheckRefund(ctx context.Context, refundID string) (core.Hearing, error)
}

// noAcquirers is a gateway that can connect to none.
type noAcquirers struct{}

var errNoAcquirers = payment.Fail(payment.CodeInvalidRequest, "this gateway can connect to no acquirer")

func (noAcquirers) Kinds() map[string][]payment.Method           { return nil }
func (noAcquirers) Check(string, []payment.Method, []byte) error { return errNoAcquirers }
func (noAcquirers) NotifyURL(string) string                      { return "" }
func (noAcquirers) Recheck(context.Context, string) (core.Hearing, error) {
	return core.Hearing{}, errNoAcquirers
}
func (noAcquirers) RecheckRefund(context.Context, string) (core.Hearing, error) {
	return core.Hearing{}, errNoAcquirers
}

// hearingView is what came of asking an acquirer.
type hearingView struct {
	Asked bool       `json:"asked"`
	Heard *heardView `json:"heard"` // null when nothing was learned
	Fault string     `json:"fault"`
}

type heardView struct {
	Outcome    string    `json:"outcome"`
	ExternalID string    `json:"external_id"`
	Amount     money.VND `json:"amount"`
	Code       string    `json:"code"`
	Text       string    `json:"text"`
}

func showHearing(h core.Hearing) hearingView {
	v := hearingView{Asked: h.Asked, Fault: h.Fault}
	if h.Outcome != "" {
		v.Heard = &heardView{Outcome: h.Outcome, ExternalID: h.ExternalID, Amount: h.Amount, Code: h.Code, Text: h.Text}
	}
	return v
}
