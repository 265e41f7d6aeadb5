package tiki

import (
	"errors"
	"net/http"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
)

// statuses has a row for every one of order.Stages.
var statuses = map[order.Stage]string{
	order.Draft:     statusDraft,
	order.Paying:    statusWaitingPayment,
	order.Verifying: statusWaitingVerification,
	order.Paid:      statusOnlinePaid, // T15
	order.InHand:    statusProcessing,
	order.OnItsWay:  statusOnDelivery,
	order.Completed: statusCompleted,
	order.Canceled:  statusCanceled,
}

// orderOf shows an order with its payment.
func orderOf(p core.PlacedOrder) orderObject {
	o := orderObject{
		ID: p.Order.ID, Extra: p.Order.Extra, Status: statuses[p.Stage()], GrandTotal: p.Order.Total, ReferenceID: p.Order.Reference,
	}
	if p.Order.Way != "" {
		o.TikiOrderID, o.TikiOrderCode = p.Order.ReceiptID, p.Order.ReceiptCode
	}
	return o
}

// refusal is how a failed call is answered.
type refusal struct {
	status  int // HTTP, and error.code (T1)
	reason  string
	message string
}

func (r refusal) Error() string { return r.message }

// The messages that several refusals share.
const (
	msgInvalid  = "invalid parameters"
	msgBusy     = "the server is busy; nothing was done, try again"
	msgInternal = "internal error"
)

// refusals has a row for every one of payment.Codes. An empty message is the
// error's own text.
var refusals = map[payment.Code]refusal{
	payment.CodeUnauthorized:       {status: http.StatusBadRequest, reason: reasonToken, message: "invalid access token"}, // see unauthorized
	payment.CodeDuplicateReference: {status: http.StatusBadRequest},
	payment.CodeMethodNotSupported: {status: http.StatusBadRequest},
	payment.CodeInvalidAmount:      {status: http.StatusBadRequest, message: msgInvalid},
	payment.CodeInvalidDueTime:     {status: http.StatusBadRequest, message: msgInvalid},
	payment.CodeTotalLimit:         {status: http.StatusBadRequest, reason: reasonLimit},
	payment.CodeMerchantLocked:     {status: http.StatusBadRequest, reason: reasonSeller, message: "the seller account is not valid"}, // T23
	payment.CodeMerchantClosed:     {status: http.StatusBadRequest, reason: reasonSeller, message: "the seller account is not valid"},
	payment.CodePlatformLocked:     {status: http.StatusBadRequest, reason: reasonSeller, message: "the seller account is not valid"},
	payment.CodePlatformClosed:     {status: http.StatusBadRequest, reason: reasonSeller, message: "the seller account is not valid"},
	payment.CodePaymentNotFound:    {status: http.StatusNotFound, message: "not found"},
	payment.CodeRefundNotFound:     {status: http.StatusNotFound, message: "not found"},
	payment.CodeInsufficient:       {status: http.StatusBadRequest},
	payment.CodeTerminalUnusable:   {status: http.StatusInternalServerError, message: msgInternal}, // no call names a terminal
	payment.CodeTerminalBusy:       {status: http.StatusInternalServerError, message: msgInternal},
	payment.CodeSettleFirst:        {status: http.StatusInternalServerError, message: msgInternal},
	payment.CodeNotFound:           {status: http.StatusNotFound, message: "not found"}, // T12
	payment.CodeInvalidState:       {status: http.StatusBadRequest},                     // T13
	payment.CodeInvalidRequest:     {status: http.StatusBadRequest, message: msgInvalid},
	payment.CodeConflict:           {status: http.StatusBadRequest},
	payment.CodeBusy:               {status: http.StatusServiceUnavailable, message: msgBusy},
	payment.CodeInternal:           {status: http.StatusInternalServerError, message: msgInternal},
}

// orderReasons has a row for every one of order.Refusals.
var orderReasons = map[error]string{
	order.ErrLimit:         reasonLimit,
	order.ErrSeller:        reasonSeller,
	order.ErrDuplicateItem: reasonDuplicateItem,
	order.ErrProduct:       reasonProduct,
	order.ErrForeign:       reasonItem,
}

// refusalOf says how a failed call is answered.
func refusalOf(err error) refusal {
	var own refusal
	if errors.As(err, &own) {
		return own
	}
	text := ""
	var coded *payment.Error
	if errors.As(err, &coded) {
		text = coded.Text
	}
	for why, reason := range orderReasons {
		if errors.Is(err, why) {
			return refusal{status: http.StatusBadRequest, reason: reason, message: text}
		}
	}
	r, ok := refusals[payment.CodeOf(err)]
	if !ok {
		r = refusals[payment.CodeInternal]
	}
	if r.message == "" {
		r.message = text
	}
	return r
}

// unauthorized gives a code or token that is not good the answer of its call.
func unauthorized(err error, reason, message string) error {
	if payment.CodeOf(err) == payment.CodeUnauthorized {
		return refusal{status: http.StatusBadRequest, reason: reason, message: message}
	}
	return err
}
