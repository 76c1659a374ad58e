"""What the API says: parts of a snapshot, settings with ETag, problems with path, SSE."""

from __future__ import annotations

import json

import pytest
import trio
from msgspec.structs import replace
from openapi_spec_validator import validate
from tests.unit.faces.browser import WORDS, Box
from tests.unit.faces.test_web_access import BODIES

from linkray.desk.snapshot import Seen
from linkray.faces.web.near import attached_v4, attached_v6, is_near, source_of
from linkray.faces.web.openapi import document
from linkray.faces.web.static import file_of
from linkray.faces.web.table import TABLE
from linkray.model import asks
from linkray.model.faults import Code, Fault
from linkray.model.plan import Held, Offer, Plan, Reason
from linkray.model.settings import Charger, Settings, Site, least_levels
from linkray.model.units import Phases
from linkray.model.views import (
    ChargerView,
    ConnectorView,
    MeterView,
    SetAsideMessage,
    UplinkView,
)

SEEN = Seen(
    settings=Settings(site=Site(name="Yard"), chargers=(Charger("CP1", name="Bay 1"),)),
    plan=Plan(
        seq=7, budget_ma=Phases.each(60_000), limit_ma=Phases.each(63_000),
        offers=(Offer("CP1", 1, Phases(16_000), Phases(15_500), Reason("fair_share"), ()),),
    ),
    chargers=(
        ChargerView("CP9", connected=True),
        ChargerView("CP1", connected=True, connectors=(ConnectorView(1, transaction_id=5),)),
    ),
    meter=MeterView(enabled=True, healthy=True, age_s=0.4, current_ma=Phases(1, 2, 3),
                    voltage_mv=(231_000, None, 229_000)),
    faults=(Fault.of(Code.METER, "2026-11-21T08:00:00.000Z"),),
    serial="LR1", version="1.2.3", simulated=True,
)  # fmt: skip


async def test_the_parts_of_a_snapshot_are_what_decided_md_names():
    box = await Box(seen=SEEN).open()
    browser = await box.signed_in("EV")
    parts = {name: (await browser.call("GET", f"/api/v1/{name}")).json
             for name in ("snapshot", "site", "plan", "chargers", "meter", "faults")}  # fmt: skip

    assert parts["plan"]["offers"][0]["reason"].pop("text") == "a fair share"
    assert {n: parts["snapshot"][n] for n in parts if n != "snapshot"} == {
        n: part for n, part in parts.items() if n != "snapshot"
    }
    assert parts["plan"]["offers"][0] == {
        "charger": "CP1", "connector": 1, "offer_ma": [16000, 0, 0], "drawn_ma": [15500, 0, 0],
        "reason": {"code": "fair_share"}, "ceilings": [],
        "wanted_ma": 0, "next_look_s": None, "high": False, "reserve": None,
    }  # fmt: skip
    assert [c["id"] for c in parts["chargers"]] == ["CP1", "CP9"]
    assert parts["chargers"][0]["name"] == "Bay 1"
    assert parts["meter"]["current_ma"] == [1, 2, 3]
    assert parts["faults"][0]["code"] == "meter"
    site = parts["site"]
    assert (site["name"], site["sessions"], site["chargers_connected"]) == ("Yard", 1, 2)
    assert site["voltage_mv"] == [231_000, 230_000, 229_000]
    assert (site["used_ma"], site["available_ma"]) == ([15500, 0, 0], [44500, 60000, 60000])


async def test_the_plan_says_why_in_a_sentence_beside_the_code():
    why = Reason("unreachable_reserved", charger="CP1", phase="L1")
    plan = Plan(
        seq=8, stopped=Reason("emergency_stop", by="UI"), held=Held(20.0, ("L1",)),
        offers=(
            Offer("CP9", 1, Phases(6_000), None, why, ()),
            Offer("CP1", 1, Phases(), None, Reason("fail_safe"), ()),
            Offer("CP9", 2, Phases(), None, Reason("degraded_limit", phase="L1", seconds=20), ()),
        ),
    )  # fmt: skip
    away = (ChargerView("CP1"), ChargerView("CP9", connected=True))
    box = await Box(seen=replace(SEEN, plan=plan, chargers=away)).open()
    told = (await (await box.signed_in("EV")).call("GET", "/api/v1/plan")).json

    first, lost, held = (offer["reason"] for offer in told["offers"])
    assert first == {
        "code": "unreachable_reserved", "charger": "CP1", "phase": "L1",
        "text": "kept back for Bay 1, a charger that cannot be reached",
    }  # fmt: skip
    assert lost["text"] == "it is not connected"
    until = told["held"]["until"]
    assert held["text"] == (
        f"the meter is back; its degraded limit on L1 still holds until {until}"
    )
    assert told["stopped"]["text"] == "all charging is stopped by the pages"


