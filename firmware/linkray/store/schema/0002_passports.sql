-- Version 2: what was found out of each make, with its evidence (chargers.md, Passport).

CREATE TABLE passport_findings (
    vendor TEXT NOT NULL,
    model TEXT NOT NULL,
    firmware TEXT NOT NULL,
    what TEXT NOT NULL,
    about TEXT NOT NULL,            -- a form's key, or the charger that the finding counts for
    found TEXT NOT NULL,
    at TEXT NOT NULL,
    charger TEXT NOT NULL,          -- where it was found
    offered TEXT NOT NULL,
    measured TEXT NOT NULL,
    PRIMARY KEY (vendor, model, firmware, what, about)
) STRICT, WITHOUT ROWID;
