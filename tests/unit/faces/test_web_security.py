"""The Security and API pages' routes, as scenes: second factors, sessions, keys, the audit log."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import trio
from tests.unit.faces.browser import WORDS, Box, Browser, code_of, hash_of
from tests.unit.faces.test_web_access import NEW

from linkray.access.sessions import CONFIRMED_S
from linkray.desk.snapshot import Seen
from linkray.faces.web.table import TABLE
from linkray.kit.clock import WallClock
from linkray.model import asks
from linkray.model.faults import Code, Fault

CONFIRM, CODE = "urn:linkray:confirm", "urn:linkray:code"


def said(box: Box) -> list[tuple[str, str]]:
    return box.shelf.audit


async def sure(box: Box, name: str = "Assembler", **more) -> Browser:
    """Signed in, and the password given again."""
    browser = await box.signed_in(name, **more)
    assert (await browser.confirm(name)).status == 200
    return browser


async def with_second(box: Box, name: str) -> str:
    """The account has a second factor from now on; its secret, as the phone has it."""
    browser = await sure(box, name)
    path = f"/api/v1/accounts/{name}/second-factor"
    secret = (await browser.call("POST", path)).json["secret"]
    assert (await browser.call("PUT", path, {"code": code_of(secret, box)})).status == 200
    await trio.sleep(30)  # that code is used
    return secret


# -- the password again ----------------------------------------------------------------------------


async def test_a6_who_may_what_is_changed_with_the_password_again_and_for_five_minutes():
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    wanted = {"scope": "read", "expires": "1d"}

    early = await browser.call("POST", "/api/v1/keys", wanted)
    assert (early.status, early.json["type"]) == (403, CONFIRM)
    wrong = await browser.call("POST", "/api/v1/session/confirm", {"password": "not mine"})
    assert wrong.status == 401
    assert (await browser.call("POST", "/api/v1/keys", wanted)).status == 403
    assert (await browser.confirm("Assembler")).status == 200
    assert (await browser.call("POST", "/api/v1/keys", wanted)).status == 200
    await trio.sleep(CONFIRMED_S - 1)
    assert (await browser.call("POST", "/api/v1/keys", wanted)).status == 200
    await trio.sleep(1)
    late = await browser.call("POST", "/api/v1/keys", wanted)
    assert (late.status, late.json["type"]) == (403, CONFIRM)


async def test_a6_the_password_given_again_opens_nothing_in_another_session_of_the_account():
    box = await Box().open()
    await sure(box)
    elsewhere = await box.signed_in("Assembler")

    assert (await elsewhere.call("DELETE", "/api/v1/sessions")).status == 403


async def test_a6_whoever_changes_who_may_what_gives_the_password_again_all_routes_of_it():
    changing = {e.answer for e in TABLE if e.confirmed}

    assert changing == {
        "close_account", "begin_second", "set_second", "end_second", "end_session",
        "end_sessions", "add_key", "set_key", "remove_key",
        "make_client", "revoke_client", "remove_clients", "require_clients", "drop_certificate",
        "set_charger_password", "remove_charger_password",
    }  # fmt: skip
    assert all(e.people for e in TABLE if e.confirmed)


async def test_a5_the_password_again_is_guessed_as_slowly_as_at_the_door():
    box = await Box().open()
    browser = await box.signed_in("EV")
    for _try in range(5):
        reply = await browser.call("POST", "/api/v1/session/confirm", {"password": "wrong"})
        assert reply.status == 401

    slowed = await browser.confirm("EV")

    assert slowed.status == 429
    assert slowed.headers["retry-after"] == "1"


# -- second factors --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["EV", "Installer", "Assembler"])
async def test_a_second_factor_is_set_up_with_a_first_code_and_asked_for_from_then_on(name):
    box = await Box().open()
    secret = await with_second(box, name)

    bare = await box.browser().sign_in(name, WORDS[name])
    wrong = await box.browser().sign_in(name, WORDS[name], "000000")
    assert (bare.status, bare.json["type"]) == (401, CODE)
    assert (wrong.status, wrong.json["type"]) == (401, CODE)
    assert "set-cookie" not in bare.headers | wrong.headers
    browser = box.browser()
    assert (await browser.sign_in(name, WORDS[name], code_of(secret, box))).status == 200
    assert (await browser.call("GET", "/api/v1/site")).status == 200
    assert (name, "signed in with a code") in said(box)


async def test_a_second_factor_does_not_begin_without_its_first_code():
    box = await Box().open()
    browser = await sure(box)
    path = "/api/v1/accounts/Assembler/second-factor"

    assert (await browser.call("PUT", path, {"code": "123456"})).status == 409
    secret = (await browser.call("POST", path)).json["secret"]
    refused = await browser.call("PUT", path, {"code": code_of(secret, box, steps=9)})
    assert (refused.status, refused.json["path"]) == (422, "$.code")
    assert box.shelf.kept["Assembler"].second == ""
    assert (await box.browser().sign_in("Assembler", WORDS["Assembler"])).status == 200


async def test_a_code_opens_once_also_after_faces_have_started_anew():
    box = await Box().open()
    secret = await with_second(box, "EV")
    code = code_of(secret, box)
    assert (await box.browser().sign_in("EV", WORDS["EV"], code)).status == 200

    again = await box.browser().sign_in("EV", WORDS["EV"], code)
    assert again.status == 401
    assert said(box)[-1] == ("EV", "sign-in failed: code used before")
    box.door._used.clear()  # what a new process knows is on the disk
    assert (await box.browser().sign_in("EV", WORDS["EV"], code)).status == 401
    await trio.sleep(30)
    assert (await box.browser().sign_in("EV", WORDS["EV"], code_of(secret, box))).status == 200


async def test_the_code_that_set_a_second_factor_up_does_not_sign_in():
    box = await Box().open()
    browser = await sure(box, "EV")
    path = "/api/v1/accounts/EV/second-factor"
    secret = (await browser.call("POST", path)).json["secret"]
    code = code_of(secret, box)
    assert (await browser.call("PUT", path, {"code": code})).status == 200

    assert (await box.browser().sign_in("EV", WORDS["EV"], code)).status == 401


async def test_a5_codes_are_guessed_as_slowly_as_passwords_though_the_password_is_known():
    box = await Box().open()
    await with_second(box, "EV")
    thief, tried = box.browser(client="198.51.100.9"), 0
    for number in range(24 * 60):
        await thief.sign_in("EV", WORDS["EV"])  # alone it forgives nothing
        reply = await thief.sign_in("EV", WORDS["EV"], f"{number:06}")
        tried += reply.status != 429
        await trio.sleep(60)

    assert tried <= 200


async def test_the_assembler_turns_another_ones_second_factor_off_and_nobody_else_does():
    box = await Box().open()
    await with_second(box, "EV")
    path = "/api/v1/accounts/EV/second-factor"

    installer, assembler = await sure(box, "Installer"), await sure(box)
    assert (await installer.call("DELETE", path)).status == 403
    assert (await assembler.call("POST", path)).status == 403  # nor sets one up for others
    assert (await assembler.call("DELETE", path)).status == 200
    assert (await box.browser().sign_in("EV", WORDS["EV"])).status == 200
    assert (await assembler.call("GET", "/api/v1/site")).status == 200


@pytest.mark.parametrize("turn", ["PUT", "DELETE"])
async def test_a7_a_second_factor_on_or_off_ends_the_accounts_other_sessions(turn):
    box = await Box().open()
    secret = await with_second(box, "EV") if turn == "DELETE" else ""
    code = code_of(secret, box) if secret else None
    here, elsewhere = box.browser(), box.browser()
    for browser in (elsewhere, here):
        assert (await browser.sign_in("EV", WORDS["EV"], code)).status == 200
        await trio.sleep(31 if secret else 0)
        code = code_of(secret, box) if secret else None
    await here.confirm("EV")
    path = "/api/v1/accounts/EV/second-factor"
    if turn == "PUT":
        secret = (await here.call("POST", path)).json["secret"]
    body = {"code": code_of(secret, box)} if turn == "PUT" else None

    assert (await here.call(turn, path, body)).status == 200

    assert (await here.call("GET", "/api/v1/site")).status == 200
    assert (await elsewhere.call("GET", "/api/v1/site")).status == 401


async def test_a_password_set_on_site_lets_in_whom_a_lost_phone_has_shut_out():
    box = await Box().open()
    await with_second(box, "Assembler")
    on_site = asks.Who("command line", asks.LOCAL)

    assert (await box.desk.ask(asks.SetPassword("Assembler", hash_of(NEW)), on_site)).ok
    box.control.push()

    assert (await box.browser().sign_in("Assembler", NEW)).status == 200


async def test_a_password_set_by_the_assembler_leaves_the_second_factor():
    box = await Box().open()
    await with_second(box, "EV")
    browser = await box.signed_in("Assembler")
    body = {"old": WORDS["Assembler"], "new": NEW}
    assert (await browser.call("PUT", "/api/v1/accounts/EV/password", body)).status == 200

    reply = await box.browser().sign_in("EV", NEW)
    assert (reply.status, reply.json["type"]) == (401, CODE)


async def test_a5_codes_are_not_guessed_from_many_addresses_by_who_has_the_password():
    box = await Box().open()
    secret = await with_second(box, "EV")
    began, looked_at = trio.current_time(), 0
    while trio.current_time() - began < 900:
        thief = box.browser(client=f"198.51.{looked_at % 200}.{int(trio.current_time()) % 250}")
        reply = await thief.sign_in("EV", WORDS["EV"], code_of(secret, box, steps=1000))
        assert reply.status in {401, 429}
        looked_at += reply.status == 401
        await trio.sleep(3)

    owner = box.browser(client="203.0.113.5")
    refused = await owner.sign_in("EV", WORDS["EV"], code_of(secret, box))
    await trio.sleep(float(refused.headers["retry-after"]) + 1)
    opened = await owner.sign_in("EV", WORDS["EV"], code_of(secret, box))

    assert looked_at <= 11
    assert (refused.status, opened.status) == (429, 200)


async def test_where_the_clock_is_not_set_a_refused_code_says_so():
    box = await Box().open()
    secret = await with_second(box, "EV")
    fault = Fault.of(Code.CLOCK, "2026-11-21T08:00:00.000Z")
    box.seen = Seen(serial="LR1", version="1.2.3", faults=(fault,))
    box.control.push()

    reply = await box.browser().sign_in("EV", WORDS["EV"], code_of(secret, box, steps=100))

    assert reply.status == 401
    assert "the clock of this box is not set" in reply.json["detail"]


async def test_a21_no_password_hash_key_token_or_secret_is_told_by_any_route_or_line():
    box = await Box().open()
    browser = await sure(box)
    key = (await made(browser, scope="write"))["key"]
    secret = await with_second(box, "EV")
    hidden = [secret, key, browser.token, hash_of(WORDS["EV"]), *WORDS.values()]
    for entry in TABLE:
        if entry.method == "GET" and entry.answer != "events" and "{" not in entry.path:
            told = (await browser.call("GET", entry.path)).text
            assert [one for one in hidden if one in told] == [], entry.path
    assert [one for one in hidden if one in str(said(box))] == []


async def test_a2_an_import_of_settings_touches_no_account_and_no_key():
    box = await Box().open()
    await with_second(box, "EV")
    await made(await sure(box), scope="read")
    before = (str(box.shelf.kept), str(box.shelf.key_list))
    browser = await box.signed_in("Assembler")
    foreign = (await browser.call("GET", "/api/v1/settings/export")).json
    foreign["site"]["name"] = "Somebody else's"

    assert (await browser.call("POST", "/api/v1/settings/import", foreign)).status == 200

    assert (str(box.shelf.kept), str(box.shelf.key_list)) == before


# -- accounts and sessions -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "sees"), [
    ("EV", ["EV"]), ("Installer", ["Installer"]), ("Assembler", ["EV", "Installer", "Assembler"]),
])  # fmt: skip
async def test_people_see_their_own_account_and_the_assembler_all(name, sees):
    box = await Box().open()
    rows = (await (await box.signed_in(name)).call("GET", "/api/v1/accounts")).json

    assert [row["name"] for row in rows] == sees
    assert "hash" not in str(rows)
    assert "second" not in {key for row in rows for key in row}


async def test_a_closed_account_is_out_at_once_and_open_again_with_a_password():
    box = await Box().open()
    installer, assembler = await box.signed_in("Installer"), await sure(box)

    closed = await assembler.call("DELETE", "/api/v1/accounts/Installer/password")
    assert closed.status == 200
    assert (await installer.call("GET", "/api/v1/site")).status == 401
    assert (await box.browser().sign_in("Installer", WORDS["Installer"])).status == 401
    assert (await box.browser().sign_in("Installer", "")).status == 401
    told = (await box.browser().call("GET", "/api/v1/session")).json
    assert told["accounts_open"] == ["EV", "Assembler"]
    body = {"old": WORDS["Assembler"], "new": NEW}
    assert (await assembler.call("PUT", "/api/v1/accounts/Installer/password", body)).status == 200
    assert (await box.browser().sign_in("Installer", NEW)).status == 200


@pytest.mark.parametrize(("name", "status"), [("Assembler", 409), ("Root", 404), ("ev", 404)])
async def test_the_assemblers_account_is_never_closed(name, status):
    box = await Box().open()
    browser = await sure(box)

    assert (await browser.call("DELETE", f"/api/v1/accounts/{name}/password")).status == status
    assert box.shelf.kept["Assembler"].hash


async def test_who_is_signed_in_is_listed_and_ended_one_or_all():
    box = await Box().open()
    ev = await box.signed_in("EV", client="192.0.2.7")
    other = await box.signed_in("Assembler", client="192.0.2.8")
    await trio.sleep(60)
    browser = await sure(box)

    rows = (await browser.call("GET", "/api/v1/sessions")).json
    assert [(r["account"], r["source"], r["idle_s"], r["here"]) for r in rows] == [
        ("Assembler", "127.0.0.1", 0, True), ("Assembler", "192.0.2.8", 60, False),
        ("EV", "192.0.2.7", 60, False),
    ]  # fmt: skip
    assert rows[2]["since"] == "2026-11-21T08:00:00.000Z"
    for token in (ev.token, other.token, browser.token):
        assert token not in str(rows)
    path = f"/api/v1/sessions/{rows[2]['id']}"
    assert (await browser.call("DELETE", path)).status == 200
    assert (await browser.call("DELETE", path)).status == 404
    assert (await ev.call("GET", "/api/v1/site")).status == 401
    assert (await other.call("GET", "/api/v1/site")).status == 200
    assert (await browser.call("DELETE", "/api/v1/sessions")).status == 200
    assert (await other.call("GET", "/api/v1/site")).status == 401
    assert (await browser.call("GET", "/api/v1/site")).status == 200
    assert ("Assembler", "session of EV from 192.0.2.7 ended") in said(box)
    assert ("Assembler", "1 other sessions ended") in said(box)


# -- keys ------------------------------------------------------------------------------------------


async def made(browser: Browser, **wanted) -> dict:
    reply = await browser.call("POST", "/api/v1/keys", {"expires": "30d", **wanted})
    assert reply.status == 200, reply.text
    return reply.json


async def test_a9_a_key_is_told_once_works_and_is_kept_hashed():
    box = await Box().open()
    browser = await sure(box)
    key = await made(browser, scope="write", name="building")

    assert re.fullmatch(r"lr_[A-Za-z0-9_-]{43}", key["key"])
    assert (await box.browser(key=key["key"]).call("GET", "/api/v1/settings")).status == 200
    listed = await browser.call("GET", "/api/v1/keys")
    assert key["key"] not in listed.text + str(box.shelf.key_list)
    assert listed.json == [{
        "id": key["id"], "name": "building", "scope": "write", "by": "Assembler", "state": "on",
        "made": "2026-11-21T08:00:00.000Z", "expires": "2026-12-21T08:00:00.000Z",
    }]  # fmt: skip


async def test_a9_every_key_can_be_switched_off_and_on_and_removed():
    box = await Box().open()
    browser = await sure(box)
    key = await made(browser, scope="read")
    reader, path = box.browser(key=key["key"]), f"/api/v1/keys/{key['id']}"

    for on in (False, True, False):
        assert (await browser.call("PUT", path, {"on": on})).status == 200
        assert (await reader.call("GET", "/api/v1/site")).status == (200 if on else 401)
    assert (await browser.call("GET", "/api/v1/keys")).json[0]["state"] == "off"
    assert (await browser.call("DELETE", path)).status == 200
    assert (await browser.call("DELETE", path)).status == 404
    assert (await browser.call("PUT", path, {"on": True})).status == 404
    assert (await reader.call("GET", "/api/v1/site")).status == 401


async def test_there_is_one_key_of_each_scope_without_a_name_and_a_new_one_takes_its_place():
    box = await Box().open()
    browser = await sure(box)
    old, other = await made(browser, scope="read"), await made(browser, scope="write")
    new = await made(browser, scope="read")

    for key, good in ((old, False), (new, True), (other, True)):
        reply = await box.browser(key=key["key"]).call("GET", "/api/v1/site")
        assert reply.status == (200 if good else 401)


async def test_a7_a_password_change_ends_the_keys_its_account_made_until_each_is_on_again():
    box = await Box().open()
    from_site = box.add_key("read", name="on site")
    browser = await sure(box)
    key = await made(browser, scope="write", name="building")
    body = {"old": WORDS["Assembler"], "new": NEW}
    assert (await browser.call("PUT", "/api/v1/accounts/Assembler/password", body)).status == 200

    reader = box.browser(key=key["key"])
    assert (await reader.call("GET", "/api/v1/site")).status == 401
    assert (await box.browser(key=from_site).call("GET", "/api/v1/site")).status == 200
    states = {k["name"]: k["state"] for k in (await browser.call("GET", "/api/v1/keys")).json}
    assert states == {"on site": "on", "building": "password"}
    await browser.call("PUT", f"/api/v1/keys/{key['id']}", {"on": True})
    assert (await reader.call("GET", "/api/v1/site")).status == 200


@pytest.mark.parametrize(("wanted", "path"), [
    ({"expires": "forever"}, "$.expires"), ({"expires": "99999w"}, "$.expires"),
    ({"expires": "0d"}, "$.expires"), ({"name": "x" * 65}, "$.name"),
    ({"name": "a\nb"}, "$.name"), ({"name": " a"}, "$.name"), ({"name": "\u202eevil"}, "$.name"),
    ({"scope": "all"}, "$.scope"),
])  # fmt: skip
async def test_a_key_that_cannot_be_is_told_with_its_field(wanted, path):
    box = await Box().open()
    browser = await sure(box)

    reply = await browser.call(
        "POST", "/api/v1/keys", {"scope": "read", "expires": "1d", **wanted}
    )

    assert (reply.status, reply.json["path"]) == (422, path)
    assert box.shelf.key_list == []


async def test_t1_no_key_is_made_while_the_clock_is_not_set():
    fault = Fault.of(Code.CLOCK, "2026-11-21T08:00:00.000Z")
    box = await Box(seen=Seen(faults=(fault,))).open()
    browser = await sure(box)

    reply = await browser.call("POST", "/api/v1/keys", {"scope": "read", "expires": "1d"})

    assert reply.status == 409
    assert "clock" in reply.json["detail"]
    assert box.shelf.key_list == []


@pytest.mark.parametrize("text", [
    b'"\\ud800"', b'"\\u0000"', '"１２３４５６"'.encode(), b'"' + b"9" * 9000 + b'"', b"123456",
    b"null", b"[]",
])  # fmt: skip
async def test_a33_w2_a_code_or_password_of_hostile_text_is_an_answer_and_no_mistake(text):
    box = await Box().open()
    await with_second(box, "EV")
    word = f'"{WORDS["EV"]}"'.encode()
    browser = await sure(box, "Installer")
    kind = {"content-type": "application/json"}
    for body, route in (
        (b'{"account":"EV","password":%s,"code":%s}' % (word, text), "session"),
        (b'{"account":%s,"password":%s}' % (text, text), "session"),
        (b'{"password":%s}' % text, "session/confirm"),
    ):
        reply = await browser.call("POST", f"/api/v1/{route}", body=body, headers=kind)
        assert 400 <= reply.status < 500, (body, reply.text)


async def test_two_keys_have_not_the_same_name_and_there_are_fifty_at_the_most():
    box = await Box().open()
    browser = await sure(box)
    for number in range(50):
        await made(browser, scope="read", name=f"key {number}")

    again = {"scope": "read", "expires": "1d", "name": "key 7"}
    assert (await browser.call("POST", "/api/v1/keys", again)).status == 409
    more = {**again, "name": "one more"}
    assert (await browser.call("POST", "/api/v1/keys", more)).status == 409
    assert len(box.shelf.key_list) == 50


async def test_t3_an_expired_key_is_listed_as_such_and_a_clock_set_back_does_not_revive_it():
    box = await Box().open()
    browser = await sure(box)
    key = await made(browser, scope="read", expires="10m")
    reader = box.browser(key=key["key"])
    await trio.sleep(600)
    assert (await reader.call("GET", "/api/v1/site")).status == 401
    assert (await browser.call("GET", "/api/v1/keys")).json[0]["state"] == "expired"

    box.api._clock = WallClock.fixed(box.clock.utc().replace(year=2020))

    assert (await reader.call("GET", "/api/v1/site")).status == 401


# -- the audit log ---------------------------------------------------------------------------------


async def test_every_sign_in_failure_and_sign_out_is_in_the_audit_log():
    box = await Box().open()
    browser = box.browser()
    await browser.sign_in("EV", "wrong password")
    await browser.sign_in("nobody; I typed my password here", "x")
    await browser.sign_in("EV", WORDS["EV"])
    await browser.call("DELETE", "/api/v1/session")

    assert said(box) == [
        ("EV", "sign-in failed: password"), ("?", "sign-in failed: password"),
        ("EV", "signed in"), ("EV", "signed out"),
    ]  # fmt: skip


async def test_a_disk_that_takes_nothing_shuts_nobody_out():
    box = await Box().open()

    async def full(_who, _what, _used=0):
        raise OSError("No space left on device")

    box.shelf.note = full
    assert (await box.browser().sign_in("Assembler", WORDS["Assembler"])).status == 200
    assert (await box.browser().sign_in("EV", "wrong password")).status == 401


async def test_a18_a19_the_audit_log_is_paged_checked_and_taken_along_as_it_is_shown():
    box = await Box().open()
    browser = await sure(box)
    for text in ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain, with a comma", 'and a "quote"'):
        box.shelf.audit.append((text, text))

    page = (await browser.call("GET", "/api/v1/audit?limit=2")).json
    lines = [*page["lines"]]
    while page["lines"]:
        path = f"/api/v1/audit?before={page['lines'][-1]['seq']}"
        page = (await browser.call("GET", path)).json
        lines += page["lines"]
    assert [line["seq"] for line in lines] == list(range(len(box.shelf.audit), 0, -1))
    assert (await browser.call("GET", "/api/v1/audit/chain")).json["holds"] is True

    taken = await browser.call("GET", "/api/v1/audit/export?format=json")
    assert taken.json == lines
    assert all(line.keys() == taken.json[0].keys() for line in lines)
    sheet = await browser.call("GET", "/api/v1/audit/export")
    assert sheet.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(sheet.body.decode(), newline="")))
    assert [int(row["number"]) for row in rows] == [line["seq"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        cell = row["what"]
        assert cell.removeprefix("'") == line["what"]
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(("query", "path"), [
    ("since=yesterday", "$.since"), ("until=2026-01-01T00:00:00", "$.until"),
    ("text=" + "x" * 201, "$.text"), ("limit=many", "$.limit"), ("before=-1", "$.before"),
    ("since=0001-01-01T00:00:00%2B14:00", "$.since"),
])  # fmt: skip
async def test_a_query_of_the_audit_log_that_cannot_be_is_told_with_its_field(query, path):
    box = await Box().open()
    browser = await box.signed_in("Assembler")

    reply = await browser.call("GET", f"/api/v1/audit?{query}")

    assert (reply.status, reply.json["path"]) == (422, path)


async def test_the_reference_of_the_api_says_what_each_route_asks_for():
    box = await Box().open()
    browser = await box.signed_in("EV")
    told = json.loads((await browser.call("GET", "/api/v1/openapi.json")).body)

    for entry in TABLE:
        operation = told["paths"][entry.path.replace(":int", "")][entry.method.lower()]
        assert operation["x-level"] == entry.least
        assert operation.get("x-confirmed", False) == entry.confirmed