async def test_settings_carry_their_revision_and_a_change_on_an_older_one_is_412():
    box = await Box().open()
    one, two = await box.signed_in("Installer"), await box.signed_in("Assembler")
    seen = await one.call("GET", "/api/v1/settings")
    etag = {"if-match": seen.headers["etag"]}

    first = await one.call("PATCH", "/api/v1/settings", {"site": {"fifo": True}}, headers=etag)
    second = await two.call("PATCH", "/api/v1/settings", {"site": {"name": "B"}}, headers=etag)

    assert (seen.headers["etag"], first.headers["etag"]) == ('"1"', '"2"')
    assert first.json["site"]["fifo"] is True
    assert second.status == 412
    assert box.shelf.settings.value.site.name == ""
    late = await two.call("PATCH", "/api/v1/settings", {"site": {"name": "B"}})
    assert late.json["site"] == {**first.json["site"], "name": "B"}
    assert (await two.call("GET", "/api/v1/settings", headers={"if-none-match": '"3"'})).status \
        == 304  # fmt: skip


@pytest.mark.parametrize("bad", ["abc", '"1", "2"', '""', "-1", "１"])
async def test_an_if_match_that_is_none_of_ours_never_matches(bad):
    box = await Box().open()
    browser = await box.signed_in("Installer")

    reply = await browser.call("PATCH", "/api/v1/settings", {}, headers={"if-match": bad})

    assert reply.status == 412


@pytest.mark.parametrize(("level", "body", "status", "path"), [
    ("Installer", {"site": {"voltage_mv": 5}}, 422, "$.site.voltage_mv"),
    ("Installer", {"site": {"colour": 1}}, 422, "$.site.colour"),
    ("Installer", {"site": {"limit_ma": [1, 2, "x"]}}, 422, "$.site.limit_ma[2]"),
    ("Installer", {"csms": {"url": "ws://x"}}, 403, "$.csms.url"),
    ("Installer", {"site": {"meter": {"file": {"Name": "broken"}}}}, 422, "$.site.meter.file"),
    ("Installer", [1], 422, "$"),
    ("Assembler", {"csms": {"url": 5}}, 422, "$.csms.url"),
])  # fmt: skip
async def test_a_bad_setting_is_a_problem_with_its_path(level, body, status, path):
    box = await Box().open()
    browser = await box.signed_in(level)

    reply = await browser.call("PATCH", "/api/v1/settings", body)

    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json) == {"type", "title", "status", "detail", "path"}
    assert (reply.status, reply.json["status"], reply.json["path"]) == (status, status, path)
    assert box.shelf.revision == 1


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b'{"a":' * 50_000, b'"\\ud800"',
                                  b"NaN", b"1e999", b"null"])  # fmt: skip
@pytest.mark.parametrize("path", [
    "PATCH /api/v1/settings", "POST /api/v1/settings/import", "POST /api/v1/emergency-stop",
    "POST /api/v1/session",
])  # fmt: skip
async def test_w2_what_is_no_json_is_refused_and_harms_nothing(path, text):
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    method, route = path.split()

    reply = await browser.call(
        method, route, body=text, headers={"content-type": "application/json"}
    )

    assert reply.status in {400, 413, 415, 422}
    assert box.shelf.revision == 1


@pytest.mark.parametrize("entry", [e for e in TABLE if e.method != "GET"],
                         ids=lambda e: f"{e.method} {e.path}")  # fmt: skip
@pytest.mark.parametrize("announced", [True, False])
async def test_w2_every_route_has_a_greatest_body(entry, announced):
    box = await Box(commissioned=not entry.only_first).open()
    browser = await box.signed_in("Assembler")
    if entry.confirmed:
        await browser.confirm("Assembler")
    path = entry.path.replace("{name}", "EV").replace("{id}", "C").replace("{connector:int}", "1")
    headers = {"content-type": entry.media[0]}
    if announced:
        headers["content-length"] = str(entry.body_max + 1)

    reply = await browser.call(entry.method, path, body=b" " * (entry.body_max + 1),
                               headers=headers)  # fmt: skip

    assert reply.status == 413


