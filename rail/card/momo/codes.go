package momo

import (
	"strconv"

	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// meaning is what a result code says.
type meaning struct {
	outcome card.Outcome // of the payment, or the refund, that it stands beside
	request bool         // it is about the request that it answers, which MoMo did not begin to carry out
	known   bool         // it is about the request, which MoMo has had before
	text    string       // for an operator
}

// codes are MoMo's published result codes.
//
// Source: developers.momo.vn/v3/docs/payment/api/result-handling/resultcode
// (36 codes); 8000 is in an older copy of that list.
var codes = map[int64]meaning{
	0:    {outcome: card.Done, text: "paid"},
	9000: {outcome: card.Done, text: "authorised, which for a payment in one step is paid"},

	1000: {outcome: card.Pending, text: "begun; the payer has not confirmed yet"},
	7000: {outcome: card.Pending, text: "being processed by MoMo"},
	7002: {outcome: card.Pending, text: "being processed by the payer's bank or card"},
	8000: {outcome: card.Pending, text: "the payer has to confirm once more"},

	10:   {outcome: card.Unknown, request: true, text: "MoMo is being maintained"},
	11:   {outcome: card.Unknown, request: true, text: "access denied: check the merchant's settings at MoMo"},
	12:   {outcome: card.Unknown, request: true, text: "MoMo no longer supports this version of its API"},
	13:   {outcome: card.Unknown, request: true, text: "MoMo does not accept the credentials: check partner code, access key and secret key"},
	20:   {outcome: card.Unknown, request: true, text: "MoMo cannot read the request"},
	21:   {outcome: card.Unknown, request: true, text: "MoMo does not take this amount"},
	22:   {outcome: card.Unknown, request: true, text: "the amount is outside the limits of the way to pay"},
	40:   {outcome: card.Unknown, known: true, text: "MoMo has had this request before"},
	41:   {outcome: card.Unknown, known: true, text: "MoMo has had an order with this id before"},
	42:   {outcome: card.Unknown, request: true, text: "MoMo has no such order"},
	43:   {outcome: card.Unknown, known: true, text: "a like request is being processed"},
	45:   {outcome: card.Unknown, request: true, text: "an item id comes twice"},
	47:   {outcome: card.Unknown, request: true, text: "MoMo cannot use a value in the request"},
	2019: {outcome: card.Failed, request: true, text: "MoMo does not know the order group"},

	98:   {outcome: card.Failed, text: "MoMo could not make the QR code"},
	99:   {outcome: card.Failed, text: "failed for a reason that MoMo does not tell"},
	1001: {outcome: card.Failed, text: "not enough money"},
	1002: {outcome: card.Failed, text: "refused by the bank or issuer"},
	1003: {outcome: card.Failed, text: "cancelled after it was authorised"},
	1004: {outcome: card.Failed, text: "over the payer's daily or monthly limit"},
	1005: {outcome: card.Failed, text: "the page or QR code expired"},
	1006: {outcome: card.Failed, text: "the payer refused"},
	1007: {outcome: card.Failed, text: "the payer's account does not exist or is not active"},
	1017: {outcome: card.Failed, text: "cancelled by the merchant"},
	1026: {outcome: card.Failed, text: "stopped by the rules of a promotion"},
	1080: {outcome: card.Failed, text: "the refund failed while it was processed; ask for it again in an hour"},
	1081: {outcome: card.Failed, text: "refund refused: refunded before, or more than is left to refund"},
	1088: {outcome: card.Failed, text: "refund refused: MoMo does not refund this payment; ask MoMo why"},
	4001: {outcome: card.Failed, text: "the payer's account is restricted"},
	4002: {outcome: card.Failed, text: "the payer's account lacks the identity check by NFC"},
	4100: {outcome: card.Failed, text: "the payer could not log in"},
}

// insufficientFunds beside a refund means the merchant's own balance.
const insufficientFunds = 1001

// notFound is the code for an order that MoMo does not have.
const notFound = 42

// refundText is the meaning where the one for a payment would mislead.
var refundText = map[int64]string{
	0:    "refunded",
	1001: "the merchant's balance at MoMo does not cover the refund",
	1002: "refused by the bank or issuer, which does not take the money back",
}

// mean looks a code up. One that is not published leaves everything open.
func mean(code int64, message string) meaning {
	m, ok := codes[code]
	if !ok {
		m = meaning{outcome: card.Unknown, text: "a code that MoMo has not published"}
		if message = wire.Text(message, 200); message != "" {
			m.text += ": " + message
		}
	}
	return m
}

func codeText(code int64) string { return strconv.FormatInt(code, 10) }
