-- name: InsertSeller :exec
INSERT INTO sellers (id, name, active, created_at) VALUES ($1, $2, $3, $4);

-- name: Seller :one
SELECT * FROM sellers WHERE id = $1;

-- name: SellerForUpdate :one
SELECT * FROM sellers WHERE id = $1 FOR UPDATE;

-- name: Sellers :many
SELECT * FROM sellers WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(page);

-- name: UpdateSeller :exec
UPDATE sellers SET name = $2, active = $3 WHERE id = $1;

-- name: InsertProduct :execrows
INSERT INTO products (sku, seller_id, name, price, image_url, on_sale, stock, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING;

-- name: Product :one
SELECT * FROM products WHERE sku = $1;

-- name: ProductForUpdate :one
SELECT * FROM products WHERE sku = $1 FOR UPDATE;

-- name: Products :many
SELECT * FROM products
WHERE sku > sqlc.arg(after) AND (CAST(sqlc.arg(seller_id) AS TEXT) = '' OR seller_id = sqlc.arg(seller_id))
ORDER BY sku LIMIT sqlc.arg(page);

-- name: UpdateProduct :exec
UPDATE products SET name = $2, price = $3, image_url = $4, on_sale = $5, stock = $6, updated_at = $7 WHERE sku = $1;

-- name: DeleteProduct :execrows
DELETE FROM products WHERE sku = $1;

-- name: App :one
SELECT * FROM apps WHERE merchant_id = $1;

-- name: PutApp :exec
INSERT INTO apps (merchant_id, seller_id, order_limit, test_result, offer_cod, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (merchant_id) DO UPDATE SET seller_id = excluded.seller_id, order_limit = excluded.order_limit,
    test_result = excluded.test_result, offer_cod = excluded.offer_cod, updated_at = excluded.updated_at;

-- name: InsertCustomer :execrows
INSERT INTO customers (id, name, phone, email, avatar_url, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING;

-- name: Customer :one
SELECT * FROM customers WHERE id = $1;

-- name: Customers :many
SELECT * FROM customers WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(page);

-- name: InsertGrant :exec
INSERT INTO grants (hash, kind, app, customer_id, scopes, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: Grant :one
SELECT * FROM grants WHERE hash = $1;

-- Only the first who uses a grant changes a row.

-- name: UseGrant :execrows
UPDATE grants SET used_at = sqlc.arg(used_at)
WHERE hash = sqlc.arg(hash) AND used_at = 0;

-- name: DropGrants :execrows
DELETE FROM grants WHERE expires_at < sqlc.arg(expired);
