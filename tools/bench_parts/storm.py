"""500 chargers come back at once: all booted and profiled, and no plan late meanwhile."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from tools.bench_parts.desk import snapshot
from tools.bench_parts.load import Charger
from tools.bench_parts.process import control

COUNT = 500
ROUNDS = 3
PATIENCE_S = 60.0


async def storm(port: int) -> tuple[float, float]:
    """Seconds until the last charger has booted, and until it has its first profile."""
    loop = asyncio.get_running_loop()
    fleet = [Charger(f"storm-{n:04d}", port) for n in range(COUNT)]
    began = loop.time()

    async def come(charger: Charger) -> None:
        await charger.dial()
        await charger.boot()

    await asyncio.gather(*(come(c) for c in fleet))
    while not all(c.profiled_at for c in fleet):
        if loop.time() - began > PATIENCE_S:
            missing = sum(not c.profiled_at for c in fleet)
            raise TimeoutError(f"{missing} of {COUNT} have no profile after {PATIENCE_S:g} s")
        await asyncio.sleep(0.05)
    for charger in fleet:
        charger.listening.cancel()
        charger.writer.close()
    return max(c.booted_at for c in fleet) - began, max(c.profiled_at for c in fleet) - began


def one_round(port: int, state: Path) -> tuple[float, float, float]:
    booted_s, profiled_s = asyncio.run(storm(port))
    time.sleep(1)  # one more plan, so that the gap across the storm is closed
    return booted_s, profiled_s, snapshot(state).site.plan_gap_s_max


def measure() -> dict[str, float]:
    """A site that knows its 500 chargers already, as after a blackout."""
    known: dict[str, object] = {
        "version": 1,
        "site": {"limit_ma": [2_000_000] * 3},
        "chargers": [{"id": f"storm-{n:04d}"} for n in range(COUNT)],
    }
    rounds = []
    for _ in range(ROUNDS):
        with control(settings=known) as (_pid, ports, state):
            rounds.append(one_round(ports["ocpp"], state))
    return {
        "storm_booted_s": statistics.median(r[0] for r in rounds),
        "storm_profiled_s": statistics.median(r[1] for r in rounds),
        "storm_plan_gap_s_max": max(r[2] for r in rounds),
    }
