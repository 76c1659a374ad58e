"""One decision for the whole site: survey, room, shares, dispatch, reasons (house.md, story A 8).

Holds the lists of one plan; what lasts is in the connectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from linkray.model.plan import Code, Offer
from linkray.model.units import PHASES, ZERO, Phases

from .budget import UNBOUND, SiteBudget
from .connector import NO_CAR, OUT_OF_ORDER, Connector
from .dispatch import Step, Wait, dispatch
from .explain import Part, explain, offer, part
from .share import DEMAND, Field, Share, serve_in_order, share_band
from .tree import SITE, Tree, phase_of

# a limit as an explanation: code, node, what is left, what comes on top, phase, group, charger
Link = tuple[Code, int, int, int, str, str | None, str | None]
ABSENT, HELD, IDLE, FAULTY, ASLEEP, ACTIVE = range(6)
DELIVERED_S = 10.0  # a reduction not delivered by then ends the session (balancing.md 4)
STUCK_S = 11.0  # unanswered for so long, it is reserved: 1 s dispatch + 10 s (trust.md, INV-1)
ESCALATE_S = 10.0  # resend → 0 A → stop, so far apart (INV-10)
LEASE_GRACE_S = 10.0  # δ: clocks and the way there (trust.md 1, P 5)
TURN_S = 900.0  # the paused take turns with the charging (balancing.md 3)
PAUSED_S_MIN = 60.0  # a pause is not undone before


class Ground:
    """What holds for every connector of one plan."""

    __slots__ = ("by", "dead_man_s", "emergency", "fifo", "interval_s", "overloaded", "tree")

    def __init__(
        self, tree: Tree, *, fifo: bool, interval_s: int, dead_man_s: int,
        emergency: bool, by: str, overloaded: bool,
    ) -> None:  # fmt: skip
        self.tree, self.fifo, self.interval_s = tree, fifo, interval_s
        self.dead_man_s, self.emergency, self.by = dead_man_s, emergency, by
        self.overloaded = overloaded


class Decision:
    """The working lists of one plan, by the connectors' places."""

    def __init__(
        self, connectors: Sequence[Connector], ground: Ground, site: SiteBudget,
        over: frozenset[int], now: float,
    ) -> None:  # fmt: skip
        self.connectors, self.ground, self.site, self.now = connectors, ground, site, now
        self.over = over  # limits that the books exceeded in the plan before
        self.fixed: dict[int, int] = {}  # by class: reserved, mA
        self.gone: dict[int, int] = {}  # by class: of absent chargers
        self.loose: dict[int, int] = {}  # by class: in the books of those that are shared among
        self.standing: list[int] = []
        self.tops: list[int] = []
        self.reserved = [0] * ground.tree.count
        self.absent: str | None = None
        self.paused: list[int] = []
        self.order: list[int] = []

    def run(self, passed_s: float) -> tuple[Offer, ...]:
        """Decide; issues into the connectors' books what is to be sent."""
        self._survey(passed_s)
        self._room()
        self._share()
        self._targets()
        waits = self._dispatch()
        return self._offers(waits)

    # survey: where each stands, and what it may draw by the books

    def _survey(self, passed_s: float) -> None:
        now = self.now
        for c in self.connectors:
            books = c.books
            books.settle(now)
            if not c.line.linked:
                stands, top = ABSENT, self._absent_top(c)
                self.gone[c.kind] = self.gone.get(c.kind, 0) + top
            elif c.tx is None:
                stands, top = IDLE, self._idle_top(c)
            else:
                if books.accepted_id and books.accepted_ma > 0 and not c.demand.asleep:
                    c.charged_s += passed_s
                stands, top = self._standing(c), books.top_ma
                if books.refused:
                    top = books.max_ma
            self.standing.append(stands)
            self.tops.append(top)
            if stands == HELD or (stands == IDLE and top and self._is_reserved(c)):
                self.fixed[c.kind] = self.fixed.get(c.kind, 0) + top
            elif stands != ABSENT:
                self.loose[c.kind] = self.loose.get(c.kind, 0) + top

    def _absent_top(self, c: Connector) -> int:
        """Its full maximum, or its fallback where a proven lease has run out (P 5)."""
        line = c.line
        ran_out = self.now >= line.lost_at + self.ground.dead_man_s + LEASE_GRACE_S
        if line.lease_proven and c.books.leased and ran_out:
            fallback = c.conf.fallback_ma
            return min(c.books.max_ma, c.amounts.least_ma if fallback is None else fallback)
        return c.books.max_ma

    def _idle_top(self, c: Connector) -> int:
        """No session: nothing, once it has answered for its default and no car hangs on it."""
        books = c.books
        if books.over_since is not None:
            return books.top_ma
        if books.refused or (books.answered and c.status in NO_CAR):
            return 0
        if books.answered and (c.conf.start_with_zero or books.accepted_ma == 0):
            return 0 if c.status is not None and c.status != "Charging" else books.top_ma
        return books.top_ma

    def _is_reserved(self, c: Connector) -> bool:
        """Idle, and yet something may flow: a default above 0, or no answer for too long."""
        books = c.books
        if books.answered and books.proven:
            return True
        return books.unanswered_since is not None and (
            self.now - books.unanswered_since >= STUCK_S
        )

    def _standing(self, c: Connector) -> int:
        books, now = c.books, self.now
        in_force = books.accepted_ma if books.accepted_id else 0
        c.demand.in_force(in_force, now)
        fresh = c.measured and c.visible(self.ground.interval_s, now) is not None
        c.demand.grow(c.used_ma if fresh else None, c.amounts.most_ma)
        if c.status == "SuspendedEV" and not c.demand.asleep:
            c.demand.suspended(now)
        waiting_s = now - books.unanswered_since if books.unanswered_since is not None else 0.0
        c.stop = c.stop or c.is_stranger
        if books.caught:
            self._escalate(c)
            return HELD
        c.stage = 0
        undelivered = books.refused or waiting_s >= DELIVERED_S
        if undelivered and books.top_ma > books.offer_ma and not c.stop:
            c.stop = any(r in self.over for r in self.ground.tree.limits[c.kind])
        if c.stop or books.refused:
            return HELD
        if books.top_ma > books.offer_ma and waiting_s >= STUCK_S:
            return HELD
        if c.status == "Faulted":
            return FAULTY
        return ASLEEP if c.demand.asleep else ACTIVE

    def _escalate(self, c: Connector) -> None:
        """Not obeying: sent again, then 0 A, then stopped (INV-10)."""
        if c.stage == 0:
            c.stage, c.stage_at, c.resend = 1, self.now, True
        elif c.stage < 3 and self.now >= c.stage_at + ESCALATE_S:
            c.stage, c.stage_at = c.stage + 1, self.now
        c.stop = c.stop or c.stage == 3

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
        for k, amount in self.fixed.items():
            for r in tree.limits[k]:
                self.reserved[r] += amount
        for k, amount in self.gone.items():
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
            self.loose = {}
            for i, c in enumerate(self.connectors):
                stands = self.standing[i]
                if stands > HELD and not (stands == IDLE and self.tops[i] and self._is_reserved(c)):
                    k = self.kind[i]
                    self.loose[k] = self.loose.get(k, 0) + self.tops[i]
        for k, amount in self.loose.items():
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

    # reasons

    def _offers(self, waits: dict[int, Wait]) -> tuple[Offer, ...]:
        now, interval_s = self.now, self.ground.interval_s
        self._chains: dict[tuple[int, int], list[Link]] = {}
        self._blockers: dict[int, Connector | None] = {}
        self._places = {i: place for place, i in enumerate(self.order, 1)}
        self._turns = {i: place for place, i in enumerate(self.paused, 1)}
        self._next_turn_s = self._seconds_to_turn()
        self.absent = next(
            (c.charger for i, c in enumerate(self.connectors)
             if self.standing[i] in (ABSENT, HELD) and self.tops[i]), None
        )  # fmt: skip
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
