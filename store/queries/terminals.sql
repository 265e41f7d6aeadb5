-- name: InsertTerminal :exec
INSERT INTO terminals (id, merchant_id, public_id, name, city, label, state, methods, max_amount, daily_limit, monthly_limit, batch_limit,
    sale_id, batch, seen_at, created_at, updated_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18);

-- name: UpdateTerminal :exec
UPDATE terminals SET name = $2, city = $3, state = $4, methods = $5, max_amount = $6, daily_limit = $7, monthly_limit = $8, batch_limit = $9,
    sale_id = $10, batch = $11, updated_at = $12, version = $13
WHERE id = $1;

-- name: SeeTerminal :exec
UPDATE terminals SET seen_at = $2 WHERE id = $1;

-- name: Terminal :one
SELECT * FROM terminals WHERE id = $1;

-- name: TerminalForUpdate :one
SELECT * FROM terminals WHERE id = $1 FOR UPDATE;

-- name: TerminalByPublicID :one
SELECT * FROM terminals WHERE public_id = $1;

-- name: Terminals :many
SELECT * FROM terminals
WHERE id > sqlc.arg(after) AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
ORDER BY id LIMIT sqlc.arg(page);

-- name: InsertTerminalKey :exec
INSERT INTO terminal_keys (id, terminal_id, hash, hint, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: TerminalKeyByHash :one
SELECT * FROM terminal_keys WHERE hash = $1;

-- name: RevokeTerminalKeys :exec
UPDATE terminal_keys SET revoked_at = sqlc.arg(revoked_at)
WHERE terminal_id = sqlc.arg(terminal_id) AND id <> sqlc.arg(but) AND (revoked_at = 0 OR revoked_at > sqlc.arg(revoked_at));

-- name: InsertSale :exec
INSERT INTO sales (payment_id, terminal_id, merchant_id, dialect, method, phone, reason, reference, approval, scheme, card, batch,
    fetched_at, reported_at, settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: UpdateSale :exec
UPDATE sales SET reason = $2, reference = $3, approval = $4, scheme = $5, card = $6, batch = $7, fetched_at = $8, reported_at = $9, settled_at = $10
WHERE payment_id = $1;

-- name: Sale :one
SELECT * FROM sales WHERE payment_id = $1;

-- name: MerchantSales :many
SELECT * FROM sales
WHERE merchant_id = sqlc.arg(merchant_id) AND dialect = sqlc.arg(dialect) AND (CAST(sqlc.arg(method) AS TEXT) = '' OR method = sqlc.arg(method))
ORDER BY payment_id DESC LIMIT sqlc.arg(page) OFFSET sqlc.arg(skip);

-- name: CountMerchantSales :one
SELECT COUNT(*) FROM sales
WHERE merchant_id = sqlc.arg(merchant_id) AND dialect = sqlc.arg(dialect) AND (CAST(sqlc.arg(method) AS TEXT) = '' OR method = sqlc.arg(method));

-- name: TerminalSales :many
SELECT * FROM sales WHERE terminal_id = sqlc.arg(terminal_id) AND payment_id < sqlc.arg(before_id) ORDER BY payment_id DESC LIMIT sqlc.arg(page);

-- name: TerminalUsage :one
SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) AS used
FROM sales s JOIN payments p ON p.id = s.payment_id
WHERE s.terminal_id = sqlc.arg(terminal_id) AND s.payment_id >= sqlc.arg(from_id) AND p.state IN ('open', 'processing', 'approved');

-- name: BatchTotal :one
SELECT COUNT(*) AS sales, CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) AS amount
FROM sales s JOIN payments p ON p.id = s.payment_id
WHERE s.terminal_id = $1 AND s.batch = $2 AND s.batch > 0 AND p.state = 'approved';

-- name: SettleSales :exec
UPDATE sales SET settled_at = sqlc.arg(settled_at)
WHERE terminal_id = sqlc.arg(terminal_id) AND batch = sqlc.arg(batch) AND batch > 0;

-- name: InsertBatch :exec
INSERT INTO terminal_batches (terminal_id, number, sales, amount, settled_at) VALUES ($1, $2, $3, $4, $5);

-- name: Batch :one
SELECT * FROM terminal_batches WHERE terminal_id = $1 AND number = $2;

-- name: Batches :many
SELECT * FROM terminal_batches WHERE terminal_id = $1 ORDER BY number DESC LIMIT $2;

-- name: OverdueSales :many
SELECT s.payment_id FROM sales s JOIN payments p ON p.id = s.payment_id
WHERE s.fetched_at > 0 AND s.reported_at = 0 AND p.state = 'processing' AND p.due_at <= sqlc.arg(due)
ORDER BY s.fetched_at LIMIT sqlc.arg(page);
