"""An offer as charging profiles: balancing.md 4, Telling the chargers, form by form."""

from __future__ import annotations

import decimal
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from ocpp.messages import MessageType
from tools.world.schemas import validator

from linkray.charger.measured import Wiring
from linkray.charger.profiles import (
    START_PAST_S,
    Ability,
    Form,
    Session,
    cleared,
    fallback_ma,
    profile,
    rate_units,
)
from linkray.charger.quirks import PLAIN, Quirk
from linkray.model.plan import Offer, Reason
from linkray.model.settings import Charger
from linkray.model.units import Phases
from linkray.ocpp.messages import CsChargingProfiles, encode

UTC_NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
CHARGER = Charger("C1")
SESSION = Session(17, 100.4)
WIRING = Wiring()
FAIR = Reason("fair_share")


def offer(limit_ma: int = 16_600, connector: int = 1, limit_w: int | None = None) -> Offer:
    return Offer("C1", connector, Phases.each(limit_ma), None, FAIR, (), 1, limit_ma, limit_w)


def forms(
    told: Offer | None = None,
    charger: Charger = CHARGER,
    session: Session | None = SESSION,
    ability: Ability | None = None,
    quirk: Quirk = PLAIN,
    dead_man_s: int = 180,
    **more: Any,
) -> tuple[Form, ...]:
    return profile(
        told if told is not None else offer(),
        charger,
        session=session,
        ability=ability or Ability(stack_level_max=8),
        quirk=quirk,
        dead_man_s=dead_man_s,
        utc=UTC_NOW,
        **more,
    )


def keys(found: tuple[Form, ...]) -> list[str]:
    return [form.key for form in found]


def the(found: tuple[Form, ...], key: str) -> CsChargingProfiles:
    form = next(form for form in found if form.key == key)
    return form.calls[0].cs_charging_profiles


def periods(one: CsChargingProfiles) -> list[tuple[int, float]]:
    return [(p.start_period, p.limit) for p in one.charging_schedule.charging_schedule_period]


# the first form


def test_the_first_form_is_a_relative_tx_profile_of_two_periods() -> None:
    first = forms()[0]
    assert json.loads(encode(first.calls[0])) == {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 11,
            "stackLevel": 8,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "transactionId": 17,
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 16.6, "numberPhases": 1},
                    {"startPeriod": 281, "limit": 0.0, "numberPhases": 1},
                ],
            },
        },
    }
    assert first.leased
    assert first.key == "TxProfile/Relative/A/2"


def test_without_a_transaction_it_is_a_tx_default_profile_of_the_dead_man_time() -> None:
    first = forms(session=None)[0]
    one = first.calls[0].cs_charging_profiles
    assert first.key == "TxDefaultProfile/Relative/A/2"
    assert one.transaction_id is None
    assert periods(one) == [(0, 16.6), (180, 0.0)]
    assert not [key for key in keys(forms(session=None)) if key.startswith("TxProfile")]


@pytest.mark.parametrize(("age_s", "starts"), [(0.0, 180), (0.2, 181), (3600.0, 3780)])
def test_a_relative_profiles_second_period_begins_at_the_transactions_age_and_dead_man(
    age_s: float, starts: int
) -> None:
    found = forms(session=Session(17, age_s))
    assert periods(the(found, "TxProfile/Relative/A/2"))[1][0] == starts
    assert periods(the(found, "TxDefaultProfile/Relative/A/2"))[1][0] == starts
    arrives = Quirk(relative_from_start=False)
    assert periods(forms(session=Session(17, age_s), quirk=arrives)[0].calls[0]
                   .cs_charging_profiles)[1][0] == 180  # fmt: skip


def test_an_absolute_schedule_starts_a_few_seconds_past_and_its_lease_ends_from_now() -> None:
    one = the(forms(), "TxProfile/Absolute/A/2")
    assert one.charging_schedule.start_schedule == "2026-01-02T03:04:00Z"
    assert periods(one) == [(0, 16.6), (180 + START_PAST_S, 0.0)]
    away = timezone(timedelta(hours=10))
    elsewhere = profile(offer(), CHARGER, session=SESSION, ability=Ability(), dead_man_s=180,
                        utc=UTC_NOW.astimezone(away))  # fmt: skip
    assert the(elsewhere, "TxProfile/Absolute/A/2").charging_schedule.start_schedule == (
        "2026-01-02T03:04:00Z"
    )


