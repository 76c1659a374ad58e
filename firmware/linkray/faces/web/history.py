"""What was kept, read beside control: a connection that cannot write, in a thread, for a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw
import structlog
import trio

from linkray.model.history import Slot
from linkray.store.audit import AuditChain, AuditPage, AuditQuery
from linkray.store.db import FILE, StoreError
from linkray.store.reader import Reader

from .problem import Problem

T = TypeVar("T")
WAITING_MAX = 20
AT_ONCE = 2  # readers: more would only keep each other from the processor

log = structlog.get_logger(source="WEB")


class History:
    """The database of the state folder. Every reading opens it anew: control may replace it."""

    def __init__(self, state: Path) -> None:
        self._file = state / FILE
        self._limiter = trio.CapacityLimiter(AT_ONCE)

    async def audit_page(self, query: AuditQuery) -> AuditPage:
        """The lines that a query finds, the newest first."""
        return await self.read(lambda reader: reader.audit_page(query))

    async def audit_chain(self) -> AuditChain:
        """Every line looked at."""
        return await self.read(lambda reader: reader.audit_chain())

    async def minutes(self, first: int, last: int) -> list[tuple[int, Slot]]:
        """The site's past in minutes, of these quarters of an hour without `last`."""
        return await self.read(lambda reader: reader.minutes(first, last))

    async def quarters(self, first: int, last: int) -> list[tuple[int, Slot]]:
        """The same in means of quarters of an hour."""
        return await self.read(lambda reader: reader.quarters(first, last))

    async def quarters_there(self, first: int, last: int) -> list[int]:
        """The quarters of which anything is kept."""
        return await self.read(lambda reader: reader.quarters_there(first, last))

    async def beside(self, work: Callable[[], T]) -> T:
        """What takes long is done where nobody waits for it."""
        return await trio.to_thread.run_sync(work, limiter=self._limiter)

    async def read(self, work: Callable[[Reader], T]) -> T:
        """What `work` reads; raises `Problem` 503 where there is nothing to be read."""

        def done() -> T:
            reader = Reader(self._file)
            try:
                return work(reader)
            finally:
                reader.close()

        if self._limiter.statistics().tasks_waiting >= WAITING_MAX:
            raise Problem(429, "Too many people look things up at once", retry_s=2)
        try:
            return await trio.to_thread.run_sync(done, limiter=self._limiter)
        except (StoreError, apsw.Error) as error:
            log.warning("records not read", cause=str(error))
            raise Problem(503, "The records cannot be read just now", retry_s=5) from None
