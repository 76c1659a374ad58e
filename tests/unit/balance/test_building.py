"""Whose the current on the meter is: the building's or the chargers' (balancing.md 1)."""

from __future__ import annotations

from copy import deepcopy

import pytest
from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.balance.budget import Draws, MeterWatch
from linkray.balance.connector import FOLLOW_S
from linkray.model.facts import Drawn, MeterRead, SettingsChanged, StatusSeen
from linkray.model.settings import Charger
from linkray.model.units import Phases

C1, C2, C3 = Charger("c1"), Charger("c2", max_ma=20_000), Charger("c3")


def modest(most_a: float) -> World:
    """A car that may draw 32 A since 10 s, takes less, and has said so twice; building 20 A."""
    world = World(settings(63, [C1], meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(9.9)
    world.begin("c1", car=Car(most_a))
    world.run(11.4)
    world.sample()
    assert world.amps() == [32]
    assert world.plan.building_ma.l1 == 20_000
    return world


def test_a_fall_that_was_reckoned_with_already_excuses_nothing_as_a_value_shows_it() -> None:
    world = modest(32)
    world.run(8.5)
    world.building_a = [40, 0, 0]
    world.run(4)  # cut to 23 A; three seconds on it is taken to draw no more
    assert world.amps() == [23]
    world.sample()
    world.building_a = [45, 0, 0]
    world.run(1)
    world.building_a = [40, 0, 0]
    world.run(5)
    assert world.plan.building_ma.l1 == 45_000


# -- growth after a raise ----------------------------------------------------------------------


def test_inv_2_a_raise_excuses_growth_only_until_values_show_what_came_of_it() -> None:
    world = modest(6)
    world.building_a = [35, 0, 0]
    world.run(2)
    assert world.plan.building_ma.l1 == 35_000


def test_a_value_from_just_after_a_raise_does_not_show_what_comes_of_it() -> None:
    world = modest(6)
    c = world.core._connectors["c1", 1]
    c.rises(world.now, world.now + 20)
    world.run(FOLLOW_S / 2)
    world.sample()
    world.cars["c1", 1].most_ma = 21_000
    world.run(2)
    assert world.plan.building_ma.l1 == 20_000


def ramping() -> World:
    """As `modest`, and its values show it 4 A higher three seconds after a raise."""
    world = modest(6)
    c = world.core._connectors["c1", 1]
    c.rises(world.now, world.now + 20)
    world.run(FOLLOW_S)
    world.cars["c1", 1].most_ma = 10_000
    world.sample()
    assert world.plan.building_ma.l1 == 20_000
    return world


def test_a_ramp_that_its_values_show_under_way_is_the_chargers_until_the_next_of_them() -> None:
    world = ramping()
    for _ in range(5):
        world.cars["c1", 1].most_ma += 1_500
        world.run(1)
    assert world.plan.building_ma.l1 == 20_000


@pytest.mark.parametrize("why", ["session", "raise"])
def test_growth_after_a_raise_is_the_chargers_for_two_sample_intervals_at_most(why: str) -> None:
    """It says nothing of what it draws; then what has come may be the building's after all."""
    world = World(settings(46, [C1], meter=metered()), meter=True, interval_s=10_000)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(9.9)
    world.begin("c1", car=Car(6))
    world.run(0.1)
    known_a = 20
    if why == "raise":
        world.run(100)
        known_a = 26  # with what its car takes
        world.feed(SettingsChanged(settings(63, [C1], meter=metered())))
        world.run(0.1)
    rose_at = world.now
    world.building_a = [30, 0, 0]
    world.run(18)
    assert world.plan.building_ma == Phases(known_a * 1000)
    assert world.amps()[0] > 20
    world.run(rose_at + 22 - world.now)
    assert world.plan.building_ma == Phases(36_000)


def test_inv_2_growth_that_is_faster_than_the_ramp_its_values_show_is_building() -> None:
    world = ramping()
    world.building_a = [32, 0, 0]
    world.run(2)
    assert world.plan.building_ma.l1 >= 26_000


def test_inv_2_a_raise_excuses_no_growth_on_a_phase_that_its_car_leaves_alone() -> None:
    c1 = Charger("c1", phases=3, connection="L1-L2-L3")
    world = World(settings(40, [c1], meter=metered()), meter=True)
    world.building_a = [20, 20, 20]
    world.connect()
    world.run(9.9)
    world.begin("c1", car=Car(phases=(2,)))
    world.run(11.4)
    assert world.amps() == [20]
    world.feed(SettingsChanged(settings(50, [c1], meter=metered())))
    world.run(0.2)
    assert world.amps() == [30]
    world.building_a = [35, 20, 20]
    world.run(1)
    assert world.plan.building_ma.l1 == 35_000


def test_inv_2_a_raise_excuses_no_growth_where_the_offer_before_it_was_not_taken() -> None:
    """carpark32, seed 849: a raise by 2.4 A hid 13 A of a building under a car that takes 16 A."""
    world = World(settings(40, [Charger("c1")], meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(9.9)
    world.begin("c1", car=Car(12))
    world.run(31.4)
    assert world.amps() == [20]
    world.feed(SettingsChanged(settings(44, [Charger("c1")], meter=metered())))
    world.run(0.2)
    assert world.amps() == [24]
    world.building_a = [32, 0, 0]
    world.run(1)
    assert world.plan.building_ma.l1 >= 28_000  # but for the 4 A of the raise


def test_a_car_that_starts_late_is_no_building() -> None:
    world = modest(0)
    world.feed(StatusSeen("c1", 1, "SuspendedEV", world.now))
    world.run(1)
    world.feed(StatusSeen("c1", 1, "Charging", world.now))
    world.cars["c1", 1].most_ma = 21_000
    world.run(5)
    assert world.plan.building_ma.l1 == 20_000


# -- what ended just now -----------------------------------------------------------------------


def reading(amps: float, at: float) -> MeterRead:
    return MeterRead(Phases(int(amps * 1000)), (None, None, None), at)


def test_what_a_drop_excuses_is_in_doubt_until_a_later_reading_tells() -> None:
    watch = MeterWatch(settings(63, 1, meter=metered()).site)
    draws = Draws()
    draws.drawn[0] = 12_000
    for second in range(6):
        watch.read(reading(32, second), draws, second)
    assert watch.budget([0] * 3, [0] * 3, 5).building == (20_000, 0, 0)
    draws.drawn[0], draws.falling[0] = 0, 12_000
    watch.read(reading(32, 6), draws, 6)
    budget = watch.budget([0] * 3, [0] * 3, 6)
    assert (budget.building, budget.doubt) == ((20_000, 0, 0), (12_000, 0, 0))
    failed = deepcopy(watch)
    failed.lost([0] * 3, 6.5)
    assert failed.budget([0] * 3, [0] * 3, 600).doubt == (0, 0, 0), "no reading, no doubt of it"
    draws.falling[0] = 0
    watch.read(reading(32, 8), draws, 8)
    budget = watch.budget([0] * 3, [0] * 3, 8)
    assert (budget.building, budget.doubt) == ((32_000, 0, 0), (0, 0, 0))


def test_inv_2_nothing_rises_into_what_is_in_doubt_after_a_session() -> None:
    """Its car had stopped after its last value, and the building took over what it drew."""
    world = World(settings(75, [C1, C2, C3], meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.begin("c1", "c2", car=Car(12))
    world.run(29.7)
    world.sample()
    world.cars["c1", 1] = Car(0)
    world.building_a = [32, 0, 0]
    world.run(0.8)
    world.end("c1")
    world.run(0.6)
    assert world.plan.building_ma.l1 == 20_000
    world.begin("c3")
    world.run(0.2)
    assert world.amps("c2", "c3") == [20, 75 - 32 - 20]
    world.run(5)
    assert world.plan.building_ma.l1 > 31_000


# -- totals (trust.md C11) ---------------------------------------------------------------------


def totals(limit_a: float, building_a: float, chargers: list[Charger], *drawn_a: float) -> World:
    """Sessions that are offered what there is; three-phase ones tell a total, shared out evenly."""
    world = World(settings(limit_a, chargers, meter=metered()))
    world.connect()
    world.begin(*(c.id for c in chargers))
    for _ in range(100):
        taken = [min(a, o.limit_ma / 1000) for a, o in zip(drawn_a, world.plan.offers, strict=True)]
        pass_second(world, building_a + sum(taken), *taken)
    return world


def pass_second(world: World, meter_a: float, *drawn_a: float) -> None:
    """A second later: the meter's reading on L1, and what each charger says of it."""
    world.now += 1
    for conf, amps in zip(world.settings.chargers, drawn_a, strict=True):
        ma = int(amps * 1000)
        drawn = Phases(ma) if conf.phases == 1 else Phases.each(ma)
        world.feed(Drawn(conf.id, 1, drawn, "total", world.now))
    world.feed(reading(meter_a, world.now))
    world.take(world.core.wake(world.now))


def three(name: str) -> Charger:
    return Charger(name, phases=3, connection="L1-L2-L3", max_ma=16_000)


def test_c11_over_the_limit_what_no_value_shows_on_that_phase_is_no_relief() -> None:
    """The car of c2 draws nothing on L1: its total is shared out to it all the same."""
    world = totals(60, 18, [C1, three("c2")], 16, 12)
    building_a = 57  # and 16 of c1
    pass_second(world, building_a + 16, 16, 12)
    assert building_a + world.amps("c1")[0] <= 60


def test_c11_where_all_tell_totals_none_is_cut_more_than_twice_as_far() -> None:
    chargers = [three(f"c{n}") for n in range(1, 4)]
    world = totals(60, 30, chargers, 10, 10, 10)
    assert world.amps() == [10, 10, 10]
    pass_second(world, 61, 10, 10, 10)
    assert 27.5 <= sum(world.amps()) <= 29
    pass_second(world, 59, 9.3, 9.3, 9.3)
    assert world.plan.building_ma.l1 == 31_000  # what they may carry on that phase is not held


def test_c11_a_single_phase_charger_that_tells_a_total_tells_its_phase() -> None:
    world = totals(60, 18, [C1], 20)
    pass_second(world, 65, 20)
    assert world.plan.building_ma.l1 == 45_000


def test_inv_2_a_building_that_falls_with_a_session_was_as_high_as_the_reading_between() -> None:
    """office8, seed 10008: the charger no longer drew, and the building fell a second later."""
    watch = MeterWatch(settings(100, 1, meter=metered()).site)
    draws = Draws()
    draws.drawn[0] = 8_000
    for second in range(6):
        watch.read(reading(98, second), draws, second)
    draws.drawn[0], draws.falling[0] = 0, 8_000
    watch.read(reading(89, 8), draws, 8)
    watch.read(reading(52, 9), draws, 9)

    assert watch.budget([0] * 3, [0] * 3, 67).building == (89_000, 0, 0)


# -- what a reading misses, and what a failed cycle knows of the building -------------------------


def test_m8_a_phase_that_a_reading_misses_keeps_its_value_and_leaves_no_more_for_raises() -> None:
    watch = MeterWatch(settings(60, 1, meter=metered()).site)
    volts = (230_000, 230_000, 230_000)
    for second in range(10):
        now = float(second)
        watch.read(MeterRead(Phases.each(58_000), volts, now), Draws(), now)
    whole = watch.budget([0, 0, 0], [0, 0, 0], 9.1)
    missed = MeterRead(Phases(0, 59_000, 57_000), volts, 10.0, phases_read=(False, True, True))
    watch.read(missed, Draws(), 10.0)
    part = watch.budget([0, 0, 0], [0, 0, 0], 10.1)
    assert (whole.spare, part.spare) == ([2_000] * 3, [2_000, 1_000, 3_000])
    assert part.fresh and part.room[0] == whole.room[0]
    watch.read(missed, Draws(), 12.5)
    assert not watch.budget([0, 0, 0], [0, 0, 0], 12.5).fresh


def test_b9_an_overload_on_a_phase_that_the_newest_reading_misses_is_still_taken_off() -> None:
    watch = MeterWatch(settings(60, 1, meter=metered()).site)
    volts = (230_000, 230_000, 230_000)
    watch.read(MeterRead(Phases(72_000, 0, 0), volts, 0.0), Draws(), 0.0)
    missed = MeterRead(Phases(), volts, 1.0, phases_read=(False, True, True))
    watch.read(missed, Draws(), 1.0)
    assert watch.over() == (12_000, 0, 0)


def beside_a_building(limit_a: float, building_a: float) -> World:
    """A meter that sees the building alone; two that charge."""
    world = World(settings(limit_a, 2, meter=metered(location="building")))
    world.connect()
    for second in range(60):
        if second == 10:
            world.begin("c1", "c2")
        world.feed(building_read(world, building_a))
        world.run(1)
    return world


def building_read(world: World, building_a: float) -> MeterRead:
    return MeterRead(Phases(int(building_a * 1_000)), (None, None, None), world.now)


def test_a_meter_of_the_building_alone_is_the_building_and_the_chargers_come_on_top() -> None:
    world = beside_a_building(100, 80)
    for _ in range(75):  # what was high a minute ago would hide that they were taken off
        world.feed(building_read(world, 80))
        world.run(1)
    assert world.draws(("c1", 1)).l1 == 10_000
    assert world.plan.building_ma == Phases(80_000)
    assert world.plan.budget_ma == Phases(20_000, 100_000, 100_000)
    assert world.amps() == [10, 10]


@pytest.mark.parametrize(
    ("building_a", "left"), [(80, [10, 10]), (86, [7, 7]), (95, [0, 0]), (120, [0, 0])]
)
def test_b9_a_failed_cycle_leaves_the_chargers_what_a_building_leaves_that_is_metered_alone(
    building_a: float, left: list[float]
) -> None:
    world = beside_a_building(100, 80)
    assert world.amps() == [10, 10]
    world.now += 0.5
    world.core.note((building_read(world, building_a),), world.now)
    world.take(world.core.shrink(world.now))
    assert world.amps() == left


def test_b9_what_a_building_exports_is_nothing_that_a_failed_cycle_gives_out() -> None:
    world = beside_a_building(20, -30)
    assert world.amps() == [10, 10]
    assert world.core._meter.bare(world.now)[0] == 20_000
