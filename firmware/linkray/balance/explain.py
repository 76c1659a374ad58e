"""Why: the ceilings of every offer, in the order in which they are told; the smallest is it.

Ceilings are first made as plain tuples and compared with those of the plan before: what has not
changed is used again, so that a quiet site costs no new objects.
"""

from __future__ import annotations

from linkray.model.plan import Ceiling, Code, Offer, Reason, Reserve
from linkray.model.units import Phases

from .connector import Connector, laid

# code, mA on the tightest phase in use, phase, group, charger, connector, place, seconds, and the
# mA on each phase in use where they differ
Part = tuple[
    Code, int, str | None, str | None, str | None, int | None, int | None, int | None,
    tuple[int, ...] | None,
]  # fmt: skip


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
    return (code, amount_ma, phase, group, charger, connector, place, seconds, None)


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
        Ceiling(p[0], laid(legs, p[1]) if p[8] is None else _each(legs, p[8]), n == bound, *p[2:8])
        for n, p in enumerate(parts)
    )
    code, _, phase, group, charger, connector, place, seconds, _ = parts[bound]
    c.reason = Reason(
        code, phase=phase, group=group, charger=charger, connector=connector, place=place,
        seconds=seconds, by=by if code == "emergency_stop" else None,
    )  # fmt: skip


def _each(legs: tuple[int, ...], amounts: tuple[int, ...]) -> Phases:
    """To each phase in use its own amount."""
    on = [0, 0, 0]
    for leg, amount in zip(legs, amounts, strict=True):
        on[leg] = amount
    return Phases(on[0], on[1], on[2])


def offer(
    c: Connector, legs: tuple[int, ...], top_ma: int, wanted_ma: int, next_look_s: int | None,
    *, fresh: bool, held: bool, reserve: Reserve | None = None,
) -> Offer:  # fmt: skip
    """The connector's offer; the one of the plan before where nothing has changed."""
    books = c.books
    offer_ma = laid(legs, books.offer_ma)
    drawn = c.drawn if fresh else None
    urgent = books.offer_ma < top_ma
    session, again = c.tx is not None, c.stage > 0
    old = c.offer
    if (
        old is not None and old.id == books.offer_id and old.ceilings is c.ceilings
        and old.drawn_ma == drawn and old.urgent == urgent and old.stop == c.stop
        and old.session == session and old.offer_ma == offer_ma and old.reason is c.reason
        and old.wanted_ma == wanted_ma and old.next_look_s == next_look_s and old.high == c.high
        and old.inoperative == c.inoperative and old.values_wanted == c.values_wanted
        and old.again is again and old.held is held and old.reserve == reserve
    ):  # fmt: skip
        return old
    c.offer = Offer(
        c.charger, c.number, offer_ma, drawn, c.reason, c.ceilings, id=books.offer_id,
        limit_ma=books.offer_ma, limit_w=c.offer_w, session=session, urgent=urgent, stop=c.stop,
        inoperative=c.inoperative, values_wanted=c.values_wanted, wanted_ma=wanted_ma,
        next_look_s=next_look_s, high=c.high, again=again, held=held, reserve=reserve,
    )  # fmt: skip
    return c.offer
