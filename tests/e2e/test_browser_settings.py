"""The pages on what is set and found out, in a real browser: schedule, passport, files, ceiling."""

from __future__ import annotations

import json
import re
import zipfile
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.box import ROOT, Box, Client, until
from tests.e2e.crowded import DAYS, patch
from tests.e2e.screen import AXE, PHONE, SLOW_MS, WIDE, Visit, judge, save

from linkray.upkeep.bundle import RECORDING

pytestmark = pytest.mark.realtime

STATIC = ROOT / "firmware/linkray/faces/web/static"


# -- schedule --------------------------------------------------------------------------------------


def test_a_week_is_edited_with_the_keyboard_alone_and_kept_as_the_box_reads_it(visit, api: Client):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/schedule")
    expect(page.get_by_text("In the time zone of the site, Europe/London.")).to_be_visible()
    press, write = page.keyboard.press, page.keyboard.type

    page.get_by_role("button", name="Add a time on Tuesday").focus()
    press("Enter")
    page.get_by_label("From").focus()
    press("Control+a")
    write("22")
    press("Tab")
    press("Control+a")
    write("5:30")
    expect(page.get_by_role("dialog")).to_contain_text("until 05:30 on the next day")
    press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Add a time on Tuesday")).to_be_focused()
    save(page)
    assert by_day(api) == {"Tue": [("22:00", "23:59")], "Wed": [("00:00", "05:30")]}
    tuesday = page.get_by_role("region", name="Tuesday")
    expect(tuesday.get_by_role("button", name="22:00 – midnight")).to_be_visible()

    tuesday.get_by_role("button", name="Copy Tuesday").click()
    page.get_by_role("button", name="Weekend").click()
    page.get_by_role("button", name="Copy to 2 days").click()
    tuesday.get_by_role("button", name="22:00 – midnight").click()
    expect(page.get_by_role("checkbox", name="Saturday")).to_be_checked()  # they share it
    page.get_by_label("From").fill("21:15")
    page.get_by_role("button", name="Change", exact=True).click()
    save(page)
    late = [("21:15", "23:59")]
    assert by_day(api) == {
        "Tue": late, "Wed": [("00:00", "05:30")], "Sat": late, "Sun": late,
    }  # fmt: skip
    assert len(api.get("settings")["schedule"]) == 2

    for day in ("Tuesday", "Wednesday"):
        page.get_by_role("region", name=day).locator(".button").first.click()
        page.get_by_role("button", name="Remove").click()
    save(page)
    assert by_day(api) == {}


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_what_adds_to_a_day_and_copies_it_stays_on_its_first_line(
    visit, api: Client, screen: Any
):
    times = [{"days": ["Mon"], "start": f"{h:02}:00", "end": f"{h:02}:10"} for h in range(2, 24, 3)]
    patch(api, {"schedule": times})
    try:
        visitor = visit(viewport=screen)
        visitor.sign_in("Installer")
        page = visitor.open("/configuration/schedule")
        monday = page.get_by_role("region", name="Monday")
        expect(monday.get_by_role("button", name="23:00 – 23:10, Monday")).to_be_visible()
        name = monday.get_by_role("heading").bounding_box()
        assert name is not None
        middle = name["y"] + name["height"] / 2
        places = set()
        for label in ("Add a time on Monday", "Copy Monday to other days"):
            box = monday.get_by_role("button", name=label).bounding_box()
            assert box is not None
            assert box["y"] < middle < box["y"] + box["height"], (label, box, name)
            places.add(round(box["x"]))
        tuesday = page.get_by_role("region", name="Tuesday")
        below = tuesday.get_by_role("button", name="Add a time on Tuesday").bounding_box()
        assert below is not None
        assert round(below["x"]) in places  # one below the other, however many times a day has
    finally:
        patch(api, {"schedule": []})


def by_day(api: Client) -> dict[str, list[tuple[str, str]]]:
    held = api.get("settings")["schedule"]
    days = {d: [(e["start"], e["end"]) for e in held if d in e["days"]] for d in DAYS}
    return {day: times for day, times in days.items() if times}


