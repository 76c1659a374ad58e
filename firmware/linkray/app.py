"""The roof: lays the pipes, opens the nurseries, knows every room (firmware/README.md).

Nesting is the order of shutdown: store ⊃ balance ⊃ rooms ⊃ listeners and desk. What others need is
opened first and closed last. The simulation builds the same `House` over memory streams.
"""

from __future__ import annotations

import fcntl
import functools
import gc
import logging
import math
import os
import platform
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
import trio

from linkray import __version__
from linkray.access.clients import KEEPING, ClientDesk
from linkray.access.fitted import FITTING, TLS, Fitted, NotFitted
from linkray.access.tags import NOT_KEPT
from linkray.access.task import TAG_ASKS, TagAsk, TagRoom
from linkray.balance.balancer import Balancer
from linkray.balance.recording import FactRing, to_file
from linkray.balance.task import PlanTimes, run_balance
from linkray.charger import task as charger_task
from linkray.charger.passport import in_force
from linkray.charger.proof import Kept, Proofs, kept_of, read_proofs, unfit
from linkray.charger.quirks import BadQuirk, Quirks, load
from linkray.csms.address import same_place
from linkray.csms.task import UplinkRoom
from linkray.csms.wire import Terms
from linkray.desk.commission import BuildingSteps, fail_safe_trouble
from linkray.desk.desk import no, yes
from linkray.desk.snapshot import Seen
from linkray.desk.task import Desk, open_desk, serve_desk
from linkray.hal.board import EXIT_REBOOT, EXIT_RESTART, Board
from linkray.hal.boards import BadBoard
from linkray.hal.boards import load as load_board
from linkray.hal.files import sync_folder, write_synced
from linkray.hal.notify import ready as tell_systemd
from linkray.hal.sim import SimButton
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import OLDEST, WallClock, stamp, zone_named
from linkray.kit.ending import heed_signals
from linkray.kit.keep import KeptDown, keep
from linkray.kit.log import LogRing, set_level, set_up
from linkray.kit.secret import NAMED
from linkray.kit.secret import fresh as fresh_secret
from linkray.kit.tls import Certificate, own_addresses, own_names
from linkray.meter import meterfile
from linkray.meter.task import MeterRoom, run_meter
from linkray.model import facts
from linkray.model.asks import (
    ASSEMBLER,
    ActAtCharger,
    Answer,
    Ask,
    CancelRestart,
    ChangeKey,
    DeleteCharger,
    DropCertificate,
    FactoryReset,
    FrameFile,
    Identify,
    ImportPassports,
    LetQueueGo,
    PressButton,
    ProbeAgain,
    ReadAlerts,
    ReadBundle,
    ReadChargerLinks,
    ReadConfiguration,
    ReadFrameFile,
    ReadFrames,
    ReadLogFile,
    ReadNeighbours,
    ReadNetwork,
    ReadPassport,
    ReadPassports,
    ReadQueue,
    ReadQueues,
    ReadReport,
    ReadRestarts,
    ReadSetAside,
    RemoveChargerPassword,
    RemoveSetAside,
    Restart,
    SayAgain,
    SeeAlerts,
    SetChargerPassword,
    SetEmergencyStop,
    SetLogLevel,
    SetPriority,
    SetUplinkPassword,
    ShippedMeter,
    StartCharging,
    StopCharging,
    SupportBundle,
    TellPassword,
    TryUplink,
    Who,
)
from linkray.model.failsafe import Make
from linkray.model.faults import Code, Fault, key
from linkray.model.handed import FOLDER as CHARGER_FILES
from linkray.model.passport import Passport
from linkray.model.plan import NO_PLAN, Plan
from linkray.model.records import ChargerSeen
from linkray.model.settings import Charger, MeterFileValue, Settings
from linkray.model.tags import Decision
from linkray.model.units import ZERO, Phases
from linkray.model.uplink import ToUplink
from linkray.model.views import (
    Began,
    ChargerSaid,
    ChargerView,
    ImageSlot,
    LedView,
    Losses,
    MeterView,
    Neighbour,
    NetworkLink,
    NetworkView,
    Report,
    RestartsRead,
    StorageView,
    UplinkView,
)
from linkray.ocpp import lenient
from linkray.panel.button import ReopenFirstLogin, Wanted
from linkray.panel.task import Panel, run_panel
from linkray.records.courses import Courses
from linkray.records.delivery.task import DELIVERY_ASKS, DeliveryRoom
from linkray.records.history.task import Look, run_recorder
from linkray.store.ceiling import FILE as CEILING
from linkray.store.ceiling import Ceiling
from linkray.store.copies import copies
from linkray.store.db import FILE, Store, StoreError
from linkray.store.runner import Inline, InThread, Runner
from linkray.upkeep import restarts
from linkray.upkeep.alerts import AlertBook, BadSpan, losses
from linkray.upkeep.bundle import about, bundle, without_secrets, without_tags
from linkray.upkeep.handout.task import ChargerFiles
from linkray.upkeep.ocpplog import FrameLog, content
from linkray.upkeep.task import FramesKept, factory_reset, finish_reset, follow_alerts

INBOX_FACTS = 20_000  # a burst of 1,000 chargers that come back at once, five times over
FIGURES_S = 5.0  # how often energy today is asked of the store

EMERGENCY = "emergency-stop"  # the latch: a file of its own, so that it outlives the database
OPENED = "commissioning_opened"
COMMISSIONING_S = 24 * 3600.0  # trust.md 4, rule 5
REOPENED_S = 30 * 60.0
STARTS = "starts"
FAILED = "failed"  # when the process gave itself up
STARTS_S = 300.0  # house.md, Decided: three starts within five minutes are one too many
STARTS_MAX = 3
SAFE_S = 300.0  # trust.md P12: safe mode ends when nothing has failed for so long
ETA = "eta"  # of a charger in watts: what its newest sessions have shown
CLOCK_TOLD_S = 60.0  # the balancer hears the time so often …
CLOCK_LOOK_S = 1.0  # … and so soon when it was set
CLOCK_STEP_S = 1.0  # a wall clock that is off by more was set, or the box has slept (T2, T9)
CLOCK_SAVED = "clock_saved"  # a time that has been, for a box that starts without one (T1) …
CLOCK_SAVED_S = 3_600.0  # … so old at the most
CLOCK_KNOWN = "clock_known"  # a time of the excluded state that stands, for a box without one (T6)
ENDED_LOOK_S = 0.2
STOPPED_S = 10.0  # how long a charger that is deleted is given to end its sessions
STAYS = frozenset({"lock", CEILING})  # in a factory reset: the supply is not its user's
ITSELF = Who("linkray", 4, "itself")

UPLINK_PASSWORD = "uplink_password"  # noqa: S105 - the name of what is kept: address and password
PASSWORD_CHARS_MAX = 128  # OCPP's own AuthorizationKey has 16 to 40; CSMS give longer ones too
CHARGER_PASSWORDS = "charger_passwords"  # what is kept of them, by charger
FRAMES_READ_MAX = 500  # of the OCPP log, in one answer
SORTING_S = 5.0  # of many that were set aside as far as it goes; an ask has 10 s
SORTED_AT_ONCE = 500  # in one commit
SET_ASIDE_MAX = 50  # in one answer: 64 KiB each at the very most (the desk's frame is 8 MiB)
IDLE_LOOK_S = 1.0  # a restart that waits for the last car, or until whoever asked has heard
REPORTED = timedelta(days=30)  # of the history, in the maintenance report …
REPORTED_MAX = 100  # … and the newest of it
TRIAL = "LINKRAY-TEST"  # as whom a CSMS is tried out where no charger is named

