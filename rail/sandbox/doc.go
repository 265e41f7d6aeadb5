// Package sandbox is what `thungan dev` adds to the gateway: the payer's bank,
// a clock that can be moved, a shop that listens to notifications, and a start
// page that leads a newcomer from a QR code to a confirmed payment. None of it
// exists under `thungan serve`.
//
// The simulators stand outside of the gateway and use only its doors: the bank
// sends signed webhooks to the bank feed's address, and the shop creates
// payments by the Paykit HTTP API with the demo keys. What works here works in
// production.
//
//	POST /sandbox/bank-transfers   a transfer from a payer's bank
//	POST /sandbox/cards/pay        a payer with a test card or wallet, from the payment page to the acquirer's word
//	GET  /sandbox/cards            the test cards and what they do; as JSON too
//	     /sandbox/acquirer/        the acquirer's own pages and API, see package acquirer
//	GET, POST /sandbox/clock       the gateway's time
//	POST /sandbox/ipn/{inbox}      a receiver of notifications; GET lists, PUT sets its answer
//	GET  /sandbox/return           the demo shop's page after the payment
//	GET  /sandbox/terminal/{terminal_id}           a card terminal
//	POST /sandbox/terminals/{terminal_id}/actions  the same by program
//	GET  /                         the start page, with forms and a live part below /sandbox/demo/
//
// The JSON calls refuse bad input with 400 (413 above 64 KiB) and
// {"error": {"code", "message", "fields"}}; members that they do not know are
// ignored. Amounts are whole đồng; times are RFC 3339 with a zone.
package sandbox
