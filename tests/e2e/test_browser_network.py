"""Network, Payment, Building Management, Proxy, links of chargers, client certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.box import PASSWORDS, Box, box_in
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge

pytestmark = pytest.mark.realtime

HOSTILE = '=1+1 <img src=x onerror="alert(1)">'
FILE_WORD = "a word for the file"
SETTINGS = {
    "version": 1,
    "site": {"name": "Mill Lane", "limit_ma": [63_000, 63_000, 63_000]},
    "csms": {"url": "wss://csms.example/ocpp"},
    "chargers": [{"id": "M1", "name": "Bay 1"}, {"id": "M2", "name": HOSTILE}],
}
SHOWN = {  # pages, and what is there once they are complete
    "/network/route": ".net-stop", "/network/cellular": ".facts dd", "/payment": "main .card",
    "/proxy": ".neighbours > li", "/security/chargers": ".links-list > li",
    "/security/certificates": ".facts dd",
}  # fmt: skip
TABS = {
    "/network": ("Route", "Ethernet", "Wi-Fi", "Cellular", "Name"),
    "/payment": ("Terminal", "Prices", "Receipts"),
    "/building": ("Modbus", "MQTT", "Home Assistant"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with box_in(tmp_path_factory.mktemp("network")) as box:
        box.import_settings(SETTINGS)
        box.set_passwords()
        box.start_control()
        box.start_web()
        yield box


def card(page: Page, title: str) -> Locator:
    return page.locator("main .card", has=page.get_by_role("heading", name=title, exact=True))


def give_password(page: Page) -> None:
    page.get_by_label("Password of Assembler").fill(PASSWORDS["Assembler"])
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_label("Password of Assembler")).to_have_count(0)


def look_at_all(visit: Callable[..., Visit], folder: Path) -> list[str]:
    """What axe finds on every page in both looks and widths, and pictures for a person."""
    wrong = []
    for theme, screen in (("light", WIDE), ("dark", PHONE)):
        visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
        visitor.sign_in("Assembler")
        for path, there in SHOWN.items():
            page = visitor.open(path)
            expect(page.locator(there).first).to_be_visible()
            page.evaluate(AXE.read_text())
            wrong += judge(page, f"{path} {theme} {screen['width']}")
            shot = f"{path[1:].replace('/', '-')}-{theme}-{screen['width']}.png"
            page.screenshot(path=folder / shot, full_page=True)
    return wrong


def test_u8_u14_every_page_is_accessible_and_fits_in_both_themes(
    visit: Callable[..., Visit], tmp_path: Path
) -> None:
    assert look_at_all(visit, tmp_path) == []


def test_u19_the_pages_show_what_there_is_to_whom_they_are_for_and_have_no_dead_control(
    visit: Callable[..., Visit],
) -> None:
    page = visit(forgiven=("403",)).sign_in("Installer")
    menu = page.get_by_role("navigation", name="Pages").first
    for name in ("Network", "Payment", "Building Management"):
        expect(menu.get_by_role("link", name=name)).to_be_visible()
    expect(menu.get_by_role("link", name="Proxy")).to_have_count(0)
    base = page.url.partition("/info")[0]
    for path, tabs in TABS.items():
        page.goto(base + path)
        for tab in tabs:
            page.locator("main .tabs").get_by_role("link", name=tab).click()
            expect(page.locator("main .tabs [aria-current]")).to_have_text(tab)
            expect(page.locator("main .card").first).to_be_visible()
            assert page.locator("main").locator("button, input, select").count() == 0, tab
    page.goto(f"{base}/network/route")
    stops = page.locator(".net-stop b")
    expect(stops).to_have_count(4)
    assert stops.all_inner_texts()[1:3] == ["192.0.2.10/24", "192.0.2.1"]
    expect(page.locator("main")).to_contain_text("simulated board")
    for barred in ("/proxy", "/security/chargers"):
        page.goto(base + barred)
        expect(page.locator("main")).to_contain_text("Your level does not open")
    assert page.evaluate("fetch('/api/v1/neighbours').then(a => a.status)") == 403


def test_a30_a36_u20_a_charger_is_given_a_password_that_is_shown_once(
    visit: Callable[..., Visit], site: Box, tmp_path: Path
) -> None:
    visitor = visit(forgiven=("403",))
    visitor.sign_in("Assembler")
    page = visitor.open("/security/chargers")
    rows = page.locator(".links-list > li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("No password")

    rows.first.get_by_role("button", name="Password of").click()
    page.screenshot(path=tmp_path / "password.png")
    page.get_by_role("button", name="Make one up").click()
    give_password(page)
    secret = page.locator("dialog .secret").inner_text()
    assert len(secret) == 40
    page.screenshot(path=tmp_path / "once.png")
    page.get_by_role("button", name="I have written it down").click()
    expect(rows.first).to_contain_text("Password required")
    assert secret not in page.content()
    assert secret not in site.log()

    rows.first.get_by_role("button", name="Remove").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(rows.first).to_contain_text("No password")
    expect(page.locator("main")).to_contain_text("Any tag may charge while LinkRay decides")  # A36


def test_a29_a13_a_client_certificate_is_made_installed_asked_for_and_revoked(
    visit: Callable[..., Visit], site: Box, tmp_path: Path
) -> None:
    visitor = visit(forgiven=("403",))
    visitor.sign_in("Assembler")
    page = visitor.open("/security/certificates")
    make = card(page, "Make a certificate")
    make.get_by_label("Name of the person").fill(HOSTILE)
    make.get_by_label("Password of the file", exact=True).fill(FILE_WORD)
    with page.expect_download() as download:
        make.get_by_role("button", name="Make and download").click()
        give_password(page)
    download.value.save_as(tmp_path / "client.p12")
    expect(card(page, "Client certificates")).to_contain_text(HOSTILE)
    required = card(page, "Accounts that ask for one")
    expect(required.get_by_role("button")).to_have_count(0)

    file = tmp_path / "client.p12"
    shown = [{"origin": visitor.base, "pfxPath": file, "passphrase": FILE_WORD}]
    known = visit(forgiven=("403", "409"), client_certificates=shown)
    known.sign_in("Assembler")
    page = known.open("/security/certificates")
    expect(card(page, "Client certificates")).to_contain_text("You came with it")
    required = card(page, "Accounts that ask for one")
    required.get_by_role("button", name="Ask Assembler for a").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Ask for one").click()
    give_password(page)
    expect(required.locator("li").first).to_contain_text("Asks for one")

    page.screenshot(path=tmp_path / "required.png", full_page=True)

    stranger = visit(forgiven=("403", "401")).open("/")
    stranger.get_by_role("radio", name="Assembler").check()
    stranger.get_by_label("Password", exact=True).fill(PASSWORDS["Assembler"])
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator("main")).to_contain_text("has shown none of this box")
    stranger.screenshot(path=tmp_path / "refused.png")
    card(page, "Client certificates").get_by_role("button", name="The certificate of").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("the one you came with")
    site.do("password", "Assembler", text=PASSWORDS["Assembler"] + "\n")  # at the box
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator(".tile").first).to_be_visible()
