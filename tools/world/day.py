"""People: they come, plug in, hold a tag to the reader, stay a while, and leave.

`a_day` is a lively one: stays are minutes instead of hours, so that there is something to see.
`people` keep the habits of a site: who comes when and stays how long, hours as they are.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import trio

from tools.world.car import Car
from tools.world.charger import Charger
from tools.world.world import World

FLEET = (  # name, phases, most amps, battery
    ("Zoe", 3, 32_000, 52_000),
    ("Model 3", 3, 16_000, 60_000),
    ("ID.3", 3, 16_000, 58_000),
    ("Leaf", 1, 29_000, 40_000),
    ("Kona", 1, 32_000, 64_000),
    ("Outlander", 1, 16_000, 13_800),
    ("e-Golf", 2, 16_000, 35_800),
    ("i3", 3, 16_000, 42_000),
)


DC_FLEET = (  # most amps: of each phase that the charger takes for it
    ("Ioniq 5", 3, 330_000, 77_000),
    ("Taycan", 3, 380_000, 93_000),
    ("ID.4", 3, 190_000, 77_000),
    ("Model Y", 3, 360_000, 75_000),
    ("Leaf e+", 3, 105_000, 59_000),
    ("eCitaro", 3, 220_000, 396_000),
)
US_FLEET = (
    ("Bolt", 1, 32_000, 65_000),
    ("Leaf S", 1, 27_500, 40_000),
    ("Model 3", 1, 32_000, 60_000),
    ("Prius Prime", 1, 14_500, 13_600),
    ("F-150 Lightning", 1, 48_000, 98_000),
)
VANS = (
    ("eVito", 3, 16_000, 60_000),
    ("e-Transit", 3, 16_000, 68_000),
    ("eSprinter", 3, 16_000, 81_000),
    ("e-Crafter", 1, 32_000, 36_000),
)
FLEETS = {"ac": FLEET, "dc": DC_FLEET, "us": US_FLEET, "vans": VANS}
HOUR_S = 3600.0
DAY_H = 24.0
AT_ONCE_S = (2.0, 60.0)  # when those plug in who are there already when the run begins
LOOK_S = 120.0  # how often somebody with a running session looks at it


@dataclass(frozen=True)
class Visit:
    """One kind of guest, by the hour of the day (UTC)."""

    arrive_h: tuple[float, float] = (8.0, 9.0)
    stay_h: tuple[float, float] = (8.0, 9.0)
    weight: float = 1.0  # how many sockets have such guests, against the other kinds
    gap_h: tuple[float, float] | None = None  # the next one comes so much later, all that window


@dataclass(frozen=True)
class Habits:
    """Who comes to a site. No visits: a lively day (`a_day`)."""

    visits: tuple[Visit, ...] = ()
    begins_h: tuple[float, ...] = (0.0, 6.0, 12.0, 18.0)  # hours (UTC) at which a run may begin
    fleet: str = "ac"
    empty: float = 0.1  # share of sockets to which nobody comes that day
    sleepy: float = 0.15  # share of cars that fall asleep when nothing is offered
    vip: float = 0.1  # share of guests with a tag of the site's VIPs, where it has any
    full: float = 0.1  # share of cars that come nearly full

    def __post_init__(self) -> None:
        if self.fleet not in FLEETS:
            raise ValueError(f"expected a fleet of {', '.join(FLEETS)}, got {self.fleet!r}")


@dataclass(frozen=True)
class Pace:
    """How busy the day is, in seconds."""

    stay_s: tuple[float, float] = (60.0, 240.0)
    gap_s: tuple[float, float] = (5.0, 40.0)
    first_s: tuple[float, float] = (3.0, 12.0)  # when those come who come at the start
    early: float = 0.8  # share of sockets taken at the start
    tag_s: tuple[float, float] = (0.5, 3.0)  # from plug to tag
    hurried: float = 0.3  # share of people who pull the plug without stopping first


def a_car(chance: random.Random) -> Car:
    """One of the fleet, as empty and as sleepy as chance has it."""
    return _car_of(FLEET, chance)


def _car_of(fleet: tuple[tuple[str, int, int, int], ...], chance: random.Random) -> Car:
    name, phases, most_ma, battery_wh = chance.choice(fleet)
    return Car(
        name=name,
        phases=phases,
        max_ma=most_ma,
        battery_wh=battery_wh,
        soc=round(chance.uniform(0.15, 0.9), 3),
        lag_s=round(chance.uniform(0.5, 2.0), 2),
        start_s=round(chance.uniform(1.0, 3.0), 2),
    )


async def a_day(world: World, pace: Pace | None = None) -> None:
    """People at every socket of the world, until cancelled."""
    chosen = pace or Pace()
    places = [(c, at.number) for c in world.chargers.values() for at in c.connectors]
    early = round(chosen.early * len(places))
    order = world.own_chance().sample(range(len(places)), len(places))
    async with trio.open_nursery() as nursery:
        for rank, place in enumerate(order):
            charger, number = places[place]
            chance = world.own_chance()
            first_s = chance.uniform(*(chosen.first_s if rank < early else chosen.gap_s))
            nursery.start_soon(_a_socket, charger, number, chance, chosen, first_s)


async def _a_socket(
    charger: Charger, number: int, chance: random.Random, pace: Pace, first_s: float
) -> None:
    await trio.sleep(first_s)
    while True:
        await _a_visit(charger, number, chance, pace)
        await trio.sleep(chance.uniform(*pace.gap_s))


async def _a_visit(charger: Charger, number: int, chance: random.Random, pace: Pace) -> None:
    """One person from plug to leaving; who finds no session holds the tag there once more."""
    leaves_at = trio.current_time() + chance.uniform(*pace.stay_s)
    tag = f"TAG{chance.randrange(1, 200):05d}"
    await _stay(charger, number, chance, pace, a_car(chance), tag, leaves_at, 15.0)


async def _stay(
    charger: Charger, number: int, chance: random.Random, pace: Pace, car: Car, tag: str,
    leaves_at: float, look_s: float,
) -> None:  # fmt: skip
    at = charger.connector(number)
    charger.plug(car, number)
    while trio.current_time() < leaves_at:
        await trio.sleep(chance.uniform(*pace.tag_s))
        if at.transaction is None and charger.is_booted:  # its lamp says that it is ready
            charger.present_tag(tag, number)
        if at.transaction is not None or charger.is_off:
            await trio.sleep(min(look_s, max(0.0, leaves_at - trio.current_time())))
        else:
            await trio.sleep(5.0)
    if at.transaction is not None and chance.random() >= pace.hurried:
        charger.present_tag(tag, number)
        await trio.sleep(chance.uniform(1.0, 4.0))
    charger.unplug(number)


# -- habits ----------------------------------------------------------------------------------------


async def people(
    world: World, habits: Habits, *, hours: float, vip: tuple[str, ...] = ()
) -> None:
    """The guests of so many hours from now on, by the site's habits."""
    if not habits.visits:
        await a_day(world)
        return
    begins_h = world.epoch(trio.current_time()) / HOUR_S % DAY_H
    async with trio.open_nursery() as nursery:
        for charger in world.chargers.values():
            for at in charger.connectors:
                chance = world.own_chance()
                stays = visits_of(habits, chance, begins_h, hours)
                nursery.start_soon(_keep_habits, charger, at.number, chance, habits, stays, vip)


