-- Version 9: the site's past (metering.md, History). A row is a quarter of an hour, counted since
-- 1970; how its words are packed is in store/history.py.

CREATE TABLE history_points (        -- connectors, by the number that stands for them in a row
    number INTEGER PRIMARY KEY,
    charger TEXT NOT NULL,
    connector INTEGER NOT NULL,
    UNIQUE (charger, connector)
) STRICT;

CREATE TABLE history_minutes (       -- of 31 days: the minutes of each quarter
    quarter INTEGER PRIMARY KEY,
    minutes BLOB NOT NULL
) STRICT;

CREATE TABLE history_quarters (      -- of two years: what is older, as one mean
    quarter INTEGER PRIMARY KEY,
    mean BLOB NOT NULL
) STRICT;
