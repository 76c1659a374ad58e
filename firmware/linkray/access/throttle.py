"""How fast one may guess: per source and per account, never a lock-out of everybody (trust.md A5).

A source is the address a try comes from. Its delay grows with its own failures; an account's
grows too, but only to what its owner, coming from another address, can wait.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import msgspec

FREE_FAILURES = 5  # access.md, People: five failures slow a source down
LONG_FAILURES = 10
FIRST_DELAY_S = 1.0
LONG_DELAY_S = 15 * 60.0
ACCOUNT_DELAY_S_MAX = 2.0  # trust.md A5: the owner from another address is in within 2 s
FORGET_S = 24 * 3600.0
FIRST_TRIES_A_MINUTE = 5  # trust.md 4, rule 2
SOURCES_MAX = 2000  # the oldest is forgotten first


class _Count(msgspec.Struct):
    """Failures in a row, and when the last one was."""

    failures: int = 0
    last: float = 0.0


def delay_s(failures: int) -> float:
    """How long a source waits after so many failures in a row."""
    if failures < FREE_FAILURES:
        return 0.0
    if failures >= LONG_FAILURES:
        return LONG_DELAY_S
    return FIRST_DELAY_S * float(2 ** (failures - FREE_FAILURES))


class Throttle:
    """Counts tries. A try counts as failed from its beginning: many at once gain nothing."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Count] = OrderedDict()
        self._accounts: dict[str, _Count] = {}
        self._first: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, account: str, source: str, now: float) -> float:
        """0: the try may go on and counts as failed until `succeed`; else the seconds to wait."""
        by_source = self._of(self._sources, source, now)
        by_account = self._accounts.setdefault(account, _Count())
        if now - by_account.last > FORGET_S:
            by_account.failures = 0
        wait = by_source.last + delay_s(by_source.failures) - now
        shared = min(delay_s(by_account.failures), ACCOUNT_DELAY_S_MAX)
        wait = max(wait, by_account.last + shared - now)
        if wait > 0:
            return wait
        for count in (by_source, by_account):
            count.failures += 1
            count.last = now
        return 0.0

    def begin_first(self, source: str, now: float) -> float:
        """The same for a password that was never changed: at most five tries a minute a source."""
        tries = self._first.setdefault(source, deque(maxlen=FIRST_TRIES_A_MINUTE))
        self._first.move_to_end(source)
        while len(self._first) > SOURCES_MAX:
            self._first.popitem(last=False)
        if len(tries) == FIRST_TRIES_A_MINUTE and now - tries[0] < 60.0:
            return tries[0] + 60.0 - now
        tries.append(now)
        return 0.0

    def succeed(self, account: str, source: str) -> None:
        """The try was right: what the source and the account had against them is forgotten."""
        self._sources.pop(source, None)
        self._accounts.pop(account, None)

    def _of(self, table: OrderedDict[str, _Count], name: str, now: float) -> _Count:
        count = table.setdefault(name, _Count())
        table.move_to_end(name)
        while len(table) > SOURCES_MAX:
            table.popitem(last=False)
        if now - count.last > FORGET_S:
            count.failures = 0
        return count
