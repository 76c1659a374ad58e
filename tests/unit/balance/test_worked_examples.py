"""The worked examples of balancing.md at the core alone; numbers are its rows."""

from __future__ import annotations

import pytest
from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.model.facts import LeaseProven, MeterLost
from linkray.model.settings import Charger, Group, LimitPhases
from linkray.model.units import Phases


def three_phase(name: str, **kw: object) -> Charger:
    return Charger(id=name, phases=3, connection="L1-L2-L3", **kw)  # type: ignore[arg-type]


def learn_to_obey(world: World) -> None:
    """Every charger has been seen to follow a cut within 5 s: samples come soon enough."""
    world.run(1.0 - world.now % 1.0)
    for c in world.core._list:
        c.books.obey_s, c.books.is_fast = 5.0, True


def test_1_one_two_three_cars_share_60_a():
    world = World(settings(60, 3))
    world.connect()
    world.begin("c1")
    world.run(0.2)
    assert world.amps() == [32]
    world.begin("c2")
    world.run(30)
    assert world.amps() == [30, 30]
    world.begin("c3")
    world.run(30)
    assert world.amps() == [20, 20, 20]


def test_2_a_smaller_charger_gets_the_same_percentage():
    chargers = [Charger(id="c1"), Charger(id="c2"), Charger(id="c3", max_ma=16_000)]
    world = World(settings(60, chargers))
    world.connect()
    seen = []
    for name in ("c1", "c2", "c3"):
        world.begin(name)
        world.run(40)
        seen.append(world.amps())
    assert seen == [[32], [30, 30], [24, 24, 12]]


@pytest.mark.parametrize(
    ("limit_a", "fifo", "expected"),
    [
        (80, False, [[32], [30, 30], [20, 20, 20]]),  # row 3
        (100, True, [[32], [32, 32], [32, 32, 16]]),  # row 5
    ],
)
def test_3_and_5_a_proven_lease_that_ran_out_reserves_only_the_fallback(limit_a, fifo, expected):
    chargers = [Charger(id=f"c{n}", fallback_ma=10_000) for n in range(1, 6)]
    world = World(settings(limit_a, chargers, fifo=fifo))
    world.leased = True
    world.connect()
    world.feed(*(LeaseProven(c.id, world.now) for c in chargers))
    world.lose("c4", "c5")
    world.run(1)
    assert world.plan.reserved_ma.l1 == 64_000  # their maximum until the lease has run out
    world.run(191)
    assert world.plan.reserved_ma.l1 == 20_000
    seen = []
    for name in ("c1", "c2", "c3"):
        world.begin(name)
        world.run(40)
        seen.append(world.amps())
    assert seen == expected


def test_4_fifo_serves_in_order_and_moves_up_when_the_first_leaves():
    world = World(settings(60, 3, fifo=True))
    world.connect()
    seen = []
    for name in ("c1", "c2", "c3"):
        world.begin(name)
        world.run(30)
        seen.append(world.amps())
    assert seen == [[32], [32, 28], [32, 28, 0]]
    assert world.reason("c3") == "fifo_queue"
    world.end("c1")
    world.run(30)
    assert world.amps() == [32, 28]


def test_6_fifo_with_room_for_two():
    world = World(settings(64, 3, fifo=True))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(30)
    assert world.amps() == [32, 32, 0]
    world.end("c1")
    world.run(30)
    assert world.amps() == [32, 32]


def test_7_an_offline_charger_without_a_lease_keeps_its_maximum():
    world = World(settings(100, 5))
    world.connect("c1", "c2", "c3", "c4")
    world.begin("c1", "c2", "c3", "c4")
    world.run(30)
    assert world.plan.budget_ma.l1 == 68_000
    assert world.amps() == [17, 17, 17, 17]
    reason = world.offer("c1").reason
    assert (reason.code, reason.charger) == ("unreachable_reserved", "c5")


def test_8_with_a_healthy_meter_what_can_be_shed_in_5_s_is_given_out():
    world = World(settings(100, 5, meter=metered()), meter=True)
    world.connect("c1", "c2", "c3", "c4")
    world.run(10)
    learn_to_obey(world)
    world.begin("c1", "c2", "c3", "c4")
    world.run(40)
    assert world.amps() == [25, 25, 25, 25]


def test_8_chargers_that_have_not_shown_how_soon_they_obey_leave_the_reserve():
    world = World(settings(100, 5, meter=metered()), meter=True)
    world.connect("c1", "c2", "c3", "c4")
    world.run(10)
    world.begin("c1", "c2", "c3", "c4")
    world.run(40)
    assert world.amps() == [17, 17, 17, 17]
    assert world.reason("c1") == "unreachable_reserved"


def test_8_the_obey_time_is_learnt_from_samples_after_cuts():
    world = World(settings(100, 5, meter=metered()), meter=True, interval_s=4)
    world.connect("c1", "c2", "c3", "c4")
    world.run(10)
    world.begin("c1", "c2", "c3", "c4")
    world.run(40)
    world.building_a = [40, 0, 0]  # a cut that every charger follows, seen by a sample in time
    world.run(1)
    assert world.amps() == [7, 7, 7, 7]
    world.run(20)
    assert world.amps() == [15, 15, 15, 15]
    world.building_a = [0, 0, 0]
    world.run(80)
    assert world.amps() == [25, 25, 25, 25]


def test_9_ten_cars_share_what_the_building_leaves():
    world = World(settings(200, 10, meter=metered()), meter=True)
    world.building_a = [80, 0, 0]
    world.connect()
    world.run(10)
    world.begin(*(f"c{n}" for n in range(1, 11)))
    world.run(60)
    assert world.amps() == [12] * 10
    assert world.reason("c1") == "building_load"


