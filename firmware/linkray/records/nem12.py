"""Interval data for the Australian market: AEMO's Meter Data File Format, NEM12 (records.md).

Records: 100 header, 200 what is measured, 300 a day, 400 which of its intervals are what, 500 the
register, 900 end. Quality A is read, E17 is interpolated evenly; a day of both is V with its 400s.
The market's time has no summer.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import groupby

from linkray.model.sessions import Choices, Interval, Measured

from .energy import intervals, seconds_of
from .sheet import END, kwh

LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # of an NMI: no I, no O, which look like digits
NMI_LENGTH = 10
MINUTES = (5, 15, 30)
READ, ESTIMATED, BOTH = "A", "E17", "V"
DAY_S = 86_400
GAP_DAYS_MAX = 400


def nmis(chargers: Iterable[str], by_hand: Mapping[str, str]) -> dict[str, str]:
    """An NMI for each charger: the one set by hand, else one derived from its identity.

    The same chargers get the same ones each time, and no two the same.
    """
    known = sorted(set(chargers))
    found = {one: by_hand[one] for one in known if by_hand.get(one)}
    taken = set(found.values()) | set(by_hand.values())
    for one in known:
        if one in found:
            continue
        nmi, tries = derived(one), 0
        while nmi in taken:
            tries += 1
            nmi = derived(one, tries)
        found[one] = nmi
        taken.add(nmi)
    return found


def derived(charger: str, tries: int = 0) -> str:
    """Ten characters out of an identity: itself where it fits, else its end and a digest of it."""
    letters = "".join(one for one in charger.upper().replace("O", "0").replace("I", "1")
                      if one in LETTERS)  # fmt: skip
    if letters == charger and len(letters) == NMI_LENGTH and not tries:
        return letters
    number = int.from_bytes(hashlib.sha256(f"{charger} {tries}".encode()).digest()[:8])
    digest = ""
    for _ in range(NMI_LENGTH - 6):
        number, place = divmod(number, len(LETTERS))
        digest += LETTERS[place]
    return letters[-6:].rjust(6, "0") + digest


class Nem12:
    """Writes the file piece by piece: sessions come in the order of charger and start.

    A charger's days are all between its first session and its last, the empty ones too. A day is
    written once no later session can reach into it.
    """

    needs_samples = True

    def __init__(self, choices: Choices, names: Mapping[str, str], at: datetime) -> None:
        self._minutes = choices.minutes
        self._offset_s = choices.market_offset_min * 60
        self._zone = timezone(timedelta(minutes=choices.market_offset_min))
        self._names = names  # NMI by charger
        self._made = at.astimezone(self._zone)
        self._charger: str | None = None
        self._day: int | None = None  # the next that is to be written
        self._through = 0  # the last that any session reaches
        self._days: defaultdict[int, dict[int, tuple[int, bool]]] = defaultdict(dict)
        self._last: tuple[float, int] = (0.0, 0)  # when its register was read last, and it

    def begin(self) -> str:
        return f"100,NEM12,{self._made:%Y%m%d%H%M},LINKRAY,LINKRAY{END}"

    def add(self, sessions: Sequence[Measured]) -> str:
        return "".join(self._one(session) for session in sessions)

    def end(self) -> str:
        return f"{self._closed()}900{END}"

    def _one(self, session: Measured) -> str:
        out = ""
        if session.row.charger != self._charger:
            out, self._charger = self._closed(), session.row.charger
            name = self._names[self._charger]
            out += f"200,{name},E1,1,E1,,,KWH,{self._minutes},{END}"
        began = self._place(int(seconds_of(session.row.started)))[0]
        if began - self._through > GAP_DAYS_MAX:  # a wrong clock writes no decades of nothing
            out += self._written(before=self._through + 1)
            self._day = None
        out += self._written(before=began)
        self._day = began if self._day is None else self._day
        self._through = max(self._through, began)
        for one in intervals(session, self._minutes * 60):
            self._put(one)
        if session.samples:
            read = session.samples[-1]
            self._last = max(self._last, (seconds_of(read.at), read.register_wh))
        return out

    def _put(self, one: Interval) -> None:
        day, place = self._place(one.at_s)
        wh, estimated = self._days[day].get(place, (0, False))
        self._days[day][place] = (wh + one.wh, estimated or one.estimated)
        self._through = max(self._through, day)

    def _place(self, at_s: int) -> tuple[int, int]:
        """Day of the market since 1970, and interval of the day, from 0."""
        day, second = divmod(at_s + self._offset_s, DAY_S)
        return day, second // (self._minutes * 60)

    def _written(self, before: int) -> str:
        """All days up to one that may still grow; the empty ones between too."""
        out = ""
        while self._day is not None and self._day < before:
            out += self._day_record(self._day, self._days.pop(self._day, {}))
            self._day += 1
        return out

    def _closed(self) -> str:
        """What is left of a charger, and its register."""
        if self._charger is None:
            return ""
        out = self._written(before=self._through + 1)
        at, register_wh = self._last
        if at:
            read = datetime.fromtimestamp(at, UTC).astimezone(self._zone)
            out += f"500,O,,{read:%Y%m%d%H%M%S},{kwh(register_wh, '.')}{END}"
        self._charger, self._day, self._through, self._last = None, None, 0, (0.0, 0)
        return out

    def _day_record(self, day: int, found: Mapping[int, tuple[int, bool]]) -> str:
        count = 24 * 60 // self._minutes
        energies = [found.get(place, (0, False)) for place in range(count)]
        values = ",".join(kwh(wh, ".") for wh, _estimated in energies)
        runs = [(flag, len(list(run))) for flag, run in groupby(e for _wh, e in energies)]
        quality = BOTH if len(runs) > 1 else _quality(runs[0][0])
        on = date(1970, 1, 1) + timedelta(days=day)
        out = f"300,{on:%Y%m%d},{values},{quality},,,{self._made:%Y%m%d%H%M%S},{END}"
        at = 1
        for flag, length in runs if len(runs) > 1 else ():
            out += f"400,{at},{at + length - 1},{_quality(flag)},,{END}"
            at += length
        return out


def _quality(estimated: bool) -> str:
    return ESTIMATED if estimated else READ
