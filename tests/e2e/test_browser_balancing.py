"""The pages on balancing in a real browser: why, limits, turns, power flow, what is kept."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.box import Box, Client, until
from tests.e2e.crowded import BUILDING_MA, DAYS, patch
from tests.e2e.screen import PHONE, WIDE, save

from linkray.model.plan import Code

pytestmark = pytest.mark.realtime

LOST_S = 30.0  # long enough for a look at what is held for it
LOST = "ZAP049387"  # Bay 7, South row: its link is cut


def offers(api: Client) -> dict[tuple[str, int], dict[str, Any]]:
    return {(o["charger"], o["connector"]): o for o in api.get("plan")["offers"]}


def paused(api: Client) -> list[dict[str, Any]]:
    """Who waits for a turn, line by line, each in the order of the turns."""
    turns = [o for o in api.get("plan")["offers"] if o["reason"]["code"] == "turn"]
    return sorted(turns, key=lambda o: (o["reason"]["phase"], o["reason"]["place"]))


def name_of(api: Client, charger: str) -> str:
    return str(next(c["name"] for c in api.get("chargers") if c["id"] == charger))


# -- why -------------------------------------------------------------------------------------------


def test_the_panel_tells_what_was_requested_and_when_linkray_looks_again(visit, api: Client):
    until(lambda: paused(api), 30, "somebody is paused")
    waiting = paused(api)[0]
    visitor = visit()
    page = visitor.sign_in("EV")
    visitor.tile(name_of(api, waiting["charger"])).first.locator(".why").click()
    dialog = page.get_by_role("dialog")
    facts = dialog.locator(".amounts")
    requested = facts.locator("div", has_text="Requested").locator("dd")
    expect(requested).to_contain_text(f"{waiting['wanted_ma'] // 1000} A")
    expect(facts.locator("div", has_text="Offered").locator("dd")).to_have_text("0 A")
    look = dialog.locator(".next-look")
    expect(look).to_contain_text(re.compile(r"Next look in (about \d|less)"))
    expect(dialog.locator(".raise")).to_contain_text("Its turn")


def test_the_history_of_the_panel_is_the_apis_and_grows_with_the_next_change(
    visit, site: Box, api: Client
):
    key = ("GRS-32-004412", 1)  # alone on the South row: all the site leaves
    until(lambda: offers(api)[key]["offer_ma"][2] > 0, 30, "Bay 8 is offered current")
    visitor = visit()
    page = visitor.sign_in("EV")
    visitor.tile("Bay 8").locator(".why").click()
    changes = page.get_by_role("dialog").locator(".changes li")
    expect(changes.first).to_be_visible()
    site.world.say({"do": "building_hold", "ma": [20_000, 20_000, 88_000]})
    until(lambda: offers(api)[key]["offer_ma"][2] <= 14_000, 10, "the building takes the rest")
    expect(changes.first.locator(".change.down")).to_be_visible()
    told = api.get("chargers/GRS-32-004412/connectors/1/history")
    if (more := page.get_by_role("dialog").get_by_role("button", name="Show all")).count():
        more.click()
    words = [" ".join(text.split()) for text in changes.all_inner_texts()]
    expected = []
    for change in told[: len(words)]:
        old, new = change["from_ma"], max(change["to_ma"]) / 1000
        start = "" if old is None else f"{max(old) / 1000:g} A → "
        expected.append(f"{start}{new:g} A")
    for words_, step in zip(words, expected, strict=True):
        assert step in words_, (words, expected)
    site.world.say({"do": "building_hold", "ma": BUILDING_MA})


def test_u16_the_smallest_ceiling_of_every_panel_equals_its_offer(visit, api: Client):
    for offer in api.get("plan")["offers"]:
        [most] = [one["ma"] for one in offer["ceilings"] if one["code"] == "charger_max"]
        legs = [p for p in range(3) if most[p]]  # one current for all: the least of them counts
        least = min(one["ma"][p] for one in offer["ceilings"] for p in legs)
        assert least == max(offer["offer_ma"]), offer
    visitor = visit()
    page = visitor.sign_in("EV")
    for why in page.locator(".tile .why").all():
        why.click()
        dialog = page.get_by_role("dialog")
        expect(dialog.locator("tr.binding")).to_have_count(1)
        rows = [" ".join(text.split()) for text in dialog.locator("tbody tr").all_inner_texts()]
        assert len(set(rows)) == len(rows), rows  # nothing is told twice
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


EVERY_CAUSE = """
  // the same snapshot with one connector for each cause, of which no time is known but one
  const parse = JSON.parse;
  const codes = CODES;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    const [charger] = shot.chargers;
    const [offer] = shot.plan.offers;
    const [connector] = charger.connectors;
    const none = [0, 0, 0];
    shot.chargers = codes.map(code => ({...charger, id: `CP-${code}`, name: `Bay of ${code}`,
      group: null, connectors: [{...connector, id: 1}]}));
    shot.plan.offers = codes.map(code => ({...offer, charger: `CP-${code}`, connector: 1,
      offer_ma: none, reason: {code}, next_look_s: code === "raise_hold" ? 42 : null, ceilings: [
        {code: "charger_max", ma: [32000, 32000, 32000], binding: false},
        {code, ma: none, binding: true},
        {code: "site_limit", ma: [9000, 8000, 7000], binding: false, phase: "L3"},
      ]}));
    return shot;
  };
