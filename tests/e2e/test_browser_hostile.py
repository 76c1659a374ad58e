"""Hostile names in a real browser, and the criteria of web.md that no other page's scenes hold.

One box of 64 chargers that never come: every list is full, every alert is open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Request, expect
from tests.e2e.box import PASSWORDS, Box, Client, box_in, until
from tests.e2e.screen import AXE, PHONE, WIDE, Visit, judge
from tests.hostile import CORPUS, KINDS

pytestmark = pytest.mark.realtime

CHARGERS, TAGS, TABS = 64, 500, 10
TAP = 44  # px
WORST = ("html", "script", "style", "template", "formula", "bidi", "hidden", "emoji", "combining",
         "twins", "spaces", "planes", "long", "path", "sql")  # fmt: skip
SMALL = {"width": 320, "height": 640}
TRAP = """
  window.hits = [];
  window.hit = window.alert = window.confirm = window.prompt = (...told) => hits.push(told);
"""
MEDDLED = """() => [...document.querySelectorAll(
  "main script, main img[src='x'], main svg[onload], main iframe, main object, main embed,"
  + " main form[action], main base, main meta, main link, main style, [onerror], [onload],"
  + " [onfocus], [onmouseover], [ontoggle], a[href^='javascript' i]")].map(e => e.outerHTML)"""
TAPPED = """least => [...document.querySelectorAll(
  "button, select, textarea, nav a, input:not([type=checkbox]):not([type=radio])"
  + ":not([type=file]):not([type=hidden]), summary")]
  .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}))
  .map(e => [e, e.getBoundingClientRect()])
  .filter(([e, box]) => box.width > 1 && box.height > 1
                        && Math.min(box.width, box.height) < least - 0.5)
  .map(([e, box]) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 20)}`
       + ` ${Math.round(box.width)}x${Math.round(box.height)}`)"""
SHOWN = """(document.body.textContent
  + [...document.querySelectorAll("option, input")].map(e => e.value).join(" "))"""
SPACED = """*, *::before, *::after { line-height: 1.5 !important; letter-spacing: 0.12em !important;
  word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }"""
CUT = """() => [...document.querySelectorAll(
  "main button, main a, main h1, main h2, main h3, main label, main p, header button, header a")]
  .filter(e => e.checkVisibility({visibilityProperty: true})
               && ["hidden", "clip"].includes(getComputedStyle(e).overflowY)
               && e.clientHeight > 1 && e.scrollHeight > e.clientHeight + 2)
  .map(e => e.tagName + " " + e.textContent.slice(0, 40))"""
ALL = ("/info", "/chargers", "/transactions/sessions", "/transactions/tags", "/alerts/open",
       "/configuration/site", "/configuration/balancing", "/setup/chargers",
       "/debug/log")  # fmt: skip


def is_a_name(text: str) -> bool:
    lines = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u2028\u2029"}
    return text == text.strip() and 1 <= len(text) <= 50 and not set(text) & lines


def worst() -> list[str]:
    """One text after the other of each kind, as many as there are chargers."""
    kinds = [[text for text in KINDS[kind] if is_a_name(text)] for kind in WORST]
    longest = max(map(len, kinds))
    found = dict.fromkeys(
        kind[n] for n in range(longest) for kind in kinds if n < len(kind)
    )  # fmt: skip
    return list(found)[:CHARGERS]


NAMES = worst()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Chargers, groups, the site and tags with such names; nobody has come."""
    groups = [{"name": name, "limit_ma": 32_000} for name in NAMES[:4]]
    chargers = [{"id": f"CP{n}", "name": name, "group": NAMES[n % 5] if n % 5 < 4 else None}
                for n, name in enumerate(NAMES)]  # fmt: skip
    with box_in(tmp_path_factory.mktemp("hostile")) as box:
        box.import_settings({"version": 1, "site": {"name": NAMES[0]}, "groups": groups,
                             "chargers": chargers})  # fmt: skip
        box.set_passwords()
        box.writer = box.key("write")
        box.start_control()
        box.start_web()
        api = box.client(box.writer)
        tags = {text.casefold(): text for text in CORPUS if is_a_name(text) and len(text) <= 20}
        rows = [{"tag": text, "name": text} for text in tags.values()][:TAGS]
        for at in range(0, len(rows), 100):
            answer = api.ask("POST", "/api/v1/tags", {"tags": rows[at : at + 100]})
            assert answer.status == 200, answer.body
        yield box


def enters(visitor: Visit, account: str = "Assembler") -> Page:
    """Signed in, where Info is no page of tiles."""
    page = visitor.page
    page.add_init_script(TRAP)
    visitor.open("/")
    page.get_by_role("radio", name=account).check()
    page.get_by_label("Password", exact=True).fill(PASSWORDS[account])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Stop all")).to_be_visible()
    return page


def turned_to(page: Page, path: str) -> None:
    """Another page, without loading the application anew."""
    page.evaluate("to => { history.pushState(null, '', to);"
                  " dispatchEvent(new PopStateEvent('popstate')) }", path)  # fmt: skip
    page.wait_for_function("path => location.pathname.startsWith(path)", arg=path)
    expect(page.get_by_role("heading", level=1)).to_be_attached()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def too_wide(page: Page, name: str) -> list[str]:
    wide, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return [f"{name}: {wide} px on {there} px"] if wide > there else []


def missing(page: Page, names: list[str]) -> list[str]:
    """What is not shown just as it is; spaces may be one."""
    told = re.sub(r"\s+", " ", page.evaluate(SHOWN))
    return [name for name in names if re.sub(r"\s+", " ", name) not in told]


def test_a13_names_are_shown_as_they_are_and_nothing_of_them_runs(
    visit: Callable[..., Visit], api: Client
) -> None:
    until(lambda: len(api.get("faults")) > CHARGERS, 30, "all of them are missed")
    visitor = visit(color_scheme="dark", viewport=SMALL, reduced_motion="reduce")
    page = enters(visitor)
    wrong: list[str] = []
    for path, names in {
        "/info": NAMES, "/chargers": NAMES, "/chargers/CP0": NAMES[:1], "/alerts/open": NAMES,
        "/alerts/history": [], "/transactions/tags": [], "/configuration/groups": NAMES[:4],
        "/configuration/site": NAMES[:1], "/configuration/balancing": NAMES[:4],
        "/setup/chargers": [], "/security/audit": [],
    }.items():  # fmt: skip
        turned_to(page, path)
        if names:
            page.wait_for_function(f"last => {SHOWN}.includes(last)", arg=names[-1])
        wrong += too_wide(page, path)
        wrong += [f"{path}: not shown: {name!r}" for name in missing(page, names)]
        wrong += [f"{path}: made {html}" for html in page.evaluate(MEDDLED)]
        wrong += [f"{path}: ran {told}" for told in page.evaluate("hits")]
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        wrong += too_wide(page, f"{path} wide")
        page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    assert wrong == []


def test_u13_u14_a_script_that_is_put_into_the_page_does_not_run_and_nothing_is_asked_for(
    visit: Callable[..., Visit],
) -> None:
    visitor = visit(forgiven=("Content Security Policy", "violates"))
    page = enters(visitor, "EV")
    page.evaluate("""() => {
      const made = document.createElement("script");
      made.textContent = "hit('inline')";
      document.body.append(made);
      document.body.insertAdjacentHTML("beforeend", "<img src='https://x.example/' alt=''>");
      document.body.insertAdjacentHTML("beforeend", "<img src=x: onerror=hit(1) alt=''>");
    }""")
    page.wait_for_timeout(300)
    assert page.evaluate("hits") == []
    assert any("Content Security Policy" in text for text in visitor.errors)
    visitor.asked = {url for url in visitor.asked if "x.example" not in url and url[:2] != "x:"}


def test_u3_text_spacing_and_200_percent_lose_nothing(visit: Callable[..., Visit]) -> None:
    """200 % of 1280 x 900 is a screen of 640 x 450."""
    wrong: list[str] = []
    visitor = visit(viewport=PHONE, reduced_motion="reduce")
    page = enters(visitor)
    page.evaluate("css => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css);"
                  " document.adoptedStyleSheets = [sheet]; }", SPACED)  # fmt: skip
    for path in ALL:
        turned_to(page, path)
        for screen in (PHONE, {"width": 640, "height": 450}):
            page.set_viewport_size(screen)  # type: ignore[arg-type]
            wrong += too_wide(page, f"{path} {screen['width']}")
            wrong += [f"{path} {screen['width']}: {cut}" for cut in page.evaluate(CUT)]
    assert wrong == []


def test_u4_what_one_taps_is_large_enough(visit: Callable[..., Visit]) -> None:
    visitor = visit(viewport=PHONE, reduced_motion="reduce")
    page = enters(visitor)
    small: list[str] = []
    for path in ALL:
        turned_to(page, path)
        small += [f"{path}: {told}" for told in page.evaluate(TAPPED, TAP)]
    assert small == []


def test_u15_nothing_moves_for_whom_movement_is_too_much_and_forced_colours_keep_the_bars(
    visit: Callable[..., Visit],
) -> None:
    visitor = visit(reduced_motion="reduce")
    page = enters(visitor)
    for path in ("/info", "/configuration/balancing"):
        turned_to(page, path)
        moving = page.evaluate(
            "document.getAnimations().filter(a => a.playState === 'running')"
            ".map(a => a.animationName || a.transitionProperty)"
        )
        assert moving == []
    page.emulate_media(forced_colors="active")
    turned_to(page, "/info")
    expect(page.locator(".led")).to_contain_text(re.compile("Running|Fault"))
    for bar in page.locator(".bar").all()[:3]:
        told = bar.evaluate("e => { const s = getComputedStyle(e);"
                            " return [s.borderTopStyle, s.outlineStyle, s.forcedColorAdjust] }")
        assert told[2] == "none" or {"solid", "dashed"} & set(told[:2]), told


HIDE = """([is]) => {
  Object.defineProperty(document, 'hidden', {value: is, configurable: true});
  Object.defineProperty(document, 'visibilityState',
                        {value: is ? 'hidden' : 'visible', configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


class Streams:
    """How many streams of events a tab holds."""

    def __init__(self, tab: Page) -> None:
        self.open = 0
        tab.on("request", lambda asked: self._count(asked, 1))
        tab.on("requestfailed", lambda asked: self._count(asked, -1))
        tab.on("requestfinished", lambda asked: self._count(asked, -1))

    def _count(self, asked: Request, by: int) -> None:
        if asked.url.endswith("/api/v1/events"):
            self.open += by


def test_u12_of_ten_tabs_all_load_and_the_visible_one_alone_holds_a_stream(
    visit: Callable[..., Visit],
) -> None:
    visitor = visit()
    tabs = [visitor.page] + [visitor.context.new_page() for _ in range(TABS - 1)]
    held = [Streams(tab) for tab in tabs]
    enters(visitor, "EV")
    for tab in tabs:
        tab.goto(f"{visitor.base}/account", wait_until="commit")
    for tab in tabs:
        expect(tab.locator(".live-chip")).to_have_text("Live")
    assert [one.open for one in held] == [1] * TABS

    for tab in tabs[1:]:
        tab.evaluate(HIDE, [True])
    tabs[0].wait_for_timeout(1500)
    assert [one.open for one in held] == [1] + [0] * (TABS - 1)
    expect(tabs[0].locator(".live-chip")).to_have_text("Live")
    tabs[1].evaluate(HIDE, [False])
    expect(tabs[1].locator(".live-chip")).to_have_text("Live")
    assert held[1].open == 1


def test_u23_state_stop_log_and_sign_in_go_without_javascript(
    visit: Callable[..., Visit], api: Client
) -> None:
    visitor = visit(java_script_enabled=False, viewport=PHONE, color_scheme="dark",
                    forgiven=("401", "Failed to load"))  # fmt: skip
    page = visitor.open("/")
    page.get_by_role("link", name="How it stands").click()
    page.get_by_label("Account").select_option("Installer")
    page.get_by_label("Password").fill("surely not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Expected an account and its password")
    page.get_by_label("Account").select_option("Installer")
    page.get_by_label("Password").fill(PASSWORDS["Installer"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAMES[0])
    expect(page.locator("dd", has_text=f"0 of {CHARGERS} connected")).to_be_visible()
    page.get_by_role("button", name="Stop all").click()
    expect(page.locator(".stopped", has_text="Charging is stopped by Installer")).to_be_visible()
    assert api.get("site")["emergency_stop"] is True
    page.reload()  # sends nothing twice
    page.get_by_role("button", name="Allow charging again").click()
    expect(page.get_by_role("button", name="Stop all")).to_be_visible()
    assert api.get("site")["emergency_stop"] is False
    page.get_by_role("link", name="Log").click()
    expect(page.locator(".log li")).not_to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_u1_u3_the_page_without_javascript_is_for_everybody(visit: Callable[..., Visit]) -> None:
    wrong: list[str] = []
    visitor = visit(viewport=SMALL, bypass_csp=True)
    page = visitor.open("/plain")
    page.evaluate(AXE.read_text())
    wrong += judge(page, "signed out")
    page.get_by_label("Account").select_option("Installer")
    page.get_by_label("Password").fill(PASSWORDS["Installer"])
    page.get_by_role("button", name="Sign in").click()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        visitor.open("/plain")
        page.evaluate(AXE.read_text())
        wrong += judge(page, f"state {theme}")
    visitor.open("/plain/log")
    wrong += too_wide(page, "log")
    assert wrong == []
