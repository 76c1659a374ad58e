"""A CSMS's charging profiles as tables of scenes: what they allow when, what is refused and why,
and what is read back. Each scene names its section of OCPP 1.6 edition 2.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import pytest
from ocpp.messages import MessageType
from tools.world.schemas import exact, validator

from linkray.ocpp import schedule
from linkray.ocpp.lenient import read_exactly
from linkray.ocpp.messages import (
    ClearChargingProfile,
    CsChargingProfiles,
    SetChargingProfile,
    encode,
)
from linkray.ocpp.schedule import (
    CONFIGURATION,
    LOOK_AHEAD_S,
    PERIODS_MAX,
    PROFILES_MAX,
    STACK_LEVEL_MAX,
    Bound,
    Kept,
    Profiles,
    Supply,
)

HOUR, DAY, WEEK = 3600, 86_400, 604_800
T = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())  # a Monday, midnight
DEFAULT, MAX, TX = "TxDefaultProfile", "ChargePointMaxProfile", "TxProfile"
THREE = Supply(230_000)
ONE = Supply(230_000, 1)


def text(at: int | str | None) -> str | None:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(at, int) else at


def profile(
    *periods: tuple[float, ...],
    purpose: str = DEFAULT,
    kind: str = "Absolute",
    start: int | str | None = T,
    unit: str = "A",
    level: int = 0,
    number: int = 1,
    **more: Any,
) -> CsChargingProfiles:
    """A profile as a CSMS writes it, read as LinkRay reads it; periods: start in s, limit, phases.

    More: `lasts` in s, `recurs`, `since` and `to` (valid), `tx`, `least`.
    """
    rows = [
        {"startPeriod": row[0], "limit": row[1], **({"numberPhases": row[2]} if row[2:] else {})}
        for row in periods
    ]
    wire = {
        "chargingProfileId": number, "stackLevel": level, "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind, "recurrencyKind": more.pop("recurs", None),
        "validFrom": text(more.pop("since", None)), "validTo": text(more.pop("to", None)),
        "transactionId": more.pop("tx", None),
        "chargingSchedule": {
            "chargingRateUnit": unit, "chargingSchedulePeriod": rows,
            "startSchedule": None if kind == "Relative" and start == T else text(start),
            "duration": more.pop("lasts", None), "minChargingRate": more.pop("least", None),
        },
    }  # fmt: skip
    assert not more, more
    raw = msgspec.json.encode({"connectorId": 1, "csChargingProfiles": wire})
    return read_exactly(SetChargingProfile, raw).cs_charging_profiles


class Put(NamedTuple):
    """The CSMS sets a profile; it is taken."""

    connector: int
    profile: CsChargingProfiles
    at: int = T

    def do(self, profiles: Profiles) -> None:
        verdict = profiles.set(self.connector, self.profile, self.at)
        assert verdict.status == "Accepted", verdict.reason


class Began(NamedTuple):
    """A session begins."""

    connector: int
    transaction: int
    at: float = T
    tag: str = "DRIVER"

    def do(self, profiles: Profiles) -> None:
        profiles.began(self.connector, self.transaction, self.at, self.tag)


class Ended(NamedTuple):
    """A session ends."""

    connector: int
    transaction: int

    def do(self, profiles: Profiles) -> None:
        profiles.ended(self.connector, self.transaction)


class Next(NamedTuple):
    """The CSMS starts a session from afar, with a profile; it is taken."""

    connector: int | None
    profile: CsChargingProfiles
    at: int = T
    tag: str = "DRIVER"

    def do(self, profiles: Profiles) -> None:
        verdict = profiles.set_for_next(self.connector, self.tag, self.profile, self.at)
        assert verdict.status == "Accepted", verdict.reason


class Refuses(NamedTuple):
    """The charger refuses the remote start."""

    connector: int | None
    tag: str = "DRIVER"

    def do(self, profiles: Profiles) -> None:
        profiles.forget_next(self.connector, self.tag)


class Clear(NamedTuple):
    """The CSMS clears; `found`: whether there was one."""

    what: dict[str, Any]
    found: bool = True

    def do(self, profiles: Profiles) -> None:
        answer = profiles.clear(ClearChargingProfile(**self.what))
        assert answer == ("Accepted" if self.found else "Unknown")


Step = Put | Began | Ended | Next | Refuses | Clear


class Scene(NamedTuple):
    """What happens, and what a connector then may draw at which time (after T)."""

    name: str
    steps: list[Step]
    asked: list[tuple[int, float, Bound]]


def a(amps: float | None, phases: int | None = None) -> Bound:
    return Bound(ma=None if amps is None else round(amps * 1000), phases=phases)


def w(watts: float) -> Bound:
    return Bound(mw=round(watts * 1000))


FREE = Bound()
TWO = [(0, 16), (HOUR, 10)]
DAILY = {"kind": "Recurring", "recurs": "Daily"}
WEEKLY = {"kind": "Recurring", "recurs": "Weekly"}

PURPOSES = [
    Scene("3.13.6 no profile, no constraint", [], [(0, 0, FREE), (1, 0, FREE)]),
    Scene("3.13.1 a maximum is for all connectors together and for each",
          [Put(0, profile((0, 32), purpose=MAX))],
          [(0, 0, a(32)), (1, 0, a(32)), (2, 0, a(32))]),
    Scene("3.13.1 a default of connector 0 is for every connector and not for their sum",
          [Put(0, profile((0, 16)))], [(0, 0, FREE), (1, 0, a(16)), (2, 0, a(16))]),
    Scene("3.13.1 a default of connector 1 is for it alone",
          [Put(1, profile((0, 16)))], [(1, 0, a(16)), (2, 0, FREE)]),
    Scene("3.13.1 a default of a connector replaces that of connector 0 for it alone",
          [Put(0, profile((0, 16))), Put(1, profile((0, 20), number=2))],
          [(1, 0, a(20)), (2, 0, a(16))]),
    Scene("3.13.1 whichever came first",
          [Put(1, profile((0, 20), number=2)), Put(0, profile((0, 16)))],
          [(1, 0, a(20)), (2, 0, a(16))]),
    Scene("3.13.1 defaults of both stand on one stack where their levels differ",
          [Put(0, profile((0, 16), level=3)), Put(1, profile((0, 20), level=1, number=2))],
          [(1, 0, a(16)), (2, 0, a(16))]),
    Scene("3.13.1 where a connector's own default says nothing, that of its level on 0 stays away",
          [Put(0, profile((0, 16))), Put(1, profile((0, 20), number=2, lasts=HOUR))],
          [(1, HOUR, FREE), (2, HOUR, a(16))]),
    Scene("3.13.1 a session's own profile rules over the default, also upwards",
          [Put(0, profile((0, 10))), Began(1, 7), Put(1, profile((0, 20), purpose=TX, number=2))],
          [(1, 0, a(20)), (2, 0, a(10))]),
    Scene("3.13.1 for the current session only",
          [Put(0, profile((0, 10))), Began(1, 7), Put(1, profile((0, 20), purpose=TX, number=2)),
           Ended(1, 7)], [(1, 0, a(10))]),
    Scene("3.13.1 the next session does not inherit it, nor where the end was never told",
          [Began(1, 7), Put(1, profile((0, 20), purpose=TX)), Began(1, 8)], [(1, 0, FREE)]),
    Scene("3.13.1 the end of another transaction ends nothing",
          [Began(1, 7), Put(1, profile((0, 20), purpose=TX)), Ended(1, 6), Ended(2, 7)],
          [(1, 0, a(20))]),
    Scene("3.13.1 the end of a session on one connector leaves the other's",
          [Began(1, 7), Began(2, 8), Put(1, profile((0, 20), purpose=TX)),
           Put(2, profile((0, 12), purpose=TX, number=2)), Ended(1, 7)],
          [(1, 0, FREE), (2, 0, a(12))]),
    Scene("3.13.1 a session told twice keeps its profile and its start",
          [Began(1, 7), Put(1, profile(*TWO, purpose=TX, kind="Relative")), Began(1, 7, T + 500)],
          [(1, HOUR - 1, a(16)), (1, HOUR, a(10))]),
    Scene("7.8 a transaction may be named", [Began(1, 7),
          Put(1, profile((0, 20), purpose=TX, tx=7))], [(1, 0, a(20))]),
    Scene("3.13.3 the least of maximum and default holds",
          [Put(0, profile((0, 12), purpose=MAX)), Put(0, profile((0, 16), number=2))],
          [(0, 0, a(12)), (1, 0, a(12))]),
    Scene("3.13.3 the least of maximum and session",
          [Put(0, profile((0, 32), purpose=MAX)), Began(1, 7),
           Put(1, profile((0, 16), purpose=TX, number=2))], [(0, 0, a(32)), (1, 0, a(16))]),
    Scene("3.13.3 intervals of different lengths",
          [Put(0, profile((0, 20), (1000, 8), (3000, 20), purpose=MAX)),
           Put(1, profile((0, 16), (2000, 6), number=2))],
          [(1, 999, a(16)), (1, 1000, a(8)), (1, 2000, a(6)), (1, 3000, a(6)), (0, 3000, a(20))]),
    Scene("3.13.1 where the session's own says nothing, the default rules",
          [Put(0, profile((0, 10))), Began(1, 7),
           Put(1, profile((0, 20), purpose=TX, number=2, lasts=60))],
          [(1, 59, a(20)), (1, 60, a(10))]),
    Scene("3.13.6 a session goes on by its profile and then by what is there",
          [Began(1, 7), Put(1, profile((0, 20), purpose=TX))], [(1, 30 * DAY, a(20))]),
]  # fmt: skip

STACKS = [
    Scene("3.13.2 the highest level rules, also upwards",
          [Put(1, profile((0, 10))), Put(1, profile((0, 20), level=5, number=2))],
          [(1, 0, a(20))]),
    Scene("3.13.2 whichever came first",
          [Put(1, profile((0, 20), level=5, number=2)), Put(1, profile((0, 10)))],
          [(1, 0, a(20))]),
    Scene("3.13.2 a level that is not valid yet, and no more",
          [Put(1, profile((0, 10))),
           Put(1, profile((0, 20), level=1, number=2, since=T + 100, to=T + 200))],
          [(1, 99, a(10)), (1, 100, a(20)), (1, 199, a(20)), (1, 200, a(10))]),
    Scene("3.13.2 without a duration the highest never falls back",
          [Put(1, profile((0, 10))), Put(1, profile((0, 20), level=1, number=2))],
          [(1, 3650 * DAY, a(20))]),
    Scene("3.13.2 a holiday over a calendar",
          [Put(0, profile((0, 6), (18 * HOUR, 32), **DAILY)),
           Put(0, profile((0, 32), level=1, number=2, start=T + DAY, lasts=DAY))],
          [(1, DAY - 7 * HOUR, a(6)), (1, DAY, a(32)), (1, 2 * DAY - 1, a(32)),
           (1, 2 * DAY, a(6))]),
    Scene("3.13.2 two gaps above one another fall through to the lowest",
          [Put(1, profile((0, 8))),
           Put(1, profile((0, 12), level=1, number=2, lasts=600)),
           Put(1, profile((0, 24), level=2, number=3, start=T + 300, lasts=600))],
          [(1, 299, a(12)), (1, 300, a(24)), (1, 899, a(24)), (1, 900, a(8))]),
    Scene("3.13.2 the same level and purpose replaces",
          [Put(1, profile((0, 10))), Put(1, profile((0, 20), number=2))], [(1, 0, a(20))]),
    Scene("3.13.2 what is replaced by a profile of the future is gone already",
          [Put(1, profile((0, 10))), Put(1, profile((0, 20), number=2, since=T + 500))],
          [(1, 0, FREE), (1, 500, a(20))]),
    Scene("3.13.2 and falls to a lower level meanwhile",
          [Put(1, profile((0, 7))), Put(1, profile((0, 10), level=1, number=2)),
           Put(1, profile((0, 20), level=1, number=3, since=T + 500))],
          [(1, 0, a(7)), (1, 500, a(20))]),
    Scene("3.13.2 the same level of another purpose does not",
          [Put(0, profile((0, 10), purpose=MAX)), Put(0, profile((0, 20), number=2))],
          [(1, 0, a(10)), (0, 0, a(10))]),
    Scene("5.16.4 the same id replaces, whatever it was",
          [Put(0, profile((0, 10), purpose=MAX)), Put(2, profile((0, 20), level=4))],
          [(0, 0, FREE), (1, 0, FREE), (2, 0, a(20))]),
    Scene("5.16.4 one profile may take the place of two",
          [Put(1, profile((0, 10), number=1)), Put(1, profile((0, 8), level=1, number=2)),
           Put(1, profile((0, 20), level=0, number=2))], [(1, 0, a(20))]),
    Scene("5.16.3 a session's profile is replaced by level",
          [Began(1, 7), Put(1, profile((0, 10), purpose=TX)),
           Put(1, profile((0, 20), purpose=TX, number=2))], [(1, 0, a(20))]),
    Scene("5.16.3 or stands beside it on another",
          [Began(1, 7), Put(1, profile((0, 10), purpose=TX)),
           Put(1, profile((0, 20), purpose=TX, number=2, level=1, lasts=60))],
          [(1, 59, a(20)), (1, 60, a(10))]),
    Scene("5.16 levels 0 and the highest", [Put(1, profile((0, 10))),
          Put(1, profile((0, 20), level=STACK_LEVEL_MAX, number=2))], [(1, 0, a(20))]),
]  # fmt: skip

KINDS = [
    Scene("7.9 absolute: by its start, not by the session's",
          [Put(1, profile(*TWO)), Began(1, 7, T + 1800)],
          [(1, 1800, a(16)), (1, HOUR - 1, a(16)), (1, HOUR, a(10))]),
    Scene("7.9 absolute: nothing before its start",
          [Put(1, profile((0, 16), start=T + 60))], [(1, 59, FREE), (1, 60, a(16))]),
    Scene("5.16.4 absolute: a start in the past",
          [Put(1, profile(*TWO, start=T - HOUR + 10))], [(1, 9, a(16)), (1, 10, a(10))]),
    Scene("7.13 absolute without a start: from the start of charging",
          [Put(1, profile(*TWO, start=None)), Began(1, 7, T + 1800)],
          [(1, 1800 + HOUR - 1, a(16)), (1, 1800 + HOUR, a(10))]),
    Scene("7.9 relative: from the start of the session",
          [Put(1, profile(*TWO, kind="Relative")), Began(1, 7, T + 1800)],
          [(1, 1800 + HOUR - 1, a(16)), (1, 1800 + HOUR, a(10))]),
    Scene("7.9 relative: a session that began before it was set is as old as it is",
          [Began(1, 7, T - HOUR), Put(1, profile(*TWO, kind="Relative", purpose=TX))],
          [(1, 0, a(10))]),
    Scene("7.9 relative: without a session, as for one that begins",
          [Put(1, profile(*TWO, kind="Relative"))], [(1, 0, a(16)), (1, DAY, a(16))]),
    Scene("7.9 relative: each session counts anew",
          [Put(1, profile(*TWO, kind="Relative")), Began(1, 7, T), Began(2, 8, T + 1800),
           Ended(1, 7), Began(1, 9, T + 3000)],
          [(1, HOUR, a(16)), (1, 3000 + HOUR, a(10)), (2, 5400, FREE)]),
    Scene("7.9 relative: a start is not looked at",
          [Put(1, profile(*TWO, kind="Relative", start=T - DAY)), Began(1, 7)], [(1, 0, a(16))]),
    Scene("7.9 relative: duration ends it in each session",
          [Put(1, profile((0, 16), kind="Relative", lasts=60)), Began(1, 7, T + 40)],
          [(1, 99, a(16)), (1, 100, FREE)]),
    Scene("7.9 relative: a session that begins ahead of our clock is at its beginning",
          [Put(1, profile(*TWO, kind="Relative")), Began(1, 7, T + 30)],
          [(1, 0, a(16)), (1, 30 + HOUR, a(10))]),
    Scene("7.9 relative: a session's start within a second is that second",
          [Put(1, profile((0, 16), (10, 8), kind="Relative")), Began(1, 7, T + 0.9)],
          [(1, 9.99, a(16)), (1, 10.0, a(8))]),
    Scene("7.9 relative maximum: from when it came",
          [Put(0, profile(*TWO, kind="Relative", purpose=MAX), T + 100)],
          [(0, 100, a(16)), (0, 100 + HOUR, a(10)), (1, 100 + HOUR, a(10))]),
    Scene("7.9 relative maximum: or from when it is valid",
          [Put(0, profile(*TWO, kind="Relative", purpose=MAX, since=T + 500), T)],
          [(0, 499, FREE), (0, 500, a(16)), (0, 499 + HOUR, a(16)), (0, 500 + HOUR, a(10))]),
    Scene("7.13 absolute maximum without a start: the same",
          [Put(0, profile(*TWO, start=None, purpose=MAX), T + 100)],
          [(0, 100, a(16)), (0, 100 + HOUR, a(10))]),
    Scene("7.13 duration ends the last period", [Put(1, profile(*TWO, lasts=2 * HOUR))],
          [(1, 2 * HOUR - 1, a(10)), (1, 2 * HOUR, FREE)]),
    Scene("5.16.4 periods beyond the duration are not executed",
          [Put(1, profile((0, 16), (100, 10), (200, 6), lasts=150))],
          [(1, 149, a(10)), (1, 150, FREE), (1, 200, FREE)]),
    Scene("5.16.4 a duration beyond the periods keeps the last",
          [Put(1, profile(*TWO, lasts=DAY))], [(1, DAY - 1, a(10)), (1, DAY, FREE)]),
    Scene("7.14 a period begins with its second and ends with the next",
          [Put(1, profile((0, 16), (1, 15), (2, 14)))],
          [(1, 0, a(16)), (1, 0.99, a(16)), (1, 1, a(15)), (1, 2, a(14))]),
    Scene("7.8 valid from and to: the first second is in, the last is out",
          [Put(1, profile((0, 16), start=T - DAY, since=T + 10, to=T + 20))],
          [(1, 9, FREE), (1, 10, a(16)), (1, 19, a(16)), (1, 20, FREE)]),
    Scene("7.8 valid to ends a session's profile too",
          [Began(1, 7), Put(1, profile((0, 16), purpose=TX, to=T + 20))],
          [(1, 19, a(16)), (1, 20, FREE)]),
    Scene("7.8 the year 1 and the year 9999 are meant as never",
          [Put(1, profile((0, 16), since="0001-01-01T00:00:00Z", to="9999-12-31T23:59:59.999Z"))],
          [(1, 0, a(16))]),
    Scene("3.11 a time with its offset is the moment that it says",
          [Put(1, profile((0, 16), start="2026-01-05T02:00:00+02:00"))],
          [(1, -1, FREE), (1, 0, a(16))]),
]  # fmt: skip

RECURRING = [
    Scene("7.9 daily: begins again each day at its time",
          [Put(1, profile((0, 32), (7 * HOUR, 6), start=T + 22 * HOUR, **DAILY))],
          [(1, 22 * HOUR, a(32)), (1, DAY + 5 * HOUR - 1, a(32)), (1, DAY + 5 * HOUR, a(6)),
           (1, DAY + 22 * HOUR - 1, a(6)), (1, DAY + 22 * HOUR, a(32)),
           (1, 400 * DAY + 4 * HOUR, a(32))]),
    Scene("7.9 daily: nothing before its first start",
          [Put(1, profile((0, 6), start=T + DAY, **DAILY))], [(1, DAY - 1, FREE), (1, DAY, a(6))]),
    Scene("5.16.4 daily: shorter than a day, the lower level rules in between",
          [Put(1, profile((0, 20))),
           Put(1, profile((0, 6), level=1, number=2, lasts=HOUR, **DAILY))],
          [(1, HOUR - 1, a(6)), (1, HOUR, a(20)), (1, DAY - 1, a(20)), (1, DAY, a(6)),
           (1, DAY + HOUR, a(20))]),
    Scene("5.16.4 daily: shorter than a day and alone, charging is free in between",
          [Put(1, profile((0, 6), lasts=HOUR, **DAILY))], [(1, HOUR, FREE), (1, DAY, a(6))]),
    Scene("5.16.4 daily: what is beyond a day is not executed",
          [Put(1, profile((0, 6), (DAY + 10, 20), lasts=3 * DAY, **DAILY))],
          [(1, DAY + 10, a(6)), (1, 3 * DAY + 10, a(6))]),
    Scene("7.9 weekly: the same second of the week",
          [Put(1, profile((0, 6), (5 * DAY, 32), **WEEKLY))],
          [(1, 5 * DAY - 1, a(6)), (1, 5 * DAY, a(32)), (1, WEEK - 1, a(32)), (1, WEEK, a(6)),
           (1, 53 * WEEK + 5 * DAY, a(32))]),
    Scene("7.9 weekly: a week that begins on Sunday evening",
          [Put(1, profile((0, 6), (2 * HOUR, 16), start=T - HOUR, lasts=4 * HOUR, **WEEKLY))],
          [(1, 0, a(6)), (1, HOUR, a(16)), (1, 3 * HOUR, FREE), (1, WEEK - HOUR - 1, FREE),
           (1, WEEK - HOUR, a(6))]),
    Scene("3.13.2 weekly with a daily above it",
          [Put(1, profile((0, 16), (5 * DAY, 32), **WEEKLY)),
           Put(1, profile((0, 6), level=1, number=2, start=T + 17 * HOUR, lasts=HOUR, **DAILY))],
          [(1, 5 * DAY + 17 * HOUR - 1, a(32)), (1, 5 * DAY + 17 * HOUR, a(6)),
           (1, 5 * DAY + 18 * HOUR, a(32))]),
    Scene("7.8 recurring between its days of validity",
          [Put(1, profile((0, 6), (HOUR, 8), since=T + DAY + 1800, to=T + 2 * DAY + 60, **DAILY))],
          [(1, DAY, FREE), (1, DAY + 1800, a(6)), (1, DAY + HOUR, a(8)), (1, 2 * DAY, a(6)),
           (1, 2 * DAY + 60, FREE)]),
    Scene("7.13 recurring without a start: from when it is valid",
          [Put(1, profile((0, 6), (HOUR, 8), start=None, since=T + 60, **DAILY))],
          [(1, 59, FREE), (1, 60, a(6)), (1, 59 + HOUR, a(6)), (1, 60 + HOUR, a(8)),
           (1, 60 + DAY, a(6))]),
    Scene("7.9 a recurring maximum", [Put(0, profile((0, 6), (HOUR, 8), purpose=MAX, **DAILY))],
          [(0, DAY, a(6)), (0, DAY + HOUR, a(8)), (2, DAY + HOUR, a(8))]),
    Scene("7.9 a recurring profile of a session",
          [Began(1, 7), Put(1, profile((0, 6), (HOUR, 8), purpose=TX, **DAILY))],
          [(1, DAY, a(6)), (1, 3 * DAY + HOUR, a(8))]),
    Scene("7.9 an anchor many years ago",
          [Put(1, profile((0, 6), (HOUR, 8), start="1970-01-05T00:00:00Z", **WEEKLY))],
          [(1, 0, a(6)), (1, HOUR, a(8)), (1, WEEK - 1, a(8)), (1, WEEK, a(6))]),
]  # fmt: skip


def utc(*date: int) -> int:
    """Seconds from T to a time in UTC."""
    return int(datetime(*date, tzinfo=UTC).timestamp()) - T


# OCPP's times are UTC and name no zone: 86,400 s are a day, whatever the clocks of the place do.
# A CSMS that means 17:00 in Berlin sets another start when the clocks change.
CLOCKS = [
    Scene("3.11 spring in Europe: a daily profile stays at its UTC time",
          [Put(1, profile((0, 6), start="2026-03-28T17:00:00+01:00", lasts=HOUR, **DAILY))],
          [(1, utc(2026, 3, 28, 16), a(6)), (1, utc(2026, 3, 29, 15), FREE),
           (1, utc(2026, 3, 29, 16), a(6)), (1, utc(2026, 3, 29, 17), FREE)]),
    Scene("3.11 autumn in Europe: the hour that comes twice is two hours",
          [Put(1, profile((0, 6), start="2026-10-24T02:30:00+02:00", lasts=HOUR, **DAILY))],
          [(1, utc(2026, 10, 25, 0, 30), a(6)), (1, utc(2026, 10, 25, 1, 30), FREE),
           (1, utc(2026, 10, 26, 0, 30), a(6))]),
    Scene("3.11 a week over a change of clocks has 604,800 s",
          [Put(1, profile((0, 6), start="2026-03-23T00:00:00+01:00", lasts=HOUR, **WEEKLY))],
          [(1, utc(2026, 3, 29, 22), FREE), (1, utc(2026, 3, 29, 23), a(6)),
           (1, utc(2026, 3, 30), FREE)]),
    Scene("7.9 the end of February in a leap year, and in another",
          [Put(1, profile((0, 6), start="2028-02-28T12:00:00Z", lasts=HOUR, **DAILY))],
          [(1, utc(2028, 2, 29, 12), a(6)), (1, utc(2028, 3, 1, 12), a(6)),
           (1, utc(2029, 3, 1, 12), a(6)), (1, utc(2029, 3, 1, 13), FREE)]),
    Scene("7.9 the turn of a year with 53 weeks",
          [Put(1, profile((0, 6), start="2026-12-28T00:00:00Z", lasts=HOUR, **WEEKLY))],
          [(1, utc(2027, 1, 4), a(6)), (1, utc(2027, 1, 1), FREE), (1, utc(2027, 1, 11), a(6))]),
    Scene("7.9 the end of the 32 bits of 2038",
          [Put(1, profile((0, 6), start="2038-01-19T03:14:00Z", lasts=10, **DAILY))],
          [(1, utc(2038, 1, 19, 3, 14, 7), a(6)), (1, utc(2038, 1, 19, 3, 14, 10), FREE),
           (1, utc(2038, 1, 20, 3, 14, 9), a(6))]),
]  # fmt: skip

AMOUNTS = [
    Scene("7.12 watts are watts in all", [Put(1, profile((0, 11_000), unit="W"))],
          [(1, 0, w(11_000))]),
    Scene("3.13.3 amps and watts of two purposes both hold",
          [Put(0, profile((0, 11_000), unit="W", purpose=MAX)),
           Put(0, profile((0, 20), number=2))],
          [(0, 0, w(11_000)), (1, 0, Bound(ma=20_000, mw=11_000_000))]),
    Scene("7.14 a tenth of an amp, which no float is", [Put(1, profile((0, 16.6)))],
          [(1, 0, Bound(ma=16_600))]),
    Scene("7.14 what is finer is rounded down", [Put(1, profile((0, 6.956521739)))],
          [(1, 0, Bound(ma=6_956))]),
    Scene("7.14 zero stops", [Put(1, profile((0, 0)))], [(1, 0, a(0))]),
    Scene("7.14 what is meant as no limit is one that no one reaches",
          [Put(1, profile((0, 1e18)))], [(1, 0, Bound(ma=10**12))]),
    Scene("7.14 the phases are named with the amps", [Put(1, profile((0, 16, 3), (60, 16, 1)))],
          [(1, 59, a(16, 3)), (1, 60, a(16, 1))]),
    Scene("3.13.3 the fewest phases hold", [Put(0, profile((0, 32, 3), purpose=MAX)),
          Put(1, profile((0, 16, 1), number=2))], [(0, 0, a(32, 3)), (1, 0, a(16, 1))]),
    Scene("7.13 what the car charges badly below is said, and bounds nothing",
          [Put(1, profile((0, 16), least=8.1))], [(1, 0, Bound(ma=16_000, least_ma=8_100))]),
    Scene("7.13 of two, the higher", [Put(0, profile((0, 32), least=6, purpose=MAX)),
          Put(1, profile((0, 16), least=8.1, number=2))],
          [(1, 0, Bound(ma=16_000, least_ma=8_100)), (0, 0, Bound(ma=32_000, least_ma=6_000))]),
    Scene("7.13 and in watts",
          [Put(0, profile((0, 9000), least=100, purpose=MAX, unit="W")),
           Put(1, profile((0, 7000), least=4000.5, unit="W", number=2))],
          [(1, 0, Bound(mw=7_000_000, least_mw=4_000_500))]),
]  # fmt: skip

CLEARED = [
    Scene("5.5 by its id", [Put(1, profile((0, 10))), Put(1, profile((0, 20), level=1, number=2)),
          Clear({"id": 2})], [(1, 0, a(10))]),
    Scene("5.5 by an id that there is not", [Put(1, profile((0, 10))), Clear({"id": 2}, False)],
          [(1, 0, a(10))]),
    Scene("5.5 (errata 3.26) an id alone decides", [Put(1, profile((0, 10))),
          Clear({"id": 1, "connector_id": 2, "stack_level": 9})], [(1, 0, FREE)]),
    Scene("5.5 all", [Put(0, profile((0, 10), purpose=MAX)), Put(1, profile((0, 8), number=2)),
          Clear({})], [(0, 0, FREE), (1, 0, FREE)]),
    Scene("5.5 all of nothing", [Clear({}, False)], [(1, 0, FREE)]),
    Scene("5.5 by purpose", [Put(0, profile((0, 10), purpose=MAX)),
          Put(1, profile((0, 8), number=2)),
          Clear({"charging_profile_purpose": DEFAULT})], [(1, 0, a(10))]),
    Scene("5.5 by level", [Put(1, profile((0, 10))), Put(1, profile((0, 20), level=1, number=2)),
          Clear({"stack_level": 1})], [(1, 0, a(10))]),
    Scene("5.5 by connector", [Put(1, profile((0, 10))), Put(2, profile((0, 20), number=2)),
          Clear({"connector_id": 2})], [(1, 0, a(10)), (2, 0, FREE)]),
    Scene("6.13 connector 0 is the charger's own, not every connector's",
          [Put(0, profile((0, 10))), Put(2, profile((0, 20), number=2, level=1)),
           Clear({"connector_id": 0})], [(1, 0, FREE), (2, 0, a(20))]),
    Scene("5.5 by all that is given together",
          [Put(1, profile((0, 10))),
           Clear({"connector_id": 1, "stack_level": 1}, False),
           Clear({"connector_id": 1, "stack_level": 0, "charging_profile_purpose": DEFAULT})],
          [(1, 0, FREE)]),
    Scene("5.5 a session's profile", [Put(1, profile((0, 10))), Began(1, 7),
          Put(1, profile((0, 20), purpose=TX, number=2)),
          Clear({"charging_profile_purpose": TX})], [(1, 0, a(10))]),
    Scene("5.5 one that is awaited", [Next(1, profile((0, 20), purpose=TX)), Clear({"id": 1}),
          Began(1, 7)], [(1, 0, FREE)]),
]  # fmt: skip

FOR_NEXT = [
    Scene("5.16.2 a remote start's profile is its session's",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7, T + 30)], [(1, 30, a(20))]),
    Scene("5.16.2 and not the next one's",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7), Ended(1, 7), Began(1, 8)],
          [(1, 0, FREE)]),
    Scene("5.16.2 nor anyone's before it has begun", [Next(1, profile((0, 20), purpose=TX))],
          [(1, 0, FREE)]),
    Scene("5.16.2 it counts from the session's start",
          [Next(1, profile(*TWO, purpose=TX, kind="Relative")), Began(1, 7, T + 90)],
          [(1, 90 + HOUR - 1, a(16)), (1, 90 + HOUR, a(10))]),
    Scene("5.11 without a connector it is for the one that begins",
          [Next(None, profile((0, 20), purpose=TX)), Began(2, 7)], [(1, 0, FREE), (2, 0, a(20))]),
    Scene("5.11 a connector that was named is meant before any",
          [Next(1, profile((0, 20), purpose=TX)), Next(None, profile((0, 8), purpose=TX, number=2)),
           Began(1, 7), Began(2, 8)], [(1, 0, a(20)), (2, 0, a(8))]),
    Scene("5.11 another connector's start does not take it",
          [Next(1, profile((0, 20), purpose=TX)), Began(2, 7)], [(2, 0, FREE)]),
    Scene("5.11 another driver's start does not take it",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7, tag="OTHER")], [(1, 0, FREE)]),
    Scene("5.11 two drivers, each the own",
          [Next(None, profile((0, 20), purpose=TX), tag="A"),
           Next(None, profile((0, 8), purpose=TX, number=2), tag="B"),
           Began(1, 7, tag="B"), Began(2, 8, tag="a")], [(1, 0, a(8)), (2, 0, a(20))]),
    Scene("5.11 who never plugged in and starts an hour later has it not",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7, T + HOUR)], [(1, HOUR, FREE)]),
    Scene("5.11 a start that is older than the request was another",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7, T - HOUR)], [(1, 0, FREE)]),
    Scene("5.11 refused by the charger it is forgotten",
          [Next(1, profile((0, 20), purpose=TX)), Refuses(1), Began(1, 7)], [(1, 0, FREE)]),
    Scene("5.11 asked again, the newer one holds",
          [Next(1, profile((0, 20), purpose=TX)),
           Next(1, profile((0, 8), purpose=TX, number=2), T + 5), Began(1, 7, T + 9)],
          [(1, 9, a(8))]),
    Scene("5.16.2 of the same level, a profile of the transaction replaces it",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7),
           Put(1, profile((0, 8), purpose=TX, number=2, tx=7))], [(1, 0, a(8))]),
    Scene("5.16.2 of another level, it stands beside it",
          [Next(1, profile((0, 20), purpose=TX)), Began(1, 7),
           Put(1, profile((0, 8), purpose=TX, number=2, level=1, lasts=60))],
          [(1, 59, a(8)), (1, 60, a(20))]),
]  # fmt: skip

SCENES = [*PURPOSES, *STACKS, *KINDS, *RECURRING, *CLOCKS, *AMOUNTS, *CLEARED, *FOR_NEXT]


def played(scene: Scene) -> Profiles:
    profiles = Profiles(connectors=2)
    for step in scene.steps:
        step.do(profiles)
    return profiles


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_what_a_connector_may_draw(scene: Scene) -> None:
    profiles = played(scene)
    for connector, at, bound in scene.asked:
        assert profiles.bound(connector, T + at)[0] == bound, (connector, at)


def test_what_was_asked_before_does_not_linger() -> None:
    profiles = Profiles(2)

    def drawn() -> list[Bound]:
        return [profiles.bound(connector, T)[0] for connector in (0, 1, 2)]

    assert drawn() == [FREE, FREE, FREE]
    Put(0, profile((0, 16))).do(profiles)
    assert drawn() == [FREE, a(16), a(16)]
    Began(1, 7).do(profiles)
    Put(1, profile((0, 10), purpose=TX, number=2)).do(profiles)
    assert drawn() == [FREE, a(10), a(16)]
    Put(0, profile((0, 8), purpose=MAX, number=3)).do(profiles)
    assert drawn() == [a(8), a(8), a(8)]
    Clear({"id": 3}).do(profiles)
    Ended(1, 7).do(profiles)
    assert drawn() == [FREE, a(16), a(16)]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_it_is_the_same_after_a_restart(scene: Scene) -> None:
    profiles = played(scene)

    disk = msgspec.json.encode(profiles.kept())
    again = Profiles(2, msgspec.json.decode(disk, type=Kept))

    assert again.kept() == profiles.kept()
    for connector, at, bound in scene.asked:
        assert again.bound(connector, T + at)[0] == bound, (connector, at)


def test_the_names_of_the_scenes_are_their_own() -> None:
    names = [scene.name for scene in SCENES]

    assert len(names) >= 80
    assert [name for name in names if not name[0].isdigit()] == []


# when it changes


class Change(NamedTuple):
    name: str
    steps: list[Step]
    asked: tuple[int, float]
    until: int | None


CHANGES = [
    Change("nothing set: never", [], (1, 0), None),
    Change("one limit for ever: never", [Put(1, profile((0, 16)))], (1, 0), None),
    Change("the next period", [Put(1, profile(*TWO))], (1, 10.5), HOUR),
    Change("the last period: never", [Put(1, profile(*TWO))], (1, HOUR), None),
    Change("the end", [Put(1, profile((0, 16), lasts=50))], (1, 0), 50),
    Change("a start to come", [Put(1, profile((0, 16), start=T + 50))], (1, 0), 50),
    Change("validity to come", [Put(1, profile((0, 16), since=T + 50))], (1, 0), 50),
    Change("validity that ends", [Put(1, profile((0, 16), to=T + 50))], (1, 0), 50),
    Change("periods of one limit are one",
           [Put(1, profile((0, 16), (50, 16), (100, 8)))], (1, 0), 100),
    Change("a lower level's changes are hidden",
           [Put(1, profile((0, 16), (50, 6))), Put(1, profile((0, 10), level=1, number=2))],
           (1, 0), None),
    Change("what the maximum hides is no change",
           [Put(0, profile((0, 6), purpose=MAX)),
            Put(1, profile((0, 16), (50, 10), (100, 5), number=2))], (1, 0), 100),
    Change("one profile takes over from another of the same limit",
           [Put(1, profile((0, 16), (200, 12))),
            Put(1, profile((0, 16), level=1, number=2, lasts=100))], (1, 0), 200),
    Change("a higher level to come, over one that goes on", [Put(1, profile((0, 16))),
           Put(1, profile((0, 10), level=1, number=2, start=T + 50))], (1, 0), 50),
    Change("the maximum changes for all",
           [Put(0, profile((0, 32), (70, 20), purpose=MAX))], (2, 0), 70),
    Change("a day around", [Put(1, profile((0, 6), (HOUR, 16), **DAILY))], (1, HOUR), DAY),
    Change("a session's own", [Began(1, 7, T + 20),
           Put(1, profile(*TWO, kind="Relative", purpose=TX), T + 40)], (1, 60), HOUR + 20),
    Change("without a session nothing relative changes",
           [Put(1, profile(*TWO, kind="Relative"))], (1, 0), None),
    Change("what is more than a day away is asked for again then",
           [Put(1, profile((0, 6), (3 * DAY, 16)))], (1, 0), 3 * DAY),
    Change("also where a day repeats without a change",
           [Put(0, profile((0, 6), purpose=MAX)),
            Put(1, profile((0, 16), (HOUR, 20), number=2, **DAILY))], (1, 0), LOOK_AHEAD_S),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_when_a_bound_changes(change: Change) -> None:
    profiles = Profiles(2)
    for step in change.steps:
        step.do(profiles)
    connector, at = change.asked

    bound, until = profiles.bound(connector, T + at)

    assert until == (None if change.until is None else T + change.until)
    if until is not None:
        assert profiles.bound(connector, until - 1)[0] == bound


def test_looking_ahead_ends_however_many_changes_are_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "LOOKS_MAX", 20)
    monkeypatch.setattr(schedule, "STEPS_MAX", 20)
    profiles = Profiles(1)
    Put(0, profile((0, 6), purpose=MAX)).do(profiles)
    Put(1, profile(*((60 * n, 10 + n % 2) for n in range(100)), number=2)).do(profiles)

    bound, until = profiles.bound(1, T)
    answer = composite(profiles, 1, 6000)

    assert (bound, until) == (a(6), T + 21 * 60)  # true as far as it goes
    assert answer["chargingSchedule"]["duration"] == 20 * 60


# what is refused

PATH = "$.csChargingProfiles"
SCHEDULE = f"{PATH}.chargingSchedule"
PERIODS = f"{SCHEDULE}.chargingSchedulePeriod"
CONNECTOR = "$.connectorId"
A_TIME = "a time like 2026-01-31T12:00:00Z"


class Refused(NamedTuple):
    """A profile that is not taken, and what is said of it."""

    name: str
    connector: int
    profile: CsChargingProfiles
    expected: str
    came: str
    where: str


REFUSED = [
    Refused("5.16 a connector that there is not", 3, profile((0, 6)), "0 to 2", "3", CONNECTOR),
    Refused("5.16 a connector below 0", -1, profile((0, 6)), "0 to 2", "-1", CONNECTOR),
    Refused("3.13.1 a maximum on a connector", 1, profile((0, 6), purpose=MAX),
            "0 for a ChargePointMaxProfile", "1", CONNECTOR),
    Refused("3.13.1 a session's on connector 0", 0, profile((0, 6), purpose=TX),
            "a connector above 0 for a TxProfile", "0", CONNECTOR),
    Refused("3.13.1 a session's where there is none", 2, profile((0, 6), purpose=TX),
            "a running transaction on connector 2 for a TxProfile", "none",
            f"{PATH}.chargingProfilePurpose"),
    Refused("7.8 another transaction", 1, profile((0, 6), purpose=TX, tx=8),
            "the transaction of connector 1, 7", "8", f"{PATH}.transactionId"),
    Refused("7.8 a transaction for a default", 1, profile((0, 6), tx=7),
            "no transaction for a TxDefaultProfile", "7", f"{PATH}.transactionId"),
    Refused("7.8 a level below 0", 1, profile((0, 6), level=-1),
            "0 to 100", "-1", f"{PATH}.stackLevel"),
    Refused("9.4 a level above the highest", 1, profile((0, 6), level=101),
            "0 to 100", "101", f"{PATH}.stackLevel"),
    Refused("7.8 a time that is none", 1, profile((0, 6), since="tomorrow"),
            A_TIME, "'tomorrow'", f"{PATH}.validFrom"),
    Refused("7.8 a day that there is not", 1, profile((0, 6), to="2026-02-30T00:00:00Z"),
            A_TIME, "'2026-02-30T00:00:00Z'", f"{PATH}.validTo"),
    Refused("7.8 a time beyond the years", 1, profile((0, 6), to="9999-12-31T23:59:59-02:00"),
            A_TIME, "'9999-12-31T23:59:59-02:00'", f"{PATH}.validTo"),
    Refused("7.8 valid to before from", 1, profile((0, 6), since=T + 1, to=T + 1),
            "a time after validFrom, 2026-01-05T00:00:01Z", "2026-01-05T00:00:01Z",
            f"{PATH}.validTo"),
    Refused("7.9 recurring, but how?", 1, profile((0, 6), kind="Recurring"),
            "Daily or Weekly", "nothing", f"{PATH}.recurrencyKind"),
    Refused("7.9 recurring, but from when?", 1, profile((0, 6), start=None, **DAILY),
            "a time from which it recurs", "nothing", f"{SCHEDULE}.startSchedule"),
    Refused("7.13 a start that is no time", 1, profile((0, 6), start="08:00"),
            A_TIME, "'08:00'", f"{SCHEDULE}.startSchedule"),
    Refused("7.13 a duration of nothing", 1, profile((0, 6), lasts=0),
            "1 s or more", "0", f"{SCHEDULE}.duration"),
    Refused("7.13 a rate below 0", 1, profile((0, 6), least=-1),
            "an amount of 0 or more", "-1.0", f"{SCHEDULE}.minChargingRate"),
    Refused("7.13 no periods", 1, profile(), "1 to 200 periods", "0", PERIODS),
    Refused("9.4 too many periods", 1, profile(*((n, n) for n in range(PERIODS_MAX + 1))),
            "1 to 200 periods", "201", PERIODS),
    Refused("7.13 a first period that begins later", 1, profile((60, 6)),
            "0 for the first period", "60", f"{PERIODS}[0].startPeriod"),
    Refused("7.14 a period that begins before the one before", 1, profile((0, 6), (60, 7), (60, 8)),
            "more than 60 s, the period before", "60", f"{PERIODS}[2].startPeriod"),
    Refused("7.14 a limit below 0", 1, profile((0, 6), (60, -0.1)),
            "an amount of 0 or more", "-0.1", f"{PERIODS}[1].limit"),
    Refused("7.14 four phases", 1, profile((0, 6, 4)),
            "1 to 3", "4", f"{PERIODS}[0].numberPhases"),
]  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_what_is_refused_says_why_and_changes_nothing(refused: Refused) -> None:
    profiles = Profiles(connectors=2)
    Began(1, 7).do(profiles)
    Put(1, profile((0, 16), purpose=TX)).do(profiles)  # of the same id as what is refused
    before = profiles.kept()

    verdict = profiles.set(refused.connector, refused.profile, T)

    why = f"expected {refused.expected}, got {refused.came} - at {refused.where}"
    assert (verdict.status, verdict.reason) == ("Rejected", why)
    assert profiles.kept() == before


@pytest.mark.parametrize(
    ("connector", "given", "why"),
    [
        (0, profile((0, 6), purpose=TX), "expected 1 to 2, got 0 - at $.connectorId"),
        (None, profile((0, 6)),
         "expected TxProfile, got TxDefaultProfile - at $.chargingProfile.chargingProfilePurpose"),
        (1, profile((0, 6), purpose=TX, tx=7),
         "expected no transaction before it has begun, got 7 - at $.chargingProfile.transactionId"),
        (1, profile((0, 6), purpose=TX, level=101),
         "expected 0 to 100, got 101 - at $.chargingProfile.stackLevel"),
    ],
    ids=["5.11 connector 0", "5.16.2 a default", "5.16.2 a transaction", "9.4 a level"],
)  # fmt: skip
def test_what_is_refused_with_a_remote_start(
    connector: int | None, given: CsChargingProfiles, why: str
) -> None:
    profiles = Profiles(connectors=2)

    verdict = profiles.set_for_next(connector, "DRIVER", given, T)

    assert (verdict.status, verdict.reason) == ("Rejected", why)
    assert profiles.kept() == Kept()


@pytest.mark.parametrize("limit", [float("inf"), float("nan")])
def test_a_limit_that_is_no_number_is_refused(limit: float) -> None:
    of, given = msgspec.structs.replace, profile((0, 6))
    period = of(given.charging_schedule.charging_schedule_period[0], limit=limit)
    made = of(given.charging_schedule, charging_schedule_period=(period,))

    assert Profiles(1).set(1, of(given, charging_schedule=made), T).status == "Rejected"


def filled(**more: Any) -> Profiles:
    profiles = Profiles(connectors=2)
    for n in range(PROFILES_MAX):
        Put(1, profile((0, 6 + n), number=n, level=n, **more)).do(profiles)
    return profiles


def test_9_4_one_profile_too_many_is_refused_and_one_in_its_place_is_not() -> None:
    profiles = filled()

    verdict = profiles.set(1, profile((0, 50), number=99, level=50), T)
    in_place = profiles.set(1, profile((0, 7), number=99, level=PROFILES_MAX - 1), T)
    by_its_id = profiles.set(2, profile((0, 8), number=5), T)

    assert verdict.reason == "expected at most 32 profiles, got one more - at $.csChargingProfiles"
    assert (in_place.status, by_its_id.status) == ("Accepted", "Accepted")
    assert (profiles.bound(1, T)[0], profiles.bound(2, T)[0]) == (a(7), a(8))
    assert len(profiles.kept().profiles) == PROFILES_MAX


@pytest.mark.parametrize("more", [{"to": T + 60}, {"lasts": 60}])
def test_9_4_what_is_over_makes_room_for_what_is_new(more: dict[str, Any]) -> None:
    profiles = filled(**more)

    too_soon = profiles.set(2, profile((0, 50), number=99), T + 59)
    verdict = profiles.set(2, profile((0, 50), number=99), T + 60)

    assert (too_soon.status, verdict.status) == ("Rejected", "Accepted")
    assert len(profiles.kept().profiles) == 1


def test_t2_a_clock_that_is_wrong_for_a_while_forgets_nothing() -> None:
    profiles = Profiles(1)
    Put(1, profile((0, 10), to=T + DAY)).do(profiles)
    Put(1, profile((0, 20), number=2, level=1), T + 30 * 365 * DAY).do(profiles)
    Clear({"id": 2}).do(profiles)

    assert profiles.bound(1, T + 30 * 365 * DAY)[0] == FREE
    assert profiles.bound(1, T)[0] == a(10)


def test_9_4_awaited_profiles_count_until_they_are_awaited_in_vain() -> None:
    profiles = Profiles(connectors=2)
    for n in range(PROFILES_MAX):
        Next(1, profile((0, 6), purpose=TX, number=n), tag=f"TAG{n}").do(profiles)

    refused = profiles.set_for_next(2, "X", profile((0, 6), purpose=TX), T + 600)
    taken = profiles.set_for_next(2, "X", profile((0, 6), purpose=TX), T + 601)

    assert refused.reason == "expected at most 32 profiles, got one more - at $.chargingProfile"
    assert taken.status == "Accepted"
    assert len(profiles.kept().awaited) == 1


def test_9_4_the_configuration_says_what_is_held() -> None:
    assert {key.key: key.value for key in CONFIGURATION} == {
        "ChargeProfileMaxStackLevel": "100",
        "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
        "ChargingScheduleMaxPeriods": "200",
        "MaxChargingProfilesInstalled": "32",
    }
    assert all(key.readonly for key in CONFIGURATION)


def test_connectors_found_later_are_connectors() -> None:
    profiles = Profiles(connectors=1)
    assert profiles.set(2, profile((0, 6)), T).status == "Rejected"

    profiles.connectors = 2

    assert profiles.set(2, profile((0, 6)), T).status == "Accepted"


# amps and watts


@pytest.mark.parametrize(
    ("bound", "supply", "ma", "mw"),
    [
        (FREE, THREE, None, None),
        (a(16), THREE, 16_000, 11_040_000),
        (a(16), ONE, 16_000, 3_680_000),
        (w(11_000), THREE, 15_942, 11_000_000),  # 7.12: the current is what the power gives
        (w(7_360), ONE, 32_000, 7_360_000),
        (Bound(ma=10_000, mw=11_000_000), THREE, 10_000, 6_900_000),
        (Bound(ma=20_000, mw=11_000_000), THREE, 15_942, 11_000_000),
        # one phase is named: kept to only where the charger can keep a car to it
        (a(16, 1), THREE, 16_000, 11_040_000),
        (Bound(mw=7_360_000, phases=1), THREE, 10_666, 7_360_000),
        (a(16, 1), Supply(230_000, 3, switches=True), 16_000, 3_680_000),
        (Bound(mw=7_360_000, phases=1), Supply(230_000, 3, switches=True), 32_000, 7_360_000),
        (Bound(mw=7_360_000, phases=3), Supply(230_000, 1, switches=True), 32_000, 7_360_000),
        (Bound(mw=7_360_000), Supply(230_000, 3, switches=True), 10_666, 7_360_000),
    ],
)
def test_7_12_amps_are_each_phase_s_and_watts_are_all(
    bound: Bound, supply: Supply, ma: int | None, mw: int | None
) -> None:
    assert (bound.per_phase_ma(supply), bound.in_all_mw(supply)) == (ma, mw)


# what is read back


def composite(
    profiles: Profiles, connector: int, duration: int, at: float = T, **more: Any
) -> dict[str, Any]:
    """The answer as it goes out, held to its schema."""
    answer = profiles.composite(
        connector, at, duration, more.get("unit", "A"), more.get("supply", THREE),
        more.get("allowed", a(32)),
    )  # fmt: skip
    wire: dict[str, Any] = msgspec.json.decode(encode(answer))
    judge = validator(MessageType.CallResult, "GetCompositeSchedule")
    assert judge is not None
    assert not list(judge.iter_errors(exact(wire)))
    return wire


def rows(answer: dict[str, Any]) -> list[tuple[int, float]]:
    return [
        (row["startPeriod"], row["limit"])
        for row in answer["chargingSchedule"]["chargingSchedulePeriod"]
    ]


class Read(NamedTuple):
    name: str
    steps: list[Step]
    asked: dict[str, Any]
    rows: list[tuple[int, float]]


READ = [
    Read("5.7 nothing set: what LinkRay allows", [], {}, [(0, 32)]),
    Read("5.7 (K11) above what LinkRay allows", [Put(1, profile((0, 63)))], {}, [(0, 32)]),
    Read("5.7 (K11) no limit at all", [Put(1, profile((0, 1e9)))], {}, [(0, 32)]),
    Read("5.7 the periods to come, from the moment of asking", [Put(1, profile(*TWO))],
         {"at": T + 100.7}, [(0, 16), (HOUR - 100, 10)]),
    Read("3.13.3 the least of all at each time",
         [Put(0, profile((0, 20), (1000, 8), (3000, 20), purpose=MAX)),
          Put(1, profile((0, 16), (2000, 6), (4000, 40), number=2))], {},
         [(0, 16), (1000, 8), (2000, 6), (4000, 20)]),
    Read("3.13.2 stacked, as the conformance test TC_072 has it",
         [Put(1, profile((0, 6), (100, 8), (200, 10), lasts=400, start=T, to=T + 401)),
          Put(1, profile((0, 7), (100, 9), lasts=150, level=1, number=2, to=T + 401))],
         {"duration": 350}, [(0, 7), (100, 9), (150, 8), (200, 10)]),
    Read("5.7 what changes at the very end is not in it", [Put(1, profile(*TWO))],
         {"duration": HOUR}, [(0, 16)]),
    Read("5.7 a limit above what is allowed and one that ends are one row",
         [Put(1, profile((0, 40), (60, 50), (120, 16), lasts=180))], {},
         [(0, 32), (120, 16), (180, 32)]),
    Read("5.7 a relative default without a session: as if one began now",
         [Put(1, profile(*TWO, kind="Relative"))], {"at": T + 500}, [(0, 16), (HOUR, 10)]),
    Read("5.7 a session's own is as old as the session",
         [Began(1, 7), Put(1, profile(*TWO, kind="Relative", purpose=TX))], {"at": T + 500},
         [(0, 16), (HOUR - 500, 10)]),
    Read("5.7 a day around", [Put(1, profile((0, 6), (HOUR, 16), **DAILY))],
         {"at": T + 2 * HOUR, "duration": DAY}, [(0, 16), (22 * HOUR, 6), (23 * HOUR, 16)]),
    Read("7.12 in watts", [Put(1, profile(*TWO))], {"unit": "W"},
         [(0, 11_040), (HOUR, 6_900)]),
    Read("7.12 in watts on one phase", [Put(1, profile((0, 16)))], {"unit": "W", "supply": ONE},
         [(0, 3_680)]),
    Read("7.12 (K11) watts read in amps are rounded down to tenths",
         [Put(1, profile((0, 11_000), unit="W"))], {}, [(0, 15.9)]),
    Read("7.14 tenths stay", [Put(1, profile((0, 16.6)))], {}, [(0, 16.6)]),
    Read("5.7 what LinkRay allows in watts", [Put(1, profile((0, 16)))],
         {"allowed": w(7_000), "unit": "W"}, [(0, 7_000)]),
    Read("5.7 connector 0: the maximum", [Put(0, profile((0, 20), purpose=MAX))],
         {"connector": 0}, [(0, 20)]),
    Read("5.7 connector 0: no more than what the connectors may draw in sum",
         [Put(1, profile((0, 10))), Put(2, profile((0, 6), (60, 40), number=2))],
         {"connector": 0, "allowed": a(40)}, [(0, 16), (60, 40)]),
    Read("5.7 connector 0: nor than the maximum",
         [Put(0, profile((0, 14), purpose=MAX)), Put(0, profile((0, 10), number=2))],
         {"connector": 0}, [(0, 14)]),
    Read("5.7 connector 0: the sum in watts",
         [Put(1, profile((0, 10))), Put(2, profile((0, 6), number=2))],
         {"connector": 0, "unit": "W"}, [(0, 11_040)]),
]  # fmt: skip


@pytest.mark.parametrize("read", READ, ids=lambda read: read.name)
def test_what_is_read_back(read: Read) -> None:
    profiles = Profiles(connectors=2)
    for step in read.steps:
        step.do(profiles)
    asked = {"connector": 1, "duration": 2 * HOUR, "at": T, **read.asked}

    answer = composite(profiles, **asked)

    assert rows(answer) == read.rows
    assert answer["status"] == "Accepted"
    assert answer["connectorId"] == asked["connector"]
    assert answer["scheduleStart"] == text(int(asked["at"]))
    assert answer["chargingSchedule"]["duration"] == asked["duration"]
    assert answer["chargingSchedule"]["chargingRateUnit"] == asked.get("unit", "A")


def test_5_7_what_is_read_back_names_the_phases_that_carry_it() -> None:
    profiles = Profiles(1)
    Put(1, profile((0, 16, 3), (60, 16, 1))).do(profiles)

    kept_to = composite(profiles, 1, 100, supply=Supply(230_000, 3, switches=True))
    not_kept_to = composite(profiles, 1, 100)

    periods = [answer["chargingSchedule"]["chargingSchedulePeriod"]
               for answer in (kept_to, not_kept_to)]  # fmt: skip
    assert [[row["numberPhases"] for row in each] for each in periods] == [[3, 1], [3]]


@pytest.mark.parametrize(("connector", "duration"), [(3, 60), (-1, 60), (1, 0), (1, -5)])
def test_5_7_what_cannot_be_reported_is_rejected(connector: int, duration: int) -> None:
    assert composite(Profiles(2), connector, duration) == {"status": "Rejected"}


def test_5_7_more_than_a_week_is_a_week() -> None:
    assert composite(Profiles(1), 1, 10 * WEEK)["chargingSchedule"]["duration"] == WEEK


def test_9_4_more_than_200_periods_end_where_the_last_ends() -> None:
    profiles = Profiles(1)
    Put(1, profile(*((60 * n, 6 + n % 2) for n in range(PERIODS_MAX)), **DAILY)).do(profiles)

    answer = composite(profiles, 1, 2 * DAY)

    assert len(rows(answer)) == PERIODS_MAX
    assert answer["chargingSchedule"]["duration"] == DAY  # there its first period begins again


def test_k11_a_whole_calendar_is_read_back_below_what_linkray_allows() -> None:
    profiles = Profiles(2)
    Put(0, profile((0, 22_000), (6 * HOUR, 1e7), unit="W", purpose=MAX, **DAILY)).do(profiles)
    Put(0, profile((0, 16), (5 * DAY, 63), number=2, **WEEKLY)).do(profiles)
    Put(1, profile((0, 6), level=9, number=3, start=T + DAY, lasts=HOUR)).do(profiles)
    Put(1, profile((0, 80), level=8, number=4, start=T + DAY, lasts=2 * HOUR)).do(profiles)

    read = rows(composite(profiles, 1, WEEK))

    # 22 kW are 31.8 A on each of three phases
    assert read == [
        (0, 16), (DAY, 6), (DAY + HOUR, 31.8), (DAY + 2 * HOUR, 16), (5 * DAY, 31.8),
        (5 * DAY + 6 * HOUR, 32), (6 * DAY, 31.8), (6 * DAY + 6 * HOUR, 32),
    ]  # fmt: skip
    assert all(start < later for (start, _), (later, _) in pairwise(read))