def test_10_what_one_does_not_use_goes_to_the_hungry():
    world = World(settings(96, 4))
    world.connect()
    world.begin("c1", car=Car(12))
    world.begin("c2", "c3", "c4")
    world.run(50)
    assert world.amps() == [24, 24, 24, 24]
    world.run(60)
    assert world.amps() == [14, 27.3, 27.3, 27.3]
    assert world.reason("c1") == "car_draws_less"


def site_that_uses_40_a(**meter: object) -> World:
    """Rows 11 to 13: 100 A, building 10, chargers use 40."""
    chargers = [Charger(id="c1", max_ma=20_000), Charger(id="c2", max_ma=20_000)]
    world = World(settings(100, chargers, meter=metered(**meter)), meter=True)
    world.building_a = [10, 0, 0]
    world.connect()
    world.run(10)
    world.begin("c1", "c2")
    world.run(60)
    assert world.amps() == [20, 20]
    return world


def test_11_half_of_what_was_drawn_when_the_meter_failed():
    world = site_that_uses_40_a(on_failure="half")
    world.meter_on = False
    world.feed(MeterLost(world.now))
    assert world.amps() == [10, 10]
    assert world.reason("c1") == "meter_lost_half"
    world.run(120)
    assert world.amps() == [10, 10]


def test_12_the_degraded_limit_and_nothing_where_none_is_set():
    world = site_that_uses_40_a(degraded_ma=LimitPhases(30_000, 30_000, 30_000))
    world.meter_on = False
    world.feed(MeterLost(world.now))
    assert world.amps() == [15, 15]
    assert world.reason("c1") == "degraded_limit"
    world = site_that_uses_40_a()
    world.meter_on = False
    world.feed(MeterLost(world.now))
    assert world.amps() == [0, 0]


def test_13_after_a_restart_without_the_meter_nothing_charges_under_half():
    world = World(settings(100, 2, meter=metered(on_failure="half")))
    world.connect()
    world.begin("c1", "c2")
    world.run(120)
    assert world.amps() == [0, 0]
    assert world.plan.degraded


def test_14_a_group_binds_its_members_and_nobody_else():
    chargers = [Charger(id=f"c{n}", group="Cable1") for n in (1, 2, 3)] + [three_phase("c4")]
    world = World(settings(100, chargers, groups=(Group("Cable1", 50_000),)))
    world.connect()
    world.begin("c1", "c2", "c3", "c4")
    world.run(40)
    assert world.amps() == [16.6, 16.6, 16.6, 32]
    reason = world.offer("c2").reason
    assert (reason.code, reason.group, reason.phase) == ("group_limit", "Cable1", "L1")


def test_15_two_sockets_share_their_supply():
    world = World(settings(100, [three_phase("c1", supply_limit_ma=32_000)]))
    world.connect(connectors=(1, 2))
    world.begin("c1", connector=1)
    world.begin("c1", connector=2)
    world.run(40)
    assert world.amps() == [16, 16]
    assert world.reason("c1") == "supply_limit"


def test_16_a_building_that_jumps_cuts_at_once_and_its_fall_counts_after_60_s():
    world = World(settings(63, 2, meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(10)
    world.begin("c1", "c2")
    world.run(60.5)
    assert world.amps() == [21.5, 21.5]
    world.building_a = [50, 0, 0]
    world.run(1)
    assert world.amps() == [6.5, 6.5]
    world.run(30)
    world.building_a = [20, 0, 0]
    world.run(59)
    assert world.amps() == [6.5, 6.5]
    world.run(3)
    assert world.amps() == [21.5, 21.5]


def test_17_where_not_all_minima_fit_one_is_paused_and_takes_turns():
    world = World(settings(20, 4))
    world.connect()
    world.begin("c1", "c2", "c3", "c4")
    world.run(40)
    assert sorted(world.amps()) == [0, 6.6, 6.6, 6.6]
    charged = dict.fromkeys(("c1", "c2", "c3", "c4"), 0)
    for _ in range(4):
        assert sorted(world.amps()) == [0, 6.6, 6.6, 6.6]
        paused = next(o for o in world.plan.offers if o.offer_ma.l1 == 0)
        assert paused.reason.code == "turn"
        charged[paused.charger] += 1
        world.run(900)
    assert set(charged.values()) == {1}  # every 15 min another


def test_18_in_240_v_split_mode_the_current_is_on_both_legs():
    chargers = [Charger(id=f"c{n}", phases=2, connection="L1-L2") for n in (1, 2)]
    world = World(settings(60, chargers, split_mode="240"))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert [o.offer_ma for o in world.plan.offers] == [Phases(30_000, 30_000, 0)] * 2


def test_19_phases_that_a_car_does_not_use_carry_nothing_after_the_proof():
    world = World(settings(40, [three_phase("c1"), three_phase("c2")]))
    world.connect()
    world.begin("c1", car=Car(phases=(0,)))
    world.begin("c2")
    world.run(25)
    assert world.offer("c1").offer_ma == Phases(20_000, 20_000, 20_000)
    world.run(25)
    assert world.amps() == [20, 20]
    assert world.offer("c1").offer_ma == Phases(20_000, 0, 0)
    assert world.offer("c2").offer_ma == Phases(20_000, 20_000, 20_000)
    assert (world.reason("c1"), world.offer("c2").reason.phase) == ("site_limit", "L1")


def test_20_high_priority_is_served_first():
    chargers = [Charger(id="c1", priority="high"), Charger(id="c2"), Charger(id="c3")]
    world = World(settings(60, chargers))
    world.connect()
    world.begin("c2", "c3", "c1")
    world.run(40)
    assert world.amps("c1", "c2", "c3") == [32, 14, 14]
    assert "lower_priority" in {c.code for c in world.offer("c2").ceilings}
