"""Meter sample over the limit → last lower profile on the wire, with 32 and 100 chargers charging.

The meter and the chargers are played here, in one process with one clock. The building rises in
steps; each step must reach all chargers as a lower limit.
"""

from __future__ import annotations

import asyncio
import statistics
import struct

from tools.bench_parts.load import Charger, utc
from tools.bench_parts.process import control

COUNTS = (32, 100)
STEPS = 60
CAR_A = 16.0
LEAST_A = 6.5


class Car(Charger):
    """A charger whose car takes just what it is offered, up to 16 A."""

    limit_a = 0.0
    lowered_at = 0.0

    def heard(self, frame: list[object]) -> None:
        if frame[0] == 2 and frame[2] == "SetChargingProfile":
            payload = frame[3]
            assert isinstance(payload, dict)
            schedule = payload["csChargingProfiles"]["chargingSchedule"]
            limit_a = float(schedule["chargingSchedulePeriod"][0]["limit"])
            if limit_a < self.limit_a:
                self.lowered_at = asyncio.get_running_loop().time()
            self.limit_a = limit_a
        super().heard(frame)

    @property
    def drawn_a(self) -> float:
        return min(self.limit_a, CAR_A) if self.limit_a >= 6 else 0.0

    async def charge(self) -> None:
        await self.call("StartTransaction", {
            "connectorId": 1, "idTag": "BENCH", "meterStart": 0,
            "timestamp": utc()})
        await self.call("StatusNotification", {
            "connectorId": 1, "errorCode": "NoError", "status": "Charging"})
        while True:
            value = {"measurand": "Current.Import", "unit": "A", "value": f"{self.drawn_a:.1f}"}
            await self.call("MeterValues", {"connectorId": 1, "meterValue": [
                {"timestamp": utc(), "sampledValue": [value]}]})
            await asyncio.sleep(5)


class Meter:
    """A Modbus TCP meter of three float currents at register 6, as an SDM630 has them."""

    def __init__(self, fleet: list[Car]) -> None:
        self.fleet = fleet
        self.building_a = 20.0
        self.told: list[tuple[float, float]] = []  # when, and which building load was in it

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(12):
            number, _, _, unit, code, first, count = struct.unpack(">HHHBBHH", head)
            grid_a = self.building_a + sum(c.drawn_a for c in self.fleet)
            words = {0: 230.0, 2: 230.0, 4: 230.0, 6: grid_a, 8: 0.5, 10: 0.5}
            body = b"".join(
                struct.pack(">f", words.get(r, 0.0)) for r in range(first, first + count, 2)
            )
            answer = struct.pack(">BBB", unit, code, len(body)) + body
            writer.write(struct.pack(">HHH", number, 0, len(answer)) + answer)
            if first <= 6 < first + count:
                self.told.append((asyncio.get_running_loop().time(), self.building_a))


def limit_of(fleet: list[Car]) -> float:
    return len(fleet) * (CAR_A + 5.0)


async def steps(meter: Meter, fleet: list[Car]) -> list[float]:
    """Each step takes 0.1 A from every car, so that every charger must be told a lower limit."""
    loop = asyncio.get_running_loop()
    count, limit_a = len(fleet), limit_of(fleet)
    for car in fleet:
        await car.dial()
        await car.boot()
    charging = [asyncio.create_task(car.charge()) for car in fleet]
    while sum(c.drawn_a for c in fleet) < count * CAR_A * 0.99:  # noqa: ASYNC110  # all of them
        await asyncio.sleep(0.2)
    await asyncio.sleep(65)  # the start is over, the high-water mark is the steady load
    meter.building_a = limit_a - count * CAR_A
    took = []
    for _ in range(STEPS):
        await asyncio.sleep(1.7)
        meter.building_a += 0.1 * count
        stepped, want = loop.time(), meter.building_a
        await asyncio.sleep(2.5)
        seen = next((at for at, told in meter.told if told == want and at >= stepped), None)
        late = [c.name for c in fleet if seen is None or c.lowered_at < seen]
        if seen is None or late:
            raise RuntimeError(f"the step to {want:g} A did not reach {', '.join(late)}")
        took.append(max(c.lowered_at for c in fleet) - seen)
        if limit_a - meter.building_a < count * (LEAST_A + 0.1):
            break
    for task in charging:
        task.cancel()
    await asyncio.gather(*charging, return_exceptions=True)
    return took


async def play(port: int, meter: Meter, server: asyncio.Server) -> list[float]:
    for car in meter.fleet:
        car.port = port
    async with server:
        return await steps(meter, meter.fleet)


def measure() -> dict[str, float]:
    figures: dict[str, float] = {}
    for count in COUNTS:
        ranked = sorted(reactions(count))
        name = "reaction" if count == COUNTS[0] else f"reaction_{count}"
        figures |= {
            f"{name}_ms_p50": statistics.median(ranked) * 1000,
            f"{name}_ms_p99": ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))] * 1000,
            f"{name}_ms_max": ranked[-1] * 1000,
            f"{name}_steps": float(len(ranked)),
        }
    return figures


def reactions(count: int) -> list[float]:
    """Seconds from each sample to the last lower profile, with so many chargers."""
    fleet = [Car(f"react-{n:03d}", 0) for n in range(count)]
    meter = Meter(fleet)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(meter.serve, "127.0.0.1", 0))
    file: dict[str, object] = {
        "name": "bench", "tcp": True, "IP": "127.0.0.1",
        "port": server.sockets[0].getsockname()[1], "Address": 1,
        "ReadCmd": 4, "ARegisterL1": 6, "ARegisterL2": 8, "ARegisterL3": 10,
        "VRegisterL1": 0, "VRegisterL2": 2, "VRegisterL3": 4, "DataType": "Float",
    }  # fmt: skip
    settings: dict[str, object] = {
        "version": 1,
        "site": {
            "limit_ma": [round(limit_of(fleet) * 1000)] * 3,
            "meter": {"enabled": True, "file": file},
        },
        "chargers": [{"id": c.name, "max_ma": 16_000} for c in fleet],
    }
    with control(settings=settings) as (_pid, ports, _state):
        return loop.run_until_complete(play(ports["ocpp"], meter, server))
