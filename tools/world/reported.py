"""What a charger truly had to report, and what it said of it: what a CSMS's book is held against.

The truth is noted where it happens (a session begins, ends, a meter is read), the saying where the
bytes leave and the answers come. Nothing a charger does depends on it.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Literal

from tools.world.schemas import Json

PRINT_BYTES = 4


@dataclass(slots=True)
class Said:
    """One start or stop, however often it was sent.

    Order numbers count all that one charger sent and was answered; 0: not yet.
    """

    payload: Json = field(default_factory=dict)  # as it was sent last
    ids: list[str] = field(default_factory=list)  # of the frames it was sent in
    first_sent: int = 0
    answered: int = 0  # its first result


@dataclass(slots=True)
class Reading:
    """One reading of the meter in a MeterValues. Of what was read only prints are kept: a week of
    32 chargers has two million readings.
    """

    stamp: str
    prints: bytes  # PRINT_BYTES of each sampled value
    is_named: bool = False  # it was first sent with a transaction's id
    first_sent: int = 0
    last_sent: int = 0
    answered: int = 0


@dataclass(slots=True)
class Session:
    """A transaction as it truly was."""

    charger: str
    connector: int
    tag: str
    meter_start_wh: int
    began_at: str  # by the charger's clock, as it tells it
    start: Said = field(default_factory=Said)
    ids: list[object] = field(default_factory=list)  # what its start was answered, each once
    was_refused: bool = False  # an answer to its start did not accept its tag
    meter_stop_wh: int | None = None
    ended_at: str | None = None
    reason: str | None = None
    stop: Said | None = None  # None: it goes on
    readings: list[Reading] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """A text on the charger's link; `way` is the charger's. Links are counted from 1."""

    at: float
    link: int
    way: Literal["out", "in"]
    text: str


class Reported:
    """One charger's truth. Sessions are kept always, readings and frames where somebody asks."""

    def __init__(self, charger: str) -> None:
        self.charger = charger
        self.keeps_readings = False
        self.keeps_frames = False
        self.sessions: list[Session] = []
        self.idle: list[tuple[int, Reading]] = []  # connector, what was read without a session
        self.frames: list[Frame] = []
        self.loose: set[str] = set()  # ids of frames that a scene made up: they mean nothing
        self._order = 0

    # -- what happens --------------------------------------------------------------------------

    def began(self, connector: int, tag: str, meter_wh: int, stamp: str) -> Session:
        session = Session(self.charger, connector, tag, meter_wh, stamp)
        self.sessions.append(session)
        return session

    def ended(self, session: Session, meter_wh: int, stamp: str, reason: str) -> Said:
        session.meter_stop_wh, session.ended_at, session.reason = meter_wh, stamp, reason
        session.stop = Said()
        return session.stop

    def read(
        self, connector: int, session: Session | None, stamp: str, values: list[Json]
    ) -> Reading | None:
        if not self.keeps_readings:
            return None
        reading = Reading(stamp, b"".join(map(print_of, values)))
        if session is None:
            self.idle.append((connector, reading))
        else:
            session.readings.append(reading)
        return reading

    # -- what is said --------------------------------------------------------------------------

    def sent(self, about: Said | Reading | None, message_id: str, payload: Json) -> None:
        """A call leaves."""
        self._order += 1
        if about is None:
            return
        if isinstance(about, Said):
            about.payload = payload
            about.ids.append(message_id)
        else:
            about.is_named = about.is_named if about.first_sent else "transactionId" in payload
            about.last_sent = self._order
        about.first_sent = about.first_sent or self._order

    def answered(self, about: Said | Reading | None, payload: object) -> None:
        """Its result has come."""
        self._order += 1
        if about is None:
            return
        about.answered = about.answered or self._order
        if isinstance(about, Said) and isinstance(payload, dict) and "transactionId" in payload:
            session = next(one for one in reversed(self.sessions) if one.start is about)
            if payload["transactionId"] not in session.ids:
                session.ids.append(payload["transactionId"])

    def made_up(self, text: str) -> None:
        """A scene says anything."""
        with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
            self.loose.add(str(json.loads(text)[1]))

    def framed(self, at: float, link: int, way: Literal["out", "in"], text: str) -> None:
        if self.keeps_frames:
            self.frames.append(Frame(at, link, way, text))


def print_of(value: Json) -> bytes:
    """What a sampled value is known by."""
    return zlib.crc32(json.dumps(value, sort_keys=True).encode()).to_bytes(PRINT_BYTES)


def prints_in(prints: bytes) -> set[bytes]:
    return {prints[n : n + PRINT_BYTES] for n in range(0, len(prints), PRINT_BYTES)}
