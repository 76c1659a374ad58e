"""How long the reset button is held, and what that means (board.md, Reset button).

| held          | while held          | on release                                     |
|---------------|---------------------|------------------------------------------------|
| under 5 s     |                     | reopens first login for 30 min (trust.md 4, 5) |
| 5 s to 30 s   | armed: LED fast     | factory reset                                  |
| 30 s and more | disarmed: it sticks | nothing                                        |
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from .look import Armed

ARM_S = 5.0
STUCK_S = 30.0


class Pressed(msgspec.Struct, frozen=True):
    """The button has gone down (True) or up."""

    now: bool


class FactoryReset(msgspec.Struct, frozen=True):
    """Whoever stands at the box wants it back at factory."""


class ReopenFirstLogin(msgspec.Struct, frozen=True):
    """Whoever stands at the box wants to sign in with the first password."""


Wanted = FactoryReset | ReopenFirstLogin


class Button:
    """The button's core. A release without a press (held since before the start) means nothing."""

    def __init__(self) -> None:
        self._down_at: float | None = None
        self._armed = False
        self._due = math.inf

    def feed(self, item: Pressed, now: float) -> Iterator[Armed | Wanted]:
        if item.now:
            if self._down_at is None:
                self._down_at = now
                self._due = now + ARM_S
            return
        if self._down_at is None:
            return
        down_at = self._down_at
        self._down_at, self._due = None, math.inf
        if self._armed:
            self._armed = False
            yield Armed(False)
        if now < down_at + ARM_S:
            yield ReopenFirstLogin()
        elif now < down_at + STUCK_S:
            yield FactoryReset()

    def due(self) -> float:
        return self._due

    def wake(self, now: float) -> Iterator[Armed | Wanted]:
        if self._down_at is None:
            return
        self._armed = now < self._down_at + STUCK_S
        self._due = self._down_at + STUCK_S if self._armed else math.inf
        yield Armed(self._armed)
