"""The last 24 hours and the day graphs in a real browser: gaps, zoom, addresses, files, looks."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trio
from playwright.sync_api import Page, expect
from tests.e2e.box import Box, Client, box_in, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, judge

from linkray.kit.clock import WallClock
from linkray.model.history import MINUTES, Site, Slot, Span, power_w
from linkray.model.records import MinuteKept
from linkray.model.units import Phases
from linkray.store.db import FILE, Store
from linkray.store.runner import InThread

pytestmark = pytest.mark.realtime

ZONE = ZoneInfo("Europe/Berlin")
VOLTS = Phases.each(230_000)
LIMIT, LOST = Phases.each(63_000), Phases.each(32_000)
DAYS = 1  # before today
HOSTILE = "=1+1<img src=x onerror=alert(1)>"
GAP = range(9 * 60 + 30, 11 * 60)  # minutes of the site's day without a meter
BAYS = ("TACW2243320T0723", "WB-118274", "GRS-32-004412", "ACE0217744")


def slot_at(at: datetime) -> Slot:
    """A site by the hour: its building, cars that come in the morning and in the evening."""
    minute = at.hour * 60 + at.minute
    base = 9_000 + round(9_000 * math.sin(minute / 1_440 * math.pi) ** 2)
    building = Phases(base, base - 2_000, base - 4_000 + 500 * (minute % 3))
    points: dict[tuple[str, int], Phases] = {}
    for place, charger in enumerate((*BAYS, HOSTILE)):
        begins = 7 * 60 + 55 * place
        charges = begins <= minute < begins + 200 or (place < 2 and minute >= 19 * 60)
        points[charger, 1] = Phases.each((7_000 + 1_500 * place) if charges else 0)
    site = None
    if minute not in GAP:
        current = sum(points.values(), start=building)
        watts = power_w(current, VOLTS)
        low, high = (
            Span(current + Phases.each(by), power_w(current + Phases.each(by), VOLTS),
                 sum(watts) + 690 * by // 1_000)
            for by in (-1_500, 2_500)
        )  # fmt: skip
        site = Site(current, watts, sum(watts), building, low, high)
    lost = GAP.start <= minute < GAP.stop
    return Slot(60, VOLTS, LOST if lost else LIMIT, lost, site, points)


def midnight(days_ago: int) -> datetime:
    today = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today.replace(tzinfo=None) - timedelta(days=days_ago)).replace(tzinfo=ZONE)


async def remember(file: Path) -> None:
    """Three days of the site's past, and today until now, as the recorder writes them."""
    now = int(datetime.now(UTC).timestamp()) // 60
    first = int(midnight(DAYS).timestamp()) // 60
    minutes = [
        MinuteKept(n, slot_at(datetime.fromtimestamp(n * 60, ZONE))) for n in range(first, now)
    ]
    store = await Store.open(file, InThread(), WallClock())
    await store.commit(minutes)
    await store.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site with days behind it; nobody charges now."""
    with box_in(tmp_path_factory.mktemp("graphs")) as box:
        settings = world_settings()
        settings["site"]["time_zone"] = ZONE.key
        box.import_settings(settings)
        trio.run(remember, box.state / FILE)
        box.comes_alive((), [20_000, 18_000, 16_000])
        yield box


@pytest.fixture(scope="module")
def api(site: Box) -> Client:
    return site.client(site.writer)


def day_of(days_ago: int) -> str:
    return midnight(days_ago).date().isoformat()


def address(days_ago: int = 1, **more: str) -> str:
    asked = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/transactions/days?month={day_of(days_ago)[:7]}&day={day_of(days_ago)}{asked}"


def drawn(page: Page, graphs: int) -> None:
    expect(page.locator(".graph .u-over")).to_have_count(graphs)


def test_a_day_is_picked_zoomed_and_its_address_shows_the_same(visit):
    visitor = visit()
    page = visitor.sign_in("EV")
    page.get_by_role("link", name="Transactions").first.click()
    page.get_by_role("link", name="Day graphs").click()
    listed = page.get_by_role("navigation", name="Days of this month")
    expect(listed.get_by_role("link").last).to_have_attribute("aria-current", "page")
    visitor.open(address())
    drawn(page, 5)
    titles = page.locator(".graph h3").all_inner_texts()
    assert titles == ["Site power", "Building and chargers", "Current on L1", "Current on L2",
                      "Current on L3"]  # fmt: skip
    expect(page.locator(".graph img")).to_have_count(0)
    expect(page.locator(".graph-name", has_text=HOSTILE)).to_have_count(1)
    over = page.locator(".graph .u-over").first
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25 + 2, box["y"] + 40)
    times = [text for text in page.locator(".graph-at").all_inner_texts() if text]
    assert times == ["06:00"] * 5, "the cross-hair is shared"
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"part=\d+-\d+"))
    zoomed = page.url
    page.get_by_role("group", name="How parts are drawn").get_by_text("Overlaid").click()
    expect(page).to_have_url(re.compile("view=overlaid"))
    page.get_by_role("button", name="Whole day").click()
    expect(page).not_to_have_url(re.compile("part="))
    page.goto(zoomed)
    expect(page.get_by_role("button", name="Whole day")).to_be_visible()
    page.get_by_role("group", name="Part of the day").get_by_text("6–12").click()
    page.get_by_text("As a table").click()
    rows = page.locator(".graph-more table tbody tr")
    expect(rows).to_have_count(24)
    expect(rows.filter(has_text="10:00").locator("td").first).to_have_text("–")


def test_a_legend_entry_is_switched_off_and_the_limit_s_changes_are_told(visit):
    visitor = visit()
    visitor.sign_in("EV")
    page = visitor.open(address())
    drawn(page, 5)
    entry = page.locator(".graph-legend button", has_text=HOSTILE)
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    page.get_by_text("2 changes of the limit").click()
    told = page.locator(".graph-marks li").all_inner_texts()
    assert [text.split()[0] for text in told] == ["09:30", "11:00"]
    assert "from 63 A to 32 A (meter lost)" in told[0]


def test_the_files_hold_what_is_shown(visit, api: Client, tmp_path: Path):
    visitor = visit()
    visitor.sign_in("EV")
    page = visitor.open(address(minutes="1"))
    drawn(page, 5)
    files = {}
    for kind, name in (("link", "CSV of the day"), ("button", "PNG"), ("button", "SVG")):
        with page.expect_download() as download:
            page.get_by_role(kind, name=name, exact=True).click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        files[file.suffix] = file.read_bytes()
    shown: Any = api.get(f"graphs?day={day_of(1)}&minutes=1")
    rows = list(csv.DictReader(io.StringIO(files[".csv"].decode(), newline="")))
    assert len(rows) == shown["slots"] == 24 * 60
    kw = [None if row["Site Power [kW]"] == "" else round(float(row["Site Power [kW]"]) * 1000)
          for row in rows]  # fmt: skip
    assert kw == shown["total_w"]
    assert kw.count(None) == len(GAP)
    assert f"'{HOSTILE} [kW]" in rows[0]
    svg = files[".svg"].decode()
    assert svg.startswith("<svg")
    assert "<img" not in svg
    assert svg.count("Current on") == 3
    assert files[".png"].startswith(b"\x89PNG")


def test_the_last_24_hours_on_info_in_kw_and_in_amps_of_each_phase(visit, api: Client):
    visitor = visit()
    page = visitor.sign_in("EV")
    page.get_by_role("heading", name="Last 24 hours").scroll_into_view_if_needed()
    drawn(page, 1)
    names = page.locator(".last24 .graph-name").all_inner_texts()
    assert names[0] == "Building"
    assert names[-1] == "Site limit"
    assert {"North row", "South row"} <= set(names)
    page.get_by_role("group", name="Unit").get_by_text("A", exact=True).click()
    drawn(page, 3)
    expect(page).to_have_url(re.compile("/info.unit=a$"))
    shown: Any = api.get("graphs")
    at_10 = midnight(0) + timedelta(hours=10)
    start = datetime.fromisoformat(shown["start"])
    place = int(((at_10 - start).total_seconds() // 900) % 96)
    if shown["limit_ma"][0][place] == LOST.l1:  # a gap stays one
        assert shown["total_w"][place] is None
    assert len(shown["total_w"]) == 24 * 60 // MINUTES


@pytest.mark.parametrize(("theme", "screen"), [("light", WIDE), ("dark", PHONE)])
def test_u1_u3_the_graphs_are_for_everybody_and_fit(visit, tmp_path: Path, theme: str, screen):
    visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
    page = visitor.sign_in("EV")
    wrong = []
    for path, count in ((address(), 5), (address(view="overlaid"), 5), ("/info?unit=a", 3)):
        visitor.open(path)
        if path.startswith("/info"):
            page.locator(".last24").scroll_into_view_if_needed()
        drawn(page, count)
        page.evaluate(AXE.read_text())
        wrong += judge(page, f"{path} {theme} {screen['width']}")
        small = page.locator(".last24 button, .day-card button, .past-days a").evaluate_all(
            "all => all.filter(one => one.getBoundingClientRect().height < 44).length"
        )
        wrong += [f"{path}: {small} targets below 44 px"] if small else []
    assert wrong == []
