"""The API's routes for the site's past: a day or the last 24 hours, which days there are, and CSV.

It is read from the database by this process, a day at a time; control is not asked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Protocol, TypeVar

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.kit.clock import WallClock, stamp, zone_named
from linkray.model.history import MINUTE_S, QUARTER_S, Point, Slot, power_w
from linkray.model.units import PHASES, Phases
from linkray.model.views import (
    Column,
    Graph,
    GraphDay,
    GraphDays,
    GraphPoint,
    PhaseColumns,
    SiteView,
)

from .history import History
from .parts import InParts
from .ports import Call, Control
from .problem import Problem

T = TypeVar("T")
U = TypeVar("U")
DAYS_MAX = 31
YEARS = (2000, 2100)
QUARTERS_A_DAY = 96
STEPS = {"1": MINUTE_S, "15": QUARTER_S}
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
DECIMALS = {"point": ".", "comma": ","}
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # records.md, CSV: a sheet would run it


class _Asks(Protocol):
    """What these routes need of the API."""

    _history: History
    _clock: WallClock
    _control: Control

    def _seen_site(self) -> SiteView | None: ...


class _Named(msgspec.Struct):
    id: str
    name: str = ""


class _Chargers(msgspec.Struct):
    chargers: tuple[_Named, ...]


class Range(msgspec.Struct, frozen=True):
    """From a moment on so many slots; both ends lie between two quarters of an hour."""

    first: int  # quarters since 1970 …
    last: int  # … this one not among them
    step_s: int
    day: str | None = None

    @property
    def slots(self) -> int:
        return (self.last - self.first) * QUARTER_S // self.step_s

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self.first * QUARTER_S, UTC)


# -- days ----------------------------------------------------------------------------------------


def quarter_at(moment: datetime) -> int:
    return int(moment.timestamp()) // QUARTER_S


def day_range(day: date, zone: tzinfo, step_s: int = QUARTER_S) -> Range:
    """A day of the site's calendar, from its midnight to the next: of 92, 96 or 100 quarters where
    clocks change by an hour.
    """
    begins, ends = (
        quarter_at(datetime.combine(one, time(), zone)) for one in (day, day + timedelta(days=1))
    )
    return Range(begins, ends, step_s, day.isoformat())


def listed(there: Iterable[int], days: Sequence[date], zone: tzinfo) -> tuple[GraphDay, ...]:
    """The days that have any of these quarters."""
    ranges = [day_range(day, zone) for day in days]
    kept = set(there)
    found = [
        GraphDay(one.day or "", len(kept.intersection(range(one.first, one.last))),
                 one.last - one.first)
        for one in ranges
    ]  # fmt: skip
    return tuple(day for day in found if day.quarters)


# -- columns -------------------------------------------------------------------------------------


def _column(amounts: Iterable[int | None]) -> Column:
    found = tuple(amounts)
    return found if any(one is not None for one in found) else None


def _each(rows: Iterable[T | None], of: Callable[[T], U | None]) -> list[U | None]:
    return [None if row is None else of(row) for row in rows]


def _one(rows: Iterable[T | None], of: Callable[[T], int | None]) -> Column:
    return _column(_each(rows, of))


def _phases(rows: Iterable[T | None], of: Callable[[T], Phases | None]) -> PhaseColumns:
    found = _each(rows, of)
    l1, l2, l3 = (
        _column(None if row is None else row[phase] for row in found) for phase in range(3)
    )
    return l1, l2, l3


def watts(slot: Slot, current_ma: Phases | None) -> int | None:
    """All phases together, by the slot's voltage."""
    if current_ma is None or slot.voltage_mv is None:
        return None
    return sum(power_w(current_ma, slot.voltage_mv))


def limit_w(slot: Slot) -> int | None:
    return watts(slot, slot.limit_ma)


def building_w(slot: Slot) -> int | None:
    return None if slot.site is None else watts(slot, slot.site.building_ma)


def laid_out(kept: Iterable[tuple[int, Slot]], span: Range) -> list[Slot | None]:
    """A slot for each place, gaps where nothing is kept."""
    slots: list[Slot | None] = [None] * span.slots
    begins = span.first * QUARTER_S // span.step_s
    for number, slot in kept:
        slots[number - begins] = slot
    return slots


def points_in(slots: Iterable[Slot | None]) -> list[Point]:
    return sorted({point for slot in slots if slot is not None for point in slot.points})


