"""What of the CSMS's queue is shown: what waits for whom and since when, and what was set aside
(csms.md).
"""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from linkray.model.views import CsmsQueue, SetAsideMessage

from .outbox import NOT_GONE, everyone, listed_numbers
from .rows import Row, int_of, text_of


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
        " payload FROM outbox WHERE aside IS NOT NULL AND number > ? ORDER BY number LIMIT ?",
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
