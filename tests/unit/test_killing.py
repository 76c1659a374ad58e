"""The command that kills the control process: what it counts, and what it says (trust.md, P7)."""

from __future__ import annotations

import pytest
from tools import killing
from tools.killing import Outcome, kind_of
from tools.simulator.events import Violation


@pytest.mark.parametrize(("invariant", "what", "kind"), [
    ("INV-13", "a start is lost", "lost"),
    ("INV-13", "a stop that was answered is not in its record", "lost"),
    ("INV-13", "0 records of a start that was answered", "lost"),
    ("INV-14", "MeterValues come after the stop", "out of order"),
    ("INV-13", "a stop with a wrong id", "wrong id"),
    ("INV-13", "a stop of one transaction told of another", "wrong id"),
    ("INV-13", "a start is told again under another id", "wrong id"),
    ("INV-13", "a stop that did not happen", "otherwise wrong"),
    ("INV-13", "a record of what did not happen", "otherwise wrong"),
])  # fmt: skip
def test_what_did_not_hold_counts_in_one_column(invariant: str, what: str, kind: str):
    found = Violation(1, 0.0, invariant, {"what": what})

    assert kind_of(found) == kind


def test_a_run_is_a_row_of_the_ledger(tmp_path):
    ledger = tmp_path / "LEDGER.md"
    ledger.write_text("| head |\n")
    outcome = Outcome(kills=7, early=1, back_s=[1.0, 3.0], cpu_s=[0.9])
    row = {"seed": 3, "chargers": 2, **outcome.row()}

    killing._enter(ledger, row, is_whole=outcome.is_whole)

    head, told = ledger.read_text().splitlines()
    assert head == "| head |"
    assert told.endswith("| 3 | 2 | 7 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1.0 | 3.0 | 3.0 | 0.9 "
                         "| whole |")  # fmt: skip
    known = (killing.LEDGER).read_text().splitlines()
    columns = next(line for line in known if line.startswith("| date"))
    assert told.count("|") == columns.count("|")


def test_one_traceback_or_complaint_is_not_whole():
    assert Outcome().is_whole
    assert not Outcome(tracebacks=1).is_whole
    assert not Outcome(complaints=["expected …"]).is_whole


def test_what_cannot_be_played_is_said(capsys: pytest.CaptureFixture[str]):
    assert killing.main(["--times", "0"]) == 2
    assert "expected 1 kill or more" in capsys.readouterr().err
