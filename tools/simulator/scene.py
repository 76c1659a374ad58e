"""The whole firmware in one `trio.run` on virtual time, with a simulated site around it.

Same seed, same order of tasks (`tools.world.order`), so that the same seed gives the same trace.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import trio
from tools.world import MAPS, Car, Dial, Link, Make, World, memory_dial
from tools.world import Charger as WorldCharger
from tools.world.csms import Csms
from tools.world.disk import Disk
from tools.world.order import same_order

from linkray.app import House, shipped_quirks
from linkray.charger.task import serve_stream
from linkray.hal.sim import MemorySerial, make
from linkray.kit.clock import WallClock
from linkray.kit.log import LogRing, set_up
from linkray.model.asks import LOCAL, Answer, AnyAsk, Who
from linkray.model.plan import Offer
from linkray.model.settings import Charger, Group, LimitPhases, MeterSettings, Settings, Site
from linkray.store.db import FILE, Store
from linkray.store.runner import Inline

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
BOARD = b'name = "test"\nbackend = "sim"\n'
HERE = Who("test", LOCAL, "test")
QUIRKS = shipped_quirks()
LOG = LogRing()


FUSE_PERCENT_MAX = 90.0  # trust.md 1, How they are checked
FRAMES_KEPT = 20_000
NO_METER = MeterSettings()


def amps(*per_phase: float) -> LimitPhases:
    each = per_phase * 3 if len(per_phase) == 1 else per_phase
    return LimitPhases(*(round(a * 1000) for a in each))


@dataclass(frozen=True)
class Frame:
    """One frame of a charger's link as LinkRay's OCPP log has it; `way` is in or out."""

    at: float
    charger: str
    way: str
    text: str


@dataclass(frozen=True)
class Neighbour:
    """How a charger that has nothing to do with a fault was when it began."""

    charger: WorldCharger
    dials: int
    transaction: int | None
    energy_wh: int


class Scene:
    """A running box and the world around it."""

    def __init__(
        self, settings: Settings, world: World, nursery: trio.Nursery, folder: Path, licence: int
    ) -> None:
        self.settings = settings
        self.world = world
        self.nursery = nursery
        self.folder = folder
        self.licence = licence
        self.disk: Disk | None = None  # for the database; None: it is in memory
        self.strict = True  # the first mistake of ours ends the run
        self.frames: deque[Frame] = deque(maxlen=FRAMES_KEPT)
        self.on_frame: Callable[[Frame], None] | None = None
        self.meter_dial: Callable[[str, int], Awaitable[trio.abc.Stream]] = trio.open_tcp_stream
        self.csms: Csms | None = None  # what stands behind the box, where one does
        self.meter_line: trio.abc.Stream | None = None  # its far end, while it is open
        self.wires: dict[str, Link] = {}  # of those chargers that have one of their own
        self.make_house: Callable[..., House] = House
        self.wall_off_s = 0.0  # what was set wrong: the wall clock's error
        zero = trio.current_time()
        self.wall = WallClock(
            lambda: world.begins_utc
            + timedelta(seconds=trio.current_time() - zero + self.wall_off_s)
        )
        self.serial = MemorySerial()
        self.board = make(BOARD, folder, self.serial)
        self._life: trio.CancelScope | None = None

    async def start(self) -> None:
        """Open the store and bring the box up, as after power-on."""
        await self._open()
        await self.store.change_settings(self.settings, HERE, "test")
        await self.store.remember("settings_imported", self.wall.stamp())
        await self.up()

    async def restart(self) -> None:
        """The process ends and comes again: links, plan and readings go, the database stays."""
        self.end()
        await trio.sleep(1)
        if self.disk is not None:
            self.store._disk.abandon()  # noqa: SLF001  # as a process that ends without a word
            await self._open()
        await self.up()

    async def _open(self) -> None:
        """The store: in memory, or on a disk that can fail."""
        if self.disk is None:
            self.store = await Store.open(":memory:", Inline(), self.wall)
        else:
            self.store = await Store.open(Path("/disk") / FILE, Inline(), self.wall, self.disk)

    async def up(self) -> None:
        """A new process on the store that is there; what was in the old one's memory is gone."""
        self.store._gathered.clear()  # noqa: SLF001
        self.house = self.make_house(
            self.board, self.store, self.wall, self.licence, QUIRKS, LOG, strict=self.strict,
            dial=self.meter_dial, state=self.folder,
        )  # fmt: skip
        if self.csms is not None:
            self.house.uplinks.connect = self._to_csms
        self.house.chargers.ocpp_log = self._note_frame
        self._life = await self.nursery.start(self._live)
        self.house.started.set(True)

    async def _to_csms(self, _host: str, _port: int) -> trio.abc.Stream:
        """How the box reaches the CSMS."""
        assert self.csms is not None
        return await self.csms.dial(self.nursery)()

    def end(self) -> None:
        """The process ends at this very moment, as at a power cut."""
        assert self._life is not None
        self._life.cancel()

    def _note_frame(self, charger: str, way: str, text: str) -> None:
        frame = Frame(trio.current_time(), charger, way, text)
        self.frames.append(frame)
        if self.on_frame is not None:
            self.on_frame(frame)

    async def _live(self, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as life:
            async with trio.open_nursery() as nursery:
                self._links = nursery
                await nursery.start(self.house.live)
                task_status.started(life)

    def dial(self, address: str = "10.0.0.9", link: Link | None = None) -> Dial:
        """How a charger of the world reaches the box, whichever life it is in."""

        async def serve(stream: trio.abc.Stream) -> None:
            assert self._life is not None
            if self._life.cancel_called:
                await trio.aclose_forcefully(stream)
                return
            self._links.start_soon(serve_stream, self.house.chargers, stream, address)

        return memory_dial(self.nursery, serve, link)

    def begin(self) -> None:
        """Time passes in the world, and its chargers dial."""
        dials = {charger: self.dial(link=wire) for charger, wire in self.wires.items()}
        self.nursery.start_soon(partial(self.world.run, self.dial(), dials=dials))

    def offer(self, charger: str, connector: int = 1) -> Offer:
        for offer in self.house.plan.value.offers:
            if (offer.charger, offer.connector) == (charger, connector):
                return offer
        raise LookupError(f"no offer for {charger} connector {connector} in the plan")

    def offers_a(self, *chargers: str) -> list[float]:
        """What these are offered, on their busiest phase, in amps."""
        return [self.offer(c).offer_ma.highest() / 1000 for c in chargers]

    def pilots_a(self, *chargers: str) -> list[float]:
        """What these tell their cars, in amps: what came of the offers."""
        return [self.world.charger(c).connector(1).pilot_ma / 1000 for c in chargers]

    async def ask(self, ask: AnyAsk, within_s: float = 15.0) -> Answer:
        return await self.house.desk.ask(ask, HERE, within_s)

    async def change(self, **parts: Any) -> None:
        """New settings: parts of `Site`, or `groups=` and `chargers=`."""
        old = self.store.settings.value
        site = {k: v for k, v in parts.items() if k not in ("groups", "chargers")}
        whole = {k: v for k, v in parts.items() if k in ("groups", "chargers")}
        new = msgspec.structs.replace(
            old, site=msgspec.structs.replace(old.site, **site), **whole
        )
        await self.store.change_settings(new, HERE, "test")

    async def until(self, holds: Callable[[], bool], within_s: float, what: object = "") -> float:
        """Wait for something to become true; how long it took. Fails with `what` when late."""
        began = trio.current_time()
        while not holds():
            waited = trio.current_time() - began
            seen = what() if callable(what) else what
            assert waited < within_s, f"not within {within_s} s: {seen}"
            await trio.sleep(0.05)
        return trio.current_time() - began

    async def offered(self, *expected: float, within_s: float = 60.0, names: str = "") -> float:
        """Wait until C1, C2, … are offered just this, in the plan and at their cars' pilots."""
        who = names.split() or [f"C{n + 1}" for n in range(len(expected))]

        def holds() -> bool:
            return self.offers_a(*who) == list(expected) == self.pilots_a(*who)

        return await self.until(
            holds, within_s, lambda: f"{self.offers_a(*who)} {self.pilots_a(*who)} {expected}"
        )

    def charge(self, *names: str, car: Callable[[], Car] | None = None) -> None:
        """Somebody plugs a hungry car in at each and presents a tag."""
        for name in names:
            charger = self.world.charger(name)
            charger.plug(car() if car else hungry())
            charger.present_tag("TAG1")

    def unplug_meter(self) -> None:
        """The meter's line or connection ends; the next opening finds whatever meter is there."""
        assert self.meter_line is not None
        self.nursery.start_soon(trio.aclose_forcefully, self.meter_line)

    def lines(self, word: str) -> list[str]:
        """The log lines that hold a word."""
        return [line for line in LOG.lines if word in line]

    def faults(self, charger: str | None = None) -> set[str]:
        """The codes of what is wrong; with a charger, of what is wrong with it."""
        found = self.house.faults.cell.value
        return {fault.code for fault in found if charger in (None, fault.subject)}

    def said(self, *words: str) -> str:
        """The newest log line that holds all these words; fails where there is none."""
        for line in reversed(LOG.lines):
            if all(word in line for word in words):
                return line
        raise AssertionError(f"no log line with {words}: {list(LOG.lines)[-20:]}")

    def answers(self, message_id: str) -> list[list[object]]:
        """What LinkRay answered to a call with this id."""
        told = [json.loads(f.text) for f in self.frames if f.way == "out"]
        return [frame for frame in told if frame[0] in (3, 4) and frame[1] == message_id]

    def told(self, charger: str, action: str) -> list[tuple[float, dict[str, object]]]:
        """LinkRay's calls of this action to a charger, with their times."""
        calls = [(f.at, json.loads(f.text)) for f in self.frames
                 if f.charger == charger and f.way == "out"]  # fmt: skip
        return [(at, frame[3]) for at, frame in calls if frame[0] == 2 and frame[2] == action]

    # -- the oracle ------------------------------------------------------------------------------

    def watch(self, *names: str) -> list[Neighbour]:
        """Remember how these stand now; `went_on` says later whether a fault touched them."""
        return [
            Neighbour(c, c.dials, run.id if (run := c.connector(1).transaction) else None,
                      c.connector(1).energy_wh)
            for c in map(self.world.charger, names)
        ]  # fmt: skip

    def went_on(self, before: Iterable[Neighbour], least_wh: int = 1) -> None:
        """Neighbours kept link, session and current: they charged at least so much meanwhile."""
        for was in before:
            charger, now = was.charger, was.charger.connector(1)
            assert charger.is_connected, charger.id
            assert charger.dials == was.dials, charger.id
            assert now.transaction is not None, charger.id
            assert now.transaction.id == was.transaction, charger.id
            assert now.energy_wh - was.energy_wh >= least_wh, (charger.id, now.energy_wh)

    def is_safe(self) -> None:
        """What truly flowed kept every limit, no fuse came near, and LinkRay spoke by the book."""
        assert self.world.limit_exceeded_s == 0
        assert self.world.oracle.fuse_percent_max() < FUSE_PERCENT_MAX
        assert self.world.complaints == []


@asynccontextmanager
async def scene(
    settings: Settings,
    *,
    seed: int = 1,
    licence: int = 64,
    meter: str | None = None,
    makes: dict[str, Make] | None = None,
    strict: bool = True,
    disk: Disk | None = None,
    csms: Csms | None = None,
    wires: dict[str, Link] | None = None,
) -> AsyncIterator[Scene]:
    """A box with these settings and a simulated charger for each that it knows, all dialled in.

    `csms`: what stands behind it, under the address of the settings. `wires`: of those chargers
    that have a line of their own.

    `meter` names a map of `tools.world.meters`, on the RS-485 line or (where the map says `tcp`)
    behind `House.dial`. `disk`, plugged, holds its database. Ends when the block does.
    """

    def prepare(a_scene: Scene) -> None:
        a_scene.disk, a_scene.csms = disk, csms
        a_scene.wires = dict(wires or {})

    location = settings.site.meter.location
    limit = settings.site.limit_ma
    world = World(seed, limit_ma=(limit.l1, limit.l2, limit.l3), meter_sees=location,
                  utc=NOON)  # fmt: skip
    if meter is not None:
        part = msgspec.structs.replace(settings.site.meter, enabled=True, file=dict(MAPS[meter]))
        settings = msgspec.structs.replace(
            settings, site=msgspec.structs.replace(settings.site, meter=part)
        )
        world.add_meter(dict(MAPS[meter]))
    for group in settings.groups:
        world.add_group(group.name, group.limit_ma, group.parent)
    for kept in settings.chargers:
        made = (makes or {}).get(kept.id) or Make(phases=3 if kept.phases == 3 else 1)
        world.add_charger(kept.id, make=made, connection=kept.connection, group=kept.group)
    async with played(
        settings, world, seed=seed, licence=licence, strict=strict, prepare=prepare
    ) as a_scene:
        yield a_scene


@asynccontextmanager
async def played(
    settings: Settings,
    world: World,
    *,
    seed: int = 1,
    licence: int = 64,
    strict: bool = True,
    prepare: Callable[[Scene], None] | None = None,
) -> AsyncIterator[Scene]:
    """A box with these settings in this world; ends when the block does.

    `prepare` may change the scene before the box comes up.
    """
    with same_order(seed), TemporaryDirectory() as folder:
        async with trio.open_nursery() as nursery:
            LOG.lines.clear()
            a_scene = Scene(settings, world, nursery, Path(folder), licence)
            a_scene.strict = strict
            if prepare is not None:
                prepare(a_scene)
            set_up(a_scene.wall, LOG, StringIO())
            if world.meter is not None and world.meter.is_tcp:
                a_scene.meter_dial = meter_dial(a_scene)
            elif world.meter is not None:
                nursery.start_soon(_play_meter, a_scene)
            await a_scene.start()
            a_scene.begin()
            yield a_scene
            nursery.cancel_scope.cancel()
        await a_scene.store.close()


def meter_dial(s: Scene) -> Callable[[str, int], Awaitable[trio.abc.Stream]]:
    """How the box reaches the world's TCP meter."""

    async def serve(stream: trio.abc.Stream) -> None:
        await _serve_meter(s, stream)

    to_meter = memory_dial(s.nursery, serve)

    async def dial(_host: str, _port: int) -> trio.abc.Stream:
        return await to_meter()

    return dial


async def _play_meter(s: Scene) -> None:
    """The meter at the far end of the RS-485 line, however often it is opened."""
    while True:
        _line, far_end = await s.serial.other_end()
        await _serve_meter(s, far_end)


async def _serve_meter(s: Scene, stream: trio.abc.Stream) -> None:
    assert s.world.meter is not None
    s.meter_line = stream
    await s.world.meter.serve(stream)


def single(identity: str, **kept: Any) -> Charger:
    """A single-phase 32 A charger on L1, as the worked examples have it."""
    return Charger(identity, **{"phases": 1, "connection": "L1", "max_ma": 32_000, **kept})


def three(identity: str, **kept: Any) -> Charger:
    return Charger(
        identity, **{"phases": 3, "connection": "L1-L2-L3", "max_ma": 32_000, **kept}
    )


def site(limit_a: float | tuple[float, float, float], *chargers: Charger,
         groups: tuple[Group, ...] = (), meter: MeterSettings = NO_METER,
         **rest: Any) -> Settings:
    limits = (limit_a,) if isinstance(limit_a, int | float) else limit_a
    return Settings(
        site=Site(limit_ma=amps(*limits), meter=meter, **rest), groups=groups, chargers=chargers
    )


def hungry(phases: int = 1, max_a: float = 32.0, **made: Any) -> Car:
    """A car that takes whatever it is offered, for as long as a scene may last."""
    return Car(phases=phases, max_ma=round(max_a * 1000), **made)