"""


def test_u16_whatever_binds_its_panel_tells_what_would_raise_it_and_when_it_can_change(visit):
    codes: tuple[str, ...] = get_args(Code)
    visitor = visit()
    page = visitor.page
    page.add_init_script("localStorage.setItem('linkray.info.view', 'tiles')")
    page.add_init_script(EVERY_CAUSE.replace("CODES", json.dumps(codes)))
    page.route("**/history", lambda route: route.fulfill(json=[]))
    visitor.sign_in("EV")
    expect(page.locator(".tile")).to_have_count(len(codes))
    looks: dict[str, str] = {}
    for code in codes:
        why = visitor.tile(f"Bay of {code}").first.locator(".why")
        assert code not in why.inner_text() or "_" not in code
        why.click()
        dialog = page.get_by_role("dialog")
        raised = " ".join(dialog.locator(".raise").inner_text().split())
        words, looks[code] = raised.split(" Next look ")
        assert re.fullmatch(r"What would raise it [A-Z][^{}\[\]_]+[.:“”\w ]*", words), words
        then = code not in ("charger_max", "emergency_stop", "schedule", "site_overloaded")
        assert ("“the site’s limit on L3” holds it" in words) == then, words
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
    assert looks.pop("raise_hold") == "in 42 s"
    assert set(looks.values()) == {"with the next meter value", "as soon as that happens"}
    assert looks["lower_priority"] == looks["building_load"] == "with the next meter value"
    assert looks["no_car"] == looks["emergency_stop"] == "as soon as that happens"


def test_who_yields_to_high_priority_is_told_what_would_raise_it_and_when(visit, api: Client):
    def prefer(priority: str) -> None:
        body = {"chargers": ["WB-118274"], "priority": priority}
        answer = api.ask("POST", "/api/v1/chargers/priority", body)
        assert answer.status == 200, answer.body

    def yielding() -> list[dict[str, Any]]:
        told = api.get("plan")["offers"]
        return [o for o in told if o["reason"]["code"] == "lower_priority"]

    prefer("high")
    try:
        until(yielding, 60, "somebody yields to high priority")
        visitor = visit()
        page = visitor.sign_in("EV")
        tile = page.locator(".tile", has_text="chargers with high priority come first").first
        tile.locator(".why").click()
        raised = page.get_by_role("dialog").locator(".raise")
        expect(raised).to_contain_text("Cars with high priority that take less or leave.")
        expect(raised.locator(".next-look")).to_contain_text(
            re.compile(r"Next look (in \d+|with the next meter value)")
        )
    finally:
        prefer("normal")
    until(lambda: not yielding(), 120, "nobody yields any more")


# -- limits ----------------------------------------------------------------------------------------


def headroom(node: dict[str, Any]) -> tuple[float, float, str]:
    """Used and free amps on the tightest phase of a limit, and which that is."""
    free = []
    for p, limit in enumerate(node["limit_ma"]):
        left = limit - max(0, node["building_ma"][p]) - node["drawn_ma"][p]
        kept = node["reserved_ma"][p] - node["drawn_reserve_ma"][p]
        free.append(left if left < 0 else max(0, left - kept))
    p = min((p for p in range(3) if node["limit_ma"][p]), key=free.__getitem__)
    return (node["building_ma"][p] + node["drawn_ma"][p]) / 1000, free[p] / 1000, f"L{p + 1}"


def node(api: Client, name: str) -> dict[str, Any]:
    return next(n for n in api.get("plan")["nodes"] if n["name"] == name)


def shows_headroom(place: Locator, api: Client, name: str) -> bool:
    """Whether a heading tells what the plan does, in one look at both."""
    words = place.text_content() or ""  # what is out of sight is not drawn, and has no inner text
    _used, free, phase = headroom(node(api, name))
    told = re.search(r"(-?[\d.]+) A (unused|over) on (L\d)", words)
    if told is None:
        return False
    amount = float(told[1]) * (1 if told[2] == "unused" else -1)
    return abs(amount - free) <= 0.6 and told[3] == phase


def test_group_headings_on_info_tell_used_limit_and_what_is_unused_on_the_tightest_phase(
    visit, api: Client
):
    page = visit().sign_in("EV")
    for name, limit in (("North row", "13 A"), ("South row", "63 A"), ("Yard", "90 A")):
        title = page.get_by_role("heading", name=re.compile(f"^{name}"))
        head = page.locator(".group-head", has=title)
        expect(head.locator(".group-words b")).to_contain_text(f"/ {limit}")
        until(lambda head=head, name=name: shows_headroom(head, api, name), 10,
              f"the heading of {name} is the plan's")  # fmt: skip
    order = page.locator(".group-head h3").all_text_contents()
    assert [text.split("fed")[0].strip() for text in order] == ["Yard", "North row", "South row"]


def test_the_balancing_view_shows_every_limit_nested_and_reserves_hatched(
    visit, site: Box, api: Client
):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/balancing")
    limits = page.locator(".limits-card")
    expect(limits.get_by_role("heading", level=3)).to_have_count(len(api.get("plan")["nodes"]))
    assert limits.locator(".limits > li > ul > li > ul > li").count() >= 2  # site, Yard, rows
    for phase in ("L1", "L2", "L3"):
        bar = page.get_by_role("img", name=re.compile(f"^{phase}: building"))
        expect(bar.first).to_be_visible()

    site.world.say({"do": "disconnect", "charger": LOST, "for_s": LOST_S})
    until(lambda: max(node(api, "South row")["reserved_ma"]) > 0, 60, "a reserve is held")
    south = limits.locator("li", has=page.get_by_role("heading", name="South row")).last
    expect(south.get_by_text(re.compile(r"A reserved"))).to_be_visible()
    hatched = south.locator(".rail-bar .part.reserved").first
    background = hatched.evaluate("e => getComputedStyle(e).backgroundImage")
    assert "repeating-linear-gradient" in background
    assert hatched.evaluate("e => e.getBoundingClientRect().width") > 1
    until(lambda: not any(node(api, "South row")["reserved_ma"]), 2 * LOST_S, "it is back")


def test_who_is_paused_is_listed_in_the_order_of_the_turns_and_told_on_the_tile(
    visit, api: Client
):
    until(lambda: paused(api), 30, "somebody is paused")
    visitor = visit()
    page = visitor.sign_in("Installer")

    def tells_its_turn() -> bool:
        """The tile of whoever is next, in one look at both."""
        first = paused(api)[0]
        wait, place = r"(about [\dhmin ]+|less than a minute)", first["reason"]["place"]
        nth = {1: "1st", 2: "2nd", 3: "3rd"}[place]
        words = visitor.tile(name_of(api, first["charger"])).first.locator(".why").inner_text()
        line = f"{first['reason']['phase']} of North row"
        told = f"paused: {nth} in line on {line}; its turn at the latest in {wait}"
        return re.search(told, words) is not None

    until(tells_its_turn, 20, "the tile tells when and at which place")
    visitor.open("/configuration/balancing")
    listed = page.locator(".waiting-list li")
    expect(listed.first).to_be_visible()

    def lists_the_turns() -> bool:
        names = [name_of(api, offer["charger"]) for offer in paused(api)]
        shown = [text.split("\n")[0].split(" · ")[0] for text in listed.all_inner_texts()]
        return bool(names) and shown[: len(names)] == names  # who has no turn yet comes last

    until(lists_the_turns, 20, "the list has the turns in their order")


TURN = """
  // Bay 8 waits for a turn, the tenth minute of which has begun; Bay 6 waits for its neighbour
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    shot.plan.stopped = shot.plan.held = null;
    for (const charger of shot.chargers)
      for (const one of charger.connectors) one.transaction_id = null;
    const waits = (name, reason, next) => {
      const charger = shot.chargers.find(one => one.name === name);
      Object.assign(charger, {connected: true});
      Object.assign(charger.connectors[0], {transaction_id: 5, offer_ma: [0, 0, 0]});
      const offer = shot.plan.offers.find(one => one.charger === charger.id);
      const most = offer.ceilings.find(one => one.code === "charger_max");
      Object.assign(offer, {offer_ma: [0, 0, 0], reason, next_look_s: next,
        ceilings: [{...most, binding: false},
          {...most, ...reason, ma: [0, 0, 0], binding: true}]});
    };
    const turn = {code: "turn", place: 1, phase: "L3", group: "South row", seconds: 541};
    waits("Bay 8", turn, 541);
    waits("Bay 6", {code: "site_limit", phase: "L1"}, null);
    return shot;
  };
