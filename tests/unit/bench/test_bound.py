"""The bound that measured energy is held against: on days small enough to reckon by hand."""

from __future__ import annotations

import numpy as np
import pytest
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

HOUR = np.zeros((3600, 3))
BIG = 1_000_000.0


def visit(
    name: str, legs: tuple[int, ...] = (0,), most_a: float = 32.0, *, to_s: float = 3600.0,
    battery_wh: float = BIG, soc: float = 0.0,
) -> Visit:  # fmt: skip
    return Visit(name, 0.0, to_s, legs, most_a, battery_wh, soc)


def test_a_car_alone_gets_its_maximum() -> None:
    day = SiteDay((100.0, 100.0, 100.0), visits=(visit("C1"),), building_a=HOUR)

    assert bound_wh(day) == pytest.approx(32 * 230)
    assert played_wh(day, first_come) == pytest.approx(32 * 230)


def test_the_limit_less_the_building_binds_each_phase_for_itself() -> None:
    building = HOUR + np.array([10.0, 0.0, 0.0])
    day = SiteDay((40.0, 40.0, 40.0), visits=(visit("C1"), visit("C2"), visit("C3", (1,))),
                  building_a=building)  # fmt: skip

    assert bound_wh(day) == pytest.approx((30 + 32) * 230)


def test_a_group_binds_those_in_it() -> None:
    day = SiteDay((100.0, 100.0, 100.0), {"G": 20.0}, {"G": None}, {"C1": "G", "C2": None},
                  (visit("C1"), visit("C2")), HOUR)  # fmt: skip

    assert bound_wh(day) == pytest.approx((20 + 32) * 230)


def test_fair_sharing_gives_the_rest_to_those_who_are_held_by_nothing() -> None:
    """C1 and C2 share the group's 20 A; C3 on the same phase takes its 16 A, C4 all the rest."""
    chargers = (visit("C1"), visit("C2"), visit("C3", most_a=16.0), visit("C4", (0, 1, 2)))
    day = SiteDay((60.0, 60.0, 60.0), {"G": 20.0}, {"G": None},
                  {"C1": "G", "C2": "G", "C3": None, "C4": None}, chargers, HOUR)  # fmt: skip

    assert played_wh(day, fair_share) == pytest.approx((10 + 10 + 16 + 3 * 24) * 230)


def test_a_battery_takes_no_more_than_fits() -> None:
    day = SiteDay((100.0, 100.0, 100.0), visits=(visit("C1", battery_wh=5_000, soc=0.8),),
                  building_a=HOUR)  # fmt: skip

    assert bound_wh(day) <= 1_000 + 1e-6


def test_nothing_that_is_played_passes_the_bound() -> None:
    dice = np.random.default_rng(5)
    building = np.abs(dice.normal(20, 5, (7200, 3)))
    visits = tuple(
        Visit(f"C{n}", float(dice.integers(0, 3000)), float(dice.integers(3500, 7200)),
              ((0,), (1,), (0, 1, 2))[n % 3], 16.0 if n % 2 else 32.0, 30_000.0,
              float(dice.uniform(0.1, 0.9)))
        for n in range(12)
    )  # fmt: skip
    day = SiteDay((80.0, 80.0, 80.0), {"G": 60.0}, {"G": None},
                  {f"C{n}": "G" if n < 6 else None for n in range(12)},
                  visits, building)  # fmt: skip
    best = bound_wh(day)

    assert best > 10_000
    for way in (equal_split, first_come, worst_phase):
        assert 0 < played_wh(day, way) <= best * 1.001
