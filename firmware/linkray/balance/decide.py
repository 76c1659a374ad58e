"""One decision for the whole site: survey, room, shares, dispatch, reasons (house.md, story A 8).

Holds the lists of one plan; what lasts is in the connectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from linkray.model.plan import Offer
from linkray.model.units import PHASES, ZERO, Phases

from .budget import UNBOUND, SiteBudget
from .connector import Connector
from .dispatch import Step, Wait, dispatch
from .reasons import TURN_S, Reasons
from .share import Field, Share, serve_in_order, share_band
from .survey import ABSENT, ACTIVE, ASLEEP, FAULTY, HELD, IDLE, Ground, Survey
from .tree import SITE

PAUSED_S_MIN = 60.0  # a pause is not undone before


class Decision:
    """The working lists of one plan, by the connectors' places."""

    def __init__(
        self, connectors: Sequence[Connector], ground: Ground, site: SiteBudget,
        over: frozenset[int], now: float,
    ) -> None:  # fmt: skip
        self.connectors, self.ground, self.site, self.now = connectors, ground, site, now
        self.survey = Survey(connectors, ground, over, now)
        self.standing, self.tops = self.survey.standing, self.survey.tops
        self.reserved = [0] * ground.tree.count
        self.paused: list[int] = []
        self.order: list[int] = []

    def run(self, passed_s: float) -> tuple[Offer, ...]:
        """Decide; issues into the connectors' books what is to be sent."""
        self.survey.run(passed_s)
        self._room()
        self._share()
        self._targets()
        waits = self._dispatch()
        return Reasons(self).offers(waits)

    # room: every limit less what is reserved under it

    def _room(self) -> None:
        tree, site = self.ground.tree, self.site
        metered = site.metered
        stopped = self.ground.emergency or self.ground.overloaded
        self.base = [0] * tree.count
        for place, node in enumerate(tree.nodes):
            for p in range(3):
                self.base[place * 3 + p] = node.limit_ma
        for p in range(3):
            self.base[SITE * 3 + p] = 0 if stopped else site.room[p]
        unseen = [0, 0, 0]
        for k, amount in self.survey.fixed.items():
            for r in tree.limits[k]:
                self.reserved[r] += amount
        for k, amount in self.survey.gone.items():
            for r in tree.limits[k]:
                if r < 3 and metered[r]:
                    unseen[r] += amount
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
            if self.room[slow] < 0:
                self.room[p] = min(self.room[p], 0)
                self.reserved[p] += unseen[p]
        self.kind = [
            c.kind_slow if self.is_slow_bound and not c.books.is_fast else c.kind
            for c in self.connectors
        ]
        self.left = self.room.copy()
        if self.is_slow_bound:
            self.survey.loose = {}
            for i, c in enumerate(self.connectors):
                stands = self.standing[i]
                held = stands == IDLE and self.tops[i] and self.survey.is_reserved(c)
                if stands > HELD and not held:
                    k = self.kind[i]
                    self.survey.loose[k] = self.survey.loose.get(k, 0) + self.tops[i]
        for k, amount in self.survey.loose.items():
            for r in tree.limits[k]:
                self.left[r] -= amount

    # share: who gets what

    def _share(self) -> None:
        cs, standing, now = self.connectors, self.standing, self.now
        field = Field(
            [c.amounts.most_ma for c in cs], [0] * len(cs), [c.amounts.least_ma for c in cs],
            self.kind, self.ground.tree.limits,
        )  # fmt: skip
        self.share = Share.empty(len(cs))
        self.want = field.want
        bands: tuple[list[int], list[int]] = ([], [])
        asleep: list[int] = []
        for i, c in enumerate(cs):
            if standing[i] == ACTIVE:
                want = c.demand.want_ma
                field.want[i] = (
                    field.weight[i]
                    if want is None
                    else min(field.weight[i], max(field.least[i], want))
                )
                bands[0 if c.high else 1].append(i)
            elif standing[i] == ASLEEP:
                field.want[i] = field.least[i]
                asleep.append(i)
        self.after_high = self.room
        for place, band in enumerate(bands):
            band.sort(key=lambda i: (cs[i].order, i))
            if self.ground.fifo:
                serve_in_order(band, field, self.room, self.share)
            else:
                self._share_band(band, field)
            self.order += band
            if place == 0:
                self.high_use = self.base if not band else self.room.copy()
                self.has_high = bool(band)
        for i in asleep:
            demand = cs[i].demand
            limits = field.limits[self.kind[i]]
            has_room = all(self.room[r] >= field.least[i] for r in limits)
            if has_room and demand.may_keep(now):
                serve_in_order([i], field, self.room, self.share)
            demand.served(now, has_room=has_room)
        self.order += asleep

    def _share_band(self, band: list[int], field: Field) -> None:
        """Shared mode, with pauses and turns (balancing.md 3)."""
        cs, now = self.connectors, self.now
        ready = [i for i in band if now >= cs[i].paused_at + PAUSED_S_MIN]

        def rank(i: int) -> tuple[float, ...]:
            c = cs[i]
            in_turn = now < c.turn_at + TURN_S
            return (0.0 if in_turn else 1.0, c.charged_s, c.order, float(i))

        paused = share_band(ready, field, self.room, self.share, rank)
        resting = [i for i in band if now < cs[i].paused_at + PAUSED_S_MIN]
        for i in paused:
            if cs[i].turn_at > float("-inf") or cs[i].books.offer_ma > 0:
                cs[i].paused_at = now
            cs[i].turn_at = float("-inf")
        if paused or resting:
            gone = set(paused)
            for i in ready:
                if i not in gone and now >= cs[i].turn_at + TURN_S:
                    cs[i].turn_at = now
        self.paused += paused + resting

    # targets and dispatch

    def _targets(self) -> None:
        self.targets: list[int] = []
        self.watts: list[int | None] = []
        stopped = self.ground.emergency or self.ground.overloaded
        for i, c in enumerate(self.connectors):
            stands = self.standing[i]
            if stands >= FAULTY:
                amount = self.share.got[i]
                if amount < c.amounts.least_ma:
                    amount = 0
            elif stopped:
                amount = 0
            elif stands == IDLE:
                amount = 0 if c.conf.start_with_zero else c.amounts.least_ma
            elif stands == ABSENT:
                fallback = c.conf.fallback_ma or 0
                amount = fallback if fallback >= c.amounts.least_ma else 0
            elif c.stage >= 2 or c.stop:
                amount = 0
            else:
                self.targets.append(c.books.offer_ma)
                self.watts.append(c.offer_w)
                continue
            told, watts = c.amounts.told(amount)
            self.targets.append(told)
            self.watts.append(watts)
        if self.ground.emergency:
            for c in self.connectors:
                c.stop = c.tx is not None

    def _dispatch(self) -> dict[int, Wait]:
        limits = self.ground.tree.limits
        self.before = self.tops.copy()
        step = Step(
            self.targets, self.watts, self.tops, [limits[k] for k in self.kind],
            [got >= want for got, want in zip(self.share.got, self.want, strict=True)],
            self.left, self.site.spare.copy(), self.site.fresh,
            2.0 * self.ground.interval_s,
        )  # fmt: skip
        return dispatch(self.connectors, self.order, step, self.now)

    def over_limits(self) -> frozenset[int]:
        """Limits that the books exceed: until they hold again nothing is raised under them."""
        return frozenset(r for r, left in enumerate(self.left) if left < 0)

    # what the plan says of the site

    def budget_ma(self) -> Phases:
        """What the chargers may use, after reserves and never below 0."""
        return Phases(*(max(0, self.base[p] - self.reserved[p]) for p in range(3)))

    def reserved_ma(self) -> Phases:
        return Phases(*self.reserved[: len(PHASES)])

    def building_ma(self) -> Phases | None:
        seen = self.site.building
        return Phases(*seen) if seen is not None else None

    def site_limit_ma(self) -> Phases:
        return Phases(*self.site.limit) if self.site.limit else ZERO