@pytest.mark.parametrize("two_periods", [True, False])
@pytest.mark.parametrize("session", [SESSION, None])
@pytest.mark.parametrize(
    ("off_s", "falls_to"), [(0.0, 6), (None, 0), (3600.0, 0), (-60.0, 0)]
)  # fmt: skip
def test_inv_1_by_a_clock_that_is_not_right_an_absolute_schedule_falls_to_no_more_than_its_offer(
    off_s: float | None, falls_to: int, session: Session | None, two_periods: bool
) -> None:
    """Any of its periods may be in force at once, also while it is renewed."""
    quirk = Quirk(kind="Absolute", zero="stays", two_periods=two_periods)
    found = forms(offer(0), session=session, quirk=quirk, clock_off_s=off_s)
    ends = [form for form in found if form.falls]
    assert ends
    for form in ends:
        limits = [p for call in form.calls for p in periods(call.cs_charging_profiles)]
        assert [limit for _, limit in limits] == [0, falls_to]
        assert not form.steady, "renewed: by then its clock may be known"


def test_what_an_absolute_schedule_falls_to_below_its_offer_is_told_by_any_clock() -> None:
    [form, *_] = forms(offer(16_000), quirk=Quirk(kind="Absolute", zero="stays"))
    assert [limit for _, limit in periods(form.calls[0].cs_charging_profiles)] == [16, 6]


@pytest.mark.parametrize(
    ("off_s", "leased"), [(None, False), (0.0, True), (-5.0, True), (5.1, False), (-60.0, False)]
)
def test_an_absolute_profile_is_a_lease_only_on_a_clock_that_is_right(
    off_s: float | None, leased: bool
) -> None:
    for form in forms(clock_off_s=off_s):
        _, kind, _, shape = form.key.split("/")[:4]
        assert form.leased is (shape != "1" and (kind == "Relative" or leased))


# amounts


@pytest.mark.parametrize(
    ("limit_ma", "quirk", "told"),
    [
        (16_699, PLAIN, 16.6), (16_000, PLAIN, 16.0), (0, PLAIN, 0.0), (6_000, PLAIN, 6.0),
        (16_999, Quirk(step_ma=1000), 16.0),
        (17_000, Quirk(steps_ma=(6000, 8000, 10_000, 13_000, 16_000)), 16.0),
        (12_999, Quirk(steps_ma=(6000, 8000, 10_000, 13_000, 16_000)), 10.0),
        (5_999, Quirk(steps_ma=(6000, 8000)), 0.0),
        (7_000, Quirk(min_ma=8_000), 0.0), (8_000, Quirk(min_ma=8_000), 8.0),
    ],
)  # fmt: skip
def test_amps_are_rounded_down_to_what_the_charger_can_be_told(
    limit_ma: int, quirk: Quirk, told: float
) -> None:
    for form in forms(offer(limit_ma), quirk=quirk):
        if "/A/" in form.key and "whole" not in form.key:
            assert periods(form.calls[0].cs_charging_profiles)[0] == (0, told)


def test_watts_are_told_in_all_and_in_whole_watts() -> None:
    three = Charger("C1", phases=3, connection="L1-L2-L3", unit="W")
    found = forms(offer(16_000, limit_w=11_039), three)
    assert periods(found[0].calls[0].cs_charging_profiles)[0] == (0, 11_039)
    assert found[0].key == "TxProfile/Relative/W/2"


def test_the_other_unit_is_reckoned_so_that_no_phase_gets_more() -> None:
    three = Wiring(phases=3, connection="L1-L2-L3", voltage_mv=(229_000, 230_000, 231_000))
    charger = Charger("C1", phases=3, connection="L1-L2-L3")
    found = forms(offer(10_050), charger, wiring=three)
    assert periods(the(found, "TxProfile/Relative/W/2"))[0] == (0, 6_934)  # 6,934.5 rounded down
    legs = Wiring(phases=2, connection="L1-L2", voltage_mv=(120_000,) * 3, split_mode="240")
    found = forms(offer(30_000), Charger("C1", phases=2, connection="L1-L2"), wiring=legs)
    assert periods(the(found, "TxProfile/Relative/W/2"))[0] == (0, 7_200)


