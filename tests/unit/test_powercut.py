"""The command that cuts the power (trust.md, P1 and P2)."""

from __future__ import annotations

import json

import pytest
import structlog
from tools import powercut
from tools.busy_day import Day


@pytest.fixture
def log():
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


def test_a_run_is_one_line_of_json_and_a_row_of_the_ledger(tmp_path, capsys, log):
    ledger = tmp_path / "LEDGER.md"
    ledger.write_text("| head |\n")
    words = ["--hours", "0.5", "--chargers", "1", "--from", "20", "--to", "40", "--ledger"]

    assert powercut.main([*words, str(ledger)]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["points"], told["cuts"], told["wrong"], told["shown"]) == (21, 84, 0, [])
    head, row = ledger.read_text().splitlines()
    assert head == "| head |"
    counted = [told[name] for name in ("steps", "points", "cuts", "opened", "second_cuts")]
    assert row.endswith(f"| {' | '.join(map(str, counted))} | whole |")


def test_one_seed_is_one_day():
    first, same, other = (Day(seed, chargers=2).record(hours=0.5) for seed in (1, 1, 2))

    assert [at for at, _answer in first.answers] == [at for at, _answer in same.answers]
    assert [step[0] for step in first.disk.steps] == [step[0] for step in same.disk.steps]
    assert first.asked == same.asked != other.asked


def test_what_cannot_be_played_is_said(capsys):
    assert powercut.main(["--hours", "0"]) == 2
    assert "at most 24 hours" in capsys.readouterr().err