def test_a_time_that_cannot_be_is_told_and_not_taken(visit, api: Client):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/schedule")
    page.get_by_role("button", name="Add a time", exact=True).click()
    dialog = page.get_by_role("dialog")
    for start, end, words in (("25", "6", "such as 06:30"), ("6", "6:00", "differ")):
        dialog.get_by_label("From").fill(start)
        dialog.get_by_label("To", exact=True).fill(end)
        dialog.get_by_role("button", name="Add a time").click()
        expect(dialog.locator(".field-error")).to_contain_text(words)
    dialog.get_by_label("From").fill("6")
    dialog.get_by_role("button", name="To midnight").click()
    expect(dialog.get_by_label("To", exact=True)).to_have_value("24:00")
    dialog.get_by_role("checkbox", name="Monday").uncheck()
    expect(dialog.locator(".field-error")).to_contain_text("one day")
    page.keyboard.press("Escape")
    assert by_day(api) == {}


def test_what_holds_now_and_the_next_change_are_told_and_pause_the_site(visit, api: Client):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/schedule")
    note = page.locator("main .note").first
    expect(note).to_contain_text("The schedule allows charging now")
    now = datetime.now(UTC).astimezone(ZoneInfo("Europe/London"))
    today = DAYS[now.weekday()]
    patch(api, {"schedule": [{"days": [today], "start": "00:00", "end": "23:59"}]})
    expect(note).to_contain_text("A time without charging runs now")
    tomorrow = DAYS[(now.weekday() + 1) % 7]
    expect(note).to_contain_text(re.compile(f"Until {tomorrow}[a-z]*, 00:00, for "))
    until(lambda: all(not any(o["offer_ma"]) for o in api.get("plan")["offers"]), 10, "all pause")
    visitor.open("/info")
    expect(visitor.tile("Bay 8").locator(".why")).to_contain_text("a time without charging, for")
    patch(api, {"schedule": []})


# -- passport --------------------------------------------------------------------------------------


def test_a_chargers_passport_shows_quirk_why_and_findings_and_is_exported(visit, api: Client):
    told = api.get("chargers/TACW2243320T0723/passport")
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/chargers/TACW2243320T0723")
    card = page.locator(".found")
    expect(card).to_contain_text(told["quirk"])
    expect(card).to_contain_text(told["why"].split(": ", 1)[-1])
    expect(card).to_contain_text("Stack level 1 below the highest that it reports")
    expect(card).to_contain_text("as known of this make")
    expect(card).not_to_contain_text("stack_level")
    for place in told["seen"]:
        expect(card.locator(".sources")).to_contain_text(place.removeprefix("https://"))
    expect(card.locator(".sources a").first).to_have_attribute("href", re.compile("^https://"))
    expect(card).to_contain_text("Profile writes today")
    until(lambda: api.get("chargers/TACW2243320T0723/passport")["passport"]["findings"], 60,
          "something was found out")  # fmt: skip
    expect(card.locator(".found-list li").first).to_be_visible()
    with page.expect_download() as download:
        card.get_by_role("link", name="Export").click()
    exported = json.loads(download.value.path().read_text())
    assert exported["version"] == 1
    assert {"TAC-W22-T-R-C-0"} <= {one["model"] for one in exported["passports"]}


