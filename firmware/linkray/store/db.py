"""The store: the disk as everyone sees it. What is committed survives (records.md, Storage)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import apsw
import msgspec
import structlog
import trio

from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.kit.keep import KeptDown
from linkray.model.asks import Account, Key, Who
from linkray.model.delivery import SESSIONS_MAX, Sending
from linkray.model.faults import Alert
from linkray.model.history import Point
from linkray.model.passport import Passport
from linkray.model.records import (
    AlertGone,
    AlertKept,
    AnyRecord,
    Called,
    ChargerSeen,
    Delivered,
    IdLearned,
    MinuteKept,
    Outgoing,
    SessionWent,
    SetAside,
    StopUnknown,
    TagAccepted,
    Transaction,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
    UplinkKept,
)
from linkray.model.sessions import Course, Pause
from linkray.model.settings import Settings
from linkray.model.tags import Tag
from linkray.model.views import CsmsQueue, RejectedTag, SetAsideMessage

from . import alerts, aside, courses, deliveries, history, outbox, tags, thinning
from .audit import AuditLine, broken_at
from .copies import Opened, let_go, make_daily_copy, open_good
from .disk import Defect, Disk, DiskFull, StoreError
from .files import REAL, Files
from .reserve import Reserve
from .runner import Runner, beside
from .thinning import Gone, Place

__all__ = ["FILE", "DiskFull", "Store", "StoreError"]

FILE = "linkray.db"  # its name in the state folder
TRIED = "storage tried"
DISK, FULL, ROOM = "disk", "full", "room"  # what trouble is about
VITAL = TransactionBegan | Called | TransactionEnded | StopUnknown | SetAside  # for the reserve
THINNED_AT_ONCE = 2_000  # samples: one small commit
DATABASE_BYTES_MAX = 768 * 2**20  # above it values for an absent CSMS are thinned (csms.md)
ASIDE_BYTES_MAX = 128 * 2**20  # of what was set aside, beside the queue: some 200,000 messages
ASIDE_SESSIONS_AT_ONCE = 200
REFUSED_ABOVE = DATABASE_BYTES_MAX + 64 * 2**20  # there is nothing more to thin: none is taken
THINNINGS_MAX = 25  # of the queue in a minute: more rows than a storm of values brings
COUNTED = "queue"  # kv: values thinned, refused, and what was set aside and given up
FLUSH_S = 60.0  # records.md: samples are on disk at least once a minute
FREE_SHARE_MIN = 0.05  # records.md: below 5 % free a fault
GATHERED_MAX = 4_096  # records for which nobody waits: 64 of each of 64 links, while the disk hangs
HELD_MAX = 10_000  # that may be lost by a power cut, while the disk takes nothing
GATHER_S = 1.0  # trust.md P10: while the CSMS is away one sync a second more
CLOSE_S = 5.0
INTERRUPTED_EVERY_S = 0.05

T = TypeVar("T")

log = structlog.get_logger(source="STORE")


class _Write(Generic[T]):
    """One caller's piece of the next gathered commit."""

    def __init__(
        self, do: Callable[[Disk], T], then: Callable[[T], None] | None, *, is_vital: bool
    ) -> None:
        self.do = do
        self.then = then  # once it is durable, whoever wrote it down
        self.is_vital = is_vital  # a start or a stop: the reserve is for it
        self.outcome: T | StoreError | None = None
        self.done = False

    def settle(self, outcome: object) -> None:
        """It has what came of it, and what follows from it is in force. The first word stands."""
        if self.done:
            return
        self.outcome, self.done = outcome, True  # type: ignore[assignment]  # what `do` gave
        if self.then is not None and not isinstance(outcome, StoreError):
            self.then(outcome)  # type: ignore[arg-type]


class _Gathered(_Write[None]):
    """Records for which nobody waits; `told` hears what came of them, once."""

    def __init__(
        self, do: Callable[[Disk], None], told: Callable[[StoreError | None], None]
    ) -> None:
        super().__init__(do, None, is_vital=False)
        self._told = told

    def settle(self, outcome: object) -> None:
        if not self.done:
            super().settle(outcome)
            self._told(outcome if isinstance(outcome, StoreError) else None)


