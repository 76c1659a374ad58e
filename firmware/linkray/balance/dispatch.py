"""Telling the chargers: cuts at once, raises when their room is proved (balancing.md 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from .budget import UNBOUND
from .connector import NEVER, Connector

RAISE_EVERY_S = 10.0  # higher offers to one connector are so far apart
RAISE_MA_MIN = 1_000  # and at least so much, or reach the demand
PATIENCE_S = 20.0  # so long a raise waits for all of its room; then it takes what there is


class Wait(msgspec.Struct, frozen=True):
    """Why an offer is not raised yet. `limit`: the one without room; None: time or the meter."""

    limit: int | None = None
    until: float | None = None


Issues = dict[int, tuple[int, int | None]]  # by place: what it is told, mA and watts


class Step(msgspec.Struct):
    """What dispatch works on: targets by place, what is left under each limit, spare by phase."""

    targets: list[int]  # what the charger can be told, mA
    watts: list[int | None]
    tops: list[int]
    limits: list[tuple[int, ...]]  # of each connector
    reach: list[bool]  # whether the target meets the demand
    left: list[int]  # under each limit, by the books
    spare: list[int]  # on each phase, by the meter
    fresh: bool
    rise_s: float  # for so long the meter may take a raise for building
    settle: Callable[[Issues], None] | None = None  # lowers what would put the phases apart
    issues: Issues = {}


def dispatch(
    connectors: Sequence[Connector], order: Sequence[int], step: Step, now: float
) -> dict[int, Wait]:
    """Issue what may be issued now; returns who waits for a raise, and for what."""
    raises = []
    waits: dict[int, Wait] = {}
    for i, c in enumerate(connectors):
        target, offered = step.targets[i], c.books.offer_ma
        passed = _takes_back(c, i, step)
        if passed is not None:
            step.issues[i] = c.amounts.told(c.books.least_ma())
            if target > step.issues[i][0]:
                waits[i] = Wait(limit=passed)
            continue
        if target > offered and c.line.linked and not _stands(c, target):
            raises.append(i)
            continue
        c.waits_since = None
        if target != offered or c.resend or step.watts[i] != c.offer_w:
            step.issues[i] = target, step.watts[i]
    if raises:
        first = {i: place for place, i in enumerate(order)}
        raises.sort(key=lambda i: first.get(i, len(first)))
    for i in raises:
        wait = _raise(connectors[i], i, step, now)
        if wait is None:
            connectors[i].waits_since = None
            continue
        waits[i] = wait
        if wait.limit is not None and connectors[i].high:
            # What it waits for is no normal one's meanwhile (balancing.md, Priority).
            held = max(step.tops[i], step.issues[i][0] if i in step.issues else 0)
            for r in step.limits[i]:
                step.left[r] -= min(max(0, step.left[r]), max(0, step.targets[i] - held))
        if connectors[i].resend and i not in step.issues:
            # A new transaction is told what holds, also where that is 0.
            step.issues[i] = connectors[i].books.offer_ma, connectors[i].offer_w
    if step.settle is not None:
        step.settle(step.issues)
    for i, (amount, watts) in step.issues.items():
        _issue(connectors[i], amount, watts, now)
    return waits


def _takes_back(c: Connector, i: int, step: Step) -> int | None:
    """The limit under which its newest offer is taken back: the books exceed it, and the raise
    may never have reached it. To be sent again would raise it, and so would a part of it; it
    holds what it took newest (trust.md 1, INV-1).
    """
    if c.books.offer_id == c.books.accepted_id or not c.books.offer_ma or not c.line.linked:
        return None
    passed = min(step.limits[i], key=step.left.__getitem__)
    if step.left[passed] >= 0:
        return None
    least = c.books.least_ma()
    is_legal = least >= c.amounts.least_ma or (not least and c.line.takes_zero)
    return passed if is_legal and least < min(step.targets[i], c.books.offer_ma) else None


def _stands(c: Connector, target: int) -> bool:
    """Whether its default, which cannot be told as 0, may be as high already: no raise (C7)."""
    is_idle = c.tx is None and not c.line.takes_zero
    return is_idle and (c.default_ma is None or target <= c.default_ma)


def _issue(c: Connector, amount_ma: int, watts: int | None, now: float) -> None:
    if amount_ma > c.books.offer_ma:
        c.raised_at = now
    elif amount_ma < c.books.offer_ma:
        c.lowered_at = now
    c.books.issue(amount_ma, now)
    c.offer_w = watts
    c.resend = False


def _is_clear(c: Connector, target: int, top: int, step: Step, passed: int) -> bool:
    """Whether the last bit of a demand is clearly there: beside a meter, what was cut once needs
    the room of a whole raise, for room that comes and goes by a little moves nothing (Calm).
    """
    if c.lowered_at == NEVER or all(step.spare[leg] >= UNBOUND for leg in c.legs):
        return True
    clear = target + RAISE_MA_MIN
    return top + step.left[passed] >= clear and all(
        c.books.offer_ma + step.spare[leg] >= clear for leg in c.in_use()
    )


def _raise(c: Connector, i: int, step: Step, now: float) -> Wait | None:
    """Raise it as far as allowed; what it waits for, where that is not all the way."""
    target, top, offered = step.targets[i], step.tops[i], c.books.offer_ma
    if c.waits_since is None:
        c.waits_since = now
    passed = min(step.limits[i], key=step.left.__getitem__)
    if step.left[passed] < 0 and target > c.books.least_ma():
        # Nothing is raised under a limit that the books exceed, not even to what may be in force
        # still: else the cuts that bring it down would never be proved (trust.md 1, INV-1). One
        # that was told nothing yet may be told its share: its minimum is not less than {M}.
        return Wait(limit=passed)
    if not step.fresh:
        return Wait()
    if now < c.raised_at + RAISE_EVERY_S:
        return Wait(until=c.raised_at + RAISE_EVERY_S)
    if offered > 0 and target - offered < RAISE_MA_MIN and not (
        step.reach[i] and _is_clear(c, target, top, step, passed)
    ):
        return Wait()
    amount, watts, limit = target, step.watts[i], None
    most = top + max(0, step.left[passed])
    if most < amount:
        amount, limit = most, passed
    # Of a session found running the meter may see all that can be in force (INV-2); one that has
    # just begun draws nothing, whatever the books must allow for.
    held = top if c.is_unheard and c.drawn is None and now < c.rise_until else offered
    for leg in c.in_use():
        seen = held + max(0, step.spare[leg])
        if seen < amount:
            amount, limit = seen, None
    if amount < target:
        amount, watts = c.amounts.told(amount)
        enough = amount >= c.amounts.least_ma and amount - offered >= RAISE_MA_MIN
        patient = offered == 0 or now - c.waits_since >= PATIENCE_S
        if not enough or not patient:
            return Wait(limit=limit)
    for r in step.limits[i]:
        step.left[r] -= max(0, amount - top)
    for leg in c.in_use():
        if step.spare[leg] < UNBOUND:
            step.spare[leg] -= max(0, amount - held)
    is_rising = now < c.rise_until
    c.rise_from_ma = min(offered, c.rise_from_ma) if is_rising else offered
    c.rise_to_ma = max(amount, c.rise_to_ma) if is_rising else amount
    c.rises(now, now + step.rise_s)
    step.issues[i] = amount, watts
    return Wait(limit, now + RAISE_EVERY_S) if amount < target else None
