-- name: InsertPayment :execrows
INSERT INTO payments (id, merchant_id, platform_id, dialect, reference, version, amount, received, refunded, refunding, state, method,
    methods, account_id, match_code, description, language, success_url, cancel_url, notify_url, limit_day, created_at, due_at, updated_at, completed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
ON CONFLICT DO NOTHING;

-- name: PaymentExists :one
SELECT COUNT(*) FROM payments WHERE merchant_id = $1 AND dialect = $2 AND reference = $3;

-- A loaded payment comes with its receiving account and the address that its
-- notices go to when it names none itself: the platform's, else the merchant's.

-- name: Payment :one
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM payments p
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id)
WHERE p.id = $1;

-- name: PaymentByReference :one
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM payments p
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id)
WHERE p.merchant_id = $1 AND p.dialect = $2 AND p.reference = $3;

-- name: LockPayment :one
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM payments p
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id)
WHERE p.id = $1 FOR UPDATE OF p;

-- name: LockPaymentByCode :one
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM payments p
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id)
WHERE p.match_code = $1 AND p.match_code <> '' FOR UPDATE OF p;

-- name: LockDuePayments :many
SELECT id FROM payments WHERE state = 'open' AND due_at <= sqlc.arg(due) ORDER BY due_at LIMIT sqlc.arg(page) FOR UPDATE SKIP LOCKED;

-- name: CountDuePayments :one
SELECT COUNT(*) FROM (SELECT id FROM payments WHERE state = 'open' AND due_at <= sqlc.arg(due) LIMIT 1) AS due;

-- name: UpdatePayment :execrows
UPDATE payments SET version = $2, received = $3, refunded = $4, refunding = $5, state = $6, method = $7, updated_at = $8, completed_at = $9
WHERE id = $1 AND version = $2 - 1;

-- name: InsertEvent :exec
INSERT INTO payment_events (payment_id, version, act, from_state, to_state, at, actor, reason, credit_id, method, received, refunded, refunding, completed_at, refund_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: Event :one
SELECT * FROM payment_events WHERE payment_id = $1 AND version = $2;

-- name: Events :many
SELECT * FROM payment_events WHERE payment_id = $1 ORDER BY version;

-- name: SearchPayments :many
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM payments p
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id)
WHERE p.id < sqlc.arg(before_id) AND p.id >= sqlc.arg(from_id)
  AND (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR p.merchant_id = sqlc.arg(merchant_id))
  AND (CAST(sqlc.arg(dialect) AS TEXT) = '' OR p.dialect = sqlc.arg(dialect))
  AND (CAST(sqlc.arg(state) AS TEXT) = '' OR p.state = sqlc.arg(state))
  AND (CAST(sqlc.arg(reference) AS TEXT) = '' OR p.reference = sqlc.arg(reference))
ORDER BY p.id DESC LIMIT sqlc.arg(page);

-- name: AddLimitUsage :exec
INSERT INTO limit_usage (merchant_id, day, used) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING;

-- name: LimitUsageForUpdate :one
SELECT used FROM limit_usage WHERE merchant_id = $1 AND day = $2 FOR UPDATE;

-- name: BumpLimitUsage :exec
UPDATE limit_usage SET used = used + sqlc.arg(amount) WHERE merchant_id = sqlc.arg(merchant_id) AND day = sqlc.arg(day);

-- name: InsertRefund :execrows
INSERT INTO refunds (id, payment_id, reference, amount, state, created_at, completed_at, credit_id, attempt_id, connector_id, manual, actor, reason,
    external_id, code, note, failure, review, asked, told, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) ON CONFLICT DO NOTHING;

-- name: Refunds :many
SELECT * FROM refunds WHERE payment_id = $1 ORDER BY id;

-- name: RefundByReference :one
SELECT * FROM refunds WHERE payment_id = $1 AND reference = $2;
