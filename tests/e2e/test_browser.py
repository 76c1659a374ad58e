"""The pages in a real browser, on a live site (web.md, Acceptance criteria)."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from tests.e2e.box import PASSWORDS, Box, Client, box_in, until, world_settings
from tests.e2e.screen import AXE, PHONE, WIDE, judge

pytestmark = pytest.mark.realtime

BUILDING_MA = [30_000, 26_000, 20_000]
STEP_MA = 25_000
CONNECTORS = 9  # eight chargers, one with two
SESSIONS = (
    {"do": "plug", "charger": "TACW2243320T0723", "phases": 3},
    {"do": "plug", "charger": "ACE0217744", "connector": 1, "phases": 3},
    {"do": "plug", "charger": "ACE0217744", "connector": 2, "phases": 1},
    {"do": "plug", "charger": "GRS-32-004412", "phases": 1, "soc": 0.9},
)
GREEN = ".head-chips .chip.ok"  # the LED, no problems, live
FREE = "WB-118274"  # Bay 4: nobody has plugged in there
INSTALLERS = [
    "Info", "Chargers", "Transactions", "Alerts", "Configuration", "Balancing", "Commissioning",
    "Network", "Payment", "Building Management", "Security", "API", "Admin", "Debug", "Account",
]  # fmt: skip
PAGES = (
    "/info", "/chargers", f"/chargers/{FREE}", "/configuration/site", "/configuration/meter",
    "/configuration/balancing", "/configuration/schedule", "/configuration/groups",
    "/configuration/csms", "/configuration/files", "/transactions/days", "/debug/ocpp",
    "/debug/log", "/account",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The simulated site, live: four cars charge, others come when a test says so."""
    with box_in(tmp_path_factory.mktemp("browser")) as box:
        box.import_settings(world_settings())
        box.comes_alive(SESSIONS, BUILDING_MA)
        yield box


# -- signing in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "pages"),
    [
        ("EV", ["Info", "Transactions", "Alerts", "Security", "Account"]),
        ("Installer", INSTALLERS),
        ("Assembler", [*INSTALLERS[:-1], "Proxy", "Assembler", "Account"]),
    ],
)  # fmt: skip
def test_u19_each_level_sees_its_own_pages(visit, account: str, pages: list[str]):
    visitor = visit(forgiven=("403",))
    page = visitor.sign_in(account)
    shown = page.get_by_role("navigation", name="Pages").first.get_by_role("link")
    assert [text.strip() for text in shown.all_inner_texts()] == pages
    expect(page.locator(".who")).to_contain_text(account)
    for path in ("/configuration/site", "/chargers"):
        visitor.open(path)
        refused = page.get_by_text("Your level does not open this page")
        expect(refused if account == "EV" else page.get_by_role("heading", level=1)).to_be_visible()
        assert refused.count() == (account == "EV")


def test_a_wrong_password_is_told_at_its_field_and_the_right_one_opens(visit):
    visitor = visit(forgiven=("401",))
    page = visitor.open("/")
    page.get_by_role("radio", name="Installer").check()
    page.get_by_label("Password", exact=True).fill("surely not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".field-error")).to_contain_text("not right for Installer")
    visitor.sign_in("Installer")
    page.get_by_role("link", name="Account").first.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


# -- Info ------------------------------------------------------------------------------------------


def test_info_is_live_and_every_connector_says_why(visit, api: Client):
    page = visit().sign_in("EV")
    expect(page.locator(".live-chip")).to_have_text("Live")
    expect(page.locator(".led")).to_contain_text("Running")
    expect(page.get_by_text("No problems")).to_be_visible()
    for group in ("North row", "South row"):
        expect(page.get_by_role("heading", name=group)).to_be_visible()
    whys = page.locator(".tile .why").all_inner_texts()
    assert len(whys) == CONNECTORS
    assert all(re.search(r"\d A", why) for why in whys), whys
    energy = api.get("site")["energy_today_wh"]
    shown = page.locator(".figure-card", has_text="Energy today").locator(".figure-value")
    assert abs(float(shown.inner_text().split()[0]) * 1000 - energy) <= 300


def amps_of(words: str) -> list[float]:
    """`3 × 7.3 A`, `L2 32 A` or `0 A` as amps of L1, L2 and L3."""
    if found := re.fullmatch(r"3 × ([\d.]+) A", words):
        return [float(found[1])] * 3
    told = dict(re.findall(r"(L[123]) ([\d.]+) A", words))
    return [float(told.get(name, 0)) for name in ("L1", "L2", "L3")]


@pytest.mark.parametrize("bay", ["Bay 1", "Bay 4", "Bay 8"])
def test_u16_the_smallest_ceiling_of_the_panel_equals_the_offer(visit, bay: str):
    visitor = visit()
    page = visitor.sign_in("EV")
    visitor.tile(bay).locator(".why").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=bay)).to_be_visible()
    expect(dialog.locator("tr.binding")).to_have_count(1)
    offered, columns, rows = dialog.evaluate(
        """dialog => [
          [...dialog.querySelectorAll("dt")].find(dt => dt.textContent === "Offered")
            .nextElementSibling.textContent,
          [...dialog.querySelectorAll(".ceilings thead th.num")]
            .map(head => [...head.querySelectorAll(".phase")].map(tag => tag.textContent)),
          [...dialog.querySelectorAll(".ceilings tbody tr")]
            .map(row => [...row.querySelectorAll("td")].map(cell => cell.textContent)),
        ]"""
    )
    smallest = dict.fromkeys(("L1", "L2", "L3"), 0.0)
    for place, phases in enumerate(columns):
        least = min(float(row[place].removesuffix(" A").replace(",", "")) for row in rows)
        smallest |= dict.fromkeys(phases, least)
    assert list(smallest.values()) == amps_of(offered)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_every_offer_of_the_plan_is_its_smallest_ceiling(api: Client):
    for offer in api.get("plan")["offers"]:
        smallest = [min(ceiling["ma"][p] for ceiling in offer["ceilings"]) for p in range(3)]
        assert smallest == offer["offer_ma"], offer
        assert [c["binding"] for c in offer["ceilings"]].count(True) == 1, offer


