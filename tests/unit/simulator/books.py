"""Made-up books: what a charger with two connectors had to report, and what a CSMS was told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from tools.simulator.conservation import Account, conserve
from tools.world.csms_book import Book, Told
from tools.world.reported import Reported, Session

YES = {"status": "Accepted"}


def at(minute: int) -> str:
    return f"2026-06-15T12:{minute:02d}:00.000Z"


def sample(wh: int) -> list[dict[str, Any]]:
    return [
        {"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "16.00", "measurand": "Current.Import", "unit": "A"},
    ]


@dataclass(frozen=True)
class Call:
    """One call as it reaches the CSMS, and what that makes of it."""

    id: str
    action: str
    payload: dict[str, Any]
    given: Any = None  # the transaction's id, in a start's answer
    status: str = "Accepted"
    error: str | None = None
    link: int = 1
    is_lost: bool = False
    is_spoilt: bool = False
    charger: str = "C1"

    def but(self, **other: Any) -> Call:
        """The same with other fields in its payload."""
        return replace(self, payload={**self.payload, **other})


@dataclass
class Two:
    """Two sessions of C1 that run beside each other, and all the calls that tell of them rightly.

    Connector 1: TAG1, 100 to 900 Wh, CSMS id 71. Connector 2: TAG2, 50 to 450 Wh, CSMS id 72. At
    the charger their ids are 1 and 2.
    """

    reported: Reported = field(default_factory=lambda: Reported("C1"))
    book: Book = field(default_factory=Book)
    calls: dict[str, Call] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.reported.keeps_readings = True
        one = self._start("start1", 1, "TAG1", 100, 0, 1, 71)
        two = self._start("start2", 2, "TAG2", 50, 1, 2, 72)
        self._read("read1", one, 1, 300, 2, 71)
        self._read("read2", two, 2, 200, 3, 72)
        self._stop("stop1", one, 900, 4, 1, 71)
        self._stop("stop2", two, 450, 5, 2, 72)

    def _start(
        self, name: str, connector: int, tag: str, wh: int, minute: int, own: int, given: int
    ) -> Session:
        session = self.reported.began(connector, tag, wh, at(minute))
        payload = {"connectorId": connector, "idTag": tag, "meterStart": wh,
                   "timestamp": at(minute)}  # fmt: skip
        self.reported.sent(session.start, name, payload)
        self.reported.answered(session.start, {"transactionId": own, "idTagInfo": YES})
        self.calls[name] = Call(name, "StartTransaction", payload, given)
        self.sessions.append(session)
        return session

    def _read(
        self, name: str, session: Session, own: int, wh: int, minute: int, given: int
    ) -> None:
        reading = self.reported.read(session.connector, session, at(minute), sample(wh))
        value = {"timestamp": at(minute), "sampledValue": sample(wh)}
        payload = {"connectorId": session.connector, "transactionId": own, "meterValue": [value]}
        self.reported.sent(reading, name, payload)
        self.reported.answered(reading, {})
        self.calls[name] = Call(name, "MeterValues", {**payload, "transactionId": given})

    def _stop(
        self, name: str, session: Session, wh: int, minute: int, own: int, given: int
    ) -> None:
        said = self.reported.ended(session, wh, at(minute), "Local")
        payload = {"transactionId": own, "meterStop": wh, "timestamp": at(minute),
                   "reason": "Local", "idTag": session.tag}  # fmt: skip
        self.reported.sent(said, name, payload)
        self.reported.answered(said, {"idTagInfo": YES})
        self.calls[name] = Call(name, "StopTransaction", {**payload, "transactionId": given})

    # -- the CSMS --------------------------------------------------------------------------------

    def tell(self, *calls: str | Call, after_s: float = 10.0) -> Two:
        """So it is told, one after another."""
        for named in calls:
            call = self.calls[named] if isinstance(named, str) else named
            self.now += after_s
            text = json.dumps([2, call.id, call.action, call.payload])
            told = self.book.note(self.now, call.charger, call.link, call.id, call.action, text)
            self._answer(told, call)
        return self

    def _answer(self, told: Told, call: Call) -> None:
        if call.error is not None:
            told.error, told.answered_at = call.error, self.now
            return
        told.answer = {"idTagInfo": {"status": call.status}}
        if call.action == "StartTransaction":
            told.answer["transactionId"] = call.given
        told.is_lost, told.is_spoilt = call.is_lost, call.is_spoilt
        told.answered_at = None if call.is_lost else self.now

    def account(self, **how: Any) -> Account:
        return conserve([self.reported], self.book, seed=9, now=self.now + 60, **how)

    def wrong(self, **how: Any) -> list[tuple[str, str]]:
        """Which invariant does not hold, and how."""
        return [(v.invariant, v.state["what"]) for v in self.account(**how).violations]
