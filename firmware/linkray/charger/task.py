"""The chargers' listeners and links: accept, read, write, close. What is decided is `link.py`'s.

A link is three tasks: trio-websocket's reader of the stream, `_read` (frames to the core, and what
it says about them), `_run` (offers, commands and alarms to the core). Nothing here decides.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import msgspec
import structlog
import trio
from trio_websocket import (
    CloseReason,
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)
from wsproto.utilities import ProtocolError

from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.kit.keep import contain
from linkray.model.asks import (
    Answer,
    ImportPassports,
    ProbeAgain,
    ReadPassport,
    ReadPassports,
    Who,
)
from linkray.model.facts import AnyFact, ChargerKnown, Drawn, LeaseProven, ObeyTimeKnown
from linkray.model.faults import Cleared, Code, Fault, Raised, key
from linkray.model.passport import BadPassports, Passport, PassportNow, read_passports
from linkray.model.plan import Offer, Plan
from linkray.model.records import (
    AnyRecord,
    ChargerSeen,
    PassportForgotten,
    PassportFound,
    Refused,
    Transaction,
    TransactionBegan,
    TransactionEnded,
)
from linkray.model.settings import CHARGERS_MAX, Charger, Settings
from linkray.model.uplink import (
    Answered,
    Asks,
    FromUplink,
    Here,
    Live,
    Message,
    Replied,
    ToUplink,
)
from linkray.model.views import ChargerLink, ChargerView, Way
from linkray.ocpp.frame import FRAME_BYTES_MAX
from linkray.store.db import DiskFull, StoreError

from . import wire
from .bucket import Bucket
from .door import HEAD_BYTES_MAX, SUBPROTOCOL, identity, mended, subprotocol
from .inquiry import make_of
from .link import Link, is_refused
from .own_limit import OwnLimit
from .places import places
from .proof import Kept, Proofs, Refusals
from .quirks import Quirks
from .shelf import Shelf, of_make
from .told_time import ToldTime
from .wire import (
    Close,
    Command,
    Emergency,
    Garbage,
    Gather,
    Gone,
    Introduced,
    Item,
    Later,
    MayCharge,
    Note,
    Opened,
    Out,
    Presented,
    Progress,
    Received,
    Record,
    Reply,
    Retell,
    Send,
    Surroundings,
    Tell,
    Terms,
    TermsNow,
    Up,
    View,
    Wanted,
    Wish,
)
from .writes import Writes

WRONG_PASSWORD = "its password is wrong or missing"  # noqa: S105 - words
SECOND = "the charger is connected from another address"
HANDSHAKE_S = 10.0  # TLS and WebSocket, from the first byte (trust.md A34)
WRITE_S = 10.0  # house.md, Nurseries 4: a write that takes so long ends the link
WRITES_WATCHED_S = 1.0
BACKLOG_BYTES = 64 * 1024  # unread by the charger (trust.md A34); the system's buffer holds it
PING_S = 10.0  # chargers.md, Connecting
SILENT_S = 30.0
NEVER_PONGED_S = 90.0
PROBE_S = 3.0  # trust.md A30
PROBING_S = 900.0  # no trial takes longer (probe.py)
PINGS_UNANSWERED_MAX = 12  # after which only pongs are sent: an unanswered ping is kept in memory
CLOSE_S = 2.0  # for the closing handshake
CLOSE_FRAME = b"\x88"  # RFC 6455, 5.5.1
BROKEN_FRAMING = (1002, 1007)  # RFC 6455, 7.4.1: protocol error, no UTF-8
REPLACED_S = 5.0  # for an older link to end, its last commit included
COMMIT_S = 30.0  # a commit that has begun is waited for (trust.md P11: 500 ms a sync)
ADD_S = 10.0  # for the settings to take a new charger
CONNECTS_RATE, CONNECTS_BURST = 50.0, 1000.0  # of one source: 500 chargers may stand behind one
SOURCES_MAX = 1024
HANDSHAKES_MAX = 640  # at once
UNKNOWN_MAX = 256  # links of chargers that are not configured: waiting, or without a place
READ_S = 30.0  # for the store to say what it knows of a charger
FRAMES_RATE_MAX = 500.0  # a link's frames a second; above it TCP pushes back (trust.md A34)
FRAMES_COUNTED = 64
ITEMS_MAX = 256  # waiting for a link that is stuck
UNTOLD_MAX = 256
NOTE_S = 60.0  # the same line of one link is written once in this time (trust.md C21, A34)
NOTED_MAX = 64
UNTOLD_AGAIN_S = 0.1
GATHERED_S = 5.0  # trust.md P11: an answer may wait so long for the disk
GATHERED_MAX = 64  # values of a link that may wait for the disk; it has 16 open calls

PassportAsk = ReadPassports | ReadPassport | ImportPassports | ProbeAgain

log = structlog.get_logger(source="CHARGER")


class RoomStore(Protocol):
    """What the chargers need of the store."""

    async def commit(self, records: Sequence[AnyRecord]) -> None: ...
    def gather(
        self, records: Sequence[AnyRecord], told: Callable[[StoreError | None], None]
    ) -> None: ...
    def later(self, records: Sequence[AnyRecord]) -> None: ...
    def take_transaction_id(self) -> int: ...
    def take_queue_number(self) -> int: ...
    async def recent(self, charger: str, limit: int = 64) -> list[Transaction]: ...
    async def running(self) -> list[Transaction]: ...
    async def seen(self) -> list[ChargerSeen]: ...
    async def passports(self) -> list[Passport]: ...
    async def import_passports(self, passports: tuple[Passport, ...], who: Who) -> None: ...
    async def audit(self, who: Who, what: str) -> None: ...


def _unheard(_charger: str, _about: str, _status: str) -> None:
    return None


class ChargerRoom:
    """What `app.py` hands the chargers, and the links that stand.

    `tell` puts a fact into the balancer's inbox without waiting and says whether there was room.
    `views` holds a cell for every charger that is configured or connected. `add_charger` puts a
    charger never seen before into the settings. `ocpp_log(charger, "in" | "out", text)` gets every
    frame. `strict` lets a link's failure through (tests). `progressed(charger, about, status)`
    hears how a charger's `firmware` or `diagnostics` goes. `proofs` says what chargers must come
    with; `proved_new(charger)` hears of one that came with the password that it was told.
    """

    progressed: Callable[[str, str, str], None] = staticmethod(_unheard)
    proved_new: Callable[[str], Awaitable[None]] | None = None

    def __init__(
        self,
        *,
        settings: Cell[Settings],
        plan: Cell[Plan],
        store: RoomStore,
        tell: Callable[[AnyFact], bool],
        clock: WallClock,
        quirks: Quirks,
        may_charge: MayCharge,
        add_charger: Callable[[Charger], Awaitable[None]],
        licence_total: int,
        emergency: Cell[bool],
        faults: Flags[Fault],
        views: dict[str, Cell[ChargerView]],
        is_vip: Callable[[str], bool] = lambda _tag: False,
        presented: Callable[[str, str], None] = lambda _charger, _tag: None,
        to_uplink: Callable[[str, ToUplink], None] = lambda _charger, _item: None,
        for_csms: Callable[[str, bytes, float], bytes | None] = lambda _charger, raw, _now: raw,
        strict: bool = False,
        ocpp_log: Callable[[str, Way, str], None] | None = None,
    ) -> None:
        self.settings, self.plan = settings, plan
        self.store, self.proofs = store, Proofs()
        self.tell = tell
        self.clock = clock
        self.quirks = quirks
        self.may_charge = may_charge
        self.add_charger = add_charger
        self.licence_total = licence_total
        self.emergency = emergency
        self.faults = faults
        self.views = views
        self.strict = strict
        self.ocpp_log = ocpp_log
        self.presented, self.to_uplink = presented, to_uplink
        self.changed: Callable[[], None] = lambda: None  # what is passed to the CSMS may have
        self.links: dict[str, Standing] = {}
        self.seen: dict[str, ChargerSeen] = {}
        self.connectors: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self.shelf = Shelf()
        self.handshakes = 0
        self._writes: dict[str, Writes] = {}
        self._times: dict[str, ToldTime] = {}
        self._own_limits: dict[str, dict[int, OwnLimit]] = {}
        self._probing: tuple[str, float] = ("", -math.inf)
        self._offers: dict[str, dict[int, Offer]] = {}
        self._live: dict[str, bool] = {}  # uplinks whose CSMS answers
        self._planned_at = trio.current_time()
        self._wall_base: tuple[float, datetime] = (-math.inf, clock.utc())
        self._claimed: set[str] = set()
        self._adding = trio.Lock()
        self._sources: dict[str, Bucket] = {}
        self._numbers = itertools.count(1)
        self._asks = itertools.count(1)
        self._configured: dict[str, Charger] = {}
        self.around = Surroundings(
            wall=self._wall,
            may_charge=may_charge,
            take_transaction_id=store.take_transaction_id,
            planned_at=lambda: self._planned_at,
            passport=self.shelf.of,
            may_probe=self._may_probe,
            probed=self._probed, found=self._found,
            is_vip=is_vip,
            take_queue_number=store.take_queue_number,
            for_csms=for_csms,
        )
        self.take_settings()

    async def ask(
        self, charger: str, ask: Wish, within_s: float = 30.0
    ) -> Answer:
        """Ask a connected charger; the one answer, at the latest after `within_s`."""
        standing = self.links.get(charger)
        if standing is None:
            return Answer(False, "unknown", f"{charger} is not connected")
        number = next(self._asks)
        waits = standing.wait_for(number)
        standing.put(Command(ask, number))
        with trio.move_on_after(within_s):
            await waits.wait()
        answer = standing.answer(number)
        text = f"The charger did not answer within {within_s:.0f} s"
        return answer or Answer(False, "timeout", text)

    def here(self, charger: str) -> str:
        """Which of our addresses a connected charger has dialled; empty where that is not known."""
        standing = self.links.get(charger)
        return "" if standing is None else standing.here

    def retell(self) -> None:
        """The balancer began anew: every link tells it what stands."""
        self._offers.clear()
        for standing in self.links.values():
            standing.put(Retell())

    def link_of(self, charger: str) -> ChargerLink:
        """What a charger's link is secured with, and who came in its name and was refused."""
        standing, told = self.links.get(charger), self.proofs.refusals.get(charger, Refusals())
        kept = self.proofs.kept.get(charger, Kept())
        return ChargerLink(
            charger,
            connected=standing is not None,
            address="" if standing is None else standing.address,
            tls="" if standing is None else standing.tls,
            proved=standing is not None and standing.proved,
            password="required" if kept.now else "told" if kept.new else "none",
            since=kept.since, by=kept.by,
            refused=told.count, refused_at=told.at, refused_from=told.source,
            refused_why=told.why,
        )  # fmt: skip

    def key_waits_s(self, charger: str) -> int:
        """How long a connected charger is not told a password yet: its make restarts on it, and
        would again and again (quirks.md, `key_delay_s`).
        """
        said = self.seen.get(charger) or ChargerSeen(charger)
        delay_s = self.quirks.match(said.vendor, said.model, said.firmware).key_delay_s
        stood_s = trio.current_time() - self.links[charger].since
        return max(0, math.ceil(delay_s - stood_s))

    def configuration(self, charger: str) -> dict[str, str | None]:
        """What a connected charger said of its settings (GetConfiguration)."""
        standing = self.links.get(charger)
        return {} if standing is None else dict(standing.core.configuration)

    # -- passports -------------------------------------------------------------------------------

    async def passport_ask(self, ask: PassportAsk, who: Who) -> Answer:
        """What a person asks of passports; what changes anything is in the audit log first."""
        match ask:
            case ReadPassports():
                return _yes(self.shelf.file())
            case ReadPassport(charger):
                passport = self.passport(charger)
                if passport is None:
                    return Answer(False, "unknown", f"Expected a known charger, got {charger!r}")
                return _yes(passport)
            case ImportPassports():
                return await self._import(ask, who)
            case ProbeAgain(charger):
                await self.store.audit(who, f"passport of {charger} to be found out anew")
                return await self.probe_again(charger)

    async def _import(self, ask: ImportPassports, who: Who) -> Answer:
        try:
            passports = read_passports(bytes(ask.passports))
        except BadPassports as bad:
            text, _, path = str(bad).rpartition(" - at ")
            where = msgspec.json.encode({"path": path.strip("`") if text else "$"})
            return Answer(False, "invalid", text or str(bad), msgspec.Raw(where))
        left_out = "; what was proved on single chargers is left out"
        if ask.check_only:
            return Answer(True, text=f"{len(passports)} passports can be imported{left_out}")
        await self.import_passports(passports, who)
        return Answer(True, text=f"{len(passports)} passports imported{left_out}")

    def passport(self, charger: str) -> PassportNow | None:
        """One charger's, with its evidence and the rules in force; None: nobody knows it."""
        if charger not in self.seen and charger not in self._configured:
            return None
        cell = self.views.get(charger)
        seen = self.seen.get(charger) or ChargerSeen(charger)
        return self.shelf.now(seen, self.quirks, None if cell is None else cell.value)

    async def import_passports(self, passports: tuple[Passport, ...], who: Who) -> None:
        """Take a file's passports over: on disk first, then in force for every link."""
        await self.store.import_passports(passports, who)
        for passport in self.shelf.take(passports):
            self._tell_make(passport)

    async def probe_again(self, charger: str) -> Answer:
        """Forget what probing found of a charger; its next steady session finds it anew."""
        seen = self.seen.get(charger)
        if seen is None or not any(make_of(seen)[:2]):
            return Answer(False, "unknown", f"{charger} has not said yet what it is")
        record = PassportForgotten(*make_of(seen), charger)
        await self.store.commit((record,))
        self._tell_make(self.shelf.found(record), again=charger)
        for fact in (LeaseProven(charger, trio.current_time(), is_proven=False),):
            self.told(fact)
        if charger not in self.links:
            return Answer(True, text="It is tried anew when it is connected and charges")
        if not self.settings.value.site.probe_chargers:
            return Answer(True, text="Forgotten; trying out is switched off in the settings")
        return Answer(True, text="It is tried anew in a session with a steady current")

    def found(self, record: PassportFound | PassportForgotten, charger: str) -> None:
        """A link has found something out; it will be written down, in this order."""
        self._tell_make(self.shelf.found(record), but=charger)

    def _tell_make(self, passport: Passport, *, but: str = "", again: str = "") -> None:
        for charger in of_make(self.seen, passport.make):
            standing = self.links.get(charger)
            if standing is not None and charger != but:
                standing.put(wire.PassportNow(passport, charger == again))

    def _may_probe(self, charger: str) -> bool:
        """One charger of the site at a time: what a trial does to the meter stays small."""
        holder, until = self._probing
        now = trio.current_time()
        if holder not in ("", charger) and now < until and holder in self.links:
            return False
        self._probing = (charger, now + PROBING_S)
        return True

    def _probed(self, charger: str) -> None:
        if self._probing[0] == charger:
            self._probing = ("", -math.inf)

    # -- settings, licence, faults, views --------------------------------------------------------

    def _wall(self, now: float) -> datetime:
        """UTC at a monotonic time; read anew at most ten times a second."""
        at, utc = self._wall_base
        if not 0.0 <= now - at < 0.1:
            at, utc = self._wall_base = (now, self.clock.utc())
        return utc + timedelta(seconds=now - at)

    def terms(self, charger: str) -> Terms:
        """What the settings and the licence say for a charger now."""
        settings = self.settings.value
        site = settings.site
        configured = self._configured.get(charger)
        return Terms(
            charger=configured or Charger(charger),
            interval_s=site.measurand_interval_s,
            dead_man_s=site.dead_man_s,
            voltage_mv=site.voltage_mv,
            split_mode=site.split_mode,
            offline_allowed=settings.csms.allow_without,
            kept=configured is not None,
            adopted=not self._waits(charger),
            places=self.places.get(charger, 0),
            probe=site.probe_chargers,
            csms=settings.csms.url if self.may_pass(charger) else "",
        )

    # -- uplinks ---------------------------------------------------------------------------------

    def may_pass(self, charger: str) -> bool:
        """Whether the CSMS hears of a charger: past the licence it does not (decided.md)."""
        needs = max(1, self.connectors.get(charger, 0))
        return charger in self._configured and self.places.get(charger, 0) >= min(1, needs)

    def before(self, charger: str) -> Mapping[str, str | None]:
        """A charger's configuration before LinkRay changed it, as far as it was ever read."""
        seen = self.seen.get(charger)
        return {} if seen is None else seen.before

    def of_csms(self, charger: str, item: FromUplink) -> None:
        """Something of its uplink for a charger's link, without waiting."""
        if isinstance(item, Live):
            self._live[charger] = item.live
        standing = self.links.get(charger)
        if standing is not None:
            standing.put(item)
        elif isinstance(item, Answered) and is_refused(item):
            self.store.later((Refused(item.transaction),))  # its link finds it so
        elif isinstance(item, Asks):
            gone = Replied(item.call_id, None, text="the charger is not connected")
            self.to_uplink(charger, gone)

    def _waits(self, charger: str) -> bool:
        """Whether it is a stranger: an installer is asked first, or it has not said who it is."""
        if charger in self._configured:
            return False
        standing = self.links.get(charger)
        asks_first = self.settings.value.site.new_chargers == "ask"
        return asks_first or standing is None or not standing.introduced

    async def introduced(self, charger: str, standing: Standing) -> None:
        """A charger has said readably who it is: one never seen before may be added now."""
        if standing.introduced or self.links.get(charger) is not standing:
            return
        standing.introduced = True
        if charger not in self._configured:
            await self.add(charger)
            self.count_places()

    def take_settings(self) -> None:
        """The newest settings are in force: for the links, the places, what is shown."""
        before, self._configured = self._configured, {
            charger.id: charger for charger in self.settings.value.chargers
        }
        for charger in before.keys() - self._configured.keys():
            self._forget(charger)
        self.count_places()
        for charger, standing in self.links.items():
            standing.take_terms(self.terms(charger))
        for charger in self._configured:
            self._show_offline(charger)
        self.changed()

    async def take_places(self, total: int | None = None) -> None:
        """The settings, and where given another licence's `total`, are in force at once: who has no
        place any more is told 0 A, who waited for one is added.
        """
        self.licence_total = self.licence_total if total is None else total
        self.take_settings()
        for charger, standing in tuple(self.links.items()):
            if not standing.is_ending:  # a place may have become free
                await self.add(charger)

    def _found(self, charger: str, connectors: int) -> int:
        """A charger has so many connectors, which count from now on, in this very moment: places
        may move. What has shown itself once counts until the charger is deleted, also after a
        restart. Returns how many of them have a place.
        """
        if self._shown(charger, connectors):
            before = self.places
            self.count_places()
            for other, standing in self.links.items():
                if before.get(other) != self.places.get(other):
                    standing.take_terms(self.terms(other))
            self.changed()
        return self.places.get(charger, 0)

    def _shown(self, charger: str, connectors: int) -> bool:
        """So many connectors of a charger are known of; whether that is news."""
        known = self.connectors.get(charger, 0)
        self.connectors[charger] = max(connectors, known)
        return connectors > known

    def count_places(self) -> None:
        """Who has a place under the licence (decided.md, Past the licence), and the fault."""
        self.places = places(
            tuple(self._configured), self.connectors, self.licence_total, self.places
        )
        known = {*self._configured, *self.links}
        for charger in known:
            needs = max(1, self.connectors.get(charger, 0))
            if self.places.get(charger, 0) < needs and not self._waits(charger):
                self.raise_(Raised(Code.LICENCE, charger))
            else:
                self.clear(Cleared(Code.LICENCE, charger))

    def raise_(self, raised: Raised) -> None:
        name = key(raised.code, raised.subject)
        if name not in self.faults:
            stamp = self.clock.stamp()
            self.faults.raise_(name, Fault.of(raised.code, stamp, raised.subject, raised.detail))

    def clear(self, cleared: Cleared) -> None:
        self.faults.clear(key(cleared.code, cleared.subject))

    def show(self, view: ChargerView) -> None:
        cell = self.views.get(view.id)
        if cell is None:
            self.views[view.id] = Cell(view)
        else:
            cell.set(view)

    def _show_offline(self, charger: str) -> None:
        """A configured charger that is not connected: its fault, and what is known of it."""
        configured = self._configured.get(charger)
        if configured is None or charger in self.links:
            return
        self.raise_(Raised(Code.CHARGER_OFFLINE, charger))
        cell = self.views.get(charger)
        seen = self.seen.get(charger) or ChargerSeen(charger)
        base = cell.value if cell is not None else ChargerView(
            id=charger, vendor=seen.vendor, model=seen.model, firmware=seen.firmware,
            firmware_since=seen.firmware_since, serial=seen.serial, address=seen.address,
            since=seen.seen,
        )  # fmt: skip
        self.show(_configured_view(base, configured))

    def _forget(self, charger: str) -> None:
        """A charger was deleted: its place and its faults are free; it returns as new."""
        self.connectors.pop(charger, None)
        self.seen.pop(charger, None)
        self.shelf.forget_charger(charger)
        self._writes.pop(charger, None)
        self._times.pop(charger, None)
        self._own_limits.pop(charger, None)
        self._offers.pop(charger, None)
        self.clear(Cleared(Code.CHARGER_OFFLINE, charger))
        self.clear(Cleared(Code.LICENCE, charger))
        self.clear(Cleared(Code.SENSOR, charger))
        standing = self.links.get(charger)
        if standing is not None:
            standing.end(1000, "deleted")
        self.views.pop(charger, None)

    # -- who may come in -------------------------------------------------------------------------

    def admits(self, source: str) -> bool:
        """Whether one more connection of this source is let in now (trust.md A34)."""
        if self.handshakes >= HANDSHAKES_MAX:
            return False
        bucket = self._sources.get(source)
        if bucket is None:
            if len(self._sources) >= SOURCES_MAX:
                self._sources.pop(next(iter(self._sources)))
            bucket = self._sources[source] = Bucket(CONNECTS_RATE, CONNECTS_BURST)
        return bucket.take(trio.current_time())

    @contextlib.contextmanager
    def claim(self, charger: str) -> Iterator[bool]:
        """One newcomer of an identity at a time; False: another is being looked at."""
        if charger in self._claimed:
            yield False
            return
        self._claimed.add(charger)
        try:
            yield True
        finally:
            self._claimed.discard(charger)

    async def add(self, charger: str) -> None:
        """Put an unknown charger into the settings, where they say so and the licence has room."""
        async with self._adding:
            standing = self.links.get(charger)
            if (
                charger in self._configured
                or standing is None
                or not standing.introduced
                or self.settings.value.site.new_chargers != "add"
                or sum(self.places.values()) >= self.licence_total
                or len(self._configured) >= CHARGERS_MAX
            ):
                return
            try:
                with trio.fail_after(ADD_S):
                    await self.add_charger(Charger(charger))
            except (StoreError, trio.TooSlowError) as error:
                log.warning("charger not added", charger=charger, cause=str(error) or "too slow")
            else:
                log.info("charger added", charger=charger, action="by the setting `new chargers`")
            self.take_settings()

    def has_room(self, charger: str) -> bool:
        """Whether one more link may stand; a configured charger always has room (trust.md A34)."""
        if charger in self._configured or charger in self.links:
            return True
        unknown = sum(1 for known in self.links if known not in self._configured)
        return unknown < UNKNOWN_MAX

    async def start(self, charger: str, address: str, notes: Sequence[str]) -> Link:
        """The core of a link that has just come, with what the store knows of its charger."""
        with trio.fail_after(READ_S):
            kept = await self.store.recent(charger)
        now = trio.current_time()
        seen = self.seen.get(charger) or ChargerSeen(charger)
        if charger not in self._writes and len(self._writes) < 2 * CHARGERS_MAX:
            self._writes[charger] = Writes(seen.writes_day, seen.writes)
            self._times[charger] = ToldTime(seen.clock_off_s, is_behind=seen.behind)
            self._own_limits[charger] = {}
        return Link(
            charger, address, self.terms(charger), self.around, self.quirks,
            kept=kept, seen=seen, emergency=self.emergency.value, notes=notes,
            prefix=f"{next(self._numbers)}-", writes=self._writes.get(charger),
            time=self._times.get(charger), own_limits=self._own_limits.get(charger), now=now,
        )  # fmt: skip

    def stands(self, charger: str, standing: Standing) -> None:
        """A link stands: it is the one of its charger."""
        self.links[charger] = standing
        self.clear(Cleared(Code.CHARGER_OFFLINE, charger))
        self.count_places()
        standing.take_terms(self.terms(charger))  # they may have changed during the handshake
        if self.emergency.value is not standing.core.is_stopped:
            standing.put(Emergency(self.emergency.value))
        standing.put(Live(self._live.get(charger, False)))
        standing.put(Wanted(tuple(self._offers.get(charger, {}).values())))

    def ended(self, charger: str, standing: Standing) -> None:
        """A link has ended."""
        if self.links.get(charger) is not standing:
            return
        del self.links[charger]
        if charger in self._configured:
            self._show_offline(charger)
        else:
            self.views.pop(charger, None)
            self.connectors.pop(charger, None)
            self.clear(Cleared(Code.LICENCE, charger))

    def told(self, fact: AnyFact) -> bool:
        """A link's fact on its way to the balancer; False: its inbox is full."""
        if isinstance(fact, ChargerKnown):
            self._found(fact.charger, len(fact.connectors))
        return self.tell(fact)

    def noted(self, seen: ChargerSeen) -> None:
        self.seen[seen.charger] = seen

    def know(self, seen: Iterable[ChargerSeen], running: Iterable[Transaction]) -> None:
        """What the store knows of chargers, at the start. Where somebody charges there is a
        connector, and it has its place still.
        """
        self.seen = {one.charger: one for one in seen}
        for known in self.seen.values():
            self._shown(known.charger, known.connectors)
        for run in running:
            self._shown(run.charger, run.connector)
            self.places[run.charger] = max(run.connector, self.places.get(run.charger, 0))
        self.take_settings()

    def known(self) -> list[ChargerKnown | LeaseProven | ObeyTimeKnown]:
        """The connectors of the configured chargers, as far as they are known: at least one; and
        what was proved on them.
        """
        now = trio.current_time()
        facts: list[ChargerKnown | LeaseProven | ObeyTimeKnown] = []
        for c in self._configured:
            numbers = tuple(range(1, max(1, self.connectors.get(c, 0)) + 1))
            out = self.seen[c].inoperative if c in self.seen else ()
            facts.append(ChargerKnown(c, numbers, inoperative=out))
            if c in self.seen:
                facts += self.shelf.proofs(self.seen[c], now)
        return facts

    # -- the balancer's offers -------------------------------------------------------------------

    def hand_out(self, plan: Plan) -> None:
        """Give every link the offers that are new for it, and only those."""
        self._planned_at = trio.current_time()
        changed: dict[str, list[Offer]] = {}
        for offer in plan.offers:
            held = self._offers.get(offer.charger)
            if held is None:
                held = self._offers[offer.charger] = {}
            old = held.get(offer.connector)
            held[offer.connector] = offer
            if old is None or _differs(old, offer):
                changed.setdefault(offer.charger, []).append(offer)
        for charger, offers in changed.items():
            standing = self.links.get(charger)
            if standing is not None:
                standing.put(Wanted(tuple(offers)))


