package zalopay

import (
	"strconv"

	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// The values of return_code. What is below zero is about the request.
const (
	success    = 1
	fail       = 2
	processing = 3
)

// Codes that more than their text depends on.
const (
	notThere   = -101 // the order, transaction or refund is not there
	noInfo     = -49  // the same of a query in older copies
	lowBalance = -63  // of the payer
	duplicate  = -68  // app_trans_id was used before
	repeated   = -23  // m_refund_id was used before
)

// meaning is what a code says.
type meaning struct {
	// request is set when it is about the request: ZaloPay did not begin to
	// carry it out, or did not answer the question.
	request bool
	// open is set when what became of the money is not told.
	open bool
	text string // for an operator
}

// orderCodes are the codes beside an order: sub_return_code, or return_code
// where that is below zero.
//
// Source: beta-docs.zalopay.vn/docs/developer-tools/knowledge-base/status-codes
// (create and query); zlp.yaml; docs.zalopay.vn/v2/general/errors.html.
var orderCodes = map[int64]meaning{
	-2:   {request: true, text: "ZaloPay does not know the app_id"},
	-32:  {open: true, text: "ZaloPay's system is in trouble"},
	-33:  {request: true, text: "the app is being maintained at ZaloPay"},
	-34:  {text: "the way to pay is being maintained"},
	-35:  {text: "the way to pay is not supported or is being maintained"},
	-43:  {text: "the payer's bank is being maintained"},
	-49:  {text: "ZaloPay has no such order"},
	-53:  {request: true, text: "ZaloPay does not accept the mac: check key1"},
	-54:  {text: "the order expired"},
	-63:  {text: "not enough money in the payer's wallet"},
	-68:  {open: true, text: "ZaloPay has had an order with this app_trans_id before"},
	-88:  {open: true, text: "this function is being maintained at ZaloPay"},
	-92:  {request: true, text: "ZaloPay cannot read the app_trans_id"},
	-101: {text: "ZaloPay has no such order"},
	-135: {open: true, text: "ZaloPay is being maintained"},
	-217: {text: "an error at the payer's bank"},
	-301: {open: true, text: "ZaloPay's system is in trouble"},
	-322: {text: "the payment code expired"},
	-329: {text: "the payer cancelled"},
	-332: {text: "stopped by the rules of a promotion"},
	-333: {text: "stopped by the rules of a promotion"},
	-401: {request: true, text: "ZaloPay cannot read the request"},
	-402: {request: true, text: "ZaloPay does not accept the app_id or the mac: check app_id and key1"},
	-403: {request: true, text: "ZaloPay does not accept the mac: check key1"},
	-405: {request: true, text: "ZaloPay does not accept the caller"},
	-429: {request: true, text: "too many requests to ZaloPay"},
	-500: {open: true, text: "ZaloPay's system is in trouble"},
	-999: {request: true, text: "ZaloPay is being maintained"},

	-1330: {text: "over the payer's daily limit"}, -1331: {text: "over the payer's daily limit"},
	-1332: {text: "over the payer's daily limit"}, -1333: {text: "over the payer's daily limit"},
	-1340: {text: "over the payer's monthly limit"}, -1341: {text: "over the payer's monthly limit"},
	-1342: {text: "over the payer's monthly limit"}, -1343: {text: "over the payer's monthly limit"},
}

// refundCodes are the codes beside a refund.
//
// Source: as above (refund and query of a refund).
var refundCodes = map[int64]meaning{
	0:    {text: "ZaloPay could not make the refund; ask ZaloPay why"},
	-1:   {open: true, text: "the refund waits for somebody at ZaloPay to approve it"},
	-2:   {text: "this order cannot be refunded"},
	-3:   {request: true, text: "ZaloPay does not accept the mac: check key1"},
	-4:   {text: "the way the payer paid does not take refunds"},
	-5:   {text: "the payment is not complete, so it cannot be refunded"},
	-6:   {text: "the payment failed, so it cannot be refunded"},
	-8:   {text: "ZaloPay has no such transaction"},
	-9:   {text: "this kind of transaction does not take refunds"},
	-10:  {request: true, text: "ZaloPay does not know the app_id"},
	-11:  {open: true, text: "the refund was made before"},
	-12:  {request: true, text: "ZaloPay cannot read the request"},
	-13:  {text: "too late: ZaloPay no longer refunds this payment"},
	-14:  {text: "ZaloPay does not refund this amount: more than is left?"},
	-15:  {open: true, text: "ZaloPay's system is in trouble"},
	-16:  {open: true, text: "ZaloPay is working on the order"},
	-17:  {open: true, text: "ZaloPay's system is in trouble"},
	-18:  {text: "in this state the payment does not take refunds"},
	-19:  {open: true, text: "ZaloPay's system is in trouble"},
	-20:  {open: true, text: "ZaloPay's system is in trouble"},
	-21:  {open: true, text: "ZaloPay has no such refund"},
	-22:  {open: true, text: "in this state the refund cannot be carried on"},
	-23:  {open: true, text: "ZaloPay has had this m_refund_id before"},
	-24:  {request: true, text: "ZaloPay cannot read the m_refund_id"},
	-25:  {request: true, text: "the m_refund_id is of another day: ask for the refund again"},
	-26:  {request: true, text: "the m_refund_id is of another app_id"},
	-27:  {request: true, text: "ZaloPay does not know the caller"},
	-28:  {text: "the transaction is not valid"},
	-29:  {text: "ZaloPay does not find the payer's bank"},
	-30:  {open: true, text: "ZaloPay's system is in trouble"},
	-31:  {text: "too late: ZaloPay no longer refunds this payment"},
	-32:  {text: "the payment takes no refunds, or none of a part"},
	-53:  {request: true, text: "ZaloPay does not accept the mac: check key1"},
	-54:  {request: true, text: "the time of the request is too far from ZaloPay's: check the clock"},
	-63:  {text: "the merchant's balance at ZaloPay does not cover the refund"},
	-101: {open: true, text: "ZaloPay has no such refund or transaction"},
	-401: {request: true, text: "ZaloPay cannot read the request"},
	-402: {request: true, text: "ZaloPay does not accept the app_id or the mac: check app_id and key1"},
	-403: {request: true, text: "ZaloPay does not accept the mac: check key1"},
	-405: {request: true, text: "ZaloPay does not accept the caller"},
	-429: {request: true, text: "too many requests to ZaloPay"},
	-500: {open: true, text: "ZaloPay's system is in trouble"},
	-999: {request: true, text: "ZaloPay is being maintained"},
}

// status is what each answer of ZaloPay's begins with.
type status struct {
	code int64  // return_code
	sub  int64  // sub_return_code, 0 when absent
	text string // of ours
	meaning
	known bool // the code is in the table
}

// read reads the status of an answer with one of the tables. The error is the
// object's.
func read(o *wire.Object, table map[int64]meaning) status {
	s := status{code: o.Number("return_code")}
	if o.Has("sub_return_code") {
		s.sub = o.Number("sub_return_code")
	}
	detail := s.detail()
	s.meaning, s.known = table[detail]
	s.text = s.meaning.text
	if !s.known {
		s.text = "a code that ZaloPay has not published"
		message := o.Text("sub_return_message")
		if message == "" {
			message = o.Text("return_message")
		}
		if message = wire.Text(message, 200); message != "" {
			s.text += ": " + message
		}
	}
	return s
}

// detail is the code that says the most.
func (s status) detail() int64 {
	if s.code < 0 {
		return s.code
	}
	return s.sub
}

// shown is the code as an operator finds it in ZaloPay's documents.
func (s status) shown() string {
	text := strconv.FormatInt(s.code, 10)
	if s.sub != 0 && s.sub != s.code {
		text += "/" + strconv.FormatInt(s.sub, 10)
	}
	return text
}

// outcome is what an answered question says. Beside a failure, a code that is
// not published leaves it a failure: return_code is the status.
func (s status) outcome() card.Outcome {
	switch s.code {
	case success:
		return card.Done
	case processing:
		return card.Pending
	case fail:
		if s.open {
			return card.Unknown
		}
		return card.Failed
	}
	return card.Unknown
}
