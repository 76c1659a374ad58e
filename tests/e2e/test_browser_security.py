"""Security and API in a real browser: the password again, a second factor, keys, the audit log."""

from __future__ import annotations

import base64
import csv
import hmac
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.box import PASSWORDS, Box, Client, box_in
from tests.e2e.screen import AXE, WIDE, judge

pytestmark = pytest.mark.realtime

SETTINGS = {
    "version": 1,
    "site": {"name": "Mill Lane", "limit_ma": [63_000, 63_000, 63_000]},
    "chargers": [{"id": "M1", "name": "Bay 1"}],
}
HOSTILE = '=1+1 <img src=x onerror="alert(1)">'
VIEWS = {  # pages, and what is there once they are complete
    "/security/accounts": ".people > li", "/security/audit": ".audit-lines > li",
    "/apikeys/keys": ".key-facts", "/apikeys/reference?find=session": ".routes > li",
    "/apikeys/try?path=/api/v1/site": "main form",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A commissioned box without a world: nobody charges, everybody may sign in."""
    with box_in(tmp_path_factory.mktemp("security")) as box:
        box.import_settings(SETTINGS)
        box.set_passwords()
        box.do("key", "--scope", "read", "--expires", "1d", "--name", HOSTILE)
        box.start_control()
        box.start_web()
        yield box


def card(page: Page, title: str) -> Locator:
    return page.locator("main .card", has=page.get_by_role("heading", name=title, exact=True))


def code(secret: str, steps: int = 0) -> str:
    """What a phone shows now, or whose clock is a step ahead: RFC 6238 by the letter."""
    step = int(time.time()) // 30 + steps
    mac = hmac.digest(base64.b32decode(secret.replace(" ", "")), step.to_bytes(8, "big"), "sha1")
    place = mac[-1] & 15
    return f"{(int.from_bytes(mac[place : place + 4], 'big') & 0x7FFF_FFFF) % 1_000_000:06}"


def give_password(page: Page, account: str = "Assembler") -> None:
    """In the dialog that asks for it once more."""
    page.get_by_label(f"Password of {account}").fill(PASSWORDS[account])
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_label(f"Password of {account}")).to_have_count(0)


def test_u5_a_second_factor_is_set_up_and_used_with_the_keyboard_alone(visit, site: Box):
    visitor = visit(forgiven=("401", "403", "422"))
    visitor.sign_in("EV")
    page = visitor.open("/security")
    press, write = page.keyboard.press, page.keyboard.type
    assert page.get_by_role("link", name="Audit").count() == 0

    begin = page.get_by_role("button", name="Set up")
    begin.focus()
    press("Enter")
    dialog = page.get_by_role("dialog", name="Your password, please")
    password = dialog.get_by_label("Password of EV")
    expect(password).to_be_focused()
    for _key in range(9):  # the focus stays within
        press("Tab")
        assert page.evaluate("document.activeElement.closest('dialog') !== null"
                             " || document.activeElement === document.body")  # fmt: skip
    press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("Nothing was changed: the password was not given.")).to_be_visible()
    expect(begin).to_be_focused()

    press("Enter")
    expect(password).to_be_focused()
    write("surely not this one")
    press("Enter")
    expect(dialog.locator(".field-error")).to_contain_text("not right for EV")
    password.focus()
    press("Control+a")
    write(PASSWORDS["EV"])
    press("Enter")
    expect(page.get_by_role("img", name="QR code of the secret")).to_be_visible()
    secret = card(page, "Second factor").locator(".secret").inner_text()
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    write("000000")
    press("Enter")
    expect(page.locator(".field-error")).to_contain_text("not the code of now")
    page.get_by_label("Code", exact=True).focus()
    press("Control+a")
    write(code(secret))
    press("Enter")
    expect(card(page, "Second factor").locator(".badge")).to_have_text("On")

    _signs_in_with_a_code(visit, secret)
    _the_assembler_turns_it_off(visit)
    expect(page.get_by_text("Your session has ended")).to_be_visible()


def _signs_in_with_a_code(visit, secret: str) -> None:
    page = visit(forgiven=("401",)).open("/")
    page.get_by_role("radio", name="EV").check()
    page.get_by_label("Password", exact=True).fill(PASSWORDS["EV"])
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    page.keyboard.type(code(secret, -1))  # one that was shown before the one that was used
    page.keyboard.press("Enter")
    expect(page.locator(".field-error")).to_contain_text("used already")
    page.get_by_label("Code", exact=True).focus()
    page.keyboard.type(code(secret, 1))
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).to_have_count(1)


def _the_assembler_turns_it_off(visit) -> None:
    visitor = visit(forgiven=("403",))
    visitor.sign_in("Assembler")
    page = visitor.open("/security")
    page.get_by_role("button", name="Second factor of EV off").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Turn off").click()
    give_password(page)
    expect(page.get_by_text("The second factor of EV is off.")).to_be_visible()


def test_u20_an_account_is_closed_and_sessions_are_ended_only_when_that_is_confirmed(
    visit, site: Box
):
    elsewhere = visit(forgiven=("401",)).sign_in("Installer")
    visitor = visit(forgiven=("403",))
    visitor.sign_in("Assembler")
    page = visitor.open("/security")
    dialog = page.get_by_role("alertdialog")
    close = page.get_by_role("button", name="Close Installer")
    close.click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="End the session of Installer").click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert set(site.client().get("session")["accounts_open"]) == set(PASSWORDS)

    page.get_by_role("button", name="End the session of Installer").click()
    dialog.get_by_role("button", name="End", exact=True).dblclick()
    give_password(page)
    expect(page.get_by_text("The session of Installer from 127.0.0.1 has ended.")).to_be_visible()
    expect(elsewhere.get_by_text("Your session has ended")).to_be_visible()
    close.click()
    dialog.get_by_role("button", name="Close Installer").click()
    expect(page.get_by_text("Installer is closed.")).to_be_visible()
    assert site.client().get("session")["accounts_open"] == ["EV", "Assembler"]
    _opened_again(page)
    assert set(site.client().get("session")["accounts_open"]) == set(PASSWORDS)


def _opened_again(page: Page) -> None:
    """A new password opens it; the two that are typed must be the same."""
    page.get_by_label("Whose").select_option("Installer")
    page.get_by_label("Your present password").fill(PASSWORDS["Assembler"])
    page.get_by_label("New password", exact=True).fill(PASSWORDS["Installer"])
    again = page.get_by_label("New password again")
    again.fill("another one")
    expect(page.locator(".field-error")).to_have_text("The two are not the same.")
    again.fill(PASSWORDS["Installer"])
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_text("All sessions of Installer have ended")).to_be_visible()


def test_a_key_is_told_once_works_and_is_switched_off(visit, site: Box):
    visitor = visit(forgiven=("403",))
    visitor.sign_in("Assembler")
    page = visitor.open("/apikeys")
    slot = card(page, "Read only")
    slot.get_by_role("button", name="Generate new key").click()
    page.get_by_label("Holds for").select_option(label="Another time")
    page.get_by_label("How long").fill("6h")
    page.get_by_role("button", name="Generate", exact=True).click()
    give_password(page)
    key = page.get_by_role("dialog").locator(".secret").first.inner_text()
    page.get_by_role("button", name="I have it").click()
    client = Client(site.ports["https"], site.state / "tls" / "self-made.pem", key=key)
    assert client.ask("GET", "/api/v1/site").status == 200
    assert key not in page.content()

    slot.get_by_role("switch").uncheck(force=True)
    expect(slot.locator(".badge")).to_have_text("Off")
    assert client.ask("GET", "/api/v1/site").status == 401
    slot.get_by_role("switch").check(force=True)
    expect(slot.locator(".badge")).to_have_text("On")
    assert client.ask("GET", "/api/v1/site").status == 200
    slot.get_by_role("button", name="Remove").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(slot).to_contain_text("There is none.")
    assert client.ask("GET", "/api/v1/site").status == 401


def test_an_installer_reads_the_keys_and_tries_the_api_out(visit, site: Box):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/apikeys")
    expect(card(page, "Named keys")).to_contain_text(HOSTILE)
    assert page.locator("main").get_by_role("button").count() == 0
    assert page.locator("main").get_by_role("switch").count() == 0
    page.get_by_role("link", name="Reference").click()
    page.get_by_label("Find a route").fill("api/v1/ceiling")
    expect(page).to_have_url(f"{visitor.base}/apikeys/reference?find=api%2Fv1%2Fceiling")
    page.locator(".routes summary", has_text="GET").click()
    expect(page.locator(".route-more")).to_contain_text("site_limit_ma")
    page.locator(".route-more").get_by_role("link", name="Try it").click()
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("pre.answer")).to_contain_text('"site_limit_ma"')
    expect(page).to_have_url(f"{visitor.base}/apikeys/try?path=%2Fapi%2Fv1%2Fceiling")


def test_the_audit_log_is_searched_checked_and_taken_along(visit, site: Box, tmp_path: Path):
    visitor = visit()
    visitor.sign_in("Assembler")
    page = visitor.open("/security/audit")
    lines = page.locator(".audit-lines > li")
    expect(lines.first).to_contain_text("signed in")
    page.get_by_label("What", exact=True).fill("api key")
    page.get_by_label("Who", exact=True).fill("command")
    page.keyboard.press("Enter")
    expect(lines).to_have_count(1)
    expect(page).to_have_url(f"{visitor.base}/security/audit?who=command&what=api+key")
    expect(lines.first).to_contain_text(HOSTILE)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download these lines as CSV").click()
    file = tmp_path / "audit.csv"
    download.value.save_as(file)
    (row,) = csv.DictReader(io.StringIO(file.read_text(), newline=""))
    assert HOSTILE in row["what"]
    page.get_by_label("To", exact=True).fill("2020-01-01")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No line fits.")).to_be_visible()
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_text("every line is as it was written")).to_be_visible()


@pytest.mark.parametrize(("screen", "theme"), [
    (WIDE, "dark"), ({"width": 320, "height": 640}, "light"),
])  # fmt: skip
def test_u1_u3_security_and_api_are_accessible_and_fit(visit, screen: Any, theme: str):
    axe = AXE.read_text()
    visitor = visit(forgiven=("403",), color_scheme=theme, viewport=screen,
                    reduced_motion="reduce")  # fmt: skip
    page = visitor.sign_in("Assembler")
    wrong: list[str] = []
    for path, there in VIEWS.items():
        visitor.open(path)
        expect(page.locator(there).first).to_be_visible()
        page.evaluate(axe)
        wrong += judge(page, path)
        if path == "/security/accounts":
            page.get_by_role("button", name="Set up").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            wrong += judge(page, "the password again")
            give_password(page)
            expect(page.locator(".qr")).to_be_visible()
            wrong += judge(page, "the second factor")
        if path == "/apikeys/keys":
            page.get_by_role("button", name="New named key").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            wrong += judge(page, "a new key")
    assert wrong == []
