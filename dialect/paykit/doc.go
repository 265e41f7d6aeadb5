// Package paykit speaks the Paykit PGW v2 wire protocol: a merchant's server
// creates a payment by POST, sends the payer to the hosted page, and hears of
// the outcome by IPN (and by a browser redirect that proves nothing).
//
// # Sources
//
//  1. The checkout page of Paykit's API documentation, "Tạo thanh toán theo mô
//     hình Payment Page", version 2.0 of 2024-12-20.
//  2. Its sibling pages (authentication, IPN, refunds, look-ups) in a public
//     copy of that site, imported 2025-08-07.
//  3. Paykit's own WooCommerce plugin 1.0.1 of 2024-08, read and run: what a
//     real client sends and what it stumbles over.
//  4. The validation texts of Django REST Framework 3.14, which the documented
//     error messages come from.
//
// # Decisions
//
// Where the documents are silent or contradict each other we decided. The same
// list, with more words, is docs/protocol/paykit.md; tests name the numbers.
//
//   - P1: /v1 is an alias of /v2. The plugin predates v2, and v2 added nothing
//     but platform authentication.
//   - P2: A failed authentication is 401, ERROR, REQUEST_REJECTED, in the same
//     words whatever was wrong with it. The documents only say that such
//     requests are not processed.
//   - P3: platform-api-key or platform-secret-key selects platform mode, and
//     then all five headers must be right. A credential header that comes twice
//     is a failed authentication: nobody can say which of the two counts.
//   - P4: HTTP statuses of errors are a switch, ErrorStatus, since no source
//     names one: the plugin reads a body only at 200.
//   - P5: A body that is not one JSON object in UTF-8, at most 32 levels deep,
//     is INVALID_REQUEST with non_field_errors; over 64 KiB it is 413.
//   - P6: Any Content-Type is tolerated, and none: the body says what it is.
//   - P7: An unpaired surrogate (\ud800) refuses the whole body; it is no text
//     that can be stored or sent back.
//   - P8: Of two equal keys in an object the last counts, as in Python.
//   - P9: A JSON number in a text field becomes the digits as they were sent.
//   - P10: Amounts are read from their digits, never through a float. Digits
//     are ASCII; the underscores that Python allows in numbers are refused.
//   - P11: A fraction of a đồng, or more than the gateway can count, is
//     FAILURE, INVALID_AMOUNT, in its place in the order of checks.
//   - P12: A datetime without an offset is UTC; all samples are. A date alone
//     is refused. What is left of a millisecond is cut off.
//   - P13: URLs are http or https, with a host as Django wants it: a domain with
//     a real-looking top level, localhost, or an IP address. One with a user name
//     in it is refused: nobody is sent there.
//   - P14: With payment_method given, available_payment_methods is not looked
//     at, not even for its form: the page says that it is ignored.
//   - P15: Neither of the two methods, or an empty list alone, is a missing
//     payment_method.
//   - P16: In platform mode the three URLs of the request are not looked at;
//     those that the platform registered count.
//   - P17: description is the second currency row of the request table.
//   - P18: An undecided payment_method is left out of answers. An IPN must have
//     one, or the plugin refuses it: there the first of the offered methods
//     stands in.
//   - P19: voided is CLOSED and CANCELED: the wire has no word for it.
//   - P20: vietqr_data asks for what is still due; once nothing is, it keeps
//     the code for the whole amount, and status is INACTIVE.
//   - P21: Opening a payment sends no IPN: the caller has just been told.
//   - P22: Any 2xx acknowledges an IPN, whatever its body.
//   - P23: IPNs are retried on the Standard Webhooks schedule: ten attempts
//     within three and a half days.
//   - P24: An IPN to http has no secret-key header and no payment data.
//   - P25: An operation answers only the gateway codes of its own page; any
//     other outcome is ours and SERVER_FAILED.
//   - P26: Look-ups work for locked and closed merchants: their page lists no
//     code to refuse them, and books must be closed.
//   - P27: A platform's own key pair cannot act as a merchant.
//   - P28: A refund that closes while the call waits sends one IPN, of its end;
//     one that stays open sends one when that is known, and one when it closes.
//   - P29: A denied refund's id stays used. Its answer is FAILURE with payment
//     and refund, as for every refund that exists.
//   - P30: Refunds of bank transfers are refused on the wire. An operator's are
//     told and shown like any other.
//   - P31: INSUFFICIENT_BALANCE is answered on the acquirer's word alone: the
//     gateway keeps no balance that could be short.
//   - P32: INVALID_REFUND and EXCEEDED_RETRY_LIMIT are never answered, since
//     nothing here means either.
//   - P33: A text with a card number in it is refused in its field's place.
//   - P34: payment.id may not be "." or "..": it stands in the page's address.
package paykit
