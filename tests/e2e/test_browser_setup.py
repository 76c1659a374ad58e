"""The wizard in a real browser: from the language to the check, in its order or not (web.md)."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.e2e.box import Box, Client
from tests.e2e.screen import AXE, PHONE, WIDE, judge

pytestmark = pytest.mark.realtime

STEPS = ("language", "passwords", "network", "site", "circuits", "meter", "chargers", "access",
         "check")  # fmt: skip


@pytest.fixture(autouse=True)
def _begun_anew(api: Client):
    for step in STEPS:
        answer = api.ask("PUT", f"/api/v1/commissioning/{step}", {"done": False})
        assert answer.status == 200, answer.body


def test_the_wizard_is_walked_with_the_keyboard_and_goes_on_where_it_was_left(visit, api: Client):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/setup")
    expect(page.get_by_role("heading", name="Step 1: Language and zone")).to_be_visible()
    name = page.get_by_label("Name of the site")
    kept = name.input_value()
    name.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("Yard <b>9</b>")
    on = page.get_by_role("button", name="Save and go on")
    on.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Step 2: Passwords")).to_be_visible()
    assert api.get("settings")["site"]["name"] == "Yard <b>9</b>"
    expect(page.get_by_role("button", name="Leave out")).to_have_count(0)

    for number in (2, 3):
        expect(page.get_by_role("heading", name=f"Step {number}:")).to_be_visible()
        page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.get_by_role("heading", name="Step 4: Supply")).to_be_visible()
    visitor.open("/info")
    page = visitor.open("/setup")  # a day later
    expect(page.get_by_role("heading", name="Step 4: Supply")).to_be_visible()
    expect(page.get_by_role("link", name="1 Language and zone (ended)")).to_be_visible()
    assert api.get("commissioning")["ended"]["network"]["by"] == "Installer"

    visitor.open("/setup/language")
    page.get_by_label("Name of the site").fill(kept)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".draft-bar")).to_have_count(0)


def test_the_check_is_not_ended_before_the_supply_was_looked_at(visit):
    visitor = visit(forgiven=("409",))
    visitor.sign_in("Installer")
    page = visitor.open("/setup/check")
    page.get_by_role("button", name="End commissioning").click()
    expect(page.get_by_role("alert")).to_contain_text("passwords and site not yet ended")


def test_a_charger_is_told_the_address_that_this_box_really_has(visit, site: Box):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/setup/chargers")
    expect(page.locator(".addresses code")).to_have_count(2)
    addresses = page.locator(".addresses code").all_inner_texts()
    assert len(addresses) == 2
    assert addresses[1].startswith("ws://")
    assert addresses[1].endswith(f":{site.ports['ocpp']}")


@pytest.mark.parametrize(("screen", "theme"), [(WIDE, "light"), (PHONE, "dark")])
def test_u1_u3_every_step_of_the_wizard(visit, screen, theme):
    visitor = visit(viewport=screen, color_scheme=theme)
    visitor.sign_in("Assembler")
    wrong = []
    for step in STEPS:
        page = visitor.open(f"/setup/{step}")
        page.evaluate(AXE.read_text())
        expect(page.get_by_role("heading", level=2, name="Step ")).to_be_visible()
        wrong += judge(page, f"{step} {theme} {screen['width']}")
    assert wrong == []
