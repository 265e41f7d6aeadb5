-- name: InsertFeed :exec
INSERT INTO bank_feeds (name, kind, merchant_id, secret, api, enabled, seen_until, pull_cursor, pulled_at, pull_error, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: UpdateFeed :execrows
UPDATE bank_feeds SET secret = $2, api = $3, enabled = $4 WHERE name = $1;

-- name: Feed :one
SELECT * FROM bank_feeds WHERE name = $1;

-- name: FeedForUpdate :one
SELECT * FROM bank_feeds WHERE name = $1 FOR UPDATE;

-- name: Feeds :many
SELECT * FROM bank_feeds ORDER BY name;

-- name: RecordPull :exec
UPDATE bank_feeds SET seen_until = $2, pull_cursor = $3, pulled_at = $4, pull_error = $5 WHERE name = $1;

-- name: InsertMessage :exec
INSERT INTO bank_messages (id, feed, body, received_at, processed_at, failure) VALUES ($1, $2, $3, $4, $5, $6);

-- name: FinishMessage :exec
UPDATE bank_messages SET processed_at = $2, failure = $3 WHERE id = $1;

-- name: WaitingMessages :many
SELECT * FROM bank_messages WHERE processed_at = 0 AND received_at <= sqlc.arg(until) ORDER BY received_at LIMIT sqlc.arg(page);

-- name: Message :one
SELECT * FROM bank_messages WHERE id = $1;

-- name: InsertCredit :execrows
INSERT INTO bank_credits (id, source, external_id, print, bin, account, virtual_account, amount, currency, direction, memo, reference, order_code,
    occurred_at, received_at, outcome, payment_id, merchant_id, account_id, duplicate_of, applied, unapplied, returned, explanation, channel, method)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
ON CONFLICT DO NOTHING;

-- name: UpdateCredit :exec
UPDATE bank_credits SET outcome = $2, payment_id = $3, merchant_id = $4, account_id = $5, duplicate_of = $6, applied = $7, unapplied = $8, returned = $9, explanation = $10
WHERE id = $1;

-- name: Credit :one
SELECT * FROM bank_credits WHERE id = $1;

-- name: CreditForUpdate :one
SELECT * FROM bank_credits WHERE id = $1 FOR UPDATE;

-- name: CreditByExternalID :one
SELECT * FROM bank_credits WHERE source = $1 AND external_id = $2;

-- name: CreditByPrint :one
SELECT * FROM bank_credits WHERE print = $1;

-- name: CreditsOfPayment :many
SELECT * FROM bank_credits WHERE payment_id = $1 AND payment_id <> '' ORDER BY id;

-- name: AppliedCreditsForUpdate :many
SELECT * FROM bank_credits WHERE payment_id = $1 AND payment_id <> '' AND applied > 0 ORDER BY id FOR UPDATE;

-- name: SearchCredits :many
SELECT * FROM bank_credits
WHERE id < sqlc.arg(before_id)
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
  AND (CAST(sqlc.arg(outcome) AS TEXT) = '' OR outcome = sqlc.arg(outcome))
  AND (CAST(sqlc.arg(source) AS TEXT) = '' OR source = sqlc.arg(source))
ORDER BY id DESC LIMIT sqlc.arg(page);

-- name: UnappliedCredits :many
SELECT * FROM bank_credits
WHERE unapplied > 0 AND id < sqlc.arg(before_id)
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
ORDER BY id DESC LIMIT sqlc.arg(page);
