"""Whether the meter can be relied on: a core fed with polls (metering.md, Reading; house.md, C).

Knows no line and no registers. It begins as lost; what is lost, stale or implausible never tells
the balancer anything that could raise an offer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from linkray.model.facts import AnyFact, MeterBack, MeterLost, MeterRead
from linkray.model.faults import Cleared, Code, Raised
from linkray.model.units import PHASES, Phases
from linkray.model.views import MeterView

from .reading import Doubts, Reading, Rules

STALE_S = 5.0  # metering.md: healthy is a last good reading not older
BACK_POLLS = 5  # good ones in a row

Kind = Literal["line", "timeout", "garbled", "refused", "implausible", "waiting"]

RTU_HINTS: dict[Kind, str] = {
    "line": "Check that the RS-485 adapter is plugged in",
    "timeout": "Check that baud rate and address are the meter's, that it is set to 8N1 and to "
    "Modbus RTU, and swap A and B if in doubt",
    "garbled": "Check that baud rate, parity and stop bits are the meter's, and the wiring",
    "refused": "Check ReadCmd, the address and the registers in the meter's file",
    "implausible": "Out of range: check the registers, the type and the multiply value",
    "waiting": "This meter reports only energy; its power is known after a while",
}
TCP_HINTS: dict[Kind, str] = RTU_HINTS | {
    "line": "Check the IP address and port of the meter, and that nothing else is connected to it",
    "timeout": "Check the IP address of the meter and its station address",
    "garbled": "Check that the meter speaks Modbus TCP on this port",
}
DOUBT_HINT = "The meter answers but does not follow the chargers: check its transformers and wiring"


class Ruled(msgspec.Struct, frozen=True):
    """The settings that readings are judged by; the first one begins the watch."""

    rules: Rules


class Polled(msgspec.Struct, frozen=True):
    """A poll whose every value could be read, and what the chargers drew then."""

    reading: Reading
    drawn: Phases = Phases()


class Failed(msgspec.Struct, frozen=True):
    """A poll that gave nothing: which value, and why."""

    what: str
    text: str
    kind: Kind


class Tell(msgspec.Struct, frozen=True):
    """To the balancer."""

    fact: AnyFact


class View(msgspec.Struct, frozen=True):
    """To whoever shows the meter."""

    view: MeterView


class Note(msgspec.Struct, frozen=True):
    """A line of the log; the same line again is counted there, not repeated."""

    text: str
    is_good: bool = False


class Next(msgspec.Struct, frozen=True):
    """When to poll next: at once (a failed poll is repeated once), or when it is time."""

    at_once: bool


Item = Ruled | Polled | Failed
Out = Tell | View | Raised | Cleared | Note | Next


class Health:
    """The meter's health. Every `Polled` and `Failed` is answered with one `Next`, last of all."""

    def __init__(self, name: str, *, is_tcp: bool) -> None:
        self._name = name
        self._hints = TCP_HINTS if is_tcp else RTU_HINTS
        self._rules = Rules()
        self._doubts = Doubts()
        self._good: Reading | None = None
        self._good_in_row = 0
        self._is_lost = True
        self._is_raised = False
        self._is_repeat = False
        self._stale_at = math.inf  # when the fault is due: 5 s after the start or the last good one
        self._begun = False
        self._error: str | None = None
        self._hint: str | None = None

    def feed(self, item: Item, now: float) -> Iterable[Out]:
        if isinstance(item, Ruled):
            yield from self._rule(item.rules, now)
        elif isinstance(item, Failed):
            yield from self._fail(item.what, item.text, item.kind, now)
        else:
            doubt = self._doubts.of(item.reading, item.drawn, self._rules)
            if doubt is None:
                yield from self._take(item, now)
            else:
                yield from self._fail("AL1", doubt, "implausible", now, DOUBT_HINT)

    def due(self) -> float:
        return self._stale_at

    def wake(self, now: float) -> Iterable[Out]:
        """The last good reading is 5 s old, or none came in the first 5 s."""
        self._stale_at = math.inf
        if not self._is_lost:
            self._is_lost = True
            self._good_in_row = 0
            yield Tell(MeterLost(now))
        yield from self._raise(self._error or "no reading yet")
        yield View(self.view(now))

    def _rule(self, rules: Rules, now: float) -> Iterator[Out]:
        self._rules = rules
        if not self._begun:
            self._begun = True
            self._stale_at = now + STALE_S
            yield Tell(MeterLost(now))
        yield View(self.view(now))

    def _fail(
        self, what: str, text: str, kind: Kind, now: float, hint: str | None = None
    ) -> Iterator[Out]:
        self._good_in_row = 0
        self._error = text if kind in ("line", "waiting") else f"failed to read {what}, {text}"
        self._hint = hint or self._hints[kind]
        at_once = not self._is_repeat and kind not in ("line", "waiting")
        self._is_repeat = at_once
        if kind != "waiting":
            yield Note(self._error)
        if self._is_lost and not at_once and kind != "waiting":
            yield from self._raise(self._error)
        yield View(self.view(now))
        yield Next(at_once)

    def _take(self, item: Polled, now: float) -> Iterator[Out]:
        reading = item.reading
        self._is_repeat = False
        self._error = self._hint = None
        self._good = reading
        self._good_in_row += 1
        yield Tell(_read(reading))
        if reading.ignored:
            yield Note(f"voltage of {' and '.join(reading.ignored)} ignored, the set one is taken")
        if self._is_lost and self._good_in_row >= BACK_POLLS:
            self._is_lost = False
            yield Tell(MeterBack(now))
            yield Note(f"{self._name} is read", is_good=True)
        if not self._is_lost:
            self._stale_at = reading.at + STALE_S
            gone = [name for name, ma in zip(PHASES, reading.current_ma, strict=True) if ma is None]
            if gone:
                self._error = f"{' and '.join(gone)}: no voltage and no current"
                yield Note(self._error)
                self._hint = "Check the meter's fuse and voltage tap of that phase"
                yield from self._raise(self._error)
            elif self._is_raised:
                self._is_raised = False
                yield Cleared(Code.METER)
        yield View(self.view(now))
        yield Next(at_once=False)

    def _raise(self, detail: str) -> Iterator[Out]:
        if not self._is_raised:
            self._is_raised = True
            yield Raised(Code.METER, detail=detail)

    def view(self, now: float) -> MeterView:
        """The meter as it stands."""
        good = self._good
        return MeterView(
            enabled=True,
            name=self._name,
            healthy=not self._is_lost,
            age_s=None if good is None else round(max(0.0, now - good.at), 3),
            current_ma=None if good is None else _read(good).current_ma,
            phases_read=(True, True, True) if good is None else _read(good).phases_read,
            voltage_mv=(None, None, None) if good is None else good.voltage_mv,
            power_w=None if good is None else good.power_w,
            location=self._rules.location,
            error=self._error,
            hint=self._hint,
        )


def _read(reading: Reading) -> MeterRead:
    """The fact; a phase that the meter has lost is marked, and its number means nothing (M8)."""
    l1, l2, l3 = reading.current_ma
    return MeterRead(
        current_ma=Phases(l1 or 0, l2 or 0, l3 or 0),
        voltage_mv=reading.voltage_mv,
        at=reading.at,
        phases_read=(l1 is not None, l2 is not None, l3 is not None),
    )
