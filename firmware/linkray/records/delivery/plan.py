"""What is sent when: a file when its time has come, its repeats for 24 h, and what is left over.

Knows no server and no disk. A session is in one sending alone, which is repeated under the same
name until it is there: nothing is left out, and nothing is there twice. What is due counts by the
wall clock, where that is set; repeats count by `now`, so that no step of a clock moves them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, tzinfo

import msgspec

from linkray.kit.clock import stamp
from linkray.model.delivery import SESSIONS_MAX, Outcome, Sending, State
from linkray.model.settings import Delivery

from .times import ended_before, newest_due

#: Between one attempt and the next: 24 h together (records.md).
PAUSES_S = (60.0, 300.0, 900.0, 1_800.0, *(3_600.0,) * 23, 540.0)
AFTER_START_S = 60.0  # a box that starts over and over tries no oftener
AGAIN_S = 60.0  # what the disk did not take
EVER = "9999-12-31T23:59:59.999Z"  # also what a clock that was wrong has dated


class Terms(msgspec.Struct, frozen=True):
    """What is set, and the site's time zone."""

    to: Delivery
    zone: tzinfo


class Clock(msgspec.Struct, frozen=True):
    """What time it is (UTC); None: nobody knows."""

    utc: datetime | None


class Made(msgspec.Struct, frozen=True):
    """What came of `Make`: None, there was no session for it."""

    sending: Sending | None


class NotMade(msgspec.Struct, frozen=True):
    """The disk did not take it, or not all of it; `there`: the sendings on it that are not sent."""

    there: tuple[Sending, ...] = ()


class Ended(msgspec.Struct, frozen=True):
    """An attempt is over."""

    number: int
    outcome: Outcome
    at: str
    place: str


class SendNow(msgspec.Struct, frozen=True):
    """A person wants all there is to be sent."""

    by: str


class Mended(msgspec.Struct, frozen=True):
    """Something may be right now that was not: another password."""


class Make(msgspec.Struct, frozen=True):
    """Take the sessions that ended before `until` for a sending; from then on `handled` counts."""

    until: str
    by: str
    handled: str


class Handled(msgspec.Struct, frozen=True):
    """Remember what counts as handled."""

    handled: str


class Try(msgspec.Struct, frozen=True):
    """Send this one; `Ended` follows."""

    sending: Sending


class Keep(msgspec.Struct, frozen=True):
    """What has become of it."""

    sending: Sending


Item = Terms | Clock | Made | NotMade | Ended | SendNow | Mended
Out = Make | Handled | Try | Keep


class _Open(msgspec.Struct):
    """A sending that is not there yet: when it is tried next, and how many pauses are behind it."""

    sending: Sending
    next_at: float
    rung: int = 0
    is_free: bool = False  # the attempt after a start: it uses up no pause


