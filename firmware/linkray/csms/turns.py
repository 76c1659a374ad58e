"""Who dials the CSMS when: chargers one after the other, so that 32 are not one burst. Pure."""

from __future__ import annotations

import math

DIALS_APART_S = 0.5  # trust.md A40: at most two attempts a second, of all chargers together


class Turns:
    """Hands out moments to dial, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._next = -math.inf

    def take(self, now: float) -> float:
        """When whoever wants to dial now may do so; nobody else is given that moment."""
        at = max(now, self._next)
        self._next = at + DIALS_APART_S
        return at
