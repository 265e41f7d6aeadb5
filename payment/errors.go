package payment

import "errors"

// Code says what went wrong in one word that a dialect maps to its own.
type Code string

// The codes. Each dialect's codes.go has a row for every one of Codes.
const (
	CodeUnauthorized       Code = "unauthorized"         // no, unknown or wrong credentials
	CodeDuplicateReference Code = "duplicate_reference"  // the merchant used this reference before
	CodeMethodNotSupported Code = "method_not_supported" // the merchant cannot take this method, or not do this with it
	CodeInvalidAmount      Code = "invalid_amount"
	CodeInvalidDueTime     Code = "invalid_due_time"
	CodeTotalLimit         Code = "total_limit"
	CodeMerchantLocked     Code = "merchant_locked"
	CodeMerchantClosed     Code = "merchant_closed"
	CodePlatformLocked     Code = "platform_locked"
	CodePlatformClosed     Code = "platform_closed"
	CodePaymentNotFound    Code = "payment_not_found"
	CodeRefundNotFound     Code = "refund_not_found"
	CodeInsufficient       Code = "insufficient_balance" // the merchant's balance does not cover a refund
	CodeNotFound           Code = "not_found"            // anything else that was asked for and is not there
	CodeInvalidState       Code = "invalid_state"        // the state table has no such move
	CodeInvalidRequest     Code = "invalid_request"
	CodeTerminalUnusable   Code = "terminal_unusable" // unknown, locked, or another merchant's
	CodeTerminalBusy       Code = "terminal_busy"     // it has a card sale under way
	CodeSettleFirst        Code = "settle_first"      // its batch has to be settled before it takes more
	CodeConflict           Code = "conflict"          // somebody else changed it first, or it exists already
	CodeBusy               Code = "busy"              // too much at once; nothing was done, try again
	CodeInternal           Code = "internal"          // our fault; the cause is logged
)

// Codes lists every code, for the total tables of the dialects.
var Codes = []Code{
	CodeUnauthorized, CodeDuplicateReference, CodeMethodNotSupported, CodeInvalidAmount, CodeInvalidDueTime, CodeTotalLimit,
	CodeMerchantLocked, CodeMerchantClosed, CodePlatformLocked, CodePlatformClosed, CodePaymentNotFound, CodeRefundNotFound, CodeInsufficient,
	CodeNotFound, CodeInvalidState, CodeInvalidRequest, CodeConflict, CodeBusy, CodeInternal,
	CodeTerminalUnusable, CodeTerminalBusy, CodeSettleFirst,
}

// States lists every state, for the same use.
var States = []State{Open, Processing, Approved, Denied, Canceled, Expired, Voided}

// Error is the one error vocabulary: a code for programs, a text that is safe
// to show to whoever asked, and the cause for the log.
type Error struct {
	Code  Code
	Text  string
	Field string // what of a request is at fault, in core's words ("description"), "" when it is no single field
	Cause error
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns err's code, CodeInternal for an error that has none, and ""
// for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Fail makes an Error of a code and a text.
func Fail(code Code, text string) *Error { return &Error{Code: code, Text: text} }
