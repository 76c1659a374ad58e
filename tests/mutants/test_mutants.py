"""The tester is tested: the simulator finds every seeded fault, and nothing in the true source.

A fault (`faults.toml`) is put into a copy of the package that stands first on the path of a fresh
process, so that nothing of it can stay behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "firmware" / "linkray"
SEED = 7
FAULTS = tomllib.loads((Path(__file__).parent / "faults.toml").read_text("utf-8"))["fault"]
STAGES = sorted({fault["stage"] for fault in FAULTS})
LEAST = 18


def copied(folder: Path, changed: str, text: str) -> Path:
    """The package with one file changed; all others are links to the true ones."""
    goal, origin = folder / "linkray", SOURCE
    for part in Path(changed).parts:
        goal.mkdir()
        for entry in origin.iterdir():
            if entry.name not in (part, "__pycache__"):
                (goal / entry.name).symlink_to(entry)
        goal, origin = goal / part, origin / part
    goal.write_text(text, "utf-8")
    return folder


def played(stage: str, path: Path) -> list[str]:
    """What is found wrong on a stage, with this first on the path."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.mutants.stages", stage, str(SEED)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": f"{path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    found: list[str] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_there_are_faults_enough_and_each_has_its_place() -> None:
    names = [fault["name"] for fault in FAULTS]

    assert len(names) == len(set(names)) >= LEAST
    for fault in FAULTS:
        text = (SOURCE / fault["file"]).read_text("utf-8")
        assert text.count(fault["old"]) == 1, f"{fault['name']}: its place in {fault['file']}"
        assert fault["old"] != fault["new"], fault["name"]
        assert fault["why"], fault["name"]


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_found_in_the_true_source(stage: str) -> None:
    assert played(stage, SOURCE.parent) == []


@pytest.mark.parametrize("fault", FAULTS, ids=[fault["name"] for fault in FAULTS])
def test_the_simulator_finds(fault: dict[str, Any], tmp_path: Path) -> None:
    text = (SOURCE / fault["file"]).read_text("utf-8")
    assert text.count(fault["old"]) == 1, f"{fault['file']} has changed: give the fault its place"
    folder = copied(tmp_path, fault["file"], text.replace(fault["old"], fault["new"]))

    found = played(fault["stage"], folder)

    assert found, f"{fault['name']} passed ({fault['why']})"
