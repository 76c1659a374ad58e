"""Drives the balancer: takes in all facts that wait, plans once, publishes, pets the watchdog."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import structlog
import trio

from linkray.hal.board import Watchdog
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.kit.keep import KeptDown, tried
from linkray.model.causes import sentence
from linkray.model.facts import AnyFact, EtaLearned
from linkray.model.faults import Cleared, Code, Fault, Raised, key
from linkray.model.plan import Plan

from .balancer import Balancer, Out
from .news import News
from .recording import FactRing, take

GAP_S_MAX = 1.5  # trust.md 1, INV-11: the longest time between two plans
BURST_MAX = 2_000  # facts taken in before a plan: 1,000 chargers that come back at once, twice
PLANS_TIMED = 600  # ten minutes of plans
FAILURES_MAX = 3  # cycles in a row (trust.md B9)
LAST_WORD_S = 0.5  # for the links to send the fail-safe of all
JUDGED = (Code.NOT_OBEYING, Code.NOT_CONTROLLABLE, Code.SITE_OVERLOADED)  # by the core alone

log = structlog.get_logger(source="BALANCE")


class PlanTimes:
    """How long the newest plans took, and the longest gap between two since the start."""

    def __init__(self) -> None:
        self._took_ms: deque[float] = deque(maxlen=PLANS_TIMED)
        self.gap_s_max = 0.0
        self.failed = 0  # cycles that ended in a mistake of ours

    def add(self, took_ms: float) -> None:
        self._took_ms.append(took_ms)

    def _at(self, share: float) -> float:
        """The time that `share` of the plans did not pass; 0 before the first plan."""
        ranked = sorted(self._took_ms)
        if not ranked:
            return 0.0
        return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)]

    @property
    def p50(self) -> float:
        return self._at(0.50)

    @property
    def p99(self) -> float:
        return self._at(0.99)


@dataclass(slots=True)
class _Cycle:
    """One look at the site: facts in, plan out, or the fallback when the core makes a mistake."""

    core: Balancer
    plan: Cell[Plan]
    beat: Cell[float]
    watchdog: Watchdog
    faults: Flags[Fault]
    wall: WallClock
    times: PlanTimes
    ring: FactRing | None
    learned: Callable[[EtaLearned], None] | None
    strict: bool
    planned_at: float | None = None
    failures: int = 0
    news: News = field(default_factory=News)

    async def step(self, facts: list[AnyFact], now: float, *, due: bool) -> None:
        begun = perf_counter()
        outs = tried(lambda: take(self.core, facts, now, due=due))
        took_ms = (perf_counter() - begun) * 1000.0
        if isinstance(outs, Exception):
            await self._failed(outs, facts, now, due=due)
            return
        self.failures = 0
        self._publish(outs, now, took_ms)
        if self.ring is not None:  # after the plan is out: it waits for nothing
            self.ring.add(self.core, facts, now, outs, self.wall.stamp, due=due)
        for out in outs:
            if isinstance(out, Plan):
                self._say(out, now)

    def _say(self, plan: Plan, now: float) -> None:
        """Why each is offered what it is, in a sentence, where that has changed."""
        for offer in self.news.of(plan, now):
            lost = not self.core.is_linked(offer.charger)
            log.info("offer", charger=offer.charger, connector=offer.connector,
                     offered=f"{offer.offer_ma.highest() / 1000:.1f} A",
                     cause=sentence(offer.reason, lost=lost))  # fmt: skip

    async def _failed(
        self, why: Exception, facts: list[AnyFact], now: float, *, due: bool
    ) -> None:
        if self.ring is not None:
            self.ring.add_failed(facts, now, due=due)
        if self.strict:
            raise why
        self.failures += 1
        self.times.failed += 1
        log.error("plan failed", failures=self.failures, of=FAILURES_MAX, exc_info=why)
        is_last = self.failures >= FAILURES_MAX
        for shrunk in _shrunk(self.core, facts, now, to_fail_safe=is_last):
            self.plan.set(shrunk)  # no beat, and the watchdog is not petted: no cycle was finished
        if is_last:
            await trio.sleep(LAST_WORD_S)
            raise KeptDown(f"the balancer failed {self.failures} times in a row") from why
        if self.ring is not None:
            self.ring.begin(self.core, self.wall.stamp())

    def _publish(self, outs: list[Out], now: float, took_ms: float) -> None:
        for out in outs:
            if isinstance(out, Raised):
                self.faults.raise_(
                    key(out.code, out.subject),
                    Fault.of(out.code, self.wall.stamp(), out.subject, out.detail),
                )
                log.warning("fault raised", fault=out.code.name.lower(), peer=out.subject,
                            cause=out.detail or out.code.value.text)  # fmt: skip
            elif isinstance(out, Cleared):
                self.faults.clear(key(out.code, out.subject))
                log.info("fault cleared", fault=out.code.name.lower(), peer=out.subject)
            elif isinstance(out, EtaLearned):
                if self.learned is not None:
                    self.learned(out)
            else:
                self.times.add(took_ms)
                _note_gap(self.times, self.planned_at, now)
                self.planned_at = now
                self.plan.set(out)
                self.beat.set(now)
                self.watchdog.pet()


async def run_balance(
    core: Balancer,
    inbox: trio.MemoryReceiveChannel[AnyFact],
    plan: Cell[Plan],
    beat: Cell[float],
    watchdog: Watchdog,
    faults: Flags[Fault],
    wall: WallClock,
    times: PlanTimes,
    ring: FactRing | None = None,
    learned: Callable[[EtaLearned], None] | None = None,
    *,
    strict: bool = False,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Plan every second and at once where it must be, until every sender of `inbox` has closed.

    Started when the first plan is published. A burst of facts is taken in whole before a plan is
    made, so that 500 chargers that come back at once do not cost 500 plans. A cycle that fails
    gives a plan in which nothing rises; the third in a row sends all to their fail-safe and ends
    the process (trust.md B9). `strict` raises the first mistake (tests).
    """
    cycle = _Cycle(core, plan, beat, watchdog, faults, wall, times, ring, learned, strict)
    _forget_faults(faults)
    with inbox:
        if ring is not None:
            ring.begin(core, wall.stamp())
        # What waits already (links and sessions told again to a core that begins anew) is taken in
        # before the first plan: nothing is offered by less than is known (trust.md B9).
        await cycle.step(_waiting(inbox), trio.current_time(), due=True)
        task_status.started()
        while True:
            facts: list[AnyFact] = []
            try:
                with trio.move_on_at(core.due()) as alarm:
                    facts = _with_waiting(await inbox.receive(), inbox)
            except trio.EndOfChannel:
                return
            await cycle.step(facts, trio.current_time(), due=alarm.cancelled_caught)


