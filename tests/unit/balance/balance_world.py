"""A small world for the balancer alone: obedient chargers, cars, a meter; time passed by hand."""

from __future__ import annotations

from typing import Any

from linkray.balance.balancer import Balancer
from linkray.model.facts import (
    ChargerKnown,
    Drawn,
    LinkLost,
    LinkUp,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    StatusSeen,
)
from linkray.model.faults import Cleared, Raised
from linkray.model.plan import NO_PLAN, Offer, Plan
from linkray.model.settings import (
    Charger,
    Group,
    LimitPhases,
    MeterSettings,
    Settings,
    Site,
    check_settings,
)
from linkray.model.units import Phases

Key = tuple[str, int]


def settings(
    limit_a: float | tuple[float, float, float] = 60,
    chargers: list[Charger] | int = 3,
    groups: tuple[Group, ...] = (),
    meter: MeterSettings | None = None,
    **site: Any,
) -> Settings:
    """Single-phase on L1, 32 A, min 6 A, no meter, unless said (balancing.md, Worked examples)."""
    amps = limit_a if isinstance(limit_a, tuple) else (limit_a, limit_a, limit_a)
    limit = LimitPhases(*(int(a * 1000) for a in amps))
    if isinstance(chargers, int):
        chargers = [Charger(id=f"c{n}") for n in range(1, chargers + 1)]
    tree = Settings(
        site=Site(limit_ma=limit, meter=meter or MeterSettings(), **site),
        chargers=tuple(chargers), groups=groups,
    )
    check_settings(tree)
    return tree


def metered(**kw: Any) -> MeterSettings:
    return MeterSettings(enabled=True, **kw)


class Car:
    """Draws what it is offered, up to its own maximum, on the phases it uses."""

    def __init__(self, most_a: float = 32.0, phases: tuple[int, ...] = (0, 1, 2)) -> None:
        self.most_ma = int(most_a * 1000)
        self.phases = phases


