"""What one live tick of the page costs the browser's main thread, with 32 connectors.

In processor time, told as for a phone whose main thread is six times slower (web.md, U9): the
browser's own throttle spins by the wall clock, and so counts what others had of the core.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tools.bench_parts.load import SAMPLE, Charger, utc
from tools.bench_parts.process import ROOT, control, started

COUNT = 32
SLOWER = 6
WINDOWS, WINDOW_MS = 6, 5_000
EVERY_S = 10.0  # balancing.md: the interval that LinkRay asks of the chargers
OPENS_WITH = "otter copper lantern nine"  # of a box that lives for a minute
COUNTED = """
  window.ticks = 0;
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const told = parse(...given);
    if (told && told.plan) window.ticks += 1;
    return told;
  };
"""


async def charge(name: str, port: int, over: threading.Event) -> None:
    """One charger with a session and new values every ten seconds."""
    charger, chance = Charger(name, port), random.Random(name)
    await charger.dial()
    await charger.boot()
    await charger.call("StartTransaction", {
        "connectorId": 1, "idTag": name, "meterStart": 0, "timestamp": utc()})  # fmt: skip
    await asyncio.sleep(chance.uniform(0.0, EVERY_S))
    while not over.is_set():
        amount = f"{chance.uniform(5.0, 6.0):.1f}"
        await charger.call("MeterValues", {"connectorId": 1, "meterValue": [{
            "timestamp": utc(), "sampledValue": [{**one, "value": amount} for one in SAMPLE[:3]],
        }]})  # fmt: skip
        await asyncio.sleep(EVERY_S)
    charger.listening.cancel()


def charging(port: int, over: threading.Event) -> None:
    """All of them, until it is over."""

    async def all_of_them() -> None:
        await asyncio.gather(*(charge(f"tick-{n:02d}", port, over) for n in range(COUNT)))

    asyncio.run(all_of_them())


def look(page: Page, devtools: CDPSession) -> tuple[float, float]:
    """Seconds of the main thread so far, and ticks."""
    told: list[dict[str, Any]] = devtools.send("Performance.getMetrics")["metrics"]
    spent = next(float(m["value"]) for m in told if m["name"] == "TaskDuration")
    return spent, float(page.evaluate("window.ticks"))


def tick_s(page: Page, view: str) -> float:
    """Seconds of one tick; the median of some windows."""
    page.get_by_role("button", name=view).click()
    shown = ".tile" if view == "Tiles" else "table.dense tbody tr"
    expect(page.locator(shown)).to_have_count(COUNT)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.wait_for_timeout(WINDOW_MS)
    windows = []
    for _window in range(WINDOWS):
        spent, ticks = look(page, devtools)
        page.wait_for_timeout(WINDOW_MS)
        spent_then, ticks_then = look(page, devtools)
        windows.append((spent_then - spent) / (ticks_then - ticks))
    return statistics.median(windows)


def seen(base: str) -> dict[str, float]:
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("expected chromium on the path: tools/setup --browser installs it")
    flags = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        page = browser.new_context(ignore_https_errors=True, locale="en-GB").new_page()
        page.add_init_script(COUNTED)
        page.goto(base)
        page.get_by_role("radio", name="Installer").check()
        page.get_by_label("Password", exact=True).fill(OPENS_WITH)
        page.get_by_role("button", name="Sign in").click()
        told = {
            f"tick_{view.lower()}_6x_ms": tick_s(page, view) * SLOWER * 1000
            for view in ("Tiles", "Table")
        }
        browser.close()
    return told


def password(state: Path) -> None:
    for account in ("Assembler", "Installer"):
        subprocess.run(
            [sys.executable, "-m", "linkray", "password", account, "--state", str(state)],
            input=OPENS_WITH + "\n", text=True, cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def measure() -> dict[str, float]:
    known: dict[str, object] = {
        "version": 1,
        "chargers": [{"id": f"tick-{n:02d}"} for n in range(COUNT)],
    }
    with control(settings=known) as (_pid, ports, state):
        password(state)
        over = threading.Event()
        load = threading.Thread(target=charging, args=(ports["ocpp"], over))
        words = ("linkray", "web", "--state", str(state), "--bind", "127.0.0.1",
                 "--https-port", "0", "--http-port", "0")  # fmt: skip
        with started(*words) as (_web, faces):
            load.start()
            try:
                return seen(f"https://127.0.0.1:{faces['https']}/")
            finally:
                over.set()
                load.join()
