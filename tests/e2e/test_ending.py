"""SIGTERM at any moment of the start: the real processes end in order, with 0."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.box import Box, Process, until

from linkray.app import STARTS
from linkray.store.db import FILE

pytestmark = pytest.mark.realtime

WITHIN_S = 20.0


def of(process: Process, what: str) -> str:
    """What the kernel tells of a process; nothing where it has gone."""
    try:
        return Path(f"/proc/{process.popen.pid}/{what}").read_text()
    except OSError:
        return ""


def holds_signals(process: Process) -> bool:
    (mask,) = [line for line in of(process, "status").splitlines() if line.startswith("SigBlk")]
    return bool(int(mask.split()[1], 16) & 1 << signal.SIGTERM - 1)


def has_open(process: Process, name: str) -> bool:
    folder = Path(f"/proc/{process.popen.pid}/fd")
    try:
        return any(name in str(file.readlink()) for file in folder.iterdir())
    except OSError:
        return False


def starts(file: Path) -> str:
    """The starts that count towards safe mode."""
    if not file.exists():
        return ""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        found = db.execute("SELECT value FROM kv WHERE key = ?", (STARTS,)).fetchone()
    return "" if found is None else str(found[0])


MOMENTS: dict[str, Callable[[Process], bool]] = {
    "it reads its code": holds_signals,
    "its database is open": lambda process: has_open(process, f"/{FILE}"),
    "it is ready": lambda process: bool(process.told),
}


def ended(process: Process, moment: str, at: Callable[[Process], bool]) -> None:
    until(lambda: at(process), WITHIN_S, moment)
    process.popen.send_signal(signal.SIGTERM)
    assert process.wait(WITHIN_S) == 0, (moment, process.noise.read_text())
    assert "Traceback" not in process.noise.read_text(), moment


def test_control_that_is_told_to_end_while_it_starts_ends_with_0_and_that_is_no_crash(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path)
    for moment, at in MOMENTS.items():
        ended(box.run(*box.control_words(), name=moment.replace(" ", "-")), moment, at)
        assert starts(tmp_path / FILE) == "", moment


def test_faces_that_are_told_to_end_while_they_start_end_with_0(tmp_path: Path) -> None:
    box = Box(tmp_path)
    web = box.run("-m", "linkray", "web", "--state", str(tmp_path), "--bind", "127.0.0.1",
                  "--https-port", "0", "--http-port", "0", name="web")  # fmt: skip
    ended(web, "it reads its code", holds_signals)
