"""Restarts: which have been, which wait until no session runs, and what a report tells of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from linkray.kit.clock import stamp
from linkray.model.asks import ActAtCharger, Restart, Who
from linkray.model.views import Began, Pending

STARTS_KEPT = 20
BEGAN = "began"  # what the store remembers: the newest starts …
ENDED = "ended"  # … and how the newest of them ended, once it has
UNKNOWN = "it ended without a word: a power cut or a crash"
TOLD = "told to end"

Due = tuple[Restart | ActAtCharger, Who]
_starts = msgspec.json.Decoder(tuple[Began, ...])


def began(kept: str | None, ended: str | None, version: str, at: str) -> tuple[Began, ...]:
    """The newest starts with the one that is now, newest first."""
    try:
        before = _starts.decode(kept) if kept else ()
    except msgspec.DecodeError:
        before = ()
    if not before:
        return (Began(at, version, "the first start that is known"),)
    started, _, why = (ended or "").partition(" ")
    last = before[0]
    other = last.version if last.version != version else ""
    known = why if started == last.at else UNKNOWN
    return (Began(at, version, known or UNKNOWN, other), *before)[:STARTS_KEPT]


def ended(starts: tuple[Began, ...], why: str) -> str:
    """What is remembered of an end in order: of which start, and why."""
    return f"{starts[0].at} {why}" if starts else ""


class Waiting:
    """Restarts that wait until no session runs: one of control, one of each charger."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[Due, datetime]] = {}

    def put(self, ask: Restart | ActAtCharger, who: Who, now: datetime) -> None:
        """The newest word of a charger, or of control, holds."""
        self._due[_whose(ask)] = ((ask, who), now)

    def drop(self, charger: str) -> bool:
        """False: nothing waited there."""
        return self._due.pop(charger, None) is not None

    def take(self, sessions: Mapping[str, int], known: Callable[[str], bool]) -> list[Due]:
        """What may happen now. `sessions` that run, by charger; what waits for a charger that is
        not known any more is dropped.
        """
        ready = []
        for charger, (due, _since) in list(self._due.items()):
            running = sessions.get(charger, 0) if charger else sum(sessions.values())
            if charger and not known(charger):
                del self._due[charger]
            elif not (running and due[0].when_idle):
                del self._due[charger]
                ready.append(due)
        return ready

    def __bool__(self) -> bool:
        return bool(self._due)

    def listed(self) -> tuple[Pending, ...]:
        return tuple(
            Pending(charger, who.name, stamp(since), getattr(ask, "act", ""))
            for charger, ((ask, who), since) in self._due.items()
        )


def _whose(ask: Restart | ActAtCharger) -> str:
    return ask.charger if isinstance(ask, ActAtCharger) else ""
