"""Why: the ceilings of every offer, in the order in which they are told; the smallest is it.

Ceilings are first made as plain tuples and compared with those of the plan before: what has not
changed is used again, so that a quiet site costs no new objects.
"""

from __future__ import annotations

from linkray.model.plan import Ceiling, Code, Offer, Reason

from .connector import Connector, laid

# code, mA per phase in use, phase, group, charger, connector, place, seconds
Part = tuple[
    Code, int, str | None, str | None, str | None, int | None, int | None, int | None
]


def part(
    code: Code,
    amount_ma: int,
    *,
    phase: str | None = None,
    group: str | None = None,
    charger: str | None = None,
    connector: int | None = None,
    place: int | None = None,
    seconds: int | None = None,
) -> Part:
    """One ceiling, not yet an object."""
    return (code, amount_ma, phase, group, charger, connector, place, seconds)


def explain(c: Connector, parts: list[Part], legs: tuple[int, ...], by: str | None) -> None:
    """Set the connector's ceilings and its reason: the first of the smallest binds."""
    offered = c.books.offer_ma
    if min(p[1] for p in parts) > offered:
        parts.append(part("unit_rounding", offered))
    key = (legs, parts)
    if key == c.key_parts:
        return
    c.key_parts = key
    bound = next((n for n, p in enumerate(parts) if p[1] == offered), 0)
    c.ceilings = tuple(
        Ceiling(p[0], laid(legs, p[1]), n == bound, *p[2:]) for n, p in enumerate(parts)
    )
    code, _, phase, group, charger, connector, place, seconds = parts[bound]
    c.reason = Reason(
        code, phase=phase, group=group, charger=charger, connector=connector, place=place,
        seconds=seconds, by=by if code == "emergency_stop" else None,
    )  # fmt: skip


def offer(c: Connector, legs: tuple[int, ...], top_ma: int, *, fresh: bool) -> Offer:
    """The connector's offer; the one of the plan before where nothing has changed."""
    books = c.books
    offer_ma = laid(legs, books.offer_ma)
    drawn = c.drawn if fresh else None
    urgent = books.offer_ma < top_ma
    session = c.tx is not None
    old = c.offer
    if (
        old is not None and old.id == books.offer_id and old.ceilings is c.ceilings
        and old.drawn_ma == drawn and old.urgent == urgent and old.stop == c.stop
        and old.session == session and old.offer_ma == offer_ma and old.reason is c.reason
    ):  # fmt: skip
        return old
    c.offer = Offer(
        c.charger, c.number, offer_ma, drawn, c.reason, c.ceilings, id=books.offer_id,
        limit_ma=books.offer_ma, limit_w=c.offer_w, session=session, urgent=urgent, stop=c.stop,
    )  # fmt: skip
    return c.offer