def test_a_chargers_page_shows_its_offer_and_opens_the_panel(visit, api: Client):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/chargers/ACE0217744")
    tiles = page.locator(".one-now .tile")
    expect(tiles).to_have_count(2)  # one for each connector
    tiles.last.locator(".why").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Bays 2 and 3 · Connector 2")).to_be_visible()
    expect(dialog.locator("tr.binding")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(tiles.last.locator(".why")).to_be_focused()


def test_passports_are_taken_over_from_a_file_and_a_bad_one_is_told(visit, api: Client):
    visitor = visit(forgiven=("422",))
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/files")
    pick = page.get_by_label("Choose a file of passports")
    exported = api.ask("GET", "/api/v1/passports/export")
    pick.set_input_files(
        {"name": "p.json", "mimeType": "application/json", "buffer": exported.body}
    )
    expect(page.locator(".said")).to_contain_text("The passports are taken over.")
    wrong = json.dumps({"version": 99, "passports": []}).encode()
    pick.set_input_files({"name": "w.json", "mimeType": "application/json", "buffer": wrong})
    expect(page.locator(".note.fault")).to_contain_text("w.json cannot be imported")
    pick.set_input_files({"name": "b.zip", "mimeType": "application/zip", "buffer": b"PK"})
    expect(page.locator(".note.fault")).to_contain_text("it is not a passport file")


def test_an_import_of_settings_tells_each_change_and_is_confirmed_before_it_is_done(
    visit, api: Client
):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/files")
    before = api.get("settings")
    wanted = json.loads(json.dumps(before))
    wanted["site"]["reduction_threshold_ma"] = 3_000
    gone = wanted["chargers"].pop()["id"]
    wanted["chargers"][0]["name"] = "Gate"

    def choose(settings: dict[str, Any]) -> None:
        page.get_by_label("Choose a settings file").set_input_files(
            {"name": "s.json", "mimeType": "application/json",
             "buffer": json.dumps(settings).encode()}
        )  # fmt: skip

    choose(before)
    expect(page.locator(".note.ok")).to_contain_text("It changes nothing.")
    choose(wanted)
    expect(page.locator(".note.ok")).to_contain_text("It changes 3 settings.")
    first, held = wanted["chargers"][0]["id"], before["site"]["reduction_threshold_ma"]
    expect(page.locator(".differences li")).to_have_text([
        f"site.reduction_threshold_ma {held} → 3000",
        f'chargers[{first}].name "{before["chargers"][0]["name"]}" → "Gate"',
        f"chargers[{gone}] is removed",
    ])
    assert api.get("settings") == before
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("It changes 3 settings.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert api.get("settings") == before

    choose(wanted | {"chargers": before["chargers"]})
    expect(page.locator(".differences li")).to_have_count(1)
    patch(api, {"site": {"margin_ma": before["site"]["margin_ma"] + 1_000}})
    expect(page.locator(".differences li")).to_have_count(2)  # somebody else's change is one too
    page.get_by_role("button", name="Import").click()
    dialog.get_by_role("button", name="Import").click()
    expect(page.locator(".said")).to_contain_text("The settings are imported.")
    assert api.get("settings")["site"]["reduction_threshold_ma"] == 3_000
    patch(api, {"site": {"reduction_threshold_ma": held}})


def test_the_support_bundle_is_one_click_away(visit):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/files")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the bundle").click()
    with zipfile.ZipFile(download.value.path()) as bundle:
        assert bundle.testzip() is None
        assert RECORDING in bundle.namelist()


def test_the_api_of_what_these_pages_show_is_described(api: Client):
    paths = api.get("openapi.json")["paths"]
    history = "/api/v1/chargers/{id}/connectors/{connector}/history"
    for path, method, media in (
        (history, "get", "application/json"),
        ("/api/v1/settings", "patch", "application/json"),
        ("/api/v1/chargers/{id}/passport", "get", "application/json"),
        ("/api/v1/passports/export", "get", "application/json"),
        ("/api/v1/passports/import", "post", "application/json"),
        ("/api/v1/ceiling", "get", "application/json"),
        ("/api/v1/ceiling", "put", "application/json"),
        ("/api/v1/support-bundle", "get", "application/zip"),
    ):
        assert "schema" in paths[path][method]["responses"]["200"]["content"][media], path
    schedule = api.get("settings/schema")["$defs"]["Settings"]["properties"]["schedule"]
    assert schedule["type"] == "array"


def test_u20_finding_out_anew_is_confirmed_first(visit):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/chargers/TACW2243320T0723")
    page.get_by_role("button", name="Find out anew").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Bay 1")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Find out anew").click()
    dialog.get_by_role("button", name="Find out anew").click()
    expect(page.locator(".said")).to_contain_text("next steady session")


STOPPED = """
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    const by = `${WHO} at ${shot.at}`;
    shot.site.emergency_stop = true;
    shot.site.emergency_stop_by = by;
    for (const offer of shot.plan.offers) offer.reason = {code: "emergency_stop", by};
    return shot;
  };
"""


@pytest.mark.parametrize(
    ("who", "words"),
    [("Installer", "Installer"), ("key:f5d178e6", "the API (key f5d178e6)"),
     ("modbus", "the building management")],
)  # fmt: skip
def test_who_stopped_all_is_named_in_words(visit, who: str, words: str):
    visitor = visit()
    visitor.page.add_init_script(STOPPED.replace("WHO", json.dumps(who)))
    page = visitor.sign_in("EV")
    expect(page.locator(".stopped-bar")).to_contain_text(f"Charging is stopped by {words} at ")
    why = visitor.tile("Bay 8").locator(".why")
    expect(why).to_contain_text(f"all charging is stopped by {words} at ")


