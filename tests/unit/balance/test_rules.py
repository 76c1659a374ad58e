"""The rules of balancing.md and trust.md at the core: each test's name is what must hold."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from tests.unit.balance.balance_world import Car, World, metered, settings

from linkray.balance.balancer import Balancer
from linkray.model.facts import (
    Booted,
    ChargerKnown,
    Drawn,
    EmergencyStopped,
    LinkLost,
    LinkSilent,
    LinkUp,
    MeterBack,
    MeterLost,
    MeterRead,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
    SettingsChanged,
    StatusSeen,
)
from linkray.model.settings import Charger, Group, LimitPhases
from linkray.model.units import Phases


def busy(limit_a: float = 60, cars: int = 2, **kw: object) -> World:
    """A site without a meter at work."""
    world = World(settings(limit_a, cars, **kw))
    world.connect()
    world.begin(*(c.id for c in world.settings.chargers))
    world.run(40)
    return world


def busy_metered(limit_a: float = 63, cars: int = 2, building_a: float = 20, **kw: object) -> World:
    """A site with a meter at the grid at work."""
    world = World(settings(limit_a, cars, meter=metered(**kw)), meter=True)
    world.building_a = [building_a] * 3
    world.connect()
    world.run(10)
    world.begin(*(c.id for c in world.settings.chargers))
    world.run(60.5)
    return world


# -- telling: cuts before raises ---------------------------------------------------------------


def test_a_raise_waits_until_the_cut_that_makes_room_is_proved() -> None:
    world = busy(32, 1)
    assert world.amps() == [32]
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1")
    world.run(12.5)
    world.begin("c2")
    assert world.amps() == [16, 0]
    assert world.reason("c2") == "wait_for_cut"
    assert (world.offer("c2").reason.charger, world.offer("c2").reason.connector) == ("c1", 1)
    world.run(7)  # neither the obey time nor a sample yet
    assert world.amps() == [16, 0]
    world.run(3)  # the obey time of 10 s, or the sample at 20 s
    assert world.amps() == [16, 16]


def test_a_fresh_sample_at_the_new_limit_proves_a_cut_sooner() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1")
    world.run(12.5)
    world.begin("c2")
    world.feed(Drawn("c1", 1, Phases(16_000), "phases", world.now + 0.1))
    world.run(1.5)
    assert world.amps() == [16, 16]


def test_a_sample_alone_proves_nothing() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1")
    world.run(12.5)
    world.silent.add("c1")
    world.begin("c2")
    world.feed(Drawn("c1", 1, Phases(16_000), "phases", world.now + 0.1))
    world.run(5)
    assert world.amps() == [16, 0]


def test_a_newcomer_gets_at_once_what_is_free() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.begin("c1")
    world.run(20)
    world.begin("c2")
    assert world.amps() == [30, 28]  # the rest when c1's cut is proved
    world.run(25)
    assert world.amps() == [30, 30]


def test_a_cut_is_urgent_and_goes_out_in_the_plan_that_finds_it() -> None:
    world = busy(60, 2)
    world.feed(SettingsChanged(settings(40, 2)))
    first = [o for _, _, o in world.sent[-2:]]
    assert [o.limit_ma for o in first] == [20_000, 20_000]
    assert all(o.urgent for o in first)


def test_raises_are_10_s_apart_and_at_least_1_a() -> None:
    world = busy(40, 2)
    assert world.amps() == [20, 20]
    told = len(world.sent)
    world.feed(SettingsChanged(settings(41, 2)))
    world.run(30)
    assert len(world.sent) == told  # half an amp is not worth a profile
    world.feed(SettingsChanged(settings(44, 2)))
    assert world.amps() == [22, 22]
    world.feed(SettingsChanged(settings(50, 2)))
    assert world.amps() == [22, 22]
    assert world.reason("c1") == "raise_hold"
    world.run(9.5)
    assert world.amps() == [22, 22]
    world.run(0.6)
    assert world.amps() == [25, 25]


def test_a_raise_of_less_than_1_a_goes_out_where_it_reaches_the_demand() -> None:
    world = busy(31.2, 1)
    assert world.amps() == [31.2]
    world.feed(SettingsChanged(settings(31.9, 1)))
    world.run(20)
    assert world.amps() == [31.2]
    world.feed(SettingsChanged(settings(32, 1)))
    assert world.amps() == [32]


def test_identical_offers_are_not_sent_again() -> None:
    world = busy(60, 2)
    told = len(world.sent)
    world.run(600)
    assert len(world.sent) == told


def test_c1_a_cut_that_is_never_answered_is_sent_again_and_then_its_maximum_is_reserved() -> None:
    world = busy(60, 2)
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(50, 2)))
    assert world.amps() == [25, 25]
    tries = [o.id for _, key, o in world.sent if key[0] == "c1"][-1:]
    for _ in range(2):
        world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "unknown", world.now))
        world.run(3)
        tries.append(world.offer("c1").id)
    assert len(set(tries)) == 3
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "unknown", world.now))
    world.run(25)
    assert world.plan.reserved_ma.l1 == 32_000
    assert world.amps("c2") == [18]


def test_inv_1_a_cut_takes_back_a_raise_that_may_never_have_arrived_as_a_whole() -> None:
    world = World(settings(60, 3))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(40)
    assert world.amps() == [20, 20, 20]
    world.silent.add("c2")
    world.end("c3")
    world.run(15)
    assert world.amps("c1", "c2") == [30, 30]
    world.feed(SettingsChanged(settings(50, 3)))
    assert world.amps("c1", "c2") == [25, 20]


@pytest.mark.parametrize(("lost", "left"), [("c2", [8, 28]), ("c3", [0, 32])])
def test_inv_1_under_a_passed_limit_no_unanswered_raise_is_left_to_be_sent_again(
    lost: str, left: list[float]
) -> None:
    world = World(settings(60, 3, fifo=True))
    world.connect()
    world.begin("c1")
    world.run(1)
    world.begin("c2")
    world.run(1)
    world.begin("c3")
    world.run(40)
    assert world.amps() == [32, 28, 0]
    world.silent.add(lost)
    world.end("c1")
    world.run(15)
    assert world.amps("c2", "c3") == [32, 28]
    world.feed(SettingsChanged(settings(40, 3, fifo=True)))
    assert sorted(world.amps("c2", "c3")) == left


def test_a_reduction_that_is_not_delivered_within_10_s_while_its_limit_is_passed_ends_the_session(
) -> None:
    world = busy(60, 2)
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(30, 2)))
    world.run(5)
    assert not world.offer("c1").stop
    world.run(8)
    assert world.offer("c1").stop


def test_c2_a_refused_offer_leaves_the_old_one_in_the_books_and_raises_a_fault() -> None:
    world = busy(60, 2)
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(50, 2)))
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "rejected", world.now))
    world.run(2)
    assert world.plan.reserved_ma.l1 == 32_000  # not controllable: its maximum, while it charges
    assert ("NOT_CONTROLLABLE", "c1") in world.raised
    assert world.amps("c2") == [18]
    world.end("c1")
    world.run(2)
    assert world.plan.reserved_ma.l1 == 0


# -- obeying ------------------------------------------------------------------------------------


def test_c4_a_charger_that_accepts_and_does_not_obey_is_reserved_told_again_and_stopped() -> None:
    world = busy(60, 2)
    world.deaf.add("c1")
    world.feed(SettingsChanged(settings(50, 2)))
    world.run(21)
    assert ("NOT_OBEYING", "c1") in world.raised
    assert world.plan.reserved_ma.l1 == 32_000
    assert world.amps("c2") == [18]
    assert world.reason("c1") == "charger_fault"
    world.run(12)
    assert world.amps("c1") == [0]
    world.run(10)
    assert world.offer("c1").stop
    world.end("c1")
    world.run(1)
    assert ("NOT_OBEYING", "c1") not in world.raised


def test_a_charger_that_obeys_again_is_trusted_again() -> None:
    world = busy(60, 2)
    world.deaf.add("c1")
    world.feed(SettingsChanged(settings(50, 2)))
    world.run(22)
    assert ("NOT_OBEYING", "c1") in world.raised
    world.deaf.clear()
    world.limit_ma["c1", 1] = 6_000
    world.run(25)
    assert world.raised == {}
    assert world.amps() == [25, 25]


def test_c5_a_charger_that_obeys_late_is_given_its_time_and_nothing_is_handed_out_early() -> None:
    world = busy(60, 2)
    world.obey_s["c1"] = 25.0
    world.run(1)
    world.feed(SettingsChanged(settings(40, 2)))
    world.run(40)
    books = world.core._connectors["c1", 1].books
    assert 25.0 <= books.obey_s <= 40.0
    assert world.raised == {}


def test_c16_a_reboot_makes_every_limit_doubtful_and_its_profile_is_sent_before_any_raise() -> None:
    world = busy(60, 3)
    assert world.amps() == [20, 20, 20]
    world.silent.add("c1")
    told = len(world.sent)
    world.feed(Booted("c1", world.now))
    assert world.sent[told][1] == ("c1", 1)
    assert world.sent[told][2].limit_ma == 20_000
    world.end("c3")
    world.run(5)
    assert world.amps("c2") == [20]  # c1 may draw its maximum: no room is proved
    assert world.reason("c2") == "wait_for_cut"
    world.silent.clear()
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "accepted", world.now))
    world.run(15)
    assert world.amps() == [30, 30]


def test_c22_a_connector_that_faults_leaves_its_share_to_the_other() -> None:
    chargers = [Charger(id="c1", supply_limit_ma=32_000)]
    world = World(settings(100, chargers))
    world.connect(connectors=(1, 2))
    world.begin("c1", connector=1)
    world.begin("c1", connector=2)
    world.run(40)
    assert world.amps() == [16, 16]
    world.feed(StatusSeen("c1", 2, "Faulted", world.now))
    world.run(25)
    assert [o.limit_ma for o in world.plan.offers] == [32_000, 0]
    assert world.plan.offers[1].reason.code == "charger_fault"


def test_c23_a_lost_charger_keeps_its_reserve_until_it_is_deleted() -> None:
    world = busy(60, 2)
    world.lose("c1")
    assert world.amps("c2") == [28]
    world.run(1000)
    assert world.amps("c2") == [28]
    world.feed(SettingsChanged(settings(60, [Charger(id="c2")])))
    world.run(15)
    assert world.amps() == [32]


def test_c24_with_a_meter_only_what_can_be_shed_in_5_s_is_released() -> None:
    world = busy_metered(100, 5, building_a=0)
    world.cars.pop(("c5", 1))  # it stops, and nobody hears of it
    world.lose("c5")
    world.run(70)
    assert world.plan.budget_ma.l1 == 100_000
    assert world.amps("c1", "c2", "c3", "c4") == [17, 17, 17, 17]
    grouped = [Charger(id=f"c{n}", group="G") for n in range(1, 6)]
    world.feed(SettingsChanged(settings(
        100, grouped, groups=(Group("G", 80_000),), meter=metered()
    )))  # fmt: skip
    assert world.amps("c1", "c2", "c3", "c4") == [12, 12, 12, 12]  # a group keeps it all


def test_inv_5b_nothing_is_raised_while_a_silent_one_holds_what_the_absent_may_draw() -> None:
    chargers = [
        Charger("c1", priority="high"), Charger("c2", supply_limit_ma=20_000), Charger("c3"),
    ]  # fmt: skip
    world = World(settings(100, chargers, meter=metered()), meter=True, interval_s=2)
    world.connect()
    world.begin("c1", "c2", "c3")
    for building_a in (45, 80, 45):  # they are seen to obey at once
        world.building_a = [building_a, 0, 0]
        world.run(90)
    assert world.amps() == [32, 11.5, 11.5]
    world.cars["c3", 1].most_ma = 0
    world.cars.pop(("c1", 1))  # it stops, and nobody hears of it
    world.silent.add("c1")
    world.feed(LinkSilent("c1", world.now - 11.0, world.now))
    world.run(3)
    assert world.amps("c1", "c2") == [32, 11.5]

    world.lose("c3")  # the meter sees nothing of its 32 A, nor of those that c1 may draw
    lost_at = world.now
    world.run(20)

    told = [offer.limit_ma for at, (name, _), offer in world.sent if name == "c2" and at >= lost_at]
    assert told
    assert max(told) <= 11_500


# -- start and links ----------------------------------------------------------------------------


def test_eight_chargers_that_connect_at_once_charge_as_soon_as_their_0_a_is_obeyed() -> None:
    world = World(settings(60, 8))
    world.linked |= {c.id for c in world.settings.chargers}
    for charger in world.settings.chargers:
        world.feed(ChargerKnown(charger.id, (1,)), LinkUp(charger.id, world.now),
                   StatusSeen(charger.id, 1, "Available", world.now))  # fmt: skip
    world.begin(*(c.id for c in world.settings.chargers))
    world.run(3)
    assert world.amps() == [0] * 8  # what they were told as they linked is not proved yet (INV-1)
    world.run(9)
    assert world.amps() == [7.5] * 8


def test_cars_found_charging_after_a_restart_are_told_before_anything_is_raised() -> None:
    world = World(settings(60, 3))
    world.linked |= {"c1", "c2", "c3"}
    for name in ("c1", "c2", "c3"):
        world.feed(LinkUp(name, 0.0))
    world.begin("c1", "c2", "c3")
    world.run(0.5)
    assert sum(world.amps()) <= 60
    world.run(30)
    assert world.amps() == [20, 20, 20]


def test_a_connector_without_a_session_is_offered_the_start_up_default() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2", start_with_zero=False)]
    world = World(settings(60, chargers))
    world.connect()
    assert [(o.limit_ma, o.session) for o in world.plan.offers] == [(0, False), (6_000, False)]
    assert [o.reason.code for o in world.plan.offers] == ["no_car", "no_car"]


def test_c7_makes_that_cannot_be_told_0_are_told_their_least_and_block_nobody_with_their_most(
) -> None:
    """us_split, seed 904: ten unknown defaults of 40 A counted for ever, and nobody charged."""
    chargers = [Charger(id=f"c{n}") for n in range(3)]
    world = World(settings(60, chargers))
    for c in chargers:
        world.linked.add(c.id)
        world.feed(ChargerKnown(c.id, (1,), takes_zero=False), LinkUp(c.id, world.now))
        world.feed(StatusSeen(c.id, 1, "Available", world.now))
    world.run(10)
    assert [o.limit_ma for o in world.plan.offers] == [6_000] * 3
    world.begin("c0")
    world.run(30)
    assert world.amps("c0") == [32]


def test_c7_who_took_a_default_of_0_before_its_make_was_known_keeps_it() -> None:
    world = World(settings(60, [Charger(id="c0")]))
    world.connect()
    world.feed(ChargerKnown("c0", (1,), takes_zero=False))
    world.run(10)
    assert world.offer("c0").limit_ma == 0


def test_inv_1_a_default_above_zero_is_reserved_also_where_no_car_is_plugged_in() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2", start_with_zero=False)]
    world = World(settings(36, chargers))
    world.connect()
    world.begin("c1")
    world.run(30)
    assert world.amps("c1") == [30]
    assert world.plan.reserved_ma.l1 == 6_000
    world.feed(StatusSeen("c2", 1, "Preparing", world.now))
    assert world.amps("c1") == [30]


def test_inv_7_a_default_that_is_not_proved_yet_is_not_shared_out_either() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2", start_with_zero=False)]
    world = World(settings(36, chargers))
    world.silent |= {"c1", "c2"}
    world.linked |= {"c1", "c2"}
    world.feed(ChargerKnown("c2", (1,), takes_zero=False), LinkUp("c2", 0.0))
    world.feed(StatusSeen("c2", 1, "Preparing", 0.0))
    world.run(1)
    world.feed(LinkUp("c1", world.now))
    world.begin("c1", found=True)
    world.run(2)  # neither limit is known; what each is told fits beside the other's all the same
    assert world.offer("c2").limit_ma == 6_000
    assert world.amps("c1") == [30]


def test_inv_1_a_default_of_an_idle_connector_takes_nothing_of_a_site_whose_meter_sees_it() -> None:
    chargers = [Charger(id="c1", group="G"), Charger(id="c2", group="G", start_with_zero=False)]
    groups = (Group("G", 36_000),)
    world = World(settings(36, chargers, groups=groups, meter=metered()), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(30)
    assert world.plan.reserved_ma.l1 == 0
    assert world.amps("c1") == [30]  # the group has no meter


def test_a_session_that_ends_frees_its_current_at_once() -> None:
    world = busy(32, 2)
    assert world.amps() == [16, 16]
    world.end("c1")
    world.run(1.1)
    assert world.amps() == [32]


def test_the_lost_link_of_one_is_counted_once_and_it_comes_back_to_its_share() -> None:
    world = busy(60, 2)
    world.lose("c1")
    world.connect("c1")
    world.run(30)
    assert world.amps() == [30, 30]


def test_offer_ids_grow_also_over_a_restart_of_the_balancer() -> None:
    first, second = Balancer(settings(60, 1)), Balancer(settings(60, 1))
    for core, at in ((first, 100.0), (second, 130.0)):
        core.feed_all([LinkUp("c1", at), SessionBegan("c1", 1, 7, "t", at)], at)
    before = first.wake(101.0)[0].offers[0]
    after = second.wake(131.0)[0].offers[0]
    assert after.id > before.id > 0


# -- the meter ----------------------------------------------------------------------------------


@pytest.mark.parametrize("works", [True, False])
def test_m1_no_raise_on_a_reading_older_than_3_s_and_degraded_after_5_s(works: bool) -> None:
    world = busy_metered(building_a=45)
    assert world.amps() == [9, 9]
    world.building_a = [20, 0, 0]
    world.run(57)
    world.meter_on = works
    world.run(4)
    assert not world.plan.degraded
    assert world.plan.building_ma == Phases(20_000)
    assert world.amps() == ([21.5, 21.5] if works else [9, 9])  # nobody has seen the room lately
    world.run(2)
    assert world.plan.degraded is not works
    assert world.amps() == ([21.5, 21.5] if works else [0, 0])


def test_m1_after_a_failure_in_operation_offers_rise_above_the_degraded_only_60_s_later() -> None:
    world = busy_metered(degraded_ma=LimitPhases(15_000, 15_000, 15_000))
    world.meter_on = False
    world.feed(MeterLost(world.now))
    assert world.amps() == [7.5, 7.5]
    world.run(20)
    world.meter_on = True
    world.run(1)
    world.feed(MeterBack(world.now))
    world.run(55)
    assert world.amps() == [7.5, 7.5]
    world.run(20)
    assert world.amps() == [21.5, 21.5]


def test_after_a_failure_what_the_building_took_within_60_s_before_it_is_not_given_out() -> None:
    world = busy_metered(degraded_ma=LimitPhases(40_000, 40_000, 40_000))
    world.building_a = [45, 0, 0]
    world.run(2)
    assert world.amps() == [9, 9]
    world.building_a = [20, 0, 0]
    world.run(2)
    world.meter_on = False
    world.run(6)  # failed: the degraded limit rules …
    world.meter_on = True
    world.run(5)
    assert not world.plan.degraded
    world.run(40)  # … and with the meter what is less of both (balancing.md 1)
    assert world.amps() == [9, 9]
    world.run(12)
    assert world.amps() == [20, 20]


def test_a_meter_that_is_first_read_is_believed_at_once() -> None:
    world = World(settings(63, 1, meter=metered()), meter=True)
    world.connect()
    world.begin("c1")
    world.run(3)
    assert world.amps() == [0]
    world.run(3)  # five good polls
    assert world.amps() == [32]


def test_the_failure_of_the_meter_raises_nothing_also_not_to_the_degraded_limit() -> None:
    world = busy_metered(building_a=45, degraded_ma=LimitPhases(40_000, 40_000, 40_000))
    assert world.amps() == [9, 9]
    world.meter_on = False
    world.feed(MeterLost(world.now))
    assert world.amps() == [9, 9]  # INV-5
    world.run(11)
    assert world.amps() == [20, 20]


def test_under_half_the_degraded_limit_is_the_most_where_it_is_set() -> None:
    world = busy_metered(on_failure="half", degraded_ma=LimitPhases(14_000, 14_000, 14_000))
    world.meter_on = False
    world.feed(MeterLost(world.now))
    assert world.amps() == [7, 7]
    assert world.reason("c1") == "degraded_limit"


def test_under_half_nothing_is_offered_where_nothing_was_drawn() -> None:
    world = World(settings(63, 1, meter=metered(on_failure="half")), meter=True)
    world.connect()
    world.run(10)
    world.meter_on = False
    world.feed(MeterLost(world.now))
    world.begin("c1")
    world.run(60)
    assert world.amps() == [0]


def test_m5_export_on_one_phase_does_not_pay_for_import_on_another_nor_lift_its_own_limit() -> None:
    chargers = [Charger(id="c1"), Charger(id="c2", connection="L2")]
    world = World(settings(20, chargers, meter=metered()), meter=True)
    world.building_a = [-30, 10, 0]
    world.connect()
    world.run(10)
    world.begin("c1", "c2")
    world.run(60)
    assert world.plan.building_ma == Phases(0, 10_000, 0)
    assert world.amps() == [20, 10]


def test_m5_solar_surplus_is_used_on_its_own_phase_where_that_is_switched_on() -> None:
    world = World(settings(20, 1, meter=metered(), use_solar_surplus=True), meter=True)
    world.building_a = [-8, 0, 0]
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(60)
    assert world.amps() == [28]


@pytest.mark.parametrize("volts", [0, 70_000, 300_000])
def test_m7_a_voltage_that_cannot_be_is_ignored(volts: int) -> None:
    charger = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=22_000)
    core = Balancer(settings(63, [charger], meter=metered()))
    for second in range(8):
        core.feed(MeterRead(Phases(), (volts, volts, None), float(second)), float(second))
    assert core._meter.voltage_mv(8.0) == 230_000


def test_m7_watts_become_amps_by_the_lowest_voltage_of_ten_minutes() -> None:
    core = Balancer(settings(63, 1, meter=metered()))
    core.feed(MeterRead(Phases(), (229_000, 221_900, 230_000), 0.0), 0.0)
    core.feed(MeterRead(Phases(), (240_000, 241_000, 242_000), 60.0), 60.0)
    assert core._meter.voltage_mv(70.0) == 221_000
    assert core._meter.voltage_mv(900.0) == 230_000


def test_m8_a_missing_phase_is_degraded_alone_and_three_phase_chargers_follow_the_worst() -> None:
    chargers = [
        Charger(id="c1"), Charger(id="c2", connection="L2"),
        Charger(id="c3", phases=3, connection="L1-L2-L3"),
    ]  # fmt: skip
    degraded = LimitPhases(12_000, 12_000, 12_000)
    world = World(settings(63, chargers, meter=metered(degraded_ma=degraded)), meter=True)
    world.connect()
    world.run(10)
    world.begin("c1", "c2", "c3")
    world.run(40)
    assert world.amps() == [31.5, 31.5, 31.5]
    world.meter_on = False
    for _ in range(20):
        world.run(1)
        world.feed(MeterRead(Phases(63_000, 0, 31_500), (None, None, None), world.now,
                             phases_read=(True, False, True)))  # fmt: skip
    assert world.plan.degraded
    assert world.amps("c2", "c3") == [6, 6]
    assert world.offer("c3").reason.phase == "L2"
    assert world.amps("c1")[0] >= 31.5


def test_b1_a_building_step_over_the_limit_is_answered_in_the_same_step() -> None:
    world = busy_metered()
    told = len(world.sent)
    over = Phases(63_000 + 30_000, 20_000, 20_000)
    world.core.due()
    world.feed(MeterRead(over, (230_000, 230_000, 230_000), world.now))
    assert [o.limit_ma for _, _, o in world.sent[told:]] == [6_500, 6_500]


def test_b2_a_building_alone_over_the_limit_stops_all_and_is_a_fault_after_30_s() -> None:
    world = busy_metered()
    world.building_a = [80, 0, 0]
    world.run(5)
    assert world.amps() == [0, 0]
    assert world.raised == {}
    world.run(35)
    assert ("SITE_OVERLOADED", None) in world.raised
    assert world.reason("c1") == "site_overloaded"
    told = len(world.sent)
    world.run(60)
    assert len(world.sent) == told  # no oscillation
    world.building_a = [20, 0, 0]
    world.run(75)
    assert world.raised == {}
    assert world.amps() == [21.5, 21.5]


@pytest.mark.parametrize("meant", ["start_with_zero", "takes_zero"])
def test_b2_one_that_idles_at_a_default_above_0_hides_no_overload_by_the_building(
    meant: str,
) -> None:
    idle = Charger(id="c2", start_with_zero=meant != "start_with_zero")
    world = World(settings(60, [Charger(id="c1"), idle], meter=metered()), meter=True)
    world.feed(ChargerKnown("c2", (1,), takes_zero=meant != "takes_zero"))
    world.connect("c1")
    world.linked.add("c2")
    world.feed(LinkUp("c2", world.now), StatusSeen("c2", 1, "Available", world.now))
    world.run(10)
    world.begin("c1")
    world.run(120)
    assert (world.amps("c1"), world.offer("c2").limit_ma) == ([32], 6_000)
    world.building_a = [80, 0, 0]
    world.run(25)
    assert world.raised == {}
    world.run(20)
    assert ("SITE_OVERLOADED", None) in world.raised
    assert world.offer("c2").limit_ma == 0
    world.building_a = [0, 0, 0]
    world.run(75)
    assert world.raised == {}


def test_b3_a_square_wave_of_the_building_raises_nothing_until_it_has_rested_60_s() -> None:
    world = busy_metered(building_a=50)
    told = len(world.sent)
    for _ in range(60):
        world.building_a = [20, 0, 0]
        world.run(3)
        world.building_a = [50, 0, 0]
        world.run(3)
    assert len(world.sent) - told <= 4


def test_b4_a_limit_lowered_at_run_time_cuts_in_the_same_step() -> None:
    world = busy(60, 2)
    world.feed(SettingsChanged(settings(20, 2)))
    assert world.amps() == [10, 10]


def test_b5_a_group_below_the_sum_of_minima_pauses_inside_it_and_none_is_below_6_a() -> None:
    chargers = [Charger(id=f"c{n}", group="G") for n in (1, 2, 3)]
    world = World(settings(100, chargers, groups=(Group("G", 13_000),)))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(40)
    assert sorted(world.amps()) == [0, 6.5, 6.5]


def test_b6_nested_groups_and_an_uneven_site_bind_by_the_least() -> None:
    groups = (Group("inner", 50_000, "outer"), Group("outer", 40_000))
    three = Charger(id="c1", phases=3, connection="L1-L2-L3", group="inner", max_ma=63_000)
    world = World(settings((100, 30, 100), [three], groups=groups))
    world.connect()
    world.begin("c1")
    world.run(20)
    assert world.amps() == [30]
    assert (world.reason("c1"), world.offer("c1").reason.phase) == ("site_limit", "L2")
    world.feed(SettingsChanged(settings(100, [three], groups=groups)))
    world.run(12)
    assert world.amps() == [40]
    reason = world.offer("c1").reason
    assert (reason.code, reason.group) == ("group_limit", "outer")


def test_inv_2_no_raise_passes_what_the_meter_itself_leaves() -> None:
    """One charger says nothing of what it draws; it counts as drawing its offer, and does not."""
    chargers = [Charger(id="c1", max_ma=20_000), Charger(id="c2")]
    world = World(settings(63, chargers, meter=metered()))
    world.connect()
    world.begin("c1")
    while world.now < 115:
        world.now += 1
        assumed = Phases(world.offer("c1").limit_ma)
        world.feed(Drawn("c1", 1, assumed, "assumed", world.now),
                   MeterRead(Phases(50_000), (None, None, None), world.now))  # fmt: skip
        world.take(world.core.wake(world.now))
        if world.now > 90 and ("c2", 1) not in world.running:
            assert world.plan.building_ma.l1 < 50_000
            world.begin("c2")
    assert world.plan.budget_ma.l1 - world.offer("c1").limit_ma > 14_000
    assert world.amps("c2") == [13]


def test_the_chargers_own_ramp_is_not_mistaken_for_building() -> None:
    world = World(settings(63, 2, meter=metered()), meter=True)
    world.building_a = [20, 0, 0]
    world.connect()
    world.run(10)
    world.begin("c1")
    world.run(65)
    assert world.plan.building_ma.l1 == 20_000
    assert world.amps() == [32]
    world.end("c1")
    world.run(5)
    world.begin("c2")
    world.run(15)
    assert world.plan.building_ma.l1 == 20_000
    assert world.amps() == [32]


def test_c9_values_that_stop_are_not_taken_for_live_and_its_limit_stays_in_the_books() -> None:
    world = busy_metered(cars=1)
    world.cars.clear()
    world.meter_on = False
    world.cars["c1", 1] = Car()
    for _ in range(40):
        world.now += 1
        world.feed(MeterRead(Phases(52_000, 20_000, 20_000), (None, None, None), world.now))
        world.take(world.core.wake(world.now))
    assert world.offer("c1").drawn_ma is None
    assert world.plan.building_ma.l1 == 52_000  # not subtracted: nobody knows


# -- stop, priority, sleep, demand, calm --------------------------------------------------------


def test_an_emergency_stop_takes_every_offer_to_0_and_ends_every_session() -> None:
    world = busy(60, 3)
    world.feed(EmergencyStopped(True, "page", world.now))
    assert world.amps() == [0, 0, 0]
    assert all(o.stop for o in world.plan.offers)
    assert {o.reason.code for o in world.plan.offers} == {"emergency_stop"}
    assert world.offer("c1").reason.by == "page"
    assert world.raised == {("EMERGENCY_STOP", None): "page"}
    world.run(600)
    assert world.amps() == [0, 0, 0]
    world.feed(EmergencyStopped(False, "page", world.now))
    world.run(15)
    assert world.amps() == [20, 20, 20]
    assert not any(o.stop for o in world.plan.offers)


def test_a_vip_session_is_high_and_high_is_never_paused_for_normal() -> None:
    world = World(settings(13, 3))
    world.connect()
    world.begin("c1", "c2")
    world.run(30)
    assert world.amps() == [6.5, 6.5]
    world.begin("c3", vip=True)
    world.run(30)
    assert world.amps("c3") == [13]
    assert world.amps("c1", "c2") == [0, 0]
    assert world.reason("c1") in ("lower_priority", "turn")
    world.run(2000)
    assert world.amps("c3") == [13]


@pytest.mark.parametrize(("threshold_a", "offered_a"), [(0.5, 12.5), (2, 14), (5, 17), (12, 24)])
def test_a_car_is_offered_what_it_uses_and_the_threshold_that_is_set(
    threshold_a: float, offered_a: float
) -> None:
    world = World(settings(24, 1, reduction_threshold_ma=int(threshold_a * 1000)))
    world.connect()
    world.begin("c1", car=Car(12))
    world.run(75)  # offered since 10 s, seen at 20 s: not before it has shown it for a minute
    assert world.amps() == [24]
    world.run(15)
    assert world.amps() == [offered_a]


def test_a_demand_grows_when_use_comes_within_1_a_of_the_offer() -> None:
    world = World(settings(96, 1, reduction_threshold_ma=5_000))
    world.connect()
    car = Car(12)
    world.begin("c1", car=car)
    world.run(100)
    assert world.amps() == [17]
    car.most_ma = 15_800
    world.run(30)
    assert world.amps() == [17]
    car.most_ma = 16_100
    world.run(11)
    assert world.amps()[0] >= 23


def test_a_car_that_asks_for_more_gets_it_back_in_steps() -> None:
    world = World(settings(96, 1))
    world.connect()
    car = Car(12)
    world.begin("c1", car=car)
    world.run(80)
    assert world.amps() == [14]
    car.most_ma = 32_000
    world.run(11)
    assert world.amps() == [20]
    world.run(30)
    assert world.amps() == [32]


def test_a_sleeping_car_keeps_its_minimum_only_while_no_one_else_needs_it() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1", car=Car(0))
    world.run(30)
    world.feed(StatusSeen("c1", 1, "SuspendedEV", world.now))
    world.run(15)
    assert world.amps("c1") == [6]
    assert world.reason("c1") == "car_not_asking"
    world.begin("c2")
    world.run(30)
    assert world.amps("c1", "c2") == [0, 32]
    world.end("c2")
    world.run(60)
    assert world.amps("c1") == [0]
    world.run(850)
    assert world.amps("c1") == [6]  # woken for a minute every 15
    world.run(62)
    assert world.amps("c1") == [0]


def test_a_car_that_draws_nothing_for_5_min_is_asleep_and_wakes_when_it_draws() -> None:
    world = World(settings(20, 2))
    world.connect()
    car = Car(0)
    world.begin("c1", car=car)
    world.begin("c2")
    world.run(280)
    assert world.amps() == [6, 14]
    world.run(55)
    assert world.amps() == [0, 20]
    world.feed(StatusSeen("c1", 1, "SuspendedEVSE", world.now))
    world.feed(StatusSeen("c1", 1, "Charging", world.now))
    world.run(15)
    assert world.amps()[0] >= 6


def test_a_car_is_woken_for_60_s_from_when_its_minimum_is_in_force() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.begin("c1", car=Car(0))
    world.run(30)
    world.feed(StatusSeen("c1", 1, "SuspendedEV", world.now))
    world.begin("c2")
    world.run(60)
    assert world.amps() == [0, 32]
    world.end("c2")
    world.silent.add("c1")
    while world.offer("c1").limit_ma == 0:
        world.run(1)
        assert world.now < 1200
    world.run(20)
    world.silent.clear()
    world.feed(OfferAnswered("c1", 1, world.offer("c1").id, "accepted", world.now))
    world.run(58)
    assert world.amps("c1") == [6]
    world.run(5)
    assert world.amps("c1") == [0]


def test_a_car_that_is_paused_or_held_short_does_not_ask_for_more_by_that() -> None:
    world = World(settings(40, 2))
    world.connect()
    world.begin("c1", car=Car(8))
    world.begin("c2")
    world.run(100)
    assert world.amps() == [10, 30]
    world.feed(SettingsChanged(settings(11, 2)))
    world.run(15)
    assert 0 in world.amps()
    world.feed(SettingsChanged(settings(40, 2)))
    world.run(100)
    assert world.amps() == [10, 30]


@pytest.mark.parametrize(("cars", "limit_a"), [(3, 50), (16, 150)])
def test_inv_15_under_the_reference_noise_offers_stand(cars: int, limit_a: float) -> None:
    dice = random.Random(7)
    chargers = [
        Charger(id=f"c{n}", connection=("L1", "L2", "L3")[n % 3]) for n in range(1, cars + 1)
    ]
    world = World(settings(limit_a, chargers, meter=metered()), meter=True)
    world.building_a = [30, 25, 20]
    world.connect()
    world.run(10)
    world.begin(*(c.id for c in chargers))

    def noisy(seconds: int) -> None:
        for _ in range(seconds):
            world.building_a = [base + dice.uniform(-2, 2) for base in (30, 25, 20)]
            world.run(1)

    noisy(300)
    told, began = len(world.sent), world.now
    noisy(1800)
    sent = world.sent[told:]
    assert len(sent) <= 10 * cars * (world.now - began) / 3600
    for (before, key, _), (after, _, offer) in pairwise(
        sorted(sent, key=lambda entry: (entry[1], entry[0]))
    ):
        if key == (offer.charger, offer.connector):
            assert after - before >= 30 or offer.urgent
    assert min(world.amps()) > (limit_a - 30 - 2.5) / -(-cars // 3) - 0.2  # and it was not bought


def test_b3_a_square_wave_of_any_pace_costs_few_profiles() -> None:
    for half_s in (1, 2, 5):
        world = busy_metered(building_a=50)
        for second in range(300):
            world.building_a = [20 if second // half_s % 2 else 50, 0, 0]
            world.run(1)
        told = len(world.sent)
        for second in range(1200):
            world.building_a = [20 if second // half_s % 2 else 50, 0, 0]
            world.run(1)
        assert len(world.sent) - told <= 2 * 10 / 3
        assert world.amps() == [6.5, 6.5]


def test_a_pause_is_not_undone_within_60_s() -> None:
    world = busy(14, 2)
    assert world.amps() == [7, 7]
    world.feed(SettingsChanged(settings(11, 2)))
    world.run(15)
    assert sorted(world.amps()) == [0, 11]
    world.feed(SettingsChanged(settings(30, 2)))
    world.run(40)
    assert 0 in world.amps()
    world.run(30)
    assert world.amps() == [15, 15]


def test_a_resume_is_undone_within_60_s_to_protect_a_limit() -> None:
    world = busy(11, 2)
    assert sorted(world.amps()) == [0, 11]
    world.run(70)
    world.feed(SettingsChanged(settings(30, 2)))
    world.run(20)
    assert world.amps() == [15, 15]
    world.feed(SettingsChanged(settings(5, 2)))
    assert world.amps() == [0, 0]


def test_the_longest_charging_is_paused_for_a_newcomer() -> None:
    world = World(settings(13, 3))
    world.connect()
    world.begin("c1")
    world.run(300)
    world.begin("c2")
    world.run(300)
    assert world.amps() == [6.5, 6.5]
    world.begin("c3")
    world.run(30)
    assert world.amps() == [0, 6.5, 6.5]
    assert world.reason("c1") == "turn"


def test_with_building_noise_offers_settle() -> None:
    world = busy_metered(cars=2)
    noise = [1.7, -0.4, 0.9, -1.8, 2.0, -1.1, 0.3, 1.2, -2.0, 0.6, 1.9]
    for second in range(120):
        world.building_a = [20 + noise[second % 11], 0, 0]
        world.run(1)
    told = len(world.sent)
    for second in range(3600):
        world.building_a = [20 + noise[(second * 7) % 11], 0, 0]
        world.run(1)
    assert len(world.sent) - told <= 2 * 10  # INV-15


def test_a_car_that_is_plugged_in_and_has_no_session_takes_no_room() -> None:
    world = World(settings(32, 2))
    world.connect()
    world.run(11)  # what they took as they linked has been obeyed
    world.feed(StatusSeen("c1", 1, "Preparing", world.now))
    world.begin("c2")
    world.run(0.2)
    assert world.amps() == [32]


def test_what_is_drawn_without_a_session_counts_against_the_others() -> None:
    world = World(settings(60, 2))
    world.connect()
    world.run(30)
    for _ in range(3):
        world.run(10)
        world.feed(Drawn("c1", 1, Phases(20_000), "phases", world.now))
    assert ("NOT_OBEYING", "c1") in world.raised
    world.begin("c2")
    world.run(30)
    assert world.amps("c2") == [28]


def test_a_session_that_ends_before_its_status_does_is_over() -> None:
    world = busy(32, 2)
    world.feed(SessionEnded("c1", 1, world.running["c1", 1], world.now))
    world.run(0.2)
    assert world.amps("c2") == [32]


# -- watts --------------------------------------------------------------------------------------


def test_a_charger_in_watts_is_told_whole_watts_within_what_they_may_draw() -> None:
    charger = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=50_000,
                      min_w=5_000)  # fmt: skip
    world = World(settings(40, [charger]))
    world.connect()
    world.begin("c1")
    world.run(20)
    offer = world.offer("c1")
    assert offer.limit_w == math.floor(40 * 3 * 230 * 0.85)
    assert 39_900 <= offer.offer_ma.l1 <= 40_000


def test_b15_a_charger_in_watts_never_goes_below_its_minimum_or_above_its_maximum() -> None:
    charger = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W", max_w=22_000,
                      min_w=8_000)  # fmt: skip
    world = World(settings(100, [charger]))
    world.connect()
    world.begin("c1")
    world.run(20)
    assert world.offer("c1").limit_w == 22_000
    world.feed(SettingsChanged(settings(13, [charger])))
    assert world.offer("c1").limit_w == 0  # 8 kW may draw 13.7 A
    world.run(70)
    world.feed(SettingsChanged(settings(14, [charger])))
    world.run(12)
    assert 8_000 <= world.offer("c1").limit_w <= 8_211


def test_an_ac_charger_in_watts_is_never_told_less_than_6_a() -> None:
    charger = Charger(id="c1", phases=3, connection="L1-L2-L3", unit="W")
    world = World(settings(7, [charger]))
    world.connect()
    world.begin("c1")
    world.run(20)
    assert world.offer("c1").limit_w == 0
    world.feed(SettingsChanged(settings(7.1, [charger])))
    world.run(12)
    assert world.offer("c1").limit_w >= 6 * 230 * 3


# -- odd facts ----------------------------------------------------------------------------------


def test_facts_about_unknown_chargers_change_nothing() -> None:
    world = busy(60, 2)
    before = world.plan.offers
    world.feed(
        Drawn("nobody", 1, Phases(9_000), "phases", world.now),
        SessionBegan("nobody", 1, 9, "t", world.now), LinkLost("nobody", world.now),
        OfferAnswered("c1", 1, 10**9, "accepted", world.now),
        StatusSeen("c1", 65, "Charging", world.now), StatusSeen("c1", 0, "Faulted", world.now),
    )  # fmt: skip
    world.run(20)
    assert world.core.ignored >= 2
    assert world.plan.offers == before


def test_a_connector_that_was_not_known_is_added_when_it_speaks() -> None:
    world = busy(60, 1)
    world.feed(StatusSeen("c1", 2, "Available", world.now))
    world.run(1)
    assert [(o.charger, o.connector) for o in world.plan.offers] == [("c1", 1), ("c1", 2)]


def test_a_link_that_stood_before_its_settings_came_is_not_forgotten() -> None:
    world = World(settings(60, 0))
    world.linked.add("c1")
    world.feed(ChargerKnown("c1", (1,)), LinkUp("c1", 0.0))
    world.settings = settings(60, 1)
    world.feed(SettingsChanged(world.settings), StatusSeen("c1", 1, "Available", 0.0))
    world.begin("c1")
    world.run(2)
    assert world.amps() == [32]


def test_an_end_of_another_transaction_ends_nothing() -> None:
    world = busy(60, 1)
    world.running["c1", 1] = 999
    world.end("c1")
    world.run(2)
    assert world.offer("c1").session


def test_inv3_a_status_of_an_earlier_link_makes_no_room() -> None:
    """While its link was down a car may have come: what it took as it linked is not proved yet."""
    world = busy(40, 2)
    world.end("c2")
    world.run(15)
    world.lose("c2")
    world.run(15)
    before = world.amps("c1")
    assert before == [8]  # c2 may draw its maximum
    world.linked.add("c2")
    world.ids.pop(("c2", 1), None)
    world.feed(LinkUp("c2", world.now))  # and no word of what its connector does
    world.run(8)

    assert world.amps("c1") == before
    world.run(5)
    assert world.amps("c1") == [32]


def test_inv1_others_come_down_for_one_that_answers_nothing() -> None:
    world = busy(60, 3)
    assert world.amps() == [20, 20, 20]
    world.silent.add("c1")
    world.feed(LinkSilent("c1", world.now - 11.0, world.now))
    world.feed(SettingsChanged(settings(45, 3)))
    world.run(1.5)

    assert world.amps("c2", "c3") == [12.5, 12.5]  # c1 keeps its 20 A, whatever it was told


def test_inv9_while_the_meter_is_over_others_soon_come_down_for_one_that_does_not_answer() -> None:
    world = World(settings(63, 3, meter=metered()), meter=True)
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(100)
    assert world.amps() == [21, 21, 21]
    world.silent.add("c1")  # its cable is cut, and at once the building steps
    world.building_a = [24, 0, 0]
    world.run(1.5)
    assert world.amps() == [13, 13, 13]
    world.run(3)

    assert world.amps("c2", "c3") == [9, 9]  # c1 draws its 21 A still
    told = len(world.sent)
    world.run(6)
    assert len([key for _, key, _ in world.sent[told:] if key[0] != "c1"]) == 0


def test_inv9_others_soon_come_down_for_one_that_does_not_answer_below_a_limit_without_meter(
) -> None:  # fmt: skip
    chargers = [Charger(id=f"c{n}", group="Row") for n in (1, 2, 3)]
    world = World(settings(200, chargers, groups=(Group("Row", 60_000),)))
    world.connect()
    world.begin("c1", "c2", "c3")
    world.run(100)
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(200, chargers, groups=(Group("Row", 45_000),))))
    assert world.amps() == [15, 15, 15]
    world.run(4.1)

    assert world.amps("c2", "c3") == [12.5, 12.5]


def test_inv15_no_one_comes_down_for_one_that_answers_late_while_no_limit_carries_too_much() -> (
    None
):
    world = busy(60, 3)
    car = world.cars["c1", 1]
    car.most_ma = 14_000
    world.run(9)  # its value says so, its demand does not yet
    world.silent.add("c1")
    world.feed(SettingsChanged(settings(54, 3)))
    assert world.amps() == [18, 18, 18]
    world.run(9)

    assert world.amps("c2", "c3") == [18, 18]
