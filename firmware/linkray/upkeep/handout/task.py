"""Charger firmware and diagnostics at work: files in the state folder, tokens, what chargers are
told, how it goes (chargers.md, Charger firmware).

Faces writes what comes and reads what goes; control decides both. Nothing is kept by halves: a file
is checked, synced and renamed, or it is gone.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import structlog
import trio

from linkray.hal.files import sync_folder
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.kit.log import plain
from linkray.kit.secret import fresh
from linkray.model.asks import (
    Answer,
    AskDiagnostics,
    DeleteFirmware,
    GetDiagnostics,
    KeepDiagnostics,
    KeepFirmware,
    OpenDiagnostics,
    OpenHanded,
    ReadDiagnostics,
    ReadFirmware,
    TellFirmware,
    UpdateFirmware,
    Who,
)
from linkray.model.handed import FILE_BYTES_MAX, LEFT_BYTES_MAX, PART, PATH
from linkray.model.views import (
    ChargerView,
    FirmwareFile,
    FirmwareShelf,
    Handed,
)
from linkray.store.db import FREE_SHARE_MIN, StoreError
from linkray.store.files import REAL, Files
from linkray.store.runner import Runner

from .books import FILES_MAX, NAME_CHARS_MAX, Grant, Handouts, Kept, read_books

BOOKS = "charger_files"  # what the store remembers of it
KEEP_FREE_BYTES = 64 * 1024 * 1024  # beside the share: a copy of the database and its log
LEFT_IN_THE_WAY_S = 3600.0  # what faces began to write and did not finish is cleared after
CHUNK_BYTES = 256 * 1024
ANSWER_S = 30.0

log = structlog.get_logger(source="FILES")


class Remembers(Protocol):
    """What this needs of the store."""

    async def remember(self, key: str, value: str) -> None: ...
    def recall(self, key: str) -> str | None: ...
    async def audit(self, who: Who, what: str, old: str = "", new: str = "") -> None: ...
    @property
    def has_room(self) -> bool: ...


class Chargers(Protocol):
    """What this needs of the chargers' room."""

    async def ask(
        self, charger: str, ask: TellFirmware | AskDiagnostics, within_s: float
    ) -> Answer: ...
    def here(self, charger: str) -> str: ...
    def may_pass(self, charger: str) -> bool: ...


