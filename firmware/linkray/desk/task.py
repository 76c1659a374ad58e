"""The desk as a task: the socket in the state folder, asks with a deadline, pushed snapshots.

Faces come and go; a client that does not read is dropped and nobody waits for it (house.md, Two
processes). The desk waits for rooms and the store, with a limit; nothing waits for the desk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog
import trio

from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.kit.keep import contain
from linkray.kit.line import Framed, FrameTooLong, listen_unix
from linkray.model.asks import (
    LOCAL,
    OFF_HAND,
    Account,
    AddKey,
    Answer,
    Ask,
    CheckCommissioning,
    CheckMeter,
    CloseAccount,
    Envelope,
    FactoryReset,
    ImportSettings,
    Key,
    NoteAtDoor,
    NoteStep,
    PatchSettings,
    ReadAccounts,
    ReadCeiling,
    ReadClients,
    ReadHistory,
    ReadKeys,
    ReadLog,
    ReadMeters,
    ReadSettings,
    ReadSnapshot,
    ReadWalk,
    RemoveKey,
    Reply,
    SealCeiling,
    SetEmergencyStop,
    SetKey,
    SetPassword,
    SetSecondFactor,
    SettingsInForce,
    ShippedMeter,
    Watch,
    Who,
)
from linkray.model.clients import CLIENTS, read_clients, write_clients
from linkray.model.plan import Plan
from linkray.model.settings import LimitPhases, MeterFileValue, Settings
from linkray.model.units import Phases, amps
from linkray.model.views import CeilingView, Snapshot

from .commission import Makes, breaks_at_sealing, breaks_fail_safe, check, over_ceiling
from .desk import (
    READS,
    Lock,
    as_file,
    changes,
    conflict,
    imported,
    in_words,
    key_refusal,
    lock_of,
    no,
    patched,
    refusal,
    reset_refusal,
    yes,
)
from .history import History
from .snapshot import Seen, build
from .steps import KEPT, noted, walk_of

SOCKET = "desk.sock"  # its name in the state folder
CLIENTS_MAX = 32
ASKS_MAX = 64  # of one client at once; more are refused, but for the emergency stop
WITHIN_S_MAX = 60.0
WRITE_S = 5.0  # a client that has not read for so long is gone
TICK_S = 1.0  # a snapshot at least this often
GAP_S = 0.25  # and at most this often
LOG_LINES_MAX = 2000
RELEASED = "settings_imported"  # what the store remembers of trust.md 4, rule 8

Answerer = Callable[[Any, Who], Awaitable[Answer]]

log = structlog.get_logger(source="DESK")


class Shelf(Protocol):
    """What the desk needs of the store."""

    settings: Cell[Settings]
    revision: int

    async def change_settings(self, settings: Settings, who: Who, what: str) -> int: ...
    async def accounts(self) -> list[Account]: ...
    async def set_account(self, account: Account, who: Who) -> None: ...
    async def keys(self) -> list[Key]: ...
    async def note(self, who: Who, what: str, used: int = 0) -> None: ...
    async def add_key(self, key: Key, who: Who, *, in_place: bool = False) -> None: ...
    async def change_key(self, key: Key, who: Who) -> None: ...
    async def remove_key(self, key: Key, who: Who) -> None: ...
    async def remember(self, key: str, value: str) -> None: ...
    def recall(self, key: str) -> str | None: ...


class Sealed(Protocol):
    """What was sealed, by whom and when."""

    @property
    def by(self) -> str: ...
    @property
    def at(self) -> str: ...


class Ceiling(Protocol):
    """What the desk needs of the engineering ceiling (`store.ceiling.Ceiling`)."""

    limit: Cell[Phases | None]

    @property
    def seal(self) -> Sealed | None: ...
    async def put(self, limit_ma: LimitPhases, who: Who, at: str) -> None: ...


class Meters(Protocol):
    """What the desk needs of the room `meter`: pure functions that raise `ValueError` in words."""

    def judge(self, file: Mapping[str, object]) -> None: ...
    def read(self, text: str) -> dict[str, MeterFileValue]: ...
    def offered(self) -> Iterable[ShippedMeter]: ...


async def _no_words(_old: Settings, _new: Settings) -> str:
    return ""


class Desk:
    """Answers asks: what needs the store alone itself, acts through the roof's `answerers`."""

    def __init__(
        self,
        store: Shelf,
        see: Callable[[], Seen],
        answerers: Mapping[type[Ask], Answerer],
        *,
        meters: Meters,
        clock: WallClock,
        log_lines: Callable[[], Sequence[str]] = tuple,
        stirs: Sequence[Cell[Any]] = (),
        plan: Cell[Plan] | None = None,
        ceiling: Ceiling | None = None,
        makes: Callable[[], Makes] = dict,
        largest_step: Callable[[], Phases | None] = lambda: None,
        words_of: Callable[[Settings, Settings], Awaitable[str]] = _no_words,
        failures: tuple[type[Exception], ...] = (OSError,),
        strict: bool = False,
    ) -> None:
        """`failures`: the world's, answered as `failed`; others are ours, logged in full.

        `makes`: what is known of the chargers' makes; `largest_step`: of the building, as seen.
        `words_of`: what who has changed these settings to those should know.
        """
        self._words_of = words_of
        self._failures = failures
        self._store = store
        self._see = see
        self._meters = meters
        self._clock = clock
        self._log_lines = log_lines
        self._stirs = stirs
        self._plan = plan
        self._history = History()
        self._ceiling = ceiling
        self._makes = makes
        self._largest_step = largest_step
        self._strict = strict
        self._accounts: tuple[Account, ...] = ()
        self.changing = trio.Lock()  # settings are read, changed and written by one at a time
        self._stirred = trio.Event()
        self._seq = 0
        #: What the first-login rules hold back; `lock.value.released` lets charging begin.
        self.lock: Cell[Lock] = Cell(Lock(passwords_set=False, released=False))
        #: The newest snapshot, and the same as the frame that every watcher is sent.
        self.snapshot: Cell[Snapshot | None] = Cell(None)
        self.pushed: Cell[bytes] = Cell(b"")
        self._answerers: dict[type[Ask], Answerer] = {**self._own(), **answerers}

    def _own(self) -> dict[type[Ask], Answerer]:
        """What is answered here, from the store alone."""
        return {
            ReadSnapshot: self._read_snapshot,
            ReadSettings: self._read_settings,
            PatchSettings: self._patch_settings,
            ImportSettings: self._import_settings,
            ReadAccounts: self._read_accounts,
            SetPassword: self._set_password,
            ReadKeys: self._read_keys,
            AddKey: self._add_key,
            SetKey: self._set_key,
            RemoveKey: self._remove_key,
            CloseAccount: self._close_account,
            SetSecondFactor: self._set_second,
            NoteAtDoor: self._note,
            ReadClients: self._read_clients,
            ReadLog: self._read_log,
            ReadMeters: self._read_meters,
            CheckMeter: self._check_meter,
            ReadHistory: self._read_history,
            ReadCeiling: self._read_ceiling,
            SealCeiling: self._seal_ceiling,
            CheckCommissioning: self._check_commissioning,
            ReadWalk: self._read_walk,
            NoteStep: self._note_step,
        }

    async def begin(self) -> None:
        """Read the accounts; before this everything but reading is refused."""
        self._accounts = tuple(await self._store.accounts())
        self._look_at_lock()

    async def ask(self, ask: Ask, who: Who, within_s: float = 10.0) -> Answer:
        """One answer, in time: the table first, then the act."""
        refused = refusal(ask, who, self.lock.value, self._accounts)
        if refused is not None:
            log.warning("refused", ask=type(ask).__name__, who=who.name, peer=who.source,
                        cause=refused.text)  # fmt: skip
            return refused
        answerer = self._answerers.get(type(ask))
        if answerer is None:
            return no("unknown", f"{type(ask).__name__} is not offered here")
        answers: list[Answer] = []

        async def act() -> None:
            try:
                answers.append(await self._checked(answerer, ask, who))
            except self._failures as error:
                answers.append(no("failed", str(error)))

        limit_s = min(max(within_s, 0.05), WITHIN_S_MAX)
        with trio.move_on_after(limit_s):
            await contain(f"ask {type(ask).__name__}", act, strict=self._strict)
            if not answers:
                answers.append(no("failed", "LinkRay made a mistake here; the log tells which"))
        answer = answers[0] if answers else no("timeout", f"No answer within {limit_s:g} s")
        if not isinstance(ask, READS):
            why = {} if answer.ok else {"cause": answer.text}
            log.info("asked", ask=type(ask).__name__, who=who.name, peer=who.source,
                     answer=answer.code, **why)  # fmt: skip
            if answer.ok:
                self.look()  # whoever has changed something sees it with the next look
        return answer

    async def _checked(self, answerer: Answerer, ask: Ask, who: Who) -> Answer:
        if isinstance(ask, FactoryReset):
            site, serial = self._store.settings.value.site.name, self._see().serial
            refused = reset_refusal(ask, site, serial)
            if refused is not None:
                return refused
        return await answerer(ask, who)

    # -- what the store alone can answer ---------------------------------------------------------

    async def _read_snapshot(self, _ask: ReadSnapshot, _who: Who) -> Answer:
        return yes(data=self.look())

    async def _read_settings(self, _ask: ReadSettings, _who: Who) -> Answer:
        return yes(data=SettingsInForce(self._store.revision, self._store.settings.value))

    async def _patch_settings(self, ask: PatchSettings, who: Who) -> Answer:
        async with self.changing:
            late = conflict(self._store.revision, ask.revision)
            if late is not None:
                return late
            old = self._store.settings.value
            new = patched(old, bytes(ask.patch), who.level, self._meters.judge)
            if isinstance(new, Answer):
                return new
            refused = self._above(old, new, whole=False)
            return refused or await self._change(new, who, "settings")

    async def _import_settings(self, ask: ImportSettings, who: Who) -> Answer:
        async with self.changing:
            old = self._store.settings.value
            new = imported(old, bytes(ask.settings), who.level, self._meters.judge)
            if isinstance(new, Answer):
                return new
            refused = self._above(old, new, whole=True)
            if refused is not None:
                return refused
            if ask.check_only:
                found = changes(as_file(old), as_file(new))
                return yes("These settings can be imported; nothing was changed", tuple(found))
            return await self._change(new, who, "settings imported")

    def _above(self, old: Settings, new: Settings, *, whole: bool) -> Answer | None:
        """Why these settings do not go with the engineering ceiling (balancing.md)."""
        ceiling = self._sealed_ma()
        return over_ceiling(old, new, ceiling, whole=whole) or breaks_fail_safe(
            old, new, ceiling, self._makes()
        )

    async def _change(self, new: Settings, who: Who, what: str) -> Answer:
        old = self._store.settings.value
        if new != old:
            await self._store.change_settings(new, who, f"{what}: {in_words(old, new)}")
        if who.level >= LOCAL and not self.lock.value.released:
            await self._store.remember(RELEASED, self._clock.stamp())
            self._look_at_lock()
        self.stir()
        force = SettingsInForce(self._store.revision, self._store.settings.value)
        return yes(await self._words_of(old, new), force)

    async def _read_accounts(self, _ask: ReadAccounts, _who: Who) -> Answer:
        return yes(data=self._accounts)

    async def _set_password(self, ask: SetPassword, who: Who) -> Answer:
        old = self._account(ask.account)
        # whoever is on site lets in again also whom a lost phone has shut out
        second = "" if who.level >= LOCAL else old.second
        if who.level >= LOCAL:
            await self._ask_for_none(old.level, who)
        fresh = Account(old.name, old.level, ask.hash, second=second, second_used=old.second_used)
        return await self._put_account(fresh, who, f"{ask.account} has a new password")

    async def _ask_for_none(self, level: int, who: Who) -> None:
        """Whoever is on site lets in again also whom a lost client certificate has shut out."""
        if level in read_clients(self._store.recall(CLIENTS)).required:
            await self._store.note(who, f"client certificate of level {level} is not asked for")
            held = read_clients(self._store.recall(CLIENTS))
            await self._store.remember(CLIENTS, write_clients(held.without(level)))

    async def _read_clients(self, _ask: ReadClients, _who: Who) -> Answer:
        return yes(data=read_clients(self._store.recall(CLIENTS)))

    async def _close_account(self, ask: CloseAccount, who: Who) -> Answer:
        old = self._account(ask.account)
        return await self._put_account(
            Account(old.name, old.level), who, f"{ask.account} is closed"
        )

    async def _set_second(self, ask: SetSecondFactor, who: Who) -> Answer:
        old = self._account(ask.account)
        fresh = msgspec.structs.replace(old, second=ask.secret, second_used=ask.used)
        now = "on" if ask.secret else "off"
        return await self._put_account(fresh, who, f"The second factor of {old.name} is {now}")

    def _account(self, name: str) -> Account:
        return next(one for one in self._accounts if one.name == name)  # asks name no others

    async def _put_account(self, account: Account, who: Who, said: str) -> Answer:
        """Kept, and every session of it from before has ended."""
        dated = msgspec.structs.replace(account, changed=self._clock.stamp())
        await self._store.set_account(dated, who)
        await self.begin()
        self.stir()
        return yes(said)

    async def _note(self, ask: NoteAtDoor, _who: Who) -> Answer:
        await self._store.note(ask.who, ask.what, ask.used)
        if ask.used:
            await self.begin()
        return yes()

    async def _read_keys(self, _ask: ReadKeys, _who: Who) -> Answer:
        return yes(data=await self._store.keys())

    async def _add_key(self, ask: AddKey, who: Who) -> Answer:
        kept = [
            one for one in await self._store.keys()
            if not (ask.in_place and one.name == ask.name == "" and one.scope == ask.scope)
        ]  # fmt: skip
        refused = key_refusal(ask.name, kept)
        if refused is not None:
            return refused
        by = "" if who.level >= LOCAL else who.name
        key = Key(ask.digest, ask.scope, ask.expires, ask.name, self._clock.stamp(), by)
        await self._store.add_key(key, who, in_place=ask.in_place and not ask.name)
        return yes(f"A key with scope {ask.scope} was added", key.id)

    async def _set_key(self, ask: SetKey, who: Who) -> Answer:
        key = await self._key(ask.id)
        if key is None:
            return no("unknown", f"Expected a key that there is, got {ask.id[:40]!r}")
        off = "" if ask.on else OFF_HAND
        await self._store.change_key(msgspec.structs.replace(key, off=off), who)
        return yes(f"The key is {'on' if ask.on else 'off'}")

    async def _remove_key(self, ask: RemoveKey, who: Who) -> Answer:
        key = await self._key(ask.id)
        if key is None:
            return no("unknown", f"Expected a key that there is, got {ask.id[:40]!r}")
        await self._store.remove_key(key, who)
        return yes("The key is removed")

    async def _key(self, name: str) -> Key | None:
        return next((one for one in await self._store.keys() if one.id == name), None)

    async def _read_log(self, ask: ReadLog, _who: Who) -> Answer:
        count = min(max(ask.lines, 0), LOG_LINES_MAX)
        lines = list(self._log_lines())
        return yes(data=lines[len(lines) - min(count, len(lines)) :])

    async def _read_meters(self, _ask: ReadMeters, _who: Who) -> Answer:
        return yes(data=list(self._meters.offered()))

    async def _check_meter(self, ask: CheckMeter, _who: Who) -> Answer:
        try:
            return yes(data={"file": self._meters.read(ask.text)})
        except ValueError as error:
            return no("invalid", str(error), "$")

    async def _read_history(self, ask: ReadHistory, _who: Who) -> Answer:
        return yes(data=self._history.of(ask.charger, ask.connector))

    # -- the engineering ceiling ------------------------------------------------------------------

    def _sealed_ma(self) -> Phases | None:
        return None if self._ceiling is None else self._ceiling.limit.value

    def _ceiling_view(self) -> CeilingView:
        limit, site = self._sealed_ma(), self._store.settings.value.site.limit_ma.phases()
        seal = None if self._ceiling is None else self._ceiling.seal
        return CeilingView(
            limit_ma=limit, by=seal.by if seal else "", at=seal.at if seal else "",
            site_limit_ma=site, in_force_ma=site if limit is None else site.at_most(limit),
        )  # fmt: skip

    async def _read_ceiling(self, _ask: ReadCeiling, _who: Who) -> Answer:
        return yes(data=self._ceiling_view())

    async def _seal_ceiling(self, ask: SealCeiling, who: Who) -> Answer:
        if self._ceiling is None:
            return no("unknown", "There is nowhere to keep an engineering ceiling here")
        async with self.changing:
            new = ask.limit_ma.phases()
            settings = self._store.settings.value
            refused = breaks_at_sealing(settings, self._sealed_ma(), new, self._makes())
            if refused is not None:
                return refused
            await self._ceiling.put(ask.limit_ma, who, self._clock.stamp())
        self.stir()
        return yes(f"Sealed at {', '.join(map(amps, new))}", self._ceiling_view())

    async def _check_commissioning(self, _ask: CheckCommissioning, _who: Who) -> Answer:
        settings = self._store.settings.value
        return yes(data=check(settings, self._sealed_ma(), self._makes(), self._largest_step()))

    async def _read_walk(self, _ask: ReadWalk, _who: Who) -> Answer:
        return yes(data=walk_of(self._store.recall(KEPT)))

    async def _note_step(self, ask: NoteStep, who: Who) -> Answer:
        async with self.changing:
            walk = noted(walk_of(self._store.recall(KEPT)), ask, who, self._clock.stamp())
            if isinstance(walk, Answer):
                return walk
            await self._store.remember(KEPT, msgspec.json.encode(walk).decode())
        return yes(data=walk)

    def _look_at_lock(self) -> None:
        self.lock.set(lock_of(self._accounts, self._store.recall(RELEASED)))

    # -- snapshots -------------------------------------------------------------------------------

    def stir(self) -> None:
        """Something has changed that people wait to see: the next snapshot comes at once."""
        self._stirred.set()

    def look(self) -> Snapshot:
        """A new snapshot, for whoever asks and whoever watches."""
        self._seq += 1
        snapshot = build(
            self._seq,
            self._clock.stamp(),
            self._see(),
            released=self.lock.value.released,
            passwords_changed=" ".join((*(a.changed for a in self._accounts if a.changed),
                                        *self._clients_changed())),
        )
        data = msgspec.Raw(msgspec.json.encode(snapshot))
        self.pushed.set(msgspec.json.encode(Reply(0, Answer(ok=True, data=data))))
        self.snapshot.set(snapshot)
        return snapshot

    def _clients_changed(self) -> tuple[str, ...]:
        """Another word with each change of client certificates, of which sessions hang as well."""
        kept = self._store.recall(CLIENTS)
        return () if kept is None else (f"certificates {read_clients(kept).seq}",)

    async def publish(self) -> None:
        """A snapshot once a second and at once on news, at most four a second. Never ends."""
        async with trio.open_nursery() as nursery:
            for cell in self._stirs:
                nursery.start_soon(self._heed, cell)
            if self._plan is not None:
                nursery.start_soon(self._remember, self._plan)
            while True:
                self._stirred = trio.Event()
                made = trio.current_time()
                self.look()
                await trio.sleep(GAP_S)
                with trio.move_on_at(made + TICK_S):
                    await self._stirred.wait()

    async def _remember(self, plan: Cell[Plan]) -> None:
        """Every plan into the history of what was offered."""
        seq = -1
        while True:
            seq, made = await plan.wait_newer(seq)
            self._history.feed(made, self._clock.stamp())

    async def _heed(self, cell: Cell[Any]) -> None:
        seq = cell.seq
        while True:
            seq, _value = await cell.wait_newer(seq)
            self.stir()