# -- the sealed ceiling ----------------------------------------------------------------------------


def test_the_assembler_seals_the_ceiling_and_the_site_limit_stays_under_it(visit, api: Client):
    visitor = visit(forgiven=("422",))
    visitor.sign_in("Assembler")
    page = visitor.open("/configuration/site")
    card = page.locator(".ceiling-card")
    expect(card).to_contain_text("Not sealed yet")
    card.get_by_role("button", name="Seal the ceiling").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("heading", name="Commissioning check")).to_be_visible()
    assert dialog.locator(".findings li").count() > 0
    for phase in ("L1", "L2", "L3"):
        dialog.get_by_label(phase).fill("110")
    dialog.get_by_role("button", name="Seal 110 A on each phase").click()
    expect(card).to_contain_text("110 A on each phase")
    expect(card).to_contain_text("by Assembler")
    assert api.get("ceiling")["limit_ma"] == [110_000] * 3

    page.get_by_role("group", name="Site limit").get_by_label("L2").fill("120")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_contain_text("engineering ceiling")
    page.get_by_role("button", name="Undo all").click()
    assert api.get("settings")["site"]["limit_ma"] == [100_000] * 3

    visitor.open("/configuration/balancing")
    expect(page.locator(".phase-bar .mark.ceiling")).to_have_count(3)
    expect(page.get_by_role("img", name=re.compile("sealed ceiling 110 A")).first).to_be_visible()


def test_an_installer_sees_the_ceiling_and_cannot_seal_it(visit):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/site")
    card = page.locator(".ceiling-card")
    expect(card).to_contain_text("The Assembler seals it")
    expect(card.get_by_role("button")).to_have_count(0)


# -- figures that have stopped ---------------------------------------------------------------------


def test_figures_that_are_told_again_and_again_grow_old_all_the_same(visit, api: Client):
    told = json.dumps(api.get("snapshot"))
    visitor = visit()
    page = visitor.page
    lines: list[str] = []

    def again(route: Any) -> None:
        """The newest snapshot of a box whose control hangs, and the line ends."""
        lines.append(route.request.url)
        event = f"event: snapshot\ndata: {told}\n\n"
        route.fulfill(body=event, headers={"content-type": "text/event-stream"})

    page.route("**/api/v1/events", again)
    visitor.sign_in("Installer")
    expect(page.locator(".live.grey")).to_be_visible(timeout=2 * SLOW_MS)
    assert len(lines) > 1  # it has tried, and was told the same
    expect(page.locator(".away-bar")).to_contain_text("No connection to LinkRay")
    expect(page.locator(".tile .button").first).to_be_disabled()
    expect(page.get_by_role("button", name="Stop all")).to_be_enabled()
    page.unroute("**/api/v1/events")
    expect(page.locator(".live:not(.dim, .grey)")).to_be_visible(timeout=2 * SLOW_MS)


# -- looks and speed -------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_u1_u3_what_opens_over_the_pages_is_accessible_and_fits(visit, theme: str, screen: Any):
    axe = AXE.read_text()
    visitor = visit(color_scheme=theme, viewport=screen, reduced_motion="reduce")
    page = visitor.sign_in("Assembler")
    page.evaluate(axe)
    wrong: list[str] = []
    for bay in ("Bay 1", "Bay 8"):
        visitor.tile(bay).locator(".why").click()
        expect(page.locator(".changes li").first).to_be_visible()
        wrong += judge(page, f"why of {bay}")
        page.keyboard.press("Escape")
    visitor.open("/chargers/TACW2243320T0723")
    expect(page.locator(".quirk")).to_be_visible()
    page.evaluate(axe)
    wrong += judge(page, "passport")
    visitor.open("/configuration/site")
    page.evaluate(axe)
    page.get_by_role("button", name=re.compile("^Seal")).click()
    expect(page.locator(".findings").first).to_be_attached()  # where all is good, folded
    wrong += judge(page, "seal")
    page.keyboard.press("Escape")
    zone = page.get_by_label("Time zone")
    zone.fill("new york")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    wrong += judge(page, "zones")
    zone.press("ArrowDown")
    zone.press("Enter")
    expect(zone).to_have_value("America/New_York")
    page.get_by_role("button", name="Undo all").click()
    expect(zone).to_have_value("Europe/London")
    visitor.open("/configuration/schedule")
    page.evaluate(axe)
    for opens in ("Add a time on Monday", "Copy Monday"):
        page.get_by_role("button", name=opens).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        wrong += judge(page, opens)
        page.keyboard.press("Escape")
    assert wrong == []


