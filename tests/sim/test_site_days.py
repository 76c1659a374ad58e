"""A hundred hours of sites' lives in every run of the tests: every site, every set of faults.

Whatever happens, every invariant holds: the oracle's (limits and fuses of the true wires), the
checker's (the books), the schemas'. A seed that has once failed is kept in `seeds.txt`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tools.simulator.campaign import SITES, sites_named
from tools.simulator.faults import TROUBLES
from tools.simulator.report import Report, told
from tools.simulator.run import simulate

ROOT = Path(__file__).parents[2]
LIVELY = ROOT / "board" / "sim" / "site.toml"
SETS = ("links", "chargers", "cars", "meter", "building", "clock", "crash", "people")
FEWER = 0 < int(os.environ.get("LINKRAY_HOURS", "100")) < 100  # a quick look: one run of each site

# site, hours of each run, fault sets: one run for each, the seeds counted from 1. Most hours are
# the home's, which costs the least; what is rare is for the campaign (`LEDGER.md`).
PLAN = (
    ("home", 6.1, ("none", *SETS, "all", "all", "all", "all", "all")),
    ("us_split", 0.5, ("none", "links", "cars", "chargers", "crash", "people", "all", "all")),
    ("office8", 0.5, ("none", "meter", "building", "clock", "people", "all", "all", "all")),
    ("us_208", 0.5, ("none", "links", "meter", "building", "all")),
    ("flats63", 0.5, ("none", "cars", "building", "all")),
    ("depot", 1.0, ("none", "all")),
    ("carpark32", 0.3, ("none", "all")),
    ("dc50", 0.25, ("none", "all")),
    ("nested200", 0.1, ("none", "all")),
)
# Of the energy that might have been delivered, what each site's run without faults gives at least:
# no invariant holds it against a firmware that it charges little (balancing.md, Fair). Of six
# minutes with 200 connectors it is 0.85 to 0.94, by the seed.
ENERGY_RATIO_MIN = {
    "home": 0.95, "us_split": 0.9, "office8": 0.9, "us_208": 0.95, "flats63": 0.88,
    "depot": 0.85, "carpark32": 0.88, "dc50": 0.68, "nested200": 0.84,
}  # fmt: skip
KEPT = [line.split() for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
        if line and not line.startswith("#")]  # fmt: skip
RUNS = [
    (site, seed, hours, faults)
    for site, hours, sets in PLAN
    for seed, faults in enumerate(sets[:1] if FEWER else sets, 1)
] + [(site, int(seed), float(hours), faults) for site, seed, hours, faults in KEPT]


def held(report: Report) -> None:
    """Every invariant held, and it was not because nothing happened."""
    again = (f"tools/simulate {report.site} --seed {report.seed} --hours {report.hours:g} "
             f"--faults {report.faults}")  # fmt: skip
    assert [told(v) for v in report.violations[:5]] == [], again
    assert report.events > report.hours * 3_600
    assert report.plan_gap_s_max <= 1.5


@pytest.mark.parametrize(("site", "seed", "hours", "faults"), RUNS)
def test_every_invariant_holds(site: str, seed: int, hours: float, faults: str) -> None:
    report = simulate(SITES / f"{site}.toml", seed, hours, faults)

    held(report)
    if (seed, faults) == (1, "none"):  # the first of each site in PLAN
        assert report.energy_ratio is not None
        assert report.energy_ratio >= ENERGY_RATIO_MIN[site]


@pytest.mark.parametrize("faults", ["none", "all"])
def test_a_lively_half_hour_of_the_laptop_s_site_keeps_every_limit(faults: str) -> None:
    report = simulate(LIVELY, 1, 0.5, faults)

    held(report)
    assert report.sessions > 10
    assert report.energy_wh > 5_000 or faults == "all"


def test_a_run_of_the_tests_is_a_hundred_site_hours_over_every_site_and_fault_set() -> None:
    planned = [(site, hours, faults) for site, hours, sets in PLAN for faults in sets]

    assert sum(hours for _site, hours, _faults in planned) >= 100
    assert {site for site, _hours, _faults in planned} == {p.stem for p in sites_named(None)}
    assert set(ENERGY_RATIO_MIN) == {site for site, _hours, _faults in planned}
    assert all(sets[0] == "none" for _site, _hours, sets in PLAN)
    assert {t.set for t in TROUBLES} == set(SETS)
    for name in SETS:
        assert any(faults == name for _site, _hours, faults in planned)


def test_people_charge_on_every_site() -> None:
    """A site where nobody comes proves nothing."""
    report = simulate(SITES / "office8.toml", 1, 0.5, "none")

    assert report.sessions >= 5
    assert report.energy_wh > 10_000
    assert report.energy_ratio is not None
    assert report.energy_ratio > 0.8