def test_without_volts_amps_are_not_told_in_watts_unless_they_are_none() -> None:
    assert not [key for key in keys(forms()) if "/W/" in key]
    assert [key for key in keys(forms(offer(0))) if "/W/" in key]


def test_a_charger_in_kilowatts_is_never_told_amps() -> None:
    dc = Charger("C1", phases=3, connection="L1-L2-L3", max_w=50_000, unit="W")
    found = forms(offer(60_000, limit_w=40_000), dc, wiring=WIRING)
    assert found
    assert not [key for key in keys(found) if "/A/" in key]
    assert "numberPhases" not in encode(found[0].calls[0]).decode()


@pytest.mark.parametrize(
    ("phases", "connection", "told"), [(1, "L2", 1), (3, "L2-L3-L1", 3), (2, "L1-L2", 1)]
)
def test_number_phases_is_as_connected(phases: Any, connection: Any, told: int) -> None:
    one = forms(charger=Charger("C1", phases=phases, connection=connection))[0].calls[0]
    for period in one.cs_charging_profiles.charging_schedule.charging_schedule_period:
        assert period.number_phases == told
    plain = forms(quirk=Quirk(number_phases=False))[0].calls[0]
    assert b"numberPhases" not in encode(plain)


# the dead-man


@pytest.mark.parametrize(
    ("fallback", "min_ma", "quirk", "expected"),
    [
        (None, UNSET, PLAIN, 0), (10_000, UNSET, PLAIN, 10_000), (0, UNSET, PLAIN, 0),
        (None, UNSET, Quirk(zero="stays"), 6_000), (None, UNSET, Quirk(zero="never"), 6_000),
        (None, 8_000, Quirk(zero="stays"), 8_000),
        (None, UNSET, Quirk(zero="stays", min_ma=9_000), 9_000),
        (0, UNSET, Quirk(zero="stays"), 0), (10_000, UNSET, Quirk(zero="stays"), 10_000),
        (4_000, UNSET, PLAIN, 0), (7_000, 8_000, PLAIN, 0),
    ],
)  # fmt: skip
def test_the_fallback_is_what_is_set_else_0_where_that_resumes_else_the_minimum(
    fallback: int | None, min_ma: Any, quirk: Quirk, expected: int
) -> None:
    charger = Charger("C1", fallback_ma=fallback, min_ma=min_ma)
    assert fallback_ma(charger, quirk) == expected
    first = forms(charger=charger, quirk=quirk)[0].calls[0].cs_charging_profiles
    assert periods(first)[1][1] == expected / 1000


def test_the_fallback_of_a_charger_in_watts_is_in_watts() -> None:
    dc = Charger("C1", phases=3, connection="L1-L2-L3", max_w=50_000, min_w=5_000, unit="W")
    told = offer(60_000, limit_w=40_000)
    stays = forms(told, dc, quirk=Quirk(zero="stays"))
    assert periods(stays[0].calls[0].cs_charging_profiles) == [(0, 40_000), (281, 5_000)]
    both = forms(told, dc, quirk=Quirk(zero="stays", min_w=4_000))  # the higher of the two
    assert periods(both[0].calls[0].cs_charging_profiles)[1][1] == 5_000
    wiring = Wiring(phases=3, connection="L1-L2-L3")
    kept = msgspec.structs.replace(dc, fallback_ma=10_000)
    assert periods(forms(told, kept, wiring=wiring)[0].calls[0].cs_charging_profiles)[1][1] == 6_900
    assert not [form for form in forms(told, kept) if form.leased]  # no volts: only without one


