"""Who gets through: every route with every level, first passwords, CSRF, keys, hosts, tries."""

from __future__ import annotations

import msgspec
import pytest
import trio
from tests.unit.faces.browser import PRINTED, WORDS, Box, Browser, code_of, hash_of

from linkray.desk.snapshot import Seen
from linkray.faces.web.app import build_app
from linkray.faces.web.guard import CSP
from linkray.faces.web.report import CSP as REPORT_CSP
from linkray.faces.web.table import TABLE, BadTable, Entry, check
from linkray.model import asks
from linkray.model.clients import CLIENTS, ClientCertificate, Clients, write_clients
from linkray.model.faults import Code, Fault

NEW = "purple whales never sleep"
BODIES: dict[str, object] = {
    "say_again": {"charger": "CP1"},
    "remove_aside": {"charger": ""},
    "note_step": {"done": True},
    "sign_in": {"account": "EV", "password": WORDS["EV"]},
    "first_passwords": {"passwords": {"Assembler": NEW}},
    "change_password": {"old": "?", "new": NEW},
    "patch_settings": {"site": {"fifo": True}},
    "import_settings": {"site": {"name": "New"}},
    "check_meter": {},
    "start": {"tag": "CARD1"},
    "priority": {"chargers": ["CP1"], "priority": "high"},
    "delete": {"chargers": ["CP1"]},
    "emergency_stop": {"on": True},
    "import_passports": {"version": 1, "passports": []},
    "try_csms": {"url": "ws://csms.example"},
    "let_queue_go": {"csms": "ws://former.example", "through": 9},
    "uplink_password": {"charger": "CP1", "password": "word"},
    "see_alerts": {"ids": [1]},
    "restart": {"part": "web"},
    "cancel_restart": {"charger": ""},
    "log_level": {"extended": True},
    "import_licence": {},
    "install_certificate": {"certificate": "PEM"},
    "request_certificate": {"name": "box.example"},
    "set_branding": {},
    "add_meter": {},
    "factory_reset": {"confirm": "LR1"},
    "seal_ceiling": {"limit_ma": [80_000, 80_000, 80_000]},
    "add_tags": {"tags": [{"tag": "0453F142F97280", "name": "Ellen"}]},
    "edit_tag": {"was": "04", "tag": {"tag": "04"}},
    "delete_tags": {"tags": []},
    "learn": {"on": True},
    "set_second": {"code": "123456"},
    "add_key": {"scope": "read", "expires": "1d", "name": "graphs"},
    "set_key": {"on": False},
}  # fmt: skip
FILES = {"import_tags": b"0453F142F97280,Ellen\r\n"}
BODIES |= {
    "change_key": {"key": "HeartbeatInterval", "value": "120"},
    "act_at_charger": {"act": "reset_soft"},
    "update_firmware": {"name": "a.bin", "chargers": ["CP1"]},
    "delivery_password": {"password": "word"},
}
BODIES |= {
    "make_client": {"name": "Ann", "level": 1, "password": "a word for it"},
    "require_clients": {"level": 1, "on": False},
    "set_charger_password": {},
}
LEVELS = {"": 0, "EV": 1, "Installer": 2, "Assembler": 3}
WRITES = [entry for entry in TABLE if entry.method != "GET" and not entry.signs_in]
QUESTIONS = [entry for entry in TABLE if entry.answer != "events"]


def named(entry: Entry) -> str:
    return f"{entry.method} {entry.path}"


def path_of(entry: Entry, name: str = "EV") -> str:
    whose = "EV" if entry.answer == "close_account" else name
    path = entry.path.replace("{name}", whose).replace("{id}", "CP%201").replace("{step}", "meter")
    path = path.replace("{connector:int}", "1").replace("{transaction:int}", "1")
    return path.replace("{number:int}", "0")


async def call(browser: Browser, entry: Entry, name: str = "EV", **more):
    body, path = BODIES.get(entry.answer), path_of(entry, name)
    if entry.streams:
        kind = {"content-type": entry.media[0], **more.pop("headers", {})}
        return await browser.call(entry.method, path_of(entry, name), body=b"x" * 9,
                                  headers=kind, **more)  # fmt: skip
    if entry.answer == "change_password":
        body = {"old": WORDS.get(name, "?"), "new": NEW}
    if entry.answer == "confirm":
        body = {"password": WORDS.get(name, "?")}
    if entry.answer in FILES:
        kind = {"content-type": entry.media[0]}
        more = {"body": FILES[entry.answer], **more, "headers": {**kind, **more.get("headers", {})}}
    return await browser.call(entry.method, path, body, **more)


