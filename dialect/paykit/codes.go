package paykit

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/thungan/thungan/payment"
)

// status is how a payment's state is told: status, result, and whether the
// payer goes back to success_url or to cancel_url.
type status struct {
	status  string
	result  string // "" unless CLOSED
	success bool
}

// statuses has a row for every one of payment.States.
var statuses = map[payment.State]status{
	payment.Open:       {status: statusOpen},
	payment.Processing: {status: statusProcessing},
	payment.Approved:   {status: statusClosed, result: outcomeApproved, success: true},
	payment.Denied:     {status: statusClosed, result: outcomeDenied},
	payment.Canceled:   {status: statusClosed, result: outcomeCanceled},
	payment.Expired:    {status: statusClosed, result: outcomeExpired},
	payment.Voided:     {status: statusClosed, result: outcomeCanceled}, // P19
}

// methodFromWire has a row for every payment.Method.
var methodFromWire = map[string]payment.Method{
	methodDomesticCard:      payment.DomesticCard,
	methodInternationalCard: payment.InternationalCard,
	methodBankTransfer:      payment.BankTransfer,
}

var methodToWire = inverse(methodFromWire)

// The words that requests may use.
var (
	methodNames = slices.Sorted(maps.Keys(methodFromWire))
	currencies  = []string{currencyVND}
	languages   = []string{"vi", "en"} // source 3; undocumented
)

func inverse(m map[string]payment.Method) map[payment.Method]string {
	out := map[payment.Method]string{}
	for name, method := range m {
		out[method] = name
	}
	return out
}

// refundOutcome is how a refund's state is told: status and result of the
// refund, and result and gateway_code of the refund call that ended so.
type refundOutcome struct {
	status      string
	result      string // "" unless CLOSED
	answer      string
	gatewayCode string
}

// refundOutcomes has a row for every payment.RefundState.
var refundOutcomes = map[payment.RefundState]refundOutcome{
	payment.RefundProcessing: {status: statusProcessing, answer: resultPending, gatewayCode: codePending},
	payment.RefundApproved:   {status: statusClosed, result: outcomeApproved, answer: resultSuccess, gatewayCode: codeApproved},
	payment.RefundDenied:     {status: statusClosed, result: outcomeDenied, answer: resultFailure, gatewayCode: codeUnspecifiedFailure},
}

// refusal is how a failed call is answered: FAILURE with a gateway code, or
// ERROR with a cause.
type refusal struct {
	gatewayCode string
	cause       string
}

// refusals has a row for every one of payment.Codes.
var refusals = map[payment.Code]refusal{
	payment.CodeUnauthorized:       {cause: causeRequestRejected},
	payment.CodeDuplicateReference: {gatewayCode: codeDuplicatePaymentID},
	payment.CodeMethodNotSupported: {gatewayCode: codeMethodNotSupported},
	payment.CodeInvalidAmount:      {gatewayCode: codeInvalidAmount},
	payment.CodeInvalidDueTime:     {gatewayCode: codeInvalidDueTime},
	payment.CodeTotalLimit:         {gatewayCode: codeTotalLimit},
	payment.CodeMerchantLocked:     {gatewayCode: codeMerchantLocked},
	payment.CodeMerchantClosed:     {gatewayCode: codeMerchantClosed},
	payment.CodePlatformLocked:     {gatewayCode: codePlatformLocked},
	payment.CodePlatformClosed:     {gatewayCode: codePlatformClosed},
	payment.CodePaymentNotFound:    {gatewayCode: codePaymentNotFound},
	payment.CodeRefundNotFound:     {gatewayCode: codeRefundNotFound},
	payment.CodeInsufficient:       {gatewayCode: codeInsufficient},
	payment.CodeInvalidState:       {gatewayCode: codeInvalidPayment},
	payment.CodeNotFound:           {cause: causeServerFailed}, // no call asks for anything else
	payment.CodeInvalidRequest:     {cause: causeInvalidRequest},
	payment.CodeConflict:           {cause: causeServerBusy},
	payment.CodeBusy:               {cause: causeServerBusy},
	payment.CodeInternal:           {cause: causeServerFailed},
	payment.CodeTerminalUnusable:   {cause: causeServerFailed}, // no call names a terminal
	payment.CodeTerminalBusy:       {cause: causeServerFailed},
	payment.CodeSettleFirst:        {cause: causeServerFailed},
}

