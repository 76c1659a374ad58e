-- Version 5: what was set aside is counted, listed and given up without a look at what waits.

CREATE INDEX outbox_aside ON outbox (number, charger, action) WHERE aside IS NOT NULL;
