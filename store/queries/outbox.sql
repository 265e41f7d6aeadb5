-- name: InsertItem :exec
INSERT INTO outbox_items (id, kind, payment_id, version, merchant_id, dialect, target, lane, state, attempts, tries, due_at, lease_until, lease,
    created_at, finished_at, last_status, last_error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18);

-- name: ClaimItems :many
-- MATERIALIZED: PostgreSQL may run a plain subquery more than once, and each run
-- would lock other rows, more than the limit.
WITH due AS MATERIALIZED (
    SELECT o.id FROM outbox_items o
    WHERE o.state = 'pending' AND o.due_at <= sqlc.arg(now) AND o.lease_until <= sqlc.arg(now)
    ORDER BY o.due_at LIMIT sqlc.arg(page) FOR UPDATE SKIP LOCKED
)
UPDATE outbox_items SET lease = sqlc.arg(lease), lease_until = sqlc.arg(lease_until)
WHERE id IN (SELECT id FROM due)
RETURNING *;

-- name: ReleaseItems :exec
-- due_times is a JSON object of ids and due times; see told.sql.
UPDATE outbox_items SET lease = '', lease_until = 0, due_at = CAST(CAST(j.value AS TEXT) AS BIGINT)
FROM json_each(sqlc.arg(due_times)) AS j
WHERE outbox_items.id = j.key AND outbox_items.lease = sqlc.arg(lease);

-- name: FreeLeases :exec
UPDATE outbox_items SET lease = '', lease_until = 0 WHERE state = 'pending' AND lease_until > 0;

-- name: FinishAttempt :execrows
-- attempts: a worker that lost its lease and got it anew does not record what it did under the old one.
UPDATE outbox_items SET state = $3, attempts = attempts + 1, tries = tries + 1, due_at = $4, finished_at = $5, last_status = $6, last_error = $7, lease = '', lease_until = 0
WHERE id = $1 AND lease = $2 AND attempts = $8;

-- name: InsertAttempt :exec
INSERT INTO outbox_attempts (item_id, number, at, duration, request_id, status, error, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ReplayItem :execrows
UPDATE outbox_items SET state = 'pending', tries = 0, due_at = $2, finished_at = 0, lease = '', lease_until = 0 WHERE id = $1;

-- name: Item :one
SELECT * FROM outbox_items WHERE id = $1;

-- Notices only: what acquirers are asked is no notice to a merchant.

-- name: ItemsOfPayment :many
SELECT * FROM outbox_items WHERE payment_id = $1 AND kind NOT IN ('attempt', 'refund') ORDER BY id;

-- name: SearchItems :many
SELECT * FROM outbox_items
WHERE id < sqlc.arg(before_id) AND kind NOT IN ('attempt', 'refund')
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
  AND (CAST(sqlc.arg(state) AS TEXT) = '' OR state = sqlc.arg(state))
ORDER BY id DESC LIMIT sqlc.arg(page);

-- name: Attempts :many
SELECT * FROM outbox_attempts WHERE item_id = $1 ORDER BY number;

-- name: OutboxBacklog :one
SELECT COUNT(*) AS pending, CAST(COALESCE(MIN(created_at), 0) AS BIGINT) AS oldest FROM outbox_items
WHERE state = 'pending' AND kind NOT IN ('attempt', 'refund');
