"""Opening what can be opened: lock, health, migrations, copies, setting aside.

A database that does not open is kept, dated, in `set-aside/`; the newest good copy takes its place
(records.md, Storage). That is one step to whoever cuts the power: what takes the place is made
ready under another name first, with all that it must know, and that name says what is to be done.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import apsw
import msgspec

from linkray.kit.clock import stamp

from . import deliveries
from .disk import BadDatabase, Disk, StoreError, is_unreadable, shipped_migrations
from .files import REAL, Files
from .reserve import Reserve
from .salvage import queue, salvaged, sendings

COPIES = "copies"  # one a day, and one before every migration
SET_ASIDE = "set-aside"
COPIES_KEPT = 7
SET_ASIDE_KEPT = 3
IDS_JUMP = 10_000  # more transactions than any site begins between two copies
IDS_EPOCH = datetime.fromisoformat("2024-01-01T00:00:00+00:00")
UNUSABLE = (BadDatabase, apsw.CorruptError, apsw.NotADBError, apsw.SQLError)


class Opened(msgspec.Struct, frozen=True):
    """How the opening went. `missing` in words, None where all is there."""

    missing: str | None = None
    set_aside: Path | None = None
    taken: Path | None = None
    is_checked: bool = True  # every page was looked at


class LockedDisk(Disk):
    """A disk that nobody else writes; the lock goes with the process that dies."""

    def __init__(self, path: Path, files: Files, lock: int) -> None:
        self._lock: int | None = lock
        super().__init__(path, files)

    def close(self) -> None:
        super().close()
        if self._lock is not None:
            self.files.unlock(self._lock)
            self._lock = None


def open_good(
    path: Path | str,
    at: str,
    files: Files = REAL,
    migrations: dict[int, str] | None = None,
) -> tuple[Disk, Opened]:
    """A database that is whole and of this version, whatever it takes."""
    steps = shipped_migrations() if migrations is None else migrations
    if str(path) == ":memory:":
        memory = Disk(None)
        memory.migrate(steps)
        memory.make_first(at)
        return memory, Opened()
    file = Path(path)
    lock = _lock(file, files)
    try:
        try:
            return _open_or_replace(file, at, files, steps, lock)
        except (apsw.FullError, apsw.IOError, OSError):
            if not Reserve(file, files).spend():  # full: it is for this, too
                raise
            return _open_or_replace(file, at, files, steps, lock)
    except (BadDatabase, apsw.Error, OSError) as error:
        files.unlock(lock)
        raise StoreError(f"expected a database at {file}, got: {error}") from error


def _lock(file: Path, files: Files) -> int:
    try:
        return files.lock(Path(f"{file}.lock"))
    except BlockingIOError as error:
        raise StoreError(f"another LinkRay is running on {file.parent}") from error
    except OSError as error:
        raise StoreError(f"expected a folder that can be written at {file.parent}: {error}") from (
            error
        )


def _open_or_replace(
    file: Path, at: str, files: Files, steps: dict[int, str], lock: int
) -> tuple[Disk, Opened]:
    aside = _finish_replacement(file, files)
    taken = None
    if aside is None:
        try:
            disk, is_checked = _open(file, at, files, steps, lock)
            return disk, Opened(is_checked=is_checked)
        except UNUSABLE as error:
            why = str(error)
        except apsw.IOError as error:
            if not is_unreadable(error):
                raise
            why = str(error)
        taken = _prepare_replacement(file, at, why, files, steps)
        aside = _finish_replacement(file, files)
    disk, is_checked = _open(file, at, files, steps, lock)
    kept = aside if aside is not None and files.exists(aside) else None
    return disk, Opened(disk.replaced(), kept, taken, is_checked)


def _open(
    file: Path, at: str, files: Files, steps: dict[int, str], lock: int
) -> tuple[Disk, bool]:
    """The database, and whether every page of it was looked at."""
    had_one = _had_one(file, files)
    if not files.exists(file):
        if had_one:
            raise BadDatabase("it is gone")
        files.make(file)
        files.sync(file.parent)
    disk, is_checked = LockedDisk(file, files, lock), True
    with ExitStack() as unless_good:
        unless_good.callback(disk.abandon)
        version = disk.version()
        newest = max(steps, default=0)
        if version > 0:
            is_checked = disk.check_in_time(newest)
        elif had_one:
            raise BadDatabase("it is empty")
        if 0 < version < newest:
            make_copy(disk, file, f"before-{version + 1:04d}-{at[:10]}")
        disk.migrate(steps)
        disk.make_first(at)
        disk.settings()
        if is_checked:
            with suppress(OSError):  # it is looked through once more
                disk.leave_no_doubt()
        unless_good.pop_all()
    return disk, is_checked


def _had_one(file: Path, files: Files) -> bool:
    """Whether there was a database before: then an empty one is no first start."""
    pattern = f"{file.stem}-*{file.suffix}"
    return any(files.found(file.parent / folder, pattern) for folder in (COPIES, SET_ASIDE))


# -- one database in another's place ---------------------------------------------------------------


def _prepare_replacement(
    file: Path, at: str, why: str, files: Files, steps: dict[int, str]
) -> Path | None:
    """Make ready what takes the place of a database that does not open; what it was made of.

    Under its name it is whole, and knows that no transaction id since its copy is free.
    """
    part = file.with_name(f"{file.name}.part")
    taken, disk, why = None, None, " ".join(why.split())
    words = f"the database did not open ({why}) and there is no copy; it begins empty"
    for copy, made_s in _by_age(file, files):
        _remove(part, files)
        files.copy(copy, part)
        try:
            disk = _ready(part, at, files, steps)
        except UNUSABLE:
            continue
        taken, made = copy, stamp(datetime.fromtimestamp(made_s, UTC))
        words = f"the database did not open ({why}); what was written after {made} is missing"
        break
    if disk is None:
        _remove(part, files)
        disk = _ready(part, at, files, steps)
    saved = disk.take(
        salvaged(file, files, disk.last_transaction_id(), [run.id for run in disk.running()])
    )
    known = disk.outbox(deliveries.last)
    unsent = [one.id for one in disk.outbox(deliveries.open_ones)]
    sent = sendings(file, files, known, unsent, disk.outbox(deliveries.undelivered))
    disk.outbox(lambda db: deliveries.take_found(db, sent, known))
    disk.take_queue(queue(file, files, disk.queued()))
    if saved:
        words = f"{words}, but for {saved} transactions that could be read"
    disk.begin_again(why, words, _ids_after(disk, at), at)
    disk.close_whole()
    files.sync(part)
    files.rename(part, file.with_name(f"{file.name}.next-{at.replace(':', '')}"))
    files.sync(file.parent)
    return taken


def _ready(part: Path, at: str, files: Files, steps: dict[int, str]) -> Disk:
    files.make(part)
    disk = Disk(part, files)
    with ExitStack() as unless_good:
        unless_good.callback(disk.abandon)
        if disk.version() > 0:
            disk.check(max(steps, default=0))
        disk.migrate(steps)
        disk.make_first(at)
        unless_good.pop_all()
    return disk


def _finish_replacement(file: Path, files: Files) -> Path | None:
    """Put what is ready in its place, the old one aside; where that went. None: nothing waits.

    Cut at any moment it is simply done again.
    """
    waiting = [path for path, _at in files.found(file.parent, f"{file.name}.next-*")]
    if not waiting:
        return None
    ready = waiting[-1]
    aside = set_aside(file, ready.name.removeprefix(f"{file.name}.next-"), files)
    files.rename(ready, file)
    files.sync(file.parent)
    return aside


def _ids_after(disk: Disk, at: str) -> int:
    """Above every id that may have been given since the copy: minutes since 2024 grow faster."""
    minutes = int((datetime.fromisoformat(at) - IDS_EPOCH).total_seconds() // 60)
    return max(disk.last_transaction_id() + IDS_JUMP, minutes)


def set_aside(file: Path, dated: str, files: Files = REAL) -> Path:
    """Move the file and its log away; the oldest of those before are let go."""
    folder = file.parent / SET_ASIDE
    files.make_folder(folder)
    aside = folder / f"{file.stem}-{dated}{file.suffix}"
    for tail in ("", "-wal"):
        if files.exists(Path(f"{file}{tail}")):
            files.rename(Path(f"{file}{tail}"), Path(f"{aside}{tail}"))
    files.remove(Path(f"{file}-shm"))
    files.sync(folder)
    files.sync(file.parent)
    old = files.found(folder, f"{file.stem}-*{file.suffix}")[:-SET_ASIDE_KEPT]
    for path, _at in old:
        _remove(path, files)
    return aside


def let_go(file: Path, files: Files) -> list[Path]:
    """Make room: every database that was set aside goes, and every copy but the newest."""
    aside = files.found(file.parent / SET_ASIDE, f"{file.stem}-*{file.suffix}")
    gone = [*(path for path, _at in aside), *copies(file, files)[1:]]
    for path in gone:
        _remove(path, files)
    return gone


# -- copies ----------------------------------------------------------------------------------------


def copies(file: Path, files: Files = REAL) -> list[Path]:
    """Copies of the database, newest first."""
    return [path for path, _made_s in _by_age(file, files)]


def _by_age(file: Path, files: Files) -> list[tuple[Path, float]]:
    """Copies and when they were made, newest first."""
    found = files.found(file.parent / COPIES, f"{file.stem}-*{file.suffix}")
    return sorted(found, key=lambda copy: (copy[1], copy[0]), reverse=True)


def make_daily_copy(disk: Disk, file: Path, day: str) -> Path | None:
    """The day's copy, unless it is there already; seven are kept."""
    if disk.files.exists(file.parent / COPIES / f"{file.stem}-{day}{file.suffix}"):
        return None
    try:
        made = make_copy(disk, file, day)
        for old in copies(file, disk.files)[COPIES_KEPT:]:
            disk.files.remove(old)
    except OSError as error:
        raise StoreError(f"no copy of the database could be made: {error}") from error
    return made


def make_copy(disk: Disk, file: Path, name: str) -> Path:
    """A copy under its name only when it is whole and synced."""
    files, folder = disk.files, file.parent / COPIES
    files.make_folder(folder)
    copy = folder / f"{file.stem}-{name}{file.suffix}"
    part = Path(f"{copy}.part")
    files.remove(part)
    with ExitStack() as unless_whole:
        unless_whole.callback(files.remove, part)  # half a copy would only take room
        files.make(part)  # for its owner alone
        disk.copy_to(part)
        files.sync(part)
        unless_whole.pop_all()
    files.rename(part, copy)
    files.sync(folder)
    return copy


def _remove(file: Path, files: Files) -> None:
    for tail in ("-wal", "-shm", ""):
        files.remove(Path(f"{file}{tail}"))
