"""Tags on the pages, as a person keeps them: by hand, by reader and by file (access.md, RFID)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.box import Box, Client, box_in, until, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge

pytestmark = pytest.mark.realtime

BAY_4, BAY_8 = "WB-118274", "GRS-32-004412"
TAGS = "/transactions/tags"
ELLEN, STRANGER, LEARNT = "0453F142F97280", "C42D5E8A", "04A1B2C3D40001"
HOSTILE = '<img src=x onerror="alert(1)"> =1+1'
GOOD = "TAG,Name,Type,Allowed,Expiry\nAA01,'=1+1,VIP,yes,2099-12-31\nAA02,\"Smith, Jo\",Admin,no\n"
BAD = "AA03,good\nonly a tag\nAA04,x,Boss\nAA03,twice\n"
SMALL = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site, whose list of tags is empty."""
    with box_in(tmp_path_factory.mktemp("tags")) as box:
        box.import_settings(world_settings())
        box.set_passwords()
        box.writer = box.key("write")
        box.start_control()
        box.start_world("--empty")
        box.start_web()
        yield box


def hold(site: Box, charger: str, tag: str) -> None:
    site.world.say({"do": "present_tag", "charger": charger, "tag": tag})


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Views of the tags").get_by_role("link", name=name).click()


def test_a36_tags_are_kept_by_hand_by_reader_and_by_file(
    site: Box, api: Client, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    until(lambda: api.get("site")["chargers_connected"] == 8, 30, "all chargers are there")
    visitor = visit(forgiven=("409", "422"))
    page = visitor.sign_in("Installer")
    page.on("dialog", lambda _dialog: pytest.fail("a name was run"))
    page.get_by_role("link", name="Transactions").first.click()
    page.get_by_role("link", name="Tags", exact=True).click()
    expect(page.get_by_text("No tag is listed")).to_be_visible()

    _a36_open_to_all(page)
    _by_hand(page)
    _refused(site, page)
    _learnt(site, page)
    _by_file(page, tmp_path)
    _found_and_deleted(page)
    _looks(visit)
    _cleared(api, page)


def _a36_open_to_all(page: Page) -> None:
    """That anybody may charge is said until somebody means it."""
    notice = page.get_by_text("Anybody with any tag may charge here")
    expect(notice).to_be_visible()
    page.get_by_role("button", name="That is meant").click()
    expect(notice).to_have_count(0)
    page.reload()
    expect(page.get_by_text("No tag is listed")).to_be_visible()
    expect(notice).to_have_count(0)


def _by_hand(page: Page) -> None:
    """Added with a name that means harm, edited, and not added twice."""
    page.get_by_role("button", name="Add a tag").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tag", exact=True).fill(ELLEN)
    dialog.get_by_label("Name").fill(HOSTILE)
    dialog.get_by_label("Last day").fill("2099-12-31")
    dialog.get_by_role("button", name="Save").click()
    row = page.locator(".tag-row", has_text=ELLEN)
    expect(row).to_contain_text(HOSTILE)
    expect(row).to_contain_text("until 2099-12-31")
    page.get_by_role("button", name="Add a tag").click()
    dialog.get_by_label("Tag", exact=True).fill(ELLEN.lower())
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is on the list already")
    dialog.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Edit").click()
    dialog.get_by_role("button", name="VIP").click()
    dialog.get_by_role("switch", name="Allowed").uncheck(force=True)
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("VIP")
    expect(row).to_contain_text("Not allowed")
    expect(row).to_contain_text("until 2099-12-31")


def _refused(site: Box, page: Page) -> None:
    """With the whitelist on a stranger is refused, shown, and put on the list with a name."""
    page.get_by_role("switch", name="Whitelist").check(force=True)
    expect(page.locator(".said")).to_contain_text("Saved")
    hold(site, BAY_4, STRANGER)
    view(page, "Rejected")
    row = page.locator(".tag-row", has_text=STRANGER)
    for _ in range(20):
        if row.count():
            break
        page.wait_for_timeout(250)
        page.reload()
        expect(page.get_by_text("Every tag that was refused")).to_be_visible()
    expect(row).to_contain_text("Bay 4")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Add to the list").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(f"Name for {STRANGER}").fill("Graeme")
    dialog.get_by_role("button", name="Add to the list").click()
    expect(row).to_contain_text("On the list now")


def _learnt(site: Box, page: Page) -> None:
    """Live, and to be ended at once."""
    view(page, "Learn")
    page.get_by_role("button", name="Learn for 30 s").click()
    expect(page.get_by_text("Hold the tags to a reader now")).to_be_visible()
    hold(site, BAY_8, LEARNT)
    row = page.locator(".tag-row", has_text=LEARNT)
    expect(row).to_contain_text("Added")
    expect(row).to_contain_text("Bay 8")
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("button", name="Learn for 30 s")).to_be_visible()


