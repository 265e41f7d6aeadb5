-- The secret of a key pair that its owner signs with, sealed; '' where the
-- owner sends it and its hash is enough.
ALTER TABLE api_keys ADD COLUMN secret TEXT NOT NULL DEFAULT '';

CREATE TABLE terminals (
    id            TEXT   PRIMARY KEY,
    merchant_id   TEXT   NOT NULL REFERENCES merchants (id),
    public_id     TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    city          TEXT   NOT NULL,
    label         TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    methods       TEXT   NOT NULL,
    max_amount    BIGINT NOT NULL,
    daily_limit   BIGINT NOT NULL,
    monthly_limit BIGINT NOT NULL,
    batch_limit   BIGINT NOT NULL,
    sale_id       TEXT   NOT NULL,
    batch         BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL
);
CREATE UNIQUE INDEX terminals_public ON terminals (public_id);
CREATE INDEX terminals_merchant ON terminals (merchant_id);

CREATE TABLE terminal_keys (
    id          TEXT   PRIMARY KEY,
    terminal_id TEXT   NOT NULL REFERENCES terminals (id),
    hash        TEXT   NOT NULL,
    hint        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX terminal_keys_hash ON terminal_keys (hash);
CREATE INDEX terminal_keys_terminal ON terminal_keys (terminal_id);

-- What a terminal adds to a payment. batch is 0 until a card sale is approved.
CREATE TABLE sales (
    payment_id  TEXT   PRIMARY KEY,
    terminal_id TEXT   NOT NULL,
    merchant_id TEXT   NOT NULL,
    dialect     TEXT   NOT NULL,
    method      TEXT   NOT NULL,
    phone       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    reference   TEXT   NOT NULL,
    approval    TEXT   NOT NULL,
    scheme      TEXT   NOT NULL,
    card        TEXT   NOT NULL,
    batch       BIGINT NOT NULL,
    fetched_at  BIGINT NOT NULL,
    reported_at BIGINT NOT NULL,
    settled_at  BIGINT NOT NULL
);
CREATE INDEX sales_terminal ON sales (terminal_id, payment_id);
CREATE INDEX sales_merchant ON sales (merchant_id, dialect, payment_id);
CREATE INDEX sales_batch ON sales (terminal_id, batch) WHERE batch > 0;
-- Sales that a device has fetched and not told of.
CREATE INDEX sales_fetched ON sales (fetched_at) WHERE fetched_at > 0 AND reported_at = 0;

CREATE TABLE terminal_batches (
    terminal_id TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    sales       BIGINT NOT NULL,
    amount      BIGINT NOT NULL,
    settled_at  BIGINT NOT NULL,
    PRIMARY KEY (terminal_id, number)
);
