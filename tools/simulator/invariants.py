"""The invariants of trust.md 1, judged after every event of a simulated site.

Knows the wire, the facts, the published plans and the truth of the world; nothing of how the
balancer decides: `ledger.py` keeps the possible sets by the rules alone. Each judge is one group
of invariants. What the firmware does more cautiously than the rules is never a violation.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from tools.simulator import judges, metered, quiet, service
from tools.simulator.events import Event, Violation
from tools.simulator.ledger import Ledger
from tools.simulator.ruling import Ruling
from tools.world import World

from linkray.model.settings import Settings

KEPT_MAX = 200  # violations of one run; more say nothing new
AGAIN_S = 60.0  # the same one is told again only then


class Judge(Protocol):
    """One group of invariants."""

    def note(self, event: Event, now: float) -> None: ...


class Checker:
    """Judges a run: `note` each event in its order, then read `violations`."""

    def __init__(self, settings: Settings, world: World, *, seed: int = 0) -> None:
        self.seed = seed
        self.events = 0
        self.violations: list[Violation] = []
        self._told: dict[tuple[str, str], float] = {}
        self.ledger = Ledger(settings, world)
        self.ruling = Ruling(self.ledger, self._violated)
        ruling = self.ruling
        self.wires = metered.Wires(ruling)
        self._judges: tuple[Judge, ...] = (
            judges.Sums(ruling), metered.Metered(ruling), metered.Reaction(ruling),
            judges.Legal(ruling), judges.Ceilings(ruling), judges.Stop(ruling),
            judges.Ladder(ruling), judges.Beat(ruling), judges.Queues(ruling),
            quiet.Quiet(ruling), service.Service(ruling), self.wires,
        )  # fmt: skip
        ruling.is_up = True

    def note(self, event: Event, now: float) -> None:
        """One event at `now`, the run's monotonic time."""
        self.events += 1
        self.ledger.advance(now)
        self.ruling.take(event, now)
        for judge in self._judges:
            judge.note(event, now)

    def _violated(self, invariant: str, what: str, now: float, state: dict[str, Any]) -> None:
        """Keep it, unless just this was said within the minute."""
        key = (invariant, what)
        if now - self._told.get(key, -math.inf) < AGAIN_S or len(self.violations) >= KEPT_MAX:
            return
        self._told[key] = now
        self.violations.append(Violation(self.seed, now, invariant, {"what": what, **state}))
