"""The uplink at 32 chargers: what it adds to a message either way, what it writes, how soon it is
back after SIGKILL.

Chargers and CSMS are played here, in one process with one clock, once with LinkRay between them,
once with a plain asyncio proxy, once with nothing: what that takes is taken off. Written is what
SQLite gives to a simulated disk, in half an hour of virtual time with the CSMS there and half an
hour without, times 48.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import statistics
import time
from collections import defaultdict
from typing import Any

import msgspec
import trio
import websockets
from websockets.asyncio.server import ServerConnection, serve

from linkray.model.settings import Csms as CsmsSettings
from tools.bench_parts.load import SAMPLE, Charger, masked, utc
from tools.bench_parts.process import control, started
from tools.simulator.run import seldom_collected
from tools.simulator.scene import Scene, hungry, scene, site, three
from tools.simulator.virtual import VirtualClock
from tools.world.csms import Csms
from tools.world.disk import Disk

COUNT = 32
MESSAGES = 20  # each way for each charger, after those that warm up
WARM = 3
PAUSE_S = 1.0
LIVE_S = 60.0  # until every uplink stands
KILLS = 5
STRETCH_S = 1_800.0
SESSION_S = 600.0
MIB = 1 << 20
NAMES = [f"up-{n:02d}" for n in range(COUNT)]


class Marks:
    """When a marked message was said, and when it had come."""

    def __init__(self) -> None:
        self.said: dict[str, float] = {}
        self.took_s: dict[str, list[float]] = defaultdict(list)

    def came(self, way: str, mark: object) -> None:
        at = self.said.pop(str(mark), None)
        if at is not None and not str(mark).startswith("warm"):
            self.took_s[way].append(time.perf_counter() - at)


class Central:
    """The CSMS: answers everything, and calls."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.links: dict[str, ServerConnection] = {}

    async def serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        self.links[link.request.path.rpartition("/")[2]] = link
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in link:
                await self.hear(link, json.loads(text))

    async def hear(self, link: ServerConnection, frame: list[Any]) -> None:
        if frame[0] == 2:
            self.marks.came("up", frame[1])
            await link.send(json.dumps([3, frame[1], self.answer(frame[2])]))

    @staticmethod
    def answer(action: str) -> dict[str, object]:
        if action != "BootNotification":
            return {}
        return {"status": "Accepted", "interval": 300, "currentTime": "2026-01-01T00:00:00Z"}

    async def call(self, charger: str, mark: str) -> None:
        said = {"vendorId": "bench", "messageId": mark}
        self.marks.said[mark] = time.perf_counter()
        await self.links[charger].send(json.dumps([2, mark, "DataTransfer", said]))


class Marked(Charger):
    """A charger that says and hears marked messages: its own ids reach the CSMS."""

    marks: Marks

    def heard(self, frame: list[object]) -> None:
        if frame[0] == 2 and frame[2] == "DataTransfer":
            payload = frame[3]
            assert isinstance(payload, dict)
            self.marks.came("down", payload["messageId"])
        super().heard(frame)

    async def say(self, mark: str) -> None:
        """Meter values, which most of the traffic is; of the clock: those are never thinned."""
        values = [{**one, "context": "Sample.Clock"} for one in SAMPLE]
        said = {"connectorId": 1, "meterValue": [{"timestamp": utc(), "sampledValue": values}]}
        future = self.waiting[mark] = asyncio.get_running_loop().create_future()
        self.marks.said[mark] = time.perf_counter()
        self.writer.write(masked(json.dumps([2, mark, "MeterValues", said])))
        await asyncio.wait_for(future, 30)


async def both_ways(charger: Marked, central: Central, place: float) -> None:
    """Messages up and down in turns, those of all chargers spread over the second: those up over
    its first half, those down over the other, so that no two are always at the same moment.
    """
    await asyncio.sleep(place * PAUSE_S / 2)
    for number in range(WARM + MESSAGES):
        kind = "warm" if number < WARM else "mark"
        await charger.say(f"{kind}-{charger.name}-{number}-up")
        await asyncio.sleep(PAUSE_S / 2)
        await central.call(charger.name, f"{kind}-{charger.name}-{number}-down")
        await asyncio.sleep(PAUSE_S / 2)