class Plan:
    """The core. `kept`: what is not there yet, from before a restart; `handled`: what `Make` and
    `Handled` told last, None at the very first.
    """

    def __init__(
        self, terms: Terms, kept: Iterable[Sending], handled: str | None, now: float
    ) -> None:
        self._terms = terms
        self._frequency, _, at = (handled or "off ").partition(" ")
        self._handled = datetime.fromisoformat(at) if at else None
        self._open = {
            one.id: _Open(one, now + AFTER_START_S if one.state == "waits" else math.inf,
                          is_free=True)
            for one in kept
        }  # fmt: skip
        self._newest = max(self._open, default=0)  # the highest number that it knows
        self._busy: int | None = None
        self._making: Make | None = None
        self._make_at = math.inf

    @property
    def sending(self) -> int | None:
        """The number of the one that is being sent."""
        return self._busy

    @property
    def next_at(self) -> float:
        """When something is tried next; inf: nothing waits."""
        return min((one.next_at for one in self._open.values()), default=math.inf)

    @property
    def failed(self) -> list[Sending]:
        """What was tried for 24 h and is not there."""
        return [one.sending for one in self._open.values() if one.sending.state == "failed"]

    def due(self) -> float:
        if self._busy is not None:
            return self._make_at
        return min(self._make_at, self.next_at)

    def feed(self, item: Item, now: float) -> Iterable[Out]:
        match item:
            case Terms():
                yield from self._changed(item, now)
            case Clock():
                yield from self._told(item.utc, now)
            case Made():
                yield from self._made(item.sending, now)
            case NotMade():
                self._make_at = now + AGAIN_S
                yield from self._found(item.there, now)
            case Ended():
                yield from self._ended(item, now)
            case SendNow():
                yield from self._asked(item, now)
            case Mended():
                self._again(now)
                yield from self._next(now)

    def wake(self, now: float) -> Iterable[Out]:
        if self._make_at <= now and self._making is not None:
            self._make_at = math.inf
            yield self._making
        yield from self._next(now)

    # -- what is due -----------------------------------------------------------------------------

    def _changed(self, terms: Terms, now: float) -> Iterable[Out]:
        """Other words for the server are tried out at once: somebody has mended them."""
        mended = terms.to != self._terms.to
        self._terms = terms
        if mended and terms.to.server:
            self._again(now)
            yield from self._next(now)

    def _told(self, utc: datetime | None, now: float) -> Iterable[Out]:
        if utc is None or self._making is not None:
            return
        frequency = self._terms.to.frequency
        if frequency == "off":
            if self._frequency != "off":
                self._frequency, self._handled = "off", None
                yield Handled(self._word())
            return
        if self._handled is None or frequency != self._frequency or utc < self._handled:
            # from now on; and what a clock that was ahead has handled is none
            self._frequency, self._handled = frequency, utc
            yield Handled(self._word())
        due = newest_due(frequency, utc, self._terms.zone)
        if due is None or due <= self._handled:
            return
        self._handled = utc
        self._again(now, failed=True)
        yield self._make(stamp(ended_before(due)), "")

    def _asked(self, item: SendNow, now: float) -> Iterable[Out]:
        self._again(now)
        if self._making is None:
            yield self._make(EVER, item.by)
        yield from self._next(now)

    def _make(self, until: str, by: str) -> Make:
        self._making = Make(until, by, self._word())
        return self._making

    def _word(self) -> str:
        at = "" if self._handled is None else stamp(self._handled)
        return f"{self._frequency} {at}"

    def _made(self, sending: Sending | None, now: float) -> Iterable[Out]:
        making, self._making = self._making, None
        if sending is None:
            return
        self._newest = max(self._newest, sending.id)
        self._open[sending.id] = _Open(sending, now)
        if sending.sessions >= SESSIONS_MAX and making is not None:  # there may be more
            self._making = making
            yield making
        yield from self._next(now)

    def _found(self, there: Iterable[Sending], now: float) -> Iterable[Out]:
        """A sending that broke off is one. What it knew before it has sent, whatever the disk says
        of that.
        """
        for one in there:
            if one.id > self._newest:
                self._open[one.id] = _Open(one, now)
        self._newest = max([self._newest, *self._open])
        yield from self._next(now)

    # -- sending ---------------------------------------------------------------------------------

    def _again(self, now: float, *, failed: bool = False) -> None:
        """What is not there, or has `failed`, has 24 h more, from now."""
        for one in self._open.values():
            if one.sending.id != self._busy and (not failed or one.next_at == math.inf):
                one.next_at, one.rung, one.is_free = now, 0, False

    def _next(self, now: float) -> Iterable[Out]:
        if self._busy is not None:
            return
        ready = [one for one in self._open.values() if one.next_at <= now]
        if ready:
            first = min(ready, key=lambda one: one.sending.id)
            self._busy = first.sending.id
            yield Try(first.sending)

    def _ended(self, item: Ended, now: float) -> Iterable[Out]:
        self._busy = None
        one = self._open[item.number]
        is_over = one.rung >= len(PAUSES_S) and not one.is_free
        state: State = "failed" if is_over else one.sending.state  # which ends when it is there
        if item.outcome.taken:
            state = "sent"
        one.sending = msgspec.structs.replace(
            one.sending, state=state, tries=one.sending.tries + 1, tried=item.at,
            text=item.outcome.text, place=item.place,
        )  # fmt: skip
        if item.outcome.taken:
            del self._open[item.number]
        elif is_over:
            one.next_at = math.inf
        else:
            one.next_at = now + PAUSES_S[min(one.rung, len(PAUSES_S) - 1)]
            one.rung += not one.is_free
            one.is_free = False
        yield Keep(one.sending)
        yield from self._next(now)
