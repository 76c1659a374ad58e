"""Alerts, Admin and the maintenance report, as an installer uses them."""

from __future__ import annotations

import csv
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.box import Box, Client, box_in, until, world_settings
from tests.e2e.pdf import text_of
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge

pytestmark = pytest.mark.realtime

BUILDING_MA = [9_000, 7_000, 8_000]
HOSTILE = "<img src=x onerror=alert(1)>"
GONE, OTHER = "NEVER-1", "GRS-32-004412"  # one that is configured and never comes
CHARGES = ({"do": "plug", "charger": OTHER, "phases": 1},)
LOOKS = {  # pages, and what is there once they are complete
    "/alerts/open": ".open-alerts li", "/alerts/history": ".alert-list > li",
    "/admin/restart": ".alert-list > li", "/admin/backup": ".card", "/admin/time": ".facts",
    "/admin/logs": ".choices", "/debug/log": ".frame-line",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site with a car that charges, and a charger of an ill-meant name that is not
    there.
    """
    with box_in(tmp_path_factory.mktemp("upkeep")) as box:
        settings = world_settings()
        first = settings["chargers"][0]
        settings["chargers"].append({**first, "id": GONE, "name": HOSTILE})
        settings["site"]["name"] = "Yard & <b>Co</b>"
        box.import_settings(settings)
        box.comes_alive(CHARGES, BUILDING_MA)
        yield box


def rows(page: Page) -> Locator:
    return page.locator(".alert-card .alert-list > li")


def card(page: Page, title: str) -> Locator:
    return page.locator("main .card", has=page.get_by_role("heading", name=title, exact=True))


def confirm(page: Page, verb: str) -> None:
    page.get_by_role("alertdialog").get_by_role("button", name=verb, exact=True).click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)


def test_a_fault_is_seen_cured_and_found_in_the_history(
    site: Box, api: Client, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.sign_in("Installer")
    page.locator(".head-chips").get_by_role("link", name="1 problem").click()
    assert page.url.endswith("/alerts/open")
    one = page.locator(".open-alerts li", has_text=HOSTILE)
    expect(one).to_contain_text("is configured but not connected")
    expect(one.get_by_role("link", name="Open Chargers")).to_have_attribute(
        "href", f"/chargers/{GONE}"
    )
    one.get_by_role("button", name=re.compile("Mark as seen")).click()
    expect(one).to_contain_text("seen by Installer")
    _its_looks(visit)

    page.get_by_role("link", name="History", exact=True).click()
    expect(rows(page)).to_have_count(1)  # not of each charger that took a moment to be there
    page.get_by_label("Search").fill("onerror connected")
    expect(page).to_have_url(re.compile(r"/alerts/history\?q=onerror"))
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Today").click()
    expect(page).to_have_url(re.compile(r"from=20\d\d-\d\d-\d\d&to=20"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    file = tmp_path / "alerts.csv"
    download.value.save_as(file)
    with file.open(newline="") as read:
        (row,) = csv.DictReader(read)
    assert (row["Charger"], row["Friendly Name"], row["Seen by"]) == (GONE, HOSTILE, "Installer")
    page.get_by_label("Search").fill("nothing has this name")
    expect(page.get_by_text("No alert fits this.")).to_be_visible()

    assert api.ask("POST", "/api/v1/chargers/delete", {"chargers": [GONE]}).status == 200
    visitor.open(f"/alerts/history?code=charger_offline&q={GONE}")
    expect(rows(page)).to_contain_text("Over")
    visitor.open("/alerts/open")
    expect(page.get_by_role("heading", name="Nothing is wrong")).to_be_visible()


def _its_looks(visit: Callable[..., Visit]) -> None:
    """U1, U3."""
    wrong = []
    for theme, screen in (("light", WIDE), ("dark", {**PHONE, "width": 320})):
        visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
        visitor.sign_in("Assembler")
        for path, what in LOOKS.items():
            page = visitor.open(path)
            expect(page.locator(what).first).to_be_attached()
            page.evaluate(AXE.read_text())
            wrong += judge(page, f"{path} {theme} {screen['width']}")
    assert wrong == []


def test_a_level_1_reads_the_alerts_and_marks_none(visit: Callable[..., Visit]) -> None:
    visitor = visit(forgiven=("403",))
    page = visitor.sign_in("EV")
    page.get_by_role("link", name="Alerts").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    visitor.open("/admin/restart")
    expect(page.get_by_text("Your level does not open this page")).to_be_visible()


def test_a_charger_and_control_are_started_anew(
    site: Box, api: Client, visit: Callable[..., Visit]
) -> None:
    visitor = visit(forgiven=("503",))
    page = visitor.sign_in("Installer")
    visitor.open("/admin/restart")
    page.get_by_label("Charger", exact=True).select_option(OTHER)
    one = card(page, "A charger")
    one.get_by_role("button", name="Restart now").click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("1 session will end.")
    page.keyboard.press("Escape")
    one.get_by_role("button", name="When the last car is done").click()
    confirm(page, "When the last car is done")
    waits = card(page, "Waiting")
    said = "(Restart), when none of its sessions runs, asked for by Installer"
    expect(waits).to_contain_text(said)
    waits.get_by_role("button", name="Call off").click()
    expect(waits).to_have_count(0)

    card(page, "LinkRay control").get_by_role("button", name="Restart now").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("1 session runs and goes on")
    confirm(page, "Restart now")
    assert site.control.wait() == 76
    site.start_control()
    until(lambda: (api.try_get("site") or {}).get("chargers_connected") == 8, 30, "all are back")
    expect(card(page, "Starts of LinkRay control")).to_contain_text(
        "restart asked for by Installer"
    )
    assert api.get("site")["sessions"] == 1
    found = api.get("alerts?code=charger_offline")["alerts"]
    assert [one["seen_by"] for one in found if one["subject"] == GONE][-1] == "Installer"


def test_the_log_and_the_report_are_taken_home(
    site: Box, api: Client, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.sign_in("Installer")
    visitor.open("/admin/logs")
    page.get_by_role("button", name="Extended").click()
    expect(page.get_by_role("button", name="Extended")).to_have_attribute("aria-pressed", "true")
    until(lambda: any("fact=" in line for line in api.get("log")["lines"]), 10, "facts are told")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Log (db)").click()
    file = tmp_path / "log.db"
    download.value.save_as(file)
    with sqlite3.connect(file) as db:
        ((count,),) = db.execute("SELECT count(*) FROM log WHERE source = 'LINKRAY'")
    db.close()
    assert count
    page.get_by_role("button", name="Normal").click()
    expect(page.get_by_role("button", name="Normal")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Follow it live").click()
    page.get_by_label("Search").fill("level of nothing")
    expect(page.get_by_text("No line fits this.")).to_be_visible()
    _the_report(visitor, tmp_path)


def _the_report(visitor: Visit, tmp_path: Path) -> None:
    """U24: on paper nothing is cut and nothing is missing; no script has run."""
    page = visitor.open("/api/v1/maintenance-report")
    expect(page.get_by_role("heading", level=1)).to_have_text("Maintenance report")
    expect(page.get_by_text("Yard & <b>Co</b>")).to_be_visible()
    expect(page.locator("img, script, b")).to_have_count(0)
    page.evaluate(AXE.read_text())
    assert judge(page, "report") == []
    printed = text_of(page.pdf(format="A4", path=tmp_path / "report.pdf"))
    shown = page.locator("main").inner_text()
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", printed))  # fi is one letter there
    missing = [word for word in unicodedata.normalize("NFKC", shown).split() if word not in plain]
    assert missing == []
    page.set_viewport_size(PHONE)
    assert judge(page, "report on a phone") == []


def test_the_pages_start_anew_and_ask_who_one_is(site: Box, visit: Callable[..., Visit]) -> None:
    visitor = visit(forgiven=("401", "ERR_", "Failed to load", "503"))
    page = visitor.sign_in("Installer")
    visitor.open("/admin/restart")
    card(page, "Pages").get_by_role("button", name="Restart the pages").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("signs in again, you too")
    confirm(page, "Restart the pages")
    assert site.web.wait() == 76
    site.start_web()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