def _by_file(page: Page, tmp_path: Path) -> None:
    """A bad file changes nothing and names its lines; a good one comes out again as it is."""
    view(page, "Import")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": BAD.encode()})
    note = page.locator(".card .note.fault")
    expect(note).to_contain_text("3 lines cannot be read")
    for words in ("Line 2", "2 to 5 cells", "Line 3", "User, VIP, Admin", "line 1 already"):
        expect(note).to_contain_text(words)
    expect(page.get_by_role("button", name="Import it")).to_have_count(0)
    chooser.set_input_files({"name": "good.csv", "mimeType": "text/csv", "buffer": GOOD.encode()})
    expect(page.get_by_text("2 are new")).to_be_visible()
    page.get_by_role("button", name="Replace all").click()
    expect(page.get_by_text("3 are taken off the list")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Import it").click()
    expect(page.locator(".tag-row.titles")).to_contain_text("5 tags")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    file = tmp_path / "tags.csv"
    download.value.save_as(file)
    text = file.read_text()
    assert f'{ELLEN},"<img src=x onerror=""alert(1)""> =1+1",VIP,no,' in text
    assert "AA01,'=1+1,VIP,yes," in text
    assert f"{STRANGER},Graeme,User,yes," in text


def _found_and_deleted(page: Page) -> None:
    """By a part of the name, at an address of its own."""
    page.get_by_label("Find tag or name").fill("SMITH")
    expect(page.locator(".tag-row.titles")).to_contain_text("1 tag")
    assert page.url.endswith(f"{TAGS}?q=SMITH")
    page.reload()
    expect(page.get_by_label("Find tag or name")).to_have_value("SMITH")
    page.locator(".tag-row", has_text="Smith, Jo").get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".said")).to_contain_text("1 tag deleted")
    expect(page.locator(".tag-row.titles")).to_contain_text("0 tags")
    page.get_by_label("Find tag or name").fill("")
    expect(page.locator(".tag-row.titles")).to_contain_text("4 tags")


def _looks(visit: Callable[..., Visit]) -> None:
    """Every view is accessible and fits, in both themes; EV sees and changes nothing."""
    wrong: list[str] = []
    visitor = visit(reduced_motion="reduce")
    page = visitor.sign_in("Installer")
    for name in ("", "/rejected", "/learn", "/import", "?dialog"):
        visitor.open(f"{TAGS}{name}")
        expect(page.locator("main .card").first).to_be_visible()
        if name in {"", "?dialog"}:
            expect(page.locator(".tag-row")).to_have_count(5)
        if name == "?dialog":
            page.get_by_role("button", name="Add a tag").click()
        page.evaluate(AXE.read_text())
        for screen, theme in ((WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")):
            page.set_viewport_size(screen)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            expect(page.locator(f"html[data-theme={theme}]")).to_have_count(1)
            wrong += judge(page, f"{TAGS}{name} {theme}")
        page.set_viewport_size(SMALL)  # type: ignore[arg-type]
        wrong += judge_width(page)
    assert wrong == []
    page = visit(viewport=SMALL).sign_in("EV")
    page.goto(f"{page.url.split('/info')[0]}{TAGS}")
    expect(page.locator(".tag-row")).to_have_count(5)
    assert judge_width(page) == []
    for name in ("Add a tag", "Edit", "Clear the list"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("link", name="Import")).to_have_count(0)
    expect(page.get_by_role("switch")).to_have_count(0)


def judge_width(page: Page) -> list[str]:
    wide, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return [f"{wide} px wide on {there} px"] if wide > there else []


def _cleared(api: Client, page: Page) -> None:
    """Asked about first."""
    page.get_by_role("button", name="Clear the list").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("4 tags are deleted")
    dialog.get_by_role("button", name="Cancel").click()
    assert api.get("tags")["total"] == 4
    page.get_by_role("button", name="Clear the list").click()
    dialog.get_by_role("button", name="Clear the list").click()
    expect(page.get_by_text("No tag is listed")).to_be_visible()
    assert api.get("tags")["total"] == 0
