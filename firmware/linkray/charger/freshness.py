"""Tells live values from those of a charger's own queue, whatever its clock says (C20, C28), and
how old they are, once its clock is known.
"""

from __future__ import annotations

from datetime import datetime

LATE_S = 120.0  # a live value is not older, transport and sample interval included
STEADY_S = 3.0  # a wrong clock is off by the same amount; queued values come in a rush
STEADY_TIMES = 3
MINUTE_S = 60.0  # how coarse a stamp may be
STEADY_FOR_S = 20.0  # so long at least: a whole queue of the same minute is there at once


class Freshness:
    """Judges timestamps of one link. What is steadily off is a wrong clock, not a queue."""

    __slots__ = ("_is_coarse", "_off_s", "_since", "_steady", "clock_s")

    def __init__(self) -> None:
        self._off_s: float | None = None
        self._steady = 0
        self._is_coarse = True  # all that was measured so far is stamped in whole minutes
        self._since: datetime | None = None  # when it began to be steadily so
        # How far its clock is behind ours, by what came soonest or has come steadily; None: it has
        # not shown, since its first live value may have waited too.
        self.clock_s: float | None = None

    @property
    def off_s(self) -> float | None:
        """How far its newest value lay behind our clock, kept or not; None: it has told none."""
        return self._off_s

    def is_live(
        self, given: datetime | None, utc: datetime, *, is_measured: bool = True
    ) -> bool:
        """Whether a value stamped `given` (None: not believable) is of now. Not `is_measured`: a
        status, which some makes stamp finer than what they measure.
        """
        if given is None:
            return True
        if is_measured and (given.second or given.microsecond):
            self._is_coarse = False
        off_s = (utc - given).total_seconds()
        near = self._off_s is not None and abs(off_s - self._off_s) <= STEADY_S
        self._off_s, self._steady = off_s, self._steady + 1 if near else 0
        if self._since is None or not near:
            self._since = utc
        lasted_s = (utc - self._since).total_seconds()
        is_steady = self._steady >= STEADY_TIMES and lasted_s >= STEADY_FOR_S
        is_near = abs(off_s) <= LATE_S
        known_s = self.clock_s
        if is_steady or (is_near and (abs(off_s) <= STEADY_S or (
            known_s is not None and off_s < known_s
        ))):  # fmt: skip
            self.clock_s = off_s
        return is_near or is_steady

    def age_s(self, given: datetime | None, utc: datetime) -> float:
        """How long before it came a live value was measured, as far as its clock is known."""
        if given is None or self.clock_s is None:
            return 0.0
        late_s = (utc - given).total_seconds() - self.clock_s
        return late_s if late_s > STEADY_S else 0.0

    def coarse_s(self, age_s: float) -> float:
        """How much of a value's age may be its stamp's alone, which tells no more than minutes."""
        return min(age_s, MINUTE_S) if self._is_coarse else 0.0
