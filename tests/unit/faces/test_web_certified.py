"""Client certificates at the door, chargers' passwords by the API: the whole web application.

That TLS proves them is a scene of its own, on real sockets (tests/e2e/test_client_certificates.py).
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.unit.faces.browser import WORDS, Box, Browser

from linkray.desk.snapshot import Seen
from linkray.faces.web.table import TABLE
from linkray.model import asks
from linkray.model.clients import CLIENTS, read_clients

PATH = "/api/v1/client-certificates"
WORD = "a word for the file"


async def sure(box: Box, **more: Any) -> Browser:
    browser = await box.signed_in("Assembler", **more)
    assert (await browser.confirm("Assembler")).status == 200
    return browser


async def made(browser: Browser, name: str = "Ann", level: int = 3) -> dict[str, Any]:
    body = {"name": name, "level": level, "password": WORD}
    reply = await browser.call("POST", PATH, body)
    assert reply.status == 200, reply.text
    return dict(reply.json)


async def asked_for(box: Box, *levels: int) -> tuple[Browser, dict[str, Any]]:
    """These levels ask for a certificate; whoever asked for it, and the one he came with."""
    browser = await sure(box)
    one = (await made(browser))["certificate"]
    browser.certificate = one["fingerprint"]
    for level in levels:
        reply = await browser.call("PUT", f"{PATH}/required", {"level": level, "on": True})
        assert reply.status == 200, reply.text
    return browser, one


async def test_a_certificate_is_handed_over_once_and_listed_without_its_key() -> None:
    box = await Box().open()
    browser = await sure(box)

    told = await made(browser, "Ann", 2)
    listed = await browser.call("GET", PATH)

    assert len(base64.b64decode(told["content"])) > 500
    assert listed.json == {"certificates": [told["certificate"]], "required": [], "here": ""}
    assert "content" not in listed.text
    browser.certificate = told["certificate"]["fingerprint"]
    assert (await browser.call("GET", PATH)).json["here"] == told["certificate"]["id"]


async def test_an_account_that_asks_for_a_certificate_says_so_at_the_door() -> None:
    box = await Box().open()
    _browser, one = await asked_for(box, 3)

    without = await box.browser().sign_in("Assembler", WORDS["Assembler"])
    strange = await box.browser(certificate="ab" * 32).sign_in("Assembler", WORDS["Assembler"])
    right = await box.browser(certificate=one["fingerprint"]).sign_in(
        "Assembler", WORDS["Assembler"]
    )
    other = await box.browser().sign_in("EV", WORDS["EV"])

    assert without.status == strange.status == 403
    assert without.json["detail"] == (
        "This account opens with a client certificate: the browser has shown none of this box"
    )
    assert (right.status, other.status) == (200, 200)
    assert ("Assembler", "sign-in failed: client certificate") in box.shelf.audit


async def test_a5_without_the_certificate_no_password_is_looked_at() -> None:
    box = await Box().open()
    await asked_for(box, 3)
    for _try in range(30):
        reply = await box.browser().sign_in("Assembler", "a guess that is wrong")
        assert reply.status == 403
    box2 = await box.browser().sign_in("EV", WORDS["EV"])
    assert box2.status == 200


async def test_a7_a_session_counts_only_on_connections_with_the_certificate() -> None:
    """A cookie that was carried off opens nothing elsewhere; nor a session from before."""
    box = await Box().open()
    before = await box.signed_in("Assembler")
    browser, _one = await asked_for(box, 3)
    carried = box.browser()
    carried.token, carried.csrf = browser.token, browser.csrf

    assert (await browser.call("GET", "/api/v1/accounts")).status == 200
    for thief in (carried, before):
        assert (await thief.call("GET", "/api/v1/accounts")).status == 401
        assert (await thief.call("POST", "/api/v1/identify")).status in {401, 403}
        assert (await thief.call("GET", "/api/v1/session")).json["account"] is None


async def test_a7_a_revoked_certificate_ends_what_it_opened_at_once() -> None:
    box = await Box().open()
    first, one = await asked_for(box, 3)
    other = (await made(first, "Ben"))["certificate"]
    second = await sure(box, certificate=other["fingerprint"])
    assert (await first.call("GET", "/api/v1/accounts")).status == 200

    own = await second.call("DELETE", f"{PATH}/{other['id']}")
    reply = await second.call("DELETE", f"{PATH}/{one['id']}")

    assert (own.status, reply.status) == (409, 200)
    assert (await first.call("GET", "/api/v1/accounts")).status == 401
    assert (await second.call("GET", "/api/v1/accounts")).status == 200
    again = await box.browser(certificate=one["fingerprint"]).sign_in(
        "Assembler", WORDS["Assembler"]
    )
    assert "revoked" in again.json["detail"]


async def test_nobody_shuts_the_door_behind_which_he_stands() -> None:
    box = await Box().open()
    browser = await sure(box)
    low = (await made(browser, "Ben", 1))["certificate"]

    for shown in ("", low["fingerprint"], "ab" * 32):
        browser.certificate = shown
        reply = await browser.call("PUT", f"{PATH}/required", {"level": 3, "on": True})
        assert (reply.status, "Come with a valid client" in reply.text) == (409, True)

    assert read_clients(box.shelf.kv[CLIENTS]).required == ()


async def test_the_command_line_lets_in_again_whom_a_lost_certificate_has_shut_out() -> None:
    box = await Box().open()
    await asked_for(box, 1, 3)
    fresh = box.shelf.kept["Assembler"].hash

    here = asks.Who("command line", asks.LOCAL)
    answer = await box.control.ask(asks.SetPassword("Assembler", fresh), here)

    assert answer.ok
    assert read_clients(box.shelf.kv[CLIENTS]).required == (1,)
    assert (await box.browser().sign_in("Assembler", WORDS["Assembler"])).status == 200
    assert (await box.browser().sign_in("EV", WORDS["EV"])).status == 403


async def test_a1_a_certificate_opens_no_account_without_its_password() -> None:
    box = await Box().open()
    _browser, one = await asked_for(box, 3)
    reply = await box.browser(certificate=one["fingerprint"]).sign_in("Assembler", "not it at all")
    assert reply.status == 401


async def test_a8_a_key_needs_no_certificate_and_a_certificate_makes_no_key() -> None:
    box = await Box(seen=Seen(serial="LR1")).open()
    await asked_for(box, 1, 2, 3)
    reader = box.browser(key=box.add_key("read"))
    assert (await reader.call("GET", "/api/v1/site")).status == 200
    assert (await reader.call("GET", PATH)).status == 403


async def test_a21_a_charger_password_that_is_made_up_is_told_once() -> None:
    box = await Box().open()
    browser = await sure(box)

    first = await browser.call("PUT", "/api/v1/chargers/CP1/password", {"tell": True})
    given = await browser.call(
        "PUT", "/api/v1/chargers/CP1/password", {"password": "given-by-hand-123"}
    )
    gone = await browser.call("DELETE", "/api/v1/chargers/CP1/password")

    told = first.json["password"]
    assert (len(told), int(told, 16) > 0) == (40, True)
    assert given.json["password"] == ""
    assert gone.status == 200
    assert box.did == [
        asks.SetChargerPassword("CP1", told, tell=True),
        asks.SetChargerPassword("CP1", "given-by-hand-123"),
        asks.RemoveChargerPassword("CP1"),
    ]


@pytest.mark.parametrize("name", ["EV", "Installer"])
async def test_a10_neighbours_and_what_links_are_secured_with_are_the_assemblers(name: str) -> None:
    box = await Box().open()
    browser = await box.signed_in(name)
    for path in ("/api/v1/neighbours", "/api/v1/charger-links", PATH):
        assert (await browser.call("GET", path)).status == 403
    expected = 200 if name == "Installer" else 403
    assert (await browser.call("GET", "/api/v1/network")).status == expected


async def test_a26_neighbours_are_told_and_nothing_is_fetched_from_them() -> None:
    """There is no proxy yet: no route takes an address that the box would open."""
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    assert (await browser.call("GET", "/api/v1/neighbours")).status == 200
    for path in ("/api/v1/neighbours", "/api/v1/neighbours/192.0.2.1", "/proxy/192.0.2.1/"):
        assert (await browser.call("POST", path, {"address": "127.0.0.1"})).status in {404, 405}
    assert [one.path for one in TABLE if "proxy" in one.path] == []
    assert {one.method for one in TABLE if "neighbours" in one.path} == {"GET"}
