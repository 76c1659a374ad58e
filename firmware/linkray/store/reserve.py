"""Room that is kept for starts and stops: a file that is let go when the disk is full (P4)."""

from __future__ import annotations

from pathlib import Path

import structlog

from .files import Files

FILE = "reserve"  # its name beside the database
BYTES = 16 * 1024 * 1024  # trust.md P4: some 10,000 transactions

log = structlog.get_logger(source="STORE")


class Reserve:
    """The file, and whether it is spent. `database` None: in memory, where nothing fills up.

    Blocking, like the files that it works on; `is_spent` may be read by anyone.
    """

    def __init__(self, database: Path | None, files: Files) -> None:
        self._file = None if database is None else database.with_name(FILE)
        self._files = files
        self.is_spent = False

    def keep(self) -> None:
        """Have it whole, or have it again as soon as there is room for it and as much beside."""
        if self._file is None:
            return
        try:
            if not self._is_whole(self._file):
                self._make(self._file)
            self.is_spent = not self._files.exists(self._file)
        except OSError as error:
            log.warning("no room kept for starts and stops", cause=str(error))
            self.is_spent = True

    def _make(self, file: Path) -> None:
        self._files.remove(file)
        free, _total = self._files.free(file.parent)
        if free >= 2 * BYTES:
            self._files.allocate(file, BYTES)
            self._files.sync(file)
            self._files.sync(file.parent)

    def spend(self) -> bool:
        """Let it go; False where it is gone already."""
        if self._file is None or not self._files.exists(self._file):
            return False
        self.is_spent = True
        try:
            self._files.remove(self._file)
        except OSError as error:
            log.warning("reserve not let go", cause=str(error))
            return False
        return True

    def _is_whole(self, file: Path) -> bool:
        return self._files.exists(file) and self._files.size(file) == BYTES