"""


def test_a_turn_is_told_with_its_line_and_the_same_time_on_tile_panel_and_list(visit):
    visitor = visit()
    visitor.page.add_init_script(TURN)
    page = visitor.sign_in("Installer")
    words = "paused: 1st in line on L3 of South row; its turn at the latest in about 10 min"
    why = visitor.tile("Bay 8").locator(".why")
    expect(why).to_contain_text(words)
    why.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("tr.binding")).to_contain_text(words)
    expect(dialog.locator(".next-look")).to_contain_text("Next look in about 10 min")
    page.keyboard.press("Escape")
    visitor.open("/configuration/balancing")
    listed = page.locator(".waiting-list li", has_text="Bay 8")
    expect(listed).to_contain_text(words)
    expect(listed).to_contain_text("LinkRay looks again in about 10 min.")
    other = page.locator(".waiting-list li", has_text="Bay 6")
    expect(other).to_contain_text("LinkRay looks again with the next meter value.")
    expect(page.locator(".waiting-list li")).to_have_count(2)
    expect(page.locator(".waiting-list .look")).to_have_count(2)


def test_settings_of_balancing_are_edited_with_the_schemas_help_and_turned_off_again(
    visit, api: Client
):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/balancing")
    schema = api.get("settings/schema")["$defs"]["Site"]["properties"]
    for name in ("shed_order", "reduction_threshold_ma", "dead_man_s", "probe_chargers"):
        expect(page.get_by_text(schema[name]["description"])).to_be_visible()
    page.get_by_label("Imbalance limit").fill("20")
    page.get_by_label("Who is paused first").select_option("Last come")
    save(page)
    held = api.get("settings")["site"]
    assert (held["imbalance_ma"], held["shed_order"]) == (20_000, "last")
    page.get_by_label("Imbalance limit").fill("")
    page.get_by_label("Who is paused first").select_option("Longest charged")
    save(page)
    assert api.get("settings")["site"]["imbalance_ma"] is None


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_power_flow_shows_groups_within_groups_and_stands_before_the_phases(
    visit, screen: Any
):
    page = visit(viewport=screen).sign_in("EV")
    flow = page.locator("svg.flow")
    expect(flow.locator("text.flow-name")).to_have_text(
        ["Grid", "Building", "Chargers", "Yard", "North row", "South row"], use_inner_text=False
    )
    heard = str(flow.get_attribute("aria-label"))
    power = r" -?[\d.,]+ kW"
    assert re.search(f"of it Yard{power}, North row{power}, South row{power}", heard), heard
    at = {
        name: flow.locator("text.flow-name", has_text=name).bounding_box()
        for name in ("Chargers", "Yard", "North row", "South row")
    }
    assert all(at.values())
    start = {name: box["x"] for name, box in at.items() if box is not None}
    assert start["Yard"] < start["North row"], at  # further in than what feeds it
    assert start["North row"] == pytest.approx(start["South row"], abs=8)
    titles = page.locator(".pair h2").all_inner_texts()
    assert titles == ["Power flow", "Phases against the limit"]


MEASURED = """
  // a meter at the grid whose reading is newer than the chargers' values
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    shot.site.voltage_mv = [230000, 230000, 230000];
    const all = shot.chargers.flatMap(charger => charger.connectors);
    all.forEach((one, n) => { one.drawn_ma = [n ? 0 : 10_340, 0, 0]; });
    shot.site.used_ma = [10_340, 0, 0];
    shot.plan.stopped = shot.plan.held = null;
    shot.plan.building_ma = [20_110, 20_110, 20_110];
    Object.assign(shot.plan.nodes[0], {limit_ma: [60_110, 80_000, 80_000],
      building_ma: shot.plan.building_ma, reserved_ma: [0, 0, 0], drawn_reserve_ma: [0, 0, 0],
      drawn_ma: shot.site.used_ma, promised_ma: [16_340, 0, 0]});
    Object.assign(shot.meter, {enabled: true, healthy: true, location: "grid", power_w: 17_999,
      voltage_mv: [230_000, 231_400, null]});
    return shot;
  };
