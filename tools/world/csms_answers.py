"""What a simulated CSMS answers to a charger's calls: rightly, or as a scene has it.

Knows no socket and no clock of its own: a message that was noted comes in, the text of its answer
goes out.
"""

from __future__ import annotations

import json
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tools.world.csms_book import Book, Told
from tools.world.schemas import Json

INTERVAL_S = 300
FIRST_ID_MAX = 100_000
ALWAYS = math.inf
Own = Json | Callable[[Told], Json]


@dataclass
class Slip:
    """What it does instead of answering rightly, and how often still."""

    kind: Literal["error", "lose", "spoil"]
    action: str
    times: float
    charger: str | None  # None: to any
    what: Any = None

    def is_for(self, told: Told) -> bool:
        return self.times > 0 and self.action == told.action and (
            self.charger in (None, told.charger)
        )  # fmt: skip


class Answers:
    """Boots are accepted, every tag too, each transaction gets the next id, until told else."""

    def __init__(
        self, book: Book, chance: random.Random, epoch: Callable[[float], float]
    ) -> None:
        self.book = book
        self._epoch = epoch
        self._next_id = chance.randrange(1, FIRST_ID_MAX)
        self._given: dict[int, object] = {}  # number of a start → the id it was given last
        self.well()

    def well(self) -> None:
        """Every answer is right again."""
        self.boot_status = "Accepted"
        self.interval_s = INTERVAL_S
        self.clock_off_s = 0.0
        self.tags: dict[str, Json] = {}
        self.instead: dict[str, Own] = {}
        self.ids: deque[Any] = deque()  # to be given next
        self.same_ids = 0
        self.changes_ids = False
        self.slips: list[Slip] = []
        self._last_id: object = None

    def slip(
        self, kind: Literal["error", "lose", "spoil"], action: str, times: float,
        charger: str | None, what: Any = None,
    ) -> None:  # fmt: skip
        self.slips.append(Slip(kind, action, times, charger, what))

    def answer(self, told: Told, now: float) -> str | None:
        """The frame that answers it, noted with it; None: it gets no answer."""
        slip = next((one for one in self.slips if one.is_for(told)), None)
        if slip is not None:
            slip.times -= 1
        if slip is not None and slip.kind == "error":
            return self._error(told, slip.what)
        answered = self._right(told, now)
        if answered is None:
            return self._error(told, "NotImplemented")
        told.answer = answered
        if slip is not None and slip.kind == "lose":
            told.is_lost = True
            return None
        if slip is not None:
            told.is_spoilt = True
            return json.dumps([3, told.id, slip.what])
        return json.dumps([3, told.id, answered])

    def _error(self, told: Told, code: str) -> str:
        told.error = code
        return json.dumps([4, told.id, code, "", {}])

    def _right(self, told: Told, now: float) -> Json | None:
        """Its result; None: it does not know this action."""
        own = self.instead.get(told.action)
        if own is not None:
            return own(told) if callable(own) else own
        payload = told.payload
        payload = payload if isinstance(payload, dict) else {}
        tag = self._tag(str(payload.get("idTag", "")))
        match told.action:
            case "BootNotification":
                return {"status": self.boot_status, "currentTime": self.stamp(now),
                        "interval": self.interval_s}  # fmt: skip
            case "Heartbeat":
                return {"currentTime": self.stamp(now)}
            case "Authorize":
                return {"idTagInfo": tag}
            case "StartTransaction":
                return {"transactionId": self._id(told), "idTagInfo": tag}
            case "StopTransaction":
                return {"idTagInfo": tag} if "idTag" in payload else {}
            case "DataTransfer":
                return {"status": "Accepted", "data": str(payload.get("data", ""))}
            case (
                "MeterValues" | "StatusNotification" | "DiagnosticsStatusNotification"
                | "FirmwareStatusNotification"
            ):  # fmt: skip
                return {}
        return None

    def stamp(self, now: float) -> str:
        moment = datetime.fromtimestamp(self._epoch(now), UTC)
        moment += timedelta(seconds=self.clock_off_s)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _tag(self, tag: str) -> Json:
        return self.tags.get(tag.upper(), {"status": "Accepted"})

    def _id(self, told: Told) -> object:
        """A repeated start has the id of the first, unless ids change (K8)."""
        first = self.book.first(told).number
        if first in self._given and not self.changes_ids:
            return self._given[first]
        if self.same_ids > 0 and self._last_id is not None:
            self.same_ids -= 1
        elif self.ids:
            self._last_id = self.ids.popleft()
        else:
            self._last_id, self._next_id = self._next_id, self._next_id + 1
        self._given[first] = self._last_id
        return self._last_id
