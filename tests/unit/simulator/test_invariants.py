"""The checker judges hand-made traces: each invariant with one that breaks it and one that holds.

A checker that never finds anything would pass every run of the simulator; these are its teeth.
"""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.simulator.traces import Trace, single, site, three
from tools.simulator.events import (
    BalancerRestarted,
    FaultBegan,
    FaultEnded,
    LimitsChanged,
    QueuesSeen,
)
from tools.world import Make

from linkray.model import facts
from linkray.model.settings import Exclusion, Group, LimitPhases
from linkray.model.units import Phases

C1, C2 = single("C1"), single("C2")


def pair(limit_a: int = 40, **made: object) -> Trace:
    """Two chargers on L1, each charging with 20 A by a TxProfile that was proved."""
    t = Trace(site(limit_a, C1, C2), {"C1": Make(phases=1, **made), "C2": Make(phases=1)})
    t.charging("C1", "C2", at_a=min(20, limit_a / 2))
    assert not t.broken, t.why()
    return t


# INV-1, INV-3, INV-12


@pytest.mark.parametrize(
    ("told_a", "after_s", "is_found"), [(25, 0.0, False), (25, 0.5, True), (31, 0.0, True)]
)
def test_inv_3_a_raise_that_was_on_its_way_as_the_limit_was_lowered_is_none_too_many(
    told_a: int, after_s: float, is_found: bool,
) -> None:  # fmt: skip
    t = pair(50)
    t.settings_now(site(42, C1, C2))
    t.wait(after_s, dt=0.1)
    t.tell("C1", told_a, transaction=1)

    assert ("INV-3" in t.broken) == is_found, t.why()


def test_inv_3_a_raise_before_the_cut_is_proved_is_found() -> None:
    t = pair(obey_s=4.0)
    t.tell("C1", 10, transaction=1)
    t.wait(1)
    t.tell("C2", 30, transaction=2)

    assert t.broken == {"INV-3"}


def test_inv_3_a_raise_after_the_obey_time_holds() -> None:
    t = pair(obey_s=4.0)
    t.tell("C1", 10, transaction=1)
    t.wait(11)
    t.tell("C2", 30, transaction=2)
    t.wait(30)

    assert not t.broken, t.why()


def test_inv_3_a_raise_after_a_sample_has_proved_the_cut_holds() -> None:
    t = pair(obey_s=4.0)
    t.tell("C1", 10, transaction=1)
    t.wait(2)
    t.says("C1", 9.8)
    t.tell("C2", 30, transaction=2)

    assert not t.broken, t.why()


@pytest.mark.parametrize(
    ("status", "after_s", "is_found"),
    [(None, 2.0, True), (None, 60.0, True), ("Accepted", 2.0, True), ("Accepted", 11.0, False)],
)
def test_inv_3_the_room_of_a_lowered_maximum_is_given_out_when_the_cut_is_proved(
    status: str | None, after_s: float, is_found: bool
) -> None:
    t = pair(40, obey_s=4.0)
    t.settings_now(site(40, single("C1", max_ma=8_000), C2))
    t.tell("C1", 8, transaction=1, status=status)
    t.wait(after_s)
    t.tell("C2", 32, transaction=2)

    assert ("INV-3" in t.broken) is is_found, t.why()


def test_inv_10_who_draws_what_it_took_before_its_maximum_was_lowered_obeys() -> None:
    t = pair(40)
    t.settings_now(site(40, single("C1", max_ma=8_000), C2))
    for _ in range(3):
        t.wait(6)
        t.says("C1", 20)

    assert "INV-10" not in t.broken, t.why()
    assert t.may_ma("C1") == 20_000


def test_inv_3_a_group_between_is_not_forgotten() -> None:
    inner, outer = Group("inner", 20_000, "outer"), Group("outer", 30_000)
    kept = [single(f"C{n}", group="inner" if n == 1 else "outer") for n in (1, 2)]
    t = Trace(site(100, *kept, groups=(outer, inner)))
    t.charging("C1", "C2", at_a=15)
    assert not t.broken, t.why()
    t.tell("C1", 20, transaction=1)

    assert t.broken == {"INV-3"}
    assert t.checker.violations[0].state["node"] == "outer"


def test_inv_1_a_limit_that_was_lowered_must_be_shed() -> None:
    t = pair()
    t.settings_now(site(20, C1, C2))
    t.wait(5)

    assert "INV-1" in t.broken


def test_inv_1_what_is_told_down_within_a_second_holds() -> None:
    t = pair()
    t.settings_now(site(20, C1, C2))
    t.wait(0.5)
    t.tell("C1", 10, transaction=1)
    t.tell("C2", 10, transaction=2)
    t.wait(30)

    assert not t.broken, t.why()


def test_inv_1_nothing_rises_under_a_limit_that_is_passed() -> None:
    t = pair(obey_s=8.0)
    t.settings_now(site(20, C1, C2))
    t.wait(0.5)
    t.tell("C1", 6, transaction=1)
    t.tell("C2", 6, transaction=2)
    t.wait(2)
    t.tell("C2", 10, transaction=2)

    assert t.broken == {"INV-1"}
    assert "passed limit" in t.why()[0]


@pytest.mark.parametrize(("told_a", "is_found"), [(6.9, False), (7.1, True)])
def test_inv_1_what_was_told_in_whole_amps_may_be_told_finer_under_a_passed_limit(
    told_a: float, is_found: bool
) -> None:
    t = pair(obey_s=8.0)
    t.tell("C1", 6, transaction=1)
    t.settings_now(site(20, C1, C2))
    t.tell("C2", 6, transaction=2)
    t.wait(2)
    t.tell("C1", told_a, transaction=1)

    assert ("INV-1" in t.broken) == is_found, t.why()


def test_inv_1_a_lost_charger_without_a_meter_must_be_made_room_for() -> None:
    t = pair()
    t.fact(facts.LinkLost("C2", t.now))
    t.wait(5)

    assert "INV-1" in t.broken


def test_inv_1_room_made_for_a_lost_charger_holds() -> None:
    t = pair()
    t.fact(facts.LinkLost("C2", t.now))
    t.offers.pop(("C2", 1))
    t.tell("C1", 8, transaction=1)
    t.wait(60)

    assert not t.broken, t.why()


def test_c25_a_deleted_charger_counts_in_its_group_while_its_link_stands() -> None:
    tree = site(100, single("C1", group="G"), single("C2", group="G"), groups=(Group("G", 32_000),))
    t = Trace(tree)
    t.charging("C1", "C2", at_a=16)
    t.settings_now(msgspec.structs.replace(tree, chargers=tree.chargers[1:]))
    t.offers.pop(("C1", 1), None)
    t.wait(0.5, dt=0.1)
    t.tell("C2", 32, transaction=2)

    assert t.broken == {"INV-3"}, t.why()