async def test_a28_a_body_that_trickles_is_given_up():
    box = await Box().open()
    browser = await box.signed_in("Installer")
    scope = browser.scope("PATCH", "/api/v1/settings", {
        **browser.headers("PATCH"), "content-type": "application/json", "content-length": "9000",
    })  # fmt: skip
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        await trio.sleep(1.0)
        return {"type": "http.request", "body": b" ", "more_body": True}

    began = trio.current_time()
    await box.app(scope, receive, send)

    assert sent[0]["status"] == 408
    assert trio.current_time() - began < 11


async def test_acts_reach_the_desk_with_what_was_asked():
    box = await Box().open()
    browser = await box.signed_in("Installer")
    start = "/api/v1/chargers/CP+1/connectors/2/start"
    for path, body in (
        (start, None), (start, {"tag": "CARD1"}), ("/api/v1/chargers/CP1/connectors/1/stop", None),
        ("/api/v1/chargers/priority", {"chargers": ["CP1"], "priority": "high"}),
        ("/api/v1/chargers/delete", {"chargers": ["CP1", "CP2"]}),
        ("/api/v1/emergency-stop", {"on": True}), ("/api/v1/identify", None),
    ):  # fmt: skip
        reply = await browser.call("POST", path, body)
        assert reply.json == {"ok": True, "text": "Done"}

    assert box.did == [
        asks.StartCharging("CP+1", 2), asks.StartCharging("CP+1", 2, "CARD1"),
        asks.StopCharging("CP1", 1), asks.SetPriority(("CP1",), "high"),
        asks.DeleteCharger(("CP1", "CP2")), asks.SetEmergencyStop(on=True), asks.Identify(),
    ]  # fmt: skip


async def test_anybody_signed_in_may_stop_everything_but_not_allow_it_again():
    box = await Box().open()
    browser = await box.signed_in("EV")

    assert (await browser.call("POST", "/api/v1/emergency-stop", {"on": True})).status == 200
    assert (await browser.call("POST", "/api/v1/emergency-stop", {"on": False})).status == 403


async def test_export_and_import_are_each_others_inverse_and_a_check_changes_nothing():
    box = await Box().open()
    browser = await box.signed_in("Assembler")
    await browser.call("PATCH", "/api/v1/settings", {"site": {"name": "Yard"}})
    file = await browser.call("GET", "/api/v1/settings/export")
    await browser.call("PATCH", "/api/v1/settings", {"site": {"name": "Other"}})

    check = await browser.call("POST", "/api/v1/settings/import?check=1", file.json)
    held = box.shelf.settings.value.site.name
    done = await browser.call("POST", "/api/v1/settings/import", file.json)

    assert "attachment" in file.headers["content-disposition"]
    assert (check.status, held) == (200, "Other")
    assert check.json["changes"] == [{"name": "site.name", "now": "Other", "new": "Yard"}]
    assert done.json == file.json


async def test_a_check_tells_what_a_file_leaves_out_as_a_change_too():
    box = await Box(seen=SEEN).open()
    browser = await box.signed_in("Assembler")
    await browser.call("PATCH", "/api/v1/settings", {"site": {"fifo": True, "name": "Yard"}})

    check = await browser.call("POST", "/api/v1/settings/import?check=1", {"site": {"name": "Z"}})

    assert {(c["name"], c["now"], c["new"]) for c in check.json["changes"]} >= {
        ("site.fifo", True, False), ("site.name", "Yard", "Z"),
    }  # fmt: skip


async def test_the_schema_names_unit_level_and_help_of_every_setting():
    box = await Box().open()
    browser = await box.signed_in("Installer")

    schema = (await browser.call("GET", "/api/v1/settings/schema")).json

    voltage = schema["$defs"]["Site"]["properties"]["voltage_mv"]
    assert (voltage["x-unit"], voltage["x-level"], voltage["minimum"]) == ("mV", 2, 90_000)
    assert schema["$defs"]["Csms"]["properties"]["url"]["x-level"] == 3
    assert least_levels()["csms.url"] == 3


async def test_meter_files_are_listed_and_checked():
    box = await Box().open()
    browser = await box.signed_in("Installer")
    kind = {"content-type": "text/plain"}

    shipped = await browser.call("GET", "/api/v1/meters")
    good = await browser.call("POST", "/api/v1/meters/check", body=b'{"Name":"X"}', headers=kind)
    bad = await browser.call("POST", "/api/v1/meters/check", body=b"junk", headers=kind)

    assert shipped.json == [
        {"name": "EM340", "file": {"Name": "EM340"}, "note": "", "own": False}
    ]
    assert good.json == {"file": {"Name": "read"}}
    assert (bad.status, bad.json["path"]) == (422, "$")


