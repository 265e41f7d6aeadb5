-- name: PutStation :exec
INSERT INTO stations (id, code, name, address, area, enabled, priority, calendar) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET code = excluded.code, name = excluded.name, address = excluded.address, area = excluded.area,
    enabled = excluded.enabled, priority = excluded.priority, calendar = excluded.calendar;

-- name: Station :one
SELECT * FROM stations WHERE id = $1;

-- name: StationForUpdate :one
SELECT * FROM stations WHERE id = $1 FOR UPDATE;

-- name: Stations :many
SELECT * FROM stations ORDER BY id;

-- name: PutStationService :exec
INSERT INTO station_services (id, station_id, name, kind, price, tax_bp, enabled) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, price = excluded.price, tax_bp = excluded.tax_bp, enabled = excluded.enabled;

-- name: StationService :one
SELECT * FROM station_services WHERE id = $1;

-- name: StationServices :many
SELECT * FROM station_services WHERE station_id = $1 ORDER BY id;

-- name: PutPromotion :exec
INSERT INTO promotions (code, percent_bp, amount, most, from_at, until_at, enabled) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (code) DO UPDATE SET percent_bp = excluded.percent_bp, amount = excluded.amount, most = excluded.most,
    from_at = excluded.from_at, until_at = excluded.until_at, enabled = excluded.enabled;

-- name: Promotion :one
SELECT * FROM promotions WHERE code = $1;

-- name: Promotions :many
SELECT * FROM promotions ORDER BY code;

-- name: PutBookingPartner :exec
INSERT INTO booking_partners (merchant_id, station_id, per_minute, burst) VALUES ($1, $2, $3, $4)
ON CONFLICT (merchant_id) DO UPDATE SET station_id = excluded.station_id, per_minute = excluded.per_minute, burst = excluded.burst;

-- name: BookingPartner :one
SELECT * FROM booking_partners WHERE merchant_id = $1;

