"""What of the CSMS's queue is shown: what waits for whom and since when; and what was set aside
(csms.md, Offline): said again or removed by a person, and bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from linkray.model.records import Outgoing
from linkray.model.views import CsmsQueue, SetAsideMessage

from .outbox import NOT_GONE, everyone, listed_numbers
from .rows import Row, int_of, text_of

ROW_BYTES = 256  # of a message beside its payload, with its places in the indexes
_OF = "aside IS NOT NULL AND (?1 = '' OR charger = ?1)"  # of a charger; empty: of all
_BYTES = f"length(CAST(payload AS BLOB)) + {ROW_BYTES}"
_PLACE = f"SELECT number, charger, {_BYTES} FROM outbox INDEXED BY outbox_aside"  # noqa: S608
_VALUES = "aside IS NOT NULL AND action = 'MeterValues'"
_COUNT = "SELECT count(*), count(*) FILTER (WHERE csms = ?2) FROM outbox INDEXED BY outbox_aside"
_OLDEST = (
    "aside IS NOT NULL AND transaction_id IN (SELECT transaction_id FROM outbox"
    " INDEXED BY outbox_aside WHERE aside IS NOT NULL ORDER BY number LIMIT ?)"
)
_MESSAGE = "number, charger, message_id, action, payload, transaction_id, at, csms"


class Place(NamedTuple):
    """Where a message that was set aside is, whose it is, and what room it takes."""

    number: int
    charger: str
    size: int  # bytes


def oldest(db: apsw.Connection, csms: str, chargers: Iterable[str]) -> dict[str, str]:
    """Since when (UTC) something of these chargers waits for this address; others are not in it."""
    found: dict[str, str] = {}
    for charger in chargers:
        for (at,) in db.execute(
            "SELECT at FROM outbox WHERE charger = ? AND csms = ? AND aside IS NULL"
            " ORDER BY number LIMIT 1", (charger, csms),
        ):  # fmt: skip
            found[charger] = text_of(at)
    return found


def listed(db: apsw.Connection, after: int, limit: int) -> tuple[SetAsideMessage, ...]:
    """What was set aside, in the order in which chargers said it, after this number."""
    return tuple(_message(row) for row in db.execute(
        "SELECT number, charger, action, transaction_id, at, aside, aside_at, csms, message_id,"
        " payload FROM outbox INDEXED BY outbox_aside"
        " WHERE aside IS NOT NULL AND number > ? ORDER BY number LIMIT ?",
        (after, limit),
    ))  # fmt: skip


def queue(
    db: apsw.Connection, csms: str, after: int, limit: int
) -> tuple[SetAsideMessage, ...]:
    """What waits for an address, in the order in which chargers said it, after this number."""
    mine = (
        "SELECT number FROM outbox WHERE charger = ? AND csms = ? AND aside IS NULL AND number > ?"
        " ORDER BY number LIMIT ?"
    )
    numbers = sorted(
        int_of(number) for charger in everyone(db)
        for (number,) in db.execute(mine, (charger, csms, after, limit))
    )  # fmt: skip
    return tuple(_message(row) for row in db.execute(
        "SELECT number, charger, action, transaction_id, at, '', '', csms, message_id, payload"
        " FROM outbox WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number",
        (listed_numbers(numbers[:limit]),),
    ))  # fmt: skip


Part = tuple[str, int, int, int]  # of one charger: address, how many, first and last number


def of_charger(db: apsw.Connection, charger: str, gone: Iterable[int]) -> list[Part]:
    """What waits of a charger for each address; `gone`: what a CSMS has, though the disk does not
    know it yet.
    """
    return [
        (text_of(csms), int_of(count), int_of(first), int_of(last))
        for csms, count, first, last in db.execute(
            "SELECT csms, count(*), min(number), max(number)"  # noqa: S608 - our own words
            f" FROM outbox WHERE charger = ? AND aside IS NULL AND {NOT_GONE} GROUP BY csms",
            (charger, listed_numbers(gone)),
        )
    ]


def queues(db: apsw.Connection, is_set: str, parts: Iterable[Part]) -> tuple[CsmsQueue, ...]:
    """What waits for each address, that of `is_set` first; `parts`: of every charger."""
    running = {text_of(csms): int_of(count) for csms, count in db.execute(
        "SELECT csms, count(*) FROM transactions WHERE finished = 0 AND csms != '' GROUP BY csms"
    )}  # fmt: skip
    waiting: dict[str, list[Part]] = {}
    for part in parts:
        waiting.setdefault(part[0], []).append(part)
    found = []
    for csms in sorted(running.keys() | waiting.keys(), key=lambda csms: (csms != is_set, csms)):
        mine = waiting.get(csms, [])
        first = min((part[2] for part in mine), default=0)
        oldest = list(db.execute("SELECT at FROM outbox WHERE number = ?", (first,)))
        found.append(CsmsQueue(
            csms, csms == is_set, sum(part[1] for part in mine), len(mine), running.get(csms, 0),
            text_of(oldest[0][0]) if oldest else None, max((part[3] for part in mine), default=0),
        ))  # fmt: skip
    return tuple(found)


def _message(r: Row) -> SetAsideMessage:
    return SetAsideMessage(
        int_of(r[0]), text_of(r[1]), text_of(r[2]), int_of(r[3]), text_of(r[4]), text_of(r[5]),
        text_of(r[6]), text_of(r[7]), text_of(r[8]), text_of(r[9]),
    )  # fmt: skip


def of(db: apsw.Connection, charger: str, csms: str, limit: int) -> list[Outgoing]:
    """The oldest that were set aside, of a charger or (empty) of all, for this address."""
    rows = db.execute(
        f"SELECT {_MESSAGE} FROM outbox INDEXED BY outbox_aside"  # noqa: S608  # our own names
        f" WHERE {_OF} AND csms = ?2 ORDER BY number LIMIT ?3", (charger, csms, limit),
    )
    return [
        Outgoing(int_of(r[0]), text_of(r[1]), text_of(r[2]), text_of(r[3]), text_of(r[4]),
                 int_of(r[5]), text_of(r[6]), text_of(r[7]))
        for r in rows
    ]  # fmt: skip


def put_back(db: apsw.Connection, old: Outgoing, new: Outgoing) -> bool:
    """A message that was set aside waits again, under the new one's number and id; False: it is set
    aside no more.
    """
    db.execute("UPDATE outbox SET number = ?, message_id = ?, aside = NULL, aside_at = NULL"
               " WHERE number = ? AND aside IS NOT NULL",
               (new.number, new.message_id, old.number))  # fmt: skip
    return db.changes() > 0


def count(db: apsw.Connection, charger: str, csms: str) -> tuple[int, int]:
    """How many were set aside, of a charger or (empty) of all, and how many of them for this
    address.
    """
    ((found, here),) = db.execute(f"{_COUNT} WHERE {_OF}", (charger, csms))
    return int_of(found), int_of(here)


def size(db: apsw.Connection) -> int:
    """How many bytes they take."""
    ((found,),) = db.execute(
        f"SELECT coalesce(sum({_BYTES}), 0)"  # noqa: S608
        " FROM outbox INDEXED BY outbox_aside WHERE aside IS NOT NULL"
    )
    return int_of(found)


def oldest_of(db: apsw.Connection, charger: str, most: int) -> list[Place]:
    """The oldest of a charger, or (empty) of all."""
    return _places(db.execute(f"{_PLACE} WHERE {_OF} ORDER BY number LIMIT ?2", (charger, most)))


def oldest_values(db: apsw.Connection, most: int) -> list[Place]:
    """The oldest values, which are missed least."""
    return _places(db.execute(f"{_PLACE} WHERE {_VALUES} ORDER BY number LIMIT ?", (most,)))


def oldest_sessions(db: apsw.Connection, most: int) -> list[Place]:
    """All that was set aside of the oldest transactions: a start goes with its stop."""
    return _places(db.execute(f"{_PLACE} WHERE {_OLDEST}", (most,)))


def give_up(db: apsw.Connection, places: Iterable[Place]) -> dict[str, int]:
    """Delete these; how many, by charger."""
    gone: dict[str, int] = {}
    for place in places:
        db.execute("DELETE FROM outbox WHERE number = ? AND aside IS NOT NULL", (place.number,))
        gone[place.charger] = gone.get(place.charger, 0) + db.changes()
    return gone


def _places(rows: Iterable[Row]) -> list[Place]:
    return [Place(int_of(number), text_of(charger), int_of(took)) for number, charger, took in rows]
