"""Two books out of frames: what foreign chargers said, and what a foreign CSMS was told.

Both are heard where the frames come and go (`foreign_wire.py`), by one clock, and made into what
`tools/simulator/conservation.py` holds against each other. What a charger says is taken for true.
"""

from __future__ import annotations

import json
from typing import Any

from tools.world.csms_book import Book, Told
from tools.world.reported import Reading, Reported, Said, Session

Frame = dict[str, Any]


def frames_of(lines: list[Any]) -> list[Frame]:
    """The frames among what a process has told."""
    return [line for line in lines if isinstance(line, dict) and "way" in line]


def book_of(lines: list[Any]) -> Book:
    """What a CSMS was told and gave."""
    book = Book()
    opened: dict[tuple[str, str], Told] = {}
    for one in frames_of(lines):
        frame = json.loads(one["text"])
        key = one["charger"], str(frame[1])
        if one["way"] == "in" and frame[0] == 2:
            opened[key] = book.note(
                one["at"], one["charger"], one["link"], key[1], frame[2], one["text"]
            )
        elif one["way"] == "out" and frame[0] != 2 and key in opened:
            told = opened.pop(key)
            told.answered_at = one["at"]
            if frame[0] == 3:
                told.answer = frame[2]
            else:
                told.error = frame[2]
    return book


def reported_of(lines: list[Any]) -> list[Reported]:
    """What chargers had to report, by their own words."""
    truths: dict[str, _Truth] = {}
    for one in frames_of(lines):
        truth = truths.setdefault(one["charger"], _Truth(one["charger"]))
        frame = json.loads(one["text"])
        if one["way"] == "out" and frame[0] == 2:
            truth.said(str(frame[1]), frame[2], frame[3])
        elif one["way"] == "in" and frame[0] == 3:
            truth.reported.answered(truth.about.pop(str(frame[1]), None), frame[2])
    return [truth.reported for truth in truths.values()]


class _Truth:
    """One charger's."""

    def __init__(self, charger: str) -> None:
        self.reported = Reported(charger)
        self.reported.keeps_readings = True
        self.about: dict[str, Said | Reading | None] = {}

    def said(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        about: Said | Reading | None = None
        if action == "StartTransaction":
            about = self._start(payload)
        elif action == "StopTransaction":
            about = self._stop(payload)
        elif action == "MeterValues":
            session = self._of(payload.get("transactionId"))
            for value in payload["meterValue"]:
                about = self.reported.read(
                    payload["connectorId"], session, value["timestamp"], value["sampledValue"]
                )
        self.about[message_id] = about
        self.reported.sent(about, message_id, payload)

    def _of(self, transaction: Any) -> Session | None:
        """The newest that was answered with this number."""
        return next((s for s in reversed(self.reported.sessions) if transaction in s.ids), None)

    def _start(self, told: dict[str, Any]) -> Said:
        for one in self.reported.sessions:
            if one.start.payload == told:
                return one.start
        return self.reported.began(
            told["connectorId"], told["idTag"], told["meterStart"], told["timestamp"]
        ).start

    def _stop(self, told: dict[str, Any]) -> Said | None:
        session = self._of(told["transactionId"])
        if session is None:
            return None
        if session.stop is not None:
            return session.stop
        return self.reported.ended(
            session, told["meterStop"], told["timestamp"], told.get("reason", "Local")
        )
