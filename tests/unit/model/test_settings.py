"""The settings of a site and of a charger as the chapters give them: what stands unset, what goes.

balancing.md, The site; chargers.md, What is kept for a charger; quirks.md on 6 A.
"""

from __future__ import annotations

import json

import pytest

from linkray.model.settings import BadSettings, LimitPhases, Settings, read_settings

SITE_UNSET = {  # balancing.md, The site and 2; trust.md 1 (margin, lease)
    "voltage_mv": 230_000, "measurand_interval_s": 10, "fifo": False, "split_mode": "off",
    "imbalance_ma": None, "shed_order": "longest", "use_solar_surplus": False,
    "reduction_threshold_ma": 2_000, "margin_ma": 0, "dead_man_s": 180, "new_chargers": "add",
    "probe_chargers": True,
}  # fmt: skip
METER_UNSET = {
    "enabled": False, "location": "grid", "on_failure": "limits",
    "degraded_ma": LimitPhases(0, 0, 0), "fast": False,
}  # fmt: skip
CHARGER_UNSET = {
    "name": "", "phases": 1, "connection": "L1", "supply_limit_ma": None, "start_with_zero": True,
    "unit": "A", "group": None, "priority": "normal", "fallback_ma": None,
}  # fmt: skip


def read(**parts: object) -> Settings:
    return read_settings(json.dumps({"version": 1, **parts}))


def test_what_nobody_has_set_is_what_the_chapters_say() -> None:
    tree = read(chargers=[{"id": "A"}])
    charger = tree.charger("A")
    assert charger is not None

    assert {name: getattr(tree.site, name) for name in SITE_UNSET} == SITE_UNSET
    assert {name: getattr(tree.site.meter, name) for name in METER_UNSET} == METER_UNSET
    assert {name: getattr(charger, name) for name in CHARGER_UNSET} == CHARGER_UNSET
    assert (charger.highest_ma(), charger.lowest_ma()) == (32_000, 6_000)
    assert (tree.schedule, tree.groups) == ((), ())


@pytest.mark.parametrize(("name", "least", "most"), [
    ("voltage_mv", 90_000, 260_000), ("measurand_interval_s", 5, None), ("imbalance_ma", 0, None),
])  # fmt: skip
def test_a_figure_of_the_site_is_taken_within_its_bounds_and_no_further(
    name: str, least: int, most: int | None
) -> None:
    for good in (least, most):
        if good is not None:
            assert getattr(read(site={name: good}).site, name) == good
    for bad in (least - 1, None if most is None else most + 1):
        if bad is not None:
            with pytest.raises(BadSettings, match=rf"\$\.site\.{name}"):
                read(site={name: bad})


@pytest.mark.parametrize(("split_mode", "phases", "connection", "is_wired"), [
    *(("off", 1, leg, True) for leg in ("L1", "L2", "L3")),
    *(("off", 3, order, True) for order in (
        "L1-L2-L3", "L2-L3-L1", "L3-L1-L2", "L1-L3-L2", "L2-L1-L3", "L3-L2-L1")),
    ("off", 2, "L1-L2", False), ("off", 3, "L1-L2", False), ("off", 1, "L1-L2-L3", False),
    ("240", 2, "L1-L2", True), ("240", 2, "L2-L3", False), ("240", 2, "L3-L1", False),
    *(("208", 2, pair, True) for pair in ("L1-L2", "L2-L3", "L3-L1")), ("208", 2, "L1-L3", False),
])  # fmt: skip
def test_a_charger_is_wired_as_its_phases_and_the_split_mode_let_it(
    split_mode: str, phases: int, connection: str, is_wired: bool
) -> None:
    charger = {"id": "A", "phases": phases, "connection": connection}
    parts = {"site": {"split_mode": split_mode}, "chargers": [charger]}
    if is_wired:
        assert read(**parts).chargers[0].connection == connection
    else:
        with pytest.raises(BadSettings, match=r"\$\.chargers\[0\]"):
            read(**parts)


def test_groups_hang_in_one_another_and_in_no_circle() -> None:
    nested = [{"name": "Row", "limit_ma": 9_000, "parent": "Hall"},
              {"name": "Hall", "limit_ma": 60_000}]  # fmt: skip
    row = read(groups=nested).group("Row")
    assert row is not None
    assert row.parent == "Hall"

    nested[1]["parent"] = "Row"
    with pytest.raises(BadSettings, match="feeds itself"):
        read(groups=nested)


def test_no_amps_are_less_than_what_the_norm_lets_a_car_charge_with() -> None:
    """IEC 61851: 6 A; trust.md 1, Model: m[c] ≥ 6 A."""
    charger = read(chargers=[{"id": "A", "min_ma": 1_000}]).charger("A")

    assert charger is not None
    assert charger.lowest_ma() == 6_000
