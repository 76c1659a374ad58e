"""Opening what can be opened: lock, health, migrations, copies, setting aside.

A database that does not open is kept, dated, in `set-aside/`; the newest good copy takes its place
(records.md, Storage).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import apsw
import msgspec

from linkray.kit.clock import stamp

from .disk import BadDatabase, Disk, StoreError, shipped_migrations

COPIES = "copies"  # one a day, and one before every migration
SET_ASIDE = "set-aside"
COPIES_KEPT = 7
SET_ASIDE_KEPT = 3
IDS_JUMP = 10_000  # more transactions than any site begins between two copies
IDS_EPOCH = datetime.fromisoformat("2024-01-01T00:00:00+00:00")


class Opened(msgspec.Struct, frozen=True):
    """How the opening went. `missing` in words, None where all is there."""

    missing: str | None = None
    set_aside: Path | None = None
    taken: Path | None = None
    ids_from: int = 0  # transaction ids start above: those since the copy may have been given


class LockedDisk(Disk):
    """A disk that nobody else writes; the lock goes with the process that dies."""

    def __init__(self, path: Path | None, vfs: str = "", lock: int | None = None) -> None:
        self._lock = lock
        super().__init__(path, vfs)

    def close(self) -> None:
        super().close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_good(
    path: Path | str,
    at: str,
    vfs: str = "",
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
    try:
        lock = _lock(file)
    except OSError as error:
        raise StoreError(f"expected a folder that can be written at {file.parent}: {error}") from (
            error
        )
    try:
        return _open_or_replace(file, at, vfs, steps, lock)
    except (apsw.Error, OSError) as error:
        os.close(lock)
        raise StoreError(f"expected a database at {file}, got: {error}") from error


def _open_or_replace(
    file: Path, at: str, vfs: str, steps: dict[int, str], lock: int
) -> tuple[Disk, Opened]:
    try:
        return _open(file, at, vfs, steps, lock), Opened()
    except (BadDatabase, apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        why = str(error)
    aside = set_aside(file, at)
    for copy in copies(file):
        shutil.copyfile(copy, file)
        _sync(file)
        try:
            disk = _open(file, at, vfs, steps, lock)
        except (BadDatabase, apsw.CorruptError, apsw.NotADBError, apsw.SQLError):
            _remove(file)
            continue
        made = stamp(datetime.fromtimestamp(copy.stat().st_mtime, UTC))
        words = f"the database did not open ({why}); what was written after {made} is missing"
        return disk, Opened(words, aside, copy, _ids_after(disk, at))
    disk = _open(file, at, vfs, steps, lock)
    words = f"the database did not open ({why}) and there is no copy; it begins empty"
    return disk, Opened(words, aside, None, _ids_after(disk, at))


def _open(file: Path, at: str, vfs: str, steps: dict[int, str], lock: int) -> Disk:
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    disk = LockedDisk(file, vfs, lock)
    with ExitStack() as unless_good:
        unless_good.callback(disk.abandon)
        version = disk.version()
        newest = max(steps, default=0)
        if version > 0:
            disk.check(newest)
        if 0 < version < newest:
            make_copy(disk, file, f"before-{version + 1:04d}-{at[:10]}")
        disk.migrate(steps)
        disk.make_first(at)
        disk.settings()
        unless_good.pop_all()
    return disk


def _lock(file: Path) -> int:
    lock = os.open(f"{file}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreError(f"another LinkRay is running on {file.parent}") from error
    return lock


def _ids_after(disk: Disk, at: str) -> int:
    """Above every id that may have been given since the copy: minutes since 2024 grow faster."""
    minutes = int((datetime.fromisoformat(at) - IDS_EPOCH).total_seconds() // 60)
    return max(disk.last_transaction_id() + IDS_JUMP, minutes)


def set_aside(file: Path, at: str) -> Path:
    """Move the file and its log away, dated; the oldest of those before are let go."""
    folder = file.parent / SET_ASIDE
    folder.mkdir(exist_ok=True)
    aside = folder / f"{file.stem}-{at.replace(':', '')}{file.suffix}"
    for tail in ("-wal", "-shm", ""):
        part = Path(f"{file}{tail}")
        if part.exists():
            part.replace(f"{aside}{tail}")
    for old in sorted(folder.glob(f"{file.stem}-*{file.suffix}"))[:-SET_ASIDE_KEPT]:
        _remove(old)
    _sync(folder)
    return aside


def copies(file: Path) -> list[Path]:
    """Copies of the database, newest first."""
    found = (file.parent / COPIES).glob(f"{file.stem}-*{file.suffix}")
    return sorted(found, key=lambda copy: (copy.stat().st_mtime_ns, copy.name), reverse=True)


def make_daily_copy(disk: Disk, file: Path, day: str) -> Path | None:
    """The day's copy, unless it is there already; seven are kept."""
    if (file.parent / COPIES / f"{file.stem}-{day}{file.suffix}").exists():
        return None
    try:
        made = make_copy(disk, file, day)
        for old in copies(file)[COPIES_KEPT:]:
            old.unlink()
    except OSError as error:
        raise StoreError(f"no copy of the database could be made: {error}") from error
    return made


def make_copy(disk: Disk, file: Path, name: str) -> Path:
    """A copy under its name only when it is whole and synced."""
    folder = file.parent / COPIES
    folder.mkdir(exist_ok=True)
    copy = folder / f"{file.stem}-{name}{file.suffix}"
    part = Path(f"{copy}.part")
    part.unlink(missing_ok=True)
    disk.copy_to(part)
    part.chmod(0o600)
    _sync(part)
    part.replace(copy)
    _sync(folder)
    return copy


def free_share(file: Path) -> float:
    """How much of the disk that holds the file is free, 0 to 1."""
    usage = shutil.disk_usage(file.parent)
    return usage.free / usage.total


def _remove(file: Path) -> None:
    for tail in ("-wal", "-shm", ""):
        Path(f"{file}{tail}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
