"""Cars: phases, a battery that tapers and fills, a lag behind the pilot, a sleep to be woken from.

Knows IEC 61851's rule (below 6 A nothing flows), not who offers or why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LEAST_MA = 6_000  # IEC 61851: a pilot below 6 A means no current
Three = tuple[int, int, int]
NOTHING: Three = (0, 0, 0)


@dataclass
class Car:
    """One car. Amounts are per phase of its own cable; `soc` is 0 to 1."""

    name: str = "car"
    phases: int = 3  # 1, 2 or 3: how many it rectifies
    max_ma: int = 32_000
    battery_wh: int = 60_000
    soc: float = 0.3
    taper_from: float = 0.8
    lag_s: float = 2.0  # from a new pilot to the current that follows it, at most
    start_s: float = 2.0  # from pilot to first current: contactors and pre-charge
    sleeps_after_s: float = math.inf  # of 0 A
    wakes_after_s: float = 20.0  # of 6 A or more; inf: only `wake()` or a new plug
    asleep: bool = False
    _amps_ma: float = field(default=0.0, repr=False)
    _aim_ma: float = field(default=0.0, repr=False)
    _pace: float = field(default=0.0, repr=False)  # mA per second
    _starting_s: float = field(default=0.0, repr=False)
    _idle_s: float = field(default=0.0, repr=False)
    _offered_s: float = field(default=0.0, repr=False)
    _drawn: Three = field(default=NOTHING, repr=False)
    _steady: tuple[int, int, int, int, bool] | None = field(default=None, repr=False)

    @property
    def is_full(self) -> bool:
        return self.soc >= 1.0

    @property
    def is_starting(self) -> bool:
        """Offered current and about to take it."""
        return self._aim_ma > 0

    def most_ma(self) -> int:
        """What the battery takes now: all below the taper, then less, 6 A at the end, 0 full."""
        if self.is_full:
            return 0
        if self.soc <= self.taper_from:
            return self.max_ma
        left = (1.0 - self.soc) / (1.0 - self.taper_from)
        return max(min(LEAST_MA, self.max_ma), int(self.max_ma * left))

    def fall_asleep(self) -> None:
        self.asleep = True

    def wake(self) -> None:
        """A pilot break, a door, the app: whatever brings it back."""
        self.asleep = False
        self._idle_s = 0.0

    def plugged(self) -> None:
        """A new plug is a new start."""
        self.wake()
        self._steady = None
        self._amps_ma = self._aim_ma = self._pace = self._offered_s = 0.0

    def step(self, pilot_ma: int, fed_phases: int, volts_mv: Three, dt: float) -> Three:
        """What it draws on its own phases after `dt` more seconds under this pilot."""
        case = (pilot_ma, fed_phases, self.max_ma, self.phases, self.asleep)
        if case == self._steady and self.soc <= self.taper_from:
            self._offered_s += dt
            self._charge(self._drawn, volts_mv, dt)
            return self._drawn
        self._doze(pilot_ma, dt)
        can = pilot_ma >= LEAST_MA and not self.asleep
        aim = float(min(pilot_ma, self.most_ma())) if can else 0.0
        self._turn_to(aim)
        if self._starting_s > 0 and self._aim_ma > 0:
            self._starting_s -= dt
        else:
            step = self._pace * dt
            gap = self._aim_ma - self._amps_ma
            self._amps_ma += gap if abs(gap) <= step else math.copysign(step, gap)
        if pilot_ma < LEAST_MA and self._amps_ma < LEAST_MA:
            self._amps_ma = 0.0  # the contactor opens
        amps = int(self._amps_ma)
        used = min(self.phases, fed_phases)
        drawn: Three = (amps, amps if used > 1 else 0, amps if used > 2 else 0)
        self._charge(drawn, volts_mv, dt)
        self._drawn = drawn
        self._steady = case if self._amps_ma == self._aim_ma > 0 else None
        return drawn

    def _turn_to(self, aim: float) -> None:
        if aim == self._aim_ma:
            return
        if self._amps_ma == 0 and self._aim_ma == 0 and aim > 0:
            self._starting_s = self.start_s
        self._aim_ma = aim
        pace = abs(aim - self._amps_ma) / self.lag_s if self.lag_s > 0 else math.inf
        # A taper moves the aim every step; a cut under way must not slow down for it.
        self._pace = max(pace, self._pace) if self._amps_ma != aim and self._pace else pace
        if aim > self._amps_ma:
            self._pace = pace

    def _doze(self, pilot_ma: int, dt: float) -> None:
        if pilot_ma < LEAST_MA:
            self._idle_s += dt
            self._offered_s = 0.0
            if self._idle_s >= self.sleeps_after_s:
                self.asleep = True
            return
        self._offered_s += dt
        if self.asleep and self._offered_s >= self.wakes_after_s:
            self.wake()
        if not self.asleep:
            self._idle_s = 0.0

    def _charge(self, drawn: Three, volts_mv: Three, dt: float) -> None:
        watts = (drawn[0] * volts_mv[0] + drawn[1] * volts_mv[1] + drawn[2] * volts_mv[2]) / 1e6
        self.soc = min(1.0, self.soc + watts * dt / 3600 / self.battery_wh)