def test_u6_the_scripts_are_small(site: Box):
    """Those of a first visit, with what draws the last 24 hours; and each page that comes later."""
    sizes = {path.name: path.stat().st_size for path in STATIC.glob("*.js.br")}
    assert sizes, "tools/pages builds them"
    named = (STATIC / "index.html").read_text()
    draws = ("graphs-", "uPlot")
    first = [
        n for name, n in sizes.items()
        if name.removesuffix(".br") in named or name.startswith(draws)
    ]  # fmt: skip
    assert sum(first) <= 90_000, sizes
    later = [n for name, n in sizes.items() if name.removesuffix(".br") not in named]
    assert max(later) <= 25_000, sizes


MANY = """
  // the same snapshot with 32 connectors, of which every tenth second each has news
  let tick = 0;
  window.ticks = 0;
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    window.ticks += 1;
    tick += 1;
    const [charger] = shot.chargers;
    const offer = shot.plan.offers.find(o => o.charger === charger.id);
    const all = [...Array(32).keys()];
    const amount = (n) => 6000 + ((n * 977 + Math.floor((tick + n) / 10) * 1313) % 26000);
    shot.chargers = all.map(n => ({...charger, id: `CP${n}`, name: `Bay ${n}`,
      connectors: [{...charger.connectors[0], drawn_ma: [amount(n), amount(n), amount(n)]}]}));
    shot.plan.offers = all.map(n => ({...offer, charger: `CP${n}`}));
    return shot;
  };
"""


TOUCHED = """
  // counts what the ticks change in the page
  () => {
    window.touched = {made: 0, changed: 0, shifted: 0, ticks: window.ticks};
    new PerformanceObserver(list => {
      for (const one of list.getEntries()) window.touched.shifted += one.value;
    }).observe({type: 'layout-shift'});
    new MutationObserver(records => {
      for (const {type, addedNodes} of records) {
        if (type === 'childList') window.touched.made += addedNodes.length;
        else window.touched.changed += 1;
      }
    }).observe(document.body,
               {childList: true, attributes: true, characterData: true, subtree: true});
  }
"""


@pytest.mark.parametrize("view", ["Tiles", "Table"])
def test_u9_a_live_tick_touches_what_has_news_and_makes_nothing_anew(visit, view: str):
    """What it costs is measured by `tools/bench tick`."""
    visitor = visit()
    visitor.page.add_init_script(MANY)
    page = shown_as(visitor, view)
    devtools = visitor.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    page.wait_for_timeout(2500)
    page.evaluate(TOUCHED)
    before = look(page, devtools)

    page.wait_for_timeout(8_000)

    after, touched = look(page, devtools), page.evaluate("window.touched")
    ticks = after["ticks"] - touched["ticks"]
    assert ticks >= 5
    assert touched["made"] <= ticks, touched
    assert touched["changed"] <= 60 * ticks, touched  # three or four connectors have news
    assert after["LayoutCount"] - before["LayoutCount"] <= 2 * ticks
    assert after["RecalcStyleCount"] - before["RecalcStyleCount"] <= 4 * ticks
    assert touched["shifted"] <= 0.02, touched  # U8
    assert after["Nodes"] - before["Nodes"] <= ticks  # none, but for a text or two
    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] <= 1_000_000


def shown_as(visitor: Visit, view: str) -> Page:
    """Info with its 32 connectors as tiles or as a table."""
    page = visitor.page
    page.add_init_script("localStorage.setItem('linkray.info.view', 'tiles')")
    visitor.sign_in("Installer")
    page.get_by_role("button", name=view).click()
    shown = ".tile" if view == "Tiles" else "table.dense tbody tr"
    expect(page.locator(shown)).to_have_count(32)
    return page


def look(page: Page, devtools: Any) -> dict[str, float]:
    devtools.send("HeapProfiler.collectGarbage")
    told = devtools.send("Performance.getMetrics")["metrics"]
    return {m["name"]: m["value"] for m in told} | {"ticks": page.evaluate("window.ticks")}
