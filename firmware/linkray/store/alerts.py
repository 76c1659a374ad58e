"""The history of faults, as rows: what was raised and cleared outlives a restart."""

from __future__ import annotations

import apsw

from linkray.model.faults import Alert
from linkray.model.records import AlertGone, AlertKept

from .rows import int_of, text_of

_COLUMNS = "id, code, bit, text, since, cleared, times, subject, seen_by, seen_at, detail"


def put(db: apsw.Connection, record: AlertKept | AlertGone) -> None:
    """Write one record down; a repeat changes nothing."""
    if isinstance(record, AlertGone):
        db.execute("DELETE FROM alerts WHERE id = ?", (record.id,))
        return
    one = record.alert
    db.execute(
        f"INSERT OR REPLACE INTO alerts ({_COLUMNS})"  # noqa: S608  # our own names
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (one.id, one.code, one.bit, one.text, one.since, one.cleared, one.times, one.subject,
         one.seen_by, one.seen_at, one.detail),
    )  # fmt: skip


def kept(db: apsw.Connection) -> list[Alert]:
    """All of them, in the order in which they began."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM alerts ORDER BY id")  # noqa: S608
    return [
        Alert(int_of(r[0]), text_of(r[1]), int_of(r[2]), text_of(r[3]), text_of(r[4]),
              None if r[5] is None else text_of(r[5]), int_of(r[6]),
              None if r[7] is None else text_of(r[7]), text_of(r[8]), text_of(r[9]),
              text_of(r[10]))
        for r in rows
    ]  # fmt: skip
