"""Who is paused first, and whose turn is next, where not all minimums fit (balancing.md 3).

Knows one connector's marks in time: when its turn began, since when it is paused, since when it
waits for a turn. The queue is served in the order of waiting, whoever it is: so nobody waits
longer than ceil(paused / places) turns, and a minute for the rest after a pause (Live). A place
that is too small for the first of the queue is lent to a later one, which keeps its own place in
the queue meanwhile: so nobody waits longer for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .connector import NEVER, Connector

TURN_S = 900.0  # the paused take turns with the charging
REST_S = 60.0  # a pause or a resume is not undone before, except to protect a limit
LENT_S = TURN_S - 2 * REST_S  # past one that waits for longer nothing is lent any more

ShedOrder = Literal["longest", "energy", "last"]

RESUMED, IN_TURN, QUEUED, OTHERS = range(4)  # kept in this order


def is_resting(c: Connector, now: float) -> bool:
    """Paused so shortly ago that the pause stands."""
    return c.paused_at > now - REST_S


def shed(c: Connector, order: ShedOrder) -> float:
    """By the site's shed order: the highest is paused first."""
    if order == "longest":
        return c.charged_s
    return float(c.charged_mas) if order == "energy" else c.order


def rank(c: Connector, place: int, order: ShedOrder, now: float) -> tuple[float, ...]:
    """The lowest is kept first: who is in its turn, then the queue, then by the shed order."""
    last = (shed(c, order), c.order, float(place))
    if now < c.turn_at + TURN_S:
        is_new = now < c.turn_at + REST_S or c.queued_at is not None
        return (RESUMED if is_new else IN_TURN, 0.0, *last)
    if c.queued_at is not None:
        return (QUEUED, c.queued_at, *last)
    return (OTHERS, 0.0, *last)


def is_starting(c: Connector) -> bool:
    """Without current until now: to let it in is a resume or a start."""
    return c.turn_at == NEVER and c.books.offer_ma == 0


def borrows(c: Connector) -> bool:
    """It charges in a place that was lent to it, and waits for its own."""
    return c.queued_at is not None and c.turn_at > NEVER


def is_due(c: Connector, now: float) -> bool:
    """It waits for so long that what would now be lent might not be back for its turn."""
    return c.queued_at is not None and now - c.queued_at >= LENT_S


def has_place(c: Connector, now: float) -> bool:
    """It charges, and may go on: what is lent only for as long as a resume stands."""
    return now < c.turn_at + TURN_S if borrows(c) else not is_starting(c)


def lend(c: Connector, now: float) -> None:
    """It has a place as long as nobody else can use it, and for a minute at least."""
    if not borrows(c):
        c.turn_at = now - TURN_S + REST_S
        c.queued_at = now if c.queued_at is None else c.queued_at


def pause(c: Connector, now: float) -> None:
    """It is left out of this plan; it queues from the first such plan on."""
    if not is_starting(c):
        c.paused_at = now
    c.turn_at = NEVER
    if c.queued_at is None:
        c.queued_at = now


def keep_turns(
    charging: Sequence[Connector], wanted: Sequence[bool], resting: Sequence[Connector], now: float
) -> None:
    """Turns of a band in which somebody is paused: they begin, and begin anew when they are over.

    `wanted` tells of each that charges whether somebody is held up under a limit above it: its
    turn then stays over, so that the place goes to that one as soon as it fits. One that rests
    after its pause must not lose a turn that ends meanwhile: what begins anew ends when its own
    wait has lasted a turn.
    """
    anew = min((c.queued_at for c in resting if c.queued_at is not None), default=now)
    for c, is_wanted in zip(charging, wanted, strict=True):
        if c.turn_at == NEVER or borrows(c):
            c.turn_at = now
        elif now >= c.turn_at + TURN_S and not is_wanted:
            c.turn_at = anew
        c.queued_at = None
