package tiki

import (
	"github.com/thungan/thungan/money"
)

// Limits of the wire. No source names any but the 100 of a list; the others are
// ours (T7).
const (
	maxIDs        = 100 // of a list
	maxItems      = 100
	maxText       = 255  // characters: names, ids, customer_info
	maxLongText   = 1000 // characters: extra, comment, values
	maxURL        = 2000 // characters
	maxSections   = 20
	maxFields     = 50
	maxImages     = 20
	maxQuantity   = 1_000_000
	maxScopes     = 20
	maxCodeLength = 200 // characters: codes and tokens
)

// The reasons of errors (source 2).
const (
	reasonSignature     = "invalid_signature"
	reasonCode          = "invalid_code"
	reasonToken         = "invalid_token"
	reasonLimit         = "ORDER_AMOUNT_LIMIT_EXCEEDED"
	reasonDuplicateItem = "DUPLICATE_ITEMS"
	reasonProduct       = "PRODUCT_NOT_FOUND"
	reasonSeller        = "SELLER_NOT_FOUND"
	reasonItem          = "INVALID_ITEM"
)

// The values of order.status (source 2).
const (
	statusDraft               = "draft"
	statusWaitingPayment      = "waiting_for_payment"
	statusWaitingVerification = "waiting_for_verification"
	statusOnlinePaid          = "online_paid"
	statusProcessing          = "processing"
	statusOnDelivery          = "on_delivery"
	statusCompleted           = "completed"
	statusCanceled            = "canceled"
)

// envelope is what every answer has. One of the two is null (T2).
type envelope struct {
	Data  any          `json:"data"`
	Error *errorObject `json:"error"`
}

// errorObject says why a request was not done.
type errorObject struct {
	Code     int               `json:"code"` // the HTTP status
	Message  string            `json:"message"`
	Reason   string            `json:"reason"`
	Metadata map[string]string `json:"metadata,omitempty"` // service_code, request_id, and bad fields (T7)
}

// serviceCode is the service_code of examples.
const serviceCode = "00002"

// orderObject is the Order of every answer and of the IPN.
type orderObject struct {
	ID            string    `json:"id"` // decimal, above 2^53
	Extra         string    `json:"extra"`
	Status        string    `json:"status"`
	GrandTotal    money.VND `json:"grand_total"`
	ReferenceID   string    `json:"reference_id"`
	TikiOrderID   string    `json:"tiki_order_id"`   // "" until paying has begun (T10)
	TikiOrderCode string    `json:"tiki_order_code"` // the same
}

type orderData struct {
	Order orderObject `json:"order"`
}

type ordersData struct {
	Orders []orderObject `json:"orders"`
}

// tokenData answers the exchange of a code; a refresh has no customer.
type tokenData struct {
	AccessToken  string          `json:"access_token"`
	ExpiresIn    int64           `json:"expires_in"` // seconds
	RefreshToken string          `json:"refresh_token,omitempty"`
	Scopes       []string        `json:"scopes"`
	TokenType    string          `json:"token_type"` // bearer
	Customer     *customerObject `json:"customer,omitempty"`
}

// customerObject: the id is a number here and a text in orders.
type customerObject struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type meData struct {
	CustomerID   int64    `json:"customer_id"`
	CustomerName string   `json:"customer_name"`
	Scopes       []string `json:"scopes"`
}

// productObject is ours (T24).
type productObject struct {
	SKU      string    `json:"sku"`
	Name     string    `json:"name"`
	Price    money.VND `json:"price"`
	ImageURL string    `json:"image_url"`
	OnSale   bool      `json:"on_sale"`
	Stock    int64     `json:"stock"` // -1 is unlimited
}

type productData struct {
	Product productObject `json:"product"`
}

// notice is the body of an IPN.
type notice struct {
	Order            orderObject `json:"order"`
	MessageID        string      `json:"message_id"` // decimal
	MessageType      string      `json:"message_type"`
	MessageCreatedAt string      `json:"message_created_at"` // RFC 3339, +07:00
}

const messageNotification = "notification"