class World:
    """Everything around a `Balancer` for one site."""

    def __init__(self, tree: Settings, *, meter: bool = False, interval_s: int = 10) -> None:
        self.core = Balancer(tree)
        self.settings = tree
        self.now = 0.0
        self.plan: Plan = NO_PLAN
        self.raised: dict[tuple[str, str | None], str] = {}
        self.building_a: list[float] = [0.0, 0.0, 0.0]
        self.meter_on = meter
        self.interval_s = interval_s
        self.cars: dict[Key, Car] = {}
        self.limit_ma: dict[Key, int] = {}  # in force in the charger
        self.ids: dict[Key, int] = {}
        self.linked: set[str] = set()
        self.silent: set[str] = set()  # take an offer and never answer
        self.deaf: set[str] = set()  # answer Accepted and do as they like
        self.obey_s: dict[str, float] = {}
        self.leased = False
        self.later: list[tuple[float, Key, int]] = []
        self.sent: list[tuple[float, Key, Offer]] = []
        self.tx = 0
        self.running: dict[Key, int] = {}
        self.take(self.core.wake(self.now))

    # what comes out

    def take(self, outs: list[Any]) -> None:
        for out in outs:
            if isinstance(out, Raised):
                self.raised[out.code.name, out.subject] = out.detail
            elif isinstance(out, Cleared):
                self.raised.pop((out.code.name, out.subject), None)
            else:
                self.plan = out
                self.tell(out)

    def tell(self, plan: Plan) -> None:
        for offer in plan.offers:
            key = (offer.charger, offer.connector)
            if offer.charger not in self.linked or self.ids.get(key) == offer.id:
                continue
            self.ids[key] = offer.id
            self.sent.append((self.now, key, offer))
            if offer.charger in self.silent:
                continue
            slow = self.obey_s.get(offer.charger, 0.0)
            if offer.charger not in self.deaf:
                if slow and key in self.limit_ma:
                    self.later.append((self.now + slow, key, offer.limit_ma))
                else:
                    self.limit_ma[key] = offer.limit_ma
            self.feed(
                OfferAnswered(*key, offer.id, "accepted", self.now, leased=self.leased)
            )

    def feed(self, *facts: Any) -> None:
        for fact in facts:
            self.take(self.core.feed(fact, self.now))

    # what happens

    def connect(self, *names: str, connectors: tuple[int, ...] = (1,)) -> None:
        for name in names or [c.id for c in self.settings.chargers]:
            self.linked.add(name)
            for n in connectors:
                self.ids.pop((name, n), None)
            self.feed(ChargerKnown(name, connectors), LinkUp(name, self.now))
            for n in connectors:
                self.feed(StatusSeen(name, n, "Available", self.now))
        self.run(0.2)

    def lose(self, *names: str) -> None:
        for name in names:
            self.linked.discard(name)
            self.feed(LinkLost(name, self.now))

    def begin(self, *names: str, connector: int = 1, car: Car | None = None, **kw: Any) -> None:
        for name in names:
            self.tx += 1
            key = (name, connector)
            self.running[key] = self.tx
            self.feed(SessionBegan(name, connector, self.tx, "tag", self.now,
                                   order=1000.0 + self.now + self.tx / 1000, **kw))
            self.feed(StatusSeen(name, connector, "Charging", self.now))
            self.cars[key] = car or Car()

    def end(self, name: str, connector: int = 1) -> None:
        del self.cars[name, connector]
        offer = self.offer(name, connector)
        assert offer.session
        self.feed(StatusSeen(name, connector, "Finishing", self.now),
                  SessionEnded(name, connector, self.running[name, connector], self.now),
                  StatusSeen(name, connector, "Available", self.now))

    # time

    def run(self, seconds: float) -> None:
        """Time passes: the core is woken when due, meters and cars are read in their turn."""
        end = self.now + seconds
        while True:
            nxt = min(
                self.core.due(), self._next(1.0), self._next(float(self.interval_s)),
                min((t for t, _, _ in self.later), default=float("inf")),
            )
            if nxt > end:
                self.now = end
                return
            self.now = max(self.now, nxt)
            self._obey_late()
            if self.now % 1.0 == 0.0 and self.now > 0:
                if self.now % self.interval_s == 0.0:
                    self.sample()
                if self.meter_on:
                    self.read_meter()
            if self.core.due() <= self.now:
                self.take(self.core.wake(self.now))
                assert self.core.due() > self.now

    def _next(self, step: float) -> float:
        return (self.now // step + 1) * step

    def _obey_late(self) -> None:
        for entry in [e for e in self.later if e[0] <= self.now]:
            self.later.remove(entry)
            self.limit_ma[entry[1]] = entry[2]

    def draws(self, key: Key) -> Phases:
        car = self.cars.get(key)
        if car is None:
            return Phases()
        amount = min(car.most_ma, self.limit_ma.get(key, 32_000))
        conf = self.settings.charger(key[0])
        legs = [int(leg[1]) - 1 for leg in conf.connection.split("-")]
        use = [leg for place, leg in enumerate(legs) if place in car.phases]
        return Phases(*(amount if p in use else 0 for p in range(3)))

    def sample(self) -> None:
        for key in list(self.cars):
            if key[0] in self.linked:
                self.feed(Drawn(*key, self.draws(key), "phases", self.now))

    def read_meter(self) -> None:
        total = [int(a * 1000) for a in self.building_a]
        for key in self.cars:
            for p, amount in enumerate(self.draws(key)):
                total[p] += amount
        volts = (230_000, 230_000, 230_000)
        self.feed(MeterRead(Phases(*total), volts, self.now))

    # what is to be seen

    def offer(self, name: str, connector: int = 1) -> Offer:
        return next(o for o in self.plan.offers if (o.charger, o.connector) == (name, connector))

    def amps(self, *names: str) -> list[float]:
        """The offers per phase in A, of the named or of all that charge."""
        return [
            o.offer_ma.highest() / 1000 for o in self.plan.offers
            if (o.charger in names if names else o.session)
        ]

    def reason(self, name: str) -> str:
        return self.offer(name).reason.code
