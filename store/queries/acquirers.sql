-- name: InsertConnector :exec
INSERT INTO connectors (id, merchant_id, kind, name, methods, config, priority, enabled, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: UpdateConnector :execrows
UPDATE connectors SET name = $2, methods = $3, config = $4, priority = $5, enabled = $6, updated_at = $7 WHERE id = $1;

-- name: Connector :one
SELECT * FROM connectors WHERE id = $1;

-- name: ConnectorForUpdate :one
SELECT * FROM connectors WHERE id = $1 FOR UPDATE;

-- name: Connectors :many
SELECT * FROM connectors
WHERE CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id)
ORDER BY merchant_id, priority, id;

-- name: InsertAttemptToPay :exec
INSERT INTO attempts (id, payment_id, merchant_id, number, connector_id, kind, method, reference, external_id, amount, state, handoff,
    has_left, review, code, note, created_at, updated_at, expires_at, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20);

-- name: UpdateAttemptToPay :exec
UPDATE attempts SET external_id = $2, state = $3, handoff = $4, has_left = $5, review = $6, code = $7, note = $8, updated_at = $9, expires_at = $10, closed_at = $11
WHERE id = $1;

-- name: AttemptToPay :one
SELECT * FROM attempts WHERE id = $1;

-- name: AttemptToPayByReference :one
SELECT * FROM attempts WHERE connector_id = $1 AND reference = $2;

-- name: AttemptsToPay :many
SELECT * FROM attempts WHERE payment_id = $1 ORDER BY number;

-- name: AttemptsForReview :many
SELECT * FROM attempts
WHERE review AND id < sqlc.arg(before_id)
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
ORDER BY id DESC LIMIT sqlc.arg(page);

-- name: Refund :one
SELECT * FROM refunds WHERE id = $1;

-- name: UpdateRefund :exec
UPDATE refunds SET state = $2, external_id = $3, code = $4, note = $5, failure = $6, review = $7, updated_at = $8, completed_at = $9,
    told = $10, manual = $11, asked = $12
WHERE id = $1;

-- name: RefundsForPerson :many
SELECT r.* FROM refunds r JOIN payments p ON p.id = r.payment_id
WHERE (r.review OR (r.manual AND r.state = 'processing')) AND r.id < sqlc.arg(before_id)
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR p.merchant_id = sqlc.arg(merchant_id))
ORDER BY r.id DESC LIMIT sqlc.arg(page);