"""


def test_grid_building_and_chargers_add_up_and_the_meters_own_reading_is_named(visit):
    visitor = visit()
    visitor.page.add_init_script(MEASURED)
    page = visitor.sign_in("Installer")
    heard = str(page.locator("svg.flow").get_attribute("aria-label"))
    assert heard.startswith("Grid 16.3 kW, building 13.9 kW, chargers 2.4 kW")
    expect(page.locator(".flow-card")).to_contain_text("The meter measures 18.0 kW")
    expect(page.locator(".figure-card", has_text="Charging now")).to_contain_text("2.4 kW")
    expect(page.locator(".figure-card", has_text="Building")).to_contain_text("13.9 kW")

    unused = page.locator(".figure-card", has_text="Unused on the tightest phase")
    expect(unused).to_contain_text("29.7 A")
    expect(unused).to_contain_text("L1, limit 60.1 A; 6 A of it offered")

    page.get_by_text("All figures").click()
    volts = page.get_by_role("row", name="Meter voltage").locator("td")
    expect(volts).to_have_text(["230 V", "231.4 V", "–", ""])


def test_balancing_is_one_click_away_from_info_and_from_every_page(visit):
    visitor = visit()
    page = visitor.sign_in("Installer")
    page.locator(".phases-card").get_by_role("link", name="Balancing").click()
    expect(page.get_by_role("heading", name="Limits and their headroom")).to_be_visible()
    inner = page.get_by_role("navigation", name="Pages").first.get_by_role("link", name="Balancing")
    expect(inner).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="Chargers").first.click()
    inner.click()
    expect(page.get_by_role("heading", name="Limits and their headroom")).to_be_visible()
    ev = visit().sign_in("EV")
    expect(ev.get_by_role("link", name="Balancing")).to_have_count(0)


def test_large_figures_are_told_and_taken_with_thousands_separators(visit, api: Client):
    visitor = visit()
    visitor.sign_in("Installer")
    page = visitor.open("/configuration/balancing")
    expect(page.get_by_text("0 to 6,300 A").first).to_be_visible()
    limit = page.get_by_label("Imbalance limit")
    limit.fill("7,300")
    expect(page.locator(".field-error")).to_contain_text("At most 6,300 A is expected.")
    limit.fill("1,250.5")
    expect(page.locator(".field-error")).to_have_count(0)
    save(page)
    assert api.get("settings")["site"]["imbalance_ma"] == 1_250_500
    limit.fill("1,5")  # not in groups of three: a decimal comma
    save(page)
    assert api.get("settings")["site"]["imbalance_ma"] == 1_500
    limit.fill("")
    save(page)
    assert api.get("settings")["site"]["imbalance_ma"] is None


FIGURES = """
  // a great day; Bay 7 measures nothing at 10 A, Bay 8 has not yet accepted its 32 A
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    shot.site.energy_today_wh = 12345678;
    shot.site.voltage_mv = [230000, 230000, 230000];
    const all = shot.chargers.flatMap(charger => charger.connectors);
    for (const one of all) Object.assign(one, {transaction_id: null, drawn_ma: [0, 0, 0]});
    const told = (name, connector, ma) => {
      const charger = shot.chargers.find(one => one.name === name);
      Object.assign(charger.connectors[0], {transaction_id: 5, offer_ma: [0, 0, 0]}, connector);
      shot.plan.offers.find(one => one.charger === charger.id).offer_ma = ma;
    };
    told("Bay 7", {drawn_ma: null}, [10000, 10000, 10000]);
    told("Bay 8", {}, [0, 0, 32000]);
    return shot;
  };