def graph(
    slots: Sequence[Slot | None], span: Range, time_zone: str, names: dict[str, str]
) -> Graph:
    """The columns of a graph."""
    sites = _each(slots, lambda slot: slot.site)
    lows, highs = _each(sites, lambda site: site.low), _each(sites, lambda site: site.high)
    return Graph(
        time_zone=time_zone, start=stamp(span.start), step_s=span.step_s, slots=span.slots,
        day=span.day,
        limit_ma=_phases(slots, lambda slot: slot.limit_ma),
        degraded=_one(slots, lambda slot: int(slot.degraded)),
        limit_w=_one(slots, limit_w),
        current_ma=_phases(sites, lambda site: site.current_ma),
        current_low_ma=_phases(lows, lambda low: low.current_ma),
        current_high_ma=_phases(highs, lambda high: high.current_ma),
        power_w=_phases(sites, lambda site: site.power_w),
        total_w=_one(sites, lambda site: site.total_w),
        total_low_w=_one(lows, lambda low: low.total_w),
        total_high_w=_one(highs, lambda high: high.total_w),
        building_ma=_phases(sites, lambda site: site.building_ma),
        building_w=_one(slots, building_w),
        points=tuple(_point(slots, point, names) for point in points_in(slots)),
    )  # fmt: skip


def _point(slots: Sequence[Slot | None], point: Point, names: dict[str, str]) -> GraphPoint:
    charger, connector = point
    return GraphPoint(
        charger, connector, names.get(charger) or charger,
        _one(slots, lambda s: watts(s, s.points.get(point))),
        _phases(slots, lambda s: s.points.get(point)),
    )  # fmt: skip


# -- CSV -----------------------------------------------------------------------------------------


class Sheet:
    """Rows of a CSV file (RFC 4180); amounts with three decimals at most, as the site writes
    them.
    """

    def __init__(self, separator: str, decimal: str) -> None:
        self._separator, self._decimal = separator, decimal

    def line(self, cells: Iterable[str]) -> bytes:
        into = io.StringIO()
        csv.writer(into, delimiter=self._separator, lineterminator="\r\n").writerow(cells)
        return into.getvalue().encode()

    def amount(self, thousandths: int | None) -> str:
        """`16_500` as 16.5; empty: a gap."""
        if thousandths is None:
            return ""
        whole, part = divmod(abs(thousandths), 1_000)
        sign = "-" if thousandths < 0 else ""
        rest = f"{self._decimal}{part:03d}".rstrip("0") if part else ""
        return f"{sign}{whole}{rest}"


def safe(words: str) -> str:
    """A name as a cell that no sheet takes for a formula."""
    return f"'{words}" if words.startswith(DANGEROUS) else words


def headings(points: Sequence[Point], names: dict[str, str], step_s: int) -> list[str]:
    phases = [f"{{}} {name} [A]" for name in PHASES]
    spread = ("Lowest", "Highest") if step_s == MINUTE_S else ()
    several = {charger for charger, connector in points if connector != 1}
    return [
        "Time", "Time UTC", "Site Power [kW]",
        *(one.format(what) for what in ("Site", *spread, "Building", "Limit") for one in phases),
        "Building Power [kW]", "Limit Power [kW]", "Degraded",
        *(
            safe(f"{names.get(charger) or charger}"
                 f"{f' connector {number}' if charger in several else ''} [kW]")
            for charger, number in points
        ),
    ]  # fmt: skip


def cells(
    slot: Slot | None, at: datetime, zone: tzinfo, points: Sequence[Point], step_s: int,
    sheet: Sheet,
) -> list[str]:  # fmt: skip
    """A slot as a row; one of which nothing is kept has its times alone."""
    one = slot or Slot()
    site = one.site
    currents: list[Phases | None] = [None if site is None else site.current_ma]
    if step_s == MINUTE_S:
        spread = (None, None) if site is None else (site.low, site.high)
        currents += [None if span is None else span.current_ma for span in spread]
    currents += [None if site is None else site.building_ma, one.limit_ma]
    return [
        at.astimezone(zone).isoformat(timespec="minutes"), stamp(at),
        sheet.amount(None if site is None else site.total_w),
        *(sheet.amount(ma) for row in currents for ma in (row or (None, None, None))),
        sheet.amount(building_w(one)), sheet.amount(limit_w(one)),
        "" if one.limit_ma is None else str(int(one.degraded)),
        *(sheet.amount(watts(one, one.points.get(point))) for point in points),
    ]  # fmt: skip


# -- the routes ----------------------------------------------------------------------------------


