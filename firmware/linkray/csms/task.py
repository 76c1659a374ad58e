"""The uplinks' tasks: dial, TLS, read, write, close. What is decided is `relay.py`'s."""

from __future__ import annotations

import base64
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import h11
import msgspec
import structlog
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import ProtocolError

from linkray.kit import outward
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock, stamp
from linkray.kit.keep import contain
from linkray.kit.outward import NOT_TRUSTED, no_line
from linkray.model.facts import CsmsBound
from linkray.model.faults import Cleared, Raised
from linkray.model.narrow import narrowest
from linkray.model.records import AnyRecord, Outgoing, Transaction, UplinkKept
from linkray.model.settings import Settings
from linkray.model.units import Phases
from linkray.model.uplink import (
    Answered,
    Boot,
    FromUplink,
    Here,
    Introduce,
    Live,
    Message,
    Passed,
    Status,
    ToUplink,
)
from linkray.model.views import UplinkTested, UplinkView, Way
from linkray.ocpp.frame import FRAME_BYTES_MAX
from linkray.store.db import StoreError
from linkray.store.runner import Inline, Runner

from .address import Address, BadAddress, read_address
from .bounds import Wired
from .ids import KEPT_MAX, Known
from .outbox import WINDOW_MAX, Outbox
from .relay import ATTEMPT_S, Relay
from .turns import Turns
from .wire import (
    AsideGone,
    Dial,
    Ended,
    HangUp,
    Item,
    Keep,
    Later,
    Linked,
    Load,
    Loaded,
    Note,
    NotLinked,
    Out,
    Overrun,
    PasswordNow,
    Received,
    Seen,
    Send,
    Settle,
    Settled,
    Tell,
    Terms,
    TermsNow,
    Thinned,
    TimeSaid,
    ToLink,
)

SUBPROTOCOL = "ocpp1.6"
CONNECT_S = 20.0  # name, TCP, TLS and WebSocket together
WRITE_S = 10.0  # house.md, Nurseries 4
CLOSE_S = 2.0
PING_S = 20.0  # csms.md, Connecting
SILENT_S = 60.0
READ_S = 30.0  # for the store to say what waits
KEEP_AGAIN_S = 1.0  # a disk that fails is asked again
KEEP_TIMES = 3
UNTOLD_AGAIN_S = 0.1  # a balancer whose inbox is full hears it then
END_S = 3.0  # for the disk to take what is left, as LinkRay ends
AGAIN_S = 5.0  # an uplink that has failed begins anew after so long
BROKEN = 1006  # RFC 6455, 7.4.1: there was no closing handshake
TRIAL_S = 1.0  # who opens and closes at once does so by then (csms.md, Connecting)
CONTEXTS_MAX = 4  # of TLS: one is in use, another may be tried out
ITEMS_MAX = 256  # that wait while a frame is written to a CSMS, or the disk hangs

log = structlog.get_logger(source="CSMS")

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]


class RoomStore(Protocol):
    """What the uplinks need of the store."""

    async def commit(self, records: Sequence[AnyRecord]) -> None: ...
    def later(self, records: Sequence[AnyRecord]) -> None: ...
    async def recent(self, charger: str, limit: int = 64) -> list[Transaction]: ...
    async def running(self) -> list[Transaction]: ...
    async def waiting(self, charger: str, csms: str) -> tuple[int, int, int]: ...
    async def waiting_chargers(self, csms: str) -> list[str]: ...
    async def uplinks(self) -> list[UplinkKept]: ...
    async def load(
        self, charger: str, csms: str, after: int, limit: int
    ) -> tuple[tuple[Outgoing, ...], bool]: ...


