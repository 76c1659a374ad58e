"""What one charger has for the CSMS, in its order (csms.md, Offline; INV-14). Knows no link.

Messages of transactions are kept until they are answered; of those a window is in memory, the rest
in the store. What was passed on live stands among them and is not kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from linkray.model.records import Outgoing
from linkray.model.uplink import Passed

WINDOW_MAX = 64  # in memory for a charger: 64 × 64 KiB at the very most, some 50 KiB in practice
ATTEMPTS_MAX = 3  # csms.md: after which a message is set aside
PAUSES_S = (10.0, 20.0)  # between them


class Entry(msgspec.Struct):
    """One thing for the CSMS; `kept`: a message of a transaction that is on disk."""

    what: Outgoing | Passed
    kept: bool
    refused: int = 0  # so often, by CALLERROR


class Outbox:
    """The line of one charger."""

    __slots__ = ("_counted", "_last", "_line", "_loading", "_newest", "_through", "retry_at",
                 "set_aside", "waiting")

    def __init__(self, waiting: int = 0, set_aside: int = 0, newest: int = 0) -> None:
        """`waiting`, `set_aside`: how many the store holds of either; `newest`: its last number."""
        self._line: deque[Entry] = deque()
        self._last = 0 if waiting else newest  # the highest number that has been in the line
        self._newest = newest  # the highest that is known to be in the store
        self._counted = newest  # what comes of these was on disk before `waiting` was read there
        self._loading = False
        self._through = 0  # the highest number that has left the line
        self.waiting = waiting
        self.set_aside = set_aside
        self.retry_at = 0.0  # of the head, where it was refused

    @property
    def _beyond(self) -> bool:
        """Whether the store holds messages that come after those of the line."""
        return self._newest > self._last

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, here or in the store."""
        return not self._line and not self._beyond

    def put(self, what: Outgoing | Passed, *, kept: bool) -> bool:
        """The newest; False: there is no room for what is not kept."""
        is_full = self._beyond or len(self._line) >= WINDOW_MAX
        if isinstance(what, Outgoing) and kept:
            self.waiting += what.number > self._counted
            self._newest = max(self._newest, what.number)
            if what.number <= self._last:
                self._put_late(what)
                return True
            if is_full:  # it is read from the store
                return True
        elif is_full:
            return False
        if isinstance(what, Outgoing):
            self._last = max(self._last, what.number)
            self._newest = max(self._newest, what.number)
        self._line.append(Entry(what, kept))
        return True

    def _put_late(self, what: Outgoing) -> None:
        """One that waited for the disk while a later one went up, into its place; what was read
        from the store just now is in the line, or through, already.
        """
        place = 1  # what is being said stays the head
        for at, entry in enumerate(self._line):
            if isinstance(entry.what, Outgoing) and entry.what.number <= what.number:
                if entry.what.number == what.number:
                    return
                place = at + 1
        if what.number > self._through:
            self._line.insert(max(1, place), Entry(what, kept=True))

    def load_after(self) -> int | None:
        """The number after which more is to be read from the store, where it is time to."""
        if self._loading or not self._beyond or self._line:
            return None
        self._loading = True
        return self._last

    def loaded(self, messages: Sequence[Outgoing], *, more: bool) -> None:
        """What the store had, the oldest first; `more`: there are others after them."""
        self._loading = False
        self._line.extend(Entry(one, kept=True) for one in messages if one.number > self._last)
        if messages:
            self._last = max(self._last, messages[-1].number)
        if not more and not messages:  # what else was known of is gone: nothing is waited for
            self._last = self._newest
        if not more and not self._beyond:  # all that waits stands in the line
            self.waiting = sum(entry.kept for entry in self._line)
        elif more:
            self._newest = max(self._newest, self._last + 1)

    def thinned(self, numbers: frozenset[int]) -> None:
        """These are on disk no more, for want of room; what is being said is said all the same."""
        gone = {number for number in numbers if number > self._through}
        head, rest = list(self._line)[:1], list(self._line)[1:]
        for entry in head:
            if isinstance(entry.what, Outgoing) and entry.what.number in gone:
                entry.kept = False
        self._line = deque([*head, *(
            entry for entry in rest
            if not (isinstance(entry.what, Outgoing) and entry.what.number in gone)
        )])  # fmt: skip
        self.waiting = max(0, self.waiting - len(gone))

    def head(self) -> Entry | None:
        """What goes next."""
        return self._line[0] if self._line else None

    def answered(self) -> Entry:
        """The head is through: the CSMS has it, or nobody wants it any more."""
        gone = self._line.popleft()
        self.waiting = max(0, self.waiting - gone.kept)
        if isinstance(gone.what, Outgoing):
            self._through = max(self._through, gone.what.number)
        self.retry_at = 0.0
        return gone

    def refused(self, now: float) -> bool:
        """The CSMS does not take the head; whether it is to be set aside, and is gone from here."""
        head = self._line[0]
        head.refused += 1
        if head.refused < ATTEMPTS_MAX:
            self.retry_at = now + PAUSES_S[head.refused - 1]
            return False
        self.answered()
        self.set_aside += 1
        return True

    def keep(self) -> tuple[list[Outgoing], list[Passed]]:
        """The line has stopped: the messages to be kept now, and what was only passed on."""
        messages: list[Outgoing] = []
        passed: list[Passed] = []
        staying: deque[Entry] = deque()
        for entry in self._line:
            if isinstance(entry.what, Passed):
                passed.append(entry.what)
                continue
            if not entry.kept:
                entry.kept = True
                self.waiting += 1
                messages.append(entry.what)
            staying.append(entry)
        self._line = staying
        return messages, passed