def test_inv_12_after_a_restart_nobody_is_taken_for_what_it_was_told_before() -> None:
    t = pair()
    t.restart()
    t.fact(facts.LinkUp("C1", t.now))
    t.fact(facts.SessionBegan("C1", 1, 1, "TAG", t.now, found=True))
    t.tell("C1", 6, transaction=1)
    t.wait(12)
    t.tell("C1", 20, transaction=1)  # C2 is not back yet: it may draw 32 A

    assert t.broken == {"INV-12"}


def test_c25_one_that_is_not_in_the_settings_counts_as_it_links_and_goes_on_as_it_is_adopted(
) -> None:
    t = Trace(site(40, C1, C2))
    adopted = t.settings
    t.settings = msgspec.structs.replace(adopted, chargers=(C1,))
    t.restart()
    t.link("C1")
    t.fact(facts.LinkUp("C2", t.now))  # deleted while it was away
    t.tell("C2", 0, purpose="TxDefaultProfile", offered=False)
    t.wait(12)
    assert t.may_ma("C2") == 0  # told 0, taken, obeyed

    t.settings = adopted
    t.note(LimitsChanged(t.now, adopted))
    t.fact(facts.SessionBegan("C2", 1, 2, "TAG", t.now))
    t.tell("C2", 8, transaction=2)
    t.wait(12)

    assert t.may_ma("C2") == 8_000
    assert not t.broken, t.why()


# INV-2, INV-4, INV-5: a site with a meter


def metered(limit_a: int = 50, **rest: object) -> Trace:
    t = Trace(site(limit_a, C1, C2, metered=True, **rest))
    t.world.building.ma = (10_000, 10_000, 10_000)
    t.charging("C1", "C2")
    t.metered(10, 10, 10)
    for place, name in enumerate(("C1", "C2"), 1):
        t.tell(name, 10, transaction=place)
        t.plan()
        t.draw(name, 10)
    for _ in range(70):
        t.wait(1.0)
        t.read(30, 10, 10)
    t.says("C1", 10)
    t.says("C2", 10)
    assert not t.broken, t.why()
    return t


def test_inv_2_a_raise_beyond_what_the_meter_leaves_is_found() -> None:
    t = metered()
    t.tell("C1", 32, transaction=1)
    t.plan()

    assert "INV-2" in t.broken


def test_inv_2_a_raise_within_what_the_meter_leaves_holds() -> None:
    t = metered()
    t.tell("C1", 30, transaction=1)
    t.plan()

    assert not t.broken, t.why()


def test_inv_2_what_was_granted_and_is_not_seen_yet_counts() -> None:
    t = metered()
    t.tell("C1", 25, transaction=1)
    t.plan()
    t.wait(1.0)
    t.read(30, 10, 10)
    t.tell("C2", 16, transaction=2)
    t.plan()

    assert "INV-2" in t.broken


@pytest.mark.parametrize("is_read", [False, True])
def test_inv_2_what_came_down_since_the_newest_reading_is_in_it(is_read: bool) -> None:
    t = metered()
    t.tell("C1", 25, transaction=1)
    t.plan()
    t.wait(1.0)
    t.draw("C1", 25)
    t.read(45, 10, 10)
    t.draw("C1", 10)
    if is_read:  # what it was granted and does not draw counts again
        t.read(32, 10, 10)
    t.tell("C2", 14, transaction=2)
    t.plan()

    assert ("INV-2" in t.broken) is is_read, t.why()


def test_inv_2_what_the_building_took_a_moment_ago_is_not_given_out() -> None:
    t = metered()
    t.world.building.ma = (25_000, 10_000, 10_000)
    t.read(45, 10, 10)
    t.world.building.ma = (10_000, 10_000, 10_000)
    for _ in range(30):
        t.wait(1.0)
        t.read(30, 10, 10)
    t.tell("C1", 20, transaction=1)
    t.plan()

    assert t.broken == {"INV-2"}
    assert "60 s" in t.why()[0]


@pytest.mark.parametrize("is_told", [True, False])
def test_inv_2_what_was_read_before_the_meter_was_first_healthy_binds_nobody(
    is_told: bool,
) -> None:
    """balancing.md 1: until then the budget is 0, and nobody knows who draws."""
    t = metered()
    t.restart()
    t.world.building.ma = (25_000, 10_000, 10_000)
    t.read(45, 10, 10)
    t.world.building.ma = (10_000, 10_000, 10_000)
    if is_told:  # else five good polls say so
        t.fact(facts.MeterBack(t.now))
    t.draw("C1", 0)
    t.draw("C2", 0)
    t.charging("C1")
    t.metered(10, 10, 10)
    t.tell("C1", 32, transaction=1)
    t.plan()

    assert "INV-2" not in t.broken, t.why()


def test_inv_2_what_was_read_since_the_meter_was_first_healthy_binds() -> None:
    t = metered()
    t.restart()
    t.draw("C1", 0)
    t.draw("C2", 0)
    t.charging("C1")
    t.world.building.ma = (45_000, 10_000, 10_000)
    t.metered(45, 10, 10)
    t.world.building.ma = (10_000, 10_000, 10_000)
    t.metered(10, 10, 10)
    t.tell("C1", 32, transaction=1)
    t.plan()

    assert "INV-2" in t.broken, t.why()


def test_inv_2_a_reading_of_a_step_ago_holds_who_has_stopped_since() -> None:
    t = metered()
    t.world.building.ma = (12_000, 10_000, 10_000)
    t.wait(0.5)
    t.end("C2", 2)
    del t.offers["C2", 1]
    t.read(32, 10, 10)
    for _ in range(30):
        t.wait(1.0)
        t.read(22, 10, 10)
    t.tell("C1", 32, transaction=1)
    t.plan()

    assert "INV-2" not in t.broken, t.why()


@pytest.mark.parametrize("after_s", [1.0, 3.0])
def test_inv_2_who_has_told_of_its_fall_just_now_may_be_in_the_reading_still(
    after_s: float,
) -> None:
    t = metered()
    t.draw("C2", 0)
    t.wait(2.0)
    t.read(20, 10, 10)
    t.says("C2", 0)
    t.wait(after_s)
    t.world.building.ma = (22_000, 10_000, 10_000)
    t.read(32, 10, 10)
    t.world.building.ma = (10_000, 10_000, 10_000)
    for _ in range(30):
        t.wait(1.0)
        t.read(20, 10, 10)
    t.tell("C1", 24, transaction=1)
    t.plan()

    assert ("INV-2" in t.broken) is (after_s == 3.0), t.why()


def test_inv_2_after_a_minute_it_may_be_given_out() -> None:
    t = metered()
    t.world.building.ma = (25_000, 10_000, 10_000)
    t.read(45, 10, 10)
    t.world.building.ma = (10_000, 10_000, 10_000)
    for _ in range(62):
        t.wait(1.0)
        t.read(30, 10, 10)
    t.tell("C1", 20, transaction=1)
    t.plan()

    assert not t.broken, t.why()


