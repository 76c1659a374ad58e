"""What is handed over and printed: the commissioning report, Info, a list of sessions (U24), and
what a session tells of its current and its pauses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.box import Box, box_in, world_settings
from tests.e2e.pdf import text_of
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge
from tests.kept import keep_sessions

from linkray.kit.clock import stamp

pytestmark = pytest.mark.realtime

HOSTILE = "<img src=x onerror=alert(1)>"
PAPER = {"width": 688, "height": 1000}  # CSS pixels of A4 between the report's margins
NAVIGATION = ("Building Management", "Operate", "Debug")


def sessions() -> tuple[list[dict[str, object]], list[tuple[object, ...]]]:
    """Some of today, one after the other, of which each third was paused twice."""
    rows: list[dict[str, object]] = []
    pauses: list[tuple[object, ...]] = []
    began = datetime.now(UTC) - timedelta(days=2)
    for number in range(1, 31):
        at = began + timedelta(hours=number)
        is_paused = number % 3 == 0
        paused_ms = 1_800_000 if is_paused else 0
        rows.append({
            "id": number, "charger": f"WB-11827{number % 4}", "tag": f"04A1B2C3D4{number % 7:04}",
            "friendly_name": HOSTILE if number % 5 == 0 else f"Bay {number % 4}",
            "started": stamp(at), "ended": stamp(at + timedelta(minutes=55)),
            "meter_last_wh": 1_000 + 137 * number, "authorised_by": "whitelist",
            "course": f"[[16000,0,16000],[37000000000,0,37000000000],3000000,{paused_ms}]",
        })  # fmt: skip
        if is_paused:
            first, second = at + timedelta(minutes=10), at + timedelta(minutes=25)
            pauses += [(number, stamp(first), stamp(second), "turn", HOSTILE),
                       (number, stamp(second), stamp(second + timedelta(minutes=15)),
                        "schedule", "")]  # fmt: skip
    return rows, pauses


def settings() -> dict[str, object]:
    """The simulated site behind two fuses, one of them of an ill-meant name."""
    made = world_settings()
    made["site"] |= {"name": "Yard & <b>Co</b>", "time_zone": "Europe/Berlin"}
    made["groups"] = [{"name": "Hall", "limit_ma": 50_000},
                      {"name": HOSTILE, "limit_ma": 32_000, "parent": "Hall"}]  # fmt: skip
    for place, one in enumerate(made["chargers"]):
        one["group"] = ("Hall", HOSTILE)[place % 2]
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with box_in(tmp_path_factory.mktemp("report")) as box:
        box.import_settings(settings())
        box.set_passwords()
        rows, pauses = sessions()
        keep_sessions(box.state, *rows, pauses=pauses)
        box.start_control()
        box.start_web()
        yield box


def plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)  # fi is one letter on paper


def cut(page: Page, part: str, pdf: Path) -> list[str]:
    """Words of a part of the page that are not on paper; it is as wide as paper then."""
    printed = re.sub(r"\s+", "", plain(text_of(page.pdf(format="A4", path=pdf))))
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    shown = page.locator(part).inner_text()
    wide, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= there, f"{wide} px wide on {there}"
    page.emulate_media(media="null")
    page.set_viewport_size(WIDE)
    assert [word for word in NAVIGATION if word.replace(" ", "") in printed] == []
    return [word for word in plain(shown).split() if word not in printed]


def test_u24_the_report_is_the_wizards_last_thing_opened_saved_and_printed(
    visit: Callable[..., Visit], tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.sign_in("Installer")
    visitor.open("/setup/check")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the report").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "linkray-commissioning-report.html"
    assert "Yard &amp; &lt;b&gt;Co&lt;/b&gt;" in saved.read_text()

    link = page.get_by_role("link", name="Open the report")
    expect(link).to_have_attribute("href", "/api/v1/commissioning-report?lang=en")
    with visitor.context.expect_page() as opened:
        link.click()
    report = opened.value
    expect(report.get_by_role("heading", level=1)).to_have_text("Commissioning report")
    expect(report.get_by_text("what is missing is Passwords, Supply, Check.")).to_be_visible()
    expect(report.get_by_text(f"└ {HOSTILE}")).to_be_visible()
    expect(report.locator("img, script, b, svg")).to_have_count(0)
    report.evaluate(AXE.read_text())
    assert judge(report, "report") == []
    assert cut(report, "main", tmp_path / "report.pdf") == []
    report.set_viewport_size(PHONE)
    assert judge(report, "report on a phone") == []

    german = visitor.open("/api/v1/commissioning-report?lang=de")
    expect(german.get_by_role("heading", level=1)).to_have_text("Inbetriebnahmebericht")
    expect(german.get_by_text("Ladestationen daran")).to_be_visible()
    german = visitor.open("/api/v1/maintenance-report?lang=de")
    expect(german.get_by_role("heading", level=1)).to_have_text("Wartungsbericht")


def test_the_address_of_a_charger_is_held_before_a_camera_too(
    site: Box, visit: Callable[..., Visit]
) -> None:
    visitor = visit(viewport=PHONE, color_scheme="dark")
    visitor.sign_in("Installer")
    page = visitor.open("/setup/chargers")
    address = f"ws://127.0.0.1:{site.ports['ocpp']}"
    code = page.get_by_role("img", name=f"QR code of {address}", exact=True)
    expect(code).to_be_visible()
    assert (code.bounding_box() or {}).get("width", 0) >= 120
    page.evaluate(AXE.read_text())
    assert judge(page, "the address") == []


def test_u24_a_list_of_sessions_and_info_are_whole_on_paper_without_navigation(
    visit: Callable[..., Visit], tmp_path: Path
) -> None:
    visitor = visit()
    visitor.sign_in("EV")
    page = visitor.open("/transactions/sessions?range=all")
    expect(page.locator("table.tx tbody tr")).to_have_count(30)
    assert cut(page, "table.tx", tmp_path / "list.pdf") == []
    printed = plain(text_of((tmp_path / "list.pdf").read_bytes()))
    assert printed.count("paused 30 min") == 10
    page = visitor.open("/info")
    expect(page.locator(".tile")).not_to_have_count(0)
    expect(page.locator(".bone")).to_have_count(0)
    assert cut(page, ".live", tmp_path / "info.pdf") == []


def test_a_session_tells_its_current_and_why_it_was_paused(visit: Callable[..., Visit]) -> None:
    for screen, theme in ((WIDE, "light"), (PHONE, "dark")):
        visitor = visit(viewport=screen, color_scheme=theme)
        visitor.sign_in("EV")
        page = visitor.open("/transactions/sessions/3")
        expect(page.get_by_text("L1 12.3 A, L3 12.3 A")).to_be_visible()
        pauses = page.locator(".tx-pauses tbody tr")
        expect(pauses).to_have_count(2)
        expect(pauses.first).to_contain_text(HOSTILE)
        expect(pauses.last).to_contain_text("a time without charging")
        page.evaluate(AXE.read_text())
        assert judge(page, f"session {theme}") == []