def test_a_session_is_started_and_stopped_by_its_button(visit, site: Box, api: Client):
    visitor = visit()
    page = visitor.sign_in("EV")
    tile = visitor.tile("Bay 4")
    site.world.say({"do": "plug", "charger": FREE, "phases": 1})
    expect(tile.locator(".badge")).to_have_text("Plugged in")
    page.get_by_role("button", name="Start · Bay 4").click()
    expect(tile.locator(".steps li.done", has_text="Accepted by the charger")).to_be_visible()
    expect(tile.locator(".badge")).to_have_text("Charging")
    until(lambda: connector(api)["transaction_id"], 5, "there is a transaction")

    page.get_by_role("button", name="Stop · Bay 4").click()
    expect(tile.locator(".badge")).not_to_have_text("Charging")
    until(lambda: connector(api)["transaction_id"] is None, 5, "the transaction is over")
    site.world.say({"do": "unplug", "charger": FREE})
    expect(tile.locator(".badge")).to_have_text("Free")


def connector(api: Client) -> dict[str, Any]:
    found = next(charger for charger in api.get("chargers") if charger["id"] == FREE)
    return dict(found["connectors"][0])


def test_a_charger_is_given_high_priority_and_balanced_again(visit, api: Client):
    visitor = visit()
    page = visitor.sign_in("Installer")
    tile = visitor.tile("Bay 4")
    tile.get_by_label("Select Bay 4").check()
    page.get_by_role("button", name="High priority").click()
    expect(tile.locator(".high")).to_be_visible()
    until(lambda: priority(api) == "high", 5, "the settings say high")
    page.get_by_role("button", name="Balanced").click()
    expect(tile.locator(".high")).to_have_count(0)
    until(lambda: priority(api) == "normal", 5, "the settings say normal")


def priority(api: Client) -> str:
    chargers = api.get("settings")["chargers"]
    return str(next(charger["priority"] for charger in chargers if charger["id"] == FREE))


def test_u20_everything_stops_in_two_steps_and_goes_on_when_an_installer_allows(
    visit, api: Client
):
    page = visit().sign_in("EV")
    page.get_by_role("button", name="Stop all").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text(f"{len(SESSIONS)} sessions will end")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert api.get("site")["emergency_stop"] is False

    page.get_by_role("button", name="Stop all").click()
    dialog.get_by_role("button", name="Stop all now").click()
    bar = page.locator(".stopped-bar")
    expect(bar).to_contain_text("Charging is stopped by EV")
    assert bar.get_by_role("button").count() == 0
    expect(page.locator("a.chip.fault")).to_contain_text("1 problem")
    expect(page.locator(".problems")).to_have_count(0)  # the bar says it, once
    until(lambda: api.get("site")["sessions"] == 0, 20, "every session has ended")

    installer = visit().sign_in("Installer")
    starts_nothing(installer)
    installer.locator(".stopped-bar").get_by_role("button").click()
    installer.get_by_role("alertdialog").get_by_role("button", name="Allow charging").click()
    expect(installer.locator(".stopped-bar")).to_have_count(0)
    expect(bar).to_have_count(0)
    assert api.get("site")["emergency_stop"] is False


