"""The kept transactions by filter, order and page: the one query behind page and files.

Every function reads for a moment and ends: whoever holds a database open for reading keeps its log
from being emptied, and control must never wait for a viewer (house.md, Two processes).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import apsw

from linkray.model.sessions import (
    Course,
    Measured,
    Order,
    Sample,
    Selection,
    SessionRow,
    SessionSums,
)

from .courses import course_of
from .rows import Row, SQLiteValue, int_of, text_of

ROW = (
    "id, charger, friendly_name, connector, tag, started, ended,"
    " coalesce(duration_s, max(0, unixepoch(:now) - unixepoch(started))), energy_wh, finished,"
    " reason, authorised_by, csms_id, incomplete, flagged, course"
)
#: What each column sorts by. One that runs ends after all others.
KEYS = {
    "id": "id",
    "started": "started",
    "ended": "coalesce(ended, '~')",
    "duration": "coalesce(duration_s, max(0, unixepoch(:now) - unixepoch(started)))",
    "energy": "energy_wh",
    "tag": "tag COLLATE NOCASE",
    "charger": "charger COLLATE NOCASE",
    "name": "friendly_name COLLATE NOCASE",
    "finished": "finished",
}
NAMES = ("CAST(id AS TEXT)", "tag", "charger", "friendly_name")
INT64_MAX = 2**63 - 1

Key = tuple[str | int, int]  # what a row sorts by, and its id
Values = dict[str, SQLiteValue]


def page(
    db: apsw.Connection, which: Selection, order: Order, limit: int, after: Key | None
) -> tuple[list[SessionRow], Key | None]:
    """So many rows behind `after`, and the key that the next page begins behind; None: no more."""
    key = KEYS[order.column]
    where, values = condition(which)
    way, sign = ("DESC", "<") if order.descending else ("ASC", ">")
    if after is not None:
        where = f"({where}) AND ({key}, id) {sign} (:at, :id)"
        values |= {"at": after[0], "id": after[1]}
    found = list(db.execute(  # narrow ones: what is sorted is carried about
        f"SELECT id, {key} FROM transactions WHERE {where}"  # noqa: S608  # our own words
        f" ORDER BY {key} {way}, id {way} LIMIT :limit",
        values | {"limit": limit + 1, "now": which.now},
    ))  # fmt: skip
    rows = [one.row for one in measured(
        db, [int_of(row[0]) for row in found[:limit]], which.now, samples=False
    )]  # fmt: skip
    if len(found) <= limit:
        return rows, None
    number, at = found[limit - 1]
    assert isinstance(at, int | str)  # STRICT tables hold what they say
    return rows, (at, int_of(number))


def sums(db: apsw.Connection, which: Selection) -> SessionSums:
    """Count and energy of the whole selection."""
    where, values = condition(which)
    ((count, energy_wh),) = db.execute(
        "SELECT count(*), coalesce(sum(energy_wh), 0) FROM transactions"  # noqa: S608
        f" WHERE {where}",
        values,
    )
    return SessionSums(int_of(count), int_of(energy_wh))


def ids(db: apsw.Connection, which: Selection, *orders: Order) -> array[int]:
    """The whole selection in order, eight bytes each: what a file is then made of, piece by piece.

    By several orders: the first decides, the next between equals.
    """
    where, values = condition(which)
    by = ", ".join(f"{KEYS[o.column]} {'DESC' if o.descending else 'ASC'}" for o in orders)
    last = "DESC" if orders[-1].descending else "ASC"
    found = db.execute(
        f"SELECT id FROM transactions WHERE {where} ORDER BY {by}, id {last}",  # noqa: S608
        values | {"now": which.now},
    )
    return array("q", (int_of(row[0]) for row in found))


def measured(
    db: apsw.Connection, wanted: Sequence[int], now: str, *, samples: bool
) -> list[Measured]:
    """These transactions in their order, with their registers where `samples`."""
    marks = ",".join("?" * len(wanted))
    rows = {
        int_of(row[0]): row
        for row in db.execute(
            f"SELECT {ROW.replace(':now', '?')}, meter_start_wh"  # noqa: S608
            f" FROM transactions WHERE id IN ({marks})",
            (now, *wanted),
        )
    }
    read: dict[int, list[Sample]] = {}
    if samples:
        for number, at, register_wh in db.execute(
            "SELECT transaction_id, at, register_wh FROM samples"  # noqa: S608
            f" WHERE transaction_id IN ({marks}) ORDER BY transaction_id, slot",
            tuple(wanted),
        ):
            one = Sample(text_of(at), int_of(register_wh))
            read.setdefault(int_of(number), []).append(one)
    return [
        Measured(row_of(rows[one]), int_of(rows[one][-1]), tuple(read.get(one, ())))
        for one in wanted
        if one in rows
    ]


def chargers(db: apsw.Connection) -> list[str]:
    """Of all transactions there are: one step in the index for each, however many rows it has."""
    rows = db.execute(
        "WITH RECURSIVE one (charger) AS (SELECT min(charger) FROM transactions UNION ALL"
        " SELECT (SELECT min(charger) FROM transactions WHERE charger > one.charger) FROM one"
        " WHERE one.charger IS NOT NULL)"
        " SELECT charger FROM one WHERE charger IS NOT NULL"
    )
    return [text_of(row[0]) for row in rows]


def condition(which: Selection) -> tuple[str, Values]:
    """The selection as SQL with its values; nothing that was typed stands in the text."""
    parts: list[str] = []
    values: Values = {}
    if which.since is not None or which.until is not None:
        since, until = which.since or "", which.until or "~"
        runs = since <= which.now < until
        within = "ended >= :since AND ended < :until"
        parts.append(f"({within} OR ended IS NULL)" if runs else within)
        values |= {"since": since, "until": until}
    if which.tag:
        parts.append("tag = :tag COLLATE NOCASE")
        values["tag"] = which.tag
    if which.charger:
        parts.append("charger = :charger")
        values["charger"] = which.charger
    if which.transaction is not None:
        parts.append("(id = :number OR csms_id = :number)")
        values["number"] = min(which.transaction, INT64_MAX)
    if which.words:
        parts.append(_has(which.words))
        values["words"] = _pattern(which.words)
    return " AND ".join(parts) or "1", values


def _has(words: str) -> str:
    """LIKE knows the case of ASCII alone; for other letters the connection has a function."""
    if not words.isascii():  # once a row, for each call takes its time; numbers have none of them
        return "has(tag || char(10) || charger || char(10) || friendly_name, :words)"
    each = [f"{name} LIKE :words ESCAPE '\\'" for name in NAMES]
    return f"({' OR '.join(each)})"


def _pattern(words: str) -> str:
    if not words.isascii():
        return words.casefold()
    for special in "\\%_":
        words = words.replace(special, "\\" + special)
    return f"%{words}%"


def has(*both: SQLiteValue) -> int:
    """SQL function: whether a text has another, folded one in it, whatever its case."""
    text, folded = both
    return isinstance(text, str) and isinstance(folded, str) and folded in text.casefold()


def row_of(row: Row) -> SessionRow:
    """A row of `ROW`."""
    course = course_of(row[15]) or Course()
    return SessionRow(
        id=int_of(row[0]),
        charger=text_of(row[1]),
        name=text_of(row[2]),
        connector=int_of(row[3]),
        tag=text_of(row[4]),
        started=text_of(row[5]),
        ended=None if row[6] is None else text_of(row[6]),
        duration_s=int_of(row[7]),
        energy_wh=int_of(row[8]),
        finished=bool(row[9]),
        reason=None if row[10] is None else text_of(row[10]),
        authorised_by=text_of(row[11]),
        csms_id=None if row[12] is None else int_of(row[12]),
        incomplete=bool(row[13]),
        flagged=bool(row[14]),
        current_max_ma=course.max_ma if course.measured_ms else None,
        current_mean_ma=course.mean_ma,
        paused_s=None if row[15] is None else course.paused_ms // 1_000,
    )
