"""Throughput and memory of the central system, side by side with plain asyncio (issue: Speed)."""

from __future__ import annotations

import asyncio
import statistics

from tools.bench_parts.load import Charger
from tools.bench_parts.process import control, cpu_s, resident_kib, started

ROUNDS = 3
LOAD_S = 4.0
FLEETS = (50, 500)


async def one_round(pid: int, port: int, count: int) -> tuple[float, float, int]:
    """Round trips per CPU second, KiB per connection, round trips."""
    before_kib = resident_kib(pid)
    fleet = [Charger(f"load-{n:04d}", port) for n in range(count)]
    for start in range(0, count, 50):
        await asyncio.gather(*(c.dial() for c in fleet[start : start + 50]))
        await asyncio.gather(*(c.boot() for c in fleet[start : start + 50]))
    await asyncio.sleep(3)  # commissioning is over; only MeterValues are measured
    per_link = (resident_kib(pid) - before_kib) / count
    spent = cpu_s(pid)
    until = asyncio.get_running_loop().time() + LOAD_S
    await asyncio.gather(*(c.meter_values(until) for c in fleet))
    spent = cpu_s(pid) - spent
    trips = sum(c.trips for c in fleet)
    for charger in fleet:
        charger.listening.cancel()
        charger.writer.close()
    return trips / spent, per_link, trips


def measure() -> dict[str, float]:
    figures: dict[str, float] = {}
    for count in FLEETS:
        rates: dict[str, list[float]] = {"linkray": [], "untuned": [], "asyncio": []}
        kib: dict[str, list[float]] = {"linkray": [], "untuned": [], "asyncio": []}
        for _ in range(ROUNDS):
            with control() as (pid, ports, _state):
                rate, link, _ = asyncio.run(one_round(pid, ports["ocpp"], count))
                rates["linkray"].append(rate)
                kib["linkray"].append(link)
            with control(env={"LINKRAY_GC": "default"}) as (pid, ports, _state):
                rate, link, _ = asyncio.run(one_round(pid, ports["ocpp"], count))
                rates["untuned"].append(rate)
                kib["untuned"].append(link)
            with started("tools.bench_parts.asyncio_central") as (pid, ports):
                rate, link, _ = asyncio.run(one_round(pid, ports["ocpp"], count))
                rates["asyncio"].append(rate)
                kib["asyncio"].append(link)
        for name, values in rates.items():
            figures[f"{name}_trips_per_cpu_s_{count}"] = statistics.median(values)
            figures[f"{name}_kib_per_link_{count}"] = statistics.median(kib[name])
        figures[f"throughput_ratio_{count}"] = statistics.median(
            a / b for a, b in zip(rates["linkray"], rates["asyncio"], strict=True)
        )
        figures[f"memory_ratio_{count}"] = statistics.median(
            a / b for a, b in zip(kib["linkray"], kib["asyncio"], strict=True)
        )
    return figures
