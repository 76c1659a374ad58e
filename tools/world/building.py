"""A building: a load per phase that follows the day, flickers, steps when told, exports sun."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from tools.world.car import Three

# Share of the way from night to peak for each hour of an office's day.
HOURS = (
    0.0, 0.0, 0.0, 0.0, 0.05, 0.15, 0.35, 0.6, 0.85, 1.0, 0.95, 0.95,
    0.9, 1.0, 0.95, 0.9, 0.8, 0.7, 0.55, 0.4, 0.3, 0.2, 0.1, 0.05,
)  # fmt: skip
DAY_S = 86_400


@dataclass
class Building:
    """What the building takes from the grid, per phase of the site; below 0 it exports."""

    chance: random.Random
    night_ma: Three = (0, 0, 0)
    peak_ma: Three = (0, 0, 0)
    noise_ma: int = 0  # uniform, a new value each second (trust.md 1: reference noise ±2 A)
    solar_peak_ma: Three = (0, 0, 0)
    step_ma: list[int] = field(default_factory=lambda: [0, 0, 0])
    ma: Three = (0, 0, 0)
    _noise: Three = field(default=(0, 0, 0), repr=False)
    _noised_at: float = field(default=-math.inf, repr=False)
    _ends: list[tuple[float, int, int]] = field(default_factory=list, repr=False)
    _now: float = field(default=0.0, repr=False)

    def hold(self, ma: Three) -> None:
        """From now on this steady load, with the noise it has."""
        self.night_ma = self.peak_ma = ma
        self.step_ma = [0, 0, 0]
        self._ends.clear()

    def step(self, phase: int, ma: int, for_s: float | None = None) -> None:
        """Phase 1 to 3 takes `ma` more (or less), for good or for a time."""
        if phase not in (1, 2, 3):
            raise ValueError(f"expected phase 1, 2 or 3, got {phase!r}")
        self.step_ma[phase - 1] += ma
        if for_s is not None:
            self._ends.append((self._now + for_s, phase - 1, ma))

    def advance(self, now: float, second_of_day: float) -> Three:
        self._now = now
        for end in [end for end in self._ends if end[0] <= now]:
            self._ends.remove(end)
            self.step_ma[end[1]] -= end[2]
        if self.noise_ma and now - self._noised_at >= 1.0:
            self._noised_at = now
            wide = self.noise_ma
            first, second, third = (self.chance.randint(-wide, wide) for _ in range(3))
            self._noise = (first, second, third)
        share, sun = day_share(second_of_day), sun_share(second_of_day)
        first, second, third = (self._phase_ma(p, share, sun) for p in range(3))
        self.ma = (first, second, third)
        return self.ma

    def _phase_ma(self, phase: int, share: float, sun: float) -> int:
        night, peak = self.night_ma[phase], self.peak_ma[phase]
        load = night + int((peak - night) * share) + self._noise[phase] + self.step_ma[phase]
        return max(0, load) - int(self.solar_peak_ma[phase] * sun)


def day_share(second_of_day: float) -> float:
    """Where between night and peak the load is; straight between the hours."""
    hour, part = divmod(second_of_day % DAY_S / 3600, 1)
    low, high = HOURS[int(hour) % 24], HOURS[(int(hour) + 1) % 24]
    return low + (high - low) * part


def sun_share(second_of_day: float) -> float:
    """The sun from six to six, highest at noon."""
    return max(0.0, math.sin((second_of_day % DAY_S / DAY_S - 0.25) * 2 * math.pi))
