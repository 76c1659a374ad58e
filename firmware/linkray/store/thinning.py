"""What of the CSMS's queue is given up where there is no room: values, those that are missed least
first (csms.md, Offline; trust.md K2, P4). Starts and stops stay, whatever happens.

The queue may hold a million rows, and whoever waits for a commit waits for this, too: it looks at
one transaction after the other, a few at a time, and goes on where it was.
"""

from __future__ import annotations

import apsw
import msgspec

from .rows import int_of, text_of

LOOKED_AT_ONCE = 200  # transactions

_ALL = (
    "SELECT charger, csms, number FROM outbox WHERE transaction_id = ?"
    " AND action = 'MeterValues' AND aside IS NULL ORDER BY number LIMIT ?"
)
_NOT_LAST = (  # of its hour
    "SELECT charger, csms, number FROM (SELECT charger, csms, number,"
    "  number < max(number) OVER (PARTITION BY substr(at, 1, 13)) AS is_early,"
    "  instr(payload, 'Sample.Clock') = 0 AND instr(payload, '\"Transaction.') = 0 AS is_sampled"
    "  FROM outbox WHERE transaction_id = ? AND action = 'MeterValues' AND aside IS NULL)"
    " WHERE is_early {more} ORDER BY number LIMIT ?"
)
_SAMPLED_NOT_LAST = _NOT_LAST.format(more="AND is_sampled")
UNKNOWN, RUNNING, ENDED = None, 0, 1
#: Of which transactions, and which of their values: of those that LinkRay does not know, and of
#: none at all (their place is not the CSMS's to know either); of ended ones what is not the last of
#: its hour, sampled before aligned, then the rest of them; of running ones what is sampled and not
#: the last of its hour.
STEPS = (
    (UNKNOWN, _ALL),
    (ENDED, _SAMPLED_NOT_LAST),
    (ENDED, _NOT_LAST.format(more="")),
    (ENDED, _ALL),
    (RUNNING, _SAMPLED_NOT_LAST),
)

Gone = tuple[str, str, int]  # charger, address and number of a message that is no more


class Place(msgspec.Struct, frozen=True):
    """Where to go on: the step, and the first transaction that it has not looked at."""

    step: int = 0
    at: int = 0


def look(db: apsw.Connection, place: Place, most: int) -> tuple[list[Gone], Place | None]:
    """Up to so many values that may go, and where to go on; None: there are no more after them."""
    found: list[Gone] = []
    step, at = place.step, place.at
    for _ in range(LOOKED_AT_ONCE):
        ((first,),) = db.execute(
            "SELECT min(transaction_id) FROM outbox WHERE transaction_id >= ?", (at,)
        )
        if first is None:
            step, at = step + 1, 0
            if found or step == len(STEPS):  # the next step would find the same ones
                break
            continue
        of, words = STEPS[step]
        at, left = int_of(first), most - len(found)
        rows = list(db.execute(words, (at, left))) if _state(db, at) == of else []
        found += [(text_of(who), text_of(csms), int_of(number)) for who, csms, number in rows]
        if len(rows) == left:
            break
        at += 1
    return found, Place(step, at) if step < len(STEPS) else None


def give_up(db: apsw.Connection, found: list[Gone]) -> None:
    """Delete these, unless they were set aside meanwhile."""
    db.executemany("DELETE FROM outbox WHERE number = ? AND aside IS NULL",
                   [(number,) for *_, number in found])  # fmt: skip


def _state(db: apsw.Connection, transaction: int) -> int | None:
    """Whether it has ended; None: LinkRay does not know it."""
    found = list(db.execute("SELECT finished FROM transactions WHERE id = ?", (transaction,)))
    return int_of(found[0][0]) if found else None
