"""A CSMS and a disk around one relay, by hand: JSON of its own, no socket, time as a number."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from linkray.csms.ids import Known
from linkray.csms.outbox import WINDOW_MAX, Outbox
from linkray.csms.relay import Relay
from linkray.csms.wire import (
    Dial,
    Ended,
    HangUp,
    Item,
    Keep,
    Later,
    Linked,
    Load,
    Loaded,
    Note,
    NotLinked,
    Out,
    Received,
    Seen,
    Send,
    Settle,
    Settled,
    Tell,
    Terms,
    ToLink,
)
from linkray.model.facts import CsmsBound
from linkray.model.faults import Cleared, Raised
from linkray.model.records import Delivered, IdLearned, Outgoing, SetAside, UplinkKept
from linkray.model.uplink import Answered, Asks, Boot, Here, Live, Message, Status

ZERO_AT = datetime(2026, 6, 16, 6, tzinfo=UTC)
BOOT = b'{"chargePointVendor":"V", "chargePointModel":"M"}'
URL = "ws://csms.example/ocpp"


def outgoing(number: int, action: str = "MeterValues", transaction: int = 1) -> Outgoing:
    """A message of a transaction, as the charger's link writes it down."""
    payloads = {
        "StartTransaction": {"connectorId": 1, "idTag": "T", "meterStart": number,
                             "timestamp": "2026-06-16T06:00:00Z"},
        "StopTransaction": {"transactionId": transaction, "meterStop": number,
                            "timestamp": "2026-06-16T07:00:00Z"},
        "MeterValues": {"connectorId": 1, "transactionId": transaction, "meterValue": []},
    }  # fmt: skip
    text = json.dumps(payloads[action])
    return Outgoing(number, "CP1", f"m{number}", action, text, transaction, "", URL)