@pytest.mark.parametrize(("lines", "status", "got"), [
    ("2", 200, ["two", "three"]), ("0", 200, []), ("999", 200, ["one", "two", "three"]),
    ("x", 422, None), ("-1", 422, None), ("１", 422, None),
])  # fmt: skip
async def test_the_newest_lines_of_the_log(lines, status, got):
    box = await Box().open()
    browser = await box.signed_in("Installer")

    reply = await browser.call("GET", f"/api/v1/log?lines={lines}")

    assert reply.status == status
    assert got is None or reply.json == {"lines": got}


async def test_without_control_people_are_told_so_and_keep_their_session():
    box = await Box().open()
    browser = await box.signed_in("Installer")
    box.control.away = True
    box.control.push()

    gone = await browser.call("GET", "/api/v1/site")
    settings = await browser.call("GET", "/api/v1/settings")
    who = await browser.call("GET", "/api/v1/session")

    assert (gone.status, settings.status) == (503, 503)
    assert gone.json["detail"] == "LinkRay's control does not answer"
    assert who.json["account"] == "Installer"
    box.control.away = False
    box.control.push()
    assert (await browser.call("GET", "/api/v1/site")).status == 200


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api/v1/nothing", 404), ("GET", "/api/v2/site", 404), ("POST", "/api/v1/site", 405),
    ("DELETE", "/api/v1/settings", 405), ("BREW", "/api/v1/site", 405), ("POST", "/", 405),
    ("GET", "/nothing.js", 404), ("GET", "/../../etc/passwd", 200), ("GET", "/chargers/CP1", 200),
    ("GET", "/api/v1/chargers/CP1/connectors/1/start", 405), ("HEAD", "/", 200),
    ("POST", "/api/v1/chargers/CP1/connectors/x/start", 404),
    ("POST", f"/api/v1/chargers/CP1/connectors/{'9' * 5000}/start", 404),
    ("POST", f"/api/v1/chargers/CP1/connectors/{2**64}/stop", 404),
    ("GET", f"/api/v1/site?{'&'.join(['a=1'] * 30)}", 400),
])  # fmt: skip
async def test_w3_every_other_path_and_method_has_an_answer(method, path, status):
    box = await Box().open()
    browser = await box.signed_in("Installer")

    reply = await browser.call(method, path)

    assert reply.status == status
    if status >= 400:
        assert reply.json["status"] == status
    elif method == "GET":
        assert reply.body == b"<!doctype html>"


@pytest.mark.parametrize(("method", "path", "words", "allow"), [
    ("DELETE", "/api/v1/settings", "Expected GET or PATCH at /api/v1/settings, got DELETE",
     "GET, HEAD, PATCH"),
    ("PATCH", "/api/v1/session", "Expected DELETE, GET or POST at /api/v1/session, got PATCH",
     "DELETE, GET, HEAD, POST"),
    ("GET", "/api/v1/chargers/CP1/connectors/1/start",
     "Expected POST at /api/v1/chargers/{id}/connectors/{connector}/start, got GET", "POST"),
    ("POST", "/info", "Expected GET at a page, got POST", "GET, HEAD"),
])  # fmt: skip
async def test_a_method_that_a_path_does_not_have_is_told_with_all_that_it_has(
    method, path, words, allow
):
    box = await Box().open()
    browser = await box.signed_in("Installer")

    reply = await browser.call(method, path)

    assert (reply.status, reply.json["detail"]) == (405, words)
    assert reply.headers["allow"] == allow


async def test_a_route_that_there_is_not_is_404_for_every_method():
    box = await Box().open()
    browser = await box.signed_in("Installer")

    for method in ("GET", "POST", "PATCH", "DELETE"):
        assert (await browser.call(method, "/api/v1/nothing")).status == 404


async def test_hashed_files_are_kept_for_ever_and_come_compressed():
    box = await Box().open()
    browser = box.browser()
    ask = {"accept-encoding": "gzip, br"}

    script = await browser.call("GET", "/app-3QXKDJ2L.js", headers=ask)
    page = await browser.call("GET", "/", headers=ask)
    plain = await browser.call("GET", "/app-3QXKDJ2L.js", headers={"accept-encoding": "br;q=0"})

    assert (script.body, script.headers["content-encoding"]) == (b"BR", "br")
    assert "immutable" in script.headers["cache-control"]
    assert (page.body, page.headers["cache-control"]) == (b"GZ", "no-cache")
    assert plain.body == b"let a"
    again = await browser.call("GET", "/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(("path", "hashed"), [
    ("/app-3QXKDJ2L.js", True), ("/icon-7772c455e1.svg", True), ("/a/b-ABCDEFGH.css", True),
    ("/index.html", False), ("/linkray-settings.json", False), ("/icon-large.svg", False),
])  # fmt: skip
def test_only_a_name_that_bears_a_hash_is_kept_for_ever(path, hashed):
    file = file_of(path, b"x", {})

    assert file is not None
    assert file.immutable == hashed
    assert file_of("/secrets.pem", b"x", {}) is None


