"""The simulator as a product: its line, its seeds, its faults, its campaign."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from tools.simulator import campaign as campaigns
from tools.simulator import run as runs
from tools.simulator.__main__ import main
from tools.simulator.campaign import SITES, campaign, seeds_used
from tools.simulator.events import Event, FaultBegan, FaultEnded, Violation
from tools.simulator.faults import TROUBLES, fault_set
from tools.simulator.invariants import Checker
from tools.simulator.report import LEDGER, Report, commit
from tools.simulator.run import simulate
from tools.simulator.virtual import VirtualClock
from tools.world import load_site, make_world
from tools.world import settings as settings_of
from tools.world.day import Habits, Visit
from tools.world.site import BuildingOf, ExclusionOf, GroupOf, MeterOf, Place, SiteOf

from linkray.model.settings import read_settings

ROOT = Path(__file__).parents[2]
HOME = SITES / "home.toml"
OFFICE = SITES / "office8.toml"
PROMISED = ("site", "seed", "hours", "events", "violations", "fuse_percent_max",
            "reaction_s_p99", "energy_ratio", "changes_per_charger_hour", "trace_hash")  # fmt: skip


def in_a_process(hash_seed: int, *words: str) -> dict[str, object]:
    """Its last line, played by another Python."""
    ran = subprocess.run(
        [sys.executable, "-m", "tools.simulator", *words], cwd=ROOT, check=False, text=True,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)}, capture_output=True,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr
    said: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return {k: v for k, v in said.items() if k not in ("cpu_s", "times_real", "commit")}


def test_the_same_seed_gives_the_same_line_in_another_process() -> None:
    words = (str(OFFICE), "--seed", "3", "--hours", "0.1", "--faults", "all")
    first = in_a_process(1, *words)

    assert in_a_process(2, *words) == first
    assert simulate(OFFICE, 3, 0.1, "all").repeats() == first
    assert simulate(OFFICE, 4, 0.1, "all").trace_hash != first["trace_hash"]


def test_the_line_has_the_names_that_others_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    main([str(HOME), "--seed", "5", "--hours", "0.05"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert tuple(said)[: len(PROMISED)] == PROMISED
    assert (said["site"], said["seed"], said["hours"]) == ("home", 5, 0.05)


class Grumbling(Checker):
    """Finds something at the first fact."""

    def note(self, event: Event, now: float) -> None:
        super().note(event, now)
        if not self.violations:
            self.violations.append(Violation(self.seed, now, "INV-0", {"what": "a test"}))


def test_a_violation_ends_with_1_and_names_seed_time_and_invariant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "Checker", Grumbling)

    assert main([str(HOME), "--seed", "7", "--hours", "0.02"]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["violations"]
    assert found[0] == {"seed": 7, "time": 0.0, "invariant": "INV-0", "state": {"what": "a test"}}


@pytest.mark.parametrize(("words", "said"), [
    (["home", "--hours", "-1"], "expected more than 0 hours, got -1"),
    (["home", "--hours", "0"], "expected more than 0 hours, got 0"),
    (["home", "--hours", "nan"], "expected more than 0 hours, got nan"),
    (["home", "--hours", "inf"], "expected more than 0 hours, got inf"),
    (["--campaign", "-2"], "expected more than 0 hours, got -2"),
    (["--cases", "0"], "expected 1 seed or more, got 0"),
    (["--cases", "1", "--workers", "0"], "expected 1 worker or more, got 0"),
    (["--campaign", "1", "--cases", "2"],
     "expected one of a site, --campaign, --cases and --uplink, got --campaign and --cases"),
    (["--uplink", "0"], "expected 1 scenario or more, got 0"),
    (["home", "--uplink", "2"], "got a site and --uplink"),
    (["home", "--cases", "2"], "got a site and --cases"),
    (["home", "--campaign", "2"], "got a site and --campaign"),
    (["nonsuch"], "expected a site file or one of carpark32, dc50, depot, flats63, home, "),
    (["nonsuch.toml"], "us_split, got nonsuch.toml"),
])  # fmt: skip
def test_a_line_that_cannot_be_meant_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--ledger", str(tmp_path / "ledger.md")]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1
    assert not (tmp_path / "ledger.md").exists()


@pytest.mark.parametrize("words", [
    ["no-such-site"], [str(HOME), "--faults", "ghosts"], [], ["--campaign", "0"],
    ["--campaign", "1", "--sites", "moon"],
])  # fmt: skip
def test_what_cannot_be_played_ends_with_2_and_says_why(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("tools/simulate: ")


def test_a_set_of_faults_that_is_none_is_refused_with_all_that_may_be_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(HOME), "--faults", "rubbish"]) == 2
    said = capsys.readouterr().err
    assert "expected faults of none, all, mix, or some of building, cars, chargers," in said
    assert "got rubbish" in said


def test_a_site_without_a_charger_is_nothing_to_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nothing in (Path("/dev/null"), tmp_path / "empty.toml"):
        if nothing.parent == tmp_path:
            nothing.write_text('[site]\nname = "empty"\n')
        assert main([str(nothing)]) == 2
        assert f"expected one [[chargers]] or more in {nothing}" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(SITES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_site_is_one_that_linkray_takes_and_people_come_to(path: Path) -> None:
    site = load_site(path)
    read = read_settings(json.dumps(settings_of(site)))
    world = make_world(site)

    assert site.site.name == path.stem
    assert site.day.visits
    assert {c.id for c in read.chargers} == set(world.chargers)
    for kept in read.chargers:
        legs = [f"L{leg + 1}" for leg in world.charger(kept.id).legs]
        assert "-".join(legs) == kept.connection


@pytest.mark.parametrize("kind", [
    Report, SiteOf, BuildingOf, MeterOf, GroupOf, Place, ExclusionOf, Habits, Visit,
], ids=lambda kind: kind.__name__)  # fmt: skip
def test_the_readme_explains_every_name_of_the_line_and_of_a_site_file(kind: type) -> None:
    told = (ROOT / "tools" / "README.md").read_text()
    apart = {"site", "seed", "hours", "reaction_s_p99", "reaction_s_max"}  # plain, or beside p50

    names = {field.name for field in dataclasses.fields(kind)} - apart

    assert {name for name in names if f"`{name}`" not in told} <= {"make", "visits"}


class Listening(Checker):
    """Keeps what it was told of faults."""

    heard: list[FaultBegan | FaultEnded]

    def note(self, event: Event, now: float) -> None:
        super().note(event, now)
        if isinstance(event, FaultBegan | FaultEnded):
            Listening.heard.append(event)


@pytest.mark.parametrize("name", sorted({t.set for t in TROUBLES}))
def test_a_set_of_faults_plays_what_it_names_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Listening.heard = []
    monkeypatch.setattr(runs, "Checker", Listening)
    report = simulate(HOME, 2, 0.75, name)

    mine = {t.name for t in TROUBLES if t.set == name}
    assert set(report.faults_played) <= mine
    assert sum(report.faults_played.values()) >= 1
    began = [e for e in Listening.heard if isinstance(e, FaultBegan)]
    ended = [e for e in Listening.heard if isinstance(e, FaultEnded)]
    assert len(began) == sum(report.faults_played.values()) >= len(ended)
    assert {e.name for e in ended} <= {e.name for e in began} <= mine


def test_no_faults_are_no_faults() -> None:
    assert fault_set("none") == ()
    assert len(fault_set("all")) == len(TROUBLES)
    assert len(fault_set("links,meter")) == sum(t.set in ("links", "meter") for t in TROUBLES)


# -- the campaign ----------------------------------------------------------------------------------


def made_up(site: Path, seed: int, hours: float, faults: str) -> Report:
    """A run that took no time; every third seed breaks something."""
    broken = [Violation(seed, 9.0, "INV-1", {})] if seed % 3 == 0 else []
    return Report(
        site.stem, seed, hours, violations=broken, fuse_percent_max=50.0 + seed % 10,
        fuse_percent_lawful=40.0, faults=faults, commit="abc123", energy_wh=90, energy_best_wh=100,
    )  # fmt: skip


def rows(ledger: Path) -> list[list[str]]:
    lines = ledger.read_text(encoding="utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
    return cells[2:]  # without the head


def test_a_campaign_adds_a_row_for_each_site_with_fresh_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaigns, "simulate", made_up)
    ledger = tmp_path / "LEDGER.md"

    assert campaign(90.0, names=["home", "office8"], ledger=ledger, first_seed=1) == 1
    first = rows(ledger)
    assert [row[2] for row in first] == ["home", "office8"]
    assert sum(float(row[6]) for row in first) >= 90.0
    assert [row[8] for row in first] == ["40 (54)", "40 (53)"]
    again = f"tools/simulate home --seed 3 --hours 24 --faults {campaigns.BY_TURNS[1]}"
    assert first[0][-1] == f"BROKEN: seeds 3; `{again}`"
    told = capsys.readouterr()
    assert f"again: {again}" in told.err
    assert json.loads(told.out)["violations"] == 2

    last = seeds_used(ledger)
    campaign(1.0, names=["home"], ledger=ledger)
    assert rows(ledger)[:2] == first
    assert rows(ledger)[2][4] == f"{last + 1}–{last + 1}"


def test_a_row_names_its_commit_whose_tree_differs_from_it_in_more_than_the_ledger(
    tmp_path: Path,
) -> None:
    ledger, other = tmp_path / LEDGER.relative_to(ROOT), tmp_path / "other"
    ledger.parent.mkdir(parents=True)

    def written(file: Path, text: str) -> str:
        file.write_text(text, encoding="utf-8")
        return commit(tmp_path)

    written(ledger, "")
    written(other, "")
    git = ("git", "-c", "user.name=T", "-c", "user.email=t@example.org")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "First")):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)

    head = written(ledger, "a row")
    assert len(head) == 12
    assert written(other, "changed") == f"{head}+"


def test_a_campaign_that_is_stopped_has_written_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []

    def stopped(site: Path, seed: int, hours: float, faults: str) -> Report:
        played.append(site)
        if len(played) == 3:
            raise KeyboardInterrupt
        return made_up(site, seed, hours, faults)

    monkeypatch.setattr(campaigns, "simulate", stopped)
    campaign(1_000.0, names=["home"], ledger=tmp_path / "L.md", first_seed=10)

    assert [row[4] for row in rows(tmp_path / "L.md")] == ["10–11"]


def breaks_off(site: Path, seed: int, hours: float, faults: str) -> Report:
    raise ValueError(f"expected a good day of {site.stem}, got seed {seed}")


def test_a_run_that_breaks_off_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "simulate", breaks_off)

    with pytest.raises(ValueError, match="got seed 7") as broken:
        campaign(1.0, faults="all", names=["home"], ledger=tmp_path / "L.md", first_seed=7,
                 workers=2)  # fmt: skip
    again = "again: tools/simulate home --seed 7 --hours 24 --faults all"
    assert again in broken.value.__notes__


def test_the_mix_of_a_campaign_gives_every_site_all_sets_of_faults() -> None:
    sets = [campaigns.faults_of(seed, campaigns.MIX) for seed in range(10_000, 10_018)]

    assert set(sets) == {"none", "all", *(trouble.set for trouble in TROUBLES)}
    assert sets.count("all") == 9
    assert all(fault_set(faults) or faults == "none" for faults in sets)


def test_two_workers_play_what_one_would(tmp_path: Path) -> None:
    one, two = tmp_path / "one.md", tmp_path / "two.md"
    original = dict(campaigns.HOURS)
    campaigns.HOURS["home"] = 0.02
    try:
        campaign(0.06, faults="none", names=["home"], ledger=one, first_seed=20)
        campaign(0.06, faults="none", names=["home"], ledger=two, first_seed=20, workers=2)
    finally:
        campaigns.HOURS.update(original)

    assert rows(two)[0][2:9] == rows(one)[0][2:9]


# -- time ------------------------------------------------------------------------------------------


def test_virtual_time_passes_to_the_next_deadline_and_no_further() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, pause_s: float) -> None:
        for _ in range(2):
            await trio.sleep(pause_s)
            seen.append((name, trio.current_time()))

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleeper, "slow", 5_000.0)
            nursery.start_soon(sleeper, "quick", 3_000.0)

    trio.run(both, clock=VirtualClock())

    assert seen == [("quick", 3_000.0), ("slow", 5_000.0), ("quick", 6_000.0), ("slow", 10_000.0)]