PASSPORT_ASKS = (ReadPassports, ReadPassport, ImportPassports, ProbeAgain)

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
    drawn_by: Cell[Mapping[str, Phases] | None] = field(default_factory=lambda: Cell(None))
    started: Cell[bool] = field(default_factory=lambda: Cell(False))
    emergency: Cell[bool] = field(default_factory=lambda: Cell(False))
    views: dict[str, Cell[ChargerView]] = field(default_factory=dict)
    uplink_views: dict[str, Cell[UplinkView]] = field(default_factory=dict)
    times: PlanTimes = field(default_factory=PlanTimes)
    fact_ring: FactRing = field(default_factory=FactRing)
    dial: Callable[[str, int], Awaitable[trio.abc.Stream]] = trio.open_tcp_stream
    state: Path | None = None
    runner: Runner = field(default_factory=Inline)  # for what blocks
    packer: Runner = field(default_factory=Inline)  # for the support bundle: half a second of work

    def __post_init__(self) -> None:
        self.tell_balance, self.inbox = trio.open_memory_channel[facts.AnyFact](INBOX_FACTS)
        self.keep_learned, self.learned = trio.open_memory_channel[facts.EtaLearned](1_000)
        self.began = trio.current_time()
        self.doors = (0, 0)  # the ports that chargers dial, without and with TLS
        self.tags = TagRoom(self.store, self.wall, (OSError, StoreError))
        self.energy_today_wh = 0
        self.oldest: dict[str, str] = {}  # of what waits for the CSMS, by charger
        self.sorting = trio.Lock()  # what was set aside is said again or removed by one at a time
        self.trying = trio.CapacityLimiter(1)  # one CSMS is tried out at a time
        self.stopped_by: str | None = None
        self.safe_mode = False
        self.ceiling = Ceiling(self.store, self.state, self.runner, write_synced)
        self.steps = BuildingSteps()
        self.frames = FrameLog(self.wall.utc)
        self.born = self.wall.utc()  # before any fault is raised
        self.alerts = AlertBook(now=self.born)
        self.starts: tuple[Began, ...] = ()  # of control, the newest first
        self.waiting = restarts.Waiting()
        self.restart = trio.Event()  # this process alone is to start anew
        self.ends_why = restarts.TOLD
        self.extended = False  # the log's level
        self.passports: dict[tuple[str, str, str], Passport] = {}
        meters = Meters(lambda: self.fitted.meters)
        self.fitted = Fitted(
            self.store, self.state, self.runner, self.wall, serial=self.board.identity.serial,
            public_key=self.board.licence_key, shipped=self.licence,
            in_use=lambda: self.desk.look().site.licences_used,
            changed=self._places_changed, read_meter=meters.read,
            shipped_meters=meters.shipped, note_of=meterfile.notes,
        )  # fmt: skip
        self.charger_files = self.state and ChargerFiles(
            self.state / CHARGER_FILES, self.store, lambda: self.chargers, self.views, self.wall,
            self.packer,
        )
        self.delivery = self._delivery_room()
        self.desk = Desk(
            self.store, self.see, self._answerers(), meters=meters, clock=self.wall,
            log_lines=lambda: tuple(self.ring.lines),
            stirs=(self.plan, self.faults.cell, self.led, self.emergency), plan=self.plan,
            ceiling=self.ceiling, makes=self._makes, largest_step=lambda: self.steps.largest,
            words_of=self._former_told, failures=(OSError, StoreError), strict=self.strict,
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
            is_vip=self.tags.is_vip, presented=self.tags.presented,
            to_uplink=self._to_uplink, for_csms=self._for_csms, ocpp_log=self.frames.add,
        )  # fmt: skip
        self.uplinks = UplinkRoom(
            settings=self.store.settings, store=self.store, clock=self.wall,
            to_link=self.chargers.of_csms, raise_=self.chargers.raise_, clear=self.chargers.clear,
            views=self.uplink_views, may_pass=self.chargers.may_pass,
            before=self.chargers.before,
            tell=self.tell, connectors=lambda charger: self.chargers.connectors.get(charger, 1),
            ceiling=lambda: self.ceiling.limit.value,
            connect=self.dial, common=self._common_password, runner=self.runner,
            strict=self.strict, ocpp_log=self.frames.add,
        )  # fmt: skip
        self._tie()

    def _tie(self) -> None:
        """What rooms ask of each other, and what stands at the doors."""
        self.chargers.changed = self.uplinks.take_settings
        if self.charger_files:
            self.chargers.progressed = self.charger_files.progressed
        self.store.when_thinned = self.uplinks.thinned
        self.store.when_aside_gone = self.uplinks.aside_gone
        self.clients = ClientDesk(
            self.store, self.state, self.runner, self.wall, serial=self.board.identity.serial,
            turn=trio.Lock(), stir=self.desk.stir,
        )  # fmt: skip
        self.proofs = Proofs(read_proofs(self.store.recall(CHARGER_PASSWORDS)))
        self.proving = trio.Lock()  # what is kept of passwords is changed by one at a time
        self.chargers.proofs, self.chargers.proved_new = self.proofs, self._proved_new

    def _delivery_room(self) -> DeliveryRoom:
        return DeliveryRoom(
            self.store.settings, self.store, self.wall, serial=self.board.identity.serial,
            database=str(self.state / FILE) if self.state else "", loopback=self.board.simulated,
            failed=lambda words: self._note(Code.DELIVERY, words),
        )  # fmt: skip

    # -- what flows ------------------------------------------------------------------------------

    def tell(self, fact: facts.AnyFact) -> bool:
        """A fact for the balancer, without waiting; False: its inbox is full or closed."""
        if self.extended:
            log.debug("told", **told_words(fact))
        try:
            self.tell_balance.send_nowait(fact)
        except trio.WouldBlock:
            log.error("fact lost", cause=f"the balancer has {INBOX_FACTS} unread",  # noqa: TRY400
                      fact=type(fact).__name__)  # fmt: skip
            return False
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    def _to_uplink(self, charger: str, item: ToUplink) -> None:
        self.uplinks.put(charger, item)

    def _for_csms(self, charger: str, payload: bytes, now: float) -> bytes | None:
        return self.uplinks.for_csms(charger, payload, now)

    def raise_(self, code: Code, detail: str = "") -> None:
        self.faults.raise_(key(code), Fault.of(code, self.wall.stamp(), detail=detail))

    def see(self) -> Seen:
        """What the desk shows, read from the cells at one moment."""
        now = trio.current_time()
        offers = self.plan.value
        return Seen(
            now=now,
            settings=self.store.settings.value,
            revision=self.store.revision,
            plan=offers,
            chargers=tuple(cell.value for cell in self.views.values()),
            meter=self.meter.value,
            faults=self.faults.cell.value,
            led=self.led.value,
            serial=self.board.identity.serial,
            version=__version__,
            licences_total=self.chargers.licence_total,
            energy_today_wh=self.energy_today_wh,
            emergency_stop=self.emergency.value,
            emergency_stop_by=self.stopped_by,
            uptime_s=int(now - self.began),
            system_uptime_s=int(self.board.system.uptime_s()),
            plan_ms_p50=round(self.times.p50, 3),
            plan_ms_p99=round(self.times.p99, 3),
            plan_gap_s_max=round(self.times.gap_s_max, 3),
            simulated=self.board.simulated,
            csms=self._csms(),
            uplinks=tuple(self._uplinks()),
            commissioning_open=self.commissioning_open(),
            ceiling_ma=self.ceiling.limit.value,
            ocpp_port=self.doors[0],
            ocpps_port=self.doors[1],
        )

    def _csms(self) -> str:
        """All uplinks in a word: the worst of them."""
        if not self.store.settings.value.csms.url:
            return "stand-alone"
        states = {cell.value.state for cell in self.uplink_views.values()} - {"off"}
        if not states or "away" in states:
            return "not connected"
        if "waits" in states:
            return "not accepted"
        return "catching up" if "behind" in states else "connected"

    def _uplinks(self) -> Iterator[UplinkView]:
        url = self.store.settings.value.csms.url
        for charger, cell in self.uplink_views.items():
            view = cell.value
            yield msgspec.structs.replace(
                view, oldest=self.oldest.get(charger) if view.waiting else None,
                has_password=bool(url and self.uplinks.password(charger, url)),
            )  # fmt: skip

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
            **dict.fromkeys(PASSPORT_ASKS, self._passports),
            SetPriority: self._set_priority,
            DeleteCharger: self._delete_chargers,
            SetEmergencyStop: self._emergency,
            Identify: self._identify,
            PressButton: self._press,
            FactoryReset: self._reset,
            ReadBundle: self._bundle,
            ReadSetAside: self._set_aside,
            SayAgain: self._say_again,
            RemoveSetAside: self._remove_aside,
            ReadQueues: self._queues,
            ReadQueue: self._queue,
            LetQueueGo: self._let_queue_go,
            ReadFrames: self._read_frames,
            ReadFrameFile: self._frame_file,
            TryUplink: self._try_uplink,
            SetUplinkPassword: self._uplink_password,
            **dict.fromkeys(TAG_ASKS, self._tags),
            ReadAlerts: self._read_alerts,
            SeeAlerts: self._see_alerts,
            Restart: self._restart,
            CancelRestart: self._cancel_restart,
            ReadRestarts: self._read_restarts,
            SetLogLevel: self._log_level,
            ReadLogFile: self._log_file,
            ReadReport: self._report,
            **dict.fromkeys(FITTING, self._fit),
            **dict.fromkeys(KEEPING, self._keep_clients),
            ReadChargerLinks: self._charger_links,
            SetChargerPassword: self._charger_password,
            RemoveChargerPassword: self._no_charger_password,
            ReadNetwork: self._network,
            ReadNeighbours: self._neighbours,
            ReadConfiguration: self._configuration,
            ChangeKey: self._change_key,
            ActAtCharger: self._act_at_charger,
            **(self.charger_files.answerers() if self.charger_files else {}),
            **dict.fromkeys(DELIVERY_ASKS, self.delivery.ask),
        }

    async def _places_changed(self, total: int) -> None:
        await self.chargers.take_places(total)

    async def _fit(self, ask: Ask, who: Who) -> Answer:
        try:
            said = await self.fitted.do(ask, who)
        except NotFitted as error:
            return no(error.code, str(error), error.path)
        if isinstance(ask, DropCertificate):  # decided.md, Security Profiles - Reset
            await self.clients.clear(who)
        return yes(said.text, said.data)

    async def _keep_clients(self, ask: Ask, who: Who) -> Answer:
        try:
            said = await self.clients.do(ask, who)
        except NotFitted as error:
            return no(error.code, str(error), error.path)
        return yes(said.text, said.data)

    # -- what chargers' links are secured with, and the network ----------------------------------

    def _known_chargers(self) -> list[str]:
        configured = (one.id for one in self.store.settings.value.chargers)
        return list(dict.fromkeys((*configured, *self.views)))

    async def _charger_links(self, _ask: ReadChargerLinks, _who: Who) -> Answer:
        url = self.store.settings.value.csms.url
        return yes(data=[
            msgspec.structs.replace(
                self.chargers.link_of(charger),
                uplink_password=bool(url and self.uplinks.password(charger, url)),
            )
            for charger in self._known_chargers()
        ])  # fmt: skip

    async def _keep_proof(self, charger: str, change: Callable[[Kept], Kept | None]) -> None:
        """What is kept of a charger's password, changed; None: nothing any more."""
        async with self.proving:
            held = dict(self.proofs.kept)
            kept = change(held.pop(charger, Kept()))
            if kept is not None:
                held[charger] = kept
            if held == self.proofs.kept:
                return
            await self.store.remember(CHARGER_PASSWORDS, msgspec.json.encode(held).decode())
            self.proofs.kept = held

    async def _proved_new(self, charger: str) -> None:
        """It has come with the password that it was told, which is required from now on."""
        try:
            await self._keep_proof(
                charger, lambda one: msgspec.structs.replace(one, now=one.new or one.now, new="")
            )
        except (OSError, StoreError) as error:  # it is let in all the same, and so the next time
            log.warning("password not kept", charger=charger, cause=str(error))

    async def _charger_password(self, ask: SetChargerPassword, who: Who) -> Answer:
        charger, why = ask.charger, unfit(ask.password)
        if charger not in self._known_chargers():
            return no("unknown", f"Expected a known charger, got {charger[:48]!r}", "$.charger")
        if why:
            return no("invalid", why, "$.password")
        if ask.tell and charger not in self.chargers.links:
            return no("refused", f"{charger} is not connected: it cannot be told")
        if ask.tell and (wait_s := self.chargers.key_waits_s(charger)):
            return no("refused", f"{charger} restarts when it is told: wait another {wait_s} s")
        if ask.tell and self.proofs.kept.get(charger, Kept()).new:
            return no("refused", f"{charger} was told a password before and has not come with it "
                                 "yet: let it connect anew, or remove that one first")  # fmt: skip
        word = kept_of(ask.password, fresh_secret()[:16])
        at = self.wall.stamp()
        await self.store.audit(who, f"password of {charger}", new="told" if ask.tell else "given")
        await self._keep_proof(charger, lambda one: (
            msgspec.structs.replace(one, new=word, since=at, by=who.name)
            if ask.tell else Kept(word, "", one.now or one.new, at, who.name)
        ))  # fmt: skip
        if not ask.tell:
            return yes(f"{charger} comes with this password from its next connection on")
        answer = await self.chargers.ask(charger, TellPassword(charger, ask.password))
        if answer.code == "refused":  # it has said so: nothing has changed there
            await self._keep_proof(charger, lambda one: (
                msgspec.structs.replace(one, new="") if one.now else None
            ) if one.new == word else one)  # fmt: skip
        if not answer.ok:
            return answer
        return yes(f"{charger} has taken its password; it is required once it has come with it")

    async def _no_charger_password(self, ask: RemoveChargerPassword, who: Who) -> Answer:
        held = self.proofs.kept.get(ask.charger, Kept())
        if not (held.now or held.new):
            return no("unknown", f"{ask.charger[:48]} has no password")
        await self.store.audit(who, f"password of {ask.charger}", new="none")
        await self._keep_proof(ask.charger, lambda one: Kept(gone=one.now or one.new))
        return yes(f"{ask.charger} needs no password")

    async def _network(self, _ask: ReadNetwork, _who: Who) -> Answer:
        board, modem = self.board, self.board.modem.state()
        names, addresses = await self.runner.run(lambda: (own_names(), own_addresses()))
        url = without_secrets(self.store.settings.value).csms.url
        return yes(data=NetworkView(
            tuple(
                NetworkLink(one.name, one.kind, one.up, one.address or "", one.gateway or "")
                for one in board.network.links()
            ),
            board.network.preferred, board.network.route(), tuple(names), tuple(addresses),
            board.identity.serial, board.identity.mac, modem.sim, modem.registered,
            modem.signal_dbm, modem.operator, board.simulated, urlsplit(url).hostname or "",
        ))  # fmt: skip

    async def _neighbours(self, _ask: ReadNeighbours, _who: Who) -> Answer:
        links = sorted(self.chargers.links.items())
        gateways = dict.fromkeys(
            one.gateway for one in self.board.network.links() if one.up and one.gateway
        )
        return yes(data=[
            *(Neighbour("charger", standing.address, charger) for charger, standing in links),
            *(Neighbour("gateway", address) for address in gateways),
        ])  # fmt: skip

    async def _at_charger(self, ask: StartCharging | StopCharging, who: Who) -> Answer:
        await self.store.audit(
            who, type(ask).__name__, new=f"{ask.charger} connector {ask.connector}"
        )
        if isinstance(ask, StartCharging):  # also of one that was taken out of service (INV-10)
            now = trio.current_time()
            self.tell(facts.OperativeAsked(ask.charger, ask.connector, now))
        return await self.chargers.ask(ask.charger, ask)

    async def _configuration(self, ask: ReadConfiguration, _who: Who) -> Answer:
        return await self.chargers.ask(ask.charger, ask)

    async def _change_key(self, ask: ChangeKey, who: Who) -> Answer:
        """The audit line says the old value and the new one, of a secret neither."""
        if ask.charger not in self.chargers.links:
            return no("unknown", f"{ask.charger} is not connected")
        known = {k.lower(): v for k, v in self.chargers.configuration(ask.charger).items()}
        hidden = bool(NAMED.search(ask.key))
        old = "" if hidden else known.get(ask.key.lower()) or ""
        await self.store.audit(
            who, f"key {ask.key[:50]} of {ask.charger}", old,
            "(not shown)" if hidden else ask.value[:500],
        )  # fmt: skip
        return await self.chargers.ask(ask.charger, ask)

    async def _act_at_charger(self, ask: ActAtCharger, who: Who) -> Answer:
        if ask.charger not in self.views:
            return no("unknown", f"Expected a known charger, got {ask.charger!r}")
        waits = ask.when_idle and ask.charger in self._sessions()
        about = f" {ask.message}" if ask.act == "trigger" else ""
        at = f" connector {ask.connector}" if ask.connector else ""
        later = ", when idle" if waits else ""
        await self.store.audit(who, f"{ask.act}{about}", new=f"{ask.charger}{at}{later}")
        if waits:
            self.waiting.put(ask, who, self.wall.utc())
            said = ChargerSaid("Waiting", "It waits until no session runs there")
            return yes(said.text, said)
        return await self.chargers.ask(ask.charger, ask)

    async def _passports(self, ask: charger_task.PassportAsk, who: Who) -> Answer:
        return await self.chargers.passport_ask(ask, who)

    async def _tags(self, ask: TagAsk, who: Who) -> Answer:
        return await self.tags.ask(ask, who)

    def lease_proven(self, charger: str) -> bool:
        """Whether a charger was seen to step down by itself (its passport)."""
        found = self.chargers.passport(charger)
        return found is not None and found.passport.get("lease", charger) == "honoured"

    def _may_charge(self, tag: str, *, by_hand: bool) -> Decision:
        if not self.store.takes_writes:
            return NOT_KEPT
        return self.tags.may_charge(tag, emergency=self.emergency.value, by_hand=by_hand)

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
        unknown = gone - {c.id for c in self.store.settings.value.chargers}
        if unknown:
            return no("unknown", f"Expected known chargers, got {', '.join(sorted(unknown))}")
        proved = sorted(c for c in gone if self.proofs.kept.get(c, Kept()).now)
        if proved and who.level < ASSEMBLER:  # without it anybody would come in under that name
            return no("refused", f"{proved[0]} has a password of its own: only the Assembler "
                                 "deletes it")  # fmt: skip
        await self._end_sessions(gone)
        async with self.desk.changing:
            old = self.store.settings.value
            kept = tuple(c for c in old.chargers if c.id not in gone)
            if len(kept) + len(gone) != len(old.chargers):
                return no("unknown", f"Expected known chargers, got {', '.join(sorted(gone))}")
            for charger in gone:
                await self.store.forget_charger(charger)
                await self._keep_proof(charger, lambda _one: None)
            new = msgspec.structs.replace(old, chargers=kept)
            await self.store.change_settings(new, who, f"deleted {', '.join(sorted(gone))}")
        return yes(f"{len(gone)} charger(s) deleted")

    async def _end_sessions(self, chargers: set[str]) -> None:
        """What still charges is stopped before it is forgotten and nobody reserves for it (C25)."""
        links = self.chargers.links
        with trio.move_on_after(STOPPED_S):
            async with trio.open_nursery() as nursery:
                for run in await self.store.running():
                    if run.charger in chargers and run.charger in links:
                        stop = StopCharging(run.charger, run.connector)
                        nursery.start_soon(self.chargers.ask, run.charger, stop, STOPPED_S)
            while True:
                await trio.sleep(ENDED_LOOK_S)
                running = {run.charger for run in await self.store.running()}
                if not running & chargers & links.keys():
                    return

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

    # -- the uplink ------------------------------------------------------------------------------

    async def _set_aside(self, ask: ReadSetAside, _who: Who) -> Answer:
        found = await self.store.set_aside(ask.after, min(max(ask.limit, 1), SET_ASIDE_MAX))
        return yes(data=found)

    async def _say_again(self, ask: SayAgain, who: Who) -> Answer:
        url = self.store.settings.value.csms.url
        if not url:
            return no("refused", "Expected an address of a CSMS first: nobody would hear it")
        async with self.sorting:
            total, here = await self.store.count_aside(ask.charger, url)
            stays = f"; {total - here} are for another address and stay" if total > here else ""
            if not here:
                return yes(f"Nothing waits again{stays}")
            whose = ask.charger or "all chargers"
            await self.store.audit(who, f"what was set aside of {whose} is said again", str(here))
            said, until = 0, trio.current_time() + SORTING_S
            while trio.current_time() < until and (
                again := await self.store.say_again(ask.charger, url, SORTED_AT_ONCE)
            ):
                self.uplinks.wait_again(again)
                said += len(again)
        more = f"; {here - said} more, say them again once more" if said < here else ""
        return yes(f"{said} messages wait again{more}{stays}")

    async def _remove_aside(self, ask: RemoveSetAside, who: Who) -> Answer:
        async with self.sorting:
            total, _here = await self.store.count_aside(ask.charger, "")
            if not total:
                return yes("Nothing is set aside")
            whose = ask.charger or "all chargers"
            await self.store.audit(who, f"what was set aside of {whose} is removed", str(total))
            gone, until = 0, trio.current_time() + SORTING_S
            while trio.current_time() < until and (
                removed := await self.store.remove_aside(ask.charger, SORTED_AT_ONCE)
            ):
                gone += removed
        more = f"; {total - gone} more, remove them once more" if gone < total else ""
        return yes(f"{gone} messages removed{more}")

    async def _queues(self, _ask: ReadQueues, _who: Who) -> Answer:
        return yes(data=await self.store.queues())

    async def _queue(self, ask: ReadQueue, _who: Who) -> Answer:
        limit = min(max(ask.limit, 1), SET_ASIDE_MAX)
        return yes(data=await self.store.queue(ask.csms, ask.after, limit))

    async def _let_queue_go(self, ask: LetQueueGo, who: Who) -> Answer:
        found = next((one for one in await self.store.queues() if one.csms == ask.csms), None)
        if found is None or not found.messages:
            return no("unknown", f"Expected an address for which something waits, got {ask.csms!r}",
                      "$.csms")  # fmt: skip
        if found.is_set:
            return no("refused", "This address is set: what waits for it is said there", "$.csms")
        await self.store.audit(who, "messages for a former CSMS let go",
                               f"{_counted(found.messages, 'message')} for {ask.csms}")  # fmt: skip
        gone = await self.store.let_go(ask.csms, ask.through)
        return yes(f"{_counted(gone, 'message')} let go")

    async def _former_told(self, old: Settings, new: Settings) -> str:
        """What stays behind where another address is set (trust.md K13)."""
        if old.csms.url in {"", new.csms.url}:
            return ""
        try:
            found = [one for one in await self.store.queues() if one.csms == old.csms.url]
        except StoreError:
            return ""
        waits = "; ".join(
            f"{_counted(one.messages, 'message')} of {_counted(one.chargers, 'charger')} and what "
            f"follows of {_counted(one.sessions, 'session')}" for one in found
        )  # fmt: skip
        return waits and (f"Kept for {old.csms.url} alone, until it is set again or they are let "
                          f"go: {waits}")  # fmt: skip

    async def _read_frames(self, ask: ReadFrames, _who: Who) -> Answer:
        limit = min(max(ask.limit, 1), FRAMES_READ_MAX)
        return yes(data=self.frames.read(ask.after, limit, ask.charger, ask.ways))

    async def _frame_file(self, ask: ReadFrameFile, _who: Who) -> Answer:
        found = self.frames.file(ask.number)
        if found is None:
            return no("unknown", f"Expected a file that there is, got number {ask.number}")
        name, frames = found
        return yes(data=FrameFile(name, await self.packer.run(lambda: content(frames))))

    def _common_password(self, url: str) -> str:
        """The password of all uplinks to this address that have none of their own."""
        kept = self.store.recall(UPLINK_PASSWORD)
        at, password = msgspec.json.decode(kept, type=tuple[str, str]) if kept else ("", "")
        return password if url and at == url else ""

    async def _uplink_password(self, ask: SetUplinkPassword, who: Who) -> Answer:
        url, word = self.store.settings.value.csms.url, ask.password
        if not url:
            return no("refused", "Expected an address of a CSMS first: a password is for one alone")
        if len(word) > PASSWORD_CHARS_MAX or not word.isprintable():
            return no("invalid", f"Expected at most {PASSWORD_CHARS_MAX} printable characters, got "
                                 f"{len(word)}", "$.password")  # fmt: skip
        known = {*self.views, *(c.id for c in self.store.settings.value.chargers)}
        if ask.charger and ask.charger not in known:
            return no("unknown", f"Expected a known charger, got {ask.charger!r}", "$.charger")
        whose = f"the uplink of {ask.charger}" if ask.charger else "all uplinks"
        await self.store.audit(who, f"password of {whose}", new="given" if word else "none")
        if ask.charger:
            await self.uplinks.set_password(ask.charger, word)
        else:
            kept = msgspec.json.encode((url, word)).decode()
            await self.store.remember(UPLINK_PASSWORD, kept)
            self.uplinks.take_settings()
        return yes(f"{whose[0].upper()}{whose[1:]} {'use' if not ask.charger else 'uses'} "
                   f"{'this password' if word else 'no password'}")  # fmt: skip

    async def _try_uplink(self, ask: TryUplink, who: Who) -> Answer:
        csms, charger = self.store.settings.value.csms, ask.charger or TRIAL
        given = (ask.url, ask.prefix, ask.ca, ask.password)
        if who.level < ASSEMBLER and given != (csms.url, csms.prefix, csms.ca, None):
            return no("forbidden", "Only the Assembler tries what is not set")
        if self.uplinks.is_linked(charger) and same_place(ask.url, csms.url):
            words = (f"{charger} is connected there now, and a second link in its name would end "
                     "the first: take another charger")  # fmt: skip
            return no("refused", words, "$.charger")
        word = self.uplinks.password(charger, ask.url) if ask.password is None else ask.password
        async with self.trying:
            terms = Terms(
                ask.url, ask.prefix, word, ask.ca, in_clear=csms.password_in_clear
            )
            return yes(data=await self.uplinks.try_out(terms, charger))

    async def _bundle(self, _ask: ReadBundle, _who: Who) -> Answer:
        """All of one moment, packed in a thread: the control loop goes on."""
        made, serial = self.wall.stamp(), self.board.identity.serial
        segments, lines = self.fact_ring.segments(), tuple(self.ring.lines)
        settings, snapshot = self.store.settings.value, self.desk.look()
        held = self.frames.files()

        def pack() -> bytes:
            recording = to_file(segments, __version__, made)
            files = ((name, content(frames)) for name, frames in held)
            return bundle(about(made, serial), settings, snapshot, lines, recording, files)

        packed = await self.packer.run(pack)
        return yes(data=SupportBundle(f"linkray-{serial}-{made[:10]}.zip", packed))

    # -- alerts, restarts, the log, the maintenance report ---------------------------------------

    @property
    def _zone(self) -> tzinfo:
        return zone_named(self.store.settings.value.site.time_zone) or UTC

    async def _read_alerts(self, ask: ReadAlerts, _who: Who) -> Answer:
        await trio.lowlevel.checkpoint()
        names = {charger.id: charger.name for charger in self.store.settings.value.chargers}
        try:
            return yes(data=self.alerts.read(ask, self.wall.utc(), self._zone, names))
        except BadSpan as error:
            return no("invalid", str(error), "$.from")

    async def _see_alerts(self, ask: SeeAlerts, who: Who) -> Answer:
        fresh = self.alerts.see(ask.ids, who.name, self.wall.utc())
        if fresh:
            codes = ", ".join(sorted({one.code for one in fresh}))
            await self.store.audit(who, f"{_counted(len(fresh), 'alert')} seen", new=codes)
        return yes(f"{_counted(len(fresh), 'alert')} marked as seen")

    def _sessions(self) -> dict[str, int]:
        """How many run at each charger that has any."""
        running = {
            charger: sum(one.transaction_id is not None for one in cell.value.connectors)
            for charger, cell in self.views.items()
        }
        return {charger: count for charger, count in running.items() if count}

    async def _restart(self, ask: Restart, who: Who) -> Answer:
        if ask.part == "web":
            await self.store.audit(who, "restart of the pages")
            return yes("The pages start anew")
        waits = ask.when_idle and bool(self._sessions())
        await self.store.audit(who, "restart of control", new="when idle" if waits else "now")
        self.waiting.put(ask, who, self.wall.utc())
        return yes("LinkRay starts anew " + ("when no session runs" if waits else "now"))

    async def _cancel_restart(self, ask: CancelRestart, who: Who) -> Answer:
        whose = ask.charger or "control"
        if not self.waiting.drop(ask.charger):
            return no("unknown", f"No restart of {whose} waits", "$.charger")
        await self.store.audit(who, f"restart of {whose} called off")
        return yes(f"{whose[0].upper()}{whose[1:]} stays as it is")

    async def _follow_waiting(self) -> None:
        """Restarts, when their time has come."""
        while True:
            await trio.sleep(IDLE_LOOK_S)
            for ask, who in self.waiting.take(self._sessions(), self.views.__contains__):
                if isinstance(ask, ActAtCharger):
                    answer = await self.chargers.ask(ask.charger, ask)
                    log.info(ask.act, peer=ask.charger, by=who.name, answer=answer.text)
                else:
                    self.ends_why = f"restart asked for by {who.name}"
                    log.info("control starts anew", by=who.name)
                    self.restart.set()

    async def _read_restarts(self, _ask: ReadRestarts, _who: Who) -> Answer:
        await trio.lowlevel.checkpoint()
        return yes(data=RestartsRead(self.waiting.listed(), self.starts, self.extended))

    async def _log_level(self, ask: SetLogLevel, who: Who) -> Answer:
        name = "extended" if ask.extended else "normal"
        await self.store.audit(who, "level of the log", new=name)
        self.extended = ask.extended
        set_level(logging.DEBUG if ask.extended else logging.INFO)
        return yes(f"The log is at its {name} level")

    async def _log_file(self, _ask: ReadLogFile, _who: Who) -> Answer:
        snapshot, lines = self.desk.look(), tuple(self.ring.lines)
        return yes(data=await self.packer.run(lambda: without_tags(snapshot, lines)[1]))

    async def _report(self, _ask: ReadReport, _who: Who) -> Answer:
        """All of one moment; what is on disk is asked of in a thread."""
        now, board, state = self.wall.utc(), self.board, self.state
        asked = ReadAlerts(begin=stamp(now - REPORTED), limit=REPORTED_MAX)
        lost = losses(self.alerts.all, now)
        storage = StorageView(0, 0, 0, ())
        if state is not None:
            storage = await self.runner.run(lambda: stored(state, self.store))
        modem = board.modem.state()
        return yes(data=Report(
            made=stamp(now), board=board.name, mac=board.identity.mac,
            python=platform.python_version(), system=platform.platform(),
            csms_url=without_secrets(self.store.settings.value).csms.url,
            snapshot=self.desk.look(),
            alerts=self.alerts.read(asked, now, self._zone, {}),
            losses={charger: Losses(*of) for charger, of in lost.items()},
            began=self.starts, storage=storage,
            network=tuple(
                NetworkLink(one.name, one.kind, one.up, one.address or "", one.gateway or "")
                for one in board.network.links()
            ),
            modem=f"SIM {modem.sim}, {'' if modem.registered else 'not '}registered",
            slots=tuple(ImageSlot(one.name, one.version, one.booted, one.good)
                        for one in board.slots.slots()),
            clock_set=self.wall.is_set,
        ))  # fmt: skip

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
        saved = self.store.recall(CLOCK_SAVED)
        self.wall.suppose(OLDEST if saved is None else datetime.fromisoformat(saved))
        await self.desk.begin()
        if self.latch.exists():
            self._stop(self.latch.read_text(errors="replace"))
        await self.ceiling.heal()
        await self.fitted.begin()
        self.chargers.licence_total = self.fitted.connectors
        self.passports = {p.make: p for p in await self.store.passports()}
        self.tell(self._ceiling_told())
        self.tell(self._clock_told())
        self.tell(facts.SettingsChanged(self._effective()))
        self._tell_learned()
        failed = self.store.recall(FAILED)
        if failed is not None:
            self.uplinks.rest_since(self.wall.utc() - datetime.fromisoformat(failed))
        if self.store.recall(OPENED) is None:
            await self._remember(OPENED, f"{self.wall.stamp()} {COMMISSIONING_S:.0f}")
        await self._note_start()
        self.alerts = AlertBook(await self.store.alerts(), self.born)
        kept, ended = self.store.recall(restarts.BEGAN), self.store.recall(restarts.ENDED)
        self.starts = restarts.began(kept, ended, __version__, self.wall.stamp())
        await self._remember(restarts.BEGAN, msgspec.json.encode(self.starts).decode())

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
        await self._remember(STARTS, " ".join([*recent, self.wall.stamp()]))

    async def _remember(self, name: str, value: str) -> None:
        """A small fact that a failing disk may keep us from keeping, and from nothing else (P3)."""
        try:
            await self.store.remember(name, value)
        except StoreError as error:
            log.warning("not remembered", what=name, cause=str(error))

    async def forget_starts(self) -> None:
        """What ends now is no crash of ours."""
        await self._remember(STARTS, "")
        await self._remember(restarts.ENDED, restarts.ended(self.starts, self.ends_why))

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
        try:
            await self._live(task_status)
        except* KeptDown:
            await self._remember(FAILED, self.wall.stamp())
            raise

    async def _live(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._kept("store", self.store.tend, vital=True))
            await self.begin()
            async with trio.open_nursery() as rooms:
                await rooms.start(self._balance)
                rooms.start_soon(self._kept("panel", lambda: run_panel(self.panel), rests=True))
                rooms.start_soon(self._kept("meter", lambda: run_meter(self._meter_room())))
                await rooms.start(self._run_chargers)
                rooms.start_soon(self._kept("settings", self._follow_settings))
                rooms.start_soon(self._kept("ceiling", self._follow_ceiling))
                rooms.start_soon(self._kept("clock", self._follow_clock))
                rooms.start_soon(self._kept("safe mode", self._leave_safe_mode))
                rooms.start_soon(self._kept("figures", self._follow_figures, rests=True))
                rooms.start_soon(self._kept("storage", self._follow_storage, rests=True))
                rooms.start_soon(self._kept("drawn", self._follow_drawn, rests=True))
                rooms.start_soon(self._kept("learned", self._keep_learned, rests=True))
                rooms.start_soon(self._kept("tags", self.tags.run, rests=True))
                rooms.start_soon(self._kept("history", self._record, rests=True))
                rooms.start_soon(self._kept("alerts", self._keep_alerts, rests=True))
                rooms.start_soon(self._kept("delivery", self.delivery.run, rests=True))
                rooms.start_soon(self._kept("restarts", self._follow_waiting, rests=True))
                if self.charger_files:
                    rooms.start_soon(self._kept("files", self.charger_files.run, rests=True))
                task_status.started()
            nursery.cancel_scope.cancel()

    def _kept(
        self, name: str, run: Callable[[], Awaitable[None]], *, vital: bool = False,
        rests: bool = False,
    ) -> Callable[[], Awaitable[None]]:  # fmt: skip
        return functools.partial(
            keep, name, run, vital=vital, rests=rests, strict=self.strict
        )

    async def _balance(self, task_status: trio.TaskStatus[None]) -> None:
        """The balancer, vital: after a crash it is told anew what stands."""
        said = False
        core: Balancer | None = None

        async def run() -> None:
            nonlocal said, core
            begun = Balancer(self._effective())
            if said and core is not None:
                self._retell(core.lost_strangers(trio.current_time()))
            core = begun  # not before all is told: should that fail, the next start tells it
            async with trio.open_nursery() as nursery:
                await nursery.start(
                    functools.partial(
                        run_balance, core, self.inbox.clone(), self.plan, self.beat,
                        self.board.watchdog, self.faults, self.wall, self.times, self.fact_ring,
                        self._learned, strict=self.strict,
                    )
                )  # fmt: skip
                if not said:
                    said = True
                    task_status.started()

        await keep("balance", run, vital=True, strict=self.strict)

    def _learned(self, fact: facts.EtaLearned) -> None:
        """What the balancer has learned of a charger: kept, without letting it wait."""
        try:
            self.keep_learned.send_nowait(fact)
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            log.warning("efficiency not kept", peer=fact.charger, action="learned again")

    async def _keep_learned(self) -> None:
        async for fact in self.learned.clone():
            await self._remember(f"{ETA} {fact.charger}", " ".join(map(str, fact.sessions)))

    async def _record(self) -> None:
        """The site's past for the graphs (metering.md, History)."""
        look = Look(self.store.settings, self.plan, self.meter, self.views, self.wall)
        courses = Courses(await self.store.courses())
        await run_recorder(look, self.store.commit, (StoreError,), courses, self.store.later)
    async def _keep_alerts(self) -> None:
        await follow_alerts(self.alerts, self.faults.cell, self.store, self.wall)

    def _tell_learned(self) -> None:
        """What chargers in watts have shown before (decided.md, DC efficiency)."""
        for charger in self.store.settings.value.chargers:
            kept = self.store.recall(f"{ETA} {charger.id}")
            if kept is not None:
                sessions = tuple(map(int, kept.split()))
                self.tell(facts.EtaLearned(charger.id, sessions, trio.current_time()))

    def _retell(self, strangers: list[facts.AnyFact]) -> None:
        """A balancer that starts again knows nothing: it is told what stands, and by the one
        before it who is lost and nobody's to tell.
        """
        if self.emergency.value:
            self.tell(facts.EmergencyStopped(True, self.stopped_by or "", trio.current_time()))
        self.tell(self._ceiling_told())
        self.tell(self._clock_told())
        self._tell_learned()
        for fact in (*self.chargers.known(), *strangers):
            self.tell(fact)
        self.chargers.retell()
        self.uplinks.retell()

    # -- the ceiling and the clock ---------------------------------------------------------------

    def _ceiling_told(self) -> facts.CeilingSealed:
        return facts.CeilingSealed(self.ceiling.limit.value, trio.current_time())

    async def _follow_ceiling(self) -> None:
        """A new seal holds at once; the balancer takes the lower of it and the site limit."""
        seq = self.ceiling.limit.seq
        while True:
            seq, _limit = await self.ceiling.limit.wait_newer(seq)
            self.tell(self._ceiling_told())
            self.uplinks.take_settings()
            self._note_fail_safe()
            self.desk.stir()

    def _makes(self) -> dict[str, Make]:
        """What is known of the makes of the chargers in the settings."""
        room = self.chargers
        return makes_of(
            (c.id for c in self.store.settings.value.chargers), room.seen, room.connectors,
            self.quirks, self.passports,
        )  # fmt: skip

    def _note_fail_safe(self) -> None:
        trouble = fail_safe_trouble(
            self.store.settings.value, self.ceiling.limit.value, self._makes()
        )
        self._note(Code.FAIL_SAFE, trouble)

    def _note(self, code: Code, trouble: str | None) -> None:
        """A fault with these words, whatever it said before; None: it is over."""
        raised = self.faults.get(key(code))
        if raised is not None and (trouble is None or trouble not in raised.text):
            self.faults.clear(key(code))
        if trouble is not None:
            self.raise_(code, trouble)

    def _clock_told(self) -> facts.ClockTold:
        """What time it is. Where nobody knows: a time at which the schedule stood as it did last,
        so that a pause is neither ended nor begun by a lost clock (T6).
        """
        now, utc = trio.current_time(), self.wall.utc()
        if self.wall.is_set:
            return facts.ClockTold(utc.timestamp(), now)
        known = self.store.recall(CLOCK_KNOWN)
        last = utc if known is None else datetime.fromisoformat(known)
        return facts.ClockTold(last.timestamp(), now, is_set=False)

    async def _follow_clock(self) -> None:
        """The time for the schedule: each minute, and at once when the clock was set."""
        told: facts.ClockTold | None = None
        excluded: bool | None = None
        saved_at = -math.inf
        while True:
            now = self._clock_told()
            if now.is_set and now.at >= saved_at + CLOCK_SAVED_S:
                saved_at = now.at
                await self._remember(CLOCK_SAVED, self.wall.stamp())
            if told is None or _is_news(told, now):
                if told is not None and now.at - told.at < CLOCK_TOLD_S:
                    log.info("clock set", cause=f"it is {self.wall.stamp()} now",
                             action="the schedule is looked at anew")  # fmt: skip
                told = now
                self.tell(now)
            paused = self.plan.value.excluded_until_s is not None
            if now.is_set and self.store.settings.value.schedule and paused is not excluded:
                excluded = paused
                await self._remember(CLOCK_KNOWN, self.wall.stamp())
            await trio.sleep(CLOCK_LOOK_S)

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
            self.wall, self.drawn, self.drawn_by,
        )  # fmt: skip

    async def _follow_settings(self) -> None:
        """Every change of the settings, and the lock of first login, reaches the balancer."""
        async with trio.open_nursery() as nursery:
            for cell in (self.store.settings, self.desk.lock):
                nursery.start_soon(self._tell_settings_on, cell)
            nursery.start_soon(self._kept("queue", self.store.keep_gathering, rests=True))
            seq = -1
            while not self.store.settings.value.csms.url:  # a stand-alone site has no uplinks
                seq, _settings = await self.store.settings.wait_newer(seq)
            nursery.start_soon(self._kept("uplinks", self.uplinks.run, rests=True))

    async def _tell_settings_on(self, cell: Cell[Any]) -> None:
        seq = cell.seq
        while True:
            seq, _value = await cell.wait_newer(seq)
            self.tell(facts.SettingsChanged(self._effective()))
            self._note_password()
            self._note_fail_safe()
            self.desk.stir()

    def _note_password(self) -> None:
        lock = self.desk.lock.value
        if lock.passwords_set or lock.released:
            self.faults.clear(key(Code.DEFAULT_PASSWORD))
        else:
            self.raise_(Code.DEFAULT_PASSWORD)

    def _note_clock(self) -> None:
        """Keys are refused while it is not set (trust.md A9)."""
        if self.wall.is_set:
            self.faults.clear(key(Code.CLOCK))
        else:
            self.raise_(Code.CLOCK)

    async def _follow_figures(self) -> None:
        self._note_password()
        while True:
            self._note_clock()
            self._note_fail_safe()
            self._note(Code.CERTIFICATE, await self.fitted.look())
            zone = zone_named(self.store.settings.value.site.time_zone) or UTC
            midnight = self.wall.utc().astimezone(zone).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            try:
                self.passports = {p.make: p for p in await self.store.passports()}
                self.energy_today_wh = await self.store.energy_since(stamp(midnight))
                self.oldest = await self._oldest()
            except StoreError as error:
                log.warning("energy of today not known", cause=str(error))
            await trio.sleep(FIGURES_S)

    async def _oldest(self) -> dict[str, str]:
        behind = [c for c, cell in self.uplink_views.items() if cell.value.waiting]
        url = self.store.settings.value.csms.url
        return await self.store.oldest_waiting(url, behind) if behind and url else {}

    async def _follow_storage(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_trouble, Code.STORAGE, self.store.trouble)
            nursery.start_soon(self._follow_trouble, Code.QUEUE, self.store.queue_trouble)

    async def _follow_trouble(self, code: Code, trouble: Cell[str | None]) -> None:
        seq = -1
        while True:
            seq, words = await trouble.wait_newer(seq)
            self._note(code, words)

    async def _follow_drawn(self) -> None:
        """What all chargers draw, for the meter's plausibility."""
        seq = self.plan.seq
        while True:
            seq, plan = await self.plan.wait_newer(seq)
            self.steps.feed(plan.building_ma, plan.at)
            total = ZERO
            each: dict[str, Phases] = {}
            for offer in plan.offers:
                if offer.drawn_ma is not None:  # what was offered less is not drawn any more
                    total += offer.drawn_ma.at_most(offer.offer_ma)
                    each[offer.charger] = each.get(offer.charger, ZERO) + offer.drawn_ma
            self.drawn.set(total)
            unknown = any(offer.session and offer.drawn_ma is None for offer in plan.offers)
            self.drawn_by.set(None if unknown else each)


