"""The sessions page as an owner uses it: what ended when, in a list, in files, each by itself."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.box import Box, box_in, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge
from tests.kept import keep_sessions

from linkray.kit.clock import stamp

pytestmark = pytest.mark.realtime

LIST = "/transactions/sessions"
HOSTILE = "<img src=x onerror=alert(1)>"
COUNT = 130
NARROW = {"width": 320, "height": 640}


def kept() -> tuple[list[dict[str, object]], list[tuple[int, int, str, int]]]:
    """Sessions of the last months, one after the other, and their registers; the last one runs."""
    rows, samples = [], []
    began = datetime.now(UTC) - timedelta(days=COUNT / 2)
    for number in range(1, COUNT + 1):
        at, lasts = began + timedelta(hours=12 * number - 12), timedelta(minutes=20 + number)
        wh, runs = number * 137, number == COUNT
        rows.append({
            "id": number, "charger": f"WB-11827{number % 4}", "tag": f"04A1B2C3D4{number % 7:04}",
            "friendly_name": HOSTILE if number % 5 == 0 else f"Bay {number % 4}",
            "started": stamp(at), "ended": None if runs else stamp(at + lasts),
            "finished": int(not runs), "meter_last_wh": 1_000 + wh, "authorised_by": "whitelist",
            "csms_id": 607_000 + number,
        })  # fmt: skip
        first, end = int(at.timestamp()) // 900, int((at + lasts).timestamp())
        for slot in range(first, end // 900, 3 if number % 2 else 1):  # of some, some are lost
            read = slot * 900 + 880
            share = (read - int(at.timestamp())) / lasts.total_seconds()
            samples.append((number, slot, stamp(datetime.fromtimestamp(read, UTC)),
                            1_000 + max(0, int(wh * share))))  # fmt: skip
    return rows, samples


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A site that has charged for months; nobody is there now."""
    with box_in(tmp_path_factory.mktemp("sessions")) as box:
        box.import_settings(world_settings())
        box.set_passwords()
        rows, samples = kept()
        keep_sessions(box.state, *rows, samples=samples)
        box.start_control()
        box.start_web()
        yield box


def ids(page: Page) -> list[int]:
    return [int(one) for one in page.locator("table.tx tbody .c-id a").all_inner_texts()]


def download(page: Page, name: str, tmp_path: Path) -> list[list[str]]:
    with page.expect_download() as told:
        page.get_by_role("link", name=name, exact=True).click()
    file = tmp_path / told.value.suggested_filename
    told.value.save_as(file)
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


def test_an_owner_finds_sessions_and_takes_them_home(visit: Callable[..., Visit], tmp_path: Path):
    visitor = visit()
    page = visitor.sign_in("EV")
    page.get_by_role("link", name="Transactions").first.click()
    expect(page.get_by_role("button", name="This month")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator(".tx-sums")).to_contain_text(f"{COUNT} sessions")
    expect(page.get_by_text(f"50 of {COUNT} shown")).to_be_visible()
    assert "range=all" in page.url
    assert ids(page) == list(range(COUNT, COUNT - 50, -1))
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_text(f"100 of {COUNT} shown")).to_be_visible()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    assert ids(page) == list(range(COUNT, 0, -1))
    assert page.locator("table.tx img").count() == 0
    expect(page.locator("table.tx").get_by_text(HOSTILE).first).to_be_visible()
    _u18_sorted_and_filtered(page, tmp_path)
    _one_session(page)


def _u18_sorted_and_filtered(page: Page, tmp_path: Path) -> None:
    page.get_by_label("Search names").fill("ONERROR")
    expect(page.locator(".tx-sums")).to_contain_text("26 sessions")
    page.get_by_role("columnheader", name="Energy").get_by_role("button").click()
    expect(page.locator("table.tx tbody .c-id").first).to_have_text(str(COUNT))
    page.get_by_role("columnheader", name="Energy").get_by_role("button").click()
    expect(page.locator("table.tx tbody .c-id").first).to_have_text("5")
    assert "words=ONERROR" in page.url
    assert "sort=energy" in page.url
    shown = page.locator("table.tx tbody .c-energy").all_inner_texts()
    sheet = download(page, "CSV", tmp_path)[1:]
    assert [int(row[0]) for row in sheet] == ids(page) == list(range(5, COUNT + 1, 5))
    assert [f"{float(row[4]):,.3f}" for row in sheet] == shown
    records = download(page, "Charge data records", tmp_path)[1:]
    assert [int(row[3]) for row in records] == [607_000 + number for number in ids(page)]
    nem12 = download(page, "NEM12", tmp_path)
    total = sum(float(one) for row in nem12 if row[0] == "300" for one in row[2:-5])
    assert round(total, 3) == round(sum(float(row[4]) for row in sheet), 3)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".tx-sums")).to_contain_text(f"{COUNT} sessions")


def _one_session(page: Page) -> None:
    page.get_by_text("Exact filters").click()
    page.get_by_label("Transaction ID").fill("607129")
    expect(page.locator(".tx-sums")).to_contain_text("1 session")
    page.get_by_role("link", name="129", exact=True).click()
    expect(page.get_by_role("heading", name="Session 129")).to_be_visible()
    expect(page.locator(".tx-facts")).to_contain_text("607129")
    expect(page.locator(".tx-facts")).to_contain_text("Whitelist")
    expect(page.locator(".tx-bar")).not_to_have_count(0)
    expect(page.get_by_text("Hatched: estimated")).to_be_visible()
    page.get_by_text("As a table").click()
    rows = page.locator(".card", has_text="As a table").locator("tbody .num").all_inner_texts()
    assert round(sum(float(one.removeprefix("≈ ")) for one in rows), 3) == 17.673
    page.get_by_role("link", name="All sessions").click()
    expect(page.get_by_label("Transaction ID")).to_have_value("607129")


def test_a_range_by_hand_has_its_own_address_and_what_is_wrong_is_said_there(visit):
    visitor = visit(forgiven=("422",))
    page = visitor.sign_in("EV")
    visitor.open(f"{LIST}?since=2000-01-01&until=2000-01-02T12:30")
    expect(page.get_by_text("No session ended in this time")).to_be_visible()
    expect(page.get_by_label("From", exact=True)).to_have_value("2000-01-01T00:00")
    page.get_by_label("Until", exact=True).fill("2100-01-01T00:00")
    expect(page.locator(".tx-sums")).to_contain_text(f"{COUNT} sessions")
    visitor.open(f"{LIST}?range=all&transaction=12a")
    expect(page.locator(".field.wrong")).to_contain_text("Expected a number")


@pytest.mark.parametrize(("theme", "sizes"), [("light", (WIDE, NARROW)), ("dark", (PHONE,))])
def test_u1_u3_the_page_is_accessible_and_fits(visit: Callable[..., Visit], theme, sizes):
    visitor = visit(color_scheme=theme, reduced_motion="reduce")
    page, axe, found = visitor.sign_in("EV"), AXE.read_text(), []
    for place in (f"{LIST}?range=last_week&tag=04A1B2C3D40003", f"{LIST}/129"):
        visitor.open(place)
        expect(page.locator(".tx-sums, .tx-chart")).to_be_visible()
        page.evaluate(axe)
        for size in sizes:
            page.set_viewport_size(size)
            found += judge(page, f"{place} {theme} {size['width']}")
    assert found == []
