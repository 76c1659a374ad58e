"""A visitor in a real browser: signs in, sees tiles, complains of nothing; and axe's judgement."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.e2e.box import PASSWORDS, ROOT, Box

AXE = ROOT / "firmware/linkray/faces/web/ui/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
SLOW_MS = 15_000  # what a page may take where two cores carry site, world and browser


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Debian's Chromium, without windows where there is such a one; its expectations are as patient
    as two busy cores need.
    """
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert path, "Chromium is missing: tools/setup --browser installs it"
    expect.set_options(timeout=SLOW_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """One visitor: a page, what it said on its console, and whom it asked for anything."""

    def __init__(self, site: Box, browser: Browser, **looks: Any) -> None:
        self.site = site
        self.base = f"https://127.0.0.1:{site.ports['https']}"
        self.context = browser.new_context(
            ignore_https_errors=True, **{"locale": "en-GB", "viewport": WIDE, **looks}
        )
        self.context.set_default_timeout(SLOW_MS)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.add(request.url))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def sign_in(self, account: str) -> Page:
        page = self.open("/")
        page.get_by_role("radio", name=account).check()
        page.get_by_label("Password", exact=True).fill(PASSWORDS[account])
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".tile")).not_to_have_count(0)
        return page

    def tile(self, name: str) -> Any:
        return self.page.locator(".tile", has=self.page.get_by_role("heading", name=name))

    def close(self, forgiven: tuple[str, ...] = ()) -> None:
        """Gone; nothing but what was provoked went wrong in the page, nothing left the box."""
        self.context.close()
        wrong = [text for text in self.errors if not any(word in text for word in forgiven)]
        assert wrong == [], wrong
        away = [u for u in self.asked if not u.startswith((self.base, "data:", "blob:"))]
        assert away == [], away


@contextlib.contextmanager
def visitors(site: Box, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Makes visitors; each is gone at the end, and what went wrong in its page is a failure."""
    with contextlib.ExitStack() as stack:

        def begin(*, forgiven: tuple[str, ...] = (), **looks: Any) -> Visit:
            visitor = Visit(site, browser, **looks)
            stack.callback(visitor.close, forgiven)
            return visitor

        yield begin


def judge(page: Page, name: str) -> list[str]:
    """What axe finds, and what is wider than the screen."""
    found = [
        f"{name}: {text}"
        for text in page.evaluate(
            """async rules => (await axe.run(document, {runOnly: rules})).violations.flatMap(
                 v => v.nodes.map(n => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`))""",
            RULES,
        )
    ]
    wide, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found + ([f"{name}: {wide} px wide on {there} px"] if wide > there else [])


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".said")).to_contain_text("Saved")
    expect(page.locator(".draft-bar")).to_have_count(0)
