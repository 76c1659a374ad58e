-- Version 6: the page of sessions asks for a tag in any case, for the CSMS's number, for a length.

ALTER TABLE transactions ADD COLUMN duration_s INTEGER GENERATED ALWAYS AS (
    max(0, unixepoch(ended) - unixepoch(started))   -- null while it runs
) VIRTUAL;

DROP INDEX transactions_by_tag;
CREATE INDEX transactions_by_tag ON transactions (tag COLLATE NOCASE, ended);
CREATE INDEX transactions_by_csms_id ON transactions (csms_id) WHERE csms_id IS NOT NULL;
