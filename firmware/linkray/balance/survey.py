"""Where every connector stands, and what it may draw by its books: the first step of a plan."""

from __future__ import annotations

from collections.abc import Sequence

from .connector import NO_CAR, Connector
from .tree import Tree

ABSENT, HELD, IDLE, FAULTY, ASLEEP, ACTIVE = range(6)
DELIVERED_S = 10.0  # a reduction not delivered by then ends the session (balancing.md 4)
STUCK_S = 11.0  # unanswered for so long, it is reserved: 1 s dispatch + 10 s (trust.md, INV-1)
ESCALATE_S = 10.0  # resend → 0 A → stop, so far apart (INV-10)
LEASE_GRACE_S = 10.0  # δ: clocks and the way there (trust.md 1, P 5)


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


class Survey:
    """Lists by the connectors' places, and sums by class, of one plan."""

    def __init__(
        self, connectors: Sequence[Connector], ground: Ground, over: frozenset[int], now: float
    ) -> None:
        self.connectors, self.ground, self.now = connectors, ground, now
        self.over = over  # limits that the books exceeded in the plan before
        self.fixed: dict[int, int] = {}  # by class: reserved, mA
        self.gone: dict[int, int] = {}  # by class: of absent chargers
        self.loose: dict[int, int] = {}  # by class: in the books of those that are shared among
        self.standing: list[int] = []
        self.tops: list[int] = []

    def run(self, passed_s: float) -> None:
        """Look at each; `passed_s` is the time since the plan before."""
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
            if stands == HELD or (stands == IDLE and top and self.is_reserved(c)):
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

    def is_reserved(self, c: Connector) -> bool:
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