async def ready(box: Box, browser: Browser, entry: Entry, name: str) -> Entry:
    """What a page does before: the password again, the secret before its code, a look at a list.

    The route with what it is about.
    """
    if entry.confirmed and name:
        assert (await browser.confirm(name)).status == 200
    if entry.answer == "set_second" and name:
        begun = await browser.call("POST", path_of(entry, name))
        BODIES["set_second"] = {"code": code_of(begun.json["secret"], box)}
    if entry.answer == "revoke_client":
        made = ClientCertificate("CP%201", "Ann", 1, "", "", "2999", "ab")
        box.shelf.kv[CLIENTS] = write_clients(Clients(1, (made,)))
    there = {
        "set_key": box.shelf.key_list[:1], "remove_key": box.shelf.key_list[:1],
        "end_session": box.door.opened(0) and [box.door.opened(0)[0][0]],
    }.get(entry.answer)  # fmt: skip
    if not there:
        return entry
    found = getattr(there[0], "id", there[0])
    return msgspec.structs.replace(entry, path=entry.path.replace("{id}", found))


@pytest.mark.parametrize("name", list(LEVELS))
@pytest.mark.parametrize("entry", QUESTIONS, ids=named)
async def test_a10_u19_every_route_answers_from_its_level_on_and_refuses_below(entry, name):
    box = await Box().open()
    box.add_key("read")
    browser = await box.signed_in(name) if name else box.browser()
    this = await ready(box, browser, entry, name)

    reply = await call(browser, this, name or "EV")

    if LEVELS[name] < entry.least:
        assert reply.status == (403 if name else 401)
    elif entry.only_first:
        assert reply.status == 403
    else:
        assert reply.status == 200, reply.text


@pytest.mark.parametrize("entry", TABLE, ids=named)
async def test_a1_a_first_password_opens_three_routes_and_no_other(entry):
    box = await Box(commissioned=False).open()
    browser = await box.signed_in("Assembler")

    reply = await call(browser, entry, "Assembler")

    three = {"session", "sign_out", "first_passwords"}
    assert reply.status == (200 if entry.answer in three else 403)
    assert sum(e.at_first for e in TABLE) == len(three)


@pytest.mark.parametrize("entry", TABLE, ids=named)
async def test_a22_before_any_sign_in_nothing_is_told_but_who_may_sign_in(entry):
    box = await Box(commissioned=False).open()

    reply = await call(box.browser(), entry)

    if entry.answer == "session":
        assert reply.json["accounts_open"] == ["Assembler"]
        assert reply.json["account"] is None
    else:
        assert reply.status in {401, 403}


async def test_a1_the_printed_password_works_once_and_is_dead_afterwards():
    box = await Box(commissioned=False).open()
    browser = await box.signed_in("Assembler")
    old_token = browser.token
    words = {"Assembler": NEW, "EV": WORDS["EV"], "Installer": None}

    done = await browser.call("POST", "/api/v1/first-passwords", {"passwords": words})

    assert done.status == 200
    assert done.json["must_change"] is False
    assert done.json["accounts_open"] == ["EV", "Assembler"]
    assert (await browser.call("GET", "/api/v1/site")).status == 200
    browser.token = old_token
    assert (await browser.call("GET", "/api/v1/site")).status == 401
    assert (await box.browser().sign_in("Assembler", PRINTED)).status == 401
    assert (await box.browser().sign_in("Assembler", NEW)).status == 200
    assert (await box.browser().sign_in("Installer", "")).status == 401
    assert "printed" not in str(box.shelf.kept)


@pytest.mark.parametrize(("client", "status"), [
    ("127.0.0.1", 200), ("::1", 200), ("169.254.3.4", 200), ("fe80::1", 200),
    ("::ffff:127.0.0.1", 200), ("192.0.2.7", 403), ("10.9.9.9", 403), ("8.8.8.8", 403), ("", 403),
])  # fmt: skip
async def test_the_printed_password_is_taken_from_next_door_only(client, status):
    box = await Box(commissioned=False).open()

    reply = await box.browser(client=client).sign_in("Assembler", PRINTED)

    assert reply.status == status


async def test_the_printed_password_is_refused_when_its_time_is_over():
    box = await Box(commissioned=False, seen=Seen(commissioning_open=False)).open()

    reply = await box.browser().sign_in("Assembler", PRINTED)

    assert reply.status == 403
    assert "button" in reply.json["detail"]


