-- Version 12: charge data records that are sent (records.md, Transactions). A session belongs to one
-- sending for good, so that nothing is sent again under another name.

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    made TEXT NOT NULL,
    until TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    name TEXT NOT NULL,
    by TEXT NOT NULL,               -- empty: it was its time
    state TEXT NOT NULL,            -- waits, sent, failed
    tries INTEGER NOT NULL,
    tried TEXT NOT NULL,
    text TEXT NOT NULL,
    place TEXT NOT NULL
) STRICT;

ALTER TABLE transactions ADD COLUMN delivery INTEGER;   -- null: in none yet
CREATE INDEX transactions_by_delivery ON transactions (delivery, ended);