def test_a_charger_that_refuses_two_periods_gets_a_stacked_pair_of_the_same_purpose() -> None:
    form = next(form for form in forms() if form.key == "TxProfile/Relative/A/pair")
    upper, lower = (call.cs_charging_profiles for call in form.calls)
    assert form.leased
    assert (upper.stack_level, lower.stack_level) == (8, 7)
    assert upper.charging_profile_id != lower.charging_profile_id
    assert upper.charging_profile_purpose == lower.charging_profile_purpose == "TxProfile"
    assert periods(upper) == [(0, 16.6)]
    assert upper.charging_schedule.duration == 281
    assert periods(lower) == [(0, 0.0)]
    assert lower.charging_schedule.duration is None
    assert upper.transaction_id == lower.transaction_id == 17


@pytest.mark.parametrize(
    ("ability", "quirk"),
    [(Ability(8, periods_max=1), PLAIN), (Ability(8), Quirk(two_periods=False))],
)
def test_one_known_to_hold_one_period_gets_the_pair_at_once(ability: Ability, quirk: Quirk) -> None:
    found = keys(forms(ability=ability, quirk=quirk))
    assert found[0] == "TxProfile/Relative/A/pair"
    assert not [key for key in found if "/2" in key]


def test_a_pair_needs_a_level_below_its_own() -> None:
    for ability, quirk in ((Ability(0), PLAIN), (Ability(8), Quirk(stack_level=0))):
        assert not [key for key in keys(forms(ability=ability, quirk=quirk)) if "pair" in key]


def test_without_a_dead_man_there_is_one_period_and_no_lease() -> None:
    for form in forms(dead_man_s=0):
        assert not form.leased
        assert len(form.calls) == 1
        one = form.calls[0].cs_charging_profiles
        assert len(periods(one)) == 1
        assert one.charging_schedule.duration is None


# stack levels and ids


def test_levels_and_ids_are_unique_per_connector() -> None:
    ability = Ability(stack_level_max=3, connectors=2)
    for key in ("TxProfile/Relative/A/2", "TxProfile/Relative/A/pair"):
        seen = [
            (call.cs_charging_profiles.charging_profile_id, call.cs_charging_profiles.stack_level)
            for connector in (1, 2)
            for form in forms(offer(connector=connector), ability=ability)
            if form.key == key
            for call in form.calls
        ]
        assert len({one[0] for one in seen}) == len({one[1] for one in seen}) == len(seen)
        assert seen[0][1] == 3


@pytest.mark.parametrize(
    ("ability", "quirk", "connector", "level"),
    [
        (Ability(8), PLAIN, 1, 8), (Ability(8, connectors=2), PLAIN, 2, 7),
        (Ability(0, connectors=2), PLAIN, 2, 0), (Ability(None, connectors=2), PLAIN, 2, 1),
        (Ability(3), Quirk(stack_level_below_max=1), 1, 2),
        (Ability(8), Quirk(stack_level=0), 1, 0),
        (Ability(999), PLAIN, 1, 999),
    ],
)  # fmt: skip
def test_the_level_is_the_chargers_maximum_less_for_each_further_connector(
    ability: Ability, quirk: Quirk, connector: int, level: int
) -> None:
    first = forms(offer(connector=connector), ability=ability, quirk=quirk)[0].calls[0]
    assert first.cs_charging_profiles.stack_level == level


# the ladder


def test_what_is_refused_is_tried_in_the_next_form_in_the_order_of_the_chapter() -> None:
    assert keys(forms(wiring=WIRING)) == [
        "TxProfile/Relative/A/2",
        "TxProfile/Relative/A/pair",
        "TxProfile/Relative/A/1",
        "TxDefaultProfile/Relative/A/2",
        "TxDefaultProfile/Relative/A/pair",
        "TxDefaultProfile/Relative/A/1",
        "TxProfile/Absolute/A/2",
        "TxProfile/Absolute/A/1",
        "TxProfile/Relative/W/2",
        "TxProfile/Relative/W/1",
        "TxProfile/Relative/A/2/whole",
        "TxProfile/Relative/A/1/whole",
        "TxProfile/Relative/A/2/level0",
        "TxDefaultProfile/Absolute/A/2",
        "TxDefaultProfile/Absolute/A/1",
        "TxDefaultProfile/Relative/W/2",
        "TxDefaultProfile/Relative/W/1",
        "TxDefaultProfile/Relative/A/2/whole",
        "TxDefaultProfile/Relative/A/1/whole",
        "TxDefaultProfile/Relative/A/2/level0",
        "ChargePointMaxProfile/Absolute/A/2",
        "ChargePointMaxProfile/Absolute/A/1",
    ]


