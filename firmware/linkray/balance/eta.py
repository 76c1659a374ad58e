"""What part of its power a charger in watts passes on, as it shows (decided.md, DC efficiency).

Told so many watts it gives them to the car and draws more from the site. Planned with 0.85 until
learned; then with the lowest of its newest sessions less 0.02. A value below what is planned with
holds at once, so that no offer passes a limit while it is being learned.
"""

from __future__ import annotations

from collections import deque

ETA_MIN = 850  # in 1/1000: until learned, and never below
ETA_MAX = 1_000
SESSIONS = 10  # the newest, whose lowest counts
SESSIONS_MIN = 3  # fewer have shown too little: one car may never have taken all it was offered
LESS = 20
SHOWN_MIN = 800  # a charger that draws still more is not inefficient: it does not obey
LEAST_MA = 3_000  # below this a charger's own consumption weighs too much


class Efficiency:
    """Of one charger: what its sessions have shown, and what to plan with."""

    __slots__ = ("_running", "planned", "sessions")

    def __init__(self) -> None:
        self.sessions: deque[int] = deque(maxlen=SESSIONS)
        self._running: dict[int, int] = {}  # by connector: the lowest of the session that runs
        self.planned = ETA_MIN

    def told(self, sessions: tuple[int, ...]) -> None:
        """What earlier sessions have shown, as it was kept."""
        self.sessions = deque((s for s in sessions if s <= ETA_MAX), maxlen=SESSIONS)
        self._plan()

    def lasting(self) -> tuple[int, ...]:
        """What its sessions have shown, for one that knows nothing of those that run; nothing
        where these show less.
        """
        running = min(self._running.values(), default=ETA_MAX)
        is_less = running < min(self.sessions, default=ETA_MIN) - LESS
        return () if is_less else tuple(self.sessions)

    def shown(self, connector: int, eta: int) -> bool:
        """A session has shown this; returns whether it is to be planned with less from now on.

        Above 1 the car did not take all of it, or the charger tells what it gives instead of what
        it draws (trust.md B15): that says nothing.
        """
        if not SHOWN_MIN <= eta <= ETA_MAX:
            return False
        if eta < self._running.get(connector, ETA_MAX + 1):
            self._running[connector] = eta
        before = self.planned
        self._plan()
        return self.planned < before

    def ended(self, connector: int) -> bool:
        """Its session is over; returns whether it has shown something."""
        shown = self._running.pop(connector, None)
        if shown is not None:
            self.sessions.append(shown)
        self._plan()
        return shown is not None

    def _plan(self) -> None:
        known = len(self.sessions) >= SESSIONS_MIN
        learned = min(self.sessions) - LESS if known else ETA_MIN
        lowest = min([learned, *self._running.values()])
        self.planned = min(ETA_MAX, max(ETA_MIN, lowest))
