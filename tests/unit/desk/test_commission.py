"""The commissioning check, and what the engineering ceiling refuses (balancing.md; B13, W8)."""

from __future__ import annotations

import pytest

from linkray.desk.commission import (
    BuildingSteps,
    breaks_at_sealing,
    breaks_fail_safe,
    check,
    fail_safe_trouble,
    over_ceiling,
)
from linkray.model.failsafe import PLAIN, Make, fail_safe, maximum, on_their_own
from linkray.model.settings import Charger, Group, LimitPhases, Settings, Site
from linkray.model.units import ZERO, Phases

SEALED = Phases.each(80_000)
KEEPS_ON = Make(pauses_at_0=False)


def limits(*amps: int) -> LimitPhases:
    each = amps * 3 if len(amps) == 1 else amps
    return LimitPhases(*(a * 1000 for a in each))


def a_site(*chargers: Charger, limit: int = 60, base: int = 0, groups=(), **rest) -> Settings:
    site = Site(limit_ma=limits(limit), base_load_ma=limits(base), **rest)
    return Settings(site=site, chargers=chargers, groups=groups)


def alone(charger: Charger, make: Make = PLAIN, **rest) -> tuple[int, int, int]:
    return tuple(fail_safe(charger, Site(**rest), make))


# -- what a charger draws on its own ---------------------------------------------------------------


@pytest.mark.parametrize(("charger", "make", "expected"), [
    (Charger("A"), Make(), (0, 0, 0)),
    (Charger("A"), KEEPS_ON, (6_000, 0, 0)),
    (Charger("A"), Make(pauses_at_0=False, min_ma=8_000), (8_000, 0, 0)),
    (Charger("A", fallback_ma=10_000, connection="L2"), Make(), (0, 10_000, 0)),
    (Charger("A", fallback_ma=5_000), KEEPS_ON, (0, 0, 0)),  # below its minimum it is told 0
    (Charger("A", fallback_ma=7_000), Make(min_ma=8_000), (0, 0, 0)),
    (Charger("A", fallback_ma=10_000), Make(connectors=2), (20_000, 0, 0)),
    (Charger("A", phases=3, connection="L2-L3-L1", fallback_ma=6_000), Make(),
     (6_000, 6_000, 6_000)),
    (Charger("A"), Make(steps_down=False), (32_000, 0, 0)),
    (Charger("A", supply_limit_ma=32_000), Make(connectors=2, steps_down=False), (64_000, 0, 0)),
])  # fmt: skip
def test_what_a_charger_draws_on_its_own(charger, make, expected):
    assert alone(charger, make) == expected


def test_watts_on_its_own_are_reckoned_with_the_lowest_efficiency():
    charger = Charger("DC", phases=3, connection="L1-L2-L3", max_w=50_000, min_w=6_900, unit="W")

    assert alone(charger, KEEPS_ON) == (11_765,) * 3  # 6.9 kW / (3 · 230 V · 0.85), upwards
    assert alone(charger, Make(steps_down=False)) == (85_252,) * 3


def test_a_split_phase_charger_draws_on_both_of_its_legs():
    charger = Charger("US", phases=2, connection="L1-L2", fallback_ma=12_000)

    assert alone(charger, split_mode="240") == (12_000, 12_000, 0)


def test_at_most_its_connectors_share_their_supply():
    two = Charger("A", supply_limit_ma=40_000)

    assert maximum(two, Site(), Make(connectors=2)) == Phases(40_000)
    assert on_their_own(a_site(two, base=5), {"A": KEEPS_ON}) == Phases(11_000, 5_000, 5_000)


# -- the site limit under the ceiling --------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True])
def test_w8_a_site_limit_above_the_ceiling_is_refused_with_its_path_and_both_numbers(whole):
    new = a_site(limit=60)
    new = Settings(site=Site(limit_ma=limits(60, 100, 60)))

    refused = over_ceiling(a_site(), new, SEALED, whole=whole)

    assert refused is not None
    assert (refused.code, refused.text) == (
        "invalid", "Expected at most the engineering ceiling of 80 A on L2, got 100 A"
    )  # fmt: skip
    assert bytes(refused.data) == b'{"path":"$.site.limit_ma[1]"}'


def test_up_to_the_ceiling_and_without_one_every_limit_goes():
    assert over_ceiling(a_site(), a_site(limit=80), SEALED, whole=True) is None
    assert over_ceiling(a_site(), a_site(limit=6_000), None, whole=True) is None


def test_a_limit_that_a_later_seal_left_above_it_may_stay_but_no_file_may_bring_it():
    old = a_site(limit=100)
    renamed = a_site(limit=100, name="Yard")

    assert over_ceiling(old, renamed, SEALED, whole=False) is None
    assert over_ceiling(old, a_site(limit=90), SEALED, whole=False) is not None
    assert over_ceiling(old, renamed, SEALED, whole=True) is not None


# -- B13 -------------------------------------------------------------------------------------------

TEN = tuple(Charger(f"C{n}", fallback_ma=6_000) for n in range(10))


def test_b13_a_ceiling_below_the_fail_safe_currents_cannot_be_sealed_and_says_who_draws_them():
    refused = breaks_at_sealing(a_site(*TEN, base=25), None, SEALED, {})

    assert refused is not None
    assert refused.text == (
        "L1: 60 A of fail-safe currents (C0 6 A, C1 6 A, C2 6 A, C3 6 A, C4 6 A, C5 6 A, C6 6 A, "
        "C7 6 A and 2 more) and 25 A base load are more than 80 A"
    )
    assert bytes(refused.data) == b'{"path":"$.limit_ma[0]"}'
    assert breaks_at_sealing(a_site(*TEN, base=20), None, SEALED, {}) is None


