"""Charge data records that are sent: which sessions are in which file, and what became of it."""

from __future__ import annotations

from array import array

import apsw
import msgspec

from linkray.model.delivery import KEPT_MAX, LISTED_MAX, SESSIONS_MAX, Sending

from .rows import Row, int_of, text_of

_COLUMNS = "id, made, until, sessions, name, by, state, tries, tried, text, place"


def make(db: apsw.Connection, sending: Sending) -> Sending | None:
    """A sending of the oldest sessions that ended before its `until` and belong to none; None where
    there is none. `{n}` in its name is its number.
    """
    which = "delivery IS NULL AND ended < ?"
    found = db.execute(f"SELECT 1 FROM transactions WHERE {which} LIMIT 1",  # noqa: S608
                       (sending.until,))  # fmt: skip  # our own words
    if not list(found):
        return None
    db.execute(
        "INSERT INTO deliveries (made, until, sessions, name, by, state, tries, tried, text, place)"
        " VALUES (?, ?, 0, '', ?, 'waits', 0, '', '', '')",
        (sending.made, sending.until, sending.by),
    )
    number = db.last_insert_rowid()
    db.execute(
        "UPDATE transactions SET delivery = ? WHERE id IN"  # noqa: S608
        f" (SELECT id FROM transactions WHERE {which} ORDER BY ended LIMIT ?)",
        (number, sending.until, SESSIONS_MAX),
    )
    count = db.changes()
    name = sending.name.replace("{n}", f"{number:05}")
    made = msgspec.structs.replace(sending, id=number, sessions=count, name=name)
    keep(db, made)
    db.execute(
        "DELETE FROM deliveries WHERE id <= ? AND state = 'sent'", (number - KEPT_MAX,)
    )
    return made


def keep(db: apsw.Connection, one: Sending) -> None:
    """What a sending has become."""
    db.execute(
        f"INSERT OR REPLACE INTO deliveries ({_COLUMNS})"  # noqa: S608  # our own names
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (one.id, one.made, one.until, one.sessions, one.name, one.by, one.state, one.tries,
         one.tried, one.text, one.place),
    )  # fmt: skip


def newest(db: apsw.Connection) -> tuple[Sending, ...]:
    """Newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM deliveries ORDER BY id DESC LIMIT ?",  # noqa: S608
        (LISTED_MAX,),
    )
    return tuple(_sending(row) for row in rows)


def open_ones(db: apsw.Connection) -> tuple[Sending, ...]:
    """What is not there yet, oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM deliveries WHERE state <> 'sent' ORDER BY id"  # noqa: S608
    )
    return tuple(_sending(row) for row in rows)


def unsent(db: apsw.Connection) -> int:
    """How many sessions have ended and belong to none; no more are counted than one file holds."""
    ((count,),) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM transactions"
        " WHERE delivery IS NULL AND ended IS NOT NULL LIMIT ?)",
        (SESSIONS_MAX,),
    )
    return int_of(count)


def sessions(db: apsw.Connection, number: int) -> array[int]:
    """Those of a sending, in the order in which they ended."""
    found = db.execute(
        "SELECT id FROM transactions WHERE delivery = ? ORDER BY ended, id", (number,)
    )
    return array("q", (int_of(row[0]) for row in found))


def _sending(row: Row) -> Sending:
    return msgspec.convert(
        dict(zip(Sending.__struct_fields__, (
            int_of(row[0]), text_of(row[1]), text_of(row[2]), int_of(row[3]), text_of(row[4]),
            text_of(row[5]), text_of(row[6]), int_of(row[7]), text_of(row[8]), text_of(row[9]),
            text_of(row[10]),
        ), strict=True)), Sending,
    )  # fmt: skip
