"""Cars behave as cars do."""

from __future__ import annotations

import math

import pytest
from tools.world import Car

VOLTS = (230_000, 230_000, 230_000)


def drive(car, pilot_ma, seconds, step=0.5):
    drawn = (0, 0, 0)
    for _ in range(int(seconds / step)):
        drawn = car.step(pilot_ma, 3, VOLTS, step)
    return drawn


@pytest.mark.parametrize(
    ("phases", "drawn"), [(1, (16_000, 0, 0)), (2, (16_000, 16_000, 0)), (3, (16_000,) * 3)]
)
def test_a_car_draws_on_the_phases_it_rectifies(phases, drawn):
    assert drive(Car(phases=phases), 16_000, 10) == drawn


def test_a_car_never_draws_more_than_its_own_most():
    assert drive(Car(phases=1, max_ma=13_000), 32_000, 10) == (13_000, 0, 0)


def test_below_six_amps_nothing_flows():
    car = Car(phases=1)
    drive(car, 20_000, 10)
    assert drive(car, 5_900, 3) == (0, 0, 0)


@pytest.mark.parametrize("lag_s", [0.0, 0.5, 2.0])
def test_a_lower_limit_is_followed_within_the_lag_and_not_before_it_is_told(lag_s):
    car = Car(phases=1, lag_s=lag_s)
    drive(car, 32_000, 10)
    if lag_s > 0.5:
        assert drive(car, 10_000, lag_s / 2)[0] > 10_000
    assert drive(car, 10_000, max(0.5, lag_s))[0] == 10_000


def test_a_cut_during_the_taper_is_as_fast_as_any():
    car = Car(phases=3, soc=0.85, battery_wh=2_000, lag_s=2.0)
    drive(car, 32_000, 20)
    assert drive(car, 8_000, 2.0)[0] <= 8_000


def test_the_current_tapers_above_eighty_percent_and_ends_when_full():
    car = Car(phases=1, battery_wh=3_000, soc=0.79, lag_s=0)
    drive(car, 32_000, 10)
    seen = [drive(car, 32_000, 60)[0] for _ in range(40)]
    assert seen[0] < 32_000
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 0
    assert car.is_full
    assert min(a for a in seen if a) >= 6_000


def test_the_battery_holds_what_flowed():
    car = Car(phases=3, battery_wh=60_000, soc=0.2, lag_s=0, start_s=0)
    drive(car, 10_000, 3_600)
    assert car.soc == pytest.approx(0.2 + 3 * 230 * 10 / 60_000, rel=1e-3)


def test_a_car_sleeps_after_a_long_zero_and_wakes_after_an_offer_has_stood_a_while():
    car = Car(phases=1, sleeps_after_s=300, wakes_after_s=20)
    drive(car, 0, 299)
    assert not car.asleep
    drive(car, 0, 2)
    assert car.asleep
    assert drive(car, 6_000, 15) == (0, 0, 0)
    assert drive(car, 6_000, 15) == (6_000, 0, 0)


def test_a_deep_sleeper_needs_more_than_an_offer():
    car = Car(phases=1, wakes_after_s=math.inf)
    car.fall_asleep()
    assert drive(car, 16_000, 600) == (0, 0, 0)
    car.wake()
    assert drive(car, 16_000, 10) == (16_000, 0, 0)
