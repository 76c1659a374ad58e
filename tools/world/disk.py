"""A disk that loses its power, fails and fills up: files in memory, every step kept in order.

Under SQLite it is a VFS, for whole files it has the words of a file system. What was written, made,
renamed or deleted is safe once its file or folder was synced; what the power does to the rest is
the loss. Knows nothing of databases: what is expected of them is for whoever cuts.
"""

from __future__ import annotations

import errno
import fnmatch
import itertools
import os
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import apsw

Loss = Literal["all kept", "unsynced lost", "reordered", "torn"]
LOSSES: tuple[Loss, ...] = ("all kept", "unsynced lost", "reordered", "torn")
SECTOR = 512  # what tears, or comes back as garbage, whoever's bytes lie in it
BLOCK = 4096  # what SQLite is told of a disk that promises nothing for its neighbours' bytes
SYNCED_NAME = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
FOR_EVER = 10**9

#: What a disk is told, in order: the step and what it needs.
#: write inode at words · cut inode size · sync inode · lost inode (a sync that failed)
#: make path inode · folder path · rename from to · delete path · sync-folder path
Step = tuple[str | int | bytes, ...]

_numbers = itertools.count(1)


class Disk:
    """One disk. `vfs` names it to SQLite while `plugged` stands.

    `failing_syncs`: so many syncs fail, and what they should have kept is never written
    (as Linux does: the pages are held for clean). `room`: bytes left to grow into, None: enough.
    """

    def __init__(self, folders: Iterable[str] = ("/disk",)) -> None:
        self.vfs = f"world-disk-{next(_numbers)}"
        self.steps: list[Step] = []
        self.names: dict[str, int] = {}
        self.folders = {"/", *folders}
        self.inodes: dict[int, bytearray] = {}
        self.grown: dict[int, int] = {}  # room given to a file whose bytes do not matter
        self.written: dict[int, int] = {}  # when a file was last written: the step's number
        self.failing_syncs = 0
        self.room: int | None = None
        self.sync_s = 0.0  # what a sync takes, on the real clock: for who works in a thread
        self.syncs = 0
        self.bytes_written = 0
        self._inode = max(self.inodes, default=0)

    @contextmanager
    def plugged(self) -> Iterator[Disk]:
        """SQLite knows it by its name; its WAL index is in memory, for nobody else looks."""
        vfs = _Vfs(self)

        def alone(connection: apsw.Connection) -> None:
            if connection.open_vfs == self.vfs:
                connection.pragma("locking_mode", "exclusive")

        apsw.connection_hooks.append(alone)
        try:
            yield self
        finally:
            apsw.connection_hooks.remove(alone)
            vfs.unregister()

    # -- whole files (the words of `store/files.py`) ---------------------------------------------

    def lock(self, _file: Path) -> int:
        """Nobody else is there; the number is not a real handle."""
        return -1

    def unlock(self, _lock: int) -> None: ...

    def exists(self, file: Path) -> bool:
        return str(file) in self.names or str(file) in self.folders

    def read(self, file: Path) -> bytes:
        return bytes(self.inodes[self._inode_of(str(file))])

    def make(self, file: Path) -> None:
        if str(file) not in self.names:
            self.new(str(file))

    def make_folder(self, folder: Path) -> None:
        if str(folder) not in self.folders:
            self.step("folder", str(folder))
            self.folders.add(str(folder))
            self.sync(folder.parent)

    def copy(self, source: Path, target: Path) -> None:
        words = self.read(source)
        self.remove(target)
        inode = self.new(str(target))
        for at in range(0, len(words), 16 * BLOCK):
            self.put(inode, at, words[at : at + 16 * BLOCK])
        self.sync(target)

    def write(self, file: Path, words: bytes) -> None:
        part = file.with_name(f"{file.name}.part")
        self.remove(part)
        self.put(self.new(str(part)), 0, words)
        self.sync(part)
        self.rename(part, file)
        self.sync(file.parent)

    def rename(self, source: Path, target: Path) -> None:
        inode = self._inode_of(str(source))
        self.step("rename", str(source), str(target))
        del self.names[str(source)]
        self.names[str(target)] = inode

    def remove(self, file: Path) -> None:
        if str(file) in self.names:
            self.step("delete", str(file))
            del self.names[str(file)]
            self._forget()

    def found(self, folder: Path, pattern: str) -> list[tuple[Path, float]]:
        inside = [Path(name) for name in self.names if Path(name).parent == folder]
        return [
            (path, self.written.get(self.names[str(path)], 0))
            for path in sorted(inside) if fnmatch.fnmatch(path.name, pattern)
        ]  # fmt: skip

    def allocate(self, file: Path, size: int) -> None:
        if str(file) in self.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
        self.take(size)
        inode = self.new(str(file))
        self.step("grow", inode, size)
        self.grown[inode] = size

    def size(self, file: Path) -> int:
        inode = self._inode_of(str(file))
        return max(len(self.inodes[inode]), self.grown.get(inode, 0))

    def free(self, _folder: Path) -> tuple[int, int]:
        total = 1 << 30
        return (total if self.room is None else self.room), total

    def sync(self, path: Path) -> None:
        if str(path) in self.folders:
            self._sync("sync-folder", str(path))
        else:
            self._sync("sync", self._inode_of(str(path)))

    # -- the platter -----------------------------------------------------------------------------

    def step(self, *step: str | int | bytes) -> None:
        self.steps.append(step)

    def new(self, name: str) -> int:
        if str(Path(name).parent) not in self.folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        self._inode += 1
        self.step("make", name, self._inode)
        self.names[name] = self._inode
        self.inodes[self._inode] = bytearray()
        return self._inode

    def put(self, inode: int, at: int, words: bytes) -> None:
        content = self.inodes[inode]
        self.take(at + len(words) - len(content))
        self.step("write", inode, at, words)
        self.bytes_written += len(words)
        self.written[inode] = len(self.steps)
        put(content, at, words)

    def cut(self, inode: int, size: int) -> None:
        self.step("cut", inode, size)
        if self.room is not None:
            self.room += max(0, len(self.inodes[inode]) - size)
        del self.inodes[inode][size:]

    def take(self, more: int) -> None:
        """Room for so many bytes more, or ENOSPC."""
        if self.room is not None and more > 0:
            if more > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= more

    def _sync(self, what: str, of: str | int) -> None:
        if self.sync_s:
            time.sleep(self.sync_s)
        if self.failing_syncs:
            self.failing_syncs -= 1
            if what == "sync":
                self.step("lost", of)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.syncs += 1
        self.step(what, of)

    def _inode_of(self, name: str) -> int:
        if name not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.names[name]

    def _forget(self) -> None:
        """A deleted file's room is free again (nobody here deletes what he has open)."""
        linked = set(self.names.values())
        for inode in [i for i in self.inodes if i not in linked]:
            if self.room is not None:
                self.room += len(self.inodes[inode]) + self.grown.pop(inode, 0)
            self.inodes[inode] = bytearray()


