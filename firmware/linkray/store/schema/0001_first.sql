-- Version 1: what survives. Times are UTC, ISO 8601 with milliseconds and Z; energy is Wh.

CREATE TABLE settings (
    revision INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    tree TEXT NOT NULL,             -- the whole settings file, JSON
    digest TEXT NOT NULL            -- SHA-256 of tree: half a tree is seen (trust.md P6)
) STRICT;

CREATE TABLE transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice, whatever is deleted
    charger TEXT NOT NULL,
    connector INTEGER NOT NULL,
    tag TEXT NOT NULL,
    friendly_name TEXT NOT NULL,
    authorised_by TEXT NOT NULL,
    started TEXT NOT NULL,
    given TEXT NOT NULL,            -- the start's timestamp as the charger wrote it
    meter_start_wh INTEGER NOT NULL,
    meter_last_wh INTEGER,
    ended TEXT,
    stop_given TEXT,                -- the stop's timestamp as written; empty: ended by LinkRay
    stop_of INTEGER,                -- the id named by a stop that we never gave (trust.md C18)
    reason TEXT,
    finished INTEGER NOT NULL DEFAULT 0,
    incomplete INTEGER NOT NULL DEFAULT 0,
    flagged INTEGER NOT NULL DEFAULT 0,
    energy_wh INTEGER GENERATED ALWAYS AS (
        CAST(max(0, coalesce(meter_last_wh, meter_start_wh) - meter_start_wh) AS INTEGER)
    ) VIRTUAL
) STRICT;

CREATE INDEX transactions_of_charger ON transactions (charger, id);
CREATE INDEX transactions_running ON transactions (id) WHERE finished = 0;
CREATE INDEX transactions_by_start ON transactions (started);
CREATE INDEX transactions_by_end ON transactions (ended);
CREATE INDEX transactions_by_tag ON transactions (tag, started);
CREATE UNIQUE INDEX stops_unknown
    ON transactions (charger, stop_of, stop_given, meter_last_wh, tag) WHERE incomplete = 1;

-- The newest register of each quarter of an hour: 15-minute energies, and the day's total.
CREATE TABLE samples (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    slot INTEGER NOT NULL,          -- quarters since 1970
    at TEXT NOT NULL,
    register_wh INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE chargers_seen (
    charger TEXT PRIMARY KEY,
    told TEXT NOT NULL              -- ChargerSeen, JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE tags_rejected (
    id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL,
    charger TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

CREATE TABLE kv (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    level INTEGER NOT NULL,
    hash TEXT NOT NULL,             -- Argon2id; empty: closed
    first INTEGER NOT NULL,         -- the printed password is still in force
    changed TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    digest TEXT PRIMARY KEY,        -- SHA-256 of the key, hex
    scope TEXT NOT NULL,
    expires TEXT NOT NULL,
    name TEXT NOT NULL,
    made TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    level INTEGER NOT NULL,
    source TEXT NOT NULL,
    what TEXT NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    hash TEXT NOT NULL              -- over the line and the hash before it (trust.md A48)
) STRICT;

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
