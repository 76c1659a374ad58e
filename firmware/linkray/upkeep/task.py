"""Factory reset at work: the marker, the reboot, and the wipe at the next start."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from linkray.hal.board import System
from linkray.hal.files import sync_folder, write_synced
from linkray.kit.clock import WallClock
from linkray.model.asks import Who
from linkray.store.db import Store, StoreError

from .reset import MARKER, WHAT, Marker, marker_of, to_wipe

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
