"""Which failed sign-ins the audit log is told of: all that people make, and of a flood enough.

The log keeps what it is given for ever, so that nobody may fill it from outside (INV-17).
"""

from __future__ import annotations

AT_ONCE = 20  # lines that a bad morning may make
EVERY_S = 180.0  # and one more in so long: 480 a day at most


class Failures:
    """Lets so many lines through; those it kept back are told with the next."""

    def __init__(self) -> None:
        self._room = float(AT_ONCE)
        self._seen = 0.0
        self._kept_back = 0

    def feed(self, what: str, now: float) -> str | None:
        """What to write down of a failure; None: it is counted, and told with a later one."""
        self._room = min(AT_ONCE, self._room + (now - self._seen) / EVERY_S)
        self._seen = now
        if self._room < 1:
            self._kept_back += 1
            return None
        self._room -= 1
        more = f"; {self._kept_back} others before it are not listed" if self._kept_back else ""
        self._kept_back = 0
        return what + more
