// Package vnpay is the connector to VNPAY's payment gateway, PAY 2.1.0: domestic
// cards and accounts, international cards, and VNPAYQR, by redirect.
//
// Sources, read in 2026-11 in stored copies: sandbox.vnpayment.vn/apis/docs, pages
// thanh-toan-pay/pay.html, truy-van-hoan-tien/querydr&refund.html and
// chuyen-doi-thuat-toan/changeTypeHash.html; for the group bank codes and the
// address of the live API, which those pages leave out, public programs that use
// them. Nothing here was tried against VNPAY itself.
//
// # Decisions
//
//	V1  The time of an order at VNPAY is the attempt's CreatedAt, so that a query
//	    or refund needs nothing that is not in the attempt. Times are GMT+7.
//	V2  Messages are verified over the pairs as they came, unescaped by nobody:
//	    encoders differ on ~ and *. Parameters that do not begin with vnp_ are
//	    not VNPAY's and are not read.
//	V3  Paid is response code 00 and transaction status 00, nothing else. 07 (paid,
//	    suspected of fraud) and 04 (debited at the bank, not successful at VNPAY)
//	    are unknown until VNPAY or a person in its portal decides.
//	V4  The payer cannot open an order after vnp_ExpireDate. An hour later, one
//	    that VNPAY does not know or calls unfinished has failed. Notices are
//	    repeated for less than that.
//	V5  An answer of the API without a good signature decides nothing, whatever
//	    its code.
//	V6  94 to a refund may mean this very refund or another of the same
//	    payment: it is unknown, and a refund is never asked for twice.
//	V7  A query is taken for the word on a refund only when it names a refund of
//	    that amount. For others VNPAY has to be asked by a person.
//	V8  A notice that contradicts an earlier one is answered with 02: to send it
//	    again changes nothing, a person has it.
package vnpay