def _yes(data: object) -> Answer:
    return Answer(True, data=msgspec.Raw(msgspec.json.encode(data)))


def _differs(old: Offer, new: Offer) -> bool:
    return (
        old.id != new.id
        or old.session is not new.session
        or old.stop is not new.stop
        or old.limit_ma != new.limit_ma
        or old.limit_w != new.limit_w
        or old.inoperative is not new.inoperative
        or old.values_wanted != new.values_wanted
        or old.held is not new.held
    )


def _configured_view(view: ChargerView, charger: Charger) -> ChargerView:
    """What the settings say, over what was seen; not connected."""
    return msgspec.structs.replace(
        view, name=charger.name, priority=charger.priority, group=charger.group, connected=False
    )


class Wire(trio.abc.Stream):
    """A charger's byte stream as trio-websocket sees it, with the limits of this room.

    Mends the handshake's head, remembers when something was heard and since when a write is under
    way, and never goes on after a write that was cut short. Writes have no scope of their own:
    `_watch_writes` looks at all links once a second.
    """

    __slots__ = ("_cut", "_head", "_said_close", "_stream", "closed_for", "heard_at",
        "trouble", "when_closed", "writing_since")  # fmt: skip

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._head: bytearray | None = bytearray()
        self._cut = False
        self.heard_at = trio.current_time()
        self.writing_since = math.inf  # of the write that is under way
        self.trouble = ""  # why the stream ended, where we know it
        self.when_closed: Callable[[], object] | None = None
        self.closed_for: Callable[[], CloseReason | None] = lambda: None
        self._said_close = False

    @property
    def here(self) -> str:
        """Our own address of this connection, without zone; IPv4 in IPv6 is IPv4."""
        plain = getattr(self._stream, "transport_stream", self._stream)
        if not isinstance(plain, trio.SocketStream):
            return ""
        try:
            host = str(plain.socket.getsockname()[0])
        except OSError:
            return ""
        return host.removeprefix("::ffff:").partition("%")[0]

    @property
    def tls(self) -> str:
        """The version of TLS that it is secured with; empty: none."""
        return str(self._stream.version()) if isinstance(self._stream, trio.SSLStream) else ""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._head is not None:
            return await self._receive_head()
        try:
            received = bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._ended("the connection broke")
            raise
        self.heard_at = trio.current_time()
        if not received:
            self._ended("the charger closed the connection")
        return received

    async def _receive_head(self) -> bytes:
        """The whole head of the handshake, mended, and what came with it."""
        assert self._head is not None
        while b"\r\n\r\n" not in self._head:
            try:
                received = await self._stream.receive_some(HEAD_BYTES_MAX)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._ended("the connection broke before the handshake")
                raise
            if not received or len(self._head) > HEAD_BYTES_MAX:
                self._ended(
                    f"expected a handshake of at most {HEAD_BYTES_MAX} bytes, got more"
                    if received else "the connection was closed before the handshake"
                )  # fmt: skip
                raise trio.BrokenResourceError(self.trouble)
            self._head += received
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        self._head = None
        return mended(head) + end + rest

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._cut:
            raise trio.BrokenResourceError("an earlier write was cut short")
        self._cut = True
        self._said_close = self._said_close or bytes(data[:1]) == CLOSE_FRAME
        self.writing_since = trio.current_time()
        await self._stream.send_all(data)  # its limit is `_watch_writes`'s: a scope costs a tenth
        self.writing_since = math.inf
        self._cut = False

    def does_not_read(self, now: float) -> bool:
        """Whether a write has taken too long; said as the stream's trouble."""
        if now - self.writing_since < WRITE_S:
            return False
        self._ended(f"a write took {WRITE_S:.0f} s: the charger does not read")
        return True

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self._ended("closed")
        await self._say_why()
        await trio.aclose_forcefully(self._stream)

    async def _say_why(self) -> None:
        """A peer that broke the framing is told its code: trio-websocket only hangs up (A32)."""
        reason = self.closed_for()
        if self._said_close or self._cut or reason is None or reason.code not in BROKEN_FRAMING:
            return
        frame = CLOSE_FRAME + b"\x02" + reason.code.to_bytes(2, "big")
        with (
            trio.move_on_after(CLOSE_S, shield=True),  # the link ends meanwhile
            contextlib.suppress(trio.BrokenResourceError),
        ):
            await self.send_all(frame)

    def _ended(self, why: str) -> None:
        self.trouble = self.trouble or why
        if self.when_closed is not None:
            self.when_closed()