def _shrunk(
    core: Balancer, facts: list[AnyFact], now: float, *, to_fail_safe: bool
) -> list[Plan]:
    """The plan of a cycle that failed. What came behind the fact on which it failed is noted."""
    for fact in facts[core.taken_in :]:
        noted = tried(partial(core.note, (fact,), now))
        if isinstance(noted, Exception):
            log.error("fact not noted", fact=type(fact).__name__, exc_info=noted)
    outs = tried(lambda: core.shrink(now, to_fail_safe=to_fail_safe))
    if isinstance(outs, Exception):
        log.error("no fallback either", exc_info=outs)
        return []
    return [out for out in outs if isinstance(out, Plan)]


def _forget_faults(faults: Flags[Fault]) -> None:
    """Those of a core before this one: what still holds is raised anew, what not, by nobody."""
    codes = {code.name.lower(): code for code in JUDGED}
    for fault in faults.cell.value:
        if fault.code in codes:
            faults.clear(key(codes[fault.code], fault.subject))


def _with_waiting(
    first: AnyFact, inbox: trio.MemoryReceiveChannel[AnyFact]
) -> list[AnyFact]:
    """The first fact and all that wait behind it, as far as one burst goes."""
    return [first, *_waiting(inbox)]


def _waiting(inbox: trio.MemoryReceiveChannel[AnyFact]) -> list[AnyFact]:
    """All facts that wait now, as far as one burst goes."""
    facts: list[AnyFact] = []
    try:
        while len(facts) < BURST_MAX:
            facts.append(inbox.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        return facts
    return facts


def _note_gap(times: PlanTimes, before: float | None, now: float) -> None:
    """A plan that came late is a line in the log (trust.md 1, INV-11)."""
    if before is None:
        return
    gap_s = now - before
    times.gap_s_max = max(times.gap_s_max, gap_s)
    if gap_s > GAP_S_MAX:
        log.warning("plan late", cause=f"{gap_s:.2f} s since the plan before",
                    action="planned now")  # fmt: skip