def test_b13_what_was_broken_before_may_be_sealed_lower_and_stays_a_fault():
    settings = a_site(*TEN, base=25)

    assert breaks_at_sealing(settings, SEALED, Phases.each(70_000), {}) is None
    assert "more than 80 A" in (fail_safe_trouble(settings, SEALED, {}) or "")
    assert fail_safe_trouble(settings, None, {}) is None
    assert fail_safe_trouble(a_site(*TEN), SEALED, {}) is None


def test_b13_settings_that_break_it_are_refused_and_those_that_mend_it_are_not():
    good, more = a_site(*TEN), a_site(*TEN, *(Charger(f"D{n}", fallback_ma=10_000)
                                              for n in range(3)))  # fmt: skip
    base = a_site(*TEN, base=30)

    added = breaks_fail_safe(good, more, SEALED, {})
    loaded = breaks_fail_safe(good, base, SEALED, {})

    assert added is not None and bytes(added.data) == b'{"path":"$.chargers"}'
    assert "D0 10 A" in added.text
    assert loaded is not None and bytes(loaded.data) == b'{"path":"$.site.base_load_ma[0]"}'
    assert breaks_fail_safe(more, more, SEALED, {}) is None
    assert breaks_fail_safe(more, good, SEALED, {}) is None
    assert breaks_fail_safe(good, more, None, {}) is None


# -- the check -------------------------------------------------------------------------------------


def named(found, name):
    return [f for f in found.findings if f.name == name]


def test_the_check_of_a_sound_site_is_good_throughout():
    found = check(a_site(*TEN[:2], base=10), SEALED, {}, Phases.each(15_000))

    assert {f.state for f in found.findings} == {"good"}
    assert found.maxima_ma == Phases(64_000)
    assert found.fail_safe_ma == Phases(12_000)
    assert (found.ceiling_ma, found.site_limit_ma) == (SEALED, Phases.each(60_000))
    assert found.target_ma == Phases.each(65_000)
    assert named(found, "maxima_sum")[0].text == (
        "All chargers together take 64 A of 60 A on L1: they share"
    )


def test_inv9_the_target_lies_below_the_agreed_limit_by_the_largest_step_of_the_building():
    found = check(a_site(limit=60), SEALED, {}, Phases(30_000, 0, 90_000))

    assert found.target_ma == Phases(50_000, 80_000, 0)
    assert [f.state for f in named(found, "reaction")] == ["warning", "good", "warning"]
    assert "set the site limit to 50 A or fit a contactor" in named(found, "reaction")[0].text


def test_what_is_wrong_is_named():
    chargers = (
        Charger("Deaf"), Charger("Loud", fallback_ma=20_000, group="Cable"),
        Charger("Thirsty", min_ma=16_000, group="Twig"),
    )  # fmt: skip
    groups = (Group("Cable", 15_000), Group("Twig", 10_000, parent="Cable"))
    found = check(
        a_site(*chargers, limit=100, groups=groups), Phases.each(40_000),
        {"Deaf": Make(steps_down=False)}, None,
    )  # fmt: skip

    states = {(f.name, f.state, f.charger or f.group or f.phase) for f in found.findings}
    assert ("ceiling", "warning", "L1") in states
    assert ("fail_safe_sum", "bad", "L1") in states  # 32 A and 20 A of 40 A
    assert ("fail_safe_sum", "good", "L2") in states
    assert ("no_dead_man", "warning", "Deaf") in states
    assert ("group_fail_safe", "warning", "Cable") in states
    assert ("minimum", "warning", "Thirsty") in states
    assert ("reaction", "warning", None) in states
    minimum = named(found, "minimum")[0]
    assert minimum.text == "Thirsty needs 16 A to charge and group Twig allows 10 A"
    assert [(f.group, f.amount_ma) for f in named(found, "group_maxima")] == [
        ("Cable", 64_000), ("Twig", 32_000)
    ]  # fmt: skip


def test_without_a_seal_the_site_limit_stands_for_it_and_only_warns():
    found = check(a_site(*TEN, limit=50), None, {}, None)

    assert [f.state for f in named(found, "fail_safe_sum")] == ["warning", "good", "good"]
    assert "not sealed" in named(found, "ceiling")[0].text
    assert (found.ceiling_ma, found.target_ma) == (None, None)


# -- steps of the building -------------------------------------------------------------------------


def test_a_step_is_the_largest_rise_within_five_seconds_on_each_phase():
    steps = BuildingSteps()
    for at, l1, l2 in ((0, 10, 0), (1, 12, 0), (2, 20, 0), (3, 18, 5), (9, 30, 0), (10, 25, 9)):
        steps.feed(Phases(l1, l2), float(at))

    assert steps.largest == Phases(10, 9)  # 18 to 30 took six seconds


def test_a_meter_that_was_away_makes_no_step():
    steps = BuildingSteps()
    steps.feed(None, 0.0)
    assert steps.largest is None
    steps.feed(Phases(10), 1.0)
    steps.feed(None, 2.0)
    steps.feed(Phases(50), 3.0)

    assert steps.largest == ZERO
