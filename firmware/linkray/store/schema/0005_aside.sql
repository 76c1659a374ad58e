-- Version 5: what was set aside is counted, listed, weighed and given up without a look at the rows
-- themselves, or at what waits.

CREATE INDEX outbox_aside
    ON outbox (number, charger, action, transaction_id, csms, octet_length(payload))
    WHERE aside IS NOT NULL;