def test_no_form_is_tried_twice_under_another_name() -> None:
    found = forms(offer(16_000), ability=Ability(stack_level_max=0), wiring=WIRING)
    calls = [form.calls for form in found]
    assert len(calls) == len({encode(c[0]) for c in calls if len(c) == 1}) + sum(
        len(c) > 1 for c in calls
    )
    assert not [key for key in keys(found) if "whole" in key or "level0" in key]


@pytest.mark.parametrize("taken", keys(forms(wiring=WIRING)))
def test_what_a_charger_took_last_is_tried_first(taken: str) -> None:
    found = keys(forms(wiring=WIRING, taken=taken))
    assert found[0] == taken
    assert sorted(found) == sorted(keys(forms(wiring=WIRING)))


def test_whole_amps_that_were_taken_are_found_again_for_an_offer_that_is_whole() -> None:
    taken = "TxProfile/Relative/A/2/whole"
    assert forms(offer(16_000), taken=taken)[0].key == taken
    assert forms(taken="something/else")[0].key == "TxProfile/Relative/A/2"


def test_whole_amps_are_rounded_down_in_both_periods() -> None:
    charger = Charger("C1", fallback_ma=7_900)
    one = the(forms(charger=charger), "TxProfile/Relative/A/2/whole")
    assert periods(one) == [(0, 16.0), (281, 7.0)]


def test_a_charge_point_max_profile_is_absolute_on_connector_0_and_never_for_one_of_two() -> None:
    form = next(form for form in forms() if form.key.startswith("ChargePointMax"))
    assert form.calls[0].connector_id == 0
    assert form.calls[0].cs_charging_profiles.charging_schedule.start_schedule is not None
    two = forms(ability=Ability(8, connectors=2))
    never = forms(quirk=Quirk(charge_point_max=False))
    assert not [key for key in keys(two) + keys(never) if "Max" in key]


@pytest.mark.parametrize(
    ("said", "first"),
    [((), "A"), (("A",), "A"), (("W",), "W"), (("A", "W"), "A"), (("W", "A"), "A")],
)
def test_the_unit_a_charger_says_it_knows_seeds_the_order_only(said: Any, first: str) -> None:
    found = keys(forms(ability=Ability(8, rate_units=said), wiring=WIRING))
    assert f"/{first}/" in found[0]
    assert {"/A/" in key for key in found} == {True, False}


def test_quirks_narrow_the_ladder() -> None:
    found = keys(forms(quirk=Quirk(rate_unit="A"), wiring=WIRING))
    assert not [key for key in found if "/W/" in key]
    found = keys(forms(quirk=Quirk(rate_unit="W"), wiring=WIRING))
    assert {key.split("/")[2] for key in found} == {"W"}
    found = keys(forms(quirk=Quirk(kind="Absolute", tx_profile=False)))
    assert {tuple(key.split("/")[:2]) for key in found} == {
        ("TxDefaultProfile", "Absolute"), ("ChargePointMaxProfile", "Absolute"),
    }  # fmt: skip
    found = keys(forms(quirk=Quirk(kind="Relative", tx_profile=False, charge_point_max=False)))
    assert {tuple(key.split("/")[:2]) for key in found} == {("TxDefaultProfile", "Relative")}
    for form in forms(quirk=Quirk(connector_zero=True)):
        assert form.calls[0].connector_id == 0
        assert form.purpose != "TxProfile", "none belongs there"
    two = Ability(stack_level_max=8, connectors=2)
    for number in (1, 2):  # there the one's would rule over the other's
        for form in forms(offer(10_000, number), ability=two, quirk=Quirk(connector_zero=True)):
            assert form.calls[0].connector_id == number
    assert not [key for key in keys(forms(quirk=Quirk(step_ma=1000))) if "whole" in key]


def test_a_charger_that_must_not_be_told_0_has_no_form_for_it() -> None:
    assert forms(offer(0), quirk=Quirk(zero="never")) == ()
    assert forms(offer(20_000, limit_w=20_000), Charger("C1", max_w=100_000, unit="W"),
                 quirk=Quirk(zero="never", min_w=25_000)) == ()  # fmt: skip
    assert forms(offer(0), quirk=Quirk(zero="stays"))


