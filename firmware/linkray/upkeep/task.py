"""Factory reset at work: the marker, the reboot, and the wipe at the next start; the OCPP log and
the history of faults on disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog
import trio

from linkray.hal.board import System
from linkray.hal.files import sync_folder, write_synced
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.model.asks import Who
from linkray.model.faults import Fault
from linkray.model.views import Frame
from linkray.store.db import Store, StoreError
from linkray.store.runner import Runner

from .alerts import AlertBook
from .ocpplog import FILES, FrameLog, packed, unpacked
from .reset import MARKER, WHAT, Marker, marker_of, to_wipe

FRAMES_EVERY_S = 300.0  # so much of the OCPP log at its end a crash may take
FRAMES_BYTES_A_DAY = 20 * 2**20  # of the 200 MiB of records.md, Storage
ROUND_BYTES = 16 * 1024  # what a file system writes besides, each time …
BLOCK_BYTES = 4 * 1024  # … and for each file
FRAMES_SAVED_S = 5.0  # at the end of the process
ALERTS_EVERY_S = 10.0  # what has changed goes down together, with the store's next commit

log = structlog.get_logger(source="UPKEEP")


async def factory_reset(
    store: Store, state: Path, system: System, who: Who, clock: WallClock
) -> None:
    """Audit line, marker, reboot; the next start does the rest. Raises `OSError`.

    A disk that takes no audit line does not stop it: the reset is what may cure that disk, and the
    line that begins the new log says who asked.
    """
    try:
        await store.audit(who, WHAT)
    except StoreError as error:
        log.warning("no audit line before the reset", cause=str(error), action="reset goes on")
    write_synced(state / MARKER, msgspec.json.encode(Marker(who, clock.stamp())))
    log.info("factory reset", peer=who.name, action="restarting")
    system.reboot()


async def finish_reset(
    state: Path,
    keeps: frozenset[str],
    open_store: Callable[[], Awaitable[Store]],
    step: Callable[[str], None] = lambda _done: None,
) -> bool:
    """Finish a reset that the marker asks for; False where there is none.

    Called at every start before the store is opened. `step` hears of every step done.
    """
    try:
        words = (state / MARKER).read_bytes()
    except FileNotFoundError:
        return False
    marker = marker_of(words)
    for name in to_wipe(names_in(state), keeps):
        wipe(state / name)
        step(f"wiped {name}")
    sync_folder(state)
    step("synced")
    store = await open_store()
    try:
        step("opened")
        await store.audit(marker.who, WHAT, new=f"asked for at {marker.at}")
        step("recorded")
    finally:
        await store.close()
    (state / MARKER).unlink()
    sync_folder(state)
    log.info("factory reset done", peer=marker.who.name)
    return True


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def wipe(path: Path) -> None:
    """Delete a file, a folder or a link; never what a link points at."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


async def follow_alerts(
    book: AlertBook, faults: Cell[tuple[Fault, ...]], store: Store, clock: WallClock
) -> None:
    """Every change of the faults into the history, and that to the store. Never ends."""

    async def heed() -> None:
        seq = -1
        while True:
            seq, raised = await faults.wait_newer(seq)
            book.feed(raised, clock.utc())

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heed)
            while True:
                await trio.sleep(ALERTS_EVERY_S)
                book.feed(faults.value, clock.utc())  # what a restart found open and is over
                store.later(book.unsaved())
    finally:
        store.later(book.unsaved())  # the store writes what it holds when it is closed


class FramesKept:
    """The OCPP log in files, as far as the writes of a day go: what a restart leaves of it.

    An end in order keeps all; a crash takes the last minutes. Where 32 chargers say more than there
    are writes for, the older frames of each five minutes are not kept. Goes first where the storage
    is in trouble (trust.md P4): `may_write`.
    """

    def __init__(
        self, frames: FrameLog, folder: Path, runner: Runner, may_write: Callable[[], bool]
    ) -> None:
        self._frames = frames
        self._folder = folder
        self._runner = runner
        self._may_write = may_write
        self._allowance = 0.0  # bytes

    async def load(self) -> None:
        """What the process before has kept; before anything is added."""
        try:
            self._frames.load(await self._runner.run(self._read))
        except OSError as error:
            log.warning("OCPP log not read", cause=str(error), action="begun anew")

    async def run(self) -> None:
        """Every five minutes. Never ends."""
        while True:
            await trio.sleep(FRAMES_EVERY_S)
            a_round = FRAMES_BYTES_A_DAY * FRAMES_EVERY_S / 86_400
            self._allowance = min(self._allowance + a_round, 4 * a_round)
            await self._save(int(self._allowance))

    async def save(self) -> None:
        """All that is not on disk yet, at the end."""
        with trio.move_on_after(FRAMES_SAVED_S, shield=True):
            await self._save(None)

    async def _save(self, most: int | None) -> None:
        parts, firsts = self._frames.unsaved(), self._frames.firsts
        may_write = self._may_write()
        try:
            if may_write:
                self._allowance -= await self._runner.run(lambda: self._write(parts, firsts, most))
            else:
                await self._runner.run(lambda: wipe(self._folder))
        except OSError as error:
            log.warning("OCPP log not kept", cause=str(error))
        if parts and may_write:
            self._frames.saved(parts[-1][1][-1].number)

    # -- in the runner's thread ------------------------------------------------------------------

    def _stored(self) -> list[Path]:
        return sorted(self._folder.glob("*.xz"))

    def _file(self, first: int) -> Path:
        return self._folder / f"{first:015d}.xz"

    def _read(self) -> list[list[Frame]]:
        found: list[list[Frame]] = []
        for path in self._stored()[-FILES:]:
            frames, is_whole = unpacked(path.read_bytes())
            if not frames:
                path.unlink()
                continue
            if not is_whole:  # what is put behind a torn end could not be read
                write_synced(path, packed(frames))
            path.rename(self._file(frames[0].number))  # there was no room for those before it
            found.append(frames)
        return found

    def _write(
        self, parts: list[tuple[int, tuple[Frame, ...]]], firsts: frozenset[int], most: int | None
    ) -> int:
        """The newest of them that `most` bytes have room for; how many were written."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path in self._stored():
            if path.stem not in {self._file(first).stem for first in firsts}:
                path.unlink()
        written = ROUND_BYTES
        for first, frames in reversed(parts):  # the newest first: there may be no room for all
            room = None if most is None else most - written - BLOCK_BYTES
            words = fitted(frames, room)
            if words:
                written += len(words) + BLOCK_BYTES
                _append(self._file(first), words)
        return written if written > ROUND_BYTES else 0


def fitted(frames: tuple[Frame, ...], room: int | None) -> bytes:
    """The newest of these frames, packed, that so many bytes have room for; None: all."""
    words = packed(frames)
    while room is not None and frames and len(words) > room:
        kept = len(frames) * max(room, 0) * 9 // (len(words) * 10)
        frames = frames[len(frames) - kept :]
        words = packed(frames)
    return words if frames else b""


def _append(path: Path, words: bytes) -> None:
    """Not synced: what a power cut takes of it, it takes from the end."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write(words)
