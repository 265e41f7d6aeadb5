// Package ttdk speaks the TTDK Partner API, by which partners book vehicle
// inspections and have them paid: a partner books, offers the order for payment
// (createPayment), shows the payer a VietQR or sends it to a wallet, and hears
// of the outcome by webhook. Partners that collect the money themselves confirm
// it (paymentConfirm). Bookings and orders are package booking's; this package
// only says them in the wire's words.
//
// # Sources
//
//  1. The page "Partner API - Order Payment - Create Payment", the newest
//     revision known: the only one that lists 429.
//  2. Its sibling pages in the public documentation of the same API (modules
//     Order Payment, API Partner, Order, Order Payment Confirm, webhooks), and
//     what the public web client of the service sends and reads.
//  3. A public snapshot of server modules of 2024: envelope, order of checks,
//     business errors of bookings. It is older than createPayment.
//  4. The web framework that source 3 pins (hapi 16.7, joi 10.6), observed with
//     a route of our own: validator messages, content types, sizes.
//
// # Decisions
//
// Where the sources are silent or contradict each other we decided. The same
// list, with more words, is docs/protocol/ttdk.md; tests name the numbers.
//
//   - T1: Paths in any letter case, a slash at the end is ignored. The key is in
//     the header apiKey, in any letter case, else in ?apikey=.
//   - T2: Browsers may send apiKey and clientId from any origin.
//   - T3: A bad key is 401 UNAUTHORIZED in module Order Payment, 429
//     QUOTA_EXCEEDED in the others, code 01 in Order Payment Confirm; 505
//     everywhere but there with LegacyAuth. The client id has to be right where
//     its page asks for it: Order and Order Payment Confirm.
//   - T4: A locked or closed partner is answered like a bad key.
//   - T5: A quota is a token bucket for each key in the database, 6000 calls a
//     minute unless set otherwise. A call that passes validation and has a good
//     key takes a token, whatever comes of it.
//   - T6: getPublicPaymentMethod has null for what is not offered; its twin
//     outside /PartnerAPI leaves it out.
//   - T7: A body that breaks the rules is 400 with the framework's message;
//     error is INVALID_REQUEST in module Order Payment, Bad Request elsewhere.
//     Members that no rule names are refused. NUL, half a
//     surrogate pair and U+FFFD are no text.
//   - T8: What a method does follows from its record, not from the bare type. A
//     type that no record has means what clients mean by it.
//   - T9: Wallets and cards are handed over by a link, MoMo by a QR code where
//     the connector gives one; a form, and everything where no connector is, by
//     the hosted page. Choosing another one leaves the first.
//   - T10: An offer is open for a day; a code is to be shown for 15 minutes. The
//     same request again finds the same offer. A payment that closed unpaid is
//     followed by another under the same order and text.
//   - T11: An order whose payment closed unpaid is Failed: it may be paid again.
//     Canceled is an order that is canceled itself.
//   - T12: orderStatus is 20 when canceled, 10 when paid, else 0.
//   - T13: Where a booking's number is asked for, an order's will do, and the
//     other way round in getOrderDetail. Both come from one sequence.
//   - T14: calculatePaymentInfo with an orderId calculates that order and does
//     not look at productIds. Without one it calculates services; one without a
//     quantity is charged once for each plate.
//   - T15: isSuccess is 0 when the gateway or the wallet does not take the
//     payment: amount out of the merchant's limits, or nobody to hand over to.
//   - T16: With Mirror, createPayment repeats codes in paymentQR, and the order
//     in orderId, where older clients look for them.
//   - T17: createOrderSchedule with isImmediate 1 books at once. Otherwise the
//     place is kept for 30 minutes, and for good once the order is paid.
//   - T18: Only a confirmation of Success moves money. Others are remembered and
//     answered 00.
//   - T19: getStationByApiKey answers for the caller's own keys only.
//   - T20: Opening an offer sends no webhook: the caller has just been told.
//   - T21: Webhooks are tried fifteen times within 23 hours, each wait twice the
//     one before, whatever the answer; 410 ends it. Order and schedule webhooks
//     go to one address.
//   - T22: paymentContent is ORDER and the order's number, after the prefix that
//     the receiving account demands. A transfer is recognised by it and by the
//     virtual account, never by its amount.
//   - T23: A partner is a merchant: its orders' money is its own. Stations are
//     the gateway's, and every partner books there.
//   - T24: A confirmation by a partner is money that the partner holds: it has
//     an account of its own in the ledger.
//   - T25: A requestId that was used for another order or amount is 02
//     INVALID_DATA. The same again is 04 once the order is paid.
//   - T26: Services that an order has already keep the prices they were ordered
//     at. What is to be paid does not change once a part of it has come.
package ttdk