class UplinkRoom:
    """What `app.py` hands the uplinks, and those that stand.

    `to_link` puts an item into a charger's link without waiting; `connect` opens a TCP stream;
    `may_pass` says whether a charger is passed to the CSMS at all (decided.md, Past the licence).
    `before` is a charger's configuration before LinkRay changed it. `common` gives the password of
    all uplinks to an address that have none of their own.
    """

    def __init__(
        self,
        *,
        settings: Cell[Settings],
        store: RoomStore,
        clock: WallClock,
        to_link: Callable[[str, FromUplink], None],
        raise_: Callable[[Raised], None],
        clear: Callable[[Cleared], None],
        views: dict[str, Cell[UplinkView]],
        may_pass: Callable[[str], bool] = lambda _charger: True,
        before: Callable[[str], Mapping[str, str | None]] = lambda _charger: {},
        tell: Callable[[CsmsBound], bool] = lambda _fact: True,
        connectors: Callable[[str], int] = lambda _charger: 1,
        ceiling: Callable[[], Phases | None] = lambda: None,
        connect: Connect = trio.open_tcp_stream,
        common: Callable[[str], str] = lambda _url: "",
        runner: Runner | None = None,
        strict: bool = False,
        ocpp_log: Callable[[str, Way, str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.to_link = to_link
        self.raise_ = raise_
        self.clear = clear
        self.views = views
        self.may_pass = may_pass
        self.before = before
        self.tell = tell
        self.connectors = connectors
        self.ceiling = ceiling
        self.connect = connect
        self.common = common
        self.strict = strict
        self.ocpp_log = ocpp_log
        self.kept: dict[str, UplinkKept] = {}
        self.trust = Trust(runner or Inline())
        self.turns = Turns()
        self._dialled: dict[tuple[str, str], float] = {}  # charger and address: when, this minute
        self._rests_until = -math.inf
        self._uplinks: dict[str, Uplink] = {}
        self._owing: set[str] = set()  # not passed any more, and something of theirs is kept
        self._wanted: list[Uplink] = []  # to be begun
        self._again: list[tuple[str, float]] = []  # chargers whose uplink has failed, and when
        self._bell = trio.Event()

    def put(self, charger: str, item: ToUplink) -> None:
        """Something of a charger's link for its uplink, without waiting."""
        url = self.settings.value.csms.url
        uplink = self._uplinks.get(charger)
        if isinstance(item, Message) and item.outgoing.csms == url and not self.may_pass(charger):
            self._owing.add(charger)  # of a session from before: its CSMS hears how it went on
            if uplink is not None and uplink.url != url:
                uplink = self._another(charger, uplink)
        if uplink is None:
            if not url:
                return
            uplink = self._begin(charger)
        uplink.put(item)

    def for_csms(self, charger: str, payload: bytes, now: float) -> bytes | None:
        """What of a MeterValues the CSMS wants at this time; None: nothing."""
        uplink = self._uplinks.get(charger)
        core = None if uplink is None else uplink.core
        if core is None:
            return payload
        core.keys.was(self.before(charger))
        return core.thinning.passes(payload, core.keys.interval_s, core.keys.measurands, now)

    def terms(self, charger: str) -> Terms:
        """What the settings say for a charger's uplink now."""
        csms = self.settings.value.csms
        if not csms.url or not (self.may_pass(charger) or charger in self._owing):
            return Terms()
        return Terms(
            csms.url, csms.prefix, self.password(charger, csms.url), csms.ca,
            in_clear=csms.password_in_clear, wired=self._wired(charger),
        )  # fmt: skip

    def password(self, charger: str, url: str) -> str:
        """What is said for a charger at this address and no other; empty: none."""
        kept = self.kept.get(charger)
        own = kept.password if kept is not None and kept.csms == url else ""
        return own or self.common(url)

    async def set_password(self, charger: str, password: str) -> None:
        """A charger's own, on disk before it is said anywhere."""
        url = self.settings.value.csms.url
        kept = self.kept.get(charger) or UplinkKept(charger, url)
        if kept.csms != url:  # wishes and profiles of another CSMS
            kept = UplinkKept(charger, url, kept.boot)
        kept = msgspec.structs.replace(kept, password=password)
        await self.store.commit((kept,))
        self.kept[charger] = kept
        uplink = self._uplinks.get(charger)
        if uplink is not None:
            uplink.put(PasswordNow(password))
        self.take_settings()

    def is_linked(self, charger: str) -> bool:
        """Whether its uplink stands now."""
        uplink = self._uplinks.get(charger)
        return uplink is not None and uplink.is_up

    async def try_out(self, terms: Terms, charger: str) -> UplinkTested:
        """Whether a CSMS lets this charger in, in words; nothing is said to it but the handshake,
        and nothing else of it is touched.
        """
        why = found = silent = ""
        began = trio.current_time()
        try:
            address = read_address(terms.url)
            if terms.password and not (address.is_tls or terms.in_clear):
                silent = "; the password was kept back, for without TLS anybody could read it"
            with trio.fail_after(CONNECT_S):
                stream = await _opened(self.connect, address, terms.ca, self.trust)
            try:
                async with trio.open_nursery() as nursery:
                    with trio.fail_after(CONNECT_S):
                        ws = await _handshake(nursery, stream, address, terms, charger)
                    found = _found(stream, ws, trio.current_time() - began)
                    why = await _parting(ws)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.move_on_after(CLOSE_S, shield=True):
                    await trio.aclose_forcefully(stream)
        except* _NOT_THERE as group:
            why = reason(group, terms.url)
        return UplinkTested(not why, (why or found) + silent)

    def _wired(self, charger: str) -> Wired:
        """What the settings say of a charger, as far as its profiles depend on it."""
        kept = self.settings.value.charger(charger)
        connectors = max(1, self.connectors(charger))
        if kept is None:
            return Wired(connectors)
        settings, ceiling, watts = self.settings.value, self.ceiling(), kept.highest_w()
        limit = settings.site.limit_ma.phases()
        narrow_ma, _where = narrowest(
            settings, kept, limit if ceiling is None else limit.at_most(ceiling)
        )
        return Wired(
            connectors, settings.site.voltage_mv, kept.phases,
            min(kept.highest_ma(), narrow_ma) if watts is None else narrow_ma,
            None if watts is None else watts * 1_000,
        )  # fmt: skip

    def wall(self, now: float) -> datetime:
        """UTC at a monotonic time."""
        return self.clock.utc() + timedelta(seconds=now - trio.current_time())

    def retell(self) -> None:
        """The balancer began anew: it hears again what the CSMS's profiles allow."""
        now = trio.current_time()
        for uplink in self._uplinks.values():
            for fact in uplink.core.bounds_again(now) if uplink.core is not None else ():
                uplink.tell(fact)

    def thinned(self, gone: Sequence[tuple[str, str, int]]) -> None:
        """There was no room: these kept messages are no more, by charger, address and number."""
        for charger, url in dict.fromkeys((charger, url) for charger, url, _ in gone):
            uplink = self._uplinks.get(charger)
            if uplink is not None and uplink.url == url:
                uplink.put(Thinned(frozenset(
                    number for *whose, number in gone if whose == [charger, url]
                )))  # fmt: skip

    def aside_gone(self, gone: Mapping[str, int]) -> None:
        """So many of what was set aside of these chargers is not, any more."""
        for charger, count in gone.items():
            uplink = self._uplinks.get(charger)
            if uplink is not None:
                uplink.put(AsideGone(count))

    def wait_again(self, messages: Sequence[Outgoing]) -> None:
        """These were set aside and wait for their CSMS again, in this order."""
        for one in messages:
            if not self.may_pass(one.charger):
                self._owing.add(one.charger)
            self.put(one.charger, Message(one))

    def take_settings(self) -> None:
        """The newest settings, places and passwords are in force."""
        for charger, uplink in list(self._uplinks.items()):
            if not self.may_pass(charger) and uplink.owes:
                self._owing.add(charger)
            else:
                self._owing.discard(charger)
            terms = self.terms(charger)
            if terms.url != uplink.url:  # what is kept for one CSMS is not said to another (K13)
                self._another(charger, uplink)
            else:
                uplink.put(TermsNow(terms))
        self._bell.set()

    def _another(self, charger: str, uplink: Uplink) -> Uplink | None:
        """Its CSMS is no longer the one that is set: this uplink ends, and one to that begins."""
        del self._uplinks[charger]
        uplink.stop()
        return self._begin(charger, uplink) if self.terms(charger).url else None

    def dials(self, charger: str, url: str) -> None:
        """An attempt is made now: the next of this charger there is a minute away, also where its
        uplink fails, or another address is set and taken back (INV-17).
        """
        now = trio.current_time()
        self._dialled = {k: at for k, at in self._dialled.items() if now < at + ATTEMPT_S}
        self._dialled[charger, url] = now

    def rest_since(self, ago: timedelta) -> None:
        """The process before this one gave itself up so long ago: a minute later nobody can have
        been dialled within the last minute.
        """
        if timedelta() <= ago < timedelta(seconds=ATTEMPT_S):
            self._rests_until = trio.current_time() + ATTEMPT_S - ago.total_seconds()

    def not_before(self, charger: str, url: str) -> float:
        """When a charger's uplink may dial this address first."""
        dialled = self._dialled.get((charger, url), -math.inf)
        return max(dialled + ATTEMPT_S, self._rests_until)

    def _begin(self, charger: str, former: Uplink | None = None) -> Uplink:
        uplink = self._uplinks[charger] = Uplink(self, charger, former)
        self._wanted.append(uplink)
        self._bell.set()
        self.to_link(charger, Introduce())
        return uplink

    async def run(self) -> None:
        """Every uplink that is wanted; those first for which something waits."""
        self.kept = {one.charger: one for one in await self.store.uplinks()}
        url = self.settings.value.csms.url
        await self._begin_owing(url)
        async with trio.open_nursery() as nursery:
            while True:
                self._bell = trio.Event()
                now = trio.current_time()
                if url != self.settings.value.csms.url:
                    url = self.settings.value.csms.url
                    nursery.start_soon(self._begin_owing, url)
                for charger in [c for c, at in self._again if at <= now]:
                    if charger not in self._uplinks:
                        self._begin(charger)
                self._again = [(c, at) for c, at in self._again if at > now]
                wanted, self._wanted = self._wanted, []
                for uplink in wanted:
                    nursery.start_soon(partial(
                        contain, f"uplink of {uplink.charger}", uplink.run, strict=self.strict
                    ))
                if not self._wanted:
                    with trio.move_on_at(min((at for _, at in self._again), default=math.inf)):
                        await self._bell.wait()

    async def keep_the_rest(self) -> None:
        """LinkRay ends, and no charger says anything more: what the CSMS has not answered yet is on
        disk before anything else ends. A disk that takes too long has what it has.
        """
        rest = [one for uplink in self._uplinks.values() for one in uplink.not_kept()]
        if not rest:
            return
        with trio.move_on_after(END_S, shield=True) as limit:
            try:
                await self.store.commit(rest)
            except StoreError as error:
                log.warning("values lost at the end", values=len(rest), cause=str(error))
        if limit.cancelled_caught:
            log.warning("values lost at the end", values=len(rest), cause="the disk is too slow")

    async def _begin_owing(self, url: str) -> None:
        """Those for which something waits at this address, whoever is connected."""
        while url and url == self.settings.value.csms.url:
            try:
                found = await self.store.waiting_chargers(url)
            except StoreError as error:
                log.warning("queue not read", cause=str(error))
                await trio.sleep(AGAIN_S)
                continue
            for charger in found if url == self.settings.value.csms.url else ():
                self._owing.add(charger)
                uplink = self._uplinks.get(charger)
                if uplink is None:
                    self._begin(charger)
                elif uplink.url != url:
                    self._another(charger, uplink)
            return

    def gone(self, charger: str, uplink: Uplink) -> None:
        """An uplink has failed: it begins anew from what is on disk."""
        if self._uplinks.get(charger) is uplink:
            del self._uplinks[charger]
            self.to_link(charger, Live(live=False))
            self._again.append((charger, trio.current_time() + AGAIN_S))
            self._bell.set()


class Uplink:
    """One charger's uplink: its core, its socket, and what waits for it."""

    def __init__(self, room: UplinkRoom, charger: str, former: Uplink | None = None) -> None:
        """`former`: the one to another CSMS, whose last words come before the first of this one:
        they say what no longer holds, and would say it of what holds now.
        """
        self.charger = charger
        self.url = room.terms(charger).url
        self.over = trio.Event()
        self._former = former
        self.core: Relay | None = None
        self._room = room
        self._items: list[Item] = []
        self._untold: dict[int, CsmsBound] = {}  # by connector: the newest is what holds
        self._bell = trio.Event()
        self._ws: WebSocketConnection | None = None
        self._scope: trio.CancelScope | None = None
        self._why = ""
        self._lost = 0  # things that were only passed on, since its inbox was full
        self._stopping = False

    @property
    def owes(self) -> bool:
        """Whether something is kept that the CSMS has not heard, as far as is known."""
        said = any(isinstance(item, Message) for item in self._items)
        return said or self.core is None or self.core.owes

    @property
    def is_up(self) -> bool:
        """Whether there is a link."""
        return self._ws is not None

    def stop(self) -> None:
        """Its CSMS is no longer the one that is set."""
        self._stopping = True
        self._bell.set()

    def put(self, item: Item) -> None:
        """Something for the core, without waiting."""
        if isinstance(item, Received) and len(self._items) >= ITEMS_MAX:
            self._end(f"more than {ITEMS_MAX} frames wait to be read")
            return
        if len(self._items) >= ITEMS_MAX and not self._has_room_for(item):
            return
        self._items.append(item)
        self._bell.set()

    def _has_room_for(self, item: Item) -> bool:
        """While it waits for a disk that hangs: LinkRay decides from now on, what is only passed on
        goes no further, and of what a charger is the newest counts. What is on disk already is
        taken: while the disk hangs there comes no more of it.
        """
        if isinstance(item, Passed) or (isinstance(item, Message) and not item.stored):
            if not self._lost:
                self._room.to_link(self.charger, Live(live=False))
                self._items.append(Overrun())
                log.warning("values for the CSMS lost", charger=self.charger,
                            cause=f"more than {ITEMS_MAX} things wait for the disk")  # fmt: skip
            self._lost += 1
            if isinstance(item, Passed) and item.waits:
                self._room.to_link(self.charger, Answered(item.call_id))
            return False
        if isinstance(item, Boot | Here | Status | TermsNow | PasswordNow):
            self._items = [one for one in self._items if not _is_outdated(one, item)]
        return True

    def not_kept(self) -> list[Outgoing]:
        """What it holds that is not on disk; it counts as kept from now on."""
        coming = [item for item in self._items if isinstance(item, Message) and not item.stored]
        self._items = [
            msgspec.structs.replace(item, stored=True) if item in coming else item
            for item in self._items
        ]
        return [*(() if self.core is None else self.core.not_kept()),
                *(item.outgoing for item in coming)]  # fmt: skip

    async def run(self) -> None:
        """Until LinkRay ends; a failure ends it, and what comes next begins it anew."""
        try:
            if self._former is not None:
                await self._former.over.wait()
                self._former = None
            core = self.core = await self._core()
            async with trio.open_nursery() as nursery:
                while True:
                    await self._wait(core.due())
                    while self._items:
                        core.keys.was(self._room.before(self.charger))
                        await self._do(core.feed(self._items.pop(0), trio.current_time()), nursery)
                    self._lost = 0
                    self._tell_again()
                    now = trio.current_time()
                    if self._stopping:
                        await self._do(core.farewell(now), nursery)
                        await self._tell_all()
                        nursery.cancel_scope.cancel()
                        return
                    if now >= core.due():
                        outs = core.wake(now)
                        assert core.due() > now, f"the uplink of {self.charger} wakes without end"
                        await self._do(outs, nursery)
        finally:
            self.over.set()
            self._room.gone(self.charger, self)

    async def _core(self) -> Relay:
        """The core, with what the store knows."""
        room, charger = self._room, self.charger
        terms = msgspec.structs.replace(room.terms(charger), url=self.url)
        with trio.fail_after(READ_S):
            waiting, aside, newest = await room.store.waiting(charger, terms.url)
            recent = await room.store.recent(charger, KEPT_MAX)
            running = [one for one in await room.store.running() if one.charger == charger]
        kept = room.kept.get(charger) or UplinkKept(charger, terms.url)
        if kept.csms != terms.url:  # wishes, profiles and a password of another CSMS
            kept = UplinkKept(charger, terms.url, kept.boot)
        known = [
            Known(one.id, one.id if one.at_charger is None else one.at_charger,
                  one.csms_id if one.csms == terms.url else None)
            for one in (*reversed(recent), *running)
        ]  # fmt: skip
        now = trio.current_time()
        return Relay(
            charger, terms, prefix=f"LR-{room.clock.utc():%y%m%d%H%M%S}-",
            wall=room.wall, box=Outbox(waiting, aside, newest),
            known=known, kept=kept, before=room.before(charger),
            not_before=room.not_before(charger, terms.url), turn=room.turns.take, now=now,
        )  # fmt: skip

    async def _wait(self, due: float) -> None:
        if self._items or self._stopping:
            return
        self._bell = trio.Event()
        again_at = trio.current_time() + UNTOLD_AGAIN_S if self._untold else math.inf
        with trio.move_on_at(min(due, again_at)):
            await self._bell.wait()

    def tell(self, fact: CsmsBound) -> None:
        """To the balancer, without waiting; where its inbox is full, again a moment later."""
        self._untold.pop(fact.connector, None)
        if not self._room.tell(fact):
            self._untold[fact.connector] = fact
            self._bell.set()

    def _tell_again(self) -> None:
        """What found the balancer's inbox full."""
        self._untold = {n: fact for n, fact in self._untold.items() if not self._room.tell(fact)}

    async def _tell_all(self) -> None:
        """The last it has to say: a bound of a CSMS that is gone would hold for ever."""
        while self._untold:
            await trio.sleep(UNTOLD_AGAIN_S)
            self._tell_again()

    # -- what the core says ----------------------------------------------------------------------

    async def _do(self, outs: list[Out], nursery: trio.Nursery) -> None:
        for out in outs:
            match out:
                case Send(text):
                    await self._send(text)
                case Keep(records):
                    await self._keep(records)
                case Settle(record):
                    is_kept = await self._keep((record,), is_asked=True)
                    assert self.core is not None
                    then = self.core.feed(Settled(is_kept), trio.current_time())
                    await self._do(then, nursery)
                case Load(after):
                    await self._load(after)
                case Dial(terms):
                    if not self._stopping:
                        self._room.dials(self.charger, terms.url)
                        nursery.start_soon(self._link, terms)
                case _:
                    self._do_now(out)

    def _do_now(self, out: Out) -> None:
        match out:
            case Later(records):
                self._room.store.later(records)
            case ToLink(item):
                self._room.to_link(self.charger, item)
            case Tell(fact):
                self.tell(fact)
            case TimeSaid(utc):
                self._room.clock.suppose(utc)
            case HangUp(why):
                self._end(why)
            case Seen(state, text, waiting, set_aside, attempts, next_at):
                next_attempt = None if next_at is None else stamp(self._room.wall(next_at))
                view = UplinkView(self.charger, state, text, waiting, set_aside,
                                  attempts=attempts, next_attempt=next_attempt)  # fmt: skip
                cell = self._room.views.get(self.charger)
                if cell is None:
                    self._room.views[self.charger] = Cell(view)
                else:
                    cell.set(view)
            case Note(text, fields, level):
                getattr(log, level)(text, **{**fields, "charger": self.charger})
            case Raised():
                self._room.raise_(out)
            case Cleared():
                self._room.clear(out)
            case _:
                pass

    async def _keep(self, records: Sequence[AnyRecord], *, is_asked: bool = False) -> bool:
        """On disk: nothing that follows happens before; whether it is. A disk that fails is asked
        again, and not waited for: starts and stops are on it already (their link wrote them), and a
        queue that stood still would never make room. What `is_asked` holds only if it is on disk.
        """
        is_kept = False
        for _ in range(KEEP_TIMES):
            try:
                await self._room.store.commit(records)
            except StoreError as error:
                log.warning("not written down", charger=self.charger, cause=str(error))
                await trio.sleep(KEEP_AGAIN_S)
            else:
                is_kept = True
                break
        for record in records if is_kept or not is_asked else ():
            if isinstance(record, UplinkKept):
                self._room.kept[self.charger] = record
                self.put(TermsNow(self._room.terms(self.charger)))
        return is_kept

    async def _load(self, after: int) -> None:
        try:
            found, more = await self._room.store.load(self.charger, self.url, after, WINDOW_MAX)
        except StoreError as error:
            log.warning("queue not read", charger=self.charger, cause=str(error))
            await trio.sleep(KEEP_AGAIN_S)
            found, more = (), True
        self.put(Loaded(found, more))

    # -- the socket ------------------------------------------------------------------------------

    def _end(self, why: str) -> None:
        self._why = self._why or why
        if self._scope is not None:
            self._scope.cancel()

    async def _send(self, text: str) -> None:
        ws = self._ws
        if ws is None:
            return
        if self._room.ocpp_log is not None:
            self._room.ocpp_log(self.charger, "up", text)
        try:
            with trio.fail_after(WRITE_S):
                await ws.send_message(text)
        except ConnectionClosed:
            self._end("the CSMS closed the connection")
        except trio.TooSlowError:
            self._end(f"a write took {WRITE_S:.0f} s: the CSMS does not read")

    async def _link(self, terms: Terms) -> None:
        """One link, from its dialling to its end; the core is told of both."""
        self._scope, self._why = trio.CancelScope(), ""
        is_up = False
        with self._scope:
            try:
                address = read_address(terms.url)
                with trio.fail_after(CONNECT_S):
                    stream = await _opened(
                        self._room.connect, address, terms.ca, self._room.trust
                    )
                async with trio.open_nursery() as nursery:
                    try:
                        with trio.fail_after(CONNECT_S):
                            self._ws = await _handshake(
                                nursery, stream, address, terms, self.charger
                            )
                        is_up = True
                        self.put(Linked())
                        await self._serve(self._ws)
                    finally:
                        self._ws = None
                        with trio.move_on_after(CLOSE_S, shield=True), suppress(
                            trio.BrokenResourceError, trio.ClosedResourceError
                        ):
                            await trio.aclose_forcefully(stream)
                    nursery.cancel_scope.cancel()
            except* _NOT_THERE as group:
                self._why = self._why or reason(group, terms.url)
        why = self._why or "the connection ended"
        self._scope = None
        self.put(Ended(why) if is_up else NotLinked(why))

    async def _serve(self, ws: WebSocketConnection) -> None:
        """Frames to the core, and pings, until either side has enough."""
        heard_at = trio.current_time()

        async def pings() -> None:
            nonlocal heard_at
            with suppress(ConnectionClosed):
                while True:
                    await trio.sleep(PING_S)
                    await ws.ping()
                    heard_at = trio.current_time()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pings)
            while trio.current_time() < heard_at + SILENT_S:
                text: str | bytes | None = None
                try:
                    with trio.move_on_at(heard_at + SILENT_S):
                        text = await ws.get_message()
                except ConnectionClosed as closed:
                    self._why = self._why or _farewell(closed, "the CSMS closed the connection")
                    break
                if text is not None:
                    heard_at = trio.current_time()
                    self._heard(text)
            else:
                self._why = f"nothing heard for {SILENT_S:.0f} s"
            nursery.cancel_scope.cancel()

    def _heard(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            log.warning("protocol error", charger=self.charger, cause="got a binary frame")
            return
        if self._room.ocpp_log is not None:
            self._room.ocpp_log(self.charger, "down", text)
        self.put(Received(text))


def _is_outdated(one: Item, newer: Boot | Here | Status | TermsNow | PasswordNow) -> bool:
    """Whether a newer word takes its place."""
    if isinstance(one, Status) and isinstance(newer, Status):
        return one.connector == newer.connector
    return type(one) is type(newer) and not isinstance(one, Status)


async def _opened(
    connect: Connect, address: Address, ca: str, trust: Trust
) -> trio.abc.Stream:
    """TCP, and TLS where the address asks for it."""
    context = await trust.context(ca) if address.is_tls else None
    stream = await connect(address.host, address.port)
    if context is None:
        return stream
    secured = trio.SSLStream(stream, context, server_hostname=address.host)
    is_secured = False
    try:
        await secured.do_handshake()
        is_secured = True
    finally:
        if not is_secured:
            await trio.aclose_forcefully(stream)
    return secured


async def _handshake(
    nursery: trio.Nursery, stream: trio.abc.Stream, address: Address, terms: Terms, charger: str
) -> WebSocketConnection:
    """The WebSocket of a charger's uplink on an open stream."""
    return await wrap_client_stream(
        nursery,
        stream,  # type: ignore[arg-type]  # any trio stream will do
        address.host,
        address.resource(terms.prefix, charger),
        subprotocols=[SUBPROTOCOL],
        extra_headers=_headers(terms, charger),
        max_message_size=FRAME_BYTES_MAX,
    )


def _found(stream: trio.abc.Stream, ws: WebSocketConnection, took_s: float) -> str:
    """What a link that came to be is like."""
    over = f" over {stream.version()}" if isinstance(stream, trio.SSLStream) else ""
    if ws.subprotocol != SUBPROTOCOL:
        return (f"the CSMS lets it in{over}, but does not confirm {SUBPROTOCOL}: it may speak "
                "another version of OCPP")  # fmt: skip
    return f"the CSMS lets it in: {SUBPROTOCOL}{over}, in {took_s:.1f} s"


def _farewell(closed: ConnectionClosed, what: str) -> str:
    """How a connection ended: what the CSMS said at its end, or that it said nothing."""
    said = closed.reason
    if said is None or said.code == BROKEN:
        return f"{what}, without a word: the line may have broken"
    return f"{what}: {said.code} {said.reason or said.name}"


async def _parting(ws: WebSocketConnection) -> str:
    """Hang up; why the CSMS did so first, where it closes what it has just opened."""
    with trio.move_on_after(TRIAL_S):
        try:
            await ws.get_message()
        except ConnectionClosed as closed:
            return _farewell(closed, "the CSMS opened the connection and closed it at once")
    with trio.move_on_after(CLOSE_S):
        await ws.aclose()
    return ""


_NOT_THERE = (
    OSError, ValueError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError,
    trio.TooSlowError,
    HandshakeError, ConnectionClosed, ProtocolError, h11.ProtocolError, BadAddress,
)  # fmt: skip


def client_context(ca: str = "") -> ssl.SSLContext:
    """`kit.outward.client_context`; a CA file that has none is a `BadAddress` here."""
    try:
        return outward.client_context(ca)
    except ValueError as error:
        raise BadAddress(str(error)) from None


class Trust:
    """Contexts by whom they trust, each made once and beside the loop: to read the system's 140
    authorities takes 60 ms. What has changed on disk is read anew.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._turn = trio.Lock()  # who comes meanwhile takes what the first has made
        self._made: dict[tuple[str, _State], ssl.SSLContext] = {}

    async def context(self, ca: str) -> ssl.SSLContext:
        """For this CA, or the system's; raises `BadAddress` where it has no certificate."""
        async with self._turn:
            key = (ca, ()) if ca.strip() else ("", _state_of_system())
            made = self._made.pop(key, None)
            if made is None:
                made = await self._runner.run(lambda: client_context(ca))
            self._made[key] = made
            while len(self._made) > CONTEXTS_MAX:
                del self._made[next(iter(self._made))]
            return made


_State = tuple[tuple[str, int, int, int], ...]


def _state_of_system() -> _State:
    """Which files hold the system's authorities, and of when and how long they are."""
    at, found = ssl.get_default_verify_paths(), []
    for path in (at.cafile, at.capath):
        if path is not None:
            with suppress(OSError):
                file = Path(path).stat()
                found.append((path, file.st_ino, file.st_mtime_ns, file.st_size))
    return tuple(found)


def _headers(terms: Terms, charger: str) -> list[tuple[bytes, bytes]]:
    """HTTP Basic with the uplink's password, else the charger's own header (csms.md); neither
    where anybody on the way could read it, unless that is wished (trust.md A39).
    """
    if not (read_address(terms.url).is_tls or terms.in_clear):
        return []
    if terms.password:
        pair = base64.b64encode(f"{charger}:{terms.password}".encode())
        return [(b"Authorization", b"Basic " + pair)]
    return [(b"Authorization", terms.authorization.encode())] if terms.authorization else []


CERTIFICATE = {code: f"the CSMS's certificate {why}" for code, why in NOT_TRUSTED.items()}


def reason(error: BaseException, url: str) -> str:
    """Why an uplink could not be had, in words for an installer (csms.md, Connecting)."""
    if isinstance(error, BaseExceptionGroup):
        return reason(error.exceptions[0], url)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            known = CERTIFICATE.get(cause.verify_code)
            return known or f"the CSMS's certificate is not right: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS with the CSMS failed: {cause}"
        cause = cause.__cause__
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, trio.TooSlowError):
        return f"{url} did not answer as a WebSocket within {CONNECT_S:.0f} s"
    if isinstance(error, ConnectionRejected):
        return _rejected(error.status_code)
    if isinstance(error, ProtocolError | h11.ProtocolError | HandshakeError):
        return f"the CSMS does not speak WebSocket with {SUBPROTOCOL}: {error}"
    if isinstance(error, OSError):
        return f"no connection to {url}: {no_line(error)}"
    return "the CSMS closed the connection"


def _rejected(status: int) -> str:
    words = {
        401: "the password is wrong or missing", 403: "it does not let this charger in",
        404: "it does not know this address or charger", 503: "it is out of service for now",
    }  # fmt: skip
    if 300 <= status < 400:
        return f"the CSMS answered HTTP {status}: it is somewhere else; give its new address"
    return f"the CSMS answered HTTP {status}" + (f": {words[status]}" if status in words else "")
