"""The engineering ceiling on disk: sealed by an Assembler on site, out of reach of the settings.

A file of its own beside the database, and a copy in it: no settings import, backup or database set
aside touches the one, no lost file the other. A factory reset leaves it: it belongs to the supply,
not to whoever uses it. One that cannot be read in either place counts as 0 A (trust.md, INV-5).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from linkray.kit.cell import Cell
from linkray.model.asks import Who
from linkray.model.settings import LimitPhases
from linkray.model.units import ZERO, Phases, amps

from .db import Store, StoreError
from .disk import digest_of
from .runner import Runner

FILE = "engineering-ceiling"
KEY = "engineering_ceiling"
LOST = "the engineering ceiling cannot be read: nothing is offered until it is sealed again"

log = structlog.get_logger(source="STORE")


class Seal(msgspec.Struct, frozen=True):
    """What was sealed, by whom and when (UTC)."""

    limit_ma: LimitPhases
    by: str = ""
    at: str = ""


class _Kept(msgspec.Struct, frozen=True):
    """A seal as text, with the digest that shows whether it is whole."""

    seal: str
    digest: str


class Ceiling:
    """The ceiling in force, and the one way to change it.

    `folder` None: in the database alone. `write` puts a file on disk that a power cut leaves whole
    (`hal.files.write_synced`).
    """

    def __init__(
        self, store: Store, folder: Path | None, runner: Runner,
        write: Callable[[Path, bytes], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._write = write
        self._file = None if folder is None else folder / FILE
        self._runner = runner
        words = self._words()
        found = [seal for seal in map(_seal_in, words) if seal is not None]
        self.seal: Seal | None = found[0] if found else None
        self.is_lost = bool(words) and not found
        #: Amps per phase that nothing lifts; None: not sealed.
        self.limit: Cell[Phases | None] = Cell(self._limit())
        if self.is_lost:
            store.say(KEY, LOST)
            log.error("engineering ceiling lost", action="0 A until it is sealed again")

    def _words(self) -> list[bytes]:
        """What was kept, the file first; empty: nothing ever was."""
        words: list[bytes] = []
        if self._file is not None and self._store.files.exists(self._file):
            words.append(self._in_file(self._file))
        copy = self._store.recall(KEY)
        if copy is not None:
            words.append(copy.encode())
        return words

    def _in_file(self, file: Path) -> bytes:
        """Its words; none where the disk does not give them back, which is no seal."""
        try:
            return self._store.files.read(file)
        except OSError as error:
            log.warning("engineering ceiling not read", cause=str(error))
            return b""

    def _limit(self) -> Phases | None:
        if self.is_lost:
            return ZERO
        return None if self.seal is None else self.seal.limit_ma.phases()

    async def put(self, limit_ma: LimitPhases, who: Who, at: str) -> None:
        """Seal: the audit line first, then both places on disk, then in force (INV-16)."""
        old = "lost" if self.is_lost else in_words(self.limit.value)
        await self._store.audit(
            who, "engineering ceiling sealed", old=old, new=in_words(limit_ma.phases())
        )
        by = f"{who.name} ({who.source})" if who.source else who.name
        seal = Seal(limit_ma, by, at)
        words = _words_of(seal)
        file = self._file
        if file is not None:
            await self._runner.run(lambda: self._write(file, words))
        else:
            await self._store.remember(KEY, words.decode())
        self.seal, self.is_lost = seal, False
        self._store.say(KEY, None)
        self.limit.set(self._limit())
        await self.heal()

    async def heal(self) -> None:
        """Put back the place that is gone, so that the next loss is survived too."""
        if self.seal is None:
            return
        words, file, files = _words_of(self.seal), self._file, self._store.files
        try:
            if file is not None and (not files.exists(file) or files.read(file) != words):
                await self._runner.run(lambda: self._write(file, words))
            if self._store.recall(KEY) != words.decode():
                await self._store.remember(KEY, words.decode())
        except (OSError, StoreError) as error:
            log.warning("engineering ceiling kept in one place only", cause=str(error))


def in_words(limit_ma: Phases | None) -> str:
    """`80 A, 80 A, 80 A`, for people and the audit log."""
    return "none" if limit_ma is None else ", ".join(amps(ma) for ma in limit_ma)


def _words_of(seal: Seal) -> bytes:
    text = msgspec.json.encode(seal).decode()
    return msgspec.json.encode(_Kept(text, digest_of(text)))


def _seal_in(words: bytes) -> Seal | None:
    """The seal, if it is as it was written."""
    try:
        kept = msgspec.json.decode(words, type=_Kept)
        if digest_of(kept.seal) != kept.digest:
            return None
        return msgspec.json.decode(kept.seal, type=Seal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
