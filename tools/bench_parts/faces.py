"""Faces killed with SIGKILL 20 times in a minute: no plan is late, no charger notices."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tools.bench_parts.desk import snapshot
from tools.bench_parts.load import Charger
from tools.bench_parts.process import ROOT, control

COUNT = 32
KILLS = 20
PERIOD_S = 3.0


async def kill_often(state: Path) -> int:
    """Start the web process and kill it, over and over; how often it had got ready by then."""
    ready = 0
    for _ in range(KILLS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "linkray", "web", "--state", str(state), "--bind", "127.0.0.1",
            "--https-port", "0", "--http-port", "0", cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        waited = asyncio.create_task(process.stdout.readline())
        await asyncio.sleep(PERIOD_S)
        ready += waited.done() and bool(waited.result())
        waited.cancel()
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    return ready


async def play(port: int, state: Path) -> tuple[int, int]:
    """How often faces were ready when killed, and how many chargers lost their link."""
    fleet = [Charger(f"faces-{n:02d}", port) for n in range(COUNT)]
    for charger in fleet:
        await charger.dial()
        await charger.boot()
    until = asyncio.get_running_loop().time() + KILLS * PERIOD_S
    values = [asyncio.create_task(c.meter_values(until, 1.0)) for c in fleet]
    ready = await kill_often(state)
    await asyncio.gather(*values)
    lost = sum(charger.listening.done() for charger in fleet)
    for charger in fleet:
        charger.listening.cancel()
        charger.writer.close()
    return ready, lost


def measure() -> dict[str, float]:
    known: dict[str, object] = {
        "version": 1,
        "chargers": [{"id": f"faces-{n:02d}"} for n in range(COUNT)],
    }
    with control(settings=known) as (_pid, ports, state):
        ready, lost = asyncio.run(play(ports["ocpp"], state))
        gap_s = snapshot(state).site.plan_gap_s_max
    return {
        "faces_kills_when_ready": float(ready),
        "faces_links_lost": float(lost),
        "faces_plan_gap_s_max": gap_s,
    }
