"""The page without JavaScript (U23): the same door, the same levels, the same tokens."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.hostile import CORPUS
from tests.unit.faces.browser import PRINTED, WORDS, Box, Browser, Reply
from tests.unit.faces.test_web_hostile import Elements, seen_of

from linkray.desk.snapshot import Seen
from linkray.faces.web.scriptless import HEADERS
from linkray.model import asks

FORM = {"content-type": "application/x-www-form-urlencoded", "x-linkray-csrf": None}


async def send(browser: Browser, path: str, given: dict[str, str], **more: str | None) -> Reply:
    """What a browser sends for a form: no header of ours."""
    body = urlencode(given).encode()
    return await browser.call("POST", path, body=body, headers={**FORM, **more})


async def signed_in(box: Box, account: str) -> Browser:
    browser = box.browser()
    body = {"account": account, "password": WORDS[account], "code": ""}
    reply = await by_form(browser, "/plain/sign-in", body)
    assert (reply.status, reply.headers["location"]) == (303, "/plain")
    return browser


async def by_form(browser: Browser, path: str, body: dict[str, str]) -> Reply:
    """A form that may change the cookie; its answer is no JSON, so that is taken by hand."""
    taken: list[str] = []
    app = browser.app

    async def listening(scope: Any, receive: Any, send_on: Any) -> None:
        async def heard(message: Any) -> None:
            headers = message.get("headers", ())
            taken.extend(v.decode() for k, v in headers if k == b"set-cookie")
            kept = [(k, v) for k, v in headers if k != b"set-cookie"]
            await send_on({**message, "headers": kept} if headers else message)

        await app(scope, receive, heard)

    browser.app = listening
    reply = await send(browser, path, body)
    browser.app = app
    if taken:
        browser.token = taken[-1].split("=", 1)[1].split(";")[0]
    return reply


async def token(browser: Browser) -> str:
    page = await browser.call("GET", "/plain")
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return html.unescape(found[1])


async def test_u23_state_stop_and_log_go_without_a_script() -> None:
    box = await Box(seen=seen_of(["Bay 1"])).open()
    page = await box.browser().call("GET", "/plain")
    assert "Sign in" in page.text
    assert "Bay 1 ·" not in page.text
    browser = await signed_in(box, "EV")

    state = await browser.call("GET", "/plain")
    assert "Stop all" in state.text
    assert "charger" in state.text.lower()
    stopped = await send(browser, "/plain/stop", {"csrf": await token(browser), "on": "1"})

    assert stopped.status == 303
    assert box.did == [asks.SetEmergencyStop(on=True)]
    log = await browser.call("GET", "/plain/log")
    assert "Expected level 2" in log.text
    assert "<li>" not in log.text
    installer = await signed_in(box, "Installer")
    assert "<li>three</li>" in (await installer.call("GET", "/plain/log")).text
    given = {"csrf": await token(installer)}
    installer.token, kept = "", installer.token
    assert (await send(installer, "/plain/sign-out", given)).status == 401
    installer.token = kept
    out = await by_form(installer, "/plain/sign-out", given)
    assert out.status == 303
    assert "Sign in" in (await installer.call("GET", "/plain")).text


async def test_u23_allowing_again_takes_an_installer() -> None:
    box = await Box(seen=Seen(emergency_stop=True, emergency_stop_by="EV")).open()
    ev, installer = await signed_in(box, "EV"), await signed_in(box, "Installer")
    assert "Allow charging" not in (await ev.call("GET", "/plain")).text
    refused = await send(ev, "/plain/stop", {"csrf": await token(ev), "on": "0"})
    assert refused.status == 403
    done = await send(installer, "/plain/stop", {"csrf": await token(installer), "on": "0"})
    assert done.status == 303
    assert box.did == [asks.SetEmergencyStop(on=False)]


@pytest.mark.parametrize("path", ["/plain/stop", "/plain/sign-out"])
@pytest.mark.parametrize(("given", "headers"), [
    ({}, {}), ({"csrf": "x"}, {}), ({"csrf": "right"}, {"origin": "https://evil.example"}),
    ({"csrf": "right"}, {"origin": "null"}), ({"csrf": "right"}, {"origin": None}),
    ({"csrf": "right"}, {"sec-fetch-site": "cross-site"}),
])  # fmt: skip
async def test_a11_no_form_of_somebody_else_does_anything(
    path: str, given: dict[str, str], headers: dict[str, str | None]
) -> None:
    box = await Box(seen=Seen()).open()
    browser = await signed_in(box, "EV")
    if given.get("csrf") == "right":
        given = {"csrf": await token(browser)}

    reply = await send(browser, path, {**given, "on": "1"}, **headers)

    assert reply.status == 403
    assert box.did == []
    assert "Stop all" in (await browser.call("GET", "/plain")).text  # still signed in


async def test_a5_passwords_are_guessed_as_slowly_as_at_the_other_door() -> None:
    box = await Box().open()
    tries = [await by_form(box.browser(), "/plain/sign-in", {"account": "EV", "password": "no"})
             for _ in range(6)]  # fmt: skip
    assert [one.status for one in tries] == [401] * 5 + [429]
    assert "wait" in tries[-1].text


async def test_a1_with_the_printed_password_there_is_nothing_to_see() -> None:
    box = await Box(commissioned=False).open()
    browser = box.browser()
    given = {"account": "Assembler", "password": PRINTED}
    assert (await by_form(browser, "/plain/sign-in", given)).status == 303
    page = await browser.call("GET", "/plain")
    assert "Replace the printed password" in page.text
    assert "Stop all: " not in page.text


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", "/plain", 405), ("GET", "/plain/stop", 405), ("DELETE", "/plain/log", 405),
])  # fmt: skip
async def test_w3_other_methods_are_refused(method: str, path: str, status: int) -> None:
    box = await Box().open()
    assert (await box.browser().call(method, path)).status == status


@pytest.mark.parametrize(("body", "kind", "status"), [
    (b"x=" + b"y" * 5_000, FORM["content-type"], 413), (b"{}", "application/json", 415),
    (b"a=1&" * 9, FORM["content-type"], 400), (b"a=\xff", FORM["content-type"], 400),
])  # fmt: skip
async def test_w2_a_form_has_a_size_and_a_kind(body: bytes, kind: str, status: int) -> None:
    box = await Box().open()
    reply = await box.browser().call("POST", "/plain/sign-in", body=body,
                                     headers={"content-type": kind})  # fmt: skip
    assert reply.status == status


async def test_a13_the_page_has_the_same_elements_whatever_things_are_called() -> None:
    found = []
    texts = [text for text in CORPUS if text]
    for shown in (texts, ["x" * 9] * len(texts)):
        box = await Box(seen=seen_of(shown)).open()
        browser = await signed_in(box, "Assembler")
        reply = await browser.call("GET", "/plain")
        assert reply.headers["content-security-policy"] == HEADERS["content-security-policy"]
        assert not [c for c in reply.text if not c.isprintable() and c != "\n"]
        found.append(Elements(reply.text).found)
    assert found[0] == found[1]


async def test_without_control_people_are_told_so() -> None:
    box = await Box().open()
    browser = await signed_in(box, "EV")
    box.control.away = True
    box.control.push()
    page = await browser.call("GET", "/plain")
    assert "does not answer" in page.text or "does not run" in page.text