def starts_nothing(page: Page) -> None:
    """Start is off on a charger's page and in the panel behind it, and both say why."""
    page.get_by_role("link", name="Chargers").first.click()
    page.get_by_role("link", name="Bay 4").click()
    start = page.get_by_role("button", name="Start · Bay 4")
    expect(start).to_have_attribute("aria-disabled", "true")
    expect(start).to_have_attribute("title", re.compile("while all charging is stopped"))
    page.locator(".tile .why").click()
    panel = page.get_by_role("dialog").locator(".explain-acts")
    expect(panel.get_by_role("button", name="Start")).to_have_attribute("aria-disabled", "true")
    expect(panel).to_contain_text("Nothing starts while all charging is stopped")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    panel.get_by_label("Start with a tag").press("Enter")
    page.wait_for_timeout(200)
    assert not [url for url in asked if url.endswith("/start")]
    page.keyboard.press("Escape")


# -- Chargers and Configuration --------------------------------------------------------------------


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".said")).to_contain_text("Saved")
    expect(page.locator(".draft-bar")).to_have_count(0)


def max_ma(api: Client) -> int:
    found = next(c for c in api.get("settings")["chargers"] if c["id"] == FREE)
    return int(found["max_ma"])


def test_a_chargers_maximum_is_edited_checked_and_saved(visit, api: Client):
    visitor = visit(forgiven=("422",))
    page = visitor.sign_in("Installer")
    page.get_by_role("link", name="Chargers").first.click()
    page.get_by_role("link", name="Bay 4").click()
    most = page.get_by_label("Most it may draw")
    most.fill("20")
    save(page)
    assert max_ma(api) == 20_000

    page.get_by_label("Least it charges with").fill("25")  # above the maximum: the box says so
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_contain_text("above max")
    assert max_ma(api) == 20_000
    page.get_by_role("button", name="Undo all").click()
    most.fill("32")
    save(page)
    assert max_ma(api) == 32_000


def test_the_site_limit_is_changed_and_a_bad_one_is_told_at_its_field(visit, api: Client):
    visitor = visit()
    page = visitor.sign_in("Assembler")
    page.get_by_role("link", name="Configuration").first.click()
    limits = page.get_by_role("group", name="Site limit")
    field = limits.get_by_label("L2")
    for bad, words in (("-3", "At least 0 A"), ("9999", "At most 6,?300 A"), ("x", "A number")):
        field.fill(bad)
        expect(limits.locator(".field-error")).to_contain_text(re.compile(words))
        expect(field).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Save").click()  # goes to the field instead
    expect(field).to_be_focused()
    assert api.get("settings")["site"]["limit_ma"] == [100_000] * 3

    expect(page.locator(".total")).to_contain_text("69.0 kW")  # 3 x 100 A at 230 V
    field.fill("80")
    expect(limits.locator(".field-error")).to_have_count(0)
    expect(page.locator(".total")).to_contain_text("64.4 kW")
    save(page)
    assert api.get("settings")["site"]["limit_ma"] == [100_000, 80_000, 100_000]
    until(lambda: api.get("plan")["limit_ma"][1] == 80_000, 5, "the balancer reckons with it")
    field.fill("100")
    save(page)


def test_unsaved_changes_are_asked_about_before_they_are_left(visit, api: Client):
    visitor = visit()
    page = visitor.sign_in("Installer")
    visitor.open("/configuration/site")
    page.get_by_label("Name of the site").fill("Elsewhere")
    page.get_by_role("link", name="Info").first.click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Leave without saving?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Name of the site")).to_have_value("Elsewhere")
    page.get_by_role("button", name="Undo all").click()
    assert api.get("settings")["site"]["name"] == world_settings()["site"]["name"]


def test_what_is_typed_while_the_settings_come_once_more_stays(visit):
    visitor = visit()
    page = visitor.sign_in("Installer")
    visitor.open("/configuration/site")
    expect(page.get_by_label("Name of the site")).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/v1/settings", hold)
    page.get_by_role("link", name="Info").first.click()
    page.get_by_role("link", name="Configuration").first.click()
    page.get_by_role("link", name="Site", exact=True).click()
    page.get_by_label("Name of the site").fill("Elsewhere")
    assert held
    with page.expect_response("**/api/v1/settings") as answered:
        for route in held:
            route.continue_()
    answered.value.finished()
    page.unroute("**/api/v1/settings")
    page.evaluate("() => fetch('/api/v1/settings').then((one) => one.json())")  # it is taken in
    expect(page.get_by_label("Name of the site")).to_have_value("Elsewhere")
    page.get_by_role("button", name="Undo all").click()


