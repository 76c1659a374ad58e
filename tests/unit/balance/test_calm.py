"""Calm: constant inputs, constant offers (balancing.md, Invariants 6; trust.md INV-15)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.model.settings import Charger, Group

SETTLED_S = 180  # balancing.md: constant after 3 min
GROUPS = (Group("Row", 43_000), Group("Cable", 25_000, parent="Row"))
MIXED = [
    Charger(id="c1", group="Row"),
    Charger(id="c2", group="Cable", connection="L2"),
    Charger(id="c3", group="Cable", phases=3, connection="L2-L3-L1"),
    Charger(id="c4", priority="high", max_ma=16_000),
    Charger(id="c5", phases=3, connection="L1-L2-L3", unit="W", max_w=22_000, min_w=4_200),
    Charger(id="c6", phases=3, connection="L3-L1-L2"),
    Charger(id="c7", max_ma=20_000, connection="L3"),
]
CARS = {"c1": 12.3, "c3": 9.7, "c5": 14.1, "c7": 6.05}  # what these take at most, in amps


@pytest.mark.parametrize("site", [
    {"limit_a": 60}, {"limit_a": (63, 40, 51)}, {"limit_a": 60, "fifo": True},
    {"limit_a": 60, "meter": metered()}, {"limit_a": 70, "imbalance_ma": 30_000},
    {"limit_a": 53.7, "reduction_threshold_ma": 500},
])  # fmt: skip
def test_constant_inputs_give_constant_offers_after_3_min(site) -> None:
    world = World(settings(**{"chargers": MIXED, "groups": GROUPS, **site}), meter="meter" in site)
    if "meter" in site:
        world.building_a = [7.3, 4.1, 2.9]
    world.connect()
    world.run(10)
    for c in MIXED:
        world.begin(c.id, car=Car(CARS.get(c.id, 80)))
    world.run(SETTLED_S)
    told, offers = len(world.sent), world.amps()
    world.run(900)

    assert world.amps() == offers
    assert len(world.sent) == told
    assert sum(offer > 0 for offer in offers) >= 4


def test_a_battery_that_fills_moves_its_offer_in_steps_of_an_amp_and_no_less() -> None:
    world = World(settings(60, 3))
    world.connect()
    car = Car(20)
    world.begin("c1", car=car)
    world.begin("c2", "c3", car=Car(10))
    world.run(300)
    assert world.amps() == [22, 12, 12]
    told = [22.0]
    for _ in range(300):  # 10 mA in 10 s: 3 A in 50 minutes
        car.most_ma -= 10
        world.run(10)
        if world.amps("c1") != told[-1:]:
            told += world.amps("c1")
    assert len(told) in (3, 4)
    assert all(before - after >= 1 for before, after in pairwise(told))
    assert told[-1] - car.most_ma / 1000 <= 3.1  # what it uses, the threshold, and an amp
    assert world.amps("c2", "c3") == [12, 12]


def test_a_car_that_takes_clearly_less_again_is_offered_less_again() -> None:
    world = World(settings(60, 2))
    world.connect()
    car = Car(20)
    world.begin("c1", car=car)
    world.run(100)
    assert world.amps("c1") == [22]
    car.most_ma = 15_000
    world.run(100)
    assert world.amps("c1") == [17]


def test_room_that_ends_just_at_the_demand_and_moves_by_a_tenth_does_not_move_the_offer() -> None:
    world = World(settings(60, 1, meter=metered()), meter=True)
    world.building_a = [28.0, 0.0, 0.0]
    world.connect()
    world.begin("c1", car=Car(32))
    world.run(SETTLED_S)
    assert world.amps("c1") == [32]
    told = len(world.sent)
    for high, minutes in ((28.1, 1), (27.9, 3)) * 15:
        world.building_a[0] = high
        world.run(minutes * 60)
    assert world.amps("c1") in ([31.9], [32])
    assert len(world.sent) - told <= 10
    told = len(world.sent)
    world.run(30 * 60)
    assert len(world.sent) == told, "nothing moves, and so does nothing else"
    world.building_a[0] = 26.9
    world.run(90)
    assert world.amps("c1") == [32]
