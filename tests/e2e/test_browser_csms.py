"""The CSMS on the pages, as a person sets it up: tried out, mended, cut, followed in the log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.box import Box, Client, box_in, until, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge

pytestmark = pytest.mark.realtime

REFUSED, LATE, SEEN = "TACW2243320T0723", "WB-118274", "GRS-32-004412"  # Bays 1, 4 and 8
TAG = "04A1B2C3D40001"
WORD = "a-password-of-24-letters"
NOBODY = "ws://127.0.0.1:1"  # nothing listens there
CSMS = "/configuration/csms"
LOOKS = {  # pages, and what is there once they are complete
    CSMS: ".uplinks > li", "/debug/ocpp": ".frame-line",
    "/chargers": ".links .badge", f"/chargers/{LATE}": ".uplink-facts",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site with a CSMS near by that nobody has told LinkRay of."""
    with box_in(tmp_path_factory.mktemp("csms")) as box:
        box.import_settings(world_settings())
        box.set_passwords()
        box.writer = box.key("write")
        box.start_control()
        box.start_world("--empty", "--csms", "0")
        box.start_web()
        yield box


@pytest.fixture(scope="module")
def api(site: Box) -> Client:
    client = site.client(site.writer)
    until(lambda: client.get("site")["chargers_connected"] == 8, 30, "all chargers are there")
    return client


def plug(site: Box, charger: str) -> None:
    site.world.say({"do": "plug", "charger": charger, "phases": 1})
    site.world.say({"do": "present_tag", "charger": charger, "tag": TAG})


def card(page: Page, title: str) -> Locator:
    return page.locator("main .card", has=page.get_by_role("heading", name=title, exact=True))


def link_of(page: Page, charger: str) -> Locator:
    return page.locator(".uplinks > li", has_text=charger)


def try_address(page: Page, url: str) -> str:
    """What the Test button says of an address that is typed."""
    page.get_by_label("CSMS server address").fill(url)
    page.get_by_role("button", name="Test", exact=True).click()
    found = card(page, "Test").locator(".note")
    expect(found).to_be_visible()
    return found.inner_text().strip()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=False).first.click()
    expect(page.get_by_role("button", name="Save", exact=False)).to_have_count(0)


def all_connected(page: Page) -> None:
    expect(card(page, "Links").get_by_text("8 of 8 connected", exact=True)).to_be_visible()


def test_a_csms_is_set_up_cut_and_followed(site: Box, api: Client, visit, tmp_path: Path):
    address = site.world.told[0]["csms"]
    visitor = visit(forgiven=("409", "503"))
    page = visitor.sign_in("Assembler")
    visitor.open(CSMS)
    expect(page.get_by_text("this site runs on its own")).to_be_visible()
    expect(card(page, "Set aside")).to_have_count(0)

    said = [try_address(page, url) for url in (NOBODY, "csms.example", f"{address}/elsewhere")]
    assert "Connection refused; nothing answers at this port" in said[0]
    assert "an address that begins with ws:// or wss://" in said[1]
    assert "404: it does not know this address or charger" in said[2]
    page.get_by_label("CSMS server address").fill(NOBODY)
    save(page)
    expect(link_of(page, "Bay 1")).to_contain_text("Not connected")
    expect(link_of(page, "Bay 1")).to_contain_text("Connection refused")
    expect(link_of(page, "Bay 1")).to_contain_text(re.compile(r"1 attempt, next at \d+:"))

    assert "The CSMS lets it in: ocpp1.6" in try_address(page, address)
    save(page)
    all_connected(page)
    assert "is connected there now" in try_address(page, address)
    # the CSMS does not take a start: half a minute until it is set aside, while others look
    site.world.say(
        {"do": "answer_error_csms", "action": "StartTransaction", "times": 3, "of": REFUSED}
    )
    plug(site, REFUSED)
    _the_log(site, page)
    _its_looks(visit)
    _what_is_set_aside(page, tmp_path)
    _cut_and_back(site, api, page)
    _another_address(site, api, page, address, tmp_path)


def _what_is_set_aside(page: Page, tmp_path: Path) -> None:
    """Shown with what the CSMS said, downloaded whole, and said again when somebody says so."""
    page.get_by_role("link", name="Configuration").first.click()
    page.get_by_role("link", name="CSMS", exact=True).click()
    shown = page.locator(".asides > li", has_text="StartTransaction")
    expect(shown).to_contain_text("InternalError", timeout=45_000)
    expect(link_of(page, "Bay 1")).to_contain_text("set aside")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    file = tmp_path / "aside.json"
    download.value.save_as(file)
    start = json.loads(file.read_text())[0]
    assert (start["charger"], start["action"]) == (REFUSED, "StartTransaction")
    assert json.loads(start["payload"])["idTag"] == TAG
    card(page, "Set aside").get_by_role("button", name="Say again").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Say again").click()
    expect(card(page, "Set aside")).to_contain_text("has taken whatever it was told")
    expect(link_of(page, "Bay 1")).not_to_contain_text("set aside")