def test_u10_the_meter_page_reads_live_and_a_step_is_on_the_screen_within_seconds(
    visit, site: Box
):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/meter")
    reading = page.locator(".reading")
    expect(reading.locator(".badge")).to_have_text("Healthy")
    expect(reading).to_contain_text("SDM630")
    for phase in ("L1", "L2", "L3"):
        expect(reading.get_by_role("row", name=phase)).to_contain_text("V")
    current = reading.get_by_role("row", name="L1").get_by_role("cell").first

    def shown_a() -> float:
        return float(current.inner_text().removesuffix(" A"))

    before = shown_a()
    site.world.say({"do": "building_hold", "ma": [BUILDING_MA[0] + STEP_MA, *BUILDING_MA[1:]]})
    # 1.5 s, after the second in which the meter is read
    until(lambda: shown_a() > before + STEP_MA / 2000, 3, "the step is shown")
    site.world.say({"do": "building_hold", "ma": BUILDING_MA})


# -- the keyboard alone ----------------------------------------------------------------------------

FOCUS = """e => {
  const seen = [e, e.closest("label"), e.nextElementSibling].filter(Boolean).map(getComputedStyle);
  return seen.some(s => s.outlineStyle !== "none" || s.boxShadow !== "none");
}"""


def reach(page: Page, target: Locator) -> None:
    """By Tab alone; wherever it stops on the way, that is to be seen."""
    expect(target).to_be_visible()
    for _each in range(120):
        page.keyboard.press("Tab")
        if target.evaluate("e => e === document.activeElement"):
            assert target.evaluate(FOCUS), "nobody sees where one is"
            return
    raise AssertionError("no Tab leads there")


def press(page: Page, target: Locator) -> None:
    reach(page, target)
    page.keyboard.press("Enter")


def by_keys(page: Page, account: str) -> None:
    """Signs in."""
    page.locator("input[type=radio]:checked").focus()
    for _each in range(3):
        if page.get_by_role("radio", name=account).is_checked():
            break
        page.keyboard.press("ArrowDown")
    reach(page, page.get_by_label("Password", exact=True))
    page.keyboard.type(PASSWORDS[account])
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).not_to_have_count(0)