def told_words(fact: facts.AnyFact) -> dict[str, object]:
    """A fact as the extended log tells it: never whose tag it was."""
    found = {name: getattr(fact, name) for name in fact.__struct_fields__ if name != "tag"}
    shown = {name: value for name, value in found.items() if isinstance(value, str | int | float)}
    return {"fact": type(fact).__name__, **shown}


def stored(state: Path, store: Store) -> StorageView:
    """What the disk holds and has room for. Raises `OSError`."""
    file = state / FILE
    free, total = store.files.free(state)
    return StorageView(
        file.stat().st_size if file.exists() else 0, free, total,  # in simulation: in memory
        tuple((copy.name, copy.stat().st_size) for copy in copies(file)),
        store.trouble.value or "",
    )  # fmt: skip


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _is_news(told: facts.ClockTold, now: facts.ClockTold) -> bool:
    """Whether a minute has passed, or the wall clock has gone its own way since."""
    passed_s = now.at - told.at
    if passed_s >= CLOCK_TOLD_S or told.is_set is not now.is_set:
        return True
    return now.is_set and abs(now.utc_s - told.utc_s - passed_s) > CLOCK_STEP_S


def makes_of(
    chargers: Iterable[str], seen: Mapping[str, ChargerSeen], connectors: Mapping[str, int],
    quirks: Quirks, passports: Mapping[tuple[str, str, str], Passport],
) -> dict[str, Make]:  # fmt: skip
    """What each charger's make, its own word and its passport add to its settings."""
    makes: dict[str, Make] = {}
    for charger in chargers:
        said = seen.get(charger) or ChargerSeen(charger)
        quirk = quirks.match(said.vendor, said.model, said.firmware)
        passport = passports.get((said.vendor, said.model, said.firmware))
        if passport is not None:
            quirk = in_force(quirk, passport, is_sites=quirks.is_sites(quirk))
        makes[charger] = Make(
            connectors=max(1, connectors.get(charger, 0), said.connectors),
            min_ma=quirk.min_ma or 0,
            pauses_at_0=quirk.zero == "pauses",
            steps_down=quirk.dead_man_s != 0,
        )
    return makes