@pytest.mark.parametrize(("gap_s", "released"), [(10.0, {1, 2}), (200.0, set())])
def test_p7_samples_from_before_a_gap_release_no_phase(gap_s: float, released: set[int]) -> None:
    t = Trace(site(100, three("A")))
    t.charging("A", at_a=16)
    for wait_s in (10.0, gap_s, 1.0):
        t.says_phases("A", 16, 0, 0)
        t.wait(wait_s)

    assert t.checker.ledger.posts["A", 1].released == released


def test_inv_4_nothing_rises_on_a_stale_reading() -> None:
    t = metered()
    t.wait(4)
    t.tell("C1", 12, transaction=1)
    t.plan()

    assert t.broken == {"INV-4"}


def test_inv_4_a_default_that_stands_through_a_refused_session_is_no_raise() -> None:
    t = metered()
    t.end("C1", 1)
    t.tell("C1", 6)
    for _ in range(20):
        t.wait(1.0)
        t.read(20, 10, 10)
    t.begin("C1", 3)
    t.offer("C1", 0, session=True)
    t.plan()
    t.end("C1", 3)
    t.wait(4)
    t.offer("C1", 6, session=False)
    t.plan()

    assert "INV-4" not in t.broken, t.why()


def test_inv_4_after_a_failure_nothing_rises_above_the_degraded_limit_for_a_minute() -> None:
    t = metered()
    t.fact(facts.MeterLost(t.now))
    for place, name in enumerate(("C1", "C2"), 1):
        t.tell(name, 0, transaction=place)
        t.draw(name, 0)
    t.plan()
    t.wait(12)
    t.metered(10, 10, 10)
    t.tell("C1", 8, transaction=1)
    t.plan()

    assert "INV-4" in t.broken


def test_inv_5_nothing_rises_with_the_meters_loss() -> None:
    t = metered(degraded_a=50)
    t.fact(facts.MeterLost(t.now))
    t.offer("C1", 12)
    t.plan()

    assert "INV-5" in t.broken


def test_inv_5_what_is_told_again_before_its_cut_is_proved_raises_nothing() -> None:
    t = metered(degraded_a=50)
    t.note(BalancerRestarted(t.now))
    t.tell("C1", 0, transaction=1)
    t.plan()
    t.offer("C1", 10)
    t.plan()

    assert not t.broken, t.why()


def began_again() -> Trace:
    """The box has begun anew beside two that charge; the meter is not read yet."""
    t = Trace(site(70, C1, C2, metered=True, degraded_a=70))
    t.charging("C1", "C2", at_a=6)
    t.restart()
    t.offers.clear()
    t.fact(facts.MeterLost(t.now))
    for place, name in enumerate(("C1", "C2"), 1):
        t.fact(facts.LinkUp(name, t.now))
        t.fact(facts.SessionBegan(name, 1, place, "TAG", t.now, found=True))
    t.plan()
    return t


def test_inv_5_the_first_value_for_one_whose_limits_are_unknown_raises_nothing() -> None:
    t = began_again()
    assert t.may_ma("C1") == 32_000
    t.tell("C1", 6, transaction=1)
    t.plan()

    assert not t.broken, t.why()
    assert t.may_ma("C1") == 32_000


def test_inv_5_beside_one_whose_limits_are_unknown_a_proved_one_does_not_rise() -> None:
    t = began_again()
    t.tell("C2", 6, transaction=2)
    t.plan()
    t.wait(15)
    assert t.may_ma("C2") == 6_000
    t.fact(facts.MeterLost(t.now))
    t.tell("C1", 6, transaction=1)
    t.offer("C2", 10)
    t.plan()

    assert t.broken == {"INV-5"}, t.why()


def test_inv_5b_the_current_of_an_absent_one_goes_to_none_that_sheds_slowly() -> None:
    for obey_s, found in ((8.0, {"INV-5b"}), (1.0, set())):
        slow = {"C1": Make(phases=1, obey_s=obey_s), "C2": Make(phases=1)}
        t = Trace(site(50, C1, C2, metered=True), slow)
        t.charging("C1", at_a=0.0)
        t.tell("C1", 0, transaction=1)
        t.metered(0, 0, 0)
        t.tell("C1", 30, transaction=1)
        t.plan()

        assert t.broken == found, t.why()


@pytest.mark.parametrize("is_seen", [True, False])
def test_inv_5b_one_that_was_fast_counts_as_fast_until_it_is_seen_slower(is_seen: bool) -> None:
    t = Trace(site(50, C1, C2, metered=True), {"C1": Make(phases=1), "C2": Make(phases=1)})
    t.charging("C1", at_a=0.0)
    t.tell("C1", 0, transaction=1)
    t.metered(0, 0, 0)
    t.tell("C1", 20, transaction=1)
    t.metered(20, 0, 0)
    true = t.world.charger("C1")
    true.obey_s = 8.0
    if is_seen:
        t.tell("C1", 0, transaction=1)
        t.metered(20, 0, 0)
        t.metered(20, 0, 0)
        t.says("C1", 20)
    t.tell("C1", 21, transaction=1)
    t.plan()

    assert ("INV-5b" in t.broken) is is_seen, t.why()


def with_a_slow_one() -> Trace:
    """C1, which sheds slowly, and C3 are told 0; C2 is absent."""
    slow = {"C1": Make(phases=1, obey_s=8.0), "C2": Make(phases=1), "C3": Make(phases=1)}
    t = Trace(site(50, C1, C2, single("C3"), metered=True), slow)
    t.charging("C1", "C3")
    t.tell("C1", 0, transaction=1)
    t.tell("C3", 0, transaction=2)
    t.metered(0, 0, 0)
    return t


def test_inv_5b_one_that_links_just_now_is_given_what_the_plan_has_for_it() -> None:
    for amps, is_found in ((16, False), (30, True)):
        t = with_a_slow_one()
        t.fact(facts.LinkUp("C1", t.now))
        t.offer("C1", amps)
        t.offer("C3", 10)
        t.plan()

        assert ("INV-5b" in t.broken) == is_found, t.why()


@pytest.mark.parametrize(("after_s", "is_found"), [(0.5, False), (1.5, True)])
def test_inv_5b_one_that_has_just_ended_its_session_is_told_what_the_plan_has_for_it(
    after_s: float, is_found: bool
) -> None:
    t = with_a_slow_one()
    t.tell("C1", 26, purpose="TxDefaultProfile")
    t.tell("C1", 26, transaction=1)
    t.end("C1", 1)
    t.offer("C1", 0, session=False)
    t.wait(after_s, plans=False)
    t.read(0, 0, 0)
    t.offer("C3", 10)
    t.plan()

    assert ("INV-5b" in t.broken) == is_found, t.why()


# INV-6 to INV-8


