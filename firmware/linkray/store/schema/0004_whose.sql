-- Version 4: whose a transaction is. Its number (csms_id) holds at that CSMS, and what follows its
-- start is said to that one and to no other (trust.md K13).

ALTER TABLE transactions ADD COLUMN csms TEXT NOT NULL DEFAULT '';  -- empty: no CSMS has its start

UPDATE transactions SET csms = coalesce(
    (SELECT csms FROM outbox WHERE transaction_id = transactions.id
        AND action = 'StartTransaction' ORDER BY number LIMIT 1),
    CASE WHEN csms_id IS NOT NULL THEN coalesce(
        (SELECT CASE WHEN json_valid(kept) THEN nullif(json_extract(kept, '$.csms'), '') END
            FROM uplinks WHERE uplinks.charger = transactions.charger),
        (SELECT csms FROM outbox WHERE transaction_id = transactions.id ORDER BY number LIMIT 1)
    ) END,
    '');