class Store:
    """One writer, gathered commits: many callers, one sync. Made by `Store.open`.

    Every method that writes returns when the words would survive a power cut, or raises
    `StoreError`; then nothing of it was written.
    """

    def __init__(self, disk: Disk, runner: Runner, clock: WallClock, opened: Opened) -> None:
        self._disk = disk
        self._runner = runner
        self._beside = beside(runner)  # for what takes long
        self._clock = clock
        self._queue: list[_Write[object]] = []  # at most one of each waiting caller
        self._turn = trio.Lock()
        self._gathered: list[_Gathered] = []  # for the second's commit, or the next
        self._gathered_at = -math.inf
        self._bell = trio.Event()
        self._held: dict[int, TransactionSampled] = {}
        self._held_went: dict[int, SessionWent] = {}
        self._held_others: list[AnyRecord] = []
        self._kv = disk.kv()
        self._last_id = disk.last_transaction_id()
        self._last_number = disk.outbox(outbox.newest)
        self._tags = disk.outbox(outbox.tags)
        #: Who may charge by LinkRay's own list; change it by `change_tags`.
        self.tags = tags.TagList(disk.outbox(tags.load))
        settings, revision, words = disk.settings()
        self.settings: Cell[Settings] = Cell(settings)
        self.revision = revision
        self.opened = opened
        self.files = disk.files
        self._reserve = Reserve(disk.path, disk.files)
        self._thinned = 0  # samples, since the disk was full
        #: Thinned and refused since nothing waited, given up since nothing was set aside.
        counts = [int(number) for number in self._kv.get(COUNTED, "0 0").split()]
        self._values_thinned, self._values_refused, self._aside_gone = (*counts, 0)[:3]
        self._counted = (self._values_thinned, self._values_refused, self._aside_gone)  # on disk
        self._takes_values = True
        self._thin_at = Place()
        #: Hears which kept messages were thinned: charger, address and number of each.
        self.when_thinned: Callable[[list[Gone]], None] = lambda _gone: None
        #: Hears how many of those that were set aside are gone: by charger.
        self.when_aside_gone: Callable[[dict[str, int]], None] = lambda _gone: None
        self._points: set[Point] = set()  # of which the graphs were told since it was opened
        self._troubles: dict[str, str] = {}
        #: What is wrong with the storage, in words for the fault STORAGE; None: nothing.
        self.trouble: Cell[str | None] = Cell(None)
        #: What of the CSMS's queue was given up for want of room: the fault QUEUE; None: nothing.
        self.queue_trouble: Cell[str | None] = Cell(None)
        self.say("opening", opened.missing)
        self.say("settings", words)
        self._say_of_queue()
        self.say(DISK, disk.trouble)
        self.commits = 0  # gathered commits so far: trust.md P10 counts them

    @classmethod
    async def open(
        cls,
        path: Path | str,
        runner: Runner,
        clock: WallClock | None = None,
        files: Files = REAL,
    ) -> Store:
        """Open, migrate, and if it must be, set aside and take the newest good copy.

        `path` is a file or ":memory:". Raises `StoreError` only where no database can be had at
        all: the folder is not writable, or another LinkRay holds it.
        """
        wall = clock or WallClock()
        disk, opened = await runner.run(lambda: open_good(path, wall.stamp(), files))
        if opened.missing:
            log.warning("database set aside", missing=opened.missing, kept=str(opened.set_aside))
        store = cls(disk, runner, wall, opened)
        await runner.run(store._reserve.keep)
        store._say_whether_full()
        return store

    async def close(self) -> None:
        """Write what is held, checkpoint, close. Nothing may be asked of the store afterwards."""
        with trio.move_on_after(CLOSE_S, shield=True):
            if self._is_holding:
                try:
                    await self.flush()
                except StoreError as error:
                    log.warning("samples lost at the end", cause=str(error))
            async with self._turn:
                await self._runner.run(self._disk.close)

    # -- what is wrong ---------------------------------------------------------------------------

    def say(self, about: str, words: str | None) -> None:
        """What is wrong about one thing, or None: nothing any more."""
        if words is None:
            self._troubles.pop(about, None)
        else:
            self._troubles[about] = words
        said = "; ".join(self._troubles.values()) or None
        if said != self.trouble.value:
            self.trouble.set(said)

    @property
    def takes_writes(self) -> bool:
        """Whether the disk took the last it was given; if not, no session begins (trust.md P3)."""
        return DISK not in self._troubles

    @property
    def has_room(self) -> bool:
        """Whether the disk takes what nobody would miss much (records.md, Storage)."""
        return self._troubles.keys().isdisjoint({DISK, FULL, ROOM})

    # -- writing ---------------------------------------------------------------------------------

    async def commit(self, records: Sequence[AnyRecord]) -> None:
        """Write records down, all or none; returns when they are durable."""
        numbered = [
            (record, self.take_transaction_id() if isinstance(record, StopUnknown) else 0)
            for record in records
        ]
        begun = [r.id for r in records if isinstance(r, TransactionBegan)]
        self._last_id = max([self._last_id, *begun])
        for record in records:
            if isinstance(record, MinuteKept):
                self._points.update(record.slot.points)
        is_vital = any(isinstance(record, VITAL) for record in records)
        await self._write(lambda disk: disk.put(numbered), is_vital=is_vital)

    def later(self, records: Sequence[AnyRecord]) -> None:
        """Hold records for the next commit, or the minute's: what may be lost by a power cut.

        Of samples the newest of a transaction is held, and of how sessions went the newest word,
        with the pauses of those before.
        """
        for record in records:
            if isinstance(record, TransactionSampled):
                self._held[record.id] = record
            elif isinstance(record, SessionWent):
                before = self._held_went.get(record.id)
                self._held_went[record.id] = courses.merged(before, record)
            else:
                if isinstance(record, TagAccepted):
                    self._tags[record.tag.casefold()] = record.at
                self._held_others.append(record)
        if len(self._held_went) + len(self._held_others) > HELD_MAX:
            self._hold_less()

    def _hold_less(self) -> None:
        """A disk that takes nothing: how sessions went goes first, then alerts, what the CSMS would
        only hear once more, tags, of each the oldest; the numbers of sessions last.
        """
        while self._held_went and len(self._held_went) + len(self._held_others) > HELD_MAX:
            del self._held_went[next(iter(self._held_went))]
        for kinds in ((AlertKept, AlertGone), (Delivered,), (TagAccepted,), (object,)):
            over = max(0, len(self._held_others) - HELD_MAX)
            gone = [n for n, one in enumerate(self._held_others) if isinstance(one, kinds)][:over]
            for place in reversed(gone):
                del self._held_others[place]

    def gather(
        self, records: Sequence[AnyRecord], told: Callable[[StoreError | None], None]
    ) -> None:
        """Write records down with whatever is written next, within a second where `keep_gathering`
        runs; `told` is called once: None, they would survive a power cut; else nothing of them was
        written. They are written before what is committed after them.
        """

        def counted(error: StoreError | None) -> None:
            self._values_refused += isinstance(error, DiskFull)
            told(error)

        if not self.takes_writes:
            told(StoreError(self._troubles[DISK]))
            return
        if not self._takes_values:
            counted(DiskFull(StoreError.QUEUE))
            return
        if len(self._gathered) >= GATHERED_MAX:
            told(StoreError(StoreError.SLOW))
            return
        numbered = [(record, 0) for record in records]
        self._gathered.append(_Gathered(lambda disk: disk.put(numbered), counted))
        self._bell.set()

    async def keep_gathering(self) -> None:
        """What is gathered goes down, in one commit a second at the most. Never ends."""
        while True:
            self._bell = trio.Event()
            if not self._gathered:
                await self._bell.wait()
            await trio.sleep_until(self._gathered_at + GATHER_S)
            async with self._turn:
                if self._gathered:
                    with trio.CancelScope(shield=True):
                        await self._write_gathered()

    @property
    def _is_holding(self) -> bool:
        return bool(self._held or self._held_went or self._held_others or self._gathered)

    async def flush(self) -> None:
        """Write down what `later` holds."""
        await self._write(lambda _disk: None)

    async def change_settings(self, settings: Settings, who: Who, what: str) -> int:
        """Audit line and settings durable together, then in force; returns the new revision."""
        at = self._clock.stamp()

        def in_force(revision: int) -> None:
            self.revision = revision
            self.settings.set(settings)

        return await self._write(
            lambda disk: disk.change_settings(settings, who, what, at), in_force
        )

    async def audit(self, who: Who, what: str, old: str = "", new: str = "") -> None:
        """One line of the audit log; write it before what it tells takes effect (INV-16)."""
        at = self._clock.stamp()
        await self._write(lambda disk: disk.audit(who, what, old, new, at))

    async def remember(self, key: str, value: str) -> None:
        """A small fact that survives; `recall` sees it once it is durable."""

        def known(_durable: None) -> None:
            self._kv[key] = value

        await self._write(lambda disk: disk.remember(key, value), known)

    def recall(self, key: str) -> str | None:
        return self._kv.get(key)

    def take_transaction_id(self) -> int:
        """The next transaction id, never given before."""
        self._last_id += 1
        return self._last_id

    def take_queue_number(self) -> int:
        """The next number of a message for the CSMS, never given before."""
        self._last_number += 1
        return self._last_number

    async def set_account(self, account: Account, who: Who) -> None:
        """Replace an account; the hash it had, the printed one too, is gone (trust.md 4, 6)."""
        at = self._clock.stamp()
        dated = msgspec.structs.replace(account, changed=account.changed or at)
        await self._write(lambda disk: disk.set_account(dated, who, at))

    async def note(self, who: Who, what: str, used: int = 0) -> None:
        """A line of the audit log about a person at the door, and the code that was used."""
        at = self._clock.stamp()
        await self._write(lambda disk: disk.note(who, what, used, at))

    async def add_key(self, key: Key, who: Who, *, in_place: bool = False) -> None:
        """Keep a new API key's digest; in place of the one without a name of its scope."""
        at = self._clock.stamp()
        made = msgspec.structs.replace(key, made=key.made or at)
        await self._write(lambda disk: disk.add_key(made, who, at, in_place=in_place))

    async def change_key(self, key: Key, who: Who) -> None:
        """A key is on or off, as `off` says."""
        at = self._clock.stamp()
        await self._write(lambda disk: disk.change_key(key, who, at))

    async def remove_key(self, key: Key, who: Who) -> None:
        at = self._clock.stamp()
        await self._write(lambda disk: disk.remove_key(key, who, at))

    async def change_tags(
        self, put: Sequence[Tag], gone: Sequence[str], who: Who, what: str, old: str, new: str
    ) -> None:
        """Audit line and rows durable together, then in force: those of these keys go, then these
        come. `old` and `new` tell no whole tag (records.md, Logs).
        """
        at = self._clock.stamp()

        def write(disk: Disk) -> None:
            disk.audit(who, what, old, new, at)
            disk.outbox(lambda db: tags.change(db, put, gone))

        await self._write(write, lambda _durable: self.tags.change(put, gone))

    async def forget_charger(self, charger: str) -> None:
        """Delete what a charger said of itself and what was proved on it; transactions stay."""
        await self._write(lambda disk: disk.forget_charger(charger))

    async def import_passports(self, passports: tuple[Passport, ...], who: Who) -> None:
        """Audit line and passports durable together, all or none."""
        at = self._clock.stamp()
        await self._write(lambda disk: disk.import_passports(passports, who, at))

    async def make_sending(self, sending: Sending, key: str, value: str) -> Sending | None:
        """Take sessions that have ended by then and were never taken before for a sending, some in
        each commit, and remember `value` in the last; None where there is no such session.

        Where it ends in the middle, what was taken is a sending, and the rest is for the next.
        """
        is_all = False

        def write(before: Sending, disk: Disk) -> Sending | None:
            nonlocal is_all
            taken = disk.outbox(lambda db: deliveries.take(db, before))
            count = 0 if taken is None else taken.sessions
            is_all = count - before.sessions < deliveries.TAKEN_AT_ONCE or count >= SESSIONS_MAX
            if is_all:
                disk.remember(key, value)
            return taken

        made = await self._write(partial(write, sending))
        while made is not None and not is_all:
            made = await self._write(partial(write, made))
        self._kv[key] = value
        return made

    async def keep_sending(self, sending: Sending) -> None:
        """What became of a sending."""
        await self._write(lambda disk: disk.outbox(lambda db: deliveries.keep(db, sending)))

    # -- reading ---------------------------------------------------------------------------------

    async def recent(self, charger: str, limit: int = 64) -> list[Transaction]:
        """A charger's newest transactions, newest first; with what is only held yet."""
        found = await self._read(lambda disk: disk.recent(charger, limit))
        ids = {r.transaction: r.csms_id for r in self._held_others if isinstance(r, IdLearned)}
        return [
            msgspec.structs.replace(one, csms_id=ids[one.id]) if one.id in ids else one
            for one in found
        ]

    async def running(self) -> list[Transaction]:
        """Every transaction that has begun and not ended, oldest first."""
        return await self._read(lambda disk: disk.running())

    async def courses(self) -> list[tuple[int, Course, Pause | None]]:
        """Of each session that runs: its number, how it went so far, and the pause it is in."""
        return await self._read(lambda disk: disk.outbox(courses.running))

    async def seen(self) -> list[ChargerSeen]:
        """Every charger that has ever said who it is and was not forgotten."""
        return await self._read(lambda disk: disk.seen())

    async def waiting(self, charger: str, csms: str) -> tuple[int, int, int]:
        """How many messages wait for this address, were set aside, and the last one's number."""
        return await self._read_queue(lambda db, gone: outbox.waiting(db, charger, csms, gone))

    async def load(
        self, charger: str, csms: str, after: int, limit: int
    ) -> tuple[tuple[Outgoing, ...], bool]:
        """The next messages of a charger, and whether there are others after them."""
        return await self._read_queue(
            lambda db, gone: outbox.load(db, charger, csms, after, limit, gone)
        )

    async def oldest_waiting(self, csms: str, chargers: Sequence[str]) -> dict[str, str]:
        """Since when (UTC) something of these chargers waits for this address."""
        return await self._read(lambda disk: disk.outbox(
            lambda db: aside.oldest(db, csms, chargers)))

    async def set_aside(self, after: int, limit: int) -> tuple[SetAsideMessage, ...]:
        """What the CSMS did not take, after this number, in order."""
        return await self._read(lambda disk: disk.outbox(
            lambda db: aside.listed(db, after, limit)))

    async def say_again(self, charger: str, csms: str, most: int) -> list[Outgoing]:
        """The oldest that this address did not take, of a charger or (empty) of all, wait again at
        the end of its queue, as new messages in their old order. One caller at a time.
        """
        found = await self._read(lambda disk: disk.outbox(
            lambda db: aside.of(db, charger, csms, most)))
        moves = [(old, self._anew(old)) for old in found]
        again = await self._write(lambda disk: disk.outbox(
            lambda db: [new for old, new in moves if aside.put_back(db, old, new)]))
        self.when_aside_gone(Counter(one.charger for one in again))
        return again

    def _anew(self, old: Outgoing) -> Outgoing:
        number = self.take_queue_number()
        name = f"LR-{self._clock.utc():%y%m%d%H%M%S}-Q{number}"
        return msgspec.structs.replace(old, number=number, message_id=name)

    async def remove_aside(self, charger: str, most: int) -> int:
        """Delete the oldest of a charger that were set aside, or (empty) of all; how many."""
        found = await self._read(lambda disk: disk.outbox(
            lambda db: aside.oldest_of(db, charger, most)))
        if found:
            await self._delete_aside(found)
        return len(found)

    async def count_aside(self, charger: str, csms: str) -> tuple[int, int]:
        """How many of a charger, or (empty) of all, were set aside; how many for this address."""
        return await self._read(lambda disk: disk.outbox(
            lambda db: aside.count(db, charger, csms)))

    async def queues(self) -> tuple[CsmsQueue, ...]:
        """What waits for each address, that of the one that is set first. It is counted charger by
        charger: a month's queue would hold up whoever has something to write.
        """
        parts: list[aside.Part] = []
        for charger in await self._read_queue(lambda db, _gone: list(outbox.everyone(db))):
            parts += await self._read_queue(partial(_waiting_of, charger))
        url = self.settings.value.csms.url
        return await self._read_queue(lambda db, _gone: aside.queues(db, url, parts))

    async def queue(self, csms: str, after: int, limit: int) -> tuple[SetAsideMessage, ...]:
        """What waits for an address, after this number, in order."""
        return await self._read_queue(lambda db, _gone: aside.queue(db, csms, after, limit))

    async def let_go(self, csms: str, through: int) -> int:
        """Delete what waits for an address, up to this number; how many messages."""
        gone = 0
        for charger in await self._read_queue(lambda db, _gone: list(outbox.everyone(db))):
            some = THINNED_AT_ONCE
            while some == THINNED_AT_ONCE:
                some = await self._write(partial(_let_go, charger, csms, through), is_vital=True)
                gone += some
        return gone

    async def waiting_chargers(self, csms: str) -> list[str]:
        """Every charger for which something waits."""
        return await self._read_queue(lambda db, gone: outbox.chargers(db, csms, gone))

    async def uplinks(self) -> list[UplinkKept]:
        """What outlives a restart of every uplink."""
        return await self._read(lambda disk: disk.outbox(outbox.uplinks))

    def accepted(self, tag: str) -> str | None:
        """When the CSMS accepted a tag last (UTC), in whichever case it is written; None: never."""
        return self._tags.get(tag.casefold())

    async def rejected(
        self, find: str, before: int | None, limit: int
    ) -> tuple[tuple[RejectedTag, ...], int]:
        """Refused tags, newest first, before this number; how many fit in all."""
        return await self._read(lambda disk: disk.outbox(
            lambda db: tags.rejected(db, find, before, limit)))

    async def passports(self) -> list[Passport]:
        """Every passport, with its findings in the order they were made."""
        return await self._read(lambda disk: disk.passports())

    async def accounts(self) -> list[Account]:
        """EV, Installer, Assembler, by level."""
        return await self._read(lambda disk: disk.accounts())

    async def keys(self) -> list[Key]:
        return await self._read(lambda disk: disk.keys())

    async def energy_since(self, utc_iso: str) -> int:
        """Wh charged since then, running transactions by their newest sample on disk."""
        return await self._read(lambda disk: disk.energy_since(utc_iso))

    async def sendings(self) -> tuple[tuple[Sending, ...], tuple[Sending, ...]]:
        """The newest, newest first, and all that are not there yet, oldest first."""
        return await self._read(lambda disk: disk.outbox(
            lambda db: (deliveries.newest(db), deliveries.open_ones(db))))

    async def unsent(self) -> int:
        """How many sessions have ended and belong to no sending, `SESSIONS_MAX` at most."""
        return await self._read(lambda disk: disk.outbox(deliveries.unsent))

    async def alerts(self) -> list[Alert]:
        """The history of faults, in the order in which they began."""
        return await self._read(lambda disk: disk.outbox(alerts.kept))

    async def audit_lines(self, newest: int = 100) -> list[AuditLine]:
        """The newest lines of the audit log, oldest of them first."""
        return await self._read(lambda disk: disk.audit_lines(newest))

    async def audit_broken_at(self) -> int | None:
        """The first audit line that is not as it was written; None: the chain holds."""
        return await self._read(lambda disk: broken_at(disk.audit_lines(None), disk.audit_head()))

    # -- upkeep ----------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Once a minute: room on the disk, held samples to it, the day's copy. Never ends, unless a
        page is found that cannot be right: LinkRay starts anew, and replaces the database.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_through)
            nursery.start_soon(self._each_minute, self._keep_a_copy)
            await self._each_minute(self._make_room, self._bound_queue, self._try_again)

    async def _each_minute(self, *tasks: Callable[[], Awaitable[None]]) -> None:
        while True:
            await trio.sleep(FLUSH_S)
            for task in tasks:
                try:
                    await task()
                except (StoreError, OSError) as error:
                    log.warning("storage", cause=str(error), action="tried again in a minute")

    async def _look_through(self) -> None:
        """What a large database was opened without (trust.md P5, P7)."""
        while not self.opened.is_checked:
            try:
                words = await self._beside_writers(lambda disk: disk.check_beside())
            except StoreError as error:
                log.warning("the database is not looked through", cause=str(error))
                await trio.sleep(FLUSH_S)
                continue
            self.opened = msgspec.structs.replace(self.opened, is_checked=True)
            log.info("the database was looked through", found=words or "all in order")
            if words is not None:
                await self._give_up_database(words)

    async def _give_up_database(self, words: str) -> None:
        said = f"the database is damaged: {words}"
        self.say("damage", said)
        try:
            await self._runner.run(self._disk.leave_in_doubt)
        except OSError as error:  # the next start would not know it
            log.warning("the database is damaged", cause=str(error), action="used on")
            return
        raise KeptDown(said)

    async def _try_again(self) -> None:
        """A disk that took nothing is asked whether it does again; what is held goes down."""
        if not self.takes_writes:
            at = self._clock.stamp()
            await self._write(lambda disk: disk.remember(TRIED, at), is_vital=True)
        if self._is_holding:
            await self.flush()

    async def _make_room(self) -> None:
        """Say how full it is. On a full disk history goes, the oldest first (records.md, Storage):
        databases that were set aside, copies but the newest, the site's graphs, samples of what has
        ended.
        """
        path = self._disk.path
        if path is None:
            return
        free, total = await self._runner.run(lambda: self.files.free(path.parent))
        few = free < FREE_SHARE_MIN * total
        words = f"{free / total:.1%} of the disk is free, expected at least 5 %"
        self.say(ROOM, words if few else None)
        if FULL not in self._troubles:
            return
        gone = await self._runner.run(lambda: let_go(path, self.files))
        if gone:
            log.warning("room made", gone=", ".join(file.name for file in gone))
        elif self._reserve.is_spent and not await self._read(
            lambda disk: disk.outbox(history.is_empty)
        ):
            rows = await self._write(lambda disk: disk.outbox(history.thin), is_vital=True)
            log.warning("graphs thinned", rows=rows, of="the oldest quarters of an hour")
        elif self._reserve.is_spent and not await self._read(lambda disk: disk.is_thin()):
            thinned = await self._write(lambda disk: disk.thin(THINNED_AT_ONCE), is_vital=True)
            self._thinned += thinned
            log.warning("samples thinned", rows=thinned, of="sessions that have ended")
        elif self._reserve.is_spent and not await self._give_up_aside(
            lambda db: aside.oldest_values(db, THINNED_AT_ONCE)
        ):
            for _ in range(THINNINGS_MAX):
                if await self._thin_queue() != 0:
                    break
        await self._runner.run(self._reserve.keep)
        self._say_whether_full()

    async def _bound_queue(self) -> None:
        """What is kept for an absent CSMS has a bound: of its values those that are missed least go
        first (`thinning.py`), starts and stops stay, and what is thinned or refused is said (K2).
        """
        if self._disk.path is None:
            return
        apart = await self._bound_aside()
        used = await self._read(lambda disk: disk.bytes_used()) - apart
        for _ in range(THINNINGS_MAX):
            if used <= DATABASE_BYTES_MAX:
                self._thin_at = Place()
                break
            if await self._thin_queue() is None:
                break
            used = await self._read(lambda disk: disk.bytes_used()) - apart
        self._takes_values = used <= REFUSED_ABOVE
        url = self.settings.value.csms.url  # what waits for another does so for a person (K13)
        if await self._read_queue(lambda db, _gone: outbox.is_empty(db, url)):
            self._values_thinned, self._values_refused = 0, 0
        if not apart:
            self._aside_gone = 0
        self._say_of_queue()
        counts = (self._values_thinned, self._values_refused, self._aside_gone)
        if counts != self._counted and not self._reserve.is_spent:
            await self.remember(COUNTED, "{} {} {}".format(*counts))
            self._counted = counts

    async def _bound_aside(self) -> int:
        """What was set aside has a bound of its own, so that it takes nothing of the queue's room:
        above it values go, the oldest first, and starts and stops only where there are no values.
        The bytes that it takes.
        """
        took = await self._read(lambda disk: disk.outbox(aside.size))
        for _ in range(THINNINGS_MAX):
            if took <= ASIDE_BYTES_MAX:
                break
            freed = await self._give_up_aside(
                lambda db: aside.oldest_values(db, THINNED_AT_ONCE)
                or aside.oldest_sessions(db, ASIDE_SESSIONS_AT_ONCE)
            )
            took -= freed
        return took

    async def _give_up_aside(self, look: Callable[[apsw.Connection], list[aside.Place]]) -> int:
        """Give up what `look` finds; the bytes that it took."""
        found = await self._read(lambda disk: disk.outbox(look))
        if found:
            self._aside_gone += len(found)
            log.warning("what was set aside is given up", rows=len(found), cause="no room")
            await self._delete_aside(found)
        return sum(place.size for place in found)

    async def _delete_aside(self, found: list[aside.Place]) -> None:
        gone = await self._write(
            lambda disk: disk.outbox(lambda db: aside.give_up(db, found)), is_vital=True
        )
        self.when_aside_gone(gone)

    async def _thin_queue(self) -> int | None:
        """Look for some of the values that are missed least, and give them up; how many went. None:
        there is none left that may go.
        """
        gone, place = await self._read(lambda disk: disk.outbox(
            lambda db: thinning.look(db, self._thin_at, THINNED_AT_ONCE)))
        self._thin_at = place or Place()
        if gone:
            await self._write(
                lambda disk: disk.outbox(lambda db: thinning.give_up(db, gone)), is_vital=True
            )
            self._values_thinned += len(gone)
            log.warning("values for the CSMS thinned", rows=len(gone), cause="there is no room")
            self.when_thinned(gone)
        return None if place is None and not gone else len(gone)

    def _say_of_queue(self) -> None:
        """Since when something was kept for the CSMS last, and nothing less would tell of it."""
        thinned, refused, gone = self._values_thinned, self._values_refused, self._aside_gone
        said = [f"{thinned} values are thinned, {refused} refused"] if thinned or refused else []
        if gone:
            said.append(f"{gone} messages that the CSMS did not take are given up")
        words = "; ".join(said) or None
        if words != self.queue_trouble.value:
            self.queue_trouble.set(words)

    def _say_whether_full(self) -> None:
        """Full is a disk that has no reserve, until it has it again."""
        words = f"{StoreError.FULL}: starts and stops alone are kept"
        if self._thinned:
            words = f"{words}, {self._thinned} samples of ended sessions are thinned"
        if self._reserve.is_spent:
            self.say(FULL, words)
        else:
            self._thinned = 0
            self.say(FULL, None)

    async def _keep_a_copy(self) -> None:
        path = self._disk.path
        if path is None or FULL in self._troubles:
            return
        day = self._clock.stamp()[:10]
        copied = await self._beside_writers(lambda disk: make_daily_copy(disk, path, day))
        if copied:
            log.info("copy of the database made", copy=copied.name)
            await self._forget_points()

    async def _forget_points(self) -> None:
        """Once a day: of connectors of which no graph tells any more nothing is kept."""
        used = await self._beside_writers(lambda disk: disk.read_beside(history.in_use))
        gone = await self._write(lambda disk: disk.outbox(
            lambda db: history.forget(db, used, self._points)))
        if gone:
            log.info("connectors forgotten", rows=gone, cause="no graph tells of them")

    async def _beside_writers(self, read: Callable[[Disk], T]) -> T:
        """Read for long in a thread of its own; nobody waits for it, and it ends when it must."""
        ended = trio.Event()

        async def until_cancelled() -> None:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    while not ended.is_set():  # a thread that has not begun does not hear it
                        self._disk.interrupt()
                        with trio.move_on_after(INTERRUPTED_EVERY_S):
                            await ended.wait()

        found: list[T] = []
        failed: StoreError | OSError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_cancelled)
            try:
                found.append(await self._beside.run(lambda: self._disk.read(read)))
            except (StoreError, OSError) as error:
                failed = error
            finally:
                ended.set()
            nursery.cancel_scope.cancel()
        if failed is not None:
            raise failed
        return found[0]

    # -- the one writer --------------------------------------------------------------------------

    async def _read(self, read: Callable[[Disk], T]) -> T:
        async with self._turn:
            return await self._runner.run(lambda: self._disk.read(read))

    async def _read_queue(self, read: Callable[[apsw.Connection, list[int]], T]) -> T:
        """With the numbers of what the CSMS has and is only held yet: it waits no more."""
        async with self._turn:
            gone = [one.number for one in self._held_others if isinstance(one, Delivered)]
            return await self._runner.run(
                lambda: self._disk.read(lambda disk: disk.outbox(lambda db: read(db, gone)))
            )

    async def _write(
        self, do: Callable[[Disk], T], then: Callable[[T], None] | None = None, *,
        is_vital: bool = False,
    ) -> T:  # fmt: skip
        """Join the next gathered commit: whoever's turn it is writes for all who wait.

        What is durable is in force: `then` is called also where the caller is cancelled meanwhile,
        and the caller does not go on before; it hears what came of its own words, for it is too
        late to be cancelled.
        """
        mine: _Write[T] = _Write(do, then, is_vital=is_vital)
        self._queue.append(mine)  # type: ignore[arg-type]  # a _Write[object] to the writer
        try:
            async with self._turn:
                if not mine.done:
                    with trio.CancelScope(shield=True):
                        await self._write_gathered()
        except trio.Cancelled:
            if mine in self._queue:  # before its turn came: never written
                self._queue.remove(mine)  # type: ignore[arg-type]
                raise
            if not mine.done:  # while another's turn writes it down
                with trio.CancelScope(shield=True):
                    async with self._turn:
                        pass
        if isinstance(mine.outcome, Defect):
            raise mine.outcome.error
        if isinstance(mine.outcome, StoreError):
            raise mine.outcome
        return mine.outcome  # type: ignore[return-value]  # done: it is T

    async def _write_gathered(self) -> None:
        """All that wait; on a full disk the starts and stops among them, from the reserve."""
        gathered, self._gathered = self._gathered, []
        queue, self._queue = self._queue, []
        batch: list[_Write[object]] = [*gathered, *queue]  # type: ignore[list-item]
        if gathered:
            self._gathered_at = trio.current_time()
        if self._reserve.is_spent:
            batch = _vital_of(batch, DiskFull(StoreError.FULL))
        with ExitStack() as whatever_fails:  # a defect in one's words: nobody else's are written
            whatever_fails.callback(_settle, batch, StoreError(StoreError.NOT_WRITTEN))
            await self._write_batch(batch)

    async def _write_batch(self, batch: list[_Write[object]]) -> None:
        error = await self._write_down(batch) if batch else None
        if isinstance(error, DiskFull) and any(write.is_vital for write in batch):
            if await self._runner.run(self._reserve.spend):
                log.warning("disk full", action="the room kept for starts and stops is used")
                batch = _vital_of(batch, error)
                error = await self._write_down(batch)
            self._say_whether_full()
        if error is not None:
            is_only_full = isinstance(error, DiskFull) and not any(w.is_vital for w in batch)
            self.say(FULL if is_only_full else DISK, str(error))
            log.warning("not written", cause=str(error), writes=len(batch))
            _settle(batch, error)

    async def _write_down(self, batch: list[_Write[object]]) -> StoreError | None:
        """One commit with what is held; why not, where nothing of it was written."""
        held, self._held = self._held, {}
        went, self._held_went = self._held_went, {}
        others, self._held_others = self._held_others, []
        # First what was held: it is older, and an end takes no samples after it. Each by itself:
        # one that is refused takes no other with it.
        records: list[AnyRecord] = [*held.values(), *went.values(), *others]
        writes = [*(_put(record) for record in records), *(write.do for write in batch)]
        written = False
        try:
            outcomes = await self._runner.run(lambda: self._disk.write(writes))
            written = True
        except StoreError as error:
            return error
        finally:
            if not written:
                self._held = {**held, **self._held}
                newer, self._held_went = self._held_went, went
                self._held_others = [*others, *self._held_others]
                self.later(list(newer.values()))
        self.commits += 1
        self.say(DISK, None)
        if not self._reserve.is_spent:
            self.say(FULL, None)
        for record, refused in zip(records, outcomes, strict=False):
            if isinstance(refused, StoreError):
                log.error("not written", what=type(record).__name__, cause=str(refused))
        with ExitStack() as whatever_follows:  # a defect in what one does with it is its own
            settled = list(zip(batch, outcomes[len(records) :], strict=True))
            for write, outcome in reversed(settled):  # the last that is put in is called first
                whatever_follows.callback(write.settle, outcome)
        return None


def _waiting_of(charger: str, db: apsw.Connection, gone: list[int]) -> list[aside.Part]:
    return aside.of_charger(db, charger, gone)


def _let_go(charger: str, csms: str, through: int, disk: Disk) -> int:
    return disk.outbox(lambda db: outbox.let_go(db, charger, csms, through, THINNED_AT_ONCE))


def _put(record: AnyRecord) -> Callable[[Disk], None]:
    return lambda disk: disk.put([(record, 0)])


def _settle(batch: list[_Write[object]], error: StoreError) -> None:
    """Those who have heard nothing yet hear that nothing of theirs was written."""
    for write in batch:
        write.settle(error)


def _vital_of(batch: list[_Write[object]], error: StoreError) -> list[_Write[object]]:
    """The starts and stops; for the others there is no room."""
    for write in batch:
        if not write.is_vital:
            write.settle(error)
    return [write for write in batch if write.is_vital]