class ChargerFiles:
    """The files, the tokens and the updates; `views` is what is shown of every charger."""

    def __init__(
        self, folder: Path, store: Remembers, chargers: Callable[[], Chargers],
        views: Mapping[str, Cell[ChargerView]], clock: WallClock, runner: Runner,
        *, files: Files = REAL,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._store = store
        self._chargers = chargers
        self._views = views
        self._clock = clock
        self._runner = runner
        self._disk = files
        self.handouts = Handouts(read_books(store.recall(BOOKS)))
        self._news = trio.Event()
        self._changing = trio.Lock()

    def answerers(self) -> dict[type, Callable[..., Awaitable[Answer]]]:
        """What of the asks is answered here."""
        return {
            ReadFirmware: self._read, KeepFirmware: self._keep, DeleteFirmware: self._delete,
            UpdateFirmware: self._update, GetDiagnostics: self._get_diagnostics,
            ReadDiagnostics: self._read_diagnostics, OpenHanded: self._open,
            KeepDiagnostics: self._came, OpenDiagnostics: self._open_diagnostics,
        }  # fmt: skip

    async def run(self) -> None:
        """Clear what was left half, then keep the books as they change. Never ends."""
        await self._runner.run(self._tidy)
        while True:
            await self._news.wait()
            self._news = trio.Event()
            try:
                await self._save()
            except StoreError as error:
                log.warning("progress not kept", cause=str(error))

    def progressed(self, charger: str, about: str, status: str) -> None:
        """A charger says how it goes, without waiting."""
        at, now = self._clock.stamp(), self._clock.utc()
        ours = (
            self.handouts.goes(charger, status, at, now)
            if about == "firmware"
            else self.handouts.uploads(charger, status, at)
        )
        if ours:
            log.info("a charger tells", peer=charger, about=about, state=status)
            self._news.set()

    async def _save(self) -> None:
        await self._store.remember(BOOKS, msgspec.json.encode(self.handouts.books).decode())

    # -- files -----------------------------------------------------------------------------------

    def _room_bytes(self) -> int:
        """How many bytes the disk takes here and keeps its share free (records.md, Storage)."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        free, total = self._disk.free(self._folder)
        return max(0, int(free - total * FREE_SHARE_MIN) - KEEP_FREE_BYTES)

    def _tidy(self) -> None:
        """What nobody knows of is cleared; what is known and gone is forgotten."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        books = self.handouts.books
        books.files = [one for one in books.files if (self._folder / one.stored).is_file()]
        books.left = {
            name: one for name, one in books.left.items()
            if not one.stored or (self._folder / one.stored).is_file()
        }  # fmt: skip
        known = {one.stored for one in books.files} | {one.stored for one in books.left.values()}
        now = self._clock.utc().timestamp()
        for path in self._folder.iterdir():
            is_coming = PART.match(path.name) and now - path.lstat().st_mtime < LEFT_IN_THE_WAY_S
            if path.name not in known and not is_coming:
                path.unlink(missing_ok=True)

    async def _shelf(self, text: str = "") -> Answer:
        room = await self._runner.run(self._room_bytes)
        versions = {name: cell.value.firmware for name, cell in self._views.items()}
        shelf = FirmwareShelf(
            tuple(one.file for one in self.handouts.books.files),
            self.handouts.shown(versions, self._clock.utc()),
            FILES_MAX, min(FILE_BYTES_MAX, room if self._store.has_room else 0),
        )  # fmt: skip
        return _yes(text, shelf)

    async def _read(self, _ask: ReadFirmware, _who: Who) -> Answer:
        return await self._shelf()

    async def _keep(self, ask: KeepFirmware, who: Who) -> Answer:
        if not PART.match(ask.part):
            return _no("invalid", "Expected a file that faces has just written", "$.part")
        async with self._changing:
            part, stored = self._folder / ask.part, _name("firmware")
            why = self.handouts.takes(ask.name)
            size, digest = await self._runner.run(lambda: _looked_into(part))
            if why is None and not 1 <= size <= FILE_BYTES_MAX:
                why = f"Expected 1 to {FILE_BYTES_MAX} bytes, got {size}"
            if why is None and not await self._runner.run(self._room_bytes):
                why = "The disk has no room for it: its share for charging stays free"
            if why is not None:
                await self._runner.run(lambda: part.unlink(missing_ok=True))
                return _no("refused", why, "$.name")
            await self._store.audit(who, "charger firmware kept", new=f"{ask.name} {digest}")
            await self._runner.run(lambda: _placed(part, self._folder / stored))
            file = FirmwareFile(ask.name, size, digest, self._clock.stamp(), who.name)
            self.handouts.keep(stored, file)
            await self._save()
        return await self._shelf(f"{ask.name} is held")

    async def _delete(self, ask: DeleteFirmware, who: Who) -> Answer:
        async with self._changing:
            if self.handouts.find(ask.name) is None:
                return _no("unknown", f"Expected a file that is held, got {ask.name!r}")
            charger = self.handouts.in_use(ask.name, self._clock.utc())
            if charger is not None:
                return _no("refused", f"{charger} is fetching it: wait until its update has ended")
            await self._store.audit(who, "charger firmware deleted", old=ask.name)
            stored = self._folder / self.handouts.drop(ask.name)
            await self._save()
            await self._runner.run(lambda: stored.unlink(missing_ok=True))
        return await self._shelf(f"{ask.name} is deleted")

    # -- updates ---------------------------------------------------------------------------------

    async def _update(self, ask: UpdateFirmware, who: Who) -> Answer:
        kept = self.handouts.find(ask.name)
        if kept is None:
            return _no("unknown", f"Expected a file that is held, got {ask.name!r}", "$.name")
        chargers = tuple(dict.fromkeys(ask.chargers))
        if not chargers:
            return _no("invalid", "Expected at least one charger, got none", "$.chargers")
        unknown = [name for name in chargers if name not in self._views]
        if unknown:
            return _no("unknown", f"Expected known chargers, got {', '.join(unknown)}")
        await self._store.audit(
            who, "charger firmware update", new=f"{ask.name} for {', '.join(chargers)}"
        )
        async with trio.open_nursery() as nursery:
            for charger in chargers:
                nursery.start_soon(self._update_one, charger, kept, ask)
        await self._save()
        updates = self.handouts.books.updates
        out = sum(updates[one].state in ("left_out", "refused") for one in chargers)
        told = len(chargers) - out
        more = f", {out} left out" if out else ""
        return await self._shelf(f"{told} charger{'' if told == 1 else 's'} told{more}")

    async def _update_one(self, charger: str, kept: Kept, ask: UpdateFirmware) -> None:
        """Told by a URL of its own, or left out with the reason; nothing is tried again."""
        name, before = kept.file.name, self._views[charger].value.firmware
        why = self._left_out(charger)
        if why is not None:
            if not self.handouts.is_updating(charger, self._clock.utc()):
                self.handouts.note(charger, name, "left_out", self._clock.stamp(), text=why,
                                   before=before)  # fmt: skip
            return
        where = self._granted(charger, ask.host, ask.port, kept.stored)
        self.handouts.note(charger, name, "sent", self._clock.stamp(), before=before)
        told = TellFirmware(charger, f"{where}/{name}", self._clock.stamp())
        answer = await self._chargers().ask(charger, told, ANSWER_S)
        if not answer.ok:
            self.handouts.end(charger, diagnostics=False, now=self._clock.utc())
            self.handouts.note(charger, name, "refused", self._clock.stamp(), text=answer.text,
                               before=before)  # fmt: skip

    def _left_out(self, charger: str) -> str | None:
        """Why a charger gets no update now (chargers.md; trust.md U8)."""
        view = self._views[charger].value
        if not view.connected:
            return "it is not connected"
        if any(one.transaction_id is not None for one in view.connectors):
            return "it is charging"
        if not self._chargers().may_pass(charger):
            return "it waits to be adopted, or has no place under the licence"
        if self.handouts.is_updating(charger, self._clock.utc()):
            return "an update of it is under way"
        return None

    def _granted(self, charger: str, host: str, port: int, stored: str = "") -> str:
        """A new URL for this charger alone, up to its token."""
        token = base64.urlsafe_b64encode(fresh()).decode().rstrip("=")
        address = self._views[charger].value.address
        self.handouts.grant(charger, token, address, self._clock.utc(), stored)
        here = self._chargers().here(charger) or host
        shown = f"[{here}]" if ":" in here else here
        return f"http://{shown}{'' if port == 80 else f':{port}'}{PATH}{token}"

    # -- diagnostics -----------------------------------------------------------------------------

    async def _get_diagnostics(self, ask: GetDiagnostics, who: Who) -> Answer:
        view = self._views.get(ask.charger)
        if view is None or not view.value.connected:
            return _no("unknown", f"{ask.charger} is not connected")
        await self._store.audit(who, "diagnostics of a charger asked for", new=ask.charger)
        where = self._granted(ask.charger, ask.host, ask.port)
        old = self.handouts.asked(ask.charger, self._clock.stamp())
        if old:
            await self._runner.run(lambda: (self._folder / old).unlink(missing_ok=True))
        answer = await self._chargers().ask(
            ask.charger, AskDiagnostics(ask.charger, f"{where}/"), ANSWER_S
        )
        if not answer.ok:
            self.handouts.end(ask.charger, diagnostics=True, now=self._clock.utc())
        await self._save()
        return answer

    async def _read_diagnostics(self, _ask: ReadDiagnostics, _who: Who) -> Answer:
        await trio.lowlevel.checkpoint()
        return _yes("", self.handouts.diagnostics(self._clock.utc()))

    async def _came(self, ask: KeepDiagnostics, _who: Who) -> Answer:
        grant = self._grant(ask.token, ask.source)
        if grant is None or grant.stored or not PART.match(ask.part):
            return _no("unknown", "Nothing is asked for here")
        async with self._changing:
            part, stored = self._folder / ask.part, _name("diagnostics")
            size, _digest = await self._runner.run(lambda: _looked_into(part))
            if not 1 <= size <= LEFT_BYTES_MAX:
                await self._runner.run(lambda: part.unlink(missing_ok=True))
                return _no("refused", f"Expected 1 to {LEFT_BYTES_MAX} bytes, got {size}")
            await self._runner.run(lambda: _placed(part, self._folder / stored))
            name, at = plain(ask.name)[:NAME_CHARS_MAX], self._clock.stamp()
            old = self.handouts.came(grant.charger, stored, size, name, at)
            self.handouts.end(grant.charger, diagnostics=True, now=self._clock.utc())
            await self._save()
            if old:
                await self._runner.run(lambda: (self._folder / old).unlink(missing_ok=True))
        return _yes("Kept")

    async def _open_diagnostics(self, ask: OpenDiagnostics, _who: Who) -> Answer:
        await trio.lowlevel.checkpoint()
        left = self.handouts.books.left.get(ask.charger)
        if left is None or not left.stored:
            return _no("unknown", f"{ask.charger} has left no diagnostics")
        return _yes("", Handed(left.stored, left.view.name, left.view.size_bytes))

    # -- tokens ----------------------------------------------------------------------------------

    def _grant(self, token: str, source: str) -> Grant | None:
        charger = self.handouts.charger_of(token)
        view = self._views.get(charger)
        here = view.value.address if view is not None and view.value.connected else ""
        return self.handouts.open(token, source, here, self._clock.utc())

    async def _open(self, ask: OpenHanded, _who: Who) -> Answer:
        grant = self._grant(ask.token, ask.source)
        if grant is None:
            log.warning("charger file refused", peer=ask.source,
                        cause="no token of ours for this address")  # fmt: skip
            return _no("unknown", "There is nothing here")
        if not grant.stored:
            room = await self._runner.run(self._room_bytes)
            return _yes("", Handed("", bytes_max=min(LEFT_BYTES_MAX, room)))
        kept = next((k for k in self.handouts.books.files if k.stored == grant.stored), None)
        if kept is None:
            return _no("unknown", "There is nothing here")
        if self.handouts.goes(grant.charger, "fetched", self._clock.stamp(), self._clock.utc()):
            self._news.set()
        return _yes("", Handed(kept.stored, kept.file.name, kept.file.size_bytes))


def _name(kind: str) -> str:
    """A name of our own: what a person or a charger calls a file names nothing on our disk."""
    return f"{kind}-{fresh()[:8].hex()}"


def _looked_into(part: Path) -> tuple[int, str]:
    """Size and SHA-256 of what faces has written; 0 where there is no such plain file."""
    if part.is_symlink() or not part.is_file():
        return 0, ""
    digest, size = hashlib.sha256(), 0
    with part.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _placed(part: Path, target: Path) -> None:
    """Synced, then renamed in one step."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    sync_folder(target.parent)


def _yes(text: str, data: object = None) -> Answer:
    return Answer(True, text=text, data=msgspec.Raw(msgspec.json.encode(data)))


def _no(code: str, text: str, path: str | None = None) -> Answer:
    data = msgspec.Raw(msgspec.json.encode({"path": path} if path else None))
    return Answer(False, code, text, data)
