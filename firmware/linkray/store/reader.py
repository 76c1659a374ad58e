"""The database read-only, for the process that shows history (house.md, Two processes)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import apsw

from linkray.model.history import Slot
from linkray.model.records import Transaction
from linkray.model.sessions import (
    Measured,
    Order,
    Pause,
    Selection,
    SessionRow,
    SessionSums,
)
from linkray.model.settings import Settings

from . import courses, deliveries, history, ledger
from .audit import PAGE_MAX, AuditChain, AuditLine, AuditPage, AuditQuery, broken_at, entry_of
from .disk import BUSY_MS, HEAD, StoreError, newest_settings
from .rows import AUDIT, TRANSACTIONS, SQLiteValue, int_of, line_of, text_of, transaction_of


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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Closed; what SQLite could not read is a `StoreError`."""
        self.close()
        if isinstance(error, apsw.Error):
            raise StoreError(str(error)) from error

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

    def pauses(self, number: int) -> tuple[Pause, ...]:
        """Of one session, oldest first."""
        return courses.pauses(self._db, number)

    def chargers(self) -> list[str]:
        """Of all transactions there are."""
        return ledger.chargers(self._db)

    def delivered(self, number: int) -> array[int]:
        """The sessions of a sending, in the order in which they ended."""
        return deliveries.sessions(self._db, number)

    def settings(self) -> Settings:
        """The newest settings that are whole."""
        return newest_settings(self._db)[0]
    def audit_page(self, query: AuditQuery) -> AuditPage:
        """The lines that a query finds, the newest first, at most `PAGE_MAX` at once."""
        where, words = _audit_where(query)
        before = 2**63 - 1 if query.before is None else query.before
        rows = self._db.execute(
            f"SELECT {AUDIT} FROM audit WHERE seq < ?{where}"  # noqa: S608  # our own words
            " ORDER BY seq DESC LIMIT ?",
            (before, *words, max(1, min(query.limit, PAGE_MAX))),
        )
        lines = tuple(entry_of(line_of(row)) for row in rows)
        count = self._db.execute(f"SELECT count(*) FROM audit WHERE 1{where}", words)  # noqa: S608
        return AuditPage(lines, int_of(next(iter(count))[0]))

    def audit_chain(self) -> AuditChain:
        """Every line looked at, from the first on, at one moment."""
        with self._db:
            ((lines,),) = self._db.execute("SELECT count(*) FROM audit")
            found = list(self._db.execute("SELECT value FROM kv WHERE key = ?", (HEAD,)))
            head = text_of(found[0][0]) if found else None
            rows = self._db.execute(f"SELECT {AUDIT} FROM audit ORDER BY seq")  # noqa: S608
            broken = broken_at(map(line_of, rows), head)
        count = int_of(lines)
        return AuditChain(count, count if broken is None else broken - 1, broken is None)


def _audit_where(query: AuditQuery) -> tuple[str, tuple[SQLiteValue, ...]]:
    """Conditions and their words: whatever was typed is bound, never part of the statement."""
    parts: list[tuple[str, tuple[str, ...]]] = []
    if query.who:
        parts.append((_LIKE.format("who"), (_like(query.who),)))
    if query.what:
        parts.append((_LIKE.format("what"), (_like(query.what),)))
    if query.text:
        columns = ("at", "who", "source", "what", "old", "new")
        either = " OR ".join(map(_LIKE.format, columns))
        parts.append((f"({either})", (_like(query.text),) * len(columns)))
    if query.since:
        parts.append(("at >= ?", (query.since,)))
    if query.until:
        parts.append(("at < ?", (query.until,)))
    where = "".join(f" AND {condition}" for condition, _words in parts)
    return where, tuple(word for _condition, words in parts for word in words)


_LIKE = "{} LIKE ? ESCAPE '!'"


def _like(part: str) -> str:
    """A pattern for what has this text somewhere, whatever signs are in it."""
    for sign in "!%_":
        part = part.replace(sign, f"!{sign}")
    return f"%{part}%"