async def test_the_openapi_document_is_valid_and_names_every_route():
    box = await Box().open()
    browser = await box.signed_in("EV")

    told = (await browser.call("GET", "/api/v1/openapi.json")).json

    validate(told)
    assert told["openapi"].startswith("3.1")
    listed = {(m.upper(), p) for p, by in told["paths"].items() for m in by}
    assert listed == {(e.method, e.path.replace(":int", "")) for e in TABLE}
    ids = [one["operationId"] for by in told["paths"].values() for one in by.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("method", "path", "words"), [
    ("get", "/api/v1/site", "EV, or a key with scope read or write"),
    ("post", "/api/v1/emergency-stop", "EV, or a key with scope write"),
    ("post", "/api/v1/chargers/{id}/connectors/{connector}/start", "EV, or a key with scope write"),
    ("get", "/api/v1/settings", "Installer, or a key with scope write"),
    ("patch", "/api/v1/settings", "Installer, or a key with scope write"),
    ("put", "/api/v1/accounts/{name}/password", "EV; not for keys"),
    ("put", "/api/v1/ceiling", "Assembler; not for keys"),
])  # fmt: skip
async def test_the_openapi_document_says_which_key_opens_a_route(method, path, words):
    box = await Box().open()
    browser = await box.signed_in("EV")

    told = (await browser.call("GET", "/api/v1/openapi.json")).json

    assert told["paths"][path][method]["description"].endswith(f"({words})")
    scopes = told["components"]["securitySchemes"]["key"]["description"]
    assert "`read`" in scopes and "`write`" in scopes


@pytest.mark.parametrize("scope", ["read", "write"])
@pytest.mark.parametrize("entry", [e for e in TABLE if e.least and e.answer != "events"],
                         ids=lambda e: f"{e.method} {e.path}")  # fmt: skip
async def test_a_key_opens_what_the_openapi_document_says(entry, scope):
    box = await Box().open()
    words = document(TABLE, "")["paths"][entry.path.replace(":int", "")]
    told = words[entry.method.lower()]["description"]
    path = entry.path.replace("{name}", "EV").replace("{id}", "C").replace("{connector:int}", "1")
    body = BODIES.get(entry.answer)

    reply = await box.browser(key=box.add_key(scope)).call(entry.method, path, body)

    opens = "not for keys" not in told and scope in told.partition("key with scope ")[2]
    assert (reply.status == 403) != opens, reply.text


class Viewer:
    """Reads a live stream until told to leave."""

    def __init__(self, browser) -> None:
        self.events: list[str] = []
        self.status = 0
        self.kind = ""
        self.ended = trio.Event()
        self.browser = browser
        self._left = trio.Event()

    async def watch(self) -> None:
        browser = self.browser
        scope = browser.scope("GET", "/api/v1/events", browser.headers("GET"))
        await browser.app(scope, self._receive, self._send)
        self.ended.set()

    def leave(self) -> None:
        self._left.set()

    async def _receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.kind = dict(message["headers"])[b"content-type"].decode()
        elif message["body"]:
            self.events.append(message["body"].decode())
        await trio.lowlevel.checkpoint()


