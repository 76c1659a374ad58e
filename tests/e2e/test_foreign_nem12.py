"""What the NEM12 export writes is read by a reader that no one here wrote, to the watt-hour."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.e2e.box import HERE
from tests.e2e.foreign_env import python_of
from tests.unit.records.books import QUARTERLY, session

from linkray.model.sessions import Choices
from linkray.records.nem12 import Nem12, derived, nmis

pytestmark = pytest.mark.realtime


def test_nemreader_reads_every_interval_with_its_time_its_energy_and_its_quality(tmp_path: Path):
    python = python_of(HERE / "nemreader.lock")
    gap = session(("10:14", 1_000), ("10:59", 4_000), charger="=hostile, name")
    kept = [QUARTERLY, session(started="2026-11-23T13:50:00.000Z", energy_wh=1_234,
                               ended="2026-11-23T14:20:00.000Z"), gap]  # fmt: skip
    for minutes in (5, 15, 30):
        names = nmis([one.row.charger for one in kept], {})
        writer = Nem12(Choices(minutes=minutes), names, datetime(2026, 11, 24, tzinfo=UTC))
        file = tmp_path / f"{minutes}.csv"
        file.write_text(writer.begin() + writer.add(kept) + writer.end(), newline="")

        done = subprocess.run([python, str(HERE / "nemreader_reads.py"), str(file)],
                              capture_output=True, text=True, check=False, timeout=120)  # fmt: skip

        assert (done.returncode, done.stderr) == (0, "")  # nor does it warn of anything
        told = json.loads(done.stdout)
        assert told["version"] == "NEM12"
        assert set(told["readings"]) == {derived("DBT1"), derived("=hostile, name")}
        first = told["readings"][derived("DBT1")]["E1"]
        assert len(first) == 4 * 1440 // minutes  # four days of the market, the empty one too
        assert sum(round(one[2] * 1_000) for one in first) == 5_234
        assert {one[3] for one in first} == {"KWH"}
        assert told["registers"][derived("DBT1")] == ["20261121210000"]
        second = told["readings"][derived("=hostile, name")]["E1"]
        assert {one[4] for one in second} == {"A", "E17"}
        if minutes == 15:
            charged = [(one[0], one[2], one[4]) for one in first if one[2]]
            assert charged[:4] == [(f"2026-11-21 20:{m:02}:00", 1.0, "A") for m in (0, 15, 30, 45)]
