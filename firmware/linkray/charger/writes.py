"""A charger's profile writes: counted by day, and spaced where its flash stands few of them.

quirks.md, Writes; balancing.md 4, Dead-man. A cut always goes out, whatever is left of the budget.
"""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

DAY_S = 86_400.0
RENEWED_AT = 3  # a dead-man is renewed at a third of its time
RENEWALS_SHARE = 0.5  # of what is left may go into renewals; the rest is for offers
DEAD_MAN_S_MAX = 3_600  # a longer one is none: nobody waits an hour for a lost charger
BURST_SHARE = 0.25  # of the day's raises may go out before they are spaced


class Writes:
    """One charger's writes of a UTC day."""

    __slots__ = ("_count", "_day")

    def __init__(self, day: str = "", count: int = 0) -> None:
        self._day = day
        self._count = count

    def add(self, utc: datetime) -> int:
        """One more was sent; how many it makes today."""
        self._count = self.today(utc) + 1
        self._day = _day(utc)
        return self._count

    def today(self, utc: datetime) -> int:
        return self._count if _day(utc) == self._day else 0


def dead_man_s(wanted_s: int, budget: int | None, used: int, utc: datetime, connectors: int) -> int:
    """The dead-man time that the writes left today can renew: as wanted, longer, or 0 for none."""
    if budget is None or wanted_s <= 0:
        return wanted_s
    renewals = max(0, budget - used) * RENEWALS_SHARE / max(1, connectors)
    if renewals < 1:
        return 0
    longer_s = max(wanted_s, math.ceil(RENEWED_AT * _left_s(utc) / renewals))
    return longer_s if longer_s <= max(wanted_s, DEAD_MAN_S_MAX) else 0


def raise_in_s(budget: int | None, used: int, utc: datetime) -> float:
    """How long a higher offer has to wait: 0 while the day's share of the budget is not used up.

    The first offer of a session does not ask here: a car is not left without current for a write.
    """
    if budget is None:
        return 0.0
    passed = 1.0 - _left_s(utc) / DAY_S
    needed = (used / budget - BURST_SHARE) / (1.0 - BURST_SHARE)
    if needed < passed:
        return 0.0
    return max(1.0, (min(1.0, needed) - passed) * DAY_S)


def _left_s(utc: datetime) -> float:
    """Seconds until the next UTC day."""
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - utc).total_seconds()


def _day(utc: datetime) -> str:
    return date(utc.year, utc.month, utc.day).isoformat()
