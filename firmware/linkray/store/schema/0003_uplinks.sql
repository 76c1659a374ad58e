-- Version 3: what waits for the CSMS, and whose number is whose (csms.md).

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order in which chargers said it
    charger TEXT NOT NULL,
    csms TEXT NOT NULL,             -- the address it is for (trust.md K13)
    message_id TEXT NOT NULL,       -- the same whenever it is sent (trust.md K5)
    action TEXT NOT NULL,
    payload TEXT NOT NULL,          -- as the charger wrote it
    transaction_id INTEGER NOT NULL,    -- ours; 0: of none that we know
    at TEXT NOT NULL,
    aside TEXT,                     -- why the CSMS does not take it (trust.md K6)
    aside_at TEXT
) STRICT;

CREATE INDEX outbox_of_charger ON outbox (charger, csms, number) WHERE aside IS NULL;

CREATE INDEX outbox_of_transaction ON outbox (transaction_id);

ALTER TABLE transactions ADD COLUMN csms_id INTEGER;
ALTER TABLE transactions ADD COLUMN at_charger INTEGER;     -- what its charger was told to call it

CREATE TABLE uplinks (
    charger TEXT PRIMARY KEY,
    kept TEXT NOT NULL              -- UplinkKept, JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE tags_accepted (
    tag TEXT PRIMARY KEY,           -- casefolded
    at TEXT NOT NULL                -- when the CSMS accepted it last
) STRICT, WITHOUT ROWID;
