-- What many notices tell, in one statement each. ids has so many ids of 36
-- characters, one behind the other: neither engine has an array of the other's.

-- name: PaymentsByIDs :many
WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST(sqlc.arg(many) AS BIGINT))
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM n
JOIN payments p ON p.id = SUBSTR(CAST(sqlc.arg(ids) AS TEXT), CAST(36 * n.i + 1 AS INTEGER), 36)
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id);

-- name: EventsOfPayments :many
WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST(sqlc.arg(many) AS BIGINT))
SELECT e.* FROM n JOIN payment_events e ON e.payment_id = SUBSTR(CAST(sqlc.arg(ids) AS TEXT), CAST(36 * n.i + 1 AS INTEGER), 36);
