"""Drives the balancer: takes in all facts that wait, plans once, publishes, pets the watchdog."""

from __future__ import annotations

import math
from collections import deque
from time import perf_counter

import structlog
import trio

from linkray.hal.board import Watchdog
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.model.facts import AnyFact
from linkray.model.faults import Cleared, Code, Fault, Raised, key
from linkray.model.plan import Plan

from .balancer import Balancer, Out

GAP_S_MAX = 1.5  # trust.md 1, INV-11: the longest time between two plans
BURST_MAX = 2_000  # facts taken in before a plan: 1,000 chargers that come back at once, twice
FACTS_KEPT = 20_000  # the ring for replay: some ten minutes of 32 chargers
PLANS_TIMED = 600  # ten minutes of plans
JUDGED = (Code.NOT_OBEYING, Code.NOT_CONTROLLABLE, Code.SITE_OVERLOADED)  # by the core alone

log = structlog.get_logger(source="BALANCE")


class PlanTimes:
    """How long the newest plans took, and the longest gap between two since the start."""

    def __init__(self) -> None:
        self._took_ms: deque[float] = deque(maxlen=PLANS_TIMED)
        self.gap_s_max = 0.0

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


class FactRing:
    """The newest facts with the time they were fed: what `Balancer` is replayed from."""

    def __init__(self) -> None:
        self.facts: deque[tuple[float, AnyFact]] = deque(maxlen=FACTS_KEPT)

    def add(self, fact: AnyFact, now: float) -> None:
        self.facts.append((now, fact))


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
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Plan every second and at once where it must be, until every sender of `inbox` has closed.

    Started when the first plan is published. A burst of facts is taken in whole before a plan is
    made, so that 500 chargers that come back at once do not cost 500 plans.
    """
    planned_at: float | None = None

    def publish(outs: list[Out], now: float, took_ms: float) -> None:
        nonlocal planned_at
        for out in outs:
            if isinstance(out, Raised):
                faults.raise_(
                    key(out.code, out.subject),
                    Fault.of(out.code, wall.stamp(), out.subject, out.detail),
                )
                log.warning("fault raised", fault=out.code.name.lower(), peer=out.subject,
                            cause=out.detail or out.code.value.text)  # fmt: skip
            elif isinstance(out, Cleared):
                faults.clear(key(out.code, out.subject))
                log.info("fault cleared", fault=out.code.name.lower(), peer=out.subject)
            else:
                times.add(took_ms)
                _note_gap(times, planned_at, now)
                planned_at = now
                plan.set(out)
                beat.set(now)
                watchdog.pet()

    _forget_faults(faults)
    with inbox:
        publish(*_timed(core, [], trio.current_time(), due=True))
        task_status.started()
        while True:
            facts: list[AnyFact] = []
            try:
                with trio.move_on_at(core.due()) as alarm:
                    facts = _with_waiting(await inbox.receive(), inbox)
            except trio.EndOfChannel:
                return
            now = trio.current_time()
            if ring is not None:
                for fact in facts:
                    ring.add(fact, now)
            publish(*_timed(core, facts, now, due=alarm.cancelled_caught))


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
    facts = [first]
    try:
        while len(facts) < BURST_MAX:
            facts.append(inbox.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        return facts
    return facts


def _timed(
    core: Balancer, facts: list[AnyFact], now: float, *, due: bool
) -> tuple[list[Out], float, float]:
    """Feed, or wake when due; with the time it was and the milliseconds it took."""
    begun = perf_counter()
    outs = core.feed_all(facts, now)
    if due or (not outs and core.due() <= now):
        outs += core.wake(now)
    return outs, now, (perf_counter() - begun) * 1000.0


def _note_gap(times: PlanTimes, before: float | None, now: float) -> None:
    """A plan that came late is a line in the log (trust.md 1, INV-11)."""
    if before is None:
        return
    gap_s = now - before
    times.gap_s_max = max(times.gap_s_max, gap_s)
    if gap_s > GAP_S_MAX:
        log.warning("plan late", cause=f"{gap_s:.2f} s since the plan before",
                    action="planned now")  # fmt: skip
