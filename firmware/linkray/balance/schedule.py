"""When no charger charges: the excluded times of the week on the site's own clock.

balancing.md, Charging schedule; trust.md T4 and T5. Pure: a moment is excluded by the weekday and
the minute that a clock on the site's wall shows then. An hour that the clock skips in spring is
not made up for, an hour that it shows twice in autumn is applied twice.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from linkray.kit.clock import zone_named
from linkray.model.settings import Exclusion

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MIDNIGHT = 24 * 60  # what an end of 23:59 means (the manual's example)
LAST_MINUTE = MIDNIGHT - 1
AHEAD_DAYS = 15  # a time of the week that a change of clocks has swallowed is back by then
OFFSETS_S = 6 * 3600  # how far apart the zone's offset is looked at: no zone changes it twice
UTC_S_MAX = 250_000_000_000  # some year before 10000, the last that a date can be


class Schedule:
    """The excluded times, asked with UTC seconds since 1970. Cheap: looks once per change."""

    def __init__(self, exclusions: tuple[Exclusion, ...], time_zone: str) -> None:
        self._zone = zone_named(time_zone) or UTC
        week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
        for exclusion in exclusions:
            start, end = _minute(exclusion.start), _end(exclusion.end)
            for name in exclusion.days:
                day = DAYS.index(name)
                if start < end:
                    week[day].append((start, end))
                else:  # kept by an older version: across midnight in one
                    week[day].append((start, MIDNIGHT))
                    week[(day + 1) % 7].append((0, end))
        self._week = tuple(tuple(sorted(spans)) for spans in week)
        self._is_set = any(self._week)
        # what the newest look found: excluded or not in [from, until), which is a change or not
        self._excluded, self._changes = False, False
        self._from_s, self._until_s = 0.0, -1.0

    def excluded_until(self, utc_s: float) -> float | None:
        """When the pause that runs now ends; None: no pause runs.

        One that never ends is told to last as far as was looked: two weeks.
        """
        if not self._is_set:
            return None
        self._look(utc_s)
        return self._until_s if self._excluded else None

    def next_change(self, utc_s: float) -> float | None:
        """When a pause begins or ends next; None: not within two weeks."""
        if not self._is_set:
            return None
        self._look(utc_s)
        return self._until_s if self._changes else None

    def _look(self, utc_s: float) -> None:
        """Find the span of equal state that `utc_s` lies in, from there on."""
        if self._from_s <= utc_s < self._until_s:
            return
        self._from_s, self._until_s = utc_s, utc_s + AHEAD_DAYS * 86_400.0
        self._excluded = self._changes = False
        if not 0 <= utc_s <= UTC_S_MAX:  # no date can be: no clock shows it
            return
        self._excluded = self._is_excluded(utc_s)
        for moment_s in self._moments(utc_s):
            if self._is_excluded(moment_s) != self._excluded:
                self._until_s, self._changes = moment_s, True
                return

    def _is_excluded(self, utc_s: float) -> bool:
        local = datetime.fromtimestamp(utc_s, self._zone)
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self._week[local.weekday()])

    def _moments(self, utc_s: float) -> list[float]:
        """Every moment after `utc_s` at which the state may change: a wall clock that shows the
        start or end of a span, or that is put forward or back.
        """
        first = datetime.fromtimestamp(utc_s, self._zone).date() - timedelta(days=1)
        found: set[float] = set(self._clock_changes(utc_s))
        for ahead in range(AHEAD_DAYS + 2):
            day = first + timedelta(days=ahead)
            for start, end in self._week[day.weekday()]:
                found.update(self._utc_of(day, start))
                found.update(self._utc_of(day, end))
        return sorted(moment for moment in found if moment > utc_s)

    def _utc_of(self, day: date, minute: int) -> tuple[float, float]:
        """When the wall shows this: twice where the clock is put back."""
        begin = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        wall = begin + timedelta(minutes=minute)  # on the wall, whatever the hours were long
        return wall.timestamp(), wall.replace(fold=1).timestamp()

    def _clock_changes(self, utc_s: float) -> list[float]:
        """The seconds at which the zone's offset changes, as far ahead as is looked."""
        found: list[float] = []
        low = int(utc_s)
        while low < utc_s + AHEAD_DAYS * 86_400:
            high = low + OFFSETS_S
            if self._offset(low) != self._offset(high):
                found.append(float(self._turn(low, high)))
            low = high
        return found

    def _turn(self, low: int, high: int) -> int:
        """The first second after `low` with another offset."""
        before = self._offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return high

    def _offset(self, utc_s: int) -> timedelta | None:
        return datetime.fromtimestamp(utc_s, self._zone).utcoffset()


def _minute(text: str) -> int:
    """`05:30` as a minute of the day."""
    return int(text[:2]) * 60 + int(text[3:])


def _end(text: str) -> int:
    minute = _minute(text)
    return MIDNIGHT if minute == LAST_MINUTE else minute