-- name: PutBookingMethod :exec
INSERT INTO booking_methods (merchant_id, name, number, type, pays_by, title, account, holder, image_url, note, station_id, enabled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (merchant_id, name) DO UPDATE SET number = excluded.number, type = excluded.type, pays_by = excluded.pays_by, title = excluded.title,
    account = excluded.account, holder = excluded.holder, image_url = excluded.image_url, note = excluded.note, station_id = excluded.station_id,
    enabled = excluded.enabled;

-- name: DeleteBookingMethod :execrows
DELETE FROM booking_methods WHERE merchant_id = $1 AND name = $2;

-- name: BookingMethods :many
SELECT * FROM booking_methods WHERE merchant_id = $1 ORDER BY number;

-- name: PutSealedKey :exec
INSERT INTO sealed_keys (key_id, sealed) VALUES ($1, $2);

-- name: NewestSealedKey :one
SELECT k.id, s.sealed FROM api_keys k JOIN sealed_keys s ON s.key_id = k.id
WHERE k.merchant_id = sqlc.arg(merchant_id) AND k.dialect = sqlc.arg(dialect) AND (k.revoked_at = 0 OR k.revoked_at > sqlc.arg(now))
ORDER BY k.id DESC LIMIT 1;

-- name: RevokeKey :execrows
UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND merchant_id = $2 AND (revoked_at = 0 OR revoked_at > $3);

-- name: TakeKeyQuota :execrows
-- A bucket as the moment until which its tokens are spent: a call moves it on by
-- one interval, unless that would be further ahead than a full bucket lasts.
INSERT INTO api_quotas (key_id, spent_until) VALUES (sqlc.arg(key_id), CAST(sqlc.arg(now) AS BIGINT) + CAST(sqlc.arg(one) AS BIGINT))
ON CONFLICT (key_id) DO UPDATE SET spent_until =
    CASE WHEN api_quotas.spent_until > CAST(sqlc.arg(now) AS BIGINT) THEN api_quotas.spent_until ELSE CAST(sqlc.arg(now) AS BIGINT) END + CAST(sqlc.arg(one) AS BIGINT)
WHERE api_quotas.spent_until <= CAST(sqlc.arg(limit_at) AS BIGINT) - CAST(sqlc.arg(one) AS BIGINT);

-- name: KeyQuota :one
SELECT spent_until FROM api_quotas WHERE key_id = $1;

-- name: NextNumber :one
-- Numbers below the first are an operator's to give.
INSERT INTO booking_numbers (name, number) VALUES ('bookings', sqlc.arg(first))
ON CONFLICT (name) DO UPDATE SET number = booking_numbers.number + 1
RETURNING number;

-- name: InsertBooking :execrows
INSERT INTO bookings (id, merchant_id, order_id, version, hash, plate, plate_color, vehicle_type, phone, name, email, station_id, day, slot, kind, note,
    details, status, reason, held_until, hold, hold_until, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT DO NOTHING;

-- name: FreePlate :exec
UPDATE bookings SET hold = NULL WHERE hold = sqlc.arg(plate) AND hold_until <= sqlc.arg(now);

-- name: Booking :one
SELECT * FROM bookings WHERE id = $1;

-- name: BookingForUpdate :one
SELECT * FROM bookings WHERE id = $1 FOR UPDATE;

-- name: UpdateBooking :execrows
UPDATE bookings SET version = $2, station_id = $3, status = $4, reason = $5, held_until = $6, hold = $7, updated_at = $8
WHERE id = $1 AND version = $2 - 1;

-- name: SearchBookings :many
SELECT * FROM bookings
WHERE (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
  AND (CAST(sqlc.arg(phone) AS TEXT) = '' OR phone = sqlc.arg(phone))
  AND (CAST(sqlc.arg(status) AS TEXT) = '' OR status = sqlc.arg(status))
  AND (CAST(sqlc.arg(station_id) AS BIGINT) = 0 OR station_id = sqlc.arg(station_id))
ORDER BY id DESC LIMIT sqlc.arg(page) OFFSET sqlc.arg(skip);

-- name: CountBookings :one
SELECT COUNT(*) FROM bookings
WHERE (CAST(sqlc.arg(merchant_id) AS TEXT) = '' OR merchant_id = sqlc.arg(merchant_id))
  AND (CAST(sqlc.arg(phone) AS TEXT) = '' OR phone = sqlc.arg(phone))
  AND (CAST(sqlc.arg(status) AS TEXT) = '' OR status = sqlc.arg(status))
  AND (CAST(sqlc.arg(station_id) AS BIGINT) = 0 OR station_id = sqlc.arg(station_id));

-- name: Occupied :many
-- How many places of each slot are taken. A booking that is to be paid first
-- keeps its place for a while, and for good once it is paid.
SELECT b.day, b.slot, COUNT(*) AS taken FROM bookings b
LEFT JOIN booking_orders o ON o.id = b.order_id
LEFT JOIN payments p ON p.merchant_id = o.merchant_id AND p.dialect = sqlc.arg(dialect) AND p.reference = o.reference
WHERE b.station_id = sqlc.arg(station_id) AND b.day >= sqlc.arg(from_day) AND b.day <= sqlc.arg(until_day) AND b.status <> 'canceled'
  AND (b.held_until = 0 OR b.held_until > sqlc.arg(now) OR p.state = 'approved')
GROUP BY b.day, b.slot;

-- name: CountOpenOfPhone :one
SELECT COUNT(*) FROM bookings WHERE phone = sqlc.arg(phone) AND hold IS NOT NULL AND hold_until > sqlc.arg(now);

-- name: InsertBookingOrder :execrows
INSERT INTO booking_orders (id, merchant_id, code, reference, booking_id, version, name, kind, lines, promotion, subtotal, discount, tax, total, phone, payer,
    offers, method, method_type, created_at, updated_at, canceled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT DO NOTHING;

-- name: BookingOrder :one
SELECT * FROM booking_orders WHERE id = $1;

-- name: BookingOrderForUpdate :one
SELECT * FROM booking_orders WHERE id = $1 FOR UPDATE;

-- name: BookingOrderByCode :one
SELECT * FROM booking_orders WHERE merchant_id = $1 AND code = $2;

-- name: UpdateBookingOrder :execrows
UPDATE booking_orders SET version = $2, reference = $3, lines = $4, promotion = $5, subtotal = $6, discount = $7, tax = $8, total = $9, offers = $10,
    method = $11, method_type = $12, updated_at = $13, canceled_at = $14
WHERE id = $1 AND version = $2 - 1;

-- name: LockPaymentOfOrder :one
SELECT p.id FROM booking_orders o JOIN payments p ON p.merchant_id = o.merchant_id AND p.dialect = sqlc.arg(dialect) AND p.reference = o.reference
WHERE o.id = sqlc.arg(id) FOR UPDATE OF p;

-- name: InsertBookingRequest :execrows
INSERT INTO booking_requests (merchant_id, id, order_id, amount, status, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (merchant_id, id) DO UPDATE SET status = excluded.status, at = excluded.at
WHERE booking_requests.order_id = excluded.order_id AND booking_requests.amount = excluded.amount;

-- name: BookingRequest :one
SELECT * FROM booking_requests WHERE merchant_id = $1 AND id = $2;

-- name: InsertBookingEvent :exec
INSERT INTO booking_events (item_id, subject, body) VALUES ($1, $2, $3);

-- name: BookingEvent :one
SELECT * FROM booking_events WHERE item_id = $1;
