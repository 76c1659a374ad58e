"""A token bucket: so much at once, so much a second (trust.md C29, A34). Knows no clock."""

from __future__ import annotations


class Bucket:
    """`burst` at once, `rate` a second after that."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more may pass now."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def next_at(self) -> float:
        """When the next one may pass, if none does before."""
        return self._at + max(0.0, 1.0 - self._tokens) / self._rate + 0.001
