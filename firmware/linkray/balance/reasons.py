"""Why each connector is offered what it is: the ceilings of one decision, in the order told.

Reads a finished decision, changes nothing but the connectors' explanations.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from linkray.model.plan import Code, Offer

from .budget import UNBOUND
from .connector import OUT_OF_ORDER, Connector
from .dispatch import Wait
from .explain import Part, explain, offer, part
from .share import DEMAND
from .survey import ABSENT, ASLEEP, FAULTY, HELD, IDLE
from .tree import SITE, phase_of

if TYPE_CHECKING:
    from .decide import Decision

# a limit as an explanation: code, node, what is left, what comes on top, phase, group, charger
Link = tuple[Code, int, int, int, str, str | None, str | None]
TURN_S = 900.0  # the paused take turns with the charging (balancing.md 3)


class Reasons:
    """The explanations of one decision."""

    def __init__(self, d: Decision) -> None:
        self.connectors, self.ground, self.site, self.now = d.connectors, d.ground, d.site, d.now
        self.standing, self.tops, self.before = d.standing, d.tops, d.before
        self.base, self.reserved, self.room, self.kind = d.base, d.reserved, d.room, d.kind
        self.share, self.want = d.share, d.want
        self.high_use, self.has_high = d.high_use, d.has_high
        self.order, self.paused = d.order, d.paused
        self._chains: dict[tuple[int, int], list[Link]] = {}
        self._blockers: dict[int, Connector | None] = {}
        self._places = {i: place for place, i in enumerate(self.order, 1)}
        self._turns = {i: place for place, i in enumerate(self.paused, 1)}
        self._next_turn_s = self._seconds_to_turn()
        self.absent = next(
            (c.charger for i, c in enumerate(self.connectors)
             if self.standing[i] in (ABSENT, HELD) and self.tops[i]), None
        )  # fmt: skip

    def offers(self, waits: dict[int, Wait]) -> tuple[Offer, ...]:
        """An offer with its ceilings for every connector, in their order."""
        now, interval_s = self.now, self.ground.interval_s
        offers = []
        for i, c in enumerate(self.connectors):
            legs = c.in_use() if c.released else c.legs
            explain(c, self._parts(i, c, waits.get(i)), legs, self.ground.by)
            fresh = c.visible(interval_s, now) is not None
            offers.append(offer(c, legs, self.before[i], fresh=fresh))
        return tuple(offers)

    def _seconds_to_turn(self) -> int | None:
        ends = [
            self.connectors[i].turn_at + TURN_S for i in self.order
            if self.connectors[i].turn_at > float("-inf")
        ]  # fmt: skip
        return max(0, ceil(min(ends) - self.now)) if self.paused and ends else None

    def _parts(self, i: int, c: Connector, wait: Wait | None) -> list[Part]:
        stands, offered = self.standing[i], c.books.offer_ma
        parts = self._stops()
        if c.is_stranger:
            parts.append(part("not_adopted", offered))
        if stands == ABSENT:
            parts.append(part("fail_safe", offered))
        elif stands in (HELD, FAULTY) or (stands == IDLE and c.status in OUT_OF_ORDER):
            parts.append(part("charger_fault", offered))
        parts.append(part("charger_max", c.amounts.told(c.amounts.most_ma)[0]))
        if stands == IDLE:
            parts.append(part("charger_fault" if c.status == "Faulted" else "no_car", offered))
        elif stands > FAULTY:
            self._shared_parts(i, c, parts)
        if wait is not None:
            parts.append(self._wait_part(i, offered, wait))
        return parts

    def _stops(self) -> list[Part]:
        if self.ground.emergency:
            return [part("emergency_stop", 0)]
        return [part("site_overloaded", 0)] if self.ground.overloaded else []

    def _shared_parts(self, i: int, c: Connector, parts: list[Part]) -> None:
        got, bound = self.share.got[i], self.share.bound[i]
        told = c.amounts.told
        fair = told(got)[0] if got >= c.amounts.least_ma else 0
        if i in self._turns and not self._is_crowded_out(i, c):
            parts.append(part("turn", 0, place=self._turns[i], seconds=self._next_turn_s))
            parts.append(part("charger_min", 0))
        elif self.standing[i] == ASLEEP:
            parts.append(part("car_not_asking", fair))
        elif c.demand.want_ma is not None:
            parts.append(part("car_draws_less", told(self.want[i])[0]))
        if self._taken_by_high(i, c):
            parts.append(part("lower_priority", fair))
        place = self._places[i]
        queued = self.ground.fifo and bound != DEMAND and place > 1
        if queued:
            parts.append(part("fifo_queue", fair, place=place))
        held_at = bound // 3 if bound != DEMAND else DEMAND
        for code, node, rest, more, phase, group, charger in self._chain(self.kind[i], bound):
            # What rounding down left under the very limit that holds it is nobody's.
            amount = got + more if node == held_at else got + rest + more
            if code == "site_limit":
                amount = min(amount, max(self.site.full))
            allowed = told(amount)[0] if amount < c.amounts.most_ma else amount
            parts.append((code, allowed, phase, group, charger, None, None, None))
        if bound != DEMAND and not queued and i not in self._turns:
            parts.append(part("fair_share", fair))

    def _is_crowded_out(self, i: int, c: Connector) -> bool:
        """Whether reserves leave no room for a minimum: there is no turn to wait for."""
        return any(
            self.reserved[r] and self.base[r] - self.reserved[r] < c.amounts.least_ma
            for r in self.ground.tree.limits[self.kind[i]]
        )

    def _taken_by_high(self, i: int, c: Connector) -> bool:
        """Whether high priority took of what binds a normal connector."""
        bound = self.share.bound[i]
        if c.high or not self.has_high or bound == DEMAND:
            return False
        return self.high_use[bound] < self.base[bound] - self.reserved[bound]

    def _chain(self, kind: int, bound: int) -> list[Link]:
        """For a class: what each node above it leaves beyond its share, on its tightest phase."""
        key = (kind, bound)
        found = self._chains.get(key)
        if found is None:
            found = self._chains[key] = self._make_chain(kind, bound)
        return found

    def _make_chain(self, kind: int, bound: int) -> list[Link]:
        tree = self.ground.tree
        of = tree.kinds[kind]
        chain: list[Link] = []
        for place in (*of.path, tree.slow) if of.slow else of.path:
            r = min((place * 3 + leg for leg in of.legs), key=self.room.__getitem__)
            if bound // 3 == place:
                r = bound
            rest, held, phase = max(0, self.room[r]), self.reserved[r], phase_of(r)
            if place == tree.slow:
                if rest < UNBOUND // 2:
                    chain.append(
                        ("unreachable_reserved", place, rest, 0, phase, None, self.absent)
                    )
                continue
            node = tree.nodes[place]
            group = node.name if node.code == "group_limit" else None
            if place == SITE:
                code = self.site.codes[r]
                shrunk = max(0, self.site.full[r] - self.site.room[r])
                chain.append(("site_limit", place, rest, held + shrunk, phase, None, None))
                if code != "site_limit":
                    chain.append((code, place, rest, held, phase, None, None))
            else:
                chain.append((node.code, place, rest, held, phase, group, None))
            if held:
                chain.append(("unreachable_reserved", place, rest, 0, phase, group, self.absent))
        return chain

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
