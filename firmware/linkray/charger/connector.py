"""One connector of a charger: its status, what it draws, its session and its offers."""

from __future__ import annotations

import math

from linkray.model.facts import Status, StatusSeen
from linkray.model.views import ConnectorView
from linkray.ocpp.messages import MeterValue

from .bucket import Bucket
from .measured import Measured
from .sessions import Running
from .told import Teller

VALUES_RATE = 1.0  # MeterValues a second that are looked into; a charger sends them each 5 s
VALUES_BURST = 6.0  # some send one message for each measurand
ASK_INTERVALS = 2  # a session's values that old are asked for, before they count as stale
ASK_S_MAX = 300.0  # how rarely one is asked that gives none …
DOUBLED_MAX = 6  # … after so many times twice the pause
STATUS_RATE = 2.0
STATUS_BURST = 10.0  # one by one through all its states is no storm


class Connector:
    """What is known of a connector. Of a storm of facts the newest is told (C29, A34)."""

    __slots__ = ("_charger", "_held", "_is_stale", "_status_bucket", "_values",
                 "_values_bucket", "ask_at", "asks", "begin_at", "begins", "charged",
                 "energy_wh", "id", "measured", "sampled", "service_at", "status", "teller",
                 "values_wanted")  # fmt: skip

    def __init__(self, charger: str, number: int, *, is_capped: bool = False) -> None:
        self._charger = charger
        self.id = number
        self.status: Status | None = None
        self.charged = False  # its status was Charging since the session began
        self.sampled = False  # it has told what it draws since the session began
        self.energy_wh: int | None = None  # of the last transaction
        self.measured = Measured(charger, number)
        self.teller = Teller(charger, number, is_capped=is_capped)
        self.ask_at = math.inf  # when values are asked for that have not come by themselves
        self.asks = 0
        self.values_wanted: int | None = None  # as the plan counts them; None: none seen yet
        self.begin_at = math.inf  # when a car that waits is begun for (needs_remote_start)
        self.begins = 0
        self.service_at = math.inf  # when ChangeAvailability is asked again
        self._values_bucket = Bucket(VALUES_RATE, VALUES_BURST)
        self._status_bucket = Bucket(STATUS_RATE, STATUS_BURST)
        self._held: StatusSeen | None = None
        self._values: tuple[MeterValue, ...] = ()
        self._is_stale = False

    def turns_stale(self, now: float) -> bool:
        """Whether its values have stopped (C9), said once."""
        was, self._is_stale = self._is_stale, now >= self.measured.stale_at()
        return self._is_stale and not was

    def admits(self, values: tuple[MeterValue, ...], now: float) -> bool:
        """Whether these are looked into now; else they wait for `waiting`, the newest alone."""
        if self._values_bucket.take(now):
            self._values = ()
            return True
        self._values = values
        return False

    def waiting(self, now: float) -> tuple[MeterValue, ...]:
        """Values of a storm that may be looked into now; empty: none."""
        if not self._values or not self._values_bucket.take(now):
            return ()
        return self.all_waiting()

    def all_waiting(self) -> tuple[MeterValue, ...]:
        """Values that wait, at once: the session they belong to ends."""
        values, self._values = self._values, ()
        return values

    def seen(self, status: Status, now: float) -> StatusSeen | None:
        """A fresh status; the fact, if it may be told now."""
        self.status = status
        self.charged = self.charged or status == "Charging"
        fact = StatusSeen(self._charger, self.id, status, now)
        if self._status_bucket.take(now):
            self._held = None
            return fact
        self._held = fact
        return None

    def held_until(self) -> float:
        """When what was kept back may be told or looked into."""
        due = self._values_bucket.next_at() if self._values else math.inf
        return due if self._held is None else min(due, self._status_bucket.next_at())

    def flush(self, now: float) -> StatusSeen | None:
        """A status that was kept back and may be told now."""
        fact = self._held
        if fact is None or not self._status_bucket.take(now):
            return None
        self._held = None
        return fact

    def expect_values(self, interval_s: float, now: float) -> None:
        """A session has begun, or its newest values came: more are due within two intervals."""
        self.asks = 0
        self.ask_at = now + ASK_INTERVALS * interval_s

    def values_asked(self, interval_s: float, now: float) -> None:
        """One that gives none is asked more and more rarely."""
        self.asks += 1
        pause_s = ASK_INTERVALS * interval_s * 2.0 ** min(self.asks, DOUBLED_MAX)
        self.ask_at = now + min(ASK_S_MAX, pause_s)

    def began(self, run: Running, now: float, *, found: bool = False) -> None:
        self.charged = self.status == "Charging"
        self.sampled = False
        self._values = ()
        self.measured.began(run.meter_start_wh, now)
        self.teller.session_began(found=found)

    def ended(self, run: Running) -> None:
        self.energy_wh = run.energy_wh
        self._values = ()
        self.ask_at = math.inf
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
