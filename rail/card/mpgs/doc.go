// Package mpgs takes international and domestic cards through the Mastercard
// Gateway's Hosted Checkout, which some banks in Vietnam give their merchants
// under their own names. The card's number is typed on the gateway's page.
//
// Facts are from developer.mastercard.com/mastercard-gateway (build,
// hosted-checkout; gateway-features, webhook-noti) and ap-gateway.mastercard.com
// (checkout, version 85; rest-json), read 2026-11. What the public pages leave
// to the signed-in reference (retrieving orders, refunds, the lists of statuses
// and codes) is from general knowledge, and so marked.
//
// # Decisions
//
//	G1  The gateway knows an attempt as the order whose id is the attempt's ID,
//	    and a refund as the transaction whose id is the refund's. Whoever puts
//	    the same transaction twice gets the first one's outcome, so a refund
//	    may be repeated.
//	G2  A notice is a hint. Its header X-Notification-Secret proves that the
//	    sender knows a secret, but nothing protects the body, and the gateway
//	    itself says that notices are no substitute for asking. So a notice is
//	    reported as Pending, once its merchant, order, amount and currency have
//	    been read, and the order is retrieved.
//	G3  What the payer's browser brings back proves nothing either: the
//	    successIndicator that it could be compared with says no more than the
//	    order, which is retrieved at that moment.
//	G4  Money has moved when the order's status says so and what it has captured
//	    is above zero; that total is the amount that is reported.
//	G5  A payer may try another card on the gateway's page after a failure. So
//	    FAILED is the end only when the payer has come back to choose another
//	    way, a minute has passed since, or the order's time is over.
//	G6  An order that the gateway does not have is one for which nobody has tried
//	    to pay. Half an hour after its time is over, it has failed.
//	G7  We ask for PURCHASE. An order that is only AUTHORIZED is for a person to
//	    look at.
//	G8  Amounts are whole đồng as text, such as "100000". Answers may have
//	    decimals, which have to be zero.
//	G9  A refund is looked for by its transaction. One that timed out on the way
//	    to the bank is unknown, whatever the gateway calls it.
//	G10 The gateway's script runs on our page, which sends the payer on, and is
//	    loaded from the host that the API is on.
package mpgs