def test_inv_6_a_value_that_no_charger_can_be_told_is_found() -> None:
    for limit, phases, why in (
        (5.0, None, "below its minimum"), (40.0, None, "above its maximum"),
        (10.05, None, "amps finer than 0.1 A"), (10.0, 3, "not its number of phases"),
    ):  # fmt: skip
        t = Trace(site(100, C1))
        t.charging("C1")
        t.tell("C1", limit, transaction=1, phases=phases)

        assert f"INV-6 {why}" in t.why(), limit


@pytest.mark.parametrize(
    ("unit", "limit", "is_found"),
    [("W", 1_000, True), ("W", 4_140, False), ("W", 0, False)],
)
def test_inv_6_watts_that_are_less_than_the_minimum_in_amps_are_found(
    unit: str, limit: float, is_found: bool
) -> None:
    t = Trace(site(100, three("C1", unit="W")))
    t.charging("C1")
    t.tell("C1", limit, transaction=1, unit=unit, phases=3)

    assert ("INV-6 below its minimum" in t.why()) is is_found, t.why()


@pytest.mark.parametrize(
    ("amps", "is_found"), [(1.0, True), (6.0, True), (10.0, True), (12.1, False), (0, False)]
)
def test_inv_6_amps_that_are_less_than_the_minimum_in_watts_are_found(
    amps: float, is_found: bool
) -> None:
    t = Trace(site(100, three("C1", max_w=22_000, min_w=8_400)))
    t.charging("C1")
    t.tell("C1", amps, transaction=1, phases=3)

    assert ("INV-6 below its minimum" in t.why()) is is_found, t.why()


def test_inv_6_a_profile_for_another_transaction_is_found() -> None:
    t = Trace(site(100, C1))
    t.charging("C1")
    t.tell("C1", 10, transaction=99)

    assert t.broken == {"INV-6"}


def test_inv_6_what_a_charger_can_be_told_holds() -> None:
    t = Trace(site(100, C1, three("C2")))
    t.charging("C1", "C2")
    for limit in (0, 6, 6.1, 32):
        t.tell("C1", limit, transaction=1, phases=1)
        t.tell("C2", limit, transaction=2, phases=3)
        t.wait(15)

    assert not t.broken, t.why()


def test_inv_7_offers_above_the_ceiling_are_found() -> None:
    t = pair()
    t.fact(facts.CeilingSealed(Phases.each(30_000), t.now))
    t.wait(3)

    assert "INV-7" in t.broken


def test_inv_7_offers_under_the_ceiling_hold() -> None:
    t = pair()
    t.fact(facts.CeilingSealed(Phases.each(30_000), t.now))
    t.tell("C1", 14, transaction=1)
    t.tell("C2", 15, transaction=2)
    t.wait(30)

    assert not t.broken, t.why()


@pytest.mark.parametrize(
    ("session", "must", "can", "is_over"),
    [
        (False, True, True, False), (False, False, False, False),
        (False, False, True, True), (True, True, True, True),
    ],
)  # fmt: skip
def test_inv_7_nothing_lower_can_be_told_to_idle_ones_that_must_or_can_not_be_told_0(
    session: bool, must: bool, can: bool, is_over: bool
) -> None:
    kept = [single(f"C{n}", start_with_zero=not must) for n in (1, 2, 3)]
    t = Trace(site(16, *kept))
    for n, one in enumerate(kept):
        t.fact(facts.ChargerKnown(one.id, t.now, (1,), takes_zero=can))
        t.link(one.id)
        if session and n == 0:
            t.begin(one.id, 1)
        t.tell(one.id, 6, transaction=1 if session and n == 0 else None)
    t.wait(3)

    assert ("INV-7" in t.broken) is is_over, t.why()


def halved(source: str, *, lies: bool = False) -> Trace:
    """It draws 30 A of two phases, nothing of L1, and tells 20 A of each; then the meter fails."""
    settings = site(50, three("C1"), metered=True)
    meter = msgspec.structs.replace(settings.site.meter, on_failure="half")
    t = Trace(msgspec.structs.replace(
        settings, site=msgspec.structs.replace(settings.site, meter=meter)
    ))  # fmt: skip
    t.charging("C1")
    t.metered(10, 10, 10)
    t.tell("C1", 30, transaction=1, phases=3)
    t.plan()
    t.world.charger("C1").connector(1).drawn_ma = (0, 30_000, 30_000)
    if lies:
        t.note(FaultBegan(t.now, "lies", "C1", is_lawful=False))
    t.fact(facts.Drawn("C1", 1, Phases.each(20_000), source, t.now))
    t.metered(10, 40, 40)
    t.fact(facts.MeterLost(t.now))
    t.tell("C1", 10, transaction=1, phases=3)
    t.wait(5)
    return t


def test_inv_7_half_of_what_a_total_was_shared_out_to_be_may_be_offered() -> None:
    assert not halved("total").broken
    assert "INV-7" in halved("phases").broken


def test_inv_7_half_of_what_a_liar_says_may_be_offered() -> None:
    assert "INV-7" not in halved("phases", lies=True).broken


def test_inv_7_half_is_of_what_was_drawn_when_the_meter_failed_not_when_it_was_read() -> None:
    for drawn_a, is_found in ((16, False), (10, True)):
        t = metered()
        site_ = t.settings.site
        meter = msgspec.structs.replace(site_.meter, on_failure="half")
        t.settings_now(msgspec.structs.replace(
            t.settings, site=msgspec.structs.replace(site_, meter=meter)
        ))  # fmt: skip
        t.draw("C1", drawn_a)
        t.tell("C1", 13, transaction=1)
        t.tell("C2", 0, transaction=2)
        t.fact(facts.MeterLost(t.now))
        t.wait(5)
        assert ("INV-7" in t.broken) == is_found, t.why()


def in_the_night(**kept: object) -> Trace:
    night = Exclusion(("Mon",), "22:00", "23:59")
    settings = msgspec.structs.replace(site(60, C1), schedule=(night,))
    t = Trace(settings)
    t.fact(facts.ClockTold(1_781_560_740.0, t.now))  # Monday 2026-06-15, 21:59 UTC
    t.charging("C1", at_a=16)
    return t


def test_inv_7_offers_in_an_excluded_time_are_found() -> None:
    t = in_the_night()
    assert not t.broken, t.why()
    t.wait(60)

    assert t.broken == {"INV-7"}


def test_inv_7_a_pause_in_an_excluded_time_holds() -> None:
    t = in_the_night()
    t.wait(28.0)
    t.tell("C1", 0, transaction=1)
    t.wait(600, dt=1.0)

    assert not t.broken, t.why()


def test_inv_8_who_is_not_told_to_stop_is_found() -> None:
    t = pair()
    t.emergency(on=True)
    t.tell("C1", 0, transaction=1)
    t.wait(4)

    assert t.broken == {"INV-8"}


