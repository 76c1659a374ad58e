"""The core that makes minutes of what is seen each second.

Knows the wall clock as the number of a minute, and sets nothing by it: what was measured belongs to
the minute that the clock showed then, whether it was set back, ahead, or stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from linkray.model.history import MINUTE_S, Point, Site, Slot, Span, power_w, rounded
from linkray.model.records import MinuteKept
from linkray.model.units import ZERO, Phases

MS = 1_000
STEP_MS_MAX = 2_000  # a longer one was not watched: the loop stood still, or the box slept
MEASURED_MS_MIN = MINUTE_S * MS // 2  # less of a minute is a gap


class Read(msgspec.Struct, frozen=True):
    """A good reading: currents at the supply, chargers and building together."""

    current_ma: Phases
    total_w: int | None = None  # None: the meter does not tell power
    #: What is left without the chargers that are known.
    building_ma: Phases = ZERO


class Seen(msgspec.Struct, frozen=True):
    """A look at the site. `points` are the connectors of the chargers that have changed since the
    last one, by charger; None as a current: not measured.
    """

    minute: int | None  # since 1970, by the wall clock; None: it is not set
    voltage_mv: Phases
    limit_ma: Phases | None = None
    degraded: bool = False
    read: Read | None = None
    points: tuple[tuple[str, tuple[tuple[int, Phases | None], ...]], ...] = ()


class _Mean:
    """Amounts, each for so long."""

    def __init__(self) -> None:
        self._sums = [0, 0, 0]
        self.ms = 0

    def add(self, amounts: Phases, ms: int) -> None:
        for place, amount in enumerate(amounts):
            self._sums[place] += amount * ms
        self.ms += ms

    def value(self) -> Phases:
        l1, l2, l3 = (rounded(total, self.ms) for total in self._sums)
        return Phases(l1, l2, l3)


class _Extremes:
    """The lowest and the highest of what was read."""

    def __init__(self) -> None:
        self.low: Span | None = None
        self.high: Span | None = None

    def add(self, current_ma: Phases, watts: Phases, total_w: int) -> None:
        if self.low is None or self.high is None:
            self.low = self.high = Span(current_ma, watts, total_w)
            return
        self.low = Span(self.low.current_ma.at_most(current_ma), self.low.power_w.at_most(watts),
                        min(self.low.total_w, total_w))  # fmt: skip
        self.high = Span(self.high.current_ma.at_least(current_ma),
                         self.high.power_w.at_least(watts),
                         max(self.high.total_w, total_w))  # fmt: skip


class _Connector:
    """What a connector draws now, since when, and its mean in this minute."""

    def __init__(self, current_ma: Phases | None, at_ms: int) -> None:
        self.current_ma = current_ma
        self.since_ms = at_ms
        self.mean = _Mean()

    def until(self, at_ms: int) -> None:
        if self.current_ma is not None and at_ms > self.since_ms:
            self.mean.add(self.current_ma, at_ms - self.since_ms)
        self.since_ms = at_ms


class Recorder:
    """Feed it what is seen about once a second; it gives each minute once that is over.

    A value stands until the next look. What the loop did not watch is not measured.
    """

    def __init__(self) -> None:
        self._minute: int | None = None
        self._at: float | None = None
        self._seen: Seen | None = None
        self._connectors: dict[Point, _Connector] = {}
        self._watched_ms = 0  # since the start: the clock of the connectors
        self._begin()

    def _begin(self) -> None:
        self._begun_ms = self._watched_ms
        self._limit_ma: Phases | None = None
        self._degraded = False
        self._voltage, self._current, self._watts, self._building = (_Mean() for _ in range(4))
        self._total_w_ms = 0
        self._extremes = _Extremes()
        for one in self._connectors.values():
            one.since_ms, one.mean = self._watched_ms, _Mean()

    def feed(self, seen: Seen, now: float) -> Iterable[MinuteKept]:
        """What was seen before has lasted until `now` (monotonic seconds)."""
        passed = 0.0 if self._at is None else (now - self._at) * MS
        self._at = now
        self._pass(max(0, min(round(passed), STEP_MS_MAX)))
        over: list[MinuteKept] = []
        if seen.minute != self._minute:
            over = self._end()
            self._minute = seen.minute
            self._begin()
        self._take(seen)
        return over

    def _pass(self, ms: int) -> None:
        self._watched_ms += ms
        seen = self._seen
        if seen is None or not ms:
            return
        self._voltage.add(seen.voltage_mv, ms)
        if seen.read is not None:
            current_ma, total_w = seen.read.current_ma, _total_w(seen, seen.read)
            self._current.add(current_ma, ms)
            self._watts.add(power_w(current_ma, seen.voltage_mv), ms)
            self._building.add(seen.read.building_ma, ms)
            self._total_w_ms += total_w * ms

    def _take(self, seen: Seen) -> None:
        for charger, connectors in seen.points:
            self._take_charger(charger, connectors)
        if seen.limit_ma is not None:
            before = self._limit_ma
            self._limit_ma = seen.limit_ma if before is None else before.at_most(seen.limit_ma)
            self._degraded = self._degraded or seen.degraded
        if seen.read is not None:
            watts = power_w(seen.read.current_ma, seen.voltage_mv)
            self._extremes.add(seen.read.current_ma, watts, _total_w(seen, seen.read))
        self._seen = seen

    def _take_charger(
        self, charger: str, connectors: Sequence[tuple[int, Phases | None]]
    ) -> None:
        now = dict(connectors)
        for number, current_ma in now.items():
            known = self._connectors.get((charger, number))
            if known is None:
                self._connectors[charger, number] = _Connector(current_ma, self._watched_ms)
            else:
                known.until(self._watched_ms)
                known.current_ma = current_ma
        for point, one in self._connectors.items():
            if point[0] == charger and point[1] not in now:
                one.until(self._watched_ms)
                one.current_ma = None

    def _end(self) -> list[MinuteKept]:
        """The minute that is over, where anything of it was measured."""
        if self._minute is None or self._watched_ms == self._begun_ms:
            return []
        for one in self._connectors.values():
            one.until(self._watched_ms)
        points = {
            point: one.mean.value()
            for point, one in self._connectors.items()
            if one.mean.ms >= MEASURED_MS_MIN
        }
        self._connectors = {
            point: one for point, one in self._connectors.items() if one.current_ma is not None
        }
        covered_ms = self._watched_ms - self._begun_ms
        if covered_ms < MS:
            return []
        slot = Slot(
            covered_s=min(MINUTE_S, rounded(covered_ms, MS)),
            voltage_mv=self._voltage.value() if self._voltage.ms else None,
            limit_ma=self._limit_ma, degraded=self._degraded,
            site=self._site() if self._current.ms >= MEASURED_MS_MIN else None, points=points,
        )  # fmt: skip
        return [MinuteKept(self._minute, slot)]

    def _site(self) -> Site:
        return Site(
            self._current.value(), self._watts.value(),
            rounded(self._total_w_ms, self._current.ms), self._building.value(),
            self._extremes.low, self._extremes.high,
        )  # fmt: skip


def _total_w(seen: Seen, read: Read) -> int:
    return sum(power_w(read.current_ma, seen.voltage_mv)) if read.total_w is None else read.total_w
