// Package tiki speaks the wire of Tiki's Tini Apps: an app's back end learns who
// its customer is (OAuth), places orders, and hears by IPN how the online payment
// ended; the app itself starts the payment by my.makePayment, through GraphQL.
//
// # Sources
//
//  1. Tiki's pages on my.makePayment and on payments with Tiki (overview), as
//     handed to us.
//  2. The public repository of the mini app documentation, at 2023-04-25, its
//     last commit: signature, token exchange, orders, order status, IPN, sandbox,
//     error codes.
//  3. Older commits of it, for what old clients send.
//  4. The public container that hosts Tini Apps, 2022-09-26, read: which GraphQL
//     calls it makes and what it takes their answers for.
//  5. Public clients, read and run: what they send and read.
//
// # Decisions
//
// Where the sources are silent or contradict each other we decided. The same
// list, with more words, is docs/protocol/tiki.md; tests name the numbers.
//
//   - T1: The HTTP status is error.code.
//   - T2: error is null on success, on every call.
//   - T3: Every failed authentication is 400, invalid_signature, in the same
//     words: unknown key, wrong signature, a time outside the window, a pair of
//     the other environment.
//   - T4: A timestamp may be 5 minutes old and 1 minute ahead; configurable. A
//     signature may be sent again within that time.
//   - T5: The signature is checked over the raw body or the raw request target.
//     Where a method can have both, the body counts if there is one; for GET
//     and DELETE with a body either will do.
//   - T6: X-Tiniapp-Client-Key is an alias of X-Tiniapp-Client-Id, and /api/v1
//     of nothing, on every path.
//   - T7: Bad input is 400, "invalid parameters", with the fields in metadata.
//   - T8: Unknown fields and repeated keys are ignored; of two equal keys the
//     last counts.
//   - T9: Ids of orders and messages are decimal: steps of 5 ms since
//     2020-08-25, shifted left by 24, with 24 bits more.
//   - T10: tiki_order_id and tiki_order_code are told from when paying has begun.
//   - T11: Orders are not told apart by reference_id: the same request twice
//     makes two.
//   - T12: Someone else's order is 404, like one that does not exist.
//   - T13: An illegal change of an order is 400 with an empty reason.
//   - T14: A list leaves out what is not found and keeps the asked order; more
//     than 100 ids are invalid.
//   - T15: A paid order stays online_paid until the app's back end acts.
//   - T16: complete is taken from online_paid, processing and on_delivery;
//     cancel from those, draft, waiting_for_payment, and, for a bank transfer,
//     waiting_for_verification.
//   - T17: IPNs tell of online payments only: paid, canceled by the customer,
//     run out after 4 hours, refused. Not of cash on delivery, bank transfer,
//     or of what the app's back end itself did.
//   - T18: Any answer below 500 ends an IPN. A 2xx takes it; another is shown to
//     operators as not taken.
//   - T19: The body and message_id of an IPN are the same in every attempt;
//     timestamp and signature are new.
//   - T20: A code is good once, for ten minutes, for the app that asked, in both
//     of its environments. Access tokens live an hour. Refresh tokens are good
//     once, for 30 days, and only with the scope offline.
//   - T21: An order of SKUs takes names, prices and pictures from the product
//     where the item has none; the price always.
//   - T22: Stock is what the seller says is left; orders do not count it down.
//   - T23: A locked or closed merchant, and a linked seller that is not active,
//     answer SELLER_NOT_FOUND. Orders with free items need no linked seller.
//   - T24: product_create is POST /product_create, signed like the rest.
//   - T25: In the sandbox environment an online payment ends at once, as the
//     app's test result says, with money that nobody has.
//   - T26: A second my.makePayment for an order fails, whatever became of the
//     first.
//   - T27: shipping_address and billing_address of old clients stand in for
//     customer_info.
package tiki