class _Gathering:
    """What is written down while the link goes on, or goes up behind that."""

    __slots__ = ("due", "failed", "is_done", "outs")

    def __init__(
        self, outs: Sequence[Out] = (), *, failed: Sequence[Send] = (), due: float = math.inf,
    ) -> None:  # fmt: skip
        self.outs = outs
        self.failed = failed  # what is said where the disk takes too long
        self.due = due
        self.is_done = not failed


class Standing:
    """A link that stands: its socket, its core, and what waits for it."""

    __slots__ = (
        "_alarm", "_answers", "_bell", "_close", "_gathering", "_items", "_noted", "_ping_at",
        "_pinging", "_ponged", "_room", "_scope", "_terms", "_unanswered", "_unsent", "_untold",
        "_waits", "_why", "_wire", "_ws", "address", "authorization", "charger", "core", "done",
        "introduced", "proved", "since",
    )  # fmt: skip

    def __init__(
        self,
        room: ChargerRoom,
        charger: str,
        address: str,
        *,
        ws: WebSocketConnection,
        wire: Wire,
        core: Link,
        authorization: str = "",
        proved: bool = False,
    ) -> None:
        self.proved = proved  # it came with the password that is LinkRay's for it
        self.since = trio.current_time()
        self.charger = charger
        self.address = address
        self.authorization = authorization
        self.core = core
        self.done = trio.Event()
        self.introduced = False  # it has said who it is
        self._room = room
        self._ws = ws
        self._wire = wire
        self._terms = core.terms
        self._items: list[Item] = []
        self._bell = trio.Event()
        self._alarm = math.inf
        self._scope = trio.CancelScope()
        self._close: tuple[int, str] = (1001, "LinkRay stops")
        self._why = ""
        self._untold: list[AnyFact] = []
        self._gathering: deque[_Gathering] = deque()
        self._unsent: list[Send] = []  # answers that waited for the disk
        self._noted: dict[tuple[str | int, ...], float] = {}
        self._waits: dict[int, trio.Event] = {}
        self._answers: dict[int, Answer] = {}
        self._ping_at = trio.current_time() + PING_S
        self._pinging = False
        self._ponged = False
        self._unanswered = 0

    # -- from outside ----------------------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Something for the core, without waiting."""
        if isinstance(item, Wanted) and not item.offers:
            return
        self._items.append(item)
        if len(self._items) > ITEMS_MAX:
            self.end(1008, "too much waits for this link")
        self._bell.set()

    @property
    def here(self) -> str:
        """Which of our addresses the charger has dialled; empty where its line has none."""
        return self._wire.here

    @property
    def tls(self) -> str:
        """The version of TLS on its link; empty: none."""
        return self._wire.tls

    def take_terms(self, terms: Terms) -> None:
        if terms != self._terms:
            self._terms = terms
            self.put(TermsNow(terms))

    def end(self, code: int, why: str) -> None:
        """End the link; the first reason stands."""
        if not self._why:
            self._close, self._why = (code, why), why
        self._scope.cancel()

    def check_write(self, now: float) -> None:
        if self._wire.does_not_read(now):
            self.end(1008, self._wire.trouble)

    @property
    def is_ending(self) -> bool:
        return self._scope.cancel_called

    def wait_for(self, number: int) -> trio.Event:
        self._waits[number] = trio.Event()
        return self._waits[number]

    def answer(self, number: int) -> Answer | None:
        """The answer to a command, once; None: there is none."""
        self._waits.pop(number, None)
        return self._answers.pop(number, None)

    async def is_alive(self) -> bool:
        """Whether the charger answers a ping, or says anything, within 3 s (trust.md A30)."""
        asked_at = trio.current_time()
        with trio.move_on_after(PROBE_S):
            try:
                await self._ws.ping()
            except ConnectionClosed:
                return False
            return True
        return self._wire.heard_at > asked_at

    # -- the link's own tasks --------------------------------------------------------------------

    async def run(self) -> None:
        """Until the link ends; then its charger is told as lost, and the socket is closed."""
        try:
            with self._scope:
                outs = self.core.feed(Opened(), trio.current_time())
                async with trio.open_nursery() as children:
                    children.start_soon(self._read)
                    await self._do(outs)
                    while True:
                        await self._wait()
                        await self._work()
                        if trio.current_time() >= self._ping_at and not self._pinging:
                            self._pinging = True
                            children.start_soon(self._ping)
        finally:
            self._over()
            await self._say_goodbye()
            self.done.set()

    async def _wait(self) -> None:
        """Until something waits for the core, or its time or the next ping's has come."""
        if self._items or self._unsent:
            return
        self._bell = trio.Event()
        self._alarm = min(self.core.due(), self._silent_at())
        if not self._pinging:
            self._alarm = min(self._alarm, self._ping_at)
        if self._gathering:
            self._alarm = min([self._alarm, *(one.due for one in self._gathering)])
        if self._untold:
            self._alarm = min(self._alarm, trio.current_time() + UNTOLD_AGAIN_S)
        with trio.move_on_at(self._alarm):
            await self._bell.wait()
        self._alarm = -math.inf  # awake: nobody need ring

    async def _work(self) -> None:
        self._tell_again()
        self._refuse_late()
        while self._unsent:
            await self._send(self._unsent.pop(0).text)
        while self._items:
            await self._do(self.core.feed(self._items.pop(0), trio.current_time()))
        now = trio.current_time()
        if now >= self.core.due():
            outs = self.core.wake(now)
            assert self.core.due() > now, f"the link of {self.charger} wakes without end"
            await self._do(outs)
        if now >= self._silent_at():
            self.end(1001, f"nothing heard for {now - self._wire.heard_at:.0f} s")

    def _silent_at(self) -> float:
        return self._wire.heard_at + (SILENT_S if self._ponged else NEVER_PONGED_S)

    async def _read(self) -> None:
        """Frames to the core, and what it says about them, in order."""
        room, core, charger = self._room, self.core, self.charger
        counted, counted_at = 0, trio.current_time()
        while True:
            try:
                text = await self._ws.get_message()
            except ConnectionClosed as closed:
                reason = closed.reason
                why = f"closed: {reason.name} {reason.reason or ''}" if reason else "closed"
                self.end(1000, self._wire.trouble or why.strip())
                return
            now = trio.current_time()
            if isinstance(text, str):
                if room.ocpp_log is not None:
                    room.ocpp_log(charger, "in", text)
                await self._do(core.feed(Received(text), now))
            else:
                await self._do(core.feed(Garbage("expected text, got a binary frame"), now))
            if core.due() < self._alarm:
                self._bell.set()
            counted += 1
            if counted == FRAMES_COUNTED:
                await trio.sleep_until(counted_at + FRAMES_COUNTED / FRAMES_RATE_MAX)
                counted, counted_at = 0, trio.current_time()

    async def _ping(self) -> None:
        """One ping; the next when this one is answered or its time is over."""
        self._ping_at = trio.current_time() + PING_S
        try:
            if not self._ponged and self._unanswered >= PINGS_UNANSWERED_MAX:
                await self._ws.pong()
            else:
                with trio.move_on_after(PING_S):
                    self._unanswered += 1
                    await self._ws.ping()
                    self._ponged = True
                    self._unanswered = 0
        except ConnectionClosed:
            return  # the reader sees it too, and says why
        finally:
            self._pinging = False
            self._bell.set()

    # -- what the core says ----------------------------------------------------------------------

    async def _do(self, outs: list[Out]) -> None:
        """Carry out, in order. Cut short by the link's end, what is told is told all the same."""
        place = 0
        try:
            for place, out in enumerate(outs, 1):  # noqa: B007 - read below
                kind = type(out)
                if kind is Send:
                    await self._send(out.text)  # type: ignore[union-attr]
                elif kind is Record:
                    if not await self._commit(out.records):  # type: ignore[union-attr]
                        return
                elif kind is Introduced:
                    await self._room.introduced(self.charger, self)
                    self._terms = self._room.terms(self.charger)
                    if self._terms != self.core.terms:  # before the next frame is read
                        now = trio.current_time()
                        await self._do(self.core.feed(TermsNow(self._terms), now))
                else:
                    self._do_now(out)
        except trio.Cancelled:
            for out in outs[place:]:
                self._do_now(out)
            raise

    def _do_now(self, out: Out) -> None:
        """What needs no waiting."""
        match out:
            case Tell(fact):
                self._tell(fact)
            case View(view):
                self._room.show(view)
            case Later(samples):
                for sample in samples:
                    if isinstance(sample, PassportFound):
                        self._room.found(sample, self.charger)
                self._room.store.later(samples)
            case Up(item):
                if isinstance(item, Here) and item.here:
                    item = Here(here=True, authorization=self.authorization)
                if self._gathering and isinstance(item, Message):  # it keeps its place
                    self._gathering.append(_Gathering((out,)))
                else:
                    self._room.to_uplink(self.charger, item)
            case Gather():
                self._gather(out)
            case Reply(reply_id, answer):
                waits = self._waits.get(reply_id)
                if waits is not None:
                    self._answers[reply_id] = answer
                    waits.set()
            case Note():
                self._note(out)
            case Raised():
                self._room.raise_(out)
            case Cleared():
                self._room.clear(out)
            case Presented(tag):
                self._room.presented(self.charger, tag)
            case Progress(about, status):
                self._room.progressed(self.charger, about, status)
            case Close(code, reason):
                self.end(code, reason)
            case _:
                pass  # a frame or a record of a link that has ended

    def _note(self, note: Note) -> None:
        """A line for the log; what a charger makes us say again and again is said once a minute."""
        said = (note.text, *note.fields.values())
        now = trio.current_time()
        if now - self._noted.get(said, -math.inf) < NOTE_S:
            return
        if len(self._noted) >= NOTED_MAX:
            self._noted.clear()
        self._noted[said] = now
        getattr(log, note.level)(note.text, **{**note.fields, "charger": self.charger})

    async def _send(self, text: str) -> None:
        if self._room.ocpp_log is not None:
            self._room.ocpp_log(self.charger, "out", text)
        try:
            await self._ws.send_message(text)
        except ConnectionClosed:
            self.end(1000, self._wire.trouble or "the connection is closed")

    async def _commit(self, records: tuple[AnyRecord, ...]) -> bool:
        """On disk; a commit that has begun is not left alone. False: nothing that follows holds."""
        for record in records:
            if isinstance(record, ChargerSeen):
                self._room.noted(record)
            elif isinstance(record, PassportForgotten):
                self._room.found(record, self.charger)
        try:
            with trio.fail_after(COMMIT_S) as limit:
                limit.shield = True
                await self._room.store.commit(records)
        except (StoreError, trio.TooSlowError) as error:
            log.warning("not written down", charger=self.charger, cause=str(error) or "too slow",
                        action="the charger gets no answer")  # fmt: skip
        else:
            return True
        if any(isinstance(r, TransactionBegan | TransactionEnded) for r in records):
            self.end(1011, "the storage failed")
            return False
        return True

    def _gather(self, out: Gather) -> None:
        """Down with what others have to write; what comes of it in the order of the gathering."""
        one = _Gathering(failed=out.failed, due=trio.current_time() + GATHERED_S)

        def told(error: StoreError | None) -> None:
            if error is None:
                one.outs = out.then
            else:
                one.outs = out.full if isinstance(error, DiskFull) else out.failed
            if one.due == math.inf:  # it was answered when it took too long
                one.outs = [each for each in one.outs if isinstance(each, Up)]
            if error is not None:
                self._note(Note("not written down", {"cause": str(error)}, "warning"))
            one.is_done = True
            while self._gathering and self._gathering[0].is_done:
                self._gathered(self._gathering.popleft().outs)

        if len(self._gathering) >= GATHERED_MAX:
            self._gathered(out.failed)
            return
        self._gathering.append(one)
        if one.due < self._alarm:
            self._bell.set()
        self._room.store.gather(out.records, told)

    def _refuse_late(self) -> None:
        """A charger says nothing more while it waits for its answer: what takes too long is refused
        (trust.md P11), and kept all the same if the disk takes it in the end.
        """
        now = trio.current_time()
        for one in [each for each in self._gathering if each.due <= now]:
            one.due = math.inf
            self._gathered(one.failed)

    def _gathered(self, outs: Sequence[Out]) -> None:
        for out in outs:
            if isinstance(out, Send):
                self._unsent.append(out)
                self._bell.set()
            elif isinstance(out, Up):
                self._room.to_uplink(self.charger, out.item)

    def _tell(self, fact: AnyFact) -> None:
        """To the balancer; what finds its inbox full is told again, currents aside."""
        if not self._untold and self._room.told(fact):
            return
        if isinstance(fact, Drawn):
            return  # a newer one comes
        self._untold.append(fact)
        if len(self._untold) > UNTOLD_MAX:
            self.end(1011, "the balancer takes no facts")

    def _tell_again(self) -> None:
        while self._untold and self._room.told(self._untold[0]):
            self._untold.pop(0)

    # -- the end ---------------------------------------------------------------------------------

    def _over(self) -> None:
        """What the core has to say of its end, and the room's books."""
        try:
            for out in self.core.feed(Gone(self._why or "LinkRay stops"), trio.current_time()):
                self._do_now(out)
            self._tell_again()
            if self._untold:
                log.error("facts lost", charger=self.charger, cause="the balancer's inbox is full",
                          facts=len(self._untold))  # fmt: skip
        finally:
            for number, waits in self._waits.items():
                self._answers.setdefault(number, Answer(False, "failed", "The link ended"))
                waits.set()
            self._room.ended(self.charger, self)

    async def _say_goodbye(self) -> None:
        """The closing handshake, as far as the charger goes along."""
        with trio.move_on_after(CLOSE_S, shield=True):
            await self._ws.aclose(*self._close)