// wireFields are the places of core's fields in a request, by operation.
var wireFields = map[string]map[string][]string{
	opCheckout: {
		"reference": {"payment", "id"}, "description": {"payment", "description"}, "language": {"payment", "display_language"},
		"success_url": {"payment", "success_url"}, "cancel_url": {"payment", "cancel_url"}, "notify_url": {"payment", "ipn_url"},
	},
	opRefund: {"refund reference": {"refund_id"}},
}

// fieldOf tells of a field that core refused, in its place.
func fieldOf(op string, err error) fieldErrors {
	e, ok := errors.AsType[*payment.Error](err)
	if !ok || e.Field == "" {
		return fieldErrors{nonFieldErrors: []string{safeText(err)}}
	}
	path, known := wireFields[op][e.Field]
	if !known {
		return fieldErrors{nonFieldErrors: []string{safeText(err)}}
	}
	var what any = []string{"This field " + strings.TrimPrefix(e.Text, e.Field+" ") + "."}
	for _, name := range slices.Backward(path[1:]) {
		what = fieldErrors{name: what}
	}
	return fieldErrors{path[0]: what}
}

// accountCodes are the refusals that checkout and refund share.
var accountCodes = []string{codeMerchantLocked, codeMerchantClosed, codePlatformLocked, codePlatformClosed}

// pages lists the gateway codes that we may answer, by operation, out of those
// that its page documents (P25).
var pages = map[string][]string{
	opCheckout: append([]string{codeApproved, codeDuplicatePaymentID, codeMethodNotSupported,
		codeInvalidAmount, codeInvalidDueTime, codeTotalLimit}, accountCodes...),
	opRefund: append([]string{codeApproved, codePending, codeDuplicateRefundID, codePaymentNotFound,
		codeInvalidPayment, codeInvalidAmount, codeMethodNotSupported, codeInsufficient, codeUnspecifiedFailure}, accountCodes...),
	opRetrievePayment: {codeApproved, codePaymentNotFound},
	opRetrieveRefund:  {codeApproved, codePaymentNotFound, codeRefundNotFound},
}

// refusalOf says how op answers a failure with code. A gateway code that op's
// page does not know is a fault of ours.
func refusalOf(op string, code payment.Code) refusal {
	r, ok := refusals[code]
	if op == opRefund && code == payment.CodeDuplicateReference {
		r.gatewayCode = codeDuplicateRefundID
	}
	if !ok || (r.gatewayCode != "" && !slices.Contains(pages[op], r.gatewayCode)) {
		return refusal{cause: causeServerFailed}
	}
	return r
}

// ErrorStatus says which HTTP status goes with result ERROR from the four
// operations. No source tells; the plugin reads a body only at 200 (P4).
// Unknown paths, wrong methods and oversized bodies are no operations: they are
// 404, 405 and 413 always.
type ErrorStatus string

// The settings of ErrorStatus.
const (
	ErrorStatusDefault ErrorStatus = ""     // INVALID_REQUEST 200, the others as below
	ErrorStatusHTTP    ErrorStatus = "http" // INVALID_REQUEST 400, REQUEST_REJECTED 401 or 429, SERVER_BUSY 503, SERVER_FAILED 500
	ErrorStatusOK      ErrorStatus = "ok"   // 200 always
)

// causeStatus has a row for every error.cause.
var causeStatus = map[string]int{
	causeInvalidRequest:  http.StatusBadRequest,
	causeRequestRejected: http.StatusUnauthorized,
	causeServerBusy:      http.StatusServiceUnavailable,
	causeServerFailed:    http.StatusInternalServerError,
}

// of returns the status to send for a cause that plainly would be plain.
func (s ErrorStatus) of(cause string, plain int) int {
	if s == ErrorStatusOK || (s == ErrorStatusDefault && cause == causeInvalidRequest) {
		return http.StatusOK
	}
	return plain
}
