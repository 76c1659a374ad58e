"""Finds a current that something other than LinkRay holds (quirks.md, Own load management).

Where a connector is offered clearly more than it draws and its current stands flat all the same,
in three sessions in a row and at the same amps, the charger may have load management or a maximum
of its own. Or it is the cars: one that comes every night has the same ceiling every night. Only the
installer can tell, so that it is told, and changes nothing. One session that draws more takes it
back.

LinkRay itself comes down to little above what a car uses after a minute (balancing.md 2): the
clearly higher offer is seen at the beginning, and later only that the offer is not what holds.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from linkray.model.passport import Finding, Passport

from .passport import Evidence

SESSIONS = 3  # in a row
FIRST_S = 3_600.0  # of a session: later a battery may be near its end
FLAT_S = 600.0  # for so long at least
FLAT_MA = 500  # of samples that are the same current, and of sessions with the same ceiling
CLEAR_MA, CLEAR_PART = 2_000, 5  # an offer above it by so much and by a fifth is clearly more …
CLEAR_S = 25.0  # … once that was so for this long
HELD_MA = 500  # an offer no further above it may be what holds it
SETTLED_S = 15.0  # after a new offer a current is on its way
GAP_S_MAX = 180.0  # between two samples; a longer gap is no evidence
LEAST_MA = 3_000  # less is no charging


class Sample(NamedTuple):
    """What a connector drew in a session, on its busiest phase, under which offer."""

    tx: int
    age_s: float  # of the session
    drawn_ma: int
    limit_ma: int  # of the offer that the charger has accepted
    told_at: float
    is_charging: bool  # by its status
    at: float


class _Session:
    """What one session has shown so far."""

    __slots__ = ("clear_s", "flat_s", "high_ma", "is_broken", "last_at", "low_ma", "offered_ma",
                 "tx", "utc")  # fmt: skip

    def __init__(self, tx: int, utc: str) -> None:
        self.tx = tx
        self.utc = utc
        self.high_ma, self.low_ma = 0, 0
        self.flat_s = self.clear_s = 0.0
        self.offered_ma = 0
        self.last_at = -math.inf
        self.is_broken = False  # it was not flat

    def add(self, sample: Sample) -> None:
        """A sample of its first hour."""
        drawn_ma = sample.drawn_ma
        if (
            self.is_broken or not sample.is_charging or drawn_ma < LEAST_MA
            or sample.at < sample.told_at + SETTLED_S or sample.limit_ma < drawn_ma + HELD_MA
        ):  # fmt: skip
            self.last_at = -math.inf
            return
        if drawn_ma > self.low_ma + FLAT_MA:  # it was on its way up
            self.low_ma = self.high_ma = drawn_ma
            self.flat_s = self.clear_s = 0.0
            self.last_at = -math.inf
        self.low_ma, self.high_ma = min(self.low_ma, drawn_ma), max(self.high_ma, drawn_ma)
        self.is_broken = self.high_ma - self.low_ma > FLAT_MA
        passed_s = sample.at - self.last_at
        self.last_at = sample.at
        if passed_s > GAP_S_MAX:
            return
        self.flat_s += passed_s
        if sample.limit_ma >= drawn_ma + max(CLEAR_MA, drawn_ma // CLEAR_PART):
            self.clear_s += passed_s
            self.offered_ma = max(self.offered_ma, sample.limit_ma)

    @property
    def is_held(self) -> bool:
        """Whether it was held at one current although it was offered clearly more."""
        return not self.is_broken and self.flat_s >= FLAT_S and self.clear_s >= CLEAR_S


class OwnLimit:
    """One connector through its sessions and links; a restart begins the row anew."""

    __slots__ = ("_connector", "_row", "_session")

    def __init__(self, connector: int) -> None:
        self._connector = connector
        self._session: _Session | None = None
        self._row: deque[_Session] = deque(maxlen=SESSIONS)

    def forget(self) -> None:
        """Another device, or it is to be found out anew."""
        self._session = None
        self._row.clear()

    def drew(self, sample: Sample, passport: Passport, seen: Evidence) -> list[Finding]:
        """A sample of a running session."""
        found: list[Finding] = []
        if self._session is None or self._session.tx != sample.tx:
            found += self.ended(passport, seen)
            self._session = _Session(sample.tx, seen.utc)
        if sample.age_s <= FIRST_S:
            self._session.add(sample)
        return found + self._more(sample, passport, seen)

    def ended(self, passport: Passport, seen: Evidence) -> list[Finding]:
        """The session is over: with those before it, it may show a ceiling."""
        session, self._session = self._session, None
        if session is not None and session.is_broken:
            self._row.clear()
        if session is None or not session.is_held:
            return []  # too short, or never offered clearly more: it shows nothing
        self._row.append(session)
        high_ma = max(one.high_ma for one in self._row)
        low_ma = min(one.high_ma for one in self._row)
        if high_ma - low_ma > FLAT_MA:
            self._row.clear()
            self._row.append(session)
            return []
        known = known_ma(passport, seen.charger, self._connector)
        if len(self._row) < SESSIONS or known is not None:
            return []
        days = ", ".join(one.utc[:16].replace("T", " ") for one in self._row)
        return [self._finding(str(high_ma), seen,
                              _amps(max(one.offered_ma for one in self._row)),
                              f"{_amps(high_ma)} on {days} UTC")]  # fmt: skip

    def _more(self, sample: Sample, passport: Passport, seen: Evidence) -> list[Finding]:
        """A current above the ceiling: there is none."""
        if self._row and sample.drawn_ma > self._row[-1].high_ma + FLAT_MA:
            self._row.clear()
        known = known_ma(passport, seen.charger, self._connector)
        if known is None or sample.drawn_ma <= known + FLAT_MA:
            return []
        self._row.clear()
        return [self._finding("none", seen, _amps(sample.limit_ma), _amps(sample.drawn_ma))]

    def _finding(self, found: str, seen: Evidence, offered: str, measured: str) -> Finding:
        about = about_of(seen.charger, self._connector)
        return seen.finding("own_limit", found, about, offered, measured)


def about_of(charger: str, connector: int) -> str:
    """What a ceiling is about: a connector of one charger."""
    return f"{charger} connector {connector}"


def known_ma(passport: Passport, charger: str, connector: int) -> int | None:
    """The ceiling that was told; None: none, or it was taken back."""
    found = passport.get("own_limit", about_of(charger, connector))
    return None if found in (None, "none") else int(found or 0)


def _amps(ma: int) -> str:
    return f"{ma / 1000:.1f} A"
