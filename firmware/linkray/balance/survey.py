"""Where every connector stands, and what it may draw by its books: the first step of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from linkray.model.units import Phases

from .budget import SiteBudget
from .connector import DRAWING, NO_CAR, Connector
from .headroom import drawn_by_node
from .tree import SITE, Tree
from .turns import ShedOrder

ABSENT, HELD, IDLE, FAULTY, ASLEEP, ACTIVE = range(6)
DELIVERED_S = 10.0  # a reduction not delivered by then ends the session (balancing.md 4)
STUCK_S = 11.0  # unanswered for so long, it is reserved: 1 s dispatch + 10 s (trust.md, INV-1)
HANDED_S = 3.0  # … and so soon where too much flows: the others have 5 s in all (trust.md, INV-9)
# Resend → 0 A → stop → out of service, at most 10 s apart with a plan each second (INV-10).
ESCALATE_S = 9.0
HASTE_S = 5.0  # … and so soon where the wires carry too much: who obeys at all has come down
RESENT, AT_ZERO, STOPPED, OUT_OF_SERVICE = 1, 2, 3, 4  # the stages of the ladder


class Ground:
    """What holds for every connector of one plan."""

    __slots__ = (
        "by", "dead_man_s", "emergency", "excluded", "excluded_until_s", "fifo", "imbalance_ma",
        "interval_s", "may_raise", "overloaded", "passed", "shed_order", "tree",
    )  # fmt: skip

    def __init__(
        self, tree: Tree, *, fifo: bool, interval_s: int, dead_man_s: int,
        emergency: bool, by: str, overloaded: bool, excluded: bool = False,
        excluded_until_s: int | None = None, shed_order: ShedOrder = "longest",
        imbalance_ma: int | None = None, passed: frozenset[int] = frozenset(),
        may_raise: bool = True,
    ) -> None:  # fmt: skip
        self.tree, self.fifo, self.interval_s = tree, fifo, interval_s
        self.dead_man_s, self.emergency, self.by = dead_man_s, emergency, by
        self.overloaded = overloaded
        self.excluded = excluded  # an excluded time of the schedule: nothing for anyone
        self.excluded_until_s = excluded_until_s  # so much longer, where that is known
        self.shed_order, self.imbalance_ma = shed_order, imbalance_ma
        self.passed = passed  # limits that carried too much in the plan before
        self.may_raise = may_raise  # the cycle of this second has not failed (B9, INV-5)

    def is_stopped(self) -> bool:
        """Whether nothing at all may be offered now."""
        return self.emergency or self.overloaded or self.excluded


def idle_ma(c: Connector) -> int:
    """What it is told while no session runs: its minimum where it must not be told 0 (C7), and
    where it cannot be and does not stand at 0 by what it took before that was found out: untold, it
    would be counted with its maximum for ever.
    """
    if c.stage >= AT_ZERO or c.inoperative:
        return 0
    is_to_be_0 = c.conf.start_with_zero and (c.line.takes_zero or c.default_ma == 0)
    return 0 if is_to_be_0 else c.amounts.least_ma


class Survey:
    """Lists by the connectors' places, and sums by class, of one plan."""

    def __init__(
        self, connectors: Sequence[Connector], ground: Ground, site: SiteBudget,
        over: frozenset[int], now: float,
    ) -> None:  # fmt: skip
        self.connectors, self.ground, self.site, self.now = connectors, ground, site, now
        self.over = over  # limits that the books exceeded in the plan before
        self.fixed: dict[int, int] = {}  # by class: reserved, mA
        self.gone: dict[int, int] = {}  # by class: of absent chargers
        self.shown: dict[int, int] = {}  # by class: what absent ones drew just now, on each phase
        self.loose: dict[int, int] = {}  # by class: in the books of those that are shared among
        self.plugless: dict[int, int] = {}  # by class: defaults where no car is plugged in
        self.standing: list[int] = []
        self.tops: list[int] = []
        self.held: list[int] = []  # how much of what it may draw is reserved, by place
        self.seen: list[bool] = []  # by place: the site's meter sees it if it comes to be drawn
        self._strained: frozenset[int] | None = None  # not looked at yet

    def run(self, passed_s: float) -> None:
        """Look at each; `passed_s` is the time since the plan before."""
        now, dead_man_s = self.now, self.ground.dead_man_s
        for c in self.connectors:
            books = c.books
            books.settle(now)
            if books.unrenewed_at is not None or c.line.silent_since is not None:
                books.lapse(
                    dead_man_s, c.fallback_ma(), now, is_proven=c.line.lease_proven,
                    silent_since=c.line.silent_since,
                )  # fmt: skip
            fixed = False
            if not c.line.linked:
                # Its full maximum, or its fallback where a proven lease has run out (P 5); of one
                # that refused everything before it went, its maximum stays reserved (C3).
                is_credited = books.lapsed and not books.refused
                stands, top = ABSENT, books.top_ma if is_credited else books.max_ma
                self.gone[c.kind] = self.gone.get(c.kind, 0) + top
                seen = c.visible(self.ground.interval_s, now)
                if seen is not None:
                    shown = min(top, *(seen[leg] for leg in c.legs))
                    self.shown[c.kind] = self.shown.get(c.kind, 0) + shown
            elif c.tx is None:
                stands, top = IDLE, self._idle_top(c)
                fixed = top > 0 and (top == c.default_ma or self._is_reserved(c))
            else:
                if books.accepted_id and books.accepted_ma > 0 and not c.demand.asleep:
                    c.charged_s += passed_s
                    if c.drawn is not None:
                        drawn = c.drawn
                        c.charged_mas += passed_s * (drawn.l1 + drawn.l2 + drawn.l3)
                stands, top = self._standing(c), books.top_ma
                if books.refused:
                    top = books.max_ma
                fixed = stands == HELD
            self.standing.append(stands)
            self.tops.append(top)
            held = top if fixed else (min(top, idle_ma(c)) if stands == IDLE else 0)
            self.held.append(held)
            plugless = stands == IDLE and c.status in NO_CAR and (not fixed or top == c.default_ma)
            into = self.plugless if plugless else self.fixed
            self.seen.append(plugless)
            if held:
                into[c.kind] = into.get(c.kind, 0) + held
            if stands != ABSENT and top > held:
                self.loose[c.kind] = self.loose.get(c.kind, 0) + top - held

    def _idle_top(self, c: Connector) -> int:
        """No session: its default, once it has answered for one; what else it may draw where its
        limits are not known, or where it says that a car charges all the same.
        """
        books = c.books
        if books.caught:
            self._escalate(c)
        else:
            c.stage = 0
        is_over = books.over_since is not None
        has_no_car = c.status in NO_CAR and not c.is_status_old
        if books.refused:  # its maximum; also while a car hangs on it that has no session (P 1)
            return (c.default_ma or 0) if has_no_car and not is_over else books.max_ma
        if is_over or c.status is None or c.status in DRAWING:
            return books.top_ma
        if c.default_ma is None or (self.now < c.default_at and not has_no_car):
            return books.top_ma
        # A TxProfile is gone with its transaction, and its contactor is open: what is left is the
        # default, also where no car hangs on it yet: it may start to charge at any time (INV-1).
        # One that it was told since may be in force already (P 2).
        return max(c.default_ma, books.told_since_ma())

    def _is_reserved(self, c: Connector) -> bool:
        """Idle, and yet something may flow: a default above 0, or no answer for too long."""
        books = c.books
        if (books.answered and books.proven) or books.over_since is not None:
            return True
        return books.unanswered_since is not None and (
            self.now - books.unanswered_since >= STUCK_S
        )

    def _standing(self, c: Connector) -> int:
        books, now = c.books, self.now
        in_force = books.accepted_ma if books.accepted_id else 0
        c.demand.in_force(in_force, now)
        fresh = c.measured and c.visible(self.ground.interval_s, now) is not None
        c.demand.grow(c.used_ma if fresh else None, c.all_taken_ma(), c.amounts.most_ma)
        if c.status == "SuspendedEV" and not c.demand.asleep:
            c.demand.suspended(now)
        waiting_s = now - books.unanswered_since if books.unanswered_since is not None else 0.0
        c.stop = c.stop or c.is_stranger or c.inoperative
        if books.caught:
            self._escalate(c)
            return HELD
        c.stage = 0
        undelivered = books.refused or waiting_s >= DELIVERED_S
        if undelivered and books.top_ma > books.offer_ma and not c.stop:
            c.stop = any(r in self.over for r in self.ground.tree.limits[c.kind])
        if c.stop or books.refused:
            return HELD
        # A cut that a silent one was told is one that it does not take: others come down instead.
        silent_s = 0.0 if c.line.silent_since is None else now - c.line.silent_since
        if books.top_ma > books.offer_ma and (
            max(waiting_s, silent_s) >= STUCK_S
            or (waiting_s >= HANDED_S and self._is_strained(c))
        ):
            return HELD
        if c.status == "Faulted":
            return FAULTY
        return ASLEEP if c.demand.asleep else ACTIVE

    def _is_strained(self, c: Connector) -> bool:
        """Whether more flows now than a limit over it carries."""
        if self._strained is None:
            self._strained = self._all_strained()
        return not self._strained.isdisjoint(self.ground.tree.limits[c.kind])

    def _all_strained(self) -> frozenset[int]:
        """Limits that carry too much: the site's by the newest reading of a meter that sees all,
        else by fresh values, though all who have answered come down to their offers.
        """
        by_values = self.passed(lambda c: c.books.unanswered_since is None)
        metered = {p for p, is_seen in enumerate(self.site.metered) if is_seen}
        return (by_values - metered) | {p for p in metered if self.site.over[p]}

    def passed(self, has_heard: Callable[[Connector], bool]) -> frozenset[int]:
        """Limits through which too much flows by fresh values, although all who are linked, obey
        and have heard of it come down to their offers.
        """
        tree, site = self.ground.tree, self.site
        by_class: dict[int, list[int]] = {}
        for c in self.connectors:
            seen = c.visible(self.ground.interval_s, self.now)
            if seen is None:
                continue
            if c.line.linked and c.books.over_since is None and has_heard(c):
                seen = seen.at_most(Phases.each(c.books.offer_ma))
            total = by_class.setdefault(c.kind, [0, 0, 0])
            for p, amount in enumerate(seen):
                total[p] += amount
        drawn = drawn_by_node(tree, by_class)
        most = [node.limit_ma for node in tree.nodes for _ in range(3)]
        building = site.building or (0, 0, 0)
        for p in range(3):
            most[SITE * 3 + p] = max(0, site.limit[p] - building[p])
        return frozenset(r for r, ma in enumerate(most) if drawn[r] > ma)

    def _escalate(self, c: Connector) -> None:
        """Not obeying: sent again, then 0 A, then stopped, then out of service (INV-10); up to the
        stop with haste, where more flows than a limit over it may carry (balancing.md 5).
        """
        is_hasty = not self.ground.passed.isdisjoint(self.ground.tree.limits[c.kind])
        step_s = HASTE_S if is_hasty and c.stage < STOPPED else ESCALATE_S
        if c.stage == 0:
            c.stage, c.stage_at, c.resend = RESENT, self.now, True
        if c.stage == RESENT and (c.books.offer_ma == 0 or is_hasty):
            c.stage = AT_ZERO  # what is sent again is 0 A: one step, not two
        elif c.stage < OUT_OF_SERVICE and self.now >= c.stage_at + step_s:
            c.stage, c.stage_at = c.stage + 1, self.now
        c.stop = c.stop or (c.stage >= STOPPED and c.tx is not None)
        c.inoperative = c.inoperative or c.stage == OUT_OF_SERVICE
