"""What is done to whole files: set aside, copied, put in each other's place, kept in reserve.

Beside SQLite the store touches the disk only through this, so that a disk that loses its power,
fails or fills up can stand in for the real one (`tools/world/disk.py`). All raise `OSError`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Protocol

OURS = 0o600  # hashes and keys lie in it


class Files(Protocol):
    """A file system in the few words that the store needs."""

    vfs: str  # the name under which SQLite knows the same disk; "": its own

    def lock(self, file: Path) -> int:
        """Hold a file against every other process; raises `BlockingIOError` where one has it."""

    def unlock(self, lock: int) -> None: ...

    def exists(self, file: Path) -> bool: ...

    def read(self, file: Path) -> bytes: ...

    def size(self, file: Path) -> int: ...

    def make(self, file: Path) -> None:
        """An empty file, unless it is there; its owner alone may read it."""

    def make_folder(self, folder: Path) -> None:
        """A folder, unless it is there; it stays."""

    def copy(self, source: Path, target: Path) -> None:
        """The same words under another name, synced; the name is not."""

    def rename(self, source: Path, target: Path) -> None:
        """One step; what had the name is gone. Stays once the folders are synced."""

    def remove(self, file: Path) -> None:
        """Gone, if it was there. Stays so once the folder is synced."""

    def allocate(self, file: Path, size: int) -> None:
        """A new file that takes so much room, whatever is in it."""

    def found(self, folder: Path, pattern: str) -> list[tuple[Path, float]]:
        """What a folder holds by that name, by name, and when each was written: Unix seconds."""

    def free(self, folder: Path) -> tuple[int, int]:
        """Bytes that are free, and of how many."""

    def sync(self, path: Path) -> None:
        """A file's words, or a folder's names, would survive a power cut."""


class RealFiles:
    """The disk of the machine."""

    vfs = ""

    def lock(self, file: Path) -> int:
        lock = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, OURS)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        return lock

    def unlock(self, lock: int) -> None:
        os.close(lock)

    def exists(self, file: Path) -> bool:
        return file.exists()

    def read(self, file: Path) -> bytes:
        return file.read_bytes()

    def size(self, file: Path) -> int:
        return file.stat().st_size

    def make(self, file: Path) -> None:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, OURS))

    def make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir()
            self.sync(folder.parent)

    def copy(self, source: Path, target: Path) -> None:
        self.remove(target)
        self.make(target)
        shutil.copyfile(source, target)
        self.sync(target)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)

    def allocate(self, file: Path, size: int) -> None:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, OURS)
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError:
            file.unlink()
            raise
        finally:
            os.close(handle)

    def found(self, folder: Path, pattern: str) -> list[tuple[Path, float]]:
        return [(path, path.stat().st_mtime) for path in sorted(folder.glob(pattern))]

    def free(self, folder: Path) -> tuple[int, int]:
        usage = shutil.disk_usage(folder)
        return usage.free, usage.total

    def sync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


REAL: Files = RealFiles()