"""


WRITTEN = """card => {
  // where the figure ends, and where the card's padding begins
  const text = document.createRange();
  text.selectNodeContents(card.querySelector(".figure-value"));
  const end = card.getBoundingClientRect().right - parseFloat(getComputedStyle(card).paddingRight);
  return [text.getBoundingClientRect().right, end];
}"""


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_figures_fit_their_cards_and_an_unmeasured_session_counts_with_its_offer(
    visit, screen: Any
):
    visitor = visit(viewport=screen)
    visitor.page.add_init_script(FIGURES)
    page = visitor.sign_in("EV")
    energy = page.locator(".figure-card", has_text="Energy today")
    expect(energy).to_contain_text("12,346 kWh")
    written, room = energy.evaluate(WRITTEN)
    assert written <= room
    heard = str(page.locator("svg.flow").get_attribute("aria-label"))
    assert "Yard 6.9 kW, North row 0.0 kW, South row 6.9 kW" in heard  # 3 x 10 A at 230 V
    words = visitor.tile("Bay 8").locator(".tile-words")
    expect(words).to_have_text("32 A offered, 0 A accepted so far; 0 A drawn")


AMOUNTS = """
  // what is offered, what of it was accepted, and what is drawn are three things
  const parse = JSON.parse;
  const cases = {
    "Bay 4": [[16000, 0, 0], [16000, 0, 0], [10200, 0, 0]],
    "Bay 5": [[16000, 0, 0], [10000, 0, 0], [9800, 0, 0]],
    "Bay 6": [[6000, 6000, 6000], [16000, 16000, 16000], [15000, 15000, 15000]],
    "Bay 7": [[8000, 8000, 8000], null, null],
    "Bay 8": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    "Bay 9": [[0, 0, 10000], [0, 0, 10000], null],
  };
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    shot.site.voltage_mv = [230000, 230000, 230000];
    shot.plan.held = shot.plan.stopped = null;
    for (const charger of shot.chargers) {
      charger.connected = true;
      const [offered, accepted, drawn] = cases[charger.name] ?? [[0, 0, 0], null, [0, 0, 0]];
      for (const one of charger.connectors)
        Object.assign(one, {transaction_id: 5, offer_ma: accepted, drawn_ma: drawn});
      for (const offer of shot.plan.offers)
        if (offer.charger === charger.id) Object.assign(offer, {offer_ma: offered, reserve: null});
    }
    return shot;
  };
