// Package momo takes payments through MoMo's payment gateway, version 2: from
// the MoMo wallet, and from domestic and international cards on MoMo's page.
//
// Facts are from developers.momo.vn/v3 (wallet/onetime, result-handling, query,
// refund; read 2026-11) and, for the order in which fields are signed, from
// MoMo's own samples (momo-wallet/payment: nodejs, php).
//
// # Decisions
//
//	M1  MoMo knows an attempt by its ID (orderId and requestId of the create
//	    call), a refund by the refund's ID. requestId is MoMo's key against
//	    doing a thing twice; a query needs a new one each time, so it is the
//	    orderId and the milliseconds of the call.
//	M2  Signatures are over the values as they came, joined by & without any
//	    encoding. Somebody who can put "&orderId=" into one of the texts could
//	    have one signature say two things. So our texts are sent without & and
//	    =, and a message in which a signed name comes twice is not accepted.
//	M3  Code 9000, authorised, counts as paid: we ask for payments in one step
//	    only, for which MoMo says so.
//	M4  A payment that is paid without a transId is not believed: no refund
//	    could be made of it.
//	M5  Codes about the request (10-47) say nothing about a payment or refund
//	    when they answer a query, and that it did not begin when they answer
//	    its creation. 40, 41 and 43 mean that MoMo knows it already.
//	M6  Code 42 to a query, no such order, is a failure when the payer was
//	    never sent to MoMo, and otherwise not to be believed.
//	M7  Refunds are looked up in the list that comes with a query of the
//	    payment.
//	M8  A notice is answered 204, also when the amount differs or it
//	    contradicts an earlier one: sending it again would change nothing, and
//	    MoMo never gives money back because of our answer.
package momo
