"""Pairs OCPP-J calls and answers on one link: ids, order, urgency, timeouts. Knows no socket.

One call of ours is open at a time (chargers.md, Frames); the others wait in line, urgent ones
ahead.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import msgspec

from .frame import Call, Error, Frame, Result, write

ANSWER_S = 30.0  # chargers.md, Frames
URGENT_ANSWER_S = 10.0
EVICT_S = 0.5  # an open call that an urgent one waits behind
WAITING_MAX = 64  # calls in line; beyond it the newest that is not urgent fails
LATE_MAX = 16  # timed-out calls whose answer is still read
THEIRS_MAX = 16  # calls of the other side that may wait for our answer at once
DESCRIPTION_CHARS_MAX = 255  # OCPP-J 1.6, 4.2.3
PREFIX_CHARS_MAX = 20  # leaves 16 of a message id's 36 for the count


class Asked(msgspec.Struct, frozen=True):
    """The other side calls: answer it once, by `answer` or `refuse`."""

    call: Call


class Answered(msgspec.Struct, frozen=True):
    """A call of ours was answered. `late`: after `Failed(timeout)` was told for the same tag."""

    tag: object
    result: msgspec.Raw
    late: bool = False


class Failed(msgspec.Struct, frozen=True):
    """A call of ours failed.

    `timeout`: no answer in time (one may still come, `late`); `callerror`: refused as a call,
    `text` is `Code: description`; `gone`: the link ended; `replaced`: a newer call dropped
    it unsent; `full`: the line was full.
    """

    tag: object
    code: Literal["timeout", "callerror", "gone", "replaced", "full"]
    text: str = ""
    sent: bool = True  # whether the other side may have got it
    late: bool = False


class Stray(msgspec.Struct, frozen=True):
    """A frame that belongs to nothing (trust.md C21): count it, log it once a minute."""

    text: str


Event = Asked | Answered | Failed | Stray


class _Ours:
    """A call of ours, in line or sent."""

    __slots__ = ("action", "id", "key", "payload", "since", "tag", "urgent")

    def __init__(
        self, action: str, payload: bytes, tag: object, *, urgent: bool, key: str | None, now: float
    ) -> None:
        self.id = ""
        self.action = action
        self.payload = payload
        self.tag = tag
        self.urgent = urgent
        self.key = key
        self.since = now  # in line since; once sent, open since


class Peer:
    """One link's calls. `now` is monotonic seconds; texts come back in the order to be sent."""

    def __init__(self, prefix: str = "", *, answer_s: float = ANSWER_S) -> None:
        """`prefix` begins every message id and must be this link's own.

        An answer to a call of an earlier link must not pass for one of this link.
        """
        assert len(prefix) <= PREFIX_CHARS_MAX, f"prefix {prefix!r} is too long for a message id"
        self._prefix = prefix
        self._answer_s = answer_s
        self._sent = 0
        self._open: _Ours | None = None
        self._urgent: deque[_Ours] = deque()
        self._plain: deque[_Ours] = deque()
        self._late: dict[str, object] = {}
        self._theirs: set[str] = set()

    @property
    def waiting(self) -> int:
        """How many calls of ours are in line, unsent."""
        return len(self._urgent) + len(self._plain)

    def call(
        self,
        action: str,
        payload: bytes,
        now: float,
        *,
        tag: object = None,
        urgent: bool = False,
        replaces: str | None = None,
        drops: tuple[str, ...] = (),
    ) -> tuple[list[str], list[Event]]:
        """Send or line up a call; texts to send now, and what fell out of the line for it.

        `replaces`: a call in line with the same key is dropped, told as `Failed(replaced)`.
        `drops`: so is one with any of these keys.
        """
        dropped = [] if replaces is None else self._drop(replaces)
        wanted = _Ours(action, payload, tag, urgent=urgent, key=replaces, now=now)
        if urgent:  # it has waited as long as what it replaces: news must not keep it waiting
            wanted.since = min([now, *(old.since for old in dropped if old.urgent)])
        dropped += [old for key in drops for old in self._drop(key)]
        events: list[Event] = [
            Failed(old.tag, "replaced", f"a newer {action}", sent=False) for old in dropped
        ]
        events += self._line_up(wanted)
        return self._send_next(now), events

    def withdraw(self, key: str) -> None:
        """What waits in line with this key is not wanted any more: it was never sent."""
        self._drop(key)

    def receive(self, frame: Frame, now: float) -> tuple[list[str], list[Event]]:
        """Texts to send now, and what has happened."""
        if isinstance(frame, Call):
            return self._asked(frame)
        if self._open is not None and frame.id == self._open.id:
            tag, self._open = self._open.tag, None
            return self._send_next(now), [_outcome(frame, tag, late=False)]
        if frame.id in self._late:
            return [], [_outcome(frame, self._late.pop(frame.id), late=True)]
        kind = "CALLRESULT" if isinstance(frame, Result) else "CALLERROR"
        return [], [Stray(f"expected an answer to an open call, got {kind} {frame.id!r}")]

    def answer(self, call_id: str, payload: bytes) -> str:
        """The CALLRESULT to an `Asked`; raises KeyError where that call is not open (a bug)."""
        self._theirs.remove(call_id)
        return write(Result(call_id, msgspec.Raw(payload)))

    def refuse(self, call_id: str, code: str, text: str) -> str:
        """The CALLERROR to an `Asked`; raises KeyError where that call is not open (a bug)."""
        self._theirs.remove(call_id)
        return write(Error(call_id, code, text[:DESCRIPTION_CHARS_MAX]))

    @property
    def open_since(self) -> float | None:
        """Since when a call of ours waits for its answer; None: none does."""
        return None if self._open is None else self._open.since

    def due(self) -> float:
        """When the open call times out or is evicted; `math.inf` where none is open."""
        if self._open is None:
            return math.inf
        limit_s = URGENT_ANSWER_S if self._open.urgent else self._answer_s
        timeout = self._open.since + limit_s
        if not self._urgent:
            return timeout
        return min(timeout, max(self._open.since, self._urgent[0].since) + EVICT_S)

    def wake(self, now: float) -> tuple[list[str], list[Event]]:
        """A timeout or an eviction is due; what waited goes out."""
        if self._open is None or now < self.due():
            return [], []
        late, self._open = self._open, None
        while len(self._late) >= LATE_MAX:
            self._late.pop(next(iter(self._late)))
        self._late[late.id] = late.tag
        why = f"no answer to {late.action} within {now - late.since:.1f} s"
        if self._urgent:
            why += ", and an urgent call waits"
        return self._send_next(now), [Failed(late.tag, "timeout", why)]

    def gone(self) -> list[Event]:
        """The link ended: every call of ours fails, those in line with `sent=False`."""
        why = "the link ended"
        events: list[Event] = []
        if self._open is not None:
            events.append(Failed(self._open.tag, "gone", why))
        events += [Failed(o.tag, "gone", why, sent=False) for o in (*self._urgent, *self._plain)]
        self._open = None
        self._urgent.clear()
        self._plain.clear()
        self._late.clear()
        self._theirs.clear()
        return events

    def _asked(self, call: Call) -> tuple[list[str], list[Event]]:
        """Their call, which may come while one of ours is open (trust.md C21)."""
        if call.id in self._theirs:
            return [], [Stray(f"expected a new message id, got {call.id!r} again, still open")]
        if len(self._theirs) >= THEIRS_MAX:
            why = f"expected at most {THEIRS_MAX} open calls"
            return [write(Error(call.id, "GenericError", why))], [
                Stray(f"{why}, got {call.action} {call.id!r}")
            ]
        self._theirs.add(call.id)
        return [], [Asked(call)]

    def _line_up(self, wanted: _Ours) -> list[Event]:
        """Put a call in its line; what the line had no room for."""
        line = self._urgent if wanted.urgent else self._plain
        line.append(wanted)
        if self.waiting <= WAITING_MAX:
            return []
        dropped = (self._plain or self._urgent).pop()
        why = f"expected at most {WAITING_MAX} calls in line"
        return [Failed(dropped.tag, "full", why, sent=False)]

    def _drop(self, key: str) -> list[_Ours]:
        """Take the calls with this key out of the line."""
        dropped: list[_Ours] = []
        for line in (self._urgent, self._plain):
            for old in [waits for waits in line if waits.key == key]:
                line.remove(old)
                dropped.append(old)
        return dropped

    def _send_next(self, now: float) -> list[str]:
        """The next call's text, where none is open."""
        if self._open is not None or not (self._urgent or self._plain):
            return []
        self._open = (self._urgent or self._plain).popleft()
        self._sent += 1
        self._open.id = f"{self._prefix}{self._sent}"
        self._open.since = now
        raw = msgspec.Raw(self._open.payload)
        return [write(Call(self._open.id, self._open.action, raw))]


def _outcome(frame: Result | Error, tag: object, *, late: bool) -> Event:
    """What an answer to a call of ours means."""
    if isinstance(frame, Result):
        return Answered(tag, frame.payload, late)
    return Failed(tag, "callerror", f"{frame.code}: {frame.description}", late=late)