@pytest.mark.parametrize(
    ("fallback_a", "stack", "is_found"), [(10, 8, True), (10, 7, True), (0, 8, False)]
)
def test_inv_8_a_value_of_a_later_period_or_a_lower_level_is_found_too(
    fallback_a: int, stack: int, is_found: bool
) -> None:
    t = pair()
    t.emergency(on=True)
    t.wait(0.5)
    if stack == 7:  # the lower one of a stacked pair
        t.tell("C1", 0, transaction=1, duration=180)
        t.tell("C1", fallback_a, transaction=1, stack=7, offered=False)
    else:
        t.tell("C1", 0, transaction=1, more=((180, fallback_a),))
    t.stop("C2", 2)
    t.wait(3)

    assert t.broken == ({"INV-8"} if is_found else set()), t.why()


@pytest.mark.parametrize(("fallback_a", "is_found"), [(10, True), (0, False)])
def test_inv_8_what_rises_by_itself_later_is_not_told_to_stop(
    fallback_a: int, is_found: bool
) -> None:
    t = pair()
    t.emergency(on=True)
    t.tell("C1", 0, transaction=1, more=((180, fallback_a),))  # at once: it was on its way
    t.stop("C2", 2)
    t.wait(3)

    assert t.broken == ({"INV-8"} if is_found else set()), t.why()


def test_inv_8_everybody_told_0_or_stopped_holds() -> None:
    t = pair()
    t.emergency(on=True)
    t.tell("C1", 0, transaction=1)
    t.stop("C2", 2)
    t.wait(30)

    assert not t.broken, t.why()


def test_inv_8_a_value_while_stopped_is_found_also_after_a_restart() -> None:
    t = pair(100)
    t.emergency(on=True)
    t.stop("C1", 1)
    t.stop("C2", 2)
    t.restart()
    t.fact(facts.LinkUp("C1", t.now))
    t.fact(facts.SessionBegan("C1", 1, 1, "TAG", t.now, found=True))
    t.wait(1)
    t.tell("C1", 16, transaction=1)

    assert "INV-8" in t.broken


# INV-9: reaction


def test_inv_9_a_sample_over_the_limit_without_a_cut_is_found() -> None:
    t = metered()
    t.world.building.ma = (35_000, 10_000, 10_000)
    t.read(55, 10, 10)
    t.wait(1.5)

    assert t.broken == {"INV-9"}


def test_inv_9_a_cut_within_a_second_holds() -> None:
    t = metered()
    t.world.building.ma = (35_000, 10_000, 10_000)
    t.read(55, 10, 10)
    t.wait(0.5)
    for place, name in enumerate(("C1", "C2"), 1):
        t.tell(name, 7, transaction=place)
    t.wait(1.5)
    t.draw("C1", 7)
    t.draw("C2", 7)
    t.read(49, 10, 10)
    t.wait(2)

    assert not t.broken, t.why()


def test_inv_9_wires_over_their_limit_for_too_long_are_found() -> None:
    t = metered()
    t.world.building.ma = (35_000, 10_000, 10_000)
    t.read(55, 10, 10)
    for place, name in enumerate(("C1", "C2"), 1):
        t.tell(name, 7, transaction=place)
    for _ in range(4):
        t.wait(1.0)
        t.read(55, 10, 10)
    assert not t.broken, t.why()
    for _ in range(4):
        t.wait(1.0)
        t.read(55, 10, 10)

    assert t.broken == {"INV-9"}


@pytest.mark.parametrize("pulled", ["C1", "C2"])
def test_inv_9_who_is_cut_off_cannot_be_cut_and_all_others_must_be(pulled: str) -> None:
    t = metered()
    t.note(FaultBegan(t.now, "half_open", pulled, is_lawful=True))
    t.world.building.ma = (45_000, 10_000, 10_000)
    t.read(65, 10, 10)
    for place, name in enumerate(("C1", "C2"), 1):
        t.tell(name, 0, transaction=place, status=None if name == "C1" else "Accepted")
    t.draw("C2", 0)
    for _ in range(8):
        t.wait(1.0)
        t.read(55, 10, 10)

    assert t.broken == (set() if pulled == "C1" else {"INV-9"}), t.why()


@pytest.mark.parametrize("mute", ["C1", "C2", None])
def test_c1_a_fuse_is_warmed_by_who_hears_and_not_by_a_step_on_who_takes_no_call(
    mute: str | None,
) -> None:
    t = metered()
    if mute:
        t.note(FaultBegan(t.now, "mute", mute, is_lawful=False))
    t.draw("C1", 15)
    t.draw("C2", 0)
    t.world.building.ma = (49_000, 10_000, 10_000)
    for _ in range(120):
        t.wait(1.0)
        t.read(64, 10, 10)

    assert ("fuse" in t.broken) == (mute != "C1"), t.why()


def growing(step_ma: int, *, obeyed: bool) -> Trace:
    """A building that grows second by second: each cut comes when the next step is there."""
    t = metered()
    told_a = 10.0
    for step in range(1, 11):
        building_ma = 30_000 + 600 + step_ma * step
        t.world.building.ma = (building_ma, 10_000, 10_000)
        for name in ("C1", "C2"):
            t.draw(name, told_a if obeyed else 10)
        t.read(building_ma / 1000 + 2 * (told_a if obeyed else 10), 10, 10)
        told_a = (50_000 - building_ma) // 200 / 10 - (0 if obeyed else 1)
        for place, name in enumerate(("C1", "C2"), 1):
            t.tell(name, told_a, transaction=place)
        t.wait(1.0)
    return t


def test_inv_9_a_building_that_grows_and_grows_gets_its_time_for_each_step() -> None:
    t = growing(600, obeyed=True)

    assert not t.broken, t.why()


def test_inv_9_what_a_step_leaves_over_is_found_under_the_next_one() -> None:
    t = growing(100, obeyed=False)

    assert t.broken == {"INV-9"}


def test_a_failed_meter_excuses_no_more_than_its_degraded_limit() -> None:
    t = metered()
    t.world.building.ma = (45_000, 10_000, 10_000)
    t.wait(20)

    assert "limit" in t.broken, t.why()


def test_a_failed_meter_excuses_no_chargers_beside_those_that_are_gone() -> None:
    """balancing.md 1: the reserves of the absent come off the degraded limit first."""
    t = metered(degraded_a=30)
    t.note(FaultBegan(t.now, "gone_for_long", "C1", True))
    t.fact(facts.LinkLost("C1", t.now))
    t.fact(facts.MeterLost(t.now))
    t.world.building.ma = (30_000, 10_000, 10_000)
    t.draw("C1", 25)
    t.draw("C2", 29)
    t.wait(20)

    assert "limit" in t.broken, t.why()


def test_a_wire_without_a_meter_over_its_limit_is_found() -> None:
    t = pair()
    t.draw("C1", 30)
    t.draw("C2", 20)
    t.wait(5)
    assert not t.broken, t.why()
    t.wait(5)

    assert t.broken == {"limit"}