async def serve_stream(room: ChargerRoom, stream: trio.abc.Stream, address: str) -> None:
    """One connection from its first byte to its end; `address` is the host it comes from.

    Whatever goes wrong in it ends here, with a line in the log.
    """
    await contain(f"of {address}", partial(_serve, room, stream, address), strict=room.strict)


async def _serve(room: ChargerRoom, stream: trio.abc.Stream, address: str) -> None:
    wire = Wire(stream)
    room.handshakes += 1
    shaking = True
    try:
        async with trio.open_nursery() as nursery:
            request: WebSocketRequest | None = None
            with trio.move_on_after(HANDSHAKE_S) as limit:
                wire.when_closed = limit.cancel
                request = await wrap_server_stream(
                    nursery, wire, max_message_size=FRAME_BYTES_MAX, receive_buffer_size=4096
                )
            wire.when_closed = None
            if request is None:
                why = wire.trouble or f"not done within {HANDSHAKE_S:.0f} s"
                log.warning("handshake failed", peer=address, action="closed", cause=why)
            else:
                standing = await _admit(room, request, wire, address)
                room.handshakes -= 1
                shaking = False
                if standing is not None:
                    await standing.run()
            nursery.cancel_scope.cancel()
    except* ProtocolError as errors:  # what trio-websocket lets through of a bad peer
        log.warning("link ended", peer=address, cause=str(errors.exceptions[0]), action="closed")
    finally:
        if shaking:
            room.handshakes -= 1
        await trio.aclose_forcefully(stream)


