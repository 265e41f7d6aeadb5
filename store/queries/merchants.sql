-- name: InsertMerchant :exec
INSERT INTO merchants (id, kind, name, state, min_amount, max_amount, daily_limit, created_at, updated_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: Merchant :one
SELECT * FROM merchants WHERE id = $1;

-- name: MerchantForUpdate :one
SELECT * FROM merchants WHERE id = $1 FOR UPDATE;

-- name: UpdateMerchant :exec
UPDATE merchants SET name = $2, state = $3, min_amount = $4, max_amount = $5, daily_limit = $6, updated_at = $7, version = $8
WHERE id = $1;

-- name: Merchants :many
SELECT * FROM merchants WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(page);

-- name: InsertProfile :exec
INSERT INTO profiles (merchant_id, dialect, public_id, notify_url, success_url, cancel_url, notify_secret)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: UpdateProfile :execrows
UPDATE profiles SET notify_url = $3, success_url = $4, cancel_url = $5, notify_secret = $6
WHERE merchant_id = $1 AND dialect = $2;

-- name: Profile :one
SELECT * FROM profiles WHERE merchant_id = $1 AND dialect = $2;

-- name: ProfileByPublicID :one
SELECT * FROM profiles WHERE public_id = $1 AND dialect = $2;

-- name: ProfilesByPublicID :many
SELECT * FROM profiles WHERE public_id = $1 ORDER BY dialect;

-- name: Profiles :many
SELECT * FROM profiles WHERE merchant_id = $1 ORDER BY dialect;

-- name: InsertKey :exec
INSERT INTO api_keys (id, merchant_id, dialect, key_hash, secret_hash, hint, created_at, revoked_at, secret)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: KeyByHash :one
SELECT * FROM api_keys WHERE key_hash = $1 AND dialect = $2;

-- name: Keys :many
SELECT * FROM api_keys WHERE merchant_id = $1 ORDER BY id;

-- name: NewestKey :one
SELECT * FROM api_keys WHERE merchant_id = sqlc.arg(merchant_id) AND dialect = sqlc.arg(dialect) AND (revoked_at = 0 OR revoked_at > sqlc.arg(now))
ORDER BY id DESC LIMIT 1;

-- name: RevokeKeys :execrows
UPDATE api_keys SET revoked_at = sqlc.arg(revoked_at)
WHERE merchant_id = sqlc.arg(merchant_id) AND dialect = sqlc.arg(dialect) AND id <> sqlc.arg(but) AND (revoked_at = 0 OR revoked_at > sqlc.arg(revoked_at));

-- name: InsertReceivingAccount :exec
INSERT INTO receiving_accounts (id, merchant_id, bin, number, holder, recognise, prefix, enabled, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: ReceivingAccount :one
SELECT * FROM receiving_accounts WHERE id = $1;

-- name: ReceivingAccounts :many
SELECT * FROM receiving_accounts WHERE merchant_id = $1 ORDER BY id;

-- name: ReceivingAccountsByNumber :many
SELECT * FROM receiving_accounts WHERE number = $1 ORDER BY id;

-- name: VirtualAccountOwners :many
SELECT * FROM receiving_accounts WHERE recognise = 'virtual_account' ORDER BY id;

-- name: EnableReceivingAccount :execrows
UPDATE receiving_accounts SET enabled = $2 WHERE id = $1;

-- name: Setting :one
SELECT value FROM settings WHERE name = $1;

-- name: PutSetting :exec
INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: AddSetting :exec
INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING;

-- name: InsertAdminToken :exec
INSERT INTO admin_tokens (id, name, hash, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5);

-- name: AdminTokenByHash :one
SELECT * FROM admin_tokens WHERE hash = $1;

-- name: AdminTokens :many
SELECT * FROM admin_tokens ORDER BY id;

-- name: RevokeAdminToken :execrows
UPDATE admin_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0;

-- name: InsertAudit :exec
INSERT INTO audit_log (id, at, actor, address, act, subject, before, after, number, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: AuditLog :many
SELECT * FROM audit_log WHERE id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page);
