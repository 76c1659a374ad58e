"""What of a charger's words goes to its CSMS, and whose answer it gets (csms.md). Pure.

While the CSMS is live, calls whose answer means something wait for it; LinkRay answers in its place
where it does not come in time, and from then on as if it were away.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from linkray.model.uplink import Answered, Live

from .wire import Out

WAIT_S = 10.0  # chargers give up after 30 s and more; LinkRay decides before


Then = Callable[[str, bytes, float], list[Out]]  # the CSMS's answer to the call of this id
Refused = Callable[[str, str, str], list[Out]]  # its CALLERROR; without one it is no answer
Otherwise = Callable[[str, float], list[Out]]  # LinkRay answers the call of this id itself


class _Waiting(msgspec.Struct):
    """A call of the charger that waits for the CSMS."""

    call_id: str  # that gets the answer: the newest of the same
    until: float
    then: Then
    refused: Refused | None
    otherwise: Otherwise


class Upward:
    """The calls of one link that wait, and what an uplink that begins is told first."""

    __slots__ = ("_waiting", "boot", "live", "statuses")

    def __init__(self) -> None:
        self.live = False
        self.boot = b""  # what the charger said of itself on this link, as it wrote it
        self.statuses: dict[int, bytes] = {}  # the newest of each connector
        self._waiting: dict[str, _Waiting] = {}

    def wait(
        self,
        call_id: str,
        now: float,
        *,
        then: Then,
        otherwise: Otherwise,
        refused: Refused | None = None,
    ) -> None:
        """A call was passed on and waits for its answer."""
        self._waiting[call_id] = _Waiting(call_id, now + WAIT_S, then, refused, otherwise)

    def asked_again(self, call_id: str, newer: str) -> None:
        """The charger says the same once more: the newer call gets the answer."""
        waiting = self._waiting.get(call_id)
        if waiting is not None:
            waiting.call_id = newer

    def take(self, item: Live | Answered, now: float) -> list[Out] | None:
        """What comes of it; None: no call waits for this answer."""
        if isinstance(item, Live):
            self.live = item.live
            return [] if item.live else self._all_otherwise(now)
        waiting = self._waiting.pop(item.call_id, None)
        if waiting is None:
            return None
        if item.payload is not None:
            return waiting.then(waiting.call_id, item.payload, now)
        if item.code and waiting.refused is not None:
            return waiting.refused(waiting.call_id, item.code, item.text)
        return waiting.otherwise(waiting.call_id, now)

    def due(self) -> float:
        return min((one.until for one in self._waiting.values()), default=math.inf)

    def wake(self, now: float) -> list[Out]:
        """What has waited long enough is answered by LinkRay."""
        late = [key for key, one in self._waiting.items() if now >= one.until]
        return self._decide([self._waiting.pop(key) for key in late], now)

    def _all_otherwise(self, now: float) -> list[Out]:
        waiting, self._waiting = list(self._waiting.values()), {}
        return self._decide(waiting, now)

    def _decide(self, waiting: list[_Waiting], now: float) -> list[Out]:
        return [out for one in waiting for out in one.otherwise(one.call_id, now)]