class Graphs:
    """The part of the API that answers for the site's past."""

    async def graph(self: _Asks, call: Call) -> ASGIApp:
        name, zone = _zone(self._seen_site())
        step_s = _step(call)
        if "day" in call.query:
            span = day_range(_day(call, "day"), zone, step_s)
        else:
            ends = quarter_at(self._clock.utc()) + 1
            span = Range(ends - QUARTERS_A_DAY, ends, step_s)
        kept, names = await _read(self._history, span), _names(self._control.snapshot.value)
        body = await self._history.beside(
            lambda: msgspec.json.encode(graph(laid_out(kept, span), span, name, names))
        )
        return _json(body)

    async def graph_days(self: _Asks, call: Call) -> ASGIApp:
        name, zone = _zone(self._seen_site())
        today = self._clock.utc().astimezone(zone).date()
        days = _days(call, today, DAYS_MAX)
        first, last = day_range(days[0], zone).first, day_range(days[-1], zone).last
        there = await self._history.quarters_there(first, last)
        found = GraphDays(name, today.isoformat(), listed(there, days, zone))
        return _json(msgspec.json.encode(found))

    async def graph_csv(self: _Asks, call: Call) -> ASGIApp:
        _name, zone = _zone(self._seen_site())
        step_s = _step(call)
        today = self._clock.utc().astimezone(zone).date()
        days = [_day(call, "day")] if "day" in call.query else _days(call, today, 1)
        sheet = Sheet(_choice(call, "separator", SEPARATORS), _choice(call, "decimal", DECIMALS))
        spans = [day_range(day, zone, step_s) for day in days]
        first = await _read(self._history, spans[0])  # what fails at once leaves no half a file
        names = _names(self._control.snapshot.value)
        parts = _lines(self._history, spans, first, zone, names, sheet)
        dated = f"{days[0]}" if len(days) == 1 else f"{days[0]}-{days[-1]}"
        return InParts(f"linkray-graphs-{dated}.csv", parts, "text/csv; charset=utf-8")


async def _lines(
    past: History, spans: Sequence[Range], first: list[tuple[int, Slot]], zone: tzinfo,
    names: dict[str, str], sheet: Sheet,
) -> AsyncGenerator[bytes, None]:  # fmt: skip
    """A day at once. Which connectors have a column is looked up before, in the same steps."""
    points: set[Point] = set()
    for place, span in enumerate(spans):
        kept = await _read(past, span) if place else first
        points.update(points_in(slot for _number, slot in kept))
    columns = sorted(points)
    step_s = spans[0].step_s
    yield sheet.line(headings(columns, names, step_s))
    for place, span in enumerate(spans):
        kept = await _read(past, span) if place else first
        yield await past.beside(partial(_rows, kept, span, zone, columns, sheet))


def _rows(
    kept: list[tuple[int, Slot]], span: Range, zone: tzinfo, points: Sequence[Point], sheet: Sheet
) -> bytes:
    moments = (span.start + timedelta(seconds=span.step_s * slot) for slot in range(span.slots))
    return b"".join(
        sheet.line(cells(slot, at, zone, points, span.step_s, sheet))
        for slot, at in zip(laid_out(kept, span), moments, strict=True)
    )


async def _read(past: History, span: Range) -> list[tuple[int, Slot]]:
    read = past.minutes if span.step_s == MINUTE_S else past.quarters
    return await read(span.first, span.last)


def _zone(site: SiteView | None) -> tuple[str, tzinfo]:
    """The site's time zone; UTC while control is away, and where no such one is known."""
    name = "UTC" if site is None else site.time_zone
    zone = zone_named(name)
    return ("UTC", UTC) if zone is None else (name, zone)


def _names(snapshot: bytes | None) -> dict[str, str]:
    """What chargers are called; nothing is known of it while control is away."""
    if snapshot is None:
        return {}
    known = msgspec.json.decode(snapshot, type=_Chargers).chargers
    return {one.id: one.name for one in known}


def _step(call: Call) -> int:
    return _choice(call, "minutes", STEPS, "15")


def _choice(call: Call, name: str, choices: dict[str, T], otherwise: str = "") -> T:
    given = call.query.get(name, otherwise or next(iter(choices)))
    if given not in choices:
        raise Problem(422, f"Expected {', '.join(choices)}, got {given[:20]!r}", path=f"$.{name}")
    return choices[given]


def _day(call: Call, name: str) -> date:
    given = call.query.get(name, "")
    try:
        day = date.fromisoformat(given if len(given) == len("2026-11-23") else "")
    except ValueError:
        day = date.min
    if not YEARS[0] <= day.year < YEARS[1]:
        raise Problem(422, f"Expected a day as 2026-11-23, got {given[:20]!r}", path=f"$.{name}")
    return day


def _days(call: Call, today: date, count: int) -> list[date]:
    """`from` … `to`; so many up to today where nothing is said."""
    last = _day(call, "to") if "to" in call.query else today
    first = _day(call, "from") if "from" in call.query else last - timedelta(days=count - 1)
    count = (last - first).days + 1
    if not 0 < count <= DAYS_MAX:
        raise Problem(422, f"Expected 1 to {DAYS_MAX} days, got {count}", path="$.to")
    return [first + timedelta(days=number) for number in range(count)]


def _json(body: bytes) -> Response:
    return Response(body, 200, {"cache-control": "no-store"}, "application/json")