class Platter:
    """What is surely on the disk after so many of its steps, and what is on its way."""

    def __init__(self, begins: Disk) -> None:
        self._names = dict(begins.names)
        self._folders = set(begins.folders)
        self._safe = {inode: bytearray(words) for inode, words in begins.inodes.items()}
        self._grown = dict(begins.grown)
        self._waiting: dict[int, list[Step]] = {}
        self._failed: dict[int, list[Step]] = {}  # what a failed sync left: safe never again
        self._moves: list[tuple[Step, set[str]]] = []  # and the folders that are not synced yet
        self.seen = 0  # steps so far

    @property
    def is_calm(self) -> bool:
        """Whether nothing is on its way: the power can do no harm now."""
        return not (self._waiting or self._failed or self._moves)

    def take(self, step: Step) -> None:
        """The next step."""
        self.seen += 1
        match step:
            case ("sync", int(inode)):
                for change in self._waiting.pop(inode, ()):
                    _apply(self._safe, change)
            case ("lost", int(inode)):
                self._failed.setdefault(inode, []).extend(self._waiting.pop(inode, ()))
            case ("sync-folder", str(folder)):
                for _what, unsynced in self._moves:
                    unsynced.discard(folder)
                for move, unsynced in self._moves:
                    if not unsynced:
                        _move(self._names, self._folders, move)
                self._moves = [m for m in self._moves if m[1]]
            case ("grow", int(inode), int(size)):
                self._grown[inode] = size
            case ("write" | "cut", int(inode), *_rest):
                self._waiting.setdefault(inode, []).append(step)
            case (_, *paths):
                folders = {str(Path(path).parent) for path in paths if isinstance(path, str)}
                self._moves.append((step, folders))
            case _:
                raise AssertionError(step)

    def after_cut(self, loss: Loss, chance: random.Random) -> Disk:
        """The disk as it is found when the power is back."""
        names, folders = dict(self._names), set(self._folders)
        for move, _unsynced in self._moves:
            if _survives(loss, chance):
                _move(names, folders, move)
        linked = set(names.values()) | self._waiting.keys() | self._failed.keys()
        contents = {i: bytearray(words) for i, words in self._safe.items() if i in linked}
        for inode, changes in self._failed.items():
            for change in changes:
                if loss in {"reordered", "torn"} and chance.random() < 0.5:
                    _apply(contents, change)
            self._kept(contents, self._waiting.get(inode, []), loss, chance)
        for inode, changes in self._waiting.items():
            if inode not in self._failed:
                self._kept(contents, changes, loss, chance)
        if loss == "torn":
            self._tear(contents, chance)
        found = Disk(folders)
        reached = {name: i for name, i in names.items() if str(Path(name).parent) in folders}
        found.names = reached
        found.inodes = {inode: contents.get(inode, bytearray()) for inode in reached.values()}
        found.grown = {i: size for i, size in self._grown.items() if i in found.inodes}
        found.written = {inode: number for number, inode in enumerate(reached.values())}
        found._inode = max(found.inodes, default=0)  # noqa: SLF001  # one of its own
        return found

    def _kept(
        self, contents: dict[int, bytearray], changes: list[Step], loss: Loss,
        chance: random.Random,
    ) -> None:  # fmt: skip
        for change in changes:
            if _survives(loss, chance):
                _apply(contents, change)

    def _tear(self, contents: dict[int, bytearray], chance: random.Random) -> None:
        """One write that was on its way came in sectors: old, new, half of each, or garbage."""
        writes = [c for changes in self._waiting.values() for c in changes if c[0] == "write"]
        if not writes:
            return
        _what, inode, at, words = chance.choice(writes)
        assert isinstance(inode, int)
        assert isinstance(at, int)
        assert isinstance(words, bytes)
        content = contents.setdefault(inode, bytearray())
        if at > len(content):
            content.extend(bytes(at - len(content)))
        first, last = at // SECTOR, (at + len(words) - 1) // SECTOR
        garbage = chance.randrange(first, last + 1)  # one sector is what the head did last
        for sector in range(first, last + 1):
            begin, end = max(at, sector * SECTOR), min(at + len(words), (sector + 1) * SECTOR)
            if sector == garbage and chance.random() < 0.5:
                whole = min((sector + 1) * SECTOR, max(len(content), end))
                put(content, sector * SECTOR, chance.randbytes(whole - sector * SECTOR))
            elif sector == garbage:
                put(content, begin, words[begin - at : (begin + end) // 2 - at])
            elif chance.random() < 0.5:
                put(content, begin, words[begin - at : end - at])


def put(content: bytearray, at: int, words: bytes) -> None:
    if at > len(content):
        content.extend(bytes(at - len(content)))
    content[at : at + len(words)] = words


def _survives(loss: Loss, chance: random.Random) -> bool:
    return loss == "all kept" or (loss != "unsynced lost" and chance.random() < 0.5)


def _apply(contents: dict[int, bytearray], change: Step) -> None:
    match change:
        case ("write", int(inode), int(at), bytes(words)):
            put(contents.setdefault(inode, bytearray()), at, words)
        case ("cut", int(inode), int(size)):
            del contents.setdefault(inode, bytearray())[size:]
        case _:
            raise AssertionError(change)


def _move(names: dict[str, int], folders: set[str], move: Step) -> None:
    match move:
        case ("make", str(path), int(inode)):
            names[path] = inode
        case ("folder", str(path)):
            folders.add(path)
        case ("delete", str(path)):
            names.pop(path, None)
        case ("rename", str(source), str(target)):
            if source in names:
                names[target] = names.pop(source)
        case _:
            raise AssertionError(move)


class _File:
    """An open file, in SQLite's words."""

    def __init__(self, disk: Disk, name: str, flags: int, *, is_powersafe: bool) -> None:
        self._disk = disk
        self._powersafe = is_powersafe
        self._folder: str | None = None
        if name not in disk.names:
            if not flags & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(name)
            with _in_sqlites_words():
                disk.new(name)
            if flags & SYNCED_NAME:  # SQLite syncs the folder of those with their first sync
                self._folder = str(Path(name).parent)
        self._inode = disk.names[name]
        self._content = disk.inodes[self._inode]

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with _in_sqlites_words():
            self._disk.put(self._inode, offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.cut(self._inode, size)

    def xSync(self, _flags: int) -> None:  # noqa: N802
        with _in_sqlites_words():
            self._disk._sync("sync", self._inode)  # noqa: SLF001
            if self._folder is not None:
                self._disk._sync("sync-folder", self._folder)  # noqa: SLF001
                self._folder = None

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._content)

    def xSectorSize(self) -> int:  # noqa: N802
        return BLOCK

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE if self._powersafe else 0

    def xLock(self, _level: int) -> None: ...  # noqa: N802

    def xUnlock(self, _level: int) -> None: ...  # noqa: N802

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xClose(self) -> None: ...  # noqa: N802


class _Vfs(apsw.VFS):
    """The disk under SQLite; chance and time are the machine's, they reach no file."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._powersafe: dict[str, bool] = {}
        super().__init__(disk.vfs, "unix")

    def xOpen(  # type: ignore[override]  # noqa: N802  # any file in Python's words will do
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> _File:
        assert name is not None, "a temporary file belongs in memory"
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:  # as unix does: promised unless it is asked not to
            self._powersafe[path] = not isinstance(name, apsw.URIFilename) or (
                name.uri_boolean("psow", default=True)
            )
        main = path.removesuffix("-wal").removesuffix("-journal")
        flags[1] = flags[0]
        return _File(self._disk, path, flags[0], is_powersafe=self._powersafe.get(main, True))

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        with _in_sqlites_words():
            self._disk.remove(Path(name))
            if sync:
                self._disk.sync(Path(name).parent)

    def xAccess(self, name: str, _flags: int) -> bool:  # noqa: N802
        return name in self._disk.names

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name


@contextmanager
def _in_sqlites_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise apsw.FullError(str(error)) from error
        raise apsw.IOError(str(error)) from error
