"""A day of the 32-charger car park: what the real firmware delivered, and what was to be had.

The day is played in the simulator without faults, from six in the morning until midnight, when
the last guest has gone. What was there to be shared is written down from the world's own books:
who stood where from when to when with which battery, and what the building drew in each second.
The same day goes to the linear programme, which knows all of it beforehand, to three simpler
ways of sharing, and to the chapter's own, done at once and without error (`bound.py`).

A visit counts from its session's first moment until the car leaves: nobody can charge without
one. The programme keeps every limit of the settings (site, decks, posts with two sockets) on each
phase, the charger's and the car's maximum, the battery and its taper. It is spared all that a real
allocator has to live with: the minimum of 6 A, steps of 0.1 A, the meter's and the messages' delay,
the margin, the minute that a building's peak is remembered, contactors and the car's lag. The
building counts with its mean over each minute, so that its noise costs the programme nothing.

The programme may favour whoever leaves first or takes least of the scarce phase; balancing.md 3 may
not: all rise together. So there are two figures: of the bound, and of what that very rule would
have delivered with full knowledge of each moment (`fair_share`); the promise is on the second,
for no fair sharing passes the first by more than `energy_ratio_of_bound_ideal`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from tools.bench_parts.bound import (
    SiteDay,
    Visit,
    bound_wh,
    equal_split,
    fair_share,
    first_come,
    played_wh,
    worst_phase,
)
from tools.simulator.run import DAYS, simulate
from tools.world import Car, Charger, Description, World, load_site
from tools.world.connector import Connector
from tools.world.site import SITES

SITE = SITES / "carpark32.toml"
HOURS = 18.0
FROM_H = 6
STEP_S = 60.0  # of the programme
SEED_FIRST = 1


@dataclass
class Stay:
    """A car at a socket with a session: as it was when that began."""

    charger: Charger
    socket: Connector
    car: Car
    from_s: float
    soc: float
    to_s: float


class Witness:
    """Writes down, after every step of the world, what there is to be shared."""

    def __init__(self) -> None:
        self.world: World
        self.stays: list[Stay] = []
        self.building_a: list[tuple[float, float, float]] = []  # a second each
        self.drawn_a: list[float] = []  # by all chargers, all phases together
        self._here: dict[tuple[str, int], Stay] = {}
        self._zero: float | None = None

    def __call__(self, world: World, now: float) -> None:
        self.world = world
        if self._zero is None:
            self._zero = now
        at_s = now - self._zero
        first, second, third = (ma / 1000 for ma in world.building.ma)
        drawn = sum(world.chargers_ma()) / 1000 if len(self.building_a) <= at_s else 0.0
        while len(self.building_a) <= at_s:
            self.building_a.append((first, second, third))
            self.drawn_a.append(drawn)
        for charger in world.chargers.values():
            for socket in charger.connectors:
                self._look(charger, socket, at_s)

    def _look(self, charger: Charger, socket: Connector, at_s: float) -> None:
        place, car = (charger.id, socket.number), socket.car
        stay = self._here.get(place)
        if stay is not None and stay.car is not car:
            del self._here[place]
            stay = None
        if stay is None and car is not None and socket.transaction is not None:
            stay = self._here[place] = Stay(charger, socket, car, at_s, car.soc, at_s)
            self.stays.append(stay)
        if stay is not None:
            stay.to_s = at_s

    def day(self, site: Description) -> SiteDay:
        """What the programme and the simpler ways are given."""
        one, two, three = (ma / 1000 for ma in self.world.limit_ma)
        groups = {name: wires[0].limit_ma / 1000 for name, wires in self.world.oracle.nodes.items()
                  if name in self.world.groups}  # fmt: skip
        parents = dict(self.world.groups)
        member: dict[str, str | None] = {}
        for told in site.places:
            member[told.id] = told.group
            if told.supply_limit_ma is not None:  # its two sockets share one feed
                feed = f"supply {told.id}"
                groups[feed], parents[feed] = told.supply_limit_ma / 1000, told.group
                member[told.id] = feed
        return SiteDay(
            (one, two, three), groups, parents, member,
            tuple(self._visit(stay) for stay in self.stays), np.array(self.building_a),
        )  # fmt: skip

    def _visit(self, stay: Stay) -> Visit:
        car, make = stay.car, stay.charger.make
        legs = tuple(stay.charger.legs[: min(car.phases, make.phases)])
        most_a = min(car.max_ma, make.max_ma) / 1000
        return Visit(stay.charger.id, stay.from_s, stay.to_s, legs, most_a, car.battery_wh,
                     stay.soc, car.taper_from)  # fmt: skip


def begins_at(site: Description, seed: int) -> tuple[bool, int]:
    """Whether a run of this seed is of a plain day, and its first hour."""
    chance = random.Random(seed * 7919 + 1)  # as `run.py` casts it
    day = chance.choice(DAYS)
    return day == DAYS[0], int(chance.choice(site.day.begins_h))


def seeds(site: Description, count: int) -> list[int]:
    """The first seeds whose day begins in the morning."""
    found: list[int] = []
    seed = SEED_FIRST
    while len(found) < count:
        if begins_at(site, seed) == (True, FROM_H):
            found.append(seed)
        seed += 1
    return found


def played(seed: int, hours: float = HOURS) -> tuple[Witness, float]:
    """A day's witness, and what was delivered on it, in Wh."""
    witness = Witness()
    report = simulate(SITE, seed, hours, watch=witness)
    if f"T{FROM_H:02}:00" not in report.began_utc:
        raise RuntimeError(f"expected a day from {FROM_H} o'clock, got {report.began_utc}")
    return witness, float(report.energy_wh)


def measure() -> dict[str, float]:
    """Parts of the bound, and the bound itself."""
    site = load_site(SITE)
    (seed,) = seeds(site, 1)
    witness, delivered_wh = played(seed)
    day = witness.day(site)
    bound = bound_wh(day, STEP_S)
    ideal = played_wh(day, fair_share)
    return {
        "energy_bound_kwh": bound / 1000,
        "energy_ratio_of_ideal_share": delivered_wh / ideal,
        "energy_ratio_of_bound": delivered_wh / bound,
        "energy_ratio_of_bound_ideal": ideal / bound,
        "energy_ratio_of_bound_fifo": played_wh(day, first_come) / bound,
        "energy_ratio_of_bound_equal_split": played_wh(day, equal_split) / bound,
        "energy_ratio_of_bound_worst_phase": played_wh(day, worst_phase) / bound,
    }