class Meters:
    """What the desk needs of the room `meter`; `own` are those that were uploaded."""

    def __init__(self, own: Callable[[], tuple[ShippedMeter, ...]] = tuple) -> None:
        self._own = own

    def judge(self, file: Mapping[str, object]) -> None:
        meterfile.parse(dict(file))

    def read(self, text: str) -> dict[str, MeterFileValue]:
        return dict(meterfile.as_settings(meterfile.parse(text)))

    def shipped(self) -> tuple[ShippedMeter, ...]:
        folder = files("linkray.meter") / "files"
        texts = {p.name: p.read_text() for p in folder.iterdir() if p.name.endswith(".meter")}
        return meterfile.shipped(texts)

    def offered(self) -> tuple[ShippedMeter, ...]:
        return (*self.shipped(), *self._own())


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
    wall, ring, end = WallClock(), LogRing(), trio.Event()
    set_up(wall, ring)

    def told(cause: str) -> None:
        log.info("control ends", cause=cause)
        end.set()

    try:
        board = load_board(board_toml, state)
    except BadBoard as error:
        print(f"linkray: {error}", file=sys.stderr)
        return 1
    _more_files()
    async with trio.open_nursery() as nursery:  # before anything is open that must be closed
        await nursery.start(heed_signals, told)
        ports = (bind, ocpp_port, ocpps_port)
        code = await _open_house(board, wall, ring, state, ports, ready, end)
        nursery.cancel_scope.cancel()
    return code


