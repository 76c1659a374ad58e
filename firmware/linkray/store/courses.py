"""How sessions went, as rows: their currents and their pauses (records.md, Transactions)."""

from __future__ import annotations

import apsw
import msgspec

from linkray.model.records import SessionWent
from linkray.model.sessions import Course, Pause

from .rows import Row, SQLiteValue, int_of, text_of

PAUSES = "began, ended, code, about"


def put(db: apsw.Connection, went: SessionWent) -> None:
    """Write one record down; a repeat changes nothing. Of a session that is not there: nothing."""
    course = msgspec.json.encode(went.course).decode()
    db.execute("UPDATE transactions SET course = ? WHERE id = ?", (course, went.id))
    if not db.changes():
        return
    for one in went.pauses:
        db.execute(
            "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?, ?)",
            (went.id, one.began, one.ended, one.code, one.group),
        )


def merged(before: SessionWent | None, newer: SessionWent) -> SessionWent:
    """Two words of one session as one: the newer course, and every pause as it was told last."""
    if before is None:
        return newer
    told = {one.began: one for one in (*before.pauses, *newer.pauses)}
    return SessionWent(newer.id, newer.course, tuple(told.values()))


def running(db: apsw.Connection) -> list[tuple[int, Course, Pause | None]]:
    """Of each session that runs: its number, how it went so far, and the pause that it is in."""
    rows = list(db.execute("SELECT id, course FROM transactions WHERE finished = 0"))
    return [
        (int_of(number), course_of(course) or Course(), _open(db, int_of(number)))
        for number, course in rows
    ]


def _open(db: apsw.Connection, number: int) -> Pause | None:
    rows = db.execute(
        f"SELECT {PAUSES} FROM pauses WHERE transaction_id = ? AND ended IS NULL"  # noqa: S608
        " ORDER BY began DESC LIMIT 1",
        (number,),
    )
    return next((pause_of(row) for row in rows), None)


def pauses(db: apsw.Connection, number: int) -> tuple[Pause, ...]:
    """All of a session, oldest first; one that was left open has ended with it."""
    rows = db.execute(
        "SELECT began, coalesce(pauses.ended, transactions.ended), code, about"
        " FROM pauses JOIN transactions ON id = transaction_id"
        " WHERE transaction_id = ? ORDER BY began",
        (number,),
    )
    return tuple(map(pause_of, rows))


def pause_of(row: Row) -> Pause:
    """A row of `PAUSES`."""
    began, ended, code, group = row
    return Pause(
        text_of(began), None if ended is None else text_of(ended), text_of(code), text_of(group)
    )


def course_of(kept: SQLiteValue) -> Course | None:
    """None: it was not watched, or what is kept makes no sense."""
    try:
        return None if kept is None else msgspec.json.decode(text_of(kept), type=Course)
    except msgspec.MsgspecError:
        return None
