"""What a simulated CSMS was told, gave and asked, in the order of arrival: it judges nothing."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import trio

from tools.world.schemas import Json

_decoder = json.JSONDecoder()


@dataclass
class Knock:
    """One connection that somebody tried to make, and what came of it. `link` 0: none."""

    at: float
    number: int
    charger: str = ""  # by its path; empty: it was not heard
    path: str = ""
    authorization: str | None = None
    subprotocols: tuple[str, ...] = ()
    outcome: str = ""  # "open", or why not
    link: int = 0
    ended_at: float | None = None


@dataclass(slots=True)
class Told:
    """One call of a charger as it arrived."""

    number: int  # over all chargers
    at: float
    charger: str
    link: int
    id: str
    action: str
    text: str  # the whole frame
    wrongs: list[str] = field(default_factory=list)  # what OCPP's schema says against it
    is_repeat: bool = False  # id and payload are those of one before
    answer: Json | None = None  # its result, also where that was lost
    error: str | None = None  # the code of a CALLERROR: it has had no effect
    is_lost: bool = False  # stored, and never answered (K5)
    is_spoilt: bool = False  # answered with what is no answer
    answered_at: float | None = None

    @property
    def payload(self) -> Any:
        return json.loads(self.text)[3]

    @property
    def is_taken(self) -> bool:
        """It has had its effect, whether its sender knows or not."""
        return self.error is None and self.answer is not None


@dataclass(slots=True)
class Asked:
    """One call of the CSMS and what came back. Neither answer nor error: it still waits."""

    at: float
    charger: str
    link: int
    id: str
    action: str
    text: str
    answer: Json | None = None
    error: str | None = None  # the code of a CALLERROR; "gone", "timeout", "not connected"
    said: str = ""  # the frame of the answer
    answered_at: float | None = None
    came: trio.Event = field(default_factory=trio.Event, repr=False)

    @property
    def status(self) -> str:
        """The status of its answer; fails where it has none."""
        if self.answer is None:
            raise LookupError(f"{self.action} to {self.charger} had no answer: {self.error}")
        return str(self.answer["status"])


@dataclass
class Transaction:
    """A transaction as this CSMS has it: by the start that began it."""

    charger: str
    start: Told
    ids: list[object]  # the ids it gave to it, the newest last
    stops: list[Told] = field(default_factory=list)

    @property
    def id(self) -> object:
        return self.ids[-1]


class Book:
    """Everything in its order, by charger."""

    def __init__(self) -> None:
        self.told: defaultdict[str, list[Told]] = defaultdict(list)
        self.knocks: list[Knock] = []
        self.asked: list[Asked] = []
        self.strays: list[tuple[str, str]] = []  # charger, text: what was no frame, no answer
        self.links: defaultdict[str, int] = defaultdict(int)  # how many each charger has had
        self._seen: dict[tuple[str, str, int], Told] = {}
        self._number = 0

    def knock(self, at: float) -> Knock:
        made = Knock(at, len(self.knocks) + 1)
        self.knocks.append(made)
        return made

    def open(self, knock: Knock) -> int:
        """The number of a charger's new link, from 1."""
        self.links[knock.charger] += 1
        knock.outcome, knock.link = "open", self.links[knock.charger]
        return knock.link

    def note(
        self, at: float, charger: str, link: int, message_id: str, action: str, text: str
    ) -> Told:
        self._number += 1
        told = Told(self._number, at, charger, link, message_id, action, text)
        told.is_repeat = self._seen.setdefault(_key(told), told) is not told
        self.told[charger].append(told)
        return told

    def first(self, told: Told) -> Told:
        """The message of which this one is a repeat; itself where it is none."""
        return self._seen[_key(told)]

    def of(self, action: str, charger: str | None = None) -> list[Told]:
        """Every message of this action, in the order of arrival."""
        return [one for one in self._all(charger) if one.action == action]

    def _all(self, charger: str | None) -> Iterator[Told]:
        if charger is not None:
            yield from self.told.get(charger, ())
            return
        yield from sorted(
            (one for told in self.told.values() for one in told), key=lambda one: one.number
        )

    def transactions(self, charger: str | None = None) -> list[Transaction]:
        """Its transactions as a plain CSMS has them: a start that it does not know begins one."""
        found: dict[int, Transaction] = {}
        newest: dict[tuple[str, str], Transaction] = {}
        for told in self._all(charger):
            if not told.is_taken or told.answer is None:
                continue
            if told.action == "StartTransaction":
                first = self.first(told)
                given = told.answer.get("transactionId")
                made = found.setdefault(first.number, Transaction(told.charger, told, []))
                made.ids.append(given)
                newest[told.charger, repr(given)] = made
            elif told.action == "StopTransaction":
                named = (told.charger, repr(told.payload.get("transactionId")))
                if named in newest:
                    newest[named].stops.append(told)
        return list(found.values())


def _key(told: Told) -> tuple[str, str, int]:
    return told.charger, told.id, zlib.crc32(payload_text(told.text).encode("utf-8", "replace"))


def payload_text(frame: str) -> str:
    """The bytes of a call's or a result's payload as they stand in its frame; empty: it has none.

    [2, id, action, PAYLOAD] and [3, id, PAYLOAD].
    """
    place = frame.index("[") + 1
    wanted = {"2": 3, "3": 2}.get(frame[place:].lstrip()[:1], 0)
    part = ""
    for _number in range(wanted + 1):
        place += len(frame[place:]) - len(frame[place:].lstrip(" \t\r\n,"))
        _value, end = _decoder.raw_decode(frame, place)
        part, place = frame[place:end], end
    return part
