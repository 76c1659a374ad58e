"""The database read-only, for the process that shows history (house.md, Two processes)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import apsw

from linkray.model.records import Transaction
from linkray.model.sessions import Measured, Order, Selection, SessionRow, SessionSums
from linkray.model.settings import Settings

from . import ledger
from .audit import AuditLine
from .disk import BUSY_MS, StoreError, newest_settings
from .rows import AUDIT, TRANSACTIONS, line_of, transaction_of


class Reader:
    """One connection that cannot write; blocking, so it is used in a thread of its owner."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            self._db.set_busy_timeout(BUSY_MS)
            self._db.create_scalar_function("has", ledger.has, 2, deterministic=True)
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

    # -- sessions: each reads for a moment, so that nobody who writes is held up (ledger) ---------

    def sessions(
        self, which: Selection, order: Order, limit: int, after: ledger.Key | None = None
    ) -> tuple[list[SessionRow], ledger.Key | None, SessionSums | None]:
        """A page, the key of the next, and with the first page the sums: of one moment."""
        with self._db:
            rows, following = ledger.page(self._db, which, order, limit, after)
            sums = ledger.sums(self._db, which) if after is None else None
        return rows, following, sums

    def session_ids(self, which: Selection, *orders: Order) -> array[int]:
        """The whole selection in order; the first order decides, the next between equals."""
        return ledger.ids(self._db, which, *orders)

    def measured(self, ids: Sequence[int], now: str, *, samples: bool) -> list[Measured]:
        """These transactions in their order, with their registers where `samples`."""
        return ledger.measured(self._db, ids, now, samples=samples)

    def chargers(self) -> list[str]:
        """Of all transactions there are."""
        return ledger.chargers(self._db)

    def settings(self) -> Settings:
        """The newest settings that are whole."""
        return newest_settings(self._db)[0]