def visits_of(
    habits: Habits, chance: random.Random, begins_h: float, hours: float
) -> list[tuple[float, float]]:
    """From when to when somebody stands at one socket, in seconds after the run's begin."""
    if chance.random() < habits.empty:
        return []
    kind = chance.choices(habits.visits, [v.weight for v in habits.visits])[0]
    free_h = -DAY_H
    found: list[tuple[float, float]] = []
    for day in range(-1, int((begins_h + hours) // DAY_H) + 1):
        for arrive_h, stay_h in _of_a_day(kind, chance):
            come_h = max(arrive_h + day * DAY_H - begins_h, free_h)
            gone_h = come_h + stay_h
            if gone_h <= 0 or come_h >= hours:
                continue
            come_s = come_h * HOUR_S if come_h > 0 else chance.uniform(*AT_ONCE_S)
            found.append((come_s, gone_h * HOUR_S))
            free_h = gone_h + 0.05
    return [(come_s, gone_s) for come_s, gone_s in found if gone_s > come_s + 60]


def _of_a_day(kind: Visit, chance: random.Random) -> list[tuple[float, float]]:
    """Hour of the day and length of stay of each guest of this kind at one socket."""
    first, last = kind.arrive_h
    if kind.gap_h is None:
        return [(chance.uniform(first, last), chance.uniform(*kind.stay_h))]
    found = []
    at = first + chance.uniform(0.0, kind.gap_h[1])
    while at < last:
        stay = chance.uniform(*kind.stay_h)
        found.append((at, stay))
        at += stay + chance.uniform(*kind.gap_h)
    return found


async def _keep_habits(
    charger: Charger, number: int, chance: random.Random, habits: Habits,
    stays: list[tuple[float, float]], vip: tuple[str, ...],
) -> None:  # fmt: skip
    began = trio.current_time()
    for come_s, gone_s in stays:
        await trio.sleep_until(began + come_s)
        is_vip = bool(vip) and chance.random() < habits.vip
        tag = chance.choice(vip) if is_vip else f"TAG{chance.randrange(1, 200):05d}"
        car = _car_of(FLEETS[habits.fleet], chance)
        if chance.random() < habits.sleepy:
            car.sleeps_after_s = chance.uniform(120.0, 900.0)
        if chance.random() < habits.full:
            car.soc = chance.uniform(0.9, 0.995)
        await _stay(charger, number, chance, Pace(), car, tag, began + gone_s, LOOK_S)