"""


def test_a_tile_tells_apart_what_is_offered_what_was_accepted_and_what_is_drawn(visit):
    visitor = visit()
    visitor.page.add_init_script(AMOUNTS)
    page = visitor.sign_in("EV")
    told = {
        "Bay 4": "10.2 A drawn on L1 of 16 A offered",
        "Bay 5": "16 A offered, 10 A accepted so far; 9.8 A drawn on L1",
        "Bay 6": "6 A offered, 16 A accepted so far; 15 A drawn",
        "Bay 7": "8 A offered, 0 A accepted so far; not measured",
        "Bay 8": "0 A drawn, nothing offered",
        "Bay 9": "Not measured: counts with the 10 A offered",
    }
    for name, words in told.items():
        expect(visitor.tile(name).locator(".tile-words")).to_have_text(words)
    parts = {
        kind: visitor.tile("Bay 5").locator(f".draw-bar .{kind}").evaluate("e => e.offsetWidth")
        for kind in ("drawn", "accepted", "offered")
    }
    assert parts["drawn"] < parts["accepted"] < parts["offered"], parts
    page.locator(".groups-head").get_by_text("Table").click()
    row = page.get_by_role("row", name=re.compile("Bay 5"))
    expect(row.locator("td.num").first).to_have_text("16.010.0 accepted")


SUMS = """
  // powers each of which is rounded on its tile: exact ones would add up to another tenth
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    shot.site.voltage_mv = [230000, 230000, 230000];
    let sum = 0;
    for (const charger of shot.chargers)
      for (const one of charger.connectors) {
        Object.assign(one, {transaction_id: 5, drawn_ma: [1060, 0, 0]});
        sum += 1060;
      }
    shot.site.used_ma = [sum, 0, 0];
    return shot;
  };
