"""A lively day: people come, plug in, hold a tag to the reader, stay a while, and leave.

Stays are minutes instead of hours, so that there is something to see; currents are in real time.
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
    name, phases, most_ma, battery_wh = chance.choice(FLEET)
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
    at = charger.connector(number)
    tag = f"TAG{chance.randrange(1, 200):05d}"
    leaves_at = trio.current_time() + chance.uniform(*pace.stay_s)
    charger.plug(a_car(chance), number)
    while trio.current_time() < leaves_at:
        await trio.sleep(chance.uniform(*pace.tag_s))
        if at.transaction is None and charger.is_booted:  # its lamp says that it is ready
            charger.present_tag(tag, number)
        if at.transaction is not None or charger.is_off:
            await trio.sleep(min(15.0, max(0.0, leaves_at - trio.current_time())))
        else:
            await trio.sleep(5.0)
    if at.transaction is not None and chance.random() >= pace.hurried:
        charger.present_tag(tag, number)
        await trio.sleep(chance.uniform(1.0, 4.0))
    charger.unplug(number)
