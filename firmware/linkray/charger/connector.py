"""One connector of a charger: its status, what it draws, its session and its offers."""

from __future__ import annotations

import math

from linkray.model.facts import AnyFact, Drawn, Status, StatusSeen
from linkray.model.views import ConnectorView

from .bucket import Bucket
from .measured import Measured
from .sessions import Running
from .told import Teller

DRAWN_RATE = 2.0  # facts a second from one connector; a charger sends one each 5 s at the most
DRAWN_BURST = 4.0
STATUS_RATE = 2.0
STATUS_BURST = 10.0  # one by one through all its states is no storm


class Connector:
    """What is known of a connector. Facts of a storm are kept back, the newest is told (C29, A34)."""

    __slots__ = ("_charger", "_drawn_bucket", "_held", "_status_bucket", "charged", "energy_wh",
                 "id", "measured", "sampled", "status", "teller")  # fmt: skip

    def __init__(self, charger: str, number: int) -> None:
        self._charger = charger
        self.id = number
        self.status: Status | None = None
        self.charged = False  # its status was Charging since the session began
        self.sampled = False  # it has told what it draws since the session began
        self.energy_wh: int | None = None  # of the last transaction
        self.measured = Measured(charger, number)
        self.teller = Teller(charger, number)
        self._drawn_bucket = Bucket(DRAWN_RATE, DRAWN_BURST)
        self._status_bucket = Bucket(STATUS_RATE, STATUS_BURST)
        self._held: dict[type[AnyFact], AnyFact] = {}

    def drawn(self, drawn: Drawn, now: float) -> Drawn | None:
        """The fact, if it may be told now; else it is kept for `flush`."""
        self.sampled = True
        if self._drawn_bucket.take(now):
            self._held.pop(Drawn, None)
            return drawn
        self._held[Drawn] = drawn
        return None

    def seen(self, status: Status, now: float) -> StatusSeen | None:
        """A fresh status; the fact, if it may be told now."""
        self.status = status
        self.charged = self.charged or status == "Charging"
        fact = StatusSeen(self._charger, self.id, status, now)
        if self._status_bucket.take(now):
            self._held.pop(StatusSeen, None)
            return fact
        self._held[StatusSeen] = fact
        return None

    def held_until(self) -> float:
        """When what was kept back may be told."""
        due = math.inf
        if Drawn in self._held:
            due = self._drawn_bucket.next_at()
        if StatusSeen in self._held:
            due = min(due, self._status_bucket.next_at())
        return due

    def flush(self, now: float) -> list[AnyFact]:
        """What was kept back and may be told now."""
        told: list[AnyFact] = []
        if StatusSeen in self._held and self._status_bucket.take(now):
            told.append(self._held.pop(StatusSeen))
        if Drawn in self._held and self._drawn_bucket.take(now):
            told.append(self._held.pop(Drawn))
        return told

    def began(self, run: Running, now: float) -> None:
        self.charged = self.status == "Charging"
        self.sampled = False
        self.measured.began(run.meter_start_wh, now)
        self.teller.session_began()

    def ended(self, run: Running) -> None:
        self.energy_wh = run.energy_wh
        self.measured.ended()
        self.teller.session_ended()

    def view(self, run: Running | None, now: float) -> ConnectorView:
        """What is shown. A measured current that has gone stale is not (trust.md C9).

        A charger that does not say what is drawn is shown with what it was offered, as assumed.
        """
        drawn = self.measured.current(now)
        offered = self.teller.offered
        if drawn is None and not self.sampled and run is not None and offered is not None:
            drawn = self.measured.assumed(offered, now)
        return ConnectorView(
            id=self.id,
            status=self.status,
            transaction_id=None if run is None else run.id,
            offer_ma=offered,
            drawn_ma=None if drawn is None else drawn.current_ma,
            energy_wh=self.energy_wh if run is None else run.energy_wh,
            tag=None if run is None else run.tag,
            started=None if run is None else run.started,
            source=None if drawn is None else drawn.source,
        )
