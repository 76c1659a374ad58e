"""The checker's own possible sets, rule by rule (trust.md 1, Possible set)."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.unit.simulator.traces import Trace, single, site, three
from tools.simulator.books import Entry, ObeyTime, Possible, Told
from tools.simulator.events import FrameSeen
from tools.world import Make
from tools.world.profiles import read_profile

from linkray.model import facts
from linkray.model.units import Phases

C1 = single("C1")


def one(**made: object) -> Trace:
    t = Trace(site(100, C1), {"C1": Make(phases=1, **made)})
    t.charging("C1")
    return t


def test_rule_1_who_has_just_linked_may_draw_its_maximum() -> None:
    t = Trace(site(100, C1))
    t.fact(facts.LinkUp("C1", 0.0))
    t.begin("C1", 1)

    assert t.may_ma("C1") == 32_000


def test_rule_1_a_reboot_makes_all_it_was_told_unsure() -> None:
    t = one()
    t.tell("C1", 10, transaction=1)
    t.wait(15)
    assert t.may_ma("C1") == 10_000
    t.fact(facts.Booted("C1", t.now))

    assert t.may_ma("C1") == 32_000


def test_rule_2_a_value_counts_before_it_is_answered() -> None:
    t = one()
    t.tell("C1", 16, transaction=1, status=None)

    assert t.may_ma("C1") == 16_000


def test_rule_2_a_value_counts_also_where_its_period_is_over_by_the_chargers_clock() -> None:
    t = one()
    running = t.world.charger("C1").connector(1).transaction
    assert running is not None
    running.began -= 200.0  # it counts from there
    t.tell("C1", 20, transaction=1, more=((180, 0.0),))
    t.wait(15)

    assert t.may_ma("C1") == 20_000


def test_rule_3_an_older_value_leaves_when_the_obey_time_is_over_not_with_the_answer() -> None:
    t = one(obey_s=8.0)
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.tell("C1", 8, transaction=1)

    assert t.may_ma("C1") == 20_000
    t.wait(7.5)
    assert t.may_ma("C1") == 20_000
    t.wait(1.0)
    assert t.may_ma("C1") == 8_000


def test_rule_3_a_fresh_sample_after_the_answer_proves_it_sooner() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.tell("C1", 8, transaction=1)
    t.wait(1)
    t.says("C1", 7.9)

    assert t.may_ma("C1") == 8_000


@pytest.mark.parametrize(("age_s", "is_proved"), [(0.0, True), (2.0, True), (110.0, False)])
def test_c20_a_value_that_its_charger_kept_from_before_the_answer_proves_nothing(
    age_s: float, is_proved: bool
) -> None:
    t = one(obey_s=8.0)
    t.tell("C1", 20, transaction=1)
    t.wait(120)
    t.tell("C1", 8, transaction=1)
    t.wait(3)
    true = t.world.charger("C1")
    value = {"timestamp": true.stamp(true.clock() - age_s), "sampledValue": []}
    said = [2, "v1", "MeterValues", {"connectorId": 1, "meterValue": [value]}]
    t.note(FrameSeen(t.now, "C1", "in", json.dumps(said)))
    t.says("C1", 7.9)

    assert t.may_ma("C1") == (8_000 if is_proved else 20_000)


def test_c5_lateness_counts_once_it_was_seen_and_anew_when_it_was_over() -> None:
    obey = ObeyTime()
    assert obey.counted_s(0.5) == 5.0
    assert obey.counted_s(35.0) == 5.0  # nobody has seen it yet
    obey.is_known_late = True
    assert obey.counted_s(35.0) == 35.0
    assert obey.counted_s(0.5) == 5.0
    assert obey.counted_s(35.0) == 5.0


def test_c5_one_that_only_the_end_of_its_session_brought_down_has_not_shown_how_late_it_obeys() -> (
    None
):
    possible = Possible(32_000)
    possible.obey.is_known_late, possible.over_since = True, 5.0
    possible.session_ended()
    assert possible.obey.counted_s(35.0) == 10.0


def test_rule_3_a_contradicted_proof_is_none() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.tell("C1", 8, transaction=1)
    for _ in range(3):
        t.wait(6)
        t.says("C1", 19.5)

    assert t.may_ma("C1") == 32_000


def test_rule_4_a_refused_value_leaves_alone() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.tell("C1", 30, transaction=1, status="Rejected")

    assert t.may_ma("C1") == 20_000


def test_rule_4_an_unanswered_value_stays_beside_the_old_one() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.tell("C1", 8, transaction=1, status=None)
    t.wait(60)

    assert t.may_ma("C1") == 20_000


def test_rule_5_no_lease_is_credited_while_the_charger_truly_holds_its_value() -> None:
    t = one()
    t.tell("C1", 20, transaction=1, more=((180, 0.0),))
    t.wait(15)
    t.fact(facts.LinkLost("C1", t.now))
    t.world.charger("C1").connector(1).pilot_ma = 20_000
    t.wait(200)

    assert t.may_ma("C1") == 32_000  # nothing in its own book: it truly may


@pytest.mark.parametrize(("proofs", "may_a"), [((), 32), ((True,), 0), ((True, False), 32)])
def test_rule_5_a_lease_is_credited_to_one_on_which_it_was_proven_alone(
    proofs: tuple[bool, ...], may_a: int
) -> None:
    t = one()  # whose own book truly says 0 A
    t.tell("C1", 20, transaction=1, more=((180, 0.0),))
    t.wait(15)
    for is_proven in proofs:
        t.fact(facts.LeaseProven("C1", t.now, is_proven))
    t.fact(facts.LinkLost("C1", t.now))
    true = t.world.charger("C1")
    true.book.install(read_profile(1, {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": {
            "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}]},
    }, true.clock()))  # fmt: skip
    t.wait(200)

    assert t.may_ma("C1") == may_a * 1000


def test_rule_6_a_lost_charger_may_draw_its_maximum() -> None:
    t = one()
    t.tell("C1", 8, transaction=1)
    t.wait(15)
    t.fact(facts.LinkLost("C1", t.now))

    assert t.may_ma("C1") == 32_000


def test_rule_6_a_lowered_maximum_takes_nothing_from_one_that_is_lost() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.settings_now(site(100, single("C1", max_ma=8_000)))
    t.fact(facts.LinkLost("C1", t.now))
    assert t.may_ma("C1") == 20_000

    t.fact(facts.LinkUp("C1", t.now))
    assert t.may_ma("C1") == 8_000  # rule 1: {M}


def test_rule_7_a_phase_is_released_after_three_samples_and_counts_again_with_one() -> None:
    t = Trace(site(100, three("C1")))
    t.charging("C1", at_a=16)
    sums = t.checker.ledger.sums
    for n in range(3):
        assert sums[1] == 16_000, n
        t.says_phases("C1", 15.5, 0.0, 0.0)
        t.wait(10)

    assert sums[:3] == [16_000, 0, 0]
    t.says_phases("C1", 15.5, 2.0, 0.0)
    assert sums[:3] == [16_000, 16_000, 0]


def released() -> Trace:
    """It has shown for half a minute that it uses L1 alone."""
    t = Trace(site(100, three("C1")))
    t.world.charger("C1").keys["MeterValueSampleInterval"].value = "10"
    t.charging("C1", at_a=16)
    for _ in range(3):
        t.says_phases("C1", 15.5, 0.0, 0.0)
        t.wait(10)
    assert t.checker.ledger.sums[:3] == [16_000, 0, 0]
    return t


@pytest.mark.parametrize(("used_a", "total_a"), [(15.5, 15.5), (0.0, 5.2), (15.5, 0.4)])
def test_rule_7_a_total_counts_a_released_phase_again_where_that_truly_carries_it(
    used_a: float, total_a: float
) -> None:
    t = released()
    t.world.charger("C1").connector(1).drawn_ma = (15_500, round(used_a * 1000), 0)
    t.fact(facts.Drawn("C1", 1, Phases.each(round(total_a * 1000)), "total", t.now))

    counts = min(used_a, total_a) > 0.5
    assert t.checker.ledger.sums[:3] == [16_000, 16_000 if counts else 0, 0]


@pytest.mark.parametrize(("after_s", "is_counted"), [(24.0, False), (26.0, True)])
def test_c9_a_released_phase_counts_again_when_its_value_is_stale(
    after_s: float, is_counted: bool
) -> None:
    t = released()  # its value is of ten seconds ago
    t.wait(after_s)

    assert t.checker.ledger.sums[:3] == ([16_000] * 3 if is_counted else [16_000, 0, 0])


def test_an_ended_transaction_takes_its_profiles_along() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.end("C1", 1)
    t.begin("C1", 2)

    assert t.may_ma("C1") == 0  # what rules now is its default


def test_a_default_does_not_replace_what_stands_above_it() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.tell("C1", 8, purpose="TxDefaultProfile")
    t.wait(30)

    assert t.may_ma("C1") == 20_000


def test_the_same_id_replaces_on_whatever_level() -> None:
    t = one()
    t.tell("C1", 20, transaction=1, stack=8, profile=11)
    t.wait(15)
    t.tell("C1", 8, transaction=1, stack=1, profile=11)
    t.wait(15)

    assert t.may_ma("C1") == 8_000


def test_inv_10_what_the_same_id_has_replaced_rules_nobody() -> None:
    t = one()
    t.tell("C1", 6, transaction=1, stack=8, profile=11)
    t.wait(15)
    t.tell("C1", 20, transaction=1, stack=1, profile=11)
    for _ in range(30):
        t.wait(1)
        t.says("C1", 20)

    assert t.broken == set()
    assert t.may_ma("C1") == 20_000


def test_the_lower_of_a_stacked_pair_rules_only_after_the_upper() -> None:
    t = one()
    t.tell("C1", 16, transaction=1, stack=8, duration=180)
    t.tell("C1", 6, transaction=1, stack=7, offered=False)
    t.wait(30)

    assert t.may_ma("C1") == 16_000
    t.wait(200)
    assert t.may_ma("C1") == 16_000  # uncredited: both may be in force


def test_a_clear_takes_a_profile_away() -> None:
    t = one()
    t.tell("C1", 8, transaction=1)
    t.wait(15)
    call = t.ask("C1", "ClearChargingProfile", {"id": 18})
    t.answer("C1", call)
    t.wait(1)

    assert t.may_ma("C1") == 0  # under it lies its default


def test_watts_become_amps_with_what_is_lost_on_the_way() -> None:
    dc = msgspec.structs.replace(three("C1"), unit="W", max_w=50_000)
    t = Trace(site(200, dc), {"C1": Make(units="Power", max_ma=80_000, efficiency=0.9)})
    t.charging("C1")
    t.tell("C1", 20_000, transaction=1, unit="W")

    assert t.may_ma("C1") == 32_207  # 20 kW / (3 · 230 V · 0.9)


def test_a_mean_that_began_before_the_value_proves_and_contradicts_nothing() -> None:
    possible = told(32_000, at=0.0)
    value(possible, "2", 16_000, at=20.0)
    possible.sampled(10_000, 24.0, 24.0, 0.0, over_s=10.0)
    assert possible.top_ma(24.0, in_session=True) == 32_000
    possible.sampled(30_000, 24.0, 24.0, 0.0, over_s=10.0)
    assert possible.over_since is None


def test_rule_1_a_mean_that_began_before_its_link_contradicts_nothing() -> None:
    possible = told(16_000, at=0.0)
    possible.forget(100.0)
    possible.sampled(30_000, 104.0, 104.0, 0.0, over_s=10.0)
    assert possible.over_since is None


def test_an_id_that_is_used_again_after_a_restart_means_the_newest_value() -> None:
    possible = told(32_000, at=0.0)
    value(possible, "1", 10_000, at=50.0)
    possible.prove(70.0, 0.0)
    assert possible.top_ma(70.0, in_session=True) == 10_000


def test_rule_3_what_a_sample_proved_and_a_later_one_contradicts_may_be_all_it_can() -> None:
    possible = told(32_000, at=0.0)
    value(possible, "2", 16_000, at=50.0)
    possible.sampled(10_000, 51.0, 51.0, 0.0)
    assert possible.top_ma(51.0, in_session=True) == 16_000
    possible.sampled(31_500, 58.0, 58.0, 0.0)
    assert possible.top_ma(58.0, in_session=True) == 32_000
    possible.sampled(15_900, 61.0, 61.0, 0.0)
    assert possible.top_ma(61.0, in_session=True) == 16_000


def test_rule_3_a_value_of_the_moment_of_the_answer_contradicts_nothing() -> None:
    t = one()
    t.tell("C1", 20, transaction=1)
    t.wait(15)
    t.end("C1", 1)
    t.tell("C1", 0)
    t.says("C1", 6)
    t.wait(15)

    assert t.may_ma("C1") == 0


def test_the_current_minimum_is_the_lowest_since_what_it_took_newest() -> None:
    possible = told(8_000, at=0.0)
    value(possible, "2", 26_000, at=20.0)
    assert possible.least_ma(in_session=True) == 26_000
    value(possible, "3", 13_000, at=21.0, is_accepted=False)
    assert possible.least_ma(in_session=True) == 13_000


def test_the_current_minimum_of_one_that_is_unknown_is_of_what_it_was_told_since() -> None:
    possible = told(16_000, at=0.0)
    possible.forget(100.0)
    assert possible.least_ma(in_session=True) == 32_000
    value(possible, "2", 0, at=101.0)
    value(possible, "3", 17_000, at=102.0)
    assert possible.least_ma(in_session=True) == 17_000
    value(possible, "4", 11_000, at=103.0, is_accepted=False)
    assert possible.least_ma(in_session=True) == 11_000


def test_a_default_from_before_it_was_unknown_is_no_current_minimum_also_once_a_session_is_proved(
) -> None:
    t = one()
    t.end("C1", 1)
    t.tell("C1", 0)
    t.wait(15)
    t.fact(facts.LinkUp("C1", t.now))
    t.begin("C1", 2)
    t.tell("C1", 16, transaction=2)
    t.wait(15)
    t.end("C1", 2)

    possible = t.checker.ledger.posts["C1", 1].possible
    assert possible.is_unknown is False
    assert possible.least_ma(in_session=False) == 32_000
    t.tell("C1", 6)
    assert possible.least_ma(in_session=False) == 6_000


def test_a_value_within_what_it_took_since_is_no_contradiction_any_more() -> None:
    possible = told(0, at=0.0)
    possible.sampled(17_000, 1.0, 1.0, 0.0)
    assert possible.over_since is not None
    value(possible, "2", 17_000, at=1.5)
    assert possible.over_since is None
    possible.prove(20.0, 0.0)
    assert possible.top_ma(20.0, in_session=True) == 17_000


def test_rule_3_what_was_drawn_before_it_took_anything_since_its_link_contradicts_nothing() -> None:
    possible = told(0, at=0.0)
    possible.forget(100.0)
    possible.sampled(16_000, 150.2, 150.2, 0.0)
    value(possible, "2", 0, at=150.3)
    possible.prove(165.0, 0.0)
    assert possible.top_ma(165.0, in_session=True) == 0
    possible.sampled(16_000, 166.0, 166.0, 0.0)
    value(possible, "3", 0, at=166.5)
    possible.sampled(16_000, 180.0, 180.0, 0.0)
    assert possible.top_ma(180.0, in_session=True) == 32_000


def test_inv_10_who_came_down_late_to_one_limit_has_the_obey_time_of_the_next_one_too() -> None:
    possible = told(15_000, at=0.0)
    value(possible, "2", 11_000, at=20.0)
    for at, ma in ((24.0, 15_000), (38.0, 15_000)):
        possible.sampled(ma, at, at, 28.0)
    value(possible, "3", 0, at=42.0)
    possible.sampled(11_000, 48.0, 48.0, 28.0)
    possible.sampled(11_000, 60.0, 60.0, 28.0)
    assert not possible.is_caught
    assert possible.top_ma(60.0, in_session=True) == 15_000
    possible.sampled(11_000, 72.0, 72.0, 28.0)
    assert possible.is_caught


def test_inv_10_a_lower_value_begins_no_new_time_for_who_is_over_the_older_one_too() -> None:
    possible = told(15_000, at=0.0)
    value(possible, "2", 11_000, at=20.0)
    for at in (24.0, 33.0):
        possible.sampled(15_000, at, at, 28.0)
    value(possible, "3", 0, at=42.0)
    possible.sampled(15_000, 48.0, 48.0, 28.0)
    assert not possible.is_caught
    possible.sampled(15_000, 50.0, 50.0, 28.0)
    assert possible.is_caught


def test_rule_3_the_same_value_once_more_begins_no_new_obey_time() -> None:
    possible = told(32_000, at=0.0)
    obey_s = possible.obey.counted_s(0.0)
    value(possible, "2", 16_000, at=20.0)
    value(possible, "3", 16_000, at=23.0)
    possible.prove(20.1 + obey_s, 0.0)
    assert possible.top_ma(21.0 + obey_s, in_session=True) == 16_000


def test_rule_3_the_same_value_after_a_higher_one_begins_its_own_obey_time() -> None:
    possible = told(32_000, at=0.0)
    obey_s = possible.obey.counted_s(0.0)
    value(possible, "2", 16_000, at=20.0)
    value(possible, "3", 24_000, at=21.0, is_accepted=False)
    value(possible, "4", 16_000, at=23.0)
    possible.prove(20.1 + obey_s, 0.0)
    assert possible.top_ma(21.0 + obey_s, in_session=True) > 16_000
    possible.prove(23.1 + obey_s, 0.0)
    assert possible.top_ma(23.1 + obey_s, in_session=True) == 16_000


def test_rule_3_a_sample_proves_a_cap_that_stands_alone() -> None:
    possible = Possible(32_000)
    for call, ma, at in (("1", 32_000, 0.0), ("2", 23_200, 20.0)):
        possible.issue(
            Told(0, 15, "ChargePointMaxProfile", 0, "A", (0.0,), (ma / 1000,), (1,), False, None,
                 None),
            Entry(call, 15, ma, at),
        )  # fmt: skip
        possible.accepted(call, at)
    assert possible.top_ma(23.0, in_session=True) == 32_000
    possible.sampled(23_200, 23.0, 23.0, 0.0)
    assert possible.top_ma(23.0, in_session=True) == 23_200


def told(ma: int, *, at: float) -> Possible:
    possible = Possible(32_000)
    value(possible, "1", ma, at=at)
    possible.prove(at + 15.0, 0.0)
    return possible


def value(
    possible: Possible, call: str, ma: int, *, at: float, is_accepted: bool = True
) -> None:
    possible.issue(
        Told(1, 11, "TxProfile", 8, "A", (0.0,), (ma / 1000,), (1,), True, None, 1),
        Entry(call, 11, ma, at),
    )
    if is_accepted:
        possible.accepted(call, at)