@pytest.mark.parametrize(("words", "path"), [
    ({"Assembler": "short"}, "$.passwords.Assembler"),
    ({"Assembler": NEW, "EV": "Password1234"}, "$.passwords.EV"),
    ({"Assembler": NEW, "Installer": "installer-1234"}, "$.passwords.Installer"),
    ({"EV": NEW}, "$.passwords"),
    ({"Assembler": NEW, "Root": NEW}, "$.passwords.Root"),
    ({"Assembler": 5}, "$.passwords.Assembler"),
])  # fmt: skip
async def test_a4_a_weak_first_password_is_refused_with_its_path_and_sets_none(words, path):
    box = await Box(commissioned=False).open()
    browser = await box.signed_in("Assembler")

    reply = await browser.call("POST", "/api/v1/first-passwords", {"passwords": words})

    assert (reply.status, reply.json["path"]) == (422, path)
    assert box.shelf.kept["Assembler"].first
    assert box.shelf.kept["EV"].hash == ""


@pytest.mark.parametrize("mine", ["EV", "Installer", "Assembler"])
@pytest.mark.parametrize("name", ["EV", "Installer", "Assembler"])
async def test_a6_a_password_is_changed_with_the_askers_own_and_by_no_lower(mine, name):
    box = await Box().open()
    browser = await box.signed_in(mine)
    path = f"/api/v1/accounts/{name}/password"

    wrong = await browser.call("PUT", path, {"old": "not my password", "new": NEW})
    right = await browser.call("PUT", path, {"old": WORDS[mine], "new": NEW})

    allowed = mine in {name, "Assembler"}
    assert wrong.status == (401 if allowed else 403)
    assert right.status == (200 if allowed else 403)
    assert (box.shelf.kept[name].hash == hash_of(NEW)) == allowed


async def test_a7_a_password_change_ends_every_other_session_of_the_account():
    box = await Box().open()
    elsewhere, here = await box.signed_in("EV"), await box.signed_in("EV")
    other = await box.signed_in("Installer")

    await here.call("PUT", "/api/v1/accounts/EV/password", {"old": WORDS["EV"], "new": NEW})

    assert (await elsewhere.call("GET", "/api/v1/site")).status == 401
    assert (await here.call("GET", "/api/v1/site")).status == 200
    assert (await other.call("GET", "/api/v1/site")).status == 200


async def test_a7_a_password_changed_on_site_ends_sessions_too():
    box = await Box().open()
    browser = await box.signed_in("EV")

    cli = asks.Who("command line", asks.LOCAL)
    assert (await box.desk.ask(asks.SetPassword("EV", hash_of(NEW)), cli)).ok
    box.control.push()

    assert (await browser.call("GET", "/api/v1/site")).status == 401


async def test_a7_a_password_changed_by_a_clock_set_back_ends_sessions_too():
    box = await Box().open()
    ahead = asks.Account("Assembler", 3, hash_of(NEW), changed="2031-01-01T00:00:00.000Z")
    box.shelf.kept["Assembler"] = ahead
    await box.desk.begin()
    box.control.push()
    browser = await box.signed_in("EV")

    cli = asks.Who("command line", asks.LOCAL)
    assert (await box.desk.ask(asks.SetPassword("EV", hash_of(NEW)), cli)).ok
    box.control.push()

    assert (await browser.call("GET", "/api/v1/site")).status == 401


async def test_a7_a_password_that_changes_while_it_is_checked_opens_nothing():
    box = await Box().open()
    quick = box.api._hashing.is_password

    async def slow(kept, password):
        good = await quick(kept, password)
        cli = asks.Who("command line", asks.LOCAL)
        assert (await box.desk.ask(asks.SetPassword("EV", hash_of(NEW)), cli)).ok
        return good

    box.api._hashing.is_password = slow
    browser = box.browser()

    assert (await browser.sign_in("EV", WORDS["EV"])).status == 401
    assert browser.token == ""


async def test_a7_signing_out_and_signing_in_again_end_the_session_before():
    box = await Box().open()
    browser = await box.signed_in("EV")
    first = browser.token
    await browser.sign_in("EV", WORDS["EV"])
    second = browser.token
    out = await browser.call("DELETE", "/api/v1/session")

    assert out.status == 200
    assert "Max-Age=0" in out.headers["set-cookie"]
    for token in (first, second):
        browser.token = token
        assert (await browser.call("GET", "/api/v1/site")).status == 401


