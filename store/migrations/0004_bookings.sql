-- Bookings of vehicles at stations, and the orders that they are paid by (the
-- TTDK Partner API). Ids are the wire's small numbers. Times are milliseconds
-- since 1970 UTC, 0 is never; dates are YYYY-MM-DD in Vietnam; amounts đồng.

CREATE TABLE stations (
    id       BIGINT  PRIMARY KEY,
    code     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    area     TEXT    NOT NULL,
    enabled  BOOLEAN NOT NULL,
    priority BOOLEAN NOT NULL,
    calendar TEXT    NOT NULL
);

CREATE TABLE station_services (
    id         BIGINT  PRIMARY KEY,
    station_id BIGINT  NOT NULL,
    name       TEXT    NOT NULL,
    kind       BIGINT  NOT NULL,
    price      BIGINT  NOT NULL,
    tax_bp     BIGINT  NOT NULL,
    enabled    BOOLEAN NOT NULL
);
CREATE INDEX station_services_station ON station_services (station_id);

CREATE TABLE promotions (
    code       TEXT    PRIMARY KEY,
    percent_bp BIGINT  NOT NULL,
    amount     BIGINT  NOT NULL,
    most       BIGINT  NOT NULL,
    from_at    BIGINT  NOT NULL,
    until_at   BIGINT  NOT NULL,
    enabled    BOOLEAN NOT NULL
);

CREATE TABLE booking_partners (
    merchant_id TEXT   PRIMARY KEY REFERENCES merchants (id),
    station_id  BIGINT NOT NULL,
    per_minute  BIGINT NOT NULL,
    burst       BIGINT NOT NULL
);

CREATE TABLE booking_methods (
    merchant_id TEXT    NOT NULL REFERENCES merchants (id),
    name        TEXT    NOT NULL,
    number      BIGINT  NOT NULL,
    type        BIGINT  NOT NULL,
    pays_by     TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    holder      TEXT    NOT NULL,
    image_url   TEXT    NOT NULL,
    note        TEXT    NOT NULL,
    station_id  BIGINT  NOT NULL,
    enabled     BOOLEAN NOT NULL,
    PRIMARY KEY (merchant_id, name)
);
CREATE UNIQUE INDEX booking_methods_number ON booking_methods (merchant_id, number);

-- The API keys that webhooks are signed over, sealed; api_keys has their hashes.
CREATE TABLE sealed_keys (
    key_id TEXT PRIMARY KEY,
    sealed TEXT NOT NULL
);

-- A token bucket for each API key: until when its tokens are spent, microseconds
-- since 1970 UTC.
CREATE TABLE api_quotas (
    key_id      TEXT   PRIMARY KEY,
    spent_until BIGINT NOT NULL
);

-- One sequence for bookings and orders; it begins with the first.
CREATE TABLE booking_numbers (
    name   TEXT   PRIMARY KEY,
    number BIGINT NOT NULL
);

CREATE TABLE bookings (
    id           BIGINT PRIMARY KEY,
    merchant_id  TEXT   NOT NULL,
    order_id     BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    hash         TEXT   NOT NULL,
    plate        TEXT   NOT NULL,
    plate_color  BIGINT NOT NULL,
    vehicle_type BIGINT NOT NULL,
    phone        TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    email        TEXT   NOT NULL,
    station_id   BIGINT NOT NULL,
    day          TEXT   NOT NULL,
    slot         TEXT   NOT NULL,
    kind         BIGINT NOT NULL,
    note         TEXT   NOT NULL,
    details      TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    held_until   BIGINT NOT NULL,
    -- The plate while the booking is ahead, null otherwise: a vehicle has one at a time.
    hold         TEXT,
    hold_until   BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX bookings_hold ON bookings (hold);
CREATE INDEX bookings_merchant ON bookings (merchant_id, id);
CREATE INDEX bookings_day ON bookings (station_id, day);
CREATE INDEX bookings_phone ON bookings (phone);

CREATE TABLE booking_orders (
    id          BIGINT PRIMARY KEY,
    merchant_id TEXT   NOT NULL,
    code        TEXT   NOT NULL,
    reference   TEXT   NOT NULL,
    booking_id  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    kind        BIGINT NOT NULL,
    lines       TEXT   NOT NULL,
    promotion   TEXT   NOT NULL,
    subtotal    BIGINT NOT NULL,
    discount    BIGINT NOT NULL,
    tax         BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    phone       TEXT   NOT NULL,
    payer       TEXT   NOT NULL,
    offers      BIGINT NOT NULL,
    method      TEXT   NOT NULL,
    method_type BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    canceled_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX booking_orders_code ON booking_orders (merchant_id, code);

-- Confirmations by partners that collected the money themselves.
CREATE TABLE booking_requests (
    merchant_id TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    order_id    BIGINT NOT NULL,
    amount      BIGINT NOT NULL,
    status      TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
CREATE INDEX booking_requests_order ON booking_requests (order_id);

-- What became of bookings and orders besides their payments, as it was then: one
-- row for each outbox item that tells of it.
CREATE TABLE booking_events (
    item_id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    body    TEXT NOT NULL
);
