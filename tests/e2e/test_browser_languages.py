"""The pages in German, and in a language that is 40 % longer and made here (web.md, U22)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from tests.e2e.box import PASSWORDS, ROOT, Box, Client, box_in, world_settings
from tests.e2e.screen import PHONE, Visit

pytestmark = pytest.mark.realtime

SOURCES = ROOT / "firmware/linkray/faces/web/ui/src"
BUILDING_MA = [20_000, 20_000, 20_000]
FREE, NEVER = "WB-118274", "NIE-GESEHEN"  # nobody has plugged in there; it never dials
SESSIONS = (
    {"do": "plug", "charger": "TACW2243320T0723", "phases": 3},
    {"do": "plug", "charger": "GRS-32-004412", "phases": 1},
)
PAGES = {  # and what is there once it is complete
    "/info": ".tile .why", "/chargers": ".links .badge", f"/chargers/{FREE}": ".found",
    "/configuration/site": ".field", "/configuration/meter": ".meter-file",
    "/configuration/balancing": ".field", "/configuration/schedule": ".day",
    "/configuration/groups": ".card", "/configuration/csms": ".field",
    "/configuration/files": ".card", "/debug/ocpp": ".frame-line", "/account": ".card",
    "/transactions/sessions": ".tx-filters", "/transactions/tags": ".views",
    "/setup/site": ".supply", "/setup/chargers": ".addresses code",
}  # fmt: skip
LONGER = 1.4
LEAST = 10  # texts of a page, and more, are the catalogue's
WORDS_OF_ALL = ("Assembler", "Installer", "EV", "LINKRAY", "OCPP", "mp-012345678",
                "StatusNotification")  # fmt: skip
UNITS = r"\b(?:A|V|W|kW|kWh|MiB|KiB|kB|ms|s|min|h|d|Hz|UTC)\b"
DATES = r"\b(?:Jan|Feb|März|Apr|Mai|Juni?|Juli?|Aug|Sept?|Okt|Nov|Dez|MEZ)\b\.?"
DAYS = r"\b(?:Mo|Di|Mi|Do|Fr|Sa|So|Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag)\b"
ALIKE = dict(zip(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "àƀçđéƒğĥîĵķļɱñöþɋŕšţüṽŵẋýžÀƁÇĐÉƑĞĤÎĴĶĻṀÑÖÞɊŔŠŢÜṼŴẊÝŽ", strict=True,
))  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Two cars charge, a charger that is set up has never come, and so has the CSMS."""
    settings = world_settings()
    away = settings["chargers"][0] | {"id": NEVER, "name": ""}
    settings["chargers"].append(away)
    settings["csms"] = {"url": "ws://127.0.0.1:1"}
    with box_in(tmp_path_factory.mktemp("languages")) as box:
        box.import_settings(settings)
        box.comes_alive(SESSIONS, BUILDING_MA)
        yield box


def go(page: Page, path: str) -> None:
    """To another page without loading the application anew."""
    page.evaluate(
        "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')) }",
        path,
    )


def sign_in(page: Page, words: dict[str, str], account: str = "Assembler") -> None:
    page.get_by_role("radio", name=account).check()
    page.locator("input[type=password]").fill(PASSWORDS[account])
    page.get_by_role("button", name=words["sign.do"], exact=True).click()
    expect(page.locator(".tile")).not_to_have_count(0)


def is_loaded(visitor: Visit, language: str) -> bool:
    return any(f"/lang-{language}-" in url for url in visitor.asked)


# -- German ----------------------------------------------------------------------------------------


def test_u22_a_german_browser_shows_german_pages_and_figures(visit):
    visitor = visit(locale="de-AT", viewport=PHONE)
    german = json.loads((SOURCES / "lang/de.json").read_text())
    page = visitor.open("/")
    expect(page.locator("html")).to_have_attribute("lang", "de-AT")
    expect(page.get_by_role("heading", level=1)).to_have_text("Anmelden")
    sign_in(page, german)
    expect(page.locator(".figure-card", has_text="Ladeleistung jetzt")).to_contain_text(
        re.compile(r"\d,\d kW")
    )
    expect(page.locator(".problems")).to_contain_text(f"{NEVER} ist eingerichtet, aber nicht verb")
    expect(page.locator(".tile", has_text="Bay 1")).to_contain_text("angeboten")
    for path, heading in {
        "/chargers": "Ladestationen", "/configuration/site": "Konfiguration", "/account": "Konto",
    }.items():  # fmt: skip
        go(page, path)
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    go(page, "/configuration/schedule")
    expect(page.locator(".day h3").first).to_contain_text("Montag")
    go(page, "/configuration/csms")
    expect(page.locator("main")).to_contain_text("an diesem Port antwortet nichts")


def test_the_language_is_chosen_on_the_first_page_and_stays_chosen(visit):
    visitor = visit(locale="en-GB")
    page = visitor.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert not is_loaded(visitor, "de")
    page.get_by_label("Language").select_option(label="Deutsch")
    expect(page.get_by_role("heading", level=1)).to_have_text("Anmelden")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert is_loaded(visitor, "de")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Anmelden")
    page.get_by_label("Sprache").select_option(label="English")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.locator("html")).to_have_attribute("lang", "en-GB")