async def test_a_live_stream_has_a_snapshot_at_once_each_new_one_and_a_comment_in_silence():
    box = await Box(seen=SEEN).open()
    viewer = Viewer(await box.signed_in("EV"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(viewer.watch)
        await trio.sleep(0.1)
        first = viewer.events[0].split("\n")
        box.control.push()
        await trio.sleep(0.1)
        await trio.sleep(10)

        assert viewer.kind == "text/event-stream"
        assert first[0] == "event: snapshot"
        data = json.loads(first[2].removeprefix("data: "))
        assert first[1] == f"id: {data['seq']}"
        assert first[3:] == ["", ""]
        assert data["site"]["name"] == "Yard"
        assert viewer.events[1].startswith(f"event: snapshot\nid: {data['seq'] + 1}\n")
        assert viewer.events[2] == ": still here\n\n"
        viewer.leave()
        await viewer.ended.wait()
    assert box.api.feed.streams == 0


async def test_viewers_share_one_encoding():
    box = await Box(seen=SEEN).open()
    viewers = [Viewer(await box.signed_in("EV")) for _viewer in range(3)]
    async with trio.open_nursery() as nursery:
        for viewer in viewers:
            nursery.start_soon(viewer.watch)
        await trio.sleep(0.1)

        held = box.api.feed._held
        box.control.push()
        await trio.sleep(0.1)
        assert held is not box.api.feed._held
        assert {viewer.events[-1] for viewer in viewers} == {box.api.feed._held[1].decode()}
        nursery.cancel_scope.cancel()


async def test_a7_a_live_stream_ends_with_its_session():
    box = await Box().open()
    viewer = Viewer(await box.signed_in("EV"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(viewer.watch)
        await trio.sleep(1)
        await viewer.browser.call("DELETE", "/api/v1/session")
        box.control.push()
        with trio.fail_after(11):
            await viewer.ended.wait()

    assert viewer.events[-1] == "event: ended\ndata: {}\n\n"


async def test_a7_a_stream_that_nobody_touches_ends_after_15_minutes():
    box = await Box().open()
    viewer = Viewer(await box.signed_in("EV"))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(viewer.watch)
        await viewer.ended.wait()

    assert 900 <= trio.current_time() - began <= 911


async def test_a9_a_live_stream_ends_with_its_key():
    box = await Box().open()
    viewer = Viewer(box.browser(key=box.add_key("read", days=1 / 24)))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(viewer.watch)
        await viewer.ended.wait()

    assert 3600 <= trio.current_time() - began <= 3611
    assert viewer.events[-1] == "event: ended\ndata: {}\n\n"


async def test_a_stream_says_when_control_has_gone_and_goes_on_when_it_is_back():
    box = await Box().open()
    viewer = Viewer(await box.signed_in("EV"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(viewer.watch)
        for away in (True, False):
            await trio.sleep(0.1)
            box.control.away = away
            box.control.push()
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()

    assert [event.split("\n")[0] for event in viewer.events] == [
        "event: snapshot", "event: away", "event: snapshot",
    ]  # fmt: skip


async def test_inv17_live_streams_have_a_greatest_number():
    box = await Box().open()
    browser = await box.signed_in("EV")
    async with trio.open_nursery() as nursery:
        for _viewer in range(64):
            nursery.start_soon(Viewer(browser).watch)
        await trio.sleep(0.1)
        last = Viewer(browser)
        await last.watch()
        nursery.cancel_scope.cancel()

    assert last.status == 503


ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0102000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
wwan0\t0003000A\t00000000\t0001\t0\t0\t700\t00FFFFFF\t0\t0\t0
"""
ROUTES6 = (
    "fd000000000000010000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
)


@pytest.mark.parametrize(("client", "near"), [
    ("10.0.2.77", True), ("10.0.3.77", False), ("10.0.4.1", False), ("127.8.8.8", True),
    ("fd00:0:0:1::7", True), ("fd00:0:0:2::7", False), ("fe80::7%eth0", True),
    ("2001:4860::1", False),
    ("::ffff:10.0.2.77", True), ("junk", False),
])  # fmt: skip
def test_near_is_loopback_link_local_or_the_same_private_subnet_but_not_the_modems(client, near):
    assert is_near(client, attached_v4(ROUTES) + attached_v6(ROUTES6)) == near


def test_tries_are_counted_per_address_and_per_ipv6_network():
    assert source_of("fd00::1:2:3:4") == source_of("fd00::9:9:9:9") != source_of("fd00:1::1")
    assert source_of("::ffff:10.0.0.1") == "10.0.0.1"


async def test_the_session_tells_the_page_what_it_needs_before_anyone_signs_in():
    box = await Box(seen=SEEN).open()

    body = (await box.browser().call("GET", "/api/v1/session")).json
    mine = (await (await box.signed_in("EV")).call("GET", "/api/v1/session")).json

    assert {**body, "version": ""} == {
        "account": None, "level": 0, "must_change": False, "simulated": True, "site": "Yard",
        "accounts_open": list(WORDS), "version": "", "csrf": None, "serial": "LR1",
        "commissioning_open": True,
        "brand": {"head_text": "", "foot_text": "", "image": None, "image_px": [0, 0],
                  "reverse": False},
    }  # fmt: skip
    assert (mine["account"], mine["level"], len(mine["csrf"])) == ("EV", 1, 43)


EIGHTY = {"limit_ma": [80_000, 80_000, 63_000]}


async def test_inv7_the_ceiling_is_sealed_by_the_assembler_next_door_and_by_nobody_else():
    box = await Box().open()
    far = await box.signed_in("Assembler", client="203.0.113.9")
    near = await box.signed_in("Assembler", client="127.0.0.1")
    key = box.browser(key=box.add_key("write"))

    refused = await far.call("PUT", "/api/v1/ceiling", EIGHTY)
    by_key = await key.call("PUT", "/api/v1/ceiling", EIGHTY)

    assert (refused.status, by_key.status) == (403, 403)
    assert "on site" in refused.json["detail"]
    assert (await near.call("GET", "/api/v1/ceiling")).json["limit_ma"] is None
    sealed = await near.call("PUT", "/api/v1/ceiling", EIGHTY)
    assert sealed.status == 200
    assert sealed.json == (await key.call("GET", "/api/v1/ceiling")).json
    assert sealed.json["limit_ma"] == [80_000, 80_000, 63_000]
    assert sealed.json["in_force_ma"] == [80_000, 80_000, 63_000]
    assert (sealed.json["site_limit_ma"], sealed.json["by"]) == ([100_000] * 3, "Assembler")


@pytest.mark.parametrize(("body", "path"), [
    ({"limit_ma": [1, 2]}, "$.limit_ma"), ({"limit_ma": [-1, 0, 0]}, "$.limit_ma[0]"),
    ({"limit_ma": None}, "$.limit_ma"), ({}, "$"), ({**EIGHTY, "by": "me"}, "$.by"),
])  # fmt: skip
async def test_a_ceiling_that_cannot_be_is_a_problem_with_its_path(body, path):
    box = await Box().open()
    browser = await box.signed_in("Assembler")

    reply = await browser.call("PUT", "/api/v1/ceiling", body)

    assert (reply.status, reply.json["path"]) == (422, path)
    assert box.ceiling.limit.value is None


async def test_w8_a_limit_above_the_ceiling_is_a_problem_and_the_check_says_what_fits():
    box = await Box(seen=SEEN).open()
    browser = await box.signed_in("Assembler")
    await browser.call("PUT", "/api/v1/ceiling", EIGHTY)

    reply = await browser.call("PATCH", "/api/v1/settings", {"site": {"limit_ma": [90_000] * 3}})
    check = (await browser.call("GET", "/api/v1/commissioning-check")).json

    assert (reply.status, reply.json["path"]) == (422, "$.site.limit_ma[0]")
    assert "80 A" in reply.json["detail"] and "90 A" in reply.json["detail"]
    assert check["ceiling_ma"] == [80_000, 80_000, 63_000]
    assert check["findings"][0] == {
        "name": "ceiling", "state": "warning", "phase": "L1", "amount_ma": 100_000,
        "limit_ma": 80_000,
        "text": "The site limit of 100 A on L1 is lowered to the engineering ceiling of 80 A",
    }  # fmt: skip


# -- uplinks ---------------------------------------------------------------------------------------


def set_aside(number: int) -> SetAsideMessage:
    return SetAsideMessage(
        number, "CP1", "StartTransaction", 5, "2026-11-21T07:00:00.000Z", "InternalError: no",
        "2026-11-21T08:00:00.000Z", "ws://csms.example", f"m{number}", '{"connectorId":1}',
    )


async def test_what_was_set_aside_is_listed_in_parts_and_downloaded_whole():
    box = await Box().open()
    box.aside = [set_aside(number) for number in range(1, 6)]
    browser = await box.signed_in("Installer")

    part = await browser.call("GET", "/api/v1/set-aside?after=2")
    whole = await browser.call("GET", "/api/v1/set-aside/export")

    assert [one["number"] for one in part.json] == [3, 4]
    assert [one["number"] for one in whole.json] == [1, 2, 3, 4, 5]
    assert whole.json[0]["payload"] == '{"connectorId":1}'
    box.aside = []
    assert (await browser.call("GET", "/api/v1/set-aside/export")).json == []
    assert "linkray-set-aside.json" in whole.headers["content-disposition"]
    bad = await browser.call("GET", "/api/v1/set-aside?after=x")
    assert (bad.status, bad.json["path"]) == (422, "$.after")


async def test_what_was_set_aside_is_said_again_or_removed_of_one_charger_or_of_all():
    box = await Box().open()
    browser = await box.signed_in("Installer")

    again = await browser.call("POST", "/api/v1/set-aside/again", {"charger": "CP1"})
    removed = await browser.call("POST", "/api/v1/set-aside/remove", {"charger": ""})
    whose = await browser.call("POST", "/api/v1/set-aside/remove", {})
    ev = await box.signed_in("EV")
    seen = await ev.call("POST", "/api/v1/set-aside/remove", {"charger": ""})

    assert (again.json, removed.json) == ({"ok": True, "text": "Done"},) * 2
    assert box.did == [asks.SayAgain("CP1"), asks.RemoveSetAside("")]
    assert (whose.status, seen.status) == (422, 403), "who wants all removed says so"


async def test_k13_what_who_has_set_another_address_should_know_is_in_a_header_of_the_answer():
    box = await Box().open()

    async def words(old: Settings, new: Settings) -> str:
        return "" if old.csms == new.csms else "Kept for wss://bücher.example alone"

    box.desk._words_of = words
    browser = await box.signed_in("Assembler")
    moved = await browser.call("PATCH", "/api/v1/settings", {"csms": {"url": "ws://b.example"}})
    other = await browser.call("PATCH", "/api/v1/settings", {"site": {"fifo": True}})

    assert moved.headers["linkray-note"] == "Kept for wss://b\\xfccher.example alone"
    assert "linkray-note" not in other.headers


async def test_k13_what_waits_for_a_former_address_is_listed_downloaded_and_let_go():
    box = await Box().open()
    box.aside = [set_aside(number) for number in range(1, 6)]
    browser = await box.signed_in("Assembler")
    former = "ws://former.example"

    listed = await browser.call("GET", "/api/v1/csms/queues")
    whole = await browser.call("GET", f"/api/v1/csms/queues/export?csms={former}")
    gone = await browser.call("POST", "/api/v1/csms/queues/let-go",
                              {"csms": former, "through": 5})  # fmt: skip

    assert [(one["csms"], one["messages"]) for one in listed.json] == [(former, 5)]
    assert [one["number"] for one in whole.json] == [1, 2, 3, 4, 5]
    assert "linkray-kept-for-csms.json" in whole.headers["content-disposition"]
    assert gone.json == {"ok": True, "text": "Done"}
    assert asks.LetQueueGo(former, 5) in box.did
    assert {ask.csms for ask in box.did if isinstance(ask, asks.ReadQueue)} == {former}


async def test_a_csms_is_tried_out_and_a_password_given_that_nobody_is_told():
    box = await Box(seen=replace(SEEN, uplinks=(UplinkView("CP1", "live"),))).open()
    browser = await box.signed_in("Assembler")
    body = {"url": "ws://csms.example", "charger": "CP1", "password": "secret word"}

    found = await browser.call("POST", "/api/v1/csms/test", body)
    given = await browser.call(
        "PUT", "/api/v1/csms/password", {"charger": "CP1", "password": "secret word"}
    )
    shown = await browser.call("GET", "/api/v1/uplinks")

    assert found.json == {"reached": True, "text": "ws://csms.example lets it in"}
    assert box.did == [
        asks.TryUplink("ws://csms.example", charger="CP1", password="secret word"),
        asks.SetUplinkPassword("CP1", "secret word"),
    ]
    assert given.json == {"ok": True, "text": "Done"}
    assert [(one["charger"], one["state"]) for one in shown.json] == [("CP1", "live")]
    assert "secret" not in found.text + given.text + shown.text


async def test_the_ocpp_log_is_read_by_charger_and_way_and_downloaded_by_file():
    box = await Box().open()
    for n in range(6):
        box.frames.add(f"CP{n % 2}", ("in", "up", "down")[n % 3], f'[3,"{n}",{{}}]')
    browser = await box.signed_in("Installer")

    all_ = (await browser.call("GET", "/api/v1/ocpp-log")).json
    some = (await browser.call("GET", "/api/v1/ocpp-log?charger=CP1&way=up,down")).json
    news = (await browser.call("GET", "/api/v1/ocpp-log?after=4&limit=1")).json
    file = await browser.call("GET", "/api/v1/ocpp-log/0")

    assert [one["number"] for one in all_["frames"]] == [1, 2, 3, 4, 5, 6]
    assert [(one["charger"], one["way"]) for one in some["frames"]] == [
        ("CP1", "up"), ("CP1", "down"),
    ]  # fmt: skip
    assert ([one["number"] for one in news["frames"]], news["left_out"]) == ([6], 1)
    assert file.headers["content-type"].startswith("text/plain")
    assert 'filename="OCPP.log"' in file.headers["content-disposition"]
    assert file.body.count(b"\n") == 6
    for bad, status in (("?way=sideways", 422), ("?after=-1", 422), ("/1", 404), ("/x", 404)):
        assert (await browser.call("GET", f"/api/v1/ocpp-log{bad}")).status == status