def test_what_is_left_there_is_cleared_by_its_ids() -> None:
    ids = [one.id for one in cleared(1, Ability())]
    told = {call.cs_charging_profiles.charging_profile_id for session in (SESSION, None)
            for form in forms(session=session, wiring=WIRING) for call in form.calls}  # fmt: skip
    assert told <= set(ids)
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {one.id for one in cleared(2, Ability())}
    fewer = cleared(1, Ability(connectors=2), Quirk(tx_profile=False))
    assert {one.id for one in fewer} < set(ids)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Current", ("A",)), ("Power", ("W",)), ("Current,Power", ("A", "W")), ("A", ("A",)),
        ("W", ("W",)), ("Power, Current", ("A", "W")), ("current", ("A",)), ("", ()), ("foo", ()),
    ],
)  # fmt: skip
def test_the_units_a_charger_allows_are_read_however_it_says_them(
    text: str, units: tuple[str, ...]
) -> None:
    assert rate_units(text) == units


chargers = st.builds(
    Charger,
    st.just("C1"),
    phases=st.sampled_from([1, 3]),
    connection=st.just("L1"),
    fallback_ma=st.none() | st.integers(0, 32_000),
    min_ma=st.just(UNSET) | st.integers(6_000, 16_000),
)
quirks = st.builds(
    Quirk,
    rate_unit=st.sampled_from([None, "A", "W"]),
    kind=st.sampled_from([None, "Relative", "Absolute"]),
    tx_profile=st.booleans(),
    charge_point_max=st.booleans(),
    stack_level=st.none() | st.integers(0, 3),
    stack_level_below_max=st.integers(0, 2),
    two_periods=st.booleans(),
    number_phases=st.booleans(),
    step_ma=st.sampled_from([100, 1000]),
    steps_ma=st.sampled_from([(), (6000, 8000, 16_000)]),
    min_ma=st.sampled_from([None, 6000, 10_000]),
    zero=st.sampled_from(["pauses", "stays", "never"]),
)
abilities = st.builds(
    Ability,
    st.none() | st.integers(0, 10),
    st.sampled_from([(), ("A",), ("W",), ("A", "W")]),
    st.integers(1, 4),
    st.none() | st.integers(1, 3),
)


@given(st.integers(0, 63_000), st.integers(1, 4), chargers, quirks, abilities, st.integers(0, 600),
       st.none() | st.floats(0, 1e6), st.booleans())  # fmt: skip
def test_every_form_is_law_and_none_says_more_than_the_offer(
    limit_ma: int, connector: int, charger: Charger, quirk: Quirk, ability: Ability,
    dead_man_s: int, age_s: float | None, volts: bool,
) -> None:  # fmt: skip
    wiring = Wiring(phases=charger.phases, connection="L1-L2-L3") if volts else None
    found = profile(
        offer(limit_ma, connector), charger, session=None if age_s is None else Session(1, age_s),
        ability=ability, quirk=quirk, dead_man_s=dead_man_s, utc=UTC_NOW, wiring=wiring,
    )  # fmt: skip
    judge = validator(MessageType.Call, "SetChargingProfile")
    assert len({form.key for form in found}) == len(found)
    for form in found:
        for number, call in enumerate(form.calls):
            written = json.loads(encode(call), parse_float=decimal.Decimal)
            assert not list(judge.iter_errors(written))
            one = call.cs_charging_profiles
            assert one.stack_level >= 0
            in_watts = one.charging_schedule.charging_rate_unit == "W"
            worth = 230 * charger.phases if in_watts else 1
            amounts_ma = (limit_ma, fallback_ma(charger, quirk))
            most = [decimal.Decimal(ma) / 1000 for ma in amounts_ma]
            for (_, told), bound in zip(periods(one), most[number:], strict=False):
                assert told <= bound * worth
            starts = [start for start, _ in periods(one)]
            assert starts == sorted(set(starts))
            assert starts[0] == 0
        assert not (form.leased and dead_man_s == 0)