# -- the socket --------------------------------------------------------------------------------


def open_desk(state: Path) -> trio.SocketListener:
    """The desk's socket in the state folder, for our own user alone."""
    return listen_unix(state / SOCKET)


async def serve_desk(
    listener: trio.abc.Listener[Any],
    desk: Desk,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Read the accounts, publish snapshots and serve clients until cancelled."""
    await desk.begin()
    desk.look()
    clients = 0

    async def serve(stream: trio.abc.Stream) -> None:
        nonlocal clients
        if clients >= CLIENTS_MAX:
            log.warning("client refused", cause=f"{CLIENTS_MAX} are here already")
            await trio.aclose_forcefully(stream)
            return
        clients += 1
        try:
            await contain("desk client", lambda: _Client(stream, desk).serve())
        finally:
            clients -= 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.publish)
        task_status.started()
        await trio.serve_listeners(serve, [listener], handler_nursery=nursery)


class _Client:
    """One process at the desk: its asks side by side, its snapshots, one writer."""

    def __init__(self, stream: trio.abc.Stream, desk: Desk) -> None:
        self._framed = Framed(stream)
        self._desk = desk
        self._asking = 0
        self._gone = False
        self._watched = False
        self._watching = trio.CancelScope()

    async def serve(self) -> None:
        """Until the client goes; what it has asked by then is still carried out."""
        try:
            async with trio.open_nursery() as nursery:
                await self._read(nursery)
                self._leave()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await self._framed.aclose()

    def _leave(self) -> None:
        self._gone = True
        self._watching.cancel()

    async def _read(self, nursery: trio.Nursery) -> None:
        while True:
            try:
                frame = await self._framed.read()
                if frame is None:
                    return
                envelope = msgspec.json.decode(frame, type=Envelope)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            except (FrameTooLong, msgspec.DecodeError, RecursionError) as error:
                log.warning("client dropped", cause=str(error), action="connection closed")
                return
            if isinstance(envelope.ask, Watch) and not self._watched:
                self._watched = True
                nursery.start_soon(self._watch, envelope)
            elif self._asking >= ASKS_MAX and not isinstance(envelope.ask, SetEmergencyStop):
                await self._write(_reply(envelope, no("refused", "Too many asks at once")))
            else:
                self._asking += 1
                nursery.start_soon(self._answer, envelope)

    async def _answer(self, envelope: Envelope) -> None:
        try:
            answer = await self._desk.ask(envelope.ask, envelope.who, envelope.within_s)
        finally:
            self._asking -= 1
        await self._write(_reply(envelope, answer))

    async def _watch(self, envelope: Envelope) -> None:
        refused = refusal(envelope.ask, envelope.who, self._desk.lock.value, ())
        await self._write(_reply(envelope, refused or yes()))
        seq = -1
        with self._watching:
            while refused is None and not self._gone:
                seq, frame = await self._desk.pushed.wait_newer(seq)
                await self._write(frame)

    async def _write(self, frame: bytes) -> None:
        """Send, or end this client: what does not read within the limit is gone."""
        if self._gone:
            return
        with trio.move_on_after(WRITE_S) as limit:
            try:
                await self._framed.write(frame)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._leave()
        if limit.cancelled_caught and not self._gone:
            log.warning("client dropped", cause=f"has not read for {WRITE_S:g} s")
            self._leave()
            await self._framed.abort()


def _reply(envelope: Envelope, answer: Answer) -> bytes:
    return msgspec.json.encode(Reply(envelope.id, answer))
