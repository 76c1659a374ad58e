"""A process under measurement: its CPU seconds and its resident memory, read from /proc."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> int:
    """Its resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise LookupError(f"no VmRSS for {pid}")


@contextmanager
def started(*argv: str, env: dict[str, str] | None = None) -> Iterator[tuple[int, dict[str, int]]]:
    """A process that prints a ready line; gives its pid and that line, ends it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", *argv], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process.pid, json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def control(
    *,
    licence: int = 1000,
    env: dict[str, str] | None = None,
    settings: dict[str, object] | None = None,
) -> Iterator[tuple[int, dict[str, int], Path]]:
    """A fresh control process with a licence large enough; pid, ready line, state folder."""
    with tempfile.TemporaryDirectory(prefix="linkray-bench-") as folder:
        state = Path(folder) / "state"
        state.mkdir()
        board = Path(folder) / "board.toml"
        text = (ROOT / "board" / "sim" / "board.toml").read_text()
        raised = text.replace("licence = 32", f"licence = {licence}")
        assert raised != text, "board.toml names another licence"
        board.write_text(raised)
        site = Path(folder) / "site.json"
        site.write_text(json.dumps(settings or {"version": 1}))
        subprocess.run(
            [sys.executable, "-m", "linkray", "settings", "import", str(site),
             "--state", str(state)],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with started(
            "linkray", "run", "--board", str(board), "--state", str(state),
            "--bind", "127.0.0.1", "--ocpp-port", "0", "--ocpps-port", "0", env=env,
        ) as (pid, ports):  # fmt: skip
            yield pid, ports, state
