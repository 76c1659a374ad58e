"""What a connector can use: its maximum, until its car has shown less (balancing.md 2)."""

from __future__ import annotations

from collections.abc import Callable

SHOWN_S = 60.0  # a car that uses less has shown it after this time
STEP_MA = 6_000  # by which a demand grows back
NEAR_MA = 1_000  # use this close to the offer asks for more; closer where the threshold is small
CREEP_MA = 1_000  # a demand is not lowered again by less: a battery's taper moves it all the time
IDLE_MA = 500  # below this a car draws nothing
IDLE_S = 300.0  # a car that draws nothing for so long is full or asleep
SETTLED_S = 10.0  # how long an offer must have stood before `SuspendedEV` is the car's own doing
WAKE_EVERY_S = 900.0  # a sleeping car is offered its minimum again so often
WAKE_S = 60.0  # and for so long
NEVER = float("inf")


class Demand:
    """What one session has shown of its use. The maximum comes with each call: it may change."""

    __slots__ = (
        "_idle_since", "_is_waking", "_low_peak_ma", "_low_since", "_near_ma", "asleep", "kept",
        "offered_since", "wake_at", "wake_until", "want_ma",
    )  # fmt: skip

    def __init__(self) -> None:
        self.want_ma: int | None = None  # None: the maximum
        self._low_since: float | None = None
        self._low_peak_ma = 0
        self._near_ma = NEAR_MA
        self._idle_since: float | None = None
        self.asleep = False
        self.kept = True  # asleep, and still offered its minimum
        self.wake_at = NEVER
        self.wake_until = -NEVER
        self._is_waking = False  # its minimum is on its way; the minute begins when it is in force
        self.offered_since: float | None = None  # since when an offer above 0 is in force

    def in_force(self, offer_ma: int, now: float) -> None:
        """The offer that the charger has accepted, told each tick."""
        if offer_ma <= 0:
            self.offered_since = None
            self._idle_since = None
        elif self.offered_since is None:
            self.offered_since = now
            if self._is_waking:
                self._is_waking, self.wake_until = False, now + WAKE_S

    def sample(
        self, used_ma: int, offer_ma: int, least_ma: int, threshold_ma: int, at: float,
        offer_for: Callable[[int], int],
    ) -> None:  # fmt: skip
        """A fresh measurement, where a car that takes all would draw `offer_ma` at least;
        `offer_for` gives the offer that lets so much be drawn.
        """
        # What it uses and the threshold must not itself ask for more (Calm).
        self._near_ma = min(NEAR_MA, threshold_ma // 2)
        if used_ma >= IDLE_MA:
            self._idle_since = None
            self.wake()
        elif self.offered_since is not None and not self.asleep:
            if self._idle_since is None:
                self._idle_since = at
            elif at - self._idle_since >= IDLE_S:
                self._sleep()
        if offer_ma <= 0 or used_ma >= offer_ma - threshold_ma:
            self._low_since = None
            return
        if self._low_since is None:
            self._low_since, self._low_peak_ma = at, used_ma
            return
        self._low_peak_ma = max(self._low_peak_ma, used_ma)
        if at - self._low_since >= SHOWN_S:
            shown = max(least_ma, offer_for(self._low_peak_ma + threshold_ma))
            if self.want_ma is None or shown <= self.want_ma - CREEP_MA:  # Calm (INV-15)
                self.want_ma = shown
            self._low_since, self._low_peak_ma = at, used_ma

    def suspended(self, now: float) -> None:
        """The car says that it does not want what is offered (`SuspendedEV`)."""
        if self.offered_since is not None and now - self.offered_since >= SETTLED_S:
            self._sleep()

    def _sleep(self) -> None:
        if not self.asleep:
            self.asleep, self.kept, self.wake_at = True, True, NEVER
            self._is_waking = False

    def wake(self) -> None:
        """The car draws again, or says so."""
        self.asleep = False

    def grow(self, used_ma: int | None, offer_ma: int, max_ma: int) -> None:
        """Each tick: use that comes close to the offer in force lets it grow, a step at a time."""
        if self.want_ma is None or offer_ma <= 0:
            return
        if used_ma is not None and used_ma >= offer_ma - self._near_ma:
            self.want_ma += STEP_MA
        if self.want_ma >= max_ma:
            self.want_ma = None

    def may_keep(self, now: float) -> bool:
        """Asleep: whether its minimum is to be offered now, should there be room."""
        return self.kept or now < self.wake_until or now >= self.wake_at

    def served(self, now: float, *, has_room: bool) -> None:
        """Asleep: what became of it. Without room it is offered 0 and woken every 15 min."""
        if self.kept:
            if not has_room:
                self.kept, self.wake_at = False, now + WAKE_EVERY_S
        elif has_room and now >= self.wake_at:
            self._is_waking = self.offered_since is None
            self.wake_until, self.wake_at = now + WAKE_S, now + WAKE_EVERY_S
