"""The roof: lays the pipes, opens the nurseries, knows every room (firmware/README.md).

Nesting is the order of shutdown: store ⊃ balance ⊃ rooms ⊃ listeners and desk. What others need is
opened first and closed last. The simulation builds the same `House` over memory streams.
"""

from __future__ import annotations

import fcntl
import functools
import gc
import math
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from linkray import __version__
from linkray.access.tags import may_charge
from linkray.balance.balancer import Balancer
from linkray.balance.task import FactRing, PlanTimes, run_balance
from linkray.charger import task as charger_task
from linkray.charger.quirks import BadQuirk, Quirks, load
from linkray.desk.desk import no, yes
from linkray.desk.snapshot import Seen
from linkray.desk.task import Desk, open_desk, serve_desk
from linkray.hal.board import EXIT_REBOOT, Board
from linkray.hal.boards import BadBoard
from linkray.hal.boards import load as load_board
from linkray.hal.files import sync_folder, write_synced
from linkray.hal.notify import ready as tell_systemd
from linkray.hal.sim import SimButton
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock, stamp, zone_named
from linkray.kit.keep import keep
from linkray.kit.log import LogRing, set_up
from linkray.kit.tls import OLDEST, own_certificate, server_context
from linkray.meter import meterfile
from linkray.meter.task import MeterRoom, run_meter
from linkray.model import facts
from linkray.model.asks import (
    Answer,
    Ask,
    DeleteCharger,
    FactoryReset,
    Identify,
    PressButton,
    SetEmergencyStop,
    SetPriority,
    ShippedMeter,
    StartCharging,
    StopCharging,
    Who,
)
from linkray.model.faults import Code, Fault, key
from linkray.model.plan import NO_PLAN, Plan
from linkray.model.settings import Charger, MeterFileValue, Settings
from linkray.model.tags import Decision
from linkray.model.units import ZERO, Phases
from linkray.model.views import ChargerView, LedView, MeterView
from linkray.ocpp import lenient
from linkray.panel.button import ReopenFirstLogin, Wanted
from linkray.panel.task import Panel, run_panel
from linkray.store.db import FILE, Store, StoreError
from linkray.store.runner import Inline, InThread, Runner
from linkray.upkeep.task import factory_reset, finish_reset

INBOX_FACTS = 20_000  # a burst of 1,000 chargers that come back at once, five times over
FIGURES_S = 5.0  # how often energy today is asked of the store

EMERGENCY = "emergency-stop"  # the latch: a file of its own, so that it outlives the database
OPENED = "commissioning_opened"
COMMISSIONING_S = 24 * 3600.0  # trust.md 4, rule 5
REOPENED_S = 30 * 60.0
STARTS = "starts"
STARTS_S = 300.0  # house.md, Decided: three starts within five minutes are one too many
STARTS_MAX = 3
SAFE_S = 300.0  # trust.md P12: safe mode ends when nothing has failed for so long
ITSELF = Who("linkray", 4, "itself")

log = structlog.get_logger(source="LINKRAY")


