-- Version 11: how each session went (records.md, Transactions): its current, and when it was paused.

ALTER TABLE transactions ADD COLUMN course TEXT;    -- model.sessions.Course, JSON; null: not watched

CREATE TABLE pauses (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    began TEXT NOT NULL,
    ended TEXT,                     -- null: it lasts, or the session has ended in it
    code TEXT NOT NULL,             -- model.plan.Code
    about TEXT NOT NULL,            -- the group that it was for; empty: none
    PRIMARY KEY (transaction_id, began)
) STRICT, WITHOUT ROWID;
