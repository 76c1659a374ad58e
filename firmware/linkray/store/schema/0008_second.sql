-- Version 8: a second factor for accounts; keys know who made them, and can be off.

ALTER TABLE accounts ADD COLUMN second TEXT NOT NULL DEFAULT '';       -- base32; empty: none
ALTER TABLE accounts ADD COLUMN second_used INTEGER NOT NULL DEFAULT 0; -- the newest code's step
ALTER TABLE keys ADD COLUMN by TEXT NOT NULL DEFAULT '';               -- empty: the command line
ALTER TABLE keys ADD COLUMN off TEXT NOT NULL DEFAULT '';              -- why; empty: on
CREATE INDEX audit_by_time ON audit (at);