@dataclass
class House:
    """Everything of one box: its parts, its pipes, its rooms. Made by `open_house`."""

    board: Board
    store: Store
    wall: WallClock
    licence: int
    quirks: Quirks
    ring: LogRing = field(default_factory=LogRing)
    strict: bool = False  # tests: the first mistake of ours ends the run
    plan: Cell[Plan] = field(default_factory=lambda: Cell(NO_PLAN))
    beat: Cell[float] = field(default_factory=lambda: Cell(-math.inf))
    faults: Flags[Fault] = field(default_factory=Flags)
    led: Cell[LedView] = field(default_factory=lambda: Cell(LedView()))
    meter: Cell[MeterView] = field(default_factory=lambda: Cell(MeterView()))
    drawn: Cell[Phases] = field(default_factory=lambda: Cell(ZERO))
    started: Cell[bool] = field(default_factory=lambda: Cell(False))
    emergency: Cell[bool] = field(default_factory=lambda: Cell(False))
    views: dict[str, Cell[ChargerView]] = field(default_factory=dict)
    times: PlanTimes = field(default_factory=PlanTimes)
    fact_ring: FactRing = field(default_factory=FactRing)
    dial: Callable[[str, int], Awaitable[trio.abc.Stream]] = trio.open_tcp_stream
    state: Path | None = None
    runner: Runner = field(default_factory=Inline)  # for what blocks

    def __post_init__(self) -> None:
        self.tell_balance, self.inbox = trio.open_memory_channel[facts.AnyFact](INBOX_FACTS)
        self.began = trio.current_time()
        self.energy_today_wh = 0
        self.stopped_by: str | None = None
        self.safe_mode = False
        self.desk = Desk(
            self.store, self.see, self._answerers(), meters=Meters(), clock=self.wall,
            log_lines=lambda: tuple(self.ring.lines),
            stirs=(self.plan, self.faults.cell, self.led, self.emergency),
            failures=(OSError, StoreError), strict=self.strict,
        )  # fmt: skip
        self.panel = Panel(
            self.board.leds, self.board.button, beat=self.beat, faults=self.faults.cell,
            started=self.started, led=self.led, wanted=self._button_wants,
        )  # fmt: skip
        self.chargers = charger_task.ChargerRoom(
            settings=self.store.settings, plan=self.plan, store=self.store, tell=self.tell,
            clock=self.wall, quirks=self.quirks, may_charge=self._may_charge,
            add_charger=self._add_charger, licence_total=self.licence, emergency=self.emergency,
            faults=self.faults, views=self.views, strict=self.strict,
        )  # fmt: skip

    # -- what flows ------------------------------------------------------------------------------

    def tell(self, fact: facts.AnyFact) -> bool:
        """A fact for the balancer, without waiting; False: its inbox is full or closed."""
        try:
            self.tell_balance.send_nowait(fact)
        except trio.WouldBlock:
            log.error("fact lost", cause=f"the balancer has {INBOX_FACTS} unread",  # noqa: TRY400
                      fact=type(fact).__name__)  # fmt: skip
            return False
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    def raise_(self, code: Code, detail: str = "") -> None:
        self.faults.raise_(key(code), Fault.of(code, self.wall.stamp(), detail=detail))

    def see(self) -> Seen:
        """What the desk shows, read from the cells at one moment."""
        now = trio.current_time()
        offers = self.plan.value
        return Seen(
            settings=self.store.settings.value,
            revision=self.store.revision,
            plan=offers,
            chargers=tuple(cell.value for cell in self.views.values()),
            meter=self.meter.value,
            faults=self.faults.cell.value,
            led=self.led.value,
            serial=self.board.identity.serial,
            version=__version__,
            licences_total=self.licence,
            energy_today_wh=self.energy_today_wh,
            emergency_stop=self.emergency.value,
            emergency_stop_by=self.stopped_by,
            uptime_s=int(now - self.began),
            system_uptime_s=int(self.board.system.uptime_s()),
            plan_ms_p50=round(self.times.p50, 3),
            plan_ms_p99=round(self.times.p99, 3),
            plan_gap_s_max=round(self.times.gap_s_max, 3),
            simulated=self.board.simulated,
            csms="not connected" if self.store.settings.value.csms.url else "stand-alone",
            commissioning_open=self.commissioning_open(),
        )

    def commissioning_open(self) -> bool:
        """Whether the printed password is let in at all (trust.md 4, rule 5)."""
        opened = self.store.recall(OPENED)
        if opened is None:
            return True
        since, _, seconds = opened.partition(" ")
        age_s = (self.wall.utc() - datetime.fromisoformat(since)).total_seconds()
        return age_s < float(seconds)

    # -- acts ------------------------------------------------------------------------------------

    def _answerers(self) -> Mapping[type[Ask], Callable[[Any, Who], Awaitable[Answer]]]:
        return {
            StartCharging: self._at_charger,
            StopCharging: self._at_charger,
            SetPriority: self._set_priority,
            DeleteCharger: self._delete_chargers,
            SetEmergencyStop: self._emergency,
            Identify: self._identify,
            PressButton: self._press,
            FactoryReset: self._reset,
        }

    async def _at_charger(self, ask: StartCharging | StopCharging, who: Who) -> Answer:
        await self.store.audit(
            who, type(ask).__name__, new=f"{ask.charger} connector {ask.connector}"
        )
        return await self.chargers.ask(ask.charger, ask)

    def _may_charge(self, tag: str, *, by_hand: bool) -> Decision:
        return may_charge(
            tag, settings=self.store.settings.value, emergency=self.emergency.value,
            by_hand=by_hand,
        )  # fmt: skip

    async def _add_charger(self, charger: Charger) -> None:
        async with self.desk.changing:
            old = self.store.settings.value
            if old.charger(charger.id) is None:
                new = msgspec.structs.replace(old, chargers=(*old.chargers, charger))
                await self.store.change_settings(new, ITSELF, f"added {charger.id}")

    async def _set_priority(self, ask: SetPriority, who: Who) -> Answer:
        wanted = set(ask.chargers)
        async with self.desk.changing:
            old = self.store.settings.value
            unknown = wanted - {c.id for c in old.chargers}
            if unknown:
                return no("unknown", f"Expected known chargers, got {', '.join(sorted(unknown))}")
            changed = tuple(
                msgspec.structs.replace(c, priority=ask.priority) if c.id in wanted else c
                for c in old.chargers
            )
            new = msgspec.structs.replace(old, chargers=changed)
            await self.store.change_settings(new, who, f"priority {ask.priority}")
        return yes(f"{len(wanted)} charger(s) set to {ask.priority} priority")

    async def _delete_chargers(self, ask: DeleteCharger, who: Who) -> Answer:
        gone = set(ask.chargers)
        if not gone:
            return no("invalid", "Expected at least one charger, got none", "$.chargers")
        async with self.desk.changing:
            old = self.store.settings.value
            kept = tuple(c for c in old.chargers if c.id not in gone)
            if len(kept) + len(gone) != len(old.chargers):
                return no("unknown", f"Expected known chargers, got {', '.join(sorted(gone))}")
            for charger in gone:
                await self.store.forget_charger(charger)
            new = msgspec.structs.replace(old, chargers=kept)
            await self.store.change_settings(new, who, f"deleted {', '.join(sorted(gone))}")
        return yes(f"{len(gone)} charger(s) deleted")

    async def _emergency(self, ask: SetEmergencyStop, who: Who) -> Answer:
        """A stop acts first and is then latched; it is allowed again only once that is on disk."""
        if ask.on:
            word = f"{who.name} at {self.wall.stamp()}"
            self._stop(word)
            await self.runner.run(lambda: write_synced(self.latch, word.encode()))
            await self.store.audit(who, "emergency stop", new="on")
            return yes("Everything is told to stop")
        await self.store.audit(who, "emergency stop", new="off")
        await self.runner.run(self._unlatch)
        self._allow(who.name)
        return yes("Charging is allowed again")

    @property
    def latch(self) -> Path:
        assert self.state is not None
        return self.state / EMERGENCY

    def _unlatch(self) -> None:
        self.latch.unlink(missing_ok=True)
        sync_folder(self.latch.parent)

    def _stop(self, by: str) -> None:
        self.stopped_by = by
        self.raise_(Code.EMERGENCY_STOP, by)
        self.emergency.set(True)
        self.tell(facts.EmergencyStopped(True, by, trio.current_time()))

    def _allow(self, by: str) -> None:
        self.stopped_by = None
        self.faults.clear(key(Code.EMERGENCY_STOP))
        self.emergency.set(False)
        self.tell(facts.EmergencyStopped(False, by, trio.current_time()))

    async def _identify(self, _ask: Identify, _who: Who) -> Answer:
        await trio.lowlevel.checkpoint()
        return yes("Red and green in turn") if self.panel.identify() else no("failed", "no LED")

    async def _press(self, ask: PressButton, _who: Who) -> Answer:
        if not isinstance(self.board.button, SimButton):
            return no("refused", "Only a simulated board has a button to press from here")
        if not 0 < ask.hold_s <= 60:
            return no("invalid", f"Expected 0 to 60 s, got {ask.hold_s:g}", "$.hold_s")
        await self.board.button.hold(ask.hold_s)
        return yes(f"Held for {ask.hold_s:g} s")

    async def _reset(self, _ask: FactoryReset, who: Who) -> Answer:
        await self._start_reset(who)
        return yes("Back to factory; restarting")

    async def _start_reset(self, who: Who) -> None:
        if self.state is not None:
            await factory_reset(self.store, self.state, self.board.system, who, self.wall)

    async def _button_wants(self, wanted: Wanted) -> None:
        who = Who("reset button", 4, "on site")
        try:
            if isinstance(wanted, ReopenFirstLogin):
                await self.store.audit(who, "first login reopened")
                await self.store.remember(OPENED, f"{self.wall.stamp()} {REOPENED_S:.0f}")
            else:
                await self._start_reset(who)
        except (OSError, StoreError) as error:
            log.error("reset button had no effect", cause=str(error))  # noqa: TRY400

    # -- living ----------------------------------------------------------------------------------

    async def begin(self) -> None:
        """What must be known before the first plan: settings, chargers, sessions, the latch."""
        await self.desk.begin()
        self.tell(facts.SettingsChanged(self._effective()))
        if self.latch.exists():
            self._stop(self.latch.read_text(errors="replace"))
        if self.store.recall(OPENED) is None:
            await self.store.remember(OPENED, f"{self.wall.stamp()} {COMMISSIONING_S:.0f}")
        await self._note_start()

    async def _note_start(self) -> None:
        """Three starts within five minutes: safe mode, every offer at its fail-safe."""
        now = self.wall.utc()
        stamps = [s for s in (self.store.recall(STARTS) or "").split() if s]
        ages_s = ((s, (now - datetime.fromisoformat(s)).total_seconds()) for s in stamps)
        recent = [s for s, age_s in ages_s if 0 <= age_s < STARTS_S]  # not of a clock set back
        if len(recent) >= STARTS_MAX:
            self.safe_mode = True
            self.raise_(Code.SAFE_MODE, f"{len(recent)} crashes within {STARTS_S:.0f} s")
            self.tell(facts.SettingsChanged(self._effective()))
        await self.store.remember(STARTS, " ".join([*recent, self.wall.stamp()]))

    async def _leave_safe_mode(self) -> None:
        """Nothing has ended the process for five minutes: the settings hold again."""
        if not self.safe_mode:
            return
        await trio.sleep(SAFE_S)
        self.safe_mode = False
        self.faults.clear(key(Code.SAFE_MODE))
        self.tell(facts.SettingsChanged(self._effective()))
        log.info("safe mode ends", cause=f"no failure within {SAFE_S:.0f} s")

    def _effective(self) -> Settings:
        """The settings the balancer reckons with: no current of the site's own before the printed
        password is gone, and none in safe mode (trust.md 4, rule 4; house.md, Decided).
        """
        settings = self.store.settings.value
        if self.desk.lock.value.released and not self.safe_mode:
            return settings
        none = msgspec.structs.replace(settings.site.limit_ma, l1=0, l2=0, l3=0)
        return msgspec.structs.replace(
            settings, site=msgspec.structs.replace(settings.site, limit_ma=none)
        )

    async def live(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """All rooms but the listeners, until cancelled; started when the first plan is made."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._kept("store", self.store.tend, vital=True))
            await self.begin()
            async with trio.open_nursery() as rooms:
                await rooms.start(self._balance)
                rooms.start_soon(self._kept("panel", lambda: run_panel(self.panel)))
                rooms.start_soon(self._kept("meter", lambda: run_meter(self._meter_room())))
                await rooms.start(self._run_chargers)
                rooms.start_soon(self._kept("settings", self._follow_settings))
                rooms.start_soon(self._kept("safe mode", self._leave_safe_mode))
                rooms.start_soon(self._kept("figures", self._follow_figures))
                rooms.start_soon(self._kept("storage", self._follow_storage))
                rooms.start_soon(self._kept("drawn", self._follow_drawn))
                task_status.started()
            nursery.cancel_scope.cancel()

    def _kept(
        self, name: str, run: Callable[[], Awaitable[None]], *, vital: bool = False
    ) -> Callable[[], Awaitable[None]]:
        return functools.partial(keep, name, run, vital=vital, strict=self.strict)

    async def _balance(self, task_status: trio.TaskStatus[None]) -> None:
        """The balancer, vital: after a crash it is told anew what stands."""
        said = False

        async def run() -> None:
            nonlocal said
            core = Balancer(self._effective())
            if said:
                self._retell()
            async with trio.open_nursery() as nursery:
                await nursery.start(
                    functools.partial(
                        run_balance, core, self.inbox.clone(), self.plan, self.beat,
                        self.board.watchdog, self.faults, self.wall, self.times, self.fact_ring,
                    )
                )  # fmt: skip
                if not said:
                    said = True
                    task_status.started()

        await keep("balance", run, vital=True, strict=self.strict)

    def _retell(self) -> None:
        """A balancer that starts again knows nothing: it is told what stands."""
        for fact in self.chargers.known():
            self.tell(fact)
        if self.emergency.value:
            self.tell(facts.EmergencyStopped(True, self.stopped_by or "", trio.current_time()))
        self.chargers.retell()

    async def _run_chargers(self, task_status: trio.TaskStatus[None]) -> None:
        said = False

        async def run() -> None:
            nonlocal said
            async with trio.open_nursery() as nursery:
                await nursery.start(charger_task.run_chargers, self.chargers)
                if not said:
                    said = True
                    task_status.started()

        await keep("chargers", run, strict=self.strict)

    def _meter_room(self) -> MeterRoom:
        def tell(fact: facts.AnyFact) -> None:
            self.tell(fact)

        return MeterRoom(
            self.store.settings, self.board.serial, self.dial, tell, self.meter, self.faults,
            self.wall, self.drawn,
        )  # fmt: skip

    async def _follow_settings(self) -> None:
        """Every change of the settings, and the lock of first login, reaches the balancer."""
        async with trio.open_nursery() as nursery:
            for cell in (self.store.settings, self.desk.lock):
                nursery.start_soon(self._tell_settings_on, cell)

    async def _tell_settings_on(self, cell: Cell[Any]) -> None:
        seq = cell.seq
        while True:
            seq, _value = await cell.wait_newer(seq)
            self.tell(facts.SettingsChanged(self._effective()))
            self._note_password()
            self._note_csms()
            self.desk.stir()

    def _note_csms(self) -> None:
        """An address that is set and a line that does not stand (manual, LED Indication)."""
        if self.store.settings.value.csms.url:
            self.raise_(Code.CSMS, "this version does not dial a CSMS yet")
        else:
            self.faults.clear(key(Code.CSMS))

    def _note_password(self) -> None:
        lock = self.desk.lock.value
        if lock.passwords_set or lock.released:
            self.faults.clear(key(Code.DEFAULT_PASSWORD))
        else:
            self.raise_(Code.DEFAULT_PASSWORD)

    def _note_clock(self) -> None:
        """A year before the firmware's own is no time: keys are refused (trust.md A9)."""
        if self.wall.utc() < OLDEST:
            self.raise_(Code.CLOCK)
        else:
            self.faults.clear(key(Code.CLOCK))

    async def _follow_figures(self) -> None:
        self._note_password()
        self._note_csms()
        while True:
            self._note_clock()
            zone = zone_named(self.store.settings.value.site.time_zone) or UTC
            midnight = self.wall.utc().astimezone(zone).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            try:
                self.energy_today_wh = await self.store.energy_since(stamp(midnight))
            except StoreError as error:
                log.warning("energy of today not known", cause=str(error))
            await trio.sleep(FIGURES_S)

    async def _follow_storage(self) -> None:
        seq = -1
        while True:
            seq, trouble = await self.store.trouble.wait_newer(seq)
            if trouble:
                self.raise_(Code.STORAGE, trouble)
            else:
                self.faults.clear(key(Code.STORAGE))

    async def _follow_drawn(self) -> None:
        """What all chargers draw, for the meter's plausibility."""
        seq = self.plan.seq
        while True:
            seq, plan = await self.plan.wait_newer(seq)
            total = ZERO
            for offer in plan.offers:
                if offer.drawn_ma is not None:  # what was offered less is not drawn any more
                    total += offer.drawn_ma.at_most(offer.offer_ma)
            self.drawn.set(total)


class Meters:
    """What the desk needs of the room `meter`."""

    def judge(self, file: Mapping[str, object]) -> None:
        meterfile.parse(dict(file))

    def read(self, text: str) -> dict[str, MeterFileValue]:
        return dict(meterfile.as_settings(meterfile.parse(text)))

    def shipped(self) -> tuple[ShippedMeter, ...]:
        folder = files("linkray.meter") / "files"
        texts = {p.name: p.read_text() for p in folder.iterdir() if p.name.endswith(".meter")}
        return meterfile.shipped(texts)


def shipped_quirks(state: Path | None = None) -> Quirks:
    """Ours, then the site's own by the same door; one of those that cannot be is left out."""
    folder = files("linkray.charger") / "quirks"
    texts = {p.name: p.read_text() for p in folder.iterdir() if p.name.endswith(".toml")}
    site = {}
    for path in sorted((state / "quirks").glob("*.toml")) if state is not None else ():
        try:
            text = path.read_text()
            load({}, {path.name: text})
        except (BadQuirk, UnicodeDecodeError, OSError) as error:
            log.warning("quirk file not taken", cause=str(error), action="left out",
                        file=path.name)  # fmt: skip
        else:
            site[path.name] = text
    return load(texts, site)


# -- the box ---------------------------------------------------------------------------------------


class StateInUse(OSError):
    """Another control process holds the state folder."""


@contextmanager
def held(state: Path) -> Iterator[None]:
    """The state folder is ours alone; raises `StateInUse`."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)  # hashes and keys lie in it
    handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateInUse(f"{state} is in use by another LinkRay control process") from None
        yield
    finally:
        os.close(handle)


@asynccontextmanager
async def opened_store(state: Path, wall: WallClock) -> AsyncIterator[Store]:
    """The database of a state folder, closed at the end whatever happens."""
    store = await Store.open(state / FILE, InThread(), wall)
    try:
        yield store
    finally:
        await store.close()


async def run_control(
    board_toml: Path, state: Path, bind: str, ocpp_port: int, ocpps_port: int,
    ready: Callable[[dict[str, object]], None],
) -> int:  # fmt: skip
    """The control process, until SIGTERM, SIGINT or a reboot; its exit code."""
    wall, ring = WallClock(), LogRing()
    set_up(wall, ring)
    try:
        board = load_board(board_toml, state)
    except BadBoard as error:
        print(f"linkray: {error}", file=sys.stderr)
        return 1
    _more_files()
    async with AsyncExitStack() as stack:
        stack.enter_context(held(state))
        keeps = board.keeps | {"lock"}
        try:
            await finish_reset(
                state, keeps, lambda: Store.open(state / FILE, InThread(), wall)
            )
            store = await stack.enter_async_context(opened_store(state, wall))
        except StoreError as error:
            print(f"linkray: {error}", file=sys.stderr)
            return 1
        house = House(
            board, store, wall, board.licence, shipped_quirks(state), ring,
            state=state, runner=InThread(),
        )  # fmt: skip
        return await _until_told(house, bind, ocpp_port, ocpps_port, ready)


async def _until_told(
    house: House, bind: str, ocpp_port: int, ocpps_port: int,
    ready: Callable[[dict[str, object]], None],
) -> int:  # fmt: skip
    """Rooms, then listeners and desk; on a signal the listeners go first, then the rooms."""
    assert house.state is not None
    tls = server_context(own_certificate(house.state / "tls"))
    code = 0
    async with trio.open_nursery() as outer:
        await outer.start(house.live)
        async with trio.open_nursery() as doors:
            listen = functools.partial(charger_task.listen, house.chargers, bind)
            try:
                ocpp = await doors.start(functools.partial(listen, ocpp_port, None))
                ocpps = await doors.start(functools.partial(listen, ocpps_port, tls))
            except OSError:
                await house.store.remember(STARTS, "")  # a port that is taken is no crash of ours
                raise
            desk_socket = open_desk(house.state)
            await doors.start(functools.partial(serve_desk, desk_socket, house.desk))
            house.started.set(True)
            lenient.prepare()  # the schemas now, not at the first boot: 0.2 s of a standing loop
            _calm_collector()
            tell_systemd()
            ready({"ready": "control", "ocpp": ocpp, "ocpps": ocpps})
            log.info("control is up", version=__version__, serial=house.board.identity.serial,
                     ocpp=ocpp, ocpps=ocpps)  # fmt: skip
            code = await _wait_end(house)
            doors.cancel_scope.cancel()
        await house.store.remember(STARTS, "")  # an end that was asked for is no crash
        outer.cancel_scope.cancel()
    return code


async def _wait_end(house: House) -> int:
    """0 on a signal, `EXIT_REBOOT` when the board wants to be started again."""
    code = 0

    async def until_reboot(scope: trio.CancelScope) -> None:
        nonlocal code
        await house.board.system.rebooting.wait()
        code = EXIT_REBOOT
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_reboot, nursery.cancel_scope)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                log.info("control ends", cause=signal.Signals(number).name)
                nursery.cancel_scope.cancel()
                break
    return code


def _calm_collector() -> None:
    """What lives from the start is never looked at again, and young garbage is gathered rarely.

    A full collection with 500 links stops the loop for tens of milliseconds; measured with and
    without in `tools/bench` (`LINKRAY_GC=default` leaves Python's own way).
    """
    if os.environ.get("LINKRAY_GC") == "default":
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _more_files() -> None:
    """500 chargers need more sockets than the 1,024 a shell allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


