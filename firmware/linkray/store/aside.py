"""What of the CSMS's queue is shown: the oldest that waits, and what was set aside (csms.md)."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from linkray.model.views import SetAsideMessage

from .rows import int_of, text_of


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
    rows = db.execute(
        "SELECT number, charger, action, transaction_id, at, aside, aside_at, csms, message_id,"
        " payload FROM outbox WHERE aside IS NOT NULL AND number > ? ORDER BY number LIMIT ?",
        (after, limit),
    )
    return tuple(
        SetAsideMessage(int_of(r[0]), text_of(r[1]), text_of(r[2]), int_of(r[3]), text_of(r[4]),
                        text_of(r[5]), text_of(r[6]), text_of(r[7]), text_of(r[8]), text_of(r[9]))
        for r in rows
    )  # fmt: skip
