-- Version 5: what was set aside is counted, listed, weighed and given up without a look at the rows
-- themselves, or at what waits. In words that SQLite 3.40 knows too, for tools that look into it.

CREATE INDEX outbox_aside
    ON outbox (number, charger, action, transaction_id, csms, length(CAST(payload AS BLOB)))
    WHERE aside IS NOT NULL;