async def _open_house(
    board: Board, wall: WallClock, ring: LogRing, state: Path, ports: tuple[str, int, int],
    ready: Callable[[dict[str, object]], None], end: trio.Event,
) -> int:  # fmt: skip
    """From the store to the doors, and back again when it is to `end`."""
    async with AsyncExitStack() as stack:
        stack.enter_context(held(state))
        keeps = board.keeps | STAYS
        try:
            await finish_reset(
                state, keeps, lambda: Store.open(state / FILE, InThread(), wall)
            )
            store = await stack.enter_async_context(opened_store(state, wall))
        except StoreError as error:
            print(f"linkray: {error}", file=sys.stderr)
            return 1
        if end.is_set():
            return 0
        house = House(
            board, store, wall, board.licence, shipped_quirks(state), ring,
            state=state, runner=InThread(), packer=InThread(),
        )  # fmt: skip
        kept = FramesKept(
            house.frames, state / "ocpp-log", house.packer, lambda: store.has_room
        )
        await kept.load()
        try:
            async with trio.open_nursery() as keeping:
                keeping.start_soon(functools.partial(keep, "OCPP log", kept.run, rests=True))
                code = await _until_told(house, *ports, ready, end)
                keeping.cancel_scope.cancel()
        finally:
            await kept.save()
        return code


