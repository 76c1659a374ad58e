"""How long one plan takes, and a checkpoint of the recording between two of them: 32 chargers, and
1,000 connectors in 50 groups (balancing.md).
"""

from __future__ import annotations

import random
from statistics import median
from time import perf_counter

from linkray.balance.balancer import Balancer
from linkray.balance.checkpoint import taken
from linkray.model.facts import (
    AnyFact,
    ChargerKnown,
    Drawn,
    LinkUp,
    MeterBack,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    StatusSeen,
)
from linkray.model.plan import Plan
from linkray.model.settings import Charger, Group, LimitPhases, MeterSettings, Settings, Site
from linkray.model.units import ZERO, Connection, Phases, site_phases

WARM_PLANS, PLANS, CHECKPOINTS = 100, 100, 9
LEGS: tuple[Connection, ...] = ("L1", "L2", "L3", "L1-L2-L3")


def settings(chargers: int, groups: int) -> Settings:
    """A metered site with too little for all, its chargers of every wiring spread over groups."""
    site_ma = chargers * 4_500
    return Settings(
        site=Site(
            limit_ma=LimitPhases(site_ma, site_ma, site_ma),
            meter=MeterSettings(enabled=True),
        ),
        groups=tuple(
            Group(f"G{n}", limit_ma=(5_000 + n % 3 * 4_000) * chargers // groups)
            for n in range(groups)
        ),
        chargers=tuple(
            Charger(
                id=f"C{n}", phases=3 if n % 4 == 3 else 1, connection=LEGS[n % 4],
                group=f"G{n % groups}",
            )
            for n in range(chargers)
        ),
    )  # fmt: skip


class BusySite:
    """A balancer whose cars, building and meter never stand still."""

    def __init__(self, chargers: int, groups: int) -> None:
        self._dice = random.Random(7)
        self._core = Balancer(settings(chargers, groups))
        self._settings = settings(chargers, groups)
        self._now = 0.0
        self._told: dict[str, int] = {}
        self._limit_ma: dict[str, int] = {}
        self._drawn: dict[str, Phases] = {}
        names = [c.id for c in self._settings.chargers]
        first: list[AnyFact] = []
        for name in names:
            first += [ChargerKnown(name, (1,)), LinkUp(name, 0.0),
                      StatusSeen(name, 1, "Available", 0.0)]  # fmt: skip
        self._feed(first)
        for _ in range(8):
            self._tick(measured=False)
        self._feed([
            SessionBegan(name, 1, n + 1, "tag", self._now, order=float(n))
            for n, name in enumerate(names)
        ])  # fmt: skip

    def _feed(self, facts: list[AnyFact]) -> None:
        outs = self._core.feed_all(facts, self._now) + self._core.wake(self._now)
        self._answer([out for out in outs if isinstance(out, Plan)])

    def _answer(self, plans: list[Plan]) -> None:
        """Every charger takes what it is told at once."""
        answers: list[AnyFact] = []
        for plan in plans:
            for offer in plan.offers:
                if self._told.get(offer.charger) != offer.id:
                    self._told[offer.charger] = offer.id
                    self._limit_ma[offer.charger] = offer.limit_ma
                    answers.append(OfferAnswered(offer.charger, 1, offer.id, "accepted", self._now))
        for fact in answers:
            self._core.feed_all([fact], self._now)

    def _draw(self, charger: Charger) -> Phases:
        """Most cars take all they are offered, some less, each on its own phases."""
        most = self._limit_ma.get(charger.id, 0)
        amount = most if self._dice.random() < 0.7 else self._dice.randrange(most + 1)
        legs = site_phases(charger.connection)
        return Phases(*(amount if p in legs else 0 for p in range(3)))

    def _tick(self, *, measured: bool) -> float:
        """One second of facts, then one plan; returns how long the plan took, in ms."""
        self._now += 1.0
        total = [self._dice.randrange(20_000, 40_000) for _ in range(3)]
        facts: list[AnyFact] = [MeterBack(self._now)]
        for n, charger in enumerate(self._settings.chargers):
            if measured and (n + int(self._now)) % 10 == 0:
                self._drawn[charger.id] = drawn = self._draw(charger)
                facts.append(Drawn(charger.id, 1, drawn, "phases", self._now))
            for p, amount in enumerate(self._drawn.get(charger.id, ZERO)):
                total[p] += amount
        facts.append(MeterRead(Phases(*total), (230_000, 230_000, 230_000), self._now))
        for fact in facts:
            self._core.feed_all([fact], self._now)
        begun = perf_counter()
        outs = self._core.wake(self._now)
        took_ms = (perf_counter() - begun) * 1000
        self._answer([out for out in outs if isinstance(out, Plan)])
        return took_ms

    def charging(self) -> int:
        """How many connectors are offered something."""
        return sum(ma > 0 for ma in self._limit_ma.values())

    def run(self) -> list[float]:
        """The times of many plans, each on fresh figures."""
        for _ in range(WARM_PLANS):
            self._tick(measured=True)
        return [self._tick(measured=True) for _ in range(PLANS)]

    def checkpoints(self) -> list[float]:
        """The times of some checkpoints, in ms."""
        took_ms = []
        for _ in range(CHECKPOINTS):
            begun = perf_counter()
            taken(self._core)
            took_ms.append((perf_counter() - begun) * 1000)
        return took_ms


def measure() -> dict[str, float]:
    """Medians and 99th percentiles in ms."""
    result: dict[str, float] = {}
    for count, chargers, groups in (("32", 32, 4), ("1000", 1000, 50)):
        site = BusySite(chargers, groups)
        took = site.run()
        assert site.charging() > chargers // 2, "a plan that offers nothing is no measure"
        result[f"plan_{count}_ms"] = median(took)
        result[f"plan_{count}_ms_p99"] = sorted(took)[int(0.99 * len(took))]
        result[f"checkpoint_{count}_ms"] = median(site.checkpoints())
    return result
