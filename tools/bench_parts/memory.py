"""Resident memory of both processes with 32 chargers, and the start to the first plan."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from tools.bench_parts.load import Charger
from tools.bench_parts.process import control, resident_kib, started

COUNT = 32
STARTS = 5
LOAD_S = 10.0


async def settle(port: int) -> None:
    """32 chargers connected, commissioned and sending values for a while."""
    fleet = [Charger(f"memory-{n:02d}", port) for n in range(COUNT)]
    for charger in fleet:
        await charger.dial()
        await charger.boot()
    await asyncio.sleep(3)
    until = asyncio.get_running_loop().time() + LOAD_S
    await asyncio.gather(*(c.meter_values(until) for c in fleet))
    for charger in fleet:
        charger.listening.cancel()


def start_s() -> float:
    began = time.monotonic()
    with control():
        return time.monotonic() - began


def faces_kib(state: Path) -> int:
    """The web process, after it has shown itself to somebody."""
    words = ("linkray", "web", "--state", str(state), "--bind", "127.0.0.1",
             "--https-port", "0", "--http-port", "0")  # fmt: skip
    with started(*words) as (pid, _ports):
        time.sleep(3)
        return resident_kib(pid)


def measure() -> dict[str, float]:
    with control() as (pid, ports, state):
        asyncio.run(settle(ports["ocpp"]))
        control_kib = resident_kib(pid)
        faces = faces_kib(state)
    return {
        "control_mb_32": control_kib / 1024,
        "faces_mb": faces / 1024,
        "import_and_start_s": statistics.median(start_s() for _ in range(STARTS)),
    }
