-- Version 7: the list of tags (access.md, RFID).

CREATE TABLE tags (
    key TEXT PRIMARY KEY,           -- the tag as it is compared: without case
    tag TEXT NOT NULL,              -- as it was given
    name TEXT NOT NULL,
    type TEXT NOT NULL,             -- User, VIP or Admin
    allowed INTEGER NOT NULL,
    expires TEXT                    -- the first moment at which it holds no more; NULL: always
) STRICT, WITHOUT ROWID;