async def _admit(
    room: ChargerRoom, request: WebSocketRequest, wire: Wire, address: str
) -> Standing | None:
    """The rules of chargers.md, Connecting; None: the connection was refused, and answered."""

    async def refuse(status: int, why: str) -> None:
        log.warning("connection refused", peer=address, cause=why, action=f"HTTP {status}",
                    path=request.path)  # fmt: skip
        headers = [(b"Content-Type", b"text/plain")]
        if status == 401:
            headers.append((b"WWW-Authenticate", b'Basic realm="LinkRay"'))
        with trio.move_on_after(CLOSE_S), contextlib.suppress(ConnectionClosed):
            await request.reject(status, body=why.encode(), extra_headers=headers)

    charger = identity(request.path)
    if charger is None:
        await refuse(400, "Expected ws://HOST:PORT/IDENTITY with 1 to 48 letters, digits, spaces "
                          "or * - _ = : + | @ . as the last part of the path")
        return None
    fits, chosen = subprotocol(request.proposed_subprotocols)
    if not fits:
        await refuse(400, f"Expected the subprotocol {SUBPROTOCOL}, got "
                          f"{', '.join(request.proposed_subprotocols)}; supported: {SUBPROTOCOL}")
        return None
    verdict = room.proofs.judge(charger, _authorization(request))
    if verdict == "refused":
        _note_refused(room, charger, address, WRONG_PASSWORD)
        await refuse(401, "Expected this charger's password (HTTP Basic)")
        return None
    proved = verdict != "open"
    with room.claim(charger) as first:
        why = "another connection of this identity is being looked at" if not first else (
            await _in_the_way(room, charger, address, proved=proved)
        )
        if why:
            await refuse(409, why)
            return None
        if verdict == "proved_new" and room.proved_new is not None:
            await room.proved_new(charger)
        if not room.has_room(charger):
            await refuse(503, "no room for more chargers that are not configured")
            return None
        notes = () if chosen else ("offered no subprotocol; taken as ocpp1.6",)
        core = await room.start(charger, address, notes)
        try:
            with trio.fail_after(HANDSHAKE_S):
                ws = await request.accept(subprotocol=chosen)
        except (ConnectionClosed, trio.TooSlowError):
            log.warning("handshake failed", peer=address, charger=charger, action="closed",
                        cause=wire.trouble or "closed while it was answered")  # fmt: skip
            return None
        wire.closed_for = lambda: ws.closed
        # a password of LinkRay's own is none of the CSMS's business
        came_with = _authorization(request)
        passed_on = "" if room.proofs.is_ours(charger, came_with) else came_with
        standing = Standing(room, charger, address, ws=ws, wire=wire, core=core,
                            authorization=passed_on, proved=proved)  # fmt: skip
        room.stands(charger, standing)
    log.info("charger connected", peer=address, charger=charger)
    return standing


