"""The bench's own line: what it measures, and how long that takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tools.bench_parts
from tools.bench_parts.__main__ import PARTS, PROMISED, main


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_the_help_says_what_each_part_measures_and_about_how_long(word, capsys):
    with pytest.raises(SystemExit) as ended:
        main([word])

    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: tools/bench [-h] [PART ...]")
    for part, (what, lasts) in PARTS.items():
        row = next(line for line in said.splitlines() if line.startswith(f"  {part} "))
        assert what in row
        assert row.endswith(f" {lasts}")
        assert re.fullmatch(r"\d+ (s|min)", lasts)


def test_every_part_is_a_module_that_measures():
    folder = Path(tools.bench_parts.__file__).parent

    assert set(PARTS) == {p.stem for p in folder.glob("*.py") if "def measure()" in p.read_text()}


def test_a_part_that_nobody_knows_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", "speed"])

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "expected parts out of plan, reaction, " in said
    assert "got speed\n" in said


@pytest.mark.parametrize(("figure", "bound"), [
    ("plan_32_ms", 2.0), ("plan_1000_ms", 50.0),
    ("reaction_ms_p99", 100.0), ("reaction_100_ms_p99", 150.0), ("reaction_100_ms_max", 1_000.0),
    ("spike_s_p99", 4.0), ("spike_s_max", 5.0), ("changes_per_charger_hour", 10.0),
])  # fmt: skip
def test_the_bench_promises_no_less_than_the_timing_table_of_balancing(figure, bound):
    sign, promised = PROMISED[figure]

    assert sign == "<="
    assert promised <= bound


def test_a_promise_that_is_not_kept_is_said_and_ends_with_1(monkeypatch, capsys):
    figures = {"plan_32_ms": PROMISED["plan_32_ms"][1] + 0.1, "plan_1000_ms": 1.0}
    monkeypatch.setattr("tools.bench_parts.plan.measure", lambda: figures)

    assert main(["plan"]) == 1

    said = capsys.readouterr().out.splitlines()
    assert [line.endswith("NOT KEPT") for line in said[:2]] == [True, False]