async def _until_told(
    house: House, bind: str, ocpp_port: int, ocpps_port: int,
    ready: Callable[[dict[str, object]], None], end: trio.Event,
) -> int:  # fmt: skip
    """Rooms, then listeners and desk; at the end the listeners go first, then the rooms. What is
    told to end while it starts opens no door any more.
    """
    assert house.state is not None
    tls = Certificate(house.state / TLS).context
    code = 0
    async with trio.open_nursery() as outer:
        await outer.start(house.live)
        async with trio.open_nursery() as doors:
            if end.is_set():
                doors.cancel_scope.cancel()
            listen = functools.partial(charger_task.listen, house.chargers, bind)
            try:
                ocpp = await doors.start(functools.partial(listen, ocpp_port, None))
                ocpps = await doors.start(functools.partial(listen, ocpps_port, tls))
            except OSError:
                await house.forget_starts()
                raise
            house.doors = (ocpp, ocpps)
            desk_socket = open_desk(house.state)
            await doors.start(functools.partial(serve_desk, desk_socket, house.desk))
            house.started.set(True)
            lenient.prepare()  # the schemas now, not at the first boot: 0.2 s of a standing loop
            _calm_collector()
            tell_systemd()
            ready({"ready": "control", "ocpp": ocpp, "ocpps": ocpps})
            log.info("control is up", version=__version__, serial=house.board.identity.serial,
                     ocpp=ocpp, ocpps=ocpps)  # fmt: skip
            code = await _wait_end(house, end)
            doors.cancel_scope.cancel()
        await house.uplinks.keep_the_rest()
        await house.forget_starts()
        outer.cancel_scope.cancel()
    return code


async def _wait_end(house: House, end: trio.Event) -> int:
    """0 where it is told to end, `EXIT_REBOOT` when the board wants to be started again, and
    `EXIT_RESTART` where this process alone does.
    """
    code = EXIT_REBOOT

    async with trio.open_nursery() as nursery:

        async def until(event: trio.Event, its: int) -> None:
            nonlocal code
            await event.wait()
            code = its
            nursery.cancel_scope.cancel()

        nursery.start_soon(until, end, 0)
        nursery.start_soon(until, house.restart, EXIT_RESTART)
        await house.board.system.rebooting.wait()
        nursery.cancel_scope.cancel()
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


