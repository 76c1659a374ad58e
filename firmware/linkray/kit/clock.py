"""Wall time from Trio time: the only UTC in the house."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import trio

OLDEST = datetime(2026, 1, 1, tzinfo=UTC)  # a system's time before the firmware's own year is none


class WallClock:
    """Wall time for people and records; never used to decide. `now` is Trio's monotonic time.

    Where the system has no time (a box without a battery starts in 1970), the best that is known
    goes on from the moment at which it was said, and counts as uncertain (trust.md T1).
    """

    def __init__(self, read: Callable[[], datetime] | None = None) -> None:
        self._read = read
        self.ahead = timedelta()  # what a simulated person or time server has put it forward
        self._lost = timedelta()  # what the system's clock lacks, while it is not set

    @classmethod
    def fixed(cls, start: datetime) -> WallClock:
        """A wall clock that runs with Trio's (virtual) clock from `start` on."""
        zero = trio.current_time()
        return cls(lambda: start + timedelta(seconds=trio.current_time() - zero))

    def _system(self) -> datetime:
        return self._read() + self.ahead if self._read else datetime.now(UTC)

    @property
    def is_set(self) -> bool:
        """Whether the system has the time."""
        return self._system() >= OLDEST

    def suppose(self, utc: datetime) -> None:
        """It may be `utc` now: believed while the system has no time of its own."""
        if not self.is_set:
            self._lost = max(utc, OLDEST) - self._system()

    def utc(self) -> datetime:
        read = self._system()
        return read if read >= OLDEST else read + self._lost

    def stamp(self) -> str:
        """ISO 8601 with milliseconds and `Z`, as decided.md asks."""
        return stamp(self.utc())


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone `Europe/Berlin` is called; None where no such one is known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name at all; a folder of zones
        return None


def stamp(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
