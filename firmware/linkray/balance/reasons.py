"""Why each connector is offered what it is: the ceilings of one decision, in the order told.

Reads a finished decision, changes nothing but the connectors' explanations. A ceiling says what
one cause alone would allow while all others keep what they have; the smallest is the offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import msgspec

from linkray.model.plan import Code, Offer, Reason, Reserve
from linkray.model.units import ZERO, Phases

from .budget import UNBOUND
from .connector import NEVER, OUT_OF_ORDER, STEP_MA, Connector, laid
from .dispatch import Wait
from .explain import Part, explain, offer, part
from .share import DEMAND
from .survey import ABSENT, ACTIVE, ASLEEP, FAULTY, HELD, IDLE
from .tree import SITE, phase_of
from .turns import REST_S, TURN_S, is_resting

if TYPE_CHECKING:
    from .decide import Decision

METER_LOST: frozenset[Code] = frozenset({"degraded_limit", "meter_lost_half"})
AT_THE_PLUG = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})

# a limit as an explanation: code, what it would allow beyond the share on each phase in use, the
# tightest of them, group, charger
Link = tuple[Code, tuple[int, ...], str, str | None, str | None]


class Turn(msgspec.Struct, frozen=True):
    """What waits for one that is paused: its place in the line under a limit, and for how long."""

    place: int
    seconds: int | None  # at most; None: nobody's turn there ends
    limit: int


class Causes(msgspec.Struct):
    """What holds for every connector of a band and a class that one limit holds."""

    limits: list[Link]
    taken_by_high: bool  # of what binds a normal connector
    even: float


class Reasons:
    """The explanations of one decision."""

    def __init__(self, d: Decision) -> None:
        self.connectors, self.ground, self.site, self.now = d.connectors, d.ground, d.site, d.now
        self.standing, self.tops, self.before = d.standing, d.tops, d.before
        self._stops = self._stopping()
        self.base, self.reserved, self.kind = d.base, d.reserved, d.kind
        self.room = self._unstopped(d.room) if self._stops else d.room
        self.survey, self.unseen_kept = d.survey, d.unseen_kept
        self.share, self.want, self.targets = d.share, d.allot.field.want, d.targets
        self.after_high, self.has_high = d.allot.after_high, bool(d.allot.bands[0])
        self.order, self.out_of_level = d.order, d.out_of_level
        self.drawn: dict[int, list[int]] = {}  # by class, what is drawn by fresh values
        self._causes: dict[tuple[bool, int, int], Causes] = {}
        self._blockers: dict[int, Connector | None] = {}
        self._taken = self._taken_by_limit()
        self._full = max(d.site.full)
        self._over = d.over
        self._places = {i: n for n, i in enumerate(self.order, 1)} if d.ground.fifo else {}
        self._turns = self._next_turns(d.allot.queue)
        untold = (ABSENT,) if self._stops else (ABSENT, HELD)  # all are held by a stop
        self.absent = next(
            (c.charger for i, c in enumerate(self.connectors)
             if self.standing[i] in untold and self.tops[i]), None
        )  # fmt: skip

    def offers(self, waits: dict[int, Wait]) -> tuple[Offer, ...]:
        """An offer with its ceilings for every connector, in their order."""
        now, interval_s = self.now, self.ground.interval_s
        offers = []
        over, limits = self._over, self.ground.tree.limits
        for i, c in enumerate(self.connectors):
            legs = c.in_use() if c.released else c.legs
            wait = waits.get(i)
            explain(c, self._parts(i, c, wait), legs, self.ground.by)
            seen = c.visible(interval_s, now)
            if seen is not None:
                drawn = self.drawn.get(c.kind)
                if drawn is None:
                    drawn = self.drawn[c.kind] = [0, 0, 0]
                drawn[0] += seen.l1
                drawn[1] += seen.l2
                drawn[2] += seen.l3
            next_s = None
            if c.reason.seconds is not None:
                next_s = c.reason.seconds  # what binds it knows when
            elif wait is not None or (c.tx is not None and not self.share.got[i]):
                next_s = self._next_look_s(i, c, wait)
            wanted_ma = self.want[i] if c.tx is not None else 0
            top_ma = self.before[i]
            held = bool(over) and not over.isdisjoint(limits[self.kind[i]])
            offers.append(offer(
                c, legs, top_ma, wanted_ma, next_s, fresh=seen is not None, held=held,
                reserve=self._reserve(i, c),
            ))  # fmt: skip
        return tuple(offers)

    def stopped(self) -> Reason | None:
        """Why nothing is offered to anybody; None: it may be."""
        if not self._stops:
            return None
        code, *_, seconds, _ = self._stops[0]
        by = self.ground.by if code == "emergency_stop" else None
        return Reason(code, seconds=seconds, by=by)

    def _unstopped(self, room: list[int]) -> list[int]:
        """What would be left under every limit but for what stops all: the limits stay as they
        are while nothing is offered under them.
        """
        room, slow = room.copy(), self.ground.tree.slow * 3
        for p, amount in enumerate(self.site.room):
            room[p] += amount
            if room[slow + p] < UNBOUND // 2:
                room[slow + p] += amount
        return room

    def _reserve(self, i: int, c: Connector) -> Reserve | None:
        """What is kept for it: their sums are what the limits above reserve (`Decision._room`)."""
        is_absent = self.standing[i] == ABSENT
        amount = self.tops[i] if is_absent else self.survey.held[i]
        if not amount:
            return None
        of, metered = self.ground.tree.kinds[c.kind], self.site.metered
        may = laid(of.legs, amount)
        at_site = may
        if is_absent or self.survey.seen[i]:
            shown = ZERO
            if is_absent and self.unseen_kept:
                seen = c.visible(self.ground.interval_s, self.now)
                least = 0 if seen is None else min(amount, *(seen[leg] for leg in c.legs))
                shown = laid(of.legs, least)
            at_site = Phases(*(
                may[p] if not metered[p]
                else may[p] - shown[p] if is_absent and p in self.unseen_kept else 0
                for p in range(3)
            ))  # fmt: skip
        return Reserve(may, may if len(of.path) > 1 else at_site, at_site)

    def _next_turns(self, queue: list[int]) -> dict[int, Turn]:
        """Of each that waits for a turn: its place in the queue under the limit that holds it, and
        the seconds until the turn is over after which it is its own.
        """
        if not queue:
            return {}
        lines: dict[tuple[bool, int], list[int]] = {}
        for i in queue:
            lines.setdefault((self.connectors[i].high, self.share.bound[i]), []).append(i)
        ends: dict[tuple[bool, int], list[float]] = {}
        shared = self.ground.tree.shared
        for i in self.order:
            c = self.connectors[i]
            if self.share.got[i] and c.turn_at > NEVER and c.queued_at is None:
                for r in shared[self.kind[i]]:
                    if (c.high, r) in lines:
                        ends.setdefault((c.high, r), []).append(c.turn_at + TURN_S)
        turns: dict[int, Turn] = {}
        for key, line in lines.items():
            until = sorted(ends.get(key, []))
            for n, i in enumerate(line):
                seconds = None
                if until:
                    at = until[n % len(until)] + n // len(until) * TURN_S
                    seconds = max(0, ceil(at - self.now))
                turns[i] = Turn(n + 1, seconds, key[1])
        return turns

    def _next_look_s(self, i: int, c: Connector, wait: Wait | None) -> int | None:
        """When its offer may change next, where that is known."""
        at: float | None = None
        if self._stops:
            return None  # whatever else is waited for: not before charging is allowed again
        if wait is not None and wait.until is not None:
            at = wait.until
        elif wait is not None and wait.limit is not None:
            blocker = self._blocker(wait.limit, i)
            if blocker is not None and blocker.books.accepted_id == blocker.books.offer_id:
                at = blocker.books.accepted_at + blocker.books.obey_s
        elif i in self._turns:
            return self._turns[i].seconds
        elif self.standing[i] == ASLEEP:
            at = c.demand.wake_at
        elif self.standing[i] == ACTIVE and self.share.got[i] == 0 and is_resting(c, self.now):
            at = c.paused_at + REST_S
        return ceil(at - self.now) if at is not None and self.now < at < UNBOUND else None

    def _parts(self, i: int, c: Connector, wait: Wait | None) -> list[Part]:
        stands, offered = self.standing[i], c.books.offer_ma
        parts = self._stops.copy()
        if c.is_stranger:
            parts.append(part("not_adopted", offered))
        if stands > FAULTY or self._is_stopped_alone(i, c):
            self._shared_parts(i, c, parts)
        else:
            if stands == ABSENT:
                parts.append(part("fail_safe", offered))
            elif stands in (HELD, FAULTY) or c.status in OUT_OF_ORDER:
                parts.append(part("charger_fault", offered))
            parts.append(part("charger_max", c.amounts.told(c.amounts.most_ma)[0]))
        if stands == IDLE:
            parts.append(part(_of_idle(c), offered))
            if offered:
                parts.append(part("charger_min", offered))
        if wait is not None and i not in self.out_of_level:
            parts.append(self._wait_part(i, offered, wait))
        return parts

    def _is_stopped_alone(self, i: int, c: Connector) -> bool:
        """Held by what stops all, and by nothing of its own: its limits are told all the same."""
        is_its_own = c.stage or c.books.refused or c.is_stranger or c.inoperative
        return bool(self._stops) and self.standing[i] == HELD and not is_its_own

    def _stopping(self) -> list[Part]:
        if self.ground.emergency:
            return [part("emergency_stop", 0)]
        if self.ground.excluded:
            return [part("schedule", 0, seconds=self.ground.excluded_until_s)]
        return [part("site_overloaded", 0)] if self.ground.overloaded else []

    def _shared_parts(self, i: int, c: Connector, parts: list[Part]) -> None:
        got, bound, amounts = self.share.got[i], self.share.bound[i], c.amounts
        if self._stops:
            bound = DEMAND  # no limit holds it: what each would allow is told
        fair = amounts.told(got)[0] if got >= amounts.least_ma else 0
        parts.append(part("charger_max", amounts.told(amounts.most_ma)[0]))
        if c.allowed_ma is not None:
            can = c.allowed_ma >= amounts.least_ma
            parts.append(part("csms_profile", amounts.told(c.allowed_ma)[0] if can else 0))
        if self.standing[i] == ASLEEP:
            parts.append(part("car_not_asking", fair))
            if fair:
                parts.append(part("charger_min", fair))
        elif c.demand.want_ma is not None and self.standing[i] == ACTIVE:
            parts.append(part("car_draws_less", amounts.told(self.want[i])[0]))
        is_held = got == 0 and not self._stops and is_resting(c, self.now)
        if is_held and self._has_room(i, c):
            seconds = ceil(c.paused_at + REST_S - self.now)
            parts.append(part("raise_hold", 0, seconds=seconds))
            bound = DEMAND
        elif i in self._turns:
            parts.append(self._turn_part(self._turns[i]))
        key = c.high, self.kind[i], bound
        causes = self._causes.get(key) or self._of_class(*key)
        if causes.taken_by_high:
            parts.append(part("lower_priority", fair))
        queued = self.ground.fifo and bound != DEMAND and self._places[i] > 1
        if queued:
            parts.append(part("fifo_queue", fair, place=self._places[i]))
        self._limit_parts(c, got, causes.limits, parts)
        if self.ground.imbalance_ma is not None:
            self._imbalance_parts(i, c, fair, bound, parts)
        if bound != DEMAND and got and not queued:
            even = got <= amounts.most_ma * causes.even + STEP_MA
            parts.append(part("fair_share" if even else "spare_redistributed", fair))

    def _turn_part(self, turn: Turn) -> Part:
        """Its place in which line: under a group, a shared supply, or the site (neither named)."""
        tree, node = self.ground.tree, turn.limit // 3
        of = tree.nodes[node] if node < tree.slow else tree.nodes[SITE]
        return part(
            "turn", 0, place=turn.place, seconds=turn.seconds,
            phase=phase_of(turn.limit) if turn.limit < tree.count else None,
            group=of.name if of.code == "group_limit" else None,
            charger=of.name if of.code == "supply_limit" else None,
        )  # fmt: skip

    def _limit_parts(self, c: Connector, got: int, chain: list[Link], parts: list[Part]) -> None:
        """What each limit above it would allow, on each phase in use."""
        most, full = c.amounts.most_ma, self._full
        told = c.amounts.told if c.conf.unit == "W" else None
        held = self.site.held
        for code, beyond, phase, group, charger in chain:
            allowed = []
            for more in beyond:
                amount = got + more
                if code == "site_limit" and amount > full:
                    amount = full
                if amount < most:
                    amount = amount // STEP_MA * STEP_MA if told is None else told(amount)[0]
                allowed.append(amount)
            least = allowed[0]
            each = None
            if len(allowed) > 1:
                least = min(allowed)
                each = tuple(allowed) if max(allowed) > least else None
            seconds = None
            if held is not None and code in METER_LOST and phase in held.phases:
                seconds = ceil(held.until - self.now)
            parts.append((code, least, phase, group, charger, None, None, seconds, each))

    def _imbalance_parts(
        self, i: int, c: Connector, fair: int, bound: int, parts: list[Part]
    ) -> None:
        """The imbalance limit: what the other phases' chargers leave to it."""
        tree = self.ground.tree
        limits = tree.shared[self.kind[i]][len(tree.limits[self.kind[i]]) :]
        if i in self.out_of_level:
            parts.append(part("imbalance", c.books.offer_ma))
        elif limits:
            got, most = self.share.got[i], c.amounts.most_ma
            r = bound if bound in limits else min(limits, key=self.room.__getitem__)
            amount = got if r == bound else got + max(0, self.room[r])
            if amount < most:
                amount = c.amounts.told(amount)[0]
            if self.targets[i] < fair:  # lowered for what rounding takes on the other phases
                amount = min(amount, self.targets[i])
            parts.append(part("imbalance", amount, phase=phase_of(r)))

    def _has_room(self, i: int, c: Connector) -> bool:
        """Whether its minimum would fit now, beside all others."""
        limits = self.ground.tree.shared[self.kind[i]]
        return all(self.room[r] >= c.amounts.least_ma for r in limits)

    def _of_class(self, high: bool, kind: int, bound: int) -> Causes:
        """What all of a band and a class have in common that are held by the same limit."""
        even, taken = 0.0, False
        if bound != DEMAND:
            even = self._even(high, bound)
            if not high and self.has_high and bound < len(self.base):
                taken = self.after_high[bound] < self.base[bound] - self.reserved[bound]
        causes = self._causes[high, kind, bound] = Causes(self._chain(kind, bound), taken, even)
        return causes

    def _even(self, high: bool, limit: int) -> float:
        """The part of its maximum that each of a band that charges under a limit would have, did
        all use what is theirs there.
        """
        weight, took = self._taken.get((high, limit), (0, 0))
        return (took + max(0, self.room[limit])) / weight if weight else 0.0

    def _taken_by_limit(self) -> dict[tuple[bool, int], tuple[int, int]]:
        """By band and limit: the maximums of those that charge, and what they got."""
        by_kind: dict[tuple[bool, int], list[int]] = {}
        got, kind, shared = self.share.got, self.kind, self.ground.tree.shared
        for i in self.order:
            if got[i]:
                c = self.connectors[i]
                total = by_kind.get((c.high, kind[i]))
                if total is None:
                    total = by_kind[c.high, kind[i]] = [0, 0]
                total[0] += c.amounts.most_ma
                total[1] += got[i]
        bounds = set(self.share.bound)
        taken: dict[tuple[bool, int], tuple[int, int]] = {}
        for (high, k), (most, amount) in by_kind.items():
            for r in shared[k]:
                if r in bounds:
                    weight, took = taken.get((high, r), (0, 0))
                    taken[high, r] = weight + most, took + amount
        return taken

    def _chain(self, kind: int, bound: int) -> list[Link]:
        """For a class: what each node above it leaves beyond its share."""
        tree = self.ground.tree
        of = tree.kinds[kind]
        chain: list[Link] = []
        kept_back: list[Link] = []
        for place in (*of.path, tree.slow) if of.slow else of.path:
            # The limit that holds it first: where others are as tight, it is the one to be named.
            limits = sorted([place * 3 + leg for leg in of.legs], key=lambda r: r != bound)
            # What rounding down left under the very limit that holds it is nobody's.
            rest = [0 if r == bound else max(0, self.room[r]) for r in limits]
            if place == tree.slow:
                if min(rest) < UNBOUND // 2:
                    kept_back.append(self._link("unreachable_reserved", rest, limits, of.legs))
                continue
            held = [self.reserved[r] for r in limits]
            with_held = [left + more for left, more in zip(rest, held, strict=True)]
            node = tree.nodes[place]
            group = node.name if node.code == "group_limit" else None
            if place == SITE:
                chain += self._site_links(with_held, limits, of.legs)
            else:
                chain.append(self._link(node.code, with_held, limits, of.legs, group))
            if any(held):
                kept_back.append(
                    self._link("unreachable_reserved", rest, limits, of.legs, group)
                )
        if self._stops and self.absent is None:
            return chain
        if kept_back:  # under several limits the same chargers are kept back: the tightest tells
            chain.append(min(kept_back, key=lambda link: min(link[1])))
        return chain

    def _site_links(
        self, with_held: list[int], limits: list[int], legs: tuple[int, ...]
    ) -> list[Link]:
        """The site: its limit as configured, then what takes of it, each below the one before."""
        site = self.site

        def below(limit: Sequence[int]) -> list[int]:
            return [
                amount + max(0, limit[r] - site.room[r])
                for amount, r in zip(with_held, limits, strict=True)
            ]

        codes = [site.codes[r] for r in limits]
        full, sealed = below(site.full), below(site.limit)
        links = [self._link("site_limit", full, limits, legs)]
        is_degraded = "degraded_limit" in codes or "meter_lost_half" in codes
        if sealed != full and not is_degraded:
            links.append(self._link("engineering_ceiling", sealed, limits, legs))
        tightest = min(range(len(limits)), key=with_held.__getitem__)
        for code in (codes[tightest], *codes):
            if code not in ("site_limit", "engineering_ceiling"):
                return [*links, self._link(code, with_held, limits, legs)]
        return links

    def _link(
        self, code: Code, beyond: list[int], limits: list[int], legs: tuple[int, ...],
        group: str | None = None,
    ) -> Link:  # fmt: skip
        tightest = min(range(len(limits)), key=beyond.__getitem__)
        charger = self.absent if code == "unreachable_reserved" else None
        by_leg = dict(zip([r % 3 for r in limits], beyond, strict=True))
        return (code, tuple([by_leg[leg] for leg in legs]), phase_of(limits[tightest]), group,
                charger)  # fmt: skip

    def _wait_part(self, i: int, offered: int, wait: Wait) -> Part:
        if wait.limit is not None:
            blocker = self._blocker(wait.limit, i)
            if blocker is not None:
                return part("wait_for_cut", offered, phase=phase_of(wait.limit),
                            charger=blocker.charger, connector=blocker.number)  # fmt: skip
        seconds = None if wait.until is None else max(1, ceil(wait.until - self.now))
        return part("raise_hold", offered, seconds=seconds)

    def _blocker(self, limit: int, waiting: int) -> Connector | None:
        """Whose reduction is awaited under a limit: the one that may draw most beyond its offer."""
        if limit not in self._blockers:
            limits = self.ground.tree.limits
            beyond = [
                (self.before[i] - c.books.offer_ma, -i) for i, c in enumerate(self.connectors)
                if i != waiting and self.before[i] > c.books.offer_ma
                and limit in limits[self.kind[i]]
            ]  # fmt: skip
            self._blockers[limit] = self.connectors[-max(beyond)[1]] if beyond else None
        return self._blockers[limit]


def _of_idle(c: Connector) -> Code:
    """Why a connector without a session gets nothing: a car may well be plugged in."""
    if c.status == "Faulted":
        return "charger_fault"
    return "not_authorised" if c.status in AT_THE_PLUG else "no_car"
