package appotapay

import (
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
)

// Limits of create (source 1), in characters.
const (
	maxReference = 26
	maxOrderInfo = 100
	maxTerminal  = 20
	maxPhone     = 20
	minAmount    = money.VND(10_000)
)

// maxLimit is the most rows of a page (A23).
const maxLimit = 200

// timeLayout is how every time is sent: Vietnam's, to the second, without an
// offset (A15).
const timeLayout = "2006-01-02T15:04:05"

// local is a moment as it is sent; the zero time is "".
type local time.Time

func (l local) MarshalJSON() ([]byte, error) {
	t := time.Time(l)
	if t.IsZero() {
		return []byte(`""`), nil
	}
	return []byte(t.In(clock.Vietnam).Format(`"` + timeLayout + `"`)), nil
}

// The values of payment_method.
const (
	methodPOS = "POS"
	methodQR  = "QR"
)

// The values of status.
const (
	statusPending    = "pending"
	statusProcessing = "processing"
	statusSuccess    = "success"
	statusError      = "error"
	statusVoid       = "void"
)

// qrType is the one value of payment_info.qr_type.
const qrType = "VIETQR"

// errorBody is every answer whose HTTP status is not 200.
type errorBody struct {
	ErrorCode    string `json:"error_code"`
	ErrorMessage string `json:"error_message"`
}

// createResponse answers orders/payment/create.
type createResponse struct {
	Transaction transaction  `json:"transaction"`
	PaymentInfo *paymentInfo `json:"payment_info,omitempty"` // QR only
}

// transaction is what create shows.
type transaction struct {
	TransactionID string    `json:"transaction_id"` // ULID
	PartnerRefID  string    `json:"partner_ref_id"`
	Status        string    `json:"status"`
	Amount        money.VND `json:"amount"`
	ErrorCode     string    `json:"error_code"`
	ErrorMessage  string    `json:"error_message"`
	PaymentMethod string    `json:"payment_method"`
	CreatedAt     local     `json:"created_at"`
	PaidAt        local     `json:"paid_at"`
}

// paymentInfo is the code that the customer scans.
type paymentInfo struct {
	QRContent string `json:"qr_content"` // EMVCo text
	QRURL     string `json:"qr_url"`
	QRType    string `json:"qr_type"`
}

// detail answers orders/transaction/{partner_ref_id}.
type detail struct {
	OrderID       string    `json:"order_id"` // decimal digits, above 2^53
	TransactionID string    `json:"transaction_id"`
	PartnerRefID  string    `json:"partner_ref_id,omitempty"` // in lists only
	PaymentMethod string    `json:"payment_method"`
	Amount        money.VND `json:"amount"`
	Status        string    `json:"status"`
	ErrorCode     string    `json:"error_code"`
	ErrorMessage  string    `json:"error_message"`
	CreatedAt     local     `json:"created_at"`
	PaidAt        local     `json:"paid_at"`
	IsSett        bool      `json:"is_sett"`
	UpdatedAt     local     `json:"updated_at"`
}

// listResponse answers orders/transactions.
type listResponse struct {
	Transactions []detail   `json:"transactions"`
	Pagination   pagination `json:"pagination"`
}

type pagination struct {
	Limit      int   `json:"limit"`
	Page       int   `json:"page"`
	Total      int64 `json:"total"`       // pages
	TotalItems int64 `json:"total_items"` // rows
}

// envelope is the body of an IPN.
type envelope struct {
	Data      string `json:"data"`      // standard base64 of a notice
	Signature string `json:"signature"` // HMAC-SHA256 of Data, lower case hexadecimal
}

// notice is what an IPN tells.
type notice struct {
	Transaction noticeTransaction `json:"transaction"`
	Version     string            `json:"version"`
	Time        local             `json:"time"` // when it came to be so
}

type noticeTransaction struct {
	TransactionID string    `json:"transaction_id"`
	OrderID       string    `json:"order_id"`
	PartnerRefID  string    `json:"partner_ref_id"`
	OrderInfo     string    `json:"order_info"`
	Status        string    `json:"status"`
	Amount        money.VND `json:"amount"`
	BankCode      string    `json:"bank_code"`
	BankType      string    `json:"bank_type"`
	ErrorCode     string    `json:"error_code,omitempty"`    // unless success
	ErrorMessage  string    `json:"error_message,omitempty"` // unless success
	PaymentMethod string    `json:"payment_method"`
	CreatedAt     local     `json:"created_at"`
	PaidAt        local     `json:"paid_at"`
}

// noticeVersion is the version of an IPN (A20).
const noticeVersion = "1.0"