async def test_a7_fifteen_minutes_of_watching_alone_sign_out():
    box = await Box().open()
    browser = await box.signed_in("Installer")
    for _minute in range(14):
        await trio.sleep(60)
        assert (await browser.call("GET", "/api/v1/snapshot")).status == 200
    assert (await browser.call("GET", "/api/v1/settings")).status == 200  # a person's doing
    await trio.sleep(14 * 60)
    assert (await browser.call("GET", "/api/v1/snapshot")).status == 200
    await trio.sleep(60)

    assert (await browser.call("GET", "/api/v1/snapshot")).status == 401


async def test_the_cookie_is_for_this_host_https_and_no_script():
    box = await Box().open()
    reply = await box.browser().sign_in("EV", WORDS["EV"])

    name, *flags = reply.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-linkray=")
    assert set(flags) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    assert name.split("=")[1] not in str(box.door.sessions._open)


FORGED = {
    "no token": {"x-linkray-csrf": None},
    "wrong token": {"x-linkray-csrf": "A" * 43},
    "not ascii token": {"x-linkray-csrf": "é"},
    "no origin": {"origin": None},
    "other origin": {"origin": "https://evil.example"},
    "null origin": {"origin": "null"},
    "plain origin": {"origin": "http://linkray-1.local"},
    "other port": {"origin": "https://linkray-1.local:8443"},
    "cross-site fetch": {"sec-fetch-site": "cross-site"},
    "same-site fetch": {"sec-fetch-site": "same-site"},
    "simple form post": {"x-linkray-csrf": None, "origin": "https://evil.example",
                         "content-type": "application/x-www-form-urlencoded"},
    "text/plain JSON": {"x-linkray-csrf": None, "content-type": "text/plain"},
}  # fmt: skip


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("entry", WRITES, ids=named)
async def test_a11_no_write_is_done_for_a_page_of_somebody_else(entry, forged):
    box = await Box(commissioned=not entry.only_first).open()
    browser = await box.signed_in("Assembler")
    before = (box.shelf.revision, str(box.shelf.kept), len(box.did))

    reply = await call(browser, entry, "Assembler", headers=FORGED[forged])

    assert reply.status == 403
    assert (box.shelf.revision, str(box.shelf.kept), len(box.did)) == before


@pytest.mark.parametrize("forged", ["other origin", "null origin", "cross-site fetch"])
async def test_a11_no_other_page_signs_anybody_in(forged):
    box = await Box().open()
    body = {"account": "EV", "password": WORDS["EV"]}

    reply = await box.browser().call("POST", "/api/v1/session", body, headers=FORGED[forged])

    assert reply.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded",
                                  "multipart/form-data; boundary=x", ""])  # fmt: skip
async def test_a_body_that_is_not_json_is_refused_though_all_else_is_right(kind):
    box = await Box().open()
    browser = await box.signed_in("Installer")

    reply = await browser.call(
        "PATCH", "/api/v1/settings", body=b'{"site":{"fifo":true}}', headers={"content-type": kind}
    )

    assert reply.status == 415


@pytest.mark.parametrize("scope", ["none", "bad", "expired", "disabled", "read", "write"])
@pytest.mark.parametrize("entry", QUESTIONS, ids=named)
async def test_a9_keys_get_what_their_scope_says_and_a_read_key_never_writes(entry, scope):
    box = await Box().open()
    key = {
        "none": "", "bad": "lr_" + "A" * 43, "expired": box.add_key("write", days=-1),
        "disabled": box.add_key(""), "read": box.add_key("read"), "write": box.add_key("write"),
    }[scope]  # fmt: skip
    before = (box.shelf.revision, str(box.shelf.kept), len(box.did))

    reply = await call(box.browser(key=key), entry)

    level = {"read": 1, "write": 2}.get(scope, 0)
    if not level:
        assert reply.status == 401
    elif level < entry.least or entry.people or (level == 1 and entry.method != "GET"):
        assert reply.status == 403
    else:
        assert reply.status == 200, reply.text
    if scope != "write":
        assert (box.shelf.revision, str(box.shelf.kept), len(box.did)) == before


async def test_a9_a_key_needs_neither_cookie_nor_csrf_and_beside_a_cookie_it_counts():
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    browser.key = box.add_key("read")

    assert (await browser.call("GET", "/api/v1/settings")).status == 403
    writer = box.browser(key=box.add_key("write"))
    bare = {"origin": None, "x-linkray-csrf": None, "sec-fetch-site": None}
    reply = await writer.call("POST", "/api/v1/identify", headers=bare)
    assert reply.status == 200


