"""The time that a charger is told: LinkRay's own, but without a jump while it charges.

A charger may reckon its schedules on its clock: set back in a session, a profile of OCPP 1.6 has
not begun and nothing limits the car; set ahead, its fail-safe rules at once. A step of our clock
lifts no limit (trust.md 1, INV-5; T2), so that the charger takes it when nothing runs there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .freshness import MINUTE_S

SLEWED_S = 1.0  # what a clock is corrected by unnoticed between two heartbeats
CROSSES_S = 60.0  # what a charger stamped before our word came is here by then
HELD_FAR_S = 30 * 86_400.0  # further than any zone, or a session's age, makes a stamp differ
OURS_S = 86_400.0  # so near to ours a stamp is by our time, in whichever zone


class ToldTime:
    """What one charger's clock reads by our word; it outlives the link."""

    __slots__ = ("_back", "_told", "is_behind", "off_s")

    def __init__(self, off_s: float = 0.0, *, is_behind: bool = False) -> None:
        self.off_s = off_s  # what it was told last, less our wall clock at that time
        self._told: tuple[float, datetime] | None = None
        self._back = (0.0, 0.0)  # by how much it was set back last, and when
        self.is_behind = is_behind  # the start of its session, until it is told a time again

    def at(self, wall: datetime, now: float) -> datetime:
        """What its clock reads now."""
        if self._told is None:
            return wall + timedelta(seconds=self.off_s)
        at, utc = self._told
        return utc + timedelta(seconds=now - at)

    def off_at(self, wall: datetime, now: float) -> float:
        """How far its clock is ahead of ours, by our word."""
        return (self.at(wall, now) - wall).total_seconds()

    def goes_on(self, wall: datetime, now: float, off_s: float) -> None:
        """Its first link: from here on a step of our clock is none of its own. `off_s`: how far
        its clock is ahead, by the session that was found where ours was set since it was told.
        """
        if self._told is None:
            self.off_s = off_s
            self._told = now, wall + timedelta(seconds=self.off_s)

    def tell(self, wall: datetime, now: float, *, is_charging: bool) -> datetime:
        """What to tell it now."""
        off_s = self.off_at(wall, now)
        keeps = is_charging and abs(off_s) > SLEWED_S
        told = self.at(wall, now) if keeps else wall
        if not keeps and off_s > SLEWED_S:
            self._back = off_s, now
        self.off_s = off_s if keeps else 0.0
        self._told = now, told
        self.is_behind = False
        return told

    def takes_back(self, lead_s: float, wall: datetime, now: float) -> bool:
        """A session began so far ahead of what its clock reads. Where it was set back just now, the
        session began before that: the clock goes on as it was, from our next word on. A lead of
        less than that is the charger's own way (quirks.md, Time).
        """
        back_s, at = self._back
        least_s = max(SLEWED_S, back_s - CROSSES_S - MINUTE_S)
        if now - at > CROSSES_S or not least_s < lead_s <= back_s + SLEWED_S:
            return False
        self._told = now, self.at(wall, now) + timedelta(seconds=back_s)
        self._back = 0.0, 0.0
        self.is_behind = True
        return True

    def began_by_ours(self, given: datetime, wall: datetime, now: float) -> bool:
        """A session began `given`, by our time, though the charger was told one far from it (an
        open session may be one whose end never came): it is held there no more.
        """
        is_far = abs(self.off_at(wall, now)) > HELD_FAR_S
        if not is_far or abs((given - wall).total_seconds()) > OURS_S:
            return False
        self._told = now, wall
        self.is_behind = True  # its clock may have taken our word since
        return True