"""


def test_every_power_on_info_is_the_sum_of_the_tiles_beneath_it(visit):
    visitor = visit()
    visitor.page.add_init_script(SUMS)
    page = visitor.sign_in("Installer")
    expect(page.locator(".tile").first.locator(".figure").first).to_have_text("0.2 kW")
    tiles = {
        group: page.get_by_role("region", name=group).locator(".tile").count()
        for group in ("North row", "South row")
    }
    total = 0.2 * sum(tiles.values())
    heard = str(page.locator("svg.flow").get_attribute("aria-label"))
    for name, count in tiles.items():
        assert f"{name} {0.2 * count:.1f} kW" in heard, heard
    assert f"chargers {total:.1f} kW" in heard, heard
    now = page.locator(".figure-card", has_text="Charging now")
    expect(now).to_contain_text(f"{total:.1f} kW")
    page.get_by_text("All figures").click()
    groups = page.locator(".details section", has=page.get_by_role("heading", name="Group totals"))
    for name, w in [(g, 0.2 * n) for g, n in tiles.items()] + [("Total", total)]:
        row = groups.get_by_role("row", name=re.compile(f"^{name}"))
        expect(row.locator("td").nth(3)).to_have_text(f"{w:.1f} kW")


# -- kept, held, stopped ---------------------------------------------------------------------------


def test_a_charger_lost_while_it_draws_says_how_much_is_kept_for_it(
    visit, site: Box, api: Client
):
    key = ("GRS-32-004412", 1)  # Bay 8
    until(lambda: offers(api)[key]["offer_ma"][2] > 0, 60, "Bay 8 is offered current")
    until(lambda: (offers(api)[key]["drawn_ma"] or [0] * 3)[2] > 0, 60, "Bay 8 draws")
    visitor = visit()
    page = visitor.sign_in("Installer")
    for charger in (LOST, key[0]):
        site.world.say({"do": "disconnect", "charger": charger, "for_s": LOST_S})
    until(lambda: offers(api)[key]["reserve"], 30, "it is kept for")
    words = "32 A kept for it"
    for name in ("Bay 7", "Bay 8"):
        expect(visitor.tile(name).locator(".tile-note")).to_contain_text(words)
        expect(visitor.tile(name).locator(".why")).to_contain_text("it is not connected")
    visitor.tile("Bay 8").locator(".why").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".amounts div", has_text="Kept for it").locator("dd")).to_have_text(
        "L3 32 A"
    )
    expect(dialog.locator("tr.binding")).to_contain_text("it is not connected")
    page.keyboard.press("Escape")
    row = page.get_by_role("region", name="South row").locator(".group-words")
    expect(row).not_to_contain_text("over")  # what it draws of what is kept counts once
    visitor.open("/configuration/balancing")
    for name in ("Bay 7", "Bay 8"):
        expect(page.locator(".kept-list li", has_text=name)).to_contain_text(words)
    until(lambda: not offers(api)[key]["reserve"], 2 * LOST_S, "it is back")
    expect(page.locator(".kept-list li", has_text="Bay 8")).to_have_count(0)


HELD = """
  // the meter came back a moment ago
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const shot = parse(...given);
    if (!shot || !shot.plan) return shot;
    shot.site.time_zone = "UTC";
    shot.plan.stopped = null;
    shot.plan.degraded = false;
    shot.plan.held = {until: "2026-11-22T14:03:12.000Z", phases: ["L1", "L2", "L3"]};
    shot.plan.limit_ma = [30000, 30000, 30000];
    shot.plan.building_ma = [50000, 20000, 20000];
    Object.assign(shot.plan.nodes[0], {limit_ma: [100000, 100000, 100000],
      building_ma: shot.plan.building_ma});
    const bay = shot.chargers.find(one => one.name === "Bay 8");
    const offer = shot.plan.offers.find(one => one.charger === bay.id);
    offer.reason = {code: "degraded_limit", phase: "L3", seconds: 42};
    offer.next_look_s = 42;
    return shot;
  };