def _the_log(site: Box, page: Page) -> None:
    """Live, of one charger and one direction, and as a file."""
    page.get_by_role("link", name="Debug").first.click()
    page.get_by_label("Charger", exact=True).select_option(SEEN)
    page.get_by_label("Direction").select_option(label="to CSMS")
    assert page.url.endswith(f"/debug/ocpp?charger={SEEN}&way=up")
    lines = page.locator(".frame-line")
    expect(lines.filter(has_text="BootNotification")).to_have_count(1)
    plug(site, SEEN)
    begun = lines.filter(has_text="StartTransaction")
    expect(begun).to_have_count(1)
    expect(begun).to_contain_text('"idTag": "…0001"')
    assert {line.split("\n")[1].strip() for line in lines.all_inner_texts()} == {"to CSMS"}
    assert all(SEEN in line for line in lines.all_inner_texts())
    page.get_by_role("button", name="Pause").click()
    held = lines.count()
    site.world.say({"do": "unplug", "charger": SEEN})
    expect(page.get_by_role("button", name=re.compile(r"Go on \(\d+ new\)"))).to_be_visible()
    assert lines.count() == held
    page.get_by_role("button", name="Go on").click()
    expect(lines.filter(has_text="StopTransaction")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile(r"^OCPP \d")).click()
    text = Path(download.value.path()).read_text()
    assert f"[CSMS    ] {SEEN} [2," in text
    assert f"[OCPP    ] R {SEEN} [2," in text
    assert TAG not in text


def _its_looks(visit: Callable[..., Visit]) -> None:
    """U1, U3, while links stand (the same pages without: tests/e2e/test_browser.py)."""
    wrong = []
    for theme, screen in (("light", WIDE), ("dark", PHONE)):
        visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
        visitor.sign_in("Assembler")
        for path, what in LOOKS.items():
            page = visitor.open(path)
            expect(page.locator(what).first).to_be_attached()
            page.evaluate(AXE.read_text())
            wrong += judge(page, f"{path} {theme} {screen['width']}")
    assert wrong == []


def _cut_and_back(site: Box, api: Client, page: Page) -> None:
    """The queue grows, is seen, and is gone when the CSMS and LinkRay are back."""
    site.world.say({"do": "cut_csms"})
    expect(link_of(page, "Bay 4")).to_contain_text("Not connected")
    plug(site, LATE)
    expect(link_of(page, "Bay 4")).to_contain_text(re.compile(r"messages? waits? since \d+:"))
    _a_password(page)
    page.get_by_role("link", name="Chargers").first.click()
    expect(page.locator(".charger-row", has_text=LATE)).to_contain_text("No CSMS ·")

    site.world.say({"do": "restore_csms"})
    site.control.terminate()  # a new start dials at once: nobody waits a minute here
    site.start_control()
    page.get_by_role("link", name="Bay 4").click()
    expect(card(page, "Link to the CSMS")).to_contain_text("Connected", timeout=30_000)
    until(lambda: not any(one["waiting"] for one in api.get("uplinks")), 20, "nothing waits")


def _another_address(site: Box, api: Client, page: Page, address: str, tmp_path: Path) -> None:
    """K13: who sets another is asked; what waits for the former is shown, downloaded, let go."""
    site.world.say({"do": "cut_csms"})
    site.world.say({"do": "unplug", "charger": LATE})
    until(lambda: any(one["waiting"] for one in api.get("uplinks")), 20, "its stop waits")
    page.get_by_role("link", name="Configuration").first.click()
    page.get_by_role("link", name="CSMS", exact=True).click()
    page.get_by_label("CSMS server address").fill(NOBODY)
    page.get_by_role("button", name="Save", exact=False).first.click()
    asked = page.get_by_role("alertdialog", name="Set another address?")
    expect(asked).to_contain_text(re.compile(rf"messages? of \d chargers? waits? .*{address}"))
    asked.get_by_role("button", name="Set it, keep them").click()
    expect(page.get_by_role("button", name="Save", exact=False)).to_have_count(0)

    former = card(page, "Former addresses")
    expect(former).to_contain_text(address)
    expect(former).to_contain_text("1 session that runs is its own")
    with page.expect_download() as download:
        former.get_by_role("link", name="Download").click()
    file = tmp_path / "kept.json"
    download.value.save_as(file)
    stop = next(one for one in json.loads(file.read_text()) if one["charger"] == LATE)
    assert (stop["action"], stop["csms"]) == ("StopTransaction", address)
    former.get_by_role("button", name="Let go").click()
    sure = page.get_by_role("alertdialog", name=f"Let go what waits for {address}?")
    sure.get_by_role("button", name="Let go").click()
    expect(page.get_by_text(re.compile(r"\d+ messages? let go"))).to_be_visible()
    page.get_by_label("CSMS server address").fill(address)
    save(page)
    site.world.say({"do": "restore_csms"})


def _a_password(page: Page) -> None:
    """It is given, and nobody is shown it again."""
    given = card(page, "Password")
    given.get_by_label("For", exact=True).select_option(LATE)
    given.get_by_label("New password").fill(WORD)
    given.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text(f"The uplink of {LATE} uses this password")).to_be_visible()
    expect(given.get_by_label("New password")).to_have_value("")
    expect(given.get_by_role("button", name="Remove")).to_be_visible()
    assert WORD not in page.content()


def test_an_installer_reads_and_tries_what_is_set(api: Client, visit):
    assert api.get("settings")["csms"]["url"]
    visitor = visit()
    page = visitor.sign_in("Installer")
    visitor.open(CSMS)
    expect(page.get_by_label("CSMS server address")).to_be_disabled()
    expect(page.get_by_role("heading", name="Password", exact=True)).to_have_count(0)
    page.get_by_label("As charger").select_option(label="Nobody known (LINKRAY-TEST)")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(card(page, "Test").locator(".note")).to_contain_text("The CSMS lets it in")
