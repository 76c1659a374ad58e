"""What rules at this moment of a run: the limits in force, the meter, the schedule, what is wrong.

All judges look here, so that they agree on what was known when.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tools.simulator.events import (
    EmergencyAsked,
    Event,
    FactTold,
    FaultBegan,
    FaultEnded,
    FrameSeen,
    LimitsChanged,
    ProcessBegan,
    ProcessEnded,
    Stepped,
)
from tools.simulator.ledger import SITE, Issue, Ledger, Post

from linkray.model import facts
from linkray.model.settings import Day, Exclusion

FRESH_S = 3.0  # trust.md M1: an older reading raises nothing
FAILED_S = 5.0  # metering.md: an older reading is none
GOOD_POLLS = 5
WARM_S = 60.0  # so long the wires may still show what a charger did that none may
SAYS_ELSE = ("lies", "mute", "loses_power", "half_open")  # its newest value is not what it draws
DRAWN_KEPT_S = 15.0  # `half` of what was drawn: chargers' values are so old at most
DAYS: tuple[Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Tell = Callable[[str, str, float, dict[str, Any]], None]


class MeterPhase:
    """One phase of the site meter, as LinkRay has read it."""

    def __init__(self) -> None:
        self.ma = 0
        self.at = -math.inf
        self.is_healthy = False
        self.failed_at = -math.inf
        self.back_at = -math.inf  # healthy again after a failure in operation
        self.was_healthy = False
        self.good = 0
        self.half_ma = 0
        self.drawn: deque[tuple[float, int]] = deque()  # the chargers' true current


class Ruling:
    """The newest of everything; `issues` are those of the event just taken."""

    def __init__(self, ledger: Ledger, tell: Tell) -> None:
        self.ledger = ledger
        self._tell = tell
        self.is_up = False
        self.issues: list[Issue] = []
        self.phases = (MeterPhase(), MeterPhase(), MeterPhase())
        self.ceiling: tuple[int, int, int] | None = None
        self.changed_at = -math.inf  # the newest limit, schedule, ceiling or meter's state
        self.stopped_at: float | None = None
        self.wrong: dict[tuple[str, str | None], bool] = {}  # what is wrong → whether lawful
        self._warm: dict[str | None, float] = {}  # who did what none may (None: the meter) → until
        self.was_unlawful = False
        self.sees: str | None = None  # what the meter was found to see, against its setting (M15)
        self._clock: tuple[float, float] | None = None  # UTC at a monotonic time

    @property
    def site(self) -> Any:
        return self.ledger.settings.site

    def violated(self, invariant: str, what: str, now: float, **state: Any) -> None:
        self._tell(invariant, what, now, state)

    def unlawful(self, now: float) -> set[str | None]:
        """The chargers that do, or did just now, what no charger may; None among them: the meter.

        trust.md 1 asks of the wires what lawful devices can keep; what stands beside or below one
        that is not is as lawful as ever.
        """
        warm = {who for who, until in self._warm.items() if now < until}
        return warm | {who for (_, who), is_lawful in self.wrong.items() if not is_lawful}

    # -- the meter ---------------------------------------------------------------------------

    @property
    def location(self) -> str:
        """What the meter is to be taken for: the building alone where in doubt."""
        return "building" if self.sees == "building" else self.site.meter.location

    def is_seen(self, leg: int) -> bool:
        """Whether a healthy meter at `grid` sees this phase of the site."""
        at_grid = self.location == "grid"
        return self.site.meter.enabled and at_grid and self.phases[leg].is_healthy

    def limit_ma(self, node: int, leg: int, *, less_building: bool = True) -> int:
        """L of a node now: of the site also by ceiling, degraded rules and building."""
        limit = self.ledger.limits[node * 3 + leg]
        if node != SITE:
            return limit
        if self.ceiling is not None:
            limit = min(limit, self.ceiling[leg])
        meter, phase = self.site.meter, self.phases[leg]
        if not meter.enabled:
            return limit
        if not phase.is_healthy:
            return min(limit, self.degraded_ma(leg))
        if self.location == "building" and less_building:
            return limit - max(0, phase.ma)
        return limit

    def degraded_ma(self, leg: int) -> int:
        meter, phase = self.site.meter, self.phases[leg]
        set_to: tuple[int, ...] = tuple(meter.degraded_ma.phases())
        if meter.on_failure == "limits":
            return set_to[leg]
        return min(phase.half_ma, set_to[leg]) if any(set_to) else phase.half_ma

    def _read(self, fact: facts.MeterRead, now: float) -> None:
        drawn = self._known_ma()
        for leg, phase in enumerate(self.phases):
            if not fact.phases_read[leg]:
                continue
            phase.good = phase.good + 1 if now - phase.at <= FRESH_S else 1
            phase.ma, phase.at = fact.current_ma[leg], now
            if phase.good >= GOOD_POLLS:
                self._heal(phase, now)
            phase.drawn.append((now, drawn[leg]))
            while phase.drawn[0][0] < now - DRAWN_KEPT_S:
                phase.drawn.popleft()

    def _known_ma(self) -> list[int]:
        """What the chargers draw as far as it can be known: of a total, evenly (C11); of one that
        says what is not so, what it says (C10); of one that says nothing more, what
        it said last (C13).
        """
        known = list(self.ledger.world.chargers_ma())
        for post in self.ledger.under[SITE]:
            says_else = any((name, post.charger) in self.wrong for name in SAYS_ELSE)
            if not post.is_by_phase or says_else:
                true = post.true_ma()
                for leg in range(3):
                    known[leg] += max(0, post.drawn[leg] - true[leg])
        return known

    def _failed(self, leg: int, now: float) -> None:
        phase = self.phases[leg]
        if phase.is_healthy:
            phase.is_healthy, phase.failed_at, self.changed_at = False, now, now
            phase.good = 0
            # balancing.md 1: what they drew when it failed, not when it was read last.
            drawn = self._known_ma()[leg]
            phase.half_ma = max(drawn, *(ma for _, ma in phase.drawn)) // 2

    def _heal(self, phase: MeterPhase, now: float) -> None:
        if not phase.is_healthy:
            phase.is_healthy, self.changed_at = True, now
            phase.back_at = now if phase.was_healthy else -math.inf
            phase.was_healthy = True

    # -- time --------------------------------------------------------------------------------

    def excluded(self, now: float) -> bool | None:
        """Whether the schedule lets nobody charge now; None: the time is not known."""
        if self._clock is None:
            return None
        utc = datetime.fromtimestamp(self._clock[0] + now - self._clock[1], UTC)
        local = utc.astimezone(ZoneInfo(self.site.time_zone))
        minute, day = local.hour * 60 + local.minute, DAYS[local.weekday()]
        return any(day in e.days and _start(e) <= minute < _end(e)
                   for e in self.ledger.settings.schedule)  # fmt: skip

    # -- taking events -------------------------------------------------------------------------

    def take(self, event: Event, now: float) -> None:
        """Bring all of it up to this event."""
        self.issues = []
        if isinstance(event, Stepped | FactTold):  # before the reading that may be this fact
            for leg, phase in enumerate(self.phases):
                if phase.is_healthy and now - phase.at > FAILED_S:
                    self._failed(leg, now)
        if isinstance(event, FrameSeen):
            self.issues = self.ledger.frame(event)
        elif isinstance(event, FactTold):
            self._fact(event.fact, now)
        elif isinstance(event, LimitsChanged | ProcessBegan):
            self.ledger.configure(event.settings)
            self.changed_at = now
            if isinstance(event, ProcessBegan):
                self._began(now)
        elif isinstance(event, ProcessEnded):
            self.is_up = False
        elif isinstance(event, EmergencyAsked):
            self.stopped_at, self.changed_at = now if event.on else None, now
        elif isinstance(event, FaultBegan):
            self.wrong[event.name, event.charger] = event.is_lawful
            self.was_unlawful = self.was_unlawful or not event.is_lawful
        elif isinstance(event, FaultEnded) and not self.wrong.pop(
            (event.name, event.charger), True
        ):
            self._warm[event.charger] = now + WARM_S

    def _began(self, now: float) -> None:
        self.is_up = True
        self.ledger.began()
        for phase in self.phases:
            phase.is_healthy, phase.half_ma, phase.at = False, 0, -math.inf
            phase.was_healthy, phase.good, phase.back_at = False, 0, -math.inf
            phase.failed_at = now
        self._clock, self.sees = None, None

    def _fact(self, fact: facts.AnyFact, now: float) -> None:
        if isinstance(fact, facts.MeterRead):
            self._read(fact, now)
        elif isinstance(fact, facts.MeterLost):
            for leg in range(3):
                self._failed(leg, now)
        elif isinstance(fact, facts.MeterSees):
            self.sees, self.changed_at = fact.location, now
        elif isinstance(fact, facts.MeterBack):
            for phase in self.phases:
                if now - phase.at <= FRESH_S:
                    self._heal(phase, now)
        elif isinstance(fact, facts.ClockTold):
            self._clock = (fact.utc_s, fact.at) if fact.is_set else None
            self.changed_at = now
        elif isinstance(fact, facts.CeilingSealed):
            sealed = fact.limit_ma
            self.ceiling = None if sealed is None else (sealed.l1, sealed.l2, sealed.l3)
            self.changed_at = now
        else:
            self.ledger.fact(fact)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _start(e: Exclusion) -> int:
    return _minute(e.start)


def _end(e: Exclusion) -> int:
    """23:59 means midnight (balancing.md, Charging schedule)."""
    return 1_440 if e.end == "23:59" else _minute(e.end)


def describe(posts: list[Post], leg: int, now: float) -> list[dict[str, Any]]:
    """The connectors of a violation on that phase, as a person reads them."""
    return [
        {
            "connector": f"{p.charger}/{p.number}", "may_ma": p.counted_ma, "told_ma": p.told_ma,
            "linked": p.is_linked, "session": p.tx, "status": p.status,
            "unknown": p.possible.is_unknown, "caught": p.possible.is_caught,
            "reachable": p.is_shed_able(now), "draws_ma": p.true_ma()[leg],
        }
        for p in posts if (p.counted_ma or p.told_ma) and leg in p.legs
    ][:40]  # fmt: skip
