// Package onepay is the connector to OnePay's payment gateway (paygate, version
// 2): domestic and international cards, by redirect. Refunds are made by hand in
// OnePay's portal.
//
// Sources, read in 2026-11: public programs that speak to mtf.onepay.vn/paygate
// and its queryDR, and the table of codes in OnePay's integration guide, from a
// copy of it. OnePay's own pages are for contracted merchants. Nothing here was
// tried against OnePay itself.
//
// # Decisions
//
//	O1  Values are signed unescaped, so one that holds "&vpc_" or "&user_" could
//	    be read in two ways. Such messages are refused, and we send none.
//	O2  Paid is code 0. 100 and 300 are under way. Every other code of letters and
//	    digits means "not paid" by OnePay's own words, whether we have a text for
//	    it or not; what is no code at all is unknown.
//	O3  OnePay's page closes after 15 minutes, but the address that leads there
//	    does not. Two hours after its end an order that OnePay does not know or
//	    calls unfinished has failed.
//	O4  An answer to a query without a good signature decides nothing. The old
//	    query addresses (Vpcdps.op) do not sign, so they are of no use.
//	O5  Without the user and password of queryDR nobody is asked: an attempt is
//	    pending, and two hours after its end unknown, for a person.
//	O6  A notice whose amount differs, or that contradicts an earlier one, is
//	    answered as taken in: to send it again changes nothing, a person has it.
package onepay