def beside(wrong: str | None, amps: float) -> Trace:
    """Two in a group of 40 A draw so much each; one of the site does what none may."""
    kept = [single(f"C{n}", group="G" if n < 3 else None) for n in (1, 2, 3)]
    t = Trace(site(200, *kept, groups=(Group("G", 40_000),), metered=wrong is None))
    t.charging("C1", "C2", at_a=20)
    t.note(FaultBegan(t.now, "refuses", wrong, is_lawful=False))
    t.checker.violations.clear()
    t.draw("C1", amps)
    t.draw("C2", 22.5)
    t.wait(20)
    return t


@pytest.mark.parametrize(
    ("wrong", "amps", "is_found"),
    [("C3", 22.5, True), (None, 22.5, True), ("C1", 22.5, False), ("C1", 32.0, False)],
)
def test_an_unlawful_charger_excuses_the_wires_above_it_alone(
    wrong: str | None, amps: float, is_found: bool
) -> None:
    t = beside(wrong, amps)

    assert ("limit" in t.broken) is is_found, t.why()


@pytest.mark.parametrize(("others_a", "is_found"), [(39.0, False), (41.0, True)])
def test_an_unlawful_charger_excuses_no_more_than_its_own_current(
    others_a: float, is_found: bool
) -> None:
    t = pair(40)
    t.note(FaultBegan(t.now, "disobeys", "C1", is_lawful=False))
    t.draw("C1", 32)
    t.draw("C2", others_a)
    t.wait(20)

    assert ("limit" in t.broken) is is_found, t.why()


@pytest.mark.parametrize("is_lied_to", [False, True])
def test_a_meter_that_says_what_is_not_so_excuses_the_wires_that_it_sees(is_lied_to: bool) -> None:
    t = pair(40)
    t.note(FaultBegan(t.now, "stuck" if is_lied_to else "late", None, is_lawful=not is_lied_to))
    t.draw("C1", 25)
    t.draw("C2", 20)
    t.wait(20)

    assert ("limit" in t.broken) is not is_lied_to, t.why()


@pytest.mark.parametrize(("after_s", "is_found"), [(30.0, False), (65.0, True)])
def test_the_wires_are_excused_for_a_minute_after_an_unlawful_charger_obeys_again(
    after_s: float, is_found: bool
) -> None:
    t = pair(40)
    t.note(FaultBegan(t.now, "disobeys", "C1", is_lawful=False))
    t.note(FaultEnded(t.now, "disobeys", "C1"))
    t.wait(after_s)
    t.draw("C1", 25)
    t.draw("C2", 20)
    t.wait(10)

    assert ("limit" in t.broken) is is_found, t.why()


def test_a_fuse_that_comes_near_its_trip_is_found() -> None:
    t = pair()
    for _ in range(40):  # each time for no longer than lawful
        t.draw("C1", 32)
        t.draw("C2", 30)
        t.wait(4)
        t.draw("C1", 20)
        t.draw("C2", 20)
        t.wait(0.5)

    assert t.broken == {"fuse"}


# INV-10, 11, 15, 17


def disobeying() -> Trace:
    t = pair(100)
    t.tell("C1", 10, transaction=1)
    for _ in range(3):
        t.wait(6)
        t.says("C1", 30)
    return t


def test_inv_10_no_ladder_for_one_that_does_not_obey_is_found() -> None:
    t = disobeying()
    for _ in range(4):
        t.wait(10)
        t.says("C1", 30)

    assert {w for w in t.why() if "INV-10" in w} == {
        "INV-10 no alarm for one that does not obey",
        "INV-10 no resend for one that does not obey",
    }


@pytest.mark.parametrize(("once_s", "found_s"), [(1.0, 50), (25.0, 70)])
def test_inv_10_who_was_once_late_has_the_time_that_was_learnt_of_it(
    once_s: float, found_s: int
) -> None:
    t = pair(100)
    true = t.world.charger("C1")
    true.obey_s = once_s
    t.tell("C1", 10, transaction=1)
    t.says("C1", 30)
    true.obey_s = 1.0
    for now_s in range(10, found_s + 10, 10):
        assert "INV-10" not in t.broken, now_s
        t.wait(10)
        t.says("C1", 30)
    assert "INV-10" in t.broken


def test_inv_10_a_ladder_that_ends_too_early_is_found() -> None:
    t = disobeying()
    t.alarm("not_obeying", "C1")
    t.tell("C1", 10, transaction=1)
    t.wait(9)
    t.says("C1", 30)
    t.tell("C1", 0, transaction=1)
    t.wait(25)

    assert "INV-10 no stop for one that does not obey" in t.why()


def test_inv_10_the_fallback_under_a_limit_that_is_told_again_is_no_step_of_the_ladder() -> None:
    t = disobeying()
    t.alarm("not_obeying", "C1")
    t.tell("C1", 10, transaction=1, duration=400)
    t.tell("C1", 0, transaction=1, stack=7, offered=False)
    t.wait(9)
    t.says("C1", 30)
    t.tell("C1", 0, transaction=1)
    t.wait(9)
    t.stop("C1", 1)
    t.wait(3)

    assert "INV-10" not in t.broken, t.why()


def test_inv_10_who_is_told_more_and_draws_no_more_than_that_is_on_no_ladder() -> None:
    t = disobeying()
    t.tell("C1", 32, transaction=1)
    t.wait(30)

    assert "INV-10" not in t.broken, t.why()


def test_inv_10_the_whole_ladder_holds() -> None:
    t = disobeying()
    t.alarm("not_obeying", "C1")
    for step in range(4):
        if step == 2:
            t.stop("C1", 1)
        elif step == 3:
            asked = {"connectorId": 1, "type": "Inoperative"}
            t.answer("C1", t.ask("C1", "ChangeAvailability", asked))
        else:
            t.tell("C1", 10 * (1 - step), transaction=1)
        t.wait(9)
        t.says("C1", 30)

    assert "INV-10" not in t.broken, t.why()


@pytest.mark.parametrize(("amps", "is_over"), [(85.0, False), (91.0, True)])
def test_inv_10_what_may_pass_for_a_loss_is_no_disobedience(amps: float, is_over: bool) -> None:
    kept = three("C1", unit="W", max_ma=None, max_w=100_000, min_ma=None, min_w=4_140)
    t = Trace(site(400, kept), makes={"C1": Make(phases=3, efficiency=0.94)})
    t.charging("C1")
    t.tell("C1", 50_000, transaction=1, unit="W")  # 77.1 A by its efficiency, 85.2 A at 0.85
    for _ in range(6):
        t.wait(10)
        t.says("C1", amps)

    assert ("INV-10" in t.broken) is is_over, t.why()


def test_inv_11_a_gap_between_plans_is_found() -> None:
    t = pair()
    t.wait(2.0, plans=False)

    assert t.broken == {"INV-11"}


def settled(for_s: float, limit_a: int = 40) -> Trace:
    """Two that draw the 20 A they are told, and have done so for so long."""
    t = pair(limit_a)
    for name in ("C1", "C2"):
        t.draw(name, 20)
        t.says(name, 20)
    t.wait(for_s, dt=1.0)
    return t