def test_u5_from_sign_in_to_sign_out_with_the_keyboard_alone(visit, site: Box, api: Client):
    visitor = visit()
    page = visitor.open("/")
    by_keys(page, "Installer")
    visitor.open("/info")
    expect(page.locator(".tile")).not_to_have_count(0)
    page.keyboard.press("Tab")
    assert "Skip" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('main, main *')")

    why = visitor.tile("Bay 1").locator(".why")
    press(page, why)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _each in range(12):
        page.keyboard.press("Tab")  # the browser's own bar is in the round: then it is the body
        assert page.evaluate("!!document.activeElement.closest('dialog, [role=dialog]')"
                             " || document.activeElement === document.body")  # fmt: skip
    page.keyboard.press("Escape")
    expect(why).to_be_focused()

    site.world.say({"do": "plug", "charger": FREE, "phases": 1})
    expect(visitor.tile("Bay 4").locator(".badge")).to_have_text("Plugged in")
    press(page, page.get_by_role("button", name="Start · Bay 4"))
    expect(visitor.tile("Bay 4").locator(".badge")).to_have_text("Charging")
    stop = page.get_by_role("button", name="Stop · Bay 4")
    stop.focus()  # it stands where Start stood
    page.keyboard.press("Enter")
    until(lambda: connector(api)["transaction_id"] is None, 10, "the transaction is over")
    site.world.say({"do": "unplug", "charger": FREE})

    visitor.open(f"/chargers/{FREE}")
    reach(page, page.get_by_label("Most it may draw"))
    page.keyboard.press("Control+a")
    page.keyboard.type("24")
    press(page, page.get_by_role("button", name="Save"))
    until(lambda: max_ma(api) == 24_000, 5, "it is saved")
    visitor.open("/transactions/sessions?range=all")
    with page.expect_download() as taken:
        press(page, page.get_by_role("link", name="CSV"))
    assert taken.value.suggested_filename.endswith(".csv")

    visitor.open("/account")
    press(page, page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


# -- looks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_u1_u3_every_page_is_accessible_and_fits(visit, theme: str, screen: dict[str, int]):
    axe = AXE.read_text()
    visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
    page = visitor.open("/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.evaluate(axe)
    wrong = judge(page, "sign in")
    visitor.sign_in("Assembler")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    for path in PAGES:
        visitor.open(path)
        expect(page.get_by_role("heading", level=1)).to_be_attached()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        expect(page.get_by_text("Loading the settings")).to_have_count(0)
        page.evaluate(axe)
        wrong += judge(page, path)
        if path == "/info":
            visitor.tile("Bay 1").locator(".why").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            wrong += judge(page, "why panel")
    assert wrong == []


def test_u2_the_judge_sees_a_label_that_is_gone_and_a_colour_that_is_too_weak(visit):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/site")
    expect(page.get_by_label("Name of the site")).to_be_visible()
    page.evaluate(AXE.read_text())
    assert judge(page, "before") == []
    page.evaluate(
        """() => {
          document.querySelector("main .field > label").remove();
          document.querySelector("main .help").style.color = "#ccc";
          document.querySelector("main").style.width = "3000px";
        }"""
    )
    found = "\n".join(judge(page, "after"))
    assert all(word in found for word in ("label:", "color-contrast:", "px wide")), found


# -- when something dies ---------------------------------------------------------------------------


def test_u11_control_killed_shows_a_banner_and_is_live_again_without_a_reload(visit, site: Box):
    visitor = visit(forgiven=("503",))
    page = visitor.sign_in("EV")
    page.evaluate("window.stayed = true")
    banner = page.locator(".away-bar")
    expect(page.locator(GREEN)).to_have_count(3)
    site.control.kill()
    killed = time.monotonic()
    expect(banner).to_contain_text("LinkRay’s control does not answer")
    assert time.monotonic() - killed <= 2.5  # 2 s of web.md, and the look's own time
    expect(page.locator(GREEN)).to_have_count(0)  # nobody knows how it stands
    expect(page.locator(".head-chips")).to_contain_text("Problems not known")
    expect(page.locator(".live.grey")).to_be_visible()
    assert time.monotonic() - killed <= 12.0
    expect(page.locator(".tile .button").first).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("button", name="Stop all")).to_be_enabled()

    site.start_control()
    back = time.monotonic()
    expect(banner).to_have_count(0)
    expect(page.locator(".live-chip")).to_have_text("Live")
    assert time.monotonic() - back <= 5.5
    assert page.evaluate("window.stayed") is True
    expect(page.locator(".tile.offline")).to_have_count(0, timeout=40_000)


def test_u11_control_that_hangs_is_told_like_one_that_is_gone(visit, site: Box, api: Client):
    """Its line stands, and says nothing more: what it said last is no news of now."""
    visitor = visit(forgiven=("503", "504"))
    page = visitor.sign_in("EV")
    expect(page.locator(GREEN)).to_have_count(3)
    os.kill(site.control.popen.pid, signal.SIGSTOP)
    try:
        hung = time.monotonic()
        expect(page.locator(".live-chip")).not_to_have_text("Live")
        assert time.monotonic() - hung <= 5.0
        expect(page.locator(".away-bar")).to_contain_text("LinkRay’s control does not answer")
        expect(page.locator(GREEN)).to_have_count(0)
        assert time.monotonic() - hung <= 8.0
        assert api.ask("GET", "/api/v1/site").status in (503, 504)
    finally:
        os.kill(site.control.popen.pid, signal.SIGCONT)
    expect(page.locator(".live-chip")).to_have_text("Live")
    expect(page.locator(GREEN)).to_have_count(3)


def test_u11_faces_killed_shows_a_banner_and_asks_for_the_password_without_a_reload(
    visit, site: Box
):
    """No session survives the process that knew it (trust.md A7)."""
    visitor = visit(forgiven=("ERR_", "401", "Failed to load resource"))
    page = visitor.sign_in("EV")
    page.evaluate("window.stayed = true")
    site.web.kill()
    killed = time.monotonic()
    expect(page.locator(".away-bar")).to_contain_text("No connection to LinkRay")
    assert time.monotonic() - killed <= 2.5
    site.start_web()
    back = time.monotonic()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    assert time.monotonic() - back <= 5.5
    page.get_by_label("Password", exact=True).fill(PASSWORDS["EV"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".live-chip")).to_have_text("Live")
    assert page.evaluate("window.stayed") is True
