// Package appotapay speaks the AppotaPay POS v2 wire protocol: a partner's till
// creates a payment at a terminal, by card (POS) or by a VietQR code (QR), asks
// for it, and hears of the outcome by IPN. Void and settlement begin at the
// device (rail/pos) and reach the partner as an IPN and as changed fields.
//
// # Sources
//
//  1. The page "API Yêu Cầu Thanh Toán" of AppotaPay's documentation, as seen
//     in 2026.
//  2. Its sibling pages (transaction detail, transaction list, IPN, error
//     codes, security) in a public copy of 2026.
//  3. What public clients of AppotaPay's products send: PHP, Java and
//     TypeScript ones, and the vendor's own Postman collection.
//
// # Decisions
//
// Where the documents are silent or contradict each other we decided. The same
// list, with more words, is docs/protocol/appotapay.md; tests name the numbers.
//
//   - A1: Every failed authentication is 401 with error_code "401", in the same
//     words whatever was wrong with it.
//   - A2: The token comes bare or behind "Bearer"; jti, cty, typ, iat and other
//     claims are not looked at; exp may lie as far ahead as it likes, and a
//     token may be used again. alg has to be HS256, iss the partner code of the
//     API key's owner.
//   - A3: Segments of a token may be in standard base64, and padded.
//   - A4: X-Signature is the HMAC of the very bytes of the body, in hexadecimal
//     digits of either case. Only create has it.
//   - A5: X-Request-Id has to be a UUIDv4 of either case for create. It is a
//     name for the log and no key of idempotence; look-ups need none.
//   - A6: The checks come in this order: authentication, X-Request-Id,
//     X-Signature, the body's form, its fields, the partner's state, the
//     terminal, method and amount, partner_ref_id, the terminal's other sales.
//   - A7: error_code is a text everywhere, also where the pages call it Integer.
//   - A8: X-Lang vi or en is the language of error_message; anything else is vi.
//   - A9: A field that is missing, null, empty, of another type, too long or
//     badly formed is error_code 1, and error_message says which one. null and
//     "" of the optional phone number mean that there is none.
//   - A10: amount is a JSON number without a fraction; 12000.0 is one. Below
//     10.000 it is 32, above what a VietQR code can carry 84.
//   - A11: payment_method that is neither POS nor QR is 1; one that the
//     terminal or partner cannot take is 40.
//   - A12: A locked partner gets 3113, a closed one 3114, both with 403, for
//     create only: books must be closed.
//   - A13: A sale is offered for 15 minutes, then it is error 67. A device that
//     has fetched it has three minutes more to tell of it.
//   - A14: transaction_id is the 128 bits of our own id as a ULID, order_id a
//     snowflake made from the same; neither is a key here.
//   - A15: Times are Vietnam's (+07:00), to the second, without an offset; ""
//     is not yet.
//   - A16: create shows payment_info for QR only, and no order_id; detail shows
//     no partner_ref_id; list shows both: as the samples do.
//   - A17: qr_content is the EMVCo text, in the sample's shape: bill number
//     (62.01), terminal label (62.07), and in 62.08, the only text that reaches
//     the bank's statement, the code by which the transfer is recognised.
//     qr_url is "".
//   - A18: error is any end without money: 38 cancelled, 67 timed out, else why
//     the device declined, 82 when it did not say. void is 31, success 00.
//   - A19: is_sett is true at once for a paid QR sale, and for a card sale when
//     its terminal has settled the batch; updated_at is that moment, before it
//     the last change.
//   - A20: An IPN is owed for success, void and error. It is signed with the
//     secret of the partner's newest key pair, has version "1.0", and error_code
//     only when status is not success.
//   - A21: bank_code and bank_type are APPOTA and EWALLET for QR, as documented;
//     for cards the scheme in capitals, and ATM for NAPAS cards or CC.
//   - A22: Only HTTP 200 with a JSON object whose status is "ok" acknowledges an
//     IPN; else three more attempts follow, five minutes apart.
//   - A23: list counts pages from 1, newest first; total is pages, total_items
//     rows; a limit above 200 counts as 200.
//   - A24: Unknown paths are 404 and wrong methods 405, both with error_code 99.
//     Too many failed authentications are 429 with 93; a busy gateway is 503
//     with 93.
package appotapay
