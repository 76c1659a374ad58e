"""The database read-only, for the process that shows history (house.md, Two processes)."""

from __future__ import annotations

from pathlib import Path

import apsw

from linkray.model.history import Slot
from linkray.model.records import Transaction

from . import history
from .audit import AuditLine
from .disk import BUSY_MS, StoreError
from .rows import AUDIT, TRANSACTIONS, line_of, transaction_of


class Reader:
    """One connection that cannot write; blocking, so it is used in a thread of its owner."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            self._db.set_busy_timeout(BUSY_MS)
        except apsw.Error as error:
            raise StoreError(f"expected a database at {path}, got: {error}") from error

    def close(self) -> None:
        self._db.close()

    def transactions(self, limit: int = 100, before: int | None = None) -> list[Transaction]:
        """Newest first; `before` is the id that the page before ended with."""
        rows = self._db.execute(
            f"SELECT {TRANSACTIONS} FROM transactions"  # noqa: S608  # our own names
            " WHERE id < ? ORDER BY id DESC LIMIT ?",
            (2**63 - 1 if before is None else before, limit),
        )
        return [transaction_of(row) for row in rows]

    def audit_lines(self, newest: int = 100) -> list[AuditLine]:
        """The newest lines of the audit log, oldest of them first."""
        rows = self._db.execute(
            f"SELECT {AUDIT} FROM audit ORDER BY seq DESC LIMIT ?",  # noqa: S608
            (newest,),
        )
        return [line_of(row) for row in rows][::-1]

    def minutes(self, first: int, last: int) -> list[tuple[int, Slot]]:
        """The site's past in minutes (since 1970), of these quarters of an hour without `last`."""
        return list(history.minutes_of(self._db, first, last))

    def quarters(self, first: int, last: int) -> list[tuple[int, Slot]]:
        """The same in means of quarters of an hour."""
        return list(history.quarters_of(self._db, first, last))

    def quarters_there(self, first: int, last: int) -> list[int]:
        """The quarters of which anything is kept."""
        return history.numbers_between(self._db, first, last)
