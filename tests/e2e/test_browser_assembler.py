"""The Assembler's pages as a person uses them: brand, meter file, licence, certificate, reset."""

from __future__ import annotations

import io
import json
import re
import ssl
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.e2e.box import PASSWORDS, Box, Client, box_in, until, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge
from tests.unit.access.papers import answered, authority
from tools.licence import issue, known_key

from linkray.access.licence import Licence

pytestmark = pytest.mark.realtime

PAGES = ("/assembler/branding", "/assembler/meters", "/assembler/licence", "/assembler/factory",
         "/security/certificates")  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)>"
METER = {"name": HOSTILE, "tcp": True, "IP": "192.0.2.9", "Address": 1, "ARegisterL1": 1,
         "ARegisterL2": 2, "ARegisterL3": 3, "DataType": "Short", "Multiply": 0.01}  # fmt: skip
BRAND = {
    "Navigation": {"HeadText": HOSTILE, "HeadImg": "logo.png", "HeadImgHeight": 44,
                   "MenuStyle": "color: #241f59;",
                   "MenuActiveStyle": "color: white; background: #333333;"},
    "Content": {"FootText": "© Acme", "SectionBack": "#e9e9e4", "CardBack": "#fdfcf8",
                "CardLabel": "#ffffff", "CardLabelBack": "#7a1f5c", "Button": "#1a1a1a",
                "ButtonBack": "#f2c230", "ToggleOn": "#1a1a1a", "ToggleOnBack": "#f2c230"},
    "Colors": {"Primary": "#ffffff", "PrimaryBack": "#404040"},
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with box_in(tmp_path_factory.mktemp("assembler")) as box:
        box.import_settings(world_settings())
        box.set_passwords()
        box.writer = box.key("write")
        box.start_control()
        box.start_world("--empty")
        box.start_web()
        yield box


def card(page: Page, title: str) -> Locator:
    return page.locator("main .card", has=page.get_by_role("heading", name=title, exact=True))


def choose(page: Page, button: str, name: str, content: bytes) -> None:
    picker = page.locator("label.file", has_text=button).locator("input")
    picker.set_input_files({"name": name, "mimeType": "", "buffer": content})


def brand_zip(tree: object) -> bytes:
    picture, out = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (300, 90), (242, 194, 48)).save(picture, "PNG")
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("branding.json", json.dumps(tree))
        archive.writestr("logo.png", picture.getvalue())
    return out.getvalue()


def look_at_all(visit: Callable[..., Visit], folder: Path, name: str) -> list[str]:
    """What axe finds on every page in both looks and widths, and pictures for a person."""
    wrong = []
    for theme, screen in (("light", WIDE), ("dark", PHONE)):
        visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
        visitor.sign_in("Assembler")
        for path in PAGES if name == "plain" else (PAGES[0], PAGES[2], "/configuration/site"):
            page = visitor.open(path)
            expect(page.locator("main .card").first).to_be_visible()
            page.evaluate(AXE.read_text())
            wrong += judge(page, f"{name} {path} {theme} {screen['width']}")
            shot = f"{name}{path.replace('/', '-')}-{theme}-{screen['width']}.png"
            page.screenshot(path=folder / shot, full_page=True)
    return wrong


def test_a_brand_is_refused_with_the_number_then_worn_then_cleared(visit, tmp_path: Path) -> None:
    visitor = visit(forgiven=("422",))
    page = visitor.sign_in("Assembler")
    visitor.open("/assembler")
    pale = {**BRAND, "Content": {"Button": "#ffffff", "ButtonBack": "#f2c230"}}
    choose(page, "Choose a branding file", "pale.zip", brand_zip(pale))
    note = card(page, "Branding").locator(".note")
    expect(note).to_contain_text(re.compile(r"Button on ButtonBack .* has 1\.\d : 1"))
    expect(page.get_by_role("button", name="Use this branding")).to_have_count(0)

    choose(page, "Choose a branding file", "acme.zip", brand_zip(BRAND))
    expect(note).to_contain_text("acme.zip is good")
    expect(page.locator(".brand-seen img")).to_be_visible()
    page.get_by_role("button", name="Use this branding").click()

    expect(page.locator(".side .brand-name")).to_have_text(HOSTILE)
    expect(page.locator(".brand-foot")).to_have_text("© Acme")
    expect(page.locator(".side .brand-picture")).to_have_js_property("naturalWidth", 300)
    label = card(page, "Branding").get_by_role("heading", name="Branding")
    expect(label).to_have_css("background-color", "rgb(122, 31, 92)")
    assert look_at_all(visit, tmp_path, "worn") == []

    page.get_by_role("button", name="LinkRay’s own look").click()
    page.get_by_role("alertdialog").get_by_role("button", name="LinkRay’s own look").click()
    expect(page.locator(".side .brand-name")).to_have_text("LinkRay")
    expect(label).to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_every_page_is_judged_in_both_looks_and_widths(visit, tmp_path: Path) -> None:
    assert look_at_all(visit, tmp_path, "plain") == []


