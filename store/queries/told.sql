-- What many notices tell, in one statement each. ids is a JSON object whose keys
-- are the ids: of all ways to hand over a list, both engines know json_each.

-- name: PaymentsByIDs :many
SELECT sqlc.embed(p), COALESCE(a.bin, '') AS bin, COALESCE(a.number, '') AS number, COALESCE(a.holder, '') AS holder,
    COALESCE(a.recognise, '') AS recognise, COALESCE(a.prefix, '') AS prefix, COALESCE(f.notify_url, '') AS profile_url
FROM json_each(sqlc.arg(ids)) AS j
JOIN payments p ON p.id = j.key
LEFT JOIN receiving_accounts a ON a.id = p.account_id
LEFT JOIN profiles f ON f.dialect = p.dialect AND f.merchant_id = COALESCE(NULLIF(p.platform_id, ''), p.merchant_id);

-- name: EventsOfPayments :many
SELECT e.* FROM json_each(sqlc.arg(ids)) AS j JOIN payment_events e ON e.payment_id = j.key;