def test_inv_15_a_change_although_nothing_moved_is_found() -> None:
    t = settled(330)
    t.tell("C1", 20, transaction=1)  # a renewal
    assert not t.broken, t.why()
    t.tell("C1", 18, transaction=1)

    assert t.broken == {"INV-15"}


@pytest.mark.parametrize(("after_s", "is_found"), [(170.0, False), (190.0, True)])
def test_inv_15_offers_are_constant_three_minutes_after_the_newest_input(
    after_s: float, is_found: bool
) -> None:
    t = settled(after_s)
    t.tell("C1", 18, transaction=1)

    assert ("INV-15" in t.broken) is is_found, t.why()


@pytest.mark.parametrize(
    ("before_a", "after_a", "apart_s", "is_found"),
    [(18, 20, 25, True), (18, 20, 35, False), (18, 16, 25, False)],
)
def test_inv_15_under_noise_a_second_change_within_30_s_is_found_but_for_a_cut(
    before_a: float, after_a: float, apart_s: float, is_found: bool
) -> None:
    t = settled(200, 50)
    t.world.building.ma = (1_000, 0, 0)
    t.wait(1)
    t.tell("C1", before_a, transaction=1)
    t.wait(apart_s, dt=1.0)
    t.tell("C1", after_a, transaction=1)

    assert ("INV-15" in t.broken) is is_found, t.why()


@pytest.mark.parametrize("is_offered", [False, True])
def test_inv_15_the_same_offer_in_whole_amperes_is_no_change(is_offered: bool) -> None:
    t = settled(200, 50)
    t.world.building.ma = (1_000, 0, 0)
    t.wait(1)
    t.tell("C1", 20.1, transaction=1)
    t.wait(35, dt=1.0)
    if is_offered:
        t.offer("C1", 20)
        t.plan()
    t.tell("C1", 20, transaction=1, offered=False)
    t.wait(20, dt=1.0)
    t.tell("C1", 20.1, transaction=1)

    assert ("INV-15" in t.broken) is is_offered, t.why()


@pytest.mark.parametrize(("drops", "is_found"), [(True, False), (False, True)])
def test_inv_15_what_a_lost_charger_leaves_is_an_input(drops: bool, is_found: bool) -> None:
    t = settled(10)
    t.fact(facts.LinkLost("C2", t.now))
    t.wait(330, dt=1.0)
    if drops:
        t.draw("C2", 0)
    t.wait(60, dt=1.0)
    t.tell("C1", 18, transaction=1)

    assert ("INV-15" in t.broken) is is_found, t.why()


def fills(t: Trace, from_a: float, to_a: float) -> None:
    """C1 takes a quarter of an ampere less every 80 s."""
    for quarters in range(1, round((from_a - to_a) * 4) + 1):
        t.draw("C1", from_a - quarters / 4)
        t.says("C1", from_a - quarters / 4)
        t.wait(80, dt=1.0)


def with_a_battery_that_fills() -> Trace:
    t = settled(330, 50)
    fills(t, 20, 19)
    return t


def test_inv_15_a_battery_that_fills_is_an_input_and_what_follows_an_offer_is_none() -> None:
    t = with_a_battery_that_fills()
    t.tell("C1", 19, transaction=1)
    t.tell("C2", 21, transaction=2)  # what it leaves
    assert not t.broken, t.why()

    t.wait(301, dt=1.0)  # … and then it stands still
    t.tell("C1", 18, transaction=1)
    assert t.broken == {"INV-15"}


@pytest.mark.parametrize(("told_a", "is_found"), [(17.0, False), (16.0, True)])
def test_inv_15_a_battery_fills_also_across_the_offers_that_others_change(
    told_a: float, is_found: bool
) -> None:
    """Its demand is what it used and the threshold; not less."""
    t = settled(0)
    fills(t, 20.0, 16.0)
    t.tell("C1", 18, transaction=1)  # by its use
    fills(t, 16.0, 15.5)
    t.fact(facts.LinkUp("C2", t.now))
    t.tell("C1", 16.4, transaction=1)  # for somebody who comes …
    t.wait(40, dt=1.0)
    t.tell("C1", 18, transaction=1)  # … and goes
    fills(t, 15.5, 15.0)
    t.wait(190, dt=1.0)
    t.says("C1", 15.0)

    t.tell("C1", told_a, transaction=1)

    assert ("INV-15" in t.broken) is is_found, t.why()


@pytest.mark.parametrize("is_told_less", [True, False])
def test_inv_15_what_a_battery_leaves_may_be_told_to_others_a_moment_before(
    is_told_less: bool,
) -> None:
    t = with_a_battery_that_fills()
    t.offer("C1", 19 if is_told_less else 20)
    t.offer("C2", 21)
    t.plan()
    t.tell("C2", 21, transaction=2)

    assert ("INV-15" in t.broken) is not is_told_less, t.why()


def test_inv_15_a_car_that_draws_a_little_more_and_less_is_constant() -> None:
    t = settled(0)
    for n in range(34):
        t.wait(10, dt=1.0)
        t.says("C1", 19.9 + 0.06 * (n % 2))
    t.tell("C1", 18, transaction=1)
    assert t.broken == {"INV-15"}


def test_inv_15_many_changes_in_an_hour_of_noise_are_found() -> None:
    t = settled(320, 50)
    for n in range(12):
        t.world.building.ma = (1_000 + 1_000 * (n % 2), 0, 0)
        t.wait(60, dt=1.0)
        t.tell("C1", 18 + n % 2, transaction=1)

    assert t.broken == {"INV-15"}
    assert "hour" in t.why()[0]


def beside_a_sleeper() -> Trace:
    t = Trace(site(90, C1, C2, single("C3")))
    t.charging("C1", "C2", "C3", at_a=20)
    for name, amps in (("C1", 20), ("C2", 20), ("C3", 0)):
        t.draw(name, amps)
        t.says(name, amps)
    t.wait(400, dt=1.0)
    t.checker.violations.clear()
    return t


@pytest.mark.parametrize(("turn_after_s", "is_found"), [(None, True), (20.0, False), (70.0, True)])
def test_inv_15_a_sleeper_pardons_what_makes_room_for_its_turn_alone(
    turn_after_s: float | None, is_found: bool
) -> None:
    t = beside_a_sleeper()
    t.tell("C1", 14, transaction=1)
    if turn_after_s is not None:
        t.wait(turn_after_s, dt=1.0)
        t.tell("C3", 6, transaction=3)
    t.wait(70, dt=1.0)

    assert ("INV-15" in t.broken) is is_found, t.why()


@pytest.mark.parametrize(("after_s", "is_found"), [(140.0, False), (160.0, True)])
def test_inv_15_a_sleeper_pardons_what_comes_soon_after_its_turn(
    after_s: float, is_found: bool
) -> None:
    t = beside_a_sleeper()
    t.tell("C3", 6, transaction=3)
    t.wait(after_s, dt=1.0)
    t.tell("C1", 25, transaction=1)
    t.wait(70, dt=1.0)

    assert ("INV-15" in t.broken) is is_found, t.why()