def test_an_own_meter_file_is_offered_beside_the_shipped_ones(visit) -> None:
    visitor = visit(forgiven=("422",))
    page = visitor.sign_in("Assembler")
    visitor.open("/assembler/meters")
    choose(page, "Choose a .meter file", "bad.meter", b'{"name": "Bad", "ReadCmd": 9}')
    expect(card(page, "Meters").locator(".note")).to_contain_text("ReadCmd")
    choose(page, "Choose a .meter file", "own.meter", json.dumps(METER).encode())
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(".plain-list > li")).to_contain_text(HOSTILE)
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {HOSTILE}").click()
    assert json.loads(Path(download.value.path()).read_text()) == METER

    visitor.open("/configuration/meter")
    page.get_by_label("Choose from the list").select_option(label=f"{HOSTILE} (uploaded)")
    expect(page.locator(".meter-now")).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Undo all").click()
    visitor.open("/assembler/meters")
    page.get_by_role("button", name=f"Delete {HOSTILE}").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No file has been uploaded.")).to_be_visible()


def test_a_licence_holds_at_once_and_no_charger_reconnects(site: Box, visit) -> None:
    api = site.client(site.writer)
    until(lambda: api.get("site")["chargers_connected"] == 8, 30, "all chargers are there")
    serial = api.get("site")["serial"]
    visitor = visit(forgiven=("422",))
    page = visitor.sign_in("Assembler")
    visitor.open("/assembler/licence")
    today = datetime.now(UTC).date()
    ends = (today + timedelta(days=30)).isoformat()
    cases = {
        "other.json": (Licence("LR-other", 9, "2026-01-01"), "is for the box 'LR-other'"),
        "old.json": (Licence(serial, 9, "2026-01-01", "2026-01-02"), "expired on 2026-01-02"),
    }
    note = card(page, "Licence").locator(".note")
    for name, (licence, words) in cases.items():
        choose(page, "Choose a licence file", name, issue(licence, known_key()))
        expect(note).to_contain_text(words)
    good = issue(Licence(serial, 5, today.isoformat(), ends, HOSTILE), known_key())
    choose(page, "Choose a licence file", "forged.json", good.replace(b"5", b"6", 1))
    expect(note).to_contain_text("is not taken")

    choose(page, "Choose a licence file", "five.json", good)
    expect(note).to_contain_text("32 now, 5 with it")
    page.get_by_role("button", name="Use this licence").click()
    expect(page.locator("main .facts").first).to_contain_text("/ 5")
    expect(page.locator("main .facts").first).to_contain_text(HOSTILE)
    past = until(lambda: [c for c in api.get("chargers") if not c["licensed"]], 5, "some have none")
    assert all(c["connected"] for c in past)
    assert api.get("site")["chargers_connected"] == 8
    assert {f["code"] for f in api.get("faults")} == {"licence"}

    more = issue(Licence(serial, 40, today.isoformat(), None, "Acme"), known_key())
    choose(page, "Choose a licence file", "forty.json", more)
    page.get_by_role("button", name="Use this licence").click()
    expect(page.locator("main .facts").first).to_contain_text("/ 40")
    until(lambda: all(c["licensed"] for c in api.get("chargers")), 5, "all have a place")


def served(site: Box) -> str:
    """The issuer's name of the certificate that a new connection is shown, as DER holds it."""
    address = ("127.0.0.1", site.ports["https"])
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(address)).decode("latin-1")


def test_a_certificate_is_asked_for_put_in_served_and_taken_out(site: Box, visit) -> None:
    visitor = visit(forgiven=("422", "403"))
    page = visitor.sign_in("Assembler")
    visitor.open("/security/certificates")
    expect(card(page, "In force")).to_contain_text("this box itself")
    page.get_by_label("Organisation").fill("Acme")
    page.get_by_role("button", name="Make a request").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the request").click()
    request = Path(download.value.path()).read_text()
    assert "PRIVATE" not in request
    name, key, above = authority()
    _other, stranger, _above = authority()

    choose(page, "Choose the certificate", "own.pem", above.encode())
    note = card(page, "Another certificate").locator(".note")
    expect(note).to_contain_text("do not belong together")
    page.locator("label.file", has_text="own.pem").locator("input").set_input_files(
        {"name": "signed.pem", "mimeType": "",
         "buffer": (answered(request, (name, key)) + above).encode()}
    )  # fmt: skip
    expect(note).to_contain_text("belong together. Nothing was changed")
    assert "Site CA" not in served(site)
    page.get_by_role("button", name="Use this certificate").click()
    expect(card(page, "In force")).to_contain_text("Site CA")
    assert "Site CA" in served(site)
    assert stranger is not key

    page.get_by_role("button", name="Back to the self-made one").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Back to the self").click()
    page.get_by_label("Password of Assembler").fill(PASSWORDS["Assembler"])
    page.get_by_role("button", name="Go on").click()
    expect(card(page, "In force")).to_contain_text("this box itself")
    assert "Site CA" not in served(site)


def test_the_factory_reset_asks_for_the_sites_name(site: Box, visit) -> None:
    visitor = visit(forgiven=("Failed to", "ERR_", "50", "401"))
    page = visitor.sign_in("Assembler")
    visitor.open("/assembler/factory")
    page.get_by_role("button", name="Delete everything …").click()
    dialog = page.get_by_role("alertdialog", name="Delete everything on this box?")
    sure = dialog.get_by_role("button", name="Delete everything")
    expect(sure).to_have_attribute("aria-disabled", "true")
    name = site.client(site.writer).get("site")["name"]
    dialog.get_by_label(f"Type {name} to confirm").fill(name)
    (site.state / "canary").write_text("anything at all")
    sure.click()
    assert site.control.wait() == 75
    site.start_control()
    left = {path.name for path in site.state.iterdir()}
    assert not left & {"canary", "licence", "branding", "meters"}
    assert isinstance(site.client(site.writer), Client)
