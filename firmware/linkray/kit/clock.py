"""Wall time from Trio time: the only UTC in the house."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import trio


class WallClock:
    """Wall time for people and records; never used to decide. `now` is Trio's monotonic time."""

    def __init__(self, read: Callable[[], datetime] | None = None) -> None:
        self._read = read
        self.ahead = timedelta()  # what a simulated person or time server has put it forward

    @classmethod
    def fixed(cls, start: datetime) -> WallClock:
        """A wall clock that runs with Trio's (virtual) clock from `start` on."""
        zero = trio.current_time()
        return cls(lambda: start + timedelta(seconds=trio.current_time() - zero))

    def utc(self) -> datetime:
        return self._read() + self.ahead if self._read else datetime.now(UTC)

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
