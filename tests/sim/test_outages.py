"""Small scenarios of outages, flaps and restarts between chargers and CSMS (INV-13, INV-14)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tools.simulator import outages as scenarios
from tools.simulator.central import KINDS
from tools.simulator.events import Violation
from tools.simulator.outages import Outcome, line, outages, scenario, seeds_used

EACH = 6
TURNS = 4


@pytest.mark.parametrize("turn", range(TURNS))
def test_whatever_happens_behind_linkray_nothing_is_lost_doubled_or_out_of_order(
    turn: int,
) -> None:
    for seed in range(1_000_000 + turn * EACH, 1_000_000 + (turn + 1) * EACH):
        outcome = scenario(seed)
        assert outcome.violations == [], line(outcome)


@pytest.mark.parametrize(("seed", "_what"), [
    (40, "the process ends before a session's number is on disk; its stop names that number"),
    (110, "the process ends before it is on disk that values were delivered: they are said again"),
    (384, "a stop waits behind a heartbeat that a mute CSMS owes an answer to"),
    (1536, "a car leaves just before its session is refused: its stop says why it truly ended"),
])  # fmt: skip
def test_a_scenario_that_once_did_not_hold(seed: int, _what: str) -> None:
    assert scenario(seed).violations == []


def test_the_same_seed_is_the_same_scenario() -> None:
    assert line(scenario(3)) == line(scenario(3))


def test_every_kind_of_trouble_says_what_it_is() -> None:
    undocumented = {name for name, play in KINDS.items() if not play.__doc__}
    assert not undocumented


def test_the_ledger_names_what_was_played_and_which_did_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def played(seed: int) -> Outcome:
        bad = [Violation(seed, 1.0, "INV-13", {"what": "a test"})] if seed == 2 else []
        return Outcome(seed, hours=0.1, sessions=2, violations=bad)

    monkeypatch.setattr(scenarios, "scenario", played)
    ledger = tmp_path / "ledger.md"

    assert outages(3, ledger=ledger) == 1
    assert outages(2, ledger=ledger) == 0
    assert outages(1, first_seed=9, ledger=ledger) == 0

    rows = [row for row in ledger.read_text().splitlines() if row.startswith("| 2")]
    assert [row.split("|")[3].strip() for row in rows] == ["1–3", "4–5"]
    assert [row.split("|")[-2].strip() for row in rows] == ["BROKEN: seeds 2", "held"]
    assert seeds_used(ledger) == 5
    said = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one["broken"] for one in said] == [[2], [], []]
