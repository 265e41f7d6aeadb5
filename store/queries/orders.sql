-- name: InsertOrder :execrows
INSERT INTO orders (id, merchant_id, dialect, customer_id, reference, extra, version, details, shipping_fee, total, receipt_id, receipt_code, way,
    payment_id, created_at, updated_at, started_at, handed_over_at, completed_at, canceled_at, note, push_page)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT DO NOTHING;

-- name: Order :one
SELECT * FROM orders WHERE id = $1;

-- name: OrderForUpdate :one
SELECT * FROM orders WHERE id = $1 FOR UPDATE;

-- name: OrderOfPayment :one
SELECT * FROM orders WHERE payment_id = $1 AND payment_id <> '';

-- name: UpdateOrder :execrows
UPDATE orders SET version = $2, way = $3, payment_id = $4, updated_at = $5, started_at = $6, handed_over_at = $7, completed_at = $8,
    canceled_at = $9, note = $10, push_page = $11
WHERE id = $1 AND version = $2 - 1;

-- name: SearchOrders :many
SELECT * FROM orders
WHERE id < sqlc.arg(before_id)
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
  AND (CAST(sqlc.arg(dialect) AS TEXT) = '' OR dialect = sqlc.arg(dialect))
  AND (CAST(sqlc.arg(customer_id) AS TEXT) = '' OR customer_id = sqlc.arg(customer_id))
  AND (CAST(sqlc.arg(reference) AS TEXT) = '' OR reference = sqlc.arg(reference))
ORDER BY id DESC LIMIT sqlc.arg(page);