"""


def test_when_the_meter_is_back_every_tile_says_until_when_its_limits_still_hold(visit):
    visitor = visit()
    visitor.page.add_init_script(HELD)
    page = visitor.sign_in("Installer")
    until_ = "still holds until 14:03:12"
    expect(visitor.tile("Bay 8").locator(".why")).to_contain_text(
        f"the meter is back; its degraded limit on L3 {until_}"
    )
    for tile in page.locator(".tile").all():
        expect(tile).to_contain_text(until_)
        assert (tile.text_content() or "").count("meter is back") == 1  # once is enough
    phases = page.locator(".phases-card")
    expect(phases).to_contain_text(
        "The meter is back; until 14:03:12 the chargers stay under the limit of its failure."
    )
    expect(phases).to_contain_text("of 100 A")
    expect(phases).not_to_contain_text("over the limit")  # it is the chargers' limit alone
    visitor.tile("Bay 8").locator(".why").click()
    expect(page.get_by_role("dialog").locator(".next-look")).to_contain_text("Next look in 42 s")


def unused(page: Page, place: Locator) -> dict[str, str]:
    """What is unused on each phase by the bars of a card."""
    told = place.locator(".phase-row").all_inner_texts()
    return {text.split()[0]: found[0] for text in told
            if (found := re.findall(r"[\d.]+ A (?:unused|over)", text))}  # fmt: skip


def test_while_nothing_is_offered_info_and_balancing_show_the_same_room_and_say_why(
    visit, api: Client
):
    now = datetime.now(UTC).astimezone(ZoneInfo("Europe/London"))
    patch(api, {"schedule": [{"days": [DAYS[now.weekday()]], "start": "00:00", "end": "23:59"}]})
    try:
        until(lambda: api.get("plan")["stopped"], 10, "nothing is offered")
        until(lambda: not any(o["reserve"] for o in api.get("plan")["offers"]), 60, "all is calm")
        until(lambda: not any(api.get("site")["used_ma"]), 60, "nobody draws")
        visitor = visit()
        page = visitor.sign_in("Installer")
        words = "Nothing is offered: a time without charging, for"
        expect(page.locator(".phases-card")).to_contain_text(words)
        figure = page.locator(".figure-card", has_text="Unused on the tightest phase")
        expect(figure).to_contain_text("nothing of it is offered")
        on_info = unused(page, page.locator(".phases-card"))
        assert all(not amount.startswith("0 ") for amount in on_info.values()), on_info
        tightest = float(str(figure.locator(".figure-value").inner_text()).split()[0])
        assert tightest == min(float(amount.split()[0]) for amount in on_info.values())

        visitor.tile("Bay 8").locator(".why").click()
        site_limit = page.get_by_role("dialog").get_by_role("row", name="the site’s limit")
        full = api.get("site")["configured_limit_ma"][2] / 1000
        expect(site_limit.locator("td")).to_have_text(f"{full:.1f} A")
        page.keyboard.press("Escape")

        visitor.open("/configuration/balancing")
        expect(page.locator(".phases-card")).to_contain_text(words)
        assert unused(page, page.locator(".phases-card")) == on_info
        head = page.locator(".limits > li > .limit .limit-head").first
        expect(head).to_contain_text(re.compile(f"{tightest:g} A unused"))
    finally:
        patch(api, {"schedule": []})
    until(lambda: not api.get("plan")["stopped"], 10, "charging is allowed again")
