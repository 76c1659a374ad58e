"""Charge data records that are sent: which sessions are in which file, and what became of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import apsw
import msgspec

from linkray.model.delivery import KEPT_MAX, LISTED_MAX, SESSIONS_MAX, Sending

from .rows import Row, int_of, text_of

NUMBER_MAX = 2**31  # a higher one is a flipped bit
TAKEN_AT_ONCE = 500  # in one commit: whoever has something to write waits no longer
COLUMNS = "id, made, until, sessions, name, by, state, tries, tried, text, place"


class Found(msgspec.Struct, frozen=True):
    """What could be read of another database's sendings: their rows, the highest number that was
    given (0: nobody knows), and of sessions their id and the number of their sending.
    """

    rows: tuple[Row, ...] = ()
    newest: int = 0
    of: tuple[tuple[int, int], ...] = ()


def take(db: apsw.Connection, sending: Sending) -> Sending | None:
    """The oldest sessions that ended before its `until` and belong to none are taken into a
    sending, `TAKEN_AT_ONCE` at most; None where there is none and it has none. One without a number
    is given its own, which stands for `{n}` in its name.
    """
    most = min(TAKEN_AT_ONCE, SESSIONS_MAX - sending.sessions)
    found = [int_of(row[0]) for row in db.execute(
        "SELECT id FROM transactions WHERE delivery IS NULL AND ended < ? ORDER BY ended LIMIT ?",
        (sending.until, most),
    )]  # fmt: skip
    if not sending.id and not found:
        return None
    if not sending.id:
        db.execute("INSERT INTO deliveries (made, until, sessions, name, by, state, tries, tried,"
                   " text, place) VALUES ('', '', 0, '', '', '', 0, '', '', '')")  # fmt: skip
        number = db.last_insert_rowid()
        name = sending.name.replace("{n}", f"{number:05}")
        sending = msgspec.structs.replace(sending, id=number, name=name)
    db.executemany(
        "UPDATE transactions SET delivery = ? WHERE id = ?", [(sending.id, one) for one in found]
    )
    taken = msgspec.structs.replace(sending, sessions=sending.sessions + len(found))
    keep(db, taken)
    db.execute(
        "DELETE FROM deliveries WHERE id <= ? AND state = 'sent'", (taken.id - KEPT_MAX,)
    )
    return taken


def keep(db: apsw.Connection, one: Sending) -> None:
    """What a sending has become."""
    db.execute(
        f"INSERT OR REPLACE INTO deliveries ({COLUMNS})"  # noqa: S608  # our own names
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (one.id, one.made, one.until, one.sessions, one.name, one.by, one.state, one.tries,
         one.tried, one.text, one.place),
    )  # fmt: skip


def newest(db: apsw.Connection) -> tuple[Sending, ...]:
    """Newest first."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM deliveries ORDER BY id DESC LIMIT ?",  # noqa: S608
        (LISTED_MAX,),
    )
    return tuple(sending_of(row) for row in rows)


def open_ones(db: apsw.Connection) -> tuple[Sending, ...]:
    """What is not there yet, oldest first."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM deliveries WHERE state <> 'sent' ORDER BY id"  # noqa: S608
    )
    return tuple(sending_of(row) for row in rows)


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


# -- one database in another's place ---------------------------------------------------------------


def last(db: apsw.Connection) -> int:
    """The highest number that was given."""
    found = list(db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'"))
    return int_of(found[0][0]) if found else 0


def undelivered(db: apsw.Connection) -> Iterator[int]:
    """The sessions that belong to none."""
    for row in db.execute("SELECT id FROM transactions WHERE delivery IS NULL"):
        yield int_of(row[0])


def take_found(db: apsw.Connection, found: Found, known: int) -> None:
    """What was found takes its place beside the copy's, of which `known` is the last; no number
    that a session was found with is given again.

    A session whose sending is not there, and was not let go because it is sent for long, belongs to
    none: it is sent again rather than never.
    """
    with db:
        db.executemany(
            f"INSERT OR REPLACE INTO deliveries ({COLUMNS})"  # noqa: S608  # our own names
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", found.rows,
        )  # fmt: skip
        db.executemany("UPDATE transactions SET delivery = ? WHERE id = ? AND delivery IS NULL",
                       [(number, session) for session, number in found.of])  # fmt: skip
        ((highest,),) = db.execute(
            "SELECT coalesce(max(delivery), 0) FROM transactions WHERE delivery <= ?", (NUMBER_MAX,)
        )
        newest = max(last(db), found.newest, int_of(highest))
        db.execute(
            "UPDATE transactions SET delivery = NULL WHERE (delivery > ? OR delivery < 1)"
            " AND delivery NOT IN (SELECT id FROM deliveries)",
            (max(known, found.newest - KEPT_MAX),),
        )
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'deliveries'")
        db.execute("INSERT INTO sqlite_sequence VALUES ('deliveries', ?)", (newest,))


def sending_of(row: Row) -> Sending:
    return msgspec.convert(
        dict(zip(Sending.__struct_fields__, (
            int_of(row[0]), text_of(row[1]), text_of(row[2]), int_of(row[3]), text_of(row[4]),
            text_of(row[5]), text_of(row[6]), int_of(row[7]), text_of(row[8]), text_of(row[9]),
            text_of(row[10]),
        ), strict=True)), Sending,
    )  # fmt: skip