def test_inv_15_who_waits_longer_than_its_turn_is_found() -> None:
    t = pair(12)
    t.tell("C1", 12, transaction=1)
    t.tell("C2", 0, transaction=2)
    t.draw("C1", 12)
    t.checker.violations.clear()
    t.wait(940, dt=2.0)
    assert not [w for w in t.why() if "waits" in w]
    t.wait(60, dt=2.0)

    assert "INV-15 waits for longer than its bound" in t.why()


# Live, Priority


def waiting(limit_a: int, told_a: tuple[float, float]) -> Trace:
    """Two that have charged for a while, told so much for some minutes now."""
    t = pair(limit_a)
    t.wait(400, dt=5.0)
    for place, (name, amps) in enumerate(zip(("C1", "C2"), told_a, strict=True), 1):
        t.tell(name, amps, transaction=place)
        t.draw(name, amps)
    t.checker.violations.clear()
    return t


@pytest.mark.parametrize(
    ("other_a", "after_s", "is_found"),
    [(0, 170.0, False), (0, 230.0, True), (20, 900.0, False), (20, 1_000.0, True)],
)
def test_live_one_that_waits_beside_room_has_3_min_or_the_time_of_a_turn_where_others_charge(
    other_a: float, after_s: float, is_found: bool
) -> None:
    t = waiting(60, (0, other_a))
    t.wait(after_s, dt=5.0)

    assert ("Live" in t.broken) is is_found, t.why()


def test_live_the_3_min_begin_when_nobody_charges_any_more() -> None:
    t = waiting(60, (0, 20))
    t.wait(600, dt=5.0)
    t.tell("C2", 0, transaction=2)
    t.draw("C2", 0)
    t.wait(170, dt=5.0)
    assert "Live" not in t.broken, t.why()
    t.wait(60, dt=5.0)

    assert "Live" in t.broken, t.why()


def falls_asleep(t: Trace, *names: str, asleep: bool = True) -> None:
    for name in names:
        car = t.world.charger(name).connector(1).car
        assert car is not None
        car.asleep = asleep


@pytest.mark.parametrize(
    "cause",
    ["no room", "one charges", "asleep", "was asleep", "stopped", "mute", "others may draw it"],
)
def test_live_who_waits_for_a_cause_holds(cause: str) -> None:
    t = waiting(60, (0, 6 if cause == "one charges" else 0))
    if cause == "asleep":
        falls_asleep(t, "C1", "C2")
    elif cause == "was asleep":
        falls_asleep(t, "C1", "C2")
        t.wait(10, dt=5.0)
        falls_asleep(t, "C1", "C2", asleep=False)
    elif cause == "no room":
        t.settings_now(site(5, C1, C2))
    elif cause == "stopped":
        t.emergency(on=True)
    elif cause == "mute":
        t.tell("C1", 0, transaction=1, status=None)
        t.tell("C2", 0, transaction=2, status=None)
    elif cause == "others may draw it":
        t.fact(facts.LinkLost("C1", t.now))
        t.settings_now(site(40, C1, C2))
    t.wait(400, dt=5.0)

    assert "Live" not in t.broken, t.why()


@pytest.mark.parametrize("is_over", [True, False])
def test_live_nothing_is_offered_while_the_building_alone_is_over_on_any_phase(
    is_over: bool,
) -> None:
    t = metered(60)
    for place, name in enumerate(("C1", "C2"), 1):
        t.tell(name, 0, transaction=place)
        t.draw(name, 0)
    t.checker.violations.clear()
    third_a = 70 if is_over else 40
    t.world.building.ma = (10_000, 10_000, third_a * 1000)
    for _ in range(600):
        t.wait(1.0)
        t.read(10, 10, third_a)

    assert ("Live" in t.broken) is not is_over, t.why()


@pytest.mark.parametrize(
    ("high", "told_a", "uses_a", "is_found"),
    [
        ("C1", (10, 30), 10, True), ("C1", (10, 30), 5, False), ("C1", (31, 9), 31, False),
        ("both", (10, 30), 10, False), (None, (10, 30), 10, False),
    ],
)  # fmt: skip
def test_priority_a_normal_one_that_holds_what_a_high_one_could_use_is_found(
    high: str | None, told_a: tuple[float, float], uses_a: float, is_found: bool
) -> None:
    t = waiting(40, told_a)
    kept = [
        single(name, priority="high" if high in (name, "both") else "normal")
        for name in ("C1", "C2")
    ]
    t.settings_now(site(40, *kept))
    t.draw("C1", uses_a)
    t.wait(200, dt=5.0)

    assert ("Priority" in t.broken) is is_found, t.why()


@pytest.mark.parametrize("cause", ["slept", "ignored raises", ""])
def test_priority_a_high_one_that_took_nothing_is_not_known_to_be_awake_before_its_turn(
    cause: str,
) -> None:
    t = waiting(40, (0, 30))
    kept = [single("C1", priority="high"), single("C2")]
    falls_asleep(t, "C1", asleep=cause == "slept")
    t.world.charger("C1").ignores_raises = cause == "ignored raises"
    t.settings_now(site(40, *kept))
    t.wait(10, dt=5.0)
    falls_asleep(t, "C1", asleep=False)
    t.world.charger("C1").ignores_raises = False
    t.wait(300, dt=5.0)

    assert ("Priority" in t.broken) is (not cause), t.why()


def test_inv_17_a_queue_over_its_maximum_is_found() -> None:
    t = pair()
    t.note(QueuesSeen(t.now, {"inbox": (64, 64)}))
    assert not t.broken
    t.note(QueuesSeen(t.now, {"inbox": (65, 64)}))

    assert t.broken == {"INV-17"}


def test_a_violation_says_where_when_and_what() -> None:
    t = pair(obey_s=4.0)
    t.tell("C1", 10, transaction=1)
    t.wait(1)
    t.tell("C2", 30, transaction=2)
    found = t.checker.violations[0]

    assert (found.seed, found.invariant, found.time) == (7, "INV-3", t.now)
    assert found.state["may_ma"] == 50_000
    assert found.state["limit_ma"] == 40_000
    assert found.state["node"] == "site"


def test_a_sealed_ceiling_lowers_the_sites_limit_in_the_books() -> None:
    t = pair()
    t.settings_now(msgspec.structs.replace(
        t.settings,
        site=msgspec.structs.replace(t.settings.site, limit_ma=LimitPhases(90_000, 0, 0)),
    ))  # fmt: skip
    t.fact(facts.CeilingSealed(Phases(41_000, 41_000, 41_000), t.now))
    t.wait(0.5, dt=0.1)
    t.tell("C1", 25, transaction=1)

    assert "INV-3" in t.broken
