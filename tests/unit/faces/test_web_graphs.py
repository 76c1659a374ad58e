"""The routes of the site's past: days of the site's calendar, columns with gaps, CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.unit.faces.browser import Box, Browser

from linkray.desk.snapshot import Seen
from linkray.faces.web.graphs import Sheet, day_range, listed, safe
from linkray.model.history import MINUTES, Site, Slot, Span, power_w
from linkray.model.units import Phases
from linkray.model.views import ChargerView

BERLIN = ZoneInfo("Europe/Berlin")
VOLTS = Phases.each(230_000)
DAY = "2026-11-20"
FIRST = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) // 60
HOSTILE = "=cmd|'/c calc'!A1"


def slot(ma: int, *, limit_ma: int = 63_000, degraded: bool = False) -> Slot:
    current = Phases(ma, ma, 0)
    watts = power_w(current, VOLTS)
    low = Span(Phases(ma - 1_000, ma, 0), watts, 1)
    high = Span(Phases(ma + 1_500, ma, 0), watts, 2)
    site = Site(current, watts, sum(watts), Phases(-500, 1_000, 0), low, high)
    points = {("CP1", 1): Phases(6_000), ("CP1", 2): Phases(), (HOSTILE, 1): Phases(100)}
    return Slot(60, VOLTS, Phases.each(limit_ma), degraded, site, points)


async def viewer(*chargers: ChargerView) -> tuple[Box, Browser]:
    box = await Box(seen=Seen(serial="LR1", chargers=chargers)).open()
    for minute in range(2 * MINUTES):
        box.past.kept[FIRST + minute] = slot(10_000)
    return box, await box.signed_in("EV")


@pytest.mark.parametrize(
    ("day", "quarters"),
    [("2026-03-28", 96), ("2026-03-29", 92), ("2026-03-30", 96), ("2026-10-25", 100)],
)
def test_a_day_lasts_from_midnight_to_midnight_also_where_clocks_change(day, quarters):
    span = day_range(date.fromisoformat(day), BERLIN)
    assert span.last - span.first == quarters
    assert span.start.astimezone(BERLIN).isoformat()[:16] == f"{day}T00:00"
    minutes = day_range(date.fromisoformat(day), BERLIN, 60)
    assert minutes.slots == quarters * 15


@pytest.mark.parametrize(("zone", "quarters"), [("Asia/Kathmandu", 96), ("America/Santiago", 92),
                                                ("Australia/Lord_Howe", 98)])  # fmt: skip
def test_zones_of_quarters_of_an_hour_and_midnights_that_do_not_exist(zone, quarters):
    day = {"America/Santiago": date(2026, 9, 6), "Australia/Lord_Howe": date(2026, 4, 5)}.get(
        zone, date(2026, 6, 1)
    )
    days = [day + timedelta(days=n) for n in (-1, 0, 1)]
    before, there, after = (day_range(one, ZoneInfo(zone)) for one in days)
    assert there.last - there.first == quarters
    assert (before.last, there.last) == (there.first, after.first)


def test_a_day_is_listed_where_there_is_anything_of_it():
    days = [date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26)]
    long = day_range(days[1], BERLIN)
    found = listed([long.first, long.last - 1, long.last], days, BERLIN)
    assert [(one.day, one.quarters, one.of) for one in found] == [
        ("2026-10-25", 2, 100), ("2026-10-26", 1, 96),
    ]  # fmt: skip


async def test_a_day_in_quarters_of_an_hour_and_in_minutes():
    _box, browser = await viewer()
    shown = (await browser.call("GET", f"/api/v1/graphs?day={DAY}")).json
    assert (shown["slots"], shown["step_s"], shown["start"]) == (
        96, 900, "2026-11-20T00:00:00.000Z",
    )  # fmt: skip
    assert shown["current_ma"][0][:3] == [10_000, 10_000, None]
    assert shown["current_low_ma"] == [None, None, None]
    assert shown["limit_ma"][2][:3] == [63_000, 63_000, None]
    assert shown["limit_w"][0] == 3 * 63 * 230
    assert shown["total_w"][0] == 2 * 2_300
    assert shown["building_w"][0] == 115
    names = [(p["charger"], p["connector"], p["power_w"][0]) for p in shown["points"]]
    assert names == [("=cmd|'/c calc'!A1", 1, 23), ("CP1", 1, 1_380), ("CP1", 2, 0)]

    fine = (await browser.call("GET", f"/api/v1/graphs?day={DAY}&minutes=1")).json
    assert (fine["slots"], fine["current_high_ma"][0][0]) == (1_440, 11_500)
    assert fine["current_ma"][0][29:31] == [10_000, None]


async def test_the_last_24_hours_end_with_the_quarter_that_runs():
    box, browser = await viewer()
    now = int(box.clock.utc().timestamp()) // 60
    box.past.kept = {now - n: slot(7_000) for n in range(MINUTES)}
    shown = (await browser.call("GET", "/api/v1/graphs")).json
    assert (shown["slots"], shown["day"]) == (96, None)
    assert [n for n, ma in enumerate(shown["current_ma"][0]) if ma is not None] == [94]
    assert shown["points"][0]["power_w"][95] is None  # too little of it is measured yet


async def test_days_that_have_something_to_show():
    _box, browser = await viewer()
    for query in ("?from=2026-11-01&to=2026-11-30", ""):
        told = await browser.call("GET", f"/api/v1/graphs/days{query}")
        assert told.json == {"time_zone": "UTC", "today": "2026-11-21",
                             "days": [{"day": DAY, "quarters": 2, "of": 96}]}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("graphs?day=2026-02-30", "$.day"),
        ("graphs?day=20261120", "$.day"),
        ("graphs?day=9999-12-31", "$.day"),
        ("graphs?minutes=5", "$.minutes"),
        ("graphs/days?from=2026-10-01", "$.to"),
        ("graphs/days?from=2026-11-01&to=2026-12-02", "$.to"),
        ("graphs/days?from=2026-11-02&to=2026-11-01", "$.to"),
        ("graphs/csv?day=2026-11-20&decimal=x", "$.decimal"),
        ("graphs/csv?from=yesterday", "$.from"),
    ],
)
async def test_what_is_no_day_is_refused_with_its_place(path, where):
    _box, browser = await viewer()
    refused = await browser.call("GET", f"/api/v1/{path}")
    assert (refused.status, refused.json["path"]) == (422, where)


async def test_a_database_that_is_away_is_503_and_nobody_gets_half_a_file():
    box, browser = await viewer()
    box.past.is_away = True
    for path in ("graphs", "graphs/days?from=2026-11-01&to=2026-11-02", f"graphs/csv?day={DAY}"):
        assert (await browser.call("GET", f"/api/v1/{path}")).status == 503


async def test_the_csv_says_what_the_graph_shows_row_by_row():
    _box, browser = await viewer()
    shown = (await browser.call("GET", f"/api/v1/graphs?day={DAY}")).json
    file = await browser.call("GET", f"/api/v1/graphs/csv?day={DAY}")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="linkray-graphs-{DAY}.csv"' in file.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(file.text, newline="")))
    names = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    assert len(rows) == 97
    assert names["Time"][1] == "2026-11-20T00:15+00:00"
    for heading, column in (
        ("Site L1 [A]", shown["current_ma"][0]),
        ("Limit L3 [A]", shown["limit_ma"][2]),
        ("Building L1 [A]", shown["building_ma"][0]),
        ("Site Power [kW]", shown["total_w"]),
        ("Building Power [kW]", shown["building_w"]),
        ("CP1 connector 2 [kW]", shown["points"][2]["power_w"]),
    ):
        told = [None if cell == "" else round(float(cell) * 1000) for cell in names[heading]]
        assert told == column, heading
    assert names["Degraded"][:3] == ("0", "0", "")
    assert f"'{HOSTILE} [kW]" in names


async def test_a_month_of_minutes_comes_in_one_file_with_the_signs_that_are_wanted():
    box, browser = await viewer()
    box.past.kept[FIRST + 3 * 1_440] = slot(7_001)
    file = await browser.call(
        "GET", "/api/v1/graphs/csv?from=2026-11-20&to=2026-11-23&minutes=1"
        "&separator=semicolon&decimal=comma",
    )  # fmt: skip
    rows = list(csv.reader(io.StringIO(file.text, newline=""), delimiter=";"))
    assert len(rows) == 1 + 4 * 1_440
    assert rows[1 + 3 * 1_440][rows[0].index("Site L1 [A]")] == "7,001"
    assert rows[1][rows[0].index("Lowest L1 [A]")] == "9"


async def test_chargers_are_called_as_they_are_called_now():
    _box, browser = await viewer(ChargerView("CP1", name="Bay 1"))
    shown = (await browser.call("GET", f"/api/v1/graphs?day={DAY}")).json
    assert [p["name"] for p in shown["points"]] == [HOSTILE, "Bay 1", "Bay 1"]


def test_amounts_are_written_with_as_many_decimals_as_they_have():
    sheet = Sheet(";", ",")
    written = [sheet.amount(n) for n in (None, 0, -500, 16_500, 7, -12_000)]
    assert written == ["", "0", "-0,5", "16,5", "0,007", "-12"]
    assert [safe(name) for name in ("=1", "\tx", "a=1")] == ["'=1", "'\tx", "a=1"]
