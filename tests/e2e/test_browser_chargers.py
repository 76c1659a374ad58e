"""The Chargers pages as an installer uses them: a stranger is adopted, a key changed, a charger
restarted, its firmware updated; both processes, and simulated chargers that really fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.box import Box, Client, box_in, until, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge

pytestmark = pytest.mark.realtime

HERS, STRANGER, CHARGES = "TACW2243320T0723", "GRS-32-004412", "WB-118274"  # Bays 1, 8 and 4
OTHER = "ZAP049387"  # Bay 7, which restarts while the rest goes on
IMAGE = b"firmware of a charger \x00\xff" * 40_000  # 0.9 MB
NAME = "TAC-V1.8.28.bin"
LOOKS = {  # pages that test_browser does not look at, and what is there once they are complete
    "/chargers/adopt": ".stranger", "/chargers/firmware": ".fw-updates li",
    f"/chargers/{HERS}/configuration": ".key-form", f"/chargers/{HERS}/messages": ".frame-line",
    f"/chargers/{HERS}/history": ".history",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site, where one charger is not kept and new ones wait."""
    settings = world_settings()
    settings["chargers"] = [one for one in settings["chargers"] if one["id"] != STRANGER]
    settings["site"]["new_chargers"] = "ask"
    with box_in(tmp_path_factory.mktemp("chargers")) as box:
        box.import_settings(settings)
        box.set_passwords()
        box.writer = box.key("write")
        box.start_control()
        box.start_world("--empty")
        box.start_web()
        yield box


@pytest.fixture(scope="module")
def api(site: Box) -> Client:
    client = site.client(site.writer)
    until(
        lambda: [one["connected"] for one in client.get("chargers")] == [True] * 8, 30,
        "all chargers are there",
    )  # fmt: skip
    return client


def told(api: Client, charger: str, what: str = "firmware") -> str:
    return next(str(one[what]) for one in api.get("chargers") if one["id"] == charger)


def test_an_installer_works_on_chargers(site: Box, api: Client, visit, tmp_path: Path) -> None:
    visitor = visit(forgiven=("409", "404"))
    page = visitor.sign_in("Installer")
    site.world.say({"do": "plug", "charger": CHARGES, "phases": 1})
    site.world.say({"do": "present_tag", "charger": CHARGES, "tag": "E2E"})
    _a_key(visitor, page)
    _a_restart(visitor, page)
    _its_firmware(site, visitor, page, api, tmp_path)
    _its_diagnostics(visitor, page, tmp_path)
    _its_looks(visit)
    _a_stranger(visitor, page, api)


def _a_key(visitor: Visit, page: Page) -> None:
    """Changed with the charger's own answer; LinkRay's own say why they are not to be changed."""
    visitor.open(f"/chargers/{HERS}/configuration")
    beat = page.locator(".keys > li", has=page.get_by_label("HeartbeatInterval", exact=True))
    beat.get_by_label("HeartbeatInterval", exact=True).fill("120")
    beat.get_by_role("button", name="Change HeartbeatInterval").click()
    expect(beat.locator(".told")).to_contain_text("Accepted by the charger")
    ours = page.locator(".keys > li", has_text="MeterValueSampleInterval")
    expect(ours).to_contain_text("balancing lives on it")
    expect(ours.locator("input")).to_have_count(0)
    page.get_by_text("A key that is not listed").click()
    page.get_by_label("Key", exact=True).fill("=Nobody()")
    page.get_by_label("Value", exact=True).fill("<b>1</b>")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".other-key .told")).to_contain_text("NotSupported")


def _a_restart(visitor: Visit, page: Page) -> None:
    """Asked about first, told what the charger answered, and found in its messages."""
    visitor.open(f"/chargers/{OTHER}")
    page.get_by_role("button", name="Restart", exact=True).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Restart Bay 7?")
    dialog.get_by_role("button", name="Restart").click()
    expect(page.locator(".acts-card .told")).to_contain_text("Accepted by the charger")
    page.get_by_role("link", name="Messages", exact=True).click()
    expect(page.locator(".frame-line", has_text='"Reset"').first).to_be_visible()
    page.get_by_label("Direction").select_option(label="to charger")
    expect(page).to_have_url(f"https://127.0.0.1:{page.url.split(':')[2].split('/')[0]}"
                             f"/chargers/{OTHER}/messages?way=out")  # fmt: skip


def _its_firmware(site: Box, visitor: Visit, page: Page, api: Client, folder: Path) -> None:
    """A file is held; one fetches and installs it, one that charges is left out."""
    file = folder / NAME
    file.write_bytes(IMAGE)
    visitor.open("/chargers")
    for bay in ("Bay 1", "Bay 4"):
        page.get_by_label(f"Select {bay}", exact=True).check()
    page.get_by_role("button", name="Update firmware").click()
    page.set_input_files("input[type=file]", file)
    expect(page.locator(".fw-files > li")).to_contain_text(NAME)
    expect(page.get_by_label("Select Bay 4", exact=True)).to_be_checked()
    page.get_by_role("button", name="Update 2 chargers").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Update").click()
    line = page.locator(".fw-updates > li", has_text="Bay 1")
    expect(page.locator(".fw-updates > li", has_text="Bay 4")).to_contain_text("it is charging")
    expect(line).to_contain_text("Installed", timeout=30_000)
    until(lambda: told(api, HERS) == NAME, 30, "the new version is told")
    expect(line).to_contain_text(f"{NAME} now")
    assert "charger-files/…" in site.log() or "charger-files/" not in site.log()


def _its_diagnostics(visitor: Visit, page: Page, folder: Path) -> None:
    """Asked for, left here by the charger, downloaded."""
    visitor.open(f"/chargers/{HERS}")
    card = page.locator(".acts-card")
    card.get_by_role("button", name="Get diagnostics").click()
    link = card.get_by_role("link", name="Download")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    kept = folder / "log"
    download.value.save_as(kept)
    assert kept.read_text().startswith(HERS)


def _a_stranger(visitor: Visit, page: Page, api: Client) -> None:
    """It waits with suggested settings, and is adopted by one button."""
    visitor.open("/chargers")
    page.get_by_role("link", name="Adopt").click()
    tray = page.locator(".stranger", has_text=STRANGER)
    tray.get_by_label("Name", exact=True).fill("=Bay <8>")
    tray.get_by_label("Phases").select_option("3")
    tray.get_by_role("button", name="Adopt").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Adopt").click()
    expect(page.get_by_text("Nobody waits")).to_be_visible()
    page.get_by_role("link", name="List", exact=True).click()
    expect(page.locator(".charger-row", has_text=STRANGER)).to_contain_text("=Bay <8>")
    assert next(
        one["name"] for one in api.get("chargers") if one["id"] == STRANGER
    ) == "=Bay <8>"  # fmt: skip


def _its_looks(visit: Callable[..., Visit]) -> None:
    """U1, U3: axe and the width, in both themes and on both screens."""
    wrong = []
    for theme, screen in (("light", WIDE), ("dark", PHONE)):
        visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
        visitor.sign_in("Installer")
        for path, what in LOOKS.items():
            page = visitor.open(path)
            expect(page.locator(what).first).to_be_attached()
            page.evaluate(AXE.read_text())
            wrong += judge(page, f"{path} {theme} {screen['width']}")
    assert wrong == []
