"""One decision for the whole site: survey, room, shares, dispatch, reasons (house.md, story A 8).

Holds the lists of one plan; what lasts is in the connectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from linkray.model.plan import NodeRoom, Offer, Reason
from linkray.model.units import PHASES, ZERO, Phases

from . import imbalance
from .allot import Allotment
from .budget import UNBOUND, SiteBudget
from .connector import NEVER, Connector
from .dispatch import Issues, Step, Wait, dispatch
from .headroom import drawn_by_node, headroom
from .reasons import Reasons
from .survey import ABSENT, AT_ZERO, FAULTY, HELD, IDLE, Ground, Survey, idle_ma
from .tree import SITE


class Decision:
    """The working lists of one plan, by the connectors' places."""

    def __init__(
        self, connectors: Sequence[Connector], ground: Ground, site: SiteBudget,
        over: frozenset[int], now: float,
    ) -> None:  # fmt: skip
        self.connectors, self.ground, self.site, self.now = connectors, ground, site, now
        self.survey = Survey(connectors, ground, site, over, now)
        self.standing, self.tops = self.survey.standing, self.survey.tops
        self.reserved = [0] * ground.tree.count
        self.promised = [0] * ground.tree.count  # by the books of those that are shared among
        self.out_of_level: set[int] = set()  # held or cut for the imbalance limit's sake
        self.unseen_kept: set[int] = set()  # phases on which the meter's sight is not enough
        self.stopped: Reason | None = None

    def run(self, passed_s: float) -> tuple[Offer, ...]:
        """Decide; issues into the connectors' books what is to be sent."""
        self.survey.run(passed_s)
        self._room()
        self._share()
        self._targets()
        waits = self._dispatch()
        reasons = Reasons(self)
        offers = reasons.offers(waits)
        self.drawn, self.stopped = reasons.drawn, reasons.stopped()
        return offers

    # room: every limit less what is reserved under it

    def _room(self) -> None:
        tree, site = self.ground.tree, self.site
        metered = site.metered
        stopped = self.ground.is_stopped()
        self.base = [0] * tree.count
        for place, node in enumerate(tree.nodes):
            for p in range(3):
                self.base[place * 3 + p] = node.limit_ma
        for p in range(3):
            self.base[SITE * 3 + p] = 0 if stopped else site.room[p]
        for k, amount in self.survey.plugless.items():  # the site's meter sees a car that comes
            for r in tree.limits[k]:
                self.reserved[r] += 0 if r < 3 and metered[r] else amount
        unseen = [0, 0, 0]
        for k, amount in self.survey.fixed.items():
            for r in tree.limits[k]:
                self.reserved[r] += amount
        for k, amount in self.survey.gone.items():
            for r in tree.limits[k]:
                if r < 3 and metered[r]:
                    # what it may still draw: the meter sees what it does draw (balancing.md 1)
                    unseen[r] += amount - self.survey.shown.get(k, 0)
                else:
                    self.reserved[r] += amount
        self.room = [base - held for base, held in zip(self.base, self.reserved, strict=True)]
        self.is_slow_bound = any(unseen)
        for p in range(3):
            slow = tree.slow * 3 + p
            # INV-5b: what is absent may be given out only as far as it can be shed within 5 s;
            # where that holds for some division, it does so for every one in which those that
            # cannot be shed so soon get no more than is left beside the absent ones.
            self.room[slow] = self.room[p] - unseen[p] if unseen[p] else UNBOUND
            if self.room[slow] < 0 and not stopped:
                self.room[p] = min(self.room[p], 0)
                self.reserved[p] += unseen[p]
                self.unseen_kept.add(p)
        self.kind = [
            c.kind_slow if self.is_slow_bound and not c.sheds_soon() else c.kind
            for c in self.connectors
        ]
        if self.is_slow_bound:
            self.survey.loose = {}
            for i, held in enumerate(self.survey.held):
                if self.standing[i] != ABSENT:
                    k = self.kind[i]
                    self.survey.loose[k] = self.survey.loose.get(k, 0) + self.tops[i] - held
        for k, amount in self.survey.loose.items():
            for r in tree.limits[k]:
                self.promised[r] += amount
        self.left = [room - amount for room, amount in zip(self.room, self.promised, strict=True)]
        # Limits that the books exceed: until they hold again nothing is raised under them.
        self.over = frozenset(r for r, left in enumerate(self.left) if left < 0)

    def _share(self) -> None:
        allot = Allotment(
            self.connectors, self.ground, self.standing, self.kind, self.room, self.now
        )
        allot.run()
        self.allot, self.share, self.order = allot, allot.share, allot.order

    # targets and dispatch

    def _targets(self) -> None:
        self.targets: list[int] = []
        self.watts: list[int | None] = []
        stopped = self.ground.is_stopped()
        kept = self._kept()
        for i, c in enumerate(self.connectors):
            stands = self.standing[i]
            if stands >= FAULTY:
                amount = self.share.got[i]
                if amount < c.amounts.least_ma:
                    amount = 0
            elif stopped:
                amount = 0
            elif stands == IDLE:
                amount = idle_ma(c)
            elif stands == ABSENT:
                # One that was never heard of in this life may be linked, and offered less (INV-3).
                fallback = (c.conf.fallback_ma or 0) if c.line.lost_at > NEVER else 0
                amount = fallback if fallback >= c.amounts.least_ma else 0
            elif c.stage >= AT_ZERO or c.stop:
                amount = 0
            else:
                amount = min(c.books.top_ma, kept[i])
                if c.books.offer_ma <= amount:
                    self.targets.append(c.books.offer_ma)
                    self.watts.append(c.offer_w)
                    continue
                # It refused a raise: not once more without room (INV-3); or a limit was lowered.
                if amount < c.amounts.least_ma:
                    amount = 0
            told, watts = c.amounts.told(amount)
            self.targets.append(told)
            self.watts.append(watts)
        if self.ground.imbalance_ma is not None:
            self._level(self.targets, self.order, self.ground.imbalance_ma)
            for i in self.order:
                self.targets[i], self.watts[i] = self.connectors[i].amounts.told(self.targets[i])
        if self.ground.emergency:
            for c in self.connectors:
                c.stop = c.tx is not None

    def _kept(self) -> dict[int, int]:
        """What the held ones may go on with: what is reserved for them is no leave to be told
        more than the limits hold beside the others' reserves (INV-1, INV-7).
        """
        limits, cs = self.ground.tree.limits, self.connectors
        offers = {
            i: cs[i].books.offer_ma for i, stands in enumerate(self.standing) if stands == HELD
        }
        room: dict[int, int] = {}
        told: dict[int, int] = {}
        for i, offer in offers.items():
            for r in limits[cs[i].kind]:
                room[r] = room.get(r, self.base[r] - self.reserved[r]) + self.tops[i]
                told[r] = told.get(r, 0) + offer
        return {
            i: min([offer, *(
                offer * max(0, room[r]) // told[r] for r in limits[cs[i].kind] if told[r] > room[r]
            )]) if offer else 0
            for i, offer in offers.items()
        }  # fmt: skip

    def _level(self, amounts: list[int], members: Sequence[int], limit_ma: int) -> None:
        """Lower amounts, by the connectors' places, until they hold the imbalance limit."""
        cs, kinds = self.connectors, self.ground.tree.kinds
        imbalance.level(
            amounts, members, [kinds[k].legs for k in self.kind], self.allot.field, limit_ma,
            lambda i, amount_ma: cs[i].amounts.told(amount_ma)[0],
        )

    def _settle(self, issues: Issues) -> None:
        """What the chargers are told after this plan holds the imbalance limit too.

        A raise waits for its counterweight on the other phases; where a reduction there leaves
        too much here, this is cut, for as long as that takes (balancing.md 3).
        """
        assert self.ground.imbalance_ma is not None
        cs = self.connectors
        told = [
            issues[i][0] if i in issues else c.books.offer_ma for i, c in enumerate(cs)
        ]
        meant = told.copy()
        self._level(told, self.order, self.ground.imbalance_ma)
        for i in self.order:
            c = cs[i]
            if told[i] == meant[i]:
                continue
            self.out_of_level.add(i)
            amount, watts = c.amounts.told(told[i])
            if amount == c.books.offer_ma and not c.resend:
                issues.pop(i, None)
            else:
                issues[i] = amount, watts
            if amount == 0 and c.books.offer_ma:
                c.paused_at = self.now

    def _dispatch(self) -> dict[int, Wait]:
        tree = self.ground.tree
        limits = tree.limits
        self.before = self.tops.copy()
        promised = self.promised
        left = self.left.copy()
        for p, amount in enumerate(self.site.doubt):
            left[p] -= amount
            if left[tree.slow * 3 + p] < 0:  # more of the absent ones' is out than can be shed
                left[p] = min(left[p], 0)
        step = Step(
            self.targets, self.watts, self.tops, [limits[k] for k in self.kind],
            [got >= want for got, want in
             zip(self.share.got, self.allot.field.want, strict=True)],
            left, self.site.spare.copy(), self.site.fresh and self.ground.may_raise,
            2.0 * self.ground.interval_s,
            self._settle if self.ground.imbalance_ma is not None else None,
        )  # fmt: skip
        waits = dispatch(self.connectors, self.order, step, self.now)
        for i, (amount, _) in step.issues.items():
            if amount > self.tops[i]:
                for r in limits[self.kind[i]]:
                    promised[r] += amount - self.tops[i]
        return waits

    def passed(self) -> frozenset[int]:
        """Limits through which too much flows although all who obey come down to their offers:
        what is left to take is of those that were caught.
        """
        if not any(c.books.caught for c in self.connectors):
            return frozenset()
        return self.survey.passed(lambda _: True)

    # what the plan says of the site

    def budget_ma(self) -> Phases:
        """What the chargers may use, after reserves and never below 0."""
        return Phases(*(max(0, self.base[p] - self.reserved[p]) for p in range(3)))

    def reserved_ma(self) -> Phases:
        return Phases(*self.reserved[: len(PHASES)])

    def building_ma(self) -> Phases | None:
        seen = self.site.building
        return Phases(*seen) if seen is not None else None

    def nodes(self) -> tuple[NodeRoom, ...]:
        """The headroom of every limit, the site first."""
        tree = self.ground.tree
        drawn = drawn_by_node(tree, self.drawn)
        building = self.building_ma() or ZERO
        limit, held = self.site_limit_ma(), self.site.held
        if held is not None:  # the chargers' alone: the building is seen again, under the agreed
            agreed = self.site.agreed
            limit = Phases(*(
                agreed[p] if name in held.phases else limit[p] for p, name in enumerate(PHASES)
            ))  # fmt: skip
        return headroom(tree, limit, building, self.reserved, self.promised, drawn)

    def site_limit_ma(self) -> Phases:
        return Phases(*self.site.limit) if self.site.limit else ZERO
