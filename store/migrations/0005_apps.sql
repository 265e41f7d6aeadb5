-- Mini apps: orders and what they are made of, who sells, who buys.

-- The id is a number that the platform's clients know as a text.
CREATE TABLE orders (
    id             BIGINT PRIMARY KEY,
    merchant_id    TEXT   NOT NULL,
    dialect        TEXT   NOT NULL,
    customer_id    TEXT   NOT NULL,
    reference      TEXT   NOT NULL,
    extra          TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    details        TEXT   NOT NULL, -- lines and customer, JSON
    shipping_fee   BIGINT NOT NULL,
    total          BIGINT NOT NULL,
    receipt_id     TEXT   NOT NULL,
    receipt_code   TEXT   NOT NULL,
    way            TEXT   NOT NULL,
    payment_id     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    started_at     BIGINT NOT NULL,
    handed_over_at BIGINT NOT NULL,
    completed_at   BIGINT NOT NULL,
    canceled_at    BIGINT NOT NULL,
    note           TEXT   NOT NULL,
    push_page      TEXT   NOT NULL
);
CREATE UNIQUE INDEX orders_receipt ON orders (receipt_code);
CREATE UNIQUE INDEX orders_payment ON orders (payment_id) WHERE payment_id <> '';
CREATE INDEX orders_merchant ON orders (merchant_id, id);

CREATE TABLE sellers (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    active     BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL
);

CREATE TABLE products (
    sku        TEXT    PRIMARY KEY,
    seller_id  TEXT    NOT NULL REFERENCES sellers (id),
    name       TEXT    NOT NULL,
    price      BIGINT  NOT NULL,
    image_url  TEXT    NOT NULL,
    on_sale    BOOLEAN NOT NULL,
    stock      BIGINT  NOT NULL, -- -1 is unlimited
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL
);
CREATE INDEX products_seller ON products (seller_id, sku);

-- What a merchant is as an app in one environment; one without a row has the
-- default settings.
CREATE TABLE apps (
    merchant_id TEXT    PRIMARY KEY REFERENCES merchants (id),
    seller_id   TEXT    NOT NULL,
    order_limit BIGINT  NOT NULL,
    test_result TEXT    NOT NULL,
    offer_cod   BOOLEAN NOT NULL,
    updated_at  BIGINT  NOT NULL
);

CREATE TABLE customers (
    id         BIGINT PRIMARY KEY,
    name       TEXT   NOT NULL,
    phone      TEXT   NOT NULL,
    email      TEXT   NOT NULL,
    avatar_url TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Sign-in codes and tokens, by the hash of their text.
CREATE TABLE grants (
    hash        TEXT   PRIMARY KEY,
    kind        TEXT   NOT NULL,
    app         TEXT   NOT NULL,
    customer_id BIGINT NOT NULL,
    scopes      TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT NOT NULL
);
CREATE INDEX grants_expiry ON grants (expires_at);
