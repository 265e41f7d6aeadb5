-- One schema for SQLite and PostgreSQL: TEXT, BIGINT, BOOLEAN only. Ids are
-- UUIDv7 made by the program. Times are milliseconds since 1970 UTC, 0 is never.
-- Amounts are đồng.

CREATE TABLE merchants (
    id          TEXT   PRIMARY KEY,
    kind        TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    min_amount  BIGINT NOT NULL,
    max_amount  BIGINT NOT NULL,
    daily_limit BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE TABLE profiles (
    merchant_id   TEXT NOT NULL REFERENCES merchants (id),
    dialect       TEXT NOT NULL,
    public_id     TEXT NOT NULL,
    notify_url    TEXT NOT NULL,
    success_url   TEXT NOT NULL,
    cancel_url    TEXT NOT NULL,
    notify_secret TEXT NOT NULL,
    PRIMARY KEY (merchant_id, dialect)
);
CREATE UNIQUE INDEX profiles_public ON profiles (public_id, dialect);

CREATE TABLE api_keys (
    id          TEXT   PRIMARY KEY,
    merchant_id TEXT   NOT NULL REFERENCES merchants (id),
    dialect     TEXT   NOT NULL,
    key_hash    TEXT   NOT NULL,
    secret_hash TEXT   NOT NULL,
    hint        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (key_hash, dialect);
CREATE INDEX api_keys_merchant ON api_keys (merchant_id);

CREATE TABLE receiving_accounts (
    id          TEXT    PRIMARY KEY,
    merchant_id TEXT    NOT NULL REFERENCES merchants (id),
    bin         TEXT    NOT NULL,
    number      TEXT    NOT NULL,
    holder      TEXT    NOT NULL,
    recognise   TEXT    NOT NULL,
    prefix      TEXT    NOT NULL,
    enabled     BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL
);
CREATE INDEX receiving_accounts_merchant ON receiving_accounts (merchant_id);
CREATE INDEX receiving_accounts_number ON receiving_accounts (number);

CREATE TABLE payments (
    id           TEXT   PRIMARY KEY,
    merchant_id  TEXT   NOT NULL,
    platform_id  TEXT   NOT NULL,
    dialect      TEXT   NOT NULL,
    reference    TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    amount       BIGINT NOT NULL,
    received     BIGINT NOT NULL,
    refunded     BIGINT NOT NULL,
    refunding    BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    method       TEXT   NOT NULL,
    methods      TEXT   NOT NULL,
    account_id   TEXT   NOT NULL,
    match_code   TEXT   NOT NULL,
    description  TEXT   NOT NULL,
    language     TEXT   NOT NULL,
    success_url  TEXT   NOT NULL,
    cancel_url   TEXT   NOT NULL,
    notify_url   TEXT   NOT NULL,
    limit_day    TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    completed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX payments_reference ON payments (merchant_id, dialect, reference);
CREATE UNIQUE INDEX payments_match ON payments (match_code) WHERE match_code <> '';
CREATE INDEX payments_due ON payments (due_at) WHERE state = 'open';

-- Opening is version 1 and has no row here: the payment is its own record.
CREATE TABLE payment_events (
    payment_id   TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    act          TEXT   NOT NULL,
    from_state   TEXT   NOT NULL,
    to_state     TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    credit_id    TEXT   NOT NULL,
    method       TEXT   NOT NULL,
    received     BIGINT NOT NULL,
    refunded     BIGINT NOT NULL,
    refunding    BIGINT NOT NULL,
    completed_at BIGINT NOT NULL,
    PRIMARY KEY (payment_id, version)
);

-- What a merchant with a daily limit has used of it; other merchants have no row.
CREATE TABLE limit_usage (
    merchant_id TEXT   NOT NULL,
    day         TEXT   NOT NULL,
    used        BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, day)
);

CREATE TABLE ledger_entries (
    id         TEXT   PRIMARY KEY,
    kind       TEXT   NOT NULL,
    payment_id TEXT   NOT NULL,
    credit_id  TEXT   NOT NULL,
    actor      TEXT   NOT NULL,
    reason     TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    folded     BOOLEAN NOT NULL
);
CREATE INDEX ledger_entries_payment ON ledger_entries (payment_id);
CREATE INDEX ledger_entries_tail ON ledger_entries (id) WHERE NOT folded;

CREATE TABLE ledger_postings (
    entry_id TEXT   NOT NULL,
    line     BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (entry_id, line)
);

-- Sums of the postings whose entries are folded. A balance is this and the
-- tail, so that no payment ever updates a shared row.
CREATE TABLE ledger_balances (
    account TEXT   PRIMARY KEY,
    debit   BIGINT NOT NULL,
    credit  BIGINT NOT NULL
);

CREATE TABLE bank_feeds (
    name        TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    merchant_id TEXT    NOT NULL,
    secret      TEXT    NOT NULL,
    api         TEXT    NOT NULL,
    enabled     BOOLEAN NOT NULL,
    seen_until  BIGINT  NOT NULL,
    pull_cursor TEXT    NOT NULL,
    pulled_at   BIGINT  NOT NULL,
    pull_error  TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL
);

CREATE TABLE bank_messages (
    id           TEXT   PRIMARY KEY,
    feed         TEXT   NOT NULL,
    body         TEXT   NOT NULL,
    received_at  BIGINT NOT NULL,
    processed_at BIGINT NOT NULL,
    failure      TEXT   NOT NULL
);
CREATE INDEX bank_messages_waiting ON bank_messages (received_at) WHERE processed_at = 0;

CREATE TABLE bank_credits (
    id              TEXT   PRIMARY KEY,
    source          TEXT   NOT NULL,
    external_id     TEXT   NOT NULL,
    print           TEXT,
    bin             TEXT   NOT NULL,
    account         TEXT   NOT NULL,
    virtual_account TEXT   NOT NULL,
    amount          BIGINT NOT NULL,
    currency        TEXT   NOT NULL,
    direction       TEXT   NOT NULL,
    memo            TEXT   NOT NULL,
    reference       TEXT   NOT NULL,
    order_code      TEXT   NOT NULL,
    occurred_at     BIGINT NOT NULL,
    received_at     BIGINT NOT NULL,
    outcome         TEXT   NOT NULL,
    payment_id      TEXT   NOT NULL,
    merchant_id     TEXT   NOT NULL,
    account_id      TEXT   NOT NULL,
    duplicate_of    TEXT   NOT NULL,
    applied         BIGINT NOT NULL,
    unapplied       BIGINT NOT NULL,
    returned        BIGINT NOT NULL,
    explanation     TEXT   NOT NULL
);
CREATE UNIQUE INDEX bank_credits_external ON bank_credits (source, external_id);
-- Null where a transfer is known to be another one of the same look.
CREATE UNIQUE INDEX bank_credits_print ON bank_credits (print);
CREATE INDEX bank_credits_payment ON bank_credits (payment_id) WHERE payment_id <> '';
CREATE INDEX bank_credits_unapplied ON bank_credits (id) WHERE unapplied > 0;

CREATE TABLE outbox_items (
    id          TEXT   PRIMARY KEY,
    kind        TEXT   NOT NULL,
    payment_id  TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    merchant_id TEXT   NOT NULL,
    dialect     TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    lane        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    attempts    BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    lease       TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    last_status BIGINT NOT NULL,
    last_error  TEXT   NOT NULL
);
CREATE INDEX outbox_due ON outbox_items (due_at) WHERE state = 'pending';
CREATE INDEX outbox_payment ON outbox_items (payment_id);

CREATE TABLE outbox_attempts (
    item_id     TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    duration    BIGINT NOT NULL,
    request_id  TEXT   NOT NULL,
    status      BIGINT NOT NULL,
    error       TEXT   NOT NULL,
    answer      TEXT   NOT NULL,
    PRIMARY KEY (item_id, number)
);

CREATE TABLE admin_tokens (
    id         TEXT   PRIMARY KEY,
    name       TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX admin_tokens_hash ON admin_tokens (hash);

CREATE TABLE audit_log (
    id      TEXT   PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    address TEXT   NOT NULL,
    act     TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    before  TEXT   NOT NULL,
    after   TEXT   NOT NULL
);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE refunds (
    id           TEXT   PRIMARY KEY,
    payment_id   TEXT   NOT NULL,
    reference    TEXT   NOT NULL,
    amount       BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    completed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX refunds_reference ON refunds (payment_id, reference);
