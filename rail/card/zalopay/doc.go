// Package zalopay takes payments through ZaloPay's gateway, version 2: from the
// ZaloPay wallet, and from domestic and international cards on ZaloPay's page.
//
// Facts are from docs.zalopay.vn (order-create, callback-api, order-query,
// order-refund, order-query-refund, status codes, gateway guide; read 2026-11)
// and ZaloPay's OpenAPI file (zalopay-oss/zalopay-nodejs: specs/zlp.yaml).
//
// # Decisions
//
//	Z1  app_trans_id is the day of the attempt in Vietnam, yymmdd, and the
//	    attempt's ID in 26 characters; m_refund_id likewise, with the app's id
//	    in the middle. Both are thereby the same whenever they are needed. A
//	    refund that is first sent on another day than it was asked for may be
//	    refused with code -25, and then fails.
//	Z2  The mac of a callback is over the text of data as it came, and nothing
//	    outside of data is believed, not even the type of the callback: what is
//	    not about an order has no app_trans_id and is refused.
//	Z3  ZaloPay calls back only when it has money. What failed is learned by
//	    asking.
//	Z4  return_code decides; sub_return_code says why. Under return_code 2 the
//	    codes about the request, and an order that ZaloPay does not have, are
//	    no word about money. -63, not enough balance, is not the end before the
//	    order has expired: the payer may top up and try again.
//	Z5  Code -101 means that the order or refund is not there when return_code
//	    is 2; in ZaloPay's own file it also stands beside a refund that
//	    succeeded, under return_code 1.
//	Z6  A callback is answered 1 (taken in), 2 (told before), -1 (wrong mac, or
//	    not ours, or another amount: calling again would change nothing) or 0
//	    (call again; ZaloPay does so three times), under HTTP status 200.
//	Z7  Nothing says that ZaloPay takes the same refund twice for one, only
//	    that it refuses an m_refund_id it has had (-23). So a refund is not
//	    repeated; one whose outcome is not known is asked about.
//	Z8  The query string with which the payer comes back is signed with key2.
//	    It is for display.
package zalopay