def test_a_language_whose_file_does_not_come_leaves_the_pages_as_they_are(visit):
    visitor = visit(locale="de-DE", forgiven=("ERR_FAILED", "404"))
    visitor.page.route("**/lang-de-*.json", lambda route: route.abort())
    page = visitor.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.locator("html")).to_have_attribute("lang", "en")


# -- a language that is longer than any ------------------------------------------------------------


def pseudo(text: str) -> str:
    """The text without a letter of the English alphabet, and 40 % longer."""
    shown = re.sub(r"\{\w+\}", "", text)
    alike = re.sub(r"\{\w+\}|[a-zA-Z]", lambda found: ALIKE.get(found[0], found[0]), text)
    more = round(len(shown) * (LONGER - 1) + 0.5)
    return alike + ("·ẋẋẋẋẋ ẋẋẋẋ" * (more // 11 + 1))[:more].rstrip()


def longer_language(api: Client) -> dict[str, str]:
    """A catalogue as it is built, of every text there is; symbols of units stay."""
    english = json.loads((SOURCES / "lang/en.json").read_text())
    said = json.loads((SOURCES / "said.json").read_text())
    german = json.loads((SOURCES / "lang/de.json").read_text())
    texts = english | {f"= {text}": text for text in said.values()}
    texts |= {key: text for key, text in german.items() if key.startswith("help.")}
    return {key: text if is_symbol(key) else pseudo(text) for key, text in texts.items()}


def is_symbol(key: str) -> bool:
    return key.startswith("unit.") or key in {"time.s", "time.min", "time.h", "time.d"}


SEEN = """() => {
  const found = [];
  const isSeen = element => element.checkVisibility() && element.getClientRects().length > 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (parent.closest("code, pre, script, style, option, svg, .frame-line, .sources")) continue;
    if (isSeen(parent)) found.push(node.textContent.trim());
  }
  for (const element of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    if (!isSeen(element) || element.closest(".frame-line")) continue;
    for (const name of ["aria-label", "title", "placeholder"])
      found.push(element.getAttribute(name) ?? "");
  }
  for (const select of document.querySelectorAll("select"))
    found.push(select.selectedOptions[0]?.textContent ?? "");
  return found.filter(Boolean);
}"""
WIDER = """() => [...document.querySelectorAll("body *")].filter(element => {
  const box = element.getBoundingClientRect();
  if (!box.width || box.right <= innerWidth + 1 || !element.checkVisibility()) return false;
  for (let up = element.parentElement; up; up = up.parentElement) {
    const how = getComputedStyle(up).overflowX;
    if (how !== "visible" && !up.matches("html, body, .body, .frame")) return false;
  }
  return true;
}).map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`)"""


def names_in(tree: Any, known: set[str]) -> set[str]:
    """What people and makers have named, in the settings and in what the box says of chargers."""
    if isinstance(tree, dict):
        named = ("id", "name", "vendor", "model", "serial", "firmware", "address", "group", "quirk",
                 "parent", "time_zone", "url", "version", "transaction_id", "tag")  # fmt: skip
        known |= {str(tree[key]) for key in named if tree.get(key)}
        for value in tree.values():
            names_in(value, known)
    elif isinstance(tree, list):
        for value in tree:
            names_in(value, known)
    return known


def untranslated(texts: list[str], names: set[str]) -> list[str]:
    """Those in which words are left that no catalogue and no person gave."""
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    plain = re.compile(rf"{known}|{UNITS}|{DATES}|{DAYS}")
    return sorted({text for text in texts if re.search(r"[A-Za-z]{2,}", plain.sub("", text))})


def test_u22_a_language_40_percent_longer_breaks_no_page_and_leaves_no_word(
    visit, site: Box, api: Client
):
    catalogue = longer_language(api)
    told = [site.settings(), api.get("chargers"), api.get("site"), api.get("meters")]
    names = names_in(told, set(WORDS_OF_ALL))
    names |= {f"ws{s}://127.0.0.1:{api.get('site')[f'ocpp{s}_port']}" for s in ("", "s")}

    def answer(route: Route) -> None:
        route.fulfill(json=catalogue)

    visitor = visit(locale="de-DE", viewport=PHONE)
    visitor.page.route("**/lang-de-*.json", answer)
    page = visitor.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text(catalogue["sign.title"])
    found: dict[str, list[str]] = {"/": untranslated(page.evaluate(SEEN), names)}
    wide: dict[str, list[str]] = {"/": page.evaluate(WIDER)}
    sign_in(page, catalogue)
    for path, complete in PAGES.items():
        go(page, path)
        expect(page.locator(f"main {complete}").first).to_be_visible()
        seen = page.evaluate(SEEN)
        assert len([text for text in seen if not text.isascii()]) > LEAST, path
        found[path], wide[path] = untranslated(seen, names), page.evaluate(WIDER)
    go(page, "/info")
    page.locator(".tile .why").first.click()
    expect(page.get_by_role("dialog").locator(".ceilings")).to_be_visible()
    found["why"] = untranslated(page.evaluate(SEEN), names)
    assert {path: words for path, words in found.items() if words} == {}
    assert {path: what for path, what in wide.items() if what} == {}
