"""How each running session goes: its highest and its mean current, and its pauses with their
reasons (records.md, Transactions).

Pure. A pause is a time in which a session is offered nothing, or in which its car asks for nothing.
What holds for less than ten seconds is neither a pause nor the end of one: a session's first moment
and a limit that is passed for a second make none.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from linkray.model.records import SessionWent
from linkray.model.sessions import Course, Pause
from linkray.model.units import Phases

MS = 1_000
STEP_MS_MAX = 2_000  # a longer one was not watched: the loop stood still, or the box slept
SETTLED_MS = 10_000
PAUSES_MAX = 500  # of a session; later ones count in its sum alone
KNOWN_MAX = 512  # sessions that are known again when they come back: more than ever run

Cause = tuple[str, str]  # code and group


class Going(msgspec.Struct, frozen=True):
    """A session at this moment."""

    id: int
    drawn_ma: Phases | None = None  # None: not measured
    cause: Cause | None = None  # why it is paused; None: it is not
    known: bool = True  # False: its charger is not connected, nobody knows


class _Session:
    """One session: sums so far, the pause that it is in, and what may become one."""

    def __init__(self, course: Course, pause: Pause | None = None) -> None:
        self.max_ma, self.sum_ma_ms = course.max_ma, course.sum_ma_ms
        self.measured_ms, self.paused_ms = course.measured_ms, course.paused_ms
        self.cause: Cause | None = None if pause is None else (pause.code, pause.group)
        self.began = "" if pause is None else pause.began
        self.is_told = pause is not None  # the pause that it is in
        self.pauses = 0  # that were told
        self.other: tuple[Cause | None, str] | None = None  # what it changes to, and since when
        self.other_ms = 0
        self.drawn_ma: Phases | None = None
        self.at: float | None = None  # monotonic; None: not seen, or not known
        self.changed: dict[str, Pause] = {}  # since it was told last, by beginning
        self.is_new = True  # it was seen since it was told last

    @property
    def course(self) -> Course:
        return Course(self.max_ma, self.sum_ma_ms, self.measured_ms, self.paused_ms)

    def see(self, going: Going, now: float, at: str) -> None:
        """What was seen before has lasted until now."""
        self._pass_until(now)
        if not going.known:
            self.at, self.other, self.drawn_ma = None, None, None
            return
        self.at, self.drawn_ma, self.is_new = now, going.drawn_ma, True
        if going.drawn_ma is not None:
            self.max_ma = self.max_ma.at_least(going.drawn_ma)
        if going.cause == self.cause:
            self.other = None
        elif self.other is None or self.other[0] != going.cause:
            self.other, self.other_ms = (going.cause, at), 0

    def _pass_until(self, now: float) -> None:
        if self.at is not None:
            self._pass(max(0, min(round((now - self.at) * MS), STEP_MS_MAX)))

    def _pass(self, ms: int) -> None:
        if self.drawn_ma is not None:
            l1, l2, l3 = (one * ms for one in self.drawn_ma)
            self.sum_ma_ms += Phases(l1, l2, l3)
            self.measured_ms += ms
        if self.cause is not None:
            self.paused_ms += ms
        if self.other is not None:
            self.other_ms += ms
            if self.other_ms >= SETTLED_MS:
                self._change(*self.other)

    def _change(self, cause: Cause | None, since: str) -> None:
        """It was so since then: what was counted the other way is put right."""
        if self.cause is None:
            self.paused_ms += self.other_ms
        elif cause is None:
            self.paused_ms = max(0, self.paused_ms - self.other_ms)
        self._end(since)
        self.cause, self.began, self.other = cause, since, None
        self.is_told = cause is not None and self.pauses < PAUSES_MAX
        if cause is not None and self.is_told:
            self.pauses += 1
            self.changed[since] = Pause(since, None, *cause)

    def _end(self, at: str) -> None:
        """The pause that it is in, if any, has ended then."""
        if self.cause is not None and self.is_told:
            self.changed[self.began] = Pause(self.began, max(at, self.began), *self.cause)

    def over(self, now: float, at: str) -> None:
        """It has ended, or its connector is gone."""
        self._pass_until(now)
        self._end(at if self.other is None else self.other[1])
        self.cause = self.other = self.at = self.drawn_ma = None


class Courses:
    """Feed it the sessions that run about once a second; it tells once a minute how they went, and
    at once of one that has ended.
    """

    def __init__(self, kept: Iterable[tuple[int, Course, Pause | None]] = ()) -> None:
        """`kept`: of those that ran when control ended."""
        self._known = {number: _Session(course, pause) for number, course, pause in kept}
        self._seen: frozenset[int] = frozenset()

    def feed(
        self, sessions: Iterable[Going], now: float, at: str, *, due: bool
    ) -> list[SessionWent]:
        """`now` in monotonic seconds, `at` the same in UTC; `due`: a minute is over."""
        seen = set()
        for going in sessions:
            one = self._known.get(going.id)
            if one is None:
                one = self._known[going.id] = _Session(Course())
            one.see(going, now, at)
            seen.add(going.id)
        told = [self._told(number, now, at) for number in sorted(self._seen - seen)]
        self._seen = frozenset(seen)
        if due:
            told += [self._word(number) for number in sorted(seen) if self._known[number].is_new]
        return told

    def _told(self, number: int, now: float, at: str) -> SessionWent:
        """The last word of one that is gone; should it come back, it is known."""
        self._known[number].over(now, at)
        word = self._word(number)
        self._known[number] = self._known.pop(number)
        if len(self._known) > KNOWN_MAX:
            del self._known[next(old for old in self._known if old not in self._seen)]
        return word

    def _word(self, number: int) -> SessionWent:
        one = self._known[number]
        pauses = tuple(one.changed.values())
        one.changed, one.is_new = {}, False
        return SessionWent(number, one.course, pauses)

