"""Throughput and memory of the central system, side by side with plain asyncio (issue: Speed)."""

from __future__ import annotations

import asyncio
import statistics

from tools.bench_parts.load import Charger
from tools.bench_parts.process import control, cpu_s, resident_kib, started

ROUNDS = 3
LOAD_S = 6.0
FLEETS = (50, 500)


async def one_round(pid: int, port: int, count: int) -> tuple[float, float, float]:
    """Round trips per CPU second flat out; the same at one a second each; KiB per connection."""
    before_kib = resident_kib(pid)
    fleet = [Charger(f"load-{n:04d}", port) for n in range(count)]
    for start in range(0, count, 50):
        await asyncio.gather(*(c.dial() for c in fleet[start : start + 50]))
        await asyncio.gather(*(c.boot() for c in fleet[start : start + 50]))
    await asyncio.sleep(3)  # commissioning is over; only MeterValues are measured
    per_link = (resident_kib(pid) - before_kib) / count
    loop = asyncio.get_running_loop()
    rates = []
    for pause_s in (0.0, 1.0):
        spent, trips = cpu_s(pid), sum(c.trips for c in fleet)
        until = loop.time() + LOAD_S
        await asyncio.gather(*(c.meter_values(until, pause_s) for c in fleet))
        rates.append((sum(c.trips for c in fleet) - trips) / (cpu_s(pid) - spent))
    for charger in fleet:
        charger.listening.cancel()
        charger.writer.close()
    return rates[0], rates[1], per_link


def measure() -> dict[str, float]:
    """LinkRay tuned and untuned (Python's own collector) and the yardstick, round by round.

    Flat out, a charger's values beyond some a second are answered but not all looked into
    (trust.md A34); paced, every one is. Control also plans every second meanwhile.
    """
    figures: dict[str, float] = {}
    for count in FLEETS:
        rounds: dict[str, list[tuple[float, float, float]]] = {}
        known: dict[str, object] = {
            "version": 1,
            "site": {"limit_ma": [2_000_000] * 3},
            "chargers": [{"id": f"load-{n:04d}"} for n in range(count)],
        }
        for _ in range(ROUNDS):
            for name, env in (("linkray", None), ("untuned", {"LINKRAY_GC": "default"})):
                with control(env=env, settings=known) as (pid, ports, _state):
                    got = asyncio.run(one_round(pid, ports["ocpp"], count))
                    rounds.setdefault(name, []).append(got)
            with started("tools.bench_parts.asyncio_central") as (pid, ports):
                got = asyncio.run(one_round(pid, ports["ocpp"], count))
                rounds.setdefault("asyncio", []).append(got)
        for name, values in rounds.items():
            for place, what in enumerate(("trips_per_cpu_s", "paced_trips_per_cpu_s", "kib_link")):
                figures[f"{name}_{what}_{count}"] = statistics.median(v[place] for v in values)
        ours, theirs = rounds["linkray"], rounds["asyncio"]
        for place, what in enumerate(("throughput", "paced", "memory")):
            figures[f"{what}_ratio_{count}"] = statistics.median(
                a[place] / b[place] for a, b in zip(ours, theirs, strict=True)
            )
    return figures
