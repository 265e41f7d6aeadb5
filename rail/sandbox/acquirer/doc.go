// Package acquirer is an acquirer that does not exist: a whole imitation with
// pages for payers and an API for merchants, and the connector that the gateway
// reaches it by. `thungan dev` runs it; nothing of it exists under `thungan
// serve`.
//
// It takes no card but the published test cards (Cards). Any other number is
// refused with that explanation, and neither kept nor logged, so a real card
// can never be processed here. Of a test card it keeps the scheme and the last
// four digits.
//
// # The API
//
// Every request, answer and notice is an envelope {"payload": {...},
// "signature": "..."}. The signature is the lower-case hexadecimal HMAC-SHA256,
// under the merchant's secret, of the message's name, a full stop and the
// payload's bytes as they stand in the envelope.
//
//	POST {base}/orders          "order"          an order; the answer has the page for the payer
//	POST {base}/orders/query    "order-query"    what became of it
//	POST {base}/refunds         "refund"         money back; the same refund_id again is the same refund
//	POST {base}/refunds/query   "refund-query"   what became of it
//	POST {notify_url}           "notice"         what became of an order or refund, told by the acquirer
//
// Answers are signed as "answer". The payer's browser comes back to the
// order's return_url with sbx_ parameters; sbx_signature is made like the
// others, as "return", of the other sbx_ parameters in alphabetical order,
// name=value, encoded, joined by &.
//
// # What decides the outcome
//
// The expiry of a card, as MPGS's test cases do (Expiries); the card itself
// (Card.Result); its CSC; and the last three digits of the amount in đồng, for
// the ways without a card too (Amounts). Refunds go by the last three digits of
// their own amount (RefundAmounts).
package acquirer
