-- Version 10: the history of faults. Bounded by whoever writes it (upkeep/alerts.py).

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    bit INTEGER NOT NULL,
    text TEXT NOT NULL,
    since TEXT NOT NULL,
    cleared TEXT,                   -- null: it was open when this was written
    times INTEGER NOT NULL,
    subject TEXT,                   -- the charger, if it is about one
    seen_by TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
