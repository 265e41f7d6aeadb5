// Package pos is the rail of card terminals: a small HTTP API by which the
// program on a terminal takes the sale that waits for it, says what came of it,
// voids it, and settles its batch. docs/terminals.md describes it for those who
// write such a program.
//
//	GET  /pos/v1/terminal                  who the device is, its limits and its open batch
//	POST /pos/v1/sales/next                wait for a sale and take it
//	GET  /pos/v1/sales                     the terminal's sales, newest first
//	GET  /pos/v1/sales/{sale_id}           one of them
//	POST /pos/v1/sales/{sale_id}/report    approved, declined, cancelled or timed out
//	POST /pos/v1/sales/{sale_id}/void      take an approved sale back before it is settled
//	POST /pos/v1/batches/{number}/settle   settle the open batch
//
// A device authenticates with its terminal's key, "Authorization: Bearer KEY".
// Every call may be repeated: the same word twice changes nothing and is
// answered as the first time. Amounts are whole đồng, times RFC 3339 in UTC.
//
// Errors are {"error": {"code", "message"}}: 400 for a request that cannot be
// read, 401 for a wrong key, 404 for what is not there, 409 for what the sale's
// or terminal's state does not allow, 422 for a wrong field, 429 for too many
// wrong keys, 503 when the gateway is busy.
package pos
