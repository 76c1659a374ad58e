"""What the LED shows, and when it turns (board.md, LED). Knows no lamp.

| condition, first that holds      | look           | lamps                           |
|----------------------------------|----------------|---------------------------------|
| reset held for 5 s               | both fast      | both, 5 Hz                      |
| identify asked, 30 s             | identify       | red and green in turn           |
| any fault                        | red solid      | red                             |
| started, the balancer's beat     | green blinking | green, 1 Hz                     |
| else: starting, or no beat       | green solid    | green                           |
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from linkray.model.views import LedView

BEAT_S = 5.0  # board.md: no tick for 5 s, no blink
IDENTIFY_S = 30.0
SLOW_S = 0.5  # half a period of 1 Hz
FAST_S = 0.1  # half a period of 5 Hz


class Beat(msgspec.Struct, frozen=True):
    """The balancer has finished a plan."""


class Started(msgspec.Struct, frozen=True):
    """Everything is up; False: starting or updating."""

    now: bool = True


class Faulty(msgspec.Struct, frozen=True):
    """Whether there is any fault."""

    now: bool


class Armed(msgspec.Struct, frozen=True):
    """Whether letting go of the reset button would reset."""

    now: bool


class Identify(msgspec.Struct, frozen=True):
    """Somebody looks for the box."""


Seen = Beat | Started | Faulty | Armed | Identify


class Show(msgspec.Struct, frozen=True):
    """The lamps from now on."""

    red: bool
    green: bool


class Looks(msgspec.Struct, frozen=True):
    """The look from now on, for everyone who mirrors the LED."""

    view: LedView


SOLID_GREEN = LedView("green solid", red=False, green=True)
BLINKING = LedView("green blinking", red=False, green=True)
SOLID_RED = LedView("red solid", red=True, green=False)
BOTH_FAST = LedView("both fast", red=True, green=True)
IN_TURN = LedView("identify", red=True, green=True)
TURNS_S = {BLINKING.look: SLOW_S, BOTH_FAST.look: FAST_S, IN_TURN.look: SLOW_S}


class Look:
    """The LED's core. In a `LedView` red and green say which lamps take part, not their phase."""

    def __init__(self) -> None:
        self._started = False
        self._faulty = False
        self._armed = False
        self._beat_until = -math.inf
        self._identify_until = -math.inf
        self._view: LedView | None = None
        self._lamps: Show | None = None
        self._first_half = True
        self._turn_at = math.inf
        self._change_at = -math.inf  # when the look may change by itself; now: nothing shown yet

    def feed(self, item: Seen, now: float) -> Iterator[Show | Looks]:
        match item:
            case Beat():
                self._beat_until = now + BEAT_S
            case Started(now=started):
                self._started = started
            case Faulty(now=faulty):
                self._faulty = faulty
            case Armed(now=armed):
                self._armed = armed
            case Identify():
                self._identify_until = now + IDENTIFY_S
        return self.wake(now)

    def due(self) -> float:
        return min(self._turn_at, self._change_at)

    def wake(self, now: float) -> Iterator[Show | Looks]:
        view = self._choose(now)
        ends = (self._beat_until, self._identify_until)
        self._change_at = min((end for end in ends if end > now), default=math.inf)
        if view != self._view:
            self._view = view
            self._first_half = True
            self._turn_at = now + TURNS_S.get(view.look, math.inf)
            yield Looks(view)
        elif now >= self._turn_at:
            self._first_half = not self._first_half
            half_s = TURNS_S[view.look]
            # Late by more than a turn, it goes on from here: no flicker to make up for lost time.
            self._turn_at = max(self._turn_at + half_s, now + half_s / 2)
        lamps = self._lamps_of(view)
        if lamps != self._lamps:
            self._lamps = lamps
            yield lamps

    def _choose(self, now: float) -> LedView:
        if self._armed:
            return BOTH_FAST
        if now < self._identify_until:
            return IN_TURN
        if self._faulty:
            return SOLID_RED
        return BLINKING if self._started and now < self._beat_until else SOLID_GREEN

    def _lamps_of(self, view: LedView) -> Show:
        if view == IN_TURN:
            return Show(red=self._first_half, green=not self._first_half)
        lit = self._first_half or view.look not in TURNS_S
        return Show(red=view.red and lit, green=view.green and lit)
