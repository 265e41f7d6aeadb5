package paykit

import (
	"time"

	"github.com/thungan/thungan/money"
)

// Limits of the wire (source 1 and 2).
const (
	maxID          = 50   // payment.id, payment_id, refund_id: characters
	maxDescription = 1023 // characters
	maxURL         = 255  // characters
	maxDigits      = 30   // of an amount
	maxPlaces      = 6    // of an amount, after the point
	currencyVND    = "VND"
)

// timeLayout is how every datetime is sent: UTC, exactly six digits, a literal
// Z. The plugin (source 3) can read nothing else.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// datetime is a moment as it is sent.
type datetime time.Time

func (d datetime) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(d).UTC().Format(`"` + timeLayout + `"`)), nil
}

// IsZero lets omitzero leave an absent datetime out.
func (d datetime) IsZero() bool { return time.Time(d).IsZero() }

// amount is an amount as it is sent: a JSON number with one decimal, 100000.0.
type amount money.VND

func (a amount) MarshalJSON() ([]byte, error) {
	return []byte(money.VND(a).String() + ".0"), nil
}

// The values of result.
const (
	resultSuccess = "SUCCESS"
	resultFailure = "FAILURE"
	resultPending = "PENDING"
	resultError   = "ERROR"
)

// The values of error.cause.
const (
	causeInvalidRequest  = "INVALID_REQUEST"
	causeRequestRejected = "REQUEST_REJECTED"
	causeServerBusy      = "SERVER_BUSY"
	causeServerFailed    = "SERVER_FAILED"
)

// The values of gateway_code that we answer.
const (
	codeApproved           = "APPROVED"
	codePending            = "PENDING"
	codeDuplicatePaymentID = "DUPLICATE_PAYMENT_ID"
	codeDuplicateRefundID  = "DUPLICATE_REFUND_ID"
	codeMethodNotSupported = "PAYMENT_METHOD_NOT_SUPPORTED"
	codeInvalidAmount      = "INVALID_AMOUNT"
	codeInvalidDueTime     = "INVALID_DUE_TIME"
	codeTotalLimit         = "PAYMENT_TOTAL_AMOUNT_LIMIT_EXCEED"
	codeMerchantLocked     = "MERCHANT_ACCOUNT_HAS_BEEN_LOCKED"
	codeMerchantClosed     = "MERCHANT_ACCOUNT_HAS_BEEN_CLOSED"
	codePlatformLocked     = "PLATFORM_HAS_BEEN_LOCKED"
	codePlatformClosed     = "PLATFORM_HAS_BEEN_CLOSED"
	codeInsufficient       = "INSUFFICIENT_BALANCE"
	codePaymentNotFound    = "PAYMENT_NOT_FOUND"
	codeRefundNotFound     = "REFUND_NOT_FOUND"
	codeInvalidPayment     = "INVALID_PAYMENT"
	codeUnspecifiedFailure = "UNSPECIFIED_FAILURE"
)

// The values of status and result of a payment or refund.
const (
	statusOpen       = "OPEN"
	statusProcessing = "PROCESSING"
	statusClosed     = "CLOSED"

	outcomeApproved = "APPROVED"
	outcomeDenied   = "DENIED"
	outcomeCanceled = "CANCELED"
	outcomeExpired  = "EXPIRED"
)

// The values of payment_method.
const (
	methodDomesticCard      = "DOMESTIC_CARD"
	methodInternationalCard = "INTERNATIONAL_CARD"
	methodBankTransfer      = "BANK_TRANSFER"
)

// The values of bank_transfer_payment.status.
const (
	accountActive   = "ACTIVE"
	accountInactive = "INACTIVE"
)

// nonFieldErrors is the key of errors that belong to no key.
const nonFieldErrors = "non_field_errors"

// envelope is what every answer has.
type envelope struct {
	ResponseAt  datetime     `json:"response_at"`
	Result      string       `json:"result"`
	GatewayCode string       `json:"gateway_code,omitempty"` // unless result is ERROR
	Error       *errorObject `json:"error,omitempty"`        // when result is ERROR
}

// errorObject says why a request was not processed.
type errorObject struct {
	Cause       string      `json:"cause"`
	Explanation string      `json:"explanation,omitempty"`  // REQUEST_REJECTED, SERVER_BUSY
	Field       fieldErrors `json:"field,omitempty"`        // INVALID_REQUEST
	SupportCode string      `json:"support_code,omitempty"` // SERVER_FAILED; 32 lower case hexadecimal digits
}

// checkoutResponse answers payment-page-checkout.
type checkoutResponse struct {
	envelope
	CheckoutURL  string              `json:"checkout_url"`
	Payment      paymentObject       `json:"payment"`
	BankTransfer *bankTransferObject `json:"bank_transfer_payment,omitempty"`
}

// retrievePaymentResponse answers retrieve-payment. Refunds is [] when there
// are none, the oldest first.
type retrievePaymentResponse struct {
	envelope
	Payment      paymentObject       `json:"payment"`
	Refunds      []refundObject      `json:"refunds"`
	BankTransfer *bankTransferObject `json:"bank_transfer_payment,omitempty"`
}

// refundResponse answers refund and retrieve-refund.
type refundResponse struct {
	envelope
	Payment paymentObject `json:"payment"`
	Refund  refundObject  `json:"refund"`
}

// paymentObject is the Payment of every answer and of the https IPN. Absent
// optionals are left out: null makes the plugin refuse an IPN.
type paymentObject struct {
	ID              string   `json:"id"`
	PaymentMethod   string   `json:"payment_method,omitempty"` // P18
	TotalAmount     amount   `json:"total_amount"`
	CapturedAmount  amount   `json:"captured_amount"`
	RefundedAmount  amount   `json:"refunded_amount"`
	RefundingAmount amount   `json:"refunding_amount"`
	Currency        string   `json:"currency"`
	Status          string   `json:"status"`
	Result          string   `json:"result,omitempty"` // when CLOSED
	DueTime         datetime `json:"due_time"`
	StartAt         datetime `json:"start_at"`
	CompletedAt     datetime `json:"completed_at,omitzero"` // when APPROVED
}

// refundObject is one refund transaction.
type refundObject struct {
	ID          string   `json:"id"`
	PaymentID   string   `json:"payment_id"`
	Amount      amount   `json:"amount"`
	Currency    string   `json:"currency"`
	Status      string   `json:"status"`           // PROCESSING or CLOSED, never OPEN
	Result      string   `json:"result,omitempty"` // when CLOSED: APPROVED or DENIED
	StartAt     datetime `json:"start_at"`
	CompletedAt datetime `json:"completed_at,omitzero"` // when APPROVED
}

// bankTransferObject goes with a payment whose method is BANK_TRANSFER.
type bankTransferObject struct {
	VietQRData string `json:"vietqr_data"` // the EMVCo text of the QR code, not a URL
	Status     string `json:"status"`      // ACTIVE while the account takes money for this payment
}

// fullNotice is the body of an IPN to an https address.
type fullNotice struct {
	RequestAt datetime      `json:"request_at"`
	MID       string        `json:"mid"`
	Payment   paymentObject `json:"payment"`
	Refund    *refundObject `json:"refund,omitempty"` // when the notice is of one
}

// thinNotice is the body of an IPN to an http address.
type thinNotice struct {
	RequestAt datetime `json:"request_at"`
	MID       string   `json:"mid"`
	PaymentID string   `json:"payment_id"`
	RefundID  string   `json:"refund_id,omitempty"` // when the notice is of one
}
