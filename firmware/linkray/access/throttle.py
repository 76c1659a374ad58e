"""How fast one may guess: per source and per account, never a lock-out of everybody (trust.md A5).

A source is the address a try comes from. Its delay grows with its own failures; an account's
grows too, but only to what its owner, coming from another address, can wait. Wrong codes of a
second factor count by account and grow as a source's do: only who has the password can give any.
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
        self._sources: OrderedDict[str, dict[str, _Count]] = OrderedDict()  # each by account
        self._accounts: dict[str, _Count] = {}
        self._codes: dict[str, _Count] = {}  # of second factors, by account
        self._first: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, account: str, source: str, now: float) -> float:
        """0: the try may go on and counts as failed until `succeed`; else the seconds to wait."""
        at_source = self._at(source, now)
        by_account = _recent(self._accounts.setdefault(account, _Count()), now)
        failures = sum(one.failures for one in at_source.values())
        last = max((one.last for one in at_source.values()), default=0.0)
        wait = last + delay_s(failures) - now
        shared = min(delay_s(by_account.failures), ACCOUNT_DELAY_S_MAX)
        wait = max(wait, by_account.last + shared - now)
        if wait > 0:
            return wait
        for count in (at_source.setdefault(account, _Count()), by_account):
            count.failures += 1
            count.last = now
        return 0.0

    def begin_code(self, account: str, now: float) -> float:
        """The same for a code, once the password was right: counts as wrong until `code_right`."""
        count = _recent(self._codes.setdefault(account, _Count()), now)
        wait = count.last + delay_s(count.failures) - now
        if wait > 0:
            return wait
        count.failures += 1
        count.last = now
        return 0.0

    def code_right(self, account: str) -> None:
        self._codes.pop(account, None)

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
        """The try was right: what there was against this account, here and anywhere, is forgotten.

        What the source did to other accounts is not: else an account of one's own would buy tries.
        """
        at_source = self._sources.get(source, {})
        at_source.pop(account, None)
        if not at_source:
            self._sources.pop(source, None)
        self._accounts.pop(account, None)

    def _at(self, source: str, now: float) -> dict[str, _Count]:
        """What a source has against it, by account; a day of calm forgets all of it."""
        counts = self._sources.setdefault(source, {})
        self._sources.move_to_end(source)
        while len(self._sources) > SOURCES_MAX:
            self._sources.popitem(last=False)
        if all(now - one.last > FORGET_S for one in counts.values()):
            counts.clear()
        return counts


def _recent(count: _Count, now: float) -> _Count:
    if now - count.last > FORGET_S:
        count.failures = 0
    return count
