"""One connector: its car, session, pilot and meter. Amounts are on the charger's own phases."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tools.world.car import LEAST_MA, NOTHING, Car, Three
from tools.world.profiles import Limit, Running
from tools.world.reported import Session


@dataclass
class Transaction:
    """A session as the charger knows it; its id comes with StartTransaction's answer."""

    tag: str
    began: float  # charger's clock, seconds
    meter_start_wh: int
    booked: Session  # the same in the charger's book
    id: int | None = None
    began_at: str = ""
    ended_because: str | None = None

    @property
    def running(self) -> Running:
        return Running(self.id, self.began)


@dataclass
class Connector:
    """What happens at one socket."""

    number: int
    status: str = "Available"
    error: str = "NoError"
    is_operative: bool = True
    car: Car | None = None
    transaction: Transaction | None = None
    tag: tuple[str, float] | None = None  # authorised, waits for a car until then
    remote_profile: dict[str, object] | None = None  # came with RemoteStartTransaction
    energy_mwh: float = 0.0
    pilot_ma: int = 0
    drawn_ma: Three = NOTHING
    sample_at: float = 0.0
    has_pilot: bool = False  # since the session began
    frozen: Limit | None = None  # ignores profiles and stays on this
    is_stuck: bool = False  # was told 0 A once and does not come back from it
    told: tuple[object, float, float, Limit] | None = field(default=None, repr=False)
    _heard: deque[tuple[float, Limit]] = field(default_factory=deque, repr=False)
    _obeyed: Limit | None = field(default=None, repr=False)

    @property
    def energy_wh(self) -> int:
        """Its register, as whole Wh."""
        return int(self.energy_mwh / 1000)

    def is_in_use(self) -> bool:
        """Whether time changes anything here."""
        return (
            self.transaction is not None
            or self.car is not None
            or self.tag is not None
            or self.pilot_ma > 0
            or self.drawn_ma != NOTHING
        )

    def session_began(self) -> None:
        """A new session obeys what is in force at once."""
        self._heard.clear()
        self._obeyed = None
        self.has_pilot = False
        self.is_stuck = False

    def obeyed(self, now: float, wanted: Limit, obey_s: float, *, ignores_raises: bool) -> Limit:
        """The limit in force: what was wanted `obey_s` ago."""
        if self.frozen is not None:
            return self.frozen
        if self._obeyed is None:
            self._obeyed = wanted
        if wanted != (self._heard[-1][1] if self._heard else self._obeyed):
            self._heard.append((now, wanted))
        while self._heard and self._heard[0][0] + obey_s <= now + 1e-9:
            heard = self._heard.popleft()[1]
            if not (ignores_raises and heard.ma > self._obeyed.ma):
                self._obeyed = heard
        return self._obeyed

    def flow(self, pilot_ma: int, phases: int, volts_mv: Three, dt: float) -> None:
        """Let the car draw for `dt` and count the energy."""
        self.pilot_ma = pilot_ma if pilot_ma >= LEAST_MA else 0
        self.has_pilot = True
        if self.car is None:
            self.drawn_ma = NOTHING
            return
        self.drawn_ma = self.car.step(self.pilot_ma, phases, volts_mv, dt)
        drawn = self.drawn_ma
        watts = (drawn[0] * volts_mv[0] + drawn[1] * volts_mv[1] + drawn[2] * volts_mv[2]) / 1e6
        self.energy_mwh += watts * dt / 3.6

    def charging_status(self) -> str:
        """The status of a connector with a session."""
        if not self.has_pilot:
            return "Preparing"
        if self.pilot_ma == 0:
            return "SuspendedEVSE"
        if any(self.drawn_ma) or (self.car is not None and self.car.is_starting):
            return "Charging"
        return "SuspendedEV"
