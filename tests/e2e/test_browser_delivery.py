"""Delivery as an installer sets it up, to a server that does not always do its part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from playwright.sync_api import Page, expect
from tests.e2e.box import Box, Client, box_in, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge, save
from tests.kept import keep_sessions
from tools.world.inboxes import Folder, Inbox

from linkray.kit.clock import stamp

pytestmark = pytest.mark.realtime

PAGE = "/transactions/delivery"
NARROW = {"width": 320, "height": 640}
COUNT = 12
HOSTILE = "<img src=x onerror=alert(1)>"
SECRET = "delivery-canary-7"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A site with a dozen sessions that nobody has billed yet."""
    began = datetime.now(UTC) - timedelta(days=COUNT)
    rows = [{
        "id": number, "charger": "WB-118274", "tag": "=04A1B2", "friendly_name": HOSTILE,
        "started": stamp(began + timedelta(days=number - 1)),
        "ended": stamp(began + timedelta(days=number - 1, hours=1)), "finished": 1,
        "meter_last_wh": 1_000 + number * 137, "authorised_by": "whitelist",
        "csms_id": 607_000 + number,
    } for number in range(1, COUNT + 1)]  # fmt: skip
    with box_in(tmp_path_factory.mktemp("delivery")) as box:
        box.import_settings(world_settings())
        box.set_passwords()
        box.writer = box.key("write")
        keep_sessions(box.state, *rows, samples=[])
        box.start_control()
        box.start_web()
        yield box


@pytest.fixture(scope="module")
def folder() -> Iterator[Folder]:
    """An FTP server in a thread of its own."""
    server, stop = Folder(login=("box", SECRET)), trio.Event()
    ready, token = threading.Event(), []

    async def serve(server: Inbox) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            token.append(trio.lowlevel.current_trio_token())
            ready.set()
            await stop.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve, server))
    thread.start()
    assert ready.wait(10)
    yield server
    token[0].run_sync_soon(stop.set)
    thread.join(10)


def test_an_installer_has_records_sent_and_sees_what_becomes_of_them(
    site: Box, api: Client, folder: Folder, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    visitor = visit(forgiven=("422",))
    page = visitor.sign_in("Installer")
    page.on("dialog", lambda _dialog: pytest.fail("a name was run"))
    visitor.open(PAGE)
    expect(page.get_by_text("Only by hand")).to_be_visible()
    expect(page.get_by_text(f"{COUNT} sessions")).to_be_visible()
    _set_up(page, folder)
    _tested(page, folder)
    _hung_up_on_and_sent(page, folder)
    assert SECRET not in page.content()
    assert SECRET not in site.do("settings", "export", "-")
    view = api.get("delivery")
    assert [(one["state"], one["sessions"]) for one in view["sendings"]] == [("sent", COUNT)]
    _looks(page, tmp_path)
    viewer = visit(viewport=NARROW).sign_in("EV")
    viewer.goto(f"{viewer.url.split('/info')[0]}{PAGE}")
    expect(viewer.get_by_text("Sent so far")).to_be_visible()
    expect(viewer.locator("main input, main select, main button.primary")).to_have_count(0)
    assert judge_width(viewer) == []


def _set_up(page: Page, folder: Folder) -> None:
    page.get_by_label("By", exact=True).select_option("ftp")
    page.get_by_label("How often").select_option("weekly")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Expected a server, got none").first).to_be_visible()
    page.get_by_label("Server", exact=True).fill("127.0.0.1")
    page.get_by_label("Security").select_option("none")
    page.get_by_label("Port").fill(str(folder.port))
    page.get_by_label("User name").fill("box")
    page.get_by_text("Send the password without TLS").click()
    page.get_by_label("Path").fill("bills")
    save(page)
    expect(page.locator("dd", has_text="Weekly")).to_be_visible()
    page.get_by_label("New password").fill(SECRET)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("This server has a password.")).to_be_visible()


def _tested(page: Page, folder: Folder) -> None:
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".note", has_text="Taken")).to_be_visible()
    (name,) = folder.files
    assert folder.files.pop(name).decode().startswith("Charge number,")
    assert folder.at == "bills"


def _hung_up_on_and_sent(page: Page, folder: Folder) -> None:
    folder.habit = "loses_answer"
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("Tried again")).to_be_visible()
    expect(page.get_by_text("The server closed the connection in the middle")).to_be_visible()
    expect(page.get_by_text("1 file · again")).to_be_visible()
    folder.habit = "takes"
    page.get_by_role("button", name="Send now").click()
    expect(page.locator(".badge").get_by_text("Sent", exact=True)).to_be_visible()
    (file,) = folder.files.values()
    lines = file.decode().splitlines()
    assert len(lines) == COUNT + 1
    assert lines[1].split(",")[3:5] == ["607001", "'=04A1B2"]
    assert folder.taken[-1] == folder.taken[-2], "the same name, twice"


def _looks(page: Page, folder: Path) -> None:
    wrong: list[str] = []
    page.reload()
    expect(page.locator(".dlv-list li")).to_have_count(1)
    page.evaluate(AXE.read_text())
    for screen, theme in ((WIDE, "light"), (PHONE, "dark"), (WIDE, "dark"), (PHONE, "light")):
        page.set_viewport_size(screen)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        expect(page.locator(f"html[data-theme={theme}]")).to_have_count(1)
        page.screenshot(path=folder / f"{theme}-{screen['width']}.png", full_page=True)
        if (screen, theme) in ((WIDE, "light"), (PHONE, "dark")):
            wrong += judge(page, f"{PAGE} {theme}")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    wrong += judge_width(page)
    assert wrong == []


def judge_width(page: Page) -> list[str]:
    wide, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return [f"{wide} px wide on {there} px"] if wide > there else []
