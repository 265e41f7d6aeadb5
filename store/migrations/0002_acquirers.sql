-- Acquirers: connectors, the attempts that payers make through them, refunds.

CREATE TABLE connectors (
    id          TEXT    PRIMARY KEY,
    merchant_id TEXT    NOT NULL REFERENCES merchants (id),
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    methods     TEXT    NOT NULL,
    config      TEXT    NOT NULL,
    priority    BIGINT  NOT NULL,
    enabled     BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);
CREATE INDEX connectors_merchant ON connectors (merchant_id);

CREATE TABLE attempts (
    id           TEXT    PRIMARY KEY,
    payment_id   TEXT    NOT NULL,
    merchant_id  TEXT    NOT NULL,
    number       BIGINT  NOT NULL,
    connector_id TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    method       TEXT    NOT NULL,
    reference    TEXT    NOT NULL,
    external_id  TEXT    NOT NULL,
    amount       BIGINT  NOT NULL,
    state        TEXT    NOT NULL,
    handoff      TEXT    NOT NULL,
    has_left     BOOLEAN NOT NULL,
    review       BOOLEAN NOT NULL,
    code         TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    closed_at    BIGINT  NOT NULL
);
CREATE UNIQUE INDEX attempts_number ON attempts (payment_id, number);
CREATE UNIQUE INDEX attempts_reference ON attempts (connector_id, reference);
CREATE INDEX attempts_review ON attempts (id) WHERE review;

-- Money that came in on other ways than a bank account.
ALTER TABLE bank_credits ADD COLUMN channel TEXT NOT NULL DEFAULT 'bank';
ALTER TABLE bank_credits ADD COLUMN method TEXT NOT NULL DEFAULT 'bank_transfer';

ALTER TABLE payment_events ADD COLUMN refund_id TEXT NOT NULL DEFAULT '';

ALTER TABLE refunds ADD COLUMN credit_id TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN attempt_id TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN connector_id TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN manual BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE refunds ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN external_id TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN failure TEXT NOT NULL DEFAULT '';
ALTER TABLE refunds ADD COLUMN review BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE refunds ADD COLUMN asked BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE refunds ADD COLUMN told BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE refunds ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX refunds_review ON refunds (id) WHERE review;
CREATE INDEX refunds_manual ON refunds (id) WHERE manual AND state = 'processing';