class Central:
    """What was said, in order, and what the relay wanted."""

    def __init__(self, *, waiting: Sequence[Outgoing] = (), terms: Terms | None = None,
                 kept: UplinkKept | None = None, ids: dict[int, int] | None = None,
                 charger: str = "CP1", turn: Callable[[float], float] = lambda now: now,
                 now: float = 1_000.0) -> None:  # fmt: skip
        self.now = now
        self._inbox: deque[Item] = deque()
        self._is_busy = False
        self.disk: dict[int, Outgoing] = {one.number: one for one in waiting}
        self.aside: dict[int, str] = {}
        self.is_disk_well = True
        self.is_disk_slow = False  # what is read comes when `disk_answers`
        self.read: Loaded | None = None
        self.late: list[Delivered | IdLearned] = []  # not on disk yet
        self.ids = dict(ids or {})  # on disk: the CSMS's numbers
        self.frames: list[list[Any]] = []
        self.open: list[list[Any]] = []  # calls of LinkRay without an answer
        self.dials: list[float] = []
        self.hung_up: list[str] = []
        self.to_link: list[Live | Answered | Asks] = []
        self.bounds: list[CsmsBound] = []
        self.faults: list[Raised | Cleared] = []
        self.notes: list[str] = []
        self.loads: list[int] = []
        self.kept: UplinkKept | None = None
        self.shown = Seen("off", "", 0, 0)
        self.numbers = 500
        #: What it answers at once to an action; None: nothing.
        self.answers: Callable[[list[Any]], dict[str, Any] | None] = self.well
        newest = max(self.disk, default=0)
        self.relay = Relay(
            charger, Terms(URL) if terms is None else terms, prefix="LR-", turn=turn,
            wall=lambda now: ZERO_AT + timedelta(seconds=now),
            box=Outbox(len(self.disk), newest=newest),
            known=[Known(n, n, csms) for n, csms in self.ids.items()], kept=kept, now=now,
        )  # fmt: skip

    def well(self, call: list[Any]) -> dict[str, Any] | None:
        """As a CSMS should."""
        if call[2] == "BootNotification":
            return {"status": "Accepted", "currentTime": "2026-06-16T06:00:00Z", "interval": 300}
        if call[2] == "StartTransaction":
            self.numbers += 1
            return {"transactionId": self.numbers, "idTagInfo": {"status": "Accepted"}}
        return {}

    # -- what happens ----------------------------------------------------------------------------

    def feed(self, *items: Item) -> None:
        self._inbox += items
        while self._inbox and not self._is_busy:
            self._is_busy = True
            self._does(self.relay.feed(self._inbox.popleft(), self.now))
            self._is_busy = False

    def arrive(self) -> None:
        """The charger comes with its boot and a status, and the CSMS is there."""
        self.feed(Here(here=True), Boot(BOOT), Status(1, b'{"connectorId":1}'))
        self.link()

    def link(self) -> None:
        self.feed(Linked())

    def cut(self, why: str = "the line was cut") -> None:
        self.open.clear()
        self.feed(Ended(why))

    def refuse(self, why: str = "refused") -> None:
        self.feed(NotLinked(why))

    def until(self, now: float) -> None:
        """Time goes by; the relay is woken when it is due."""
        while (due := self.relay.due()) <= now:
            self.now = max(self.now, due)
            self._is_busy = True
            self._does(self.relay.wake(self.now))
            self._is_busy = False
            self.feed()
            assert self.relay.due() > self.now, "it wakes without end"
        self.now = now
        self._flush()

    def passes(self, seconds: float) -> None:
        self.until(self.now + seconds)

    def store(self, *messages: Outgoing) -> None:
        """The link has written them down, and says so."""
        for one in messages:
            self.disk[one.number] = one
        self._flush()
        for one in messages:
            self.feed(Message(one))

    def answer(self, payload: dict[str, Any] | None = None, *, error: str = "") -> None:
        """The oldest open call is answered."""
        call = self.open.pop(0)
        frame = [4, call[1], error, "", {}] if error else [3, call[1], payload or {}]
        self.feed(Received(json.dumps(frame)))

    def call(self, action: str, payload: dict[str, Any], call_id: str = "c1") -> None:
        self.feed(Received(json.dumps([2, call_id, action, payload])))

    def disk_answers(self) -> None:
        """What was asked of a slow disk comes."""
        read, self.read = self.read, None
        if read is not None:
            self.feed(read)

    def restart(self, *, power_cut: bool = False) -> Central:
        """The process ends at this moment and begins anew; a power cut takes what was only to be
        written with it.
        """
        if not power_cut:
            self._flush()
        waiting = [self.disk[n] for n in sorted(self.disk) if n not in self.aside]
        return Central(waiting=waiting, kept=self.kept, ids=self.ids, now=self.now)

    def _flush(self) -> None:
        """What was to be written is, with whatever is written next."""
        for record in self.late:
            if isinstance(record, Delivered):
                self.disk.pop(record.number, None)
            else:
                self.ids[record.transaction] = record.csms_id
        self.late.clear()

    # -- what it does ----------------------------------------------------------------------------

    def _does(self, outs: list[Out]) -> None:
        for out in outs:
            match out:
                case Send(text):
                    self._said(text)
                case Dial():
                    self.dials.append(self.now)
                case HangUp(why):
                    self.hung_up.append(why)
                    self.cut(why)
                case Load(after):
                    self.loads.append(after)
                    found = [self.disk[n] for n in sorted(self.disk) if n > after]
                    found = [one for one in found if one.number not in self.aside]
                    read = Loaded(tuple(found[:WINDOW_MAX]), len(found) > WINDOW_MAX)
                    if self.is_disk_slow:
                        self.read = read
                    else:
                        self.feed(read)
                case Keep(records):
                    self._keep(records)
                case Settle(record):
                    if self.is_disk_well:
                        self._keep((record,))
                    self._does(self.relay.feed(Settled(self.is_disk_well), self.now))
                case Later(records):
                    self.late += records
                case Tell(fact):
                    self.bounds.append(fact)
                case ToLink(item):
                    if item == Live(live=True):
                        assert self.left() == [], "live, and not all that was kept was said"
                    self.to_link.append(item)
                case Seen():
                    self.shown = out
                case Note(text):
                    self.notes.append(text)
                case Raised() | Cleared():
                    self.faults.append(out)

    def _keep(self, records: Sequence[Outgoing | SetAside | UplinkKept]) -> None:
        self._flush()
        for record in records:
            if isinstance(record, Outgoing):
                assert record.number not in self.disk, "kept twice"
                self.disk[record.number] = record
            elif isinstance(record, SetAside):
                self.aside[record.number] = record.why
            else:
                self.kept = record

    def _said(self, text: str) -> None:
        frame = json.loads(text)
        self.frames.append(frame)
        if frame[0] != 2:
            return
        self.open.append(frame)
        payload = self.answers(frame)
        if payload is not None:
            self.open.remove(frame)
            self.feed(Received(json.dumps([3, frame[1], payload])))

    def left(self) -> list[int]:
        """The numbers of what is kept, once all is written."""
        self._flush()
        return sorted(set(self.disk) - set(self.aside))

    # -- what is looked at -----------------------------------------------------------------------

    @property
    def actions(self) -> list[str]:
        """What was called, in order."""
        return [frame[2] for frame in self.frames if frame[0] == 2]

    @property
    def calls(self) -> list[list[Any]]:
        """Every call of a transaction or passed on: all but LinkRay's own."""
        return [f for f in self.frames if f[0] == 2 and not f[1].startswith("LR-")]

    @property
    def asked(self) -> Asks:
        """What the charger was asked last."""
        return [item for item in self.to_link if isinstance(item, Asks)][-1]

    @property
    def is_live(self) -> bool:
        """As the charger's link was told last."""
        told = [item.live for item in self.to_link if isinstance(item, Live)]
        return bool(told) and told[-1]