def _authorization(request: WebSocketRequest) -> str:
    """The header that a charger came with, for its uplink (csms.md, Passing through)."""
    for name, value in request.headers:
        if name.lower() == b"authorization":
            return value.decode("ascii", "ignore")
    return ""


def _note_refused(room: ChargerRoom, charger: str, address: str, why: str) -> None:
    """Counted for the charger's line on the Security page; of strangers nobody keeps books."""
    if charger in room.views:
        room.proofs.refused(charger, address, why, room.clock.stamp())


async def _in_the_way(room: ChargerRoom, charger: str, address: str, *, proved: bool) -> str:
    """Deal with a standing link of the same identity (trust.md A30); why it stays, or nothing.

    A newcomer that has proved itself takes the place at once, from wherever it comes.
    """
    old = room.links.get(charger)
    if old is None:
        return ""
    if not proved and old.address != address and await old.is_alive():
        _note_refused(room, charger, address, SECOND)
        log.error("second connection of a live charger", charger=charger, peer=address,
                  stands=old.address, action="the newcomer is refused")  # fmt: skip
        return "this identity is connected from another address"
    log.warning("link replaced", charger=charger, peer=address, stood=old.address,
                action="the older link is ended")  # fmt: skip
    old.end(1000, "replaced by a newer link")
    with trio.move_on_after(REPLACED_S):
        await old.done.wait()
        return ""
    return "the older link of this identity is still ending"