async def through(port: int, central: Central, marks: Marks) -> dict[str, list[float]]:
    """Seconds that messages took either way, of chargers that dial this port."""
    fleet = [Marked(name, port) for name in NAMES]
    for charger in fleet:
        charger.marks = marks
        await charger.dial()
        await charger.boot()
    with_all = asyncio.get_running_loop().time() + LIVE_S
    while not all(name in central.links for name in NAMES):  # all of them
        if asyncio.get_running_loop().time() > with_all:
            raise TimeoutError(f"{COUNT - len(central.links)} uplinks do not stand")
        await asyncio.sleep(0.1)
    await asyncio.sleep(5)  # commissioning is over
    await asyncio.gather(*(
        both_ways(charger, central, place / COUNT) for place, charger in enumerate(fleet)
    ))
    for charger in fleet:
        charger.listening.cancel()
        charger.writer.close()
    return marks.took_s


async def played(middle: str) -> dict[str, list[float]]:
    """One round with this between chargers and CSMS."""
    marks = Marks()
    central = Central(marks)
    async with serve(
        central.serve, "127.0.0.1", 0, subprotocols=[websockets.Subprotocol("ocpp1.6")],
        compression=None,
    ) as server:  # fmt: skip
        port = int(next(iter(server.sockets)).getsockname()[1])
        if middle == "nothing":
            return await through(port, central, marks)
        if middle == "proxy":
            with started("tools.bench_parts.asyncio_proxy", str(port)) as (_pid, ports):
                return await through(ports["ocpp"], central, marks)
        with control(settings=known(port)) as (_pid, ports, _state):
            return await through(ports["ocpp"], central, marks)


def known(csms: int | None = None) -> dict[str, object]:
    settings: dict[str, object] = {"version": 1, "chargers": [{"id": name} for name in NAMES]}
    return settings if csms is None else settings | {"csms": {"url": f"ws://127.0.0.1:{csms}"}}


def added() -> dict[str, float]:
    """Milliseconds more than with nothing between: the median, and the slowest in a hundred."""
    took = {middle: asyncio.run(played(middle)) for middle in ("nothing", "proxy", "linkray")}
    figures = {}
    for middle in ("linkray", "proxy"):
        for way in ("up", "down"):
            bare = statistics.median(took["nothing"][way])
            ranked = sorted(took[middle][way])
            name = f"{middle}_{way}" if middle == "proxy" else f"uplink_{way}"
            figures[f"{name}_ms_p50"] = (statistics.median(ranked) - bare) * 1000
            late = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
            figures[f"{name}_ms_p99"] = (late - bare) * 1000
    return figures


# -- what is written -------------------------------------------------------------------------------


async def _written(disk: Disk, *, is_there: bool) -> int:
    """Bytes in the stretch: all charge, sessions end and begin anew, the CSMS is there or not."""
    base = site(400, *map(three, NAMES))
    settings = msgspec.structs.replace(base, csms=CsmsSettings("ws://csms.example"))
    central = Csms()
    async with scene(settings, seed=5, licence=COUNT, disk=disk, csms=central) as s:
        for name in NAMES:
            await central.wait_linked(name, within_s=120)
        if not is_there:
            central.cut()
        _all_charge(s)
        await trio.sleep(120)
        before = disk.bytes_written
        ends = trio.current_time() + STRETCH_S
        while trio.current_time() < ends:
            await trio.sleep(SESSION_S)
            for name in NAMES:
                s.world.charger(name).unplug()
            await trio.sleep(10)
            _all_charge(s)
        return int((disk.bytes_written - before) * STRETCH_S / (trio.current_time() - ends
                                                               + STRETCH_S))  # fmt: skip


def _all_charge(s: Scene) -> None:
    s.charge(*NAMES, car=lambda: hungry(3))


def written() -> dict[str, float]:
    """MiB a day."""
    figures = {}
    for name, is_there in (("live", True), ("away", False)):
        with seldom_collected(), Disk().plugged() as disk:
            async def stretch(disk: Disk = disk, *, is_there: bool = is_there) -> int:
                return await _written(disk, is_there=is_there)

            total: int = trio.run(stretch, clock=VirtualClock())
        figures[f"written_mib_day_{name}"] = total / MIB * 86_400 / STRETCH_S
    return figures


# -- after SIGKILL ---------------------------------------------------------------------------------


def back_s() -> float:
    """From SIGKILL to the first plan made and the doors open."""
    with control(settings=known()) as (pid, ports, state):
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        with started(
            "linkray", "run", "--board", str(state.parent / "board.toml"), "--state", str(state),
            "--bind", "127.0.0.1", "--ocpp-port", str(ports["ocpp"]), "--ocpps-port",
            str(ports["ocpps"]),
        ):  # fmt: skip
            return time.monotonic() - began


def measure() -> dict[str, float]:
    back = statistics.median(back_s() for _ in range(KILLS))
    return {**added(), **written(), "kill9_back_s": back}