async def test_a9_keys_are_refused_while_the_clock_is_not_set_and_before_commissioning():
    fault = Fault.of(Code.CLOCK, "2026-11-21T08:00:00.000Z")
    box = await Box(seen=Seen(faults=(fault,))).open()
    early = await Box(commissioned=False).open()

    assert (await box.browser(key=box.add_key("read")).call("GET", "/api/v1/site")).status == 401
    reply = await early.browser(key=early.add_key("read")).call("GET", "/api/v1/site")
    assert reply.status == 403


@pytest.mark.parametrize(("host", "good"), [
    ("linkray-1.local", True), ("linkray-LR123", True), ("localhost", True), ("box", True),
    ("localhost:8443", True), ("127.0.0.1", True), ("127.0.0.1:443", True), ("[::1]:443", True),
    ("192.0.2.1", True), ("192.0.2.1:443", True), ("LINKRAY-1.LOCAL.", True),
    ("192.0.2.2", False), ("evil.example", False), ("linkray-1.local.evil.example", False),
    ("linkray-1.evil.example", False), ("evil-linkray-1.local", False), ("", False),
    ("linkray-1.local@evil.example", False), ("box/../x", False), ("2130706433", False),
    ("[::ffff:192.0.2.2]", False), ("[", False), ("xn--linkray-1", False),
])  # fmt: skip
async def test_a15_only_our_own_names_and_addresses_are_answered(host, good):
    box = await Box().open()

    for path in ("/api/v1/session", "/"):
        reply = await box.browser(host=host).call("GET", path)
        assert reply.status == (200 if good else 421)


async def test_a15_two_host_headers_or_none_are_refused():
    box = await Box().open()
    browser = box.browser()
    scope = browser.scope("GET", "/", {})
    for hosts in ([], [(b"host", b"box"), (b"host", b"evil.example")]):
        sent = []

        async def send(message, sent=sent):
            sent.append(message)

        await box.app({**scope, "headers": hosts}, None, send)
        assert sent[0]["status"] == 421


async def test_a14_every_answer_carries_the_headers_that_browsers_obey():
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    replies = [await call(browser, entry, "EV") for entry in QUESTIONS if entry.method == "GET"]
    replies += [await browser.call("GET", path) for path in ("/", "/api/v1/x", "/x.js")]
    replies += [await browser.call("TRACE", "/api/v1/site")]
    replies += [await box.browser(host="evil.example").call("GET", "/")]

    for reply in replies:
        assert reply.headers["content-security-policy"] in {CSP, REPORT_CSP}
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in reply.headers
        assert "server" not in reply.headers
    assert "unsafe" not in CSP
    assert "frame-ancestors 'none'" in CSP


async def test_a5_the_sixth_wrong_password_waits_and_says_how_long():
    box = await Box().open()
    attacker, owner = box.browser(client="192.0.2.66"), box.browser(client="192.0.2.7")
    for _try in range(5):
        assert (await attacker.sign_in("EV", "wrong password")).status == 401

    slowed = await attacker.sign_in("EV", WORDS["EV"])

    assert slowed.status == 429
    assert slowed.headers["retry-after"] == "1"
    await trio.sleep(2.0)
    assert (await owner.sign_in("EV", WORDS["EV"])).status == 200


async def test_a5_unknown_accounts_are_told_nothing_else_and_counted_too():
    box = await Box().open()
    browser = box.browser()
    known = await browser.sign_in("EV", "wrong password")
    unknown = await browser.sign_in("Root", "wrong password")

    assert known.status == unknown.status == 401
    assert known.body == unknown.body
    for number in range(3):
        await browser.sign_in(f"Root{number}", "wrong password")
    assert (await browser.sign_in("Root9", "wrong password")).status == 429


def test_a10_a_route_without_a_level_does_not_start():
    with pytest.raises(TypeError, match="least"):
        Entry("GET", "/api/v1/new", answer="site", what="New")


@pytest.mark.parametrize(("change", "words"), [
    ({"least": 7}, "level"), ({"least": None}, "level"), ({"answer": "nobody"}, "answerer"),
])  # fmt: skip
async def test_a10_a_wrong_table_does_not_start(change, words):
    box = await Box().open()
    table = (msgspec.structs.replace(TABLE[0], **change),)

    with pytest.raises(BadTable, match=words):
        build_app(box.api, box.door, {}, [], table)
    with pytest.raises(BadTable, match="twice"):
        check((TABLE[0], TABLE[0]), box.api)