async def run_chargers(
    room: ChargerRoom, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Hand out plans, settings and the emergency stop to the links, for as long as it runs.

    Started when what the store knows of the chargers has been told: then links may come.
    """
    with trio.fail_after(READ_S):
        room.shelf.load(await room.store.passports())
        running = [run for run in await room.store.running() if run.authorised_by]
        room.know(await room.store.seen(), running)
    for fact in room.known():
        if not room.tell(fact):  # let the balancer take in what it has, then it must have room
            await trio.sleep(UNTOLD_AGAIN_S)
            if not room.tell(fact):
                log.error("fact lost", charger=fact.charger, cause="the balancer's inbox is full")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_plans, room)
        nursery.start_soon(_watch_settings, room)
        nursery.start_soon(_watch_emergency, room)
        nursery.start_soon(_watch_writes, room)
        task_status.started()


async def _watch_plans(room: ChargerRoom) -> None:
    seq = room.plan.seq
    room.hand_out(room.plan.value)
    while True:
        seq, plan = await room.plan.wait_newer(seq)
        room.hand_out(plan)


async def _watch_settings(room: ChargerRoom) -> None:
    seq = room.settings.seq
    room.take_settings()
    while True:
        seq, _settings = await room.settings.wait_newer(seq)
        await room.take_places()


async def _watch_emergency(room: ChargerRoom) -> None:
    seq = room.emergency.seq
    while True:
        seq, on = await room.emergency.wait_newer(seq)
        for standing in tuple(room.links.values()):
            standing.put(Emergency(on))


async def _watch_writes(room: ChargerRoom) -> None:
    """A write that takes 10 s ends its link (house.md, Nurseries 4)."""
    while True:
        await trio.sleep(WRITES_WATCHED_S)
        now = trio.current_time()
        for standing in tuple(room.links.values()):
            standing.check_write(now)


async def listen(
    room: ChargerRoom,
    bind: str | None,
    port: int,
    tls: Callable[[], ssl.SSLContext] | None = None,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Let chargers in on a port (0: a free one, told by `started`), with TLS where given: the
    settings are asked for anew with each connection.
    """

    async def accept(stream: trio.SocketStream) -> None:
        address = _peer(stream)
        if not room.admits(address):
            log.warning("too many connections", peer=address, action="closed")
            await trio.aclose_forcefully(stream)
            return
        with contextlib.suppress(OSError):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BACKLOG_BYTES)
        if tls is None:
            await serve_stream(room, stream, address)
            return
        secured = trio.SSLStream(stream, tls(), server_side=True, https_compatible=True)
        try:
            with trio.fail_after(HANDSHAKE_S):
                await secured.do_handshake()
        except (trio.BrokenResourceError, trio.TooSlowError) as error:
            cause = str(error.__cause__ or "not done in time")
            log.warning("TLS handshake failed", peer=address, cause=cause, action="closed")
            await trio.aclose_forcefully(stream)
            return
        await serve_stream(room, secured, address)

    try:
        listeners = await trio.open_tcp_listeners(port, host=bind)
    except OSError as error:
        raise OSError(error.errno, f"{bind or '*'} port {port}: {error.strerror}") from error
    if port == 0 and len(listeners) > 1:  # both address families on one port
        free = listeners[0].socket.getsockname()[1]
        for listener in listeners[1:]:
            await listener.aclose()
        listeners = listeners[:1]
        with contextlib.suppress(OSError):
            listeners += await trio.open_tcp_listeners(free, host="::")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(accept, listeners)


def _peer(stream: trio.SocketStream) -> str:
    """The host that a connection comes from; IPv4 in IPv6 is IPv4."""
    try:
        host = str(stream.socket.getpeername()[0])
    except OSError:
        return "gone"
    return host.removeprefix("::ffff:")
